/* test_recursion.c: computations nest 20,000 keys deep on a stack of 8 MiB, and the library takes at most 256 bytes of
 * stack for a level.
 *
 * The callback below requests the next key inside its own computation through the library, or calls itself directly. In
 * both cases the addresses of two of its frames show the size of a level; the difference is the library's share. */
#define _POSIX_C_SOURCE 200809L /* pthread_attr_setstacksize */

#include "sample.h"

#include <pthread.h>

#ifdef PHICACHE_SANITIZED /* an instrumented library has larger frames */
enum { DEPTH = 20000, STACK = 512 << 20, FRAMES_AT_MOST = 4000 };
#else
enum { DEPTH = 20000, STACK = 8 << 20, FRAMES_AT_MOST = 256 };
#endif

typedef int32_t way(uint64_t depth, phicache_result *result);

/* How the callback requests the next key, and what it has measured. One thread at a time runs these tests. */
static way *ask_next;
static uintptr_t frame_near_top, frame_near_bottom; /* of depth 10 and of depth DEPTH - 10 */
static uint64_t computed;

static phicache_dict_cache *dict;
static phicache_cache *view;
static phicache_mice_cache *mice_cache;
static phicache_purview_cache *purviews;
static phicache_memo *memo;
static phicache_method *method;
static phicache_key *args;

/* A MICE cache needs a record; writing it uses no stack while the next key is computed. */
__attribute__((noinline)) static int32_t write_record(phicache_result *result) {
    phicache_mice mice;
    memset(&mice, 0, sizeof mice);
    mice.struct_size = sizeof mice;
    mice.phi = 1;
    return phicache_result_mice(result, &mice, NULL);
}

static int32_t write_nothing(phicache_result *result) {
    (void)result;
    return 0;
}

static int32_t (*write_value)(phicache_result *result);

/* Not inlined, so that each level has its own frame. */
__attribute__((noinline)) static int32_t nest(void *user_data, void *call_data, phicache_bytes key,
                                              phicache_result *result) {
    const uint64_t depth = *(const uint64_t *)call_data;
    uint64_t below = depth + 1;
    (void)user_data;
    (void)key;
    computed++;
    if (depth == 10) frame_near_top = (uintptr_t)__builtin_frame_address(0);
    if (depth == DEPTH - 10) frame_near_bottom = (uintptr_t)__builtin_frame_address(0);
    if (depth < DEPTH && ask_next(below, result) != 0) return -1;
    return write_value(result);
}

/* All ways need the same stack as `without_the_library`: the arguments of one call. */
#define VALUE_OF_THE_CALL phicache_value value = {NULL, 0, NULL, 0, 0}
#define END_OF_THE_CALL(call)                       \
    const phicache_status status = (call);          \
    (void)result;                                   \
    phicache_value_release(&value);                 \
    return status == PHICACHE_OK ? 0 : -1

static int32_t through_dict(uint64_t depth, phicache_result *result) {
    VALUE_OF_THE_CALL;
    END_OF_THE_CALL(phicache_dict_cache_memoize(dict, bytes(&depth, 8), nest, NULL, &depth, &value, NULL));
}

static int32_t through_view(uint64_t depth, phicache_result *result) {
    VALUE_OF_THE_CALL;
    END_OF_THE_CALL(phicache_cache_memoize(view, bytes(&depth, 8), nest, NULL, &depth, &value, NULL));
}

static int32_t through_purviews(uint64_t depth, phicache_result *result) {
    static const uint64_t *masks;
    static size_t count;
    VALUE_OF_THE_CALL;
    END_OF_THE_CALL(phicache_purview_cache_memoize(purviews, PHICACHE_CAUSE, depth, nest, NULL, &depth, &masks, &count,
                                                   &value, NULL));
}

static int32_t through_memo(uint64_t depth, phicache_result *result) {
    VALUE_OF_THE_CALL;
    if (phicache_key_reset(args) != PHICACHE_OK || phicache_key_add_uint(args, depth) != PHICACHE_OK) return -1;
    END_OF_THE_CALL(phicache_memo_call(memo, args, &depth, &value, NULL));
}

static int32_t through_method(uint64_t depth, phicache_result *result) {
    VALUE_OF_THE_CALL;
    if (phicache_key_reset(args) != PHICACHE_OK || phicache_key_add_uint(args, depth) != PHICACHE_OK) return -1;
    END_OF_THE_CALL(phicache_method_call(method, view, &depth, args, &value, NULL));
}

