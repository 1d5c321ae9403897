// A pure function with its cache in C++: a memo.
//
// A memo is for a function whose result depends on its arguments alone. A call makes a key of the arguments and looks
// it up; the function runs only on a miss.
//
// It prints
//
//     the distance is 0.5
//     the distance is 0.5
//     cannot compute it: p and q have different lengths
//     the mean of 0.25 and 0.5 is 0.375
//     computed 1 time: 1 hit, 2 misses, 1 value

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <phicache.hpp>
#include <stdexcept>
#include <vector>

namespace {

// A type of the program as an argument: how its values are part of a key. The name keeps them apart from other types.
enum class norm { l1, maximum };
void add_to_key(phicache::key& key, norm kind) { key.add_named("norm", static_cast<int>(kind)); }

int computed = 0;

double distance(const std::vector<double>& p, const std::vector<double>& q, norm kind) {
    if (p.size() != q.size()) throw std::invalid_argument("p and q have different lengths");
    ++computed;
    double sum = 0, largest = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
        const double difference = std::fabs(p[i] - q[i]);
        sum += difference;
        largest = std::fmax(largest, difference);
    }
    return kind == norm::l1 ? sum : largest;
}

// A function that returns an array writes it straight into the cache's memory: its first parameter is a result.
void mean(phicache::result& out, const std::vector<double>& p, const std::vector<double>& q) {
    const auto written = out.reserve<double>(p.size());
    for (std::size_t i = 0; i < p.size(); ++i) written[i] = (p[i] + q[i]) / 2;
}

}  // namespace

int main() {
    const std::vector<double> p{0.25, 0.75}, q{0.5, 0.5}, three{0.25, 0.25, 0.5};
    const phicache::memo memoized(distance);  // its signature is that of the function
    for (int i = 0; i < 2; ++i) std::printf("the distance is %g\n", memoized(p, q, norm::l1));

    // An exception of the function reaches the caller unchanged, and nothing is cached.
    try {
        memoized(p, three, norm::l1);
    } catch (const std::invalid_argument& failure) {
        std::printf("cannot compute it: %s\n", failure.what());
    }

    // The value stays in the cache and is read there. It is pinned, so it is valid as long as `middle`.
    const phicache::memo memoized_mean(mean);
    const phicache::value middle = memoized_mean(p, q);
    std::printf("the mean of %g and %g is %g\n", p[0], q[0], middle.view<double>()[0]);

    const phicache_info info = memoized.info();
    std::printf("computed %d time: %d hit, %d misses, %d value\n", computed, static_cast<int>(info.hits),
                static_cast<int>(info.misses), static_cast<int>(info.size));
}
