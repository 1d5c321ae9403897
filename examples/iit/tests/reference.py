"""All results of PyPhi 1.2.0 in the network files, compared with the program in each of its modes.

usage: reference.py PROGRAM NETWORK.json...
"""

import json
import sys

from program import CACHES, MODES, Checks, analyse

MICE_TOLERANCE = 2e-6
CUT_TOLERANCE = 2e-5
COUNTS = ("repertoires", "single_node_repertoires", "small_phi_searches")


def compare(check, where, expected, report):
    mice = {(m["direction"], tuple(m["mechanism"])): m for m in report["mice"]}
    check(len(mice) == len(report["mice"]) == len(expected["mice"]), where, "number of MICE", len(mice))
    for answer in expected["mice"]:
        key = answer["direction"], tuple(answer["mechanism"])
        ours = mice[key]
        check(abs(ours["phi"] - answer["phi"]) <= MICE_TOLERANCE, where, key, ours["phi"], "expected", answer["phi"])
        if len(answer["purviews_tied"]) == 1:
            check(ours["purview"] == answer["purviews_tied"][0], where, key, "purview", ours["purview"])

    cuts = {(tuple(c["from"]), tuple(c["to"])): c["phi"] for c in report["cuts"]}
    check(len(cuts) == len(report["cuts"]) == len(expected["cuts"]), where, "number of cuts", len(cuts))
    for answer in expected["cuts"]:
        key = tuple(answer["from"]), tuple(answer["to"])
        check(abs(cuts[key] - answer["phi"]) <= CUT_TOLERANCE, where, "cut", key, cuts[key], "expected", answer["phi"])
    check(abs(report["phi"] - expected["phi"]) <= CUT_TOLERANCE, where, "phi", report["phi"])
    check(CACHES <= set(report["cache"]), where, "caches", sorted(report["cache"]))


def main():
    program, networks = sys.argv[1], sys.argv[2:]
    check = Checks()
    for network in networks:
        with open(network) as file:
            expected = json.load(file)
        computed = {}
        for mode in MODES:
            report = analyse(program, network, mode, "--measure", expected["config"]["measure"].lower())
            check(report["measure"] == expected["config"]["measure"].lower(), network, "measure", report["measure"])
            compare(check, f"{network}, {mode}:", expected, report)
            computed[mode] = report["computed"]
            used = sum(cache["hits"] + cache["misses"] for cache in report["cache"].values())
            check((used > 0) == (mode != "none"), network, mode, "caches were used", used, "times")
        if expected["config"]["measure"] == "EMD":
            distances = [computed[mode]["distances"] for mode in MODES]
            check(distances.pop() == distances[-1], network, "distances on disk", computed)
            check(distances == sorted(distances, reverse=True), network, "distances", computed)
            check(distances[2] < distances[1], network, "the memo of distances saves nothing", distances)
        for count in COUNTS:
            none, parent, cuts = (computed[mode][count] for mode in ("none", "parent", "cuts"))
            check(cuts <= parent <= none, network, count, computed)
            if expected["size"] >= 5:
                check(2 * cuts <= parent, network, count, "cuts", cuts, "parent", parent)
    check.finish()


main()
