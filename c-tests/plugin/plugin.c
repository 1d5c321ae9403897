/* plugin.c: a plugin that contains the archive. */
#include "phicache.h"

int use_phicache(void);
phicache_status find_in(phicache_dict_cache *cache, const char **why);

int use_phicache(void) {
    const phicache_bytes key = {(const uint8_t *)"key", 3};
    phicache_dict_cache *cache = NULL;
    if (phicache_dict_cache_new(NULL, NULL, &cache) != PHICACHE_OK) return 1;
    if (phicache_dict_cache_set(cache, key, key) != PHICACHE_OK) return 2;
    return phicache_dict_cache_free(cache) == PHICACHE_OK ? 0 : 3;
}

phicache_status find_in(phicache_dict_cache *cache, const char **why) {
    const phicache_bytes key = {(const uint8_t *)"key", 3};
    const phicache_status found = phicache_dict_cache_contains(cache, key);
    *why = phicache_last_error();
    return found;
}
