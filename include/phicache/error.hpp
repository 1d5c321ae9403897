/// @file error.hpp
/// The results of calls: `status`, the `outcome` of a store, `error`, and `expected`, which the `try_…` forms return.
#ifndef PHICACHE_ERROR_HPP
#define PHICACHE_ERROR_HPP

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "namespace.hpp"

PHICACHE_HPP_BEGIN

/// The result of a C call: 0 is OK, a positive status a normal outcome, a negative one an error. A newer library may
/// return a status that has no name here; it keeps its number.
enum class status : std::int32_t {
    ok = PHICACHE_OK,
    miss = PHICACHE_MISS,
    refused_cut = PHICACHE_REFUSED_CUT,            ///< The subsystem is cut.
    refused_phi = PHICACHE_REFUSED_PHI,            ///< φ is not positive.
    refused_memory = PHICACHE_REFUSED_MEMORY,      ///< The process uses its maximum memory percentage.
    refused_disabled = PHICACHE_REFUSED_DISABLED,  ///< This caching is switched off, or the cache is read only.
    refused_capacity = PHICACHE_REFUSED_CAPACITY,  ///< The cache would exceed its `max_bytes`.
    refused_cleared = PHICACHE_REFUSED_CLEARED,    ///< The cache was cleared while the value was computed.
    lease = PHICACHE_LEASE,                        ///< The caller has to compute the value.
    busy = PHICACHE_BUSY,                          ///< Another thread or task computes the value.
    timeout = PHICACHE_TIMEOUT,
    refused_server = PHICACHE_REFUSED_SERVER,      ///< The server failed.
    refused_storage = PHICACHE_REFUSED_STORAGE,    ///< A file operation of a disk cache failed.
    error_invalid_argument = PHICACHE_ERROR_INVALID_ARGUMENT,
    error_invalid_handle = PHICACHE_ERROR_INVALID_HANDLE,
    error_callback = PHICACHE_ERROR_CALLBACK,    ///< The caller's function failed; see `callback_code()`.
    error_recursion = PHICACHE_ERROR_RECURSION,  ///< A computation requested its own key.
    error_buffer_too_small = PHICACHE_ERROR_BUFFER_TOO_SMALL,
    error_out_of_memory = PHICACHE_ERROR_OUT_OF_MEMORY,
    error_redis = PHICACHE_ERROR_REDIS,  ///< The server failed or refused the operation; the message says why.
    error_unsupported = PHICACHE_ERROR_UNSUPPORTED,
    error_panic = PHICACHE_ERROR_PANIC,
    error_configuration = PHICACHE_ERROR_CONFIGURATION,
    error_name_in_use = PHICACHE_ERROR_NAME_IN_USE,
    error_damaged = PHICACHE_ERROR_DAMAGED,
    error_storage = PHICACHE_ERROR_STORAGE,  ///< A file operation of a disk cache failed; the message says why.
};

/// The status's name, for example "MISS" or "ERROR_REDIS".
inline const char* name(status code) noexcept { return phicache_status_name(static_cast<phicache_status>(code)); }

/// The outcome of a store: stored, or refused for a reason. A refusal is a normal outcome.
class outcome {
public:
    constexpr explicit outcome(phicache_status code) noexcept : code_(static_cast<status>(code)) {}

    /// Whether the cache now holds the value.
    constexpr bool stored() const noexcept { return code_ == status::ok; }
    /// The same, for `if (cache.set(…))`.
    constexpr explicit operator bool() const noexcept { return stored(); }
    /// `status::ok`, or why the store was refused. In the result of `set_many` also an error of one key.
    constexpr status code() const noexcept { return code_; }

    friend constexpr bool operator==(outcome a, outcome b) noexcept { return a.code_ == b.code_; }
    friend constexpr bool operator!=(outcome a, outcome b) noexcept { return a.code_ != b.code_; }
    friend constexpr bool operator==(outcome a, status b) noexcept { return a.code_ == b; }
    friend constexpr bool operator!=(outcome a, status b) noexcept { return a.code_ != b; }
    friend constexpr bool operator==(status a, outcome b) noexcept { return a == b.code_; }
    friend constexpr bool operator!=(status a, outcome b) noexcept { return a != b.code_; }

private:
    status code_;
};

namespace detail {

/// Where each thread keeps the text of the last failure that the headers have written.
PHICACHE_HPP_LOCAL inline char (&written_text() noexcept)[256] {
    static thread_local char text[256];
    return text;
}

}  // namespace detail

