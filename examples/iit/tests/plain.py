"""A second implementation of the algorithm, as simple as possible, compared with the program on random networks, with
both measures.

No tables, no masks, no shortcuts: every average runs over all states of the network, every purview is tried, nothing is
inherited. The networks are small and awkward: connections missing at random, nodes without inputs, self loops, states
that nothing leads to, deterministic and noisy nodes.

usage: plain.py PROGRAM NUMBER_OF_NETWORKS [SEED]
"""

import collections
import itertools
import json
import os
import random
import sys
import tempfile

from program import MODES, Checks, analyse

CAUSE, EFFECT = "CAUSE", "EFFECT"
KINDS = {
    "deterministic": lambda rng: float(rng.random() < 0.5),
    "noisy": lambda rng: rng.random(),
    "coarse": lambda rng: rng.choice([0, 0.1, 0.2, 0.5, 0.9, 1]),
    "weak": lambda rng: 0.5 + rng.uniform(-0.02, 0.02),
}


def random_network(rng):
    size = rng.choice([1, 2, 3, 3, 3, 4])
    draw = KINDS[rng.choice(sorted(KINDS))]
    density = rng.choice([0.4, 0.6, 0.8, 1])
    loops = rng.random() < 0.5
    cm = [[int(rng.random() < density and (loops or a != b)) for b in range(size)] for a in range(size)]
    tpm = [[0] * size for _ in range(2**size)]
    for node in range(size):
        # Sometimes the table depends on nodes that are not connected: they have to be averaged out.
        inputs = [a for a in range(size) if cm[a][node] or rng.random() < 0.1]
        table = {}
        for row in range(2**size):
            seen = tuple(row >> a & 1 for a in inputs)
            if seen not in table:
                table[seen] = draw(rng)
            tpm[row][node] = table[seen]
    return {"size": size, "state": [rng.randint(0, 1) for _ in range(size)], "cm": cm, "tpm": tpm}


def subsets_by_size(nodes):
    for length in range(1, len(nodes) + 1):
        yield from itertools.combinations(nodes, length)


def splits(nodes):
    """All ways to divide nodes into two parts, in both orders, empty ones included."""
    for taken in itertools.product([True, False], repeat=len(nodes)):
        yield (tuple(n for n, t in zip(nodes, taken) if t), tuple(n for n, t in zip(nodes, taken) if not t))


def l1(whole, parts):
    return sum(abs(whole[state] - parts[state]) for state in whole)


def marginals(whole, parts):
    """The sum of the differences of the probabilities that a node is ON."""
    nodes = {node for state in whole for node, _ in state}
    return sum(abs(sum(whole[state] - parts[state] for state in whole if (node, 1) in state)) for node in nodes)


def earth_mover(whole, parts):
    """Moves probability along shortest paths, one after the other, until nothing is left; a path may take back what an
    earlier one moved. The distance between two states is the number of nodes that differ."""
    left = {state: whole[state] - parts[state] for state in whole}
    moved = collections.defaultdict(float)
    work = 0
    while any(amount > 1e-13 for amount in left.values()):
        # Bellman and Ford's shortest paths from all states that have too much.
        path = {state: (0, ()) for state in left if left[state] > 1e-13}
        changed = True
        while changed:
            changed = False
            for a, b in itertools.permutations(left, 2):
                far = len(a - b)
                step = -far if moved[b, a] > 1e-13 else far
                if a in path and (b not in path or path[a][0] + step < path[b][0]):
                    path[b] = path[a][0] + step, path[a][1] + ((a, b, step),)
                    changed = True
        cost, target = min((path[state][0], index) for index, state in enumerate(left) if left[state] < -1e-13)
        target = list(left)[target]
        steps = path[target][1]
        amount = min([left[steps[0][0]], -left[target]] + [moved[b, a] for a, b, step in steps if step < 0])
        for a, b, step in steps:
            if step < 0:
                moved[b, a] -= amount
            else:
                moved[a, b] += amount
        left[steps[0][0]] -= amount
        left[target] += amount
        work += amount * cost
    return work


MEASURES = {"l1": {CAUSE: l1, EFFECT: l1}, "emd": {CAUSE: earth_mover, EFFECT: marginals}}


