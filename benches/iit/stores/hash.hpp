// hash.hpp: the hash of all maps: that of benches/peers, and for long keys three of its chains side by side, as in
// today's fastest hashes. With BENCH_STD_HASH it is the standard library's, as most programs have it.
#pragma once

#include <functional>
#include <string_view>

#include "../../peers/hash.hpp"

namespace store {

#ifdef BENCH_STD_HASH
struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
};
#else
struct Hash : bench::Hash {
    std::size_t operator()(std::string_view key) const {
        if (key.size() <= 48) return bench::Hash::operator()(key);
        constexpr std::uint64_t p1 = 0xc2b2ae3d27d4eb4f, p2 = 0x165667b19e3779f9, p3 = 0xd6e8feb86659fd93;
        const char* at = key.data();
        std::size_t left = key.size();
        std::uint64_t first = 0x9e3779b97f4a7c15 ^ left, second = first, third = first;
        for (; left > 48; at += 48, left -= 48) {
            first = fold(load(at) ^ p1, load(at + 8) ^ first);
            second = fold(load(at + 16) ^ p2, load(at + 24) ^ second);
            third = fold(load(at + 32) ^ p3, load(at + 40) ^ third);
        }
        return fold(first ^ second ^ third ^ p1, bench::Hash::operator()({at, left}));
    }
};
#endif
using bench::Equal;

}  // namespace store
