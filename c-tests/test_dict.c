/* test_dict.c: the dict cache: get, set, remove, clear, statistics, limits, and pinned values. */
#include "sample.h"

static phicache_info info_of(phicache_dict_cache *cache) {
    phicache_info info = {99, 99, 99};
    CHECK_OK(phicache_dict_cache_info(cache, &info));
    return info;
}

static void check_info(phicache_dict_cache *cache, uint64_t hits, uint64_t misses, uint64_t size) {
    const phicache_info info = info_of(cache);
    uint64_t counted = 99;
    CHECK_COUNTS(info, hits, misses, size);
    CHECK_OK(phicache_dict_cache_size(cache, &counted));
    CHECK_UINT(counted, size);
}

static phicache_stats stats_of(phicache_dict_cache *cache) {
    phicache_stats stats;
    memset(&stats, 0xEE, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_dict_cache_stats(cache, &stats));
    return stats;
}

static uint64_t held_by_all(void) {
    phicache_memory memory;
    memset(&memory, 0, sizeof memory);
    memory.struct_size = sizeof memory;
    CHECK_OK(phicache_memory_usage(&memory));
    return memory.held;
}

static void a_new_cache_is_empty_with_zero_counts(void) {
    phicache_dict_cache *cache = new_dict();
    check_info(cache, 0, 0, 0);
    CHECK_UINT(stats_of(cache).bytes, 0);
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_OK(phicache_dict_cache_free(NULL));
}

