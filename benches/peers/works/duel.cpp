#include "duel.hpp"

#include <algorithm>

#include "../machine.hpp"

namespace bench {

void measure_duel(Session &session, const Subject &subject, const Side &first, const Side &second) {
    constexpr std::size_t TRIAL = 1'000;
    const Side *const sides[] = {&first, &second};
    std::size_t operations[2];
    for (std::size_t i = 0; i < 2; i++) {
        sides[i]->run(TRIAL);
        const std::int64_t start = now();
        sides[i]->run(TRIAL);
        const double each = static_cast<double>(now() - start) / TRIAL;
        operations[i] = std::max(TRIAL, static_cast<std::size_t>(session.options.slice_ms * 1e6 / each));
    }
    const Rounds rounds = interleave(2, session.options.rounds, [&](std::size_t i, std::size_t) {
        sides[i]->run(TRIAL);
        const std::int64_t start = now();
        sides[i]->run(operations[i]);
        return static_cast<double>(now() - start) / static_cast<double>(operations[i]);
    });
    session.report.add(subject, {{first.name, true}, {second.name, true}}, rounds);
}

}  // namespace bench
