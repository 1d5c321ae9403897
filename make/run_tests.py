#!/usr/bin/env python3
"""Runs tests and checks of the project, one after another, and counts: run_tests.py BUILD JOBS GROUP

GROUP is one of

    test      whether the library works here: the tests of Rust, of C and C++ in one standard each, of Julia, of the examples
    check     everything else: lints, other standards and compilers, the package and its consumers, sanitizers, the model
              checkers, the fuzz targets; what test runs is not run again
    sanitize  the long form of the sanitizers
    memcheck  the C and C++ tests under valgrind

A lint counts as one test; the rest is counted by its own runner, cargo test or CTest. A failure does not keep the later
ones from running. At the end stand the seconds of each step, what was skipped and why, what failed, and the sum; the exit
status is 0 when nothing failed.
"""

import collections
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from xml.etree import ElementTree

import find_julia
import find_tool
import fuzz


class Counts:
    def __init__(self, passed=0, failed=0):
        self.passed, self.failed = passed, failed
        self.skipped = []  # why, one for each test that did not run

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {len(self.skipped)} skipped"


class Steps:
    """What each command took, for the table at the end, and which of them failed."""
    def __init__(self):
        self.rows = []

    def add(self, command, seconds, failed):
        self.rows.append((command, seconds, failed))

    def show(self):
        print("\nseconds")
        for command, seconds, failed in self.rows:
            print(f"{seconds:7.0f}  {'FAILED  ' if failed else ''}{command}")
        print(f"{sum(seconds for _, seconds, _ in self.rows):7.0f}  all")


STEPS = Steps()


def run(*command):
    """Runs `command`, showing what it prints as it comes; gives (whether it succeeded, what it printed)."""
    shown = " ".join(map(str, command)).replace(f"{Path.cwd()}/", "")
    print(f"\n$ {shown}", flush=True)
    started, lines = time.monotonic(), []
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace") as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    STEPS.add(shown, time.monotonic() - started, process.returncode != 0)
    return process.returncode == 0, "".join(lines)


def as_one(succeeded, output):
    """A check that is one test."""
    return Counts(int(succeeded), int(not succeeded))


def as_cargo_counts(succeeded, output):
    counts = Counts()
    for result in re.findall(r"^test result: \w+\. (\d+) passed; (\d+) failed", output, re.MULTILINE):
        passed, failed = map(int, result)
        counts.add(Counts(passed, failed))
    # Some are ignored because other tests run them, each in a process of its own.
    reasons = re.findall(r"^test (\S+) \.\.\. ignored(?:, (.*))?$", output, re.MULTILINE)
    counts.skipped += [f"{name}: {why or 'ignored'}" for name, why in reasons if why != "runs in a process of its own"]
    counts.skipped += re.findall(r"SKIPPED: (.*)", output)
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
                    why = re.search(r"SKIPPED: (.*)", test.findtext("system-out") or "")
                    counts.skipped.append(f"{test.get('name')}: {why.group(1) if why else 'it does not say why'}")
                else:  # it failed, or its program is not there
                    counts.failed += 1
        return counts
    return count


def check(count, *command):
    """Runs `command` and counts its tests; a runner that failed before it could count is one failure."""
    succeeded, output = run(*command)
    counts = count(succeeded, output)
    if not succeeded and counts.failed == 0:
        counts.failed = 1
    if succeeded and counts.passed == 0:
        print(f"{command[0]} ran no test.")
        counts.failed += 1
    return counts


def skipped(reason):
    print(f"\nSKIPPED: {reason}", flush=True)
    counts = Counts()
    counts.skipped.append(reason)
    return counts


