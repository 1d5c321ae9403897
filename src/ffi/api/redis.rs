//! Redis cache
//!
//! PyPhi's `RedisCache`: values by keys, both bytes, at the configuration's Redis or Valkey server or cluster. All
//! processes that use the same namespace there share the values. All threads may call the functions at once. After
//! `fork`, parent and child may both use the cache; the child opens its own connections. There are no background
//! threads and no signals.
//!
//! By default a cache counts and removes only keys of its namespace, in small steps that do not block the server
//! (`docs/redis.md` describes the keys). It counts its own hits and misses. A cache of `phicache_redis_cache_new`
//! counts and clears the whole namespace, including MICE, as in PyPhi; a cache of `phicache_redis_cache_shared` only
//! the values of its system and role. Values that versions before 0.2 stored are neither read nor removed.
//!
//! Values in a namespace have a checksum of key and value. A value that is damaged, that another program stored, or
//! that belongs to another key is a miss, and counts in `damaged` of the statistics. With `options.no_checksum`, values
//! are stored as they are. Caches with and without it do not see each other's values.
//!
//! No operation takes longer than the timeout of the configuration (a batch over a cluster: an eighth longer). `clear`,
//! `size`, `info` and `stats` consist of many operations; they end after `options.scan_timeout_ms`, at most one
//! operation later.
//!
//! If a server cannot be reached, does not reply, or sends invalid replies, one operation waits for the timeout. Then
//! operations skip the server, for periods that double from 0.1 to 10 seconds, so a dead server costs almost nothing.
//! By default a lookup is then a miss, a store is REFUSED_SERVER, a size is 0, and `phicache_cache_redis_health` says
//! why; with `options.server_errors` each of these is ERROR_REDIS. A removal that fails is always an error: otherwise
//! the value could be read again. A value that was computed is always returned, whatever the server does.
//!
//! With `options.lease_ms`, one process computes a missing value, and `memoize` in the others waits for it. If that
//! process dies, the others wait for at most that time. A value that is completed later is not stored
//! (REFUSED_CLEARED).
//!
//! A part of a batch may fail, if a node of a cluster is down or a server runs out of memory half-way. Each key has a
//! status of its own, and the values that were found are returned.
//!
//! A value and its checksum are at most 512 MB long. A value of more than 64 KiB that is longer than
//! `options.max_bytes` is not fetched. In a cluster, all keys of one subsystem are on one node. This example finds its
//! value at the server, or computes it, even if the server is down:
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
use crate::config::{Config, Tier};
use crate::ffi::api::prelude::*;
use crate::ffi::border::any_cache::wrong_kind;
use crate::ffi::border::input::fingerprint;

/// Makes a cache at the configuration's server. Does not connect yet.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param options  [nullable] Name, limits, and how to use the server; NULL is all defaults.
/// @param out      The cache. Free it with `phicache_redis_cache_free`.
/// @return OK; ERROR_UNSUPPORTED if the library was built without Redis.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_redis_cache_new(
    config: *mut phicache_config,
    options: *const phicache_cache_options,
    out: *mut *mut phicache_redis_cache,
) -> phicache_status {
    catch_panics("phicache_redis_cache_new", || {
        let (options, out) = (self::options(options, Tier::Redis), self::out(out, "out")?);
        let (options, name) = options?;
        let cache = RedisCache::redis(self::config(config)?, options, None)?;
        *out = create_cache(cache.into(), name, None)?;
        Ok(PHICACHE_OK)
    })
}

/// Makes a cache for one identity and role: all caches of the namespace with the same identity and role share their
/// values. Clearing and counting are limited to these values.
///
/// @param config       [nullable] The configuration; NULL is the process default.
/// @param options      [nullable] Name, limits, and how to use the server; NULL is all defaults.
/// @param fingerprint  The identity, such as that of a network or a subsystem.
/// @param role         What the values are, such as "repertoires".
/// @param out          The cache. Free it with `phicache_redis_cache_free`.
/// @return OK; ERROR_UNSUPPORTED if the library was built without Redis.
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
        let (options, out) = (self::options(options, Tier::Redis), self::out(out, "out")?);
        let fingerprint = self::fingerprint(fingerprint, "fingerprint")?;
        let (options, name) = options?;
        let cache = RedisCache::redis(self::config(config)?, options, Some((&fingerprint, text(role, "role")?)))?;
        *out = create_cache(cache.into(), name, None)?;
        Ok(PHICACHE_OK)
    })
}

/// Tells whether the configuration's server replies, by asking it now. All nodes of a cluster have to reply. (PyPhi's
/// `redis_available`.)
///
/// May wait for the server.
///
/// @param config         [nullable] The configuration; NULL is the process default.
/// @param timeout_ms     The most milliseconds to wait; 0 is the configuration's timeout.
/// @param out_available  1 or 0; 0 if the library was built without Redis.
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

/// As `phicache_redis_available`, but fails with a message if the server does not reply.
///
/// May wait for the server.
///
/// @param config      [nullable] The configuration; NULL is the process default.
/// @param timeout_ms  The most milliseconds to wait; 0 is the configuration's timeout.
/// @return OK; ERROR_REDIS; ERROR_UNSUPPORTED if the library was built without Redis.
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
        given => Duration::from_millis(given),
    };
    Ok(config.redis_location()?.server.ping(timeout)?)
}

/// Gets the health of a cache's server, as seen by all caches that have the same connection settings. Does not ask the
/// server.
///
/// @param cache  A cache in Redis, as any cache.
/// @param out    The health. Set `struct_size` first.
/// @return OK; ERROR_INVALID_HANDLE if the cache is not in Redis.
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
