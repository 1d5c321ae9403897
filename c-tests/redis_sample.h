/* redis_sample.h: for the C tests of caches in Redis: a server, which is empty at the start of each test, and
 * configurations for it and for an address without a server. Include this first. */
#ifndef PHICACHE_REDIS_SAMPLE_H
#define PHICACHE_REDIS_SAMPLE_H

#include "redis_server.h"

#include "sample.h"

static redis_server server;

/* Starts a server; returns 0 if no redis-server was found. If REDIS_TEST_ACL is set, such as to "-@all +get", the
 * library logs in as a user who may use only these commands; the test itself logs in as the default user. */
static inline int start_server(void) {
    const char *acl = getenv("REDIS_TEST_ACL");
    char options[512];
    if (acl == NULL) return redis_server_start(&server, "");
    snprintf(options, sizeof options, "--user worker on >password ~* resetchannels %s", acl);
    return redis_server_start(&server, options);
}

/* Sends a command to the server and returns its reply as text, or NULL. */
static inline const char *ask(const char *command) {
    static char answer[4096];
    return redis_server_ask(&server, command, answer, sizeof answer) < 0 ? NULL : answer;
}

static inline long long number(const char *command) { return redis_server_number(&server, command); }

static inline phicache_config *new_config(const char *url) {
    phicache_config *config = NULL;
    CHECK_OK(phicache_config_new(&config));
    CHECK_OK(phicache_config_set_maximum_memory_percent(config, PHICACHE_MEMORY_UNLIMITED));
    CHECK_OK(phicache_config_set_redis_url(config, url));
    CHECK_OK(phicache_config_set_redis_timeout_ms(config, 5000)); /* on a machine that is busy with other tests */
    return config;
}

/* A configuration for the server, after its database and counts were emptied: for a namespace, or the whole database.
 * */
static inline phicache_config *at_server(int whole) {
    phicache_config *config = new_config(server.url);
    if (getenv("REDIS_TEST_ACL") != NULL) CHECK_OK(phicache_config_set_redis_login(config, "worker", "password"));
    CHECK_TEXT(ask("FLUSHALL"), "OK");
    CHECK_TEXT(ask("CONFIG RESETSTAT"), "OK");
    CHECK_OK(phicache_config_set_redis_whole_database(config, whole));
    return config;
}

/* A configuration for an address without a server. */
static inline phicache_config *at_nobody(void) {
    char url[96];
    phicache_config *config;
    snprintf(url, sizeof url, "redis://worker:hunter2@127.0.0.1:%d", redis_server_free_port());
    config = new_config(url);
    CHECK_OK(phicache_config_set_redis_timeout_ms(config, 300));
    return config;
}

static inline phicache_cache_options no_options(void) {
    phicache_cache_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    return options;
}

static inline phicache_redis_cache *new_redis(phicache_config *config) {
    phicache_redis_cache *cache = NULL;
    CHECK_OK(phicache_redis_cache_new(config, NULL, &cache));
    return cache;
}

static inline phicache_redis_cache *new_redis_with(phicache_config *config, phicache_cache_options options) {
    phicache_redis_cache *cache = NULL;
    CHECK_OK(phicache_redis_cache_new(config, &options, &cache));
    return cache;
}

static inline phicache_cache *view_of(phicache_redis_cache *cache) {
    phicache_cache *view = NULL;
    CHECK_OK(phicache_redis_cache_as_cache(cache, &view));
    return view;
}

static inline phicache_redis_health health_of(phicache_redis_cache *cache) {
    phicache_redis_health health;
    memset(&health, 0, sizeof health);
    health.struct_size = sizeof health;
    CHECK_OK(phicache_cache_redis_health(view_of(cache), &health));
    return health;
}

static inline phicache_stats stats_of(phicache_redis_cache *cache) {
    phicache_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_redis_cache_stats(cache, &stats));
    return stats;
}

static inline void check_redis_info(phicache_redis_cache *cache, uint64_t hits, uint64_t misses, uint64_t size) {
    phicache_info info = {99, 99, 99};
    CHECK_OK(phicache_redis_cache_info(cache, &info));
    CHECK_COUNTS(info, hits, misses, size);
}

static inline void check_has(phicache_redis_cache *cache, const char *key, const char *expected) {
    phicache_value value = unset_value();
    CHECK_OK(phicache_redis_cache_get(cache, text(key), &value));
    CHECK_VALUE(value, expected);
    CHECK_UINT((uintptr_t)value.data % 16, 0);
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_HIT);
    phicache_value_release(&value);
}

static inline void check_has_not(phicache_redis_cache *cache, const char *key) {
    phicache_value value = unset_value();
    CHECK_STATUS(phicache_redis_cache_get(cache, text(key), &value), PHICACHE_MISS);
    CHECK_NO_VALUE(value);
}

static inline long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif /* PHICACHE_REDIS_SAMPLE_H */
