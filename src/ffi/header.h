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
#define PHICACHE_VERSION_MAJOR @MAJOR@
#define PHICACHE_VERSION_MINOR @MINOR@
#define PHICACHE_VERSION_PATCH @PATCH@
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
@PARTS@

#ifdef __cplusplus
}
#endif

#endif /* PHICACHE_H */
