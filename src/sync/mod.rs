//! Building blocks of shared state: locks that survive a fork, reference-counted pointers whose allocation may fail,
//! locks of files, padding.
//!
//! | file | its one idea |
//! |---|---|
//! | `lock.rs` | the choice between real locks and atomics and those of a model checker |
//! | `fork_safe.rs` | the standard library's locks, which start over in a forked child |
//! | `fork_handlers.rs` | functions that run around each fork |
//! | `raw_mutex.rs` | a mutex of one word without a guard, which survives a fork too |
//! | `model.rs` | the same locks under the model checker |
//! | `try_arc.rs` | a reference-counted pointer whose allocation reports failure |
//! | `lock_file.rs` | locks of bytes of a file, which end with the process |
//! | `descriptor.rs` | no file or socket has a standard stream's descriptor |
//! | `clock.rs` | the monotonic clock as one number, and a faster one for durations |
//! | `cache_padded.rs` | padding against false sharing |
//!
//! All layers above use it. Imports only `error`.

mod cache_padded;
mod clock;
mod descriptor;
mod fork_handlers;
#[cfg(not(shuttle))]
mod fork_safe;
mod lock;
mod lock_file;
#[cfg(shuttle)]
mod model;
#[cfg(not(shuttle))]
mod raw_mutex;
mod try_arc;

pub use cache_padded::{CachePadded, Padding, on_separate_lines};
pub use clock::{monotonic_ns, stopwatch_ns};
pub use descriptor::off_standard;
pub use fork_handlers::ForkHandlers;
#[cfg(all(test, not(any(miri, shuttle))))]
pub(crate) use fork_safe::tests::forked;
pub(crate) use lock::RawMutex;
pub use lock::{Condvar, Mutex, MutexGuard, RwLock, atomic, process, wait_for, yield_now};
pub use lock_file::{LockFile, Mode};
pub(crate) use try_arc::try_box;
pub use try_arc::{ArcRef, OnceTryArc, TryArc};
