// The caches of an analysis and their lifetimes.
//
// One for each network: the potential purviews of a mechanism, and the distances between repertoires. One for each
// subsystem: MICE; a cut subsystem inherits from the uncut one. MICE may be in Redis, shared by all processes that
// analyze the network. Repertoires: one for each subsystem with Reuse::parent; with Reuse::cuts one for all cuts,
// because cut-scoped keys differ only if the cut makes a difference. All threads of an analysis share all of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <phicache.hpp>

#include "cut.hpp"
#include "network.hpp"

namespace iit {

enum class Reuse { none, parent, cuts };

// Where MICE are stored: in this process, or at the configured Redis server.
enum class Store { dict, redis };

// How an analysis uses caches.
struct Caching {
    Reuse reuse = Reuse::none;
    Store store = Store::dict;
    bool distances = true;  // keep expensive distances
};

// A small phi with the partition of the smallest distance: these parts of mechanism and purview against the rest of
// both. Both are empty if there is no partition.
struct SmallPhi {
    double phi = 0;
    NodeSet mechanism_part = 0;
    NodeSet purview_part = 0;
};

// The statistics of one kind of cache, summed over all caches of the kind.
struct CacheUse {
    std::string name;
    std::uint64_t caches = 0;
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
    std::uint64_t size = 0;   // entries when each cache was destroyed; inherited ones count once
    std::uint64_t bytes = 0;  // the memory of these entries
};

// The statistics by kind of cache.
struct CachesUse {
    CacheUse repertoires{"repertoires"};
    CacheUse single_nodes{"single_nodes"};
    CacheUse small_phi{"small_phi"};
    CacheUse mice{"mice"};
    CacheUse purviews{"purviews"};
    CacheUse distances{"distances"};

    std::vector<CacheUse> list() const { return {repertoires, single_nodes, small_phi, mice, purviews, distances}; }
};

// The statistics of the Redis server, and its last error.
struct RedisUse {
    std::string url;  // a password in it is masked
    std::uint64_t failures = 0;
    std::uint64_t refusals = 0;
    std::uint64_t skipped = 0;  // operations that were not tried, because the server had just failed
    std::string last_error;
};

// A full cache of distances drops those that are least worth their bytes.
constexpr std::uint64_t kMostDistanceBytes = 256 << 20;

// The caches that belong to a network.
struct NetworkCaches {
    NetworkCaches();

    phicache::purview_cache purviews;
    phicache::dict_cache distances;  // by the numbers of the two repertoires

    void add_to(CachesUse& use) const;
};

// The caches that PyPhi creates for every subsystem, and that all cuts can share with cut-scoped keys. Small phi is
// cached only if it is shared: within one subsystem it is never requested twice.
struct RepertoireCaches {
    // PyPhi's switch: if off, no repertoire is cached.
    const bool keeps_repertoires = phicache::config_ref().cache_repertoires();
    phicache::dict_cache single_nodes;
    phicache::dict_cache repertoires;
    phicache::dict_cache small_phi;

    void add_to(CachesUse& use) const;
};

// The caches that belong to a subsystem.
class SystemCaches {
  public:
    SystemCaches(const Network& network, const std::string& context, Store store);  // uncut
    SystemCaches(const SystemCaches& uncut, const Network& network, const Cut& cut, Reuse reuse);

    std::shared_ptr<RepertoireCaches> repertoires;
    phicache::mice_cache mice;

    // The record of a mechanism, if it is in the cache.
    std::optional<phicache::pinned_mice> known_mice(const phicache::key_bytes& key);

    // The cut-scoped key of a result for a mechanism and a purview.
    phicache::key_bytes key(Direction direction, NodeSet mechanism, NodeSet purview) const;

    // Adds the statistics of these caches, without those of caches shared with the uncut subsystem.
    void add_to(CachesUse& use) const;

    // The state of the server that has the MICE; empty if they are in this process.
    std::optional<RedisUse> redis() const;

  private:
    phicache::subsystem subsystem_;
    Store store_;
    bool cut_;
    bool shares_repertoires_;
    // Counted here, because a child in Redis reads all records to return its size, also for `info`.
    std::atomic<std::uint64_t> hits_ = 0;
    std::atomic<std::uint64_t> misses_ = 0;
};

// Converts directions and node sets to the library's types.
inline phicache::direction to_phicache(Direction direction) {
    return direction == Direction::cause ? phicache::direction::cause : phicache::direction::effect;
}
inline phicache::node_set to_phicache(NodeSet nodes) { return phicache::node_set::from_mask(nodes); }

}  // namespace iit
