#!/usr/bin/env python3
"""Prints where CMake finds hiredis, which benches/redis compares with the Redis cache, and fetches it if necessary.

    find_hiredis.py BUILD

If hiredis is installed, it prints nothing, since CMake looks there anyway. Otherwise it unpacks Debian's package into
BUILD (debian.py). If that fails, one message says what to install, and the exit status is 1.
"""

import sys
from pathlib import Path

import debian

PACKAGE, HEADER = "libhiredis-dev", "hiredis/hiredis.h"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if any((Path(folder) / HEADER).exists() for folder in ("/usr/include", "/usr/local/include")):
        return
    folder = Path(sys.argv[1]).resolve() / "tools" / "hiredis"
    if not debian.fetch([PACKAGE], folder, "to compare with the Redis cache"):
        sys.exit(f"hiredis is missing and could not be fetched. Install it (on Debian, as root: apt-get install "
                 f"{PACKAGE}), and run make again.")
    print(folder / "usr")


if __name__ == "__main__":
    main()
