/// @file cache.hpp
/// Caches of bytes by key: `dict_cache`, which owns its entries, and `cache`, a view of any cache.
#ifndef PHICACHE_CACHE_HPP
#define PHICACHE_CACHE_HPP

#include <cstdint>
#include <type_traits>
#include <vector>

#include "key.hpp"
#include "lease.hpp"
#include "operations.hpp"
#include "options.hpp"
#include "owner.hpp"
#include "value.hpp"

PHICACHE_HPP_BEGIN

namespace detail {

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

/// The keys or values of a batch as C takes them, for one call: borrowed from a range or a list in braces. Values of
/// several parts are gathered here.
template <bool AreKeys>
class batch {
public:
    batch() noexcept {}
    template <class Range, std::enable_if_t<is_range<Range>::value, int> = 0>
    batch(const Range& range) {
        if constexpr (std::is_convertible_v<const Range&, span<const phicache_bytes>>) {
            all_ = range;
        } else {
            add_each(range);
        }
    }
    template <class Element>
    batch(std::initializer_list<Element> list) {
        add_each(list);
    }
    batch(const batch&) = delete;
    batch& operator=(const batch&) = delete;

    const phicache_bytes* data() const noexcept { return all_.data(); }
    std::size_t size() const noexcept { return all_.size(); }
    /// Fails if a value could not be gathered.
    const expected<void>& check() const noexcept { return good_; }

private:
    template <class Range>
    void add_each(const Range& range) {
        static_assert(std::is_lvalue_reference_v<decltype(*std::begin(range))>,
                      "the range must hold its elements, not create them on iteration: their bytes are borrowed");
        for (const auto& element : range) add(element);
        all_ = borrowed_;
    }
    template <class Element>
    void add(const Element& element) {
        if constexpr (AreKeys) {
            static_assert(std::is_convertible_v<const Element&, bytes>, "a key must convert to phicache::bytes");
            if constexpr (std::is_convertible_v<const Element&, bytes>) borrowed_.push_back(bytes(element));
        } else if constexpr (is_gathered<Element>) {
            std::vector<std::uint8_t>& room = gathered_.emplace_back(detail::gathered_size(element));
            if (expected<void> done = detail::gather(element, room.data(), room.size()); !done) good_ = std::move(done);
            borrowed_.push_back(bytes(room));
        } else {
            borrowed_.push_back(detail::to_bytes(element));
        }
    }

    span<const phicache_bytes> all_{};
    std::vector<phicache_bytes> borrowed_{};
    std::vector<std::vector<std::uint8_t>> gathered_{};
    expected<void> good_{};
};

}  // namespace detail

/// A view of any cache, with all operations; owns nothing and is valid during the lifetime of the cache. Every cache
/// converts to it.
class cache : public byte_cache<cache, phicache_cache> {
public:
    explicit cache(phicache_cache* raw) noexcept : raw_(raw) {}
    phicache_cache* handle() const noexcept { return raw_; }

    /// The values of many keys, pinned, in the order of the keys; a missing value has a null address. In Redis this is
    /// one round trip; in a large cache of this process it is several times as fast as one lookup after the other. With
    /// `cache_options::server_errors` it fails if the lookup of any key fails.
    /// The keys are a range of what converts to `bytes` (`std::string`, `key_bytes`, …), or in braces.
    std::vector<value> get_many(const detail::batch<true>& keys) const { return try_get_many(keys).value(); }
    /// @copydoc get_many
    expected<std::vector<value>> try_get_many(const detail::batch<true>& keys) const {
        std::vector<phicache_value> raw(keys.size());
        const phicache_status code = phicache_cache_get_many(raw_, keys.data(), keys.size(), raw.data(), nullptr);
        std::vector<value> found(raw.begin(), raw.end());  // owns the pins, also on an error
        if (code < 0) return failure(code);
        return found;
    }

    /// Stores copies of many values, each under the key with the same index; returns the outcome of each. In Redis this
    /// is one round trip, which may fail for some keys: the error is then their outcome. It is thrown if all keys fail.
    /// The values are a range of what `set` takes, or in braces.
    std::vector<outcome> set_many(const detail::batch<true>& keys, const detail::batch<false>& values) const {
        return try_set_many(keys, values).value();
    }
    /// @copydoc set_many
    expected<std::vector<outcome>> try_set_many(const detail::batch<true>& keys,
                                                const detail::batch<false>& values) const {
        if (!values.check()) return values.check().error();
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

    /// The state of the connection to the server of a cache in Redis, shared by all caches with the same connection
    /// settings. Does not contact the server.
    phicache_redis_health redis_health() const { return try_redis_health().value(); }
    /// @copydoc redis_health
    expected<phicache_redis_health> try_redis_health() const {
        return detail::answer<phicache_redis_health>(phicache_cache_redis_health, raw_);
    }

    /// Waits until all values that this process has stored in a cache on disk are on the storage device.
    void disk_sync() const { try_disk_sync().value(); }
    /// @copydoc disk_sync
    expected<void> try_disk_sync() const { return detail::checked(phicache_cache_disk_sync(raw_)); }

    /// The state of a disk cache, as this process sees it. Fails with `status::error_invalid_handle` for other caches.
    phicache_disk_health disk_health() const { return try_disk_health().value(); }
    /// @copydoc disk_health
    expected<phicache_disk_health> try_disk_health() const {
        return detail::answer<phicache_disk_health>(phicache_cache_disk_health, raw_);
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
    // A view of a temporary cache would dangle. This one is not deleted, because then an assignment to an optional, as
    // in memo_options, would say so in 49 lines.
    template <class Temporary = void>
    operator cache() const&& {
        static_assert(detail::always_false<Temporary>,
                      "the view of a temporary cache would dangle: name the cache first");
        return cache(nullptr);
    }
    cache view() const&& = delete;
    expected<cache> try_view() const&& = delete;
};

/// A cache in this process, from byte keys to byte values (PyPhi's DictCache).
class dict_cache : public owner<phicache_dict_cache, phicache_dict_cache_free>,
                   public byte_cache<dict_cache, phicache_dict_cache>,
                   public viewable<dict_cache, phicache_dict_cache> {
public:
    using owner::owner;
    dict_cache(dict_cache&&) noexcept = default;
    dict_cache& operator=(dict_cache&&) noexcept = default;
    dict_cache(const dict_cache&) = delete;  // said here too, so that the message is short
    dict_cache& operator=(const dict_cache&) = delete;
    /// A cache with the configuration of the process, or another one. Allocates no table before the first entry.
    dict_cache() : dict_cache(cache_options{}) {}
    /// @copydoc dict_cache
    explicit dict_cache(const cache_options& options, config_ref settings = {})
        : dict_cache(try_make(options, settings).value()) {}
    explicit dict_cache(config_ref settings) : dict_cache(cache_options{}, settings) {}
    explicit dict_cache(text the_name_is_in_the_options) = delete;
    template <class... Given, detail::if_number<Given...> = 0>
    explicit dict_cache(const Given&... limits_are_in_the_options) = delete;
    template <class... Given, detail::if_number<Given...> = 0>
    static void try_make(const Given&... limits_are_in_the_options) = delete;
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
