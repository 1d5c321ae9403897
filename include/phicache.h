/*
 * phicache: the results of expensive computations, kept in memory below a limit, on disk, or in Redis.
 *
 * Generated from src/ffi by build.rs; `make header` renews it. Do not edit.
 *
 * A cache keeps results until the process occupies a configured share of the memory that it may use, or the cache has
 * reached a size of its own. Beyond that, new results are computed and returned, but not stored; or they replace those
 * that are worth least. Any language that calls C can use the caches. Some are made for integrated information theory
 * (IIT), after those of PyPhi.
 *
 * Begin with five functions
 *
 * | function | what it does |
 * |---|---|
 * | phicache_dict_cache_new | makes a cache |
 * | phicache_dict_cache_memoize | looks a key up, and computes its value on a miss |
 * | phicache_value_release | releases a value when you are done with it |
 * | phicache_dict_cache_free | destroys the cache |
 * | phicache_last_error | the message of the last error |
 *
 * To look keys up and store values yourself, use phicache_dict_cache_get and phicache_dict_cache_set instead of
 * memoize.
 *
 * A callback computes the value of a key, and writes it straight into the cache:
 *
 *     int32_t sum(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
 *         double total = 0.0;
 *         uint8_t *bytes;
 *         for (size_t i = 0; i < key.len; i++) total += key.data[i];
 *         if (phicache_result_reserve(result, sizeof total, &bytes) != PHICACHE_OK) return 1;
 *         memcpy(bytes, &total, sizeof total);
 *         return 0;
 *     }
 *
 * The program looks values up. The callback runs on a miss, so once for each key:
 *
 *     phicache_dict_cache *cache;
 *     phicache_value value;
 *     phicache_bytes key = { (const uint8_t *)"some input", 10 };
 *     if (phicache_dict_cache_new(NULL, NULL, &cache) != PHICACHE_OK) {
 *         fprintf(stderr, "%s\n", phicache_last_error());
 *         return 1;
 *     }
 *     if (phicache_dict_cache_memoize(cache, key, sum, NULL, NULL, &value, NULL) == PHICACHE_OK) {
 *         use(*(const double *)(const void *)value.data);
 *         phicache_value_release(&value);
 *     }
 *     phicache_dict_cache_free(cache);
 *
 * In the examples of this header, code without a function of its own is the body of a function that returns 0, `use`
 * is whatever your program does next, and `compute` is a callback.
 *
 * Caveats
 *
 *  - A full cache refuses new values, or evicts others: `on_full` in its options (see "The library"). By default, a
 *    cache evicts at its `max_bytes`, and refuses when the memory of the process is full: `set` returns
 *    PHICACHE_REFUSED_MEMORY; `memoize` still returns the value, and `origin` says that it was not stored.
 *  - A value that a cache returns is pinned: its bytes stay valid and unchanged until phicache_value_release, even if
 *    the cache is freed. A value that is never released is never freed.
 *  - A handle must not be freed while another thread is inside a call with it.
 *  - A callback must return: it must not throw, longjmp or end its thread.
 *  - A thread must not be cancelled (pthread_cancel) during a call, which may read a file: that ends the process,
 *    without a message. Disable cancellation around calls (pthread_setcancelstate).
 *  - If the system's allocator fails, a call returns PHICACHE_ERROR_OUT_OF_MEMORY. See "Memory" for the exceptions.
 *
 * Conventions
 *
 *  - A function that can fail returns a phicache_status. PHICACHE_OK is 0, normal outcomes (a miss, a refusal) are
 *    positive, errors are negative.
 *  - Every pointer is checked. A parameter may be NULL if its description says [nullable]; any other NULL is
 *    PHICACHE_ERROR_INVALID_ARGUMENT. On an error outputs are zero, unless a function says otherwise.
 *  - An output shares no memory with an input. Batches, and functions that make keys, cuts and MICE records, refuse it:
 *    PHICACHE_ERROR_INVALID_ARGUMENT.
 *  - Flags are int32_t. As inputs, all numbers but 0 are true.
 *  - Text is NUL-terminated UTF-8. Keys and values are phicache_bytes. Inputs are copied; they need to live only for
 *    the call.
 *  - A handle comes from a `…_new` function and is freed by its type's `…_free`, which accepts NULL. A freed handle,
 *    or one of another type, is PHICACHE_ERROR_INVALID_HANDLE, until its memory is used for a new handle of its type,
 *    which is not before many others were freed.
 *  - What does not fit into the caller's buffer is PHICACHE_ERROR_BUFFER_TOO_SMALL. The buffer then has no result, and
 *    the call returns the length or number that is needed; a capacity of 0 asks for that alone.
 *  - A value starts at 16-byte alignment, so an array of doubles can be read in place.
 *  - A callback gets its user_data first. It runs on the caller's thread, and no lock is held while it runs. If it
 *    fails, its code is returned unchanged.
 *  - The library starts no thread, installs no signal handler, and does nothing when it is loaded or unloaded.
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
 * The message begins with the name of the function, and says what was wrong and what was expected. Each thread has its
 * own last message. A wrong argument changes nothing, and the next call works.
 *
 * Threads and fork
 *
 * All threads may use a handle at once, except a phicache_key, a phicache_lease and a phicache_walk, which one thread
 * uses at a time, and a phicache_reader, which only the thread that filled it uses. A callback may free the handle that
 * it was called through. Any thread may release a value. After fork, the child may use its caches: a part that another
 * thread was changing at that moment is empty, and computations that other threads had begun are forgotten.
 *
 * Memory
 *
 * The size of a cache includes its overhead: 24 bytes and some padding for each entry, and the table. Functions of keys
 * and of caches in the process return PHICACHE_ERROR_OUT_OF_MEMORY if an allocation fails. The process may end for lack
 * of memory while it makes a configuration, uses files or a server, waits for another thread's computation, or formats
 * the message of another error.
 *
 * Sections of this header
 *
 * First what every program needs: types, the library, configuration, keys, and what all caches have in common. Then
 * reading without pins, keys in parts, flat calls, entries, and callbacks. Then the caches one by one (dict, Redis,
 * disk, purview), memos and methods, subsystems and MICE caches. Last saved caches, single flight without callbacks,
 * and the registry of named caches.
 *
 * Handles
 *
 * | handle | what it is | made by |
 * |---|---|---|
 * | phicache_config | settings that caches share | phicache_config_new |
 * | phicache_key | a list of arguments, from which a key is made | phicache_key_new |
 * | phicache_dict_cache | values by keys | phicache_dict_cache_new, phicache_dict_cache_shared |
 * | phicache_redis_cache | values by keys, at a Redis server | phicache_redis_cache_new, phicache_redis_cache_shared |
 * | phicache_disk_cache | values by keys, in files that outlive the process | phicache_disk_cache_new, phicache_disk_cache_shared, phicache_disk_cache_open |
 * | phicache_purview_cache | lists of purviews of a network | phicache_purview_cache_new |
 * | phicache_mice_cache | the MICE of a subsystem, in this process, in Redis or on disk; a cut subsystem inherits | phicache_mice_cache_new, phicache_dict_mice_cache_new, phicache_redis_mice_cache_new, phicache_disk_mice_cache_new |
 * | phicache_cache | any of these caches, seen as one type; owns nothing | phicache_…_cache_as_cache |
 * | phicache_memo | a function with its cache | phicache_memo_new |
 * | phicache_method | a function that uses its object's cache | phicache_method_new |
 * | phicache_subsystem | a system in a state, cut or uncut | phicache_subsystem_new, phicache_subsystem_cut |
 * | phicache_lease | the right and the duty to compute a missing value | phicache_cache_begin |
 * | phicache_walk | a walk through the entries of a cache | phicache_walk_new |
 * | phicache_result | where a callback writes its value | passed to the callback |
 *
 * Words of IIT: a mechanism is a set of nodes in a state; a purview is a set of nodes, and the mechanism constrains
 * their past or future; a repertoire is a probability distribution over a purview; a cut severs connections; a MICE is
 * a mechanism's maximally irreducible cause or effect; φ (phi) measures how irreducible something is.
 */

#ifndef PHICACHE_H
#define PHICACHE_H

#include <stddef.h>
#include <stdint.h>

/** The version of this header; a program may compare it with `phicache_version_number`. */
#define PHICACHE_VERSION_MAJOR 0
#define PHICACHE_VERSION_MINOR 2
#define PHICACHE_VERSION_PATCH 0
#define PHICACHE_VERSION_NUMBER \
    (PHICACHE_VERSION_MAJOR * 65536u + PHICACHE_VERSION_MINOR * 256u + PHICACHE_VERSION_PATCH)

/* Warns of an unchecked status: of a constructor, or of a call that makes a key, a node set, a cut or a fingerprint. */
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
 * A struct that begins with `struct_size` may grow at its end: set that field to `sizeof` of the struct before every
 * call. `phicache_memory memory = { 0 };` (in C++ `{}`), then `memory.struct_size = sizeof memory;`, compiles without
 * a warning; `{ sizeof memory }` leaves fields out, which `-Wextra` reports. All other structs are final. An input
 * struct may come from an older header: the fields that it lacks count as zero. It may come from a newer header: the
 * fields that this library does not know must be zero, or the call is ERROR_INVALID_ARGUMENT. A `reserved` field must
 * be zero too.
 */

/** Success. */
#define PHICACHE_OK 0

/** The key has no value. */
#define PHICACHE_MISS 1

/** Not stored: the subsystem is cut. */
#define PHICACHE_REFUSED_CUT 2

/** Not stored: φ is not positive. */
#define PHICACHE_REFUSED_PHI 3

/** Not stored: the memory limit is reached. */
#define PHICACHE_REFUSED_MEMORY 4

/** Not stored: caching of this kind is switched off, or the cache is read only. */
#define PHICACHE_REFUSED_DISABLED 5

/** Not stored: the cache has reached its `max_bytes`. */
#define PHICACHE_REFUSED_CAPACITY 6

/** Not stored: while the value was computed, its key was removed, its cache was cleared, or its lease expired. */
#define PHICACHE_REFUSED_CLEARED 7

/** The caller computes the value: it holds the lease. */
#define PHICACHE_LEASE 8

/** Another owner computes the value. */
#define PHICACHE_BUSY 9

/** The time limit of the call has passed. */
#define PHICACHE_TIMEOUT 10

/** Not stored: the server failed. */
#define PHICACHE_REFUSED_SERVER 11

/** Not stored: a file operation of a disk cache failed, for example because the disk is full. */
#define PHICACHE_REFUSED_STORAGE 12

/** An argument is NULL, out of range, or contradicts another. */
#define PHICACHE_ERROR_INVALID_ARGUMENT (-1)

/** A handle is not valid: it was freed, or is of another type. */
#define PHICACHE_ERROR_INVALID_HANDLE (-2)

/** The compute callback returned a code other than 0. */
#define PHICACHE_ERROR_CALLBACK (-3)

/** A computation requested the key that it computes itself. */
#define PHICACHE_ERROR_RECURSION (-4)

/** The result is longer than the buffer. The call returns the length that is needed. */
#define PHICACHE_ERROR_BUFFER_TOO_SMALL (-5)

/** An allocation failed; nothing has changed. */
#define PHICACHE_ERROR_OUT_OF_MEMORY (-6)

/** The Redis server could not be reached, or refused. The message says what was tried, where, and why it failed. */
#define PHICACHE_ERROR_REDIS (-7)

/** The library was built without a feature that the call needs. */
#define PHICACHE_ERROR_UNSUPPORTED (-8)

/** A bug in the library; please report it with the message. */
#define PHICACHE_ERROR_PANIC (-9)

/** An environment variable has an invalid value; the message names it. */
#define PHICACHE_ERROR_CONFIGURATION (-10)

/** Another cache has this name. */
#define PHICACHE_ERROR_NAME_IN_USE (-11)

/** The bytes are not a MICE record, or the file is not one that a cache was saved to; or they are damaged. */
#define PHICACHE_ERROR_DAMAGED (-12)

/** A file operation of a disk cache failed. The message says what was tried, where, and why it failed. */
#define PHICACHE_ERROR_STORAGE (-13)

/** The value was in the cache. */
#define PHICACHE_ORIGIN_HIT 1

/** This call computed the value. The cache stored it, or kept another value that the key got meanwhile. */
#define PHICACHE_ORIGIN_COMPUTED 2

/** Another thread or process computed the value while this thread waited. */
#define PHICACHE_ORIGIN_WAITED 3

/** The value was inherited from the cache's parent. */
#define PHICACHE_ORIGIN_PARENT 4

/**
 * This call computed the value, and the cache did not store it. The status that says why is added; 0 means that an
 * allocation failed.
 */
#define PHICACHE_ORIGIN_NOT_STORED 256

/**
 * As `on_full`: as configured. In a configuration, the default: a cache that reaches its `max_bytes` evicts, and one
 * that reaches the process's memory limit refuses (see "The library").
 */
#define PHICACHE_ON_FULL_DEFAULT 0

/** As `on_full`: a full cache refuses new values. */
#define PHICACHE_ON_FULL_REFUSE 1

/** As `on_full`: a full cache evicts values, so that new ones fit. */
#define PHICACHE_ON_FULL_EVICT 2

/** The past state of a purview. */
#define PHICACHE_CAUSE 0

/** The future state of a purview. */
#define PHICACHE_EFFECT 1

/** Both directions; in keys only. */
#define PHICACHE_BIDIRECTIONAL 2

/** In `phicache_features`: built with Redis. */
#define PHICACHE_FEATURE_REDIS 1

/** In `phicache_features`: built with TLS for Redis. */
#define PHICACHE_FEATURE_TLS 2

/** In `phicache_memory`: the process's memory use could be read. */
#define PHICACHE_KNOWN_SIZES 1

/** In `phicache_memory`: the physical memory is known. */
#define PHICACHE_KNOWN_PHYSICAL 2

/** In `phicache_memory`: the limits of all control groups of the process could be read, or there are none. */
#define PHICACHE_KNOWN_GROUP_LIMITS 4

/** In `phicache_memory`: the memory use of those groups that have a limit could be read. */
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

/** A disk cache. */
#define PHICACHE_KIND_DISK 6

/** A MICE cache on disk. */
#define PHICACHE_KIND_DISK_MICE 7

/** A matrix is stored row by row, as in C. */
#define PHICACHE_ROW_MAJOR 0

/** A matrix is stored column by column, as in Julia and Fortran. */
#define PHICACHE_COLUMN_MAJOR 1

/** As a maximum memory: no limit. The hard limits remain (see "The library"). */
#define PHICACHE_MEMORY_UNLIMITED (-1.0)

/** For a memo: the maximum memory of its configuration. */
#define PHICACHE_MEMORY_CONFIGURED (-2.0)

/**
 * The size of a buffer that holds every key of `phicache_key_repertoire`, `phicache_key_mice` (without candidate
 * purviews) and `phicache_subsystem_key` with a prefix of at most 64 bytes.
 */
#define PHICACHE_KEY_BUFFER 768

/** A cache of any type. Owns nothing: a view of a `phicache_…_cache`. */
typedef struct phicache_cache phicache_cache;

/** Settings that caches share. */
typedef struct phicache_config phicache_config;

/** PyPhi's `DictCache`: values by keys, both bytes. */
typedef struct phicache_dict_cache phicache_dict_cache;

/** Values by keys, both bytes, in files that processes share and that outlive them. */
typedef struct phicache_disk_cache phicache_disk_cache;

/** A list of arguments, from which a key is made. */
typedef struct phicache_key phicache_key;

/** The right and the duty to compute a missing value without a callback. */
typedef struct phicache_lease phicache_lease;

/** PyPhi's `cache` decorator: a function with its cache. */
typedef struct phicache_memo phicache_memo;

/** PyPhi's `method` decorator: a function that uses its object's cache. */
typedef struct phicache_method phicache_method;

/** PyPhi's `MICECache`: the MICE of a subsystem. */
typedef struct phicache_mice_cache phicache_mice_cache;

/** PyPhi's `PurviewCache`: lists of purviews of a network. */
typedef struct phicache_purview_cache phicache_purview_cache;

/** PyPhi's `RedisCache`: values by keys, both bytes, at a server that processes share. */
typedef struct phicache_redis_cache phicache_redis_cache;

/** Where a compute callback writes its value. Valid while the callback runs. */
typedef struct phicache_result phicache_result;

/** A candidate system: nodes of a network in a state, cut or uncut. */
typedef struct phicache_subsystem phicache_subsystem;

/** A walk through the entries of a cache. */
typedef struct phicache_walk phicache_walk;

/** What a call returns: 0 is OK, positive numbers are normal outcomes, negative numbers are errors. */
typedef int32_t phicache_status;

/** Bytes that are borrowed for the duration of a call. If the length is 0, the pointer may be anything, also NULL. */
typedef struct phicache_bytes {
    /** The first byte. */
    const uint8_t *data;
    /** The number of bytes. */
    size_t len;
} phicache_bytes;

/**
 * A pinned value: its bytes stay valid and unchanged until `phicache_value_release`, even if the cache is freed.
 *
 * Copying the struct adds no pin: release exactly one of the copies, once, from any thread.
 */
typedef struct phicache_value {
    /** The value's first byte, at 16-byte alignment. */
    const uint8_t *data;
    /** The number of bytes. */
    size_t len;
    /** Keeps the bytes alive. Not for callers. */
    void *pin;
    /** Where the value came from: one of `PHICACHE_ORIGIN_…`. */
    uint32_t origin;
    /** Zero. */
    uint32_t reserved;
} phicache_value;

/** Hits, misses and size, as PyPhi's caches report them. */
typedef struct phicache_info {
    /** Lookups that found a value. */
    uint64_t hits;
    /** Lookups that found no value. */
    uint64_t misses;
    /** Values in the cache now. */
    uint64_t size;
} phicache_info;

/** All statistics of a cache. Grows at its end. */
typedef struct phicache_stats {
    /** `sizeof(phicache_stats)`, set by the caller. */
    size_t struct_size;
    /** Lookups that found a value. */
    uint64_t hits;
    /** Lookups that found no value. */
    uint64_t misses;
    /** Values in the cache now, including inherited ones. */
    uint64_t size;
    /**
     * Bytes that the cache takes now: the memory of its entries, whether they fill it or not, and the table. This is
     * what `max_bytes` bounds. A value that was replaced, removed or cleared counts until its last pin is released;
     * inherited values do not count. Of a cache in Redis, its part in this process.
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
    /** Values refused because caching of this kind was off, or the cache is read only. */
    uint64_t refused_disabled;
    /** Values refused because the cache had reached its `max_bytes`. */
    uint64_t refused_capacity;
    /**
     * Values refused because, while they were computed, their key was removed, the cache was cleared, or their lease
     * expired.
     */
    uint64_t refused_cleared;
    /** Hits for which a caller waited while another computed the value. */
    uint64_t waits;
    /**
     * Computations that failed: the callback returned an error, an allocation failed, or the value was not a MICE
     * record. Abandoned leases do not count.
     */
    uint64_t errors;
    /**
     * Nanoseconds that successful computations took, without the time that their threads waited for computations of
     * others.
     */
    uint64_t compute_ns;
    /** Nanoseconds saved: hits times the mean time of a computation. */
    uint64_t saved_ns;
    /** Values refused because the server failed. */
    uint64_t refused_server;
    /**
     * Values at the server or on disk that were damaged, or belonged to another program or key. Each also counts as a
     * miss.
     */
    uint64_t damaged;
    /** Bytes of `bytes` that the entries in the cache take: keys, values, and the overhead of each. */
    uint64_t live_bytes;
    /** Entries evicted, because the cache was full. A value that replaces another is not an eviction. */
    uint64_t evictions;
    /** Bytes that the evicted entries took. */
    uint64_t evicted_bytes;
    /** Nanoseconds that computing the evicted values again would take: the sum of their costs. */
    uint64_t evicted_ns;
    /** Hits for which the value was computed again and compared, in verified mode. They also count as hits. */
    uint64_t verified;
    /** Verified hits for which the values differed. */
    uint64_t differences;
    /** Values refused because a file operation failed. */
    uint64_t refused_storage;
} phicache_stats;

