/// @file redis.hpp
/// Values at a Redis or Valkey server, shared by many processes: `redis_cache`, and whether the server answers.
#ifndef PHICACHE_REDIS_HPP
#define PHICACHE_REDIS_HPP

#include <chrono>
#include <cstdint>

#include "cache.hpp"

PHICACHE_HPP_BEGIN

namespace detail {

template <>
struct c_functions<phicache_redis_cache> {
    static constexpr auto create = phicache_redis_cache_new;
    static constexpr auto create_shared = phicache_redis_cache_shared;
    static constexpr auto as_cache = phicache_redis_cache_as_cache;
    static constexpr auto clear = phicache_redis_cache_clear;
    static constexpr auto size = phicache_redis_cache_size;
    static constexpr auto info = phicache_redis_cache_info;
    static constexpr auto stats = phicache_redis_cache_stats;
    static constexpr auto contains = phicache_redis_cache_contains;
    static constexpr auto remove = phicache_redis_cache_remove;
    static constexpr auto get = phicache_redis_cache_get;
    static constexpr auto get_into = phicache_redis_cache_get_into;
    static constexpr auto set = phicache_redis_cache_set;
    static constexpr auto memoize = phicache_redis_cache_memoize;
    static constexpr auto key = phicache_redis_cache_key;
};

}  // namespace detail

/// Byte values by byte keys at the configured server (PyPhi's RedisCache). No operation takes longer than the
/// configured timeout. If the server fails, lookups are misses and stores return `status::refused_server`; with
/// `cache_options::server_errors` both are errors. A computed value is returned in any case. The view of this cache
/// also has batches and `redis_health`.
class redis_cache : public owner<phicache_redis_cache, phicache_redis_cache_free>,
                    public byte_cache<redis_cache, phicache_redis_cache>,
                    public viewable<redis_cache, phicache_redis_cache> {
public:
    using owner::owner;
    redis_cache(redis_cache&&) noexcept = default;
    redis_cache& operator=(redis_cache&&) noexcept = default;
    redis_cache(const redis_cache&) = delete;  // said here too, so that the message is short
    redis_cache& operator=(const redis_cache&) = delete;
    /// A cache with the configuration of the process, or another one; `size` and `clear` cover the whole namespace.
    /// Connects at the first use.
    redis_cache() : redis_cache(cache_options{}) {}
    /// @copydoc redis_cache
    explicit redis_cache(const cache_options& options, config_ref settings = {})
        : redis_cache(try_make(options, settings).value()) {}
    explicit redis_cache(config_ref settings) : redis_cache(cache_options{}, settings) {}
    explicit redis_cache(text the_address_is_in_the_configuration) = delete;
    template <class... Given, detail::if_number<Given...> = 0>
    explicit redis_cache(const Given&... limits_are_in_the_options) = delete;
    template <class... Given, detail::if_number<Given...> = 0>
    static void try_make(const Given&... limits_are_in_the_options) = delete;
    static expected<redis_cache> try_make(const cache_options& options = {}, config_ref settings = {}) {
        return detail::create_cache<redis_cache>(options, settings);
    }

    /// The values that all processes share under this fingerprint and role; `size` and `clear` cover only these.
    static redis_cache shared(const fingerprint& identity, text role, const cache_options& options = {},
                              config_ref settings = {}) {
        return try_shared(identity, role, options, settings).value();
    }
    /// @copydoc shared
    static expected<redis_cache> try_shared(const fingerprint& identity, text role, const cache_options& options = {},
                                            config_ref settings = {}) {
        return detail::create_shared_cache<redis_cache>(identity, role, options, settings);
    }
};

namespace detail {

/// A timeout for C, where 0 means the configured one.
inline expected<std::uint64_t> to_timeout(std::chrono::milliseconds time) noexcept {
    if (time.count() < 0)
        return failure(status::error_invalid_argument,
                       "the timeout is negative; expected 0 (the configured timeout) or more");
    return to_c(time);
}

}  // namespace detail

/// Contacts the configured server, even if it has just failed, and waits up to `timeout` for its answer (0: the
/// configured timeout). Fails with a message that says why it does not answer.
inline expected<void> try_redis_ping(config_ref settings = {}, std::chrono::milliseconds timeout = {}) {
    const expected<std::uint64_t> limit = detail::to_timeout(timeout);
    if (!limit) return limit.error();
    return detail::checked(phicache_redis_ping(settings.handle(), *limit));
}
/// @copydoc try_redis_ping
inline void redis_ping(config_ref settings = {}, std::chrono::milliseconds timeout = {}) {
    try_redis_ping(settings, timeout).value();
}

/// Whether the configured server answers within `timeout` (0: the configured timeout). PyPhi's `redis_available`.
inline expected<bool> try_redis_available(config_ref settings = {}, std::chrono::milliseconds timeout = {}) {
    const expected<std::uint64_t> limit = detail::to_timeout(timeout);
    if (!limit) return limit.error();
    std::int32_t available = 0;
    const phicache_status code = phicache_redis_available(settings.handle(), *limit, &available);
    if (code < 0) return failure(code);
    return available != 0;
}
/// @copydoc try_redis_available
inline bool redis_available(config_ref settings = {}, std::chrono::milliseconds timeout = {}) {
    return try_redis_available(settings, timeout).value();
}

PHICACHE_HPP_END

#endif  // PHICACHE_REDIS_HPP
