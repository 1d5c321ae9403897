/* test_redis_mice.c: MICE in Redis, at a real server, following PyPhi's own tests: inheritance of cut subsystems,
 * refusals, valid parents; the number of requests to the server; and records that are damaged or belong to another key.
 * */
#include "redis_sample.h"

#include "mice_sample.h"

static phicache_mice_cache *new_cache(phicache_config *config, const uint64_t *severed, phicache_mice_cache *parent) {
    phicache_subsystem *subsystem = new_subsystem(severed);
    phicache_mice_cache *cache = NULL;
    CHECK_OK(phicache_redis_mice_cache_new(config, NULL, subsystem, parent, &cache));
    CHECK_OK(phicache_subsystem_free(subsystem));
    return cache;
}

static phicache_status status_of_new(phicache_config *config, const uint64_t *severed, phicache_mice_cache *parent) {
    phicache_subsystem *subsystem = new_subsystem(severed);
    phicache_mice_cache *cache = NULL;
    const phicache_status status = phicache_redis_mice_cache_new(config, NULL, subsystem, parent, &cache);
    CHECK(cache == NULL || status == PHICACHE_OK);
    CHECK_OK(phicache_mice_cache_free(cache));
    CHECK_OK(phicache_subsystem_free(subsystem));
    return status;
}

static phicache_mice effect(uint64_t mechanism, uint64_t purview, double phi, const char *payload) {
    return mice_of(PHICACHE_EFFECT, mechanism, purview, phi, payload);
}

/* The standard key of the effect of a mechanism; the second call after this one overwrites it. */
static phicache_bytes key_of(uint64_t mechanism) {
    static uint8_t buffers[2][PHICACHE_KEY_BUFFER];
    static int which = 0;
    size_t len = 0;
    which = !which;
    CHECK_OK(phicache_key_mice(NULL, PHICACHE_EFFECT, mechanism, NULL, 0, buffers[which], PHICACHE_KEY_BUFFER, &len));
    return bytes(buffers[which], len);
}

static phicache_status set(phicache_mice_cache *cache, phicache_mice mice) {
    return phicache_mice_cache_set(cache, key_of(mice.mechanism), &mice);
}

static void check_get(phicache_mice_cache *cache, phicache_mice expected, uint32_t origin) {
    phicache_mice mice = no_mice();
    phicache_value value = unset_value();
    if (!CHECK_OK(phicache_mice_cache_get(cache, key_of(expected.mechanism), &mice, &value))) return;
    check_mice(&mice, &expected);
    CHECK_UINT(value.origin, origin);
    phicache_value_release(&value);
}

static void check_miss(phicache_mice_cache *cache, uint64_t mechanism) {
    phicache_mice mice;
    phicache_value value = unset_value();
    memset(&mice, 0xEE, sizeof mice);
    mice.struct_size = sizeof mice;
    CHECK_STATUS(phicache_mice_cache_get(cache, key_of(mechanism), &mice, &value), PHICACHE_MISS);
    CHECK_NO_VALUE(value);
}

static phicache_stats mice_stats(phicache_mice_cache *cache) {
    phicache_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_mice_cache_stats(cache, &stats));
    return stats;
}

static void a_stored_value_is_found_in_every_process(void) {
    int whole;
    for (whole = 0; whole < 2; whole++) {
        phicache_config *config = at_server(whole);
        phicache_mice_cache *cache = new_cache(config, NULL, NULL), *elsewhere = new_cache(config, NULL, NULL);
        phicache_info info = {99, 99, 99};
        check_miss(cache, 2);
        CHECK_OK(set(cache, safe_mice("the safe one")));
        check_get(cache, safe_mice("the safe one"), PHICACHE_ORIGIN_HIT);
        check_get(elsewhere, safe_mice("the safe one"), PHICACHE_ORIGIN_HIT);
        CHECK_OK(phicache_mice_cache_info(cache, &info));
        CHECK_UINT(info.hits, whole ? 2 : 1); /* the server counts the lookups of both handles */
        CHECK_UINT(info.misses, 1);
        CHECK_UINT(info.size, 1);
        CHECK_OK(phicache_mice_cache_contains(elsewhere, key_of(2)));
        CHECK_OK(phicache_mice_cache_remove(cache, key_of(2)));
        CHECK_STATUS(phicache_mice_cache_remove(cache, key_of(2)), PHICACHE_MISS);
        CHECK_OK(set(cache, safe_mice("the safe one")));
        CHECK_OK(phicache_mice_cache_clear(cache));
        CHECK_OK(phicache_mice_cache_info(cache, &info));
        CHECK_UINT(info.hits + info.misses + info.size, 0);
        check_miss(cache, 2);
        CHECK_OK(phicache_mice_cache_free(cache));
        CHECK_OK(phicache_mice_cache_free(elsewhere));
        CHECK_OK(phicache_config_free(config));
    }
}

