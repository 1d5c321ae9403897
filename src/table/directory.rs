//! The directory of a table: the lowest bits of a hash choose a segment.
//!
//! This is extendible hashing. Several slots may lead to one segment, whose depth is then lower than the directory's. A
//! directory never changes: growing makes a new one, which a store of one word publishes.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::{self, NonNull};

use rapidhash::v3::RapidSecrets;

use super::allocate::Short;
use super::arena::Arena;
use super::bucket::Bucket;
use super::closing::DetachedChunks;
use super::hash::secrets;
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
    depth: u32,
    pub(super) segment: Segment,
    arena: TryArc<Arena>,
}

/// A slot of a directory, which leads to a segment.
#[derive(Clone, Copy)]
pub(super) struct DirSlot {
    /// The segment's buckets, which readers use without access to `owned`.
    buckets: *const Bucket,
    owned: *mut OwnedSegment,
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
    fn free(self) {
        // SAFETY: it was boxed by `try_new`, and no other thread has it.
        drop(unsafe { Box::from_raw(self.owned) });
    }
}

impl OwnedSegment {
    fn bytes(buckets: usize) -> u64 {
        heap_bytes(size_of::<OwnedSegment>()) + Segment::charge(buckets)
    }

    fn try_new(segment: Segment, depth: u32, arena: &TryArc<Arena>, charge: &mut Charge) -> Result<DirSlot> {
        let (buckets, bytes) = (segment.buckets().as_ptr(), Self::bytes(segment.bucket_count()));
        // Before it is boxed: a segment that is dropped takes its bytes off the account.
        charge.hand_over(bytes);
        let owned = try_box(OwnedSegment { part: Part::NEW, depth, segment, arena: arena.clone() })?;
        Ok(DirSlot { buckets, owned: Box::into_raw(owned) })
    }

    /// Frees a segment whose entries were moved to other segments.
    unsafe fn free(part: NonNull<Part>, _hazards: &HazardSet, _left: &mut RetireList) {
        // SAFETY: the part is the first field of a boxed segment that no reader can reach.
        drop(unsafe { Box::from_raw(part.cast::<OwnedSegment>().as_ptr()) });
    }
}

impl Drop for OwnedSegment {
    fn drop(&mut self) {
        self.arena.account.shrink(Self::bytes(self.segment.bucket_count()));
    }
}

/// All segments of a table. It never changes; growing replaces it. Its slots follow in the same block.
#[repr(C)]
pub(super) struct Directory {
    part: Part,
    /// The byte offset of the last slot, a mask for offsets.
    span: usize,
    /// The byte offset of the last bucket of a segment; all segments have the same size.
    bucket_span: usize,
    /// The secrets of the hash, here so that a lookup need not check that they are initialized.
    secrets: &'static RapidSecrets,
    arena: TryArc<Arena>,
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
    fn bytes(slots: usize) -> u64 {
        heap_bytes(Self::layout(slots).size()) + Arena::bytes()
    }

    fn try_new(
        slots: usize,
        bucket_span: usize,
        arena: &TryArc<Arena>,
        charge: &mut Charge,
        slot: impl Fn(usize) -> DirSlot,
    ) -> Result<*mut Self> {
        let layout = Self::layout(slots);
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
                span: (slots - 1) * size_of::<DirSlot>(),
                bucket_span,
                secrets: secrets(),
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
        unsafe { *(&raw const (*directory).slots).byte_add(hash as usize & (*directory).span).cast::<DirSlot>() }
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

    /// The secrets of the hash.
    ///
    /// # Safety
    /// The directory is alive.
    #[inline(always)]
    pub(super) unsafe fn secrets(directory: *mut Self) -> &'static RapidSecrets {
        // SAFETY: the caller's promise.
        unsafe { (*directory).secrets }
    }

    /// # Safety
    /// The directory is alive.
    unsafe fn len(directory: *mut Self) -> usize {
        // SAFETY: the caller's promise.
        unsafe { (*directory).span / size_of::<DirSlot>() + 1 }
    }

    /// # Safety
    /// The directory is alive for `'s`.
    unsafe fn slots<'s>(directory: *mut Self) -> &'s [DirSlot] {
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
            retire_part(directory.cast(), bytes, Self::free_with_entries);
        }
    }

    /// Frees a directory whose segments are in a new directory.
    unsafe fn free(part: NonNull<Part>, _hazards: &HazardSet, _left: &mut RetireList) {
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
struct Charge<'a> {
    arena: &'a Arena,
    bytes: u64,
}

impl<'a> Charge<'a> {
    fn new(arena: &'a Arena, bytes: u64, bounds: &Bounds) -> std::result::Result<Self, Exceeded> {
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

/// A new directory with room for one more entry, before it is published.
pub(super) struct Growth {
    directory: *mut Directory,
    /// The old directory and its full segment.
    replaced: Option<(*mut Directory, *mut OwnedSegment)>,
}

impl Growth {
    /// The first directory of a table.
    pub(super) fn first(arena: &TryArc<Arena>, bounds: &Bounds) -> std::result::Result<Self, Short> {
        let mut charge = Charge::new(arena, OwnedSegment::bytes(1) + Directory::bytes(1), bounds)?;
        let slot = OwnedSegment::try_new(Segment::try_new(1)?, 0, arena, &mut charge)?;
        let directory = Directory::try_new(1, 0, arena, &mut charge, |_| slot).inspect_err(|_| slot.free())?;
        Ok(Growth { directory, replaced: None })
    }

    /// A directory in which a larger segment, or two, replace the full one for `hash`.
    ///
    /// # Safety
    /// `old` is the table's directory, and the caller the table's writer.
    pub(super) unsafe fn of(old: *mut Directory, hash: u64, bounds: &Bounds) -> std::result::Result<Self, Short> {
        // SAFETY: the directory is alive while the caller is the writer.
        let (slots, arena, full) = unsafe { (Directory::slots(old), &(*old).arena, Directory::slot(old, hash).owned) };
        // SAFETY: as above.
        let (segment, depth) = unsafe { (&(*full).segment, (*full).depth) };
        let before = segment.bucket_count();
        let directory = if before < BUCKETS {
            let buckets = before * 2;
            let mut charge = Charge::new(arena, OwnedSegment::bytes(buckets) + Directory::bytes(1), bounds)?;
            let slot = OwnedSegment::try_new(segment.grown()?, 0, arena, &mut charge)?;
            let span = Buckets::span(buckets);
            Directory::try_new(1, span, arena, &mut charge, |_| slot).inspect_err(|_| slot.free())?
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
        Ok(Growth { directory, replaced: Some((old, full)) })
    }

    /// Publishes the directory with `publish`, and retires the old directory and segment.
    ///
    /// # Safety
    /// After `publish`, lookups use this directory. The caller is the table's writer.
    pub(super) unsafe fn publish(self, publish: impl FnOnce(*mut Directory)) {
        publish(self.directory);
        let Some((old, full)) = self.replaced else { return };
        // SAFETY: new readers cannot find these; their entries are in the new segments. Both begin with their part.
        unsafe {
            let bytes = Segment::bytes((*full).segment.bucket_count()) as u64;
            retire_part(NonNull::new_unchecked(full.cast()), bytes, OwnedSegment::free);
            let bytes = Directory::bytes(Directory::len(old));
            retire_part(NonNull::new_unchecked(old.cast()), bytes, Directory::free);
        }
    }
}
