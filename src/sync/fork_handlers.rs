//! Functions that run around each fork, installed when they are first needed rather than when the library is loaded.

use std::sync::atomic::{AtomicBool, Ordering};

/// A function that runs around a fork. In the child it may do only what a signal handler may.
pub type Handler = extern "C" fn();

/// The functions that one part of the library runs around a fork. They stay installed: the library is never unloaded.
pub struct ForkHandlers {
    before: Option<Handler>,
    after: Option<Handler>,
    in_child: Handler,
    are_installed: AtomicBool,
}

impl ForkHandlers {
    /// Functions that run before a fork, after it in the parent process, and in the child.
    pub const fn new(before: Option<Handler>, after: Option<Handler>, in_child: Handler) -> Self {
        ForkHandlers { before, after, in_child, are_installed: AtomicBool::new(false) }
    }

    /// Installs them, unless that was done.
    pub fn install(&self) {
        if self.are_installed.load(Ordering::Acquire) {
            return;
        }
        // Several first threads all install them. If one skipped this while another is still at it, a fork could come
        // in between unnoticed. Running a handler twice does no harm.
        let handler = |handler: Handler| handler as unsafe extern "C" fn();
        let (before, after) = (self.before.map(handler), self.after.map(handler));
        // SAFETY: the handlers are safe functions that are never unloaded.
        if unsafe { libc::pthread_atfork(before, after, Some(self.in_child)) } == 0 {
            self.are_installed.store(true, Ordering::Release);
        }
    }
}