/// An error as a plain value. Its text is the thread's last error message: read it before the next call of the library.
class failure {
public:
    /// The error that a C call returned.
    explicit failure(phicache_status code, std::int32_t callback_code = 0) noexcept
        : code_(static_cast<status>(code)), callback_code_(callback_code) {}
    /// An error that was found without the library; `text` must have static storage.
    failure(status code, const char* text) noexcept : code_(code), text_(text) {}
    /// For a function given to `memoize` that fails without throwing: the call fails with this code, and nothing is
    /// cached. Do not use 0.
    static failure callback(std::int32_t code) noexcept { return failure(PHICACHE_ERROR_CALLBACK, code); }

    status code() const noexcept { return code_; }
    /// With `status::error_callback`, the code with which the caller's function failed; otherwise 0.
    std::int32_t callback_code() const noexcept { return callback_code_; }
    /// The message: what was wrong and what was expected.
    const char* what() const noexcept { return text_ != nullptr ? text_ : phicache_last_error(); }

    /// The same failure with a copy of its text, which later calls of the library do not overwrite. One copy for each
    /// thread: the next `with_saved_text` replaces it.
    PHICACHE_HPP_LOCAL failure with_saved_text() const noexcept {
        const bool is_static = text_ != nullptr && text_ != detail::written_text();
        if (is_static || code_ == status::error_callback) return *this;
        static thread_local char text[512];
        std::snprintf(text, sizeof text, "%s", what());
        failure copy = *this;
        copy.text_ = text;
        return copy;
    }

private:
    status code_;
    std::int32_t callback_code_ = 0;
    const char* text_ = nullptr;
};

#if PHICACHE_HPP_EXCEPTIONS
/// An error as an exception; `what()` is the message of the library.
class error : public std::runtime_error {
public:
    explicit error(const failure& cause)
        : std::runtime_error(cause.what()), code_(cause.code()), callback_code_(cause.callback_code()) {}

    status code() const noexcept { return code_; }
    /// With `status::error_callback`, the code with which the caller's function failed; otherwise 0.
    std::int32_t callback_code() const noexcept { return callback_code_; }

private:
    status code_;
    std::int32_t callback_code_;
};
#endif

namespace detail {

/// An invalid argument that was found without the library, with a text as printf writes it.
[[gnu::cold, gnu::noinline, gnu::format(printf, 1, 2)]] inline failure invalid(const char* format, ...) noexcept {
    std::va_list values;
    va_start(values, format);
    std::vsnprintf(written_text(), sizeof written_text(), format, values);
    va_end(values);
    return failure(status::error_invalid_argument, written_text());
}

/// Throws the failure as an `error`. Without exceptions: prints one line and aborts.
[[noreturn]] inline void raise(const failure& cause) {
#if PHICACHE_HPP_EXCEPTIONS
    throw error(cause);
#else
    std::fprintf(stderr, "phicache: %s: %s\n", name(cause.code()), cause.what());
    std::abort();
#endif
}

/// Throws a status that is an error. Out of line, to keep the fast path small.
[[noreturn, gnu::cold, gnu::noinline]] inline void raise(phicache_status code) { raise(failure(code)); }

/// A T or a failure, and which of the two. Not a std::variant: instantiating one for each type that a call returns took
/// half of the time to compile phicache.hpp. Trivially copyable if T is.
template <class T, bool Trivial = std::is_trivially_copyable_v<T>>
struct value_or_failure {
    union {
        T value;
        failure cause;
    };
    bool has_value;

    template <class... Arguments>
    explicit value_or_failure(std::in_place_t, Arguments&&... arguments)
        : value(std::forward<Arguments>(arguments)...), has_value(true) {}
    explicit value_or_failure(const failure& why) noexcept : cause(why), has_value(false) {}
    void fail(const failure& why) noexcept {
        new (&cause) failure(why);
        has_value = false;
    }
};
/// @copydoc value_or_failure
template <class T>
struct value_or_failure<T, false> {
    union {
        T value;
        failure cause;
    };
    bool has_value;

