/* test_flight.c: single flight: leases, waiting, and memoize on several threads. */
#define _POSIX_C_SOURCE 200809L /* nanosleep, fork */

#include "sample.h"

#include <pthread.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ONE = 101, TWO = 102 }; /* owners: tasks, not threads */

static phicache_dict_cache *dict;
static phicache_cache *cache;

static void make_cache(phicache_config *config) {
    CHECK_OK(phicache_dict_cache_new(config, NULL, &dict));
    CHECK_OK(phicache_dict_cache_as_cache(dict, &cache));
}

static void free_cache(void) { CHECK_OK(phicache_dict_cache_free(dict)); }

static void check_info(uint64_t hits, uint64_t misses, uint64_t size) {
    phicache_info info = {99, 99, 99};
    CHECK_OK(phicache_cache_info(cache, &info));
    CHECK_COUNTS(info, hits, misses, size);
}

static phicache_lease *begin(const char *key, uint64_t owner) {
    phicache_value value = unset_value();
    phicache_lease *lease = NULL;
    CHECK_STATUS(phicache_cache_begin(cache, text(key), owner, &value, &lease), PHICACHE_LEASE);
    CHECK_NO_VALUE(value);
    CHECK(lease != NULL);
    return lease;
}

/* A begin that returns no lease. */
static void check_begin(const char *key, uint64_t owner, phicache_status expected) {
    phicache_value value = unset_value();
    phicache_lease *lease = (phicache_lease *)(void *)&value;
    CHECK_STATUS(phicache_cache_begin(cache, text(key), owner, &value, &lease), expected);
    CHECK(lease == NULL);
    if (expected != PHICACHE_OK) CHECK_NO_VALUE(value);
    phicache_value_release(&value);
}

static void check_wait(const char *key, uint64_t owner, uint32_t milliseconds, phicache_status expected,
                       const char *words) {
    phicache_value value = unset_value();
    CHECK_STATUS(phicache_cache_wait(cache, text(key), owner, milliseconds, &value), expected);
    if (expected == PHICACHE_OK) CHECK_VALUE(value, words);
    else CHECK_NO_VALUE(value);
    phicache_value_release(&value);
}

static void write_words(phicache_lease *lease, const char *words) {
    uint8_t *room = NULL;
    CHECK_OK(phicache_lease_reserve(lease, strlen(words), &room));
    if (room != NULL) memcpy(room, words, strlen(words));
}

static void complete(phicache_lease *lease, const char *words, uint32_t origin) {
    phicache_value value = unset_value();
    write_words(lease, words);
    CHECK_OK(phicache_lease_complete(lease, &value));
    CHECK_VALUE(value, words);
    CHECK_UINT(value.origin, origin);
    phicache_value_release(&value);
}

static void pause_milliseconds(long milliseconds) {
    struct timespec time;
    time.tv_sec = 0;
    time.tv_nsec = milliseconds * 1000000;
    nanosleep(&time, NULL);
}

static void a_lease_is_completed_once_and_its_value_found(void) {
    phicache_lease *lease;
    make_cache(NULL);
    lease = begin("key", ONE);
    check_info(0, 1, 0);
    complete(lease, "value", PHICACHE_ORIGIN_COMPUTED);
    check_info(0, 1, 1);
    check_begin("key", ONE, PHICACHE_OK);
    check_info(1, 1, 1);
    CHECK_STATUS(phicache_lease_complete(lease, NULL), PHICACHE_ERROR_INVALID_HANDLE);
    CHECK_STATUS(phicache_lease_abandon(lease), PHICACHE_ERROR_INVALID_HANDLE);
    CHECK_OK(phicache_lease_abandon(NULL));
    lease = begin("empty", ONE);
    CHECK_OK(phicache_lease_complete(lease, NULL));
    check_wait("empty", TWO, 0, PHICACHE_OK, "");
    free_cache();
}

