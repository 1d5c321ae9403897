//! A mutex for data that one thread uses most of the time: it locks by plain stores, until another thread comes.
//!
//! Locking and unlocking a mutex takes two atomic operations, and each costs as much time as hashing a key. Most caches
//! are changed by one thread. So the first thread that locks a [`Biased`] becomes its owner (biased locking):
//!
//! ```text
//! the owner                        another thread, once
//!   held = 1                         lock the mutex
//!   light barrier                    revoke the owner's token
//!   token revoked? then step back    heavy barrier
//!   …                                wait until held = 0
//!   held = 0                         the mutex is shared
//! ```
//!
//! Either the owner sees that its token is revoked, or the other thread sees that it is held (`barrier.rs`). Once it is
//! shared, all threads lock the mutex, as if there had never been an owner.
//!
//! A token is a thread's for all its locks (`token.rs`).

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::time::Duration;

use super::barrier;
use super::participant::Participant;
use super::threads::{current, heavy_barrier, register, threads};
use super::token::{Token, owner_of};
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{RawMutex, process, yield_now};

/// Nobody has locked it yet.
const NEW: u32 = 0;
/// All threads lock the mutex.
const SHARED: u32 = u32::MAX;

/// A mutex with an owner that locks it by plain stores. It survives a fork as `sync::Mutex` does.
pub struct Biased<T> {
    /// The owner's token, [`NEW`] or [`SHARED`].
    owner: AtomicU32,
    /// The process in which the owner is inside; 0 outside.
    held: AtomicU32,
    mutex: RawMutex,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through guards only, of which there is one at a time.
unsafe impl<T: Send> Sync for Biased<T> {}

impl<T: Default> Biased<T> {
    /// A mutex around `value`.
    pub const fn new(value: T) -> Self {
        Biased {
            owner: AtomicU32::new(NEW),
            held: AtomicU32::new(0),
            mutex: RawMutex::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// Locks it.
    #[inline(always)]
    pub fn lock(&self) -> BiasedGuard<'_, T> {
        self.lock_by(current())
    }

    /// Locks it for this thread, for a caller that knows its participant.
    #[inline(always)]
    pub fn lock_by(&self, thread: Option<&'static Participant>) -> BiasedGuard<'_, T> {
        match thread {
            Some(thread) if self.enter(thread) => BiasedGuard { biased: self, by_owner: true, _thread: PhantomData },
            _ => self.lock_mutex(thread),
        }
    }

    /// Locks it as its owner; returns whether this thread owns it.
    #[inline(always)]
    fn enter(&self, thread: &Participant) -> bool {
        let token = thread.token.now();
        // A lock that is held already was the owner's when it vanished in a fork.
        if self.owner.load(Ordering::Relaxed) != token || self.held.load(Ordering::Relaxed) != 0 {
            return false;
        }
        self.held.store(process(), Ordering::Relaxed);
        barrier::light();
        if thread.token.now() == token {
            return true;
        }
        self.held.store(0, Ordering::Release);
        false
    }

    #[inline(never)]
    fn lock_mutex(&self, thread: Option<&'static Participant>) -> BiasedGuard<'_, T> {
        // Before the mutex is locked: without memory, a thread waits for the participant of another one, which may wait
        // for this mutex.
        let thread = if self.owner.load(Ordering::Relaxed) == NEW { thread.or_else(register) } else { thread };
        let is_intact = self.mutex.lock();
        if self.owner.load(Ordering::Relaxed) != SHARED || !is_intact {
            self.settle(thread, is_intact);
        }
        BiasedGuard { biased: self, by_owner: false, _thread: PhantomData }
    }

    /// Decides who owns it from now on. Only for the thread that holds the mutex.
    #[cold]
    fn settle(&self, thread: Option<&'static Participant>, is_intact: bool) {
        let owner = self.owner.load(Ordering::Relaxed);
        let own = thread.map_or(Token::NONE, |thread| thread.token.now());
        let new = match owner {
            NEW if own != Token::NONE && barrier::is_fence_free() => own,
            // This thread's, now or before.
            _ if own != Token::NONE && owner_of(owner) == owner_of(own) => own,
            NEW | SHARED => SHARED,
            _ => {
                if let Some(other) = threads().roster.by_id(owner_of(owner)) {
                    other.token.revoke(owner, heavy_barrier);
                }
                SHARED
            }
        };
        if self.has_lost_its_owner() || !is_intact {
            // A thread that has vanished in a fork may have half changed the value. It is leaked, as by `Mutex`.
            // SAFETY: this thread is the only one inside.
            unsafe { ptr::write(self.value.get(), T::default()) };
            self.held.store(0, Ordering::Relaxed);
        }
        self.owner.store(new, Ordering::Relaxed);
    }

    /// Waits until the owner is outside. Returns true if it is inside and has vanished in a fork.
    ///
    /// An owner that steps back holds the lock for a moment, also after this: it is of this process.
    fn has_lost_its_owner(&self) -> bool {
        for times in 0_u64.. {
            // Acquire: what the owner has written is seen.
            match self.held.load(Ordering::Acquire) {
                0 => break,
                holder if holder != process() => return true,
                _ if times < 100 || cfg!(shuttle) => yield_now(),
                _ => std::thread::sleep(Duration::from_micros(50)),
            }
        }
        false
    }
}

impl<T: Default> Default for Biased<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// The locked value of a [`Biased`].
pub struct BiasedGuard<'b, T> {
    biased: &'b Biased<T>,
    by_owner: bool,
    /// Another thread must not drop it.
    _thread: PhantomData<*const ()>,
}

impl<T> Deref for BiasedGuard<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: there is one guard at a time.
        unsafe { &*self.biased.value.get() }
    }
}

impl<T> DerefMut for BiasedGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.biased.value.get() }
    }
}

