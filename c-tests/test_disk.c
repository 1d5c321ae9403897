/* test_disk.c: disk caches: values that outlive handles and processes, shared handles, options, statuses, walks, memos
 * with versions, lists. tests/disk*.rs cover damage and faults. */
#include "scratch.h" /* first: it requests POSIX */

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "no_memory.h"
#include "sample.h"

static char directory[64];
static phicache_config *config;

static phicache_cache_options at_once(void) {
    phicache_cache_options options = {0};
    options.struct_size = sizeof options;
    options.refresh_ms = UINT64_MAX;
    options.storage_errors = 1;
    return options;
}

static phicache_disk_cache *open_cache(const char *context) {
    phicache_cache_options options = at_once();
    phicache_disk_cache *cache;
    CHECK_OK(phicache_disk_cache_new(config, &options, text(context), &cache));
    return cache;
}

static phicache_cache *view(phicache_disk_cache *cache) {
    phicache_cache *any;
    CHECK_OK(phicache_disk_cache_as_cache(cache, &any));
    return any;
}

/* Runs `work` in a child process and waits for it; it must return 0. */
static void in_child(int (*work)(void)) {
    int status = 0;
    const pid_t child = fork();
    if (child == 0) _exit(work());
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int child_stores(void) {
    phicache_disk_cache *cache = open_cache("processes");
    if (phicache_disk_cache_set(cache, text("from the child"), text("value")) != PHICACHE_OK) return 1;
    kill(getpid(), SIGKILL); /* nothing is closed */
    return 2;
}

static void values_outlive_handles_and_processes(void) {
    phicache_value value;
    phicache_disk_cache *cache = open_cache("processes");
    int status;
    const pid_t child = fork();
    if (child == 0) _exit(child_stores());
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    CHECK_OK(phicache_disk_cache_get(cache, text("from the child"), &value));
    CHECK_VALUE(value, "value");
    phicache_value_release(&value);
    CHECK_OK(phicache_disk_cache_set(cache, text("from here"), text("too")));
    CHECK_OK(phicache_disk_cache_free(cache));
    cache = open_cache("processes");
    CHECK_OK(phicache_disk_cache_get(cache, text("from here"), &value));
    phicache_value_release(&value);
    CHECK_OK(phicache_disk_cache_get(cache, text("from the child"), &value));
    phicache_value_release(&value);
    CHECK_OK(phicache_disk_cache_free(cache));
    cache = open_cache("another context");
    CHECK_STATUS(phicache_disk_cache_get(cache, text("from here"), &value), PHICACHE_MISS);
    CHECK_OK(phicache_disk_cache_free(cache));
}

/* The files of a process are short (ulimit -f): it has many segments. */
static int child_has_short_files(void) {
    const struct rlimit limit = {64 << 10, 64 << 10};
    static uint8_t value[4096];
    phicache_disk_cache *cache = open_cache("short files");
    phicache_value found;
    int32_t key;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    for (key = 0; key < 100; ++key) {
        const phicache_bytes stored = bytes(value, sizeof value);
        value[0] = (uint8_t)key;
        if (phicache_disk_cache_set(cache, bytes(&key, sizeof key), stored) != PHICACHE_OK) return 2;
    }
    if (phicache_disk_cache_free(cache) != PHICACHE_OK) return 3;
    cache = open_cache("short files");
    for (key = 0; key < 100; ++key) {
        if (phicache_disk_cache_get(cache, bytes(&key, sizeof key), &found) != PHICACHE_OK) return 4;
        if (found.len != sizeof value || found.data[0] != (uint8_t)key) return 5;
        phicache_value_release(&found);
    }
    return phicache_disk_cache_free(cache) != PHICACHE_OK;
}

static void short_files_do_not_end_the_stores(void) { in_child(child_has_short_files); }

#ifndef PHICACHE_SANITIZED /* sanitizers' allocators end a process without memory */
enum { RECORD = 30000, MANY = 1000 }; /* a record longer than 32 KiB would be in a file of its own */

static int32_t compute_a_record(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    uint8_t *room = NULL;
    (void)user_data, (void)call_data, (void)key;
    if (phicache_result_reserve(result, RECORD, &room) != PHICACHE_OK) return -99;
    memset(room, 7, RECORD);
    take_memory();
    return 0;
}

static int32_t compute_nothing(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    (void)user_data, (void)call_data, (void)key, (void)result;
    return 5;
}

static int child_has_no_memory(void) {
    static phicache_bytes many[MANY];
    static phicache_value values[MANY];
    phicache_disk_cache *cache = open_cache("no memory");
    phicache_value value, other;
    uint64_t numbers[MANY];
    size_t found = 0, i;
    phicache_status status;
    uint32_t origin;
    for (i = 0; i < MANY; ++i) numbers[i] = i, many[i] = bytes(&numbers[i], sizeof numbers[i]);
    if (phicache_disk_cache_set(cache, text("k"), text("v")) != PHICACHE_OK) return 2;
    status = phicache_disk_cache_memoize(cache, text("long"), compute_a_record, NULL, NULL, &value, NULL);
    /* Without memory these may fail, but the process goes on. */
    (void)phicache_disk_cache_get(cache, text("long"), &other);
    phicache_value_release(&other);
    (void)phicache_disk_cache_set(cache, text("other"), text("v"));
    (void)phicache_cache_set_many(view(cache), many, many, MANY, NULL);
    (void)phicache_cache_get_many(view(cache), many, MANY, values, NULL);
    (void)phicache_disk_cache_remove(cache, text("other"));
    (void)phicache_disk_cache_memoize(cache, text("fails"), compute_nothing, NULL, NULL, &other, NULL);
    give_memory_back();
    for (i = 0; i < MANY; ++i) phicache_value_release(&values[i]);
    if (status != PHICACHE_OK || value.len != RECORD || value.data[RECORD - 1] != 7) return 4;
    origin = value.origin;
    phicache_value_release(&value);
    if (origin != PHICACHE_ORIGIN_COMPUTED && origin != PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_STORAGE) return 5;
    if (phicache_cache_set_many(view(cache), many, many, MANY, NULL) != PHICACHE_OK) return 6;
    take_memory();
    status = phicache_disk_cache_free(cache);
    give_memory_back();
    if (status != PHICACHE_OK) return 7;
    cache = open_cache("no memory");
    if (phicache_cache_get_many(view(cache), many, MANY, values, &found) != PHICACHE_OK || found != MANY) return 8;
    for (i = 0; i < MANY; ++i) phicache_value_release(&values[i]);
    return phicache_disk_cache_free(cache) != PHICACHE_OK;
}

static void nothing_is_lost_without_memory(void) { in_child(child_has_no_memory); }
#endif

static int child_computes(void) {
    phicache_disk_cache *cache = open_cache("forks");
    phicache_value value;
    if (phicache_disk_cache_get(cache, text("before"), &value) != PHICACHE_OK) return 1;
    phicache_value_release(&value);
    if (phicache_disk_cache_set(cache, text("in the child"), text("c")) != PHICACHE_OK) return 2;
    return phicache_disk_cache_free(cache) != PHICACHE_OK;
}

static void parent_and_child_use_one_cache(void) {
    phicache_disk_cache *cache = open_cache("forks");
    phicache_value value;
    CHECK_OK(phicache_disk_cache_set(cache, text("before"), text("b")));
    in_child(child_computes);
    CHECK_OK(phicache_disk_cache_set(cache, text("after"), text("a")));
    CHECK_OK(phicache_disk_cache_get(cache, text("in the child"), &value));
    CHECK_VALUE(value, "c");
    phicache_value_release(&value);
    CHECK_OK(phicache_disk_cache_free(cache));
}

static void handles_of_one_context_are_one_cache(void) {
    phicache_disk_cache *one = open_cache("shared"), *other = open_cache("shared"), *third;
    phicache_cache_options options = at_once();
    phicache_value value;
    int found;
    CHECK_OK(phicache_disk_cache_set(one, text("k"), text("v")));
    CHECK_OK(phicache_disk_cache_get(other, text("k"), &value));
    phicache_value_release(&value);
    CHECK_OK(phicache_disk_cache_remove(other, text("k")));
    CHECK_STATUS(phicache_disk_cache_get(one, text("k"), &value), PHICACHE_MISS);
    options.near_bytes = 1 << 20;
    found = phicache_disk_cache_new(config, &options, text("shared"), &third);
    CHECK_STATUS(found, PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_disk_cache_free(one));
    CHECK_OK(phicache_disk_cache_set(other, text("k"), text("w")));
    CHECK_OK(phicache_disk_cache_free(other));
    CHECK_OK(phicache_disk_cache_new(config, &options, text("shared"), &third));
    CHECK_OK(phicache_disk_cache_get(third, text("k"), &value));
    CHECK_VALUE(value, "w");
    phicache_value_release(&value);
    CHECK_OK(phicache_disk_cache_free(third));
}

static void a_repeated_hit_is_near(void) {
    phicache_disk_cache *cache = open_cache("near");
    int i;
    phicache_stats stats;
    phicache_value value;
    CHECK_OK(phicache_disk_cache_set(cache, text("k"), text("v")));
    CHECK_OK(phicache_disk_cache_free(cache));
    cache = open_cache("near");
    for (i = 0; i < 3; i++) {
        CHECK_OK(phicache_disk_cache_get(cache, text("k"), &value));
        CHECK_UINT(value.origin, PHICACHE_ORIGIN_HIT);
        phicache_value_release(&value);
    }
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_disk_cache_stats(cache, &stats));
    CHECK_UINT(stats.hits, 3);
    CHECK_UINT(stats.size, 1);
    CHECK(stats.live_bytes > 0);
    CHECK_OK(phicache_disk_cache_free(cache));
}