class Subsystem:
    def __init__(self, network, measure, cut=None):
        self.network = network
        self.distance = MEASURES[measure]
        self.cut = cut
        self.rows = range(2 ** network["size"])
        self.known = {}

    def connected(self, a, b):
        severed = self.cut and a in self.cut[0] and b in self.cut[1]
        return self.network["cm"][a][b] and not severed

    def average_on(self, node, fixed):
        rows = [row for row in self.rows if all(row >> n & 1 == s for n, s in fixed.items())]
        return sum(self.network["tpm"][row][node] for row in rows) / len(rows)

    def repertoire(self, direction, mechanism, purview):
        """{state of the purview: probability}; states are tuples of (node, 0 or 1)."""
        key = direction, mechanism, purview
        if key not in self.known:
            self.known[key] = self.compute_repertoire(direction, mechanism, purview)
        return self.known[key]

    def compute_repertoire(self, direction, mechanism, purview):
        now = self.network["state"]
        out = {}
        for values in itertools.product([0, 1], repeat=len(purview)):
            state = dict(zip(purview, values))
            product = 1.0
            if direction == CAUSE:
                for m in mechanism:
                    on = self.average_on(m, {p: state[p] for p in purview if self.connected(p, m)})
                    product *= on if now[m] else 1 - on
            else:
                for p in purview:
                    on = self.average_on(p, {m: now[m] for m in mechanism if self.connected(m, p)})
                    product *= on if state[p] else 1 - on
            out[frozenset(state.items())] = product
        total = sum(out.values())
        if direction == CAUSE and total:
            out = {state: value / total for state, value in out.items()}
        return out

    def small_phi(self, direction, mechanism, purview):
        whole = self.repertoire(direction, mechanism, purview)
        if not any(whole.values()):
            return 0.0
        distances = []
        for m1, m2 in splits(mechanism):
            for p1, p2 in splits(purview):
                if not (m1 or p1) or not (m2 or p2):
                    continue
                first, second = self.repertoire(direction, m1, p1), self.repertoire(direction, m2, p2)
                parts = {s | t: a * b for s, a in first.items() for t, b in second.items()}
                distances.append(round(self.distance[direction](whole, parts), 6))
        return min(distances)

    def mice(self, direction, mechanism):
        """The largest small phi, and the purview that it belongs to."""
        nodes = range(self.network["size"])
        tried = [(self.small_phi(direction, mechanism, p), len(p), p) for p in subsets_by_size(nodes)]
        best = max(tried, key=lambda t: t[:2])
        return best[0], best[2]

    def concept_phi(self, mechanism):
        return min(self.mice(CAUSE, mechanism)[0], self.mice(EFFECT, mechanism)[0])


def compare(check, where, network, measure, report):
    nodes = range(network["size"])
    uncut = Subsystem(network, measure)
    answers = iter(report["mice"])
    structure = {}
    for mechanism in subsets_by_size(nodes):
        for direction in (CAUSE, EFFECT):
            phi, purview = uncut.mice(direction, mechanism)
            ours = next(answers)
            what = where, direction, mechanism
            check((ours["direction"], tuple(ours["mechanism"])) == (direction, mechanism), *what, "is listed as", ours)
            check(abs(ours["phi"] - phi) <= 1.5e-6, *what, ours["phi"], "expected", phi)
            check(phi == 0 or tuple(ours["purview"]) == purview, *what, ours["purview"], "expected", purview)
        if uncut.concept_phi(mechanism) > 0:
            structure[mechanism] = uncut.concept_phi(mechanism)

    expected = {}
    for begin, end in splits(tuple(nodes)):
        if begin and end:
            cut = Subsystem(network, measure, (begin, end))
            mechanisms = [m for m in subsets_by_size(nodes) if m in structure or set(m) & set(begin)
                          and set(m) & set(end)]
            expected[begin, end] = sum(structure.values()) - sum(cut.concept_phi(m) for m in mechanisms)
    ours = {(tuple(c["from"]), tuple(c["to"])): c["phi"] for c in report["cuts"]}
    check(ours.keys() == expected.keys(), where, "the cuts")
    for cut, phi in expected.items():
        check(abs(ours[cut] - phi) <= 1e-5, where, cut, ours[cut], "expected", phi)
    smallest = min(expected.values()) if expected and structure else 0
    check(abs(report["phi"] - smallest) <= 1e-5, where, "phi", report["phi"], "expected", smallest)


def main():
    program, networks = sys.argv[1], int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    check = Checks()
    with tempfile.TemporaryDirectory() as folder:
        for index in range(networks):
            network = random_network(rng)
            path = os.path.join(folder, f"{index}.json")
            with open(path, "w") as file:
                json.dump(network, file)
            # Transport over the 16 states of four nodes takes this program minutes.
            for measure in list(MEASURES) if network["size"] < 4 else ["l1"]:
                where = f"network {index}, {measure}:"
                reports = {mode: analyse(program, path, mode, "--measure", measure) for mode in MODES}
                before = check.wrong
                compare(check, where, network, measure, reports["none"])
                for mode, report in reports.items():
                    for part in ("mice", "cuts", "phi"):
                        check(report[part] == reports["none"][part], where, part, "differ with caches:", mode)
                if check.wrong > before:
                    print(json.dumps(network))
    check.finish()


main()
