//! Dict cache
//!
//! PyPhi's `DictCache`: values by keys, both bytes, as long as the memory limit allows. All functions may be called from
//! any thread at once.
//!
//! ```c
//! phicache_dict_cache *cache;
//! phicache_value value;
//! double phi = 0.25;
//! phicache_bytes key = { (const uint8_t *)"phi", 3 }, bytes = { (const uint8_t *)&phi, sizeof phi };
//! if (phicache_dict_cache_new(NULL, NULL, &cache) != PHICACHE_OK) return 1;
//! if (phicache_dict_cache_set(cache, key, bytes) == PHICACHE_REFUSED_MEMORY) puts("no room; computing goes on");
//! if (phicache_dict_cache_get(cache, key, &value) == PHICACHE_OK) {
//!     use(value.data, value.len);
//!     phicache_value_release(&value);
//! }
//! phicache_dict_cache_free(cache);
//! ```

use crate::cache::{Cache, DictCache, shared_dict};
use crate::ffi::api::prelude::*;
use crate::ffi::border::input::fingerprint;

/// Makes an empty cache.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param options  [nullable] Name and limit; NULL is neither.
/// @param out      The cache, to be freed by `phicache_dict_cache_free`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_dict_cache_new(
    config: *mut phicache_config,
    options: *const phicache_cache_options,
    out: *mut *mut phicache_dict_cache,
) -> phicache_status {
    catch_panics("phicache_dict_cache_new", || {
        let out = self::out(out, "out")?;
        let (options, name) = self::options(options)?;
        let cache = DictCache::dict(self::config(config)?, options)?;
        *out = create_cache(Cache::Dict(cache), name, None)?;
        Ok(PHICACHE_OK)
    })
}

/// A handle to the cache that all holders of an identity and a role share; the first one makes it, the last one to free
/// its handle takes it along.
///
/// @param config       [nullable] The configuration; NULL is the process default. Holders agree on it.
/// @param options      [nullable] Name and limit; NULL is neither. Holders agree on them.
/// @param fingerprint  The identity, as of a network or a subsystem.
/// @param role         What the values are, such as "repertoires".
/// @param out          The holder's own handle, to be freed by `phicache_dict_cache_free`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_dict_cache_shared(
    config: *mut phicache_config,
    options: *const phicache_cache_options,
    fingerprint: *const phicache_fingerprint,
    role: *const c_char,
    out: *mut *mut phicache_dict_cache,
) -> phicache_status {
    catch_panics("phicache_dict_cache_shared", || {
        let out = self::out(out, "out")?;
        let fingerprint = self::fingerprint(fingerprint, "fingerprint")?;
        let (options, name) = self::options(options)?;
        let (cache, holder) = shared_dict(self::config(config)?, options, name, fingerprint, text(role, "role")?)?;
        *out = create_cache(Cache::Dict(cache), name, Some(holder))?;
        Ok(PHICACHE_OK)
    })
}

verbs! {
    dict_cache, "The cache":
    free, get, get_into, contains, set, memoize, remove, clear, size, info, stats, key, as_cache
}
