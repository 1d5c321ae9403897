// replay.hpp: replays a trace through the C API and compares it, or measures its time.
#pragma once

#include <cstdint>
#include <string>

#include "trace.hpp"

namespace replay {

// Counts comparisons, and prints the first differences of each trace to standard error.
class Report {
public:
    // Begins the report on this trace, which was read from this file.
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

// Replays only the operations of the recorded program (new, get, set, clear), several times, each time with new caches.
// One check for each round: all gets and sets had the recorded outcome.
Timing replay_timed(const Trace &trace, Report &report);

}  // namespace replay
