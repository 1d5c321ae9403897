// session.hpp: one run of a trace: a configuration, its subsystems, and the caches created so far. Checked and timed
// replays use it in the same way.
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

    // A `C` line: creates the cache. If that fails, there is no cache.
    phicache_status create(const Operation &operation);
    // An `F` line: tries to create a MICE cache that must be rejected, and frees it if it was created.
    phicache_status reject(const Operation &operation);
    // A `P` line. If the reason of a refusal is outside the cache, the configuration is changed for this set only.
    phicache_status set(const Operation &operation);

    // Null if the cache could not be created.
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
