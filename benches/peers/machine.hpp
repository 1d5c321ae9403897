// machine.hpp: what the harness asks of the machine: time, cores, threads that start together, memory, processes.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace bench {

// Nanoseconds of a clock that never goes back.
std::int64_t now();

// The cores this process may use, and the one the calling thread is bound to.
const std::vector<int> &cores();
void pin(int core);

// Runs `body(thread)` in so many threads, each on a core of its own as far as there are enough, all let go at once.
// Nanoseconds from the first start to the last end.
std::int64_t run_together(std::size_t threads, const std::function<void(std::size_t)> &prepare,
                          const std::function<void(std::size_t)> &body);

// Bytes: of physical memory that this process occupies, that are available, and that malloc has given out.
std::int64_t resident();
std::int64_t available();
std::int64_t allocated();

// What `body` answers in a child process, whose heap nobody used before.
std::vector<double> in_child(const std::function<std::vector<double>()> &body);

}  // namespace bench
