"""What all caches of this package have: a handle, `info`, `size` and `clear`."""

from collections import namedtuple
from ctypes import byref

from .library import Handle, Info, call

CacheInfo = namedtuple("CacheInfo", ["hits", "misses", "currsize"])


def info_of(kind, handle):
    info = Info()
    call(f"{kind}_info", handle, byref(info))
    return CacheInfo(info.hits, info.misses, info.size)


class Cache:
    kind = None  # as in the names of the library's functions

    def make(self, *arguments):
        self.handle = Handle(self.kind, *arguments)

    def info(self):
        return info_of(self.kind, self.handle)

    def size(self):
        return self.info().currsize

    def clear(self):
        call(f"{self.kind}_clear", self.handle)
