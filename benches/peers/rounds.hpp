// rounds.hpp: measurements that are interleaved round by round, so that whatever the machine does meets all alike, and what
// is made of them: medians and percentiles, of each contender and of the ratios within the rounds.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace bench {

struct Spread {
    double median, low, high;  // 10th and 90th percentile
};

Spread spread(std::vector<double> numbers);

// Of each contender the number that each round gave; a contender may leave after some rounds.
using Rounds = std::vector<std::vector<double>>;

// Asks `measure(contender, round)` of all contenders, another one first in every round.
Rounds interleave(std::size_t contenders, std::size_t rounds,
                  const std::function<double(std::size_t, std::size_t)> &measure);

// The first contender's number divided by another's, within each round.
Spread ratio(const Rounds &rounds, std::size_t contender);

}  // namespace bench
