//! The memory of chunks and segments: small ones come from the process's allocator, larger ones are pages of regions,
//! so that freeing returns them to the system.

use std::alloc::{Layout, alloc, dealloc};
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(not(shuttle))]
use super::region;
use super::size_class::UNIT;
use crate::memory::heap_bytes;

/// Chunks of this size or more consist of pages.
pub(super) const PAGED: usize = 4 << 10;

/// Whether chunks come from the process's allocator only: the model checker has no locks for regions, and memory
/// checkers see only the allocator's blocks.
const HEAP_ONLY: bool = cfg!(any(shuttle, miri, phicache_separate_blocks));

/// Whether this process has used pages.
static USES_PAGES: AtomicBool = AtomicBool::new(false);

/// Whether some of the memory may be pages.
pub(super) fn uses_pages() -> bool {
    USES_PAGES.load(Ordering::Relaxed)
}

fn is_paged(size: usize) -> bool {
    let is_paged = !HEAP_ONLY && size >= PAGED;
    if is_paged && !uses_pages() {
        USES_PAGES.store(true, Ordering::Relaxed);
    }
    is_paged
}

/// The size of a chunk for this many bytes.
pub(super) fn round(bytes: usize) -> usize {
    let unit = if is_paged(bytes) { PAGED } else { UNIT };
    bytes.checked_next_multiple_of(unit).unwrap_or(usize::MAX)
}

/// The size of the largest chunk that takes at most `bytes`.
pub(super) fn largest(bytes: u64) -> u64 {
    if !HEAP_ONLY && bytes >= PAGED as u64 {
        return bytes & !(PAGED as u64 - 1);
    }
    (bytes & !15).saturating_sub(16)
}

/// The bytes that a chunk of this size takes.
pub(super) fn charge(size: usize) -> u64 {
    if is_paged(size) { size as u64 } else { heap_bytes(size) }
}

/// Memory of this size; null if the allocation fails.
pub(super) fn allocate(size: usize) -> *mut u8 {
    let memory = if is_paged(size) { region::allocate(size) } else { heap::allocate(size) };
    if memory.is_null() || is_addressable(memory.addr(), size) {
        return memory;
    }
    // SAFETY: it was just allocated with this size, and is not used.
    unsafe { free(memory, size) };
    ptr::null_mut()
}

/// # Safety
/// The memory was allocated here with this size and is no longer used.
pub(super) unsafe fn free(memory: *mut u8, size: usize) {
    // SAFETY: the caller's promise.
    unsafe { if is_paged(size) { region::free(memory, size) } else { heap::free(memory, size) } }
}

/// Gives the whole pages of this part of a chunk back to the system, which forgets their contents. The addresses stay
/// with the chunk. Returns the bytes.
///
/// # Safety
/// The memory was allocated by [`allocate`] with this size, and nothing uses these bytes.
pub(super) unsafe fn trim(memory: *mut u8, size: usize, part: Range<usize>) -> usize {
    let pages = part.start.next_multiple_of(PAGED)..part.end & !(PAGED - 1);
    if !is_paged(size) || pages.is_empty() {
        return 0;
    }
    let bytes = pages.len();
    // SAFETY: the caller's promise. Memory of a page or more begins at a page.
    if unsafe { region::trim(memory, size, pages) } { bytes } else { 0 }
}

/// Memory for objects of this type; null if the allocation fails.
pub(super) fn allocate_aligned<T>(size: usize) -> *mut T {
    // Pages are aligned enough.
    if is_paged(size) { region::allocate(size).cast() } else { heap::allocate_at(size, align_of::<T>()).cast() }
}

/// # Safety
/// The memory was allocated by [`allocate_aligned`] with this type and size, and is no longer used.
pub(super) unsafe fn free_aligned<T>(memory: *mut T, size: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if is_paged(size) {
            region::free(memory.cast(), size);
        } else {
            heap::free_at(memory.cast(), size, align_of::<T>());
        }
    }
}

/// Whether all addresses in these bytes fit into the 48 bits of a bucket's slot. Linux maps higher addresses only on
/// request, but an allocator may request them.
fn is_addressable(start: usize, size: usize) -> bool {
    (start as u64).checked_add(size as u64).is_some_and(|end| end <= 1 << 48)
}

/// The model checker has no regions.
#[cfg(shuttle)]
mod region {
    pub(super) use super::heap::{allocate, free};

    pub(super) unsafe fn trim(_memory: *mut u8, _size: usize, _part: std::ops::Range<usize>) -> bool {
        false
    }
}

mod heap {
    use super::*;

    pub(super) fn allocate(size: usize) -> *mut u8 {
        allocate_at(size, UNIT)
    }

    /// # Safety
    /// As for [`super::free`].
    pub(super) unsafe fn free(memory: *mut u8, size: usize) {
        // SAFETY: the caller's promise.
        unsafe { free_at(memory, size, UNIT) };
    }

    pub(super) fn allocate_at(size: usize, align: usize) -> *mut u8 {
        let layout = Layout::from_size_align(size, align);
        // SAFETY: the size is not zero.
        layout.map_or(ptr::null_mut(), |layout| unsafe { alloc(layout) })
    }

    /// # Safety
    /// As for [`super::free_aligned`].
    pub(super) unsafe fn free_at(memory: *mut u8, size: usize, align: usize) {
        if let Ok(layout) = Layout::from_size_align(size, align) {
            // SAFETY: the caller's promise.
            unsafe { dealloc(memory, layout) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_beyond_48_bits_is_not_used() {
        assert!(is_addressable(1 << 20, 4096) && is_addressable((1 << 48) - 4096, 4096));
        assert!(!is_addressable((1 << 48) - 4096, 4097) && !is_addressable(1 << 56, 4096));
        assert!(!is_addressable(usize::MAX - 10, 4096));
    }
}
