// The analysis. BENCH_STORE names the header of the store, which has these classes:
//
//   Distances<Compute>  a function of two arrays of doubles: distance(joined, p, q, size), where `joined` is a buffer
//                       of the calling thread
//   Arrays<Compute>     a function of a direction, a mechanism and a purview, which gives an array of doubles, one for
//                       each state of the purview: array(held, direction, mechanism, purview) returns its address,
//                       and `held` keeps it valid. Compute writes the array
//   MiceStore           the MICE of a system: find(direction, mechanism) and keep(mice). That of a cut system
//                       inherits what its cut does not damage, and keeps nothing
#include "analysis.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "repertoires.hpp"
#include "threads.hpp"

#include BENCH_STORE

// The functions of the application. Where they are inlined, compilers decide by the size of what they call, so a store
// would change the program around it. Kept apart, all programs have the same functions.
#ifdef BENCH_APART
#define APPLICATION [[gnu::noinline]]
#else
#define APPLICATION
#endif

namespace bench {
namespace {

using iit::Connections;
using iit::count;
using iit::Measure;
using iit::Network;
using iit::next_subset;
using iit::single;
using iit::states;

// What a thread keeps from call to call.
struct Worker {
    store::Held whole, first, second;
    std::vector<double> parts;
    store::Joined joined;
};

struct ComputeDistance {
    Measure measure;
    Direction direction;
    double operator()(const double* p, const double* q, std::size_t size) const {
        return iit::distance(measure, direction, p, q, size);
    }
};

// What all systems of an analysis share.
struct Session {
    Session(const Network& analysed, Measure how)
        : network(analysed),
          measure(how),
          subsets(iit::subsets_by_size(analysed.all())),
          causes(ComputeDistance{how, Direction::cause}),
          effects(ComputeDistance{how, Direction::effect}) {
        for (int nodes = 0; nodes <= analysed.size(); ++nodes) {
            const std::size_t size = std::size_t{1} << nodes;
            uniform.emplace_back(size, 1 / static_cast<double>(size));
        }
    }

    // With the earth mover's distance only the expensive ones are kept; with L1 all, although they are cheap: the case
    // in which a program depends on its cache the most.
    bool keeps(Direction direction) const { return measure == Measure::l1 || iit::is_expensive(measure, direction); }

    const Network& network;
    const Measure measure;
    const std::vector<NodeSet> subsets;
    std::vector<std::vector<double>> uniform;  // by number of nodes
    store::Distances<ComputeDistance> causes;
    store::Distances<ComputeDistance> effects;
};

class System {
  public:
    explicit System(Session& session)
        : session_(session), connections_(session.network, nullptr), mice_(session.network) {}
    System(const System& uncut, const Cut& cut)
        : session_(uncut.session_),
          connections_(session_.network, &cut),
          mice_(uncut.mice_, session_.network, cut) {}
    System(const System&) = delete;
    System& operator=(const System&) = delete;

    APPLICATION Mice mice(Worker& worker, Direction direction, NodeSet mechanism) {
        if (const std::optional<Mice> known = mice_.find(direction, mechanism)) return *known;
        const Mice found = search_mice(worker, direction, mechanism);
        mice_.keep(found);
        return found;
    }

  private:
    struct ComputeSingleNode {
        const System& system;
        void operator()(Direction direction, NodeSet mechanism, NodeSet purview, double* out) const {
            system.compute_single_node(direction, mechanism, purview, out);
        }
    };
    struct ComputeRepertoire {
        System& system;
        void operator()(Direction direction, NodeSet mechanism, NodeSet purview, double* out) const {
            system.compute_repertoire(direction, mechanism, purview, out);
        }
    };

    APPLICATION Mice search_mice(Worker& worker, Direction direction, NodeSet mechanism) {
        Mice best{direction, mechanism, 0, 0};
        for (NodeSet purview : session_.subsets) {
            if (connections_.reducible(direction, mechanism, purview)) continue;
            const double phi = small_phi(worker, direction, mechanism, purview);
            const bool larger = count(purview) > count(best.purview);
            if (phi > best.phi || (phi == best.phi && larger)) best = {direction, mechanism, purview, phi};
        }
        return best;
    }

    APPLICATION double small_phi(Worker& worker, Direction direction, NodeSet mechanism, NodeSet purview) {
        const double* whole = repertoire(worker.whole, direction, mechanism, purview);
        const auto is_zero = [](double probability) { return probability == 0; };
        if (direction == Direction::cause && std::all_of(whole, whole + states(purview), is_zero)) return 0;

        // The lowest node of the mechanism is always in the second part, so that no partition occurs twice.
        const NodeSet movable = mechanism & (mechanism - 1);
        double smallest = std::numeric_limits<double>::infinity();
        NodeSet mechanism_part = 0;
        do {
            NodeSet purview_part = mechanism_part == 0 ? next_subset(0, purview) : 0;
            do {
                const double phi =
                    partition_distance(worker, direction, mechanism, purview, mechanism_part, purview_part, whole);
                if (phi == 0) return 0;
                smallest = std::min(smallest, phi);
                purview_part = next_subset(purview_part, purview);
            } while (purview_part != 0);
            mechanism_part = next_subset(mechanism_part, movable);
        } while (mechanism_part != 0);
        return smallest;
    }

