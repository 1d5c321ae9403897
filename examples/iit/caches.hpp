// The caches of an analysis and their lifetimes.
//
// One for each network: the potential purviews of a mechanism, and the distances between repertoires. One for each
// subsystem: MICE; a cut subsystem inherits from the uncut one. Repertoires: one for each subsystem with Reuse::parent;
// with Reuse::cuts one for all cuts, because cut-scoped keys differ only if the cut makes a difference. All threads of
// an analysis share all of them.
//
// MICE may be in Redis, shared by all processes that analyze the network. On disk are MICE, small phi and distances: a
// second run finds them, and of several processes one computes each. Repertoires stay in the process, because storing
// one in a file takes longer than computing it; who finds a small phi needs none. Identities and contexts on disk name
// the algorithm and its version (system.cpp), so that no other algorithm reads these results.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <phicache.hpp>

#include "cut.hpp"
#include "network.hpp"

namespace iit {

enum class Reuse { none, parent, cuts };

// Where results are stored: in this process; MICE at the configured Redis server; MICE, small phi and
// distances in the configured directory.
enum class Store { dict, redis, disk };

// Whether other processes find what is stored.
inline bool is_shared(Store store) { return store != Store::dict; }

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
    CacheUse bounds{"bounds"};
    CacheUse mice{"mice"};
    CacheUse purviews{"purviews"};
    CacheUse distances{"distances"};

    std::vector<CacheUse> list() const {
        return {repertoires, single_nodes, small_phi, bounds, mice, purviews, distances};
    }
};

// The statistics of the Redis server, and its last error.
struct RedisUse {
    std::string url;  // a password in it is masked
    std::uint64_t failures = 0;
    std::uint64_t refusals = 0;
    std::uint64_t skipped = 0;  // operations that were not tried, because the server had just failed
    std::string last_error;
};

// The use of the directory.
struct DiskUse {
    std::string directory;
    std::uint64_t failures = 0;  // of file operations
    std::uint64_t damaged = 0;   // records and files that were not read
    std::string last_failure;
    std::optional<double> first_seconds;  // of the first run with this directory; empty if this is it
};

// A cache of values, in this process or on disk, with the same functions.
class ValueCache {
  public:
    explicit ValueCache(phicache::dict_cache cache) : owned_(std::move(cache)), view_(std::get<0>(owned_).view()) {}
    explicit ValueCache(phicache::disk_cache cache) : owned_(std::move(cache)), view_(std::get<1>(owned_).view()) {}

    const phicache::cache& operator*() const { return view_; }
    const phicache::cache* operator->() const { return &view_; }

  private:
    std::variant<phicache::dict_cache, phicache::disk_cache> owned_;
    phicache::cache view_;
};

// A full cache of distances in this process drops those that are least worth their bytes.
constexpr std::uint64_t kMostDistanceBytes = 256 << 20;

// The caches that belong to a network.
struct NetworkCaches {
    // On disk, all networks share the distances of a context.
    NetworkCaches(Store store, const std::string& distance_context);

    phicache::purview_cache purviews;
    ValueCache distances;  // by the numbers of the two repertoires

    void add_to(CachesUse& use) const;
    void add_to(std::optional<DiskUse>& use) const;
};

// The caches that PyPhi creates for every subsystem, and that all cuts can share with cut-scoped keys. Small phi is
// cached only if it is shared: within one subsystem it is never requested twice.
struct RepertoireCaches {
    RepertoireCaches();
    explicit RepertoireCaches(const phicache::subsystem& uncut);  // small phi and bounds on disk

    // PyPhi's switch: if off, no repertoire is cached.
    const bool keeps_repertoires = phicache::config_ref().cache_repertoires();
    phicache::dict_cache single_nodes;
    phicache::dict_cache repertoires;
    ValueCache small_phi;
    ValueCache bounds;  // of small phi under a cut: the distance for the best partition of the uncut system

    void add_to(CachesUse& use) const;
};

// The caches that belong to a subsystem.
class SystemCaches {
  public:
    SystemCaches(const Network& network, const std::string& context, Store store);  // uncut
    SystemCaches(const SystemCaches& uncut, const Network& network, const Cut& cut, Reuse reuse);

    std::shared_ptr<RepertoireCaches> repertoires;
    phicache::mice_cache mice;

    // The record of a mechanism; on a miss `search` returns it.
    template <class Search>
    phicache::pinned_mice remembered(const phicache::key_bytes& key, Search&& search) {
        bool searched = false;
        auto record = mice.memoize(key, [&] { return searched = true, search(); });
        ++(searched ? misses_ : hits_);
        return record;
    }

    // The cut-scoped key of a result for a mechanism and a purview.
    phicache::key_bytes key(Direction direction, NodeSet mechanism, NodeSet purview) const;

    // Adds the statistics of these caches, without those of caches shared with the uncut subsystem.
    void add_to(CachesUse& use) const;

    // The state of the server that has the MICE; empty if they are in this process.
    std::optional<RedisUse> redis() const;

    // Adds the state of the files, if these caches are on disk.
    void add_to(std::optional<DiskUse>& use) const;

    // Stores the seconds of this run on disk, unless there are those of an earlier run: these are returned.
    std::optional<double> first_seconds(double seconds) const;

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
