#include "transport.hpp"

#define LEMON_ONLY_TEMPLATES  // headers only; nothing to link
#include <lemon/hypercube_graph.h>
#include <lemon/maps.h>
#include <lemon/network_simplex.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <stdexcept>

#include "network.hpp"

namespace iit {
namespace {

// The solver is exact for integers only. A probability becomes a multiple of 2^-56: that keeps all bits of
// probabilities from 1/16 on, and the cost of moving everything across 20 nodes fits into 64 bits.
using Amount = std::int64_t;
constexpr double kUnits = 0x1p56;

// The states of n nodes are the corners of a hypercube, and its edges join states that differ in one node. So a move
// between two states is a path, each step costs 1, and the problem needs n * 2^n arcs instead of 4^n.
class Cube {
  public:
    explicit Cube(int nodes) : corners_(nodes), supply_(corners_), solver_(corners_) {
        solver_.costMap(lemon::ConstMap<Graph::Arc, Amount>(1));
    }

    double solve(const double* from, const double* to) {
        Amount rest = 0;
        for (int state = 0; state < corners_.nodeNum(); ++state) {
            const Amount surplus = amount(from[state]) - amount(to[state]);
            supply_[corners_(state)] = surplus;
            rest += surplus;
        }
        supply_[corners_(0)] -= rest;  // some units of 2^-56 remain of rounding; supply and demand must be equal
        if (solver_.supplyMap(supply_).run() != Solver::OPTIMAL)
            throw std::logic_error("a transport problem has no solution");
        return static_cast<double>(solver_.totalCost<Amount>()) / kUnits;
    }

  private:
    using Graph = lemon::HypercubeGraph;
    using Solver = lemon::NetworkSimplex<Graph, Amount, Amount>;

    static Amount amount(double probability) { return std::llround(probability * kUnits); }

    Graph corners_;  // corner k is state k
    Graph::NodeMap<Amount> supply_;
    Solver solver_;
};

int log2(std::size_t size) { return __builtin_ctzll(size); }

}  // namespace

double transport_cost(const double* from, const double* to, std::size_t size) {
    thread_local std::array<std::unique_ptr<Cube>, kMostNodes + 1> cubes;
    std::unique_ptr<Cube>& cube = cubes[static_cast<std::size_t>(log2(size))];
    if (!cube) cube = std::make_unique<Cube>(log2(size));
    return cube->solve(from, to);
}

}  // namespace iit
