//! Purview cache
//!
//! PyPhi's `PurviewCache`: for a direction and a mechanism of a network, the list of purviews that come into question, as
//! node sets in an order that is kept. It stores only while purview caching is on. All functions may be called from any
//! thread at once.
//!
//! ```c
//! phicache_purview_cache *cache;
//! const uint64_t candidates[] = { 0x1, 0x3 }, *purviews;
//! size_t count;
//! phicache_value value;
//! if (phicache_purview_cache_new(NULL, NULL, &cache) != PHICACHE_OK) return 1;
//! phicache_purview_cache_set(cache, PHICACHE_CAUSE, 0x5, candidates, 2);
//! if (phicache_purview_cache_get(cache, PHICACHE_CAUSE, 0x5, &purviews, &count, &value) == PHICACHE_OK) {
//!     use(purviews, count);
//!     phicache_value_release(&value);
//! }
//! phicache_purview_cache_free(cache);
//! ```

use crate::cache::{Cache, PurviewCache};
use crate::ffi::api::prelude::*;
use crate::ffi::border::input::mask_bytes;
use crate::iit::{Direction, NodeSet};

/// Makes an empty cache.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param options  [nullable] Name and limit; NULL is neither.
/// @param out      The cache, to be freed by `phicache_purview_cache_free`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_purview_cache_new(
    config: *mut phicache_config,
    options: *const phicache_cache_options,
    out: *mut *mut phicache_purview_cache,
) -> phicache_status {
    catch_panics("phicache_purview_cache_new", || {
        let out = self::out(out, "out")?;
        let (options, name) = self::options(options)?;
        let cache = PurviewCache::purview(self::config(config)?, options)?;
        *out = create_cache(Cache::Purview(cache), name, None)?;
        Ok(PHICACHE_OK)
    })
}

/// Frees a cache. Pins stay valid.
///
/// @param cache  [nullable] The cache.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_purview_cache_free(cache: *mut phicache_purview_cache) -> phicache_status {
    catch_panics("phicache_purview_cache_free", || free_cache(cache))
}

/// Looks the purviews of a mechanism up; counts a hit or a miss.
///
/// @param cache         The cache.
/// @param direction     `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
/// @param mechanism     The mechanism, as a node set.
/// @param out_purviews  The purviews, valid until `out` is released; NULL on a miss.
/// @param out_count     How many.
/// @param out           What keeps them: release it by `phicache_value_release`.
/// @return OK or MISS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_purview_cache_get(
    cache: *mut phicache_purview_cache,
    direction: i32,
    mechanism: u64,
    out_purviews: *mut *const u64,
    out_count: *mut usize,
    out: *mut phicache_value,
) -> phicache_status {
    catch_panics("phicache_purview_cache_get", || {
        let outputs = (out_purviews, out_count, out);
        outputs.zero()?;
        let key = PurviewCache::key(Direction::from_number(direction)?, NodeSet(mechanism))?;
        outputs.found(cache_of(cache)?.get(&key)?)
    })
}

/// Stores a copy of the purviews of a mechanism, if purview caching is on.
///
/// @param cache      The cache.
/// @param direction  `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
/// @param mechanism  The mechanism, as a node set.
/// @param purviews   [nullable] The purviews; may be NULL if `count` is 0: an empty list is a value.
/// @param count      How many.
/// @return OK, or why the value was refused: then the mechanism keeps the purviews it had.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_purview_cache_set(
    cache: *mut phicache_purview_cache,
    direction: i32,
    mechanism: u64,
    purviews: *const u64,
    count: usize,
) -> phicache_status {
    catch_panics("phicache_purview_cache_set", || {
        let cache = cache_of(cache)?;
        let key = PurviewCache::key(Direction::from_number(direction)?, NodeSet(mechanism))?;
        cache.set(&key, mask_bytes(purviews, count, "purviews")?).map(stored)
    })
}

/// Looks the purviews of a mechanism up, and on a miss lets `compute` write them: `uint64_t` masks, one after the other.
///
/// @param cache          The cache.
/// @param direction      `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
/// @param mechanism      The mechanism, as a node set.
/// @param compute        Computes the purviews; a number of bytes that is no multiple of 8 is an error.
/// @param user_data      [nullable] Handed to `compute`.
/// @param call_data      [nullable] Handed to `compute`.
/// @param out_purviews   The purviews, valid until `out` is released.
/// @param out_count      How many.
/// @param out            What keeps them: release it by `phicache_value_release`.
/// @param callback_code  [nullable] What `compute` returned, whatever the status; 0 when it was not called.
/// @return OK; ERROR_CALLBACK when `compute` did not return 0; where its last reservation failed, the status of that. On an
///         error nothing was stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_purview_cache_memoize(
    cache: *mut phicache_purview_cache,
    direction: i32,
    mechanism: u64,
    compute: phicache_compute,
    user_data: *mut c_void,
    call_data: *mut c_void,
    out_purviews: *mut *const u64,
    out_count: *mut usize,
    out: *mut phicache_value,
    callback_code: *mut i32,
) -> phicache_status {
    let (key, callback) = ((direction, mechanism), Callback { compute, user_data });
    callback::compute(cache, key, callback, call_data, (out_purviews, out_count, out), callback_code)
}

impl Computes for phicache_purview_cache {
    const FUNCTION: &'static str = "phicache_purview_cache_memoize";
    type Key = (i32, u64);
    type Given = Callback;
    type Keep = Callback;
    type Outputs = (*mut *const u64, *mut usize, *mut phicache_value);

    fn look_up(cache: *mut Self, (direction, mechanism): (i32, u64), callback: Callback) -> Result<(Answer, Callback)> {
        callback.check()?;
        let key = PurviewCache::key(Direction::from_number(direction)?, NodeSet(mechanism))?;
        Ok((cache_of(cache)?.get_or_reserve(&key)?.into(), callback))
    }
}

verbs! { purview_cache, "The cache": clear, size, info, stats, as_cache }
