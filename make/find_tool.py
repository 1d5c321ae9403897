#!/usr/bin/env python3
"""Prints the path of cmake or of pkg-config, and fetches it where there is none.

    find_tool.py cmake|pkg-config BUILD

Taken in this order: one on the PATH, new enough; one that an earlier call put into BUILD; Debian's package, by
apt-get, which needs root; PyPI's package, by pip, into BUILD. Where none can be had, one message says what to do, and
the exit status is 1.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

# What each program is called at Debian and at PyPI, where PyPI's package keeps it, and the oldest version that will do.
PROGRAMS = {
    "cmake": ("cmake", "cmake", "cmake/data/bin/cmake", (3, 21)),
    "pkg-config": ("pkg-config", "pkgconf", "pkgconf/.bin/pkgconf", (0, 29)),
}


def say(text):
    print(text, file=sys.stderr, flush=True)


def new_enough(program, oldest):
    """Whether `program` starts, and is at least as new as `oldest`."""
    try:
        run = subprocess.run([program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except OSError:
        return False
    version = re.search(r"(\d+)\.(\d+)", run.stdout)
    return run.returncode == 0 and version is not None and tuple(map(int, version.groups())) >= oldest


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
    debian, pypi, inside, oldest = PROGRAMS[name]
    on_path = shutil.which(name)
    if on_path and new_enough(on_path, oldest):
        return on_path
    folder = build / "tools" / pypi
    fetched = folder / inside
    if new_enough(fetched, oldest):
        return fetched
    say(f"{name} {'.'.join(map(str, oldest))} or newer is not on the PATH.")
    if by_apt(debian):
        installed = shutil.which(name)
        if installed and new_enough(installed, oldest):
            return installed
    if by_pip(pypi, folder) and new_enough(fetched, oldest):
        return fetched
    say(f"{name} is missing, and could not be fetched. Install it (as root: apt-get install {debian}; "
        f"or: python3 -m pip install {pypi}), and run make again.")
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
