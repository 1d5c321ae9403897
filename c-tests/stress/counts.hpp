// counts.hpp: compares the counts of a cache with what its callers observed.
#pragma once

#include "worker.hpp"

namespace stress {

// For the end of a phase in which nothing was cleared: every count is exact.
void check_counts(const Cache &cache, const Observed &seen, std::uint64_t size, std::uint64_t stores);

}  // namespace stress
