#include "repertoires.hpp"

namespace iit {
namespace {

// The sum of a node's table over all states of `free`, with the other inputs in state `fixed`.
double sum_over(const std::vector<double>& table, NodeSet fixed, NodeSet free) {
    double sum = 0;
    NodeSet state = 0;
    do {
        sum += table[fixed | state];
        state = next_subset(state, free);
    } while (state != 0);
    return sum;
}

}  // namespace

void single_node_cause(const Network& network, const Connections& connections, int node, NodeSet purview, double* out) {
    const Node& table = network.nodes[static_cast<std::size_t>(node)];
    const NodeSet relevant = table.inputs & connections.connected_to(node) & purview;
    const NodeSet kept = rank_within(relevant, table.inputs);
    const NodeSet free = rank_within(table.inputs & ~relevant, table.inputs);
    const NodeSet kept_in_purview = rank_within(relevant, purview);
    const double averaged = static_cast<double>(states(free));

    // The states of the relevant nodes, numbered as states of the inputs and as states of the purview.
    NodeSet input_state = 0;
    NodeSet purview_state = 0;
    do {
        out[purview_state] = sum_over(table.current, input_state, free) / averaged;
        input_state = next_subset(input_state, kept);
        purview_state = next_subset(purview_state, kept_in_purview);
    } while (input_state != 0);

    for (NodeSet state = 0; state < states(purview); ++state) out[state] = out[state & kept_in_purview];
}

void single_node_effect(const Network& network, const Connections& connections, NodeSet mechanism, int node,
                        double* out) {
    const Node& table = network.nodes[static_cast<std::size_t>(node)];
    const NodeSet relevant = table.inputs & connections.connected_to(node) & mechanism;
    const NodeSet fixed = rank_within(relevant & network.state, table.inputs);
    const NodeSet free = rank_within(table.inputs & ~relevant, table.inputs);
    const double on = sum_over(table.on, fixed, free) / static_cast<double>(states(free));
    out[0] = 1 - on;
    out[1] = on;
}

void normalize(double* values, std::size_t size) {
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += values[i];
    if (sum == 0) return;
    for (std::size_t i = 0; i < size; ++i) values[i] /= sum;
}

void multiply(NodeSet whole, const double* first, NodeSet first_part, const double* second, NodeSet second_part,
              double* out) {
    const NodeSet first_ranks = rank_within(first_part, whole);
    const NodeSet second_ranks = rank_within(second_part, whole);
    NodeSet first_state = 0;
    do {
        const double factor = *first++;
        const double* other = second;
        NodeSet second_state = 0;
        do {
            out[first_state | second_state] = factor * *other++;
            second_state = next_subset(second_state, second_ranks);
        } while (second_state != 0);
        first_state = next_subset(first_state, first_ranks);
    } while (first_state != 0);
}

}  // namespace iit
