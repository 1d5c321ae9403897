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

use std::ffi::c_void;

use crate::cache::{Cache, PurviewCache, Value};
use crate::error::Result;
use crate::ffi::api::cache::{CacheHandle, verb, wrong_kind};
use crate::ffi::api::callback::{self, BEGUN, Call, Place};
use crate::ffi::border::handle::{create, get};
use crate::ffi::border::input::{array, config, options};
use crate::ffi::border::output::{found, optional, out, stored};
use crate::ffi::border::panic::catch_panics;
use crate::ffi::border::types::*;
use crate::iit::{Direction, NodeSet};
use crate::memory::limit;

#[inline]
fn purview<'c>(cache: *mut phicache_purview_cache) -> Result<&'c Cache> {
    match &get::<CacheHandle, _>(cache, "cache")?.cache {
        cache @ Cache::Purview(_) => Ok(cache),
        _ => Err(wrong_kind("phicache_purview_cache")),
    }
}

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
        *out = create(CacheHandle::new(Cache::Purview(cache), name, None)?)?;
        Ok(PHICACHE_OK)
    })
}

/// Frees a cache. Pins stay valid.
///
/// @param cache  [nullable] The cache.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_purview_cache_free(cache: *mut phicache_purview_cache) -> phicache_status {
    catch_panics("phicache_purview_cache_free", || verb::free(cache.cast(), purview))
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
        let out = List::new(out_purviews, out_count, out)?;
        let key = PurviewCache::key(Direction::from_number(direction)?, NodeSet(mechanism))?;
        Ok(found(purview(cache)?.get(&key)?.map(|value| out.fill(value)).is_some()))
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
        let cache = purview(cache)?;
        let key = PurviewCache::key(Direction::from_number(direction)?, NodeSet(mechanism))?;
        array(purviews, count, "purviews")?;
        // The same memory seen as bytes.
        let bytes = array(purviews.cast::<u8>(), count * size_of::<u64>(), "purviews")?;
        cache.set(&key, bytes).map(stored)
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
    let mut place = Place::uninit();
    let begun = begin(cache, direction, mechanism, compute, out_purviews, out_count, out, callback_code, &mut place);
    if begun != BEGUN {
        return begun;
    }
    // SAFETY: it has begun.
    let returned = unsafe { Call::run(&mut place, MEMOIZE, compute, user_data, call_data) };
    // SAFETY: as above.
    unsafe { end(&mut place, returned, out_purviews, out_count, out, callback_code) }
}

const MEMOIZE: &str = "phicache_purview_cache_memoize";

#[inline(never)]
#[expect(clippy::too_many_arguments, reason = "those of the exported function")]
fn begin(
    cache: *mut phicache_purview_cache,
    direction: i32,
    mechanism: u64,
    compute: phicache_compute,
    purviews: *mut *const u64,
    count: *mut usize,
    out: *mut phicache_value,
    code: *mut i32,
    place: &mut Place,
) -> phicache_status {
    catch_panics(MEMOIZE, || {
        optional(code, "callback_code")?;
        let out = List::new(purviews, count, out)?;
        callback::check(compute)?;
        let key = PurviewCache::key(Direction::from_number(direction)?, NodeSet(mechanism))?;
        callback::begin(place, purview(cache)?.get_or_reserve(&key)?, (), |value| {
            out.fill(value);
            Ok(PHICACHE_OK)
        })
    })
}

/// # Safety
/// The call has begun, and ends here.
#[inline(never)]
unsafe fn end(
    place: &mut Place,
    returned: i32,
    purviews: *mut *const u64,
    count: *mut usize,
    out: *mut phicache_value,
    code: *mut i32,
) -> phicache_status {
    catch_panics(MEMOIZE, || {
        // SAFETY: the caller's promise.
        let value = unsafe { Call::end(place, returned, code, |()| limit::UNLIMITED) }?;
        List::new(purviews, count, out)?.fill(value);
        Ok(PHICACHE_OK)
    })
}

/// The three outputs of a list of purviews.
struct List<'a> {
    purviews: &'a mut *const u64,
    count: &'a mut usize,
    value: &'a mut phicache_value,
}

impl List<'_> {
    fn new(purviews: *mut *const u64, count: *mut usize, value: *mut phicache_value) -> Result<Self> {
        // All of them are zeroed, also when one is NULL.
        let outs = (out(purviews, "out_purviews"), out(count, "out_count"), out(value, "out"));
        Ok(List { purviews: outs.0?, count: outs.1?, value: outs.2? })
    }

    fn fill(self, value: Value) {
        self.value.fill(value);
        *self.purviews = self.value.data.cast();
        *self.count = self.value.len / size_of::<u64>();
    }
}

/// Takes all values out and sets the counts to zero; pins stay valid.
///
/// @param cache  The cache.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_purview_cache_clear(cache: *mut phicache_purview_cache) -> phicache_status {
    catch_panics("phicache_purview_cache_clear", || verb::clear(purview(cache)))
}

/// The number of values.
///
/// @param cache     The cache.
/// @param out_size  The number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_purview_cache_size(
    cache: *mut phicache_purview_cache,
    out_size: *mut u64,
) -> phicache_status {
    catch_panics("phicache_purview_cache_size", || verb::size(purview(cache), out_size))
}

/// Hits, misses and size.
///
/// @param cache  The cache.
/// @param out    The figures.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_purview_cache_info(
    cache: *mut phicache_purview_cache,
    out: *mut phicache_info,
) -> phicache_status {
    catch_panics("phicache_purview_cache_info", || verb::info(purview(cache), out))
}

/// All figures.
///
/// @param cache  The cache.
/// @param out    The figures; `struct_size` is set by the caller.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_purview_cache_stats(
    cache: *mut phicache_purview_cache,
    out: *mut phicache_stats,
) -> phicache_status {
    catch_panics("phicache_purview_cache_stats", || verb::stats(purview(cache), out))
}

/// The cache as what memos and methods work on. No new ownership: the view lives as long as the cache.
///
/// @param cache  The cache.
/// @param out    The view.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_purview_cache_as_cache(
    cache: *mut phicache_purview_cache,
    out: *mut *mut phicache_cache,
) -> phicache_status {
    catch_panics("phicache_purview_cache_as_cache", || verb::as_cache(purview(cache), cache.cast(), out))
}
