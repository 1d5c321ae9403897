/// @file function.hpp
/// Functions with a cache: `memo` (PyPhi's cache decorator) and `method` (its method decorator).
#ifndef PHICACHE_FUNCTION_HPP
#define PHICACHE_FUNCTION_HPP

#include <new>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "arguments.hpp"
#include "cache.hpp"
#include "callback.hpp"
#include "signature.hpp"

PHICACHE_HPP_BEGIN

namespace detail {

/// One call of a memoized function that returns a T: its arguments, how it failed, and what it returned.
template <class T, class... References>
struct call_frame : memoize_frame<T> {
    std::tuple<References...> arguments;
};

/// Calls a function object, or a member function of the first argument.
template <class F, class First, class... Rest>
[[gnu::always_inline]] inline decltype(auto) invoke(F& function, First& first, Rest&... rest) {
    if constexpr (std::is_member_function_pointer_v<F>) {
        return (first.*function)(rest...);
    } else {
        return function(first, rest...);
    }
}
template <class F>
[[gnu::always_inline]] inline decltype(auto) invoke(F& function) {
    return function();
}

/// A reference to a function object, as a function object.
template <class F>
struct reference {
    F* function;
    template <class... A>
    auto operator()(A&&... arguments) const -> decltype((*function)(std::forward<A>(arguments)...)) {
        return (*function)(std::forward<A>(arguments)...);
    }
};

/// The C callback of a function object F: `user_data` points to F, `call_data` to the frame of the call.
template <class F, bool InPlace, class Result, class Frame>
struct trampoline {
    static std::int32_t compute(void* user_data, void* call_data, phicache_bytes, phicache_result* raw) noexcept {
        if (call_data == nullptr) return -1;  // called through the C handle, without arguments
        F& function = *static_cast<F*>(user_data);
        Frame& frame = *static_cast<Frame*>(call_data);
        if constexpr (InPlace) {
            return frame.error.template run<write_bytes>(raw, frame.keep, [&](result& out) -> decltype(auto) {
                return std::apply(
                    [&](auto&... given) -> decltype(auto) { return detail::invoke(function, out, given...); },
                    frame.arguments);
            });
        } else {
            return frame.error.template run<write_bytes>(raw, frame.keep, [&]() -> decltype(auto) {
                return std::apply(
                    [&](auto&... given) -> decltype(auto) {
                        return convert_result<Result>(
                            [&]() -> decltype(auto) { return detail::invoke(function, given...); });
                    },
                    frame.arguments);
            });
        }
    }
    static void drop(void* user_data) noexcept { delete static_cast<F*>(user_data); }
};

/// Gives the ownership of a function to C: `make(user_data, handle**)` registers it, and C deletes it, also on an
/// error.
template <class Handle, class F, class Make>
expected<void> register_function(F&& function, Handle** handle, Make&& make) {
    using Stored = std::decay_t<F>;
    if (is_empty_function<Stored>(function)) return no_function();
    Stored* stored = new (std::nothrow) Stored(std::forward<F>(function));
    if (stored == nullptr) return failure(status::error_out_of_memory, "out of memory for the function");
    return checked(make(stored, handle));
}

/// An argument of a call that no other function takes: any value, and values in braces, which no template can deduce.
struct any_argument {
    template <class... Given>
    any_argument(const Given&...) noexcept {}
};
#define PHICACHE_HPP_IN_BRACES                                                                                        \
    any_argument, any_argument = {}, any_argument = {}, any_argument = {}, any_argument = {}, any_argument = {},      \
        any_argument = {}, any_argument = {}

/// The calls of a memo or method, which has `made<T>` and `try_made<T>`; `Parameters` are what they take.
template <class Calls, class Result, class... Parameters>
class function_calls {
public:
    /// The function's value for these arguments: from the cache, or computed on a miss.
    Result operator()(Parameters... parameters) const { return self().template made<Result>(parameters...); }
    /// The same as `operator()`.
    Result call(Parameters... parameters) const { return self().template made<Result>(parameters...); }
    /// Refuses calls with other arguments, in few lines.
    template <class... Given, std::enable_if_t<!std::is_invocable_v<void (*)(Parameters...), Given...>, int> = 0>
    Result call(Given&&... given) const {
        return static_cast<const Calls&>(*this)(std::forward<Given>(given)...);
    }
    template <class Refused = void>
    Result call(PHICACHE_HPP_IN_BRACES) const {
        static_assert(always_false<Refused>, "the call takes the arguments of operator()");
        refused();
    }
    /// @copydoc call
    expected<Result> try_call(Parameters... parameters) const {
        return self().template try_made<Result>(parameters...);
    }
    /// The same as `call`, without copying: the pinned bytes of the cache.
    value call_pinned(Parameters... parameters) const { return self().template made<value>(parameters...); }
    /// @copydoc call_pinned
    expected<value> try_call_pinned(Parameters... parameters) const {
        return self().template try_made<value>(parameters...);
    }

private:
    const Calls& self() const noexcept { return static_cast<const Calls&>(*this); }
};

// `made` and `try_made` are out of line, to keep calls small: see memoize_in.

/// The calls of a memo; its shape has the types of the arguments.
template <class Shape>
class memo_calls : public owner<phicache_memo, phicache_memo_free> {
public:
    template <class... Any>
    double operator()(Any&&...) const;

protected:
    memo_calls(phicache_memo* handle, typing) noexcept : owner(handle) {}
    using possible = std::false_type;
};
template <bool InPlace, class Result, class... A>
class memo_calls<shape<InPlace, Result, A...>>
    : public owner<phicache_memo, phicache_memo_free>,
      public function_calls<memo_calls<shape<InPlace, Result, A...>>, Result, argument_t<A>...> {
    using calls = function_calls<memo_calls, Result, argument_t<A>...>;

public:
    using calls::operator();
    /// Refuses calls with other arguments, in few lines.
    template <class... Given, std::enable_if_t<!std::is_invocable_v<const calls&, Given...>, int> = 0>
    Result operator()(Given&&...) const {
        static_assert(std::is_invocable_v<const calls&, Given...>,
                      "the call takes the arguments of the function, also those that have a default there");
        refused();
    }
    /// The same, with arguments in braces. It is worse than any function that takes them, because it is a template.
    template <class Refused = void>
    Result operator()(PHICACHE_HPP_IN_BRACES) const {
        static_assert(always_false<Refused>, "the call takes the arguments of the function");
        refused();
    }

protected:
    memo_calls(phicache_memo* handle, typing types) noexcept : memo_calls::owner(handle), types_(types) {}
    using possible = is_possible<shape<InPlace, Result, A...>>;
    template <class F, class Signature>
    using fit = std::conditional_t<InPlace, detail::fit<F, Signature, result&, argument_t<A>...>,
                                   detail::fit<F, Signature, argument_t<A>...>>;
    using frame = call_frame<Result, argument_t<A>...>;
    template <class F>
    using trampoline_of = trampoline<F, InPlace, Result, frame>;

private:
    friend calls;

    template <class T>
    [[gnu::noinline]] T made(argument_t<A>... arguments) const {
        if constexpr (possible::value) {
            if constexpr ((is_flat<remove_cvref<A>>::value && ...)) {
                if (const phicache_bytes* const key = flat_arguments(types_, arguments...)) {
                    frame call{{}, {arguments...}};
                    return memoize_as<T>(call, c_call(key));
                }
            }
            return made_by_key<T>(arguments...);
        } else {
            refused();
        }
    }
    template <class T>
    [[gnu::noinline]] expected<T> try_made(argument_t<A>... arguments) const {
        if constexpr (possible::value) {
            if constexpr ((is_flat<remove_cvref<A>>::value && ...)) {
                if (const phicache_bytes* const key = flat_arguments(types_, arguments...)) {
                    frame call{{}, {arguments...}};
                    return try_memoize_as<T>(call, c_call(key));
                }
            }
            return try_made_by_key<T>(arguments...);
        } else {
            refused();
        }
    }
    template <class T>
    [[gnu::noinline]] T made_by_key(argument_t<A>... arguments) const {
        const pooled_key key(pooled_key::build(nullptr, arguments...));
        frame call{{}, {arguments...}};
        return memoize_as<T>(call, c_call(key));
    }
    template <class T>
    [[gnu::noinline]] expected<T> try_made_by_key(argument_t<A>... arguments) const {
        failure why(PHICACHE_OK);
        phicache_key* const built = pooled_key::build(&why, arguments...);
        if (built == nullptr) return why;
        const pooled_key key(built);
        frame call{{}, {arguments...}};
        return try_memoize_as<T>(call, c_call(key));
    }
    auto c_call(const pooled_key& arguments) const noexcept {
        return [memo = this->handle(), arguments = arguments.handle()](void* call, phicache_value* out) {
            return phicache_memo_call(memo, arguments, call, out, nullptr);
        };
    }
    auto c_call(const phicache_bytes* arguments) const noexcept {
        return [memo = this->handle(), arguments](void* call, phicache_value* out) {
            return phicache_memo_call_key(memo, arguments, call, out, nullptr);
        };
    }

    typing types_;
};

/// Whether the arguments of a call begin with a cache.
template <class... Given>
inline constexpr bool begins_with_cache = false;
template <class First, class... Rest>
inline constexpr bool begins_with_cache<First, Rest...> =
    std::is_convertible_v<std::remove_reference_t<First>&, cache>;

/// The calls of a method: the cache and the object come before the arguments.
template <class Shape>
class method_calls : public shared_owner<phicache_method, phicache_method_free> {
    static_assert(std::is_same_v<Shape, no_shape>, "the first argument of a method is its object, by reference");

public:
    template <class... Any>
    double operator()(Any&&...) const;

protected:
    using shared_owner::shared_owner;
    using possible = std::false_type;
};
template <bool InPlace, class Result, class Object, class... A>
class method_calls<shape<InPlace, Result, Object&, A...>>
    : public shared_owner<phicache_method, phicache_method_free>,
      public function_calls<method_calls<shape<InPlace, Result, Object&, A...>>, Result, cache, Object&,
                            argument_t<A>...> {
    using calls = function_calls<method_calls, Result, cache, Object&, argument_t<A>...>;

public:
    using calls::operator();
    /// Refuses calls with other arguments, in few lines.
    template <class... Given, std::enable_if_t<!std::is_invocable_v<const calls&, Given...>, int> = 0>
    Result operator()(Given&&...) const {
        static_assert(begins_with_cache<Given...>,
                      "the first argument of the call is a cache; the object and the arguments follow");
        static_assert(!begins_with_cache<Given...>,
                      "the call takes a cache, the object, and the arguments of the function, also those that have a "
                      "default there; a constant object needs a constant member function");
        refused();
    }
    /// The same, with arguments in braces.
    template <class Refused = void>
    Result operator()(PHICACHE_HPP_IN_BRACES) const {
        static_assert(always_false<Refused>, "the call takes a cache, the object, and the arguments of the function");
        refused();
    }

protected:
    using method_calls::shared_owner::shared_owner;
    using possible = is_possible<shape<InPlace, Result, A...>>;
    template <class F, class Signature>
    using fit = std::conditional_t<InPlace, detail::fit<F, Signature, result&, Object&, argument_t<A>...>,
                                   detail::fit<F, Signature, Object&, argument_t<A>...>>;
    using frame = call_frame<Result, Object&, argument_t<A>...>;
    template <class F>
    using trampoline_of = trampoline<F, InPlace, Result, frame>;

private:
    friend calls;

    template <class T>
    [[gnu::noinline]] T made(cache store, Object& object, argument_t<A>... arguments) const {
        if constexpr (possible::value) {
            if constexpr ((is_flat<remove_cvref<A>>::value && ...)) {
                if (const phicache_bytes* const key = flat_arguments(typing::untyped, arguments...)) {
                    frame call{{}, {object, arguments...}};
                    return memoize_as<T>(call, c_call(store, key));
                }
            }
            return made_by_key<T>(store, object, arguments...);
        } else {
            refused();
        }
    }
    template <class T>
    [[gnu::noinline]] expected<T> try_made(cache store, Object& object, argument_t<A>... arguments) const {
        if constexpr (possible::value) {
            if constexpr ((is_flat<remove_cvref<A>>::value && ...)) {
                if (const phicache_bytes* const key = flat_arguments(typing::untyped, arguments...)) {
                    frame call{{}, {object, arguments...}};
                    return try_memoize_as<T>(call, c_call(store, key));
                }
            }
            return try_made_by_key<T>(store, object, arguments...);
        } else {
            refused();
        }
    }
    template <class T>
    [[gnu::noinline]] T made_by_key(cache store, Object& object, argument_t<A>... arguments) const {
        const pooled_key key(pooled_key::build(nullptr, arguments...));
        frame call{{}, {object, arguments...}};
        return memoize_as<T>(call, c_call(store, key));
    }
    template <class T>
    [[gnu::noinline]] expected<T> try_made_by_key(cache store, Object& object, argument_t<A>... arguments) const {
        failure why(PHICACHE_OK);
        phicache_key* const built = pooled_key::build(&why, arguments...);
        if (built == nullptr) return why;
        const pooled_key key(built);
        frame call{{}, {object, arguments...}};
        return try_memoize_as<T>(call, c_call(store, key));
    }
    auto c_call(cache store, const pooled_key& arguments) const noexcept {
        return [method = this->handle(), store, arguments = arguments.handle()](void* call, phicache_value* out) {
            return phicache_method_call(method, store.handle(), call, arguments, out, nullptr);
        };
    }
    auto c_call(cache store, const phicache_bytes* arguments) const noexcept {
        return [method = this->handle(), store, arguments](void* call, phicache_value* out) {
            return phicache_method_call_key(method, store.handle(), call, arguments, out, nullptr);
        };
    }
};

#undef PHICACHE_HPP_IN_BRACES

}  // namespace detail

