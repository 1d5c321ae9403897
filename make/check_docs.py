#!/usr/bin/env python3
"""Holds what the pages say of the project against the project, where a program can: check_docs.py

Links lead somewhere; files, make targets and functions that are named exist; the version of CMake
is the one that CMakeLists.txt asks for.
"""

import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent


def ours(pattern):
    """What the project contains, and not what was built or fetched."""
    return [path for path in TOP.rglob(pattern) if not {"build", "target", ".git"} & set(path.relative_to(TOP).parts)]


PAGES = ours("*.md")
FOLDERS = ("src", "include", "c-tests", "tests", "docs", "make", "cmake", "fuzz", "benches", "examples", "julia", "tools")


def read(name):
    return (TOP / name).read_text(encoding="utf-8")


def links(page, text):
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target and not (page.parent / target).exists():
            yield f"{target}, to which a link leads, is not there"


def files(page, text):
    pattern = rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`"
    for name in re.findall(pattern, text):
        if not (TOP / name).exists() and not (page.parent / name).exists() and "sums" not in name:  # a page's example
            yield f"{name} is not there"


def targets(page, text):
    known = set(re.findall(r"^([\w-]+):(?!=)", read("Makefile"), re.M))
    for line in re.findall(r"`make ([^`]+)`", text) + re.findall(r"^ +make ([^#\n]+)", text, re.M):
        for word in line.split():
            if re.fullmatch(r"[a-z-]+", word) and word not in known:
                yield f"there is no make {word}"


def functions(page, text):
    exported = set(read("c-tests/package/exported_symbols.txt").split())
    header = set(re.findall(r"\bphicache_\w+", read("include/phicache.h")))
    for name in set(re.findall(r"\b(phicache_\w+)\(", text)):
        if name not in exported | header and not re.search(r"_CACHE_|_X_", name):
            yield f"there is no {name}"


def cmake(page, text):
    [asked] = re.findall(r"cmake_minimum_required\(VERSION (\d+\.\d+)\)", read("CMakeLists.txt"))
    for path in ours("CMakeLists.txt"):
        for version in re.findall(r"cmake_minimum_required\(VERSION ([\d.]+)\)", path.read_text()):
            if version != asked:
                yield f"{path.relative_to(TOP)} asks for CMake {version}, not {asked}"
    for version in re.findall(r"CMake (\d+\.\d+)", text):
        if version != asked:
            yield f"it says CMake {version}, where CMakeLists.txt asks for {asked}"


def main():
    faults, checks = [], 0
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
    print(f"ok     {len(PAGES)} pages name what there is")


if __name__ == "__main__":
    main()
