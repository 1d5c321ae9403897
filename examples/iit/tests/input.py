"""Bad input and bad command lines: one line on standard error, exit status 2, nothing on standard output.

usage: input.py PROGRAM
"""

import json
import os
import subprocess
import sys
import tempfile

from program import Checks

GOOD = {"state": [0, 1], "cm": [[0, 1], [1, 0]], "tpm": [[0, 0], [1, 0], [0, 1], [1, 1]]}


README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "README.md")


def network_of_the_readme():
    with open(README, encoding="utf-8") as file:
        return file.read().split("```json\n")[1].split("```")[0]


def with_changes(**changes):
    return json.dumps({key: value for key, value in {**GOOD, **changes}.items() if value is not None})


BAD_NETWORKS = {
    "empty file": "",
    "not JSON": "tpm: 1",
    "text after the value": json.dumps(GOOD) + "x",
    "cut off": json.dumps(GOOD)[:-5],
    "trailing comma": '{"state": [0,], "tpm": [[0], [1]]}',
    "a number with a leading zero": '{"state": [0], "tpm": [[00], [1]]}',
    "a number without digits after its point": '{"state": [0], "tpm": [[0.], [1]]}',
    "an unknown escape": '{"state": [0], "tpm": [[0], [1]], "name": "\\q"}',
    "half a surrogate pair": '{"state": [0], "tpm": [[0], [1]], "name": "\\ud800"}',
    "a line break in a string": '{"state": [0], "tpm": [[0], [1]], "name": "\n"}',
    "a zero byte": '{"state": [0], "tpm": [[0], [1]]}\0',
    "100,000 brackets": "[" * 100_000,
    "NaN": '{"state": [0], "tpm": [[NaN], [1]]}',
    "infinity": '{"state": [0], "tpm": [[1e999], [1]]}',
    "a list instead of an object": "[]",
    "no state": with_changes(state=None),
    "no tpm": with_changes(tpm=None),
    "no nodes": with_changes(state=[], tpm=[[]], cm=[]),
    "state is a number": with_changes(state=2),
    "state of 2": with_changes(state=[0, 2]),
    "state of true": with_changes(state=[0, True]),
    "too few rows": with_changes(tpm=GOOD["tpm"][:3]),
    "a row too short": with_changes(tpm=[[0, 0], [1], [0, 1], [1, 1]]),
    "a row that is no list": with_changes(tpm=[0, 1, 0, 1]),
    "a probability above 1": with_changes(tpm=[[0, 0], [1, 1.0000001], [0, 1], [1, 1]]),
    "a probability below 0": with_changes(tpm=[[0, 0], [1, -1e-9], [0, 1], [1, 1]]),
    "a probability in quotes": with_changes(tpm=[[0, 0], [1, "1"], [0, 1], [1, 1]]),
    "a probability of null": with_changes(tpm=[[0, 0], [1, None], [0, 1], [1, 1]]),
    "cm is no list": with_changes(cm=1),
    "cm with a row missing": with_changes(cm=[[0, 1]]),
    "cm with a row too long": with_changes(cm=[[0, 1, 0], [1, 0]]),
    "cm of 0.5": with_changes(cm=[[0, 0.5], [1, 0]]),
    "size differs": with_changes(size=3),
    "nodes are a part of the network": with_changes(nodes=[0]),
    "65 nodes": with_changes(state=[0] * 65, cm=[[0] * 65] * 65),
    "64 nodes": with_changes(state=[0] * 64, cm=None, tpm=[]),
    "30 nodes": with_changes(state=[0] * 30, cm=None),
}
# What the message must say.
BLAMED = {
    'the member "CM" is unknown; did you mean "cm"?': with_changes(cm=None, CM=GOOD["cm"]),
    'the member "connectivity_matrix" is unknown; did you mean "cm"?': with_changes(cm=None, connectivity_matrix=[]),
    'the member "Tpm" is unknown; did you mean "tpm"?': with_changes(tpm=None, Tpm=GOOD["tpm"]),
    'the member "states" is unknown; did you mean "state"?': with_changes(state=None, states=[0, 1]),
    "tpm is state by state, 4 rows of 4 numbers; expected state by node, 4 rows of 2":
        with_changes(tpm=[[0.25] * 4] * 4),
    "tpm is state by state, 2 rows of 2 numbers": '{"state": [0], "tpm": [[0, 1], [1, 0]]}',
    "NaN is not a number": '{"state": [0], "tpm": [[NaN], [1]]}',
    "-Infinity is not a number": '{"state": [0], "tpm": [[-Infinity], [1]]}',
    '"tpm" occurs twice': '{"state": [0], "tpm": [[0], [1]], "tpm": [[1], [0]]}',
    "state has 3 elements, but tpm is that of 2 nodes": with_changes(state=[0, 1, 0], cm=None),
    "state has 1 elements, but tpm is that of 2 nodes": with_changes(state=[0], cm=None),
    "1,073,741,822 cuts": with_changes(state=[0] * 30, cm=None, tpm=[]),
    "--force": json.dumps({"state": [0] * 11, "tpm": [[0.5 + row / 5000] * 11 for row in range(2**11)]}),
}
# What is allowed, but warned of.
WARNED = {
    "warning: no state leads to the current state": with_changes(tpm=[[0, 0], [1, 0], [0, 0], [1, 0]]),
    "warning: cm has no connection": with_changes(cm=[[0, 0], [0, 0]]),
}
GOOD_NETWORKS = {
    "as it is": json.dumps(GOOD),
    "the one in README.md": network_of_the_readme(),
    "without cm": with_changes(cm=None),
    "without cm, and with other members": with_changes(cm=None, com=1, mc=2, c=3),
    "with members that nearly have the names of others": with_changes(CM=1, State=2, tpms=3),
    "with unknown members": with_changes(weather={"wind": [1, {"deep": None}], "text": "\\u00e9\\ud83d\\ude00\n"}),
    "with space around everything": " " + json.dumps(GOOD, indent=7).replace("\n", "\r\n\t") + "\n\n",
    "with other spellings of numbers": '{"state": [0], "tpm": [[-0], [1.0E-0]], "x": [-1.5e+3, 0.25]}',
}
BAD_COMMAND_LINES = [
    [],
    ["NETWORK", "NETWORK"],
    ["NETWORK", "--cahe", "dict"],
    ["NETWORK", "--cache"],
    ["NETWORK", "--cache", "memory"],
    ["NETWORK", "--reuse", "all"],
    ["NETWORK", "--measure", "l2"],
    ["NETWORK", "--threads", "0"],
    ["NETWORK", "--threads", "257"],
    ["NETWORK", "--threads", "2x"],
    ["NETWORK", "--threads"],
    ["NETWORK", "--json", "--redis-url", "redis://localhost"],
    ["NETWORK", "--cache", "redis", "--redis-url", "http://localhost"],
    ["NETWORK", "--cache", "redis", "--redis-url"],
    ["NETWORK", "--cache", "dict", "--redis-url", "redis://localhost"],
    ["/no/such/network.json"],
    ["/"],
]


