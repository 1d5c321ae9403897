#!/usr/bin/env python3
"""A panic inside the installed library, loaded by Python's ctypes, is a status: panic.py LIBRARY"""

import ctypes
import sys

library = ctypes.CDLL(sys.argv[1])
library.phicache_status_name.restype = ctypes.c_char_p
for _ in range(3):
    status = library.phicache_test_panic()
    assert status == -9, status
assert library.phicache_status_name(status) == b"ERROR_PANIC"
print("the process lives")
