/*
 * A limit for a cache in C: what a full cache does, and what its statistics say.
 *
 * A cache is full when it takes its `max_bytes`, overhead included. Then it evicts, or it refuses new values and keeps
 * what it has. It evicts what was not looked up lately; what costs more computing time for each byte stays longer.
 * (All caches also have a common limit: phicache_config_set_maximum_memory_percent.)
 *
 * It prints
 *
 *     evicting: 1000 values stored, at most 256 KiB taken: yes
 *     stored = still there + evicted: yes
 *     most of the 20 expensive values are there: yes
 *     most of the 980 cheap ones are there: no
 *     refusing: the last status is REFUSED_CAPACITY
 *     tried = stored + refused: yes
 */
#include <phicache.h>
#include <stdio.h>

enum { COUNT = 1000, EXPENSIVE = 20, LIMIT = 256 * 1024 };

static phicache_bytes key_of(const int *number) {
    phicache_bytes key = {(const uint8_t *)number, sizeof *number};
    return key;
}

static int is_expensive(int number) { return number % (COUNT / EXPENSIVE) == 7; }

/* Stores values of a kilobyte. A few cost 1 s, the others 1 ms: the program says so, where `memoize` measures it. */
static phicache_status fill(phicache_cache *cache) {
    static const uint8_t kilobyte[1024];
    phicache_bytes value = {kilobyte, sizeof kilobyte};
    phicache_status last = PHICACHE_OK;
    int number;
    for (number = 0; number < COUNT; number++)
        last = phicache_cache_set_with_cost(cache, key_of(&number), value, is_expensive(number) ? 1000000000 : 1000000);
    return last;
}

static const char *yes(int condition) { return condition ? "yes" : "no"; }

int main(void) {
    phicache_cache_options options = {0}; /* all other options have their defaults */
    phicache_dict_cache *evicting, *refusing;
    phicache_cache *cache, *other; /* the same caches, as the type that all caches share */
    phicache_stats stats = {0};
    int number, expensive = 0, cheap = 0;
    options.struct_size = sizeof options; /* structs that may grow in later versions begin with their size */
    stats.struct_size = sizeof stats;
    options.max_bytes = LIMIT;
    options.on_full = PHICACHE_ON_FULL_EVICT;
    if (phicache_dict_cache_new(NULL, &options, &evicting) != PHICACHE_OK ||
        phicache_dict_cache_as_cache(evicting, &cache) != PHICACHE_OK || fill(cache) != PHICACHE_OK ||
        phicache_cache_stats(cache, &stats) != PHICACHE_OK)
        return fprintf(stderr, "%s\n", phicache_last_error()), 1;
    printf("evicting: %d values stored, at most 256 KiB taken: %s\n", (int)stats.stores, yes(stats.bytes <= LIMIT));
    printf("stored = still there + evicted: %s\n", yes(stats.stores == stats.size + stats.evictions));
    for (number = 0; number < COUNT; number++) { /* `contains` counts neither hits nor misses */
        if (phicache_cache_contains(cache, key_of(&number)) != PHICACHE_OK) continue;
        *(is_expensive(number) ? &expensive : &cheap) += 1;
    }
    printf("most of the %d expensive values are there: %s\n", EXPENSIVE, yes(2 * expensive > EXPENSIVE));
    printf("most of the %d cheap ones are there: %s\n", COUNT - EXPENSIVE, yes(2 * cheap > COUNT - EXPENSIVE));

    options.on_full = PHICACHE_ON_FULL_REFUSE;
    if (phicache_dict_cache_new(NULL, &options, &refusing) != PHICACHE_OK ||
        phicache_dict_cache_as_cache(refusing, &other) != PHICACHE_OK)
        return fprintf(stderr, "%s\n", phicache_last_error()), 1;
    printf("refusing: the last status is %s\n", phicache_status_name(fill(other)));
    if (phicache_cache_stats(other, &stats) == PHICACHE_OK)
        printf("tried = stored + refused: %s\n", yes(COUNT == stats.stores + stats.refused_capacity));
    return phicache_dict_cache_free(evicting) | phicache_dict_cache_free(refusing);
}
