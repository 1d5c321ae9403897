//! An exception that leaves a callback, or the end of its thread, ends the process, with one line that names the
//! function.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ffi::border::types::phicache_drop;

/// Calls back. An exception, which cannot pass through our frames, and the end of the thread end the process.
/// `function` names the exported function: where the name is a constant, it takes no stack.
#[inline(always)]
pub(in crate::ffi) fn call_back<R>(function: impl Fn() -> &'static str, call: impl FnOnce() -> R) -> R {
    let unwound = AbortOnUnwind(function);
    let returned = call();
    std::mem::forget(unwound);
    returned
}

/// Drops what a caller has given with a function that drops it.
pub(in crate::ffi) fn drop_context(drop: phicache_drop, context: *mut c_void) {
    if let Some(drop) = drop {
        // SAFETY: the function is what the caller says it is, by the header's conventions.
        call_back(|| "a phicache_drop", || unsafe { drop(context) });
    }
}

/// Ends the process when it is dropped.
struct AbortOnUnwind<F: Fn() -> &'static str>(F);

impl<F: Fn() -> &'static str> Drop for AbortOnUnwind<F> {
    fn drop(&mut self) {
        abort(self.0());
    }
}

#[cold]
#[inline(never)]
fn abort(function: &str) -> ! {
    eprintln!(
        "phicache: an exception left the callback of {function}, or its thread ended there; callbacks must return"
    );
    std::process::abort();
}

static READY: AtomicBool = AtomicBool::new(false);

/// Whether the unwinder is ready.
#[inline(always)]
pub(in crate::ffi) fn is_unwinder_ready() -> bool {
    READY.load(Ordering::Acquire)
}

/// Readies the unwinder that this library was linked with. A private copy of it fills its tables when it first walks a
/// stack; an exception that another copy throws must find them filled, to reach `AbortOnUnwind` and its line.
pub(in crate::ffi) fn ready_unwinder() {
    // Set after the walk, so that no thread continues while another still fills the tables; walking twice is harmless.
    if !READY.load(Ordering::Acquire) {
        // SAFETY: walks no further than this frame.
        unsafe { _Unwind_Backtrace(stop, std::ptr::null_mut()) };
        READY.store(true, Ordering::Release);
    }
}

extern "C" fn stop(_context: *mut c_void, _argument: *mut c_void) -> i32 {
    /// Tells the unwinder to walk no further: the end of the stack.
    const END_OF_STACK: i32 = 5;
    END_OF_STACK
}

unsafe extern "C" {
    fn _Unwind_Backtrace(trace: extern "C" fn(*mut c_void, *mut c_void) -> i32, argument: *mut c_void) -> i32;
}
