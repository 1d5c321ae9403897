"""Keys of Python's values, made by the library's key builder; node sets."""

import ctypes
import functools
from ctypes import byref, c_uint64
from numbers import Integral, Real

from pyphi import Direction

from .library import Address, Handle, as_bytes, call


def builder(arguments, keywords=()):
    """A builder that holds these arguments."""
    key = Handle("key")
    for argument in arguments:
        _add(key, argument)
    for name, argument in dict(keywords).items():
        call("key_add_keyword", key, name.encode())
        _add(key, argument)
    return key


@functools.lru_cache(maxsize=None)  # each of a builder's functions takes a microsecond through ctypes
def encoded(arguments):
    """The bytes of the key of these arguments. Arguments that are equal in Python have equal keys."""
    key, out = builder(arguments), Address()
    call("key_bytes", key, False, byref(out))
    return ctypes.string_at(out.data, out.len)


def _add(key, value):
    for kind, add in ADD.items():
        if isinstance(value, kind):
            add(key, value)
            return
    raise TypeError(f"a key cannot contain a {type(value).__name__}")


def _add_all(kind, key, values):
    call(f"key_begin_{kind}", key)
    for value in values:
        _add(key, value)
    call(f"key_end_{kind}", key)


# Python's integers include its truth values, so those come first.
ADD = {
    type(None): lambda key, _: call("key_add_none", key),
    Direction: lambda key, direction: call("key_add_direction", key, direction.value),
    bool: lambda key, value: call("key_add_bool", key, value),
    Integral: lambda key, number: call("key_add_int", key, int(number)),
    Real: lambda key, number: call("key_add_double", key, float(number)),
    str: lambda key, text: call("key_add_string", key, as_bytes(text.encode())),
    bytes: lambda key, data: call("key_add_bytes", key, as_bytes(data)),
    (tuple, list): functools.partial(_add_all, "tuple"),
    (set, frozenset): functools.partial(_add_all, "set"),
}


def mask(nodes):
    """The node set of these indices."""
    bits = 0
    for node in nodes:
        bits |= 1 << int(node)
    return bits


def nodes(bits):
    """The indices of a node set, ascending, as PyPhi writes mechanisms and purviews."""
    return tuple(node for node in range(bits.bit_length()) if bits >> node & 1)


def masks(sets):
    """An array of node sets. It is never NULL, which the library tells from an empty list."""
    sets = list(sets)
    return (c_uint64 * max(1, len(sets)))(*sets)
