// Several processes share results on disk, without a server: two never compute the same, and a killed one costs little.
// processes_disk.sh runs this program several times, and says what it prints.
//
//     processes_disk_cpp FIRST
//
// The files are on one machine here. For processes on several machines, use a directory that all of them mount, and set
// options.lease to a time longer than any computation: the same on all machines.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <phicache.hpp>
#include <thread>

namespace {

constexpr int numbers = 40;

// Stands for hours of work.
double expensive(int n) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    double sum = 0;
    for (int i = 1; i <= 1000 * n; ++i) sum += 1.0 / i;
    return sum;
}

}  // namespace

int main(int argc, char** argv) try {
    // The context says what the values are and how they are computed: change its text whenever a key would get another
    // value. The directory is PHICACHE_DISK_DIRECTORY, or below the user's cache directory.
    const phicache::disk_cache sums("harmonic sums, examples/processes_disk.cpp, version 1");

    // Each process begins at another key, so that they divide the work. Each asks for all keys. If another process
    // computes a key, memoize waits for its value; if that process is killed, memoize computes.
    const int first = argc > 1 ? std::atoi(argv[1]) : 0;
    int computed = 0;
    for (int i = 0; i < numbers; ++i) {
        const int n = (first + i) % numbers + 1;
        sums.memoize<double>(phicache::key::of(n), [&] { return ++computed, expensive(n); });
    }
    std::printf("%d answers, %d computed\n", numbers, computed);
} catch (const phicache::error& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
}
