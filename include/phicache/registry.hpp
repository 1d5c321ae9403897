/// @file registry.hpp
/// All live caches that have a name (`cache_options::name`). May be used from any thread.
#ifndef PHICACHE_REGISTRY_HPP
#define PHICACHE_REGISTRY_HPP

#include <vector>

#include "bytes.hpp"
#include "error.hpp"

PHICACHE_HPP_BEGIN

namespace registry {

/// The named caches, ordered by name.
inline expected<std::vector<phicache_registry_item>> try_list() {
    std::vector<phicache_registry_item> items;
    std::size_t count = 0;
    phicache_status code = phicache_registry_list(nullptr, 0, &count);
    while (code == PHICACHE_ERROR_BUFFER_TOO_SMALL || (code == PHICACHE_OK && count != items.size())) {
        items.resize(count);
        if (count > 0) items.front().struct_size = sizeof(phicache_registry_item);
        code = phicache_registry_list(items.data(), items.size(), &count);
    }
    if (code < 0) return failure(code);
    return items;
}
/// @copydoc try_list
inline std::vector<phicache_registry_item> list() { return try_list().value(); }

/// Hits, misses and entries of a named cache. Fails if no live cache has the name.
inline expected<phicache_info> try_info(text name) {
    phicache_info figures{};
    if (const phicache_status code = phicache_registry_info(name.c_str(), &figures); code < 0) return failure(code);
    return figures;
}
/// @copydoc try_info
inline phicache_info info(text name) { return try_info(name).value(); }

/// All statistics of a named cache.
inline expected<phicache_stats> try_stats(text name) {
    phicache_stats figures{};
    figures.struct_size = sizeof figures;
    if (const phicache_status code = phicache_registry_stats(name.c_str(), &figures); code < 0) return failure(code);
    return figures;
}
/// @copydoc try_stats
inline phicache_stats stats(text name) { return try_stats(name).value(); }

/// Removes all entries of a named cache and resets its counts.
inline expected<void> try_clear(text name) { return detail::checked(phicache_registry_clear(name.c_str())); }
/// @copydoc try_clear
inline void clear(text name) { try_clear(name).value(); }

/// Removes all entries of all named caches and resets their counts; those on disk or in Redis for all processes.
inline expected<void> try_clear_all() { return detail::checked(phicache_registry_clear_all()); }
/// @copydoc try_clear_all
inline void clear_all() { try_clear_all().value(); }

}  // namespace registry

PHICACHE_HPP_END

#endif  // PHICACHE_REGISTRY_HPP
