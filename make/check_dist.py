#!/usr/bin/env python3
"""Makes a release archive (dist.py) and uses it as its users do: check_dist.py BUILD JOBS

Programs in C, C++, Python and Julia run with this machine's libraries and with those of Debian 11 (glibc 2.31), and
get a panic inside the library as a status. The shared library has all properties that docs/packaging.md states. A
second archive, made in another folder, has the same bytes.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import dist
import find_tool
from old_debian import OldDebian

TOP = Path(__file__).resolve().parent.parent
CONSUMERS = TOP / "c-tests" / "consumers"
failed = False


def expect(what, *command, says=None, **environment):
    """The command succeeds, and its output matches `says`."""
    global failed
    run = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, errors="replace",
                         env={**os.environ, **{name: str(value) for name, value in environment.items()}})
    good = run.returncode == 0 and (says is None or re.search(says, run.stdout) is not None)
    failed |= not good
    print(f"{'ok    ' if good else 'FAILED'} {what}" + ("" if good else f"\n{run.stdout}"), flush=True)


def check_programs(old, folder, prefix):
    """C and C++, linked with either library for Debian 11 and for this machine."""
    library = prefix / "lib"
    links = {"shared": [f"-L{library}", "-lphicache"],
             "static": [library / "libphicache.a", "-lpthread", "-ldl", "-lm"]}
    languages = {"C": (["cc", "-std=c99"], old.compiler_flags(), ["program.c"]),
                 "C++": (["c++", "-std=c++17"], old.cxx_flags(), ["program.cpp", "unit.cpp"])}
    for kind, link in links.items():
        for language, (compiler, flags, sources) in languages.items():
            what = f"{language} with the {kind} library"
            compile = [*compiler, f"-I{prefix}/include", *(CONSUMERS / source for source in sources)]
            says = f"phicache .* from {re.escape(language)}"
            program = folder / f"{kind}-{language}"
            dist.run(*compile, "-o", program, *link)
            expect(f"{what}, on this machine", program, says=says, LD_LIBRARY_PATH=library)
            dist.run(*compile, *flags, "-o", program, *link)
            start = old.loader(library)
            expect(f"{what}, on Debian 11", *start, program, says=says)
            expect(f"{what}, takes Debian 11's glibc", start[0], "--list", *start[1:], program,
                   says=rf"libc\.so\.6 => {re.escape(str(old.tree))}")


def check_python(old, prefix):
    library = prefix / "lib/libphicache.so"
    pythons = {"this machine": ([sys.executable], {})}
    tree = old.fetch_python()
    if tree:
        start = old.loader(tree / "usr/lib" / old.triplet, tree / "lib" / old.triplet)
        pythons["Debian 11"] = ([*start, tree / "usr/bin/python3.9"], {"PYTHONHOME": tree / "usr"})
    else:
        print("SKIPPED: Debian 11's Python could not be fetched")
    for place, (python, environment) in pythons.items():
        for script in "panic.py", "loaded.py":
            expect(f"Python: {script}, on {place}", *python, "-B", CONSUMERS / script, library, **environment)


def check_julia(old, build, folder, prefix):
    """Debian 11's Julia, which find_tool.py fetches where there is none, with the package in the archive."""
    found = find_tool.find("julia", build)
    if found is None:
        print("SKIPPED: Julia is missing")
        return
    library = prefix / "lib/libphicache.so"
    example = prefix / "share/doc/phicache/examples/quickstart.jl"
    package = prefix / "share/phicache/julia/PhiCache"
    julias = {"this machine": [found]}
    tree = build / "tools" / "julia.debian"
    environment = {"JULIA_DEPOT_PATH": folder / "depot"}
    if tree.exists():
        places = [tree / "usr/lib" / old.triplet, tree / "lib" / old.triplet, tree / "usr/lib" / old.triplet / "julia"]
        julias["Debian 11"] = [*old.loader(*places), tree / "usr/bin/julia", "-J",
                               tree / "usr/lib" / old.triplet / "julia/sys.so", "-H", tree / "usr/bin"]
    for place, julia in julias.items():
        start = [*julia, "--startup-file=no"]
        expect(f"Julia: panic.jl, on {place}", *start, CONSUMERS / "panic.jl", library, **environment)
        expect(f"Julia: the package in the archive, on {place}", sys.executable, "-B", TOP / "examples/prints.py",
               example, *start, f"--project={package}", example, **environment)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    build, architecture = Path(sys.argv[1]).resolve(), os.uname().machine
    os.environ.setdefault("CARGO_TARGET_DIR", str(TOP / "target"))
    archive, again = (dist.make(build, sys.argv[2], f"{architecture}-unknown-linux-gnu", build / folder)
                      for folder in ("dist", "dist/again"))
    [version] = re.findall(r"phicache-([\d.]+)-", archive.name)
    old = OldDebian(build, architecture)
    folder = build / "dist" / architecture / "check"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        tar.extractall(folder)
    [prefix] = folder.iterdir()

    expect("another archive, made in another folder, has the same bytes", "cmp", archive, again)
    expect("the checksum is in the file beside it", "sh", "-c", 'cd "$1" && sha256sum -c "$2.sha256"', "-",
           archive.parent, archive.name)
    expect("the shared library", sys.executable, "-B", TOP / "c-tests/package/shared_library.py",
           prefix / "lib/libphicache.so", version, TOP / "c-tests/package/exported_symbols.txt")
    expect("the links of the pages", sys.executable, "-B", TOP / "c-tests/package/links.py", prefix)
    expect("phicache-info, on Debian 11", *old.loader(prefix / "lib"), prefix / "bin/phicache-info", says=version)
    check_programs(old, folder, prefix)
    check_python(old, prefix)
    check_julia(old, build, folder, prefix)


if __name__ == "__main__":
    try:
        main()
    except dist.Failed as reason:
        sys.exit(f"FAILED {reason}")
    sys.exit(failed)
