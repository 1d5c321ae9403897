/* client.h: a contender, as the harness sees it: a name and a table of loops over the keys of a piece of work.
 *
 * A loop runs inside the contender's own language and compilation unit. It returns the sum of the words (the first 8
 * bytes of a value) that it read, where a missing key adds 0, or the number of values that it stored. The harness
 * compares that with the expected result.
 */
#ifndef PHICACHE_BENCH_CLIENT_H
#define PHICACHE_BENCH_CLIENT_H

#include "../peers/peer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Keys of one batch. */
enum { BENCH_AT_ONCE = 100 };

typedef uint64_t (*bench_requests)(void *client, const bench_work *work);

typedef struct bench_client {
    const char *name;
    /* Connects to the unix socket `path`, or to the local port if that is NULL; returns NULL on failure. */
    void *(*open)(const char *path, int32_t port);
    void (*close)(void *client);
    int32_t shared; /* whether threads share one client; otherwise each has its own */
    int32_t names;  /* whether it makes names of keys itself; the others get the names */
    bench_requests get, set; /* one key after the other; NULL if another row has it */
    bench_requests get_many, set_many; /* BENCH_AT_ONCE keys in one round trip */
} bench_client;

/* Each library: a list that ends with a NULL name. */
const bench_client *bench_client_phicache(void);
const bench_client *bench_client_hiredis(void);
const bench_client *bench_client_rust(void);

#ifdef __cplusplus
}
#endif

#endif
