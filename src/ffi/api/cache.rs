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

use std::ffi::{c_char, c_void};

use crate::cache::registry::Name;
use crate::cache::{Cache, Holder};
use crate::error::{Error, Result};
use crate::ffi::border::fast_path::{self, Buffer};
use crate::ffi::border::handle::{self, handle};
use crate::ffi::border::input::bytes;
use crate::ffi::border::output::{optional, out};
use crate::ffi::border::panic::catch_panics;
use crate::ffi::border::types::*;

/// What stands behind the handle of a cache of any type.
pub(in crate::ffi) struct CacheHandle {
    pub(in crate::ffi) cache: Cache,
    /// A share in the cache's name.
    _name: Option<Name>,
    /// A share in a cache that others hold too.
    _holder: Option<Holder>,
}
handle!(CacheHandle, "cache", b"phi-cach");

impl CacheHandle {
    pub(in crate::ffi) fn new(cache: Cache, name: Option<&str>, holder: Option<Holder>) -> Result<Self> {
        let name = name.map(|name| Name::register(name, &cache)).transpose()?;
        Ok(CacheHandle { cache, _name: name, _holder: holder })
    }
}

/// The cache behind a view.
#[inline(always)]
pub(in crate::ffi) fn as_any<'c>(cache: *mut phicache_cache) -> Result<&'c Cache> {
    handle::get::<CacheHandle, _>(cache, "cache").map(|handle| &handle.cache)
}

impl verb::Memoizes for phicache_cache {
    const MEMOIZE: &'static str = "phicache_cache_memoize";
    fn cache<'c>(handle: *mut Self) -> Result<&'c Cache> {
        as_any(handle)
    }
}

/// The error of a function that was handed another type of cache.
#[cold]
pub(in crate::ffi) fn wrong_kind(expected: &str) -> Error {
    Error::InvalidHandle(format!("cache is no {expected}: it is another type of cache").into())
}

/// Looks a key up; counts a hit or a miss.
///
/// @param cache  Any cache.
/// @param key    The key.
/// @param out    The value, pinned until `phicache_value_release`; zero on a miss.
/// @return OK or MISS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_get(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    out: *mut phicache_value,
) -> phicache_status {
    fast_path::get(fast_path::as_any(cache), key, out, |cache, key| cache.try_fast_get(key))
        .unwrap_or_else(|| get(cache, key, out))
}

#[inline(never)]
extern "C" fn get(cache: *mut phicache_cache, key: phicache_bytes, out: *mut phicache_value) -> phicache_status {
    catch_panics("phicache_cache_get", || verb::get(|| as_any(cache), key, out))
}

/// Looks a key up and copies its value; counts a hit or a miss, and nothing when the buffer is too small.
///
/// @param cache     Any cache.
/// @param key       The key.
/// @param buffer    [nullable] Where the value is copied to; may be NULL if `capacity` is 0.
/// @param capacity  Bytes of the buffer.
/// @param out_len   The value's length, also when it does not fit; 0 on a miss.
/// @return OK, MISS, or ERROR_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_get_into(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    let read = |cache: &Cache, key: &[u8], buffer: Buffer| cache.try_fast_read(key, |value| buffer.take(value));
    fast_path::get_into(fast_path::as_any(cache), key, buffer, capacity, out_len, read)
        .unwrap_or_else(|| get_into(cache, key, buffer, capacity, out_len))
}

#[inline(never)]
extern "C" fn get_into(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    catch_panics("phicache_cache_get_into", || verb::get_into(|| as_any(cache), key, buffer, capacity, out_len))
}

/// Tells whether a key has a value; counts nothing. OK, which says yes, is 0.
///
/// @param cache  Any cache.
/// @param key    The key.
/// @return OK or MISS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_contains(cache: *mut phicache_cache, key: phicache_bytes) -> phicache_status {
    catch_panics("phicache_cache_contains", || verb::contains(as_any(cache), key))
}

/// Stores a copy of a value, over the one that the key may have. An empty value is a value.
///
/// @param cache  Any cache.
/// @param key    The key.
/// @param value  The value.
/// @return OK, or why the value was refused: then the key keeps the value it had.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_set(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    value: phicache_bytes,
) -> phicache_status {
    catch_panics("phicache_cache_set", || verb::set(as_any(cache), key, value))
}