static void a_cut_subsystem_inherits_undamaged_records(void) {
    int whole;
    for (whole = 0; whole < 2; whole++) {
        phicache_config *config = at_server(whole);
        phicache_mice_cache *parent = new_cache(config, NULL, NULL), *child = new_cache(config, CUT, parent);
        uint64_t size = 99;
        CHECK_OK(set(parent, safe_mice("the safe one")));
        CHECK_OK(set(parent, damaged_mice("the damaged one")));
        check_get(child, safe_mice("the safe one"), PHICACHE_ORIGIN_PARENT);
        check_miss(child, 1);
        CHECK_OK(phicache_mice_cache_contains(child, key_of(2)));
        CHECK_STATUS(phicache_mice_cache_contains(child, key_of(1)), PHICACHE_MISS);
        CHECK_OK(phicache_mice_cache_size(child, &size));
        CHECK_UINT(size, whole ? 2 : 1); /* in the whole database all keys count */
        CHECK_OK(phicache_mice_cache_free(parent)); /* the child keeps it alive */
        check_get(child, safe_mice("the safe one"), PHICACHE_ORIGIN_PARENT);
        check_miss(child, 1);
        CHECK_OK(phicache_mice_cache_free(child));
        CHECK_OK(phicache_config_free(config));
    }
}

static void a_cut_subsystem_stores_nothing(void) {
    int whole;
    for (whole = 0; whole < 2; whole++) {
        phicache_config *config = at_server(whole);
        phicache_mice_cache *cache = new_cache(config, CUT, NULL);
        CHECK_STATUS(set(cache, safe_mice("the safe one")), PHICACHE_REFUSED_CUT);
        CHECK_STATUS(phicache_mice_cache_would_store(cache, 0.5), PHICACHE_REFUSED_CUT);
        check_miss(cache, 2);
        CHECK_UINT(mice_stats(cache).refused_cut, 1);
        CHECK_INT(number("DBSIZE"), 0);
        CHECK_OK(phicache_mice_cache_free(cache));
        CHECK_OK(phicache_config_free(config));
    }
}

static void phi_of_zero_is_stored(void) {
    phicache_config *config = at_server(0);
    phicache_mice_cache *cache = new_cache(config, NULL, NULL), *elsewhere = new_cache(config, NULL, NULL);
    CHECK_OK(phicache_mice_cache_would_store(cache, 0));
    CHECK_OK(set(cache, effect(2, 0, 0, "")));
    check_get(elsewhere, effect(2, 0, 0, ""), PHICACHE_ORIGIN_HIT);
    CHECK_OK(phicache_mice_cache_free(cache));
    CHECK_OK(phicache_mice_cache_free(elsewhere));
    CHECK_OK(phicache_config_free(config));
}

static void a_parent_is_uncut_and_in_redis_too(void) {
    phicache_config *config = at_server(0);
    phicache_subsystem *subsystem = new_subsystem(NULL);
    phicache_mice_cache *cut = new_cache(config, CUT, NULL), *dict = NULL, *in_redis = new_cache(config, NULL, NULL);
    phicache_mice_cache *in_process = NULL;
    CHECK_OK(phicache_dict_mice_cache_new(config, NULL, subsystem, NULL, &dict));
    CHECK_STATUS(status_of_new(config, CUT, cut), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "cut");
    CHECK_STATUS(status_of_new(config, CUT, dict), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "Redis");
    CHECK_STATUS(phicache_dict_mice_cache_new(config, NULL, subsystem, in_redis, &in_process),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "Redis");
    CHECK_STATUS(status_of_new(config, CUT, in_redis), PHICACHE_OK);
    CHECK_OK(phicache_mice_cache_free(cut));
    CHECK_OK(phicache_mice_cache_free(dict));
    CHECK_OK(phicache_mice_cache_free(in_redis));
    CHECK_OK(phicache_subsystem_free(subsystem));
    CHECK_OK(phicache_config_free(config));
}

