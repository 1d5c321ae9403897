/* test_entries.c: looking at one entry without counting, and walks through all entries while the cache changes. */
#define _POSIX_C_SOURCE 200809L /* fork, barriers */

#include "mice_sample.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEYS = 3000, MORE = 12000 };

static phicache_dict_cache *dict;
static phicache_cache *cache;
static unsigned seen[KEYS + MORE];
static unsigned visits;

static void set(uint32_t number, const char *value) {
    CHECK_OK(phicache_dict_cache_set(dict, bytes(&number, sizeof number), text(value)));
}

static void make_cache(uint32_t entries) {
    uint32_t i;
    dict = new_dict();
    CHECK_OK(phicache_dict_cache_as_cache(dict, &cache));
    for (i = 0; i < entries; i++) set(i, "value");
    memset(seen, 0, sizeof seen);
    visits = 0;
}

static void free_cache(void) { CHECK_OK(phicache_dict_cache_free(dict)); }

static void mark(const phicache_entry *entry) {
    uint32_t number = KEYS + MORE;
    CHECK_UINT(entry->key.len, sizeof number);
    memcpy(&number, entry->key.data, sizeof number);
    if (CHECK(number < KEYS + MORE)) seen[number]++;
    visits++;
}

/* Each of the first `stable` numbers was seen once, all others at most once. */
static void check_seen(uint32_t stable) {
    uint32_t i;
    unsigned missing = 0, repeated = 0;
    for (i = 0; i < stable; i++) missing += seen[i] == 0;
    for (i = 0; i < KEYS + MORE; i++) repeated += seen[i] > 1;
    CHECK_UINT(missing, 0);
    CHECK_UINT(repeated, 0);
}

static void a_peek_finds_a_value_and_counts_nothing(void) {
    phicache_value value = unset_value();
    phicache_stats stats;
    make_cache(0);
    CHECK_OK(phicache_cache_set(cache, text("key"), text("value")));
    CHECK_OK(phicache_cache_peek(cache, text("key"), &value));
    CHECK_VALUE(value, "value");
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_HIT);
    CHECK_OK(phicache_cache_set(cache, text("key"), text("other")));
    CHECK_VALUE(value, "value");
    phicache_value_release(&value);
    value = unset_value();
    CHECK_STATUS(phicache_cache_peek(cache, text("none"), &value), PHICACHE_MISS);
    CHECK_NO_VALUE(value);
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_cache_stats(cache, &stats));
    CHECK_UINT(stats.hits + stats.misses + stats.waits + stats.saved_ns, 0);
    CHECK_STATUS(phicache_cache_peek(cache, no_address(), &value), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_NO_VALUE(value);
    free_cache();
}

static int32_t check_and_mark(void *user_data, const phicache_entry *entry, phicache_value *value) {
    CHECK(user_data == &visits);
    CHECK_UINT(entry->struct_size, sizeof *entry);
    CHECK(entry->bytes >= entry->key.len + value->len);
    CHECK_VALUE(*value, "value");
    CHECK_UINT((uintptr_t)value->data % 16, 0);
    CHECK_UINT(value->origin, PHICACHE_ORIGIN_HIT);
    mark(entry);
    return 0;
}

static void every_entry_is_visited_once_and_nothing_is_counted(void) {
    int32_t code = 7;
    phicache_info info;
    make_cache(KEYS);
    CHECK_OK(phicache_cache_for_each(cache, check_and_mark, &visits, &code));
    CHECK_INT(code, 0);
    CHECK_UINT(visits, KEYS);
    check_seen(KEYS);
    CHECK_OK(phicache_cache_info(cache, &info));
    CHECK_COUNTS(info, 0, 0, KEYS);
    CHECK_OK(phicache_cache_clear(cache));
    CHECK_OK(phicache_cache_for_each(cache, check_and_mark, &visits, NULL));
    CHECK_UINT(visits, KEYS);
    free_cache();
}

static int32_t take_cost(void *user_data, const phicache_entry *entry, phicache_value *value) {
    (void)value;
    *(uint64_t *)user_data = entry->cost_ns;
    return 0;
}

