/* peer.h: a contender, as the harness sees it: a name and a table of loops.
 *
 * A loop runs over all keys of a piece of work inside the contender's own language and compilation unit, so that only
 * phicache's operations contain a call between languages. No compiler knows the lengths of keys and values, which
 * arrive at run time. A loop returns the sum of the words (the first 8 bytes of a value) that it read; a missing key
 * adds 0. The harness compares the sum with the expected one.
 */
#ifndef PHICACHE_BENCH_PEER_H
#define PHICACHE_BENCH_PEER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Keys, in the order in which they are looked up. */
typedef struct bench_work {
    const uint8_t *keys;
    size_t key_len;
    size_t count;
    const uint64_t *words; /* of each key's value; the top bit is 0 */
    const uint8_t *writes; /* in mixed work: 1 if the key is set again, 0 if it is read */
    uint8_t *value;        /* a value to write, whose word the loop fills in; of one thread */
    size_t value_len;
    uint8_t *buffer; /* for a copy of one value; of one thread */
} bench_work;

typedef uint64_t (*bench_loop)(void *map, const bench_work *work);

/* How a value is returned. */
enum bench_form {
    BENCH_COUNTED,  /* kept alive by a count or a pin, read, released */
    BENCH_IN_PLACE, /* read under the map's own guard, or in a read section if the map has one */
    BENCH_COPIED,   /* copied into the caller's buffer */
    BENCH_FORMS
};

/* Reads that share one section, in maps whose sections block nobody. */
enum { BENCH_SECTION = 64, BENCH_BATCH = 64 };

typedef struct bench_peer {
    const char *name;
    int32_t thread_safe;
    void *(*make)(void);
    void (*free)(void *map);
    bench_loop insert;                /* sets every key; returns how many */
    bench_loop hit[BENCH_FORMS];      /* NULL if the peer does not have the form */
    bench_loop dependent[BENCH_FORMS]; /* the place of the next key depends on the last word */
    bench_loop memoize;               /* counted: get, or compute and store */
    bench_loop batch[BENCH_FORMS];    /* hits, BENCH_BATCH in one call; NULL if the peer has no batch */
    bench_loop mixed[BENCH_FORMS];    /* reads and writes; NULL if the peer is for one thread */
} bench_peer;

/* Each group of peers: a list that ends with a NULL name. */
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
