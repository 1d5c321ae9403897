/* fork_sample.h: a cache of each type with values that can be told right from wrong, and a child that is forked. Define
 * _DEFAULT_SOURCE first, for fork and nanosleep. */
#ifndef PHICACHE_FORK_SAMPLE_H
#define PHICACHE_FORK_SAMPLE_H

#include "sample.h"

#include <errno.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KEYS = 64, SECONDS = 120, FORKS = 150 };

#ifdef PHICACHE_SANITIZED /* sanitizers' allocators may hang in a child of a busy process */
enum { BUSY_PROCESSES_FORK = 0 };
#else
enum { BUSY_PROCESSES_FORK = 1 };
#endif

static phicache_config *config;
static phicache_dict_cache *dict;
static phicache_purview_cache *purviews;
static phicache_mice_cache *parent;
static phicache_subsystem *uncut;
static phicache_cache *views[3];

static inline void pause_microseconds(long microseconds) {
    struct timespec time;
    time.tv_sec = 0;
    time.tv_nsec = microseconds * 1000;
    nanosleep(&time, NULL);
}

/* The value of key number k in each cache: a record or masks that hold k. */
static inline phicache_status write_value(phicache_result *result, int which, uint64_t k) {
    uint64_t masks[4] = {0, 0, 0, 0};
    uint8_t *room = NULL;
    phicache_mice mice;
    phicache_status status;
    int i;
    for (i = 0; i < 4; i++) masks[i] = k;
    if (which < 2) {
        status = phicache_result_reserve(result, sizeof masks, &room);
        if (status == PHICACHE_OK) memcpy(room, masks, sizeof masks);
        return status;
    }
    memset(&mice, 0, sizeof mice);
    mice.struct_size = sizeof mice;
    mice.mechanism = 1;
    mice.purview = 1;
    mice.phi = 0.5;
    mice.payload = bytes(masks, sizeof masks);
    return phicache_result_mice(result, &mice, NULL);
}

static inline int is_value(int which, const phicache_value *value, uint64_t k) {
    phicache_bytes payload = bytes(value->data, value->len);
    phicache_mice mice;
    uint64_t masks[4];
    int i, same = 1;
    memset(&mice, 0, sizeof mice);
    mice.struct_size = sizeof mice;
    if (which == 2 && phicache_mice_decode(payload, &mice) != PHICACHE_OK) return 0;
    if (which == 2) payload = mice.payload;
    if (payload.len != sizeof masks) return 0;
    memcpy(masks, payload.data, sizeof masks);
    for (i = 0; i < 4; i++) same = same && masks[i] == k;
    return same;
}

typedef struct {
    int which;
    uint64_t key;
} question;

static inline int32_t compute_question(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    const question *asked = (const question *)call_data;
    (void)user_data;
    (void)key;
    if (asked->key % 8 == 0) pause_microseconds(200);
    return write_value(result, asked->which, asked->key) == PHICACHE_OK ? 0 : -1;
}

/* Whether the cache returns the right value, found or computed. */
static inline int ask(int which, uint64_t k) {
    question asked;
    phicache_value value = {NULL, 0, NULL, 0, 0};
    int right;
    asked.which = which;
    asked.key = k;
    right = phicache_cache_memoize(views[which], bytes(&k, 8), compute_question, NULL, &asked, &value, NULL) ==
                PHICACHE_OK &&
            is_value(which, &value, k);
    phicache_value_release(&value);
    return right;
}

/* Runs `work` in a forked child. Returns whether it ended in time and had no failed check. */
static inline int right_in_child(unsigned (*work)(void *), void *argument) {
    int status = -1;
    pid_t child;
    fflush(NULL);
    child = fork();
    if (child == 0) {
        alarm(SECONDS); /* ends a child that hangs */
        _exit(work(argument) == 0 ? 0 : 1);
    }
    if (child < 0) return 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (WIFSIGNALED(status))
        fprintf(stderr, "a child %s\n", WTERMSIG(status) == SIGALRM ? "hangs" : "is killed by a signal");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static inline void make_caches(void) {
    const phicache_fingerprint network = {{7}};
    const int32_t state[2] = {0, 0};
    config = new_unlimited();
    CHECK_OK(phicache_dict_cache_new(config, NULL, &dict));
    CHECK_OK(phicache_purview_cache_new(config, NULL, &purviews));
    CHECK_OK(phicache_subsystem_new(&network, 2, state, 3, NULL, NULL, &uncut));
    CHECK_OK(phicache_dict_mice_cache_new(config, NULL, uncut, NULL, &parent));
    CHECK_OK(phicache_dict_cache_as_cache(dict, &views[0]));
    CHECK_OK(phicache_purview_cache_as_cache(purviews, &views[1]));
    CHECK_OK(phicache_mice_cache_as_cache(parent, &views[2]));
}

static inline void free_caches(void) {
    CHECK_OK(phicache_dict_cache_free(dict));
    CHECK_OK(phicache_purview_cache_free(purviews));
    CHECK_OK(phicache_mice_cache_free(parent));
    CHECK_OK(phicache_subsystem_free(uncut));
    CHECK_OK(phicache_config_free(config));
}

#endif /* PHICACHE_FORK_SAMPLE_H */
