#!/usr/bin/env python3
"""Runs the programs of benches/iit in turns, fills the tables of performance-iit.md, beside this script, and the first
one of docs/performance.md, and draws performance-iit.svg, which the README shows.

usage: performance-iit.py FOLDER [--quick | --check]
       performance-iit.py --chart                draws the chart again, from the tables of the page

FOLDER has the programs. --quick: few rounds of few networks, and only prints the tables. --check: measures nothing;
fails if two programs have different results for a network. `make bench-iit` builds the programs and does all of it.
"""

import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
PAGE = HERE / "performance-iit.md"
CHART = HERE / "performance-iit.svg"
SUMMARY_PAGE = TOP / "docs/performance.md"
OWN = TOP / "benches/iit/networks"
EXAMPLES = TOP / "examples/iit/networks/emd"

# The program's name, and ours. The first is what the others are compared with.
ONE_THREAD = [
    ("std", "std::unordered_map"),
    ("std_hash", "the same with std::hash"),
    ("absl", "absl::flat_hash_map"),
    ("boost", "boost::unordered_flat_map"),
    ("typed", "**phicache, `memoize<T>`**"),
    ("get_set", "phicache, `get<T>` and `set`"),
    ("c", "phicache, C"),
    ("memo", "phicache, `memo`"),
    ("none", "no cache"),
]
TWO_THREADS = [
    ("std_shared", "std::unordered_map + shared_mutex"),
    ("std_hash_shared", "the same with std::hash"),
    ("absl_shared", "absl::flat_hash_map + shared_mutex"),
    ("boost_shared", "boost::unordered_flat_map + shared_mutex"),
    ("boost_concurrent", "boost::concurrent_flat_map"),
    ("typed", "**phicache, `memoize<T>`**"),
    ("get_set", "phicache, `get<T>` and `set`"),
    ("c", "phicache, C"),
    ("memo", "phicache, `memo`"),
    ("none", "no cache"),
]
INLINED = ["std", "absl", "boost", "typed", "get_set", "c"]

# Network, measure, and how many analyses are one measurement.
CASES = [
    (EXAMPLES / "random-4-3.json", "l1", 10),
    (OWN / "majority-4.json", "l1", 10),
    (OWN / "gates-5.json", "l1", 2),
    (EXAMPLES / "random-5-3.json", "l1", 1),
    (OWN / "gates-6.json", "l1", 3),
    (OWN / "ring-6.json", "l1", 2),
    (OWN / "majority-4.json", "emd", 5),
    (OWN / "gates-5.json", "emd", 1),
    (EXAMPLES / "random-5-3.json", "emd", 1),
    (OWN / "ring-6.json", "emd", 1),
]
QUICK = [CASES[1], CASES[2], CASES[5], CASES[7]]

ROUNDS, QUICK_ROUNDS = 15, 3


class Failed(Exception):
    """What went wrong, in one line."""


def name_of(case):
    network, measure, _ = case
    return f"{network.stem.removesuffix('-3')}, {measure.upper()}"


def run(folder, program, case, threads):
    """The JSON object that a program prints. One thread runs on one core, which it need not change."""
    network, measure, repeats = case
    cores = sorted(os.sched_getaffinity(0))
    bound = cores[-1:] if threads == 1 else cores
    command = [str(folder / f"iit_{program}"), str(network), measure, str(threads), str(repeats)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.sched_setaffinity(0, bound))
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)} failed with status {done.returncode}")
    return json.loads(done.stdout)


def check_equal(results, case):
    """`results`: {program: result}."""
    (first, expected), *others = results.items()
    for program, result in others:
        if result != expected:
            raise Failed(f"iit_{program} and iit_{first} have different results for {name_of(case)}")


def measure(folder, programs, cases, threads, rounds):
    """{(program, case): [seconds of an analysis, one for each round]}, {(program, case): MiB}, ns of an atomic.

    In each round all programs run once for each case, beginning with a different one. With one thread the seconds are
    those that the processor spent on the program, so that other work on the machine matters less."""
    seconds, added, atomic = {}, {}, []
    for case in cases:
        results = {}
        for turn in range(rounds):
            print(f"\r{threads} thread{'s'[:threads - 1]}, {name_of(case)}: round {turn + 1} of {rounds}  ", end="",
                  file=sys.stderr)
            start = turn % len(programs)
            for program in programs[start:] + programs[:start]:
                found = run(folder, program, case, threads)
                spent = found["cpu_seconds" if threads == 1 else "seconds"]
                seconds.setdefault((program, case), []).append(statistics.mean(spent))
                added.setdefault((program, case), []).append(found["added_kib"] / 1024)
                atomic.append(found["atomic_ns"])
                if results.setdefault(program, found["result"]) != found["result"]:
                    raise Failed(f"two runs of iit_{program} have different results for {name_of(case)}")
        check_equal(results, case)
    print(file=sys.stderr)
    return seconds, {key: statistics.median(numbers) for key, numbers in added.items()}, statistics.median(atomic)


def quartiles(numbers):
    if len(numbers) < 2:
        return numbers * 3
    return statistics.quantiles(numbers, n=4, method="inclusive")


