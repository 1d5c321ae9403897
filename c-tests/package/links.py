#!/usr/bin/env python3
"""Follows all links of the pages in an installed tree: links.py PREFIX

Each leads to a file below PREFIX; if it names a heading, the page has that heading.
"""

import re
import sys
from pathlib import Path

PREFIX = Path(sys.argv[1]).resolve()


def without_code(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)


def anchors(page):
    """The names that a heading has in a link: lower case, blanks as hyphens, without other signs."""
    headings = re.findall(r"^#+ +(.+?) *$", without_code(page.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w -]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading)).lower().replace(" ", "-")
            for heading in headings}


def faults(page):
    text = without_code(page.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)[^)]*\)", re.sub(r"`[^`\n]*`", "", text)) + \
            re.findall(r"(?:src|href)=\"([^\"]+)\"", text):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if PREFIX not in target.parents:
            yield f"{link} leads out of the prefix"
        elif not target.exists():
            yield f"{link} leads to nothing"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            yield f"{link}: there is no such heading"


pages = sorted(PREFIX.rglob("*.md"))
found = [f"{page.relative_to(PREFIX)}: {fault}" for page in pages for fault in faults(page)]
for fault in found:
    print(f"FAILED {fault}")
if "README.md" not in {page.name for page in pages}:
    sys.exit("FAILED the read-me is not installed")
if not found:
    print(f"ok     all links of {len(pages)} pages")
sys.exit(bool(found))
