#!/usr/bin/env python3
"""The installed library, loaded by Python's ctypes and used from short-lived threads: loaded.py LIBRARY"""

import ctypes
import sys
import threading


class Bytes(ctypes.Structure):
    _fields_ = [('data', ctypes.c_char_p), ('len', ctypes.c_size_t)]


class Value(ctypes.Structure):
    _fields_ = [('data', ctypes.c_void_p), ('len', ctypes.c_size_t), ('pin', ctypes.c_void_p),
                ('origin', ctypes.c_uint32), ('reserved', ctypes.c_uint32)]


library = ctypes.CDLL(sys.argv[1])
for name, types in {'phicache_dict_cache_new': [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p],
                    'phicache_dict_cache_free': [ctypes.c_void_p],
                    'phicache_dict_cache_set': [ctypes.c_void_p, Bytes, Bytes],
                    'phicache_dict_cache_get': [ctypes.c_void_p, Bytes, ctypes.c_void_p],
                    'phicache_value_release': [ctypes.c_void_p]}.items():
    getattr(library, name).argtypes = types

cache = ctypes.c_void_p()
assert library.phicache_dict_cache_new(None, None, ctypes.byref(cache)) == 0
KEYS, wrong, found = 50, [], []


def text(number, version):
    return b'%d:' % number + b'%d' % version * 20


def use(seed):
    for step in range(400):
        number = (seed * 7 + step) % KEYS
        key, value = Bytes(b'key%d' % number, len(b'key%d' % number)), Value()
        stored = text(number, step % 10)
        if step % 3 == 0 and library.phicache_dict_cache_set(cache, key, Bytes(stored, len(stored))) != 0:
            wrong.append((number, "not stored"))
        if library.phicache_dict_cache_get(cache, key, ctypes.byref(value)) == 0:
            got = ctypes.string_at(value.data, value.len)
            if got not in [text(number, version) for version in range(10)]:
                wrong.append((number, got))
            found.append(number)
            library.phicache_value_release(ctypes.byref(value))


# Many threads, one after the other: at its end each returns what the library stores for it.
for generation in range(20):
    threads = [threading.Thread(target=use, args=[generation * 4 + i]) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
assert not wrong, wrong[:3]
assert len(found) > 80 * 400 * 0.9, f'only {len(found)} lookups found something'
assert library.phicache_dict_cache_free(cache) == 0
print('80 threads, no value torn')
