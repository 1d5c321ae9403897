//! The exact number of bytes that one cache holds, including its overhead.

use std::sync::atomic::{AtomicU64, Ordering};

use super::held;

/// The bytes that one cache holds: blocks of entries, rounded up as the allocator does, and the memory of its table.
///
/// A replaced or removed entry is counted until it is freed, after its last pin.
#[derive(Debug, Default)]
pub struct Account {
    bytes: AtomicU64,
}

impl Account {
    /// Bytes held now.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Adds `bytes`, unless the sum would exceed `limit`; returns whether it added them.
    pub(crate) fn charge(&self, bytes: u64, limit: u64) -> bool {
        // Compared before it is added, so no thread ever sees more than the limit.
        let Some(most) = limit.checked_sub(bytes) else { return false };
        let more = |before: u64| (before <= most).then(|| before + bytes);
        let charged = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        if charged {
            held::add(bytes as i64);
        }
        charged
    }

    /// Subtracts `bytes` that were charged before.
    pub(crate) fn discharge(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        held::add(-(bytes as i64));
    }
}

/// The bytes that a block of `size` takes in the heap. glibc's malloc puts one word before a block and rounds the sum
/// up to 16, with a minimum of 32. Other allocators round otherwise, within a few bytes of this.
pub(crate) fn heap_bytes(size: usize) -> u64 {
    ((size as u64 + 8 + 15) & !15).max(32)
}
