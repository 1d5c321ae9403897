// The command line.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "analysis.hpp"

namespace iit {

struct Options {
    std::string network;      // the path of the file to read
    bool json = false;
    bool help = false;
    std::string redis_url;       // the URL of the server; empty: as in the environment
    std::vector<Settings> runs;  // the analyses, in order
};

// An error in the command line; what() is one line.
struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

Options parse_options(const std::vector<std::string>& arguments);

const char* usage();

}  // namespace iit
