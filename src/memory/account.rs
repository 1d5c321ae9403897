//! The bytes one cache holds, exact, its own overhead included.

use std::sync::atomic::{AtomicU64, Ordering};

use super::held;

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

    /// Adds `bytes` unless the sum would exceed `limit`; tells whether it did.
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

    /// Takes off `bytes` that were charged before.
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
