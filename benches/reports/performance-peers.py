#!/usr/bin/env python3
"""Fills the tables of performance-peers.md and README.md, and draws performance-peers.svg, from a run of benches/peers.

usage: performance-peers.py FIGURES.json REPLAY.txt

FIGURES.json is what `peers --json` wrote, REPLAY.txt what `replay --time` printed. `make bench` does all of it.
"""

import json
import re
import subprocess
import sys
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


# The goals -----------------------------------------------------------------------------------------------------------

def against_best(work, form, entries, at_most, thread_safe=True):
    """The ratio to the fastest peer: of the concurrent ones, of those for one thread, or (None) of all."""
    def measure(figures):
        rows = figures.standard(work, form, figures.large if entries == "large" else entries)
        peers = [row for row in rows[1:] if thread_safe in (None, row["thread_safe"])]
        if not peers:
            return None
        best = max(peers, key=lambda row: row["ratio"]["median"])
        return best["ratio"], best["ratio"]["median"] <= at_most, f"{best['name']}, {best['rounds']} rounds"
    return measure


def in_a_duel(work, form, at_most, entries=None):
    """The ratio of two operations of phicache."""
    def measure(figures):
        rows = figures.find(work, form, entries)
        return (rows[1]["ratio"], rows[1]["ratio"]["median"] <= at_most, rows[1]["name"]) if rows else None
    return measure


def difference(work, form, entries, at_most):
    """The difference in nanoseconds of two operations of phicache, from their ratio within the rounds."""
    def measure(figures):
        rows = figures.find(work, form, entries)
        if not rows:
            return None
        apart = rows[0]["figure"]["median"] * (1 - 1 / rows[1]["ratio"]["median"])
        return {"median": apart}, apart <= at_most, f"ns, {rows[0]['name']} less {rows[1]['name']}"
    return measure


def own(work, form, at_most):
    """A figure of phicache alone."""
    def measure(figures):
        rows = [row for row in figures.find(work, form) if row["name"] == "phicache"]
        return (rows[0]["figure"], rows[0]["figure"]["median"] <= at_most, rows[0]["unit"]) if rows else None
    return measure


def replayed(figures):
    """How many times faster than PyPhi the slowest recorded run is."""
    if not figures.replay:
        return None
    name, slowest = max(figures.replay.items(), key=lambda item: item[1])
    return {"median": PYPHI_NS / slowest}, PYPHI_NS / slowest >= 50, f"times as fast; slowest: {name}, {slowest:.1f} ns"


