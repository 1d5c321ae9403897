// test_expected.cpp: phicache::expected holds a value or a failure through copies, moves and assignments, destroys each
// value once, and copies only what can be copied. phicache_fwd.hpp declares what phicache.hpp defines.
#include <phicache_fwd.hpp>

namespace {

// Declared before any type is complete.
double phi_of(const phicache::mice<>& record);
phicache::expected<double> phi_in(phicache::dict_cache& cache, const phicache::key_bytes& key);

}  // namespace

#include "check.hpp"

#include <memory>
#include <string>
#include <type_traits>

using phicache::expected;
using phicache::failure;
using phicache::status;

namespace {

double phi_of(const phicache::mice<>& record) { return record.phi; }

phicache::expected<double> phi_in(phicache::dict_cache& cache, const phicache::key_bytes& key) {
    return cache.try_memoize<double>(key, [] { return 0.5; });
}

void forward_declarations_agree_with_the_definitions() {
    phicache::dict_cache cache;
    CHECK(*phi_in(cache, phicache::key_bytes{"a", "b"}) == 0.5);
    phicache::mice<> record;
    record.phi = 0.25;
    CHECK(phi_of(record) == 0.25);
}

const failure broken(status::error_damaged, "broken");

int alive = 0;
bool fails = false;

/// Counts the objects; its copies fail on request.
struct counted {
    int number;
    explicit counted(int n) : number(n) { ++alive; }
    counted(const counted& other) : number(other.number) {
        if (fails) throw number;
        ++alive;
    }
    counted& operator=(const counted&) = default;
    ~counted() { --alive; }
};

void each_value_is_destroyed_once() {
    {
        expected<counted> five(std::in_place, 5);
        CHECK_INT(alive, 1);
        expected<counted> copy = five;
        CHECK_INT(alive, 2);
        CHECK_INT(copy->number, 5);
        copy = expected<counted>(std::in_place, 6);
        CHECK_INT(alive, 2);
        CHECK_INT(copy.value().number, 6);
        copy = broken;
        CHECK_INT(alive, 1);
        CHECK(copy.code() == status::error_damaged);
        const expected<counted>& itself = copy;
        copy = itself;
        copy = copy.error();
        CHECK_TEXT(copy.error().what(), "broken");
        five = copy;
        CHECK_INT(alive, 0);
        copy = expected<counted>(std::in_place, 7);
        five = copy;
        CHECK_INT(alive, 2);
        CHECK_INT((*five).number, 7);
    }
    CHECK_INT(alive, 0);
}

void a_copy_that_fails_leaves_no_value() {
    {
        expected<counted> target(std::in_place, 1);
        const expected<counted> source(std::in_place, 2);
        fails = true;
        try {
            target = source;
            CHECK_HAS_THROWN();
        } catch (int number) {
            CHECK_INT(number, 2);
        }
        fails = false;
        CHECK(!target.has_value());
        CHECK_INT(alive, 1);
    }
    CHECK_INT(alive, 0);
}

void values_that_only_move_are_moved() {
    static_assert(!std::is_copy_constructible_v<expected<std::unique_ptr<int>>>);
    static_assert(std::is_nothrow_move_constructible_v<expected<std::unique_ptr<int>>>);
    static_assert(std::is_copy_constructible_v<expected<std::string>>);
    static_assert(std::is_trivially_copyable_v<expected<double>>);
    expected<std::unique_ptr<int>> made(std::make_unique<int>(3));
    expected<std::unique_ptr<int>> moved(std::move(made));
    CHECK_INT(**moved, 3);
    made = std::move(moved);
    const std::unique_ptr<int> out = std::move(made).value();
    CHECK_INT(*out, 3);
}

void a_failure_is_thrown_where_a_value_is_read() {
    expected<double> number = broken;
    expected<std::string> text = broken;
    CHECK(!number);
    CHECK_ERROR(status::error_damaged, number.value());
    CHECK_ERROR(status::error_damaged, *number);
    CHECK_ERROR(status::error_damaged, *std::as_const(number));
    CHECK_ERROR(status::error_damaged, *std::move(text));
    CHECK_ERROR(status::error_damaged, text->size());
    CHECK_ERROR(status::error_damaged, std::as_const(text)->size());
    number = expected<double>(0.5);
    CHECK(number.value() == 0.5);
    CHECK(number.code() == status::ok);
}

}  // namespace

int main() {
    RUN(forward_declarations_agree_with_the_definitions);
    RUN(each_value_is_destroyed_once);
    RUN(a_copy_that_fails_leaves_no_value);
    RUN(values_that_only_move_are_moved);
    RUN(a_failure_is_thrown_where_a_value_is_read);
    return check_report();
}
