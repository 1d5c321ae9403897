/* test_mice.c: the MICE cache of a subsystem, and inheritance under cuts. */
#include "mice_sample.h"

#include <pthread.h>

static phicache_status set(phicache_mice_cache *cache, const char *key, phicache_mice mice) {
    return phicache_mice_cache_set(cache, text(key), &mice);
}

static void check_info(phicache_mice_cache *cache, uint64_t hits, uint64_t misses, uint64_t size) {
    phicache_info info = {99, 99, 99};
    uint64_t counted = 99;
    CHECK_OK(phicache_mice_cache_info(cache, &info));
    CHECK_COUNTS(info, hits, misses, size);
    CHECK_OK(phicache_mice_cache_size(cache, &counted));
    CHECK_UINT(counted, size);
}

static void check_get(phicache_mice_cache *cache, const char *key, phicache_mice expected, uint32_t origin) {
    phicache_mice mice;
    phicache_value value = unset_value();
    memset(&mice, 0xEE, sizeof mice);
    mice.struct_size = sizeof mice;
    CHECK_OK(phicache_mice_cache_get(cache, text(key), &mice, &value));
    check_mice(&mice, &expected);
    CHECK_UINT(value.origin, origin);
    phicache_value_release(&value);
}

static void check_miss(phicache_mice_cache *cache, const char *key) {
    phicache_mice mice;
    phicache_value value = unset_value();
    memset(&mice, 0xEE, sizeof mice);
    mice.struct_size = sizeof mice;
    CHECK_STATUS(phicache_mice_cache_get(cache, text(key), &mice, &value), PHICACHE_MISS);
    CHECK_UINT(mice.mechanism, 0);
    CHECK(mice.payload.data == NULL);
    CHECK_NO_VALUE(value);
}

static void a_stored_record_is_found_with_its_payload(void) {
    phicache_mice_cache *cache = new_mice_cache(NULL, NULL, NULL);
    CHECK_OK(set(cache, "a", safe_mice("payload")));
    CHECK_OK(set(cache, "empty", mice_of(PHICACHE_CAUSE, 7, 0, 1e-300, "")));
    check_get(cache, "a", safe_mice("payload"), PHICACHE_ORIGIN_HIT);
    check_get(cache, "empty", mice_of(PHICACHE_CAUSE, 7, 0, 1e-300, ""), PHICACHE_ORIGIN_HIT);
    check_miss(cache, "b");
    check_info(cache, 2, 1, 2);
    CHECK_OK(set(cache, "a", damaged_mice("another")));
    check_get(cache, "a", damaged_mice("another"), PHICACHE_ORIGIN_HIT);
    check_info(cache, 3, 1, 2);
    CHECK_OK(phicache_mice_cache_contains(cache, text("a")));
    CHECK_OK(phicache_mice_cache_remove(cache, text("a")));
    CHECK_STATUS(phicache_mice_cache_remove(cache, text("a")), PHICACHE_MISS);
    CHECK_STATUS(phicache_mice_cache_contains(cache, text("a")), PHICACHE_MISS);
    CHECK_OK(phicache_mice_cache_clear(cache));
    check_info(cache, 0, 0, 0);
    CHECK_OK(phicache_mice_cache_free(cache));
    CHECK_OK(phicache_mice_cache_free(NULL));
}

