/* test_reclaim.c: values that were read or pinned stay valid whatever other threads do: also in a sandbox that forbids
 * membarrier, where readers must use fences, and when threads end while they read. */
#define _GNU_SOURCE /* syscall, mallinfo2 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { KEYS = 512, WORDS = 40, ROUNDS = 40000, READERS = 3 };

static phicache_dict_cache *dict;
static phicache_cache *view;
static int done;

/* Every word of a value contains its key and its version. */
static void write_value(uint64_t *words, uint64_t key, uint64_t version) {
    for (int i = 0; i < WORDS; i++) words[i] = key << 32 | version;
}

static int is_whole(const uint8_t *data, size_t len, uint64_t key) {
    const uint64_t *words = (const uint64_t *)(const void *)data;
    if (len != WORDS * sizeof *words || words[0] >> 32 != key) return 0;
    for (int i = 1; i < WORDS; i++)
        if (words[i] != words[0]) return 0;
    return 1;
}

static phicache_bytes key_bytes(const uint64_t *key) {
    phicache_bytes bytes;
    bytes.data = (const uint8_t *)key;
    bytes.len = sizeof *key;
    return bytes;
}

/* Pins and reads in place, and ends with both open. Finds at least one value even if it starts after all others ended.
 * */
static void *reader(void *seed) {
    uint64_t state = *(const uint64_t *)seed, torn = 0, found = 0;
    while (!__atomic_load_n(&done, __ATOMIC_RELAXED) || found == 0) {
        phicache_value values[8];
        uint64_t keys[8];
        for (int i = 0; i < 8; i++) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            keys[i] = (state >> 33) % KEYS;
            (void)phicache_dict_cache_get(dict, key_bytes(&keys[i]), &values[i]);
        }
        CHECK_OK(phicache_read_begin());
        for (int i = 0; i < 8; i++) {
            phicache_bytes bytes;
            if (phicache_cache_read(view, key_bytes(&keys[i]), &bytes) != PHICACHE_OK) continue;
            torn += !is_whole(bytes.data, bytes.len, keys[i]);
            found++;
        }
        for (int i = 0; i < 8; i++) {
            if (values[i].data == NULL) continue;
            torn += !is_whole(values[i].data, values[i].len, keys[i]);
            found++;
            phicache_value_release(&values[i]);
        }
        CHECK_OK(phicache_read_end());
    }
    CHECK_UINT(torn, 0);
    CHECK_OK(phicache_read_begin()); /* ends with the thread */
    return NULL;
}

static uint64_t bytes_of(phicache_cache *cache) {
    phicache_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_cache_stats(cache, &stats));
    return stats.bytes;
}

/* Replaces, removes, grows and clears while others read. */
static void change_everything(void) {
    pthread_t threads[READERS];
    uint64_t seeds[READERS], words[WORDS], state = 42;
    CHECK_OK(phicache_dict_cache_new(NULL, NULL, &dict));
    CHECK_OK(phicache_dict_cache_as_cache(dict, &view));
    __atomic_store_n(&done, 0, __ATOMIC_RELAXED);
    for (uint64_t key = 0; key < KEYS; key++) {
        write_value(words, key, 0);
        CHECK_OK(phicache_dict_cache_set(dict, key_bytes(&key),
                                         (phicache_bytes){(const uint8_t *)words, sizeof words}));
    }
    for (int i = 0; i < READERS; i++) {
        seeds[i] = (uint64_t)i + 1;
        CHECK_INT(pthread_create(&threads[i], NULL, reader, &seeds[i]), 0);
    }
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        uint64_t key;
        phicache_bytes value;
        state = state * 6364136223846793005U + 1442695040888963407U;
        key = (state >> 33) % KEYS;
        write_value(words, key, round);
        value.data = (const uint8_t *)words;
        value.len = sizeof words;
        if (round % 7 == 0) (void)phicache_dict_cache_remove(dict, key_bytes(&key));
        else CHECK_OK(phicache_dict_cache_set(dict, key_bytes(&key), value));
        if (round % 16384 == 0) CHECK_OK(phicache_dict_cache_clear(dict));
        key = KEYS + round; /* the table grows */
        write_value(words, key, round);
        if (round % 4 == 0) CHECK_OK(phicache_dict_cache_set(dict, key_bytes(&key), value));
    }
    __atomic_store_n(&done, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < READERS; i++) CHECK_INT(pthread_join(threads[i], NULL), 0);
    /* The sections of threads that have ended do not delay freeing. */
    CHECK_OK(phicache_dict_cache_clear(dict));
    CHECK_UINT(bytes_of(view), 0);
    CHECK_OK(phicache_dict_cache_free(dict));
}

static void readers_see_whole_values_while_everything_changes(void) { change_everything(); }

/* Forbids membarrier for the rest of the process; returns whether that worked. A process cannot remove such a filter.
 * */
