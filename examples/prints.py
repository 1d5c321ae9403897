"""Runs an example, and compares what it prints with what its first comment says that it prints.

usage: prints.py SOURCE COMMAND...

The comment has a line "It prints", and below it the output, indented by four columns. Exit status: 0 if the example
succeeds and prints that; 77 if it says that it was skipped; else 1.
"""

import re
import subprocess
import sys
from pathlib import Path


def announced(source):
    """The output that the comment shows."""
    shown = None
    for line in Path(source).read_text(encoding="utf-8").splitlines():
        text = re.fullmatch(r"(?:/\*| \*|//|#)(?:!.*| (.*))?", line)
        if shown is None:
            shown = [] if text and text[1] == "It prints" else None
        elif text and (text[1] or "").startswith("    "):
            shown.append(text[1][4:])
        elif shown or not text:
            break
    if not shown:
        sys.exit(f"{source} does not say in its first comment what it prints.")
    return shown


def main():
    source, command = sys.argv[1], sys.argv[2:]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if run.returncode == 77:
        print(run.stdout, end="")
    elif run.returncode != 0:
        print(run.stdout, end="")
        sys.exit(f"The exit status is {run.returncode}.")
    elif run.stdout.splitlines() != announced(source):
        sys.exit("\n".join([f"{source} says that it prints", *announced(source), "", "It prints", run.stdout]))
    sys.exit(run.returncode)


main()
