// phicache in C++: a cache of repertoires, and a memoized function.

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
        for (double p : pinned.view<double>()) std::printf("%g ", p);
        std::puts("");
    }

    int computed = 0;
    phicache::memo distance([&](double p, double q) {
        ++computed;
        return std::fabs(p - q);
    });
    std::printf("%g %g\n", distance(0.25, 0.75), distance(0.25, 0.75));
    return computed == 1 && repertoires.info().hits == 1 ? 0 : 1;
}