static int forbid_membarrier(void) {
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program;
    program.len = sizeof rules / sizeof *rules;
    program.filter = rules;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        printf("SKIPPED: this system takes no seccomp filter\n");
        return 0;
    }
    return CHECK_INT(syscall(SYS_membarrier, 0, 0, 0), -1);
}

/* In a child process, where the filter exists before the first use of the library. */
static int in_a_sandbox(void) {
    if (!forbid_membarrier()) return 0;
    change_everything();
    return check_report();
}

/* The filter is installed after readers have begun to rely on membarrier: from then on they must use fences, and memory
 * must still be freed. An alarm ends a child in which it is never freed. */
static int in_a_sandbox_of_its_own_making(void) {
    uint64_t one = 1;
    phicache_value value;
    change_everything();
    if (!forbid_membarrier()) return 0;
    alarm(300);
    CHECK_OK(phicache_dict_cache_new(NULL, NULL, &dict));
    CHECK_OK(phicache_dict_cache_as_cache(dict, &view));
    CHECK_OK(phicache_dict_cache_set(dict, key_bytes(&one), (phicache_bytes){(const uint8_t *)"value", 5}));
    CHECK_OK(phicache_dict_cache_get(dict, key_bytes(&one), &value));
    phicache_value_release(&value);
    CHECK_OK(phicache_dict_cache_clear(dict));
    while (bytes_of(view) != 0) usleep(1000);
    CHECK_OK(phicache_dict_cache_free(dict));
    change_everything();
    return check_report();
}

static void values_stay_valid_if_membarrier_is_forbidden(void) {
    int status = -1;
    const pid_t child = fork();
    if (child == 0) _exit(in_a_sandbox());
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
}

static void values_stay_valid_if_membarrier_is_forbidden_later(void) {
    int status = -1;
    const pid_t child = fork();
    if (child == 0) _exit(in_a_sandbox_of_its_own_making());
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
}

static phicache_value kept[64];

static void *pinner(void *unused) {
    (void)unused;
    for (uint64_t key = 0; key < 64; key++) CHECK_OK(phicache_dict_cache_get(dict, key_bytes(&key), &kept[key]));
    return NULL;
}

static void pins_outlive_their_thread_and_their_cache(void) {
    pthread_t thread;
    uint64_t words[WORDS];
    CHECK_OK(phicache_dict_cache_new(NULL, NULL, &dict));
    for (uint64_t key = 0; key < 64; key++) {
        write_value(words, key, 1);
        CHECK_OK(phicache_dict_cache_set(dict, key_bytes(&key),
                                         (phicache_bytes){(const uint8_t *)words, sizeof words}));
    }
    CHECK_INT(pthread_create(&thread, NULL, pinner, NULL), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_OK(phicache_dict_cache_free(dict));
    /* Others make many calls, and reuse the participant and the memory of the thread that has ended. */
    change_everything();
    for (uint64_t key = 0; key < 64; key++) {
        CHECK(is_whole(kept[key].data, kept[key].len, key));
        phicache_value_release(&kept[key]);
    }
}

/* ---- threads that use the library first when they end */

static pthread_key_t late;

static void use_late(void *unused) {
    const uint64_t key = 1;
    phicache_value value;
    (void)unused;
    (void)phicache_dict_cache_get(dict, key_bytes(&key), &value);
    phicache_value_release(&value);
    CHECK_INT(phicache_dict_cache_get(NULL, key_bytes(&key), &value), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "phicache_dict_cache_get");
}

static void *end_with_a_lookup(void *unused) {
    pthread_setspecific(late, &late);
    return unused;
}

/* The participant of a thread that has ended is reused by the next thread; otherwise each thread would leak a kilobyte.
 * */
static void threads_that_call_first_from_a_keys_destructor_leak_nothing(void) {
    enum { THREADS = 2000 };
    size_t before = 0;
    CHECK_OK(phicache_dict_cache_new(NULL, NULL, &dict));
    REQUIRE(pthread_key_create(&late, use_late) == 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, end_with_a_lookup, NULL) == 0);
        pthread_join(thread, NULL);
        if (i == 10) before = mallinfo2().uordblks;
    }
#ifndef PHICACHE_SANITIZED /* the sanitizers' malloc has no mallinfo2 */
    CHECK(mallinfo2().uordblks < before + THREADS * 100);
#else
    (void)before;
#endif
    CHECK_OK(phicache_dict_cache_free(dict));
}

int main(void) {
    RUN(values_stay_valid_if_membarrier_is_forbidden); /* first, before this process uses the library */
    RUN(values_stay_valid_if_membarrier_is_forbidden_later);
    RUN(threads_that_call_first_from_a_keys_destructor_leak_nothing);
    RUN(readers_see_whole_values_while_everything_changes);
    RUN(pins_outlive_their_thread_and_their_cache);
    return check_report();
}
