/// @file cache.hpp
/// Caches of bytes by key: `dict_cache`, which owns its entries, and `cache`, a view of any cache.
#ifndef PHICACHE_CACHE_HPP
#define PHICACHE_CACHE_HPP

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "callback.hpp"
#include "compute.hpp"
#include "config.hpp"
#include "entries.hpp"
#include "key.hpp"
#include "lease.hpp"
#include "owner.hpp"
#include "reader.hpp"
#include "value.hpp"

PHICACHE_HPP_BEGIN

/// Options of a new cache, besides its configuration.
struct cache_options {
    std::string name{};  ///< Its name in the registry, unique among live caches. Empty: not in the registry.
    std::uint64_t max_bytes = 0;  ///< The most bytes it takes, overhead included; 0: only memory limits it.

    // For caches in Redis.
    std::chrono::milliseconds ttl{};    ///< The server expires values after this time; 0: never.
    std::chrono::milliseconds lease{};  ///< How long a process that computes a value makes others wait; 0: not at all.
    bool server_errors = false;  ///< A server failure is `status::error_redis` instead of a miss or a refusal.
    bool no_checksum = false;    ///< Store plain values, without the checksum that ties a value to its key.
    std::chrono::milliseconds scan_timeout{};  ///< Time limit of counting and clearing; 0: 30 seconds.

    phicache::on_full on_full = phicache::on_full::configured;  ///< What the cache does when it is full.

    // For disk caches, whose `max_bytes` bounds all files in the directory (0: 8 GiB).
    std::uint64_t near_bytes = 0;  ///< The most bytes of memory for copies of values in this process; 0: 64 MiB.
    std::chrono::milliseconds refresh{};  ///< How often to look for values of others; 0: each second. `refresh_always`.
    bool read_only = false;       ///< Never write; a store is `status::refused_disabled`.
    bool sync = false;            ///< A store returns when the value is on the storage device.
    bool trust_group = false;     ///< Members of the directory's group may write into it, and are trusted.
    bool storage_errors = false;  ///< A failed file operation is `status::error_storage`, not a miss or a refusal.

    // Verified mode: finds keys that are too short (see "Any cache" in phicache.h).

