/// @file key.hpp
/// Keys from typed arguments: the encoding of docs/keys.md, the same bytes in every language.
#ifndef PHICACHE_KEY_HPP
#define PHICACHE_KEY_HPP

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "bytes.hpp"
#include "element.hpp"
#include "nodes.hpp"
#include "owner.hpp"

PHICACHE_HPP_BEGIN

/// Whether numbers of equal value and different types (1, 1.0, true) are one key, as with Python's == (`untyped`), or
/// different keys (`typed`).
enum class typing : std::int32_t { untyped = 0, typed = 1 };

/// Builds a key from typed elements. Converts to `bytes`, so it can be passed wherever a key is expected. `reset()`
/// empties it and keeps its memory for the next key. An element that cannot be added (text that is not UTF-8, the end
/// of a tuple that was never begun) makes the key invalid: requesting its bytes then fails. For one thread at a time.
class key : public owner<phicache_key, phicache_key_free> {
public:
    using owner::owner;
    key(key&&) noexcept = default;
    key& operator=(key&&) noexcept = default;
    key(const key&) = delete;  // said here too, so that the message is short
    key& operator=(const key&) = delete;
    /// An empty key.
    key() noexcept : owner(nullptr) {
        if (expected<key> made = try_make()) {
            static_cast<owner&>(*this) = std::move(*made);
        } else {
            failure_ = made.error();
        }
    }
    /// The elements of a key are for `of` and `add`.
    template <class First, class Second, class... More>
    explicit key(const First& use_key_of, const Second&, const More&...) = delete;
    static expected<key> try_make() {
        return detail::create<key>([](phicache_key** out) { return phicache_key_new(out); });
    }
    /// The key of these elements.
    template <class... Elements>
    static key of(const Elements&... elements) {
        key made;
        (made.add(elements), ...);
        return made;
    }

    /// Removes all elements, and a failure.
    key& reset() noexcept {
        failure_ = failure(phicache_key_reset(handle()));
        return *this;
    }

