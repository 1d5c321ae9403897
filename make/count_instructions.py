#!/usr/bin/env python3
"""Counts the instructions of each operation. Unlike nanoseconds, the counts are the same in every run.

    count_instructions.py BUILD

Compiles benches/instructions.cpp against the shared library in BUILD and runs each of its works under valgrind's
callgrind with two lengths: the difference contains only the operation and the loop around it. Each work of the C++
face follows the same work in C; its last column is the difference to C. valgrind comes from the PATH or is fetched into
BUILD (find_tool.py).
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import find_tool
from debian import say

TOP = Path(__file__).resolve().parent.parent
SHORT, LONG = 20_000, 40_000


def executed(valgrind, program, work, count, folder):
    report = folder / "callgrind.out"
    command = [valgrind, "--tool=callgrind", f"--callgrind-out-file={report}", program, work, str(count)]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if run.returncode != 0:
        say(run.stderr.strip())
        sys.exit(f"{work}: the run under valgrind failed")
    return int(re.search(r"^(?:summary|totals): (\d+)", report.read_text(), re.MULTILINE).group(1))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build = Path(sys.argv[1]).resolve()
    valgrind = find_tool.find("valgrind", build)
    if valgrind is None:
        sys.exit(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        program = folder / "instructions"
        subprocess.run(["c++", "-std=c++17", "-O2", f"-I{TOP / 'include'}", TOP / "benches/instructions.cpp", "-o", program,
                        f"-L{build}", f"-Wl,-rpath,{build}", "-lphicache"], check=True)
        works = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
        print(f"{'instructions of one operation':38}{'':8}without the loop    over C")
        loop = in_c = None
        for work in works:
            short, long = (executed(valgrind, program, work, count, folder) for count in (SHORT, LONG))
            each = (long - short) / (LONG - SHORT)
            loop = each if loop is None else loop
            if work.startswith("C++:"):
                over = f"{each - in_c:+10.1f}"
            else:
                in_c, over = each, ""
            print(f"{work:38}{each:8.1f}{each - loop:18.1f}{over}", flush=True)


if __name__ == "__main__":
    main()
