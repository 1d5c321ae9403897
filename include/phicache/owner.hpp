/// @file owner.hpp
/// Ownership of C handles, and the check that header and library belong together.
#ifndef PHICACHE_OWNER_HPP
#define PHICACHE_OWNER_HPP

#include <cstdint>
#include <utility>

#include "error.hpp"

PHICACHE_HPP_BEGIN

/// Whether the loaded library is compatible with this header: not older, and of the same major version (while that is
/// 0, also of the same minor version).
inline bool version_matches() noexcept {
    constexpr std::uint32_t breaking = PHICACHE_VERSION_MAJOR == 0 ? 0xFFFFFF00u : 0xFFFF0000u;
    constexpr std::uint32_t ours = PHICACHE_VERSION_MAJOR << 16 | PHICACHE_VERSION_MINOR << 8 | PHICACHE_VERSION_PATCH;
    const std::uint32_t loaded = phicache_version_number();
    return (loaded & breaking) == (ours & breaking) && loaded >= ours;
}

/// Fails with `status::error_unsupported` if the loaded library is not compatible with this header. Every constructor
/// calls it.
inline expected<void> try_check_version() {
    static const bool matches = version_matches();
    if (!matches)
        return failure(status::error_unsupported,
                       "the loaded phicache library is not compatible with the version of phicache.hpp: load the "
                       "library that was installed with the header");
    return {};
}

/// @copydoc try_check_version
inline void check_version() { try_check_version().value(); }

/// Owns one C handle: movable, not copyable, freed by the destructor.
template <class Handle, phicache_status (*Free)(Handle*)>
class owner {
public:
    using handle_type = Handle;

    /// Takes ownership of a handle from C. Every call on a null handle fails.
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

    /// The C handle, owned by this object; null after a move.
    Handle* handle() const noexcept { return handle_; }
    /// The C handle, which the caller now has to free.
    Handle* release() noexcept { return std::exchange(handle_, nullptr); }
    /// Frees the handle now.
    void reset() noexcept {
        if (handle_ != nullptr) Free(release());
    }
    /// Whether this object owns a handle.
    explicit operator bool() const noexcept { return handle_ != nullptr; }

private:
    Handle* handle_;
};

namespace detail {

/// The C functions for one kind of handle, as constants, so that what kinds have in common is written once. Each kind
/// has its specialization next to its class.
template <class Handle>
struct c_functions;

/// Constructs an owner from the handle that `make(Handle**)` creates, and `rest`; checks the version first.
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
