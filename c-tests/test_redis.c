/* test_redis.c: values in Redis, at a real server: all operations, in a namespace and with the whole database; batches,
 * times to live, long values; and keys that must not be touched. (Failing servers are in test_redis_failing.c, MICE in
 * test_redis_mice.c, several processes in test_redis_processes.c.) */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "redis_sample.h"

#include <sys/mman.h>

static void set(phicache_redis_cache *cache, const char *key, const char *value) {
    CHECK_OK(phicache_redis_cache_set(cache, text(key), text(value)));
}

static void a_stored_value_is_found(void) {
    int whole;
    for (whole = 0; whole < 2; whole++) {
        phicache_config *config = at_server(whole);
        phicache_redis_cache *cache = new_redis(config);
        uint64_t size = 99;
        check_redis_info(cache, 0, 0, 0);
        check_has_not(cache, "a");
        set(cache, "a", "value");
        set(cache, "empty", "");
        set(cache, "", "of the empty key");
        check_has(cache, "a", "value");
        check_has(cache, "empty", "");
        check_has(cache, "", "of the empty key");
        check_redis_info(cache, 3, 1, 3);
        set(cache, "a", "another");
        check_has(cache, "a", "another");
        CHECK_OK(phicache_redis_cache_size(cache, &size));
        CHECK_UINT(size, 3);
        CHECK_UINT(stats_of(cache).stores, 4);
        CHECK_OK(phicache_redis_cache_clear(cache));
        check_redis_info(cache, 0, 0, 0);
        check_has_not(cache, "a");
        CHECK_OK(phicache_redis_cache_free(cache));
        CHECK_OK(phicache_config_free(config));
    }
    CHECK_OK(phicache_redis_cache_free(NULL));
}

static void contains_and_remove_report_whether_the_key_exists(void) {
    int whole;
    for (whole = 0; whole < 2; whole++) {
        phicache_config *config = at_server(whole);
        phicache_redis_cache *cache = new_redis(config);
        set(cache, "a", "value");
        CHECK_OK(phicache_redis_cache_contains(cache, text("a")));
        CHECK_STATUS(phicache_redis_cache_contains(cache, text("b")), PHICACHE_MISS);
        if (!whole) check_redis_info(cache, 0, 0, 1); /* the server counts EXISTS as a lookup */
        CHECK_OK(phicache_redis_cache_remove(cache, text("a")));
        CHECK_STATUS(phicache_redis_cache_remove(cache, text("a")), PHICACHE_MISS);
        CHECK_STATUS(phicache_redis_cache_contains(cache, text("a")), PHICACHE_MISS);
        CHECK_OK(phicache_redis_cache_free(cache));
        CHECK_OK(phicache_config_free(config));
    }
}

