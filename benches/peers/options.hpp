// options.hpp: what the command line says.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace bench {

struct Options {
    std::vector<std::string> only;   // names of works; none is all
    std::vector<std::string> peers;  // parts of peers' names; none is all
    std::string json;                // where to write all figures, too
    std::size_t rounds = 31;         // of every interleaved measurement
    double slice_ms = 2;             // how long one contender is measured in one round
    std::size_t large = 1'000'000;   // entries of the large table
    std::size_t growth = 10'000'000; // entries of the table that grows
    bool quick = false;

    bool wants_peer(const std::string &name) const;
};

// Reads the command line; `works` are the names that --only takes. Throws std::invalid_argument with one line.
Options read_options(int argc, char **argv, const std::vector<std::string> &works);

}  // namespace bench
