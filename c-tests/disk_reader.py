"""Reads the files of a disk cache as docs/disk-format.md says, without the library, and compares them with what was
stored through it: disk_reader.py LIBRARY"""

import ctypes
import os
import struct
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "data"))
from disk_vectors import U64, File, checksum, key_hash


class Bytes(ctypes.Structure):
    """C's phicache_bytes."""

    _fields_ = [("data", ctypes.c_char_p), ("len", ctypes.c_size_t)]

    @classmethod
    def of(cls, data):
        return cls(data, len(data))


def store(library, directory, values, removed, end):
    """Stores and removes in a process of its own, which ends by `end(cache)`."""
    child = os.fork()
    if child == 0:
        config, cache = ctypes.c_void_p(), ctypes.c_void_p()
        done = [library.phicache_config_new(ctypes.byref(config)),
                library.phicache_config_set_disk_directory(config, os.fsencode(directory)),
                library.phicache_disk_cache_new(config, None, Bytes.of(b"reader"), ctypes.byref(cache))]
        done += [library.phicache_disk_cache_set(cache, Bytes.of(key), Bytes.of(value))
                 for key, value in values.items()]
        done += [library.phicache_disk_cache_remove(cache, Bytes.of(key)) for key in removed]
        end(cache)
        os._exit(0 if set(done) == {0} else 1)
    assert os.waitpid(child, 0)[1] == 0


def read_value_file(folder, segment, number, key_len, value_len):
    """The key and the value in a file. (Python has no BLAKE3 to compare the digest.)"""
    data = (folder / f"{number:08x}").read_bytes()
    assert data[:96] == File(2, number, segment.created, segment.id, segment.space).header
    assert len(data) == 96 + key_len + value_len
    return data[96:96 + key_len], data[96 + key_len:]


def read_footer(segment, data):
    """The parts of a sealed segment, each a hash and an extent, and where they end."""
    magic, count, start, _, _, columns_sum, replaces, trailer_sum = struct.unpack("<8sQQdQQQQ", data[-64:])
    columns = data[start:-64]
    assert magic == b"phifoot1" and replaces in (0, 1) and len(columns) == (10 * count + 7) // 8 * 8
    assert trailer_sum == checksum(segment.seed(start ^ U64), data[-64:-8])
    assert columns_sum == checksum(segment.seed(start), columns)
    hashes, extents = struct.unpack_from(f"<{count}Q", columns), struct.unpack_from(f"<{count}H", columns, 8 * count)
    return list(zip(hashes, extents)), start


def read_segment(path, values):
    """Adds the records of a segment to what older ones have."""
    data = path.read_bytes()
    _, _, kind, order, created, id_, space = struct.unpack("<8sIIQQ16s32s", data[:80])
    segment = File(kind, order, created, id_, space)
    segment.created, segment.space = created, space
    assert kind == 1 and segment.header == data[:96] and path.name.startswith(f"{order:016x}-")
    parts, end = read_footer(segment, data) if path.suffix == ".seg" else (None, len(data))
    at = 96
    while at < end:
        sum_, key_len, value_len, cost = struct.unpack_from("<QHHf", data, at)
        key_end = at + 16 + (32 if key_len == 0xFFFF else key_len)
        value_end = key_end + {0xFFFF: 0, 0xFFFE: 32}.get(value_len, value_len)
        next_ = (value_end + 7) // 8 * 8
        assert sum_ == checksum(segment.seed(at), data[at + 8:next_]) and cost >= 0
        key, value = data[at + 16:key_end], data[key_end:value_end]
        if parts is not None:
            kind = 2 if value_len == 0xFFFF else 1 if value_len == 0xFFFE else 0
            assert parts.pop(0) == (key_hash(key), kind << 14 | (next_ - at) // 8)
        if value_len == 0xFFFE:
            folder = path.parent / "values" / path.name[:-len(path.suffix)]
            key, value = read_value_file(folder, segment, *struct.unpack("<IIQ", value[:16]))
        if value_len == 0xFFFF:
            values.pop(key, None)
        else:
            values[key] = value
        at = next_
    assert not parts


def main():
    library = ctypes.CDLL(sys.argv[1])
    library.phicache_disk_cache_set.argtypes = [ctypes.c_void_p, Bytes, Bytes]
    first = {b"key-%d" % at: bytes([at % 256]) * (at % 300) for at in range(1000)}
    first.update({b"long": bytes(100_000), b"k" * 6000: b"a long key"})
    second = {b"key-%d" % at: b"replaced" for at in range(100)}
    removed = [b"key-%d" % at for at in range(100, 150)]
    with tempfile.TemporaryDirectory() as directory:
        store(library, directory, first, [], lambda cache: library.phicache_disk_cache_free(cache))
        store(library, directory, second, removed, lambda cache: None)  # as if it was killed: nothing is sealed
        space, = Path(directory).glob("1/*/*/values")
        segments = [path for path in space.iterdir() if path.suffix in (".seg", ".live")]
        segments.sort(key=lambda path: path.stem)
        assert [path.suffix for path in segments] == [".seg", ".live"], segments
        found = {}
        for path in segments:
            read_segment(path, found)
    assert found == {key: value for key, value in {**first, **second}.items() if key not in removed}
    print(f"{len(found)} values read from {len(segments)} segments")


if __name__ == "__main__":
    main()
