/// @file customized.hpp
/// Whether the caller has written a function for a type of its own, such as `add_to_key`, or only for a base class.
#ifndef PHICACHE_CUSTOMIZED_HPP
#define PHICACHE_CUSTOMIZED_HPP

#include <type_traits>
#include <utility>

#include "namespace.hpp"

PHICACHE_HPP_BEGIN

namespace detail {

/// Whether T, which is derived from Base, has members of its own beside those of Base.
template <class T, class Base>
constexpr bool has_more_members() noexcept {
    struct with_more : Base {
        char more;  // where a member of T would be, if that is in the padding of its base
    };
    return !std::is_empty_v<T> && (sizeof(T) != sizeof(Base) || sizeof(with_more) == sizeof(Base));
}

/// Converts to those bases of T that have all its members.
template <class T, class Base>
struct is_whole_base : std::bool_constant<!has_more_members<T, std::remove_cv_t<Base>>()> {};
template <class T>
struct as_whole_base {
    template <class Base, std::enable_if_t<std::conjunction_v<std::negation<std::is_same<std::remove_cv_t<Base>, T>>,
                                                              std::is_base_of<Base, T>, is_whole_base<T, Base>>,
                                           int> = 0>
    operator Base&() const;
};
/// Converts to nothing: a function that takes it takes anything.
template <class T>
struct as_nothing {};

/// What the functions below return, so that it shows that a call has chosen them.
struct not_the_callers {};
/// Takes any object, by a conversion of the user.
struct from_any {
    template <class T>
    from_any(const T&);
};

/// Defines `is_called` and `is_inherited` for a function of the caller, `function(First&, Object)`, where Object is a
/// reference to T.
///
/// A call with an object of a derived class also finds the function of its base, which knows nothing of the members of
/// the derived class. So overload resolution decides between the caller's function and two others. One takes any type
/// exactly, but is less special than every function for T, so it is chosen only if the caller's needs a conversion.
/// The other needs a conversion of the user: it is worse than a function for a base. (`int` is better than `...`.)
#define PHICACHE_HPP_CUSTOMIZED(function, First, Object)                                                               \
    namespace function##_customized {                                                                                  \
    template <class T>                                                                                                 \
    auto called(int)->decltype(void(function(std::declval<First&>(), std::declval<Object>())), std::true_type());      \
    template <class T>                                                                                                 \
    std::false_type called(...);                                                                                       \
    template <class T>                                                                                                 \
    inline constexpr bool is_called = decltype(called<T>(0))::value;                                                   \
    namespace exactly {                                                                                                \
    template <class... Any>                                                                                            \
    not_the_callers function(Any&&...);                                                                                \
    template <class T>                                                                                                 \
    auto prefers_other(int)->std::is_same<decltype(function(std::declval<First&>(), std::declval<Object>())),          \
                                          not_the_callers>;                                                            \
    template <class T>                                                                                                 \
    std::false_type prefers_other(...);                                                                                \
    }                                                                                                                  \
    namespace converted {                                                                                              \
    not_the_callers function(First&, from_any);                                                                        \
    template <class T>                                                                                                 \
    auto prefers_callers(int)->std::negation<                                                                          \
        std::is_same<decltype(function(std::declval<First&>(), std::declval<Object>())), not_the_callers>>;            \
    template <class T>                                                                                                 \
    std::false_type prefers_callers(...);                                                                              \
    }                                                                                                                  \
    template <class T>                                                                                                 \
    constexpr bool is_inherited() noexcept {                                                                           \
        if constexpr (std::is_class_v<T> && is_called<T>) {                                                            \
            return decltype(exactly::prefers_other<T>(0))::value &&                                                    \
                   decltype(converted::prefers_callers<T>(0))::value &&                                                \
                   (!is_called<as_whole_base<T>> || is_called<as_nothing<T>>);                                         \
        } else {                                                                                                       \
            return false;                                                                                              \
        }                                                                                                              \
    }                                                                                                                  \
    }

}  // namespace detail

PHICACHE_HPP_END

#endif  // PHICACHE_CUSTOMIZED_HPP
