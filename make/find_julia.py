#!/usr/bin/env python3
"""Prints the path of a Julia that works, and fetches one into BUILD/julia where there is none.

    find_julia.py BUILD

A julia on the PATH is taken if it can catch an exception inside a function: Debian 11's, beside Debian 12's libunwind,
cannot. Debian 12 has no Julia package, so otherwise Debian 11's is downloaded, from the same Debian archive that this
machine's own source lists name, and unpacked under BUILD (debian.py: the system is left alone). Where it cannot be had,
one message says what to do, and the exit status is 1.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import debian
from debian import Unavailable, say

RELEASE = "bullseye"
# The machine's own take their place: they are newer, and the library under test was built against them.
NOT_UNPACKED = {"libc6", "libc-bin", "libstdc++6", "libgcc-s1"}
CATCHES = 'f() = (try; error("x"); catch; 1; end); exit(f() == 1 ? 0 : 1)'

WRAPPER = """\
#!/bin/sh
# Debian 11's Julia with the libraries it came with; its package depot stays in this folder.
here=$(cd "$(dirname "$0")" && pwd)
lib="$here/usr/lib/{triplet}"
LD_LIBRARY_PATH="$lib:$here/lib/{triplet}:$lib/julia" JULIA_DEPOT_PATH="${{JULIA_DEPOT_PATH:-$here/depot}}" \\
    exec "$here/usr/bin/julia" "$@"
"""


def works(julia):
    try:
        run = subprocess.run([julia, "--startup-file=no", "-e", CATCHES], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0


def fetch(build):
    """Downloads and unpacks Debian's Julia into `build`/julia; gives the wrapper that starts it."""
    julia = build / "julia"
    debian.unpack(["julia"], julia, RELEASE, NOT_UNPACKED)
    triplet = next(julia.glob("usr/lib/*/libjulia.so*")).parent.name
    wrapper = julia / "julia"
    wrapper.write_text(WRAPPER.format(triplet=triplet))
    wrapper.chmod(0o755)
    return wrapper


def find(build):
    """The path of a Julia that works, or None, having said why."""
    on_path = shutil.which("julia")
    if on_path and works(on_path):
        return on_path
    if on_path:
        say(f"{on_path} cannot catch an exception inside a function; it is not used.")
    fetched = build / "julia" / "julia"
    if fetched.exists() and works(fetched):
        return fetched
    say(f"Julia: downloading Debian's package into {build / 'julia'} (77 MB; the system is left alone).")
    try:
        build.mkdir(parents=True, exist_ok=True)
        fetched = fetch(build)
        if not works(fetched):
            raise Unavailable(f"Debian's Julia, unpacked in {fetched.parent}, does not start")
    except (Unavailable, OSError, subprocess.CalledProcessError) as reason:
        say(f"Julia is missing, and could not be fetched: {str(reason).rstrip('.')}.\n"
            "Its tests are SKIPPED. To run them, put Julia 1.5 or newer on the PATH, or give this machine access to a "
            "Debian archive, and run make test again.")
        return None
    return fetched


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = find(Path(sys.argv[1]).resolve())
    if found is None:
        sys.exit(1)
    print(found)


if __name__ == "__main__":
    main()
