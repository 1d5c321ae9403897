/* test_handles.c: every function with an invalid handle: freed, of another type, null, or no handle at all.
 *
 * For each type one function makes every call with an invalid handle; the test passes each kind of invalid handle to
 * it.
 */
#include "sample.h"

#define CHECK_INVALID(call) CHECK_STATUS(call, PHICACHE_ERROR_INVALID_HANDLE)
#define CHECK_INVALID_OUT(call, out) \
    do {                             \
        out = &unwritten;                \
        CHECK_INVALID(call);         \
        CHECK(out == NULL);          \
    } while (0)

static int unwritten; /* what an output points to before a call */
static const phicache_fingerprint NETWORK = {{1}};
static const int32_t STATE[2] = {0, 0};

/* Live handles of every type: passed where another type is expected, and where a valid handle is needed. */
static struct {
    phicache_config *config;
    phicache_key *key;
    phicache_dict_cache *dict;
    phicache_purview_cache *purview;
    phicache_mice_cache *mice;
    phicache_memo *memo;
    phicache_method *method;
    phicache_subsystem *subsystem;
    answer function;
} live;

static int32_t visit_never(void *user_data, const phicache_entry *entry, phicache_value *value) {
    (void)user_data, (void)entry, (void)value;
    check_true(__FILE__, __LINE__, "that no entry is visited", 0);
    return -1;
}

static phicache_cache *view(void) {
    phicache_cache *cache = NULL;
    CHECK_OK(phicache_dict_cache_as_cache(live.dict, &cache));
    return cache;
}

static void make_live_handles(void) {
    live.function = answers("value");
    CHECK_OK(phicache_config_new(&live.config));
    CHECK_OK(phicache_key_new(&live.key));
    CHECK_OK(phicache_dict_cache_new(NULL, NULL, &live.dict));
    CHECK_OK(phicache_purview_cache_new(NULL, NULL, &live.purview));
    CHECK_OK(phicache_subsystem_new(&NETWORK, 2, STATE, 3, NULL, NULL, &live.subsystem));
    CHECK_OK(phicache_dict_mice_cache_new(NULL, NULL, live.subsystem, NULL, &live.mice));
    CHECK_OK(phicache_memo_new(NULL, compute_answer, &live.function, NULL, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL,
                               &live.memo));
    CHECK_OK(phicache_method_new(NULL, 0, compute_answer, &live.function, NULL, &live.method));
}

static void free_live_handles(void) {
    CHECK_OK(phicache_method_free(live.method));
    CHECK_OK(phicache_memo_free(live.memo));
    CHECK_OK(phicache_mice_cache_free(live.mice));
    CHECK_OK(phicache_subsystem_free(live.subsystem));
    CHECK_OK(phicache_purview_cache_free(live.purview));
    CHECK_OK(phicache_dict_cache_free(live.dict));
    CHECK_OK(phicache_key_free(live.key));
    CHECK_OK(phicache_config_free(live.config));
}

static void call_with_wrong_config(void *wrong) {
    phicache_config *config = (phicache_config *)wrong;
    double percent;
    int32_t enabled;
    char buffer[99];
    size_t len;
    void *out;
    CHECK_INVALID(phicache_config_free(config));
    CHECK_INVALID(phicache_config_set_maximum_memory_percent(config, 1.0));
    CHECK_INVALID(phicache_config_get_maximum_memory_percent(config, &percent));
    CHECK_INVALID(phicache_config_set_cache_repertoires(config, 1));
    CHECK_INVALID(phicache_config_get_cache_repertoires(config, &enabled));
    CHECK_INVALID(phicache_config_set_cache_potential_purviews(config, 1));
    CHECK_INVALID(phicache_config_get_cache_potential_purviews(config, &enabled));
    CHECK_INVALID(phicache_config_set_redis_cache(config, 0));
    CHECK_INVALID(phicache_config_get_redis_cache(config, &enabled));
    CHECK_INVALID(phicache_config_set_redis_url(config, "redis://host"));
    CHECK_INVALID(phicache_config_get_redis_url(config, buffer, sizeof buffer, &len));
    CHECK_INVALID(phicache_config_set_redis_namespace(config, "name"));
    CHECK_INVALID(phicache_config_get_redis_namespace(config, buffer, sizeof buffer, &len));
    CHECK_INVALID(phicache_memory_full(config, &enabled));
    CHECK_INVALID_OUT(phicache_dict_cache_new(config, NULL, (phicache_dict_cache **)&out), out);
    CHECK_INVALID_OUT(phicache_dict_cache_shared(config, NULL, &NETWORK, "role", (phicache_dict_cache **)&out), out);
    CHECK_INVALID_OUT(phicache_purview_cache_new(config, NULL, (phicache_purview_cache **)&out), out);
    CHECK_INVALID_OUT(phicache_mice_cache_new(config, NULL, live.subsystem, NULL, (phicache_mice_cache **)&out), out);
    CHECK_INVALID_OUT(phicache_dict_mice_cache_new(config, NULL, live.subsystem, NULL, (phicache_mice_cache **)&out),
                      out);
    CHECK_INVALID_OUT(phicache_memo_new(config, compute_never, NULL, NULL, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL,
                                        (phicache_memo **)&out),
                      out);
}

