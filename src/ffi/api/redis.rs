//! Redis cache
//!
//! PyPhi's `RedisCache`: values by keys, both bytes, at the configuration's Redis or Valkey server or cluster, for all
//! processes that use the same namespace there. All functions may be called from any thread at once. After `fork`, parent
//! and child may both go on; the child opens its own connections. There are no background threads, and no signals.
//!
//! In a namespace, the default, only keys of that namespace are counted and removed, in small steps that never hold the
//! server up; `docs/redis.md` says what they are called. Hits and misses are the handle's own. A cache of
//! `phicache_redis_cache_new` counts and clears the whole namespace, MICE included, as PyPhi's does; one of
//! `phicache_redis_cache_shared` only the values of its system and role. What versions before 0.2 stored is neither read nor
//! touched.
//!
//! Values in a namespace have a checksum that ties them to their keys: what is damaged, was stored by another program or
//! belongs to another key is a miss, counted in `damaged` of the statistics, and never a value. With `options.no_checksum`
//! values are stored as they are; caches with it and without do not see each other's values.
//!
//! Nothing takes longer than the timeout of the configuration (a batch over a cluster: an eighth more); `clear`, `size`,
//! `info` and `stats`, which consist of many operations, end after `options.scan_timeout_ms`, at most one operation later. A
//! server that cannot be reached, is silent, or talks nonsense costs one timeout; then it is left alone, for times that
//! double from a tenth of a second to ten, so that a dead server costs next to nothing. With `options.server_errors` that is
//! ERROR_REDIS; without, the default, a lookup is a miss, a store is REFUSED_SERVER, a size is 0, and
//! `phicache_cache_redis_health` tells. A removal that fails is always an error: what was to go could come back as a wrong
//! value. A value that is computed is never lost, whatever the server does.
//!
//! With `options.lease_ms`, of all processes that miss a key one computes, and `memoize` in the others waits. A process that
//! dies delays them for that time at most; what comes later than that is not stored (REFUSED_CLEARED).
//!
//! Of a batch a part may fail, if a node of a cluster is dead or a server runs out of memory half-way: each key's status is
//! its own, and what was found is handed out.
//!
//! Values, with their checksum, are at most 512 MB long; one that is longer than `options.max_bytes` is not fetched. In a
//! cluster, the keys of one subsystem are on one node. What follows finds its value at the server or computes it, also when
//! the server is down:
//!
//! ```c
//! phicache_config *config;
//! phicache_redis_cache *cache;
//! if (phicache_config_new(&config) != PHICACHE_OK) return 1;
//! phicache_config_set_redis_url(config, "redis://127.0.0.1:6379/0?timeout_ms=200");
//! if (phicache_redis_cache_new(config, NULL, &cache) == PHICACHE_OK) {
//!     phicache_value value;
//!     if (phicache_redis_cache_memoize(cache, key, compute, NULL, NULL, &value, NULL) == PHICACHE_OK) {
//!         use(value.data, value.len);
//!         phicache_value_release(&value);
//!     }
//!     phicache_redis_cache_free(cache);
//! }
//! phicache_config_free(config);
//! ```

use std::time::Duration;

use crate::cache::{Cache, RedisCache};
use crate::config::Config;
use crate::ffi::api::prelude::*;
use crate::ffi::border::any_cache::wrong_kind;
use crate::ffi::border::input::fingerprint;

/// Makes a cache at the configuration's server. Connects to nothing yet.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param options  [nullable] Name, limits, and how the server is used; NULL is the default of all.
/// @param out      The cache, to be freed by `phicache_redis_cache_free`.
/// @return OK; ERROR_UNSUPPORTED where the library was built without Redis.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_redis_cache_new(
    config: *mut phicache_config,
    options: *const phicache_cache_options,
    out: *mut *mut phicache_redis_cache,
) -> phicache_status {
    catch_panics("phicache_redis_cache_new", || {
        let out = self::out(out, "out")?;
        let (options, name) = self::options(options)?;
        let cache = RedisCache::redis(self::config(config)?, options, None)?;
        *out = create_cache(cache.into(), name, None)?;
        Ok(PHICACHE_OK)
    })
}

