// report.hpp: reports and counts failures, from any thread.
#pragma once

#include <cstdint>

namespace stress {

// Prints one line and counts a failure; the twentieth failure ends the program.
[[gnu::format(printf, 1, 2)]] void fail(const char *format, ...);

std::uint64_t failures();

// Counted, so that a run that checked nothing fails.
inline thread_local std::uint64_t checks_of_thread = 0;

// `expect(holds, format, ...)` reports a failure, formatted as by printf, if `holds` is false.
template <class... Arguments>
bool expect(bool holds, const char *format, Arguments... arguments) {
    ++checks_of_thread;
    if (!holds) fail(format, arguments...);
    return holds;
}

// Adds this thread's checks to those of the program.
void add_checks();
std::uint64_t checks();

}  // namespace stress
