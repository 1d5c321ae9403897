/* test_method.c: methods: functions with a prefix and a cache for each call. */
#include "sample.h"

static phicache_key *args_of(int64_t argument) {
    phicache_key *args = NULL;
    CHECK_OK(phicache_key_new(&args));
    CHECK_OK(phicache_key_add_int(args, argument));
    return args;
}

static phicache_method *new_method(const char *prefix, uint32_t flags, answer *function) {
    phicache_method *method = NULL;
    CHECK_OK(phicache_method_new(prefix, flags, compute_answer, function, NULL, &method));
    return method;
}

static phicache_cache *view_of(phicache_dict_cache *cache) {
    phicache_cache *view = NULL;
    CHECK_OK(phicache_dict_cache_as_cache(cache, &view));
    return view;
}

static void check_call(phicache_method *method, phicache_cache *cache, phicache_key *args, const char *expected,
                       uint32_t origin) {
    phicache_value value = unset_value();
    int32_t code = 77;
    CHECK_OK(phicache_method_call(method, cache, NULL, args, &value, &code));
    CHECK_VALUE(value, expected);
    CHECK_UINT(value.origin, origin);
    CHECK_INT(code, 0);
    phicache_value_release(&value);
}

static void the_objects_cache_has_the_value_under_prefix_and_arguments(void) {
    answer function = answers("value");
    phicache_method *method = new_method("cause_repertoire", 0, &function);
    phicache_dict_cache *cache = new_dict();
    phicache_key *args = args_of(1);
    phicache_value value;
    phicache_bytes key;
    int object = 0;
    CHECK_OK(phicache_method_call(method, view_of(cache), &object, args, &value, NULL));
    CHECK_UINT(value.origin, PHICACHE_ORIGIN_COMPUTED);
    CHECK(function.call_data == &object);
    phicache_value_release(&value);
    CHECK_OK(phicache_dict_cache_key(cache, "cause_repertoire", args, &key));
    CHECK_OK(phicache_dict_cache_contains(cache, key));
    CHECK_BYTES(function.key, function.key_len, key.data, key.len);
    check_call(method, view_of(cache), args, "value", PHICACHE_ORIGIN_HIT);
    CHECK_UINT(function.calls, 1);
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_OK(phicache_method_free(method));
    CHECK_OK(phicache_method_free(NULL));
}

static void each_object_has_its_own_values(void) {
    answer function = answers("value");
    phicache_method *method = new_method(NULL, 0, &function);
    phicache_dict_cache *one = new_dict(), *other = new_dict();
    phicache_key *args = args_of(1);
    check_call(method, view_of(one), args, "value", PHICACHE_ORIGIN_COMPUTED);
    check_call(method, view_of(other), args, "value", PHICACHE_ORIGIN_COMPUTED);
    check_call(method, view_of(one), args, "value", PHICACHE_ORIGIN_HIT);
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_dict_cache_free(one));
    CHECK_OK(phicache_dict_cache_free(other));
    CHECK_OK(phicache_method_free(method));
}

static void prefixes_keep_methods_apart_in_one_cache(void) {
    answer cause = answers("cause"), effect = answers("effect"), none = answers("none");
    phicache_method *causes = new_method("cause", 0, &cause);
    phicache_method *effects = new_method("effect", 0, &effect);
    phicache_method *bare = new_method(NULL, 0, &none);
    phicache_dict_cache *cache = new_dict();
    phicache_key *args = args_of(1);
    check_call(causes, view_of(cache), args, "cause", PHICACHE_ORIGIN_COMPUTED);
    check_call(effects, view_of(cache), args, "effect", PHICACHE_ORIGIN_COMPUTED);
    check_call(bare, view_of(cache), args, "none", PHICACHE_ORIGIN_COMPUTED);
    check_call(causes, view_of(cache), args, "cause", PHICACHE_ORIGIN_HIT);
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_OK(phicache_method_free(causes));
    CHECK_OK(phicache_method_free(effects));
    CHECK_OK(phicache_method_free(bare));
}

static void a_memo_and_a_method_with_one_prefix_are_an_error(void) {
    answer function = answers("method"), other = answers("memo");
    phicache_method *method = new_method("f", 0, &function), *bare = new_method(NULL, 0, &function);
    phicache_dict_cache *cache = new_dict();
    phicache_memo *memo = NULL;
    phicache_key *args = args_of(1);
    phicache_value value = unset_value();
    CHECK_OK(phicache_memo_new(NULL, compute_answer, &other, NULL, PHICACHE_MEMORY_CONFIGURED, 0, view_of(cache), "f",
                               &memo));
    CHECK_STATUS(phicache_method_call(method, view_of(cache), NULL, args, &value, NULL),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "another function on this cache has the prefix \"f\"");
    CHECK_NO_VALUE(value);
    check_call(bare, view_of(cache), args, "method", PHICACHE_ORIGIN_COMPUTED);
    CHECK_OK(phicache_memo_free(memo));
    check_call(method, view_of(cache), args, "method", PHICACHE_ORIGIN_COMPUTED);
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_OK(phicache_method_free(method));
    CHECK_OK(phicache_method_free(bare));
}

