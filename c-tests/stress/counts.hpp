// counts.hpp: what a cache says of itself, against what its callers saw.
#pragma once

#include "worker.hpp"

namespace stress {

// At the end of a phase in which nothing was cleared: every count is exact.
void check_counts(const Cache &cache, const Tally &seen, std::uint64_t size, std::uint64_t stores);

}  // namespace stress
