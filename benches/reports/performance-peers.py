#!/usr/bin/env python3
"""Fills the tables of performance-peers.md and README.md, and draws performance-peers.svg, from a run of benches/peers.

usage: performance-peers.py FIGURES.json REPLAY.txt
       performance-peers.py --chart         draws the chart again, from the tables of the page

FIGURES.json is what `peers --json` wrote, REPLAY.txt what `replay --time` printed. `make bench` does all of it.
"""

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE / "performance-peers.md"
CHART = HERE / "performance-peers.svg"
README = HERE.parent.parent / "README.md"
LOCK = HERE.parent / "peers/rust/Cargo.lock"

REAL_LOAD, MEDIUM = 2_000, 10_000
PYPHI_NS = 770  # an operation of PyPhi's own classes, measured on another machine
PACKAGES = ["libabsl-dev", "libtbb-dev", "libcuckoo-dev", "libglib2.0-dev"]
CRATES = ["dashmap", "papaya", "scc", "quick_cache", "moka", "hashbrown", "foldhash"]


class Figures:
    """The rows of a run; None for `entries` matches any number."""

    def __init__(self, rows):
        self.rows = rows
        self.large = max((row["entries"] for row in rows if row["work"] == "hit"), default=0)

    def find(self, work, form="", entries=None, key=None, value=None):
        return [row for row in self.rows if (row["work"], row["form"]) == (work, form)
                and entries in (None, row["entries"]) and key in (None, row["key"]) and value in (None, row["value"])]

    def standard(self, work, form, entries):
        """The rows of a standard table; the table of MEDIUM entries has further sizes of keys and values."""
        sizes = {"key": 40, "value": 256} if entries == MEDIUM else {}
        return self.find(work, form, entries, **sizes)


# Beside the fastest ---------------------------------------------------------------------------------------------------

def against_best(work, form, entries, thread_safe=True):
    """The ratio to the fastest peer: of the concurrent ones, of those for one thread, or (None) of all."""
    def measure(figures):
        rows = figures.standard(work, form, figures.large if entries == "large" else entries)
        peers = [row for row in rows[1:] if thread_safe in (None, row["thread_safe"])]
        if not peers:
            return None
        best = max(peers, key=lambda row: row["ratio"]["median"])
        return best["ratio"], best["name"]
    return measure


def in_a_duel(work, form, entries=None):
    """The ratio of two operations of phicache."""
    def measure(figures):
        rows = figures.find(work, form, entries)
        return (rows[1]["ratio"], rows[1]["name"]) if rows else None
    return measure


def difference(work, form, entries):
    """The difference in nanoseconds of two operations of phicache, from their ratio within the rounds."""
    def measure(figures):
        rows = figures.find(work, form, entries)
        if not rows:
            return None
        return {"median": rows[0]["figure"]["median"] * (1 - 1 / rows[1]["ratio"]["median"])}, "ns"
    return measure


def own(work, form):
    """A figure of phicache alone."""
    def measure(figures):
        rows = [row for row in figures.find(work, form) if row["name"] == "phicache"]
        return (rows[0]["figure"], rows[0]["unit"]) if rows else None
    return measure


def replayed(figures):
    """How many times faster than PyPhi the slowest recorded run is."""
    if not figures.replay:
        return None
    name, slowest = max(figures.replay.items(), key=lambda item: item[1])
    return {"median": PYPHI_NS / slowest}, f"times as fast; the slowest of the runs: {name}, {slowest:.1f} ns"


