/// test_entries.cpp: entries as a range, and peek.
#include <map>
#include <string>
#include <utility>
#include <vector>
#if __cplusplus >= 202002L
#include <ranges>
#endif

#include "check.hpp"

using phicache::cache_options;
using phicache::dict_cache;
using phicache::status;

namespace {

constexpr int ENTRIES = 2000;

dict_cache cache_of(int entries) {
    dict_cache cache;
    for (int number = 0; number < entries; number++) cache.set(std::to_string(number), number);
    return cache;
}

void a_loop_sees_each_entry_once_and_counts_nothing() {
    const dict_cache cache = cache_of(ENTRIES);
    std::map<std::string, int> seen;
    for (auto& [key, value] : cache.entries()) {
        CHECK(value.origin() == phicache::origin::hit);
        CHECK(seen.emplace(key.text(), value.as<int>()).second);
    }
    CHECK_UINT(seen.size(), ENTRIES);
    for (const auto& [key, number] : seen) CHECK_TEXT(std::to_string(number).c_str(), key.c_str());
    CHECK_INFO(cache, 0, 0, ENTRIES);
    for (const phicache::entry& entry : cache.entries()) {
        CHECK(entry.bytes > sizeof(int) + entry.key.size());
        CHECK(entry.cost.count() >= 0);
    }
    const dict_cache empty;
    CHECK(empty.entries().begin() == phicache::entry_range::sentinel());
}

void the_body_may_change_the_cache() {
    dict_cache cache = cache_of(ENTRIES);
    std::map<std::string, int> seen;
    int next = ENTRIES;
    for (auto& [key, value] : cache.entries()) {
        seen[std::string(key.text())]++;
        if (next < 20 * ENTRIES)
            for (int more = 0; more < 20; more++) cache.set(std::to_string(next++), 0);
        cache.set(std::to_string(next % ENTRIES), -1);
    }
    for (const auto& [key, times] : seen) CHECK_INT(times, 1);
    for (int number = 0; number < ENTRIES; number++) CHECK_UINT(seen.count(std::to_string(number)), 1);
}

void a_value_can_be_kept_with_its_key_longer_than_the_cache() {
    std::vector<std::pair<phicache::bytes, phicache::value>> kept;
    for (auto& [key, value] : cache_of(100).entries()) kept.emplace_back(key, std::move(value));
    CHECK_UINT(kept.size(), 100);
    for (const auto& [key, value] : kept)
        CHECK_TEXT(std::string(key.text()).c_str(), std::to_string(value.as<int>()).c_str());
}

void a_loop_may_end_early_or_by_an_exception() {
    dict_cache cache = cache_of(ENTRIES);
    int seen = 0;
    for (auto& [key, value] : cache.entries()) {
        CHECK(!key.empty() && !value.empty());
        if (++seen == 10) break;
    }
    CHECK_INT(seen, 10);
    try {
        for (const phicache::entry& entry : cache.entries()) throw std::string(entry.key.text());
        CHECK_HAS_THROWN();
    } catch (const std::string& key) {
        CHECK(cache.contains(key));
    }
    cache.clear();
    CHECK_UINT(cache.stats().bytes, 0);
}

void it_can_be_stepped_without_exceptions() {
    const dict_cache cache = cache_of(3);
    phicache::expected<phicache::entry_range> entries = cache.try_entries();
    CHECK(entries.has_value());
    for (int number = 0; number < 3; number++) {
        const phicache::expected<bool> more = entries->try_next();
        CHECK(more && *more && entries->current().value.size() == sizeof(int));
    }
    for (int again = 0; again < 2; again++) {
        const phicache::expected<bool> more = entries->try_next();
        CHECK(more && !*more && entries->current().value.empty() && entries->current().key.empty());
    }
    phicache::entry_range moved = std::move(*entries);
    CHECK(!moved.next());
    CHECK_ERROR(status::error_invalid_argument, entries->next());
}

void all_caches_have_entries() {
    phicache::purview_cache purviews;
    purviews.set(phicache::direction::cause, {0, 1}, std::vector<phicache::node_set>{{0}, {1}});
    int seen = 0;
    for (const phicache::entry& entry : purviews.entries()) {
        CHECK_UINT(entry.value.view<phicache::node_set>().size(), 2);
        seen++;
    }
    for (const phicache::entry& entry : purviews.view().entries()) seen += entry.key.empty() ? 0 : 1;
    CHECK_INT(seen, 2);
}

void a_cache_in_redis_has_none() {
    if ((phicache_features() & PHICACHE_FEATURE_REDIS) == 0) return;
    phicache::config settings;
    settings.settings().set_redis_url("unix:///nowhere/socket");
    const phicache::redis_cache cache(settings);
    CHECK_ERROR(status::error_unsupported, cache.entries());
    CHECK(cache.try_entries().code() == status::error_unsupported);
}

void a_peek_counts_nothing() {
    dict_cache cache = cache_of(1);
    CHECK(cache.peek("0")->as<int>() == 0);
    CHECK(cache.view().peek("0")->as<int>() == 0);
    CHECK(!cache.peek("none"));
    CHECK(cache.try_peek("0")->has_value());
    CHECK_INFO(cache, 0, 0, 1);
    dict_cache moved = std::move(cache);
    CHECK_ERROR(status::error_invalid_argument, cache.peek("0"));
    CHECK(cache.try_peek("0").code() == status::error_invalid_argument);
}

#if __cplusplus >= 202002L && defined(__cpp_lib_ranges)
static_assert(std::ranges::input_range<phicache::entry_range>);
#endif

}  // namespace

int main() {
    RUN(a_loop_sees_each_entry_once_and_counts_nothing);
    RUN(the_body_may_change_the_cache);
    RUN(a_value_can_be_kept_with_its_key_longer_than_the_cache);
    RUN(a_loop_may_end_early_or_by_an_exception);
    RUN(it_can_be_stepped_without_exceptions);
    RUN(all_caches_have_entries);
    RUN(a_cache_in_redis_has_none);
    RUN(a_peek_counts_nothing);
    return check_report();
}
