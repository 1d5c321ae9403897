/// @file error.hpp
/// What a call answers: status, outcome of a store, error, and `expected`, which the `try_…` forms return.
#ifndef PHICACHE_ERROR_HPP
#define PHICACHE_ERROR_HPP

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <utility>
#include <variant>

#include "namespace.hpp"

PHICACHE_HPP_BEGIN

/// What happened: 0 is OK, positive a normal outcome, negative an error. Statuses that a later library adds keep their
/// number, so an unnamed value is possible.
enum class status : std::int32_t {
    ok = PHICACHE_OK,
    miss = PHICACHE_MISS,
    refused_cut = PHICACHE_REFUSED_CUT,            ///< The subsystem is cut.
    refused_phi = PHICACHE_REFUSED_PHI,            ///< φ is not positive.
    refused_memory = PHICACHE_REFUSED_MEMORY,      ///< The process holds the configured share of memory.
    refused_disabled = PHICACHE_REFUSED_DISABLED,  ///< The configuration switches this caching off.
    refused_capacity = PHICACHE_REFUSED_CAPACITY,  ///< The cache holds its `max_bytes`.
    refused_cleared = PHICACHE_REFUSED_CLEARED,    ///< The cache was cleared while the value was computed.
    lease = PHICACHE_LEASE,                        ///< The caller is to compute the value.
    busy = PHICACHE_BUSY,                          ///< Another computes the value.
    timeout = PHICACHE_TIMEOUT,
    refused_server = PHICACHE_REFUSED_SERVER,      ///< The server failed.
    error_invalid_argument = PHICACHE_ERROR_INVALID_ARGUMENT,
    error_invalid_handle = PHICACHE_ERROR_INVALID_HANDLE,
    error_callback = PHICACHE_ERROR_CALLBACK,    ///< The caller's function failed; see `callback_code()`.
    error_recursion = PHICACHE_ERROR_RECURSION,  ///< A computation asked for the key that it computes.
    error_buffer_too_small = PHICACHE_ERROR_BUFFER_TOO_SMALL,
    error_out_of_memory = PHICACHE_ERROR_OUT_OF_MEMORY,
    error_redis = PHICACHE_ERROR_REDIS,  ///< The server could not be asked, or refused; the message says why.
    error_unsupported = PHICACHE_ERROR_UNSUPPORTED,
    error_panic = PHICACHE_ERROR_PANIC,
    error_configuration = PHICACHE_ERROR_CONFIGURATION,
    error_name_in_use = PHICACHE_ERROR_NAME_IN_USE,
    error_damaged = PHICACHE_ERROR_DAMAGED,
};

/// The status's name, for example "MISS" or "ERROR_REDIS".
inline const char* name(status code) noexcept { return phicache_status_name(static_cast<phicache_status>(code)); }

/// What became of a store: stored, or refused and why. A refusal is a normal outcome.
class outcome {
public:
    constexpr explicit outcome(phicache_status code) noexcept : code_(static_cast<status>(code)) {}

    /// Whether the cache now holds the value.
    constexpr bool stored() const noexcept { return code_ == status::ok; }
    /// The same, for `if (cache.set(…))`.
    constexpr explicit operator bool() const noexcept { return stored(); }
    /// `status::ok`, or the refusal; of one key of many, also an error.
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

/// An error as a plain value. Its text is this thread's last one (`phicache_last_error`): read it before the next call.
class failure {
public:
    /// What C answered.
    explicit failure(phicache_status code, std::int32_t callback_code = 0) noexcept
        : code_(static_cast<status>(code)), callback_code_(callback_code) {}
    /// An error found on this side of C; `text` must live for ever.
    failure(status code, const char* text) noexcept : code_(code), text_(text) {}
    /// For a function given to `memoize` that fails without throwing: the caller gets this code back, and nothing is
    /// cached. The code should not be 0.
    static failure callback(std::int32_t code) noexcept { return failure(PHICACHE_ERROR_CALLBACK, code); }

    status code() const noexcept { return code_; }
    /// What a failing function of the caller's returned, beside `status::error_callback`; otherwise 0.
    std::int32_t callback_code() const noexcept { return callback_code_; }
    const char* what() const noexcept { return text_ != nullptr ? text_ : phicache_last_error(); }

