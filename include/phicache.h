/*
 * phicache: memory-limited caching for integrated information theory, and for native scientific code.
 *
 * Generated from src/ffi by build.rs; `make header` renews it. Do not edit.
 *
 * What it is
 *
 * PyPhi's caches for programs in C, C++, Julia and whatever else calls C: dict caches for repertoires, MICE caches that a
 * cut subsystem inherits from its uncut parent, purview caches, functions with a cache. Values stay in memory until the
 * process occupies a configured part of the memory it may use; then new ones are refused, and what is computed is handed
 * out without being stored. Where the system's allocator itself fails, a call says PHICACHE_ERROR_OUT_OF_MEMORY.
 *
 *     phicache_dict_cache *cache;
 *     phicache_value value;
 *     phicache_bytes key = { (const uint8_t *)"answer", 6 };
 *     if (phicache_dict_cache_new(NULL, NULL, &cache) != PHICACHE_OK)
 *         fputs(phicache_last_error(), stderr);
 *     else if (phicache_dict_cache_memoize(cache, key, compute, NULL, NULL, &value, NULL) == PHICACHE_OK) {
 *         use(value.data, value.len);
 *         phicache_value_release(&value);
 *     }
 *     phicache_dict_cache_free(cache);
 *
 * Conventions
 *
 *  - A function that can fail returns a phicache_status: PHICACHE_OK is 0, normal outcomes (a miss, a refusal) are positive,
 *    errors negative. phicache_last_error() is the message of this thread's last error.
 *  - Every pointer is checked. A parameter may be NULL where its description says [nullable]; elsewhere NULL is
 *    PHICACHE_ERROR_INVALID_ARGUMENT. On an error outputs are zero, except where a function says otherwise. On the way
 *    in, flags are int32_t, and anything but 0 is true.
 *  - Text goes in as NUL-terminated UTF-8; keys and values as phicache_bytes. Whatever goes in is copied where it is kept.
 *  - A handle comes from a `…_new` function and goes back to its type's `…_free`, which takes NULL too. A freed handle, or
 *    one of another type, answers PHICACHE_ERROR_INVALID_HANDLE, until its memory is used for another handle of its type.
 *  - A value that a cache hands out is pinned: its bytes stay valid and unchanged until phicache_value_release, whatever
 *    happens to the cache. It starts at 16-byte alignment, so an array of doubles can be read in place.
 *  - Callbacks get their user_data first, and run on the caller's thread, under no lock. Their failures come back unchanged.
 *  - The library starts no thread, sets no signal handler, and does nothing when it is loaded or unloaded.
 *
 * Errors
 *
 *     phicache_dict_cache *cache;
 *     phicache_status status = phicache_dict_cache_new(NULL, NULL, &cache);
 *     if (status < 0)
 *         fprintf(stderr, "%s: %s\n", phicache_status_name(status), phicache_last_error());
 *     else
 *         use(cache);
 *     phicache_dict_cache_free(cache);
 *
 * The message says what was wrong and what was expected, begins with the name of the function, and is this thread's own. A
 * mistake in the arguments changes nothing, and the next call works. Examples here stand in a function that returns 0; `use`
 * is whatever comes next, `compute` a callback.
 *
 * Threads and fork
 *
 * Handles may be used from any thread at once, except key builders, which are for one thread at a time; a handle is freed
 * when no other thread is inside it (from inside one's own callback it may be). Values may be released from any thread.
 * After fork the child may use its caches: a part that another thread was changing at that moment is empty, and computations
 * that were going on are forgotten.
 *
 * Memory
 *
 * The size of a cache includes its own overhead: 32 bytes and some padding for each entry, and the table. Running out of
 * memory is PHICACHE_ERROR_OUT_OF_MEMORY in all functions of caches and keys. The process may end for lack of memory where a
 * configuration is made, where a caller waits for another's computation, and where the text of another error is put together.
 *
 * Handles
 *
 * | handle | what it is | made by |
 * |---|---|---|
 * | phicache_config | settings that caches share | phicache_config_new |
 * | phicache_key | an argument list on its way to a key | phicache_key_new |
 * | phicache_dict_cache | values by keys | phicache_dict_cache_new, phicache_dict_cache_shared |
 * | phicache_redis_cache | values by keys at a Redis server | phicache_redis_cache_new, phicache_redis_cache_shared |
 * | phicache_purview_cache | lists of purviews of a network | phicache_purview_cache_new |
 * | phicache_mice_cache | the MICE of a subsystem, or of a cut one that inherits | phicache_mice_cache_new |
 * | phicache_cache | any of these caches, seen as one type; owns nothing | phicache_…_cache_as_cache |
 * | phicache_memo | a function with its cache | phicache_memo_new |
 * | phicache_method | a function that uses its object's cache | phicache_method_new |
 * | phicache_subsystem | a system in a state, under a cut or none | phicache_subsystem_new, phicache_subsystem_cut |
 * | phicache_lease | the duty to compute a value | phicache_cache_begin |
 * | phicache_result | where a callback writes; not kept | handed to the callback |
 */

#ifndef PHICACHE_H
#define PHICACHE_H

#include <stddef.h>
#include <stdint.h>

/** The version of this header; a program may compare it with `phicache_version_number`. */
#define PHICACHE_VERSION_MAJOR 0
#define PHICACHE_VERSION_MINOR 2
#define PHICACHE_VERSION_PATCH 0
#define PHICACHE_VERSION_NUMBER (PHICACHE_VERSION_MAJOR * 65536u + PHICACHE_VERSION_MINOR * 256u + PHICACHE_VERSION_PATCH)

/* A constructor whose status nobody looks at. */
#ifndef PHICACHE_MUST_USE
#if defined(__GNUC__)
#define PHICACHE_MUST_USE __attribute__((warn_unused_result))
#else
#define PHICACHE_MUST_USE
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Types ---------------------------------------------------------------------------------------------------------------
 *
 * Structs that begin with `struct_size` may grow at their end: set it to `sizeof` of the struct before every call.
 * All others are final. Of a struct going in that an older header has, what it lacks is zero; of one that a newer header
 * has, what this library does not know must be zero: anything else is ERROR_INVALID_ARGUMENT, as is a `reserved` field that
 * is not zero.
 */

/** Done. */
#define PHICACHE_OK 0

/** The key has no value. */
#define PHICACHE_MISS 1

/** Not stored: the subsystem is cut. */
#define PHICACHE_REFUSED_CUT 2

/** Not stored: φ is not positive. */
#define PHICACHE_REFUSED_PHI 3

/** Not stored: the memory limit is reached. */
#define PHICACHE_REFUSED_MEMORY 4

/** Not stored: caching of this kind is switched off. */
#define PHICACHE_REFUSED_DISABLED 5

/** Not stored: the cache holds as many bytes as it may. */
#define PHICACHE_REFUSED_CAPACITY 6

/** Not stored: the key was removed, or the cache cleared, while the value was computed; or its lease ran out. */
#define PHICACHE_REFUSED_CLEARED 7

/** The caller is to compute the value. */
#define PHICACHE_LEASE 8

/** Another computes the value. */
#define PHICACHE_BUSY 9

/** The time is up. */
#define PHICACHE_TIMEOUT 10

/** Not stored: the server failed. */
#define PHICACHE_REFUSED_SERVER 11

/** An argument is NULL, out of range, or does not fit the others. */
#define PHICACHE_ERROR_INVALID_ARGUMENT (-1)

/** A handle was freed, or is of another type. */
#define PHICACHE_ERROR_INVALID_HANDLE (-2)

/** The compute callback returned a code other than 0. */
#define PHICACHE_ERROR_CALLBACK (-3)

/** A computation asked for the key that it computes. */
#define PHICACHE_ERROR_RECURSION (-4)

/** The answer is longer than the buffer; the needed length is given. */
#define PHICACHE_ERROR_BUFFER_TOO_SMALL (-5)

/** An allocation failed; nothing has changed. */
#define PHICACHE_ERROR_OUT_OF_MEMORY (-6)

/** The Redis server could not be asked, or refused; the message says what was tried, where, and what went wrong. */
#define PHICACHE_ERROR_REDIS (-7)

/** The library was built without what the call needs. */
#define PHICACHE_ERROR_UNSUPPORTED (-8)

/** The library itself failed; please report it with the message. */
#define PHICACHE_ERROR_PANIC (-9)

/** The environment holds an invalid setting; the message names it. */
#define PHICACHE_ERROR_CONFIGURATION (-10)

/** A live cache has this name. */
#define PHICACHE_ERROR_NAME_IN_USE (-11)

/** The bytes are no record, or damaged. */
#define PHICACHE_ERROR_DAMAGED (-12)

/** The value was in the cache. */
#define PHICACHE_ORIGIN_HIT 1

/** This call computed the value, and it was stored, unless the key got another value meanwhile: then that stays. */
#define PHICACHE_ORIGIN_COMPUTED 2

/** Another thread computed the value while this one waited. */
#define PHICACHE_ORIGIN_WAITED 3

/** The value was inherited from the cache's parent. */
#define PHICACHE_ORIGIN_PARENT 4

/** This call computed the value, and it was not stored; the status that says why is added (none: memory is out). */
#define PHICACHE_ORIGIN_NOT_STORED 256

/** The past state of a purview. */
#define PHICACHE_CAUSE 0

/** The future state of a purview. */
#define PHICACHE_EFFECT 1

/** Both; in keys only. */
#define PHICACHE_BIDIRECTIONAL 2

/** In `phicache_features`: built with Redis. */
#define PHICACHE_FEATURE_REDIS 1

/** In `phicache_features`: built with TLS for Redis. */
#define PHICACHE_FEATURE_TLS 2

/** In `phicache_memory`: the sizes of the process could be read. */
#define PHICACHE_KNOWN_SIZES 1

/** In `phicache_memory`: the physical memory is known. */
#define PHICACHE_KNOWN_PHYSICAL 2

/** In `phicache_memory`: the limits of all control groups that the process is in could be read, or there are none. */
#define PHICACHE_KNOWN_GROUP_LIMITS 4

/** In `phicache_memory`: what those of them use that have a limit could be read. */
#define PHICACHE_KNOWN_GROUP_USAGE 8

/** In `phicache_memory`: RLIMIT_AS and RLIMIT_DATA could be read. */
#define PHICACHE_KNOWN_PROCESS_LIMITS 16

/** A dict cache. */
#define PHICACHE_KIND_DICT 1

/** A purview cache. */
#define PHICACHE_KIND_PURVIEW 2

/** A MICE cache. */
#define PHICACHE_KIND_MICE 3

/** A Redis cache. */
#define PHICACHE_KIND_REDIS 4

/** A MICE cache in Redis. */
#define PHICACHE_KIND_REDIS_MICE 5

/** A matrix that lies row after row, as in C. */
#define PHICACHE_ROW_MAJOR 0

/** A matrix that lies column after column, as in Julia and Fortran. */
#define PHICACHE_COLUMN_MAJOR 1

/** A maximum memory that lifts the limit; the walls stay (see "The library"). */
#define PHICACHE_MEMORY_UNLIMITED (-1.0)

/** A memo's maximum memory that is the configuration's. */
#define PHICACHE_MEMORY_CONFIGURED (-2.0)

/**
 * A buffer of this many bytes holds every key that `phicache_key_repertoire`, `phicache_key_mice` (without candidate
 * purviews) and `phicache_subsystem_key` write with a prefix of up to 64 bytes.
 */
#define PHICACHE_KEY_BUFFER 768

/** Any cache: what a `phicache_…_cache` is seen as. Owns nothing. */
typedef struct phicache_cache phicache_cache;

/** Settings that caches share. */
typedef struct phicache_config phicache_config;

/** PyPhi's `DictCache`: bytes by bytes. */
typedef struct phicache_dict_cache phicache_dict_cache;

/** An argument list on its way to a key. */
typedef struct phicache_key phicache_key;

/** The duty to compute a value, without a callback. */
typedef struct phicache_lease phicache_lease;

/** PyPhi's `cache` decorator: a function with its cache. */
typedef struct phicache_memo phicache_memo;

/** PyPhi's `method` decorator: a function that uses its object's cache. */
typedef struct phicache_method phicache_method;

/** PyPhi's `MICECache`: the MICE of a subsystem. */
typedef struct phicache_mice_cache phicache_mice_cache;

/** PyPhi's `PurviewCache`: lists of purviews of a network. */
typedef struct phicache_purview_cache phicache_purview_cache;

/** PyPhi's `RedisCache`: bytes by bytes at a server, for many processes. */
typedef struct phicache_redis_cache phicache_redis_cache;

/** Where a compute callback writes its value; lives as long as the callback runs. */
typedef struct phicache_result phicache_result;

/** A candidate system of a network in a state, under a cut or none. */
typedef struct phicache_subsystem phicache_subsystem;

/** What a call answers: 0 is OK, positive a normal outcome, negative an error. */
typedef int32_t phicache_status;

/** Bytes that are lent for the duration of a call. With a length of 0 the pointer may be anything. */
typedef struct phicache_bytes {
    /** The first byte. */
    const uint8_t *data;
    /** The number of bytes. */
    size_t len;
} phicache_bytes;

/**
 * A pinned value: its bytes stay valid and unchanged until `phicache_value_release`, whatever happens to the cache.
 *
 * Copying the struct adds no pin: release one of the copies, once, from any thread.
 */