def ratios(seconds, program, reference, case):
    return [own / other for own, other in zip(seconds[program, case], seconds[reference, case])]


def head(cases):
    return ["| | " + " | ".join(name_of(case) for case in cases) + " | geometric mean |",
            "|---|" + "---:|" * (len(cases) + 1)]


def table(seconds, programs, cases):
    """Milliseconds of the first program (median; best), and the ratios of the others to it (quartiles)."""
    (reference, label), *others = programs
    own = [[1e3 * second for second in seconds[reference, case]] for case in cases]
    cells = [f"{statistics.median(numbers):.3g} <sub>{min(numbers):.3g}</sub>" for numbers in own]
    lines = head(cases) + [f"| {label}, ms | {' | '.join(cells)} | |"]
    for program, label in others:
        cells, middles = [], []
        for case in cases:
            low, middle, high = quartiles(ratios(seconds, program, reference, case))
            best = min(seconds[program, case]) / min(seconds[reference, case])
            middles.append(middle)
            cells.append(f"**{middle:.2f}** <sub>{low:.2f} · {high:.2f}; best {best:.2f}</sub>")
        lines.append(f"| {label} | {' | '.join(cells)} | {statistics.geometric_mean(middles):.2f} |")
    return "\n".join(lines)


def summary(parts):
    """The geometric mean over the networks of each measure, with the smallest and the largest. `parts`: the seconds and
    the programs, with one thread and with two."""
    lines = ["| | one thread, L1 | one thread, EMD | two threads, L1 | two threads, EMD |", "|---|---:|---:|---:|---:|"]
    shared = {program.removesuffix("_shared"): program for program in names(parts[1][1])}
    for program, label in parts[0][1][1:]:
        cells = []
        for seconds, programs in parts:
            program_here = shared.get(program) if programs is parts[1][1] else program
            for kind in ("l1", "emd"):
                middles = [statistics.median(ratios(seconds, program_here, programs[0][0], case))
                           for at, case in seconds if at == program_here and case[1] == kind]
                cells.append(f"**{statistics.geometric_mean(middles):.2f}** <sub>{min(middles):.2f} to "
                             f"{max(middles):.2f}</sub>")
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def memory_table(added, programs, cases):
    names_line, columns_line = head(cases)
    lines = [names_line.removesuffix(" geometric mean |"), columns_line.removesuffix("---:|")]
    for program, label in programs:
        lines.append(f"| {label} | " + " | ".join(f"{added[program, case]:.1f}" for case in cases) + " |")
    return "\n".join(lines)


def existing(folder, programs):
    found = [(program, label) for program, label in programs if (folder / f"iit_{program}").exists()]
    if not found or found[0] != programs[0]:
        raise Failed(f"{folder} has no program iit_{programs[0][0]}: build it with make bench-iit")
    return found


def names(programs):
    return [program for program, _ in programs]


def check(folder):
    cases = [(OWN / "majority-4.json", "l1", 1), (OWN / "majority-4.json", "emd", 1),
             (EXAMPLES / "random-4-3.json", "emd", 1)]
    one, two = existing(folder, ONE_THREAD), existing(folder, TWO_THREADS)
    for case in cases:
        results = {program: run(folder, program, case, 1)["result"] for program in names(one)}
        for program in names(two):
            results[f"{program}, with two threads,"] = run(folder, program, case, 2)["result"]
        check_equal(results, case)
        expected = json.loads(case[0].read_text(encoding="utf-8")).get("phi")
        phi = float.fromhex(results["none"].split()[0])
        if expected is not None and abs(phi - expected) > 1e-6:
            raise Failed(f"phi of {name_of(case)} is {phi}, not {expected}")
        print(f"{name_of(case)}: {len(results)} runs have equal results, phi {phi:g}")


# The chart ------------------------------------------------------------------------------------------------------------

# (table, title, the rows that are drawn, and their names there). The first row of a table is 1.
PANELS = [
    ("one", "One thread, relative to std::unordered_map", [
        ("no cache", "no cache"),
        ("std::unordered_map", "std::unordered_map"),
        ("boost::unordered_flat_map", "boost::unordered_flat_map"),
        ("**phicache, `memoize<T>`**", "phicache, memoize"),
        ("phicache, `get<T>` and `set`", "phicache, get and set"),
    ]),
    ("two", "Two threads, relative to std::unordered_map behind a mutex", [
        ("no cache", "no cache"),
        ("std::unordered_map + shared_mutex", "std::unordered_map + shared_mutex"),
        ("boost::unordered_flat_map + shared_mutex", "boost::unordered_flat_map + shared_mutex"),
        ("boost::concurrent_flat_map", "boost::concurrent_flat_map"),
        ("**phicache, `memoize<T>`**", "phicache, memoize"),
        ("phicache, `get<T>` and `set`", "phicache, get and set"),
    ]),
]


