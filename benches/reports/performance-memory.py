#!/usr/bin/env python3
"""Runs benches/memory, one process for each contestant; draws performance-memory.svg and fills the tables of
performance-memory.md, beside this script.

usage: performance-memory.py PROGRAM [--quick]       --quick: a short run that only prints its table

`make bench-memory` builds PROGRAM and does all of it.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE / "performance-memory.md"
CHART = HERE / "performance-memory.svg"
LOCK = HERE.parent / "memory/Cargo.lock"

MIB = 1 << 20

# The program's name, ours, the colour, the width and the dashes of the line.
CONTESTANTS = [
    ("map", "a map without a limit", "#8c8c8c", 2, ""),
    ("moka", "moka, weighing bytes", "#d55e00", 2, ""),
    ("evict", "phicache, evicting", "#0072b2", 3.5, ""),
    ("refuse", "phicache, refusing", "#cc79a7", 2, "7 5"),
]


class Run:
    """One contestant's run."""

    def __init__(self, program, name, options):
        found = json.loads(subprocess.check_output([program, name, *options]))
        self.limit, self.clear_at = found["limit"], found["clear_at"]
        # Lists of: lookups, resident bytes, hits, nanoseconds that could be saved, nanoseconds that were lost.
        self.samples = found["samples"]
        # The sample that was taken right after the clear.
        self.cleared = max(at for at, sample in enumerate(self.samples) if sample[0] <= self.clear_at)

    def resident(self):
        """[(lookups, MiB)]"""
        return [(sample[0], sample[1] / MIB) for sample in self.samples]

    def lost(self, window):
        """[(lookups, the part of the savable time that was lost in the last `window` samples, in per cent)]"""
        points = []
        for at, now in enumerate(self.samples):
            then = self.samples[max(at - window, self.cleared if at > self.cleared else 0)]
            savable, lost = now[3] - then[3], now[4] - then[4]
            if savable:
                points.append((now[0], 100 * lost / savable))
        return points


def table(runs):
    lines = ["| | highest, MiB | at the end, MiB | right after the clear, MiB | hits | computing time spent again |",
             "|---|---:|---:|---:|---:|---:|"]
    for name, label, *_ in reversed(CONTESTANTS):
        run = runs[name]
        lookups, end, hits, savable, lost = run.samples[-1]
        resident = [max(mib for _, mib in run.resident()), end / MIB, run.samples[run.cleared][1] / MIB]
        figures = [f"{mib:.1f}" for mib in resident] + [f"{hits / lookups:.1%}", f"{lost / savable:.1%}"]
        lines.append(f"| {label} | {' | '.join(figures)} |")
    return "\n".join(lines)


def conditions(runs):
    lock = LOCK.read_text(encoding="utf-8")
    found = dict(re.findall(r'name = "(.+)"\nversion = "([0-9.]+)"', lock))
    run = runs["map"]
    return (f"phicache {found['phicache']}, moka {found['moka']}; a limit of {run.limit // MIB} MiB, "
            f"{run.samples[-1][0]:,} lookups, one thread.")


# The chart -----------------------------------------------------------------------------------------------------------

LEFT, WIDTH, RIGHT = 64, 640, 210