/// Options of a memo.
struct memo_options {
    /// The memo's own memory limit: 0 (stores nothing) to 100, or `memory_unlimited`. Empty (`{}`): as configured. An
    /// error if `store` is in Redis or on disk.
    std::optional<double> maximum_memory_percent{};
    typing types = typing::untyped;  ///< Whether 3 and 3.0 are different arguments.
    std::optional<cache> store{};    ///< A cache to use, which may be destroyed before the memo. Empty: a private one.
    /// Distinguishes memos that share a `store`. On disk it has a version, as "entropy@1". Give it one in Redis too,
    /// where no error says so: values outlive the code that computed them.
    option_text prefix{};
};

/// A pure function with a cache (PyPhi's `cache` decorator).
///
/// @code
/// phicache::memo distance{[](const std::vector<double>& p, const std::vector<double>& q) { return l1(p, q); }};
/// double d = distance(p, q);
/// @endcode
///
/// The arguments are the key, encoded by `key::add`. What a lambda captures, and what the function reads elsewhere, is
/// not in the key: pass what changes the result as an argument. The function returns any value that `dict_cache::set`
/// takes; or its first parameter is a `result&` and it writes its value there, and then the memo returns the pinned
/// `value`. A call gives all arguments, because a memo does not know the defaults of its function.
/// Threads that miss call the function, concurrently for different arguments. It may call its own memo for other
/// arguments: 20,000 levels deep on a stack of 8 MiB if compiled with -O2 (a level takes about 400 bytes plus the frame
/// of the function), and about 4,000 without optimization.
///
/// Doubles that are contiguous in memory are one array in the key, as in C and Julia, and any other range is a tuple of
/// its elements, so the key is the same in every language. Keys of numbers, enums, directions, node sets, `bytes` and
/// arrays of doubles, with at most 4,096 bytes, are made without a call of C. For arrays of other numbers, declare the
/// parameter as `phicache::bytes`: the bytes of an array are one element; `bytes::view` returns them as numbers.
template <class Signature>
class memo : public detail::memo_calls<typename detail::shape_of<Signature>::type> {
    using base = detail::memo_calls<typename detail::shape_of<Signature>::type>;

public:
    memo(memo&&) noexcept = default;
    memo& operator=(memo&&) noexcept = default;
    memo() = delete;             // it needs a function
    memo(const memo&) = delete;  // said here too, so that the message is short
    memo& operator=(const memo&) = delete;
    /// Owns a copy of the function, or the function moved.
    template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, memo>>>
    explicit memo(F&& function, const memo_options& options = {}, config_ref settings = {})
        : memo(try_make(std::forward<F>(function), options, settings).value()) {}
    /// The one of several overloads that has the signature.
    explicit memo(std::add_pointer_t<Signature> function, const memo_options& options = {}, config_ref settings = {})
        : memo(try_make(function, options, settings).value()) {}
    template <class F>
    static expected<memo> try_make(F&& function, const memo_options& options = {}, config_ref settings = {}) {
        using Stored = std::decay_t<F>;
        static_assert(!std::is_member_pointer_v<Stored>,
                      "a member function needs its object; it is for phicache::method");
        if constexpr (!std::is_member_pointer_v<Stored> && base::possible::value) {
            using fit = typename base::template fit<Stored, Signature>;
            static_assert(fit::takes, "the function does not take the arguments in the signature");
            static_assert(!fit::takes || fit::returns, PHICACHE_HPP_RETURNS);
            if constexpr (fit::returns) return make<Stored>(std::forward<F>(function), options, settings);
        }
        return failure(status::error_invalid_argument, "");
    }

