"""The shared library through ctypes: the structs, the functions, and errors as exceptions.

PHICACHE_LIBRARY in the environment is the library's path.
"""

import ctypes
import os
from ctypes import POINTER, byref, c_char_p, c_double, c_int32, c_size_t, c_uint32, c_uint64, c_void_p

MISS, INVALID_ARGUMENT = 1, -1


class Bytes(ctypes.Structure):
    _fields_ = [("data", c_char_p), ("len", c_size_t)]


class Value(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("len", c_size_t), ("pin", c_void_p), ("origin", c_uint32),
                ("reserved", c_uint32)]


class Info(ctypes.Structure):
    _fields_ = [("hits", c_uint64), ("misses", c_uint64), ("size", c_uint64)]


class Mice(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("direction", c_int32), ("reserved", c_uint32), ("mechanism", c_uint64),
                ("purview", c_uint64), ("phi", c_double), ("payload", Bytes)]


class Fingerprint(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint8 * 32)]


# Not Bytes: ctypes reads a c_char_p only up to its first NUL.
class Address(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("len", c_size_t)]


COMPUTE = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, Address, c_void_p)

HANDLE, TO = c_void_p, c_void_p  # a handle; an address that receives a result
MASKS = POINTER(c_uint64)

ARGUMENTS = {
    "config_set_maximum_memory_percent": [HANDLE, c_double],
    "config_set_cache_potential_purviews": [HANDLE, c_int32],
    "config_set_redis_cache": [HANDLE, c_int32],
    "config_set_redis_url": [HANDLE, c_char_p],
    "config_set_redis_whole_database": [HANDLE, c_int32],
    "key_new": [TO],
    "key_free": [HANDLE],
    "key_add_none": [HANDLE],
    "key_add_bool": [HANDLE, c_int32],
    "key_add_int": [HANDLE, ctypes.c_int64],
    "key_add_double": [HANDLE, c_double],
    "key_add_bytes": [HANDLE, Bytes],
    "key_add_string": [HANDLE, Bytes],
    "key_add_direction": [HANDLE, c_int32],
    "key_begin_tuple": [HANDLE],
    "key_end_tuple": [HANDLE],
    "key_begin_set": [HANDLE],
    "key_end_set": [HANDLE],
    "key_add_keyword": [HANDLE, c_char_p],
    "key_bytes": [HANDLE, c_int32, TO],
    "key_mice": [c_char_p, c_int32, c_uint64, MASKS, c_size_t, c_char_p, c_size_t, TO],
    "network_fingerprint": [c_void_p, c_size_t, c_int32, MASKS, Bytes, TO],
    "dict_cache_new": [HANDLE, c_void_p, TO],
    "dict_cache_free": [HANDLE],
    "dict_cache_get": [HANDLE, Bytes, TO],
    "dict_cache_get_into": [HANDLE, Bytes, TO, c_size_t, TO],
    "dict_cache_set": [HANDLE, Bytes, Bytes],
    "dict_cache_clear": [HANDLE],
    "dict_cache_info": [HANDLE, TO],
    "purview_cache_new": [HANDLE, c_void_p, TO],
    "purview_cache_free": [HANDLE],
    "purview_cache_get": [HANDLE, c_int32, c_uint64, TO, TO, TO],
    "purview_cache_set": [HANDLE, c_int32, c_uint64, MASKS, c_size_t],
    "purview_cache_clear": [HANDLE],
    "purview_cache_info": [HANDLE, TO],
    "memo_new": [HANDLE, COMPUTE, c_void_p, c_void_p, c_double, c_int32, HANDLE, c_char_p, TO],
    "memo_free": [HANDLE],
    "memo_call": [HANDLE, HANDLE, c_void_p, TO, TO],
    "memo_info": [HANDLE, TO],
    "memo_clear": [HANDLE],
    "result_reserve": [c_void_p, c_size_t, TO],
    "cut_matrix": [c_size_t, c_char_p, c_int32, MASKS],
    "subsystem_new": [TO, c_size_t, POINTER(c_int32), c_uint64, MASKS, MASKS, TO],
    "subsystem_free": [HANDLE],
    "mice_cache_new": [HANDLE, c_void_p, HANDLE, HANDLE, TO],
    "mice_cache_free": [HANDLE],
    "mice_cache_get": [HANDLE, Bytes, TO, TO],
    "mice_cache_set": [HANDLE, Bytes, TO],
    "mice_cache_would_store": [HANDLE, c_double],
    "mice_cache_clear": [HANDLE],
    "mice_cache_info": [HANDLE, TO],
}

_library = ctypes.CDLL(os.environ["PHICACHE_LIBRARY"])
_library.phicache_last_error.restype = c_char_p
_library.phicache_value_release.argtypes, _library.phicache_value_release.restype = [TO], None
_functions = {name: getattr(_library, f"phicache_{name}") for name in ARGUMENTS}
for _name, _types in ARGUMENTS.items():
    _functions[_name].argtypes = _types


class Failure(Exception):
    pass


def call(name, *arguments):
    """Calls a function and returns its status. An invalid argument is a ValueError, as it is in PyPhi."""
    status = _functions[name](*arguments)
    if status < 0:
        message = _library.phicache_last_error().decode()
        raise (ValueError if status == INVALID_ARGUMENT else Failure)(message)
    return status


class Handle:
    """A handle of the library, freed with this object. `_as_parameter_` is what ctypes passes."""
    def __init__(self, kind, *arguments):
        self._as_parameter_, self._kind = None, kind
        handle = c_void_p()
        call(f"{kind}_new", *arguments, byref(handle))
        self._as_parameter_ = handle

    def __del__(self):
        if self._as_parameter_:
            _functions[f"{self._kind}_free"](self)


def as_bytes(data):
    return Bytes(data, len(data))


def release(value):
    _library.phicache_value_release(byref(value))


def taken(value):
    """A copy of the bytes of a pinned value, which is released."""
    copy = ctypes.string_at(value.data, value.len)
    release(value)
    return copy
