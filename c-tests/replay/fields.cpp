// fields.cpp: see fields.hpp.
#include "fields.hpp"

#include <charconv>
#include <cstdlib>

#include "phicache.h"

namespace replay {

namespace {

template <typename Number>
Number read_number(std::string_view text, int base, const char *expected) {
    Number number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (error != std::errc() || end != text.data() + text.size())
        throw Malformed("\"" + std::string(text) + "\" is not " + expected);
    return number;
}

}  // namespace

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> pieces;
    for (;;) {
        const std::size_t end = text.find(separator);
        pieces.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return pieces;
        text.remove_prefix(end + 1);
    }
}

std::uint64_t number(std::string_view text) { return read_number<std::uint64_t>(text, 10, "a number"); }

std::int32_t small(std::string_view text) { return read_number<std::int32_t>(text, 10, "a small number"); }

NodeMask hexadecimal(std::string_view text) { return read_number<NodeMask>(text, 16, "a mask of at most 64 nodes"); }

double real(std::string_view text) {
    const std::string copy(text);
    char *end = nullptr;
    const double value = std::strtod(copy.c_str(), &end);
    if (copy.empty() || *end != '\0') throw Malformed("\"" + copy + "\" is not a real number");
    return value;
}

std::vector<std::uint8_t> hex_bytes(std::string_view text) {
    if (text.size() % 2 != 0) throw Malformed("odd number of hexadecimal digits");
    std::vector<std::uint8_t> bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2)
        bytes.push_back(read_number<std::uint8_t>(text.substr(i, 2), 16, "a byte in hexadecimal"));
    return bytes;
}

NodeMask nodes(std::string_view text) {
    NodeMask mask = 0;
    if (text == "-") return mask;
    for (const std::string_view index : split(text, ',')) {
        const std::uint64_t node = number(index);
        if (node > 63) throw Malformed("node " + std::string(index) + "; at most 64 nodes fit a mask");
        mask |= NodeMask{1} << node;
    }
    return mask;
}

std::int32_t direction(std::string_view text) {
    if (text == "CAUSE") return PHICACHE_CAUSE;
    if (text == "EFFECT") return PHICACHE_EFFECT;
    throw Malformed("direction \"" + std::string(text) + "\" is neither CAUSE nor EFFECT");
}

bool flag(std::string_view text) {
    if (text != "0" && text != "1") throw Malformed("\"" + std::string(text) + "\" is neither 0 nor 1");
    return text == "1";
}

std::vector<NodeMask> rows(std::string_view text, std::size_t size) {
    std::vector<NodeMask> masks;
    for (const std::string_view row : split(text, ',')) masks.push_back(hexadecimal(row));
    if (masks.size() != size)
        throw Malformed(std::to_string(masks.size()) + " masks for " + std::to_string(size) + " nodes");
    return masks;
}

}  // namespace replay
