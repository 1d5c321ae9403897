"""Values as bytes: pickled, as PyPhi does it for Redis."""

import pickle

PROTOCOL = pickle.HIGHEST_PROTOCOL


def to_bytes(value):
    return pickle.dumps(value, PROTOCOL)


def from_bytes(data):
    return pickle.loads(data)
