#!/usr/bin/env python3
"""Counts the instructions of each operation. Unlike nanoseconds, the counts are the same in every run.

    count_instructions.py BUILD

Compiles benches/instructions.cpp against the shared library in BUILD and runs each of its works under valgrind's
callgrind with two lengths: the difference contains only the operation and the loop around it. Each work of the C++
face follows the same work in C; its last column is the difference to C.

Then counts single stores in full caches (benches/stores.cpp): their mean, as a multiple of that in a cache with room,
and the largest. valgrind comes from the PATH or is fetched into BUILD (find_tool.py).

If there is a Julia, the works of benches/julia/instructions.jl follow: a whole hit, with the instructions of Julia's
code. That takes two minutes, most of them for Julia's start.
"""

import os

import subprocess
import sys
import tempfile
from pathlib import Path

import find_tool
from debian import say

TOP = Path(__file__).resolve().parent.parent
SHORT, LONG = 20_000, 40_000
STORES = 3_000
IN_JULIA = 20_000


def run(valgrind, program, work, count, folder, *options):
    """The output of the program, and the instructions that callgrind counted, one number for each part of the run."""
    report = folder / "callgrind.out"
    command = [valgrind, "--tool=callgrind", f"--callgrind-out-file={report}", *options, program, work, str(count)]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if run.returncode != 0:
        say(run.stderr.strip())
        sys.exit(f"{work}: the run under valgrind failed")
    with open(report) as lines:
        return run.stdout, [int(line.split()[1]) for line in lines if line.startswith("summary: ")]


def compiled(name, build, folder):
    """A program of benches/, and its works."""
    program = folder / name
    subprocess.run(["c++", "-std=c++17", "-O2", f"-I{TOP / 'include'}", TOP / f"benches/{name}.cpp", "-o", program,
                    f"-L{build}", f"-Wl,-rpath,{build}", "-lphicache"], check=True)
    return program, subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()


def count_operations(valgrind, build, folder):
    program, works = compiled("instructions", build, folder)
    print(f"{'instructions of one operation':46}{'':8}without the loop    over C")
    loop = in_c = None
    for work in works:
        short, long = (run(valgrind, program, work, count, folder)[1][0] for count in (SHORT, LONG))
        each = (long - short) / (LONG - SHORT)
        loop = each if loop is None else loop
        if work.startswith("C++:"):
            over = f"{each - in_c:+10.1f}"
        else:
            in_c, over = each, ""
        print(f"{work:46}{each:8.1f}{each - loop:18.1f}{over}", flush=True)


def count_stores(valgrind, build, folder):
    program, works = compiled("stores", build, folder)
    print(f"\n{'instructions of one store':42}{'mean':>8}{'times':>8}{'largest':>10}{'refused':>10}")
    for work in works:
        refused, parts = run(valgrind, program, work, STORES, folder, "--dump-before=boundary", "--combine-dumps=yes")
        # What comes before the first store; each store, and what is between it and the next.
        stores = parts[1::2][:STORES]
        mean = sum(stores) / len(stores)
        with_room = mean if work.endswith("with room") else with_room
        print(f"{work:42}{mean:8.0f}{mean / with_room:8.2f}{max(stores):10}{int(refused):10}", flush=True)


def count_in_julia(valgrind, build, folder):
    julia = find_tool.find("julia", build)
    if julia is None:
        return
    command = [julia, "--startup-file=no", f"--project={TOP / 'julia/PhiCache'}", TOP / "benches/julia/instructions.jl"]
    environment = {**os.environ, "PHICACHE_LIBRARY": str(build / "libphicache.so"), "JULIA_NUM_THREADS": "1"}
    works = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.splitlines()
    # Julia may be a script that starts the program, so its processes have files of their own.
    run = subprocess.run([valgrind, "--tool=callgrind", f"--callgrind-out-file={folder}/julia.%p",
                          "--trace-children=yes",
                          "--smc-check=all-non-file", "--dump-before=phicache_features", "--combine-dumps=yes",
                          *command, str(IN_JULIA)], env=environment, capture_output=True, text=True)
    if run.returncode != 0:
        say(run.stderr.strip())
        sys.exit("the run of Julia under valgrind failed")
    texts = [file.read_text() for file in folder.glob("julia.*")]
    parts = [int(line.split()[1]) for line in max(texts, key=len).splitlines() if line.startswith("summary: ")]
    # What comes before the first work; each work, and what is between it and the next.
    each = [part / IN_JULIA for part in parts[1::2][:len(works)]]
    print(f"\n{'instructions of one hit in Julia':46}   without the loop")
    for work, instructions in zip(works, each):
        print(f"{work:46}{instructions:8.1f}{instructions - each[0]:11.1f}", flush=True)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build = Path(sys.argv[1]).resolve()
    valgrind = find_tool.find("valgrind", build)
    if valgrind is None:
        sys.exit(1)
    with tempfile.TemporaryDirectory() as temporary:
        count_operations(valgrind, build, Path(temporary))
        count_stores(valgrind, build, Path(temporary))
        count_in_julia(valgrind, build, Path(temporary))


if __name__ == "__main__":
    main()