static int32_t through_mice(uint64_t depth, phicache_result *result) {
    static phicache_mice found;
    VALUE_OF_THE_CALL;
    found.struct_size = sizeof found;
    END_OF_THE_CALL(phicache_mice_cache_memoize(mice_cache, bytes(&depth, 8), nest, NULL, &depth, &found, &value,
                                                NULL));
}

static way *volatile ask_without; /* volatile, so that the compiler cannot optimize the recursion */

static int32_t without_the_library(uint64_t depth, phicache_result *result) {
    VALUE_OF_THE_CALL;
    END_OF_THE_CALL(nest(NULL, &depth, bytes(&depth, 8), result));
}

/* The bytes of stack of a level in this way of calling. */
static size_t level(way *ask) {
    computed = 0;
    write_value = ask == through_mice ? write_record : write_nothing;
    ask_next = ask;
    ask_without = ask;
    if (!CHECK_INT(ask_without(1, NULL), 0) || !CHECK_UINT(computed, DEPTH)) return SIZE_MAX;
    return (size_t)(frame_near_top - frame_near_bottom) / (DEPTH - 20);
}

static void check_level(const char *name, way *ask, size_t own, size_t at_most) {
    const size_t bytes_of_level = level(ask);
    printf("       %-12s %4zu bytes of stack for a level, %4zu of them the library's\n", name, bytes_of_level,
           bytes_of_level - own);
    CHECK(bytes_of_level >= own && bytes_of_level - own <= at_most);
}

static void make_caches(void) {
    const phicache_fingerprint network = {{9}};
    const int32_t state[64] = {0};
    phicache_subsystem *subsystem = NULL;
    phicache_config *config = new_unlimited();
    CHECK_OK(phicache_dict_cache_new(config, NULL, &dict));
    CHECK_OK(phicache_dict_cache_as_cache(dict, &view));
    CHECK_OK(phicache_purview_cache_new(config, NULL, &purviews));
    CHECK_OK(phicache_subsystem_new(&network, 64, state, UINT64_MAX, NULL, NULL, &subsystem));
    CHECK_OK(phicache_dict_mice_cache_new(config, NULL, subsystem, NULL, &mice_cache));
    CHECK_OK(phicache_memo_new(config, nest, NULL, NULL, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL, &memo));
    CHECK_OK(phicache_method_new("deep", 0, nest, NULL, NULL, &method));
    CHECK_OK(phicache_key_new(&args));
    CHECK_OK(phicache_subsystem_free(subsystem));
    CHECK_OK(phicache_config_free(config));
}

static void free_caches(void) {
    CHECK_OK(phicache_dict_cache_free(dict));
    CHECK_OK(phicache_purview_cache_free(purviews));
    CHECK_OK(phicache_mice_cache_free(mice_cache));
    CHECK_OK(phicache_memo_free(memo));
    CHECK_OK(phicache_method_free(method));
    CHECK_OK(phicache_key_free(args));
}

static void *nest_every_way(void *unused) {
    size_t own;
    uint64_t size = 0;
    (void)unused;
    make_caches();
    own = level(without_the_library);
    check_level("dict cache", through_dict, own, FRAMES_AT_MOST);
    CHECK_OK(phicache_dict_cache_size(dict, &size));
    CHECK_UINT(size, DEPTH);
    CHECK_OK(phicache_dict_cache_clear(dict));
    check_level("any cache", through_view, own, FRAMES_AT_MOST);
    check_level("purviews", through_purviews, own, FRAMES_AT_MOST);
    check_level("MICE", through_mice, own, FRAMES_AT_MOST);
    check_level("memo", through_memo, own, FRAMES_AT_MOST);
    check_level("method", through_method, own, FRAMES_AT_MOST);
    free_caches();
    return NULL;
}

static void computations_nest_twenty_thousand_deep_on_eight_mebibytes(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK_INT(pthread_attr_init(&attributes), 0);
    CHECK_INT(pthread_attr_setstacksize(&attributes, STACK), 0);
    REQUIRE(pthread_create(&thread, &attributes, nest_every_way, NULL) == 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}

int main(void) {
    RUN(computations_nest_twenty_thousand_deep_on_eight_mebibytes);
    return check_report();
}
