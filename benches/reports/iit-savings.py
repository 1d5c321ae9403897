#!/usr/bin/env python3
"""Draws iit-savings.svg and fills the tables of iit-savings.md, beside this script, from the example's own reports.

usage: iit-savings.py PROGRAM [ROUNDS]   analyse networks of three to seven nodes and write both files; takes minutes
       iit-savings.py PROGRAM --check    write nothing; fail if the committed counts differ from PROGRAM's

Counts are the same on every machine, seconds are not, so --check compares only the table of counts. The second run in
Redis needs a redis-server.
"""

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE / "iit-savings.md"
CHART = HERE / "iit-savings.svg"
EXAMPLE = HERE.parent.parent / "examples/iit"
NETWORKS = [EXAMPLE / "networks" / name for name in (
    "emd/basic_network.json", "emd/rule110_network.json", "emd/random-4-3.json", "emd/random-5-3.json",
    "random-6-3.json", "demo/ring-7.json")]

sys.path.insert(0, str(EXAMPLE / "tests"))
import redis_server  # noqa: E402

MODES = [  # name, arguments, colour
    ("no caches", ["--cache", "none"], "#8c8c8c"),
    ("PyPhi's caches", ["--cache", "dict", "--reuse", "parent", "--no-distances"], "#0072b2"),
    ("+ memo of distances", ["--cache", "dict", "--reuse", "parent"], "#56b4e9"),
    ("+ cut-scoped keys", ["--cache", "dict", "--reuse", "cuts"], "#d55e00"),
    ("second run, Redis", ["--cache", "redis", "--reuse", "cuts"], "#009e73"),
    ("second run, disk", ["--cache", "disk"], "#cc79a7"),
]
COUNTS = [
    ("distances", "distances"),
    ("repertoires", "repertoires"),
    ("small_phi_searches", "searches"),
]


def analyse(program, rounds):
    """[(network, [the fastest report of each mode])], few nodes first. The modes take turns, so that a busy machine
    slows all of them."""
    found = redis_server.find()
    if found is None:
        sys.exit("iit-savings.py needs a redis-server")
    rows = []
    with redis_server.Server(found) as server:
        for path in NETWORKS:
            with tempfile.TemporaryDirectory(prefix="phicache-iit-") as directory:
                def run(arguments):
                    shared = {"redis": ["--redis-url", server.url], "disk": ["--directory", directory]}
                    return json.loads(subprocess.check_output(
                        [program, path, "--json"] + arguments + shared.get(arguments[1], [])))
                for name, arguments, _ in MODES:
                    if name.startswith("second run"):
                        run(arguments)  # the first one
                reports = list(zip(*([run(arguments) for _, arguments, _ in MODES] for _ in range(rounds))))
            rows.append((path.stem, [min(each, key=lambda report: report["cpu_seconds"]) for each in reports]))
            print(path.stem, *(f"{report['cpu_seconds']:.3f}" for report in rows[-1][1]), flush=True)
    return rows


