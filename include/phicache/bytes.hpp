/// @file bytes.hpp
/// Bytes going in, a span for typed views, and the types that can be copied as bytes.
#ifndef PHICACHE_BYTES_HPP
#define PHICACHE_BYTES_HPP

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "customized.hpp"
#include "error.hpp"

PHICACHE_HPP_BEGIN

class bytes;
class cache;
class key;
class text;

namespace detail {

template <class T>
using remove_cvref = std::remove_cv_t<std::remove_reference_t<T>>;

template <class>
inline constexpr bool always_false = false;
/// Enabled if one of these is a number.
template <class... Given>
using if_number = std::enable_if_t<(std::is_arithmetic_v<Given> || ...), int>;
/// In place of code for types that a static_assert elsewhere has refused, so that there is one message.
[[noreturn]] inline void refused() noexcept { std::abort(); }

template <class T, class = void>
struct is_range : std::false_type {};
template <class T>
struct is_range<
    T, std::void_t<decltype(std::begin(std::declval<const T&>())), decltype(std::end(std::declval<const T&>()))>>
    : std::true_type {};

// Matrices and parts of them: their elements alone do not say what they are, and those after `data()` may belong to
// others. They are known by the names that libraries and programs have for their size, and by their elements.

#define PHICACHE_HPP_HAS(trait, first, second)                                                                   \
    template <class T, class = void>                                                                             \
    inline constexpr bool trait = false;                                                                         \
    template <class T>                                                                                           \
    inline constexpr bool trait<                                                                                 \
        T, std::void_t<decltype(std::declval<const T&>().first), decltype(std::declval<const T&>().second)>> = true
PHICACHE_HPP_HAS(has_rows, rows(), cols());
PHICACHE_HPP_HAS(has_columns, rows(), columns());
PHICACHE_HPP_HAS(has_row_members, rows, cols);
PHICACHE_HPP_HAS(has_n_rows, n_rows, n_cols);
PHICACHE_HPP_HAS(has_nrows, nrows(), ncols());
PHICACHE_HPP_HAS(has_nrow, nrow(), ncol());
PHICACHE_HPP_HAS(has_num_rows, num_rows(), num_cols());
PHICACHE_HPP_HAS(has_nr, nr(), nc());
PHICACHE_HPP_HAS(has_size1, size1(), size2());
PHICACHE_HPP_HAS(has_width, width(), height());
PHICACHE_HPP_HAS(has_shape, shape(), shape());
PHICACHE_HPP_HAS(has_dimensions, dimensions(), dimensions());
PHICACHE_HPP_HAS(has_extents, extent(0), extent(1));
PHICACHE_HPP_HAS(takes_two_indices, operator()(0, 0), operator()(0, 0));
#undef PHICACHE_HPP_HAS
/// Ranges in which `m[i]` is a row, and not an element.
template <class T, class = void>
inline constexpr bool is_indexed_by_row = false;
template <class T>
inline constexpr bool is_indexed_by_row<T, std::void_t<decltype(std::declval<const T&>()[0])>> =
    !std::is_convertible_v<
        decltype(std::declval<const T&>()[0]),
        const typename std::iterator_traits<decltype(std::begin(std::declval<const T&>()))>::value_type&>;
/// Vectors without gaps of Eigen, and those of Armadillo, are like std::vector.
template <class T, class = void>
inline constexpr bool is_one_dimensional = false;
template <class T>
inline constexpr bool is_one_dimensional<
    T, std::enable_if_t<T::IsVectorAtCompileTime && static_cast<int>(T::InnerStrideAtCompileTime) == 1>> = true;
template <class T>
inline constexpr bool is_one_dimensional<T, std::enable_if_t<T::is_col || T::is_row>> = true;
template <class T>
constexpr bool has_dimensions_of_a_matrix() noexcept {
    if constexpr (!std::is_class_v<T> || is_one_dimensional<T>) {
        return false;
    } else if constexpr (has_rows<T> || has_columns<T> || has_row_members<T> || has_n_rows<T> || has_nrows<T> ||
                         has_nrow<T> || has_num_rows<T> || has_nr<T> || has_size1<T> || has_width<T> || has_shape<T> ||
                         has_dimensions<T> || has_extents<T>) {
        return true;
    } else if constexpr (is_range<T>::value) {
        return takes_two_indices<T> || is_indexed_by_row<T>;
    } else {
        return false;
    }
}
template <class T>
inline constexpr bool is_shaped = has_dimensions_of_a_matrix<T>();

/// The element type of a contiguous range (std::vector, std::string, std::span, an array, …); void for other types.
template <class R, class = void>
struct element {
    using type = void;
};
template <class R>
struct element<
    R, std::void_t<decltype(std::data(std::declval<const R&>())), decltype(std::size(std::declval<const R&>()))>> {
    using type = std::remove_cv_t<std::remove_pointer_t<decltype(std::data(std::declval<const R&>()))>>;
};
/// The same; void also for what is shaped.
template <class R>
using element_t = std::conditional_t<is_shaped<R>, void, typename element<R>::type>;

/// The number of characters before the first NUL in an array, or of all.
inline std::size_t text_size(const char* text, std::size_t size) noexcept {
    const void* const end = std::memchr(text, '\0', size);
    return end == nullptr ? size : static_cast<std::size_t>(static_cast<const char*>(end) - text);
}
template <class R>
inline constexpr bool is_char_array = std::is_array_v<R> && std::is_same_v<element_t<R>, char>;

template <class T>
struct is_std_array : std::false_type {};
template <class T, std::size_t N>
struct is_std_array<std::array<T, N>> : std::true_type {};

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};

