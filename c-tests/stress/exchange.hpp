// exchange.hpp: what threads hand to each other: pinned values to be released, and leases to be ended.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "caches.hpp"
#include "random.hpp"

namespace stress {

// A value that outlives its entry, and perhaps its cache.
struct Pin {
    std::shared_ptr<Cache> cache;
    unsigned key;
    phicache_value value;
};

// A computation that somebody is to end.
struct Begun {
    std::shared_ptr<Cache> cache;
    unsigned key;
    Stamp stamp;
    phicache_lease *lease;
};

// A bag from which whoever comes takes what chance gives.
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

struct Exchange {
    Bag<Pin> pins;
    Bag<Begun> leases;
};

}  // namespace stress
