/// @file owner.hpp
/// Ownership of C handles, alone or shared, and the check that header and library belong together.
#ifndef PHICACHE_OWNER_HPP
#define PHICACHE_OWNER_HPP

#include <cstdint>
#include <new>
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
PHICACHE_HPP_LOCAL inline expected<void> try_check_version() {
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
    /// Frees the handle now. Out of line: inlined into the destructor of a std::optional, gcc warns that a handle which
    /// the optional does not have may be used uninitialized.
    [[gnu::noinline]] void reset() noexcept {
        if (handle_ != nullptr) Free(release());
    }
    /// Whether this object owns a handle.
    explicit operator bool() const noexcept { return handle_ != nullptr; }

private:
    Handle* handle_;
};

/// Owns a share of a C handle that never changes: copies have the same handle, and the last one frees it. Copies may be
/// made, used and destroyed in different threads.
template <class Handle, phicache_status (*Free)(Handle*)>
class shared_owner {
public:
    using handle_type = Handle;

    /// Takes ownership of a handle from C. Every call on a null handle fails. If there is no memory to share it, frees
    /// the handle and is null.
    explicit shared_owner(Handle* handle) noexcept : handle_(handle) {
        if (handle != nullptr) owners_ = new (std::nothrow) std::size_t(1);
        if (owners_ == nullptr && handle != nullptr) Free(std::exchange(handle_, nullptr));
    }
    shared_owner(const shared_owner& other) noexcept : handle_(other.handle_), owners_(other.owners_) {
        if (owners_ != nullptr) __atomic_add_fetch(owners_, 1, __ATOMIC_RELAXED);
    }
    shared_owner(shared_owner&& other) noexcept
        : handle_(std::exchange(other.handle_, nullptr)), owners_(std::exchange(other.owners_, nullptr)) {}
    shared_owner& operator=(shared_owner other) noexcept {
        std::swap(handle_, other.handle_);
        std::swap(owners_, other.owners_);
        return *this;
    }
    ~shared_owner() { reset(); }

    /// The C handle, owned by this object and its copies; null after a move.
    Handle* handle() const noexcept { return handle_; }
    /// The C handle, which the caller now has to free; null, and nothing changes, if copies own it too.
    Handle* release() noexcept {
        if (owners_ == nullptr || __atomic_load_n(owners_, __ATOMIC_ACQUIRE) != 1) return nullptr;
        delete std::exchange(owners_, nullptr);
        return std::exchange(handle_, nullptr);
    }
    /// Gives up this share; frees the handle if it is the last one.
    void reset() noexcept {
        Handle* const handle = std::exchange(handle_, nullptr);
        std::size_t* const owners = std::exchange(owners_, nullptr);
        if (owners == nullptr || __atomic_sub_fetch(owners, 1, __ATOMIC_ACQ_REL) != 0) return;
        delete owners;
        Free(handle);
    }
    /// Whether this object owns a handle.
    explicit operator bool() const noexcept { return handle_ != nullptr; }

private:
    Handle* handle_;
    std::size_t* owners_ = nullptr;
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
    Owner made(handle, rest...);
    if (!made) return failure(status::error_out_of_memory, "out of memory for the handle");
    return made;
}

}  // namespace detail

PHICACHE_HPP_END

#endif  // PHICACHE_OWNER_HPP
