#include "progress.hpp"

#include <unistd.h>

#include <cstdio>
#include <utility>

namespace iit {
namespace {

constexpr auto kPatience = std::chrono::seconds(1);
constexpr auto kInterval = std::chrono::milliseconds(100);
constexpr std::size_t kWidth = 40;

}  // namespace

Progress::Progress(std::string label, std::size_t total)
    : label_(std::move(label)), total_(total), terminal_(isatty(STDERR_FILENO) == 1), next_(Clock::now() + kPatience) {}

Progress::~Progress() {
    if (drawn_) std::fputs("\r\033[K", stderr);
}

void Progress::step() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++done_;
    if (!terminal_ || Clock::now() < next_) return;
    next_ = Clock::now() + kInterval;
    draw();
}

void Progress::draw() {
    const std::size_t filled = kWidth * done_ / total_;
    std::string bar = std::string(filled, '#') + std::string(kWidth - filled, '.');
    std::fprintf(stderr, "\r\033[K%s [%s] %zu of %zu", label_.c_str(), bar.c_str(), done_, total_);
    std::fflush(stderr);
    drawn_ = true;
}

}  // namespace iit
