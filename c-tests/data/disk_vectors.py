"""Prints the test vectors of docs/disk-format.md, with a second implementation of the format, from that page alone.

    python3 c-tests/data/disk_vectors.py [PAGE]

With PAGE, the path of docs/disk-format.md, compares them with those of the page instead.
"""

import struct
import sys
from pathlib import Path

U64 = (1 << 64) - 1
SEED = 0xF886A16FDB077588
SECRETS = [0x1D016DAA8E9C226D, 0xF9F9FF8143D9DA49, 0x8442A38537120992, 0x5935E90F1C88791F, 0x1AB8A46CF263F64E,
           0x36335C5FE0E7738A, 0x1B23536EFA4161CE]


def mix(a, b):
    product = a * b
    return (product & U64) ^ (product >> 64)


def word(data, at):
    return int.from_bytes(data[at:at + 8], "little")


def rapidhash(data, seed):
    s, n = SECRETS, len(data)
    a = b = 0
    rest = data
    if n <= 16:
        if n >= 8:
            seed, a, b = seed ^ n, word(data, 0), word(data, n - 8)
        elif n >= 4:
            seed, a, b = seed ^ n, int.from_bytes(data[:4], "little"), int.from_bytes(data[-4:], "little")
        elif n > 0:
            a, b = data[0] << 45 | data[-1], data[n // 2]
    else:
        if n > 112:
            lanes = [seed] * 7
            while len(rest) > 112:
                lanes = [mix(word(rest, 16 * lane) ^ s[lane], word(rest, 16 * lane + 8) ^ lanes[lane])
                         for lane in range(7)]
                rest = rest[112:]
            seed = 0
            for lane in lanes:
                seed ^= lane
        for step in range((len(rest) - 1) // 16):
            seed = mix(word(rest, 16 * step) ^ s[(2, 2, 1, 1, 2, 1)[step]], word(rest, 16 * step + 8) ^ seed)
        a, b = word(data, n - 16) ^ len(rest), word(data, n - 8)
    product = (a ^ s[1]) * (b ^ seed)
    return mix((product & U64) ^ 0xAAAAAAAAAAAAAAAA, (product >> 64) ^ s[1] ^ len(rest))


def checksum(seed, data):
    return rapidhash(data, SEED ^ seed)


def key_hash(key):
    return rapidhash(key, SEED)


def padded(data):
    return data + bytes(-len(data) % 8)


class File:
    """A segment or a value's file."""

    def __init__(self, kind, order, created, id_, space):
        self.id = id_
        head = b"phicache" + struct.pack("<IIQQ", 1, kind, order, created) + id_ + space + bytes(8)
        self.header = head + struct.pack("<Q", checksum(0, head))

    def seed(self, offset):
        low, high = struct.unpack("<QQ", self.id)
        return low ^ ((offset ^ high) * 0x9E3779B97F4A7C15 & U64)

    def record(self, offset, key, key_len, value, value_len, cost):
        tail = padded(struct.pack("<HHf", key_len, value_len, cost) + key + value)
        return struct.pack("<Q", checksum(self.seed(offset), tail)) + tail

    def description(self, fingerprint, role, context):
        """What a bundle has behind its header."""
        tail = padded(struct.pack("<II", len(role), len(context)) + fingerprint + role + context)
        return struct.pack("<Q", checksum(self.seed(96), tail)) + tail

    def footer(self, start, hashes, extents, cost, file_bytes, replaces):
        columns = padded(struct.pack(f"<{len(hashes)}Q{len(extents)}H", *hashes, *extents))
        trailer = b"phifoot1" + struct.pack("<QQdQQQ", len(hashes), start, cost, file_bytes,
                                            checksum(self.seed(start), columns), replaces)
        return columns, trailer + struct.pack("<Q", checksum(self.seed(start ^ U64), trailer))


# What needs BLAKE3, which Python does not have: see the page.
SPACE = bytes.fromhex("a31f400446252f41c0cb710d487fdf6d14b09b27b52115a02d0ac26604aecf9b")
VALUE_DIGEST = bytes.fromhex("8acdd7b7f3f5e463058fcac5987ce7bf")
LONG_KEY_DIGEST = bytes.fromhex("b3fabb88259a9ec91cf4512e0feb747f05ed18effc8e1ad75feed0b6b5a9ec7f")


def shown(name, data):
    """A vector as the page has it."""
    digits = data.hex()
    lines = [digits[at:at + 64] for at in range(0, len(digits), 64)]
    return "\n".join([f"    {name} {lines[0]}", *(f"     {' ' * len(name)}{line}" for line in lines[1:])])


def vectors():
    segment = File(1, 1024, 1_800_000_000, bytes(range(16)), SPACE)
    value = segment.record(96, b"key", 3, b"value", 5, 1500.0)
    reference = struct.pack("<IIQ", 0, 4, 40_000) + VALUE_DIGEST
    file = segment.record(120, b"long", 4, reference, 0xFFFE, 2e9)
    removed = segment.record(176, b"key", 3, b"", 0xFFFF, 0.0)
    hashes = [key_hash(key) for key in (b"key", b"long", b"key")]
    columns, trailer = segment.footer(200, hashes, [0x0003, 0x4007, 0x8003], 1500.0 + 2e9, 96 + 4 + 40_000, 1)
    yield shown("space", SPACE)
    yield shown("header", segment.header)
    yield shown("value", value)
    yield shown("file", file)
    yield shown("removed", removed)
    yield shown("columns", columns)
    yield shown("trailer", trailer)
    yield shown("value-file", File(2, 0, 1_800_000_000, bytes(range(16)), SPACE).header)
    bundle = File(4, 64, 1_800_000_000, bytes(range(16)), SPACE)
    columns, trailer = bundle.footer(40_248, [0, *hashes[:2], 0], [0xC008, 0x0003, 0x4007, 0xC000 + 40_008 // 8],
                                     1500.0 + 2e9, 0, 0)
    yield shown("bundle-header", bundle.header)
    yield shown("description", bundle.description(bytes([7] * 32), b"values", b"squares"))
    yield shown("bundle-columns", columns)
    yield shown("bundle-trailer", trailer)
    yield shown("bound", File(5, 1 << 30, 0, bytes(16), bytes(32)).header)
    yield shown("digest", LONG_KEY_DIGEST)
    for length in 0, 1, 3, 4, 8, 16, 17, 48, 112, 113, 225, 300:
        yield shown(f"hash-{length}", struct.pack("<Q", key_hash(bytes(at & 255 for at in range(length)))))


def main():
    text = "\n".join(vectors())
    if len(sys.argv) < 2:
        print(text)
    elif not Path(sys.argv[1]).read_text(encoding="utf-8").endswith(f"\n\n{text}\n"):
        sys.exit(f"{sys.argv[1]} has other vectors; these are right:\n{text}")


if __name__ == "__main__":
    main()
