// A progress bar on standard error; only on a terminal, and only after one second.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>

namespace iit {

class Progress {
  public:
    // `label` describes the work, `total` is its number of steps.
    Progress(std::string label, std::size_t total);
    ~Progress();  // erases the bar

    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void step();  // any thread

  private:
    using Clock = std::chrono::steady_clock;

    void draw();

    std::mutex mutex_;
    std::string label_;
    std::size_t total_;
    std::size_t done_ = 0;
    bool terminal_;
    bool drawn_ = false;
    Clock::time_point next_;
};

}  // namespace iit