static void a_reader_refuses_stores_and_hands_computed_values_out(void) {
    phicache_disk_cache *cache = open_cache("read");
    phicache_cache_options options = at_once();
    answer computed = answers("computed");
    phicache_value value;
    phicache_stats stats;
    CHECK_OK(phicache_disk_cache_set(cache, text("k"), text("v")));
    CHECK_OK(phicache_disk_cache_free(cache));
    options.read_only = 1;
    CHECK_OK(phicache_disk_cache_new(config, &options, text("read"), &cache));
    CHECK_STATUS(phicache_disk_cache_set(cache, text("k"), text("w")), PHICACHE_REFUSED_DISABLED);
    CHECK_OK(phicache_disk_cache_get(cache, text("k"), &value));
    CHECK_VALUE(value, "v");
    phicache_value_release(&value);
    CHECK_OK(phicache_disk_cache_memoize(cache, text("new"), compute_answer, &computed, NULL, &value, NULL));
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_DISABLED);
    phicache_value_release(&value);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_disk_cache_stats(cache, &stats));
    CHECK_UINT(stats.refused_disabled, 2);
    CHECK_STATUS(phicache_disk_cache_remove(cache, text("k")), PHICACHE_ERROR_UNSUPPORTED);
    CHECK_STATUS(phicache_disk_cache_clear(cache), PHICACHE_ERROR_UNSUPPORTED);
    CHECK_OK(phicache_disk_cache_free(cache));
}

