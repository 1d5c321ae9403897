#!/usr/bin/env python3
"""Draws the pictures of design.md: drawings.py writes them beside this script; drawings.py --check compares.

Each picture is a white card, readable on a light and on a dark page.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
INK, GREY, LINE = "#1f2328", "#59636e", "#8c959f"
BLUE, GREEN, ORANGE, RED, PALE, WHITE = "#cfe3f7", "#cdeac7", "#fbe0bd", "#f7cfcb", "#eef1f4", "#ffffff"


class Picture:
    def __init__(self, width, height, title):
        self.size, self.parts = (width, height), []
        self.text(24, 34, title, size=17, bold=True)

    def text(self, x, y, text, size=13, bold=False, anchor="start", fill=INK, mono=False):
        text = text.replace("&", "&amp;").replace("<", "&lt;")
        more = ' font-weight="bold"' if bold else ""
        more += ' font-family="monospace"' if mono else ""
        more += f' text-anchor="{anchor}"' if anchor != "start" else ""
        self.parts.append(f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{fill}"{more}>{text}</text>')

    def note(self, x, y, *lines, anchor="start", fill=GREY, clear=False):
        """Small text; `clear` hides what is behind it."""
        for at, line in enumerate(lines):
            if clear:
                width = 6.6 * len(line)
                left = x - width * {"start": 0, "middle": 0.5, "end": 1}[anchor]
                self.parts.append(f'<rect x="{left:g}" y="{y + 16 * at - 12:g}" width="{width:g}" height="16" '
                                  f'fill="{WHITE}"/>')
            self.text(x, y + 16 * at, line, size=12, anchor=anchor, fill=fill)

    def box(self, x, y, width, height, label="", fill=PALE, size=13, bold=False, round_by=3, dash=False, below=""):
        dashed = ' stroke-dasharray="5 4"' if dash else ""
        self.parts.append(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round_by}" '
                          f'fill="{fill}" stroke="{LINE}"{dashed}/>')
        middle = y + height / 2 + size * 0.36
        if below:
            self.text(x + width / 2, middle - 9, label, size, bold, "middle")
            self.text(x + width / 2, middle + 9, below, 12, False, "middle", GREY)
        elif label:
            self.text(x + width / 2, middle, label, size, bold, "middle")

    def row(self, x, y, height, cells, size=13):
        """Boxes side by side: (width, label, fill)."""
        for width, label, fill in cells:
            self.box(x, y, width, height, label, fill, size, round_by=0)
            x += width

    def line(self, *points, dash=False, colour=GREY, width=1.3):
        dashed = ' stroke-dasharray="4 4"' if dash else ""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>')

    def arrow(self, *points, colour=GREY):
        """A line with a head at its last point."""
        (x0, y0), (x1, y1) = points[-2:]
        length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
        dx, dy = (x1 - x0) / length, (y1 - y0) / length
        base = (x1 - 9 * dx, y1 - 9 * dy)
        self.line(*points[:-1], base, colour=colour)
        left, right = (base[0] - 4 * dy, base[1] + 4 * dx), (base[0] + 4 * dy, base[1] - 4 * dx)
        head = " ".join(f"{x:.1f},{y:.1f}" for x, y in ((x1, y1), left, right))
        self.parts.append(f'<polygon points="{head}" fill="{colour}"/>')

    def spread(self, from_left, from_right, y0, to_left, to_right, y1):
        """A shadow that shows that the lower box is the upper one, enlarged. Draw it before what lies on it."""
        points = f"{from_left:g},{y0:g} {from_right:g},{y0:g} {to_right:g},{y1:g} {to_left:g},{y1:g}"
        self.parts.append(f'<polygon points="{points}" fill="#f3f5f7"/>')

    def svg(self):
        width, height = self.size
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            'font-family="Helvetica, Arial, sans-serif">',
            f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" fill="{WHITE}" stroke="#d0d7de"/>',
            *self.parts, "</svg>", ""])


def store():
    """From a hash to an entry: directory, segment, bucket, chunk, entry."""
    p = Picture(900, 790, "From a key to its entry")
    p.spread(480, 564, 196, 24, 876, 320)
    p.spread(333, 423, 354, 333, 620, 382)
    p.spread(234, 424, 510, 24, 876, 566)

    # The hash.
    p.text(24, 74, "hash of the key", bold=True)
    x, y, height = 160, 56, 28
    p.row(x, y, height, [(16, "", PALE), (90, "tag", ORANGE), (170, "", PALE), (130, "bucket", GREEN), (170, "", PALE),
                         (114, "", BLUE)])
    p.text(x + 633, y + 18, "low 16 bits", anchor="middle")
    p.note(x + 61, y + 44, "7 bits", anchor="middle")
    p.note(x + 341, y + 44, "up to 10 bits", anchor="middle")
    p.note(x + 633, y + 44, "from bit 4: the directory's", "all 16: in the slot", anchor="middle")

    # Directory and segments.
    p.text(24, 152, "directory", bold=True)
    p.note(24, 170, "never changes:", "a new one", "replaces it")
    for at, bits in enumerate(("00", "01", "10", "11")):
        p.box(160, 136 + 28 * at, 70, 28, bits, BLUE, round_by=0)
    p.text(440, 152, "segments", bold=True, anchor="end")
    rows = [(480, 136, "depth 1"), (630, 136, "depth 2"), (780, 136, "depth 2")]
    for left, top, label in rows:
        for bucket in range(6):
            p.box(left, top + 15 * bucket, 84, 15, "", GREEN if (left, bucket) == (480, 3) else WHITE, round_by=0)
        p.note(left + 42, top + 106, label, anchor="middle")
    p.arrow((230, 150), (340, 150), (340, 172), (480, 172))
    p.line((230, 206), (340, 206), (340, 172))
    p.arrow((230, 178), (300, 178), (300, 266), (672, 266), (672, 250))
    p.arrow((230, 234), (270, 234), (270, 282), (822, 282), (822, 250))
    p.note(352, 192, "the last bit is 0", fill=GREY)

    # A bucket.
    p.text(24, 312, "bucket", bold=True)
    p.note(90, 312, "one cache line, 64 bytes: a word of tags, and seven slots of 8 bytes")
    p.row(24, 320, 34, [(25, "t", ORANGE)] * 2 + [(25, "", WHITE)] + [(25, "t", ORANGE)] + [(25, "", WHITE)] * 3
          + [(43, "over", PALE)], size=12)
    p.row(242, 320, 34, [(91, "slot", WHITE), (90, "slot", WHITE), (91, "", PALE), (90, "slot", WHITE), (91, "", PALE),
                         (90, "", PALE), (91, "", PALE)])
    p.note(24, 374, "tags of the slots, and how many", "entries overflowed to the next", "bucket")
    p.row(333, 382, 30, [(212, "address of the entry: 48 bits", WHITE), (75, "16 bits", BLUE)])
    p.note(634, 402, "of its hash")

    # A chunk.
    p.text(24, 462, "chunk", bold=True)
    p.note(24, 528, "128 bytes to 64 KiB, of one table; blocks follow each other; holes are used again")
    p.row(24, 470, 40, [(90, "header", PALE), (120, "entry", WHITE), (190, "entry", GREEN), (110, "hole", PALE),
                        (150, "entry", WHITE), (192, "not used yet", PALE)])
    p.arrow((440, 412), (440, 434), (326, 434), (326, 470))

    # An entry.
    p.text(24, 552, "entry", bold=True)
    p.note(90, 552, "header of 24 bytes, then the key, then the value at 16-byte alignment")
    p.row(24, 566, 40, [(80, "shares", ORANGE), (80, "key len", WHITE), (66, "units", WHITE), (50, "access", BLUE),
                        (50, "credits", BLUE), (80, "value len", WHITE), (150, "cost, then link", BLUE),
                        (120, "key", GREEN), (30, "", PALE), (146, "value", GREEN)], size=12)
    for left, width, size in ((24, 80, "4"), (104, 80, "4"), (184, 66, "2"), (250, 50, "1"), (300, 50, "1"),
                              (350, 80, "4"), (430, 150, "8")):
        p.note(left + width / 2, 622, size, anchor="middle")
    p.note(715, 622, "up to 15", anchor="middle")
    p.box(24, 644, 14, 14, "", ORANGE)
    p.note(46, 656, "shares: a flag while the table has the entry, and a count of the other owners: the maker, counted "
           "pins, the retire list")
    p.box(24, 668, 14, 14, "", BLUE)
    p.note(46, 680, "access: set by the first hit, in a cache that evicts; credits and cost: for eviction, only the "
           "writer uses them")
    p.note(46, 704, "units: the distance to the start of the chunk, in 16 bytes. So a block finds its chunk without a "
           "search.")
    p.note(46, 728, "link: when the entry has left the table, the next one on the retire list or on the list of holes.")
    p.note(46, 752, "Key and value are never written again once the entry is in a table: readers need no lock.")
    return p


def pins():
    """Pin, retire, collect: what keeps a replaced entry alive, over time."""
    p = Picture(900, 590, "A value is replaced while one thread reads it and another has pinned it")
    left, right = 150, 880
    lanes = {"reader A": 96, "reader B": 176, "writer": 256, "epoch": 376, "the old value": 446}
    for name, y in lanes.items():
        p.text(24, y + 19, name, bold=True)
    replaced, first, second, third = 330, 460, 640, 800
    for x in (replaced, first, second, third):
        p.line((x, 76), (x, 490), dash=True, colour="#c4ccd4", width=1)

    p.box(220, lanes["reader A"], 310, 28, "read section, began in epoch 7", BLUE)
    p.note(214, lanes["reader A"] - 8, "stores 7 in its record", anchor="middle", clear=True)
    p.note(530, lanes["reader A"] - 8, "stores 0", anchor="middle", clear=True)

    p.box(190, lanes["reader B"], 70, 28, "section", BLUE)
    p.box(260, lanes["reader B"], 450, 28, "pin: its hazard slot has the address", ORANGE)
    p.note(256, lanes["reader B"] - 8, "pins, before its section ends", anchor="middle", clear=True)
    p.note(710, lanes["reader B"] - 8, "releases: stores null", anchor="middle", clear=True)

    y = lanes["writer"]
    for x, label, width in ((replaced, "replace", 84), (first, "collect", 84), (second, "collect", 84),
                            (third, "collect", 84)):
        p.box(x - width / 2, y, width, 28, label, PALE)
    p.note(replaced, y + 46, "a store of one word;", "the old value is retired", anchor="middle", clear=True)
    p.note(first + 16, y + 46, "epoch, barrier:", "A may still read it", anchor="middle", clear=True)
    p.note(second, y + 46, "A is out, but", "a hazard slot has it", anchor="middle", clear=True)
    p.note(third, y + 46, "no section, no slot:", "its block is free", anchor="middle", clear=True)

    y = lanes["epoch"]
    for x, end, number in ((left, first, "7"), (first, second, "8"), (second, third, "9"), (third, right, "10")):
        p.box(x, y, end - x, 28, number, WHITE, round_by=0)
    y = lanes["the old value"]
    for x, end, label, fill in ((left, replaced, "in the table", GREEN), (replaced, 530, "retired; A reads it", BLUE),
                                (530, 710, "retired; B has it pinned", ORANGE), (710, third, "garbage", PALE),
                                (third, right, "freed", WHITE)):
        p.box(x, y, end - x, 28, label, fill, round_by=0, size=12)
    p.arrow((left, 498), (right, 498))
    p.note(right, 516, "time", anchor="end")
    p.note(24, 540, "Nobody waits in this picture. Readers store to their own records only, and execute no fence: the "
           "barrier of a collection,")
    p.note(24, 558, "membarrier(2), makes every thread of the process pass one. What cannot be freed waits for a later "
           "collection.")
    return p


def flight():
    """The states of a computation that others may wait for."""
    p = Picture(900, 500, "A missing value: the states of its flight")
    p.box(30, 190, 120, 60, "no flight", WHITE, round_by=10, bold=True)
    p.box(300, 180, 170, 80, "pending", BLUE, round_by=10, bold=True, below="one owner computes")
    p.box(690, 90, 180, 80, "value", GREEN, round_by=10, bold=True, below="all waiters get it")
    p.box(300, 370, 170, 80, "vacant", ORANGE, round_by=10, bold=True, below="nobody computes")
    p.box(690, 370, 180, 80, "failed", RED, round_by=10, bold=True, below="waiters begin again")

    p.arrow((150, 220), (300, 220))
    p.note(225, 194, "a caller misses,", "and becomes owner", anchor="middle")
    p.arrow((470, 205), (580, 205), (580, 130), (690, 130))
    p.note(594, 194, "the owner completes; the value is", "stored, unless the key was removed",
           "or the cache cleared meanwhile")
    p.arrow((360, 260), (360, 370))
    p.note(350, 302, "the owner fails,", "and only its caller", "gets the error", anchor="end")
    p.arrow((420, 370), (420, 260))
    p.note(432, 302, "one waiter is woken and takes over;", "so may a new caller")
    p.arrow((470, 410), (690, 410))
    p.note(580, 386, "nobody waits to take over,", anchor="middle")
    p.note(580, 430, "or the key was removed", anchor="middle")
    p.arrow((345, 180), (345, 110), (425, 110), (425, 180))
    p.note(385, 84, "a caller that cannot wait, because that would close",
           "a cycle, computes too: the first value counts", anchor="middle")
    p.note(30, 474, "Other callers of the key wait while it is pending. A caller that asks for the key that it "
           "computes itself gets an error.")
    return p


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    for name, draw in (("design-store", store), ("design-pins", pins), ("design-flight", flight)):
        path, drawn = HERE / f"{name}.svg", draw().svg()
        if not check:
            path.write_text(drawn, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != drawn:
            sys.exit(f"{path} is not what docs/drawings.py draws: run it.")


if __name__ == "__main__":
    main()