def means(page, name):
    """{row: geometric mean of the networks with EMD}, from a table of the page."""
    lines = page.split(f"<!-- {name} -->\n")[1].split(f"\n<!-- end of {name} -->")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    columns = [at for at, title in enumerate(rows[0]) if title.endswith("EMD")]
    found = {rows[2][0].removesuffix(", ms"): 1.0}
    for label, *cells in rows[3:]:
        found[label] = statistics.geometric_mean(
            float(re.match(r"\*\*([\d.]+)\*\*", cells[at - 1]).group(1)) for at in columns)
    return found, len(columns)


def draw_chart():
    """Bars: the time of a whole analysis, with one thread and with two."""
    page = PAGE.read_text(encoding="utf-8")
    left, line, right, most = 320, 26, 840, 3.5
    scale = (right - 60 - left) / most
    out, y = [], 92
    for name, title, rows in PANELS:
        figures, networks = means(page, name)
        out.append(f'<text x="20" y="{y}" font-weight="bold">{title}</text>')
        y += 10
        for label, shown in rows:
            ours = shown.startswith("phicache")
            value = figures[label]
            weight = ' font-weight="bold"' if ours else ""
            out.append(f'<text x="{left - 10}" y="{y + 17}" text-anchor="end"{weight}>{shown}</text>')
            out.append(f'<rect x="{left}" y="{y + 4}" width="{value * scale:.1f}" height="{line - 8}" rx="2" '
                       f'fill="{"#0072b2" if ours else "#9aa5b1"}"/>')
            # The number hides the lines behind it.
            end = left + value * scale
            out.append(f'<rect x="{end + 1:.1f}" y="{y + 4}" width="44" height="{line - 8}" fill="#ffffff"/>'
                       f'<text x="{end + 8:.1f}" y="{y + 17}"{weight}>{value:.2f}</text>')
            y += line
        y += 34
    height = y - 20
    lines = [f'<line x1="{left + tick * scale:.1f}" y1="74" x2="{left + tick * scale:.1f}" y2="{height - 14}" '
             f'stroke="{"#777777" if tick == 1 else "#e2e2e2"}"/>' for tick in range(4)]
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{right}" height="{height}" viewBox="0 0 {right} {height}" '
        'font-family="sans-serif" font-size="13" fill="#222222">',
        f'<rect x="0.5" y="0.5" width="{right - 1}" height="{height - 1}" rx="8" fill="#ffffff" stroke="#d0d7de"/>',
        '<text x="20" y="30" font-size="15" font-weight="bold">Time of a whole program: shorter is better</text>',
        f'<text x="20" y="52">An analysis of a network that remembers distances, probabilities and searches; mean of '
        f'{networks} networks.</text>',
    ]
    CHART.write_text("\n".join(head + lines + out + ["</svg>", ""]), encoding="utf-8")


def processor():
    """The vendor: figures of different kinds of processors differ; their exact names do not help."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^vendor_id\s*:\s*(\S+)", text, re.MULTILINE)
    vendor = {"AuthenticAMD": "AMD", "GenuineIntel": "Intel"}.get(found.group(1), "") if found else ""
    return f"{vendor} {os.uname().machine}".strip()


def replace_between(text, name, content):
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(begin)
    return before + begin + content + "\n" + end + rest.split(end)[1]


def write(path, content):
    page = path.read_text(encoding="utf-8")
    for name, text in content.items():
        page = replace_between(page, name, text)
    path.write_text(page, encoding="utf-8")


def report(folder, quick):
    cases, rounds = (QUICK, QUICK_ROUNDS) if quick else (CASES, ROUNDS)
    busy = os.getloadavg()[0]
    one, two = existing(folder, ONE_THREAD), existing(folder, TWO_THREADS)
    labels = dict(one)
    inlined = [(f"{program}_inlined", labels[program]) for program in INLINED if program in labels]
    content = {}
    seconds, added, atomic = measure(folder, names(one), cases, 1, rounds)
    content["one"], content["memory"] = table(seconds, one, cases), memory_table(added, one, cases)
    seconds_of_two, _, _ = measure(folder, names(two), cases, 2, rounds)
    content["two"] = table(seconds_of_two, two, cases)
    content["summary"] = summary([(seconds, one), (seconds_of_two, two)])
    if not quick:
        content["inlined"] = table(measure(folder, names(inlined), cases, 1, rounds)[0], inlined, cases)
    for part in content.values():
        print(f"\n{part}")
    if quick:
        return
    content["machine"] = (
        f"{processor()}, {len(os.sched_getaffinity(0))} cores, an uncontended atomic addition in {atomic:.1f} ns; "
        f"{rounds} rounds.")
    if busy > 0.5:
        content["machine"] += (f" The load of the machine before the run was {busy:.1f}. **Something else was running: "
                               "these figures are preliminary.**")
    write(SUMMARY_PAGE, {"whole program": content.pop("summary"), "whole program's machine": content["machine"]})
    write(PAGE, content)
    draw_chart()


def main():
    if sys.argv[1:] == ["--chart"]:
        return draw_chart()
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--quick"], ["--check"]):
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    try:
        if sys.argv[2:] == ["--check"]:
            check(folder)
        else:
            report(folder, bool(sys.argv[2:]))
    except Failed as failure:
        sys.exit(f"performance-iit.py: {failure}")


main()
