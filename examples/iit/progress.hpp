// A progress bar on standard error; only on a terminal, and only after one second.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>

namespace iit {

class Progress {
  public:
    // `step_name` is what is counted ("cut"), `total` the number of steps, `where` what is added ("run 2 of 3").
    Progress(std::string step_name, std::size_t total, std::string where);
    ~Progress();  // erases the bar

    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void step();  // any thread

  private:
    using Clock = std::chrono::steady_clock;

    void draw(Clock::time_point now);

    std::mutex mutex_;
    const std::string step_name_;
    const std::size_t total_;
    const std::string where_;
    std::size_t done_ = 0;
    const bool terminal_;
    bool drawn_ = false;
    const Clock::time_point start_;
    Clock::time_point next_;
};

// Says on standard error, if it is a terminal, what takes long before the first bar.
void announce(const std::string& what);

}  // namespace iit
