/// @file config.hpp
/// The configuration that caches obey, and the memory that they watch.
#ifndef PHICACHE_CONFIG_HPP
#define PHICACHE_CONFIG_HPP

#include <chrono>
#include <cstdint>
#include <string>

#include "bytes.hpp"
#include "owner.hpp"

PHICACHE_HPP_BEGIN

namespace detail {

/// Milliseconds for C; negative ones are more than it takes.
inline std::uint64_t to_c(std::chrono::milliseconds time) noexcept { return static_cast<std::uint64_t>(time.count()); }

}  // namespace detail

/// No limit, where a maximum memory percentage is expected.
inline constexpr double memory_unlimited = PHICACHE_MEMORY_UNLIMITED;
/// The configured limit, where a memo's maximum memory percentage is expected.
inline constexpr double memory_configured = PHICACHE_MEMORY_CONFIGURED;

class config;

/// A configuration that somebody else owns. `config_ref()` is the process's own: defaults, then the environment
/// (`PHICACHE_…` variables), then what was set through it. Percentages and switches act at once on all caches that use
/// it, from any thread; connection settings are read when a cache is made.
class config_ref {
public:
    /// The process's configuration.
    constexpr config_ref() noexcept = default;
    /// A configuration of one's own; one that was moved from is an error.
    inline config_ref(const config& owned);
    /// A C handle; null is the process's configuration.
    constexpr explicit config_ref(phicache_config* handle) noexcept : handle_(handle) {}

    /// The share of the memory it may use, in percent, that the process may hold before stores are refused: 0 to 100,
    /// or `memory_unlimited`.
    double maximum_memory_percent() const { return try_maximum_memory_percent().value(); }
    expected<double> try_maximum_memory_percent() const {
        return read<double, double>(phicache_config_get_maximum_memory_percent);
    }
    void set_maximum_memory_percent(double percent) const { try_set_maximum_memory_percent(percent).value(); }
    expected<void> try_set_maximum_memory_percent(double percent) const {
        return detail::checked(phicache_config_set_maximum_memory_percent(handle_, percent));
    }

    /// Whether repertoire methods cache.
    bool cache_repertoires() const { return try_cache_repertoires().value(); }
    expected<bool> try_cache_repertoires() const {
        return read<bool, std::int32_t>(phicache_config_get_cache_repertoires);
    }
    void set_cache_repertoires(bool enabled) const { try_set_cache_repertoires(enabled).value(); }
    expected<void> try_set_cache_repertoires(bool enabled) const {
        return detail::checked(phicache_config_set_cache_repertoires(handle_, enabled));
    }

    /// Whether purview caches store.
    bool cache_potential_purviews() const { return try_cache_potential_purviews().value(); }
    expected<bool> try_cache_potential_purviews() const {
        return read<bool, std::int32_t>(phicache_config_get_cache_potential_purviews);
    }
    void set_cache_potential_purviews(bool enabled) const { try_set_cache_potential_purviews(enabled).value(); }
    expected<void> try_set_cache_potential_purviews(bool enabled) const {
        return detail::checked(phicache_config_set_cache_potential_purviews(handle_, enabled));
    }

    /// Whether caches that choose by configuration choose Redis.
    bool redis_cache() const { return try_redis_cache().value(); }
    expected<bool> try_redis_cache() const { return read<bool, std::int32_t>(phicache_config_get_redis_cache); }
    void set_redis_cache(bool enabled) const { try_set_redis_cache(enabled).value(); }
    expected<void> try_set_redis_cache(bool enabled) const {
        return detail::checked(phicache_config_set_redis_cache(handle_, enabled));
    }

    /// The server's URL, a password in it masked.
    std::string redis_url() const { return try_redis_url().value(); }
    expected<std::string> try_redis_url() const { return read_text(phicache_config_get_redis_url); }
    void set_redis_url(text url) const { try_set_redis_url(url).value(); }
    expected<void> try_set_redis_url(text url) const {
        return detail::checked(phicache_config_set_redis_url(handle_, url.c_str()));
    }

    /// What the library's keys on a server begin with.
    std::string redis_namespace() const { return try_redis_namespace().value(); }
    expected<std::string> try_redis_namespace() const { return read_text(phicache_config_get_redis_namespace); }
    void set_redis_namespace(text name) const { try_set_redis_namespace(name).value(); }
    expected<void> try_set_redis_namespace(text name) const {
        return detail::checked(phicache_config_set_redis_namespace(handle_, name.c_str()));
    }

