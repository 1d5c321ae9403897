/* test_purview.c: lists of purviews by direction and mechanism. */
#include "sample.h"

static phicache_purview_cache *new_purview(phicache_config *config) {
    phicache_purview_cache *cache = NULL;
    CHECK_OK(phicache_purview_cache_new(config, NULL, &cache));
    return cache;
}

static void check_info(phicache_purview_cache *cache, uint64_t hits, uint64_t misses, uint64_t size) {
    phicache_info info = {99, 99, 99};
    uint64_t counted = 99;
    CHECK_OK(phicache_purview_cache_info(cache, &info));
    CHECK_COUNTS(info, hits, misses, size);
    CHECK_OK(phicache_purview_cache_size(cache, &counted));
    CHECK_UINT(counted, size);
}

static void check_purviews(phicache_purview_cache *cache, int32_t direction, uint64_t mechanism,
                           const uint64_t *expected, size_t expected_count) {
    const uint64_t *purviews = NULL;
    size_t count = 99;
    phicache_value value = unset_value();
    CHECK_OK(phicache_purview_cache_get(cache, direction, mechanism, &purviews, &count, &value));
    CHECK_BYTES(purviews, count * sizeof *purviews, expected, expected_count * sizeof *expected);
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_HIT);
    phicache_value_release(&value);
}

static void lists_keep_their_order(void) {
    phicache_purview_cache *cache = new_purview(NULL);
    const uint64_t causes[4] = {5, 1, UINT64_MAX, 0}, effects[1] = {2};
    CHECK_OK(phicache_purview_cache_set(cache, PHICACHE_CAUSE, 3, causes, 4));
    CHECK_OK(phicache_purview_cache_set(cache, PHICACHE_EFFECT, 3, effects, 1));
    check_purviews(cache, PHICACHE_CAUSE, 3, causes, 4);
    check_purviews(cache, PHICACHE_EFFECT, 3, effects, 1);
    check_info(cache, 2, 0, 2);
    CHECK_OK(phicache_purview_cache_set(cache, PHICACHE_CAUSE, 3, causes + 1, 2));
    check_purviews(cache, PHICACHE_CAUSE, 3, causes + 1, 2);
    check_info(cache, 3, 0, 2);
    CHECK_OK(phicache_purview_cache_clear(cache));
    check_info(cache, 0, 0, 0);
    CHECK_OK(phicache_purview_cache_free(cache));
    CHECK_OK(phicache_purview_cache_free(NULL));
}

static void an_empty_list_is_a_value_and_a_miss_is_a_miss(void) {
    phicache_purview_cache *cache = new_purview(NULL);
    const uint64_t *purviews = (const uint64_t *)16;
    size_t count = 99;
    phicache_value value = unset_value();
    CHECK_STATUS(phicache_purview_cache_get(cache, PHICACHE_CAUSE, 1, &purviews, &count, &value), PHICACHE_MISS);
    CHECK(purviews == NULL);
    CHECK_UINT(count, 0);
    CHECK_NO_VALUE(value);
    CHECK_OK(phicache_purview_cache_set(cache, PHICACHE_CAUSE, 1, NULL, 0));
    check_purviews(cache, PHICACHE_CAUSE, 1, NULL, 0);
    check_info(cache, 1, 1, 1);
    CHECK_OK(phicache_purview_cache_free(cache));
}

static void mechanisms_of_all_sizes_and_directions_have_different_keys(void) {
    phicache_purview_cache *cache = new_purview(NULL);
    int32_t direction;
    unsigned bit;
    for (direction = 0; direction < 2; direction++)
        for (bit = 0; bit < 64; bit++) {
            const uint64_t purviews[2] = {UINT64_C(1) << bit, (uint64_t)direction};
            CHECK_OK(phicache_purview_cache_set(cache, direction, UINT64_C(1) << bit, purviews, 2));
        }
    for (direction = 0; direction < 2; direction++)
        for (bit = 0; bit < 64; bit++) {
            const uint64_t purviews[2] = {UINT64_C(1) << bit, (uint64_t)direction};
            check_purviews(cache, direction, UINT64_C(1) << bit, purviews, 2);
        }
    check_info(cache, 128, 0, 128);
    CHECK_OK(phicache_purview_cache_free(cache));
}

