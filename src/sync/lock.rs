//! Locks that survive a fork.
//!
//! After `fork` the child has one thread; a lock that another thread held at that moment would stay locked for ever, and
//! what it guards may be half changed. So every lock remembers in which process it was last used, and the first use in a
//! child looks at it first: whoever holds it then has vanished. What readers held is intact and stays; what a writer held
//! is forgotten (leaked, not dropped: it may be half changed), and the lock begins anew with the default. A cache may
//! forget; it may not hang.
//!
//! Under `--cfg shuttle` the locks are a model checker's, which knows nothing of forks; `tests/shuttle.rs` runs on those.
//!
//! The locks inside are the standard library's: on Linux one word each, without the process-wide queues that others keep
//! and that a fork could catch in the middle of a change.

/// The atomics of what the model checker looks at.
#[cfg(shuttle)]
pub use shuttle::sync::atomic;
/// The atomics of what the model checker looks at.
#[cfg(not(shuttle))]
pub use std::sync::atomic;

#[cfg(shuttle)]
pub use shuttle::thread::yield_now;
#[cfg(not(shuttle))]
pub use std::thread::yield_now;

#[cfg(not(shuttle))]
pub use super::fork_safe::{Condvar, Mutex, MutexGuard, RwLock, process, wait_for};
#[cfg(shuttle)]
pub use super::model::{Condvar, Mutex, MutexGuard, RwLock, process, wait_for};