typedef struct phicache_value {
    /** The value's first byte, at 16-byte alignment. */
    const uint8_t *data;
    /** The number of bytes. */
    size_t len;
    /** What keeps the bytes alive. Not for callers. */
    void *pin;
    /** Where the value came from: one of `PHICACHE_ORIGIN_…`. */
    uint32_t origin;
    /** Zero. */
    uint32_t reserved;
} phicache_value;

/** What PyPhi's caches tell: lookups that found a value, lookups that found none, values held now. */
typedef struct phicache_info {
    /** Lookups that found a value. */
    uint64_t hits;
    /** Lookups that found none. */
    uint64_t misses;
    /** Values held now. */
    uint64_t size;
} phicache_info;

/** All figures of a cache. Grows at its end. */
typedef struct phicache_stats {
    /** `sizeof(phicache_stats)`, set by the caller. */
    size_t struct_size;
    /** Lookups that found a value. */
    uint64_t hits;
    /** Lookups that found none. */
    uint64_t misses;
    /** Values held now, inherited ones included. */
    uint64_t size;
    /**
     * Bytes held now, overhead included, inherited values not. Values that were replaced, removed or cleared count
     * until their last pin is released.
     */
    uint64_t bytes;
    /** Values stored. */
    uint64_t stores;
    /** Values refused because the subsystem is cut. */
    uint64_t refused_cut;
    /** Values refused because φ is not positive. */
    uint64_t refused_phi;
    /** Values refused because the memory limit was reached. */
    uint64_t refused_memory;
    /** Values refused because caching of this kind was off. */
    uint64_t refused_disabled;
    /** Values refused because the cache held as many bytes as it may. */
    uint64_t refused_capacity;
    /** Values that were computed while their key was removed or the cache cleared, and so not stored. */
    uint64_t refused_cleared;
    /** Hits for which a caller waited until another had computed the value. */
    uint64_t waits;
    /**
     * Computations that failed: their callback said so, or their value could not be had (no memory) or kept (no record).
     * Leases that are abandoned are not counted.
     */
    uint64_t errors;
    /** Nanoseconds spent in computations that succeeded. */
    uint64_t compute_ns;
    /** Nanoseconds saved: hits times the mean computation. */
    uint64_t saved_ns;
    /** Values that were refused because the server failed. */
    uint64_t refused_server;
    /** Values at the server that were damaged, or somebody else's: each counted as a miss. */
    uint64_t damaged;
} phicache_stats;

/** The memory of this process. Grows at its end. */
typedef struct phicache_memory {
    /** `sizeof(phicache_memory)`, set by the caller. */
    size_t struct_size;
    /** The resident size as a percentage of the limit. */
    double percent;
    /** Bytes of physical memory that the process occupies, as far as is known; at least what caches hold. */
    uint64_t resident;
    /**
     * Bytes it may occupy: physical memory, or the lowest limit of the control groups that it is in. 0 if no figure was
     * ever available.
     */
    uint64_t limit;
    /** Bytes of physical memory of the machine; 0 if no figure was ever available. */
    uint64_t physical;
    /** Bytes held by all caches of this process. */
    uint64_t held;
    /** Bytes that caches may take before the process comes to a wall (see "The library"); UINT64_MAX if there is none. */
    uint64_t room;
    /** Which figures could be read just now: a sum of `PHICACHE_KNOWN_…`. For the others the last good figure counts. */
    uint32_t known;
    /** Zero. */
    uint32_t reserved;
} phicache_memory;

/** What a cache may be given when it is made. All zero but the size is the default. Grows at its end. */
typedef struct phicache_cache_options {
    /** `sizeof(phicache_cache_options)`, set by the caller. */
    size_t struct_size;
    /** A name of 1 to 63 bytes, which no other live cache has; NULL for none. */
    const char *name;
    /**
     * The most bytes the cache may hold in this process, overhead included; 0 for no limit beside the memory's. A value
     * that replaces another needs room beside it.
     */
    uint64_t max_bytes;
    /** For caches in Redis: after how many milliseconds the server forgets a value, at most 10^14; 0 is never. */
    uint64_t ttl_ms;
    /**
     * For caches in Redis: how many milliseconds a process may take to compute a value before another computes it too, at
     * most 10^14; 0 lets every process compute. See "Redis cache".
     */
    uint64_t lease_ms;
    /** For caches in Redis: whether a server that fails is ERROR_REDIS; 0 makes it a miss that is counted. */
    int32_t server_errors;
    /**
     * For caches in Redis: whether values are stored as they are, for others to read and write, without what ties each to
     * its key; 0 stores them with a checksum, and takes what has none that fits for a miss. See "Redis cache".
     */
    int32_t no_checksum;
    /**
     * For caches in Redis: how many milliseconds `clear`, `size`, `info` and `stats` may go through the names at the
     * server, at most 10^14, of which an hour counts; 0 is 30,000. The operation that is under way then is still waited
     * for, at most for the timeout of one.
     */
    uint64_t scan_timeout_ms;
} phicache_cache_options;

/** A maximally irreducible cause or effect. Grows at its end. */
typedef struct phicache_mice {
    /** `sizeof(phicache_mice)`, set by the caller. */
    size_t struct_size;
    /** `PHICACHE_CAUSE` or `PHICACHE_EFFECT`. */
    int32_t direction;
    /** Zero. */
    uint32_t reserved;
    /** The mechanism, as a node set. */
    uint64_t mechanism;
    /** The purview, as a node set. */
    uint64_t purview;
    /** The purview's φ; not NaN. */
    double phi;
    /** What else belongs to it, in the caller's own format; 16-byte aligned where it comes from a cache. */
    struct phicache_bytes payload;
} phicache_mice;

/** The identity of a network or of a subsystem: BLAKE3-256. */
typedef struct phicache_fingerprint {
    /** The bytes. */
    uint8_t bytes[32];
} phicache_fingerprint;

/** How a Redis server is doing, as all caches see it that were made with the same connection settings. Grows at its end. */
typedef struct phicache_redis_health {
    /** `sizeof(phicache_redis_health)`, set by the caller. */
    size_t struct_size;
    /**
     * Operations that failed: no connection, no answer in time, a connection that broke, nonsense; and values that were
     * passed over, being longer than `max_bytes`.
     */
    uint64_t failures;
    /** Operations that the server refused, for example because it was full; `last_error` says what to do. */
    uint64_t refusals;
    /** Operations that were not tried, because the server had just failed. */
    uint64_t skipped;
    /** Connections that were opened. */
    uint64_t connections;
    /** Those of them that replaced one that broke. */
    uint64_t reconnects;
    /** For how many milliseconds from now on operations are not tried; 0 when the server is well. */
    uint64_t skipping_ms;
    /** What the last operation that failed or was refused had to say, NUL-terminated; empty when there was none. */
    char last_error[256];
} phicache_redis_health;

/** A named cache. Grows at its end. */
typedef struct phicache_registry_item {
    /** `sizeof(phicache_registry_item)`, set by the caller in the first item of a list. */
    size_t struct_size;
    /** The cache's name, NUL-terminated. */
    char name[64];
    /** One of `PHICACHE_KIND_…`. */
    int32_t kind;
    /** Zero. */
    uint32_t reserved;
    /** Hits, misses and size. */
    struct phicache_info info;
} phicache_registry_item;

/**
 * Computes the value of `key` and writes it into `result` by `phicache_result_reserve`. If its last attempt to reserve
 * fails, the call fails with the same status, whatever is returned here.
 *
 * `user_data` was given together with the function, `call_data` with the call. Return 0, or a code of your own: then
 * nothing is cached, and the code comes back to the caller unchanged. The callback runs on the caller's thread, under
 * no lock, and may call the library, also for other keys of the same cache. It must return: an exception that leaves it
 * ends the process with one line that names the function, and leaving it by longjmp or by ending the thread is undefined.
 * `result` is gone when it has returned.
 */
typedef int32_t (*phicache_compute)(void *user_data,
                                    void *call_data,
                                    struct phicache_bytes key,
                                    struct phicache_result *result);

/** Frees a `user_data`: called exactly once, after the last call has ended, also when registering fails. */
typedef void (*phicache_drop)(void *user_data);

/* The library ---------------------------------------------------------------------------------------------------------
 *
 * Version, messages, released values, and the memory of this process. All of these may be called from any thread.
 *
 * Caches store up to a percentage of the memory that this process may use (`phicache_config_set_maximum_memory_percent`):
 * the least of the physical memory and the limits of all control groups that the process is in, their ancestors included
 * (version 1: `memory.limit_in_bytes`; version 2: `memory.max` and `memory.high`). The percentage is compared with the
 * process's resident size. Beside it there are walls, whatever the percentage, also without a limit: caches stop at 90 % of
 * `RLIMIT_AS`, of `RLIMIT_DATA`, and of a control group's limit, each compared with what it counts (a group's usage without
 * inactive file pages), so that the program's own allocations do not fail, and the system does not end it.
 *
 * A figure that cannot be read (no `/proc`, no free descriptor, a sandbox) is never taken for a number: the last good one
 * counts, but no less than what caches hold, and it is asked for again. The physical memory is then asked of the kernel
 * directly. `known` in `phicache_memory` says which figures could be read.
 *
 *     phicache_memory memory;
 *     memory.struct_size = sizeof memory;
 *     if (phicache_memory_usage(&memory) == PHICACHE_OK) use(memory.percent, memory.held);
 *     if (phicache_version_number() >> 8 != PHICACHE_VERSION_NUMBER >> 8) return 1;  // not the header's minor version
 */

/** The version of the library, as in "1.2.3". Static; never freed. */
const char *phicache_version(void);

/** The version of the library as `major << 16 | minor << 8 | patch`: compare it with `PHICACHE_VERSION_NUMBER`. */
uint32_t phicache_version_number(void);

/** What the library was built with: a sum of `PHICACHE_FEATURE_…`. */
uint32_t phicache_features(void);

/**
 * The name of a status, such as "MISS"; "UNKNOWN" for a number that is none. Static; never freed.
 *
 * @param status  Any number.
 */
const char *phicache_status_name(phicache_status status);

/**
 * The message of this thread's last error: what was wrong and what was expected. Empty when there was none.
 *
 * The text belongs to the library and changes with this thread's next error; a call that succeeds leaves it alone.
 */
const char *phicache_last_error(void);

/**
 * Releases a value's bytes and zeroes the struct. May be called from any thread; never waits.
 *
 * Releasing a zeroed struct does nothing. Of copies of a struct, one is released, once.
 *
 * @param value  [nullable] The value.
 */
void phicache_value_release(phicache_value *value);

/**
 * The resident memory of this process as a percentage of the memory it may use, measured now (a few microseconds).
 *
 * What it may use is the physical memory, or the lowest limit of the control groups it is in.
 *
 * @param out_percent  The percentage; 0 if neither was ever known.
 */
phicache_status phicache_memory_percent(double *out_percent);

/**
 * Whether this process occupies more memory than the configured maximum, or has come to a wall, measured now. (PyPhi's
 * `memory_full`.)
 *
 * @param config    [nullable] The configuration; NULL is the process default.
 * @param out_full  1 or 0.
 */
phicache_status phicache_memory_full(phicache_config *config, int32_t *out_full);

/**
 * The memory of this process in bytes, measured now.
 *
 * @param out  The figures; `struct_size` is set by the caller.
 */
phicache_status phicache_memory_usage(phicache_memory *out);

/**
 * The node set of these indices, counted from 0, in any order.
 *
 * @param indices    [nullable] The indices; may be NULL if `count` is 0.
 * @param count      How many.
 * @param out_nodes  The set: bit k is node k.
 */
phicache_status phicache_nodes_from_indices(const int32_t *indices, size_t count, uint64_t *out_nodes);

/**
 * The indices of a node set, ascending, counted from 0.
 *
 * @param nodes      The set.
 * @param indices    [nullable] Where they are written; may be NULL if `capacity` is 0.
 * @param capacity   How many fit; 64 always do.
 * @param out_count  How many there are, also when they do not fit.
 */
phicache_status phicache_nodes_to_indices(uint64_t nodes, int32_t *indices, size_t capacity, size_t *out_count);

/* Configuration -------------------------------------------------------------------------------------------------------
 *
 * Settings come from defaults, then the environment (`PHICACHE_…`, read once, at the first use), then setters. A cache
 * takes a configuration when it is made and keeps a share in it: percentages and switches act on it at once, connection
 * settings are read when the cache is made. Wherever a configuration may be NULL, that is the process default, which
 * setters change for every cache made with it. A configuration may be used from any thread.
 *
 * | setting | default | variable |
 * |---|---|---|
 * | maximum memory, in per cent | 50 | `PHICACHE_MAXIMUM_CACHE_MEMORY_PERCENTAGE` |
 * | cache repertoires | 1 | `PHICACHE_CACHE_REPERTOIRES` |
 * | cache potential purviews | 1 | `PHICACHE_CACHE_POTENTIAL_PURVIEWS` |
 * | keep MICE in Redis | 0 | `PHICACHE_REDIS_CACHE` |
 * | Redis URL | `redis://127.0.0.1:6379/0` | `PHICACHE_REDIS_URL` |
 * | Redis namespace | `phicache` | `PHICACHE_REDIS_NAMESPACE` |
 * | Redis user, password | those of the URL | `PHICACHE_REDIS_USER`, `PHICACHE_REDIS_PASSWORD` |
 * | Redis timeout, in milliseconds | that of the URL, or 1000 | `PHICACHE_REDIS_TIMEOUT_MS` |
 * | the whole Redis database | 0 | none |
 *
 * An invalid variable makes the first use fail with ERROR_CONFIGURATION, and the message names it; an empty one counts
 * as unset. Switches in the environment are 1, 0, true, false, yes, no, on or off.
 *
 *     phicache_config *config;
 *     phicache_dict_cache *cache;
 *     if (phicache_config_new(&config) != PHICACHE_OK) return 1;
 *     phicache_config_set_maximum_memory_percent(config, 25.0);
 *     if (phicache_dict_cache_new(config, NULL, &cache) != PHICACHE_OK) return 1;
 *     phicache_config_free(config);  // the cache keeps its share
 *     use(cache);
 *     phicache_dict_cache_free(cache);
 */

