/* check.h: a small test framework for the C and C++ tests.
 *
 * A test program is functions without arguments, each a sentence, and a main that runs them:
 *
 *     static void a_miss_counts_as_a_miss(void) {
 *         phicache_dict_cache *cache = NULL;
 *         REQUIRE_OK(phicache_dict_cache_new(NULL, NULL, &cache));
 *         ...
 *         CHECK_STATUS(phicache_dict_cache_free(cache), PHICACHE_OK);
 *     }
 *
 *     int main(void) {
 *         RUN(a_miss_counts_as_a_miss);
 *         return check_report();
 *     }
 *
 * A CHECK that fails prints file, line, expression and values, and the test continues; a REQUIRE that fails also
 * returns from the enclosing function. Arguments are evaluated once; the actual value comes first. Any thread may make
 * checks. It compiles as C99, C11, C++17 and C++20 without a warning.
 */
#ifndef PHICACHE_CHECK_H
#define PHICACHE_CHECK_H

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "phicache.h"

/* One pair of counters for each program: a test program is one translation unit. */
static unsigned long check_count_made = 0;
static unsigned long check_count_failed = 0;

static inline int check_count(int passed) {
    __atomic_fetch_add(&check_count_made, 1UL, __ATOMIC_RELAXED);
    if (!passed) __atomic_fetch_add(&check_count_failed, 1UL, __ATOMIC_RELAXED);
    return passed;
}

static inline int check_true(const char *file, int line, const char *text, int holds) {
    if (!holds) fprintf(stderr, "%s:%d: %s does not hold\n", file, line, text);
    return check_count(holds);
}

static inline int check_int(const char *file, int line, const char *text, int64_t actual, int64_t expected) {
    if (actual != expected)
        fprintf(stderr, "%s:%d: %s is %" PRId64 ", expected %" PRId64 "\n", file, line, text, actual, expected);
    return check_count(actual == expected);
}

static inline int check_uint(const char *file, int line, const char *text, uint64_t actual, uint64_t expected) {
    if (actual != expected)
        fprintf(stderr, "%s:%d: %s is %" PRIu64 ", expected %" PRIu64 "\n", file, line, text, actual, expected);
    return check_count(actual == expected);
}

static inline int check_near(const char *file, int line, const char *text, double actual, double expected,
                             double tolerance) {
    const int near_enough = fabs(actual - expected) <= tolerance; /* false for NaN, as it should be */
    if (!near_enough)
        fprintf(stderr, "%s:%d: %s is %.17g, expected %.17g to within %g\n", file, line, text, actual, expected,
                tolerance);
    return check_count(near_enough);
}

static inline int check_text(const char *file, int line, const char *text, const char *actual, const char *expected) {
    const int same = actual != NULL && expected != NULL ? strcmp(actual, expected) == 0 : actual == expected;
    if (!same)
        fprintf(stderr, "%s:%d: %s is \"%s\", expected \"%s\"\n", file, line, text, actual ? actual : "(null)",
                expected ? expected : "(null)");
    return check_count(same);
}

static inline int check_contains(const char *file, int line, const char *text, const char *actual, const char *part) {
    const int found = actual != NULL && strstr(actual, part) != NULL;
    if (!found)
        fprintf(stderr, "%s:%d: %s is \"%s\", expected \"%s\" in it\n", file, line, text, actual ? actual : "(null)",
                part);
    return check_count(found);
}

static inline void check_print_bytes(const char *name, const void *data, size_t len) {
    const size_t shown = data == NULL ? 0 : len < 64 ? len : 64;
    size_t i;
    fprintf(stderr, "    %s (%zu bytes):", name, len);
    for (i = 0; i < shown; i++) fprintf(stderr, " %02x", ((const unsigned char *)data)[i]);
    fputs(shown < len ? " ...\n" : "\n", stderr);
}

static inline int check_bytes(const char *file, int line, const char *text, const void *actual, size_t actual_len,
                              const void *expected, size_t expected_len) {
    const int readable = actual != NULL && expected != NULL;
    const int same =
        actual_len == expected_len && (actual_len == 0 || (readable && memcmp(actual, expected, actual_len) == 0));
    if (!same) {
        fprintf(stderr, "%s:%d: %s differs\n", file, line, text);
        check_print_bytes("actual  ", actual, actual_len);
        check_print_bytes("expected", expected, expected_len);
    }
    return check_count(same);
}

static inline int check_status(const char *file, int line, const char *text, phicache_status actual,
                               phicache_status expected) {
    if (actual != expected)
        fprintf(stderr, "%s:%d: %s is %s, expected %s%s%s\n", file, line, text, phicache_status_name(actual),
                phicache_status_name(expected), actual < 0 ? ": " : "", actual < 0 ? phicache_last_error() : "");
    return check_count(actual == expected);
}

static inline void check_counts(const char *file, int line, phicache_info info, uint64_t hits, uint64_t misses,
                                uint64_t size) {
    check_uint(file, line, "hits", info.hits, hits);
    check_uint(file, line, "misses", info.misses, misses);
    check_uint(file, line, "size", info.size, size);
}

static inline void check_run(const char *name, void (*test)(void)) {
    const unsigned long failed_before = check_count_failed;
    test();
    printf("%s %s\n", check_count_failed == failed_before ? "ok    " : "FAILED", name);
    fflush(stdout);
}

/* The exit status for main: 0 if at least one check was made and all passed. */
static inline int check_report(void) {
    printf("%lu checks, %lu failed\n", check_count_made, check_count_failed);
    return check_count_made == 0 || check_count_failed != 0;
}

#define RUN(test) check_run(#test, test)

#define CHECK(condition) check_true(__FILE__, __LINE__, #condition, (condition) ? 1 : 0)
#define CHECK_INT(actual, expected) check_int(__FILE__, __LINE__, #actual, (int64_t)(actual), (int64_t)(expected))
#define CHECK_UINT(actual, expected) check_uint(__FILE__, __LINE__, #actual, (uint64_t)(actual), (uint64_t)(expected))
#define CHECK_NEAR(actual, expected, tolerance) \
    check_near(__FILE__, __LINE__, #actual, (actual), (expected), (tolerance))
#define CHECK_TEXT(actual, expected) check_text(__FILE__, __LINE__, #actual, (actual), (expected))
#define CHECK_CONTAINS(actual, part) check_contains(__FILE__, __LINE__, #actual, (actual), (part))
#define CHECK_BYTES(actual, actual_len, expected, expected_len) \
    check_bytes(__FILE__, __LINE__, #actual, (actual), (actual_len), (expected), (expected_len))
#define CHECK_COUNTS(info, hits, misses, size) check_counts(__FILE__, __LINE__, (info), (hits), (misses), (size))
#define CHECK_STATUS(call, expected) check_status(__FILE__, __LINE__, #call, (call), (expected))
#define CHECK_OK(call) CHECK_STATUS(call, PHICACHE_OK)

#define REQUIRE(condition)              \
    do {                                \
        if (!CHECK(condition)) return;  \
    } while (0)
#define REQUIRE_OK(call)             \
    do {                             \
        if (!CHECK_OK(call)) return; \
    } while (0)

#endif /* PHICACHE_CHECK_H */