/// Makes a cache of the values of one role of a system: of all caches of the namespace, those see them that were made for the
/// same identity and role. Clearing and counting stay within these.
///
/// @param config       [nullable] The configuration; NULL is the process default.
/// @param options      [nullable] Name, limits, and how the server is used; NULL is the default of all.
/// @param fingerprint  The identity, as of a network or a subsystem.
/// @param role         What the values are, such as "repertoires".
/// @param out          The cache, to be freed by `phicache_redis_cache_free`.
/// @return OK; ERROR_UNSUPPORTED where the library was built without Redis.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_redis_cache_shared(
    config: *mut phicache_config,
    options: *const phicache_cache_options,
    fingerprint: *const phicache_fingerprint,
    role: *const c_char,
    out: *mut *mut phicache_redis_cache,
) -> phicache_status {
    catch_panics("phicache_redis_cache_shared", || {
        let out = self::out(out, "out")?;
        let fingerprint = self::fingerprint(fingerprint, "fingerprint")?;
        let (options, name) = self::options(options)?;
        let cache = RedisCache::redis(self::config(config)?, options, Some((&fingerprint, text(role, "role")?)))?;
        *out = create_cache(cache.into(), name, None)?;
        Ok(PHICACHE_OK)
    })
}

/// Tells whether the configuration's server answers: asks it, whatever it did before. Of a cluster, all nodes have to
/// answer. (PyPhi's `redis_available`.)
///
/// @param config         [nullable] The configuration; NULL is the process default.
/// @param timeout_ms     How long that may take; 0 is the configuration's timeout.
/// @param out_available  1 or 0; 0 also where the library was built without Redis.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_redis_available(
    config: *mut phicache_config,
    timeout_ms: u64,
    out_available: *mut i32,
) -> phicache_status {
    catch_panics("phicache_redis_available", || {
        let out = out(out_available, "out_available")?;
        let config = self::config(config)?;
        *out = ping(&config, timeout_ms).is_ok().into();
        Ok(PHICACHE_OK)
    })
}

/// As `phicache_redis_available`, with a message that says why not.
///
/// @param config      [nullable] The configuration; NULL is the process default.
/// @param timeout_ms  How long that may take; 0 is the configuration's timeout.
/// @return OK; ERROR_REDIS; ERROR_UNSUPPORTED where the library was built without Redis.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_redis_ping(config: *mut phicache_config, timeout_ms: u64) -> phicache_status {
    catch_panics("phicache_redis_ping", || {
        let config = self::config(config)?;
        ping(&config, timeout_ms)?;
        Ok(PHICACHE_OK)
    })
}

fn ping(config: &Config, timeout_ms: u64) -> Result<()> {
    let timeout = match timeout_ms {
        0 => config.redis_timeout()?,
        given => Duration::from_millis(given.min(LONGEST_MS)),
    };
    Ok(config.redis_location()?.server.ping(timeout)?)
}

/// An hour: nobody waits longer for a server.
const LONGEST_MS: u64 = 3_600_000;

/// Tells how the server of a cache is doing, as all caches see it that were made with the same connection settings. Asks
/// nothing.
///
/// @param cache  A cache in Redis, as any cache.
/// @param out    The figures; `struct_size` is set by the caller.
/// @return OK; ERROR_INVALID_HANDLE for a cache that is not in Redis.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_redis_health(
    cache: *mut phicache_cache,
    out: *mut phicache_redis_health,
) -> phicache_status {
    catch_panics("phicache_cache_redis_health", || {
        let out = growing(out, "out")?;
        match cache_of(cache)? {
            Cache::Redis(cache) => out.fill(cache.health().into()),
            _ => return Err(wrong_kind("cache in Redis")),
        }
        Ok(PHICACHE_OK)
    })
}

verbs! {
    redis_cache, "The cache":
    free, get, get_into, contains, set, memoize, remove, clear, size, info, stats, key, as_cache
}