def table(rows, heads, texts):
    """A table; the first `texts` columns are text, the others numbers."""
    lines = ["| " + " | ".join(heads) + " |", "|---" * texts + "|---:" * (len(heads) - texts) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def counts_table(rows):
    body = []
    for network, reports in rows:
        for key, title in COUNTS:
            body.append([network, title] + [f"{report['computed'][key]:,}" for report in reports])
    return table(body, ["network", "computed"] + [name for name, _, _ in MODES], 2)


def seconds_table(rows):
    def seconds(report):
        return f"{report['cpu_seconds']:.3g}" if report["cpu_seconds"] < 100 else f"{report['cpu_seconds']:.0f}"
    body = [[network] + [seconds(report) for report in reports] for network, reports in rows]
    return table(body, ["network"] + [name for name, _, _ in MODES], 1)


def replace_between(text, name, content):
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(begin)
    return before + begin + content + "\n" + end + rest.split(end)[1]


def power_of_ten(decade):
    if decade in (0, 1):
        return str(10**decade)
    return "10" + "".join("⁻" if digit == "-" else "⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(decade))


def stable_lines(page):
    """Without the distances of random-6-3: they fill their cache, and what that keeps depends on the seconds."""
    return [line for line in page.splitlines() if not line.startswith("| random-6-3 | distances")]


def chart(rows):
    """Dots on logarithmic axes: a panel for the seconds and for each count, a line for each network, a colour for each
    mode. Each mode has its own height, so that dots of equal value lie below each other."""
    left, top, panel, gap, line = 96, 84, 205, 34, 46
    panels = [("seconds", "CPU seconds", lambda report: report["cpu_seconds"])]
    panels += [(key, title + " computed", lambda report, key=key: report["computed"][key]) for key, title in COUNTS]
    width = left + len(panels) * (panel + gap)
    bottom = top + len(rows) * line
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{bottom + 40}" '
        f'viewBox="0 0 {width} {bottom + 40}" font-family="sans-serif" font-size="12" fill="#222222">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        '<text x="16" y="24" font-size="15" font-weight="bold">The whole analysis of a network, all cuts included '
        '(logarithmic; hollow: 0)</text>',
    ]
    x = 16
    for name, _, colour in MODES:
        out.append(f'<circle cx="{x + 5}" cy="44" r="5" fill="{colour}"/><text x="{x + 16}" y="48">{name}</text>')
        x += 40 + 7 * len(name)
    for index, (network, _) in enumerate(rows):
        y = top + (index + 0.5) * line
        out.append(f'<text x="{left - 14}" y="{y + 4:g}" text-anchor="end">{network.replace("_network", "")}</text>')
    for number, (key, title, value) in enumerate(panels):
        start = left + number * (panel + gap)
        values = [max(value(report), 1e-9) for _, reports in rows for report in reports]
        first = math.floor(math.log10(min(values))) if key == "seconds" else 0
        last = max(math.ceil(math.log10(max(values))), first + 1)

        def place(number):
            return start + panel * (math.log10(max(number, 10**first)) - first) / (last - first)

        out.append(f'<text x="{start}" y="{top - 10}" font-weight="bold">{title}</text>')
        for decade in range(first, last + 1):
            x = place(10**decade)
            out.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" stroke="#e4e4e4"/>')
            out.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{power_of_ten(decade)}</text>')
        for index, (_, reports) in enumerate(rows):
            y = top + (index + 0.5) * line
            places = [place(value(report)) for report in reports]
            out.append(f'<line x1="{min(places):.1f}" y1="{y:g}" x2="{max(places):.1f}" y2="{y:g}" '
                       'stroke="#bbbbbb" stroke-width="2"/>')
            for mode, ((name, _, colour), report, x) in enumerate(zip(MODES, reports, places)):
                height = y + (mode - (len(MODES) - 1) / 2) * 6.5
                shown = f"{value(report):,.3g}" if key == "seconds" else f"{value(report):,}"
                fill = colour if value(report) > 0 else "#ffffff"
                out.append(f'<circle cx="{x:.1f}" cy="{height:g}" r="4" fill="{fill}" stroke="{colour}">'
                           f'<title>{name}: {shown}</title></circle>')
    out.append("</svg>\n")
    return "\n".join(out)


def main():
    program, check = sys.argv[1], sys.argv[2:] == ["--check"]
    rows = analyse(program, 1 if check else int(sys.argv[2]) if sys.argv[2:] else 3)
    page = PAGE.read_text(encoding="utf-8")
    current = replace_between(page, "counts", counts_table(rows))
    if check:
        if stable_lines(page) != stable_lines(current):
            raise SystemExit(f"stale: {PAGE.name}; run {Path(__file__).name} PROGRAM")
        print("the committed counts are those of the program")
        return
    PAGE.write_text(replace_between(current, "seconds", seconds_table(rows)), encoding="utf-8")
    CHART.write_text(chart(rows), encoding="utf-8")


main()
