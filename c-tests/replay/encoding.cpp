// encoding.cpp: see encoding.hpp.
#include "encoding.hpp"

namespace replay {

namespace {

class Decoder {
public:
    explicit Decoder(const std::vector<std::uint8_t> &bytes) : bytes_(bytes) {}

    std::uint8_t byte() {
        if (at_ == bytes_.size()) throw Malformed("an encoded value ends too early");
        return bytes_[at_++];
    }

    void expect(std::uint8_t tag, const char *what) {
        if (byte() != tag) throw Malformed(std::string("expected ") + what + " in an encoded value");
    }

    std::uint32_t count() {
        std::uint32_t count = 0;
        for (int shift = 0; shift < 32; shift += 8) count |= static_cast<std::uint32_t>(byte()) << shift;
        return count;
    }

    NodeMask nodes() {
        expect(0x09, "a tuple of nodes");
        NodeMask mask = 0;
        for (unsigned left = byte(); left > 0; left--) {
            const unsigned node = byte();
            if (node > 63 || mask >> node != 0) throw Malformed("nodes are not ascending, or more than 64");
            mask |= NodeMask{1} << node;
        }
        return mask;
    }

    void end() const {
        if (at_ != bytes_.size()) throw Malformed("bytes after the end of an encoded value");
    }

private:
    const std::vector<std::uint8_t> &bytes_;
    std::size_t at_ = 0;
};

}  // namespace

void decode_purview_key(Key &key) {
    Decoder decoder(key.bytes);
    decoder.expect(0x07, "a tuple");
    if (decoder.count() != 3) throw Malformed("the key of a purview cache is not (None, direction, mechanism)");
    decoder.expect(0x00, "None");
    decoder.expect(0x06, "a direction");
    key.direction = decoder.byte();
    key.mechanism = decoder.nodes();
    decoder.end();
}

void decode_purviews(Value &value) {
    Decoder decoder(value.bytes);
    value.purviews.emplace();
    if (value.bytes == std::vector<std::uint8_t>{0x09, 0x00}) return;  // so is an empty list written
    decoder.expect(0x07, "a list");
    for (std::uint32_t left = decoder.count(); left > 0; left--) value.purviews->push_back(decoder.nodes());
    decoder.end();
}

}  // namespace replay
