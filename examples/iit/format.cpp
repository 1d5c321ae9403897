#include "format.hpp"

#include <algorithm>

namespace iit {

std::string list_of(NodeSet nodes) {
    std::string list;
    for_each_node(nodes, [&](int node) { list += (list.empty() ? "" : ",") + std::to_string(node); });
    return list;
}

std::string grouped(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
    return digits;
}

std::string phi_text(double phi) {
    std::string text = format("%.6f", phi + 0.0);  // adding 0 turns -0 into 0
    text.erase(std::max(text.find_last_not_of('0') + 1, text.find('.') + 2));
    return text;
}

std::string duration_text(double seconds) {
    if (seconds < 1) return format("%.3f seconds", seconds);
    if (seconds < 10) return format("%.1f seconds", seconds);
    if (seconds < 120) return format("%.0f seconds", seconds);
    if (seconds < 2 * 3600) return format("%.0f minutes", seconds / 60);
    if (seconds < 2 * 86400) return format("%.0f hours", seconds / 3600);
    if (seconds < 100 * 365.0 * 86400) return grouped(static_cast<std::uint64_t>(seconds / 86400)) + " days";
    return "more than a century";
}

}  // namespace iit
