//! The standard library's locks, mended after a fork.
//!
//! A child of `fork` has one thread. A lock that another thread held at that moment would stay locked forever, and the
//! data it guards may be half changed. So each lock remembers the process that used it last. The first use in a child
//! checks it: a lock that is held then belongs to a thread that no longer exists. Data that was only read is intact and
//! stays. Data that was being written is forgotten (leaked, not dropped: it may be half changed), and the lock starts
//! over with the default. A cache may forget; it must not hang.
//!
//! On Linux each of these locks is one word, without the process-wide queues of other implementations, which a fork
//! could catch in the middle of a change.

use std::cell::UnsafeCell;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{self, PoisonError, TryLockError};
use std::time::Duration;

pub use std::sync::{Condvar, MutexGuard};
use std::sync::{RwLockReadGuard, RwLockWriteGuard};

use super::fork_handlers::ForkHandlers;

/// Counts forks: one more in each child. 0 is no process.
static PROCESS: AtomicU32 = AtomicU32::new(1);

/// The number of this process: one more than its parent's.
#[inline]
pub fn process() -> u32 {
    PROCESS.load(Ordering::Relaxed)
}

extern "C" fn in_child() {
    PROCESS.fetch_add(1, Ordering::Relaxed);
}

static FORKS: ForkHandlers = ForkHandlers::new(None, None, in_child);

/// A lock that can start over.
pub(super) trait Lock: Sized {
    /// A new lock around the same data if that is intact, else around the default. No thread of this process holds it.
    fn renew(&mut self) -> Self;
    /// Whether it is held.
    fn is_held(&self) -> bool;
}

impl<T: Default> Lock for sync::Mutex<T> {
    fn renew(&mut self) -> Self {
        sync::Mutex::default()
    }

    fn is_held(&self) -> bool {
        matches!(self.try_lock(), Err(TryLockError::WouldBlock))
    }
}

impl<T: Default> Lock for sync::RwLock<T> {
    fn renew(&mut self) -> Self {
        let held_by_writer = matches!(self.try_read(), Err(TryLockError::WouldBlock));
        if held_by_writer {
            return sync::RwLock::default();
        }
        sync::RwLock::new(mem::take(self.get_mut().unwrap_or_else(PoisonError::into_inner)))
    }

    fn is_held(&self) -> bool {
        matches!(self.try_write(), Err(TryLockError::WouldBlock))
    }
}

/// A lock and the process that checked it last.
pub(super) struct ForkSafe<L> {
    process: AtomicU32,
    lock: UnsafeCell<L>,
}

// SAFETY: the cell is written only in `renew`, when no thread of this process has a reference to the lock: each gets
// one only after the lock was renewed in this process, and renewing is serialized.
unsafe impl<L: Send + Sync> Sync for ForkSafe<L> {}

impl<L: Lock> ForkSafe<L> {
    /// Around a lock that nobody holds.
    pub(super) const fn new(lock: L) -> Self {
        ForkSafe { process: AtomicU32::new(0), lock: UnsafeCell::new(lock) }
    }

    #[inline(always)]
    pub(super) fn lock(&self) -> &L {
        if self.process.load(Ordering::Acquire) != process() {
            self.renew();
        }
        // SAFETY: renewed in this process, so the cell is not written any more.
        unsafe { &*self.lock.get() }
    }

    #[cold]
    fn renew(&self) {
        FORKS.install();
        let _turn = Turn::take();
        if self.process.load(Ordering::Acquire) == process() {
            return;
        }
        // SAFETY: it is our turn, and no thread of this process has a reference yet.
        unsafe {
            let lock = &mut *self.lock.get();
            if self.process.load(Ordering::Relaxed) != 0 && lock.is_held() {
                let renewed = lock.renew();
                ptr::write(self.lock.get(), renewed);
            }
        }
        self.process.store(process(), Ordering::Release);
    }
}

/// One thread at a time renews locks. A turn left behind by a thread of the parent process does not count.
struct Turn;

static TURN: AtomicU32 = AtomicU32::new(0);

impl Turn {
    fn take() -> Self {
        let own = process();
        loop {
            match TURN.compare_exchange(0, own, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Turn,
                Err(other) if other == own => std::thread::yield_now(),
                // Left behind by a thread of the parent process.
                Err(other) => {
                    let _ = TURN.compare_exchange(other, 0, Ordering::Acquire, Ordering::Relaxed);
                }
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TURN.store(0, Ordering::Release);
    }
}

/// A mutex that survives a fork.
pub struct Mutex<T>(ForkSafe<sync::Mutex<T>>);

impl<T: Default> Mutex<T> {
    /// A mutex around `value`.
    pub const fn new(value: T) -> Self {
        Mutex(ForkSafe::new(sync::Mutex::new(value)))
    }

    /// Locks it.
    #[inline(always)]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks it, if no other thread holds it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.lock().try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// Sleeps until notified, at most for `time`; also returns whether it timed out. `guard` belongs to `mutex`.
pub fn wait_for<'m, T>(
    condvar: &Condvar,
    _mutex: &'m Mutex<T>,
    guard: MutexGuard<'m, T>,
    time: Duration,
) -> (MutexGuard<'m, T>, bool) {
    let (guard, end) = condvar.wait_timeout(guard, time).unwrap_or_else(PoisonError::into_inner);
    (guard, end.timed_out())
}

/// A lock for many readers or one writer that survives a fork.
pub struct RwLock<T>(ForkSafe<sync::RwLock<T>>);

impl<T: Default> RwLock<T> {
    /// A lock around `value`.
    pub const fn new(value: T) -> Self {
        RwLock(ForkSafe::new(sync::RwLock::new(value)))
    }

    /// Locks it for reading.
    #[inline]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.lock().read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks it for writing.
    #[inline]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.lock().write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

#[cfg(all(test, not(miri)))]
pub(super) mod tests {
    use super::*;

    /// Runs `child` in a forked process. Returns whether it returned true in time.
    pub(crate) fn forked(child: impl FnOnce() -> bool) -> bool {
        // SAFETY: the child only uses locks, and leaves by _exit; the alarm ends one that hangs.
        unsafe {
            match libc::fork() {
                0 => {
                    libc::alarm(120);
                    libc::_exit(i32::from(!child()))
                }
                pid => {
                    let mut status = 0;
                    assert_eq!(libc::waitpid(pid, &mut status, 0), pid);
                    status == 0
                }
            }
        }
    }

    #[test]
    fn locks_of_vanished_threads_are_free_in_a_child() {
        static MUTEX: Mutex<u32> = Mutex::new(7);
        static WRITTEN: RwLock<u32> = RwLock::new(7);
        static READ: RwLock<u32> = RwLock::new(7);
        static FREE: Mutex<u32> = Mutex::new(7);
        drop(FREE.lock());
        let (ready, wait) = std::sync::mpsc::channel();
        let (done, end) = std::sync::mpsc::channel::<()>();
        let holder = std::thread::spawn(move || {
            let guards = (MUTEX.lock(), WRITTEN.write(), READ.read());
            ready.send(()).unwrap();
            end.recv().unwrap();
            drop(guards);
        });
        wait.recv().unwrap();
        assert!(MUTEX.try_lock().is_none());
        assert!(forked(|| {
            // A map that was perhaps half changed is replaced; one that was only read, or free, is kept.
            *MUTEX.lock() == 0 && *WRITTEN.write() == 0 && *READ.write() == 7 && *FREE.lock() == 7
        }));
        done.send(()).unwrap();
        holder.join().unwrap();
        assert_eq!((*MUTEX.lock(), *WRITTEN.read()), (7, 7));
    }
}
