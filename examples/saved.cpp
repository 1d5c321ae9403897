// A cache saved to one file, which another program loads, or reads without loading it.
//
//     saved_cpp
//
// It prints
//
//     100 values saved, with their context
//     loaded: 100 values, 0 refused, 0 damaged
//     read in place: the entropy of {1, 7, 12} is 1.188 bits, 0 computed
//     another context: refused
//
// The file can be copied to other machines and published with a paper. Its context says how the values were computed; a
// program that computes differently gives another one, and does not get them.

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <phicache.hpp>
#include <string>
#include <vector>

namespace {

constexpr const char* context = "entropy of a distribution, bits, version 1";

// Expensive, at least in an example: the entropy of a distribution, in bits.
double entropy(const std::vector<double>& weights) {
    double sum = 0, bits = 0;
    for (const double weight : weights) sum += weight;
    for (const double weight : weights)
        if (weight > 0) bits -= weight / sum * std::log2(weight / sum);
    return bits;
}

std::vector<double> distribution(int number) { return {1, 1.0 + number, 2.0 * number}; }

}  // namespace

int main() try {
    const char* folder = std::getenv("TMPDIR");
    const std::string path = std::string(folder != nullptr ? folder : "/tmp") + "/entropies-" +
                             std::to_string(getpid()) + ".phi";

    // Today: compute, and save.
    {
        const phicache::dict_cache entropies;
        for (int number = 0; number < 100; ++number) {
            const std::vector<double> weights = distribution(number);
            entropies.memoize<double>(weights, [&] { return entropy(weights); });
        }
        const auto saved = static_cast<int>(entropies.save(path, context));
        std::printf("%d values saved, with their context\n", saved);
    }

    // Tomorrow, or a colleague: load all of it into a cache, and go on.
    const phicache::dict_cache entropies;
    const phicache_load_counts counts = entropies.load(path, context);
    std::printf("loaded: %d values, %d refused, %d damaged\n", static_cast<int>(counts.loaded),
                static_cast<int>(counts.refused), static_cast<int>(counts.damaged));

    // Or leave the values in the file: they are read when they are asked for.
    const phicache::disk_cache published = phicache::disk_cache::open(path, context);
    int computed = 0;
    const std::vector<double> weights = distribution(6);
    const double bits = published.memoize<double>(weights, [&] { return ++computed, entropy(weights); });
    std::printf("read in place: the entropy of {1, 7, 12} is %.3f bits, %d computed\n", bits, computed);

    const auto refused = phicache::disk_cache::try_open(path, "entropy of a distribution, nats, version 1");
    std::printf("another context: %s\n", refused ? "accepted" : "refused");
    std::remove(path.c_str());
} catch (const phicache::error& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
}
