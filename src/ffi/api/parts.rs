//! Keys in parts
//!
//! A key that is two repertoires, or a name and an array, need not be copied together first. These functions join the
//! parts, on the stack up to 1 KiB:
//!
//! ```c
//! double p[4] = { 0.25, 0.25, 0.25, 0.25 }, q[4] = { 1, 0, 0, 0 };
//! phicache_bytes parts[2] = { { (const uint8_t *)p, sizeof p }, { (const uint8_t *)q, sizeof q } };
//! phicache_value distance;
//! if (phicache_cache_memoize_parts(cache, parts, 2, compute, NULL, NULL, &distance, NULL) == PHICACHE_OK) {
//!     use(distance.data, distance.len);
//!     phicache_value_release(&distance);
//! }
//! ```
//!
//! The key is the bytes of the parts, one after another, and nothing else. So the parts {1}, {2, 3} and the parts {1,
//! 2}, {3} are one key, and `phicache_cache_get` finds its value by the key {1, 2, 3}. Where the lengths may differ,
//! add a part that tells them apart. The C++ and Julia interfaces add the length of each part, 32 bits little-endian,
//! as one more part.

use crate::ffi::api::prelude::*;
use crate::ffi::border::parts::{CacheByParts, Joined, Parts};

/// Looks a key up as `phicache_cache_get` does.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param cache  Any cache.
/// @param parts  The parts of the key. An empty part adds nothing.
/// @param count  The number of parts.
/// @param out    The value, pinned until `phicache_value_release`; zero on a miss.
/// @return OK or MISS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_get_parts(
    cache: *mut phicache_cache,
    parts: *const phicache_bytes,
    count: usize,
    out: *mut phicache_value,
) -> phicache_status {
    let (parts, mut buffer) = (Parts::new(parts, count), Joined::new());
    let fast = parts.try_join(&mut buffer).and_then(|key| fast_path::get(cache, some_key(key), out));
    fast.unwrap_or_else(|| {
        catch_panics("phicache_cache_get_parts", || {
            out.zero()?;
            let cache = cache_of(cache)?;
            parts.with_key(|key| out.found(cache.get(key)?))
        })
    })
}

/// Looks a key up and copies its value, as `phicache_cache_get_into` does.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param cache     Any cache.
/// @param parts     The parts of the key. An empty part adds nothing.
/// @param count     The number of parts.
/// @param buffer    [nullable] Receives the value; may be NULL if `capacity` is 0.
/// @param capacity  The size of the buffer in bytes.
/// @param out_len   The length of the value, also if it does not fit; 0 on a miss.
/// @return OK, MISS, or ERROR_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_get_into_parts(
    cache: *mut phicache_cache,
    parts: *const phicache_bytes,
    count: usize,
    buffer: *mut u8,
    capacity: usize,
    out_len: *mut usize,
) -> phicache_status {
    let (parts, mut joined) = (Parts::new(parts, count), Joined::new());
    let fast = parts.try_join(&mut joined);
    let fast = fast.and_then(|key| fast_path::get_into(cache, key, buffer, capacity, out_len));
    fast.unwrap_or_else(|| {
        catch_panics("phicache_cache_get_into_parts", || {
            let (out_len, buffer) = (output::out(out_len, "out_len")?, array_mut(buffer, capacity, "buffer")?);
            let cache = cache_of(cache)?;
            parts.with_key(|key| {
                let copied = cache.get_into(key, buffer).transpose();
                copied.map_or(Ok(PHICACHE_MISS), |copied| length(copied, out_len))
            })
        })
    })
}

/// Stores a copy of a value as `phicache_cache_set` does.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param cache  Any cache.
/// @param parts  The parts of the key. An empty part adds nothing.
/// @param count  The number of parts.
/// @param value  The value.
/// @return OK, or the reason why the value was refused: then the key keeps the value that it had.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_set_parts(
    cache: *mut phicache_cache,
    parts: *const phicache_bytes,
    count: usize,
    value: phicache_bytes,
) -> phicache_status {
    catch_panics("phicache_cache_set_parts", || {
        let (cache, value) = (cache_of(cache)?, bytes(value, "value")?);
        Parts::new(parts, count).with_key(|key| cache.set(key, value).map(stored))
    })
}

/// Looks a key up, and computes its value on a miss, as `phicache_cache_memoize` does. The callback gets the joined
/// key.
///
/// May wait for another thread or process that computes the value, and for the server or the file system, if the
/// values are there.
///
/// @param cache          Any cache.
/// @param parts          The parts of the key. An empty part adds nothing.
/// @param count          The number of parts.
/// @param compute        Computes the value.
/// @param user_data      [nullable] Passed to `compute`.
/// @param call_data      [nullable] Passed to `compute`.
/// @param out            The value, pinned until `phicache_value_release`.
/// @param callback_code  [nullable] The code that `compute` returned, whatever the status; 0 if it was not called.
/// @return OK; ERROR_CALLBACK if `compute` did not return 0; the status of its last reservation if that failed. On an
///         error nothing is stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_memoize_parts(
    cache: *mut phicache_cache,
    parts: *const phicache_bytes,
    count: usize,
    compute: phicache_compute,
    user_data: *mut c_void,
    call_data: *mut c_void,
    out: *mut phicache_value,
    callback_code: *mut i32,
) -> phicache_status {
    let parts = Parts::new(parts, count);
    try_hit(cache, parts, compute, out, callback_code).unwrap_or_else(|| {
        callback::compute(
            CacheByParts::of(cache),
            parts,
            Callback { compute, user_data },
            call_data,
            out,
            callback_code,
        )
    })
}

/// A function of its own, so that the joined key is off the stack when the callback runs.
#[inline(never)]
fn try_hit(
    cache: *mut phicache_cache,
    parts: Parts,
    compute: phicache_compute,
    out: *mut phicache_value,
    code: *mut i32,
) -> Option<phicache_status> {
    let mut buffer = Joined::new();
    fast_path::memoize(cache, some_key(parts.try_join(&mut buffer)?), compute, out, code).hit()
}

impl Computes for CacheByParts {
    const FUNCTION: &'static str = "phicache_cache_memoize_parts";
    type Key = Parts;
    type Given = Callback;
    type Keep = Callback;
    type Outputs = *mut phicache_value;

    fn look_up(cache: *mut Self, parts: Parts, callback: Callback) -> Result<(TaskLookup, Callback)> {
        callback.check()?;
        let cache = cache_of(CacheByParts::cache(cache))?;
        Ok((parts.with_key(|key| cache.get_or_reserve(key))?.into(), callback))
    }
}
