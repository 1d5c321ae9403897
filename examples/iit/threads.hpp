// Divides work among threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace iit {

// Calls work(worker, index) for each index below `count`, on one thread for each worker; one of them is this thread.
// Each thread takes the next index when it is done with one. The first exception ends the work and is passed on.
template <class Worker, class Work>
void divide(std::vector<Worker>& workers, std::size_t count, const Work& work) {
    std::atomic<std::size_t> next = 0;
    std::mutex mutex;
    std::exception_ptr failure;
    const auto take = [&](Worker& worker) noexcept {
        try {
            for (std::size_t index = next++; index < count; index = next++) work(worker, index);
        } catch (...) {
            next = count;
            const std::lock_guard<std::mutex> lock(mutex);
            if (!failure) failure = std::current_exception();
        }
    };
    std::vector<std::thread> others;
    try {
        for (std::size_t i = 1; i < workers.size() && i < count; ++i) others.emplace_back(take, std::ref(workers[i]));
    } catch (...) {
        next = count;
        failure = std::current_exception();
    }
    take(workers.front());
    for (std::thread& other : others) other.join();
    if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
}

}  // namespace iit
