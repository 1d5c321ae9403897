#!/usr/bin/env python3
"""The programs of the README, for its tests.

usage: readme.py names README                         prints the names of all programs, such as limit.cpp, one a line
       readme.py write README NAME OUTPUT             writes a program into a file
       readme.py run README NAME PROGRAM [--served]   runs it as the README says, and compares what it prints

A program is a block of C or C++ with a `main`. The block of the kind `console` after it shows how it is run and what it
prints, once or several times; its name is that of the command `./name` there. Other commands, which build the program
or start a server, are not run; with --served a server runs already.

Exit status of run: 0; 1 if something else is printed; 77 if there is no Redis server.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

WITH_REDIS = Path(__file__).resolve().parent.parent / "c-tests/with_redis.py"


def programs(readme):
    """{name: (program, [(command, lines that it prints)])}"""
    found, program, language = {}, None, None
    text = Path(readme).read_text(encoding="utf-8")
    for kind, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S):
        if kind in ("c", "cpp") and "int main(" in block:
            if program:
                sys.exit(f"{readme}: no block says what this program prints:\n{program}")
            program, language = block, kind
        elif kind == "console" and program:
            session = [(lines[0], lines[1:]) for lines in
                       (part.splitlines() for part in re.split(r"^\$ ", block, flags=re.M)[1:])]
            runs = [(command, lines) for command, lines in session if command.startswith("./")]
            found[f"{runs[0][0].split()[0][2:]}.{language}"] = (program, runs, session)
            program = None
    if program or not found:
        sys.exit(f"{readme}: no block says what its last program prints")
    return found


def run(readme, name, program, served):
    _, runs, session = programs(readme)[name]
    if not served and any("redis-server" in command for command, _ in session):
        command = [sys.executable, "-B", WITH_REDIS, "--", sys.executable, "-B", *sys.argv, "--served"]
        sys.exit(subprocess.run(command).returncode)
    with tempfile.TemporaryDirectory(prefix="phicache-readme-") as folder:
        environment = {**os.environ, "PHICACHE_DISK_DIRECTORY": folder}
        for command, expected in runs:
            done = subprocess.run([program, *command.split()[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  text=True, env=environment)
            if done.returncode != 0 or done.stdout.splitlines() != expected:
                sys.exit("\n".join([f"{readme} says that {command} prints", *expected, "",
                                    f"It prints, with exit status {done.returncode},", done.stdout]))


def main():
    if sys.argv[1:2] == ["names"] and len(sys.argv) == 3:
        print("\n".join(programs(sys.argv[2])))
    elif sys.argv[1:2] == ["write"] and len(sys.argv) == 5:
        Path(sys.argv[4]).write_text(programs(sys.argv[2])[sys.argv[3]][0], encoding="utf-8")
    elif sys.argv[1:2] == ["run"] and len(sys.argv) in (5, 6):
        run(*sys.argv[2:5], served=sys.argv[5:] == ["--served"])
    else:
        sys.exit(__doc__)


main()
