/* test_mice_records.c: which MICE records a cache takes under which keys, and how they are encoded. */
#include "mice_sample.h"

/* A standard key, in a buffer that the next call overwrites. */
static phicache_bytes question(int32_t direction, uint64_t mechanism, const uint64_t *purviews, size_t count) {
    static uint8_t buffer[PHICACHE_KEY_BUFFER];
    size_t len = 0;
    CHECK_OK(phicache_key_mice("mice", direction, mechanism, purviews, count, buffer, sizeof buffer, &len));
    return bytes(buffer, len);
}

static int32_t compute_given(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    (void)call_data;
    (void)key;
    return phicache_result_mice(result, (const phicache_mice *)user_data, NULL) == PHICACHE_OK ? 0 : -1;
}

/* Every way of storing a record under a key. */
static void check_stores(phicache_mice_cache *cache, phicache_bytes key, phicache_mice given,
                         phicache_status expected) {
    phicache_cache *view = NULL;
    phicache_mice mice;
    phicache_value value = unset_value();
    phicache_lease *lease = NULL;
    uint8_t record[256], *room = NULL;
    size_t len = 0;
    phicache_status status = PHICACHE_OK;
    memset(&mice, 0, sizeof mice);
    mice.struct_size = sizeof mice;
    CHECK_OK(phicache_mice_cache_as_cache(cache, &view));
    CHECK_OK(phicache_mice_encode(&given, record, sizeof record, &len));

    CHECK_STATUS(phicache_mice_cache_set(cache, key, &given), expected);
    if (expected == PHICACHE_OK) CHECK_OK(phicache_mice_cache_remove(cache, key));
    CHECK_STATUS(phicache_cache_set(view, key, bytes(record, len)), expected);
    if (expected == PHICACHE_OK) CHECK_OK(phicache_mice_cache_remove(cache, key));
    {
        const phicache_bytes keys[1] = {key}, values[1] = {bytes(record, len)};
        const phicache_status whole = phicache_cache_set_many(view, keys, values, 1, &status);
        CHECK((whole < 0 ? whole : status) == expected);
    }
    if (expected == PHICACHE_OK) CHECK_OK(phicache_mice_cache_remove(cache, key));
    CHECK_STATUS(phicache_mice_cache_memoize(cache, key, compute_given, &given, NULL, &mice, &value, NULL), expected);
    phicache_value_release(&value);
    if (expected == PHICACHE_OK) CHECK_OK(phicache_mice_cache_remove(cache, key));
    CHECK_STATUS(phicache_cache_begin(view, key, 0, &value, &lease), PHICACHE_LEASE);
    CHECK_OK(phicache_lease_reserve(lease, len, &room));
    memcpy(room, record, len);
    CHECK_STATUS(phicache_lease_complete(lease, &value), expected);
    phicache_value_release(&value);
    CHECK_STATUS(phicache_mice_cache_contains(cache, key), expected == PHICACHE_OK ? PHICACHE_OK : PHICACHE_MISS);
    if (expected == PHICACHE_OK) CHECK_OK(phicache_mice_cache_remove(cache, key));
}

static void a_record_that_contradicts_its_standard_key_is_refused(void) {
    static const uint64_t both[2] = {1, 4}, other[1] = {1}, none[1] = {0};
    phicache_mice_cache *cache = new_mice_cache(NULL, NULL, NULL);
    const phicache_mice mice = safe_mice("payload"); /* effect, mechanism 2, purview 4 */
    phicache_mice empty = mice_of(PHICACHE_EFFECT, 2, 0, 0.5, "");
    check_stores(cache, question(PHICACHE_EFFECT, 2, NULL, 0), mice, PHICACHE_OK);
    check_stores(cache, question(PHICACHE_EFFECT, 2, both, 2), mice, PHICACHE_OK);
    check_stores(cache, question(PHICACHE_CAUSE, 2, NULL, 0), mice, PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "contradicts its standard key, which asks for direction 0, mechanism 0x2;");
    check_stores(cache, question(PHICACHE_EFFECT, 3, NULL, 0), mice, PHICACHE_ERROR_INVALID_ARGUMENT);
    check_stores(cache, question(PHICACHE_CAUSE, 2, both, 2), mice, PHICACHE_ERROR_INVALID_ARGUMENT);
    check_stores(cache, question(PHICACHE_EFFECT, 2, other, 1), mice, PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "mechanism 0x2, and its purview is not a candidate of the key");
    check_stores(cache, question(PHICACHE_EFFECT, 2, none, 0), mice, PHICACHE_ERROR_INVALID_ARGUMENT);
    /* A MICE without a purview (no candidate is irreducible) fits every list of candidates. */
    check_stores(cache, question(PHICACHE_EFFECT, 2, other, 1), empty, PHICACHE_OK);
    check_stores(cache, question(PHICACHE_EFFECT, 2, none, 0), empty, PHICACHE_OK);
    check_stores(cache, text("of my own"), mice, PHICACHE_OK);
    CHECK_OK(phicache_mice_cache_free(cache));
}

