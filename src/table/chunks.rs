//! The chunks of an arena: a list, oldest first, and the room in them, which is holes and the unused part of one chunk.
//!
//! The arena's lock guards all of it.

use std::ptr::{self, NonNull};

use super::arena::{CHUNK_HEADER, CURSOR, Chunk, ChunkList, Chunks, LAST_CHUNK};
use super::chunk_memory::PAGED;
use super::header::{HOLE, Header, SMALLEST, block_size};
use super::size_class::UNIT;
use crate::sync::atomic::Ordering;

impl Chunks {
    /// Adds a chunk as the youngest one.
    ///
    /// # Safety
    /// The chunk is alive, and in no list; the list gets its share.
    pub(super) unsafe fn link(&mut self, chunk: *mut Chunk) {
        // SAFETY: the caller's promise; chunks in the list are alive.
        unsafe {
            let of_heap = (*chunk).size < PAGED;
            let previous = if of_heap { self.list.last_of_heap } else { self.list.last };
            let next = match previous.is_null() {
                true => self.list.first,
                false => (*previous).next,
            };
            ((*chunk).previous, (*chunk).next) = (previous, next);
            *self.next_of(previous) = chunk;
            *self.previous_of(next) = chunk;
            if of_heap {
                self.list.last_of_heap = chunk;
            }
            // Pairs with the Acquire of `admits_entry`.
            (*chunk).list.store(self.id, Ordering::Release);
            (*chunk).age = self.linked;
            self.linked = self.linked.wrapping_add(1);
            self.bytes += if (*chunk).single { 0 } else { (*chunk).size };
            self.hole_bytes += (*chunk).holes as usize;
        }
    }

    /// The oldest chunk, or null.
    pub(super) fn oldest(&self) -> *mut Chunk {
        let ChunkList { first, last_of_heap, .. } = self.list;
        if last_of_heap.is_null() {
            return first;
        }
        // SAFETY: chunks in the list are alive.
        unsafe {
            let paged = (*last_of_heap).next;
            let since = |chunk: *mut Chunk| self.linked.wrapping_sub((*chunk).age);
            if !paged.is_null() && since(paged) > since(first) { paged } else { first }
        }
    }

    /// Takes a chunk out of the list. The caller gets its share.
    ///
    /// # Safety
    /// The chunk is in this list, and its holes are on no list.
    pub(super) unsafe fn unlink(&mut self, chunk: *mut Chunk) {
        // SAFETY: the caller's promise; chunks in the list are alive.
        unsafe {
            let (previous, next) = ((*chunk).previous, (*chunk).next);
            *self.next_of(previous) = next;
            *self.previous_of(next) = previous;
            if self.list.last_of_heap == chunk {
                self.list.last_of_heap = previous;
            }
            if self.cursor == chunk {
                (self.cursor, self.cursor_units) = (next, CURSOR);
            }
            if self.carving == chunk {
                self.carving = ptr::null_mut();
            }
            (*chunk).list.store(0, Ordering::Relaxed);
            self.bytes -= if (*chunk).single { 0 } else { (*chunk).size };
            self.hole_bytes -= (*chunk).holes as usize;
        }
    }

    /// The field that points to the chunk after this one; for null, the start of the list.
    ///
    /// # Safety
    /// The chunk is in this list, or null.
    unsafe fn next_of(&mut self, chunk: *mut Chunk) -> *mut *mut Chunk {
        // SAFETY: the caller's promise.
        if chunk.is_null() { &raw mut self.list.first } else { unsafe { &raw mut (*chunk).next } }
    }

    /// The field that points to the chunk before this one; for null, the end of the list.
    ///
    /// # Safety
    /// The chunk is in this list, or null.
    unsafe fn previous_of(&mut self, chunk: *mut Chunk) -> *mut *mut Chunk {
        // SAFETY: the caller's promise.
        if chunk.is_null() { &raw mut self.list.last } else { unsafe { &raw mut (*chunk).previous } }
    }

    /// A block of this class, if the chunks have one, and whether it was carved.
    #[inline(always)]
    pub(super) fn take(&mut self, size: usize, class: usize) -> Option<(NonNull<Header>, bool)> {
        if self.holes.may_have(class)
            && let Some(hole) = self.take_hole(size, class)
        {
            return Some((hole, false));
        }
        if !self.carving.is_null() {
            // SAFETY: chunks in the list are alive, and the lock is held.
            if let Some(block) = unsafe { Chunk::carve(self.carving, size) } {
                return Some((block, true));
            }
        }
        Some((self.cut_hole(size, class)?, false))
    }

