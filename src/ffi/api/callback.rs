//! Compute callbacks
//!
//! A compute callback runs on a miss. It writes the value with the functions of this section, straight into the entry
//! that the cache will store. (A value of up to 32 bytes is copied there when the callback has returned.)
//!
//! ```c
//! int32_t repertoire(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
//!     uint8_t *bytes;
//!     double *probabilities;
//!     if (phicache_result_reserve(result, 2 * sizeof(double), &bytes) != PHICACHE_OK) return 1;
//!     probabilities = (double *)(void *)bytes;
//!     probabilities[0] = 0.25;
//!     probabilities[1] = 0.75;
//!     return 0;
//! }
//! ```

use crate::ffi::api::prelude::*;
use crate::ffi::border::input::mice_to_write;
use crate::ffi::border::result::{ResultWriter, writer};

/// Reserves the bytes of the value, for the callback to write: zero-filled, at 16-byte alignment.
///
/// A second call starts over. A callback that never calls this makes an empty value. The bytes may be written until the
/// callback returns. If the last reservation fails, nothing is cached, and the caller of the cache gets the same
/// status, whatever the callback returns; `callback_code` is still what the callback returned.
///
/// @param result  The callback's result.
/// @param len     The number of bytes.
/// @param out     The first byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_result_reserve(
    result: *mut phicache_result,
    len: usize,
    out: *mut *mut u8,
) -> phicache_status {
    fast_path::reserve(result, len, out, true).unwrap_or_else(|| reserve(result, len, out))
}

#[inline(never)]
extern "C" fn reserve(result: *mut phicache_result, len: usize, out: *mut *mut u8) -> phicache_status {
    catch_panics("phicache_result_reserve", || reserve_with(result, out, |writer| writer.reserve(len, true)))
}

/// As `phicache_result_reserve`, but the bytes are not zeroed. Faster for a callback that writes all of them.
///
/// A byte that is neither written nor cut off by `phicache_result_truncate` has whatever value the memory held before.
/// It is stored and returned as part of the value, also to other processes.
///
/// @param result  The callback's result.
/// @param len     The number of bytes.
/// @param out     The first byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_result_reserve_uninitialized(
    result: *mut phicache_result,
    len: usize,
    out: *mut *mut u8,
) -> phicache_status {
    fast_path::reserve(result, len, out, false).unwrap_or_else(|| reserve_uninitialized(result, len, out))
}

#[inline(never)]
extern "C" fn reserve_uninitialized(result: *mut phicache_result, len: usize, out: *mut *mut u8) -> phicache_status {
    catch_panics("phicache_result_reserve_uninitialized", || {
        reserve_with(result, out, |writer| writer.reserve(len, false))
    })
}

/// Shortens the value to its first `len` bytes.
///
/// @param result  The callback's result.
/// @param len     The number of bytes to keep; at most the number that was reserved.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_result_truncate(result: *mut phicache_result, len: usize) -> phicache_status {
    catch_panics("phicache_result_truncate", || {
        writer(result)?.truncate(len)?;
        Ok(PHICACHE_OK)
    })
}

/// Makes the value a MICE record, as MICE caches store it.
///
/// The payload is copied from `mice`. If its `data` is NULL, its `len` bytes are reserved, zero-filled, for the
/// callback to write. A second call starts over; its payload may be that of the first, if φ is known only afterwards. A
/// failure has the same effect as one of `phicache_result_reserve`.
///
/// @param result       The callback's result.
/// @param mice         The MICE. Set `struct_size` first.
/// @param out_payload  [nullable] The first byte of the payload, which may be written until the callback returns. NULL
///                     only if `mice` has the payload, or its length is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_result_mice(
    result: *mut phicache_result,
    mice: *const phicache_mice,
    out_payload: *mut *mut u8,
) -> phicache_status {
    catch_panics("phicache_result_mice", || {
        // Zeroed also where the result is not valid.
        let out_payload = optional(out_payload, "out_payload");
        writer(result)?.start_over(|writer| {
            let out_payload = out_payload?;
            let (mice, payload_len) = mice_to_write(mice, out_payload.is_some())?;
            let payload = writer.write_mice(&mice, payload_len)?;
            if let Some(out) = out_payload {
                *out = payload;
            }
            Ok(PHICACHE_OK)
        })
    })
}

fn reserve_with(
    result: *mut phicache_result,
    out: *mut *mut u8,
    reserve: impl FnOnce(&mut ResultWriter) -> Result<*mut u8>,
) -> Result<phicache_status> {
    // Zeroed also where the result is not valid.
    let out = output::out(out, "out");
    writer(result)?.start_over(|writer| {
        *out? = reserve(writer)?;
        Ok(PHICACHE_OK)
    })
}
