/* test_fork_threads.c: what threads that do not exist in a forked child had begun: computations, reads, leases, stores.
 * The child computes again, frees what they held, and keeps what its own thread reads. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS too */

#include "fork_sample.h"

#include <pthread.h>
#include <sys/mman.h>

static int stop;

/* ---- a fork during computations */

static int computing, go_on;

static int32_t compute_until_told(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    (void)user_data;
    (void)call_data;
    (void)key;
    __atomic_store_n(&computing, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&go_on, __ATOMIC_ACQUIRE)) pause_microseconds(100);
    return write_value(result, 0, 1) == PHICACHE_OK ? 0 : -1;
}

static void *compute_one(void *argument) {
    uint64_t k = 1;
    phicache_value value;
    (void)argument;
    CHECK_OK(phicache_cache_memoize(views[0], bytes(&k, 8), compute_until_told, NULL, NULL, &value, NULL));
    CHECK(is_value(0, &value, 1));
    phicache_value_release(&value);
    return NULL;
}

static void *wait_for_one(void *argument) {
    (void)argument;
    CHECK(ask(0, 1));
    return NULL;
}

/* Threads that do not exist in the child compute key 1 and wait for it; one of them has a lease for key 2. */
static unsigned compute_what_vanished_threads_had_begun(void *argument) {
    phicache_value value = {NULL, 0, NULL, 0, 0};
    phicache_lease *lease = NULL;
    uint64_t one = 1, two = 2;
    (void)argument;
    if (phicache_cache_wait(views[0], bytes(&one, 8), 0, 1000, &value) != PHICACHE_MISS) return 1;
    if (phicache_cache_begin(views[0], bytes(&two, 8), 0, &value, &lease) != PHICACHE_LEASE) return 1;
    if (phicache_lease_abandon(lease) != PHICACHE_OK) return 1;
    return !ask(0, 1) || !ask(0, 2) || phicache_cache_contains(views[0], bytes(&one, 8)) != PHICACHE_OK;
}

static void computations_of_vanished_threads_are_computed_again(void) {
    pthread_t computer, waiter;
    phicache_lease *lease = NULL;
    phicache_value value;
    uint64_t two = 2;
    make_caches();
    computing = go_on = 0;
    REQUIRE(pthread_create(&computer, NULL, compute_one, NULL) == 0);
    while (!__atomic_load_n(&computing, __ATOMIC_ACQUIRE)) pause_microseconds(100);
    REQUIRE(pthread_create(&waiter, NULL, wait_for_one, NULL) == 0);
    CHECK_STATUS(phicache_cache_begin(views[0], bytes(&two, 8), 5, &value, &lease), PHICACHE_LEASE);
    pause_microseconds(30000);
    CHECK(right_in_child(compute_what_vanished_threads_had_begun, NULL));
    __atomic_store_n(&go_on, 1, __ATOMIC_RELEASE);
    pthread_join(computer, NULL);
    pthread_join(waiter, NULL);
    CHECK_OK(phicache_lease_abandon(lease));
    CHECK_STATUS(phicache_cache_contains(views[0], bytes(&two, 8)), PHICACHE_MISS);
    free_caches();
}

/* ---- a fork while a thread reads */

static void *read_until_told(void *argument) {
    uint64_t k = 1;
    phicache_bytes got;
    (void)argument;
    CHECK_OK(phicache_read_begin());
    CHECK_OK(phicache_cache_read(views[0], bytes(&k, 8), &got));
    __atomic_store_n(&computing, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&go_on, __ATOMIC_ACQUIRE)) pause_microseconds(100);
    CHECK_OK(phicache_read_end());
    return NULL;
}

/* The bytes that the dict cache has after a clear; UINT64_MAX if a call failed. */
static uint64_t bytes_after_clear(void) {
    phicache_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    if (phicache_dict_cache_clear(dict) != PHICACHE_OK) return UINT64_MAX;
    return phicache_dict_cache_stats(dict, &stats) == PHICACHE_OK ? stats.bytes : UINT64_MAX;
}

static unsigned free_what_vanished_threads_had_read(void *argument) {
    (void)argument;
    return bytes_after_clear() != 0;
}

static void values_read_by_vanished_threads_are_freed_in_the_child(void) {
    pthread_t reader;
    uint64_t k = 1;
    make_caches();
    computing = go_on = 0;
    CHECK_OK(phicache_dict_cache_set(dict, bytes(&k, 8), text("value")));
    REQUIRE(pthread_create(&reader, NULL, read_until_told, NULL) == 0);
    while (!__atomic_load_n(&computing, __ATOMIC_ACQUIRE)) pause_microseconds(100);
    CHECK(right_in_child(free_what_vanished_threads_had_read, NULL));
    __atomic_store_n(&go_on, 1, __ATOMIC_RELEASE);
    pthread_join(reader, NULL);
    free_caches();
}

