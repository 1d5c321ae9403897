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

SHOWN = [0.1, 0.25, 0.5]

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


def summary_table(run):
    """The mean loss over the runs, one line for each policy."""
    columns = [(RECORDED, part) for part in SHOWN] + [(LOGNORMAL, 0.25)]
    lines = ["| policy | " + " | ".join(f"{costs}, {part:.0%}" for costs, part in columns) + " |",
             "|---|" + "---:|" * len(columns)]
    for policy in dict.fromkeys(row["policy"] for row in run["rows"]):
        means = []
        for costs, part in columns:
            at = run["parts"].index(part)
            means.append(sum(row["losses"][at] for row in run["rows"]
                             if (row["policy"], row["costs"]) == (policy, costs)) / len(run["works"]))
        lines.append(f"| {policy} | " + " | ".join(f"{mean:.3f}" for mean in means) + " |")
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
            ("overheads", overheads_table(run)), ("in short", summary_table(run))]
    for name, content in head + tables:
        page = replace_between(page, name, content)
    PAGE.write_text(page, encoding="utf-8")


main()
