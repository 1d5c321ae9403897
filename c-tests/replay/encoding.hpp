// encoding.hpp: the encoding of Python values in traces, those parts that a purview cache needs.
//
// 00 is None; 06 and a byte a direction; 07, a 32-bit count and items a tuple or list; 09, a byte count and a byte each
// a tuple of small integers: here the nodes of a mechanism or of a purview.
#pragma once

#include "trace.hpp"

namespace replay {

// Reads direction and mechanism from the key (None, direction, mechanism).
void decode_purview_key(Key &key);

// Reads a list of node tuples.
void decode_purviews(Value &value);

}  // namespace replay
