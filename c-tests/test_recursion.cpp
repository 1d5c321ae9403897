// test_recursion.cpp: computations nest 20,000 keys deep on a stack of 8 MiB, compiled with optimization: functions
// given to memoize, memos, methods. An exception of the innermost is passed on by the outermost.
//
// The addresses of two frames show the size of a level, including the function's own frame, which is small here.
#include "check.hpp"

#include <pthread.h>

namespace {

#if defined(__OPTIMIZE__) && !defined(PHICACHE_SANITIZED)
constexpr int depth = 20000;
constexpr std::size_t stack = 8 << 20;
constexpr std::size_t level_at_most = 416;  // 8 MiB hold 20,000 of them
#else
constexpr int depth = 4000;
constexpr std::size_t stack = 256 << 20;
constexpr std::size_t level_at_most = 32768;
#endif

struct too_deep {
    int at;
};

std::uintptr_t frame_near_top, frame_near_bottom;
int fails_at = 0;

// The first step of every function.
inline void enter(int at) {
    if (at == 10) frame_near_top = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    if (at == depth - 10) frame_near_bottom = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    if (at == fails_at) throw too_deep{at};
}

void check_level(const char* way) {
    const std::size_t level = static_cast<std::size_t>(frame_near_top - frame_near_bottom) / (depth - 20);
    std::printf("       %-24s %4zu bytes of stack for a level\n", way, level);
    CHECK(level <= level_at_most);
}

phicache::config unlimited() {
    phicache::config settings;
    CHECK_OK(phicache_config_set_maximum_memory_percent(settings.handle(), PHICACHE_MEMORY_UNLIMITED));
    return settings;
}

int nest(phicache::dict_cache& cache, int at) {
    return cache.memoize<int>(phicache::bytes_of(at), [&] {
        enter(at);
        return at == depth ? 1 : nest(cache, at + 1) + 1;
    });
}

int try_nest(phicache::dict_cache& cache, int at) {
    return *cache.try_memoize<int>(phicache::bytes_of(at), [&] {
        enter(at);
        return at == depth ? 1 : try_nest(cache, at + 1) + 1;
    });
}

int write_nested(phicache::dict_cache& cache, int at) {
    return cache.memoize<int>(phicache::bytes_of(at), [&](phicache::result& out) {
        enter(at);
        out.write(at == depth ? 1 : write_nested(cache, at + 1) + 1);
    });
}

void functions_given_to_memoize_nest_twenty_thousand_deep() {
    phicache::dict_cache cache(unlimited());
    CHECK_INT(nest(cache, 1), depth);
    check_level("memoize");
    CHECK_UINT(cache.size(), depth);
    CHECK_INT(nest(cache, 1), depth);
    CHECK_INFO(cache, 1, depth, depth);
    cache.clear();
    CHECK_INT(try_nest(cache, 1), depth);
    check_level("try_memoize");
    cache.clear();
    CHECK_INT(write_nested(cache, 1), depth);
    check_level("memoize, in place");
}

const phicache::memo<int(int)>* counted_memo;

int count(int at) {
    enter(at);
    return at == depth ? 1 : (*counted_memo)(at + 1) + 1;
}

void memos_nest_twenty_thousand_deep() {
    const phicache::memo<int(int)> memo(count, {phicache::memory_unlimited, {}, {}, {}});
    counted_memo = &memo;
    CHECK_INT(memo(1), depth);
    check_level("memo");
    CHECK_UINT(memo.info().size, depth);
}

struct system_of_nodes {
    phicache::dict_cache cache;
    int count(int at);
};

const phicache::method counted_method{"count", &system_of_nodes::count};

int system_of_nodes::count(int at) {
    enter(at);
    return at == depth ? 1 : counted_method(cache, *this, at + 1) + 1;
}

void methods_nest_twenty_thousand_deep() {
    system_of_nodes system{phicache::dict_cache(unlimited())};
    CHECK_INT(counted_method(system.cache, system, 1), depth);
    check_level("method");
}

template <class Call>
void comes_out(Call&& call) {
    fails_at = depth;
    try {
        call();
        CHECK_HAS_THROWN();
    } catch (const too_deep& thrown) {
        CHECK_INT(thrown.at, depth);
    }
    fails_at = 0;
}

void an_exception_of_the_innermost_is_passed_on_by_the_outermost() {
    phicache::dict_cache cache(unlimited());
    comes_out([&] { nest(cache, 1); });
    CHECK_INFO(cache, 0, depth, 0);
    CHECK_INT(nest(cache, 1), depth);
    const phicache::memo<int(int)> memo(count, {phicache::memory_unlimited, {}, {}, {}});
    counted_memo = &memo;
    comes_out([&] { memo(1); });
    CHECK_UINT(memo.info().size, 0);
    CHECK_INT(memo(1), depth);
}

void* run(void*) {
    RUN(functions_given_to_memoize_nest_twenty_thousand_deep);
    RUN(memos_nest_twenty_thousand_deep);
    RUN(methods_nest_twenty_thousand_deep);
    RUN(an_exception_of_the_innermost_is_passed_on_by_the_outermost);
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
