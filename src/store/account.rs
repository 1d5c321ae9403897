//! What one cache holds, in bytes, its own overhead included, and the sum over all caches of the process.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::apart::Apart;
use super::thread::{Record, global};

/// Bytes held by all caches of this process, but for what threads have kept back.
static HELD: Apart<AtomicI64> = Apart(AtomicI64::new(0));

/// A thread keeps back as much as this, so that threads that use different caches do not meet at the sum.
const KEPT_BACK: u64 = 16 << 10;

/// What a thread has charged and discharged, and not added to the sum yet. Only the owner writes it.
pub(super) struct Unadded(AtomicI64);

impl Unadded {
    pub(super) const fn new() -> Self {
        Unadded(AtomicI64::new(0))
    }
}

/// Bytes held by all caches of this process.
pub(super) fn held() -> u64 {
    let kept_back = global().records().map(|record| record.unadded.0.load(Ordering::Relaxed)).sum::<i64>();
    (HELD.load(Ordering::Relaxed) + kept_back).max(0) as u64
}

/// The same within what threads keep back, without a look at all of them.
#[inline(always)]
pub(super) fn held_about() -> i64 {
    HELD.load(Ordering::Relaxed)
}

fn hold(bytes: i64) {
    let Some(record) = Record::of_this_thread() else {
        HELD.fetch_add(bytes, Ordering::Relaxed);
        return;
    };
    let unadded = record.unadded.0.load(Ordering::Relaxed) + bytes;
    if unadded.unsigned_abs() <= KEPT_BACK {
        record.unadded.0.store(unadded, Ordering::Relaxed);
    } else {
        record.unadded.0.store(0, Ordering::Relaxed);
        HELD.fetch_add(unadded, Ordering::Relaxed);
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
    pub(super) fn charge(&self, bytes: u64, limit: u64) -> bool {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > limit {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        hold(bytes as i64);
        true
    }

    /// Takes `bytes` off that were charged before.
    pub(super) fn discharge(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        hold(-(bytes as i64));
    }
}

/// The bytes that a block of `size` takes in the heap: glibc's malloc puts one word before a block and rounds the sum
/// up to 16, with a least chunk of 32. Other allocators round otherwise, within a few bytes of this.
pub(super) fn heap_bytes(size: usize) -> u64 {
    ((size as u64 + 8 + 15) & !15).max(32)
}
