// watchdog.hpp: ends the program when one of its threads makes no progress.
//
// Every thread announces each call of the library by `enter`. A thread that has been in the same call for five minutes
// hangs, whatever the others do.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace stress {

class Watched {
public:
    Watched();
    ~Watched();
    Watched(const Watched &) = delete;
    Watched &operator=(const Watched &) = delete;

    // What this thread does now. Both texts must outlive the thread.
    void enter(const char *what, const char *where, unsigned key) {
        what_.store(what, std::memory_order_relaxed);
        where_.store(where, std::memory_order_relaxed);
        key_.store(key, std::memory_order_relaxed);
        steps_.fetch_add(1, std::memory_order_relaxed);
    }

private:
    friend class Watchdog;

    std::atomic<const char *> what_{"its beginning"}, where_{"the program"};
    std::atomic<unsigned> key_{0};
    std::atomic<unsigned long> steps_{0};
    unsigned long seen_ = 0;  // by the watchdog, as is the next
    unsigned idle_ = 0;
};

// Watches all `Watched` threads during its lifetime.
class Watchdog {
public:
    Watchdog();
    ~Watchdog();
    Watchdog(const Watchdog &) = delete;
    Watchdog &operator=(const Watchdog &) = delete;

private:
    static void look();

    std::mutex lock_;
    std::condition_variable ended_;
    bool end_ = false;
    std::thread thread_;
};

}  // namespace stress
