#!/usr/bin/env python3
"""Writes the README's program in a language into a file: readme_example.py README c|cpp OUTPUT"""

import re
import sys
from pathlib import Path

readme, language, output = sys.argv[1:]
programs = re.findall(rf"^```{language}\n(.*?)^```$", Path(readme).read_text(encoding="utf-8"), re.M | re.S)
if len(programs) != 1:
    sys.exit(f"{readme} has {len(programs)} programs in {language}; expected one")
Path(output).write_text(programs[0], encoding="utf-8")
