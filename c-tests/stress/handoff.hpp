// handoff.hpp: what threads hand off to each other: pinned values to release, and leases to end.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "caches.hpp"
#include "random.hpp"

namespace stress {

// A pinned value. It may outlive its entry and its cache.
struct Pin {
    std::shared_ptr<Cache> cache;
    unsigned key;
    phicache_value value;
};

// A lease that another thread ends.
struct Begun {
    std::shared_ptr<Cache> cache;
    unsigned key;
    Stamp stamp;
    phicache_lease *lease;
};

// A bag of things, taken out in random order by any thread.
template <class Thing>
class Bag {
public:
    void put(Thing thing) {
        const std::lock_guard<std::mutex> guard(lock_);
        things_.push_back(std::move(thing));
    }
    std::optional<Thing> take(Random &random) {
        const std::lock_guard<std::mutex> guard(lock_);
        if (things_.empty()) return std::nullopt;
        std::swap(things_[random.below(things_.size())], things_.back());
        Thing thing = std::move(things_.back());
        things_.pop_back();
        return thing;
    }
    std::size_t size() const {
        const std::lock_guard<std::mutex> guard(lock_);
        return things_.size();
    }

private:
    mutable std::mutex lock_;
    std::vector<Thing> things_;
};

struct Handoff {
    Bag<Pin> pins;
    Bag<Begun> leases;
};

}  // namespace stress
