/* test_redis_failing.c: a server that is dead or frozen, refuses, or comes back: what calls return and how long they
 * take, and that they leak neither a signal nor a password. SIGPIPE keeps its default, which would end the process. */
#include <stddef.h>
#include "redis_sample.h"

#include "no_memory.h"

static phicache_status get(phicache_redis_cache *cache, const char *key) {
    phicache_value value = unset_value();
    const phicache_status status = phicache_redis_cache_get(cache, text(key), &value);
    if (status != PHICACHE_OK) CHECK_NO_VALUE(value);
    phicache_value_release(&value);
    return status;
}

static phicache_status set(phicache_redis_cache *cache, const char *key) {
    return phicache_redis_cache_set(cache, text(key), text("value"));
}

/* Whether a store succeeds within a time limit: after a failure, operations skip the server for a while. */
static int comes_back(phicache_redis_cache *cache) {
    const long long began = now_ms();
    while (set(cache, "k") != PHICACHE_OK) {
        if (now_ms() - began > REDIS_SERVER_PATIENCE_MS) return 0;
        redis_server_pause(20);
    }
    return 1;
}

static void a_dead_server_makes_misses_and_refusals(void) {
    phicache_config *config = at_nobody();
    phicache_redis_cache *cache = new_redis(config);
    answer value = answers("computed");
    phicache_value out = unset_value(), many[2];
    phicache_status statuses[2] = {-99, -99};
    const phicache_bytes keys[2] = {text("a"), text("b")};
    uint8_t buffer[8];
    uint64_t size = 99;
    size_t len = 99, count = 99;
    CHECK_STATUS(get(cache, "k"), PHICACHE_MISS);
    CHECK_STATUS(phicache_redis_cache_get_into(cache, text("k"), buffer, sizeof buffer, &len), PHICACHE_MISS);
    CHECK_STATUS(phicache_redis_cache_contains(cache, text("k")), PHICACHE_MISS);
    CHECK_STATUS(set(cache, "k"), PHICACHE_REFUSED_SERVER);
    CHECK_OK(phicache_redis_cache_size(cache, &size));
    CHECK_UINT(size, 0);
    check_redis_info(cache, 0, 2, 0);
    CHECK_OK(phicache_redis_cache_memoize(cache, text("k"), compute_answer, &value, NULL, &out, NULL));
    CHECK_VALUE(out, "computed");
    CHECK_UINT(out.origin, PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_SERVER);
    phicache_value_release(&out);
    CHECK_OK(phicache_cache_get_many(view_of(cache), keys, 2, many, &count));
    CHECK_UINT(count, 0);
    CHECK_NO_VALUE(many[1]);
    CHECK_OK(phicache_cache_set_many(view_of(cache), keys, keys, 2, statuses));
    CHECK_STATUS(statuses[0], PHICACHE_REFUSED_SERVER);
    CHECK_STATUS(statuses[1], PHICACHE_REFUSED_SERVER);
    CHECK_UINT(stats_of(cache).refused_server, 4);
    CHECK_UINT(stats_of(cache).stores, 0);
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void a_removal_that_failed_is_always_an_error(void) {
    phicache_config *config = at_nobody();
    phicache_redis_cache *cache = new_redis(config);
    CHECK_STATUS(phicache_redis_cache_remove(cache, text("k")), PHICACHE_ERROR_REDIS);
    CHECK_STATUS(phicache_redis_cache_clear(cache), PHICACHE_ERROR_REDIS);
    CHECK_CONTAINS(phicache_last_error(), "127.0.0.1");
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

/* The registry clears in the order of the names: the cache at the dead server comes first, and must not stop it. */
static void a_dead_server_does_not_stop_the_registry_from_clearing_others(void) {
    phicache_config *config = at_nobody();
    phicache_cache_options options = no_options();
    phicache_dict_cache *behind = NULL;
    phicache_redis_cache *cache;
    uint64_t size = 99;
    options.name = "a";
    cache = new_redis_with(config, options);
    options.name = "b";
    CHECK_OK(phicache_dict_cache_new(NULL, &options, &behind));
    CHECK_OK(phicache_dict_cache_set(behind, text("k"), text("value")));
    CHECK_STATUS(phicache_registry_clear_all(), PHICACHE_ERROR_REDIS);
    CHECK_OK(phicache_dict_cache_size(behind, &size));
    CHECK_UINT(size, 0);
    CHECK_OK(phicache_dict_cache_free(behind));
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void a_dead_server_is_an_error_with_server_errors(void) {
    phicache_config *config = at_nobody();
    phicache_cache_options options = no_options();
    phicache_redis_cache *cache;
    phicache_info info;
    phicache_value out = unset_value(), many[1];
    const phicache_bytes key = text("k");
    uint64_t size;
    options.server_errors = 1;
    cache = new_redis_with(config, options);
    CHECK_STATUS(get(cache, "k"), PHICACHE_ERROR_REDIS);
    CHECK_CONTAINS(phicache_last_error(), "GET");
    CHECK_STATUS(set(cache, "k"), PHICACHE_ERROR_REDIS);
    CHECK_STATUS(phicache_redis_cache_contains(cache, key), PHICACHE_ERROR_REDIS);
    CHECK_STATUS(phicache_redis_cache_size(cache, &size), PHICACHE_ERROR_REDIS);
    CHECK_STATUS(phicache_redis_cache_info(cache, &info), PHICACHE_ERROR_REDIS);
    CHECK_STATUS(phicache_cache_get_many(view_of(cache), &key, 1, many, NULL), PHICACHE_ERROR_REDIS);
    CHECK_STATUS(phicache_cache_set_many(view_of(cache), &key, &key, 1, NULL), PHICACHE_ERROR_REDIS);
    CHECK_STATUS(phicache_redis_cache_memoize(cache, key, compute_never, NULL, NULL, &out, NULL), PHICACHE_ERROR_REDIS);
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

/* If the server dies while a value is computed, the store fails, but the value is returned. */
static int32_t compute_and_kill(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    redis_server_kill(&server);
    return compute_answer(user_data, call_data, key, result);
}

static void a_computed_value_is_not_lost_with_the_server(void) {
    int errors;
    for (errors = 0; errors < 2; errors++) {
        phicache_config *config = at_server(0);
        phicache_cache_options options = no_options();
        phicache_redis_cache *cache;
        answer value = answers("computed");
        phicache_value out = unset_value();
        options.server_errors = errors;
        options.lease_ms = 10000;
        cache = new_redis_with(config, options);
        CHECK_OK(phicache_redis_cache_memoize(cache, text("k"), compute_and_kill, &value, NULL, &out, NULL));
        CHECK_VALUE(out, "computed");
        CHECK_UINT(out.origin, PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_SERVER);
        phicache_value_release(&out);
        redis_server_restart(&server);
        CHECK(comes_back(cache));
        CHECK_OK(phicache_redis_cache_free(cache));
        CHECK_OK(phicache_config_free(config));
    }
}

#ifndef PHICACHE_SANITIZED /* sanitizers' allocators end a process without memory */
enum { LONG = 32 << 20 };

/* The record of the value does not fit into the memory that is left, nor does what is sent. */
static int32_t compute_long(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    uint8_t *room = NULL;
    (void)user_data, (void)call_data, (void)key;
    if (phicache_result_reserve(result, LONG, &room) != PHICACHE_OK) return -99;
    memset(room, 7, LONG);
    take_memory();
    return 0;
}

static void a_computed_value_is_not_lost_without_memory_to_send_it(void) {
    phicache_config *config = at_server(0);
    phicache_cache_options options = no_options();
    uint8_t *value = (uint8_t *)malloc(LONG);
    int plain;
    REQUIRE(value != NULL);
    memset(value, 7, LONG);
    for (plain = 0; plain <= 1; plain++) {
        const phicache_bytes key = text("long"), whole = bytes(value, LONG);
        phicache_redis_cache *cache;
        phicache_value out = unset_value();
        phicache_status status, many = -99, all;
        options.no_checksum = plain;
        cache = new_redis_with(config, options);
        CHECK_OK(set(cache, "k"));
        status = phicache_redis_cache_memoize(cache, key, compute_long, NULL, NULL, &out, NULL);
        give_memory_back();
        CHECK_OK(status);
        CHECK_BYTES(out.data, out.len, value, LONG);
        phicache_value_release(&out);
        CHECK_OK(set(cache, "k"));
        take_memory();
        all = phicache_cache_set_many(view_of(cache), &key, &whole, 1, &many);
        (void)phicache_redis_cache_get(cache, key, &out);
        phicache_value_release(&out);
        (void)phicache_redis_cache_remove(cache, key);
        give_memory_back();
        CHECK_STATUS(all, PHICACHE_ERROR_OUT_OF_MEMORY);
        CHECK_STATUS(many, PHICACHE_ERROR_OUT_OF_MEMORY);
        CHECK_OK(set(cache, "k"));
        CHECK_OK(get(cache, "k"));
        CHECK_STATUS(get(cache, "long"), PHICACHE_MISS);
        CHECK_OK(phicache_redis_cache_free(cache));
    }
    free(value);
    CHECK_OK(phicache_config_free(config));
}

static void a_connection_for_which_there_is_no_memory_is_made_later(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_redis(config);
    phicache_status status;
    take_memory();
    status = set(cache, "k");
    give_memory_back();
    CHECK_STATUS(status, PHICACHE_ERROR_OUT_OF_MEMORY);
    CHECK_OK(set(cache, "k"));
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}
#endif

static void a_server_killed_between_two_calls_raises_no_signal_and_comes_back(void) {
    const char *const urls[] = {server.url, server.unix_url};
    size_t i;
    for (i = 0; i < 2; i++) {
        phicache_config *config = new_config(urls[i]);
        phicache_redis_cache *cache = new_redis(config);
        phicache_redis_health health;
        int round;
        CHECK(comes_back(cache));
        for (round = 0; round < 3; round++) {
            redis_server_kill(&server);
            CHECK_STATUS(set(cache, "k"), PHICACHE_REFUSED_SERVER); /* on a connection that the dead server left */
            CHECK_STATUS(get(cache, "k"), PHICACHE_MISS);
            redis_server_restart(&server);
            CHECK(comes_back(cache));
            CHECK_OK(get(cache, "k"));
        }
        health = health_of(cache);
        CHECK(health.failures >= 3);
        CHECK(health.reconnects >= 3);
        CHECK_UINT(health.skipping_ms, 0);
        CHECK_OK(phicache_redis_cache_free(cache));
        CHECK_OK(phicache_config_free(config));
    }
}

static void a_server_that_was_restarted_while_idle_is_used_at_once(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_redis(config);
    CHECK_OK(set(cache, "k"));
    redis_server_kill(&server);
    redis_server_restart(&server);
    CHECK_STATUS(get(cache, "k"), PHICACHE_MISS);
    CHECK_OK(set(cache, "k"));
    CHECK_OK(get(cache, "k"));
    CHECK_UINT(health_of(cache).failures, 0);
    CHECK_UINT(health_of(cache).connections, 2);
    CHECK_UINT(health_of(cache).reconnects, 1);
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void a_frozen_server_costs_one_timeout_only(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache;
    phicache_redis_health health;
    long long began;
    int i;
    CHECK_OK(phicache_config_set_redis_timeout_ms(config, 300));
    cache = new_redis(config);
    CHECK(comes_back(cache));
    redis_server_freeze(&server);
    began = now_ms();
    CHECK_STATUS(get(cache, "k"), PHICACHE_MISS);
    CHECK(now_ms() - began >= 250);
    CHECK(now_ms() - began < 1500);
    began = now_ms();
    for (i = 0; i < 1000; i++) CHECK_STATUS(get(cache, "k"), PHICACHE_MISS);
    CHECK(now_ms() - began < 1500);
    health = health_of(cache);
    CHECK(health.failures >= 1);
    CHECK(health.skipped >= 900);
    CHECK_CONTAINS(health.last_error, "GET");
    redis_server_thaw(&server);
    CHECK(comes_back(cache));
    CHECK_OK(get(cache, "k"));
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void available_answers_within_its_timeout(void) {
    phicache_config *config = at_server(0), *nobody = at_nobody();
    int32_t available = -1;
    long long began;
    CHECK_OK(phicache_redis_available(config, 0, &available));
    CHECK_INT(available, 1);
    CHECK_OK(phicache_redis_ping(config, 2000));
    CHECK_OK(phicache_redis_available(nobody, 0, &available));
    CHECK_INT(available, 0);
    CHECK_STATUS(phicache_redis_ping(nobody, 0), PHICACHE_ERROR_REDIS);
    CHECK_CONTAINS(phicache_last_error(), "PING");
    redis_server_freeze(&server);
    began = now_ms();
    CHECK_OK(phicache_redis_available(config, 200, &available));
    CHECK_INT(available, 0);
    CHECK_STATUS(phicache_redis_ping(config, 200), PHICACHE_ERROR_REDIS);
    CHECK(now_ms() - began < 2000);
    redis_server_thaw(&server);
    CHECK_OK(phicache_redis_available(config, 0, &available)); /* contacts the server even though it has just failed */
    CHECK_INT(available, 1);
    CHECK_OK(phicache_config_free(config));
    CHECK_OK(phicache_config_free(nobody));
}

static void a_server_that_refuses_is_not_failing_and_the_reason_is_reported(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_redis(config);
    CHECK_OK(set(cache, "k"));
    CHECK_TEXT(ask("CONFIG SET maxmemory 1"), "OK");
    CHECK_STATUS(set(cache, "k"), PHICACHE_REFUSED_SERVER);
    CHECK_OK(get(cache, "k"));
    CHECK_TEXT(ask("CONFIG SET maxmemory 0"), "OK");
    CHECK_OK(set(cache, "k"));
    CHECK_UINT(health_of(cache).refusals, 1);
    CHECK_UINT(health_of(cache).failures, 0);
    CHECK_CONTAINS(health_of(cache).last_error, "OOM");
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

enum { MANY = 150, LARGE = 100000 };

/* A server that runs out of memory in the middle of a batch: each key has its own status. */
static void a_batch_that_fills_the_server_has_a_status_for_each_key(void) {
    static uint8_t content[LARGE];
    static phicache_value found[MANY];
    int errors;
    for (errors = 0; errors < 2; errors++) {
        phicache_config *config = at_server(0);
        phicache_cache_options options = no_options();
        phicache_redis_cache *cache;
        phicache_bytes keys[MANY], values[MANY];
        phicache_status statuses[MANY], status;
        char names[MANY][16];
        size_t i, stored = 0, count = 0;
        options.server_errors = errors;
        cache = new_redis_with(config, options);
        for (i = 0; i < MANY; i++) {
            snprintf(names[i], sizeof names[i], "key %zu", i);
            keys[i] = text(names[i]);
            values[i] = bytes(content, LARGE);
            statuses[i] = -99;
        }
        CHECK_TEXT(ask("CONFIG SET maxmemory 10mb"), "OK");
        status = phicache_cache_set_many(view_of(cache), keys, values, MANY, statuses);
        CHECK_STATUS(status, errors ? PHICACHE_ERROR_REDIS : PHICACHE_OK);
        CHECK_CONTAINS(health_of(cache).last_error, "OOM");
        if (errors) CHECK_CONTAINS(phicache_last_error(), "OOM");
        CHECK_OK(phicache_cache_get_many(view_of(cache), keys, MANY, found, &count));
        for (i = 0; i < MANY; i++) {
            const phicache_status refused = errors ? PHICACHE_ERROR_REDIS : PHICACHE_REFUSED_SERVER;
            CHECK_STATUS(statuses[i], found[i].data != NULL ? PHICACHE_OK : refused);
            stored += statuses[i] == PHICACHE_OK;
            phicache_value_release(&found[i]);
        }
        CHECK_UINT(count, stored);
        CHECK(stored > 0 && stored < MANY);
        CHECK_UINT(stats_of(cache).stores, stored);
        CHECK_TEXT(ask("CONFIG SET maxmemory 0"), "OK");
        CHECK_OK(phicache_redis_cache_free(cache));
        CHECK_OK(phicache_config_free(config));
    }
}

static redis_server nodes[3];

/* A cluster of three nodes. */
static void start_cluster(void) {
    static const char *const slots[] = {"0 5460", "5461 10922", "10923 16383"};
    char command[128], answer[2048];
    int buses[3], i, waited = 0, ready = 0;
    for (i = 0; i < 3; i++) {
        buses[i] = redis_server_free_port();
        snprintf(command, sizeof command,
                 "--cluster-enabled yes --cluster-port %d --cluster-require-full-coverage no", buses[i]);
        REQUIRE(redis_server_start(&nodes[i], command));
    }
    for (i = 0; i < 3; i++) {
        snprintf(command, sizeof command, "CLUSTER SET-CONFIG-EPOCH %d", i + 1);
        redis_server_ask(&nodes[i], command, answer, sizeof answer);
        snprintf(command, sizeof command, "CLUSTER ADDSLOTSRANGE %s", slots[i]);
        redis_server_ask(&nodes[i], command, answer, sizeof answer);
        CHECK_TEXT(answer, "OK");
        snprintf(command, sizeof command, "CLUSTER MEET 127.0.0.1 %d %d", nodes[0].port, buses[0]);
        redis_server_ask(&nodes[i], command, answer, sizeof answer);
    }
    while (ready < 3 && waited < REDIS_SERVER_PATIENCE_MS) {
        for (ready = 0; ready < 3; ready++) {
            redis_server_ask(&nodes[ready], "CLUSTER INFO", answer, sizeof answer);
            if (strstr(answer, "cluster_state:ok") == NULL || strstr(answer, "cluster_slots_ok:16384") == NULL) break;
        }
        redis_server_pause(20);
        waited += 20;
    }
    REQUIRE(ready == 3);
}

static void a_batch_over_a_cluster_with_a_dead_node_has_a_status_for_each_key(void) {
    int errors, i;
    start_cluster();
    for (errors = 0; errors < 2; errors++) {
        phicache_cache_options options = no_options();
        phicache_config *config;
        phicache_redis_cache *cache;
        phicache_bytes keys[MANY], values[MANY];
        phicache_status statuses[MANY];
        phicache_value found[MANY];
        char url[128], names[MANY][16], value[32];
        size_t at, stored = 0, count = 0;
        snprintf(url, sizeof url, "redis://127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d?cluster=yes", nodes[0].port,
                 nodes[1].port, nodes[2].port);
        config = new_config(url);
        options.server_errors = errors;
        cache = new_redis_with(config, options);
        snprintf(value, sizeof value, "value %d", errors);
        for (at = 0; at < MANY; at++) {
            snprintf(names[at], sizeof names[at], "key %zu", at);
            keys[at] = text(names[at]);
            values[at] = text(value);
            statuses[at] = -99;
        }
        redis_server_kill(&nodes[1]);
        CHECK_STATUS(phicache_cache_set_many(view_of(cache), keys, values, MANY, statuses),
                     errors ? PHICACHE_ERROR_REDIS : PHICACHE_OK);
        /* Values that it has are returned, also if the others are an error. */
        memset(found, 0xEE, sizeof found);
        CHECK_STATUS(phicache_cache_get_many(view_of(cache), keys, MANY, found, &count),
                     errors ? PHICACHE_ERROR_REDIS : PHICACHE_OK);
        for (at = 0; at < MANY; at++) {
            const phicache_status refused = errors ? PHICACHE_ERROR_REDIS : PHICACHE_REFUSED_SERVER;
            CHECK_STATUS(statuses[at], found[at].data != NULL ? PHICACHE_OK : refused);
            if (found[at].data != NULL) {
                CHECK_BYTES(found[at].data, found[at].len, values[at].data, values[at].len);
                stored++;
            }
            phicache_value_release(&found[at]);
        }
        CHECK_UINT(count, stored);
        CHECK(stored > 0 && stored < MANY);
        if (!errors) { /* otherwise statistics fail: the values of the dead node cannot be counted */
            CHECK_UINT(stats_of(cache).hits, stored);
            CHECK_UINT(stats_of(cache).stores, stored);
        }
        CHECK_OK(phicache_redis_cache_free(cache));
        CHECK_OK(phicache_config_free(config));
    }
    for (i = 0; i < 3; i++) redis_server_stop(&nodes[i]);
}

static void another_kind_of_value_is_no_value(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_redis(config);
    CHECK_TEXT(ask("LPUSH phicache/2:raw:list 1"), "1");
    CHECK_STATUS(get(cache, "list"), PHICACHE_MISS);
    CHECK_CONTAINS(health_of(cache).last_error, "WRONGTYPE");
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void logging_in_needs_the_right_password(void) {
    phicache_config *config = at_server(0);
    CHECK_OK(phicache_config_set_redis_login(config, "worker", "secret"));
    CHECK_OK(phicache_redis_ping(config, 0));
    CHECK_OK(phicache_config_set_redis_login(config, "worker", "hunter2"));
    CHECK_STATUS(phicache_redis_ping(config, 0), PHICACHE_ERROR_REDIS);
    CHECK_CONTAINS(phicache_last_error(), "WRONGPASS");
    CHECK(strstr(phicache_last_error(), "hunter2") == NULL);
    CHECK_OK(phicache_config_set_redis_login(config, NULL, NULL));
    CHECK_OK(phicache_redis_ping(config, 0));
    CHECK_OK(phicache_config_free(config));
}

static void no_message_has_the_password(void) {
    const char *const urls[] = {"redis://worker:hunter2@127.0.0.1:1/0", "redis://worker:hunter2@",
                                "redis://worker:hunter2@host:port:port", "rediss://worker:hunter2@127.0.0.1:1/0",
                                "unix://worker:hunter2@/nowhere?db=x", "redis://127.0.0.1:1?pass=hunter2",
                                "redis://127.0.0.1:1?pass=hunter2&timeout_ms=no", "hunter2://hunter2",
                                "redis:hunter2@127.0.0.1"};
    size_t i;
    for (i = 0; i < sizeof urls / sizeof *urls; i++) {
        phicache_config *config = NULL;
        phicache_cache_options options = no_options();
        phicache_redis_cache *cache = NULL;
        char shown[256] = "";
        size_t len = 0;
        options.server_errors = 1;
        REQUIRE_OK(phicache_config_new(&config));
        if (phicache_config_set_redis_url(config, urls[i]) != PHICACHE_OK) {
            CHECK(strlen(phicache_last_error()) > 0);
            CHECK(strstr(phicache_last_error(), "hunter2") == NULL);
        } else {
            CHECK_OK(phicache_config_get_redis_url(config, shown, sizeof shown, &len));
            CHECK(strstr(shown, "hunter2") == NULL);
            if (phicache_redis_cache_new(config, &options, &cache) == PHICACHE_OK) {
                CHECK_STATUS(get(cache, "k"), PHICACHE_ERROR_REDIS);
                CHECK(strstr(health_of(cache).last_error, "hunter2") == NULL);
            }
            CHECK(strstr(phicache_last_error(), "hunter2") == NULL);
        }
        CHECK_OK(phicache_redis_cache_free(cache));
        CHECK_OK(phicache_config_free(config));
    }
}

static void a_mice_in_the_near_cache_is_found_after_the_server_died(void) {
    const int32_t state[1] = {1};
    const phicache_fingerprint network = {{1}};
    phicache_config *config = at_nobody();
    phicache_subsystem *subsystem = NULL;
    phicache_mice_cache *cache = NULL;
    phicache_mice mice, found;
    phicache_value value = unset_value();
    CHECK_OK(phicache_subsystem_new(&network, 1, state, 1, NULL, NULL, &subsystem));
    CHECK_OK(phicache_redis_mice_cache_new(config, NULL, subsystem, NULL, &cache));
    memset(&mice, 0, sizeof mice);
    mice.struct_size = sizeof mice;
    mice.mechanism = mice.purview = 1;
    mice.phi = 0.5;
    found = mice;
    CHECK_OK(phicache_mice_cache_set(cache, text("k"), &mice));
    CHECK_OK(phicache_mice_cache_get(cache, text("k"), &found, &value));
    CHECK_NEAR(found.phi, 0.5, 0.0);
    phicache_value_release(&value);
    /* Nothing can be stored, neither in the near cache nor at the server. */
    CHECK_OK(phicache_config_set_maximum_memory_percent(config, 0));
    CHECK_STATUS(phicache_mice_cache_set(cache, text("other"), &mice), PHICACHE_REFUSED_SERVER);
    CHECK_OK(phicache_mice_cache_free(cache));
    CHECK_OK(phicache_subsystem_free(subsystem));
    CHECK_OK(phicache_config_free(config));
}

/* A program that was compiled with the header of version 0.1 has a shorter struct. */
static void options_of_the_first_version_work_and_scans_have_a_timeout(void) {
    phicache_config *config = at_server(0);
    phicache_cache_options options = no_options();
    phicache_redis_cache *cache = NULL;
    uint64_t size = 0;
    options.struct_size = offsetof(phicache_cache_options, scan_timeout_ms);
    options.scan_timeout_ms = UINT64_MAX; /* beyond the end of its struct */
    cache = new_redis_with(config, options);
    CHECK_OK(phicache_redis_cache_free(cache));
    options.struct_size -= 1;
    CHECK_STATUS(phicache_redis_cache_new(config, &options, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
    options.struct_size = sizeof options;
    CHECK_STATUS(phicache_redis_cache_new(config, &options, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "options->scan_timeout_ms");
    options.scan_timeout_ms = 5000;
    cache = new_redis_with(config, options);
    CHECK_OK(phicache_redis_cache_clear(cache));
    CHECK_OK(set(cache, "k"));
    CHECK_OK(phicache_redis_cache_size(cache, &size));
    CHECK_UINT(size, 1);
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

int main(void) {
    if (!redis_server_start(&server, "--user worker on >secret ~* &* +@all")) return REDIS_SERVER_SKIPPED;
    signal(SIGPIPE, SIG_DFL);
    RUN(a_dead_server_makes_misses_and_refusals);
    RUN(a_removal_that_failed_is_always_an_error);
    RUN(a_dead_server_does_not_stop_the_registry_from_clearing_others);
    RUN(a_dead_server_is_an_error_with_server_errors);
    RUN(a_computed_value_is_not_lost_with_the_server);
#ifndef PHICACHE_SANITIZED
    RUN(a_computed_value_is_not_lost_without_memory_to_send_it);
    RUN(a_connection_for_which_there_is_no_memory_is_made_later);
#endif
    RUN(a_server_killed_between_two_calls_raises_no_signal_and_comes_back);
    RUN(a_server_that_was_restarted_while_idle_is_used_at_once);
    RUN(a_frozen_server_costs_one_timeout_only);
    RUN(available_answers_within_its_timeout);
    RUN(a_server_that_refuses_is_not_failing_and_the_reason_is_reported);
    RUN(a_batch_that_fills_the_server_has_a_status_for_each_key);
    RUN(a_batch_over_a_cluster_with_a_dead_node_has_a_status_for_each_key);
    RUN(another_kind_of_value_is_no_value);
    RUN(logging_in_needs_the_right_password);
    RUN(no_message_has_the_password);
    RUN(a_mice_in_the_near_cache_is_found_after_the_server_died);
    RUN(options_of_the_first_version_work_and_scans_have_a_timeout);
    redis_server_stop(&server);
    return check_report();
}
