"""Remembers every cache that PyPhi makes, to read hits, misses and size of each at the end and before each clear."""

import functools
import inspect
import sys


class Counts:
    def __init__(self, module):
        """Watches a cache module, PyPhi's own or the other, from now on."""
        self.caches, self.clears = [], []
        for name in "DictCache", "PurviewCache", "DictMICECache", "RedisMICECache":
            self._watch(getattr(module, name))

    def _watch(self, kind):
        make = kind.__init__

        @functools.wraps(make)
        def make_and_remember(cache, *arguments, **keywords):
            make(cache, *arguments, **keywords)
            if type(cache).__init__ is make_and_remember:  # not in the constructor of a subclass
                cache.clear = functools.partial(self._clear, len(self.caches), cache, cache.clear)
                self.caches.append(cache)
        kind.__init__ = make_and_remember

    def _clear(self, number, cache, clear):
        self.clears.append([f"{type(cache).__name__} {number} when it was cleared", *cache.info()])
        clear()

    def read(self):
        """[name, hits, misses, size] of each cache, in the order in which they were made."""
        objects = [[f"{type(cache).__name__} {number}", *cache.info()] for number, cache in enumerate(self.caches)]
        return objects + self.clears + [[name, *function.cache_info()] for name, function in sorted(_memoized())]


def _memoized():
    """PyPhi's functions that have a cache of their own."""
    for module in [module for name, module in sys.modules.items() if name.startswith("pyphi.")]:
        for name, thing in vars(module).items():
            if inspect.isfunction(thing) and hasattr(thing, "cache_info") and thing.__module__ == module.__name__:
                yield f"{module.__name__}.{name}", thing