/**
 * Makes a configuration of its own: the defaults, and what the environment says.
 *
 * @param out  The configuration, to be freed by `phicache_config_free`.
 */
PHICACHE_MUST_USE phicache_status phicache_config_new(phicache_config **out);

/**
 * Frees a configuration; caches made with it keep their share.
 *
 * @param config  [nullable] The configuration.
 */
phicache_status phicache_config_free(phicache_config *config);

/**
 * Sets the part of the memory that this process may use up to which caches store.
 *
 * @param config   [nullable] The configuration; NULL is the process default.
 * @param percent  0 to 100; 0 stores nothing. `PHICACHE_MEMORY_UNLIMITED` lifts the limit; the walls stay
 *                 (see "The library").
 */
phicache_status phicache_config_set_maximum_memory_percent(phicache_config *config, double percent);

/**
 * Tells the maximum memory.
 *
 * @param config       [nullable] The configuration; NULL is the process default.
 * @param out_percent  0 to 100, or `PHICACHE_MEMORY_UNLIMITED`.
 */
phicache_status phicache_config_get_maximum_memory_percent(phicache_config *config, double *out_percent);

/**
 * Switches repertoire caching: while off, methods flagged as repertoires go straight through.
 *
 * @param config   [nullable] The configuration; NULL is the process default.
 * @param enabled  Nonzero is on.
 */
phicache_status phicache_config_set_cache_repertoires(phicache_config *config, int32_t enabled);

/**
 * Tells whether repertoires are cached.
 *
 * @param config       [nullable] The configuration; NULL is the process default.
 * @param out_enabled  1 or 0.
 */
phicache_status phicache_config_get_cache_repertoires(phicache_config *config, int32_t *out_enabled);

/**
 * Switches purview caching: while off, purview caches store nothing.
 *
 * @param config   [nullable] The configuration; NULL is the process default.
 * @param enabled  Nonzero is on.
 */
phicache_status phicache_config_set_cache_potential_purviews(phicache_config *config, int32_t enabled);

/**
 * Tells whether potential purviews are cached.
 *
 * @param config       [nullable] The configuration; NULL is the process default.
 * @param out_enabled  1 or 0.
 */
phicache_status phicache_config_get_cache_potential_purviews(phicache_config *config, int32_t *out_enabled);

/**
 * Switches Redis for MICE caches that choose by configuration.
 *
 * @param config   [nullable] The configuration; NULL is the process default.
 * @param enabled  Nonzero is on.
 */
phicache_status phicache_config_set_redis_cache(phicache_config *config, int32_t enabled);

/**
 * Tells whether MICE are kept in Redis.
 *
 * @param config       [nullable] The configuration; NULL is the process default.
 * @param out_enabled  1 or 0.
 */
phicache_status phicache_config_get_redis_cache(phicache_config *config, int32_t *out_enabled);

/**
 * Sets where the Redis server is.
 *
 * | form | meaning |
 * |---|---|
 * | `redis://[user[:password]@]host[:port][/database]` | TCP |
 * | `rediss://…` | TLS over TCP |
 * | `redis://…@host:port,host:port,…` | the nodes of a cluster, or some of them |
 * | `unix://[user[:password]@]/path[?db=1]` | a unix socket |
 *
 * After a `?` may stand, joined by `&`: `db`, `user`, `pass`, `timeout_ms`, `cluster=yes`, and for TLS `ca`, `cert` and `key`
 * (files in PEM) and `verify=no`. Text may be percent-encoded.
 *
 * @param config  [nullable] The configuration; NULL is the process default.
 * @param url     The URL. Messages never repeat it.
 */
phicache_status phicache_config_set_redis_url(phicache_config *config,
                                              const char *url);

/**
 * Tells where the Redis server is, with the password masked.
 *
 * @param config    [nullable] The configuration; NULL is the process default.
 * @param buffer    [nullable] Where the text is written, with a NUL; may be NULL if `capacity` is 0.
 * @param capacity  Bytes of the buffer.
 * @param out_len   Bytes of the text without its NUL, also when it does not fit.
 */
phicache_status phicache_config_get_redis_url(phicache_config *config, char *buffer, size_t capacity, size_t *out_len);

/**
 * Sets what all keys of this library in Redis begin with.
 *
 * @param config  [nullable] The configuration; NULL is the process default.
 * @param name    1 to 64 of `A-Z a-z 0-9 _ . -`.
 */
phicache_status phicache_config_set_redis_namespace(phicache_config *config, const char *name);

/**
 * Tells the namespace.
 *
 * @param config    [nullable] The configuration; NULL is the process default.
 * @param buffer    [nullable] Where the text is written, with a NUL; may be NULL if `capacity` is 0.
 * @param capacity  Bytes of the buffer.
 * @param out_len   Bytes of the text without its NUL, also when it does not fit.
 */
phicache_status phicache_config_get_redis_namespace(phicache_config *config,
                                                    char *buffer,
                                                    size_t capacity,
                                                    size_t *out_len);

/**
 * Sets who logs in at the Redis server, in place of what the URL says.
 *
 * @param config    [nullable] The configuration; NULL is the process default.
 * @param user      [nullable] The user; NULL is that of the URL, or the server's default user.
 * @param password  [nullable] The password; NULL is that of the URL, or none. No message ever has it.
 */
phicache_status phicache_config_set_redis_login(phicache_config *config, const char *user, const char *password);

/**
 * Sets what one operation at the Redis server may take, from its beginning to its last byte, connecting and logging in
 * included. Only resolving a name may take longer.
 *
 * @param config        [nullable] The configuration; NULL is the process default.
 * @param milliseconds  1 to 3,600,000.
 */
phicache_status phicache_config_set_redis_timeout_ms(phicache_config *config, uint64_t milliseconds);

/**
 * Tells what one operation at the Redis server may take.
 *
 * @param config            [nullable] The configuration; NULL is the process default.
 * @param out_milliseconds  The milliseconds.
 */
phicache_status phicache_config_get_redis_timeout_ms(phicache_config *config, uint64_t *out_milliseconds);

/**
 * Lets caches in Redis have the whole database, as PyPhi's do, for caches that are made from now on.
 *
 * Keys are as they are given, `clear` is FLUSHDB and CONFIG RESETSTAT, `size` is DBSIZE, and hits and misses are the
 * server's own, whoever caused them. A MICE key has `subsys:`, the identity of subsystem and cut, and `:` before it; a
 * child asks for its own key first and then for its parent's, every time. No other program may use the database.
 *
 * @param config   [nullable] The configuration; NULL is the process default.
 * @param enabled  0 is off, the default: caches use the keys of the namespace and no others.
 */
phicache_status phicache_config_set_redis_whole_database(phicache_config *config, int32_t enabled);

/**
 * Tells whether caches in Redis have the whole database.
 *
 * @param config       [nullable] The configuration; NULL is the process default.
 * @param out_enabled  1 or 0.
 */
phicache_status phicache_config_get_redis_whole_database(phicache_config *config, int32_t *out_enabled);

/* Keys and fingerprints -----------------------------------------------------------------------------------------------
 *
 * Any bytes are a key, up to 2^31 - 1 of them. Keys made here follow the canonical encoding, version 1 (`docs/keys.md`),
 * so that C, C++ and Julia make the same bytes: no two different argument lists have the same key, equal ones have.
 * Untyped, `3`, `3.0` and, for 1, `true` are equal, as in Python; typed, they are not. A key builder is for one thread at
 * a time.
 *
 *     phicache_key *key;
 *     phicache_bytes bytes;
 *     if (phicache_key_new(&key) != PHICACHE_OK) return 1;
 *     phicache_key_add_int(key, 3);
 *     phicache_key_add_keyword(key, "scale");
 *     phicache_key_add_double(key, 0.5);
 *     if (phicache_key_bytes(key, 0, &bytes) == PHICACHE_OK) use(bytes);  // of f(3, scale=0.5)
 *     phicache_key_free(key);
 */

/**
 * Makes an empty argument list.
 *
 * @param out  The builder, to be freed by `phicache_key_free`.
 */
PHICACHE_MUST_USE phicache_status phicache_key_new(phicache_key **out);

/**
 * Frees a builder, and the keys it lent.
 *
 * @param key  [nullable] The builder.
 */
phicache_status phicache_key_free(phicache_key *key);

/**
 * Forgets the arguments and keeps the memory: a builder that is used again allocates nothing.
 *
 * @param key  The builder.
 */
phicache_status phicache_key_reset(phicache_key *key);

/**
 * Adds "none", the absent value.
 *
 * @param key  The builder.
 */
phicache_status phicache_key_add_none(phicache_key *key);

/**
 * Adds a truth value; untyped, it equals 0 or 1.
 *
 * @param key    The builder.
 * @param value  Nonzero is true.
 */
phicache_status phicache_key_add_bool(phicache_key *key, int32_t value);

/**
 * Adds a signed integer.
 *
 * @param key    The builder.
 * @param value  The integer.
 */
phicache_status phicache_key_add_int(phicache_key *key, int64_t value);

/**
 * Adds an unsigned integer; it equals the signed one of the same value.
 *
 * @param key    The builder.
 * @param value  The integer.
 */
phicache_status phicache_key_add_uint(phicache_key *key, uint64_t value);

/**
 * Adds a double. -0.0 equals 0.0, and all NaNs are one. Untyped, it equals the integer that it is exactly.
 *
 * @param key    The builder.
 * @param value  The double.
 */
phicache_status phicache_key_add_double(phicache_key *key, double value);

/**
 * Adds bytes.
 *
 * @param key    The builder.
 * @param value  The bytes.
 */
phicache_status phicache_key_add_bytes(phicache_key *key, phicache_bytes value);

/**
 * Adds text; it never equals bytes.
 *
 * @param key   The builder.
 * @param utf8  The text in UTF-8, which may hold NULs.
 */
phicache_status phicache_key_add_string(phicache_key *key, phicache_bytes utf8);

/**
 * Adds a direction.
 *
 * @param key        The builder.
 * @param direction  `PHICACHE_CAUSE`, `PHICACHE_EFFECT` or `PHICACHE_BIDIRECTIONAL`.
 */
phicache_status phicache_key_add_direction(phicache_key *key, int32_t direction);

/**
 * Adds a node set.
 *
 * @param key    The builder.
 * @param nodes  The set: bit k is node k.
 */
phicache_status phicache_key_add_nodes(phicache_key *key, uint64_t nodes);

/**
 * Begins a tuple: what is added until `phicache_key_end_tuple` are its items, in order. At most 64 deep.
 *
 * @param key  The builder.
 */
phicache_status phicache_key_begin_tuple(phicache_key *key);

/**
 * Ends the tuple.
 *
 * @param key  The builder.
 */
phicache_status phicache_key_end_tuple(phicache_key *key);

/**
 * Adds a tuple of doubles, such as a repertoire: what begin, the doubles one by one, and end make.
 *
 * @param key     The builder.
 * @param values  [nullable] The doubles; may be NULL if `count` is 0.
 * @param count   How many.
 */
phicache_status phicache_key_add_doubles(phicache_key *key, const double *values, size_t count);

/**
 * Begins a set: its items have no order, and equal ones count once.
 *
 * @param key  The builder.
 */
phicache_status phicache_key_begin_set(phicache_key *key);

/**
 * Ends the set.
 *
 * @param key  The builder.
 */
phicache_status phicache_key_end_set(phicache_key *key);

/**
 * Names the argument that is added next. Arguments with names come last, in any order, each name once.
 *
 * @param key   The builder.
 * @param name  The name.
 */
phicache_status phicache_key_add_keyword(phicache_key *key, const char *name);

/**
 * The key of the arguments so far.
 *
 * @param key    The builder.
 * @param typed  Nonzero: numbers of different types are different.
 * @param out    The key's bytes, lent until the builder is used again or freed.
 */
phicache_status phicache_key_bytes(phicache_key *key, int32_t typed, phicache_bytes *out);

/**
 * Writes the key (prefix, direction, mechanism, purview): what a builder makes of them, untyped, in a few nanoseconds.
 *
 * @param prefix     [nullable] The prefix; NULL is "none".
 * @param direction  `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
 * @param mechanism  The mechanism, as a node set.
 * @param purview    The purview, as a node set.
 * @param buffer     [nullable] Where the key is written; may be NULL if `capacity` is 0.
 * @param capacity   Bytes of the buffer; `PHICACHE_KEY_BUFFER` will do.
 * @param out_len    The key's length, also when it does not fit.
 */
phicache_status phicache_key_repertoire(const char *prefix,
                                        int32_t direction,
                                        uint64_t mechanism,
                                        uint64_t purview,
                                        uint8_t *buffer,
                                        size_t capacity,
                                        size_t *out_len);

