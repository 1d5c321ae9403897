//! Callbacks: a lookup that computes on a miss, in three steps.
//!
//! Computations nest, thousands deep, because a callback may look up other keys. So each level of nesting has only one
//! stack frame, with a [`ComputeFrame`]. Looking the value up ([`begin`]) and completing it ([`end`]) are separate
//! functions, whose frames are gone while the callback runs.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;

use crate::error::Result;
use crate::ffi::border::any_cache::CacheType;
use crate::ffi::border::fast_path;
use crate::ffi::border::function::{Bound, Callback};
use crate::ffi::border::output::{ValueOutputs, optional, try_out};
use crate::ffi::border::panic::catch_panics;
use crate::ffi::border::result::{ResultWriter, Task, TaskLookup};
use crate::ffi::border::types::*;
use crate::ffi::border::unwind::call_back;
use crate::memory::limit;
use crate::sync::TryArc;

/// A C type with a function that looks a value up, and computes it on a miss.
pub(in crate::ffi) trait Computes: Sized {
    /// The exported function, for messages.
    const FUNCTION: &'static str;
    /// What names the value.
    type Key: Copy;
    /// The callback, if it comes with the call; `()` if it was given before.
    type Given: Copy;
    /// What must live until the callback has returned; it knows the callback.
    type Keep: Keep;
    /// The outputs that receive the value.
    type Outputs: ValueOutputs;

    /// Looks the value up. On a miss, finds out who computes it.
    fn look_up(handle: *mut Self, key: Self::Key, given: Self::Given) -> Result<(TaskLookup, Self::Keep)>;
}

/// The values that must live as long as a callback runs.
pub(in crate::ffi) trait Keep {
    fn callback(&self) -> Callback;

    /// The value is stored unless more than this percentage of memory is in use. The cache's own limit applies too.
    fn maximum(&self) -> f64 {
        limit::UNLIMITED
    }
}

impl Keep for Callback {
    fn callback(&self) -> Callback {
        *self
    }
}

impl Keep for TryArc<Bound<crate::cache::Memo>> {
    fn callback(&self) -> Callback {
        self.function.callback()
    }

    fn maximum(&self) -> f64 {
        self.what.maximum()
    }
}

impl Keep for TryArc<Bound<crate::cache::Method>> {
    fn callback(&self) -> Callback {
        self.function.callback()
    }
}

/// What is on the stack while a callback runs. The callback's `phicache_result` points to it.
#[repr(C)]
struct ComputeFrame<K> {
    writer: ResultWriter,
    keep: K,
}

/// The result of [`begin`] if the callback has to run; not a status of the header.
const BEGUN: phicache_status = i32::MAX;

/// As [`compute`], for a key that the fast path has not found in the cache.
#[inline(always)]
pub(in crate::ffi) fn compute_missing<C>(
    cache: *mut C,
    key: phicache_bytes,
    callback: Callback,
    call_data: *mut c_void,
    out: *mut phicache_value,
    code: *mut i32,
) -> phicache_status
where
    C: CacheType + Computes<Key = phicache_bytes, Given = Callback, Keep = Callback, Outputs = *mut phicache_value>,
{
    let mut frame = MaybeUninit::uninit();
    let begun = begin_missing(cache, key, callback, out, code, &mut frame);
    if begun != BEGUN {
        return begun;
    }
    // SAFETY: it has begun, and ends below.
    let returned = unsafe { run::<C>(&mut frame, call_data) };
    // SAFETY: it has begun, and ends once.
    unsafe { end::<C>(&mut frame, returned, out, code) }
}

/// Looks a value up. On a miss, calls back to compute it.
#[inline(always)]
pub(in crate::ffi) fn compute<C: Computes>(
    handle: *mut C,
    key: C::Key,
    given: C::Given,
    call_data: *mut c_void,
    outputs: C::Outputs,
    code: *mut i32,
) -> phicache_status {
    let mut frame = MaybeUninit::uninit();
    let begun = begin::<C>(handle, key, given, outputs, code, &mut frame);
    if begun != BEGUN {
        return begun;
    }
    // SAFETY: it has begun, and ends below.
    let returned = unsafe { run::<C>(&mut frame, call_data) };
    // SAFETY: it has begun, and ends once.
    unsafe { end::<C>(&mut frame, returned, outputs, code) }
}