static void cut_phi_and_memory_refuse_in_this_order(void) {
    const double no_phi[] = {0.0, -0.0, -1.0, -INFINITY};
    phicache_config *config = new_unlimited();
    phicache_mice_cache *uncut = new_mice_cache(config, NULL, NULL), *cut = new_mice_cache(config, CUT, NULL);
    phicache_stats stats;
    size_t i;
    CHECK_STATUS(set(cut, "a", safe_mice("")), PHICACHE_REFUSED_CUT);
    for (i = 0; i < 4; i++) {
        CHECK_STATUS(set(uncut, "a", mice_of(PHICACHE_CAUSE, 1, 1, no_phi[i], "")), PHICACHE_REFUSED_PHI);
        CHECK_STATUS(phicache_mice_cache_would_store(uncut, no_phi[i]), PHICACHE_REFUSED_PHI);
        CHECK_STATUS(set(cut, "a", mice_of(PHICACHE_CAUSE, 1, 1, no_phi[i], "")), PHICACHE_REFUSED_CUT);
        CHECK_STATUS(phicache_mice_cache_would_store(cut, no_phi[i]), PHICACHE_REFUSED_CUT);
    }
    CHECK_OK(phicache_mice_cache_would_store(uncut, 5e-324));
    CHECK_OK(set(uncut, "tiny", mice_of(PHICACHE_CAUSE, 1, 1, 5e-324, "")));
    CHECK_OK(set(uncut, "infinite", mice_of(PHICACHE_CAUSE, 1, 1, INFINITY, "")));
    CHECK_OK(phicache_config_set_maximum_memory_percent(config, 0.0));
    CHECK_STATUS(set(uncut, "a", safe_mice("")), PHICACHE_REFUSED_MEMORY);
    CHECK_STATUS(phicache_mice_cache_would_store(uncut, 0.5), PHICACHE_REFUSED_MEMORY);
    CHECK_STATUS(set(uncut, "a", mice_of(PHICACHE_CAUSE, 1, 1, 0.0, "")), PHICACHE_REFUSED_PHI);
    CHECK_STATUS(set(cut, "a", safe_mice("")), PHICACHE_REFUSED_CUT);
    check_info(uncut, 0, 0, 2);
    check_info(cut, 0, 0, 0);
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_mice_cache_stats(uncut, &stats));
    CHECK_UINT(stats.refused_cut, 0);
    CHECK_UINT(stats.refused_phi, 5);
    CHECK_UINT(stats.refused_memory, 1);
    CHECK_UINT(stats.stores, 2);
    CHECK_OK(phicache_mice_cache_stats(cut, &stats));
    CHECK_UINT(stats.refused_cut, 6);
    CHECK_OK(phicache_mice_cache_free(uncut));
    CHECK_OK(phicache_mice_cache_free(cut));
    CHECK_OK(phicache_config_free(config));
}

static void a_cut_that_severs_nothing_is_a_cut(void) {
    const uint64_t nothing[3] = {0, 0, 0};
    phicache_mice_cache *parent = new_mice_cache(NULL, NULL, NULL);
    phicache_mice_cache *child = new_mice_cache(NULL, nothing, parent);
    CHECK_OK(set(parent, "a", damaged_mice("kept")));
    CHECK_STATUS(set(child, "b", safe_mice("")), PHICACHE_REFUSED_CUT);
    check_get(child, "a", damaged_mice("kept"), PHICACHE_ORIGIN_PARENT);
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_mice_cache_free(parent));
}

