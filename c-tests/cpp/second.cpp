/// second.cpp: the second of two units; see first.cpp.
#include "two_units.hpp"

squares make_squares() {
    return squares([](int n) { return static_cast<double>(n) * n; });
}

std::optional<phicache::value> find(phicache::dict_cache& cache, const phicache::key_bytes& key) {
    shared_lookup(cache, 3);
    return cache.get(key);
}

void fail(phicache::dict_cache& cache, const std::string& words) {
    cache.memoize("fail", [&]() -> int {
        if (words.empty()) cache.get(phicache::bytes(nullptr, 1));
        throw words;
    });
}
