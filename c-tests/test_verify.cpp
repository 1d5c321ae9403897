/// test_verify.cpp: verified mode in C++: functions that compare and hear of differences, and a key that is too short.
#include <atomic>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"

using phicache::bytes;
using phicache::cache_options;
using phicache::dict_cache;
using phicache::memo;

namespace {

cache_options every(std::uint64_t n) {
    cache_options options;
    options.verify_every = n;
    return options;
}

phicache::memo_options on(const dict_cache& cache) {
    phicache::memo_options options;
    options.store = cache.view();
    return options;
}

void a_key_that_is_too_short_is_an_alarm() {
    std::string alarm;
    cache_options options = every(1);
    options.difference = [&](bytes key, bytes kept, bytes computed) {
        alarm = std::string(key.text()) + ": " + std::string(kept.text()) + ", " + std::string(computed.text());
    };
    dict_cache cache(options);
    // The key lacks the state.
    const auto repertoire = [&](const char* state) {
        return cache.memoize<std::string>("mechanism", [&] { return std::string(state); });
    };
    CHECK(repertoire("state 1") == "state 1");
    CHECK(repertoire("state 1") == "state 1");
    CHECK(alarm.empty());
    CHECK(repertoire("state 2") == "state 2");
    CHECK(alarm == "mechanism: state 1, state 2");
    CHECK_UINT(cache.stats().verified, 2);
    CHECK_UINT(cache.stats().differences, 1);
    CHECK_INFO(cache, 2, 1, 1);
}

void last_bits_may_differ() {
    cache_options options = every(1);
    options.same = [](bytes, bytes kept, bytes computed) {
        return std::abs(kept.view<double>()[0] - computed.view<double>()[0]) < 1e-9;
    };
    dict_cache cache(options);
    const auto sum = [&](double value) { return cache.memoize<double>("sum", [&] { return value; }); };
    CHECK_NEAR(sum(0.3), 0.3, 0.0);
    CHECK_NEAR(sum(0.1 + 0.2), 0.3, 0.0);
    CHECK_UINT(cache.stats().differences, 0);
    CHECK_NEAR(sum(0.4), 0.4, 0.0);
    CHECK_UINT(cache.stats().differences, 1);
}

void memos_verify_every_nth_hit() {
    dict_cache cache(every(5));
    int calls = 0;
    const memo<double(double)> square([&](double x) { return ++calls, x * x; }, on(cache));
    for (int i = 0; i < 21; ++i) CHECK_NEAR(square(3.0), 9.0, 0.0);
    CHECK_INT(calls, 1 + 4);
    CHECK_UINT(cache.stats().verified, 4);
}

void an_exception_of_the_function_is_passed_on_and_the_value_stays() {
    dict_cache cache(every(1));
    CHECK_INT(cache.memoize<int>("key", [] { return 1; }), 1);
    try {
        cache.memoize<int>("key", []() -> int { throw std::runtime_error("on purpose"); });
        CHECK_HAS_THROWN();
    } catch (const std::runtime_error& error) {
        CHECK_TEXT(error.what(), "on purpose");
    }
    CHECK_INT(cache.memoize<int>("key", [] { return 1; }), 1);
    CHECK_UINT(cache.stats().errors, 1);
    CHECK_UINT(cache.stats().differences, 0);
}

void the_functions_live_as_long_as_the_cache() {
    const auto alive = std::make_shared<int>(0);
    cache_options options = every(1);
    options.difference = [alive](bytes, bytes, bytes) { ++*alive; };
    auto cache = std::make_unique<dict_cache>(options);
    options = {};
    CHECK_INT(alive.use_count(), 2);
    auto function = std::make_unique<memo<int(int)>>([alive](int) { return *alive; }, on(*cache));
    cache.reset();
    CHECK_INT((*function)(1), 0);
    *alive = 7;
    CHECK_INT((*function)(1), 7);
    CHECK_INT(*alive, 8);
    function.reset();
    CHECK_INT(alive.use_count(), 1);

    // Off, and on an error.
    options = every(0);
    options.difference = [alive](bytes, bytes, bytes) {};
    const dict_cache off(options);
    options.verify_every = 1;
    options.name = std::string(64, 'x');
    CHECK(!dict_cache::try_make(options));
    options = {};
    CHECK_INT(alive.use_count(), 1);
}

void a_lease_verifies_a_hit() {
    dict_cache cache(every(1));
    CHECK(cache.set("key", "old").stored());
    auto begun = cache.view().begin("key");
    CHECK(begun.status == phicache::status::lease);
    CHECK(begun.value.as<std::string>() == "old");
    begun.lease.write("new");
    CHECK(begun.lease.complete().as<std::string>() == "new");
    CHECK(cache.get<std::string>("key").value() == "new");
    CHECK_UINT(cache.stats().differences, 1);
}

void many_threads_may_verify_at_once() {
    std::atomic<int> alarms{0};
    cache_options options = every(2);
    options.difference = [&](bytes, bytes, bytes) { ++alarms; };
    dict_cache cache(options);
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 200; ++i) cache.memoize<int>("key", [&] { return t; });
        });
    }
    for (std::thread& thread : threads) thread.join();
    const phicache_stats stats = cache.stats();
    CHECK_UINT(stats.hits + stats.misses, 8 * 200);
    CHECK_UINT(stats.verified, stats.hits / 2);
    CHECK_UINT(stats.differences, static_cast<std::uint64_t>(alarms.load()));
}

}  // namespace

int main() {
    RUN(a_key_that_is_too_short_is_an_alarm);
    RUN(last_bits_may_differ);
    RUN(memos_verify_every_nth_hit);
    RUN(an_exception_of_the_function_is_passed_on_and_the_value_stays);
    RUN(the_functions_live_as_long_as_the_cache);
    RUN(a_lease_verifies_a_hit);
    RUN(many_threads_may_verify_at_once);
    return check_report();
}
