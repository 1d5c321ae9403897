/* test_verify.c: verified mode: every n-th hit is computed again and compared, and a difference is an alarm. */
#include "sample.h"

/* The context of the callbacks: what they have seen. */
typedef struct {
    int32_t answer;             /* what `compare` returns */
    unsigned compared, drops;
    unsigned differences;
    char seen[64];              /* the last difference: "key: kept, computed" */
    phicache_dict_cache *cache; /* `report` looks its key up there, if there is one */
} judge;

static int32_t compare(void *context, phicache_bytes key, phicache_bytes kept, phicache_bytes computed) {
    judge *self = (judge *)context;
    (void)key;
    (void)kept;
    (void)computed;
    self->compared++;
    return self->answer;
}

static void report(void *context, phicache_bytes key, phicache_bytes kept, phicache_bytes computed) {
    judge *self = (judge *)context;
    answer compute = answers("never seen");
    phicache_value value = unset_value();
    self->differences++;
    snprintf(self->seen, sizeof self->seen, "%.*s: %.*s, %.*s", (int)key.len, (const char *)key.data, (int)kept.len,
             (const char *)kept.data, (int)computed.len, (const char *)computed.data);
    if (self->cache == NULL) return;
    /* No lock is held, and the old value is still there. */
    CHECK_OK(phicache_dict_cache_memoize(self->cache, key, compute_answer, &compute, NULL, &value, NULL));
    CHECK_BYTES(value.data, value.len, kept.data, kept.len);
    CHECK_UINT(compute.calls, 0);
    phicache_value_release(&value);
}

static void count_drop(void *context) { ((judge *)context)->drops++; }

static phicache_cache_options verified(uint64_t every, judge *context) {
    phicache_cache_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.verify_every = every;
    options.difference = report;
    options.verify_context = context;
    options.verify_drop = count_drop;
    return options;
}

static phicache_dict_cache *new_verified(const phicache_cache_options *options) {
    phicache_dict_cache *cache = NULL;
    CHECK_OK(phicache_dict_cache_new(NULL, options, &cache));
    return cache;
}

static phicache_stats stats_of(phicache_dict_cache *cache) {
    phicache_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_dict_cache_stats(cache, &stats));
    return stats;
}

/* Looks "key" up; checks the value and its origin. */
static void memoizes(phicache_dict_cache *cache, answer *compute, const char *expected, uint32_t origin) {
    phicache_value value = unset_value();
    CHECK_OK(phicache_dict_cache_memoize(cache, text("key"), compute_answer, compute, NULL, &value, NULL));
    CHECK_VALUE(value, expected);
    CHECK_UINT(value.origin, origin);
    phicache_value_release(&value);
}

static void every_nth_hit_is_computed_again(void) {
    judge context = {0};
    const phicache_cache_options options = verified(4, &context);
    phicache_dict_cache *cache = new_verified(&options);
    answer compute = answers("value");
    phicache_stats stats;
    int i;
    memoizes(cache, &compute, "value", PHICACHE_ORIGIN_COMPUTED);
    for (i = 0; i < 10; i++) memoizes(cache, &compute, "value", PHICACHE_ORIGIN_HIT);
    stats = stats_of(cache);
    CHECK_UINT(compute.calls, 3);
    CHECK_UINT(stats.verified, 2);
    CHECK_UINT(stats.differences, 0);
    CHECK_UINT(stats.hits, 10);
    CHECK_UINT(stats.misses, 1);
    CHECK_UINT(context.differences, 0);
    CHECK_OK(phicache_dict_cache_clear(cache));
    CHECK_UINT(stats_of(cache).verified, 0);
    CHECK_UINT(context.drops, 0);
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_UINT(context.drops, 1);
}

