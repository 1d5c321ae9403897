// A loop over many cached values: a reader looks them up for one thread in one cache.
//
// The first pass computes the distance of every two states; ten more read them in a loop that does little else.
//
// It prints
//
//     10 passes over 4950 distances, 4950 computed
//     49500 hits, 4950 misses
//     the mean distance is 33.3333

#include <array>
#include <cstdio>
#include <optional>
#include <phicache.hpp>

namespace {

constexpr int states = 100, passes = 10;

int computed = 0;

// Stands for a function that takes long, such as the earth mover's distance.
double distance(const std::array<int, 2>& pair) {
    ++computed;
    const int x = pair[0] / 10 - pair[1] / 10, y = pair[0] % 10 - pair[1] % 10;
    return x * x + y * y;
}

}  // namespace

int main() {
    phicache::dict_cache cache;
    double sum = 0;
    for (int pass = 0; pass <= passes; ++pass) {
        // A reader finds the cache and its thread's record once, not in each of the lookups that follow.
        phicache::reader reader = cache.reader();
        sum = 0;
        for (int i = 0; i < states; ++i) {
            for (int j = 0; j < i; ++j) {
                const std::array<int, 2> pair{i, j};
                const std::optional<double> found = reader.get<double>(pair);
                // The reader has counted the miss; `set` counts none.
                const double value = found ? *found : distance(pair);
                if (!found) cache.set(pair, value);
                sum += value;
            }
        }
    }
    const phicache_info figures = cache.info();
    std::printf("%d passes over %d distances, %d computed\n", passes, static_cast<int>(figures.size), computed);
    std::printf("%d hits, %d misses\n", static_cast<int>(figures.hits), static_cast<int>(figures.misses));
    std::printf("the mean distance is %.4f\n", sum / static_cast<double>(figures.size));
    return 0;
}