/** The memory of this process. Grows at its end. */
typedef struct phicache_memory {
    /** `sizeof(phicache_memory)`, set by the caller. */
    size_t struct_size;
    /** The resident size as a percentage of the limit. */
    double percent;
    /** Bytes of physical memory that the process occupies, or the last figure that is known; at least `held`. */
    uint64_t resident;
    /**
     * Bytes that it may occupy: the physical memory, or the lowest limit of its control groups. 0 if neither was ever
     * known.
     */
    uint64_t limit;
    /** Bytes of the machine's physical memory; 0 if that was never known. */
    uint64_t physical;
    /** Bytes in use by all caches of this process. */
    uint64_t held;
    /**
     * Bytes that caches may still take before the process reaches a hard limit (see "The library"); UINT64_MAX if
     * it has no hard limit.
     */
    uint64_t room;
    /** Which figures could be read by this call: a sum of `PHICACHE_KNOWN_…`. The others are the last good figures. */
    uint32_t known;
    /** Zero. */
    uint32_t reserved;
} phicache_memory;

/** A limit on the memory of this process. Grows at its end. */
typedef struct phicache_memory_limit {
    /** `sizeof(phicache_memory_limit)`, set by the caller in the first item of a list. */
    size_t struct_size;
    /** The limit in bytes; UINT64_MAX if it is unlimited. */
    uint64_t bytes;
    /**
     * The bytes that this limit counts now: the process's resident size, a group's usage (without inactive file pages
     * if it exceeds half of the limit), the address space, or the data. The last good figure, if it could not be read.
     */
    uint64_t used;
    /**
     * The bytes that caches may still take until this limit stops them, by the maximum percentage or as a hard limit;
     * UINT64_MAX if it never does.
     */
    uint64_t room;
    /** 1 if it counts now: no other limit leaves less room. 0 for all others. */
    int32_t counts;
    /** Zero. */
    uint32_t reserved;
    /**
     * What limits the process, NUL-terminated: "physical memory", the file of a control group such as
     * "/sys/fs/cgroup/job/memory.max" (its last 255 bytes), "RLIMIT_AS" or "RLIMIT_DATA".
     */
    char name[256];
} phicache_memory_limit;

/**
 * Tells whether two values of a key count as equal, for verified mode: 0 is a difference, any other number is not. So
 * it is the reverse of `memcmp`.
 *
 * For values that may differ in their last bits, such as sums of floating-point numbers in another order. `kept` is
 * the value that the cache has, `computed` the one that was computed again. All are valid during the call. As a
 * compute callback, it runs on the caller's thread, no lock is held, it may call the library, and it must return.
 */
typedef int32_t (*phicache_same_fn)(void *context,
                                    struct phicache_bytes key,
                                    struct phicache_bytes kept,
                                    struct phicache_bytes computed);

/**
 * Is told that two values of a key differ, in verified mode, before `computed` replaces `kept`. Otherwise as
 * `phicache_same_fn`.
 */
typedef void (*phicache_difference_fn)(void *context,
                                       struct phicache_bytes key,
                                       struct phicache_bytes kept,
                                       struct phicache_bytes computed);

/**
 * Frees a `user_data`. The library calls it exactly once: after the last call of the function has ended, or when the
 * function could not be registered.
 */
typedef void (*phicache_drop)(void *user_data);

/**
 * Options of a new cache. A field that is zero has its default. An option that has no effect on a cache of this type,
 * such as `ttl_ms` on a dict cache, is an ERROR_INVALID_ARGUMENT; `phicache_mice_cache_new` takes all, because there
 * the configuration chooses where the values are. Grows at its end.
 */
typedef struct phicache_cache_options {
    /** `sizeof(phicache_cache_options)`, set by the caller. */
    size_t struct_size;
    /** A name of 1 to 63 bytes, without control characters, which no other cache has; NULL for no name. */
    const char *name;
    /**
     * The most bytes that the cache may use in this process, including overhead; 0 for no limit but that of memory.
     * For disk caches: the most bytes that all files in the directory may take, at least 1 MiB. The directory keeps
     * it; 0 is what it keeps, or 8 GiB. While a value replaces another, both count. `on_full` says what happens then.
     */
    uint64_t max_bytes;
    /** For caches in Redis: milliseconds after which the server deletes a value, at most 10^14; 0 is never. */
    uint64_t ttl_ms;
    /**
     * Milliseconds that one process may take to compute a value before another computes it too, at most 10^14. For
     * caches in Redis, 0 lets every process compute at once; a value that takes longer is returned and not stored, so
     * give more than the longest computation takes; see "Redis cache". For disk caches, it is between hosts only, and
     * 0 lets each host compute; see "Disk cache".
     */
    uint64_t lease_ms;
    /** For caches in Redis: 1 makes a failing server an ERROR_REDIS; 0 makes it a miss. */
    int32_t server_errors;
    /**
     * For caches in Redis: 1 stores values as they are, for other programs to read and write. 0 stores each with a
     * checksum of key and value; a value without a valid checksum is a miss. See "Redis cache".
     */
    int32_t no_checksum;
    /**
     * For caches in Redis: milliseconds that `clear`, `size`, `info` and `stats` may take to scan the keys at the
     * server, at most 10^14; 0 is 30,000, and more than an hour is an hour. The operation that is running at that time
     * still ends, at most one timeout later.
     */
    uint64_t scan_timeout_ms;
    /** What the cache does when it is full, in this process: one of `PHICACHE_ON_FULL_…`. */
    int32_t on_full;
    /** Zero. */
    int32_t reserved;
    /**
     * Verified mode: every n-th hit of `memoize`, of a memo, of a method or of `phicache_cache_begin` is computed
     * again and compared with the value that the cache has. 1 verifies every hit; 0 verifies none, and costs nothing.
     * See "Any cache".
     */
    uint64_t verify_every;
    /** For verified mode: compares the values; NULL compares their bytes. */
    phicache_same_fn same;
    /** For verified mode: is told of each difference; NULL only counts them. */
    phicache_difference_fn difference;
    /** Passed to `same` and `difference`. */
    void *verify_context;
    /**
     * Frees `verify_context`; NULL frees nothing. Called once: after the cache is destroyed, or when these options are
     * not used, because `verify_every` is 0, another argument of the call is invalid, or a shared cache exists
     * already. (A struct with an invalid size or invalid unknown fields is not read: then it is not called.)
     */
    phicache_drop verify_drop;
    /**
     * For disk caches: the most bytes that the cache may use in this process for copies of values; 0 is 64 MiB. The
     * index of the files is not included.
     */
    uint64_t near_bytes;
    /**
     * For disk caches: milliseconds after which a lookup that finds nothing looks for values that other processes have
     * stored, at most 10^14; 0 is 1,000. `UINT64_MAX` looks at each such lookup.
     */
    uint64_t refresh_ms;
    /** For disk caches: 1 never writes anything; a store is REFUSED_DISABLED. */
    int32_t read_only;
    /**
     * For disk caches: 1 has each value on the storage device before a store returns, so that it survives a power cut.
     * See also `phicache_disk_sync`.
     */
    int32_t sync;
    /**
     * For disk caches: 1 trusts all members of the directory's group. 0 refuses a directory into which anybody else
     * may write, and reads only files of this user.
     */
    int32_t trust_group;
    /** For disk caches: 1 makes a failed file operation an ERROR_STORAGE; 0 makes it a miss, or a REFUSED_STORAGE. */
    int32_t storage_errors;
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
    /** The φ of the mechanism over the purview; not NaN. */
    double phi;
    /** Data of the caller, in a format of its own. From a cache, it is 16-byte aligned. */
    struct phicache_bytes payload;
} phicache_mice;

/** Identifies a network or a subsystem: a BLAKE3-256 hash. One of zeros, which was never made, is refused. */
typedef struct phicache_fingerprint {
    /** The bytes. */
    uint8_t bytes[32];
} phicache_fingerprint;

/** The health of a Redis server, as seen by all caches that have the same connection settings. Grows at its end. */
typedef struct phicache_redis_health {
    /** `sizeof(phicache_redis_health)`, set by the caller. */
    size_t struct_size;
    /**
     * Operations that failed: no connection, no reply in time, a broken connection, an invalid reply; and values that
     * were not fetched because they are longer than 64 KiB and `max_bytes`.
     */
    uint64_t failures;
    /** Operations that the server refused, for example because its memory is full; `last_error` says what to do. */
    uint64_t refusals;
    /** Operations that were skipped because the server had just failed. */
    uint64_t skipped;
    /** Connections that were opened. */
    uint64_t connections;
    /** Connections that replaced a broken one. */
    uint64_t reconnects;
    /** Milliseconds from now during which operations are skipped; 0 if the server works. */
    uint64_t skipping_ms;
    /**
     * The message of the last operation that failed or was refused, NUL-terminated; empty if all succeeded. Unlike
     * `phicache_last_error` it is that of all threads, and also of operations that were a miss or a refusal.
     */
    char last_error[256];
} phicache_redis_health;

/** The state of a disk cache, as this process sees it. Grows at its end. */
typedef struct phicache_disk_health {
    /** `sizeof(phicache_disk_health)`, set by the caller. */
    size_t struct_size;
    /** File operations that failed. */
    uint64_t failures;
    /** Records and files that were damaged, of another program, or removed by another process. Each is a miss. */
    uint64_t damaged;
    /** The number of segments, the files that hold the values. */
    uint64_t segments;
    /** The bytes of memory that the index of the files takes. */
    uint64_t index_bytes;
    /**
     * The message of the last file operation that failed, NUL-terminated; empty if nothing has failed. Unlike
     * `phicache_last_error` it is that of all threads, and also of operations that were a miss or a refusal.
     */
    char last_failure[512];
} phicache_disk_health;

/** What has become of the values of a saved cache that were loaded. Grows at its end. */
typedef struct phicache_load_counts {
    /** `sizeof(phicache_load_counts)`, set by the caller. */
    size_t struct_size;
    /** Values that the cache has stored. */
    uint64_t loaded;
    /** Values of keys that had one in the cache already, which stays. */
    uint64_t kept;
    /** Values that the cache has refused, as a store would be; the statistics of the cache say why. */
    uint64_t refused;
    /** Values that were damaged, or belonged to another key, and damage to the file's own list of its values. */
    uint64_t damaged;
} phicache_load_counts;

/** The values of one identity and role in the directory of disk caches. Grows at its end. */
typedef struct phicache_disk_item {
    /** `sizeof(phicache_disk_item)`, set by the caller in the first item of a list. */
    size_t struct_size;
    /** The identity. */
    struct phicache_fingerprint fingerprint;
    /** The role, NUL-terminated: "values" for caches of `phicache_disk_cache_new`; cut if it is longer. */
    char role[256];
    /** The number of segments, the files that hold the values. */
    uint64_t segments;
    /** The number of segments to which a living process appends. */
    uint64_t writers;
    /** The bytes of all files. */
    uint64_t bytes;
    /** The number of records with a value. A key that was stored several times counts several times. */
    uint64_t records;
    /** The number of files that are damaged or of another program; if all was read, also that of records and values. */
    uint64_t damaged;
    /**
     * The context, NUL-terminated, if the values are those of `phicache_disk_cache_new`: its beginning, with
     * bytes escaped (`\x01`) if it is binary. Empty for other identities.
     */
    char context[256];
} phicache_disk_item;

/** An entry of a cache, without its value. Grows at its end. */
typedef struct phicache_entry {
    /** `sizeof(phicache_entry)`, set by the caller. */
    size_t struct_size;
    /** The key; valid as long as the value that comes with the entry is pinned. */
    struct phicache_bytes key;
    /** Bytes that the entry takes: the key, the value, and overhead. */
    uint64_t bytes;
    /** Nanoseconds that the computation of the value took; 0 if that is not known. */
    uint64_t cost_ns;
} phicache_entry;

/** A reader of one cache by one thread: a struct of the caller's, filled by `phicache_reader_init`. Do not copy it. */
typedef struct phicache_reader {
    /** The library's own. */
    uint64_t reserved[8];
} phicache_reader;

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
 * Computes the value of `key`, and writes it into `result` with `phicache_result_reserve`. If the last reservation
 * failed, the caller gets its status, whatever the callback returns.
 *
 * `user_data` was given with the function, `call_data` with the call. Return 0 for success. Any other code means that
 * nothing is cached; the caller gets the code unchanged. The callback runs on the caller's thread, and no lock is held
 * while it runs. It may call the library, also for other keys of the same cache. It must return: an exception that
 * leaves it, or the end of its thread (`pthread_exit`, `pthread_cancel`), ends the process with a line that names the
 * function; leaving it by longjmp is undefined. `result` is not valid after the callback has returned.
 */
typedef int32_t (*phicache_compute)(void *user_data,
                                    void *call_data,
                                    struct phicache_bytes key,
                                    struct phicache_result *result);

/**
 * Sees one entry of a cache. Return 0 to continue the walk; any other code ends it.
 *
 * `entry` and `value` are valid until the callback returns; then the library releases the value. To keep a value
 * longer, copy `*value` and set it to zero: the copy has the pin, and has to be released. The callback runs on the
 * caller's thread, with no lock held and no read section open. It may call the library, also to change, clear or free
 * the same cache. It must return, as a `phicache_compute` must.
 */
typedef int32_t (*phicache_visit)(void *user_data, const struct phicache_entry *entry, struct phicache_value *value);

/* The library ---------------------------------------------------------------------------------------------------------
 *
 * Version, messages, releasing values, and the memory of this process. All threads may call these functions at once.
 *
 * Caches store values until the process's resident size reaches a percentage of the memory that the process may use
 * (`phicache_config_set_maximum_memory_percent`). That is the physical memory, or the lowest limit of the control
 * groups that the process is in, including their ancestors (version 1: `memory.limit_in_bytes`; version 2:
 * `memory.max` and `memory.high`). Limits of ancestors that are not mounted, as in containers, are found in version 1
 * only (in `memory.stat`).
 *
 * There are also hard limits, independent of the percentage: caches stop at 90 % of `RLIMIT_AS`, of `RLIMIT_DATA`,
 * and of a control group's limit. Each is compared with the memory that it counts (for a group, its usage without
 * inactive file pages). So the program's own allocations do not fail, and the system does not kill the process.
 *
 * A cache that reaches one of these limits, or its own `max_bytes`, is full. A full cache does one of two things with
 * a new value:
 *
 *  - REFUSE: `set` returns REFUSED_MEMORY or REFUSED_CAPACITY. `memoize` returns the value, and `origin` says that it
 *    was not stored. What the cache has stays. PyPhi's caches do this.
 *  - EVICT: it removes values of its own, so that the new one fits: those that cost the least computing time for each
 *    byte and were not used lately. The cost of a value is the time of its computation, without waits, or what
 *    `phicache_cache_set_with_cost` says. A pinned value stays valid when it is evicted. Now and then no room can be
 *    made at once, because values are pinned or being read; then the new value is refused.
 *
 * `on_full` in the options of a cache chooses; else the configuration, or `PHICACHE_ON_FULL` in the environment. By
 * default a cache evicts at its `max_bytes` and refuses at the limits of the process. The part of a MICE cache in
 * Redis that is in this process evicts at both.
 *
 * If a figure cannot be read (no `/proc`, no free file descriptor, a sandbox), the last good figure counts, or the
 * bytes that caches hold if those are more. The next call tries again. `known` in `phicache_memory` says which figures
 * could be read.
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
 * What the library was built from: the version of the compiler and of each library in it, as in "rustc 1.95.0, blake3
 * 1.8.7, …". Static; never freed.
 */
const char *phicache_built_from(void);

/**
 * The name of a status, such as "MISS"; "UNKNOWN" for any other number. Static; never freed.
 *
 * @param status  Any number.
 */
const char *phicache_status_name(phicache_status status);

/**
 * Why a value was not stored, from its origin.
 *
 * @param origin  The `origin` of a value.
 * @return REFUSED_…; ERROR_OUT_OF_MEMORY if an allocation failed; OK for any other origin: the cache has the value.
 */
phicache_status phicache_origin_refusal(uint32_t origin);

/**
 * The message of this thread's last error: what was wrong and what was expected. Empty if there was no error.
 *
 * The text belongs to the library, and is valid until this thread's next error. A call that succeeds does not change
 * it.
 */
const char *phicache_last_error(void);

/**
 * Releases a value and zeroes the struct. Any thread may call it; it does not block.
 *
 * Releasing a zeroed struct does nothing. If the struct was copied, release exactly one of the copies, once.
 *
 * @param value  [nullable] The value.
 */
void phicache_value_release(phicache_value *value);

/**
 * The resident memory of this process as a percentage of the memory it may use, measured now (a few microseconds).
 *
 * The memory that it may use is the physical memory, or the lowest limit of its control groups.
 *
 * @param out_percent  The percentage; 0 if neither figure was ever known.
 */
phicache_status phicache_memory_percent(double *out_percent);

/**
 * Tells whether this process occupies more memory than the configured maximum, or has reached a hard limit, measured
 * now. (PyPhi's `memory_full`.)
 *
 * @param config    [nullable] The configuration; NULL is the process default.
 * @param out_full  1 or 0.
 */
phicache_status phicache_memory_full(phicache_config *config, int32_t *out_full);

/**
 * The memory of this process in bytes, measured now.
 *
 * @param out  The figures. Set `struct_size` first.
 */
phicache_status phicache_memory_usage(phicache_memory *out);

/**
 * Lists all limits on the memory of this process that were found, measured now: the physical memory, the limits of its
 * control groups and their ancestors (version 1: `memory.limit_in_bytes`, and `memory.stat` for the
 * lowest limit of ancestors that are not mounted; version 2: `memory.max` and `memory.high`), RLIMIT_AS and
 * RLIMIT_DATA. Groups without a limit are not listed.
 *
 * @param config     [nullable] The configuration, for its maximum memory; NULL is the process default.
 * @param limits     [nullable] Receives the limits; may be NULL if `capacity` is 0. Set `struct_size` of the first one
 *                   to `sizeof` of one.
 * @param capacity   The number of limits that fit.
 * @param out_count  The number of limits, also if they do not fit.
 */
phicache_status phicache_memory_limits(phicache_config *config,
                                       phicache_memory_limit *limits,
                                       size_t capacity,
                                       size_t *out_count);

/**
 * Makes the node set of these indices. Indices begin at 0, and may be in any order.
 *
 * @param indices    [nullable] The indices; may be NULL if `count` is 0.
 * @param count      The number of indices.
 * @param out_nodes  The set: bit k is node k.
 */
PHICACHE_MUST_USE
phicache_status phicache_nodes_from_indices(const int32_t *indices,
                                            size_t count,
                                            uint64_t *out_nodes);

/**
 * Writes the indices of a node set, in ascending order, beginning at 0.
 *
 * @param nodes      The set.
 * @param indices    [nullable] Receives the indices; may be NULL if `capacity` is 0.
 * @param capacity   The number of indices that fit; 64 is always enough.
 * @param out_count  The number of indices, also if they do not fit.
 */
phicache_status phicache_nodes_to_indices(uint64_t nodes, int32_t *indices, size_t capacity, size_t *out_count);