impl<T> Drop for BiasedGuard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.by_owner {
            // Release: a thread that waits sees what the owner has written.
            self.biased.held.store(0, Ordering::Release);
        } else {
            self.unlock_mutex();
        }
    }
}

impl<T> BiasedGuard<'_, T> {
    #[inline(never)]
    fn unlock_mutex(&self) {
        // SAFETY: this thread has locked it for this guard, which is dropped.
        unsafe { self.biased.mutex.unlock() };
    }
}

#[cfg(all(test, not(any(miri, shuttle))))]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;
    use crate::sync::forked;

    impl<T> Biased<T> {
        fn owner(&self) -> u32 {
            self.owner.load(Ordering::Relaxed)
        }
    }

    /// Runs `work` in a thread that has shared no lock. Other tests share many.
    fn in_a_new_thread(work: impl FnOnce() + Send) {
        if register().unwrap().token.is_first() {
            work()
        } else {
            // This thread keeps its participant meanwhile.
            in_another_thread(|| in_a_new_thread(work))
        }
    }

    fn in_another_thread(work: impl FnOnce() + Send) {
        thread::scope(|scope| scope.spawn(work).join()).unwrap();
    }

    #[test]
    fn the_first_thread_owns_it_until_another_comes() {
        in_a_new_thread(|| {
            let biased: Biased<u32> = Biased::default();
            *biased.lock() += 1;
            let owner = biased.owner();
            assert_eq!(owner, current().unwrap().token.now());
            *biased.lock() += 1;
            assert_eq!(biased.owner(), owner);
            in_another_thread(|| *biased.lock() += 1);
            assert_eq!(biased.owner(), SHARED);
            assert_ne!(current().unwrap().token.now(), owner);
            assert_eq!(*biased.lock(), 3);
        });
    }

    #[test]
    fn a_thread_owns_its_other_locks_again_until_it_has_shared_many() {
        in_a_new_thread(|| {
            let own = Biased::<u32>::default();
            for before in 0..2 * Token::MOST {
                let shared = Biased::<u32>::default();
                *own.lock() += 1;
                *shared.lock() += 1;
                assert_eq!(shared.owner() != SHARED, before < Token::MOST);
                in_another_thread(|| *shared.lock() += 1);
                assert_eq!((shared.owner(), *shared.lock()), (SHARED, 2));
            }
            assert_eq!(*own.lock(), 2 * Token::MOST);
        });
    }

    #[test]
    fn one_thread_at_a_time_is_inside() {
        const TIMES: u64 = 20_000;
        for _ in 0..50 {
            let (biased, start) = (Biased::<u64>::default(), Barrier::new(3));
            *biased.lock() += 1;
            let add = || {
                start.wait();
                (0..TIMES).for_each(|_| *biased.lock() += 1);
            };
            thread::scope(|scope| {
                scope.spawn(add);
                scope.spawn(add);
                add();
            });
            assert_eq!(*biased.lock(), 3 * TIMES + 1);
        }
    }

    #[test]
    fn locks_of_vanished_threads_start_over_in_a_child() {
        let (owned, shared, free) = (Biased::<u32>::new(7), Biased::<u32>::new(7), Biased::<u32>::new(7));
        drop((shared.lock(), free.lock()));
        let (inside, end) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            let hold = || {
                drop(owned.lock());
                let held = (owned.lock(), shared.lock());
                let is_held = held.0.by_owner && !held.1.by_owner;
                // Before it can fail: the others wait for it.
                inside.wait();
                end.wait();
                assert!(is_held);
            };
            scope.spawn(move || in_a_new_thread(hold));
            inside.wait();
            // What a vanished thread may have half changed is the default.
            let start_over = forked(|| *owned.lock() == 0 && *shared.lock() == 0 && *free.lock() == 7);
            // Before it can fail: the scope waits for the thread.
            end.wait();
            assert!(start_over);
        });
        assert_eq!((*owned.lock(), *shared.lock(), *free.lock()), (7, 7, 7));
    }
}
