// The command line.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "analysis.hpp"

namespace iit {

// One analysis that the command line asks for.
struct Plan {
    std::string name;
    Settings settings;
    int processes = 0;      // the number of new processes, which find only what is shared; 0: in this process
    std::string directory{};  // of files, an absolute path; empty: as in the environment
};

// The name of the analysis in the comparison that finds its results on disk.
constexpr const char* kSecondRun = "on disk, second run";

struct Options {
    std::string network;  // the path of the file to read
    bool json = false;
    bool help = false;
    bool force = false;      // analyze a network however long it takes
    std::string redis_url;   // the URL of the server; empty: as in the environment
    std::vector<Plan> plans;  // the analyses, in order; several are compared
};

// An error in the command line; what() is one line.
struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

Options parse_options(const std::vector<std::string>& arguments);

const char* usage();

}  // namespace iit