    /// Appends one element:
    /// - nullptr, a null `const char*` or std::nullopt: none;
    /// - bool, an integer, a double or float, text, `bytes`, `direction`, `node_set`;
    /// - an array of `char`: text, to its first NUL. Of numbers in one, add a `span<const char>`;
    /// - std::optional: none, or its value; one of optionals: none, or a tuple of its value;
    /// - contiguous doubles such as std::vector<double>: an array of doubles;
    /// - std::set, std::unordered_set: a set; std::unordered_map: a set of pairs;
    /// - std::tuple, std::pair, std::map, std::bitset, any other range: a tuple. Sets and tuples nest to any depth;
    /// - std::variant: a tuple of its index and its alternative; std::monostate is encoded as none;
    /// - std::complex, and a std::chrono::duration of whole nanoseconds, …, seconds, …, weeks: those of Julia. The same
    ///   time in different units is a different key;
    /// - an enum: its number. To keep it apart from numbers and other enums, give it an `add_to_key` that calls
    ///   `key.add_named("color", static_cast<int>(value))`;
    /// - any type T with a function `void add_to_key(phicache::key&, const T&)` in its namespace: a tuple of what that
    ///   adds, or if T is an enum, only what it adds.
    template <class T>
    key& add(const T& element) {
        using U = std::decay_t<T>;
        if constexpr (detail::has_wrong_encoding<U>) {
            static_assert(detail::always_false<T>, PHICACHE_HPP_ELEMENTS);
        } else if constexpr (detail::has_own_encoding<U> && std::is_enum_v<U>) {
            add_to_key(*this, element);
        } else if constexpr (detail::has_own_encoding<U>) {
            // Enclosed, so that two objects in a row never have the elements of two others.
            begin_tuple();
            add_to_key(*this, element);
            end_tuple();
        } else if constexpr (std::is_same_v<U, std::nullptr_t> || std::is_same_v<U, std::nullopt_t>) {
            step([&] { return phicache_key_add_none(handle()); });
        } else if constexpr (std::is_same_v<U, bool>) {
            step([&] { return phicache_key_add_bool(handle(), element); });
        } else if constexpr (std::is_same_v<U, direction>) {
            step([&] { return phicache_key_add_direction(handle(), static_cast<std::int32_t>(element)); });
        } else if constexpr (std::is_same_v<U, node_set>) {
            step([&] { return phicache_key_add_nodes(handle(), element.mask()); });
        } else if constexpr (std::is_same_v<U, bytes>) {
            step([&] { return phicache_key_add_bytes(handle(), element); });
        } else if constexpr (std::is_enum_v<U>) {
            add(static_cast<std::underlying_type_t<U>>(element));
        } else if constexpr (std::is_integral_v<U> && std::is_signed_v<U>) {
            static_assert(sizeof(U) <= 8, "integers have at most 64 bits");
            step([&] { return phicache_key_add_int(handle(), element); });
        } else if constexpr (std::is_integral_v<U>) {
            static_assert(sizeof(U) <= 8, "integers have at most 64 bits");
            step([&] { return phicache_key_add_uint(handle(), element); });
        } else if constexpr (std::is_floating_point_v<U>) {
            static_assert(sizeof(U) <= 8, "floating-point numbers have at most 64 bits");
            step([&] { return phicache_key_add_double(handle(), static_cast<double>(element)); });
        } else if constexpr (detail::extends_container<U>) {
            static_assert(detail::always_false<T>, PHICACHE_HPP_ELEMENTS);
        } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
            if constexpr (std::is_pointer_v<T>) {
                if (element == nullptr) return add(nullptr);
            }
            std::string_view utf8;
            if constexpr (std::is_array_v<T>) {
                // A full array, such as the `char symbol[2]` of a struct, has no NUL.
                utf8 = {element, std::size(element)};
                utf8 = utf8.substr(0, utf8.find('\0'));
            } else {
                utf8 = element;
            }
            step([&] { return phicache_key_add_string(handle(), bytes(utf8)); });
        } else if constexpr (detail::is_optional<U>::value) {
            // A value that can be none as well is wrapped in a tuple, so that it differs from an empty optional.
            if (!element) return add(nullptr);
            if (!detail::may_be_none(*element)) return add(*element);
            begin_tuple().add(*element).end_tuple();
        } else if constexpr (detail::is_complex<U>::value) {
            using Part = typename U::value_type;
            static_assert(sizeof(Part) <= 8, "floating-point numbers have at most 64 bits");
            begin_named(sizeof(Part) == 8 ? "Complex{Float64}" : "Complex{Float32}");
            begin_tuple().add(element.real()).add(element.imag()).end_tuple().end_named();
        } else if constexpr (detail::duration_name<U> != nullptr) {
            begin_named(detail::duration_name<U>).begin_tuple().add(element.count()).end_tuple().end_named();
        } else if constexpr (detail::is_bitset<U>::value) {
            begin_tuple();
            for (std::size_t bit = 0; bit < element.size(); ++bit) add(element[bit]);
            end_tuple();
        } else if constexpr (detail::is_variant<U>::value && detail::is_element<U>::value) {
            // With the index: elements of different alternatives may be equal.
            begin_tuple().add(element.index());
            detail::use_alternative(element, [&](const auto& held) { add_alternative(held); });
            end_tuple();
        } else if constexpr (detail::is_associative<U>::value) {
            constexpr bool is_ordered_map = detail::is_map<U>::value && detail::is_ordered<U>::value;
            if constexpr (detail::is_unique<U>::value && !is_ordered_map) {
                begin_set().add_each(element).end_set();
            } else if constexpr (detail::is_ordered<U>::value) {
                begin_tuple().add_each(element).end_tuple();
            } else {
                static_assert(detail::always_false<T>,
                              "a hashed container that may hold a key twice has no order: add its elements, sorted");
            }
        } else if constexpr (detail::is_doubles<T>::value) {
            step([&] { return phicache_key_add_doubles(handle(), std::data(element), std::size(element)); });
        } else if constexpr (detail::is_range<T>::value && !detail::is_shaped<T>) {
            begin_tuple().add_each(element).end_tuple();
        } else if constexpr (detail::is_tuple<U>::value) {
            begin_tuple();
            detail::use_parts(element, [&](const auto& part) { add(part); });
            end_tuple();
        } else {
            static_assert(detail::always_false<T>, PHICACHE_HPP_ELEMENTS);
        }
        return *this;
    }
    template <class... Elements, std::enable_if_t<sizeof...(Elements) != 1, int> = 0>
    key& add(const Elements&... one_in_each_call) = delete;

    /// Names the argument that is added next. Named arguments come last, in any order, each name once.
    key& keyword(text name) {
        return step([&] { return phicache_key_add_keyword(handle(), name.c_str()); });
    }
    /// Appends a named argument: `keyword(name).add(element)`.
    template <class... T>
    key& add_keyword(text name, const T&... element) {
        return keyword(name).add(element...);
    }

    /// Elements added until `end_tuple` form one element.
    key& begin_tuple() {
        return step([&] { return phicache_key_begin_tuple(handle()); });
    }
    key& end_tuple() {
        return step([&] { return phicache_key_end_tuple(handle()); });
    }
    /// Elements added until `end_set` form one element; their order does not matter.
    key& begin_set() {
        return step([&] { return phicache_key_begin_set(handle()); });
    }
    key& end_set() {
        return step([&] { return phicache_key_end_set(handle()); });
    }

    /// The element that is added next, before `end_named`, is the value of a type of this name.
    key& begin_named(text name) {
        return step([&] { return phicache_key_begin_named(handle(), name.c_str()); });
    }
    key& end_named() {
        return step([&] { return phicache_key_end_named(handle()); });
    }
    /// Appends the value of a type: `begin_named(name).add(element).end_named()`. It differs from the bare element, and
    /// from the same element under another name.
    template <class... T>
    key& add_named(text name, const T&... element) {
        return begin_named(name).add(element...).end_named();
    }

    /// The bytes of the key, valid until it changes; fails if an element could not be added.
    expected<bytes> try_encode(typing types = typing::untyped) const {
        if (failure_.code() != status::ok) return failure_;
        phicache_bytes encoded{};
        if (const phicache_status code = phicache_key_bytes(handle(), static_cast<std::int32_t>(types), &encoded);
            code < 0) {
            return failure(code);
        }
        return bytes(encoded);
    }
    /// @copydoc try_encode
    bytes encode(typing types = typing::untyped) const PHICACHE_HPP_BORROWED { return try_encode(types).value(); }
    /// The untyped bytes, where a key is expected.
    operator bytes() const PHICACHE_HPP_BORROWED { return encode(); }

    /// Fails if an element could not be added.
    expected<void> check() const noexcept {
        if (failure_.code() != status::ok) return failure_;
        return {};
    }