/**
 * Writes the key (prefix, direction, mechanism, candidate purviews), that of PyPhi's `find_mice`.
 *
 * @param prefix     [nullable] The prefix; NULL is "none".
 * @param direction  `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
 * @param mechanism  The mechanism, as a node set.
 * @param purviews   [nullable] The candidates, in an order that matters; NULL with a count of 0 is no list, which is not
 *                   the same as an empty one.
 * @param count      How many.
 * @param buffer     [nullable] Where the key is written; may be NULL if `capacity` is 0.
 * @param capacity   Bytes of the buffer; `PHICACHE_KEY_BUFFER` and 9 more for each candidate will do.
 * @param out_len    The key's length, also when it does not fit.
 */
phicache_status phicache_key_mice(const char *prefix,
                                  int32_t direction,
                                  uint64_t mechanism,
                                  const uint64_t *purviews,
                                  size_t count,
                                  uint8_t *buffer,
                                  size_t capacity,
                                  size_t *out_len);

/**
 * The identity of a network, and of the way its results are computed.
 *
 * @param tpm          The transition probabilities, state by node: 2^nodes rows, the row of the state whose node k is
 *                     bit k of the row's number, and one column for each node. NaN is an error.
 * @param nodes        The number of nodes, 1 to 64 (and so few that the TPM can exist).
 * @param layout       `PHICACHE_ROW_MAJOR` or `PHICACHE_COLUMN_MAJOR`.
 * @param connections  For each node the set of nodes it is connected to.
 * @param context      How results are computed: algorithm, measure, settings, version of the payloads. Not empty: two
 *                     programs that compute differently must never read each other's values.
 * @param out          The fingerprint.
 */
phicache_status phicache_network_fingerprint(const double *tpm,
                                             size_t nodes,
                                             int32_t layout,
                                             const uint64_t *connections,
                                             phicache_bytes context,
                                             phicache_fingerprint *out);

/* Any cache -----------------------------------------------------------------------------------------------------------
 *
 * `phicache_cache` is what every cache can be seen as: the same handle under another type, from
 * `phicache_…_cache_as_cache`. All functions may be called from any thread at once. A cache is freed by its own type's
 * function only.
 *
 *     phicache_dict_cache *repertoires;
 *     phicache_cache *cache;
 *     phicache_info info;
 *     if (phicache_dict_cache_new(NULL, NULL, &repertoires) != PHICACHE_OK) return 1;
 *     phicache_dict_cache_as_cache(repertoires, &cache);
 *     if (phicache_cache_info(cache, &info) == PHICACHE_OK) use(info.hits, info.misses, info.size);
 *     phicache_dict_cache_free(repertoires);  // and with it the view
 */

/**
 * Looks a key up; counts a hit or a miss.
 *
 * @param cache  Any cache.
 * @param key    The key.
 * @param out    The value, pinned until `phicache_value_release`; zero on a miss.
 * @return OK or MISS.
 */
phicache_status phicache_cache_get(phicache_cache *cache, phicache_bytes key, phicache_value *out);

/**
 * Looks a key up and copies its value; counts a hit or a miss, and nothing when the buffer is too small.
 *
 * @param cache     Any cache.
 * @param key       The key.
 * @param buffer    [nullable] Where the value is copied to; may be NULL if `capacity` is 0.
 * @param capacity  Bytes of the buffer.
 * @param out_len   The value's length, also when it does not fit; 0 on a miss.
 * @return OK, MISS, or ERROR_BUFFER_TOO_SMALL.
 */
phicache_status phicache_cache_get_into(phicache_cache *cache,
                                        phicache_bytes key,
                                        uint8_t *buffer,
                                        size_t capacity,
                                        size_t *out_len);

/**
 * Tells whether a key has a value; counts nothing. OK, which says yes, is 0.
 *
 * @param cache  Any cache.
 * @param key    The key.
 * @return OK or MISS.
 */
phicache_status phicache_cache_contains(phicache_cache *cache, phicache_bytes key);

/**
 * Stores a copy of a value, over the one that the key may have. An empty value is a value.
 *
 * @param cache  Any cache.
 * @param key    The key.
 * @param value  The value.
 * @return OK, or why the value was refused: then the key keeps the value it had.
 */
phicache_status phicache_cache_set(phicache_cache *cache, phicache_bytes key, phicache_bytes value);

/**
 * Looks a key up, and on a miss lets `compute` write its value straight into a new entry.
 *
 * The value comes back also when it could not be stored: `out->origin` tells. Counts a hit or a miss.
 *
 * @param cache          Any cache.
 * @param key            The key.
 * @param compute        Computes the value.
 * @param user_data      [nullable] Handed to `compute`.
 * @param call_data      [nullable] Handed to `compute`.
 * @param out            The value, pinned until `phicache_value_release`.
 * @param callback_code  [nullable] What `compute` returned, whatever the status; 0 when it was not called.
 * @return OK; ERROR_CALLBACK when `compute` did not return 0; where its last reservation failed, the status of that. On an
 *         error nothing was stored.
 */
phicache_status phicache_cache_memoize(phicache_cache *cache,
                                       phicache_bytes key,
                                       phicache_compute compute,
                                       void *user_data,
                                       void *call_data,
                                       phicache_value *out,
                                       int32_t *callback_code);

/**
 * Takes a value out; its pins stay valid.
 *
 * @param cache  Any cache.
 * @param key    The key.
 * @return OK, or MISS when there was none.
 */
phicache_status phicache_cache_remove(phicache_cache *cache, phicache_bytes key);

/**
 * Takes all values out and sets the counts to zero; pins stay valid.
 *
 * @param cache  Any cache.
 */
phicache_status phicache_cache_clear(phicache_cache *cache);

/**
 * The number of values.
 *
 * @param cache     Any cache.
 * @param out_size  The number.
 */
phicache_status phicache_cache_size(phicache_cache *cache, uint64_t *out_size);

/**
 * Hits, misses and size.
 *
 * @param cache  Any cache.
 * @param out    The figures.
 */
phicache_status phicache_cache_info(phicache_cache *cache, phicache_info *out);

/**
 * All figures.
 *
 * @param cache  Any cache.
 * @param out    The figures; `struct_size` is set by the caller.
 */
phicache_status phicache_cache_stats(phicache_cache *cache, phicache_stats *out);

/**
 * The key of a call: the prefix, then the arguments, untyped. (PyPhi's `DictCache.key`.)
 *
 * @param cache   Any cache.
 * @param prefix  [nullable] The prefix; NULL is "none", which PyPhi's caches have too.
 * @param args    The arguments.
 * @param out     The key's bytes, lent until `args` is used again or freed.
 */
phicache_status phicache_cache_key(phicache_cache *cache, const char *prefix, phicache_key *args, phicache_bytes *out);

/* Reading in place, and many at once ----------------------------------------------------------------------------------
 *
 * A pinned value stays until it is released. Where values are only looked at, a read section is cheaper still: what
 * `phicache_cache_read` finds in it stays valid, in place, until the section ends, and nothing need be released.
 *
 *     phicache_read_begin();
 *     for (size_t i = 0; i < count; i++) {
 *         phicache_bytes value;
 *         if (phicache_cache_read(cache, keys[i], &value) == PHICACHE_OK) use(value);
 *     }
 *     phicache_read_end();
 *
 * A section belongs to its thread, and sections may stand inside each other. Keep them short: while one is open, no memory
 * that any thread lets go is given back. A thread that ends closes its sections.
 *
 * The batch functions fetch what they need for several keys at a time, which hides most of the time that memory takes to
 * answer: with many entries they are several times as fast as single lookups.
 */

/** Begins a read section of this thread. */
phicache_status phicache_read_begin(void);

/**
 * Ends the read section that this thread began last. What was read in the outermost is not valid any more.
 *
 * @return OK; ERROR_INVALID_ARGUMENT when this thread has begun none.
 */
phicache_status phicache_read_end(void);

/**
 * Looks a key up in a read section; counts a hit or a miss.
 *
 * @param cache  Any cache.
 * @param key    The key.
 * @param out    The value in place, at 16-byte alignment, valid until this thread's outermost read section ends; zero on
 *               a miss. The pointer of an empty value is not NULL.
 * @return OK or MISS; ERROR_INVALID_ARGUMENT outside a read section; ERROR_UNSUPPORTED for a cache whose values are at a
 *         server.
 */
phicache_status phicache_cache_read(phicache_cache *cache,
                                    phicache_bytes key,
                                    phicache_bytes *out);

/**
 * Looks many keys up in a read section; counts a hit or a miss for each that could be looked for.
 *
 * @param cache      Any cache.
 * @param keys       The keys.
 * @param count      The number of keys.
 * @param out        As many values, in place, valid until this thread's outermost read section ends, also on an error;
 *                   one that is missing is zero, and its pointer NULL.
 * @param out_found  [nullable] The number of values found, also on an error.
 * @return OK, whether all were found or none; ERROR_INVALID_ARGUMENT outside a read section; another error if one or more
 *         keys could not be looked for.
 */
phicache_status phicache_cache_read_many(phicache_cache *cache,
                                         const phicache_bytes *keys,
                                         size_t count,
                                         phicache_bytes *out,
                                         size_t *out_found);

/**
 * Looks many keys up; counts a hit or a miss for each. Where the call fails for some keys, it keeps what it has: values
 * that were found are handed out, and counted as hits; nothing else is counted.
 *
 * @param cache      Any cache.
 * @param keys       The keys.
 * @param count      The number of keys.
 * @param out        As many values, each pinned until `phicache_value_release`, also on an error; one that is missing is
 *                   zero, and its pointer NULL.
 * @param out_found  [nullable] The number of values found, also on an error.
 * @return OK, whether all were found or none; an error if one or more keys could not be asked for.
 */
phicache_status phicache_cache_get_many(phicache_cache *cache,
                                        const phicache_bytes *keys,
                                        size_t count,
                                        phicache_value *out,
                                        size_t *out_found);

/**
 * Stores copies of many values; in Redis in one round trip, of which a part may fail: a node of a cluster, or a server
 * that runs out of memory half-way. What a server gave no answer about it may have stored.
 *
 * @param cache         Any cache.
 * @param keys          The keys.
 * @param values        As many values.
 * @param count         The number of keys.
 * @param out_statuses  [nullable] As many statuses: of each key, what `phicache_cache_set` would answer for it. If the
 *                      call itself fails, because of its arguments or in the library, each is that call's status: never
 *                      is one OK that was not stored.
 * @return OK, also when some were refused; the first error, in the order of the keys, if there is one. The other keys are
 *         stored or not, as their statuses say.
 */
phicache_status phicache_cache_set_many(phicache_cache *cache,
                                        const phicache_bytes *keys,
                                        const phicache_bytes *values,
                                        size_t count,
                                        phicache_status *out_statuses);

/* Compute callbacks ---------------------------------------------------------------------------------------------------
 *
 * What is called on a miss, and the functions with which it writes its value, straight into the entry that will be stored.
 *
 *     int32_t repertoire(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
 *         uint8_t *bytes;
 *         double *probabilities;
 *         if (phicache_result_reserve(result, 2 * sizeof(double), &bytes) != PHICACHE_OK) return 1;
 *         probabilities = (double *)(void *)bytes;
 *         probabilities[0] = 0.25;
 *         probabilities[1] = 0.75;
 *         return 0;
 *     }
 */

/**
 * Reserves the value's bytes inside the entry and lends them for writing: zero-filled, at 16-byte alignment.
 *
 * Calling it again starts over; a callback that never calls it makes an empty value. Write before the callback
 * returns. If the last attempt to reserve fails, the call that computes fails with the same status, whatever the callback
 * returns: nothing is cached, and `callback_code` is what the callback returned.
 *
 * @param result  The callback's result.
 * @param len     The number of bytes.
 * @param out     The first byte.
 */
phicache_status phicache_result_reserve(phicache_result *result,
                                        size_t len,
                                        uint8_t **out);

/**
 * As `phicache_result_reserve`, but the bytes are not zeroed: faster where all of them are written.
 *
 * Each byte that is neither written nor cut off by `phicache_result_truncate` is stored with whatever the memory held
 * before, and handed to all who ask for the value, other processes included.
 *
 * @param result  The callback's result.
 * @param len     The number of bytes.
 * @param out     The first byte.
 */
phicache_status phicache_result_reserve_uninitialized(phicache_result *result, size_t len, uint8_t **out);

/**
 * Keeps the first `len` bytes of what was reserved; the rest will not be stored.
 *
 * @param result  The callback's result.
 * @param len     The number of bytes to keep, at most what was reserved.
 */
phicache_status phicache_result_truncate(phicache_result *result, size_t len);

/**
 * Makes the value a MICE record, as MICE caches keep them.
 *
 * The payload is copied from `mice`, or, where its `data` is NULL, reserved zero-filled with the given length for
 * writing. Calling it again starts over; if the last attempt fails, the call that computes fails with the same status, as
 * after `phicache_result_reserve`.
 *
 * @param result       The callback's result.
 * @param mice         The MICE.
 * @param out_payload  [nullable] The payload's first byte inside the entry, to be written before the callback returns.
 */
phicache_status phicache_result_mice(phicache_result *result,
                                     const phicache_mice *mice,
                                     uint8_t **out_payload);

