//! Any cache
//!
//! `phicache_cache` is a cache of any type: the same handle, seen as another type by `phicache_…_cache_as_cache`. The
//! functions of this section work on all caches. All threads may call them at once. To free a cache, use the function
//! of its own type.
//!
//! ```c
//! phicache_dict_cache *repertoires;
//! phicache_cache *cache;
//! phicache_info info;
//! if (phicache_dict_cache_new(NULL, NULL, &repertoires) != PHICACHE_OK) return 1;
//! phicache_dict_cache_as_cache(repertoires, &cache);
//! if (phicache_cache_info(cache, &info) == PHICACHE_OK) use(info.hits, info.misses, info.size);
//! phicache_dict_cache_free(repertoires);  // `cache` is not valid any more
//! ```
//!
//! Verified mode finds keys that are too short. A key that lacks an argument makes two questions share one answer, and
//! no count shows it. A cache with `verify_every` in its options lets every n-th hit of `memoize`, of a memo, of a
//! method or of `phicache_cache_begin` be computed again, and compares the values, byte for byte or with `same`:
//!
//! ```c
//! phicache_cache_options options = { 0 };
//! phicache_dict_cache *cache;
//! phicache_stats stats;
//! options.struct_size = sizeof options;
//! options.verify_every = 100;  // 1% of the hits
//! if (phicache_dict_cache_new(NULL, &options, &cache) != PHICACHE_OK) return 1;
//! use(cache);
//! stats.struct_size = sizeof stats;
//! if (phicache_dict_cache_stats(cache, &stats) == PHICACHE_OK && stats.differences > 0) puts("a key is too short");
//! phicache_dict_cache_free(cache);
//! ```
//!
//! A verified hit counts as a hit and in `verified`. If the values are equal, the call returns the one that the cache
//! has. If they differ, `differences` counts, `difference` is called, and the call returns the new value, which
//! replaces the old one; if its store is refused, the key has no value. If the computation fails, the call fails as on
//! a miss, and the cache keeps its value. Values that are inherited from a parent, or come from a server, are verified
//! too; the parent's value stays.
//!
//! The caller computes beside single flight: nobody waits for it. Hits of the same cache within that computation are
//! plain hits, so that a recursive function is computed again at one level, not at all levels below. Lookups of a cache
//! in verified mode do not take the fast path; a cache without it pays nothing.

use crate::cache::Cost;
use crate::ffi::api::prelude::*;

/// Stores a copy of a value as `phicache_cache_set` does, and tells the cache what it would cost to compute it again. A
/// full cache evicts what costs the least computing time for each byte.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param cache    Any cache.
/// @param key      The key.
/// @param value    The value.
/// @param cost_ns  Nanoseconds of computing time; 0 is unknown, as in `phicache_cache_set`: the cache's mean.
/// @return OK, or the reason why the value was refused: then the key keeps the value that it had.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_set_with_cost(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    value: phicache_bytes,
    cost_ns: u64,
) -> phicache_status {
    catch_panics("phicache_cache_set_with_cost", || {
        let (key, value) = (bytes(key, "key")?, bytes(value, "value")?);
        cache_of(cache)?.set_with_cost(key, value, Cost::of_ns(cost_ns)).map(stored)
    })
}

verbs! { cache, "Any cache": get, get_into, contains, set, memoize, remove, clear, size, info, stats, key }
