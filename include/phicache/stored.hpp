/// @file stored.hpp
/// How values are stored and read back: as their own bytes, or gathered from several parts by functions of the caller.
#ifndef PHICACHE_STORED_HPP
#define PHICACHE_STORED_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "bytes.hpp"

PHICACHE_HPP_BEGIN

class value_writer;
class value_reader;

namespace detail {

PHICACHE_HPP_CUSTOMIZED(add_to_value, value_writer, const T&)
PHICACHE_HPP_CUSTOMIZED(read_from_value, value_reader, T&)
/// Types with one of these functions, or both.
template <class T>
inline constexpr bool has_parts = add_to_value_customized::is_called<T>;
template <class T>
inline constexpr bool has_reader = read_from_value_customized::is_called<T>;
/// Whether a `read_from_value` takes its object by value, or constant: what it reads is lost.
template <class T, class = void>
inline constexpr bool reads_a_copy = false;
template <class T>
inline constexpr bool
    reads_a_copy<T, std::void_t<decltype(read_from_value(std::declval<value_reader&>(), std::declval<T>()))>> = true;
/// Types with such a function that leaves out members, because it is only that of a base, or takes a copy: they are no
/// values.
template <class T>
inline constexpr bool leaves_out_members =
    add_to_value_customized::is_inherited<T>() || read_from_value_customized::is_inherited<T>() || reads_a_copy<T>;

/// Contiguous elements that can be copied as bytes; std::array is one object, its size is in its type.
template <class T>
inline constexpr bool is_plain_sequence =
    is_plain_range<T> && !is_std_array<T>::value && !std::is_array_v<T> && !extends_container<T>;

/// Objects that are stored as their bytes. One without a default constructor could not be read back; it may be an
/// expression, such as twice a std::valarray, with the addresses of its operands.
template <class T>
inline constexpr bool is_stored_whole = is_plain_object<T> && std::is_default_constructible_v<T>;

/// The items of a container, as they are read: a map has pairs of constant keys.
template <class T>
struct item {
    using type = T;
};
template <class Key, class Mapped>
struct item<std::pair<const Key, Mapped>> {
    using type = std::pair<Key, Mapped>;
};
template <class T>
using item_t = typename item<typename T::value_type>::type;
/// Whether an empty T puts items into the order of every other T: its comparison has no state.
template <class T, class = void>
inline constexpr bool has_one_order = true;
template <class T>
inline constexpr bool has_one_order<T, std::void_t<typename T::key_compare>> = std::is_empty_v<typename T::key_compare>;
/// Whether every T that is hashed places items alike: its hash and its equality have no state.
template <class T, class = void>
inline constexpr bool has_one_hash = true;
template <class T>
inline constexpr bool has_one_hash<T, std::void_t<typename T::hasher, typename T::key_equal>> =
    std::is_empty_v<typename T::hasher> && std::is_empty_v<typename T::key_equal>;
/// Containers that own their items and can be filled one by one: those of the standard library, and those like them.
template <class T, class = void>
struct is_container : std::false_type {};
template <class T>
struct is_container<T, std::void_t<decltype(std::size(std::declval<const T&>())), decltype(std::declval<T&>().clear()),
                                   decltype(std::declval<T&>().insert(std::declval<T&>().end(),
                                                                      std::declval<item_t<T>>()))>>
    : std::bool_constant<!extends_container<T> && !is_shaped<T> && has_one_order<T> && has_one_hash<T>> {};

/// Whether a T can be stored and read back, by itself or as a part.
template <class T>
constexpr bool reads_and_writes() noexcept;
template <class T>
struct is_value : std::bool_constant<reads_and_writes<T>()> {};

/// Types of the standard library that consist of values.
template <class T>
constexpr bool consists_of_values() noexcept {
    if constexpr (is_optional<T>::value) {
        return is_value<typename T::value_type>::value;
    } else if constexpr (is_tuple<T>::value) {
        return all_elements<is_value, T>;
    } else if constexpr (is_variant<T>::value) {
        return all_elements<is_value, alternatives_t<T>>;
    } else if constexpr (is_container<T>::value) {
        return is_value<item_t<T>>::value;
    } else {
        return false;
    }
}
template <class T>
constexpr bool reads_and_writes() noexcept {
    if constexpr (std::is_const_v<T> || !std::is_default_constructible_v<T> || leaves_out_members<T>) {
        return false;
    } else if constexpr (has_parts<T> || has_reader<T>) {
        return has_parts<T> && has_reader<T>;
    } else if constexpr (is_plain_object<T>) {
        return true;
    } else if constexpr (is_plain_sequence<T>) {
        return is_container<T>::value && std::is_default_constructible_v<element_t<T>>;
    } else if constexpr ((is_tuple<T>::value || is_optional<T>::value) && !std::is_move_assignable_v<T>) {
        return false;  // a pair with a constant, as in a map
    } else {
        return consists_of_values<T>();
    }
}

/// Types of several parts: their values are gathered.
template <class T>
constexpr bool has_several_parts() noexcept {
    if constexpr (leaves_out_members<T>) {
        return false;
    } else if constexpr (has_parts<T>) {
        return true;
    } else if constexpr (is_plain_object<T> || std::is_void_v<T> || std::is_convertible_v<const T&, bytes>) {
        return false;
    } else {
        return consists_of_values<T>();
    }
}
template <class T>
inline constexpr bool is_gathered = has_several_parts<remove_cvref<T>>();

/// What to do with a type that is no value.
#define PHICACHE_HPP_VALUES                                                                                            \
    "a value is a trivially copyable object that is no pointer and no view (a lambda is for memoize), text, or a "     \
    "container, std::optional, pair, tuple or variant of values; or its type has "                                     \
    "add_to_value(phicache::value_writer&, const T&) and read_from_value(phicache::value_reader&, T&) in the "         \
    "namespace of T (both parameters are references; those of a base class leave out members of T). It has a "         \
    "default constructor. Put a type that is not yours into a struct of your own"

/// A vector or string of elements that are copied from bytes: once, without zeroing them first.
template <class T>
T copy_elements(const void* from, std::size_t count) {
    using E = typename T::value_type;
    if constexpr (!std::is_constructible_v<T, const E*, const E*>) {
        T elements;
        for (std::size_t at = 0; at < count; ++at) {
            E element;
            std::memcpy(__builtin_addressof(element), static_cast<const char*>(from) + at * sizeof(E), sizeof(E));
            elements.insert(elements.end(), element);
        }
        return elements;
    } else {
        if (alignof(E) == 1 || reinterpret_cast<std::uintptr_t>(from) % alignof(E) == 0) {
            const E* first = static_cast<const E*>(from);
            return T(first, first + count);
        }
        T elements(count, E());
        std::memcpy(elements.data(), from, count * sizeof(E));
        return elements;
    }
}

}  // namespace detail