/* Dict cache ----------------------------------------------------------------------------------------------------------
 *
 * PyPhi's `DictCache`: values by keys, both bytes, as long as the memory limit allows. All functions may be called from
 * any thread at once.
 *
 *     phicache_dict_cache *cache;
 *     phicache_value value;
 *     double phi = 0.25;
 *     phicache_bytes key = { (const uint8_t *)"phi", 3 }, bytes = { (const uint8_t *)&phi, sizeof phi };
 *     if (phicache_dict_cache_new(NULL, NULL, &cache) != PHICACHE_OK) return 1;
 *     if (phicache_dict_cache_set(cache, key, bytes) == PHICACHE_REFUSED_MEMORY) puts("no room; computing goes on");
 *     if (phicache_dict_cache_get(cache, key, &value) == PHICACHE_OK) {
 *         use(value.data, value.len);
 *         phicache_value_release(&value);
 *     }
 *     phicache_dict_cache_free(cache);
 */

/**
 * Makes an empty cache.
 *
 * @param config   [nullable] The configuration; NULL is the process default.
 * @param options  [nullable] Name and limit; NULL is neither.
 * @param out      The cache, to be freed by `phicache_dict_cache_free`.
 */
PHICACHE_MUST_USE
phicache_status phicache_dict_cache_new(phicache_config *config,
                                        const phicache_cache_options *options,
                                        phicache_dict_cache **out);

/**
 * A handle to the cache that all holders of an identity and a role share; the first one makes it, the last one to free
 * its handle takes it along.
 *
 * @param config       [nullable] The configuration; NULL is the process default. Holders agree on it.
 * @param options      [nullable] Name and limit; NULL is neither. Holders agree on them.
 * @param fingerprint  The identity, as of a network or a subsystem.
 * @param role         What the values are, such as "repertoires".
 * @param out          The holder's own handle, to be freed by `phicache_dict_cache_free`.
 */
PHICACHE_MUST_USE
phicache_status phicache_dict_cache_shared(phicache_config *config,
                                           const phicache_cache_options *options,
                                           const phicache_fingerprint *fingerprint,
                                           const char *role,
                                           phicache_dict_cache **out);

/**
 * Frees a cache. Pins stay valid, and so do memos that work on it.
 *
 * @param cache  [nullable] The cache.
 */
phicache_status phicache_dict_cache_free(phicache_dict_cache *cache);

/**
 * Looks a key up; counts a hit or a miss.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @param out    The value, pinned until `phicache_value_release`; zero on a miss.
 * @return OK or MISS.
 */
phicache_status phicache_dict_cache_get(phicache_dict_cache *cache, phicache_bytes key, phicache_value *out);

/**
 * Looks a key up and copies its value; counts a hit or a miss, and nothing when the buffer is too small.
 *
 * @param cache     The cache.
 * @param key       The key.
 * @param buffer    [nullable] Where the value is copied to; may be NULL if `capacity` is 0.
 * @param capacity  Bytes of the buffer.
 * @param out_len   The value's length, also when it does not fit; 0 on a miss.
 * @return OK, MISS, or ERROR_BUFFER_TOO_SMALL.
 */
phicache_status phicache_dict_cache_get_into(phicache_dict_cache *cache,
                                             phicache_bytes key,
                                             uint8_t *buffer,
                                             size_t capacity,
                                             size_t *out_len);

/**
 * Tells whether a key has a value; counts nothing. OK, which says yes, is 0.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @return OK or MISS.
 */
phicache_status phicache_dict_cache_contains(phicache_dict_cache *cache, phicache_bytes key);

/**
 * Stores a copy of a value, over the one that the key may have. An empty value is a value.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @param value  The value.
 * @return OK, or why the value was refused: then the key keeps the value it had.
 */
phicache_status phicache_dict_cache_set(phicache_dict_cache *cache, phicache_bytes key, phicache_bytes value);

/**
 * Looks a key up, and on a miss lets `compute` write its value straight into a new entry.
 *
 * The value comes back also when it could not be stored: `out->origin` tells. Counts a hit or a miss.
 *
 * @param cache          The cache.
 * @param key            The key.
 * @param compute        Computes the value.
 * @param user_data      [nullable] Handed to `compute`.
 * @param call_data      [nullable] Handed to `compute`.
 * @param out            The value, pinned until `phicache_value_release`.
 * @param callback_code  [nullable] What `compute` returned, whatever the status; 0 when it was not called.
 * @return OK; ERROR_CALLBACK when `compute` did not return 0; where its last reservation failed, the status of that. On an
 *         error nothing was stored.
 */
phicache_status phicache_dict_cache_memoize(phicache_dict_cache *cache,
                                            phicache_bytes key,
                                            phicache_compute compute,
                                            void *user_data,
                                            void *call_data,
                                            phicache_value *out,
                                            int32_t *callback_code);

/**
 * Takes a value out; its pins stay valid.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @return OK, or MISS when there was none.
 */
phicache_status phicache_dict_cache_remove(phicache_dict_cache *cache, phicache_bytes key);

/**
 * Takes all values out and sets the counts to zero; pins stay valid.
 *
 * @param cache  The cache.
 */
phicache_status phicache_dict_cache_clear(phicache_dict_cache *cache);

/**
 * The number of values.
 *
 * @param cache     The cache.
 * @param out_size  The number.
 */
phicache_status phicache_dict_cache_size(phicache_dict_cache *cache, uint64_t *out_size);

/**
 * Hits, misses and size.
 *
 * @param cache  The cache.
 * @param out    The figures.
 */
phicache_status phicache_dict_cache_info(phicache_dict_cache *cache, phicache_info *out);

/**
 * All figures.
 *
 * @param cache  The cache.
 * @param out    The figures; `struct_size` is set by the caller.
 */
phicache_status phicache_dict_cache_stats(phicache_dict_cache *cache, phicache_stats *out);

/**
 * The key of a call: the prefix, then the arguments, untyped. (PyPhi's `DictCache.key`.)
 *
 * @param cache   The cache.
 * @param prefix  [nullable] The prefix; NULL is "none", which PyPhi's caches have too.
 * @param args    The arguments.
 * @param out     The key's bytes, lent until `args` is used again or freed.
 */
phicache_status phicache_dict_cache_key(phicache_dict_cache *cache,
                                        const char *prefix,
                                        phicache_key *args,
                                        phicache_bytes *out);

/**
 * The cache as what memos and methods work on. No new ownership: the view lives as long as the cache.
 *
 * @param cache  The cache.
 * @param out    The view.
 */
phicache_status phicache_dict_cache_as_cache(phicache_dict_cache *cache, phicache_cache **out);

/* Redis cache ---------------------------------------------------------------------------------------------------------
 *
 * PyPhi's `RedisCache`: values by keys, both bytes, at the configuration's Redis or Valkey server or cluster, for all
 * processes that use the same namespace there. All functions may be called from any thread at once. After `fork`, parent
 * and child may both go on; the child opens its own connections. There are no background threads, and no signals.
 *
 * In a namespace, the default, only keys of that namespace are counted and removed, in small steps that never hold the
 * server up; `docs/redis.md` says what they are called. Hits and misses are the handle's own. A cache of
 * `phicache_redis_cache_new` counts and clears the whole namespace, MICE included, as PyPhi's does; one of
 * `phicache_redis_cache_shared` only the values of its system and role. What versions before 0.2 stored is neither read nor
 * touched.
 *
 * Values in a namespace have a checksum that ties them to their keys: what is damaged, was stored by another program or
 * belongs to another key is a miss, counted in `damaged` of the statistics, and never a value. With `options.no_checksum`
 * values are stored as they are; caches with it and without do not see each other's values.
 *
 * Nothing takes longer than the timeout of the configuration (a batch over a cluster: an eighth more); `clear`, `size`,
 * `info` and `stats`, which consist of many operations, end after `options.scan_timeout_ms`, at most one operation later. A
 * server that cannot be reached, is silent, or talks nonsense costs one timeout; then it is left alone, for times that
 * double from a tenth of a second to ten, so that a dead server costs next to nothing. With `options.server_errors` that is
 * ERROR_REDIS; without, the default, a lookup is a miss, a store is REFUSED_SERVER, a size is 0, and
 * `phicache_cache_redis_health` tells. A removal that fails is always an error: what was to go could come back as a wrong
 * value. A value that is computed is never lost, whatever the server does.
 *
 * With `options.lease_ms`, of all processes that miss a key one computes, and `memoize` in the others waits. A process that
 * dies delays them for that time at most; what comes later than that is not stored (REFUSED_CLEARED).
 *
 * Of a batch a part may fail, if a node of a cluster is dead or a server runs out of memory half-way: each key's status is
 * its own, and what was found is handed out.
 *
 * Values, with their checksum, are at most 512 MB long; one that is longer than `options.max_bytes` is not fetched. In a
 * cluster, the keys of one subsystem are on one node. What follows finds its value at the server or computes it, also when
 * the server is down:
 *
 *     phicache_config *config;
 *     phicache_redis_cache *cache;
 *     if (phicache_config_new(&config) != PHICACHE_OK) return 1;
 *     phicache_config_set_redis_url(config, "redis://127.0.0.1:6379/0?timeout_ms=200");
 *     if (phicache_redis_cache_new(config, NULL, &cache) == PHICACHE_OK) {
 *         phicache_value value;
 *         if (phicache_redis_cache_memoize(cache, key, compute, NULL, NULL, &value, NULL) == PHICACHE_OK) {
 *             use(value.data, value.len);
 *             phicache_value_release(&value);
 *         }
 *         phicache_redis_cache_free(cache);
 *     }
 *     phicache_config_free(config);
 */

/**
 * Makes a cache at the configuration's server. Connects to nothing yet.
 *
 * @param config   [nullable] The configuration; NULL is the process default.
 * @param options  [nullable] Name, limits, and how the server is used; NULL is the default of all.
 * @param out      The cache, to be freed by `phicache_redis_cache_free`.
 * @return OK; ERROR_UNSUPPORTED where the library was built without Redis.
 */
PHICACHE_MUST_USE
phicache_status phicache_redis_cache_new(phicache_config *config,
                                         const phicache_cache_options *options,
                                         phicache_redis_cache **out);

/**
 * Makes a cache of the values of one role of a system: of all caches of the namespace, those see them that were made for the
 * same identity and role. Clearing and counting stay within these.
 *
 * @param config       [nullable] The configuration; NULL is the process default.
 * @param options      [nullable] Name, limits, and how the server is used; NULL is the default of all.
 * @param fingerprint  The identity, as of a network or a subsystem.
 * @param role         What the values are, such as "repertoires".
 * @param out          The cache, to be freed by `phicache_redis_cache_free`.
 * @return OK; ERROR_UNSUPPORTED where the library was built without Redis.
 */
PHICACHE_MUST_USE
phicache_status phicache_redis_cache_shared(phicache_config *config,
                                            const phicache_cache_options *options,
                                            const phicache_fingerprint *fingerprint,
                                            const char *role,
                                            phicache_redis_cache **out);

/**
 * Tells whether the configuration's server answers: asks it, whatever it did before. Of a cluster, all nodes have to
 * answer. (PyPhi's `redis_available`.)
 *
 * @param config         [nullable] The configuration; NULL is the process default.
 * @param timeout_ms     How long that may take; 0 is the configuration's timeout.
 * @param out_available  1 or 0; 0 also where the library was built without Redis.
 */
phicache_status phicache_redis_available(phicache_config *config, uint64_t timeout_ms, int32_t *out_available);

/**
 * As `phicache_redis_available`, with a message that says why not.
 *
 * @param config      [nullable] The configuration; NULL is the process default.
 * @param timeout_ms  How long that may take; 0 is the configuration's timeout.
 * @return OK; ERROR_REDIS; ERROR_UNSUPPORTED where the library was built without Redis.
 */
phicache_status phicache_redis_ping(phicache_config *config, uint64_t timeout_ms);

/**
 * Tells how the server of a cache is doing, as all caches see it that were made with the same connection settings. Asks
 * nothing.
 *
 * @param cache  A cache in Redis, as any cache.
 * @param out    The figures; `struct_size` is set by the caller.
 * @return OK; ERROR_INVALID_HANDLE for a cache that is not in Redis.
 */
phicache_status phicache_cache_redis_health(phicache_cache *cache, phicache_redis_health *out);

/**
 * Frees a cache. Pins stay valid, and so do memos that work on it.
 *
 * @param cache  [nullable] The cache.
 */
phicache_status phicache_redis_cache_free(phicache_redis_cache *cache);

/**
 * Looks a key up; counts a hit or a miss.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @param out    The value, pinned until `phicache_value_release`; zero on a miss.
 * @return OK or MISS.
 */
phicache_status phicache_redis_cache_get(phicache_redis_cache *cache, phicache_bytes key, phicache_value *out);

/**
 * Looks a key up and copies its value; counts a hit or a miss, and nothing when the buffer is too small.
 *
 * @param cache     The cache.
 * @param key       The key.
 * @param buffer    [nullable] Where the value is copied to; may be NULL if `capacity` is 0.
 * @param capacity  Bytes of the buffer.
 * @param out_len   The value's length, also when it does not fit; 0 on a miss.
 * @return OK, MISS, or ERROR_BUFFER_TOO_SMALL.
 */
phicache_status phicache_redis_cache_get_into(phicache_redis_cache *cache,
                                              phicache_bytes key,
                                              uint8_t *buffer,
                                              size_t capacity,
                                              size_t *out_len);

/**
 * Tells whether a key has a value; counts nothing. OK, which says yes, is 0.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @return OK or MISS.
 */
phicache_status phicache_redis_cache_contains(phicache_redis_cache *cache, phicache_bytes key);

/**
 * Stores a copy of a value, over the one that the key may have. An empty value is a value.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @param value  The value.
 * @return OK, or why the value was refused: then the key keeps the value it had.
 */
