/// @file operations.hpp
/// What caches have in common: `accounting`, `keyed` (by any key) and `byte_cache` (lookup, store, memoization).
#ifndef PHICACHE_OPERATIONS_HPP
#define PHICACHE_OPERATIONS_HPP

#include <chrono>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "compute.hpp"
#include "entries.hpp"
#include "key.hpp"
#include "lease.hpp"
#include "owner.hpp"
#include "reader.hpp"
#include "value.hpp"

PHICACHE_HPP_BEGIN

namespace detail {

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

/// Enabled for calls with another number of arguments, which fail in few lines: elsewhere compilers list all overloads.
template <std::size_t Count, class... Given>
using if_not = std::enable_if_t<sizeof...(Given) != Count, int>;
/// The result of a lookup; no call with another T, which `may_get` refuses.
template <class T>
using maybe = std::enable_if_t<std::is_object_v<T>, std::optional<T>>;
template <class T, class... Given>
inline constexpr bool may_get = std::is_object_v<T> && sizeof...(Given) == 1;
/// Whether an F may be called: it is an object or a function.
template <class F>
inline constexpr bool is_callable = std::is_class_v<std::remove_reference_t<F>> ||
                                    std::is_function_v<std::remove_pointer_t<std::remove_reference_t<F>>>;
template <class F>
using if_function = std::enable_if_t<is_callable<F>, int>;
/// The same, for calls with a T, as which the value is read.
template <class T, class F>
using if_computes = std::enable_if_t<std::is_object_v<T> && is_callable<F>, int>;
template <class F>
using if_no_function = std::enable_if_t<!is_callable<F>, int>;
/// Whether these may be the arguments of `memoize`, and of `set_with_cost`. As above, for calls with others.
template <class... Given>
inline constexpr bool have_function = false;
template <class Key, class F>
inline constexpr bool have_function<Key, F> = is_callable<F>;
template <class T, class... Given>
inline constexpr bool may_memoize = std::is_object_v<T> && have_function<Given...>;
template <class... Given>
inline constexpr bool have_cost = false;
template <class Key, class Content, class Cost>
inline constexpr bool have_cost<Key, Content, Cost> = std::is_convertible_v<const Cost&, std::chrono::nanoseconds>;
#define PHICACHE_HPP_PARTS "a key of several parts is in braces, as in {p, q}, or a phicache::key::of(p, q)"

#define PHICACHE_HPP_COST                                                                                          \
    "set_with_cost takes a key, a value, and what it cost to compute: a std::chrono::duration, as in "             \
    "std::chrono::seconds(5)"

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

/// A copy of the value of a key as T, which is read from pinned bytes; out of line, to keep calls small.
template <class T, class Handle>
[[gnu::noinline]] std::optional<T> get_in(Handle* cache, bytes key) {
    const std::optional<value> pinned =
        look_up<value>([=](phicache_value* out) { return c_functions<Handle>::get(cache, key, out); });
    std::optional<T> copied;
    if constexpr (is_value<T>::value) {
        if (pinned && !reader<T>::read(*pinned, copied.emplace())) raise_wrong_size();
    } else {
        static_assert(is_value<T>::value, PHICACHE_HPP_VALUES);
    }
    return copied;
}
/// @copydoc get_in
template <class T, class Handle>
[[gnu::noinline]] expected<std::optional<T>> try_get_in(Handle* cache, bytes key) {
    const expected<std::optional<value>> pinned =
        try_look_up<value>([=](phicache_value* out) { return c_functions<Handle>::get(cache, key, out); });
    if (!pinned) return pinned.error();
    expected<std::optional<T>> copied(std::in_place);
    if constexpr (is_value<T>::value) {
        if (*pinned && !reader<T>::read(**pinned, copied->emplace())) copied = wrong_size();
    } else {
        static_assert(is_value<T>::value, PHICACHE_HPP_VALUES);
    }
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
    expected<std::uint64_t> try_size() const { return detail::answer<std::uint64_t>(c::size, raw()); }

    /// Hits, misses and entries.
    phicache_info info() const { return try_info().value(); }
    /// @copydoc info
    expected<phicache_info> try_info() const { return detail::answer<phicache_info>(c::info, raw()); }

    /// All statistics, as the C header describes them: bytes, stores, refusals by reason, time spent computing, …
    phicache_stats stats() const { return try_stats().value(); }
    /// @copydoc stats
    expected<phicache_stats> try_stats() const { return detail::answer<phicache_stats>(c::stats, raw()); }

    /// All entries, one by one: see `entry_range`. Fails with `status::error_unsupported` for a cache in Redis.
    entry_range entries() const { return try_entries().value(); }
    /// @copydoc entries
    expected<entry_range> try_entries() const {
        phicache_cache* any = nullptr;
        if (const phicache_status code = detail::as_any(raw(), &any); code < 0) return failure(code);
        return detail::create<entry_range>([&](phicache_walk** out) { return phicache_walk_new(any, out); });
    }

    void begin() const = delete;  // the range is that of entries()
    /// Without it, compilers also complain of a missing `end`, in many lines.
    entry_range::sentinel end() const noexcept { return {}; }

    /// Saves the values of a cache in this process to one file, with what they cost to compute, and returns their
    /// number. `context` says how they were computed. An older file stays until the new one is complete. See "Saved
    /// caches" in phicache.h.
    std::uint64_t save(text path, bytes context) const { return try_save(path, context).value(); }
    /// @copydoc save
    expected<std::uint64_t> try_save(text path, bytes context) const {
        phicache_cache* any = nullptr;
        if (const phicache_status code = detail::as_any(raw(), &any); code < 0) return failure(code);
        return detail::answer<std::uint64_t>(phicache_cache_save, any, path.c_str(), context);
    }

    /// Loads the values of a saved cache of the same type and context, and returns what has become of them. Keys that
    /// have a value keep it; values for which there is no room are refused. Fails without having loaded anything with
    /// `status::error_invalid_argument` if the file was saved with another context, or has the MICE of another
    /// subsystem or cut, or the values of a shared cache of another fingerprint, if this one is shared.
    phicache_load_counts load(text path, bytes context) const { return try_load(path, context).value(); }
    /// @copydoc load
    expected<phicache_load_counts> try_load(text path, bytes context) const {
        phicache_cache* any = nullptr;
        if (const phicache_status code = detail::as_any(raw(), &any); code < 0) return failure(code);
        return detail::answer<phicache_load_counts>(phicache_cache_load, any, path.c_str(), context);
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

    /// Removes the entry of a key; returns whether it had one. Pinned values stay valid.
    bool remove(bytes key) const { return try_remove(key).value(); }
    /// @copydoc remove
    expected<bool> try_remove(bytes key) const { return detail::found(c::remove(this->raw(), key)); }
};

/// Lookup, store and memoization of byte values: what `dict_cache`, `redis_cache` and `cache` have in common.
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
    detail::maybe<T> get(bytes key) const {
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
    expected<detail::maybe<T>> try_get(bytes key) const {
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

    /// Refuses calls with too few or too many arguments.
    template <class T = value, class... Given, std::enable_if_t<!detail::may_get<T, Given...>, int> = 0>
    std::optional<value> get(const Given&...) const {
        static_assert(std::is_object_v<T>, "a value is read as an object, not as void or a reference");
        static_assert(!std::is_object_v<T> || sizeof...(Given) == 1, "get takes one key; " PHICACHE_HPP_PARTS);
        detail::refused();
    }
    /// @copydoc get
    template <class T = value, class... Given, std::enable_if_t<!detail::may_get<T, Given...>, int> = 0>
    expected<std::optional<value>> try_get(const Given&...) const {
        static_assert(std::is_object_v<T>, "a value is read as an object, not as void or a reference");
        static_assert(!std::is_object_v<T> || sizeof...(Given) == 1, "try_get takes one key; " PHICACHE_HPP_PARTS);
        detail::refused();
    }

    /// Stores a copy of the content, which converts to `bytes`, is a trivially copyable object, or has several parts
    /// (see `value_writer`), and replaces an older value. If the store is refused, the older value stays.
    template <class Content>
    outcome set(bytes key, const Content& content) const {
        return detail::with_bytes(content, set_call(key)).value();
    }
    /// @copydoc set
    template <class Content>
    expected<outcome> try_set(bytes key, const Content& content) const {
        return detail::with_bytes(content, set_call(key));
    }

    /// Refuses calls with too few or too many arguments.
    template <class... Given, detail::if_not<2, Given...> = 0>
    outcome set(const Given&...) const {
        static_assert(sizeof...(Given) == 2, "set takes a key and a value; " PHICACHE_HPP_PARTS);
        detail::refused();
    }
    /// @copydoc set
    template <class... Given, detail::if_not<2, Given...> = 0>
    expected<outcome> try_set(const Given&...) const {
        static_assert(sizeof...(Given) == 2, "try_set takes a key and a value; " PHICACHE_HPP_PARTS);
        detail::refused();
    }

    /// The same, and tells the cache what it would cost to compute the value again, in computing time (0 or less: not
    /// known). A full cache that evicts keeps what costs the most for each byte.
    template <class Content>
    outcome set_with_cost(bytes key, const Content& content, std::chrono::nanoseconds cost) const {
        return detail::with_bytes(content, set_call(key, cost)).value();
    }
    /// @copydoc set_with_cost
    template <class Content>
    expected<outcome> try_set_with_cost(bytes key, const Content& content, std::chrono::nanoseconds cost) const {
        return detail::with_bytes(content, set_call(key, cost));
    }
    template <class Content>
    void set_with_cost(const key_parts& use_key_of, const Content&, std::chrono::nanoseconds) const = delete;
    template <class Content>
    void try_set_with_cost(const key_parts& use_key_of, const Content&, std::chrono::nanoseconds) const = delete;
    /// Refuses calls with other arguments.
    template <class... Given, std::enable_if_t<!detail::have_cost<Given...>, int> = 0>
    outcome set_with_cost(const Given&...) const {
        static_assert(detail::have_cost<Given...>, PHICACHE_HPP_COST);
        detail::refused();
    }
    /// @copydoc set_with_cost
    template <class... Given, std::enable_if_t<!detail::have_cost<Given...>, int> = 0>
    expected<outcome> try_set_with_cost(const Given&...) const {
        static_assert(detail::have_cost<Given...>, PHICACHE_HPP_COST);
        detail::refused();
    }

    /// The value of a key, pinned; computed by `compute` on a miss. `compute` takes no argument and returns the content
    /// (anything that `set` takes, or an `expected` of it), or it takes a `result&` and writes there.
    ///
    /// If many threads request the key, one computes it and the others wait. No lock is held while `compute` runs; it
    /// may use this cache for other keys, but requesting its own key fails with `status::error_recursion`. An exception
    /// is passed on unchanged and nothing is cached; without one, a reservation that failed decides the status.
    /// Computations nest as deep as those of a `memo`. If the store is refused, the value is returned anyway: see
    /// `value::refusal`.
    template <class Compute, detail::if_function<Compute> = 0>
    value memoize(bytes key, Compute&& compute) const {
        return value(detail::filled_by_c{}, [&](phicache_value* out) {
            detail::memoize_pinned_in(this->raw(), key, run_memoized<value, Compute>, detail::erased(compute), out);
            return PHICACHE_OK;
        });
    }
    /// @copydoc memoize
    template <class Compute, detail::if_function<Compute> = 0>
    expected<value> try_memoize(bytes key, Compute&& compute) const {
        return detail::try_memoize_in<value>(this->raw(), key, run_memoized<value, Compute>, detail::erased(compute));
    }
    /// The same, with a copy of the value as T; on a miss, the T that the function returned.
    template <class T, class Compute, detail::if_computes<T, Compute> = 0>
    T memoize(bytes key, Compute&& compute) const {
        static_assert(detail::check_returned<T, Compute>());
        return detail::memoize_in<T>(this->raw(), key, run_memoized<T, Compute>, detail::erased(compute));
    }
    /// The same, with a copy of the value as T.
    template <class T, class Compute, detail::if_computes<T, Compute> = 0>
    expected<T> try_memoize(bytes key, Compute&& compute) const {
        static_assert(detail::check_returned<T, Compute>());
        return detail::try_memoize_in<T>(this->raw(), key, run_memoized<T, Compute>, detail::erased(compute));
    }

    /// Refuses calls with other arguments.
    template <class T = value, class... Given, std::enable_if_t<!detail::may_memoize<T, Given...>, int> = 0>
    value memoize(const Given&...) const {
        static_assert(std::is_object_v<T>, "a value is read as an object, not as void or a reference");
        static_assert(!std::is_object_v<T> || detail::have_function<Given...>,
                      "memoize takes a key and a function; " PHICACHE_HPP_PARTS);
        detail::refused();
    }
    /// @copydoc memoize
    template <class T = value, class... Given, std::enable_if_t<!detail::may_memoize<T, Given...>, int> = 0>
    expected<value> try_memoize(const Given&...) const {
        static_assert(std::is_object_v<T>, "a value is read as an object, not as void or a reference");
        static_assert(!std::is_object_v<T> || detail::have_function<Given...>,
                      "try_memoize takes a key and a function; " PHICACHE_HPP_PARTS);
        detail::refused();
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
    detail::maybe<T> get(const key_parts& key) const {
        expected<std::optional<T>> found = try_get<T>(key);
        if (!found) detail::raise(found.error());
        return std::move(*found);
    }
    /// @copydoc get
    template <class T>
    expected<detail::maybe<T>> try_get(const key_parts& key) const {
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
        return detail::with_bytes(content, set_call(key)).value();
    }
    /// @copydoc set
    template <class Content>
    expected<outcome> try_set(const key_parts& key, const Content& content) const {
        return detail::with_bytes(content, set_call(key));
    }
    /// @copydoc memoize
    template <class Compute, detail::if_function<Compute> = 0>
    value memoize(const key_parts& key, Compute&& compute) const {
        return detail::memoize_parts<value>(this->raw(), key, run_memoized<value, Compute>, detail::erased(compute));
    }
    /// @copydoc memoize
    template <class Compute, detail::if_function<Compute> = 0>
    expected<value> try_memoize(const key_parts& key, Compute&& compute) const {
        return detail::try_memoize_parts<value>(this->raw(), key, run_memoized<value, Compute>,
                                                detail::erased(compute));
    }
    /// @copydoc memoize
    template <class T, class Compute, detail::if_computes<T, Compute> = 0>
    T memoize(const key_parts& key, Compute&& compute) const {
        static_assert(detail::check_returned<T, Compute>());
        return detail::memoize_parts<T>(this->raw(), key, run_memoized<T, Compute>, detail::erased(compute));
    }
    /// @copydoc memoize
    template <class T, class Compute, detail::if_computes<T, Compute> = 0>
    expected<T> try_memoize(const key_parts& key, Compute&& compute) const {
        static_assert(detail::check_returned<T, Compute>());
        return detail::try_memoize_parts<T>(this->raw(), key, run_memoized<T, Compute>, detail::erased(compute));
    }

    template <class T = void, class Other, detail::if_no_function<Other> = 0>
    void memoize(const key_parts& key, const Other& memoize_takes_a_key_and_a_function) const = delete;
    template <class T = void, class Other, detail::if_no_function<Other> = 0>
    void try_memoize(const key_parts& key, const Other& memoize_takes_a_key_and_a_function) const = delete;
    template <class T, class Compute, std::enable_if_t<!std::is_object_v<T> && detail::is_callable<Compute>, int> = 0>
    value memoize(const key_parts&, const Compute&) const {
        static_assert(std::is_object_v<T>, "a value is read as an object, not as void or a reference");
        detail::refused();
    }
    template <class T, class Compute, std::enable_if_t<!std::is_object_v<T> && detail::is_callable<Compute>, int> = 0>
    expected<value> try_memoize(const key_parts&, const Compute&) const {
        static_assert(std::is_object_v<T>, "a value is read as an object, not as void or a reference");
        detail::refused();
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
        detail::callback_of<detail::write_bytes, T, std::remove_reference_t<Compute>>();

    // What stores bytes under a key. `set` and `try_set` both call `with_bytes` themselves, so that a message about
    // content that is no value is one level shorter.
    auto set_call(bytes key) const noexcept {
        return [cache = this->raw(), key](bytes stored) { return detail::stored(c::set(cache, key, stored)); };
    }
    auto set_call(bytes key, std::chrono::nanoseconds cost) const noexcept {
        return [cache = this->raw(), key, cost](bytes stored) -> expected<outcome> {
            phicache_cache* any = nullptr;
            if (const phicache_status code = c::as_cache(cache, &any); code < 0) return failure(code);
            return detail::stored(phicache_cache_set_with_cost(any, key, stored, detail::to_cost(cost)));
        };
    }
    auto set_call(const key_parts& key) const noexcept {
        return [cache = this->raw(), &key](bytes stored) {
            return detail::stored(detail::set_parts(cache, key, stored));
        };
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
        detail::is_plain_object<T> && detail::is_value<T>::value && !detail::is_gathered<T> &&
        !std::is_constructible_v<T, detail::filled_by_c>;

    /// Converts to a copy of the value of a key: an optional that is constructed from this lets C copy into the object
    /// that the caller receives.
    template <class T>
    struct copied_value {
        Handle* cache;
        bytes key;
        phicache_status& code;

        operator T() const {
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

PHICACHE_HPP_END

#endif  // PHICACHE_OPERATIONS_HPP
