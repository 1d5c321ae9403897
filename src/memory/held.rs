//! The bytes held by all caches of the process, and claims: bytes that are counted before they are allocated.
//!
//! A single counter would be contended by stores of all threads. So each thread adds bytes to the sum in advance, in
//! steps, and its small stores use them up without access to the sum. A large store claims its bytes before it
//! allocates. The sum is never less than the bytes held, so that all threads together stay below a limit.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use super::scratch;
use crate::epoch::{Participant, current, on_leave, participants, register, without_fork};
use crate::sync::CachePadded;

/// The bytes held by all caches of this process, plus the bytes that threads have added in advance and not used.
static HELD: CachePadded<AtomicI64> = CachePadded(AtomicI64::new(0));

/// At least what threads have added in advance and not used.
static UNUSED: CachePadded<AtomicI64> = CachePadded(AtomicI64::new(0));

/// At least what stores in progress have claimed: memory that they may or may not occupy already.
static CLAIMED: CachePadded<AtomicI64> = CachePadded(AtomicI64::new(0));

/// The bytes that a thread adds in advance; it keeps at most twice as many.
const TAKEN: i64 = 8 << 10;

/// The bytes that a thread has added in advance and not used. Only the owner writes them.
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

    /// Adds bytes to the sum, or subtracts some, if `unused` is below zero or too high.
    #[inline(never)]
    fn rebalance(&self, mut unused: i64) {
        if self.counted.swap(1, Ordering::Relaxed) == 0 {
            UNUSED.fetch_add(2 * TAKEN, Ordering::Relaxed);
            on_leave(give_back);
        }
        let used = self.claimed.load(Ordering::Relaxed).min(-unused);
        if used > 0 {
            self.claimed.store(self.claimed.load(Ordering::Relaxed) - used, Ordering::Relaxed);
            CLAIMED.fetch_sub(used, Ordering::Relaxed);
            unused += used;
        }
        if !(0..=2 * TAKEN).contains(&unused) {
            HELD.fetch_add(TAKEN - unused, Ordering::AcqRel);
            unused = TAKEN;
        }
        self.unused.store(unused, Ordering::Relaxed);
    }
}

/// Subtracts from the sum what a thread that ends has not used.
fn give_back(participant: &Participant) {
    let share = Share::of(participant);
    let (unused, claimed) = (share.unused.swap(0, Ordering::Relaxed), share.claimed.swap(0, Ordering::Relaxed));
    if unused + claimed != 0 {
        HELD.fetch_sub(unused + claimed, Ordering::AcqRel);
    }
    if claimed != 0 {
        CLAIMED.fetch_sub(claimed, Ordering::Relaxed);
    }
    if share.counted.swap(0, Ordering::Relaxed) != 0 {
        UNUSED.fetch_sub(2 * TAKEN, Ordering::Relaxed);
    }
}

/// Bytes held by all caches of this process.
pub(super) fn exactly() -> u64 {
    let unused = participants()
        .map(Share::of)
        .map(|share| share.unused.load(Ordering::Relaxed) + share.claimed.load(Ordering::Relaxed));
    (HELD.load(Ordering::Relaxed) - unused.sum::<i64>()).max(0) as u64
}

/// An upper bound of the bytes held, without reading all threads.
#[inline(always)]
pub(super) fn at_most() -> i64 {
    HELD.load(Ordering::Relaxed)
}

/// Lower bounds of the bytes that caches occupy, without reading all threads.
#[derive(Clone, Copy)]
pub(super) struct Occupied {
    /// If stores in progress occupy nothing of what they claimed.
    pub least: i64,
    /// If they occupy all of it.
    pub most: i64,
}

impl Occupied {
    pub fn now() -> Self {
        // In this order, because a thread adds to the others before it adds to HELD.
        let held = HELD.load(Ordering::Acquire);
        let most = held - UNUSED.load(Ordering::Relaxed);
        Occupied { least: most - CLAIMED.load(Ordering::Relaxed), most }
    }

    /// The bounds at two moments, and between them.
    pub fn or(self, other: Occupied) -> Self {
        Occupied { least: self.least.min(other.least), most: self.most.max(other.most) }
    }
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

/// Bytes that are added to the sum for a store in progress. Dropping it subtracts those that the store did not use.
pub struct MemoryClaim {
    bytes: i64,
    /// The thread's participant; None if it has none: then the store counts its bytes again, and this subtracts all.
    participant: Option<&'static Participant>,
    /// Makes it neither `Send` nor `Sync`.
    _thread: PhantomData<*const ()>,
}

impl MemoryClaim {
    /// A claim of no bytes.
    pub(super) const NOTHING: MemoryClaim = MemoryClaim { bytes: 0, participant: None, _thread: PhantomData };

    /// Claims `bytes` if `fits` returns true for the bytes held now.
    pub(super) fn take(bytes: u64, fits: impl Fn(i64) -> bool) -> Option<Self> {
        let bytes = i64::try_from(bytes).ok()?;
        // A participant that the thread keeps until it ends, because the claim refers to it.
        let participant = register();
        on_leave(give_back);
        // A fork in between would leave bytes in the child's sum that no thread subtracts.
        let taken = without_fork(|| {
            CLAIMED.fetch_add(bytes, Ordering::Relaxed);
            let more = |held| fits(held).then(|| held + bytes);
            if HELD.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more).is_err() {
                CLAIMED.fetch_sub(bytes, Ordering::Relaxed);
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
            CLAIMED.fetch_sub(unused, Ordering::Relaxed);
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