static void call_with_wrong_key(void *wrong) {
    phicache_key *key = (phicache_key *)wrong;
    phicache_bytes lent;
    phicache_value value;
    CHECK_INVALID(phicache_key_free(key));
    CHECK_INVALID(phicache_key_reset(key));
    CHECK_INVALID(phicache_key_add_none(key));
    CHECK_INVALID(phicache_key_add_bool(key, 1));
    CHECK_INVALID(phicache_key_add_int(key, 1));
    CHECK_INVALID(phicache_key_add_uint(key, 1));
    CHECK_INVALID(phicache_key_add_double(key, 1.0));
    CHECK_INVALID(phicache_key_add_bytes(key, text("b")));
    CHECK_INVALID(phicache_key_add_string(key, text("s")));
    CHECK_INVALID(phicache_key_add_direction(key, PHICACHE_CAUSE));
    CHECK_INVALID(phicache_key_add_nodes(key, 1));
    CHECK_INVALID(phicache_key_begin_tuple(key));
    CHECK_INVALID(phicache_key_end_tuple(key));
    CHECK_INVALID(phicache_key_begin_set(key));
    CHECK_INVALID(phicache_key_end_set(key));
    CHECK_INVALID(phicache_key_add_keyword(key, "name"));
    CHECK_INVALID(phicache_key_bytes(key, 0, &lent));
    CHECK(lent.data == NULL && lent.len == 0);
    CHECK_INVALID(phicache_dict_cache_key(live.dict, NULL, key, &lent));
    CHECK_INVALID(phicache_cache_key(view(), NULL, key, &lent));
    CHECK_INVALID(phicache_memo_call(live.memo, key, NULL, &value, NULL));
    CHECK_INVALID(phicache_method_call(live.method, view(), NULL, key, &value, NULL));
    CHECK_NO_VALUE(value);
}

static void call_with_wrong_view(void *wrong) {
    phicache_cache *cache = (phicache_cache *)wrong;
    phicache_value value;
    phicache_info info;
    phicache_stats stats;
    phicache_bytes lent;
    uint64_t size;
    uint8_t buffer[4];
    size_t len;
    void *out;
    stats.struct_size = sizeof stats;
    CHECK_INVALID(phicache_cache_get(cache, text("key"), &value));
    CHECK_NO_VALUE(value);
    CHECK_INVALID(phicache_cache_get_into(cache, text("key"), buffer, sizeof buffer, &len));
    CHECK_INVALID(phicache_cache_contains(cache, text("key")));
    CHECK_INVALID(phicache_cache_set(cache, text("key"), text("value")));
    CHECK_INVALID(phicache_cache_memoize(cache, text("key"), compute_never, NULL, NULL, &value, NULL));
    CHECK_INVALID(phicache_cache_remove(cache, text("key")));
    CHECK_INVALID(phicache_cache_clear(cache));
    CHECK_INVALID(phicache_cache_size(cache, &size));
    CHECK_INVALID(phicache_cache_info(cache, &info));
    CHECK_INVALID(phicache_cache_stats(cache, &stats));
    CHECK_INVALID(phicache_cache_key(cache, NULL, live.key, &lent));
    CHECK_INVALID(phicache_method_call(live.method, cache, NULL, live.key, &value, NULL));
    CHECK_INVALID_OUT(phicache_memo_new(NULL, compute_never, NULL, NULL, PHICACHE_MEMORY_CONFIGURED, 0, cache, "p",
                                        (phicache_memo **)&out),
                      out);
    CHECK_INVALID_OUT(phicache_cache_begin(cache, text("key"), 1, &value, (phicache_lease **)&out), out);
    CHECK_INVALID(phicache_cache_wait(cache, text("key"), 1, 0, &value));
    CHECK_INVALID(phicache_cache_peek(cache, text("key"), &value));
    CHECK_NO_VALUE(value);
    CHECK_INVALID(phicache_cache_for_each(cache, visit_never, NULL, NULL));
    CHECK_INVALID_OUT(phicache_walk_new(cache, (phicache_walk **)&out), out);
}

