/* test_reserve.c: reservations of callbacks. In every way of computing a value, a failed reservation decides the status
 * of the call, whatever the callback returns. */
#include "sample.h"

/* The last reservation of the callback counts. */
typedef phicache_status step(phicache_result *result);

static phicache_status reserve_too_much(phicache_result *result) {
    uint8_t *room;
    return phicache_result_reserve(result, SIZE_MAX, &room);
}

static phicache_status reserve_too_much_uninitialized(phicache_result *result) {
    uint8_t *room;
    return phicache_result_reserve_uninitialized(result, SIZE_MAX, &room);
}

static phicache_status reserve_nowhere(phicache_result *result) { return phicache_result_reserve(result, 8, NULL); }

static phicache_status reserve_nowhere_uninitialized(phicache_result *result) {
    return phicache_result_reserve_uninitialized(result, 8, NULL);
}

static phicache_mice some_mice(void) {
    phicache_mice mice;
    memset(&mice, 0, sizeof mice);
    mice.struct_size = sizeof mice;
    mice.phi = 0.5;
    return mice;
}

static phicache_status write_a_mice_that_is_too_long(phicache_result *result) {
    phicache_mice mice = some_mice();
    uint8_t *payload;
    mice.payload = bytes(NULL, SIZE_MAX);
    return phicache_result_mice(result, &mice, &payload);
}

static phicache_status write_a_mice_without_its_payload(phicache_result *result) {
    phicache_mice mice = some_mice();
    mice.payload = bytes(NULL, 8);
    return phicache_result_mice(result, &mice, NULL);
}

static phicache_status write_a_mice_without_phi(phicache_result *result) {
    phicache_mice mice = some_mice();
    mice.phi = NAN;
    return phicache_result_mice(result, &mice, NULL);
}

/* How the callback fails, and what it returns. */
typedef struct {
    step *fails;
    phicache_status status;
    int32_t code;
} plan;

static int32_t compute_plan(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    const plan *self = (const plan *)user_data;
    uint8_t *room;
    (void)call_data;
    (void)key;
    CHECK_OK(phicache_result_reserve(result, 8, &room)); /* replaces the reservation before it */
    CHECK_STATUS(self->fails(result), self->status);
    return self->code;
}

/* One way of computing: it creates the caches and functions that it needs, and frees them after the call. */
typedef phicache_status way(plan *self, phicache_value *value, int32_t *code);

static phicache_status by_dict(plan *self, phicache_value *value, int32_t *code) {
    phicache_dict_cache *cache = new_dict();
    const phicache_status status =
        phicache_dict_cache_memoize(cache, text("key"), compute_plan, self, NULL, value, code);
    CHECK_STATUS(phicache_dict_cache_contains(cache, text("key")), PHICACHE_MISS);
    CHECK_OK(phicache_dict_cache_free(cache));
    return status;
}

static phicache_status by_view(plan *self, phicache_value *value, int32_t *code) {
    phicache_dict_cache *cache = new_dict();
    phicache_cache *view = NULL;
    phicache_status status;
    CHECK_OK(phicache_dict_cache_as_cache(cache, &view));
    status = phicache_cache_memoize(view, text("key"), compute_plan, self, NULL, value, code);
    CHECK_OK(phicache_dict_cache_free(cache));
    return status;
}

static phicache_status by_purviews(plan *self, phicache_value *value, int32_t *code) {
    phicache_purview_cache *cache = NULL;
    const uint64_t *purviews;
    size_t count;
    phicache_status status;
    CHECK_OK(phicache_purview_cache_new(NULL, NULL, &cache));
    status = phicache_purview_cache_memoize(cache, PHICACHE_CAUSE, 1, compute_plan, self, NULL, &purviews, &count,
                                            value, code);
    CHECK(purviews == NULL && count == 0);
    CHECK_OK(phicache_purview_cache_free(cache));
    return status;
}

