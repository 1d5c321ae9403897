"""The caches of repertoires and of potential purviews."""

from ctypes import POINTER, byref, c_size_t, c_uint64

from . import settings
from .base import Cache
from .keys import encoded, mask, masks, nodes
from .library import MISS, Value, as_bytes, call, release, taken
from .values import from_bytes, to_bytes


class DictCache(Cache):
    kind = "dict_cache"

    def __init__(self):
        settings.renew()
        self.make(None, None)

    def key(self, *arguments, _prefix=None, **keywords):
        if keywords:
            raise NotImplementedError("this cache has no keys for keyword arguments")
        return (_prefix, *arguments)

    def get(self, key):
        value = Value()
        if call("dict_cache_get", self.handle, as_bytes(encoded(key)), byref(value)) == MISS:
            return None
        return from_bytes(taken(value))

    def set(self, key, value):
        call("dict_cache_set", self.handle, as_bytes(encoded(key)), as_bytes(to_bytes(value)))


class PurviewCache(Cache):
    kind = "purview_cache"

    def __init__(self):
        settings.renew()
        self.make(None, None)

    def key(self, direction, mechanism, _prefix=None):
        return direction.value, mask(mechanism)

    def get(self, key):
        purviews, count, value = POINTER(c_uint64)(), c_size_t(), Value()
        if call("purview_cache_get", self.handle, *key, byref(purviews), byref(count), byref(value)) == MISS:
            return None
        found = [nodes(purviews[i]) for i in range(count.value)]
        release(value)
        return found

    def set(self, key, purviews):
        call("purview_cache_set", self.handle, *key, masks(map(mask, purviews)), len(purviews))
