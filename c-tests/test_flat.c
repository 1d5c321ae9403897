/* test_flat.c: the calls that take a pointer and a length in place of a struct. */
#include "sample.h"

static const uint8_t KEY[3] = {'k', 'e', 'y'}, OTHER[1] = {'o'};

static phicache_dict_cache *dict;
static phicache_cache *cache;

static void make_cache(void) {
    REQUIRE_OK(phicache_dict_cache_new(NULL, NULL, &dict));
    REQUIRE_OK(phicache_dict_cache_as_cache(dict, &cache));
}

static void check_view(uint64_t hits, uint64_t misses, uint64_t size) {
    phicache_info info;
    CHECK_OK(phicache_cache_info(cache, &info));
    CHECK_COUNTS(info, hits, misses, size);
}

static void they_do_what_the_calls_with_structs_do(void) {
    const uint8_t *data;
    uint8_t buffer[8];
    size_t len = 99;
    make_cache();
    CHECK_STATUS(phicache_cache_get_into_flat(cache, KEY, sizeof KEY, buffer, sizeof buffer, &len), PHICACHE_MISS);
    CHECK_UINT(len, 0);
    CHECK_STATUS(phicache_cache_contains_flat(cache, KEY, sizeof KEY), PHICACHE_MISS);
    CHECK_OK(phicache_cache_set_flat(cache, KEY, sizeof KEY, (const uint8_t *)"value", 5));
    CHECK_OK(phicache_cache_contains_flat(cache, KEY, sizeof KEY));
    CHECK_OK(phicache_cache_contains(cache, text("key")));
    CHECK_OK(phicache_cache_get_into_flat(cache, KEY, sizeof KEY, buffer, sizeof buffer, &len));
    CHECK_BYTES(buffer, len, "value", 5);
    check_view(1, 1, 1);
    CHECK_STATUS(phicache_cache_get_into_flat(cache, KEY, sizeof KEY, NULL, 0, &len), PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK_UINT(len, 5);
    check_view(1, 1, 1);
    CHECK_OK(phicache_read_begin());
    CHECK_OK(phicache_cache_read_flat(cache, KEY, sizeof KEY, &data, &len));
    CHECK_BYTES(data, len, "value", 5);
    CHECK_STATUS(phicache_cache_read_flat(cache, OTHER, sizeof OTHER, &data, &len), PHICACHE_MISS);
    CHECK(data == NULL);
    CHECK_UINT(len, 0);
    CHECK_OK(phicache_read_end());
    check_view(2, 2, 1);
    CHECK_STATUS(phicache_cache_read_flat(cache, KEY, sizeof KEY, &data, &len), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_dict_cache_free(dict));
}

static void a_missing_value_is_computed(void) {
    answer right = answers("value"), wrong = fails(7);
    phicache_value value = unset_value();
    int32_t code = 99;
    make_cache();
    CHECK_STATUS(phicache_cache_memoize_flat(cache, KEY, sizeof KEY, compute_answer, &wrong, NULL, &value, &code),
                 PHICACHE_ERROR_CALLBACK);
    CHECK_INT(code, 7);
    CHECK_NO_VALUE(value);
    CHECK_OK(phicache_cache_memoize_flat(cache, KEY, sizeof KEY, compute_answer, &right, &code, &value, &code));
    CHECK_VALUE(value, "value");
    CHECK_INT(value.origin, PHICACHE_ORIGIN_COMPUTED);
    CHECK_BYTES(right.key, right.key_len, KEY, sizeof KEY);
    CHECK(right.call_data == &code);
    phicache_value_release(&value);
    CHECK_OK(phicache_cache_memoize_flat(cache, KEY, sizeof KEY, compute_answer, &right, NULL, &value, NULL));
    CHECK_INT(value.origin, PHICACHE_ORIGIN_HIT);
    CHECK_UINT(right.calls, 1);
    phicache_value_release(&value);
    CHECK_OK(phicache_dict_cache_free(dict));
}

static void an_empty_key_may_have_no_address_and_a_longer_one_may_not(void) {
    uint8_t buffer[8];
    const uint8_t *data;
    size_t len;
    answer right = answers("value");
    phicache_value value;
    make_cache();
    CHECK_OK(phicache_cache_set_flat(cache, NULL, 0, NULL, 0));
    CHECK_OK(phicache_cache_contains_flat(cache, NULL, 0));
    CHECK_OK(phicache_cache_get_into_flat(cache, NULL, 0, buffer, sizeof buffer, &len));
    CHECK_UINT(len, 0);
    CHECK_OK(phicache_read_begin());
    CHECK_OK(phicache_cache_read_flat(cache, NULL, 0, &data, &len));
    CHECK(data != NULL);
    CHECK_STATUS(phicache_cache_read_flat(cache, NULL, 1, &data, &len), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(data == NULL);
    CHECK_OK(phicache_read_end());
    CHECK_STATUS(phicache_cache_get_into_flat(cache, NULL, 1, buffer, sizeof buffer, &len),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "phicache_cache_get_into_flat: key is NULL");
    CHECK_STATUS(phicache_cache_set_flat(cache, KEY, sizeof KEY, NULL, 1), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "phicache_cache_set_flat: value is NULL");
    CHECK_STATUS(phicache_cache_contains_flat(cache, KEY, SIZE_MAX), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_cache_memoize_flat(cache, NULL, 1, compute_answer, &right, NULL, &value, NULL),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "phicache_cache_memoize_flat: key is NULL");
    CHECK_UINT(right.calls, 0);
    CHECK_OK(phicache_dict_cache_free(dict));
}

static void a_full_cache_refuses(void) {
    phicache_cache_options options;
    static uint8_t large[100000];
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.max_bytes = 1 << 14;
    options.on_full = PHICACHE_ON_FULL_REFUSE;
    REQUIRE_OK(phicache_dict_cache_new(NULL, &options, &dict));
    REQUIRE_OK(phicache_dict_cache_as_cache(dict, &cache));
    CHECK_STATUS(phicache_cache_set_flat(cache, KEY, sizeof KEY, large, sizeof large), PHICACHE_REFUSED_CAPACITY);
    CHECK_OK(phicache_dict_cache_free(dict));
}

static int32_t compute_large(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    uint8_t *room;
    (void)user_data;
    (void)call_data;
    (void)key;
    return phicache_result_reserve(result, 100000, &room);
}

static void an_origin_tells_why_a_value_was_not_stored(void) {
    phicache_cache_options options;
    phicache_value value;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.max_bytes = 1 << 14;
    options.on_full = PHICACHE_ON_FULL_REFUSE;
    REQUIRE_OK(phicache_dict_cache_new(NULL, &options, &dict));
    CHECK_OK(phicache_dict_cache_memoize(dict, text("key"), compute_large, NULL, NULL, &value, NULL));
    CHECK_STATUS(phicache_origin_refusal(value.origin), PHICACHE_REFUSED_CAPACITY);
    phicache_value_release(&value);
    CHECK_OK(phicache_dict_cache_free(dict));
    CHECK_OK(phicache_origin_refusal(0));
    CHECK_OK(phicache_origin_refusal(PHICACHE_ORIGIN_HIT));
    CHECK_OK(phicache_origin_refusal(PHICACHE_ORIGIN_PARENT));
    CHECK_STATUS(phicache_origin_refusal(PHICACHE_ORIGIN_NOT_STORED), PHICACHE_ERROR_OUT_OF_MEMORY);
}

int main(void) {
    RUN(they_do_what_the_calls_with_structs_do);
    RUN(a_missing_value_is_computed);
    RUN(an_empty_key_may_have_no_address_and_a_longer_one_may_not);
    RUN(a_full_cache_refuses);
    RUN(an_origin_tells_why_a_value_was_not_stored);
    return check_report();
}
