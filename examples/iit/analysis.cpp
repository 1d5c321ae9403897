// Steps 5 and 6 of the algorithm: cause-effect structures, and the φ of each cut.

#include "analysis.hpp"

#include <algorithm>
#include <chrono>

#include "progress.hpp"
#include "repertoires.hpp"

namespace iit {
namespace {

// The structure of the uncut system: its MICE, and which mechanisms (in the order of Session::subsets) are concepts.
struct Structure {
    std::vector<Mice> mice;
    std::vector<bool> is_concept;
    double sum = 0;  // of the small phi of all concepts
};

// Finds the MICE of the mechanism and returns the small phi of its concept.
double concept_phi(System& system, NodeSet mechanism, std::vector<Mice>* mice = nullptr) {
    const Mice cause = system.mice(Direction::cause, mechanism);
    const Mice effect = system.mice(Direction::effect, mechanism);
    if (mice) mice->insert(mice->end(), {cause, effect});
    return std::min(cause.phi, effect.phi);
}

Structure uncut_structure(System& uncut, const std::vector<NodeSet>& mechanisms) {
    Structure structure;
    Progress progress("uncut structure", mechanisms.size());
    for (NodeSet mechanism : mechanisms) {
        const double phi = concept_phi(uncut, mechanism, &structure.mice);
        structure.is_concept.push_back(phi > 0);
        structure.sum += phi;
        progress.step();
    }
    return structure;
}

// Under a cut, only mechanisms that were concepts before or that the cut splits are computed.
std::vector<EvaluatedCut> evaluate_cuts(const Session& session, const System& uncut, const Structure& structure) {
    const std::vector<NodeSet>& mechanisms = session.subsets;
    const std::vector<Cut> cuts = all_cuts(session.network.all());
    std::vector<EvaluatedCut> evaluated;
    Progress progress("system cuts", cuts.size() * mechanisms.size());
    for (const Cut& cut : cuts) {
        System system(uncut, cut);
        double sum = 0;
        for (std::size_t i = 0; i < mechanisms.size(); ++i) {
            if (structure.is_concept[i] || cut.splits(mechanisms[i])) sum += concept_phi(system, mechanisms[i]);
            progress.step();
        }
        evaluated.push_back({cut, round_phi(structure.sum - sum)});
    }
    return evaluated;
}

// The smallest phi of all cuts; 0 if there is no cut or no structure.
double system_phi(const Structure& structure, const std::vector<EvaluatedCut>& cuts) {
    if (structure.sum == 0 || cuts.empty()) return 0;
    double smallest = cuts.front().phi;
    for (const EvaluatedCut& evaluated : cuts) smallest = std::min(smallest, evaluated.phi);
    return smallest;
}

}  // namespace

Result analyse(const Network& network, Caching caching) {
    const auto start = std::chrono::steady_clock::now();
    Session session(network, caching);
    Result result;
    {
        System uncut(session);
        Structure structure = uncut_structure(uncut, session.subsets);
        result.cuts = evaluate_cuts(session, uncut, structure);
        result.phi = system_phi(structure, result.cuts);
        result.mice = std::move(structure.mice);
    }
    if (session.caches) session.caches->add_to(session.use);
    result.computed = session.computed;
    result.caches = session.use.list();
    result.redis = session.redis;
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
}

}  // namespace iit
