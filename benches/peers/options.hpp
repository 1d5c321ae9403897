// options.hpp: the command line.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace bench {

struct Options {
    std::vector<std::string> only;   // names of works; empty means all
    std::vector<std::string> peers;  // parts of peers' names; empty means all
    std::string json;                // the file for all figures
    std::size_t rounds = 31;         // of every interleaved measurement
    double slice_ms = 2;             // the time of one contender in one round
    std::size_t large = 1'000'000;   // entries of the large table
    std::size_t growth = 10'000'000; // entries of the table that grows
    bool quick = false;

    bool wants_peer(const std::string &name) const;
};

// Reads the command line; `works` are the names that --only takes. Throws std::invalid_argument with one line.
Options read_options(int argc, char **argv, const std::vector<std::string> &works);

}  // namespace bench
