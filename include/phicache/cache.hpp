/// @file cache.hpp
/// The caches of bytes by key: `dict_cache`, which owns its entries, and `cache`, a view of any cache.
#ifndef PHICACHE_CACHE_HPP
#define PHICACHE_CACHE_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "compute.hpp"
#include "config.hpp"
#include "key.hpp"
#include "lease.hpp"
#include "owner.hpp"
#include "value.hpp"

PHICACHE_HPP_BEGIN

/// What a cache is made with besides its configuration.
struct cache_options {
    std::string name{};  ///< Its name in the registry; a second live cache of that name is an error. Empty: none.
    std::uint64_t max_bytes = 0;  ///< Stores beyond this are refused; 0: no limit but the memory's.

    // For caches in Redis.
    std::chrono::milliseconds ttl{};    ///< After how long the server forgets a value; 0: never.
    std::chrono::milliseconds lease{};  ///< For how long one process may keep others from computing a value; 0: not.
    bool server_errors = false;  ///< Whether a server that fails is `status::error_redis`, not a miss or a refusal.
    bool no_checksum = false;    ///< Whether values are stored as they are, without what ties them to their keys.
    std::chrono::milliseconds scan_timeout{};  ///< What counting and clearing may take; 0: 30 seconds.
};

namespace detail {

/// The options for C, which borrows the name.
inline phicache_cache_options to_c(const cache_options& options) noexcept {
    phicache_cache_options raw{};
    raw.struct_size = sizeof raw;
    raw.name = options.name.empty() ? nullptr : options.name.c_str();
    raw.max_bytes = options.max_bytes;
    raw.ttl_ms = to_c(options.ttl);
    raw.lease_ms = to_c(options.lease);
    raw.server_errors = options.server_errors;
    raw.no_checksum = options.no_checksum;
    raw.scan_timeout_ms = to_c(options.scan_timeout);
    return raw;
}

template <>
struct c_functions<phicache_cache> {
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

/// A status of a call whose normal outcomes are OK and MISS: whether it was OK.
inline expected<bool> found(phicache_status code) noexcept {
    if (code < 0) return failure(code);
    return code == PHICACHE_OK;
}

/// A status of a store: stored, or the refusal.
inline expected<outcome> stored(phicache_status code) noexcept {
    if (code < 0) return failure(code);
    return outcome(code);
}

/// Whether these are ranges, and one of them not of C's own bytes already.
template <class... Ranges>
using if_byte_ranges = std::enable_if_t<(is_range<Ranges>::value && ...) &&
                                           !(std::is_convertible_v<const Ranges&, span<const phicache_bytes>> && ...),
                                       int>;

/// The bytes of each element, which the range keeps.
template <class Range>
std::vector<phicache_bytes> borrow_bytes(const Range& range) {
    std::vector<phicache_bytes> lent;
    for (auto&& element : range) {
        static_assert(std::is_lvalue_reference_v<decltype(element)>, "the range must hold what it lends");
        lent.push_back(to_bytes(element));
    }
    return lent;
}
/// The same for keys, which are whatever makes `bytes`.
template <class Range>
std::vector<phicache_bytes> borrow_keys(const Range& keys) {
    static_assert(std::is_convertible_v<decltype(*std::begin(keys)), bytes>, "a key is whatever makes phicache::bytes");
    return borrow_bytes(keys);
}

}  // namespace detail

/// Clearing and statistics: what all caches have in common.
template <class Cache, class Handle>
class accounting {
public:
    /// Removes all entries and resets the counts. Pinned values stay valid.
    void clear() { try_clear().value(); }
    /// @copydoc clear
    expected<void> try_clear() { return detail::checked(c::clear(raw())); }

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

