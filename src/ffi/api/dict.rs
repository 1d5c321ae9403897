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

use std::ffi::{c_char, c_void};

use crate::cache::{Cache, DictCache, shared_dict};
use crate::error::Result;
use crate::ffi::api::cache::{CacheHandle, verb, wrong_kind};
use crate::ffi::border::fast_path::{self, Buffer};
use crate::ffi::border::handle::{self, create, live};
use crate::ffi::border::input::{config, fingerprint, options, text};
use crate::ffi::border::output::out;
use crate::ffi::border::panic::catch_panics;
use crate::ffi::border::types::*;

#[inline(always)]
fn dict<'c>(cache: *mut phicache_dict_cache) -> Result<&'c Cache> {
    match &handle::get::<CacheHandle, _>(cache, "cache")?.cache {
        cache @ Cache::Dict(_) => Ok(cache),
        _ => Err(wrong_kind("phicache_dict_cache")),
    }
}

impl verb::Memoizes for phicache_dict_cache {
    const MEMOIZE: &'static str = "phicache_dict_cache_memoize";
    fn cache<'c>(handle: *mut Self) -> Result<&'c Cache> {
        dict(handle)
    }
}

#[inline(always)]
fn try_fast_dict<'c>(cache: *mut phicache_dict_cache) -> Option<&'c DictCache> {
    match &live::<CacheHandle, _>(cache)?.cache {
        Cache::Dict(cache) => Some(cache),
        _ => None,
    }
}

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
        *out = create(CacheHandle::new(Cache::Dict(cache), name, None)?)?;
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
        *out = create(CacheHandle::new(Cache::Dict(cache), name, Some(holder))?)?;
        Ok(PHICACHE_OK)
    })
}

/// Frees a cache. Pins stay valid, and so do memos that work on it.
///
/// @param cache  [nullable] The cache.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_dict_cache_free(cache: *mut phicache_dict_cache) -> phicache_status {
    catch_panics("phicache_dict_cache_free", || verb::free(cache.cast(), dict))
}

/// Looks a key up; counts a hit or a miss.
///
/// @param cache  The cache.
/// @param key    The key.
/// @param out    The value, pinned until `phicache_value_release`; zero on a miss.
/// @return OK or MISS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_dict_cache_get(
    cache: *mut phicache_dict_cache,
    key: phicache_bytes,
    out: *mut phicache_value,
) -> phicache_status {
    fast_path::get(try_fast_dict(cache), key, out, |cache, key| cache.try_fast_get(key))
        .unwrap_or_else(|| get(cache, key, out))
}

#[inline(never)]
extern "C" fn get(cache: *mut phicache_dict_cache, key: phicache_bytes, out: *mut phicache_value) -> phicache_status {
    catch_panics("phicache_dict_cache_get", || verb::get(|| dict(cache), key, out))
}

/// Looks a key up and copies its value; counts a hit or a miss, and nothing when the buffer is too small.
///
/// @param cache     The cache.
/// @param key       The key.
/// @param buffer    [nullable] Where the value is copied to; may be NULL if `capacity` is 0.
/// @param capacity  Bytes of the buffer.
/// @param out_len   The value's length, also when it does not fit; 0 on a miss.
/// @return OK, MISS, or ERROR_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_dict_cache_get_into(
    cache: *mut phicache_dict_cache,
    key: phicache_bytes,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    let read = |cache: &DictCache, key: &[u8], buffer: Buffer| cache.try_fast_read(key, |value| buffer.take(value));
    fast_path::get_into(try_fast_dict(cache), key, buffer, capacity, out_len, read)
        .unwrap_or_else(|| get_into(cache, key, buffer, capacity, out_len))
}

#[inline(never)]
extern "C" fn get_into(
    cache: *mut phicache_dict_cache,
    key: phicache_bytes,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    catch_panics("phicache_dict_cache_get_into", || verb::get_into(|| dict(cache), key, buffer, capacity, out_len))
}

/// Tells whether a key has a value; counts nothing. OK, which says yes, is 0.
///
/// @param cache  The cache.
/// @param key    The key.
/// @return OK or MISS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_dict_cache_contains(
    cache: *mut phicache_dict_cache,
    key: phicache_bytes,
) -> phicache_status {
    catch_panics("phicache_dict_cache_contains", || verb::contains(dict(cache), key))
}

/// Stores a copy of a value, over the one that the key may have. An empty value is a value.
///
/// @param cache  The cache.
/// @param key    The key.
/// @param value  The value.
/// @return OK, or why the value was refused: then the key keeps the value it had.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_dict_cache_set(
    cache: *mut phicache_dict_cache,
    key: phicache_bytes,
    value: phicache_bytes,
) -> phicache_status {
    let refused = fast_path::refuse(key, value, |key, value| try_fast_dict(cache)?.try_fast_refuse_value(key, value));
    refused.unwrap_or_else(|| set(cache, key, value))
}

