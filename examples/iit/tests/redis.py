"""Analyses that share their MICE in Redis: a run does not compute again what another has stored, and no server failure
changes a result.

usage: redis.py PROGRAM NETWORK.json...
"""

import json
import os
import subprocess
import sys
import time

import redis_server
from program import Checks, analyse

RESULTS = ("mice", "cuts", "phi")


def start(program, network, url, *arguments, **environment):
    return subprocess.Popen([program, network, "--json", "--cache", "redis", "--redis-url", url, *arguments],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment})


def finish(process):
    """The JSON report of a successful run."""
    out, err = process.communicate(timeout=600)
    if process.returncode != 0 or err:
        raise SystemExit(f"{process.args}: exit status {process.returncode}: {err.decode()}")
    return json.loads(out)


def shared(*arguments, **environment):
    return finish(start(*arguments, **environment))


def compare(check, where, expected, report):
    for part in RESULTS:
        check(report[part] == expected[part], where, part, "differ from those without caches")


def the_second_run_computes_no_mice(check, program, network, server):
    expected = analyse(program, network, "none")
    server.ask("FLUSHALL")
    reports = [shared(program, network, server.url, "--reuse", reuse) for reuse in ("parent", "parent", "cuts")]
    for report in reports:
        compare(check, network, expected, report)
        check(report["redis"]["failures"] + report["redis"]["refusals"] == 0, network, report["redis"])
        check(report["cache"]["mice"]["size"] == len(expected["mice"]), network, "records", report["cache"]["mice"])
    computed = [report["computed"]["uncut_mice"] for report in reports]
    check(computed == [len(expected["mice"]), 0, 0], network, "MICE of the uncut system computed", computed)
    searches = [report["computed"]["small_phi_searches"] for report in reports[:2]]
    check(searches[1] < searches[0] or searches == [0, 0], network, "searches for small phi", searches)


def two_at_once_are_right(check, program, network, server):
    expected = analyse(program, network, "none")
    server.ask("FLUSHALL")
    for report in [finish(run) for run in [start(program, network, server.url) for _ in range(2)]]:
        compare(check, f"two at once, {network}:", expected, report)
    check(shared(program, network, server.url)["computed"]["uncut_mice"] == 0, network, "a third computes MICE")


def the_environment_says_where(check, program, network, server):
    environment = {**os.environ, "PHICACHE_REDIS_URL": server.url, "PHICACHE_REDIS_NAMESPACE": "lab"}
    arguments = [program, network, "--json", "--cache", "redis"]
    for computes in True, False:
        report = finish(subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment))
        check((report["computed"]["uncut_mice"] > 0) == computes, "by the environment:", report["computed"])
    check(report["redis"]["url"] == server.url, "the URL that is shown", report["redis"])


def the_comparison_ends_with_processes_that_share(check, program, network, server):
    server.ask("FLUSHALL")
    done = subprocess.run([program, network, "--redis-url", server.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=600)
    for words in "+ Redis, 1st process", "  Redis, 2nd process", "Every phi is the same in all runs.":
        check(done.returncode == 0 and words in done.stdout, "missing from the comparison:", words, done)


def a_dead_server_changes_nothing(check, program, network):
    expected = analyse(program, network, "none")
    url = "redis://worker:hunter2@127.0.0.1:1"
    report = shared(program, network, url)
    compare(check, f"without a server, {network}:", expected, report)
    check(report["redis"]["failures"] > 0 and report["redis"]["last_error"], "without a server", report["redis"])
    check(report["computed"]["uncut_mice"] == len(expected["mice"]), "without a server", report["computed"])
    text = subprocess.run([program, network, "--cache", "redis", "--redis-url", url], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=600)
    for words in (f"phi = {expected['phi']}", "redis, reuse cuts", "1 request failed",
                  "the last failure: GET at 127.0.0.1:1"):
        check(words in text.stdout.decode(), "missing without a server:", words)
    check(text.returncode == 0 and b"hunter2" not in text.stdout + text.stderr, "without a server", text)


def a_server_that_is_killed_changes_nothing(check, program, network, server):
    expected = analyse(program, network, "cuts")
    run = start(program, network, server.url, PHICACHE_REDIS_NAMESPACE="killed")
    time.sleep(expected["seconds"] / 2)
    server.kill()
    compare(check, f"the server killed, {network}:", expected, finish(run))


def main():
    program, networks = sys.argv[1], sys.argv[2:]
    redis = redis_server.find()
    if redis is None:
        sys.exit(77)
    check = Checks()
    with redis_server.Server(redis) as server:
        for network in networks:
            the_second_run_computes_no_mice(check, program, network, server)
            two_at_once_are_right(check, program, network, server)
        the_environment_says_where(check, program, networks[0], server)
        the_comparison_ends_with_processes_that_share(check, program, networks[0], server)
        a_dead_server_changes_nothing(check, program, networks[0])
        for network in networks:
            with redis_server.Server(redis) as doomed:
                a_server_that_is_killed_changes_nothing(check, program, network, doomed)
    check.finish()


main()