/// Makes `get<At>(x)` a call of a template; that of the type of x is found by its argument.
template <std::size_t>
void get() = delete;
/// Whether `get` returns references to the parts of a T, as for std::tuple. Types of the caller for structured bindings
/// may have a member `get`, or parts that are computed.
template <class T, class = void>
inline constexpr bool refers_to_parts = false;
template <class T>
inline constexpr bool
    refers_to_parts<T, std::enable_if_t<std::is_lvalue_reference_v<decltype(get<0>(std::declval<T&>()))>>> = true;
template <class T, class = void>
struct is_tuple : std::false_type {};
template <class T>
struct is_tuple<T, std::enable_if_t<std::tuple_size<T>::value == 0>> : std::true_type {};
template <class T>
struct is_tuple<T, std::enable_if_t<std::tuple_size<T>::value != 0>> : std::bool_constant<refers_to_parts<T>> {};
/// Calls `use` with each part of a tuple.
template <class T, class Use, std::size_t... At>
void use_parts(T& tuple, const Use& use, std::index_sequence<At...>) {
    (use(get<At>(tuple)), ...);
}
template <class T, class Use>
void use_parts(T& tuple, const Use& use) {
    use_parts(tuple, use, std::make_index_sequence<std::tuple_size<T>::value>());
}
/// Whether `Is<T>::value` holds for all elements of a tuple.
template <template <class> class Is, class T, class = std::make_index_sequence<std::tuple_size<T>::value>>
inline constexpr bool all_elements = false;
template <template <class> class Is, class T, std::size_t... At>
inline constexpr bool all_elements<Is, T, std::index_sequence<At...>> =
    (Is<remove_cvref<std::tuple_element_t<At, T>>>::value && ...);

/// Whether the name of a type says that it is of the standard library.
template <class T>
constexpr bool is_of_std() noexcept {
    const std::string_view name = __PRETTY_FUNCTION__;
    return name.substr(name.find("T = ")).substr(4, 5) == "std::";
}
/// Whether T, which has this member function from a class of the standard library, has members of its own beside those
/// of that class. The base is found through a member, because most containers are known here without their headers.
template <class T, class Function, class Base>
constexpr bool extends(Function Base::*) noexcept {
    if constexpr (std::is_same_v<T, Base>) {
        return false;
    } else if constexpr (is_of_std<T>() || !is_of_std<Base>()) {
        return false;
    } else {
        return has_more_members<T, Base>();
    }
}
template <class T, class = void>
inline constexpr bool adds_to_base = false;
template <class T>
inline constexpr bool adds_to_base<T, std::void_t<decltype(extends<T>(&T::max_size))>> = extends<T>(&T::max_size);
/// Whether T is larger than the container over which it iterates, which it has as a member: found through the iterators
/// of libstdc++ for vectors and text, which name their container.
template <class T, template <class, class> class Iterator, class Pointer, class Container>
constexpr bool adds_to(const Iterator<Pointer, Container>*) noexcept {
    if constexpr (is_of_std<T>() || !is_of_std<Container>()) {
        return false;
    } else {
        return !std::is_base_of_v<Container, T> && sizeof(T) > sizeof(Container);
    }
}
template <class T>
constexpr bool adds_to(const void*) noexcept {
    return false;
}
template <class T, class = void>
inline constexpr bool adds_to_member = false;
template <class T>
inline constexpr bool adds_to_member<T, std::void_t<decltype(std::declval<const T&>().begin())>> =
    adds_to<T>(static_cast<remove_cvref<decltype(std::declval<const T&>().begin())>*>(nullptr));
