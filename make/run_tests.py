#!/usr/bin/env python3
"""Runs a group of tests and checks, one after another, and counts the results: run_tests.py BUILD JOBS GROUP

GROUP is one of

    test      whether the library works here: the tests of Rust, C and C++ (one standard each), Julia and the examples
    check     all other checks: lints, other standards and compilers, the package and its consumers, sanitizers, the
              model checkers, the fuzz targets, PyPhi beside the library, two quick benchmarks; nothing of test runs
              again
    lint      everything compiles, and what the lints say of it: the part of check that needs no run
    sanitize  the long form of the sanitizers
    memcheck  the C and C++ tests under valgrind

A lint counts as one test; cargo test and CTest count their own. After a failure the rest still runs. At the end the
script prints the seconds of each step, what failed, what was skipped and why, and the totals; the exit status is 0 if
nothing failed.
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

import find_lemon
import find_pyphi
import find_tool
import fuzz
import old_debian


class Counts:
    def __init__(self, passed=0, failed=0):
        self.passed, self.failed = passed, failed
        self.skipped = []  # the reason, one for each test that did not run
        self.failures = []  # the end of what each failed test printed, where the runner tells which output is whose

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {len(self.skipped)} skipped"


class Steps:
    """The seconds of each command and whether it failed, for the table at the end."""
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
    """Runs `command` and shows its output as it comes; returns (whether it succeeded, its output)."""
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
    """A command that is one test."""
    return Counts(int(succeeded), int(not succeeded))


def as_cargo_counts(succeeded, output):
    counts = Counts()
    for result in re.findall(r"^test result: \w+\. (\d+) passed; (\d+) failed", output, re.MULTILINE):
        passed, failed = map(int, result)
        counts.add(Counts(passed, failed))
    # Some tests are ignored because another test runs each of them in a process of its own.
    reasons = re.findall(r"^test (\S+) \.\.\. ignored(?:, (.*))?$", output, re.MULTILINE)
    counts.skipped += [f"{name}: {why or 'ignored'}" for name, why in reasons
                       if why != "runs in a process of its own"]
    counts.skipped += re.findall(r"SKIPPED: (.*)", output)
    counts.failures += [end_of(name, text) for name, text in
                        re.findall(r"^---- (\S+) stdout ----\n(.*?)(?=^---- |^failures:$|\Z)", output,
                                   re.MULTILINE | re.DOTALL)]
    return counts


def end_of(name, output):
    """The name of a failed test, and the last lines of what it printed, before a list of its calls."""
    said = output.split("stack backtrace:")[0].strip().splitlines()
    return "\n    ".join([f"  {name}", *said[-LINES_OF_A_FAILURE:]])


def as_ctest_counts(report):
    """Counts from CTest's report in XML, because the summary that it prints differs between versions."""
    def count(succeeded, output):
        counts = Counts()
        if report.exists():
            for test in ElementTree.parse(report).getroot().iter("testcase"):
                skipped = test.find("skipped")
                if test.get("status") == "run":
                    counts.passed += 1
                elif skipped is not None and skipped.get("message", "").startswith("SKIP_RETURN_CODE"):
                    why = re.search(r"SKIPPED: (.*)", test.findtext("system-out") or "")
                    counts.skipped.append(f"{test.get('name')}: {why.group(1) if why else 'no reason given'}")
                else:  # it failed, or its program is missing
                    counts.failed += 1
                    counts.failures.append(end_of(test.get("name"), test.findtext("system-out") or ""))
        return counts
    return count


