// The transport problem behind the earth mover's distance, solved by LEMON's network simplex.
#pragma once

#include <cstddef>

namespace iit {

// The least work that turns the distribution `from` into `to`, both over the 2^n states of n nodes: moving probability
// p from a state to another costs p times the number of nodes in which the two differ (their Hamming distance). Each
// thread keeps its own solvers, so threads never wait for each other here.
double transport_cost(const double* from, const double* to, std::size_t size);

}  // namespace iit
