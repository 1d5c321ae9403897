// test_recursion.cpp: lambdas given to memoize nest 10,000 keys deep on a stack of 8 MiB, as released programs are
// compiled, and what the innermost of them throws comes out of the outermost.
#include "check.hpp"

#include <pthread.h>

namespace {

constexpr std::uint64_t depth = 10000;
#if defined(__OPTIMIZE__) && !defined(PHICACHE_SANITIZED)
constexpr std::size_t stack = 8 << 20;
#else
constexpr std::size_t stack = 256 << 20;
#endif

struct too_deep {
    std::uint64_t at;
};

phicache::config unlimited() {
    phicache::config settings;
    CHECK_OK(phicache_config_set_maximum_memory_percent(settings.handle(), PHICACHE_MEMORY_UNLIMITED));
    return settings;
}

std::uint64_t nest(phicache::dict_cache& cache, std::uint64_t at, std::uint64_t fails_at) {
    return cache.memoize<std::uint64_t>(phicache::bytes_of(at), [&]() -> std::uint64_t {
        if (at == fails_at) throw too_deep{at};
        return at == depth ? 1 : nest(cache, at + 1, fails_at) + 1;
    });
}

void lambdas_nest_ten_thousand_deep() {
    phicache::dict_cache cache(unlimited());
    CHECK_UINT(nest(cache, 1, 0), depth);
    CHECK_UINT(cache.size(), depth);
    CHECK_UINT(nest(cache, 1, 0), depth);
    CHECK_INFO(cache, 1, depth, depth);
}

void what_the_innermost_throws_comes_out_of_the_outermost() {
    phicache::dict_cache cache(unlimited());
    try {
        nest(cache, 1, depth);
        CHECK_HAS_THROWN();
    } catch (const too_deep& thrown) {
        CHECK_UINT(thrown.at, depth);
    }
    CHECK_INFO(cache, 0, depth, 0);
    CHECK_UINT(nest(cache, 1, 0), depth);
}

void* run(void*) {
    RUN(lambdas_nest_ten_thousand_deep);
    RUN(what_the_innermost_throws_comes_out_of_the_outermost);
    return nullptr;
}

}  // namespace

int main() {
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK_INT(pthread_attr_init(&attributes), 0);
    CHECK_INT(pthread_attr_setstacksize(&attributes, stack), 0);
    if (CHECK_INT(pthread_create(&thread, &attributes, run, nullptr), 0)) pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
    return check_report();
}
