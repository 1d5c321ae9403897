#include "caches.hpp"

#include <utility>

#include "stress/report.hpp"

namespace soak {

using stress::expect;

namespace {

constexpr std::uint64_t MAX_PURVIEWS = 128 * KIB, MAX_MICE = 256 * KIB;

phicache::cache_options options(std::uint64_t max_bytes, const char *name = "") {
    phicache::cache_options made;
    made.name = name;
    made.max_bytes = max_bytes;
    made.on_full = phicache::on_full::evict;
    return made;
}

}  // namespace

Caches::Caches(std::uint64_t room, unsigned scale)
    : purviews_(options(MAX_PURVIEWS, "purviews"), config_),
      uncut_(phicache::fingerprint(phicache_fingerprint{{1}}), std::vector<std::int32_t>(NODES),
             phicache::node_set::first(NODES)),
      mice_(phicache::mice_cache::dict(uncut_, nullptr, options(MAX_MICE, "MICE"), config_)) {
    const phicache_memory memory = phicache::memory_usage();
    limit_ = memory.resident + room;
    percent_ = static_cast<double>(limit_) * 100 / static_cast<double>(memory.limit);
    set_limited(true);
    const std::pair<const char *, std::uint64_t> all[] = {
        {"the largest cache", 8 * MIB * scale}, {"a small cache", MIB}, {"the smallest cache", 96 * KIB},
        {"a cache without limit", 0}, {"another cache without limit", 0}};
    for (const auto &[name, max_bytes] : all)
        places_.push_back({name, max_bytes, phicache::dict_cache(options(max_bytes, name), config_)});
}

Account Caches::account() const {
    Account sum;
    const auto add = [&](const char *name, std::uint64_t max_bytes, const phicache_stats &stats) {
        expect(max_bytes == 0 || stats.bytes <= max_bytes, "%s has %llu of %llu bytes", name,
               static_cast<unsigned long long>(stats.bytes), static_cast<unsigned long long>(max_bytes));
        sum.bytes += stats.bytes;
        sum.live_bytes += stats.live_bytes;
        sum.evictions += stats.evictions;
        sum.stores += stats.stores;
        sum.refused += stats.refused_capacity + stats.refused_memory;
        sum.hits += stats.hits;
        sum.misses += stats.misses;
    };
    for (const Place &place : places_) add(place.name, place.max_bytes, place.cache.stats());
    add("the purview cache", MAX_PURVIEWS, purviews_.stats());
    add("the MICE cache", MAX_MICE, mice_.stats());
    return sum;
}

void Caches::clear() {
    for (Place &place : places_) place.cache.clear();
    purviews_.clear();
    mice_.clear();
}

}  // namespace soak
