/* test_memoize.c: what a compute callback may do: write its value in every way, fail, re-enter, free the cache. */
#include "sample.h"

#include "no_memory.h"

static void check_info(phicache_dict_cache *cache, uint64_t hits, uint64_t misses, uint64_t size) {
    phicache_info info = {99, 99, 99};
    CHECK_OK(phicache_dict_cache_info(cache, &info));
    CHECK_COUNTS(info, hits, misses, size);
}

static phicache_stats stats_of(phicache_dict_cache *cache) {
    phicache_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_OK(phicache_dict_cache_stats(cache, &stats));
    return stats;
}

#ifndef PHICACHE_SANITIZED /* sanitizers' allocators end a process without memory */
static int32_t compute_and_take_memory(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    const size_t len = *(size_t *)call_data;
    uint8_t *room = NULL;
    (void)user_data, (void)key;
    if (phicache_result_reserve(result, len, &room) != PHICACHE_OK) return -99;
    memset(room, 7, len);
    take_memory();
    return 0;
}

static void a_computed_value_is_not_lost_without_memory(void) {
    size_t len;
    for (len = 1; len <= 4096; len *= 8) {
        phicache_dict_cache *cache = new_dict();
        phicache_value value = unset_value();
        const phicache_status status =
            phicache_dict_cache_memoize(cache, text("key"), compute_and_take_memory, NULL, &len, &value, NULL);
        give_memory_back();
        CHECK_OK(status);
        CHECK_UINT(value.len, len);
        CHECK(value.data != NULL && value.data[0] == 7 && value.data[len - 1] == 7);
        phicache_value_release(&value);
        CHECK_OK(phicache_dict_cache_free(cache));
    }
}
#endif

static void a_miss_computes_once_and_hits_follow(void) {
    phicache_dict_cache *cache = new_dict();
    phicache_value value = unset_value();
    answer compute = answers("the value");
    int call = 0, i;
    int32_t code = 77;
    CHECK_OK(phicache_dict_cache_memoize(cache, text("key"), compute_answer, &compute, &call, &value, &code));
    CHECK_VALUE(value, "the value");
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_COMPUTED);
    CHECK_UINT((uintptr_t)value.data % 16, 0);
    CHECK_INT(code, 0);
    CHECK(compute.call_data == &call);
    CHECK_BYTES(compute.key, compute.key_len, "key", 3);
    phicache_value_release(&value);
    for (i = 0; i < 3; i++) {
        value = unset_value();
        CHECK_OK(phicache_dict_cache_memoize(cache, text("key"), compute_never, NULL, NULL, &value, NULL));
        CHECK_VALUE(value, "the value");
        CHECK_UINT(value.origin, PHICACHE_ORIGIN_HIT);
        phicache_value_release(&value);
    }
    CHECK_UINT(compute.calls, 1);
    check_info(cache, 3, 1, 1);
    CHECK_UINT(stats_of(cache).stores, 1);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void a_failure_returns_its_code_and_caches_nothing(void) {
    const int32_t codes[] = {1, -1, 42, PHICACHE_MISS, PHICACHE_ERROR_PANIC, INT32_MAX, INT32_MIN};
    phicache_dict_cache *cache = new_dict();
    phicache_value value;
    answer works = answers("later");
    size_t i;
    for (i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        answer compute = fails(codes[i]);
        int32_t code = 0;
        value = unset_value();
        CHECK_STATUS(phicache_dict_cache_memoize(cache, text("key"), compute_answer, &compute, NULL, &value, &code),
                     PHICACHE_ERROR_CALLBACK);
        CHECK_INT(code, codes[i]);
        CHECK_NO_VALUE(value);
        CHECK_UINT(compute.calls, 1);
        CHECK_STATUS(phicache_dict_cache_memoize(cache, text("key"), compute_answer, &compute, NULL, &value, NULL),
                     PHICACHE_ERROR_CALLBACK);
        CHECK_UINT(compute.calls, 2);
    }
    check_info(cache, 0, 2 * i, 0);
    CHECK_UINT(stats_of(cache).errors, 2 * i);
    CHECK_UINT(stats_of(cache).stores, 0);
    CHECK_OK(phicache_dict_cache_memoize(cache, text("key"), compute_answer, &works, NULL, &value, NULL));
    CHECK_VALUE(value, "later");
    phicache_value_release(&value);
    CHECK_OK(phicache_dict_cache_free(cache));
}

/* The steps of a callback on its result. */
typedef struct {
    const char *steps; /* r: reserve `len`, w: fill with 'w', t: truncate to `kept`, i: reserve an impossible size */
    size_t len, kept;
    phicache_status truncated, impossible;
    int zeroed;
} writer;

