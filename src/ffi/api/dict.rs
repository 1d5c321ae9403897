//! Dict cache
//!
//! PyPhi's `DictCache`: values by keys, both bytes. It stores values until it is full. All threads may call the
//! functions at once.
//!
//! ```c
//! phicache_dict_cache *cache;
//! phicache_value value;
//! double phi = 0.25;
//! phicache_bytes key = { (const uint8_t *)"phi", 3 }, bytes = { (const uint8_t *)&phi, sizeof phi };
//! if (phicache_dict_cache_new(NULL, NULL, &cache) != PHICACHE_OK) return 1;
//! if (phicache_dict_cache_set(cache, key, bytes) == PHICACHE_REFUSED_MEMORY) puts("memory is full: not stored");
//! if (phicache_dict_cache_get(cache, key, &value) == PHICACHE_OK) {
//!     use(value.data, value.len);
//!     phicache_value_release(&value);
//! }
//! phicache_dict_cache_free(cache);
//! ```
//!
//! A cache that keeps the most valuable results of a long run in 64 MiB:
//!
//! ```c
//! phicache_cache_options options = { 0 };
//! phicache_dict_cache *cache;
//! options.struct_size = sizeof options;
//! options.max_bytes = 64 << 20;
//! options.on_full = PHICACHE_ON_FULL_EVICT;
//! if (phicache_dict_cache_new(NULL, &options, &cache) != PHICACHE_OK) return 1;
//! use(cache);
//! phicache_dict_cache_free(cache);
//! ```

use crate::cache::{Cache, DictCache, shared_dict};
use crate::config::Tier;
use crate::ffi::api::prelude::*;
use crate::ffi::border::input::fingerprint;

/// Makes an empty cache.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param options  [nullable] Name and limit; NULL is no name and no limit.
/// @param out      The cache. Free it with `phicache_dict_cache_free`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_dict_cache_new(
    config: *mut phicache_config,
    options: *const phicache_cache_options,
    out: *mut *mut phicache_dict_cache,
) -> phicache_status {
    catch_panics("phicache_dict_cache_new", || {
        let (options, out) = (self::options(options, Tier::Memory), self::out(out, "out")?);
        let (options, name) = options?;
        let cache = DictCache::dict(self::config(config)?, options)?;
        *out = create_cache(Cache::Dict(cache), name, None)?;
        Ok(PHICACHE_OK)
    })
}

/// Gets a handle to the cache of this identity and role, which all its holders share. The first call makes the cache;
/// freeing the last handle destroys it.
///
/// @param config       [nullable] The configuration; NULL is the process default. The same for all holders.
/// @param options      [nullable] Name and limit; NULL is no name and no limit. The same for all holders.
/// @param fingerprint  The identity, such as that of a network or a subsystem.
/// @param role         What the values are, such as "repertoires".
/// @param out          This holder's handle. Free it with `phicache_dict_cache_free`.
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
        let (options, out) = (self::options(options, Tier::Memory), self::out(out, "out")?);
        let fingerprint = self::fingerprint(fingerprint, "fingerprint")?;
        let (options, name) = options?;
        let (cache, holder) = shared_dict(self::config(config)?, options, name, fingerprint, text(role, "role")?)?;
        *out = create_cache(cache, name, Some(holder))?;
        Ok(PHICACHE_OK)
    })
}

verbs! {
    dict_cache, "The cache":
    free, get, get_into, contains, set, memoize, remove, clear, size, info, stats, key, as_cache
}