RATIOS = [
    ("a value that is kept and released, 2,000 entries", against_best("hit", "counted", REAL_LOAD)),
    ("the same, 10,000 entries", against_best("hit", "counted", MEDIUM)),
    ("the same, large table", against_best("hit", "counted", "large")),
    ("read in place, 2,000 entries", against_best("hit", "in place", REAL_LOAD)),
    ("the same, 10,000 entries", against_best("hit", "in place", MEDIUM)),
    ("the same, large table", against_best("hit", "in place", "large")),
    ("the same, where each lookup waits for the one before", against_best("dependent hit", "in place", "large")),
    ("read in place, 2,000 entries, beside a map for one thread", against_best("hit", "in place", REAL_LOAD, False)),
    ("copied, 2,000 entries", against_best("hit", "copied", REAL_LOAD)),
    ("the same, 10,000 entries", against_best("hit", "copied", MEDIUM)),
    ("a miss, 2,000 entries", against_best("miss", "", REAL_LOAD)),
    ("the same, 10,000 entries", against_best("miss", "", MEDIUM)),
    ("an insert from empty, large table", against_best("insert from empty", "", "large")),
    ("a get of a batch of 64, large table, beside a single read in place",
     against_best("batch of 64 against in place", "pinned", "large", None)),
    ("2 threads, 5 % writes, kept and released, uniform", against_best("2 threads, 95/5", "counted, uniform", "large")),
    ("the same, Zipf", against_best("2 threads, 95/5", "counted, Zipf", "large")),
    ("2 threads, 5 % writes, in place, uniform", against_best("2 threads, 95/5", "in place, uniform", "large")),
    ("the same, Zipf", against_best("2 threads, 95/5", "in place, Zipf", "large")),
    ("large table, after some minutes: kept and released", against_best("hit after minutes", "counted", "large")),
    ("read in place", against_best("hit after minutes", "in place", "large")),
    ("the same, where each lookup waits for the one before",
     against_best("dependent hit after minutes", "in place", "large")),
    ("a get of a batch of 64, beside a single read in place",
     against_best("batch of 64 after minutes", "pinned", "large", None)),
    ("2 threads, 5 % writes, kept and released, uniform",
     against_best("2 threads after minutes", "counted, uniform", "large")),
    ("the same, in place", against_best("2 threads after minutes", "in place, uniform", "large")),
]

OWN = [
    ("memoize on a hit, 2,000 entries", in_a_duel("phicache", "memoize against a pinned hit", REAL_LOAD)),
    ("a pin and its release, beside reading in place",
     difference("phicache", "a pin against reading in place", REAL_LOAD)),
    ("a store that is refused for the cut", in_a_duel("refused store", "cut")),
    ("a store that is refused for φ", in_a_duel("refused store", "phi")),
    ("a store that is refused for memory", in_a_duel("refused store", "memory")),
    ("the memory check in a store", difference("store", "memory check", None)),
    ("a hit in a child MICE cache", in_a_duel("child MICE cache", "hit")),
    ("to make and free a child, parent with 10,000 entries", in_a_duel("child MICE cache", "new + free")),
    ("to make and free a cache that stays empty", own("new + free", "empty")),
    ("resident memory for each entry, beyond its bytes", own("overhead per entry", "resident")),
    ("the longest insert while a table grows to a million entries", own("longest single insert", "")),
    ("to clear the large table", own("clear", "")),
    ("to free it", own("free", "")),
    ("memory that stays after clearing it", own("memory kept after clear", "")),
    ("memory that stays after freeing it", own("memory kept after free", "")),
    ("computations, if 8 threads request one missing key", own("stampede", "8 threads")),
    ("recorded runs of PyPhi, beside its own classes", replayed),
]


def short_table(figures, rows, head):
    lines = [f"| | {head} | 10th to 90th percentile | |", "|---|---:|---|---|"]
    for title, measure in rows:
        found = measure(figures)
        if found is None:
            continue
        spread, what = found
        around = f"{number(spread['p10'])} to {number(spread['p90'])}" if "p10" in spread else ""
        lines.append(f"| {title} | {number(spread['median'])} | {around} | {what} |")
    return "\n".join(lines)


# Tables of all peers --------------------------------------------------------------------------------------------------

