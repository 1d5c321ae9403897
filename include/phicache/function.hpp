/// @file function.hpp
/// Functions with a cache: `memo` (PyPhi's cache decorator) and `method` (its method decorator).
#ifndef PHICACHE_FUNCTION_HPP
#define PHICACHE_FUNCTION_HPP

#include <functional>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "cache.hpp"

PHICACHE_HPP_BEGIN

namespace detail {

/// The signature with which a function, function pointer or lambda is called.
template <class F, class = void>
struct signature {
    static_assert(always_false<F>,
                  "what this function takes cannot be told (it is generic or overloaded, or no function): name it, as in "
                  "phicache::memo<double(double)>");
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

/// The signature of a method: for a member function, its object comes first.
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

/// What a caller gets for what a function returns: the type itself, an owner instead of a view.
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

/// What a function returned, or, where its signature says another type, what that makes of it.
template <class Result, class Call>
decltype(auto) convert_result(Call&& call) {
    using Returned = std::invoke_result_t<Call&>;
    if constexpr (std::is_void_v<Returned> || std::is_same_v<typename owned_result<remove_cvref<Returned>>::type, Result>) {
        return call();
    } else {
        static_assert(std::is_convertible_v<Returned, Result>, "the function returns what its signature does not say");
        return static_cast<Result>(call());
    }
}

/// An argument as it goes into the key: by constant reference.
template <class A>
struct argument {
    static_assert(!std::is_rvalue_reference_v<A> &&
                      (!std::is_lvalue_reference_v<A> || std::is_const_v<std::remove_reference_t<A>>),
                  "the arguments of a memoized function are values or constant references");
    using type = const remove_cvref<A>&;
};
template <class A>
using argument_t = typename argument<A>::type;

/// A function's shape: does it write in place, what does its caller get, what does it take.
template <bool InPlace, class Result, class... A>
struct shape {};
template <class Signature>
struct shape_of;
template <class R, class... A>
struct shape_of<R(A...)> {
    using type = shape<false, typename owned_result<R>::type, A...>;
};
template <class R, class... A>
struct shape_of<R(result&, A...)> {
    using type = shape<true, value, A...>;
};

/// A key builder of this thread, lent for one call: nested calls get others, and in the steady state none is made. It is
/// its handle and nothing else, since it stands on the stack while values are computed.
class pooled_key {
public:
    pooled_key() noexcept : handle_(take()) {}
    ~pooled_key() {
        key_pool& keys = this_thread_pool();
        if (handle_ == nullptr) return;
        if (keys.open && keys.count < key_pool::capacity) {
            keys.idle[keys.count++] = handle_;
        } else {
            phicache_key_free(handle_);
        }
    }
    pooled_key(const pooled_key&) = delete;
    pooled_key& operator=(const pooled_key&) = delete;

    /// Makes it the key of these arguments.
    template <class... Arguments>
    [[gnu::always_inline]] expected<void> fill(const Arguments&... arguments) {
        if (handle_ == nullptr) return failure(status::error_out_of_memory, "no memory for the arguments' key");
        // Ours again when all are added: one whose add_to_key throws takes the builder along.
        key building(std::exchange(handle_, nullptr));
        building.reset();
        (building.add(arguments), ...);
        const expected<void> good = building.check();
        handle_ = building.release();
        return good;
    }
    phicache_key* handle() const noexcept { return handle_; }

private:
    struct key_pool {
        static constexpr int capacity = 8;
        phicache_key* idle[capacity] = {};
        int count = 0;
        bool open = true;
        ~key_pool() {
            open = false;  // what still calls while its thread ends finds nothing here and leaves nothing
            while (count > 0) phicache_key_free(idle[--count]);
        }
    };
    static key_pool& this_thread_pool() noexcept {
        static thread_local key_pool keys;
        return keys;
    }
    static phicache_key* take() noexcept {
        key_pool& keys = this_thread_pool();
        return keys.count == 0 ? make() : keys.idle[--keys.count];
    }
    [[gnu::cold, gnu::noinline]] static phicache_key* make() noexcept {
        phicache_key* made = nullptr;
        return phicache_key_new(&made) == PHICACHE_OK ? made : nullptr;
    }

