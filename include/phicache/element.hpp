/// @file element.hpp
/// Which types can be elements of a key, and as which elements they are encoded.
#ifndef PHICACHE_ELEMENT_HPP
#define PHICACHE_ELEMENT_HPP

#include <chrono>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "bytes.hpp"
#include "nodes.hpp"

PHICACHE_HPP_BEGIN

namespace detail {

/// Contiguous doubles, as in a std::vector: they are added to a key as one array.
template <class T, class = void>
struct is_doubles : std::false_type {};
template <class T>
struct is_doubles<
    T, std::void_t<decltype(std::data(std::declval<const T&>())), decltype(std::size(std::declval<const T&>()))>>
    : std::bool_constant<std::is_same_v<decltype(std::data(std::declval<const T&>())), const double*> &&
                         !is_shaped<T>> {};

/// Standard sets have a key_type; maps also have a mapped_type.
template <class T, class = void>
struct is_associative : std::false_type {};
template <class T>
struct is_associative<T, std::void_t<typename T::key_type>> : std::true_type {};
template <class T, class = void>
struct is_map : std::false_type {};
template <class T>
struct is_map<T, std::void_t<typename T::mapped_type>> : std::true_type {};
/// Those in an order that follows from their elements, such as std::map; the others are hashed.
template <class T, class = void>
struct is_ordered : std::false_type {};
template <class T>
struct is_ordered<T, std::void_t<typename T::key_compare>> : std::true_type {};
/// Those that have no key twice: `insert` says whether it has inserted.
template <class T>
struct is_unique : is_tuple<decltype(std::declval<T&>().insert(std::declval<const typename T::value_type&>()))> {};

/// Complex numbers: their type has two parts.
template <class T, class = void>
struct is_complex : std::false_type {};
template <class T>
struct is_complex<T, std::void_t<decltype(std::declval<const T&>().real()), decltype(std::declval<const T&>().imag())>>
    : std::bool_constant<std::is_floating_point_v<typename T::value_type> &&
                         std::is_same_v<remove_cvref<decltype(std::declval<const T&>().real())>,
                                        typename T::value_type> &&
                         sizeof(T) == 2 * sizeof(typename T::value_type)> {};
/// std::bitset, without its header.
template <class T, class = void>
struct is_bitset : std::false_type {};
template <class T>
struct is_bitset<T, std::void_t<typename T::reference, decltype(extends<T>(&T::to_ullong))>>
    : std::bool_constant<!extends<T>(&T::to_ullong)> {};

/// The name in a key of a time in whole units: that of Julia's type.
template <class T>
inline constexpr const char* duration_name = nullptr;
template <class Period>
inline constexpr const char* period_name = nullptr;
template <>
inline constexpr const char* period_name<std::nano> = "Dates.Nanosecond";
template <>
inline constexpr const char* period_name<std::micro> = "Dates.Microsecond";
template <>
inline constexpr const char* period_name<std::milli> = "Dates.Millisecond";
template <>
inline constexpr const char* period_name<std::ratio<1>> = "Dates.Second";
template <>
inline constexpr const char* period_name<std::ratio<60>> = "Dates.Minute";
template <>
inline constexpr const char* period_name<std::ratio<3600>> = "Dates.Hour";
template <>
inline constexpr const char* period_name<std::ratio<86400>> = "Dates.Day";
template <>
inline constexpr const char* period_name<std::ratio<604800>> = "Dates.Week";
template <class Number, class Period>
inline constexpr const char* duration_name<std::chrono::duration<Number, Period>> =
    std::is_integral_v<Number> ? period_name<typename Period::type> : nullptr;

/// Whether what an optional holds may have the key of an empty one.
template <class T>
constexpr bool may_be_none(const T& held) noexcept {
    if constexpr (std::is_pointer_v<T> || std::is_null_pointer_v<T>) {
        return held == nullptr;
    } else {
        return is_optional<T>::value;
    }
}

/// Whether a T can be an element of a key.
template <class T>
constexpr bool is_key_element() noexcept;
template <class T>
struct is_element : std::bool_constant<is_key_element<std::decay_t<T>>()> {};
/// The alternatives of a std::variant. An alternative without members, such as std::monostate, is encoded as none.
template <class T>
struct is_alternative : std::bool_constant<std::is_empty_v<T> || is_key_element<T>()> {};
template <class T>
constexpr bool is_key_element() noexcept {
    if constexpr (has_wrong_encoding<T>) {
        return false;
    } else if constexpr (has_own_encoding<T> || std::is_null_pointer_v<T> ||
                         std::is_same_v<T, std::nullopt_t> || std::is_same_v<T, node_set> || std::is_same_v<T, bytes> ||
                         std::is_enum_v<T>) {
        return true;
    } else if constexpr (std::is_arithmetic_v<T>) {
        return sizeof(T) <= 8;
    } else if constexpr (extends_container<T>) {
        return false;
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
        return true;
    } else if constexpr (is_optional<T>::value) {
        return is_element<typename T::value_type>::value;
    } else if constexpr (is_complex<T>::value) {
        return sizeof(typename T::value_type) <= 8;
    } else if constexpr (duration_name<T> != nullptr || is_bitset<T>::value) {
        return true;
    } else if constexpr (is_variant<T>::value) {
        return all_elements<is_alternative, alternatives_t<T>>;
    } else if constexpr (is_shaped<T>) {
        return false;
    } else if constexpr (is_range<T>::value) {
        using Element = typename std::iterator_traits<decltype(std::begin(std::declval<const T&>()))>::value_type;
        if constexpr (is_associative<T>::value) {
            if (!is_unique<T>::value && !is_ordered<T>::value) return false;
        }
        if constexpr (std::is_same_v<Element, T>) {
            return false;
        } else {
            return is_element<Element>::value;
        }
    } else if constexpr (is_tuple<T>::value) {
        return all_elements<is_element, T>;
    } else {
        return false;
    }
}

/// What to do with a type that is no element of a key.
#define PHICACHE_HPP_ELEMENTS                                                                                          \
    "this type cannot be an element of a key: write add_to_key(phicache::key&, const T&) in the namespace of T "       \
    "(that of a base class leaves out members of T); a type that is not yours has to be converted, or put into a "     \
    "struct of your own; instead of a pointer pass a phicache::span of its elements"

}  // namespace detail

PHICACHE_HPP_END

#endif  // PHICACHE_ELEMENT_HPP