READS = [("hit, counted", "hit", "counted"), ("in place", "hit", "in place"), ("copied", "hit", "copied"),
         ("dependent, counted", "dependent hit", "counted"), ("dependent, in place", "dependent hit", "in place"),
         ("miss", "miss", ""), ("memoize on a hit", "memoize on a hit", "counted"),
         ("batch of 64, pinned", "batch of 64 against in place", "pinned"), ("insert", "insert from empty", "")]
THREADS = [(form, "2 threads, 95/5", form)
           for form in ("counted, uniform", "counted, Zipf", "in place, uniform", "in place, Zipf")]
FILL = [("overhead, bytes per entry", "overhead per entry", "resident"), ("free, ms", "free", ""),
        ("kept afterwards, MB", "memory kept after free", "")]


def number(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def cell(row):
    """The median, and phicache's figure divided by this one in the same rounds: 10th, 50th, 90th percentile."""
    if row is None:
        return ""
    ratio = row["ratio"]
    if ratio is None or ratio["median"] is None:
        return f"**{number(row['figure']['median'])}**"
    return (f"{number(row['figure']['median'])} <sub>{ratio['p10']:.2f} · **{ratio['median']:.2f}** · "
            f"{ratio['p90']:.2f}</sub>")


def label(row):
    return row["name"] if row["thread_safe"] else row["name"] + " (one thread)"


def table(columns):
    """One line for each peer, one column for each (title, rows)."""
    columns = [(title, {label(row): row for row in rows}) for title, rows in columns if rows]
    names = list(dict.fromkeys(name for _, rows in columns for name in rows))
    lines = ["| | " + " | ".join(title for title, _ in columns) + " |", "|---|" + "---:|" * len(columns)]
    lines += [f"| {name} | " + " | ".join(cell(rows.get(name)) for _, rows in columns) + " |" for name in names]
    return "\n".join(lines)


def works_table(figures, works, entries):
    return table([(title, figures.standard(work, form, entries)) for title, work, form in works])


def sizes_table(figures):
    """phicache's hit and its ratio to the fastest concurrent peer, by length of key and value."""
    values = [8, 64, 256, 1024]
    lines = ["| key, form | " + " | ".join(f"value of {value}" for value in values) + " |",
             "|---|" + "---:|" * len(values)]
    for form in ("counted", "in place", "copied"):
        for key in (16, 40, 256):
            cells = []
            for value in values:
                rows = figures.find("hit", form, MEDIUM, key, value)
                ratios = [row["ratio"]["median"] for row in rows[1:] if row["thread_safe"]]
                cells.append(f"{number(rows[0]['figure']['median'])} <sub>{max(ratios):.2f}</sub>" if ratios else "")
            lines.append(f"| {key} bytes, {form} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def machine(figures, facts):
    def first_line(*command, field=""):
        try:
            lines = subprocess.run(command, capture_output=True, text=True).stdout.split("\n")
        except OSError:
            return ""
        return next((line.removeprefix(field) for line in lines if line.startswith(field)), "")

    def package(name):
        """A package with the version that is installed, or else that of the archive, which find_peers.py unpacks."""
        version = (first_line("dpkg-query", "-W", "-f", "${Version}", name)
                   or first_line("apt-cache", "show", "--no-all-versions", name, field="Version: "))
        return f"{name} {version}" if version else ""
    packages = [package(name) for name in PACKAGES]
    lock = LOCK.read_text(encoding="utf-8")
    crates = []
    for crate in CRATES:
        versions = re.findall(rf'name = "{crate}"\nversion = "([0-9.]+)"', lock)
        crates.append(f"{crate} {' and '.join(versions)}")
    boost = f", Boost {facts['boost'].replace('_', '.')}" if facts["boost"] else "; Boost left out"
    return textwrap.fill(
        f"phicache {facts['phicache']}; {facts['cpu']}, {facts['cores']} cores; {facts['compiler']}, "
        f"{first_line('rustc', '--version')}. {', '.join(filter(None, packages))}{boost}; {', '.join(crates)}. "
        f"The large table has {figures.large:,} entries.", 118, break_on_hyphens=False)


# The README's table ---------------------------------------------------------------------------------------------------

# What bounds memory, what happens then, where results go besides memory, what keeps a removed value valid, and whether
# one thread computes a missing value while others wait.
ALTERNATIVES = [
    ("phicache", "bytes, or a share of the process's memory", "evicts by cost, size and use; or refuses",
     "disk, Redis", "a pin, not counted", "yes, no lock held"),
    ("moka", "entries or weights", "evicts by frequency and use; time to live", "no", "`Arc`", "yes"),
    ("quick_cache", "entries or weights", "evicts by use", "no", "`Arc`", "yes"),
    ("dashmap", "no", "-", "no", "`Arc`", "under a lock of the map"),
    ("boost::concurrent_flat_map", "no", "-", "no", "`shared_ptr`", "under a lock of the map"),
    ("tbb::concurrent_hash_map", "no", "-", "no", "`shared_ptr`", "under a lock of the entry"),
    ("std::unordered_map + shared_mutex", "no", "-", "no", "`shared_ptr`", "under the mutex"),
]


def alternatives_table(figures):
    hits = {row["name"]: row for row in figures.standard("hit", "counted", REAL_LOAD)}
    lines = ["| | a hit, ns | limit | when full | beyond the process | keeps a removed value valid | one computes, "
             "others wait |", "|---|---:|---|---|---|---|---|"]
    for name, *what in ALTERNATIVES:
        figure = number(hits[name]["figure"]["median"]) if name in hits else ""
        lines.append(f"| {name} | {figure} | {' | '.join(what)} |")
    return "\n".join(lines)


# The chart ------------------------------------------------------------------------------------------------------------

FORMS = [("miss", "miss", "#8c8c8c"), ("hit in place", "in place", "#009e73"),
         ("hit, kept and released", "hit, counted", "#0072b2"), ("hit copied", "copied", "#d55e00")]
# (table of the page, title, the largest time that is drawn)
PANELS = [("real load", "2,000 entries, 16 → 64 bytes", 80), ("10,000 entries", "10,000 entries, 40 → 256 bytes", 100),
          ("large table", "1,000,000 entries, 40 → 256 bytes", 800)]


def medians(page, name):
    """{row: {column: median}} of the first table of a part of the page."""
    lines = part_of(page, name).split("\n\n")[0].splitlines()
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    figure = re.compile(r"\*{0,2}([\d,.]+)")
    return {row[0]: {title: float(figure.match(cell)[1].replace(",", "")) for title, cell in zip(head[1:], row[1:])
                     if figure.match(cell)} for row in rows}


def chart(page):
    """Nanoseconds as dots: a panel for each table, a line for each peer, a colour and a height for each form."""
    tables = [medians(page, name) for name, _, _ in PANELS]
    names = list(tables[0])
    left, top, panel, gap, line = 300, 100, 250, 56, 40
    width, bottom = left + len(PANELS) * (panel + gap), top + len(names) * line
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{bottom + 60}" '
        f'viewBox="0 0 {width} {bottom + 60}" font-family="sans-serif" font-size="13" fill="#222222">',
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{bottom + 59}" rx="8" fill="#ffffff" stroke="#d0d7de"/>',
        '<text x="20" y="30" font-size="15" font-weight="bold">Nanoseconds for one operation, one thread: farther '
        'left is better</text>',
    ]
    x = 20
    for form, _, colour in FORMS:
        out.append(f'<circle cx="{x + 5}" cy="52" r="5" fill="{colour}"/><text x="{x + 16}" y="56">{form}</text>')
        x += 56 + 7 * len(form)
    out.append(f'<text x="{x}" y="56" fill="#59636e">▸ slower than its panel shows</text>')
    for index, name in enumerate(names):
        y = top + index * line
        if index % 2 == 0:
            out.append(f'<rect x="8" y="{y}" width="{width - 16}" height="{line}" fill="#f5f7f9"/>')
        weight = ' font-weight="bold"' if index == 0 else ""
        out.append(f'<text x="{left - 14}" y="{y + line / 2 + 4:g}" text-anchor="end"{weight}>{name}</text>')
    for place, (table, (_, title, most)) in enumerate(zip(tables, PANELS)):
        start = left + place * (panel + gap)
        out.append(f'<text x="{start}" y="{top - 14}" font-weight="bold">{title}</text>')
        for tick in range(5):
            x = start + panel * tick / 4
            out.append(f'<line x1="{x:g}" y1="{top}" x2="{x:g}" y2="{bottom}" stroke="#dfe3e8"/>')
            out.append(f'<text x="{x:g}" y="{bottom + 22}" text-anchor="middle">{most * tick // 4}</text>')
        for name, figures in table.items():
            for at, (form, column, colour) in enumerate(FORMS):
                if column not in figures or name not in names:
                    continue
                ns, y = figures[column], top + names.index(name) * line + 8 + at * 8
                tip = f"<title>{name}, {form}: {number(ns)} ns</title>"
                if ns <= most:
                    out.append(f'<circle cx="{start + panel * ns / most:.1f}" cy="{y:.1f}" r="4" fill="{colour}">{tip}'
                               '</circle>')
                else:
                    x = start + panel + 6
                    out.append(f'<path d="M{x} {y - 4:.1f} l7 4 l-7 4 z" fill="{colour}">{tip}</path>'
                               f'<text x="{x + 10}" y="{y + 3.5:.1f}" font-size="9">{ns:.0f}</text>')
    out.append("</svg>\n")
    return "\n".join(out)


def part_of(text, name):
    return text.split(f"<!-- {name} -->\n")[1].split(f"\n<!-- end of {name} -->")[0]


def replace_between(text, name, content):
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(begin)
    return before + begin + content + "\n" + end + rest.split(end)[1]


def main():
    if sys.argv[1:] == ["--chart"]:
        CHART.write_text(chart(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        return
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    run = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    figures = Figures(run["rows"])
    timed = re.findall(r"^(\S+): [0-9.]+ ns per operation \(.*median ([0-9.]+)\)$",
                       Path(sys.argv[2]).read_text(encoding="utf-8"), re.MULTILINE)
    figures.replay = {name: float(median) for name, median in timed}
    replays = ["| recorded run | ns per operation | times as fast as PyPhi |", "|---|---:|---:|"]
    replays += [f"| {name} | {ns:.1f} | {PYPHI_NS / ns:.0f} |" for name, ns in figures.replay.items()]
    page = PAGE.read_text(encoding="utf-8")
    for name, content in [
        ("machine", machine(figures, run["machine"])),
        ("beside the fastest", short_table(figures, RATIOS, "ratio")),
        ("of its own", short_table(figures, OWN, "figure")),
        ("real load", works_table(figures, READS, REAL_LOAD) + "\n\n" + works_table(figures, THREADS, REAL_LOAD)),
        ("10,000 entries", works_table(figures, READS, MEDIUM)),
        ("large table", works_table(figures, READS, figures.large) + "\n\n"
         + works_table(figures, THREADS + FILL, figures.large)),
        ("100 entries", works_table(figures, READS, 100)),
        ("lengths", sizes_table(figures)),
        ("empty", table([("new + free, ns", figures.find("new + free", "empty")),
                         ("heap, bytes", figures.find("heap of an empty cache")),
                         ("longest insert while growing, ms", figures.find("longest single insert"))])),
        ("replays", "\n".join(replays)),
    ]:
        page = replace_between(page, name, content)
    PAGE.write_text(page, encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    README.write_text(replace_between(readme, "alternatives", alternatives_table(figures)), encoding="utf-8")
    CHART.write_text(chart(page), encoding="utf-8")


main()