static void call_with_wrong_dict(void *wrong) {
    phicache_dict_cache *cache = (phicache_dict_cache *)wrong;
    phicache_value value;
    phicache_info info;
    phicache_stats stats;
    phicache_bytes lent;
    uint64_t size;
    uint8_t buffer[4];
    size_t len;
    void *out;
    stats.struct_size = sizeof stats;
    CHECK_INVALID(phicache_dict_cache_free(cache));
    CHECK_INVALID(phicache_dict_cache_get(cache, text("key"), &value));
    CHECK_NO_VALUE(value);
    CHECK_INVALID(phicache_dict_cache_get_into(cache, text("key"), buffer, sizeof buffer, &len));
    CHECK_INVALID(phicache_dict_cache_contains(cache, text("key")));
    CHECK_INVALID(phicache_dict_cache_set(cache, text("key"), text("value")));
    CHECK_INVALID(phicache_dict_cache_memoize(cache, text("key"), compute_never, NULL, NULL, &value, NULL));
    CHECK_INVALID(phicache_dict_cache_remove(cache, text("key")));
    CHECK_INVALID(phicache_dict_cache_clear(cache));
    CHECK_INVALID(phicache_dict_cache_size(cache, &size));
    CHECK_INVALID(phicache_dict_cache_info(cache, &info));
    CHECK_INVALID(phicache_dict_cache_stats(cache, &stats));
    CHECK_INVALID(phicache_dict_cache_key(cache, NULL, live.key, &lent));
    CHECK_INVALID_OUT(phicache_dict_cache_as_cache(cache, (phicache_cache **)&out), out);
}

static void call_with_wrong_purview(void *wrong) {
    phicache_purview_cache *cache = (phicache_purview_cache *)wrong;
    const uint64_t list[1] = {1};
    const uint64_t *purviews;
    phicache_value value;
    phicache_info info;
    phicache_stats stats;
    uint64_t size;
    size_t count;
    void *out;
    stats.struct_size = sizeof stats;
    CHECK_INVALID(phicache_purview_cache_free(cache));
    CHECK_INVALID(phicache_purview_cache_get(cache, PHICACHE_CAUSE, 1, &purviews, &count, &value));
    CHECK_NO_VALUE(value);
    CHECK_INVALID(phicache_purview_cache_set(cache, PHICACHE_CAUSE, 1, list, 1));
    CHECK_INVALID(phicache_purview_cache_memoize(cache, PHICACHE_CAUSE, 1, compute_never, NULL, NULL, &purviews,
                                                 &count, &value, NULL));
    CHECK_INVALID(phicache_purview_cache_clear(cache));
    CHECK_INVALID(phicache_purview_cache_size(cache, &size));
    CHECK_INVALID(phicache_purview_cache_info(cache, &info));
    CHECK_INVALID(phicache_purview_cache_stats(cache, &stats));
    CHECK_INVALID_OUT(phicache_purview_cache_as_cache(cache, (phicache_cache **)&out), out);
}

