// Distances between two repertoires over the same purview, which are small phi's measure of difference.
#pragma once

#include <cstddef>

#include "cut.hpp"

namespace iit {

enum class Measure {
    emd,  // PyPhi's default: the earth mover's distance
    l1,   // the sum of absolute differences
};

// The distance, rounded as round_phi does. With Measure::emd that of effect repertoires is the sum of the differences
// of the nodes' probabilities: effect repertoires are products over their nodes, so the transport problem has that
// cost.
double distance(Measure measure, Direction direction, const double* a, const double* b, std::size_t size);

// Whether computing the distance takes longer than finding it in a cache.
bool is_expensive(Measure measure, Direction direction);

// Rounds to six decimals. A value within 1e-12 of the middle between two is treated as the middle and rounded to even,
// so that the last bits of a sum make no difference.
double round_phi(double value);

}  // namespace iit
