// A subsystem, uncut or under one cut, and the results that the analysis needs of it.
//
// Each result is looked up in the caches, if there are any, and computed on a miss: with the functions of
// repertoires.hpp, from smaller results.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "caches.hpp"
#include "cut.hpp"
#include "network.hpp"

namespace iit {

// How often a result was computed, not found in a cache. Trivial repertoires (of an empty purview, or causes of an
// empty mechanism) do not count.
struct Computed {
    std::uint64_t repertoires = 0;
    std::uint64_t single_node_repertoires = 0;
    std::uint64_t small_phi_searches = 0;
    std::uint64_t uncut_mice = 0;  // of the uncut system
};

// The maximally irreducible cause or effect of a mechanism: the purview with the largest small phi, which is 0 if all
// purviews are reducible.
struct Mice {
    Direction direction = Direction::cause;
    NodeSet mechanism = 0;
    NodeSet purview = 0;
    double phi = 0;
};

// One analysis of one network: the data that all its systems share.
struct Session {
    Session(const Network& analysed, Caching how);

    const Network& network;
    const Reuse reuse;
    const Store store;
    const std::vector<NodeSet> subsets;  // of all nodes, by size: the mechanisms, and the purviews
    Computed computed;
    std::optional<NetworkCaches> caches;  // empty with Reuse::none
    CachesUse use;                        // of the systems that are destroyed already
    std::optional<RedisUse> redis;        // the same; empty if Redis is not used
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

class System {
  public:
    explicit System(Session& session);           // uncut
    System(const System& uncut, const Cut& cut);  // under a cut
    ~System();

    System(const System&) = delete;
    System& operator=(const System&) = delete;

    Mice mice(Direction direction, NodeSet mechanism);

  private:
    Mice search_mice(Direction direction, NodeSet mechanism);

    // Small phi; or, if it is less than `worth`, any number from small phi up to `worth`, exclusive.
    double small_phi(Direction direction, NodeSet mechanism, NodeSet purview, double worth);
    SmallPhi search_small_phi(Direction direction, NodeSet mechanism, NodeSet purview);

    // The distance between the repertoire and the product of its parts, for the partition with these parts of both
    // sides.
    double partition_distance(Direction direction, NodeSet mechanism, NodeSet purview, NodeSet mechanism_part,
                              NodeSet purview_part, const double* whole);

    const double* repertoire(Direction direction, NodeSet mechanism, NodeSet purview, Slot& slot);
    void compute_repertoire(Direction direction, NodeSet mechanism, NodeSet purview, double* out);
    const double* single_node(Direction direction, NodeSet mechanism, NodeSet purview, Slot& slot);

    template <class Compute>
    const double* remembered(phicache::dict_cache RepertoireCaches::*cache, Direction direction, NodeSet mechanism,
                             NodeSet purview, Slot& slot, Compute&& compute);

    Session& session_;
    const System* uncut_;  // null: this is the uncut system
    Connections connections_;
    std::optional<SystemCaches> caches_;
    Slot whole_, first_part_, second_part_, factor_;
    std::vector<double> partitioned_;
};

}  // namespace iit
