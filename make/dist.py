#!/usr/bin/env python3
"""Makes a release archive that works on Linux with glibc 2.28 or newer: dist.py BUILD JOBS [TARGET]

TARGET is Rust's name of the platform, by default x86_64-unknown-linux-gnu; the other is aarch64-unknown-linux-gnu.
BUILD/dist then holds

    phicache-VERSION-PLATFORM.tar.gz          libraries, phicache-info, headers, pages, examples, the Julia package, and
                                              what is inside (phicache.cdx.json)
    phicache-VERSION-PLATFORM-debug.tar.gz    the debug symbols; unpacked over the other
    *.sha256                                  their checksums, for sha256sum -c

Everything is linked with Debian 11's C library (old_debian.py). The script fails if a file needs more than glibc 2.28
or if the bill of materials is not complete. The same sources and compilers give the same bytes.
"""

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import debian
import find_tool
from old_debian import GCC, OldDebian

TOP = Path(__file__).resolve().parent.parent
NEWEST_GLIBC = (2, 28)
EARLIEST = 315532800  # 1980, which all archive formats can express


class Failed(Exception):
    """Why there is no archive."""


def run(*command, **how):
    run = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, errors="replace", **how)
    if run.returncode != 0:
        raise Failed(f"{run.stdout}\n{' '.join(map(str, command))} failed; its messages are above.")
    return run.stdout


def date():
    """The time of all files in the archive: SOURCE_DATE_EPOCH, or that of the last commit."""
    if os.environ.get("SOURCE_DATE_EPOCH"):
        return int(os.environ["SOURCE_DATE_EPOCH"])
    try:
        return int(run("git", "-C", TOP, "log", "-1", "--format=%ct"))
    except (Failed, OSError, ValueError):
        return EARLIEST


def compiler(build, architecture):
    """The C compiler for the architecture: this machine's, or a cross compiler, fetched if need be."""
    if architecture == os.uname().machine:
        return shutil.which(os.environ.get("CC") or "cc")
    name = f"{architecture}-linux-gnu-gcc"
    if shutil.which(name):
        return shutil.which(name)
    folder, package = build / "tools" / name, f"gcc-{architecture.replace('_', '-')}-linux-gnu"
    if not debian.fetch([package], folder, f"to compile for {architecture}",
                        finish=lambda tree: debian.make_wrappers(tree, {})):
        raise Failed(f"There is no C compiler for {architecture}. Put {name} on the PATH (on Debian, as root: apt-get "
                     f"install {package}).")
    return folder / "programs" / name


def has_standard_library(target):
    folder = run(os.environ.get("RUSTC") or "rustc", "--print", "target-libdir", "--target", target).strip()
    return any(Path(folder).glob("libstd-*.rlib"))


def quoted(flags):
    return " ".join(f'"{flag}"' for flag in flags)


def build_all(cmake, folder, jobs, target, cc, old):
    """Configures and builds what an archive contains."""
    flags = quoted(old.compiler_flags())
    options = {"CMAKE_C_COMPILER": cc, "CMAKE_C_FLAGS": flags, "CMAKE_BUILD_TYPE": "Release", "BUILD_TESTING": "OFF",
               "PHICACHE_BUILD_EXAMPLES": "OFF", "PHICACHE_OLD_GLIBC": "ON", "CMAKE_INSTALL_PREFIX": "/usr/local",
               "CMAKE_INSTALL_LIBDIR": "lib", "PHICACHE_CARGO_TARGET_DIR": os.environ["CARGO_TARGET_DIR"]}
    if old.architecture != os.uname().machine:
        options |= {"CMAKE_SYSTEM_NAME": "Linux", "CMAKE_SYSTEM_PROCESSOR": old.architecture,
                    "PHICACHE_CARGO_TARGET": target}
    run(cmake, "-S", TOP, "-B", folder, *[f"-D{name}={value}" for name, value in options.items()])
    run(cmake, "--build", folder, "-j", jobs)


def newest_glibc(path):
    """What the program or library needs of glibc: (the newest version, the symbols that need it)."""
    symbols = re.findall(r"(\S+)@+GLIBC_([\d.]+)", run("readelf", "-W", "--dyn-syms", path))
    needed = {tuple(map(int, version.split(".")))
              for version in re.findall(r"Name: GLIBC_([\d.]+)", run("readelf", "-VW", path))}
    newest = max(needed)
    return newest, [name for name, version in symbols if tuple(map(int, version.split("."))) == newest]


