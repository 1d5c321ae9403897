#!/usr/bin/env python3
"""Prints the path of a program that the build or the tests need, and fetches the program into BUILD if there is none.

    find_tool.py cmake|pkg-config|redis-server|openssl|julia|doxygen|valgrind BUILD

It takes the first of these that starts and is new enough: the program on the PATH; one that an earlier call fetched;
PyPI's package, if PyPI has the program and pip is there, installed into BUILD; Debian's package, unpacked into BUILD
(debian.py). Nothing outside BUILD changes. If the program can be neither found nor fetched, one message says what to
install, and the exit status is 1.
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
    purpose: str  # for what it is fetched
    oldest: tuple  # the oldest version that works
    debian: str  # Debian's package
    pypi: str = None  # PyPI's package
    inside: str = None  # the program's path in PyPI's package
    other_name: str = None  # the program's name in Debian's package, if it has another
    asks: str = "--version"  # the argument that prints the version
    check: tuple = ()  # arguments with which it must succeed
    environment: dict = {}  # variables that must point into Debian's package
    release: str = None  # the release of Debian that has the package, if this machine's has not
    left_out: frozenset = frozenset()  # packages of that release that are not unpacked
    advice: str = None  # how else to get it


def oldest_cmake():
    """The version that CMakeLists.txt requires."""
    text = (TOP / "CMakeLists.txt").read_text()
    return tuple(map(int, re.search(r"cmake_minimum_required\(VERSION (\d+)\.(\d+)\)", text).groups()))


PROGRAMS = {
    "cmake": Program("to configure and build the C and C++ side", oldest_cmake(), "cmake", "cmake",
                     "cmake/data/bin/cmake", check=("-P", "/dev/null")),  # which fails without CMake's own modules
    "pkg-config": Program("to test phicache.pc", (0, 29), "pkgconf", "pkgconf", "pkgconf/.bin/pkgconf",
                          other_name="pkgconf"),
    # The package redis-server only adds a service, which starts at once, and a link to this program of redis-tools.
    "redis-server": Program("to test caches in Redis", (7, 0), "redis-tools", other_name="redis-check-rdb"),
    "openssl": Program("to make certificates for the tests of TLS", (1, 1), "openssl", asks="version",
                       environment={"OPENSSL_CONF": "etc/ssl/openssl.cnf"}),
    # Debian 12 has no Julia. Debian 11's comes with its own libunwind: with Debian 12's it cannot catch an exception
    # inside a function. It runs on this machine's newer C and C++ runtimes, because the library under test does.
    "julia": Program("to test the Julia package (77 MB)", (1, 5), "julia",
                     check=("--startup-file=no", "-e", 'f() = (try; error(""); catch; 1; end); exit(f() == 1 ? 0 : 1)'),
                     environment={"JULIA_DEPOT_PATH": "depot"}, release="bullseye",
                     left_out=frozenset({"libc6", "libc-bin", "libstdc++6", "libgcc-s1"}),
                     advice="Put Julia 1.5 or newer on the PATH (https://julialang.org)"),
    "doxygen": Program("to make the API reference", (1, 9), "doxygen"),
    "valgrind": Program("to count instructions and check memory", (3, 16), "valgrind",
                        environment={"VALGRIND_LIB": "usr/libexec/valgrind"}),
}


def works(path, program):
    """Whether the program at `path` starts, is new enough, and passes its check."""
    def answer(*arguments):
        return subprocess.run([path, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=120)
    try:
        run = answer(program.asks)
        version = re.search(r"(\d+)\.(\d+)", run.stdout)
        if run.returncode != 0 or version is None or tuple(map(int, version.groups())) < program.oldest:
            return False
        return not program.check or answer(*program.check).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def has_pip():
    return subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode == 0


def fetch_from_pypi(program, folder):
    """Installs PyPI's package into `folder`; if pip fails, says the last line of what it printed."""
    say(f"Fetching PyPI's {program.pypi} into {folder}, {program.purpose}.")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir",
               "--upgrade", "--target", folder, program.pypi]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         errors="replace")
    if run.returncode != 0:
        say(f"That failed: {(run.stdout.strip().splitlines() or ['pip printed nothing'])[-1]}")


def fetch_from_debian(name, program, folder):
    """Unpacks Debian's package into `folder`, with a wrapper for the program."""
    def finish(tree):
        link = tree / "usr/bin" / name
        if program.other_name and not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(program.other_name)
        debian.make_wrappers(tree, program.environment)
    shutil.rmtree(folder, ignore_errors=True)  # what an earlier call fetched does not work
    debian.fetch([program.debian], folder, program.purpose, release=program.release, left_out=program.left_out,
                 finish=finish)


def find(name, build):
    """The path of the program, or None; then a message has said what to do."""
    program = PROGRAMS[name]
    of_pypi = build / "tools" / (program.pypi or name)
    of_debian = build / "tools" / f"{name}.debian"
    in_pypi, in_debian = of_pypi / (program.inside or name), of_debian / "programs" / name
    for found in shutil.which(name), in_pypi, in_debian:
        if found and works(found, program):
            return Path(found)
    say(f"{name} {'.'.join(map(str, program.oldest))} or newer is not on the PATH, or does not work.")
    pip = program.pypi is not None and has_pip()
    if pip:
        fetch_from_pypi(program, of_pypi)
        if works(in_pypi, program):
            return in_pypi
    fetch_from_debian(name, program, of_debian)
    if works(in_debian, program):
        return in_debian
    say(f"{name} is missing and could not be fetched. "
        + (program.advice or f"Install it (on Debian, as root: apt-get install {program.debian}"
                             + (f"; or: {sys.executable} -m pip install {program.pypi}" if pip else "") + ")")
        + ", and run make again.")
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
