#!/usr/bin/env python3
"""Computes PyPhi's networks with its own caches and with this library, and compares all results and counts.

    compare.py PYTHON LIBRARY [--redis-server PROGRAM] [--short | WORKLOAD...]

PYTHON is an interpreter that has PyPhi (make/find_pyphi.py), LIBRARY the shared library. Each workload runs with
PyPhi's caches and with those of the library; where the measure is the earth mover's distance, also with PyPhi's caches
and one of the library for the distances. Each run is a process of its own, with a Redis server of its own if the
workload uses Redis.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple, Optional

import redis_server
from workloads import SHORT, WORKLOADS

HERE = Path(__file__).resolve().parent
ALWAYS = {"PARALLEL_CUT_EVALUATION": False, "PROGRESS_BARS": False, "WELCOME_OFF": True, "CACHE_SIAS": False}
WAYS = "pyphi", "phicache", "distances"
ROW = "{:32} {:>9} {:>8} {:>7} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9}  {}"


class Failed(Exception):
    pass


class Compared(NamedTuple):
    """A workload that is equal in all ways: how much was compared, and the seconds of each way."""
    name: str
    numbers: int
    caches: int
    pyphi: float
    phicache: float
    distances: Optional[float]
    computed: Optional[list]  # hits, misses and size of the cache of distances


def run(arguments, name, way):
    """What a workload printed, in a new folder: PyPhi reads its settings there, and leaves a log."""
    settings = {**ALWAYS, **WORKLOADS[name][0]}
    with tempfile.TemporaryDirectory(prefix="phicache-truth-") as folder:
        if not settings.get("REDIS_CACHE"):
            return run_in(folder, arguments, name, way, settings)
        with redis_server.started(arguments.redis_server, folder) as port:
            settings["REDIS_CONFIG"] = {"host": "127.0.0.1", "port": port, "db": 0, "test_db": 1}
            return run_in(folder, arguments, name, way, settings)


def run_in(folder, arguments, name, way, settings):
    (Path(folder) / "pyphi_config.yml").write_text(json.dumps(settings))  # JSON is YAML
    ended = subprocess.run(
        [arguments.python, "-B", HERE / "run.py", name, way], cwd=folder, stdin=subprocess.DEVNULL,
        capture_output=True, text=True,
        env={**os.environ, "PHICACHE_LIBRARY": arguments.library, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"})
    if ended.returncode != 0:
        raise Failed(f"{way} failed:\n{ended.stderr.strip()}")
    return json.loads(ended.stdout.splitlines()[-1])


def differences(expected, found):
    """Where two results differ, as text."""
    if expected["result"] != found["result"]:
        yield f"results differ: {first_difference(expected['result'], found['result'])}"
    names = [[counts[0] for counts in result["counts"]] for result in (expected, found)]
    if names[0] != names[1]:
        yield f"other caches were made: {first_difference(*names)}"
        return
    for (name, *ours), (_, *theirs) in zip(expected["counts"], found["counts"]):
        if ours != theirs:
            yield f"{name}: PyPhi counts (hits, misses, size) {ours}, phicache {theirs}"


def first_difference(expected, found):
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for one, other in zip(expected, found):
            if one != other:
                return first_difference(one, other)
    return f"{expected} and {found}"


def numbers(result):
    """The floating-point numbers in a result, in their order."""
    if isinstance(result, list):
        for item in result:
            yield from numbers(item)
    elif isinstance(result, str) and "0x" in result:
        yield float.fromhex(result)


def sums(counts):
    """The sums of hits, misses and sizes. All caches in Redis report those of the server, which are taken once."""
    own = [numbers for name, *numbers in counts if not name.startswith("Redis")]
    servers = [numbers for name, *numbers in counts if name.startswith("Redis")]
    return map(sum, zip(*own, *servers[:1]))


def compare(arguments, name):
    """Runs a workload in all ways and prints its row; returns what was compared, or None if it differs."""
    ways = WAYS if "MEASURE" not in WORKLOADS[name][0] else WAYS[:2]
    try:
        results = {way: run(arguments, name, way) for way in ways}
    except Failed as failure:
        print(f"{name:32} FAILED: {failure}", flush=True)
        return None
    expected = results["pyphi"]
    found = [f"{way}: {text}" for way in ways[1:] for text in differences(expected, results[way])]
    values, counts = list(numbers(expected["result"])), expected["counts"]
    seconds = [results[way]["seconds"] if way in results else None for way in WAYS]
    print(ROW.format(name, f"{values[0]:.6f}" if values else "", len(values), len(counts), *sums(counts),
                     *("" if time is None else f"{time:.2f} s" for time in seconds), "FAILED" if found else "equal"),
          flush=True)
    for text in found:
        print(f"    {text}", flush=True)
    return None if found else Compared(name, len(values), len(counts), *seconds,
                                       results.get("distances", {}).get("distances"))


def conclude(workloads, equal):
    """Prints in two sentences what was seen."""
    numbers, caches = sum(row.numbers for row in equal), sum(row.caches for row in equal)
    print(f"\n{len(equal)} of {workloads} workloads are equal: {numbers:,} numbers to the last bit, and hits, misses "
          f"and size of {caches:,} caches.")
    gains = [(row.pyphi / row.distances, row) for row in equal if row.distances and row.pyphi > 1]
    if gains:
        times, row = max(gains)
        hits, misses, _ = row.computed
        print(f"A cache of the distances makes PyPhi up to {times:.1f} times faster ({row.name}: of {hits + misses:,} "
              f"distances {misses:,} are computed).")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", type=os.path.abspath)  # the runs have other folders
    parser.add_argument("library", type=os.path.abspath)
    parser.add_argument("--redis-server")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD")
    arguments = parser.parse_intermixed_args()
    names = arguments.workloads or (SHORT if arguments.short else WORKLOADS)
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}. The workloads are: {'; '.join(WORKLOADS)}")
    print(ROW.format("workload", "first φ", "numbers", "caches", "hits", "misses", "size", "PyPhi", "phicache",
                     "distances", "").rstrip())
    compared = []
    for name in names:
        if WORKLOADS[name][0].get("REDIS_CACHE") and not arguments.redis_server:
            print(f"{name:32} SKIPPED: there is no redis-server")
        else:
            compared.append(compare(arguments, name))
    conclude(len(compared), [row for row in compared if row])
    sys.exit(None in compared)


if __name__ == "__main__":
    main()
