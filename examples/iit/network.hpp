// The network under analysis: how many nodes, which connections, what each node does next, and the current state.
//
// A node's transition probabilities are kept as a table over the states of those nodes only that it is connected to and
// depends on: everything else has been averaged out. All later questions (with whatever connections a cut severs) average
// this table further, always in the same order, so that equal questions have bit for bit equal answers.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "nodes.hpp"

namespace iit {

// More nodes than this are refused: the number of partitions to try grows by a factor of nine with every node.
constexpr int kMostNodes = 20;

struct Node {
    NodeSet connected = 0;        // the nodes that are connected to this one
    NodeSet inputs = 0;           // those of them that make a difference to it
    std::vector<double> on;       // P(this node is ON next), by the state of its inputs
    std::vector<double> current;  // P(this node takes the state it has now), by the previous state of its inputs
};

struct Network {
    std::vector<Node> nodes;
    NodeSet state = 0;        // the nodes that are ON now
    std::vector<double> tpm;  // 2^n rows of n, as read

    int size() const { return static_cast<int>(nodes.size()); }
    NodeSet all() const { return first_nodes(size()); }
};

// What is wrong with an input, in one line.
struct InputError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Reads a network from JSON text: `tpm` (2^n rows of n probabilities, row i for the state whose node k is bit k of i),
// `state`, and optionally `cm` (cm[a][b] is 1 for a connection a -> b; all of them without it). Unknown members are ignored.
Network parse_network(const std::string& text);

Network read_network(const std::string& path);

}  // namespace iit