static void call_with_wrong_mice(void *wrong) {
    phicache_mice_cache *cache = (phicache_mice_cache *)wrong;
    phicache_mice mice;
    phicache_value value;
    phicache_info info;
    phicache_stats stats;
    uint64_t size;
    void *out;
    memset(&mice, 0, sizeof mice);
    mice.struct_size = sizeof mice;
    mice.phi = 1.0;
    stats.struct_size = sizeof stats;
    CHECK_INVALID(phicache_mice_cache_free(cache));
    CHECK_INVALID(phicache_mice_cache_set(cache, text("key"), &mice));
    CHECK_INVALID(phicache_mice_cache_would_store(cache, 1.0));
    CHECK_INVALID(phicache_mice_cache_get(cache, text("key"), &mice, &value));
    CHECK_NO_VALUE(value);
    CHECK_INVALID(phicache_mice_cache_memoize(cache, text("key"), compute_never, NULL, NULL, &mice, &value, NULL));
    CHECK_INVALID(phicache_mice_cache_contains(cache, text("key")));
    CHECK_INVALID(phicache_mice_cache_remove(cache, text("key")));
    CHECK_INVALID(phicache_mice_cache_clear(cache));
    CHECK_INVALID(phicache_mice_cache_size(cache, &size));
    CHECK_INVALID(phicache_mice_cache_info(cache, &info));
    CHECK_INVALID(phicache_mice_cache_stats(cache, &stats));
    CHECK_INVALID_OUT(phicache_mice_cache_as_cache(cache, (phicache_cache **)&out), out);
    CHECK_INVALID_OUT(phicache_mice_cache_new(NULL, NULL, live.subsystem, cache, (phicache_mice_cache **)&out), out);
    CHECK_INVALID_OUT(phicache_dict_mice_cache_new(NULL, NULL, live.subsystem, cache, (phicache_mice_cache **)&out),
                      out);
}

static void call_with_wrong_memo(void *wrong) {
    phicache_memo *memo = (phicache_memo *)wrong;
    phicache_value value;
    phicache_info info;
    phicache_compute compute;
    void *user_data;
    CHECK_INVALID(phicache_memo_free(memo));
    CHECK_INVALID(phicache_memo_call(memo, live.key, NULL, &value, NULL));
    CHECK_NO_VALUE(value);
    CHECK_INVALID(phicache_memo_info(memo, &info));
    CHECK_INVALID(phicache_memo_clear(memo));
    CHECK_INVALID(phicache_memo_wrapped(memo, &compute, &user_data));
    CHECK(compute == NULL && user_data == NULL);
}

static void call_with_wrong_method(void *wrong) {
    phicache_method *method = (phicache_method *)wrong;
    phicache_value value;
    CHECK_INVALID(phicache_method_free(method));
    CHECK_INVALID(phicache_method_call(method, view(), NULL, live.key, &value, NULL));
    CHECK_NO_VALUE(value);
}

static void call_with_wrong_subsystem(void *wrong) {
    phicache_subsystem *subsystem = (phicache_subsystem *)wrong;
    phicache_fingerprint fingerprint;
    uint64_t nodes;
    int32_t answered;
    uint8_t buffer[99];
    size_t len;
    void *out;
    CHECK_INVALID(phicache_subsystem_free(subsystem));
    CHECK_INVALID_OUT(phicache_subsystem_cut(subsystem, NULL, (phicache_subsystem **)&out), out);
    CHECK_INVALID(phicache_subsystem_fingerprint(subsystem, &fingerprint));
    CHECK_INVALID(phicache_subsystem_nodes(subsystem, &nodes));
    CHECK_INVALID(phicache_subsystem_is_cut(subsystem, &answered));
    CHECK_INVALID(phicache_subsystem_damages(subsystem, PHICACHE_CAUSE, 1, 1, &answered));
    CHECK_INVALID(phicache_subsystem_key(subsystem, NULL, PHICACHE_CAUSE, 1, 1, buffer, sizeof buffer, &len));
    CHECK_INVALID_OUT(phicache_mice_cache_new(NULL, NULL, subsystem, NULL, (phicache_mice_cache **)&out), out);
    CHECK_INVALID_OUT(phicache_dict_mice_cache_new(NULL, NULL, subsystem, NULL, (phicache_mice_cache **)&out), out);
}

