/*
 * A pure function with its cache in C: a memo.
 *
 * A memo is for a function whose result depends on its arguments alone. A call makes a key of the arguments and looks
 * it up; the function runs only on a miss.
 *
 * It prints
 *
 *     computing
 *     the distance is 0.5
 *     the distance is 0.5
 *     1 hit, 1 miss, 1 value
 */
#include <math.h>
#include <phicache.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const double *p, *q;
    size_t len;
} arguments;

/* The function. `call_data` is what the call passed: its arguments. The value is written into the cache's memory. */
static int32_t distance(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    const arguments *given = call_data;
    double sum = 0;
    uint8_t *bytes;
    size_t i;
    (void)user_data, (void)key;
    puts("computing");
    for (i = 0; i < given->len; i++) sum += fabs(given->p[i] - given->q[i]);
    if (phicache_result_reserve(result, sizeof sum, &bytes) != PHICACHE_OK) return 1;
    memcpy(bytes, &sum, sizeof sum);
    return 0;
}

/*
 * What the program calls instead. Every argument that changes the result is part of the key: a key that lacks one
 * would give one answer to two questions. So the program stops if an argument cannot be added.
 */
static int print_distance(phicache_memo *memo, const double *p, const double *q, size_t len) {
    arguments given = {p, q, len};
    phicache_key *key;
    phicache_value value;
    double answer;
    if (phicache_key_new(&key) != PHICACHE_OK || phicache_key_add_doubles(key, p, len) != PHICACHE_OK ||
        phicache_key_add_doubles(key, q, len) != PHICACHE_OK ||
        phicache_memo_call(memo, key, &given, &value, NULL) != PHICACHE_OK)
        return 0;
    memcpy(&answer, value.data, sizeof answer);
    printf("the distance is %g\n", answer);
    phicache_value_release(&value); /* until then the value is pinned: nothing changes or frees it */
    return phicache_key_free(key) == PHICACHE_OK;
}

int main(void) {
    const double p[] = {0.25, 0.75}, q[] = {0.5, 0.5};
    phicache_memo *memo;
    phicache_info info;
    /* The NULLs and 0: the process's configuration, no user data, untyped keys, and a private cache. */
    phicache_status status =
        phicache_memo_new(NULL, distance, NULL, NULL, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL, &memo);
    if (status != PHICACHE_OK || !print_distance(memo, p, q, 2) || !print_distance(memo, p, q, 2) ||
        phicache_memo_info(memo, &info) != PHICACHE_OK) {
        fprintf(stderr, "%s\n", phicache_last_error());
        return 1;
    }
    printf("%d hit, %d miss, %d value\n", (int)info.hits, (int)info.misses, (int)info.size);
    return phicache_memo_free(memo);
}
