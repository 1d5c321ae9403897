// A small C++ program of a user, in two units that both include phicache.hpp: one finds the value that the other
// stores; a panic inside the library is a status.
#include <cstdio>
#include <phicache.hpp>

// The library's hidden test hook; not in the header.
extern "C" phicache_status phicache_test_panic(void);

double from_the_other_unit(phicache::dict_cache &cache);

int main() {
    phicache::dict_cache cache;
    cache.set("key", 0.5);
    if (phicache_test_panic() != PHICACHE_ERROR_PANIC) return 1;
    if (from_the_other_unit(cache) != 0.5) return 2;
    std::printf("phicache %s from C++\n", phicache_version());
}
