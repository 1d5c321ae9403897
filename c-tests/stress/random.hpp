// random.hpp: numbers that follow from a seed (splitmix64), one generator for each thread.
#pragma once

#include <cstdint>

namespace stress {

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    // 0 to count - 1.
    unsigned below(std::uint64_t count) { return static_cast<unsigned>((next() >> 33) % count); }
    // True `times` in a thousand.
    bool chance(unsigned times) { return below(1000) < times; }

private:
    std::uint64_t state_;
};

}  // namespace stress
