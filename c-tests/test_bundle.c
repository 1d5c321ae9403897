/* test_bundle.c: saved caches: what is saved is loaded or read in place; contexts, types, descriptions, forks.
 * tests/bundle.rs covers damage and faults. */
#include "scratch.h" /* first: it requests POSIX */

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sample.h"

static char directory[64], path[80];

/* A call fails with this status, and its message contains `part`. */
#define CHECK_ERROR(call, status, part)                   \
    do {                                                  \
        CHECK_STATUS(call, status);                       \
        CHECK_CONTAINS(phicache_last_error(), part);      \
    } while (0)

static phicache_cache *dict_view(phicache_dict_cache **cache) {
    phicache_cache *view;
    CHECK_OK(phicache_dict_cache_new(NULL, NULL, cache));
    CHECK_OK(phicache_dict_cache_as_cache(*cache, &view));
    return view;
}

/* Saves three values, one of them long, with the context "squares". */
static void save_sample(void) {
    phicache_dict_cache *cache;
    phicache_cache *view = dict_view(&cache);
    static uint8_t longer[50000];
    uint64_t count = 0;
    longer[49999] = 7;
    CHECK_OK(phicache_cache_set_with_cost(view, text("a"), text("one"), 5000));
    CHECK_OK(phicache_cache_set(view, text(""), text("")));
    CHECK_OK(phicache_cache_set(view, text("long"), bytes(longer, sizeof longer)));
    CHECK_OK(phicache_cache_save(view, path, text("squares"), &count));
    CHECK(count == 3);
    CHECK_OK(phicache_cache_save(view, path, text("squares"), NULL));
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void values_are_loaded_with_their_costs(void) {
    phicache_dict_cache *cache;
    phicache_cache *view = dict_view(&cache);
    phicache_load_counts counts;
    phicache_walk *walk;
    phicache_entry entry;
    phicache_value value;
    uint64_t seen = 0;
    counts.struct_size = sizeof counts;
    entry.struct_size = sizeof entry;
    CHECK_OK(phicache_cache_set(view, text("a"), text("mine")));
    CHECK_OK(phicache_cache_load(view, path, text("squares"), &counts));
    CHECK(counts.loaded == 2 && counts.kept == 1 && counts.refused == 0 && counts.damaged == 0);
    CHECK_OK(phicache_cache_peek(view, text("a"), &value));
    CHECK_VALUE(value, "mine");
    phicache_value_release(&value);
    CHECK_OK(phicache_dict_cache_remove(cache, text("a")));
    CHECK_OK(phicache_cache_load(view, path, text("squares"), &counts));
    CHECK(counts.loaded == 1 && counts.kept == 2);
    CHECK_OK(phicache_walk_new(view, &walk));
    while (phicache_walk_next(walk, &entry, &value) == PHICACHE_OK) {
        seen++;
        if (entry.key.len == 1) CHECK(entry.cost_ns == 5000);
        if (entry.key.len == 4) CHECK(value.len == 50000 && value.data[49999] == 7);
        phicache_value_release(&value);
    }
    CHECK(seen == 3);
    CHECK_OK(phicache_walk_free(walk));
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void another_context_loads_nothing(void) {
    phicache_dict_cache *cache;
    phicache_cache *view = dict_view(&cache);
    phicache_disk_cache *opened;
    phicache_load_counts counts;
    uint64_t size, count = 9;
    memset(&counts, 0xEE, sizeof counts);
    counts.struct_size = sizeof counts;
    CHECK_ERROR(phicache_cache_load(view, path, text("cubes"), &counts), PHICACHE_ERROR_INVALID_ARGUMENT, "\"cubes\"");
    CHECK(strstr(phicache_last_error(), "\"squares\"") != NULL);
    CHECK(counts.loaded == 0 && counts.kept == 0 && counts.refused == 0 && counts.damaged == 0);
    CHECK_ERROR(phicache_disk_cache_open(NULL, NULL, path, text("cubes"), &opened), PHICACHE_ERROR_INVALID_ARGUMENT,
                "\"squares\"");
    CHECK_OK(phicache_dict_cache_size(cache, &size));
    CHECK(size == 0);
    CHECK_ERROR(phicache_cache_save(view, path, text(""), &count), PHICACHE_ERROR_INVALID_ARGUMENT, "context");
    CHECK(count == 0);
    CHECK_ERROR(phicache_cache_load(view, "/nowhere", text("squares"), &counts), PHICACHE_ERROR_STORAGE, "/nowhere");
    CHECK_ERROR(phicache_cache_load(view, "/etc/passwd", text("squares"), &counts), PHICACHE_ERROR_DAMAGED, "passwd");
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void a_file_is_read_in_place(void) {
    phicache_cache_options options = {0};
    phicache_disk_cache *cache;
    phicache_cache *view;
    phicache_disk_health health;
    phicache_registry_item item;
    phicache_info info;
    phicache_value value;
    size_t named;
    options.struct_size = sizeof options;
    options.name = "results of a paper";
    health.struct_size = sizeof health;
    item.struct_size = sizeof item;
    CHECK(chmod(path, 0444) == 0);
    CHECK_OK(phicache_disk_cache_open(NULL, &options, path, text("squares"), &cache));
    CHECK_OK(phicache_registry_list(&item, 1, &named));
    CHECK(named == 1 && item.kind == PHICACHE_KIND_DISK && item.info.size == 3);
    CHECK_OK(phicache_disk_cache_get(cache, text("a"), &value));
    CHECK_VALUE(value, "one");
    phicache_value_release(&value);
    CHECK_OK(phicache_disk_cache_get(cache, text("long"), &value));
    CHECK(value.len == 50000 && value.data[49999] == 7);
    phicache_value_release(&value);
    CHECK_STATUS(phicache_disk_cache_get(cache, text("b"), &value), PHICACHE_MISS);
    CHECK_OK(phicache_disk_cache_info(cache, &info));
    CHECK_COUNTS(info, 2, 1, 3);
    CHECK_STATUS(phicache_disk_cache_set(cache, text("b"), text("two")), PHICACHE_REFUSED_DISABLED);
    CHECK_STATUS(phicache_disk_cache_remove(cache, text("a")), PHICACHE_ERROR_UNSUPPORTED);
    CHECK_STATUS(phicache_disk_cache_clear(cache), PHICACHE_ERROR_UNSUPPORTED);
    CHECK_OK(phicache_disk_sync(cache));
    CHECK_OK(phicache_disk_cache_as_cache(cache, &view));
    CHECK_OK(phicache_cache_disk_health(view, &health));
    CHECK(health.segments == 1 && health.failures == 0 && health.damaged == 0 && health.index_bytes > 0);
    CHECK_OK(phicache_disk_cache_free(cache));
    CHECK(chmod(path, 0644) == 0);
}

static void a_file_says_what_it_is(void) {
    phicache_disk_item item;
    struct stat status;
    item.struct_size = sizeof item;
    CHECK(stat(path, &status) == 0);
    CHECK_OK(phicache_bundle_describe(path, 1, &item));
    CHECK(strcmp(item.role, "values") == 0 && strcmp(item.context, "squares") == 0);
    CHECK(item.records == 3 && item.damaged == 0 && item.segments == 1 && item.bytes == (uint64_t)status.st_size);
    CHECK_ERROR(phicache_bundle_describe("/etc/passwd", 0, &item), PHICACHE_ERROR_DAMAGED, "passwd");
}

/* Parent and child use the caches that existed before a fork, and save others. */
static void both_sides_of_a_fork_go_on(void) {
    phicache_disk_cache *opened;
    phicache_dict_cache *cache;
    phicache_cache *view = dict_view(&cache);
    phicache_value value;
    int status;
    pid_t child;
    CHECK_OK(phicache_disk_cache_open(NULL, NULL, path, text("squares"), &opened));
    CHECK_OK(phicache_dict_cache_set(cache, text("k"), text("v")));
    child = fork();
    CHECK_OK(phicache_disk_cache_get(opened, text("a"), &value));
    CHECK_VALUE(value, "one");
    phicache_value_release(&value);
    if (child == 0) {
        char own[96];
        (void)snprintf(own, sizeof own, "%s-child", path);
        CHECK_OK(phicache_cache_save(view, own, text("squares"), NULL));
        CHECK_OK(phicache_disk_cache_free(opened));
        _exit(check_report());
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_OK(phicache_disk_cache_get(opened, text("long"), &value));
    phicache_value_release(&value);
    CHECK_OK(phicache_disk_cache_free(opened));
    CHECK_OK(phicache_dict_cache_free(cache));
}

static phicache_cache *mice_view(phicache_subsystem *subsystem, phicache_mice_cache **cache) {
    phicache_cache *view;
    CHECK_OK(phicache_dict_mice_cache_new(NULL, NULL, subsystem, NULL, cache));
    CHECK_OK(phicache_mice_cache_as_cache(*cache, &view));
    return view;
}

static void mice_belong_to_their_subsystem(void) {
    const int32_t states[2][2] = {{1, 0}, {0, 0}};
    phicache_fingerprint network = {{1}};
    phicache_subsystem *systems[2];
    phicache_mice_cache *caches[3];
    phicache_cache *views[3];
    phicache_load_counts counts;
    phicache_mice mice = {0};
    int at;
    counts.struct_size = sizeof counts;
    mice.struct_size = sizeof mice;
    mice.mechanism = mice.purview = 1;
    mice.phi = 0.5;
    for (at = 0; at < 2; at++) {
        CHECK_OK(phicache_subsystem_new(&network, 2, states[at], 3, NULL, NULL, &systems[at]));
        views[at] = mice_view(systems[at], &caches[at]);
    }
    views[2] = mice_view(systems[0], &caches[2]);
    CHECK_OK(phicache_mice_cache_set(caches[0], text("key"), &mice));
    CHECK_OK(phicache_cache_save(views[0], path, text("squares"), NULL));
    CHECK_OK(phicache_cache_load(views[2], path, text("squares"), &counts));
    CHECK(counts.loaded == 1);
    CHECK_OK(phicache_mice_cache_contains(caches[2], text("key")));
    CHECK_ERROR(phicache_cache_load(views[1], path, text("squares"), &counts), PHICACHE_ERROR_INVALID_ARGUMENT,
                "another subsystem");
    for (at = 0; at < 3; at++) CHECK_OK(phicache_mice_cache_free(caches[at]));
    for (at = 0; at < 2; at++) CHECK_OK(phicache_subsystem_free(systems[at]));
}

static void a_file_that_is_replaced_keeps_its_permissions(void) {
    const mode_t modes[3] = {0600, 0444, 0640};
    struct stat found;
    size_t i;
    for (i = 0; i < 3; i++) {
        REQUIRE(chmod(path, modes[i]) == 0);
        save_sample();
        REQUIRE(stat(path, &found) == 0);
        CHECK_INT(found.st_mode & 0777, modes[i]);
    }
    CHECK_INT(chmod(path, 0644), 0);
}

int main(void) {
    make_scratch(directory);
    (void)snprintf(path, sizeof path, "%s/squares.phi", directory);
    save_sample();
    a_file_that_is_replaced_keeps_its_permissions();
    values_are_loaded_with_their_costs();
    another_context_loads_nothing();
    a_file_is_read_in_place();
    a_file_says_what_it_is();
    both_sides_of_a_fork_go_on();
    mice_belong_to_their_subsystem();
    remove_scratch(directory);
    return check_report();
}
