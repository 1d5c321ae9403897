/// @file read.hpp
/// Reading values in place, without pins.
#ifndef PHICACHE_READ_HPP
#define PHICACHE_READ_HPP

#include <cstddef>
#include <optional>

#include "cache.hpp"
#include "reader.hpp"

PHICACHE_HPP_BEGIN

/// A scope in which values may be read in place, cheaper than with a pin. Values found in it are valid until the
/// thread's outermost section is destroyed. Keep it short: while any section is open, no memory that any thread retires
/// is returned to the operating system. A section belongs to the thread that created it; sections may be nested.
class read_section {
public:
    read_section() { detail::require(phicache_read_begin()); }
    ~read_section() { phicache_read_end(); }
    read_section(const read_section&) = delete;
    read_section& operator=(const read_section&) = delete;

    /// The value of a key, in place; empty on a miss.
    std::optional<bytes> get(const cache& of, bytes key) const {
        phicache_bytes found;
        const phicache_status code = phicache_cache_read(of.handle(), key, &found);
        if (code == PHICACHE_OK) return found;
        detail::require(code);
        return {};
    }
    /// @copydoc get
    expected<std::optional<bytes>> try_get(const cache& of, bytes key) const {
        phicache_bytes found;
        const phicache_status code = phicache_cache_read(of.handle(), key, &found);
        if (code < 0) return failure(code);
        return code == PHICACHE_OK ? std::optional<bytes>(found) : std::nullopt;
    }

    /// The same through a reader: for loops.
    std::optional<bytes> get(reader& through, bytes key) const {
        phicache_bytes found;
        const phicache_status code = phicache_reader_read(through.raw(), key, &found);
        if (code == PHICACHE_OK) return found;
        detail::require(code);
        return {};
    }
    /// @copydoc get
    expected<std::optional<bytes>> try_get(reader& through, bytes key) const {
        phicache_bytes found;
        const phicache_status code = phicache_reader_read(through.raw(), key, &found);
        if (code < 0) return failure(code);
        return code == PHICACHE_OK ? std::optional<bytes>(found) : std::nullopt;
    }

    /// The values of many keys, in place: in a large cache several times as fast as one lookup after the other. `out`
    /// has room for as many values as there are keys; a missing value has a null address. Returns how many were found.
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
