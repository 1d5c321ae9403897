//! A function of the caller with its user data, which is dropped after the last call has ended.

use std::ffi::c_void;

use crate::error::Result;
use crate::ffi::border::handle::null;
use crate::ffi::border::types::*;
use crate::ffi::border::unwind::{drop_context, ready_unwinder};
use crate::sync::TryArc;

/// A compute callback and what it is called with.
#[derive(Clone, Copy)]
pub(in crate::ffi) struct Callback {
    pub(in crate::ffi) compute: phicache_compute,
    pub(in crate::ffi) user_data: *mut c_void,
}

impl Callback {
    /// Refuses a NULL function.
    pub(in crate::ffi) fn check(self) -> Result<()> {
        self.compute.ok_or_else(|| null("compute"))?;
        ready_unwinder();
        Ok(())
    }
}

/// A callback that the library keeps.
pub(in crate::ffi) struct Function {
    callback: Callback,
    drop: phicache_drop,
}

// SAFETY: that function and data may be used from any thread is the header's convention.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

impl Function {
    /// Takes ownership of the user data: from here on `drop` is called exactly once, even if the call fails.
    pub(in crate::ffi) fn new(compute: phicache_compute, user_data: *mut c_void, drop: phicache_drop) -> Self {
        Function { callback: Callback { compute, user_data }, drop }
    }

    pub(in crate::ffi) fn callback(&self) -> Callback {
        self.callback
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        drop_context(self.drop, self.callback.user_data);
    }
}

/// A memo or a method, and its function.
pub(in crate::ffi) struct Bound<M> {
    pub(in crate::ffi) what: M,
    pub(in crate::ffi) function: Function,
}

/// Binds a function to the memo or method that `what` makes.
pub(in crate::ffi) fn bind<M>(function: Function, what: impl FnOnce() -> Result<M>) -> Result<TryArc<Bound<M>>> {
    function.callback.check()?;
    TryArc::try_new(Bound { what: what()?, function })
}
