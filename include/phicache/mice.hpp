/// @file mice.hpp
/// Maximally irreducible causes and effects (MICE), and PyPhi's MICE caches, which cut subsystems inherit from.
#ifndef PHICACHE_MICE_HPP
#define PHICACHE_MICE_HPP

#include <cstddef>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "../phicache_fwd.hpp"
#include "cache.hpp"
#include "subsystem.hpp"

PHICACHE_HPP_BEGIN

/// The maximally irreducible cause or effect of a mechanism: the purview with the largest small φ, and that φ. The
/// payload is any other data of the caller (repertoires, the partition), of a type that `dict_cache::set` takes, also
/// one of several parts (see `value_writer`);
/// `mice<>` (declared in phicache_fwd.hpp) borrows bytes, `mice<std::vector<double>>` owns its numbers. A function
/// given to `memoize` returns one that owns, because its own variables are gone when the record is stored.
template <class Payload>
struct mice {
    direction dir = direction::cause;
    node_set mechanism{};
    node_set purview{};
    double phi = 0;  ///< Not NaN.
    Payload payload{};
};

template <class Payload>
mice(direction, node_set, node_set, double, Payload) -> mice<Payload>;
mice(direction, node_set, node_set, double) -> mice<>;

namespace detail {

template <class T>
struct is_mice : std::false_type {};
template <class Payload>
struct is_mice<mice<Payload>> : std::true_type {};

/// The record as a C struct, with a payload in bytes.
template <class Payload>
phicache_mice to_c(const mice<Payload>& record, phicache_bytes payload) noexcept {
    phicache_mice raw{};
    raw.struct_size = sizeof raw;
    raw.direction = static_cast<std::int32_t>(record.dir);
    raw.mechanism = record.mechanism.mask();
    raw.purview = record.purview.mask();
    raw.phi = record.phi;
    raw.payload = payload;
    return raw;
}

inline mice<> from_c(const phicache_mice& raw) noexcept {
    return {static_cast<direction>(raw.direction), node_set::from_mask(raw.mechanism), node_set::from_mask(raw.purview),
            raw.phi, raw.payload};
}

/// Enabled for what is no record, nor derived from one.
template <class Payload>
std::false_type is_other(const mice<Payload>&);
std::true_type is_other(...);
template <class T>
using if_no_record = std::enable_if_t<decltype(is_other(std::declval<const T&>()))::value, int>;

/// Stores a returned record in the format of MICE records.
struct write_mice {
    template <class T>
    static constexpr bool takes = is_mice<T>::value;
    template <class T>
    static expected<void> write(result& out, const T& returned) {
        using Payload = decltype(returned.payload);
        if constexpr (is_gathered<Payload>) {
            const std::size_t size = detail::gathered_size(returned.payload);
            const phicache_mice raw = detail::to_c(returned, {nullptr, size});
            std::uint8_t* payload = nullptr;
            if (const phicache_status code = phicache_result_mice(out.handle(), &raw, &payload); code < 0)
                return failure(code);
            return detail::gather(returned.payload, payload, size);
        } else {
            const phicache_mice raw = detail::to_c(returned, detail::to_bytes(returned.payload));
            return checked(phicache_result_mice(out.handle(), &raw, nullptr));
        }
    }
};

}  // namespace detail

/// For a function that takes a `result&`: writes a record without its payload, and reserves a payload of `count`
/// elements, filled with zeros, to be written before the function returns. `record.payload` is ignored.
template <class T, class Payload>
expected<span<T>> try_reserve_mice(result& out, const mice<Payload>& record, std::size_t count) {
    static_assert(detail::is_plain_object<T> && alignof(T) <= 16,
                  "elements must be trivially copyable, of at most 16-byte alignment");
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) {
        phicache_result_mice(out.handle(), nullptr, nullptr);  // fails, so the library knows that a reservation failed
        return detail::too_many();
    }
    const phicache_mice raw = detail::to_c(record, {nullptr, count * sizeof(T)});
    std::uint8_t* payload = nullptr;
    if (const phicache_status code = phicache_result_mice(out.handle(), &raw, &payload); code < 0) return failure(code);
    return span<T>(static_cast<T*>(static_cast<void*>(payload)), count);
}
/// @copydoc try_reserve_mice
template <class T, class Payload>
span<T> reserve_mice(result& out, const mice<Payload>& record, std::size_t count) {
    return try_reserve_mice<T>(out, record, count).value();
}

