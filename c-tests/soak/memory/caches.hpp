// caches.hpp: the caches that live for a round, and their limits.
//
// Three dict caches have a `max_bytes`, two share what is left below the process's limit. Beside them are a purview
// cache and a MICE cache, the parent of children that the workers make. All evict.
#pragma once

#include <phicache.hpp>

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "soak/values.hpp"

namespace soak {

constexpr std::uint64_t KIB = 1 << 10, MIB = 1 << 20;

struct Place {
    const char *name;
    std::uint64_t max_bytes;  // 0: the process's limit
    phicache::dict_cache cache;
    phicache::cache view = cache;
};

// The bytes of values that the program holds and that no cache has: they were refused, and are memory of the program.
class Uncached {
public:
    explicit Uncached(std::uint64_t bytes) : bytes_(bytes) { sum += bytes; }
    Uncached(Uncached &&other) noexcept : bytes_(std::exchange(other.bytes_, 0)) {}
    Uncached &operator=(Uncached &&other) noexcept {
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~Uncached() { sum -= bytes_; }
    static std::uint64_t all() { return sum; }

private:
    std::uint64_t bytes_;
    static inline std::atomic<std::uint64_t> sum{0};
};

// What all caches of a round take, by their own statistics.
struct Account {
    std::uint64_t bytes = 0, live_bytes = 0, evictions = 0, refused = 0, stores = 0, hits = 0, misses = 0;
};

class Caches {
public:
    // `room` is what caches may take in this process. `scale` multiplies it and the largest `max_bytes`.
    Caches(std::uint64_t room, unsigned scale);

    std::vector<Place> &places() { return places_; }
    phicache::purview_cache &purviews() { return purviews_; }
    phicache::mice_cache &mice() { return mice_; }
    const phicache::config &config() const { return config_; }
    const phicache::subsystem &uncut() const { return uncut_; }

    // The process's limit in bytes.
    std::uint64_t limit() const { return limit_; }
    // Switches the process's limit off and on.
    void set_limited(bool limited) { config_.settings().set_maximum_memory_percent(limited ? percent_ : 100); }

    // Checks that no cache exceeds its `max_bytes`, and adds all up.
    Account account() const;
    void clear();

private:
    phicache::config config_;
    double percent_ = 100;
    std::uint64_t limit_ = 0;
    std::vector<Place> places_;
    phicache::purview_cache purviews_;
    phicache::subsystem uncut_;
    phicache::mice_cache mice_;
};

}  // namespace soak
