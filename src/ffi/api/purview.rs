//! Purview cache
//!
//! PyPhi's `PurviewCache`: for a direction and a mechanism of a network, the list of candidate purviews, as node sets,
//! in the order in which they were given. It stores lists only while purview caching is on. All threads may call the
//! functions at once.
//!
//! A key is the direction and the mechanism alone. So make a cache for each network, and store the candidates among all
//! of its nodes, or make one for each subsystem.
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
use crate::config::Tier;
use crate::ffi::api::prelude::*;
use crate::ffi::border::input::mask_bytes;
use crate::iit::{Direction, NodeSet};

/// Makes an empty cache.
///
/// @param config   [nullable] The configuration; NULL is the process default.
/// @param options  [nullable] Name and limit; NULL is no name and no limit.
/// @param out      The cache. Free it with `phicache_purview_cache_free`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn phicache_purview_cache_new(
    config: *mut phicache_config,
    options: *const phicache_cache_options,
    out: *mut *mut phicache_purview_cache,
) -> phicache_status {
    catch_panics("phicache_purview_cache_new", || {
        let (options, out) = (self::options(options, Tier::Memory), self::out(out, "out")?);
        let (options, name) = options?;
        let cache = PurviewCache::purview(self::config(config)?, options)?;
        *out = create_cache(Cache::Purview(cache), name, None)?;
        Ok(PHICACHE_OK)
    })
}

/// Destroys the cache. Pinned values stay valid.
///
/// @param cache  [nullable] The cache.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_purview_cache_free(cache: *mut phicache_purview_cache) -> phicache_status {
    catch_panics("phicache_purview_cache_free", || free_cache(cache))
}

/// Looks up the purviews of a mechanism. Counts a hit or a miss.
///
/// @param cache         The cache.
/// @param direction     `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
/// @param mechanism     The mechanism, as a node set.
/// @param out_purviews  The purviews, valid until `out` is released; NULL on a miss.
/// @param out_count     The number of purviews.
/// @param out           Keeps the purviews. Release it with `phicache_value_release`.
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
/// @param purviews   [nullable] The purviews; may be NULL if `count` is 0. An empty list is a value.
/// @param count      The number of purviews.
/// @return OK, or the reason why the list was refused: then the mechanism keeps the list that it had.
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

/// Looks up the purviews of a mechanism. On a miss, calls `compute`, which writes them as an array of `uint64_t` node
/// sets. Counts a hit or a miss.
///
/// May wait for another thread that computes the value.
///
/// @param cache          The cache.
/// @param direction      `PHICACHE_CAUSE` or `PHICACHE_EFFECT`.
/// @param mechanism      The mechanism, as a node set.
/// @param compute        Computes the purviews. A size that is not a multiple of 8 is an error.
/// @param user_data      [nullable] Passed to `compute`.
/// @param call_data      [nullable] Passed to `compute`.
/// @param out_purviews   The purviews, valid until `out` is released.
/// @param out_count      The number of purviews.
/// @param out            Keeps the purviews. Release it with `phicache_value_release`.
/// @param callback_code  [nullable] The code that `compute` returned, whatever the status; 0 if it was not called.
/// @return OK; ERROR_CALLBACK if `compute` did not return 0; the status of its last reservation if that failed. On an
///         error nothing is stored.
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

    fn look_up(
        cache: *mut Self,
        (direction, mechanism): (i32, u64),
        callback: Callback,
    ) -> Result<(TaskLookup, Callback)> {
        callback.check()?;
        let key = PurviewCache::key(Direction::from_number(direction)?, NodeSet(mechanism))?;
        Ok((cache_of(cache)?.get_or_reserve(&key)?.into(), callback))
    }
}

verbs! { purview_cache, "The cache": clear, size, info, stats, as_cache }