static void a_lease_is_written_like_a_result(void) {
    phicache_lease *lease;
    phicache_value value;
    uint8_t *room = NULL;
    make_cache(NULL);
    lease = begin("key", ONE);
    write_words(lease, "thrown away");
    CHECK_OK(phicache_lease_reserve(lease, 8, &room));
    CHECK_UINT((uintptr_t)room % 16, 0);
    CHECK_BYTES(room, 8, "\0\0\0\0\0\0\0\0", 8);
    memcpy(room, "kept and", 8);
    CHECK_STATUS(phicache_lease_truncate(lease, 9), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_lease_truncate(lease, 4));
    CHECK_OK(phicache_lease_complete(lease, &value));
    CHECK_VALUE(value, "kept");
    phicache_value_release(&value);
    lease = begin("impossible", ONE);
    CHECK_STATUS(phicache_lease_reserve(lease, SIZE_MAX, &room), PHICACHE_ERROR_OUT_OF_MEMORY);
    CHECK(room == NULL);
    CHECK_OK(phicache_lease_abandon(lease));
    free_cache();
}

static void a_lease_may_say_what_its_value_costs(void) {
    phicache_lease *lease;
    phicache_stats stats;
    make_cache(NULL);
    lease = begin("key", ONE);
    CHECK_OK(phicache_lease_set_cost(lease, UINT64_C(5000000000000)));
    complete(lease, "value", PHICACHE_ORIGIN_COMPUTED);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_cache_stats(cache, &stats));
    CHECK_UINT(stats.compute_ns, UINT64_C(5000000000000));
    CHECK_STATUS(phicache_lease_set_cost(lease, 1), PHICACHE_ERROR_INVALID_HANDLE);
    free_cache();
}

static void others_get_busy_and_the_owner_gets_recursion(void) {
    phicache_lease *lease, *other;
    make_cache(NULL);
    lease = begin("key", ONE);
    check_begin("key", TWO, PHICACHE_BUSY);
    check_begin("key", 0, PHICACHE_BUSY);
    check_begin("key", ONE, PHICACHE_ERROR_RECURSION);
    check_info(0, 1, 0);
    other = begin("other", ONE);
    check_wait("key", TWO, 0, PHICACHE_TIMEOUT, NULL);
    check_wait("key", TWO, 20, PHICACHE_TIMEOUT, NULL);
    complete(lease, "value", PHICACHE_ORIGIN_COMPUTED);
    check_wait("key", TWO, 0, PHICACHE_OK, "value");
    check_info(1, 2, 1);
    CHECK_OK(phicache_lease_abandon(other));
    check_wait("other", TWO, 0, PHICACHE_MISS, NULL);
    check_wait("never begun", TWO, 1000, PHICACHE_MISS, NULL);
    CHECK_OK(phicache_lease_abandon(begin("other", TWO)));
    free_cache();
}