    /// Every n-th hit of `memoize`, a memo, a method or `begin` is computed again and compared; 0: none, at no cost. A
    /// difference is counted in `stats().differences`, and the new value replaces the old one.
    std::uint64_t verify_every = 0;
    /// Whether two values of a key count as equal: `same(key, kept, computed)`. Empty: if their bytes are equal. For
    /// values whose last bits may differ.
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
    raw.name = options.name.empty() ? nullptr : options.name.c_str();
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

/// A view of a view: the same cache.
inline phicache_status same_cache(phicache_cache* cache, phicache_cache** out) noexcept {
    *out = cache;
    return PHICACHE_OK;
}

template <>
struct c_functions<phicache_cache> {
    static constexpr auto as_cache = same_cache;
    static constexpr auto clear = phicache_cache_clear;
    static constexpr auto size = phicache_cache_size;
    static constexpr auto info = phicache_cache_info;
    static constexpr auto stats = phicache_cache_stats;
    static constexpr auto contains = phicache_cache_contains;
    static constexpr auto remove = phicache_cache_remove;
    static constexpr auto get = phicache_cache_get;
    static constexpr auto get_into = phicache_cache_get_into;
    static constexpr auto set = phicache_cache_set;
    static constexpr auto memoize = phicache_cache_memoize;
    static constexpr auto key = phicache_cache_key;
};

template <>
struct c_functions<phicache_dict_cache> {
    static constexpr auto create = phicache_dict_cache_new;
    static constexpr auto create_shared = phicache_dict_cache_shared;
    static constexpr auto as_cache = phicache_dict_cache_as_cache;
    static constexpr auto clear = phicache_dict_cache_clear;
    static constexpr auto size = phicache_dict_cache_size;
    static constexpr auto info = phicache_dict_cache_info;
    static constexpr auto stats = phicache_dict_cache_stats;
    static constexpr auto contains = phicache_dict_cache_contains;
    static constexpr auto remove = phicache_dict_cache_remove;
    static constexpr auto get = phicache_dict_cache_get;
    static constexpr auto get_into = phicache_dict_cache_get_into;
    static constexpr auto set = phicache_dict_cache_set;
    static constexpr auto memoize = phicache_dict_cache_memoize;
    static constexpr auto key = phicache_dict_cache_key;
};

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

/// The handle of a cache of any type.
inline phicache_status as_any(phicache_cache* cache, phicache_cache** out) noexcept {
    *out = cache;
    return PHICACHE_OK;
}
/// @copydoc as_any
template <class Handle>
phicache_status as_any(Handle* cache, phicache_cache** out) noexcept {
    return c_functions<Handle>::as_cache(cache, out);
}

/// The status of a call that returns OK or MISS, as a bool.
inline expected<bool> found(phicache_status code) noexcept {
    if (code < 0) return failure(code);
    return code == PHICACHE_OK;
}

/// The status of a store, as an outcome.
inline expected<outcome> stored(phicache_status code) noexcept {
    if (code < 0) return failure(code);
    return outcome(code);
}

/// Enabled for ranges, unless all of them hold C's bytes already.
template <class... Ranges>
using if_byte_ranges = std::enable_if_t<(is_range<Ranges>::value && ...) &&
                                           !(std::is_convertible_v<const Ranges&, span<const phicache_bytes>> && ...),
                                       int>;

/// The bytes of each element; they still belong to the range.
template <class Range>
std::vector<phicache_bytes> borrow_bytes(const Range& range) {
    std::vector<phicache_bytes> borrowed;
    for (auto&& element : range) {
        static_assert(std::is_lvalue_reference_v<decltype(element)>,
                      "the range must hold its elements, not create them on iteration: their bytes are borrowed");
        borrowed.push_back(to_bytes(element));
    }
    return borrowed;
}
/// The same for keys, which must convert to `bytes`.
template <class Range>
std::vector<phicache_bytes> borrow_keys(const Range& keys) {
    static_assert(std::is_convertible_v<decltype(*std::begin(keys)), bytes>, "a key must convert to phicache::bytes");
    return borrow_bytes(keys);
}

/// A copy of the value of a key as T, which is read from pinned bytes; out of line, to keep calls small.
template <class T, class Handle>
[[gnu::noinline]] std::optional<T> get_in(Handle* cache, bytes key) {
    const std::optional<value> pinned =
        look_up<value>([=](phicache_value* out) { return c_functions<Handle>::get(cache, key, out); });
    std::optional<T> copied;
    if (pinned && !reader<T>::read(*pinned, copied.emplace())) raise_wrong_size();
    return copied;
}
/// @copydoc get_in
template <class T, class Handle>
[[gnu::noinline]] expected<std::optional<T>> try_get_in(Handle* cache, bytes key) {
    const expected<std::optional<value>> pinned =
        try_look_up<value>([=](phicache_value* out) { return c_functions<Handle>::get(cache, key, out); });
    if (!pinned) return pinned.error();
    expected<std::optional<T>> copied(std::in_place);
    if (*pinned && !reader<T>::read(**pinned, copied->emplace())) copied = wrong_size();
    return copied;
}

// The same operations by keys in parts, which C has for caches of any type. Out of line.

/// The status of a call of C for the view of a cache.
template <class Handle, class Call>
[[gnu::always_inline]] inline phicache_status in_view(Handle* cache, const Call& call) {
    phicache_cache* any = nullptr;
    const phicache_status code = as_any(cache, &any);
    return code < 0 ? code : call(any);
}

template <class Handle>
[[gnu::noinline]] phicache_status get_parts(Handle* cache, const key_parts& key, phicache_value* out) {
    return in_view(cache, [&](phicache_cache* any) {
        return phicache_cache_get_parts(any, key.data(), key.size(), out);
    });
}
template <class Handle>
[[gnu::noinline]] phicache_status get_into_parts(Handle* cache, const key_parts& key, void* buffer,
                                                 std::size_t capacity, std::size_t* len) {
    return in_view(cache, [&](phicache_cache* any) {
        return phicache_cache_get_into_parts(any, key.data(), key.size(), static_cast<std::uint8_t*>(buffer), capacity,
                                             len);
    });
}
template <class Handle>
[[gnu::noinline]] phicache_status set_parts(Handle* cache, const key_parts& key, bytes stored) {
    return in_view(cache, [&](phicache_cache* any) {
        return phicache_cache_set_parts(any, key.data(), key.size(), stored);
    });
}
template <class T, class Handle>
[[gnu::noinline]] T memoize_parts(Handle* cache, const key_parts& key, phicache_compute compute, void* function) {
    memoize_frame<T> frame;
    return memoize_as<T>(frame, [&](void* call, phicache_value* out) {
        return in_view(cache, [&](phicache_cache* any) {
            return phicache_cache_memoize_parts(any, key.data(), key.size(), compute, function, call, out, nullptr);
        });
    });
}
template <class T, class Handle>
[[gnu::noinline]] expected<T> try_memoize_parts(Handle* cache, const key_parts& key, phicache_compute compute,
                                                void* function) {
    memoize_frame<T> frame;
    return try_memoize_as<T>(frame, [&](void* call, phicache_value* out) {
        return in_view(cache, [&](phicache_cache* any) {
            return phicache_cache_memoize_parts(any, key.data(), key.size(), compute, function, call, out, nullptr);
        });
    });
}

}  // namespace detail

