#!/usr/bin/env python3
"""Two processes share results in Redis while the server fails in many ways, at random times.

usage: soak.py WORKER [--seconds N] [--seed N]

WORKER is soak_worker, which checks every value and the time of every operation; see worker.cpp. Half of its threads
connect to the server directly, half through tests/redis/fault_proxy.py. The server is the program in
PHICACHE_REDIS_SERVER, or redis-server, or valkey-server; without one the exit status is 77. The printed seed repeats
the same faults at the same times. Exit status: 0 if all values were right, no operation took too long, no worker died,
and none leaked files or memory.
"""

import argparse
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROXY = HERE.parent.parent / "tests/redis/fault_proxy.py"

TIMEOUT_MS = 300
# How long a busy machine may not run a thread that is ready.
MARGIN_MS = 500
# The files that a worker may have open: 3 standard streams, the directory that it lists, and connections.
FILES = 40
# How much it may grow from the second third of its time to the last, in MB, because of the allocator.
GROWTH_MB = 48


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A Redis server on a port and a unix socket, with its own folder."""

    def __init__(self, program, folder):
        folder.mkdir()
        self.program, self.folder, self.port = program, folder, free_port()
        self.socket = folder / "socket"
        self.start()

    def start(self):
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(
                [self.program, "--bind", "127.0.0.1", "--port", str(self.port), "--unixsocket", str(self.socket),
                 "--save", "", "--appendonly", "no", "--dir", str(self.folder), "--repl-diskless-sync-delay", "0"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(12000):
            if self.process.poll() is not None:
                break
            try:
                if self.ask("PING") == b"+PONG\r\n":
                    return
            except OSError:
                pass
            time.sleep(0.01)
        sys.exit(f"{self.program} does not start: {(self.folder / 'log').read_text()}")

    def ask(self, *words):
        """The reply of the server, up to 64 KB."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.socket))
            words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
            parts = [b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)]
            connection.sendall(b"".join(parts))
            return connection.recv(1 << 16)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Worker:
    """A process that uses the server; its statistics are read continuously."""

    def __init__(self, program, seed, urls):
        self.process = subprocess.Popen(
            [program, "--seed", str(seed), "--timeout", str(TIMEOUT_MS), "--margin", str(MARGIN_MS), *urls],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.figures, self.wrong, self.slowest = [], [], {}
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            if line.startswith("files "):
                words = line.split()
                self.figures.append(dict(zip(words[::2], map(int, words[1::2]))))
            elif found := re.match(r"slowest (.*): (\d+) ms$", line):
                self.slowest[found[1]] = int(found[2])
            else:
                self.wrong.append(line.strip())

    def end(self):
        """What was wrong with it."""
        self.process.stdin.close()
        try:
            status = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = "that it had to be killed: it did not end"
        self.reader.join()
        wrong = list(self.wrong)
        if status != 0:
            wrong.append(f"its exit status is {status}")
        if not self.figures:
            return wrong + ["it printed no statistics"]
        files = max(figures["files"] for figures in self.figures)
        if files > FILES:
            wrong.append(f"it had {files} files open; expected at most {FILES}")
        settled, last = self.resident_mb()
        if len(self.figures) >= 30 and last > settled + GROWTH_MB:
            wrong.append(f"it grew from {settled:.0f} to {last:.0f} MB")
        for name in "found", "computed", "failed":
            if self.figures[-1][name] == 0:
                wrong.append(f"it has {name} nothing, so it tested nothing")
        return wrong

    def resident_mb(self):
        """Its maximum memory in the second third of its time and in the last."""
        third = (len(self.figures) + 2) // 3
        return [max(figures["resident"] for figures in part) / 1024
                for part in (self.figures[third:-third] or self.figures, self.figures[-third:])]

    def summary(self):
        last, (settled, end) = self.figures[-1], self.resident_mb()
        slowest = ", ".join(f"{what} {ms}" for what, ms in sorted(self.slowest.items()))
        return (f"{last['operations']} operations, {last['found']} values checked, {last['computed']} computed, "
                f"{last['failed']} failed, {last['damaged']} damaged records; at most "
                f"{max(figures['files'] for figures in self.figures)} files, {settled:.0f}, then {end:.0f} MB; "
                f"slowest, ms: {slowest}")


class Faults:
    """What can happen. Each takes its time and leaves everything well."""

    def __init__(self, server, other, proxy, chance):
        self.server, self.other, self.proxy, self.chance = server, other, proxy, chance
        self.all = [self.killed, self.frozen, self.full, self.replica, self.emptied, self.disconnected, self.damaged,
                    self.exchanged, *[self.spoiled] * 4]

    def some_time(self, longest):
        time.sleep(self.chance.uniform(0.05, longest))

    def killed(self):
        self.server.kill()
        self.some_time(1.5)
        self.server.start()

    def frozen(self):
        self.server.process.send_signal(signal.SIGSTOP)
        self.some_time(1.5)
        self.server.process.send_signal(signal.SIGCONT)

    def full(self):
        self.server.ask("CONFIG", "SET", "maxmemory", 1)
        self.some_time(1)
        self.server.ask("CONFIG", "SET", "maxmemory", 0)

    def replica(self):
        """It loses all it had, and refuses to store."""
        self.server.ask("REPLICAOF", "127.0.0.1", self.other.port)
        self.some_time(1.5)
        self.server.ask("REPLICAOF", "NO", "ONE")

    def emptied(self):
        self.server.ask("FLUSHALL")

    def disconnected(self):
        self.server.ask("CLIENT", "KILL", "TYPE", "normal")

    def keys_of_mice(self):
        answer = self.server.ask("SCAN", 0, "MATCH", "soak:{*", "COUNT", 200)
        return re.findall(rb"\r\n(soak:\{[^\r]*)\r\n", answer)

    def damaged(self):
        for key in self.keys_of_mice():
            record = self.chance.choice([b"", b"garbage", self.chance.randbytes(200)])
            self.server.ask("SET", key, record, "PX", 3000)

    def exchanged(self):
        """Records that stand under each other's keys."""
        keys = self.keys_of_mice()
        for one, other in zip(keys, keys[1:]):
            self.server.ask("COPY", one, other, "REPLACE")

    def spoiled(self):
        self.proxy.set(self.chance.choice(
            [f"garbage {self.chance.randrange(1000)}", f"cut {self.chance.randrange(300)}", "trickle 1", "trickle 30",
             f"delay {self.chance.randrange(500)}", "silent", r"tail +OK\r\n", r"tail $5\r\nwrong\r\n", "refuse",
             "drop", f"random {self.chance.randrange(1000)}"]))
        self.some_time(2)
        self.proxy.set("pass")


class Proxy:
    """tests/redis/fault_proxy.py, before a server."""

    def __init__(self, server):
        self.process = subprocess.Popen([sys.executable, "-B", PROXY, server.socket], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port = int(self.process.stdout.readline().split()[1])

    def set(self, mode):
        self.process.stdin.write(mode + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n"


def program():
    names = [os.environ.get("PHICACHE_REDIS_SERVER"), "redis-server", "valkey-server"]
    return next(filter(None, map(shutil.which, filter(None, names))), None)


def soak(worker, folder, seconds, seed):
    """What was wrong."""
    chance = random.Random(seed)
    server, other = Server(program(), folder / "server"), Server(program(), folder / "other")
    proxy, workers = Proxy(server), []
    try:
        urls = [f"unix://{server.socket}", f"redis://127.0.0.1:{proxy.port}"]
        workers = [Worker(worker, seed + number, urls) for number in range(2)]
        faults = Faults(server, other, proxy, chance)
        happened = {}
        end = time.monotonic() + seconds
        while time.monotonic() < end and all(worker.process.poll() is None for worker in workers):
            time.sleep(chance.uniform(0, 1.5))
            fault = chance.choice(faults.all)
            happened[fault.__name__] = happened.get(fault.__name__, 0) + 1
            fault()
        print("happened:", ", ".join(f"{name} {count}" for name, count in sorted(happened.items())))
        died = [f"worker {number} died" for number, worker in enumerate(workers) if worker.process.poll() is not None]
        wrong = died + [f"worker {number}: {what}" for number, worker in enumerate(workers) for what in worker.end()]
        for number, worker in enumerate(workers):
            if worker.figures:
                print(f"worker {number}: {worker.summary()}")
        return wrong
    finally:
        for process in [*(worker.process for worker in workers), proxy.process, server.process, other.process]:
            if process.poll() is None:
                process.kill()
            process.wait()


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("worker")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
    if program() is None:
        print("SKIPPED: there is no redis-server. To have it: apt-get install redis-server")
        return 77
    print(f"soak.py --seconds {arguments.seconds:g} --seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="phicache-soak-") as folder:
        wrong = soak(arguments.worker, Path(folder), arguments.seconds, arguments.seed)
    for what in wrong:
        print(f"WRONG: {what}")
    return 1 if wrong else 0


sys.exit(main())
