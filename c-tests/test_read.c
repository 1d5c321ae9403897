/* test_read.c: reading in place in read sections, and many keys at once. */
#define _POSIX_C_SOURCE 200809L /* barriers */

#include "sample.h"

#include <pthread.h>

enum { KEYS = 1000 };

static phicache_dict_cache *dict;
static phicache_cache *cache;
static uint32_t numbers[KEYS];

static void make_cache(void) {
    uint32_t i;
    REQUIRE_OK(phicache_dict_cache_new(NULL, NULL, &dict));
    REQUIRE_OK(phicache_dict_cache_as_cache(dict, &cache));
    for (i = 0; i < KEYS; i++) {
        numbers[i] = i;
        if (i % 3 != 0) CHECK_OK(phicache_dict_cache_set(dict, bytes(&numbers[i], 4), bytes(&numbers[i], 4)));
    }
}

static void free_cache(void) { CHECK_OK(phicache_dict_cache_free(dict)); }

static void outside_a_section_nothing_is_read(void) {
    phicache_bytes got = text("old");
    make_cache();
    CHECK_STATUS(phicache_cache_read(cache, bytes(&numbers[1], 4), &got), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(got.data == NULL && got.len == 0);
    CHECK_CONTAINS(phicache_last_error(), "section");
    CHECK_STATUS(phicache_read_end(), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_read_begin());
    CHECK_OK(phicache_read_begin());
    CHECK_OK(phicache_read_end());
    CHECK_OK(phicache_cache_read(cache, bytes(&numbers[1], 4), &got));
    CHECK_OK(phicache_read_end());
    CHECK_STATUS(phicache_cache_read(cache, bytes(&numbers[1], 4), &got), PHICACHE_ERROR_INVALID_ARGUMENT);
    free_cache();
}

static void values_read_in_a_section_stay_valid_until_it_ends(void) {
    phicache_bytes got, replaced;
    uint32_t i;
    make_cache();
    CHECK_OK(phicache_dict_cache_set(dict, text("k"), text("first value")));
    CHECK_OK(phicache_dict_cache_set(dict, text("empty"), text("")));
    CHECK_OK(phicache_read_begin());
    CHECK_OK(phicache_cache_read(cache, text("empty"), &got));
    CHECK(got.data != NULL && got.len == 0);
    CHECK_OK(phicache_cache_read(cache, text("k"), &got));
    CHECK((uintptr_t)got.data % 16 == 0);
    for (i = 0; i < 500; i++) CHECK_OK(phicache_dict_cache_set(dict, text("k"), bytes(&i, 4)));
    CHECK_OK(phicache_cache_read(cache, text("k"), &replaced));
    CHECK_BYTES(replaced.data, replaced.len, "\xF3\x01\0\0", 4);
    CHECK_OK(phicache_dict_cache_clear(dict));
    CHECK_STATUS(phicache_cache_read(cache, text("k"), &got), PHICACHE_MISS);
    CHECK(got.data == NULL);
    free_cache();
    CHECK_BYTES(replaced.data, replaced.len, "\xF3\x01\0\0", 4);
    CHECK_OK(phicache_read_end());
}

static uint64_t bytes_held(void) {
    phicache_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_cache_stats(cache, &stats));
    return stats.bytes;
}

/* The bytes of a cache include retired values that are not freed yet. */
static void nothing_is_freed_before_the_outermost_section_ends(void) {
    phicache_bytes got;
    make_cache();
    CHECK_OK(phicache_read_begin());
    CHECK_OK(phicache_read_begin());
    CHECK_OK(phicache_cache_read(cache, bytes(&numbers[1], 4), &got));
    CHECK_OK(phicache_cache_clear(cache));
    CHECK(bytes_held() > 0);
    CHECK_OK(phicache_read_end());
    CHECK(bytes_held() > 0);
    CHECK_BYTES(got.data, got.len, &numbers[1], 4);
    CHECK_OK(phicache_read_end());
    CHECK_UINT(bytes_held(), 0);
    free_cache();
}