/* Such a record would be found by nobody, or be another system's. */
static void a_record_with_nodes_outside_the_subsystem_is_refused(void) {
    phicache_mice_cache *parent = new_mice_cache(NULL, NULL, NULL), *child = new_mice_cache(NULL, CUT, parent);
    phicache_mice stray = mice_of(PHICACHE_EFFECT, 10, 4, 0.5, "payload"), cause = stray;
    check_stores(parent, question(PHICACHE_EFFECT, 10, NULL, 0), stray, PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "the mechanism 0xa has node 3, which is not in the subsystem");
    check_stores(parent, text("of my own"), stray, PHICACHE_ERROR_INVALID_ARGUMENT);
    cause.mechanism = 2;
    cause.purview = UINT64_C(1) << 63;
    check_stores(parent, question(PHICACHE_EFFECT, 2, NULL, 0), cause, PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "the purview 0x8000000000000000 has node 63");
    /* Also if the store would be refused. */
    CHECK_STATUS(phicache_mice_cache_set(child, text("key"), &stray), PHICACHE_ERROR_INVALID_ARGUMENT);
    cause.phi = 0;
    CHECK_STATUS(phicache_mice_cache_set(parent, text("key"), &cause), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_mice_cache_free(parent));
}

static void a_contradiction_is_an_error_even_if_the_store_would_be_refused(void) {
    phicache_mice_cache *parent = new_mice_cache(NULL, NULL, NULL), *child = new_mice_cache(NULL, CUT, parent);
    phicache_mice mice = safe_mice("");
    CHECK_STATUS(phicache_mice_cache_set(child, question(PHICACHE_EFFECT, 2, NULL, 0), &mice), PHICACHE_REFUSED_CUT);
    CHECK_STATUS(phicache_mice_cache_set(child, question(PHICACHE_CAUSE, 2, NULL, 0), &mice),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    mice.phi = 0;
    CHECK_STATUS(phicache_mice_cache_set(parent, question(PHICACHE_EFFECT, 2, NULL, 0), &mice), PHICACHE_REFUSED_PHI);
    CHECK_STATUS(phicache_mice_cache_set(parent, question(PHICACHE_EFFECT, 1, NULL, 0), &mice),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_mice_cache_free(parent));
}

static void a_mice_of_a_later_version_must_not_use_unknown_fields(void) {
    phicache_mice_cache *cache = new_mice_cache(NULL, NULL, NULL);
    union {
        phicache_mice mice;
        unsigned char bytes[4096];
    } later;
    memset(&later, 0, sizeof later);
    later.mice = safe_mice("");
    later.mice.struct_size = sizeof later.mice + 8;
    CHECK_OK(phicache_mice_cache_set(cache, text("key"), &later.mice));
    later.bytes[sizeof later.mice] = 1;
    CHECK_STATUS(phicache_mice_cache_set(cache, text("key"), &later.mice), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "mice->struct_size is");
    later.mice.struct_size = sizeof later.mice;
    CHECK_OK(phicache_mice_cache_set(cache, text("key"), &later.mice));
    later.mice.reserved = 1;
    CHECK_STATUS(phicache_mice_cache_set(cache, text("key"), &later.mice), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "mice->reserved is 1; expected 0");
    later.mice.phi = 0; /* also if the record would be refused */
    CHECK_STATUS(phicache_mice_cache_set(cache, text("key"), &later.mice), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_mice_cache_free(cache));
}

static void records_decode_as_encoded_and_damage_is_detected(void) {
    uint8_t record[256], original[256];
    phicache_mice mice = safe_mice("some payload"), decoded;
    size_t len = 0, needed = 0, i;
    CHECK_OK(phicache_mice_encode(&mice, record, sizeof record, &len));
    CHECK_UINT(len, 64 + 12);
    memcpy(original, record, len);
    memset(&decoded, 0xEE, sizeof decoded);
    decoded.struct_size = sizeof decoded;
    CHECK_OK(phicache_mice_decode(bytes(record, len), &decoded));
    check_mice(&decoded, &mice);
    CHECK(decoded.payload.data == record + 64);
    for (i = 0; i < len * 8; i++) {
        record[i / 8] ^= (uint8_t)(1u << i % 8);
        CHECK_STATUS(phicache_mice_decode(bytes(record, len), &decoded), PHICACHE_ERROR_DAMAGED);
        CHECK(decoded.payload.data == NULL);
        record[i / 8] = original[i / 8];
    }
    for (i = 0; i < len; i++) CHECK_STATUS(phicache_mice_decode(bytes(record, i), &decoded), PHICACHE_ERROR_DAMAGED);
    CHECK_STATUS(phicache_mice_decode(bytes(record, len + 1), &decoded), PHICACHE_ERROR_DAMAGED);
    CHECK_STATUS(phicache_mice_decode(no_address(), &decoded), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_mice_encode(&mice, record, len - 1, &needed), PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK_UINT(needed, len);
    CHECK_STATUS(phicache_mice_encode(&mice, NULL, 0, &needed), PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK_UINT(needed, len);
    mice.phi = NAN;
    CHECK_STATUS(phicache_mice_encode(&mice, record, sizeof record, &needed), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_UINT(needed, 0);
}

static void a_record_is_not_written_over_its_payload(void) {
    uint8_t record[256] = "some payload";
    phicache_mice mice = safe_mice("");
    size_t len = 99;
    mice.payload = bytes(record, 12);
    CHECK_STATUS(phicache_mice_encode(&mice, record, sizeof record, &len), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "buffer overlaps mice->payload");
    CHECK_UINT(len, 0);
    CHECK_OK(phicache_mice_encode(&mice, record + 12, sizeof record - 12, &len));
}

/* Reserves a payload, computes it, and makes the record again, with the phi that follows from it. */
static int32_t compute_phi_last(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    const size_t len = *(const size_t *)call_data;
    phicache_mice mice = *(const phicache_mice *)user_data;
    uint8_t *payload = NULL;
    size_t i;
    (void)key;
    mice.payload = bytes(NULL, len);
    if (phicache_result_mice(result, &mice, &payload) != PHICACHE_OK) return 1;
    for (i = 0; i < len; i++) payload[i] = (uint8_t)(7 * i + 1);
    mice.phi = 0.75;
    mice.payload = bytes(payload, len);
    return phicache_result_mice(result, &mice, NULL) == PHICACHE_OK ? 0 : 1;
}

static void a_record_made_again_may_keep_its_payload(void) {
    const size_t lengths[4] = {1, 100, 5000, 200000};
    phicache_mice_cache *cache = new_mice_cache(NULL, NULL, NULL);
    phicache_mice given = safe_mice(""), found = no_mice();
    size_t i, at, wrong = 0;
    for (i = 0; i < 4; i++) {
        size_t len = lengths[i];
        phicache_value value;
        CHECK_OK(phicache_mice_cache_memoize(cache, bytes(&len, sizeof len), compute_phi_last, &given, &len, &found,
                                             &value, NULL));
        CHECK(found.phi == 0.75);
        CHECK_UINT(found.payload.len, len);
        for (at = 0; at < found.payload.len; at++) wrong += found.payload.data[at] != (uint8_t)(7 * at + 1);
        phicache_value_release(&value);
    }
    CHECK_UINT(wrong, 0);
    CHECK_OK(phicache_mice_cache_free(cache));
}

int main(void) {
    RUN(a_record_that_contradicts_its_standard_key_is_refused);
    RUN(a_record_with_nodes_outside_the_subsystem_is_refused);
    RUN(a_contradiction_is_an_error_even_if_the_store_would_be_refused);
    RUN(a_mice_of_a_later_version_must_not_use_unknown_fields);
    RUN(records_decode_as_encoded_and_damage_is_detected);
    RUN(a_record_is_not_written_over_its_payload);
    RUN(a_record_made_again_may_keep_its_payload);
    return check_report();
}
