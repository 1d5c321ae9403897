#!/usr/bin/env python3
"""Measures the code of one call of a cache in the functions of call_sites.cpp.

    call_sites.py CXX INCLUDE FOLDER

A call has at most 120 bytes, with all that belongs to it alone: the functions that run on a miss or an error are out of
line. Larger calls would keep the compiler from inlining the functions of an application into each other. The limit is
for x86-64.
"""

import platform
import re
import subprocess
import sys
from pathlib import Path

MOST = 120
SITES = 17


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    if platform.machine() != "x86_64":
        print("SKIPPED: the limit is for x86-64")
        sys.exit(77)
    cxx, include, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    compiled = folder / "call_sites.o"
    subprocess.run([cxx, "-std=c++17", "-O2", "-I", include, "-c", Path(__file__).with_suffix(".cpp"), "-o", compiled],
                   check=True)
    symbols = subprocess.run(["nm", "-S", "-C", compiled], check=True, capture_output=True, text=True).stdout
    size = {}
    # The part that gcc puts elsewhere, because it seldom runs, belongs to the call too.
    for digits, name in re.findall(r"^\w+ (\w+) \w site::(\w+)\(.*$", symbols, re.MULTILINE):
        size[name] = size.get(name, 0) + int(digits, 16)
    for name, bytes in size.items():
        print(f"{bytes:6} {name}{'' if bytes <= MOST else ': too large'}")
    sys.exit(len(size) != SITES or any(bytes > MOST for bytes in size.values()))


if __name__ == "__main__":
    main()