static phicache_status by_mice_cache(plan *self, phicache_value *value, int32_t *code) {
    const phicache_fingerprint network = {{9}};
    const int32_t state[2] = {0, 1};
    phicache_subsystem *subsystem = NULL;
    phicache_mice_cache *cache = NULL;
    phicache_mice mice = some_mice();
    phicache_status status;
    CHECK_OK(phicache_subsystem_new(&network, 2, state, 3, NULL, NULL, &subsystem));
    CHECK_OK(phicache_dict_mice_cache_new(NULL, NULL, subsystem, NULL, &cache));
    status = phicache_mice_cache_memoize(cache, text("key"), compute_plan, self, NULL, &mice, value, code);
    CHECK_OK(phicache_mice_cache_free(cache));
    CHECK_OK(phicache_subsystem_free(subsystem));
    return status;
}

/* At a server that does not exist: lookups miss, values are computed anyway. */
static phicache_status by_redis(plan *self, phicache_value *value, int32_t *code) {
    phicache_config *config = NULL;
    phicache_redis_cache *cache = NULL;
    phicache_status status;
    if ((phicache_features() & PHICACHE_FEATURE_REDIS) == 0) return self->status;
    CHECK_OK(phicache_config_new(&config));
    CHECK_OK(phicache_config_set_redis_url(config, "unix:///nowhere/phicache-test.sock"));
    CHECK_OK(phicache_redis_cache_new(config, NULL, &cache));
    status = phicache_redis_cache_memoize(cache, text("key"), compute_plan, self, NULL, value, code);
    CHECK_OK(phicache_redis_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
    return status;
}

static phicache_status by_memo(plan *self, phicache_value *value, int32_t *code) {
    phicache_memo *memo = NULL;
    phicache_key *args = NULL;
    phicache_status status;
    CHECK_OK(phicache_memo_new(NULL, compute_plan, self, NULL, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL, &memo));
    CHECK_OK(phicache_key_new(&args));
    status = phicache_memo_call(memo, args, NULL, value, code);
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_memo_free(memo));
    return status;
}

static phicache_status call_method(plan *self, phicache_config *config, uint32_t flags, phicache_value *value,
                                   int32_t *code) {
    phicache_dict_cache *cache = NULL;
    phicache_cache *view = NULL;
    phicache_method *method = NULL;
    phicache_key *args = NULL;
    phicache_status status;
    CHECK_OK(phicache_dict_cache_new(config, NULL, &cache));
    CHECK_OK(phicache_dict_cache_as_cache(cache, &view));
    CHECK_OK(phicache_method_new("method", flags, compute_plan, self, NULL, &method));
    CHECK_OK(phicache_key_new(&args));
    status = phicache_method_call(method, view, NULL, args, value, code);
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_method_free(method));
    CHECK_OK(phicache_dict_cache_free(cache));
    return status;
}

static phicache_status by_method(plan *self, phicache_value *value, int32_t *code) {
    return call_method(self, NULL, 0, value, code);
}

static phicache_status by_method_straight_through(plan *self, phicache_value *value, int32_t *code) {
    phicache_config *config = NULL;
    phicache_status status;
    CHECK_OK(phicache_config_new(&config));
    CHECK_OK(phicache_config_set_cache_repertoires(config, 0));
    status = call_method(self, config, PHICACHE_METHOD_REPERTOIRE, value, code);
    CHECK_OK(phicache_config_free(config));
    return status;
}

static void check_way(const char *name, way *call) {
    static step *const steps[] = {reserve_too_much,         reserve_too_much_uninitialized,
                                  reserve_nowhere,          reserve_nowhere_uninitialized,
                                  write_a_mice_that_is_too_long, write_a_mice_without_phi,
                                  write_a_mice_without_its_payload};
    static const phicache_status statuses[] = {
        PHICACHE_ERROR_OUT_OF_MEMORY,    PHICACHE_ERROR_OUT_OF_MEMORY, PHICACHE_ERROR_INVALID_ARGUMENT,
        PHICACHE_ERROR_INVALID_ARGUMENT, PHICACHE_ERROR_OUT_OF_MEMORY, PHICACHE_ERROR_INVALID_ARGUMENT,
        PHICACHE_ERROR_INVALID_ARGUMENT};
    static const int32_t codes[] = {0, 1, -17};
    size_t i, j;
    for (i = 0; i < sizeof steps / sizeof *steps; i++) {
        for (j = 0; j < sizeof codes / sizeof *codes; j++) {
            plan self;
            int32_t code = 99;
            phicache_value value = unset_value();
            self.fails = steps[i];
            self.status = statuses[i];
            self.code = codes[j];
            if (!CHECK_STATUS(call(&self, &value, &code), statuses[i]) || !CHECK_INT(code, codes[j]))
                fprintf(stderr, "    by %s, step %zu, code %d\n", name, i, codes[j]);
            CHECK_NO_VALUE(value);
            value = unset_value();
            CHECK_STATUS(call(&self, &value, NULL), statuses[i]);
            CHECK_NO_VALUE(value);
        }
    }
}