static void a_difference_is_reported_and_the_new_value_replaces_the_old_one(void) {
    judge context = {0};
    const phicache_cache_options options = verified(1, &context);
    phicache_dict_cache *cache = new_verified(&options);
    answer old = answers("old"), other = answers("new");
    context.cache = cache;
    memoizes(cache, &old, "old", PHICACHE_ORIGIN_COMPUTED);
    memoizes(cache, &other, "new", PHICACHE_ORIGIN_COMPUTED);
    CHECK_TEXT(context.seen, "key: old, new");
    memoizes(cache, &other, "new", PHICACHE_ORIGIN_HIT);
    CHECK_UINT(context.differences, 1);
    CHECK_UINT(stats_of(cache).differences, 1);
    CHECK_UINT(stats_of(cache).verified, 2);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void the_comparing_callback_decides(void) {
    judge context = {0};
    phicache_cache_options options = verified(1, &context);
    answer old = answers("old"), other = answers("new");
    phicache_dict_cache *cache;
    options.same = compare;
    cache = new_verified(&options);
    memoizes(cache, &old, "old", PHICACHE_ORIGIN_COMPUTED);
    context.answer = 7;
    memoizes(cache, &other, "old", PHICACHE_ORIGIN_HIT);
    CHECK_UINT(context.differences, 0);
    context.answer = 0;
    memoizes(cache, &other, "new", PHICACHE_ORIGIN_COMPUTED);
    CHECK_UINT(context.differences, 1);
    CHECK_UINT(context.compared, 2);
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_UINT(context.drops, 1);
}

static void without_callbacks_differences_are_counted(void) {
    phicache_cache_options options;
    phicache_dict_cache *cache;
    answer old = answers("old"), other = answers("new");
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.verify_every = 1;
    cache = new_verified(&options);
    memoizes(cache, &old, "old", PHICACHE_ORIGIN_COMPUTED);
    memoizes(cache, &other, "new", PHICACHE_ORIGIN_COMPUTED);
    CHECK_UINT(stats_of(cache).differences, 1);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void a_failure_fails_the_call_and_the_value_stays(void) {
    judge context = {0};
    const phicache_cache_options options = verified(1, &context);
    phicache_dict_cache *cache = new_verified(&options);
    answer works = answers("value"), broken = fails(42);
    phicache_value value = unset_value();
    int32_t code = 0;
    memoizes(cache, &works, "value", PHICACHE_ORIGIN_COMPUTED);
    CHECK_STATUS(phicache_dict_cache_memoize(cache, text("key"), compute_answer, &broken, NULL, &value, &code),
                 PHICACHE_ERROR_CALLBACK);
    CHECK_INT(code, 42);
    CHECK_NO_VALUE(value);
    memoizes(cache, &works, "value", PHICACHE_ORIGIN_HIT);
    CHECK_UINT(stats_of(cache).errors, 1);
    CHECK_UINT(stats_of(cache).verified, 1);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void memos_and_methods_are_verified(void) {
    judge context = {0};
    const phicache_cache_options options = verified(1, &context);
    phicache_dict_cache *dict = new_verified(&options);
    phicache_cache *cache = NULL;
    phicache_memo *memo = NULL;
    phicache_method *method = NULL;
    phicache_key *args = NULL;
    answer compute = answers("one");
    phicache_value value = unset_value();
    phicache_info info;
    CHECK_OK(phicache_dict_cache_as_cache(dict, &cache));
    CHECK_OK(phicache_key_new(&args));
    CHECK_OK(phicache_key_add_int(args, 1));
    CHECK_OK(phicache_memo_new(NULL, compute_answer, &compute, NULL, PHICACHE_MEMORY_CONFIGURED, 0, cache, "f", &memo));
    CHECK_OK(phicache_method_new("g", 0, compute_answer, &compute, NULL, &method));
    CHECK_OK(phicache_memo_call(memo, args, NULL, &value, NULL));
    phicache_value_release(&value);
    CHECK_OK(phicache_method_call(method, cache, NULL, args, &value, NULL));
    phicache_value_release(&value);
    compute.words = "two";
    CHECK_OK(phicache_memo_call(memo, args, NULL, &value, NULL));
    CHECK_VALUE(value, "two");
    phicache_value_release(&value);
    CHECK_OK(phicache_method_call(method, cache, NULL, args, &value, NULL));
    CHECK_VALUE(value, "two");
    phicache_value_release(&value);
    CHECK_UINT(context.differences, 2);
    CHECK_OK(phicache_memo_info(memo, &info));
    CHECK_UINT(info.hits, 1);
    CHECK_UINT(info.misses, 1);
    /* The memo keeps the cache, and with it the callbacks. */
    CHECK_OK(phicache_dict_cache_free(dict));
    CHECK_UINT(context.drops, 0);
    compute.words = "three";
    CHECK_OK(phicache_memo_call(memo, args, NULL, &value, NULL));
    CHECK_VALUE(value, "three");
    phicache_value_release(&value);
    CHECK_UINT(context.differences, 3);
    CHECK_OK(phicache_memo_free(memo));
    CHECK_UINT(context.drops, 1);
    CHECK_OK(phicache_method_free(method));
    CHECK_OK(phicache_key_free(args));
}

static void purviews_are_verified(void) {
    const uint64_t first[] = {1, 2};
    judge context = {0};
    const phicache_cache_options options = verified(1, &context);
    phicache_purview_cache *cache = NULL;
    const uint64_t *purviews = NULL;
    size_t count = 0;
    phicache_value value = unset_value();
    answer compute = answers("8 bytes.");
    CHECK_OK(phicache_purview_cache_new(NULL, &options, &cache));
    CHECK_OK(phicache_purview_cache_set(cache, PHICACHE_CAUSE, 3, first, 2));
    CHECK_OK(phicache_purview_cache_memoize(cache, PHICACHE_CAUSE, 3, compute_answer, &compute, NULL, &purviews, &count,
                                            &value, NULL));
    CHECK_UINT(count, 1);
    CHECK_UINT(compute.calls, 1);
    phicache_value_release(&value);
    CHECK_UINT(context.differences, 1);
    CHECK_OK(phicache_purview_cache_free(cache));
}

static void a_lease_verifies_a_hit(void) {
    judge context = {0};
    const phicache_cache_options options = verified(1, &context);
    phicache_dict_cache *dict = new_verified(&options);
    phicache_cache *cache = NULL;
    phicache_lease *lease = NULL;
    phicache_value value = unset_value();
    uint8_t *room = NULL;
    CHECK_OK(phicache_dict_cache_as_cache(dict, &cache));
    CHECK_OK(phicache_dict_cache_set(dict, text("key"), text("old")));
    CHECK_STATUS(phicache_cache_begin(cache, text("key"), 1, &value, &lease), PHICACHE_LEASE);
    CHECK_VALUE(value, "old");
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_HIT);
    CHECK(value.pin == NULL);
    /* Releasing what was only lent does nothing. */
    phicache_value_release(&value);
    CHECK_OK(phicache_lease_reserve(lease, 3, &room));
    memcpy(room, "new", 3);
    CHECK_OK(phicache_lease_complete(lease, &value));
    CHECK_VALUE(value, "new");
    phicache_value_release(&value);
    CHECK_TEXT(context.seen, "key: old, new");
    CHECK_STATUS(phicache_cache_begin(cache, text("key"), 1, &value, &lease), PHICACHE_LEASE);
    CHECK_OK(phicache_lease_abandon(lease));
    CHECK_UINT(stats_of(dict).hits, 2);
    CHECK_UINT(stats_of(dict).misses, 0);
    CHECK_UINT(stats_of(dict).verified, 1);
    CHECK_STATUS(phicache_cache_begin(cache, text("none"), 1, &value, &lease), PHICACHE_LEASE);
    CHECK_NO_VALUE(value);
    CHECK_OK(phicache_lease_abandon(lease));
    CHECK_OK(phicache_dict_cache_free(dict));
}

static void a_lease_outlives_its_cache(void) {
    judge context = {0};
    const phicache_cache_options options = verified(1, &context);
    phicache_dict_cache *cache = new_verified(&options);
    phicache_cache *view = NULL;
    phicache_lease *lease = NULL;
    phicache_value value = unset_value();
    uint8_t *room = NULL;
    CHECK_OK(phicache_dict_cache_as_cache(cache, &view));
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("old")));
    CHECK_STATUS(phicache_cache_begin(view, text("key"), 0, &value, &lease), PHICACHE_LEASE);
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_UINT(context.drops, 0);
    CHECK_VALUE(value, "old");
    CHECK_OK(phicache_lease_reserve(lease, 3, &room));
    memcpy(room, "new", 3);
    CHECK_OK(phicache_lease_complete(lease, &value));
    CHECK_UINT(context.differences, 1);
    CHECK_UINT(context.drops, 1);
    CHECK_VALUE(value, "new");
    phicache_value_release(&value);
}