/// Clearing, statistics, and the entries: what all caches have in common.
template <class Cache, class Handle>
class accounting {
public:
    /// Removes all entries and resets the counts. Pinned values stay valid.
    void clear() const { try_clear().value(); }
    /// @copydoc clear
    expected<void> try_clear() const { return detail::checked(c::clear(raw())); }

    /// The number of entries.
    std::uint64_t size() const { return try_size().value(); }
    /// @copydoc size
    expected<std::uint64_t> try_size() const {
        std::uint64_t count = 0;
        if (const phicache_status code = c::size(raw(), &count); code < 0) return failure(code);
        return count;
    }

    /// Hits, misses and entries.
    phicache_info info() const { return try_info().value(); }
    /// @copydoc info
    expected<phicache_info> try_info() const {
        phicache_info figures{};
        if (const phicache_status code = c::info(raw(), &figures); code < 0) return failure(code);
        return figures;
    }

    /// All statistics, as the C header describes them: bytes, stores, refusals by reason, time spent computing, …
    phicache_stats stats() const { return try_stats().value(); }
    /// @copydoc stats
    expected<phicache_stats> try_stats() const {
        phicache_stats figures{};
        figures.struct_size = sizeof figures;
        if (const phicache_status code = c::stats(raw(), &figures); code < 0) return failure(code);
        return figures;
    }

    /// All entries, one by one: see `entry_range`. Fails with `status::error_unsupported` for a cache in Redis.
    entry_range entries() const { return try_entries().value(); }
    /// @copydoc entries
    expected<entry_range> try_entries() const {
        phicache_cache* any = nullptr;
        if (const phicache_status code = detail::as_any(raw(), &any); code < 0) return failure(code);
        return detail::create<entry_range>([&](phicache_walk** out) { return phicache_walk_new(any, out); });
    }

protected:
    using c = detail::c_functions<Handle>;
    Handle* raw() const noexcept { return static_cast<const Cache&>(*this).handle(); }
};

/// Testing for keys and removing them: what all caches with byte keys have in common.
template <class Cache, class Handle>
class keyed : public accounting<Cache, Handle> {
    using c = detail::c_functions<Handle>;

public:
    /// Whether the cache has a value for the key; counts neither a hit nor a miss.
    bool contains(bytes key) const { return try_contains(key).value(); }
    /// @copydoc contains
    expected<bool> try_contains(bytes key) const { return detail::found(c::contains(this->raw(), key)); }

