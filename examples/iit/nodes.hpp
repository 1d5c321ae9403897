// Sets of nodes as 64-bit masks: bit k is node k.
//
// Subsets have two orders: "by size" (the order of mechanisms and purviews, which breaks ties) and "as numbers" (the
// numbers of the states of a purview).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace iit {

using NodeSet = std::uint64_t;

inline NodeSet single(int node) { return NodeSet{1} << node; }

// The set of nodes 0 to count - 1.
inline NodeSet first_nodes(int count) { return count >= 64 ? ~NodeSet{0} : (NodeSet{1} << count) - 1; }

inline int count(NodeSet nodes) { return __builtin_popcountll(nodes); }

// The lowest node of a nonempty set.
inline int lowest(NodeSet nodes) { return __builtin_ctzll(nodes); }

// The number of states of a set of binary nodes.
inline std::size_t states(NodeSet nodes) { return std::size_t{1} << count(nodes); }

// Calls visit(node) for each node in ascending order.
template <class Visit>
void for_each_node(NodeSet nodes, Visit&& visit) {
    for (; nodes != 0; nodes &= nodes - 1) visit(lowest(nodes));
}

// The subset of `set` that follows `subset` in the order as numbers; the empty set follows the last.
inline NodeSet next_subset(NodeSet subset, NodeSet set) { return (subset - set) & set; }

// Renumbers the members of `nodes` by their rank within `set`: the state of `nodes` in a table over the states of
// `set`. All members of `nodes` must be in `set`.
inline NodeSet rank_within(NodeSet nodes, NodeSet set) {
    NodeSet ranks = 0;
    for (NodeSet rank = 1; set != 0; rank <<= 1, set &= set - 1) {
        if (nodes & set & (~set + 1)) ranks |= rank;
    }
    return ranks;
}

// Whether `a` comes before `b` in the order by size; subsets of equal size are ordered as sorted lists of nodes.
inline bool precedes(NodeSet a, NodeSet b) {
    if (count(a) != count(b)) return count(a) < count(b);
    NodeSet difference = a ^ b;
    return (a & difference & (~difference + 1)) != 0;
}

// All nonempty subsets of `set`, by size.
inline std::vector<NodeSet> subsets_by_size(NodeSet set) {
    std::vector<NodeSet> subsets;
    subsets.reserve(states(set) - 1);
    for (NodeSet subset = next_subset(0, set); subset != 0; subset = next_subset(subset, set))
        subsets.push_back(subset);
    std::sort(subsets.begin(), subsets.end(), precedes);
    return subsets;
}

}  // namespace iit