class Panel:
    """A rectangle of the drawing with its axes."""

    def __init__(self, top, height, most_x, most_y):
        self.top, self.height, self.most_x, self.most_y = top, height, most_x, most_y

    def x(self, lookups):
        return LEFT + WIDTH * lookups / self.most_x

    def y(self, value):
        return self.top + self.height * (1 - value / self.most_y)

    def axes(self, title, tick):
        out = [f'<text x="16" y="{self.top - 16}" font-size="15" font-weight="bold">{title}</text>']
        for value in range(0, int(self.most_y) + 1, tick):
            y = self.y(value)
            out.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + WIDTH}" y2="{y:.1f}" stroke="#e4e4e4"/>')
            out.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
        for million in range(0, int(self.most_x / 1e6) + 1, 2):
            x, bottom = self.x(million * 1e6), self.top + self.height
            out.append(f'<line x1="{x:.1f}" y1="{bottom}" x2="{x:.1f}" y2="{bottom + 5}" stroke="#8c8c8c"/>')
            out.append(f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{million}</text>')
        return out

    def line(self, points, colour, width, dashes):
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        return (f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" '
                f'stroke-linejoin="round"{dashed}/>')

    def labels(self, ends):
        """A label at the end of each line: [(value, text, colour)]; those that would overlap move apart."""
        placed, out = [], []
        for value, text, colour in sorted(ends):
            y = min([self.y(value) + 4] + [lowest - 15 for lowest in placed[-1:]])
            placed.append(y)
            out.append(f'<text x="{LEFT + WIDTH + 8}" y="{y:.1f}" fill="{colour}">{text}</text>')
        return out

    def clear(self, lookups, label):
        x = self.x(lookups)
        text = f'<text x="{x + 6:.1f}" y="{self.top + 12}" fill="#666666">{label}</text>' if label else ""
        return [f'<line x1="{x:.1f}" y1="{self.top}" x2="{x:.1f}" y2="{self.top + self.height}" stroke="#8c8c8c" '
                f'stroke-dasharray="2 3"/>{text}']


def rounded_up(value, step):
    return -(-value // step) * step


def chart(runs):
    """Resident memory above, computing time spent again below, over the same lookups; a line for each contestant."""
    lookups, limit, clear_at = runs["map"].samples[-1][0], runs["map"].limit / MIB, runs["map"].clear_at
    lost = {name: runs[name].lost(len(runs[name].samples) // 20) for name, *_ in CONTESTANTS}
    memory = Panel(52, 300, lookups, rounded_up(max(mib for run in runs.values() for _, mib in run.resident()), 50))
    time = Panel(426, 170, lookups, rounded_up(max(share for points in lost.values() for _, share in points), 20))
    width, height = LEFT + WIDTH + RIGHT, 650
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12" fill="#222222">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    out += memory.axes(f"Resident memory under a limit of {limit:.0f} MiB, in MiB", 100)
    out += memory.clear(clear_at, "cleared")
    out += time.axes("Computing time spent again, in % of what unlimited memory saves", 20)
    out += time.clear(clear_at, "")
    y = memory.y(limit)
    out.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + WIDTH}" y2="{y:.1f}" stroke="#222222"/>')
    out.append(f'<text x="{LEFT + 4}" y="{y - 5:.1f}">limit</text>')
    for name, _, colour, line_width, dashes in CONTESTANTS:
        out.append(memory.line(runs[name].resident(), colour, line_width, dashes))
        out.append(time.line(lost[name], colour, line_width, dashes))
    out += memory.labels([(runs[name].resident()[-1][1], f"{label}: {runs[name].resident()[-1][1]:.0f}", colour)
                          for name, label, colour, *_ in CONTESTANTS])
    out += time.labels([(lost[name][-1][1], label, colour) for name, label, colour, *_ in CONTESTANTS])
    out.append(f'<text x="{LEFT + WIDTH / 2}" y="{height - 12}" text-anchor="middle">million lookups</text>')
    return "\n".join(out + ["</svg>\n"])


def replace_between(text, name, content):
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(begin)
    return before + begin + content + "\n" + end + rest.split(end)[1]


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--quick"]):
        sys.exit(__doc__)
    program, options = sys.argv[1], sys.argv[2:]
    runs = {name: Run(program, name, options) for name, *_ in CONTESTANTS}
    print(table(runs))
    if options:
        return
    page = PAGE.read_text(encoding="utf-8")
    for name, content in [("conditions", conditions(runs)), ("figures", table(runs))]:
        page = replace_between(page, name, content)
    PAGE.write_text(page, encoding="utf-8")
    CHART.write_text(chart(runs), encoding="utf-8")


main()
