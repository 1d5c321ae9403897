#!/usr/bin/env python3
"""Runs benches/disk, one engine after another, and Python's diskcache and joblib on the same work; draws
performance-disk.svg and fills the tables of performance-disk.md, beside this script.

usage: performance-disk.py PROGRAM PYTHON FOLDER [--quick]
       performance-disk.py --chart               draws the chart again, from the tables of the page

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
import textwrap
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
# Caches that are saved to one file: the bytes of a value, and the entries.
SAVED = [(64, 1_000_000), (4096, 100_000), (100_000, 5_000)]
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
    if nanoseconds is None:
        return "-"
    return f"{nanoseconds / 1000:.3g}" if nanoseconds < 1e6 else f"{nanoseconds / 1000:.0f}"


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


def saved(program, folder, quick):
    """The table of a cache that is saved to one file."""
    columns = ["values of", "entries", "save, µs an entry", "load", "load, MB a second", "in the same process",
               "open in place", "get there", "bytes an entry beyond key and value"]
    lines = [f"| {' | '.join(columns)} |", "|" + "---:|" * len(columns)]
    for value, entries in SAVED:
        runs = []
        for _ in range(1 if quick else ROUNDS):
            command = [program, "bundle", folder, str(entries // (10 if quick else 1)), str(value)]
            runs.append(json.loads(subprocess.check_output(command, text=True)))
            print(f"  saved, values of {value} bytes", file=sys.stderr, flush=True)
        row = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        rate = (16 + value) / row["load_ns"] * 1000
        times = [microseconds(row[name] or None)
                 for name in ("save_ns", "load_ns", "load_here_ns", "open_ns", "get_ns")]
        save, load, *others = times
        cells = [f"{value:,}", f"{row['entries']:,.0f}", save, load, f"{rate:,.0f}", *others,
                 f"{row['bytes'] - 16 - value:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def conditions():
    found = dict(re.findall(r'name = "(.+)"\nversion = "([0-9.]+)', LOCK.read_text(encoding="utf-8")))
    return textwrap.fill(
        f"phicache {found['phicache']}, SQLite of libsqlite3-sys {found['libsqlite3-sys']}, LMDB of lmdb-master-sys "
        f"{found['lmdb-master-sys']}, redb {found['redb']}; medians of {ROUNDS} rounds; keys of 16 bytes.", 120)


FORMS = [("put", "#d55e00"), ("first get in a new process", "#0072b2"), ("again", "#009e73")]


def chart(page):
    """Times as dots on a logarithmic axis, a line for each engine; from the table of values of 8 bytes."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in page.split("<!-- values of 8 -->\n")[1].split("<!-- end")[0].splitlines()[2:]]
    left, top, width, line, low, decades = 190, 96, 600, 40, 0.1, 5
    bottom = top + line * len(rows)
    place = lambda value: left + width * math.log10(value / low) / decades
    out = []
    for decade, title in enumerate(("0.1 µs", "1 µs", "10 µs", "100 µs", "1 ms", "10 ms")):
        x = left + width * decade / decades
        out += [f'<line x1="{x:g}" y1="{top}" x2="{x:g}" y2="{bottom}" stroke="#dfe3e8"/>',
                f'<text x="{x:g}" y="{bottom + 22}" text-anchor="middle">{title}</text>']
    for at, (label, *cells) in enumerate(rows):
        y = top + line * at
        bold = ' font-weight="bold"' if label == "phicache" else ""
        out.append(f'<text x="{left - 24}" y="{y + line / 2 + 4:g}" text-anchor="end"{bold}>{label}</text>')
        for form, (name, colour) in enumerate(FORMS):
            if cells[form] != "-":
                x, middle = place(float(cells[form])), y + 9 + 11 * form
                value = f"{float(cells[form]):,.3g}" if float(cells[form]) < 1000 else f"{float(cells[form]):,.0f}"
                out.append(f'<circle cx="{x:.1f}" cy="{middle}" r="5" fill="{colour}">'
                           f'<title>{label}, {name}: {value} µs</title></circle>')
    x = 20
    for name, colour in FORMS:
        out.append(f'<circle cx="{x + 5}" cy="60" r="5" fill="{colour}"/><text x="{x + 16}" y="64">{name}</text>')
        x += 56 + 7 * len(name)
    height, whole = bottom + 44, left + width + 50
    shade = [f'<rect x="8" y="{top + line * at}" width="{whole - 16}" height="{line}" fill="#f5f7f9"/>'
             for at in range(0, len(rows), 2)]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{height}" viewBox="0 0 {whole} {height}" '
        'font-family="sans-serif" font-size="13" fill="#222222">',
        f'<rect x="0.5" y="0.5" width="{whole - 1}" height="{height - 1}" rx="8" fill="#ffffff" stroke="#d0d7de"/>',
        '<text x="20" y="32" font-size="15" font-weight="bold">Time for one value of 8 bytes (logarithmic): farther '
        'left is better</text>', *shade, *out, "</svg>", ""])


def replace_between(text, name, content):
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(begin)
    return before + begin + content + "\n" + end + rest.split(end)[1]


def main():
    if sys.argv[1:] == ["--chart"]:
        CHART.write_text(chart(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        return
    if len(sys.argv) not in (4, 5) or sys.argv[4:] not in ([], ["--quick"]):
        sys.exit(__doc__)
    program, python, folder, quick = *sys.argv[1:4], bool(sys.argv[4:])
    figures = measure(program, python, folder, quick)
    tables = {value: table(figures, value) for value in VALUES}
    for value in VALUES:
        print(f"\nvalues of {value} bytes\n\n{tables[value]}")
    one_file = saved(program, folder, quick)
    print(f"\nsaved to one file\n\n{one_file}")
    if quick:
        return
    page = PAGE.read_text(encoding="utf-8")
    page = replace_between(page, "conditions", conditions())
    for value in VALUES:
        page = replace_between(page, f"values of {value}", tables[value])
    page = replace_between(page, "one file", one_file)
    PAGE.write_text(page, encoding="utf-8")
    CHART.write_text(chart(page), encoding="utf-8")


main()
