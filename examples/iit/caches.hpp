// What an analysis remembers: the caches of phicache that it uses, and how long each of them lives.
//
// Per network: the potential purviews of a mechanism, and the distances between repertoires. Per subsystem: MICE, those
// of a cut inheriting from the uncut ones; they may be in Redis, for all processes that analyse the network. Repertoires: per subsystem under Reuse::parent; under Reuse::cuts once for all
// cuts, because their cut-scoped keys tell apart what has to be told apart and nothing else.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <phicache.hpp>

#include "cut.hpp"
#include "network.hpp"
#include "repertoires.hpp"

namespace iit {

enum class Reuse { none, parent, cuts };

// Where MICE are kept: in this process, or at the configured Redis server.
enum class Store { dict, redis };

// How an analysis remembers.
struct Caching {
    Reuse reuse = Reuse::none;
    Store store = Store::dict;
};

// A small phi with the partition that makes the smallest difference: these parts of mechanism and purview against the
// rest of both. Both are empty when there is no such partition.
struct SmallPhi {
    double phi = 0;
    NodeSet mechanism_part = 0;
    NodeSet purview_part = 0;
};

// What one kind of cache did, added up over all caches of that kind.
struct CacheUse {
    std::string name;
    std::uint64_t caches = 0;
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
    std::uint64_t size = 0;   // entries at the end of each cache's life; inherited ones count once
    std::uint64_t bytes = 0;  // the memory that these occupied
};

// The use of every kind of cache, by kind.
struct CachesUse {
    CacheUse repertoires{"repertoires"};
    CacheUse single_nodes{"single_nodes"};
    CacheUse small_phi{"small_phi"};
    CacheUse mice{"mice"};
    CacheUse purviews{"purviews"};
    CacheUse distances{"distances"};

    std::vector<CacheUse> list() const { return {repertoires, single_nodes, small_phi, mice, purviews, distances}; }
};

// What the Redis server contributed, or why it did not.
struct RedisUse {
    std::string url;  // a password in it is masked
    std::uint64_t failures = 0;
    std::uint64_t refusals = 0;
    std::uint64_t skipped = 0;  // operations that were not tried, because the server had just failed
    std::string last_error;
};

// The caches that belong to a network.
class NetworkCaches {
  public:
    NetworkCaches();

    phicache::purview_cache purviews;

    // The distance between two repertoires of equal size.
    double distance(const double* a, const double* b, std::size_t size) const;

    void add_to(CachesUse& use) const;

  private:
    phicache::dict_cache distance_store_;
    phicache::memo<double(phicache::bytes, phicache::bytes)> distance_;
};

// The caches that PyPhi gives to every subsystem anew, and that cut-scoped keys let all cuts share. Small phi is
// remembered only where it can be shared: within one subsystem nobody asks for it twice.
struct RepertoireCaches {
    // PyPhi's switch: without it repertoires of either kind are computed each time.
    const bool keeps_repertoires = phicache::config_ref().cache_repertoires();
    phicache::dict_cache single_nodes;
    phicache::dict_cache repertoires;
    phicache::dict_cache small_phi;

    void add_to(CachesUse& use) const;
};

// The caches that belong to a subsystem.
class SystemCaches {
  public:
    SystemCaches(const Network& network, Store store);  // uncut
    SystemCaches(const SystemCaches& uncut, const Network& network, const Cut& cut, Reuse reuse);

    std::shared_ptr<RepertoireCaches> repertoires;
    phicache::mice_cache mice;

    // The record of a mechanism, if there is one.
    std::optional<phicache::pinned_mice> known_mice(const phicache::key_bytes& key);

    // The cut-scoped key of what is computed from a mechanism and a purview.
    phicache::key_bytes key(Direction direction, NodeSet mechanism, NodeSet purview) const;

    // Adds what these caches did; what they share with the uncut subsystem is left to it.
    void add_to(CachesUse& use) const;

    // How the server is doing that has the MICE; nothing where they are in this process.
    std::optional<RedisUse> redis() const;

  private:
    phicache::subsystem subsystem_;
    Store store_;
    bool cut_;
    bool shares_repertoires_;
    // Counted here: to tell the size, which `info` does too, a child in Redis looks at all records.
    std::uint64_t hits_ = 0;
    std::uint64_t misses_ = 0;
};

// Our directions and node sets as the library's.
inline phicache::direction to_phicache(Direction direction) {
    return direction == Direction::cause ? phicache::direction::cause : phicache::direction::effect;
}
inline phicache::node_set to_phicache(NodeSet nodes) { return phicache::node_set::from_mask(nodes); }

}  // namespace iit