static void wrong_keys_are_errors(void) {
    phicache_value value = unset_value();
    phicache_lease *lease = NULL;
    make_cache(NULL);
    CHECK_STATUS(phicache_cache_begin(cache, no_address(), ONE, &value, &lease), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_cache_begin(cache, too_long(), ONE, &value, &lease), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_cache_wait(cache, no_address(), ONE, 0, &value), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_NO_VALUE(value);
    check_info(0, 0, 0);
    free_cache();
}

static void a_value_cleared_or_removed_while_it_is_computed_is_never_found(void) {
    phicache_lease *lease;
    make_cache(NULL);
    lease = begin("key", ONE);
    CHECK_OK(phicache_cache_clear(cache));
    complete(lease, "of yesterday", PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_CLEARED);
    CHECK_STATUS(phicache_cache_contains(cache, text("key")), PHICACHE_MISS);
    lease = begin("key", ONE);
    CHECK_STATUS(phicache_cache_remove(cache, text("key")), PHICACHE_MISS);
    complete(lease, "of yesterday", PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_CLEARED);
    CHECK_STATUS(phicache_cache_contains(cache, text("key")), PHICACHE_MISS);
    free_cache();
}

static void an_owner_computes_its_key_until_it_ends_whatever_is_cleared_or_removed(void) {
    phicache_lease *first, *second;
    make_cache(NULL);
    first = begin("key", ONE);
    CHECK_OK(phicache_cache_clear(cache));
    check_begin("key", ONE, PHICACHE_ERROR_RECURSION);
    second = begin("key", TWO);
    CHECK_STATUS(phicache_cache_remove(cache, text("key")), PHICACHE_MISS);
    check_begin("key", ONE, PHICACHE_ERROR_RECURSION);
    check_begin("key", TWO, PHICACHE_ERROR_RECURSION);
    CHECK_OK(phicache_lease_abandon(first));
    complete(begin("key", ONE), "value", PHICACHE_ORIGIN_COMPUTED);
    complete(second, "of yesterday", PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_CLEARED);
    check_wait("key", TWO, 0, PHICACHE_OK, "value");
    free_cache();
}

static void an_abandoned_lease_does_not_count_as_a_failed_computation(void) {
    phicache_stats stats;
    phicache_lease *lease;
    uint8_t *room = NULL;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    make_cache(NULL);
    CHECK_OK(phicache_lease_abandon(begin("key", ONE)));
    CHECK_OK(phicache_lease_abandon(begin("key", 0)));
    CHECK_OK(phicache_dict_cache_stats(dict, &stats));
    CHECK_UINT(stats.errors, 0);
    CHECK_UINT(stats.misses, 2);
    lease = begin("key", ONE);
    CHECK_STATUS(phicache_lease_reserve(lease, SIZE_MAX, &room), PHICACHE_ERROR_OUT_OF_MEMORY);
    CHECK_STATUS(phicache_lease_complete(lease, NULL), PHICACHE_ERROR_OUT_OF_MEMORY);
    CHECK_OK(phicache_dict_cache_stats(dict, &stats));
    CHECK_UINT(stats.errors, 1);
    free_cache();
}

static void a_value_that_memory_refuses_is_returned_anyway(void) {
    phicache_config *config = new_unlimited();
    make_cache(config);
    CHECK_OK(phicache_config_set_maximum_memory_percent(config, 0.0));
    complete(begin("key", ONE), "value", PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_MEMORY);
    check_info(0, 1, 0);
    free_cache();
    CHECK_OK(phicache_config_free(config));
}

static void a_lease_outlives_its_cache(void) {
    phicache_lease *lease;
    make_cache(NULL);
    lease = begin("key", ONE);
    free_cache();
    write_words(lease, "value");
    CHECK_OK(phicache_lease_complete(lease, NULL));
}

/* A thread that waits for a key as owner TWO, up to 20 seconds. */
typedef struct {
    const char *key;
    phicache_status status;
    phicache_value value;
} waiting;

static void *wait_as_two(void *argument) {
    waiting *self = (waiting *)argument;
    self->status = phicache_cache_wait(cache, text(self->key), TWO, 20000, &self->value);
    return NULL;
}

static pthread_t start(void *(*run)(void *), void *argument) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run, argument) == 0);
    return thread;
}

static void a_waiter_wakes_when_the_value_is_completed_or_abandoned(void) {
    waiting self = {"key", -77, {NULL, 0, NULL, 0, 0}};
    phicache_lease *lease;
    pthread_t thread;
    make_cache(NULL);
    lease = begin("key", ONE);
    thread = start(wait_as_two, &self);
    pause_milliseconds(30);
    complete(lease, "value", PHICACHE_ORIGIN_COMPUTED);
    pthread_join(thread, NULL);
    CHECK_STATUS(self.status, PHICACHE_OK);
    CHECK_VALUE(self.value, "value");
    phicache_value_release(&self.value);
    self.key = "other";
    lease = begin("other", ONE);
    thread = start(wait_as_two, &self);
    pause_milliseconds(30);
    CHECK_OK(phicache_lease_abandon(lease));
    pthread_join(thread, NULL);
    CHECK_STATUS(self.status, PHICACHE_MISS);
    free_cache();
}

/* An owner that computes one key and waits for another; told that this is a wait cycle, it computes without waiting. */
typedef struct {
    phicache_lease *own;
    const char *wanted;
    uint64_t owner;
    phicache_status status;
} crossing;

static void *wait_then_complete(void *argument) {
    crossing *self = (crossing *)argument;
    phicache_value value;
    self->status = phicache_cache_wait(cache, text(self->wanted), self->owner, 20000, &value);
    phicache_value_release(&value);
    complete(self->own, "value", PHICACHE_ORIGIN_COMPUTED);
    return NULL;
}

