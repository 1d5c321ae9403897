// One cache for many threads: the first to ask for a value computes it, the others wait for it.
//
// If several threads ask for a missing key, one of them computes its value and the others wait for it (single flight).
// No lock is held while the function runs, so threads compute different keys at the same time, and it may ask the cache
// for other keys.
//
// It prints
//
//     8 threads asked 800 times
//     100 values were computed
//     700 hits, 100 misses

#include <atomic>
#include <cstdio>
#include <phicache.hpp>
#include <thread>
#include <vector>

namespace {

constexpr int threads = 8, numbers = 100;

std::atomic<int> computed{0};

// Expensive enough that threads meet: the number of steps until the Collatz sequences of all numbers up to n reach 1.
int steps(int n) {
    ++computed;
    int count = 0;
    for (int start = 1; start <= 10 * n; ++start) {
        for (long long at = start; at != 1; at = at % 2 == 0 ? at / 2 : 3 * at + 1) ++count;
    }
    return count;
}

}  // namespace

int main() {
    phicache::dict_cache cache;
    std::atomic<int> asked{0}, wrong{0};

    // All threads ask for the same keys in the same order, so they keep asking for one that is being computed.
    const auto work = [&] {
        for (int n = 1; n <= numbers; ++n) {
            const auto compute = [n] { return steps(n); };
            const phicache::value found = cache.memoize(phicache::bytes_of(n), compute);
            ++asked;
            // The value is pinned: it stays valid until `found` is destroyed, even if another thread clears the cache.
            if (found.as<int>() <= 0) ++wrong;
        }
    };
    std::vector<std::thread> running;
    for (int i = 0; i < threads; ++i) running.emplace_back(work);
    for (std::thread& thread : running) thread.join();

    // A thread that waited for another counts as a hit too; `waits` is how often that happened, and differs from run
    // to run.
    const phicache_stats stats = cache.stats();
    std::printf("%d threads asked %d times\n", threads, asked.load());
    std::printf("%d values were computed\n", computed.load());
    std::printf("%d hits, %d misses\n", static_cast<int>(stats.hits), static_cast<int>(stats.misses));
    return wrong == 0 ? 0 : 1;
}
