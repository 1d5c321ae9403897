//! The bytes held by all caches of the process, and claims on them.
//!
//! Threads that use different caches would contend for the sum at each store. So each thread takes more bytes from it
//! than it needs, and uses them up before it comes again; a large store takes what it needs before it is made. The sum
//! is never less than what is held, which is how threads together stay below a limit.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use super::scratch;
use crate::epoch::{Participant, current, on_leave, participants, register, without_fork};
use crate::sync::CachePadded;

/// Bytes held by all caches of this process, and bytes that threads have taken and not used.
static HELD: CachePadded<AtomicI64> = CachePadded(AtomicI64::new(0));

/// At least the part of that which is not used.
static UNUSED: CachePadded<AtomicI64> = CachePadded(AtomicI64::new(0));

/// A thread takes this many bytes more than it needs, and keeps at most twice as many.
const TAKEN: i64 = 8 << 10;

/// What a thread has taken and not used yet. Only the owner writes it.
struct Share<'p> {
    unused: &'p AtomicI64,
    claimed: &'p AtomicI64,
    counted: &'p AtomicU32,
}

impl<'p> Share<'p> {
    #[inline(always)]
    fn of(participant: &'p Participant) -> Self {
        let scratch = &participant.scratch;
        Share {
            unused: &scratch.sums[scratch::UNUSED],
            claimed: &scratch.sums[scratch::CLAIMED],
            counted: &scratch.counts[scratch::COUNTED],
        }
    }

    /// Goes on where `unused` bytes are below zero, or too many.
    #[inline(never)]
    fn rebalance(&self, mut unused: i64) {
        if self.counted.swap(1, Ordering::Relaxed) == 0 {
            UNUSED.fetch_add(2 * TAKEN, Ordering::Relaxed);
            on_leave(give_back);
        }
        let used = self.claimed.load(Ordering::Relaxed).min(-unused);
        if used > 0 {
            self.claimed.store(self.claimed.load(Ordering::Relaxed) - used, Ordering::Relaxed);
            UNUSED.fetch_sub(used, Ordering::Relaxed);
            unused += used;
        }
        if !(0..=2 * TAKEN).contains(&unused) {
            HELD.fetch_add(TAKEN - unused, Ordering::AcqRel);
            unused = TAKEN;
        }
        self.unused.store(unused, Ordering::Relaxed);
    }
}

/// Gives back what a thread that ends has not used.
fn give_back(participant: &Participant) {
    let share = Share::of(participant);
    let (unused, claimed) = (share.unused.swap(0, Ordering::Relaxed), share.claimed.swap(0, Ordering::Relaxed));
    if unused + claimed != 0 {
        HELD.fetch_sub(unused + claimed, Ordering::AcqRel);
    }
    let counted = if share.counted.swap(0, Ordering::Relaxed) != 0 { 2 * TAKEN } else { 0 };
    if counted + claimed != 0 {
        UNUSED.fetch_sub(counted + claimed, Ordering::Relaxed);
    }
}

/// Bytes held by all caches of this process.
pub(super) fn exactly() -> u64 {
    let unused = participants()
        .map(Share::of)
        .map(|share| share.unused.load(Ordering::Relaxed) + share.claimed.load(Ordering::Relaxed));
    (HELD.load(Ordering::Relaxed) - unused.sum::<i64>()).max(0) as u64
}

/// At least the bytes held, without a look at all threads.
#[inline(always)]
pub(super) fn at_most() -> i64 {
    HELD.load(Ordering::Relaxed)
}

/// At most the bytes held, without a look at all threads.
pub(super) fn at_least() -> i64 {
    // In this order: a thread that takes bytes first says that they are not used.
    let held = HELD.load(Ordering::Acquire);
    held - UNUSED.load(Ordering::Relaxed)
}

/// Adds to the bytes held.
#[inline]
pub(super) fn add(bytes: i64) {
    let Some(participant) = current() else {
        HELD.fetch_add(bytes, Ordering::Relaxed);
        return;
    };
    let share = Share::of(participant);
    let unused = share.unused.load(Ordering::Relaxed) - bytes;
    if unused as u64 <= 2 * TAKEN as u64 {
        share.unused.store(unused, Ordering::Relaxed);
    } else {
        share.rebalance(unused);
    }
}

/// Bytes taken from the sum for a store in progress. What the store does not use is given back when this is dropped.
pub struct MemoryClaim {
    bytes: i64,
    /// Whose they are; None if the thread has no participant, and then nothing uses them.
    participant: Option<&'static Participant>,
    /// It stays with its thread.
    _thread: PhantomData<*const ()>,
}

impl MemoryClaim {
    /// A claim to no bytes.
    pub(super) const NOTHING: MemoryClaim = MemoryClaim { bytes: 0, participant: None, _thread: PhantomData };

    /// Takes `bytes` if they fit beside what is held, which `fits` is told.
    pub(super) fn take(bytes: u64, fits: impl Fn(i64) -> bool) -> Option<Self> {
        let bytes = i64::try_from(bytes).ok()?;
        // A participant that this thread keeps: one that is lent would be another thread's before the claim ends.
        let participant = register();
        on_leave(give_back);
        // A fork in the middle would leave bytes to the child that nobody gives back.
        let taken = without_fork(|| {
            UNUSED.fetch_add(bytes, Ordering::Relaxed);
            let more = |held| fits(held).then(|| held + bytes);
            if HELD.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more).is_err() {
                UNUSED.fetch_sub(bytes, Ordering::Relaxed);
                return false;
            }
            if let Some(claimed) = participant.map(|participant| Share::of(participant).claimed) {
                claimed.store(claimed.load(Ordering::Relaxed) + bytes, Ordering::Relaxed);
            }
            true
        });
        taken.then_some(MemoryClaim { bytes, participant, _thread: PhantomData })
    }

    #[inline(never)]
    fn give_back(&self) {
        let unused = match self.participant.map(|participant| Share::of(participant).claimed) {
            None => self.bytes,
            Some(claimed) => {
                let unused = claimed.load(Ordering::Relaxed).min(self.bytes);
                claimed.store(claimed.load(Ordering::Relaxed) - unused, Ordering::Relaxed);
                unused
            }
        };
        if unused != 0 {
            HELD.fetch_sub(unused, Ordering::AcqRel);
            UNUSED.fetch_sub(unused, Ordering::Relaxed);
        }
    }
}

impl Drop for MemoryClaim {
    #[inline]
    fn drop(&mut self) {
        if self.bytes != 0 {
            without_fork(|| self.give_back());
        }
    }
}
