/* test_subsystem.c: cuts and the MICE that they damage, subsystems, and cut-scoped keys. */
#include "sample.h"

static const phicache_fingerprint NETWORK = {{1, 2, 3}};
static const int32_t STATE[3] = {1, 0, 0};

static phicache_subsystem *new_subsystem(uint64_t nodes, const uint64_t *connections, const uint64_t *severed) {
    phicache_subsystem *subsystem = NULL;
    CHECK_OK(phicache_subsystem_new(&NETWORK, 3, STATE, nodes, connections, severed, &subsystem));
    return subsystem;
}

static void check_fingerprints_equal(phicache_subsystem *one, phicache_subsystem *other, int expected) {
    phicache_fingerprint first, second;
    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);
    CHECK_OK(phicache_subsystem_fingerprint(one, &first));
    CHECK_OK(phicache_subsystem_fingerprint(other, &second));
    CHECK_INT(memcmp(&first, &second, sizeof first) == 0, expected);
}

static void a_bipartition_severs_from_one_part_to_the_other(void) {
    const uint64_t expected[4] = {10, 0, 10, 0};
    uint64_t severed[4];
    memset(severed, 0xEE, sizeof severed);
    CHECK_OK(phicache_cut_bipartition(4, 5, 10, severed));
    CHECK_BYTES(severed, sizeof severed, expected, sizeof expected);
    CHECK_OK(phicache_cut_bipartition(4, 0, 15, severed));
    CHECK(severed[0] == 0 && severed[1] == 0 && severed[2] == 0 && severed[3] == 0);
}

