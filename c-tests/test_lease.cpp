/// test_lease.cpp: single flight without callbacks, and the registry of named caches.
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "check.hpp"

using phicache::cache_options;
using phicache::dict_cache;
using phicache::lease;
using phicache::status;
using phicache::turn;

namespace {

constexpr std::uint64_t task = 17, other_task = 18;

void who_begins_first_computes() {
    dict_cache dict;
    phicache::cache cache = dict;
    turn mine = cache.begin("key", task);
    CHECK(mine.code == status::lease);
    CHECK(mine.found.empty());
    REQUIRE(static_cast<bool>(mine.duty));
    CHECK(cache.begin("key", other_task).code == status::busy);
    CHECK_ERROR(status::error_recursion, cache.begin("key", task));
    CHECK(cache.wait("key", 1, other_task).code == status::timeout);
    mine.duty.reserve<double>(3)[0] = 0.5;
    mine.duty.truncate(sizeof(double));
    const phicache::value made = mine.duty.complete();
    CHECK(made.origin() == phicache::origin::computed);
    CHECK_NEAR(made.as<double>(), 0.5, 0.0);
    CHECK(!mine.duty);
    const turn found = cache.begin("key", other_task);
    CHECK(found.code == status::ok);
    CHECK_NEAR(found.found.as<double>(), 0.5, 0.0);
    CHECK(!found.duty);
    CHECK_INFO(dict, 1, 1, 1);
}

void a_lease_that_is_destroyed_is_given_up() {
    dict_cache dict;
    phicache::cache cache = dict;
    { const turn mine = cache.begin("key", task); }
    CHECK(cache.wait("key", 0, other_task).code == status::miss);
    turn again = cache.begin("key", other_task);
    CHECK(again.code == status::lease);
    lease moved = std::move(again.duty);
    CHECK_ERROR(status::error_invalid_argument, again.duty.complete());
    CHECK_ERROR(status::error_invalid_argument, again.duty.reserve(1));
    moved.write(std::string("words"));
    CHECK_CHARS(moved.complete(), "words");
}

void another_thread_completes_and_the_waiting_one_gets_it() {
    dict_cache dict;
    phicache::cache cache = dict;
    turn mine = cache.begin("key", task);
    std::thread worker([duty = std::move(mine.duty)]() mutable {
        duty.write(42);
        duty.complete();
    });
    turn answer;
    do answer = cache.wait("key", 100, other_task);
    while (answer.code == status::timeout);
    worker.join();
    CHECK(answer.code == status::ok);
    CHECK_INT(answer.found.as<int>(), 42);
}

void begin_and_memoize_are_one_flight() {
    dict_cache cache;
    const int made = cache.memoize<int>("key", [&] {
        CHECK(cache.view().begin("key", task).code == status::busy);
        CHECK(cache.view().try_begin("key").code() == status::error_recursion);
        return 3;
    });
    CHECK_INT(made, 3);
    CHECK(cache.view().begin("key").code == status::ok);
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

void a_named_cache_is_reached_by_its_name() {
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
    RUN(who_begins_first_computes);
    RUN(a_lease_that_is_destroyed_is_given_up);
    RUN(another_thread_completes_and_the_waiting_one_gets_it);
    RUN(begin_and_memoize_are_one_flight);
    RUN(named_caches_are_listed_while_they_live);
    RUN(a_named_cache_is_reached_by_its_name);
    return check_report();
}