    /// Who logs in at the server, in place of what the URL says; null is what the URL says. No message ever has the
    /// password.
    void set_redis_login(text user, text password) const { try_set_redis_login(user, password).value(); }
    expected<void> try_set_redis_login(text user, text password) const {
        return detail::checked(phicache_config_set_redis_login(handle_, user.c_str(), password.c_str()));
    }

    /// What one operation at the server may take, from its beginning to its last byte: a millisecond to an hour.
    std::chrono::milliseconds redis_timeout() const { return try_redis_timeout().value(); }
    expected<std::chrono::milliseconds> try_redis_timeout() const {
        return read<std::chrono::milliseconds, std::uint64_t>(phicache_config_get_redis_timeout_ms);
    }
    void set_redis_timeout(std::chrono::milliseconds time) const { try_set_redis_timeout(time).value(); }
    expected<void> try_set_redis_timeout(std::chrono::milliseconds time) const {
        return detail::checked(phicache_config_set_redis_timeout_ms(handle_, detail::to_c(time)));
    }

    /// Whether caches in Redis have the whole database, as PyPhi's do: `clear` empties it, whoever else keeps something
    /// there. Otherwise they use the keys of the namespace and no others.
    bool redis_whole_database() const { return try_redis_whole_database().value(); }
    expected<bool> try_redis_whole_database() const {
        return read<bool, std::int32_t>(phicache_config_get_redis_whole_database);
    }
    void set_redis_whole_database(bool enabled) const { try_set_redis_whole_database(enabled).value(); }
    expected<void> try_set_redis_whole_database(bool enabled) const {
        return detail::checked(phicache_config_set_redis_whole_database(handle_, enabled));
    }

    phicache_config* handle() const noexcept { return handle_; }

private:
    template <class T, class Raw, class Get>
    expected<T> read(Get get) const {
        Raw answer{};
        if (const phicache_status code = get(handle_, &answer); code < 0) return failure(code);
        return static_cast<T>(answer);
    }
    template <class Get>
    expected<std::string> read_text(Get get) const {
        std::string answer(256, '\0');
        std::size_t len = 0;
        phicache_status code = get(handle_, answer.data(), answer.size(), &len);
        if (code == PHICACHE_ERROR_BUFFER_TOO_SMALL) {
            answer.resize(len + 1);
            code = get(handle_, answer.data(), answer.size(), &len);
        }
        if (code < 0) return failure(code);
        answer.resize(len);
        return answer;
    }

    phicache_config* handle_ = nullptr;
};

/// A configuration of one's own: defaults, then the environment; independent of the process's. Caches made with it keep
/// it alive. Change it through `settings()`.
class config : public owner<phicache_config, phicache_config_free> {
public:
    using owner::owner;
    config() : config(try_make().value()) {}
    static expected<config> try_make() {
        return detail::create<config>([](phicache_config** out) { return phicache_config_new(out); });
    }
    /// The switches and limits, to read and to set.
    config_ref settings() const& { return *this; }
    config_ref settings() const&& = delete;  // it would dangle: name the configuration first
};

inline config_ref::config_ref(const config& owned) : handle_(owned.handle()) {
    if (!owned) detail::raise(failure(status::error_invalid_argument, "a configuration that was moved from"));
}

/// Resident memory of this process, in percent of what it may use.
inline expected<double> try_memory_percent() {
    double percent = 0;
    if (const phicache_status code = phicache_memory_percent(&percent); code < 0) return failure(code);
    return percent;
}
/// @copydoc try_memory_percent
inline double memory_percent() { return try_memory_percent().value(); }

/// Whether the process holds more than the configured share of the memory it may use.
inline expected<bool> try_memory_full(config_ref settings = {}) {
    std::int32_t full = 0;
    if (const phicache_status code = phicache_memory_full(settings.handle(), &full); code < 0) return failure(code);
    return full != 0;
}
/// @copydoc try_memory_full
inline bool memory_full(config_ref settings = {}) { return try_memory_full(settings).value(); }

/// The figures behind `memory_percent`, in bytes.
inline expected<phicache_memory> try_memory_usage() {
    phicache_memory usage{};
    usage.struct_size = sizeof usage;
    if (const phicache_status code = phicache_memory_usage(&usage); code < 0) return failure(code);
    return usage;
}
/// @copydoc try_memory_usage
inline phicache_memory memory_usage() { return try_memory_usage().value(); }

PHICACHE_HPP_END

#endif  // PHICACHE_CONFIG_HPP
