/// test_purview.cpp: the purview cache.
#include <stdexcept>
#include <utility>
#include <vector>

#include "check.hpp"

using phicache::direction;
using phicache::node_set;
using phicache::purview_cache;
using phicache::purview_list;
using phicache::status;

namespace {

const std::vector<node_set> some{{0, 1}, {2}, {0}};

/// A cache that stores regardless of the environment.
purview_cache storing() {
    phicache::config config;
    config.settings().set_cache_potential_purviews(true);
    return purview_cache(config);
}

void a_list_keeps_its_order() {
    purview_cache cache = storing();
    CHECK(!cache.get(direction::cause, {0}).has_value());
    CHECK(cache.set(direction::cause, {0}, some).stored());
    const std::optional<purview_list> found = cache.get(direction::cause, {0});
    REQUIRE(found.has_value());
    CHECK(found->copy() == some);
    CHECK_UINT(found->size(), 3);
    CHECK((*found)[1] == node_set{2});
    std::size_t seen = 0;
    for (node_set purview : *found) CHECK(purview == some[seen++]);
    CHECK_UINT(seen, 3);
    CHECK_INFO(cache, 1, 1, 1);
}

void directions_and_mechanisms_are_keys() {
    purview_cache cache = storing();
    cache.set(direction::cause, {0}, some);
    CHECK(!cache.get(direction::effect, {0}).has_value());
    CHECK(!cache.get(direction::cause, {1}).has_value());
    cache.set(direction::effect, {0}, {node_set{1}, node_set{0}});
    CHECK(cache.get(direction::effect, {0})->copy() == std::vector<node_set>({{1}, {0}}));
    CHECK_UINT(cache.size(), 2);
}

void an_empty_list_is_a_value() {
    purview_cache cache = storing();
    CHECK(cache.set(direction::cause, {0}, {}).stored());
    const std::optional<purview_list> found = cache.get(direction::cause, {0});
    REQUIRE(found.has_value());
    CHECK(found->empty() && found->begin() == found->end());
}

void memoize_computes_once() {
    purview_cache cache = storing();
    int calls = 0;
    const auto compute = [&] { return ++calls, some; };
    CHECK(cache.memoize(direction::cause, {0}, compute).copy() == some);
    CHECK(cache.memoize(direction::cause, {0}, compute).copy() == some);
    CHECK(cache.memoize(direction::cause, {0}, compute).pinned().origin() == phicache::origin::hit);
    CHECK(cache.try_memoize(direction::cause, {0}, compute)->copy() == some);
    CHECK_INT(calls, 1);
    CHECK(cache.memoize(direction::cause, {1}, [] { return std::vector<std::uint64_t>{5}; }).copy() ==
          std::vector<node_set>({{0, 2}}));
    CHECK(cache.memoize(direction::cause, {2}, [](phicache::result& out) { out.reserve<node_set>(1)[0] = {4}; })[0] ==
          node_set{4});
    CHECK_ERROR(status::error_invalid_argument,
                cache.memoize(direction::cause, {3}, [](phicache::result& out) { out.reserve(7); }));
    try {
        cache.memoize(direction::effect, {0}, []() -> std::vector<node_set> { throw std::logic_error("no purviews"); });
        CHECK_HAS_THROWN();
    } catch (const std::logic_error& caught) {
        CHECK_TEXT(caught.what(), "no purviews");
    }
    CHECK(!cache.get(direction::effect, {0}).has_value());
}

void it_stores_only_while_it_is_switched_on() {
    phicache::config config;
    config.settings().set_cache_potential_purviews(false);
    purview_cache cache(config);
    CHECK(cache.set(direction::cause, {0}, some) == status::refused_disabled);
    const purview_list made = cache.memoize(direction::cause, {0}, [] { return some; });
    CHECK(made.copy() == some);
    CHECK(made.pinned().refusal() == status::refused_disabled);
    CHECK_UINT(cache.size(), 0);
    config.settings().set_cache_potential_purviews(true);
    CHECK(cache.set(direction::cause, {0}, some).stored());
}

void a_list_stays_pinned() {
    purview_cache cache = storing();
    cache.set(direction::cause, {0}, some);
    purview_list list = *cache.get(direction::cause, {0});
    cache.clear();
    cache = storing();
    CHECK(list.copy() == some);
    const purview_list moved = std::move(list);
    CHECK(moved.copy() == some);
    CHECK(list.empty());
    CHECK(purview_list().empty());
}

void a_view_and_figures_are_there() {
    purview_cache cache = storing();
    cache.set(direction::cause, {0}, some);
    const phicache::cache view = cache;
    CHECK_UINT(view.size(), 1);
    CHECK_UINT(cache.stats().stores, 1);
    cache.clear();
    CHECK_INFO(cache, 0, 0, 0);
}

void errors_are_errors() {
    purview_cache cache = storing();
    CHECK_ERROR(status::error_invalid_argument, cache.get(static_cast<direction>(5), {0}));
    CHECK_ERROR(status::error_invalid_argument, cache.set(static_cast<direction>(-1), {0}, some));
    CHECK(cache.try_get(static_cast<direction>(5), {0}).code() == status::error_invalid_argument);
    CHECK(cache.try_set(static_cast<direction>(5), {0}, some).code() == status::error_invalid_argument);
    const purview_cache moved = std::move(cache);
    CHECK_ERROR(status::error_invalid_argument, cache.get(direction::cause, {0}));
    CHECK_ERROR(status::error_invalid_argument, cache.set(direction::cause, {0}, some));
    CHECK_ERROR(status::error_invalid_argument, cache.memoize(direction::cause, {0}, [] { return some; }));
    CHECK_ERROR(status::error_invalid_argument, cache.clear());
    CHECK_ERROR(status::error_invalid_argument, cache.view());
}

}  // namespace

int main() {
    RUN(a_list_keeps_its_order);
    RUN(directions_and_mechanisms_are_keys);
    RUN(an_empty_list_is_a_value);
    RUN(memoize_computes_once);
    RUN(it_stores_only_while_it_is_switched_on);
    RUN(a_list_stays_pinned);
    RUN(a_view_and_figures_are_there);
    RUN(errors_are_errors);
    return check_report();
}
