#!/usr/bin/env python3
"""Runs every check of the project, one after another, and counts: run_tests.py BUILD JOBS [GROUP]

GROUP is test, or one of the longer ones that are run apart: sanitize, memcheck.

Formatting and lints count as one test each; the rest is counted by its own runner, cargo test or CTest. A failure does
not keep the later ones from running. The last line is the sum; the exit status is 0 when nothing failed.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import find_julia
import find_tool
import fuzz


class Counts:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def run(*command):
    """Runs `command`, showing what it prints as it comes; gives (whether it succeeded, what it printed)."""
    print("\n$ " + " ".join(map(str, command)), flush=True)
    lines = []
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace") as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    return process.returncode == 0, "".join(lines)


def as_one(succeeded, output):
    """A check that is one test."""
    counts = Counts()
    counts.passed, counts.failed = int(succeeded), int(not succeeded)
    return counts


def as_cargo_counts(succeeded, output):
    counts = Counts()
    for result in re.findall(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", output, re.MULTILINE):
        passed, failed, ignored = map(int, result)
        counts.passed += passed
        counts.failed += failed
        counts.skipped += ignored
    return counts


def as_ctest_counts(report):
    """Counts from the report that CTest wrote: its closing words differ from version to version."""
    def count(succeeded, output):
        counts = Counts()
        if report.exists():
            for test in ElementTree.parse(report).getroot().iter("testcase"):
                skipped = test.find("skipped")
                if test.get("status") == "run":
                    counts.passed += 1
                elif skipped is not None and skipped.get("message", "").startswith("SKIP_RETURN_CODE"):
                    counts.skipped += 1
                else:  # it failed, or its program is not there
                    counts.failed += 1
        return counts
    return count


def check(count, *command):
    """Runs `command` and counts its tests; a runner that failed before it could count is one failure."""
    started = time.monotonic()
    succeeded, output = run(*command)
    counts = count(succeeded, output)
    if not succeeded and counts.failed == 0:
        counts.failed = 1
    if succeeded and counts.passed == 0:
        print(f"{command[0]} ran no test.")
        counts.failed += 1
    print(f"({time.monotonic() - started:.0f} s)", flush=True)
    return counts


def skipped(reason):
    print(f"\nSKIPPED: {reason}", flush=True)
    counts = Counts()
    counts.skipped = 1
    return counts


def component(name, *command):
    """A check by a part of the Rust toolchain that a minimal one lacks."""
    if subprocess.run([CARGO, name, "--version"], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0:
        return check(as_one, *command)
    package = {"fmt": "rustfmt"}.get(name, name)
    return skipped(f"cargo {name} is missing. To have it: rustup component add {package}")


def put_on_path(build, *names):
    """Puts programs on the PATH, where tests look for them; says which are missing, and so what they will not test."""
    for name in names:
        found = find_tool.find(name, build)
        if found is None:
            yield skipped(f"{name} is missing, so no test tests what needs it")
        elif not shutil.which(name):
            os.environ["PATH"] += os.pathsep + str(Path(found).parent)


def rust_checks(build, jobs):
    yield component("fmt", CARGO, "fmt", "--check")
    yield component("clippy", CARGO, "clippy", "--all-targets", "--quiet", "--", "-D", "warnings")
    for features in [], ["--features", "redis"]:
        yield component("clippy", CARGO, "clippy", "--no-default-features", *features, "--quiet", "--", "-D", "warnings")
    yield from put_on_path(build, "redis-server", "openssl")
    yield check(as_cargo_counts, CARGO, "test", "--no-fail-fast")
    yield check(as_cargo_counts, CARGO, "test", "--no-default-features", "--test", "built_out")
    # The model checker exchanges the locks of the whole library, so it has a build of its own; of Redis it has none.
    yield check(as_cargo_counts, "env", "RUSTFLAGS=--cfg shuttle", CARGO, "test", "--release", "--no-default-features", "--test",
                "shuttle", "--target-dir", str(Path(os.environ["CARGO_TARGET_DIR"]) / "shuttle"))


def fuzz_checks(build, jobs):
    """A few seconds of each fuzz target; make fuzz is the long form."""
    for name in fuzz.targets():
        yield check(as_one, sys.executable, "-B", "make/fuzz.py", build, "4", name)


def paper_checks(build, jobs):
    """What stands in files beside the code: dependencies, and the API reference."""
    yield check(as_one, sys.executable, "-B", "make/check_dependencies.py")
    if shutil.which("doxygen"):
        yield check(as_one, sys.executable, "-B", "make/docs.py", build)
    else:
        yield skipped("doxygen is missing; make docs fetches it where it may")


def cmake_checks(cmake, jobs, build, options, only=()):
    """CMake's build with these options, and its tests, or those chosen, which CTest runs."""
    for step in [cmake, "-S", ".", "-B", build, *options], [cmake, "--build", build, "-j", jobs]:
        succeeded, _ = run(*step)
        if not succeeded:
            yield as_one(False, "")
            return
    ctest = Path(cmake).with_name("ctest")
    report = build / "ctest.xml"
    report.unlink(missing_ok=True)
    yield check(as_ctest_counts(report), ctest, "--test-dir", build, "-j", jobs, "--output-on-failure",
                "--output-junit", report, *only)


