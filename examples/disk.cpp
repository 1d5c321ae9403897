// Results that outlive the process, in files. disk.sh runs this twice, and says what it prints.
//
//     disk_cpp COUNT
//
// A disk cache has a context: what its values are and how they are computed. It ends with a version. When the code
// changes so that results change, change the version: the new program then does not read values of the old one.

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <phicache.hpp>
#include <thread>
#include <vector>

namespace {

// Expensive, at least in an example: the entropy of a distribution, in bits.
double entropy(const std::vector<double>& weights) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    double sum = 0, bits = 0;
    for (const double weight : weights) sum += weight;
    for (const double weight : weights)
        if (weight > 0) bits -= weight / sum * std::log2(weight / sum);
    return bits;
}

}  // namespace

int main(int argc, char** argv) try {
    const int count = argc > 1 ? std::atoi(argv[1]) : 20;
    // The directory is PHICACHE_DISK_DIRECTORY, or below the user's cache directory.
    const phicache::disk_cache entropies("entropy of a distribution, bits, version 1");
    int computed = 0;
    double total = 0;
    for (int number = 0; number < count; ++number) {
        const std::vector<double> weights{1, 1.0 + number, 2.0 * number};
        total += entropies.memoize<double>(weights, [&] { return ++computed, entropy(weights); });
    }
    std::printf("%d answers, %d computed, %.3f bits\n", count, computed, total);

    // If the program is killed, the operating system has all values. This protects them from a power cut too.
    entropies.sync();
} catch (const phicache::error& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
}