/* Configuration -------------------------------------------------------------------------------------------------------
 *
 * Settings come from defaults, then from the environment (`PHICACHE_…`, read once, at the first use), then from
 * setters. A cache takes a configuration when it is made, and shares it from then on: a new percentage or switch
 * applies to it at once, but connection settings are read only when the cache is made. Where a configuration may be
 * NULL, NULL is the process default; setters change it for every cache that was made with it. All threads may use a
 * configuration at once.
 *
 * | setting | default | variable |
 * |---|---|---|
 * | maximum memory, in per cent | 50 | `PHICACHE_MAXIMUM_CACHE_MEMORY_PERCENTAGE` |
 * | what full caches do | depends on the limit (0) | `PHICACHE_ON_FULL` |
 * | cache repertoires | 1 | `PHICACHE_CACHE_REPERTOIRES` |
 * | cache potential purviews | 1 | `PHICACHE_CACHE_POTENTIAL_PURVIEWS` |
 * | keep MICE in Redis | 0 | `PHICACHE_REDIS_CACHE` |
 * | Redis URL | `redis://127.0.0.1:6379/0` | `PHICACHE_REDIS_URL` |
 * | Redis namespace | `phicache` | `PHICACHE_REDIS_NAMESPACE` |
 * | Redis user, password | those of the URL | `PHICACHE_REDIS_USER`, `PHICACHE_REDIS_PASSWORD` |
 * | Redis timeout, in milliseconds | that of the URL, or 1000 | `PHICACHE_REDIS_TIMEOUT_MS` |
 * | the whole Redis database | 0 | none |
 * | directory of disk caches | `~/.cache/phicache`, if that is on a local disk | `PHICACHE_DISK_DIRECTORY` |
 *
 * If a variable is invalid, the first use fails with ERROR_CONFIGURATION, and the message names the variable. If a
 * name is nearly one of these, or that of an option of caches (`PHICACHE_MAX_BYTES`), the first use prints one line to
 * the standard error, with what was probably meant. An empty variable counts as unset. Switches in the environment are
 * 1, 0, true, false, yes, no, on or off; what full caches do is refuse or evict.
 *
 *     phicache_config *config;
 *     phicache_dict_cache *cache;
 *     if (phicache_config_new(&config) != PHICACHE_OK) return 1;
 *     phicache_config_set_maximum_memory_percent(config, 25.0);
 *     if (phicache_dict_cache_new(config, NULL, &cache) != PHICACHE_OK) return 1;
 *     phicache_config_free(config);  // the cache keeps the settings
 *     use(cache);
 *     phicache_dict_cache_free(cache);
 */

/**
 * Makes a new configuration from the defaults and the environment.
 *
 * @param out  The configuration. Free it with `phicache_config_free`.
 */
PHICACHE_MUST_USE phicache_status phicache_config_new(phicache_config **out);

/**
 * Tells which variables in the environment are probably mistyped: they have no effect, and their names are nearly
 * those of variables that are read, or those of options of caches. The first use of a configuration prints the same
 * line.
 *
 * @param buffer    [nullable] Receives the text and a NUL, empty if there are no such variables; may be NULL if
 *                  `capacity` is 0.
 * @param capacity  The size of the buffer in bytes.
 * @param out_len   The length of the text without its NUL, also if it does not fit.
 */
phicache_status phicache_config_mistyped_variables(char *buffer, size_t capacity, size_t *out_len);

/**
 * Frees a configuration. Caches that were made with it keep using it.
 *
 * @param config  [nullable] The configuration.
 */
phicache_status phicache_config_free(phicache_config *config);

/**
 * Sets the maximum memory: the percentage of the memory that this process may use, up to which caches store values.
 *
 * @param config   [nullable] The configuration; NULL is the process default.
 * @param percent  0 to 100, not a fraction: 80 is 80 %, and 0.8 is less than one per cent. 0 stores nothing.
 *                 `PHICACHE_MEMORY_UNLIMITED` is no limit; the hard limits remain (see "The library").
 */
phicache_status phicache_config_set_maximum_memory_percent(phicache_config *config, double percent);

/**
 * Gets the maximum memory.
 *
 * @param config       [nullable] The configuration; NULL is the process default.
 * @param out_percent  0 to 100, or `PHICACHE_MEMORY_UNLIMITED`.
 */
phicache_status phicache_config_get_maximum_memory_percent(phicache_config *config, double *out_percent);

/**
 * Sets what full caches do with a new value, for all caches with this configuration if their options leave it open.
 *
 * @param config   [nullable] The configuration; NULL is the process default.
 * @param on_full  One of `PHICACHE_ON_FULL_…`; the default depends on the limit (see "The library").
 */
phicache_status phicache_config_set_on_full(phicache_config *config, int32_t on_full);

/**
 * Gets what full caches do with a new value.
 *
 * @param config       [nullable] The configuration; NULL is the process default.
 * @param out_on_full  One of `PHICACHE_ON_FULL_…`.
 */
phicache_status phicache_config_get_on_full(phicache_config *config, int32_t *out_on_full);

/**
 * Switches repertoire caching. While it is off, methods with PHICACHE_METHOD_REPERTOIRE bypass their caches.
 *
 * @param config   [nullable] The configuration; NULL is the process default.
 * @param enabled  0 is off, any other number is on.
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
 * Switches purview caching. While it is off, purview caches store nothing.
 *
 * @param config   [nullable] The configuration; NULL is the process default.
 * @param enabled  0 is off, any other number is on.
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
 * Sets the directory of disk caches that are made from now on. It is made, with mode 700, when a cache needs it.
 *
 * @param config  [nullable] The configuration; NULL is the process default.
 * @param path    [nullable] An absolute path. NULL is the default: `phicache` in the user's cache directory
 *                (`XDG_CACHE_HOME` or `~/.cache`) if that is on a local file system, or else
 *                `/var/tmp/phicache-UID`.
 */
phicache_status phicache_config_set_disk_directory(phicache_config *config, const char *path);

/**
 * Gets the directory of disk caches.
 *
 * @param config    [nullable] The configuration; NULL is the process default.
 * @param buffer    [nullable] Receives the text and a NUL; may be NULL if `capacity` is 0.
 * @param capacity  The size of the buffer in bytes.
 * @param out_len   The length of the text without its NUL, also if it does not fit.
 * @return OK; ERROR_INVALID_ARGUMENT if none was set and there is no default.
 */
phicache_status phicache_config_get_disk_directory(phicache_config *config,
                                                   char *buffer,
                                                   size_t capacity,
                                                   size_t *out_len);

/**
 * Switches Redis for the MICE caches of `phicache_mice_cache_new`.
 *
 * @param config   [nullable] The configuration; NULL is the process default.
 * @param enabled  0 is off, any other number is on.
 */
phicache_status phicache_config_set_redis_cache(phicache_config *config, int32_t enabled);

/**
 * Tells whether `phicache_mice_cache_new` makes caches in Redis.
 *
 * @param config       [nullable] The configuration; NULL is the process default.
 * @param out_enabled  1 or 0.
 */
phicache_status phicache_config_get_redis_cache(phicache_config *config, int32_t *out_enabled);

/**
 * Sets the URL of the Redis server.
 *
 * | form | meaning |
 * |---|---|
 * | `redis://[user[:password]@]host[:port][/database]` | TCP |
 * | `rediss://…` | TLS over TCP |
 * | `redis://…@host:port,host:port,…` | a cluster: all its nodes, or some |
 * | `unix://[user[:password]@]/path[?db=1]` | a unix socket |
 *
 * Parameters follow after a `?`, joined by `&`: `db`, `user`, `pass`, `timeout_ms`, `cluster=yes`, and for TLS `ca`,
 * `cert` and `key` (files in PEM), `name` (the name that the server's certificate must have), `pin` (the SHA-256
 * fingerprint of the certificate that is trusted) and `verify=no`. Text may be percent-encoded.
 *
 * @param config  [nullable] The configuration; NULL is the process default.
 * @param url     The URL. No message contains it, since it may hold a password.
 */
phicache_status phicache_config_set_redis_url(phicache_config *config, const char *url);

/**
 * Gets the URL of the Redis server, with the password masked.
 *
 * @param config    [nullable] The configuration; NULL is the process default.
 * @param buffer    [nullable] Receives the text and a NUL; may be NULL if `capacity` is 0.
 * @param capacity  The size of the buffer in bytes.
 * @param out_len   The length of the text without its NUL, also if it does not fit.
 */
phicache_status phicache_config_get_redis_url(phicache_config *config, char *buffer, size_t capacity, size_t *out_len);

/**
 * Sets the namespace, the prefix of all keys of this library at the server.
 *
 * @param config  [nullable] The configuration; NULL is the process default.
 * @param name    1 to 64 of `A-Z a-z 0-9 _ . -`.
 */
phicache_status phicache_config_set_redis_namespace(phicache_config *config, const char *name);

/**
 * Gets the namespace.
 *
 * @param config    [nullable] The configuration; NULL is the process default.
 * @param buffer    [nullable] Receives the text and a NUL; may be NULL if `capacity` is 0.
 * @param capacity  The size of the buffer in bytes.
 * @param out_len   The length of the text without its NUL, also if it does not fit.
 */
phicache_status phicache_config_get_redis_namespace(phicache_config *config,
                                                    char *buffer,
                                                    size_t capacity,
                                                    size_t *out_len);

/**
 * Sets the login at the Redis server, instead of that in the URL.
 *
 * @param config    [nullable] The configuration; NULL is the process default.
 * @param user      [nullable] The user; NULL is that of the URL, or else the server's default user.
 * @param password  [nullable] The password; NULL is that of the URL, or else none. No message contains it.
 */
phicache_status phicache_config_set_redis_login(phicache_config *config, const char *user, const char *password);

/**
 * Sets the timeout of one operation at the Redis server, from its start to its last byte, including connecting and
 * logging in. Only resolving a host name may take longer.
 *
 * @param config        [nullable] The configuration; NULL is the process default.
 * @param milliseconds  1 to 3,600,000.
 */
phicache_status phicache_config_set_redis_timeout_ms(phicache_config *config, uint64_t milliseconds);

/**
 * Gets the timeout of one operation at the Redis server.
 *
 * @param config            [nullable] The configuration; NULL is the process default.
 * @param out_milliseconds  The milliseconds.
 */
phicache_status phicache_config_get_redis_timeout_ms(phicache_config *config, uint64_t *out_milliseconds);

/**
 * Gives caches in Redis the whole database, as in PyPhi. Applies to caches that are made from now on.
 *
 * Keys are stored as they are given, those of a shared cache after `{fingerprint}@role:`. `clear` of any cache is
 * FLUSHDB and CONFIG RESETSTAT, `size` is DBSIZE, and hits and misses are those of the server, for all its clients. A
 * MICE key is prefixed with `subsys:`, the identity of subsystem and cut, and `:`. A child looks up its own key and
 * then its parent's, every time. No other program may use the database.
 *
 * @param config   [nullable] The configuration; NULL is the process default.
 * @param enabled  0 is off, the default: caches use only the keys of the namespace. Any other number is on.
 */
phicache_status phicache_config_set_redis_whole_database(phicache_config *config, int32_t enabled);

/**
 * Tells whether new caches in Redis have the whole database.
 *
 * @param config       [nullable] The configuration; NULL is the process default.
 * @param out_enabled  1 or 0.
 */
phicache_status phicache_config_get_redis_whole_database(phicache_config *config, int32_t *out_enabled);

/* Keys and fingerprints -----------------------------------------------------------------------------------------------
 *
 * A key is any sequence of up to 2^31 - 1 bytes. The functions here make keys from arguments, in a canonical encoding,
 * version 2 (`docs/keys.md`): C, C++ and Julia make the same bytes from the same arguments. Equal argument lists have
 * equal keys, different ones have different keys. In untyped keys, numbers of equal value are equal, as in Python (`3`
 * and `3.0`, `1` and `true`); in typed keys they differ. One thread at a time may use a key builder.
 *
 * An argument that cannot be added is an error, and so is every key that the builder makes from then on, until it is
 * reset: without the argument it would be the key of another call. So it is enough to check the status of
 * `phicache_key_bytes`, or of the call that takes the builder.
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
 * Makes an empty list of arguments: a key builder.
 *
 * @param out  The builder. Free it with `phicache_key_free`.
 */
PHICACHE_MUST_USE phicache_status phicache_key_new(phicache_key **out);

/**
 * Frees a builder. The keys that it returned are not valid any more.
 *
 * @param key  [nullable] The builder.
 */
phicache_status phicache_key_free(phicache_key *key);

/**
 * Removes all arguments, but keeps the memory: a builder that is used again allocates nothing.
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
 * Adds a truth value. In an untyped key it equals 0 or 1.
 *
 * @param key    The builder.
 * @param value  0 is false, any other number is true.
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
 * Adds an unsigned integer. It equals the signed integer of the same value.
 *
 * @param key    The builder.
 * @param value  The integer.
 */
phicache_status phicache_key_add_uint(phicache_key *key, uint64_t value);

/**
 * Adds a double. -0.0 equals 0.0, and all NaNs are equal. In an untyped key it equals the integer of exactly the same
 * value.
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
 * Adds text. It never equals bytes.
 *
 * @param key   The builder.
 * @param utf8  The text in UTF-8; it may contain NULs.
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
 * Begins a tuple. Everything added until `phicache_key_end_tuple` is an item of it, in order. Nesting is limited to 64
 * levels.
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
 * Adds an array of doubles, such as a repertoire, as one element. It never equals a tuple of the same doubles. -0.0
 * equals 0.0, and all NaNs are equal. C++ and Julia make the same element from a vector of doubles.
 *
 * @param key     The builder.
 * @param values  [nullable] The doubles; may be NULL if `count` is 0.
 * @param count   The number of doubles.
 */
phicache_status phicache_key_add_doubles(phicache_key *key, const double *values, size_t count);

/**
 * Adds a tuple of integers: what `phicache_key_begin_tuple`, `phicache_key_add_int` for each and
 * `phicache_key_end_tuple` add, in one call. C++ and Julia make the same element from a vector of integers.
 *
 * @param key     The builder.
 * @param values  [nullable] The integers; may be NULL if `count` is 0.
 * @param count   The number of integers.
 */
phicache_status phicache_key_add_ints(phicache_key *key, const int64_t *values, size_t count);

/**
 * Begins a set. Everything added until `phicache_key_end_set` is an item of it, in any order; equal items count once.
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
 * Begins a value of a named type, such as an enum or a struct. Exactly one element is added until
 * `phicache_key_end_named`; use a tuple for several. The value equals neither that element alone nor the same element
 * under another name. Nesting is limited to 64 levels.
 *
 * @param key   The builder.
 * @param name  The name of the type; the same in all programs that share keys.
 */
phicache_status phicache_key_begin_named(phicache_key *key, const char *name);

/**
 * Ends the named type.
 *
 * @param key  The builder.
 */
phicache_status phicache_key_end_named(phicache_key *key);

/**
 * Names the argument that is added next. Named arguments come after all others, in any order, each name once.
 *
 * @param key   The builder.
 * @param name  The name.
 */
phicache_status phicache_key_add_keyword(phicache_key *key, const char *name);

/**
 * Makes the key of the arguments that were added so far.
 *
 * @param key    The builder.
 * @param typed  0: numbers of equal value are equal. Any other number: numbers of different types differ.
 * @param out    The key, valid until the builder is used again or freed.
 */
PHICACHE_MUST_USE phicache_status phicache_key_bytes(phicache_key *key, int32_t typed, phicache_bytes *out);

/**
 * Writes the key (prefix, direction, mechanism, purview), as a builder makes it, untyped. Takes a few nanoseconds.
 *
 * For a system without a cut. Results of a cut system differ under the same key: use `phicache_subsystem_key`, or a
 * cache for each cut.
 *
 * @param prefix     [nullable] The prefix; NULL is "none".
 * @param direction  `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
 * @param mechanism  The mechanism, as a node set.
 * @param purview    The purview, as a node set.
 * @param buffer     [nullable] Receives the key; may be NULL if `capacity` is 0.
 * @param capacity   The size of the buffer in bytes; `PHICACHE_KEY_BUFFER` is enough.
 * @param out_len    The length of the key, also if it does not fit.
 */
PHICACHE_MUST_USE
phicache_status phicache_key_repertoire(const char *prefix,
                                        int32_t direction,
                                        uint64_t mechanism,
                                        uint64_t purview,
                                        uint8_t *buffer,
                                        size_t capacity,
                                        size_t *out_len);

/**
 * Writes the key (prefix, direction, mechanism, candidate purviews), which PyPhi's `find_mice` uses.
 *
 * @param prefix     [nullable] The prefix; NULL is "none".
 * @param direction  `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
 * @param mechanism  The mechanism, as a node set.
 * @param purviews   [nullable] The candidates; their order matters. NULL with a count of 0 is no list, which differs
 *                   from an empty list.
 * @param count      The number of candidates.
 * @param buffer     [nullable] Receives the key; may be NULL if `capacity` is 0.
 * @param capacity   The size of the buffer in bytes; `PHICACHE_KEY_BUFFER` plus 9 for each candidate is enough.
 * @param out_len    The length of the key, also if it does not fit.
 */
PHICACHE_MUST_USE
phicache_status phicache_key_mice(const char *prefix,
                                  int32_t direction,
                                  uint64_t mechanism,
                                  const uint64_t *purviews,
                                  size_t count,
                                  uint8_t *buffer,
                                  size_t capacity,
                                  size_t *out_len);

/**
 * Identifies a network, and the way its results are computed.
 *
 * @param tpm          The transition probability matrix, state by node. It has 2^nodes rows: bit k of a row's number
 *                     is the state of node k. It has one column for each node: the probability, 0 to 1, that the
 *                     node is ON next. Any other number is an error.
 * @param nodes        The number of nodes, 1 to 64. The matrix must fit into memory.
 * @param layout       `PHICACHE_ROW_MAJOR` or `PHICACHE_COLUMN_MAJOR`.
 * @param connections  For each node, the set of nodes that it acts on. They are not compared with the TPM.
 * @param context      How results are computed: algorithm, measure, settings, version of the payloads. Not empty.
 *                     Programs that compute differently need different contexts, so that they do not read each other's
 *                     values.
 * @param out          The fingerprint.
 */
PHICACHE_MUST_USE
phicache_status phicache_network_fingerprint(const double *tpm,
                                             size_t nodes,
                                             int32_t layout,
                                             const uint64_t *connections,
                                             phicache_bytes context,
                                             phicache_fingerprint *out);

/* Any cache -----------------------------------------------------------------------------------------------------------
 *
 * `phicache_cache` is a cache of any type: the same handle, seen as another type by `phicache_…_cache_as_cache`. The
 * functions of this section work on all caches. All threads may call them at once. To free a cache, use the function
 * of its own type.
 *
 *     phicache_dict_cache *repertoires;
 *     phicache_cache *cache;
 *     phicache_info info;
 *     if (phicache_dict_cache_new(NULL, NULL, &repertoires) != PHICACHE_OK) return 1;
 *     phicache_dict_cache_as_cache(repertoires, &cache);
 *     if (phicache_cache_info(cache, &info) == PHICACHE_OK) use(info.hits, info.misses, info.size);
 *     phicache_dict_cache_free(repertoires);  // `cache` is not valid any more
 *
 * Verified mode finds keys that are too short. A key that lacks an argument makes two questions share one answer, and
 * no count shows it. A cache with `verify_every` in its options lets every n-th hit of `memoize`, of a memo, of a
 * method or of `phicache_cache_begin` be computed again, and compares the values, byte for byte or with `same`:
 *
 *     phicache_cache_options options = { 0 };
 *     phicache_dict_cache *cache;
 *     phicache_stats stats;
 *     options.struct_size = sizeof options;
 *     options.verify_every = 100;  // 1% of the hits
 *     if (phicache_dict_cache_new(NULL, &options, &cache) != PHICACHE_OK) return 1;
 *     use(cache);
 *     stats.struct_size = sizeof stats;
 *     if (phicache_dict_cache_stats(cache, &stats) == PHICACHE_OK && stats.differences > 0) puts("a key is too short");
 *     phicache_dict_cache_free(cache);
 *
 * A verified hit counts as a hit and in `verified`. If the values are equal, the call returns the one that the cache
 * has. If they differ, `differences` counts, `difference` is called, and the call returns the new value, which
 * replaces the old one; if its store is refused, the key has no value. If the computation fails, the call fails as on
 * a miss, and the cache keeps its value. Values that are inherited from a parent, or come from a server, are verified
 * too; the parent's value stays.
 *
 * The caller computes beside single flight: nobody waits for it. Hits of the same cache within that computation are
 * plain hits, so that a recursive function is computed again at one level, not at all levels below. Lookups of a cache
 * in verified mode do not take the fast path; a cache without it pays nothing.
 */

/**
 * Stores a copy of a value as `phicache_cache_set` does, and tells the cache what it would cost to compute it again. A
 * full cache evicts what costs the least computing time for each byte.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache    Any cache.
 * @param key      The key.
 * @param value    The value.
 * @param cost_ns  Nanoseconds of computing time; 0 is unknown, as in `phicache_cache_set`: the cache's mean.
 * @return OK, or the reason why the value was refused: then the key keeps the value that it had.
 */
phicache_status phicache_cache_set_with_cost(phicache_cache *cache,
                                             phicache_bytes key,
                                             phicache_bytes value,
                                             uint64_t cost_ns);

