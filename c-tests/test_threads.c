/* test_threads.c: all threads may use a cache handle at the same time; a pinned value never changes. */
#include "sample.h"

#include <pthread.h>

enum { THREADS = 4, KEYS = 64, ROUNDS = 20000 };

static unsigned long long seed;
static phicache_dict_cache *dict;
static phicache_mice_cache *parent, *child;

/* One random generator for each thread (xorshift*), so that the seed repeats a run. */
static uint64_t next(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* A value of a key: it begins with a number, from which its length and all other bytes follow. */
static size_t make_value(uint64_t number, uint8_t *value) {
    const size_t len = 8 + number % 300;
    memcpy(value, &number, 8);
    memset(value + 8, (int)(number % 251), len - 8);
    return len;
}

static int is_whole(const uint8_t *value, size_t len) {
    uint8_t expected[308];
    uint64_t number;
    if (len < 8) return 0;
    memcpy(&number, value, 8);
    return make_value(number, expected) == len && memcmp(value, expected, len) == 0;
}

static int32_t compute_value(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    uint8_t value[308], *room = NULL;
    const size_t len = make_value(*(const uint64_t *)call_data, value);
    (void)user_data;
    (void)key;
    if (phicache_result_reserve(result, len, &room) != PHICACHE_OK) return -1;
    memcpy(room, value, len);
    return 0;
}

static void *use_dict(void *argument) {
    uint64_t state = seed + *(const uint64_t *)argument;
    phicache_value held = {NULL, 0, NULL, 0, 0};
    unsigned round, torn = 0, wrong = 0;
    for (round = 0; round < ROUNDS; round++) {
        const uint64_t number = next(&state), key = number % KEYS;
        uint8_t value[308];
        const size_t len = make_value(number, value);
        phicache_value got = {NULL, 0, NULL, 0, 0};
        phicache_status status;
        switch (number >> 60) {
            case 0: status = phicache_dict_cache_set(dict, bytes(&key, 8), bytes(value, len)); break;
            case 1: status = phicache_dict_cache_remove(dict, bytes(&key, 8)); break;
            case 2: status = round % 100 == 0 ? phicache_dict_cache_clear(dict) : PHICACHE_OK; break;
            case 3:
            case 4:
            case 5: {
                uint64_t call = number;
                status = phicache_dict_cache_memoize(dict, bytes(&key, 8), compute_value, NULL, &call, &got, NULL);
                break;
            }
            default: status = phicache_dict_cache_get(dict, bytes(&key, 8), &got);
        }
        wrong += status != PHICACHE_OK && status != PHICACHE_MISS;
        if (got.pin == NULL) continue;
        torn += !is_whole(got.data, got.len);
        if (number % 16 == 0) { /* hold this pin for a while, and check the previous one again */
            torn += held.pin != NULL && !is_whole(held.data, held.len);
            phicache_value_release(&held);
            held = got;
        } else {
            phicache_value_release(&got);
        }
    }
    phicache_value_release(&held);
    CHECK_UINT(wrong, 0);
    CHECK_UINT(torn, 0);
    return NULL;
}

static void run_threads(void *(*run)(void *)) {
    pthread_t threads[THREADS];
    uint64_t numbers[THREADS];
    int i;
    for (i = 0; i < THREADS; i++) {
        numbers[i] = (uint64_t)i + 1;
        CHECK(pthread_create(&threads[i], NULL, run, &numbers[i]) == 0);
    }
    for (i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static uint64_t held_by_all(void) {
    phicache_memory memory;
    memset(&memory, 0, sizeof memory);
    memory.struct_size = sizeof memory;
    CHECK_OK(phicache_memory_usage(&memory));
    return memory.held;
}

static void readers_and_writers_of_one_cache_see_whole_values_only(void) {
    const uint64_t held = held_by_all();
    phicache_config *config = new_unlimited();
    uint64_t size = 99;
    REQUIRE_OK(phicache_dict_cache_new(config, NULL, &dict));
    run_threads(use_dict);
    CHECK_OK(phicache_dict_cache_size(dict, &size));
    CHECK(size <= KEYS);
    CHECK_OK(phicache_dict_cache_free(dict));
    CHECK_OK(phicache_config_free(config));
    CHECK_UINT(held_by_all(), held);
}

/* The payload of a record is its mechanism eight times; the cut does not damage even mechanisms. */
static void *use_mice(void *argument) {
    uint64_t state = seed + *(const uint64_t *)argument;
    unsigned round, wrong = 0;
    for (round = 0; round < ROUNDS / 2; round++) {
        const uint64_t number = next(&state), key = number % KEYS;
        uint64_t payload[8], size;
        phicache_mice mice;
        phicache_value value = {NULL, 0, NULL, 0, 0};
        phicache_status status;
        int i;
        memset(&mice, 0, sizeof mice);
        mice.struct_size = sizeof mice;
        switch (number >> 61) {
            case 0:
                for (i = 0; i < 8; i++) payload[i] = key;
                mice.direction = PHICACHE_EFFECT;
                mice.mechanism = key == 0 ? 2 : key;
                mice.purview = 1;
                mice.phi = 0.5;
                mice.payload = bytes(payload, sizeof payload);
                wrong += phicache_mice_cache_set(parent, bytes(&key, 8), &mice) != PHICACHE_OK;
                break;
            case 1: wrong += round % 50 == 0 && phicache_mice_cache_clear(parent) != PHICACHE_OK; break;
            case 2: wrong += phicache_mice_cache_size(child, &size) != PHICACHE_OK || size > KEYS; break;
            default:
                status = phicache_mice_cache_get(number % 2 == 0 ? parent : child, bytes(&key, 8), &mice, &value);
                wrong += status != PHICACHE_OK && status != PHICACHE_MISS;
                if (status != PHICACHE_OK) break;
                memcpy(payload, mice.payload.data, sizeof payload);
                for (i = 0; i < 8; i++) wrong += payload[i] != key;
                phicache_value_release(&value);
        }
    }
    CHECK_UINT(wrong, 0);
    return NULL;
}

static void children_inherit_while_their_parent_is_filled_and_cleared(void) {
    const phicache_fingerprint network = {{5}};
    const int32_t state[6] = {0, 0, 0, 0, 0, 0};
    const uint64_t severed[6] = {62, 0, 0, 0, 0, 0};
    phicache_config *config = new_unlimited();
    phicache_subsystem *uncut = NULL, *cut = NULL;
    uint64_t size = 99, of_parent = 99;
    REQUIRE_OK(phicache_subsystem_new(&network, 6, state, 63, NULL, NULL, &uncut));
    REQUIRE_OK(phicache_subsystem_cut(uncut, severed, &cut));
    REQUIRE_OK(phicache_dict_mice_cache_new(config, NULL, uncut, NULL, &parent));
    REQUIRE_OK(phicache_dict_mice_cache_new(config, NULL, cut, parent, &child));
    run_threads(use_mice);
    /* No thread runs any more: the size of the child is the number of records that it returns. */
    CHECK_OK(phicache_mice_cache_size(child, &size));
    for (of_parent = 0; of_parent < KEYS; of_parent++)
        if (phicache_mice_cache_contains(child, bytes(&of_parent, 8)) == PHICACHE_OK) size--;
    CHECK_UINT(size, 0);
    CHECK_OK(phicache_mice_cache_free(parent));
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_subsystem_free(uncut));
    CHECK_OK(phicache_subsystem_free(cut));
    CHECK_OK(phicache_config_free(config));
}

/* All threads allocate handles from the same slots. */
static void *use_handles(void *argument) {
    uint64_t state = seed + *(const uint64_t *)argument;
    unsigned round, wrong = 0;
    for (round = 0; round < ROUNDS / 4; round++) {
        phicache_dict_cache *cache = NULL;
        phicache_key *key = NULL;
        uint64_t number = next(&state), size = 99;
        wrong += phicache_dict_cache_new(NULL, NULL, &cache) != PHICACHE_OK;
        wrong += phicache_key_new(&key) != PHICACHE_OK;
        wrong += phicache_key_add_uint(key, number) != PHICACHE_OK;
        wrong += phicache_dict_cache_set(cache, bytes(&number, 8), bytes(NULL, 0)) != PHICACHE_OK;
        wrong += phicache_dict_cache_size(cache, &size) != PHICACHE_OK || size != 1;
        wrong += phicache_key_free(key) != PHICACHE_OK;
        wrong += phicache_dict_cache_free(cache) != PHICACHE_OK;
    }
    CHECK_UINT(wrong, 0);
    return NULL;
}

static void handles_are_made_and_freed_on_all_threads(void) { run_threads(use_handles); }

int main(void) {
    const char *given = getenv("SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : (unsigned long long)(uintptr_t)&seed ^ 0x9E3779B9u;
    printf("SEED=%llu\n", seed);
    RUN(readers_and_writers_of_one_cache_see_whole_values_only);
    RUN(children_inherit_while_their_parent_is_filled_and_cleared);
    RUN(handles_are_made_and_freed_on_all_threads);
    return check_report();
}
