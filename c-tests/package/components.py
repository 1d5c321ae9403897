#!/usr/bin/env python3
"""Installs each component alone, as a packager does, and compares the result with docs/packaging.md.

    components.py CMAKE BUILD SOURCE CARGO FOLDER
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

CMAKE, BUILD, SOURCE, CARGO, FOLDER = sys.argv[1], *map(Path, sys.argv[2:4]), sys.argv[4], Path(sys.argv[5])
TEXT = (SOURCE / "docs/packaging.md").read_text(encoding="utf-8")
# The words for files in the table of components, and patterns of these files.
WORDS = {
    "the shared library": r"libphicache\.so\.\d.*",
    "licenses of phicache": r"LICENSE",
    "of the crates in it": r"third-party-licenses\.txt",
    "the read-me, the change log and all pages with their pictures": r".*\.(md|svg)",
    "the examples": r".*\.(c|cpp|hpp|jl|py|sh|json)|CMakeLists\.txt",
    "the Julia package": r".*\.(jl|toml)|README\.md",
    "a link to the library of the same prefix": r"libphicache\.so",
    "the debug symbols": r"libphicache\.so\..*\.debug",
    "headers": r".*\.hp?p?",
    "the link": r"libphicache\.so",
    "the archive": r"libphicache\.a",
    "CMake and pkg-config files": r"phicache.*\.(cmake|pc)",
    "`phicache-info`": r"phicache-info",
    "its manual page": r"phicache-info\.1",
}
failed = False


def expect(what, *wrong):
    """Each of `wrong` is a fault."""
    global failed
    print(f"{'FAILED' if wrong else 'ok    '} {what}" + "".join(f"\n       {fault}" for fault in wrong))
    failed |= bool(wrong)


def installed(component):
    prefix = FOLDER / component
    shutil.rmtree(prefix, ignore_errors=True)
    subprocess.run([CMAKE, "--install", BUILD, "--prefix", prefix, "--component", component], check=True,
                   stdout=subprocess.DEVNULL)
    return {path.name: path for path in prefix.rglob("*") if path.is_symlink() or path.is_file()}


[version] = re.findall(r'^version = "(\d+\.\d+)', (SOURCE / "Cargo.toml").read_text(), re.M)
expect("the name of the library's package follows its SONAME",
       *[name for name in re.findall(r"libphicache[\d.]+\d", TEXT) if name != f"libphicache{version}"])
components = re.findall(r"^\| `(\w+)` \| (.*?) \|", TEXT, re.M)
expect("the components are those that the page lists",
       *{name for name, _ in components} ^ set(re.findall(r"COMPONENT (\w+)", "".join(
           path.read_text() for path in [*SOURCE.glob("cmake/*.cmake"), *SOURCE.glob("tools/CMakeLists.txt")]))))
for component, said in components:
    files = installed(component)
    patterns = {word: pattern for word, pattern in WORDS.items() if word in said}
    known = {name for name in files for pattern in patterns.values() if re.fullmatch(pattern, name)}
    expect(f"{component}: {said}", *[f"not mentioned: {name}" for name in sorted(set(files) - known)],
           *[f"missing: {word}" for word, pattern in patterns.items()
             if not any(re.fullmatch(pattern, name) for name in files)],
           *([] if patterns else ["this test knows no word of that"]))

[first, second] = [sorted(name for name in installed("development") if name.startswith(f"phicache-{kind}"))
                   for kind in ("shared", "static")]
expect("the link and the archive have their own CMake files",
       *([] if first and second and not set(first) & set(second) else [first, second]))


def crates(*options):
    """The number of crates in the library, without those for the build and for tests."""
    command = [CARGO, "tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}",
               *options]
    lines = subprocess.run(command, cwd=SOURCE, check=True, capture_output=True, text=True).stdout.splitlines()
    return len({line.removesuffix(" (*)") for line in lines if line and not line.startswith("phicache ")})


[said] = re.findall(r"(\d+) and (\d+) crates in it instead of (\d+)", TEXT)
CHOICES = ["--no-default-features"], ["--no-default-features", "--features", "redis"], []
expect("the library contains as many crates as the page says",
       *[f"{options or 'all'}: {found}, not {number}" for number, options in zip(map(int, said), CHOICES)
         if (found := crates(*options)) != number])
sys.exit(failed)
