// Several processes share results in Redis: what one has computed, the others fetch, and two never compute the same.
//
// processes.sh starts a server and runs this program three times. To use a server that runs already, set its address:
//
//     PHICACHE_REDIS_URL=redis://localhost:6379 build/examples/processes_cpp

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <phicache.hpp>
#include <vector>

namespace {

constexpr int numbers = 40;

// Stands for hours of work.
double expensive(int n) {
    double sum = 0;
    for (int i = 1; i <= 10000 * n; ++i) sum += 1.0 / i;
    return sum;
}

}  // namespace

int main(int, char** arguments) try {
    // By default a failing server causes misses, and every process goes on alone. This program waits for a slow server
    // for a minute instead of a second. Without a server it ends and says why.
    phicache::config_ref().set_redis_timeout(std::chrono::minutes(1));
    phicache::redis_ping();

    // Processes share the values that they store under the same identity and role. The identity says which network the
    // values are about and how they are computed: change its text whenever the same key would get another value.
    const std::vector<phicache::node_set> connections{{1}, {0}};
    const std::vector<double> tpm{0, 0, 0, 1, 1, 0, 1, 1};  // two nodes that copy each other: a row for each state
    const auto identity = phicache::fingerprint::of_network(tpm, connections, "examples/processes.cpp, version 1");

    // A process that misses a value takes a lease on it, and the others wait. The lease is longer than any computation;
    // if a process dies, another computes the value when the lease has expired.
    phicache::cache_options options;
    options.lease = std::chrono::minutes(10);
    phicache::redis_cache cache = phicache::redis_cache::shared(identity, "harmonic", options);

    // Each process begins at another key, so that they divide the work. Each asks for all keys.
    int computed = 0;
    const int first = arguments[1] != nullptr ? std::atoi(arguments[1]) : 0;
    for (int i = 0; i < numbers; ++i) {
        const int n = (first + i) % numbers + 1;
        cache.memoize<double>(phicache::key::of(n), [&] {
            ++computed;
            return expensive(n);
        });
    }
    std::printf("%d answers, %d computed\n", numbers, computed);
} catch (const phicache::error& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
}
