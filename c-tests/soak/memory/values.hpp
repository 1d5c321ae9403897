// values.hpp: keys and values that follow from numbers, so that every thread can check them.
#pragma once

#include <phicache.hpp>

#include <cstdint>
#include <cstring>

#include "soak/values.hpp"

namespace soak {

// A value begins with its stamp: its length in the low bits, and any number above.
constexpr std::size_t SMALLEST = 16, LARGEST = 64 << 10;
constexpr unsigned LENGTH_BITS = 20;
static_assert(LARGEST < 1 << LENGTH_BITS);

using Stamp = std::uint64_t;

inline Stamp stamp(std::uint64_t random, std::size_t len) { return random << LENGTH_BITS | len; }
inline std::size_t length(Stamp stamp) { return stamp & ((1 << LENGTH_BITS) - 1); }

inline Stamp stamp_of(phicache_bytes value) {
    Stamp stamp = 0;
    if (value.len >= sizeof stamp) std::memcpy(&stamp, value.data, sizeof stamp);
    return stamp;
}

inline void fill(std::uint64_t number, Stamp stamp, std::uint8_t *bytes) {
    std::memcpy(bytes, &stamp, sizeof stamp);
    write(mix(number) ^ stamp, bytes + sizeof stamp, length(stamp) - sizeof stamp);
}

inline bool is_value_of(std::uint64_t number, phicache_bytes value) {
    const Stamp stamp = stamp_of(value);
    return value.len >= SMALLEST && length(stamp) == value.len &&
           is_right(mix(number) ^ stamp, value.data + sizeof stamp, value.len - sizeof stamp);
}

// A key of 8 to 31 bytes. It begins with its number.
class Key {
public:
    explicit Key(std::uint64_t number) : number_(number), len_(sizeof number + mix(number) % 24) {
        std::memcpy(bytes_, &number, sizeof number);
        write(number, bytes_ + sizeof number, len_ - sizeof number);
    }
    // The key whose bytes these are; another one if they are not the bytes of a key.
    static Key from(phicache_bytes bytes) { return Key(stamp_of(bytes)); }

    std::uint64_t number() const { return number_; }
    phicache_bytes bytes() const { return {bytes_, len_}; }
    bool is(phicache_bytes bytes) const { return bytes.len == len_ && std::memcmp(bytes.data, bytes_, len_) == 0; }

private:
    std::uint64_t number_;
    std::size_t len_;
    std::uint8_t bytes_[32];
};

}  // namespace soak
