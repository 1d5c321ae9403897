/// @file compute.hpp
/// How a function of the caller runs inside a C call: what it may return, where it may write, and how its exceptions
/// get back to the caller.
#ifndef PHICACHE_COMPUTE_HPP
#define PHICACHE_COMPUTE_HPP

#include <cstdint>
#include <cstring>
#include <exception>
#include <limits>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "callback.hpp"
#include "owner.hpp"
#include "stored.hpp"
#include "value.hpp"

PHICACHE_HPP_BEGIN

namespace detail {

inline failure too_many() noexcept {
    return failure(status::error_invalid_argument,
                   "the number of elements is too large: their size in bytes does not fit in size_t");
}
inline failure no_function() noexcept {
    return failure(status::error_invalid_argument,
                   "the function is a null pointer, or an empty std::function: pass one that can be called");
}

template <>
struct c_functions<phicache_result> {
    static constexpr auto reserve = phicache_result_reserve;
    static constexpr auto reserve_uninitialized = phicache_result_reserve_uninitialized;
    static constexpr auto truncate = phicache_result_truncate;
};

template <>
struct c_functions<phicache_lease> {
    static constexpr auto reserve = phicache_lease_reserve;
    static constexpr auto reserve_uninitialized = phicache_lease_reserve_uninitialized;
    static constexpr auto truncate = phicache_lease_truncate;
};

}  // namespace detail

/// Writing a value directly into the memory of the cache: what `result` and `lease` have in common.
template <class Target, class Handle>
class writable {
    using c = detail::c_functions<Handle>;

public:
    /// Reserves the value: `count` elements in the cache's memory, filled with zeros, to be written by the caller.
    /// A second reservation discards the first.
    template <class T = std::uint8_t>
    span<T> reserve(std::size_t count) {
        return try_reserve<T>(count).value();
    }
    /// @copydoc reserve
    template <class T = std::uint8_t>
    expected<span<T>> try_reserve(std::size_t count) {
        return reserve_by<T>(c::reserve, count);
    }
    /// The same without filling: for functions that write every element. An element that is neither written nor removed
    /// by `truncate` has an arbitrary value.
    template <class T = std::uint8_t>
    span<T> reserve_uninitialized(std::size_t count) {
        return try_reserve_uninitialized<T>(count).value();
    }
    /// @copydoc reserve_uninitialized
    template <class T = std::uint8_t>
    expected<span<T>> try_reserve_uninitialized(std::size_t count) {
        return reserve_by<T>(c::reserve_uninitialized, count);
    }
    /// Shortens the reserved value to its first `size` bytes.
    void truncate(std::size_t size) { try_truncate(size).value(); }
    /// @copydoc truncate
    expected<void> try_truncate(std::size_t size) { return detail::checked(c::truncate(raw(), size)); }
    /// Stores a copy of the content as the value; `content` is anything that `dict_cache::set` takes.
    template <class Content>
    void write(const Content& content) {
        try_write(content).value();
    }
    /// @copydoc write
    template <class Content>
    expected<void> try_write(const Content& content) {
        if constexpr (detail::is_gathered<Content>) {
            const std::size_t size = detail::gathered_size(content);
            const expected<span<std::uint8_t>> reserved = try_reserve_uninitialized(size);
            if (!reserved) return reserved.error();
            return detail::gather(content, reserved->data(), size);
        } else {
            return copy(detail::to_bytes(content));
        }
    }

protected:
    Handle* raw() const noexcept { return static_cast<const Target&>(*this).handle(); }

private:
    [[gnu::noinline]] expected<void> copy(bytes source) {
        if (detail::is_null(source)) {
            c::reserve(raw(), 0, nullptr);  // fails, so the library knows that there is no value
            return detail::null_text();
        }
        const expected<span<std::uint8_t>> reserved = try_reserve_uninitialized(source.size());
        if (!reserved) return reserved.error();
        if (!source.empty()) std::memcpy(reserved->data(), source.data(), source.size());
        return {};
    }
    template <class T>
    expected<span<T>> reserve_by(phicache_status (*call)(Handle*, std::size_t, std::uint8_t**), std::size_t count) {
        static_assert(detail::is_plain_object<T> && alignof(T) <= 16,
                      "elements must be trivially copyable, of at most 16-byte alignment");
        if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) {
            call(raw(), 0, nullptr);  // fails, so the library knows that a reservation failed
            return detail::too_many();
        }
        std::uint8_t* first = nullptr;
        if (const phicache_status code = call(raw(), count * sizeof(T), &first); code < 0)
            return failure(code);
        return span<T>(static_cast<T*>(static_cast<void*>(first)), count);
    }
};