static void reading_counts_as_getting_does(void) {
    phicache_info info;
    phicache_bytes got;
    make_cache();
    CHECK_OK(phicache_read_begin());
    CHECK_OK(phicache_cache_read(cache, bytes(&numbers[1], 4), &got));
    CHECK_STATUS(phicache_cache_read(cache, bytes(&numbers[0], 4), &got), PHICACHE_MISS);
    CHECK_OK(phicache_read_end());
    CHECK_OK(phicache_cache_info(cache, &info));
    CHECK_UINT(info.hits, 1);
    CHECK_UINT(info.misses, 1);
    free_cache();
}

static void many_keys_are_looked_up_in_order(void) {
    static phicache_bytes keys[KEYS], lent[KEYS];
    static phicache_value pinned[KEYS];
    size_t counts[] = {0, 1, 15, 16, 17, 62, 63, 64, KEYS}, found, expected, n, i;
    phicache_info info;
    make_cache();
    for (i = 0; i < KEYS; i++) keys[i] = bytes(&numbers[i], 4);
    CHECK_OK(phicache_read_begin());
    for (n = 0; n < sizeof counts / sizeof *counts; n++) {
        CHECK_OK(phicache_cache_clear(cache));
        free_cache();
        make_cache();
        memset(lent, 0xEE, sizeof lent);
        memset(pinned, 0xEE, sizeof pinned);
        CHECK_OK(phicache_cache_read_many(cache, keys, counts[n], lent, &found));
        expected = 0;
        for (i = 0; i < counts[n]; i++) {
            expected += i % 3 != 0;
            if (i % 3 != 0) CHECK_BYTES(lent[i].data, lent[i].len, &numbers[i], 4);
            else CHECK(lent[i].data == NULL && lent[i].len == 0);
        }
        CHECK_UINT(found, expected);
        CHECK_OK(phicache_cache_get_many(cache, keys, counts[n], pinned, NULL));
        CHECK_OK(phicache_cache_info(cache, &info));
        CHECK_UINT(info.hits, 2 * expected);
        CHECK_UINT(info.misses, 2 * (counts[n] - expected));
        CHECK_OK(phicache_cache_clear(cache));
        for (i = 0; i < counts[n]; i++) {
            if (i % 3 != 0) CHECK_BYTES(pinned[i].data, pinned[i].len, &numbers[i], 4);
            else CHECK_NO_VALUE(pinned[i]);
            phicache_value_release(&pinned[i]);
        }
    }
    CHECK_OK(phicache_read_end());
    free_cache();
}

static void impossible_slices_are_errors_and_leave_nothing(void) {
    phicache_bytes keys[2], lent[2];
    phicache_value pinned[2];
    size_t found = 7;
    make_cache();
    keys[0] = bytes(&numbers[1], 4);
    keys[1] = no_address();
    memset(pinned, 0xEE, sizeof pinned);
    CHECK_STATUS(phicache_cache_get_many(cache, keys, 2, pinned, &found), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "one of the keys is NULL");
    CHECK_UINT(found, 0);
    CHECK_NO_VALUE(pinned[0]);
    CHECK_STATUS(phicache_cache_get_many(cache, NULL, 2, pinned, &found), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), ": keys is NULL");
    CHECK_STATUS(phicache_cache_read_many(cache, keys, 1, lent, &found), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_cache_get_many(cache, NULL, 0, NULL, &found));
    free_cache();
}

enum { BATCH = 5 };

