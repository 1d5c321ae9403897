"""The caches of MICE (maximally irreducible causes and effects), in the process or in Redis."""

import ctypes
from ctypes import byref, c_int32, c_size_t, sizeof

import numpy as np
from pyphi import config

from . import settings
from .base import Cache
from .keys import mask, masks
from .library import MISS, Fingerprint, Handle, Mice, Value, as_bytes, call, release
from .values import from_bytes, to_bytes

ROW_MAJOR, KEY_BUFFER = 0, 768
EMPTY = 1  # instead of a system without nodes, which the library does not have; its context differs from node 0's


class _MICECache(Cache):
    kind = "mice_cache"

    def __init__(self, subsystem, parent_cache=None):
        settings.renew()
        self.make(None, None, _Subsystem(subsystem), parent_cache and parent_cache.handle)

    def key(self, direction, mechanism, purviews=False, _prefix=None):
        count, listed = 0, None
        if purviews is not False:
            count, listed = len(purviews), masks(map(mask, purviews))
        buffer, length = ctypes.create_string_buffer(KEY_BUFFER + 9 * count), c_size_t()
        call("key_mice", _prefix, direction.value, mask(mechanism), listed, count, buffer, len(buffer), byref(length))
        return buffer.raw[:length.value]

    def get(self, key):
        found, record = Mice(sizeof(Mice)), Value()
        if call("mice_cache_get", self.handle, as_bytes(key), byref(found), byref(record)) == MISS:
            return None
        mice = from_bytes(_payload(found))
        release(record)
        return mice

    def set(self, key, mice):
        if call("mice_cache_would_store", self.handle, mice.phi) != 0:
            return  # before the MICE is pickled
        call("mice_cache_set", self.handle, as_bytes(key), byref(
            Mice(sizeof(Mice), mice.direction.value, 0, mask(mice.mechanism), mask(mice.purview), mice.phi,
                 as_bytes(to_bytes(mice)))))


class DictMICECache(_MICECache):
    pass


class RedisMICECache(_MICECache):
    pass


def MICECache(subsystem, parent_cache=None):
    return (RedisMICECache if config.REDIS_CACHE else DictMICECache)(subsystem, parent_cache)


def _payload(mice):
    start = Mice.payload.offset
    data = ctypes.c_void_p.from_buffer(mice, start).value  # c_char_p would end at the first NUL
    return ctypes.string_at(data, mice.payload.len)


class _Subsystem(Handle):
    """The library's view of a subsystem: its network in its context, its state and nodes, and its cut."""
    def __init__(self, subsystem):
        network = subsystem.network
        size = network.size
        connections = masks(mask(np.flatnonzero(row)) for row in network.cm)
        # Row i of a state-by-node matrix is the state in which bit k of i is node k: Fortran's order.
        tpm = np.ascontiguousarray(network.tpm.reshape((2 ** size, size), order="F"), dtype=float)
        # Also what a macro system adds to its micro system.
        context = repr([settings.of_results(), subsystem.node_indices, subsystem.external_indices, *(
            getattr(subsystem, name, None) for name in ("time_scale", "blackbox", "coarse_grain"))])
        identity = Fingerprint()
        call("network_fingerprint", tpm.ctypes.data, size, ROW_MAJOR, connections, as_bytes(context.encode()),
             byref(identity))
        super().__init__("subsystem", byref(identity), size, (c_int32 * size)(*subsystem.state),
                         mask(subsystem.node_indices) or EMPTY, connections, _severed(subsystem.cut, size))


def _severed(cut, size):
    """The cut as the library has it: for each node, the nodes to which its connection is severed."""
    if cut.is_null:
        return None
    severed = masks([0] * size)
    call("cut_matrix", size, cut.cut_matrix(size).astype(np.uint8).tobytes(), ROW_MAJOR, severed)
    return severed
