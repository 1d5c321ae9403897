#!/usr/bin/env python3
"""Builds the fuzz targets and runs each for SECONDS: fuzz.py BUILD SECONDS [TARGET...]

The targets are in fuzz/Cargo.toml, in the layout of cargo-fuzz. A stable toolchain is enough and nothing but crates is
fetched: cargo fetches libFuzzer as a crate, rustc brings the address sanitizer, and FLAGS are those of `cargo fuzz
build`. Interesting inputs are kept in BUILD/fuzz/corpus, where the next run begins. The environment variable SEED sets
libFuzzer's seed (1). An input that fails is kept in BUILD/fuzz, and the exit status is 1.

The targets in CACHES run twice: with each entry in a block of its own, so that the sanitizer sees a use after free; and
with entries in chunks, as users have them, because full caches move and evict entries chunk by chunk.
"""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
CARGO = os.environ.get("CARGO") or "cargo"
FLAGS = ["--cfg=fuzzing", "-Zsanitizer=address", "-Cpasses=sancov-module",
         *(f"-Cllvm-args=-sanitizer-coverage-{what}" for what in ("level=4", "inline-8bit-counters", "pc-table",
                                                                  "trace-compares"))]
CACHES = ["dict_cache", "mice_caches", "c_abi"]


def host():
    version = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    return next(line.split()[1] for line in version.splitlines() if line.startswith("host:"))


def build(names, *flags, folder):
    """The programs by name, built with these flags in a folder of their own. Messages of cargo go to standard error."""
    # The sanitizer is unstable, hence RUSTC_BOOTSTRAP; with --target, build scripts are not instrumented.
    environment = {**os.environ, "RUSTC_BOOTSTRAP": "1", "RUSTFLAGS": " ".join([*FLAGS, *flags])}
    target = Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target")) / folder
    command = [CARGO, "build", "--manifest-path", TOP / "fuzz" / "Cargo.toml", "--locked", "--release",
               "--target", host(), "--target-dir", target, "--message-format=json-render-diagnostics",
               *(word for name in names for word in ("--bin", name))]
    run = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit("cargo could not build the fuzz targets; its messages are above.")
    artifacts = [message for message in map(json.loads, run.stdout.splitlines())
                 if message["reason"] == "compiler-artifact" and message["executable"]]
    return {artifact["target"]["name"]: artifact["executable"] for artifact in artifacts}


def targets():
    """The names of all fuzz targets."""
    return [binary["name"] for binary in tomllib.loads((TOP / "fuzz" / "Cargo.toml").read_text())["bin"]]


def succeeds(program, name, folder, seconds):
    """Whether a target runs for `seconds` without a failure. Shows libFuzzer's output without its word list."""
    corpus = folder / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    # No leak detection: the library keeps handles and freed entries for reuse, which look like leaks. The sanitizer
    # looks for them at exit in any case, unless its own options forbid it.
    options = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "detect_leaks=0"]))
    command = [program, f"-seed={os.environ.get('SEED', '1')}", f"-max_total_time={seconds}", "-max_len=1000",
               "-len_control=0", "-detect_leaks=0", "-verbosity=0", "-print_final_stats=1",
               f"-artifact_prefix={folder}/{name}-", corpus]
    print("\n$ " + " ".join(map(str, command)), flush=True)
    with subprocess.Popen(command, env={**os.environ, "ASAN_OPTIONS": options}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as process:
        for line in process.stdout:
            if not line.startswith(('"', "######")):
                print(line, end="", flush=True)
    return process.returncode == 0


def main():
    if len(sys.argv) < 3 or not sys.argv[2].isdigit():
        sys.exit(__doc__)
    folder = Path(sys.argv[1]).resolve() / "fuzz"
    names = sys.argv[3:] or targets()
    unknown = [name for name in names if name not in targets()]
    if unknown:
        sys.exit(f"{unknown[0]} is not a fuzz target; the targets are {', '.join(targets())}")
    in_chunks = [name for name in names if name in CACHES]
    programs = list(build(names, "--cfg=phicache_separate_blocks", folder="fuzz").items())
    if in_chunks:
        programs += build(in_chunks, folder="fuzz-chunks").items()
    failed = [name for name, program in programs if not succeeds(program, name, folder, sys.argv[2])]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