static void the_configuration_chooses_where_mice_are_stored(void) {
    phicache_config *config = at_server(0);
    phicache_subsystem *subsystem = new_subsystem(NULL);
    phicache_mice_cache *cache = NULL;
    phicache_cache_options options = no_options();
    phicache_registry_item item;
    size_t count;
    int enabled;
    for (enabled = 0; enabled < 2; enabled++) {
        CHECK_OK(phicache_config_set_redis_cache(config, enabled));
        options.name = "somewhere";
        REQUIRE_OK(phicache_mice_cache_new(config, &options, subsystem, NULL, &cache));
        CHECK_OK(set(cache, safe_mice("the safe one")));
        memset(&item, 0, sizeof item);
        item.struct_size = sizeof item;
        CHECK_OK(phicache_registry_list(&item, 1, &count));
        CHECK_INT(item.kind, enabled ? PHICACHE_KIND_REDIS_MICE : PHICACHE_KIND_MICE);
        CHECK_INT(number("DBSIZE"), enabled);
        CHECK_OK(phicache_mice_cache_free(cache));
    }
    CHECK_OK(phicache_subsystem_free(subsystem));
    CHECK_OK(phicache_config_free(config));
}

static void a_record_is_fetched_once_and_its_damage_is_remembered(void) {
    phicache_config *config = at_server(0);
    phicache_mice_cache *writer = new_cache(config, NULL, NULL), *parent = new_cache(config, NULL, NULL);
    phicache_mice_cache *child = new_cache(config, CUT, parent);
    int i;
    CHECK_OK(set(writer, safe_mice("the safe one")));
    CHECK_OK(set(writer, damaged_mice("the damaged one")));
    for (i = 0; i < 5; i++) {
        check_get(child, safe_mice("the safe one"), PHICACHE_ORIGIN_PARENT);
        check_miss(child, 1);
        check_get(parent, safe_mice("the safe one"), PHICACHE_ORIGIN_HIT);
        check_get(writer, safe_mice("the safe one"), PHICACHE_ORIGIN_HIT);
    }
    CHECK_INT(redis_server_calls(&server, "get"), 2);
    CHECK_OK(phicache_mice_cache_free(writer));
    CHECK_OK(phicache_mice_cache_free(parent));
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_config_free(config));
}

static void with_the_whole_database_a_child_sends_two_requests_for_each_lookup(void) {
    phicache_config *config = at_server(1);
    phicache_mice_cache *parent = new_cache(config, NULL, NULL), *child = new_cache(config, CUT, parent);
    CHECK_OK(set(parent, safe_mice("the safe one")));
    CHECK_CONTAINS(ask("RANDOMKEY"), "subsys:");
    check_get(child, safe_mice("the safe one"), PHICACHE_ORIGIN_PARENT);
    check_get(child, safe_mice("the safe one"), PHICACHE_ORIGIN_PARENT);
    CHECK_INT(redis_server_calls(&server, "get"), 4);
    CHECK_OK(phicache_mice_cache_free(parent));
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_config_free(config));
}

static int32_t compute_safe(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    const phicache_mice mice = safe_mice("the safe one");
    (void)call_data, (void)key;
    ++*(int *)user_data;
    return phicache_result_mice(result, &mice, NULL);
}

