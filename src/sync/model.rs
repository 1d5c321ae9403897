//! The locks under the model checker.

use shuttle::rand::Rng;
use shuttle::sync::atomic::{AtomicBool, Ordering};
pub use shuttle::sync::{Condvar, MutexGuard};
use shuttle::sync::{RwLockReadGuard, RwLockWriteGuard};
use std::sync::PoisonError;
use std::time::Duration;

/// There is one process.
pub fn process() -> u32 {
    1
}

/// A mutex.
#[derive(Default)]
pub struct Mutex<T>(shuttle::sync::Mutex<T>);

impl<T: Default> Mutex<T> {
    /// A mutex around `value`.
    pub const fn new(value: T) -> Self {
        Mutex(shuttle::sync::Mutex::new(value))
    }

    /// Locks it.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks it, if no other thread holds it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}

/// Sleeps until notified, at most for `time`; also returns whether it timed out. `guard` belongs to `mutex`.
///
/// A time below a second may be up at any moment; a longer one never is.
pub fn wait_for<'m, T: Default>(
    condvar: &Condvar,
    mutex: &'m Mutex<T>,
    guard: MutexGuard<'m, T>,
    time: Duration,
) -> (MutexGuard<'m, T>, bool) {
    if time < Duration::from_secs(1) && shuttle::rand::thread_rng().gen_bool(0.5) {
        drop(guard);
        shuttle::thread::yield_now();
        return (mutex.lock(), true);
    }
    (condvar.wait(guard).unwrap_or_else(PoisonError::into_inner), false)
}

/// A mutex without a value.
pub(crate) struct RawMutex(AtomicBool);

impl RawMutex {
    /// A mutex that nobody holds.
    pub const fn new() -> Self {
        RawMutex(AtomicBool::new(false))
    }

    /// Locks it. There are no forks, so what it guards is intact.
    pub fn lock(&self) -> bool {
        while self.0.swap(true, Ordering::Acquire) {
            shuttle::thread::yield_now();
        }
        true
    }

    /// Unlocks it.
    ///
    /// # Safety
    /// This thread has locked it.
    pub unsafe fn unlock(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// A lock for many readers or one writer.
#[derive(Default)]
pub struct RwLock<T>(shuttle::sync::RwLock<T>);

impl<T: Default> RwLock<T> {
    /// A lock around `value`.
    pub const fn new(value: T) -> Self {
        RwLock(shuttle::sync::RwLock::new(value))
    }

    /// Locks it for reading.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks it for writing.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
