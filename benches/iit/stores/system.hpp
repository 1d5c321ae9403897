// system.hpp: the subsystem of phicache that a MICE cache belongs to.
#pragma once

#include <phicache.hpp>

#include "keys.hpp"

namespace store {

inline phicache::node_set nodes(NodeSet mask) { return phicache::node_set::from_mask(mask); }
inline phicache::direction to_phicache(Direction direction) { return static_cast<phicache::direction>(direction); }

inline phicache::subsystem uncut_system(const iit::Network& network) {
    std::vector<phicache::node_set> targets(network.nodes.size());
    std::vector<std::int32_t> state;
    for (int node = 0; node < network.size(); ++node) {
        NodeSet mask = 0;
        for (int target = 0; target < network.size(); ++target) {
            if (network.nodes[static_cast<std::size_t>(target)].inputs & iit::single(node)) mask |= iit::single(target);
        }
        targets[static_cast<std::size_t>(node)] = nodes(mask);
        state.push_back((network.state & iit::single(node)) ? 1 : 0);
    }
    const auto identity = phicache::fingerprint::of_network(network.tpm, targets, "benches/iit");
    return phicache::subsystem(identity, state, nodes(network.all()), targets);
}

inline phicache::subsystem cut_system(const phicache::subsystem& uncut, const iit::Network& network, const Cut& cut) {
    return uncut.under(phicache::cut::bipartition(network.nodes.size(), nodes(cut.from), nodes(cut.to)));
}

// The MICE, in a cache that inherits.
class MiceStore {
  public:
    explicit MiceStore(const iit::Network& network)
        : system_(uncut_system(network)), cache_(phicache::mice_cache::dict(system_)) {}
    MiceStore(const MiceStore& uncut, const iit::Network& network, const Cut& cut)
        : system_(cut_system(uncut.system_, network, cut)),
          cache_(phicache::mice_cache::dict(system_, &uncut.cache_)) {}

    std::optional<Mice> find(Direction direction, NodeSet mechanism) const {
        const MiceKey key(direction, mechanism);
        const auto known = cache_.get(phicache::bytes_of(key));
        if (!known) return std::nullopt;
        return Mice{direction, mechanism, known->purview().mask(), known->phi()};
    }
    void keep(const Mice& mice) {
        if (!cache_.would_store(mice.phi)) return;
        const MiceKey key(mice.direction, mice.mechanism);
        cache_.set(phicache::bytes_of(key), phicache::mice{to_phicache(mice.direction), nodes(mice.mechanism),
                                                           nodes(mice.purview), mice.phi});
    }

  private:
    phicache::subsystem system_;
    phicache::mice_cache cache_;
};

}  // namespace store