static void an_invalid_mice_is_an_error(void) {
    phicache_mice_cache *cache = new_mice_cache(NULL, NULL, NULL);
    phicache_mice mice = safe_mice("");
    phicache_value value = unset_value();
    mice.phi = NAN;
    CHECK_STATUS(set(cache, "a", mice), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_mice_cache_would_store(cache, NAN), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(set(cache, "a", mice_of(PHICACHE_BIDIRECTIONAL, 1, 1, 1.0, "")), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(set(cache, "a", mice_of(-1, 1, 1, 1.0, "")), PHICACHE_ERROR_INVALID_ARGUMENT);
    mice = safe_mice("");
    mice.payload = no_address();
    CHECK_STATUS(set(cache, "a", mice), PHICACHE_ERROR_INVALID_ARGUMENT);
    mice.payload = too_long();
    CHECK_STATUS(set(cache, "a", mice), PHICACHE_ERROR_INVALID_ARGUMENT);
    mice = safe_mice("");
    mice.struct_size = 0;
    CHECK_STATUS(set(cache, "a", mice), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_mice_cache_get(cache, text("a"), &mice, &value), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_NO_VALUE(value);
    mice = safe_mice("");
    CHECK_STATUS(phicache_mice_cache_set(cache, no_address(), &mice), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_mice_cache_contains(cache, too_long()), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_mice_cache_remove(cache, no_address()), PHICACHE_ERROR_INVALID_ARGUMENT);
    check_info(cache, 0, 0, 0);
    CHECK_OK(phicache_mice_cache_free(cache));
}

static void a_child_inherits_undamaged_records(void) {
    phicache_mice_cache *parent = new_mice_cache(NULL, NULL, NULL), *child, *copy;
    CHECK_OK(set(parent, "safe", safe_mice("s")));
    CHECK_OK(set(parent, "damaged", damaged_mice("d")));
    child = new_mice_cache(NULL, CUT, parent);
    copy = new_mice_cache(NULL, NULL, parent);
    check_info(child, 0, 0, 1);
    check_info(copy, 0, 0, 2);
    check_get(child, "safe", safe_mice("s"), PHICACHE_ORIGIN_PARENT);
    check_miss(child, "damaged");
    check_miss(child, "absent");
    CHECK_OK(phicache_mice_cache_contains(child, text("safe")));
    CHECK_STATUS(phicache_mice_cache_contains(child, text("damaged")), PHICACHE_MISS);
    check_info(child, 1, 2, 1);
    check_get(copy, "damaged", damaged_mice("d"), PHICACHE_ORIGIN_PARENT);
    /* A lookup in a child does not change the counts of the parent. */
    check_info(parent, 0, 0, 2);
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_mice_cache_free(copy));
    CHECK_OK(phicache_mice_cache_free(parent));
}

static void a_child_sees_what_the_parent_stores_later(void) {
    phicache_mice_cache *parent = new_mice_cache(NULL, NULL, NULL), *child = new_mice_cache(NULL, CUT, parent);
    check_miss(child, "safe");
    check_info(child, 0, 1, 0);
    CHECK_OK(set(parent, "safe", safe_mice("first")));
    check_get(child, "safe", safe_mice("first"), PHICACHE_ORIGIN_PARENT);
    check_info(child, 1, 1, 1);
    CHECK_OK(set(parent, "safe", safe_mice("second")));
    check_get(child, "safe", safe_mice("second"), PHICACHE_ORIGIN_PARENT);
    CHECK_OK(set(parent, "safe", damaged_mice("third")));
    check_miss(child, "safe");
    check_info(child, 2, 2, 0);
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_mice_cache_free(parent));
}

static void existing_children_keep_records_of_a_cleared_or_freed_parent(void) {
    phicache_mice_cache *parent = new_mice_cache(NULL, NULL, NULL), *before, *after;
    CHECK_OK(set(parent, "one", safe_mice("1")));
    before = new_mice_cache(NULL, CUT, parent);
    CHECK_OK(phicache_mice_cache_clear(parent));
    after = new_mice_cache(NULL, CUT, parent);
    check_info(parent, 0, 0, 0);
    check_miss(parent, "one");
    check_get(before, "one", safe_mice("1"), PHICACHE_ORIGIN_PARENT);
    check_miss(after, "one");
    CHECK_OK(set(parent, "two", safe_mice("2")));
    check_info(before, 1, 0, 2);
    check_info(after, 0, 1, 1);
    CHECK_OK(set(parent, "one", safe_mice("new")));
    check_get(before, "one", safe_mice("new"), PHICACHE_ORIGIN_PARENT);
    CHECK_OK(phicache_mice_cache_free(parent));
    check_get(before, "one", safe_mice("new"), PHICACHE_ORIGIN_PARENT);
    check_get(before, "two", safe_mice("2"), PHICACHE_ORIGIN_PARENT);
    check_get(after, "two", safe_mice("2"), PHICACHE_ORIGIN_PARENT);
    check_info(before, 4, 0, 2);
    CHECK_OK(phicache_mice_cache_free(before));
    CHECK_OK(phicache_mice_cache_free(after));
}

static void clearing_a_child_detaches_it_for_good(void) {
    phicache_mice_cache *parent = new_mice_cache(NULL, NULL, NULL), *child;
    CHECK_OK(set(parent, "one", safe_mice("1")));
    child = new_mice_cache(NULL, CUT, parent);
    check_get(child, "one", safe_mice("1"), PHICACHE_ORIGIN_PARENT);
    CHECK_OK(phicache_mice_cache_clear(child));
    check_info(child, 0, 0, 0);
    check_miss(child, "one");
    CHECK_OK(set(parent, "two", safe_mice("2")));
    check_miss(child, "two");
    check_info(child, 0, 2, 0);
    check_info(parent, 0, 0, 2);
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_mice_cache_free(parent));
}

