/// @file mice.hpp
/// Maximally irreducible causes and effects (MICE), and PyPhi's MICE caches with their inheritance under cuts.
#ifndef PHICACHE_MICE_HPP
#define PHICACHE_MICE_HPP

#include <cstddef>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "cache.hpp"
#include "subsystem.hpp"

PHICACHE_HPP_BEGIN

/// A mechanism's maximally irreducible cause or effect. The payload is whatever else the caller keeps (repertoires, the
/// partition): anything that `dict_cache::set` takes; `mice<>` borrows bytes, `mice<std::vector<double>>` owns its
/// numbers.
template <class Payload = bytes>
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

/// The record for C, which borrows the payload.
template <class Payload>
phicache_mice to_c(const mice<Payload>& record) noexcept {
    phicache_mice raw{};
    raw.struct_size = sizeof raw;
    raw.direction = static_cast<std::int32_t>(record.dir);
    raw.mechanism = record.mechanism.mask();
    raw.purview = record.purview.mask();
    raw.phi = record.phi;
    raw.payload = to_bytes(record.payload);
    return raw;
}

inline mice<> from_c(const phicache_mice& raw) noexcept {
    return {static_cast<direction>(raw.direction), node_set::from_mask(raw.mechanism), node_set::from_mask(raw.purview),
            raw.phi, raw.payload};
}

/// Stores a returned record in the format of MICE records.
struct write_mice {
    template <class T>
    static expected<void> write(result& out, const T& returned) {
        if constexpr (is_mice<T>::value) {
            const phicache_mice raw = to_c(returned);
            return checked(phicache_result_mice(out.handle(), &raw, nullptr));
        } else {
            static_assert(always_false<T>, "the function returns a phicache::mice");
            return {};
        }
    }
};

}  // namespace detail

/// For a function that takes a `result&`: makes its value a record (whose own payload is not looked at) and lends room
/// for a payload of `count` elements, zero-filled, to be written before the function returns.
template <class T, class Payload>
expected<span<T>> try_reserve_mice(result& out, const mice<Payload>& record, std::size_t count) {
    static_assert(detail::is_plain_object<T> && alignof(T) <= 16,
                  "elements must be trivially copyable, of at most 16-byte alignment");
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) {
        phicache_result_mice(out.handle(), nullptr, nullptr);  // fails, so that C too knows that a reservation failed
        return detail::too_many();
    }
    phicache_mice raw = detail::to_c(record);
    raw.payload = {nullptr, count * sizeof(T)};
    std::uint8_t* room = nullptr;
    if (const phicache_status code = phicache_result_mice(out.handle(), &raw, &room); code < 0) return failure(code);
    return span<T>(static_cast<T*>(static_cast<void*>(room)), count);
}
/// @copydoc try_reserve_mice
template <class T, class Payload>
span<T> reserve_mice(result& out, const mice<Payload>& record, std::size_t count) {
    return try_reserve_mice<T>(out, record, count).value();
}

/// The bytes of a record: versioned, checksummed, equal in every language.
template <class Payload>
expected<std::vector<std::uint8_t>> try_encode(const mice<Payload>& record) {
    const phicache_mice raw = detail::to_c(record);
    std::size_t len = 0;
    phicache_status code = phicache_mice_encode(&raw, nullptr, 0, &len);
    if (code < 0 && code != PHICACHE_ERROR_BUFFER_TOO_SMALL) return failure(code);
    std::vector<std::uint8_t> encoded(len);
    code = phicache_mice_encode(&raw, encoded.data(), encoded.size(), &len);
    if (code < 0) return failure(code);
    return encoded;
}
/// @copydoc try_encode
template <class Payload>
std::vector<std::uint8_t> encode(const mice<Payload>& record) {
    return try_encode(record).value();
}

