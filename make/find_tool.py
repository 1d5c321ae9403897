#!/usr/bin/env python3
"""Prints the path of a program that the build or the tests need, and fetches it where there is none.

    find_tool.py cmake|pkg-config|redis-server|openssl BUILD

Taken in this order: one on the PATH, new enough; one that an earlier call put into BUILD; Debian's package, by
apt-get, which needs root; PyPI's package, where there is one, by pip, into BUILD. Where none can be had, one message says
what to do, and the exit status is 1.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple


class Program(NamedTuple):
    debian: str  # Debian's package
    oldest: tuple  # the oldest version that will do
    pypi: str = None  # PyPI's package
    inside: str = None  # where that keeps the program
    other_name: str = None  # what Debian's package calls the program
    asks: str = "--version"  # what makes it tell its version


PROGRAMS = {
    "cmake": Program("cmake", (3, 21), "cmake", "cmake/data/bin/cmake"),
    "pkg-config": Program("pkg-config", (0, 29), "pkgconf", "pkgconf/.bin/pkgconf"),
    # The package redis-server is a link to this program, and a service that starts at once, which nobody asked for.
    "redis-server": Program("redis-tools", (7, 0), other_name="redis-check-rdb"),
    "openssl": Program("openssl", (1, 1), asks="version"),
}


def say(text):
    print(text, file=sys.stderr, flush=True)


def new_enough(path, program):
    """Whether the program at `path` starts, and is new enough."""
    try:
        run = subprocess.run([path, program.asks], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except OSError:
        return False
    version = re.search(r"(\d+)\.(\d+)", run.stdout)
    return run.returncode == 0 and version is not None and tuple(map(int, version.groups())) >= program.oldest


def succeeds(*command):
    """Whether `command` succeeds; of one that fails, the last thing it said is shown."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    try:
        run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, errors="replace", env=environment)
    except OSError as failure:
        say(f"{command[0]}: {failure.strerror}")
        return False
    if run.returncode != 0:
        lines = run.stdout.strip().splitlines()
        say(f"It failed: {lines[-1] if lines else 'without a word'}")
    return run.returncode == 0


def by_apt(package):
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    say(f"Installing Debian's package {package} with apt-get.")
    # A new machine has no package lists; one that has them may be off the network, and need no newer ones.
    update = ["apt-get", "-o", "APT::Update::Error-Mode=any", "-o", "DPkg::Lock::Timeout=120", "update"]
    install = ["apt-get", "-y", "-o", "DPkg::Lock::Timeout=120", "install", "--no-install-recommends", package]
    known = subprocess.run(["apt-cache", "show", package], capture_output=True).returncode == 0
    return (known and succeeds(*install)) or (succeeds(*update) and succeeds(*install))


def by_pip(package, folder):
    say(f"Installing PyPI's package {package} into {folder} with pip.")
    return succeeds(sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(folder), package)


def find(name, build):
    program = PROGRAMS[name]

    def on_path():
        found = shutil.which(name)
        return found if found and new_enough(found, program) else None

    folder = build / "tools" / (program.pypi or name)
    fetched = folder / (program.inside or name)
    if on_path():
        return on_path()
    if new_enough(fetched, program):
        return fetched
    say(f"{name} {'.'.join(map(str, program.oldest))} or newer is not on the PATH.")
    if by_apt(program.debian):
        if program.other_name and shutil.which(program.other_name):
            link(fetched, shutil.which(program.other_name))
        if on_path():
            return on_path()
        if new_enough(fetched, program):
            return fetched
    if program.pypi and by_pip(program.pypi, folder) and new_enough(fetched, program):
        return fetched
    say(f"{name} is missing, and could not be fetched. Install it (as root: apt-get install {program.debian}"
        + (f"; or: python3 -m pip install {program.pypi}" if program.pypi else "") + "), and run make again.")
    return None


def link(path, target):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in PROGRAMS:
        sys.exit(__doc__)
    found = find(sys.argv[1], Path(sys.argv[2]).resolve())
    if found is None:
        sys.exit(1)
    print(found)


if __name__ == "__main__":
    main()
