#!/usr/bin/env python3
"""Fills the tables of performance-redis.md, beside this script, from a run of benches/redis.

usage: performance-redis.py FIGURES.json

FIGURES.json is what `redis_peers --json` wrote. `make bench-redis` does all of it.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE / "performance-redis.md"
LOCK = HERE.parent / "redis/rust/Cargo.lock"

ROADS = ["TCP", "unix socket"]
# Above this load, something else ran on the machine all the time.
QUIET = 0.7


def find(rows, work, form):
    return [row for row in rows if (row["work"], row["form"]) == (work, form)]


def number(value):
    return f"{value:.2f}"


# Beside the fastest ---------------------------------------------------------------------------------------------------

def against_best(work, form):
    """The ratio to the fastest contender."""
    def measure(rows):
        found = find(rows, work, form)[1:]
        if not found:
            return None
        best = max(found, key=lambda row: row["ratio"]["median"])
        return best["ratio"], best["name"]
    return measure


def against_dict(form):
    def measure(rows):
        found = find(rows, "hit of a MICE", form)
        return (found[1]["ratio"], found[1]["name"]) if found else None
    return measure


def commands(form):
    def measure(rows):
        found = find(rows, "commands per lookup of a MICE under a cut", form)
        return (found[0]["figure"], "counted by the server") if found else None
    return measure


IN_SHORT = [
    *((f"{work}, {road}", against_best(work, road))
      for work in ("GET", "SET", "get_many, 100 keys", "set_many, 100 keys") for road in ROADS),
    ("hit of a MICE that is kept near", against_dict("uncut")),
    ("the same under a cut", against_dict("under a cut")),
    ("commands sent for a MICE under a cut, at first", commands("first")),
    ("the same, from then on", commands("again")),
]


def short_table(rows):
    lines = ["| | figure | 10th to 90th percentile | beside |", "|---|---:|---|---|"]
    for title, measure in IN_SHORT:
        found = measure(rows)
        if found is not None:
            spread, beside = found
            lines.append(f"| {title} | {number(spread['median'])} | {number(spread['p10'])} to "
                         f"{number(spread['p90'])} | {beside} |")
    return "\n".join(lines)


# Tables of all contenders ---------------------------------------------------------------------------------------------

def cell(row):
    """The median, and phicache's figure divided by this one in the same rounds: 10th, 50th, 90th percentile."""
    if row is None:
        return ""
    ratio = row["ratio"]
    if ratio is None:
        return f"**{number(row['figure']['median'])}**"
    return (f"{number(row['figure']['median'])} <sub>{ratio['p10']:.2f} · **{ratio['median']:.2f}** · "
            f"{ratio['p90']:.2f}</sub>")


def table(rows, columns):
    """One line for each contender, one column for each (title, work, form)."""
    columns = [(title, {row["name"]: row for row in find(rows, work, form)}) for title, work, form in columns]
    names = dict.fromkeys(name for _, found in columns for name in found)
    lines = ["| | " + " | ".join(title for title, _ in columns) + " |", "|---|" + "---:|" * len(columns)]
    lines += [f"| {name} | " + " | ".join(cell(found.get(name)) for _, found in columns) + " |" for name in names]
    return "\n".join(lines)


def requests_table(rows, road):
    works = ["GET", "SET", "get_many, 100 keys", "set_many, 100 keys", "GET, 2 threads"]
    return table(rows, [(work, work, road) for work in works if find(rows, work, road)])


def near_table(rows):
    return table(rows, [("uncut", "hit of a MICE", "uncut"), ("under a cut", "hit of a MICE", "under a cut")])


def machine(facts):
    def first_line(*command):
        try:
            return subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0]
        except OSError:
            return ""
    hiredis = first_line("dpkg-query", "-W", "-f", "${Package} ${Version}", "libhiredis-dev")
    crate = re.search(r'name = "redis"\nversion = "([0-9.]+)"', LOCK.read_text(encoding="utf-8"))
    text = (f"phicache {facts['phicache']}; Redis {facts['server']}; {facts['cpu']}, {facts['cores']} cores; "
            f"{facts['compiler']}, {first_line('rustc', '--version')}; {hiredis or 'hiredis'}, redis crate "
            f"{crate.group(1)}. The load of the machine before the run was {facts['load']:.1f}.")
    if facts["load"] > QUIET:
        text += " **Something else was running: these figures are preliminary.**"
    return text


def replace_between(text, name, content):
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(begin)
    return before + begin + content + "\n" + end + rest.split(end)[1]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    run = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    for name, content in [
        ("machine", machine(run["machine"])),
        ("in short", short_table(run["rows"])),
        ("TCP", requests_table(run["rows"], "TCP")),
        ("unix socket", requests_table(run["rows"], "unix socket")),
        ("escaped keys", requests_table(run["rows"], "escaped keys")),
        ("near", near_table(run["rows"])),
    ]:
        page = replace_between(page, name, content)
    PAGE.write_text(page, encoding="utf-8")


main()