GOALS = [
    ("pinned hit and release, counted peers, 10,000 entries", "≤ 0.65", against_best("hit", "counted", MEDIUM, 0.65)),
    ("the same, real load", "≤ 0.4", against_best("hit", "counted", REAL_LOAD, 0.4)),
    ("read in place, 10,000 entries", "≤ 0.8", against_best("hit", "in place", MEDIUM, 0.8)),
    ("the same, real load", "≤ 0.6", against_best("hit", "in place", REAL_LOAD, 0.6)),
    ("the same, against the best map for one thread", "≤ 1.2", against_best("hit", "in place", REAL_LOAD, 1.2, False)),
    ("a pin's own cost over reading in place, real load", "≤ 2 ns",
     difference("phicache", "a pin against reading in place", REAL_LOAD, 2)),
    ("hit copied into a buffer, 10,000 entries", "≤ 0.7", against_best("hit", "copied", MEDIUM, 0.7)),
    ("the same, real load", "≤ 0.5", against_best("hit", "copied", REAL_LOAD, 0.5)),
    ("memoize on a hit, against the pinned hit, real load", "≤ 1.05",
     in_a_duel("phicache", "memoize against a pinned hit", 1.05, REAL_LOAD)),
    ("miss, 10,000 entries", "≤ 0.65", against_best("miss", "", MEDIUM, 0.65)),
    ("the same, real load", "≤ 0.5", against_best("miss", "", REAL_LOAD, 0.5)),
    ("store refused by the cut, against a miss", "≤ 1", in_a_duel("refused store", "cut", 1)),
    ("store refused by φ", "≤ 1", in_a_duel("refused store", "phi", 1)),
    ("store refused by memory", "≤ 1", in_a_duel("refused store", "memory", 1)),
    ("the memory check in a store", "≤ 2 ns", difference("store", "memory check", None, 2)),
    ("new + free of a cache that stays empty", "≤ 100 ns", own("new + free", "empty", 100)),
    ("child MICE cache: parent with 10,000 entries, against an empty one", "≤ 1.03",
     in_a_duel("child MICE cache", "new + free", 1.03)),
    ("hit in a child, against a plain hit", "≤ 2", in_a_duel("child MICE cache", "hit", 2)),
    ("hit, large table", "≤ 0.75", against_best("hit", "counted", "large", 0.75)),
    ("in place, large table", "≤ 0.8", against_best("hit", "in place", "large", 0.8)),
    ("dependent, in place, large table", "≤ 0.75", against_best("dependent hit", "in place", "large", 0.75)),
    ("insert from empty, large table", "≤ 0.55", against_best("insert from empty", "", "large", 0.55)),
    ("batch of 64 gets, per get, against the best single read in place", "≤ 0.35",
     against_best("batch of 64 against in place", "pinned", "large", 0.35, None)),
    ("overhead per entry, resident", "≤ 40 bytes", own("overhead per entry", "resident", 40)),
    ("longest single insert while growing", "≤ 2 ms", own("longest single insert", "", 2)),
    ("clear of the large table", "≤ 20 ms", own("clear", "", 20)),
    ("free of the large table", "≤ 20 ms", own("free", "", 20)),
    ("memory that a clear keeps", "≤ 10 MB", own("memory kept after clear", "", 10)),
    ("memory that a free keeps", "≤ 10 MB", own("memory kept after free", "", 10)),
    ("2 threads, 95/5, pinned, uniform, large table", "≤ 1/1.5",
     against_best("2 threads, 95/5", "counted, uniform", "large", 1 / 1.5)),
    ("the same, Zipf", "≤ 1/1.7", against_best("2 threads, 95/5", "counted, Zipf", "large", 1 / 1.7)),
    ("2 threads, 95/5, in place, uniform, large table", "≤ 1/1.3",
     against_best("2 threads, 95/5", "in place, uniform", "large", 1 / 1.3)),
    ("the same, Zipf", "≤ 1/1.5", against_best("2 threads, 95/5", "in place, Zipf", "large", 1 / 1.5)),
    ("stampede of 8 threads on one missing key", "1", own("stampede", "8 threads", 1)),
    ("recorded PyPhi runs, against PyPhi's own classes", "≥ 50", replayed),
]


def goals_table(figures):
    lines = ["| what | goal | here | 10th to 90th percentile | | against |", "|---|---|---:|---|---|---|"]
    for title, goal, measure in GOALS:
        found = measure(figures)
        if found is None:
            lines.append(f"| {title} | {goal} | | | not measured | |")
            continue
        spread, met, against = found
        around = f"{number(spread['p10'])} to {number(spread['p90'])}" if "p10" in spread else ""
        lines.append(f"| {title} | {goal} | {number(spread['median'])} | {around} | "
                     f"{'met' if met else '**not met**'} | {against} |")
    return "\n".join(lines)


# Tables of all peers -----------------------------------------------------------------------------------------------------

READS = [("hit, counted", "hit", "counted"), ("in place", "hit", "in place"), ("copied", "hit", "copied"),
         ("dependent, counted", "dependent hit", "counted"), ("dependent, in place", "dependent hit", "in place"),
         ("miss", "miss", ""), ("memoize on a hit", "memoize on a hit", "counted"), ("batch of 64, pinned", "batch of 64 against in place", "pinned"),
         ("insert", "insert from empty", "")]
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
    lines = ["| key, form | " + " | ".join(f"value of {value}" for value in values) + " |", "|---|" + "---:|" * len(values)]
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
    def first_line(*command):
        try:
            return subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0]
        except OSError:
            return ""
    packages = [first_line("dpkg-query", "-W", "-f", "${Package} ${Version}", package) for package in PACKAGES]
    lock = LOCK.read_text(encoding="utf-8")
    crates = []
    for crate in CRATES:
        versions = re.findall(rf'name = "{crate}"\nversion = "([0-9.]+)"', lock)
        crates.append(f"{crate} {' and '.join(versions)}")
    boost = f", Boost {facts['boost'].replace('_', '.')}" if facts["boost"] else "; Boost left out"
    return (f"phicache {facts['phicache']}; {facts['cpu']}, {facts['cores']} cores; {facts['compiler']}, "
            f"{first_line('rustc', '--version')}. {', '.join(filter(None, packages))}{boost}; {', '.join(crates)}. "
            f"The large table has {figures.large:,} entries.")


