//! Single flight without callbacks
//!
//! Of several callers that ask for a missing key one computes. `memoize` lets the others wait; here nobody blocks who does
//! not want to: `phicache_cache_begin` answers with the value, or with a lease (the caller computes, and completes or
//! abandons it), or that another is busy; then wait for a while, or do something else and begin again.
//!
//! Who computes is an owner: 0 is the calling thread, other numbers are tasks of the caller's own. An owner that begins a
//! key which it computes already is told so (ERROR_RECURSION), also after the key was removed or the cache cleared. Any
//! thread may complete a lease. When a lease is abandoned or a computation fails, one of the callers that wait in `memoize`
//! computes, and nobody else wakes up; if there is none, all callers that wait here are told to begin again. A lease of owner 0 that is
//! neither completed nor abandoned when its thread ends is abandoned then; its handle remains to be completed or abandoned,
//! and a value that comes now is not stored (REFUSED_CLEARED). `memoize` waits as owner 0: do not call it for a key that a
//! task of the same thread computes. After fork, the child's caches know nothing of computations that had begun.
//!
//! ```c
//! phicache_value value;
//! phicache_lease *lease;
//! uint8_t *bytes;
//! phicache_status status = phicache_cache_begin(cache, key, 0, &value, &lease);
//! if (status == PHICACHE_LEASE) {
//!     if (phicache_lease_reserve(lease, 2, &bytes) == PHICACHE_OK) memcpy(bytes, "42", 2);
//!     status = phicache_lease_complete(lease, &value);
//! } else if (status == PHICACHE_BUSY) {
//!     status = phicache_cache_wait(cache, key, 0, 100, &value);
//! }
//! if (status == PHICACHE_OK) {
//!     use(value.data, value.len);
//!     phicache_value_release(&value);
//! }
//! ```

use std::time::Duration;

use crate::cache::{Lease, Started, Waited};
use crate::ffi::api::prelude::*;
use crate::ffi::border::handles::lease;

/// Looks a key up, and says who computes its value when it has none.
///
/// @param cache      Any cache.
/// @param key        The key.
/// @param owner      Who asks: 0 for this thread, or the number of a task, below 2^63.
/// @param out        With OK, the value, pinned until `phicache_value_release`.
/// @param out_lease  With LEASE, the duty to compute the value: complete or abandon it.
/// @return OK, which counts a hit; LEASE, which counts a miss; BUSY, which counts nothing; ERROR_RECURSION when this owner
///         computes the key already and has not ended, whether or not the key was removed or the cache cleared since.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_begin(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    owner: u64,
    out: *mut phicache_value,
    out_lease: *mut *mut phicache_lease,
) -> phicache_status {
    catch_panics("phicache_cache_begin", || {
        // Both are zeroed, also when one is NULL.
        let outs = (self::out(out, "out"), self::out(out_lease, "out_lease"));
        let (out, out_lease) = (outs.0?, outs.1?);
        Ok(match Lease::begin(cache_of(cache)?, bytes(key, "key")?, owner)? {
            Started::Found(value) => {
                out.fill(value);
                PHICACHE_OK
            }
            Started::Lease(lease) => {
                *out_lease = create(lease)?;
                PHICACHE_LEASE
            }
            Started::Busy => PHICACHE_BUSY,
        })
    })
}

