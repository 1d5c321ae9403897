/* test_disk_mice.c: MICE on disk: cut children, the choice by configuration, and forked processes of which one computes
 * each MICE. tests/disk_claims.rs covers processes that are killed, and leases. */
#include "scratch.h" /* first: it requests POSIX */

#include <fcntl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sample.h"

#include "mice_sample.h"

enum { PROCESSES = 8, KEYS = 20 };

static char directory[64];
static phicache_config *config;
static int computations[2]; /* a pipe: a byte for each */

static phicache_status new_cache(const uint64_t *severed, phicache_mice_cache *parent, phicache_mice_cache **out) {
    phicache_cache_options options = {0};
    phicache_subsystem *subsystem = new_subsystem(severed);
    options.struct_size = sizeof options;
    options.storage_errors = 1;
    const phicache_status status = phicache_disk_mice_cache_new(config, &options, subsystem, parent, out);
    CHECK_OK(phicache_subsystem_free(subsystem));
    return status;
}

static phicache_mice_cache *open_cache(const uint64_t *severed, phicache_mice_cache *parent) {
    phicache_mice_cache *cache = NULL;
    CHECK_OK(new_cache(severed, parent, &cache));
    return cache;
}

static phicache_cache *view(phicache_mice_cache *cache) {
    phicache_cache *any;
    CHECK_OK(phicache_mice_cache_as_cache(cache, &any));
    return any;
}

static phicache_mice effect(uint64_t mechanism, uint64_t purview, double phi) {
    return mice_of(PHICACHE_EFFECT, mechanism, purview, phi, "payload");
}

static phicache_status get(phicache_mice_cache *cache, const char *key, double *phi) {
    phicache_mice mice = no_mice();
    phicache_value value;
    const phicache_status status = phicache_mice_cache_get(cache, text(key), &mice, &value);
    if (status == PHICACHE_OK) {
        *phi = mice.phi;
        phicache_value_release(&value);
    }
    return status;
}

static void records_outlive_handles_and_a_cut_child_inherits(void) {
    phicache_mice kept = effect(2, 4, 0.5), damaged = effect(1, 2, 0.25);
    phicache_mice_cache *parent = open_cache(NULL, NULL), *child, *other;
    phicache_disk_health health;
    phicache_stats stats;
    double phi = 0.0;
    CHECK_OK(phicache_mice_cache_set(parent, text("kept"), &kept));
    CHECK_OK(phicache_mice_cache_set(parent, text("damaged"), &damaged));
    CHECK_OK(phicache_cache_disk_sync(view(parent)));
    CHECK_OK(phicache_mice_cache_free(parent));
    parent = open_cache(NULL, NULL);
    child = open_cache(CUT, parent);
    CHECK_OK(get(child, "kept", &phi));
    CHECK(phi == 0.5);
    CHECK_STATUS(get(child, "damaged", &phi), PHICACHE_MISS);
    CHECK_STATUS(phicache_mice_cache_set(child, text("new"), &kept), PHICACHE_REFUSED_CUT);
    CHECK_STATUS(phicache_mice_cache_would_store(child, 1.0), PHICACHE_REFUSED_CUT);
    CHECK_OK(phicache_mice_cache_would_store(parent, 1.0));
    health.struct_size = sizeof health;
    CHECK_OK(phicache_cache_disk_health(view(parent), &health));
    CHECK_UINT(health.failures, 0);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_mice_cache_stats(child, &stats));
    CHECK_UINT(stats.hits, 1);
    CHECK_UINT(stats.misses, 1);
    CHECK_UINT(stats.size, 1);
    /* Another handle is the same cache; as a parent it serves too. */
    other = open_cache(NULL, parent);
    CHECK_OK(get(other, "damaged", &phi));
    CHECK(phi == 0.25);
    CHECK_OK(phicache_mice_cache_remove(other, text("kept")));
    CHECK_STATUS(get(parent, "kept", &phi), PHICACHE_MISS);
    CHECK_OK(phicache_mice_cache_clear(parent));
    CHECK_STATUS(get(other, "damaged", &phi), PHICACHE_MISS);
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_mice_cache_free(other));
    CHECK_OK(phicache_mice_cache_free(parent));
}

static void what_the_parent_clears_is_gone_for_its_children(void) {
    phicache_mice_cache *parent = open_cache(NULL, NULL), *child = open_cache(CUT, parent);
    phicache_mice kept = effect(2, 4, 0.5);
    double phi = 0.0;
    CHECK_OK(phicache_mice_cache_set(parent, text("kept"), &kept));
    CHECK_OK(get(child, "kept", &phi));
    CHECK_OK(phicache_mice_cache_clear(parent));
    CHECK_STATUS(get(child, "kept", &phi), PHICACHE_MISS);
    CHECK_OK(phicache_mice_cache_free(parent));
    CHECK_OK(phicache_mice_cache_free(child));
}

