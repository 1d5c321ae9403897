// hash.hpp: the hash of all C++ peers: folded multiplications of 16 bytes at a time, as in today's fastest hashes, so
// that no peer is slow because of its standard library's hash. It is not keyed, so it is not safe against hostile
// keys.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace bench {

struct Hash {
    using is_transparent = void;
    using is_avalanching = void;  // Boost's mark of a hash with good distribution in every bit

    static std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
        const auto product = static_cast<unsigned __int128>(a) * b;
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    }
    static std::uint64_t load(const char *at) {
        std::uint64_t word;
        std::memcpy(&word, at, sizeof word);
        return word;
    }
    static std::uint64_t load_half(const char *at) {
        std::uint32_t word;
        std::memcpy(&word, at, sizeof word);
        return word;
    }

    std::size_t operator()(std::string_view key) const {
        constexpr std::uint64_t p0 = 0x9e3779b97f4a7c15, p1 = 0xc2b2ae3d27d4eb4f, p2 = 0x165667b19e3779f9;
        const char *at = key.data();
        const std::size_t len = key.size();
        std::uint64_t seed = p0 ^ len, a = 0, b = 0;
        if (len > 16) {
            const char *const last = at + len - 16;
            for (; at < last; at += 16) seed = fold(load(at) ^ p1, load(at + 8) ^ seed);
            a = load(last);
            b = load(last + 8);
        } else if (len >= 8) {
            a = load(at);
            b = load(at + len - 8);
        } else if (len >= 4) {
            a = load_half(at);
            b = load_half(at + len - 4);
        } else if (len > 0) {
            a = static_cast<std::uint64_t>(static_cast<unsigned char>(at[0])) << 16 |
                static_cast<std::uint64_t>(static_cast<unsigned char>(at[len / 2])) << 8 |
                static_cast<unsigned char>(at[len - 1]);
        }
        return fold(fold(a ^ p1, b ^ seed), p2);
    }
};

struct Equal {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};

}  // namespace bench
