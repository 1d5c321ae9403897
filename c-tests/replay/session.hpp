// session.hpp: one run of a trace: a configuration, its subsystems, and the caches made so far.
//
// A checked replay and a timed one do the same things to it; only what they look at afterwards differs.
#pragma once

#include <memory>
#include <vector>

#include "caches.hpp"

namespace replay {

class Session {
public:
    explicit Session(const Trace &trace);
    ~Session();
    Session(const Session &) = delete;
    Session &operator=(const Session &) = delete;

    // A `C` line: makes the cache. When this fails the cache stays absent.
    phicache_status create(const Operation &operation);
    // An `F` line: tries to make a MICE cache that must be rejected, and drops it if it was made.
    phicache_status reject(const Operation &operation);
    // A `P` line. A refusal for a reason outside the cache is brought about by the configuration, for this set alone.
    phicache_status set(const Operation &operation);

    // Null if the cache could not be made.
    Cache *cache(std::uint32_t id) { return caches_[id].get(); }
    phicache_subsystem *subsystem(std::uint32_t id) { return subsystems_[id]; }

private:
    Made make_mice_cache(Kind kind, std::uint32_t subsystem, std::uint32_t parent);

    const Trace &trace_;
    phicache_config *config_ = nullptr;
    std::vector<phicache_subsystem *> subsystems_;
    std::vector<std::unique_ptr<Cache>> caches_;
};

}  // namespace replay
