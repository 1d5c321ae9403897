// phases.hpp: the ways of using the caches that the stress program goes through, one after the other, with fresh caches.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "worker.hpp"

namespace stress {

// A configuration under which memory never refuses a value, whatever else runs on the machine.
class Unlimited {
public:
    Unlimited();
    ~Unlimited();
    Unlimited(const Unlimited &) = delete;
    Unlimited &operator=(const Unlimited &) = delete;
    phicache_config *handle() const { return handle_; }

private:
    phicache_config *handle_ = nullptr;
};

// Runs `work` on so many threads at once, each with its worker, and two more that end leases and release pins; when all
// are through, what is left of those is ended and released. Answers what the threads saw of each cache, by its place.
std::array<Tally, places> run_workers(Phase &phase, unsigned threads, std::uint64_t seed,
                                      const std::function<void(Worker &)> &work);

// The same over all phases so far, and over all caches of a phase.
const Tally &seen_in_all();

// Failing, slow, nested and circular computations, leases, lookups: all counts are exact at the end. Without circles no
// key is computed twice.
void counted(unsigned threads, std::uint64_t seed, bool circles);

// Threads that meet in circles on purpose, through several caches. Where values are removed in the midst of it, none comes
// too late; otherwise all counts are exact.
void circles(unsigned threads, std::uint64_t seed, bool removals);

// All that, while caches are cleared, emptied, switched off and made: no value is wrong or comes too late.
void upheaval(unsigned threads, std::uint64_t seed);

// Children of a parent that is cleared and filled again and again: nothing is taken away from them.
void inheritance(unsigned threads, std::uint64_t seed);

}  // namespace stress
