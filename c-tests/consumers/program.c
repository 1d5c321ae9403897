/* A small C program of a user: stores a value and finds it again, and gets a panic inside the library as a status. Exit
 * status 0 if both work. */
#include <phicache.h>
#include <stdio.h>
#include <string.h>

/* The library's hidden test hook; not in the header. */
phicache_status phicache_test_panic(void);

static int failed(const char *what) {
    fprintf(stderr, "%s: %s\n", what, phicache_last_error());
    return 1;
}

int main(void) {
    phicache_dict_cache *cache = NULL;
    const phicache_bytes key = {(const uint8_t *)"key", 3};
    const phicache_bytes stored = {(const uint8_t *)"value", 5};
    phicache_value value;

    if (phicache_version_number() != PHICACHE_VERSION_NUMBER) return failed("header and library differ in version");
    if (phicache_dict_cache_new(NULL, NULL, &cache) != PHICACHE_OK) return failed("new");
    if (phicache_dict_cache_set(cache, key, stored) != PHICACHE_OK) return failed("set");
    if (phicache_test_panic() != PHICACHE_ERROR_PANIC) return failed("a panic did not come back as a status");
    if (phicache_dict_cache_get(cache, key, &value) != PHICACHE_OK) return failed("get");
    if (value.len != 5 || memcmp(value.data, "value", 5) != 0) return failed("another value came out");
    phicache_value_release(&value);
    if (phicache_dict_cache_free(cache) != PHICACHE_OK) return failed("free");
    printf("phicache %s from C\n", phicache_version());
    return 0;
}
