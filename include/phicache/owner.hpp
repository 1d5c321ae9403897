/// @file owner.hpp
/// What all handles share: one owner each, and the check that header and library belong together.
#ifndef PHICACHE_OWNER_HPP
#define PHICACHE_OWNER_HPP

#include <cstdint>
#include <utility>

#include "error.hpp"

PHICACHE_HPP_BEGIN

/// Whether the loaded library can serve this header: the same major version (while that is 0, the same minor version
/// too), and not an older one.
inline bool version_matches() noexcept {
    constexpr std::uint32_t breaking = PHICACHE_VERSION_MAJOR == 0 ? 0xFFFFFF00u : 0xFFFF0000u;
    constexpr std::uint32_t ours = PHICACHE_VERSION_MAJOR << 16 | PHICACHE_VERSION_MINOR << 8 | PHICACHE_VERSION_PATCH;
    const std::uint32_t loaded = phicache_version_number();
    return (loaded & breaking) == (ours & breaking) && loaded >= ours;
}

/// Fails when the loaded library cannot serve this header. Every constructor asks.
inline expected<void> try_check_version() {
    static const bool matches = version_matches();
    if (!matches)
        return failure(status::error_unsupported,
                       "the phicache library that was loaded has another version than phicache.hpp");
    return {};
}

/// @copydoc try_check_version
inline void check_version() { try_check_version().value(); }

/// Owns one C handle: moves, does not copy, frees in its destructor.
template <class Handle, phicache_status (*Free)(Handle*)>
class owner {
public:
    using handle_type = Handle;

    /// Takes over a handle that C gave; null is a handle that every call refuses.
    explicit owner(Handle* handle) noexcept : handle_(handle) {}
    owner(owner&& other) noexcept : handle_(other.release()) {}
    owner& operator=(owner&& other) noexcept {
        if (this != &other) {
            reset();
            handle_ = other.release();
        }
        return *this;
    }
    owner(const owner&) = delete;
    owner& operator=(const owner&) = delete;
    ~owner() { reset(); }

    /// The C handle, still owned here; null after a move.
    Handle* handle() const noexcept { return handle_; }
    /// The C handle, which is now the caller's to free.
    Handle* release() noexcept { return std::exchange(handle_, nullptr); }
    /// Frees the handle now.
    void reset() noexcept {
        if (handle_ != nullptr) Free(release());
    }
    /// Whether there is a handle.
    explicit operator bool() const noexcept { return handle_ != nullptr; }

private:
    Handle* handle_;
};

namespace detail {

/// The C functions for one kind of handle, as constants, so that what kinds have in common is written once. Each kind
/// has its specialization next to its class.
template <class Handle>
struct c_functions;

/// Makes an owner from what `make(Handle**)` gives, and the rest; the first use checks the version.
template <class Owner, class Make, class... Rest>
expected<Owner> create(Make&& make, Rest... rest) {
    if (const expected<void> version = try_check_version(); !version) return version.error();
    typename Owner::handle_type* handle = nullptr;
    if (const phicache_status code = make(&handle); code < 0) return failure(code);
    return Owner(handle, rest...);
}

}  // namespace detail

PHICACHE_HPP_END

#endif  // PHICACHE_OWNER_HPP
