// counting.hpp: caches written by hand that count their lookups, by length of the key. For one thread.
#pragma once

#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hash.hpp"
#include "keys.hpp"

namespace store {

struct Counts {
    long hits = 0;
    long misses = 0;
};
inline const char* name_of(const double*) { return "distances"; }
inline const char* name_of(const std::vector<double>*) { return "repertoires"; }
inline const char* name_of(const Mice*) { return "mice"; }

// The counts of the whole program, which it prints on standard error when it ends.
struct AllCounts : std::map<std::pair<std::string, std::size_t>, Counts> {
    ~AllCounts() {
        for (const auto& [lookup, count] : *this) {
            std::fprintf(stderr, "%-12s %5zu bytes: %9ld hits, %9ld misses\n", lookup.first.c_str(), lookup.second,
                         count.hits, count.misses);
        }
    }
};
inline AllCounts counts;

template <class Value>
class Map {
  public:
    template <class Read>
    auto find(std::string_view key, const Read& read) const {
        Counts& count = counts[{name_of(static_cast<const Value*>(nullptr)), key.size()}];
        const auto place = map_.find(key);
        ++(place == map_.end() ? count.misses : count.hits);
        return place == map_.end() ? decltype(read(place->second)){} : read(place->second);
    }
    template <class Read>
    auto keep(std::string_view key, Value&& value, const Read& read) {
        return read(map_.emplace(key, std::move(value)).first->second);
    }

  private:
    std::unordered_map<std::string, Value, Hash, Equal> map_;
};

}  // namespace store

#include "by_hand.hpp"