static void a_failed_reservation_decides_the_status_whatever_the_callback_returns(void) {
    check_way("dict cache", by_dict);
    check_way("any cache", by_view);
    check_way("purview cache", by_purviews);
    check_way("MICE cache", by_mice_cache);
    check_way("memo", by_memo);
    check_way("method", by_method);
    check_way("method, straight through", by_method_straight_through);
}

static void the_message_says_that_it_was_the_reservation(void) {
    phicache_dict_cache *cache = new_dict();
    plan self = {reserve_nowhere, PHICACHE_ERROR_INVALID_ARGUMENT, 0};
    phicache_value value;
    CHECK_STATUS(phicache_dict_cache_memoize(cache, text("key"), compute_plan, &self, NULL, &value, NULL),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_TEXT(phicache_last_error(), "phicache_dict_cache_memoize: the callback's last reservation failed: out must "
                                      "not be NULL");
    CHECK_OK(phicache_dict_cache_free(cache));
}

static void a_failed_reservation_also_decides_the_status_in_redis(void) {
    plan self;
    int32_t code = 99;
    phicache_value value = unset_value();
    self.fails = reserve_too_much;
    self.status = PHICACHE_ERROR_OUT_OF_MEMORY;
    self.code = 0;
    if ((phicache_features() & PHICACHE_FEATURE_REDIS) == 0) return;
    CHECK_STATUS(by_redis(&self, &value, &code), self.status);
    self.code = 5;
    CHECK_STATUS(by_redis(&self, &value, &code), self.status);
    CHECK_INT(code, 5);
}

static int32_t compute_after_all(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    uint8_t *room = NULL;
    (void)call_data;
    (void)key;
    CHECK_STATUS(reserve_too_much(result), PHICACHE_ERROR_OUT_OF_MEMORY);
    CHECK_STATUS(reserve_nowhere(result), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_result_reserve(result, 5, &room));
    memcpy(room, "after", 5);
    return *(const int32_t *)user_data;
}

static void a_later_reservation_replaces_a_failed_one(void) {
    phicache_dict_cache *cache = new_dict();
    phicache_value value = unset_value();
    int32_t fails = 7, code = 99;
    CHECK_STATUS(phicache_dict_cache_memoize(cache, text("key"), compute_after_all, &fails, NULL, &value, &code),
                 PHICACHE_ERROR_CALLBACK);
    CHECK_INT(code, 7);
    fails = 0;
    CHECK_OK(phicache_dict_cache_memoize(cache, text("key"), compute_after_all, &fails, NULL, &value, &code));
    CHECK_VALUE(value, "after");
    CHECK_INT(code, 0);
    phicache_value_release(&value);
    CHECK_OK(phicache_dict_cache_free(cache));
}

static phicache_lease *begin(phicache_cache *view) {
    phicache_lease *lease = NULL;
    phicache_value value;
    CHECK_STATUS(phicache_cache_begin(view, text("key"), 0, &value, &lease), PHICACHE_LEASE);
    return lease;
}

static void a_lease_completes_with_the_status_of_its_failed_last_reservation(void) {
    phicache_dict_cache *cache = new_dict();
    phicache_cache *view = NULL;
    phicache_lease *lease;
    phicache_value value = unset_value();
    uint8_t *room = NULL;
    CHECK_OK(phicache_dict_cache_as_cache(cache, &view));
    lease = begin(view);
    CHECK_OK(phicache_lease_reserve(lease, 8, &room));
    CHECK_STATUS(phicache_lease_reserve_uninitialized(lease, SIZE_MAX, &room), PHICACHE_ERROR_OUT_OF_MEMORY);
    CHECK(room == NULL);
    CHECK_STATUS(phicache_lease_complete(lease, &value), PHICACHE_ERROR_OUT_OF_MEMORY);
    CHECK_NO_VALUE(value);
    lease = begin(view);
    CHECK_OK(phicache_lease_reserve(lease, 8, &room));
    CHECK_STATUS(phicache_lease_reserve(lease, 8, NULL), PHICACHE_ERROR_INVALID_ARGUMENT);
    value = unset_value();
    CHECK_STATUS(phicache_lease_complete(lease, &value), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_NO_VALUE(value);
    lease = begin(view);
    CHECK_STATUS(phicache_lease_reserve_uninitialized(lease, 8, NULL), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_lease_reserve_uninitialized(lease, 4, &room));
    memcpy(room, "good", 4);
    CHECK_OK(phicache_lease_complete(lease, &value));
    CHECK_VALUE(value, "good");
    phicache_value_release(&value);
    CHECK_OK(phicache_dict_cache_free(cache));
}

/* Uninitialized bytes may have any value; written bytes are stored. */
static int32_t compute_uninitialized(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    const size_t len = *(const size_t *)user_data;
    uint8_t *room = NULL;
    (void)call_data;
    (void)key;
    CHECK_OK(phicache_result_reserve_uninitialized(result, len, &room));
    CHECK_UINT((uintptr_t)room % 16, 0);
    memset(room, 'w', len / 2);
    CHECK_OK(phicache_result_truncate(result, len / 2));
    return 0;
}

static void bytes_written_into_an_uninitialized_reservation_are_the_value(void) {
    static const size_t lengths[] = {0, 1, 16, 1000, 100000, 3000000};
    phicache_dict_cache *cache = NULL;
    phicache_config *config = new_unlimited();
    size_t i, at;
    CHECK_OK(phicache_dict_cache_new(config, NULL, &cache));
    for (i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t len = lengths[i], wrong = 0;
        phicache_value value;
        CHECK_OK(phicache_dict_cache_memoize(cache, bytes(&len, sizeof len), compute_uninitialized, &len, NULL, &value,
                                             NULL));
        CHECK_UINT(value.len, len / 2);
        for (at = 0; at < value.len; at++) wrong += value.data[at] != 'w';
        CHECK_UINT(wrong, 0);
        phicache_value_release(&value);
    }
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

/* Zeroed bytes are zero, also in memory that was used before. */
static int32_t compute_zeroed(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    const size_t len = *(const size_t *)user_data;
    uint8_t *room = NULL;
    size_t at, wrong = 0;
    (void)call_data;
    (void)key;
    CHECK_OK(phicache_result_reserve_uninitialized(result, len, &room));
    memset(room, 0xAB, len);
    CHECK_OK(phicache_result_reserve(result, len, &room));
    for (at = 0; at < len; at++) wrong += room[at] != 0;
    CHECK_UINT(wrong, 0);
    return 0;
}

static void reserved_bytes_are_zero_also_in_reused_memory(void) {
    phicache_dict_cache *cache = new_dict();
    size_t len;
    for (len = 1; len < 5000; len += 333) {
        phicache_value value;
        CHECK_OK(phicache_dict_cache_memoize(cache, bytes(&len, sizeof len), compute_zeroed, &len, NULL, &value, NULL));
        phicache_value_release(&value);
    }
    CHECK_OK(phicache_dict_cache_free(cache));
}

int main(void) {
    RUN(a_failed_reservation_decides_the_status_whatever_the_callback_returns);
    RUN(the_message_says_that_it_was_the_reservation);
    RUN(a_failed_reservation_also_decides_the_status_in_redis);
    RUN(a_later_reservation_replaces_a_failed_one);
    RUN(a_lease_completes_with_the_status_of_its_failed_last_reservation);
    RUN(bytes_written_into_an_uninitialized_reservation_are_the_value);
    RUN(reserved_bytes_are_zero_also_in_reused_memory);
    return check_report();
}