/* A call that fails leaves no status that means success. */
static void a_batch_that_fails_as_a_whole_says_so_for_each_key(void) {
    phicache_bytes keys[BATCH], values[BATCH];
    phicache_status statuses[BATCH];
    phicache_dict_cache *other = NULL;
    phicache_cache *view = NULL;
    size_t i, way;
    make_cache();
    REQUIRE_OK(phicache_dict_cache_new(NULL, NULL, &other));
    REQUIRE_OK(phicache_dict_cache_as_cache(other, &view));
    CHECK_OK(phicache_dict_cache_free(other));
    for (way = 0; way < 6; way++) {
        static const phicache_status expected[] = {PHICACHE_ERROR_INVALID_ARGUMENT, PHICACHE_ERROR_INVALID_HANDLE};
        phicache_status status = PHICACHE_OK;
        for (i = 0; i < BATCH; i++) {
            keys[i] = values[i] = bytes(&numbers[i], 4);
            statuses[i] = PHICACHE_OK;
        }
        if (way == 0) keys[BATCH - 1] = no_address();
        if (way == 1) values[BATCH - 1] = no_address();
        switch (way) {
            case 2: status = phicache_cache_set_many(cache, NULL, values, BATCH, statuses); break;
            case 3: status = phicache_cache_set_many(cache, keys, NULL, BATCH, statuses); break;
            case 4: status = phicache_cache_set_many(NULL, keys, values, BATCH, statuses); break;
            case 5: status = phicache_cache_set_many(view, keys, values, BATCH, statuses); break;
            default: status = phicache_cache_set_many(cache, keys, values, BATCH, statuses);
        }
        CHECK_STATUS(status, expected[way == 5]);
        for (i = 0; i < BATCH; i++) CHECK_STATUS(statuses[i], status);
    }
    free_cache();
}

static void each_key_of_a_batch_has_a_status_of_its_own(void) {
    enum { LARGE = 1 << 18 };
    static uint8_t content[LARGE];
    phicache_bytes keys[BATCH], values[BATCH];
    phicache_status statuses[BATCH];
    phicache_cache_options options;
    phicache_dict_cache *dict = NULL;
    phicache_cache *view = NULL;
    size_t i;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.max_bytes = LARGE;
    REQUIRE_OK(phicache_dict_cache_new(NULL, &options, &dict));
    REQUIRE_OK(phicache_dict_cache_as_cache(dict, &view));
    for (i = 0; i < BATCH; i++) {
        keys[i] = bytes(&numbers[i], 4);
        values[i] = bytes(content, i == 2 ? LARGE : 4); /* one does not fit, whatever is removed for it */
    }
    CHECK_OK(phicache_cache_set_many(view, keys, values, BATCH, statuses));
    for (i = 0; i < BATCH; i++) {
        CHECK_STATUS(statuses[i], i == 2 ? PHICACHE_REFUSED_CAPACITY : PHICACHE_OK);
        CHECK_STATUS(phicache_cache_contains(view, keys[i]), i == 2 ? PHICACHE_MISS : PHICACHE_OK);
    }
    CHECK_OK(phicache_dict_cache_free(dict));
}

static void an_invalid_mice_in_a_batch_does_not_affect_the_others(void) {
    const phicache_fingerprint network = {{1}};
    const int32_t state[1] = {1};
    phicache_subsystem *subsystem = NULL;
    phicache_mice_cache *cache_of_mice = NULL;
    phicache_cache *view = NULL;
    phicache_mice mice;
    phicache_bytes keys[BATCH], values[BATCH];
    phicache_status statuses[BATCH];
    uint8_t record[128];
    size_t len = 0, i;
    CHECK_OK(phicache_subsystem_new(&network, 1, state, 1, NULL, NULL, &subsystem));
    REQUIRE_OK(phicache_dict_mice_cache_new(NULL, NULL, subsystem, NULL, &cache_of_mice));
    REQUIRE_OK(phicache_mice_cache_as_cache(cache_of_mice, &view));
    memset(&mice, 0, sizeof mice);
    mice.struct_size = sizeof mice;
    mice.mechanism = mice.purview = 1;
    mice.phi = 0.5;
    REQUIRE_OK(phicache_mice_encode(&mice, record, sizeof record, &len));
    for (i = 0; i < BATCH; i++) {
        keys[i] = bytes(&numbers[i], 4);
        values[i] = i == 1 || i == 3 ? text("no record") : bytes(record, len);
    }
    CHECK_STATUS(phicache_cache_set_many(view, keys, values, BATCH, statuses), PHICACHE_ERROR_DAMAGED);
    for (i = 0; i < BATCH; i++) {
        CHECK_STATUS(statuses[i], i == 1 || i == 3 ? PHICACHE_ERROR_DAMAGED : PHICACHE_OK);
        CHECK_STATUS(phicache_cache_contains(view, keys[i]), i == 1 || i == 3 ? PHICACHE_MISS : PHICACHE_OK);
    }
    CHECK_OK(phicache_mice_cache_free(cache_of_mice));
    CHECK_OK(phicache_subsystem_free(subsystem));
}