    /// Removes the entry of a key; returns false if there is none. Pinned values stay valid.
    bool remove(bytes key) const { return try_remove(key).value(); }
    /// @copydoc remove
    expected<bool> try_remove(bytes key) const { return detail::found(c::remove(this->raw(), key)); }
};

/// Lookup, store and memoization of byte values: what all caches of bytes have in common.
template <class Cache, class Handle>
class byte_cache : public keyed<Cache, Handle> {
    using c = detail::c_functions<Handle>;

public:
    /// The value of a key, pinned in place; empty on a miss.
    std::optional<value> get(bytes key) const { return detail::look_up<value>(get_call(key)); }
    /// @copydoc get
    expected<std::optional<value>> try_get(bytes key) const { return detail::try_look_up<value>(get_call(key)); }

    /// As `get`, but counts nothing, and does not make the entry count as used.
    std::optional<value> peek(bytes key) const { return detail::look_up<value>(peek_call(key)); }
    /// @copydoc peek
    expected<std::optional<value>> try_peek(bytes key) const { return detail::try_look_up<value>(peek_call(key)); }

    /// A copy of the value of a key as T, a type that `value::as` takes; empty on a miss. For a trivially copyable T
    /// this is the fastest lookup. Fails if the value does not fit.
    template <class T>
    std::optional<T> get(bytes key) const {
        if constexpr (copies_in_place<T>) {
            phicache_status code;
            std::optional<T> found(std::in_place, copied_value<T>{this->raw(), key, code});
            if (code != PHICACHE_OK) {
                if (code < 0) raise_copy_failure(code);
                found.reset();
            }
            return found;
        } else {
            return detail::get_in<T>(this->raw(), key);
        }
    }
    /// @copydoc get
    template <class T>
    expected<std::optional<T>> try_get(bytes key) const {
        if constexpr (copies_in_place<T>) {
            phicache_status code;
            expected<std::optional<T>> found(std::in_place, std::in_place, copied_value<T>{this->raw(), key, code});
            if (code != PHICACHE_OK) {
                if (code < 0) return copy_failure(code);
                found->reset();
            }
            return found;
        } else {
            return detail::try_get_in<T>(this->raw(), key);
        }
    }

    /// Stores a copy of the content, which converts to `bytes`, is a trivially copyable object, or has several parts
    /// (see `value_writer`), and replaces an older value. If the store is refused, the older value stays.
    template <class Content>
    outcome set(bytes key, const Content& content) const {
        return try_set(key, content).value();
    }
    /// @copydoc set
    template <class Content>
    expected<outcome> try_set(bytes key, const Content& content) const {
        return detail::with_bytes(content,
                                  [&](bytes stored) { return detail::stored(c::set(this->raw(), key, stored)); });
    }

    /// The same, and tells the cache what it would cost to compute the value again, in computing time (0 or less: not
    /// known). A full cache that evicts keeps what costs the most for each byte.
    template <class Content>
    outcome set_with_cost(bytes key, const Content& content, std::chrono::nanoseconds cost) const {
        return try_set_with_cost(key, content, cost).value();
    }
    /// @copydoc set_with_cost
    template <class Content>
    expected<outcome> try_set_with_cost(bytes key, const Content& content, std::chrono::nanoseconds cost) const {
        phicache_cache* any = nullptr;
        if (const phicache_status code = c::as_cache(this->raw(), &any); code < 0) return failure(code);
        return detail::with_bytes(content, [&](bytes stored) {
            return detail::stored(phicache_cache_set_with_cost(any, key, stored, detail::to_cost(cost)));
        });
    }

