// rounds.hpp: measurements interleaved round by round, so that disturbances affect all contenders alike, and their
// medians and percentiles, of each contender and of the ratios within the rounds.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace bench {

struct Spread {
    double median, low, high;  // 10th and 90th percentile
};

Spread spread(std::vector<double> numbers);

// The results of each contender, one for each round; a contender may leave after some rounds.
using Rounds = std::vector<std::vector<double>>;

// Calls `measure(contender, round)` for all contenders, beginning with a different one in every round.
Rounds interleave(std::size_t contenders, std::size_t rounds,
                  const std::function<double(std::size_t, std::size_t)> &measure);

// The first contender's number divided by another's, within each round.
Spread ratio(const Rounds &rounds, std::size_t contender);

}  // namespace bench