static void memoize_stores_for_all(void) {
    phicache_config *config = at_server(0);
    phicache_mice_cache *cache = new_cache(config, NULL, NULL), *elsewhere = new_cache(config, NULL, NULL);
    phicache_mice_cache *cut = new_cache(config, CUT, NULL);
    phicache_mice_cache *const all[] = {cache, elsewhere, cut};
    const uint32_t origins[] = {PHICACHE_ORIGIN_COMPUTED, PHICACHE_ORIGIN_HIT,
                                PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_CUT};
    phicache_mice mice;
    phicache_value value = unset_value();
    int i, calls = 0;
    memset(&mice, 0, sizeof mice);
    mice.struct_size = sizeof mice;
    for (i = 0; i < 3; i++) {
        REQUIRE_OK(phicache_mice_cache_memoize(all[i], key_of(2), compute_safe, &calls, NULL, &mice, &value, NULL));
        CHECK_NEAR(mice.phi, 0.5, 0.0);
        CHECK_UINT(value.origin, origins[i]);
        phicache_value_release(&value);
    }
    CHECK_INT(calls, 2);
    for (i = 0; i < 3; i++) CHECK_OK(phicache_mice_cache_free(all[i]));
    CHECK_OK(phicache_config_free(config));
}

/* Replaces the record of the effect of node 1 by something else, and checks how a new cache treats it. */
static void check_is_a_counted_miss(const char *change) {
    phicache_config *config = at_server(0);
    phicache_mice_cache *writer = new_cache(config, NULL, NULL), *parent, *child;
    char command[512], name[256];
    CHECK_OK(set(writer, safe_mice("the safe one")));
    redis_server_copy(name, sizeof name, ask("RANDOMKEY"));
    CHECK_CONTAINS(name, ":-:effect:1:*");
    snprintf(command, sizeof command, change, name);
    CHECK(ask(command)[0] != '-');
    parent = new_cache(config, NULL, NULL);
    child = new_cache(config, CUT, parent);
    check_miss(parent, 2);
    check_miss(child, 2);
    CHECK_STATUS(phicache_mice_cache_contains(parent, key_of(2)), PHICACHE_MISS);
    CHECK(mice_stats(parent).damaged >= 2);
    CHECK_UINT(mice_stats(parent).misses, 1);
    CHECK_OK(set(parent, safe_mice("the safe one"))); /* repairs it */
    check_get(child, safe_mice("the safe one"), PHICACHE_ORIGIN_PARENT);
    CHECK_OK(phicache_mice_cache_free(writer));
    CHECK_OK(phicache_mice_cache_free(parent));
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_config_free(config));
}

static void an_invalid_record_is_a_counted_miss(void) {
    check_is_a_counted_miss("SET %s garbage");
    check_is_a_counted_miss("SET %s \"\"");
    check_is_a_counted_miss("SETRANGE %s 3 \"\\xFF\"");
    check_is_a_counted_miss("SETRANGE %s 70 X");
    check_is_a_counted_miss("APPEND %s more");
}

static void a_record_of_another_key_is_a_counted_miss(void) {
    phicache_config *config = at_server(0);
    phicache_mice_cache *writer = new_cache(config, NULL, NULL), *reader = new_cache(config, NULL, NULL);
    char command[640], name[256];
    CHECK_OK(set(writer, damaged_mice("the damaged one")));
    redis_server_copy(name, sizeof name, ask("RANDOMKEY"));
    snprintf(command, sizeof command, "RENAME %s %.*s1:*", name, (int)(strstr(name, "effect:") + 7 - name), name);
    CHECK_TEXT(ask(command), "OK");
    check_miss(reader, 2);
    CHECK_UINT(mice_stats(reader).damaged, 1);
    CHECK_OK(phicache_mice_cache_free(writer));
    CHECK_OK(phicache_mice_cache_free(reader));
    CHECK_OK(phicache_config_free(config));
}

