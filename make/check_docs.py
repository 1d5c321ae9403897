#!/usr/bin/env python3
"""Checks what the pages say against the project: check_docs.py

Links lead to files; the files, make targets and functions that pages name exist; the version of CMake is the one that
CMakeLists.txt requires. The drawings are those of docs/drawings.py. Pages and comments contain none of the phrases in
BANNED. No line has more than COLUMNS columns, except rows of tables.
"""

import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent


def ours(pattern):
    """The project's own files, not what was built or fetched, which may change meanwhile."""
    found = []
    for folder, folders, names in os.walk(TOP):
        folders[:] = [name for name in folders if name not in ("build", "target", ".git")]
        found += (Path(folder, name) for name in names if fnmatch(name, pattern))
    return found


PAGES = ours("*.md")
FOLDERS = ("src", "include", "c-tests", "tests", "docs", "make", "cmake", "fuzz", "benches", "examples", "julia",
           "tools")
# Files below PLAIN contain none of these phrases, which readers stumbled over, in any case of letters.
PLAIN = FOLDERS + ("CHANGELOG.md", "CMakeLists.txt", "CONTRIBUTING.md", "Makefile", "README.md", "SECURITY.md")
TEXTS = {"", ".1", ".c", ".cmake", ".cpp", ".dox", ".h", ".hpp", ".in", ".jl", ".md", ".py", ".rs", ".sh", ".toml",
         ".txt"}
COLUMNS = 120
GENERATED = {"c-tests/package/abi.txt", "c-tests/data/key_vectors.txt", "LICENSE"}
BANNED = {
    "for ever": "forever", "so many": "the number", "results are dear": "results are expensive", "is no live": "is not",
    "lets? go goes": "is returned", "(can|cannot|to) be had": "exists", "code of a caller": "user code",
    "the usual case": "the fast path", "the quick way": "the fast path", "the whole way": "the slow path",
    "one who": "a thread that", "whatever is had": "everything",
}


def read(name):
    return (TOP / name).read_text(encoding="utf-8")


def links(page, text):
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target and not (page.parent / target).exists():
            yield f"a link leads to {target}, which does not exist"


def files(page, text):
    pattern = rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`"
    for name in re.findall(pattern, text):
        # "sums" is the name of an example in a page.
        if not (TOP / name).exists() and not (page.parent / name).exists() and "sums" not in name:
            yield f"{name} does not exist"


def targets(page, text):
    known = set(re.findall(r"^([\w-]+):(?!=)", read("Makefile"), re.M))
    for line in re.findall(r"`make ([^`]+)`", text) + re.findall(r"^ +make ([^#\n]+)", text, re.M):
        for word in line.split():
            if re.fullmatch(r"[a-z-]+", word) and word not in known:
                yield f"make {word} does not exist"


def functions(page, text):
    exported = set(read("c-tests/package/exported_symbols.txt").split())
    header = set(re.findall(r"\bphicache_\w+", read("include/phicache.h")))
    for name in set(re.findall(r"\b(phicache_\w+)\(", text)):
        if name not in exported | header and not re.search(r"_CACHE_|_X_", name):
            yield f"{name} does not exist"


def cmake(page, text):
    [asked] = re.findall(r"cmake_minimum_required\(VERSION (\d+\.\d+)\)", read("CMakeLists.txt"))
    for path in ours("CMakeLists.txt"):
        for version in re.findall(r"cmake_minimum_required\(VERSION ([\d.]+)\)", path.read_text()):
            if version != asked:
                yield f"{path.relative_to(TOP)} requires CMake {version}, but CMakeLists.txt {asked}"
    for version in re.findall(r"CMake (\d+\.\d+)", text):
        if version != asked:
            yield f"it says CMake {version}, but CMakeLists.txt requires {asked}"


def drawings():
    done = subprocess.run([sys.executable, "-B", TOP / "docs/drawings.py", "--check"], capture_output=True, text=True)
    if done.returncode != 0:
        yield done.stderr.strip()


def lines():
    for path in ours("*"):
        name = path.relative_to(TOP)
        if path.suffix not in TEXTS or not path.is_file() or str(name) in GENERATED:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            if len(line) > COLUMNS and not re.match(r"(//!|///|\s*\*)?\s*\|", line):
                yield f"{name}:{number}: {len(line)} columns; at most {COLUMNS}"


def phrases():
    for path in ours("*"):
        name = path.relative_to(TOP)
        if name.parts[0] not in PLAIN or path.suffix not in TEXTS or not path.is_file() or path.name == "check_docs.py":
            continue
        # A phrase may go on in the next line of a comment.
        text = re.sub(r"\s+((#|//[/!]?|\*) )?\s*", " ", path.read_text(encoding="utf-8"))
        for phrase, instead in BANNED.items():
            for found in re.finditer(rf"\b{phrase}\b", text, re.I):
                yield f"{name}: \"{found.group()}\" is hard to read; write \"{instead}\" or rephrase"


def main():
    faults, checks = [*lines(), *phrases(), *drawings()], 0
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        looks = [links, targets, functions]
        if page.name != "CHANGELOG.md":
            looks += [files, cmake]
        for look in looks:
            checks += 1
            faults += [f"{page.relative_to(TOP)}: {fault}" for fault in look(page, text)]
    for fault in sorted(set(faults)):
        print(f"FAILED {fault}")
    if faults:
        sys.exit(1)
    print(f"ok     {len(PAGES)} pages")


if __name__ == "__main__":
    main()
