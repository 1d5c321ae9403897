/// mixed_without.cpp: the unit without exceptions; see mixed.cpp. The two call each other through C.
#include <phicache.hpp>

double without_exceptions(phicache_dict_cache* cache, int n);
int failure_without_exceptions(phicache_dict_cache* cache);

double without_exceptions(phicache_dict_cache* cache, int n) {
    phicache::dict_cache borrowed(cache);
    const phicache::expected<double> made =
        borrowed.try_memoize<double>(phicache::bytes_of(n), [n]() -> phicache::expected<double> { return n * 0.5; });
    borrowed.release();
    return made ? *made : -1.0;
}

int failure_without_exceptions(phicache_dict_cache* cache) {
    phicache::dict_cache borrowed(cache);
    const auto found = borrowed.try_get<double>(phicache::bytes(nullptr, 1));
    borrowed.release();
    return static_cast<int>(found.code());
}
