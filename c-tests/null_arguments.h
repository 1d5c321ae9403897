/* null_arguments.h: a valid argument for every parameter of the API, for the generated test of NULL pointers.
 *
 * generate_null_test.py writes one call for each function and pointer parameter, with NULL for that parameter and these
 * arguments for all others. It fails if it finds no argument here by type or name.
 */
#ifndef PHICACHE_NULL_ARGUMENTS_H
#define PHICACHE_NULL_ARGUMENTS_H

#include "scratch.h" /* first: it requests POSIX */

#include "sample.h"

/* Inputs. */
static struct {
    phicache_config *config;
    phicache_key *key;
    phicache_dict_cache *dict;
    phicache_redis_cache *redis; /* at a server that does not exist */
    phicache_disk_cache *disk;
    char directory[64], bundle[80];
    phicache_purview_cache *purview;
    phicache_mice_cache *mice_cache, *redis_mice, *disk_mice;
    phicache_cache *view, *redis_view, *disk_view;
    phicache_memo *memo;
    phicache_method *method;
    phicache_subsystem *subsystem;
    phicache_lease *lease;
    phicache_walk *walk;
    phicache_reader reader;
    phicache_cache_options options;
    phicache_mice mice;
    phicache_fingerprint fingerprint;
    phicache_bytes record;
    phicache_bytes args; /* the key of no arguments */
    uint8_t record_bytes[64];
    double tpm[8];
    int32_t state[2], indices[1];
    int64_t integers[1];
    uint64_t masks[2];
    uint8_t matrix[4];
} in;

/* Outputs; overwritten before each call. */
typedef struct {
    void *handle, *user_data;
    phicache_compute compute;
    phicache_value value;
    phicache_bytes lent;
    phicache_info info;
    phicache_stats stats;
    phicache_memory memory;
    phicache_redis_health health;
    phicache_disk_health disk_health;
    phicache_disk_item disk_items[64];
    phicache_load_counts counts;
    phicache_mice mice;
    phicache_registry_item item;
    phicache_entry entry;
    phicache_reader reader;
    phicache_memory_limit limits[64];
    phicache_fingerprint fingerprint;
    const uint64_t *purviews;
    uint64_t severed[2], number;
    double real;
    size_t len;
    int32_t code, answered, indices[64];
    uint8_t *room;
    uint8_t buffer[1024];
} outputs;

static outputs out;

static inline int32_t compute_empty(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    (void)user_data;
    (void)call_data;
    (void)key;
    (void)result;
    return 0;
}

/* Reserves again after failed reservations, which would decide the status of the call. */
static inline int32_t start_over(phicache_result *result) {
    uint8_t *room;
    return phicache_result_reserve(result, 0, &room);
}

static inline int32_t compute_mice(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    (void)user_data;
    (void)call_data;
    (void)key;
    return phicache_result_mice(result, &in.mice, NULL);
}

static inline void drop_nothing(void *user_data) { (void)user_data; }

static inline int32_t visit_nothing(void *user_data, const phicache_entry *entry, phicache_value *value) {
    (void)user_data;
    (void)entry;
    (void)value;
    return 0;
}

static inline void make_arguments(void) {
    size_t len = 0;
    CHECK_OK(phicache_read_begin()); /* for the functions that read in place */
    in.options.struct_size = sizeof in.options;
    in.mice.struct_size = sizeof in.mice;
    in.mice.phi = 1.0;
    in.masks[0] = 2;
    in.masks[1] = 1;
    CHECK_OK(phicache_mice_encode(&in.mice, in.record_bytes, sizeof in.record_bytes, &len));
    in.record = bytes(in.record_bytes, len);
    in.args = bytes("\xA1", 1);
    CHECK_OK(phicache_config_new(&in.config));
    CHECK_OK(phicache_key_new(&in.key));
    CHECK_OK(phicache_dict_cache_new(NULL, NULL, &in.dict));
    CHECK_OK(phicache_dict_cache_as_cache(in.dict, &in.view));
    CHECK_OK(phicache_walk_new(in.view, &in.walk));
    CHECK_OK(phicache_reader_init(&in.reader, in.view));
    if (phicache_features() & PHICACHE_FEATURE_REDIS) {
        CHECK_OK(phicache_config_set_redis_url(NULL, "unix:///nowhere/socket"));
        CHECK_OK(phicache_redis_cache_new(NULL, NULL, &in.redis));
        CHECK_OK(phicache_redis_cache_as_cache(in.redis, &in.redis_view));
    }
    make_scratch(in.directory);
    CHECK_OK(phicache_config_set_disk_directory(NULL, in.directory));
    CHECK_OK(phicache_disk_cache_new(NULL, NULL, text("context"), &in.disk));
    CHECK_OK(phicache_disk_cache_as_cache(in.disk, &in.disk_view));
    (void)snprintf(in.bundle, sizeof in.bundle, "%s/bundle", in.directory);
    CHECK_OK(phicache_cache_save(in.view, in.bundle, text("bytes"), NULL));
    CHECK_OK(phicache_purview_cache_new(NULL, NULL, &in.purview));
    in.fingerprint.bytes[0] = 1;
    CHECK_OK(phicache_subsystem_new(&in.fingerprint, 2, in.state, 3, NULL, NULL, &in.subsystem));
    CHECK_OK(phicache_dict_mice_cache_new(NULL, NULL, in.subsystem, NULL, &in.mice_cache));
    CHECK_OK(phicache_disk_mice_cache_new(NULL, NULL, in.subsystem, NULL, &in.disk_mice));
    if (in.redis != NULL)
        CHECK_OK(phicache_redis_mice_cache_new(NULL, NULL, in.subsystem, NULL, &in.redis_mice));
    CHECK_OK(phicache_memo_new(NULL, compute_empty, NULL, NULL, 50.0, 0, NULL, NULL, &in.memo));
    CHECK_OK(phicache_method_new(NULL, 0, compute_empty, NULL, NULL, &in.method));
}

