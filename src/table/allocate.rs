//! New blocks: a hole of the right size, or carved from the newest chunk, or cut from a larger hole, or in a new chunk.
//!
//! Growth by a chunk is the only place where limits are checked, so an insertion into existing chunks never asks for
//! them.

use std::ptr::NonNull;

use super::arena::{Arena, CHUNK_HEADER, Chunk, Chunks, LAST_CHUNK};
use super::chunk_memory::{self, PAGED};
use super::header::{Header, SMALLEST};
use super::holes::Holes;
use super::size_class::{LARGEST, UNIT, size_class};
use crate::epoch::{BiasedGuard, Participant};
use crate::error::{Error, Result};
use crate::memory::{Bounds, Exceeded};
use crate::sync::TryArc;
use crate::sync::atomic::Ordering;

/// The size of an arena's first chunk: many caches have a single entry.
const FIRST_CHUNK: usize = if cfg!(shuttle) { LAST_CHUNK } else { 128 };

/// The size of the smallest chunk after it.
const SECOND_CHUNK: usize = if cfg!(shuttle) { LAST_CHUNK } else { 256 };

/// The largest part of a table's `max_bytes` that one chunk may take: what is closed and not yet freed is of no use.
pub(super) const PART_OF_MAX: u64 = 32;

/// Below this `max_bytes` chunks are a larger part: n chunks waste their headers and about one chunk, so the least is
/// wasted if a chunk is the square root of `WASTE` times `max_bytes`.
const SMALL: u64 = WASTE * PART_OF_MAX * PART_OF_MAX;
const WASTE: u64 = CHUNK_HEADER as u64;

/// Why there is no memory for a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Short {
    /// A bound would be exceeded.
    Exceeded(Exceeded),
    /// The allocation of this many bytes failed.
    Failed(usize),
}

impl From<Exceeded> for Short {
    fn from(exceeded: Exceeded) -> Self {
        Short::Exceeded(exceeded)
    }
}

impl From<Error> for Short {
    fn from(error: Error) -> Self {
        match error {
            Error::OutOfMemory(bytes) => Short::Failed(bytes),
            _ => Short::Failed(0),
        }
    }
}

impl Arena {
    /// A block of this many bytes, with a share in its chunk if `counted`. `begin` writes the header before another
    /// thread can see the block; it gets the block's distance from its chunk, in units. If `owes`, a block that is
    /// carved under pressure, or takes one of the last holes, must be paid for by evicting as many bytes.
    pub(super) fn block(
        arena: &TryArc<Arena>,
        bytes: usize,
        counted: bool,
        bounds: &Bounds,
        owes: bool,
        begin: impl FnOnce(NonNull<Header>, u16),
    ) -> std::result::Result<NonNull<Header>, Short> {
        if bytes > LARGEST {
            return Self::single(arena, bytes, counted, bounds, begin);
        }
        let (size, class) = size_class(bytes.max(SMALLEST));
        let mut chunks = arena.chunks.lock();
        let taken = loop {
            if let Some(taken) = chunks.take(size, class) {
                break taken;
            }
            drop(chunks);
            // Without the lock, because growing may collect retired entries, whose blocks come back here.
            chunks = Self::grow(arena, size, bounds)?;
        };
        Ok(arena.hand_out(&chunks, taken, size, counted, bounds, owes, begin))
    }

    /// As [`Arena::block`] with `owes`; None if that would make a chunk.
    #[inline(always)]
    pub(super) fn block_at_once(
        &self,
        thread: &'static Participant,
        bytes: usize,
        counted: bool,
        bounds: &Bounds,
        begin: impl FnOnce(NonNull<Header>, u16),
    ) -> Option<NonNull<Header>> {
        if bytes > LARGEST {
            return None;
        }
        let (size, class) = size_class(bytes.max(SMALLEST));
        let mut chunks = self.chunks.lock_by(Some(thread));
        let taken = chunks.take(size, class)?;
        Some(self.hand_out(&chunks, taken, size, counted, bounds, true, begin))
    }

    /// Makes what was taken from a chunk a block.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the second half of two functions")]
    fn hand_out(
        &self,
        chunks: &Chunks,
        (block, carved): (NonNull<Header>, bool),
        size: usize,
        counted: bool,
        bounds: &Bounds,
        owes: bool,
        begin: impl FnOnce(NonNull<Header>, u16),
    ) -> NonNull<Header> {
        // SAFETY: a block that was a hole has a header, and its chunk is in the list, so it is alive.
        let chunk = if carved { chunks.carving } else { unsafe { Chunk::of(block) } };
        if counted {
            // SAFETY: as above.
            unsafe { Chunk::share(chunk) };
        }
        begin(block, Chunk::units(chunk, block));
        if carved {
            self.publish_room(chunks)
        } else {
            self.publish(chunks)
        }
        let owes = owes && (carved || self.uses_last_holes(size, bounds));
        if owes && self.evicts_now(bounds) && self.owed() < LAST_CHUNK as u64 {
            self.owed.fetch_add(size as u32, Ordering::Relaxed);
        }
        block
    }

