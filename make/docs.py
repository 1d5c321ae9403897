#!/usr/bin/env python3
"""Makes the API reference in BUILD/docs; a warning of doxygen is a failure: docs.py BUILD

doxygen comes from the PATH or is fetched into BUILD (find_tool.py).
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import find_tool

TOP = Path(__file__).resolve().parent.parent


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build = Path(sys.argv[1]).resolve()
    doxygen = find_tool.find("doxygen", build)
    if doxygen is None:
        sys.exit(1)
    folder = build / "docs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    version = re.search(r'^version = "(.*)"', (TOP / "Cargo.toml").read_text(), re.M).group(1)
    environment = {**os.environ, "PHICACHE_VERSION": version, "PHICACHE_DOCS": str(folder)}
    if subprocess.run([doxygen, "docs/Doxyfile"], cwd=TOP, env=environment).returncode != 0:
        sys.exit("doxygen warns about the descriptions; its messages are above.")
    print(f"The API reference: {folder / 'html' / 'index.html'}")


if __name__ == "__main__":
    main()
