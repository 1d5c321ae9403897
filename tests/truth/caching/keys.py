"""Keys of Python's values, made by the library's key builder; masks of nodes."""

from ctypes import byref, c_uint64
from numbers import Integral, Real

from pyphi import Direction

from .library import Address, Handle, as_bytes, call
from ctypes import string_at


def builder(arguments, keywords=()):
    """A builder that holds these arguments."""
    key = Handle("key")
    for argument in arguments:
        _add(key, argument)
    for name, argument in dict(keywords).items():
        call("key_add_keyword", key, name.encode())
        _add(key, argument)
    return key


def encoded(arguments):
    """The bytes of the key of these arguments."""
    key, out = builder(arguments), Address()
    call("key_bytes", key, False, byref(out))
    return string_at(out.data, out.len)


def _add(key, value):
    if value is None:
        call("key_add_none", key)
    elif isinstance(value, Direction):
        call("key_add_direction", key, value.value)
    elif isinstance(value, bool):
        call("key_add_bool", key, value)
    elif isinstance(value, Integral):
        call("key_add_int", key, int(value))
    elif isinstance(value, Real):
        call("key_add_double", key, float(value))
    elif isinstance(value, str):
        call("key_add_string", key, as_bytes(value.encode()))
    elif isinstance(value, bytes):
        call("key_add_bytes", key, as_bytes(value))
    elif isinstance(value, (tuple, list)):
        _add_all(key, value, "tuple")
    elif isinstance(value, (set, frozenset)):
        _add_all(key, value, "set")
    else:
        raise TypeError(f"a key cannot contain a {type(value).__name__}")


def _add_all(key, values, kind):
    call(f"key_begin_{kind}", key)
    for value in values:
        _add(key, value)
    call(f"key_end_{kind}", key)


def mask(nodes):
    """The node set of these indices."""
    bits = 0
    for node in nodes:
        bits |= 1 << int(node)
    return bits


def nodes(mask):
    """The indices of a node set, ascending, as PyPhi writes mechanisms and purviews."""
    return tuple(node for node in range(mask.bit_length()) if mask >> node & 1)


def masks(sets):
    """An array of node sets for the library, or None for an empty one."""
    sets = list(sets)
    return (c_uint64 * len(sets))(*sets) if sets else None
