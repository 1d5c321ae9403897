//! The directory of a table: the lowest bits of a hash choose a segment.
//!
//! This is extendible hashing. Several slots may lead to one segment, whose depth is then lower than the directory's. A
//! directory never changes: `reshape.rs` makes a new one, which a store of one word publishes.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;

use super::arena::Arena;
use super::bucket::Bucket;
use super::closing::DetachedChunks;
use super::hash::prepare;
use super::part::{Part, retire_part};
use super::segment::{Buckets, Segment};
use crate::epoch::{HazardSet, RetireList};
use crate::error::{Error, Result};
use crate::memory::{Bounds, Exceeded, heap_bytes};
use crate::sync::{TryArc, try_box};

/// The number of buckets of a segment of maximum size.
pub(super) const BUCKETS: usize = if cfg!(shuttle) { 2 } else { 1024 };

/// A segment and its depth: the number of low hash bits that all its entries share.
#[repr(C)]
pub(super) struct OwnedSegment {
    part: Part,
    pub(super) depth: u32,
    pub(super) segment: Segment,
    arena: TryArc<Arena>,
}

/// A slot of a directory, which leads to a segment.
#[derive(Clone, Copy)]
pub(super) struct DirSlot {
    /// The segment's buckets, which readers use without access to `owned`.
    buckets: *const Bucket,
    pub(super) owned: *mut OwnedSegment,
}

/// The lowest bit of a hash that chooses a slot. The hash masked with `span` is the slot's offset in bytes.
pub(super) const SLOT: u32 = size_of::<DirSlot>().ilog2();

impl DirSlot {
    /// The segment.
    ///
    /// # Safety
    /// It is alive for `'s`.
    pub(super) unsafe fn segment<'s>(self) -> &'s Segment {
        // SAFETY: the caller's promise.
        unsafe { &(*self.owned).segment }
    }

    /// The segment's depth.
    ///
    /// # Safety
    /// The segment is alive.
    pub(super) unsafe fn depth(self) -> u32 {
        // SAFETY: the caller's promise; the depth never changes.
        unsafe { (*self.owned).depth }
    }

    /// Frees a segment that was never published.
    pub(super) fn free(self) {
        // SAFETY: it was boxed by `try_new`, and no other thread has it.
        drop(unsafe { Box::from_raw(self.owned) });
    }
}

impl OwnedSegment {
    pub(super) fn bytes(buckets: usize) -> u64 {
        heap_bytes(size_of::<OwnedSegment>()) + Segment::charge(buckets)
    }

    pub(super) fn try_new(segment: Segment, depth: u32, arena: &TryArc<Arena>, charge: &mut Charge) -> Result<DirSlot> {
        let (buckets, bytes) = (segment.buckets().as_ptr(), Self::bytes(segment.bucket_count()));
        // Before it is boxed: a segment that is dropped takes its bytes off the account.
        charge.hand_over(bytes);
        let owned = try_box(OwnedSegment { part: Part::NEW, depth, segment, arena: arena.clone() })?;
        Ok(DirSlot { buckets, owned: Box::into_raw(owned) })
    }

    /// Frees a segment whose entries were moved to other segments.
    pub(super) unsafe fn free(part: NonNull<Part>, _hazards: &HazardSet, _left: &mut RetireList) {
        // SAFETY: the part is the first field of a boxed segment that no reader can reach.
        drop(unsafe { Box::from_raw(part.cast::<OwnedSegment>().as_ptr()) });
    }
}

impl Drop for OwnedSegment {
    fn drop(&mut self) {
        self.arena.account.shrink(Self::bytes(self.segment.bucket_count()));
    }
}

/// All segments of a table. It never changes; a new shape replaces it. Its slots follow in the same block.
#[repr(C)]
pub(super) struct Directory {
    part: Part,
    /// The byte offset of the last slot, a mask for offsets.
    span: u32,
    /// The byte offset of the last bucket of a segment; all segments have the same size.
    bucket_span: u32,
    pub(super) arena: TryArc<Arena>,
    /// The memory of its entries, once it has left the table.
    chunks: DetachedChunks,
    slots: [DirSlot; 0],
}

impl Directory {
    fn layout(slots: usize) -> Layout {
        let slots = Layout::array::<DirSlot>(slots).unwrap_or(Layout::new::<DirSlot>());
        Layout::new::<Directory>().extend(slots).map_or(slots, |(layout, _)| layout)
    }

    /// The bytes of a directory, and the fixed overhead of a table with entries.
    pub(super) fn bytes(slots: usize) -> u64 {
        heap_bytes(Self::layout(slots).size()) + Arena::bytes()
    }

    pub(super) fn try_new(
        slots: usize,
        bucket_span: u32,
        arena: &TryArc<Arena>,
        charge: &mut Charge,
        slot: impl Fn(usize) -> DirSlot,
    ) -> Result<*mut Self> {
        let layout = Self::layout(slots);
        // No memory has 2^28 segments.
        let span = u32::try_from((slots - 1) * size_of::<DirSlot>()).map_err(|_| Error::OutOfMemory(layout.size()))?;
        // Lookups hash without checking that there are secrets.
        prepare();
        // SAFETY: the layout is not empty.
        let directory = unsafe { alloc(layout) }.cast::<Directory>();
        if directory.is_null() {
            return Err(Error::OutOfMemory(layout.size()));
        }
        charge.hand_over(Self::bytes(slots));
        // SAFETY: the new block has room for the directory and this many slots after it.
        unsafe {
            directory.write(Directory {
                part: Part::NEW,
                span,
                bucket_span,
                arena: arena.clone(),
                chunks: DetachedChunks::NONE,
                slots: [],
            });
            let first = (&raw mut (*directory).slots).cast::<DirSlot>();
            (0..slots).for_each(|at| first.add(at).write(slot(at)));
        }
        Ok(directory)
    }

