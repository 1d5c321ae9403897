/// @file callback.hpp
/// Functions of the caller that an object stores.
#ifndef PHICACHE_CALLBACK_HPP
#define PHICACHE_CALLBACK_HPP

#include <cstddef>
#include <type_traits>
#include <utility>

#include "namespace.hpp"

PHICACHE_HPP_BEGIN

template <class Signature>
class callback;

namespace detail {

/// Whether a function cannot be called: a null pointer, or an empty object such as a std::function, which says so by
/// an explicit conversion to bool.
template <class Function>
bool is_empty_function(const Function& function) noexcept {
    if constexpr (std::is_pointer_v<Function> || std::is_member_pointer_v<Function>) {
        return function == nullptr;
    } else if constexpr (std::is_constructible_v<bool, const Function&> &&
                         !std::is_convertible_v<const Function&, bool>) {
        return !static_cast<bool>(function);
    } else {
        return false;
    }
}

}  // namespace detail

/// A copy of a function object, or none; converts from whatever can be called so, and to std::function. It is not one,
/// because `<functional>` takes a seventh of the time to compile these headers.
template <class R, class... A>
class callback<R(A...)> {
public:
    callback() noexcept = default;
    callback(std::nullptr_t) noexcept {}
    /// A null function pointer or an empty std::function makes an empty callback.
    template <class F, std::enable_if_t<!std::is_same_v<std::decay_t<F>, callback> &&
                                            std::is_invocable_r_v<R, std::decay_t<F>&, A...>,
                                        int> = 0>
    callback(F&& function) {
        using Stored = std::decay_t<F>;
        if (detail::is_empty_function<Stored>(function)) return;
        object_ = new Stored(std::forward<F>(function));
        call_ = [](void* object, A... arguments) -> R {
            return static_cast<R>((*static_cast<Stored*>(object))(std::forward<A>(arguments)...));
        };
        copy_ = [](const void* object) -> void* { return new Stored(*static_cast<const Stored*>(object)); };
        destroy_ = [](void* object) noexcept { delete static_cast<Stored*>(object); };
    }
    callback(const callback& other)
        : object_(other ? other.copy_(other.object_) : nullptr), call_(other.call_), copy_(other.copy_),
          destroy_(other.destroy_) {}
    callback(callback&& other) noexcept
        : object_(std::exchange(other.object_, nullptr)), call_(other.call_), copy_(other.copy_),
          destroy_(other.destroy_) {}
    callback& operator=(callback other) noexcept {
        std::swap(object_, other.object_);
        std::swap(call_, other.call_);
        std::swap(copy_, other.copy_);
        std::swap(destroy_, other.destroy_);
        return *this;
    }
    ~callback() {
        if (object_ != nullptr) destroy_(object_);
    }

    /// Whether there is a function.
    explicit operator bool() const noexcept { return object_ != nullptr; }
    /// Calls the function, which must exist.
    R operator()(A... arguments) const { return call_(object_, std::forward<A>(arguments)...); }

private:
    void* object_ = nullptr;
    R (*call_)(void*, A...) = nullptr;
    void* (*copy_)(const void*) = nullptr;
    void (*destroy_)(void*) noexcept = nullptr;
};

PHICACHE_HPP_END

#endif  // PHICACHE_CALLBACK_HPP