def check(count, *command):
    """Runs `command` and counts its tests; a runner that fails before its first test is one failure."""
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
    """A check with a component of the Rust toolchain that a minimal installation lacks."""
    if subprocess.run([CARGO, name, "--version"], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0:
        return check(as_one, *command)
    package = {"fmt": "rustfmt"}.get(name, name)
    return skipped(f"cargo {name} is missing; install it with: rustup component add {package}")


class Tools:
    """Finds and fetches programs in the background."""
    def __init__(self, build):
        fetching = concurrent.futures.ThreadPoolExecutor(1)
        self.found = {name: fetching.submit(find_tool.find, name, build)
                      for name in ("cmake", "redis-server", "openssl", "pkg-config", "julia")}
        self.found["lemon"] = fetching.submit(find_lemon.find, build)
        fetching.shutdown(wait=False)

    def __getitem__(self, name):
        return self.found[name].result()

    def put_on_path(self, *names):
        """Appends programs to the PATH, where tests look for them; yields a skip for each that is missing."""
        for name in names:
            if self[name] is None:
                yield skipped(f"{name} is missing; the tests that need it do not run")
            elif not shutil.which(name):
                os.environ["PATH"] += os.pathsep + str(Path(self[name]).parent)


def target():
    return Path(os.environ["CARGO_TARGET_DIR"])


def rust_tests(build, jobs, tools):
    # The library's own crate keeps one core busy for a minute, and many Rust tests mostly wait, so CMake's build
    # starts now, silently. c_tests runs it again, which takes no time, and shows its messages.
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
    if tools["lemon"] is None:
        yield skipped("LEMON is missing; examples/iit is not built and its tests do not run")
    yield from cmake_checks(tools, jobs, build, [*own_options(tools), "-DPHICACHE_CHECKS=OFF"])


def configured(tools, build):
    """The command with which c_tests configures."""
    return [tools["cmake"], "-S", ".", "-B", build, *own_options(tools), "-DPHICACHE_CHECKS=OFF"]


def own_options(tools):
    return [f"-DPHICACHE_CARGO_TARGET_DIR={target()}", f"-DPHICACHE_PKG_CONFIG={tools['pkg-config'] or ''}",
            f"-DPHICACHE_JULIA={tools['julia'] or ''}", *solver_options(tools)]


def solver_options(tools):
    """Where the headers of examples/iit's solver are, if CMake does not find them by itself."""
    return [f"-DPHICACHE_LEMON_INCLUDE_DIR={tools['lemon']}"] if tools["lemon"] else []


def lints(build, jobs, tools):
    beside = ["benches/inner/Cargo.toml", "benches/eviction/Cargo.toml", "benches/memory/Cargo.toml",
              "tests/loom/Cargo.toml"]
    for manifest in "Cargo.toml", "fuzz/Cargo.toml", "benches/disk/Cargo.toml", *beside:
        yield component("fmt", CARGO, "fmt", "--check", "--manifest-path", manifest)
    yield component("clippy", CARGO, "clippy", "--all-targets", "--quiet", "--", "-D", "warnings")
    for features in [], ["--features", "redis"]:
        yield component("clippy", CARGO, "clippy", "--no-default-features", *features, "--quiet", "--", "-D",
                        "warnings")
    for manifest in beside:
        yield component("clippy", CARGO, "clippy", "--manifest-path", manifest, "--all-targets", "--quiet", "--",
                        "-D", "warnings")
    # These two use inner functions of the library that nothing else does, in builds of their own.
    for cfg, *where in ("shuttle", "--no-default-features", "--test", "shuttle"), \
                       ("fuzzing", "--manifest-path", "fuzz/Cargo.toml"):
        yield component("clippy", "env", f"RUSTFLAGS=--cfg {cfg}", CARGO, "clippy", *where, "--quiet",
                        "--target-dir", str(target() / f"clippy-{cfg}"), "--", "-D", "warnings")


def rust_checks(build, jobs, tools):
    yield check(as_cargo_counts, CARGO, "test", "--no-default-features", "--test", "built_out")
    # Every error at every file operation of a disk cache; the tests try some of them.
    yield check(as_cargo_counts, "env", "PHICACHE_DISK_FAULTS=all", CARGO, "test", "--test", "disk_faults")
    # shuttle replaces the locks of the whole library, so it needs a build of its own, without Redis.
    yield check(as_cargo_counts, "env", "RUSTFLAGS=--cfg shuttle", CARGO, "test", "--release", "--no-default-features",
                "--test", "shuttle", "--target-dir", str(target() / "shuttle"))
    # loom checks a model of the library under weak memory.
    yield check(as_cargo_counts, CARGO, "test", "--release", "--manifest-path", "tests/loom/Cargo.toml")


def fuzz_checks(build, jobs, tools):
    """Each fuzz target for four seconds; make fuzz is the long form."""
    for name in fuzz.targets():
        yield check(as_one, sys.executable, "-B", "make/fuzz.py", build, "4", name)


def bench_checks(build, jobs, tools):
    """Whether benchmarks still run that nothing else builds."""
    for name in "bench-eviction", "bench-memory":
        yield check(as_one, "make", name, "QUICK=1", f"BUILD={build}", f"JOBS={jobs}")


def paper_checks(build, jobs, tools):
    """Checks that read files other than code: dependencies, pages, the API reference."""
    yield check(as_one, sys.executable, "-B", "make/check_dependencies.py")
    yield check(as_one, sys.executable, "-B", "make/check_docs.py")
    if find_tool.find("doxygen", Path(build).resolve()):
        yield check(as_one, sys.executable, "-B", "make/docs.py", build)
    else:
        yield skipped("doxygen is missing, and could not be fetched")


def cmake_checks(tools, jobs, build, options, only=()):
    """Configures and builds with these options and runs CTest; `only` are CTest options that choose tests."""
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
    # More tests at once than cores: many mostly wait, for servers or for each other.
    yield check(as_ctest_counts(report), ctest, "--test-dir", build, "-j", str(2 * int(jobs)), "--output-on-failure",
                "--output-junit", report, *only)


def c_checks(build, jobs, tools):
    """The C and C++ tests that c_tests leaves out, then all of them under sanitizers."""
    yield from cmake_checks(tools, jobs, build, [*own_options(tools), "-DPHICACHE_CHECKS=ON"], ("-L", "check"))
    # Only C and C++ are instrumented; make sanitize also instruments the Rust side.
    if has_sanitizer("address,undefined"):
        yield from cmake_checks(tools, jobs, build / "sanitize",
                                [f"-DPHICACHE_CARGO_TARGET_DIR={target()}", *solver_options(tools),
                                 "-DPHICACHE_SANITIZE=address,undefined"])
    else:
        yield skipped("sanitizers: this c++ does not support -fsanitize=address,undefined")


def dist_checks(build, jobs, tools):
    """The release archive for this machine's architecture, used with the libraries of Debian 11."""
    if not old_debian.OldDebian(build, os.uname().machine).fetch():
        yield skipped("the release archive: Debian 11's libraries could not be fetched")
        return
    def count(succeeded, output):
        counts = as_one(succeeded, output)
        counts.skipped += re.findall(r"SKIPPED: (.*)", output)
        return counts
    yield check(count, sys.executable, "-B", "make/check_dist.py", build, jobs)


def truth_checks(build, jobs, tools):
    """Three networks computed by PyPhi with its own caches and with the library; make truth is the long form."""
    try:
        python = find_pyphi.find(build)
    except find_pyphi.Unavailable as reason:
        yield skipped(f"PyPhi could not be installed, so nothing is compared with it: {reason}")
        return
    server = ["--redis-server", tools["redis-server"]] if tools["redis-server"] else []
    yield check(as_one, sys.executable, "-B", "tests/truth/compare.py", python, build / "libphicache.so", *server,
                "--short")


def has_sanitizer(sanitizer):
    """Whether the compiler supports a sanitizer."""
    program = subprocess.run(["c++", f"-fsanitize={sanitizer}", "-x", "c++", "-", "-o", "/dev/null"],
                             input="int main() {}", text=True, capture_output=True)
    return program.returncode == 0


def sanitizer_checks(build, jobs, tools):
    """The long form: Rust, C and C++ instrumented, with SECONDS of stress under each sanitizer."""
    # Without recursion: the thread sanitizer keeps the stack of every allocation, which is gigabytes at that depth.
    about_threads = "^(stress|threads|flight|lease|fork|fork_threads|registry|memo|memoize|mice)\\."
    for sanitizer, only in ("address,undefined", ()), ("thread", ("-R", about_threads)):
        if not has_sanitizer(sanitizer):
            yield skipped(f"sanitizers: this c++ does not support -fsanitize={sanitizer}")
            continue
        name = sanitizer.split(",")[0]
        folder = build / f"sanitize-{name}"
        options = [f"-DPHICACHE_CARGO_TARGET_DIR={target() / name}", *solver_options(tools),
                   f"-DPHICACHE_SANITIZE={sanitizer}", "-DPHICACHE_SANITIZE_RUST=ON"]
        yield from cmake_checks(tools, jobs, folder, options, only)
        yield check(as_one, folder / "c-tests" / "stress", "--seconds", os.environ.get("SECONDS", "60"))


def memcheck_checks(build, jobs, tools):
    """The C and C++ tests of the existing build under valgrind, which also checks the library's own code."""
    found = find_tool.find("valgrind", build)
    if found is None:
        yield skipped("memcheck: valgrind is missing; a message above says what to do")
        return
    yield from tools.put_on_path("redis-server")
    # No leak check (the address sanitizer does that): a forked child would be blamed for what its parent holds.
    valgrind = [found, "--quiet", "--fair-sched=try", "--error-exitcode=9"]
    programs = [program for standard in ("c11", "c++17")
                for program in sorted((build / "c-tests").glob(f"*.{standard}"))]
    for program in programs:
        if program.stem.startswith("redis") and not shutil.which("redis-server"):
            continue
        # Both measure the process's memory, valgrind's included; and fork_threads reads memory that it must not, on
        # purpose.
        if program.stem not in ("memory", "fork", "fork_threads"):
            yield check(as_one, *valgrind, program)
    yield check(as_one, *valgrind, build / "c-tests" / "stress", "--seconds", "5")


GROUPS = {"test": (rust_tests, c_tests), "lint": (lints, paper_checks),
          "check": (lints, paper_checks, rust_checks, c_checks, dist_checks, truth_checks, fuzz_checks,
                    bench_checks),
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
    if counts.failures:
        print("\nfailed, with the last lines of output", *counts.failures, sep="\n")
    print(f"\n{counts}")
    sys.exit(counts.failed != 0)


LINES_OF_A_FAILURE = 12
CARGO = os.environ.get("CARGO") or shutil.which("cargo") or "cargo"

if __name__ == "__main__":
    main()