static void a_miss_is_an_outcome_and_counts(void) {
    phicache_dict_cache *cache = new_dict();
    phicache_value value = unset_value();
    CHECK_STATUS(phicache_dict_cache_get(cache, text("absent"), &value), PHICACHE_MISS);
    CHECK_NO_VALUE(value);
    check_info(cache, 0, 1, 0);
    phicache_value_release(&value);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void a_stored_value_is_found_aligned_and_counts_a_hit(void) {
    phicache_dict_cache *cache = new_dict();
    phicache_value value = unset_value();
    const double numbers[3] = {0.25, -1.5, 1e300};
    char key[40];
    size_t len;
    for (len = 0; len < sizeof key; len++) {
        memset(key, 'k', sizeof key);
        CHECK_OK(phicache_dict_cache_set(cache, bytes(key, len), bytes(numbers, sizeof numbers)));
        CHECK_OK(phicache_dict_cache_get(cache, bytes(key, len), &value));
        CHECK_BYTES(value.data, value.len, numbers, sizeof numbers);
        CHECK_UINT((uintptr_t)value.data % 16, 0);
        CHECK_UINT(value.origin, PHICACHE_ORIGIN_HIT);
        phicache_value_release(&value);
    }
    check_info(cache, 40, 0, 40);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void keys_and_values_may_hold_any_bytes(void) {
    phicache_dict_cache *cache = new_dict();
    phicache_value value;
    uint8_t all[256];
    unsigned i;
    for (i = 0; i < 256; i++) all[i] = (uint8_t)i;
    CHECK_OK(phicache_dict_cache_set(cache, bytes(all, 256), bytes(all + 1, 255)));
    CHECK_OK(phicache_dict_cache_set(cache, bytes(all, 255), bytes(all, 1)));
    CHECK_OK(phicache_dict_cache_get(cache, bytes(all, 256), &value));
    CHECK_BYTES(value.data, value.len, all + 1, 255);
    phicache_value_release(&value);
    CHECK_OK(phicache_dict_cache_get(cache, bytes(all, 255), &value));
    CHECK_BYTES(value.data, value.len, all, 1);
    phicache_value_release(&value);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void the_cache_copies_its_arguments(void) {
    phicache_dict_cache *cache = new_dict();
    phicache_value value;
    char key[] = "key", words[] = "value";
    CHECK_OK(phicache_dict_cache_set(cache, text(key), text(words)));
    memset(key, 'x', 3);
    memset(words, 'x', 5);
    CHECK_OK(phicache_dict_cache_get(cache, text("key"), &value));
    CHECK_VALUE(value, "value");
    phicache_value_release(&value);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void an_empty_value_is_a_value_and_an_empty_key_a_key(void) {
    phicache_dict_cache *cache = new_dict();
    phicache_value value = unset_value();
    CHECK_OK(phicache_dict_cache_set(cache, text("empty"), bytes(NULL, 0)));
    CHECK_OK(phicache_dict_cache_get(cache, text("empty"), &value));
    CHECK_UINT(value.len, 0);
    CHECK(value.pin != NULL);
    phicache_value_release(&value);
    CHECK_OK(phicache_dict_cache_set(cache, bytes(NULL, 0), text("of the empty key")));
    CHECK_OK(phicache_dict_cache_get(cache, bytes("ignored", 0), &value));
    CHECK_VALUE(value, "of the empty key");
    phicache_value_release(&value);
    check_info(cache, 2, 0, 2);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void a_second_set_replaces_and_does_not_change_the_size(void) {
    phicache_dict_cache *cache = new_dict();
    phicache_value value;
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("first")));
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("second, and longer")));
    CHECK_OK(phicache_dict_cache_get(cache, text("key"), &value));
    CHECK_VALUE(value, "second, and longer");
    phicache_value_release(&value);
    check_info(cache, 1, 0, 1);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void contains_counts_nothing(void) {
    phicache_dict_cache *cache = new_dict();
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("value")));
    CHECK_OK(phicache_dict_cache_contains(cache, text("key")));
    CHECK_STATUS(phicache_dict_cache_contains(cache, text("other")), PHICACHE_MISS);
    check_info(cache, 0, 0, 1);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void remove_removes_one_value(void) {
    phicache_dict_cache *cache = new_dict();
    CHECK_OK(phicache_dict_cache_set(cache, text("a"), text("1")));
    CHECK_OK(phicache_dict_cache_set(cache, text("b"), text("2")));
    CHECK_OK(phicache_dict_cache_remove(cache, text("a")));
    CHECK_STATUS(phicache_dict_cache_remove(cache, text("a")), PHICACHE_MISS);
    CHECK_STATUS(phicache_dict_cache_contains(cache, text("a")), PHICACHE_MISS);
    CHECK_OK(phicache_dict_cache_contains(cache, text("b")));
    check_info(cache, 0, 0, 1);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void clear_removes_everything_and_resets_the_counts(void) {
    phicache_dict_cache *cache = new_dict();
    phicache_value value;
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("value")));
    CHECK_OK(phicache_dict_cache_get(cache, text("key"), &value));
    phicache_value_release(&value);
    CHECK_STATUS(phicache_dict_cache_get(cache, text("other"), &value), PHICACHE_MISS);
    CHECK_OK(phicache_dict_cache_clear(cache));
    check_info(cache, 0, 0, 0);
    CHECK_UINT(stats_of(cache).stores, 0);
    CHECK_STATUS(phicache_dict_cache_get(cache, text("key"), &value), PHICACHE_MISS);
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("again")));
    check_info(cache, 0, 1, 1);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void a_pinned_value_outlives_everything(void) {
    phicache_dict_cache *cache = new_dict();
    phicache_value overwritten, removed, cleared, freed;
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("the first value")));
    CHECK_OK(phicache_dict_cache_get(cache, text("key"), &overwritten));
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("the second value")));
    CHECK_OK(phicache_dict_cache_get(cache, text("key"), &removed));
    CHECK_OK(phicache_dict_cache_remove(cache, text("key")));
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("the third value")));
    CHECK_OK(phicache_dict_cache_get(cache, text("key"), &cleared));
    CHECK_OK(phicache_dict_cache_clear(cache));
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("the fourth value")));
    CHECK_OK(phicache_dict_cache_get(cache, text("key"), &freed));
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_VALUE(overwritten, "the first value");
    CHECK_VALUE(removed, "the second value");
    CHECK_VALUE(cleared, "the third value");
    CHECK_VALUE(freed, "the fourth value");
    phicache_value_release(&overwritten);
    phicache_value_release(&removed);
    phicache_value_release(&cleared);
    phicache_value_release(&freed);
}

