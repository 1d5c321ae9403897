// Reads a Network from JSON text, and checks the input.

#include "network.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "format.hpp"
#include "json.hpp"
#include "progress.hpp"

namespace iit {
namespace {

constexpr std::size_t kLargeFile = 8 << 20;  // reading it takes a noticeable time

std::string at(const char* key, std::size_t index) { return std::string(key) + "[" + std::to_string(index) + "]"; }

std::string at(const char* key, std::size_t row, std::size_t column) {
    return at(key, row) + "[" + std::to_string(column) + "]";
}

const json::Array& array(const json::Value* value, const std::string& what) {
    const json::Array* elements = value ? value->as<json::Array>() : nullptr;
    if (!elements) throw InputError(value ? what + " is not a list" : what + " is missing");
    return *elements;
}

std::string in_lower_case(std::string text) {
    for (char& c : text) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
}

// Whether one letter more, less or changed makes one text the other.
bool differ_in_one_letter(const std::string& a, const std::string& b) {
    if (a.size() > b.size()) return differ_in_one_letter(b, a);
    if (b.size() - a.size() > 1) return false;
    const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin());
    return in_b != b.end() && std::equal(in_a + (a.size() == b.size()), a.end(), in_b + 1);
}

// The member with a name, or null. Another member that is probably meant is an error: it would be ignored.
const json::Value* member(const json::Object& input, const std::string& name) {
    constexpr std::size_t kLong = 4;  // fewer letters with one changed are another word
    if (const json::Value* found = json::find(input, name)) return found;
    const std::string words =
        name == "cm" ? "connectivity_matrix" : name == "tpm" ? "transition_probability_matrix" : "";
    for (const auto& [other, value] : input) {
        const std::string lower = in_lower_case(other);
        if (lower == name || lower == words || (name.size() >= kLong && differ_in_one_letter(lower, name))) {
            throw InputError("the member \"" + other + "\" is unknown; did you mean \"" + name + "\"?");
        }
    }
    return nullptr;
}

bool zero_or_one(const json::Value& value, const std::string& what) {
    const double* number = value.as<double>();
    if (!number || (*number != 0 && *number != 1)) throw InputError(what + " is neither 0 nor 1");
    return *number == 1;
}

double probability(const json::Value& value, const std::string& what) {
    const double* number = value.as<double>();
    if (!number) throw InputError(what + " is not a number");
    if (!(*number >= 0 && *number <= 1)) throw InputError(what + " is not a probability between 0 and 1");
    return *number;
}

// A row of a table: a list of exactly `length` elements.
const json::Array& row(const json::Array& table, const char* key, std::size_t index, std::size_t length) {
    const json::Array& elements = array(&table[index], at(key, index));
    if (elements.size() != length) {
        throw InputError(at(key, index) + " has " + std::to_string(elements.size()) + " elements, not " +
                         std::to_string(length));
    }
    return elements;
}

std::size_t check_size(const json::Object& input, std::size_t size) {
    if (size == 0) throw InputError("state is empty: a network has at least one node");
    if (size > 64) throw InputError("the network has " + std::to_string(size) + " nodes: at most 64 are possible");
    if (size > kMostNodes) {
        throw InputError("the network has " + std::to_string(size) + " nodes, so " +
                         grouped((std::uint64_t{1} << (size < 64 ? size : 63)) - 2) + " cuts: more than " +
                         std::to_string(kMostNodes) + " nodes cannot be analyzed");
    }
    if (const json::Value* stated = json::find(input, "size")) {
        const double* number = stated->as<double>();
        if (!number || *number != static_cast<double>(size))
            throw InputError("size is not the number of nodes in state");
    }
    if (const json::Value* nodes = json::find(input, "nodes")) {
        if (array(nodes, "nodes").size() != size) throw InputError("nodes does not name all nodes of the network");
    }
    return size;
}

// For each node, the nodes that are connected to it.
std::vector<NodeSet> read_connections(const json::Object& input, std::size_t size) {
    const json::Value* given = member(input, "cm");
    if (!given) return std::vector<NodeSet>(size, first_nodes(static_cast<int>(size)));
    const json::Array& rows = array(given, "cm");
    if (rows.size() != size)
        throw InputError("cm has " + std::to_string(rows.size()) + " rows, not " + std::to_string(size));
    std::vector<NodeSet> connected(size);
    for (std::size_t i = 0; i < size; ++i) {
        const json::Array& targets = row(rows, "cm", i, size);
        for (std::size_t j = 0; j < size; ++j) {
            if (zero_or_one(targets[j], at("cm", i, j))) connected[j] |= single(static_cast<int>(i));
        }
    }
    return connected;
}

// If the table is consistent in itself, but for another number of nodes than `state`, then `state` is wrong.
void check_state_length(const json::Object& input, std::size_t size) {
    const json::Value* tpm = member(input, "tpm");
    const json::Array* rows = tpm ? tpm->as<json::Array>() : nullptr;
    const json::Array* first = rows && !rows->empty() ? rows->front().as<json::Array>() : nullptr;
    if (!first || first->size() == size || first->size() > 63 || rows->size() != std::size_t{1} << first->size())
        return;
    throw InputError("state has " + std::to_string(size) + " elements, but tpm is that of " +
                     std::to_string(first->size()) + " nodes");
}

// The other form of a TPM, with the probability of each next state.
void refuse_state_by_state(const json::Array& rows, std::size_t size) {
    const json::Array* first = rows.empty() ? nullptr : rows.front().as<json::Array>();
    if (!first || first->size() != rows.size() || first->size() == size) return;
    const std::string count = std::to_string(rows.size());
    throw InputError("tpm is state by state, " + count + " rows of " + count + " numbers; expected state by node, " +
                     count + " rows of " + std::to_string(size) + ": element k of a row is the probability that node k "
                     "is ON next (pyphi.convert.state_by_state2state_by_node converts it)");
}

std::vector<double> read_tpm(const json::Object& input, std::size_t size) {
    const json::Array& rows = array(member(input, "tpm"), "tpm");
    const std::size_t expected = std::size_t{1} << size;
    if (rows.size() != expected) {
        throw InputError("tpm has " + std::to_string(rows.size()) + " rows: " + std::to_string(size) + " nodes need " +
                         std::to_string(expected));
    }
    refuse_state_by_state(rows, size);
    std::vector<double> tpm;
    tpm.reserve(expected * size);
    for (std::size_t i = 0; i < expected; ++i) {
        const json::Array& probabilities = row(rows, "tpm", i, size);
        for (std::size_t j = 0; j < size; ++j) tpm.push_back(probability(probabilities[j], at("tpm", i, j)));
    }
    return tpm;
}

// The node's column of the state-by-node table, averaged over all nodes that are not connected to it.
std::vector<double> probabilities_on(const std::vector<double>& tpm, std::size_t size, std::size_t node,
                                     NodeSet connected) {
    const NodeSet others = first_nodes(static_cast<int>(size)) & ~connected;
    std::vector<double> table;
    table.reserve(states(connected));
    NodeSet input = 0;
    do {
        double sum = 0;
        NodeSet other = 0;
        do {
            sum += tpm[(input | other) * size + node];
            other = next_subset(other, others);
        } while (other != 0);
        table.push_back(sum / static_cast<double>(states(others)));
        input = next_subset(input, connected);
    } while (input != 0);
    return table;
}

// Whether some previous state leads to the current one.
bool is_reachable(const Network& network) {
    for (std::size_t row = 0; row < network.tpm.size(); row += network.nodes.size()) {
        bool possible = true;
        for (std::size_t node = 0; node < network.nodes.size(); ++node) {
            const double on = network.tpm[row + node];
            possible = possible && ((network.state >> node & 1) != 0 ? on > 0 : on < 1);
        }
        if (possible) return true;
    }
    return false;
}

std::vector<std::string> warnings_about(const Network& network) {
    std::vector<std::string> warnings;
    if (!is_reachable(network)) {
        warnings.push_back(
            "no state leads to the current state, so the causes of some mechanisms are undefined (phi 0)");
    }
    const auto unconnected = [](const Node& node) { return node.connected == 0; };
    if (std::all_of(network.nodes.begin(), network.nodes.end(), unconnected)) {
        warnings.push_back("cm has no connection, so every phi is 0");
    }
    return warnings;
}

// Whether the state of the input with this rank makes a difference anywhere in the table.
bool depends_on(const std::vector<double>& table, NodeSet rank) {
    for (NodeSet state = 0; state < table.size(); ++state) {
        if (table[state] != table[state | rank]) return true;
    }
    return false;
}

Node make_node(const std::vector<double>& tpm, std::size_t size, std::size_t index, NodeSet connected, bool on_now) {
    const std::vector<double> table = probabilities_on(tpm, size, index, connected);
    Node node;
    node.connected = connected;
    for_each_node(connected, [&](int input) {
        if (depends_on(table, rank_within(single(input), connected))) node.inputs |= single(input);
    });
    const NodeSet ranks = rank_within(node.inputs, connected);
    NodeSet state = 0;
    do {
        node.on.push_back(table[state]);
        node.current.push_back(on_now ? table[state] : 1 - table[state]);
        state = next_subset(state, ranks);
    } while (state != 0);
    return node;
}

}  // namespace

