/// test_cache.cpp: dict_cache and its view `cache`: lookups, outcomes, statistics, sharing, ownership.
/// (Functions given to memoize are in test_memoize.cpp, types as bytes in test_values.cpp.)
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "check.hpp"

using phicache::cache_options;
using phicache::dict_cache;
using phicache::outcome;
using phicache::status;

namespace {

phicache::fingerprint identity_of(const char* context) {
    const std::vector<double> tpm{0, 1};
    return phicache::fingerprint::of_network(tpm, {phicache::node_set{0}}, context);
}

void a_miss_is_an_empty_optional_and_counts() {
    dict_cache cache;
    CHECK(!cache.get("key").has_value());
    CHECK(!cache.get<double>("key").has_value());
    CHECK(!cache.get<std::string>("key").has_value());
    CHECK_INFO(cache, 0, 3, 0);
}

void a_stored_value_is_found_and_counts() {
    dict_cache cache;
    CHECK(cache.set("key", 0.5) == status::ok);
    CHECK(cache.get<double>("key") == 0.5);
    CHECK(cache.set("key", 1.5).stored());
    CHECK(cache.get<double>("key") == 1.5);
    CHECK(cache.get("key").has_value());
    CHECK_INFO(cache, 3, 0, 1);
    CHECK_UINT(cache.size(), 1);
    CHECK_UINT(cache.stats().stores, 2);
    CHECK(cache.stats().bytes > sizeof(double));
}

void contains_counts_nothing() {
    dict_cache cache;
    cache.set("key", 1);
    CHECK(cache.contains("key"));
    CHECK(!cache.contains("other"));
    CHECK_INFO(cache, 0, 0, 1);
}

void remove_reports_whether_there_was_an_entry() {
    dict_cache cache;
    cache.set("key", 1);
    CHECK(cache.remove("key"));
    CHECK(!cache.remove("key"));
    CHECK(!cache.contains("key"));
}

void clear_removes_entries_and_counts() {
    dict_cache cache;
    cache.set("key", 1);
    cache.get("key");
    cache.get("other");
    cache.clear();
    CHECK_INFO(cache, 0, 0, 0);
    CHECK(!cache.contains("key"));
}

void a_full_cache_refuses_and_keeps_the_older_value() {
    dict_cache cache(cache_options{{}, 4096});
    CHECK(cache.set("key", 1).stored());
    const outcome refused = cache.set("key", std::string(8192, 'x'));
    CHECK(!refused);
    CHECK(!refused.stored());
    CHECK(refused.code() == status::refused_capacity);
    CHECK(refused == status::refused_capacity && status::refused_capacity == refused);
    CHECK(refused != status::ok && status::ok != refused);
    CHECK(refused != cache.set("other", 2));
    CHECK_TEXT(phicache::name(refused.code()), "REFUSED_CAPACITY");
    CHECK(cache.get<int>("key") == 1);
    CHECK_UINT(cache.stats().refused_capacity, 1);
}

void options_say_what_a_full_cache_does() {
    cache_options options;
    options.max_bytes = 4096;
    for (const auto choice : {phicache::on_full::configured, phicache::on_full::refuse, phicache::on_full::evict}) {
        options.on_full = choice;
        CHECK(dict_cache(options).set("key", 1).stored());
    }
    options.on_full = static_cast<phicache::on_full>(3);
    CHECK_ERROR(status::error_invalid_argument, dict_cache(options));
}

void a_value_may_have_a_cost() {
    dict_cache cache;
    CHECK(cache.set_with_cost("key", 1, std::chrono::milliseconds(5)).stored());
    CHECK(cache.get<int>("key") == 1);
    CHECK(cache.view().set_with_cost("key", std::string("text"), std::chrono::hours(-1)).stored());
    CHECK(cache.get<std::string>("key") == std::string("text"));
    CHECK(cache.try_set_with_cost(phicache::bytes(), 2, std::chrono::nanoseconds(1))->stored());
    const phicache_stats stats = cache.stats();
    CHECK(stats.live_bytes > 0 && stats.live_bytes <= stats.bytes);
    CHECK_UINT(stats.evictions + stats.evicted_bytes + stats.evicted_ns, 0);
}

void a_maximum_of_zero_percent_stores_nothing() {
    phicache::config none;
    none.settings().set_maximum_memory_percent(0);
    dict_cache cache(none);
    CHECK(cache.set("key", 1) == status::refused_memory);
    const phicache::value made = cache.memoize("key", [] { return 7; });
    CHECK_INT(made.as<int>(), 7);
    CHECK(made.refusal() == status::refused_memory);
    CHECK_UINT(cache.size(), 0);
    none.settings().set_maximum_memory_percent(phicache::memory_unlimited);
    CHECK(cache.set("key", 1) == status::ok);
}

template <class Set>
cache_options with(const Set& set) {
    cache_options options;
    set(options);
    return options;
}

void an_option_without_effect_is_an_error() {
    using namespace std::chrono_literals;
    using phicache::redis_cache;
    const cache_options ttl = with([](cache_options& o) { o.ttl = 1h; });
    CHECK_MESSAGE("options->ttl_ms has no effect on a cache in this process; it is for caches in Redis",
                  dict_cache(ttl));
    CHECK_MESSAGE("options->ttl_ms has no effect", phicache::purview_cache(ttl));
    CHECK_MESSAGE("options->ttl_ms has no effect", dict_cache::shared(identity_of("options"), "role", ttl));
    CHECK_MESSAGE("options->ttl_ms has no effect on a cache on disk", phicache::disk_cache("context", ttl));
    const phicache::subsystem system(phicache::fingerprint(phicache_fingerprint{{1}}), {1, 0}, {0, 1});
    CHECK_MESSAGE("options->ttl_ms has no effect", phicache::mice_cache::dict(system, {}, ttl));
    CHECK_MESSAGE("options->ttl_ms has no effect", phicache::mice_cache::disk(system, {}, ttl));
    CHECK(phicache::mice_cache(system, {}, ttl).size() == 0);  // the configuration might choose Redis
    CHECK_MESSAGE("it is for caches in Redis or on disk", dict_cache(with([](cache_options& o) { o.lease = 1s; })));
    CHECK_MESSAGE("server_errors", dict_cache(with([](cache_options& o) { o.server_errors = true; })));
    CHECK_MESSAGE("no_checksum", dict_cache(with([](cache_options& o) { o.no_checksum = true; })));
    CHECK_MESSAGE("scan_timeout_ms", dict_cache(with([](cache_options& o) { o.scan_timeout = 1s; })));
    const cache_options of_disk[] = {with([](cache_options& o) { o.near_bytes = 1 << 20; }),
                                     with([](cache_options& o) { o.refresh = 1s; }),
                                     with([](cache_options& o) { o.read_only = true; }),
                                     with([](cache_options& o) { o.sync = true; }),
                                     with([](cache_options& o) { o.trust_group = true; }),
                                     with([](cache_options& o) { o.storage_errors = true; })};
    for (const cache_options& options : of_disk) {
        CHECK_MESSAGE("has no effect on a cache in this process; it is for caches on disk", dict_cache(options));
        CHECK_MESSAGE("has no effect on a cache in Redis; it is for caches on disk", redis_cache(options));
    }
}

void a_negative_time_is_named_as_one() {
    using namespace std::chrono_literals;
    const cache_options lease = with([](cache_options& o) { o.lease = -5s; });
    CHECK_MESSAGE("options->lease_ms is -5000, a negative time", phicache::redis_cache(lease));
    CHECK_MESSAGE("options->lease_ms is -5000, a negative time", phicache::disk_cache("context", lease));
    const cache_options refresh = with([](cache_options& o) { o.refresh = -2ms; });
    CHECK_MESSAGE("options->refresh_ms is -2, a negative time", phicache::disk_cache("context", refresh));
}

void a_negative_size_is_named_as_one() {
    const int overflowed = std::numeric_limits<int>::min();  // 2 * 1024 * 1024 * 1024
    const cache_options most = with([=](cache_options& o) { o.max_bytes = static_cast<std::uint64_t>(overflowed); });
    CHECK_MESSAGE("options->max_bytes is -2147483648, a negative size", dict_cache(most));
    CHECK_MESSAGE("options->max_bytes is -2147483648, a negative size", phicache::disk_cache("context", most));
    CHECK_MESSAGE("options->max_bytes is -2147483648, a negative size", phicache::redis_cache(most));
    const cache_options near = with([](cache_options& o) { o.near_bytes = static_cast<std::uint64_t>(-1); });
    CHECK_MESSAGE("options->near_bytes is -1, a negative size", phicache::disk_cache("context", near));
}

void a_cache_keeps_its_configuration_alive() {
    std::optional<phicache::config> own(std::in_place);
    own->settings().set_maximum_memory_percent(0);
    dict_cache cache(*own);
    own.reset();
    CHECK(cache.set("key", 1) == status::refused_memory);
}

void a_name_is_for_one_live_cache() {
    std::optional<dict_cache> first(std::in_place, cache_options{"a name of its own"});
    CHECK_ERROR(status::error_name_in_use, dict_cache(cache_options{"a name of its own"}));
    CHECK(dict_cache::try_make({"a name of its own"}).code() == status::error_name_in_use);
    first.reset();
    CHECK(dict_cache::try_make({"a name of its own"}).has_value());
}

void a_bad_key_is_an_error_with_the_library_message() {
    dict_cache cache;
    try {
        cache.get(phicache::bytes(nullptr, 1));
        CHECK_HAS_THROWN();
    } catch (const phicache::error& error) {
        CHECK(error.code() == status::error_invalid_argument);
        CHECK_INT(error.callback_code(), 0);
        CHECK_CONTAINS(error.what(), "key");
    }
    const auto found = cache.try_get(phicache::bytes(nullptr, 1));
    CHECK(!found);
    CHECK(found.code() == status::error_invalid_argument);
    CHECK_CONTAINS(found.error().what(), "key");
}

void try_forms_return_the_same_results() {
    dict_cache cache;
    CHECK(cache.try_set("key", 2.5)->stored());
    CHECK(cache.try_get("key").value()->as<double>() == 2.5);
    CHECK(cache.try_get<double>("key").value() == 2.5);
    CHECK(!cache.try_get<double>("other").value().has_value());
    CHECK(cache.try_get("other").code() == status::ok);
    CHECK(*cache.try_contains("key"));
    CHECK_UINT(*cache.try_size(), 1);
    CHECK_UINT(cache.try_info()->hits, 2);
    CHECK_UINT(cache.try_stats()->misses, 2);
    CHECK(*cache.try_remove("key"));
    CHECK(cache.try_clear().has_value());
    CHECK(cache.try_view().has_value());
}

void a_view_is_the_same_cache() {
    dict_cache cache;
    phicache::cache view = cache;
    CHECK(view.set("key", 1).stored());
    CHECK(cache.get<int>("key") == 1);
    dict_cache elsewhere = std::move(cache);
    CHECK(view.get<int>("key") == 1);
    CHECK_INFO(view, 2, 0, 1);
    CHECK_INT(view.memoize<int>("other", [] { return 2; }), 2);
    CHECK(view.contains("other") && view.remove("other"));
    view.clear();
    CHECK_UINT(elsewhere.size(), 0);
}

void equal_fingerprints_and_roles_share_one_cache() {
    std::optional<dict_cache> first(dict_cache::shared(identity_of("one"), "repertoires"));
    dict_cache second = dict_cache::shared(identity_of("one"), "repertoires");
    dict_cache other_role = dict_cache::shared(identity_of("one"), std::string("small phi"));
    dict_cache other_network = dict_cache::shared(identity_of("two"), "repertoires");
    first->set("key", 1);
    first.reset();
    CHECK(second.get<int>("key") == 1);
    CHECK(!other_role.contains("key"));
    CHECK(!other_network.contains("key"));
    CHECK(dict_cache::try_shared(identity_of("one"), nullptr).code() == status::error_invalid_argument);
}

void a_moved_from_cache_refuses_every_call() {
    dict_cache cache;
    cache.set("key", 1);
    dict_cache moved = std::move(cache);
    CHECK(moved.get<int>("key") == 1);
    CHECK(!cache);
    CHECK(moved ? true : false);
    CHECK(cache.handle() == nullptr);
    CHECK_MESSAGE("the cache was moved from", cache.get("key"));
    CHECK_ERROR(status::error_invalid_argument, cache.get<int>("key"));
    CHECK_ERROR(status::error_invalid_argument, cache.set("key", 1));
    CHECK_ERROR(status::error_invalid_argument, cache.contains("key"));
    CHECK_ERROR(status::error_invalid_argument, cache.remove("key"));
    CHECK_ERROR(status::error_invalid_argument, cache.clear());
    CHECK_ERROR(status::error_invalid_argument, cache.size());
    CHECK_ERROR(status::error_invalid_argument, cache.info());
    CHECK_ERROR(status::error_invalid_argument, cache.stats());
    CHECK_ERROR(status::error_invalid_argument, cache.view());
    CHECK_ERROR(status::error_invalid_argument, cache.memoize("key", [] { return 1; }));
    CHECK_ERROR(status::error_invalid_argument, cache.key_of(phicache::key()));
    cache = std::move(moved);
    CHECK(cache.get<int>("key") == 1);
    dict_cache& same = cache;
    cache = std::move(same);
    CHECK(cache.get<int>("key") == 1);
    cache.reset();
    CHECK(!cache);
    cache.reset();
}

void a_handle_can_be_released_to_c_and_owned_again() {
    dict_cache cache;
    cache.set("key", 1);
    phicache_dict_cache* raw = cache.release();
    CHECK(!cache);
    CHECK_STATUS(phicache_dict_cache_contains(raw, phicache::bytes("key")), PHICACHE_OK);
    const dict_cache back(raw);
    CHECK(back.handle() == raw);
    CHECK(back.contains("key"));
}

void assigning_over_a_cache_frees_it() {
    dict_cache cache(cache_options{"freed by assignment"});
    cache = dict_cache();
    CHECK(dict_cache::try_make({"freed by assignment"}).has_value());
}

}  // namespace

int main() {
    RUN(a_miss_is_an_empty_optional_and_counts);
    RUN(a_stored_value_is_found_and_counts);
    RUN(contains_counts_nothing);
    RUN(remove_reports_whether_there_was_an_entry);
    RUN(clear_removes_entries_and_counts);
    RUN(a_full_cache_refuses_and_keeps_the_older_value);
    RUN(options_say_what_a_full_cache_does);
    RUN(a_value_may_have_a_cost);
    RUN(a_maximum_of_zero_percent_stores_nothing);
    RUN(an_option_without_effect_is_an_error);
    RUN(a_negative_time_is_named_as_one);
    RUN(a_negative_size_is_named_as_one);
    RUN(a_cache_keeps_its_configuration_alive);
    RUN(a_name_is_for_one_live_cache);
    RUN(a_bad_key_is_an_error_with_the_library_message);
    RUN(try_forms_return_the_same_results);
    RUN(a_view_is_the_same_cache);
    RUN(equal_fingerprints_and_roles_share_one_cache);
    RUN(a_moved_from_cache_refuses_every_call);
    RUN(a_handle_can_be_released_to_c_and_owned_again);
    RUN(assigning_over_a_cache_frees_it);
    return check_report();
}
