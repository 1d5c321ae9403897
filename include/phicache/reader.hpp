/// @file reader.hpp
/// Lookups of one thread in one cache, for loops.
#ifndef PHICACHE_READER_HPP
#define PHICACHE_READER_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "stored.hpp"

PHICACHE_HPP_BEGIN

/// Lookups of the thread that made it in one cache, from `cache.reader()`: what every lookup of a cache does first is
/// done once. For loops:
///
/// @code
/// phicache::reader reader = distances.reader();
/// for (const auto& key : keys)
///     if (std::optional<double> distance = reader.get<double>(key)) use(*distance);
/// @endcode
///
/// Shares the cache, which may be destroyed. Every lookup counts a hit or a miss. Neither copied nor moved; only the
/// destructor may run in another thread.
class reader {
public:
    /// Holds no cache: every lookup fails. For `try_open`.
    reader() noexcept : raw_{} {}
    /// Of a cache of any type, as a C handle.
    explicit reader(phicache_cache* cache) : raw_{} { try_open(cache).value(); }
    reader(const reader&) = delete;
    reader& operator=(const reader&) = delete;
    ~reader() { phicache_reader_release(&raw_); }

    /// Reads from this cache from now on.
    expected<void> try_open(phicache_cache* cache) noexcept {
        phicache_reader_release(&raw_);
        return detail::checked(phicache_reader_init(&raw_, cache));
    }

    /// A copy of the value of a key as T, a trivially copyable type; empty on a miss. Fails if the value has another
    /// size.
    template <class T>
    std::optional<T> get(bytes key) {
        std::optional<T> found;
        const phicache_status code = copy(key, found.emplace());
        if (code == PHICACHE_OK) return found;
        if (code < 0) raise_copy(code);
        found.reset();
        return found;
    }
    /// @copydoc get
    template <class T>
    expected<std::optional<T>> try_get(bytes key) {
        expected<std::optional<T>> found(std::in_place);
        const phicache_status code = copy(key, found->emplace());
        if (code == PHICACHE_OK) return found;
        if (code < 0) return copy_failure(code);
        found->reset();
        return found;
    }

    /// The C struct.
    phicache_reader* raw() noexcept { return &raw_; }

private:
    template <class T>
    phicache_status copy(bytes key, T& object) noexcept {
        static_assert(detail::is_plain_object<T> && detail::is_value<T>::value && !detail::is_gathered<T>,
                      "a reader copies trivially copyable objects; read others in place, with a read_section");
        std::size_t len = 0;
        void* const buffer = __builtin_addressof(object);
        const phicache_status code =
            phicache_reader_copy(&raw_, key, static_cast<std::uint8_t*>(buffer), sizeof(T), &len);
        return code == PHICACHE_OK && len != sizeof(T) ? PHICACHE_ERROR_BUFFER_TOO_SMALL : code;
    }
    static failure copy_failure(phicache_status code) noexcept {
        return code == PHICACHE_ERROR_BUFFER_TOO_SMALL ? detail::wrong_size() : failure(code);
    }
    [[noreturn, gnu::cold, gnu::noinline]] static void raise_copy(phicache_status code) {
        detail::raise(copy_failure(code));
    }

    phicache_reader raw_;
};

PHICACHE_HPP_END

#endif  // PHICACHE_READER_HPP
