#!/usr/bin/env python3
"""Prints the path of a Python interpreter that has diskcache and joblib, and installs them into BUILD if necessary.

    find_disk_peers.py BUILD

benches/disk compares them with phicache. They come from PyPI; nothing outside BUILD changes. If they cannot be
installed, one message says why, and the exit status is 1.
"""

import sys
from pathlib import Path

import find_pyphi

PACKAGES = Path(__file__).resolve().parent.parent / "benches/disk/packages.txt"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1]).resolve() / "tools" / "disk-peers"
    wrapper = folder / "python"
    try:
        if find_pyphi.answer(wrapper, "-c", "import diskcache, joblib") is None:
            find_pyphi.install(folder, "PyPI's diskcache and joblib", "to compare with them", PACKAGES)
        print(wrapper)
    except (find_pyphi.Unavailable, OSError) as reason:
        sys.exit(f"diskcache and joblib are missing and could not be installed: {reason}")


if __name__ == "__main__":
    main()
