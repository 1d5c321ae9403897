"""Python's caches on disk, on the work of benches/disk: peers.py ENGINE FOLDER ENTRIES VALUE

Prints the line of JSON that phicache-disk-bench prints. Each phase runs in a process of its own.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path


class DiskCache:
    def __init__(self, folder):
        import diskcache
        self.cache = diskcache.Cache(folder, size_limit=1 << 40)

    def put(self, key, value):
        self.cache[key] = value

    def get(self, key):
        return self.cache.get(key)


class Joblib:
    """joblib memoizes functions: a put is the first call, a get the second."""
    def __init__(self, folder):
        import joblib
        # The processes of this script name the function differently.
        warnings.simplefilter("ignore", joblib.memory.JobLibCollisionWarning)
        self.memory = joblib.Memory(folder, verbose=0)
        self.function = self.memory.cache(compute)

    def put(self, key, value):
        self.function(key, len(value))

    def get(self, key):
        return self.function(key, LENGTH)


def compute(key, length):
    """What joblib memoizes."""
    return key[8:] + bytes(length - 8)


LENGTH = 8
ENGINES = {"diskcache": DiskCache, "joblib": Joblib}


def key(number):
    return (number * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8, "little") + number.to_bytes(8, "little")


def work(what, engine, folder, start, count):
    began = time.perf_counter()
    store = ENGINES[engine](folder)
    if what == "put":
        print("open", flush=True)
        sys.stdin.readline()
        began = time.perf_counter()
        for number in range(start, start + count):
            store.put(key(number), compute(key(number), LENGTH))
        print(time.perf_counter() - began)
    elif what == "put-on":
        number = 0
        while True:
            store.put(key(number), compute(key(number), LENGTH))
            print(number, flush=True)
            number += 1
    elif what == "first":
        assert store.get(key(start)) == compute(key(start), LENGTH)
        print(time.perf_counter() - began)
    else:
        order = list(range(count))
        random.Random(1).shuffle(order)
        for _ in range(2):
            began = time.perf_counter()
            found = sum(store.get(key(number)) == compute(key(number), LENGTH) for number in order)
            print(time.perf_counter() - began if what == "get" else found)
            assert what == "count" or found == count


def start(what, engine, folder, first, count):
    return subprocess.Popen([sys.executable, "-B", __file__, "worker", what, engine, folder, str(first), str(count),
                             str(LENGTH)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def write(engine, folder, ranges):
    writers = [start("put", engine, folder, first, count) for first, count in ranges]
    for writer in writers:
        writer.stdout.readline()
    began = time.perf_counter()
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.close()
    for writer in writers:
        writer.stdout.readline()
    seconds = time.perf_counter() - began
    for writer in writers:
        writer.wait()
    return seconds


def disk_bytes(folder):
    return sum(path.stat().st_blocks * 512 for path in Path(folder).rglob("*") if path.is_file())


def main():
    engine, folder, count = sys.argv[1], sys.argv[2], int(sys.argv[3])

    def empty():
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
    empty()
    put = write(engine, folder, [(0, count)])
    size = disk_bytes(folder) / count
    opened = float(start("first", engine, folder, count // 2, 1).communicate()[0])
    get, again = map(float, start("get", engine, folder, 0, count).communicate()[0].split())
    empty()
    two = 2 * put / write(engine, folder, [(0, count), (1 << 32, count)])
    empty()
    killed = start("put-on", engine, folder, 0, 0)
    last = [int(killed.stdout.readline()) for _ in range(count // 2)][-1]
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    # joblib computes what is missing, so it has everything.
    found = int(start("count", engine, folder, 0, last + 1).communicate()[0].split()[0])
    empty()
    each = 1e9 / count
    print(json.dumps({"engine": engine, "entries": count, "value": LENGTH, "put_ns": put * each, "get_ns": get * each,
                      "again_ns": again * each, "open_ms": opened * 1000, "bytes": size, "two": two,
                      "killed": None if engine == "joblib" else found / (last + 1)}))


if sys.argv[1] == "worker":
    LENGTH = int(sys.argv[7])
    work(*sys.argv[2:5], int(sys.argv[5]), int(sys.argv[6]))
else:
    LENGTH = int(sys.argv[4])
    main()
