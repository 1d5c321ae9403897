#!/usr/bin/env python3
"""Prints the path of a Python interpreter that has PyPhi, and installs PyPhi into BUILD if necessary.

    find_pyphi.py BUILD

PyPhi 1.2.0 needs Python 3.9 to 3.11: this interpreter, or one on the PATH. The packages (tests/truth/packages.txt,
230 MB) come from PyPI; if that Python has no pip, pip comes from Debian's package (debian.py). Nothing outside BUILD
changes. If PyPhi cannot be installed, one message says why, and the exit status is 1.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import debian
from debian import say

PACKAGES = Path(__file__).resolve().parent.parent / "tests/truth/packages.txt"
VERSIONS = [(3, 11), (3, 10), (3, 9)]

WRAPPER = """\
#!/bin/sh
# Starts Python with the packages beside this file.
PYTHONPATH="$(cd "$(dirname "$0")" && pwd)/packages" exec "{python}" "$@"
"""


class Unavailable(Exception):
    """Why there is no PyPhi."""


def answer(*command, **environment):
    """What a command prints, or None if it fails."""
    try:
        run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             env={**os.environ, **environment})
    except OSError:
        return None
    return run.stdout.strip() if run.returncode == 0 else None


def interpreter():
    """A Python that PyPhi works with."""
    for name in [sys.executable, "python3", *(f"python{major}.{minor}" for major, minor in VERSIONS),
                 "/usr/bin/python3"]:
        found = answer(name, "-c", "import sys; print(*sys.version_info[:2], sys.executable)")
        if found and tuple(map(int, found.split()[:2])) in VERSIONS:
            return found.split(maxsplit=2)[2]
    raise Unavailable("PyPhi 1.2.0 needs Python 3.9, 3.10 or 3.11; put one on the PATH")


def pip(python, tools):
    """The environment in which this Python has pip."""
    if answer(python, "-m", "pip", "--version"):
        return {}
    folder = tools / "pip.debian"
    debian.fetch(["python3-pip"], folder, "to install PyPhi")
    # The second is where Debian keeps the part of the standard library that pip needs and a bare Python lacks.
    places = [folder / "usr/lib/python3/dist-packages", *folder.glob("usr/lib/python3.*")]
    environment = {"PYTHONPATH": os.pathsep.join(map(str, places))}
    if not answer(python, "-m", "pip", "--version", **environment):
        raise Unavailable(f"{python} has no pip; install it (on Debian, as root: apt-get install python3-pip)")
    return environment


def install(folder, what="PyPI's PyPhi 1.2.0", why="to compare with it (230 MB)", requirements=PACKAGES):
    """Installs packages into `folder`, which appears when it is complete."""
    python = interpreter()
    environment = pip(python, folder.parent)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    say(f"Installing {what} into {folder}, {why}.")
    run = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "--retries", "1",
         "--no-deps", "--prefer-binary", "--target", partial / "packages", "--requirement", requirements],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env={**os.environ, **environment, "PIP_ROOT_USER_ACTION": "ignore"})
    try:
        if run.returncode != 0:
            unreachable = re.search("connection broken|ConnectionError|timed out", run.stdout)
            last = (run.stdout.strip().splitlines() or ["(nothing)"])[-1]
            raise Unavailable("PyPI cannot be reached" if unreachable else f"pip said: {last}")
        (partial / "python").write_text(WRAPPER.format(python=python))
        (partial / "python").chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def works(wrapper):
    return answer(wrapper, "-c", "import numpy, scipy, pyemd") is not None


def find(build):
    """The path of the interpreter. Raises Unavailable."""
    folder = build / "tools" / "pyphi"
    wrapper = folder / "python"
    if not works(wrapper):  # it is not there, or its Python was replaced by another version
        try:
            install(folder)
        except OSError as failure:
            raise Unavailable(str(failure)) from failure
        if not works(wrapper):
            raise Unavailable(f"{wrapper} cannot import what was installed; run it to see why")
    return wrapper


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(find(Path(sys.argv[1]).resolve()))
    except Unavailable as reason:
        sys.exit(f"PyPhi is missing and could not be installed: {reason}")


if __name__ == "__main__":
    main()