static void a_childs_own_entry_has_priority_over_the_parents(void) {
    phicache_mice_cache *parent = new_mice_cache(NULL, NULL, NULL), *copy = new_mice_cache(NULL, NULL, parent);
    phicache_stats stats;
    CHECK_OK(set(parent, "a", safe_mice("parent's")));
    CHECK_OK(set(copy, "a", safe_mice("own")));
    check_get(copy, "a", safe_mice("own"), PHICACHE_ORIGIN_HIT);
    check_get(parent, "a", safe_mice("parent's"), PHICACHE_ORIGIN_HIT);
    check_info(copy, 1, 0, 1);
    CHECK_OK(phicache_mice_cache_remove(copy, text("a")));
    check_get(copy, "a", safe_mice("parent's"), PHICACHE_ORIGIN_PARENT);
    check_info(copy, 2, 0, 1);
    CHECK_STATUS(phicache_mice_cache_remove(copy, text("a")), PHICACHE_MISS);
    CHECK_OK(phicache_mice_cache_clear(copy));
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_mice_cache_free(copy));
    copy = new_mice_cache(NULL, NULL, parent);
    CHECK_OK(phicache_mice_cache_stats(copy, &stats));
    CHECK_UINT(stats.size, 1);
    CHECK_UINT(stats.bytes, 0); /* inherited records count for the parent */
    CHECK_OK(phicache_mice_cache_free(copy));
    CHECK_OK(phicache_mice_cache_free(parent));
}

static void a_grandchild_inherits_from_both(void) {
    phicache_mice_cache *grandparent = new_mice_cache(NULL, NULL, NULL), *parent, *child;
    CHECK_OK(set(grandparent, "both", safe_mice("grandparent's")));
    CHECK_OK(set(grandparent, "old", safe_mice("old")));
    parent = new_mice_cache(NULL, NULL, grandparent);
    CHECK_OK(set(parent, "both", safe_mice("parent's")));
    child = new_mice_cache(NULL, CUT, parent);
    CHECK_OK(phicache_mice_cache_free(grandparent));
    CHECK_OK(phicache_mice_cache_free(parent));
    check_get(child, "both", safe_mice("parent's"), PHICACHE_ORIGIN_PARENT);
    check_get(child, "old", safe_mice("old"), PHICACHE_ORIGIN_PARENT);
    check_info(child, 2, 0, 2);
    CHECK_OK(phicache_mice_cache_free(child));
}