static void one_of_two_owners_in_a_wait_cycle_is_told(void) {
    crossing one = {NULL, "of two", ONE, -77}, two = {NULL, "of one", TWO, -77};
    pthread_t thread;
    make_cache(NULL);
    one.own = begin("of one", ONE);
    two.own = begin("of two", TWO);
    thread = start(wait_then_complete, &two);
    wait_then_complete(&one);
    pthread_join(thread, NULL);
    CHECK((one.status == PHICACHE_BUSY && two.status == PHICACHE_OK) ||
          (one.status == PHICACHE_OK && two.status == PHICACHE_BUSY));
    free_cache();
}

static void *begin_and_end(void *argument) {
    phicache_lease **leases = (phicache_lease **)argument;
    leases[0] = begin("of the thread", 0);
    leases[1] = begin("of the task", ONE);
    return NULL;
}

static void a_lease_of_a_thread_ends_with_it_and_that_of_a_task_does_not(void) {
    phicache_lease *leases[2] = {NULL, NULL};
    make_cache(NULL);
    pthread_join(start(begin_and_end, leases), NULL);
    CHECK_OK(phicache_lease_abandon(begin("of the thread", 0)));
    check_begin("of the task", TWO, PHICACHE_BUSY);
    complete(leases[1], "any thread may complete it", PHICACHE_ORIGIN_COMPUTED);
    /* The handle still belongs to the caller; a value that comes too late is not stored. */
    complete(leases[0], "too late", PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_CLEARED);
    check_info(0, 3, 1);
    free_cache();
}

static void *begin_and_cut(void *argument) {
    phicache_value value;
    uint8_t *room = NULL;
    CHECK_STATUS(phicache_cache_begin(cache, text("key"), 0, &value, (phicache_lease **)argument), PHICACHE_LEASE);
    CHECK_OK(phicache_lease_reserve(*(phicache_lease **)argument, 400, &room));
    memset(room, 0xFF, 400);
    CHECK_OK(phicache_lease_truncate(*(phicache_lease **)argument, 300));
    return NULL;
}

static void a_lease_that_was_cut_may_be_completed_when_its_thread_has_ended(void) {
    phicache_lease *lease = NULL;
    phicache_value value = unset_value();
    phicache_stats stats;
    uint8_t expected[300];
    memset(expected, 0xFF, sizeof expected);
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    make_cache(NULL);
    pthread_join(start(begin_and_cut, &lease), NULL);
    CHECK_OK(phicache_lease_complete(lease, &value));
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_CLEARED);
    /* The value belongs to the caller alone, also after the cache has freed all its memory. */
    CHECK_OK(phicache_dict_cache_set(dict, text("other"), text("value")));
    CHECK_OK(phicache_dict_cache_clear(dict));
    CHECK_OK(phicache_dict_cache_stats(dict, &stats));
    CHECK_UINT(stats.bytes, 0);
    CHECK_BYTES(value.data, value.len, expected, sizeof expected);
    phicache_value_release(&value);
    free_cache();
}

/* A slow function that counts its calls, for a stampede. */
static unsigned computed;

static int32_t compute_slowly(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    uint8_t *room = NULL;
    (void)call_data;
    (void)key;
    __atomic_fetch_add(&computed, 1u, __ATOMIC_RELAXED);
    pause_milliseconds(50);
    if (phicache_result_reserve(result, 4, &room) != PHICACHE_OK) return -1;
    memcpy(room, "slow", 4);
    return *(const int32_t *)user_data;
}

typedef struct {
    int32_t code;
    phicache_status status;
    phicache_value value;
    int32_t callback_code;
} caller;

static void *memoize_slowly(void *argument) {
    caller *self = (caller *)argument;
    self->status = phicache_cache_memoize(cache, text("key"), compute_slowly, &self->code, NULL, &self->value,
                                          &self->callback_code);
    return NULL;
}

enum { CALLERS = 8 };

static void stampede(caller *callers, int32_t code) {
    pthread_t threads[CALLERS];
    int i;
    computed = 0;
    for (i = 0; i < CALLERS; i++) {
        callers[i].code = code;
        threads[i] = start(memoize_slowly, &callers[i]);
    }
    for (i = 0; i < CALLERS; i++) pthread_join(threads[i], NULL);
}

