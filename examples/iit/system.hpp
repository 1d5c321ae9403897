// A subsystem, uncut or under one cut, and the questions that the analysis asks it.
//
// Each question first asks the caches, where there are any, and is otherwise answered by the functions of
// repertoires.hpp and by asking the smaller questions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "caches.hpp"
#include "cut.hpp"
#include "network.hpp"

namespace iit {

// How often something was computed rather than remembered. Trivial repertoires (of an empty purview, or an empty
// mechanism's causes) are neither.
struct Computed {
    std::uint64_t repertoires = 0;
    std::uint64_t single_node_repertoires = 0;
    std::uint64_t small_phi_searches = 0;
    std::uint64_t uncut_mice = 0;  // of the uncut system
};

// The maximally irreducible cause or effect of a mechanism: the purview with the largest small phi, which is 0 when all
// purviews are reducible.
struct Mice {
    Direction direction = Direction::cause;
    NodeSet mechanism = 0;
    NodeSet purview = 0;
    double phi = 0;
};

// One analysis of one network: what all its systems share.
struct Session {
    Session(const Network& analysed, Caching how);

    const Network& network;
    const Reuse reuse;
    const Store store;
    const std::vector<NodeSet> subsets;  // of all nodes, by size: the mechanisms, and the purviews
    Computed computed;
    std::optional<NetworkCaches> caches;  // none under Reuse::none
    CachesUse use;                        // of the systems that are gone
    std::optional<RedisUse> redis;        // likewise; none where Redis is not used
};

// The numbers of a repertoire: pinned in a cache, or in a buffer that serves one repertoire after the other.
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

    // Small phi; or, when it is less than `worth`, any number from there up to `worth`, exclusive.
    double small_phi(Direction direction, NodeSet mechanism, NodeSet purview, double worth);
    SmallPhi search_small_phi(Direction direction, NodeSet mechanism, NodeSet purview);

    // The distance between the repertoire and its product under the partition that takes these parts from both sides.
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