/// Gathers a value of several parts, for a type with functions of this kind in its namespace:
///
/// @code
/// struct irreducible { double phi; std::vector<double> repertoire; };
/// void add_to_value(phicache::value_writer& out, const irreducible& x) { out.add(x.phi).add(x.repertoire); }
/// void read_from_value(phicache::value_reader& in, irreducible& x) { in.read(x.phi).read(x.repertoire); }
/// @endcode
///
/// The type is then a value like any other: what functions given to `memoize` and memos return, what `set` takes, what
/// `get<T>` and `value::as<T>` return, the payload of a `mice`. Its parts are written one after the other into one
/// entry. Types of the standard library that consist of parts, such as `std::pair<int, std::string>` and
/// `std::vector<std::vector<double>>`, are values without such functions.
///
/// `add_to_value` runs twice for a value, first to find its size, and must add the same parts both times. A type has
/// the two functions or neither. What they write is the program's own format: where values outlive the program, at a
/// server, change the keys or the context when it changes.
class value_writer {
public:
    /// Adds one part:
    /// - a trivially copyable object that is no pointer and no view;
    /// - text, a std::vector or another contiguous range of such objects: their number and their bytes;
    /// - std::optional, std::pair, std::tuple, std::variant, and any range of parts;
    /// - a type with an `add_to_value` of its own.
    template <class T>
    value_writer& add(const T& part) {
        if constexpr (detail::leaves_out_members<T>) {
            static_assert(detail::always_false<T>, PHICACHE_HPP_VALUES);
        } else if constexpr (detail::has_parts<T>) {
            add_to_value(*this, part);
        } else if constexpr (std::is_empty_v<T> && detail::is_stored_whole<T>) {
            // Its byte may be one of another object: in a std::tuple both can have one address.
            put("", 1, 1);
        } else if constexpr (detail::is_stored_whole<T>) {
            put(__builtin_addressof(part), sizeof(T), alignof(T));
        } else if constexpr (detail::is_plain_sequence<T>) {
            using E = detail::element_t<T>;
            add_count(std::size(part));
            put(std::data(part), std::size(part) * sizeof(E), alignof(E));
        } else if constexpr (detail::is_optional<T>::value) {
            add(part.has_value());
            if (part) add(*part);
        } else if constexpr (detail::is_tuple<T>::value) {
            detail::use_parts(part, [&](const auto& item) { add(item); });
        } else if constexpr (detail::is_variant<T>::value) {
            add_count(part.index());
            detail::use_alternative(part, [&](const auto& held) { add(held); });
        } else if constexpr (detail::is_range<T>::value && !std::is_array_v<T> && !detail::extends_container<T>) {
            // Proxies, such as those of std::vector<bool>, are added as their values.
            using Item = typename std::iterator_traits<decltype(std::begin(part))>::value_type;
            add_count(static_cast<std::uint64_t>(std::distance(std::begin(part), std::end(part))));
            for (auto&& item : part) add_item<Item>(item);
        } else {
            static_assert(!std::is_pointer_v<T> && !std::is_array_v<T>,
                          "a part is no pointer; text is added as a std::string_view");
            static_assert(std::is_pointer_v<T> || std::is_array_v<T>, PHICACHE_HPP_VALUES);
        }
        return *this;
    }

