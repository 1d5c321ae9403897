// The report as text, for a reader who knows no integrated information theory.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <ostream>

#include "format.hpp"
#include "report.hpp"

namespace iit {
namespace {

constexpr std::size_t kMostConcepts = 8;  // what is shown

std::string nodes_text(NodeSet nodes) { return nodes == 0 ? "none" : list_of(nodes); }

std::string plural(std::size_t number, const std::string& noun) {
    return grouped(number) + " " + noun + (number == 1 ? "" : "s");
}

void print_terms(std::ostream& out, Measure measure) {
    out << "\n"
           "  mechanism    some nodes, in their state now\n"
           "  purview      nodes that the mechanism constrains\n"
           "  repertoire   probabilities of a purview's states\n"
        << (measure == Measure::emd
                ? "  distance     work to turn one repertoire into another (earth mover's distance)\n"
                : "  distance     how much two repertoires differ (sum of absolute differences)\n")
        << "  small phi    what dividing a mechanism destroys\n"
           "  search       all divisions tried, once each\n"
           "  concept      mechanism with small phi above 0\n"
           "  cut          connections from part to part severed\n"
           "  phi          what the least harmful cut destroys\n";
}

void print_concepts(std::ostream& out, const Result& result) {
    struct Concept {
        const Mice& cause;
        const Mice& effect;
        double phi;
    };
    std::vector<Concept> concepts;
    for (std::size_t i = 0; i + 1 < result.mice.size(); i += 2) {
        const Mice& cause = result.mice[i];
        const Mice& effect = result.mice[i + 1];
        const double phi = std::min(cause.phi, effect.phi);
        if (phi > 0) concepts.push_back({cause, effect, phi});
    }
    std::vector<std::size_t> order(concepts.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return concepts[a].phi > concepts[b].phi; });

