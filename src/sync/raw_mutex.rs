//! A mutex of one word, without a value and without a guard: the caller unlocks it.
//!
//! For locks with guards that are to stay in registers: the standard library's guard remembers whether its thread
//! panics, which takes memory. It is a futex, as the standard library's mutex is on Linux.

use std::hint::spin_loop;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::fork_safe::{ForkSafe, Lock};

const FREE: u32 = 0;
const LOCKED: u32 = 1;
/// Locked, and a thread may sleep until it is free.
const AWAITED: u32 = 2;
/// Free, since a thread that held it has vanished in a fork.
const LEFT: u32 = 3;

/// The times that a thread tries before it sleeps.
const TRIES: u32 = 100;

struct Futex {
    state: AtomicU32,
}

impl Lock for Futex {
    fn renew(&mut self) -> Self {
        Futex { state: AtomicU32::new(LEFT) }
    }

    fn is_held(&self) -> bool {
        !matches!(self.state.load(Ordering::Relaxed), FREE | LEFT)
    }
}

impl Futex {
    #[inline(always)]
    fn try_lock(&self) -> bool {
        self.state.compare_exchange(FREE, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    #[inline(never)]
    fn wait_and_lock(&self) -> bool {
        for _ in 0..TRIES {
            match self.state.load(Ordering::Relaxed) {
                FREE if self.try_lock() => return true,
                LEFT => break,
                _ => spin_loop(),
            }
        }
        loop {
            // Other threads may sleep too, so it stays awaited.
            match self.state.swap(AWAITED, Ordering::Acquire) {
                FREE => return true,
                LEFT => return false,
                _ => self.call(libc::FUTEX_WAIT, AWAITED),
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn wake_one(&self) {
        self.call(libc::FUTEX_WAKE, 1);
    }

    /// A system call with the word. A sleep ends at once if the word is not `number`, and sometimes without a reason.
    fn call(&self, operation: libc::c_int, number: u32) {
        let operation = operation | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the word is alive, and a null pointer is no time limit.
        unsafe {
            libc::syscall(libc::SYS_futex, self.state.as_ptr(), operation, number, ptr::null::<libc::timespec>());
        }
    }
}

/// A mutex without a value that survives a fork.
pub(crate) struct RawMutex(ForkSafe<Futex>);

impl RawMutex {
    /// A mutex that nobody holds.
    pub const fn new() -> Self {
        RawMutex(ForkSafe::new(Futex { state: AtomicU32::new(FREE) }))
    }

    /// Locks it. Returns whether what it guards is intact: once false if a thread that held it has vanished in a fork.
    #[inline(always)]
    pub fn lock(&self) -> bool {
        let futex = self.0.lock();
        futex.try_lock() || futex.wait_and_lock()
    }

    /// Unlocks it.
    ///
    /// # Safety
    /// The caller has locked it.
    #[inline(always)]
    pub unsafe fn unlock(&self) {
        let futex = self.0.lock();
        if futex.state.swap(FREE, Ordering::Release) == AWAITED {
            futex.wake_one();
        }
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use std::cell::UnsafeCell;
    use std::thread;

    use super::*;

    struct Counted(RawMutex, UnsafeCell<u64>);
    // SAFETY: the number is used under the lock.
    unsafe impl Sync for Counted {}

    #[test]
    fn one_thread_at_a_time_holds_it_and_none_sleeps_forever() {
        const TIMES: u64 = 100_000;
        let counted = Counted(RawMutex::new(), UnsafeCell::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let Counted(mutex, number) = &counted;
                    for time in 0..TIMES {
                        mutex.lock();
                        // SAFETY: this thread holds the lock.
                        unsafe {
                            *number.get() += 1;
                            if time % 1000 == 0 {
                                thread::yield_now();
                            }
                            mutex.unlock();
                        }
                    }
                });
            }
        });
        assert_eq!(counted.1.into_inner(), 4 * TIMES);
    }
}
