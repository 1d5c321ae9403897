#include "report.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ostream>

namespace iit {
namespace {

template <class... Arguments>
std::string format(const char* pattern, Arguments... arguments) {
    char line[256];
    std::snprintf(line, sizeof line, pattern, arguments...);
    return line;
}

// "0,2,3", or a dash for no nodes.
std::string names(NodeSet nodes) {
    std::string list;
    for_each_node(nodes, [&](int node) { list += (list.empty() ? "" : ",") + std::to_string(node); });
    return list.empty() ? "-" : list;
}

// 1234567 as "1,234,567".
std::string grouped(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
    return digits;
}

// Phi with up to six decimals, without trailing zeros; adding 0 turns -0 into 0.
std::string phi_text(double phi) {
    std::string text = format("%.6f", phi + 0.0);
    text.erase(std::max(text.find_last_not_of('0') + 1, text.find('.') + 2));
    return text;
}

std::string name_of(Caching caching) {
    if (caching.reuse == Reuse::none) return "no caches";
    const char* store = caching.store == Store::redis ? "redis" : "dict";
    return std::string(store) + (caching.reuse == Reuse::parent ? ", reuse parent" : ", reuse cuts");
}

void print_structure(std::ostream& out, const Result& result) {
    out << "\nmechanism        cause purview     phi       effect purview    phi       concept\n";
    for (std::size_t i = 0; i + 1 < result.mice.size(); i += 2) {
        const Mice& cause = result.mice[i];
        const Mice& effect = result.mice[i + 1];
        const double phi = std::min(cause.phi, effect.phi);
        out << format("%-16s %-17s %-9s %-17s %-9s %s\n", names(cause.mechanism).c_str(), names(cause.purview).c_str(),
                      phi_text(cause.phi).c_str(), names(effect.purview).c_str(), phi_text(effect.phi).c_str(),
                      phi > 0 ? phi_text(phi).c_str() : "-");
    }
}

void print_phi(std::ostream& out, const Result& result) {
    out << "\nphi = " << phi_text(result.phi);
    if (result.cuts.empty()) {
        out << " (a single node cannot be cut)\n";
        return;
    }
    auto smallest = std::min_element(result.cuts.begin(), result.cuts.end(),
                                     [](const EvaluatedCut& a, const EvaluatedCut& b) { return a.phi < b.phi; });
    out << ", the smallest of " << result.cuts.size() << " cuts (" << phi_text(smallest->phi) << " without the connections from "
        << names(smallest->cut.from) << " to " << names(smallest->cut.to) << ")\n";
}

// Whether the MICE were shared. A failing server costs time, but never changes a result.
void print_redis(std::ostream& out, const RedisUse& redis, const Computed& computed) {
    out << "  mice are shared at " << redis.url << ": of the uncut system, " << grouped(computed.uncut_mice)
        << " were not at the server and were computed\n";
    if (redis.failures + redis.refusals + redis.skipped == 0) return;
    out << "  the Redis server failed: " << grouped(redis.failures) << " operations failed, " << grouped(redis.refusals)
        << " were refused, " << grouped(redis.skipped) << " were skipped; the last error:\n    "
        << redis.last_error << "\n";
}

void print_caches(std::ostream& out, const Run& run) {
    out << "\n" << name_of(run.settings.caching) << ": " << format("%.3f s", run.result.seconds) << "\n";
    if (run.settings.caching.reuse == Reuse::none) return;
    out << "  cache          caches        hits      misses   hits of all     entries        bytes\n";
    for (const CacheUse& use : run.result.caches) {
        const std::uint64_t asked = use.hits + use.misses;
        const double share = asked ? 100.0 * static_cast<double>(use.hits) / static_cast<double>(asked) : 0;
        out << format("  %-13s %7s %11s %11s %11.1f %% %11s %12s\n", use.name.c_str(), grouped(use.caches).c_str(),
                      grouped(use.hits).c_str(), grouped(use.misses).c_str(), share, grouped(use.size).c_str(),
                      grouped(use.bytes).c_str());
    }
    if (run.result.redis) print_redis(out, *run.result.redis, run.result.computed);
}

// How many times `after` goes into `before`.
std::string times(double before, double after) { return after > 0 ? format("%.2f", before / after) : std::string("-"); }

void print_savings(std::ostream& out, const std::vector<Run>& runs) {
    out << "\ncomputed               repertoires   of single nodes   small-phi searches   seconds\n";
    for (const Run& run : runs) {
        const Computed& computed = run.result.computed;
        out << format("  %-18s %13s %17s %20s %9.3f\n", name_of(run.settings.caching).c_str(), grouped(computed.repertoires).c_str(),
                      grouped(computed.single_node_repertoires).c_str(), grouped(computed.small_phi_searches).c_str(),
                      run.result.seconds);
    }
    if (runs.size() < 2) return;
    out << "\nsaved: times fewer     repertoires   of single nodes   small-phi searches   seconds\n";
    for (std::size_t later = 1; later < runs.size(); ++later) {
        for (std::size_t earlier = 0; earlier < later; ++earlier) {
            const Result& before = runs[earlier].result;
            const Result& after = runs[later].result;
            auto fewer = [&](std::uint64_t Computed::*count) {
                return times(static_cast<double>(before.computed.*count), static_cast<double>(after.computed.*count));
            };
            out << "  " << name_of(runs[later].settings.caching) << " against " << name_of(runs[earlier].settings.caching) << "\n"
                << format("  %-18s %13s %17s %20s %9s\n", "", fewer(&Computed::repertoires).c_str(),
                          fewer(&Computed::single_node_repertoires).c_str(), fewer(&Computed::small_phi_searches).c_str(),
                          times(before.seconds, after.seconds).c_str());
        }
    }
}

// Explains why fewer computations may take as much time: without caches each is as cheap as a lookup.
void print_cost(std::ostream& out, const Run& run) {
    const double each = 1e9 * run.result.seconds / static_cast<double>(std::max<std::uint64_t>(1, run.result.computed.repertoires));
    if (run.settings.caching.reuse != Reuse::none || each > 1000) return;
    out << format("\nWithout caches, a repertoire and everything computed from it take %.0f ns on this network, no more than a\n"
                  "lookup. So only fewer searches save time here; with more expensive repertoires the other columns count too.\n",
                  each);
}

// The largest difference of any phi between two analyses of one network.
double disagreement(const Result& a, const Result& b) {
    double largest = 0;
    for (std::size_t i = 0; i < a.mice.size(); ++i) largest = std::max(largest, std::abs(a.mice[i].phi - b.mice[i].phi));
    for (std::size_t i = 0; i < a.cuts.size(); ++i) largest = std::max(largest, std::abs(a.cuts[i].phi - b.cuts[i].phi));
    return largest;
}

// A string in JSON; the text must have no control characters.
std::string json_text(const std::string& text) {
    std::string quoted = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return quoted + "\"";
}

std::string json_nodes(NodeSet nodes) { return nodes == 0 ? "[]" : "[" + names(nodes) + "]"; }

}  // namespace

void print_text(std::ostream& out, const std::string& path, const Network& network, const std::vector<Run>& runs) {
    out << path << ": " << network.size() << (network.size() == 1 ? " node" : " nodes") << ", ON now: " << names(network.state)
        << "\n";
    const Result& result = runs.front().result;
    print_structure(out, result);
    print_phi(out, result);
    for (const Run& run : runs) print_caches(out, run);
    print_savings(out, runs);
    if (runs.size() < 2) return;
    print_cost(out, runs.front());
    double largest = 0;
    for (const Run& run : runs) largest = std::max(largest, disagreement(result, run.result));
    out << "\nlargest difference of any phi between these runs: " << phi_text(largest) << "\n";
}

void print_json(std::ostream& out, const Run& run) {
    const Result& result = run.result;
    const char* separator = "";
    out << "{\"measure\": \"" << (run.settings.measure == Measure::emd ? "emd" : "l1")
        << "\", \"threads\": " << run.settings.threads << ",\n \"mice\": [";
    for (const Mice& mice : result.mice) {
        out << separator << "\n  {\"direction\": \"" << (mice.direction == Direction::cause ? "CAUSE" : "EFFECT")
            << "\", \"mechanism\": " << json_nodes(mice.mechanism) << ", \"purview\": " << json_nodes(mice.purview)
            << ", \"phi\": " << phi_text(mice.phi) << "}";
        separator = ",";
    }
    out << "],\n \"cuts\": [";
    separator = "";
    for (const EvaluatedCut& evaluated : result.cuts) {
        out << separator << "\n  {\"from\": " << json_nodes(evaluated.cut.from) << ", \"to\": " << json_nodes(evaluated.cut.to)
            << ", \"phi\": " << phi_text(evaluated.phi) << "}";
        separator = ",";
    }
    out << "],\n \"phi\": " << phi_text(result.phi) << ",\n \"seconds\": " << format("%.6f", result.seconds)
        << ",\n \"computed\": {\"repertoires\": " << result.computed.repertoires
        << ", \"single_node_repertoires\": " << result.computed.single_node_repertoires
        << ", \"small_phi_searches\": " << result.computed.small_phi_searches
        << ", \"distances\": " << result.computed.distances << ", \"uncut_mice\": " << result.computed.uncut_mice
        << "},\n \"cache\": {";
    separator = "";
    for (const CacheUse& use : result.caches) {
        out << separator << "\n  \"" << use.name << "\": {\"caches\": " << use.caches << ", \"hits\": " << use.hits
            << ", \"misses\": " << use.misses << ", \"size\": " << use.size << ", \"bytes\": " << use.bytes << "}";
        separator = ",";
    }
    out << "}";
    if (const auto& redis = result.redis) {
        out << ",\n \"redis\": {\"url\": " << json_text(redis->url) << ", \"failures\": " << redis->failures
            << ", \"refusals\": " << redis->refusals << ", \"skipped\": " << redis->skipped
            << ", \"last_error\": " << json_text(redis->last_error) << "}";
    }
    out << "}\n";
}

}  // namespace iit
