/// two_units.hpp: the interface of first.cpp and second.cpp, with types of phicache, and an inline function in both
/// units.
#ifndef PHICACHE_TWO_UNITS_HPP
#define PHICACHE_TWO_UNITS_HPP

#include <phicache.hpp>
#include <string>

/// A memo of the other unit.
using squares = phicache::memo<double(int)>;
squares make_squares();

/// The value that the other unit finds for a key; throws as `fail` says.
std::optional<phicache::value> find(phicache::dict_cache& cache, const phicache::key_bytes& key);
void fail(phicache::dict_cache& cache, const std::string& words);

/// The same function in both units.
inline double shared_lookup(phicache::dict_cache& cache, int n) {
    return cache.memoize<double>(phicache::bytes_of(n), [n] { return n * 0.5; });
}

#endif  // PHICACHE_TWO_UNITS_HPP
