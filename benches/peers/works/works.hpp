// works.hpp: the works, one function each; main.cpp lists them in the order in which they run.
#pragma once

#include <vector>

#include "../options.hpp"
#include "../peer.h"
#include "../report.hpp"

namespace bench {

// The input of a work: the peers (phicache first), the options, the report.
struct Session {
    std::vector<const bench_peer *> peers;
    Options options;
    Report report;
};

// The tables of most measurements. The real load has the sizes of recorded PyPhi runs.
constexpr Shape REAL_LOAD = {2'000, 16, 64};
constexpr Shape SMALL = {100, 40, 256};
constexpr Shape MEDIUM = {10'000, 40, 256};
inline Shape large(const Options &options) { return {options.large, 40, 256}; }

void measure_fill(Session &session);        // insert from empty, bytes of overhead, free: in fresh processes
void measure_growth(Session &session);      // the longest single insert
void measure_lookups(Session &session);     // hits in all forms, independent and dependent, misses, memoize, insert
void measure_large(Session &session);       // the same on the large table, and several threads on it
void measure_sizes(Session &session);       // hits by length of keys and values
void measure_threads(Session &session);     // several threads on the real load
void measure_empty(Session &session);       // making and freeing a cache that stays empty
void measure_refusals(Session &session);    // refused stores against a miss
void measure_gauge(Session &session);       // the cost of the memory check in a store
void measure_children(Session &session);    // MICE caches that inherit
void measure_stampede(Session &session);    // many threads on one missing key

}  // namespace bench