private:
    template <class Step>
    key& step(Step&& append) {
        if (failure_.code() == status::ok) {
            if (const phicache_status code = append(); code < 0) failure_ = failure(code);
        }
        return *this;
    }
    template <class T>
    key& add_alternative(const T& held) {
        if constexpr (detail::is_element<T>::value) return add(held);
        return add(nullptr);
    }
    template <class Range>
    key& add_each(const Range& range) {
        // Proxies, such as those of std::vector<bool>, are added as their values.
        using Element = typename std::iterator_traits<decltype(std::begin(range))>::value_type;
        static_assert(!std::is_same_v<Element, Range>,
                      "a range of ranges of the same type, such as std::filesystem::path, has no end: add its text");
        for (auto&& element : range) add<Element>(element);
        return *this;
    }

    failure failure_{PHICACHE_OK};
};

/// A key of two to six parts of raw bytes, borrowed for a call: `cache.memoize<double>({p, q}, …)`. It is the key
/// `key_bytes{p, q}`; the library joins the parts, without allocating if they have at most 1,000 bytes. Neither
/// copied nor moved: write it where it is used.
class key_parts {
public:
    template <class First, class Second, class... More,
              std::enable_if_t<std::is_convertible_v<const First&, bytes> &&
                                   std::is_convertible_v<const Second&, bytes> &&
                                   (std::is_convertible_v<const More&, bytes> && ...),
                               int> = 0>
    [[gnu::noinline]] key_parts(const First& first, const Second& second, const More&... more) noexcept
        : count_(sizeof...(More) + 2) {
        static_assert(sizeof...(More) + 2 <= most, "a list of parts has at most six; key_bytes::of takes any number");
        std::size_t at = 0;
        const auto add = [&](bytes part) {
            parts_[at] = part;
            lengths_[at++] = static_cast<std::uint32_t>(part.size());
        };
        add(bytes(first)), add(bytes(second)), (add(bytes(more)), ...);
        parts_[at] = bytes(span<const std::uint32_t>(lengths_, at));
    }
    /// Other arguments are elements of a `key`. (Of a pointer and a size, and of equal numbers, `bytes` says so.)
    template <class First, class Second, class... More,
              std::enable_if_t<!(std::is_convertible_v<const First&, bytes> &&
                                 std::is_convertible_v<const Second&, bytes> &&
                                 (std::is_convertible_v<const More&, bytes> && ...)) &&
                                   !(std::is_pointer_v<std::decay_t<First>> && sizeof...(More) == 0) &&
                                   !(std::is_arithmetic_v<First> && std::is_same_v<First, Second> &&
                                     (std::is_same_v<First, More> && ...)),
                               int> = 0>
    key_parts(const First& use_key_of, const Second&, const More&...) = delete;
    key_parts(const key_parts&) = delete;
    key_parts& operator=(const key_parts&) = delete;

