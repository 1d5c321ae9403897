/* test_memo.c: memos: private or shared caches, typed or untyped keys, and a memory limit of their own. */
#include "sample.h"

static phicache_key *new_args(void) {
    phicache_key *args = NULL;
    CHECK_OK(phicache_key_new(&args));
    return args;
}

static void check_info(phicache_memo *memo, uint64_t hits, uint64_t misses, uint64_t size) {
    phicache_info info = {99, 99, 99};
    CHECK_OK(phicache_memo_info(memo, &info));
    CHECK_COUNTS(info, hits, misses, size);
}

/* Calls the memo and checks value and origin. */
static void check_call(phicache_memo *memo, phicache_key *args, const char *expected, uint32_t origin) {
    phicache_value value = unset_value();
    CHECK_OK(phicache_memo_call(memo, args, NULL, &value, NULL));
    CHECK_VALUE(value, expected);
    CHECK_UINT(value.origin, origin);
    phicache_value_release(&value);
}

static phicache_memo *new_memo(answer *function, double maximum, int32_t typed, phicache_cache *cache,
                               const char *prefix) {
    phicache_memo *memo = NULL;
    CHECK_OK(phicache_memo_new(NULL, compute_answer, function, NULL, maximum, typed, cache, prefix, &memo));
    return memo;
}

static void equal_arguments_are_computed_once(void) {
    answer function = answers("value");
    phicache_memo *memo = new_memo(&function, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL);
    phicache_key *args = new_args();
    phicache_value value;
    int call = 0;
    CHECK_OK(phicache_key_add_int(args, 1));
    CHECK_OK(phicache_memo_call(memo, args, &call, &value, NULL));
    CHECK(function.call_data == &call);
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_COMPUTED);
    phicache_value_release(&value);
    check_call(memo, args, "value", PHICACHE_ORIGIN_HIT);
    CHECK_OK(phicache_key_reset(args));
    CHECK_OK(phicache_key_add_int(args, 1));
    check_call(memo, args, "value", PHICACHE_ORIGIN_HIT);
    CHECK_OK(phicache_key_add_int(args, 2));
    check_call(memo, args, "value", PHICACHE_ORIGIN_COMPUTED);
    CHECK_UINT(function.calls, 2);
    check_info(memo, 2, 2, 2);
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_memo_free(memo));
    CHECK_OK(phicache_memo_free(NULL));
}

static void a_function_without_arguments_has_one_value(void) {
    answer function = answers("constant");
    phicache_memo *memo = new_memo(&function, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL);
    phicache_key *args = new_args();
    check_call(memo, args, "constant", PHICACHE_ORIGIN_COMPUTED);
    check_call(memo, args, "constant", PHICACHE_ORIGIN_HIT);
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_memo_free(memo));
}

static void typed_decides_whether_3_and_3_0_are_equal(void) {
    answer function = answers("value");
    phicache_memo *untyped = new_memo(&function, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL);
    phicache_memo *typed = new_memo(&function, PHICACHE_MEMORY_CONFIGURED, 1, NULL, NULL);
    phicache_key *integer = new_args(), *real = new_args();
    CHECK_OK(phicache_key_add_int(integer, 3));
    CHECK_OK(phicache_key_add_double(real, 3.0));
    check_call(untyped, integer, "value", PHICACHE_ORIGIN_COMPUTED);
    check_call(untyped, real, "value", PHICACHE_ORIGIN_HIT);
    check_info(untyped, 1, 1, 1);
    check_call(typed, integer, "value", PHICACHE_ORIGIN_COMPUTED);
    check_call(typed, real, "value", PHICACHE_ORIGIN_COMPUTED);
    check_call(typed, integer, "value", PHICACHE_ORIGIN_HIT);
    check_info(typed, 1, 2, 2);
    CHECK_OK(phicache_key_free(integer));
    CHECK_OK(phicache_key_free(real));
    CHECK_OK(phicache_memo_free(untyped));
    CHECK_OK(phicache_memo_free(typed));
}

static void the_code_of_a_failing_function_is_returned_and_counts_a_miss(void) {
    answer function = fails(-7);
    phicache_memo *memo = new_memo(&function, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL);
    phicache_key *args = new_args();
    phicache_value value = unset_value();
    int32_t code = 0;
    CHECK_STATUS(phicache_memo_call(memo, args, NULL, &value, &code), PHICACHE_ERROR_CALLBACK);
    CHECK_INT(code, -7);
    CHECK_NO_VALUE(value);
    check_info(memo, 0, 1, 0);
    function = answers("value");
    check_call(memo, args, "value", PHICACHE_ORIGIN_COMPUTED);
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_memo_free(memo));
}

