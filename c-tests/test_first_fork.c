/* test_first_fork.c: a fork while the first thread of the process is still registering the library's fork handlers.
 *
 * A replacement of the C library's pthread_atfork stops in the middle; each case is a process. */
#define _GNU_SOURCE /* RTLD_NEXT */

#include "sample.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __GLIBC__ && !defined PHICACHE_SANITIZED

enum { SECONDS = 120 };

typedef int take_handlers(void (*)(void), void (*)(void), void (*)(void), void *);
take_handlers __register_atfork;

static pthread_barrier_t asks, go_on, reads, read_it;
static pthread_t first;
static int first_is_there, asked, stop_at;

int __register_atfork(void (*before)(void), void (*after)(void), void (*in_child)(void), void *library) {
    void *found = dlsym(RTLD_NEXT, "__register_atfork");
    take_handlers *original;
    memcpy(&original, &found, sizeof original);
    if (first_is_there && pthread_equal(pthread_self(), first) && asked++ == stop_at) {
        pthread_barrier_wait(&asks);
        pthread_barrier_wait(&go_on);
    }
    return original(before, after, in_child, library);
}

static void *be_first(void *argument) {
    phicache_dict_cache *cache = NULL;
    (void)argument;
    first = pthread_self();
    first_is_there = 1;
    CHECK_OK(phicache_dict_cache_new(NULL, NULL, &cache));
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("value")));
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_INT(asked, stop_at + 1); /* the library registers two */
    return NULL;
}

static phicache_dict_cache *dict;
static phicache_cache *view;

static void *read_and_compute(void *argument) {
    phicache_bytes got;
    phicache_value value;
    phicache_lease *lease = NULL;
    (void)argument;
    CHECK_STATUS(phicache_cache_begin(view, text("other"), 5, &value, &lease), PHICACHE_LEASE);
    CHECK_OK(phicache_read_begin());
    CHECK_OK(phicache_cache_read(view, text("key"), &got));
    pthread_barrier_wait(&reads);
    pthread_barrier_wait(&read_it);
    CHECK_OK(phicache_read_end());
    CHECK_OK(phicache_lease_abandon(lease));
    return NULL;
}

/* The values that the vanished thread was reading are freed; those that it was computing are computed by others. */
static int is_right_in_the_child(void) {
    phicache_stats stats;
    phicache_value value;
    phicache_lease *lease = NULL;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    return phicache_cache_begin(view, text("other"), 0, &value, &lease) == PHICACHE_LEASE &&
           phicache_lease_abandon(lease) == PHICACHE_OK && phicache_dict_cache_clear(dict) == PHICACHE_OK &&
           phicache_dict_cache_stats(dict, &stats) == PHICACHE_OK && stats.bytes == 0;
}

static int ended_well(pid_t child) {
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void overtake(void) {
    pthread_t beginner, reader;
    pid_t child;
    REQUIRE(pthread_barrier_init(&asks, NULL, 2) == 0 && pthread_barrier_init(&go_on, NULL, 2) == 0);
    REQUIRE(pthread_barrier_init(&reads, NULL, 2) == 0 && pthread_barrier_init(&read_it, NULL, 2) == 0);
    REQUIRE(pthread_create(&beginner, NULL, be_first, NULL) == 0);
    pthread_barrier_wait(&asks);
    CHECK_OK(phicache_dict_cache_new(NULL, NULL, &dict));
    CHECK_OK(phicache_dict_cache_as_cache(dict, &view));
    CHECK_OK(phicache_dict_cache_set(dict, text("key"), text("value")));
    REQUIRE(pthread_create(&reader, NULL, read_and_compute, NULL) == 0);
    pthread_barrier_wait(&reads);
    child = fork();
    if (child == 0) {
        alarm(SECONDS);
        _exit(!is_right_in_the_child());
    }
    CHECK(ended_well(child));
    pthread_barrier_wait(&read_it);
    pthread_join(reader, NULL);
    pthread_barrier_wait(&go_on);
    pthread_join(beginner, NULL);
    CHECK_OK(phicache_dict_cache_free(dict));
}

static void a_fork_during_the_registration_of_fork_handlers_works(void) {
    for (stop_at = 0; stop_at < 2; stop_at++) {
        pid_t process;
        fflush(NULL);
        process = fork();
        if (process == 0) {
            alarm(SECONDS);
            overtake();
            _exit(check_count_failed != 0);
        }
        CHECK(ended_well(process));
    }
}

int main(void) {
    RUN(a_fork_during_the_registration_of_fork_handlers_works);
    return check_report();
}

#else

int main(void) { return 0; }

#endif