/// Classes derived from a container or text of the standard library, or that iterate over one that is a member, with
/// members of their own: their elements are not all of them.
template <class T>
inline constexpr bool extends_container = adds_to_base<T> || adds_to_member<T>;

// A std::variant is recognized without its header, which takes as long to compile as a third of these.

template <class T, class = void>
struct is_variant : std::false_type {};
template <class T>
struct is_variant<T, std::void_t<decltype(extends<T>(&T::valueless_by_exception))>>
    : std::bool_constant<!extends<T>(&T::valueless_by_exception)> {};
/// Its types, as a tuple.
template <class T>
struct alternatives;
template <template <class...> class Variant, class... A>
struct alternatives<Variant<A...>> {
    using type = std::tuple<A...>;
};
template <class T>
using alternatives_t = typename alternatives<T>::type;

/// Calls `use` with the alternative that a variant holds.
template <std::size_t At = 0, class Variant, class Use>
void use_alternative(const Variant& variant, const Use& use) {
    if constexpr (At < std::tuple_size_v<alternatives_t<Variant>>) {
        if (variant.index() == At) return use(get<At>(variant));
        use_alternative<At + 1>(variant, use);
    }
}
/// Makes a variant hold the alternative with this index, which it passes to `use`; false if it has no such alternative.
template <std::size_t At = 0, class Variant, class Use>
bool emplace_alternative(Variant& variant, std::size_t index, const Use& use) {
    if constexpr (At < std::tuple_size_v<alternatives_t<Variant>>) {
        if (index == At) return use(variant.template emplace<At>()), true;
        return emplace_alternative<At + 1>(variant, index, use);
    } else {
        return false;
    }
}

/// Classes that refer to an object: iterators, std::reference_wrapper, and those named below.
template <class T, class = void>
struct is_iterator : std::false_type {};
template <class T>
struct is_iterator<T, std::void_t<typename T::iterator_category>> : std::true_type {};
template <class T, class = void>
inline constexpr bool refers = is_iterator<T>::value;
template <class T>
inline constexpr bool refers<T, std::enable_if_t<std::is_convertible_v<const T&, typename T::type&>>> = true;
template <>
inline constexpr bool refers<cache> = true;
template <>
inline constexpr bool refers<text> = true;
template <>
inline constexpr bool refers<failure> = true;
template <class T>
inline constexpr bool refers<expected<T>> = true;
template <>
inline constexpr bool refers<phicache_bytes> = true;
template <>
inline constexpr bool refers<phicache_value> = true;

/// Views of <ranges>, such as `v | std::views::reverse`. Most of them have no `data()`.
template <class T>
inline constexpr bool is_std_view = false;
#if defined(__cpp_lib_ranges)
template <class T>
    requires std::ranges::enable_view<T>
inline constexpr bool is_std_view<T> = true;
#endif

/// Whether T is a lambda, or what std::bind, std::mem_fn or std::not_fn returns, by the name of the type: the bytes of
/// what it captures are neither its result nor what it does. g++ writes `f()::<lambda(int)>`, clang++ `(lambda at …)`.
template <class T>
constexpr bool is_closure() noexcept {
    std::string_view name = __PRETTY_FUNCTION__;
    name.remove_prefix(name.find("T = ") + 4);
    name.remove_suffix(1);
    for (const std::string_view made_by_std : {"std::_Bind", "std::_Mem_fn", "std::_Not_fn"})
        if (name.substr(0, made_by_std.size()) == made_by_std) return true;
    if (name.back() == ')') return name.find("(lambda at ") != name.npos;
    // The bracket that the last one closes: a template with a lambda as its argument is no lambda.
    std::size_t first = name.size(), open = 0;
    do {
        --first;
        if (name[first] == '>') ++open;
        if (name[first] == '<') --open;
    } while (open > 0 && first > 0);
    return name.substr(first, 8) == "<lambda(";
}

/// Whether a T is an address, a view or a closure, or consists of them: its bytes are not what it means. Of other
/// structs nothing is known.
template <class T>
constexpr bool has_address() noexcept;
template <class T>
struct is_address : std::bool_constant<has_address<T>()> {};
template <template <class> class Is, class T, class = std::make_index_sequence<std::tuple_size<T>::value>>
inline constexpr bool any_element = false;
template <template <class> class Is, class T, std::size_t... At>
inline constexpr bool any_element<Is, T, std::index_sequence<At...>> =
    (Is<remove_cvref<std::tuple_element_t<At, T>>>::value || ...);
