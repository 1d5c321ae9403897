/* sample.h: the keys, values and compute callbacks that several C tests use.
 *
 * A key or a value is mostly a text; `answer` is a function that computes one, counts its calls, and fails if told to.
 */
#ifndef PHICACHE_SAMPLE_H
#define PHICACHE_SAMPLE_H

#include <stdlib.h>

#include "check.h"

static inline phicache_bytes bytes(const void *data, size_t len) {
    phicache_bytes all;
    all.data = (const uint8_t *)data;
    all.len = len;
    return all;
}

static inline phicache_bytes text(const char *words) { return bytes(words, strlen(words)); }

/* Invalid slices: bytes without an address, and more bytes than an address space has. */
static inline phicache_bytes no_address(void) { return bytes(NULL, 1); }
static inline phicache_bytes too_long(void) { return bytes("x", (size_t)PTRDIFF_MAX + 1); }

#define CHECK_VALUE(value, expected) CHECK_BYTES((value).data, (value).len, (expected), strlen(expected))
#define CHECK_NO_VALUE(value)              \
    do {                                   \
        CHECK((value).data == NULL);       \
        CHECK_UINT((value).len, 0);        \
        CHECK((value).pin == NULL);        \
        CHECK_UINT((value).origin, 0);     \
    } while (0)

/* Filled with bytes that no call returns, so that a call that does not write its output is noticed. */
static inline phicache_value unset_value(void) {
    phicache_value value;
    memset(&value, 0xEE, sizeof value);
    return value;
}

/* The user_data of `compute_answer`: what it does, and what it has seen. */
typedef struct {
    const char *words; /* the value */
    int32_t code;      /* returned; not 0 is a failure, after the value was written */
    unsigned calls;
    void *call_data;   /* of the last call */
    char key[64];      /* of the last call, its first bytes */
    size_t key_len;
} answer;

static inline answer answers(const char *words) {
    answer all;
    memset(&all, 0, sizeof all);
    all.words = words;
    return all;
}

static inline answer fails(int32_t code) {
    answer all = answers("never seen");
    all.code = code;
    return all;
}

static inline int32_t compute_answer(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    answer *self = (answer *)user_data;
    const size_t len = strlen(self->words);
    uint8_t *room = NULL;
    self->calls++;
    self->call_data = call_data;
    self->key_len = key.len;
    memcpy(self->key, key.data, key.len < sizeof self->key ? key.len : sizeof self->key);
    if (phicache_result_reserve(result, len, &room) != PHICACHE_OK) return -99;
    memcpy(room, self->words, len);
    return self->code;
}

/* A callback that must not run. */
static inline int32_t compute_never(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    (void)user_data;
    (void)call_data;
    (void)key;
    (void)result;
    check_true(__FILE__, __LINE__, "that the value is there and need not be computed", 0);
    return -1;
}

static inline phicache_dict_cache *new_dict(void) {
    phicache_dict_cache *cache = NULL;
    CHECK_OK(phicache_dict_cache_new(NULL, NULL, &cache));
    return cache;
}

/* A configuration under which the memory limit never refuses, whatever else runs on the machine. */
static inline phicache_config *new_unlimited(void) {
    phicache_config *config = NULL;
    CHECK_OK(phicache_config_new(&config));
    CHECK_OK(phicache_config_set_maximum_memory_percent(config, PHICACHE_MEMORY_UNLIMITED));
    return config;
}

#endif /* PHICACHE_SAMPLE_H */
