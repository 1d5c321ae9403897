//! The functions that compare values in verified mode, and hear of differences.

use std::ffi::c_void;

use crate::cache::Judge;
use crate::ffi::border::translate::lent;
use crate::ffi::border::types::*;
use crate::ffi::border::unwind::{call_back, drop_context, ready_unwinder};

/// The caller's functions for verified mode, with the context that is dropped after their last call.
pub(in crate::ffi) struct Verification {
    same: phicache_same_fn,
    difference: phicache_difference_fn,
    context: *mut c_void,
    drop: phicache_drop,
}

// SAFETY: that functions and context may be used from any thread is the header's convention.
unsafe impl Send for Verification {}
// SAFETY: as above.
unsafe impl Sync for Verification {}

impl Verification {
    /// Takes ownership of the context: from here on `verify_drop` is called exactly once.
    pub(in crate::ffi) fn of(options: &phicache_cache_options) -> Self {
        if options.same.is_some() || options.difference.is_some() {
            ready_unwinder();
        }
        Verification {
            same: options.same,
            difference: options.difference,
            context: options.verify_context,
            drop: options.verify_drop,
        }
    }
}

impl Judge for Verification {
    fn is_same(&self, key: &[u8], kept: &[u8], computed: &[u8]) -> bool {
        let Some(same) = self.same else { return kept == computed };
        // SAFETY: the function is what the caller says it is, by the header's conventions.
        let call = || unsafe { same(self.context, lent(key), lent(kept), lent(computed)) };
        call_back(|| "a phicache_same_fn", call) != 0
    }

    fn report(&self, key: &[u8], kept: &[u8], computed: &[u8]) {
        let Some(difference) = self.difference else { return };
        // SAFETY: as above.
        let call = || unsafe { difference(self.context, lent(key), lent(kept), lent(computed)) };
        call_back(|| "a phicache_difference_fn", call);
    }
}

impl Drop for Verification {
    fn drop(&mut self) {
        drop_context(self.drop, self.context);
    }
}
