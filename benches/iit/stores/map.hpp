// map.hpp: caches written by hand with a map from std::string, which is asked with a std::string_view. BENCH_MAP
// chooses the map; with BENCH_SHARED each has a std::shared_mutex, so that several threads may use it.
#pragma once

#include <mutex>
#include <shared_mutex>
#include <string>
#include <utility>

#include "hash.hpp"
#include "keys.hpp"

#define BENCH_MAP_STD 1
#define BENCH_MAP_ABSL 2
#define BENCH_MAP_BOOST 3
#if BENCH_MAP == BENCH_MAP_STD
#include <unordered_map>
#elif BENCH_MAP == BENCH_MAP_ABSL
#include <absl/container/flat_hash_map.h>
#else
#include <boost/unordered/unordered_flat_map.hpp>
#endif

namespace store {

#if BENCH_MAP == BENCH_MAP_STD
template <class Value>
using Container = std::unordered_map<std::string, Value, Hash, Equal>;
#elif BENCH_MAP == BENCH_MAP_ABSL
template <class Value>
using Container = absl::flat_hash_map<std::string, Value, Hash, Equal>;
#else
template <class Value>
using Container = boost::unordered_flat_map<std::string, Value, Hash, Equal>;
#endif

#ifdef BENCH_SHARED
using Mutex = std::shared_mutex;
using Reading = std::shared_lock<Mutex>;
using Writing = std::lock_guard<Mutex>;
#else
struct Mutex {};
struct Reading {
    explicit Reading(Mutex&) {}
};
using Writing = Reading;
#endif

// The map, and its lock.
template <class Value>
class Map {
  public:
    // What `read` makes of the value, if the key has one.
    template <class Read>
    auto find(std::string_view key, const Read& read) const {
        [[maybe_unused]] const Reading reading(mutex_);
        const auto place = map_.find(key);
        return place == map_.end() ? decltype(read(place->second)){} : read(place->second);
    }
    // What `read` makes of the stored value: that of another thread, if one was faster.
    template <class Read>
    auto keep(std::string_view key, Value&& value, const Read& read) {
        [[maybe_unused]] const Writing writing(mutex_);
        return read(map_.emplace(key, std::move(value)).first->second);
    }

  private:
    mutable Mutex mutex_;
    Container<Value> map_;
};

}  // namespace store

#include "by_hand.hpp"