    /// The hits and misses of this memo, and the number of entries of its cache.
    phicache_info info() const { return try_info().value(); }
    /// @copydoc info
    expected<phicache_info> try_info() const {
        return detail::answer<phicache_info>(phicache_memo_info, this->handle());
    }

    /// Removes all entries of the memo's cache, of other functions too, and on disk or in Redis for all processes;
    /// resets the counts.
    void clear() const { try_clear().value(); }
    /// @copydoc clear
    expected<void> try_clear() const { return detail::checked(phicache_memo_clear(this->handle())); }

    /// The function without its cache; valid during the lifetime of the memo.
    callback<Signature> wrapped() const { return try_wrapped().value(); }
    /// @copydoc wrapped
    expected<callback<Signature>> try_wrapped() const {
        phicache_compute compute = nullptr;
        void* stored = nullptr;
        if (const phicache_status code = phicache_memo_wrapped(this->handle(), &compute, &stored); code < 0)
            return failure(code);
        return bare_(stored);
    }

private:
    using bare = callback<Signature> (*)(void*);

    template <class Stored, class F>
    static expected<memo> make(F&& function, const memo_options& options, config_ref settings) {
        using Trampoline = typename base::template trampoline_of<Stored>;
        if (const expected<void> version = try_check_version(); !version) return version.error();
        phicache_memo* handle = nullptr;
        const expected<void> registered =
            detail::register_function(std::forward<F>(function), &handle, [&](void* stored, phicache_memo** out) {
                return phicache_memo_new(settings.handle(), &Trampoline::compute, stored, &Trampoline::drop,
                                         options.maximum_memory_percent.value_or(memory_configured),
                                         static_cast<std::int32_t>(options.types),
                                         options.store ? options.store->handle() : nullptr,
                                         options.prefix.to_c(), out);
            });
        if (!registered) return registered.error();
        return memo(handle, options.types, [](void* stored) {
            return callback<Signature>(detail::reference<Stored>{static_cast<Stored*>(stored)});
        });
    }
    memo(phicache_memo* handle, typing types, bare unwrap) noexcept : base(handle, types), bare_(unwrap) {}

