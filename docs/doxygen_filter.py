#!/usr/bin/env python3
"""Prepares a file for doxygen: doxygen_filter.py FILE

In phicache.h, the introduction becomes the description of the file, and each section a group; in the header itself these
are plain comments, to be read from top to bottom. In the C++ headers, namespace `detail` is left out, and @copydoc becomes
a sentence. In the pages, links to files outside the reference become text.
"""
import re
import sys

text = open(sys.argv[1], encoding="utf-8").read()
if sys.argv[1].endswith("phicache.h"):
    text = re.sub(r"\A/\*\n \* (.*)\n", r"/** @file\n * \1\n", text)
    sections = 0

    def group(match):
        global sections
        sections += 1
        end = "/** @} */\n\n" if sections > 1 else ""
        return f"{end}/** @defgroup section{sections} {match.group(1)}\n{match.group(2)} * @{{ */"

    text = re.sub(r"^/\* ([^\n]+) -{5,}\n(.*?)^ \*/", group, text, flags=re.M | re.S)
    # A heading is a line between two empty ones.
    text = re.sub(r"^ \*\n \* ([A-Z][a-z ]+)\n \*\n", r" *\n * ### \1\n *\n", text, flags=re.M)
    text = text.replace("#ifdef __cplusplus\n}\n#endif", "/** @} */\n\n#ifdef __cplusplus\n}\n#endif")
elif sys.argv[1].endswith(".hpp"):
    text = re.sub(r"^namespace detail \{.*?^\}  // namespace detail$", lambda cut: "\n" * cut.group(0).count("\n"), text,
                  flags=re.M | re.S)
    text = re.sub(r"/// @copydoc (\w+)\n(\s*(?:template <.*>\s*)?(?:inline )?expected<)",
                  r"/// As `\1`; an error is returned, not thrown.\n\2", text)
    text = re.sub(r"/// @copydoc (\w+)", r"/// As `\1`.", text)
elif sys.argv[1].endswith(".md"):
    pages = re.findall(r"[\w-]+\.md", re.search(r"^INPUT .*", open("docs/Doxyfile", encoding="utf-8").read(), re.M).group(0))
    # Pages outside the reference are named, not linked.
    text = re.sub(r"\[([^]]+)\]\(((?!https?:)[^)]+)\)",
                  lambda link: link.group(0) if link.group(2).split("/")[-1] in pages else link.group(1), text)
sys.stdout.write(text)
