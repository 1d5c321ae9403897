"""The decorator of pure functions: a memo of the library, which calls back for what it does not have."""

import ctypes
import functools
from ctypes import byref, c_void_p

from pyphi import config

from .base import info_of
from .keys import builder
from .library import COMPUTE, Failure, Handle, Value, call, taken
from .values import from_bytes, to_bytes

UNLIMITED = -1.0


class Memo:
    def __init__(self, function, maxmem, typed):
        self.function, self.calls, self.failure = function, [], None
        self.compute = COMPUTE(self._compute)  # the library keeps only its address
        self.handle = Handle("memo", None, self.compute, None, None, maxmem or UNLIMITED, typed, None, None)

    def __call__(self, *arguments, **keywords):
        self.calls.append((arguments, keywords))
        value = Value()
        try:
            call("memo_call", self.handle, builder(arguments, keywords), None, byref(value), None)
        except Failure:
            failure, self.failure = self.failure, None
            if failure is None:
                raise
            raise failure from None
        finally:
            self.calls.pop()
        return from_bytes(taken(value))

    def _compute(self, user_data, call_data, key, result):
        """The callback: computes the call that was made last. No exception may leave it."""
        try:
            arguments, keywords = self.calls[-1]
            data, out = to_bytes(self.function(*arguments, **keywords)), c_void_p()
            call("result_reserve", result, len(data), byref(out))
            ctypes.memmove(out, data, len(data))
            return 0
        except BaseException as failure:
            self.failure = failure
            return 1

    def info(self):
        return info_of("memo", self.handle)

    def clear(self):
        call("memo_clear", self.handle)


def cache(cache=None, maxmem=config.MAXIMUM_CACHE_MEMORY_PERCENTAGE, typed=False):
    """As PyPhi's; but `cache`, a dict in which PyPhi would keep the results, has no use here."""
    def decorate(function):
        memo = Memo(function, maxmem, typed)

        @functools.wraps(function)
        def memoized(*arguments, **keywords):
            return memo(*arguments, **keywords)
        memoized.cache_info, memoized.cache_clear = memo.info, memo.clear
        return memoized
    return decorate
