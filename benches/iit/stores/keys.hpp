// keys.hpp: the keys that all stores share: bytes, made without an allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "../analysis.hpp"

namespace store {

using bench::Cut;
using bench::Direction;
using bench::Mice;
using bench::NodeSet;

// A network has at most 20 nodes, so the direction fits beside the mechanism.
inline NodeSet with_direction(Direction direction, NodeSet mechanism) {
    return mechanism | static_cast<NodeSet>(direction) << 63;
}

// The key of an array: 16 bytes.
struct ArrayKey {
    ArrayKey(Direction direction, NodeSet from, NodeSet to) : mechanism(with_direction(direction, from)), purview(to) {}

    NodeSet mechanism;
    NodeSet purview;
};

// The key of a MICE: 8 bytes.
struct MiceKey {
    MiceKey(Direction direction, NodeSet of) : mechanism(with_direction(direction, of)) {}

    NodeSet mechanism;
};

template <class Key>
std::string_view view(const Key& key) {
    return {reinterpret_cast<const char*>(&key), sizeof key};
}

// The key of a distance: both arrays, one after the other, in a buffer that is used again.
class Joined {
  public:
    std::string_view join(const double* p, const double* q, std::size_t size) {
        const std::size_t bytes = size * sizeof(double);
        if (capacity_ < 2 * bytes) {
            capacity_ = 2 * bytes;
            buffer_.reset(new char[capacity_]);
        }
        std::memcpy(buffer_.get(), p, bytes);
        std::memcpy(buffer_.get() + bytes, q, bytes);
        return {buffer_.get(), 2 * bytes};
    }

  private:
    std::unique_ptr<char[]> buffer_;
    std::size_t capacity_ = 0;
};

}  // namespace store
