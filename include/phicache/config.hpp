/// @file config.hpp
/// Configurations of caches, and the memory use of the process.
#ifndef PHICACHE_CONFIG_HPP
#define PHICACHE_CONFIG_HPP

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "bytes.hpp"
#include "owner.hpp"

PHICACHE_HPP_BEGIN

namespace detail {

/// Milliseconds for C. A negative time becomes a huge one, which C refuses.
inline std::uint64_t to_c(std::chrono::milliseconds time) noexcept { return static_cast<std::uint64_t>(time.count()); }

}  // namespace detail

/// What a full cache does with a new value. See "The library" in phicache.h.
enum class on_full : std::int32_t {
    configured = PHICACHE_ON_FULL_DEFAULT,  ///< As configured; in a configuration: what fits the cache and its limit.
    refuse = PHICACHE_ON_FULL_REFUSE,       ///< It refuses the value.
    evict = PHICACHE_ON_FULL_EVICT,         ///< It evicts values that are worth less, so that the new one fits.
};

/// A maximum memory percentage that means no limit.
PHICACHE_HPP_LOCAL inline constexpr double memory_unlimited = PHICACHE_MEMORY_UNLIMITED;
/// A maximum memory percentage of a memo that means the configured limit.
PHICACHE_HPP_LOCAL inline constexpr double memory_configured = PHICACHE_MEMORY_CONFIGURED;

class config;

/// A reference to a configuration. `config_ref()` is the configuration of the process: the defaults, overridden by the
/// environment (`PHICACHE_…` variables), overridden by what the program sets. Any thread may read and set it. The
/// memory percentage and the switches take effect at once on all caches that use the configuration; connection settings
/// are read when a cache is created.
class config_ref {
public:
    /// The configuration of the process.
    constexpr config_ref() noexcept = default;
    /// A `config` object; fails if that was moved from.
    inline config_ref(const config& owned);
    /// A C handle; null means the configuration of the process.
    constexpr explicit config_ref(phicache_config* handle) noexcept : handle_(handle) {}

    /// Memory limit: above this percentage of the memory that the process may use, caches stop storing. 0 to 100 (80
    /// is 80 %, 0.8 is less than one), or `memory_unlimited`.
    double maximum_memory_percent() const { return try_maximum_memory_percent().value(); }
    expected<double> try_maximum_memory_percent() const {
        return read<double>(phicache_config_get_maximum_memory_percent);
    }
    void set_maximum_memory_percent(double percent) const { try_set_maximum_memory_percent(percent).value(); }
    expected<void> try_set_maximum_memory_percent(double percent) const {
        return detail::checked(phicache_config_set_maximum_memory_percent(handle_, percent));
    }

    /// What full caches do if their options leave it open.
    phicache::on_full on_full() const { return try_on_full().value(); }
    expected<phicache::on_full> try_on_full() const { return read<phicache::on_full>(phicache_config_get_on_full); }
    void set_on_full(phicache::on_full choice) const { try_set_on_full(choice).value(); }
    expected<void> try_set_on_full(phicache::on_full choice) const {
        return detail::checked(phicache_config_set_on_full(handle_, static_cast<std::int32_t>(choice)));
    }

    /// Whether methods of kind `repertoire` use their cache.
    bool cache_repertoires() const { return try_cache_repertoires().value(); }
    expected<bool> try_cache_repertoires() const { return read<bool>(phicache_config_get_cache_repertoires); }
    void set_cache_repertoires(bool enabled) const { try_set_cache_repertoires(enabled).value(); }
    expected<void> try_set_cache_repertoires(bool enabled) const {
        return detail::checked(phicache_config_set_cache_repertoires(handle_, enabled));
    }

    /// Whether purview caches store.
    bool cache_potential_purviews() const { return try_cache_potential_purviews().value(); }
    expected<bool> try_cache_potential_purviews() const {
        return read<bool>(phicache_config_get_cache_potential_purviews);
    }
    void set_cache_potential_purviews(bool enabled) const { try_set_cache_potential_purviews(enabled).value(); }
    expected<void> try_set_cache_potential_purviews(bool enabled) const {
        return detail::checked(phicache_config_set_cache_potential_purviews(handle_, enabled));
    }

    /// Whether MICE caches that follow the configuration are in Redis.
    bool redis_cache() const { return try_redis_cache().value(); }
    expected<bool> try_redis_cache() const { return read<bool>(phicache_config_get_redis_cache); }
    void set_redis_cache(bool enabled) const { try_set_redis_cache(enabled).value(); }
    expected<void> try_set_redis_cache(bool enabled) const {
        return detail::checked(phicache_config_set_redis_cache(handle_, enabled));
    }

    /// The URL of the Redis server; reading masks a password in it.
    std::string redis_url() const { return try_redis_url().value(); }
    expected<std::string> try_redis_url() const { return read_text(phicache_config_get_redis_url); }
    void set_redis_url(text url) const { try_set_redis_url(url).value(); }
    expected<void> try_set_redis_url(text url) const {
        return detail::checked(phicache_config_set_redis_url(handle_, url.c_str()));
    }

    /// The prefix of the library's keys on a server.
    std::string redis_namespace() const { return try_redis_namespace().value(); }
    expected<std::string> try_redis_namespace() const { return read_text(phicache_config_get_redis_namespace); }
    void set_redis_namespace(text name) const { try_set_redis_namespace(name).value(); }
    expected<void> try_set_redis_namespace(text name) const {
        return detail::checked(phicache_config_set_redis_namespace(handle_, name.c_str()));
    }

