#include "counts.hpp"

#include "report.hpp"

namespace stress {

namespace {

void check_count(const Cache &cache, const char *what, std::uint64_t actual, std::uint64_t expected) {
    expect(actual == expected, "%s: %s are %llu, counted from outside %llu", cache.name(), what,
           static_cast<unsigned long long>(actual), static_cast<unsigned long long>(expected));
}

}  // namespace

void check_counts(const Cache &cache, const Observed &seen, std::uint64_t size, std::uint64_t stores) {
    std::uint64_t refused = 0;
    for (const std::uint64_t count : seen.refused) refused += count;
    phicache_info info{};
    expect(cache.info(&info) == PHICACHE_OK, "%s: no info", cache.name());
    check_count(cache, "hits", info.hits, seen.hits + seen.waited);
    check_count(cache, "misses", info.misses, seen.misses + seen.begun + seen.callbacks);
    check_count(cache, "values", info.size, size);
    if (cache.view() == nullptr) return;
    phicache_stats stats{};
    stats.struct_size = sizeof stats;
    expect(phicache_cache_stats(cache.view(), &stats) == PHICACHE_OK, "%s: no stats", cache.name());
    check_count(cache, "hits in the stats", stats.hits, info.hits);
    check_count(cache, "misses in the stats", stats.misses, info.misses);
    check_count(cache, "stores", stats.stores, stores);
    check_count(cache, "waits", stats.waits, seen.waited);
    check_count(cache, "errors", stats.errors, seen.failed);
    check_count(cache, "refusals by cut", stats.refused_cut, seen.refused[PHICACHE_REFUSED_CUT]);
    check_count(cache, "refusals by phi", stats.refused_phi, seen.refused[PHICACHE_REFUSED_PHI]);
    check_count(cache, "refusals by capacity", stats.refused_capacity, seen.refused[PHICACHE_REFUSED_CAPACITY]);
    check_count(cache, "refusals in all",
                stats.refused_cut + stats.refused_phi + stats.refused_memory + stats.refused_disabled +
                    stats.refused_capacity + stats.refused_cleared,
                refused);
    expect((stats.compute_ns > 0) == (seen.computed + refused > 0), "%s: %llu ns of computing", cache.name(),
           static_cast<unsigned long long>(stats.compute_ns));
}

}  // namespace stress