phicache_status phicache_redis_cache_set(phicache_redis_cache *cache, phicache_bytes key, phicache_bytes value);

/**
 * Looks a key up, and on a miss lets `compute` write its value straight into a new entry.
 *
 * The value comes back also when it could not be stored: `out->origin` tells. Counts a hit or a miss.
 *
 * @param cache          The cache.
 * @param key            The key.
 * @param compute        Computes the value.
 * @param user_data      [nullable] Handed to `compute`.
 * @param call_data      [nullable] Handed to `compute`.
 * @param out            The value, pinned until `phicache_value_release`.
 * @param callback_code  [nullable] What `compute` returned, whatever the status; 0 when it was not called.
 * @return OK; ERROR_CALLBACK when `compute` did not return 0; where its last reservation failed, the status of that. On an
 *         error nothing was stored.
 */
phicache_status phicache_redis_cache_memoize(phicache_redis_cache *cache,
                                             phicache_bytes key,
                                             phicache_compute compute,
                                             void *user_data,
                                             void *call_data,
                                             phicache_value *out,
                                             int32_t *callback_code);

/**
 * Takes a value out; its pins stay valid.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @return OK, or MISS when there was none.
 */
phicache_status phicache_redis_cache_remove(phicache_redis_cache *cache, phicache_bytes key);

/**
 * Takes all values out and sets the counts to zero; pins stay valid.
 *
 * @param cache  The cache.
 */
phicache_status phicache_redis_cache_clear(phicache_redis_cache *cache);

/**
 * The number of values.
 *
 * @param cache     The cache.
 * @param out_size  The number.
 */
phicache_status phicache_redis_cache_size(phicache_redis_cache *cache, uint64_t *out_size);

/**
 * Hits, misses and size.
 *
 * @param cache  The cache.
 * @param out    The figures.
 */
phicache_status phicache_redis_cache_info(phicache_redis_cache *cache, phicache_info *out);

/**
 * All figures.
 *
 * @param cache  The cache.
 * @param out    The figures; `struct_size` is set by the caller.
 */
phicache_status phicache_redis_cache_stats(phicache_redis_cache *cache, phicache_stats *out);

/**
 * The key of a call: the prefix, then the arguments, untyped. (PyPhi's `DictCache.key`.)
 *
 * @param cache   The cache.
 * @param prefix  [nullable] The prefix; NULL is "none", which PyPhi's caches have too.
 * @param args    The arguments.
 * @param out     The key's bytes, lent until `args` is used again or freed.
 */
phicache_status phicache_redis_cache_key(phicache_redis_cache *cache,
                                         const char *prefix,
                                         phicache_key *args,
                                         phicache_bytes *out);

/**
 * The cache as what memos and methods work on. No new ownership: the view lives as long as the cache.
 *
 * @param cache  The cache.
 * @param out    The view.
 */
phicache_status phicache_redis_cache_as_cache(phicache_redis_cache *cache, phicache_cache **out);

/* Purview cache -------------------------------------------------------------------------------------------------------
 *
 * PyPhi's `PurviewCache`: for a direction and a mechanism of a network, the list of purviews that come into question, as
 * node sets in an order that is kept. It stores only while purview caching is on. All functions may be called from any
 * thread at once.
 *
 *     phicache_purview_cache *cache;
 *     const uint64_t candidates[] = { 0x1, 0x3 }, *purviews;
 *     size_t count;
 *     phicache_value value;
 *     if (phicache_purview_cache_new(NULL, NULL, &cache) != PHICACHE_OK) return 1;
 *     phicache_purview_cache_set(cache, PHICACHE_CAUSE, 0x5, candidates, 2);
 *     if (phicache_purview_cache_get(cache, PHICACHE_CAUSE, 0x5, &purviews, &count, &value) == PHICACHE_OK) {
 *         use(purviews, count);
 *         phicache_value_release(&value);
 *     }
 *     phicache_purview_cache_free(cache);
 */

/**
 * Makes an empty cache.
 *
 * @param config   [nullable] The configuration; NULL is the process default.
 * @param options  [nullable] Name and limit; NULL is neither.
 * @param out      The cache, to be freed by `phicache_purview_cache_free`.
 */
PHICACHE_MUST_USE
phicache_status phicache_purview_cache_new(phicache_config *config,
                                           const phicache_cache_options *options,
                                           phicache_purview_cache **out);

/**
 * Frees a cache. Pins stay valid.
 *
 * @param cache  [nullable] The cache.
 */
phicache_status phicache_purview_cache_free(phicache_purview_cache *cache);

/**
 * Looks the purviews of a mechanism up; counts a hit or a miss.
 *
 * @param cache         The cache.
 * @param direction     `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
 * @param mechanism     The mechanism, as a node set.
 * @param out_purviews  The purviews, valid until `out` is released; NULL on a miss.
 * @param out_count     How many.
 * @param out           What keeps them: release it by `phicache_value_release`.
 * @return OK or MISS.
 */
phicache_status phicache_purview_cache_get(phicache_purview_cache *cache,
                                           int32_t direction,
                                           uint64_t mechanism,
                                           const uint64_t **out_purviews,
                                           size_t *out_count,
                                           phicache_value *out);

/**
 * Stores a copy of the purviews of a mechanism, if purview caching is on.
 *
 * @param cache      The cache.
 * @param direction  `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
 * @param mechanism  The mechanism, as a node set.
 * @param purviews   [nullable] The purviews; may be NULL if `count` is 0: an empty list is a value.
 * @param count      How many.
 * @return OK, or why the value was refused: then the mechanism keeps the purviews it had.
 */
phicache_status phicache_purview_cache_set(phicache_purview_cache *cache,
                                           int32_t direction,
                                           uint64_t mechanism,
                                           const uint64_t *purviews,
                                           size_t count);

/**
 * Looks the purviews of a mechanism up, and on a miss lets `compute` write them: `uint64_t` masks, one after the other.
 *
 * @param cache          The cache.
 * @param direction      `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
 * @param mechanism      The mechanism, as a node set.
 * @param compute        Computes the purviews; a number of bytes that is no multiple of 8 is an error.
 * @param user_data      [nullable] Handed to `compute`.
 * @param call_data      [nullable] Handed to `compute`.
 * @param out_purviews   The purviews, valid until `out` is released.
 * @param out_count      How many.
 * @param out            What keeps them: release it by `phicache_value_release`.
 * @param callback_code  [nullable] What `compute` returned, whatever the status; 0 when it was not called.
 * @return OK; ERROR_CALLBACK when `compute` did not return 0; where its last reservation failed, the status of that. On an
 *         error nothing was stored.
 */
phicache_status phicache_purview_cache_memoize(phicache_purview_cache *cache,
                                               int32_t direction,
                                               uint64_t mechanism,
                                               phicache_compute compute,
                                               void *user_data,
                                               void *call_data,
                                               const uint64_t **out_purviews,
                                               size_t *out_count,
                                               phicache_value *out,
                                               int32_t *callback_code);

/**
 * Takes all values out and sets the counts to zero; pins stay valid.
 *
 * @param cache  The cache.
 */
phicache_status phicache_purview_cache_clear(phicache_purview_cache *cache);

/**
 * The number of values.
 *
 * @param cache     The cache.
 * @param out_size  The number.
 */
phicache_status phicache_purview_cache_size(phicache_purview_cache *cache, uint64_t *out_size);

/**
 * Hits, misses and size.
 *
 * @param cache  The cache.
 * @param out    The figures.
 */
phicache_status phicache_purview_cache_info(phicache_purview_cache *cache, phicache_info *out);

/**
 * All figures.
 *
 * @param cache  The cache.
 * @param out    The figures; `struct_size` is set by the caller.
 */
phicache_status phicache_purview_cache_stats(phicache_purview_cache *cache, phicache_stats *out);

/**
 * The cache as what memos and methods work on. No new ownership: the view lives as long as the cache.
 *
 * @param cache  The cache.
 * @param out    The view.
 */
phicache_status phicache_purview_cache_as_cache(phicache_purview_cache *cache, phicache_cache **out);

/* Memo and method -----------------------------------------------------------------------------------------------------
 *
 * A memo is PyPhi's `cache` decorator: a function with its cache. A method is PyPhi's `method` decorator: a function
 * that keeps its values in the cache of whatever object it is called on. Both may be called from any thread at once;
 * the arguments are for one thread at a time.
 *
 * A function may call its own memo for other arguments, 20,000 deep on a stack of 8 MiB: a level takes at most 256 bytes of
 * the library's, beside the function's own frame. `memoize` and methods nest as deep.
 *
 *     phicache_memo *entropy;
 *     phicache_key *arguments;
 *     phicache_value value;
 *     double p[] = { 0.25, 0.75 };
 *     if (phicache_memo_new(NULL, compute, NULL, NULL, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL, &entropy) != PHICACHE_OK ||
 *         phicache_key_new(&arguments) != PHICACHE_OK) return 1;
 *     phicache_key_add_doubles(arguments, p, 2);
 *     if (phicache_memo_call(entropy, arguments, p, &value, NULL) == PHICACHE_OK) {  // compute gets p as its call_data
 *         use(value.data, value.len);
 *         phicache_value_release(&value);
 *     }
 *     phicache_key_free(arguments);
 *     phicache_memo_free(entropy);
 */

/** A method that goes straight through while repertoire caching is off in its cache's configuration. */
#define PHICACHE_METHOD_REPERTOIRE 1

/**
 * Makes a memo.
 *
 * @param config                  [nullable] The configuration; NULL is the process default.
 * @param compute                 Computes a value of the function.
 * @param user_data               [nullable] Handed to `compute` at every call.
 * @param drop                    [nullable] Frees `user_data`: called once, after the last call has ended, also when
 *                                this call fails.
 * @param maximum_memory_percent  0 to 100, beside what the configuration says of a caller's cache; 0 stores nothing.
 *                                `PHICACHE_MEMORY_UNLIMITED`, or `PHICACHE_MEMORY_CONFIGURED`.
 * @param typed                   Nonzero: numbers of different types are different arguments.
 * @param cache                   [nullable] The cache to work on, which may be freed afterwards; NULL makes a private
 *                                dict cache.
 * @param prefix                  [nullable] Keeps the values of several memos on one cache apart; two memos with one
 *                                prefix on one cache are an error.
 * @param out                     The memo, to be freed by `phicache_memo_free`.
 */
PHICACHE_MUST_USE
phicache_status phicache_memo_new(phicache_config *config,
                                  phicache_compute compute,
                                  void *user_data,
                                  phicache_drop drop,
                                  double maximum_memory_percent,
                                  int32_t typed,
                                  phicache_cache *cache,
                                  const char *prefix,
                                  phicache_memo **out);

/**
 * Frees a memo, and its cache if that is private. Pins stay valid.
 *
 * @param memo  [nullable] The memo.
 */
phicache_status phicache_memo_free(phicache_memo *memo);

/**
 * The function's value for these arguments, computed on a miss.
 *
 * @param memo           The memo.
 * @param args           The arguments.
 * @param call_data      [nullable] Handed to the function, such as the unpacked arguments.
 * @param out            The value, pinned until `phicache_value_release`; `out->origin` tells where it came from.
 * @param callback_code  [nullable] What the function returned, whatever the status; 0 when it was not called.
 * @return OK; ERROR_CALLBACK when the function did not return 0; where its last reservation failed, the status of that. On
 *         an error nothing was stored.
 */
phicache_status phicache_memo_call(phicache_memo *memo,
                                   phicache_key *args,
                                   void *call_data,
                                   phicache_value *out,
                                   int32_t *callback_code);

/**
 * The memo's own hits and misses, and its cache's size.
 *
 * @param memo  The memo.
 * @param out   The figures.
 */
phicache_status phicache_memo_info(phicache_memo *memo, phicache_info *out);

/**
 * Clears the memo's cache, whoever else uses it, and sets the memo's counts to zero.
 *
 * @param memo  The memo.
 */
phicache_status phicache_memo_clear(phicache_memo *memo);

/**
 * The bare function and its user data, to call it without the cache.
 *
 * @param memo           The memo.
 * @param out_compute    The function.
 * @param out_user_data  Its user data, which lives as long as the memo.
 */
phicache_status phicache_memo_wrapped(phicache_memo *memo, phicache_compute *out_compute, void **out_user_data);

/**
 * Binds a function to a prefix, under which objects' caches keep its values.
 *
 * @param prefix     [nullable] Stands in front of the arguments in the key; NULL is "none".
 * @param flags      0, or `PHICACHE_METHOD_REPERTOIRE`.
 * @param compute    Computes a value of the function; its `call_data` is the object.
 * @param user_data  [nullable] Handed to `compute` at every call.
 * @param drop       [nullable] Frees `user_data`: called once, after the last call has ended, also when this call fails.
 * @param out        The method, to be freed by `phicache_method_free`.
 */
PHICACHE_MUST_USE
phicache_status phicache_method_new(const char *prefix,
                                    uint32_t flags,
                                    phicache_compute compute,
                                    void *user_data,
                                    phicache_drop drop,
                                    phicache_method **out);

/**
 * Frees a method; the caches keep its values.
 *
 * @param method  [nullable] The method.
 */
phicache_status phicache_method_free(phicache_method *method);

