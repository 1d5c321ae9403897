"""Writes key_vectors.txt, with a second implementation of the canonical key encoding, from docs/keys.md alone.

    python3 key_vectors.py > key_vectors.txt
"""
import struct

u32 = lambda n: struct.pack('<I', n)
u64 = lambda n: struct.pack('<Q', n)


class Direction(int):
    pass


class Nodes(int):
    pass


class Doubles(tuple):
    pass


class Named:
    def __init__(self, name, value):
        self.name, self.value = name, value


class Keyword:
    def __init__(self, name, value):
        self.name, self.value = name, value


def double(x):
    return struct.pack('<d', x + 0.0) if x == x else u64(0x7FF8000000000000)


def element(x, typed):
    if x is None:
        return b'\x00'
    if isinstance(x, bool):
        return (b'\x02' if x else b'\x01') if typed else element(int(x), typed)
    if isinstance(x, Direction):
        return b'\x08' + bytes([x])
    if isinstance(x, Nodes):
        return b'\x09' + u64(x)
    if isinstance(x, int):
        return b'\x03' + struct.pack('<q', x) if x < 2**63 else b'\x04' + u64(x)
    if isinstance(x, float):
        if not typed and x == x and abs(x) != float('inf') and x == int(x) and -2**63 <= int(x) < 2**64:
            return element(int(x), typed)
        return b'\x05' + double(x)
    if isinstance(x, Doubles):
        return b'\x0d' + u32(len(x)) + b''.join(double(i) for i in x)
    if isinstance(x, Named):
        return b'\x0e' + u32(len(x.name.encode())) + x.name.encode() + element(x.value, typed)
    if isinstance(x, bytes):
        return b'\x06' + u32(len(x)) + x
    if isinstance(x, str):
        return b'\x07' + u32(len(x.encode())) + x.encode()
    if isinstance(x, tuple):
        return b'\x0a' + u32(len(x)) + b''.join(element(i, typed) for i in x)
    if isinstance(x, list):  # a set, in the order in which a program adds its elements
        items = sorted({element(i, typed) for i in x})
        return b'\x0b' + u32(len(items)) + b''.join(items)
    if isinstance(x, Keyword):
        return b'\x0c' + u32(len(x.name.encode())) + x.name.encode() + element(x.value, typed)
    raise TypeError(x)


def key(arguments, typed):
    positional = [a for a in arguments if not isinstance(a, Keyword)]
    named = sorted((a for a in arguments if isinstance(a, Keyword)), key=lambda a: a.name.encode())
    return (b'\xe1' if typed else b'\xa1') + b''.join(element(a, typed) for a in positional + named)


bits = lambda x: '%016x' % struct.unpack('<Q', struct.pack('<d', x))


def operations(x):
    if x is None:
        return ['none']
    if isinstance(x, bool):
        return ['bool:%d' % x]
    if isinstance(x, Direction):
        return ['direction:%d' % x]
    if isinstance(x, Nodes):
        return ['nodes:%x' % x]
    if isinstance(x, int):
        return [('int:%d' if x < 2**63 else 'uint:%d') % x]
    if isinstance(x, float):
        return ['double:' + bits(x)]
    if isinstance(x, Doubles):
        return ['doubles:' + ','.join(map(bits, x))]
    if isinstance(x, Named):
        return ['<:' + x.name.encode().hex()] + operations(x.value) + ['>']
    if isinstance(x, bytes):
        return ['bytes:' + x.hex()]
    if isinstance(x, str):
        return ['string:' + x.encode().hex()]
    if isinstance(x, Keyword):
        return ['kw:' + x.name.encode().hex()] + operations(x.value)
    begin, end = ('(', ')') if isinstance(x, tuple) else ('{', '}')
    return [begin] + [o for i in x for o in operations(i)] + [end]


# NaNs with different bits, which have the same encoding.
NEGATIVE_NAN, PAYLOAD_NAN = ([struct.unpack('<d', struct.pack('<Q', bits))[0]]
                             for bits in (0xFFF8000000000000, 0x7FF8000000000001))

LISTS = [
    [], [None], [()], [[]], [''], [b''], [False], [True], [0], [1], [-1], [3], [3.0], [-0.0], [0.0], [0.1],
    [2**53], [2**53 + 1], [float(2**53)], [2**63 - 1], [-2**63], [float(-2**63)], [2**63], [2**64 - 1], [float(2**63)],
    [1e300], [float(2**64)], [float('inf')], [float('-inf')], [float('nan')], NEGATIVE_NAN, PAYLOAD_NAN, [5e-324],
    [-1.5], ['a'], [b'a'], ['\x00'], ['φ is "phi"'], ['x' * 300], [bytes(range(256))],
    [Direction(0)], [Direction(1)], [Direction(2)], [Nodes(0)], [Nodes(1)], [Nodes(0b10110)], [Nodes(2**64 - 1)],
    [(1, 2)], [1, 2], [(1,), 2], [1, (2,)], [((1, 2),)], [((), ((),))], [('a', b'a', None, True, 1, 1.0)],
    [[3, 1, 2]], [[1, 2, 3, 2, 1]], [[1, 1.0, True]], [[0, False, -0.0, 0.0]], [['b', 'a', b'a']],
    [[(2, 1), (1, 2), (1, 2)]], [[[2, 1], [1, 2]]], [([1, 0], (0, 1))],
    [Keyword('k', 1)], [1, Keyword('b', 2), Keyword('a', 3)], [1, Keyword('a', 3), Keyword('b', 2)],
    [Keyword('mechanism', (0, 1)), Keyword('', None), Keyword('ab', True), Keyword('b', 1.0)], [Keyword('k', [2.0, 1])],
    [None, Direction(0), Nodes(5), False], ['cause_repertoire', Direction(0), Nodes(3), Nodes(6)],
    ['mice', Direction(1), Nodes(1), (Nodes(6), Nodes(2))],
    [Doubles()], [Doubles((3.0,))], [Doubles((0.25, -0.0, 3.0, float('inf')))], [Doubles(NEGATIVE_NAN + PAYLOAD_NAN)],
    [Doubles((1.0,)), Doubles((2.0, 3.0))], [Doubles((1.0, 2.0)), Doubles((3.0,))], [(Doubles((1.0,)), 2.0)],
    [[Doubles((2.0,)), Doubles((1.0,)), Doubles((1.0,)), (1.0,)]], [Keyword('p', Doubles((0.5, 0.5)))],
    [Doubles([i / 64 for i in range(64)])],
    [Named('color', 3)], [Named('colour', 3)], [Named('', None)], [Named('φ', 0.5)], [Named('color', 3), 4],
    [Named('point', (1, 2.0))], [Named('outer', Named('inner', True))], [Named('set', [3, 1, 3])],
    [(Named('a', 1), Named('b', 1), 1)], [[Named('b', 1), Named('a', 1), Named('a', 1.0), 1]],
    [Named('doubles', Doubles((1.0, 2.0)))], [Keyword('unit', Named('color', 3))],
]

print('# Written by key_vectors.py from docs/keys.md. typed|untyped, key in hex, operations.')
for arguments in LISTS:
    for typed in (False, True):
        words = ['typed' if typed else 'untyped', key(arguments, typed).hex()]
        print(' '.join(words + [o for a in arguments for o in operations(a)]))