    // What a copy writes is lost: without this, an `add_to_value(value_writer, const T&)` would store nothing.
    value_writer(const value_writer&) = delete;
    value_writer& operator=(const value_writer&) = delete;

    // For the headers: a writer that finds the size, or one that writes into `room`.
    value_writer() noexcept = default;
    value_writer(void* room, std::size_t capacity) noexcept
        : room_(static_cast<std::uint8_t*>(room)), capacity_(capacity) {}
    std::size_t size() const noexcept { return size_; }
    bool is_complete() const noexcept { return size_ == capacity_; }

private:
    void add_count(std::uint64_t count) { add(count); }
    /// An item without bytes of its own takes one, so that a number of items is never larger than what they take.
    template <class T>
    void add_item(const T& item) {
        const std::size_t before = size_;
        add(item);
        if (size_ == before) add('\0');
    }
    void put(const void* from, std::size_t len, std::size_t alignment) noexcept {
        const std::size_t at = (size_ + alignment - 1) / alignment * alignment;
        if (room_ != nullptr && len <= capacity_ && at <= capacity_ - len) {
            std::memset(room_ + size_, 0, at - size_);
            if (len != 0) std::memcpy(room_ + at, from, len);
        } else {
            room_ = nullptr;  // finds the size, or there is more than the first time
        }
        size_ = at + len;
    }

    std::uint8_t* room_ = nullptr;
    std::size_t capacity_ = 0;
    std::size_t size_ = 0;
};

/// Reads the parts of a gathered value back, in the order in which a `value_writer` added them. After parts that do not
/// fit the stored bytes nothing more is read, and the call that wanted the value fails with
/// `status::error_invalid_argument`.
class value_reader {
public:
    explicit value_reader(bytes stored) noexcept : stored_(stored) {}
    value_reader(const value_reader&) = delete;
    value_reader& operator=(const value_reader&) = delete;

