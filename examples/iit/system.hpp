// A subsystem, uncut or under one cut, and the results that the analysis needs of it.
//
// Each result is looked up in the caches, if there are any, and computed on a miss: with the functions of
// repertoires.hpp, from smaller results. Threads may use one system at the same time, each with a Worker of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "caches.hpp"
#include "cut.hpp"
#include "distance.hpp"
#include "network.hpp"

namespace iit {

// How often a result was computed, not found in a cache. Trivial repertoires (of an empty purview, or causes of an
// empty mechanism) do not count.
struct Computed {
    std::uint64_t repertoires = 0;
    std::uint64_t single_node_repertoires = 0;
    std::uint64_t small_phi_searches = 0;
    std::uint64_t distances = 0;   // transport problems; with Measure::l1, all distances
    std::uint64_t uncut_mice = 0;  // of the uncut system

    Computed& operator+=(const Computed& more);
};

// The maximally irreducible cause or effect of a mechanism: the purview with the largest small phi, which is 0 if all
// purviews are reducible.
struct Mice {
    Direction direction = Direction::cause;
    NodeSet mechanism = 0;
    NodeSet purview = 0;
    double phi = 0;
};

// How a network is analyzed.
struct Settings {
    Measure measure = Measure::emd;
    Caching caching;
    int threads = 1;
};

// One analysis of one network: the data that all its systems share.
struct Session {
    Session(const Network& analysed, const Settings& how);

    const Network& network;
    const Settings settings;
    const std::vector<NodeSet> subsets;  // of all nodes, by size: the mechanisms, and the purviews
    std::optional<NetworkCaches> caches;  // empty with Reuse::none

    // Of the systems that are destroyed already.
    std::mutex mutex;
    CachesUse use;
    std::optional<RedisUse> redis;  // empty if Redis is not used
    std::optional<DiskUse> disk;    // empty if no files are used
};

// The numbers of a repertoire: pinned in a cache, or in a buffer that is reused for other repertoires.
class Slot {
  public:
    template <class Compute>
    const double* compute(std::size_t size, Compute&& compute) {
        buffer_.resize(size);
        compute(buffer_.data());
        return buffer_.data();
    }

    const double* pin(phicache::value value) {
        pinned_ = std::move(value);
        return reinterpret_cast<const double*>(pinned_.data());
    }

  private:
    std::vector<double> buffer_;
    phicache::value pinned_;
};

// What a thread needs to compute: buffers, and the counts of what it computed.
struct Worker {
    Slot whole, first_part, second_part, factor;
    std::vector<double> partitioned;
    std::vector<double> pair;  // two repertoires, one after the other: the key of their distance
    Computed computed;
};

class System {
  public:
    explicit System(Session& session);           // uncut
    System(const System& uncut, const Cut& cut);  // under a cut
    ~System();

    System(const System&) = delete;
    System& operator=(const System&) = delete;

    Mice mice(Worker& worker, Direction direction, NodeSet mechanism);

    // The seconds of the first run on disk; these, and empty, if this is the first.
    std::optional<double> first_seconds(double seconds) const;

  private:
    Mice search_mice(Worker& worker, Direction direction, NodeSet mechanism);

    // Small phi; or, if it is less than `worth`, any number from small phi up to `worth`, exclusive.
    double small_phi(Worker& worker, Direction direction, NodeSet mechanism, NodeSet purview, double worth);
    SmallPhi search_small_phi(Worker& worker, Direction direction, NodeSet mechanism, NodeSet purview);

    // The distance between the repertoire and the product of its parts, for the partition with these parts of both
    // sides.
    double partition_distance(Worker& worker, Direction direction, NodeSet mechanism, NodeSet purview,
                              NodeSet mechanism_part, NodeSet purview_part, const double* whole);
    double distance_between(Worker& worker, Direction direction, const double* whole, const std::vector<double>& parts);

    const double* repertoire(Worker& worker, Direction direction, NodeSet mechanism, NodeSet purview, Slot& slot);
    void compute_repertoire(Worker& worker, Direction direction, NodeSet mechanism, NodeSet purview, double* out);
    const double* single_node(Worker& worker, Direction direction, NodeSet mechanism, NodeSet purview);

    template <class Compute>
    const double* remembered(ValueCache RepertoireCaches::*cache, Direction direction, NodeSet mechanism,
                             NodeSet purview, Slot& slot, Compute&& compute);

    Session& session_;
    const System* uncut_;  // null: this is the uncut system
    Connections connections_;
    std::optional<SystemCaches> caches_;
};

}  // namespace iit
