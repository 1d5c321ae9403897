"""The decorator of methods whose object has a cache: looks a result up there, or computes and stores it."""

import functools

from pyphi import config

REPERTOIRES = {"cause_repertoire", "effect_repertoire"}


def method(cache_name, key_prefix=None):
    def decorate(function):
        if function.__name__ in REPERTOIRES and not config.CACHE_REPERTOIRES:
            return function

        @functools.wraps(function)
        def cached(owner, *arguments, **keywords):
            cache = getattr(owner, cache_name)
            key = cache.key(*arguments, _prefix=key_prefix, **keywords)
            result = cache.get(key)
            if result is None:
                result = function(owner, *arguments, **keywords)
                cache.set(key, result)
            return result
        return cached
    return decorate
