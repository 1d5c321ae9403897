/* test_memory.c: the memory use, the library's version and messages, and node sets. */
#include "sample.h"

#include <pthread.h>
#include <sys/resource.h>

static phicache_memory usage(void) {
    phicache_memory memory;
    memset(&memory, 0xEE, sizeof memory);
    memory.struct_size = sizeof memory;
    CHECK_OK(phicache_memory_usage(&memory));
    return memory;
}

static void the_percentage_is_resident_memory_of_what_the_process_may_use(void) {
    const phicache_memory memory = usage();
    double percent = -1.0;
    CHECK(memory.resident > 100000);
    CHECK(memory.resident < memory.limit);
    CHECK(memory.limit <= memory.physical);
    CHECK_NEAR(memory.percent, 100.0 * (double)memory.resident / (double)memory.limit, 1e-9);
    CHECK_OK(phicache_memory_percent(&percent));
    CHECK_NEAR(percent, memory.percent, 1.0);
}

static void usage_reports_which_figures_are_known(void) {
    const phicache_memory memory = usage();
    const uint32_t all = PHICACHE_KNOWN_SIZES | PHICACHE_KNOWN_PHYSICAL | PHICACHE_KNOWN_GROUP_LIMITS |
                         PHICACHE_KNOWN_GROUP_USAGE | PHICACHE_KNOWN_PROCESS_LIMITS;
    const uint32_t here = PHICACHE_KNOWN_SIZES | PHICACHE_KNOWN_PHYSICAL | PHICACHE_KNOWN_PROCESS_LIMITS;
    CHECK_UINT(memory.known & here, here);
    CHECK_UINT(memory.known & ~all, 0);
    CHECK_UINT(memory.reserved, 0);
    CHECK(memory.room > 0);
}

/* The limits under a configuration; checks what holds on any machine. */
static size_t limits_of(phicache_config *config, phicache_memory_limit limits[64]) {
    size_t count = 77, i, counting = 0;
    uint64_t least = UINT64_MAX;
    memset(limits, 0xEE, 64 * sizeof *limits);
    limits[0].struct_size = sizeof *limits;
    CHECK_OK(phicache_memory_limits(config, limits, 64, &count));
    CHECK(count >= 3 && count <= 64);
    for (i = 0; i < count; i++) {
        CHECK_UINT(limits[i].struct_size, sizeof *limits);
        CHECK(strlen(limits[i].name) > 0 && limits[i].bytes > 0 && limits[i].used > 0);
        counting += limits[i].counts == 1;
        CHECK(limits[i].counts == 0 || limits[i].counts == 1);
        if (limits[i].room < least) least = limits[i].room;
    }
    CHECK_UINT(counting, least == UINT64_MAX ? 0 : 1);
    for (i = 0; i < count; i++) CHECK(limits[i].counts == 0 || limits[i].room == least);
    return count;
}

static const phicache_memory_limit *named(const phicache_memory_limit *limits, size_t count, const char *name) {
    size_t i;
    for (i = 0; i < count; i++)
        if (strcmp(limits[i].name, name) == 0) return &limits[i];
    check_true(__FILE__, __LINE__, name, 0);
    return limits;
}

