// values.hpp: values that follow from their numbers, so that every process can check them.
#pragma once

#include <phicache.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

namespace soak {

inline std::uint64_t mix(std::uint64_t number) {  // splitmix64
    number += 0x9e3779b97f4a7c15;
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
    number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
    return number ^ (number >> 31);
}

inline void write(std::uint64_t number, std::uint8_t *bytes, std::size_t len) {
    for (std::size_t at = 0; at < len; at += sizeof(std::uint64_t)) {
        const std::uint64_t part = mix(number + (at << 32));
        std::memcpy(bytes + at, &part, len - at < sizeof part ? len - at : sizeof part);
    }
}

inline bool is_right(std::uint64_t number, const std::uint8_t *bytes, std::size_t len) {
    for (std::size_t at = 0; at < len; at += sizeof(std::uint64_t)) {
        const std::uint64_t part = mix(number + (at << 32));
        if (std::memcmp(bytes + at, &part, len - at < sizeof part ? len - at : sizeof part) != 0) return false;
    }
    return true;
}

// A key and its value: mostly small, sometimes larger than all buffers.
struct Plain {
    std::uint64_t number;
    std::string key;
    std::size_t len;

    explicit Plain(std::uint64_t number)
        : number(number), key("plain " + std::to_string(number)), len(mix(number) % 1000) {
        if (number % 40 == 7) len = 200'000 + mix(number) % 100'000;
        if (number % 300 == 8) len = 2'000'000;
    }
    phicache_bytes bytes() const { return {reinterpret_cast<const std::uint8_t *>(key.data()), key.size()}; }
    bool is(const std::uint8_t *data, std::size_t size) const { return size == len && is_right(number, data, size); }
};

// A MICE key for a system of 8 nodes, and its record.
constexpr std::size_t NODES = 8;

struct Question {
    std::uint64_t number;
    std::int32_t direction;
    std::uint64_t mechanism;
    std::uint8_t buffer[64];
    std::size_t key_len = 0;

    explicit Question(std::uint64_t number)
        : number(number), direction(number % 2 == 0 ? PHICACHE_CAUSE : PHICACHE_EFFECT),
          mechanism(number / 2 % ((1 << NODES) - 1) + 1) {
        if (phicache_key_mice("soak", direction, mechanism, nullptr, 0, buffer, sizeof buffer, &key_len) !=
            PHICACHE_OK) {
            std::abort();
        }
    }
    phicache_bytes bytes() const { return {buffer, key_len}; }
    std::uint64_t purview() const { return mix(number) % ((1 << NODES) - 1) + 1; }
    std::size_t payload_len() const { return number % 50 == 3 ? 100'000 : mix(~number) % 500; }
    phicache_mice answer(const std::uint8_t *payload) const {
        return {sizeof(phicache_mice), direction, 0, mechanism, purview(), 0.5, {payload, payload_len()}};
    }
    bool is(const phicache_mice &mice) const {
        return mice.direction == direction && mice.mechanism == mechanism && mice.purview == purview() &&
               mice.phi == 0.5 && mice.payload.len == payload_len() &&
               is_right(number, mice.payload.data, mice.payload.len);
    }
};

}  // namespace soak
