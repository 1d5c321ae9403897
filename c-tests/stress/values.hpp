// values.hpp: the values that the caches hold. A value follows from the number of its key, so every thread can check it
// byte by byte. It begins with a stamp that tells when its computation began. Some values are empty and have no stamp.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stress {

constexpr unsigned shared_keys = 1000;      // 0 to 999 belong to all threads
constexpr unsigned own_keys = 16;           // the keys after them: 16 for each thread alone
constexpr unsigned most_threads = 64;
constexpr unsigned all_keys = shared_keys + own_keys * most_threads;

// How often the cache had been cleared, and the key removed, when the computation ran.
struct Stamp {
    std::uint64_t clears, removals;
};

// The stamp of a value that was set, which may appear at any time.
constexpr Stamp timeless{UINT64_MAX, UINT64_MAX};

class Values {
public:
    // The length of each value is a multiple of `unit` bytes.
    explicit Values(std::size_t unit) : unit_(unit) {}

    std::size_t length(unsigned key) const;
    void write(std::uint8_t *room, unsigned key, Stamp stamp) const;
    // Whether these are the bytes of this key's value, computed not before `oldest`.
    bool check(const char *cache, const std::uint8_t *data, std::size_t len, unsigned key, Stamp oldest) const;

private:
    std::size_t unit_;
};

// The length of the longest value.
constexpr std::size_t longest_value = 24 + 1300;

}  // namespace stress
