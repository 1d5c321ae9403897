"""Writes a C test that runs every example in phicache.h: the code in comments that is indented by four more spaces.

usage: generate_header_examples.py phicache.h OUTPUT.c

Every section but that of the types has an example, and every handle stands in the table of handles: otherwise the
generator ends with a message. An example that defines a function is a callback; the others are the body of one.
"""
import re
import sys

SECTION = re.compile(r'^/\* ([^\n]+) -{5,}\n(.*?)^ \*/', re.M | re.S)
INTRODUCTION = re.compile(r'^/\*\n(.*?)^ \*/', re.M | re.S)
CODE = re.compile(r'(?:^ \*     .*\n(?:^ \*\n(?=^ \*     ))?)+', re.M)
FUNCTION = re.compile(r'int32_t (\w+)\(.*\{\n')


def examples(comment):
    for block in CODE.findall(comment):
        yield re.sub(r'^ \*(?:     )?', '', block, flags=re.M)


def main():
    header, output = sys.argv[1:]
    text = open(header, encoding='utf-8').read()
    introduction = INTRODUCTION.search(text).group(1)
    sections = [('Introduction', introduction), *SECTION.findall(text)]
    lacking = [title for title, comment in sections if title != 'Types' and not list(examples(comment))]
    if lacking or len(sections) < 10:
        sys.exit(f'{header}: no example stands in: {", ".join(lacking) or "(its form has changed)"}')
    untold = [handle for handle in re.findall(r'^typedef struct (\w+) \1;', text, re.M)
              if f'\n * | {handle} |' not in introduction]
    if untold:
        sys.exit(f'{header}: the table of handles lacks {", ".join(untold)}')

    source = ['/* Written by generate_header_examples.py from phicache.h. */', '#include "header_examples.h"', '']
    calls = []
    for title, comment in sections:
        for code in examples(comment):
            callback = FUNCTION.match(code)
            name = callback.group(1) if callback else f'example_{len(calls)}'
            source.append(f'static {code}' if callback else f'static int {name}(void) {{\n{code}    return 0;\n}}\n')
            calls.append(f'    {"run_callback" if callback else "run_example"}("{title}", {name});')
    source += ['int main(void) {', '    give();', *calls, '    remove_scratch(scratch);', '    return check_report();',
               '}', '']
    with open(output, 'w', encoding='utf-8') as file:
        file.write('\n'.join(source))


if __name__ == '__main__':
    main()
