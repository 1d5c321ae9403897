#include "progress.hpp"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include "format.hpp"

namespace iit {
namespace {

constexpr auto kPatience = std::chrono::seconds(1);
constexpr auto kInterval = std::chrono::milliseconds(100);
constexpr std::size_t kWidth = 12;

bool on_terminal() { return isatty(STDERR_FILENO) == 1; }

}  // namespace

Progress::Progress(std::string step_name, std::size_t total, std::string where)
    : step_name_(std::move(step_name)), total_(total), where_(std::move(where)), terminal_(on_terminal()),
      start_(Clock::now()), next_(start_ + kPatience) {}

Progress::~Progress() {
    if (drawn_) std::fputs("\r\033[K", stderr);
}

void Progress::step() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++done_;
    const Clock::time_point now = Clock::now();
    if (!terminal_ || now < next_) return;
    next_ = now + kInterval;
    draw(now);
}

void Progress::draw(Clock::time_point now) {
    const std::size_t filled = kWidth * done_ / total_;
    const std::string bar = std::string(filled, '#') + std::string(kWidth - filled, '.');
    const double elapsed = std::chrono::duration<double>(now - start_).count();
    const double remaining = elapsed / static_cast<double>(done_) * static_cast<double>(total_ - done_);
    const std::string run = where_.empty() ? "" : ", " + where_;
    std::fprintf(stderr, "\r\033[K[%s] %s %zu of %zu%s; %s, %s left", bar.c_str(), step_name_.c_str(), done_, total_,
                 run.c_str(), duration_text(elapsed).c_str(), duration_text(remaining).c_str());
    std::fflush(stderr);
    drawn_ = true;
}

void announce(const std::string& what) {
    if (on_terminal()) std::fprintf(stderr, "%s\n", what.c_str());
}

}  // namespace iit