def check_glibc(prefix):
    """The archive is checked with the shared library, which is all of it, linked without an undefined symbol."""
    for path in [*prefix.glob("bin/*"), *prefix.glob("lib/*.so.*.*.*")]:
        newest, symbols = newest_glibc(path)
        shown = ".".join(map(str, newest))
        if newest > NEWEST_GLIBC:
            raise Failed(f"{path.name} needs GLIBC_{shown} for {', '.join(symbols)}")
        print(f"ok     {path.name} needs GLIBC_{shown}")
        if "libgcc_s" in run("readelf", "-dW", path):
            raise Failed(f"{path.name} needs libgcc_s, an unwinder of the host")


def check_bill(prefix, bill):
    """It names each crate that cargo has linked, with license (third-party-licenses.txt) and checksum (Cargo.lock)."""
    [licenses] = prefix.rglob("third-party-licenses.txt")
    linked = {(name, version, license.replace("/", " OR ")) for name, version, license
              in re.findall(r"^==== (.*?), (.*?), (.*)$", licenses.read_text(encoding="utf-8"), re.M)}
    named = {(part["name"], part["version"], part["licenses"][0]["expression"]) for part in bill["components"]
             if part.get("purl", "").startswith("pkg:cargo/")}
    sums = {(package["name"], package["version"], package.get("checksum"))
            for package in tomllib.loads((TOP / "Cargo.lock").read_text())["package"]}
    listed = {(part["name"], part["version"], part["hashes"][0]["content"]) for part in bill["components"]
              if "hashes" in part}
    if linked != named or not listed <= sums or len(listed) != len(named):
        raise Failed(f"the bill of materials differs from what is linked: {sorted(linked ^ named)}")
    print(f"ok     the bill of materials names the {len(linked)} crates in the libraries")


def pack(folder, name, archive, time):
    """Packs a folder as `name`, in an order and with owners and times that are the same everywhere."""
    def plain(entry):
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = time
        entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
        return entry
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(folder.rglob("*")):
            tar.add(path, f"{name}/{path.relative_to(folder)}", recursive=False, filter=plain)
    with archive.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=time) as packed:
        packed.write(held.getvalue())
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    archive.with_name(f"{archive.name}.sha256").write_text(f"{digest}  {archive.name}\n")
    print(f"ok     {archive.name}, {archive.stat().st_size / 1e6:.1f} MB, SHA-256 {digest}")


def install(cmake, folder, prefix, *arguments):
    shutil.rmtree(prefix, ignore_errors=True)
    # As text, since a folder of this machine must not enter any file.
    run(cmake, "--install", folder, "--prefix", prefix, *arguments, env={**os.environ, "DESTDIR": ""})


def make(build, jobs, target, dist):
    """Makes the archives in the folder `dist` and returns the path of the first."""
    architecture, _, rest = target.partition("-")
    if architecture not in ("x86_64", "aarch64") or rest != "unknown-linux-gnu":
        raise Failed(f"no archive can be made for {target}, only for x86_64-unknown-linux-gnu and "
                     "aarch64-unknown-linux-gnu (docs/releasing.md says why not for musl)")
    if not has_standard_library(target):
        raise Failed(f"the Rust toolchain has no standard library for {target}: rustup target add {target}")
    old, cmake = OldDebian(build, architecture), find_tool.find("cmake", build)
    if not old.fetch() or cmake is None:
        raise Failed("something that the archive is made with could not be fetched; a message above says what.")
    [version] = re.findall(r'^version = "(.*)"', (TOP / "Cargo.toml").read_text(), re.M)
    name, work = f"phicache-{version}-{old.triplet}", dist / architecture
    build_all(cmake, work / "build", jobs, target, compiler(build, architecture), old)

    prefix, symbols, time = work / "prefix", work / "symbols", date()
    install(cmake, work / "build", prefix)
    install(cmake, work / "build", symbols, "--component", "debug")
    check_glibc(prefix)
    bill = json.loads(run(sys.executable, "-B", TOP / "make/sbom.py", target, GCC))
    check_bill(prefix, bill)
    (prefix / "share/doc/phicache/phicache.cdx.json").write_text(json.dumps(bill, indent=1) + "\n")
    for folder, archive in (prefix, name), (symbols, f"{name}-debug"):
        pack(folder, name, dist / f"{archive}.tar.gz", time)
    return dist / f"{name}.tar.gz"


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    os.environ.setdefault("CARGO_TARGET_DIR", str(TOP / "target"))
    target = sys.argv[3] if len(sys.argv) == 4 else "x86_64-unknown-linux-gnu"
    try:
        build = Path(sys.argv[1]).resolve()
        print(make(build, sys.argv[2], target, build / "dist"))
    except (Failed, OSError) as reason:
        sys.exit(f"FAILED {reason}")


if __name__ == "__main__":
    main()
