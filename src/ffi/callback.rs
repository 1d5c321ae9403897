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

use std::ffi::c_void;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};

use super::boundary::guard;
use super::handle::null;
use super::input;
use super::output::{optional, out};
use super::types::*;
use crate::error::{Error, Result};
use crate::iit::RECORD_HEADER;
use crate::store::Draft;

const MARK: u64 = u64::from_le_bytes(*b"phi-resu");

/// What stands behind a `phicache_result` while its callback runs.
struct Writing<'d, 'k> {
    mark: u64,
    draft: &'d mut Draft<'k>,
    /// Why the last reservation failed: a callback that overlooks it must not have its value cached.
    failed: Option<Error>,
    /// The value is a MICE record, to be sealed.
    record: bool,
}

/// A compute callback, its two pointers, and where its code goes.
pub(super) struct Computation<'c> {
    function: unsafe extern "C-unwind" fn(*mut c_void, *mut c_void, phicache_bytes, *mut phicache_result) -> i32,
    user_data: *mut c_void,
    call_data: *mut c_void,
    code: Option<&'c mut i32>,
    /// The exported function that calls it, for messages.
    caller: &'static str,
}

impl<'c> Computation<'c> {
    pub(super) fn new(
        compute: phicache_compute,
        user_data: *mut c_void,
        call_data: *mut c_void,
        code: Option<&'c mut i32>,
        caller: &'static str,
    ) -> Result<Self> {
        let function = compute.ok_or_else(|| null("compute"))?;
        ready_unwinder();
        Ok(Computation { function, user_data, call_data, code, caller })
    }

    /// Lets the callback write the value of the draft's key.
    #[inline(always)]
    pub(super) fn run(self, draft: &mut Draft) -> Result<()> {
        let key = phicache_bytes { data: draft.key().as_ptr(), len: draft.key().len() };
        let mut writing = Writing { mark: MARK, draft, failed: None, record: false };
        let unwound = Unwound(self.caller);
        // SAFETY: the function is what the caller says it is, by the header's conventions.
        let code = unsafe {
            (self.function)(self.user_data, self.call_data, key, (&raw mut writing).cast::<phicache_result>())
        };
        mem::forget(unwound);
        writing.mark = 0;
        if code != 0
            && let Some(out) = self.code
        {
            *out = code;
        }
        if let Some(error) = writing.failed {
            return Err(error);
        }
        if code != 0 {
            return Err(Error::Callback(code));
        }
        if writing.record {
            crate::iit::mice::seal(writing.draft.value_mut());
        }
        Ok(())
    }
}

/// Readies the unwinder that this library was linked with. Where that is a copy of its own, it fills its tables when it
/// first walks a stack; an exception that another copy throws must find them filled, to reach [`Unwound`] and its line.
pub(super) fn ready_unwinder() {
    static READY: AtomicBool = AtomicBool::new(false);
    if !READY.load(Ordering::Relaxed) && !READY.swap(true, Ordering::Relaxed) {
        // SAFETY: walks no further than this frame.
        unsafe { _Unwind_Backtrace(stop, std::ptr::null_mut()) };
    }
}

extern "C" fn stop(_context: *mut c_void, _argument: *mut c_void) -> i32 {
    /// What tells the unwinder to walk no further: the end of the stack.
    const END_OF_STACK: i32 = 5;
    END_OF_STACK
}

unsafe extern "C" {
    fn _Unwind_Backtrace(trace: extern "C" fn(*mut c_void, *mut c_void) -> i32, argument: *mut c_void) -> i32;
}

/// Ends the process when an exception leaves a callback: our frames cannot be passed by one.
pub(super) struct Unwound(pub(super) &'static str);

impl Drop for Unwound {
    fn drop(&mut self) {
        eprintln!("phicache: an exception left the callback of {}; callbacks must return", self.0);
        std::process::abort();
    }
}

fn writing<'a>(result: *mut phicache_result) -> Result<&'a mut Writing<'a, 'a>> {
    if result.is_null() {
        return Err(null("result"));
    }
    let writing = result.cast::<Writing>();
    // SAFETY: by the header's conventions it is the result of a callback that is running, which uses it alone.
    match writing.is_aligned() && unsafe { (*writing).mark } == MARK {
        // SAFETY: as above.
        true => Ok(unsafe { &mut *writing }),
        false => Err(Error::InvalidHandle("result is no live phicache_result: its callback has returned".into())),
    }
}

/// Makes the value anew. What fails here decides what becomes of the computation, unless a later attempt succeeds.
fn start_over(
    result: *mut phicache_result,
    attempt: impl FnOnce(&mut Writing) -> Result<phicache_status>,
) -> Result<phicache_status> {
    let writing = writing(result)?;
    writing.record = false;
    writing.failed = None;
    attempt(writing).inspect_err(|error| writing.failed = Some(error.clone()))
}

fn reserve(
    result: *mut phicache_result,
    out: *mut *mut u8,
    reserve: impl FnOnce(&mut Draft) -> Result<*mut u8>,
) -> Result<phicache_status> {
    // Zeroed also where the result is none.
    let out = self::out(out, "out");
    start_over(result, |writing| {
        *out? = reserve(writing.draft)?;
        Ok(PHICACHE_OK)
    })
}

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
    guard("phicache_result_reserve", || reserve(result, out, |draft| Ok(draft.reserve(len)?.as_mut_ptr())))
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
    guard("phicache_result_reserve_uninitialized", || {
        reserve(result, out, |draft| Ok(draft.reserve_uninitialized(len)?.as_mut_ptr()))
    })
}

/// Keeps the first `len` bytes of what was reserved; the rest will not be stored.
///
/// @param result  The callback's result.
/// @param len     The number of bytes to keep, at most what was reserved.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_result_truncate(result: *mut phicache_result, len: usize) -> phicache_status {
    guard("phicache_result_truncate", || {
        let writing = writing(result)?;
        if writing.record {
            return Err(Error::invalid("the value is a MICE; its length is that of its payload"));
        }
        writing.draft.truncate(len)?;
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
    guard("phicache_result_mice", || {
        // Zeroed also where the result is none.
        let out_payload = optional(out_payload, "out_payload");
        start_over(result, |writing| {
            let out_payload = out_payload?;
            let (mice, payload_len) = input::mice_to_write(mice)?;
            let record = writing.draft.reserve(RECORD_HEADER.saturating_add(payload_len))?;
            mice.write_head(record);
            record[40..48].copy_from_slice(&(payload_len as u64).to_le_bytes());
            let payload = &mut record[RECORD_HEADER..];
            payload[..mice.payload.len()].copy_from_slice(mice.payload);
            if let Some(out) = out_payload {
                *out = payload.as_mut_ptr();
            }
            writing.record = true;
            Ok(PHICACHE_OK)
        })
    })
}