static void a_maximum_of_0_stores_nothing_and_its_range_ends_at_100(void) {
    const double wrong[] = {-0.5, -1.5, -3.0, 100.001, INFINITY, -INFINITY, NAN};
    answer function = answers("value");
    phicache_memo *memo = new_memo(&function, 0.0, 0, NULL, NULL);
    phicache_key *args = new_args();
    size_t i;
    check_call(memo, args, "value", PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_MEMORY);
    check_call(memo, args, "value", PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_MEMORY);
    check_info(memo, 0, 2, 0);
    CHECK_OK(phicache_memo_free(memo));
    memo = new_memo(&function, 100.0, 0, NULL, NULL);
    check_call(memo, args, "value", PHICACHE_ORIGIN_COMPUTED);
    check_call(memo, args, "value", PHICACHE_ORIGIN_HIT);
    CHECK_OK(phicache_memo_free(memo));
    memo = new_memo(&function, PHICACHE_MEMORY_UNLIMITED, 0, NULL, NULL);
    check_call(memo, args, "value", PHICACHE_ORIGIN_COMPUTED);
    CHECK_OK(phicache_memo_free(memo));
    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK_STATUS(phicache_memo_new(NULL, compute_answer, &function, NULL, wrong[i], 0, NULL, NULL, &memo),
                     PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK(memo == NULL);
    }
    CHECK_OK(phicache_key_free(args));
}