/* ---- values that the forking thread reads stay valid in the child, whichever of its threads calls first */

static void *remove_and_store(void *argument) {
    phicache_stats stats;
    uint64_t k;
    (void)argument;
    for (k = 1; k <= 2; k++) CHECK_OK(phicache_dict_cache_remove(dict, bytes(&k, 8)));
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_dict_cache_stats(dict, &stats)); /* frees what can be freed */
    for (k = 3; k < 64; k++) CHECK_OK(phicache_dict_cache_set(dict, bytes(&k, 8), text("CCCCCCCCCCCCCCCC")));
    return NULL;
}

/* Key 2 is pinned before the fork, key 1 is read in place: before it, or after it. */
static unsigned read_while_a_new_thread_removes(void *argument) {
    const phicache_value *pinned = (const phicache_value *)argument;
    phicache_bytes got;
    pthread_t other;
    uint64_t one = 1;
    if (phicache_read_begin() != PHICACHE_OK) return 1;
    if (phicache_cache_read(views[0], bytes(&one, 8), &got) != PHICACHE_OK) return 1;
    if (pthread_create(&other, NULL, remove_and_store, NULL) != 0) return 1;
    pthread_join(other, NULL);
    return memcmp(got.data, "AAAAAAAAAAAAAAAA", 16) != 0 || memcmp(pinned->data, "BBBBBBBBBBBBBBBB", 16) != 0 ||
           phicache_read_end() != PHICACHE_OK;
}

static unsigned go_on_reading_while_a_new_thread_removes(void *argument) {
    const phicache_bytes *got = (const phicache_bytes *)argument;
    pthread_t other;
    if (pthread_create(&other, NULL, remove_and_store, NULL) != 0) return 1;
    pthread_join(other, NULL);
    return memcmp(got->data, "AAAAAAAAAAAAAAAA", 16) != 0 || phicache_read_end() != PHICACHE_OK;
}

static void values_read_by_the_forking_thread_stay_valid_in_the_child(void) {
    phicache_value pinned;
    phicache_bytes got;
    uint64_t one = 1, two = 2;
    make_caches();
    CHECK_OK(phicache_dict_cache_set(dict, bytes(&one, 8), text("AAAAAAAAAAAAAAAA")));
    CHECK_OK(phicache_dict_cache_set(dict, bytes(&two, 8), text("BBBBBBBBBBBBBBBB")));
    CHECK_OK(phicache_dict_cache_get(dict, bytes(&two, 8), &pinned));
    CHECK(right_in_child(read_while_a_new_thread_removes, &pinned));
    CHECK_OK(phicache_read_begin());
    CHECK_OK(phicache_cache_read(views[0], bytes(&one, 8), &got));
    CHECK(right_in_child(go_on_reading_while_a_new_thread_removes, &got));
    CHECK_BYTES(got.data, got.len, "AAAAAAAAAAAAAAAA", 16);
    CHECK_OK(phicache_read_end());
    phicache_value_release(&pinned);
    free_caches();
}

/* ---- calls of vanished threads keep no cache alive */

static void *hold_a_lease(void *argument) {
    phicache_lease *lease = NULL;
    phicache_value value;
    uint64_t one = 1;
    CHECK_STATUS(phicache_cache_begin(views[0], bytes(&one, 8), 0, &value, &lease), PHICACHE_LEASE);
    if (argument != NULL) *(phicache_lease **)argument = lease;
    __atomic_store_n(&computing, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&go_on, __ATOMIC_ACQUIRE)) pause_microseconds(100);
    CHECK_OK(phicache_lease_abandon(lease));
    return NULL;
}

static unsigned free_all_that_is_left(void *argument) {
    phicache_memory memory;
    (void)argument;
    if (phicache_dict_cache_free(dict) != PHICACHE_OK) return 1;
    memset(&memory, 0, sizeof memory);
    memory.struct_size = sizeof memory;
    if (phicache_memory_usage(&memory) != PHICACHE_OK) return 1;
    if (memory.held != 0) fprintf(stderr, "%" PRIu64 " bytes stay in the child\n", memory.held);
    return memory.held != 0;
}

static void a_lease_of_a_vanished_thread_keeps_no_cache_alive(void) {
    pthread_t holder;
    uint64_t two = 2;
    computing = go_on = 0;
    REQUIRE_OK(phicache_dict_cache_new(NULL, NULL, &dict));
    REQUIRE_OK(phicache_dict_cache_as_cache(dict, &views[0]));
    CHECK_OK(phicache_dict_cache_set(dict, bytes(&two, 8), text("value")));
    REQUIRE(pthread_create(&holder, NULL, hold_a_lease, NULL) == 0);
    while (!__atomic_load_n(&computing, __ATOMIC_ACQUIRE)) pause_microseconds(100);
    CHECK(right_in_child(free_all_that_is_left, NULL));
    __atomic_store_n(&go_on, 1, __ATOMIC_RELEASE);
    pthread_join(holder, NULL);
    CHECK_OK(phicache_dict_cache_free(dict));
}