/// Waits for whoever computes a key.
///
/// @param cache         Any cache.
/// @param key           The key.
/// @param owner         Who waits: 0 for this thread, or the number of a task.
/// @param milliseconds  How long at most; 0 only looks. Until it waits again, begins or finds something, the owner counts as
///                      waiting for this key.
/// @param out           With OK, the value, pinned until `phicache_value_release`.
/// @return OK, which counts a hit; TIMEOUT; MISS when nobody computes it any more: begin again; BUSY when the one who
///         computes it waits for this owner, so that waiting would never end: compute the value without a lease.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_wait(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    owner: u64,
    milliseconds: u32,
    out: *mut phicache_value,
) -> phicache_status {
    catch_panics("phicache_cache_wait", || {
        let out = self::out(out, "out")?;
        let cache = cache_of(cache)?.clone();
        let time = Duration::from_millis(milliseconds.into());
        Ok(match Lease::wait(&cache, bytes(key, "key")?, owner, time)? {
            Waited::Value(value) => {
                out.fill(value);
                PHICACHE_OK
            }
            Waited::Nobody => PHICACHE_MISS,
            Waited::TimeOut => PHICACHE_TIMEOUT,
            Waited::Circle => PHICACHE_BUSY,
        })
    })
}

/// Reserves the value's bytes and lends them for writing: zero-filled, at 16-byte alignment. Again means start over.
///
/// @param lease  The lease.
/// @param len    The number of bytes.
/// @param out    The first byte, valid until the lease is reserved again, completed or abandoned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_lease_reserve(
    lease: *mut phicache_lease,
    len: usize,
    out: *mut *mut u8,
) -> phicache_status {
    catch_panics("phicache_lease_reserve", || reserve(lease, out, |lease| Ok(lease.reserve(len)?.as_mut_ptr())))
}

/// As `phicache_lease_reserve`, but the bytes are not zeroed: faster where all of them are written.
///
/// Each byte that is neither written nor cut off by `phicache_lease_truncate` is stored with whatever the memory held
/// before, and handed to all who ask for the value, other processes included.
///
/// @param lease  The lease.
/// @param len    The number of bytes.
/// @param out    The first byte, valid until the lease is reserved again, completed or abandoned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_lease_reserve_uninitialized(
    lease: *mut phicache_lease,
    len: usize,
    out: *mut *mut u8,
) -> phicache_status {
    catch_panics("phicache_lease_reserve_uninitialized", || {
        reserve(lease, out, |lease| Ok(lease.reserve_uninitialized(len)?.as_mut_ptr()))
    })
}

fn reserve(
    lease: *mut phicache_lease,
    out: *mut *mut u8,
    reserve: impl FnOnce(&mut Lease) -> Result<*mut u8>,
) -> Result<phicache_status> {
    // Zeroed also where the lease is none.
    let out = self::out(out, "out");
    let lease = self::lease(lease)?;
    *out.inspect_err(|error| lease.refuse(error))? = reserve(lease)?;
    Ok(PHICACHE_OK)
}

/// Keeps the first `len` bytes of what was reserved.
///
/// @param lease  The lease.
/// @param len    The number of bytes to keep, at most what was reserved.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_lease_truncate(lease: *mut phicache_lease, len: usize) -> phicache_status {
    catch_panics("phicache_lease_truncate", || {
        self::lease(lease)?.truncate(len)?;
        Ok(PHICACHE_OK)
    })
}

/// Hands the value to the cache, which stores it if it may, and to all who wait. The lease is gone, also on an error.
///
/// If its last reservation failed, there is no value: this fails with the same status, and those who wait begin again.
///
/// @param lease  The lease.
/// @param out    [nullable] The value, pinned until `phicache_value_release`; `out->origin` tells whether it was stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_lease_complete(
    lease: *mut phicache_lease,
    out: *mut phicache_value,
) -> phicache_status {
    catch_panics("phicache_lease_complete", || {
        let out = optional(out, "out")?;
        let value = free::<Lease, _>(lease, "lease")?.ok_or_else(|| null("lease"))?.complete()?;
        if let Some(out) = out {
            out.fill(value);
        }
        Ok(PHICACHE_OK)
    })
}

/// Gives a lease up: one of those who wait computes the value, or all are told to begin again. It does not count as a
/// computation that failed.
///
/// @param lease  [nullable] The lease.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_lease_abandon(lease: *mut phicache_lease) -> phicache_status {
    catch_panics("phicache_lease_abandon", || free::<Lease, _>(lease, "lease").map(|_| PHICACHE_OK))
}