    /// The value of a key, pinned; computed by `compute` on a miss. `compute` takes no argument and returns the content
    /// (anything that `set` takes, or an `expected` of it), or it takes a `result&` and writes there.
    ///
    /// If many threads request the key, one computes it and the others wait. No lock is held while `compute` runs; it
    /// may use this cache for other keys, but requesting its own key fails with `status::error_recursion`. An exception
    /// is passed on unchanged and nothing is cached; without one, a reservation that failed decides the status.
    /// Computations nest as deep as those of a `memo`. If the store is refused, the value is returned anyway: see
    /// `value::refusal`.
    template <class Compute>
    value memoize(bytes key, Compute&& compute) const {
        return value(detail::filled_by_c{}, [&](phicache_value* out) {
            detail::memoize_pinned_in(this->raw(), key, run_memoized<value, Compute>, detail::erased(compute), out);
            return PHICACHE_OK;
        });
    }
    /// @copydoc memoize
    template <class Compute>
    expected<value> try_memoize(bytes key, Compute&& compute) const {
        return detail::try_memoize_in<value>(this->raw(), key, run_memoized<value, Compute>, detail::erased(compute));
    }
    /// The same, with a copy of the value as T; on a miss, the T that the function returned.
    template <class T, class Compute>
    T memoize(bytes key, Compute&& compute) const {
        static_assert(detail::reads_back<T, Compute>, "the function returns another type than the T of memoize<T>");
        return detail::memoize_in<T>(this->raw(), key, run_memoized<T, Compute>, detail::erased(compute));
    }
    /// The same, with a copy of the value as T.
    template <class T, class Compute>
    expected<T> try_memoize(bytes key, Compute&& compute) const {
        static_assert(detail::reads_back<T, Compute>, "the function returns another type than the T of memoize<T>");
        return detail::try_memoize_in<T>(this->raw(), key, run_memoized<T, Compute>, detail::erased(compute));
    }

    // Keys in parts: `cache.memoize<double>({p, q}, …)`. See `key_parts`.

    /// @copydoc get
    std::optional<value> get(const key_parts& key) const {
        return detail::look_up<value>([&](phicache_value* out) { return detail::get_parts(this->raw(), key, out); });
    }
    /// @copydoc get
    expected<std::optional<value>> try_get(const key_parts& key) const {
        return detail::try_look_up<value>(
            [&](phicache_value* out) { return detail::get_parts(this->raw(), key, out); });
    }
    /// @copydoc get
    template <class T>
    std::optional<T> get(const key_parts& key) const {
        expected<std::optional<T>> found = try_get<T>(key);
        if (!found) detail::raise(found.error());
        return std::move(*found);
    }
    /// @copydoc get
    template <class T>
    expected<std::optional<T>> try_get(const key_parts& key) const {
        if constexpr (copies_in_place<T>) {
            expected<std::optional<T>> found(std::in_place, std::in_place);
            std::size_t len = 0;
            const phicache_status code = detail::get_into_parts(this->raw(), key, &**found, sizeof(T), &len);
            if (code == PHICACHE_MISS) found->reset();
            if (code < 0) return copy_failure(code);
            if (code == PHICACHE_OK && len != sizeof(T)) return detail::wrong_size();
            return found;
        } else {
            const expected<std::optional<value>> pinned = try_get(key);
            if (!pinned) return pinned.error();
            if (!*pinned) return std::optional<T>();
            expected<T> copied = (*pinned)->template try_as<T>();
            if (!copied) return copied.error();
            return std::optional<T>(std::move(*copied));
        }
    }
    /// @copydoc set
    template <class Content>
    outcome set(const key_parts& key, const Content& content) const {
        return try_set(key, content).value();
    }
    /// @copydoc set
    template <class Content>
    expected<outcome> try_set(const key_parts& key, const Content& content) const {
        return detail::with_bytes(content, [&](bytes stored) {
            return detail::stored(detail::set_parts(this->raw(), key, stored));
        });
    }
    /// @copydoc memoize
    template <class Compute>
    value memoize(const key_parts& key, Compute&& compute) const {
        return memoize_parts<value>(key, compute);
    }
    /// @copydoc memoize
    template <class Compute>
    expected<value> try_memoize(const key_parts& key, Compute&& compute) const {
        return try_memoize_parts<value>(key, compute);
    }
    /// @copydoc memoize
    template <class T, class Compute>
    T memoize(const key_parts& key, Compute&& compute) const {
        static_assert(detail::reads_back<T, Compute>, "the function returns another type than the T of memoize<T>");
        return memoize_parts<T>(key, compute);
    }
    /// @copydoc memoize
    template <class T, class Compute>
    expected<T> try_memoize(const key_parts& key, Compute&& compute) const {
        static_assert(detail::reads_back<T, Compute>, "the function returns another type than the T of memoize<T>");
        return try_memoize_parts<T>(key, compute);
    }

