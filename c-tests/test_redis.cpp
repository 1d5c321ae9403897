/// test_redis.cpp: caches in Redis in C++, at a real server: typed values, functions, batches, MICE, and a server that
/// has died. (How the library treats servers is in test_redis.c.)
#include "redis_server.h"

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.hpp"

using namespace std::chrono_literals;
using phicache::bytes;
using phicache::cache_options;
using phicache::config;
using phicache::direction;
using phicache::mice_cache;
using phicache::node_set;
using phicache::redis_cache;
using phicache::status;

namespace {

redis_server server;

/// A configuration for the server, after it was emptied.
config at_server(const char* url = server.url) {
    char answer[64];
    redis_server_ask(&server, "FLUSHALL", answer, sizeof answer);
    redis_server_ask(&server, "CONFIG RESETSTAT", answer, sizeof answer);
    config own;
    own.settings().set_redis_url(url);
    own.settings().set_redis_timeout(5s);
    return own;
}

/// A configuration for an address without a server, with short retries.
config at_nobody() {
    config own;
    own.settings().set_redis_url("redis://:secret@127.0.0.1:" + std::to_string(redis_server_free_port()));
    own.settings().set_redis_timeout(200ms);
    return own;
}

phicache::subsystem whole() {
    const std::vector<node_set> connections{{1}, {2}, {0}};
    const auto network = phicache::fingerprint::of_network(std::vector<double>(24, 0.5), connections, "test_redis");
    return phicache::subsystem(network, {1, 0, 0}, {0, 1, 2});
}

void typed_values_are_read_back() {
    const config own = at_server();
    redis_cache cache(own);
    CHECK(!cache.get("number").has_value());
    CHECK(cache.set("number", 0.5) == status::ok);
    CHECK(cache.set("numbers", std::vector<int>{1, 2, 3}).stored());
    CHECK(cache.set("text", std::string("words")).stored());
    CHECK(cache.set("nothing", bytes()).stored());
    CHECK(cache.get<double>("number") == 0.5);
    CHECK(cache.get<std::vector<int>>("numbers") == std::vector<int>({1, 2, 3}));
    CHECK(cache.get<std::string>("text") == "words");
    CHECK(cache.get("nothing").has_value() && cache.get("nothing")->empty());
    CHECK_ERROR(status::error_invalid_argument, cache.get<int>("number"));
    CHECK(cache.contains("number"));
    CHECK(cache.remove("number"));
    CHECK(!cache.remove("number"));
    CHECK(!cache.contains("number"));
    CHECK_UINT(cache.size(), 3);
}

void another_handle_sees_what_one_stores() {
    const config own = at_server(), by_socket = at_server(server.unix_url);
    redis_cache one(own), other(by_socket);
    one.set("key", 7);
    CHECK(other.get<int>("key") == 7);
    other.clear();
    CHECK(!one.contains("key"));
    CHECK_INFO(other, 0, 0, 0);
}

void a_shared_cache_has_only_the_values_of_its_role() {
    const config own = at_server();
    const phicache::fingerprint identity = whole().identity();
    redis_cache one = redis_cache::shared(identity, "one", {}, own);
    redis_cache same = redis_cache::shared(identity, "one", {}, own);
    redis_cache other = redis_cache::shared(identity, "other", {}, own);
    one.set("key", 1);
    CHECK(same.get<int>("key") == 1);
    CHECK(!other.contains("key"));
    other.set("key", 2);
    one.clear();
    CHECK(!same.contains("key"));
    CHECK(other.get<int>("key") == 2);
    CHECK_ERROR(status::error_invalid_argument, redis_cache::shared(identity, nullptr, {}, own));
    CHECK(redis_cache::try_shared(identity, nullptr).code() == status::error_invalid_argument);
}

void functions_run_only_on_a_miss() {
    const config own = at_server();
    redis_cache cache(own), other(own);
    int calls = 0;
    const auto compute = [&] { return ++calls, std::vector<double>{0.25, 0.75}; };
    CHECK(cache.memoize<std::vector<double>>("key", compute) == std::vector<double>({0.25, 0.75}));
    CHECK(other.memoize("key", compute).origin() == phicache::origin::hit);
    CHECK_INT(calls, 1);
    CHECK_NEAR(*cache.try_memoize<double>("fails not", [] { return 1.5; }), 1.5, 0.0);
    try {
        cache.memoize("throws", []() -> int { throw std::runtime_error("its own words"); });
        CHECK_HAS_THROWN();
    } catch (const std::runtime_error& error) {
        CHECK_TEXT(error.what(), "its own words");
    }
    CHECK(!cache.contains("throws"));
}

void keys_memos_and_methods_work_on_it() {
    const config own = at_server();
    redis_cache cache(own);
    phicache::key args;
    args.add(1).add("two");
    CHECK(cache.key_of(args, "prefix") == phicache::dict_cache().key_of(args, "prefix"));
    int calls = 0;
    phicache::memo_options options;
    options.store = cache;
    const phicache::memo squares{[&](int n) { return ++calls, n * n; }, options};
    CHECK_INT(squares(5), 25);
    CHECK_INT(squares(5), 25);
    CHECK_INT(calls, 1);
    CHECK_UINT(cache.size(), 1);
}

void many_keys_are_one_round_trip() {
    const config own = at_server();
    redis_cache cache(own);
    phicache::cache all = cache;
    const std::string texts[] = {"a", "b", "c"};
    const std::vector<phicache_bytes> keys{bytes(texts[0]), bytes(texts[1]), bytes(texts[2])};
    const std::vector<phicache_bytes> values{bytes("first"), bytes("second"), bytes()};
    const std::vector<phicache::outcome> stored = all.set_many(keys, values);
    REQUIRE(stored.size() == 3);
    for (const phicache::outcome one : stored) CHECK(one.stored());
    const std::vector<phicache_bytes> asked{keys[2], bytes("unknown"), keys[0]};
    const std::vector<phicache::value> found = all.get_many(asked);
    REQUIRE(found.size() == 3);
    CHECK(found[0].data() != nullptr && found[0].empty());
    CHECK(found[1].data() == nullptr);
    CHECK_CHARS(found[2], "first");
    CHECK_INFO(cache, 2, 1, 3);
    CHECK_INT(redis_server_calls(&server, "mget"), 1);
    CHECK_INT(redis_server_calls(&server, "get"), 0);
    CHECK_UINT(all.get_many({}).size(), 0);
    CHECK(all.try_set_many(keys, {}).code() == status::error_invalid_argument);
    CHECK(all.try_get_many(std::vector<phicache_bytes>{{nullptr, 1}}).code() == status::error_invalid_argument);
}

void an_error_of_some_keys_is_their_outcome() {
    const config own = at_server();
    cache_options options;
    options.server_errors = true;
    redis_cache cache(options, own);
    phicache::cache all = cache;
    char answer[64];
    std::vector<std::string> keys, values(150, std::string(100'000, 'v'));
    for (std::size_t at = 0; at < values.size(); at++) keys.push_back("key " + std::to_string(at));
    redis_server_ask(&server, "CONFIG SET maxmemory 10mb", answer, sizeof answer);
    const std::vector<phicache::outcome> told = all.set_many(keys, values);
    REQUIRE(told.size() == keys.size());
    std::size_t stored = 0;
    for (std::size_t at = 0; at < keys.size(); at++) {
        CHECK(told[at] == (cache.contains(keys[at]) ? status::ok : status::error_redis));
        stored += told[at].stored();
    }
    CHECK(stored > 0 && stored < keys.size());
    CHECK_ERROR(status::error_redis, all.set_many(keys, values)); // all keys fail
    redis_server_ask(&server, "CONFIG SET maxmemory 0", answer, sizeof answer);
}

void values_without_checksums_are_plain() {
    const config own = at_server();
    cache_options options;
    options.no_checksum = true;
    redis_cache bare(options, own), sealed(own);
    bare.set("key", std::string("as it is"));
    sealed.set("key", std::string("sealed"));
    char answer[64];
    CHECK_INT(redis_server_ask(&server, "GET phicache/2:raw!plain:key", answer, sizeof answer), 8);
    CHECK_TEXT(answer, "as it is");
    constexpr int VALUE = 6, COST = 8, SEAL = 16;
    CHECK_INT(redis_server_ask(&server, "GET phicache/2:raw:key", answer, sizeof answer), VALUE + COST + SEAL);
    CHECK_CHARS(*bare.get("key"), "as it is");
    CHECK_CHARS(*sealed.get("key"), "sealed");
}

void values_expire() {
    const config own = at_server();
    cache_options options;
    options.ttl = 300ms;
    redis_cache cache(options, own);
    cache.set("key", 1);
    CHECK(redis_server_number(&server, "PTTL phicache/2:raw:key") > 0);
    redis_server_pause(350);
    CHECK(!cache.contains("key"));
    options.ttl = -1ms;
    CHECK(redis_cache::try_make(options, own).code() == status::error_invalid_argument);
    options.ttl = 0ms;
    options.lease = -1ms;
    CHECK(redis_cache::try_make(options, own).code() == status::error_invalid_argument);
}

void mice_are_inherited_unless_the_cut_damages_them() {
    const config own = at_server();
    const phicache::subsystem uncut = whole(), severed = uncut.under(phicache::cut::bipartition(3, {0}, {1, 2}));
    mice_cache parent = mice_cache::redis(uncut, nullptr, {}, own);
    mice_cache child = mice_cache::redis(severed, &parent, {}, own);
    const auto kept = phicache::mice_key(nullptr, direction::effect, {1});
    const auto lost = phicache::mice_key(nullptr, direction::effect, {0});
    CHECK(parent.set(kept, phicache::mice{direction::effect, {1}, {2}, 0.5, std::vector<double>{0.25, 0.75}}).stored());
    CHECK(parent.set(lost, phicache::mice{direction::effect, {0}, {1}, 0.25}).stored());
    const std::optional<phicache::pinned_mice> found = child.get(kept);
    REQUIRE(found.has_value());
    CHECK(found->pinned().origin() == phicache::origin::parent);
    CHECK(found->payload_as<std::vector<double>>() == std::vector<double>({0.25, 0.75}));
    CHECK(!child.get(lost).has_value());
    CHECK(child.set(lost, phicache::mice{direction::effect, {0}, {2}, 0.5}) == status::refused_cut);
    const auto made = child.memoize(lost, [] { return phicache::mice{direction::effect, {0}, {2}, 0.125}; });
    CHECK(made.pinned().refusal() == status::refused_cut);
    mice_cache elsewhere = mice_cache::redis(uncut, nullptr, {}, own);
    CHECK_NEAR(elsewhere.get(kept)->phi(), 0.5, 0.0);
    mice_cache in_process = mice_cache::dict(uncut);
    CHECK(mice_cache::try_redis(severed, &in_process, {}, own).code() == status::error_invalid_argument);
    own.settings().set_redis_cache(true);
    CHECK_NEAR(mice_cache(uncut, nullptr, {}, own).get(kept)->phi(), 0.5, 0.0);
}

void values_are_returned_although_the_server_is_dead() {
    const config own = at_nobody();
    redis_cache cache(own);
    CHECK(cache.set("key", 1) == status::refused_server);
    CHECK(!cache.get("key").has_value());
    CHECK(!cache.contains("key"));
    const phicache::value made = cache.memoize("key", [] { return 7; });
    CHECK_INT(made.as<int>(), 7);
    CHECK(made.refusal() == status::refused_server);
    CHECK_ERROR(status::error_redis, cache.remove("key"));
    CHECK_UINT(cache.stats().refused_server, 2);
    const phicache_redis_health health = phicache::cache(cache).redis_health();
    CHECK(health.failures >= 1 && health.skipped >= 1 && health.skipping_ms > 0);
    CHECK_CONTAINS(health.last_error, "127.0.0.1");
    CHECK(std::string(health.last_error).find("secret") == std::string::npos);
    phicache::dict_cache dict;
    CHECK(phicache::cache(dict).try_redis_health().code() == status::error_invalid_handle);
}

void a_dead_server_is_an_error_with_server_errors() {
    const config own = at_nobody();
    cache_options options;
    options.server_errors = true;
    redis_cache cache(options, own);
    CHECK_ERROR(status::error_redis, cache.get("key"));
    CHECK_ERROR(status::error_redis, cache.set("key", 1));
    CHECK(cache.try_size().code() == status::error_redis);
}

void a_server_is_available_or_not() {
    const config here = at_server(), nowhere = at_nobody();
    CHECK(phicache::redis_available(here));
    CHECK(phicache::redis_available(here, 2s));
    phicache::redis_ping(here);
    CHECK(!phicache::redis_available(nowhere, 100ms));
    CHECK_ERROR(status::error_redis, phicache::redis_ping(nowhere));
    CHECK_CONTAINS(phicache::try_redis_ping(nowhere).error().what(), "127.0.0.1");
    CHECK_ERROR(status::error_invalid_argument, phicache::redis_ping(here, -1ms));
    CHECK_ERROR(status::error_invalid_argument, phicache::redis_available(here, -1ms));
}

void settings_of_the_connection_are_set_and_read() {
    const config own;
    const phicache::config_ref settings = own.settings();
    CHECK(settings.redis_timeout() == 1s);
    CHECK(!settings.redis_whole_database());
    settings.set_redis_timeout(1234ms);
    settings.set_redis_whole_database(true);
    CHECK(settings.redis_timeout() == 1234ms);
    CHECK(*settings.try_redis_whole_database());
    CHECK_ERROR(status::error_invalid_argument, settings.set_redis_timeout(0s));
    CHECK_ERROR(status::error_invalid_argument, settings.set_redis_timeout(-1s));
    settings.set_redis_url(server.url);
    settings.set_redis_login("worker", "another");
    CHECK_ERROR(status::error_redis, phicache::redis_ping(settings));
    settings.set_redis_login("worker", "secret");
    phicache::redis_ping(settings);
    settings.set_redis_login(nullptr, nullptr);
    phicache::redis_ping(settings);
}

}  // namespace

int main() {
    if (!redis_server_start(&server, "--user worker on >secret ~* &* +@all")) return REDIS_SERVER_SKIPPED;
    RUN(typed_values_are_read_back);
    RUN(another_handle_sees_what_one_stores);
    RUN(a_shared_cache_has_only_the_values_of_its_role);
    RUN(functions_run_only_on_a_miss);
    RUN(keys_memos_and_methods_work_on_it);
    RUN(many_keys_are_one_round_trip);
    RUN(an_error_of_some_keys_is_their_outcome);
    RUN(values_without_checksums_are_plain);
    RUN(values_expire);
    RUN(mice_are_inherited_unless_the_cut_damages_them);
    RUN(values_are_returned_although_the_server_is_dead);
    RUN(a_dead_server_is_an_error_with_server_errors);
    RUN(a_server_is_available_or_not);
    RUN(settings_of_the_connection_are_set_and_read);
    redis_server_stop(&server);
    return check_report();
}
