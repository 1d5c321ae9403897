#!/usr/bin/env python3
"""Prints where CMake finds LEMON's headers, with which examples/iit solves transport problems; fetches them if needed.

    find_lemon.py BUILD

If LEMON is installed, it prints nothing, since CMake looks there anyway. Otherwise it unpacks Debian's package into
BUILD (debian.py). If that fails, one message says what to install, and the exit status is 1.
"""

import sys
from pathlib import Path

import debian

PACKAGE, HEADER = "liblemon-dev", "lemon/network_simplex.h"


def find(build):
    """The folder of the headers, "" if CMake finds them without help, or None; then a message has said what to do."""
    if any((Path(folder) / HEADER).exists() for folder in ("/usr/include", "/usr/local/include")):
        return ""
    folder = build / "tools" / "lemon"
    if not debian.fetch([PACKAGE], folder, "to solve transport problems in examples/iit"):
        debian.say(f"LEMON is missing and could not be fetched; without it examples/iit is not built. Install it (on "
                   f"Debian, as root: apt-get install {PACKAGE}), and run make again.")
        return None
    return folder / "usr/include"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = find(Path(sys.argv[1]).resolve())
    if found is None:
        sys.exit(1)
    print(found)


if __name__ == "__main__":
    main()