/**
 * Looks a key up. Counts a hit or a miss.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache  Any cache.
 * @param key    The key.
 * @param out    The value, pinned until `phicache_value_release`; zero on a miss.
 * @return OK or MISS.
 */
phicache_status phicache_cache_get(phicache_cache *cache, phicache_bytes key, phicache_value *out);

/**
 * Looks a key up, and copies its value. Counts a hit or a miss, but nothing if the buffer is too small.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache     Any cache.
 * @param key       The key.
 * @param buffer    [nullable] Receives the value; may be NULL if `capacity` is 0.
 * @param capacity  The size of the buffer in bytes.
 * @param out_len   The length of the value, also if it does not fit; 0 on a miss.
 * @return OK, MISS, or ERROR_BUFFER_TOO_SMALL.
 */
phicache_status phicache_cache_get_into(phicache_cache *cache,
                                        phicache_bytes key,
                                        uint8_t *buffer,
                                        size_t capacity,
                                        size_t *out_len);

/**
 * Tells whether a key has a value. Counts nothing. Note that OK, which means yes, is 0.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache  Any cache.
 * @param key    The key.
 * @return OK or MISS.
 */
phicache_status phicache_cache_contains(phicache_cache *cache, phicache_bytes key);

/**
 * Stores a copy of a value, and replaces the value that the key had. An empty value is a value.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache  Any cache.
 * @param key    The key.
 * @param value  The value.
 * @return OK, or the reason why the value was refused: then the key keeps the value that it had.
 */
phicache_status phicache_cache_set(phicache_cache *cache, phicache_bytes key, phicache_bytes value);

/**
 * Looks a key up. On a miss, calls `compute`, which writes the value straight into the cache. Counts a hit or a miss.
 *
 * If several threads request a missing key, one of them computes its value and the others wait. The value is returned
 * even if the cache could not store it; `out->origin` says whether it did.
 *
 * May wait for another thread or process that computes the value, and for the server or the file system, if the
 * values are there.
 *
 * @param cache          Any cache.
 * @param key            The key.
 * @param compute        Computes the value.
 * @param user_data      [nullable] Passed to `compute`.
 * @param call_data      [nullable] Passed to `compute`.
 * @param out            The value, pinned until `phicache_value_release`.
 * @param callback_code  [nullable] The code that `compute` returned, whatever the status; 0 if it was not called.
 * @return OK; ERROR_CALLBACK if `compute` did not return 0; the status of its last reservation if that failed. On an
 *         error nothing is stored.
 */
phicache_status phicache_cache_memoize(phicache_cache *cache,
                                       phicache_bytes key,
                                       phicache_compute compute,
                                       void *user_data,
                                       void *call_data,
                                       phicache_value *out,
                                       int32_t *callback_code);

/**
 * Removes a value. If it is pinned, it stays valid until it is released.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache  Any cache.
 * @param key    The key.
 * @return OK, or MISS if the key had no value.
 */
phicache_status phicache_cache_remove(phicache_cache *cache, phicache_bytes key);

/**
 * Removes all values, and sets all counts to zero. Pinned values stay valid until they are released.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache  Any cache.
 */
phicache_status phicache_cache_clear(phicache_cache *cache);

/**
 * Gets the number of values.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache     Any cache.
 * @param out_size  The number.
 */
phicache_status phicache_cache_size(phicache_cache *cache, uint64_t *out_size);

/**
 * Gets hits, misses and size.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache  Any cache.
 * @param out    The figures.
 */
phicache_status phicache_cache_info(phicache_cache *cache, phicache_info *out);

/**
 * Gets all statistics.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache  Any cache.
 * @param out    The statistics. Set `struct_size` first.
 */
phicache_status phicache_cache_stats(phicache_cache *cache, phicache_stats *out);

/**
 * Makes the key of a call: the prefix, then the arguments, untyped. (PyPhi's `DictCache.key`.)
 *
 * @param cache   Any cache.
 * @param prefix  [nullable] The prefix; NULL is "none", as in PyPhi.
 * @param args    The arguments.
 * @param out     The key, valid until `args` is used again or freed.
 */
PHICACHE_MUST_USE
phicache_status phicache_cache_key(phicache_cache *cache,
                                   const char *prefix,
                                   phicache_key *args,
                                   phicache_bytes *out);

/* Reading in place, and many at once ----------------------------------------------------------------------------------
 *
 * A value from `phicache_cache_get` is pinned until it is released. To look at values briefly, a read section is
 * cheaper: a value from `phicache_cache_read` stays valid, in place, until the section ends, and needs no release.
 *
 *     phicache_read_begin();
 *     for (size_t i = 0; i < count; i++) {
 *         phicache_bytes value;
 *         if (phicache_cache_read(cache, keys[i], &value) == PHICACHE_OK) use(value);
 *     }
 *     phicache_read_end();
 *
 * A section belongs to the thread that began it. Sections nest. Keep them short: while one is open, no memory that any
 * thread retires is freed. If a thread ends, its sections end too.
 *
 * A thread that looks many keys up in one cache fills a reader first. Its lookups find the thread and the cache at
 * once:
 *
 *     phicache_reader reader;
 *     double phi;
 *     size_t len;
 *     if (phicache_reader_init(&reader, cache) != PHICACHE_OK) return 1;
 *     for (size_t i = 0; i < count; i++) {
 *         if (phicache_reader_copy(&reader, keys[i], (uint8_t *)&phi, sizeof phi, &len) == PHICACHE_OK) use(&phi, len);
 *     }
 *     phicache_reader_release(&reader);
 *
 * The batch functions prefetch the entries of several keys at a time, which hides most of the latency of memory. In a
 * large cache they are several times as fast as single lookups.
 */

/** Begins a read section of the calling thread. */
phicache_status phicache_read_begin(void);

/**
 * Ends the read section that the calling thread began last. If it is the outermost, what was read in it is not valid
 * any more.
 *
 * @return OK; ERROR_INVALID_ARGUMENT if this thread is in no read section.
 */
phicache_status phicache_read_end(void);

/**
 * Looks a key up in a read section. Counts a hit or a miss.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache  Any cache.
 * @param key    The key.
 * @param out    The value, in place, at 16-byte alignment. Valid until this thread's outermost read section ends. Zero
 *               on a miss; the pointer of an empty value is not NULL.
 * @return OK or MISS; ERROR_INVALID_ARGUMENT outside a read section; ERROR_UNSUPPORTED for a Redis cache, and for a
 *         MICE cache in Redis that has the whole database.
 */
phicache_status phicache_cache_read(phicache_cache *cache, phicache_bytes key, phicache_bytes *out);

/**
 * Fills a reader: lookups of the calling thread in this cache. The reader holds a share of the cache, which lives
 * until the last share is released, also if its handle is freed.
 *
 * @param reader  The reader: a struct of the caller's, which must not be copied or moved. It can be used until its
 *                thread ends. Release it with `phicache_reader_release`; what was in the struct before is lost.
 * @param cache   Any cache.
 * @return OK; ERROR_INVALID_ARGUMENT if this thread is ending.
 */
phicache_status phicache_reader_init(phicache_reader *reader, phicache_cache *cache);

/**
 * Looks a key up in a read section, as `phicache_cache_read` does.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param reader  The reader, in the thread that filled it.
 * @param key     The key.
 * @param out     The value, in place. Valid until this thread's outermost read section ends. Zero on a miss.
 * @return OK or MISS; ERROR_INVALID_ARGUMENT outside a read section, and in another thread; ERROR_UNSUPPORTED for
 *         caches that `phicache_cache_read` does not support.
 */
phicache_status phicache_reader_read(phicache_reader *reader, phicache_bytes key, phicache_bytes *out);

/**
 * Looks a key up and copies its value, as `phicache_cache_get_into` does.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param reader    The reader, in the thread that filled it.
 * @param key       The key.
 * @param buffer    [nullable] Receives the value; may be NULL if `capacity` is 0.
 * @param capacity  The size of the buffer in bytes.
 * @param out_len   The length of the value, also if it does not fit; 0 on a miss.
 * @return OK, MISS, or ERROR_BUFFER_TOO_SMALL; ERROR_INVALID_ARGUMENT in another thread.
 */
phicache_status phicache_reader_copy(phicache_reader *reader,
                                     phicache_bytes key,
                                     uint8_t *buffer,
                                     size_t capacity,
                                     size_t *out_len);

/**
 * Releases a reader and its share of the cache, and zeroes the struct. Any thread may call it.
 *
 * @param reader  [nullable] The reader. Nothing happens if the struct is zero.
 */
void phicache_reader_release(phicache_reader *reader);

/**
 * Looks many keys up in a read section. Counts a hit or a miss for each key, unless its lookup failed.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache      Any cache.
 * @param keys       The keys.
 * @param count      The number of keys.
 * @param out        `count` values, in place, valid until this thread's outermost read section ends. A missing value
 *                   is zero, and its pointer is NULL. Valid also on an error.
 * @param out_found  [nullable] The number of values that were found, also on an error.
 * @return OK, also if some or all keys have no value; ERROR_INVALID_ARGUMENT outside a read section; another error if
 *         the lookup of one or more keys failed.
 */
phicache_status phicache_cache_read_many(phicache_cache *cache,
                                         const phicache_bytes *keys,
                                         size_t count,
                                         phicache_bytes *out,
                                         size_t *out_found);

/**
 * Looks many keys up. Counts a hit or a miss for each. If the lookup of some keys fails, the values that were found
 * are still returned, and only those are counted.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache      Any cache.
 * @param keys       The keys.
 * @param count      The number of keys.
 * @param out        `count` values, each pinned until `phicache_value_release`. A missing value is zero, and its
 *                   pointer is NULL. Valid also on an error.
 * @param out_found  [nullable] The number of values that were found, also on an error.
 * @return OK, also if some or all keys have no value; an error if the lookup of one or more keys failed.
 */
phicache_status phicache_cache_get_many(phicache_cache *cache,
                                        const phicache_bytes *keys,
                                        size_t count,
                                        phicache_value *out,
                                        size_t *out_found);

/**
 * Stores copies of many values. In Redis this takes one round trip, a part of which may fail: a node of a cluster is
 * down, or the server runs out of memory half-way. If the server does not reply, it may or may not have stored the
 * values.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache         Any cache.
 * @param keys          The keys.
 * @param values        `count` values.
 * @param count         The number of keys.
 * @param out_statuses  [nullable] `count` statuses: for each key, what `phicache_cache_set` would return. If the call
 *                      itself fails (invalid arguments, a failure inside the library), each is the status of the call.
 *                      A status is OK only if the value was stored.
 * @return OK, also if some values were refused; otherwise the first error in the order of the keys. The statuses say
 *         what happened to each key.
 */
phicache_status phicache_cache_set_many(phicache_cache *cache,
                                        const phicache_bytes *keys,
                                        const phicache_bytes *values,
                                        size_t count,
                                        phicache_status *out_statuses);

/* Keys in parts -------------------------------------------------------------------------------------------------------
 *
 * A key that is two repertoires, or a name and an array, need not be copied together first. These functions join the
 * parts, on the stack up to 1 KiB:
 *
 *     double p[4] = { 0.25, 0.25, 0.25, 0.25 }, q[4] = { 1, 0, 0, 0 };
 *     phicache_bytes parts[2] = { { (const uint8_t *)p, sizeof p }, { (const uint8_t *)q, sizeof q } };
 *     phicache_value distance;
 *     if (phicache_cache_memoize_parts(cache, parts, 2, compute, NULL, NULL, &distance, NULL) == PHICACHE_OK) {
 *         use(distance.data, distance.len);
 *         phicache_value_release(&distance);
 *     }
 *
 * The key is the bytes of the parts, one after another, and nothing else. So the parts {1}, {2, 3} and the parts {1,
 * 2}, {3} are one key, and `phicache_cache_get` finds its value by the key {1, 2, 3}. Where the lengths may differ,
 * add a part that tells them apart. The C++ and Julia interfaces add the length of each part, 32 bits little-endian,
 * as one more part.
 */

/**
 * Looks a key up as `phicache_cache_get` does.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache  Any cache.
 * @param parts  The parts of the key. An empty part adds nothing.
 * @param count  The number of parts.
 * @param out    The value, pinned until `phicache_value_release`; zero on a miss.
 * @return OK or MISS.
 */
phicache_status phicache_cache_get_parts(phicache_cache *cache,
                                         const phicache_bytes *parts,
                                         size_t count,
                                         phicache_value *out);

/**
 * Looks a key up and copies its value, as `phicache_cache_get_into` does.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache     Any cache.
 * @param parts     The parts of the key. An empty part adds nothing.
 * @param count     The number of parts.
 * @param buffer    [nullable] Receives the value; may be NULL if `capacity` is 0.
 * @param capacity  The size of the buffer in bytes.
 * @param out_len   The length of the value, also if it does not fit; 0 on a miss.
 * @return OK, MISS, or ERROR_BUFFER_TOO_SMALL.
 */
phicache_status phicache_cache_get_into_parts(phicache_cache *cache,
                                              const phicache_bytes *parts,
                                              size_t count,
                                              uint8_t *buffer,
                                              size_t capacity,
                                              size_t *out_len);

/**
 * Stores a copy of a value as `phicache_cache_set` does.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache  Any cache.
 * @param parts  The parts of the key. An empty part adds nothing.
 * @param count  The number of parts.
 * @param value  The value.
 * @return OK, or the reason why the value was refused: then the key keeps the value that it had.
 */
phicache_status phicache_cache_set_parts(phicache_cache *cache,
                                         const phicache_bytes *parts,
                                         size_t count,
                                         phicache_bytes value);

/**
 * Looks a key up, and computes its value on a miss, as `phicache_cache_memoize` does. The callback gets the joined
 * key.
 *
 * May wait for another thread or process that computes the value, and for the server or the file system, if the
 * values are there.
 *
 * @param cache          Any cache.
 * @param parts          The parts of the key. An empty part adds nothing.
 * @param count          The number of parts.
 * @param compute        Computes the value.
 * @param user_data      [nullable] Passed to `compute`.
 * @param call_data      [nullable] Passed to `compute`.
 * @param out            The value, pinned until `phicache_value_release`.
 * @param callback_code  [nullable] The code that `compute` returned, whatever the status; 0 if it was not called.
 * @return OK; ERROR_CALLBACK if `compute` did not return 0; the status of its last reservation if that failed. On an
 *         error nothing is stored.
 */
phicache_status phicache_cache_memoize_parts(phicache_cache *cache,
                                             const phicache_bytes *parts,
                                             size_t count,
                                             phicache_compute compute,
                                             void *user_data,
                                             void *call_data,
                                             phicache_value *out,
                                             int32_t *callback_code);

/* Flat calls ----------------------------------------------------------------------------------------------------------
 *
 * The lookups of "Any cache" with a pointer and a length in place of each `phicache_bytes`, for callers to which a
 * struct by value is expensive or unknown: Python's ctypes, Julia's ccall, Fortran, and other foreign-function
 * interfaces. They do the same, and as fast.
 *
 *     double phi = 0.25;
 *     size_t len;
 *     if (phicache_cache_set_flat(cache, key.data, key.len, (uint8_t *)&phi, sizeof phi) != PHICACHE_OK) return 1;
 *     if (phicache_cache_get_into_flat(cache, key.data, key.len, (uint8_t *)&phi, sizeof phi, &len) == PHICACHE_OK) {
 *         use(phi);
 *     }
 */

/**
 * Looks a key up and copies its value, as `phicache_cache_get_into` does.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache     Any cache.
 * @param key       [nullable] The key; may be NULL if `key_len` is 0.
 * @param key_len   The length of the key.
 * @param buffer    [nullable] Receives the value; may be NULL if `capacity` is 0.
 * @param capacity  The size of the buffer in bytes.
 * @param out_len   The length of the value, also if it does not fit; 0 on a miss.
 * @return OK, MISS, or ERROR_BUFFER_TOO_SMALL.
 */
phicache_status phicache_cache_get_into_flat(phicache_cache *cache,
                                             const uint8_t *key,
                                             size_t key_len,
                                             uint8_t *buffer,
                                             size_t capacity,
                                             size_t *out_len);

/**
 * Looks a key up in a read section, as `phicache_cache_read` does.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache     Any cache.
 * @param key       [nullable] The key; may be NULL if `key_len` is 0.
 * @param key_len   The length of the key.
 * @param out_data  The value's first byte, in place, valid until this thread's outermost read section ends; NULL on a
 *                  miss, and only then.
 * @param out_len   The length of the value; 0 on a miss.
 * @return OK or MISS; ERROR_INVALID_ARGUMENT outside a read section; ERROR_UNSUPPORTED for caches that
 *         `phicache_cache_read` does not support.
 */
phicache_status phicache_cache_read_flat(phicache_cache *cache,
                                         const uint8_t *key,
                                         size_t key_len,
                                         const uint8_t **out_data,
                                         size_t *out_len);

/**
 * Tells whether a key has a value, as `phicache_cache_contains` does: OK, which means yes, is 0.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache    Any cache.
 * @param key      [nullable] The key; may be NULL if `key_len` is 0.
 * @param key_len  The length of the key.
 * @return OK or MISS.
 */
phicache_status phicache_cache_contains_flat(phicache_cache *cache, const uint8_t *key, size_t key_len);

/**
 * Stores a copy of a value, as `phicache_cache_set` does.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache      Any cache.
 * @param key        [nullable] The key; may be NULL if `key_len` is 0.
 * @param key_len    The length of the key.
 * @param value      [nullable] The value; may be NULL if `value_len` is 0.
 * @param value_len  The length of the value.
 * @return OK, or the reason why the value was refused: then the key keeps the value that it had.
 */
phicache_status phicache_cache_set_flat(phicache_cache *cache,
                                        const uint8_t *key,
                                        size_t key_len,
                                        const uint8_t *value,
                                        size_t value_len);

/**
 * Looks a key up, and computes its value on a miss, as `phicache_cache_memoize` does. The callback gets its key as a
 * struct all the same.
 *
 * May wait for another thread or process that computes the value, and for the server or the file system, if the
 * values are there.
 *
 * @param cache          Any cache.
 * @param key            [nullable] The key; may be NULL if `key_len` is 0.
 * @param key_len        The length of the key.
 * @param compute        Computes the value.
 * @param user_data      [nullable] Passed to `compute`.
 * @param call_data      [nullable] Passed to `compute`.
 * @param out            The value, pinned until `phicache_value_release`.
 * @param callback_code  [nullable] The code that `compute` returned, whatever the status; 0 if it was not called.
 * @return OK; ERROR_CALLBACK if `compute` did not return 0; the status of its last reservation if that failed. On an
 *         error nothing is stored.
 */
phicache_status phicache_cache_memoize_flat(phicache_cache *cache,
                                            const uint8_t *key,
                                            size_t key_len,
                                            phicache_compute compute,
                                            void *user_data,
                                            void *call_data,
                                            phicache_value *out,
                                            int32_t *callback_code);

/* Entries -------------------------------------------------------------------------------------------------------------
 *
 * What a cache holds, without a trace in its counts: one value with `phicache_cache_peek`, or all entries with a walk.
 * A walk calls a function with each entry (`phicache_cache_for_each`), or returns the entries one by one
 * (`phicache_walk_next`).
 *
 * Other threads read and change the cache during a walk. Readers never wait for it, writers for a moment. The walk
 * sees each entry that is there from its beginning to its end exactly once, in no particular order. It sees an entry
 * that is added, replaced or removed meanwhile at most once; one that has just been removed may still come. No lock is
 * held and no read section is open between two entries, so the program may do anything then, also change or clear the
 * cache.
 *
 *     phicache_walk *walk;
 *     phicache_entry entry;
 *     phicache_value value;
 *     uint64_t bytes = 0;
 *     entry.struct_size = sizeof entry;
 *     if (phicache_walk_new(cache, &walk) != PHICACHE_OK) return 1;
 *     while (phicache_walk_next(walk, &entry, &value) == PHICACHE_OK) {
 *         if (entry.key.len == 3) bytes += entry.bytes;
 *         phicache_value_release(&value);
 *     }
 *     phicache_walk_free(walk);
 *     use(bytes);
 */