/**
 * The method's value for an object and arguments, from the object's cache or computed.
 *
 * The key is that of `phicache_cache_key` for the method's prefix and the arguments. Straight through, nothing is looked
 * up, stored or counted, and `out->origin` says NOT_STORED and REFUSED_DISABLED.
 *
 * @param method         The method.
 * @param cache          The object's cache.
 * @param object         [nullable] The object: handed to the function as its `call_data`.
 * @param args           The arguments.
 * @param out            The value, pinned until `phicache_value_release`; `out->origin` tells where it came from.
 * @param callback_code  [nullable] What the function returned, whatever the status; 0 when it was not called.
 * @return OK; ERROR_CALLBACK when the function did not return 0; where its last reservation failed, the status of that. On
 *         an error nothing was stored.
 */
phicache_status phicache_method_call(phicache_method *method,
                                     phicache_cache *cache,
                                     void *object,
                                     phicache_key *args,
                                     phicache_value *out,
                                     int32_t *callback_code);

/* Subsystems and cuts -------------------------------------------------------------------------------------------------
 *
 * A cut is an array of one node set per node of the network: bit j of `severed[i]` says that the connection from node i to
 * node j is severed. NULL is no cut; a cut that severs nothing is still a cut. Networks have up to 64 nodes.
 *
 * A subsystem is the identity of an uncut system (network and context, state, nodes) and a cut, or none. It never changes
 * and may be used from any thread at once.
 *
 *     const double tpm[] = { 0, 0,  0, 1,  1, 0,  1, 1 };  // each of two nodes takes the other's state
 *     const uint64_t connections[] = { 0x2, 0x1 };
 *     const int32_t state[] = { 1, 0 };
 *     phicache_bytes context = { (const uint8_t *)"L1, payload 1", 13 };
 *     phicache_fingerprint network;
 *     phicache_subsystem *uncut, *cut;
 *     uint64_t severed[2];
 *     uint8_t key[PHICACHE_KEY_BUFFER];
 *     size_t len;
 *     if (phicache_network_fingerprint(tpm, 2, PHICACHE_ROW_MAJOR, connections, context, &network) != PHICACHE_OK ||
 *         phicache_subsystem_new(&network, 2, state, 0x3, connections, NULL, &uncut) != PHICACHE_OK ||
 *         phicache_cut_bipartition(2, 0x1, 0x2, severed) != PHICACHE_OK ||  // from node 0 to node 1
 *         phicache_subsystem_cut(uncut, severed, &cut) != PHICACHE_OK) return 1;
 *     if (phicache_subsystem_key(cut, "repertoire", PHICACHE_CAUSE, 0x2, 0x1, key, sizeof key, &len) == PHICACHE_OK)
 *         use(key, len);  // with the severed connection; the effect's key would be the uncut system's
 *     phicache_subsystem_free(cut);
 *     phicache_subsystem_free(uncut);
 */

/**
 * Makes the cut that severs all connections from one part to another.
 *
 * @param size         Nodes of the network, 1 to 64.
 * @param from         Where the connections start, as a node set.
 * @param to           Where they end, as a node set; it shares no node with `from`.
 * @param out_severed  `size` node sets.
 */
phicache_status phicache_cut_bipartition(size_t size, uint64_t from, uint64_t to, uint64_t *out_severed);

/**
 * Makes the cut of a matrix whose entry at row i and column j is not 0 where the connection from i to j is severed.
 *
 * @param size         Nodes of the network, 1 to 64.
 * @param matrix       `size` x `size` entries.
 * @param layout       `PHICACHE_ROW_MAJOR` or `PHICACHE_COLUMN_MAJOR`.
 * @param out_severed  `size` node sets.
 */
phicache_status phicache_cut_matrix(size_t size, const uint8_t *matrix, int32_t layout, uint64_t *out_severed);

/**
 * Makes the cut of a K-partition (PyPhi's `KCut`): in each part, the nodes where connections start (the purview for a
 * cause, the mechanism for an effect) are severed from all nodes of the partition where the part's own do not end.
 *
 * @param size         Nodes of the network, 1 to 64.
 * @param direction    `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
 * @param mechanisms   The mechanism of each part, as a node set.
 * @param purviews     The purview of each part, as a node set.
 * @param parts        How many parts, 1 or more.
 * @param out_severed  `size` node sets.
 */
phicache_status phicache_cut_partition(size_t size,
                                       int32_t direction,
                                       const uint64_t *mechanisms,
                                       const uint64_t *purviews,
                                       size_t parts,
                                       uint64_t *out_severed);

/**
 * Tells whether a cut damages the MICE of a mechanism over a purview: whether it severs a connection within the
 * mechanism, or one from purview to mechanism (cause) or from mechanism to purview (effect).
 *
 * @param size         Nodes of the network, 1 to 64.
 * @param severed      [nullable] The cut, `size` node sets; NULL is no cut, which damages nothing.
 * @param direction    `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
 * @param mechanism    The mechanism, as a node set.
 * @param purview      The purview, as a node set.
 * @param out_damaged  1 or 0.
 */
phicache_status phicache_cut_damages(size_t size,
                                     const uint64_t *severed,
                                     int32_t direction,
                                     uint64_t mechanism,
                                     uint64_t purview,
                                     int32_t *out_damaged);

/**
 * Makes a subsystem.
 *
 * @param network      The network's fingerprint, in which the context is.
 * @param size         Nodes of the network, 1 to 64.
 * @param state        The state of each node of the network, not negative.
 * @param nodes        The nodes of the subsystem, as a node set; not empty.
 * @param connections  [nullable] For each node of the network the set of nodes it is connected to. With them,
 *                     `phicache_subsystem_key` leaves out severed connections that never existed; damage by a cut does
 *                     not look at them. NULL: all nodes are connected.
 * @param severed      [nullable] The cut, `size` node sets; NULL is no cut.
 * @param out          The subsystem, to be freed by `phicache_subsystem_free`.
 */
PHICACHE_MUST_USE
phicache_status phicache_subsystem_new(const phicache_fingerprint *network,
                                       size_t size,
                                       const int32_t *state,
                                       uint64_t nodes,
                                       const uint64_t *connections,
                                       const uint64_t *severed,
                                       phicache_subsystem **out);

/**
 * Makes the same system under another cut, or uncut.
 *
 * @param subsystem  The subsystem; its own cut does not matter.
 * @param severed    [nullable] The cut, one node set for each node of the network; NULL is no cut.
 * @param out        The new subsystem, to be freed by `phicache_subsystem_free`.
 */
PHICACHE_MUST_USE
phicache_status phicache_subsystem_cut(phicache_subsystem *subsystem,
                                       const uint64_t *severed,
                                       phicache_subsystem **out);

/**
 * Frees a subsystem; caches made for it do not need it.
 *
 * @param subsystem  [nullable] The subsystem.
 */
phicache_status phicache_subsystem_free(phicache_subsystem *subsystem);

/**
 * The identity of the uncut system: network and context, state, nodes. All cuts of a system have the same.
 *
 * @param subsystem  The subsystem.
 * @param out        The fingerprint.
 */
phicache_status phicache_subsystem_fingerprint(phicache_subsystem *subsystem, phicache_fingerprint *out);

/**
 * The number of nodes of a subsystem's network: how many node sets a cut of it has.
 *
 * @param subsystem  The subsystem.
 * @param out_size   The number.
 */
phicache_status phicache_subsystem_size(phicache_subsystem *subsystem, size_t *out_size);

/**
 * The nodes of a subsystem.
 *
 * @param subsystem  The subsystem.
 * @param out_nodes  The nodes, as a node set.
 */
phicache_status phicache_subsystem_nodes(phicache_subsystem *subsystem, uint64_t *out_nodes);

/**
 * Tells whether a subsystem is cut.
 *
 * @param subsystem  The subsystem.
 * @param out_cut    1 or 0.
 */
phicache_status phicache_subsystem_is_cut(phicache_subsystem *subsystem, int32_t *out_cut);

/**
 * Tells whether a subsystem's cut damages the MICE of a mechanism over a purview; see `phicache_cut_damages`.
 *
 * @param subsystem    The subsystem.
 * @param direction    `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
 * @param mechanism    The mechanism, as a node set.
 * @param purview      The purview, as a node set.
 * @param out_damaged  1 or 0.
 */
phicache_status phicache_subsystem_damages(phicache_subsystem *subsystem,
                                           int32_t direction,
                                           uint64_t mechanism,
                                           uint64_t purview,
                                           int32_t *out_damaged);

/**
 * Writes the cut-scoped key of what is computed from a mechanism and a purview (a repertoire, a small φ).
 *
 * It is (prefix, direction, mechanism, purview), that of `phicache_key_repertoire`, and behind it the severed connections
 * from purview to mechanism (cause) or from mechanism to purview (effect), if there are any. Nothing else about a cut
 * matters to such a result; so all cuts of a system may share one cache under these keys, exactly but for the rounding of
 * the last bit where the order of a sum depends on the cut.
 *
 * @param subsystem  The subsystem.
 * @param prefix     [nullable] What is computed; NULL is "none".
 * @param direction  `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
 * @param mechanism  The mechanism, as a node set.
 * @param purview    The purview, as a node set.
 * @param buffer     [nullable] Where the key is written; may be NULL if `capacity` is 0.
 * @param capacity   Bytes of the buffer; `PHICACHE_KEY_BUFFER` will do.
 * @param out_len    The key's length, also when it does not fit.
 */
phicache_status phicache_subsystem_key(phicache_subsystem *subsystem,
                                       const char *prefix,
                                       int32_t direction,
                                       uint64_t mechanism,
                                       uint64_t purview,
                                       uint8_t *buffer,
                                       size_t capacity,
                                       size_t *out_len);

/* MICE cache ----------------------------------------------------------------------------------------------------------
 *
 * PyPhi's `MICECache`: the maximally irreducible causes and effects of one subsystem. It stores only while the subsystem
 * is uncut, φ is positive, and memory is not full, and answers which of these refused it, in this order.
 *
 * A cache may have a parent: a cache of the same system, uncut. What the child lacks it looks up there, and returns it if
 * its own cut does not damage it. That is a live view: making a child copies nothing and costs the same whatever the
 * parent holds; what the parent stores later is seen; what the parent clears, or frees by freeing its handle, children
 * that exist keep. At most 64 parents stand one behind the other. Clearing a child detaches it for good. Inheriting moves
 * no count of the parent.
 *
 * A cache may be in Redis (see "Redis cache"): then of the refusals only the first applies, φ ≤ 0 is stored, and processes
 * share what they store. What was fetched or stored once is kept in this process, within `max_bytes` and the memory limit,
 * so no record is asked for twice; a cut subsystem asks for its parent's record, and remembers also that the cut damages
 * it. A record that is damaged, or that answers another question, is a miss.
 *
 * Keys are any bytes; `phicache_key_mice` writes the standard one, and no MICE of another direction or mechanism is stored
 * under it, whichever way it comes. Values are records (`docs/mice-format.md`). All
 * functions may be called from any thread at once.
 *
 *     phicache_mice_cache *parent, *child;
 *     phicache_bytes key = { (const uint8_t *)"key", 3 };
 *     phicache_mice mice = { sizeof mice, PHICACHE_EFFECT, 0, 0x2, 0x1, 0.5, { NULL, 0 } };
 *     phicache_value record;
 *     if (phicache_mice_cache_new(NULL, NULL, uncut, NULL, &parent) != PHICACHE_OK ||
 *         phicache_mice_cache_new(NULL, NULL, cut, parent, &child) != PHICACHE_OK) return 1;
 *     phicache_mice_cache_set(parent, key, &mice);
 *     if (phicache_mice_cache_get(child, key, &mice, &record) == PHICACHE_OK) {  // if the cut does not damage it
 *         use(mice.phi, mice.purview, mice.payload);
 *         phicache_value_release(&record);
 *     }
 *     phicache_mice_cache_free(child);
 *     phicache_mice_cache_free(parent);
 */

/**
 * Makes an empty cache: in this process, or in Redis where the configuration says so.
 *
 * @param config     [nullable] The configuration; NULL is the process default.
 * @param options    [nullable] Name and limit; NULL is neither.
 * @param subsystem  Whose MICE they are; it may be freed afterwards.
 * @param parent     [nullable] A cache of the same system, uncut, to inherit from; it may be freed afterwards.
 * @param out        The cache, to be freed by `phicache_mice_cache_free`.
 */
PHICACHE_MUST_USE
phicache_status phicache_mice_cache_new(phicache_config *config,
                                        const phicache_cache_options *options,
                                        phicache_subsystem *subsystem,
                                        phicache_mice_cache *parent,
                                        phicache_mice_cache **out);

/**
 * Makes an empty cache in this process.
 *
 * @param config     [nullable] The configuration; NULL is the process default.
 * @param options    [nullable] Name and limit; NULL is neither.
 * @param subsystem  Whose MICE they are; it may be freed afterwards.
 * @param parent     [nullable] A cache of the same system, uncut, to inherit from; it may be freed afterwards.
 * @param out        The cache, to be freed by `phicache_mice_cache_free`.
 */
PHICACHE_MUST_USE
phicache_status phicache_dict_mice_cache_new(phicache_config *config,
                                             const phicache_cache_options *options,
                                             phicache_subsystem *subsystem,
                                             phicache_mice_cache *parent,
                                             phicache_mice_cache **out);

/**
 * Makes a cache at the configuration's Redis server, which all processes share that compute the same system in the same
 * context. Connects to nothing yet.
 *
 * @param config     [nullable] The configuration; NULL is the process default.
 * @param options    [nullable] Name, limits, and how the server is used; NULL is the default of all.
 * @param subsystem  Whose MICE they are; it may be freed afterwards.
 * @param parent     [nullable] A cache in Redis of the same system, uncut, to inherit from; it may be freed afterwards.
 * @param out        The cache, to be freed by `phicache_mice_cache_free`.
 * @return OK; ERROR_UNSUPPORTED where the library was built without Redis.
 */
