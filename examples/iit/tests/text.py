"""The text report; and the progress bar, which appears only on a terminal and only for long work.

usage: text.py PROGRAM NETWORK.json
"""

import json
import os
import pty
import random
import subprocess
import sys
import tempfile

from program import Checks


def long_network():
    """Seven noisy nodes, all connected: far more than a second of work."""
    rng = random.Random(7)
    return {"state": [0] * 7, "tpm": [[rng.random() for _ in range(7)] for _ in range(2**7)]}


def run_on_terminal(arguments):
    """The standard error of the program on a terminal, until it ends or has drawn a bar."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    seen = b""
    try:
        while not (b"#" in seen and b" of " in seen) and (block := os.read(ours, 65536)):
            seen += block
    except OSError:  # nothing more to read; Linux says EIO when the other end is closed
        pass
    process.kill()
    process.wait()
    os.close(ours)
    return seen


def main():
    program, network = sys.argv[1:]
    check = Checks()

    done = subprocess.run([program, network], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text = done.stdout.decode()
    check(done.returncode == 0 and not done.stderr, "exit status", done.returncode, done.stderr)
    with open(network) as file:
        phi = json.load(file)["phi"]
    for words in (f"phi = {phi}", "no caches", "dict, reuse parent", "dict, reuse cuts", "repertoires", "single_nodes", "mice",
                  "purviews", "distances", "small-phi searches", "largest difference of any phi between these runs: 0.0\n"):
        check(words in text, "missing from the report:", words)

    # Short work takes less than a second, as this does unless the machine is very busy.
    check(any(run_on_terminal([program, network]) == b"" for _ in range(30)), "a bar on short work")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "long.json")
        with open(path, "w") as file:
            json.dump(long_network(), file)
        arguments = [program, path, "--cache", "none"]
        bar = run_on_terminal(arguments)
        check(b"#" in bar and b" of " in bar, "no bar on long work", bar[:200])
        with open(os.path.join(folder, "stderr"), "w+b") as quiet:
            process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=quiet)
            try:
                process.wait(timeout=3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            quiet.seek(0)
            check(quiet.read() == b"", "a bar in a file")
    check.finish()


main()
