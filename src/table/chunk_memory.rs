//! The memory of chunks: small chunks come from the process's allocator, large ones are mapped from the operating
//! system, so that freeing returns them to it.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr;

use super::size_class::UNIT;

/// Chunks of this size or more are mapped from the system.
pub(super) const MAPPED: usize = 128 << 10;

/// Memory of this size; null if the allocation fails.
pub(super) fn allocate(size: usize) -> *mut u8 {
    let memory = if size < MAPPED { heap::allocate(size) } else { system::allocate(size) };
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
    unsafe { if size < MAPPED { heap::free(memory, size) } else { system::free(memory, size) } }
}

/// Whether all addresses in these bytes fit into the 48 bits of a bucket's slot. Linux maps higher addresses only on
/// request, but an allocator may request them.
fn is_addressable(start: usize, size: usize) -> bool {
    (start as u64).checked_add(size as u64).is_some_and(|end| end <= 1 << 48)
}

mod heap {
    use super::*;

    fn layout(size: usize) -> Option<Layout> {
        Layout::from_size_align(size, UNIT).ok()
    }

    pub(super) fn allocate(size: usize) -> *mut u8 {
        // SAFETY: a chunk is not empty.
        layout(size).map_or(ptr::null_mut(), |layout| unsafe { alloc(layout) })
    }

    /// # Safety
    /// As for [`super::free`].
    pub(super) unsafe fn free(memory: *mut u8, size: usize) {
        if let Some(layout) = layout(size) {
            // SAFETY: the caller's promise.
            unsafe { dealloc(memory, layout) };
        }
    }
}

mod system {
    use super::*;

    pub(super) fn allocate(size: usize) -> *mut u8 {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: maps new memory at any address.
        let memory = unsafe { libc::mmap(ptr::null_mut(), size, access, kind, -1, 0) };
        if memory == libc::MAP_FAILED { ptr::null_mut() } else { memory.cast() }
    }

    /// # Safety
    /// As for [`super::free`].
    pub(super) unsafe fn free(memory: *mut u8, size: usize) {
        // SAFETY: the caller's promise.
        unsafe { libc::munmap(memory.cast(), size) };
    }
}

/// Has the system allocate the pages of a mapped chunk in steps, when the bytes from `used` to `end` enter a new step.
/// Page faults at the first touch of each page would take several times as long. `first` is the lowest `used`.
#[inline]
pub(super) fn populate(memory: *mut u8, first: usize, used: usize, end: usize, size: usize) {
    const STEP: usize = 128 << 10;
    let (before, now) = ((used - 1) / STEP, (end - 1) / STEP);
    if before != now || used == first {
        let start = now * STEP;
        populate_pages(memory.wrapping_add(start), STEP.min(size - start));
    }
}

#[cfg(target_os = "linux")]
#[cold]
fn populate_pages(start: *mut u8, len: usize) {
    // SAFETY: the pages belong to the chunk, and keep their contents. A system without this call populates pages at the
    // first touch.
    unsafe { libc::madvise(start.cast(), len, libc::MADV_POPULATE_WRITE) };
}

#[cfg(not(target_os = "linux"))]
fn populate_pages(_start: *mut u8, _len: usize) {}

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