static void an_entry_tells_the_cost_of_its_value(void) {
    uint64_t cost = 0;
    make_cache(0);
    CHECK_OK(phicache_cache_set_with_cost(cache, text("key"), text("value"), 123456));
    CHECK_OK(phicache_cache_for_each(cache, take_cost, &cost, NULL));
    CHECK_UINT(cost, 123456);
    free_cache();
}

static int32_t stop_at_ten(void *user_data, const phicache_entry *entry, phicache_value *value) {
    (void)user_data, (void)value;
    mark(entry);
    return visits == 10 ? -42 : 0;
}

static void a_code_other_than_zero_ends_the_walk(void) {
    int32_t code = 7;
    make_cache(KEYS);
    CHECK_OK(phicache_cache_for_each(cache, stop_at_ten, NULL, &code));
    CHECK_INT(code, -42);
    CHECK_UINT(visits, 10);
    free_cache();
}

static int32_t keep_the_first(void *user_data, const phicache_entry *entry, phicache_value *value) {
    static const phicache_value none = {0};
    (void)entry;
    *(phicache_value *)user_data = *value;
    *value = none;
    return 1;
}

static void a_callback_may_keep_a_value(void) {
    phicache_value kept = unset_value();
    make_cache(1);
    CHECK_OK(phicache_cache_for_each(cache, keep_the_first, &kept, NULL));
    free_cache();
    CHECK_VALUE(kept, "value");
    phicache_value_release(&kept);
}

static int32_t change_others(void *user_data, const phicache_entry *entry, phicache_value *value) {
    static uint32_t next;
    uint32_t i;
    phicache_info info;
    (void)user_data, (void)value;
    mark(entry);
    if (visits == 1) next = 0;
    for (i = 0; i < 8; i++, next++) {
        const uint32_t number = KEYS + next % MORE;
        set(number, "added");
        if (next % 3 == 0) CHECK_OK(phicache_cache_remove(cache, bytes(&number, sizeof number)));
    }
    set(next % KEYS, "replaced");
    CHECK_OK(phicache_cache_info(cache, &info));
    return 0;
}

static void a_callback_may_change_the_cache(void) {
    make_cache(KEYS);
    CHECK_OK(phicache_cache_for_each(cache, change_others, NULL, NULL));
    CHECK(visits > KEYS);
    check_seen(KEYS);
    free_cache();
}

static int32_t clear_at_ten(void *user_data, const phicache_entry *entry, phicache_value *value) {
    (void)user_data, (void)value;
    mark(entry);
    if (visits == 10) CHECK_OK(phicache_cache_clear(cache));
    return 0;
}

static int32_t free_at_ten(void *user_data, const phicache_entry *entry, phicache_value *value) {
    (void)user_data;
    mark(entry);
    if (visits == 10) free_cache();
    CHECK_VALUE(*value, "value");
    return 0;
}

static void a_callback_may_clear_the_cache(void) {
    make_cache(KEYS);
    CHECK_OK(phicache_cache_for_each(cache, clear_at_ten, NULL, NULL));
    CHECK(visits >= 10 && visits < 100); /* the rest of a bucket was pinned */
    check_seen(0);
    free_cache();
}

static void a_callback_may_free_the_cache(void) {
    make_cache(KEYS);
    CHECK_OK(phicache_cache_for_each(cache, free_at_ten, NULL, NULL));
    CHECK_UINT(visits, KEYS); /* the walk shares the cache */
    check_seen(KEYS);
    CHECK_STATUS(phicache_cache_for_each(cache, check_and_mark, NULL, NULL), PHICACHE_ERROR_INVALID_HANDLE);
}

static int32_t walk_inside(void *user_data, const phicache_entry *entry, phicache_value *value) {
    int32_t code = 0;
    (void)value;
    mark(entry);
    if (*(int *)user_data > 0) {
        const unsigned before = visits;
        --*(int *)user_data;
        CHECK_OK(phicache_cache_for_each(cache, walk_inside, user_data, &code));
        visits = before;
    }
    return 0;
}

