/// What first.cpp and second.cpp share: phicache's types in their interfaces, and inline functions that both contain.
#ifndef PHICACHE_TWO_UNITS_HPP
#define PHICACHE_TWO_UNITS_HPP

#include <phicache.hpp>
#include <string>

/// A memo that the other unit made.
using squares = phicache::memo<double(int)>;
squares make_squares();

/// What the other unit finds under a key; throws what `fail` says.
std::optional<phicache::value> find(phicache::dict_cache& cache, const phicache::key_bytes& key);
void fail(phicache::dict_cache& cache, const std::string& words);

/// The same function in both units.
inline double shared_lookup(phicache::dict_cache& cache, int n) {
    return cache.memoize<double>(phicache::bytes_of(n), [n] { return n * 0.5; });
}

#endif  // PHICACHE_TWO_UNITS_HPP