static int32_t count_entry(void *user_data, const phicache_entry *entry, phicache_value *value) {
    int *sum = (int *)user_data;
    CHECK_UINT(entry->key.len, 2);
    CHECK(value->data[0] == entry->key.data[1]);
    *sum += entry->key.data[1];
    return 0;
}

static void a_walk_sees_what_is_in_the_files(void) {
    phicache_disk_cache *cache = open_cache("walk");
    int sum = 0, i;
    int32_t code;
    for (i = 1; i <= 100; i++) {
        const uint8_t key[2] = {'k', (uint8_t)i};
        CHECK_OK(phicache_disk_cache_set(cache, bytes(key, 2), bytes(key + 1, 1)));
    }
    CHECK_OK(phicache_disk_cache_remove(cache, bytes("k\x05", 2)));
    CHECK_OK(phicache_disk_cache_free(cache));
    cache = open_cache("walk");
    CHECK_OK(phicache_cache_for_each(view(cache), count_entry, &sum, &code));
    CHECK_UINT(sum, 5050 - 5);
    CHECK_OK(phicache_disk_cache_free(cache));
}

static void a_memo_needs_a_version(void) {
    phicache_disk_cache *cache = open_cache("memo");
    answer computed = answers("computed");
    phicache_memo *memo;
    phicache_key *arguments;
    phicache_value value;
    CHECK_STATUS(phicache_memo_new(NULL, compute_answer, &computed, NULL, PHICACHE_MEMORY_CONFIGURED, 0, view(cache),
                                   "f", &memo),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(strstr(phicache_last_error(), "@1") != NULL);
    CHECK_OK(phicache_memo_new(NULL, compute_answer, &computed, NULL, PHICACHE_MEMORY_CONFIGURED, 0, view(cache), "f@1",
                               &memo));
    CHECK_OK(phicache_key_new(&arguments));
    CHECK_OK(phicache_key_add_int(arguments, 3));
    CHECK_OK(phicache_memo_call(memo, arguments, NULL, &value, NULL));
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_COMPUTED);
    phicache_value_release(&value);
    CHECK_OK(phicache_memo_call(memo, arguments, NULL, &value, NULL));
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_HIT);
    phicache_value_release(&value);
    CHECK_OK(phicache_key_free(arguments));
    CHECK_OK(phicache_memo_free(memo));
    CHECK_OK(phicache_disk_cache_free(cache));
}