static void nothing_is_stored_while_purview_caching_is_off(void) {
    phicache_config *config = new_unlimited();
    phicache_purview_cache *cache = new_purview(config);
    const uint64_t old[1] = {1}, new_list[1] = {2};
    phicache_stats stats;
    CHECK_OK(phicache_purview_cache_set(cache, PHICACHE_CAUSE, 1, old, 1));
    CHECK_OK(phicache_config_set_cache_potential_purviews(config, 0));
    CHECK_STATUS(phicache_purview_cache_set(cache, PHICACHE_CAUSE, 1, new_list, 1), PHICACHE_REFUSED_DISABLED);
    CHECK_STATUS(phicache_purview_cache_set(cache, PHICACHE_CAUSE, 2, new_list, 1), PHICACHE_REFUSED_DISABLED);
    check_purviews(cache, PHICACHE_CAUSE, 1, old, 1);
    check_info(cache, 1, 0, 1);
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_purview_cache_stats(cache, &stats));
    CHECK_UINT(stats.refused_disabled, 2);
    CHECK_UINT(stats.stores, 1);
    CHECK_OK(phicache_config_set_cache_potential_purviews(config, 1));
    CHECK_OK(phicache_purview_cache_set(cache, PHICACHE_CAUSE, 1, new_list, 1));
    check_purviews(cache, PHICACHE_CAUSE, 1, new_list, 1);
    CHECK_OK(phicache_purview_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void memory_refuses_here_too(void) {
    phicache_config *config = new_unlimited();
    phicache_purview_cache *cache = new_purview(config);
    const uint64_t list[1] = {1};
    CHECK_OK(phicache_config_set_maximum_memory_percent(config, 0.0));
    CHECK_STATUS(phicache_purview_cache_set(cache, PHICACHE_CAUSE, 1, list, 1), PHICACHE_REFUSED_MEMORY);
    check_info(cache, 0, 0, 0);
    CHECK_OK(phicache_purview_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

/* Writes the masks 1, 2, ..., with their number in user_data, and truncates by the number of bytes in call_data. */
static int32_t compute_masks(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    const size_t count = *(const size_t *)user_data, cut = call_data == NULL ? 0 : *(const size_t *)call_data;
    uint8_t *room = NULL;
    size_t i;
    (void)key;
    if (phicache_result_reserve(result, count * sizeof(uint64_t), &room) != PHICACHE_OK) return -1;
    for (i = 0; i < count; i++) {
        const uint64_t mask = i + 1;
        memcpy(room + i * sizeof mask, &mask, sizeof mask);
    }
    return phicache_result_truncate(result, count * sizeof(uint64_t) - cut) == PHICACHE_OK ? 0 : -2;
}

static void memoize_computes_a_list_once(void) {
    phicache_purview_cache *cache = new_purview(NULL);
    const uint64_t expected[3] = {1, 2, 3};
    const uint64_t *purviews = NULL;
    size_t count = 3, out_count = 0;
    phicache_value value;
    CHECK_OK(phicache_purview_cache_memoize(cache, PHICACHE_EFFECT, 6, compute_masks, &count, NULL, &purviews,
                                            &out_count, &value, NULL));
    CHECK_BYTES(purviews, out_count * 8, expected, sizeof expected);
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_COMPUTED);
    phicache_value_release(&value);
    CHECK_OK(phicache_purview_cache_memoize(cache, PHICACHE_EFFECT, 6, compute_never, NULL, NULL, &purviews,
                                            &out_count, &value, NULL));
    CHECK_BYTES(purviews, out_count * 8, expected, sizeof expected);
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_HIT);
    phicache_value_release(&value);
    check_purviews(cache, PHICACHE_EFFECT, 6, expected, 3);
    check_info(cache, 2, 1, 1);
    CHECK_OK(phicache_purview_cache_free(cache));
}

static void memoize_while_caching_is_off_computes_every_time(void) {
    phicache_config *config = new_unlimited();
    phicache_purview_cache *cache = new_purview(config);
    const uint64_t *purviews = NULL;
    size_t count = 2, out_count = 0;
    phicache_value value;
    CHECK_OK(phicache_config_set_cache_potential_purviews(config, 0));
    CHECK_OK(phicache_purview_cache_memoize(cache, PHICACHE_CAUSE, 1, compute_masks, &count, NULL, &purviews,
                                            &out_count, &value, NULL));
    CHECK_UINT(out_count, 2);
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_DISABLED);
    phicache_value_release(&value);
    check_info(cache, 0, 1, 0);
    CHECK_OK(phicache_purview_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static int32_t compute_failure(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    (void)user_data;
    (void)call_data;
    (void)key;
    (void)result;
    return 5;
}

static void a_failing_function_and_a_list_of_half_a_mask_cache_nothing(void) {
    phicache_purview_cache *cache = new_purview(NULL);
    const uint64_t *purviews = (const uint64_t *)16;
    size_t count = 2, cut = 4, out_count = 99;
    int32_t code = 0;
    phicache_value value = unset_value();
    CHECK_STATUS(phicache_purview_cache_memoize(cache, PHICACHE_CAUSE, 1, compute_failure, NULL, NULL, &purviews,
                                                &out_count, &value, &code),
                 PHICACHE_ERROR_CALLBACK);
    CHECK_INT(code, 5);
    CHECK(purviews == NULL);
    CHECK_UINT(out_count, 0);
    CHECK_NO_VALUE(value);
    CHECK_STATUS(phicache_purview_cache_memoize(cache, PHICACHE_CAUSE, 1, compute_masks, &count, &cut, &purviews,
                                                &out_count, &value, &code),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_INT(code, 0);
    CHECK_NO_VALUE(value);
    check_info(cache, 0, 2, 0);
    CHECK_OK(phicache_purview_cache_free(cache));
}

static void wrong_directions_and_lists_are_errors(void) {
    phicache_purview_cache *cache = new_purview(NULL);
    const uint64_t list[1] = {1};
    const uint64_t *purviews = NULL;
    size_t count;
    phicache_value value;
    const int32_t wrong[] = {-1, PHICACHE_BIDIRECTIONAL, 3, INT32_MIN, INT32_MAX};
    size_t i;
    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK_STATUS(phicache_purview_cache_set(cache, wrong[i], 1, list, 1), PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK_STATUS(phicache_purview_cache_get(cache, wrong[i], 1, &purviews, &count, &value),
                     PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK_STATUS(phicache_purview_cache_memoize(cache, wrong[i], 1, compute_never, NULL, NULL, &purviews, &count,
                                                    &value, NULL),
                     PHICACHE_ERROR_INVALID_ARGUMENT);
    }
    CHECK_STATUS(phicache_purview_cache_set(cache, PHICACHE_CAUSE, 1, NULL, 1), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_purview_cache_set(cache, PHICACHE_CAUSE, 1, list, SIZE_MAX), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_purview_cache_set(cache, PHICACHE_CAUSE, 1, list, (size_t)PTRDIFF_MAX / 8 + 1),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    check_info(cache, 0, 0, 0);
    CHECK_OK(phicache_purview_cache_free(cache));
}

static void the_view_checks_records(void) {
    phicache_purview_cache *cache = new_purview(NULL);
    phicache_cache *view = NULL;
    const uint64_t list[2] = {1, 2};
    uint64_t size = 99;
    REQUIRE_OK(phicache_purview_cache_as_cache(cache, &view));
    CHECK_STATUS(phicache_cache_set(view, text("key"), bytes(list, 12)), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_cache_set(view, text("key"), bytes(list, 16)));
    CHECK_OK(phicache_cache_size(view, &size));
    CHECK_UINT(size, 1);
    CHECK_OK(phicache_purview_cache_free(cache));
}

int main(void) {
    RUN(lists_keep_their_order);
    RUN(an_empty_list_is_a_value_and_a_miss_is_a_miss);
    RUN(mechanisms_of_all_sizes_and_directions_have_different_keys);
    RUN(nothing_is_stored_while_purview_caching_is_off);
    RUN(memory_refuses_here_too);
    RUN(memoize_computes_a_list_once);
    RUN(memoize_while_caching_is_off_computes_every_time);
    RUN(a_failing_function_and_a_list_of_half_a_mask_cache_nothing);
    RUN(wrong_directions_and_lists_are_errors);
    RUN(the_view_checks_records);
    return check_report();
}
