/* test_parts.c: keys in parts, and readers. */
#define _POSIX_C_SOURCE 200809L /* threads */

#include "sample.h"

#include <pthread.h>

static phicache_dict_cache *dict;
static phicache_cache *cache;

static void make_cache(void) {
    REQUIRE_OK(phicache_dict_cache_new(NULL, NULL, &dict));
    REQUIRE_OK(phicache_dict_cache_as_cache(dict, &cache));
}

static void free_cache(void) { CHECK_OK(phicache_dict_cache_free(dict)); }

static int calls;

/* The value is the key that the callback gets. */
static int32_t echo(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    uint8_t *room;
    (void)user_data;
    calls++;
    if (call_data != NULL) return *(int32_t *)call_data;
    if (phicache_result_reserve(result, key.len, &room) != PHICACHE_OK) return 1;
    memcpy(room, key.data, key.len);
    return 0;
}

static void the_key_is_the_parts_one_after_another(void) {
    phicache_bytes first[2], second[3];
    phicache_value value = unset_value();
    uint8_t buffer[8];
    size_t len;
    make_cache();
    first[0] = text("a"), first[1] = text("bc");
    second[0] = text("ab"), second[1] = bytes(NULL, 0), second[2] = text("c");
    CHECK_STATUS(phicache_cache_get_parts(cache, first, 2, &value), PHICACHE_MISS);
    CHECK_NO_VALUE(value);
    CHECK_OK(phicache_cache_set_parts(cache, first, 2, text("one")));
    CHECK_OK(phicache_cache_get_parts(cache, second, 3, &value));
    CHECK_VALUE(value, "one");
    phicache_value_release(&value);
    CHECK_OK(phicache_dict_cache_get(dict, text("abc"), &value));
    CHECK_VALUE(value, "one");
    phicache_value_release(&value);
    CHECK_OK(phicache_cache_get_into_parts(cache, second, 3, buffer, sizeof buffer, &len));
    CHECK_BYTES(buffer, len, "one", 3);
    CHECK_STATUS(phicache_cache_get_into_parts(cache, first, 2, buffer, 2, &len), PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK_UINT(len, 3);
    /* No part, and parts without bytes, are the empty key. */
    CHECK_OK(phicache_dict_cache_set(dict, text(""), text("nothing")));
    CHECK_OK(phicache_cache_get_parts(cache, NULL, 0, &value));
    CHECK_VALUE(value, "nothing");
    phicache_value_release(&value);
    CHECK_OK(phicache_cache_get_parts(cache, second + 1, 1, &value));
    CHECK_VALUE(value, "nothing");
    phicache_value_release(&value);
    free_cache();
}

/* Keys below and above what is joined on the stack, of 1 to 4,100 bytes in parts of every length. */
static void keys_of_every_length_are_joined(void) {
    static uint8_t key[4100];
    phicache_bytes parts[3];
    phicache_value value;
    size_t len, i;
    int32_t code;
    make_cache();
    for (i = 0; i < sizeof key; i++) key[i] = (uint8_t)(i * 7 + i / 251);
    calls = 0;
    for (len = 1; len <= sizeof key; len += len < 1100 ? 1 : 100) {
        size_t a = len / 3, b = len / 2;
        parts[0] = bytes(key, a), parts[1] = bytes(key + a, b), parts[2] = bytes(key + a + b, len - a - b);
        CHECK_OK(phicache_cache_memoize_parts(cache, parts, 3, echo, NULL, NULL, &value, &code));
        CHECK_BYTES(value.data, value.len, key, len);
        CHECK_INT(value.origin, PHICACHE_ORIGIN_COMPUTED);
        phicache_value_release(&value);
        CHECK_OK(phicache_cache_memoize_parts(cache, parts, 3, echo, NULL, NULL, &value, &code));
        CHECK_INT(value.origin, PHICACHE_ORIGIN_HIT);
        phicache_value_release(&value);
        CHECK_OK(phicache_dict_cache_get(dict, bytes(key, len), &value));
        CHECK_BYTES(value.data, value.len, key, len);
        phicache_value_release(&value);
    }
    CHECK_INT(calls, 1099 + 31);
    free_cache();
}

static void a_failed_computation_and_bad_parts_are_reported(void) {
    phicache_bytes parts[2];
    phicache_value value = unset_value();
    int32_t code = 0, fail = 7;
    make_cache();
    parts[0] = text("a"), parts[1] = text("b");
    CHECK_STATUS(phicache_cache_memoize_parts(cache, parts, 2, echo, NULL, &fail, &value, &code),
                 PHICACHE_ERROR_CALLBACK);
    CHECK_INT(code, 7);
    CHECK_NO_VALUE(value);
    CHECK_STATUS(phicache_cache_get_parts(cache, parts, 2, &value), PHICACHE_MISS);
    parts[1] = no_address();
    value = unset_value();
    CHECK_STATUS(phicache_cache_get_parts(cache, parts, 2, &value), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "part");
    CHECK_NO_VALUE(value);
    parts[1] = too_long();
    CHECK_STATUS(phicache_cache_set_parts(cache, parts, 2, text("v")), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_cache_memoize_parts(cache, parts, 2, echo, NULL, NULL, &value, &code),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_cache_get_parts(cache, NULL, 2, &value), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "parts");
    free_cache();
}

static void a_reader_reads_and_copies_as_the_cache_does(void) {
    phicache_reader reader;
    phicache_bytes got;
    phicache_info info;
    uint8_t buffer[8];
    size_t len;
    make_cache();
    CHECK_OK(phicache_dict_cache_set(dict, text("k"), text("value")));
    CHECK_OK(phicache_reader_init(&reader, cache));
    CHECK_OK(phicache_reader_copy(&reader, text("k"), buffer, sizeof buffer, &len));
    CHECK_BYTES(buffer, len, "value", 5);
    CHECK_STATUS(phicache_reader_copy(&reader, text("other"), buffer, sizeof buffer, &len), PHICACHE_MISS);
    CHECK_UINT(len, 0);
    CHECK_STATUS(phicache_reader_copy(&reader, text("k"), buffer, 4, &len), PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK_UINT(len, 5);
    CHECK_STATUS(phicache_reader_read(&reader, text("k"), &got), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "section");
    CHECK_OK(phicache_read_begin());
    CHECK_OK(phicache_reader_read(&reader, text("k"), &got));
    CHECK_BYTES(got.data, got.len, "value", 5);
    CHECK_OK(phicache_reader_copy(&reader, text("k"), buffer, sizeof buffer, &len));
    CHECK_OK(phicache_dict_cache_set(dict, text("k"), text("new")));
    CHECK_BYTES(got.data, got.len, "value", 5);
    CHECK_OK(phicache_reader_read(&reader, text("k"), &got));
    CHECK_BYTES(got.data, got.len, "new", 3);
    CHECK_STATUS(phicache_reader_read(&reader, text("other"), &got), PHICACHE_MISS);
    CHECK(got.data == NULL);
    CHECK_OK(phicache_read_end());
    CHECK_OK(phicache_dict_cache_info(dict, &info));
    CHECK_UINT(info.hits, 4);
    CHECK_UINT(info.misses, 2);
    /* The reader holds a share: the cache lives on without its handle. */
    free_cache();
    CHECK_OK(phicache_reader_copy(&reader, text("k"), buffer, sizeof buffer, &len));
    CHECK_BYTES(buffer, len, "new", 3);
    phicache_reader_release(&reader);
    CHECK_STATUS(phicache_reader_copy(&reader, text("k"), buffer, sizeof buffer, &len),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "released");
    phicache_reader_release(&reader);
    phicache_reader_release(NULL);
}

static void *use_from_another_thread(void *reader) {
    phicache_bytes got;
    uint8_t buffer[8];
    size_t len;
    CHECK_STATUS(phicache_reader_copy(reader, text("k"), buffer, sizeof buffer, &len), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "another thread");
    CHECK_OK(phicache_read_begin());
    CHECK_STATUS(phicache_reader_read(reader, text("k"), &got), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_read_end());
    return NULL;
}

static void a_reader_is_of_one_thread(void) {
    phicache_reader reader;
    pthread_t other;
    make_cache();
    CHECK_OK(phicache_dict_cache_set(dict, text("k"), text("value")));
    CHECK_OK(phicache_reader_init(&reader, cache));
    REQUIRE(pthread_create(&other, NULL, use_from_another_thread, &reader) == 0);
    REQUIRE(pthread_join(other, NULL) == 0);
    phicache_reader_release(&reader);
    free_cache();
}

static phicache_reader left_behind;

static void *make_reader(void *unused) {
    CHECK_OK(phicache_reader_init(&left_behind, cache));
    return unused;
}

/* The next thread often gets the same memory for its stack and its thread-locals. */
static void a_reader_is_of_no_use_after_its_thread(void) {
    pthread_t thread;
    make_cache();
    CHECK_OK(phicache_dict_cache_set(dict, text("k"), text("value")));
    REQUIRE(pthread_create(&thread, NULL, make_reader, NULL) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    REQUIRE(pthread_create(&thread, NULL, use_from_another_thread, &left_behind) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    phicache_reader_release(&left_behind);
    free_cache();
}

/* Values that are held do not keep later lookups from being found, however many there are. */
static void many_values_may_be_held_at_once(void) {
    enum { HELD = 200 };
    static phicache_value held[HELD];
    uint32_t i, j;
    make_cache();
    for (i = 0; i < HELD; i++) CHECK_OK(phicache_dict_cache_set(dict, bytes(&i, 4), bytes(&i, 4)));
    for (i = 0; i < HELD; i++) {
        CHECK_OK(phicache_dict_cache_get(dict, bytes(&i, 4), &held[i]));
        for (j = 1; j <= i; j += 3) CHECK_BYTES(held[j].data, held[j].len, &j, 4);
        if (i % 3 == 0) phicache_value_release(&held[i]);
    }
    CHECK_OK(phicache_dict_cache_free(dict));
    for (i = 0; i < HELD; i++) {
        if (i % 3 != 0) CHECK_BYTES(held[i].data, held[i].len, &i, 4);
        phicache_value_release(&held[i]);
    }
}

int main(void) {
    RUN(the_key_is_the_parts_one_after_another);
    RUN(keys_of_every_length_are_joined);
    RUN(a_failed_computation_and_bad_parts_are_reported);
    RUN(a_reader_reads_and_copies_as_the_cache_does);
    RUN(a_reader_is_of_one_thread);
    RUN(a_reader_is_of_no_use_after_its_thread);
    RUN(many_values_may_be_held_at_once);
    return check_report();
}
