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


def read_bundle(path, context):
    """The values of a saved cache with their costs."""
    data, values = path.read_bytes(), {}
    _, _, kind, length, created, id_, space = struct.unpack("<8sIIQQ16s32s", data[:80])
    bundle = File(kind, length, created, id_, space)
    assert kind == 4 and bundle.header == data[:96]
    description = data[96:96 + length]
    fingerprint = description[16:48]
    assert description == bundle.description(fingerprint, b"values", context)
    parts, end = read_footer(bundle, data)

    def skip(start, stop):
        """Parts that are not records."""
        while start < stop:
            hash_, extent = parts.pop(0)
            assert hash_ == 0 and extent >> 14 == 3
            start += (extent & 0x3FFF) * 8
        assert start == stop
        return stop

    at = skip(96, 96 + length)
    while at < end:
        sum_, key_len, value_len, cost = struct.unpack_from("<QHHf", data, at)
        key_end = at + 16 + (32 if key_len == 0xFFFF else key_len)
        value_end = key_end + (32 if value_len == 0xFFFE else value_len)
        next_ = (value_end + 7) // 8 * 8
        assert value_len != 0xFFFF and sum_ == checksum(bundle.seed(at), data[at + 8:next_])
        key, value = data[at + 16:key_end], data[key_end:value_end]
        assert parts.pop(0) == (key_hash(key), (value_len == 0xFFFE) << 14 | (next_ - at) // 8)
        if value_len == 0xFFFE:
            number, long_key, long_value = struct.unpack("<IIQ", value[:16])
            start, stop = next_, next_ + long_key + long_value
            key, value, next_ = data[start:start + long_key], data[start + long_key:stop], (stop + 7) // 8 * 8
            assert number == 0 and data[stop:next_] == bytes(next_ - stop)
            skip(start, next_)
        assert key not in values
        values[key] = value, cost
        at = next_
    assert not parts
    return values


def save(library, path, values, context):
    """Saves values through the library, with the length of each as its cost."""
    cache, view = ctypes.c_void_p(), ctypes.c_void_p()
    library.phicache_cache_set_with_cost.argtypes = [ctypes.c_void_p, Bytes, Bytes, ctypes.c_uint64]
    library.phicache_cache_save.argtypes = [ctypes.c_void_p, ctypes.c_char_p, Bytes, ctypes.c_void_p]
    done = [library.phicache_dict_cache_new(None, None, ctypes.byref(cache)),
            library.phicache_dict_cache_as_cache(cache, ctypes.byref(view))]
    done += [library.phicache_cache_set_with_cost(view, Bytes.of(key), Bytes.of(value), len(value))
             for key, value in values.items()]
    done += [library.phicache_cache_save(view, os.fsencode(path), Bytes.of(context), None)]
    assert set(done) == {0}, done


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
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "saved"
        save(library, path, first, b"reader")
        saved = read_bundle(path, b"reader")
    assert saved == {key: (value, len(value)) for key, value in first.items()}
    print(f"{len(saved)} values read from a saved cache")


if __name__ == "__main__":
    main()
