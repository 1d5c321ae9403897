/* header_examples.h: the definitions that the examples in phicache.h assume: `use`, `compute`, and a few variables. */
#ifndef PHICACHE_HEADER_EXAMPLES_H
#define PHICACHE_HEADER_EXAMPLES_H

#include "scratch.h" /* first: it requests POSIX */

#include "check.h"

#define GIVEN __attribute__((unused)) static

/* Stands for the rest of the program; counted, so that an example that never reaches it fails. */
static int used = 0;
static void take(int first, ...) {
    (void)first;
    used++;
}
#define use(...) take(0, __VA_ARGS__)

static int32_t compute(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    uint8_t *bytes;
    (void)user_data, (void)call_data;
    if (phicache_result_reserve(result, key.len, &bytes) != PHICACHE_OK) return 1;
    memcpy(bytes, key.data, key.len);
    return 0;
}

/* The directory of disk caches. */
GIVEN const char *scratch;
GIVEN phicache_cache *cache;
GIVEN phicache_subsystem *uncut, *cut;
GIVEN const phicache_bytes key = {(const uint8_t *)"key", 3};
GIVEN phicache_bytes keys[] = {{(const uint8_t *)"one", 3}, {(const uint8_t *)"two", 3}};
GIVEN const size_t count = 2;

static void give(void) {
    static phicache_dict_cache *dict;
    static char directory[64];
    const phicache_fingerprint network = {{1}};
    const int32_t state[] = {1, 0};
    uint64_t severed[2];
    make_scratch(directory);
    REQUIRE_OK(phicache_config_set_disk_directory(NULL, directory));
    scratch = directory;
    REQUIRE_OK(phicache_dict_cache_new(NULL, NULL, &dict));
    REQUIRE_OK(phicache_dict_cache_as_cache(dict, &cache));
    for (size_t i = 0; i < count; i++) REQUIRE_OK(phicache_cache_set(cache, keys[i], keys[i]));
    REQUIRE_OK(phicache_subsystem_new(&network, 2, state, 0x3, NULL, NULL, &uncut));
    REQUIRE_OK(phicache_cut_bipartition(2, 0x1, 0x2, severed));
    REQUIRE_OK(phicache_subsystem_cut(uncut, severed, &cut));
}

/* Checks that an example reaches its `use` and that no call before that fails. */
static void run_example(const char *section, int (*example)(void)) {
    const int before = used;
    const int ended = example();
    if (!check_count(ended == 0 && used > before && phicache_last_error()[0] == '\0'))
        fprintf(stderr, "the example of \"%s\" returns %d, uses %d things, error: \"%s\"\n", section, ended,
                used - before, phicache_last_error());
}

/* A callback of an example computes a value. */
__attribute__((unused)) static void run_callback(const char *section, phicache_compute callback) {
    phicache_value value;
    CHECK_OK(phicache_cache_memoize(cache, (phicache_bytes){(const uint8_t *)section, strlen(section)}, callback, NULL,
                                    NULL, &value, NULL));
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_COMPUTED);
    CHECK(value.len > 0);
    phicache_value_release(&value);
}

#endif
