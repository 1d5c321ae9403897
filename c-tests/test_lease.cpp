/// test_lease.cpp: single flight without callbacks, and the registry of named caches.
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "check.hpp"

using phicache::begin_result;
using phicache::cache_options;
using phicache::dict_cache;
using phicache::lease;
using phicache::status;

namespace {

constexpr std::uint64_t task = 17, other_task = 18;

void the_first_to_begin_computes() {
    dict_cache dict;
    phicache::cache cache = dict;
    begin_result mine = cache.begin("key", task);
    CHECK(mine.status == status::lease);
    CHECK(mine.value.empty());
    REQUIRE(static_cast<bool>(mine.lease));
    CHECK(cache.begin("key", other_task).status == status::busy);
    CHECK_ERROR(status::error_recursion, cache.begin("key", task));
    CHECK(cache.wait("key", 1, other_task).status == status::timeout);
    mine.lease.reserve<double>(3)[0] = 0.5;
    mine.lease.truncate(sizeof(double));
    const phicache::value made = mine.lease.complete();
    CHECK(made.origin() == phicache::origin::computed);
    CHECK_NEAR(made.as<double>(), 0.5, 0.0);
    CHECK(!mine.lease);
    const begin_result found = cache.begin("key", other_task);
    CHECK(found.status == status::ok);
    CHECK_NEAR(found.value.as<double>(), 0.5, 0.0);
    CHECK(!found.lease);
    CHECK_INFO(dict, 1, 1, 1);
}

void a_lease_may_say_what_its_value_costs() {
    dict_cache dict;
    phicache::cache cache = dict;
    begin_result mine = cache.begin("key", task);
    mine.lease.set_cost(std::chrono::hours(1));
    mine.lease.write(std::string("words"));
    mine.lease.complete();
    CHECK_UINT(dict.stats().compute_ns, 3600000000000u);
    CHECK_ERROR(status::error_invalid_argument, mine.lease.set_cost(std::chrono::hours(1)));
}

void a_destroyed_lease_is_abandoned() {
    dict_cache dict;
    phicache::cache cache = dict;
    { const begin_result mine = cache.begin("key", task); }
    CHECK(cache.wait("key", 0, other_task).status == status::miss);
    begin_result again = cache.begin("key", other_task);
    CHECK(again.status == status::lease);
    lease moved = std::move(again.lease);
    CHECK_MESSAGE("the lease was moved from", again.lease.complete());
    CHECK_ERROR(status::error_invalid_argument, again.lease.reserve(1));
    moved.write(std::string("words"));
    CHECK_CHARS(moved.complete(), "words");
}

void an_owner_that_finds_a_value_no_longer_waits() {
    dict_cache dict;
    phicache::cache cache = dict;
    cache.set("found", 1.0);
    const begin_result mine = cache.begin("mine", task), theirs = cache.begin("theirs", other_task);
    CHECK(cache.wait("mine", 0, other_task).status == status::timeout);
    CHECK(cache.begin("found", other_task).status == status::ok);
    // Otherwise the two would wait for each other, and this one would have to compute.
    CHECK(cache.wait("theirs", 0, task).status == status::timeout);
}

void a_waiting_thread_gets_the_value_another_completes() {
    dict_cache dict;
    phicache::cache cache = dict;
    begin_result mine = cache.begin("key", task);
    std::thread worker([lease = std::move(mine.lease)]() mutable {
        lease.write(42);
        lease.complete();
    });
    begin_result answer;
    do answer = cache.wait("key", 100, other_task);
    while (answer.status == status::timeout);
    worker.join();
    CHECK(answer.status == status::ok);
    CHECK_INT(answer.value.as<int>(), 42);
}

void begin_and_memoize_are_one_flight() {
    dict_cache cache;
    const int made = cache.memoize<int>("key", [&] {
        CHECK(cache.view().begin("key", task).status == status::busy);
        CHECK(cache.view().try_begin("key").code() == status::error_recursion);
        return 3;
    });
    CHECK_INT(made, 3);
    CHECK(cache.view().begin("key").status == status::ok);
    CHECK_ERROR(status::error_invalid_argument, cache.view().begin(phicache::bytes(nullptr, 1)));
    CHECK(cache.view().try_wait(phicache::bytes(nullptr, 1), 0).code() == status::error_invalid_argument);
}

bool lists(const char* name) {
    for (const phicache_registry_item& item : phicache::registry::list()) {
        if (std::string(item.name) == name) return true;
    }
    return false;
}

void named_caches_are_listed_while_they_live() {
    CHECK(phicache::registry::list().empty());
    dict_cache anonymous;
    {
        dict_cache second(cache_options{"second"}), first(cache_options{"first"});
        first.set("key", 1);
        const std::vector<phicache_registry_item> items = phicache::registry::list();
        REQUIRE(items.size() == 2);
        CHECK_TEXT(items[0].name, "first");
        CHECK_UINT(items[0].info.size, 1);
        CHECK_INT(items[0].kind, PHICACHE_KIND_DICT);
        CHECK_TEXT(items[1].name, "second");
        CHECK_UINT(items[1].info.size, 0);
        const dict_cache moved = std::move(first);
        CHECK(lists("first"));
    }
    CHECK(!lists("first") && !lists("second"));
}

void a_named_cache_can_be_used_by_its_name() {
    dict_cache one(cache_options{"one"}), other(cache_options{"other"});
    one.set("key", 1);
    other.set("key", 1);
    one.get("key");
    CHECK_UINT(phicache::registry::info("one").hits, 1);
    CHECK_UINT(phicache::registry::stats(std::string("one")).stores, 1);
    phicache::registry::clear("one");
    CHECK_INFO(one, 0, 0, 0);
    CHECK_UINT(other.size(), 1);
    phicache::registry::clear_all();
    CHECK_UINT(other.size(), 0);
    CHECK_ERROR(status::error_invalid_argument, phicache::registry::info("nobody"));
    CHECK_ERROR(status::error_invalid_argument, phicache::registry::stats("nobody"));
    CHECK_ERROR(status::error_invalid_argument, phicache::registry::clear("nobody"));
}

}  // namespace

int main() {
    RUN(the_first_to_begin_computes);
    RUN(a_lease_may_say_what_its_value_costs);
    RUN(a_destroyed_lease_is_abandoned);
    RUN(an_owner_that_finds_a_value_no_longer_waits);
    RUN(a_waiting_thread_gets_the_value_another_completes);
    RUN(begin_and_memoize_are_one_flight);
    RUN(named_caches_are_listed_while_they_live);
    RUN(a_named_cache_can_be_used_by_its_name);
    return check_report();
}
