/// @file value.hpp
/// Values coming out of a cache, pinned.
#ifndef PHICACHE_VALUE_HPP
#define PHICACHE_VALUE_HPP

#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "stored.hpp"

PHICACHE_HPP_BEGIN

class value;

/// Where a value comes from.
enum class origin : std::uint32_t {
    hit = PHICACHE_ORIGIN_HIT,
    computed = PHICACHE_ORIGIN_COMPUTED,      ///< By this call.
    waited = PHICACHE_ORIGIN_WAITED,          ///< By another thread; this call waited for it.
    parent = PHICACHE_ORIGIN_PARENT,          ///< Inherited from the parent of a MICE cache.
    not_stored = PHICACHE_ORIGIN_NOT_STORED,  ///< Computed by this call and not stored: see `value::refusal()`.
};

namespace detail {

// How pinned objects come out of C at no cost beyond the C call: C writes them in place during their construction.
// Nothing is copied, nothing is zeroed first, and there is nothing to release if an error is thrown. Always inlined,
// because compilers decide otherwise from one version to the next.

/// Selects the constructor that lets C fill the object.
struct filled_by_c {};

/// The types with such a constructor: pinned values.
template <class T>
inline constexpr bool is_pinned = false;
template <>
inline constexpr bool is_pinned<value> = true;

/// The T that a lookup in C, `ask(out…)`, finds; empty on a miss.
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

}  // namespace detail

/// The bytes of a cache entry, pinned: valid and unchanged until this object is destroyed, even if the entry is
/// overwritten or the cache is cleared or freed. Aligned to 16 bytes. Move-only; a default-constructed or moved-from
/// value is empty. For one thread at a time; any thread may destroy it.
class value {
public:
    value() noexcept : raw_{} {}
    /// Takes ownership of the pin of a C value.
    explicit value(const phicache_value& raw) noexcept : raw_(raw) {}
    /// Filled by a C call, `fill(phicache_value*)`; empty if that does not return OK.
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
    /// The bytes as characters, not copied.
    std::string_view text() const& noexcept { return bytes(*this).text(); }

    /// A copy as T: a trivially copyable type of the value's size, a std::vector of one, std::string, or a type of
    /// several parts (see `value_writer`). Fails with `status::error_invalid_argument` if the bytes do not fit.
    template <class T>
    T as() const {
        // Without an `expected`, which would enlarge the stack frames of recursive memos.
        return detail::read_or_raise<T>(*this);
    }
    /// @copydoc as
    template <class T>
    expected<T> try_as() const {
        return detail::read_as<T>(*this);
    }

    /// The bytes as an array of T, not copied; their number must be a multiple of `sizeof(T)`.
    template <class T>
    span<const T> view() const& {
        return try_view<T>().value();
    }
    /// @copydoc view
    template <class T>
    expected<span<const T>> try_view() const& {
        return bytes(*this).try_view<T>();
    }

    // A view of a temporary value would dangle: in `for (double p : c.memoize(…).view<double>())` before the first
    // iteration. Give the value a name first.
    std::string_view text() const&& = delete;
    template <class T>
    span<const T> view() const&& = delete;
    template <class T>
    expected<span<const T>> try_view() const&& = delete;

    /// Where the value comes from.
    enum origin origin() const noexcept {
        return is_stored() ? static_cast<enum origin>(raw_.origin) : origin::not_stored;
    }
    /// Whether the cache has stored the value. False if it was computed and its store was refused.
    bool is_stored() const noexcept { return raw_.origin < PHICACHE_ORIGIN_NOT_STORED; }
    /// Why the value was not stored; `status::ok` if it was.
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
    /// The address at which a C function stores a value; releases the previous one.
    phicache_value* out() noexcept { return reset(), &raw_; }
    /// The C value; the pin still belongs to this object.
    const phicache_value& raw() const& noexcept { return raw_; }
    const phicache_value& raw() const&& = delete;
    /// The C value with its pin, which the caller now has to release.
    phicache_value release() noexcept { return std::exchange(raw_, phicache_value{}); }

private:
    phicache_value raw_;
};

PHICACHE_HPP_END

#endif  // PHICACHE_VALUE_HPP