static void walks_may_be_nested(void) {
    int depth = 20;
    make_cache(100);
    CHECK_OK(phicache_cache_for_each(cache, walk_inside, &depth, NULL));
    CHECK_UINT(visits, 100);
    CHECK_UINT(seen[0], 21);
    free_cache();
}

static int32_t fork_at_ten(void *user_data, const phicache_entry *entry, phicache_value *value) {
    mark(entry);
    CHECK_VALUE(*value, "value");
    if (visits == 10) *(pid_t *)user_data = fork();
    return 0;
}

static void a_walk_continues_in_a_forked_child(void) {
    pid_t child = -1;
    int status = -1;
    make_cache(KEYS);
    CHECK_OK(phicache_cache_for_each(cache, fork_at_ten, &child, NULL));
    CHECK_UINT(visits, KEYS);
    check_seen(KEYS);
    if (child == 0) {
        set(0, "set in the child");
        _exit(check_count_failed == 0 ? 0 : 1);
    }
    REQUIRE(child > 0);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    free_cache();
}

static void a_walk_returns_entry_by_entry(void) {
    phicache_walk *walk = NULL;
    phicache_entry entry;
    phicache_value value;
    phicache_info info;
    unsigned i;
    make_cache(KEYS);
    entry.struct_size = sizeof entry;
    REQUIRE_OK(phicache_walk_new(cache, &walk));
    for (i = 0; i < KEYS; i++) {
        CHECK_OK(phicache_walk_next(walk, &entry, &value));
        CHECK_VALUE(value, "value");
        CHECK(entry.bytes >= 9 && entry.bytes < 200);
        mark(&entry);
        if (i == KEYS / 2) free_cache();
        phicache_value_release(&value);
    }
    check_seen(KEYS);
    for (i = 0; i < 2; i++) {
        value = unset_value();
        CHECK_STATUS(phicache_walk_next(walk, &entry, &value), PHICACHE_MISS);
        CHECK_NO_VALUE(value);
        CHECK(entry.key.data == NULL && entry.bytes == 0);
    }
    CHECK_OK(phicache_walk_free(walk));
    CHECK_STATUS(phicache_walk_next(walk, &entry, &value), PHICACHE_ERROR_INVALID_HANDLE);
    CHECK_STATUS(phicache_walk_free(walk), PHICACHE_ERROR_INVALID_HANDLE);
    make_cache(1);
    REQUIRE_OK(phicache_walk_new(cache, &walk));
    entry.struct_size = 0;
    CHECK_STATUS(phicache_walk_next(walk, &entry, &value), PHICACHE_ERROR_INVALID_ARGUMENT);
    entry.struct_size = sizeof entry;
    CHECK_OK(phicache_walk_next(walk, &entry, &value)); /* the failed call took nothing */
    phicache_value_release(&value);
    CHECK_OK(phicache_walk_free(walk));
    CHECK_OK(phicache_cache_info(cache, &info));
    CHECK_COUNTS(info, 0, 0, 1);
    free_cache();
}

/* Pins that a walk leaves behind would keep the bytes of the cleared cache. */
static void a_walk_that_ends_early_leaves_nothing_pinned(void) {
    phicache_walk *walk = NULL;
    phicache_entry entry;
    phicache_value value;
    phicache_stats stats;
    int32_t code;
    make_cache(KEYS);
    entry.struct_size = sizeof entry;
    REQUIRE_OK(phicache_walk_new(cache, &walk));
    CHECK_OK(phicache_walk_next(walk, &entry, &value));
    phicache_value_release(&value);
    CHECK_OK(phicache_walk_free(walk));
    CHECK_OK(phicache_cache_for_each(cache, stop_at_ten, NULL, &code));
    CHECK_OK(phicache_cache_clear(cache));
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_cache_stats(cache, &stats));
    CHECK_UINT(stats.bytes, 0);
    free_cache();
}

static pthread_barrier_t barrier;
static int done;