    phicache_key* handle_;
};

/// One call of a memoized function: its arguments, and what went wrong in it.
template <class... References>
struct call_frame {
    std::tuple<References...> arguments;
    callback_error error{};
};

/// The C side of a function object F: F stands behind user_data, the call's frame behind call_data.
template <class F, bool InPlace, class Result, class Frame>
struct trampoline {
    static std::int32_t compute(void* user_data, void* call_data, phicache_bytes, phicache_result* raw) noexcept {
        if (call_data == nullptr) return -1;  // called through the C handle, from where no arguments come
        F& function = *static_cast<F*>(user_data);
        Frame& frame = *static_cast<Frame*>(call_data);
        if constexpr (InPlace) {
            return frame.error.template run<write_bytes>(raw, [&](result& out) -> decltype(auto) {
                return std::apply(
                    [&](auto&... given) -> decltype(auto) { return std::invoke(function, out, given...); },
                    frame.arguments);
            });
        } else {
            return frame.error.template run<write_bytes>(raw, [&]() -> decltype(auto) {
                return std::apply(
                    [&](auto&... given) -> decltype(auto) {
                        return convert_result<Result>([&]() -> decltype(auto) { return std::invoke(function, given...); });
                    },
                    frame.arguments);
            });
        }
    }
    static void drop(void* user_data) noexcept { delete static_cast<F*>(user_data); }
};

/// Gives a function to C: `make(user_data, handle**)` registers it, and from then on C drops it.
template <class Handle, class F, class Make>
expected<void> register_function(F&& function, Handle** handle, Make&& make) {
    using Stored = std::decay_t<F>;
    Stored* stored = new (std::nothrow) Stored(std::forward<F>(function));
    if (stored == nullptr) return failure(status::error_out_of_memory, "no memory for the function");
    return checked(make(stored, handle));
}

/// The calls that return a copied value. `Call` has the ones that return it pinned; `Parameters` are what both take.
template <class Call, class Result, class... Parameters>
class copying_calls {
public:
    /// The function's value for these arguments: from the cache, or computed on a miss.
    Result operator()(Parameters... parameters) const { return call(parameters...); }
    /// The same as `operator()`.
    Result call(Parameters... parameters) const {
        if constexpr (std::is_same_v<Result, value>) {
            return self().call_pinned(parameters...);
        } else {
            return self().call_pinned(parameters...).template as<Result>();
        }
    }
    /// @copydoc call
    expected<Result> try_call(Parameters... parameters) const {
        if constexpr (std::is_same_v<Result, value>) {
            return self().try_call_pinned(parameters...);
        } else {
            const expected<value> made = self().try_call_pinned(parameters...);
            if (!made) return made.error();
            return made->template try_as<Result>();
        }
    }

private:
    const Call& self() const noexcept { return static_cast<const Call&>(*this); }
};

/// The calls of a memo; its shape has the types of the arguments.
template <class Shape>
class memo_calls;
template <bool InPlace, class Result, class... A>
class memo_calls<shape<InPlace, Result, A...>>
    : public owner<phicache_memo, phicache_memo_free>,
      public copying_calls<memo_calls<shape<InPlace, Result, A...>>, Result, argument_t<A>...> {
public:
    /// The same, not copied: the cache's own bytes.
    value call_pinned(argument_t<A>... arguments) const {
        pooled_key key;
        key.fill(arguments...).value();
        frame call{{arguments...}};
        return detail::memoize_as<value>(call.error, get_call(key, call));
    }
    /// @copydoc call_pinned
    expected<value> try_call_pinned(argument_t<A>... arguments) const {
        pooled_key key;
        if (const expected<void> good = key.fill(arguments...); !good) return good.error();
        frame call{{arguments...}};
        return detail::try_memoize_as<value>(call.error, get_call(key, call));
    }

protected:
    using owner::owner;
    using frame = call_frame<argument_t<A>...>;
    template <class F>
    using trampoline_of = trampoline<F, InPlace, Result, frame>;

private:
    auto get_call(const pooled_key& arguments, frame& call) const noexcept {
        return [memo = this->handle(), arguments = arguments.handle(), &call](phicache_value* out) {
            return phicache_memo_call(memo, arguments, &call, out, nullptr);
        };
    }
};

/// The calls of a method: the cache and the object come before the arguments.
template <class Shape>
class method_calls {
    static_assert(always_false<Shape>, "the first argument of a method is its object, by reference");
};
template <bool InPlace, class Result, class Object, class... A>
class method_calls<shape<InPlace, Result, Object&, A...>>
    : public owner<phicache_method, phicache_method_free>,
      public copying_calls<method_calls<shape<InPlace, Result, Object&, A...>>, Result, cache, Object&, argument_t<A>...> {
public:
    /// The same, not copied: the cache's own bytes.
    value call_pinned(cache store, Object& object, argument_t<A>... arguments) const {
        pooled_key key;
        key.fill(arguments...).value();
        frame call{{object, arguments...}};
        return detail::memoize_as<value>(call.error, get_call(store, key, call));
    }
    /// @copydoc call_pinned
    expected<value> try_call_pinned(cache store, Object& object, argument_t<A>... arguments) const {
        pooled_key key;
        if (const expected<void> good = key.fill(arguments...); !good) return good.error();
        frame call{{object, arguments...}};
        return detail::try_memoize_as<value>(call.error, get_call(store, key, call));
    }

protected:
    using owner::owner;
    using frame = call_frame<Object&, argument_t<A>...>;
    template <class F>
    using trampoline_of = trampoline<F, InPlace, Result, frame>;

private:
    auto get_call(cache store, const pooled_key& arguments, frame& call) const noexcept {
        return [method = this->handle(), store, arguments = arguments.handle(), &call](phicache_value* out) {
            return phicache_method_call(method, store.handle(), &call, arguments, out, nullptr);
        };
    }
};

}  // namespace detail

/// How a memo caches.
struct memo_options {
    /// 0 to 100 (0 stores nothing), or `memory_unlimited`; nothing, which is what `{}` makes, is as configured.
    std::optional<double> maximum_memory_percent{};
    typing types = typing::untyped;  ///< Whether 3 and 3.0 are different arguments.
    std::optional<cache>
        store{};           ///< A cache of the caller's, which may be gone before the memo; otherwise a private one.
    std::string prefix{};  ///< Distinguishes the memos of one store.
};

/// PyPhi's `cache` decorator: a pure function with its cache.
///
/// @code
/// phicache::memo distance{[](const std::vector<double>& p, const std::vector<double>& q) { return l1(p, q); }};
/// double d = distance(p, q);
/// @endcode
///
/// The arguments become the key, as `key::add` encodes them; the value is whatever `dict_cache::set` takes. A function
/// whose first parameter is a `result&` writes its value there, and its memo returns the pinned `value`. The function
/// is called by any thread that misses, at once for different arguments, and may call its own memo for other arguments:
/// 20,000 deep on a stack of 8 MiB, where the program is compiled with -O2 (a level takes some 400 bytes, and what the
/// function itself takes); without optimization some 4,000 deep.
///
/// A range of numbers is added to the key number by number, so that it is the key that Julia and C make of them. Where
/// that is too slow, declare the parameter as `phicache::bytes`: an array's bytes are one element, whatever its length
/// (then -0.0 and 0.0 are different arguments); `bytes::view` shows them as numbers again.
template <class Signature>
class memo : public detail::memo_calls<typename detail::shape_of<Signature>::type> {
    using base = detail::memo_calls<typename detail::shape_of<Signature>::type>;

public:
    /// Takes the function, and frees it after the last call.
    template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, memo>>>
    explicit memo(F&& function, const memo_options& options = {}, config_ref settings = {})
        : memo(try_make(std::forward<F>(function), options, settings).value()) {}
    template <class F>
    static expected<memo> try_make(F&& function, const memo_options& options = {}, config_ref settings = {}) {
        using Stored = std::decay_t<F>;
        static_assert(!std::is_member_pointer_v<Stored>, "a member function is for phicache::method: it needs its object");
        using Trampoline = typename base::template trampoline_of<Stored>;
        if (const expected<void> version = try_check_version(); !version) return version.error();
        phicache_memo* handle = nullptr;
        const expected<void> registered =
            detail::register_function(std::forward<F>(function), &handle, [&](void* stored, phicache_memo** out) {
                return phicache_memo_new(settings.handle(), &Trampoline::compute, stored, &Trampoline::drop,
                                         options.maximum_memory_percent.value_or(memory_configured), static_cast<std::int32_t>(options.types),
                                         options.store ? options.store->handle() : nullptr,
                                         options.prefix.empty() ? nullptr : options.prefix.c_str(), out);
            });
        if (!registered) return registered.error();
        return memo(handle,
                    [](void* stored) { return std::function<Signature>(std::ref(*static_cast<Stored*>(stored))); });
    }