static void call_with_wrong_lease(void *wrong) {
    phicache_lease *lease = (phicache_lease *)wrong;
    phicache_value value = unset_value();
    void *out;
    CHECK_INVALID_OUT(phicache_lease_reserve(lease, 1, (uint8_t **)&out), out);
    CHECK_INVALID(phicache_lease_truncate(lease, 0));
    CHECK_INVALID(phicache_lease_complete(lease, &value));
    CHECK_NO_VALUE(value);
    CHECK_INVALID(phicache_lease_abandon(lease));
}

static void call_with_wrong_walk(void *wrong) {
    phicache_walk *walk = (phicache_walk *)wrong;
    phicache_value value = unset_value();
    phicache_entry entry;
    entry.struct_size = sizeof entry;
    CHECK_INVALID(phicache_walk_next(walk, &entry, &value));
    CHECK_NO_VALUE(value);
    CHECK_INVALID(phicache_walk_free(walk));
}

static void freed_handles_are_refused(void) {
    phicache_dict_cache *dict = new_dict();
    phicache_cache *cache = NULL;
    phicache_value value;
    void *handle = NULL;
    CHECK_OK(phicache_config_new((phicache_config **)&handle));
    CHECK_OK(phicache_config_free((phicache_config *)handle));
    call_with_wrong_config(handle);
    CHECK_OK(phicache_key_new((phicache_key **)&handle));
    CHECK_OK(phicache_key_free((phicache_key *)handle));
    call_with_wrong_key(handle);
    CHECK_OK(phicache_dict_cache_as_cache(dict, &cache));
    CHECK_OK(phicache_dict_cache_free(dict));
    call_with_wrong_dict(dict);
    call_with_wrong_view(cache);
    CHECK_OK(phicache_purview_cache_new(NULL, NULL, (phicache_purview_cache **)&handle));
    CHECK_OK(phicache_purview_cache_free((phicache_purview_cache *)handle));
    call_with_wrong_purview(handle);
    CHECK_OK(phicache_dict_mice_cache_new(NULL, NULL, live.subsystem, NULL, (phicache_mice_cache **)&handle));
    CHECK_OK(phicache_mice_cache_free((phicache_mice_cache *)handle));
    call_with_wrong_mice(handle);
    CHECK_OK(phicache_memo_new(NULL, compute_never, NULL, NULL, 50.0, 0, NULL, NULL, (phicache_memo **)&handle));
    CHECK_OK(phicache_memo_free((phicache_memo *)handle));
    call_with_wrong_memo(handle);
    CHECK_OK(phicache_method_new(NULL, 0, compute_never, NULL, NULL, (phicache_method **)&handle));
    CHECK_OK(phicache_method_free((phicache_method *)handle));
    call_with_wrong_method(handle);
    CHECK_OK(phicache_subsystem_new(&NETWORK, 2, STATE, 3, NULL, NULL, (phicache_subsystem **)&handle));
    CHECK_OK(phicache_subsystem_free((phicache_subsystem *)handle));
    call_with_wrong_subsystem(handle);
    CHECK_STATUS(phicache_cache_begin(view(), text("key"), 1, &value, (phicache_lease **)&handle), PHICACHE_LEASE);
    CHECK_OK(phicache_lease_abandon((phicache_lease *)handle));
    call_with_wrong_lease(handle);
    CHECK_OK(phicache_walk_new(view(), (phicache_walk **)&handle));
    CHECK_OK(phicache_walk_free((phicache_walk *)handle));
    call_with_wrong_walk(handle);
}

static void handles_of_another_type_are_refused(void) {
    void (*const call[])(void *) = {call_with_wrong_config,  call_with_wrong_key,       call_with_wrong_dict,
                                    call_with_wrong_purview, call_with_wrong_mice,      call_with_wrong_memo,
                                    call_with_wrong_method,  call_with_wrong_subsystem, call_with_wrong_view,
                                    call_with_wrong_lease,   call_with_wrong_walk};
    void *handles[8];
    size_t type, other;
    handles[0] = live.config;
    handles[1] = live.key;
    handles[2] = live.dict;
    handles[3] = live.purview;
    handles[4] = live.mice;
    handles[5] = live.memo;
    handles[6] = live.method;
    handles[7] = live.subsystem;
    for (type = 0; type < 11; type++)
        for (other = 0; other < 8; other++) {
            const int is_a_cache = other >= 2 && other <= 4;
            if (type != other && !(type == 8 && is_a_cache)) call[type](handles[other]);
        }
}