    /// Fills a reader for lookups of the calling thread in this cache, for loops: see `reader`.
    phicache::reader reader() const {
        phicache_cache* any = nullptr;
        detail::require(detail::as_any(this->raw(), &any));
        return phicache::reader(any);
    }

    /// The key of an argument list in this cache, PyPhi's `cache.key(args, prefix)`: valid until `args` changes. The
    /// prefix may be null.
    bytes key_of(const key& args, text prefix = nullptr) const { return try_key_of(args, prefix).value(); }
    /// @copydoc key_of
    expected<bytes> try_key_of(const key& args, text prefix = nullptr) const {
        if (const expected<void> good = args.check(); !good) return good.error();
        phicache_bytes encoded{};
        const phicache_status code = c::key(this->raw(), prefix.c_str(), args.handle(), &encoded);
        if (code < 0) return failure(code);
        return bytes(encoded);
    }

private:
    template <class T, class Compute>
    static constexpr phicache_compute run_memoized =
        &detail::run_memoized<detail::write_bytes, T, std::remove_reference_t<Compute>>;

    template <class T, class Compute>
    T memoize_parts(const key_parts& key, Compute& compute) const {
        return detail::memoize_parts<T>(this->raw(), key, run_memoized<T, Compute>, detail::erased(compute));
    }
    template <class T, class Compute>
    expected<T> try_memoize_parts(const key_parts& key, Compute& compute) const {
        return detail::try_memoize_parts<T>(this->raw(), key, run_memoized<T, Compute>, detail::erased(compute));
    }

    auto get_call(bytes key) const noexcept {
        return [cache = this->raw(), key](phicache_value* out) { return c::get(cache, key, out); };
    }
    auto peek_call(bytes key) const noexcept {
        return [cache = this->raw(), key](phicache_value* out) {
            phicache_cache* any = nullptr;
            const phicache_status code = detail::as_any(cache, &any);
            return code < 0 ? code : phicache_cache_peek(any, key, out);
        };
    }
    /// Plain types, except those that are constructible from anything: they would be constructed from `copied_value`.
    template <class T>
    static constexpr bool copies_in_place =
        detail::is_plain_object<T> && !detail::is_gathered<T> && !std::is_constructible_v<T, detail::filled_by_c>;

    /// Converts to a copy of the value of a key: an optional that is constructed from this lets C copy into the object
    /// that the caller receives.
    template <class T>
    struct copied_value {
        Handle* cache;
        bytes key;
        phicache_status& code;

        operator T() const {
            static_assert(std::is_default_constructible_v<T>, "the requested type needs a default constructor");
            T object;
            std::size_t len;
            void* const buffer = __builtin_addressof(object);
            code = c::get_into(cache, key, static_cast<std::uint8_t*>(buffer), sizeof(T), &len);
            if (code == PHICACHE_OK && len != sizeof(T)) code = PHICACHE_ERROR_BUFFER_TOO_SMALL;
            return object;
        }
    };
    /// Why a value could not be copied as T.
    static failure copy_failure(phicache_status code) noexcept {
        return code == PHICACHE_ERROR_BUFFER_TOO_SMALL ? detail::wrong_size() : failure(code);
    }
    [[noreturn, gnu::cold, gnu::noinline]] static void raise_copy_failure(phicache_status code) {
        detail::raise(copy_failure(code));
    }
};

/// A view of any cache, with all operations; owns nothing and is valid during the lifetime of the cache. Every cache
/// converts to it.
class cache : public byte_cache<cache, phicache_cache> {
public:
    explicit cache(phicache_cache* raw) noexcept : raw_(raw) {}
    phicache_cache* handle() const noexcept { return raw_; }