    /// Reads one part, of the type that was added.
    template <class T>
    value_reader& read(T& part) {
        if constexpr (detail::leaves_out_members<T>) {
            static_assert(detail::always_false<T>, PHICACHE_HPP_VALUES);
        } else if constexpr (detail::has_reader<T>) {
            read_from_value(*this, part);
        } else if constexpr (detail::is_plain_object<T>) {
            const void* from = take(1, sizeof(T), alignof(T));
            if (from != nullptr && !std::is_empty_v<T>) std::memcpy(__builtin_addressof(part), from, sizeof(T));
        } else if constexpr (detail::is_plain_sequence<T>) {
            using E = typename T::value_type;
            const std::size_t count = read_count(sizeof(E));
            if (const void* from = take(count, sizeof(E), alignof(E))) part = detail::copy_elements<T>(from, count);
        } else if constexpr (detail::is_optional<T>::value) {
            bool has_value = false;
            read(has_value);
            // Not read in place, about which gcc 12 warns without a reason.
            if (has_value) {
                typename T::value_type item{};
                read(item);
                part = std::move(item);
            } else {
                part = T();
            }
        } else if constexpr (detail::is_tuple<T>::value) {
            detail::use_parts(part, [&](auto& item) { read(item); });
        } else if constexpr (detail::is_variant<T>::value) {
            std::uint64_t index = 0;
            read(index);
            if (ok_) ok_ = detail::emplace_alternative(part, index, [&](auto& held) { read(held); }) && ok_;
        } else if constexpr (detail::is_container<T>::value) {
            part.clear();
            // A count that is damaged does not reserve memory: each item is read before the next is made.
            for (std::size_t count = read_count(1); count > 0 && ok_; --count) {
                detail::item_t<T> item{};
                read_item(item);
                part.insert(part.end(), std::move(item));
            }
        } else {
            static_assert(detail::always_false<T>, PHICACHE_HPP_VALUES);
        }
        return *this;
    }
    /// The next part.
    template <class T>
    T read() {
        T part{};
        read(part);
        return part;
    }
    /// Whether all parts so far were there.
    bool ok() const noexcept { return ok_; }
    /// Whether all parts so far were there, and no bytes are left.
    bool is_complete() const noexcept { return ok_ && at_ == stored_.size(); }
    /// For a `read_from_value` that finds values that cannot be: the call fails.
    void fail() noexcept { ok_ = false; }

private:
    std::size_t read_count(std::size_t each) {
        std::uint64_t count = 0;
        read(count);
        if (count > (stored_.size() - at_) / each) ok_ = false;
        return ok_ ? count : 0;
    }
    template <class T>
    void read_item(T& item) {
        const std::size_t before = at_;
        read(item);
        if (at_ == before && read<char>() != 0) ok_ = false;
    }
    const void* take(std::size_t count, std::size_t each, std::size_t alignment) noexcept {
        const std::size_t at = (at_ + alignment - 1) / alignment * alignment;
        if (!ok_ || at > stored_.size() || count > (stored_.size() - at) / each) return ok_ = false, nullptr;
        at_ = at + count * each;
        return stored_.data() + at;
    }

