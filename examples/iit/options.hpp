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
    std::string redis_url;      // where the server is; empty: where the environment says
    std::vector<Caching> runs;  // the analyses to do, one after the other
};

// A command line that makes no sense; what() is one line.
struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

Options parse_options(const std::vector<std::string>& arguments);

const char* usage();

}  // namespace iit
