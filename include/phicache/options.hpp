/// @file options.hpp
/// What a new cache is made with: its options, and the functions of verified mode.
#ifndef PHICACHE_OPTIONS_HPP
#define PHICACHE_OPTIONS_HPP

#include <chrono>
#include <cstdint>
#include <string>

#include "callback.hpp"
#include "config.hpp"
#include "fingerprint.hpp"
#include "owner.hpp"

PHICACHE_HPP_BEGIN

/// Options of a new cache, besides its configuration. One that has no effect on a cache of this kind is an error; the
/// constructor of mice_cache takes all, because there the configuration chooses where the values are.
struct cache_options {
    option_text name{};  ///< Its name in the registry, unique among live caches. Empty: not in the registry.
    std::uint64_t max_bytes = 0;  ///< The most bytes it takes, overhead included; 0: only memory limits it.

    // For caches in Redis; `lease` also for disk caches, between hosts.
    std::chrono::milliseconds ttl{};    ///< The server expires values after this time; 0: never.
    /// How long a process that computes a value makes others wait; 0: not at all. In Redis, a value that takes longer
    /// is not stored.
    std::chrono::milliseconds lease{};
    bool server_errors = false;  ///< A server failure is `status::error_redis` instead of a miss or a refusal.
    bool no_checksum = false;    ///< Store plain values, without the checksum that ties a value to its key.
    std::chrono::milliseconds scan_timeout{};  ///< Time limit of counting and clearing; 0: 30 seconds.

    phicache::on_full on_full = phicache::on_full::configured;  ///< What the cache does when it is full.

    // For disk caches, whose `max_bytes` bounds all files in the directory (0: the bound that the directory keeps).
    std::uint64_t near_bytes = 0;  ///< The most bytes of memory for copies of values in this process; 0: 64 MiB.
    std::chrono::milliseconds refresh{};  ///< How often to look for values of others; 0: each second. `refresh_always`.
    bool read_only = false;       ///< Never write; a store is `status::refused_disabled`.
    bool sync = false;            ///< A store returns when the value is on the storage device.
    bool trust_group = false;     ///< Members of the directory's group may write into it, and are trusted.
    bool storage_errors = false;  ///< A failed file operation is `status::error_storage`, not a miss or a refusal.

    // Verified mode: finds keys that are too short (see "Any cache" in phicache.h).

    /// Every n-th hit of `memoize`, a memo, a method or `begin` is computed again and compared; 0: none, at no cost,
    /// and `same` and `difference` are not used. A difference is counted in `stats().differences`, and the new value
    /// replaces the old one.
    std::uint64_t verify_every = 0;
    /// Whether two values of a key count as equal: `same(key, kept, computed)`. Empty: if their bytes are equal. For
    /// values that may differ in their last bits.
    callback<bool(bytes, bytes, bytes)> same{};
    /// Receives the key, the kept and the computed value of each difference. Both functions run on the thread that
    /// verifies, on several at once, must not throw (an exception ends the process), and live as long as the cache.
    callback<void(bytes, bytes, bytes)> difference{};
};

namespace detail {

/// The functions of verified mode, which C owns with the cache.
struct verification {
    callback<bool(bytes, bytes, bytes)> same;
    callback<void(bytes, bytes, bytes)> difference;

    // Not noexcept: C names the function that an exception has left, and ends the process.
    static std::int32_t is_same(void* context, phicache_bytes key, phicache_bytes kept, phicache_bytes computed) {
        return static_cast<verification*>(context)->same(key, kept, computed);
    }
    static void report(void* context, phicache_bytes key, phicache_bytes kept, phicache_bytes computed) {
        static_cast<verification*>(context)->difference(key, kept, computed);
    }
    static void drop(void* context) noexcept { delete static_cast<verification*>(context); }
};

/// The options as a C struct, for exactly one call: it borrows the name, and C takes ownership of the functions.
inline phicache_cache_options to_c(const cache_options& options) {
    phicache_cache_options raw{};
    raw.struct_size = sizeof raw;
    raw.name = options.name.to_c();
    raw.max_bytes = options.max_bytes;
    raw.ttl_ms = to_c(options.ttl);
    raw.lease_ms = to_c(options.lease);
    raw.server_errors = options.server_errors;
    raw.no_checksum = options.no_checksum;
    raw.scan_timeout_ms = to_c(options.scan_timeout);
    raw.on_full = static_cast<std::int32_t>(options.on_full);
    raw.near_bytes = options.near_bytes;
    raw.refresh_ms = to_c(options.refresh);
    raw.read_only = options.read_only;
    raw.sync = options.sync;
    raw.trust_group = options.trust_group;
    raw.storage_errors = options.storage_errors;
    raw.verify_every = options.verify_every;
    if (options.verify_every != 0 && (options.same || options.difference)) {
        raw.same = options.same ? verification::is_same : nullptr;
        raw.difference = options.difference ? verification::report : nullptr;
        raw.verify_context = new verification{options.same, options.difference};
        raw.verify_drop = verification::drop;
    }
    return raw;
}

/// Creates a cache with the `create` function of its kind.
template <class Cache>
expected<Cache> create_cache(const cache_options& options, config_ref settings) {
    using handle = typename Cache::handle_type;
    return create<Cache>([&](handle** out) {
        const phicache_cache_options raw = to_c(options);
        return c_functions<handle>::create(settings.handle(), &raw, out);
    });
}

/// Opens a shared cache with the `create_shared` function of its kind.
template <class Cache>
expected<Cache> create_shared_cache(const fingerprint& identity, text role, const cache_options& options,
                                    config_ref settings) {
    using handle = typename Cache::handle_type;
    return create<Cache>([&](handle** out) {
        const phicache_cache_options raw = to_c(options);
        return c_functions<handle>::create_shared(settings.handle(), &raw, &identity.raw(), role.c_str(), out);
    });
}

}  // namespace detail

PHICACHE_HPP_END

#endif  // PHICACHE_OPTIONS_HPP