/// Looks a key up, and on a miss lets `compute` write its value straight into a new entry.
///
/// The value comes back also when it could not be stored: `out->origin` tells. Counts a hit or a miss.
///
/// @param cache          Any cache.
/// @param key            The key.
/// @param compute        Computes the value.
/// @param user_data      [nullable] Handed to `compute`.
/// @param call_data      [nullable] Handed to `compute`.
/// @param out            The value, pinned until `phicache_value_release`.
/// @param callback_code  [nullable] What `compute` returned, whatever the status; 0 when it was not called.
/// @return OK; ERROR_CALLBACK when `compute` did not return 0; where its last reservation failed, the status of that. On an
///         error nothing was stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_memoize(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    compute: phicache_compute,
    user_data: *mut c_void,
    call_data: *mut c_void,
    out: *mut phicache_value,
    callback_code: *mut i32,
) -> phicache_status {
    fast_path::memoize(key, compute, out, callback_code, |key| fast_path::as_any(cache)?.try_fast_hit(key))
        .unwrap_or_else(|| memoize(cache, key, compute, user_data, call_data, out, callback_code))
}

#[inline(never)]
extern "C" fn memoize(
    cache: *mut phicache_cache,
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
/// @param cache  Any cache.
/// @param key    The key.
/// @return OK, or MISS when there was none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_remove(cache: *mut phicache_cache, key: phicache_bytes) -> phicache_status {
    catch_panics("phicache_cache_remove", || verb::remove(as_any(cache), key))
}

/// Takes all values out and sets the counts to zero; pins stay valid.
///
/// @param cache  Any cache.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_clear(cache: *mut phicache_cache) -> phicache_status {
    catch_panics("phicache_cache_clear", || verb::clear(as_any(cache)))
}

/// The number of values.
///
/// @param cache     Any cache.
/// @param out_size  The number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_size(cache: *mut phicache_cache, out_size: *mut u64) -> phicache_status {
    catch_panics("phicache_cache_size", || verb::size(as_any(cache), out_size))
}

/// Hits, misses and size.
///
/// @param cache  Any cache.
/// @param out    The figures.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_info(cache: *mut phicache_cache, out: *mut phicache_info) -> phicache_status {
    catch_panics("phicache_cache_info", || verb::info(as_any(cache), out))
}

/// All figures.
///
/// @param cache  Any cache.
/// @param out    The figures; `struct_size` is set by the caller.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_stats(cache: *mut phicache_cache, out: *mut phicache_stats) -> phicache_status {
    catch_panics("phicache_cache_stats", || verb::stats(as_any(cache), out))
}

/// The key of a call: the prefix, then the arguments, untyped. (PyPhi's `DictCache.key`.)
///
/// @param cache   Any cache.
/// @param prefix  [nullable] The prefix; NULL is "none", which PyPhi's caches have too.
/// @param args    The arguments.
/// @param out     The key's bytes, lent until `args` is used again or freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_key(
    cache: *mut phicache_cache,
    prefix: *const c_char,
    args: *mut phicache_key,
    out: *mut phicache_bytes,
) -> phicache_status {
    catch_panics("phicache_cache_key", || verb::key(as_any(cache), prefix, args, out))
}

/// What the functions of all cache types do, once they know the cache.
pub(in crate::ffi) mod verb {
    use super::*;
    use crate::ffi::api::callback::{self, BEGUN, Call, Place};
    use crate::ffi::api::key::{builder, lend};
    use crate::ffi::border::handle;
    use crate::ffi::border::input::{array_mut, optional_text};
    use crate::ffi::border::output::{found, growing, length, stored};
    use crate::memory::limit;

