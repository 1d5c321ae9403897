/*
 * phicache in C: a value that is computed once and then read in place.
 *
 * It prints
 *
 *     computing
 *     0.25 0.75
 *     0.25 0.75
 *     1 hit, 1 miss, 1 value
 */

#include <phicache.h>
#include <stdio.h>

/* Computes the value of a key, directly in the memory of the cache. */
static int32_t repertoire(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    uint8_t *bytes;
    double *probabilities;
    (void)user_data, (void)call_data, (void)key;
    puts("computing");
    if (phicache_result_reserve(result, 2 * sizeof(double), &bytes) != PHICACHE_OK) return 1;
    probabilities = (double *)(void *)bytes;
    probabilities[0] = 0.25;
    probabilities[1] = 0.75;
    return 0;
}

int main(void) {
    phicache_dict_cache *cache;
    phicache_info info;
    uint8_t buffer[PHICACHE_KEY_BUFFER];
    phicache_bytes key = {NULL, 0};
    int round;
    if (phicache_dict_cache_new(NULL, NULL, &cache) != PHICACHE_OK) {
        fprintf(stderr, "%s\n", phicache_last_error());
        return 1;
    }
    /* The cause repertoire of nodes 0 and 1 over node 2. */
    key.data = buffer;
    if (phicache_key_repertoire("cause_repertoire", PHICACHE_CAUSE, 0x3, 0x4, buffer, sizeof buffer, &key.len) !=
        PHICACHE_OK)
        return 1;
    for (round = 0; round < 2; round++) {
        phicache_value value;
        const double *p;
        if (phicache_dict_cache_memoize(cache, key, repertoire, NULL, NULL, &value, NULL) != PHICACHE_OK) {
            fprintf(stderr, "%s\n", phicache_last_error());
            return 1;
        }
        p = (const double *)(const void *)value.data;
        printf("%g %g\n", p[0], p[1]);
        phicache_value_release(&value);
    }
    phicache_dict_cache_info(cache, &info);
    printf("%d hit, %d miss, %d value\n", (int)info.hits, (int)info.misses, (int)info.size);
    return phicache_dict_cache_free(cache);
}