/**
 * Looks a key up. Counts nothing, and does not make the entry count as used.
 *
 * A Redis cache asks its server if this process does not have the value. The cache counts nothing, but a server that
 * counts lookups itself does (see `phicache_config_set_redis_whole_database`).
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache  Any cache.
 * @param key    The key.
 * @param out    The value, pinned until `phicache_value_release`; zero on a miss.
 * @return OK or MISS.
 */
phicache_status phicache_cache_peek(phicache_cache *cache, phicache_bytes key, phicache_value *out);

/**
 * Calls a function with each entry of a cache in this process or on disk. Counts nothing. The entries that a MICE
 * cache inherits are its parent's, and do not come.
 *
 * May wait for the file system, if the values are there.
 *
 * @param cache          A cache in this process or on disk.
 * @param visit          Called with each entry.
 * @param user_data      [nullable] Passed to `visit`.
 * @param callback_code  [nullable] The code other than 0 with which `visit` ended the walk; 0 if the walk came to its
 *                       end.
 * @return OK, also if `visit` ended the walk; ERROR_UNSUPPORTED for a cache in Redis: its entries are at the server;
 *         ERROR_OUT_OF_MEMORY in the middle of a walk if an allocation fails.
 */
phicache_status phicache_cache_for_each(phicache_cache *cache,
                                        phicache_visit visit,
                                        void *user_data,
                                        int32_t *callback_code);

/**
 * Begins a walk through a cache in this process or on disk. The cache may be freed during the walk, which then
 * continues with the entries that the cache had. One thread at a time uses the walk.
 *
 * May wait for the file system, if the values are there.
 *
 * @param cache  A cache in this process or on disk.
 * @param out    The walk. Free it with `phicache_walk_free`.
 * @return OK; ERROR_UNSUPPORTED for a cache in Redis: its entries are at the server.
 */
PHICACHE_MUST_USE phicache_status phicache_walk_new(phicache_cache *cache, phicache_walk **out);

/**
 * Gets the next entry. Counts nothing.
 *
 * May wait for the file system, if the values are there.
 *
 * @param walk       The walk.
 * @param out_entry  The entry; set `struct_size` first. Its key is valid until `out` is released.
 * @param out        The value, pinned until `phicache_value_release`: release it before the next call.
 * @return OK; MISS after the last entry, with zero outputs; ERROR_OUT_OF_MEMORY if an allocation fails: the next call
 *         continues the walk.
 */
phicache_status phicache_walk_next(phicache_walk *walk, phicache_entry *out_entry, phicache_value *out);

/**
 * Ends a walk. Values that it returned stay valid until they are released.
 *
 * @param walk  [nullable] The walk.
 */
phicache_status phicache_walk_free(phicache_walk *walk);

/* Compute callbacks ---------------------------------------------------------------------------------------------------
 *
 * A compute callback runs on a miss. It writes the value with the functions of this section, straight into the entry
 * that the cache will store. (A value of up to 32 bytes is copied there when the callback has returned.)
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
 * Reserves the bytes of the value, for the callback to write: zero-filled, at 16-byte alignment.
 *
 * A second call starts over. A callback that never calls this makes an empty value. The bytes may be written until the
 * callback returns. If the last reservation fails, nothing is cached, and the caller of the cache gets the same
 * status, whatever the callback returns; `callback_code` is still what the callback returned.
 *
 * @param result  The callback's result.
 * @param len     The number of bytes.
 * @param out     The first byte.
 */
phicache_status phicache_result_reserve(phicache_result *result, size_t len, uint8_t **out);

/**
 * As `phicache_result_reserve`, but the bytes are not zeroed. Faster for a callback that writes all of them.
 *
 * A byte that is neither written nor cut off by `phicache_result_truncate` has whatever value the memory held before.
 * It is stored and returned as part of the value, also to other processes.
 *
 * @param result  The callback's result.
 * @param len     The number of bytes.
 * @param out     The first byte.
 */
phicache_status phicache_result_reserve_uninitialized(phicache_result *result, size_t len, uint8_t **out);

/**
 * Shortens the value to its first `len` bytes.
 *
 * @param result  The callback's result.
 * @param len     The number of bytes to keep; at most the number that was reserved.
 */
phicache_status phicache_result_truncate(phicache_result *result, size_t len);

/**
 * Makes the value a MICE record, as MICE caches store it.
 *
 * The payload is copied from `mice`. If its `data` is NULL, its `len` bytes are reserved, zero-filled, for the
 * callback to write. A second call starts over; its payload may be that of the first, if φ is known only afterwards. A
 * failure has the same effect as one of `phicache_result_reserve`.
 *
 * @param result       The callback's result.
 * @param mice         The MICE. Set `struct_size` first.
 * @param out_payload  [nullable] The first byte of the payload, which may be written until the callback returns. NULL
 *                     only if `mice` has the payload, or its length is 0.
 */
phicache_status phicache_result_mice(phicache_result *result, const phicache_mice *mice, uint8_t **out_payload);

/* Dict cache ----------------------------------------------------------------------------------------------------------
 *
 * PyPhi's `DictCache`: values by keys, both bytes. It stores values until it is full. All threads may call the
 * functions at once.
 *
 *     phicache_dict_cache *cache;
 *     phicache_value value;
 *     double phi = 0.25;
 *     phicache_bytes key = { (const uint8_t *)"phi", 3 }, bytes = { (const uint8_t *)&phi, sizeof phi };
 *     if (phicache_dict_cache_new(NULL, NULL, &cache) != PHICACHE_OK) return 1;
 *     if (phicache_dict_cache_set(cache, key, bytes) == PHICACHE_REFUSED_MEMORY) puts("memory is full: not stored");
 *     if (phicache_dict_cache_get(cache, key, &value) == PHICACHE_OK) {
 *         use(value.data, value.len);
 *         phicache_value_release(&value);
 *     }
 *     phicache_dict_cache_free(cache);
 *
 * A cache that keeps the most valuable results of a long run in 64 MiB:
 *
 *     phicache_cache_options options = { 0 };
 *     phicache_dict_cache *cache;
 *     options.struct_size = sizeof options;
 *     options.max_bytes = 64 << 20;
 *     options.on_full = PHICACHE_ON_FULL_EVICT;
 *     if (phicache_dict_cache_new(NULL, &options, &cache) != PHICACHE_OK) return 1;
 *     use(cache);
 *     phicache_dict_cache_free(cache);
 */

/**
 * Makes an empty cache.
 *
 * @param config   [nullable] The configuration; NULL is the process default.
 * @param options  [nullable] Name and limit; NULL is no name and no limit.
 * @param out      The cache. Free it with `phicache_dict_cache_free`.
 */
PHICACHE_MUST_USE
phicache_status phicache_dict_cache_new(phicache_config *config,
                                        const phicache_cache_options *options,
                                        phicache_dict_cache **out);

/**
 * Gets a handle to the cache of this identity and role, which all its holders share. The first call makes the cache;
 * freeing the last handle destroys it.
 *
 * @param config       [nullable] The configuration; NULL is the process default. The same for all holders.
 * @param options      [nullable] Name and limit; NULL is no name and no limit. The same for all holders.
 * @param fingerprint  The identity, such as that of a network or a subsystem.
 * @param role         What the values are, such as "repertoires".
 * @param out          This holder's handle. Free it with `phicache_dict_cache_free`.
 */
PHICACHE_MUST_USE
phicache_status phicache_dict_cache_shared(phicache_config *config,
                                           const phicache_cache_options *options,
                                           const phicache_fingerprint *fingerprint,
                                           const char *role,
                                           phicache_dict_cache **out);

/**
 * Destroys the cache. Pinned values stay valid, and so do memos that use it.
 *
 * @param cache  [nullable] The cache.
 */
phicache_status phicache_dict_cache_free(phicache_dict_cache *cache);

/**
 * Looks a key up. Counts a hit or a miss.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @param out    The value, pinned until `phicache_value_release`; zero on a miss.
 * @return OK or MISS.
 */
phicache_status phicache_dict_cache_get(phicache_dict_cache *cache, phicache_bytes key, phicache_value *out);

/**
 * Looks a key up, and copies its value. Counts a hit or a miss, but nothing if the buffer is too small.
 *
 * @param cache     The cache.
 * @param key       The key.
 * @param buffer    [nullable] Receives the value; may be NULL if `capacity` is 0.
 * @param capacity  The size of the buffer in bytes.
 * @param out_len   The length of the value, also if it does not fit; 0 on a miss.
 * @return OK, MISS, or ERROR_BUFFER_TOO_SMALL.
 */
phicache_status phicache_dict_cache_get_into(phicache_dict_cache *cache,
                                             phicache_bytes key,
                                             uint8_t *buffer,
                                             size_t capacity,
                                             size_t *out_len);

/**
 * Tells whether a key has a value. Counts nothing. Note that OK, which means yes, is 0.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @return OK or MISS.
 */
phicache_status phicache_dict_cache_contains(phicache_dict_cache *cache, phicache_bytes key);

/**
 * Stores a copy of a value, and replaces the value that the key had. An empty value is a value.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @param value  The value.
 * @return OK, or the reason why the value was refused: then the key keeps the value that it had.
 */
phicache_status phicache_dict_cache_set(phicache_dict_cache *cache, phicache_bytes key, phicache_bytes value);

/**
 * Looks a key up. On a miss, calls `compute`, which writes the value straight into the cache. Counts a hit or a miss.
 *
 * If several threads request a missing key, one of them computes its value and the others wait. The value is returned
 * even if the cache could not store it; `out->origin` says whether it did.
 *
 * May wait for another thread that computes the value.
 *
 * @param cache          The cache.
 * @param key            The key.
 * @param compute        Computes the value.
 * @param user_data      [nullable] Passed to `compute`.
 * @param call_data      [nullable] Passed to `compute`.
 * @param out            The value, pinned until `phicache_value_release`.
 * @param callback_code  [nullable] The code that `compute` returned, whatever the status; 0 if it was not called.
 * @return OK; ERROR_CALLBACK if `compute` did not return 0; the status of its last reservation if that failed. On an
 *         error nothing is stored.
 */
phicache_status phicache_dict_cache_memoize(phicache_dict_cache *cache,
                                            phicache_bytes key,
                                            phicache_compute compute,
                                            void *user_data,
                                            void *call_data,
                                            phicache_value *out,
                                            int32_t *callback_code);

/**
 * Removes a value. If it is pinned, it stays valid until it is released.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @return OK, or MISS if the key had no value.
 */
phicache_status phicache_dict_cache_remove(phicache_dict_cache *cache, phicache_bytes key);

/**
 * Removes all values, and sets all counts to zero. Pinned values stay valid until they are released.
 *
 * @param cache  The cache.
 */
phicache_status phicache_dict_cache_clear(phicache_dict_cache *cache);

/**
 * Gets the number of values.
 *
 * @param cache     The cache.
 * @param out_size  The number.
 */
phicache_status phicache_dict_cache_size(phicache_dict_cache *cache, uint64_t *out_size);

/**
 * Gets hits, misses and size.
 *
 * @param cache  The cache.
 * @param out    The figures.
 */
phicache_status phicache_dict_cache_info(phicache_dict_cache *cache, phicache_info *out);

/**
 * Gets all statistics.
 *
 * @param cache  The cache.
 * @param out    The statistics. Set `struct_size` first.
 */
phicache_status phicache_dict_cache_stats(phicache_dict_cache *cache, phicache_stats *out);

/**
 * Makes the key of a call: the prefix, then the arguments, untyped. (PyPhi's `DictCache.key`.)
 *
 * @param cache   The cache.
 * @param prefix  [nullable] The prefix; NULL is "none", as in PyPhi.
 * @param args    The arguments.
 * @param out     The key, valid until `args` is used again or freed.
 */
PHICACHE_MUST_USE
phicache_status phicache_dict_cache_key(phicache_dict_cache *cache,
                                        const char *prefix,
                                        phicache_key *args,
                                        phicache_bytes *out);

/**
 * Gets the cache as a cache of any type, for memos, methods and the functions of "Any cache". The view owns nothing,
 * and is valid as long as the cache.
 *
 * @param cache  The cache.
 * @param out    The view.
 */
phicache_status phicache_dict_cache_as_cache(phicache_dict_cache *cache, phicache_cache **out);

/* Redis cache ---------------------------------------------------------------------------------------------------------
 *
 * PyPhi's `RedisCache`: values by keys, both bytes, at the configuration's Redis or Valkey server or cluster. All
 * processes that use the same namespace there share the values. All threads may call the functions at once. After
 * `fork`, parent and child may both use the cache; the child opens its own connections. There are no background
 * threads and no signals.
 *
 * By default a cache counts and removes only keys of its namespace, in small steps that do not block the server
 * (`docs/redis.md` describes the keys). It counts its own hits and misses. A cache of `phicache_redis_cache_new`
 * counts and clears the whole namespace, including MICE, as in PyPhi; a cache of `phicache_redis_cache_shared` only
 * the values of its system and role. Values that versions before 0.2 stored are neither read nor removed.
 *
 * Values in a namespace have a checksum of key and value. A value that is damaged, that another program stored, or
 * that belongs to another key is a miss, and counts in `damaged` of the statistics. With `options.no_checksum`, values
 * are stored as they are. Caches with and without it do not see each other's values.
 *
 * No operation takes longer than the timeout of the configuration (a batch over a cluster: an eighth longer). `clear`,
 * `size`, `info` and `stats` consist of many operations; they end after `options.scan_timeout_ms`, at most one
 * operation later.
 *
 * If a server cannot be reached, does not reply, or sends invalid replies, one operation waits for the timeout. Then
 * operations skip the server, for periods that double from 0.1 to 10 seconds, so a dead server costs almost nothing.
 * By default a lookup is then a miss, a store is REFUSED_SERVER, a size is 0, and `phicache_cache_redis_health` says
 * why; with `options.server_errors` each of these is ERROR_REDIS. A removal that fails is always an error: otherwise
 * the value could be read again. A value that was computed is always returned, whatever the server does.
 *
 * With `options.lease_ms`, one process computes a missing value, and `memoize` in the others waits for it. If that
 * process dies, the others wait for at most that time. A value that is completed later is not stored
 * (REFUSED_CLEARED).
 *
 * A part of a batch may fail, if a node of a cluster is down or a server runs out of memory half-way. Each key has a
 * status of its own, and the values that were found are returned.
 *
 * A value and its checksum are at most 512 MB long. A value of more than 64 KiB that is longer than
 * `options.max_bytes` is not fetched. In a cluster, all keys of one subsystem are on one node. This example finds its
 * value at the server, or computes it, even if the server is down:
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
 * Makes a cache at the configuration's server. Does not connect yet.
 *
 * @param config   [nullable] The configuration; NULL is the process default.
 * @param options  [nullable] Name, limits, and how to use the server; NULL is all defaults.
 * @param out      The cache. Free it with `phicache_redis_cache_free`.
 * @return OK; ERROR_UNSUPPORTED if the library was built without Redis.
 */
PHICACHE_MUST_USE
phicache_status phicache_redis_cache_new(phicache_config *config,
                                         const phicache_cache_options *options,
                                         phicache_redis_cache **out);

/**
 * Makes a cache for one identity and role: all caches of the namespace with the same identity and role share their
 * values. Clearing and counting are limited to these values.
 *
 * @param config       [nullable] The configuration; NULL is the process default.
 * @param options      [nullable] Name, limits, and how to use the server; NULL is all defaults.
 * @param fingerprint  The identity, such as that of a network or a subsystem.
 * @param role         What the values are, such as "repertoires".
 * @param out          The cache. Free it with `phicache_redis_cache_free`.
 * @return OK; ERROR_UNSUPPORTED if the library was built without Redis.
 */
PHICACHE_MUST_USE
phicache_status phicache_redis_cache_shared(phicache_config *config,
                                            const phicache_cache_options *options,
                                            const phicache_fingerprint *fingerprint,
                                            const char *role,
                                            phicache_redis_cache **out);

/**
 * Tells whether the configuration's server replies, by asking it now. All nodes of a cluster have to reply. (PyPhi's
 * `redis_available`.)
 *
 * May wait for the server.
 *
 * @param config         [nullable] The configuration; NULL is the process default.
 * @param timeout_ms     The most milliseconds to wait; 0 is the configuration's timeout.
 * @param out_available  1 or 0; 0 if the library was built without Redis.
 */
phicache_status phicache_redis_available(phicache_config *config, uint64_t timeout_ms, int32_t *out_available);

/**
 * As `phicache_redis_available`, but fails with a message if the server does not reply.
 *
 * May wait for the server.
 *
 * @param config      [nullable] The configuration; NULL is the process default.
 * @param timeout_ms  The most milliseconds to wait; 0 is the configuration's timeout.
 * @return OK; ERROR_REDIS; ERROR_UNSUPPORTED if the library was built without Redis.
 */
phicache_status phicache_redis_ping(phicache_config *config, uint64_t timeout_ms);

/**
 * Gets the health of a cache's server, as seen by all caches that have the same connection settings. Does not ask the
 * server.
 *
 * @param cache  A cache in Redis, as any cache.
 * @param out    The health. Set `struct_size` first.
 * @return OK; ERROR_INVALID_HANDLE if the cache is not in Redis.
 */
phicache_status phicache_cache_redis_health(phicache_cache *cache, phicache_redis_health *out);

/**
 * Destroys the cache. Pinned values stay valid, and so do memos that use it.
 *
 * @param cache  [nullable] The cache.
 */
phicache_status phicache_redis_cache_free(phicache_redis_cache *cache);

/**
 * Looks a key up. Counts a hit or a miss.
 *
 * May wait for the server.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @param out    The value, pinned until `phicache_value_release`; zero on a miss.
 * @return OK or MISS.
 */
phicache_status phicache_redis_cache_get(phicache_redis_cache *cache, phicache_bytes key, phicache_value *out);

/**
 * Looks a key up, and copies its value. Counts a hit or a miss, but nothing if the buffer is too small.
 *
 * May wait for the server.
 *
 * @param cache     The cache.
 * @param key       The key.
 * @param buffer    [nullable] Receives the value; may be NULL if `capacity` is 0.
 * @param capacity  The size of the buffer in bytes.
 * @param out_len   The length of the value, also if it does not fit; 0 on a miss.
 * @return OK, MISS, or ERROR_BUFFER_TOO_SMALL.
 */
phicache_status phicache_redis_cache_get_into(phicache_redis_cache *cache,
                                              phicache_bytes key,
                                              uint8_t *buffer,
                                              size_t capacity,
                                              size_t *out_len);

/**
 * Tells whether a key has a value. Counts nothing. Note that OK, which means yes, is 0.
 *
 * May wait for the server.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @return OK or MISS.
 */
phicache_status phicache_redis_cache_contains(phicache_redis_cache *cache, phicache_bytes key);

/**
 * Stores a copy of a value, and replaces the value that the key had. An empty value is a value.
 *
 * May wait for the server.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @param value  The value.
 * @return OK, or the reason why the value was refused: then the key keeps the value that it had.
 */
phicache_status phicache_redis_cache_set(phicache_redis_cache *cache, phicache_bytes key, phicache_bytes value);

/**
 * Looks a key up. On a miss, calls `compute`, which writes the value straight into the cache. Counts a hit or a miss.
 *
 * If several threads request a missing key, one of them computes its value and the others wait. The value is returned
 * even if the cache could not store it; `out->origin` says whether it did.
 *
 * May wait for another thread or process that computes the value, and for the server.
 *
 * @param cache          The cache.
 * @param key            The key.
 * @param compute        Computes the value.
 * @param user_data      [nullable] Passed to `compute`.
 * @param call_data      [nullable] Passed to `compute`.
 * @param out            The value, pinned until `phicache_value_release`.
 * @param callback_code  [nullable] The code that `compute` returned, whatever the status; 0 if it was not called.
 * @return OK; ERROR_CALLBACK if `compute` did not return 0; the status of its last reservation if that failed. On an
 *         error nothing is stored.
 */
phicache_status phicache_redis_cache_memoize(phicache_redis_cache *cache,
                                             phicache_bytes key,
                                             phicache_compute compute,
                                             void *user_data,
                                             void *call_data,
                                             phicache_value *out,
                                             int32_t *callback_code);

/**
 * Removes a value. If it is pinned, it stays valid until it is released.
 *
 * May wait for the server.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @return OK, or MISS if the key had no value.
 */