    /// All figures: bytes, stores, refusals by reason, time spent computing …, as the C header describes them.
    phicache_stats stats() const { return try_stats().value(); }
    /// @copydoc stats
    expected<phicache_stats> try_stats() const {
        phicache_stats figures{};
        figures.struct_size = sizeof figures;
        if (const phicache_status code = c::stats(raw(), &figures); code < 0) return failure(code);
        return figures;
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
    /// Whether the key has a value; counts neither hit nor miss.
    bool contains(bytes key) const { return try_contains(key).value(); }
    /// @copydoc contains
    expected<bool> try_contains(bytes key) const { return detail::found(c::contains(this->raw(), key)); }

    /// Removes the key's entry; false when there was none. Pinned values stay valid.
    bool remove(bytes key) { return try_remove(key).value(); }
    /// @copydoc remove
    expected<bool> try_remove(bytes key) { return detail::found(c::remove(this->raw(), key)); }
};

/// Lookup, store and memoization where values are bytes: what `dict_cache`, `redis_cache` and `cache` have in common.
template <class Cache, class Handle>
class byte_cache : public keyed<Cache, Handle> {
    using c = detail::c_functions<Handle>;

public:
    /// The key's value, pinned in place; nothing on a miss.
    std::optional<value> get(bytes key) const { return detail::look_up<value>(get_call(key)); }
    /// @copydoc get
    expected<std::optional<value>> try_get(bytes key) const { return detail::try_look_up<value>(get_call(key)); }

    /// The key's value as a T (trivially copyable, std::vector or std::string), copied; nothing on a miss. For a
    /// trivially copyable T this is the fastest lookup there is. A value of another size is an error.
    template <class T>
    std::optional<T> get(bytes key) const {
        if constexpr (copies_in_place<T>) {
            phicache_status code;
            std::optional<T> found(std::in_place, copied_value<T>{this->raw(), key, code});
            if (code != PHICACHE_OK) {
                if (code < 0) detail::raise(copy_failure(code));
                found.reset();
            }
            return found;
        } else {
            const std::optional<value> pinned = get(key);
            return pinned ? std::optional<T>(pinned->as<T>()) : std::nullopt;
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
            const expected<std::optional<value>> pinned = try_get(key);
            if (!pinned) return pinned.error();
            if (!*pinned) return std::optional<T>();
            expected<T> copied = (*pinned)->try_as<T>();
            if (!copied) return copied.error();
            return std::optional<T>(std::move(*copied));
        }
    }

    /// Stores a copy of the content (whatever makes `bytes`, or a trivially copyable object) under the key, over an
    /// older value. A refusal keeps the older value.
    template <class Content>
    outcome set(bytes key, const Content& content) {
        return try_set(key, content).value();
    }
    /// @copydoc set
    template <class Content>
    expected<outcome> try_set(bytes key, const Content& content) {
        return detail::stored(c::set(this->raw(), key, detail::to_bytes(content)));
    }

    /// The key's value, pinned; on a miss `compute` makes it. `compute` takes nothing and returns the content (as `set`
    /// takes it, or an `expected` of it), or takes a `result&` and writes there. It runs once however many threads ask,
    /// with no lock held; it may use this cache for other keys, but asking for its own is `status::error_recursion`.
    /// What it throws comes out unchanged, and nothing is cached; a reservation that failed decides the status, if it throws
    /// nothing. Computations nest as deep as those of a `memo`. A value that cannot be kept is returned all the same:
    /// see `value::refusal`.
    template <class Compute>
    value memoize(bytes key, Compute&& compute) {
        Frame<Compute> frame{compute};
        return detail::memoize_as<value>(frame.error, memoize_call(key, frame));
    }
    /// @copydoc memoize
    template <class Compute>
    expected<value> try_memoize(bytes key, Compute&& compute) {
        Frame<Compute> frame{compute};
        return detail::try_memoize_as<value>(frame.error, memoize_call(key, frame));
    }
    /// The same, the value copied as a T.
    template <class T, class Compute>
    T memoize(bytes key, Compute&& compute) {
        static_assert(detail::reads_back<T, Compute>, "the function returns another type than the T of memoize<T>");
        return memoize(key, compute).template as<T>();
    }
    /// The same, the value copied as a T.
    template <class T, class Compute>
    expected<T> try_memoize(bytes key, Compute&& compute) {
        static_assert(detail::reads_back<T, Compute>, "the function returns another type than the T of memoize<T>");
        const expected<value> made = try_memoize(key, compute);
        if (!made) return made.error();
        return made->template try_as<T>();
    }

