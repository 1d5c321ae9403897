#!/usr/bin/env python3
"""Makes sure that hiredis is there, which benches/redis measures beside the Redis cache.

    find_hiredis.py

It is Debian's package, by apt-get, which needs root. Where it cannot be had, one message says so, and the exit status is 1.
"""

import sys
from pathlib import Path

from find_tool import by_apt, say

PACKAGE, HEADER = "libhiredis-dev", "hiredis/hiredis.h"


def is_there():
    return any((Path(folder) / HEADER).exists() for folder in ("/usr/include", "/usr/local/include"))


if not is_there() and not (by_apt(PACKAGE) and is_there()):
    say(f"hiredis is missing, and could not be fetched. Install it (as root: apt-get install {PACKAGE}), and run make again.")
    sys.exit(1)
