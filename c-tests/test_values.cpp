/// test_values.cpp: C++ types as bytes and back, and the guarantees of pinned values.
#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#if __has_include(<span>)
#include <span>
#endif

#include "check.hpp"

using phicache::bytes;
using phicache::dict_cache;
using phicache::status;
using phicache::value;

namespace {

struct point {
    double x;
    std::int32_t label;
    std::int32_t color;
};
bool operator==(const point& a, const point& b) { return a.x == b.x && a.label == b.label && a.color == b.color; }

enum class mode : std::uint8_t { off, on };

static_assert(!std::is_copy_constructible_v<value> && !std::is_copy_assignable_v<value>);
static_assert(std::is_nothrow_move_constructible_v<value> && std::is_nothrow_move_assignable_v<value>);
static_assert(std::is_nothrow_destructible_v<value> && std::is_nothrow_destructible_v<dict_cache>);
static_assert(!std::is_copy_constructible_v<dict_cache> && std::is_nothrow_move_constructible_v<dict_cache>);
static_assert(!std::is_convertible_v<std::vector<int*>, bytes>, "addresses are no values");
static_assert(!std::is_convertible_v<std::vector<std::string>, bytes>, "neither are elements that own something");
static_assert(!std::is_convertible_v<double, bytes>, "one object becomes bytes by bytes_of, on purpose");

template <class T>
void check_round_trip(const T& original) {
    dict_cache cache;
    CHECK(cache.set("key", original).stored());
    const std::optional<T> copied = cache.get<T>("key");
    REQUIRE(copied.has_value());
    CHECK(*copied == original);
    const std::optional<value> pinned = cache.get("key");
    REQUIRE(pinned.has_value());
    CHECK(pinned->as<T>() == original);
    CHECK(pinned->try_as<T>().has_value());
    CHECK(cache.memoize<T>("key", []() -> T { throw 1; }) == original);
}

void trivially_copyable_objects_are_read_back() {
    check_round_trip(0.1);
    check_round_trip(std::int8_t{-1});
    check_round_trip(true);
    check_round_trip(mode::on);
    check_round_trip(point{0.5, 7, -1});
    check_round_trip(std::array<double, 3>{1, 2, 3});
    check_round_trip(std::array<double, 0>{});
    check_round_trip(std::array<std::array<int, 2>, 0>{});
    check_round_trip(phicache::node_set{1, 63});
}

void vectors_and_strings_are_read_back() {
    check_round_trip(std::vector<double>{0.25, -1, 1e300});
    check_round_trip(std::vector<point>{{1, 2, 3}, {4, 5, 6}});
    check_round_trip(std::vector<std::uint8_t>{});
    check_round_trip(std::string("a text with\0a NUL", 17));
    check_round_trip(std::string());
    check_round_trip(std::u16string(u"\u03c6"));
}

void views_are_stored_as_their_elements() {
    dict_cache cache;
    const double numbers[] = {1, 2, 3};
    cache.set("array", numbers);
    cache.set("span", phicache::span<const double>(numbers, 2));
    cache.set("text", "literal");
    cache.set("view", std::string_view("a view").substr(2));
    cache.set("pointer", bytes(static_cast<const void*>(numbers), 8));
    CHECK(cache.get<std::vector<double>>("array") == std::vector<double>({1, 2, 3}));
    CHECK(cache.get<std::vector<double>>("span") == std::vector<double>({1, 2}));
    CHECK(cache.get<std::string>("text") == std::string("literal"));
    CHECK(cache.get<std::string>("view") == std::string("view"));
    CHECK(cache.get<double>("pointer") == 1.0);
    cache.set("copied", *cache.get("array"));
    CHECK(cache.get<std::vector<double>>("copied") == std::vector<double>({1, 2, 3}));
}

void equal_bytes_of_any_type_are_one_key() {
    dict_cache cache;
    const std::string text = "key";
    const std::vector<char> letters{'k', 'e', 'y'};
    const std::array<unsigned char, 3> raw{'k', 'e', 'y'};
    cache.set(text, 1);
    CHECK(cache.contains("key"));
    CHECK(cache.contains(std::string_view("a key").substr(2)));
    CHECK(cache.contains(letters));
    CHECK(cache.contains(raw));
    CHECK(cache.contains(bytes("keys", 3)));
    CHECK(!cache.contains("keys"));
    const std::int64_t number = 5;
    cache.set(phicache::bytes_of(number), 2);
    CHECK(cache.contains(std::vector<std::int64_t>{5}));
    cache.set(bytes(), 3);
    CHECK(cache.contains(""));
    CHECK(cache.contains(std::vector<double>()));
    CHECK(bytes(letters) == bytes(raw));
    CHECK(bytes(letters) != bytes("ke"));
}

void an_empty_value_is_a_value() {
    dict_cache cache;
    CHECK(cache.set("key", std::vector<double>()).stored());
    const std::optional<value> found = cache.get("key");
    REQUIRE(found.has_value());
    CHECK(found->empty());
    CHECK_UINT(found->size(), 0);
    CHECK(found->begin() == found->end());
    CHECK(found->view<double>().empty());
    CHECK(found->as<std::vector<double>>().empty());
    CHECK(found->as<std::string>().empty());
    CHECK(found->text().empty());
    CHECK_ERROR(status::error_invalid_argument, found->as<double>());
    CHECK(!cache.get("other").has_value());
}

void a_large_value_is_read_completely() {
    phicache::config unlimited;
    unlimited.settings().set_maximum_memory_percent(phicache::memory_unlimited);
    dict_cache cache(unlimited);
    std::vector<std::uint64_t> numbers(4u << 20);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = i * 0x9E3779B97F4A7C15u;
    REQUIRE(cache.set("large", numbers).stored());
    const std::optional<value> found = cache.get("large");
    REQUIRE(found.has_value());
    const phicache::span<const std::uint64_t> seen = found->view<std::uint64_t>();
    CHECK_BYTES(seen.data(), seen.size() * 8, numbers.data(), numbers.size() * 8);
}

void a_value_of_another_size_is_an_error() {
    dict_cache cache;
    cache.set("key", std::string("seven!!"));
    CHECK_ERROR(status::error_invalid_argument, cache.get<double>("key"));
    CHECK_ERROR(status::error_invalid_argument, cache.get<std::array<char, 6>>("key"));
    CHECK_ERROR(status::error_invalid_argument, cache.get<std::vector<std::int16_t>>("key"));
    CHECK_ERROR(status::error_invalid_argument, cache.memoize<std::int32_t>("key", [] { return 1; }));
    const std::optional<value> found = cache.get("key");
    REQUIRE(found.has_value());
    CHECK_ERROR(status::error_invalid_argument, found->as<std::int16_t>());
    CHECK_ERROR(status::error_invalid_argument, found->view<std::int16_t>());
    CHECK(found->try_as<double>().code() == status::error_invalid_argument);
    CHECK(found->try_view<double>().code() == status::error_invalid_argument);
    CHECK(cache.try_get<double>("key").code() == status::error_invalid_argument);
    CHECK_CONTAINS(cache.try_get<double>("key").error().what(), "size");
}

void a_view_is_the_cache_own_memory() {
    dict_cache cache;
    cache.set("key", std::vector<double>{1, 2, 3});
    const value found = *cache.get("key");
    const phicache::span<const double> view = found.view<double>();
    CHECK(static_cast<const void*>(view.data()) == found.data());
    CHECK_UINT(reinterpret_cast<std::uintptr_t>(found.data()) % 16, 0);
    CHECK_UINT(view.size(), 3);
    double sum = 0;
    for (double number : view) sum += number;
    CHECK_NEAR(sum, 6.0, 0.0);
    const std::optional<value> again = cache.get("key");
    REQUIRE(again.has_value());
    CHECK(again->data() == found.data());
}

void bytes_that_are_not_aligned_have_no_view() {
    alignas(8) char memory[24] = {};
    CHECK_UINT(bytes(memory, 16).view<double>().size(), 2);
    CHECK_ERROR(status::error_invalid_argument, bytes(memory + 1, 16).view<double>());
    CHECK_UINT(bytes(memory + 1, 16).view<char>().size(), 16);
}

void a_pinned_value_outlives_its_entry_and_its_cache() {
    std::optional<dict_cache> cache(std::in_place);
    cache->set("key", "the first");
    const value first = *cache->get("key");
    cache->set("key", "the second");
    const value second = *cache->get("key");
    CHECK(cache->remove("key"));
    cache->clear();
    cache.reset();
    CHECK_CHARS(first, "the first");
    CHECK_CHARS(second, "the second");
}

void a_value_moves_and_leaves_nothing_behind() {
    dict_cache cache;
    cache.set("key", "words");
    cache.set("other", "more words");
    value first = *cache.get("key");
    const value second = std::move(first);
    CHECK_CHARS(second, "words");
    CHECK(first.empty());
    CHECK(first.data() == nullptr);
    CHECK(first.raw().pin == nullptr);
    CHECK(first.as<std::string>().empty());
    first = *cache.get("other");
    CHECK_CHARS(first, "more words");
    value& same = first;
    first = std::move(same);
    CHECK_CHARS(first, "more words");
    first.reset();
    CHECK(first.empty());
    first.reset();
    CHECK(value().empty());
}

void a_pin_lasts_until_it_is_replaced_or_destroyed() {
    dict_cache cache;
    cache.set("key", std::vector<double>(100));
    const std::uint64_t one_entry = cache.stats().bytes;
    value pinned = *cache.get("key");
    cache.set("key", std::vector<double>(100));
    CHECK(cache.stats().bytes > one_entry);
    pinned = *cache.get("key");
    CHECK_UINT(cache.stats().bytes, one_entry);
    cache.set("key", std::vector<double>(100));
    CHECK(cache.stats().bytes > one_entry);
    CHECK_OK(phicache_dict_cache_get(cache.handle(), bytes("key"), pinned.out()));
    CHECK_UINT(cache.stats().bytes, one_entry);
}

void a_pin_can_be_handed_to_c_and_taken_back() {
    dict_cache cache;
    cache.set("key", "words");
    value pinned = *cache.get("key");
    phicache_value raw = pinned.release();
    CHECK(pinned.empty());
    cache.clear();
    CHECK_CHARS(bytes(raw.data, raw.len), "words");
    const value back(raw);
    CHECK_CHARS(back, "words");
    value filled;
    cache.set("key", "C's");
    CHECK_OK(phicache_dict_cache_get(cache.handle(), bytes("key"), filled.out()));
    CHECK_CHARS(filled, "C's");
}

void values_have_an_origin() {
    dict_cache cache;
    const value made = cache.memoize("key", [] { return 1; });
    CHECK(made.origin() == phicache::origin::computed);
    CHECK(made.is_stored());
    CHECK(made.refusal() == status::ok);
    CHECK(cache.memoize("key", [] { return 2; }).origin() == phicache::origin::hit);
    CHECK(cache.get("key")->origin() == phicache::origin::hit);
    dict_cache tiny(phicache::cache_options{{}, 1});
    const value refused = tiny.memoize("key", [] { return 1; });
    CHECK(refused.origin() == phicache::origin::not_stored);
    CHECK(!refused.is_stored());
    CHECK(refused.refusal() == status::refused_capacity);
    CHECK_INT(refused.as<int>(), 1);
    const value out_of_memory(phicache_value{nullptr, 0, nullptr, PHICACHE_ORIGIN_NOT_STORED, 0});
    CHECK(out_of_memory.origin() == phicache::origin::not_stored);
    CHECK(out_of_memory.refusal() == status::error_out_of_memory);
}

/// As getenv returns it. Volatile, so that the compiler does not see that it is null.
const char* volatile unset = nullptr;

void a_null_pointer_given_as_text_is_an_error() {
    dict_cache cache;
    const char* const null = unset;
    const auto code = status::error_invalid_argument;
    CHECK_ERROR(code, cache.get(null));
    CHECK_ERROR(code, cache.set(null, 1));
    CHECK_ERROR(code, cache.set("key", null));
    CHECK_ERROR(code, cache.remove(null));
    CHECK_ERROR(code, cache.memoize<int>(null, [] { return 1; }));
    CHECK_ERROR(code, cache.memoize<std::string>("key", [null] { return null; }));
    CHECK_ERROR(code, cache.memoize("key", [null](phicache::result& out) { (void)out.try_write(null); }));
    CHECK_ERROR(code, cache.memoize<int>({"key", null}, [] { return 1; }));
    CHECK_ERROR(code, cache.view().get_many({null, "key"}));
    CHECK_ERROR(code, phicache::key_bytes::of("key", null));
    CHECK_ERROR(code, phicache::memo{[](bytes) { return 1; }}(null));
    CHECK_ERROR(code, phicache::memo{[null](int) { return null; }}(1));
    CHECK_MESSAGE("key is NULL", cache.get(null));
    CHECK(cache.try_get(null).code() == code);
    CHECK_UINT(cache.size(), 0);
}

#if defined(__cpp_lib_span)
void std_span_converts_to_and_from_our_span() {
    dict_cache cache;
    std::vector<double> numbers{1, 2, 3};
    CHECK(cache.set(std::span<const double>(numbers).first(2), std::span<double>(numbers)).stored());
    const value found = *cache.get(std::span<double>(numbers.data(), 2));
    const std::span<const double> seen = found.view<double>();
    CHECK_UINT(seen.size(), 3);
    CHECK_NEAR(seen[2], 3.0, 0.0);
    const std::span<double> written = phicache::span<double>(numbers);
    written[0] = 9;
    CHECK_NEAR(numbers[0], 9.0, 0.0);
}
#endif

}  // namespace

int main() {
    RUN(trivially_copyable_objects_are_read_back);
    RUN(vectors_and_strings_are_read_back);
    RUN(views_are_stored_as_their_elements);
    RUN(equal_bytes_of_any_type_are_one_key);
    RUN(an_empty_value_is_a_value);
    RUN(a_large_value_is_read_completely);
    RUN(a_value_of_another_size_is_an_error);
    RUN(a_view_is_the_cache_own_memory);
    RUN(bytes_that_are_not_aligned_have_no_view);
    RUN(a_pinned_value_outlives_its_entry_and_its_cache);
    RUN(a_value_moves_and_leaves_nothing_behind);
    RUN(a_pin_lasts_until_it_is_replaced_or_destroyed);
    RUN(a_pin_can_be_handed_to_c_and_taken_back);
    RUN(values_have_an_origin);
    RUN(a_null_pointer_given_as_text_is_an_error);
#if defined(__cpp_lib_span)
    RUN(std_span_converts_to_and_from_our_span);
#endif
    return check_report();
}
