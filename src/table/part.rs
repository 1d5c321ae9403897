//! Parts of a table that are retired as a whole: segments and directories.

use std::ptr::NonNull;

use crate::epoch::retire::{Retired, RetiredKind, retire};
use crate::epoch::{HazardSet, RetireList};

/// Frees a part with what it holds; entries that are still in use go on the list.
///
/// # Safety
/// No read section can reach the part.
pub(super) type FreePart = unsafe fn(NonNull<Part>, &HazardSet, &mut RetireList);

/// The first field of whatever is retired as a part.
#[repr(C)]
pub(super) struct Part {
    link: Retired,
    free: FreePart,
}

impl Part {
    pub(super) const fn new(free: FreePart) -> Self {
        Part { link: Retired::NEW, free }
    }
}

/// Retired parts.
const PART: RetiredKind = RetiredKind { chain: 0, drop: drop_retired };

/// A part of this size is worth a collection of its own.
const LARGE: u64 = 64 << 10;

/// Retires a part that takes about `bytes`, to be freed by `free` from now on.
///
/// # Safety
/// `part` is the first field of what `free` frees, and no lookup leads to it any more.
pub(super) unsafe fn retire_part(part: NonNull<Part>, bytes: u64, free: FreePart) {
    // SAFETY: the caller's promise; the link is the first field.
    unsafe {
        (*part.as_ptr()).free = free;
        retire(PART, part.cast(), bytes, bytes >= LARGE);
    }
}

unsafe fn drop_retired(link: NonNull<Retired>, hazards: &HazardSet, left: &mut RetireList) {
    // SAFETY: only parts are retired as this kind, by their first field.
    unsafe {
        let part: NonNull<Part> = link.cast();
        ((*part.as_ptr()).free)(part, hazards, left);
    }
}