/// As [`begin`], for a key that the fast path has not found. Its frame too is gone while the callback runs.
#[inline(never)]
fn begin_missing<C>(
    cache: *mut C,
    key: phicache_bytes,
    callback: Callback,
    out: *mut phicache_value,
    code: *mut i32,
    frame: &mut MaybeUninit<ComputeFrame<Callback>>,
) -> phicache_status
where
    C: CacheType + Computes<Key = phicache_bytes, Given = Callback, Keep = Callback, Outputs = *mut phicache_value>,
{
    match fast_path::begin_missing(cache, key, out, code) {
        Some(pending) => {
            frame.write(ComputeFrame { writer: ResultWriter::new(Task::Shared(pending)), keep: callback });
            BEGUN
        }
        None => begin::<C>(cache, key, callback, out, code, frame),
    }
}

#[inline(never)]
fn begin<C: Computes>(
    handle: *mut C,
    key: C::Key,
    given: C::Given,
    outputs: C::Outputs,
    code: *mut i32,
    frame: &mut MaybeUninit<ComputeFrame<C::Keep>>,
) -> phicache_status {
    catch_panics(C::FUNCTION, || {
        optional(code, "callback_code")?;
        outputs.zero()?;
        match C::look_up(handle, key, given)? {
            (TaskLookup::Found(value), _) => outputs.fill(value),
            (TaskLookup::Compute(task), keep) => {
                frame.write(ComputeFrame { writer: ResultWriter::new(task), keep });
                Ok(BEGUN)
            }
        }
    })
}

/// Calls back; returns the callback's code. Not inlined: in an `extern "C"` function the compiler would end unwinding
/// before the guard, and nothing would stop a thread that ends (`pthread_exit`), whose key nobody would complete.
///
/// # Safety
/// The computation has begun and not ended.
#[inline(never)]
unsafe fn run<C: Computes>(frame: &mut MaybeUninit<ComputeFrame<C::Keep>>, call_data: *mut c_void) -> i32 {
    let frame = frame.as_mut_ptr();
    // SAFETY: the caller's promise. The key stays where it is until the computation ends.
    let (key, callback) = unsafe { ((*frame).writer.key(), (*frame).keep.callback()) };
    let key = phicache_bytes { data: key.as_ptr(), len: key.len() };
    // It was checked before the computation began.
    let Some(compute) = callback.compute else { return -1 };
    // SAFETY: the function is what the caller says it is, by the header's conventions. No reference to the frame is
    // alive: the callback's calls of `phicache_result_…` have it alone.
    let call = || unsafe { compute(callback.user_data, call_data, key, frame.cast::<phicache_result>()) };
    call_back(|| C::FUNCTION, call)
}

/// Drops a frame where it is: it is large.
struct Ended<'f, K>(&'f mut ComputeFrame<K>);

impl<K> Drop for Ended<'_, K> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: `end`, which makes this once, owns the frame and does not use it afterwards.
        unsafe { ptr::drop_in_place(self.0) };
    }
}

/// Completes the computation.
///
/// # Safety
/// The computation has begun; it ends once.
#[inline(never)]
unsafe fn end<C: Computes>(
    frame: &mut MaybeUninit<ComputeFrame<C::Keep>>,
    returned: i32,
    outputs: C::Outputs,
    code: *mut i32,
) -> phicache_status {
    catch_panics(C::FUNCTION, || {
        // SAFETY: the caller's promise.
        let frame = Ended(unsafe { frame.assume_init_mut() });
        let ComputeFrame { writer, keep } = &mut *frame.0;
        if returned != 0
            && let Some(code) = try_out(code)
        {
            code.write(returned);
        }
        outputs.fill(writer.complete(returned, keep.maximum())?)
    })
}
