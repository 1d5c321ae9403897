/// @file disk.hpp
/// Values in files, which outlive the process and which many processes share: `disk_cache`, and what is in a directory.
#ifndef PHICACHE_DISK_HPP
#define PHICACHE_DISK_HPP

#include <chrono>
#include <vector>

#include "cache.hpp"

PHICACHE_HPP_BEGIN

/// A `cache_options::refresh` with which each lookup that finds nothing looks for values of other processes.
PHICACHE_HPP_LOCAL inline constexpr std::chrono::milliseconds refresh_always{-1};

namespace detail {

template <>
struct c_functions<phicache_disk_cache> {
    static constexpr auto create = phicache_disk_cache_new;
    static constexpr auto create_shared = phicache_disk_cache_shared;
    static constexpr auto as_cache = phicache_disk_cache_as_cache;
    static constexpr auto clear = phicache_disk_cache_clear;
    static constexpr auto size = phicache_disk_cache_size;
    static constexpr auto info = phicache_disk_cache_info;
    static constexpr auto stats = phicache_disk_cache_stats;
    static constexpr auto contains = phicache_disk_cache_contains;
    static constexpr auto remove = phicache_disk_cache_remove;
    static constexpr auto get = phicache_disk_cache_get;
    static constexpr auto get_into = phicache_disk_cache_get_into;
    static constexpr auto set = phicache_disk_cache_set;
    static constexpr auto memoize = phicache_disk_cache_memoize;
    static constexpr auto key = phicache_disk_cache_key;
};

}  // namespace detail

/// Byte values by byte keys, in the configured directory (`config_ref::set_disk_directory`): all processes that use the
/// directory share them, and the next run of the program finds them. What is damaged is a miss. If a file operation
/// fails, lookups are misses and stores return `status::refused_storage`; with `cache_options::storage_errors` both are
/// errors. A computed value is returned in any case. See "Disk cache" in phicache.h.
///
/// @code
/// phicache::disk_cache entropies("entropy of a channel, bits, version 1");
/// double bits = entropies.memoize<double>(key, [&] { return entropy(channel); });  // the next run finds it
/// @endcode
class disk_cache : public owner<phicache_disk_cache, phicache_disk_cache_free>,
                   public byte_cache<disk_cache, phicache_disk_cache>,
                   public viewable<disk_cache, phicache_disk_cache> {
public:
    using owner::owner;
    disk_cache(disk_cache&&) noexcept = default;
    disk_cache& operator=(disk_cache&&) noexcept = default;
    disk_cache() = delete;  // it needs a context
    template <class... Any>
    explicit disk_cache(const cache_options& the_context_comes_before_the_options, Any&&...) = delete;
    disk_cache(const disk_cache&) = delete;  // said here too, so that the message is short
    disk_cache& operator=(const disk_cache&) = delete;
    /// The cache of a context: what the values are and how they are computed (algorithm, settings, version). Change the
    /// context when the code changes. All objects of this process with the same context and directory are of one cache,
    /// and need the same options.
    explicit disk_cache(bytes context, const cache_options& options = {}, config_ref settings = {})
        : disk_cache(try_make(context, options, settings).value()) {}
    disk_cache(bytes context, config_ref settings) : disk_cache(context, cache_options{}, settings) {}
    disk_cache(bytes context, text the_directory_is_in_the_configuration) = delete;
    template <class... Given, detail::if_number<Given...> = 0>
    explicit disk_cache(const Given&... limits_are_in_the_options) = delete;
    template <class... Given, detail::if_number<Given...> = 0>
    static void try_make(const Given&... limits_are_in_the_options) = delete;
    static expected<disk_cache> try_make(bytes context, const cache_options& options = {}, config_ref settings = {}) {
        return detail::create<disk_cache>([&](phicache_disk_cache** out) {
            const phicache_cache_options raw = detail::to_c(options);
            return phicache_disk_cache_new(settings.handle(), &raw, context, out);
        });
    }

    /// The cache of a fingerprint, which includes a context, and a role: what the values are. All objects of this
    /// process with the same fingerprint, role and directory are of one cache, and need the same options.
    static disk_cache shared(const fingerprint& identity, text role, const cache_options& options = {},
                             config_ref settings = {}) {
        return try_shared(identity, role, options, settings).value();
    }
    /// @copydoc shared
    static expected<disk_cache> try_shared(const fingerprint& identity, text role, const cache_options& options = {},
                                           config_ref settings = {}) {
        return detail::create_shared_cache<disk_cache>(identity, role, options, settings);
    }

    /// The values of a file to which a dict cache was saved, which stay there and are only read: a store returns
    /// `status::refused_disabled`, and a computed value stays in this process. The file may belong to another user, and
    /// be on a file system that cannot be written. `context` is the one that it was saved with. See "Saved caches" in
    /// phicache.h.
    static disk_cache open(text path, bytes context, const cache_options& options = {}, config_ref settings = {}) {
        return try_open(path, context, options, settings).value();
    }
    /// @copydoc open
    static expected<disk_cache> try_open(text path, bytes context, const cache_options& options = {},
                                         config_ref settings = {}) {
        return detail::create<disk_cache>([&](phicache_disk_cache** out) {
            const phicache_cache_options raw = detail::to_c(options);
            return phicache_disk_cache_open(settings.handle(), &raw, path.c_str(), context, out);
        });
    }

    /// Waits until all values that this process has stored in the cache are on the storage device, so that they survive
    /// a power cut. Fails with `status::error_storage` if values of the last seconds may be missing.
    void sync() const { try_sync().value(); }
    /// @copydoc sync
    expected<void> try_sync() const { return detail::checked(phicache_disk_sync(handle())); }

    /// The state of the cache, as this process sees it: failures, damaged records, segments, the memory of the index.
    phicache_disk_health disk_health() const { return try_disk_health().value(); }
    /// @copydoc disk_health
    expected<phicache_disk_health> try_disk_health() const {
        const expected<cache> any = try_view();
        if (!any) return any.error();
        return any->try_disk_health();
    }
};

