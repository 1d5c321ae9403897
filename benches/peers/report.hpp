// report.hpp: the output: tables on standard output, all figures as JSON.
#pragma once

#include <string>
#include <vector>

#include "rounds.hpp"
#include "workload.hpp"

namespace bench {

// What was measured.
struct Subject {
    std::string work, form;  // such as "hit", "counted"
    Shape shape;             // zeros if there is no table
    std::string unit;        // such as "ns"
    int digits;              // after the decimal point
};

struct Name {
    std::string name;
    bool thread_safe;
};

class Report {
public:
    // The contenders' figures, and the ratio of the first one's to each other's.
    void add(const Subject &subject, const std::vector<Name> &names, const Rounds &rounds);
    // A line on standard output only.
    void note(const std::string &text);
    // Throws std::runtime_error if the file cannot be written.
    void write_json(const std::string &file, const std::string &machine) const;

private:
    std::vector<std::string> rows_;
};

}  // namespace bench
