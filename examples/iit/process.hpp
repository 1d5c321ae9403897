// An analysis in a process of its own, which knows nothing but what is in Redis.
#pragma once

#include <string>

#include "analysis.hpp"

namespace iit {

// Runs this program again on the network file and reads its report. `redis_url` is empty for the environment's.
Result analyse_in_new_process(const std::string& path, const std::string& redis_url, const Settings& settings);

}  // namespace iit
