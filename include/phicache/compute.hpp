/// @file compute.hpp
/// The way of a caller's function through C and back: what it may return, where it may write, and what it may throw.
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
    return failure(status::error_invalid_argument, "more elements than memory could hold");
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

/// Writing a value where the cache will keep it: what `result` and `lease` have in common.
template <class Target, class Handle>
class writable {
    using c = detail::c_functions<Handle>;

public:
    /// Room for `count` elements, zero-filled, which become the cache's own; reserving again starts over.
    template <class T = std::uint8_t>
    span<T> reserve(std::size_t count) {
        return try_reserve<T>(count).value();
    }
    /// @copydoc reserve
    template <class T = std::uint8_t>
    expected<span<T>> try_reserve(std::size_t count) {
        return reserve_by<T>(c::reserve, count);
    }
    /// The same, not zeroed: for functions that write every element. One that is not written, and not cut off by
    /// `truncate`, is stored with whatever the memory held before.
    template <class T = std::uint8_t>
    span<T> reserve_uninitialized(std::size_t count) {
        return try_reserve_uninitialized<T>(count).value();
    }
    /// @copydoc reserve_uninitialized
    template <class T = std::uint8_t>
    expected<span<T>> try_reserve_uninitialized(std::size_t count) {
        return reserve_by<T>(c::reserve_uninitialized, count);
    }
    /// Keeps only the first `size` bytes of what was reserved.
    void truncate(std::size_t size) { try_truncate(size).value(); }
    /// @copydoc truncate
    expected<void> try_truncate(std::size_t size) { return detail::checked(c::truncate(raw(), size)); }
    /// Makes a copy of the content (as `dict_cache::set` takes it) the value.
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
    expected<span<T>> reserve_by(phicache_status (*reserve)(Handle*, std::size_t, std::uint8_t**), std::size_t count) {
        static_assert(detail::is_plain_object<T> && alignof(T) <= 16,
                      "elements must be trivially copyable, of at most 16-byte alignment");
        if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) {
            reserve(raw(), 0, nullptr);  // fails, so that the library knows too that a reservation failed
            return detail::too_many();
        }
        std::uint8_t* first = nullptr;
        if (const phicache_status code = reserve(raw(), count * sizeof(T), &first); code < 0)
            return failure(code);
        return span<T>(static_cast<T*>(static_cast<void*>(first)), count);
    }
};

/// Where a function given to `memoize`, `memo` or `method` may write its value in place; valid until it returns.
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

/// What the bytes of a type are made of: characters, the elements of a range, or the object itself.
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

/// Whether what a function given to `memoize<T>` returns reads back as a T. Raw bytes may be anything; one that writes
/// in place, or returns nothing, is no matter of types.
template <class T, class Function, class = void>
inline constexpr bool reads_back = true;
template <class T, class Function>
inline constexpr bool reads_back<T, Function, std::enable_if_t<!std::is_void_v<std::invoke_result_t<Function&>>>> = [] {
    using Stored = typename stored_element<remove_cvref<std::invoke_result_t<Function&>>>::type;
    return std::is_same_v<Stored, typename stored_element<T>::type> || std::is_same_v<Stored, std::uint8_t>;
}();

/// Stores what a function returned as the bytes of a value; other caches have rules of their own.
struct write_bytes {
    template <class T>
    static expected<void> write(result& out, const T& returned) {
        return out.try_write(returned);
    }
};

/// What a caller's function left behind when it failed; lives in the frame of the call. C need not answer ERROR_CALLBACK
/// then: a reservation that failed before decides the status.
class callback_error {
public:
    callback_error() noexcept : kind_(kind::none) {}
    callback_error(const callback_error&) = delete;
    callback_error& operator=(const callback_error&) = delete;
    ~callback_error() {}

    /// Runs `function()` or `function(result&)` and stores what it returns by `Writer`'s rule. What goes wrong is kept
    /// here, and C gets a code; no exception passes. Computations nest, thousands deep: what is done when the function has
    /// returned is done in functions of its own, so that this frame is small while it runs.
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

    // After C has answered with an error. These are kept out of the way of those who succeed.

    /// Rethrows what the function threw, whatever else went wrong.
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
    /// Why the call failed, when nothing was thrown.
    failure to_failure(phicache_status code) const noexcept {
        if (kind_ != kind::failure) return failure(code);
        if (code == PHICACHE_ERROR_CALLBACK || failure_.code() == static_cast<status>(code)) return failure_;
        return failure(code, failure_.callback_code());
    }
    /// Raises what went wrong.
    [[noreturn, gnu::cold, gnu::noinline]] void raise(phicache_status code) {
        rethrow();
        detail::raise(to_failure(code));
    }

private:
    [[gnu::cold, gnu::noinline]] std::int32_t capture(const failure& why) noexcept {
        new (&failure_) failure(why.kept());
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
            static_assert(always_false<Function>, "the function returns its value, or takes a result& and writes there");
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

/// A function lent to one `memoize` call.
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