    /// The memo's own hits and misses, and the entries of its cache.
    phicache_info info() const { return try_info().value(); }
    /// @copydoc info
    expected<phicache_info> try_info() const {
        phicache_info figures{};
        if (const phicache_status code = phicache_memo_info(this->handle(), &figures); code < 0) return failure(code);
        return figures;
    }

    /// Clears the memo's cache, and the counts.
    void clear() { try_clear().value(); }
    /// @copydoc clear
    expected<void> try_clear() { return detail::checked(phicache_memo_clear(this->handle())); }

    /// The bare function, which neither asks nor fills the cache; valid while the memo lives.
    std::function<Signature> wrapped() const { return try_wrapped().value(); }
    /// @copydoc wrapped
    expected<std::function<Signature>> try_wrapped() const {
        phicache_compute compute = nullptr;
        void* stored = nullptr;
        if (const phicache_status code = phicache_memo_wrapped(this->handle(), &compute, &stored); code < 0)
            return failure(code);
        return bare_(stored);
    }

private:
    using bare = std::function<Signature> (*)(void*);
    memo(phicache_memo* handle, bare unwrap) noexcept : base(handle), bare_(unwrap) {}

    bare bare_;
};

template <class F>
memo(F&&, const memo_options& = {}, config_ref = {}) -> memo<typename detail::signature<std::decay_t<F>>::type>;

/// What kind of method: a `repertoire` method goes straight through while its cache's configuration has repertoire
/// caching off.
enum class method_kind : std::uint32_t { plain = 0, repertoire = PHICACHE_METHOD_REPERTOIRE };

/// PyPhi's `method` decorator: a member function, or a function whose first argument is the object, that keeps its
/// values in a cache of the object's. The key is the prefix and the arguments; the object is not part of it.
///
/// @code
/// const phicache::method small_phi{"small_phi", &subsystem_analysis::small_phi};
/// double phi = small_phi(analysis.cache, analysis, mechanism, purview);
/// @endcode
///
/// Everything else is as for `memo`.
template <class Signature>
class method : public detail::method_calls<typename detail::shape_of<Signature>::type> {
    using base = detail::method_calls<typename detail::shape_of<Signature>::type>;

public:
    /// The prefix distinguishes the methods of one cache, and may be null.
    template <class F>
    method(text prefix, F&& function, method_kind kind = method_kind::plain)
        : method(try_make(prefix, std::forward<F>(function), kind).value()) {}
    template <class F>
    static expected<method> try_make(text prefix, F&& function, method_kind kind = method_kind::plain) {
        using Trampoline = typename base::template trampoline_of<std::decay_t<F>>;
        if (const expected<void> version = try_check_version(); !version) return version.error();
        phicache_method* handle = nullptr;
        const expected<void> registered =
            detail::register_function(std::forward<F>(function), &handle, [&](void* stored, phicache_method** out) {
                return phicache_method_new(prefix.c_str(), static_cast<std::uint32_t>(kind), &Trampoline::compute, stored,
                                           &Trampoline::drop, out);
            });
        if (!registered) return registered.error();
        return method(handle);
    }

private:
    explicit method(phicache_method* handle) noexcept : base(handle) {}
};

template <class F>
method(text, F&&, method_kind = method_kind::plain) -> method<typename detail::method_signature<std::decay_t<F>>::type>;

PHICACHE_HPP_END

#endif  // PHICACHE_FUNCTION_HPP