    /// The values of many keys, pinned, in the order of the keys; a missing value has a null address. In Redis this is
    /// one round trip; in a large cache of this process it is several times as fast as one lookup after the other. With
    /// `cache_options::server_errors` it fails if the lookup of any key fails.
    std::vector<value> get_many(span<const phicache_bytes> keys) const { return try_get_many(keys).value(); }
    /// @copydoc get_many
    expected<std::vector<value>> try_get_many(span<const phicache_bytes> keys) const {
        std::vector<phicache_value> raw(keys.size());
        const phicache_status code = phicache_cache_get_many(raw_, keys.data(), keys.size(), raw.data(), nullptr);
        std::vector<value> found(raw.begin(), raw.end());  // owns the pins, also on an error
        if (code < 0) return failure(code);
        return found;
    }

    /// Stores copies of many values, each under the key with the same index; returns the outcome of each. In Redis this
    /// is one round trip, which may fail for some keys: the error is then their outcome. It is thrown if all keys fail.
    std::vector<outcome> set_many(span<const phicache_bytes> keys, span<const phicache_bytes> values) const {
        return try_set_many(keys, values).value();
    }
    /// @copydoc set_many
    expected<std::vector<outcome>> try_set_many(span<const phicache_bytes> keys,
                                                span<const phicache_bytes> values) const {
        if (keys.size() != values.size())
            return failure(status::error_invalid_argument,
                           "set_many got different numbers of keys and values; it needs one value for each key");
        std::vector<phicache_status> raw(keys.size());
        const phicache_status code =
            phicache_cache_set_many(raw_, keys.data(), values.data(), keys.size(), raw.data());
        std::vector<outcome> outcomes;
        outcomes.reserve(raw.size());
        bool all_failed = code < 0;
        for (const phicache_status one : raw) {
            all_failed = all_failed && one == code;
            outcomes.emplace_back(one);
        }
        if (all_failed) return failure(code);
        return outcomes;
    }

    // The same for ranges: of keys that convert to `bytes` (`std::string`, `key_bytes`, …), and of values that `set`
    // takes.

    /// @copydoc get_many
    template <class Keys, detail::if_byte_ranges<Keys> = 0>
    std::vector<value> get_many(const Keys& keys) const {
        return try_get_many(keys).value();
    }
    /// @copydoc get_many
    template <class Keys, detail::if_byte_ranges<Keys> = 0>
    expected<std::vector<value>> try_get_many(const Keys& keys) const {
        return try_get_many(detail::borrow_keys(keys));
    }
    /// @copydoc set_many
    template <class Keys, class Values, detail::if_byte_ranges<Keys, Values> = 0>
    std::vector<outcome> set_many(const Keys& keys, const Values& values) const {
        return try_set_many(keys, values).value();
    }
    /// @copydoc set_many
    template <class Keys, class Values, detail::if_byte_ranges<Keys, Values> = 0>
    expected<std::vector<outcome>> try_set_many(const Keys& keys, const Values& values) const {
        return try_set_many(detail::borrow_keys(keys), detail::borrow_bytes(values));
    }

    /// The state of the connection to the server of a cache in Redis, shared by all caches with the same connection
    /// settings. Does not contact the server.
    phicache_redis_health redis_health() const { return try_redis_health().value(); }
    /// @copydoc redis_health
    expected<phicache_redis_health> try_redis_health() const {
        phicache_redis_health health{};
        health.struct_size = sizeof health;
        if (const phicache_status code = phicache_cache_redis_health(raw_, &health); code < 0) return failure(code);
        return health;
    }

    /// The state of a disk cache, as this process sees it. Fails with `status::error_invalid_handle` for other caches.
    phicache_disk_health disk_health() const { return try_disk_health().value(); }
    /// @copydoc disk_health
    expected<phicache_disk_health> try_disk_health() const {
        phicache_disk_health health{};
        health.struct_size = sizeof health;
        if (const phicache_status code = phicache_cache_disk_health(raw_, &health); code < 0) return failure(code);
        return health;
    }