    /// A block that belongs to no table, in a chunk of its own.
    pub(super) fn block_outside(bytes: usize, begin: impl FnOnce(NonNull<Header>, u16)) -> Result<NonNull<Header>> {
        if bytes > isize::MAX as usize - (1 << 20) {
            return Err(Error::OutOfMemory(bytes));
        }
        let chunk = Chunk::new(None, Chunk::size_for(bytes), true);
        if chunk.is_null() {
            return Err(Error::OutOfMemory(bytes));
        }
        // SAFETY: no other thread knows the chunk yet.
        let block = unsafe { Chunk::carve(chunk, bytes) }.ok_or(Error::OutOfMemory(bytes))?;
        begin(block, Chunk::units(chunk, block));
        Ok(block)
    }

    /// A block in a chunk of its own.
    fn single(
        arena: &TryArc<Arena>,
        bytes: usize,
        counted: bool,
        bounds: &Bounds,
        begin: impl FnOnce(NonNull<Header>, u16),
    ) -> std::result::Result<NonNull<Header>, Short> {
        if bytes > isize::MAX as usize - (1 << 20) {
            return Err(Short::Failed(bytes));
        }
        let chunk = Self::new_chunk(arena, Chunk::size_for(bytes), true, bounds)?;
        // SAFETY: no other thread knows the chunk yet.
        unsafe {
            let block = Chunk::carve(chunk, bytes).ok_or(Short::Failed(bytes))?;
            if counted {
                Chunk::share(chunk);
            }
            begin(block, Chunk::units(chunk, block));
            arena.chunks.lock().link(chunk);
            Ok(block)
        }
    }

    /// Makes the chunk of a large entry outside tables part of this arena, if it wastes little; returns whether it did.
    ///
    /// # Safety
    /// The entry is large, its chunk belongs to no table, and the caller is the only owner.
    pub(super) unsafe fn adopt(
        arena: &TryArc<Arena>,
        entry: NonNull<Header>,
        bytes: usize,
        bounds: &Bounds,
    ) -> std::result::Result<bool, Short> {
        // SAFETY: the caller's promise.
        unsafe {
            let chunk = Chunk::of(entry);
            let size = (*chunk).size;
            if size - size / 8 > Chunk::size_for(bytes) {
                return Ok(false);
            }
            arena.account.grow(chunk_memory::charge(size), bounds)?;
            (*chunk).arena = Some(arena.clone());
            Chunk::share(chunk);
            arena.chunks.lock().link(chunk);
        }
        Ok(true)
    }