    /// The parts for C, the last of which are the lengths of the others.
    const phicache_bytes* data() const noexcept { return parts_; }
    std::size_t size() const noexcept { return count_ + 1; }

private:
    static constexpr std::size_t most = 6;
    std::size_t count_;
    phicache_bytes parts_[most + 1];
    std::uint32_t lengths_[most];
};

/// The bytes of a key, stored inside the object unless they are long. Converts to `bytes`.
class key_bytes {
public:
    key_bytes() noexcept {}
    key_bytes(const key_bytes& other) : size_(other.size_), long_(other.long_) { copy_short(other); }
    key_bytes(key_bytes&& other) noexcept : size_(other.size_), long_(std::move(other.long_)) { copy_short(other); }
    key_bytes& operator=(const key_bytes& other) { return *this = key_bytes(other); }
    key_bytes& operator=(key_bytes&& other) noexcept {
        if (this != &other) {
            size_ = other.size_;
            long_ = std::move(other.long_);
            copy_short(other);
        }
        return *this;
    }

    /// A key of several pieces of raw bytes: `key_bytes{p, q}`. The pieces are concatenated and followed by their
    /// lengths, so ({1}, {2, 3}) is not ({1, 2}, {3}). Raw bytes have no types: text and a number may be equal, and
    /// -0.0 is not 0.0.
    template <class First, class Second, class... More,
              std::enable_if_t<std::is_convertible_v<const First&, bytes> &&
                                   std::is_convertible_v<const Second&, bytes> &&
                                   (std::is_convertible_v<const More&, bytes> && ...),
                               int> = 0>
    key_bytes(const First& first, const Second& second, const More&... more) : key_bytes(of(first, second, more...)) {}
    /// One piece is a key by itself, other arguments are elements of a `key`.
    template <class One, std::enable_if_t<!std::is_base_of_v<key_bytes, One>, int> = 0>
    explicit key_bytes(const One& one_piece_is_a_key_by_itself) = delete;
    template <class First, class Second, class... More,
              std::enable_if_t<!(std::is_convertible_v<const First&, bytes> &&
                                 std::is_convertible_v<const Second&, bytes> &&
                                 (std::is_convertible_v<const More&, bytes> && ...)),
                               int> = 0>
    explicit key_bytes(const First& use_key_of, const Second&, const More&...) = delete;
    /// The same, of any number of pieces.
    template <class... Parts>
    static key_bytes of(const Parts&... parts) {
        return joined({bytes(parts)...});
    }

    const std::uint8_t* data() const noexcept { return size_ > sizeof short_ ? long_.data() : short_; }
    std::size_t size() const noexcept { return size_; }

