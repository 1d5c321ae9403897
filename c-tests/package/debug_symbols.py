#!/usr/bin/env python3
"""Checks the debug symbols, which lie apart from the libraries: debug_symbols.py LIBRARY ARCHIVE

Neither library carries any; debuggers and Rust's backtraces find those of the shared library by the name in it.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

LIBRARY, ARCHIVE = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
DEBUG = LIBRARY.parent / ".debug" / f"{LIBRARY.name}.debug"
PANIC = Path(__file__).parent.parent / "consumers" / "panic.py"
failed = False


def say(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def expect(what, *wrong):
    """Each of `wrong` is a fault."""
    global failed
    print(f"{'FAILED' if wrong else 'ok    '} {what}" + "".join(f"\n       {fault}" for fault in wrong))
    failed |= bool(wrong)


def unless(holds, fault):
    return [] if holds else [fault]


def sections(path):
    return set(re.findall(r"\] (\.[\w.]+)", say("readelf", "-SW", path)))


def build_id(path):
    return re.findall(r"Build ID: (\w+)", say("readelf", "-nW", path))


def line_of(library, function):
    """Where a debugger finds this exported function."""
    [address] = re.findall(rf"^(\w+) T {function}$", say("nm", "-D", "--without-symbol-versions", library), re.M)
    return say("addr2line", "-e", library, address).strip()


def backtrace(library):
    """What Rust prints about a panic inside the library."""
    return subprocess.run([sys.executable, PANIC, library], env={**os.environ, "RUST_BACKTRACE": "1"}, check=True,
                          capture_output=True, text=True).stderr


def debug_link(library):
    """The file name and the checksum in the library's section .gnu_debuglink."""
    with tempfile.TemporaryDirectory() as folder:
        content = Path(folder) / "link"
        say("objcopy", f"--dump-section=.gnu_debuglink={content}", library, Path(folder) / "copy")
        held = content.read_bytes()
    return held.split(b"\0")[0].decode(), int.from_bytes(held[-4:], "little")


kept = [name for name in sections(LIBRARY) if name.startswith(".debug") or name == ".symtab"]
expect(f"the shared library ({LIBRARY.stat().st_size / 1e6:.1f} MB) has no debug symbols and no symbol table", *kept)
expect(f"the archive ({ARCHIVE.stat().st_size / 1e6:.1f} MB) has no debug symbols",
       *[name for name in sections(ARCHIVE) if name.startswith(".debug")])
expect("the debug file belongs to the library", *unless(build_id(LIBRARY) == build_id(DEBUG) != [], build_id(DEBUG)),
       *unless(debug_link(LIBRARY) == (DEBUG.name, zlib.crc32(DEBUG.read_bytes())), debug_link(LIBRARY)))
with tempfile.TemporaryDirectory() as folder:
    alone = Path(shutil.copy(LIBRARY, folder))
    without, trace = line_of(alone, "phicache_dict_cache_new"), backtrace(alone)
    expect("without the file, no line is known", *unless("??" in without, without),
           *re.findall(r"at .*/phicache/src/.*", trace))
    (alone.parent / ".debug").mkdir()
    shutil.copy(DEBUG, alone.parent / ".debug")
    found = line_of(alone, "phicache_dict_cache_new")
    expect("with it in .debug beside the library, debuggers find lines of the sources",
           *unless(re.search(r"/phicache/src/\S+\.rs:\d+", found), found))
    trace = backtrace(alone)
    expect("so do Rust's backtraces (RUST_BACKTRACE=1)", *unless(re.search(r"/phicache/src/\S+\.rs:\d+", trace), trace))
sys.exit(failed)
