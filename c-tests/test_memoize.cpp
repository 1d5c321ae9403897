/// test_memoize.cpp: what a function given to memoize may return, throw and call.
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"

using phicache::bytes;
using phicache::dict_cache;
using phicache::expected;
using phicache::failure;
using phicache::result;
using phicache::status;
using phicache::value;

namespace {

void it_computes_once_and_finds_afterwards() {
    dict_cache cache;
    int calls = 0;
    for (int i = 0; i < 3; ++i) CHECK_INT(cache.memoize<int>("key", [&] { return 10 + ++calls; }), 11);
    CHECK_INT(calls, 1);
    CHECK_INFO(cache, 2, 1, 1);
}

void a_function_may_return_any_storable_type() {
    dict_cache cache;
    CHECK_NEAR(cache.memoize<double>("double", [] { return 0.5; }), 0.5, 0.0);
    CHECK(cache.memoize<std::vector<double>>("vector", [] {
        return std::vector<double>{1, 2};
    }) == std::vector<double>({1, 2}));
    CHECK(cache.memoize<std::string>("string", [] { return std::string("words"); }) == "words");
    CHECK(cache.memoize<std::string>("literal", [] { return "literal"; }) == "literal");
    CHECK(cache.memoize<std::string>("view", [] { return std::string_view("a view").substr(2); }) == "view");
    const std::string kept = "by reference";
    CHECK(cache.memoize<std::string>("reference", [&]() -> const std::string& { return kept; }) == kept);
    CHECK(cache.memoize<std::string>("value", [&] { return *cache.get("string"); }) == "words");
    CHECK((cache.memoize<std::array<double, 2>>("array", [] { return std::vector<double>{1, 2}; })[1] == 2));
    CHECK_NEAR(cache.memoize<double>("in place", [](result& out) { out.write(1.5); }), 1.5, 0.0);
    CHECK_NEAR(cache.memoize<double>("expected", []() -> expected<double> { return 2.5; }), 2.5, 0.0);
    CHECK_INT(cache.memoize("function", +[] { return 3; }).as<int>(), 3);
    CHECK_UINT(cache.size(), 11);
}

void a_function_writes_in_place() {
    dict_cache cache;
    const value made = cache.memoize("key", [](result& out) {
        const phicache::span<double> room = out.reserve<double>(1000);
        CHECK_NEAR(room[999], 0.0, 0.0);
        room[0] = 1;
        room[1] = 2;
        out.truncate(2 * sizeof(double));
    });
    CHECK(made.as<std::vector<double>>() == std::vector<double>({1, 2}));
    CHECK_UINT(cache.get("key")->size(), 16);

    CHECK_CHARS(cache.memoize("written", [](result& out) { out.write("first"); out.write("second"); }), "second");
    CHECK_UINT(cache.memoize("empty", [](result&) {}).size(), 0);
    CHECK_INT(cache.memoize<int>("checked",
                                 [](result& out) -> expected<void> { return out.try_write(phicache::bytes_of(5)); }),
              5);
}

void a_reservation_that_cannot_be_is_an_error() {
    dict_cache cache;
    const std::size_t half = static_cast<std::size_t>(-1) / 2;
    CHECK_ERROR(status::error_invalid_argument, cache.memoize("key", [&](result& out) { out.reserve<double>(half); }));
    CHECK_ERROR(status::error_invalid_argument, cache.memoize("key", [](result& out) {
        out.reserve(1);
        out.truncate(2);
    }));
    CHECK(cache.try_memoize("key", [&](result& out) -> expected<void> {
                   const auto room = out.try_reserve<double>(half);
                   if (!room) return room.error();
                   return {};
               }).code() == status::error_invalid_argument);
    CHECK(!cache.contains("key"));
}

void a_failed_reservation_that_was_ignored_stores_nothing() {
    dict_cache cache;
    const std::size_t most = static_cast<std::size_t>(-1);
    CHECK(cache.try_memoize("key", [&](result& out) { (void)out.try_reserve(most); }).code() ==
          status::error_out_of_memory);
    CHECK(cache.try_memoize("key", [&](result& out) { (void)out.try_reserve_uninitialized(most); }).code() ==
          status::error_out_of_memory);
    CHECK(cache.try_memoize("key", [&](result& out) { (void)out.try_reserve<double>(most); }).code() ==
          status::error_invalid_argument);
    CHECK_ERROR(status::error_out_of_memory, cache.memoize("key", [&](result& out) { (void)out.try_reserve(most); }));
    CHECK(!cache.contains("key"));
    const value made = cache.memoize("key", [&](result& out) {
        (void)out.try_reserve(most);
        out.write(1.5);
    });
    CHECK_NEAR(made.as<double>(), 1.5, 0.0);
}

struct unusual {
    std::shared_ptr<int> identity;
};

// The failed reservation decides the status in C, but an exception of the function is still passed on.
void an_exception_after_a_failed_reservation_is_passed_on_unchanged() {
    dict_cache cache;
    const std::size_t most = static_cast<std::size_t>(-1);
    const auto identity = std::make_shared<int>(0);
    const auto fails = [&](result& out) {
        (void)out.try_reserve(most);
        throw unusual{identity};
    };
    const phicache::memo deep{[&](int n) -> double {
        if (n > 0) return cache.memoize<double>("deep", [&](result& out) { fails(out); });
        return 0;
    }};
    const auto comes_out = [&](auto&& call) {
        try {
            call();
            CHECK_HAS_THROWN();
        } catch (const unusual& caught) {
            CHECK(caught.identity == identity);
        }
    };
    comes_out([&] { cache.memoize("key", fails); });
    comes_out([&] { (void)cache.try_memoize("key", fails); });
    comes_out([&] { cache.view().memoize("key", fails); });
    comes_out([&] { deep(1); });
    comes_out([&] { (void)deep.try_call(1); });
    const phicache::memo<double(int)> memo{[&](int) -> double {
        throw unusual{identity};
    }};
    comes_out([&] { memo(1); });
    CHECK_INT(identity.use_count(), 1);
    CHECK(!cache.contains("key"));
    try {
        cache.memoize("key", [&](result& out) { out.reserve(most); });
        CHECK_HAS_THROWN();
    } catch (const phicache::error& caught) {
        CHECK(caught.code() == status::error_out_of_memory);
    }
}

void a_code_after_a_failed_reservation_is_returned_with_its_status() {
    dict_cache cache;
    const auto made = cache.try_memoize("key", [](result& out) -> expected<void> {
        (void)out.try_reserve(static_cast<std::size_t>(-1));
        return phicache::failure::callback(7);
    });
    CHECK(made.code() == status::error_out_of_memory);
    CHECK_INT(made.error().callback_code(), 7);
}

void an_exception_of_a_function_is_passed_on_unchanged() {
    dict_cache cache;
    const auto identity = std::make_shared<int>(0);
    try {
        cache.memoize("key", [&]() -> int { throw unusual{identity}; });
        CHECK_HAS_THROWN();
    } catch (const unusual& caught) {
        CHECK(caught.identity == identity);
    }
    CHECK_INT(identity.use_count(), 1);
    try {
        cache.memoize<double>("key", []() -> double { throw std::out_of_range("no such state"); });
        CHECK_HAS_THROWN();
    } catch (const std::out_of_range& caught) {
        CHECK_TEXT(caught.what(), "no such state");
    }
    try {
        (void)cache.try_memoize("key", [](result& out) { out.reserve(8); throw 17; });
        CHECK_HAS_THROWN();
    } catch (int caught) {
        CHECK_INT(caught, 17);
    }
    try {
        cache.memoize("key", [&](result& out) {
            CHECK(!out.try_reserve(static_cast<std::size_t>(-1)));
            throw unusual{identity};
        });
        CHECK_HAS_THROWN();
    } catch (const unusual& caught) {
        CHECK(caught.identity == identity);
    }
    CHECK_INT(identity.use_count(), 1);
    CHECK(!cache.contains("key"));
    CHECK_INT(cache.memoize<int>("key", [] { return 1; }), 1);
}

void a_function_fails_without_throwing() {
    dict_cache cache;
    const expected<value> made = cache.try_memoize("key", []() -> expected<double> { return failure::callback(-42); });
    CHECK(made.code() == status::error_callback);
    CHECK_INT(made.error().callback_code(), -42);
    CHECK_CONTAINS(made.error().what(), "-42");
    try {
        cache.memoize("key", []() -> expected<double> { return failure::callback(7); });
        CHECK_HAS_THROWN();
    } catch (const phicache::error& error) {
        CHECK(error.code() == status::error_callback);
        CHECK_INT(error.callback_code(), 7);
    }
    CHECK(!cache.contains("key"));
}

void a_failure_of_the_library_keeps_its_status_and_text() {
    dict_cache cache;
    const auto asks_badly = [&]() -> expected<double> {
        const auto found = cache.try_get<double>(bytes(nullptr, 1));
        if (!found) return found.error();
        return **found;
    };
    const expected<value> made = cache.try_memoize("key", asks_badly);
    CHECK(made.code() == status::error_invalid_argument);
    CHECK_CONTAINS(made.error().what(), "get_into");
    CHECK_ERROR(status::error_invalid_argument,
                cache.memoize("key", [&] { return *cache.get<double>(bytes(nullptr, 1)); }));
}

double fibonacci(dict_cache& cache, int n) {
    return cache.memoize<double>(phicache::bytes_of(n), [&] {
        return n < 2 ? n : fibonacci(cache, n - 1) + fibonacci(cache, n - 2);
    });
}

void a_function_may_use_its_cache_for_other_keys() {
    dict_cache cache;
    CHECK_NEAR(fibonacci(cache, 60), 1548008755920.0, 0.0);
    CHECK_INFO(cache, 58, 61, 61);
}

void requesting_the_key_being_computed_is_an_error() {
    dict_cache cache;
    CHECK_ERROR(status::error_recursion,
                cache.memoize("key", [&] { return cache.memoize<int>("key", [] { return 1; }); }));
    CHECK_INT(cache.memoize<int>("key", [&] {
        return cache.try_memoize<int>("key", [] { return 1; }).code() == status::error_recursion ? 7 : 8;
    }), 7);
}

double depth(dict_cache& cache, int n) {
    return n == 0 ? 0 : cache.memoize<double>(phicache::bytes_of(n), [&] { return 1 + depth(cache, n - 1); });
}

void computations_nest_a_thousand_deep() {
    dict_cache cache;
    CHECK_NEAR(depth(cache, 1000), 1000.0, 0.0);
    CHECK_UINT(cache.size(), 1000);
}

void an_exception_passes_through_nested_calls() {
    dict_cache cache;
    try {
        cache.memoize("outer", [&] {
            cache.memoize("good", [] { return 1; });
            return cache.memoize<int>("inner", []() -> int { throw std::logic_error("from inside"); });
        });
        CHECK_HAS_THROWN();
    } catch (const std::logic_error& caught) {
        CHECK_TEXT(caught.what(), "from inside");
    }
    CHECK(cache.contains("good") && !cache.contains("inner") && !cache.contains("outer"));
    CHECK_INT(cache.memoize<int>("outer", [&] {
        try {
            return cache.memoize<int>("inner", []() -> int { throw 5; });
        } catch (int caught) {
            return caught + 1;
        }
    }), 6);
}

void a_function_may_free_its_cache() {
    dict_cache cache;
    const value made = cache.memoize("key", [&] { return cache.reset(), 5; });
    CHECK_INT(made.as<int>(), 5);
    CHECK(!cache);
}

void a_value_too_large_to_keep_is_returned() {
    dict_cache cache(phicache::cache_options{{}, 256});
    int calls = 0;
    for (int i = 0; i < 2; ++i)
        CHECK_UINT(cache.memoize("key", [&] { return ++calls, std::string(1000, 'x'); }).size(), 1000);
    CHECK_INT(calls, 2);
    CHECK_UINT(cache.size(), 0);
}

void move_only_and_mutable_functions_are_called_in_place() {
    dict_cache cache;
    auto moved = [state = std::make_unique<int>(4)]() mutable { return ++*state; };
    CHECK_INT(cache.memoize<int>("key", moved), 5);
    CHECK_INT(cache.memoize<int>("key", std::move(moved)), 5);
    CHECK_INT(moved(), 6);
}

void an_empty_function_is_an_error_on_a_miss() {
    const phicache::dict_cache cache;
    double (*const pointer)() = nullptr;
    void (*const writing)(phicache::result&) = nullptr;
    const std::function<double()> empty;
    const char* const message = "the function is a null pointer, or an empty std::function";
    CHECK_MESSAGE(message, cache.memoize<double>("key", pointer));
    CHECK_MESSAGE(message, cache.memoize("key", pointer));
    CHECK_MESSAGE(message, cache.memoize({"two", "parts"}, pointer));
    CHECK_MESSAGE(message, cache.memoize("key", writing));
    CHECK_MESSAGE(message, cache.memoize<double>("key", empty));
    CHECK(cache.try_memoize<double>("key", pointer).code() == status::error_invalid_argument);
    CHECK(cache.try_memoize<double>("key", std::function<double()>()).code() == status::error_invalid_argument);
    CHECK_UINT(cache.size(), 0);
    const phicache::purview_cache purviews;
    CHECK_MESSAGE(message, purviews.memoize(phicache::direction::cause, {0},
                                            std::function<std::vector<phicache::node_set>()>()));
}

void threads_agree_on_one_value() {
    dict_cache cache;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 2000; ++i) {
                const int key = (i * 7 + t) % 100;
                try {
                    const auto square = [&] { if (i % 10 == 0) throw t; return key * key; };
                    if (cache.memoize<int>(phicache::bytes_of(key), square) != key * key) ++wrong;
                } catch (int caught) {
                    if (caught != t) ++wrong;
                }
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK_INT(wrong.load(), 0);
    CHECK_UINT(cache.size(), 100);
    CHECK(cache.stats().errors <= 800);
}

}  // namespace

int main() {
    RUN(it_computes_once_and_finds_afterwards);
    RUN(a_function_may_return_any_storable_type);
    RUN(a_function_writes_in_place);
    RUN(a_reservation_that_cannot_be_is_an_error);
    RUN(a_failed_reservation_that_was_ignored_stores_nothing);
    RUN(an_exception_of_a_function_is_passed_on_unchanged);
    RUN(an_exception_after_a_failed_reservation_is_passed_on_unchanged);
    RUN(a_code_after_a_failed_reservation_is_returned_with_its_status);
    RUN(a_function_fails_without_throwing);
    RUN(a_failure_of_the_library_keeps_its_status_and_text);
    RUN(a_function_may_use_its_cache_for_other_keys);
    RUN(requesting_the_key_being_computed_is_an_error);
    RUN(computations_nest_a_thousand_deep);
    RUN(an_exception_passes_through_nested_calls);
    RUN(a_function_may_free_its_cache);
    RUN(a_value_too_large_to_keep_is_returned);
    RUN(move_only_and_mutable_functions_are_called_in_place);
    RUN(an_empty_function_is_an_error_on_a_miss);
    RUN(threads_agree_on_one_value);
    return check_report();
}
