//! Flat calls
//!
//! The lookups of "Any cache" with a pointer and a length in place of each `phicache_bytes`, for callers to which a
//! struct by value is expensive or unknown: Python's ctypes, Julia's ccall, Fortran, and other foreign-function
//! interfaces. They do the same, and as fast.
//!
//! ```c
//! double phi = 0.25;
//! size_t len;
//! if (phicache_cache_set_flat(cache, key.data, key.len, (uint8_t *)&phi, sizeof phi) != PHICACHE_OK) return 1;
//! if (phicache_cache_get_into_flat(cache, key.data, key.len, (uint8_t *)&phi, sizeof phi, &len) == PHICACHE_OK) {
//!     use(phi);
//! }
//! ```

use crate::epoch::guard::in_open;
use crate::ffi::api::prelude::*;
use crate::ffi::border::any_cache::FlatCache;

/// The key of a flat call.
#[inline(always)]
fn flat(data: *const u8, len: usize) -> phicache_bytes {
    phicache_bytes { data, len }
}

/// Looks a key up and copies its value, as `phicache_cache_get_into` does.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param cache     Any cache.
/// @param key       [nullable] The key; may be NULL if `key_len` is 0.
/// @param key_len   The length of the key.
/// @param buffer    [nullable] Receives the value; may be NULL if `capacity` is 0.
/// @param capacity  The size of the buffer in bytes.
/// @param out_len   The length of the value, also if it does not fit; 0 on a miss.
/// @return OK, MISS, or ERROR_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_get_into_flat(
    cache: *mut phicache_cache,
    key: *const u8,
    key_len: usize,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    fast_path::get_into(cache, flat(key, key_len), buffer, capacity, out_len)
        .unwrap_or_else(|| get_into(cache, flat(key, key_len), buffer, capacity, out_len))
}

#[inline(never)]
extern "C" fn get_into(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    catch_panics("phicache_cache_get_into_flat", || {
        let (out_len, buffer) = (output::out(out_len, "out_len")?, array_mut(buffer, capacity, "buffer")?);
        let copied = cache_of(cache)?.get_into(bytes(key, "key")?, buffer).transpose();
        copied.map_or(Ok(PHICACHE_MISS), |copied| length(copied, out_len))
    })
}

/// Looks a key up in a read section, as `phicache_cache_read` does.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param cache     Any cache.
/// @param key       [nullable] The key; may be NULL if `key_len` is 0.
/// @param key_len   The length of the key.
/// @param out_data  The value's first byte, in place, valid until this thread's outermost read section ends; NULL on a
///                  miss, and only then.
/// @param out_len   The length of the value; 0 on a miss.
/// @return OK or MISS; ERROR_INVALID_ARGUMENT outside a read section; ERROR_UNSUPPORTED for caches that
///         `phicache_cache_read` does not support.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_read_flat(
    cache: *mut phicache_cache,
    key: *const u8,
    key_len: usize,
    out_data: *mut *const u8,
    out_len: *mut usize,
) -> phicache_status {
    fast_path::read_flat(cache, flat(key, key_len), out_data, out_len)
        .unwrap_or_else(|| read(cache, flat(key, key_len), out_data, out_len))
}

#[inline(never)]
extern "C" fn read(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    out_data: *mut *const u8,
    out_len: *mut usize,
) -> phicache_status {
    catch_panics("phicache_cache_read_flat", || {
        // Both are zeroed, even if one is NULL.
        let outs = (out(out_data, "out_data"), out(out_len, "out_len"));
        let (out_data, out_len) = (outs.0?, outs.1?);
        let (cache, key) = (cache_of(cache)?, bytes(key, "key")?);
        in_open(|guard| {
            let found = cache.look(guard, key)?;
            Ok(found.map_or(PHICACHE_MISS, |value| {
                (*out_data, *out_len) = (value.as_ptr(), value.len());
                PHICACHE_OK
            }))
        })
    })
}

/// Tells whether a key has a value, as `phicache_cache_contains` does: OK, which means yes, is 0.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param cache    Any cache.
/// @param key      [nullable] The key; may be NULL if `key_len` is 0.
/// @param key_len  The length of the key.
/// @return OK or MISS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_contains_flat(
    cache: *mut phicache_cache,
    key: *const u8,
    key_len: usize,
) -> phicache_status {
    let key = flat(key, key_len);
    fast_path::contains(cache, key).unwrap_or_else(|| {
        catch_panics("phicache_cache_contains_flat", || Ok(found(cache_of(cache)?.contains(bytes(key, "key")?)?)))
    })
}

/// Stores a copy of a value, as `phicache_cache_set` does.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param cache      Any cache.
/// @param key        [nullable] The key; may be NULL if `key_len` is 0.
/// @param key_len    The length of the key.
/// @param value      [nullable] The value; may be NULL if `value_len` is 0.
/// @param value_len  The length of the value.
/// @return OK, or the reason why the value was refused: then the key keeps the value that it had.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_set_flat(
    cache: *mut phicache_cache,
    key: *const u8,
    key_len: usize,
    value: *const u8,
    value_len: usize,
) -> phicache_status {
    fast_path::refuse(cache, flat(key, key_len), flat(value, value_len))
        .unwrap_or_else(|| set(cache, flat(key, key_len), flat(value, value_len)))
}

#[inline(never)]
extern "C" fn set(cache: *mut phicache_cache, key: phicache_bytes, value: phicache_bytes) -> phicache_status {
    catch_panics("phicache_cache_set_flat", || {
        cache_of(cache)?.set(bytes(key, "key")?, bytes(value, "value")?).map(stored)
    })
}

/// Looks a key up, and computes its value on a miss, as `phicache_cache_memoize` does. The callback gets its key as a
/// struct all the same.
///
/// May wait for another thread or process that computes the value, and for the server or the file system, if the
/// values are there.
///
/// @param cache          Any cache.
/// @param key            [nullable] The key; may be NULL if `key_len` is 0.
/// @param key_len        The length of the key.
/// @param compute        Computes the value.
/// @param user_data      [nullable] Passed to `compute`.
/// @param call_data      [nullable] Passed to `compute`.
/// @param out            The value, pinned until `phicache_value_release`.
/// @param callback_code  [nullable] The code that `compute` returned, whatever the status; 0 if it was not called.
/// @return OK; ERROR_CALLBACK if `compute` did not return 0; the status of its last reservation if that failed. On an
///         error nothing is stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_memoize_flat(
    cache: *mut phicache_cache,
    key: *const u8,
    key_len: usize,
    compute: phicache_compute,
    user_data: *mut c_void,
    call_data: *mut c_void,
    out: *mut phicache_value,
    callback_code: *mut i32,
) -> phicache_status {
    let (key, callback) = (flat(key, key_len), Callback { compute, user_data });
    match fast_path::memoize(cache, some_key(key), compute, out, callback_code).hit() {
        Some(status) => status,
        None => callback::compute(FlatCache::of(cache), key, callback, call_data, out, callback_code),
    }
}

impl Computes for FlatCache {
    const FUNCTION: &'static str = "phicache_cache_memoize_flat";
    type Key = phicache_bytes;
    type Given = Callback;
    type Keep = Callback;
    type Outputs = *mut phicache_value;

    fn look_up(cache: *mut Self, key: phicache_bytes, callback: Callback) -> Result<(TaskLookup, Callback)> {
        callback.check()?;
        Ok((cache_of(FlatCache::cache(cache))?.get_or_reserve(bytes(key, "key")?)?.into(), callback))
    }
}