static void a_reader_says_that_it_would_refuse_every_mice(void) {
    phicache_subsystem *subsystem = new_subsystem(NULL);
    phicache_mice_cache *parent = open_cache(NULL, NULL), *child;
    phicache_cache_options options = {0};
    phicache_mice mice = effect(2, 4, 0.5);
    CHECK_OK(phicache_mice_cache_set(parent, text("there"), &mice)); /* makes the directory */
    CHECK_OK(phicache_mice_cache_free(parent));
    options.struct_size = sizeof options;
    options.read_only = 1;
    CHECK_OK(phicache_disk_mice_cache_new(config, &options, subsystem, NULL, &parent));
    CHECK_STATUS(phicache_mice_cache_set(parent, text("new"), &mice), PHICACHE_REFUSED_DISABLED);
    CHECK_STATUS(phicache_mice_cache_would_store(parent, 0.5), PHICACHE_REFUSED_DISABLED);
    child = open_cache(CUT, parent);
    CHECK_STATUS(phicache_mice_cache_would_store(child, 0.5), PHICACHE_REFUSED_CUT);
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_mice_cache_free(parent));
    parent = open_cache(NULL, NULL);
    CHECK_OK(phicache_mice_cache_clear(parent));
    CHECK_OK(phicache_mice_cache_free(parent));
    CHECK_OK(phicache_subsystem_free(subsystem));
}

static void the_configuration_chooses(void) {
    phicache_subsystem *subsystem = new_subsystem(NULL);
    phicache_mice_cache *cache = NULL, *here = NULL, *none = NULL;
    phicache_registry_item item;
    phicache_cache_options options = {0};
    phicache_disk_cache *values;
    phicache_value value;
    size_t count;
    options.struct_size = sizeof options;
    options.storage_errors = 1;
    options.name = "chosen";
    CHECK_OK(phicache_mice_cache_new(config, &options, subsystem, NULL, &cache));
    item.struct_size = sizeof item;
    CHECK_OK(phicache_registry_list(&item, 1, &count));
    CHECK_INT(item.kind, PHICACHE_KIND_DISK_MICE);
    CHECK_OK(phicache_dict_mice_cache_new(config, NULL, subsystem, NULL, &here));
    CHECK_STATUS(phicache_disk_mice_cache_new(config, NULL, subsystem, here, &none), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(strstr(phicache_last_error(), "both on disk") != NULL);
    if (phicache_features() & PHICACHE_FEATURE_REDIS) {
        CHECK_OK(phicache_config_set_redis_cache(config, 1));
        CHECK_STATUS(phicache_mice_cache_new(config, NULL, subsystem, NULL, &none), PHICACHE_ERROR_CONFIGURATION);
        CHECK_OK(phicache_config_set_redis_cache(config, 0));
    }
    /* Its handle is of one type only. */
    CHECK_STATUS(phicache_disk_cache_get((phicache_disk_cache *)(void *)cache, text("k"), &value),
                 PHICACHE_ERROR_INVALID_HANDLE);
    CHECK_STATUS(phicache_disk_cache_shared(config, NULL, &(phicache_fingerprint){{1}}, "phicache.mice", &values),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_mice_cache_free(here));
    CHECK_OK(phicache_mice_cache_free(cache));
    CHECK_OK(phicache_subsystem_free(subsystem));
}

/* A program that limits its memory does not know where the configuration puts its MICE, and what others have there. */
static void a_limit_of_memory_removes_no_files(void) {
    enum { OTHERS = 40, MANY = 300, LEN = 64 << 10 };
    static uint8_t content[LEN];
    const uint64_t limit = 1 << 20;
    phicache_disk_cache *others;
    phicache_mice_cache *cache = NULL;
    phicache_subsystem *subsystem = new_subsystem(NULL);
    phicache_cache_options options = {0};
    phicache_stats stats;
    phicache_mice mice = effect(2, 4, 0.5);
    int found = 0;
    CHECK_OK(phicache_disk_cache_new(config, NULL, text("others"), &others));
    for (uint64_t key = 0; key < OTHERS; key++) {
        CHECK_OK(phicache_disk_cache_set(others, bytes(&key, sizeof key), bytes(content, LEN)));
    }
    CHECK_OK(phicache_disk_cache_free(others)); /* its file is complete */

    options.struct_size = sizeof options;
    options.storage_errors = 1;
    options.max_bytes = limit;
    CHECK_OK(phicache_mice_cache_new(config, &options, subsystem, NULL, &cache));
    mice.payload = bytes(content, LEN);
    for (uint64_t key = 0; key < MANY; key++) CHECK_OK(phicache_mice_cache_set(cache, bytes(&key, sizeof key), &mice));
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_mice_cache_stats(cache, &stats));
    CHECK_UINT(stats.size, MANY);
    CHECK(stats.bytes > limit / 2 && stats.bytes < 2 * limit); /* with its index */
    CHECK_OK(phicache_mice_cache_clear(cache));
    CHECK_OK(phicache_mice_cache_free(cache));
    CHECK_OK(phicache_subsystem_free(subsystem));

    CHECK_OK(phicache_disk_cache_new(config, NULL, text("others"), &others));
    for (uint64_t key = 0; key < OTHERS; key++) {
        found += phicache_disk_cache_contains(others, bytes(&key, sizeof key)) == PHICACHE_OK;
    }
    CHECK_INT(found, OTHERS);
    CHECK_OK(phicache_disk_cache_free(others));
}