template <class T>
constexpr bool has_address() noexcept {
    if constexpr (std::is_scalar_v<T>) {
        return std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::is_null_pointer_v<T>;
    } else if constexpr (std::is_array_v<T> || is_std_array<T>::value) {
        return is_address<element_t<T>>::value;
    } else if constexpr (is_optional<T>::value) {
        return is_address<typename T::value_type>::value;
    } else if constexpr (is_variant<T>::value) {
        return any_element<is_address, alternatives_t<T>>;
    } else if constexpr (is_tuple<T>::value) {
        return any_element<is_address, T>;
    } else {
        return !std::is_void_v<typename element<T>::type> || refers<T> || is_std_view<T> || is_closure<T>();
    }
}

/// Types that can be copied as bytes without losing their meaning.
template <class T>
inline constexpr bool is_plain = std::is_trivially_copyable_v<T> && !has_address<T>();

/// A contiguous range of plain elements.
template <class R>
inline constexpr bool is_plain_range = is_plain<element_t<R>>;

/// Types that own their bytes: not std::string_view or std::span, which are trivially copyable too.
template <class T>
inline constexpr bool is_plain_object = is_plain<T> && !std::is_array_v<T>;

template <class T, class = void>
inline constexpr bool converts_to_bytes = std::is_base_of_v<bytes, T> || std::is_convertible_v<const T&, const char*>;
template <class T>
inline constexpr bool converts_to_bytes<T, std::void_t<decltype(std::declval<const T&>().operator bytes())>> = true;
PHICACHE_HPP_CUSTOMIZED(add_to_key, key, const T&)
/// Types with an `add_to_key` of their own: as a key they are what that adds, and not their elements.
template <class T>
inline constexpr bool has_own_encoding =
    add_to_key_customized::is_called<T> && !add_to_key_customized::is_inherited<T>();

/// Types with an `add_to_key` that takes no constant object, which would not be called, or only with that of a base,
/// which leaves out members: they are no keys.
template <class T, class = void>
inline constexpr bool has_wrong_encoding = add_to_key_customized::is_inherited<T>();
template <class T>
inline constexpr bool
    has_wrong_encoding<T, std::void_t<decltype(add_to_key(std::declval<key&>(), std::declval<T&>()))>> =
        !has_own_encoding<T>;

/// Objects that are not taken for bytes.
template <class T>
inline constexpr bool is_no_bytes =
    std::is_class_v<T> &&
    (!is_plain_range<T> || has_own_encoding<T> || has_wrong_encoding<T> || extends_container<T>) &&
    !converts_to_bytes<T>;

/// Ranges that are taken for bytes: those that own their elements, and views.
template <class R>
inline constexpr bool is_byte_range = is_plain_range<R> && !is_char_array<R> && !is_no_bytes<R>;
template <class R>
inline constexpr bool is_owning_range =
    is_byte_range<R> && (!std::is_trivially_copyable_v<R> || std::is_array_v<R> || is_std_array<R>::value);
template <class R>
inline constexpr bool is_view = is_byte_range<R> && !is_owning_range<R>;

}  // namespace detail

class node_set;
template <class T>
class span;

