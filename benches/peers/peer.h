/* peer.h: what every contender is to the harness: a name and a table of loops.
 *
 * A loop runs over all keys of a piece of work inside the contender's own language and compilation unit, so that no call
 * between languages is in any operation but phicache's own. Key and value lengths arrive at run time: no compiler knows
 * them. A loop answers the sum of the words (the first 8 bytes of a value) that it was handed; a key that is missing adds
 * 0. The harness compares it with what it must be.
 */
#ifndef PHICACHE_BENCH_PEER_H
#define PHICACHE_BENCH_PEER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Keys one after the other, in the order in which they are asked for. */
typedef struct bench_work {
    const uint8_t *keys;
    size_t key_len;
    size_t count;
    const uint64_t *words; /* of each key's value; the top bit is 0 */
    const uint8_t *writes; /* of mixed work: 1 where the key is set again, 0 where it is read */
    uint8_t *value;        /* a value to write: its word is put in front; of one thread */
    size_t value_len;
    uint8_t *buffer; /* room for a copy of one value; of one thread */
} bench_work;

typedef uint64_t (*bench_loop)(void *map, const bench_work *work);

/* How a value is handed out. */
enum bench_form {
    BENCH_COUNTED,  /* kept alive by a count or a pin, looked at, and released */
    BENCH_IN_PLACE, /* looked at under the map's own guard, or in a read section where the map has such */
    BENCH_COPIED,   /* copied into the caller's buffer */
    BENCH_FORMS
};

/* Reads that share one section, in maps whose sections hold nobody up. */
enum { BENCH_SECTION = 64, BENCH_BATCH = 64 };

typedef struct bench_peer {
    const char *name;
    int32_t thread_safe;
    void *(*make)(void);
    void (*free)(void *map);
    bench_loop insert;                /* sets every key; answers how many */
    bench_loop hit[BENCH_FORMS];      /* NULL where the peer does not have the form */
    bench_loop dependent[BENCH_FORMS]; /* the place of the next key depends on the word just read */
    bench_loop memoize;               /* counted: get, or compute and store */
    bench_loop batch[BENCH_FORMS];    /* hits, BENCH_BATCH at a time in one call; NULL where there is no such */
    bench_loop mixed[BENCH_FORMS];    /* reads and writes; NULL where several threads may not */
} bench_peer;

/* Of each group of peers: a list that ends with a NULL name. */
const bench_peer *bench_phicache(void);
const bench_peer *bench_std(void);
const bench_peer *bench_absl(void);
const bench_peer *bench_boost(void);
const bench_peer *bench_tbb(void);
const bench_peer *bench_cuckoo(void);
const bench_peer *bench_glib(void);
const bench_peer *bench_rust(void);

#ifdef __cplusplus
}
#endif

#endif