/// Where a function given to `memoize`, `memo` or `method` writes its value in place; valid until the function returns.
class result : public writable<result, phicache_result> {
public:
    explicit result(phicache_result* raw) noexcept : raw_(raw) {}
    result(const result&) = delete;
    result& operator=(const result&) = delete;
    phicache_result* handle() const noexcept { return raw_; }

private:
    phicache_result* raw_;
};

namespace detail {

template <class T>
struct is_expected : std::false_type {};
template <class T>
struct is_expected<expected<T>> : std::true_type {};

/// What a function returns, without `expected` and references.
template <class T>
struct returned {
    using type = T;
};
template <class T>
struct returned<expected<T>> : returned<T> {};
template <class Returned>
using returned_t = typename returned<remove_cvref<Returned>>::type;

/// The type of the objects in the stored bytes: characters, the elements of a range, or the type itself.
template <class T, class = void>
struct stored_element {
    using type = T;
};
template <class T>
struct stored_element<T, std::enable_if_t<!std::is_void_v<element_t<T>> && !is_gathered<T>>>
    : stored_element<element_t<T>> {};
template <>
struct stored_element<const char*> : stored_element<char> {};
template <>
struct stored_element<char*> : stored_element<char> {};
template <class T>
struct stored_element<expected<T>> : stored_element<T> {};

/// Whether the value that a function given to `memoize<T>` returns can be read back as a T. Raw bytes can be read as
/// any type. A function that returns nothing, or no value, is accepted here and refused elsewhere.
template <class T, class Function, class = void>
inline constexpr bool reads_back = is_value<T>::value;
template <class T, class Function>
inline constexpr bool reads_back<T, Function, std::enable_if_t<!std::is_void_v<std::invoke_result_t<Function&>>>> = [] {
    using Returned = std::invoke_result_t<Function&>;
    using Stored = typename stored_element<remove_cvref<Returned>>::type;
    if constexpr (is_plain_object<T> && is_plain_object<returned_t<Returned>>)
        if (sizeof(T) != sizeof(returned_t<Returned>)) return false;
    // A range of T is stored as many T: it is not read as one.
    return !is_content<returned_t<Returned>> ||
           (is_value<T>::value && (!std::is_same_v<Stored, T> || std::is_same_v<returned_t<Returned>, T>) &&
            (std::is_same_v<Stored, typename stored_element<T>::type> || std::is_same_v<Stored, std::uint8_t>));
}();
/// Refuses what is not read back; with two messages, because only one of them has to list what a value is.
template <class T, class Function>
constexpr bool check_returned() noexcept {
    constexpr bool is_good = reads_back<T, Function>;
    static_assert(is_good || !is_value<T>::value, "the function returns another type than the T of memoize<T>");
    static_assert(is_good || is_value<T>::value, PHICACHE_HPP_VALUES);
    return true;
}

/// Stores the value that a function returned as bytes; MICE and purview caches have writers of their own.
struct write_bytes {
    template <class T>
    static constexpr bool takes = is_content<T>;
    template <class T>
    static expected<void> write(result& out, const T& returned) {
        return out.try_write(returned);
    }
};

/// Whether the call that returned the value has computed it.
inline bool is_computed(origin from) noexcept { return from == origin::computed || from == origin::not_stored; }

/// Where a call that returns a T receives the T that the caller's function returns, so that it is not read back.
template <class T>
inline constexpr bool is_kept_in_place = is_plain_object<T> && !is_gathered<T>;
template <class T, bool InPlace = is_kept_in_place<T>>
class kept {
public:
    /// From now on there is room for what the function returns.
    void want(T& room) noexcept { room_ = &room; }
    /// Uninitialized room for the function's T, or null. Call `set_filled` when it is constructed.
    T* room() noexcept { return room_; }
    void set_filled() noexcept { is_filled_ = true; }
    /// Whether the value of the call is what the function returned in it. In verified mode a call may return an older
    /// value, although the function ran.
    bool holds(const value& of) const noexcept { return is_filled_ && is_computed(of.origin()); }

private:
    T* room_ = nullptr;
    bool is_filled_ = false;
};
/// @copydoc kept
template <class T>
class kept<T, false> {
public:
    kept() noexcept {}
    kept(const kept&) = delete;
    kept& operator=(const kept&) = delete;
    ~kept() {
        if (is_filled_) object_.~T();
    }
    void want() noexcept { is_wanted_ = true; }
    T* room() noexcept { return is_wanted_ ? &object_ : nullptr; }
    void set_filled() noexcept { is_filled_ = true; }
    bool holds(const value& of) const noexcept { return is_filled_ && is_computed(of.origin()); }
    T&& take() noexcept { return std::move(object_); }

private:
    union {
        T object_;
    };
    bool is_wanted_ = false;
    bool is_filled_ = false;
};
/// For calls that return pinned values, and small objects: reading those back is as fast.
struct keeps_nothing {};
template <class T>
inline constexpr bool is_kept = !is_pinned<T> && (!is_kept_in_place<T> || sizeof(T) > 64);

/// How the caller's function failed: its exception or failure, captured in the frame of the call while C returns. C
/// does not always return ERROR_CALLBACK then: a reservation that failed before decides the status.
class callback_error {
public:
    callback_error() noexcept : kind_(kind::none) {}
    callback_error(const callback_error&) = delete;
    callback_error& operator=(const callback_error&) = delete;
    ~callback_error() {}

