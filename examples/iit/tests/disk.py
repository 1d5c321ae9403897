"""Analyses with their results on disk: a second run computes nothing, several processes compute each of them once, and
neither a killed process nor a failing file system changes a result.

usage: disk.py PROGRAM NETWORK.json...
"""

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from program import Checks, analyse

RESULTS = ("mice", "cuts", "phi")
ON_DISK = ("small_phi_searches", "distances", "uncut_mice")  # the others each process computes where it needs them


def start(program, network, directory, *arguments):
    return subprocess.Popen([program, network, "--json", "--cache", "disk", "--directory", directory, *arguments],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    """The JSON report of a successful run."""
    out, err = process.communicate(timeout=600)
    if process.returncode != 0 or err:
        raise SystemExit(f"{process.args}: exit status {process.returncode}: {err}")
    return json.loads(out)


def run(*arguments):
    return finish(start(*arguments))


def compare(check, where, expected, report):
    for part in RESULTS:
        check(report[part] == expected[part], where, part, "differ from those without caches")
    check(report["disk"]["failures"] + report["disk"]["damaged"] == 0, where, report["disk"])


def total(*reports):
    return [sum(report["computed"][name] for report in reports) for name in ON_DISK]


def nothing(report):
    return not any(report["computed"].values())


def the_second_run_computes_nothing(check, program, network, expected, alone):
    for options in ["--threads", "1"], ["--threads", "3"], ["--measure", "l1"], ["--no-distances"]:
        where = f"{network} {options}:"
        l1 = "l1" in options
        right = analyse(program, network, "none", *options) if l1 else expected
        with tempfile.TemporaryDirectory(prefix="phicache-iit-") as directory:
            first, second = run(program, network, directory, *options), run(program, network, directory, *options)
            for report in first, second:
                compare(check, where, right, report)
            if "--threads" in options:
                check(first["computed"] == alone["computed"], where, "the first run computed", first["computed"])
            check(nothing(second), where, "the second run computed", second["computed"])
            check("first_seconds" not in first["disk"], where, first["disk"])
            check(second["disk"].get("first_seconds", 0) > 0, where, second["disk"])
            check(first["disk"]["directory"] == directory, where, first["disk"])


def another_measure_reads_nothing(check, program, network, alone):
    with tempfile.TemporaryDirectory(prefix="phicache-iit-") as directory:
        run(program, network, directory, "--measure", "l1")
        computed = run(program, network, directory)["computed"]
        check(computed == alone["computed"], network, "read what is of another measure", computed)


def several_processes_compute_each_result_once(check, program, network, expected, alone):
    with tempfile.TemporaryDirectory(prefix="phicache-iit-") as directory:
        three = run(program, network, directory, "--processes", "3", "--threads", "2")
        fourth = run(program, network, directory)
        for report in three, fourth:
            compare(check, f"three at once, {network}:", expected, report)
        check(total(three) == total(alone), network, "three at once computed", three["computed"])
        check(nothing(fourth), network, "a fourth computed", fourth["computed"])
    with tempfile.TemporaryDirectory(prefix="phicache-iit-") as directory:
        reports = [finish(process) for process in [start(program, network, directory) for _ in range(3)]]
        check(total(*reports) == total(alone), network, "three, started one by one, computed", total(*reports))


def stored(directory):
    total = 0
    for path in Path(directory).rglob("*"):
        # A temporary file may get its name between the two steps.
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def wait_until_stored(directory, size, process):
    while stored(directory) < size and process.poll() is None:
        time.sleep(0.001)


def a_killed_process_does_not_hinder(check, program, network, expected, alone):
    with tempfile.TemporaryDirectory(prefix="phicache-iit-") as whole:
        run(program, network, whole)
        half = stored(whole) / 2
    with tempfile.TemporaryDirectory(prefix="phicache-iit-") as directory:
        doomed, *others = [start(program, network, directory) for _ in range(3)]
        wait_until_stored(directory, half, doomed)
        doomed.kill()
        out, _ = doomed.communicate()
        reports = [finish(process) for process in others]
        for report in reports:
            compare(check, f"one of three killed, {network}:", expected, report)
        if doomed.returncode == -signal.SIGKILL:
            for name, number, most in zip(ON_DISK, total(*reports), total(alone)):
                check(number <= most, network, "two of three computed", name, number, "of", most)
        fourth = run(program, network, directory)
        compare(check, f"after one was killed, {network}:", expected, fourth)
        check(nothing(fourth), network, "a fourth computed", fourth["computed"])


def children(process):
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def the_program_goes_on_without_a_killed_process(check, program, network, expected):
    with tempfile.TemporaryDirectory(prefix="phicache-iit-") as directory:
        process = start(program, network, directory, "--processes", "3")
        doomed = []
        while len(doomed) < 3 and process.poll() is None:
            doomed = children(process.pid)
        os.kill(doomed[1], signal.SIGKILL)
        out, err = process.communicate(timeout=600)
        check(process.returncode == 0 and "process 2 of 3 was killed by signal 9" in err, "one of three killed:", err)
        compare(check, f"one of three killed, {network}:", expected, json.loads(out))


def a_directory_that_cannot_be_made_is_an_error(check, program, network):
    for more in [], ["--processes", "2"]:
        process = start(program, network, "/proc/nowhere", *more)
        out, err = process.communicate(timeout=600)
        check(process.returncode == 1 and "/proc/nowhere" in err and not out, "a directory below /proc:", err)


def the_command_line_is_checked(check, program, network):
    for arguments, words in ((["--cache", "dict", "--directory", "/tmp/x"], "--directory needs --cache disk"),
                             (["--cache", "disk", "--directory", ""], "--directory is ''"),
                             (["--cache", "disk", "--reuse", "parent"], "--cache disk needs --reuse cuts"),
                             (["--cache", "dict", "--processes", "2"], "--processes needs"),
                             (["--processes", "2"], "--processes needs"),
                             (["--cache", "disk", "--processes", "0"], "a number from 1 to 64")):
        done = subprocess.run([program, network, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        check(done.returncode == 2 and words in done.stderr and not done.stdout, arguments, done.stderr)


def failures_are_told_with_what_failed(check, program, network):
    """A store fails where RLIMIT_FSIZE forbids a file with this record alone; else files end before they are longer."""
    with tempfile.TemporaryDirectory(prefix="phicache-iit-") as directory:
        for longest, fails in (300, True), (1000, False):
            def limit():
                resource.setrlimit(resource.RLIMIT_FSIZE, (longest, longest))
            where = f"{directory}/{longest}"
            done = subprocess.run([program, network, "--cache", "disk", "--directory", where], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=600, preexec_fn=limit)
            failed = re.search(rf"reuse cuts, {where}: (1 file operation|[\d,]+ file operations) failed;", done.stdout)
            told = failed and "the last failure: cannot append to" in done.stdout
            check(done.returncode == 0 and (told if fails else not failed), done.stdout)


def the_text_says_what_the_directory_saved(check, program, network):
    with tempfile.TemporaryDirectory(prefix="phicache-iit-") as directory:
        def text(*arguments):
            return subprocess.run([program, network, "--directory", directory, *arguments], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=600).stdout
        comparison = text()
        for words in ("on disk, first run", "on disk, second run", "on disk, 2 at once",
                      "Every phi is the same in all runs.", "The second run on disk computes nothing"):
            check(words in comparison, "missing from the comparison:", words, comparison)
        again = text()
        check("is not empty" in again and "--cache disk" in again and "first run" in again, "a second comparison:",
              again)
        single = text("--cache", "disk")
        for words in directory, "this run computed nothing", "the first run took":
            check(words in single, "missing from the report:", words, single)


def main():
    program, networks = sys.argv[1], sys.argv[2:]
    for variable in "PHICACHE_REDIS_URL", "PHICACHE_DISK_DIRECTORY":
        os.environ.pop(variable, None)
    check = Checks()
    for network in networks:
        expected, alone = analyse(program, network, "none"), analyse(program, network, "cuts")
        the_second_run_computes_nothing(check, program, network, expected, alone)
        another_measure_reads_nothing(check, program, network, alone)
        several_processes_compute_each_result_once(check, program, network, expected, alone)
        a_killed_process_does_not_hinder(check, program, network, expected, alone)
        the_program_goes_on_without_a_killed_process(check, program, network, expected)
    a_directory_that_cannot_be_made_is_an_error(check, program, networks[0])
    the_command_line_is_checked(check, program, networks[0])
    failures_are_told_with_what_failed(check, program, networks[0])
    the_text_says_what_the_directory_saved(check, program, networks[0])
    check.finish()


main()
