// analysis.hpp: the analysis of examples/iit with the caches of a program written by hand: distances between
// repertoires, repertoires, and MICE. One analysis.cpp is compiled for each store (stores/), so the programs differ in
// nothing else.
#pragma once

#include <vector>

#include "cut.hpp"
#include "distance.hpp"
#include "network.hpp"

namespace bench {

using iit::Cut;
using iit::Direction;
using iit::NodeSet;

// The maximally irreducible cause or effect of a mechanism.
struct Mice {
    Direction direction;
    NodeSet mechanism;
    NodeSet purview;
    double phi;
};

struct Result {
    std::vector<Mice> mice;    // cause and effect of every mechanism
    std::vector<double> cuts;  // phi of every cut
    double phi = 0;
};

// All caches are made and destroyed within the call.
Result analyse(const iit::Network& network, iit::Measure measure, int threads);

}  // namespace bench
