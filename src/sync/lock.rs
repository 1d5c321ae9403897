//! The one place that chooses between the real locks and atomics and a model checker's.
//!
//! Under `--cfg shuttle` they are the model checker's, which knows nothing of forks; `tests/shuttle.rs` runs on those.
//! Otherwise the locks survive a fork (`fork_safe.rs`).

#[cfg(shuttle)]
pub use shuttle::sync::atomic;
#[cfg(not(shuttle))]
pub use std::sync::atomic;

#[cfg(shuttle)]
pub use shuttle::thread::yield_now;
#[cfg(not(shuttle))]
pub use std::thread::yield_now;

#[cfg(not(shuttle))]
pub use super::fork_safe::{Condvar, Mutex, MutexGuard, RwLock, process, wait_for};
#[cfg(shuttle)]
pub(crate) use super::model::RawMutex;
#[cfg(shuttle)]
pub use super::model::{Condvar, Mutex, MutexGuard, RwLock, process, wait_for};
#[cfg(not(shuttle))]
pub(crate) use super::raw_mutex::RawMutex;
