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

#include "bytes.hpp"
#include "owner.hpp"

PHICACHE_HPP_BEGIN

namespace detail {

inline failure too_many() noexcept {
    return failure(status::error_invalid_argument,
                   "the number of elements is too large: their size in bytes does not fit in size_t");
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
        return copy(detail::to_bytes(content));
    }

protected:
    Handle* raw() const noexcept { return static_cast<const Target&>(*this).handle(); }

private:
    [[gnu::noinline]] expected<void> copy(bytes source) {
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

/// The type of the objects in the stored bytes: characters, the elements of a range, or the type itself.
template <class T, class = void>
struct stored_element {
    using type = T;
};
template <class T>
struct stored_element<T, std::enable_if_t<!std::is_void_v<element_t<T>>>> : stored_element<element_t<T>> {};
template <>
struct stored_element<const char*> : stored_element<char> {};
template <>
struct stored_element<char*> : stored_element<char> {};
template <class T>
struct stored_element<expected<T>> : stored_element<T> {};

/// Whether the value that a function given to `memoize<T>` returns can be read back as a T. Raw bytes can be read as
/// any type; a function that returns nothing is accepted here and checked elsewhere.
template <class T, class Function, class = void>
inline constexpr bool reads_back = true;
template <class T, class Function>
inline constexpr bool reads_back<T, Function, std::enable_if_t<!std::is_void_v<std::invoke_result_t<Function&>>>> = [] {
    using Stored = typename stored_element<remove_cvref<std::invoke_result_t<Function&>>>::type;
    return std::is_same_v<Stored, typename stored_element<T>::type> || std::is_same_v<Stored, std::uint8_t>;
}();

/// Stores the value that a function returned as bytes; MICE and purview caches have writers of their own.
struct write_bytes {
    template <class T>
    static expected<void> write(result& out, const T& returned) {
        return out.try_write(returned);
    }
};

/// How the caller's function failed: its exception or failure, captured in the frame of the call while C returns. C
/// does not always return ERROR_CALLBACK then: a reservation that failed before decides the status.
class callback_error {
public:
    callback_error() noexcept : kind_(kind::none) {}
    callback_error(const callback_error&) = delete;
    callback_error& operator=(const callback_error&) = delete;
    ~callback_error() {}

    /// Runs `function()` or `function(result&)` and stores the returned value with `Writer`. An exception or failure is
    /// captured here, and C gets a code; no exception crosses C. Computations nest thousands deep: everything that
    /// happens after the function has returned is out of line, so that this stack frame is small while it runs.
    template <class Writer, class Function>
    [[gnu::always_inline]] std::int32_t run(phicache_result* raw, Function&& function) noexcept {
#if PHICACHE_HPP_EXCEPTIONS
        try {
            return produce<Writer>(raw, function);
        } catch (...) {
            return capture_exception();
        }
#else
        return produce<Writer>(raw, function);
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

    template <class Writer, class Function>
    [[gnu::always_inline]] std::int32_t produce(phicache_result* raw, Function& function) {
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
            return store<Writer>(raw, function());
        }
    }

    template <class Writer, class Returned>
    [[gnu::noinline]] std::int32_t store(phicache_result* raw, const Returned& returned) {
        if constexpr (is_expected<Returned>::value) {
            return returned ? store<Writer>(raw, *returned) : capture(returned.error());
        } else {
            result out(raw);
            const expected<void> done = Writer::write(out, returned);
            return done ? 0 : capture(done.error());
        }
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

/// One `memoize` call: the caller's function, and how it failed.
template <class Writer, class Function>
struct compute_frame {
    Function& function;
    callback_error error{};

    static std::int32_t compute(void* user_data, void*, phicache_bytes, phicache_result* raw) noexcept {
        compute_frame& self = *static_cast<compute_frame*>(user_data);
        return self.error.template run<Writer>(raw, self.function);
    }
};

}  // namespace detail

PHICACHE_HPP_END

#endif  // PHICACHE_COMPUTE_HPP
