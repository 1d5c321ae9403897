// machine.hpp: what the harness needs from the machine: time, cores, threads that start together, memory, processes.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace bench {

// Nanoseconds of a monotonic clock.
std::int64_t now();

// The cores this process may use, and the one the calling thread is bound to.
const std::vector<int> &cores();
void pin(int core);

// Runs `body(thread)` in several threads that start together, each on its own core if there are enough. Returns the
// nanoseconds from the first start to the last end.
std::int64_t run_together(std::size_t threads, const std::function<void(std::size_t)> &prepare,
                          const std::function<void(std::size_t)> &body);

// Bytes: of physical memory that this process occupies, and in large pages; that are available; and that malloc has
// allocated.
std::int64_t resident();
std::int64_t in_large_pages();
std::int64_t available();
std::int64_t allocated();

// The result of `body` in a child process with a fresh heap.
std::vector<double> in_child(const std::function<std::vector<double>()> &body);

}  // namespace bench
