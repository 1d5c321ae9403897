#!/usr/bin/env python3
"""Prints the path of a program that the build or the tests need, and fetches it where there is none.

    find_tool.py cmake|pkg-config|redis-server|openssl|doxygen|valgrind BUILD

Taken in this order: one on the PATH, new enough; one that an earlier call put into BUILD; PyPI's package, where there is
one, by pip, into BUILD; Debian's package, unpacked in BUILD (debian.py). Nothing is installed on the system. Where none can
be had, one message says what to do, and the exit status is 1.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import debian
from debian import say

TOP = Path(__file__).resolve().parent.parent


class Program(NamedTuple):
    debian: str  # Debian's package
    oldest: tuple  # the oldest version that will do
    pypi: str = None  # PyPI's package
    inside: str = None  # where that keeps the program
    other_name: str = None  # what Debian's package calls the program
    asks: str = "--version"  # what makes it tell its version


def oldest_cmake():
    """The version that CMakeLists.txt asks for."""
    text = (TOP / "CMakeLists.txt").read_text()
    return tuple(map(int, re.search(r"cmake_minimum_required\(VERSION (\d+)\.(\d+)\)", text).groups()))


PROGRAMS = {
    "cmake": Program("cmake", oldest_cmake(), "cmake", "cmake/data/bin/cmake"),
    "pkg-config": Program("pkgconf", (0, 29), "pkgconf", "pkgconf/.bin/pkgconf", other_name="pkgconf"),
    # The package redis-server is a link to this program, and a service that starts at once, which nobody asked for.
    "redis-server": Program("redis-tools", (7, 0), other_name="redis-check-rdb"),
    "openssl": Program("openssl", (1, 1), asks="version"),
    "doxygen": Program("doxygen", (1, 9)),
    "valgrind": Program("valgrind", (3, 16)),
}


def new_enough(path, program):
    """Whether the program at `path` starts, and is new enough."""
    try:
        run = subprocess.run([path, program.asks], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except OSError:
        return False
    version = re.search(r"(\d+)\.(\d+)", run.stdout)
    return run.returncode == 0 and version is not None and tuple(map(int, version.groups())) >= program.oldest


def has_pip():
    return subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode == 0


def by_pip(package, folder):
    """Puts PyPI's package into `folder`; of a pip that fails, the last thing it said is shown."""
    say(f"Fetching PyPI's package {package} into {folder} with pip (the system is left alone).")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade",
               "--target", folder, package]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         errors="replace")
    if run.returncode != 0:
        lines = run.stdout.strip().splitlines()
        say(f"It failed: {lines[-1] if lines else 'without a word'}")
    return run.returncode == 0


def by_debian(program, name, folder):
    """The path of the program in Debian's package, unpacked in `folder`, or None, having said why."""
    say(f"Unpacking Debian's package {program.debian} into {folder} (the system is left alone).")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return debian.programs([program.debian], folder, {name: program.other_name} if program.other_name else {}) / name
    except debian.Unavailable as reason:
        say(f"It failed: {reason}")
        return None


def unpacked(packages, folder):
    """Whether Debian's packages could be unpacked into `folder`, or are there from an earlier call."""
    if folder.exists():
        return True
    say(f"Unpacking Debian's packages {', '.join(packages)} into {folder} (the system is left alone).")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        debian.unpack(packages, folder)
    except debian.Unavailable as reason:
        say(f"It failed: {reason}")
        return False
    return True


def find(name, build):
    """The path of the program, or None, having said what to do."""
    program = PROGRAMS[name]
    of_pypi = build / "tools" / (program.pypi or name) / (program.inside or name)
    of_debian = build / "tools" / f"{name}.debian"
    for found in shutil.which(name), of_pypi, of_debian / "programs" / name:
        if found and new_enough(found, program):
            return Path(found)
    say(f"{name} {'.'.join(map(str, program.oldest))} or newer is not on the PATH.")
    pip = program.pypi is not None and has_pip()
    if pip and by_pip(program.pypi, build / "tools" / program.pypi) and new_enough(of_pypi, program):
        return of_pypi
    found = by_debian(program, name, of_debian)
    if found and new_enough(found, program):
        return found
    say(f"{name} is missing, and could not be fetched. Install it (on Debian, as root: apt-get install {program.debian}"
        + (f"; or: {sys.executable} -m pip install {program.pypi}" if pip else "") + "), and run make again.")
    return None


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in PROGRAMS:
        sys.exit(__doc__)
    found = find(sys.argv[1], Path(sys.argv[2]).resolve())
    if found is None:
        sys.exit(1)
    print(found)


if __name__ == "__main__":
    main()
