"""Runs the program under test, for the other test scripts in this folder."""

import json
import os
import subprocess
import tempfile

MODES = {
    "none": ["--cache", "none"],
    "parent without distances": ["--cache", "dict", "--reuse", "parent", "--no-distances"],
    "parent": ["--cache", "dict", "--reuse", "parent"],
    "cuts": ["--cache", "dict", "--reuse", "cuts"],
    "disk": ["--cache", "disk"],  # in a new directory
}
CACHES = {"repertoires", "single_nodes", "mice", "purviews", "distances"}


def analyse(program, network, mode, *options):
    """The program's JSON report on a network file, cached as `mode` says."""
    with tempfile.TemporaryDirectory(prefix="phicache-iit-") as directory:
        done = subprocess.run([program, network, "--json", *MODES[mode], *options], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env={**os.environ, "PHICACHE_DISK_DIRECTORY": directory})
    if done.returncode != 0 or done.stderr:
        raise SystemExit(f"{network}, {mode}: exit status {done.returncode}: {done.stderr.decode()}")
    return json.loads(done.stdout)


class Checks:
    """Counts checks, prints failures, and exits with the outcome."""

    def __init__(self):
        self.done = 0
        self.wrong = 0

    def __call__(self, right, *what):
        self.done += 1
        if not right:
            self.wrong += 1
            print("WRONG:", *what)

    def finish(self):
        print(f"{self.done} checks, {self.wrong} wrong")
        raise SystemExit(1 if self.wrong or not self.done else 0)