static void a_child_is_where_its_parent_is(void) {
    phicache_subsystem *uncut = new_subsystem(NULL), *cut = new_subsystem(CUT);
    phicache_mice_cache *disk = open_cache(NULL, NULL), *here = NULL, *child = NULL;
    const phicache_mice on_disk = effect(0x2, 0x4, 0.5), in_memory = effect(0x2, 0x4, 0.75);
    double phi = 0.0;
    CHECK_OK(phicache_dict_mice_cache_new(config, NULL, uncut, NULL, &here));
    CHECK_OK(phicache_mice_cache_set(disk, text("child"), &on_disk));
    CHECK_OK(phicache_mice_cache_set(here, text("child"), &in_memory));
    /* The configuration chooses the disk: not for the child of a cache in this process. */
    CHECK_OK(phicache_mice_cache_new(config, NULL, cut, here, &child));
    CHECK_OK(get(child, "child", &phi));
    CHECK_NEAR(phi, 0.75, 0.0);
    CHECK_OK(phicache_mice_cache_free(child));
    /* The configuration of the process chooses memory: not for the child of a cache on disk. */
    CHECK_OK(phicache_mice_cache_new(NULL, NULL, cut, disk, &child));
    CHECK_OK(get(child, "child", &phi));
    CHECK_NEAR(phi, 0.5, 0.0);
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_mice_cache_remove(disk, text("child")));
    CHECK_OK(phicache_mice_cache_free(here));
    CHECK_OK(phicache_mice_cache_free(disk));
    CHECK_OK(phicache_subsystem_free(cut));
    CHECK_OK(phicache_subsystem_free(uncut));
}

static int32_t compute(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    const phicache_mice mice = effect(2, 4, 0.75);
    (void)user_data;
    (void)call_data;
    (void)key;
    (void)nanosleep(&(struct timespec){0, 2000000}, NULL); /* the others have time to compute too */
    return write(computations[1], "c", 1) == 1 ? phicache_result_mice(result, &mice, NULL) : 1;
}

static int child_memoizes(phicache_mice_cache *cache) {
    int key;
    for (key = 0; key < KEYS; key++) {
        phicache_mice mice = no_mice();
        phicache_value value;
        if (phicache_mice_cache_memoize(cache, bytes((const uint8_t *)&key, sizeof key), compute, NULL, NULL, &mice,
                                        &value, NULL) != PHICACHE_OK)
            return 1;
        if (mice.phi != 0.75) return 2;
        phicache_value_release(&value);
    }
    return 0;
}

static void of_many_processes_one_computes_each(void) {
    phicache_mice_cache *cache = open_cache(NULL, NULL);
    pid_t children[PROCESSES];
    char computed[PROCESSES * KEYS];
    int at, status;
    CHECK(pipe(computations) == 0 && fcntl(computations[0], F_SETFL, O_NONBLOCK) == 0);
    for (at = 0; at < PROCESSES; at++) {
        children[at] = fork();
        if (children[at] == 0) _exit(child_memoizes(cache));
    }
    for (at = 0; at < PROCESSES; at++) {
        CHECK(children[at] > 0 && waitpid(children[at], &status, 0) == children[at]);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    CHECK_INT(child_memoizes(cache), 0);
    CHECK_INT(read(computations[0], computed, sizeof computed), KEYS);
    CHECK_OK(phicache_mice_cache_free(cache));
}

int main(void) {
    make_scratch(directory);
    CHECK_OK(phicache_config_new(&config));
    CHECK_OK(phicache_config_set_disk_directory(config, directory));
    RUN(records_outlive_handles_and_a_cut_child_inherits);
    RUN(what_the_parent_clears_is_gone_for_its_children);
    RUN(a_reader_says_that_it_would_refuse_every_mice);
    RUN(the_configuration_chooses);
    RUN(a_limit_of_memory_removes_no_files);
    RUN(a_child_is_where_its_parent_is);
    RUN(of_many_processes_one_computes_each);
    CHECK_OK(phicache_config_free(config));
    remove_scratch(directory);
    return check_report();
}
