// The whole analysis of a network: the cause-effect structure of the uncut subsystem, then every system cut.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "system.hpp"

namespace iit {

struct EvaluatedCut {
    Cut cut;
    double phi = 0;  // the sum of small phi of the uncut structure minus that of the structure under the cut
};

struct Result {
    std::vector<Mice> mice;  // cause and effect of every mechanism, mechanisms by size
    std::vector<EvaluatedCut> cuts;
    double phi = 0;
    double seconds = 0;
    double cpu_seconds = 0;  // of all threads; on a busy machine it says more
    Computed computed;
    std::vector<CacheUse> caches;
    std::optional<RedisUse> redis;  // empty if Redis is not used
    std::optional<DiskUse> disk;    // empty if no files are used
};

// `where` is added to the progress bar: "run 2 of 3".
Result analyse(const Network& network, const Settings& settings, const std::string& where);

}  // namespace iit
