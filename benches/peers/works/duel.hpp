// duel.hpp: phicache against itself: one thing that it does beside another.
#pragma once

#include <functional>
#include <string>

#include "works.hpp"

namespace bench {

struct Side {
    std::string name;
    std::function<void(std::size_t)> run;  // does so many operations
};

// Nanoseconds per operation of both, interleaved; the ratio is the first's to the second's.
void measure_duel(Session &session, const Subject &subject, const Side &first, const Side &second);

}  // namespace bench
