// watch.hpp: a thread that compares the resident memory of the process with the account of its caches, all the time.
#pragma once

#include <atomic>
#include <string>
#include <thread>

#include "caches.hpp"

namespace soak {

// Whether the resident size of the process says something about the caches: sanitizers keep what is freed.
#ifdef PHICACHE_SANITIZED
constexpr bool MEASURES_RESIDENT = false;
#else
constexpr bool MEASURES_RESIDENT = true;
#endif

// The resident bytes of this process, by the system's figures.
std::uint64_t resident();
// The same, after the allocator has returned what it keeps of freed memory: the library never makes it do so.
std::uint64_t resident_without_caches();

// Checks that the process occupies no more than at the baseline, when all caches are `empty`: cleared, or freed.
void check_baseline(const char *empty, std::uint64_t baseline);

class Watch {
public:
    // `baseline` is what the process occupies without caches; 0 checks nothing of it.
    Watch(const Caches &caches, std::uint64_t baseline);
    ~Watch() { stop(); }
    void stop();

    // What the system counts is at most 1.5 times what the entries take. Nothing else uses the caches.
    void check_steady();
    // The figures so far, for people.
    std::string text() const;

private:
    void look();

    const Caches &caches_;
    std::uint64_t baseline_;
    std::uint64_t looks_ = 0;
    double over_account_ = 0, over_limit_ = 0, live_ = 0, accounted_ = 0, occupied_ = 0;
    std::atomic<bool> over_{false};
    std::thread thread_;
};

}  // namespace soak