    bare bare_;
};

template <class F, std::enable_if_t<!detail::is_memo<std::decay_t<F>>::value, int> = 0>
memo(F&&, const memo_options& = {}, config_ref = {}) -> memo<typename detail::signature<std::decay_t<F>>::type>;

template <class F, class Options,
          std::enable_if_t<!std::is_convertible_v<const Options&, const memo_options&>, int> = 0>
memo(F&&, const Options&) -> memo<typename detail::no_options<Options>::type>;
memo(...) -> memo<detail::no_signature>;

/// The kind of a method. A `repertoire` method does not use its cache while the configuration of the cache has
/// `cache_repertoires` off.
enum class method_kind : std::uint32_t { plain = 0, repertoire = PHICACHE_METHOD_REPERTOIRE };

template <>
class memo<detail::unknown_signature> {
public:
    template <class... Any>
    explicit memo(Any&&...) {}
    template <class... Any>
    double operator()(Any&&...) const;
};
template <>
class memo<detail::no_signature> : public memo<detail::unknown_signature> {
public:
    template <class Given = void>
    explicit memo(...) {
        static_assert(detail::always_false<Given>,
                      "a memo is made from a function, a memo_options, and a config; of an overloaded function, name "
                      "the signature, as in phicache::memo<double(double)>(f)");
    }
};

