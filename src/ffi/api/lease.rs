//! Single flight without callbacks
//!
//! If several callers ask for a missing key, one of them computes its value. In `memoize` the others block until it is
//! there. The functions of this section need not block: `phicache_cache_begin` returns the value, or a lease (the
//! caller computes the value, and completes or abandons the lease), or BUSY (another caller computes the value: wait
//! for a while, or do something else and begin again).
//!
//! A computation has an owner: 0 is the calling thread, other numbers are tasks of the program. If an owner begins a
//! key that it is already computing, it gets ERROR_RECURSION, even if the key was removed or the cache cleared
//! meanwhile. Any thread may complete a lease.
//!
//! If a lease is abandoned, or a computation fails, one of the callers that wait in `memoize` wakes up and computes. If
//! no caller waits there, all callers of `phicache_cache_wait` wake up and get MISS: begin again. If a thread ends, its
//! leases of owner 0 are abandoned; their handles must still be completed or abandoned, and their values are not stored
//! (REFUSED_CLEARED). `memoize` waits as owner 0: do not call it for a key that a task of the same thread computes.
//! After fork, the caches of the child have no computations in progress.
//!
//! In verified mode (see "Any cache"), a hit that is verified is a LEASE too: completing it compares the values. If it
//! is abandoned, the value stays and is not verified. Other callers find the value meanwhile: none waits for such a
//! lease.
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

use crate::cache::{Cost, Lease, Started, Waited};
use crate::ffi::api::prelude::*;
use crate::ffi::border::handles::lease;

/// Looks a key up. If it has no value, tells who computes it.
///
/// May wait for the server or the file system, if the values are there, but not for other computations.
///
/// @param cache      Any cache.
/// @param key        The key.
/// @param owner      The owner: 0 for this thread, or the number of a task, below 2^63.
/// @param out        With OK, the value, pinned until `phicache_value_release`. With LEASE, zero, or the value that the
///                   lease verifies, which is valid as long as the lease and needs no release.
/// @param out_lease  With LEASE, the lease: complete or abandon it.
/// @return OK, which counts a hit; LEASE, which counts a miss, or a hit if the lease verifies a value; BUSY, which
///         counts nothing; ERROR_RECURSION if this owner is already computing the key, even if the key was removed or
///         the cache cleared since.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_cache_begin(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    owner: u64,
    out: *mut phicache_value,
    out_lease: *mut *mut phicache_lease,
) -> phicache_status {
    fast_path::begin(cache, key, owner, out, out_lease).unwrap_or_else(|| begin(cache, key, owner, out, out_lease))
}

#[inline(never)]
extern "C" fn begin(
    cache: *mut phicache_cache,
    key: phicache_bytes,
    owner: u64,
    out: *mut phicache_value,
    out_lease: *mut *mut phicache_lease,
) -> phicache_status {
    catch_panics("phicache_cache_begin", || {
        // Both are zeroed, even if one is NULL.
        let outs = (self::out(out, "out"), self::out(out_lease, "out_lease"));
        let (out, out_lease) = (outs.0?, outs.1?);
        Ok(match Lease::begin(cache_of(cache)?, bytes(key, "key")?, owner)? {
            Started::Found(value) => {
                out.fill(value);
                PHICACHE_OK
            }
            Started::Lease(lease) => {
                let kept = lease.kept().map(phicache_value::lent);
                *out_lease = create(lease)?;
                kept.into_iter().for_each(|kept| *out = kept);
                PHICACHE_LEASE
            }
            Started::Busy => PHICACHE_BUSY,
        })
    })
}

/// Waits until the value of a key has been computed.
///
/// May wait for another thread or process that computes the value, at most `milliseconds`, and for the server or the
/// file system, if the values are there.
///
/// @param cache         Any cache.
/// @param key           The key.
/// @param owner         The owner that waits: 0 for this thread, or the number of a task.
/// @param milliseconds  The most milliseconds to wait; 0 does not wait. The owner counts as waiting for this key until
///                      it waits again, begins a key, or finds a value.
/// @param out           With OK, the value, pinned until `phicache_value_release`.
/// @return OK, which counts a hit; TIMEOUT; MISS if no owner computes the value any more: begin again; BUSY if its
///         owner waits for this owner, a deadlock: compute the value without a lease.
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
            Waited::Cycle => PHICACHE_BUSY,
        })
    })
}

/// Reserves the bytes of the value, to be written: zero-filled, at 16-byte alignment. A second call starts over.
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

/// As `phicache_lease_reserve`, but the bytes are not zeroed. Faster if all of them are written.
///
/// A byte that is neither written nor cut off by `phicache_lease_truncate` has whatever value the memory held before.
/// It is stored and returned as part of the value, also to other processes.
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
    // Zeroed also if the lease is not valid.
    let out = self::out(out, "out");
    let lease = self::lease(lease)?;
    *out.inspect_err(|error| lease.refuse(error))? = reserve(lease)?;
    Ok(PHICACHE_OK)
}

/// Shortens the value to its first `len` bytes.
///
/// @param lease  The lease.
/// @param len    The number of bytes to keep; at most the number that was reserved.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_lease_truncate(lease: *mut phicache_lease, len: usize) -> phicache_status {
    catch_panics("phicache_lease_truncate", || {
        self::lease(lease)?.truncate(len)?;
        Ok(PHICACHE_OK)
    })
}

/// Sets what computing the value costs, instead of the time between `phicache_cache_begin` and
/// `phicache_lease_complete`. That time includes what the caller did or waited for meanwhile; only if one thread makes
/// both calls is the time that it waits in `memoize` and `phicache_cache_wait` left out.
///
/// @param lease    The lease.
/// @param cost_ns  Nanoseconds of computing time; 0 is the measured time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_lease_set_cost(lease: *mut phicache_lease, cost_ns: u64) -> phicache_status {
    catch_panics("phicache_lease_set_cost", || {
        self::lease(lease)?.set_cost(Cost::of_ns(cost_ns));
        Ok(PHICACHE_OK)
    })
}

/// Completes the lease: gives the value to the cache, which stores it unless it refuses, and to all callers that wait.
/// The lease is freed, also on an error.
///
/// If the last reservation failed, there is no value: the call fails with the same status, and the computation counts
/// as failed. Without a reservation, the value is empty. If the computation has failed, abandon the lease.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param lease  The lease.
/// @param out    [nullable] The value, pinned until `phicache_value_release`; `out->origin` says whether it was stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_lease_complete(
    lease: *mut phicache_lease,
    out: *mut phicache_value,
) -> phicache_status {
    catch_panics("phicache_lease_complete", || {
        let out = optional(out, "out")?;
        let value = free::<Lease, _>(lease, "lease")?.ok_or_else(|| no_handle("lease"))?.complete()?;
        if let Some(out) = out {
            out.fill(value);
        }
        Ok(PHICACHE_OK)
    })
}

/// Abandons a lease, and frees it: one of the waiting callers computes the value, or all of them begin again. This does
/// not count as a failed computation.
///
/// May wait for the server or the file system, if the values are there.
///
/// @param lease  [nullable] The lease.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_lease_abandon(lease: *mut phicache_lease) -> phicache_status {
    catch_panics("phicache_lease_abandon", || free::<Lease, _>(lease, "lease").map(|_| PHICACHE_OK))
}