static pthread_barrier_t inside, leave;

static void *be_inside(void *unused) {
    (void)unused;
    CHECK_OK(phicache_read_begin());
    pthread_barrier_wait(&inside);
    pthread_barrier_wait(&leave);
    CHECK_OK(phicache_read_end());
    return NULL;
}

/* The oldest of several sections decides: a section that began after the clear does not replace one that began before.
 * */
static void a_newer_section_frees_nothing_of_an_older_one(void) {
    static uint8_t large[1 << 20];
    pthread_t newer;
    phicache_bytes got;
    uint64_t held;
    memset(large, 7, sizeof large);
    make_cache();
    CHECK_OK(phicache_dict_cache_set(dict, text("k"), bytes(large, sizeof large)));
    REQUIRE(pthread_barrier_init(&inside, NULL, 2) == 0 && pthread_barrier_init(&leave, NULL, 2) == 0);
    CHECK_OK(phicache_read_begin());
    CHECK_OK(phicache_cache_read(cache, text("k"), &got));
    CHECK_OK(phicache_dict_cache_clear(dict));
    held = bytes_held(); /* reading the statistics frees all that can be freed */
    CHECK(held >= sizeof large);
    REQUIRE(pthread_create(&newer, NULL, be_inside, NULL) == 0);
    pthread_barrier_wait(&inside);
    CHECK_UINT(bytes_held(), held);
    pthread_barrier_wait(&leave);
    pthread_join(newer, NULL);
    CHECK_UINT(bytes_held(), held);
    CHECK_BYTES(got.data, got.len, large, sizeof large);
    CHECK_OK(phicache_read_end());
    CHECK(bytes_held() + sizeof large <= held);
    free_cache();
}

/* More pins than a thread has slots, released in another order. */
static void many_pins_at_once_are_valid(void) {
    static phicache_value pinned[10 * KEYS];
    size_t i, at;
    make_cache();
    for (i = 0; i < 10 * KEYS; i++) {
        const uint32_t number = (uint32_t)(i % 999 / 3 * 3 + 1);
        CHECK_OK(phicache_cache_get(cache, bytes(&number, 4), &pinned[i]));
    }
    free_cache();
    for (i = 0; i < 10 * KEYS; i++) {
        uint32_t number;
        at = i * 7919 % (10 * KEYS);
        number = (uint32_t)(at % 999 / 3 * 3 + 1);
        CHECK_BYTES(pinned[at].data, pinned[at].len, &number, 4);
        phicache_value_release(&pinned[at]);
    }
}

/* Looked up in place, all keys would be the empty key. */
static void a_batch_is_not_written_over_its_keys(void) {
    phicache_bytes keys[2];
    size_t found = 99;
    make_cache();
    keys[0] = keys[1] = text("k");
    CHECK_OK(phicache_read_begin());
    CHECK_STATUS(phicache_cache_read_many(cache, keys, 2, keys, &found), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "out overlaps keys");
    CHECK_UINT(found, 0);
    CHECK_OK(phicache_read_end());
    keys[0] = keys[1] = text("k");
    CHECK_STATUS(phicache_cache_set_many(cache, keys, keys, 2, (phicache_status *)(void *)keys),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "out_statuses overlaps keys");
    free_cache();
}

int main(void) {
    RUN(outside_a_section_nothing_is_read);
    RUN(values_read_in_a_section_stay_valid_until_it_ends);
    RUN(nothing_is_freed_before_the_outermost_section_ends);
    RUN(a_newer_section_frees_nothing_of_an_older_one);
    RUN(reading_counts_as_getting_does);
    RUN(many_keys_are_looked_up_in_order);
    RUN(impossible_slices_are_errors_and_leave_nothing);
    RUN(a_batch_that_fails_as_a_whole_says_so_for_each_key);
    RUN(each_key_of_a_batch_has_a_status_of_its_own);
    RUN(an_invalid_mice_in_a_batch_does_not_affect_the_others);
    RUN(a_batch_is_not_written_over_its_keys);
    RUN(many_pins_at_once_are_valid);
    return check_report();
}
