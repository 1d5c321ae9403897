#!/usr/bin/env python3
"""Runs benches/disk, one engine after another, and Python's diskcache and joblib on the same work; draws
performance-disk.svg and fills the tables of performance-disk.md, beside this script.

usage: performance-disk.py PROGRAM PYTHON FOLDER [--quick]

PROGRAM is benches/disk's, PYTHON an interpreter that has diskcache and joblib (make/find_disk_peers.py), FOLDER a
directory on the file system to measure. --quick does a tenth of the work and only prints the tables. `make bench-disk`
does all of it.
"""

import json
import math
import re
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE / "performance-disk.md"
CHART = HERE / "performance-disk.svg"
LOCK = HERE.parent / "disk/Cargo.lock"
PYTHON_WORK = HERE.parent / "disk/peers.py"

# Name, label, and the entries: slow engines get fewer, since all figures are per entry.
ENGINES = [("phicache", "phicache", 200_000), ("sqlite", "SQLite, WAL", 50_000), ("lmdb", "LMDB", 100_000),
           ("redb", "redb", 2_000), ("files", "a file per key", 20_000), ("diskcache", "diskcache (Python)", 5_000),
           ("joblib", "joblib (Python)", 2_000)]
VALUES = [8, 1024]
ROUNDS = 3


def run(program, python, folder, engine, entries, value):
    command = [python, "-B", PYTHON_WORK] if engine in ("diskcache", "joblib") else [program]
    printed = subprocess.check_output([*command, engine, folder, str(entries), str(value)], text=True)
    return json.loads(printed)


def measure(program, python, folder, quick):
    """{(engine, value): the median of each figure over the rounds}"""
    found = {}
    for _ in range(1 if quick else ROUNDS):
        for value in VALUES:
            for engine, _, entries in ENGINES:
                figures = run(program, python, folder, engine, entries // (10 if quick else 1), value)
                found.setdefault((engine, value), []).append(figures)
                print(f"  {engine}, values of {value} bytes", file=sys.stderr, flush=True)
    def median(runs, name):
        known = [figures[name] for figures in runs if figures[name] is not None]
        return statistics.median(known) if known else None
    return {key: {name: median(runs, name) for name in runs[0] if name != "engine"} for key, runs in found.items()}


def microseconds(nanoseconds):
    return "-" if nanoseconds is None else f"{nanoseconds / 1000:.3g}"


def table(figures, value):
    lines = ["| | put, µs | first get in a new process, µs | again, µs | first value after opening, ms | bytes on disk "
             "an entry | two writers | after kill -9 |", "|---|---:|---:|---:|---:|---:|---:|---:|"]
    for engine, label, _ in ENGINES:
        row = figures[engine, value]
        killed = "-" if row["killed"] is None else f"{row['killed']:.1%}"
        two = "-" if row["two"] is None else f"{row['two']:.2f}"
        lines.append(f"| {label} | {microseconds(row['put_ns'])} | {microseconds(row['get_ns'])} | "
                     f"{microseconds(row['again_ns'])} | {row['open_ms']:.3g} | {row['bytes']:,.0f} | {two} | "
                     f"{killed} |")
    return "\n".join(lines)


def conditions():
    found = dict(re.findall(r'name = "(.+)"\nversion = "([0-9.]+)', LOCK.read_text(encoding="utf-8")))
    return (f"phicache {found['phicache']}, SQLite of libsqlite3-sys {found['libsqlite3-sys']}, LMDB of lmdb-master-sys "
            f"{found['lmdb-master-sys']}, redb {found['redb']}; medians of {ROUNDS} rounds; keys of 16 bytes.")


def chart(figures):
    """Three groups of bars, on logarithmic axes: put, first get, again; values of 8 bytes."""
    rows = [("put_ns", "put"), ("get_ns", "first get in a new process"), ("again_ns", "again")]
    colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c8c8c", "#e69f00", "#56b4e9"]
    left, top, width, bar, gap = 210, 40, 520, 16, 34
    low, high = 100, 10_000_000
    out, y = [], top
    for name, title in rows:
        out.append(f'<text x="16" y="{y}" font-size="14" font-weight="bold">{title}</text>')
        y += 12
        for (engine, label, _), colour in zip(ENGINES, colours):
            value = figures[engine, VALUES[0]][name]
            length = max(2.0, width * (math.log10(value / low) / math.log10(high / low)))
            out.append(f'<text x="{left - 8}" y="{y + bar - 4}" text-anchor="end">{label}</text>'
                       f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar - 3}" fill="{colour}"/>'
                       f'<text x="{left + length + 6:.1f}" y="{y + bar - 4}">{value / 1000:,.3g} µs</text>')
            y += bar
        y += gap
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="840" height="{y}" viewBox="0 0 840 {y}" '
            'font-family="sans-serif" font-size="12" fill="#222222"><rect width="100%" height="100%" fill="#ffffff"/>\n'
            + "\n".join(out) + "\n</svg>\n")


def replace_between(text, name, content):
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(begin)
    return before + begin + content + "\n" + end + rest.split(end)[1]


def main():
    if len(sys.argv) not in (4, 5) or sys.argv[4:] not in ([], ["--quick"]):
        sys.exit(__doc__)
    program, python, folder, quick = *sys.argv[1:4], bool(sys.argv[4:])
    figures = measure(program, python, folder, quick)
    tables = {value: table(figures, value) for value in VALUES}
    for value in VALUES:
        print(f"\nvalues of {value} bytes\n\n{tables[value]}")
    if quick:
        return
    page = PAGE.read_text(encoding="utf-8")
    page = replace_between(page, "conditions", conditions())
    for value in VALUES:
        page = replace_between(page, f"values of {value}", tables[value])
    PAGE.write_text(page, encoding="utf-8")
    CHART.write_text(chart(figures), encoding="utf-8")


main()
