// The report as one JSON object, and back.

#include <algorithm>
#include <ostream>
#include <stdexcept>

#include "format.hpp"
#include "json.hpp"
#include "report.hpp"

namespace iit {
namespace {

// A string in JSON; control characters become spaces.
std::string json_text(const std::string& text) {
    std::string quoted = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return quoted + "\"";
}

std::string json_nodes(NodeSet nodes) { return "[" + list_of(nodes) + "]"; }

// Members of an object that print_json wrote.
template <class T>
const T& member(const json::Object& object, const char* name) {
    const json::Value* value = json::find(object, name);
    const T* held = value ? value->as<T>() : nullptr;
    if (!held) throw std::runtime_error(std::string("a report has no ") + name);
    return *held;
}

std::uint64_t count_of(const json::Object& object, const char* name) {
    return static_cast<std::uint64_t>(member<double>(object, name));
}

NodeSet nodes_of(const json::Object& object, const char* name) {
    NodeSet nodes = 0;
    for (const json::Value& node : member<json::Array>(object, name))
        nodes |= single(static_cast<int>(*node.as<double>()));
    return nodes;
}

}  // namespace

void print_json(std::ostream& out, const Run& run) {
    const Result& result = run.result;
    const char* separator = "";
    out << "{\"measure\": \"" << (run.plan.settings.measure == Measure::emd ? "emd" : "l1")
        << "\", \"threads\": " << run.plan.settings.threads
        << ", \"processes\": " << std::max(run.plan.processes, 1) << ",\n \"mice\": [";
    for (const Mice& mice : result.mice) {
        out << separator << "\n  {\"direction\": \"" << (mice.direction == Direction::cause ? "CAUSE" : "EFFECT")
            << "\", \"mechanism\": " << json_nodes(mice.mechanism) << ", \"purview\": " << json_nodes(mice.purview)
            << ", \"phi\": " << phi_text(mice.phi) << "}";
        separator = ",";
    }
    out << "],\n \"cuts\": [";
    separator = "";
    for (const EvaluatedCut& evaluated : result.cuts) {
        out << separator << "\n  {\"from\": " << json_nodes(evaluated.cut.from)
            << ", \"to\": " << json_nodes(evaluated.cut.to) << ", \"phi\": " << phi_text(evaluated.phi) << "}";
        separator = ",";
    }
    out << "],\n \"phi\": " << phi_text(result.phi) << ",\n \"seconds\": " << format("%.6f", result.seconds)
        << ",\n \"cpu_seconds\": " << format("%.6f", result.cpu_seconds)
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
    if (const auto& disk = result.disk) {
        out << ",\n \"disk\": {\"directory\": " << json_text(disk->directory) << ", \"failures\": " << disk->failures
            << ", \"damaged\": " << disk->damaged << ", \"last_failure\": " << json_text(disk->last_failure);
        if (disk->first_seconds) out << ", \"first_seconds\": " << format("%.6f", *disk->first_seconds);
        out << "}";
    }
    out << "}\n";
}

Result read_json(const std::string& text) {
    const json::Value document = json::parse(text);
    if (!document.as<json::Object>()) throw std::runtime_error("a report is not an object");
    const json::Object& report = *document.as<json::Object>();
    Result result;
    for (const json::Value& value : member<json::Array>(report, "mice")) {
        const json::Object& mice = *value.as<json::Object>();
        const bool cause = member<std::string>(mice, "direction") == "CAUSE";
        result.mice.push_back({cause ? Direction::cause : Direction::effect, nodes_of(mice, "mechanism"),
                               nodes_of(mice, "purview"), member<double>(mice, "phi")});
    }
    for (const json::Value& value : member<json::Array>(report, "cuts")) {
        const json::Object& cut = *value.as<json::Object>();
        result.cuts.push_back({{nodes_of(cut, "from"), nodes_of(cut, "to")}, member<double>(cut, "phi")});
    }
    result.phi = member<double>(report, "phi");
    result.seconds = member<double>(report, "seconds");
    result.cpu_seconds = member<double>(report, "cpu_seconds");
    const json::Object& computed = member<json::Object>(report, "computed");
    result.computed = {count_of(computed, "repertoires"), count_of(computed, "single_node_repertoires"),
                       count_of(computed, "small_phi_searches"), count_of(computed, "distances"),
                       count_of(computed, "uncut_mice")};
    for (const auto& [name, value] : member<json::Object>(report, "cache")) {
        const json::Object& use = *value.as<json::Object>();
        result.caches.push_back({name, count_of(use, "caches"), count_of(use, "hits"), count_of(use, "misses"),
                                 count_of(use, "size"), count_of(use, "bytes")});
    }
    if (json::find(report, "redis")) {
        const json::Object& redis = member<json::Object>(report, "redis");
        result.redis = RedisUse{member<std::string>(redis, "url"), count_of(redis, "failures"),
                                count_of(redis, "refusals"), count_of(redis, "skipped"),
                                member<std::string>(redis, "last_error")};
    }
    if (json::find(report, "disk")) {
        const json::Object& disk = member<json::Object>(report, "disk");
        result.disk = DiskUse{member<std::string>(disk, "directory"), count_of(disk, "failures"),
                              count_of(disk, "damaged"), member<std::string>(disk, "last_failure"), std::nullopt};
        if (json::find(disk, "first_seconds")) result.disk->first_seconds = member<double>(disk, "first_seconds");
    }
    return result;
}

}  // namespace iit