    /// The slot for a hash.
    ///
    /// # Safety
    /// The directory is alive.
    #[inline(always)]
    pub(super) unsafe fn slot(directory: *mut Self, hash: u64) -> DirSlot {
        // SAFETY: the caller's promise; the span keeps the offset inside.
        unsafe {
            *(&raw const (*directory).slots).byte_add((hash as u32 & (*directory).span) as usize).cast::<DirSlot>()
        }
    }

    /// The buckets for a hash.
    ///
    /// # Safety
    /// The directory is alive.
    #[inline(always)]
    pub(super) unsafe fn buckets(directory: *mut Self, hash: u64) -> Buckets {
        // SAFETY: the caller's promise.
        unsafe { Buckets { first: Self::slot(directory, hash).buckets, span: (*directory).bucket_span } }
    }

    /// # Safety
    /// The directory is alive.
    pub(super) unsafe fn len(directory: *mut Self) -> usize {
        // SAFETY: the caller's promise.
        unsafe { (*directory).span as usize / size_of::<DirSlot>() + 1 }
    }

    /// # Safety
    /// The directory is alive for `'s`.
    pub(super) unsafe fn slots<'s>(directory: *mut Self) -> &'s [DirSlot] {
        // SAFETY: the caller's promise; this many slots follow.
        unsafe { std::slice::from_raw_parts((&raw const (*directory).slots).cast(), Self::len(directory)) }
    }

    /// The slots of distinct segments: for each segment the first slot that leads to it, in descending order. So each
    /// segment may be freed when it is returned.
    ///
    /// # Safety
    /// The directory and its segments are alive for `'s`.
    pub(super) unsafe fn distinct<'s>(directory: *mut Self) -> impl Iterator<Item = DirSlot> + 's {
        // SAFETY: the caller's promise.
        let slots = unsafe { Self::slots(directory) };
        // SAFETY: as above.
        let is_first = |(at, slot): &(usize, &DirSlot)| at >> unsafe { (*slot.owned).depth } == 0;
        slots.iter().enumerate().rev().filter(is_first).map(|(_, slot)| *slot)
    }

    /// Sets the memory of its entries, once it has left the table.
    ///
    /// # Safety
    /// Only the caller uses this field: the directory has left its table, and readers do not read the field.
    pub(super) unsafe fn set_chunks(directory: *mut Self, chunks: DetachedChunks) {
        // SAFETY: the caller's promise.
        unsafe { (*directory).chunks = chunks };
    }

    /// Retires a directory with its segments and their entries.
    ///
    /// # Safety
    /// New readers cannot find the directory, its segments and their entries.
    pub(super) unsafe fn retire_with_entries(directory: NonNull<Self>) {
        // SAFETY: the caller's promise; the part is its first field.
        unsafe {
            let bytes = (*directory.as_ptr()).chunks.bytes();
            retire_part(directory.cast(), bytes, u64::MAX, Self::free_with_entries);
        }
    }

    /// Frees a directory whose segments are in a new directory.
    pub(super) unsafe fn free(part: NonNull<Part>, _hazards: &HazardSet, _left: &mut RetireList) {
        let directory = part.cast::<Directory>().as_ptr();
        // SAFETY: the part is the first field of a directory that no reader can reach.
        unsafe {
            let slots = Self::len(directory);
            let arena = (*directory).arena.clone();
            directory.drop_in_place();
            dealloc(directory.cast(), Self::layout(slots));
            arena.account.shrink(Self::bytes(slots));
        }
    }

    /// Frees a directory with its segments and their entries.
    unsafe fn free_with_entries(part: NonNull<Part>, hazards: &HazardSet, left: &mut RetireList) {
        let directory = part.cast::<Directory>().as_ptr();
        // SAFETY: no reader can reach the directory, its segments and their entries.
        unsafe {
            Self::distinct(directory).for_each(DirSlot::free);
            let chunks = std::mem::replace(&mut (*directory).chunks, DetachedChunks::NONE);
            chunks.free(hazards, left);
            Self::free(part, hazards, left);
        }
    }
}

/// Bytes that are on an account for parts that are being made.
pub(super) struct Charge<'a> {
    arena: &'a Arena,
    bytes: u64,
}

impl<'a> Charge<'a> {
    pub(super) fn new(arena: &'a Arena, bytes: u64, bounds: &Bounds) -> std::result::Result<Self, Exceeded> {
        arena.account.grow(bytes, bounds)?;
        Ok(Charge { arena, bytes })
    }

    /// Leaves `bytes` to a part that was made: it takes them off the account when it is freed.
    fn hand_over(&mut self, bytes: u64) {
        self.bytes -= bytes;
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.arena.account.shrink(self.bytes);
    }
}
