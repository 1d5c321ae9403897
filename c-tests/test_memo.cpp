/// test_memo.cpp: memos of functions with all kinds of arguments and values.
#include <atomic>
#include <cmath>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"

using phicache::dict_cache;
using phicache::expected;
using phicache::failure;
using phicache::memo;
using phicache::memo_options;
using phicache::node_set;
using phicache::result;
using phicache::status;
using phicache::typing;
using phicache::value;

namespace {

int calls = 0;

double l1(const std::vector<double>& p, const std::vector<double>& q) {
    ++calls;
    double sum = 0;
    for (std::size_t i = 0; i < p.size(); ++i) sum += std::fabs(p[i] - q[i]);
    return sum;
}

int twice(int x) noexcept { return ++calls, 2 * x; }

static_assert(std::is_same_v<decltype(memo(l1)), memo<double(const std::vector<double>&, const std::vector<double>&)>>);
static_assert(std::is_same_v<decltype(memo(twice)), memo<int(int)>>);
struct of_lvalues {
    int operator()(int x) & { return ++calls, x; }
};
struct of_constant_lvalues {
    int operator()(int x) const& noexcept { return x; }
};
static_assert(std::is_same_v<decltype(memo(of_lvalues())), memo<int(int)>>);
static_assert(std::is_same_v<decltype(memo(of_constant_lvalues())), memo<int(int)>>);
static_assert(!std::is_copy_constructible_v<memo<int(int)>> && std::is_nothrow_move_constructible_v<memo<int(int)>>);

void a_function_is_called_once_for_its_arguments() {
    calls = 0;
    const memo distance{l1};
    for (int i = 0; i < 3; ++i) CHECK_NEAR(distance({0.5, 0.5}, {1, 0}), 1.0, 0.0);
    CHECK_INT(calls, 1);
    CHECK_NEAR(distance.call({1, 0}, {0, 1}), 2.0, 0.0);
    CHECK_NEAR(*distance.try_call({1, 0}, {0, 1}), 2.0, 0.0);
    CHECK_INT(calls, 2);
    CHECK_INFO(distance, 3, 2, 2);
}

int overloaded(int n) { return n + 1; }
double overloaded(double x) { return x / 2; }

void a_signature_chooses_one_of_several_overloads() {
    const memo<double(double)> half(overloaded);
    memo_options options;
    options.types = typing::typed;
    const memo<int(int)> next{overloaded, options};
    CHECK_NEAR(half(3), 1.5, 0.0);
    CHECK_INT(next(3), 4);
}

void arguments_of_many_types_make_the_key() {
    calls = 0;
    const memo f{
        [](phicache::direction dir, node_set nodes, std::optional<int> size, std::string_view name, bool flag) {
            ++calls;
            return static_cast<double>(dir) + static_cast<double>(nodes.mask()) + size.value_or(100) +
                   static_cast<double>(name.size()) + flag;
        }};
    CHECK_NEAR(f(phicache::direction::effect, {0, 1}, 10, "abc", true), 18.0, 0.0);
    CHECK_NEAR(f(phicache::direction::effect, {0, 1}, 10, std::string("abc"), true), 18.0, 0.0);
    CHECK_INT(calls, 1);
    CHECK_NEAR(f(phicache::direction::cause, {0, 1}, 10, "abc", true), 17.0, 0.0);
    CHECK_NEAR(f(phicache::direction::effect, {0, 2}, 10, "abc", true), 20.0, 0.0);
    CHECK_NEAR(f(phicache::direction::effect, {0, 1}, std::nullopt, "abc", true), 108.0, 0.0);
    CHECK_NEAR(f(phicache::direction::effect, {0, 1}, 10, "ab", true), 17.0, 0.0);
    CHECK_NEAR(f(phicache::direction::effect, {0, 1}, 10, "abc", false), 17.0, 0.0);
    CHECK_INT(calls, 6);
    const memo g{[](phicache::bytes a, const std::vector<std::tuple<int, std::string>>& list) {
        return ++calls, a.size() + list.size();
    }};
    CHECK_UINT(g("abc", {{1, "x"}, {2, "y"}}), 5);
    CHECK_UINT(g("abc", {{1, "x"}, {2, "y"}}), 5);
    CHECK_UINT(g(std::vector<double>{1}, {{1, "x"}}), 9);
    CHECK_INT(calls, 8);
}

void values_of_many_types_are_read_back() {
    const memo text{[](int n) { return std::string(static_cast<std::size_t>(n), 'x'); }};
    CHECK_TEXT(text(3).c_str(), "xxx");
    CHECK_TEXT(text(0).c_str(), "");
    const memo literal{[](bool b) { return b ? "yes" : "no"; }};
    const std::string yes = literal(true);
    CHECK_TEXT(yes.c_str(), "yes");
    const memo list{[](int n) { return std::vector<double>(static_cast<std::size_t>(n), 0.5); }};
    CHECK(list(2) == std::vector<double>({0.5, 0.5}));
    const phicache::value pinned = list.call_pinned(2);
    CHECK_UINT(pinned.view<double>().size(), 2);
    CHECK(list.call_pinned(2).origin() == phicache::origin::hit);
    const memo checked{[](int n) -> expected<double> {
        if (n < 0) return failure::callback(n);
        return std::sqrt(n);
    }};
    CHECK_NEAR(checked(4), 2.0, 0.0);
    CHECK_INT(checked.try_call(-3).error().callback_code(), -3);
    CHECK_ERROR(status::error_callback, checked(-3));
}

void a_value_has_the_type_in_the_signature() {
    const memo<double(int)> half{[](int n) { return n == 0 ? 0 : 7; }};
    CHECK_NEAR(half(1), 7.0, 0.0);
    CHECK_NEAR(half.wrapped()(1), 7.0, 0.0);
    CHECK_UINT(half.call_pinned(1).size(), sizeof(double));
    const memo<double(const std::string&)> length{[](const std::string& text) { return text.size(); }};
    CHECK_NEAR(length("four"), 4.0, 0.0);
    const memo<std::string(int)> literal{[](int) { return "text"; }};
    CHECK_TEXT(literal(1).c_str(), "text");
    const memo<double(double)> generic{[](auto x) { return x * 2; }};
    CHECK_NEAR(generic(1.5), 3.0, 0.0);
}

void a_function_writes_in_place() {
    calls = 0;
    const memo<void(result&, std::size_t)> squares{[](result& out, std::size_t n) {
        ++calls;
        const phicache::span<double> room = out.reserve<double>(n);
        for (std::size_t i = 0; i < n; ++i) room[i] = static_cast<double>(i * i);
    }};
    const value first = squares(4);
    CHECK(first.as<std::vector<double>>() == std::vector<double>({0, 1, 4, 9}));
    CHECK(squares(4).data() == first.data());
    CHECK_INT(calls, 1);
}

void a_function_calls_its_own_memo() {
    calls = 0;
    std::optional<memo<double(int)>> fibonacci;
    fibonacci.emplace([&](int n) -> double {
        ++calls;
        return n < 2 ? n : (*fibonacci)(n - 1) + (*fibonacci)(n - 2);
    });
    CHECK_NEAR((*fibonacci)(70), 190392490709135.0, 0.0);
    CHECK_INT(calls, 71);
    CHECK_INFO(*fibonacci, 68, 71, 71);
}

void an_exception_is_passed_on_and_not_cached() {
    calls = 0;
    const memo f{[](int n) -> int {
        if (++calls == 1) throw std::out_of_range("the first time");
        return n;
    }};
    try {
        f(5);
        CHECK_HAS_THROWN();
    } catch (const std::out_of_range& caught) {
        CHECK_TEXT(caught.what(), "the first time");
    }
    CHECK_INT(f(5), 5);
    CHECK_INT(f(5), 5);
    CHECK_INT(calls, 2);
}

void clear_removes_values_and_counts() {
    calls = 0;
    memo f{twice};
    f(1);
    f(1);
    f.clear();
    CHECK_INFO(f, 0, 0, 0);
    f(1);
    CHECK_INT(calls, 2);
}

void wrapped_is_the_function_without_its_cache() {
    calls = 0;
    const memo f{twice};
    const std::function<int(int)> bare = f.wrapped();
    CHECK_INT(bare(4), 8);
    CHECK_INT(bare(4), 8);
    CHECK_INT(calls, 2);
    CHECK_INFO(f, 0, 0, 0);
}

void a_typed_memo_makes_typed_keys() {
    dict_cache store;
    memo_options options;
    options.store = store;
    options.prefix = "typed";
    options.types = typing::typed;
    const memo typed{[](double x) { return x; }, options};
    options.prefix = "untyped";
    options.types = typing::untyped;
    const memo untyped{[](double x) { return x; }, options};
    typed(3);
    CHECK(store.contains(phicache::key::of("typed", 3.0).encode(typing::typed)));
    CHECK(!store.contains(phicache::key::of("typed", 3).encode(typing::typed)));
    untyped(3);
    CHECK(store.contains(phicache::key::of("untyped", 3)));
    CHECK_UINT(store.size(), 2);
}

void memos_share_a_store_under_prefixes() {
    dict_cache store;
    std::optional<memo<int(int)>> one, other;
    memo_options options;
    options.store = store;
    options.prefix = "one";
    one.emplace([](int n) { return n + 1; }, options);
    CHECK_MESSAGE("has the prefix \"one\"", memo{[](int n) { return n; }, options});
    CHECK_MESSAGE("in each object of a class, or in each file that includes a header, share one memo or method",
                  memo{[](int n) { return n; }, options});
    memo_options without;
    without.prefix = "one@1";
    CHECK_MESSAGE("\"one@1\" has no effect on a memo without a cache", memo{[](int n) { return n; }, without});
    options.prefix = std::string("one\0@2", 6);
    const char* wrong = "prefix is not valid UTF-8 (in C++: or contains a NUL, or is a null pointer)";
    CHECK_MESSAGE(wrong, memo{[](int n) { return n; }, options});
    options.prefix = nullptr;
    CHECK_MESSAGE(wrong, memo{[](int n) { return n; }, options});
    options.prefix = "other";
    other.emplace([](int n) { return n + 2; }, options);
    CHECK_INT((*one)(1), 2);
    CHECK_INT((*other)(1), 3);
    CHECK_INT((*other)(1), 3);
    CHECK_INFO(*one, 0, 1, 2);
    CHECK_INFO(*other, 1, 1, 2);
    CHECK_UINT(store.size(), 2);
    CHECK(store.contains(phicache::key::of("one", 1)));
    store.reset();
    CHECK_INT((*one)(1), 2);
    CHECK_INFO(*one, 1, 1, 2);
}

void a_maximum_of_0_percent_stores_nothing() {
    calls = 0;
    memo_options options;
    options.maximum_memory_percent = 0;
    const memo f{twice, options};
    CHECK_INT(f(1), 2);
    CHECK_INT(f(1), 2);
    CHECK_INT(calls, 2);
    CHECK(f.call_pinned(1).refusal() == status::refused_memory);
    options.maximum_memory_percent = 101;
    CHECK_ERROR(status::error_invalid_argument, memo{twice, options});
}

void the_function_is_freed_exactly_once() {
    const auto counted = std::make_shared<int>(7);
    {
        const memo f{[counted](int n) { return n + *counted; }};
        CHECK_INT(counted.use_count(), 2);
        CHECK_INT(f(1), 8);
    }
    CHECK_INT(counted.use_count(), 1);
    memo_options impossible;
    impossible.maximum_memory_percent = -7;
    CHECK_ERROR(status::error_invalid_argument, memo{[counted](int n) { return n + *counted; }, impossible});
    CHECK_INT(counted.use_count(), 1);
}

void bad_arguments_are_errors_and_call_nothing() {
    calls = 0;
    const memo f{[](const std::string& text) { return ++calls, text.size(); }};
    CHECK_MESSAGE("phicache::bytes", f("\xff"));
    CHECK(f.try_call("\xff").code() == status::error_invalid_argument);
    CHECK_INT(calls, 0);
    CHECK_UINT(f("ok"), 2);
    int (*const missing)(int) = nullptr;
    CHECK_MESSAGE("the function is a null pointer", memo{missing});
    CHECK_MESSAGE("empty std::function", memo{std::function<int(int)>()});
    CHECK(memo<int(int)>::try_make(missing).code() == status::error_invalid_argument);
}

void a_memo_moves() {
    memo<int(int)> f{twice};
    f(1);
    memo moved = std::move(f);  // has the signature of f
    CHECK_INT(moved(1), 2);
    CHECK_INFO(moved, 1, 1, 1);
    CHECK_MESSAGE("the memo was moved from", f(1));
    CHECK_ERROR(status::error_invalid_argument, f.info());
    CHECK_ERROR(status::error_invalid_argument, f.clear());
    CHECK_ERROR(status::error_invalid_argument, f.wrapped());
    f = std::move(moved);
    CHECK_INT(f(1), 2);
    CHECK_INT(f.wrapped()(1), 2);
}

void a_call_through_the_c_handle_has_no_arguments_and_fails() {
    const memo f{twice};
    const phicache::key args = phicache::key::of(1);
    value made;
    std::int32_t code = 0;
    CHECK_STATUS(phicache_memo_call(f.handle(), args.handle(), nullptr, made.out(), &code), PHICACHE_ERROR_CALLBACK);
    CHECK_INT(code, -1);
    CHECK_INFO(f, 0, 1, 0);
}

struct counter {
    int start;
    int operator()(int n) { return start += n; }
};

void function_objects_of_any_kind_are_functions() {
    memo stateful{counter{10}};
    CHECK_INT(stateful(1), 11);
    CHECK_INT(stateful(2), 13);
    CHECK_INT(stateful(1), 11);
    const std::function<int(int)> erased = twice;
    const memo from_std{erased};
    CHECK_INT(from_std(5), 10);
    const memo<int(int)> generic{[](auto n) { return n + 1; }};
    CHECK_INT(generic(1), 2);
    const memo nothing{[] { return 42; }};
    CHECK_INT(nothing(), 42);
}

void threads_share_a_memo() {
    std::atomic<int> wrong{0};
    const memo f{[](int n, const std::string& text) { return std::to_string(n) + text; }};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 2000; ++i) {
                if (f(i % 50, "!") != std::to_string(i % 50) + "!") ++wrong;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK_INT(wrong.load(), 0);
    CHECK_UINT(f.info().hits + f.info().misses, 8000);
    CHECK_UINT(f.info().size, 50);
}

// Empty braces are the default of every option.
void empty_braces_mean_the_configured_options() {
    dict_cache store;
    int calls = 0;
    const auto counted = [&](double x) {
        ++calls;
        return x;
    };
    const memo f(counted, {{}, {}, store.view(), "f"});
    const memo g(counted, {{}, {}, {}, {}});
    for (int i = 0; i < 3; ++i) {
        CHECK_NEAR(f(1.0), 1.0, 0.0);
        CHECK_NEAR(g(1.0), 1.0, 0.0);
    }
    CHECK_INT(calls, 2);
    CHECK(!memo_options{}.maximum_memory_percent);
    memo_options nothing;
    nothing.maximum_memory_percent = 0;
    const memo none(counted, nothing);
    none(2.0);
    none(2.0);
    CHECK_INT(calls, 4);
    nothing.maximum_memory_percent = phicache::memory_configured;
    const memo some(counted, nothing);
    some(3.0);
    some(3.0);
    CHECK_INT(calls, 5);
}

}  // namespace

int main() {
    RUN(a_function_is_called_once_for_its_arguments);
    RUN(a_signature_chooses_one_of_several_overloads);
    RUN(arguments_of_many_types_make_the_key);
    RUN(values_of_many_types_are_read_back);
    RUN(a_value_has_the_type_in_the_signature);
    RUN(a_function_writes_in_place);
    RUN(a_function_calls_its_own_memo);
    RUN(an_exception_is_passed_on_and_not_cached);
    RUN(clear_removes_values_and_counts);
    RUN(wrapped_is_the_function_without_its_cache);
    RUN(a_typed_memo_makes_typed_keys);
    RUN(memos_share_a_store_under_prefixes);
    RUN(a_maximum_of_0_percent_stores_nothing);
    RUN(empty_braces_mean_the_configured_options);
    RUN(the_function_is_freed_exactly_once);
    RUN(bad_arguments_are_errors_and_call_nothing);
    RUN(a_memo_moves);
    RUN(a_call_through_the_c_handle_has_no_arguments_and_fails);
    RUN(function_objects_of_any_kind_are_functions);
    RUN(threads_share_a_memo);
    return check_report();
}
