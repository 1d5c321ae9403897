//! New shapes of a table: a segment grows or is split, shrinks or is merged with its buddy.
//!
//! Each shape is a new directory with one or two new segments, made in full and then published by one store. Readers
//! find the old shape or the new one; what was replaced is retired.

use std::ptr::{self, NonNull};

use super::allocate::Short;
use super::arena::Arena;
use super::directory::{BUCKETS, Charge, DirSlot, Directory, OwnedSegment, SLOT};
use super::part::retire_part;
use super::segment::{Buckets, Segment};
use crate::error::Error;
use crate::memory::Bounds;
use crate::sync::TryArc;

/// A new directory, before it is published.
pub(super) struct Reshape {
    directory: *mut Directory,
    /// The old directory, and its segments that are not in the new one; null for none.
    replaced: (*mut Directory, [*mut OwnedSegment; 2]),
}

impl Reshape {
    /// The first directory of a table.
    pub(super) fn first(arena: &TryArc<Arena>, bounds: &Bounds) -> Result<Self, Short> {
        let directory = Self::single(arena, bounds, 1, Segment::try_new)?;
        Ok(Reshape { directory, replaced: (ptr::null_mut(), [ptr::null_mut(); 2]) })
    }

    /// A directory with a single segment of this many buckets, which `make` makes.
    fn single(
        arena: &TryArc<Arena>,
        bounds: &Bounds,
        buckets: usize,
        make: impl FnOnce(usize) -> crate::error::Result<Segment>,
    ) -> Result<*mut Directory, Short> {
        let mut charge = Charge::new(arena, OwnedSegment::bytes(buckets) + Directory::bytes(1), bounds)?;
        let slot = OwnedSegment::try_new(make(buckets)?, 0, arena, &mut charge)?;
        let span = Buckets::span(buckets);
        Ok(Directory::try_new(1, span, arena, &mut charge, |_| slot).inspect_err(|_| slot.free())?)
    }

    /// More room for entries with this hash: a larger segment, or two, in place of the full one.
    ///
    /// # Safety
    /// `old` is the table's directory, and the caller the table's writer.
    pub(super) unsafe fn larger(old: *mut Directory, hash: u64, bounds: &Bounds) -> Result<Self, Short> {
        // SAFETY: the directory is alive while the caller is the writer.
        let (slots, arena, full) = unsafe { (Directory::slots(old), &(*old).arena, Directory::slot(old, hash).owned) };
        // SAFETY: as above.
        let (segment, depth) = unsafe { (&(*full).segment, (*full).depth) };
        let before = segment.bucket_count();
        let directory = if before < BUCKETS {
            Self::single(arena, bounds, before * 2, |buckets| segment.resized(buckets))?
        } else {
            let len = if 1 << depth == slots.len() { slots.len() * 2 } else { slots.len() };
            let mut charge = Charge::new(arena, 2 * OwnedSegment::bytes(BUCKETS) + Directory::bytes(len), bounds)?;
            let [low, high] = segment.split(SLOT + depth)?;
            let low = OwnedSegment::try_new(low, depth + 1, arena, &mut charge)?;
            let high = OwnedSegment::try_new(high, depth + 1, arena, &mut charge).inspect_err(|_| low.free())?;
            let slot = |at: usize| match slots[at & (slots.len() - 1)] {
                slot if !ptr::eq(slot.owned, full) => slot,
                _ => [low, high][at >> depth & 1],
            };
            let freed = |_: &Error| [low, high].into_iter().for_each(DirSlot::free);
            Directory::try_new(len, Buckets::span(before), arena, &mut charge, slot).inspect_err(freed)?
        };
        Ok(Reshape { directory, replaced: (old, [full, ptr::null_mut()]) })
    }

    /// Less room for entries with this hash, if a smaller shape is two thirds full at most, and there is memory for it:
    /// a segment of half the size, or one in place of two.
    ///
    /// # Safety
    /// As for [`Reshape::larger`].
    pub(super) unsafe fn smaller(old: *mut Directory, hash: u64, bounds: &Bounds) -> Option<Self> {
        // SAFETY: the directory and its segments are alive while the caller is the writer.
        unsafe {
            let slots = Directory::slots(old);
            let (arena, sparse) = (&(*old).arena, Directory::slot(old, hash).owned);
            let (segment, depth) = (&(*sparse).segment, (*sparse).depth);
            if depth == 0 {
                let buckets = segment.bucket_count() / 2;
                let directory = Self::single(arena, bounds, buckets, |buckets| segment.resized(buckets)).ok()?;
                return Some(Reshape { directory, replaced: (old, [sparse, ptr::null_mut()]) });
            }
            // They differ in the last bit that chose between them.
            let buddy = Directory::slot(old, hash ^ 1 << (SLOT + depth - 1)).owned;
            if (*buddy).depth != depth || !segment.may_merge(&(*buddy).segment) {
                return None;
            }
            let is_merged = |slot: &DirSlot| ptr::eq(slot.owned, sparse) || ptr::eq(slot.owned, buddy);
            let is_deepest = |slot: &DirSlot| 1 << slot.depth() == slots.len();
            let halves = !slots.iter().any(|slot| is_deepest(slot) && !is_merged(slot)) && 1 << depth == slots.len();
            let len = if halves { slots.len() / 2 } else { slots.len() };
            let mut charge = Charge::new(arena, OwnedSegment::bytes(BUCKETS) + Directory::bytes(len), bounds).ok()?;
            let merged = segment.merged(&(*buddy).segment).ok()?;
            let merged = OwnedSegment::try_new(merged, depth - 1, arena, &mut charge).ok()?;
            let slot = |at: usize| if is_merged(&slots[at]) { merged } else { slots[at] };
            let directory = Directory::try_new(len, Buckets::span(BUCKETS), arena, &mut charge, slot);
            let directory = directory.inspect_err(|_| merged.free()).ok()?;
            Some(Reshape { directory, replaced: (old, [sparse, buddy]) })
        }
    }

    /// Publishes the directory with `publish`, and retires what it replaces.
    ///
    /// # Safety
    /// After `publish`, lookups use this directory. The caller is the table's writer.
    pub(super) unsafe fn publish(self, publish: impl FnOnce(*mut Directory)) {
        publish(self.directory);
        let (old, segments) = self.replaced;
        // SAFETY: new readers cannot find these; their entries are in the new segments. All begin with their part.
        unsafe {
            for segment in segments.into_iter().filter_map(NonNull::new) {
                let bytes = Segment::bytes(segment.as_ref().segment.bucket_count()) as u64;
                retire_part(segment.cast(), bytes, u64::MAX, OwnedSegment::free);
            }
            if let Some(old) = NonNull::new(old) {
                retire_part(old.cast(), Directory::bytes(Directory::len(old.as_ptr())), u64::MAX, Directory::free);
            }
        }
    }
}