    /// The code for C if there is no function to run.
    [[gnu::cold, gnu::noinline]] std::int32_t refuse_empty() noexcept { return capture(no_function()); }

    /// Runs `function()` or `function(result&)`, stores the returned value with `Writer` and keeps it if `keep` wants
    /// it. An exception or failure is captured here, and C gets a code; no exception crosses C. Computations nest
    /// thousands deep: everything that happens after the function has returned is out of line, so that this stack frame
    /// is small while it runs.
    template <class Writer, class Keep, class Function>
    [[gnu::always_inline]] std::int32_t run(phicache_result* raw, Keep& keep, Function&& function) noexcept {
#if PHICACHE_HPP_EXCEPTIONS
        try {
            return produce<Writer>(raw, keep, function);
        } catch (...) {
            return capture_exception();
        }
#else
        return produce<Writer>(raw, keep, function);
#endif
    }

    // For calls that failed; out of line, to keep the fast path small.

    /// Rethrows the exception of the function, if there is one.
    [[gnu::cold, gnu::noinline]] void rethrow() {
#if PHICACHE_HPP_EXCEPTIONS
        if (kind_ == kind::exception) {
            kind_ = kind::none;
            const std::exception_ptr thrown = std::move(exception_);
            exception_.~exception_ptr();
            std::rethrow_exception(thrown);
        }
#endif
    }
    /// Why the call failed, if the function threw no exception.
    failure to_failure(phicache_status code) const noexcept {
        if (kind_ != kind::failure) return failure(code);
        if (code == PHICACHE_ERROR_CALLBACK || failure_.code() == static_cast<status>(code)) return failure_;
        return failure(code, failure_.callback_code());
    }
    /// Throws the exception of the function, or the failure of the call.
    [[noreturn, gnu::cold, gnu::noinline]] void raise(phicache_status code) {
        rethrow();
        detail::raise(to_failure(code));
    }

private:
    [[gnu::cold, gnu::noinline]] std::int32_t capture(const failure& why) noexcept {
        new (&failure_) failure(why.with_saved_text());
        kind_ = kind::failure;
        return failure_.callback_code() != 0 ? failure_.callback_code() : 1;
    }
#if PHICACHE_HPP_EXCEPTIONS
    [[gnu::cold, gnu::noinline]] std::int32_t capture_exception() noexcept {
        new (&exception_) std::exception_ptr(std::current_exception());
        kind_ = kind::exception;
        return 1;
    }
#endif