def component(name, *command):
    """A check by a part of the Rust toolchain that a minimal one lacks."""
    if subprocess.run([CARGO, name, "--version"], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0:
        return check(as_one, *command)
    package = {"fmt": "rustfmt"}.get(name, name)
    return skipped(f"cargo {name}: it is missing. To have it: rustup component add {package}")


class Tools:
    """Looks for programs, and fetches them, while something else is running already."""
    def __init__(self, build):
        fetching = concurrent.futures.ThreadPoolExecutor(1)
        self.found = {name: fetching.submit(find_tool.find, name, build)
                      for name in ("cmake", "redis-server", "openssl", "pkg-config")}
        self.found["julia"] = fetching.submit(find_julia.find, build)
        fetching.shutdown(wait=False)

    def __getitem__(self, name):
        return self.found[name].result()

    def put_on_path(self, *names):
        """Puts programs on the PATH, where tests look for them; says which are missing, and so what they will not test."""
        for name in names:
            if self[name] is None:
                yield skipped(f"{name}: it is missing, so no test tests what needs it")
            elif not shutil.which(name):
                os.environ["PATH"] += os.pathsep + str(Path(self[name]).parent)


def target():
    return Path(os.environ["CARGO_TARGET_DIR"])


def rust_tests(build, jobs, tools):
    # The library's own crate keeps one core busy for a minute, and many tests of Rust mostly wait; so CMake's build begins
    # now. What there is to say about it is said by c_tests, which does the same again, in no time.
    def build_ahead():
        for step in configured(tools, build), [tools["cmake"], "--build", build, "-j", jobs]:
            if tools["cmake"]:
                subprocess.run(step, stdin=subprocess.DEVNULL, capture_output=True)
    ahead = threading.Thread(target=build_ahead)
    ahead.start()
    run(CARGO, "test", "--no-run")
    yield from tools.put_on_path("redis-server", "openssl")
    yield check(as_cargo_counts, CARGO, "test", "--no-fail-fast")
    ahead.join()


def c_tests(build, jobs, tools):
    """The tests of C, C++, Julia and the examples."""
    yield from cmake_checks(tools, jobs, build, [*own_options(tools), "-DPHICACHE_CHECKS=OFF"])


def configured(tools, build):
    """The command by which c_tests has CMake configure."""
    return [tools["cmake"], "-S", ".", "-B", build, *own_options(tools), "-DPHICACHE_CHECKS=OFF"]


def own_options(tools):
    return [f"-DPHICACHE_CARGO_TARGET_DIR={target()}", f"-DPHICACHE_PKG_CONFIG={tools['pkg-config'] or ''}",
            f"-DPHICACHE_JULIA={tools['julia'] or ''}"]


def rust_checks(build, jobs, tools):
    for manifest in "Cargo.toml", "fuzz/Cargo.toml", "benches/inner/Cargo.toml", "tests/loom/Cargo.toml":
        yield component("fmt", CARGO, "fmt", "--check", "--manifest-path", manifest)
    yield component("clippy", CARGO, "clippy", "--all-targets", "--quiet", "--", "-D", "warnings")
    for features in [], ["--features", "redis"]:
        yield component("clippy", CARGO, "clippy", "--no-default-features", *features, "--quiet", "--", "-D", "warnings")
    for manifest in "benches/inner/Cargo.toml", "tests/loom/Cargo.toml":
        yield component("clippy", CARGO, "clippy", "--manifest-path", manifest, "--all-targets", "--quiet", "--",
                        "-D", "warnings")
    yield check(as_cargo_counts, CARGO, "test", "--no-default-features", "--test", "built_out")
    # The model checker exchanges the locks of the whole library, so it has a build of its own; of Redis it has none.
    yield check(as_cargo_counts, "env", "RUSTFLAGS=--cfg shuttle", CARGO, "test", "--release", "--no-default-features", "--test",
                "shuttle", "--target-dir", str(target() / "shuttle"))
    # The other model checker knows weak memory, and runs a model of the library.
    yield check(as_cargo_counts, CARGO, "test", "--release", "--manifest-path", "tests/loom/Cargo.toml")


def fuzz_checks(build, jobs, tools):
    """A few seconds of each fuzz target; make fuzz is the long form."""
    for name in fuzz.targets():
        yield check(as_one, sys.executable, "-B", "make/fuzz.py", build, "4", name)


def paper_checks(build, jobs, tools):
    """What stands in files beside the code: dependencies, pages, and the API reference."""
    yield check(as_one, sys.executable, "-B", "make/check_dependencies.py")
    yield check(as_one, sys.executable, "-B", "make/check_docs.py")
    if shutil.which("doxygen"):
        yield check(as_one, sys.executable, "-B", "make/docs.py", build)
    else:
        yield skipped("doxygen: it is missing; make docs fetches it")


def cmake_checks(tools, jobs, build, options, only=()):
    """CMake's build with these options, and its tests, or those chosen, which CTest runs."""
    cmake = tools["cmake"]
    if cmake is None:
        yield as_one(False, "")
        return
    yield from tools.put_on_path("redis-server")
    for step in [cmake, "-S", ".", "-B", build, *options], [cmake, "--build", build, "-j", jobs]:
        succeeded, _ = run(*step)
        if not succeeded:
            yield as_one(False, "")
            return
    ctest = Path(cmake).with_name("ctest")
    report = build / "ctest.xml"
    report.unlink(missing_ok=True)
    # Many tests mostly wait, for servers and for each other; none minds company.
    yield check(as_ctest_counts(report), ctest, "--test-dir", build, "-j", str(2 * int(jobs)), "--output-on-failure",
                "--output-junit", report, *only)


def c_checks(build, jobs, tools):
    """What c_tests leaves; then the tests of C and C++ again under sanitizers."""
    yield from cmake_checks(tools, jobs, build, [*own_options(tools), "-DPHICACHE_CHECKS=ON"], ("-L", "check"))
    # The library itself is the same archive; make sanitize instruments that too.
    if has_sanitizer("address,undefined"):
        yield from cmake_checks(tools, jobs, build / "sanitize", [f"-DPHICACHE_CARGO_TARGET_DIR={target()}",
                                                                  "-DPHICACHE_SANITIZE=address,undefined"])
    else:
        yield skipped("the sanitizers: this c++ has no -fsanitize=address,undefined")


def has_sanitizer(sanitizer):
    """Whether the compiler can make programs for it."""
    program = subprocess.run(["c++", f"-fsanitize={sanitizer}", "-x", "c++", "-", "-o", "/dev/null"],
                             input="int main() {}", text=True, capture_output=True)
    return program.returncode == 0


def sanitizer_checks(build, jobs, tools):
    """The long form: Rust, C and C++ instrumented, by one sanitizer after the other, and a minute of stress under each."""
    # Not recursion: the thread sanitizer keeps the whole stack of every allocation, gigabytes where calls nest so deep.
    about_threads = "^(stress|threads|flight|lease|fork|registry|memo|memoize|mice)\\."
    for sanitizer, only in ("address,undefined", ()), ("thread", ("-R", about_threads)):
        if not has_sanitizer(sanitizer):
            yield skipped(f"the {sanitizer} sanitizer: this c++ has none")
            continue
        name = sanitizer.split(",")[0]
        folder = build / f"sanitize-{name}"
        options = [f"-DPHICACHE_CARGO_TARGET_DIR={target() / name}",
                   f"-DPHICACHE_SANITIZE={sanitizer}", "-DPHICACHE_SANITIZE_RUST=ON"]
        yield from cmake_checks(tools, jobs, folder, options, only)
        yield check(as_one, folder / "c-tests" / "stress", "--seconds", os.environ.get("SECONDS", "60"))


def memcheck_checks(build, jobs, tools):
    """The C and C++ tests, in the build that is there, under valgrind, which also sees what happens inside the library."""
    if shutil.which("valgrind") is None:
        yield skipped("memcheck: valgrind is missing. To have it, on Debian: apt-get install valgrind")
        return
    yield from tools.put_on_path("redis-server")
    # Leaks are the address sanitizer's: here a child of a fork would be blamed for what its parent holds.
    valgrind = ["valgrind", "--quiet", "--fair-sched=try", "--error-exitcode=9"]
    programs = [program for standard in ("c11", "c++17") for program in sorted((build / "c-tests").glob(f"*.{standard}"))]
    for program in programs:
        if program.stem.startswith("redis") and not shutil.which("redis-server"):
            continue
        if program.stem != "memory":  # it measures memory, of which valgrind takes its own
            yield check(as_one, *valgrind, program)
    yield check(as_one, *valgrind, build / "c-tests" / "stress", "--seconds", "5")


GROUPS = {"test": (rust_tests, c_tests), "check": (rust_checks, paper_checks, c_checks, fuzz_checks),
          "sanitize": (sanitizer_checks,), "memcheck": (memcheck_checks,)}


def main():
    if len(sys.argv) != 4 or sys.argv[3] not in GROUPS:
        sys.exit(__doc__)
    build, jobs, group = Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3]
    os.environ.setdefault("CARGO_TARGET_DIR", str(Path("target").resolve()))
    tools, counts = Tools(build), Counts()
    for checks in GROUPS[group]:
        for result in checks(build, jobs, tools):
            counts.add(result)
    STEPS.show()
    if counts.skipped:
        print("\nskipped")
        for reason, times in collections.Counter(counts.skipped).items():
            print(f"  {reason}" + (f" ({times} times)" if times > 1 else ""))
    print(f"\n{counts}")
    sys.exit(counts.failed != 0)


CARGO = os.environ.get("CARGO") or shutil.which("cargo") or "cargo"

if __name__ == "__main__":
    main()