phicache_status phicache_redis_cache_remove(phicache_redis_cache *cache, phicache_bytes key);

/**
 * Removes all values, and sets all counts to zero. Pinned values stay valid until they are released.
 *
 * May wait for the server.
 *
 * @param cache  The cache.
 */
phicache_status phicache_redis_cache_clear(phicache_redis_cache *cache);

/**
 * Gets the number of values.
 *
 * May wait for the server.
 *
 * @param cache     The cache.
 * @param out_size  The number.
 */
phicache_status phicache_redis_cache_size(phicache_redis_cache *cache, uint64_t *out_size);

/**
 * Gets hits, misses and size.
 *
 * May wait for the server.
 *
 * @param cache  The cache.
 * @param out    The figures.
 */
phicache_status phicache_redis_cache_info(phicache_redis_cache *cache, phicache_info *out);

/**
 * Gets all statistics.
 *
 * May wait for the server.
 *
 * @param cache  The cache.
 * @param out    The statistics. Set `struct_size` first.
 */
phicache_status phicache_redis_cache_stats(phicache_redis_cache *cache, phicache_stats *out);

/**
 * Makes the key of a call: the prefix, then the arguments, untyped. (PyPhi's `DictCache.key`.)
 *
 * @param cache   The cache.
 * @param prefix  [nullable] The prefix; NULL is "none", as in PyPhi.
 * @param args    The arguments.
 * @param out     The key, valid until `args` is used again or freed.
 */
PHICACHE_MUST_USE
phicache_status phicache_redis_cache_key(phicache_redis_cache *cache,
                                         const char *prefix,
                                         phicache_key *args,
                                         phicache_bytes *out);

/**
 * Gets the cache as a cache of any type, for memos, methods and the functions of "Any cache". The view owns nothing,
 * and is valid as long as the cache.
 *
 * @param cache  The cache.
 * @param out    The view.
 */
phicache_status phicache_redis_cache_as_cache(phicache_redis_cache *cache, phicache_cache **out);

/* Disk cache ----------------------------------------------------------------------------------------------------------
 *
 * Values by keys, both bytes, in files: they outlive the process, and all processes that use the same directory share
 * them, also on a file system that several machines share. No server is needed. All threads may call the functions at
 * once. There are no background threads. `docs/disk-format.md` specifies the files.
 *
 * Each process appends to files of its own. The directory may be on a local disk, NFS or Lustre, as long as it belongs
 * to the user and nobody else may write into it. It is the configuration's (`phicache_config_set_disk_directory`,
 * `PHICACHE_DISK_DIRECTORY`); the default is the user's cache directory if that is on a local disk.
 *
 * A cache has an identity, which includes a context: how the values are computed. Two programs that compute
 * differently must not read each other's values, nor today's version of a program yesterday's: change the context when
 * the code changes. A memo on a disk cache needs a prefix with a version, such as "entropy@1", for the same reason.
 *
 * Values that are used again are kept in this process (`options.near_bytes`), where a hit costs as much as in a dict
 * cache. A value that another process stores is found once the next lookup that finds nothing has looked for new
 * records, at most every `options.refresh_ms`; on NFS, once the attribute cache of the mount has expired too. A value
 * that another process replaces or removes may still be returned from this process's memory.
 *
 * Of the processes that miss a key in `memoize`, in a memo or with leases, one computes it, and the others wait for
 * its value. If it ends without one, because its computation fails or it is killed, another one starts within two
 * seconds. On one host the system's file locks decide. For processes on several hosts, set `options.lease_ms` in all
 * of them: a lease then ends after that time if its host is gone. With 0, each host computes. If a computed value
 * cannot be stored, the others do not wait for each other. A file system without file locks makes every process
 * compute. Reading processes (`options.read_only`) do not wait, and computations that wait for each other in a circle
 * of processes are not noticed as such.
 *
 * `options.max_bytes` bounds all files in the directory, of all identities. The directory keeps the bound that was
 * asked for last, from the first store on; 0 asks for none, and 8 GiB count until somebody asks. Each process may
 * exceed it by the segment that it writes: a 64th of the bound, and at most 64 MiB. When the directory is full, whole
 * segments are removed: those with the least computing time per byte that have not been used for a long time. A value
 * may be up to a quarter of the bound.
 *
 * Each record has a checksum, which is verified whenever it is read. What is damaged, torn, or of another program is a
 * miss, and counts in `damaged` of the statistics. If a file operation fails, because the disk is full or a server is
 * gone, a lookup is a miss and a store is REFUSED_STORAGE; with `options.storage_errors` each of these is
 * ERROR_STORAGE. A removal that fails is always an error. A value that was computed is always returned.
 *
 * After a store has returned OK, the operating system has the value: a killed process loses nothing. After a power
 * cut, values of the last seconds may be missing, unless `options.sync` was set or `phicache_disk_sync` called. On
 * NFS, a failure to write may show only when the server is asked to sync.
 *
 * After `fork`, parent and child may both use the cache; the child writes a file of its own. A program that closes all
 * descriptors, as daemons do at their start, does so before it makes a cache: records would go into its own files.
 *
 *     phicache_disk_cache *cache;
 *     phicache_bytes context = { (const uint8_t *)"entropy of a channel, bits, version 1", 37 };
 *     phicache_value value;
 *     if (phicache_disk_cache_new(NULL, NULL, context, &cache) != PHICACHE_OK) return 1;
 *     if (phicache_disk_cache_memoize(cache, key, compute, NULL, NULL, &value, NULL) == PHICACHE_OK) {
 *         use(value.data, value.len);  // the next run of the program finds it
 *         phicache_value_release(&value);
 *     }
 *     phicache_disk_cache_free(cache);
 */

/**
 * Gets a handle to the cache of a context, in the configuration's directory. All handles of this process with the same
 * context and directory are of one cache. Freeing the last one ends the use of its file.
 *
 * May wait for the file system.
 *
 * @param config   [nullable] The configuration; NULL is the process default. The same for all handles.
 * @param options  [nullable] Name, limits, and how to use the directory; NULL is all defaults. The same for all
 *                 handles.
 * @param context  What the values are and how they are computed: algorithm, settings, version. Not empty.
 * @param out      The cache. Free it with `phicache_disk_cache_free`.
 * @return OK; ERROR_STORAGE if the directory cannot be made, or if others may write into it.
 */
PHICACHE_MUST_USE
phicache_status phicache_disk_cache_new(phicache_config *config,
                                        const phicache_cache_options *options,
                                        phicache_bytes context,
                                        phicache_disk_cache **out);

/**
 * Gets a handle to the cache of an identity and role, in the configuration's directory. All handles of this process
 * with the same identity, role and directory are of one cache.
 *
 * May wait for the file system.
 *
 * @param config       [nullable] The configuration; NULL is the process default. The same for all handles.
 * @param options      [nullable] Name, limits, and how to use the directory; NULL is all defaults. The same for all
 *                     handles.
 * @param fingerprint  The identity, such as that of a network or a subsystem, which includes a context.
 * @param role         What the values are, such as "repertoires".
 * @param out          The cache. Free it with `phicache_disk_cache_free`.
 * @return OK; ERROR_STORAGE if the directory cannot be made, or if others may write into it.
 */
PHICACHE_MUST_USE
phicache_status phicache_disk_cache_shared(phicache_config *config,
                                           const phicache_cache_options *options,
                                           const phicache_fingerprint *fingerprint,
                                           const char *role,
                                           phicache_disk_cache **out);

/**
 * Waits until all values that this process has stored in the cache are on the storage device, so that they survive a
 * power cut.
 *
 * May wait for the file system.
 *
 * @param cache  The cache.
 * @return OK; ERROR_STORAGE if the device or a server failed: values of the last seconds may be missing then.
 */
phicache_status phicache_disk_sync(phicache_disk_cache *cache);

/**
 * As `phicache_disk_sync`, for any cache on disk, such as a MICE cache.
 *
 * May wait for the file system.
 *
 * @param cache  A cache on disk.
 * @return OK; ERROR_INVALID_HANDLE if it is another type of cache; ERROR_STORAGE.
 */
phicache_status phicache_cache_disk_sync(phicache_cache *cache);

/**
 * Gets the state of a disk cache, as this process sees it.
 *
 * @param cache  A disk cache, as any cache.
 * @param out    The state. Set `struct_size` first.
 * @return OK; ERROR_INVALID_HANDLE if it is another type of cache.
 */
phicache_status phicache_cache_disk_health(phicache_cache *cache, phicache_disk_health *out);

/**
 * Lists what is in the directory of a configuration, ordered by identity and role.
 *
 * May wait for the file system.
 *
 * @param config     [nullable] The configuration; NULL is the process default.
 * @param verify     0 reads the files' own lists; any other number reads every record and every value.
 * @param items      [nullable] Receives the items; may be NULL if `capacity` is 0. Set `struct_size` of the first item
 *                   to `sizeof` of an item.
 * @param capacity   The number of items that fit.
 * @param out_count  The number of identities and roles, also if they do not fit.
 * @return OK; ERROR_BUFFER_TOO_SMALL; ERROR_STORAGE if the directory is missing or cannot be read.
 */
phicache_status phicache_disk_list(phicache_config *config,
                                   int32_t verify,
                                   phicache_disk_item *items,
                                   size_t capacity,
                                   size_t *out_count);

/**
 * Removes all values of an identity, of all roles, from the directory of a configuration. Processes that use it, this
 * one too, go on. They find the values no more once a lookup that finds nothing has looked for changes, at most every
 * `options.refresh_ms`; but those of which they have a copy in memory until they evict it, or clear their cache.
 *
 * May wait for the file system.
 *
 * @param config       [nullable] The configuration; NULL is the process default.
 * @param fingerprint  The identity.
 * @return OK, also if the directory has no values of it; ERROR_STORAGE.
 */
phicache_status phicache_disk_remove(phicache_config *config, const phicache_fingerprint *fingerprint);

/**
 * Destroys the cache. Pinned values stay valid, and so do memos that use it.
 *
 * @param cache  [nullable] The cache.
 */
phicache_status phicache_disk_cache_free(phicache_disk_cache *cache);

/**
 * Looks a key up. Counts a hit or a miss.
 *
 * May wait for the file system.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @param out    The value, pinned until `phicache_value_release`; zero on a miss.
 * @return OK or MISS.
 */
phicache_status phicache_disk_cache_get(phicache_disk_cache *cache, phicache_bytes key, phicache_value *out);

/**
 * Looks a key up, and copies its value. Counts a hit or a miss, but nothing if the buffer is too small.
 *
 * May wait for the file system.
 *
 * @param cache     The cache.
 * @param key       The key.
 * @param buffer    [nullable] Receives the value; may be NULL if `capacity` is 0.
 * @param capacity  The size of the buffer in bytes.
 * @param out_len   The length of the value, also if it does not fit; 0 on a miss.
 * @return OK, MISS, or ERROR_BUFFER_TOO_SMALL.
 */
phicache_status phicache_disk_cache_get_into(phicache_disk_cache *cache,
                                             phicache_bytes key,
                                             uint8_t *buffer,
                                             size_t capacity,
                                             size_t *out_len);

/**
 * Tells whether a key has a value. Counts nothing. Note that OK, which means yes, is 0.
 *
 * May wait for the file system.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @return OK or MISS.
 */
phicache_status phicache_disk_cache_contains(phicache_disk_cache *cache, phicache_bytes key);

/**
 * Stores a copy of a value, and replaces the value that the key had. An empty value is a value.
 *
 * May wait for the file system.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @param value  The value.
 * @return OK, or the reason why the value was refused: then the key keeps the value that it had.
 */
phicache_status phicache_disk_cache_set(phicache_disk_cache *cache, phicache_bytes key, phicache_bytes value);

/**
 * Looks a key up. On a miss, calls `compute`, which writes the value straight into the cache. Counts a hit or a miss.
 *
 * If several threads request a missing key, one of them computes its value and the others wait. The value is returned
 * even if the cache could not store it; `out->origin` says whether it did.
 *
 * May wait for another thread or process that computes the value, and for the file system.
 *
 * @param cache          The cache.
 * @param key            The key.
 * @param compute        Computes the value.
 * @param user_data      [nullable] Passed to `compute`.
 * @param call_data      [nullable] Passed to `compute`.
 * @param out            The value, pinned until `phicache_value_release`.
 * @param callback_code  [nullable] The code that `compute` returned, whatever the status; 0 if it was not called.
 * @return OK; ERROR_CALLBACK if `compute` did not return 0; the status of its last reservation if that failed. On an
 *         error nothing is stored.
 */
phicache_status phicache_disk_cache_memoize(phicache_disk_cache *cache,
                                            phicache_bytes key,
                                            phicache_compute compute,
                                            void *user_data,
                                            void *call_data,
                                            phicache_value *out,
                                            int32_t *callback_code);

/**
 * Removes a value. If it is pinned, it stays valid until it is released.
 *
 * May wait for the file system.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @return OK, or MISS if the key had no value.
 */
phicache_status phicache_disk_cache_remove(phicache_disk_cache *cache, phicache_bytes key);

/**
 * Removes all values, and sets all counts to zero. Pinned values stay valid until they are released.
 *
 * May wait for the file system.
 *
 * @param cache  The cache.
 */
phicache_status phicache_disk_cache_clear(phicache_disk_cache *cache);

/**
 * Gets the number of values.
 *
 * May wait for the file system.
 *
 * @param cache     The cache.
 * @param out_size  The number.
 */
phicache_status phicache_disk_cache_size(phicache_disk_cache *cache, uint64_t *out_size);

/**
 * Gets hits, misses and size.
 *
 * May wait for the file system.
 *
 * @param cache  The cache.
 * @param out    The figures.
 */
phicache_status phicache_disk_cache_info(phicache_disk_cache *cache, phicache_info *out);

/**
 * Gets all statistics.
 *
 * May wait for the file system.
 *
 * @param cache  The cache.
 * @param out    The statistics. Set `struct_size` first.
 */
phicache_status phicache_disk_cache_stats(phicache_disk_cache *cache, phicache_stats *out);

/**
 * Makes the key of a call: the prefix, then the arguments, untyped. (PyPhi's `DictCache.key`.)
 *
 * @param cache   The cache.
 * @param prefix  [nullable] The prefix; NULL is "none", as in PyPhi.
 * @param args    The arguments.
 * @param out     The key, valid until `args` is used again or freed.
 */
PHICACHE_MUST_USE
phicache_status phicache_disk_cache_key(phicache_disk_cache *cache,
                                        const char *prefix,
                                        phicache_key *args,
                                        phicache_bytes *out);

/**
 * Gets the cache as a cache of any type, for memos, methods and the functions of "Any cache". The view owns nothing,
 * and is valid as long as the cache.
 *
 * @param cache  The cache.
 * @param out    The view.
 */
phicache_status phicache_disk_cache_as_cache(phicache_disk_cache *cache, phicache_cache **out);

/* Purview cache -------------------------------------------------------------------------------------------------------
 *
 * PyPhi's `PurviewCache`: for a direction and a mechanism of a network, the list of candidate purviews, as node sets,
 * in the order in which they were given. It stores lists only while purview caching is on. All threads may call the
 * functions at once.
 *
 * A key is the direction and the mechanism alone. So make a cache for each network, and store the candidates among all
 * of its nodes, or make one for each subsystem.
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
 * @param options  [nullable] Name and limit; NULL is no name and no limit.
 * @param out      The cache. Free it with `phicache_purview_cache_free`.
 */
PHICACHE_MUST_USE
phicache_status phicache_purview_cache_new(phicache_config *config,
                                           const phicache_cache_options *options,
                                           phicache_purview_cache **out);

/**
 * Destroys the cache. Pinned values stay valid.
 *
 * @param cache  [nullable] The cache.
 */
phicache_status phicache_purview_cache_free(phicache_purview_cache *cache);

/**
 * Looks up the purviews of a mechanism. Counts a hit or a miss.
 *
 * @param cache         The cache.
 * @param direction     `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
 * @param mechanism     The mechanism, as a node set.
 * @param out_purviews  The purviews, valid until `out` is released; NULL on a miss.
 * @param out_count     The number of purviews.
 * @param out           Keeps the purviews. Release it with `phicache_value_release`.
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
 * @param purviews   [nullable] The purviews; may be NULL if `count` is 0. An empty list is a value.
 * @param count      The number of purviews.
 * @return OK, or the reason why the list was refused: then the mechanism keeps the list that it had.
 */
phicache_status phicache_purview_cache_set(phicache_purview_cache *cache,
                                           int32_t direction,
                                           uint64_t mechanism,
                                           const uint64_t *purviews,
                                           size_t count);

/**
 * Looks up the purviews of a mechanism. On a miss, calls `compute`, which writes them as an array of `uint64_t` node
 * sets. Counts a hit or a miss.
 *
 * May wait for another thread that computes the value.
 *
 * @param cache          The cache.
 * @param direction      `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
 * @param mechanism      The mechanism, as a node set.
 * @param compute        Computes the purviews. A size that is not a multiple of 8 is an error.
 * @param user_data      [nullable] Passed to `compute`.
 * @param call_data      [nullable] Passed to `compute`.
 * @param out_purviews   The purviews, valid until `out` is released.
 * @param out_count      The number of purviews.
 * @param out            Keeps the purviews. Release it with `phicache_value_release`.
 * @param callback_code  [nullable] The code that `compute` returned, whatever the status; 0 if it was not called.
 * @return OK; ERROR_CALLBACK if `compute` did not return 0; the status of its last reservation if that failed. On an
 *         error nothing is stored.
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
 * Removes all values, and sets all counts to zero. Pinned values stay valid until they are released.
 *
 * @param cache  The cache.
 */
phicache_status phicache_purview_cache_clear(phicache_purview_cache *cache);

/**
 * Gets the number of values.
 *
 * @param cache     The cache.
 * @param out_size  The number.
 */
phicache_status phicache_purview_cache_size(phicache_purview_cache *cache, uint64_t *out_size);

/**
 * Gets hits, misses and size.
 *
 * @param cache  The cache.
 * @param out    The figures.
 */
phicache_status phicache_purview_cache_info(phicache_purview_cache *cache, phicache_info *out);

/**
 * Gets all statistics.
 *
 * @param cache  The cache.
 * @param out    The statistics. Set `struct_size` first.
 */
phicache_status phicache_purview_cache_stats(phicache_purview_cache *cache, phicache_stats *out);

/**
 * Gets the cache as a cache of any type, for memos, methods and the functions of "Any cache". The view owns nothing,
 * and is valid as long as the cache.
 *
 * @param cache  The cache.
 * @param out    The view.
 */
phicache_status phicache_purview_cache_as_cache(phicache_purview_cache *cache, phicache_cache **out);

/* Memo and method -----------------------------------------------------------------------------------------------------
 *
 * A memo is a function with its cache (PyPhi's `cache` decorator). A method is a function that keeps its values in the
 * cache of the object that it is called on (PyPhi's `method` decorator). All threads may call them at once; one thread
 * at a time may use a list of arguments.
 *
 * A function may call its own memo for other arguments. On a stack of 8 MiB such calls nest 20,000 levels deep: the
 * library takes at most 256 bytes for each level, in addition to the function's own frame. The same holds for
 * `memoize` and methods.
 *
 *     phicache_memo *entropy;
 *     phicache_key *arguments;
 *     phicache_value value;
 *     double p[] = { 0.25, 0.75 };
 *     if (phicache_memo_new(NULL, compute, NULL, NULL, PHICACHE_MEMORY_CONFIGURED, 0, NULL, NULL, &entropy) !=
 *             PHICACHE_OK || phicache_key_new(&arguments) != PHICACHE_OK) return 1;
 *     phicache_key_add_doubles(arguments, p, 2);
 *     if (phicache_memo_call(entropy, arguments, p, &value, NULL) == PHICACHE_OK) {  // compute gets p as its call_data
 *         use(value.data, value.len);
 *         phicache_value_release(&value);
 *     }
 *     phicache_key_free(arguments);
 *     phicache_memo_free(entropy);
 */

/** For a method: bypass the cache while repertoire caching is off in the cache's configuration. */
#define PHICACHE_METHOD_REPERTOIRE 1