# The README's table --------------------------------------------------------------------------------------------------------

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
    lines = ["| | a hit, ns | limit | when full | beyond the process | keeps a removed value valid | one computes, others "
             "wait |", "|---|---:|---|---|---|---|---|"]
    for name, *what in ALTERNATIVES:
        figure = number(hits[name]["figure"]["median"]) if name in hits else ""
        lines.append(f"| {name} | {figure} | {' | '.join(what)} |")
    return "\n".join(lines)


# The chart ---------------------------------------------------------------------------------------------------------------

FORMS = [("miss", "miss", "", "#8c8c8c"), ("hit in place", "hit", "in place", "#009e73"),
         ("hit counted or pinned", "hit", "counted", "#0072b2"), ("hit copied", "hit", "copied", "#d55e00")]


def chart(figures):
    """Nanoseconds as dots: a panel for each table, a line for each peer, a colour for each form."""
    panels = [("real load: 2,000 entries, 16 → 64 bytes", REAL_LOAD, 80), ("10,000 entries, 40 → 256 bytes", MEDIUM, 100),
              (f"{figures.large:,} entries, 40 → 256 bytes", figures.large, 800)]
    names = [label(row) for row in figures.standard("hit", "counted", REAL_LOAD)]
    left, top, panel, gap, line = 250, 92, 260, 40, 26
    width, bottom = left + len(panels) * (panel + gap), top + len(names) * line
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{bottom + 44}" '
        f'viewBox="0 0 {width} {bottom + 44}" font-family="sans-serif" font-size="12" fill="#222222">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        '<text x="16" y="26" font-size="15" font-weight="bold">Nanoseconds per operation, one thread, independent accesses '
        '(medians; what is slower than a panel is left out)</text>',
    ]
    x = 16
    for form, _, _, colour in FORMS:
        out.append(f'<circle cx="{x + 5}" cy="46" r="5" fill="{colour}"/><text x="{x + 16}" y="50">{form}</text>')
        x += 50 + 7 * len(form)
    for index, name in enumerate(names):
        y = top + (index + 0.5) * line
        weight = ' font-weight="bold"' if index == 0 else ""
        out.append(f'<text x="{left - 12}" y="{y + 4:g}" text-anchor="end"{weight}>{name}</text>')
    for place, (title, entries, most) in enumerate(panels):
        start = left + place * (panel + gap)
        out.append(f'<text x="{start}" y="{top - 14}" font-weight="bold">{title}</text>')
        for tick in range(5):
            x = start + panel * tick / 4
            out.append(f'<line x1="{x:g}" y1="{top}" x2="{x:g}" y2="{bottom}" stroke="#e4e4e4"/>')
            out.append(f'<text x="{x:g}" y="{bottom + 20}" text-anchor="middle">{most * tick // 4}</text>')
        for form, work, how, colour in FORMS:
            for row in figures.standard(work, how, entries):
                ns = row["figure"]["median"]
                if ns <= most and label(row) in names:
                    y = top + (names.index(label(row)) + 0.5) * line
                    out.append(f'<circle cx="{start + panel * ns / most:.1f}" cy="{y:g}" r="5" fill="{colour}">'
                               f'<title>{label(row)}, {form}: {number(ns)} ns</title></circle>')
    out.append("</svg>\n")
    return "\n".join(out)


def replace_between(text, name, content):
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(begin)
    return before + begin + content + "\n" + end + rest.split(end)[1]


def main():
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
        ("goals", goals_table(figures)),
        ("real load", works_table(figures, READS, REAL_LOAD) + "\n\n" + works_table(figures, THREADS, REAL_LOAD)),
        ("10,000 entries", works_table(figures, READS, MEDIUM)),
        ("large table", works_table(figures, READS, figures.large) + "\n\n" + works_table(figures, THREADS + FILL, figures.large)),
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
    CHART.write_text(chart(figures), encoding="utf-8")


main()
