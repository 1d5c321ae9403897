/* client.h: what every contender is to the harness: a name and a table of loops over the keys of a piece of work.
 *
 * A loop runs inside the contender's own language and compilation unit. It answers the sum of the words (the first 8 bytes
 * of a value) that it read, a key that is missing adding 0; or how many values it stored. The harness compares that with
 * what it must be.
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
    /* Connects by the unix socket `path`, or, where that is NULL, to the port of this machine; NULL when it fails. */
    void *(*open)(const char *path, int32_t port);
    void (*close)(void *client);
    int32_t shared; /* whether one serves several threads; otherwise each has its own */
    int32_t names;  /* whether it names keys itself; the others are given the names that it makes of them */
    bench_requests get, set; /* one key after the other; NULL where it is in another row already */
    bench_requests get_many, set_many; /* BENCH_AT_ONCE keys in one round trip */
} bench_client;

/* Of each library: a list that ends with a NULL name. */
const bench_client *bench_client_phicache(void);
const bench_client *bench_client_hiredis(void);
const bench_client *bench_client_rust(void);

#ifdef __cplusplus
}
#endif

#endif
