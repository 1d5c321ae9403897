//! Any cache
//!
//! `phicache_cache` is what every cache can be seen as: the same handle under another type, from
//! `phicache_…_cache_as_cache`. All functions may be called from any thread at once. A cache is freed by its own type's
//! function only.
//!
//! ```c
//! phicache_dict_cache *repertoires;
//! phicache_cache *cache;
//! phicache_info info;
//! if (phicache_dict_cache_new(NULL, NULL, &repertoires) != PHICACHE_OK) return 1;
//! phicache_dict_cache_as_cache(repertoires, &cache);
//! if (phicache_cache_info(cache, &info) == PHICACHE_OK) use(info.hits, info.misses, info.size);
//! phicache_dict_cache_free(repertoires);  // and with it the view
//! ```

use crate::ffi::api::prelude::*;

verbs! { cache, "Any cache": get, get_into, contains, set, memoize, remove, clear, size, info, stats, key }
