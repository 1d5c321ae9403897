#!/usr/bin/env python3
"""Measures the properties of the shared library that docs/packaging.md states.

    shared_library.py LIBRARY VERSION SYMBOLS    compares it with what is said, and its symbols with the list
    shared_library.py LIBRARY                    prints the symbols that it exports, for the list
"""

import ctypes
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OWN_TLS = 112  # thread-local bytes: 8 of the library, the others of the Rust standard library
COPIES = 16  # the number of such libraries that a program can load at the same time
NEEDED = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"}  # glibc, and its loader
LOADER = re.compile(r"ld-linux-[\w-]+\.so\.\d")
failed = False


def say(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def exported(library):
    """(name, version) of each symbol, without the absolute symbols (type A) of version nodes."""
    lines = [line.split() for line in say("nm", "-D", "--defined-only", library).splitlines()]
    return sorted(tuple(name.replace("@@", "@").split("@", 1)) if "@" in name else (name, "")
                  for _, kind, name in lines if kind != "A")


def expect(what, *wrong):
    """Each of `wrong` is a fault."""
    global failed
    print(f"{'FAILED' if wrong else 'ok    '} {what}" + "".join(f"\n       {fault}" for fault in wrong))
    failed |= bool(wrong)


def unless(holds, fault):
    return [] if holds else [fault]


def loads_beside_others(library):
    """Loads copies into this process, like plugins that each contain one; returns the loader's message if one fails."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(COPIES):
            copy = shutil.copy(library, Path(folder) / f"plugin{number}.so")
            try:
                ctypes.CDLL(copy)
            except OSError as failure:
                yield f"the copy {number + 1} of {COPIES} does not load: {failure}"
                return


def main():
    if len(sys.argv) == 2:
        print("\n".join(name for name, _ in exported(sys.argv[1])))
        return
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    library, version, symbols = Path(sys.argv[1]).resolve(), sys.argv[2], Path(sys.argv[3])
    minor = version.rsplit(".", 1)[0]
    dynamic, segments, notes = (say("readelf", option, library) for option in ("-dW", "-lW", "-nW"))
    flags = " ".join(re.findall(r"\(FLAGS(?:_1)?\)\s+(.*)", dynamic))
    names = exported(library)

    expect(f"its SONAME is libphicache.so.{minor}, of major and minor version",
           *unless(re.findall(r"SONAME\).*\[(.*)\]", dynamic) == [f"libphicache.so.{minor}"], dynamic))
    expect("it needs only glibc, not the unwinder of the host (libgcc_s)",
           *[name for name in re.findall(r"NEEDED\).*\[(.*)\]", dynamic)
             if name not in NEEDED and not LOADER.fullmatch(name)])
    expect("it is never unloaded (nodelete)", *unless("NODELETE" in flags, flags))
    expect("it binds at load time, and the loader's tables are read-only afterwards (now, relro)",
           *unless("BIND_NOW" in flags and "GNU_RELRO" in segments, segments))
    expect("it needs no executable stack, no writable and executable segment, no text relocations",
           *unless(re.search(r"GNU_STACK\s.*\sRW\s", segments), "its stack may be run"),
           *re.findall(r"^ *LOAD .*\bR?WE\b.*", segments, re.M), *re.findall(r"TEXTREL.*", dynamic))
    expect("it uses no static thread-local storage, of which late libraries share a small reserve",
           *unless("STATIC_TLS" not in flags, flags))
    local = [int(size, 16) for size in re.findall(r"^ *TLS +\S+ +\S+ +\S+ +\S+ +(\S+)", segments, re.M)]
    expect(f"a thread that uses it has at most {OWN_TLS} bytes of thread-local storage",
           *[f"it has {size}" for size in local if size > OWN_TLS])
    expect(f"{COPIES} plugins that contain such a library can be loaded at the same time",
           *loads_beside_others(library))
    expect("its own unwinder finds the frames (--eh-frame-hdr)", *unless("GNU_EH_FRAME" in segments, segments))
    expect("it has the symbol of the relinked library",
           *unless("phicache_relinked" in dict(names), "phicache_relinked is not exported"))
    expect(f"the version of each symbol is PHICACHE_{minor}",
           *[f"{name} has {tag or 'none'}" for name, tag in names if tag != f"PHICACHE_{minor}"])
    expect(f"it exports what {symbols.name} lists, and nothing else (if that is intended: make symbols)",
           *[f"{'it lacks' if name in listed else 'unlisted:'} {name}" for listed in [symbols.read_text().split()]
             for name in sorted(set(listed) ^ set(dict(names)))])
    expect("the reports of binary checkers are still true: no fortified function, no control-flow protection",
           *re.findall(r" (\w+_chk)@", say("nm", "-D", "--undefined-only", library)), *re.findall(r"IBT.*", notes))
    sys.exit(failed)


if __name__ == "__main__":
    main()