static void a_matrix_has_each_connection_in_either_layout(void) {
    const uint8_t matrix[9] = {0, 1, 7, 0, 0, 0, 255, 0, 0}; /* 0 -> 1, 0 -> 2, 2 -> 0 */
    const uint64_t rows[3] = {6, 0, 1}, columns[3] = {4, 1, 1};
    uint64_t severed[3];
    CHECK_OK(phicache_cut_matrix(3, matrix, PHICACHE_ROW_MAJOR, severed));
    CHECK_BYTES(severed, sizeof severed, rows, sizeof rows);
    CHECK_OK(phicache_cut_matrix(3, matrix, PHICACHE_COLUMN_MAJOR, severed));
    CHECK_BYTES(severed, sizeof severed, columns, sizeof columns);
    CHECK_STATUS(phicache_cut_matrix(3, matrix, 2, severed), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(severed[0] == 0 && severed[1] == 0 && severed[2] == 0);
}

static void a_partition_of_64_nodes_fits(void) {
    uint64_t severed[64];
    const uint64_t mechanisms[2] = {UINT64_C(1) << 63, 1}, purviews[2] = {1, UINT64_C(1) << 63};
    CHECK_OK(phicache_cut_partition(64, PHICACHE_EFFECT, mechanisms, purviews, 2, severed));
    CHECK_UINT(severed[63], UINT64_C(1) << 63);
    CHECK_UINT(severed[0], 1);
    CHECK_UINT(severed[1], 0);
    CHECK_OK(phicache_cut_bipartition(64, UINT64_MAX - 1, 1, severed));
    CHECK_UINT(severed[63], 1);
}

static void an_invalid_cut_is_an_error_and_leaves_zeros(void) {
    uint64_t severed[2];
    const uint64_t parts[1] = {1}, outside[1] = {4}, divided[2] = {1, 2}, overlapping[2] = {1, 3};
    const uint8_t matrix[4] = {0, 1, 0, 0};
    size_t size;
    memset(severed, 0xEE, sizeof severed);
    CHECK_STATUS(phicache_cut_bipartition(2, 3, 1, severed), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(severed[0] == 0 && severed[1] == 0);
    CHECK_STATUS(phicache_cut_bipartition(2, 4, 1, severed), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_cut_bipartition(2, 1, 4, severed), PHICACHE_ERROR_INVALID_ARGUMENT);
    for (size = 0; size < 3; size++) {
        const size_t wrong[3] = {0, 65, SIZE_MAX};
        CHECK_STATUS(phicache_cut_bipartition(wrong[size], 1, 2, severed), PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK_STATUS(phicache_cut_matrix(wrong[size], matrix, PHICACHE_ROW_MAJOR, severed),
                     PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK_STATUS(phicache_cut_partition(wrong[size], PHICACHE_CAUSE, parts, parts, 1, severed),
                     PHICACHE_ERROR_INVALID_ARGUMENT);
    }
    CHECK_STATUS(phicache_cut_partition(2, 2, parts, parts, 1, severed), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_cut_partition(2, PHICACHE_CAUSE, outside, parts, 1, severed),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_cut_partition(2, PHICACHE_CAUSE, parts, outside, 1, severed),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_cut_partition(2, PHICACHE_CAUSE, overlapping, divided, 2, severed),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(strstr(phicache_last_error(), "mechanism 0x3") != NULL);
    CHECK_STATUS(phicache_cut_partition(2, PHICACHE_CAUSE, divided, overlapping, 2, severed),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_cut_partition(2, PHICACHE_CAUSE, parts, parts, 0, severed), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_cut_partition(2, PHICACHE_CAUSE, parts, parts, SIZE_MAX, severed),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
}

static int32_t damages(const uint64_t *severed, int32_t direction, uint64_t mechanism, uint64_t purview) {
    int32_t damaged = 77;
    CHECK_OK(phicache_cut_damages(3, severed, direction, mechanism, purview, &damaged));
    return damaged;
}

/* A few cases; the program `cut_damage` replays the whole table of PyPhi's answers. */
static void a_cut_damages_by_splitting_the_mechanism_or_the_connections_that_matter(void) {
    const uint64_t severed[3] = {4, 0, 0}; /* 0 -> 2 */
    const uint64_t nothing[3] = {0, 0, 0};
    CHECK_INT(damages(severed, PHICACHE_EFFECT, 1, 4), 1);
    CHECK_INT(damages(severed, PHICACHE_CAUSE, 1, 4), 0);
    CHECK_INT(damages(severed, PHICACHE_CAUSE, 4, 1), 1);
    CHECK_INT(damages(severed, PHICACHE_EFFECT, 4, 1), 0);
    CHECK_INT(damages(severed, PHICACHE_CAUSE, 5, 2), 1);
    CHECK_INT(damages(severed, PHICACHE_EFFECT, 2, 5), 0);
    CHECK_INT(damages(severed, PHICACHE_CAUSE, 5, 0), 1);
    CHECK_INT(damages(severed, PHICACHE_CAUSE, 0, 5), 0);
    CHECK_INT(damages(NULL, PHICACHE_CAUSE, 7, 7), 0);
    CHECK_INT(damages(nothing, PHICACHE_CAUSE, 7, 7), 0);
}

static void invalid_arguments_about_damage_are_errors(void) {
    const uint64_t severed[3] = {4, 0, 0}, outside[3] = {8, 0, 0};
    int32_t damaged = 77;
    CHECK_STATUS(phicache_cut_damages(3, severed, 2, 1, 4, &damaged), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_INT(damaged, 0);
    CHECK_STATUS(phicache_cut_damages(0, severed, PHICACHE_CAUSE, 1, 4, &damaged), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_cut_damages(65, NULL, PHICACHE_CAUSE, 1, 4, &damaged), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_cut_damages(3, outside, PHICACHE_CAUSE, 1, 4, &damaged), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_cut_damages(3, severed, PHICACHE_CAUSE, 9, 4, &damaged), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "the mechanism 0x9 has node 3, which is not in the network");
    CHECK_STATUS(phicache_cut_damages(3, NULL, PHICACHE_CAUSE, 1, 8, &damaged), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "the purview 0x8 has node 3, which is not in the network");
}

static void a_subsystem_knows_its_nodes_and_its_cut(void) {
    const uint64_t severed[3] = {6, 0, 0}, nothing[3] = {0, 0, 0};
    phicache_subsystem *uncut = new_subsystem(7, NULL, NULL), *cut = new_subsystem(7, NULL, severed);
    phicache_subsystem *barely = NULL, *again = NULL;
    uint64_t nodes = 99;
    int32_t is_cut = 77, damaged = 77;
    size_t size = 99;
    CHECK_OK(phicache_subsystem_size(uncut, &size));
    CHECK_UINT(size, 3);
    CHECK_OK(phicache_subsystem_nodes(uncut, &nodes));
    CHECK_UINT(nodes, 7);
    CHECK_OK(phicache_subsystem_is_cut(uncut, &is_cut));
    CHECK_INT(is_cut, 0);
    CHECK_OK(phicache_subsystem_is_cut(cut, &is_cut));
    CHECK_INT(is_cut, 1);
    CHECK_OK(phicache_subsystem_damages(uncut, PHICACHE_EFFECT, 1, 2, &damaged));
    CHECK_INT(damaged, 0);
    CHECK_OK(phicache_subsystem_damages(cut, PHICACHE_EFFECT, 1, 2, &damaged));
    CHECK_INT(damaged, 1);
    CHECK_STATUS(phicache_subsystem_damages(cut, 2, 1, 2, &damaged), PHICACHE_ERROR_INVALID_ARGUMENT);

    CHECK_OK(phicache_subsystem_cut(uncut, nothing, &barely));
    CHECK_OK(phicache_subsystem_is_cut(barely, &is_cut));
    CHECK_INT(is_cut, 1);
    CHECK_OK(phicache_subsystem_cut(cut, NULL, &again));
    CHECK_OK(phicache_subsystem_is_cut(again, &is_cut));
    CHECK_INT(is_cut, 0);
    CHECK_OK(phicache_subsystem_free(uncut));
    CHECK_OK(phicache_subsystem_damages(again, PHICACHE_EFFECT, 1, 2, &damaged));
    CHECK_INT(damaged, 0);
    CHECK_OK(phicache_subsystem_free(cut));
    CHECK_OK(phicache_subsystem_free(barely));
    CHECK_OK(phicache_subsystem_free(again));
    CHECK_OK(phicache_subsystem_free(NULL));
}

static void all_cuts_of_a_system_have_one_fingerprint_and_other_systems_others(void) {
    const uint64_t severed[3] = {6, 0, 0};
    const int32_t other_state[3] = {0, 0, 0};
    phicache_fingerprint other_network = NETWORK;
    phicache_subsystem *base = new_subsystem(7, NULL, NULL), *other = new_subsystem(7, NULL, severed);
    check_fingerprints_equal(base, other, 1);
    CHECK_OK(phicache_subsystem_free(other));
    other = new_subsystem(3, NULL, NULL);
    check_fingerprints_equal(base, other, 0);
    CHECK_OK(phicache_subsystem_free(other));
    CHECK_OK(phicache_subsystem_new(&NETWORK, 3, other_state, 7, NULL, NULL, &other));
    check_fingerprints_equal(base, other, 0);
    CHECK_OK(phicache_subsystem_free(other));
    other_network.bytes[31] = 1;
    CHECK_OK(phicache_subsystem_new(&other_network, 3, STATE, 7, NULL, NULL, &other));
    check_fingerprints_equal(base, other, 0);
    CHECK_OK(phicache_subsystem_free(other));
    CHECK_OK(phicache_subsystem_free(base));
}

static void a_mechanism_or_a_purview_outside_the_subsystem_is_an_error(void) {
    phicache_subsystem *part = new_subsystem(3, NULL, NULL);
    uint8_t key[PHICACHE_KEY_BUFFER];
    int32_t damaged = 77;
    size_t len = 77;
    CHECK_STATUS(phicache_subsystem_key(part, "r", PHICACHE_CAUSE, 4, 1, key, sizeof key, &len),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "the mechanism 0x4 has node 2, which is not in the subsystem");
    CHECK_UINT(len, 0);
    CHECK_STATUS(phicache_subsystem_key(part, "r", PHICACHE_CAUSE, 1, 5, key, sizeof key, &len),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "the purview 0x5 has node 2");
    CHECK_STATUS(phicache_subsystem_damages(part, PHICACHE_CAUSE, 4, 1, &damaged), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_INT(damaged, 0);
    CHECK_STATUS(phicache_subsystem_damages(part, PHICACHE_CAUSE, 1, 4, &damaged), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_subsystem_free(part));
}

static void an_invalid_subsystem_is_an_error(void) {
    const int32_t negative[3] = {0, -1, 0}, two[3] = {0, 1, 2};
    const uint64_t outside[3] = {8, 0, 0};
    phicache_subsystem *base = new_subsystem(7, NULL, NULL), *subsystem = base;
    CHECK_STATUS(phicache_subsystem_new(&NETWORK, 3, STATE, 8, NULL, NULL, &subsystem),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(subsystem == NULL);
    CHECK_CONTAINS(phicache_last_error(), "has node 3, but the state is that of a network of 3 nodes");
    CHECK_STATUS(phicache_subsystem_new(&NETWORK, 0, STATE, 1, NULL, NULL, &subsystem),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_subsystem_new(&NETWORK, 65, STATE, 1, NULL, NULL, &subsystem),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "64");
    CHECK_STATUS(phicache_subsystem_new(&NETWORK, 3, negative, 7, NULL, NULL, &subsystem),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_subsystem_new(&NETWORK, 3, two, 7, NULL, NULL, &subsystem), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "node 2 is in state 2; expected 0 (OFF) or 1 (ON)");
    CHECK_STATUS(phicache_subsystem_new(&NETWORK, 3, STATE, 7, outside, NULL, &subsystem),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "node 0 is connected to 0x8, beyond the network's 3 nodes");
    CHECK_STATUS(phicache_subsystem_new(&NETWORK, 3, STATE, 7, NULL, outside, &subsystem),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "node 0 is severed from 0x8, beyond the network's 3 nodes");
    subsystem = base;
    CHECK_STATUS(phicache_subsystem_cut(base, outside, &subsystem), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(subsystem == NULL);
    CHECK_OK(phicache_subsystem_free(base));
}

static void connections_the_wrong_way_round_are_an_error(void) {
    const double tpm[] = {0, 0, 0, 1, 1, 0, 1, 1};
    const uint64_t acts_on[] = {0x2, 0x0}, acted_on_by[] = {0x0, 0x1};
    phicache_bytes context = {(const uint8_t *)"round", 5};
    phicache_fingerprint network;
    REQUIRE_OK(phicache_network_fingerprint(tpm, 2, PHICACHE_ROW_MAJOR, acts_on, context, &network));
    phicache_subsystem *subsystem = NULL;
    CHECK_STATUS(phicache_subsystem_new(&network, 2, STATE, 3, acted_on_by, NULL, &subsystem),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "expected the nodes on which it acts");
    CHECK_STATUS(phicache_subsystem_new(&network, 3, STATE, 3, NULL, NULL, &subsystem),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "the network of this fingerprint has 2");
    CHECK(subsystem == NULL);
    CHECK_OK(phicache_subsystem_new(&network, 2, STATE, 3, acts_on, NULL, &subsystem));
    CHECK_OK(phicache_subsystem_free(subsystem));
}

/* A cut-scoped key as hexadecimal text, to compare. */
typedef struct {
    uint8_t bytes[PHICACHE_KEY_BUFFER];
    size_t len;
} scoped_key;

static scoped_key key_of(phicache_subsystem *subsystem, int32_t direction, uint64_t mechanism, uint64_t purview) {
    scoped_key key;
    memset(&key, 0, sizeof key);
    CHECK_OK(phicache_subsystem_key(subsystem, "phi", direction, mechanism, purview, key.bytes, sizeof key.bytes,
                                    &key.len));
    return key;
}

static int same(scoped_key one, scoped_key other) {
    return one.len == other.len && memcmp(one.bytes, other.bytes, one.len) == 0;
}

static void a_cut_scoped_key_contains_only_the_severed_connections_that_matter(void) {
    const uint64_t first_cut[3] = {6, 0, 0}, second_cut[3] = {4, 4, 0};
    phicache_subsystem *uncut = new_subsystem(7, NULL, NULL);
    phicache_subsystem *first = new_subsystem(7, NULL, first_cut), *second = new_subsystem(7, NULL, second_cut);
    scoped_key plain;
    /* Both sever 0 -> 2. */
    CHECK(same(key_of(first, PHICACHE_EFFECT, 1, 4), key_of(second, PHICACHE_EFFECT, 1, 4)));
    CHECK(!same(key_of(first, PHICACHE_EFFECT, 1, 4), key_of(uncut, PHICACHE_EFFECT, 1, 4)));
    CHECK(same(key_of(first, PHICACHE_CAUSE, 4, 1), key_of(second, PHICACHE_CAUSE, 4, 1)));
    /* Only the first severs 0 -> 1, only the second 1 -> 2. */
    CHECK(!same(key_of(first, PHICACHE_EFFECT, 1, 2), key_of(second, PHICACHE_EFFECT, 1, 2)));
    CHECK(same(key_of(second, PHICACHE_EFFECT, 1, 2), key_of(uncut, PHICACHE_EFFECT, 1, 2)));
    CHECK(!same(key_of(first, PHICACHE_EFFECT, 3, 4), key_of(second, PHICACHE_EFFECT, 3, 4)));
    /* Without a severed connection the key is the plain one; splitting the mechanism alone does not matter here. */
    memset(&plain, 0, sizeof plain);
    CHECK_OK(phicache_key_repertoire("phi", PHICACHE_CAUSE, 5, 2, plain.bytes, sizeof plain.bytes, &plain.len));
    CHECK(same(key_of(first, PHICACHE_CAUSE, 5, 2), plain));
    CHECK(same(key_of(uncut, PHICACHE_CAUSE, 5, 2), plain));
    CHECK_OK(phicache_subsystem_free(uncut));
    CHECK_OK(phicache_subsystem_free(first));
    CHECK_OK(phicache_subsystem_free(second));
}

static void severed_connections_that_do_not_exist_are_left_out(void) {
    const uint64_t ring[3] = {2, 4, 1}, severed[3] = {6, 0, 0};
    phicache_subsystem *uncut = new_subsystem(7, ring, NULL), *cut = new_subsystem(7, ring, severed);
    int32_t damaged = 0;
    CHECK(same(key_of(cut, PHICACHE_EFFECT, 1, 4), key_of(uncut, PHICACHE_EFFECT, 1, 4)));
    CHECK(!same(key_of(cut, PHICACHE_EFFECT, 1, 2), key_of(uncut, PHICACHE_EFFECT, 1, 2)));
    CHECK_OK(phicache_subsystem_damages(cut, PHICACHE_EFFECT, 1, 4, &damaged));
    CHECK_INT(damaged, 1);
    CHECK_OK(phicache_subsystem_free(uncut));
    CHECK_OK(phicache_subsystem_free(cut));
}

static void the_promised_buffer_holds_the_longest_key(void) {
    uint64_t all_severed[64];
    int32_t state[64];
    char prefix[65];
    uint8_t buffer[PHICACHE_KEY_BUFFER];
    size_t len = 0, needed = 0, i;
    phicache_subsystem *subsystem = NULL;
    for (i = 0; i < 64; i++) {
        all_severed[i] = UINT64_MAX;
        state[i] = 0;
    }
    memset(prefix, 'p', 64);
    prefix[64] = '\0';
    REQUIRE_OK(phicache_subsystem_new(&NETWORK, 64, state, UINT64_MAX, NULL, all_severed, &subsystem));
    CHECK_OK(phicache_subsystem_key(subsystem, prefix, PHICACHE_CAUSE, UINT64_MAX, UINT64_MAX, buffer, sizeof buffer,
                                    &len));
    CHECK(len > 512);
    CHECK_STATUS(phicache_subsystem_key(subsystem, prefix, PHICACHE_CAUSE, UINT64_MAX, UINT64_MAX, buffer, len - 1,
                                        &needed),
                 PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK_UINT(needed, len);
    CHECK_STATUS(phicache_subsystem_key(subsystem, NULL, PHICACHE_CAUSE, 1, 1, NULL, 0, &needed),
                 PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK(needed > 0 && needed < 64);
    CHECK_STATUS(phicache_subsystem_key(subsystem, NULL, PHICACHE_CAUSE, 1, 1, NULL, 9, &needed),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_UINT(needed, 0);
    CHECK_STATUS(phicache_subsystem_key(subsystem, "\xff", PHICACHE_CAUSE, 1, 1, buffer, sizeof buffer, &needed),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_subsystem_key(subsystem, NULL, 2, 1, 1, buffer, sizeof buffer, &needed),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_subsystem_free(subsystem));
}

static void a_fingerprint_that_was_never_made_is_an_error(void) {
    const phicache_fingerprint zeros = {{0}};
    const int32_t state[1] = {0};
    phicache_subsystem *subsystem = NULL;
    phicache_dict_cache *dict = NULL;
    phicache_disk_cache *disk = NULL;
    phicache_redis_cache *redis = NULL;
    CHECK_STATUS(phicache_subsystem_new(&zeros, 1, state, 1, NULL, NULL, &subsystem), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "network is all zeros");
    CHECK_STATUS(phicache_dict_cache_shared(NULL, NULL, &zeros, "role", &dict), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "fingerprint is all zeros");
    CHECK_STATUS(phicache_disk_cache_shared(NULL, NULL, &zeros, "role", &disk), PHICACHE_ERROR_INVALID_ARGUMENT);
    if (phicache_features() & PHICACHE_FEATURE_REDIS)
        CHECK_STATUS(phicache_redis_cache_shared(NULL, NULL, &zeros, "role", &redis), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(subsystem == NULL && dict == NULL && disk == NULL && redis == NULL);
}

static void shared_caches_are_one_per_fingerprint_and_role(void) {
    const uint64_t severed[3] = {6, 0, 0};
    phicache_subsystem *uncut = new_subsystem(7, NULL, NULL), *cut = new_subsystem(7, NULL, severed);
    phicache_fingerprint identity, of_cut;
    phicache_dict_cache *one = NULL, *same_one = NULL, *other_role = NULL;
    phicache_config *config = new_unlimited();
    phicache_value value;
    CHECK_OK(phicache_subsystem_fingerprint(uncut, &identity));
    CHECK_OK(phicache_subsystem_fingerprint(cut, &of_cut));
    REQUIRE_OK(phicache_dict_cache_shared(NULL, NULL, &identity, "repertoire", &one));
    REQUIRE_OK(phicache_dict_cache_shared(NULL, NULL, &of_cut, "repertoire", &same_one));
    REQUIRE_OK(phicache_dict_cache_shared(NULL, NULL, &identity, "single_node", &other_role));
    CHECK(one != same_one);
    CHECK_OK(phicache_dict_cache_set(one, text("key"), text("value")));
    CHECK_OK(phicache_dict_cache_contains(same_one, text("key")));
    CHECK_STATUS(phicache_dict_cache_contains(other_role, text("key")), PHICACHE_MISS);
    CHECK_OK(phicache_dict_cache_free(one));
    CHECK_STATUS(phicache_dict_cache_contains(one, text("key")), PHICACHE_ERROR_INVALID_HANDLE);
    CHECK_OK(phicache_dict_cache_get(same_one, text("key"), &value));
    CHECK_VALUE(value, "value");
    phicache_value_release(&value);
    one = NULL;
    CHECK_STATUS(phicache_dict_cache_shared(config, NULL, &identity, "repertoire", &one),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(one == NULL);
    CHECK_OK(phicache_dict_cache_free(same_one));
    /* The last handle has freed it: a new cache is empty, and may have another configuration. */
    CHECK_OK(phicache_dict_cache_shared(config, NULL, &identity, "repertoire", &one));
    CHECK_STATUS(phicache_dict_cache_contains(one, text("key")), PHICACHE_MISS);
    CHECK_OK(phicache_dict_cache_free(one));
    CHECK_OK(phicache_dict_cache_free(other_role));
    CHECK_OK(phicache_config_free(config));
    CHECK_OK(phicache_subsystem_free(uncut));
    CHECK_OK(phicache_subsystem_free(cut));
}

/* PyPhi has them too: no mechanism has concepts, and the only values are those of the empty mechanism and purview. */
static void a_system_may_have_no_nodes(void) {
    const uint64_t severed[3] = {6, 0, 0};
    phicache_subsystem *system = new_subsystem(0, NULL, NULL), *whole = new_subsystem(7, NULL, NULL), *cut;
    uint8_t key[PHICACHE_KEY_BUFFER], of_cut[PHICACHE_KEY_BUFFER];
    phicache_mice_cache *mice, *child;
    phicache_mice given, found;
    phicache_value record;
    uint64_t nodes = 99;
    int32_t damaged = 99;
    size_t len, len_of_cut;
    REQUIRE(system != NULL);
    CHECK_OK(phicache_subsystem_nodes(system, &nodes));
    CHECK_UINT(nodes, 0);
    check_fingerprints_equal(system, whole, 0);
    REQUIRE_OK(phicache_subsystem_cut(system, severed, &cut));
    CHECK_OK(phicache_subsystem_damages(cut, PHICACHE_CAUSE, 0, 0, &damaged));
    CHECK_INT(damaged, 0);
    CHECK_OK(phicache_subsystem_key(system, "r", PHICACHE_CAUSE, 0, 0, key, sizeof key, &len));
    CHECK_OK(phicache_subsystem_key(cut, "r", PHICACHE_CAUSE, 0, 0, of_cut, sizeof of_cut, &len_of_cut));
    CHECK_BYTES(key, len, of_cut, len_of_cut);
    CHECK_OK(phicache_dict_mice_cache_new(NULL, NULL, system, NULL, &mice));
    CHECK_OK(phicache_dict_mice_cache_new(NULL, NULL, cut, mice, &child));
    memset(&given, 0, sizeof given);
    given.struct_size = found.struct_size = sizeof given;
    CHECK_OK(phicache_key_mice(NULL, PHICACHE_CAUSE, 0, NULL, 0, key, sizeof key, &len));
    CHECK_STATUS(phicache_mice_cache_set(mice, bytes(key, len), &given), PHICACHE_REFUSED_PHI);
    given.phi = 1.0;
    CHECK_OK(phicache_mice_cache_set(mice, bytes(key, len), &given));
    CHECK_OK(phicache_mice_cache_get(child, bytes(key, len), &found, &record));
    CHECK_INT(record.origin, PHICACHE_ORIGIN_PARENT);
    CHECK_UINT(found.mechanism | found.purview, 0);
    phicache_value_release(&record);
    CHECK_OK(phicache_mice_cache_free(child));
    CHECK_OK(phicache_mice_cache_free(mice));
    CHECK_OK(phicache_subsystem_free(cut));
    CHECK_OK(phicache_subsystem_free(system));
    CHECK_OK(phicache_subsystem_free(whole));
}

/* In place, a cut would be made of masks that are zero already, and sever nothing. */
static void no_cut_or_key_is_written_over_what_it_is_made_of(void) {
    phicache_subsystem *subsystem = new_subsystem(7, NULL, NULL);
    uint64_t mechanisms[3] = {1, 2, 0}, purviews[3] = {2, 5, 0};
    const uint64_t zero[3] = {0, 0, 0};
    char buffer[PHICACHE_KEY_BUFFER] = "phi";
    size_t len = 99;
    phicache_status status;
    CHECK_STATUS(phicache_cut_partition(3, PHICACHE_EFFECT, mechanisms, purviews, 2, purviews),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "out_severed overlaps purviews");
    CHECK_BYTES(purviews, sizeof purviews, zero, sizeof zero);
    CHECK_STATUS(phicache_cut_partition(3, PHICACHE_EFFECT, mechanisms, zero, 2, mechanisms),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_cut_matrix(3, (const uint8_t *)mechanisms, PHICACHE_ROW_MAJOR, mechanisms),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    status = phicache_subsystem_key(subsystem, buffer, PHICACHE_CAUSE, 1, 2, (uint8_t *)buffer, sizeof buffer, &len);
    CHECK_STATUS(status, PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "buffer overlaps prefix");
    CHECK_UINT(len, 0);
    CHECK_OK(phicache_subsystem_free(subsystem));
}

int main(void) {
    RUN(a_bipartition_severs_from_one_part_to_the_other);
    RUN(a_matrix_has_each_connection_in_either_layout);
    RUN(a_partition_of_64_nodes_fits);
    RUN(an_invalid_cut_is_an_error_and_leaves_zeros);
    RUN(a_cut_damages_by_splitting_the_mechanism_or_the_connections_that_matter);
    RUN(invalid_arguments_about_damage_are_errors);
    RUN(a_subsystem_knows_its_nodes_and_its_cut);
    RUN(all_cuts_of_a_system_have_one_fingerprint_and_other_systems_others);
    RUN(an_invalid_subsystem_is_an_error);
    RUN(connections_the_wrong_way_round_are_an_error);
    RUN(a_mechanism_or_a_purview_outside_the_subsystem_is_an_error);
    RUN(a_system_may_have_no_nodes);
    RUN(a_cut_scoped_key_contains_only_the_severed_connections_that_matter);
    RUN(severed_connections_that_do_not_exist_are_left_out);
    RUN(the_promised_buffer_holds_the_longest_key);
    RUN(a_fingerprint_that_was_never_made_is_an_error);
    RUN(shared_caches_are_one_per_fingerprint_and_role);
    RUN(no_cut_or_key_is_written_over_what_it_is_made_of);
    return check_report();
}