/* Adds, removes and replaces until the walks are done. */
static void *change(void *first) {
    const uint32_t begin = KEYS + *(const uint32_t *)first;
    uint32_t at = 0;
    pthread_barrier_wait(&barrier);
    while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
        const uint32_t number = begin + at % (MORE / 2);
        if (at / (MORE / 2) % 2 == 0)
            set(number, "value");
        else
            CHECK_OK(phicache_cache_remove(cache, bytes(&number, sizeof number)));
        set(at % KEYS, "value");
        at++;
    }
    return NULL;
}

static void entries_that_stay_are_visited_once_while_threads_change_others(void) {
    static const uint32_t first[2] = {0, MORE / 2};
    pthread_t threads[2];
    unsigned i;
    make_cache(KEYS);
    REQUIRE(pthread_barrier_init(&barrier, NULL, 3) == 0);
    __atomic_store_n(&done, 0, __ATOMIC_RELEASE);
    for (i = 0; i < 2; i++) REQUIRE(pthread_create(&threads[i], NULL, change, (void *)(uintptr_t)&first[i]) == 0);
    pthread_barrier_wait(&barrier);
    for (i = 0; i < 20; i++) {
        memset(seen, 0, sizeof seen);
        CHECK_OK(phicache_cache_for_each(cache, check_and_mark, &visits, NULL));
        check_seen(KEYS);
    }
    __atomic_store_n(&done, 1, __ATOMIC_RELEASE);
    for (i = 0; i < 2; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    pthread_barrier_destroy(&barrier);
    free_cache();
}

static int32_t count_payload(void *user_data, const phicache_entry *entry, phicache_value *value) {
    phicache_mice mice = no_mice();
    CHECK_OK(phicache_mice_decode(bytes(value->data, value->len), &mice));
    CHECK(entry->key.len > 0);
    ++*(unsigned *)user_data;
    return 0;
}

static void a_child_is_walked_without_what_it_inherits_but_peek_sees_it(void) {
    phicache_subsystem *uncut = new_subsystem(NULL), *cut = new_subsystem(CUT);
    phicache_mice_cache *parent = NULL, *child = NULL;
    phicache_cache *parent_view = NULL, *child_view = NULL;
    const phicache_mice safe = safe_mice("safe"), damaged = damaged_mice("damaged");
    phicache_value value;
    phicache_info info;
    unsigned own = 0, inherited = 0;
    REQUIRE_OK(phicache_dict_mice_cache_new(NULL, NULL, uncut, NULL, &parent));
    REQUIRE_OK(phicache_dict_mice_cache_new(NULL, NULL, cut, parent, &child));
    REQUIRE_OK(phicache_mice_cache_as_cache(parent, &parent_view));
    REQUIRE_OK(phicache_mice_cache_as_cache(child, &child_view));
    CHECK_OK(phicache_mice_cache_set(parent, text("safe"), &safe));
    CHECK_OK(phicache_mice_cache_set(parent, text("damaged"), &damaged));
    CHECK_OK(phicache_cache_for_each(parent_view, count_payload, &own, NULL));
    CHECK_OK(phicache_cache_for_each(child_view, count_payload, &inherited, NULL));
    CHECK_UINT(own, 2);
    CHECK_UINT(inherited, 0);
    CHECK_OK(phicache_cache_peek(child_view, text("safe"), &value));
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_PARENT);
    phicache_value_release(&value);
    CHECK_STATUS(phicache_cache_peek(child_view, text("damaged"), &value), PHICACHE_MISS);
    CHECK_OK(phicache_mice_cache_clear(parent));
    CHECK_OK(phicache_cache_peek(child_view, text("safe"), &value)); /* the child keeps what the parent clears */
    phicache_value_release(&value);
    CHECK_OK(phicache_cache_info(child_view, &info));
    CHECK_COUNTS(info, 0, 0, 1);
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_mice_cache_free(parent));
    CHECK_OK(phicache_subsystem_free(cut));
    CHECK_OK(phicache_subsystem_free(uncut));
}

