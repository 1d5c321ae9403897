"""Computes one workload in one way, in a folder that has PyPhi's settings, and prints what came out: run.py NAME WAY

WAY is `pyphi` (its own caches), `phicache` (those of the library), or `distances`: PyPhi's own, and beside them one of
the library for the distances between repertoires.
"""

import collections
import collections.abc
import json
import sys
import time

import caching
from counts import Counts
from workloads import WORKLOADS

# PyPhi 1.2.0 imports some of these from their place before Python 3.10.
for name in collections.abc.__all__:
    setattr(collections, name, getattr(collections.abc, name))


def exact(result):
    """The result as JSON has it, with all bits of its numbers."""
    if isinstance(result, (list, tuple)):
        return [exact(item) for item in result]
    return result if isinstance(result, (str, type(None))) else float(result).hex()


def main():
    name, way = sys.argv[1:]
    if way == "phicache":
        caching.take_place()
    import pyphi
    assert (pyphi.cache.__file__ == caching.__file__) == (way == "phicache")
    counts, computed = Counts(pyphi.cache), None
    if way == "distances":
        import distances
        computed = distances.memoize()
    began = time.process_time()  # other programs disturb this less than the time of day
    result = WORKLOADS[name][1](pyphi)
    seconds = time.process_time() - began
    print(json.dumps({"result": exact(result), "seconds": seconds, "counts": counts.read(),
                      "distances": computed and computed.info()}))


if __name__ == "__main__":
    main()