def c_checks(build, jobs):
    """Every test of C, C++ and Julia and of the package; then those of C and C++ again under sanitizers."""
    cmake = find_tool.find("cmake", build)
    pkg_config = find_tool.find("pkg-config", build)
    julia = find_julia.find(build)
    if cmake is None:
        yield as_one(False, "")
        return
    target = f"-DPHICACHE_CARGO_TARGET_DIR={os.environ['CARGO_TARGET_DIR']}"
    yield from cmake_checks(cmake, jobs, build, [target, f"-DPHICACHE_PKG_CONFIG={pkg_config or ''}",
                                                 f"-DPHICACHE_JULIA={julia or ''}"])
    # The library itself is the same archive; make sanitize instruments that too.
    if has_sanitizer("address,undefined"):
        yield from cmake_checks(cmake, jobs, build / "sanitize", [target, "-DPHICACHE_SANITIZE=address,undefined"])
    else:
        yield skipped("this c++ has no -fsanitize=address,undefined")


def has_sanitizer(sanitizer):
    """Whether the compiler can make programs for it."""
    program = subprocess.run(["c++", f"-fsanitize={sanitizer}", "-x", "c++", "-", "-o", "/dev/null"],
                             input="int main() {}", text=True, capture_output=True)
    return program.returncode == 0


def sanitizer_checks(build, jobs):
    """The long form: Rust, C and C++ instrumented, by one sanitizer after the other, and a minute of stress under each."""
    cmake = find_tool.find("cmake", build)
    if cmake is None:
        yield as_one(False, "")
        return
    yield from put_on_path(build, "redis-server")
    # Not recursion: the thread sanitizer keeps the whole stack of every allocation, gigabytes where calls nest so deep.
    about_threads = "^(stress|threads|flight|lease|fork|registry|memo|memoize|mice)\\."
    for sanitizer, only in ("address,undefined", ()), ("thread", ("-R", about_threads)):
        if not has_sanitizer(sanitizer):
            yield skipped(f"this c++ has no -fsanitize={sanitizer}")
            continue
        name = sanitizer.split(",")[0]
        folder = build / f"sanitize-{name}"
        options = [f"-DPHICACHE_CARGO_TARGET_DIR={Path(os.environ['CARGO_TARGET_DIR']) / name}",
                   f"-DPHICACHE_SANITIZE={sanitizer}", "-DPHICACHE_SANITIZE_RUST=ON"]
        yield from cmake_checks(cmake, jobs, folder, options, only)
        yield check(as_one, folder / "c-tests" / "stress", "--seconds", os.environ.get("SECONDS", "60"))


def memcheck_checks(build, jobs):
    """The C and C++ tests, in the build that is there, under valgrind, which also sees what happens inside the library."""
    if shutil.which("valgrind") is None:
        yield skipped("valgrind is missing. To have it: apt-get install valgrind")
        return
    yield from put_on_path(build, "redis-server")
    # Leaks are the address sanitizer's: here a child of a fork would be blamed for what its parent holds.
    valgrind = ["valgrind", "--quiet", "--fair-sched=try", "--error-exitcode=9"]
    programs = [program for standard in ("c11", "c++17") for program in sorted((build / "c-tests").glob(f"*.{standard}"))]
    for program in programs:
        if program.stem.startswith("redis") and not shutil.which("redis-server"):
            continue
        if program.stem != "memory":  # it measures memory, of which valgrind takes its own
            yield check(as_one, *valgrind, program)
    yield check(as_one, *valgrind, build / "c-tests" / "stress", "--seconds", "5")


GROUPS = {"test": (rust_checks, fuzz_checks, paper_checks, c_checks), "sanitize": (sanitizer_checks,), "memcheck": (memcheck_checks,)}


def main():
    if len(sys.argv) not in (3, 4) or (sys.argv[3:] or ["test"])[0] not in GROUPS:
        sys.exit(__doc__)
    build, jobs, group = Path(sys.argv[1]).resolve(), sys.argv[2], (sys.argv[3:] or ["test"])[0]
    os.environ.setdefault("CARGO_TARGET_DIR", str(Path("target").resolve()))
    counts = Counts()
    for checks in GROUPS[group]:
        for result in checks(build, jobs):
            counts.add(result)
    print(f"\n{counts}")
    sys.exit(counts.failed != 0)


CARGO = os.environ.get("CARGO") or shutil.which("cargo") or "cargo"

if __name__ == "__main__":
    main()
