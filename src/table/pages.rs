//! Pages: what is requested from the system for regions and for large runs.

use std::ptr;

pub(super) const PAGE: usize = 4 << 10;

/// The size of a region, and of a large page on most processors.
pub(super) const REGION: usize = 2 << 20;

/// Maps new memory; null if the mapping fails.
pub(super) fn map(size: usize) -> *mut u8 {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: maps new memory at any address.
    let memory = unsafe { libc::mmap(ptr::null_mut(), size, access, kind, -1, 0) };
    if memory == libc::MAP_FAILED { ptr::null_mut() } else { memory.cast() }
}

/// # Safety
/// The memory was mapped here and is no longer used.
pub(super) unsafe fn unmap(memory: *mut u8, size: usize) {
    // SAFETY: the caller's promise.
    unsafe { libc::munmap(memory.cast(), size) };
}

/// Maps a region at a multiple of its size, with small pages; null if the mapping fails.
pub(super) fn map_region() -> *mut u8 {
    let region = map_aligned();
    if !region.is_null() {
        advise(region, false);
    }
    region
}

fn map_aligned() -> *mut u8 {
    let memory = map(REGION);
    if memory.addr().is_multiple_of(REGION) {
        return memory;
    }
    // SAFETY: it was just mapped.
    unsafe { unmap(memory, REGION) };
    let memory = map(2 * REGION);
    if memory.is_null() {
        return memory;
    }
    let before = memory.addr().next_multiple_of(REGION) - memory.addr();
    let region = memory.wrapping_add(before);
    // SAFETY: what is unmapped lies before and after the region, in the new mapping.
    unsafe {
        if before > 0 {
            unmap(memory, before);
        }
        if before < REGION {
            unmap(region.add(REGION), REGION - before);
        }
    }
    region
}

/// Gives pages back to the system, which forgets their contents; returns whether it did.
///
/// # Safety
/// The pages were mapped here, and nothing uses them.
pub(super) unsafe fn give_back(pages: *mut u8, size: usize) -> bool {
    // SAFETY: the caller's promise.
    unsafe { libc::madvise(pages.cast(), size, libc::MADV_DONTNEED) == 0 }
}

/// Whether the system may use a large page for a region. Systems without large pages ignore it.
#[cfg(target_os = "linux")]
pub(super) fn advise(region: *mut u8, large: bool) {
    let advice = if large { libc::MADV_HUGEPAGE } else { libc::MADV_NOHUGEPAGE };
    // SAFETY: advice changes no contents.
    unsafe { libc::madvise(region.cast(), REGION, advice) };
}

#[cfg(not(target_os = "linux"))]
pub(super) fn advise(_region: *mut u8, _large: bool) {}

/// Has the system provide all pages of a run now. One without this call provides them at the first touch.
#[cfg(target_os = "linux")]
pub(super) fn populate(run: *mut u8, size: usize) {
    // SAFETY: pages keep their contents.
    unsafe { libc::madvise(run.cast(), size, libc::MADV_POPULATE_WRITE) };
}

#[cfg(not(target_os = "linux"))]
pub(super) fn populate(_run: *mut u8, _size: usize) {}
