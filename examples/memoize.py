# A function with a cache in Python, which calls the C functions by ctypes. Five mistakes are easy to make there. The
# first four can give wrong values without a message:
#
# - Without argtypes, ctypes passes an int in 32 bits: a node set loses the nodes from 32 on. For a double, such as a
#   percentage, C then reads whatever is in a register.
# - On an error, outputs are zero: a key that could not be made is the empty key, which other failed keys find too, and
#   a cut severs nothing, so that its cache inherits every MICE. Check each status.
# - A c_char_p that comes from C ends at the first zero byte, and most keys contain some. Use c_void_p and string_at.
# - If an exception leaves a callback, ctypes returns an arbitrary number, and 0 would be success. Catch it in the
#   callback, return another number, and raise it after the call.
# - A callback must stay referenced as long as the library may call it.
#
# It prints
#
#     computing 0.5
#     [0.5, 1.0, 1.5]
#     [0.5, 1.0, 1.5]
#     the error of the function: not a number

import array
import ctypes
import os

# If the system does not find the library, set PHICACHE_LIBRARY=PREFIX/lib/libphicache.so.
library = ctypes.CDLL(os.environ.get("PHICACHE_LIBRARY", "libphicache.so.0.2"))


class Bytes(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class Value(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("len", ctypes.c_size_t), ("pin", ctypes.c_void_p),
                ("origin", ctypes.c_uint32), ("reserved", ctypes.c_uint32)]


Handle = ctypes.c_void_p
Compute = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, Bytes, ctypes.c_void_p)


def declare(name, *argtypes, restype=ctypes.c_int32):
    function = getattr(library, "phicache_" + name)
    function.argtypes, function.restype = argtypes, restype
    return function


last_error = declare("last_error", restype=ctypes.c_char_p)
dict_cache_new = declare("dict_cache_new", Handle, ctypes.c_void_p, ctypes.POINTER(Handle))
dict_cache_as_cache = declare("dict_cache_as_cache", Handle, ctypes.POINTER(Handle))
dict_cache_free = declare("dict_cache_free", Handle)
memoize_flat = declare("cache_memoize_flat", Handle, ctypes.c_char_p, ctypes.c_size_t, Compute, ctypes.c_void_p,
                       ctypes.c_void_p, ctypes.POINTER(Value), ctypes.POINTER(ctypes.c_int32))
reserve = declare("result_reserve", ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER(ctypes.c_void_p))
release = declare("value_release", ctypes.POINTER(Value))


def check(status):
    if status < 0:
        raise RuntimeError(last_error().decode())


class Memo:
    """A function of doubles, whose results are lists of doubles, with a cache."""

    def __init__(self, function):
        self.function = function
        self.handle, self.cache = Handle(), Handle()
        check(dict_cache_new(None, None, self.handle))
        check(dict_cache_as_cache(self.handle, self.cache))

    def __del__(self):
        dict_cache_free(self.handle)

    def __call__(self, *arguments):
        errors = []

        def compute(user_data, call_data, key, result):
            try:
                numbers = array.array("d", self.function(*arguments)).tobytes()
                out = ctypes.c_void_p()
                if reserve(result, len(numbers), out) == 0:
                    ctypes.memmove(out, numbers, len(numbers))
                return 0  # a failed reservation is the status of the call
            except BaseException as error:
                errors.append(error)
                return 1

        key, value, callback = array.array("d", arguments).tobytes(), Value(), Compute(compute)
        status = memoize_flat(self.cache, key, len(key), callback, None, None, value, None)
        if errors:
            raise errors[0]
        check(status)
        numbers = array.array("d", ctypes.string_at(value.data, value.len)).tolist()
        release(value)
        return numbers


def multiples(x):
    if x != x:
        raise ValueError("not a number")
    print("computing", x)
    return [x, 2 * x, 3 * x]


cached = Memo(multiples)
print(cached(0.5))
print(cached(0.5))
try:
    cached(float("nan"))
except ValueError as error:
    print("the error of the function:", error)
