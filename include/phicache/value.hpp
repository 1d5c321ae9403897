/// @file value.hpp
/// Values coming out of a cache, pinned.
#ifndef PHICACHE_HPP_BEGIN
#error "include phicache.hpp"
#endif

PHICACHE_HPP_BEGIN

/// Where a value came from.
enum class origin : std::uint32_t {
    hit = PHICACHE_ORIGIN_HIT,
    computed = PHICACHE_ORIGIN_COMPUTED,      ///< By this call.
    waited = PHICACHE_ORIGIN_WAITED,          ///< By another thread, for which this call waited.
    parent = PHICACHE_ORIGIN_PARENT,          ///< Inherited from a MICE cache's parent.
    not_stored = PHICACHE_ORIGIN_NOT_STORED,  ///< Computed by this call, and not kept: see `value::refusal()`.
};

/// A cache's own bytes, pinned: valid and unchanged until this object is destroyed, even when the entry is overwritten
/// or the cache cleared or freed. Aligned for any type of at most 16-byte alignment. Move-only; a default-constructed
/// or moved-from value is empty. One thread at a time; it may be destroyed on another thread than it came from.
class value {
public:
    value() noexcept : raw_{} {}
    /// Takes over the pin of a C value.
    explicit value(const phicache_value& raw) noexcept : raw_(raw) {}
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
    ~value() { reset(); }

    const std::uint8_t* data() const noexcept { return raw_.data; }
    std::size_t size() const noexcept { return raw_.len; }
    bool empty() const noexcept { return raw_.len == 0; }
    const std::uint8_t* begin() const noexcept { return raw_.data; }
    const std::uint8_t* end() const noexcept { return raw_.data + raw_.len; }
    /// The bytes as characters, in place.
    std::string_view text() const noexcept { return bytes(*this).text(); }

    /// A copy as a trivially copyable T (whose size must be the value's), std::vector or std::string.
    template <class T>
    T as() const {
        return try_as<T>().value();
    }
    /// @copydoc as
    template <class T>
    expected<T> try_as() const {
        return detail::reader<T>::read(*this);
    }

    /// The bytes in place as an array of T; their number must be a multiple of T's size.
    template <class T>
    span<const T> view() const {
        return try_view<T>().value();
    }
    /// @copydoc view
    template <class T>
    expected<span<const T>> try_view() const {
        return bytes(*this).try_view<T>();
    }

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
    const phicache_value& raw() const noexcept { return raw_; }
    /// The C value with its pin, which is now the caller's to release.
    phicache_value release() noexcept { return std::exchange(raw_, phicache_value{}); }

private:
    phicache_value raw_;
};

PHICACHE_HPP_END