    template <class... Arguments>
    explicit value_or_failure(std::in_place_t, Arguments&&... arguments)
        : value(std::forward<Arguments>(arguments)...), has_value(true) {}
    explicit value_or_failure(const failure& why) noexcept : cause(why), has_value(false) {}
    value_or_failure(const value_or_failure& other) { take(other); }
    value_or_failure(value_or_failure&& other) noexcept(std::is_nothrow_move_constructible_v<T>) {
        take(std::move(other));
    }
    // While the new content is constructed, this is a failure: that is what remains if a constructor of T throws.
    value_or_failure& operator=(const value_or_failure& other) {
        if (this != &other) fail(failure(PHICACHE_OK)), take(other);
        return *this;
    }
    value_or_failure& operator=(value_or_failure&& other) noexcept(std::is_nothrow_move_constructible_v<T>) {
        if (this != &other) fail(failure(PHICACHE_OK)), take(std::move(other));
        return *this;
    }
    ~value_or_failure() {
        if (has_value) value.~T();
    }
    void fail(const failure& why) noexcept {
        if (has_value) value.~T();
        new (&cause) failure(why);
        has_value = false;
    }

private:
    template <class Other>
    void take(Other&& other) {
        if (other.has_value) {
            new (static_cast<void*>(&value)) T(std::forward<Other>(other).value);
        } else {
            new (&cause) failure(other.cause);
        }
        has_value = other.has_value;
    }
};

/// Deletes the copies of an `expected` that could not copy its value.
template <bool Copies>
struct copies_if {};
template <>
struct copies_if<false> {
    copies_if() = default;
    copies_if(const copies_if&) = delete;
    copies_if& operator=(const copies_if&) = delete;
    copies_if(copies_if&&) = default;
    copies_if& operator=(copies_if&&) = default;
};

}  // namespace detail

/// A value, or the failure that prevented it.
template <class T>
class [[nodiscard]] expected : detail::copies_if<std::is_copy_constructible_v<T>> {
public:
    expected(T value) : state_(std::in_place, std::move(value)) {}
    expected(const failure& cause) noexcept : state_(cause) {}
    /// Constructs the value in place; a failure may be assigned later.
    template <class... Arguments>
    explicit expected(std::in_place_t, Arguments&&... arguments)
        : state_(std::in_place, std::forward<Arguments>(arguments)...) {}
    expected& operator=(const failure& cause) noexcept {
        const failure copy = cause;  // it may be this object's own
        state_.fail(copy);
        return *this;
    }

    bool has_value() const noexcept { return state_.has_value; }
    explicit operator bool() const noexcept { return has_value(); }

    /// The value; throws the failure if there is none.
    T& value() & { return check(), state_.value; }
    const T& value() const& { return check(), state_.value; }
    T value() && { return check(), std::move(state_.value); }

    /// As `value()`: without a value it throws too, which costs nothing behind a test of the object.
    T& operator*() & { return check(), state_.value; }
    const T& operator*() const& { return check(), state_.value; }
    T&& operator*() && { return check(), std::move(state_.value); }
    T* operator->() { return check(), &state_.value; }
    const T* operator->() const { return check(), &state_.value; }

    /// The failure, or one with `status::ok` if there is a value.
    failure error() const noexcept { return has_value() ? failure(PHICACHE_OK) : state_.cause; }
    /// `status::ok`, or the failure's.
    status code() const noexcept { return error().code(); }

private:
    void check() const {
        if (!has_value()) raise();
    }
    [[noreturn, gnu::cold, gnu::noinline]] void raise() const { detail::raise(state_.cause); }

    detail::value_or_failure<T> state_;
};

/// Success, or a failure.
template <>
class [[nodiscard]] expected<void> {
public:
    expected() noexcept = default;
    expected(const failure& cause) noexcept : failure_(cause) {}

    bool has_value() const noexcept { return failure_.code() == status::ok; }
    explicit operator bool() const noexcept { return has_value(); }
    /// Throws the failure if there is one.
    void value() const {
        if (!has_value()) detail::raise(failure_);
    }
    /// The failure, which must exist.
    const failure& error() const& noexcept { return failure_; }
    failure error() && noexcept { return failure_; }
    /// `status::ok`, or the failure's.
    status code() const noexcept { return failure_.code(); }

private:
    failure failure_{PHICACHE_OK};
};

namespace detail {

/// A C status as success or failure.
inline expected<void> checked(phicache_status code) noexcept {
    if (code < 0) return failure(code);
    return {};
}

template <class T, class = void>
inline constexpr bool has_struct_size = false;
template <class T>
inline constexpr bool has_struct_size<T, std::void_t<decltype(T::struct_size)>> = true;

/// What a C function writes to its last parameter.
template <class T, class Function, class... Given>
expected<T> answer(Function ask, Given... given) {
    T answered{};
    if constexpr (has_struct_size<T>) answered.struct_size = sizeof answered;
    if (const phicache_status code = ask(given..., &answered); code < 0) return failure(code);
    return answered;
}

/// Throws a C status that is an error; returns any other.
inline phicache_status require(phicache_status code) {
    if (code < 0) raise(code);
    return code;
}

}  // namespace detail

PHICACHE_HPP_END

#endif  // PHICACHE_ERROR_HPP