static void every_limit_is_listed_and_the_nearest_one_counts(void) {
    const struct rlimit address_space = {(rlim_t)1 << 40, RLIM_INFINITY};
    struct rlimit before;
    phicache_config *config = NULL;
    phicache_memory_limit limits[64];
    const phicache_memory_limit *limit;
    size_t count, also = 77;
    REQUIRE_OK(phicache_config_new(&config));
    CHECK_OK(phicache_config_set_maximum_memory_percent(config, 0.0));
    count = limits_of(config, limits);
    limit = named(limits, count, "physical memory");
    CHECK_UINT(limit->bytes, usage().physical);
    CHECK_UINT(limit->room, 0);
    /* Without a percentage only hard limits stop caches. */
    CHECK_OK(phicache_config_set_maximum_memory_percent(config, PHICACHE_MEMORY_UNLIMITED));
    limit = named(limits, limits_of(config, limits), "physical memory");
    CHECK_UINT(limit->room, UINT64_MAX);
    CHECK_INT(limit->counts, 0);
    REQUIRE(getrlimit(RLIMIT_AS, &before) == 0);
    if (before.rlim_cur == RLIM_INFINITY && setrlimit(RLIMIT_AS, &address_space) == 0) {
        limit = named(limits, limits_of(config, limits), "RLIMIT_AS");
        CHECK_UINT(limit->bytes, (uint64_t)1 << 40);
        CHECK(limit->room <= ((uint64_t)1 << 40) / 10 * 9 - limit->used);
        CHECK(usage().room <= limit->room + (1 << 20));
        CHECK(setrlimit(RLIMIT_AS, &before) == 0);
    }
    CHECK_UINT(named(limits, limits_of(config, limits), "RLIMIT_AS")->bytes,
               before.rlim_cur == RLIM_INFINITY ? UINT64_MAX : before.rlim_cur);
    limits[0].struct_size = sizeof limits[0];
    CHECK_STATUS(phicache_memory_limits(config, limits, 1, &also), PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK(also >= 3);
    CHECK_STATUS(phicache_memory_limits(config, NULL, 0, &also), PHICACHE_ERROR_BUFFER_TOO_SMALL);
    limits[0].struct_size = 8;
    CHECK_STATUS(phicache_memory_limits(config, limits, 64, &also), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_config_free(config));
}

static void used_memory_is_measured(void) {
    const size_t len = (size_t)64 << 20;
    const phicache_memory before = usage();
    uint8_t *used = (uint8_t *)malloc(len);
    REQUIRE(used != NULL);
    memset(used, 1, len);
    CHECK(usage().resident >= before.resident + (len - ((size_t)4 << 20)));
    CHECK_UINT(used[len - 1], 1);
    free(used);
}

static void full_compares_with_the_configured_maximum(void) {
    phicache_config *config = NULL;
    int32_t full = 77;
    REQUIRE_OK(phicache_config_new(&config));
    CHECK_OK(phicache_config_set_maximum_memory_percent(config, 0.0));
    CHECK_OK(phicache_memory_full(config, &full));
    CHECK_INT(full, 1);
    CHECK_OK(phicache_config_set_maximum_memory_percent(config, 1e-6));
    CHECK_OK(phicache_memory_full(config, &full));
    CHECK_INT(full, 1);
    CHECK_OK(phicache_config_set_maximum_memory_percent(config, 100.0));
    CHECK_OK(phicache_memory_full(config, &full));
    CHECK_INT(full, 0);
    CHECK_OK(phicache_config_set_maximum_memory_percent(config, PHICACHE_MEMORY_UNLIMITED));
    CHECK_OK(phicache_memory_full(config, &full));
    CHECK_INT(full, 0);
    CHECK_OK(phicache_config_free(config));
    CHECK_OK(phicache_memory_full(NULL, &full));
}

static void usage_fills_no_more_than_the_caller_has(void) {
    phicache_memory memory;
    memset(&memory, 0xEE, sizeof memory);
    memory.struct_size = offsetof(phicache_memory, limit);
    CHECK_OK(phicache_memory_usage(&memory));
    CHECK(memory.resident > 100000);
    CHECK_UINT(memory.limit, UINT64_C(0xEEEEEEEEEEEEEEEE));
    memory.struct_size = 0;
    CHECK_STATUS(phicache_memory_usage(&memory), PHICACHE_ERROR_INVALID_ARGUMENT);
    memory.struct_size = SIZE_MAX;
    CHECK_STATUS(phicache_memory_usage(&memory), PHICACHE_ERROR_INVALID_ARGUMENT);
}

static void a_cache_stores_up_to_its_percentage_and_its_memory_is_returned(void) {
    phicache_config *config = NULL;
    phicache_dict_cache *cache = NULL;
    const size_t len = (size_t)1 << 20;
    const phicache_memory before = usage();
    uint8_t *megabyte = (uint8_t *)calloc(len, 1);
    phicache_status status = PHICACHE_OK;
    uint64_t size = 0;
    uint32_t key;
    REQUIRE(megabyte != NULL);
    REQUIRE_OK(phicache_config_new(&config));
    /* Room for about 32 MB more than are used now, but for no more than one percent more. */
    CHECK_OK(phicache_config_set_maximum_memory_percent(
        config, before.percent + 100.0 * (double)(33 * len) / (double)before.limit));
    REQUIRE_OK(phicache_dict_cache_new(config, NULL, &cache));
    for (key = 0; key < 4096 && status == PHICACHE_OK; key++)
        status = phicache_dict_cache_set(cache, bytes(&key, sizeof key), bytes(megabyte, len));
    CHECK_STATUS(status, PHICACHE_REFUSED_MEMORY);
    CHECK_OK(phicache_dict_cache_size(cache, &size));
    CHECK(size >= 16 && size <= 33);
    CHECK_OK(phicache_dict_cache_clear(cache));
    CHECK(usage().held - before.held <= 4096); /* the table, without entries */
    CHECK(usage().resident <= before.resident + 8 * len);
    CHECK_OK(phicache_dict_cache_set(cache, text("again"), bytes(megabyte, len)));
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_UINT(usage().held, before.held);
    CHECK_OK(phicache_config_free(config));
    free(megabyte);
}

static void the_version_agrees_with_its_number(void) {
    const uint32_t number = phicache_version_number();
    char expected[64];
    snprintf(expected, sizeof expected, "%u.%u.%u", (unsigned)(number >> 16), (unsigned)(number >> 8 & 0xFF),
             (unsigned)(number & 0xFF));
    CHECK_TEXT(phicache_version(), expected);
}

static void every_status_has_a_name_and_unknown_ones_too(void) {
    phicache_status status;
    CHECK_TEXT(phicache_status_name(PHICACHE_OK), "OK");
    CHECK_TEXT(phicache_status_name(PHICACHE_MISS), "MISS");
    CHECK_TEXT(phicache_status_name(PHICACHE_REFUSED_CUT), "REFUSED_CUT");
    CHECK_TEXT(phicache_status_name(PHICACHE_ERROR_STORAGE), "ERROR_STORAGE");
    CHECK_TEXT(phicache_status_name(PHICACHE_REFUSED_STORAGE), "REFUSED_STORAGE");
    for (status = PHICACHE_ERROR_STORAGE; status < PHICACHE_REFUSED_STORAGE; status++) {
        CHECK(strcmp(phicache_status_name(status), "UNKNOWN") != 0);
        CHECK(strcmp(phicache_status_name(status), phicache_status_name(status + 1)) != 0);
    }
    CHECK_TEXT(phicache_status_name(INT32_MAX), phicache_status_name(INT32_MIN));
}

phicache_status phicache_test_panic(void); /* not part of the API: panics inside the library on purpose */

static void a_panic_inside_the_library_is_a_status(void) {
    double percent;
    CHECK_STATUS(phicache_test_panic(), PHICACHE_ERROR_PANIC);
    CHECK_CONTAINS(phicache_last_error(), "panicked: on purpose, for a test of version ");
    CHECK_OK(phicache_memory_percent(&percent));
}

static void *message_of_another_thread(void *unused) {
    (void)unused;
    CHECK_TEXT(phicache_last_error(), "");
    CHECK_STATUS(phicache_memory_percent(NULL), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "out_percent");
    return NULL;
}

static void a_message_stays_with_its_thread_until_the_next_error(void) {
    pthread_t thread;
    double percent;
    CHECK_STATUS(phicache_memory_full(NULL, NULL), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "phicache_memory_full");
    CHECK_CONTAINS(phicache_last_error(), "out_full");
    CHECK_OK(phicache_memory_percent(&percent));
    CHECK_CONTAINS(phicache_last_error(), "out_full");
    REQUIRE(pthread_create(&thread, NULL, message_of_another_thread, NULL) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    CHECK_CONTAINS(phicache_last_error(), "out_full");
}

static void node_sets_and_indices_are_the_same_nodes(void) {
    const int32_t indices[5] = {63, 0, 5, 5, 31};
    int32_t back[64];
    uint64_t nodes = 99;
    size_t count = 99;
    CHECK_OK(phicache_nodes_from_indices(indices, 5, &nodes));
    CHECK_UINT(nodes, UINT64_C(0x8000000080000021));
    CHECK_OK(phicache_nodes_to_indices(nodes, back, 64, &count));
    CHECK_UINT(count, 4);
    CHECK(back[0] == 0 && back[1] == 5 && back[2] == 31 && back[3] == 63);
    CHECK_OK(phicache_nodes_to_indices(UINT64_MAX, back, 64, &count));
    CHECK_UINT(count, 64);
    CHECK_INT(back[63], 63);
    CHECK_OK(phicache_nodes_from_indices(NULL, 0, &nodes));
    CHECK_UINT(nodes, 0);
    CHECK_OK(phicache_nodes_to_indices(0, NULL, 0, &count));
    CHECK_UINT(count, 0);
}

static void nodes_beyond_64_and_short_buffers_are_errors(void) {
    const int32_t wrong[] = {64, -1, INT32_MAX, INT32_MIN};
    int32_t back[2] = {77, 77};
    uint64_t nodes;
    size_t count = 99, i;
    for (i = 0; i < 4; i++) {
        nodes = 99;
        CHECK_STATUS(phicache_nodes_from_indices(wrong + i, 1, &nodes), PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK_UINT(nodes, 0);
    }
    CHECK_STATUS(phicache_nodes_from_indices(NULL, 1, &nodes), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_nodes_from_indices(wrong, SIZE_MAX, &nodes), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_nodes_to_indices(7, back, 2, &count), PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK_UINT(count, 3);
    CHECK_INT(back[0], 77);
    CHECK_STATUS(phicache_nodes_to_indices(7, NULL, 0, &count), PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK_UINT(count, 3);
    CHECK_STATUS(phicache_nodes_to_indices(7, NULL, 3, &count), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_UINT(count, 0);
}

int main(void) {
    RUN(the_percentage_is_resident_memory_of_what_the_process_may_use);
    RUN(usage_reports_which_figures_are_known);
    RUN(every_limit_is_listed_and_the_nearest_one_counts);
    RUN(used_memory_is_measured);
    RUN(full_compares_with_the_configured_maximum);
    RUN(usage_fills_no_more_than_the_caller_has);
    RUN(a_cache_stores_up_to_its_percentage_and_its_memory_is_returned);
    RUN(the_version_agrees_with_its_number);
    RUN(every_status_has_a_name_and_unknown_ones_too);
    RUN(a_panic_inside_the_library_is_a_status);
    RUN(a_message_stays_with_its_thread_until_the_next_error);
    RUN(node_sets_and_indices_are_the_same_nodes);
    RUN(nodes_beyond_64_and_short_buffers_are_errors);
    return check_report();
}
