#include "cut.hpp"

namespace iit {

std::vector<Cut> all_cuts(NodeSet nodes) {
    std::vector<Cut> cuts;
    for (NodeSet from = next_subset(0, nodes); from != nodes; from = next_subset(from, nodes)) {
        cuts.push_back({from, nodes & ~from});
    }
    return cuts;
}

Connections::Connections(const Network& network, const Cut* cut) {
    for (int node = 0; node < network.size(); ++node) {
        const NodeSet connected = network.nodes[static_cast<std::size_t>(node)].connected;
        const bool loses = cut && (cut->to & single(node));
        left_.push_back(loses ? connected & ~cut->from : connected);
    }
}

bool Connections::reducible(Direction direction, NodeSet mechanism, NodeSet purview) const {
    const NodeSet sources = direction == Direction::cause ? purview : mechanism;
    const NodeSet targets = direction == Direction::cause ? mechanism : purview;
    // Search from one target along the connections, in both directions, until no new node is found.
    NodeSet reached_targets = single(lowest(targets));
    NodeSet reached_sources = 0;
    for (NodeSet before = 0; before != reached_targets;) {
        before = reached_targets;
        for_each_node(reached_targets, [&](int target) { reached_sources |= connected_to(target) & sources; });
        for_each_node(targets, [&](int target) {
            if (connected_to(target) & reached_sources) reached_targets |= single(target);
        });
    }
    return reached_sources != sources || reached_targets != targets;
}

}  // namespace iit
