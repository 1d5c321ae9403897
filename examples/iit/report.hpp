// What the program prints: text for people, or one JSON object for programs.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "analysis.hpp"

namespace iit {

// One analysis and the way it was cached.
struct Run {
    Caching caching;
    Result result;
};

// The analysis itself, then time and caches of every run, and what caching saved against the first run.
void print_text(std::ostream& out, const std::string& path, const Network& network, const std::vector<Run>& runs);

void print_json(std::ostream& out, const Run& run);

}  // namespace iit
