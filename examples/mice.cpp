// The MICE of a system and of its cuts: what a cut leaves alone is computed once, for the uncut system.
//
// A MICE (maximally irreducible cause or effect) is the purview, a set of nodes, that a mechanism, another set of
// nodes, constrains most. A cut severs connections. The cache of a cut system is a child of the uncut one's: it
// inherits each MICE that its cut does not damage. Making a child copies nothing, so every cut can have one.
//
// It prints
//
//     uncut: 14 MICE computed
//     outputs of node 0 cut: 4 of 14 inherited
//     outputs of node 1 cut: 5 of 14 inherited
//     outputs of node 2 cut: 5 of 14 inherited

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <phicache.hpp>
#include <vector>

namespace {

using phicache::direction;
using phicache::node_set;

// Three nodes: 0 copies node 2, 1 copies node 0, and 2 is the AND of both. The targets of each node:
const std::vector<node_set> connections{{1, 2}, {2}, {0}};

// Stands for the search over all purviews and partitions (examples/iit has it): the nodes that the mechanism is
// connected with, and a φ (how irreducible that is) which is their number.
phicache::mice<> find_mice(direction dir, node_set mechanism, const std::optional<phicache::cut>& severed) {
    node_set purview;
    for (int from : node_set::first(3)) {
        const auto row = static_cast<std::size_t>(from);
        for (int to : severed ? connections[row] - severed->severed(row) : connections[row]) {
            if (dir == direction::effect && mechanism.contains(from)) purview.insert(to);
            if (dir == direction::cause && mechanism.contains(to)) purview.insert(from);
        }
    }
    return {dir, mechanism, purview, static_cast<double>(purview.size())};
}

// Asks the cache for the MICE of all mechanisms; returns how many it inherited.
int count_inherited(phicache::mice_cache& cache, const std::optional<phicache::cut>& severed) {
    int inherited = 0;
    for (std::uint64_t mask = 1; mask < 8; ++mask) {
        for (direction dir : {direction::cause, direction::effect}) {
            const node_set mechanism = node_set::from_mask(mask);
            const auto compute = [&] { return find_mice(dir, mechanism, severed); };
            const phicache::pinned_mice found = cache.memoize(phicache::mice_key(nullptr, dir, mechanism), compute);
            if (found.purview() != compute().purview) std::puts("a cache must not change a result");
            if (found.pinned().origin() == phicache::origin::parent) ++inherited;
        }
    }
    return inherited;
}

}  // namespace

int main() {
    // What the results depend on: the transition probabilities, the connections, and how they are computed.
    std::vector<double> tpm;
    for (int state = 0; state < 8; ++state) {
        for (bool on : {(state & 4) != 0, (state & 1) != 0, (state & 3) == 3}) tpm.push_back(on);
    }
    const auto identity = phicache::fingerprint::of_network(tpm, connections, "examples/mice.cpp, version 1");
    const phicache::subsystem uncut(identity, {1, 0, 0}, node_set::first(3), connections);
    phicache::mice_cache whole(uncut);
    count_inherited(whole, {});
    std::printf("uncut: %d MICE computed\n", static_cast<int>(whole.info().misses));

    for (int node : uncut.nodes()) {
        const auto severed = phicache::cut::bipartition(3, {node}, uncut.nodes() - node_set{node});
        phicache::mice_cache part(uncut.under(severed), &whole);  // its parent is the cache of the uncut system
        std::printf("outputs of node %d cut: %d of 14 inherited\n", node, count_inherited(part, severed));
    }
}
