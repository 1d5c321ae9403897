/// @file arguments.hpp
/// The key of a call's arguments: encoded here if they are numbers and arrays of numbers, by a `key` otherwise.
#ifndef PHICACHE_ARGUMENTS_HPP
#define PHICACHE_ARGUMENTS_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>

#include "key.hpp"

PHICACHE_HPP_BEGIN

namespace detail {

/// Arguments that can be encoded without a call of C: what `key::add` adds as one element without parts, except text,
/// which must be checked. Their number of bytes follows from their types and sizes, and nothing about them can fail.
template <class T>
inline constexpr bool is_flat_element =
    !has_own_encoding<T> &&
    (std::is_same_v<T, std::nullptr_t> || std::is_same_v<T, std::nullopt_t> || std::is_same_v<T, node_set> ||
     std::is_same_v<T, bytes> || std::is_enum_v<T> || (std::is_arithmetic_v<T> && sizeof(T) <= 8) ||
     is_doubles<T>::value);
template <class T>
struct is_flat : std::bool_constant<is_flat_element<T>> {};
template <class T>
struct is_flat<std::optional<T>>
    : std::bool_constant<is_flat_element<T> && !std::is_null_pointer_v<T> &&
                         !has_own_encoding<std::optional<T>>> {};

/// Writes the elements of docs/keys.md, as C does. The bits of doubles are compared as integers: a program that is
/// compiled with -ffast-math has the same keys.
class flat_key {
public:
    /// The longest key.
    static constexpr std::size_t room = 4096;

    flat_key(std::uint8_t* first, typing types) noexcept : at_(first), typed_(types == typing::typed) {
        *at_++ = typed_ ? 0xE1 : 0xA1;
    }

    /// The most bytes that an argument takes; more than there is room for if it is not valid, so that `key::add`
    /// reports it.
    template <class T>
    [[gnu::always_inline]] static std::size_t size(const T& argument) noexcept {
        if constexpr (std::is_same_v<T, bytes>) {
            return detail::is_null(argument) ? room : head + argument.size();
        } else if constexpr (is_optional<T>::value) {
            return argument ? size(*argument) : head;
        } else if constexpr (is_doubles<T>::value) {
            return head + 8 * std::size(argument);
        } else if constexpr (std::is_same_v<T, direction>) {
            return argument >= direction::cause && argument <= direction::bidirectional ? head : room;
        } else {
            return head;
        }
    }

    template <class T>
    [[gnu::always_inline]] void add(const T& argument) noexcept {
        if constexpr (std::is_same_v<T, std::nullptr_t> || std::is_same_v<T, std::nullopt_t>) {
            *at_++ = 0x00;
        } else if constexpr (std::is_same_v<T, bool>) {
            if (typed_) {
                *at_++ = argument ? 0x02 : 0x01;
            } else {
                put(0x03, argument);
            }
        } else if constexpr (std::is_same_v<T, direction>) {
            *at_++ = 0x08;
            *at_++ = static_cast<std::uint8_t>(argument);
        } else if constexpr (std::is_same_v<T, node_set>) {
            put(0x09, argument.mask());
        } else if constexpr (std::is_same_v<T, bytes>) {
            put_length(0x06, argument.size());
            if (!argument.empty()) std::memcpy(at_, argument.data(), argument.size());
            at_ += argument.size();
        } else if constexpr (std::is_enum_v<T>) {
            add(static_cast<std::underlying_type_t<T>>(argument));
        } else if constexpr (std::is_floating_point_v<T>) {
            put_double(argument);
        } else if constexpr (std::is_integral_v<T>) {
            const std::uint64_t bits = static_cast<std::uint64_t>(argument);
            put(std::is_signed_v<T> || bits <= max_int ? 0x03 : 0x04, bits);
        } else if constexpr (is_optional<T>::value) {
            argument ? add(*argument) : add(nullptr);
        } else {
            put_length(0x0D, std::size(argument));
            put_doubles(std::data(argument), std::size(argument));
        }
    }

    const std::uint8_t* end() const noexcept { return at_; }

private:
    /// The longest tag with its number or length.
    static constexpr std::size_t head = 9;
    static constexpr std::uint64_t max_int = std::numeric_limits<std::int64_t>::max();
    static constexpr std::uint64_t sign = max_int + 1;
    static constexpr std::uint64_t infinity = 0x7FF0000000000000;
    static constexpr std::uint64_t bits_of_one = 0x3FF0000000000000;

    using lanes [[gnu::vector_size(16)]] = std::uint8_t;