static void a_stampede_computes_once(void) {
    caller callers[CALLERS];
    int i, by_computing = 0;
    make_cache(NULL);
    stampede(callers, 0);
    CHECK_UINT(computed, 1);
    for (i = 0; i < CALLERS; i++) {
        CHECK_STATUS(callers[i].status, PHICACHE_OK);
        CHECK_VALUE(callers[i].value, "slow");
        by_computing += callers[i].value.origin == PHICACHE_ORIGIN_COMPUTED;
        CHECK(callers[i].value.origin != PHICACHE_ORIGIN_NOT_STORED);
        phicache_value_release(&callers[i].value);
    }
    CHECK_INT(by_computing, 1);
    check_info(CALLERS - 1, 1, 1);
    free_cache();
}

static void a_failure_is_returned_only_to_its_caller_and_others_compute(void) {
    caller callers[CALLERS];
    int i;
    make_cache(NULL);
    stampede(callers, 17);
    CHECK_UINT(computed, CALLERS);
    for (i = 0; i < CALLERS; i++) {
        CHECK_STATUS(callers[i].status, PHICACHE_ERROR_CALLBACK);
        CHECK_INT(callers[i].callback_code, 17);
        CHECK_NO_VALUE(callers[i].value);
    }
    check_info(0, CALLERS, 0);
    free_cache();
}

static int32_t compute_itself(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    phicache_value value = unset_value();
    (void)user_data;
    (void)call_data;
    (void)result;
    CHECK_STATUS(phicache_cache_memoize(cache, key, compute_itself, NULL, NULL, &value, NULL),
                 PHICACHE_ERROR_RECURSION);
    CHECK_NO_VALUE(value);
    return 0;
}

static void a_computation_that_requests_its_own_key_gets_an_error_and_continues(void) {
    phicache_value value;
    make_cache(NULL);
    CHECK_OK(phicache_cache_memoize(cache, text("key"), compute_itself, NULL, NULL, &value, NULL));
    CHECK_UINT(value.len, 0);
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_COMPUTED);
    phicache_value_release(&value);
    check_wait("key", ONE, 0, PHICACHE_OK, "");
    free_cache();
}

static void a_forked_child_has_the_values_and_may_compute(void) {
    pid_t child;
    int status = -1;
    phicache_lease *lease;
    make_cache(NULL);
    CHECK_OK(phicache_cache_set(cache, text("before"), text("value")));
    lease = begin("begun", ONE);
    fflush(NULL);
    child = fork();
    if (child == 0) {
        phicache_value value;
        const unsigned long failed = check_count_failed;
        answer compute = answers("the child's own");
        check_wait("before", TWO, 0, PHICACHE_OK, "value");
        CHECK_OK(phicache_cache_memoize(cache, text("after"), compute_answer, &compute, NULL, &value, NULL));
        phicache_value_release(&value);
        CHECK_OK(phicache_cache_clear(cache));
        _exit(check_count_failed != failed);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    complete(lease, "the parent's", PHICACHE_ORIGIN_COMPUTED);
    CHECK_STATUS(phicache_cache_contains(cache, text("after")), PHICACHE_MISS);
    free_cache();
}

int main(void) {
    RUN(a_lease_is_completed_once_and_its_value_found);
    RUN(a_lease_is_written_like_a_result);
    RUN(a_lease_may_say_what_its_value_costs);
    RUN(others_get_busy_and_the_owner_gets_recursion);
    RUN(wrong_keys_are_errors);
    RUN(a_value_cleared_or_removed_while_it_is_computed_is_never_found);
    RUN(an_owner_computes_its_key_until_it_ends_whatever_is_cleared_or_removed);
    RUN(an_abandoned_lease_does_not_count_as_a_failed_computation);
    RUN(a_value_that_memory_refuses_is_returned_anyway);
    RUN(a_lease_outlives_its_cache);
    RUN(a_waiter_wakes_when_the_value_is_completed_or_abandoned);
    RUN(one_of_two_owners_in_a_wait_cycle_is_told);
    RUN(a_lease_of_a_thread_ends_with_it_and_that_of_a_task_does_not);
    RUN(a_lease_that_was_cut_may_be_completed_when_its_thread_has_ended);
    RUN(a_stampede_computes_once);
    RUN(a_failure_is_returned_only_to_its_caller_and_others_compute);
    RUN(a_computation_that_requests_its_own_key_gets_an_error_and_continues);
    RUN(a_forked_child_has_the_values_and_may_compute);
    return check_report();
}