    out << "\n" << plural(result.mice.size() / 2, "mechanism") << ", " << plural(concepts.size(), "concept");
    const std::size_t shown = std::min(order.size(), kMostConcepts);
    if (shown < order.size()) out << "; those with the largest small phi";
    out << (shown ? ":\n" : ".\n");
    if (shown) out << "  mechanism        cause purview        phi   effect purview       phi   small phi\n";
    for (std::size_t i = 0; i < shown; ++i) {
        const Concept& one = concepts[order[i]];
        out << format("  %-16s %-15s %8s   %-15s %8s   %9s\n", nodes_text(one.cause.mechanism).c_str(),
                      nodes_text(one.cause.purview).c_str(), phi_text(one.cause.phi).c_str(),
                      nodes_text(one.effect.purview).c_str(), phi_text(one.effect.phi).c_str(),
                      phi_text(one.phi).c_str());
    }
}

void print_phi(std::ostream& out, const Result& result) {
    out << "\nphi = " << phi_text(result.phi);
    if (result.cuts.empty()) {
        out << " (a single node cannot be cut)\n";
        return;
    }
    const auto smallest = std::min_element(result.cuts.begin(), result.cuts.end(),
                                           [](const EvaluatedCut& a, const EvaluatedCut& b) { return a.phi < b.phi; });
    out << ", the smallest of " << plural(result.cuts.size(), "cut") << ": " << phi_text(smallest->phi)
        << " without the connections from " << nodes_text(smallest->cut.from) << " to " << nodes_text(smallest->cut.to)
        << "\n";
}

// "1 request failed, 28 requests were skipped": of each event its number, what one was and what several were.
struct Event {
    std::uint64_t number;
    const char* one;
    const char* several;
};

std::string counted(std::initializer_list<Event> events) {
    std::string text;
    for (const Event& event : events) {
        if (event.number == 0) continue;
        text += (text.empty() ? "" : ", ") + grouped(event.number) + " " +
            (event.number == 1 ? event.one : event.several);
    }
    return text;
}

void print_failures(std::ostream& out, const std::string& place, const std::string& what, const std::string& last) {
    if (what.empty()) return;
    out << "  " << place << ": " << what << "; the results are right all the same\n";
    if (!last.empty()) out << "    the last failure: " << last << "\n";
}

// Failures of a server or of a file system cost time, but never change a result.
void print_failures(std::ostream& out, const Run& run) {
    const std::string name =
        run.plan.name.substr(std::min(run.plan.name.find_first_not_of(" +"), run.plan.name.size()));
    if (const auto& redis = run.result.redis) {
        print_failures(out, name + ", " + redis->url,
                       counted({{redis->failures, "request failed", "requests failed"},
                                {redis->refusals, "request was refused", "requests were refused"},
                                {redis->skipped, "request was skipped, as the server had just failed",
                                 "requests were skipped, as the server had just failed"}}),
                       redis->last_error);
    }
    if (const auto& disk = run.result.disk) {
        print_failures(out, name + ", " + disk->directory,
                       counted({{disk->failures, "file operation failed", "file operations failed"},
                                {disk->damaged, "record or file was damaged", "records or files were damaged"}}),
                       disk->last_failure);
    }
}

// "0 distances, 12 repertoires, 3 searches and 1 cause or effect of the uncut system"
std::string computed_text(const Computed& computed) {
    return plural(computed.distances, "distance") + ", " + plural(computed.repertoires, "repertoire") + ", " +
           grouped(computed.small_phi_searches) + (computed.small_phi_searches == 1 ? " search" : " searches") +
           " and " + grouped(computed.uncut_mice) + " causes and effects of the uncut system";
}

bool computed_nothing(const Computed& computed) {
    return computed.distances + computed.repertoires + computed.single_node_repertoires + computed.small_phi_searches +
               computed.uncut_mice == 0;
}

// "12.3 times faster" or "1.4 times slower"; with a difference of less than 5 %, "as fast".
std::string speed(double before, double after) {
    const double least = 1e-6;
    const double ratio = std::max(before, least) / std::max(after, least);
    if (ratio > 0.95 && ratio < 1.05) return "as fast";
    return ratio > 1 ? format("%.1f times faster", ratio) : format("%.1f times slower", 1 / ratio);
}

void print_disk(std::ostream& out, const Run& run) {
    if (!run.result.disk) return;
    const DiskUse& disk = *run.result.disk;
    out << "  causes, effects, small phi and distances are in " << disk.directory << "; this run computed "
        << (computed_nothing(run.result.computed) ? "nothing" : computed_text(run.result.computed)) << "\n";
    if (disk.first_seconds) {
        out << format("  the first run took %.3f seconds, this one %.3f: ", *disk.first_seconds, run.result.seconds)
            << speed(*disk.first_seconds, run.result.seconds) << "\n";
    }
}

void print_caches(std::ostream& out, const Run& run) {
    out << "\n" << run.plan.name << ": " << format("%.3f seconds", run.result.seconds) << "\n";
    if (run.plan.settings.caching.reuse == Reuse::none) return;
    out << "  cache          caches        hits      misses   hits of all     entries        bytes\n";
    for (const CacheUse& use : run.result.caches) {
        const std::uint64_t asked = use.hits + use.misses;
        const double share = asked ? 100.0 * static_cast<double>(use.hits) / static_cast<double>(asked) : 0;
        out << format("  %-13s %7s %11s %11s %11.1f %% %11s %12s\n", use.name.c_str(), grouped(use.caches).c_str(),
                      grouped(use.hits).c_str(), grouped(use.misses).c_str(), share, grouped(use.size).c_str(),
                      grouped(use.bytes).c_str());
    }
    if (run.result.redis) {
        out << "  causes and effects are shared at " << run.result.redis->url << "; of those of the uncut system, "
            << grouped(run.result.computed.uncut_mice) << " were not there and were computed\n";
    }
    print_disk(out, run);
    print_failures(out, run);
}

std::uint64_t hits_of(const Result& result) {
    std::uint64_t hits = 0;
    for (const CacheUse& use : result.caches) hits += use.hits;
    return hits;
}

void print_comparison(std::ostream& out, const std::vector<Run>& runs) {
    out << "\n"
           "                                      compared with   ----------- computed -----------      found in\n"
           "  (+: and all above)    seconds           no caches    distances repertoires  searches        caches\n";
    for (const Run& run : runs) {
        const Result& result = run.result;
        const std::string compared = &run == &runs.front() ? "" : speed(runs.front().result.seconds, result.seconds);
        out << format("  %-20s %8.3f  %18s   %10s %11s %9s %13s\n", run.plan.name.c_str(), result.seconds,
                      compared.c_str(), grouped(result.computed.distances).c_str(),
                      grouped(result.computed.repertoires).c_str(),
                      grouped(result.computed.small_phi_searches).c_str(), grouped(hits_of(result)).c_str());
    }
    for (const Run& run : runs) print_failures(out, run);
}

// The largest difference of any phi between two analyses of one network.
double disagreement(const Result& a, const Result& b) {
    double largest = 0;
    for (std::size_t i = 0; i < a.mice.size(); ++i)
        largest = std::max(largest, std::abs(a.mice[i].phi - b.mice[i].phi));
    for (std::size_t i = 0; i < a.cuts.size(); ++i)
        largest = std::max(largest, std::abs(a.cuts[i].phi - b.cuts[i].phi));
    return largest;
}

void print_summary(std::ostream& out, const std::vector<Run>& runs) {
    const Result& first = runs.front().result;
    std::size_t fastest = 1;  // of the runs that share nothing with other processes
    for (std::size_t i = 2; i < runs.size(); ++i) {
        if (runs[i].plan.processes == 0 && runs[i].result.seconds < runs[fastest].result.seconds) fastest = i;
    }
    const Result& best = runs[fastest].result;
    out << "\nWithout caches the analysis takes " << duration_text(first.seconds) << ", with the best of these caches "
        << duration_text(best.seconds) << " (" << speed(first.seconds, best.seconds) << "):\nit computes "
        << grouped(best.computed.distances) << " of " << grouped(first.computed.distances) << " distances, and "
        << grouped(best.computed.repertoires) << " of " << grouped(first.computed.repertoires) << " repertoires.\n";
    if (best.seconds > first.seconds) out << "On a network as small as this, computing is cheaper than looking up.\n";
    for (const Run& run : runs) {
        if (run.plan.name == kSecondRun) {
            out << "The second run on disk computes "
                << (computed_nothing(run.result.computed) ? "nothing" : computed_text(run.result.computed))
                << ": it takes " << duration_text(run.result.seconds) << ".\n";
        } else if (run.plan.processes > 1) {
            out << "The " << run.plan.processes << " processes on disk divide the work: together they make "
                << grouped(run.result.computed.small_phi_searches) << " searches.\n";
        }
    }
    double largest = 0;
    for (const Run& run : runs) largest = std::max(largest, disagreement(first, run.result));
    if (largest == 0) out << "Every phi is the same in all runs.\n";
    else out << "WRONG: a phi differs by " << phi_text(largest) << " between these runs.\n";
}

void print_next(std::ostream& out, const std::string& program, const std::string& path) {
    const std::string command = "  " + program + " " + path;
    out << "\nRun next\n"
        << command << " --cache dict    # the hits of each cache\n"
        << command << " --cache disk    # and again: the second run computes nothing\n"
        << command << " --json          # all causes, effects and cuts\n"
        << "  " << program << " --help\n"
        << "and read examples/iit/README.md: the algorithm, the input, and which file uses which cache.\n";
}

}  // namespace

void print_text(std::ostream& out, const std::string& program, const std::string& path, const Network& network,
                const std::vector<Run>& runs) {
    const Run& first = runs.front();
    out << path << ": " << plural(static_cast<std::size_t>(network.size()), "node") << ", ON now: "
        << nodes_text(network.state)
        << "\n";
    for (const std::string& warning : network.warnings) out << "warning: " << warning << "\n";
    print_terms(out, first.plan.settings.measure);
    print_concepts(out, first.result);
    print_phi(out, first.result);
    if (runs.size() == 1) {
        print_caches(out, first);
        return;
    }
    print_comparison(out, runs);
    print_summary(out, runs);
    print_next(out, program, path);
}

}  // namespace iit
