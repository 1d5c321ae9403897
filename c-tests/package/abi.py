#!/usr/bin/env python3
"""The ABI that phicache.h promises, as text: abi.py CC HEADER [LIST]

Prints the size and alignment of every struct and the offsets of its members, the values of all constants, and the
signatures of all functions. With LIST, compares this with the committed list instead; after an intended change
`make symbols` writes a new list. Layouts are those of 64-bit machines.
"""

import difflib
import re
import subprocess
import sys
import tempfile
from pathlib import Path


def spaced(text):
    """Normalizes the white space of declarations."""
    return re.sub(r"\s*\*\s*", " *", " ".join(text.split())).replace("* *", "**").replace("( *", "(*")


class Header:
    def __init__(self, text):
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        self.constants = re.findall(r"^#define (PHICACHE_\w+) +\S", text, re.M)
        text = re.sub(r"^#(?:.*\\\n)*.*$", "", text, flags=re.M)
        structs = re.compile(r"typedef struct (\w+) \{(.*?)\} \w+;", re.S)
        self.structs = {name: [spaced(member) for member in body.split(";") if member.strip()]
                        for name, body in structs.findall(text)}
        declarations = [spaced(part) for part in structs.sub("", text).split(";")]
        declarations = [part.replace('extern "C" {', "").replace("PHICACHE_MUST_USE", "").strip()
                        for part in declarations]
        self.types = sorted(part for part in declarations if part.startswith("typedef"))
        self.functions = sorted(part for part in declarations
                                if re.fullmatch(r"[\w *]+\(.*\)", part) and part not in self.types)
        known = set(self.types) | set(self.functions) | {"", "}"}
        unknown = [part for part in declarations if part not in known]
        if unknown or len(self.functions) < 50 or len(self.structs) < 5:
            sys.exit(f"the form of the header has changed; abi.py cannot parse: {unknown[:1]}")


# Not part of the ABI: they change with each version, or are for the compiler.
UNCOUNTED = re.compile(r"PHICACHE_VERSION_\w+|PHICACHE_MUST_USE|PHICACHE_H")


def measure(compiler, path, header):
    """The layouts and values that the compiler computes."""
    lines = []
    for name, members in header.structs.items():
        lines.append(f'printf("struct {name}: %zu bytes, aligned to %zu\\n", sizeof({name}), _Alignof({name}));')
        for member in members:
            field = re.search(r"(\w+)(?:\[\w+\])?$", member).group(1)
            lines.append(f'printf("    %3zu  %2zu  {member}\\n", offsetof({name}, {field}), '
                         f'sizeof((({name} *)0)->{field}));')
    for name in header.constants:
        if not UNCOUNTED.fullmatch(name):
            lines.append(f'printf("{name} = %g, %zu bytes\\n", (double)({name}), sizeof({name}));')
    source = f'#include <stdio.h>\n#include "{path}"\nint main(void) {{\n' + "\n".join(lines) + "\nreturn 0;\n}\n"
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "layouts"
        subprocess.run([compiler, "-std=c11", "-x", "c", "-", "-o", program], input=source, text=True, check=True)
        return subprocess.run([program], capture_output=True, text=True, check=True).stdout


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    path = Path(sys.argv[2]).resolve()
    header = Header(path.read_text(encoding="utf-8"))
    foreign = [function for function in header.functions if not re.match(r"[\w *]*\bphicache_\w+\(", function)]
    if foreign:
        sys.exit(f"FAILED the header declares what is not phicache's: {foreign[0]}")
    text = measure(sys.argv[1], path, header) + "\n".join(header.types + header.functions) + "\n"
    if len(sys.argv) == 3:
        print(text, end="")
        return
    committed = Path(sys.argv[3])
    changes = list(difflib.unified_diff(committed.read_text(encoding="utf-8").splitlines(), text.splitlines(),
                                        committed.name, path.name, lineterm="", n=0))
    if changes:
        print("\n".join(changes))
        sys.exit("FAILED the ABI has changed; if that is intended, update the list with make symbols, and CHANGELOG.md "
                 "says so")
    print(f"ok     {len(header.structs)} structs and {len(header.functions)} functions are those of {committed.name}")


if __name__ == "__main__":
    main()