    APPLICATION double partition_distance(Worker& worker, Direction direction, NodeSet mechanism, NodeSet purview,
                                          NodeSet mechanism_part, NodeSet purview_part, const double* whole) {
        const NodeSet rest = purview & ~purview_part;
        const double* first = repertoire(worker.first, direction, mechanism_part, purview_part);
        const double* second = repertoire(worker.second, direction, mechanism & ~mechanism_part, rest);
        const std::size_t size = states(purview);
        worker.parts.resize(size);
        iit::multiply(purview, first, purview_part, second, rest, worker.parts.data());
        auto& distances = direction == Direction::cause ? session_.causes : session_.effects;
        if (!session_.keeps(direction)) {
            return iit::distance(session_.measure, direction, whole, worker.parts.data(), size);
        }
        return distances(worker.joined, whole, worker.parts.data(), size);
    }

    APPLICATION const double* repertoire(store::Held& held, Direction direction, NodeSet mechanism, NodeSet purview) {
        if (purview == 0 || (direction == Direction::cause && mechanism == 0)) {
            return session_.uniform[static_cast<std::size_t>(count(purview))].data();
        }
        return repertoires_(held, direction, mechanism, purview);
    }

    APPLICATION void compute_repertoire(Direction direction, NodeSet mechanism, NodeSet purview, double* out) {
        const std::size_t size = states(purview);
        store::Held held;
        if (direction == Direction::cause) {
            std::fill(out, out + size, 1.0);
            iit::for_each_node(mechanism, [&](int node) {
                const double* factor = single_nodes_(held, direction, single(node), purview);
                for (std::size_t state = 0; state < size; ++state) out[state] *= factor[state];
            });
            iit::normalize(out, size);
        } else {
            out[0] = 1;
            std::size_t done = 1;  // the states of the nodes so far
            iit::for_each_node(purview, [&](int node) {
                const double* factor = single_nodes_(held, direction, mechanism, single(node));
                for (std::size_t state = 0; state < done; ++state) {
                    out[state + done] = out[state] * factor[1];
                    out[state] *= factor[0];
                }
                done *= 2;
            });
        }
    }

    APPLICATION void compute_single_node(Direction direction, NodeSet mechanism, NodeSet purview, double* out) const {
        if (direction == Direction::cause) {
            iit::single_node_cause(session_.network, connections_, iit::lowest(mechanism), purview, out);
        } else {
            iit::single_node_effect(session_.network, connections_, mechanism, iit::lowest(purview), out);
        }
    }

    Session& session_;
    Connections connections_;
    store::Arrays<ComputeSingleNode> single_nodes_{ComputeSingleNode{*this}};
    store::Arrays<ComputeRepertoire> repertoires_{ComputeRepertoire{*this}};
    store::MiceStore mice_;
};

// The phi of a mechanism: the smaller one of cause and effect.
double phi_of(System& system, Worker& worker, NodeSet mechanism) {
    const double cause = system.mice(worker, Direction::cause, mechanism).phi;
    return std::min(cause, system.mice(worker, Direction::effect, mechanism).phi);
}

}  // namespace

Result analyse(const Network& network, Measure measure, int threads) {
    Session session(network, measure);
    const std::vector<NodeSet>& mechanisms = session.subsets;
    std::vector<Worker> workers(static_cast<std::size_t>(threads));
    Result result;
    System uncut(session);
    result.mice.resize(2 * mechanisms.size());
    iit::divide(workers, mechanisms.size(), [&](Worker& worker, std::size_t i) {
        result.mice[2 * i] = uncut.mice(worker, Direction::cause, mechanisms[i]);
        result.mice[2 * i + 1] = uncut.mice(worker, Direction::effect, mechanisms[i]);
    });
    std::vector<double> phi;
    double sum = 0;
    for (std::size_t i = 0; i < mechanisms.size(); ++i) {
        phi.push_back(std::min(result.mice[2 * i].phi, result.mice[2 * i + 1].phi));
        sum += phi.back();
    }

    const std::vector<Cut> cuts = iit::all_cuts(network.all());
    result.cuts.resize(cuts.size());
    iit::divide(workers, cuts.size(), [&](Worker& worker, std::size_t i) {
        System system(uncut, cuts[i]);
        double under = 0;
        for (std::size_t k = 0; k < mechanisms.size(); ++k) {
            if (phi[k] != 0 || cuts[i].splits(mechanisms[k])) under += phi_of(system, worker, mechanisms[k]);
        }
        result.cuts[i] = iit::round_phi(sum - under);
    });
    if (sum != 0 && !cuts.empty()) result.phi = *std::min_element(result.cuts.begin(), result.cuts.end());
    return result;
}

}  // namespace bench
