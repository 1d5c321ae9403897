// fields.hpp: parses the fields of one line of a recorded trace or of the table of damage by cuts.
//
// Fields are separated by one space. Node lists are `0,2,3`, or `-` for none; masks are hexadecimal. A malformed field
// throws Malformed, with its position; the programs print it as one line and exit with status 2.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace replay {

struct Malformed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

using NodeMask = std::uint64_t;

// The pieces of `text` between separators; empty text is one empty piece.
std::vector<std::string_view> split(std::string_view text, char separator);

std::uint64_t number(std::string_view text);   // decimal
std::int32_t small(std::string_view text);     // decimal, perhaps negative
double real(std::string_view text);
NodeMask hexadecimal(std::string_view text);
std::vector<std::uint8_t> hex_bytes(std::string_view text);
NodeMask nodes(std::string_view text);
std::int32_t direction(std::string_view text); // CAUSE or EFFECT, as the C API numbers them
bool flag(std::string_view text);              // 0 or 1
std::vector<NodeMask> rows(std::string_view text, std::size_t size);

}  // namespace replay
