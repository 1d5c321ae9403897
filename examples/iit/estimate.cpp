#include "estimate.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "caches.hpp"
#include "cut.hpp"
#include "format.hpp"

namespace iit {
namespace {

// Up to this number of nodes all pairs of a mechanism and a purview are looked at; above, all count as connected.
constexpr int kMostCounted = 10;

// The seconds for one division and the number of its bytes in the cache of distances, as measured on one machine.
double seconds_for(Measure measure, Direction direction, double states) {
    return 1e-6 + (is_expensive(measure, direction) ? 0.1e-6 * states * std::log2(states) : 0.01e-6 * states);
}
double bytes_for(Measure measure, Direction direction, double states) {
    return is_expensive(measure, direction) ? 100 + 16 * states : 0;
}

// The number of subsets with `chosen` of `all` nodes.
double subsets(int all, int chosen) {
    double number = 1;
    for (int i = 1; i <= chosen; ++i) number = number * (all - chosen + i) / i;
    return number;
}

}  // namespace

Estimate estimate(const Network& network, Measure measure) {
    const int size = network.size();
    const Connections connections(network, nullptr);
    Estimate sum;
    sum.cuts = std::exp2(size) - 2;
    const auto add = [&](Direction direction, int mechanism, int purview, double pairs) {
        const double divisions = pairs * std::exp2(mechanism + purview - 1);
        sum.divisions += divisions;
        sum.seconds += divisions * seconds_for(measure, direction, std::exp2(purview));
        sum.bytes += divisions * bytes_for(measure, direction, std::exp2(purview));
    };
    for (const Direction direction : {Direction::cause, Direction::effect}) {
        if (size > kMostCounted) {
            for (int mechanism = 1; mechanism <= size; ++mechanism) {
                for (int purview = 1; purview <= size; ++purview)
                    add(direction, mechanism, purview, subsets(size, mechanism) * subsets(size, purview));
            }
            continue;
        }
        for (NodeSet mechanism = 1; mechanism <= network.all(); ++mechanism) {
            for (NodeSet purview = 1; purview <= network.all(); ++purview) {
                if (!connections.reducible(direction, mechanism, purview))
                    add(direction, count(mechanism), count(purview), 1);
            }
        }
    }
    sum.seconds *= 1 + sum.cuts;
    sum.bytes = std::min(sum.bytes, static_cast<double>(kMostDistanceBytes));
    return sum;
}

std::string in_words(const Network& network, const Estimate& estimate) {
    const auto whole = [](double number) { return grouped(static_cast<std::uint64_t>(std::min(number, 1e18))); };
    return std::to_string(network.size()) + " nodes have " + whole(estimate.cuts) + " cuts with up to " +
           whole(estimate.divisions) + " divisions each: up to " + duration_text(estimate.seconds) +
           " without caches, and up to " + whole(std::ceil(estimate.bytes / 1e6)) + " MB of distances in their cache";
}

}  // namespace iit
