// concurrent.hpp: caches written by hand with boost::concurrent_flat_map, for several threads.
#pragma once

#include <boost/unordered/concurrent_flat_map.hpp>

#include <string>
#include <utility>

#include "hash.hpp"
#include "keys.hpp"

namespace store {

// The map, with the interface of map.hpp's.
template <class Value>
class Map {
  public:
    template <class Read>
    auto find(std::string_view key, const Read& read) const {
        decltype(read(std::declval<const Value&>())) found{};
        map_.cvisit(key, [&](const auto& entry) { found = read(entry.second); });
        return found;
    }
    template <class Read>
    auto keep(std::string_view key, Value&& value, const Read& read) {
        decltype(read(std::declval<const Value&>())) kept{};
        const auto see = [&](const auto& entry) { kept = read(entry.second); };
        if (map_.emplace_or_cvisit(key, std::move(value), see)) map_.cvisit(key, see);
        return kept;
    }

  private:
    boost::concurrent_flat_map<std::string, Value, Hash, Equal> map_;
};

}  // namespace store

#include "by_hand.hpp"
