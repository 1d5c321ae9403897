/* test_redis_processes.c: several processes at one real server: forks with a handle that parent and child share; and
 * leases, by which only one process computes, also if that process fails. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "redis_sample.h"

#include <sys/mman.h>

enum { WORKERS = 4, KEYS = 25 };

/* Memory that all processes of a test share. */
typedef struct {
    int started;            /* computations that have begun */
    int finished;
    long long compute_ms;   /* how long each takes */
} board;

static board *new_board(long long compute_ms) {
    void *shared = mmap(NULL, sizeof(board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    board *all = (board *)shared;
    CHECK(shared != MAP_FAILED);
    all->compute_ms = compute_ms;
    return all;
}

static int32_t compute_slowly(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    board *all = (board *)user_data;
    const char *words = (const char *)call_data;
    uint8_t *room = NULL;
    (void)key;
    __atomic_fetch_add(&all->started, 1, __ATOMIC_SEQ_CST);
    if (all->compute_ms > 0) redis_server_pause((long)all->compute_ms);
    if (phicache_result_reserve(result, strlen(words), &room) != PHICACHE_OK) return -1;
    memcpy(room, words, strlen(words));
    __atomic_fetch_add(&all->finished, 1, __ATOMIC_SEQ_CST);
    return 0;
}

/* The origin of the value, which is one of the two expected, or the status if there is no value. */
static int64_t ask_for(phicache_redis_cache *cache, const char *key, board *all, const char *words,
                       const char *others) {
    union {
        const char *words;
        void *data;
    } content;
    phicache_value value = unset_value();
    int64_t origin;
    phicache_status status;
    content.words = words;
    status = phicache_redis_cache_memoize(cache, text(key), compute_slowly, all, content.data, &value, NULL);
    if (!CHECK_OK(status)) return status;
    origin = (int64_t)value.origin;
    CHECK((value.len == strlen(words) && memcmp(value.data, words, value.len) == 0) ||
          (value.len == strlen(others) && memcmp(value.data, others, value.len) == 0));
    phicache_value_release(&value);
    return origin;
}

static pid_t fork_child(void) {
    pid_t child;
    fflush(NULL);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(300);
        check_count_failed = 0;
    }
    return child;
}

/* The exit status of a child: 0 if all its checks passed. */
static void end_child(void) { _exit(check_count_failed != 0); }

static void check_ended_well(pid_t child) {
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void wait_for(const int *count, int until) {
    const long long began = now_ms();
    while (__atomic_load_n(count, __ATOMIC_SEQ_CST) < until) {
        if (!CHECK(now_ms() - began < REDIS_SERVER_PATIENCE_MS)) return;
        redis_server_pause(2);
    }
}

static phicache_redis_cache *new_with_lease(phicache_config *config, uint64_t lease_ms) {
    phicache_cache_options options = no_options();
    options.lease_ms = lease_ms;
    return new_redis_with(config, options);
}

static void after_a_fork_both_processes_use_one_handle(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_redis(config);
    pid_t children[WORKERS];
    int i, k;
    CHECK_OK(phicache_redis_cache_set(cache, text("before"), text("the fork")));
    for (i = 0; i < WORKERS; i++) {
        children[i] = fork_child();
        if (children[i] != 0) continue;
        for (k = 0; k < 200; k++) {
            char key[32];
            snprintf(key, sizeof key, "%d of %d", k, i);
            CHECK_OK(phicache_redis_cache_set(cache, text(key), text(key)));
            check_has(cache, key, key);
            check_has(cache, "before", "the fork");
        }
        CHECK_UINT(health_of(cache).failures, 0);
        CHECK_OK(phicache_redis_cache_free(cache));
        end_child();
    }
    for (k = 0; k < 200; k++) {
        CHECK_OK(phicache_redis_cache_set(cache, text("ours"), text("ours")));
        check_has(cache, "ours", "ours");
    }
    for (i = 0; i < WORKERS; i++) check_ended_well(children[i]);
    CHECK_UINT(health_of(cache).connections, 1); /* no child closed or used the connection of the parent */
    CHECK_UINT(health_of(cache).failures, 0);
    check_has(cache, "199 of 0", "199 of 0");
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void one_of_two_processes_computes_and_the_other_waits(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_with_lease(config, 20000);
    board *all = new_board(400);
    const pid_t child = fork_child();
    if (child == 0) {
        CHECK_INT(ask_for(cache, "k", all, "the child's", ""), PHICACHE_ORIGIN_COMPUTED);
        end_child();
    }
    wait_for(&all->started, 1);
    CHECK_INT(ask_for(cache, "k", all, "never made", "the child's"), PHICACHE_ORIGIN_WAITED);
    CHECK_INT(all->started, 1);
    CHECK_INT(all->finished, 1);
    check_ended_well(child);
    CHECK(strncmp(ask("GET phicache/2:raw:k"), "the child's", 11) == 0); /* and a seal */
    CHECK_INT(number("DBSIZE"), 1); /* the lease is gone */
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void one_of_many_processes_computes_each_value(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_with_lease(config, 20000);
    board *all = new_board(5);
    pid_t children[WORKERS];
    int i, k;
    for (i = 0; i < WORKERS; i++) {
        children[i] = fork_child();
        if (children[i] != 0) continue;
        for (k = 0; k < KEYS; k++) {
            char key[16];
            snprintf(key, sizeof key, "%d", k);
            ask_for(cache, key, all, key, key);
        }
        end_child();
    }
    for (i = 0; i < WORKERS; i++) check_ended_well(children[i]);
    CHECK_INT(all->started, KEYS);
    CHECK_INT(number("DBSIZE"), KEYS);
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void without_leases_every_process_computes(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_redis(config);
    board *all = new_board(1000);
    const pid_t child = fork_child();
    if (child == 0) {
        CHECK_INT(ask_for(cache, "k", all, "one", "two"), PHICACHE_ORIGIN_COMPUTED);
        end_child();
    }
    wait_for(&all->started, 1);
    all->compute_ms = 0;
    CHECK_INT(ask_for(cache, "k", all, "two", "one"), PHICACHE_ORIGIN_COMPUTED);
    CHECK_INT(all->started, 2);
    check_ended_well(child);
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void a_killed_worker_delays_the_others_until_its_lease_ends(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_with_lease(config, 1500);
    board *all = new_board(60000);
    const long long began = now_ms();
    const pid_t child = fork_child();
    if (child == 0) {
        ask_for(cache, "k", all, "never seen", "");
        end_child();
    }
    wait_for(&all->started, 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    all->compute_ms = 0;
    CHECK_INT(ask_for(cache, "k", all, "the heir's", "the heir's"), PHICACHE_ORIGIN_COMPUTED);
    CHECK(now_ms() - began >= 1400);
    CHECK(now_ms() - began < 10000);
    CHECK_INT(all->started, 2);
    check_has(cache, "k", "the heir's");
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void a_failed_computation_returns_its_lease_at_once(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_with_lease(config, 60000), *other = new_with_lease(config, 60000);
    answer failure = fails(3);
    board *all = new_board(0);
    phicache_value value = unset_value();
    const long long began = now_ms();
    CHECK_STATUS(phicache_redis_cache_memoize(cache, text("k"), compute_answer, &failure, NULL, &value, NULL),
                 PHICACHE_ERROR_CALLBACK);
    CHECK_INT(ask_for(other, "k", all, "another's", ""), PHICACHE_ORIGIN_COMPUTED);
    CHECK(now_ms() - began < 10000);
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_redis_cache_free(other));
    CHECK_OK(phicache_config_free(config));
}

static void a_late_completion_overwrites_nothing(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_with_lease(config, 200);
    board *all = new_board(2000);
    const pid_t child = fork_child();
    if (child == 0) {
        const int64_t origin = ask_for(cache, "k", all, "too late", "");
        CHECK_INT(origin, PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_CLEARED);
        CHECK_UINT(stats_of(cache).refused_cleared, 1);
        end_child();
    }
    wait_for(&all->started, 1);
    redis_server_pause(300);
    all->compute_ms = 0;
    CHECK_INT(ask_for(cache, "k", all, "the heir's", ""), PHICACHE_ORIGIN_COMPUTED);
    check_ended_well(child);
    check_has(cache, "k", "the heir's");
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void a_value_cleared_or_removed_while_it_is_computed_is_not_stored(void) {
    int clears;
    for (clears = 0; clears < 2; clears++) {
        phicache_config *config = at_server(0);
        phicache_redis_cache *cache = new_with_lease(config, 20000);
        board *all = new_board(1000);
        const pid_t child = fork_child();
        if (child == 0) {
            CHECK_INT(ask_for(cache, "k", all, "outdated", ""), PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_CLEARED);
            end_child();
        }
        wait_for(&all->started, 1);
        if (clears) CHECK_OK(phicache_redis_cache_clear(cache));
        else CHECK_STATUS(phicache_redis_cache_remove(cache, text("k")), PHICACHE_MISS);
        check_ended_well(child);
        check_has_not(cache, "k");
        CHECK_OK(phicache_redis_cache_free(cache));
        CHECK_OK(phicache_config_free(config));
    }
}

static void begin_reports_computations_of_others(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_with_lease(config, 20000);
    board *all = new_board(1000);
    phicache_lease *lease = NULL;
    phicache_value value = unset_value();
    const pid_t child = fork_child();
    if (child == 0) {
        CHECK_INT(ask_for(cache, "k", all, "the child's", ""), PHICACHE_ORIGIN_COMPUTED);
        end_child();
    }
    wait_for(&all->started, 1);
    CHECK_STATUS(phicache_cache_begin(view_of(cache), text("k"), 7, &value, &lease), PHICACHE_BUSY);
    CHECK_STATUS(phicache_cache_wait(view_of(cache), text("k"), 7, 0, &value), PHICACHE_TIMEOUT);
    CHECK_OK(phicache_cache_wait(view_of(cache), text("k"), 7, REDIS_SERVER_PATIENCE_MS, &value));
    CHECK_VALUE(value, "the child's");
    phicache_value_release(&value);
    check_ended_well(child);
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void workers_survive_a_server_that_is_killed_and_restarted(void) {
    phicache_config *config = at_server(0);
    phicache_redis_cache *cache = new_with_lease(config, 500);
    board *all = new_board(0);
    pid_t children[WORKERS];
    int i, k;
    for (i = 0; i < WORKERS; i++) {
        children[i] = fork_child();
        if (children[i] != 0) continue;
        for (k = 0; all->compute_ms == 0; k++) {
            char key[16];
            const long long began = now_ms();
            snprintf(key, sizeof key, "%d", k % KEYS);
            ask_for(cache, key, all, key, key);
            CHECK(now_ms() - began < REDIS_SERVER_PATIENCE_MS);
        }
        end_child();
    }
    for (i = 0; i < 5; i++) {
        redis_server_pause(150);
        redis_server_kill(&server);
        redis_server_pause(50);
        redis_server_restart(&server);
    }
    redis_server_pause(150);
    __atomic_store_n(&all->compute_ms, 1, __ATOMIC_SEQ_CST);
    for (i = 0; i < WORKERS; i++) check_ended_well(children[i]);
    CHECK(all->started > KEYS);
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

int main(void) {
    if (!redis_server_start(&server, "")) return REDIS_SERVER_SKIPPED;
    RUN(after_a_fork_both_processes_use_one_handle);
    RUN(one_of_two_processes_computes_and_the_other_waits);
    RUN(one_of_many_processes_computes_each_value);
    RUN(without_leases_every_process_computes);
    RUN(a_killed_worker_delays_the_others_until_its_lease_ends);
    RUN(a_failed_computation_returns_its_lease_at_once);
    RUN(a_late_completion_overwrites_nothing);
    RUN(a_value_cleared_or_removed_while_it_is_computed_is_not_stored);
    RUN(begin_reports_computations_of_others);
    RUN(workers_survive_a_server_that_is_killed_and_restarted);
    redis_server_stop(&server);
    return check_report();
}