    /// The key of these arguments in this cache, PyPhi's `cache.key(args, prefix)`: borrowed until `args` changes. The
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
    template <class Compute>
    using Frame = detail::compute_frame<detail::write_bytes, std::remove_reference_t<Compute>>;

    auto get_call(bytes key) const noexcept {
        return [cache = this->raw(), key](phicache_value* out) { return c::get(cache, key, out); };
    }
    template <class CallFrame>
    auto memoize_call(bytes key, CallFrame& frame) noexcept {
        return [cache = this->raw(), key, &frame](phicache_value* out) {
            return c::memoize(cache, key, &CallFrame::compute, &frame, nullptr, out, nullptr);
        };
    }
    /// Plain types; but not those that are made of anything, as they would be made of `copying` itself.
    template <class T>
    static constexpr bool copies_in_place = detail::is_plain_object<T> && !std::is_constructible_v<T, detail::filled_by_c>;

    /// Becomes the key's value as a T: an optional that is made of this has C copy straight to where the caller will read.
    template <class T>
    struct copied_value {
        Handle* cache;
        bytes key;
        phicache_status& code;

        operator T() const {
            static_assert(std::is_default_constructible_v<T>, "a type to be read needs a default constructor");
            T object;
            std::size_t len;
            code = c::get_into(cache, key, static_cast<std::uint8_t*>(static_cast<void*>(std::addressof(object))), sizeof(T),
                               &len);
            if (code == PHICACHE_OK && len != sizeof(T)) code = PHICACHE_ERROR_BUFFER_TOO_SMALL;
            return object;
        }
    };
    /// Why a value could not be copied as the type asked for.
    static failure copy_failure(phicache_status code) noexcept {
        return code == PHICACHE_ERROR_BUFFER_TOO_SMALL ? detail::wrong_size() : failure(code);
    }
};

/// A view of any cache with all verbs; owns nothing, and is valid while that cache lives. Every cache converts to it.
class cache : public byte_cache<cache, phicache_cache> {
public:
    explicit cache(phicache_cache* raw) noexcept : raw_(raw) {}
    phicache_cache* handle() const noexcept { return raw_; }

    /// The values of many keys, pinned, in the order of the keys; one that is missing has no address. In Redis it is one
    /// round trip; elsewhere, where there are many entries, several times as fast as one by one. With
    /// `cache_options::server_errors`, fails if one key could not be asked for.
    std::vector<value> get_many(span<const phicache_bytes> keys) const { return try_get_many(keys).value(); }
    /// @copydoc get_many
    expected<std::vector<value>> try_get_many(span<const phicache_bytes> keys) const {
        std::vector<phicache_value> raw(keys.size());
        const phicache_status code = phicache_cache_get_many(raw_, keys.data(), keys.size(), raw.data(), nullptr);
        std::vector<value> found(raw.begin(), raw.end()); // also on an error: what was found is pinned
        if (code < 0) return failure(code);
        return found;
    }

    /// Stores copies of many values, each under the key of the same place; tells what became of each. In Redis it is one
    /// round trip, of which a part may fail. What was an error for some keys is their outcome; for all, it is the call's.
    std::vector<outcome> set_many(span<const phicache_bytes> keys, span<const phicache_bytes> values) {
        return try_set_many(keys, values).value();
    }
    /// @copydoc set_many
    expected<std::vector<outcome>> try_set_many(span<const phicache_bytes> keys, span<const phicache_bytes> values) {
        if (keys.size() != values.size())
            return failure(status::error_invalid_argument, "as many values are needed as there are keys");
        std::vector<phicache_status> raw(keys.size());
        const phicache_status code =
            phicache_cache_set_many(raw_, keys.data(), values.data(), keys.size(), raw.data());
        const auto same = [code](phicache_status one) { return one == code; };
        if (code < 0 && std::all_of(raw.begin(), raw.end(), same)) return failure(code);
        return std::vector<outcome>(raw.begin(), raw.end());
    }

