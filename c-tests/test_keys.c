/* test_keys.c: the key builder against the test vectors of docs/keys.md, the standard keys, and fingerprints. */
#include "sample.h"

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

static phicache_key *new_key(void) {
    phicache_key *key = NULL;
    CHECK_OK(phicache_key_new(&key));
    return key;
}

/* The key of a test vector, and the parser of its operations. */
static size_t from_hex(const char *hex, size_t digits, uint8_t *out) {
    size_t i;
    for (i = 0; i + 1 < digits; i += 2) {
        const char pair[3] = {hex[i], hex[i + 1], '\0'};
        out[i / 2] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return digits / 2;
}

static phicache_status add_double_of_bits(phicache_key *key, uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return phicache_key_add_double(key, value);
}

/* Doubles given by their bits in hexadecimal, separated by commas. */
static phicache_status add_doubles_of_bits(phicache_key *key, const char *list) {
    static double values[256];
    size_t count = 0;
    while (*list != '\0' && CHECK(count < sizeof values / sizeof values[0])) {
        char *end;
        const uint64_t bits = (uint64_t)strtoull(list, &end, 16);
        memcpy(&values[count++], &bits, sizeof bits);
        list = *end == ',' ? end + 1 : end;
    }
    return phicache_key_add_doubles(key, count == 0 ? NULL : values, count);
}

static phicache_status add(phicache_key *key, const char *operation) {
    static uint8_t data[4096];
    const char *value = strchr(operation, ':');
    const size_t name = value == NULL ? strlen(operation) : (size_t)(value - operation);
    size_t len;
    if (strcmp(operation, "none") == 0) return phicache_key_add_none(key);
    if (strcmp(operation, "(") == 0) return phicache_key_begin_tuple(key);
    if (strcmp(operation, ")") == 0) return phicache_key_end_tuple(key);
    if (strcmp(operation, "{") == 0) return phicache_key_begin_set(key);
    if (strcmp(operation, "}") == 0) return phicache_key_end_set(key);
    if (strcmp(operation, ">") == 0) return phicache_key_end_named(key);
    if (!CHECK(value != NULL) || !CHECK(strlen(operation) < 2 * sizeof data)) return -1;
    value++;
#define IS(word) (name == strlen(word) && strncmp(operation, word, name) == 0)
    if (IS("bool")) return phicache_key_add_bool(key, (int32_t)strtol(value, NULL, 10));
    if (IS("int")) return phicache_key_add_int(key, (int64_t)strtoll(value, NULL, 10));
    if (IS("uint")) return phicache_key_add_uint(key, (uint64_t)strtoull(value, NULL, 10));
    if (IS("double")) return add_double_of_bits(key, (uint64_t)strtoull(value, NULL, 16));
    if (IS("direction")) return phicache_key_add_direction(key, (int32_t)strtol(value, NULL, 10));
    if (IS("nodes")) return phicache_key_add_nodes(key, (uint64_t)strtoull(value, NULL, 16));
    if (IS("doubles")) return add_doubles_of_bits(key, value);
    len = from_hex(value, strlen(value), data);
    if (IS("bytes")) return phicache_key_add_bytes(key, bytes(data, len));
    if (IS("string")) return phicache_key_add_string(key, bytes(data, len));
    if (IS("kw")) {
        data[len] = '\0';
        return phicache_key_add_keyword(key, (const char *)data);
    }
    if (IS("<")) {
        data[len] = '\0';
        return phicache_key_begin_named(key, (const char *)data);
    }
#undef IS
    CHECK_TEXT(operation, "an operation of docs/keys.md");
    return -1;
}

static void check_vector(phicache_key *key, char *line) {
    static uint8_t expected[8192];
    const char *typed = strtok(line, " \n"), *hex = strtok(NULL, " \n"), *operation;
    phicache_bytes made;
    size_t len;
    if (!CHECK(typed != NULL && hex != NULL && strlen(hex) < 2 * sizeof expected)) return;
    len = from_hex(hex, strlen(hex), expected);
    CHECK_OK(phicache_key_reset(key));
    while ((operation = strtok(NULL, " \n")) != NULL) CHECK_OK(add(key, operation));
    CHECK_OK(phicache_key_bytes(key, strcmp(typed, "typed") == 0, &made));
    CHECK_BYTES(made.data, made.len, expected, len);
}

static void the_builder_encodes_every_vector(void) {
    static char line[1 << 16];
    FILE *file = fopen(PHICACHE_SOURCE_DIR "/c-tests/data/key_vectors.txt", "r");
    phicache_key *key = new_key();
    unsigned vectors = 0;
    REQUIRE(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#') continue;
        check_vector(key, line);
        vectors++;
    }
    CHECK(vectors >= 100);
    fclose(file);
    CHECK_OK(phicache_key_free(key));
    CHECK_OK(phicache_key_free(NULL));
}

static void check_key(phicache_key *key, const char *hex) {
    static uint8_t expected[256];
    phicache_bytes made = {(const uint8_t *)"#", 1};
    CHECK_OK(phicache_key_bytes(key, 0, &made));
    CHECK_BYTES(made.data, made.len, expected, from_hex(hex, strlen(hex), expected));
}

/** A caller that goes on after a failure gets no key: it would be the key of other arguments. */
static void check_no_key(phicache_key *key, const char *why) {
    phicache_bytes made = {(const uint8_t *)"#", 1};
    CHECK_STATUS(phicache_key_bytes(key, 0, &made), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(made.data == NULL && made.len == 0);
    CHECK(strstr(phicache_last_error(), why) != NULL && strstr(phicache_last_error(), "reset the builder") != NULL);
    CHECK_STATUS(phicache_key_bytes(key, 1, &made), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_key_reset(key));
    CHECK_OK(phicache_key_add_nodes(key, 5));
    check_key(key, "a1090500000000000000");
}

static void after_a_failed_call_there_is_no_key_until_the_builder_is_reset(void) {
    phicache_key *key = new_key();
    CHECK_OK(phicache_key_add_nodes(key, 5));
    CHECK_STATUS(phicache_key_add_direction(key, 3), PHICACHE_ERROR_INVALID_ARGUMENT);
    check_no_key(key, "direction 3");
    CHECK_STATUS(phicache_key_add_direction(key, -1), PHICACHE_ERROR_INVALID_ARGUMENT);
    check_no_key(key, "direction -1");
    CHECK_STATUS(phicache_key_add_direction(key, 256), PHICACHE_ERROR_INVALID_ARGUMENT);
    check_no_key(key, "direction 256");
    CHECK_STATUS(phicache_key_add_bytes(key, no_address()), PHICACHE_ERROR_INVALID_ARGUMENT);
    check_no_key(key, "value");
    CHECK_STATUS(phicache_key_add_bytes(key, too_long()), PHICACHE_ERROR_INVALID_ARGUMENT);
    check_no_key(key, "value");
    CHECK_STATUS(phicache_key_add_string(key, no_address()), PHICACHE_ERROR_INVALID_ARGUMENT);
    check_no_key(key, "utf8");
    CHECK_STATUS(phicache_key_add_string(key, text("\xc3")), PHICACHE_ERROR_INVALID_ARGUMENT);
    /* What is added later changes nothing, and the message is about the first failure. */
    CHECK_OK(phicache_key_add_int(key, 1));
    CHECK_STATUS(phicache_key_add_direction(key, 3), PHICACHE_ERROR_INVALID_ARGUMENT);
    check_no_key(key, "utf8 is not valid UTF-8");
    CHECK_STATUS(phicache_key_add_keyword(key, "\xff"), PHICACHE_ERROR_INVALID_ARGUMENT);
    check_no_key(key, "name");
    CHECK_STATUS(phicache_key_end_tuple(key), PHICACHE_ERROR_INVALID_ARGUMENT);
    check_no_key(key, "end of a tuple");
    CHECK_STATUS(phicache_key_end_set(key), PHICACHE_ERROR_INVALID_ARGUMENT);
    check_no_key(key, "end of a set");
    CHECK_OK(phicache_key_free(key));
}

static void tuples_and_sets_must_be_ended_before_the_key_is_read(void) {
    phicache_key *key = new_key();
    phicache_bytes made;
    int depth;
    CHECK_OK(phicache_key_begin_tuple(key));
    CHECK_OK(phicache_key_begin_set(key));
    made.len = 99;
    CHECK_STATUS(phicache_key_bytes(key, 0, &made), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(made.data == NULL && made.len == 0);
    CHECK_OK(phicache_key_end_set(key));
    CHECK_OK(phicache_key_end_tuple(key));
    check_key(key, "a10a010000000b00000000");
    CHECK_OK(phicache_key_reset(key));
    for (depth = 0; depth < 64; depth++) CHECK_OK(phicache_key_begin_tuple(key));
    for (depth = 0; depth < 64; depth++) CHECK_OK(phicache_key_end_tuple(key));
    CHECK_OK(phicache_key_bytes(key, 0, &made));
    CHECK_UINT(made.len, 1 + 64 * 5);
    for (depth = 0; depth < 64; depth++) CHECK_OK(phicache_key_begin_tuple(key));
    CHECK_STATUS(phicache_key_begin_tuple(key), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_key_begin_set(key), PHICACHE_ERROR_INVALID_ARGUMENT);
    for (depth = 0; depth < 64; depth++) CHECK_OK(phicache_key_end_tuple(key));
    check_no_key(key, "64 deep; add the items of a list");
    CHECK_OK(phicache_key_reset(key));
    CHECK_OK(phicache_key_begin_tuple(key));
    CHECK_OK(phicache_key_begin_set(key));
    CHECK_STATUS(phicache_key_end_tuple(key), PHICACHE_ERROR_INVALID_ARGUMENT);
    check_no_key(key, "end of a tuple");
    CHECK_OK(phicache_key_free(key));
}

static void a_named_type_holds_one_element(void) {
    const double values[2] = {1.0, 2.0};
    phicache_key *key = new_key();
    phicache_bytes made;
    CHECK_OK(phicache_key_begin_named(key, "color"));
    CHECK_STATUS(phicache_key_end_named(key), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_key_end_tuple(key), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_key_add_keyword(key, "k"), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_key_bytes(key, 0, &made), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_key_add_bool(key, 1));
    CHECK_STATUS(phicache_key_add_int(key, 2), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_key_add_doubles(key, values, 2), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_key_begin_set(key), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_key_begin_named(key, "other"), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_key_end_named(key));
    CHECK_STATUS(phicache_key_end_named(key), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_key_begin_named(key, "\xff"), PHICACHE_ERROR_INVALID_ARGUMENT);
    check_no_key(key, "without an element");
    CHECK_OK(phicache_key_reset(key));
    CHECK_OK(phicache_key_begin_named(key, "color"));
    CHECK_OK(phicache_key_add_bool(key, 1));
    CHECK_OK(phicache_key_end_named(key));
    check_key(key, "a10e05000000636f6c6f72030100000000000000");
    CHECK_OK(phicache_key_free(key));
}

static void keywords_come_last_once_each_with_a_value_and_in_any_order(void) {
    phicache_key *key = new_key(), *other = new_key();
    phicache_bytes made, same;
    CHECK_OK(phicache_key_add_int(key, 1));
    CHECK_OK(phicache_key_add_keyword(key, "beta"));
    CHECK_STATUS(phicache_key_bytes(key, 0, &made), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_key_add_keyword(key, "gamma"), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_key_begin_tuple(key));
    CHECK_STATUS(phicache_key_add_keyword(key, "inside"), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_key_end_tuple(key));
    CHECK_STATUS(phicache_key_add_keyword(key, "beta"), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_key_add_int(key, 2), PHICACHE_ERROR_INVALID_ARGUMENT);
    check_no_key(key, "keyword \"gamma\"");

    CHECK_OK(phicache_key_reset(key));
    CHECK_OK(phicache_key_add_int(key, 1));
    CHECK_OK(phicache_key_add_keyword(key, "beta"));
    CHECK_STATUS(phicache_key_bytes(key, 0, &made), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_key_begin_tuple(key));
    CHECK_OK(phicache_key_end_tuple(key));
    CHECK_OK(phicache_key_add_keyword(key, "alpha"));
    CHECK_OK(phicache_key_add_int(key, 2));
    CHECK_OK(phicache_key_add_double(other, 1.0));
    CHECK_OK(phicache_key_add_keyword(other, "alpha"));
    CHECK_OK(phicache_key_add_uint(other, 2));
    CHECK_OK(phicache_key_add_keyword(other, "beta"));
    CHECK_OK(phicache_key_begin_tuple(other));
    CHECK_OK(phicache_key_end_tuple(other));
    CHECK_OK(phicache_key_bytes(key, 0, &made));
    CHECK_OK(phicache_key_bytes(other, 0, &same));
    CHECK_BYTES(made.data, made.len, same.data, same.len);
    CHECK_OK(phicache_key_bytes(key, 1, &made));
    CHECK_OK(phicache_key_bytes(other, 1, &same));
    CHECK(made.len != same.len || memcmp(made.data, same.data, made.len) != 0);
    CHECK_OK(phicache_key_free(key));
    CHECK_OK(phicache_key_free(other));
}

static void reset_removes_everything(void) {
    phicache_key *key = new_key();
    CHECK_OK(phicache_key_begin_set(key));
    CHECK_OK(phicache_key_add_string(key, text("half")));
    CHECK_OK(phicache_key_reset(key));
    check_key(key, "a1");
    CHECK_OK(phicache_key_add_keyword(key, "k"));
    CHECK_OK(phicache_key_reset(key));
    CHECK_OK(phicache_key_add_keyword(key, "k"));
    CHECK_OK(phicache_key_add_none(key));
    check_key(key, "a10c010000006b00");
    CHECK_OK(phicache_key_free(key));
}

/* A builder with (prefix, direction, mechanism), to which a test adds more. */
static phicache_key *standard_key(const char *prefix, int32_t direction, uint64_t mechanism) {
    phicache_key *key = new_key();
    if (prefix == NULL) CHECK_OK(phicache_key_add_none(key));
    else CHECK_OK(phicache_key_add_string(key, text(prefix)));
    CHECK_OK(phicache_key_add_direction(key, direction));
    CHECK_OK(phicache_key_add_nodes(key, mechanism));
    return key;
}

static void check_and_free(phicache_key *key, const uint8_t *made, size_t len) {
    phicache_bytes expected;
    CHECK_OK(phicache_key_bytes(key, 0, &expected));
    CHECK_BYTES(made, len, expected.data, expected.len);
    CHECK_OK(phicache_key_free(key));
}

static void the_standard_keys_are_the_builders(void) {
    const char *prefixes[3] = {NULL, "", "cause_repertoire"};
    const uint64_t candidates[3] = {4, 1, 6};
    uint8_t buffer[PHICACHE_KEY_BUFFER];
    phicache_key *key;
    size_t len = 0, i, count;
    int32_t direction;
    for (i = 0; i < 3; i++)
        for (direction = 0; direction < 2; direction++) {
            CHECK_OK(phicache_key_repertoire(prefixes[i], direction, 5, UINT64_MAX, buffer, sizeof buffer, &len));
            key = standard_key(prefixes[i], direction, 5);
            CHECK_OK(phicache_key_add_nodes(key, UINT64_MAX));
            check_and_free(key, buffer, len);

            CHECK_OK(phicache_key_mice(prefixes[i], direction, 5, NULL, 0, buffer, sizeof buffer, &len));
            key = standard_key(prefixes[i], direction, 5);
            CHECK_OK(phicache_key_add_none(key));
            check_and_free(key, buffer, len);

            for (count = 0; count <= 3; count++) {
                size_t candidate;
                CHECK_OK(phicache_key_mice(prefixes[i], direction, 5, candidates, count, buffer, sizeof buffer, &len));
                key = standard_key(prefixes[i], direction, 5);
                CHECK_OK(phicache_key_begin_tuple(key));
                for (candidate = 0; candidate < count; candidate++)
                    CHECK_OK(phicache_key_add_nodes(key, candidates[candidate]));
                CHECK_OK(phicache_key_end_tuple(key));
                check_and_free(key, buffer, len);
            }
        }
}

/* The key of a list as hexadecimal text would be long: compares the bytes. */
static void check_same_keys(phicache_key *one, phicache_key *other, int typed) {
    phicache_bytes first, second;
    CHECK_OK(phicache_key_bytes(one, typed, &first));
    CHECK_OK(phicache_key_bytes(other, typed, &second));
    CHECK_BYTES(first.data, first.len, second.data, second.len);
}

static void integers_at_once_are_a_tuple_of_them(void) {
    const int64_t all[4] = {3, -1, INT64_MIN, INT64_MAX};
    phicache_key *key, *one_by_one;
    phicache_bytes bytes;
    size_t count, i;
    int where;
    REQUIRE_OK(phicache_key_new(&key));
    REQUIRE_OK(phicache_key_new(&one_by_one));
    /* As an argument, in a tuple, in a set, in a named type, and as a named argument. */
    for (where = 0; where < 5; where++)
        for (count = 0; count <= 4; count++) {
            phicache_key *keys[2];
            keys[0] = key, keys[1] = one_by_one;
            for (i = 0; i < 2; i++) {
                CHECK_OK(phicache_key_reset(keys[i]));
                if (where == 1) CHECK_OK(phicache_key_begin_tuple(keys[i]));
                if (where == 2) CHECK_OK(phicache_key_begin_set(keys[i]));
                if (where == 2) CHECK_OK(phicache_key_add_int(keys[i], 9));
                if (where == 3) CHECK_OK(phicache_key_begin_named(keys[i], "state"));
                if (where == 4) CHECK_OK(phicache_key_add_keyword(keys[i], "state"));
            }
            CHECK_OK(phicache_key_add_ints(key, count == 0 ? NULL : all, count));
            CHECK_OK(phicache_key_begin_tuple(one_by_one));
            for (i = 0; i < count; i++) CHECK_OK(phicache_key_add_int(one_by_one, all[i]));
            CHECK_OK(phicache_key_end_tuple(one_by_one));
            for (i = 0; i < 2; i++) {
                if (where == 1) CHECK_OK(phicache_key_end_tuple(keys[i]));
                if (where == 2) CHECK_OK(phicache_key_end_set(keys[i]));
                if (where == 3) CHECK_OK(phicache_key_end_named(keys[i]));
            }
            check_same_keys(key, one_by_one, 0);
            check_same_keys(key, one_by_one, 1);
        }
    CHECK_OK(phicache_key_reset(key));
    CHECK_STATUS(phicache_key_add_ints(key, NULL, 1), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_key_bytes(key, 0, &bytes), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_key_reset(key));
    CHECK_STATUS(phicache_key_add_ints(key, all, SIZE_MAX / 8), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_key_free(key));
    CHECK_OK(phicache_key_free(one_by_one));
}

static void standard_keys_report_their_length(void) {
    const uint64_t candidates[1] = {4};
    uint8_t buffer[PHICACHE_KEY_BUFFER];
    size_t len = 0, needed = 0;
    CHECK_OK(phicache_key_repertoire("p", PHICACHE_CAUSE, 1, 2, buffer, sizeof buffer, &len));
    CHECK_OK(phicache_key_repertoire("p", PHICACHE_CAUSE, 1, 2, buffer, len, &needed));
    CHECK_STATUS(phicache_key_repertoire("p", PHICACHE_CAUSE, 1, 2, buffer, len - 1, &needed),
                 PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK_UINT(needed, len);
    CHECK_STATUS(phicache_key_repertoire("p", PHICACHE_CAUSE, 1, 2, NULL, 0, &needed),
                 PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK_UINT(needed, len);
    CHECK_STATUS(phicache_key_repertoire("p", PHICACHE_CAUSE, 1, 2, NULL, 1, &needed),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_UINT(needed, 0);
    CHECK_STATUS(phicache_key_mice("p", PHICACHE_CAUSE, 1, candidates, 1, NULL, 0, &needed),
                 PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK(needed > 0);
    CHECK_STATUS(phicache_key_repertoire("p", PHICACHE_BIDIRECTIONAL, 1, 2, buffer, sizeof buffer, &needed),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_key_mice("p", -1, 1, NULL, 0, buffer, sizeof buffer, &needed),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_key_mice("p", PHICACHE_CAUSE, 1, NULL, 1, buffer, sizeof buffer, &needed),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_key_mice("p", PHICACHE_CAUSE, 1, candidates, SIZE_MAX, buffer, sizeof buffer, &needed),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_key_mice("\xff", PHICACHE_CAUSE, 1, NULL, 0, buffer, sizeof buffer, &needed),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_UINT(needed, 0);
}

/* A network of two nodes: rows are states, columns nodes. */
static const double TPM[8] = {0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7};
static const uint64_t CONNECTIONS[2] = {2, 1};

static phicache_fingerprint fingerprint_of(const double *tpm, int32_t layout, const uint64_t *connections,
                                           const char *context) {
    phicache_fingerprint fingerprint;
    memset(&fingerprint, 0, sizeof fingerprint);
    CHECK_OK(phicache_network_fingerprint(tpm, 2, layout, connections, text(context), &fingerprint));
    return fingerprint;
}

static int equal(phicache_fingerprint one, phicache_fingerprint other) {
    return memcmp(one.bytes, other.bytes, sizeof one.bytes) == 0;
}

static void a_fingerprint_tells_networks_and_contexts_apart(void) {
    const phicache_fingerprint base = fingerprint_of(TPM, PHICACHE_ROW_MAJOR, CONNECTIONS, "L1");
    const double columns[8] = {0.0, 0.2, 0.4, 0.6, 0.1, 0.3, 0.5, 0.7};
    const uint64_t others[2] = {3, 1};
    double changed[8];
    CHECK(equal(fingerprint_of(columns, PHICACHE_COLUMN_MAJOR, CONNECTIONS, "L1"), base));
    CHECK(!equal(fingerprint_of(columns, PHICACHE_ROW_MAJOR, CONNECTIONS, "L1"), base));
    CHECK(!equal(fingerprint_of(TPM, PHICACHE_ROW_MAJOR, others, "L1"), base));
    CHECK(!equal(fingerprint_of(TPM, PHICACHE_ROW_MAJOR, CONNECTIONS, "EMD"), base));
    memcpy(changed, TPM, sizeof changed);
    changed[0] = -0.0;
    CHECK(equal(fingerprint_of(changed, PHICACHE_ROW_MAJOR, CONNECTIONS, "L1"), base));
    changed[0] = 1e-300;
    CHECK(!equal(fingerprint_of(changed, PHICACHE_ROW_MAJOR, CONNECTIONS, "L1"), base));
}

static void an_invalid_network_has_no_fingerprint(void) {
    const uint64_t outside[2] = {4, 1};
    const size_t sizes[4] = {0, 60, 65, SIZE_MAX};
    phicache_fingerprint fingerprint;
    phicache_fingerprint zero;
    double with_nan[8];
    size_t i;
    memset(&zero, 0, sizeof zero);
    memset(&fingerprint, 0xEE, sizeof fingerprint);
    memcpy(with_nan, TPM, sizeof with_nan);
    with_nan[7] = NAN;
    CHECK_STATUS(phicache_network_fingerprint(TPM, 2, PHICACHE_ROW_MAJOR, CONNECTIONS, text(""), &fingerprint),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(equal(fingerprint, zero));
    CHECK_STATUS(phicache_network_fingerprint(TPM, 2, 2, CONNECTIONS, text("L1"), &fingerprint),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_network_fingerprint(with_nan, 2, PHICACHE_ROW_MAJOR, CONNECTIONS, text("L1"), &fingerprint),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_network_fingerprint(TPM, 2, PHICACHE_ROW_MAJOR, outside, text("L1"), &fingerprint),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_network_fingerprint(TPM, 2, PHICACHE_ROW_MAJOR, CONNECTIONS, no_address(), &fingerprint),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    for (i = 0; i < 4; i++)
        CHECK_STATUS(phicache_network_fingerprint(TPM, sizes[i], PHICACHE_ROW_MAJOR, CONNECTIONS, text("L1"),
                                                  &fingerprint),
                     PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(equal(fingerprint, zero));
}

/* A prefix or candidates in the buffer would be overwritten before they are read: all prefixes of one length would make
 * one key. */
static void a_key_is_not_written_over_what_it_is_made_of(void) {
    char buffer[PHICACHE_KEY_BUFFER] = "phi";
    uint64_t candidates[PHICACHE_KEY_BUFFER / 8] = {1, 2, 3};
    uint8_t *start = (uint8_t *)buffer;
    size_t len = 99;
    CHECK_STATUS(phicache_key_repertoire(buffer, 0, 1, 2, start, sizeof buffer, &len), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "buffer overlaps prefix");
    CHECK_UINT(len, 0);
    CHECK_STATUS(phicache_key_repertoire(buffer, 0, 1, 2, start + 3, 99, &len), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_key_repertoire(buffer, 0, 1, 2, start + 4, 99, &len));
    CHECK_STATUS(phicache_key_mice(buffer, 0, 1, NULL, 0, start, sizeof buffer, &len), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_key_mice("phi", 0, 1, candidates, 3, (uint8_t *)candidates, sizeof candidates, &len),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_CONTAINS(phicache_last_error(), "buffer overlaps purviews");
    CHECK_OK(phicache_key_mice("phi", 0, 1, candidates, 3, (uint8_t *)(candidates + 3), 99, &len));
}

static void a_builder_does_not_add_its_own_key(void) {
    phicache_key *builder = NULL;
    phicache_bytes key;
    int i;
    REQUIRE_OK(phicache_key_new(&builder));
    for (i = 0; i < 20; i++) { /* with and without room for more */
        CHECK_OK(phicache_key_reset(builder));
        CHECK_OK(phicache_key_add_bytes(builder, bytes("0123456789012345678", (size_t)i)));
        REQUIRE_OK(phicache_key_bytes(builder, 0, &key));
        CHECK_STATUS((i % 2 ? phicache_key_add_bytes : phicache_key_add_string)(builder, key),
                     PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK_CONTAINS(phicache_last_error(), "is a key of this builder");
        CHECK_STATUS(phicache_key_bytes(builder, 0, &key), PHICACHE_ERROR_INVALID_ARGUMENT);
    }
    CHECK_OK(phicache_key_free(builder));
}

#ifdef __SSE2__
static void a_fingerprint_has_subnormal_probabilities_where_arithmetic_takes_them_for_zero(void) {
    const unsigned int mode = _mm_getcsr();
    const uint64_t negative = UINT64_C(0x8000000000000001);
    double tpm[8];
    phicache_fingerprint exact, found, zero;
    memcpy(tpm, TPM, sizeof tpm);
    tpm[3] = 0;
    REQUIRE_OK(phicache_network_fingerprint(tpm, 2, PHICACHE_ROW_MAJOR, CONNECTIONS, text("L1"), &zero));
    tpm[3] = 5e-324;
    REQUIRE_OK(phicache_network_fingerprint(tpm, 2, PHICACHE_ROW_MAJOR, CONNECTIONS, text("L1"), &exact));
    CHECK(!equal(exact, zero));
    _mm_setcsr(mode | 0x8040); /* as a program that is linked with -ffast-math does at its start */
    CHECK_OK(phicache_network_fingerprint(tpm, 2, PHICACHE_ROW_MAJOR, CONNECTIONS, text("L1"), &found));
    CHECK(equal(found, exact));
    memcpy(&tpm[3], &negative, sizeof negative);
    CHECK_STATUS(phicache_network_fingerprint(tpm, 2, PHICACHE_ROW_MAJOR, CONNECTIONS, text("L1"), &found),
                 PHICACHE_ERROR_INVALID_ARGUMENT);
    _mm_setcsr(mode);
}
#endif

int main(void) {
    RUN(the_builder_encodes_every_vector);
    RUN(after_a_failed_call_there_is_no_key_until_the_builder_is_reset);
    RUN(tuples_and_sets_must_be_ended_before_the_key_is_read);
    RUN(a_named_type_holds_one_element);
    RUN(keywords_come_last_once_each_with_a_value_and_in_any_order);
    RUN(reset_removes_everything);
    RUN(the_standard_keys_are_the_builders);
    RUN(integers_at_once_are_a_tuple_of_them);
    RUN(standard_keys_report_their_length);
    RUN(a_key_is_not_written_over_what_it_is_made_of);
    RUN(a_builder_does_not_add_its_own_key);
    RUN(a_fingerprint_tells_networks_and_contexts_apart);
#ifdef __SSE2__
    RUN(a_fingerprint_has_subnormal_probabilities_where_arithmetic_takes_them_for_zero);
#endif
    RUN(an_invalid_network_has_no_fingerprint);
    return check_report();
}
