// phases.hpp: the phases of the stress program. They run one after the other, each with caches of its own.
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

// Runs `work` on `threads` threads at once, each with its own worker, while two more threads end leases and release
// pins. When all workers are done, the remaining leases are ended and the remaining pins released. Returns what the
// threads observed of each cache, by the cache's index.
std::array<Observed, most_caches> run_workers(Phase &phase, unsigned threads, std::uint64_t seed,
                                      const std::function<void(Worker &)> &work);

// The sum over all caches of all phases so far.
const Observed &seen_in_all();

// Failing, slow, nested and circular computations, leases, lookups: all counts are exact at the end. Without wait
// cycles no key is computed twice.
void exact_counts(unsigned threads, std::uint64_t seed, bool wait_cycles);

// Threads that wait for each other in cycles on purpose, through several caches. With `removals`, values are removed
// meanwhile, and no removed value may come back; without, all counts are exact at the end.
void wait_cycles(unsigned threads, std::uint64_t seed, bool removals);

// All of it while caches are created, cleared, switched off and freed: no value is wrong, and no cleared value comes
// back.
void churn(unsigned threads, std::uint64_t seed);

// Children of a parent that is cleared and refilled repeatedly: they keep what they inherited.
void inheritance(unsigned threads, std::uint64_t seed);

}  // namespace stress
