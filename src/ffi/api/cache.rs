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

use crate::ffi::api::prelude::*;

verbs! { cache, "Any cache": get, get_into, contains, set, memoize, remove, clear, size, info, stats, key }