/// The encoded bytes of a record: versioned, checksummed, the same in every language.
template <class Payload>
expected<std::vector<std::uint8_t>> try_encode(const mice<Payload>& record) {
    return detail::with_bytes(record.payload, [&](bytes payload) -> expected<std::vector<std::uint8_t>> {
        const phicache_mice raw = detail::to_c(record, payload);
        std::size_t len = 0;
        phicache_status code = phicache_mice_encode(&raw, nullptr, 0, &len);
        if (code < 0 && code != PHICACHE_ERROR_BUFFER_TOO_SMALL) return failure(code);
        std::vector<std::uint8_t> encoded(len);
        code = phicache_mice_encode(&raw, encoded.data(), encoded.size(), &len);
        if (code < 0) return failure(code);
        return encoded;
    });
}
/// @copydoc try_encode
template <class Payload>
std::vector<std::uint8_t> encode(const mice<Payload>& record) {
    return try_encode(record).value();
}

/// Decodes a record; its payload borrows the bytes. Fails with `status::error_damaged` if they are not a valid record.
inline expected<mice<>> try_decode_mice(bytes encoded) {
    phicache_mice raw{};
    raw.struct_size = sizeof raw;
    if (const phicache_status code = phicache_mice_decode(encoded, &raw); code < 0) return failure(code);
    return detail::from_c(raw);
}
/// @copydoc try_decode_mice
inline mice<> decode_mice(bytes encoded) { return try_decode_mice(encoded).value(); }

/// A record in the memory of the cache, pinned like a `value`; its payload is aligned to 16 bytes.
class pinned_mice {
public:
    pinned_mice() noexcept : raw_(empty()) {}
    /// Filled by a C call, `fill(phicache_mice*, phicache_value*)`, which writes both also on a miss or an error.
    template <class Fill>
    pinned_mice(detail::filled_by_c call, const Fill& fill)
        : pinned_(call, [&](phicache_value* out) {
              raw_.struct_size = sizeof raw_;
              return fill(&raw_, out);
          }) {}
    pinned_mice(pinned_mice&& other) noexcept
        : raw_(std::exchange(other.raw_, empty())), pinned_(std::move(other.pinned_)) {}
    pinned_mice& operator=(pinned_mice&& other) noexcept {
        pinned_ = std::move(other.pinned_);
        raw_ = std::exchange(other.raw_, empty());
        return *this;
    }

    direction dir() const noexcept { return static_cast<direction>(raw_.direction); }
    node_set mechanism() const noexcept { return node_set::from_mask(raw_.mechanism); }
    node_set purview() const noexcept { return node_set::from_mask(raw_.purview); }
    double phi() const noexcept { return raw_.phi; }
    /// The payload, not copied.
    bytes payload() const& noexcept { return raw_.payload; }
    /// A copy of the payload as T, like `value::as`.
    template <class T>
    T payload_as() const {
        return try_payload_as<T>().value();
    }
    /// @copydoc payload_as
    template <class T>
    expected<T> try_payload_as() const {
        return detail::read_as<T>(raw_.payload);
    }
    /// The payload as an array of T, not copied, like `value::view`.
    template <class T>
    span<const T> payload_view() const& {
        return try_payload_view<T>().value();
    }
    /// @copydoc payload_view
    template <class T>
    expected<span<const T>> try_payload_view() const& {
        return payload().try_view<T>();
    }
    // Of a temporary these would dangle: give the record a name first.
    bytes payload() const&& = delete;
    template <class T>
    span<const T> payload_view() const&& = delete;
    template <class T>
    expected<span<const T>> try_payload_view() const&& = delete;
    /// The pinned value: it tells where the record comes from (`origin::parent` if inherited) and whether it is stored.
    const value& pinned() const& noexcept { return pinned_; }
    /// The same, moved out of a temporary.
    value pinned() && noexcept { return std::move(pinned_); }

private:
    friend class mice_cache;
    static phicache_mice empty() noexcept { return {sizeof(phicache_mice), 0, 0, 0, 0, 0, {nullptr, 0}}; }

    phicache_mice raw_;
    value pinned_;
};

namespace detail {

template <>
inline constexpr bool is_pinned<pinned_mice> = true;

template <>
struct c_functions<phicache_mice_cache> {
    static constexpr auto as_cache = phicache_mice_cache_as_cache;
    static constexpr auto clear = phicache_mice_cache_clear;
    static constexpr auto size = phicache_mice_cache_size;
    static constexpr auto info = phicache_mice_cache_info;
    static constexpr auto stats = phicache_mice_cache_stats;
    static constexpr auto contains = phicache_mice_cache_contains;
    static constexpr auto remove = phicache_mice_cache_remove;
    static constexpr auto memoize = phicache_mice_cache_memoize;
};

inline auto get_call(phicache_mice_cache* cache, bytes key) noexcept {
    return [=](phicache_mice* record, phicache_value* out) { return phicache_mice_cache_get(cache, key, record, out); };
}

}  // namespace detail