static void a_parent_that_is_cut_or_of_another_system_or_type_is_refused(void) {
    const int32_t other_state[3] = {0, 0, 0};
    phicache_mice_cache *cut = new_mice_cache(NULL, CUT, NULL), *uncut = new_mice_cache(NULL, NULL, NULL), *cache = cut;
    phicache_subsystem *subsystem = new_subsystem(CUT), *other = NULL;
    phicache_dict_cache *dict;
    CHECK_STATUS(phicache_dict_mice_cache_new(NULL, NULL, subsystem, cut, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(cache == NULL);
    CHECK_CONTAINS(phicache_last_error(), "cut");
    REQUIRE_OK(phicache_subsystem_new(&NETWORK, 3, other_state, 7, NULL, CUT, &other));
    CHECK_STATUS(phicache_dict_mice_cache_new(NULL, NULL, other, uncut, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(cache == NULL);
    CHECK_CONTAINS(phicache_last_error(), "another system");
    CHECK_OK(phicache_dict_cache_new(NULL, NULL, &dict));
    CHECK_STATUS(phicache_dict_mice_cache_new(NULL, NULL, other, (phicache_mice_cache *)(void *)dict, &cache),
                 PHICACHE_ERROR_INVALID_HANDLE);
    CHECK_CONTAINS(phicache_last_error(), "parent is not a phicache_mice_cache");
    CHECK_OK(phicache_dict_cache_free(dict));
    CHECK_OK(phicache_subsystem_free(other));
    CHECK_OK(phicache_subsystem_free(subsystem));
    CHECK_OK(phicache_mice_cache_free(cut));
    CHECK_OK(phicache_mice_cache_free(uncut));
}

static void the_plain_constructor_follows_the_configuration(void) {
    phicache_config *config = new_unlimited();
    phicache_subsystem *subsystem = new_subsystem(NULL);
    phicache_mice_cache *cache = NULL;
    CHECK_OK(phicache_mice_cache_new(config, NULL, subsystem, NULL, &cache));
    CHECK_OK(set(cache, "a", safe_mice("")));
    check_get(cache, "a", safe_mice(""), PHICACHE_ORIGIN_HIT);
    CHECK_OK(phicache_mice_cache_free(cache));
    CHECK_OK(phicache_config_set_redis_cache(config, 1));
    CHECK_OK(phicache_config_set_redis_url(config, "unix:///nowhere/socket"));
    if (phicache_features() & PHICACHE_FEATURE_REDIS) {
        phicache_cache *view = NULL;
        phicache_redis_health health = {sizeof health, 0, 0, 0, 0, 0, 0, ""};
        CHECK_OK(phicache_mice_cache_new(config, NULL, subsystem, NULL, &cache));
        CHECK_OK(phicache_mice_cache_as_cache(cache, &view));
        CHECK_OK(phicache_cache_redis_health(view, &health));
        CHECK_OK(phicache_mice_cache_free(cache));
    } else {
        CHECK_STATUS(phicache_mice_cache_new(config, NULL, subsystem, NULL, &cache), PHICACHE_ERROR_UNSUPPORTED);
        CHECK(cache == NULL);
        CHECK_CONTAINS(phicache_last_error(), "Redis");
    }
    CHECK_OK(phicache_subsystem_free(subsystem));
    CHECK_OK(phicache_config_free(config));
}

/* How `compute_mice` writes its record. */
typedef struct {
    phicache_mice mice;
    int written_in_place; /* whether the payload is reserved first and written afterwards */
    int32_t code;
    unsigned calls;
} mice_answer;

static int32_t compute_mice(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    mice_answer *self = (mice_answer *)user_data;
    phicache_mice mice = self->mice;
    uint8_t *payload = NULL;
    (void)call_data;
    (void)key;
    self->calls++;
    if (self->written_in_place) {
        mice.payload.data = NULL;
        if (phicache_result_mice(result, &mice, &payload) != PHICACHE_OK) return -1;
        if ((uintptr_t)payload % 16 != 0) return -2;
        memcpy(payload, self->mice.payload.data, mice.payload.len);
    } else if (phicache_result_mice(result, &mice, NULL) != PHICACHE_OK) {
        return -3;
    }
    return self->code;
}

static void check_memoize(phicache_mice_cache *cache, const char *key, mice_answer *compute, uint32_t origin) {
    phicache_mice mice;
    phicache_value value = unset_value();
    int32_t code = 77;
    memset(&mice, 0xEE, sizeof mice);
    mice.struct_size = sizeof mice;
    CHECK_OK(phicache_mice_cache_memoize(cache, text(key), compute_mice, compute, NULL, &mice, &value, &code));
    check_mice(&mice, &compute->mice);
    CHECK_UINT(value.origin, origin);
    CHECK_INT(code, 0);
    phicache_value_release(&value);
}

static void memoize_computes_stores_and_inherits(void) {
    phicache_mice_cache *parent = new_mice_cache(NULL, NULL, NULL), *child = new_mice_cache(NULL, CUT, parent);
    mice_answer safe, damaged, none;
    memset(&safe, 0, sizeof safe);
    safe.mice = safe_mice("a payload of some length");
    damaged = safe;
    damaged.mice = damaged_mice("another");
    damaged.written_in_place = 1;
    none = safe;
    none.mice = mice_of(PHICACHE_CAUSE, 1, 1, 0.0, "");
    check_memoize(parent, "safe", &safe, PHICACHE_ORIGIN_COMPUTED);
    check_memoize(parent, "damaged", &damaged, PHICACHE_ORIGIN_COMPUTED);
    check_memoize(parent, "none", &none, PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_PHI);
    check_memoize(parent, "damaged", &damaged, PHICACHE_ORIGIN_HIT);
    CHECK_UINT(safe.calls + damaged.calls + none.calls, 3);
    check_memoize(child, "safe", &safe, PHICACHE_ORIGIN_PARENT);
    check_memoize(child, "damaged", &damaged, PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_CUT);
    CHECK_UINT(safe.calls, 1);
    CHECK_UINT(damaged.calls, 2);
    check_info(parent, 1, 3, 2);
    check_info(child, 1, 1, 1);
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_mice_cache_free(parent));
}

static void a_computation_that_fails_or_writes_no_mice_caches_nothing(void) {
    phicache_mice_cache *cache = new_mice_cache(NULL, NULL, NULL);
    mice_answer failing;
    answer no_record = answers("these bytes are no MICE");
    phicache_mice mice;
    phicache_value value = unset_value();
    int32_t code = 0;
    memset(&failing, 0, sizeof failing);
    failing.mice = safe_mice("");
    failing.code = 21;
    memset(&mice, 0xEE, sizeof mice);
    mice.struct_size = sizeof mice;
    CHECK_STATUS(phicache_mice_cache_memoize(cache, text("a"), compute_mice, &failing, NULL, &mice, &value, &code),
                 PHICACHE_ERROR_CALLBACK);
    CHECK_INT(code, 21);
    CHECK_NO_VALUE(value);
    CHECK_UINT(mice.mechanism, 0);
    CHECK_STATUS(phicache_mice_cache_memoize(cache, text("a"), compute_answer, &no_record, NULL, &mice, &value, &code),
                 PHICACHE_ERROR_DAMAGED);
    CHECK_INT(code, 0);
    CHECK_NO_VALUE(value);
    check_info(cache, 0, 2, 0);
    CHECK_OK(phicache_mice_cache_free(cache));
}

static int32_t compute_wrong_mice(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    phicache_mice mice = safe_mice("right");
    (void)user_data;
    (void)call_data;
    (void)key;
    mice.phi = NAN;
    CHECK_STATUS(phicache_result_mice(result, &mice, NULL), PHICACHE_ERROR_INVALID_ARGUMENT);
    mice = mice_of(7, 1, 1, 1.0, "");
    CHECK_STATUS(phicache_result_mice(result, &mice, NULL), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_result_mice(result, NULL, NULL), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_result_mice(NULL, &mice, NULL), PHICACHE_ERROR_INVALID_ARGUMENT);
    mice = safe_mice("right");
    CHECK_OK(phicache_result_mice(result, &mice, NULL));
    CHECK_STATUS(phicache_result_truncate(result, 64), PHICACHE_ERROR_INVALID_ARGUMENT);
    return 0;
}

static void a_callback_may_try_again_after_a_wrong_mice(void) {
    phicache_mice_cache *cache = new_mice_cache(NULL, NULL, NULL);
    phicache_mice mice;
    phicache_value value;
    mice.struct_size = sizeof mice;
    CHECK_OK(phicache_mice_cache_memoize(cache, text("a"), compute_wrong_mice, NULL, NULL, &mice, &value, NULL));
    phicache_value_release(&value);
    check_get(cache, "a", safe_mice("right"), PHICACHE_ORIGIN_HIT);
    CHECK_OK(phicache_mice_cache_free(cache));
}

static void the_view_takes_records_and_refuses_other_bytes(void) {
    phicache_mice_cache *parent = new_mice_cache(NULL, NULL, NULL), *child = new_mice_cache(NULL, CUT, parent);
    phicache_cache *view = NULL, *child_view = NULL;
    phicache_mice mice = safe_mice("through the view"), none = mice_of(PHICACHE_CAUSE, 1, 1, 0.0, "");
    phicache_value value;
    uint8_t record[128];
    size_t len = 0;
    REQUIRE_OK(phicache_mice_cache_as_cache(parent, &view));
    REQUIRE_OK(phicache_mice_cache_as_cache(child, &child_view));
    CHECK_STATUS(phicache_cache_set(view, text("a"), text("no record")), PHICACHE_ERROR_DAMAGED);
    CHECK_CONTAINS(phicache_last_error(), "9 bytes that are not a MICE record; phicache_result_mice");
    CHECK_OK(phicache_mice_encode(&none, record, sizeof record, &len));
    CHECK_STATUS(phicache_cache_set(view, text("a"), bytes(record, len)), PHICACHE_REFUSED_PHI);
    CHECK_OK(phicache_mice_encode(&mice, record, sizeof record, &len));
    CHECK_STATUS(phicache_cache_set(child_view, text("a"), bytes(record, len)), PHICACHE_REFUSED_CUT);
    CHECK_OK(phicache_cache_set(view, text("a"), bytes(record, len)));
    check_get(parent, "a", mice, PHICACHE_ORIGIN_HIT);
    CHECK_OK(phicache_cache_get(child_view, text("a"), &value));
    CHECK_BYTES(value.data, value.len, record, len);
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_PARENT);
    phicache_value_release(&value);
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_mice_cache_free(parent));
}

static void a_pinned_mice_outlives_its_cache(void) {
    phicache_mice_cache *parent = new_mice_cache(NULL, NULL, NULL), *child = new_mice_cache(NULL, CUT, parent);
    phicache_mice mice, expected = safe_mice("payload");
    phicache_value value;
    mice.struct_size = sizeof mice;
    CHECK_OK(set(parent, "a", expected));
    CHECK_OK(phicache_mice_cache_get(child, text("a"), &mice, &value));
    CHECK_OK(set(parent, "a", safe_mice("replaced")));
    CHECK_OK(phicache_mice_cache_clear(parent));
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_mice_cache_free(parent));
    check_mice(&mice, &expected);
    phicache_value_release(&value);
}