/// A member function, or a function with the object as its first argument, with a cache that each call names (PyPhi's
/// `method` decorator). The cache is usually a member of the object. The key is the prefix and the arguments, without
/// the object, so the cache must belong to one object.
///
/// @code
/// const phicache::method small_phi{"small_phi", &subsystem_analysis::small_phi};
/// double phi = small_phi(analysis.cache, analysis, mechanism, purview);
/// @endcode
///
/// Otherwise as `memo`; but a method can be copied: the copies share the function.
template <class Signature>
class method : public detail::method_calls<typename detail::shape_of<Signature>::type> {
    using base = detail::method_calls<typename detail::shape_of<Signature>::type>;

public:
    /// The prefix, which may be null, distinguishes methods that share a cache. A call that finds no value is an error
    /// if another method or memo has used the prefix on that cache and still exists. Copies are one method.
    template <class F>
    method(text prefix, F&& function, method_kind kind = method_kind::plain)
        : method(try_make(prefix, std::forward<F>(function), kind).value()) {}
    /// The one of several overloads that has the signature.
    method(text prefix, std::add_pointer_t<Signature> function, method_kind kind = method_kind::plain)
        : method(try_make(prefix, function, kind).value()) {}
    /// @copydoc method
    method(text prefix, typename detail::member_function<Signature>::type function,
           method_kind kind = method_kind::plain)
        : method(try_make(prefix, function, kind).value()) {}
    template <class F>
    static expected<method> try_make(text prefix, F&& function, method_kind kind = method_kind::plain) {
        if constexpr (base::possible::value) {
            using fit = typename base::template fit<std::decay_t<F>, Signature>;
            static_assert(fit::takes, "the function does not take the object and the arguments in the signature");
            static_assert(!fit::takes || fit::returns, PHICACHE_HPP_RETURNS);
            if constexpr (fit::returns) return make(prefix, std::forward<F>(function), kind);
        }
        return failure(status::error_invalid_argument, "");
    }

private:
    template <class F>
    static expected<method> make(text prefix, F&& function, method_kind kind) {
        using Trampoline = typename base::template trampoline_of<std::decay_t<F>>;
        if (const expected<void> version = try_check_version(); !version) return version.error();
        phicache_method* handle = nullptr;
        const expected<void> registered =
            detail::register_function(std::forward<F>(function), &handle, [&](void* stored, phicache_method** out) {
                return phicache_method_new(prefix.c_str(), static_cast<std::uint32_t>(kind), &Trampoline::compute,
                                           stored, &Trampoline::drop, out);
            });
        if (!registered) return registered.error();
        method made(handle);
        if (!made) return failure(status::error_out_of_memory, "out of memory for the handle");
        return made;
    }
    explicit method(phicache_method* handle) noexcept : base(handle) {}
};