class mice_cache;

/// The parent of a MICE cache, for a call: a `mice_cache`, its address, or none.
class parent_cache {
public:
    parent_cache(std::nullptr_t = nullptr) noexcept {}
    parent_cache(const mice_cache* parent) noexcept : parent_(parent) {}
    parent_cache(const mice_cache& parent) noexcept : parent_(__builtin_addressof(parent)) {}
    /// Null if there is no parent.
    phicache_mice_cache* handle() const noexcept;
    /// Whether the parent was moved from.
    bool is_empty() const noexcept { return parent_ != nullptr && handle() == nullptr; }

private:
    const mice_cache* parent_ = nullptr;
};

/// PyPhi's MICE caches: the records of one subsystem by key (from `mice_key`, or any bytes). The cache of a cut
/// subsystem may have a parent: on a miss it inherits the parent's record, unless its cut damages that. Creating such a
/// child copies nothing, and it keeps the records of the parent if the parent is freed. What it inherits is exact for
/// cuts that divide all nodes of the system in two parts; a cut that severs only some of the connections between two
/// parts needs a cache without a parent. The view of a cache has encoded records as values.
class mice_cache : public owner<phicache_mice_cache, phicache_mice_cache_free>,
                   public keyed<mice_cache, phicache_mice_cache>,
                   public viewable<mice_cache, phicache_mice_cache> {
public:
    using owner::owner;
    mice_cache(mice_cache&&) noexcept = default;
    mice_cache& operator=(mice_cache&&) noexcept = default;
    mice_cache() = delete;  // it needs a subsystem
    template <class Options, class... More, std::enable_if_t<std::is_same_v<Options, cache_options>, int> = 0>
    mice_cache(const subsystem&, const Options& the_parent_comes_before_the_options, const More&...) = delete;
    template <class Other,
              std::enable_if_t<!std::is_convertible_v<const Other&, const subsystem&> &&
                                   !std::is_convertible_v<const Other&, phicache_mice_cache*> &&
                                   !std::is_null_pointer_v<Other> && !std::is_arithmetic_v<Other> &&
                                   !std::is_base_of_v<mice_cache, Other>,
                               int> = 0>
    explicit mice_cache(const Other& it_needs_a_subsystem) = delete;
    mice_cache(const mice_cache&) = delete;  // said here too, so that the message is short
    mice_cache& operator=(const mice_cache&) = delete;
    /// A cache where its parent is; the parent must be the cache of the same system, uncut. Without a parent: in this
    /// process, in Redis or on disk, as the configuration says. `max_bytes` bounds the memory in this process; only
    /// together with `near_bytes` it bounds a directory.
    template <class... Given, detail::if_number<Given...> = 0>
    explicit mice_cache(const Given&... limits_are_in_the_options) = delete;
    template <class... Given, detail::if_number<Given...> = 0>
    static void try_make(const Given&... limits_are_in_the_options) = delete;
    explicit mice_cache(const subsystem& system, parent_cache parent = {}, const cache_options& options = {},
                        config_ref settings = {})
        : mice_cache(try_make(system, parent, options, settings).value()) {}
    static expected<mice_cache> try_make(const subsystem& system, parent_cache parent = {},
                                         const cache_options& options = {}, config_ref settings = {}) {
        return make(phicache_mice_cache_new, system, parent, options, settings);
    }
    /// PyPhi's DictMICECache: a cache in this process, whatever the configuration says.
    static mice_cache dict(const subsystem& system, parent_cache parent = {},
                           const cache_options& options = {}, config_ref settings = {}) {
        return try_dict(system, parent, options, settings).value();
    }
    /// @copydoc dict
    static expected<mice_cache> try_dict(const subsystem& system, parent_cache parent = {},
                                         const cache_options& options = {}, config_ref settings = {}) {
        return make(phicache_dict_mice_cache_new, system, parent, options, settings);
    }
    /// PyPhi's RedisMICECache: a cache at the configured server, shared by all processes that compute this system. A
    /// parent must be in Redis too.
    static mice_cache redis(const subsystem& system, parent_cache parent = {},
                            const cache_options& options = {}, config_ref settings = {}) {
        return try_redis(system, parent, options, settings).value();
    }
    /// @copydoc redis
    static expected<mice_cache> try_redis(const subsystem& system, parent_cache parent = {},
                                          const cache_options& options = {}, config_ref settings = {}) {
        return make(phicache_redis_mice_cache_new, system, parent, options, settings);
    }
    /// A cache in the configured directory: later runs find its records, and all processes that compute this system in
    /// the same directory share them. All caches of this process for the same system, uncut, in the same directory are
    /// one, with the same options. A parent must be on disk too.
    static mice_cache disk(const subsystem& system, parent_cache parent = {},
                           const cache_options& options = {}, config_ref settings = {}) {
        return try_disk(system, parent, options, settings).value();
    }
    /// @copydoc disk
    static expected<mice_cache> try_disk(const subsystem& system, parent_cache parent = {},
                                         const cache_options& options = {}, config_ref settings = {}) {
        return make(phicache_disk_mice_cache_new, system, parent, options, settings);
    }

    /// The record of a key, pinned; empty on a miss.
    std::optional<pinned_mice> get(bytes key) const {
        return detail::look_up<pinned_mice>(detail::get_call(handle(), key));
    }
    /// @copydoc get
    expected<std::optional<pinned_mice>> try_get(bytes key) const {
        return detail::try_look_up<pinned_mice>(detail::get_call(handle(), key));
    }

    /// The outcome that `set` would have for a record with this φ: saves computing a record that would be refused.
    outcome would_store(double phi) const { return try_would_store(phi).value(); }
    /// @copydoc would_store
    expected<outcome> try_would_store(double phi) const {
        return detail::stored(phicache_mice_cache_would_store(handle(), phi));
    }

    /// Stores a record. Refused, checked in this order, if the subsystem is cut, φ is not positive, or memory is full.
    /// In Redis and on disk a record is stored whatever its φ.
    template <class Payload>
    outcome set(bytes key, const mice<Payload>& record) const {
        return try_set(key, record).value();
    }
    /// @copydoc set
    template <class Payload>
    expected<outcome> try_set(bytes key, const mice<Payload>& record) const {
        return detail::with_bytes(record.payload, [&](bytes payload) {
            const phicache_mice raw = detail::to_c(record, payload);
            return detail::stored(phicache_mice_cache_set(handle(), key, &raw));
        });
    }
    template <class Other, detail::if_no_record<Other> = 0>
    outcome set(bytes key, const Other& a_value_is_in_the_payload_of_a_mice) const = delete;
    template <class Other, detail::if_no_record<Other> = 0>
    expected<outcome> try_set(bytes key, const Other& a_value_is_in_the_payload_of_a_mice) const = delete;
    void set(bytes key, bytes a_value_is_in_the_payload_of_a_mice, double) const = delete;
    void try_set(bytes key, bytes a_value_is_in_the_payload_of_a_mice, double) const = delete;
    template <class... Given, detail::if_not<2, Given...> = 0>
    void set(const Given&... set_takes_a_key_and_a_mice) const = delete;
    template <class... Given, detail::if_not<2, Given...> = 0>
    void try_set(const Given&... try_set_takes_a_key_and_a_mice) const = delete;

    /// The record of a key; on a miss `compute` returns it as a `mice`, or takes a `result&` and uses `reserve_mice`.
    /// If its store is refused, the record is returned anyway. Otherwise as `dict_cache::memoize`.
    template <class Compute, detail::if_function<Compute> = 0>
    pinned_mice memoize(bytes key, Compute&& compute) const {
        return detail::memoize_in<pinned_mice>(handle(), key, run_memoized<Compute>, detail::erased(compute));
    }
    /// @copydoc memoize
    template <class Compute, detail::if_function<Compute> = 0>
    expected<pinned_mice> try_memoize(bytes key, Compute&& compute) const {
        return detail::try_memoize_in<pinned_mice>(handle(), key, run_memoized<Compute>, detail::erased(compute));
    }
    template <class Other, detail::if_no_function<Other> = 0>
    void memoize(bytes key, const Other& memoize_takes_a_key_and_a_function) const = delete;
    template <class Other, detail::if_no_function<Other> = 0>
    void try_memoize(bytes key, const Other& memoize_takes_a_key_and_a_function) const = delete;

private:
    template <class Compute>
    static constexpr phicache_compute run_memoized =
        detail::callback_of<detail::write_mice, pinned_mice, std::remove_reference_t<Compute>>();

    template <class New>
    static expected<mice_cache> make(New make_new, const subsystem& system, parent_cache parent,
                                     const cache_options& options, config_ref settings) {
        if (parent.is_empty()) {
            return failure(status::error_invalid_argument,
                           "the parent was moved from: pass the object it was moved to, or nullptr");
        }
        return detail::create<mice_cache>([&](phicache_mice_cache** out) {
            const phicache_cache_options raw = detail::to_c(options);
            return make_new(settings.handle(), &raw, system.handle(), parent.handle(),
                            out);
        });
    }
};

inline phicache_mice_cache* parent_cache::handle() const noexcept {
    return parent_ == nullptr ? nullptr : parent_->handle();
}

PHICACHE_HPP_END

#endif  // PHICACHE_MICE_HPP