    // The same for ranges of whatever makes `bytes`, or, as values, of whatever `set` takes: `std::string`, `key_bytes`, …

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
    std::vector<outcome> set_many(const Keys& keys, const Values& values) {
        return try_set_many(keys, values).value();
    }
    /// @copydoc set_many
    template <class Keys, class Values, detail::if_byte_ranges<Keys, Values> = 0>
    expected<std::vector<outcome>> try_set_many(const Keys& keys, const Values& values) {
        return try_set_many(detail::borrow_keys(keys), detail::borrow_bytes(values));
    }

    /// How the server of a cache in Redis is doing, as all caches see it that have the same connection settings. Asks
    /// nothing.
    phicache_redis_health redis_health() const { return try_redis_health().value(); }
    /// @copydoc redis_health
    expected<phicache_redis_health> try_redis_health() const {
        phicache_redis_health health{};
        health.struct_size = sizeof health;
        if (const phicache_status code = phicache_cache_redis_health(raw_, &health); code < 0) return failure(code);
        return health;
    }

    /// Looks a key up without ever waiting or calling back: `status::ok` and the value; `status::lease` and the duty to
    /// compute it; or `status::busy` when another computes it. `owner` is who asks: 0 is this thread, other numbers
    /// (below 2^63) are tasks. An owner that computes the key already gets `status::error_recursion`.
    begin_result begin(bytes key, std::uint64_t owner = 0) { return try_begin(key, owner).value(); }
    /// @copydoc begin
    expected<begin_result> try_begin(bytes key, std::uint64_t owner = 0) {
        begin_result answer;
        phicache_lease* granted = nullptr;
        const phicache_status code = phicache_cache_begin(raw_, key, owner, answer.value.out(), &granted);
        if (code < 0) return failure(code);
        answer.status = static_cast<status>(code);
        answer.lease = lease(granted);
        return answer;
    }

    /// Waits at most so many milliseconds for whoever computes a key: `status::ok` and the value; `status::timeout`;
    /// `status::miss` when nobody computes it any more: begin again; `status::busy` when waiting would never end,
    /// because the one who computes waits for this owner: compute without a lease.
    begin_result wait(bytes key, std::uint32_t milliseconds, std::uint64_t owner = 0) {
        return try_wait(key, milliseconds, owner).value();
    }
    /// @copydoc wait
    expected<begin_result> try_wait(bytes key, std::uint32_t milliseconds, std::uint64_t owner = 0) {
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
    /// The view of this cache: owns nothing, and is valid during the lifetime of the cache, also after a move.
    operator cache() const& { return view(); }
    /// @copydoc operator cache
    cache view() const& {
        phicache_cache* raw = nullptr;
        detail::require(detail::c_functions<Handle>::as_cache(static_cast<const Cache&>(*this).handle(), &raw));
        return cache(raw);
    }
    /// @copydoc operator cache
    expected<cache> try_view() const& {
        phicache_cache* raw = nullptr;
        const phicache_status code =
            detail::c_functions<Handle>::as_cache(static_cast<const Cache&>(*this).handle(), &raw);
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
    /// A cache with the process's configuration, or another. Allocates no table before the first entry.
    explicit dict_cache(const cache_options& options = {}, config_ref settings = {})
        : dict_cache(try_make(options, settings).value()) {}
    explicit dict_cache(config_ref settings) : dict_cache(cache_options{}, settings) {}
    static expected<dict_cache> try_make(const cache_options& options = {}, config_ref settings = {}) {
        return detail::create_cache<dict_cache>(options, settings);
    }

    /// The one cache that all holders of this fingerprint and role share; freed with its last holder. Holders must
    /// agree on options and configuration.
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
