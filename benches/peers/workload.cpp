#include "workload.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace bench {

namespace {

std::uint64_t mix(std::uint64_t number) {  // splitmix64
    number += 0x9e3779b97f4a7c15;
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
    number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
    return number ^ (number >> 31);
}

// The word of a value. Its top bit is 0: dependent accesses shift by it.
std::uint64_t word(std::uint64_t number) { return mix(~number) >> 1; }

}  // namespace

std::uint64_t Random::next() { return mix(state_++); }

std::uint64_t Random::below(std::uint64_t limit) {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * limit) >> 64);
}

double Random::fraction() { return static_cast<double>(next() >> 11) * 0x1p-53; }

Zipf::Zipf(std::size_t count) {
    double sum = 0;
    for (std::size_t rank = 1; rank <= count; rank++) below_.push_back(sum += std::pow(rank, -0.99));
    for (double &part : below_) part /= sum;
}

std::size_t Zipf::pick(Random &random) const {
    const auto place = std::upper_bound(below_.begin(), below_.end(), random.fraction());
    return std::min(static_cast<std::size_t>(place - below_.begin()), below_.size() - 1);
}

Scratch::Scratch(std::size_t value_len) : value_(new std::uint8_t[value_len]), buffer_(new std::uint8_t[value_len]) {
    for (std::size_t i = 0; i < value_len; i++) value_[i] = static_cast<std::uint8_t>(i);
    std::memset(buffer_.get(), 0, value_len);
}

// Allocates all memory at once: freed large blocks would change malloc's behaviour, and so the measured memory of a
// map. There is space for one more key, whose place a dependent loop computes at its end.
Stream::Stream(const Shape &shape, std::size_t length) : shape_(shape) {
    keys_.reserve((length + 1) * shape.key_len);
    words_.reserve(length);
}

Stream Stream::all(const Shape &shape) {
    Stream stream(shape, shape.entries);
    for (std::uint64_t number = 0; number < shape.entries; number++) stream.push(number);
    return stream;
}

Stream Stream::hits(const Shape &shape, std::size_t length, std::uint64_t seed, const Zipf *zipf) {
    Stream stream(shape, length);
    Random random(seed);
    for (std::size_t i = 0; i < length; i++) stream.push(zipf ? zipf->pick(random) : random.below(shape.entries));
    return stream;
}

Stream Stream::misses(const Shape &shape, std::size_t length) {
    Stream stream(shape, length);
    for (std::size_t i = 0; i < length; i++) stream.push(shape.entries + i);
    stream.found_ = false;
    return stream;
}

void Stream::push(std::uint64_t number) {
    const std::size_t start = keys_.size();
    keys_.resize(start + shape_.key_len);
    for (std::size_t at = 0; at < shape_.key_len; at += sizeof(std::uint64_t)) {
        const std::uint64_t part = mix(number * 64 + at / sizeof part);
        std::memcpy(&keys_[start + at], &part, std::min(sizeof part, shape_.key_len - at));
    }
    words_.push_back(word(number));
}

void Stream::mix_writes(std::size_t each, std::uint64_t seed) {
    Random random(seed);
    writes_.resize(length());
    for (std::uint8_t &write : writes_) write = random.below(each) == 0;
}

bench_work Stream::work(std::size_t from, std::size_t count, const Scratch &scratch) const {
    return {keys_.data() + from * shape_.key_len,
            shape_.key_len,
            count,
            words_.data() + from,
            writes_.empty() ? nullptr : writes_.data() + from,
            scratch.value(),
            shape_.value_len,
            scratch.buffer()};
}

std::uint64_t Stream::expected(std::size_t from, std::size_t count) const {
    std::uint64_t sum = 0;
    for (std::size_t i = from; found_ && i < from + count; i++)
        if (writes_.empty() || !writes_[i]) sum += words_[i];
    return sum;
}

}  // namespace bench
