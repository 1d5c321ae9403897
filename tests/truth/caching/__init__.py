"""PyPhi's cache module over the shared library. `take_place` lets PyPhi import this package as `pyphi.cache`.

It has what PyPhi 1.2.0 uses of that module: the decorators `cache` and `method`, the caches that they and PyPhi's
objects work with, and nothing else.
"""

import importlib.abc
import importlib.util
import sys

NAME = "pyphi.cache"


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != NAME:
            return None
        return importlib.util.spec_from_file_location(name, __file__, submodule_search_locations=__path__)


def take_place():
    """Call this before PyPhi is imported."""
    sys.meta_path.insert(0, _Finder())


if __name__ == NAME:
    from .dicts import DictCache, PurviewCache
    from .memo import cache
    from .method import method
    from .mice import DictMICECache, MICECache, RedisMICECache
