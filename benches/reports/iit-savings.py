#!/usr/bin/env python3
"""Draws iit-savings.svg and fills the tables of iit-savings.md, beside this script, from the example's own reports.

usage: iit-savings.py PROGRAM            analyse the example's networks and write both files
       iit-savings.py PROGRAM --check    write nothing; fail if the committed counts differ from PROGRAM's

Counts are the same on every machine, seconds are not, so --check does not compare the table of seconds.
"""

import json
import math
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE / "iit-savings.md"
CHART = HERE / "iit-savings.svg"
NETWORKS = sorted((HERE.parent.parent / "examples/iit/networks").glob("*.json"))

MODES = [  # name, arguments, colour
    ("no caches", ["--cache", "none"], "#8c8c8c"),
    ("dict, reuse parent", ["--cache", "dict", "--reuse", "parent"], "#0072b2"),
    ("dict, reuse cuts", ["--cache", "dict", "--reuse", "cuts"], "#d55e00"),
]
COUNTS = [
    ("repertoires", "repertoires"),
    ("single_node_repertoires", "single-node repertoires"),
    ("small_phi_searches", "small-φ searches"),
]


def analyse(program, runs):
    """[(network, [the fastest of `runs` reports, for each mode])], small networks first."""
    rows = []
    for path in NETWORKS:
        commands = [[program, path, "--json"] + arguments for _, arguments, _ in MODES]
        rounds = [[json.loads(subprocess.check_output(command)) for command in commands] for _ in range(runs)]
        rows.append((path.stem, [min(reports, key=lambda report: report["seconds"]) for reports in zip(*rounds)]))
    return sorted(rows, key=lambda row: row[1][0]["computed"]["repertoires"])


def table(rows, heads, texts):
    """A table; the first `texts` columns are text, the others numbers."""
    lines = ["| " + " | ".join(heads) + " |", "|---" * texts + "|---:" * (len(heads) - texts) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def counts_table(rows):
    body = []
    for network, reports in rows:
        for key, title in COUNTS:
            counts = [report["computed"][key] for report in reports]
            body.append([network, title] + [f"{count:,}" for count in counts] + [f"{counts[1] / max(counts[2], 1):.2f}"])
    return table(body, ["network", "computed"] + [name for name, _, _ in MODES] + ["parent : cuts"], 2)


def seconds_table(rows):
    body = [[network] + [f"{report['seconds']:.4f}" for report in reports] for network, reports in rows]
    return table(body, ["network"] + [name for name, _, _ in MODES], 1)


def replace_between(text, name, content):
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(begin)
    return before + begin + content + "\n" + end + rest.split(end)[1]


def chart(rows):
    """Counts as dots on a logarithmic axis: a panel for each count, a line for each network, a colour for each mode."""
    left, top, panel, gap, line = 140, 92, 250, 46, 30
    width = left + len(COUNTS) * (panel + gap)
    bottom = top + len(rows) * line
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{bottom + 44}" '
        f'viewBox="0 0 {width} {bottom + 44}" font-family="sans-serif" font-size="12" fill="#222222">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        '<text x="16" y="26" font-size="15" font-weight="bold">How often each was computed, the whole analysis with all its cuts (logarithmic)</text>',
    ]
    x = 16
    for name, _, colour in MODES:
        out.append(f'<circle cx="{x + 5}" cy="46" r="5" fill="{colour}"/><text x="{x + 16}" y="50">{name}</text>')
        x += 60 + 7 * len(name)
    for index, (network, _) in enumerate(rows):
        y = top + (index + 0.5) * line
        out.append(f'<text x="{left - 12}" y="{y + 4:g}" text-anchor="end">{network.replace("_network", "")}</text>')
    for number, (key, title) in enumerate(COUNTS):
        start = left + number * (panel + gap)
        most = max(report["computed"][key] for _, reports in rows for report in reports)
        decades = math.ceil(math.log10(most))

        def place(count):
            return start + panel * math.log10(max(count, 1)) / decades

        out.append(f'<text x="{start}" y="{top - 14}" font-weight="bold">{title}</text>')
        for decade in range(decades + 1):
            x = place(10**decade)
            out.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" stroke="#e4e4e4"/>')
            label = "10" + "⁰¹²³⁴⁵⁶⁷⁸⁹"[decade] if decade > 1 else str(10**decade)
            out.append(f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{label}</text>')
        for index, (_, reports) in enumerate(rows):
            y = top + (index + 0.5) * line
            places = [place(report["computed"][key]) for report in reports]
            out.append(f'<line x1="{min(places):.1f}" y1="{y:g}" x2="{max(places):.1f}" y2="{y:g}" stroke="#bbbbbb" stroke-width="2"/>')
            for (name, _, colour), report, x in zip(MODES, reports, places):
                count = f"{report['computed'][key]:,}"
                out.append(f'<circle cx="{x:.1f}" cy="{y:g}" r="5" fill="{colour}"><title>{name}: {count}</title></circle>')
    out.append("</svg>\n")
    return "\n".join(out)


def main():
    program, check = sys.argv[1], sys.argv[2:] == ["--check"]
    rows = analyse(program, runs=1 if check else 5)
    page = PAGE.read_text(encoding="utf-8")
    current = replace_between(page, "counts", counts_table(rows))
    drawing = chart(rows)
    if check:
        stale = [path.name for path, text in ((PAGE, current), (CHART, drawing)) if path.read_text(encoding="utf-8") != text]
        if stale:
            raise SystemExit(f"stale: {', '.join(stale)}; run {Path(__file__).name} PROGRAM")
        print("the committed counts are those of the program")
        return
    PAGE.write_text(replace_between(current, "seconds", seconds_table(rows)), encoding="utf-8")
    CHART.write_text(drawing, encoding="utf-8")


main()