/**
 * Makes a memo.
 *
 * @param config                  [nullable] The configuration; NULL is the process default.
 * @param compute                 Computes a value of the function.
 * @param user_data               [nullable] Passed to `compute` in every call.
 * @param drop                    [nullable] Frees `user_data`. Called once: after the last call of the function has
 *                                ended, or when this call fails.
 * @param maximum_memory_percent  0 to 100; 0 stores nothing. Or `PHICACHE_MEMORY_UNLIMITED`, or
 *                                `PHICACHE_MEMORY_CONFIGURED`. If `cache` is given, its own limit applies too; if it
 *                                is in Redis or on disk, a percentage is an ERROR_INVALID_ARGUMENT.
 * @param typed                   0: arguments of equal value are equal. Any other number: numbers of different types
 *                                differ.
 * @param cache                   [nullable] The cache to use; its handle may be freed afterwards. NULL makes a private
 *                                dict cache.
 * @param prefix                  [nullable] Separates the values of several memos that use one cache. Two memos with
 *                                the same prefix on one cache are an error, and so is a prefix without a cache.
 * @param out                     The memo. Free it with `phicache_memo_free`.
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
 * Destroys the memo, and its cache if that is private. Pinned values stay valid.
 *
 * @param memo  [nullable] The memo.
 */
phicache_status phicache_memo_free(phicache_memo *memo);

/**
 * Gets the function's value for these arguments, which is computed on a miss. Counts a hit or a miss.
 *
 * May wait for another thread or process that computes the value, and for the server or the file system, if the
 * values are there.
 *
 * @param memo           The memo.
 * @param args           The arguments.
 * @param call_data      [nullable] Passed to the function; for example the unpacked arguments.
 * @param out            The value, pinned until `phicache_value_release`; `out->origin` says where it came from.
 * @param callback_code  [nullable] The code that the function returned, whatever the status; 0 if it was not called.
 * @return OK; ERROR_CALLBACK if the function did not return 0; the status of its last reservation if that failed. On
 *         an error nothing is stored.
 */
phicache_status phicache_memo_call(phicache_memo *memo,
                                   phicache_key *args,
                                   void *call_data,
                                   phicache_value *out,
                                   int32_t *callback_code);

/**
 * Gets the function's value as `phicache_memo_call` does, by the key of the arguments: without a list of arguments,
 * for callers that encode arguments themselves (`docs/keys.md`).
 *
 * May wait for another thread or process that computes the value, and for the server or the file system, if the
 * values are there.
 *
 * @param memo           The memo.
 * @param args           The key of the arguments, as `phicache_key_bytes` makes it, typed as the memo is. Read before
 *                       the function is called, not afterwards.
 * @param call_data      [nullable] Passed to the function; for example the unpacked arguments.
 * @param out            The value, pinned until `phicache_value_release`; `out->origin` says where it came from.
 * @param callback_code  [nullable] The code that the function returned, whatever the status; 0 if it was not called.
 * @return OK; ERROR_CALLBACK if the function did not return 0; the status of its last reservation if that failed. On
 *         an error nothing is stored.
 */
phicache_status phicache_memo_call_key(phicache_memo *memo,
                                       const phicache_bytes *args,
                                       void *call_data,
                                       phicache_value *out,
                                       int32_t *callback_code);

/**
 * Gets the memo's own hits and misses, and the size of its cache.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param memo  The memo.
 * @param out   The figures.
 */
phicache_status phicache_memo_info(phicache_memo *memo, phicache_info *out);

/**
 * Clears the memo's cache, also for all others that use it, and sets the memo's counts to zero.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param memo  The memo.
 */
phicache_status phicache_memo_clear(phicache_memo *memo);

/**
 * Gets the function and its user data, to call it without the cache.
 *
 * @param memo           The memo.
 * @param out_compute    The function.
 * @param out_user_data  Its user data, valid as long as the memo.
 */
phicache_status phicache_memo_wrapped(phicache_memo *memo, phicache_compute *out_compute, void **out_user_data);

/**
 * Makes a method: a function and a prefix, under which caches keep its values.
 *
 * @param prefix     [nullable] The first element of each key, before the arguments; NULL is "none". Functions with
 *                   one prefix would read each other's values where they use one cache: a call that finds no value
 *                   there is an error if another method, or a memo, has used the prefix on that cache and still
 *                   exists.
 * @param flags      0, or `PHICACHE_METHOD_REPERTOIRE`.
 * @param compute    Computes a value of the function; its `call_data` is the object.
 * @param user_data  [nullable] Passed to `compute` in every call.
 * @param drop       [nullable] Frees `user_data`. Called once: after the last call of the function has ended, or when
 *                   this call fails.
 * @param out        The method. Free it with `phicache_method_free`.
 */
PHICACHE_MUST_USE
phicache_status phicache_method_new(const char *prefix,
                                    uint32_t flags,
                                    phicache_compute compute,
                                    void *user_data,
                                    phicache_drop drop,
                                    phicache_method **out);

/**
 * Destroys the method. The caches keep its values.
 *
 * @param method  [nullable] The method.
 */
phicache_status phicache_method_free(phicache_method *method);

/**
 * Gets the method's value for an object and arguments, from the object's cache, or computed on a miss.
 *
 * The key is that of `phicache_cache_key` for the method's prefix and the arguments. It does not contain the object,
 * so objects with one cache read each other's values. A call that bypasses the cache looks up, stores and counts
 * nothing; its `out->origin` is NOT_STORED and REFUSED_DISABLED.
 *
 * May wait for another thread or process that computes the value, and for the server or the file system, if the
 * values are there.
 *
 * @param method         The method.
 * @param cache          The object's cache.
 * @param object         [nullable] The object, passed to the function as its `call_data`.
 * @param args           The arguments.
 * @param out            The value, pinned until `phicache_value_release`; `out->origin` says where it came from.
 * @param callback_code  [nullable] The code that the function returned, whatever the status; 0 if it was not called.
 * @return OK; ERROR_CALLBACK if the function did not return 0; the status of its last reservation if that failed. On
 *         an error nothing is stored.
 */
phicache_status phicache_method_call(phicache_method *method,
                                     phicache_cache *cache,
                                     void *object,
                                     phicache_key *args,
                                     phicache_value *out,
                                     int32_t *callback_code);

/**
 * Gets the method's value as `phicache_method_call` does, by the key of the arguments: without a list of arguments,
 * for callers that encode arguments themselves (`docs/keys.md`).
 *
 * May wait for another thread or process that computes the value, and for the server or the file system, if the
 * values are there.
 *
 * @param method         The method.
 * @param cache          The object's cache.
 * @param object         [nullable] The object, passed to the function as its `call_data`.
 * @param args           The untyped key of the arguments, as `phicache_key_bytes` makes it. Read before the function
 *                       is called, not afterwards.
 * @param out            The value, pinned until `phicache_value_release`; `out->origin` says where it came from.
 * @param callback_code  [nullable] The code that the function returned, whatever the status; 0 if it was not called.
 * @return OK; ERROR_CALLBACK if the function did not return 0; the status of its last reservation if that failed. On
 *         an error nothing is stored.
 */
phicache_status phicache_method_call_key(phicache_method *method,
                                         phicache_cache *cache,
                                         void *object,
                                         const phicache_bytes *args,
                                         phicache_value *out,
                                         int32_t *callback_code);

/* Subsystems and cuts -------------------------------------------------------------------------------------------------
 *
 * A cut is an array of node sets, one for each node of the network. Bit j of `severed[i]` says that the connection
 * from node i to node j is severed. NULL is no cut; a cut that severs nothing is still a cut. A network has up to 64
 * nodes.
 *
 * A subsystem consists of the identity of an uncut system (network and context, state, nodes), and a cut or none. It
 * never changes. All threads may use it at once.
 *
 *     const double tpm[] = { 0, 0,  0, 1,  1, 0,  1, 1 };  // each of two nodes copies the other
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
 *         use(key, len);  // contains the severed connection; the key of the effect would be that of the uncut system
 *     phicache_subsystem_free(cut);
 *     phicache_subsystem_free(uncut);
 */

/**
 * Makes the cut that severs all connections from one part to another.
 *
 * @param size         Nodes of the network, 1 to 64.
 * @param from         The part where the connections begin, as a node set.
 * @param to           The part where they end, as a node set. It shares no node with `from`.
 * @param out_severed  `size` node sets.
 */
PHICACHE_MUST_USE
phicache_status phicache_cut_bipartition(size_t size,
                                         uint64_t from,
                                         uint64_t to,
                                         uint64_t *out_severed);

/**
 * Makes the cut of a matrix: it severs the connection from i to j if the entry at row i and column j is not 0.
 *
 * @param size         Nodes of the network, 1 to 64.
 * @param matrix       `size` x `size` entries.
 * @param layout       `PHICACHE_ROW_MAJOR` or `PHICACHE_COLUMN_MAJOR`.
 * @param out_severed  `size` node sets.
 */
PHICACHE_MUST_USE
phicache_status phicache_cut_matrix(size_t size,
                                    const uint8_t *matrix,
                                    int32_t layout,
                                    uint64_t *out_severed);

/**
 * Makes the cut of a K-partition (PyPhi's `KCut`). For each part, it severs the connections from its sources (the
 * purview for a cause, the mechanism for an effect) to all nodes of the partition but its targets (the mechanism for a
 * cause, the purview for an effect).
 *
 * @param size         Nodes of the network, 1 to 64.
 * @param direction    `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
 * @param mechanisms   The mechanism of each part, as a node set. Those of two parts share no node.
 * @param purviews     The purview of each part, as a node set. Those of two parts share no node.
 * @param parts        The number of parts, 1 or more.
 * @param out_severed  `size` node sets.
 */
PHICACHE_MUST_USE
phicache_status phicache_cut_partition(size_t size,
                                       int32_t direction,
                                       const uint64_t *mechanisms,
                                       const uint64_t *purviews,
                                       size_t parts,
                                       uint64_t *out_severed);

/**
 * Tells whether a cut damages the MICE of a mechanism over a purview. It does if it severs a connection within the
 * mechanism, or one from purview to mechanism (cause) or from mechanism to purview (effect).
 *
 * @param size         Nodes of the network, 1 to 64.
 * @param severed      [nullable] The cut: `size` node sets. NULL is no cut, which damages nothing.
 * @param direction    `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
 * @param mechanism    The mechanism, as a node set: nodes of the network.
 * @param purview      The purview, as a node set: nodes of the network.
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
 * @param network      The fingerprint of network and context.
 * @param size         Nodes of the network, 1 to 64: those of the TPM. Checked if this process made the fingerprint.
 * @param state        The state of each node of the network, 0 (OFF) or 1 (ON).
 * @param nodes        The nodes of the subsystem, as a node set. It may be empty: PyPhi has such subsystems
 *                     too, and their φ is 0.
 * @param connections  [nullable] For each node of the network, the set of nodes that it acts on. If given,
 *                     `phicache_subsystem_key` omits severed connections that do not exist in the network, so give
 *                     those of the fingerprint: with fewer, different cuts have equal keys. The wrong way round (the
 *                     nodes that act on each node) they are an error, if this process made the fingerprint. They do
 *                     not affect whether a cut damages a MICE. NULL: all nodes are connected.
 * @param severed      [nullable] The cut: `size` node sets. NULL is no cut. Keys and damage depend only on severed
 *                     connections within the subsystem: a result may not depend on others.
 * @param out          The subsystem. Free it with `phicache_subsystem_free`.
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
 * Makes the same system with another cut, or uncut.
 *
 * @param subsystem  The subsystem. Its own cut is ignored.
 * @param severed    [nullable] The cut: one node set for each node of the network. NULL is no cut.
 * @param out        The new subsystem. Free it with `phicache_subsystem_free`.
 */
PHICACHE_MUST_USE
phicache_status phicache_subsystem_cut(phicache_subsystem *subsystem,
                                       const uint64_t *severed,
                                       phicache_subsystem **out);

/**
 * Frees a subsystem. Caches that were made for it do not need it.
 *
 * @param subsystem  [nullable] The subsystem.
 */
phicache_status phicache_subsystem_free(phicache_subsystem *subsystem);

/**
 * Gets the identity of the uncut system: network and context, state, nodes. All cuts of a system have the same
 * identity.
 *
 * @param subsystem  The subsystem.
 * @param out        The fingerprint.
 */
PHICACHE_MUST_USE
phicache_status phicache_subsystem_fingerprint(phicache_subsystem *subsystem,
                                               phicache_fingerprint *out);

/**
 * Gets the number of nodes of the network, which is the number of node sets in a cut.
 *
 * @param subsystem  The subsystem.
 * @param out_size   The number.
 */
phicache_status phicache_subsystem_size(phicache_subsystem *subsystem, size_t *out_size);

/**
 * Gets the nodes of a subsystem.
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
 * Tells whether the cut of a subsystem damages the MICE of a mechanism over a purview, as `phicache_cut_damages` does.
 *
 * @param subsystem    The subsystem.
 * @param direction    `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
 * @param mechanism    The mechanism, as a node set: nodes of the subsystem.
 * @param purview      The purview, as a node set: nodes of the subsystem.
 * @param out_damaged  1 or 0.
 */
phicache_status phicache_subsystem_damages(phicache_subsystem *subsystem,
                                           int32_t direction,
                                           uint64_t mechanism,
                                           uint64_t purview,
                                           int32_t *out_damaged);

/**
 * Writes a cut-scoped key, for a result that is computed from a mechanism and a purview (a repertoire, a small φ).
 *
 * It is the key of `phicache_key_repertoire`, (prefix, direction, mechanism, purview), followed by the severed
 * connections from purview to mechanism (cause) or from mechanism to purview (effect), if there are any. Nothing else
 * about a cut affects such a result, so all cuts of a system may share one cache under these keys. Only if the order
 * of a sum depends on the cut may a result differ, by rounding.
 *
 * The key does not contain the network, its state, or the nodes of the system: other systems need other caches, such
 * as that of `phicache_dict_cache_shared`, `phicache_disk_cache_shared` or `phicache_redis_cache_shared` for the
 * fingerprint of the subsystem.
 *
 * @param subsystem  The subsystem.
 * @param prefix     [nullable] The name of the result; NULL is "none".
 * @param direction  `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
 * @param mechanism  The mechanism, as a node set: nodes of the subsystem.
 * @param purview    The purview, as a node set: nodes of the subsystem.
 * @param buffer     [nullable] Receives the key; may be NULL if `capacity` is 0.
 * @param capacity   The size of the buffer in bytes; `PHICACHE_KEY_BUFFER` is enough.
 * @param out_len    The length of the key, also if it does not fit.
 */
PHICACHE_MUST_USE
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
 * PyPhi's `MICECache`: the maximally irreducible causes and effects (MICE) of one subsystem. It stores a MICE only if
 * the subsystem is uncut, φ is positive, and memory is not full. Otherwise the status says which of these conditions
 * failed first, in this order.
 *
 * A cache may have a parent: a cache of the same system, uncut. If the child has no value for a key, it looks the key
 * up in its parent, and returns that MICE unless its own cut damages it. The child is a live view: making it copies
 * nothing, and takes the same time however much the parent holds. It sees what the parent stores later. If the parent
 * is cleared or freed, existing children keep what they inherit; a full parent that evicts removes that first. A chain
 * of parents has at most 64 caches. Clearing a child detaches it from its parent permanently. Lookups of a child do
 * not change the counts of its parent.
 *
 * What a child inherits is exact for cuts that divide all nodes of the system in two parts. A cut that severs only
 * some of the connections between two parts can raise the φ of another purview above that of the MICE, which the child
 * still returns, as in PyPhi. Compute the MICE of such cuts in caches without a parent.
 *
 * A cache may be in Redis (see "Redis cache"). Processes then share what they store. Of the conditions above only the
 * cut applies: a MICE with φ ≤ 0 is stored. The cache also keeps every record that it fetched or stored in this
 * process, within `max_bytes` and the memory limit, so that it is fetched only once. A cut subsystem fetches its
 * parent's record, and remembers if the cut damages it. A record that is damaged, or that belongs to another key, is a
 * miss.
 *
 * A cache may be on disk (see "Disk cache"), where later runs find the values too. The same holds as in Redis. In
 * both, what the parent clears is gone for its children, too.
 *
 * A key may be any bytes. `phicache_key_mice` writes the standard key; a MICE of another direction or mechanism is
 * never stored under it. Values are records (`docs/mice-format.md`). All threads may call the functions at once.
 *
 *     phicache_mice_cache *parent, *child;
 *     phicache_bytes key = { (const uint8_t *)"key", 3 };
 *     phicache_mice mice = { sizeof mice, PHICACHE_EFFECT, 0, 0x2, 0x1, 0.5, { NULL, 0 } };
 *     phicache_value record;
 *     if (phicache_mice_cache_new(NULL, NULL, uncut, NULL, &parent) != PHICACHE_OK ||
 *         phicache_mice_cache_new(NULL, NULL, cut, parent, &child) != PHICACHE_OK) return 1;
 *     phicache_mice_cache_set(parent, key, &mice);
 *     if (phicache_mice_cache_get(child, key, &mice, &record) == PHICACHE_OK) {  // unless the cut damages it
 *         use(mice.phi, mice.purview, mice.payload);
 *         phicache_value_release(&record);
 *     }
 *     phicache_mice_cache_free(child);
 *     phicache_mice_cache_free(parent);
 */

/**
 * Makes a cache where its parent is, or, without a parent, where the configuration says: in Redis
 * (`phicache_config_set_redis_cache`), on disk if a directory was set (`phicache_config_set_disk_directory`), else in
 * this process. Redis and a directory together are an error: choose one, or call the function of one of them.
 *
 * `options.max_bytes` bounds the memory of the cache in this process, wherever the values are. Only together with
 * `options.near_bytes` it bounds the directory, as in `phicache_disk_mice_cache_new`.
 *
 * May wait for the file system, if the values are there.
 *
 * @param config     [nullable] The configuration; NULL is the process default.
 * @param options    [nullable] Name and limit; NULL is no name and no limit.
 * @param subsystem  The subsystem of the MICE; it may be freed afterwards.
 * @param parent     [nullable] The cache to inherit from, of the same system, uncut; it may be freed afterwards.
 * @param out        The cache. Free it with `phicache_mice_cache_free`.
 */
PHICACHE_MUST_USE
phicache_status phicache_mice_cache_new(phicache_config *config,
                                        const phicache_cache_options *options,
                                        phicache_subsystem *subsystem,
                                        phicache_mice_cache *parent,
                                        phicache_mice_cache **out);

/**
 * Makes an empty MICE cache in this process, whatever the configuration says. Its type is
 * `phicache_mice_cache`.
 *
 * @param config     [nullable] The configuration; NULL is the process default.
 * @param options    [nullable] Name and limit; NULL is no name and no limit.
 * @param subsystem  The subsystem of the MICE; it may be freed afterwards.
 * @param parent     [nullable] The cache to inherit from, of the same system, uncut; it may be freed afterwards.
 * @param out        The cache. Free it with `phicache_mice_cache_free`.
 */
PHICACHE_MUST_USE
phicache_status phicache_dict_mice_cache_new(phicache_config *config,
                                             const phicache_cache_options *options,
                                             phicache_subsystem *subsystem,
                                             phicache_mice_cache *parent,
                                             phicache_mice_cache **out);

/**
 * Makes a MICE cache at the configuration's Redis server. Its type is `phicache_mice_cache`: all functions of this
 * section work on it. Processes that compute the same system in the same context share its values. Does not connect
 * yet.
 *
 * @param config     [nullable] The configuration; NULL is the process default.
 * @param options    [nullable] Name, limits, and how to use the server; NULL is all defaults.
 * @param subsystem  The subsystem of the MICE; it may be freed afterwards.
 * @param parent     [nullable] The cache to inherit from, in Redis, of the same system, uncut; it may be freed
 *                   afterwards.
 * @param out        The cache. Free it with `phicache_mice_cache_free`.
 * @return OK; ERROR_UNSUPPORTED if the library was built without Redis.
 */
PHICACHE_MUST_USE
phicache_status phicache_redis_mice_cache_new(phicache_config *config,
                                              const phicache_cache_options *options,
                                              phicache_subsystem *subsystem,
                                              phicache_mice_cache *parent,
                                              phicache_mice_cache **out);

