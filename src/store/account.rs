//! What one cache holds, in bytes, its own overhead included, and the sum over all caches of the process.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes held by all caches of this process.
static HELD: AtomicU64 = AtomicU64::new(0);

/// Bytes held by all caches of this process.
pub(super) fn held() -> u64 {
    HELD.load(Ordering::Relaxed)
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
        HELD.fetch_add(bytes, Ordering::Relaxed);
        true
    }

    /// Takes `bytes` off that were charged before.
    pub(super) fn discharge(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        HELD.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The bytes that a block of `size` takes in the heap: glibc's malloc puts one word before a block and rounds the sum
/// up to 16, with a least chunk of 32. Other allocators round otherwise, within a few bytes of this.
pub(super) fn heap_bytes(size: usize) -> u64 {
    ((size as u64 + 8 + 15) & !15).max(32)
}
