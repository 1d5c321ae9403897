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
#define PHICACHE_VERSION_MAJOR @MAJOR@
#define PHICACHE_VERSION_MINOR @MINOR@
#define PHICACHE_VERSION_PATCH @PATCH@
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
@PARTS@

#ifdef __cplusplus
}
#endif

#endif /* PHICACHE_H */