static void release_zeroes_the_struct_and_may_be_repeated(void) {
    phicache_dict_cache *cache = new_dict();
    phicache_value value;
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("value")));
    CHECK_OK(phicache_dict_cache_get(cache, text("key"), &value));
    phicache_value_release(&value);
    CHECK_NO_VALUE(value);
    phicache_value_release(&value);
    phicache_value_release(NULL);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void get_into_returns_the_length_of_the_value(void) {
    phicache_dict_cache *cache = new_dict();
    uint8_t buffer[16];
    size_t len = 99;
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("value")));
    CHECK_OK(phicache_dict_cache_set(cache, text("empty"), text("")));
    memset(buffer, '#', sizeof buffer);
    CHECK_OK(phicache_dict_cache_get_into(cache, text("key"), buffer, sizeof buffer, &len));
    CHECK_BYTES(buffer, len, "value", 5);
    CHECK_BYTES(buffer + 5, 1, "#", 1);
    CHECK_OK(phicache_dict_cache_get_into(cache, text("key"), buffer, 5, &len));
    CHECK_UINT(len, 5);
    check_info(cache, 2, 0, 2);

    memset(buffer, '#', sizeof buffer);
    CHECK_STATUS(phicache_dict_cache_get_into(cache, text("key"), buffer, 4, &len), PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK_UINT(len, 5);
    CHECK_BYTES(buffer, 4, "####", 4);
    CHECK_STATUS(phicache_dict_cache_get_into(cache, text("key"), NULL, 0, &len), PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK_UINT(len, 5);
    check_info(cache, 2, 0, 2);

    CHECK_OK(phicache_dict_cache_get_into(cache, text("empty"), NULL, 0, &len));
    CHECK_UINT(len, 0);
    CHECK_STATUS(phicache_dict_cache_get_into(cache, text("absent"), buffer, 4, &len), PHICACHE_MISS);
    CHECK_UINT(len, 0);
    check_info(cache, 3, 1, 2);
    CHECK_STATUS(phicache_dict_cache_get_into(cache, text("key"), NULL, 5, &len), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_UINT(len, 0);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void impossible_slices_are_errors_and_change_nothing(void) {
    phicache_dict_cache *cache = new_dict();
    const phicache_bytes wrong[2] = {no_address(), too_long()};
    phicache_value value;
    uint8_t buffer[4];
    size_t len;
    unsigned i;
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("value")));
    for (i = 0; i < 2; i++) {
        value = unset_value();
        CHECK_STATUS(phicache_dict_cache_get(cache, wrong[i], &value), PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK_NO_VALUE(value);
        CHECK(strlen(phicache_last_error()) > 0);
        len = 99;
        CHECK_STATUS(phicache_dict_cache_get_into(cache, wrong[i], buffer, sizeof buffer, &len),
                     PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK_UINT(len, 0);
        CHECK_STATUS(phicache_dict_cache_contains(cache, wrong[i]), PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK_STATUS(phicache_dict_cache_set(cache, wrong[i], text("v")), PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK_STATUS(phicache_dict_cache_set(cache, text("key"), wrong[i]), PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK_STATUS(phicache_dict_cache_remove(cache, wrong[i]), PHICACHE_ERROR_INVALID_ARGUMENT);
        value = unset_value();
        CHECK_STATUS(phicache_dict_cache_memoize(cache, wrong[i], compute_never, NULL, NULL, &value, NULL),
                     PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK_NO_VALUE(value);
    }
    check_info(cache, 0, 0, 1);
    CHECK_OK(phicache_dict_cache_get(cache, text("key"), &value));
    CHECK_VALUE(value, "value");
    phicache_value_release(&value);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void bytes_are_counted_exactly_and_until_the_last_pin_is_gone(void) {
    const uint64_t held_before = held_by_all();
    phicache_dict_cache *cache = new_dict();
    phicache_value value;
    uint64_t small, large;
    char *words = (char *)calloc(100000, 1);
    REQUIRE(words != NULL);
    CHECK_OK(phicache_dict_cache_set(cache, text("small"), text("value")));
    small = stats_of(cache).bytes;
    CHECK(small >= 10);
    CHECK_OK(phicache_dict_cache_set(cache, text("large"), bytes(words, 100000)));
    large = stats_of(cache).bytes;
    CHECK(large >= small + 100005 && large <= small + 100005 + 4096);
    CHECK_UINT(held_by_all() - held_before, large);

    CHECK_OK(phicache_dict_cache_get(cache, text("large"), &value));
    CHECK_OK(phicache_dict_cache_remove(cache, text("large")));
    CHECK_UINT(held_by_all() - held_before, large);
    phicache_value_release(&value);
    CHECK(held_by_all() - held_before <= large - 100005);

    CHECK_OK(phicache_dict_cache_set(cache, text("large"), bytes(words, 100000)));
    CHECK_OK(phicache_dict_cache_get(cache, text("large"), &value));
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK(held_by_all() - held_before >= 100005);
    phicache_value_release(&value);
    CHECK_UINT(held_by_all(), held_before);
    free(words);
}

static void a_full_cache_refuses_and_keeps_the_old_value(void) {
    phicache_cache_options options;
    phicache_dict_cache *cache = NULL;
    phicache_value value;
    phicache_stats stats;
    uint8_t large[8192];
    answer compute = answers("computed");
    memset(&options, 0, sizeof options);
    memset(large, 1, sizeof large);
    options.struct_size = sizeof options;
    options.max_bytes = 8000;
    REQUIRE_OK(phicache_dict_cache_new(NULL, &options, &cache));
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("old")));
    CHECK_STATUS(phicache_dict_cache_set(cache, text("key"), bytes(large, sizeof large)),
                 PHICACHE_REFUSED_CAPACITY);
    CHECK_STATUS(phicache_dict_cache_set(cache, text("new"), bytes(large, sizeof large)),
                 PHICACHE_REFUSED_CAPACITY);
    CHECK_OK(phicache_dict_cache_get(cache, text("key"), &value));
    CHECK_VALUE(value, "old");
    phicache_value_release(&value);
    check_info(cache, 1, 0, 1);
    stats = stats_of(cache);
    CHECK(stats.bytes <= 8000);
    CHECK_UINT(stats.stores, 1);
    CHECK_OK(phicache_dict_cache_memoize(cache, text("other"), compute_answer, &compute, NULL, &value, NULL));
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_COMPUTED);
    phicache_value_release(&value);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void a_maximum_of_0_stores_nothing_and_takes_effect_at_once(void) {
    phicache_config *config = new_unlimited();
    phicache_dict_cache *cache = NULL;
    phicache_value value;
    answer compute = answers("computed");
    REQUIRE_OK(phicache_dict_cache_new(config, NULL, &cache));
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("old")));
    CHECK_OK(phicache_config_set_maximum_memory_percent(config, 0.0));
    CHECK_STATUS(phicache_dict_cache_set(cache, text("key"), text("new")), PHICACHE_REFUSED_MEMORY);
    CHECK_STATUS(phicache_dict_cache_set(cache, text("other"), text("new")), PHICACHE_REFUSED_MEMORY);
    CHECK_OK(phicache_dict_cache_get(cache, text("key"), &value));
    CHECK_VALUE(value, "old");
    phicache_value_release(&value);
    check_info(cache, 1, 0, 1);

    value = unset_value();
    CHECK_OK(phicache_dict_cache_memoize(cache, text("other"), compute_answer, &compute, NULL, &value, NULL));
    CHECK_VALUE(value, "computed");
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_MEMORY);
    phicache_value_release(&value);
    check_info(cache, 1, 1, 1);

    CHECK_OK(phicache_config_set_maximum_memory_percent(config, PHICACHE_MEMORY_UNLIMITED));
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("new")));
    /* The cache keeps its configuration alive. */
    CHECK_OK(phicache_config_free(config));
    CHECK_OK(phicache_dict_cache_set(cache, text("other"), text("new")));
    check_info(cache, 1, 1, 2);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void a_name_belongs_to_one_live_cache(void) {
    phicache_cache_options options;
    phicache_dict_cache *first = NULL, *second = NULL;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.name = "repertoires of test_dict";
    REQUIRE_OK(phicache_dict_cache_new(NULL, &options, &first));
    second = first;
    CHECK_STATUS(phicache_dict_cache_new(NULL, &options, &second), PHICACHE_ERROR_NAME_IN_USE);
    CHECK(second == NULL);
    CHECK_CONTAINS(phicache_last_error(), "repertoires of test_dict");
    CHECK_OK(phicache_dict_cache_free(first));
    CHECK_OK(phicache_dict_cache_new(NULL, &options, &second));
    CHECK_OK(phicache_dict_cache_free(second));
}

static void options_without_a_size_or_with_an_invalid_name_are_errors(void) {
    phicache_cache_options options;
    phicache_dict_cache *cache = NULL;
    char name[66];
    memset(&options, 0, sizeof options);
    CHECK_STATUS(phicache_dict_cache_new(NULL, &options, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(cache == NULL);
    options.struct_size = sizeof options;
    options.name = "\xff";
    CHECK_STATUS(phicache_dict_cache_new(NULL, &options, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
    memset(name, 'n', 65);
    name[65] = '\0';
    options.name = name;
    CHECK_STATUS(phicache_dict_cache_new(NULL, &options, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(cache == NULL);
}

/* The options of a program that was compiled with a later header: they have fields that this library does not know. */
typedef union {
    phicache_cache_options options;
    unsigned char bytes[4096];
} later_options;

static void options_of_a_later_version_must_not_use_unknown_fields(void) {
    const size_t known = sizeof(phicache_cache_options);
    const size_t sizes[] = {known, known + 1, known + 8, known + 100, 4096};
    phicache_dict_cache *cache = NULL;
    later_options later;
    size_t i;
    for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        memset(&later, 0, sizeof later);
        later.options.struct_size = sizes[i];
        if (CHECK_OK(phicache_dict_cache_new(NULL, &later.options, &cache))) CHECK_OK(phicache_dict_cache_free(cache));
        /* The library must not read beyond the struct. */
        memset(later.bytes + sizes[i], 0xFF, sizeof later - sizes[i]);
        if (CHECK_OK(phicache_dict_cache_new(NULL, &later.options, &cache))) CHECK_OK(phicache_dict_cache_free(cache));
        if (sizes[i] == known) continue;
        later.bytes[sizes[i] - 1] = 1;
        CHECK_STATUS(phicache_dict_cache_new(NULL, &later.options, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK(cache == NULL);
        CHECK_CONTAINS(phicache_last_error(), "options->struct_size is");
        CHECK_CONTAINS(phicache_last_error(), "is not zero");
        later.bytes[sizes[i] - 1] = 0;
        later.bytes[known] = 0x80;
        CHECK_STATUS(phicache_dict_cache_new(NULL, &later.options, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
    }
    later.options.struct_size = 4097;
    CHECK_STATUS(phicache_dict_cache_new(NULL, &later.options, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
}

/* The options of a program that was compiled with the header of version 0.1, without the later fields. */
static void options_of_the_first_version_still_work(void) {
    enum { FIRST = 48 };
    phicache_dict_cache *cache = NULL;
    later_options early;
    memset(&early, 0xFF, sizeof early);
    memset(&early, 0, FIRST);
    early.options.struct_size = FIRST;
    early.options.max_bytes = 1 << 20;
    CHECK(offsetof(phicache_cache_options, no_checksum) + sizeof early.options.no_checksum == FIRST);
    if (CHECK_OK(phicache_dict_cache_new(NULL, &early.options, &cache))) CHECK_OK(phicache_dict_cache_free(cache));
    early.options.struct_size = FIRST - 8;
    CHECK_STATUS(phicache_dict_cache_new(NULL, &early.options, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
}

static void statistics_fill_no_more_than_the_caller_has(void) {
    phicache_dict_cache *cache = new_dict();
    phicache_stats stats;
    phicache_value value;
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("value")));
    CHECK_OK(phicache_dict_cache_get(cache, text("key"), &value));
    phicache_value_release(&value);
    memset(&stats, 0xEE, sizeof stats);
    stats.struct_size = offsetof(phicache_stats, misses);
    CHECK_OK(phicache_dict_cache_stats(cache, &stats));
    CHECK_UINT(stats.hits, 1);
    CHECK_UINT(stats.misses, UINT64_C(0xEEEEEEEEEEEEEEEE));
    stats.struct_size = 0;
    CHECK_STATUS(phicache_dict_cache_stats(cache, &stats), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void the_key_of_arguments_is_the_prefix_and_the_builders_key(void) {
    phicache_dict_cache *cache = new_dict();
    phicache_key *args = NULL, *whole = NULL;
    phicache_bytes key, expected;
    REQUIRE_OK(phicache_key_new(&args));
    REQUIRE_OK(phicache_key_new(&whole));
    CHECK_OK(phicache_key_add_int(args, 3));
    CHECK_OK(phicache_key_add_nodes(args, 5));
    CHECK_OK(phicache_key_add_string(whole, text("cause_repertoire")));
    CHECK_OK(phicache_key_add_double(whole, 3.0));
    CHECK_OK(phicache_key_add_nodes(whole, 5));
    CHECK_OK(phicache_dict_cache_key(cache, "cause_repertoire", args, &key));
    CHECK_OK(phicache_key_bytes(whole, 0, &expected));
    CHECK_BYTES(key.data, key.len, expected.data, expected.len);

    CHECK_OK(phicache_key_reset(whole));
    CHECK_OK(phicache_key_add_none(whole));
    CHECK_OK(phicache_key_add_int(whole, 3));
    CHECK_OK(phicache_key_add_nodes(whole, 5));
    CHECK_OK(phicache_dict_cache_key(cache, NULL, args, &key));
    CHECK_OK(phicache_key_bytes(whole, 0, &expected));
    CHECK_BYTES(key.data, key.len, expected.data, expected.len);
    CHECK_OK(phicache_key_free(whole));
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void the_view_is_the_same_cache(void) {
    phicache_dict_cache *cache = new_dict();
    phicache_cache *view = NULL;
    phicache_value value;
    phicache_info info;
    phicache_stats stats;
    uint64_t size = 0;
    uint8_t buffer[8];
    size_t len;
    answer compute = answers("computed");
    REQUIRE_OK(phicache_dict_cache_as_cache(cache, &view));
    CHECK_OK(phicache_cache_set(view, text("key"), text("value")));
    CHECK_OK(phicache_dict_cache_contains(cache, text("key")));
    CHECK_OK(phicache_cache_get(view, text("key"), &value));
    CHECK_VALUE(value, "value");
    phicache_value_release(&value);
    CHECK_OK(phicache_cache_get_into(view, text("key"), buffer, sizeof buffer, &len));
    CHECK_BYTES(buffer, len, "value", 5);
    CHECK_OK(phicache_cache_memoize(view, text("other"), compute_answer, &compute, NULL, &value, NULL));
    CHECK_VALUE(value, "computed");
    phicache_value_release(&value);
    CHECK_OK(phicache_cache_contains(view, text("other")));
    CHECK_OK(phicache_cache_size(view, &size));
    CHECK_UINT(size, 2);
    CHECK_OK(phicache_cache_info(view, &info));
    CHECK_UINT(info.hits, 2);
    CHECK_UINT(info.misses, 1);
    check_info(cache, 2, 1, 2);
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_cache_stats(view, &stats));
    CHECK_UINT(stats.stores, 2);
    CHECK_OK(phicache_cache_remove(view, text("key")));
    CHECK_STATUS(phicache_cache_remove(view, text("key")), PHICACHE_MISS);
    CHECK_OK(phicache_cache_clear(view));
    check_info(cache, 0, 0, 0);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void a_value_with_a_cost_is_stored_like_any_other(void) {
    const uint64_t costs[] = {0, 1, UINT64_MAX};
    phicache_dict_cache *cache = new_dict();
    phicache_cache *view = NULL;
    phicache_value value;
    phicache_stats stats;
    size_t i;
    REQUIRE_OK(phicache_dict_cache_as_cache(cache, &view));
    for (i = 0; i < 3; i++) {
        CHECK_OK(phicache_cache_set_with_cost(view, text("key"), text(i == 1 ? "one" : "other"), costs[i]));
        CHECK_OK(phicache_dict_cache_get(cache, text("key"), &value));
        CHECK_VALUE(value, i == 1 ? "one" : "other");
        phicache_value_release(&value);
    }
    CHECK_STATUS(phicache_cache_set_with_cost(view, no_address(), text("value"), 1), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_cache_set_with_cost(view, text("key"), too_long(), 1), PHICACHE_ERROR_INVALID_ARGUMENT);
    stats = stats_of(cache);
    CHECK_UINT(stats.stores, 3);
    CHECK_UINT(stats.size, 1);
    CHECK(stats.live_bytes >= 8 && stats.live_bytes <= stats.bytes);
    CHECK_UINT(stats.evictions, 0);
    CHECK_UINT(stats.evicted_bytes, 0);
    CHECK_UINT(stats.evicted_ns, 0);
    CHECK_OK(phicache_dict_cache_clear(cache));
    CHECK_UINT(stats_of(cache).live_bytes, 0);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void many_entries_are_all_found_again(void) {
    phicache_config *config = new_unlimited();
    phicache_dict_cache *cache = NULL;
    phicache_value value;
    uint64_t key, doubled;
    const uint64_t count = 20000;
    REQUIRE_OK(phicache_dict_cache_new(config, NULL, &cache));
    for (key = 0; key < count; key++) {
        doubled = 2 * key;
        if (!CHECK_OK(phicache_dict_cache_set(cache, bytes(&key, sizeof key), bytes(&doubled, sizeof doubled)))) break;
    }
    for (key = 0; key < count; key++) {
        if (!CHECK_OK(phicache_dict_cache_get(cache, bytes(&key, sizeof key), &value))) break;
        memcpy(&doubled, value.data, sizeof doubled);
        phicache_value_release(&value);
        if (!CHECK_UINT(doubled, 2 * key)) break;
    }
    check_info(cache, count, 0, count);
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

int main(void) {
    RUN(a_new_cache_is_empty_with_zero_counts);
    RUN(a_miss_is_an_outcome_and_counts);
    RUN(a_stored_value_is_found_aligned_and_counts_a_hit);
    RUN(keys_and_values_may_hold_any_bytes);
    RUN(the_cache_copies_its_arguments);
    RUN(an_empty_value_is_a_value_and_an_empty_key_a_key);
    RUN(a_second_set_replaces_and_does_not_change_the_size);
    RUN(contains_counts_nothing);
    RUN(remove_removes_one_value);
    RUN(clear_removes_everything_and_resets_the_counts);
    RUN(a_pinned_value_outlives_everything);
    RUN(release_zeroes_the_struct_and_may_be_repeated);
    RUN(get_into_returns_the_length_of_the_value);
    RUN(impossible_slices_are_errors_and_change_nothing);
    RUN(bytes_are_counted_exactly_and_until_the_last_pin_is_gone);
    RUN(a_full_cache_refuses_and_keeps_the_old_value);
    RUN(a_maximum_of_0_stores_nothing_and_takes_effect_at_once);
    RUN(a_name_belongs_to_one_live_cache);
    RUN(options_without_a_size_or_with_an_invalid_name_are_errors);
    RUN(options_of_a_later_version_must_not_use_unknown_fields);
    RUN(options_of_the_first_version_still_work);
    RUN(statistics_fill_no_more_than_the_caller_has);
    RUN(the_key_of_arguments_is_the_prefix_and_the_builders_key);
    RUN(the_view_is_the_same_cache);
    RUN(a_value_with_a_cost_is_stored_like_any_other);
    RUN(many_entries_are_all_found_again);
    return check_report();
}