/// What is in the configured directory: one item for each identity and role, ordered by them. `verify` reads every
/// record and value, and counts the damaged ones. Fails if the directory does not exist.
inline expected<std::vector<phicache_disk_item>> try_disk_list(config_ref settings = {}, bool verify = false) {
    std::vector<phicache_disk_item> items;
    std::size_t count = 0;
    phicache_status code;
    do {
        items.resize(count);
        if (count > 0) items.front().struct_size = sizeof(phicache_disk_item);
        code = phicache_disk_list(settings.handle(), verify && count > 0, items.data(), items.size(), &count);
    } while (code == PHICACHE_ERROR_BUFFER_TOO_SMALL);
    if (code < 0) return failure(code);
    items.resize(count);
    return items;
}
/// @copydoc try_disk_list
inline std::vector<phicache_disk_item> disk_list(config_ref settings = {}, bool verify = false) {
    return try_disk_list(settings, verify).value();
}

/// What a file is to which a cache was saved, and what it contains. `verify` reads every value, and counts the damaged
/// ones.
inline expected<phicache_disk_item> try_describe_saved(text path, bool verify = false) {
    phicache_disk_item item{};
    item.struct_size = sizeof item;
    if (const phicache_status code = phicache_bundle_describe(path.c_str(), verify, &item); code < 0)
        return failure(code);
    return item;
}
/// @copydoc try_describe_saved
inline phicache_disk_item describe_saved(text path, bool verify = false) {
    return try_describe_saved(path, verify).value();
}

/// Removes all values of an identity, of all roles, from the configured directory. Processes that use it go on, and
/// find nothing.
inline expected<void> try_disk_remove(const fingerprint& identity, config_ref settings = {}) {
    return detail::checked(phicache_disk_remove(settings.handle(), &identity.raw()));
}
/// @copydoc try_disk_remove
inline void disk_remove(const fingerprint& identity, config_ref settings = {}) {
    try_disk_remove(identity, settings).value();
}

PHICACHE_HPP_END

#endif  // PHICACHE_DISK_HPP
