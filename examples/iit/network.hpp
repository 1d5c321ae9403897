// The network under analysis: its nodes, connections, transition probabilities and current state.
//
// The transition probabilities of a node are a table over the states of the nodes that it is connected to and depends
// on; all other nodes are averaged out. All later computations, also under cuts, average this table further, always in
// the same order, so that equal computations have bitwise equal results.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "nodes.hpp"

namespace iit {

// The maximum number of nodes: the number of partitions grows by a factor of nine with every node.
constexpr int kMostNodes = 20;

struct Node {
    NodeSet connected = 0;        // the nodes that are connected to this one
    NodeSet inputs = 0;           // those of them that it depends on
    std::vector<double> on;       // P(this node is ON next), by the state of its inputs
    std::vector<double> current;  // P(this node takes the state it has now), by the previous state of its inputs
};

struct Network {
    std::vector<Node> nodes;
    NodeSet state = 0;        // the nodes that are ON now
    std::vector<double> tpm;  // 2^n rows of n, as read
    std::vector<std::string> warnings;  // what is allowed but probably a mistake

    int size() const { return static_cast<int>(nodes.size()); }
    NodeSet all() const { return first_nodes(size()); }
};

// An error in the input; what() is one line.
struct InputError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Reads a network from JSON text: `tpm` (2^n rows of n probabilities; row i is for the state in which node k is bit k
// of i), `state`, and optionally `cm` (cm[a][b] is 1 for a connection a -> b; without cm all nodes are connected).
// Unknown members are ignored, but one that is probably meant for a missing one ("CM") is an error.
Network parse_network(const std::string& text);

Network read_network(const std::string& path);

}  // namespace iit
