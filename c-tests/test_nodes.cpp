/// test_nodes.cpp: node sets.
#include <set>
#include <string>
#include <vector>

#include "check.hpp"

using phicache::node_set;
using phicache::status;

namespace {

static_assert(node_set{0, 2}.mask() == 5, "a set is known when a program is compiled");
static_assert(node_set::first(3) == node_set{0, 1, 2});
static_assert((node_set{0, 1} | node_set{2}).size() == 3);
static_assert(!std::is_convertible_v<std::uint64_t, node_set> && !std::is_constructible_v<node_set, std::uint64_t>,
              "a number is a mask only by from_mask, and an index only between braces");

void a_set_is_created_from_indices_or_a_mask() {
    CHECK((node_set{0, 2} == node_set::from_mask(5)));
    CHECK(node_set{5} == node_set::from_mask(32));
    CHECK((node_set{2, 0, 2}) == node_set::from_mask(5));
    CHECK_UINT((node_set{63}).mask(), 1ull << 63);
    const std::vector<int> indices{4, 1};
    CHECK((node_set(indices.begin(), indices.end()) == node_set{1, 4}));
    const std::set<std::size_t> unsigned_indices{63, 0};
    CHECK((node_set(unsigned_indices.begin(), unsigned_indices.end()) == node_set{0, 63}));
    CHECK(node_set::first(0).empty());
    CHECK_UINT(node_set::first(64).mask(), ~0ull);
}

void indices_outside_the_mask_are_errors() {
    CHECK_ERROR(status::error_invalid_argument, node_set{64});
    CHECK_ERROR(status::error_invalid_argument, node_set{-1});
    CHECK_ERROR(status::error_invalid_argument, node_set().insert(64));
    CHECK_ERROR(status::error_invalid_argument, node_set::first(65));
}

void a_set_is_iterated_in_ascending_order() {
    CHECK((node_set{63, 5, 0}).indices() == std::vector<int>({0, 5, 63}));
    std::string seen;
    for (int node : node_set{3, 1}) seen += std::to_string(node);
    CHECK_TEXT(seen.c_str(), "13");
    CHECK(node_set().begin() == node_set().end());
}

void sets_combine() {
    const node_set a{0, 1, 2}, b{2, 3};
    CHECK((a | b) == node_set({0, 1, 2, 3}));
    CHECK((a & b) == node_set{2});
    CHECK((a - b) == node_set({0, 1}));
    CHECK(a != b);
    CHECK((node_set{1}).is_subset_of(a) && !b.is_subset_of(a) && node_set().is_subset_of(b));
    CHECK(a.contains(2) && !a.contains(3) && !a.contains(-1) && !a.contains(64));
    CHECK_UINT(a.size(), 3);
    CHECK(node_set().empty() && !a.empty());
    CHECK_UINT((std::set<node_set>{a, b, a}).size(), 2);
}

}  // namespace

int main() {
    RUN(a_set_is_created_from_indices_or_a_mask);
    RUN(indices_outside_the_mask_are_errors);
    RUN(a_set_is_iterated_in_ascending_order);
    RUN(sets_combine);
    return check_report();
}
