/// flat_keys.cpp: the keys of memos and methods whose arguments are numbers and arrays are those that a builder makes,
/// also when the compiler may assume that there is neither NaN nor -0.0.
#include <limits>
#include <optional>
#include <vector>

#include "check.hpp"

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

using phicache::dict_cache;
using phicache::direction;
using phicache::key;
using phicache::memo_options;
using phicache::node_set;
using phicache::typing;

namespace {

enum class color : unsigned char { red = 7 };
struct point {
    int x;
};

double from_bits(std::uint64_t bits) {
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/// All numbers at which an encoding changes, and their neighbours.
std::vector<double> doubles() {
    std::vector<double> all{0, 1, -1, 0.5, -0.5, 1e300, -1e300};
    for (const double edge : {9007199254740992.0, 9223372036854775808.0, 18446744073709551616.0}) {
        for (const double factor : {1.0, 1 - 0x1p-53, 1 + 0x1p-52}) {
            all.push_back(edge * factor);
            all.push_back(-edge * factor);
        }
    }
    const std::uint64_t others[] = {0x8000000000000000, 0x7ff0000000000000, 0xfff0000000000000,
                                    0x7ff8000000000000, 0xfff8000000000001, 0x7ff0000000000001,
                                    0x0000000000000001, 0x8000000000000001, 0x7fefffffffffffff};
    for (const std::uint64_t bits : others) {
        all.push_back(from_bits(bits));
    }
    return all;
}

/// Calls a memo and a method with the arguments, and looks for the keys that a builder makes of them.
template <class... A>
void check_keys(const A&... arguments) {
    static_assert((phicache::detail::is_flat<A>::value && ...), "these are not built");
    for (const typing types : {typing::untyped, typing::typed}) {
        for (const char* prefix : {"", "behind a prefix"}) {
            dict_cache store;
            memo_options options;
            options.types = types;
            options.store = store;
            options.prefix = prefix;
            const phicache::memo<int(const A&...)> memo([](const A&...) { return 42; }, options);
            CHECK_INT(memo(arguments...), 42);
            CHECK_INT(memo(arguments...), 42);
            CHECK_INT(memo.try_call(arguments...).value(), 42);
            CHECK_INFO(memo, 2, 1, 1);
            const key expected = *prefix != 0 ? key::of(prefix, arguments...) : key::of(nullptr, arguments...);
            CHECK(store.contains(expected.encode(types)));
        }
    }
    dict_cache store;
    const phicache::method<int(const point&, const A&...)> method("m", [](const point&, const A&...) { return 42; });
    const point object{1};
    CHECK_INT(method(store, object, arguments...), 42);
    CHECK_INT(method(store, object, arguments...), 42);
    CHECK_INT(method.try_call(store, object, arguments...).value(), 42);
    CHECK_INFO(store, 2, 1, 1);
    CHECK(store.contains(key::of("m", arguments...)));
}

void numbers_have_the_keys_of_a_builder() {
    for (const double number : doubles()) {
        check_keys(number);
        check_keys(1, std::optional<double>(number), number);
    }
    for (const float number : {0.0f, -0.0f, 0.1f, 3.0f, std::numeric_limits<float>::max()}) check_keys(number);
    for (const std::int64_t number : {INT64_MIN, std::int64_t(-1), std::int64_t(0), INT64_MAX}) check_keys(number);
    for (const std::uint64_t number : {std::uint64_t(0), std::uint64_t(INT64_MAX), std::uint64_t(INT64_MAX) + 1,
                                       UINT64_MAX})
        check_keys(number);
    check_keys(true, false, 'x', static_cast<signed char>(-3), static_cast<unsigned short>(65535), color::red);
    check_keys(nullptr, std::nullopt, std::optional<int>(), std::optional<bool>(true));
    check_keys(direction::cause, node_set{0, 63}, node_set());
    check_keys(direction::bidirectional, phicache::bytes("bytes"), phicache::bytes());
}

void arrays_have_the_keys_of_a_builder() {
    const std::vector<double> all = doubles();
    for (std::size_t length = 0; length <= all.size(); ++length) {
        for (std::size_t from = 0; from + length <= all.size(); ++from) {
            const auto first = all.begin() + static_cast<std::ptrdiff_t>(from);
            check_keys(std::vector<double>(first, first + static_cast<std::ptrdiff_t>(length)));
        }
    }
    for (const double number : all) {
        for (std::size_t place = 0; place < 9; ++place) {
            std::vector<double> with_one(9, 0.5);
            with_one[place] = number;
            check_keys(with_one);
        }
    }
    check_keys(std::array<double, 3>{0.5, -0.0, 2}, phicache::span<const double>(all));
    // Keys that the library joins on the stack, that it does not, and those that have no room here.
    for (const std::size_t length : {100u, 130u, 140u, 509u, 510u, 511u, 512u, 5000u}) {
        check_keys(std::vector<double>(length, 0.25), true);
        check_keys(std::vector<double>(length, -0.25));
        check_keys(phicache::bytes(), std::vector<double>(length, 0.0));
    }
}

void a_function_may_call_its_own_memo_and_others() {
    std::optional<phicache::memo<double(double, const std::vector<double>&)>> sum;
    sum.emplace([&](double n, const std::vector<double>& array) {
        return n == 0 ? 0 : n + (*sum)(n - 1, array) * 0 + (*sum)(n - 1, array);
    });
    CHECK_NEAR((*sum)(100, {1, 2}), 5050, 0);
    CHECK_INFO(*sum, 100, 101, 101);
}

void a_direction_that_is_none_is_an_error() {
    const phicache::memo<int(direction)> memo([](direction) { return 1; });
    for (const int number : {-1, 3}) {
        CHECK_ERROR(phicache::status::error_invalid_argument, memo(static_cast<direction>(number)));
        CHECK(memo.try_call(static_cast<direction>(number)).code() == phicache::status::error_invalid_argument);
    }
    CHECK_INFO(memo, 0, 0, 0);
}

#ifdef __SSE2__
void subnormal_numbers_keep_their_keys_where_arithmetic_takes_them_for_zero() {
    const std::vector<double> numbers{from_bits(1), from_bits(0x8000000000000001), from_bits(0x000fffffffffffff), 0,
                                      -0.0};
    const auto keys = [&] {
        std::vector<std::string> all;
        for (const double number : numbers) {
            all.emplace_back(key::of(number).encode().text());
            all.emplace_back(key::of(std::vector<double>{number, -1}).encode().text());
        }
        return all;
    };
    const std::vector<std::string> expected = keys();
    const unsigned int mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040);  // as a program that is linked with -ffast-math does at its start
    const std::vector<std::string> found = keys();
    for (const double number : numbers) {
        check_keys(number);
        check_keys(std::vector<double>{number, -1});
    }
    _mm_setcsr(mode);
    CHECK(found == expected);
}
#endif

}  // namespace

int main() {
    RUN(numbers_have_the_keys_of_a_builder);
    RUN(arrays_have_the_keys_of_a_builder);
    RUN(a_function_may_call_its_own_memo_and_others);
    RUN(a_direction_that_is_none_is_an_error);
#ifdef __SSE2__
    RUN(subnormal_numbers_keep_their_keys_where_arithmetic_takes_them_for_zero);
#endif
    return check_report();
}
