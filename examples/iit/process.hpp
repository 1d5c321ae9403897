// An analysis in processes of its own, which know nothing but what is in Redis or on disk.
#pragma once

#include <string>

#include "analysis.hpp"
#include "options.hpp"

namespace iit {

// Runs this program again on the network file, as many times at once as planned, and reads the reports. The result has
// the seconds of the slowest process and the sums of all counts. Processes that fail or are killed are named on
// standard error; the analysis fails only if all do. `redis_url` is empty for the environment's.
Result analyse_in_new_processes(const std::string& path, const std::string& redis_url, const Plan& plan);

// Ends this process with the one that began it, if that runs an analysis in new processes: nobody else reads its
// report.
void end_with_parent(const std::string& program);

}  // namespace iit