/// Bytes borrowed for a call: a key or a value going in. Converts from text, from any contiguous range of trivially
/// copyable elements (std::string_view, std::vector<double>, std::span, std::array, …) and from pinned values;
/// `bytes_of(object)` converts one object. Padding inside elements is part of the bytes, so equal elements with padding
/// may be different keys.
class bytes {
public:
    constexpr bytes() noexcept = default;
    /// `size` bytes at `data`; `data` may be null when `size` is 0. Explicit, because the list `{"iron", 2}` in a call
    /// is a key of two parts, and not the two bytes "ir".
    explicit bytes(const void* data, std::size_t size) noexcept : raw_{static_cast<const std::uint8_t*>(data), size} {}
    /// The size is a number of bytes, and not of elements: `span<const double>(data, count)` has the elements.
    template <class T, std::enable_if_t<(sizeof(T) > 1), int> = 0>
    bytes(const T* use_a_span_of_elements, std::size_t) = delete;
    /// NUL-terminated text, without the NUL. A null pointer makes bytes without an address, which every call refuses.
    template <class Pointer,
              std::enable_if_t<std::is_same_v<Pointer, const char*> || std::is_same_v<Pointer, char*>, int> = 0>
    bytes(Pointer text) noexcept : bytes(text, text == nullptr ? 1 : std::strlen(text)) {}
    /// An array of `char` is text too: a literal, or a buffer, which ends at its first NUL, or else at its end. Numbers
    /// in such an array would end at the first 0: `span<const char>(numbers)` has all of them.
    template <std::size_t Size>
    bytes(const char (&text)[Size]) noexcept : bytes(text, detail::text_size(text, Size)) {}
    /// A null pointer is not text.
    bytes(std::nullptr_t) = delete;
    /// A number is neither text nor a range; `bytes_of(number)` has its bytes, and `key` the key of arguments.
    template <class Number, std::enable_if_t<std::is_arithmetic_v<Number> || std::is_enum_v<Number>, int> = 0>
    bytes(Number use_bytes_of_or_key) = delete;
    /// Nor are pointers to anything but characters.
    template <class Address, std::enable_if_t<(std::is_pointer_v<Address> || std::is_member_pointer_v<Address> ||
                                               std::is_function_v<Address>)&&!std::is_convertible_v<
                                                  const Address&, const char*>,
                                              int> = 0>
    bytes(const Address& an_address_is_neither_text_nor_a_range) = delete;
    /// Nor are numbers in braces: a vector of them is, or `key::of(a, b)` as a key.
    template <class Number, std::enable_if_t<std::is_arithmetic_v<Number>, int> = 0>
    bytes(std::initializer_list<Number> use_key_of_or_a_vector) = delete;
    /// A struct, tuple or container of containers is no range of bytes: as a key it is `key::of(object)`, or
    /// `bytes_of(object)` if it is a trivially copyable struct without padding.
    template <class Object, std::enable_if_t<detail::is_no_bytes<Object>, int> = 0>
    bytes(const Object& use_key_of_or_bytes_of) = delete;
    constexpr bytes(phicache_bytes raw) noexcept : raw_(raw) {}
    /// The elements of a contiguous range, which must outlive the result: `bytes b = key::of(1);` dangles.
    template <class Range, std::enable_if_t<detail::is_owning_range<Range>, int> = 0>
    bytes(const Range& range PHICACHE_HPP_BORROWED) noexcept : bytes(elements(range)) {}
    /// The elements that a view refers to.
    template <class View, std::enable_if_t<detail::is_view<View>, int> = 0>
    bytes(const View& view) noexcept : bytes(elements(view)) {}

    constexpr const std::uint8_t* data() const noexcept { return raw_.data; }
    constexpr std::size_t size() const noexcept { return raw_.len; }
    constexpr bool empty() const noexcept { return raw_.len == 0; }
    constexpr const std::uint8_t* begin() const noexcept { return raw_.data; }
    constexpr const std::uint8_t* end() const noexcept { return raw_.data + raw_.len; }
    /// The same bytes as characters.
    std::string_view text() const noexcept { return {reinterpret_cast<const char*>(raw_.data), raw_.len}; }
    /// The same bytes as an array of T: their number must be a multiple of `sizeof(T)`, and their address aligned for
    /// T.
    template <class T>
    span<const T> view() const;
    /// @copydoc view
    template <class T>
    expected<span<const T>> try_view() const noexcept;
    constexpr operator phicache_bytes() const noexcept { return raw_; }

    friend bool operator==(bytes a, bytes b) noexcept { return a.text() == b.text(); }
    friend bool operator!=(bytes a, bytes b) noexcept { return !(a == b); }

private:
    template <class Range>
    static bytes elements(const Range& range) noexcept {
        return bytes(static_cast<const void*>(std::data(range)), std::size(range) * sizeof(detail::element_t<Range>));
    }

    phicache_bytes raw_{nullptr, 0};
};

/// The bytes of one trivially copyable object that is not a pointer or a view; the object must outlive the result.
template <class T>
bytes bytes_of(const T& object PHICACHE_HPP_BORROWED) noexcept {
    static_assert(detail::is_plain_object<T>,
                  "bytes_of needs a trivially copyable object, no pointer and no view and no lambda");
    return bytes(static_cast<const void*>(__builtin_addressof(object)), sizeof(T));
}

/// Contiguous elements that the span does not own: C++20's std::span for C++17; std::span converts from it.
template <class T>
class span {
public:
    using element_type = T;
    using value_type = std::remove_cv_t<T>;