static void *clear_often_and_free_the_child(void *argument) {
    phicache_config *config = new_unlimited();
    phicache_mice_cache *parent = new_mice_cache(config, NULL, NULL), *child = new_mice_cache(config, CUT, parent);
    const phicache_mice mice = mice_of(PHICACHE_CAUSE, 1, 1, 0.5, "kept");
    int i;
    (void)argument;
    for (i = 0; i < 20000; i++) {
        if (i % 100 == 0) CHECK_OK(phicache_mice_cache_set(parent, text("key"), &mice));
        if (phicache_mice_cache_clear(parent) != PHICACHE_OK) break;
    }
    CHECK_INT(i, 20000);
    CHECK_STATUS(phicache_mice_cache_contains(child, text("key")), PHICACHE_OK);
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_mice_cache_free(parent));
    CHECK_OK(phicache_config_free(config));
    return NULL;
}

/* The cleared tables form a chain; freeing it must not recurse. */
static void a_child_may_be_freed_on_a_small_stack_however_often_its_parent_was_cleared(void) {
    pthread_attr_t small;
    pthread_t thread;
    REQUIRE(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 256 * 1024) == 0);
    REQUIRE(pthread_create(&thread, &small, clear_often_and_free_the_child, NULL) == 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&small);
}

int main(void) {
    RUN(a_stored_record_is_found_with_its_payload);
    RUN(cut_phi_and_memory_refuse_in_this_order);
    RUN(a_cut_that_severs_nothing_is_a_cut);
    RUN(an_invalid_mice_is_an_error);
    RUN(a_child_inherits_undamaged_records);
    RUN(a_child_sees_what_the_parent_stores_later);
    RUN(existing_children_keep_records_of_a_cleared_or_freed_parent);
    RUN(clearing_a_child_detaches_it_for_good);
    RUN(a_childs_own_entry_has_priority_over_the_parents);
    RUN(a_grandchild_inherits_from_both);
    RUN(a_parent_that_is_cut_or_of_another_system_or_type_is_refused);
    RUN(the_plain_constructor_follows_the_configuration);
    RUN(memoize_computes_stores_and_inherits);
    RUN(a_computation_that_fails_or_writes_no_mice_caches_nothing);
    RUN(a_callback_may_try_again_after_a_wrong_mice);
    RUN(the_view_takes_records_and_refuses_other_bytes);
    RUN(a_pinned_mice_outlives_its_cache);
    RUN(a_child_may_be_freed_on_a_small_stack_however_often_its_parent_was_cleared);
    return check_report();
}
