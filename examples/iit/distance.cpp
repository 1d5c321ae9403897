#include "distance.hpp"

#include <cmath>

#include "transport.hpp"

namespace iit {
namespace {

double sum_of_differences(const double* a, const double* b, std::size_t size) {
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += std::fabs(a[i] - b[i]);
    return sum;
}

// The same for the probabilities that each node is ON.
double sum_of_marginal_differences(const double* a, const double* b, std::size_t size) {
    double sum = 0;
    for (std::size_t node = 1; node < size; node *= 2) {
        double difference = 0;
        for (std::size_t state = 0; state < size; ++state) {
            if (state & node) difference += a[state] - b[state];
        }
        sum += std::fabs(difference);
    }
    return sum;
}

}  // namespace

double distance(Measure measure, Direction direction, const double* a, const double* b, std::size_t size) {
    if (measure == Measure::l1) return round_phi(sum_of_differences(a, b, size));
    if (direction == Direction::effect) return round_phi(sum_of_marginal_differences(a, b, size));
    return round_phi(transport_cost(a, b, size));
}

bool is_expensive(Measure measure, Direction direction) {
    return measure == Measure::emd && direction == Direction::cause;
}

double round_phi(double value) {
    const double millionths = std::nearbyint(value * 1e6 * 0x1p20) * 0x1p-20;
    return std::nearbyint(millionths) / 1e6;
}

}  // namespace iit
