// locked.hpp: a map for one thread behind a std::shared_mutex, the usual way to share it.
#pragma once

#include <mutex>
#include <shared_mutex>
#include <string_view>

namespace bench {

template <class Map>
class Locked {
public:
    using Value = typename Map::Value;
    static constexpr bool thread_safe = true;

    void set(std::string_view key, Value value) {
        const std::unique_lock lock(mutex_);
        map_.set(key, std::move(value));
    }
    template <class Look>
    bool look(std::string_view key, Look &&look) {
        const std::shared_lock lock(mutex_);
        return map_.look(key, look);
    }

private:
    std::shared_mutex mutex_;
    Map map_;
};

// The verbs of a map with the interface of std::unordered_map; `Container` has keys of std::string, values of
// Counted.
template <class Container>
class Plain {
public:
    using Value = typename Container::mapped_type;
    static constexpr bool thread_safe = false;

    void set(std::string_view key, Value value) {
        const auto place = map_.find(key);
        if (place != map_.end()) place->second = std::move(value);
        else map_.emplace(key, std::move(value));
    }
    template <class Look>
    bool look(std::string_view key, Look &&look) {
        const auto place = map_.find(key);
        if (place == map_.end()) return false;
        look(place->second);
        return true;
    }

private:
    Container map_;
};

}  // namespace bench
