//! The bytes of the heap that are in use, counted by the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

/// The system's allocator with a count.
pub struct Counted;

static IN_USE: AtomicU64 = AtomicU64::new(0);

/// The bytes that all blocks take now, the allocator's own included.
pub fn in_use() -> u64 {
    IN_USE.load(Ordering::Relaxed)
}

/// What a block takes of glibc's heap: a word more, in multiples of 16, at least 32.
fn taken(size: usize) -> u64 {
    (size as u64 + 8).next_multiple_of(16).max(32)
}

// SAFETY: all blocks are the system allocator's.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(taken(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(taken(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}
