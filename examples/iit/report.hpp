// The output of the program: text, or one JSON object.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "analysis.hpp"
#include "options.hpp"

namespace iit {

// One analysis, as planned and done.
struct Run {
    Plan plan;
    Result result;
};

// Prints the analysis, and what caches saved. One run: the use of each cache. Several: a table that compares them, and
// what to run next with `program`.
void print_text(std::ostream& out, const std::string& program, const std::string& path, const Network& network,
                const std::vector<Run>& runs);

void print_json(std::ostream& out, const Run& run);

// The result that print_json printed. Throws a std::runtime_error if the text is another.
Result read_json(const std::string& text);

}  // namespace iit