    /// The bytes that a C call, `write(buffer, capacity, &length)`, writes.
    template <class Write>
    static key_bytes from(const Write& write) {
        key_bytes key;
        detail::require(key.fill(write));
        return key;
    }
    /// @copydoc from
    template <class Write>
    static expected<key_bytes> try_from(const Write& write) {
        key_bytes key;
        if (const phicache_status code = key.fill(write); code < 0) return failure(code);
        return key;
    }

private:
    static key_bytes joined(std::initializer_list<bytes> parts) {
        std::size_t size = 4 * parts.size();
        for (const bytes part : parts) {
            if (detail::is_null(part)) detail::raise(detail::null_text());
            size += part.size();
        }
        return from([&](std::uint8_t* buffer, std::size_t capacity, std::size_t* len) -> phicache_status {
            *len = size;
            if (size > capacity) return PHICACHE_ERROR_BUFFER_TOO_SMALL;
            for (const bytes part : parts) {
                if (!part.empty()) std::memcpy(buffer, part.data(), part.size());
                buffer += part.size();
            }
            for (const bytes part : parts) {
                for (int shift = 0; shift < 32; shift += 8) *buffer++ = static_cast<std::uint8_t>(part.size() >> shift);
            }
            return PHICACHE_OK;
        });
    }
    template <class Write>
    phicache_status fill(const Write& write) {
        phicache_status code = write(short_, sizeof short_, &size_);
        if (code == PHICACHE_ERROR_BUFFER_TOO_SMALL) {
            long_.resize(size_);
            code = write(long_.data(), long_.size(), &size_);
        }
        return code;
    }
    void copy_short(const key_bytes& other) noexcept {
        if (size_ <= sizeof short_ && this != &other) std::memcpy(short_, other.short_, size_);
    }

    std::size_t size_ = 0;
    std::vector<std::uint8_t> long_;
    std::uint8_t short_[PHICACHE_KEY_BUFFER];
};

namespace detail {

inline auto repertoire_writer(text prefix, direction dir, node_set mechanism, node_set purview) noexcept {
    return [=](std::uint8_t* buffer, std::size_t capacity, std::size_t* len) {
        return phicache_key_repertoire(prefix.c_str(), static_cast<std::int32_t>(dir), mechanism.mask(), purview.mask(),
                                       buffer, capacity, len);
    };
}

/// No list (null) and an empty list are different keys, so an empty list needs an address.
inline auto mice_writer(text prefix, direction dir, node_set mechanism,
                        std::optional<span<const node_set>> purviews) noexcept {
    return [=](std::uint8_t* buffer, std::size_t capacity, std::size_t* len) {
        static constexpr std::uint64_t none = 0;
        const std::uint64_t* list = !purviews ? nullptr : purviews->empty() ? &none : masks(*purviews);
        return phicache_key_mice(prefix.c_str(), static_cast<std::int32_t>(dir), mechanism.mask(), list,
                                 purviews ? purviews->size() : 0, buffer, capacity, len);
    };
}

}  // namespace detail

/// The candidate purviews of a MICE, for a call: a range or list of node sets, `{{0}, {1}}`, or no list, `{}`.
class candidate_purviews {
public:
    candidate_purviews(std::nullopt_t = std::nullopt) noexcept {}
    candidate_purviews(std::initializer_list<node_set> list) noexcept : list_(span<const node_set>(list)) {}
    template <class List, std::enable_if_t<!std::is_same_v<List, candidate_purviews> &&
                                               std::is_convertible_v<const List&, std::optional<span<const node_set>>>,
                                           int> = 0>
    candidate_purviews(const List& list) noexcept : list_(list) {}

    const std::optional<span<const node_set>>& list() const noexcept { return list_; }

private:
    std::optional<span<const node_set>> list_{};
};

/// The key (prefix, direction, mechanism, purview) of a repertoire, faster than with a `key`; the prefix may be null.
inline key_bytes repertoire_key(text prefix, direction dir, node_set mechanism, node_set purview) {
    return key_bytes::from(detail::repertoire_writer(prefix, dir, mechanism, purview));
}
/// @copydoc repertoire_key
inline expected<key_bytes> try_repertoire_key(text prefix, direction dir, node_set mechanism, node_set purview) {
    return key_bytes::try_from(detail::repertoire_writer(prefix, dir, mechanism, purview));
}

/// The key of PyPhi's find_mice: (prefix, direction, mechanism), followed by the candidate purviews if a list is given.
/// An empty list is not the same as no list, and the order of the candidates matters.
inline key_bytes mice_key(text prefix, direction dir, node_set mechanism, const candidate_purviews& purviews = {}) {
    return key_bytes::from(detail::mice_writer(prefix, dir, mechanism, purviews.list()));
}
/// @copydoc mice_key
inline expected<key_bytes> try_mice_key(text prefix, direction dir, node_set mechanism,
                                        const candidate_purviews& purviews = {}) {
    return key_bytes::try_from(detail::mice_writer(prefix, dir, mechanism, purviews.list()));
}

PHICACHE_HPP_END

#endif  // PHICACHE_KEY_HPP
