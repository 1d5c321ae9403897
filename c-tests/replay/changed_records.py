"""Checks that replay and cut_damage can fail: they must notice each recorded outcome that is changed.

usage: changed_records.py REPLAY CUT_DAMAGE DATA

One line is changed for each kind of outcome in a trace and each column of the table; the program must then exit with
status 1 and report at least one difference on its last line. For malformed input it must exit with status 2 and print
one line.
"""
import gzip
import os
import random
import re
import subprocess
import sys


def run(program, lines):
    return subprocess.run([program], input='\n'.join(lines) + '\n', capture_output=True, text=True)


def lines_of(path):
    with gzip.open(path, 'rt', encoding='utf-8') as file:
        return file.read().splitlines()


def more(number):
    return str(int(number) + 1)


# Which lines, by a regular expression; which field of them; and what it becomes.
CHANGES_OF_A_TRACE = [
    ('a miss that was a hit', r'G 2 .* m - ', 3, lambda _: 'h', {4: '0'}),
    ('a hit that was a miss', r'G 2 .* h ', 3, lambda _: 'm', {4: '-'}),
    ('another value', r'G 2 .* h [1-9]', 4, lambda _: '0', {}),
    ('hits after a get', r'G ', 5, more, {}),
    ('misses after a get', r'G ', 6, more, {}),
    ('entries after a get', r'G ', 7, more, {}),
    ('a refused store', r'P .* stored', 4, lambda _: 'refused:phi', {}),
    ('a store that was refused for its cut', r'P .* refused:cut', 4, lambda _: 'stored', {}),
    ('a store that was refused for its phi', r'P .* refused:phi', 4, lambda _: 'stored', {}),
    ('another reason', r'P .* refused:phi', 4, lambda _: 'refused:cut', {}),
    ('entries after a set', r'P ', 5, more, {}),
    ('an inherited entry', r'I .* 0$', 4, lambda _: '1', {}),
    ('a damaged entry', r'I .* 1$', 4, lambda _: '0', {}),
    ('the entries of a new child', r'B ', 2, more, {}),
    ('a clear of another cache', r'X 1$', 1, lambda _: '2', {}),
    ('the phi of a value', r'V 6 mice .*0\.5$', 10, lambda _: '0.0', {}),
    ('a rejected parent', r'F ', 2, lambda _: '0', {}),
]
CHANGES_OF_THE_TABLE = [
    ('damaged', r'.* 1$', 9, lambda _: '0', {}),
    ('not damaged', r'\d.* 0$', 9, lambda _: '1', {}),
    ('a split mechanism', r'\d.* 1 1$', 8, lambda _: '0', {}),
    ('the rows of a bipartition', r'.* Cut \S+ [1-9]', 4, lambda rows: '0' + rows[1:], {}),
    ('the rows of a partition', r'.* KCut \S+ [1-9]', 4, lambda rows: '0' + rows[1:], {}),
]


def check_changes(program, lines, changes):
    unnoticed = 0
    for name, pattern, field, change, others in changes:
        places = [i for i, line in enumerate(lines) if re.match(pattern, line)]
        if not places:
            sys.exit(f'{name}: no such line')
        place = random.choice(places)
        fields = lines[place].split(' ')
        fields[field] = change(fields[field])
        for other, text in others.items():
            fields[other] = text
        result = run(program, lines[:place] + [' '.join(fields)] + lines[place + 1:])
        last = re.search(r'(\d+) checks, (\d+) differences\n$', result.stdout)
        if result.returncode != 1 or last is None or int(last[2]) == 0:
            print(f'{name}: "{lines[place]}" as "{" ".join(fields)}" ended with status {result.returncode}: '
                  f'{result.stdout[-80:]!r} {result.stderr[-200:]!r}')
            unnoticed += 1
    return unnoticed


def check_unreadable(program, inputs):
    wrong = 0
    for name, lines in inputs:
        result = run(program, lines)
        if result.returncode != 2 or result.stdout or len(result.stderr.splitlines()) != 1:
            print(f'{name}: status {result.returncode}, {result.stdout!r}, {result.stderr!r}')
            wrong += 1
    return wrong


def main():
    replay, cut_damage, data = sys.argv[1:]
    seed = int(os.environ.get('SEED', random.SystemRandom().randrange(2**32)))
    print(f'SEED={seed}')
    random.seed(seed)
    trace = lines_of(os.path.join(data, 'edges.trace.gz'))
    table = lines_of(os.path.join(data, 'damaged_by_cut.txt.gz'))
    wrong = check_changes(replay, trace, CHANGES_OF_A_TRACE) + check_changes(cut_damage, table, CHANGES_OF_THE_TABLE)
    wrong += check_unreadable(replay, [
        ('nothing', []), ('no trace', ['hello']), ('half a trace', trace[:100]),
        ('an unknown kind of line', trace[:5] + ['Z 1'] + trace[5:]), ('a short line', trace + ['G 0']),
        ('a cache that nobody made', trace[:2] + ['X 99'] + trace[2:]),
        ('invalid hexadecimal digits', [re.sub(r'^K 0 c 07', 'K 0 c 0q', line) for line in trace]),
    ])
    wrong += check_unreadable(cut_damage, [
        ('nothing', []), ('short', ['2 0,1 Cut']), ('an invalid node', ['2 0,x Cut 0/1 2,0 CAUSE - - 0 0']),
        ('65 nodes', ['2 64 Cut 0/1 2,0 CAUSE - - 0 0']), ('an invalid direction', ['2 0 Cut 0/1 2,0 UP - - 0 0']),
    ])
    if wrong:
        sys.exit(f'{wrong} not noticed')


if __name__ == '__main__':
    main()