/* Without memory the library frees what it can, in a child also the leases of vanished threads. */
static unsigned reserve_too_much(void *argument) {
    uint8_t *room;
    return phicache_lease_reserve((phicache_lease *)argument, SIZE_MAX / 4, &room) != PHICACHE_ERROR_OUT_OF_MEMORY;
}

static void a_lease_of_a_vanished_thread_may_run_out_of_memory_in_the_child(void) {
    phicache_lease *lease = NULL;
    uint64_t two = 2;
    pthread_t thread;
    make_caches();
    computing = go_on = 0;
    REQUIRE(pthread_create(&thread, NULL, hold_a_lease, &lease) == 0);
    while (!__atomic_load_n(&computing, __ATOMIC_ACQUIRE)) pause_microseconds(100);
    CHECK_OK(phicache_dict_cache_set(dict, bytes(&two, 8), text("value")));
    CHECK_OK(phicache_dict_cache_remove(dict, bytes(&two, 8))); /* there is something to free */
    CHECK(right_in_child(reserve_too_much, lease));
    __atomic_store_n(&go_on, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    free_caches();
}

/* ---- a fork does not interrupt changes, so nothing is lost */

/* Entries and whole tables are retired and freed continuously; nothing is pinned or computed. */
static void *come_and_go(void *seed) {
    uint64_t state = *(const uint64_t *)seed, big[512];
    memset(big, 7, sizeof big);
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        uint64_t k;
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        k = (state >> 33) % 256;
        switch ((state >> 50) % 64) {
            case 0: CHECK_OK(phicache_dict_cache_clear(dict)); break;
            case 1:
            case 2: (void)phicache_dict_cache_remove(dict, bytes(&k, 8)); break;
            default: CHECK_OK(phicache_dict_cache_set(dict, bytes(&k, 8), bytes(big, (k % 8 + 1) * 512))); break;
        }
    }
    return NULL;
}

static void values_being_freed_at_a_fork_are_freed_in_the_child(void) {
    pthread_t threads[4];
    uint64_t seeds[4] = {1, 2, 3, 4};
    unsigned i, wrong = 0;
    stop = 0;
    REQUIRE_OK(phicache_dict_cache_new(NULL, NULL, &dict));
    for (i = 0; i < 4; i++) REQUIRE(pthread_create(&threads[i], NULL, come_and_go, &seeds[i]) == 0);
    for (i = 0; i < FORKS; i++) wrong += !right_in_child(free_all_that_is_left, NULL);
    CHECK_UINT(wrong, 0);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    CHECK_OK(phicache_dict_cache_free(dict));
}

/* ---- fork by a computation, which then ends in both processes */

static int forked_child;

static int32_t compute_and_fork(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    pid_t *child = (pid_t *)call_data;
    (void)user_data;
    (void)key;
    fflush(NULL);
    *child = fork();
    if (*child == 0) {
        forked_child = 1;
        alarm(SECONDS);
    }
    return write_value(result, 0, 1) == PHICACHE_OK ? 0 : -1;
}

