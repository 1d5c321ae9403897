// The MICE of a system: step 4 of the algorithm, with caches.

#include "system.hpp"

namespace iit {
namespace {

// The purviews that are not reducible because of the network's connections, by size.
std::vector<NodeSet> potential_purviews(const Session& session, const Connections& connections, Direction direction,
                                        NodeSet mechanism) {
    std::vector<NodeSet> purviews;
    for (NodeSet purview : session.subsets) {
        if (!connections.reducible(direction, mechanism, purview)) purviews.push_back(purview);
    }
    return purviews;
}

}  // namespace

Mice System::mice(Worker& worker, Direction direction, NodeSet mechanism) {
    if (!caches_) return search_mice(worker, direction, mechanism);
    const phicache::key_bytes key = phicache::mice_key(nullptr, to_phicache(direction), to_phicache(mechanism));
    const phicache::pinned_mice record = caches_->remembered(key, [&] {
        const Mice found = search_mice(worker, direction, mechanism);
        return phicache::mice{to_phicache(direction), to_phicache(mechanism), to_phicache(found.purview), found.phi};
    });
    return {direction, mechanism, record.purview().mask(), record.phi()};
}

Mice System::search_mice(Worker& worker, Direction direction, NodeSet mechanism) {
    if (!uncut_) ++worker.computed.uncut_mice;
    Mice best{direction, mechanism, 0, 0};
    const auto consider = [&](NodeSet purview) {
        if (connections_.reducible(direction, mechanism, purview)) return;
        const double phi = small_phi(worker, direction, mechanism, purview, best.phi);
        const bool larger = count(purview) > count(best.purview);
        if (phi > best.phi || (phi == best.phi && larger)) best = {direction, mechanism, purview, phi};
    };
    const Connections& network_connections = uncut_ ? uncut_->connections_ : connections_;
    const auto compute = [&] { return potential_purviews(session_, network_connections, direction, mechanism); };
    if (!session_.caches) {
        for (NodeSet purview : compute()) consider(purview);
    } else {
        const auto purviews =
            session_.caches->purviews.memoize(to_phicache(direction), to_phicache(mechanism), compute);
        for (phicache::node_set purview : purviews) consider(purview.mask());
    }
    return best;
}

}  // namespace iit
