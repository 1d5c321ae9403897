//! Compute callbacks
//!
//! What is called on a miss, and the functions with which it writes its value, straight into the entry that will be stored.
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

/// Reserves the value's bytes inside the entry and lends them for writing: zero-filled, at 16-byte alignment.
///
/// Calling it again starts over; a callback that never calls it makes an empty value. Write before the callback
/// returns. If the last attempt to reserve fails, the call that computes fails with the same status, whatever the callback
/// returns: nothing is cached, and `callback_code` is what the callback returned.
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
    catch_panics("phicache_result_reserve", || reserve(result, out, |writer| writer.reserve(len)))
}

/// As `phicache_result_reserve`, but the bytes are not zeroed: faster where all of them are written.
///
/// Each byte that is neither written nor cut off by `phicache_result_truncate` is stored with whatever the memory held
/// before, and handed to all who ask for the value, other processes included.
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
    catch_panics("phicache_result_reserve_uninitialized", || {
        reserve(result, out, |writer| writer.reserve_uninitialized(len))
    })
}

/// Keeps the first `len` bytes of what was reserved; the rest will not be stored.
///
/// @param result  The callback's result.
/// @param len     The number of bytes to keep, at most what was reserved.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_result_truncate(result: *mut phicache_result, len: usize) -> phicache_status {
    catch_panics("phicache_result_truncate", || {
        writer(result)?.truncate(len)?;
        Ok(PHICACHE_OK)
    })
}

/// Makes the value a MICE record, as MICE caches keep them.
///
/// The payload is copied from `mice`, or, where its `data` is NULL, reserved zero-filled with the given length for
/// writing. Calling it again starts over; if the last attempt fails, the call that computes fails with the same status, as
/// after `phicache_result_reserve`.
///
/// @param result       The callback's result.
/// @param mice         The MICE.
/// @param out_payload  [nullable] The payload's first byte inside the entry, to be written before the callback returns.
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
            let (mice, payload_len) = mice_to_write(mice)?;
            let payload = writer.write_mice(&mice, payload_len)?;
            if let Some(out) = out_payload {
                *out = payload;
            }
            Ok(PHICACHE_OK)
        })
    })
}

fn reserve(
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