static void batches_inherit_and_need_one_round_trip(void) {
    phicache_config *config = at_server(0);
    phicache_mice_cache *writer = new_cache(config, NULL, NULL), *parent = new_cache(config, NULL, NULL);
    phicache_mice_cache *child = new_cache(config, CUT, parent);
    phicache_cache *writing = NULL, *reading = NULL;
    phicache_bytes keys[3], records[2];
    phicache_mice both[2];
    phicache_value found[3];
    phicache_status statuses[2];
    uint8_t room[2][128], key[3][PHICACHE_KEY_BUFFER];
    size_t i, count = 99;
    both[0] = safe_mice("the safe one");
    both[1] = damaged_mice("the damaged one");
    for (i = 0; i < 3; i++) {
        const phicache_bytes one = key_of(i < 2 ? both[i].mechanism : 4);
        memcpy(key[i], one.data, one.len);
        keys[i] = bytes(key[i], one.len);
        if (i == 2) break;
        CHECK_OK(phicache_mice_encode(&both[i], room[i], sizeof room[i], &records[i].len));
        records[i].data = room[i];
    }
    CHECK_OK(phicache_mice_cache_as_cache(writer, &writing));
    CHECK_OK(phicache_mice_cache_as_cache(child, &reading));
    CHECK_OK(phicache_cache_set_many(writing, keys, records, 2, statuses));
    CHECK_STATUS(statuses[1], PHICACHE_OK);
    CHECK_STATUS(phicache_cache_set_many(writing, keys, keys, 2, NULL), PHICACHE_ERROR_DAMAGED);
    CHECK_OK(phicache_cache_set_many(reading, keys, records, 2, statuses));
    CHECK_STATUS(statuses[0], PHICACHE_REFUSED_CUT);
    CHECK_OK(phicache_cache_get_many(reading, keys, 3, found, &count));
    CHECK_UINT(count, 1);
    CHECK_BYTES(found[0].data, found[0].len, room[0], records[0].len);
    CHECK_UINT(found[0].origin, PHICACHE_ORIGIN_PARENT);
    CHECK_NO_VALUE(found[1]);
    CHECK_NO_VALUE(found[2]);
    phicache_value_release(&found[0]);
    CHECK_INT(redis_server_calls(&server, "mget"), 1);
    CHECK_INT(redis_server_calls(&server, "get"), 0);
    CHECK_OK(phicache_mice_cache_free(writer));
    CHECK_OK(phicache_mice_cache_free(parent));
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_config_free(config));
}

static void values_in_the_near_cache_are_read_in_place(void) {
    phicache_config *config = at_server(0);
    phicache_mice_cache *parent = new_cache(config, NULL, NULL), *child = new_cache(config, CUT, parent);
    phicache_cache *view = NULL;
    phicache_bytes record;
    phicache_mice mice;
    CHECK_OK(set(parent, safe_mice("the safe one")));
    CHECK_OK(phicache_mice_cache_as_cache(child, &view));
    memset(&mice, 0, sizeof mice);
    mice.struct_size = sizeof mice;
    CHECK_OK(phicache_read_begin());
    CHECK_OK(phicache_cache_read(view, key_of(2), &record));
    CHECK_OK(phicache_mice_decode(record, &mice));
    CHECK_NEAR(mice.phi, 0.5, 0.0);
    CHECK_STATUS(phicache_cache_read(view, key_of(4), &record), PHICACHE_MISS);
    CHECK_OK(phicache_read_end());
    CHECK_OK(phicache_mice_cache_free(parent));
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_config_free(config));
}

static void clearing_a_child_detaches_it(void) {
    phicache_config *config = at_server(0);
    phicache_mice_cache *parent = new_cache(config, NULL, NULL), *child = new_cache(config, CUT, parent);
    CHECK_OK(set(parent, safe_mice("the safe one")));
    CHECK_OK(phicache_mice_cache_clear(child));
    check_miss(child, 2);
    check_get(parent, safe_mice("the safe one"), PHICACHE_ORIGIN_HIT);
    CHECK_INT(number("DBSIZE"), 1);
    CHECK_OK(phicache_mice_cache_free(parent));
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_config_free(config));
}

int main(void) {
    if (!redis_server_start(&server, "")) return REDIS_SERVER_SKIPPED;
    RUN(a_stored_value_is_found_in_every_process);
    RUN(a_cut_subsystem_inherits_undamaged_records);
    RUN(a_cut_subsystem_stores_nothing);
    RUN(phi_of_zero_is_stored);
    RUN(a_parent_is_uncut_and_in_redis_too);
    RUN(the_configuration_chooses_where_mice_are_stored);
    RUN(a_record_is_fetched_once_and_its_damage_is_remembered);
    RUN(with_the_whole_database_a_child_sends_two_requests_for_each_lookup);
    RUN(memoize_stores_for_all);
    RUN(an_invalid_record_is_a_counted_miss);
    RUN(a_record_of_another_key_is_a_counted_miss);
    RUN(batches_inherit_and_need_one_round_trip);
    RUN(values_in_the_near_cache_are_read_in_place);
    RUN(clearing_a_child_detaches_it);
    redis_server_stop(&server);
    return check_report();
}
