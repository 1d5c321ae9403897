#!/usr/bin/env python3
"""Counts what compiling phicache.hpp costs beyond the headers of the standard library that it includes.

    compile_cost.py CXX INCLUDE FOLDER

Counts, unlike seconds, are the same on every machine. The time to compile a header depends on the standard headers
that it includes and on the class templates that it instantiates: both are limited here. Intermediate files are in
FOLDER.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

# The heavy ones among the rest: <memory>, <functional>, <iterator>, <algorithm>, <variant>, <mutex>. Each takes as long
# as a third of phicache.hpp.
STANDARD_HEADERS = {"array", "chrono", "cstdarg", "cstddef", "cstdint", "cstdio", "cstdlib", "cstring",
                    "exception", "initializer_list", "limits", "new", "optional", "stdexcept", "string",
                    "string_view", "tuple", "type_traits", "utility", "vector"}
# A quarter more than there are: other versions of the standard library count differently.
INSTANTIATIONS = {"gcc": 3_600, "clang": 700}
# Many of these are calls that do not compile, so that a mistake takes a few lines of the compiler and not a hundred.
OWN_LINES = 6_000
FORWARD_LINES = 1_200


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def instantiations(cxx, kind, include, folder, name, text):
    """The classes that are instantiated, as the compiler counts them."""
    source = folder / f"{name}.cpp"
    source.write_text(text)
    compile = [cxx, "-std=c++17", "-I", include]
    if kind == "gcc":
        dump = folder / f"{name}.class"
        run(*compile, "-fsyntax-only", f"-fdump-lang-class={dump}", source)
        return len(re.findall("^Class ", dump.read_text(), re.MULTILINE))
    run(*compile, "-ftime-trace", "-c", source, "-o", folder / f"{name}.o")
    events = json.loads((folder / f"{name}.json").read_text())["traceEvents"]
    return sum(event["args"]["count"] for event in events if event["name"] == "Total InstantiateClass")


def lines(cxx, include, folder, header):
    """The lines that are left after preprocessing, by file."""
    source = folder / "preprocessed.cpp"
    source.write_text(f"#include <{header}>\n")
    count, file = {}, None
    for line in run(cxx, "-std=c++17", "-I", include, "-E", source).splitlines():
        if marker := re.match(r'# \d+ "(.*?)"', line):
            file = marker[1]
        elif line.strip():
            count[file] = count.get(file, 0) + 1
    return count


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    cxx, include, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    kind = "clang" if "clang" in run(cxx, "--version") else "gcc"
    failed = False

    def limit(what, count, most):
        nonlocal failed
        print(f"{count:6} {what}, at most {most}")
        failed |= count > most

    headers = [Path(include, "phicache.hpp"), *sorted(Path(include, "phicache").glob("*.hpp"))]
    text = "".join(header.read_text() for header in headers)
    included = set(re.findall(r"^#include <(\w+)>", text, re.MULTILINE))
    if more := included - STANDARD_HEADERS:
        print(f"phicache.hpp includes more standard headers than the list in this test: {', '.join(sorted(more))}")
        failed = True
    alone = "".join(f"#include <{name}>\n" for name in sorted(included & STANDARD_HEADERS))
    own = (instantiations(cxx, kind, include, folder, "ours", "#include <phicache.hpp>\n")
           - instantiations(cxx, kind, include, folder, "standard", alone))
    limit("classes instantiated beyond those of the standard headers", own, INSTANTIATIONS[kind])
    count = lines(cxx, include, folder, "phicache.hpp")
    limit("lines of phicache's own headers", sum(n for file, n in count.items() if "/phicache" in file), OWN_LINES)
    limit("lines behind phicache_fwd.hpp", sum(lines(cxx, include, folder, "phicache_fwd.hpp").values()), FORWARD_LINES)
    sys.exit(failed)


if __name__ == "__main__":
    main()
