/* copies PLUGIN: a program that contains the archive passes a cache to a plugin that contains it too. The two copies of
 * the library would not find each other's values: the plugin's refuses the handle. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "phicache.h"

int main(int count, char **arguments) {
    const phicache_bytes key = {(const uint8_t *)"key", 3};
    phicache_status (*find)(phicache_dict_cache *, const char **);
    phicache_dict_cache *cache = NULL;
    phicache_status here, there;
    const char *why = "";
    void *plugin, *found;
    if (count != 2 || (plugin = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL)) == NULL) {
        fprintf(stderr, "%s\n", count == 2 ? dlerror() : "copies PLUGIN");
        return 1;
    }
    if ((found = dlsym(plugin, "find_in")) == NULL) return 1;
    memcpy(&find, &found, sizeof find);
    if (phicache_dict_cache_new(NULL, NULL, &cache) != PHICACHE_OK) return 1;
    if (phicache_dict_cache_set(cache, key, key) != PHICACHE_OK) return 1;
    here = phicache_dict_cache_contains(cache, key);
    there = find(cache, &why);
    if (here == PHICACHE_OK && there == PHICACHE_ERROR_INVALID_HANDLE && strstr(why, "another copy") != NULL)
        return phicache_dict_cache_free(cache);
    fprintf(stderr, "here %d, in the plugin %d: %s\n", here, there, why);
    return 1;
}