    #[inline(never)]
    fn take_hole(&mut self, size: usize, class: usize) -> Option<NonNull<Header>> {
        if self.hole_bytes < size {
            return None;
        }
        let hole = self.holes.take(size, class)?;
        Some(self.took(hole, size))
    }

    #[inline(never)]
    fn cut_hole(&mut self, size: usize, class: usize) -> Option<NonNull<Header>> {
        if self.hole_bytes < size + SMALLEST {
            return None;
        }
        let hole = self.holes.cut(size, class)?;
        Some(self.took(hole, size))
    }

    /// A spare chunk with room for a block of this size.
    pub(super) fn take_spare(&mut self, block: usize) -> Option<*mut Chunk> {
        let mut link = &raw mut self.spare;
        // SAFETY: spare chunks are alive, and the lock is held.
        unsafe {
            while !(*link).is_null() {
                let chunk = *link;
                if (*chunk).size - CHUNK_HEADER >= block {
                    *link = (*chunk).next;
                    self.spare_bytes -= (*chunk).size as u32;
                    return Some(chunk);
                }
                link = &raw mut (*chunk).next;
            }
        }
        None
    }

    fn took(&mut self, hole: NonNull<Header>, size: usize) -> NonNull<Header> {
        // SAFETY: holes on lists are in chunks of the list.
        unsafe {
            let chunk = Chunk::of(hole);
            (*chunk).holes -= size as u32;
            (*chunk).is_barren.store(false, Ordering::Relaxed);
            self.hole_bytes -= size;
            hole
        }
    }

    /// Makes the unused bytes of the chunk from which blocks are carved holes, and carves from this one instead.
    ///
    /// # Safety
    /// The chunk is in the list, or null.
    pub(super) unsafe fn carve_from(&mut self, chunk: *mut Chunk) {
        let full = std::mem::replace(&mut self.carving, chunk);
        if !full.is_null() {
            // SAFETY: it is in the list.
            unsafe { self.fill(full) };
        }
    }

    /// Makes the unused bytes of a chunk holes.
    ///
    /// # Safety
    /// The chunk is in the list.
    pub(super) unsafe fn fill(&mut self, chunk: *mut Chunk) {
        // SAFETY: the caller's promise. Nothing else uses these bytes.
        unsafe {
            let used = (*chunk).used.load(Ordering::Relaxed);
            let room = ((*chunk).size - used) & !(UNIT - 1);
            if room < SMALLEST {
                return;
            }
            let start = NonNull::new_unchecked(chunk.byte_add(used).cast());
            self.holes.add_room(start, used / UNIT, room);
            (*chunk).used.store(used + room, Ordering::Relaxed);
            (*chunk).holes += room as u32;
            self.hole_bytes += room;
        }
    }

    /// Takes the holes of a chunk off their lists.
    ///
    /// # Safety
    /// The chunk is in the list.
    unsafe fn forget_holes(&mut self, chunk: *mut Chunk) {
        // SAFETY: the caller's promise; the lock is held, so that no block is made or cut.
        unsafe {
            if (*chunk).holes == 0 {
                return;
            }
            Chunk::for_each(chunk, |block| {
                if (*block.as_ptr()).shares.load(Ordering::Relaxed) == HOLE {
                    self.holes.unlink(block, block_size(block));
                }
            });
        }
    }

    /// Whether all blocks of a chunk are holes.
    ///
    /// # Safety
    /// The chunk is in the list.
    pub(super) unsafe fn is_empty(&self, chunk: *mut Chunk) -> bool {
        // SAFETY: the caller's promise.
        unsafe { (*chunk).holes as usize + CHUNK_HEADER == (*chunk).used.load(Ordering::Relaxed) }
    }

    /// Takes a chunk out of the list, with its holes. The caller gets its share.
    ///
    /// # Safety
    /// The chunk is in the list.
    pub(super) unsafe fn close(&mut self, chunk: *mut Chunk) {
        // SAFETY: the caller's promise.
        unsafe {
            self.forget_holes(chunk);
            self.unlink(chunk);
        }
    }

    /// The unused bytes of the chunk from which blocks are carved.
    pub(super) fn uncarved(&self) -> usize {
        let Some(chunk) = NonNull::new(self.carving) else { return 0 };
        // SAFETY: chunks in the list are alive; only fields are read.
        unsafe { (*chunk.as_ptr()).size - (*chunk.as_ptr()).used.load(Ordering::Relaxed) }
    }

    /// Whether it pays to move entries: holes take a fifth of the chunks, and more than the largest chunk. Chunks of
    /// single blocks do not count: they have no holes, and may all leave before the next entry moves.
    pub(super) fn is_sparse(&self) -> bool {
        5 * self.hole_bytes > self.bytes && self.hole_bytes > LAST_CHUNK.min(self.bytes / 4)
    }
}
