#!/usr/bin/env python3
"""Makes sure that hiredis is there, which benches/redis measures beside the Redis cache, and prints where else CMake looks.

    find_hiredis.py BUILD

Where the system has none, Debian's package is unpacked in BUILD (debian.py). Where it cannot be had, one message says so,
and the exit status is 1.
"""

import sys
from pathlib import Path

from find_tool import unpacked

PACKAGE, HEADER = "libhiredis-dev", "hiredis/hiredis.h"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if any((Path(folder) / HEADER).exists() for folder in ("/usr/include", "/usr/local/include")):
        return
    folder = Path(sys.argv[1]).resolve() / "tools" / "hiredis"
    if not unpacked([PACKAGE], folder):
        sys.exit(f"hiredis is missing, and could not be fetched. Install it (on Debian, as root: apt-get install {PACKAGE}), "
                 "and run make again.")
    print(folder / "usr")


if __name__ == "__main__":
    main()