/**
 * Makes a MICE cache in the configuration's directory (see "Disk cache"). Its type is `phicache_mice_cache`: all
 * functions of this section work on it. Processes that compute the same system in the same context share its values,
 * and later runs find them. All caches of this process for the same system, uncut, in the same directory are one.
 *
 * May wait for the file system.
 *
 * @param config     [nullable] The configuration; NULL is the process default. The same for all caches of the system.
 * @param options    [nullable] Name, limits, and how to use the directory; NULL is all defaults. The same for all
 *                   caches of the system, uncut. The cache of a cut subsystem uses its parent's directory as that
 *                   does.
 * @param subsystem  The subsystem of the MICE; it may be freed afterwards.
 * @param parent     [nullable] The cache to inherit from, on disk, of the same system, uncut; it may be freed
 *                   afterwards.
 * @param out        The cache. Free it with `phicache_mice_cache_free`.
 * @return OK; ERROR_STORAGE if the directory cannot be made, or if others may write into it.
 */
PHICACHE_MUST_USE
phicache_status phicache_disk_mice_cache_new(phicache_config *config,
                                             const phicache_cache_options *options,
                                             phicache_subsystem *subsystem,
                                             phicache_mice_cache *parent,
                                             phicache_mice_cache **out);

/**
 * Destroys the cache. Pinned values stay valid, and children keep what they inherit.
 *
 * @param cache  [nullable] The cache.
 */
phicache_status phicache_mice_cache_free(phicache_mice_cache *cache);

/**
 * Looks a MICE up, also in the parents. Counts a hit or a miss.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache     The cache.
 * @param key       The key.
 * @param out_mice  The MICE. Set `struct_size` first. Its payload is valid until `out` is released.
 * @param out       The record, pinned until `phicache_value_release`; zero on a miss.
 * @return OK or MISS.
 */
phicache_status phicache_mice_cache_get(phicache_mice_cache *cache,
                                        phicache_bytes key,
                                        phicache_mice *out_mice,
                                        phicache_value *out);

/**
 * Stores a copy of a MICE, unless the cut, φ or memory refuse it. ERROR_INVALID_ARGUMENT if the MICE has nodes that
 * are not in the subsystem, or contradicts its standard key (another direction or mechanism, or a purview that is not
 * a candidate). An empty purview fits every list of candidates.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @param mice   The MICE. Set `struct_size` first.
 * @return OK, REFUSED_CUT, REFUSED_PHI, REFUSED_MEMORY or REFUSED_CAPACITY; in Redis OK, also if the server failed and
 *         only this process has the MICE, REFUSED_CUT, or REFUSED_SERVER if it has no room for it either; on disk OK,
 *         REFUSED_CUT, REFUSED_STORAGE, REFUSED_DISABLED, or REFUSED_CAPACITY for more than a quarter of the bound.
 */
phicache_status phicache_mice_cache_set(phicache_mice_cache *cache, phicache_bytes key, const phicache_mice *mice);

/**
 * Tells whether `phicache_mice_cache_set` would refuse every MICE with this φ, before you prepare its payload. Counts
 * nothing. After OK, `set` may still refuse a MICE for which there is no room, or because the file system fails.
 *
 * @param cache  The cache.
 * @param phi    The φ; NaN is an error.
 * @return OK, REFUSED_CUT, REFUSED_PHI or REFUSED_MEMORY; on disk OK, REFUSED_CUT, or, if it is read only,
 *         REFUSED_DISABLED; in Redis OK or REFUSED_CUT.
 */
phicache_status phicache_mice_cache_would_store(phicache_mice_cache *cache, double phi);

/**
 * Looks a MICE up, also in the parents. On a miss, calls `compute`, which writes it with `phicache_result_mice`.
 * Counts a hit or a miss.
 *
 * The MICE is returned even if the cache could not store it; `out->origin` says whether it did.
 *
 * May wait for another thread or process that computes the value, and for the server or the file system, if the
 * values are there.
 *
 * @param cache          The cache.
 * @param key            The key.
 * @param compute        Computes the MICE.
 * @param user_data      [nullable] Passed to `compute`.
 * @param call_data      [nullable] Passed to `compute`.
 * @param out_mice       The MICE. Set `struct_size` first. Its payload is valid until `out` is released.
 * @param out            The record, pinned until `phicache_value_release`.
 * @param callback_code  [nullable] The code that `compute` returned, whatever the status; 0 if it was not called.
 * @return OK; ERROR_CALLBACK if `compute` did not return 0; the status of its last reservation if that failed;
 *         ERROR_DAMAGED if it wrote no MICE; ERROR_INVALID_ARGUMENT if its MICE contradicts its standard key, or has
 *         nodes that are not in the subsystem. On an error nothing is stored.
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
 * Tells whether a key has a MICE, also in the parents. Counts nothing. Note that OK, which means yes, is 0.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @return OK or MISS.
 */
phicache_status phicache_mice_cache_contains(phicache_mice_cache *cache, phicache_bytes key);

/**
 * Removes a MICE of this cache, not of its parents. If it is pinned, it stays valid until it is released. Children do
 * not see it any more.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache  The cache.
 * @param key    The key.
 * @return OK, or MISS if this cache itself had none.
 */
phicache_status phicache_mice_cache_remove(phicache_mice_cache *cache, phicache_bytes key);

/**
 * Removes all values, and sets all counts to zero. Pinned values stay valid until they are released.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache  The cache.
 */
phicache_status phicache_mice_cache_clear(phicache_mice_cache *cache);

/**
 * Gets the number of values.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache     The cache.
 * @param out_size  The number.
 */
phicache_status phicache_mice_cache_size(phicache_mice_cache *cache, uint64_t *out_size);

/**
 * Gets hits, misses and size.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache  The cache.
 * @param out    The figures.
 */
phicache_status phicache_mice_cache_info(phicache_mice_cache *cache, phicache_info *out);

/**
 * Gets all statistics.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param cache  The cache.
 * @param out    The statistics. Set `struct_size` first.
 */
phicache_status phicache_mice_cache_stats(phicache_mice_cache *cache, phicache_stats *out);

/**
 * Gets the cache as a cache of any type, for memos, methods and the functions of "Any cache". The view owns nothing,
 * and is valid as long as the cache.
 *
 * @param cache  The cache.
 * @param out    The view.
 */
phicache_status phicache_mice_cache_as_cache(phicache_mice_cache *cache, phicache_cache **out);

/**
 * Writes a MICE as a record, the format in which caches store it (`docs/mice-format.md`).
 *
 * @param mice      The MICE. Set `struct_size` first.
 * @param buffer    [nullable] Receives the record; may be NULL if `capacity` is 0.
 * @param capacity  The size of the buffer in bytes; a record is 64 bytes longer than its payload.
 * @param out_len   The length of the record, also if it does not fit.
 */
phicache_status phicache_mice_encode(const phicache_mice *mice, uint8_t *buffer, size_t capacity, size_t *out_len);

/**
 * Reads a record, and verifies its version and checksum.
 *
 * @param record  The record.
 * @param out     The MICE. Set `struct_size` first. Its payload points into `record`.
 * @return OK, or ERROR_DAMAGED.
 */
phicache_status phicache_mice_decode(phicache_bytes record, phicache_mice *out);

/* Saved caches --------------------------------------------------------------------------------------------------------
 *
 * A cache in this process can be saved to one file, and a later run, another machine or a colleague goes on with it.
 * `phicache_cache_load` copies the values into a cache. `phicache_disk_cache_open` leaves them in the file and reads
 * them from there when they are requested, so that a program can begin at once with the results of a paper.
 *
 * A file has one context: how its values were computed. It is used with the same context only, so that a program does
 * not take values of another algorithm for its own. The file of a MICE cache also has the fingerprint of its subsystem
 * under its cut, and is loaded only into a MICE cache of the same one. That of a cache of `phicache_dict_cache_shared`
 * has its fingerprint, and is not loaded into one with another. Other dict caches and purview caches have none: if
 * their keys do not contain the network, as those of `phicache_subsystem_key` and of purviews, let the context contain
 * the fingerprint. `phicache-info --disk FILE` prints what a file is.
 *
 * The file appears under its name when it is complete and on the storage device. If saving fails, or the process is
 * killed, an older file of that name stays as it was. Programs that have it open go on with it.
 *
 * Every value has a checksum, which is verified whenever it is read; what is damaged is a miss, and counted. Checksums
 * show damage, not intent: a program that names a file trusts it, also one of another user. `docs/disk-format.md`
 * specifies the file.
 *
 *     phicache_bytes context = { (const uint8_t *)"entropy of a channel, bits, version 1", 37 };
 *     uint64_t count;
 *     if (phicache_cache_save(cache, "results.phi", context, &count) != PHICACHE_OK) puts(phicache_last_error());
 *
 *     phicache_load_counts counts;
 *     counts.struct_size = sizeof counts;
 *     if (phicache_cache_load(cache, "results.phi", context, &counts) != PHICACHE_OK) puts(phicache_last_error());
 *     use(counts.loaded, counts.refused);
 */

/**
 * Saves the values of a cache to a file, with what they cost to compute. Other threads may use the cache meanwhile:
 * what is there from the beginning to the end is saved; of what changes, the value before or after, or nothing.
 *
 * May wait for the file system.
 *
 * @param cache      A cache in this process. Values that a MICE cache inherits are its parent's, and are not saved.
 * @param path       A regular file. If it exists it is replaced, and the new one has its permissions; a symbolic link
 *                   leads to the file that is replaced.
 * @param context    What the values are and how they are computed: algorithm, settings, version. Not empty.
 * @param out_count  [nullable] The number of values that were saved.
 * @return OK; ERROR_UNSUPPORTED for a cache in Redis or on disk; ERROR_STORAGE: then the path is as it was.
 */
phicache_status phicache_cache_save(phicache_cache *cache,
                                    const char *path,
                                    phicache_bytes context,
                                    uint64_t *out_count);

/**
 * Loads the values of a file into a cache of the type that was saved. Each is stored as a value of
 * `phicache_cache_set_with_cost` would be: one for which the cache has no room is refused, or others are evicted for
 * it. Keys that have a value keep it.
 *
 * May wait for the file system.
 *
 * @param cache    A cache in this process.
 * @param path     The file.
 * @param context  The context that it was saved with.
 * @param out      What has become of the values. Set `struct_size` first.
 * @return OK, also if values were refused or damaged; ERROR_INVALID_ARGUMENT if the file was saved with another
 *         context, from another type of cache, from the MICE of another subsystem or cut, or from a shared dict cache,
 *         if this one is shared with another fingerprint: nothing is loaded; ERROR_DAMAGED if it is not a saved cache,
 *         or its description is damaged; ERROR_STORAGE if it cannot be read: what was loaded before stays.
 */
phicache_status phicache_cache_load(phicache_cache *cache,
                                    const char *path,
                                    phicache_bytes context,
                                    phicache_load_counts *out);

/**
 * Makes a cache of the values in a file, which are read from there when they are asked for; those that are used again
 * are kept in this process. Nothing is written: a store is REFUSED_DISABLED, a computed value stays in this process,
 * and `remove` and `clear` are errors. The file may be on a file system that cannot be written, and belong to another
 * user. If it is replaced, the cache goes on with the old file; if it is truncated, what is gone is a miss.
 *
 * May wait for the file system.
 *
 * @param config   [nullable] The configuration; NULL is the process default.
 * @param options  [nullable] Name, limits and verified mode; NULL is all defaults. What concerns directories has no
 *                 effect.
 * @param path     A file to which a dict cache was saved.
 * @param context  The context that it was saved with.
 * @param out      The cache. Free it with `phicache_disk_cache_free`.
 * @return As `phicache_cache_load`.
 */
PHICACHE_MUST_USE
phicache_status phicache_disk_cache_open(phicache_config *config,
                                         const phicache_cache_options *options,
                                         const char *path,
                                         phicache_bytes context,
                                         phicache_disk_cache **out);

/**
 * Gets what a file is to which a cache was saved, and what it contains.
 *
 * May wait for the file system.
 *
 * @param path    The file.
 * @param verify  0 reads the file's own list of its values; any other number reads and verifies all values.
 * @param out     Identity, role, context, bytes, records and damage; `segments` is 1. Set `struct_size` first.
 * @return OK, also if values are damaged; ERROR_DAMAGED if it is not a saved cache, or its description is damaged;
 *         ERROR_STORAGE if it cannot be read.
 */
phicache_status phicache_bundle_describe(const char *path, int32_t verify, phicache_disk_item *out);

/* Single flight without callbacks -------------------------------------------------------------------------------------
 *
 * If several callers ask for a missing key, one of them computes its value. In `memoize` the others block until it is
 * there. The functions of this section need not block: `phicache_cache_begin` returns the value, or a lease (the
 * caller computes the value, and completes or abandons the lease), or BUSY (another caller computes the value: wait
 * for a while, or do something else and begin again).
 *
 * A computation has an owner: 0 is the calling thread, other numbers are tasks of the program. If an owner begins a
 * key that it is already computing, it gets ERROR_RECURSION, even if the key was removed or the cache cleared
 * meanwhile. Any thread may complete a lease.
 *
 * If a lease is abandoned, or a computation fails, one of the callers that wait in `memoize` wakes up and computes. If
 * no caller waits there, all callers of `phicache_cache_wait` wake up and get MISS: begin again. If a thread ends, its
 * leases of owner 0 are abandoned; their handles must still be completed or abandoned, and their values are not stored
 * (REFUSED_CLEARED). `memoize` waits as owner 0: do not call it for a key that a task of the same thread computes.
 * After fork, the caches of the child have no computations in progress.
 *
 * In verified mode (see "Any cache"), a hit that is verified is a LEASE too: completing it compares the values. If it
 * is abandoned, the value stays and is not verified. Other callers find the value meanwhile: none waits for such a
 * lease.
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
 * Looks a key up. If it has no value, tells who computes it.
 *
 * May wait for the server or the file system, if the values are there, but not for other computations.
 *
 * @param cache      Any cache.
 * @param key        The key.
 * @param owner      The owner: 0 for this thread, or the number of a task, below 2^63.
 * @param out        With OK, the value, pinned until `phicache_value_release`. With LEASE, zero, or the value that the
 *                   lease verifies, which is valid as long as the lease and needs no release.
 * @param out_lease  With LEASE, the lease: complete or abandon it.
 * @return OK, which counts a hit; LEASE, which counts a miss, or a hit if the lease verifies a value; BUSY, which
 *         counts nothing; ERROR_RECURSION if this owner is already computing the key, even if the key was removed or
 *         the cache cleared since.
 */
phicache_status phicache_cache_begin(phicache_cache *cache,
                                     phicache_bytes key,
                                     uint64_t owner,
                                     phicache_value *out,
                                     phicache_lease **out_lease);

/**
 * Waits until the value of a key has been computed.
 *
 * May wait for another thread or process that computes the value, at most `milliseconds`, and for the server or the
 * file system, if the values are there.
 *
 * @param cache         Any cache.
 * @param key           The key.
 * @param owner         The owner that waits: 0 for this thread, or the number of a task.
 * @param milliseconds  The most milliseconds to wait; 0 does not wait. The owner counts as waiting for this key until
 *                      it waits again, begins a key, or finds a value.
 * @param out           With OK, the value, pinned until `phicache_value_release`.
 * @return OK, which counts a hit; TIMEOUT; MISS if no owner computes the value any more: begin again; BUSY if its
 *         owner waits for this owner, a deadlock: compute the value without a lease.
 */
phicache_status phicache_cache_wait(phicache_cache *cache,
                                    phicache_bytes key,
                                    uint64_t owner,
                                    uint32_t milliseconds,
                                    phicache_value *out);

/**
 * Reserves the bytes of the value, to be written: zero-filled, at 16-byte alignment. A second call starts over.
 *
 * @param lease  The lease.
 * @param len    The number of bytes.
 * @param out    The first byte, valid until the lease is reserved again, completed or abandoned.
 */
phicache_status phicache_lease_reserve(phicache_lease *lease, size_t len, uint8_t **out);

/**
 * As `phicache_lease_reserve`, but the bytes are not zeroed. Faster if all of them are written.
 *
 * A byte that is neither written nor cut off by `phicache_lease_truncate` has whatever value the memory held before.
 * It is stored and returned as part of the value, also to other processes.
 *
 * @param lease  The lease.
 * @param len    The number of bytes.
 * @param out    The first byte, valid until the lease is reserved again, completed or abandoned.
 */
phicache_status phicache_lease_reserve_uninitialized(phicache_lease *lease, size_t len, uint8_t **out);

/**
 * Shortens the value to its first `len` bytes.
 *
 * @param lease  The lease.
 * @param len    The number of bytes to keep; at most the number that was reserved.
 */
phicache_status phicache_lease_truncate(phicache_lease *lease, size_t len);

/**
 * Sets what computing the value costs, instead of the time between `phicache_cache_begin` and
 * `phicache_lease_complete`. That time includes what the caller did or waited for meanwhile; only if one thread makes
 * both calls is the time that it waits in `memoize` and `phicache_cache_wait` left out.
 *
 * @param lease    The lease.
 * @param cost_ns  Nanoseconds of computing time; 0 is the measured time.
 */
phicache_status phicache_lease_set_cost(phicache_lease *lease, uint64_t cost_ns);

/**
 * Completes the lease: gives the value to the cache, which stores it unless it refuses, and to all callers that wait.
 * The lease is freed, also on an error.
 *
 * If the last reservation failed, there is no value: the call fails with the same status, and the computation counts
 * as failed. Without a reservation, the value is empty. If the computation has failed, abandon the lease.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param lease  The lease.
 * @param out    [nullable] The value, pinned until `phicache_value_release`; `out->origin` says whether it was stored.
 */
phicache_status phicache_lease_complete(phicache_lease *lease, phicache_value *out);

/**
 * Abandons a lease, and frees it: one of the waiting callers computes the value, or all of them begin again. This does
 * not count as a failed computation.
 *
 * May wait for the server or the file system, if the values are there.
 *
 * @param lease  [nullable] The lease.
 */
phicache_status phicache_lease_abandon(phicache_lease *lease);

/* Registry ------------------------------------------------------------------------------------------------------------
 *
 * The registry has all caches of the process that have a name. A cache leaves it when its last handle is freed. If a
 * server fails, the list shows the part of its cache that is in this process; so it does for the remaining caches
 * after the list has taken 30 seconds. Clearing tries every cache, each within its `scan_timeout_ms`.
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
 *         for (size_t i = 0; i < count; i++) use(items[i].name, items[i].info.hits);
 *     phicache_dict_cache_free(cache);
 */

/**
 * Lists the named caches, ordered by name.
 *
 * May wait for the servers and the file systems of all named caches.
 *
 * @param items      [nullable] Receives the items; may be NULL if `capacity` is 0. Set `struct_size` of the first
 *                   item to `sizeof` of an item.
 * @param capacity   The number of items that fit.
 * @param out_count  The number of caches, also if they do not fit. It changes if other threads make or free caches.
 */
phicache_status phicache_registry_list(phicache_registry_item *items, size_t capacity, size_t *out_count);

/**
 * Gets hits, misses and size of a named cache.
 *
 * May wait for the server or the file system, if the cache's values are there.
 *
 * @param name  The name. It is an error if no cache has it.
 * @param out   The figures.
 */
phicache_status phicache_registry_info(const char *name, phicache_info *out);

/**
 * Gets all statistics of a named cache.
 *
 * May wait for the server or the file system, if the cache's values are there.
 *
 * @param name  The name. It is an error if no cache has it.
 * @param out   The statistics. Set `struct_size` first.
 */
phicache_status phicache_registry_stats(const char *name, phicache_stats *out);

/**
 * Clears a named cache: removes all values, and sets all counts to zero.
 *
 * May wait for the server or the file system, if the cache's values are there.
 *
 * @param name  The name. It is an error if no cache has it.
 */
phicache_status phicache_registry_clear(const char *name);

/**
 * Clears all named caches, those on disk or at a server for all processes. If one fails, the others are cleared all
 * the same, and the first error is returned.
 *
 * May wait for the servers and the file systems of all named caches.
 */
phicache_status phicache_registry_clear_all(void);

#ifdef __cplusplus
}
#endif

#endif /* PHICACHE_H */
