#!/usr/bin/env python3
"""Fills the tables of performance-eviction.md, beside this script, from a run of benches/eviction.

usage: performance-eviction.py FIGURES.json

FIGURES.json is what `eviction --json` wrote. `make bench-eviction` does all of it.
"""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE / "performance-eviction.md"
LOCK = HERE.parent / "eviction/Cargo.lock"

SMALL = 48 << 10
SIZES = [(0, 8 << 10, "below 8 KiB"), (8 << 10, SMALL, "8 to 48 KiB"), (SMALL, 1 << 40, "above 48 KiB")]

RECORDED, LOGNORMAL = "assumed costs", "lognormal costs"


def versions(run):
    lock = LOCK.read_text(encoding="utf-8")
    found = dict(re.findall(r'name = "(.+)"\nversion = "([0-9.]+)"', lock))
    text = ", ".join(f"{name} {found[name]}" for name in ("phicache", "moka", "quick_cache")) + "."
    if not run["evicts"]:
        text += " **This build of phicache does not evict: its figures are those of a cache that refuses.**"
    return text


def works_table(run):
    lines = ["| run | entries | lookups and stores | bytes of all entries |", "|---|---:|---:|---:|"]
    for work in run["works"]:
        lines.append(f'| {work["name"]} | {work["entries"]:,} | {work["events"]:,} | {work["bytes"]:,} |')
    return "\n".join(lines)


def overheads_table(run):
    """What an entry takes beside its key and its value."""
    kinds = ["phicache", "moka", "quick_cache"]
    lines = ["| run | key and value | " + " | ".join(kinds) + " |", "|---|---:" + "|---:" * len(kinds) + "|"]
    for work in run["works"]:
        figures = " | ".join(f"{work[kind]:.0f}" for kind in ["contents"] + kinds)
        lines.append(f'| {work["name"]} | {figures} |')
    return "\n".join(lines)


def bound(goal):
    more = f' + {goal["more"]}' if goal["more"] else ""
    return f'≤ {goal["factor"]} × {goal["against"]}{more}'


def goals_table(run):
    """One line for each goal and policy; the worst of the cells that miss it."""
    lines = ["| policy | costs | goal | met | furthest above |", "|---|---|---|---:|---|"]
    for goal in run["goals"]:
        cells, over = goal["cells"], lambda cell: cell["own"] - goal["factor"] * cell["other"]
        worst = max((cell for cell in cells if not cell["met"]), key=over, default=None)
        where = worst and (f'{worst["work"]} at {worst["part"]:.0%}: {worst["own"]:.3f} against {worst["other"]:.3f}')
        met = sum(cell["met"] for cell in cells)
        lines.append(f'| {goal["policy"]} | {goal["costs"]} | {bound(goal)} | {met} of {len(cells)} | {where or ""} |')
    return "\n".join(lines)


def own_cells(run):
    """phicache's cells of all goals: [(limit in bytes, goal, cell)]"""
    footprints = {work["name"]: work["bytes"] for work in run["works"]}
    return [(footprints[cell["work"]] * cell["part"], goal, cell)
            for goal in run["goals"] if goal["policy"] == "phicache" for cell in goal["cells"]]


def limits_table(run):
    """How many cells phicache meets, by the limit in bytes."""
    lines = ["| limit | cells | met |", "|---|---:|---:|"]
    for least, most, text in SIZES:
        cells = [cell for limit, _, cell in own_cells(run) if least <= limit < most]
        lines.append(f'| {text} | {len(cells)} | {sum(cell["met"] for cell in cells)} |')
    return "\n".join(lines)


def larger_table(run):
    """The cells that phicache misses in caches that are not small."""
    lines = ["| run | limit | goal | at most | phicache |", "|---|---:|---|---:|---:|"]
    for limit, goal, cell in own_cells(run):
        if limit >= SMALL and not cell["met"]:
            where = f'{cell["work"]}, {goal["costs"]} | {cell["part"]:.0%}: {limit / 1024:.0f} KiB'
            most = goal["factor"] * cell["other"] + goal["more"]
            lines.append(f'| {where} | {bound(goal)} | {most:.4f} | {cell["own"]:.4f} |')
    return "\n".join(lines)


def losses_table(run, costs, part):
    """One line for each policy, one column for each run."""
    at = run["parts"].index(part)
    names = [work["name"] for work in run["works"]]
    found = {(row["policy"], row["work"]): row["losses"][at] for row in run["rows"] if row["costs"] == costs}
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for policy in dict.fromkeys(row["policy"] for row in run["rows"]):
        lines.append(f"| {policy} | " + " | ".join(f"{found[policy, name]:.3f}" for name in names) + " |")
    return "\n".join(lines)


def replace_between(text, name, content):
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(begin)
    return before + begin + content + "\n" + end + rest.split(end)[1]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    run = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    tables = [(f"{costs}, {part:.0%}", losses_table(run, costs, part))
              for costs, parts in ((RECORDED, run["parts"]), (LOGNORMAL, [0.25])) for part in parts]
    head = [("versions", versions(run)), ("runs", works_table(run)),
            ("overheads", overheads_table(run)), ("goals", goals_table(run)),
            ("limits", limits_table(run)), ("larger caches", larger_table(run))]
    for name, content in head + tables:
        page = replace_between(page, name, content)
    PAGE.write_text(page, encoding="utf-8")


main()
