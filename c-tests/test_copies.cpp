// test_copies.cpp: how often memoize copies what a function returns, and which object the caller gets.
#include "check.hpp"

#include <cmath>
#include <new>
#include <vector>

using phicache::bytes;
using phicache::expected;
using phicache::status;

namespace {

std::size_t allocations = 0, copies = 0;

template <class T>
struct counting {
    using value_type = T;
    counting() = default;
    template <class U>
    counting(const counting<U>&) {}
    T* allocate(std::size_t count) {
        ++allocations;
        return static_cast<T*>(::operator new(count * sizeof(T)));
    }
    void deallocate(T* at, std::size_t) { ::operator delete(at); }
    friend bool operator==(counting, counting) { return true; }
    friend bool operator!=(counting, counting) { return false; }
};
using counted = std::vector<double, counting<double>>;

/// Counts its copies.
struct tracked {
    std::vector<double> numbers;
    tracked() = default;
    explicit tracked(std::size_t count) : numbers(count) {}
    tracked(const tracked& other) : numbers(other.numbers) { ++copies; }
    tracked(tracked&&) = default;
    tracked& operator=(const tracked&) = delete;
    tracked& operator=(tracked&&) = default;
};
void add_to_value(phicache::value_writer& out, const tracked& x) { out.add(x.numbers); }
void read_from_value(phicache::value_reader& in, tracked& x) { in.read(x.numbers); }

void a_vector_costs_one_allocation() {
    phicache::dict_cache cache;
    const phicache::memo<counted(int)> memo{[](int n) { return counted(static_cast<std::size_t>(n)); }};
    const auto compute = [] { return counted(100, 0.5); };
    // On a miss that of the function, which the caller receives; on a hit one.
    for (int turn = 0; turn < 2; ++turn) {
        allocations = 0;
        CHECK_UINT(cache.memoize<counted>("key", compute).size(), 100);
        CHECK_UINT(allocations, 1);
        CHECK_UINT(cache.try_memoize<counted>("try", compute)->size(), 100);
        CHECK_UINT(allocations, 2);
        CHECK_UINT(memo(100).size(), 100);
        CHECK_UINT(allocations, 3);
        CHECK(cache.get<counted>("key")->back() == 0.5);
        CHECK_UINT(allocations, 4);
    }
}

void what_a_function_returns_is_not_copied() {
    phicache::dict_cache cache;
    copies = 0;
    for (int turn = 0; turn < 2; ++turn) {
        CHECK_UINT(cache.memoize<tracked>("key", [] { return tracked(10); }).numbers.size(), 10);
        const auto compute = [] { return expected<tracked>(tracked(10)); };
        CHECK_UINT(cache.try_memoize<tracked>("try", compute)->numbers.size(), 10);
    }
    CHECK_UINT(copies, 0);
}

struct large {
    double numbers[30];
};

void a_large_object_is_the_same_on_a_miss_and_on_a_hit() {
    phicache::dict_cache cache;
    const auto compute = [] {
        large made{};
        made.numbers[29] = 0.5;
        return made;
    };
    for (int turn = 0; turn < 2; ++turn) {
        CHECK(cache.memoize<large>("key", compute).numbers[29] == 0.5);
        CHECK(cache.try_memoize<large>("try", compute)->numbers[29] == 0.5);
    }
    cache.set("other", 1.0);
    CHECK_ERROR(status::error_invalid_argument, cache.memoize<large>("other", compute));
}

void a_verified_hit_returns_the_kept_value_unless_it_differs() {
    phicache::cache_options options;
    options.verify_every = 1;
    options.same = [](bytes, bytes kept, bytes computed) {
        return std::abs(kept.view<double>()[0] - computed.view<double>()[0]) < 0.1;
    };
    phicache::dict_cache cache(options);
    using numbers = std::vector<double>;
    CHECK(cache.memoize<numbers>("key", [] { return numbers{1.0}; })[0] == 1.0);
    CHECK(cache.memoize<numbers>("key", [] { return numbers{1.05}; })[0] == 1.0);
    CHECK(*cache.try_memoize<numbers>("key", [] { return numbers{1.05}; }) == numbers{1.0});
    CHECK(cache.memoize<numbers>("key", [] { return numbers{2.0}; })[0] == 2.0);
    CHECK(cache.memoize<numbers>("key", [] { return numbers{2.05}; })[0] == 2.0);
    CHECK(*cache.try_memoize<numbers>("key", [] { return numbers{3.0}; }) == numbers{3.0});
    CHECK_UINT(cache.stats().differences, 2);
}

}  // namespace

int main() {
    RUN(a_vector_costs_one_allocation);
    RUN(what_a_function_returns_is_not_copied);
    RUN(a_large_object_is_the_same_on_a_miss_and_on_a_hit);
    RUN(a_verified_hit_returns_the_kept_value_unless_it_differs);
    return check_report();
}
