// workload.hpp: keys and values, computed from their numbers, so that every contender gets the same.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "peer.h"

namespace bench {

// A table's shape: the number of entries, the lengths of keys and values.
struct Shape {
    std::size_t entries, key_len, value_len;
};

// Pseudo-random numbers, the same in every run.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next();
    // One of 0 … limit - 1.
    std::uint64_t below(std::uint64_t limit);
    // 0 <= number < 1.
    double fraction();

private:
    std::uint64_t state_;
};

// Numbers from 0 to `count` - 1, the k-th most frequent with a probability that falls as 1 / k^0.99.
class Zipf {
public:
    explicit Zipf(std::size_t count);
    std::size_t pick(Random &random) const;

private:
    std::vector<double> below_;
};

// The buffers of one thread: a value to write, and a buffer for a copy.
class Scratch {
public:
    explicit Scratch(std::size_t value_len);
    std::uint8_t *value() const { return value_.get(); }
    std::uint8_t *buffer() const { return buffer_.get(); }

private:
    std::unique_ptr<std::uint8_t[]> value_, buffer_;
};

// Keys in the order in which they are looked up, so that fetching them costs little.
class Stream {
public:
    // Each entry of a table once.
    static Stream all(const Shape &shape);
    // Entries of a table at random: uniform, or Zipf.
    static Stream hits(const Shape &shape, std::size_t length, std::uint64_t seed, const Zipf *zipf = nullptr);
    // Keys that are not in the table.
    static Stream misses(const Shape &shape, std::size_t length);

    // Makes one access in `each` a write.
    void mix_writes(std::size_t each, std::uint64_t seed);

    std::size_t length() const { return words_.size(); }
    bench_work work(std::size_t from, std::size_t count, const Scratch &scratch) const;
    // The expected result of a loop that reads this part.
    std::uint64_t expected(std::size_t from, std::size_t count) const;

private:
    Stream(const Shape &shape, std::size_t length);
    void push(std::uint64_t number);

    Shape shape_;
    std::vector<std::uint8_t> keys_;
    std::vector<std::uint64_t> words_;
    std::vector<std::uint8_t> writes_;
    bool found_ = true;
};

}  // namespace bench
