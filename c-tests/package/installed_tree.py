#!/usr/bin/env python3
"""Checks an installed tree as a packager does: installed_tree.py PREFIX VERSION BUILD SOURCE CARGO_TARGET"""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

PREFIX, VERSION, BUILD, SOURCE, CARGO_TARGET = Path(sys.argv[1]), sys.argv[2], sys.argv[3], *map(Path, sys.argv[4:6])
CARGO_HOME = os.environ.get("CARGO_HOME") or Path.home() / ".cargo"
MINOR = VERSION.rsplit(".", 1)[0]
failed = False


def expect(what, *wrong):
    """Each of `wrong` is a fault."""
    global failed
    print(f"{'FAILED' if wrong else 'ok    '} {what}" + "".join(f"\n       {fault}" for fault in wrong))
    failed |= bool(wrong)


def dynamic(path):
    return subprocess.run(["readelf", "-dW", path], check=True, capture_output=True, text=True).stdout


paths = sorted(PREFIX.rglob("*"))
files = [path for path in paths if path.is_file() and not path.is_symlink()]
texts = [path for path in files if path.suffix not in (".a", "") and ".so" not in path.name]
[library] = [path for path in files if ".so." in path.name]
[program] = [path for path in files if path.name == "phicache-info"]

headers = {path.relative_to(SOURCE / "include") for path in (SOURCE / "include").rglob("*.h*")}
expect("all headers are installed, and no other files with them",
       *headers ^ {path.relative_to(PREFIX / "include") for path in (PREFIX / "include").rglob("*.h*")})
expect("the licenses are installed, also those of the crates",
       *({"LICENSE", "third-party-licenses.txt"} - {path.name for path in files}))
[licenses] = [path.read_text(encoding="utf-8") for path in files if path.name == "third-party-licenses.txt"]
crates = re.split(r"^==== ", licenses, flags=re.M)[1:]
expect("each crate has the text of its license, in the same order on every machine",
       *[crate.strip() for crate in crates if crate.count("\n") < 10],
       *([] if crates and crates == sorted(crates) else ["they do not come in the order of their names"]))
expect("the program has a manual page", *([] if list(PREFIX.rglob("man1/phicache-info.1")) else ["it has none"]))
expect(f"libphicache.so leads to libphicache.so.{MINOR} and that to libphicache.so.{VERSION}",
       *[path for path, target in (("libphicache.so", f"libphicache.so.{MINOR}"),
                                   (f"libphicache.so.{MINOR}", f"libphicache.so.{VERSION}"))
         if str((library.parent / path).readlink()) != target])
expect("only programs and libraries are executable; all users can read, only the owner can write",
       *[f"{stat.filemode(path.stat().st_mode)} {path}" for path in files
         if path.stat().st_mode & 0o777 not in ((0o755, 0o644) if path in (program, library) else (0o644,))])
expect("the library has no search path for others", *re.findall(r"R(?:UN)?PATH.*", dynamic(library)))
expect("the program finds the library relative to itself",
       *[path for path in re.findall(r"R(?:UN)?PATH.*\[(.*)\]", dynamic(program)) if not path.startswith("$ORIGIN/")])
expect("the program runs",
       *([] if subprocess.run([program], capture_output=True).returncode == 0 else ["it does not run"]))
expect("no file contains the path of the build or of the install",
       *[path for path in texts for folder in (BUILD, str(SOURCE), str(PREFIX)) if folder in path.read_text()])
[archive_path] = [path for path in files if path.suffix == ".a"]
archive = archive_path.read_bytes()
binaries = {path: path.read_bytes() for path in (library, program)}
expect("neither do compiled files (unless cargo's configuration has flags for rustc, which replace ours)",
       *[f"{path.name}: {folder}" for path, held in {**binaries, archive_path: archive}.items()
         for folder in (BUILD, SOURCE, CARGO_TARGET, CARGO_HOME) if os.fsencode(folder) + b"/" in held])
# An object file has the name of its crate, and most crates have the name of their package.
objects = subprocess.run(["ar", "t", *PREFIX.rglob("*.a")], check=True, capture_output=True, text=True).stdout
built = {path.stem.removeprefix("lib") for path in CARGO_TARGET.rglob("*.rlib")}
held = {crate.rsplit("-", 1)[0] for crate in re.findall(r"^(\w+-[0-9a-f]{16})\.", objects, re.M) if crate in built}
licensed = {crate.split(",")[0].replace("-", "_") for crate in crates}
expect("each crate in the archive is among the licenses", *([] if len(held) > 5 else ["it seems to contain none"]),
       *[crate for crate in sorted(held - {"phicache"})
         if not any(f"_{name}".endswith(f"_{crate}") for name in licensed)])
expect("nothing unexpected is installed",
       *[path for path in files if path.relative_to(PREFIX).parts[0] not in ("bin", "include", "share") and
         not re.fullmatch(r"libphicache\.(a|so.*)|phicache[\w-]*\.(cmake|pc)", path.name)])
sys.exit(failed)
