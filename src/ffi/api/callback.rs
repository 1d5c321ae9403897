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
use std::mem::{self, MaybeUninit};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cache::{Lookup, Pending, Value, not_stored};
use crate::error::{Error, Result};
use crate::ffi::border::handle::null;
use crate::ffi::border::input;
use crate::ffi::border::output::{self, optional, out};
use crate::ffi::border::panic::catch_panics;
use crate::ffi::border::types::*;
use crate::iit::RECORD_HEADER;
use crate::table::{Block, Draft};

const MARK: u64 = u64::from_le_bytes(*b"phi-resu");

/// A value on its way through a callback. Computations nest, thousands deep: so this is all that stands on the stack while
/// the callback runs, and what comes before and after it runs in functions of its own, whose frames are gone by then.
#[repr(C)]
pub(in crate::ffi) struct Call<K = ()> {
    writing: Writing,
    /// What is to live as long as the callback runs.
    keep: K,
}

/// What stands behind a `phicache_result`.
#[repr(C)]
struct Writing {
    mark: u64,
    task: Task,
    /// The value as far as it is written.
    block: Block,
    state: State,
}

/// What a callback has written so far.
enum State {
    /// Nothing, or bytes of its own.
    Bytes,
    /// A MICE record, to be sealed.
    Record,
    /// Nothing: its last reservation failed. One that overlooks that must not have its value cached.
    Failed(Error),
}

/// For whom a value is computed.
pub(in crate::ffi) enum Task {
    /// For a cache, and all who wait for it.
    ForAll(Pending),
    /// For the value of this key that one caller asks for, and that is kept nowhere.
    ForOne(Vec<u8>),
}

impl Task {
    fn key(&self) -> &[u8] {
        match self {
            Task::ForAll(flight) => flight.key(),
            Task::ForOne(key) => key,
        }
    }

    fn draft(&self, block: Block) -> Draft<'_> {
        match self {
            Task::ForAll(flight) => flight.draft(block),
            Task::ForOne(key) => Draft::resume(key, None, block),
        }
    }

    fn complete(self, block: Block, maximum: f64) -> Result<Value> {
        match self {
            Task::ForAll(flight) => flight.complete(block, maximum),
            Task::ForOne(key) => not_stored(Draft::resume(&key, None, block)),
        }
    }

    fn failed(self) {
        if let Task::ForAll(flight) = self {
            flight.failed();
        }
    }
}

/// Where a call stands while its callback runs.
pub(in crate::ffi) type Place<K = ()> = MaybeUninit<Call<K>>;

/// What the beginning of a call answers when the callback is to run; no status of the header's.
pub(in crate::ffi) const BEGUN: phicache_status = i32::MAX;

/// Refuses a callback that is none.
pub(in crate::ffi) fn check(compute: phicache_compute) -> Result<()> {
    compute.ok_or_else(|| null("compute"))?;
    ready_unwinder();
    Ok(())
}

/// Goes on with what a cache has answered: hands the value out, or begins a call.
pub(in crate::ffi) fn begin<K>(
    place: &mut Place<K>,
    asked: Lookup,
    keep: K,
    fill: impl FnOnce(Value) -> Result<phicache_status>,
) -> Result<phicache_status> {
    match asked {
        Lookup::Found(value) => fill(value),
        Lookup::Compute(flight) => Ok(Call::begin(place, Task::ForAll(flight), keep)),
    }
}

impl<K> Call<K> {
    /// Begins a call.
    pub(in crate::ffi) fn begin(place: &mut Place<K>, task: Task, keep: K) -> phicache_status {
        let writing = Writing { mark: MARK, task, block: Block::default(), state: State::Bytes };
        place.write(Call { writing, keep });
        BEGUN
    }

    /// What the call keeps alive.
    ///
    /// # Safety
    /// The call has begun and not ended.
    #[inline(always)]
    pub(in crate::ffi) unsafe fn keep(place: &Place<K>) -> &K {
        // SAFETY: the caller's promise.
        unsafe { &place.assume_init_ref().keep }
    }

    /// Lets the callback write the value; tells its code. `caller` is the exported function, for messages.
    ///
    /// # Safety
    /// The call has begun and not ended.
    #[inline(always)]
    pub(in crate::ffi) unsafe fn run(
        place: &mut Place<K>,
        caller: &'static str,
        compute: phicache_compute,
        user_data: *mut c_void,
        call_data: *mut c_void,
    ) -> i32 {
        let call = place.as_mut_ptr();
        // SAFETY: the caller's promise; the key stays where it is until the call ends.
        let key = unsafe { &*call }.writing.task.key();
        let key = phicache_bytes { data: key.as_ptr(), len: key.len() };
        // It was checked before the call began.
        let Some(function) = compute else { return -1 };
        let unwound = Unwound(caller);
        // SAFETY: the function is what the caller says it is, by the header's conventions.
        let code = unsafe { function(user_data, call_data, key, call.cast::<phicache_result>()) };
        mem::forget(unwound);
        code
    }