/// Reads the bytes of a record, which its payload then borrows; `status::error_damaged` when they are none.
inline expected<mice<>> try_decode_mice(bytes encoded) {
    phicache_mice raw{};
    raw.struct_size = sizeof raw;
    if (const phicache_status code = phicache_mice_decode(encoded, &raw); code < 0) return failure(code);
    return detail::from_c(raw);
}
/// @copydoc try_decode_mice
inline mice<> decode_mice(bytes encoded) { return try_decode_mice(encoded).value(); }

/// A record in the cache's own memory, pinned as a `value` is; its payload is aligned for any type.
class pinned_mice {
public:
    pinned_mice() noexcept : raw_(empty()) {}
    /// Made by `fill(phicache_mice*, phicache_value*)`, a C call, which writes there also when it finds nothing or fails.
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
    /// The payload in place.
    bytes payload() const& noexcept { return raw_.payload; }
    /// The payload copied as a T, as `value::as` does.
    template <class T>
    T payload_as() const {
        return try_payload_as<T>().value();
    }
    /// @copydoc payload_as
    template <class T>
    expected<T> try_payload_as() const {
        return detail::reader<T>::read(raw_.payload);
    }
    /// The payload in place as an array of T, as `value::view` does.
    template <class T>
    span<const T> payload_view() const& {
        return try_payload_view<T>().value();
    }
    /// @copydoc payload_view
    template <class T>
    expected<span<const T>> try_payload_view() const& {
        return payload().try_view<T>();
    }
    // They would dangle: name the record first.
    bytes payload() const&& = delete;
    template <class T>
    span<const T> payload_view() const&& = delete;
    template <class T>
    expected<span<const T>> try_payload_view() const&& = delete;
    /// Where the record came from (`origin::parent` when inherited), and whether it could be kept.
    const value& pinned() const& noexcept { return pinned_; }
    /// The same, taken out of a temporary.
    value pinned() && noexcept { return std::move(pinned_); }

private:
    friend class mice_cache;
    static phicache_mice empty() noexcept { return {sizeof(phicache_mice), 0, 0, 0, 0, 0, {nullptr, 0}}; }

    phicache_mice raw_;
    value pinned_;
};

namespace detail {

template <>
struct c_functions<phicache_mice_cache> {
    static constexpr auto as_cache = phicache_mice_cache_as_cache;
    static constexpr auto clear = phicache_mice_cache_clear;
    static constexpr auto size = phicache_mice_cache_size;
    static constexpr auto info = phicache_mice_cache_info;
    static constexpr auto stats = phicache_mice_cache_stats;
    static constexpr auto contains = phicache_mice_cache_contains;
    static constexpr auto remove = phicache_mice_cache_remove;
};

inline auto get_call(phicache_mice_cache* cache, bytes key) noexcept {
    return [=](phicache_mice* record, phicache_value* out) { return phicache_mice_cache_get(cache, key, record, out); };
}

}  // namespace detail

