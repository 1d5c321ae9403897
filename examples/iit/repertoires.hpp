// Cause and effect repertoires: steps 1 and 2 of the algorithm, without caches.
//
// A repertoire over a purview P is an array of 2^|P| doubles; bit r of an index is the state of the purview node with
// rank r. All functions write into arrays of the caller.
#pragma once

#include <cstddef>

#include "cut.hpp"
#include "network.hpp"

namespace iit {

// P(current state of `node` | previous state), as a function of the 2^|purview| states of the purview.
void single_node_cause(const Network& network, const Connections& connections, int node, NodeSet purview, double* out);

// P(next state of `node` | current state of the mechanism), for the states OFF and ON: two numbers.
void single_node_effect(const Network& network, const Connections& connections, NodeSet mechanism, int node,
                        double* out);

// Scales an array to the sum 1, unless it is zero everywhere.
void normalize(double* values, std::size_t size);

// A repertoire over `whole` from those over two disjoint parts of it.
void multiply(NodeSet whole, const double* first, NodeSet first_part, const double* second, NodeSet second_part,
              double* out);

}  // namespace iit
