#include "watchdog.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <set>

namespace stress {

namespace {

constexpr unsigned patience = 300;  // seconds

std::mutex lock;
std::set<Watched *> watched;

}  // namespace

Watched::Watched() {
    const std::lock_guard<std::mutex> guard(lock);
    watched.insert(this);
}

Watched::~Watched() {
    const std::lock_guard<std::mutex> guard(lock);
    watched.erase(this);
}

Watchdog::Watchdog()
    : thread_([this] {
          std::unique_lock<std::mutex> guard(lock_);
          while (!ended_.wait_for(guard, std::chrono::seconds(1), [this] { return end_; })) look();
      }) {}

Watchdog::~Watchdog() {
    {
        const std::lock_guard<std::mutex> guard(lock_);
        end_ = true;
    }
    ended_.notify_one();
    thread_.join();
}

void Watchdog::look() {
    const std::lock_guard<std::mutex> guard(lock);
    bool hangs = false;
    for (Watched *thread : watched) {
        const unsigned long steps = thread->steps_.load(std::memory_order_relaxed);
        thread->idle_ = steps == thread->seen_ ? thread->idle_ + 1 : 0;
        thread->seen_ = steps;
        hangs = hangs || thread->idle_ >= patience;
    }
    if (!hangs) return;
    for (Watched *thread : watched)
        std::fprintf(stderr, "a thread has been for %u s in %s of %s, key %u\n", thread->idle_,
                     thread->what_.load(), thread->where_.load(), thread->key_.load());
    std::fprintf(stderr, "HANGS: a thread has made no progress for %u seconds\n", patience);
    std::abort();
}

}  // namespace stress