static void directories_of_others_are_refused(void) {
    phicache_config *other;
    phicache_disk_cache *cache;
    char path[96];
    CHECK_OK(phicache_config_new(&other));
    snprintf(path, sizeof path, "%s/open", directory);
    CHECK(mkdir(path, 0700) == 0 && chmod(path, 0777) == 0);
    CHECK_OK(phicache_config_set_disk_directory(other, path));
    CHECK_STATUS(phicache_disk_cache_new(other, NULL, text("c"), &cache), PHICACHE_ERROR_STORAGE);
    CHECK(strstr(phicache_last_error(), path) != NULL && strstr(phicache_last_error(), "700") != NULL);
    CHECK_STATUS(phicache_config_set_disk_directory(other, "relative"), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_disk_cache_new(config, NULL, text(""), &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_config_free(other));
}

static void a_directory_is_listed_and_an_identity_removed(void) {
    static phicache_disk_item items[64];
    phicache_fingerprint fingerprint;
    phicache_cache_options options = at_once();
    phicache_disk_cache *cache;
    size_t before, count, at;
    items[0].struct_size = sizeof items[0];
    CHECK_OK(phicache_disk_list(config, 1, items, 64, &before));
    memset(&fingerprint, 7, sizeof fingerprint);
    CHECK_OK(phicache_disk_cache_shared(config, &options, &fingerprint, "repertoires", &cache));
    CHECK_OK(phicache_disk_cache_set(cache, text("k"), text("v")));
    CHECK_OK(phicache_disk_cache_set(cache, text("l"), text("v")));
    CHECK_OK(phicache_disk_sync(cache));
    CHECK_OK(phicache_disk_list(config, 1, items, 64, &count));
    CHECK_UINT(count, before + 1);
    for (at = 0; at < count && strcmp(items[at].role, "repertoires") != 0; at++) {}
    CHECK(at < count && memcmp(&items[at].fingerprint, &fingerprint, sizeof fingerprint) == 0);
    CHECK_UINT(items[at].records, 2);
    CHECK_UINT(items[at].segments, 1);
    CHECK_UINT(items[at].writers, 1);
    CHECK_UINT(items[at].damaged, 0);
    CHECK(items[at].context[0] == 0);
    for (at = 0; at < count && strcmp(items[at].context, "walk") != 0; at++) {}
    CHECK(at < count && strcmp(items[at].role, "values") == 0);
    CHECK_OK(phicache_disk_cache_free(cache));
    CHECK_OK(phicache_disk_remove(config, &fingerprint));
    CHECK_OK(phicache_disk_list(config, 0, items, 64, &count));
    CHECK_UINT(count, before);
}

static void the_state_is_shown(void) {
    phicache_disk_cache *cache = open_cache("health");
    phicache_disk_health health;
    phicache_dict_cache *dict;
    phicache_cache *any;
    CHECK_OK(phicache_disk_cache_set(cache, text("k"), text("v")));
    health.struct_size = sizeof health;
    CHECK_OK(phicache_cache_disk_health(view(cache), &health));
    CHECK_UINT(health.segments, 1);
    CHECK_UINT(health.failures, 0);
    CHECK(health.index_bytes > 0 && health.last_failure[0] == 0);
    CHECK_OK(phicache_dict_cache_new(NULL, NULL, &dict));
    CHECK_OK(phicache_dict_cache_as_cache(dict, &any));
    CHECK_STATUS(phicache_cache_disk_health(any, &health), PHICACHE_ERROR_INVALID_HANDLE);
    CHECK_OK(phicache_dict_cache_free(dict));
    CHECK_OK(phicache_disk_cache_free(cache));
}

/* A program that has closed its standard output would print into a file of the cache. */
static void no_file_has_the_descriptor_of_a_standard_stream(void) {
    int status = 0, closed;
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        phicache_disk_cache *cache = NULL;
        phicache_value value;
        for (closed = 0; closed <= 2; closed++) close(closed);
        if (phicache_disk_cache_new(config, NULL, text("closed streams"), &cache) != PHICACHE_OK) _exit(1);
        if (phicache_disk_cache_set(cache, text("key"), text("value")) != PHICACHE_OK) _exit(2);
        if (phicache_disk_cache_get(cache, text("key"), &value) != PHICACHE_OK) _exit(3);
        for (closed = 0; closed <= 2; closed++)
            if (fcntl(closed, F_GETFD) != -1) _exit(4);
        _exit(0);
    }
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
}

int main(void) {
    char path[128];
    size_t len;
    make_scratch(directory);
    CHECK_OK(phicache_config_new(&config));
    CHECK_OK(phicache_config_set_disk_directory(config, directory));
    CHECK_OK(phicache_config_get_disk_directory(config, path, sizeof path, &len));
    CHECK(strcmp(path, directory) == 0 && len == strlen(directory));
    RUN(values_outlive_handles_and_processes);
    RUN(short_files_do_not_end_the_stores);
#ifndef PHICACHE_SANITIZED
    RUN(nothing_is_lost_without_memory);
#endif
    RUN(no_file_has_the_descriptor_of_a_standard_stream);
    RUN(parent_and_child_use_one_cache);
    RUN(handles_of_one_context_are_one_cache);
    RUN(a_repeated_hit_is_near);
    RUN(a_reader_refuses_stores_and_hands_computed_values_out);
    RUN(a_walk_sees_what_is_in_the_files);
    RUN(a_memo_needs_a_version);
    RUN(directories_of_others_are_refused);
    RUN(a_directory_is_listed_and_an_identity_removed);
    RUN(the_state_is_shown);
    CHECK_OK(phicache_config_free(config));
    remove_scratch(directory);
    return check_report();
}
