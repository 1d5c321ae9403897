/* plugin.c: a plugin that contains the archive. */
#include "phicache.h"

int use_phicache(void);

int use_phicache(void) {
    const phicache_bytes key = {(const uint8_t *)"key", 3};
    phicache_dict_cache *cache = NULL;
    if (phicache_dict_cache_new(NULL, NULL, &cache) != PHICACHE_OK) return 1;
    if (phicache_dict_cache_set(cache, key, key) != PHICACHE_OK) return 2;
    return phicache_dict_cache_free(cache) == PHICACHE_OK ? 0 : 3;
}
