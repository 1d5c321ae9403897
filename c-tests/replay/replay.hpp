// replay.hpp: a trace done again through the C API, and compared; or done again against the clock.
#pragma once

#include <cstdint>
#include <string>

#include "trace.hpp"

namespace replay {

// Counts comparisons, and prints the first differences of each trace on standard error.
class Report {
public:
    // What follows is about this trace, which was read from this file.
    void begin(const std::string &file);
    void check(bool agrees, std::uint64_t line, const char *what, const std::string &actual,
               const std::string &expected);
    void number(std::uint64_t line, const char *what, std::uint64_t actual, std::uint64_t expected);
    void status(std::uint64_t line, const char *what, phicache_status actual, phicache_status expected);

    std::uint64_t checks = 0, differences = 0;

private:
    std::string file_;
    std::uint64_t shown_ = 0;
};

void replay_checked(const Trace &trace, Report &report);

struct Timing {
    std::uint64_t operations = 0, rounds = 0;
    double best = 0, median = 0;  // nanoseconds per operation
};

// Replays only what the recorded program did (new, get, set, clear), several times, each time into new caches.
// That each get and set had the recorded outcome is one check per round.
Timing replay_timed(const Trace &trace, Report &report);

}  // namespace replay
