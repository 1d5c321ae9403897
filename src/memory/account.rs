//! What one cache holds, in bytes, its own overhead included, and the sum over all caches of the process.
//!
//! Threads that use different caches would meet at the sum with each store. So each takes some bytes more from it than
//! it needs, and uses them up before it comes again; a large store takes what it needs before it is made. The sum is
//! never less than what is held, which is how threads together stay below a limit.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use crate::epoch::participant::{Participant, global, kept};
use crate::epoch::without_fork;
use crate::sync::CachePadded;

/// Bytes held by all caches of this process, and what threads have taken and not used.
static HELD: CachePadded<AtomicI64> = CachePadded(AtomicI64::new(0));

/// At least what of that is not used.
static UNUSED: CachePadded<AtomicI64> = CachePadded(AtomicI64::new(0));

/// A thread takes so many bytes more than it needs, and keeps at most twice as many.
const TAKEN: i64 = 8 << 10;

/// What a thread has taken, and not used yet. Only the owner writes it.
pub(crate) struct Share {
    /// For whatever comes.
    left: AtomicI64,
    /// For the store that is under way.
    claimed: AtomicI64,
    /// Whether `UNUSED` counts what may be left.
    counted: AtomicBool,
}

impl Share {
    pub(crate) const fn new() -> Self {
        Share { left: AtomicI64::new(0), claimed: AtomicI64::new(0), counted: AtomicBool::new(false) }
    }

    fn unused(&self) -> i64 {
        self.left.load(Ordering::Relaxed) + self.claimed.load(Ordering::Relaxed)
    }

    /// Goes on where what is left does not do, or is too much.
    #[inline(never)]
    fn settle(&self, mut left: i64) {
        if !self.counted.swap(true, Ordering::Relaxed) {
            UNUSED.fetch_add(2 * TAKEN, Ordering::Relaxed);
        }
        let used = self.claimed.load(Ordering::Relaxed).min(-left);
        if used > 0 {
            self.claimed.store(self.claimed.load(Ordering::Relaxed) - used, Ordering::Relaxed);
            UNUSED.fetch_sub(used, Ordering::Relaxed);
            left += used;
        }
        if !(0..=2 * TAKEN).contains(&left) {
            HELD.fetch_add(TAKEN - left, Ordering::AcqRel);
            left = TAKEN;
        }
        self.left.store(left, Ordering::Relaxed);
    }

    /// Gives back what is not used, for a thread that ends.
    pub(crate) fn give_back(&self) {
        let (left, claimed) = (self.left.swap(0, Ordering::Relaxed), self.claimed.swap(0, Ordering::Relaxed));
        if left + claimed != 0 {
            HELD.fetch_sub(left + claimed, Ordering::AcqRel);
        }
        let counted = if self.counted.swap(false, Ordering::Relaxed) { 2 * TAKEN } else { 0 };
        if counted + claimed != 0 {
            UNUSED.fetch_sub(counted + claimed, Ordering::Relaxed);
        }
    }
}

/// Bytes held by all caches of this process.
pub(crate) fn held() -> u64 {
    let unused = global().records().map(|record| record.share.unused()).sum::<i64>();
    (HELD.load(Ordering::Relaxed) - unused).max(0) as u64
}

/// At least what is held, without a look at all threads.
#[inline(always)]
pub(crate) fn held_about() -> i64 {
    HELD.load(Ordering::Relaxed)
}

/// At most what is held, without a look at all threads.
pub(crate) fn settled() -> i64 {
    // In this order: who takes something says first that it is not used.
    let held = HELD.load(Ordering::Acquire);
    held - UNUSED.load(Ordering::Relaxed)
}

#[inline]
fn hold(bytes: i64) {
    let Some(record) = Participant::of_this_thread() else {
        HELD.fetch_add(bytes, Ordering::Relaxed);
        return;
    };
    let left = record.share.left.load(Ordering::Relaxed) - bytes;
    if left as u64 <= 2 * TAKEN as u64 {
        record.share.left.store(left, Ordering::Relaxed);
    } else {
        record.share.settle(left);
    }
}

/// Bytes that were taken from the sum for a store that is under way; what it has not used is given back.
pub struct Claim {
    bytes: i64,
    /// Where it stands; none if the thread has no record, and then nothing uses it.
    record: Option<&'static Participant>,
    /// It stays with its thread.
    _thread: PhantomData<*const ()>,
}

impl Claim {
    /// A claim to nothing.
    pub(crate) const NOTHING: Claim = Claim { bytes: 0, record: None, _thread: PhantomData };

    /// Takes `bytes`, as long as they fit beside what is held; `fits` is told what that is.
    pub(crate) fn take(bytes: u64, fits: impl Fn(i64) -> bool) -> Option<Claim> {
        let bytes = i64::try_from(bytes).ok()?;
        // A thread that has no record yet gets one; not one that is lent, which would be another's before the claim ends.
        let record = kept();
        // A fork in the middle would leave the child with bytes that nobody gives back.
        let taken = without_fork(|| {
            UNUSED.fetch_add(bytes, Ordering::Relaxed);
            let more = |held| fits(held).then(|| held + bytes);
            if HELD.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more).is_err() {
                UNUSED.fetch_sub(bytes, Ordering::Relaxed);
                return false;
            }
            if let Some(record) = record {
                record.share.claimed.store(record.share.claimed.load(Ordering::Relaxed) + bytes, Ordering::Relaxed);
            }
            true
        });
        if !taken {
            return None;
        }
        Some(Claim { bytes, record, _thread: PhantomData })
    }
}

impl Drop for Claim {
    #[inline]
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        without_fork(|| self.give_back());
    }
}

impl Claim {
    #[inline(never)]
    fn give_back(&self) {
        let unused = match self.record.map(|record| &record.share.claimed) {
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

/// The bytes one cache holds: blocks of entries as the allocator rounds them, and the memory of its tables.
///
/// An entry that was replaced or removed stays on the account until its last pin is released.
#[derive(Debug, Default)]
pub struct Account {
    bytes: AtomicU64,
}

impl Account {
    /// Bytes held now.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Adds `bytes`, unless the sum would pass `limit`; says whether it did.
    pub(crate) fn charge(&self, bytes: u64, limit: u64) -> bool {
        // Compared before it is added: nobody ever sees more than the limit.
        let Some(most) = limit.checked_sub(bytes) else { return false };
        let more = |before: u64| (before <= most).then(|| before + bytes);
        let charged = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        if charged {
            hold(bytes as i64);
        }
        charged
    }

    /// Takes `bytes` off that were charged before.
    pub(crate) fn discharge(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        hold(-(bytes as i64));
    }
}

/// The bytes that a block of `size` takes in the heap: glibc's malloc puts one word before a block and rounds the sum
/// up to 16, with a least chunk of 32. Other allocators round otherwise, within a few bytes of this.
pub(crate) fn heap_bytes(size: usize) -> u64 {
    ((size as u64 + 8 + 15) & !15).max(32)
}
