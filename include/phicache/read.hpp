/// @file read.hpp
/// Reading in place, without pins.
#ifndef PHICACHE_READ_HPP
#define PHICACHE_READ_HPP

#include <cstddef>
#include <optional>

#include "cache.hpp"

PHICACHE_HPP_BEGIN

/// A time in which values may be read in place: cheaper than a pin, where a value is only looked at. What it finds stays
/// valid until this thread's outermost section is destroyed. Keep it short: while one is open, no memory that any thread
/// lets go is given back. It belongs to the thread that made it; sections may stand inside each other.
class read_section {
public:
    read_section() { detail::require(phicache_read_begin()); }
    ~read_section() { phicache_read_end(); }
    read_section(const read_section&) = delete;
    read_section& operator=(const read_section&) = delete;

    /// The key's value in place; nothing on a miss.
    std::optional<bytes> get(const cache& of, bytes key) const {
        phicache_bytes lent;
        const phicache_status code = phicache_cache_read(of.handle(), key, &lent);
        if (code == PHICACHE_OK) return lent;
        detail::require(code);
        return {};
    }
    /// @copydoc get
    expected<std::optional<bytes>> try_get(const cache& of, bytes key) const {
        phicache_bytes lent;
        const phicache_status code = phicache_cache_read(of.handle(), key, &lent);
        if (code < 0) return failure(code);
        return code == PHICACHE_OK ? std::optional<bytes>(lent) : std::nullopt;
    }

    /// The values of many keys in place, several times as fast as one by one where there are many entries. A value that is
    /// missing has no address. Answers how many were found.
    std::size_t get(const cache& of, span<const phicache_bytes> keys, phicache_bytes* out) const {
        return try_get(of, keys, out).value();
    }
    /// @copydoc get
    expected<std::size_t> try_get(const cache& of, span<const phicache_bytes> keys, phicache_bytes* out) const {
        std::size_t found = 0;
        const phicache_status code = phicache_cache_read_many(of.handle(), keys.data(), keys.size(), out, &found);
        if (code < 0) return failure(code);
        return found;
    }
};

PHICACHE_HPP_END

#endif  // PHICACHE_READ_HPP
