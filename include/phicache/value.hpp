/// @file value.hpp
/// Values coming out of a cache, pinned.
#ifndef PHICACHE_VALUE_HPP
#define PHICACHE_VALUE_HPP

#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "bytes.hpp"

PHICACHE_HPP_BEGIN

/// Where a value came from.
enum class origin : std::uint32_t {
    hit = PHICACHE_ORIGIN_HIT,
    computed = PHICACHE_ORIGIN_COMPUTED,      ///< By this call.
    waited = PHICACHE_ORIGIN_WAITED,          ///< By another thread, for which this call waited.
    parent = PHICACHE_ORIGIN_PARENT,          ///< Inherited from a MICE cache's parent.
    not_stored = PHICACHE_ORIGIN_NOT_STORED,  ///< Computed by this call, and not kept: see `value::refusal()`.
};

namespace detail {

// How objects with a pin come out of C, at the cost of the C call: C writes where the caller will read, while the object
// is made. So nothing is copied, nothing is zeroed before, and when an error is thrown there is nothing to release.
// Left to themselves, compilers inline these or not by the weather.

/// Says that C fills the object while it is made.
struct filled_by_c {};

/// What `ask(out…)`, a lookup in C, finds, as a T; nothing on a miss.
template <class T, class Ask>
[[gnu::always_inline]] inline std::optional<T> look_up(const Ask& ask) {
    phicache_status code;
    std::optional<T> found(std::in_place, filled_by_c{}, [&](auto*... out) {
        code = ask(out...);
        return code == PHICACHE_OK ? code : require(code);
    });
    if (code != PHICACHE_OK) found.reset();
    return found;
}
/// @copydoc look_up
template <class T, class Ask>
[[gnu::always_inline]] inline expected<std::optional<T>> try_look_up(const Ask& ask) {
    phicache_status code;
    expected<std::optional<T>> found(std::in_place, std::in_place, filled_by_c{},
                                     [&](auto*... out) { return code = ask(out...); });
    if (code > 0) found->reset();
    if (code < 0) found = failure(code);
    return found;
}

/// What `ask(out…)`, a call in C that runs the caller's function on a miss, gives, as a T. `after` is the `callback_error` of
/// that function.
template <class T, class CallbackError, class Ask>
[[gnu::always_inline]] inline T memoize_as(CallbackError& error, const Ask& ask) {
    return T(filled_by_c{}, [&](auto*... out) {
        const phicache_status code = ask(out...);
        if (code != PHICACHE_OK) error.raise(code);
        return code;
    });
}
/// @copydoc memoize_as
template <class T, class CallbackError, class Ask>
[[gnu::always_inline]] inline expected<T> try_memoize_as(CallbackError& error, const Ask& ask) {
    phicache_status code;
    expected<T> made(std::in_place, filled_by_c{}, [&](auto*... out) {
        code = ask(out...);
        if (code != PHICACHE_OK) error.rethrow();
        return code;
    });
    if (code != PHICACHE_OK) made = error.to_failure(code);
    return made;
}

}  // namespace detail

/// A cache's own bytes, pinned: valid and unchanged until this object is destroyed, even when the entry is overwritten
/// or the cache cleared or freed. Aligned for any type of at most 16-byte alignment. Move-only; a default-constructed
/// or moved-from value is empty. One thread at a time; it may be destroyed on another thread than it came from.
class value {
public:
    value() noexcept : raw_{} {}
    /// Takes over the pin of a C value.
    explicit value(const phicache_value& raw) noexcept : raw_(raw) {}
    /// Made by `fill(phicache_value*)`, a C call; empty when that does not answer OK.
    template <class Fill>
    value(detail::filled_by_c, const Fill& fill) {
        if (fill(&raw_) != PHICACHE_OK) raw_ = {};
    }
    value(value&& other) noexcept : raw_(std::exchange(other.raw_, phicache_value{})) {}
    value& operator=(value&& other) noexcept {
        if (this != &other) {
            reset();
            raw_ = std::exchange(other.raw_, phicache_value{});
        }
        return *this;
    }
    value(const value&) = delete;
    value& operator=(const value&) = delete;
    ~value() {
        if (raw_.pin != nullptr) phicache_value_release(&raw_);
    }

    const std::uint8_t* data() const noexcept { return raw_.data; }
    std::size_t size() const noexcept { return raw_.len; }
    bool empty() const noexcept { return raw_.len == 0; }
    const std::uint8_t* begin() const noexcept { return raw_.data; }
    const std::uint8_t* end() const noexcept { return raw_.data + raw_.len; }
    /// The bytes as characters, in place.
    std::string_view text() const& noexcept { return bytes(*this).text(); }

    /// A copy as a trivially copyable T (whose size must be the value's), std::vector or std::string.
    template <class T>
    T as() const {
        if constexpr (detail::is_plain_object<T> && std::is_default_constructible_v<T>) {
            // Without an `expected`, which would stand on the stack of memos that call themselves.
            if (size() != sizeof(T)) detail::raise_wrong_size();
            T object;
            std::memcpy(std::addressof(object), data(), sizeof(T));
            return object;
        } else {
            return try_as<T>().value();
        }
    }
    /// @copydoc as
    template <class T>
    expected<T> try_as() const {
        return detail::reader<T>::read(*this);
    }

    /// The bytes in place as an array of T; their number must be a multiple of T's size.
    template <class T>
    span<const T> view() const& {
        return try_view<T>().value();
    }
    /// @copydoc view
    template <class T>
    expected<span<const T>> try_view() const& {
        return bytes(*this).try_view<T>();
    }

    // A view of a temporary would dangle as soon as the statement ends, in `for (double p : c.memoize(…).view<double>())`
    // before the first turn: name the value first.
    std::string_view text() const&& = delete;
    template <class T>
    span<const T> view() const&& = delete;
    template <class T>
    expected<span<const T>> try_view() const&& = delete;

    /// Where the value came from.
    enum origin origin() const noexcept {
        return is_stored() ? static_cast<enum origin>(raw_.origin) : origin::not_stored;
    }
    /// False when the value was computed but could not be kept.
    bool is_stored() const noexcept { return raw_.origin < PHICACHE_ORIGIN_NOT_STORED; }
    /// Why the value was not kept; `status::ok` when it was.
    status refusal() const noexcept {
        if (is_stored()) return status::ok;
        if (raw_.origin == PHICACHE_ORIGIN_NOT_STORED) return status::error_out_of_memory;
        return static_cast<status>(raw_.origin - PHICACHE_ORIGIN_NOT_STORED);
    }

    /// Releases the pin now.
    void reset() noexcept {
        if (raw_.pin != nullptr) phicache_value_release(&raw_);
        raw_ = {};
    }
    /// Where a C function puts a value; releases what was here.
    phicache_value* out() noexcept { return reset(), &raw_; }
    /// The C value; this object keeps the pin.
    const phicache_value& raw() const& noexcept { return raw_; }
    const phicache_value& raw() const&& = delete;
    /// The C value with its pin, which is now the caller's to release.
    phicache_value release() noexcept { return std::exchange(raw_, phicache_value{}); }

private:
    phicache_value raw_;
};

PHICACHE_HPP_END

#endif  // PHICACHE_VALUE_HPP