static int32_t compute_steps(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    writer *self = (writer *)user_data;
    uint8_t *room = NULL;
    const char *step;
    size_t i;
    (void)call_data;
    (void)key;
    for (step = self->steps; *step != '\0'; step++) {
        switch (*step) {
            case 'r':
                if (phicache_result_reserve(result, self->len, &room) != PHICACHE_OK) return 1;
                for (i = 0; i < self->len; i++) self->zeroed = self->zeroed && room[i] == 0;
                if ((uintptr_t)room % 16 != 0) return 2;
                break;
            case 'w': memset(room, 'w', self->len); break;
            case 't': self->truncated = phicache_result_truncate(result, self->kept); break;
            default: self->impossible = phicache_result_reserve(result, SIZE_MAX, &room);
        }
    }
    return 0;
}

/* Computes in these steps and checks the value; `expected` NULL means an error. */
static writer check_steps(const char *steps, size_t len, size_t kept, const char *expected) {
    phicache_dict_cache *cache = new_dict();
    phicache_value value = unset_value();
    writer self;
    memset(&self, 0, sizeof self);
    self.steps = steps;
    self.len = len;
    self.kept = kept;
    self.zeroed = 1;
    if (expected != NULL) {
        CHECK_OK(phicache_dict_cache_memoize(cache, text("key"), compute_steps, &self, NULL, &value, NULL));
        CHECK_VALUE(value, expected);
        phicache_value_release(&value);
        CHECK_OK(phicache_dict_cache_get(cache, text("key"), &value));
        CHECK_VALUE(value, expected);
        phicache_value_release(&value);
    } else {
        CHECK_STATUS(phicache_dict_cache_memoize(cache, text("key"), compute_steps, &self, NULL, &value, NULL),
                     PHICACHE_ERROR_OUT_OF_MEMORY);
        CHECK_NO_VALUE(value);
        check_info(cache, 0, 1, 0);
    }
    CHECK(self.zeroed);
    CHECK_OK(phicache_dict_cache_free(cache));
    return self;
}

static void reserved_bytes_are_zero_and_reserving_again_starts_over(void) {
    check_steps("rw", 5, 0, "wwwww");
    check_steps("rwrw", 5, 0, "wwwww");
    check_steps("rwrwtrw", 3, 1, "www");
}

static void never_reserving_makes_an_empty_value(void) {
    check_steps("", 0, 0, "");
    check_steps("r", 0, 0, "");
}

static void truncating_keeps_the_beginning(void) {
    writer self = check_steps("rwt", 5, 2, "ww");
    CHECK_STATUS(self.truncated, PHICACHE_OK);
    self = check_steps("rwt", 5, 5, "wwwww");
    CHECK_STATUS(self.truncated, PHICACHE_OK);
    self = check_steps("rwt", 100000, 0, "");
    CHECK_STATUS(self.truncated, PHICACHE_OK);
    self = check_steps("t", 0, 0, "");
    CHECK_STATUS(self.truncated, PHICACHE_OK);
}

static void truncating_to_more_than_was_reserved_is_an_error_and_changes_nothing(void) {
    writer self = check_steps("rwt", 5, 6, "wwwww");
    CHECK_STATUS(self.truncated, PHICACHE_ERROR_INVALID_ARGUMENT);
    self = check_steps("t", 0, 1, "");
    CHECK_STATUS(self.truncated, PHICACHE_ERROR_INVALID_ARGUMENT);
}

static void an_impossible_reservation_fails_the_call_unless_a_later_one_succeeds(void) {
    writer self = check_steps("i", 0, 0, NULL);
    CHECK_STATUS(self.impossible, PHICACHE_ERROR_OUT_OF_MEMORY);
    self = check_steps("rwi", 5, 0, NULL);
    CHECK_STATUS(self.impossible, PHICACHE_ERROR_OUT_OF_MEMORY);
    self = check_steps("irw", 5, 0, "wwwww");
    CHECK_STATUS(self.impossible, PHICACHE_ERROR_OUT_OF_MEMORY);
}

/* 1 + the value of the next smaller number, so a computation requests all smaller keys of the same cache. */
static int32_t compute_chain(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    phicache_dict_cache *cache = (phicache_dict_cache *)user_data;
    uint32_t number, sum = 0;
    uint8_t *room = NULL;
    (void)call_data;
    memcpy(&number, key.data, sizeof number);
    if (number > 0) {
        const uint32_t smaller = number - 1;
        phicache_value value;
        if (phicache_dict_cache_memoize(cache, bytes(&smaller, sizeof smaller), compute_chain, cache, NULL, &value,
                                        NULL) != PHICACHE_OK)
            return -1;
        memcpy(&sum, value.data, sizeof sum);
        phicache_value_release(&value);
    }
    sum++;
    if (phicache_result_reserve(result, sizeof sum, &room) != PHICACHE_OK) return -2;
    memcpy(room, &sum, sizeof sum);
    return 0;
}

static void a_computation_may_request_other_keys_of_its_cache(void) {
    phicache_dict_cache *cache = new_dict();
    phicache_value value;
    const uint32_t depth = 200;
    uint32_t sum = 0;
    CHECK_OK(phicache_dict_cache_memoize(cache, bytes(&depth, sizeof depth), compute_chain, cache, NULL, &value, NULL));
    memcpy(&sum, value.data, sizeof sum);
    CHECK_UINT(sum, depth + 1);
    phicache_value_release(&value);
    check_info(cache, 0, depth + 1, depth + 1);
    CHECK_OK(phicache_dict_cache_free(cache));
}