    /// Adds a chunk from which a block of this size can be carved.
    #[cold]
    #[inline(never)]
    fn grow<'a>(
        arena: &'a TryArc<Arena>,
        size: usize,
        bounds: &Bounds,
    ) -> std::result::Result<BiasedGuard<'a, Chunks>, Short> {
        let usual = arena.usual_chunk(bounds);
        if bounds.evicts_at_limit && arena.is_pressed() {
            arena.note_pressure(bounds);
            let mut chunks = arena.chunks.lock();
            if let Some(chunk) = chunks.take_spare(size) {
                // SAFETY: a spare chunk is alive, and in no list.
                unsafe {
                    chunks.link(chunk);
                    chunks.carve_from(chunk);
                }
                arena.publish(&chunks);
                return Ok(chunks);
            }
        }
        // A smaller chunk if only that fits below the bound.
        let wanted = (usual as u64).min(chunk_memory::largest(bounds.max_bytes.saturating_sub(arena.account.bytes())));
        let wanted = (wanted as usize).max(FIRST_CHUNK);
        let chunk = Self::new_chunk(arena, chunk_for(size, wanted), false, bounds).or_else(|short| {
            // A smaller one may still be within the process's limit, or be found by the allocator.
            let smaller = (wanted / 4).max(FIRST_CHUNK);
            if chunk_for(size, smaller) < chunk_for(size, wanted)
                && let Ok(chunk) = Self::new_chunk(arena, chunk_for(size, smaller), false, bounds)
            {
                return Ok(chunk);
            }
            if short != Short::Exceeded(Exceeded::Memory) || !bounds.evicts_at_limit || arena.is_pressed() {
                return Err(short);
            }
            // The process has reached its limit before this arena came under pressure. To evict without losing what is
            // worth keeping, it needs one chunk more.
            Self::new_chunk(arena, chunk_for(size, wanted), false, &bounds.beyond())
        })?;
        arena.note_pressure(bounds);
        let mut chunks = arena.chunks.lock();
        // SAFETY: the chunk is new, and holes are alive.
        unsafe {
            let wants_lists = usual >= PAGED && !chunks.holes.has_lists();
            if wants_lists && arena.account.grow(Holes::bytes(), bounds).is_ok() && !chunks.holes.add_lists() {
                arena.account.shrink(Holes::bytes());
            }
            chunks.link(chunk);
            chunks.carve_from(chunk);
        }
        arena.publish(&chunks);
        Ok(chunks)
    }

    /// Notes whether the process has room for another chunk.
    fn note_pressure(&self, bounds: &Bounds) {
        if bounds.evicts_at_limit {
            let usual = self.usual_chunk(bounds) as u64;
            self.pressed.store(!self.account.has_room(usual, bounds), Ordering::Relaxed);
        }
    }

    /// The room that an evicting table leaves for the survivors of a chunk, and for what is stored meanwhile.
    pub(super) fn survivors(&self, bounds: &Bounds) -> u64 {
        let quarters = if bounds.max_bytes < SMALL { 3 } else { 5 };
        self.usual_chunk(bounds) as u64 / 4 * quarters
    }

    /// Whether the holes are all that is left for blocks of this size, and little: pins keep chunks from being freed as
    /// a whole.
    fn uses_last_holes(&self, size: usize, bounds: &Bounds) -> bool {
        (self.uncarved.load(Ordering::Relaxed) as usize) < size && self.room() < self.survivors(bounds)
    }

    /// Whether a block that is carved must be paid for by evicting as many bytes.
    #[inline(always)]
    fn evicts_now(&self, bounds: &Bounds) -> bool {
        (self.is_pressed() || bounds.evicts_at_max) && self.is_behind(self.survivors(bounds), bounds)
    }

    /// Whether a new block of this many bytes would make the table evict others, now or soon.
    pub(super) fn would_evict(&self, bytes: u64, bounds: &Bounds) -> bool {
        self.note_pressure(bounds);
        let soon = self.survivors(bounds).saturating_add(4 * bytes);
        self.is_pressed()
            || bounds.evicts_at_max && (self.is_behind(soon, bounds) || !self.account.fits(bytes, bounds.max_bytes))
            || bounds.evicts_at_limit && !self.account.has_room(bytes, bounds)
    }

    /// Whether `bytes` cannot be carved before `max_bytes` or the process's limit is reached.
    pub(super) fn is_behind(&self, bytes: u64, bounds: &Bounds) -> bool {
        let usual = self.usual_chunk(bounds) as u64;
        // Less than half of a chunk is not worth one.
        let left = bounds.max_bytes.saturating_sub(self.account.bytes());
        let left = match self.is_pressed() {
            // If it evicted while it has spare chunks, it would keep ever fewer entries, and ever more of those.
            true if self.account.is_little() => self.spare.load(Ordering::Relaxed).into(),
            true => 0,
            false if left < usual / 2 => 0,
            false => left,
        };
        left.saturating_add(self.uncarved.load(Ordering::Relaxed).into()) < bytes
    }

    /// The size of the next chunk: a quarter of what is live up to a page, then a sixteenth.
    fn usual_chunk(&self, bounds: &Bounds) -> usize {
        let live = self.live.load(Ordering::Relaxed);
        if live == 0 {
            return FIRST_CHUNK;
        }
        let size = (live / 4).min(PAGED as u64).max(live / 16).min(most_of(bounds.max_bytes));
        let size = (size as usize).clamp(SECOND_CHUNK, LAST_CHUNK);
        // Runs of pages of a few sizes are used again.
        if size < PAGED { size & !(UNIT - 1) } else { 1 << size.ilog2() }
    }

    fn new_chunk(
        arena: &TryArc<Arena>,
        size: usize,
        single: bool,
        bounds: &Bounds,
    ) -> std::result::Result<*mut Chunk, Short> {
        let new = || {
            let chunk = Chunk::new(Some(arena.clone()), size, single);
            (!chunk.is_null()).then_some(chunk)
        };
        arena.account.grow_with(chunk_memory::charge(size), bounds, new)?.ok_or(Short::Failed(size))
    }
}

/// The size of the largest chunk of a table with this `max_bytes`.
fn most_of(max_bytes: u64) -> u64 {
    if max_bytes < SMALL { (max_bytes * WASTE).isqrt() } else { max_bytes / PART_OF_MAX }
}

/// The size of a chunk for blocks of this size, if a chunk usually has `usual` bytes: without a rest that is too small
/// for another large block.
fn chunk_for(block: usize, usual: usize) -> usize {
    let room = if usual < PAGED { usual.saturating_sub(CHUNK_HEADER) } else { usual };
    chunk_memory::round(if block > usual / 8 { CHUNK_HEADER + block * (room / block).max(1) } else { usual })
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_of_pages_consists_of_whole_pages() {
        // Not only the usual sizes: a table that is nearly full makes smaller chunks.
        for usual in (FIRST_CHUNK..=LAST_CHUNK).step_by(16) {
            for block in [SMALLEST, 160, 640, 5120, LARGEST] {
                let size = chunk_for(block, usual);
                assert!(
                    size >= CHUNK_HEADER + block && size < usual + block + 2 * PAGED,
                    "{size} for {usual}, {block}"
                );
                assert!(size < PAGED || size.is_multiple_of(PAGED), "{size} for {usual}, {block}");
            }
        }
    }
}