static void two_methods_with_one_prefix_are_an_error(void) {
    answer function = answers("one"), other = answers("two");
    phicache_method *one = new_method("f", 0, &function), *two = new_method("f", 0, &other);
    phicache_dict_cache *cache = new_dict(), *elsewhere = new_dict();
    phicache_key *first = args_of(1), *second = args_of(2);
    phicache_memo *memo = NULL;
    phicache_value value = unset_value();
    check_call(one, view_of(cache), first, "one", PHICACHE_ORIGIN_COMPUTED);
    CHECK_STATUS(phicache_method_call(two, view_of(cache), NULL, second, &value, NULL),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "another function on this cache has the prefix \"f\"");
    CHECK_NO_VALUE(value);
    CHECK_STATUS(phicache_memo_new(NULL, compute_answer, &other, NULL, PHICACHE_MEMORY_CONFIGURED, 0, view_of(cache),
                                   "f", &memo),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    check_call(two, view_of(elsewhere), second, "two", PHICACHE_ORIGIN_COMPUTED);
    check_call(one, view_of(cache), second, "one", PHICACHE_ORIGIN_COMPUTED);
    CHECK_OK(phicache_method_free(one));
    CHECK_OK(phicache_cache_clear(view_of(cache)));
    check_call(two, view_of(cache), first, "two", PHICACHE_ORIGIN_COMPUTED);
    CHECK_OK(phicache_key_free(first));
    CHECK_OK(phicache_key_free(second));
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_OK(phicache_dict_cache_free(elsewhere));
    CHECK_OK(phicache_method_free(two));
}

static void only_repertoire_methods_do_not_cache_while_repertoires_are_off(void) {
    answer function = answers("value");
    phicache_config *config = new_unlimited();
    phicache_dict_cache *cache = NULL;
    phicache_method *repertoire = new_method("repertoire", PHICACHE_METHOD_REPERTOIRE, &function);
    phicache_method *plain = new_method("plain", 0, &function);
    phicache_key *args = args_of(1);
    phicache_info info;
    REQUIRE_OK(phicache_dict_cache_new(config, NULL, &cache));
    CHECK_OK(phicache_config_set_cache_repertoires(config, 0));
    check_call(repertoire, view_of(cache), args, "value", PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_DISABLED);
    check_call(repertoire, view_of(cache), args, "value", PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_DISABLED);
    CHECK_UINT(function.calls, 2);
    CHECK_OK(phicache_dict_cache_info(cache, &info));
    CHECK_UINT(info.hits + info.misses + info.size, 0);
    check_call(plain, view_of(cache), args, "value", PHICACHE_ORIGIN_COMPUTED);
    check_call(plain, view_of(cache), args, "value", PHICACHE_ORIGIN_HIT);
    CHECK_OK(phicache_config_set_cache_repertoires(config, 1));
    check_call(repertoire, view_of(cache), args, "value", PHICACHE_ORIGIN_COMPUTED);
    check_call(repertoire, view_of(cache), args, "value", PHICACHE_ORIGIN_HIT);
    /* Values that are in the cache already are not found either. */
    CHECK_OK(phicache_config_set_cache_repertoires(config, 0));
    check_call(repertoire, view_of(cache), args, "value", PHICACHE_ORIGIN_NOT_STORED + PHICACHE_REFUSED_DISABLED);
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
    CHECK_OK(phicache_method_free(repertoire));
    CHECK_OK(phicache_method_free(plain));
}

static void the_code_of_a_failing_function_is_returned_with_and_without_caching(void) {
    answer function = fails(13);
    phicache_config *config = new_unlimited();
    phicache_dict_cache *cache = NULL;
    phicache_method *method = new_method("f", PHICACHE_METHOD_REPERTOIRE, &function);
    phicache_key *args = args_of(1);
    phicache_value value = unset_value();
    uint64_t size = 99;
    int32_t code = 0, enabled;
    REQUIRE_OK(phicache_dict_cache_new(config, NULL, &cache));
    for (enabled = 0; enabled < 2; enabled++) {
        CHECK_OK(phicache_config_set_cache_repertoires(config, enabled));
        CHECK_STATUS(phicache_method_call(method, view_of(cache), NULL, args, &value, &code), PHICACHE_ERROR_CALLBACK);
        CHECK_INT(code, 13);
        CHECK_NO_VALUE(value);
        CHECK_STATUS(phicache_method_call(method, view_of(cache), NULL, args, &value, NULL), PHICACHE_ERROR_CALLBACK);
    }
    CHECK_OK(phicache_dict_cache_size(cache, &size));
    CHECK_UINT(size, 0);
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
    CHECK_OK(phicache_method_free(method));
}

static void unknown_flags_and_an_invalid_prefix_are_errors(void) {
    answer function = answers("value");
    phicache_method *method = NULL;
    CHECK_STATUS(phicache_method_new("f", 0x80000000u, compute_answer, &function, NULL, &method),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(method == NULL);
    CHECK_STATUS(phicache_method_new("\xff", 0, compute_answer, &function, NULL, &method),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(method == NULL);
}

static int32_t compute_nothing(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    (void)user_data;
    (void)call_data;
    (void)key;
    (void)result;
    return 0;
}

static void count_drop(void *user_data) { (*(unsigned *)user_data)++; }

static void user_data_is_dropped_exactly_once_also_if_the_method_cannot_be_created(void) {
    unsigned drops = 0;
    phicache_method *method = NULL;
    REQUIRE_OK(phicache_method_new("f", 0, compute_nothing, &drops, count_drop, &method));
    CHECK_UINT(drops, 0);
    CHECK_OK(phicache_method_free(method));
    CHECK_UINT(drops, 1);
    CHECK_STATUS(phicache_method_new("f", 0, NULL, &drops, count_drop, &method), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_UINT(drops, 2);
    CHECK_STATUS(phicache_method_new("\xff", 0, compute_nothing, &drops, count_drop, &method),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_UINT(drops, 3);
    CHECK_STATUS(phicache_method_new("f", 0, compute_nothing, &drops, count_drop, NULL),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_UINT(drops, 4);
}

/* A method that frees itself and the cache of its object while it computes. */
typedef struct {
    phicache_method *method;
    phicache_dict_cache *cache;
    unsigned drops, drops_while_computing;
} suicide;

static void drop_suicide(void *user_data) { ((suicide *)user_data)->drops++; }

static int32_t compute_suicide(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    suicide *self = (suicide *)user_data;
    uint8_t *room = NULL;
    (void)call_data;
    (void)key;
    CHECK_OK(phicache_method_free(self->method));
    CHECK_OK(phicache_dict_cache_free(self->cache));
    self->drops_while_computing = self->drops;
    if (phicache_result_reserve(result, 4, &room) != PHICACHE_OK) return -1;
    memcpy(room, "last", 4);
    return 0;
}

static void a_method_may_free_itself_and_the_cache_while_it_computes(void) {
    suicide self;
    phicache_key *args = args_of(1);
    phicache_cache *view;
    phicache_value value;
    memset(&self, 0, sizeof self);
    self.cache = new_dict();
    view = view_of(self.cache);
    REQUIRE_OK(phicache_method_new("f", 0, compute_suicide, &self, drop_suicide, &self.method));
    CHECK_OK(phicache_method_call(self.method, view, NULL, args, &value, NULL));
    CHECK_VALUE(value, "last");
    CHECK_UINT(self.drops_while_computing, 0);
    CHECK_UINT(self.drops, 1);
    phicache_value_release(&value);
    CHECK_STATUS(phicache_method_call(self.method, view, NULL, args, &value, NULL), PHICACHE_ERROR_INVALID_HANDLE);
    CHECK_OK(phicache_key_free(args));
}

static void a_call_by_the_key_of_the_arguments_is_the_same_call(void) {
    answer function = answers("value");
    phicache_method *method = new_method("m", PHICACHE_METHOD_REPERTOIRE, &function);
    phicache_dict_cache *cache = new_dict();
    phicache_key *args = args_of(1);
    phicache_bytes key, typed;
    for (int by_key = 0; by_key < 3; by_key++) {
        phicache_value value = unset_value();
        int32_t code = 77;
        CHECK_OK(phicache_key_bytes(args, 0, &key));
        CHECK_OK(phicache_method_call_key(method, view_of(cache), NULL, &key, &value, &code));
        CHECK_VALUE(value, "value");
        CHECK_UINT(value.origin, by_key == 0 ? PHICACHE_ORIGIN_COMPUTED : PHICACHE_ORIGIN_HIT);
        CHECK_INT(code, 0);
        phicache_value_release(&value);
        CHECK_OK(phicache_key_bytes(args, 1, &typed));
        CHECK_STATUS(phicache_method_call_key(method, view_of(cache), NULL, &typed, &value, NULL),
                     PHICACHE_ERROR_INVALID_ARGUMENT);
    }
    check_call(method, view_of(cache), args, "value", PHICACHE_ORIGIN_HIT);
    CHECK_UINT(function.calls, 1);
    CHECK_OK(phicache_key_free(args));
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_OK(phicache_method_free(method));
}

int main(void) {
    RUN(a_call_by_the_key_of_the_arguments_is_the_same_call);
    RUN(the_objects_cache_has_the_value_under_prefix_and_arguments);
    RUN(each_object_has_its_own_values);
    RUN(prefixes_keep_methods_apart_in_one_cache);
    RUN(a_memo_and_a_method_with_one_prefix_are_an_error);
    RUN(two_methods_with_one_prefix_are_an_error);
    RUN(only_repertoire_methods_do_not_cache_while_repertoires_are_off);
    RUN(the_code_of_a_failing_function_is_returned_with_and_without_caching);
    RUN(unknown_flags_and_an_invalid_prefix_are_errors);
    RUN(user_data_is_dropped_exactly_once_also_if_the_method_cannot_be_created);
    RUN(a_method_may_free_itself_and_the_cache_while_it_computes);
    return check_report();
}
