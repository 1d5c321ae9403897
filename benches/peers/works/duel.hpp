// duel.hpp: phicache against itself: two of its operations.
#pragma once

#include <functional>
#include <string>

#include "works.hpp"

namespace bench {

struct Side {
    std::string name;
    std::function<void(std::size_t)> run;  // does this many operations
};

// Nanoseconds per operation of both, interleaved; the ratio is the first divided by the second.
void measure_duel(Session &session, const Subject &subject, const Side &first, const Side &second);

}  // namespace bench
