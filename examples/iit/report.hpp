// The output of the program: text, or one JSON object.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "analysis.hpp"

namespace iit {

// One analysis and its use of caches.
struct Run {
    Settings settings;
    Result result;
};

// Prints the analysis, the time and caches of every run, and the savings compared with the first run.
void print_text(std::ostream& out, const std::string& path, const Network& network, const std::vector<Run>& runs);

void print_json(std::ostream& out, const Run& run);

}  // namespace iit
