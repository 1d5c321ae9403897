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

use crate::cache::Cost;
use crate::ffi::api::prelude::*;

/// Stores a copy of a value as `phicache_cache_set` does, and tells the cache what it would cost to compute it again. A
/// full cache evicts what costs the least computing time for each byte.
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