    /// Ends the call, whose callback has returned `returned`: with a value, stored if the memory is not full to `maximum`
    /// per cent.
    ///
    /// # Safety
    /// The call has begun; it ends once.
    pub(in crate::ffi) unsafe fn end(
        place: &mut Place<K>,
        returned: i32,
        code: *mut i32,
        maximum: impl FnOnce(&K) -> f64,
    ) -> Result<Value> {
        // SAFETY: the caller's promise.
        let Call { mut writing, keep } = unsafe {
            // Who still uses the result finds that it is none any more.
            (*place.as_mut_ptr()).writing.mark = 0;
            place.assume_init_read()
        };
        if returned != 0
            && let Some(code) = output::place(code)
        {
            code.write(returned);
        }
        let error = match writing.state {
            State::Failed(error) => Some(error),
            _ if returned != 0 => Some(Error::Callback(returned)),
            State::Record => {
                crate::iit::mice::seal(writing.block.value_mut());
                None
            }
            State::Bytes => None,
        };
        if let Some(error) = error {
            writing.task.failed();
            return Err(error);
        }
        writing.task.complete(writing.block, maximum(&keep))
    }
}

/// Readies the unwinder that this library was linked with. Where that is a copy of its own, it fills its tables when it
/// first walks a stack; an exception that another copy throws must find them filled, to reach [`Unwound`] and its line.
pub(in crate::ffi) fn ready_unwinder() {
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
pub(in crate::ffi) struct Unwound(pub(in crate::ffi) &'static str);

impl Drop for Unwound {
    fn drop(&mut self) {
        eprintln!("phicache: an exception left the callback of {}; callbacks must return", self.0);
        std::process::abort();
    }
}

fn writing<'a>(result: *mut phicache_result) -> Result<&'a mut Writing> {
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

impl Writing {
    fn draft<T>(&mut self, change: impl FnOnce(&mut Draft) -> Result<T>) -> Result<T> {
        let mut draft = self.task.draft(mem::take(&mut self.block));
        let changed = change(&mut draft);
        self.block = draft.pause();
        changed
    }
}

/// Makes the value anew. What fails here decides what becomes of the computation, unless a later attempt succeeds.
fn start_over(
    result: *mut phicache_result,
    attempt: impl FnOnce(&mut Writing) -> Result<phicache_status>,
) -> Result<phicache_status> {
    let writing = writing(result)?;
    writing.state = State::Bytes;
    attempt(writing).inspect_err(|error| writing.state = State::Failed(error.clone()))
}

fn reserve(
    result: *mut phicache_result,
    out: *mut *mut u8,
    reserve: impl FnOnce(&mut Draft) -> Result<*mut u8>,
) -> Result<phicache_status> {
    // Zeroed also where the result is none.
    let out = self::out(out, "out");
    start_over(result, |writing| {
        *out? = writing.draft(reserve)?;
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
    catch_panics("phicache_result_reserve", || reserve(result, out, |draft| Ok(draft.reserve(len)?.as_mut_ptr())))
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
        reserve(result, out, |draft| Ok(draft.reserve_uninitialized(len)?.as_mut_ptr()))
    })
}

/// Keeps the first `len` bytes of what was reserved; the rest will not be stored.
///
/// @param result  The callback's result.
/// @param len     The number of bytes to keep, at most what was reserved.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn phicache_result_truncate(result: *mut phicache_result, len: usize) -> phicache_status {
    catch_panics("phicache_result_truncate", || {
        let writing = writing(result)?;
        if matches!(writing.state, State::Record) {
            return Err(Error::invalid("the value is a MICE; its length is that of its payload"));
        }
        writing.draft(|draft| draft.truncate(len))?;
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
        // Zeroed also where the result is none.
        let out_payload = optional(out_payload, "out_payload");
        start_over(result, |writing| {
            let out_payload = out_payload?;
            let (mice, payload_len) = input::mice_to_write(mice)?;
            let payload = writing.draft(|draft| {
                let record = draft.reserve(RECORD_HEADER.saturating_add(payload_len))?;
                mice.write_head(record);
                record[40..48].copy_from_slice(&(payload_len as u64).to_le_bytes());
                let payload = &mut record[RECORD_HEADER..];
                payload[..mice.payload.len()].copy_from_slice(mice.payload);
                Ok(payload.as_mut_ptr())
            })?;
            if let Some(out) = out_payload {
                *out = payload;
            }
            writing.state = State::Record;
            Ok(PHICACHE_OK)
        })
    })
}