static void the_memos_own_maximum_applies_to_a_shared_cache_too(void) {
    answer function = answers("value");
    phicache_dict_cache *cache = new_dict();
    phicache_cache *view = NULL;
    phicache_memo *memo;
    phicache_key *args = new_args();
    REQUIRE_OK(phicache_dict_cache_as_cache(cache, &view));
    memo = new_memo(&function, 0.0, 0, view, "f");
    check_call(memo, args, "value", PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_MEMORY);
    CHECK_OK(phicache_dict_cache_set(cache, text("other"), text("stored")));
    CHECK_OK(phicache_memo_free(memo));
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void a_configured_maximum_follows_the_configuration(void) {
    answer function = answers("value");
    phicache_config *config = new_unlimited();
    phicache_memo *memo = NULL;
    phicache_key *args = new_args();
    REQUIRE_OK(phicache_memo_new(config, compute_answer, &function, NULL, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL,
                                 &memo));
    CHECK_OK(phicache_config_set_maximum_memory_percent(config, 0.0));
    check_call(memo, args, "value", PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_MEMORY);
    CHECK_OK(phicache_config_set_maximum_memory_percent(config, PHICACHE_MEMORY_UNLIMITED));
    check_call(memo, args, "value", PHICACHE_ORIGIN_COMPUTED);
    CHECK_OK(phicache_memo_free(memo));
    CHECK_OK(phicache_config_free(config));
    CHECK_OK(phicache_key_free(args));
}

static void memos_share_a_cache_by_prefix_and_count_for_themselves(void) {
    answer f = answers("of f"), g = answers("of g");
    phicache_dict_cache *cache = new_dict();
    phicache_cache *view = NULL;
    phicache_memo *first, *second, *twin = NULL;
    phicache_key *args = new_args();
    uint64_t size = 0;
    REQUIRE_OK(phicache_dict_cache_as_cache(cache, &view));
    first = new_memo(&f, PHICACHE_MEMORY_CONFIGURED, 0, view, "f");
    second = new_memo(&g, PHICACHE_MEMORY_CONFIGURED, 0, view, NULL);
    CHECK_OK(phicache_key_add_int(args, 1));
    check_call(first, args, "of f", PHICACHE_ORIGIN_COMPUTED);
    check_call(second, args, "of g", PHICACHE_ORIGIN_COMPUTED);
    check_call(first, args, "of f", PHICACHE_ORIGIN_HIT);
    check_info(first, 1, 1, 2);
    check_info(second, 0, 1, 2);
    CHECK_OK(phicache_dict_cache_size(cache, &size));
    CHECK_UINT(size, 2);

    CHECK_STATUS(phicache_memo_new(NULL, compute_answer, &f, NULL, PHICACHE_MEMORY_CONFIGURED, 0, view, "f", &twin),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(twin == NULL);
    CHECK_STATUS(phicache_memo_new(NULL, compute_answer, &f, NULL, PHICACHE_MEMORY_CONFIGURED, 0, view, NULL, &twin),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_memo_free(first));
    twin = new_memo(&f, PHICACHE_MEMORY_CONFIGURED, 0, view, "f");
    check_call(twin, args, "of f", PHICACHE_ORIGIN_HIT);
    CHECK_OK(phicache_memo_free(twin));
    CHECK_OK(phicache_memo_free(second));
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void the_prefix_makes_the_same_key_as_in_the_cache(void) {
    answer function = answers("value");
    phicache_dict_cache *cache = new_dict();
    phicache_cache *view = NULL;
    phicache_memo *memo;
    phicache_key *args = new_args();
    phicache_bytes key;
    phicache_value value;
    REQUIRE_OK(phicache_dict_cache_as_cache(cache, &view));
    memo = new_memo(&function, PHICACHE_MEMORY_CONFIGURED, 0, view, "emd");
    CHECK_OK(phicache_key_add_bytes(args, text("repertoires")));
    check_call(memo, args, "value", PHICACHE_ORIGIN_COMPUTED);
    CHECK_OK(phicache_dict_cache_key(cache, "emd", args, &key));
    CHECK_OK(phicache_dict_cache_get(cache, key, &value));
    CHECK_VALUE(value, "value");
    phicache_value_release(&value);
    CHECK_OK(phicache_memo_free(memo));
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void clear_empties_the_cache_and_the_counts(void) {
    answer function = answers("value");
    phicache_memo *memo = new_memo(&function, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL);
    phicache_key *args = new_args();
    check_call(memo, args, "value", PHICACHE_ORIGIN_COMPUTED);
    check_call(memo, args, "value", PHICACHE_ORIGIN_HIT);
    CHECK_OK(phicache_memo_clear(memo));
    check_info(memo, 0, 0, 0);
    check_call(memo, args, "value", PHICACHE_ORIGIN_COMPUTED);
    check_info(memo, 0, 1, 1);
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_memo_free(memo));
}

static void wrapped_is_the_function_without_its_cache(void) {
    answer function = answers("value");
    phicache_memo *memo = new_memo(&function, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL);
    phicache_compute compute = NULL;
    void *user_data = NULL;
    CHECK_OK(phicache_memo_wrapped(memo, &compute, &user_data));
    CHECK(compute == compute_answer);
    CHECK(user_data == &function);
    CHECK_OK(phicache_memo_free(memo));
}

/* A memo keeps its cache alive if the cache is freed while the memo uses it. */
static void a_memo_keeps_its_cache_alive(void) {
    answer function = answers("value");
    phicache_dict_cache *cache = new_dict();
    phicache_cache *view = NULL;
    phicache_memo *memo;
    phicache_key *args = new_args();
    REQUIRE_OK(phicache_dict_cache_as_cache(cache, &view));
    memo = new_memo(&function, PHICACHE_MEMORY_CONFIGURED, 0, view, "f");
    CHECK_OK(phicache_dict_cache_free(cache));
    check_call(memo, args, "value", PHICACHE_ORIGIN_COMPUTED);
    check_call(memo, args, "value", PHICACHE_ORIGIN_HIT);
    CHECK_OK(phicache_memo_free(memo));
    CHECK_OK(phicache_key_free(args));
}

static void count_drop(void *user_data) { (*(unsigned *)user_data)++; }

static int32_t compute_nothing(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    (void)user_data;
    (void)call_data;
    (void)key;
    (void)result;
    return 0;
}

static void user_data_is_dropped_exactly_once_also_if_the_memo_cannot_be_created(void) {
    unsigned drops = 0;
    phicache_memo *memo = NULL;
    phicache_dict_cache *cache = new_dict();
    phicache_cache *view = NULL;
    REQUIRE_OK(phicache_memo_new(NULL, compute_nothing, &drops, count_drop, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL,
                                 &memo));
    CHECK_UINT(drops, 0);
    CHECK_OK(phicache_memo_free(memo));
    CHECK_UINT(drops, 1);
    CHECK_STATUS(phicache_memo_free(memo), PHICACHE_ERROR_INVALID_HANDLE);
    CHECK_UINT(drops, 1);
    CHECK_STATUS(phicache_memo_new(NULL, compute_nothing, &drops, count_drop, 101.0, 0, NULL, NULL, &memo),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_UINT(drops, 2);
    CHECK_STATUS(phicache_memo_new(NULL, NULL, &drops, count_drop, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL, &memo),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_UINT(drops, 3);
    CHECK_STATUS(phicache_memo_new(NULL, compute_nothing, &drops, count_drop, PHICACHE_MEMORY_CONFIGURED, 0, NULL,
                                   NULL, NULL),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_UINT(drops, 4);
    REQUIRE_OK(phicache_dict_cache_as_cache(cache, &view));
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_STATUS(phicache_memo_new(NULL, compute_nothing, &drops, count_drop, PHICACHE_MEMORY_CONFIGURED, 0, view,
                                   NULL, &memo),
                 PHICACHE_ERROR_INVALID_HANDLE);
    CHECK_UINT(drops, 5);
}

/* A memo that frees itself while it computes. */
typedef struct {
    phicache_memo *memo;
    phicache_status freed;
    unsigned drops, drops_while_computing;
} suicide;

static void drop_suicide(void *user_data) { ((suicide *)user_data)->drops++; }

static int32_t compute_suicide(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    suicide *self = (suicide *)user_data;
    uint8_t *room = NULL;
    (void)call_data;
    (void)key;
    self->freed = phicache_memo_free(self->memo);
    self->drops_while_computing = self->drops;
    if (phicache_result_reserve(result, 4, &room) != PHICACHE_OK) return -1;
    memcpy(room, "last", 4);
    return 0;
}

static void a_memo_freed_by_its_own_function_lives_until_the_call_ends(void) {
    suicide self;
    phicache_key *args = new_args();
    phicache_value value;
    memset(&self, 0, sizeof self);
    REQUIRE_OK(phicache_memo_new(NULL, compute_suicide, &self, drop_suicide, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL,
                                 &self.memo));
    CHECK_OK(phicache_memo_call(self.memo, args, NULL, &value, NULL));
    CHECK_STATUS(self.freed, PHICACHE_OK);
    CHECK_UINT(self.drops_while_computing, 0);
    CHECK_UINT(self.drops, 1);
    CHECK_VALUE(value, "last");
    phicache_value_release(&value);
    CHECK_STATUS(phicache_memo_call(self.memo, args, NULL, &value, NULL), PHICACHE_ERROR_INVALID_HANDLE);
    CHECK_OK(phicache_key_free(args));
}

/* A function of n that calls its own memo for n - 1, with one builder for all calls, like PyPhi's recursive memos. */
typedef struct {
    phicache_memo *memo;
    phicache_key *args;
} recursive;

static int32_t compute_recursive(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    recursive *self = (recursive *)user_data;
    const int64_t n = *(const int64_t *)call_data;
    int64_t smaller = n - 1, factorial = 1;
    uint8_t *room = NULL;
    phicache_value value;
    uint8_t key_before[64];
    const size_t key_len = key.len;
    memcpy(key_before, key.data, key_len);
    if (n > 1) {
        if (phicache_key_reset(self->args) != PHICACHE_OK || phicache_key_add_int(self->args, smaller) != PHICACHE_OK ||
            phicache_memo_call(self->memo, self->args, &smaller, &value, NULL) != PHICACHE_OK)
            return -1;
        memcpy(&factorial, value.data, sizeof factorial);
        phicache_value_release(&value);
    }
    CHECK_BYTES(key.data, key.len, key_before, key_len);
    factorial *= n;
    if (phicache_result_reserve(result, sizeof factorial, &room) != PHICACHE_OK) return -2;
    memcpy(room, &factorial, sizeof factorial);
    return 0;
}

static void a_function_may_call_its_own_memo_with_the_same_builder(void) {
    recursive self;
    phicache_value value;
    int64_t n = 15, factorial = 0;
    memset(&self, 0, sizeof self);
    self.args = new_args();
    REQUIRE_OK(phicache_memo_new(NULL, compute_recursive, &self, NULL, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL,
                                 &self.memo));
    CHECK_OK(phicache_key_add_int(self.args, n));
    CHECK_OK(phicache_memo_call(self.memo, self.args, &n, &value, NULL));
    memcpy(&factorial, value.data, sizeof factorial);
    CHECK_INT(factorial, INT64_C(1307674368000));
    phicache_value_release(&value);
    CHECK_OK(phicache_key_reset(self.args));
    CHECK_OK(phicache_key_add_int(self.args, n));
    CHECK_OK(phicache_memo_call(self.memo, self.args, &n, &value, NULL));
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_HIT);
    memcpy(&factorial, value.data, sizeof factorial);
    CHECK_INT(factorial, INT64_C(1307674368000));
    phicache_value_release(&value);
    check_info(self.memo, 1, 15, 15);
    CHECK_OK(phicache_memo_free(self.memo));
    CHECK_OK(phicache_key_free(self.args));
}

/* The key of the arguments, in place of the arguments. */
static void check_call_by_key(phicache_memo *memo, phicache_bytes key, const char *expected, uint32_t origin) {
    phicache_value value = unset_value();
    int32_t code = 77;
    CHECK_OK(phicache_memo_call_key(memo, &key, NULL, &value, &code));
    CHECK_VALUE(value, expected);
    CHECK_UINT(value.origin, origin);
    CHECK_INT(code, 0);
    phicache_value_release(&value);
}

static void a_call_by_the_key_of_the_arguments_is_the_same_call(void) {
    static double array[700];
    phicache_dict_cache *cache = new_dict();
    phicache_cache *view = NULL;
    phicache_key *args = new_args();
    CHECK_OK(phicache_dict_cache_as_cache(cache, &view));
    for (int typed = 0; typed <= 1; typed++) {
        for (int has_prefix = 0; has_prefix <= 1; has_prefix++) {
            answer function = answers("value");
            phicache_memo *memo = new_memo(&function, PHICACHE_MEMORY_CONFIGURED, typed,
                                           has_prefix ? view : NULL, has_prefix ? "prefix" : NULL);
            phicache_bytes key, other;
            phicache_value value = unset_value();
            /* No argument, keys that are joined on the stack, and one that is too long for that. */
            for (size_t length = 0; length <= 700; length += 140) {
                CHECK_OK(phicache_key_reset(args));
                if (length > 0) CHECK_OK(phicache_key_add_doubles(args, array, length));
                CHECK_OK(phicache_key_bytes(args, typed, &key));
                check_call_by_key(memo, key, "value", PHICACHE_ORIGIN_COMPUTED);
                check_call_by_key(memo, key, "value", PHICACHE_ORIGIN_HIT);
                check_call(memo, args, "value", PHICACHE_ORIGIN_HIT);
            }
            check_info(memo, 12, 6, 6);
            CHECK_OK(phicache_key_bytes(args, !typed, &other));
            CHECK_STATUS(phicache_memo_call_key(memo, &other, NULL, &value, NULL), PHICACHE_ERROR_INVALID_ARGUMENT);
            CHECK_CONTAINS(phicache_last_error(), "phicache_key_bytes");
            other.len = 0;
            CHECK_STATUS(phicache_memo_call_key(memo, &other, NULL, &value, NULL), PHICACHE_ERROR_INVALID_ARGUMENT);
            check_info(memo, 12, 6, 6);
            CHECK_OK(phicache_memo_free(memo));
            CHECK_OK(phicache_dict_cache_clear(cache));
        }
    }
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_dict_cache_free(cache));
}

int main(void) {
    RUN(a_call_by_the_key_of_the_arguments_is_the_same_call);
    RUN(equal_arguments_are_computed_once);
    RUN(a_function_without_arguments_has_one_value);
    RUN(typed_decides_whether_3_and_3_0_are_equal);
    RUN(the_code_of_a_failing_function_is_returned_and_counts_a_miss);
    RUN(a_maximum_of_0_stores_nothing_and_its_range_ends_at_100);
    RUN(the_memos_own_maximum_applies_to_a_shared_cache_too);
    RUN(a_configured_maximum_follows_the_configuration);
    RUN(memos_share_a_cache_by_prefix_and_count_for_themselves);
    RUN(the_prefix_makes_the_same_key_as_in_the_cache);
    RUN(clear_empties_the_cache_and_the_counts);
    RUN(wrapped_is_the_function_without_its_cache);
    RUN(a_memo_keeps_its_cache_alive);
    RUN(user_data_is_dropped_exactly_once_also_if_the_memo_cannot_be_created);
    RUN(a_memo_freed_by_its_own_function_lives_until_the_call_ends);
    RUN(a_function_may_call_its_own_memo_with_the_same_builder);
    return check_report();
}