    template <class Writer, class Keep, class Function>
    [[gnu::always_inline]] std::int32_t produce(phicache_result* raw, Keep& keep, Function& function) {
        if constexpr (std::is_invocable_v<Function&, result&>) {
            using Returned = std::invoke_result_t<Function&, result&>;
            result out(raw);
            if constexpr (std::is_same_v<Returned, expected<void>>) {
                const expected<void> done = function(out);
                return done ? 0 : capture(done.error());
            } else {
                static_assert(std::is_void_v<Returned>,
                              "a function that takes a result& writes there; it returns nothing, or expected<void>");
                function(out);
                return 0;
            }
        } else if constexpr (!std::is_invocable_v<Function&>) {
            static_assert(always_false<Function>, "the function takes nothing, or a result&");
            return 1;
        } else if constexpr (std::is_void_v<std::invoke_result_t<Function&>>) {
            static_assert(always_false<Function>,
                          "the function returns its value, or takes a result& and writes there");
            return 1;
        } else {
            using Returned = std::invoke_result_t<Function&>;
            if constexpr (is_expected<remove_cvref<Returned>>::value) {
                return store_expected<Writer>(raw, keep, function());
            } else {
                return keep_and_store<Writer>(raw, keep, function);
            }
        }
    }

    /// Stores what `make()` returns; if the call keeps it, from the room where it is constructed.
    template <class Writer, class Keep, class Make>
    [[gnu::always_inline]] std::int32_t keep_and_store(phicache_result* raw, Keep& keep, Make& make) {
        using Made = std::invoke_result_t<Make&>;
        if constexpr (std::is_same_v<Keep, kept<Made>>) {
            if (Made* const room = keep.room()) {
                new (static_cast<void*>(room)) Made(make());
                keep.set_filled();
                return store<Writer>(raw, *room);
            }
        }
        return store<Writer>(raw, make());
    }
    template <class Writer, class Keep, class Returned>
    [[gnu::noinline]] std::int32_t store_expected(phicache_result* raw, Keep& keep, Returned&& returned) {
        if (!returned) return capture(returned.error());
        const auto take = [&] { return std::move(*returned); };
        if constexpr (std::is_same_v<Keep, kept<decltype(take())>>) {
            return keep_and_store<Writer>(raw, keep, take);
        } else {
            return store<Writer>(raw, std::as_const(*returned));
        }
    }
    template <class Writer, class Returned>
    [[gnu::noinline]] std::int32_t store(phicache_result* raw, const Returned& returned) {
        result out(raw);
        const expected<void> done = Writer::write(out, returned);
        return done ? 0 : capture(done.error());
    }

    enum class kind : unsigned char { none, failure, exception };

    kind kind_;
    union {
        failure failure_;
#if PHICACHE_HPP_EXCEPTIONS
        std::exception_ptr exception_;
#endif
    };
};

/// What `try_memoize` returns if the call failed.
template <class T>
[[gnu::cold, gnu::noinline]] expected<T> failed(callback_error& error, phicache_status code) {
    error.rethrow();
    return error.to_failure(code);
}

/// One call of `memoize` that returns a T: the call data of its C callback.
template <class T, bool Pinned = is_pinned<T>, bool Kept = is_kept<T>>
struct memoize_frame {
    callback_error error{};
    kept<T> keep{};
};
/// For calls that return the pinned value.
template <class T>
struct memoize_frame<T, true, false> {
    callback_error error{};
    PHICACHE_HPP_LOCAL static constexpr keeps_nothing keep{};
};
/// For small objects, with the value that is read back. One address, that of the value, serves all uses: the hit path
/// of `memoize` keeps it in a register during its call of C.
template <class T>
struct memoize_frame<T, false, false> {
    phicache_value pinned;
    callback_error error{};
    PHICACHE_HPP_LOCAL static constexpr keeps_nothing keep{};

