// Steps 5 and 6 of the algorithm: cause-effect structures, and the φ of each cut.

#include "analysis.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <numeric>
#include <random>

#include "progress.hpp"
#include "threads.hpp"

namespace iit {
namespace {

// The structure of the uncut system: its MICE, and the small phi of each mechanism (in the order of Session::subsets).
// A mechanism with small phi above 0 is a concept.
struct Structure {
    std::vector<Mice> mice;
    std::vector<double> phi;
    double sum = 0;
};

// The order in which `count` steps are taken. A process that shares results takes them in an order of its own, because
// in a common order it would always wait for the result that another process computes.
std::vector<std::size_t> order_of(std::size_t count, bool own) {
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), 0);
    if (own) std::shuffle(order.begin(), order.end(), std::mt19937_64(std::random_device()()));
    return order;
}

// All threads share the system and its caches; each result has its place, so the order of the threads makes no
// difference.
Structure uncut_structure(System& uncut, const Session& session, std::vector<Worker>& workers,
                          const std::string& where) {
    const std::vector<NodeSet>& mechanisms = session.subsets;
    const std::vector<std::size_t> order = order_of(mechanisms.size(), is_shared(session.settings.caching.store));
    Structure structure;
    structure.mice.resize(2 * mechanisms.size());
    structure.phi.resize(mechanisms.size());
    Progress progress("mechanism", mechanisms.size(), where);
    divide(workers, order.size(), [&](Worker& worker, std::size_t step) {
        const std::size_t i = order[step];
        const Mice cause = structure.mice[2 * i] = uncut.mice(worker, Direction::cause, mechanisms[i]);
        const Mice effect = structure.mice[2 * i + 1] = uncut.mice(worker, Direction::effect, mechanisms[i]);
        structure.phi[i] = std::min(cause.phi, effect.phi);
        progress.step();
    });
    for (double phi : structure.phi) structure.sum += phi;
    return structure;
}

// The sum of small phi under a cut. Only mechanisms that were concepts before or that the cut splits are computed.
double sum_under(System& system, const Cut& cut, const Structure& structure, const std::vector<NodeSet>& mechanisms,
                 Worker& worker) {
    double sum = 0;
    for (std::size_t i = 0; i < mechanisms.size(); ++i) {
        if (structure.phi[i] == 0 && !cut.splits(mechanisms[i])) continue;
        const Mice cause = system.mice(worker, Direction::cause, mechanisms[i]);
        const Mice effect = system.mice(worker, Direction::effect, mechanisms[i]);
        sum += std::min(cause.phi, effect.phi);
    }
    return sum;
}

std::vector<EvaluatedCut> evaluate_cuts(const Session& session, const System& uncut, const Structure& structure,
                                        std::vector<Worker>& workers, const std::string& where) {
    const std::vector<Cut> cuts = all_cuts(session.network.all());
    // In Redis there are no results of cuts.
    const std::vector<std::size_t> order = order_of(cuts.size(), session.settings.caching.store == Store::disk);
    std::vector<EvaluatedCut> evaluated(cuts.size());
    Progress progress("cut", cuts.size(), where);
    divide(workers, order.size(), [&](Worker& worker, std::size_t step) {
        const std::size_t i = order[step];
        System system(uncut, cuts[i]);
        const double sum = sum_under(system, cuts[i], structure, session.subsets, worker);
        evaluated[i] = {cuts[i], round_phi(structure.sum - sum)};
        progress.step();
    });
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

Result analyse(const Network& network, const Settings& settings, const std::string& where) {
    const auto start = std::chrono::steady_clock::now();
    const auto seconds = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    const std::clock_t cpu_start = std::clock();
    Session session(network, settings);
    std::vector<Worker> workers(static_cast<std::size_t>(settings.threads));
    Result result;
    std::optional<double> first_seconds;
    {
        System uncut(session);
        Structure structure = uncut_structure(uncut, session, workers, where);
        result.cuts = evaluate_cuts(session, uncut, structure, workers, where);
        result.phi = system_phi(structure, result.cuts);
        result.mice = std::move(structure.mice);
        first_seconds = uncut.first_seconds(seconds());
    }
    if (session.caches) session.caches->add_to(session.use);
    if (session.disk) {
        session.caches->add_to(session.disk);
        session.disk->first_seconds = first_seconds;
    }
    for (const Worker& worker : workers) result.computed += worker.computed;
    result.caches = session.use.list();
    result.redis = session.redis;
    result.disk = session.disk;
    result.cpu_seconds = static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
    result.seconds = seconds();
    return result;
}

}  // namespace iit
