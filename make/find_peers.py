#!/usr/bin/env python3
"""Fetches the hash maps that benches/peers compares with phicache, and prints a file that tells CMake where they are.

    find_peers.py CARGO BUILD

C++ peers that are not installed are Debian's packages, unpacked into BUILD (debian.py). Boost comes from the system if
it is new enough to have a concurrent map (1.83; Debian 12 has 1.74 and 1.81); otherwise cargo fetches its headers as a
crate. If a peer can be neither found nor fetched, one message says what to install, and the exit status is 1; only
Boost may be missing.
"""

import json
import subprocess
import sys
from pathlib import Path

import debian

PEERS = Path(__file__).resolve().parent.parent / "benches/peers"
INCLUDES = [Path("/usr/include"), Path("/usr/local/include")]

PACKAGES = [
    ("libabsl-dev", "absl/container/flat_hash_map.h"),
    ("libtbb-dev", "tbb/concurrent_hash_map.h"),
    ("libcuckoo-dev", "libcuckoo/cuckoohash_map.hh"),
    ("libglib2.0-dev", "glib-2.0/glib.h"),
]
BOOST = "boost/unordered/concurrent_flat_map.hpp"


def has(header):
    return any((folder / header).exists() for folder in INCLUDES)


def link_installed(tree):
    """Links the libraries that are installed without their headers, so that they were not downloaded, into the tree."""
    for link in list(tree.rglob("*.so")):
        if link.is_symlink() and not link.exists():
            for library in Path("/", link.parent.relative_to(tree)).glob(link.readlink().name + "*"):
                (link.parent / library.name).symlink_to(library)


def boost_of_crates(cargo):
    """The include folders of the crates that carry Boost's headers; empty if cargo cannot fetch them."""
    command = [cargo, "metadata", "--locked", "--format-version", "1", "--features", "boost-headers",
               "--manifest-path", str(PEERS / "rust/Cargo.toml")]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        return []
    folders = [Path(package["manifest_path"]).parent / "include" for package in json.loads(run.stdout)["packages"]
               if package["name"].startswith("boost_")]
    return [str(folder) for folder in folders if folder.is_dir()]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    missing = [package for package, header in PACKAGES if not has(header)]
    folder = Path(sys.argv[2]).resolve() / "tools" / "peers"
    if missing and not debian.fetch(missing, folder, "to compare with phicache", finish=link_installed):
        sys.exit(f"The benchmark's peers are missing and could not be fetched. Install them (on Debian, as root: "
                 f"apt-get install {' '.join(missing)}), and run make again.")
    folders = [] if has(BOOST) else boost_of_crates(sys.argv[1])
    if has(BOOST):
        folders = [str(folder) for folder in INCLUDES if (folder / BOOST).exists()]
    if not folders:
        debian.say("Boost 1.83 or newer is missing and could not be fetched; the benchmark leaves its maps out.")
    file = Path(sys.argv[2]).resolve() / "tools" / "peers.cmake"
    file.parent.mkdir(parents=True, exist_ok=True)
    found = {"BENCH_BOOST_INCLUDES": ";".join(folders), "BENCH_UNPACKED": folder if missing else ""}
    file.write_text("".join(f'set({name} "{value}" CACHE STRING "" FORCE)\n' for name, value in found.items()))
    print(file)


if __name__ == "__main__":
    main()