/// PyPhi's MICE caches: the records of one subsystem by key (`mice_key`, or bytes of one's own). A child asks its
/// parent on a miss, and gets the record if the child's cut does not damage it; it costs nothing to make, and keeps the
/// parent's records when the parent is gone.
class mice_cache : public owner<phicache_mice_cache, phicache_mice_cache_free>,
                   public keyed<mice_cache, phicache_mice_cache>,
                   public viewable<mice_cache, phicache_mice_cache> {
public:
    using owner::owner;
    /// In the store that the configuration chooses. The parent, if any, is the cache of the same system, uncut.
    explicit mice_cache(const subsystem& system, const mice_cache* parent = nullptr, const cache_options& options = {},
                        config_ref settings = {})
        : mice_cache(try_make(system, parent, options, settings).value()) {}
    static expected<mice_cache> try_make(const subsystem& system, const mice_cache* parent = nullptr,
                                         const cache_options& options = {}, config_ref settings = {}) {
        return make(phicache_mice_cache_new, system, parent, options, settings);
    }
    /// PyPhi's DictMICECache: in this process, whatever is configured.
    static mice_cache dict(const subsystem& system, const mice_cache* parent = nullptr,
                           const cache_options& options = {}, config_ref settings = {}) {
        return try_dict(system, parent, options, settings).value();
    }
    /// @copydoc dict
    static expected<mice_cache> try_dict(const subsystem& system, const mice_cache* parent = nullptr,
                                         const cache_options& options = {}, config_ref settings = {}) {
        return make(phicache_dict_mice_cache_new, system, parent, options, settings);
    }
    /// PyPhi's RedisMICECache: on the configured server, for all processes that compute this system. The parent is in
    /// Redis too.
    static mice_cache redis(const subsystem& system, const mice_cache* parent = nullptr,
                            const cache_options& options = {}, config_ref settings = {}) {
        return try_redis(system, parent, options, settings).value();
    }
    /// @copydoc redis
    static expected<mice_cache> try_redis(const subsystem& system, const mice_cache* parent = nullptr,
                                          const cache_options& options = {}, config_ref settings = {}) {
        return make(phicache_redis_mice_cache_new, system, parent, options, settings);
    }

    /// The key's record, pinned; nothing on a miss.
    std::optional<pinned_mice> get(bytes key) const { return detail::look_up<pinned_mice>(detail::get_call(handle(), key)); }
    /// @copydoc get
    expected<std::optional<pinned_mice>> try_get(bytes key) const {
        return detail::try_look_up<pinned_mice>(detail::get_call(handle(), key));
    }

    /// What `set` would answer for a record of this φ; asked before a record is made, it saves making what is refused.
    outcome would_store(double phi) const { return try_would_store(phi).value(); }
    /// @copydoc would_store
    expected<outcome> try_would_store(double phi) const {
        return detail::stored(phicache_mice_cache_would_store(handle(), phi));
    }

    /// Stores a record. Refused, in this order, when the subsystem is cut, φ is not positive, or memory is full.
    template <class Payload>
    outcome set(bytes key, const mice<Payload>& record) {
        return try_set(key, record).value();
    }
    /// @copydoc set
    template <class Payload>
    expected<outcome> try_set(bytes key, const mice<Payload>& record) {
        const phicache_mice raw = detail::to_c(record);
        return detail::stored(phicache_mice_cache_set(handle(), key, &raw));
    }

    /// The key's record; on a miss `compute` makes it: it returns a `mice`, or takes a `result&` and uses
    /// `reserve_mice`. The record is returned also when its store is refused. Otherwise as `dict_cache::memoize`.
    template <class Compute>
    pinned_mice memoize(bytes key, Compute&& compute) {
        Frame<Compute> frame{compute};
        return detail::memoize_as<pinned_mice>(frame.error, memoize_call(key, frame));
    }
    /// @copydoc memoize
    template <class Compute>
    expected<pinned_mice> try_memoize(bytes key, Compute&& compute) {
        Frame<Compute> frame{compute};
        return detail::try_memoize_as<pinned_mice>(frame.error, memoize_call(key, frame));
    }

private:
    template <class Compute>
    using Frame = detail::compute_frame<detail::write_mice, std::remove_reference_t<Compute>>;

    template <class CallFrame>
    auto memoize_call(bytes key, CallFrame& frame) noexcept {
        return [cache = handle(), key, &frame](phicache_mice* record, phicache_value* out) {
            return phicache_mice_cache_memoize(cache, key, &CallFrame::compute, &frame, nullptr, record, out, nullptr);
        };
    }
    template <class New>
    static expected<mice_cache> make(New make_new, const subsystem& system, const mice_cache* parent,
                                     const cache_options& options, config_ref settings) {
        if (parent != nullptr && !*parent) {
            return failure(status::error_invalid_argument, "a parent that was moved from");
        }
        return detail::create<mice_cache>([&](phicache_mice_cache** out) {
            const phicache_cache_options raw = detail::to_c(options);
            return make_new(settings.handle(), &raw, system.handle(), parent != nullptr ? parent->handle() : nullptr,
                            out);
        });
    }
};

PHICACHE_HPP_END

#endif  // PHICACHE_MICE_HPP