    #[inline(always)]
    pub(in crate::ffi) fn get<'c>(
        cache: impl FnOnce() -> Result<&'c Cache>,
        key: phicache_bytes,
        out: *mut phicache_value,
    ) -> Result<phicache_status> {
        let out = self::out(out, "out")?;
        let found = cache()?.get(bytes(key, "key")?)?;
        Ok(found.map_or(PHICACHE_MISS, |value| {
            out.fill(value);
            PHICACHE_OK
        }))
    }

    #[inline(always)]
    pub(in crate::ffi) fn get_into<'c>(
        cache: impl FnOnce() -> Result<&'c Cache>,
        key: phicache_bytes,
        buffer: *mut u8,
        capacity: usize,
        out_len: *mut usize,
    ) -> Result<phicache_status> {
        let out_len = out(out_len, "out_len")?;
        let buffer = array_mut(buffer, capacity, "buffer")?;
        match cache()?.get_into(bytes(key, "key")?, buffer).transpose() {
            Some(copied) => length(copied, out_len),
            None => Ok(PHICACHE_MISS),
        }
    }

    /// A handle's type whose values are memoized as bytes by key.
    pub(in crate::ffi) trait Memoizes: Sized {
        /// The exported function, for messages.
        const MEMOIZE: &'static str;
        /// The cache behind a handle.
        fn cache<'c>(handle: *mut Self) -> Result<&'c Cache>;
    }

    /// Looks a key up, and on a miss lets `compute` write its value: see [`Call`] for why in three steps.
    #[inline(always)]
    pub(in crate::ffi) fn memoize<C: Memoizes>(
        cache: *mut C,
        key: phicache_bytes,
        compute: phicache_compute,
        user_data: *mut c_void,
        call_data: *mut c_void,
        out: *mut phicache_value,
        code: *mut i32,
    ) -> phicache_status {
        let mut place = Place::uninit();
        let begun = begin(cache, key, compute, out, code, &mut place);
        if begun != BEGUN {
            return begun;
        }
        // SAFETY: it has begun.
        let returned = unsafe { Call::run(&mut place, C::MEMOIZE, compute, user_data, call_data) };
        // SAFETY: as above.
        unsafe { end(C::MEMOIZE, &mut place, returned, out, code) }
    }

    #[inline(never)]
    fn begin<C: Memoizes>(
        cache: *mut C,
        key: phicache_bytes,
        compute: phicache_compute,
        out: *mut phicache_value,
        code: *mut i32,
        place: &mut Place,
    ) -> phicache_status {
        catch_panics(C::MEMOIZE, || {
            optional(code, "callback_code")?;
            let out = self::out(out, "out")?;
            callback::check(compute)?;
            let (cache, key) = (C::cache(cache)?, bytes(key, "key")?);
            callback::begin(place, cache.get_or_reserve(key)?, (), |value| Ok(out.filled(value)))
        })
    }

    /// # Safety
    /// The call has begun, and ends here.
    #[inline(never)]
    unsafe fn end(
        name: &'static str,
        place: &mut Place,
        returned: i32,
        out: *mut phicache_value,
        code: *mut i32,
    ) -> phicache_status {
        catch_panics(name, || {
            // SAFETY: the caller's promise.
            let value = unsafe { Call::end(place, returned, code, |()| limit::UNLIMITED) }?;
            Ok(self::out(out, "out")?.filled(value))
        })
    }

    pub(in crate::ffi) fn contains(cache: Result<&Cache>, key: phicache_bytes) -> Result<phicache_status> {
        Ok(found(cache?.contains(bytes(key, "key")?)?))
    }

    pub(in crate::ffi) fn set(
        cache: Result<&Cache>,
        key: phicache_bytes,
        value: phicache_bytes,
    ) -> Result<phicache_status> {
        cache?.set(bytes(key, "key")?, bytes(value, "value")?).map(stored)
    }

    pub(in crate::ffi) fn remove(cache: Result<&Cache>, key: phicache_bytes) -> Result<phicache_status> {
        Ok(found(cache?.remove(bytes(key, "key")?)?))
    }

    pub(in crate::ffi) fn clear(cache: Result<&Cache>) -> Result<phicache_status> {
        cache?.clear().map(|()| PHICACHE_OK)
    }

    pub(in crate::ffi) fn size(cache: Result<&Cache>, out_size: *mut u64) -> Result<phicache_status> {
        let out = out(out_size, "out_size")?;
        *out = cache?.size()?;
        Ok(PHICACHE_OK)
    }

    pub(in crate::ffi) fn info(cache: Result<&Cache>, out: *mut phicache_info) -> Result<phicache_status> {
        let out = self::out(out, "out")?;
        *out = cache?.info()?.into();
        Ok(PHICACHE_OK)
    }

    pub(in crate::ffi) fn stats(cache: Result<&Cache>, out: *mut phicache_stats) -> Result<phicache_status> {
        let out = growing(out, "out")?;
        out.fill(cache?.stats()?.into());
        Ok(PHICACHE_OK)
    }

    pub(in crate::ffi) fn key(
        cache: Result<&Cache>,
        prefix: *const c_char,
        args: *mut phicache_key,
        out: *mut phicache_bytes,
    ) -> Result<phicache_status> {
        let out = self::out(out, "out")?;
        cache?;
        let prefix = optional_text(prefix, "prefix")?;
        *out = lend(builder(args, "args")?.key_with_prefix(false, prefix)?);
        Ok(PHICACHE_OK)
    }

    pub(in crate::ffi) fn as_cache(
        cache: Result<&Cache>,
        handle: *mut phicache_cache,
        out: *mut *mut phicache_cache,
    ) -> Result<phicache_status> {
        let out = self::out(out, "out")?;
        cache?;
        *out = handle;
        Ok(PHICACHE_OK)
    }

    /// Frees a handle that `which` finds to be of its type.
    pub(in crate::ffi) fn free<O>(
        cache: *mut phicache_cache,
        which: impl Fn(*mut O) -> Result<&'static Cache>,
    ) -> Result<phicache_status> {
        if !cache.is_null() {
            which(cache.cast())?;
            drop(handle::free::<CacheHandle, _>(cache, "cache")?);
        }
        Ok(PHICACHE_OK)
    }
}
