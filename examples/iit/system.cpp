// Repertoires and small phi of a system: steps 1 to 3 of the algorithm, with caches.

#include "system.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "repertoires.hpp"

namespace iit {
namespace {

// Identify how results are computed: programs that compute differently must not read them. Change the version whenever
// a result changes, or what is stored of it.
const std::string kVersion = "phicache examples/iit, version 2: ";

std::string distance_context(Measure measure) {
    return kVersion + (measure == Measure::emd ? "EMD" : "L1") + " of causes, six decimals";
}

std::string context(Measure measure) {
    return kVersion + (measure == Measure::emd ? "EMD" : "L1") + ", bipartitions, six decimals";
}

}  // namespace

Computed& Computed::operator+=(const Computed& more) {
    repertoires += more.repertoires;
    single_node_repertoires += more.single_node_repertoires;
    small_phi_searches += more.small_phi_searches;
    distances += more.distances;
    uncut_mice += more.uncut_mice;
    return *this;
}

Session::Session(const Network& analysed, const Settings& how)
    : network(analysed), settings(how), subsets(subsets_by_size(analysed.all())) {
    if (how.caching.reuse != Reuse::none) caches.emplace(how.caching.store, distance_context(how.measure));
}

System::System(Session& session) : session_(session), uncut_(nullptr), connections_(session.network, nullptr) {
    const Settings& settings = session.settings;
    if (session.caches) caches_.emplace(session.network, context(settings.measure), settings.caching.store);
}

System::System(const System& uncut, const Cut& cut)
    : session_(uncut.session_), uncut_(&uncut), connections_(session_.network, &cut) {
    if (uncut.caches_) caches_.emplace(*uncut.caches_, session_.network, cut, session_.settings.caching.reuse);
}

System::~System() {
    if (!caches_) return;
    const std::lock_guard<std::mutex> lock(session_.mutex);
    caches_->add_to(session_.use);
    session_.redis = caches_->redis();
    caches_->add_to(session_.disk);
}

std::optional<double> System::first_seconds(double seconds) const {
    return caches_ ? caches_->first_seconds(seconds) : std::nullopt;
}

template <class Compute>
const double* System::remembered(phicache::dict_cache RepertoireCaches::*cache, Direction direction, NodeSet mechanism,
                                 NodeSet purview, Slot& slot, Compute&& compute) {
    const std::size_t size = states(purview);
    if (!caches_ || !caches_->repertoires->keeps_repertoires) return slot.compute(size, compute);
    const auto reserve_and_compute = [&](phicache::result& out) { compute(out.reserve<double>(size).data()); };
    const auto& key = caches_->key(direction, mechanism, purview);
    return slot.pin(((*caches_->repertoires).*cache).memoize(key, reserve_and_compute));
}

const double* System::single_node(Worker& worker, Direction direction, NodeSet mechanism, NodeSet purview) {
    const auto compute = [&](double* out) {
        ++worker.computed.single_node_repertoires;
        if (direction == Direction::cause) {
            single_node_cause(session_.network, connections_, lowest(mechanism), purview, out);
        } else {
            single_node_effect(session_.network, connections_, mechanism, lowest(purview), out);
        }
    };
    return remembered(&RepertoireCaches::single_nodes, direction, mechanism, purview, worker.factor, compute);
}

const double* System::repertoire(Worker& worker, Direction direction, NodeSet mechanism, NodeSet purview, Slot& slot) {
    const std::size_t size = states(purview);
    if (purview == 0 || (direction == Direction::cause && mechanism == 0)) {
        return slot.compute(size, [&](double* out) { std::fill(out, out + size, 1 / static_cast<double>(size)); });
    }
    return remembered(&RepertoireCaches::repertoires, direction, mechanism, purview, slot, [&](double* out) {
        ++worker.computed.repertoires;
        compute_repertoire(worker, direction, mechanism, purview, out);
    });
}

void System::compute_repertoire(Worker& worker, Direction direction, NodeSet mechanism, NodeSet purview, double* out) {
    const std::size_t size = states(purview);
    if (direction == Direction::cause) {
        std::fill(out, out + size, 1.0);
        for_each_node(mechanism, [&](int node) {
            const double* factor = single_node(worker, direction, single(node), purview);
            for (std::size_t state = 0; state < size; ++state) out[state] *= factor[state];
        });
        normalize(out, size);
    } else {
        out[0] = 1;
        std::size_t done = 1;  // the states of the nodes so far
        for_each_node(purview, [&](int node) {
            const double* factor = single_node(worker, direction, mechanism, single(node));
            for (std::size_t state = 0; state < done; ++state) {
                out[state + done] = out[state] * factor[1];
                out[state] *= factor[0];
            }
            done *= 2;
        });
    }
}

double System::partition_distance(Worker& worker, Direction direction, NodeSet mechanism, NodeSet purview,
                                  NodeSet mechanism_part, NodeSet purview_part, const double* whole) {
    const NodeSet purview_rest = purview & ~purview_part;
    const double* first = repertoire(worker, direction, mechanism_part, purview_part, worker.first_part);
    const double* second = repertoire(worker, direction, mechanism & ~mechanism_part, purview_rest, worker.second_part);
    worker.partitioned.resize(states(purview));
    multiply(purview, first, purview_part, second, purview_rest, worker.partitioned.data());
    return distance_between(worker, direction, whole, worker.partitioned);
}

double System::distance_between(Worker& worker, Direction direction, const double* whole,
                                const std::vector<double>& parts) {
    const Measure measure = session_.settings.measure;
    const bool expensive = is_expensive(measure, direction);
    const auto compute = [&] {
        if (expensive || measure == Measure::l1) ++worker.computed.distances;
        return distance(measure, direction, whole, parts.data(), parts.size());
    };
    if (!expensive || !session_.caches || !session_.settings.caching.distances) return compute();
    worker.pair.assign(whole, whole + parts.size());
    worker.pair.insert(worker.pair.end(), parts.begin(), parts.end());
    return session_.caches->distances->memoize<double>(worker.pair, compute);
}

SmallPhi System::search_small_phi(Worker& worker, Direction direction, NodeSet mechanism, NodeSet purview) {
    ++worker.computed.small_phi_searches;
    const double* whole = repertoire(worker, direction, mechanism, purview, worker.whole);
    const auto is_zero = [](double probability) { return probability == 0; };
    if (direction == Direction::cause && std::all_of(whole, whole + states(purview), is_zero)) return {};

    // The lowest node of the mechanism is always in the second part, so that no partition occurs twice.
    const NodeSet movable = mechanism & (mechanism - 1);
    SmallPhi smallest{std::numeric_limits<double>::infinity(), 0, 0};
    NodeSet mechanism_part = 0;
    do {
        NodeSet purview_part = mechanism_part == 0 ? next_subset(0, purview) : 0;
        do {
            const double phi =
                partition_distance(worker, direction, mechanism, purview, mechanism_part, purview_part, whole);
            if (phi < smallest.phi) smallest = {phi, mechanism_part, purview_part};
            if (phi == 0) return smallest;
            purview_part = next_subset(purview_part, purview);
        } while (purview_part != 0);
        mechanism_part = next_subset(mechanism_part, movable);
    } while (mechanism_part != 0);
    return smallest;
}

double System::small_phi(Worker& worker, Direction direction, NodeSet mechanism, NodeSet purview, double worth) {
    const auto search = [&] { return search_small_phi(worker, direction, mechanism, purview); };
    if (session_.settings.caching.reuse != Reuse::cuts) return search().phi;

    const phicache::cache& known = *caches_->repertoires->small_phi;
    const phicache::key_bytes key = caches_->key(direction, mechanism, purview);

    // The best partition of the uncut system is a good guess under a cut. Its distance here is an upper bound of small
    // phi, which often suffices to know that this purview is not the best.
    if (uncut_ && !known.peek(key)) {
        const auto kept = known.peek(uncut_->caches_->key(direction, mechanism, purview));
        const auto guess = kept ? std::optional(kept->as<SmallPhi>()) : std::nullopt;
        if (guess && (guess->mechanism_part | guess->purview_part) != 0) {
            const double bound = caches_->repertoires->bounds->memoize<double>(key, [&] {
                const double* whole = repertoire(worker, direction, mechanism, purview, worker.whole);
                return partition_distance(worker, direction, mechanism, purview, guess->mechanism_part,
                                          guess->purview_part, whole);
            });
            if (bound == 0) known.set(key, SmallPhi{0, guess->mechanism_part, guess->purview_part});
            if (bound == 0 || bound < worth) return bound;
        }
    }
    return known.memoize<SmallPhi>(key, search).phi;
}

}  // namespace iit