static void the_context_is_dropped_once_if_it_is_not_used(void) {
    judge context = {0};
    phicache_cache_options options = verified(0, &context);
    phicache_fingerprint identity;
    phicache_dict_cache *cache = NULL, *other = NULL;
    phicache_mice_cache *mice = NULL;
    /* Off: the callbacks are not kept. */
    cache = new_verified(&options);
    CHECK_UINT(context.drops, 1);
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_UINT(context.drops, 1);
    /* The call fails. */
    options = verified(1, &context);
    CHECK_STATUS(phicache_dict_cache_new(NULL, &options, NULL), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_UINT(context.drops, 2);
    options.name = "";
    CHECK_STATUS(phicache_dict_cache_new(NULL, &options, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_UINT(context.drops, 3);
    options.name = NULL;
    options.ttl_ms = UINT64_MAX;
    CHECK_STATUS(phicache_dict_cache_new(NULL, &options, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_UINT(context.drops, 4);
    options.ttl_ms = 0;
    CHECK_STATUS(phicache_mice_cache_new(NULL, &options, NULL, NULL, &mice), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_UINT(context.drops, 5);
    /* A shared cache uses those of its first holder. */
    memset(&identity, 3, sizeof identity);
    CHECK_OK(phicache_dict_cache_shared(NULL, &options, &identity, "role", &cache));
    CHECK_UINT(context.drops, 5);
    CHECK_OK(phicache_dict_cache_shared(NULL, &options, &identity, "role", &other));
    CHECK_UINT(context.drops, 6);
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_UINT(context.drops, 6);
    CHECK_OK(phicache_dict_cache_free(other));
    CHECK_UINT(context.drops, 7);
}

int main(void) {
    RUN(every_nth_hit_is_computed_again);
    RUN(a_difference_is_reported_and_the_new_value_replaces_the_old_one);
    RUN(the_comparing_callback_decides);
    RUN(without_callbacks_differences_are_counted);
    RUN(a_failure_fails_the_call_and_the_value_stays);
    RUN(memos_and_methods_are_verified);
    RUN(purviews_are_verified);
    RUN(a_lease_verifies_a_hit);
    RUN(a_lease_outlives_its_cache);
    RUN(the_context_is_dropped_once_if_it_is_not_used);
    return check_report();
}