    static std::uint64_t canonical(std::uint64_t bits) noexcept {
        if (bits == sign) return 0;
        return (bits & max_int) > infinity ? 0x7FF8000000000000 : bits;
    }
    void put(std::uint8_t tag, std::uint64_t bits) noexcept {
        *at_ = tag;
        std::memcpy(at_ + 1, &bits, sizeof bits);
        at_ += 1 + sizeof bits;
    }
    void put_length(std::uint8_t tag, std::size_t length) noexcept {
        const std::uint32_t count = static_cast<std::uint32_t>(length);
        *at_ = tag;
        std::memcpy(at_ + 1, &count, sizeof count);
        at_ += 1 + sizeof count;
    }
    /// An untyped double that is an integer of 64 bits is that integer.
    void put_double(double value) noexcept {
        constexpr double two_63 = 9223372036854775808.0;
        std::uint64_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        // By its bits, because 0 equals the numbers next to it where a program rounds these to 0 (-ffast-math).
        const std::uint64_t size = bits & max_int;
        if (!typed_ && size < infinity && (size >= bits_of_one || size == 0)) {
            if (value >= -two_63 && value < two_63) {
                const std::int64_t nearest = static_cast<std::int64_t>(value);
                if (static_cast<double>(nearest) == value) return add(nearest);
            } else if (value >= two_63 && value < 2 * two_63) {
                return add(static_cast<std::uint64_t>(value));
            }
        }
        put(0x05, canonical(bits));
    }
    /// Copies doubles, four in a step, and finds the largest of their highest bytes. Most arrays have no number below 0
    /// and none above 2^1008, where that byte is 0x7F: others are read again, one by one.
    void put_doubles(const double* first, std::size_t count) noexcept {
        lanes largest{};
        std::size_t i = 0;
        for (; i + 4 <= count; i += 4) {
            largest = larger(largest, copied<lanes>(first + i, at_ + 8 * i));
            largest = larger(largest, copied<lanes>(first + i + 2, at_ + 8 * i + 16));
        }
        std::uint8_t highest = largest[7] > largest[15] ? largest[7] : largest[15];
        for (; i < count; ++i) {
            const std::uint8_t one = static_cast<std::uint8_t>(copied<std::uint64_t>(first + i, at_ + 8 * i) >> 56);
            if (one > highest) highest = one;
        }
        if (highest >= 0x7F) correct(at_, count);
        at_ += 8 * count;
    }
    [[gnu::always_inline]] static lanes larger(lanes one, lanes other) noexcept { return one > other ? one : other; }
    template <class Bits>
    [[gnu::always_inline]] static Bits copied(const double* from, std::uint8_t* to) noexcept {
        Bits bits;
        std::memcpy(&bits, from, sizeof bits);
        std::memcpy(to, &bits, sizeof bits);
        return bits;
    }
    [[gnu::noinline]] static void correct(std::uint8_t* doubles, std::size_t count) noexcept {
        for (std::size_t i = 0; i < count; ++i, doubles += 8) {
            std::uint64_t bits;
            std::memcpy(&bits, doubles, sizeof bits);
            bits = canonical(bits);
            std::memcpy(doubles, &bits, sizeof bits);
        }
    }

    std::uint8_t* at_;
    bool typed_;
};

/// The key of these arguments, valid until this thread calls a memo or method again: C has read it before it calls
/// the function. Null if they are too long. Both the key and its place are the thread's, so that nothing of them is on
/// the stack while values are computed.
template <class... Arguments>
PHICACHE_HPP_LOCAL [[gnu::always_inline]] inline const phicache_bytes* flat_arguments(typing types,
                                                                   const Arguments&... arguments) noexcept {
    static thread_local struct {
        phicache_bytes key;
        std::uint8_t room[flat_key::room];
    } own;
    if ((std::size_t(1) + ... + flat_key::size(arguments)) > sizeof own.room) return nullptr;
    flat_key key(own.room, types);
    (key.add(arguments), ...);
    own.key = {own.room, static_cast<std::size_t>(key.end() - own.room)};
    return &own.key;
}

/// The key of a call's arguments, in a builder from a pool of this thread. Nested calls use different builders; usually
/// none is created. It is only as large as its handle, because it is on the stack while values are computed; for the
/// same reason its work is out of line.
class PHICACHE_HPP_LOCAL pooled_key {
public:
    /// Takes a builder that `build` returned.
    explicit pooled_key(phicache_key* handle) noexcept : handle_(handle) {}
    ~pooled_key() { give_back(handle_); }
    pooled_key(const pooled_key&) = delete;
    pooled_key& operator=(const pooled_key&) = delete;
    phicache_key* handle() const noexcept { return handle_; }

    /// A builder with the key of these arguments. On failure, writes the reason to `why` and returns null; throws if
    /// `why` is null.
    template <class... Arguments>
    [[gnu::noinline]] static phicache_key* build(failure* why, const Arguments&... arguments) {
        key building(take());  // if the add_to_key of an argument throws, the builder is freed
        if (!building)
            return fail(why, failure(status::error_out_of_memory, "out of memory for the key of the arguments"));
        building.reset();
        (building.add(arguments), ...);
        const expected<void> good = building.check();
        if (good) return building.release();
        give_back(building.release());
        return fail(why, good.error());
    }

private:
    /// Has no destructor, so that its address needs no check of whether it is constructed.
    struct key_pool {
        phicache_key* idle[8] = {};
        int count = 0;
        int capacity = 8;
    };
    static key_pool& this_thread_pool() noexcept {
        static thread_local key_pool keys;
        return keys;
    }
    /// Frees the pool of a thread at its end.
    struct thread_end {
        ~thread_end() {
            key_pool& keys = this_thread_pool();
            keys.capacity = 0;  // memos may still be called while the thread ends: they must not use the pool any more
            while (keys.count > 0) phicache_key_free(keys.idle[--keys.count]);
        }
    };
    static phicache_key* take() noexcept {
        key_pool& keys = this_thread_pool();
        return keys.count == 0 ? make() : keys.idle[--keys.count];
    }
    [[gnu::noinline]] static void give_back(phicache_key* handle) noexcept {
        key_pool& keys = this_thread_pool();
        if (keys.count < keys.capacity) {
            keys.idle[keys.count++] = handle;
        } else {
            phicache_key_free(handle);
        }
    }
    [[gnu::cold, gnu::noinline]] static phicache_key* make() noexcept {
        static thread_local const thread_end frees_the_pool;
        (void)frees_the_pool;
        phicache_key* made = nullptr;
        return phicache_key_new(&made) == PHICACHE_OK ? made : nullptr;
    }
    [[gnu::cold, gnu::noinline]] static phicache_key* fail(failure* why, const failure& cause) {
        if (why == nullptr) raise(cause);
        *why = cause;
        return nullptr;
    }

    phicache_key* handle_;
};

}  // namespace detail

PHICACHE_HPP_END

#endif  // PHICACHE_ARGUMENTS_HPP
