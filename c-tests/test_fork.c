/* test_fork.c: a forked child may use the caches that other threads of its parent were using: it finds correct values
 * or none, computes missing ones, and never hangs. The parent is not affected. */
#define _DEFAULT_SOURCE

#include "fork_sample.h"

#include <pthread.h>

/* Every kind of call, on shared caches and on short-lived ones. Returns the number of failed checks. */
static unsigned use_caches(uint64_t *state, unsigned rounds) {
    unsigned wrong = 0;
    while (rounds-- > 0) {
        phicache_value value = {NULL, 0, NULL, 0, 0};
        phicache_lease *lease = NULL;
        phicache_status status;
        uint64_t k;
        int which;
        *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        k = (*state >> 33) % KEYS;
        which = (int)((*state >> 40) % 3);
        switch ((*state >> 50) % 16) {
            case 0: wrong += phicache_cache_remove(views[which], bytes(&k, 8)) < 0; break;
            case 1: wrong += k < 8 && phicache_cache_clear(views[which]) != PHICACHE_OK; break;
            case 2:
                status = phicache_cache_begin(views[which], bytes(&k, 8), 0, &value, &lease);
                wrong += status < 0;
                wrong += status == PHICACHE_OK && !is_value(which, &value, k);
                phicache_value_release(&value);
                wrong += phicache_lease_abandon(lease) != PHICACHE_OK;
                break;
            case 3: {
                phicache_cache_options options;
                phicache_mice_cache *child = NULL;
                phicache_dict_cache *short_lived = NULL;
                char name[32];
                memset(&options, 0, sizeof options);
                options.struct_size = sizeof options;
                options.name = name;
                snprintf(name, sizeof name, "short-lived %d of %ld", (int)(*state >> 55), (long)getpid());
                status = phicache_dict_cache_new(config, &options, &short_lived);
                wrong += status != PHICACHE_OK && status != PHICACHE_ERROR_NAME_IN_USE;
                if (short_lived != NULL)
                    wrong += phicache_dict_cache_set(short_lived, bytes(&k, 8), bytes(&k, 8)) != PHICACHE_OK;
                wrong += phicache_dict_cache_free(short_lived) != PHICACHE_OK;
                wrong += phicache_dict_mice_cache_new(config, NULL, uncut, parent, &child) != PHICACHE_OK;
                wrong += phicache_mice_cache_contains(child, bytes(&k, 8)) < 0;
                wrong += phicache_mice_cache_free(child) != PHICACHE_OK;
                break;
            }
            case 4:
                wrong += phicache_cache_wait(views[which], bytes(&k, 8), 0, 1, &value) < 0;
                phicache_value_release(&value);
                break;
            case 5:
            case 6:
            case 7:
                status = phicache_cache_get(views[which], bytes(&k, 8), &value);
                wrong += status < 0 || (status == PHICACHE_OK && !is_value(which, &value, k));
                phicache_value_release(&value);
                break;
            default: wrong += !ask(which, k);
        }
    }
    return wrong;
}

/* ---- a fork while threads make all kinds of calls */

static int stop;

static void *use_until_stopped(void *argument) {
    uint64_t state = (uint64_t)(uintptr_t)argument;
    unsigned wrong = 0;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) wrong += use_caches(&state, 50);
    CHECK_UINT(wrong, 0);
    return NULL;
}

static void *use_in_child(void *argument) {
    uint64_t state = (uint64_t)(uintptr_t)argument;
    return use_caches(&state, 300) == 0 ? NULL : &stop;
}

/* The child requests every key, then uses the caches from its own threads. */
static unsigned ask_for_everything(void *argument) {
    static phicache_registry_item names[16];
    pthread_t threads[2];
    uint64_t k;
    unsigned wrong = 0;
    int i;
    size_t count;
    (void)argument;
    for (i = 0; i < 3; i++)
        for (k = 0; k < KEYS; k++) wrong += !ask(i, k);
    names[0].struct_size = sizeof names[0];
    wrong += phicache_registry_list(names, 16, &count) != PHICACHE_OK;
    for (i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, use_in_child, (void *)(uintptr_t)(i + 1)) != 0) return 1;
    for (i = 0; i < 2; i++) {
        void *answer = &stop;
        pthread_join(threads[i], &answer);
        wrong += answer != NULL;
    }
    for (i = 0; i < 3; i++) {
        uint64_t size = 99;
        wrong += phicache_cache_clear(views[i]) != PHICACHE_OK;
        wrong += phicache_cache_size(views[i], &size) != PHICACHE_OK || size != 0;
    }
    return wrong;
}

static void children_of_a_busy_process_use_its_caches(void) {
    pthread_t threads[4];
    int i, right = 1;
    make_caches();
    stop = 0;
    for (i = 0; i < 4; i++)
        REQUIRE(pthread_create(&threads[i], NULL, use_until_stopped, (void *)(uintptr_t)(i + 11)) == 0);
    for (i = 0; i < FORKS && right; i++) {
        right = CHECK(right_in_child(ask_for_everything, NULL));
        pause_microseconds(100);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    free_caches();
}

/* ---- a fork during the first use of a cache, which creates its table */

static phicache_dict_cache *fresh;

static void *use_fresh_caches(void *argument) {
    uint64_t k = 1;
    (void)argument;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        phicache_dict_cache *cache = NULL;
        if (phicache_dict_cache_new(config, NULL, &cache) != PHICACHE_OK) break;
        __atomic_store_n(&fresh, cache, __ATOMIC_RELEASE);
        CHECK_OK(phicache_dict_cache_set(cache, bytes(&k, 8), bytes(&k, 8)));
        __atomic_store_n(&fresh, (phicache_dict_cache *)NULL, __ATOMIC_RELEASE);
        CHECK_OK(phicache_dict_cache_free(cache));
    }
    return NULL;
}

static unsigned use_fresh_cache(void *argument) {
    phicache_dict_cache *cache = __atomic_load_n(&fresh, __ATOMIC_ACQUIRE);
    uint64_t k = 2;
    (void)argument;
    return cache != NULL && (phicache_dict_cache_set(cache, bytes(&k, 8), bytes(&k, 8)) != PHICACHE_OK ||
                             phicache_dict_cache_contains(cache, bytes(&k, 8)) != PHICACHE_OK);
}

static void a_cache_may_be_at_its_very_first_value(void) {
    pthread_t thread;
    int i, right = 1;
    config = new_unlimited();
    stop = 0;
    REQUIRE(pthread_create(&thread, NULL, use_fresh_caches, NULL) == 0);
    for (i = 0; i < 4 * FORKS && right; i++) {
        right = CHECK(right_in_child(use_fresh_cache, NULL));
        pause_microseconds(50);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    CHECK_OK(phicache_config_free(config));
}

int main(void) {
    if (!BUSY_PROCESSES_FORK) return puts("SKIPPED: a child of a busy process may hang under sanitizers"), 77;
    RUN(a_cache_may_be_at_its_very_first_value);
    RUN(children_of_a_busy_process_use_its_caches);
    return check_report();
}