template <class F>
method(text, F&&, method_kind = method_kind::plain) -> method<typename detail::method_signature<std::decay_t<F>>::type>;
template <class F, class... Rest,
          std::enable_if_t<!detail::is_method<std::decay_t<F>>::value && !std::is_convertible_v<F, text>, int> = 0>
method(F&&, const Rest&...) -> method<detail::no_prefix<F>>;
method(text, ...) -> method<detail::no_signature>;

template <>
class method<detail::unknown_signature> {
public:
    template <class... Any>
    explicit method(Any&&...) {}
    template <class... Any>
    double operator()(Any&&...) const;
};

template <class F>
class method<detail::no_prefix<F>> : public method<detail::unknown_signature> {
public:
    static_assert(detail::always_false<F>,
                  "the first argument is a text that tells the methods of one cache apart, as in "
                  "phicache::method(\"phi\", &analysis::phi)");
    using method<detail::unknown_signature>::method;
};
template <>
class method<detail::no_signature> : public method<detail::unknown_signature> {
public:
    template <class Given = void>
    explicit method(text, ...) {
        static_assert(detail::always_false<Given>,
                      "a method is made from a text, a function, and a method_kind; of an overloaded function, name "
                      "the signature, as in phicache::method<double(analysis&, int)>(\"phi\", &analysis::phi)");
    }
};

PHICACHE_HPP_END

#endif  // PHICACHE_FUNCTION_HPP
