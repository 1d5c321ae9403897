// report.hpp: where figures go: a table on standard output, and all of them as JSON.
#pragma once

#include <string>
#include <vector>

#include "rounds.hpp"
#include "workload.hpp"

namespace bench {

// What was measured.
struct Subject {
    std::string work, form;  // such as "hit", "counted"
    Shape shape;             // zeros where there is no table
    std::string unit;        // such as "ns"
    int digits;              // behind the point
};

struct Name {
    std::string name;
    bool thread_safe;
};

class Report {
public:
    // The contenders' figures, and the ratio of the first one's to each other's.
    void add(const Subject &subject, const std::vector<Name> &names, const Rounds &rounds);
    // A line for the reader only.
    void note(const std::string &text);
    // Throws std::runtime_error when the file cannot be written.
    void write_json(const std::string &file, const std::string &machine) const;

private:
    std::vector<std::string> rows_;
};

}  // namespace bench