static void get_into_copies_what_fits(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_redis(config);
    uint8_t buffer[8];
    size_t len = 99;
    set(cache, "a", "value");
    CHECK_STATUS(phicache_redis_cache_get_into(cache, text("a"), buffer, 4, &len), PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK_UINT(len, 5);
    check_redis_info(cache, 0, 0, 1);
    CHECK_OK(phicache_redis_cache_get_into(cache, text("a"), buffer, sizeof buffer, &len));
    CHECK_BYTES(buffer, len, "value", 5);
    CHECK_STATUS(phicache_redis_cache_get_into(cache, text("b"), buffer, sizeof buffer, &len), PHICACHE_MISS);
    CHECK_UINT(len, 0);
    check_redis_info(cache, 1, 1, 1);
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void memoize_computes_a_missing_value_once(void) {
    int whole;
    for (whole = 0; whole < 2; whole++) {
        phicache_config *config = at_server(whole);
        phicache_redis_cache *cache = new_redis(config), *other = new_redis(config);
        answer value = answers("computed"), failure = fails(7);
        phicache_value out = unset_value();
        int32_t code = 0;
        CHECK_OK(phicache_redis_cache_memoize(cache, text("k"), compute_answer, &value, &out, &out, NULL));
        CHECK_VALUE(out, "computed");
        CHECK_UINT(out.origin, PHICACHE_ORIGIN_COMPUTED);
        phicache_value_release(&out);
        CHECK_BYTES(value.key, value.key_len, "k", 1);
        CHECK_OK(phicache_redis_cache_memoize(cache, text("k"), compute_never, NULL, NULL, &out, NULL));
        CHECK_UINT(out.origin, PHICACHE_ORIGIN_HIT);
        phicache_value_release(&out);
        CHECK_OK(phicache_redis_cache_memoize(other, text("k"), compute_never, NULL, NULL, &out, NULL));
        CHECK_VALUE(out, "computed");
        phicache_value_release(&out);
        CHECK_STATUS(phicache_redis_cache_memoize(cache, text("f"), compute_answer, &failure, NULL, &out, &code),
                     PHICACHE_ERROR_CALLBACK);
        CHECK_INT(code, 7);
        CHECK_STATUS(phicache_redis_cache_contains(cache, text("f")), PHICACHE_MISS);
        CHECK_UINT(value.calls, 1);
        CHECK_OK(phicache_redis_cache_free(cache));
        CHECK_OK(phicache_redis_cache_free(other));
        CHECK_OK(phicache_config_free(config));
    }
}

static void keys_are_called_as_the_documentation_says(void) {
    const uint8_t binary[] = {0, 255, '\n', ':', '%', 'k'};
    phicache_config *spaced = at_server(0), *whole = at_server(1);
    phicache_redis_cache *cache = new_redis(spaced), *all = new_redis(whole);
    phicache_value value = unset_value();
    CHECK_OK(phicache_redis_cache_set(cache, bytes(binary, sizeof binary), text("spaced")));
    CHECK(strncmp(ask("GET phicache/2:raw:%00%FF%0A%3A%25k"), "spaced", 6) == 0); /* and a seal */
    CHECK_OK(phicache_redis_cache_set(all, bytes(binary, sizeof binary), text("whole")));
    CHECK_TEXT(ask("GET \"\\x00\\xff\\n:%k\""), "whole");
    CHECK_TEXT(ask("SET given \"by another program\""), "OK");
    CHECK_OK(phicache_redis_cache_get(all, text("given"), &value));
    CHECK_VALUE(value, "by another program");
    phicache_value_release(&value);
    check_has_not(cache, "given");
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_redis_cache_free(all));
    CHECK_OK(phicache_config_free(spaced));
    CHECK_OK(phicache_config_free(whole));
}

static void keys_of_other_programs_are_neither_counted_nor_removed(void) {
    const char *const others[] = {"phicache", "phicache2/2:raw:k", "phicach", "PHICACHE/2:raw:k", "session:17",
                                  "\"\\x00\\xff\\x80\"", "\"phicache\\x00/2:raw:k\"", "\"*\"",
                                  "\"[p]hicache/2:raw:k\""};
    const size_t count = sizeof others / sizeof *others;
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_redis(config);
    char command[128], key[32];
    uint64_t size = 0;
    size_t i;
    for (i = 0; i < count; i++) {
        snprintf(command, sizeof command, "SET %s untouched", others[i]);
        CHECK_TEXT(ask(command), "OK");
    }
    CHECK_TEXT(ask("HSET \"a hash\" field 1"), "1");
    for (i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "%zu", i);
        set(cache, key, "ours");
    }
    CHECK_OK(phicache_redis_cache_size(cache, &size));
    CHECK_UINT(size, 1000);
    CHECK_OK(phicache_redis_cache_clear(cache));
    CHECK_INT(number("DBSIZE"), (long long)count + 1);
    for (i = 0; i < count; i++) {
        snprintf(command, sizeof command, "GET %s", others[i]);
        CHECK_TEXT(ask(command), "untouched");
    }
    CHECK_INT(redis_server_calls(&server, "flushdb"), 0);
    CHECK_INT(redis_server_calls(&server, "keys"), 0);
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void the_whole_database_is_counted_and_cleared(void) {
    phicache_config *config = at_server(1);
    phicache_redis_cache *cache = new_redis(config);
    phicache_info info = {0, 0, 0};
    CHECK_TEXT(ask("SET other 1"), "OK");
    CHECK_TEXT(ask("GET other"), "1");
    set(cache, "a", "value");
    CHECK_OK(phicache_redis_cache_info(cache, &info));
    CHECK_UINT(info.size, 2);
    CHECK_UINT(info.hits, 1); /* the other program's */
    CHECK_OK(phicache_redis_cache_clear(cache));
    CHECK_INT(number("DBSIZE"), 0);
    check_redis_info(cache, 0, 0, 0);
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void namespaces_and_roles_do_not_see_each_other(void) {
    const phicache_fingerprint one_system = {{1}}, other_system = {{2}};
    phicache_config *config = at_server(0), *lab = at_server(0);
    phicache_redis_cache *caches[5];
    char value[2] = "0";
    int i;
    CHECK_OK(phicache_config_set_redis_namespace(lab, "lab"));
    caches[0] = new_redis(config);
    caches[1] = new_redis(lab);
    CHECK_OK(phicache_redis_cache_shared(lab, NULL, &one_system, "repertoires", &caches[2]));
    CHECK_OK(phicache_redis_cache_shared(lab, NULL, &one_system, "distances", &caches[3]));
    CHECK_OK(phicache_redis_cache_shared(lab, NULL, &other_system, "distances", &caches[4]));
    for (i = 0; i < 5; i++, value[0]++) set(caches[i], "key", value);
    for (i = 0, value[0] = '0'; i < 5; i++, value[0]++) check_has(caches[i], "key", value);
    CHECK_OK(phicache_redis_cache_clear(caches[3]));
    check_redis_info(caches[3], 0, 0, 0);
    check_redis_info(caches[4], 1, 0, 1);
    CHECK_OK(phicache_redis_cache_clear(caches[1])); /* this cache covers its whole namespace */
    check_redis_info(caches[4], 1, 0, 0);
    check_redis_info(caches[0], 1, 0, 1);
    for (i = 0; i < 5; i++) CHECK_OK(phicache_redis_cache_free(caches[i]));
    CHECK_OK(phicache_config_free(config));
    CHECK_OK(phicache_config_free(lab));
}

static void values_expire(void) {
    int whole;
    for (whole = 0; whole < 2; whole++) {
        phicache_config *config = at_server(whole);
        phicache_cache_options options = no_options();
        phicache_redis_cache *cache, *lasting = new_redis(config);
        const char *const names[2][3] = {
            {"PTTL phicache/2:raw:set", "PTTL phicache/2:raw:many", "PTTL phicache/2:raw:made"},
            {"PTTL set", "PTTL many", "PTTL made"}};
        const phicache_bytes many = text("many");
        answer value = answers("computed");
        phicache_value out = unset_value();
        int i;
        options.ttl_ms = 400;
        cache = new_redis_with(config, options);
        set(cache, "set", "value");
        CHECK_OK(phicache_cache_set_many(view_of(cache), &many, &many, 1, NULL));
        CHECK_OK(phicache_redis_cache_memoize(cache, text("made"), compute_answer, &value, NULL, &out, NULL));
        phicache_value_release(&out);
        for (i = 0; i < 3; i++) CHECK(number(names[whole][i]) <= 400);
        CHECK(number(names[whole][2]) > 0);
        set(lasting, "lasting", "value");
        CHECK_INT(number(whole ? "PTTL lasting" : "PTTL phicache/2:raw:lasting"), -1);
        redis_server_pause(500);
        check_has_not(cache, "set");
        check_has_not(cache, "many");
        check_has_not(cache, "made");
        check_has(cache, "lasting", "value");
        CHECK_OK(phicache_redis_cache_free(cache));
        CHECK_OK(phicache_redis_cache_free(lasting));
        CHECK_OK(phicache_config_free(config));
    }
}

static void a_time_that_is_too_long_is_an_error(void) {
    phicache_config *config = at_server(0);
    phicache_cache_options options = no_options();
    phicache_redis_cache *cache = NULL;
    options.ttl_ms = UINT64_MAX;
    CHECK_STATUS(phicache_redis_cache_new(config, &options, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "options->ttl_ms is -1, a negative time; expected 0 to");
    options.ttl_ms = 100000000000000;
    cache = new_redis_with(config, options);
    set(cache, "a", "nearly forever");
    check_has(cache, "a", "nearly forever");
    CHECK_OK(phicache_redis_cache_free(cache));
    options.lease_ms = INT64_MAX;
    CHECK_STATUS(phicache_redis_cache_new(config, &options, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "options->lease_ms");
    CHECK_OK(phicache_config_free(config));
}

enum { MANY = 300 };

static void batches_are_single_round_trips(void) {
    int whole;
    for (whole = 0; whole < 2; whole++) {
        phicache_config *config = at_server(whole);
        phicache_redis_cache *cache = new_redis(config);
        phicache_bytes keys[MANY], values[MANY];
        phicache_value found[MANY];
        phicache_status statuses[MANY];
        char names[MANY][16];
        size_t i, count = 99;
        for (i = 0; i < MANY; i++) {
            snprintf(names[i], sizeof names[i], "key %zu", i);
            keys[i] = text(names[i]);
            values[i] = bytes(names[i], i % 7); /* some are empty */
            statuses[i] = -99;
        }
        CHECK_OK(phicache_cache_set_many(view_of(cache), keys, values, MANY / 2, statuses));
        CHECK_OK(phicache_cache_get_many(view_of(cache), keys, MANY, found, &count));
        CHECK_UINT(count, MANY / 2);
        for (i = 0; i < MANY; i++) {
            CHECK_STATUS(statuses[i], i < MANY / 2 ? PHICACHE_OK : -99);
            if (i < MANY / 2) {
                CHECK(found[i].data != NULL);
                CHECK_BYTES(found[i].data, found[i].len, values[i].data, values[i].len);
            } else {
                CHECK_NO_VALUE(found[i]);
            }
            phicache_value_release(&found[i]);
        }
        check_redis_info(cache, MANY / 2, MANY - MANY / 2, MANY / 2);
        CHECK_INT(redis_server_calls(&server, "get"), 0);
        CHECK(redis_server_calls(&server, "mget") <= 3); /* some hundreds of keys in each, all sent at once */
        keys[1] = keys[0]; /* the same key twice */
        CHECK_OK(phicache_cache_get_many(view_of(cache), keys, 2, found, NULL));
        CHECK(found[0].data != NULL && found[1].data != NULL);
        phicache_value_release(&found[0]);
        phicache_value_release(&found[1]);
        CHECK_OK(phicache_cache_get_many(view_of(cache), NULL, 0, NULL, &count));
        CHECK_UINT(count, 0);
        CHECK_OK(phicache_cache_set_many(view_of(cache), NULL, NULL, 0, NULL));
        CHECK_STATUS(phicache_cache_set_many(view_of(cache), keys, NULL, 1, NULL), PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK_OK(phicache_redis_cache_free(cache));
        CHECK_OK(phicache_config_free(config));
    }
}

static void values_may_be_long(void) {
    enum { LONG = 20000000 };
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_redis(config);
    uint8_t *content = malloc(LONG);
    phicache_value value = unset_value();
    size_t i;
    REQUIRE(content != NULL);
    for (i = 0; i < LONG; i++) content[i] = (uint8_t)(i * 2654435761u >> 13);
    CHECK_OK(phicache_redis_cache_set(cache, text("long"), bytes(content, LONG)));
    CHECK_OK(phicache_redis_cache_get(cache, text("long"), &value));
    CHECK_BYTES(value.data, value.len, content, LONG);
    phicache_value_release(&value);
    free(content);
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void a_value_too_large_for_any_server_is_an_error(void) {
    const size_t len = ((size_t)512 << 20) + 1;
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_redis(config);
    /* Addresses without readable memory: reading the content would crash. */
    void *content = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const phicache_bytes key = text("k"), value = bytes(content, len);
    REQUIRE(content != MAP_FAILED);
    CHECK_STATUS(phicache_redis_cache_set(cache, key, value), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "536870913 bytes");
    CHECK_CONTAINS(phicache_last_error(), "512 MB");
    CHECK_STATUS(phicache_cache_set_many(view_of(cache), &key, &value, 1, NULL), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "512 MB");
    CHECK_STATUS(phicache_redis_cache_contains(cache, key), PHICACHE_MISS);
    munmap(content, len);
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void memos_and_methods_work_on_it(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_redis(config);
    phicache_memo *memo = NULL;
    phicache_method *method = NULL;
    phicache_key *args = NULL;
    phicache_value out = unset_value();
    phicache_bytes key;
    answer value = answers("computed"), of_object = answers("for the object");
    CHECK_OK(phicache_key_new(&args));
    CHECK_OK(phicache_key_add_int(args, 17));
    CHECK_OK(phicache_memo_new(config, compute_answer, &value, NULL, PHICACHE_MEMORY_CONFIGURED, 0, view_of(cache),
                               "memo", &memo));
    CHECK_OK(phicache_memo_call(memo, args, NULL, &out, NULL));
    CHECK_VALUE(out, "computed");
    phicache_value_release(&out);
    CHECK_OK(phicache_memo_call(memo, args, NULL, &out, NULL));
    CHECK_UINT(out.origin, PHICACHE_ORIGIN_HIT);
    phicache_value_release(&out);
    CHECK_OK(phicache_method_new("method", 0, compute_answer, &of_object, NULL, &method));
    CHECK_OK(phicache_method_call(method, view_of(cache), NULL, args, &out, NULL));
    CHECK_UINT(out.origin, PHICACHE_ORIGIN_COMPUTED);
    phicache_value_release(&out);
    CHECK_OK(phicache_redis_cache_key(cache, "method", args, &key));
    CHECK_OK(phicache_redis_cache_get(cache, key, &out));
    CHECK_VALUE(out, "for the object");
    phicache_value_release(&out);
    CHECK_UINT(value.calls + of_object.calls, 2);
    CHECK_OK(phicache_memo_free(memo));
    CHECK_OK(phicache_method_free(method));
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void leases_without_callbacks_work_on_it(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_redis(config);
    phicache_lease *lease = NULL, *none = NULL;
    phicache_value out = unset_value();
    uint8_t *room = NULL;
    CHECK_STATUS(phicache_cache_begin(view_of(cache), text("k"), 1, &out, &lease), PHICACHE_LEASE);
    CHECK_STATUS(phicache_cache_begin(view_of(cache), text("k"), 2, &out, &none), PHICACHE_BUSY);
    CHECK_STATUS(phicache_cache_wait(view_of(cache), text("k"), 2, 10, &out), PHICACHE_TIMEOUT);
    CHECK_STATUS(phicache_cache_begin(view_of(cache), text("k"), 1, &out, &none), PHICACHE_ERROR_RECURSION);
    REQUIRE_OK(phicache_lease_reserve(lease, 5, &room));
    memcpy(room, "value", 5);
    CHECK_OK(phicache_lease_complete(lease, &out));
    CHECK_UINT(out.origin, PHICACHE_ORIGIN_COMPUTED);
    phicache_value_release(&out);
    CHECK_OK(phicache_cache_begin(view_of(cache), text("k"), 2, &out, &none));
    CHECK_VALUE(out, "value");
    phicache_value_release(&out);
    check_has(cache, "k", "value");
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void values_at_a_server_are_not_read_in_place(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_redis(config);
    phicache_bytes found;
    set(cache, "a", "value");
    CHECK_OK(phicache_read_begin());
    CHECK_STATUS(phicache_cache_read(view_of(cache), text("a"), &found), PHICACHE_ERROR_UNSUPPORTED);
    CHECK_CONTAINS(phicache_last_error(), "phicache_cache_get");
    CHECK_OK(phicache_read_end());
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void a_name_is_listed_with_its_kind_and_counts(void) {
    phicache_config *config = at_server(0);
    phicache_cache_options options = no_options();
    phicache_redis_cache *cache, *second = NULL;
    phicache_registry_item item;
    size_t count = 0;
    options.name = "at the server";
    cache = new_redis_with(config, options);
    CHECK_STATUS(phicache_redis_cache_new(config, &options, &second), PHICACHE_ERROR_NAME_IN_USE);
    set(cache, "a", "value");
    check_has(cache, "a", "value");
    memset(&item, 0, sizeof item);
    item.struct_size = sizeof item;
    CHECK_OK(phicache_registry_list(&item, 1, &count));
    CHECK_UINT(count, 1);
    CHECK_TEXT(item.name, "at the server");
    CHECK_INT(item.kind, PHICACHE_KIND_REDIS);
    CHECK_UINT(item.info.hits, 1);
    CHECK_UINT(item.info.size, 1);
    CHECK_OK(phicache_registry_clear("at the server"));
    check_redis_info(cache, 0, 0, 0);
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void handles_of_other_types_are_refused(void) {
    phicache_config *config = at_server(0);
    phicache_dict_cache *dict = new_dict();
    phicache_redis_cache *cache = new_redis(config);
    phicache_cache *view = NULL;
    phicache_redis_health health;
    phicache_value out = unset_value();
    memset(&health, 0, sizeof health);
    health.struct_size = sizeof health;
    CHECK_STATUS(phicache_redis_cache_get((phicache_redis_cache *)(void *)dict, text("k"), &out),
                 PHICACHE_ERROR_INVALID_HANDLE);
    CHECK_STATUS(phicache_dict_cache_get((phicache_dict_cache *)(void *)cache, text("k"), &out),
                 PHICACHE_ERROR_INVALID_HANDLE);
    CHECK_OK(phicache_dict_cache_as_cache(dict, &view));
    CHECK_STATUS(phicache_cache_redis_health(view, &health), PHICACHE_ERROR_INVALID_HANDLE);
    CHECK_STATUS(phicache_dict_cache_free((phicache_dict_cache *)(void *)cache), PHICACHE_ERROR_INVALID_HANDLE);
    CHECK_OK(phicache_dict_cache_free(dict));
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_STATUS(phicache_redis_cache_get(cache, text("k"), &out), PHICACHE_ERROR_INVALID_HANDLE);
    CHECK_OK(phicache_config_free(config));
}

int main(void) {
    if (!start_server()) return REDIS_SERVER_SKIPPED;
    RUN(a_stored_value_is_found);
    RUN(contains_and_remove_report_whether_the_key_exists);
    RUN(get_into_copies_what_fits);
    RUN(memoize_computes_a_missing_value_once);
    RUN(keys_are_called_as_the_documentation_says);
    RUN(keys_of_other_programs_are_neither_counted_nor_removed);
    RUN(the_whole_database_is_counted_and_cleared);
    RUN(namespaces_and_roles_do_not_see_each_other);
    RUN(values_expire);
    RUN(a_time_that_is_too_long_is_an_error);
    RUN(batches_are_single_round_trips);
    RUN(values_may_be_long);
    RUN(a_value_too_large_for_any_server_is_an_error);
    RUN(memos_and_methods_work_on_it);
    RUN(leases_without_callbacks_work_on_it);
    RUN(values_at_a_server_are_not_read_in_place);
    RUN(a_name_is_listed_with_its_kind_and_counts);
    RUN(handles_of_other_types_are_refused);
    redis_server_stop(&server);
    return check_report();
}
