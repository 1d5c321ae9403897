// Repertoires and small phi of a system: steps 1 to 3 of the algorithm, with caches.

#include "system.hpp"

#include <algorithm>
#include <limits>

#include "repertoires.hpp"

namespace iit {

Session::Session(const Network& analysed, Caching how)
    : network(analysed), reuse(how.reuse), store(how.store), subsets(subsets_by_size(analysed.all())) {
    if (reuse != Reuse::none) caches.emplace();
}

System::System(Session& session) : session_(session), uncut_(nullptr), connections_(session.network, nullptr) {
    if (session.caches) caches_.emplace(session.network, session.store);
}

System::System(const System& uncut, const Cut& cut)
    : session_(uncut.session_), uncut_(&uncut), connections_(session_.network, &cut) {
    if (uncut.caches_) caches_.emplace(*uncut.caches_, session_.network, cut, session_.reuse);
}

System::~System() {
    if (!caches_) return;
    caches_->add_to(session_.use);
    session_.redis = caches_->redis();
}

template <class Compute>
const double* System::remembered(phicache::dict_cache RepertoireCaches::*cache, Direction direction, NodeSet mechanism,
                                 NodeSet purview, Slot& slot, Compute&& compute) {
    const std::size_t size = states(purview);
    if (!caches_ || !caches_->repertoires->keeps_repertoires) return slot.compute(size, compute);
    return slot.pin(((*caches_->repertoires).*cache).memoize(caches_->key(direction, mechanism, purview), [&](phicache::result& out) {
        compute(out.reserve<double>(size).data());
    }));
}

const double* System::single_node(Direction direction, NodeSet mechanism, NodeSet purview, Slot& slot) {
    return remembered(&RepertoireCaches::single_nodes, direction, mechanism, purview, slot, [&](double* out) {
        ++session_.computed.single_node_repertoires;
        if (direction == Direction::cause) {
            single_node_cause(session_.network, connections_, lowest(mechanism), purview, out);
        } else {
            single_node_effect(session_.network, connections_, mechanism, lowest(purview), out);
        }
    });
}

const double* System::repertoire(Direction direction, NodeSet mechanism, NodeSet purview, Slot& slot) {
    const std::size_t size = states(purview);
    if (purview == 0 || (direction == Direction::cause && mechanism == 0)) {
        return slot.compute(size, [&](double* out) { std::fill(out, out + size, 1 / static_cast<double>(size)); });
    }
    return remembered(&RepertoireCaches::repertoires, direction, mechanism, purview, slot, [&](double* out) {
        ++session_.computed.repertoires;
        compute_repertoire(direction, mechanism, purview, out);
    });
}

void System::compute_repertoire(Direction direction, NodeSet mechanism, NodeSet purview, double* out) {
    const std::size_t size = states(purview);
    if (direction == Direction::cause) {
        std::fill(out, out + size, 1.0);
        for_each_node(mechanism, [&](int node) {
            const double* factor = single_node(direction, single(node), purview, factor_);
            for (std::size_t state = 0; state < size; ++state) out[state] *= factor[state];
        });
        normalize(out, size);
    } else {
        out[0] = 1;
        std::size_t done = 1;  // the states of the nodes so far
        for_each_node(purview, [&](int node) {
            const double* factor = single_node(direction, mechanism, single(node), factor_);
            for (std::size_t state = 0; state < done; ++state) {
                out[state + done] = out[state] * factor[1];
                out[state] *= factor[0];
            }
            done *= 2;
        });
    }
}

double System::partition_distance(Direction direction, NodeSet mechanism, NodeSet purview, NodeSet mechanism_part,
                                  NodeSet purview_part, const double* whole) {
    const NodeSet purview_rest = purview & ~purview_part;
    const double* first = repertoire(direction, mechanism_part, purview_part, first_part_);
    const double* second = repertoire(direction, mechanism & ~mechanism_part, purview_rest, second_part_);
    partitioned_.resize(states(purview));
    multiply(purview, first, purview_part, second, purview_rest, partitioned_.data());
    const std::size_t size = partitioned_.size();
    return session_.caches ? session_.caches->distance(whole, partitioned_.data(), size)
                           : distance(whole, partitioned_.data(), size);
}

SmallPhi System::search_small_phi(Direction direction, NodeSet mechanism, NodeSet purview) {
    ++session_.computed.small_phi_searches;
    const double* whole = repertoire(direction, mechanism, purview, whole_);
    const auto is_zero = [](double probability) { return probability == 0; };
    if (direction == Direction::cause && std::all_of(whole, whole + states(purview), is_zero)) return {};

    // The lowest node of the mechanism is always in the second part, so that no partition occurs twice.
    const NodeSet movable = mechanism & (mechanism - 1);
    SmallPhi smallest{std::numeric_limits<double>::infinity(), 0, 0};
    NodeSet mechanism_part = 0;
    do {
        NodeSet purview_part = mechanism_part == 0 ? next_subset(0, purview) : 0;
        do {
            const double phi = partition_distance(direction, mechanism, purview, mechanism_part, purview_part, whole);
            if (phi < smallest.phi) smallest = {phi, mechanism_part, purview_part};
            if (phi == 0) return smallest;
            purview_part = next_subset(purview_part, purview);
        } while (purview_part != 0);
        mechanism_part = next_subset(mechanism_part, movable);
    } while (mechanism_part != 0);
    return smallest;
}

double System::small_phi(Direction direction, NodeSet mechanism, NodeSet purview, double worth) {
    if (session_.reuse != Reuse::cuts) return search_small_phi(direction, mechanism, purview).phi;

    phicache::dict_cache& known = caches_->repertoires->small_phi;
    const phicache::key_bytes key = caches_->key(direction, mechanism, purview);
    if (const auto found = known.get<SmallPhi>(key)) return found->phi;

    // The best partition of the uncut system is a good guess under a cut. Its distance here is an upper bound of small
    // phi, which often suffices to know that this purview is not the best.
    if (uncut_) {
        const auto guess = known.get<SmallPhi>(uncut_->caches_->key(direction, mechanism, purview));
        if (guess && (guess->mechanism_part | guess->purview_part) != 0) {
            const double* whole = repertoire(direction, mechanism, purview, whole_);
            const double bound =
                partition_distance(direction, mechanism, purview, guess->mechanism_part, guess->purview_part, whole);
            if (bound == 0) known.set(key, SmallPhi{0, guess->mechanism_part, guess->purview_part});
            if (bound == 0 || bound < worth) return bound;
        }
    }
    const SmallPhi found = search_small_phi(direction, mechanism, purview);
    known.set(key, found);
    return found.phi;
}

}  // namespace iit
