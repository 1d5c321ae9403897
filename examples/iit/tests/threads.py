"""The same results, to the last digit, with every number of threads and with every cache and none; and threads that
share a cache compute nothing twice.

usage: threads.py PROGRAM NETWORK.json...
"""

import sys

from program import MODES, Checks, analyse

THREADS = (1, 2, 3, 8)
RESULTS = ("mice", "cuts", "phi")


def main():
    program, networks = sys.argv[1], sys.argv[2:]
    check = Checks()
    for network in networks:
        for measure in "emd", "l1":
            expected = analyse(program, network, "none", "--measure", measure)
            for mode in MODES:
                for threads in THREADS:
                    where = f"{network}, {measure}, {mode}, {threads} threads:"
                    report = analyse(program, network, mode, "--measure", measure, "--threads", str(threads))
                    check(report["threads"] == threads, where, "threads", report["threads"])
                    for part in RESULTS:
                        check(report[part] == expected[part], where, part, "differ from those without caches")
                    if mode in ("cuts", "disk"):
                        computed, cache = report["computed"], report["cache"]
                        for count, kind in ("repertoires", "repertoires"), ("small_phi_searches", "small_phi"):
                            check(computed[count] <= cache[kind]["size"], where, kind, "were computed twice", computed,
                                  cache[kind])
                        check(computed["uncut_mice"] == len(expected["mice"]), where, "MICE of the uncut system",
                              computed)
    check.finish()


main()
