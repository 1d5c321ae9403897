# The network of a PyPhi program as phicache takes it, here by ctypes: its rows, connections and state.
#
# PyPhi's network.tpm has an axis for each node, and a last one: tpm[s0, s1, …, k] is the probability that node k is ON
# after a state in which node 0 is s0, node 1 is s1, and so on. phicache takes rows: row i is for the state in which
# node k is bit k of i. In the memory of a numpy array the rows have another order, in which node 0 is the highest bit.
# They have the same size, so no function notices if they are passed: the fingerprint is that of another network.
#
# With numpy, the rows are numpy.ascontiguousarray(network.tpm.reshape((2**n, n), order="F"), dtype=float). This program
# does without numpy and PyPhi. It prints the first fingerprint of docs/keys.md:
#
# It prints
#
#     5d23b1b074e2e652b547273fb6ef99c8fe87a7f510ccac1ab9b1a4689a3b8ccc
#     the rows in the order of the memory are those of another network: True

import array
import ctypes
import os

# If the system does not find the library, set PHICACHE_LIBRARY=PREFIX/lib/libphicache.so.
library = ctypes.CDLL(os.environ.get("PHICACHE_LIBRARY", "libphicache.so.0.2"))
ROW_MAJOR = 0


class Bytes(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("len", ctypes.c_size_t)]


class Fingerprint(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint8 * 32)]


fingerprint_of = library.phicache_network_fingerprint
fingerprint_of.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int32, ctypes.c_void_p, Bytes,
                           ctypes.POINTER(Fingerprint)]
library.phicache_last_error.restype = ctypes.c_char_p


def at(tpm, state):
    """tpm[s0, s1, …] of nested lists."""
    for value in state:
        tpm = tpm[value]
    return tpm


def rows(tpm, n):
    """The rows of network.tpm, one after another: node k is bit k of the number of a row."""
    states = (tuple(i >> k & 1 for k in range(n)) for i in range(2**n))
    return array.array("d", [probability for state in states for probability in at(tpm, state)])


def connections(cm):
    """For each node i the set of the nodes j with cm[i][j] = 1, as a mask with bit j."""
    return array.array("Q", [sum(1 << j for j, connected in enumerate(row) if connected) for row in cm])


def fingerprint(tpm, cm, context):
    """The fingerprint of these rows; network.cm is `cm`."""
    found, masks = Fingerprint(), connections(cm)
    status = fingerprint_of(tpm.buffer_info()[0], len(cm), ROW_MAJOR, masks.buffer_info()[0],
                            Bytes(context, len(context)), found)
    if status != 0:
        raise RuntimeError(library.phicache_last_error().decode())
    return bytes(found.bytes).hex()


# Two nodes that copy each other: tpm[s0][s1] = [s1, s0].
tpm = [[[0, 0], [1, 0]], [[0, 1], [1, 1]]]
cm = [[0, 1], [1, 0]]
right = fingerprint(rows(tpm, 2), cm, b"L1")
print(right)
in_memory = array.array("d", [probability for half in tpm for row in half for probability in row])
print("the rows in the order of the memory are those of another network:",
      fingerprint(in_memory, cm, b"L1") != right)