static void a_computation_that_forks_ends_in_both_processes(void) {
    const unsigned long failed = check_count_failed;
    phicache_value value;
    phicache_lease *own = NULL;
    uint64_t one = 1, two = 2;
    pid_t child = -1;
    int status = -1;
    make_caches();
    CHECK_STATUS(phicache_cache_begin(views[0], bytes(&two, 8), 0, &value, &own), PHICACHE_LEASE);
    CHECK_OK(phicache_cache_memoize(views[0], bytes(&one, 8), compute_and_fork, NULL, &child, &value, NULL));
    CHECK(is_value(0, &value, 1));
    phicache_value_release(&value);
    CHECK_STATUS(phicache_cache_contains(views[0], bytes(&one, 8)), PHICACHE_OK);
    CHECK_OK(phicache_lease_complete(own, NULL)); /* its thread exists in both processes */
    CHECK(ask(0, 3));
    free_caches();
    if (forked_child) _exit(check_count_failed != failed);
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- a fork during a store: the memory that it had reserved is released in the child */

enum { LARGE = 64 << 20 };

static void *large_value;
static int told_of_access[2], may_access[2];

/* Runs in the thread that stores, after it has reserved the memory and while it copies the value. */
static void stop_at_access(int number) {
    char byte = 0;
    (void)number;
    if (write(told_of_access[1], &byte, 1) != 1 || read(may_access[0], &byte, 1) != 1) _exit(1);
}

static void *store_large_value(void *argument) {
    (void)argument;
    CHECK_OK(phicache_dict_cache_set(dict, text("large"), bytes(large_value, LARGE)));
    return NULL;
}

static unsigned store_beside_a_vanished_claim(void *argument) {
    const double *maximum = (const double *)argument;
    phicache_config *tight = NULL;
    phicache_dict_cache *cache = NULL;
    phicache_memory memory;
    memset(&memory, 0, sizeof memory);
    memory.struct_size = sizeof memory;
    return phicache_memory_usage(&memory) != PHICACHE_OK || phicache_config_new(&tight) != PHICACHE_OK ||
           phicache_config_set_maximum_memory_percent(tight, *maximum) != PHICACHE_OK ||
           phicache_dict_cache_new(tight, NULL, &cache) != PHICACHE_OK ||
           phicache_dict_cache_set(cache, text("key"), text("value")) != PHICACHE_OK;
}

static void memory_occupied_by_a_vanished_thread_counts_once_in_the_child(void) {
    struct sigaction stop_there, before;
    pthread_t storer;
    phicache_memory memory;
    double maximum;
    char byte = 0;
    memset(&memory, 0, sizeof memory);
    memory.struct_size = sizeof memory;
    make_caches();
    REQUIRE(pipe(told_of_access) == 0 && pipe(may_access) == 0);
    large_value = mmap(NULL, LARGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(large_value != MAP_FAILED);
    memset(&stop_there, 0, sizeof stop_there);
    stop_there.sa_handler = stop_at_access;
    REQUIRE(sigaction(SIGSEGV, &stop_there, &before) == 0);
    CHECK_OK(phicache_memory_usage(&memory));
    /* Room for the memory that the thread occupies, but not for a claim of as much beside it. */
    maximum = ((double)memory.resident + 1.5 * LARGE) / (double)memory.limit * 100;
    REQUIRE(pthread_create(&storer, NULL, store_large_value, NULL) == 0);
    REQUIRE(read(told_of_access[0], &byte, 1) == 1);
    CHECK(right_in_child(store_beside_a_vanished_claim, &maximum));
    CHECK(mprotect(large_value, LARGE, PROT_READ) == 0);
    CHECK(sigaction(SIGSEGV, &before, NULL) == 0);
    CHECK(write(may_access[1], &byte, 1) == 1);
    pthread_join(storer, NULL);
    CHECK_STATUS(phicache_dict_cache_contains(dict, text("large")), PHICACHE_OK);
    munmap(large_value, LARGE);
    free_caches();
}

/* ---- a computation that reserves its value */

enum { STORED = 64, STORED_BYTES = 100000 };

static void *reserve_until_stopped(void *argument) {
    uint64_t k = 1000;
    (void)argument;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        phicache_value value;
        phicache_lease *lease = NULL;
        uint8_t *room;
        CHECK_STATUS(phicache_cache_begin(views[0], bytes(&k, 8), 0, &value, &lease), PHICACHE_LEASE);
        CHECK_OK(phicache_lease_reserve_uninitialized(lease, 1 << 20, &room));
        CHECK_OK(phicache_lease_abandon(lease));
    }
    return NULL;
}

/* The memory that the vanished thread had reserved may still be counted, but no value of the cache. */
static unsigned clear_gives_back_what_was_stored(void *argument) {
    (void)argument;
    return bytes_after_clear() > (3 << 20);
}

static void stored_values_survive_a_fork_while_another_thread_reserves_a_value(void) {
    static char value[STORED_BYTES];
    pthread_t thread;
    uint64_t k;
    int i, right = 1;
    make_caches();
    stop = 0;
    for (k = 0; k < STORED; k++) CHECK_OK(phicache_dict_cache_set(dict, bytes(&k, 8), bytes(value, sizeof value)));
    REQUIRE(pthread_create(&thread, NULL, reserve_until_stopped, NULL) == 0);
    for (i = 0; i < 4 * FORKS && right; i++) {
        right = CHECK(right_in_child(clear_gives_back_what_was_stored, NULL));
        pause_microseconds(50);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    free_caches();
}

int main(void) {
    RUN(computations_of_vanished_threads_are_computed_again);
    RUN(values_read_by_vanished_threads_are_freed_in_the_child);
    RUN(values_read_by_the_forking_thread_stay_valid_in_the_child);
    RUN(a_lease_of_a_vanished_thread_keeps_no_cache_alive);
    RUN(a_lease_of_a_vanished_thread_may_run_out_of_memory_in_the_child);
    RUN(a_computation_that_forks_ends_in_both_processes);
    if (BUSY_PROCESSES_FORK) {
        RUN(values_being_freed_at_a_fork_are_freed_in_the_child);
        RUN(stored_values_survive_a_fork_while_another_thread_reserves_a_value);
        RUN(memory_occupied_by_a_vanished_thread_counts_once_in_the_child);
    }
    return check_report();
}
