#include "machine.hpp"

#include <malloc.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

namespace bench {

std::int64_t now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

const std::vector<int> &cores() {
    static const std::vector<int> allowed = [] {
        cpu_set_t set;
        std::vector<int> found;
        if (sched_getaffinity(0, sizeof set, &set) != 0) throw std::runtime_error("the cores cannot be listed");
        for (int core = 0; core < CPU_SETSIZE; core++)
            if (CPU_ISSET(core, &set)) found.push_back(core);
        return found;
    }();
    return allowed;
}

void pin(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        throw std::runtime_error("core " + std::to_string(core) + " is not available to this process");
}

std::int64_t run_together(std::size_t threads, const std::function<void(std::size_t)> &prepare,
                          const std::function<void(std::size_t)> &body) {
    std::atomic<std::size_t> ready{0};
    std::atomic<bool> go{false};
    std::vector<std::int64_t> starts(threads), ends(threads);
    std::vector<std::thread> running;
    for (std::size_t thread = 0; thread < threads; thread++)
        running.emplace_back([&, thread] {
            pin(cores()[thread % cores().size()]);
            prepare(thread);
            ready++;
            while (!go.load(std::memory_order_acquire)) sched_yield();
            starts[thread] = now();
            body(thread);
            ends[thread] = now();
        });
    while (ready.load() < threads) sched_yield();
    go.store(true, std::memory_order_release);
    for (std::thread &thread : running) thread.join();
    return *std::max_element(ends.begin(), ends.end()) - *std::min_element(starts.begin(), starts.end());
}

std::int64_t resident() {
    std::ifstream file("/proc/self/statm");
    std::int64_t total = 0, pages = 0;
    file >> total >> pages;
    return pages * sysconf(_SC_PAGESIZE);
}

// A figure in kilobytes of one of the system's lists; in bytes, 0 if it is not there.
static std::int64_t figure(const char *path, const std::string &wanted) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
        if (line.compare(0, wanted.size(), wanted) == 0) return std::stoll(line.substr(wanted.size())) * 1024;
    return 0;
}

std::int64_t in_large_pages() { return figure("/proc/self/smaps_rollup", "AnonHugePages:"); }

std::int64_t available() { return figure("/proc/meminfo", "MemAvailable:"); }

std::int64_t allocated() {
    const struct mallinfo2 info = mallinfo2();
    return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
}

std::vector<double> in_child(const std::function<std::vector<double>()> &body) {
    int ends[2];
    std::fflush(nullptr);
    if (pipe(ends) != 0) throw std::runtime_error("pipe failed");
    const pid_t child = fork();
    if (child < 0) throw std::runtime_error("fork failed");
    if (child == 0) {
        close(ends[0]);
        const std::vector<double> answer = body();
        const auto size = static_cast<ssize_t>(answer.size() * sizeof(double));
        _exit(write(ends[1], answer.data(), static_cast<std::size_t>(size)) == size ? 0 : 1);
    }
    close(ends[1]);
    std::vector<double> answer;
    for (double number; read(ends[0], &number, sizeof number) == sizeof number;) answer.push_back(number);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) throw std::runtime_error("a child process failed; is there enough memory?");
    return answer;
}

}  // namespace bench
