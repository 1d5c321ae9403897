/* mice_sample.h: a network of three nodes, its subsystem and a cut, and MICE records, for C tests of MICE caches. */
#ifndef PHICACHE_MICE_SAMPLE_H
#define PHICACHE_MICE_SAMPLE_H

#include "sample.h"

static const phicache_fingerprint NETWORK = {{9, 8, 7}};
static const uint64_t CUT[3] = {6, 0, 0}; /* severs 0 -> 1 and 0 -> 2 */

static inline phicache_subsystem *new_subsystem(const uint64_t *severed) {
    const int32_t state[3] = {1, 0, 0};
    phicache_subsystem *subsystem = NULL;
    CHECK_OK(phicache_subsystem_new(&NETWORK, 3, state, 7, NULL, severed, &subsystem));
    return subsystem;
}

/* In this process, whatever the configuration says. */
static inline phicache_mice_cache *new_mice_cache(phicache_config *config, const uint64_t *severed,
                                                  phicache_mice_cache *parent) {
    phicache_subsystem *subsystem = new_subsystem(severed);
    phicache_mice_cache *cache = NULL;
    CHECK_OK(phicache_dict_mice_cache_new(config, NULL, subsystem, parent, &cache));
    CHECK_OK(phicache_subsystem_free(subsystem)); /* the cache does not need it */
    return cache;
}

static inline phicache_mice no_mice(void) {
    phicache_mice mice;
    memset(&mice, 0, sizeof mice);
    mice.struct_size = sizeof mice;
    return mice;
}

static inline phicache_mice mice_of(int32_t direction, uint64_t mechanism, uint64_t purview, double phi,
                                    const char *payload) {
    phicache_mice mice = no_mice();
    mice.direction = direction;
    mice.mechanism = mechanism;
    mice.purview = purview;
    mice.phi = phi;
    mice.payload = text(payload);
    return mice;
}

/* The effect of node 1 on node 2, which CUT does not damage; and that of node 0 on node 1, which CUT severs. */
static inline phicache_mice safe_mice(const char *payload) { return mice_of(PHICACHE_EFFECT, 2, 4, 0.5, payload); }
static inline phicache_mice damaged_mice(const char *payload) { return mice_of(PHICACHE_EFFECT, 1, 2, 0.25, payload); }

static inline void check_mice(const phicache_mice *mice, const phicache_mice *expected) {
    CHECK_INT(mice->direction, expected->direction);
    CHECK_UINT(mice->mechanism, expected->mechanism);
    CHECK_UINT(mice->purview, expected->purview);
    CHECK_NEAR(mice->phi, expected->phi, 0.0);
    CHECK_BYTES(mice->payload.data, mice->payload.len, expected->payload.data, expected->payload.len);
    CHECK_UINT((uintptr_t)mice->payload.data % 16, 0);
}

#endif /* PHICACHE_MICE_SAMPLE_H */
