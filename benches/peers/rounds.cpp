#include "rounds.hpp"

#include <algorithm>
#include <cmath>

namespace bench {

namespace {

double percentile(const std::vector<double> &sorted, double part) {
    const double place = part * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (sorted[above] - sorted[below]) * (place - std::floor(place));
}

}  // namespace

Spread spread(std::vector<double> numbers) {
    if (numbers.empty()) return {NAN, NAN, NAN};
    std::sort(numbers.begin(), numbers.end());
    return {percentile(numbers, 0.5), percentile(numbers, 0.1), percentile(numbers, 0.9)};
}

Rounds interleave(std::size_t contenders, std::size_t rounds,
                  const std::function<double(std::size_t, std::size_t)> &measure) {
    Rounds numbers(contenders);
    for (std::size_t round = 0; round < rounds; round++)
        for (std::size_t turn = 0; turn < contenders; turn++) {
            const std::size_t contender = (round + turn) % contenders;
            numbers[contender].push_back(measure(contender, round));
        }
    return numbers;
}

Spread ratio(const Rounds &rounds, std::size_t contender) {
    std::vector<double> ratios;
    for (std::size_t round = 0; round < std::min(rounds[0].size(), rounds[contender].size()); round++)
        ratios.push_back(rounds[0][round] / rounds[contender][round]);
    return spread(ratios);
}

}  // namespace bench