    memoize_frame() noexcept {}  // does not fill `pinned`
    /// Copies the value into an object and releases it; false if its size is another.
    [[gnu::always_inline]] bool take(T& object) noexcept {
        if (pinned.len != sizeof(T)) return false;
        if constexpr (std::is_arithmetic_v<T>) {
            object = *static_cast<const T*>(static_cast<const void*>(pinned.data));  // aligned to 16 bytes
        } else {
            std::memcpy(__builtin_addressof(object), pinned.data, sizeof(T));
        }
        phicache_value_release(&pinned);
        return true;
    }
    /// After a call that failed, or with OK: whose value has another size.
    [[noreturn, gnu::cold, gnu::noinline]] void raise(phicache_status code) {
        if (code != PHICACHE_OK) error.raise(code);
        phicache_value_release(&pinned);
        raise_wrong_size();
    }
    /// The same for `try_memoize`.
    [[gnu::cold, gnu::noinline]] expected<T> failed(phicache_status code) {
        if (code != PHICACHE_OK) return detail::failed<T>(error, code);
        phicache_value_release(&pinned);
        return wrong_size();
    }
};

/// The C callback of a function that is given to `memoize`: `user_data` points to the function, `call_data` to the
/// frame.
template <class Writer, class T, class Function>
std::int32_t run_memoized(void* user_data, void* call_data, phicache_bytes, phicache_result* raw) noexcept {
    memoize_frame<T>& frame = *static_cast<memoize_frame<T>*>(call_data);
    if constexpr (std::is_function_v<Function>) {
        return frame.error.template run<Writer>(raw, frame.keep, reinterpret_cast<Function*>(user_data));
    } else {
        Function& function = *static_cast<Function*>(user_data);
        if (is_empty_function(function)) return frame.error.refuse_empty();
        return frame.error.template run<Writer>(raw, frame.keep, function);
    }
}

/// The C callback of a function that `memoize` takes. Any other function fails here, near the caller's line: further
/// down the message would be long.
template <class Writer, class T, class Function>
constexpr phicache_compute callback_of() noexcept {
    constexpr bool in_place = std::is_invocable_v<Function&, result&>;
    constexpr bool is_called = in_place || std::is_invocable_v<Function&>;
    static_assert(is_called, "the function takes nothing, or a result&");
    if constexpr (in_place) {
        using Returned = std::invoke_result_t<Function&, result&>;
        constexpr bool is_good = std::is_void_v<Returned> || std::is_same_v<Returned, expected<void>>;
        static_assert(is_good, "a function that takes a result& writes there; it returns nothing, or expected<void>");
        if constexpr (is_good) return &run_memoized<Writer, T, Function>;
    } else if constexpr (is_called) {
        using Returned = std::invoke_result_t<Function&>;
        if constexpr (std::is_void_v<Returned>) {
            static_assert(in_place, "the function returns its value, or takes a result& and writes there");
        } else {
            constexpr bool is_good = Writer::template takes<returned_t<Returned>>;
            constexpr bool takes_bytes = std::is_same_v<Writer, write_bytes>;
            static_assert(is_good || !takes_bytes, "the function does not return a value: " PHICACHE_HPP_VALUES);
            static_assert(is_good || takes_bytes,
                          "the function returns what the cache takes: for a purview cache a std::vector (or the like) "
                          "of node_set or of 64-bit masks, for a MICE cache a phicache::mice");
            if constexpr (is_good) return &run_memoized<Writer, T, Function>;
        }
    }
    return nullptr;
}

/// A function of the caller as the user data of `run_memoized`.
template <class Function>
[[gnu::always_inline]] inline void* erased(Function& function) noexcept {
    if constexpr (std::is_function_v<Function>) {
        return reinterpret_cast<void*>(&function);
    } else {
        return const_cast<void*>(static_cast<const volatile void*>(__builtin_addressof(function)));
    }
}

// Calls of C that may compute, `ask(frame, out…)`. The functions around these are out of line, one for each type of
// result and not for each call: inlined into every call, their code would keep the compiler from inlining the functions
// of the application.

/// A large object: the function's is constructed where it is returned.
template <class T, class Frame, class Fill>
[[gnu::always_inline]] inline T memoize_object(Frame& frame, const Fill& fill) {
    T object;
    frame.keep.want(object);
    const value pinned(filled_by_c{}, fill);
    if (!frame.keep.holds(pinned) && !reader<T>::read(pinned, object)) raise_wrong_size();
    return object;
}

/// The T that C finds, or computes with the caller's function.
template <class T, class Frame, class Ask>
[[gnu::always_inline]] inline T memoize_as(Frame& frame, const Ask& ask) {
    const auto fill = [&](auto*... out) {
        const phicache_status code = ask(static_cast<void*>(&frame), out...);
        if (code != PHICACHE_OK) frame.error.raise(code);
        return code;
    };
    if constexpr (is_pinned<T>) {
        return T(filled_by_c{}, fill);
    } else if constexpr (!is_value<T>::value) {
        refused();
    } else if constexpr (!is_kept<T>) {
        // Not a `value`: nothing between the call and the release can throw.
        if (const phicache_status code = ask(&frame, &frame.pinned); code != PHICACHE_OK) frame.raise(code);
        T object;
        if (!frame.take(object)) frame.raise(PHICACHE_OK);
        return object;
    } else if constexpr (is_kept_in_place<T>) {
        return memoize_object<T>(frame, fill);
    } else {
        frame.keep.want();
        const value pinned(filled_by_c{}, fill);
        if (frame.keep.holds(pinned)) return frame.keep.take();
        return pinned.template as<T>();
    }
}
/// @copydoc memoize_as
template <class T, class Frame, class Ask>
[[gnu::always_inline]] inline expected<T> try_memoize_as(Frame& frame, const Ask& ask) {
    phicache_status code;
    const auto fill = [&](auto*... out) { return code = ask(static_cast<void*>(&frame), out...); };
    if constexpr (is_pinned<T>) {
        expected<T> made(std::in_place, filled_by_c{}, fill);
        if (code != PHICACHE_OK) made = failed<T>(frame.error, code);
        return made;
    } else if constexpr (!is_value<T>::value) {
        refused();
    } else if constexpr (!is_kept<T>) {
        code = ask(&frame, &frame.pinned);
        if (code != PHICACHE_OK) return frame.failed(code);
        T object;
        if (!frame.take(object)) return frame.failed(PHICACHE_OK);
        return object;
    } else {
        if constexpr (!is_kept_in_place<T>) frame.keep.want();
        const value pinned(filled_by_c{}, fill);
        if (code != PHICACHE_OK) return failed<T>(frame.error, code);
        if constexpr (!is_kept_in_place<T>) {
            if (frame.keep.holds(pinned)) return expected<T>(std::in_place, frame.keep.take());
        }
        return read_as<T>(pinned);
    }
}

/// `memoize` of a cache that returns a pinned value: C writes it straight to `out`. In case of an error this throws.
template <class Handle>
[[gnu::noinline]] void memoize_pinned_in(Handle* cache, phicache_bytes key, phicache_compute compute, void* function,
                                         phicache_value* out) {
    memoize_frame<value> frame;
    const phicache_status code = c_functions<Handle>::memoize(cache, key, compute, function, &frame, out, nullptr);
    if (code != PHICACHE_OK) frame.error.raise(code);
}
/// `memoize` of a cache, for all functions that compute a T.
template <class T, class Handle>
[[gnu::noinline]] T memoize_in(Handle* cache, phicache_bytes key, phicache_compute compute, void* function) {
    memoize_frame<T> frame;
    return memoize_as<T>(frame, [&](void* call, auto*... out) {
        return c_functions<Handle>::memoize(cache, key, compute, function, call, out..., nullptr);
    });
}
/// @copydoc memoize_in
template <class T, class Handle>
[[gnu::noinline]] expected<T> try_memoize_in(Handle* cache, phicache_bytes key, phicache_compute compute,
                                             void* function) {
    memoize_frame<T> frame;
    return try_memoize_as<T>(frame, [&](void* call, auto*... out) {
        return c_functions<Handle>::memoize(cache, key, compute, function, call, out..., nullptr);
    });
}

}  // namespace detail

PHICACHE_HPP_END

#endif  // PHICACHE_COMPUTE_HPP
