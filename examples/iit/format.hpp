// Numbers and sets of nodes as text.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "nodes.hpp"

namespace iit {

template <class... Arguments>
std::string format(const char* pattern, Arguments... arguments) {
    char line[512];
    std::snprintf(line, sizeof line, pattern, arguments...);
    return line;
}

// "0,2,3"; empty for no nodes.
std::string list_of(NodeSet nodes);

// 1234567 as "1,234,567".
std::string grouped(std::uint64_t number);

// Phi with up to six decimals, without trailing zeros.
std::string phi_text(double phi);

// "2.5 seconds", "3 minutes", "40 days", "more than a century".
std::string duration_text(double seconds);

}  // namespace iit