/* What a callback does to its own cache while it writes its value. */
typedef struct {
    phicache_dict_cache *cache;
    phicache_status (*act)(phicache_dict_cache *cache);
    phicache_status acted;
    char key_after[8];
} meddler;

static int32_t compute_meddling(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    meddler *self = (meddler *)user_data;
    uint8_t *room = NULL;
    (void)call_data;
    if (phicache_result_reserve(result, 5, &room) != PHICACHE_OK) return -1;
    memcpy(room, "va", 2);
    self->acted = self->act(self->cache);
    memcpy(room + 2, "lue", 3);
    memcpy(self->key_after, key.data, key.len);
    return 0;
}

static phicache_status remove_other(phicache_dict_cache *cache) {
    return phicache_dict_cache_remove(cache, text("other"));
}

static phicache_status set_same(phicache_dict_cache *cache) {
    return phicache_dict_cache_set(cache, text("key"), text("set meanwhile"));
}

static void check_meddling(phicache_status (*act)(phicache_dict_cache *cache), int cache_lives) {
    meddler self;
    phicache_value value = unset_value();
    memset(&self, 0, sizeof self);
    self.cache = new_dict();
    self.act = act;
    CHECK_OK(phicache_dict_cache_set(self.cache, text("other"), text("other")));
    CHECK_OK(phicache_dict_cache_memoize(self.cache, text("key"), compute_meddling, &self, NULL, &value, NULL));
    CHECK_STATUS(self.acted, PHICACHE_OK);
    CHECK_VALUE(value, "value");
    CHECK_TEXT(self.key_after, "key");
    if (cache_lives) {
        CHECK_OK(phicache_dict_cache_free(self.cache));
    } else {
        CHECK_STATUS(phicache_dict_cache_clear(self.cache), PHICACHE_ERROR_INVALID_HANDLE);
    }
    CHECK_VALUE(value, "value");
    phicache_value_release(&value);
}

static void a_computation_may_change_clear_or_free_its_cache(void) {
    check_meddling(remove_other, 1);
    check_meddling(set_same, 1);
    check_meddling(phicache_dict_cache_clear, 1);
    check_meddling(phicache_dict_cache_free, 0);
}

static int32_t compute_with_wrong_calls(void *user_data, void *call_data, phicache_bytes key,
                                        phicache_result *result) {
    uint8_t *room = (uint8_t *)1;
    (void)user_data;
    (void)call_data;
    (void)key;
    CHECK_STATUS(phicache_result_reserve(NULL, 1, &room), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(room == NULL);
    CHECK_STATUS(phicache_result_reserve(result, 1, NULL), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_result_truncate(NULL, 0), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_result_reserve(result, 2, &room));
    memcpy(room, "ok", 2);
    return 0;
}

static void errors_inside_a_callback_do_not_affect_the_call(void) {
    phicache_dict_cache *cache = new_dict();
    phicache_value value;
    CHECK_OK(phicache_dict_cache_memoize(cache, text("key"), compute_with_wrong_calls, NULL, NULL, &value, NULL));
    CHECK_VALUE(value, "ok");
    phicache_value_release(&value);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void a_refused_value_is_still_returned_pinned(void) {
    phicache_cache_options options;
    phicache_dict_cache *cache = NULL;
    phicache_value value;
    answer compute = answers("computed, but too large to keep");
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.max_bytes = 1;
    REQUIRE_OK(phicache_dict_cache_new(NULL, &options, &cache));
    CHECK_OK(phicache_dict_cache_memoize(cache, text("key"), compute_answer, &compute, NULL, &value, NULL));
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_CAPACITY);
    check_info(cache, 0, 1, 0);
    CHECK_UINT(stats_of(cache).refused_capacity, 1);
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_VALUE(value, "computed, but too large to keep");
    phicache_value_release(&value);
}

int main(void) {
    RUN(a_miss_computes_once_and_hits_follow);
#ifndef PHICACHE_SANITIZED
    RUN(a_computed_value_is_not_lost_without_memory);
#endif
    RUN(a_failure_returns_its_code_and_caches_nothing);
    RUN(reserved_bytes_are_zero_and_reserving_again_starts_over);
    RUN(never_reserving_makes_an_empty_value);
    RUN(truncating_keeps_the_beginning);
    RUN(truncating_to_more_than_was_reserved_is_an_error_and_changes_nothing);
    RUN(an_impossible_reservation_fails_the_call_unless_a_later_one_succeeds);
    RUN(a_computation_may_request_other_keys_of_its_cache);
    RUN(a_computation_may_change_clear_or_free_its_cache);
    RUN(errors_inside_a_callback_do_not_affect_the_call);
    RUN(a_refused_value_is_still_returned_pinned);
    return check_report();
}