static void memory_that_is_not_a_handle_is_refused(void) {
    static uint64_t zeros[64];
    call_with_wrong_config(zeros);
    call_with_wrong_key((char *)live.key + 1);
    call_with_wrong_dict((char *)live.dict + 8);
    call_with_wrong_view(zeros);
    call_with_wrong_purview(zeros);
    call_with_wrong_mice((char *)live.mice + 4);
    call_with_wrong_memo(zeros);
    call_with_wrong_method(zeros);
    call_with_wrong_subsystem((char *)live.subsystem + 1);
    call_with_wrong_lease(zeros);
    call_with_wrong_walk(zeros);
}

static void a_message_names_parameter_and_type(void) {
    phicache_dict_cache *cache = new_dict();
    uint64_t size;
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_INVALID(phicache_dict_cache_size(cache, &size));
    CHECK_CONTAINS(phicache_last_error(), "phicache_dict_cache_size");
    CHECK_CONTAINS(phicache_last_error(), "freed");
    CHECK_INVALID(phicache_dict_cache_size((phicache_dict_cache *)(void *)live.purview, &size));
    CHECK_CONTAINS(phicache_last_error(), "phicache_dict_cache");
    CHECK_INVALID(phicache_key_reset((phicache_key *)(void *)((char *)live.key + 1)));
    CHECK_CONTAINS(phicache_last_error(), "address");
    CHECK(strstr(phicache_last_error(), "freed") == NULL);
}

static void a_reused_slot_is_a_new_handle(void) {
    phicache_dict_cache *cache = new_dict(), *next;
    uint64_t size = 99;
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("value")));
    CHECK_OK(phicache_dict_cache_free(cache));
    next = new_dict();
    CHECK_OK(phicache_dict_cache_size(next, &size));
    CHECK_UINT(size, 0);
    CHECK_OK(phicache_dict_cache_free(next));
}

/* A handle that is used after it was freed is not that of the next cache, whose values it would return. */
static void a_slot_is_not_reused_at_once(void) {
    phicache_dict_cache *freed = new_dict();
    phicache_value value;
    int i;
    CHECK_OK(phicache_dict_cache_free(freed));
    for (i = 0; i < 50; i++) {
        phicache_dict_cache *next = new_dict();
        CHECK_OK(phicache_dict_cache_set(next, text("key"), text("of another system")));
        CHECK_STATUS(phicache_dict_cache_get(freed, text("key"), &value), PHICACHE_ERROR_INVALID_HANDLE);
        CHECK_CONTAINS(phicache_last_error(), "it was freed");
        CHECK_OK(phicache_dict_cache_free(next));
    }
}

/* After all invalid calls, valid ones still work. */
static void live_handles_still_work(void) {
    phicache_value value = unset_value();
    uint64_t size = 99;
    CHECK_OK(phicache_dict_cache_size(live.dict, &size));
    CHECK_UINT(size, 0);
    CHECK_OK(phicache_memo_call(live.memo, live.key, NULL, &value, NULL));
    CHECK_VALUE(value, "value");
    phicache_value_release(&value);
    CHECK_OK(phicache_method_call(live.method, view(), NULL, live.key, &value, NULL));
    CHECK_VALUE(value, "value");
    phicache_value_release(&value);
    CHECK_OK(phicache_subsystem_nodes(live.subsystem, &size));
    CHECK_UINT(size, 3);
    CHECK_OK(phicache_mice_cache_would_store(live.mice, 1.0));
}

int main(void) {
    make_live_handles();
    RUN(freed_handles_are_refused);
    RUN(handles_of_another_type_are_refused);
    RUN(memory_that_is_not_a_handle_is_refused);
    RUN(a_message_names_parameter_and_type);
    RUN(a_reused_slot_is_a_new_handle);
    RUN(a_slot_is_not_reused_at_once);
    RUN(live_handles_still_work);
    free_live_handles();
    return check_report();
}
