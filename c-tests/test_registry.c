/* test_registry.c: the live caches that have a name. */
#include "sample.h"

static phicache_cache_options named(const char *name) {
    phicache_cache_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.name = name;
    return options;
}

static size_t count_of_names(void) {
    size_t count = 99;
    const phicache_status status = phicache_registry_list(NULL, 0, &count);
    CHECK(status == PHICACHE_OK || status == PHICACHE_ERROR_BUFFER_TOO_SMALL);
    return count;
}

/* Caches of all kinds, each with a name and one value; created before each test and freed after it. */
static phicache_dict_cache *dict;
static phicache_purview_cache *purview;
static phicache_mice_cache *mice;

static void make_caches(void) {
    const phicache_cache_options d = named("b: repertoires"), p = named("c: purviews"), m = named("a: MICE");
    const phicache_fingerprint network = {{1}};
    const int32_t state[1] = {0};
    const uint64_t list[1] = {1};
    phicache_subsystem *subsystem = NULL;
    phicache_mice record;
    CHECK_OK(phicache_dict_cache_new(NULL, &d, &dict));
    CHECK_OK(phicache_purview_cache_new(NULL, &p, &purview));
    CHECK_OK(phicache_subsystem_new(&network, 1, state, 1, NULL, NULL, &subsystem));
    CHECK_OK(phicache_dict_mice_cache_new(NULL, &m, subsystem, NULL, &mice));
    CHECK_OK(phicache_subsystem_free(subsystem));
    memset(&record, 0, sizeof record);
    record.struct_size = sizeof record;
    record.phi = 1.0;
    CHECK_OK(phicache_dict_cache_set(dict, text("key"), text("value")));
    CHECK_OK(phicache_purview_cache_set(purview, PHICACHE_CAUSE, 1, list, 1));
    CHECK_OK(phicache_mice_cache_set(mice, text("key"), &record));
}

static void free_caches(void) {
    CHECK_OK(phicache_dict_cache_free(dict));
    CHECK_OK(phicache_purview_cache_free(purview));
    CHECK_OK(phicache_mice_cache_free(mice));
    CHECK_UINT(count_of_names(), 0);
}

static void named_caches_are_listed_in_order_while_they_live(void) {
    const char *names[3] = {"a: MICE", "b: repertoires", "c: purviews"};
    const int32_t kinds[3] = {PHICACHE_KIND_MICE, PHICACHE_KIND_DICT, PHICACHE_KIND_PURVIEW};
    phicache_registry_item items[4];
    phicache_dict_cache *nameless = new_dict();
    size_t count = 99, i;
    CHECK_UINT(count_of_names(), 0);
    make_caches();
    memset(items, 0xEE, sizeof items);
    items[0].struct_size = sizeof items[0];
    CHECK_OK(phicache_registry_list(items, 4, &count));
    CHECK_UINT(count, 3);
    for (i = 0; i < 3; i++) {
        CHECK_TEXT(items[i].name, names[i]);
        CHECK_INT(items[i].kind, kinds[i]);
        CHECK_UINT(items[i].info.size, 1);
        CHECK_UINT(items[i].info.hits + items[i].info.misses, 0);
    }
    CHECK_UINT((unsigned char)items[3].name[0], 0xEE);
    CHECK_STATUS(phicache_registry_list(items, 2, &count), PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK_UINT(count, 3);
    CHECK_UINT(count_of_names(), 3);
    items[0].struct_size = 0;
    CHECK_STATUS(phicache_registry_list(items, 4, &count), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_registry_list(NULL, 4, &count), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_dict_cache_free(nameless));
    free_caches();
}

static void statistics_are_available_by_name(void) {
    phicache_info info;
    phicache_stats stats;
    phicache_value value;
    make_caches();
    CHECK_OK(phicache_dict_cache_get(dict, text("key"), &value));
    phicache_value_release(&value);
    CHECK_STATUS(phicache_dict_cache_get(dict, text("absent"), &value), PHICACHE_MISS);
    CHECK_OK(phicache_registry_info("b: repertoires", &info));
    CHECK_COUNTS(info, 1, 1, 1);
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_registry_stats("a: MICE", &stats));
    CHECK_UINT(stats.stores, 1);
    CHECK(stats.bytes > 64);
    free_caches();
}

static void one_or_all_are_cleared(void) {
    uint64_t size = 99;
    make_caches();
    CHECK_OK(phicache_registry_clear("b: repertoires"));
    CHECK_OK(phicache_dict_cache_size(dict, &size));
    CHECK_UINT(size, 0);
    CHECK_OK(phicache_mice_cache_size(mice, &size));
    CHECK_UINT(size, 1);
    CHECK_OK(phicache_registry_clear_all());
    CHECK_OK(phicache_mice_cache_size(mice, &size));
    CHECK_UINT(size, 0);
    CHECK_OK(phicache_purview_cache_size(purview, &size));
    CHECK_UINT(size, 0);
    free_caches();
}

static void the_name_of_no_live_cache_is_an_error(void) {
    phicache_info info;
    phicache_stats stats;
    stats.struct_size = sizeof stats;
    CHECK_STATUS(phicache_registry_info("nobody", &info), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "nobody");
    CHECK_UINT(info.size, 0);
    CHECK_STATUS(phicache_registry_stats("nobody", &stats), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_registry_clear("nobody"), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_registry_clear("\xff"), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_registry_clear_all());
}

static void a_name_has_no_control_characters(void) {
    static const char *const wrong[] = {"two\nlines", "a\ttab", "a\x1b[31mcolour", "\x7f", "\xc2\x85"};
    phicache_cache_options options;
    phicache_dict_cache *cache = NULL;
    size_t i;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        options.name = wrong[i];
        CHECK_STATUS(phicache_dict_cache_new(NULL, &options, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK(cache == NULL);
        CHECK_CONTAINS(phicache_last_error(), "control character");
    }
    options.name = "\xcf\x86 of system 1"; /* any other letters */
    CHECK_OK(phicache_dict_cache_new(NULL, &options, &cache));
    CHECK_OK(phicache_dict_cache_free(cache));
}

/* With the size of the whole array, the items would be written that far apart. */
static void the_size_of_an_array_is_not_that_of_an_item(void) {
    phicache_registry_item items[8];
    phicache_memory_limit limits[8];
    size_t count = 99;
    make_caches();
    memset(items, 0xEE, sizeof items);
    items[0].struct_size = sizeof items;
    CHECK_STATUS(phicache_registry_list(items, 8, &count), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "the size of 8 structs; set it to that of one, ");
    CHECK_STATUS(phicache_registry_list(items, 6, &count), PHICACHE_ERROR_INVALID_ARGUMENT);
    limits[0].struct_size = sizeof limits;
    CHECK_STATUS(phicache_memory_limits(NULL, limits, 8, &count), PHICACHE_ERROR_INVALID_ARGUMENT);
    items[0].struct_size = sizeof items[0] + 8; /* of a newer header */
    CHECK_OK(phicache_registry_list(items, 4, &count));
    CHECK_UINT(count, 3);
    free_caches();
}

int main(void) {
    RUN(named_caches_are_listed_in_order_while_they_live);
    RUN(statistics_are_available_by_name);
    RUN(one_or_all_are_cleared);
    RUN(the_name_of_no_live_cache_is_an_error);
    RUN(a_name_has_no_control_characters);
    RUN(the_size_of_an_array_is_not_that_of_an_item);
    return check_report();
}