static inline void free_arguments(void) {
    CHECK_OK(phicache_lease_abandon(in.lease));
    CHECK_OK(phicache_walk_free(in.walk));
    phicache_reader_release(&in.reader);
    CHECK_OK(phicache_method_free(in.method));
    CHECK_OK(phicache_memo_free(in.memo));
    CHECK_OK(phicache_mice_cache_free(in.redis_mice));
    CHECK_OK(phicache_mice_cache_free(in.disk_mice));
    CHECK_OK(phicache_mice_cache_free(in.mice_cache));
    CHECK_OK(phicache_subsystem_free(in.subsystem));
    CHECK_OK(phicache_purview_cache_free(in.purview));
    CHECK_OK(phicache_redis_cache_free(in.redis));
    CHECK_OK(phicache_disk_cache_free(in.disk));
    remove_scratch(in.directory);
    CHECK_OK(phicache_dict_cache_free(in.dict));
    CHECK_OK(phicache_key_free(in.key));
    CHECK_OK(phicache_config_free(in.config));
}

/* Before each call: empties the caches, creates a lease, and fills outputs with values that no failed call leaves
 * there. */
static inline void prepare(void) {
    phicache_value value;
    (void)phicache_lease_abandon(in.lease); /* the last call may have completed it */
    CHECK_OK(phicache_dict_cache_clear(in.dict));
    CHECK_OK(phicache_disk_cache_clear(in.disk));
    CHECK_OK(phicache_config_set_disk_directory(NULL, in.directory));
    CHECK_OK(phicache_purview_cache_clear(in.purview));
    CHECK_OK(phicache_mice_cache_clear(in.mice_cache));
    CHECK_OK(phicache_key_reset(in.key));
    CHECK_OK(phicache_config_set_redis_url(NULL, "unix:///nowhere/socket")); /* another call may have set it */
    CHECK_STATUS(phicache_cache_begin(in.view, text("leased"), 1, &value, &in.lease), PHICACHE_LEASE);
    memset(&out, 0xEE, sizeof out);
    out.stats.struct_size = sizeof out.stats;
    out.memory.struct_size = sizeof out.memory;
    out.health.struct_size = sizeof out.health;
    out.disk_health.struct_size = sizeof out.disk_health;
    out.disk_items[0].struct_size = sizeof out.disk_items[0];
    out.counts.struct_size = sizeof out.counts;
    out.mice.struct_size = sizeof out.mice;
    out.item.struct_size = sizeof out.item;
    out.entry.struct_size = sizeof out.entry;
    out.limits[0].struct_size = sizeof out.limits[0];
}

static inline void check_null_refused(const char *function, const char *parameter, phicache_status status) {
    if (status != PHICACHE_ERROR_INVALID_ARGUMENT)
        fprintf(stderr, "%s with %s NULL is %s\n", function, parameter, phicache_status_name(status));
    else
        check_contains(function, 0, "the message", phicache_last_error(), parameter);
    check_count(status == PHICACHE_ERROR_INVALID_ARGUMENT);
}

/* A [nullable] parameter: NULL is valid. The call may fail otherwise, because a feature was not built in or no server
 * answers, but only after it has checked its parameters. */
static inline void check_null_taken(const char *function, const char *parameter, phicache_status status) {
    const int taken =
        status >= 0 || status == PHICACHE_ERROR_BUFFER_TOO_SMALL || status == PHICACHE_ERROR_UNSUPPORTED ||
        status == PHICACHE_ERROR_REDIS;
    if (!taken)
        fprintf(stderr, "%s with %s NULL is %s: %s\n", function, parameter, phicache_status_name(status),
                phicache_last_error());
    check_count(taken);
}

/* On an error of the whole batch, the status of each key is that error. */
static inline void check_told(const char *function, const char *null, const char *parameter, phicache_status told,
                              phicache_status status) {
    if (told != status)
        fprintf(stderr, "%s with %s NULL is %s, and %s says %s\n", function, null, phicache_status_name(status),
                parameter, phicache_status_name(told));
    check_count(told == status);
}

/* On an error, outputs are zero, except for the struct_size of a struct. */
static inline void check_zero(const char *function, const char *null, const char *parameter, const void *output,
                              size_t skip, size_t size) {
    const uint8_t *all = (const uint8_t *)output;
    size_t i;
    for (i = skip; i < size && all[i] == 0; i++) {}
    if (i < size) fprintf(stderr, "%s with %s NULL leaves %s unset\n", function, null, parameter);
    check_count(i == size);
}

#endif /* PHICACHE_NULL_ARGUMENTS_H */