    constexpr span() noexcept = default;
    constexpr span(T* data, std::size_t size) noexcept : data_(data), size_(size) {}
    /// Refuses the list `{0, 5}`, in which 0 would be a null pointer and 5 the size.
    template <class Number, std::enable_if_t<std::is_same_v<Number, int>, int> = 0>
    span(Number not_an_address, std::size_t) = delete;
    /// The elements of a container, which must outlive the span.
    template <class Range, std::enable_if_t<!std::is_same_v<detail::remove_cvref<Range>, span> &&
                                                std::is_convertible_v<decltype(std::data(std::declval<Range&>())), T*>,
                                            int> = 0>
    constexpr span(Range&& range) noexcept : span(std::data(range), std::size(range)) {}
    /// Numbers are no node sets: a mask is one by `node_set::from_mask`, a list of indices as `node_set{0, 2}`.
    template <class Range, std::enable_if_t<std::is_same_v<value_type, node_set> &&
                                                !std::is_same_v<detail::remove_cvref<Range>, span> &&
                                                !std::is_convertible_v<decltype(std::data(std::declval<Range&>())), T*>,
                                            int> = 0>
    span(const Range& use_node_set_from_mask) = delete;
    /// A list written in a call, `f({a, b})`; only for constant elements.
    template <class U = T, std::enable_if_t<std::is_const_v<U>, int> = 0>
    constexpr span(std::initializer_list<value_type> list) noexcept : span(list.begin(), list.size()) {}

    constexpr T* data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T* begin() const noexcept { return data_; }
    constexpr T* end() const noexcept { return data_ + size_; }
    constexpr T& operator[](std::size_t index) const noexcept { return data_[index]; }

private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Text for C, borrowed for the call: UTF-8, ending in a NUL. May be null where the C header allows it. A std::string
/// with a NUL within it is refused, as text that is not UTF-8 is.
class text {
public:
    constexpr text(std::nullptr_t = nullptr) noexcept {}
    constexpr text(const char* chars) noexcept : chars_(chars) {}
    text(const std::string& string PHICACHE_HPP_BORROWED) noexcept
        : chars_(std::strlen(string.c_str()) == string.size() ? string.c_str() : "\xFF") {}
    constexpr const char* c_str() const noexcept { return chars_; }

private:
    const char* chars_ = nullptr;
};

/// A text of an option, which owns it. A null pointer is kept as text that is not UTF-8: an error where it is used.
class option_text : public std::string {
public:
    option_text() = default;
    option_text(std::string string) noexcept : std::string(std::move(string)) {}
    option_text(std::string_view view) : std::string(view) {}
    option_text(const char* chars) : std::string(chars == nullptr ? "\xFF" : chars) {}
    /// Null if it is empty.
    const char* to_c() const noexcept { return empty() ? nullptr : text(*this).c_str(); }
};

namespace detail {

/// Whether these are the bytes of a null pointer.
constexpr bool is_null(bytes borrowed) noexcept { return borrowed.data() == nullptr && !borrowed.empty(); }
inline failure null_text() noexcept {
    return failure(status::error_invalid_argument, "a null pointer is given as text: check it, or use \"\"");
}

inline failure wrong_size() noexcept {
    return failure(status::error_invalid_argument,
                   "the size of the stored value does not fit the requested type: read it as the type that was stored; "
                   "if the type, its add_to_value or its read_from_value has changed, change the version in the prefix "
                   "or context; give functions that share a cache different prefixes");
}

[[noreturn, gnu::cold, gnu::noinline]] inline void raise_wrong_size() { raise(wrong_size()); }

}  // namespace detail

template <class T>
expected<span<const T>> bytes::try_view() const noexcept {
    static_assert(detail::is_plain_object<T>, "a view needs a trivially copyable type that is no pointer and no view");
    if (size() % sizeof(T) != 0) return detail::wrong_size();
    if (reinterpret_cast<std::uintptr_t>(data()) % alignof(T) != 0) {
        return failure(status::error_invalid_argument,
                       "the bytes are not aligned for the requested type: copy them instead of viewing them");
    }
    return span<const T>(static_cast<const T*>(static_cast<const void*>(data())), size() / sizeof(T));
}
template <class T>
span<const T> bytes::view() const {
    return try_view<T>().value();
}

PHICACHE_HPP_END

#if defined(__cpp_lib_ranges)
template <class T>
inline constexpr bool std::ranges::enable_borrowed_range<phicache::span<T>> = true;
#endif

#endif  // PHICACHE_BYTES_HPP