static int32_t count(void *user_data, const phicache_entry *entry, phicache_value *value) {
    (void)entry;
    *(size_t *)user_data += value->len;
    return 0;
}

static void purviews_and_the_values_of_memos_are_entries_too(void) {
    const uint64_t masks[] = {1, 2, 3};
    phicache_purview_cache *purviews = NULL;
    phicache_cache *view = NULL;
    phicache_key *args = NULL;
    phicache_memo *memo = NULL;
    phicache_value value;
    answer four = answers("four");
    size_t bytes_seen = 0;
    REQUIRE_OK(phicache_purview_cache_new(NULL, NULL, &purviews));
    REQUIRE_OK(phicache_purview_cache_as_cache(purviews, &view));
    CHECK_OK(phicache_purview_cache_set(purviews, PHICACHE_CAUSE, 1, masks, 3));
    CHECK_OK(phicache_cache_for_each(view, count, &bytes_seen, NULL));
    CHECK_UINT(bytes_seen, sizeof masks);
    CHECK_OK(phicache_purview_cache_free(purviews));
    make_cache(0);
    REQUIRE_OK(phicache_key_new(&args));
    REQUIRE_OK(phicache_memo_new(NULL, compute_answer, &four, NULL, PHICACHE_MEMORY_CONFIGURED, 0, cache, "p", &memo));
    CHECK_OK(phicache_memo_call(memo, args, NULL, &value, NULL));
    phicache_value_release(&value);
    bytes_seen = 0;
    CHECK_OK(phicache_cache_for_each(cache, count, &bytes_seen, NULL));
    CHECK_UINT(bytes_seen, 4);
    CHECK_OK(phicache_memo_free(memo));
    CHECK_OK(phicache_key_free(args));
    free_cache();
}

static void a_cache_in_redis_is_not_walked(void) {
    phicache_config *config = NULL;
    phicache_redis_cache *redis = NULL;
    phicache_cache *view = NULL;
    phicache_walk *walk = (phicache_walk *)&redis;
    int32_t code = 7;
    if (!(phicache_features() & PHICACHE_FEATURE_REDIS)) return;
    REQUIRE_OK(phicache_config_new(&config));
    CHECK_OK(phicache_config_set_redis_url(config, "unix:///nowhere/socket"));
    REQUIRE_OK(phicache_redis_cache_new(config, NULL, &redis));
    REQUIRE_OK(phicache_redis_cache_as_cache(redis, &view));
    CHECK_STATUS(phicache_cache_for_each(view, check_and_mark, NULL, &code), PHICACHE_ERROR_UNSUPPORTED);
    CHECK_CONTAINS(phicache_last_error(), "server");
    CHECK_INT(code, 0);
    CHECK_STATUS(phicache_walk_new(view, &walk), PHICACHE_ERROR_UNSUPPORTED);
    CHECK(walk == NULL);
    CHECK_OK(phicache_redis_cache_free(redis));
    CHECK_OK(phicache_config_free(config));
}

int main(void) {
    RUN(a_peek_finds_a_value_and_counts_nothing);
    RUN(every_entry_is_visited_once_and_nothing_is_counted);
    RUN(an_entry_tells_the_cost_of_its_value);
    RUN(a_code_other_than_zero_ends_the_walk);
    RUN(a_callback_may_keep_a_value);
    RUN(a_callback_may_change_the_cache);
    RUN(a_callback_may_clear_the_cache);
    RUN(a_callback_may_free_the_cache);
    RUN(walks_may_be_nested);
    RUN(a_walk_continues_in_a_forked_child);
    RUN(a_walk_returns_entry_by_entry);
    RUN(a_walk_that_ends_early_leaves_nothing_pinned);
    RUN(entries_that_stay_are_visited_once_while_threads_change_others);
    RUN(a_child_is_walked_without_what_it_inherits_but_peek_sees_it);
    RUN(purviews_and_the_values_of_memos_are_entries_too);
    RUN(a_cache_in_redis_is_not_walked);
    return check_report();
}