#[inline(never)]
extern "C" fn set(cache: *mut phicache_dict_cache, key: phicache_bytes, value: phicache_bytes) -> phicache_status {
    catch_panics("phicache_dict_cache_set", || verb::set(dict(cache), key, value))
}

/// Looks a key up, and on a miss lets `compute` write its value straight into a new entry.
///
/// The value comes back also when it could not be stored: `out->origin` tells. Counts a hit or a miss.
///
/// @param cache          The cache.
/// @param key            The key.
/// @param compute        Computes the value.
/// @param user_data      [nullable] Handed to `compute`.
/// @param call_data      [nullable] Handed to `compute`.
/// @param out            The value, pinned until `phicache_value_release`.
/// @param callback_code  [nullable] What `compute` returned, whatever the status; 0 when it was not called.
/// @return OK; ERROR_CALLBACK when `compute` did not return 0; where its last reservation failed, the status of that. On an
///         error nothing was stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_dict_cache_memoize(
    cache: *mut phicache_dict_cache,
    key: phicache_bytes,
    compute: phicache_compute,
    user_data: *mut c_void,
    call_data: *mut c_void,
    out: *mut phicache_value,
    callback_code: *mut i32,
) -> phicache_status {
    fast_path::memoize(key, compute, out, callback_code, |key| try_fast_dict(cache)?.try_fast_hit(key))
        .unwrap_or_else(|| memoize(cache, key, compute, user_data, call_data, out, callback_code))
}

#[inline(never)]
extern "C" fn memoize(
    cache: *mut phicache_dict_cache,
    key: phicache_bytes,
    compute: phicache_compute,
    user_data: *mut c_void,
    call_data: *mut c_void,
    out: *mut phicache_value,
    callback_code: *mut i32,
) -> phicache_status {
    verb::memoize(cache, key, compute, user_data, call_data, out, callback_code)
}

/// Takes a value out; its pins stay valid.
///
/// @param cache  The cache.
/// @param key    The key.
/// @return OK, or MISS when there was none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_dict_cache_remove(
    cache: *mut phicache_dict_cache,
    key: phicache_bytes,
) -> phicache_status {
    catch_panics("phicache_dict_cache_remove", || verb::remove(dict(cache), key))
}

/// Takes all values out and sets the counts to zero; pins stay valid.
///
/// @param cache  The cache.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_dict_cache_clear(cache: *mut phicache_dict_cache) -> phicache_status {
    catch_panics("phicache_dict_cache_clear", || verb::clear(dict(cache)))
}

/// The number of values.
///
/// @param cache     The cache.
/// @param out_size  The number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_dict_cache_size(
    cache: *mut phicache_dict_cache,
    out_size: *mut u64,
) -> phicache_status {
    catch_panics("phicache_dict_cache_size", || verb::size(dict(cache), out_size))
}

/// Hits, misses and size.
///
/// @param cache  The cache.
/// @param out    The figures.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_dict_cache_info(
    cache: *mut phicache_dict_cache,
    out: *mut phicache_info,
) -> phicache_status {
    catch_panics("phicache_dict_cache_info", || verb::info(dict(cache), out))
}

/// All figures.
///
/// @param cache  The cache.
/// @param out    The figures; `struct_size` is set by the caller.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_dict_cache_stats(
    cache: *mut phicache_dict_cache,
    out: *mut phicache_stats,
) -> phicache_status {
    catch_panics("phicache_dict_cache_stats", || verb::stats(dict(cache), out))
}

/// The key of a call: the prefix, then the arguments, untyped. (PyPhi's `DictCache.key`.)
///
/// @param cache   The cache.
/// @param prefix  [nullable] The prefix; NULL is "none", which PyPhi's caches have too.
/// @param args    The arguments.
/// @param out     The key's bytes, lent until `args` is used again or freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_dict_cache_key(
    cache: *mut phicache_dict_cache,
    prefix: *const c_char,
    args: *mut phicache_key,
    out: *mut phicache_bytes,
) -> phicache_status {
    catch_panics("phicache_dict_cache_key", || verb::key(dict(cache), prefix, args, out))
}

/// The cache as what memos and methods work on. No new ownership: the view lives as long as the cache.
///
/// @param cache  The cache.
/// @param out    The view.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_dict_cache_as_cache(
    cache: *mut phicache_dict_cache,
    out: *mut *mut phicache_cache,
) -> phicache_status {
    catch_panics("phicache_dict_cache_as_cache", || verb::as_cache(dict(cache), cache.cast(), out))
}