    /// Looks up a key without waiting and without a callback. Returns `status::ok` and the value; `status::lease` and
    /// the lease to compute it, or to compute it again in verified mode; or `status::busy` if another owner computes
    /// it. `owner` identifies the caller: 0 is this thread, other numbers (below 2^63) are tasks. Fails with
    /// `status::error_recursion` if the owner computes the key already.
    begin_result begin(bytes key, std::uint64_t owner = 0) const { return try_begin(key, owner).value(); }
    /// @copydoc begin
    expected<begin_result> try_begin(bytes key, std::uint64_t owner = 0) const {
        begin_result answer;
        phicache_lease* granted = nullptr;
        const phicache_status code = phicache_cache_begin(raw_, key, owner, answer.value.out(), &granted);
        if (code < 0) return failure(code);
        answer.status = static_cast<status>(code);
        answer.lease = lease(granted);
        return answer;
    }

    /// Waits up to `milliseconds` for the computation of a key. Returns `status::ok` and the value; `status::timeout`;
    /// `status::miss` if it ended without a value: begin again; or `status::busy` if waiting would be a deadlock,
    /// because the computation waits for this owner: compute without a lease.
    begin_result wait(bytes key, std::uint32_t milliseconds, std::uint64_t owner = 0) const {
        return try_wait(key, milliseconds, owner).value();
    }
    /// @copydoc wait
    expected<begin_result> try_wait(bytes key, std::uint32_t milliseconds, std::uint64_t owner = 0) const {
        begin_result answer;
        const phicache_status code = phicache_cache_wait(raw_, key, owner, milliseconds, answer.value.out());
        if (code < 0) return failure(code);
        answer.status = static_cast<status>(code);
        return answer;
    }

private:
    phicache_cache* raw_;
};

/// Converts an owned cache to `cache`, the view that has all operations.
template <class Cache, class Handle>
class viewable {
public:
    /// The same as `view()`.
    operator cache() const& { return view(); }
    /// The view of this cache: owns nothing, and is valid during the lifetime of the cache, also after a move.
    cache view() const& {
        phicache_cache* raw = nullptr;
        detail::require(detail::c_functions<Handle>::as_cache(static_cast<const Cache&>(*this).handle(), &raw));
        return cache(raw);
    }
    /// @copydoc view
    expected<cache> try_view() const& {
        phicache_cache* raw = nullptr;
        const auto code = detail::c_functions<Handle>::as_cache(static_cast<const Cache&>(*this).handle(), &raw);
        if (code < 0) return failure(code);
        return cache(raw);
    }
    // A view of a temporary cache would dangle.
    operator cache() const&& = delete;
    cache view() const&& = delete;
    expected<cache> try_view() const&& = delete;
};

/// PyPhi's DictCache: an in-process cache from byte keys to byte values.
class dict_cache : public owner<phicache_dict_cache, phicache_dict_cache_free>,
                   public byte_cache<dict_cache, phicache_dict_cache>,
                   public viewable<dict_cache, phicache_dict_cache> {
public:
    using owner::owner;
    /// A cache with the configuration of the process, or another one. Allocates no table before the first entry.
    explicit dict_cache(const cache_options& options = {}, config_ref settings = {})
        : dict_cache(try_make(options, settings).value()) {}
    explicit dict_cache(config_ref settings) : dict_cache(cache_options{}, settings) {}
    static expected<dict_cache> try_make(const cache_options& options = {}, config_ref settings = {}) {
        return detail::create_cache<dict_cache>(options, settings);
    }

    /// The cache that all handles with this fingerprint and role share, freed with the last of them. All must use the
    /// same options and configuration.
    static dict_cache shared(const fingerprint& identity, text role, const cache_options& options = {},
                             config_ref settings = {}) {
        return try_shared(identity, role, options, settings).value();
    }
    /// @copydoc shared
    static expected<dict_cache> try_shared(const fingerprint& identity, text role, const cache_options& options = {},
                                           config_ref settings = {}) {
        return detail::create_shared_cache<dict_cache>(identity, role, options, settings);
    }
};

PHICACHE_HPP_END

#endif  // PHICACHE_CACHE_HPP
