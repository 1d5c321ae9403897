//! Parts of a table as objects that are retired: segments, directories, closed chunks.

use std::ptr::NonNull;

use crate::epoch::retire::{Retired, RetiredKind, retire};
use crate::epoch::{HazardSet, RetireList};

/// Frees a part and its contents; entries that are still in use are put on the list.
///
/// # Safety
/// No reader can reach the part.
pub(super) type FreePart = unsafe fn(NonNull<Part>, &HazardSet, &mut RetireList);

/// The first field of each part.
#[repr(C)]
pub(super) struct Part {
    link: Retired,
    free: FreePart,
}

impl Part {
    /// A part that is not retired. Retiring it says how it is freed.
    pub(super) const NEW: Part = Part { link: Retired::NEW, free: never };
}

unsafe fn never(_part: NonNull<Part>, _hazards: &HazardSet, _left: &mut RetireList) {}

/// Retired parts.
const PART: RetiredKind = RetiredKind { chain: 0, drop: drop_retired };

/// Parts of this size or more are collected at once.
const LARGE: u64 = 64 << 10;

/// Retires a part of about `bytes`, which `free` will free. The list is collected if it has come to `most` bytes.
///
/// # Safety
/// `part` is the first field of the type that `free` frees, and new readers cannot find it.
pub(super) unsafe fn retire_part(part: NonNull<Part>, bytes: u64, most: u64, free: FreePart) {
    // SAFETY: the caller's promise; the link is the first field.
    unsafe {
        (*part.as_ptr()).free = free;
        retire(PART, part.cast(), bytes, if bytes >= LARGE { 0 } else { most });
    }
}

unsafe fn drop_retired(link: NonNull<Retired>, hazards: &HazardSet, left: &mut RetireList) {
    // SAFETY: only parts are retired as this kind, by their first field.
    unsafe {
        let part: NonNull<Part> = link.cast();
        ((*part.as_ptr()).free)(part, hazards, left);
    }
}