def main():
    program = sys.argv[1]
    check = Checks()

    def run(arguments):
        return subprocess.run([program] + arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600)

    def refuses(what, arguments):
        done = run(arguments)
        lines = done.stderr.decode().splitlines()
        check(done.returncode == 2 and len(lines) == 1 and lines[0].startswith("iit: ") and not done.stdout,
              what, done.returncode, lines, done.stdout[:100])

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "network.json")

        def write(text):
            with open(path, "w", newline="") as file:
                file.write(text)

        for what, text in BAD_NETWORKS.items():
            write(text)
            refuses(what, [path])
            refuses(what, [path, "--json"])
        for what, text in GOOD_NETWORKS.items():
            write(text)
            done = run([path, "--json"])
            check(done.returncode == 0 and not done.stderr and json.loads(done.stdout), what, done)
        for words, text in BLAMED.items():
            write(text)
            refuses(words, [path])
            check(words in run([path]).stderr.decode(), words, "is not what the message says:", run([path]).stderr)
        for words, text in WARNED.items():
            write(text)
            done = run([path])
            check(done.returncode == 0 and words in done.stdout.decode(), "no", words, done)
        write(json.dumps(GOOD))
        check("warning" not in run([path]).stdout.decode(), "a warning without a reason")
        for arguments in BAD_COMMAND_LINES:
            refuses(arguments, [path if argument == "NETWORK" else argument for argument in arguments])
        help_text = run(["--help"])
        check(help_text.returncode == 0 and b"usage" in help_text.stdout, "--help", help_text)
        with open("/dev/full", "w") as full:
            done = subprocess.run([program, path], stdout=full, stderr=subprocess.PIPE)
        check(done.returncode == 1 and done.stderr, "a full disk", done)
    check.finish()


main()
