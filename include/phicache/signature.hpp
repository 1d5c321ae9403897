/// @file signature.hpp
/// The signatures of functions that memos and methods take: which are possible, and which functions fit them.
#ifndef PHICACHE_SIGNATURE_HPP
#define PHICACHE_SIGNATURE_HPP

#include <string>
#include <string_view>
#include <type_traits>

#include "compute.hpp"
#include "key.hpp"

PHICACHE_HPP_BEGIN

template <class Signature>
class memo;
template <class Signature>
class method;

namespace detail {

/// In place of a signature that cannot be found, which is one error: its memo or method takes anything.
struct unknown_signature {};

/// The signature with which a function, function pointer or lambda is called.
template <class F, class = void>
struct signature {
    using type = unknown_signature;
    static_assert(always_false<F>,
                  "the signature of this function is unknown (it is generic or overloaded, or not a function): name "
                  "it, as in phicache::memo<double(double)>");
};
template <class F>
struct signature<F, std::void_t<decltype(&F::operator())>> : signature<decltype(&F::operator())> {};
template <class R, class... A>
struct signature<R (*)(A...)> {
    using type = R(A...);
};
template <class R, class... A>
struct signature<R (*)(A...) noexcept> : signature<R (*)(A...)> {};
template <class C, class R, class... A>
struct signature<R (C::*)(A...)> : signature<R (*)(A...)> {};
template <class C, class R, class... A>
struct signature<R (C::*)(A...) const> : signature<R (*)(A...)> {};
template <class C, class R, class... A>
struct signature<R (C::*)(A...) noexcept> : signature<R (*)(A...)> {};
template <class C, class R, class... A>
struct signature<R (C::*)(A...) const noexcept> : signature<R (*)(A...)> {};
template <class C, class R, class... A>
struct signature<R (C::*)(A...) &> : signature<R (*)(A...)> {};
template <class C, class R, class... A>
struct signature<R (C::*)(A...) const&> : signature<R (*)(A...)> {};
template <class C, class R, class... A>
struct signature<R (C::*)(A...) & noexcept> : signature<R (*)(A...)> {};
template <class C, class R, class... A>
struct signature<R (C::*)(A...) const & noexcept> : signature<R (*)(A...)> {};

/// The signature of a method. For a member function the object comes first.
template <class F>
struct method_signature : signature<F> {};
template <class C, class R, class... A>
struct method_signature<R (C::*)(A...)> : signature<R (*)(C&, A...)> {};
template <class C, class R, class... A>
struct method_signature<R (C::*)(A...) const> : signature<R (*)(const C&, A...)> {};
template <class C, class R, class... A>
struct method_signature<R (C::*)(A...) noexcept> : signature<R (*)(C&, A...)> {};
template <class C, class R, class... A>
struct method_signature<R (C::*)(A...) const noexcept> : signature<R (*)(const C&, A...)> {};
template <class C, class R, class... A>
struct method_signature<R (C::*)(A...) &> : signature<R (*)(C&, A...)> {};
template <class C, class R, class... A>
struct method_signature<R (C::*)(A...) const&> : signature<R (*)(const C&, A...)> {};
template <class C, class R, class... A>
struct method_signature<R (C::*)(A...) & noexcept> : signature<R (*)(C&, A...)> {};
template <class C, class R, class... A>
struct method_signature<R (C::*)(A...) const & noexcept> : signature<R (*)(const C&, A...)> {};

/// The member function that has the signature of a method.
template <class Signature, class = void>
struct member_function {
    using type = unknown_signature*;
};
template <class R, class C, class... A>
struct member_function<R(C&, A...), std::enable_if_t<std::is_class_v<C> && !std::is_const_v<C>>> {
    using type = R (C::*)(A...);
};
template <class R, class C, class... A>
struct member_function<R(const C&, A...), std::enable_if_t<std::is_class_v<C>>> {
    using type = R (C::*)(A...) const;
};

/// A memo that is given something else than options, such as a cache, which is one error.
template <class Options>
struct no_options {
    using type = unknown_signature;
    static_assert(always_false<Options>,
                  "the second argument of a memo is a memo_options: its `store` is the cache, and its `prefix` tells "
                  "the memos of one cache apart");
};
/// In place of a signature where something else was given than what a memo or method is made from, or an overloaded
/// function: of that, compilers say that it cannot be resolved, in few lines.
struct no_signature {};
/// In place of the signature of a method that is made without its text.
template <class F>
struct no_prefix {};
template <class T>
struct is_memo : std::false_type {};
template <class Signature>
struct is_memo<memo<Signature>> : std::true_type {};
template <class T>
struct is_method : std::false_type {};
template <class Signature>
struct is_method<method<Signature>> : std::true_type {};

/// The type that a memo returns for a function's result: the type itself, or an owning type instead of a view.
template <class R>
struct owned_result {
    using type = remove_cvref<R>;
};
template <class R>
struct owned_result<expected<R>> : owned_result<R> {};
template <>
struct owned_result<std::string_view> {
    using type = std::string;
};
template <>
struct owned_result<const char*> {
    using type = std::string;
};

/// The result of a call, converted to the type in the memo's signature if that is another one.
template <class Result, class Call>
decltype(auto) convert_result(Call&& call) {
    using Returned = std::invoke_result_t<Call&>;
    if constexpr (std::is_void_v<Returned> ||
                  std::is_same_v<typename owned_result<remove_cvref<Returned>>::type, Result>) {
        return call();
    } else {
        static_assert(std::is_convertible_v<Returned, Result>,
                      "the result of the function does not convert to the type in the signature");
        return static_cast<Result>(call());
    }
}

/// An argument, by constant reference: it becomes part of the key.
template <class A>
using argument_t = const remove_cvref<A>&;
/// Views through which the function can write. On a hit it does not run, and writes nothing.
template <class T, class = void>
inline constexpr bool is_writable_view = false;
template <class T>
inline constexpr bool is_writable_view<T, std::void_t<decltype(std::data(std::declval<const T&>()))>> =
    !std::is_const_v<std::remove_pointer_t<decltype(std::data(std::declval<const T&>()))>>;
template <class A>
inline constexpr bool is_argument = !std::is_rvalue_reference_v<A> && !is_writable_view<remove_cvref<A>> &&
                                    (!std::is_lvalue_reference_v<A> || std::is_const_v<std::remove_reference_t<A>>);

/// The shape of a function: whether it writes in place, the type that its memo returns, and its arguments.
template <bool InPlace, class Result, class... A>
struct shape {};
/// In place of a shape that is not possible, which is one error: its memo or method takes anything.
struct no_shape {};
template <class Signature>
struct shape_of {
    using type = no_shape;
    static_assert(always_false<Signature>, "name the signature of a function, as in phicache::memo<double(double)>");
};
template <class R, class... A>
struct shape_of<R(A...)> {
    using type = shape<false, typename owned_result<R>::type, A...>;
};
template <class R, class... A>
struct shape_of<R(result&, A...)> {
    static constexpr bool is_good = std::is_void_v<R> || std::is_same_v<R, expected<void>>;
    static_assert(is_good, "a function that takes a result& writes there; it returns nothing, or expected<void>");
    using type = std::conditional_t<is_good, shape<true, value, A...>, no_shape>;
};

/// Whether memos and methods of a shape are possible. A class, so that each message comes once.
template <class Shape>
struct is_possible : std::false_type {};
template <bool InPlace, class Result, class... A>
struct is_possible<shape<InPlace, Result, A...>> {
    static constexpr bool returns = !std::is_void_v<Result>;
    static constexpr bool reads_back = is_pinned<Result> || is_value<Result>::value;
    static constexpr bool has_arguments = (is_argument<A> && ...);
    static constexpr bool has_elements = (is_element<remove_cvref<A>>::value && ...);
    static constexpr bool value = returns && reads_back && has_arguments && has_elements;
    static_assert(returns, "the function returns nothing: return the value, or take a phicache::result& as the first "
                           "argument and write the value there");
    static_assert(!returns || reads_back, "the function does not return a value: " PHICACHE_HPP_VALUES);
    static_assert(has_arguments, "the arguments of a memoized function are values or constant references, and "
                                 "views only of constants, as span<const double>");
    static_assert(!has_arguments || has_elements, PHICACHE_HPP_ELEMENTS);
};

/// Whether a function takes these arguments, and its result converts to that of a signature.
template <class F, class Signature, class... A>
struct fit {
    static constexpr bool takes = false;
    static constexpr bool returns = false;
};
template <class F, class R, class... Written, class... A>
struct fit<F, R(Written...), A...> {
    static constexpr bool takes = std::is_invocable_v<F&, A...>;
    static constexpr bool returns = std::is_invocable_r_v<R, F&, A...>;
};

#define PHICACHE_HPP_RETURNS                                                                                       \
    "the result of the function does not convert to the type in the signature: name there what the function "  \
    "returns, as in phicache::memo<phicache::expected<int>(int)>"

}  // namespace detail

PHICACHE_HPP_END

#endif  // PHICACHE_SIGNATURE_HPP