    /// User and password for the server, in place of those in the URL; null keeps those of the URL. The password never
    /// appears in a message.
    void set_redis_login(text user, text password) const { try_set_redis_login(user, password).value(); }
    expected<void> try_set_redis_login(text user, text password) const {
        return detail::checked(phicache_config_set_redis_login(handle_, user.c_str(), password.c_str()));
    }

    /// Time limit of one operation at the server, from its beginning to its last byte: 1 ms to 1 h.
    std::chrono::milliseconds redis_timeout() const { return try_redis_timeout().value(); }
    expected<std::chrono::milliseconds> try_redis_timeout() const {
        return read<std::chrono::milliseconds>(phicache_config_get_redis_timeout_ms);
    }
    void set_redis_timeout(std::chrono::milliseconds time) const { try_set_redis_timeout(time).value(); }
    expected<void> try_set_redis_timeout(std::chrono::milliseconds time) const {
        return detail::checked(phicache_config_set_redis_timeout_ms(handle_, detail::to_c(time)));
    }

    /// Whether the whole database belongs to the caches, as with PyPhi: `clear` then deletes everything in it,
    /// including the data of other programs. Otherwise caches touch only keys of their namespace.
    bool redis_whole_database() const { return try_redis_whole_database().value(); }
    expected<bool> try_redis_whole_database() const { return read<bool>(phicache_config_get_redis_whole_database); }
    void set_redis_whole_database(bool enabled) const { try_set_redis_whole_database(enabled).value(); }
    expected<void> try_set_redis_whole_database(bool enabled) const {
        return detail::checked(phicache_config_set_redis_whole_database(handle_, enabled));
    }

    /// The directory of disk caches; by default below the user's cache directory if that is on a local disk.
    std::string disk_directory() const { return try_disk_directory().value(); }
    expected<std::string> try_disk_directory() const { return read_text(phicache_config_get_disk_directory); }
    /// An absolute path, for disk caches that are created from now on; null is the default.
    void set_disk_directory(text path) const { try_set_disk_directory(path).value(); }
    expected<void> try_set_disk_directory(text path) const {
        return detail::checked(phicache_config_set_disk_directory(handle_, path.c_str()));
    }

    phicache_config* handle() const noexcept { return handle_; }

private:
    template <class T, class Raw>
    expected<T> read(phicache_status (*get)(phicache_config*, Raw*)) const {
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

/// An independent configuration: the defaults, overridden by the environment. Change it through `settings()`. Caches
/// that use it keep it alive.
class config : public owner<phicache_config, phicache_config_free> {
public:
    using owner::owner;
    config() : config(try_make().value()) {}
    explicit config(text settings_have_functions) = delete;
    static expected<config> try_make() {
        return detail::create<config>([](phicache_config** out) { return phicache_config_new(out); });
    }
    /// Reads and sets the limits and switches.
    config_ref settings() const& { return *this; }
    config_ref settings() const&& = delete;  // would dangle
};

inline config_ref::config_ref(const config& owned) : handle_(owned.handle()) {
    if (!owned)
        detail::raise(failure(status::error_invalid_argument,
                              "the configuration was moved from: use the object it was moved to"));
}

/// The resident memory of this process, in percent of the memory that it may use.
inline expected<double> try_memory_percent() { return detail::answer<double>(phicache_memory_percent); }
/// @copydoc try_memory_percent
inline double memory_percent() { return try_memory_percent().value(); }

/// Whether the process uses more memory than the configured percentage.
inline expected<bool> try_memory_full(config_ref settings = {}) {
    std::int32_t full = 0;
    if (const phicache_status code = phicache_memory_full(settings.handle(), &full); code < 0) return failure(code);
    return full != 0;
}
/// @copydoc try_memory_full
inline bool memory_full(config_ref settings = {}) { return try_memory_full(settings).value(); }

/// The figures behind `memory_percent`, in bytes.
inline expected<phicache_memory> try_memory_usage() {
    return detail::answer<phicache_memory>(phicache_memory_usage);
}
/// @copydoc try_memory_usage
inline phicache_memory memory_usage() { return try_memory_usage().value(); }

/// All limits on the memory of this process that were found, and which one counts, measured now.
inline expected<std::vector<phicache_memory_limit>> try_memory_limits(config_ref settings = {}) {
    std::vector<phicache_memory_limit> limits;
    std::size_t count = 0;
    phicache_status code = phicache_memory_limits(settings.handle(), nullptr, 0, &count);
    while (code == PHICACHE_ERROR_BUFFER_TOO_SMALL || (code == PHICACHE_OK && count != limits.size())) {
        limits.resize(count);
        if (count > 0) limits.front().struct_size = sizeof(phicache_memory_limit);
        code = phicache_memory_limits(settings.handle(), limits.data(), limits.size(), &count);
    }
    if (code < 0) return failure(code);
    return limits;
}
/// @copydoc try_memory_limits
inline std::vector<phicache_memory_limit> memory_limits(config_ref settings = {}) {
    return try_memory_limits(settings).value();
}

PHICACHE_HPP_END

#endif  // PHICACHE_CONFIG_HPP
