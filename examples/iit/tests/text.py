"""The text report; and the progress bar, which appears only on a terminal and only for long work.

usage: text.py PROGRAM SHORT_NETWORK.json LONG_NETWORK.json
"""

import json
import os
import pty
import re
import subprocess
import sys
import tempfile

from program import Checks


BAR = re.compile(rb"\[#*\.*\] cut \d+ of \d+, run 1 of 5; [0-9.]+ \w+, [0-9.,]+ \w+ left")
MODES = ("no caches", "PyPhi's caches", "+ memo of distances", "+ cut-scoped keys", "+ 2 threads")


def run_on_terminal(arguments):
    """The standard error of the program on a terminal, until it ends or has drawn a bar that counts cuts."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    seen = b""
    try:
        while not BAR.search(seen) and (block := os.read(ours, 65536)):
            seen += block
    except OSError:  # nothing more to read; Linux says EIO when the other end is closed
        pass
    process.kill()
    process.wait()
    os.close(ours)
    return seen


def main():
    program, network, long_network = sys.argv[1:]
    os.environ.pop("PHICACHE_REDIS_URL", None)  # it would add rows
    check = Checks()

    done = subprocess.run([program, network], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text = done.stdout.decode()
    check(done.returncode == 0 and not done.stderr, "exit status", done.returncode, done.stderr)
    with open(network) as file:
        phi = json.load(file)["phi"]
    for words in (f"phi = {phi}", "earth mover's distance", "Every phi is the same in all runs.", "Run next", *MODES):
        check(words in text, "missing from the report:", words)
    rows = [line for line in text.splitlines() if line.strip().startswith(MODES)]
    check([row.strip().split("  ")[0] for row in rows] == list(MODES), "rows", rows)
    for row in rows[1:]:
        check(re.search(r"\d times (faster|slower)|as fast", row), "no speed in words:", row)
    for term in "mechanism", "purview", "repertoire", "distance", "small phi", "search", "concept", "cut", "phi":
        check(re.search(f"^  {term}  +\\w", text, re.MULTILINE), "not explained:", term)

    single = subprocess.run([program, network, "--cache", "dict", "--measure", "l1"], stdout=subprocess.PIPE,
                            text=True).stdout
    for words in "dict, reuse cuts", "single_nodes", "small_phi", "mice", "purviews", "distances", \
            "absolute differences":
        check(words in single, "missing from the report of one run:", words)

    # Short work takes less than a second, as this does unless the machine is very busy.
    check(any(run_on_terminal([program, network]) == b"" for _ in range(30)), "a bar on short work")
    seen = run_on_terminal([program, long_network])
    check(BAR.search(seen), "no bar on long work", seen[-200:])
    with tempfile.TemporaryFile() as quiet:
        process = subprocess.Popen([program, long_network], stdout=subprocess.DEVNULL, stderr=quiet)
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        quiet.seek(0)
        check(quiet.read() == b"", "a bar in a file")
    check.finish()


main()