    bytes stored_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

namespace detail {

/// Whether a T can be stored. Not all that can be stored can be read back as a T: views cannot.
template <class T>
inline constexpr bool is_content =
    !leaves_out_members<T> && (is_gathered<T> || std::is_convertible_v<const T&, bytes> || is_stored_whole<T>);

/// The bytes of a value to store: those of text, of the elements of a range, or of one object.
template <class T>
bytes to_bytes(const T& value) noexcept {
    if constexpr (leaves_out_members<T>) {
        static_assert(always_false<T>, PHICACHE_HPP_VALUES);
        return {};
    } else if constexpr (is_std_array<T>::value && is_plain_object<T>) {
        return bytes_of(value);  // an object of one byte if it has no elements
    } else if constexpr (std::is_convertible_v<const T&, bytes>) {
        return value;
    } else if constexpr (is_stored_whole<T>) {
        return bytes_of(value);
    } else {
        static_assert(always_false<T>, PHICACHE_HPP_VALUES);
        return {};
    }
}

/// The size of a gathered value.
template <class T>
std::size_t gathered_size(const T& value) {
    value_writer counting;
    counting.add(value);
    return counting.size();
}
/// Gathers a value in `room`, of the size that `gathered_size` found.
template <class T>
expected<void> gather(const T& value, void* room, std::size_t size) {
    value_writer out(room, size);
    out.add(value);
    if (out.is_complete()) return {};
    return failure(status::error_invalid_argument,
                   "add_to_value added other parts when it ran again: it must add the same parts each time");
}
/// What `use(bytes)`, which returns an `expected`, makes of the bytes of a value.
template <class T, class Use>
auto with_bytes(const T& value, const Use& use) -> decltype(use(bytes())) {
    if constexpr (is_gathered<T>) {
        std::vector<std::uint8_t> gathered(detail::gathered_size(value));
        if (const expected<void> done = detail::gather(value, gathered.data(), gathered.size()); !done)
            return done.error();
        return use(bytes(gathered));
    } else {
        return use(detail::to_bytes(value));
    }
}

/// Reads stored bytes as T: a trivially copyable object, a vector of such objects, a string, or gathered parts. False
/// if they do not fit.
template <class T, class = void>
struct reader {
    static_assert(is_value<T>::value, PHICACHE_HPP_VALUES);
    static bool read(bytes stored, T& object) noexcept {
        if (stored.size() != sizeof(T)) return false;
        std::memcpy(__builtin_addressof(object), stored.data(), sizeof(T));
        return true;
    }
};
template <class T>
struct reader<T, std::enable_if_t<is_gathered<T>>> {
    static_assert(is_value<T>::value, PHICACHE_HPP_VALUES);
    static bool read(bytes stored, T& object) {
        value_reader in(stored);
        if constexpr (is_value<T>::value) in.read(object);
        return in.is_complete();
    }
};
/// Vectors, strings and containers like them: the number of elements follows from the number of bytes.
template <class T>
struct sequence_reader {
    using E = typename T::value_type;
    static bool fits(bytes stored) noexcept { return stored.size() % sizeof(E) == 0; }
    static T copy(bytes stored) { return copy_elements<T>(stored.data(), stored.size() / sizeof(E)); }
    static bool read(bytes stored, T& elements) {
        if (fits(stored)) elements = copy(stored);
        return fits(stored);
    }
};
template <class T>
struct reader<T, std::enable_if_t<is_plain_sequence<T> && !is_gathered<T>>> : sequence_reader<T> {
    static_assert(is_value<T>::value, PHICACHE_HPP_VALUES);
};

/// Whether a T is constructed from its bytes, and not read into a T that exists.
template <class T, class = void>
inline constexpr bool is_copied_whole = false;
template <class T>
inline constexpr bool is_copied_whole<T, std::void_t<decltype(&reader<T>::copy)>> = true;

/// Stored bytes as a T; fails if they do not fit.
template <class T>
expected<T> read_as(bytes stored) {
    if constexpr (!is_value<T>::value) {
        static_assert(is_value<T>::value, PHICACHE_HPP_VALUES);
        refused();
    } else if constexpr (is_copied_whole<T>) {
        if (!reader<T>::fits(stored)) return wrong_size();
        return reader<T>::copy(stored);
    } else if constexpr (is_plain_object<T> && !is_gathered<T>) {
        T object;  // not zeroed first
        if (!reader<T>::read(stored, object)) return wrong_size();
        return object;
    } else {
        expected<T> object(std::in_place);
        if (!reader<T>::read(stored, *object)) object = wrong_size();
        return object;
    }
}
/// @copydoc read_as
template <class T>
T read_or_raise(bytes stored) {
    if constexpr (!is_value<T>::value) {
        static_assert(is_value<T>::value, PHICACHE_HPP_VALUES);
        refused();
    } else if constexpr (is_copied_whole<T>) {
        if (!reader<T>::fits(stored)) raise_wrong_size();
        return reader<T>::copy(stored);
    } else {
        T object{};  // with 0, and not any number, in a member that a `read_from_value` leaves out
        if (!reader<T>::read(stored, object)) raise_wrong_size();
        return object;
    }
}

}  // namespace detail

PHICACHE_HPP_END

#endif  // PHICACHE_STORED_HPP
