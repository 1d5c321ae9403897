#!/usr/bin/env python3
"""Prepares a file for doxygen: doxygen_filter.py FILE

In phicache.h, the introduction becomes the description of the file, and each section a group; in the header itself
these are plain comments, to be read from top to bottom. In the C++ headers, namespace `detail` is left out, memos and
methods get the calls that they inherit from it, and @copydoc becomes a sentence. In the pages, links to files outside
the reference become text.
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
    def cut_out(pattern):
        """Leaves empty lines, so that the numbers of lines stay."""
        global text
        text = re.sub(pattern, lambda cut: "\n" * cut.group(0).count("\n"), text, flags=re.M | re.S)

    def conditions_left_out(match):
        """A list of template parameters without those that only say when a function takes part."""
        if "detail::" not in match.group(2):
            return match.group(0)
        depth, parameters = 0, [""]
        for character in match.group(2):
            depth += {"<": 1, "(": 1, ">": -1, ")": -1}.get(character, 0)
            if character == "," and depth == 0:
                parameters.append("")
            else:
                parameters[-1] += character
        kept = ",".join(parameter for parameter in parameters if "detail::" not in parameter)
        lines = "\n" * match.group(0).count("\n", 0, -1)
        return f"{match.group(1)}{kept.strip()}>{lines}\n" if kept else lines + "\n"

    calls = re.search(r"^class function_calls \{\npublic:\n(.*?)^private:", text, re.M | re.S)
    if calls:
        listed = re.sub(r"\) const \{.*?\}$", ") const;", calls.group(1), flags=re.M | re.S)
        for name, parameters in ("memo", "Arguments... arguments"), ("method", "cache results, Object& object, "
                                                                     "Arguments... arguments"):
            own = listed.replace("Parameters... parameters", parameters)
            text = re.sub(rf"^class {name} : public detail::[^{{]*\{{\n    using base = [^\n]*\n\npublic:\n",
                          lambda _: f"class {name} {{\npublic:\n{own}\n", text, flags=re.M)
    cut_out(r"^template <>\n(?:struct std::|class \w+<detail::).*?^\};$")
    cut_out(r"^namespace detail \{.*?^\}  // namespace detail$")
    # Declarations that only the library uses.
    cut_out(r"(?:^ *///[^\n]*\n)*^ *template <class Fill>\n *(?:explicit )?\w+\(detail::filled_by_c.*?\{.*?\}\)?"
            r"[^\n]*$")
    cut_out(r"^ *using \w+ =\s+(?:typename )?detail::[^;]*;$")
    cut_out(r"^template <class F>\n\w+\([^;]*-> [^;]*detail::[^;]*;$")
    text = re.sub(r"^(class [^:;{]*?)\s*: (?:private |public )?detail::[^{,]*\{", r"\1 {", text, flags=re.M)
    text = re.sub(r"^( *template <)([^;{}]*?)>\n", conditions_left_out, text, flags=re.M)
    text = re.sub(r"/// @copydoc (\w+)\n(\s*(?:template <.*>\s*)?(?:inline )?expected<)",
                  r"/// As `\1`; an error is returned, not thrown.\n\2", text)
    text = re.sub(r"/// @copydoc (\w+)", r"/// As `\1`.", text)
elif sys.argv[1].endswith(".md"):
    settings = open("docs/Doxyfile", encoding="utf-8").read().replace("\\\n", "")
    pages = re.findall(r"[\w-]+\.md", re.search(r"^INPUT .*", settings, re.M).group(0))
    text = re.sub(r"!\[([^]]*)\]\((?:[^)]*/)?([^)/]+)\)", r"![\1](\2)", text)
    # Pages outside the reference are named, not linked.
    text = re.sub(r"(?<!!)\[([^]]+)\]\(((?!https?:)[^)]+)\)",
                  lambda link: link.group(0) if link.group(2).split("/")[-1] in pages else link.group(1), text)
sys.stdout.write(text)