Network parse_network(const std::string& text) {
    json::Value document;
    try {
        document = json::parse(text);
    } catch (const json::ParseError& error) {
        throw InputError(std::string("not JSON: ") + error.what());
    }
    const json::Object* input = document.as<json::Object>();
    if (!input) throw InputError("not a JSON object");

    Network network;
    const json::Array& state = array(member(*input, "state"), "state");
    check_state_length(*input, state.size());
    const std::size_t size = check_size(*input, state.size());
    for (std::size_t i = 0; i < size; ++i) {
        if (zero_or_one(state[i], at("state", i))) network.state |= single(static_cast<int>(i));
    }
    const std::vector<NodeSet> connected = read_connections(*input, size);
    network.tpm = read_tpm(*input, size);
    for (std::size_t i = 0; i < size; ++i) {
        const bool on_now = (network.state & single(static_cast<int>(i))) != 0;
        network.nodes.push_back(make_node(network.tpm, size, i, connected[i], on_now));
    }
    network.warnings = warnings_about(network);
    return network;
}

Network read_network(const std::string& path) {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
    if (!file) throw InputError(std::string("cannot be opened: ") + std::strerror(errno));
    std::string text;
    char block[1 << 16];
    while (std::size_t length = std::fread(block, 1, sizeof block, file.get())) {
        if (text.size() < kLargeFile && text.size() + length >= kLargeFile) announce("Reading " + path + "...");
        text.append(block, length);
    }
    if (std::ferror(file.get())) throw InputError(std::string("cannot be read: ") + std::strerror(errno));
    return parse_network(text);
}

}  // namespace iit
