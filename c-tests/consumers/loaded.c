/* loaded LIBRARY: loads and closes the installed library repeatedly with dlopen and dlclose, and uses it from threads
 * that start before it is loaded and end after it is closed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <phicache.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 20, KEYS = 200 };

static pthread_barrier_t begin, end;
static void *library;
static phicache_dict_cache *cache;

/* Looks up a function of the library. Copies its address: standard C cannot convert it to a function pointer. */
static void find(const char *name, void *function) {
    void *found = dlsym(library, name);
    if (found == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    memcpy(function, &found, sizeof found);
}

static void expect(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "FAILED %s\n", what);
    exit(1);
}

static void *use(void *unused) {
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        phicache_status (*get)(phicache_dict_cache *, phicache_bytes, phicache_value *);
        phicache_status (*set)(phicache_dict_cache *, phicache_bytes, phicache_bytes);
        void (*release)(phicache_value *);
        pthread_barrier_wait(&begin);
        find("phicache_dict_cache_get", &get);
        find("phicache_dict_cache_set", &set);
        find("phicache_value_release", &release);
        for (unsigned long long key = 0; key < KEYS; key++) {
            const phicache_bytes bytes = {(const uint8_t *)&key, sizeof key};
            phicache_value value;
            expect(set(cache, bytes, bytes) == PHICACHE_OK, "a store");
            expect(get(cache, bytes, &value) == PHICACHE_OK, "a lookup");
            expect(value.len == sizeof key && memcmp(value.data, &key, sizeof key) == 0, "the value");
            release(&value);
        }
        pthread_barrier_wait(&end);
    }
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS];
    expect(argc == 2, "one argument, the library");
    pthread_barrier_init(&begin, NULL, THREADS + 1);
    pthread_barrier_init(&end, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, use, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        phicache_status (*make)(phicache_config *, const phicache_cache_options *, phicache_dict_cache **);
        phicache_status (*drop)(phicache_dict_cache *);
        library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) fprintf(stderr, "%s\n", dlerror());
        expect(library != NULL, "loading");
        find("phicache_dict_cache_new", &make);
        find("phicache_dict_cache_free", &drop);
        expect(make(NULL, NULL, &cache) == PHICACHE_OK, "a new cache");
        pthread_barrier_wait(&begin);
        pthread_barrier_wait(&end);
        expect(drop(cache) == PHICACHE_OK, "freeing the cache");
        expect(dlclose(library) == 0, "closing");
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    printf("loaded %d times, %d threads\n", ROUNDS, THREADS);
    return 0;
}