PHICACHE_MUST_USE
phicache_status phicache_redis_mice_cache_new(phicache_config *config,
                                              const phicache_cache_options *options,
                                              phicache_subsystem *subsystem,
                                              phicache_mice_cache *parent,
                                              phicache_mice_cache **out);

/**
 * Frees a cache. Pins stay valid, and children keep what they inherit.
 *
 * @param cache  [nullable] The cache.
 */
phicache_status phicache_mice_cache_free(phicache_mice_cache *cache);

/**
 * Looks a MICE up, its parents included; counts a hit or a miss.
 *
 * @param cache     The cache.
 * @param key       The key.
 * @param out_mice  The MICE; `struct_size` is set by the caller. Its payload is valid until `out` is released.
 * @param out       The record, pinned until `phicache_value_release`; zero on a miss.
 * @return OK or MISS.
 */
phicache_status phicache_mice_cache_get(phicache_mice_cache *cache,
                                        phicache_bytes key,
                                        phicache_mice *out_mice,
                                        phicache_value *out);

/**
 * Stores a copy of a MICE, unless cut, φ or memory refuse it. A MICE that contradicts a standard key, by direction,
 * mechanism or candidate purviews, is ERROR_INVALID_ARGUMENT; an empty purview answers every list of candidates.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @param mice   The MICE; `struct_size` is set by the caller.
 * @return OK, REFUSED_CUT, REFUSED_PHI, REFUSED_MEMORY or REFUSED_CAPACITY; in Redis OK, REFUSED_CUT or REFUSED_SERVER.
 */
phicache_status phicache_mice_cache_set(phicache_mice_cache *cache, phicache_bytes key, const phicache_mice *mice);

/**
 * What `phicache_mice_cache_set` would answer for a MICE with this φ: ask before you put a payload together.
 *
 * @param cache  The cache.
 * @param phi    The φ; NaN is an error.
 * @return OK, REFUSED_CUT, REFUSED_PHI or REFUSED_MEMORY. Counts nothing.
 */
phicache_status phicache_mice_cache_would_store(phicache_mice_cache *cache, double phi);

/**
 * Looks a MICE up, its parents included, and on a miss lets `compute` write it by `phicache_result_mice`.
 *
 * The MICE comes back also when it could not be stored: `out->origin` tells. Counts a hit or a miss.
 *
 * @param cache          The cache.
 * @param key            The key.
 * @param compute        Computes the MICE.
 * @param user_data      [nullable] Handed to `compute`.
 * @param call_data      [nullable] Handed to `compute`.
 * @param out_mice       The MICE; `struct_size` is set by the caller. Its payload is valid until `out` is released.
 * @param out            The record, pinned until `phicache_value_release`.
 * @param callback_code  [nullable] What `compute` returned, whatever the status; 0 when it was not called.
 * @return OK; ERROR_CALLBACK when `compute` did not return 0; where its last reservation failed, the status of that;
 *         ERROR_DAMAGED when it wrote no MICE; ERROR_INVALID_ARGUMENT when its MICE contradicts a standard key. On an error
 *         nothing was stored.
 */
phicache_status phicache_mice_cache_memoize(phicache_mice_cache *cache,
                                            phicache_bytes key,
                                            phicache_compute compute,
                                            void *user_data,
                                            void *call_data,
                                            phicache_mice *out_mice,
                                            phicache_value *out,
                                            int32_t *callback_code);

/**
 * Tells whether a key has a MICE, inherited ones included; counts nothing. OK, which says yes, is 0.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @return OK or MISS.
 */
phicache_status phicache_mice_cache_contains(phicache_mice_cache *cache, phicache_bytes key);

/**
 * Takes a MICE of the cache's own out; its pins stay valid. Children no longer see it.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @return OK, or MISS when it had none of its own.
 */
phicache_status phicache_mice_cache_remove(phicache_mice_cache *cache, phicache_bytes key);

/**
 * Takes all values out and sets the counts to zero; pins stay valid.
 *
 * @param cache  The cache.
 */
phicache_status phicache_mice_cache_clear(phicache_mice_cache *cache);

/**
 * The number of values.
 *
 * @param cache     The cache.
 * @param out_size  The number.
 */
phicache_status phicache_mice_cache_size(phicache_mice_cache *cache, uint64_t *out_size);

/**
 * Hits, misses and size.
 *
 * @param cache  The cache.
 * @param out    The figures.
 */
phicache_status phicache_mice_cache_info(phicache_mice_cache *cache, phicache_info *out);

/**
 * All figures.
 *
 * @param cache  The cache.
 * @param out    The figures; `struct_size` is set by the caller.
 */
phicache_status phicache_mice_cache_stats(phicache_mice_cache *cache, phicache_stats *out);

/**
 * The cache as what memos and methods work on. No new ownership: the view lives as long as the cache.
 *
 * @param cache  The cache.
 * @param out    The view.
 */
phicache_status phicache_mice_cache_as_cache(phicache_mice_cache *cache, phicache_cache **out);

/**
 * Writes a MICE as the record that caches keep (`docs/mice-format.md`).
 *
 * @param mice      The MICE; `struct_size` is set by the caller.
 * @param buffer    [nullable] Where the record is written; may be NULL if `capacity` is 0.
 * @param capacity  Bytes of the buffer: 64 and the payload's.
 * @param out_len   The record's length, also when it does not fit.
 */
phicache_status phicache_mice_encode(const phicache_mice *mice, uint8_t *buffer, size_t capacity, size_t *out_len);

/**
 * Reads a record, whose version and checksum are verified.
 *
 * @param record  The record.
 * @param out     The MICE; `struct_size` is set by the caller. Its payload points into `record`.
 * @return OK, or ERROR_DAMAGED.
 */
phicache_status phicache_mice_decode(phicache_bytes record, phicache_mice *out);

/* Single flight without callbacks -------------------------------------------------------------------------------------
 *
 * Of several callers that ask for a missing key one computes. `memoize` lets the others wait; here nobody blocks who does
 * not want to: `phicache_cache_begin` answers with the value, or with a lease (the caller computes, and completes or
 * abandons it), or that another is busy; then wait for a while, or do something else and begin again.
 *
 * Who computes is an owner: 0 is the calling thread, other numbers are tasks of the caller's own. An owner that begins a
 * key which it computes already is told so (ERROR_RECURSION), also after the key was removed or the cache cleared. Any
 * thread may complete a lease. When a lease is abandoned or a computation fails, one of the callers that wait in `memoize`
 * computes, and nobody else wakes up; if there is none, all callers that wait here are told to begin again. A lease of owner 0 that is
 * neither completed nor abandoned when its thread ends is abandoned then; its handle remains to be completed or abandoned,
 * and a value that comes now is not stored (REFUSED_CLEARED). `memoize` waits as owner 0: do not call it for a key that a
 * task of the same thread computes. After fork, the child's caches know nothing of computations that had begun.
 *
 *     phicache_value value;
 *     phicache_lease *lease;
 *     uint8_t *bytes;
 *     phicache_status status = phicache_cache_begin(cache, key, 0, &value, &lease);
 *     if (status == PHICACHE_LEASE) {
 *         if (phicache_lease_reserve(lease, 2, &bytes) == PHICACHE_OK) memcpy(bytes, "42", 2);
 *         status = phicache_lease_complete(lease, &value);
 *     } else if (status == PHICACHE_BUSY) {
 *         status = phicache_cache_wait(cache, key, 0, 100, &value);
 *     }
 *     if (status == PHICACHE_OK) {
 *         use(value.data, value.len);
 *         phicache_value_release(&value);
 *     }
 */

/**
 * Looks a key up, and says who computes its value when it has none.
 *
 * @param cache      Any cache.
 * @param key        The key.
 * @param owner      Who asks: 0 for this thread, or the number of a task, below 2^63.
 * @param out        With OK, the value, pinned until `phicache_value_release`.
 * @param out_lease  With LEASE, the duty to compute the value: complete or abandon it.
 * @return OK, which counts a hit; LEASE, which counts a miss; BUSY, which counts nothing; ERROR_RECURSION when this owner
 *         computes the key already and has not ended, whether or not the key was removed or the cache cleared since.
 */
phicache_status phicache_cache_begin(phicache_cache *cache,
                                     phicache_bytes key,
                                     uint64_t owner,
                                     phicache_value *out,
                                     phicache_lease **out_lease);

/**
 * Waits for whoever computes a key.
 *
 * @param cache         Any cache.
 * @param key           The key.
 * @param owner         Who waits: 0 for this thread, or the number of a task.
 * @param milliseconds  How long at most; 0 only looks. Until it waits again, begins or finds something, the owner counts as
 *                      waiting for this key.
 * @param out           With OK, the value, pinned until `phicache_value_release`.
 * @return OK, which counts a hit; TIMEOUT; MISS when nobody computes it any more: begin again; BUSY when the one who
 *         computes it waits for this owner, so that waiting would never end: compute the value without a lease.
 */
phicache_status phicache_cache_wait(phicache_cache *cache,
                                    phicache_bytes key,
                                    uint64_t owner,
                                    uint32_t milliseconds,
                                    phicache_value *out);

/**
 * Reserves the value's bytes and lends them for writing: zero-filled, at 16-byte alignment. Again means start over.
 *
 * @param lease  The lease.
 * @param len    The number of bytes.
 * @param out    The first byte, valid until the lease is reserved again, completed or abandoned.
 */
phicache_status phicache_lease_reserve(phicache_lease *lease, size_t len, uint8_t **out);

/**
 * As `phicache_lease_reserve`, but the bytes are not zeroed: faster where all of them are written.
 *
 * Each byte that is neither written nor cut off by `phicache_lease_truncate` is stored with whatever the memory held
 * before, and handed to all who ask for the value, other processes included.
 *
 * @param lease  The lease.
 * @param len    The number of bytes.
 * @param out    The first byte, valid until the lease is reserved again, completed or abandoned.
 */
phicache_status phicache_lease_reserve_uninitialized(phicache_lease *lease, size_t len, uint8_t **out);

/**
 * Keeps the first `len` bytes of what was reserved.
 *
 * @param lease  The lease.
 * @param len    The number of bytes to keep, at most what was reserved.
 */
phicache_status phicache_lease_truncate(phicache_lease *lease, size_t len);

/**
 * Hands the value to the cache, which stores it if it may, and to all who wait. The lease is gone, also on an error.
 *
 * If its last reservation failed, there is no value: this fails with the same status, and those who wait begin again.
 *
 * @param lease  The lease.
 * @param out    [nullable] The value, pinned until `phicache_value_release`; `out->origin` tells whether it was stored.
 */
phicache_status phicache_lease_complete(phicache_lease *lease, phicache_value *out);

/**
 * Gives a lease up: one of those who wait computes the value, or all are told to begin again. It does not count as a
 * computation that failed.
 *
 * @param lease  [nullable] The lease.
 */
phicache_status phicache_lease_abandon(phicache_lease *lease);

/* Registry ------------------------------------------------------------------------------------------------------------
 *
 * The live caches that were given a name, from every thread. A cache leaves the registry when its handle is freed. Where a
 * server fails, a list shows what this process has of its cache; and so it does of the caches that are left once all of it
 * has taken 30 seconds. Clearing tries each cache, each within its `scan_timeout_ms`.
 *
 *     phicache_cache_options options = { 0 };
 *     phicache_dict_cache *cache;
 *     phicache_registry_item items[16];
 *     size_t count;
 *     options.struct_size = sizeof options;
 *     options.name = "repertoires";
 *     if (phicache_dict_cache_new(NULL, &options, &cache) != PHICACHE_OK) return 1;
 *     items[0].struct_size = sizeof items[0];
 *     if (phicache_registry_list(items, 16, &count) == PHICACHE_OK)
 *         for (size_t i = 0; i < count && i < 16; i++) use(items[i].name, items[i].info.hits);
 *     phicache_dict_cache_free(cache);
 */

/**
 * Lists the named caches in order of their names.
 *
 * @param items      [nullable] Where they are written; may be NULL if `capacity` is 0. `struct_size` of the first item is
 *                   set by the caller, and says how far apart items are.
 * @param capacity   How many items fit.
 * @param out_count  How many caches there are, also when they do not fit; caches that others make or free meanwhile may
 *                   change that.
 */
phicache_status phicache_registry_list(phicache_registry_item *items,
                                       size_t capacity,
                                       size_t *out_count);

/**
 * Hits, misses and size of a named cache.
 *
 * @param name  The name; that of no live cache is an error.
 * @param out   The figures.
 */
phicache_status phicache_registry_info(const char *name, phicache_info *out);

/**
 * All figures of a named cache.
 *
 * @param name  The name; that of no live cache is an error.
 * @param out   The figures; `struct_size` is set by the caller.
 */
phicache_status phicache_registry_stats(const char *name, phicache_stats *out);

/**
 * Takes all values out of a named cache and sets its counts to zero.
 *
 * @param name  The name; that of no live cache is an error.
 */
phicache_status phicache_registry_clear(const char *name);

/**
 * Takes all values out of all named caches and sets their counts to zero. The first error is the answer; the others are
 * cleared all the same.
 */
phicache_status phicache_registry_clear_all(void);

#ifdef __cplusplus
}
#endif

#endif /* PHICACHE_H */