    /// The same with its text kept apart, where calls on the way out would replace it; until this thread keeps another.
    failure kept() const noexcept {
        if (text_ != nullptr || code_ == status::error_callback) return *this;
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
/// An error as an exception; `what()` is the library's message.
class error : public std::runtime_error {
public:
    explicit error(const failure& cause)
        : std::runtime_error(cause.what()), code_(cause.code()), callback_code_(cause.callback_code()) {}

    status code() const noexcept { return code_; }
    /// What a failing function of the caller's returned, beside `status::error_callback`; otherwise 0.
    std::int32_t callback_code() const noexcept { return callback_code_; }

private:
    status code_;
    std::int32_t callback_code_;
};
#endif

namespace detail {

/// Throws the failure, or, where there are no exceptions, ends the program with one line.
[[noreturn]] inline void raise(const failure& cause) {
#if PHICACHE_HPP_EXCEPTIONS
    throw error(cause);
#else
    std::fprintf(stderr, "phicache: %s: %s\n", name(cause.code()), cause.what());
    std::abort();
#endif
}

/// Throws a status that is an error; out of the way of those that are none.
[[noreturn, gnu::cold, gnu::noinline]] inline void raise(phicache_status code) { raise(failure(code)); }

/// What is there by the rules of whoever asks: tells the compiler that it is.
template <class T>
[[gnu::always_inline]] constexpr T& assume_not_null(T* pointer) noexcept {
    if (pointer == nullptr) __builtin_unreachable();
    return *pointer;
}

}  // namespace detail

/// A value, or the failure that stands in its place.
template <class T>
class [[nodiscard]] expected {
public:
    expected(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    expected(const failure& cause) noexcept : state_(std::in_place_index<1>, cause) {}
    /// A value made in place of these arguments; a failure may be assigned to it.
    template <class... Arguments>
    explicit expected(std::in_place_t, Arguments&&... arguments)
        : state_(std::in_place_index<0>, std::forward<Arguments>(arguments)...) {}
    expected& operator=(const failure& cause) noexcept {
        state_.template emplace<1>(cause);
        return *this;
    }

    bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    /// The value; without one, raises the failure.
    T& value() & { return check(), **this; }
    const T& value() const& { return check(), **this; }
    T value() && { return check(), std::move(**this); }

    /// The value, which must be there.
    T& operator*() & noexcept { return detail::assume_not_null(std::get_if<0>(&state_)); }
    const T& operator*() const& noexcept { return detail::assume_not_null(std::get_if<0>(&state_)); }
    T&& operator*() && noexcept { return std::move(detail::assume_not_null(std::get_if<0>(&state_))); }
    T* operator->() noexcept { return std::addressof(**this); }
    const T* operator->() const noexcept { return std::addressof(**this); }

    /// The failure; `status::ok` when there is a value.
    failure error() const noexcept { return has_value() ? failure(PHICACHE_OK) : detail::assume_not_null(std::get_if<1>(&state_)); }
    /// `status::ok`, or the failure's.
    status code() const noexcept { return error().code(); }

private:
    void check() const {
        if (!has_value()) detail::raise(error());
    }

    std::variant<T, failure> state_;
};

/// Success, or a failure.
template <>
class [[nodiscard]] expected<void> {
public:
    expected() noexcept = default;
    expected(const failure& cause) noexcept : failure_(cause) {}

    bool has_value() const noexcept { return failure_.code() == status::ok; }
    explicit operator bool() const noexcept { return has_value(); }
    /// Raises the failure, if there is one.
    void value() const {
        if (!has_value()) detail::raise(failure_);
    }
    /// The failure, which must be there.
    const failure& error() const& noexcept { return failure_; }
    failure error() && noexcept { return failure_; }
    /// `status::ok`, or the failure's.
    status code() const noexcept { return failure_.code(); }

private:
    failure failure_{PHICACHE_OK};
};

namespace detail {

/// A C status that is an error, or success.
inline expected<void> checked(phicache_status code) noexcept {
    if (code < 0) return failure(code);
    return {};
}

/// Raises a C status that is an error; others pass.
inline phicache_status require(phicache_status code) {
    if (code < 0) raise(code);
    return code;
}

}  // namespace detail

PHICACHE_HPP_END

#endif  // PHICACHE_ERROR_HPP
