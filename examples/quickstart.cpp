// phicache in C++: a cache of repertoires, and a memoized function.
//
// It prints
//
//     computing
//     0.25 0.75
//     0.25 0.75
//     0.5 0.5
//     the distance was computed 1 time

#include <cmath>
#include <cstdio>
#include <phicache.hpp>
#include <vector>

int main() {
    phicache::dict_cache repertoires;
    const auto key = phicache::repertoire_key("cause_repertoire", phicache::direction::cause, {0, 1}, {2});
    for (int round = 0; round < 2; ++round) {
        phicache::value pinned = repertoires.memoize(key, [] {
            std::puts("computing");
            return std::vector<double>{0.25, 0.75};
        });
        const auto p = pinned.view<double>();  // the cached numbers themselves, as long as `pinned` lives
        std::printf("%g %g\n", p[0], p[1]);
    }

    int computed = 0;
    phicache::memo distance([&](double p, double q) {
        ++computed;
        return std::fabs(p - q);
    });
    std::printf("%g %g\n", distance(0.25, 0.75), distance(0.25, 0.75));
    std::printf("the distance was computed %d time\n", computed);
}
