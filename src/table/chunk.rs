//! One chunk: a header, then blocks of any size one after the other, each an entry, a draft or a hole.
//!
//! ```text
//! header | block | block | hole | block | … | unused
//! ```
//!
//! A chunk is freed with its last share: the arena has one, or the closed chunk itself, and each counted share in one
//! of its blocks has one. A large entry, and an entry outside tables, has a chunk of its own.

use std::ptr::{self, NonNull};

use super::arena::{Arena, CHUNK_HEADER, Chunk};
use super::chunk_memory;
use super::header::{HOLE, Header, block_size};
use super::size_class::{LARGEST, UNIT, size_class};
use crate::sync::TryArc;
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering, fence};

/// The memory that a block of this many bytes takes.
#[inline(always)]
pub(super) fn weight(bytes: usize) -> u64 {
    if bytes <= LARGEST { size_class(bytes).0 as u64 } else { chunk_memory::charge(Chunk::size_for(bytes)) }
}

impl Chunk {
    /// The size of a chunk for a single block.
    pub(super) fn size_for(block: usize) -> usize {
        chunk_memory::round(block.saturating_add(CHUNK_HEADER))
    }

    /// A chunk of this size that is in no list; null without memory.
    pub(super) fn new(arena: Option<TryArc<Arena>>, size: usize, single: bool) -> *mut Self {
        let chunk = chunk_memory::allocate(size).cast::<Chunk>();
        if !chunk.is_null() {
            // SAFETY: the memory is new, aligned, and larger than a chunk's header.
            unsafe {
                chunk.write(Chunk {
                    previous: ptr::null_mut(),
                    next: ptr::null_mut(),
                    arena,
                    shares: AtomicUsize::new(1),
                    used: AtomicUsize::new(CHUNK_HEADER),
                    size,
                    holes: 0,
                    age: 0,
                    list: AtomicU32::new(0),
                    single,
                    is_kept: false,
                    is_barren: AtomicBool::new(false),
                    is_trimmed: false,
                });
            }
        }
        chunk
    }

    /// Takes a block from the unused bytes.
    ///
    /// # Safety
    /// The chunk is alive. The caller holds the arena's lock, or no other thread knows the chunk.
    #[inline(always)]
    pub(super) unsafe fn carve(chunk: *mut Self, size: usize) -> Option<NonNull<Header>> {
        // SAFETY: the chunk is alive, and only this thread changes `used`.
        unsafe {
            let used = (*chunk).used.load(Ordering::Relaxed);
            if (*chunk).size - used < size {
                return None;
            }
            (*chunk).used.store(used + size, Ordering::Relaxed);
            NonNull::new(chunk.byte_add(used).cast())
        }
    }

    /// The chunk of a block. Block pointers are derived from the chunk's pointer, so their provenance includes the
    /// chunk.
    ///
    /// # Safety
    /// The block is in a chunk that is alive.
    #[inline(always)]
    pub(super) unsafe fn of(block: NonNull<Header>) -> *mut Chunk {
        // SAFETY: the caller's promise; `units` never changes.
        unsafe { block.byte_sub((*block.as_ptr()).units as usize * UNIT).as_ptr().cast() }
    }

    /// A block's distance from its chunk, in units.
    pub(super) fn units(chunk: *mut Self, block: NonNull<Header>) -> u16 {
        ((block.addr().get() - chunk.addr()) / UNIT) as u16
    }

    /// The block at this offset, and the offset of the next one.
    ///
    /// # Safety
    /// The chunk is alive, a block begins there, and no block is cut meanwhile.
    pub(super) unsafe fn block_at(chunk: *mut Self, at: usize) -> Option<(NonNull<Header>, usize)> {
        // SAFETY: the caller's promise.
        unsafe {
            let used = (*chunk).used.load(Ordering::Relaxed);
            if at >= used {
                return None;
            }
            let block = NonNull::new_unchecked(chunk.byte_add(at).cast());
            Some((block, if (*chunk).single { used } else { at + block_size(block) }))
        }
    }

    /// Calls `visit` with each block.
    ///
    /// # Safety
    /// The chunk is alive, and no block is made or cut meanwhile.
    pub(super) unsafe fn for_each(chunk: *mut Self, mut visit: impl FnMut(NonNull<Header>)) {
        let mut at = CHUNK_HEADER;
        // SAFETY: the caller's promise; blocks are consecutive.
        while let Some((block, next)) = unsafe { Self::block_at(chunk, at) } {
            visit(block);
            at = next;
        }
    }

    /// Adds a share.
    ///
    /// # Safety
    /// The caller has a share, or keeps the chunk alive otherwise.
    pub(super) unsafe fn share(chunk: *mut Self) {
        // SAFETY: the caller's promise. Relaxed suffices: the new share is made from one that exists.
        unsafe { (*chunk).shares.fetch_add(1, Ordering::Relaxed) };
    }

    /// Gives up a share; the last one frees the chunk.
    ///
    /// # Safety
    /// The share was the caller's.
    pub(super) unsafe fn release(chunk: *mut Self) {
        // SAFETY: the share keeps the chunk alive.
        if unsafe { (*chunk).shares.fetch_sub(1, Ordering::Release) } != 1 {
            return;
        }
        // Pairs with the Release of the other owners: their accesses come before the free.
        fence(Ordering::Acquire);
        // SAFETY: this was the last share; the memory was allocated with this size.
        unsafe {
            let size = (*chunk).size;
            let arena = (*chunk).arena.take();
            let given_back = if (*chunk).is_trimmed { (*chunk).holes.into() } else { 0 };
            #[cfg(shuttle)]
            // Makes a thread that still reads an entry fail its test.
            chunk.cast::<u8>().write_bytes(0xDD, size);
            chunk_memory::free(chunk.cast(), size);
            if let Some(arena) = arena {
                arena.account.shrink(chunk_memory::charge(size) - given_back);
            }
        }
    }

    /// If blocks are in use, which pins may keep for long, gives the pages that have none back to the system.
    ///
    /// # Safety
    /// The caller has a share. The chunk is in no list and gets into none; none of its blocks is in a table.
    pub(super) unsafe fn trim(chunk: *mut Self) {
        // SAFETY: the share keeps the chunk alive. Nothing reads or writes a block any more that has become a hole.
        unsafe {
            if (*chunk).single || (*chunk).shares.load(Ordering::Relaxed) == 1 {
                return;
            }
            let size = (*chunk).size;
            let trim = |part| chunk_memory::trim(chunk.cast(), size, part);
            let (mut given_back, mut start, mut at) = (0, CHUNK_HEADER, CHUNK_HEADER);
            while let Some((block, next)) = Self::block_at(chunk, at) {
                if (*block.as_ptr()).shares.load(Ordering::Acquire) != HOLE {
                    given_back += trim(start..at);
                    start = next;
                }
                at = next;
            }
            given_back += trim(start..size);
            if let (1.., Some(arena)) = (given_back, &(*chunk).arena) {
                ((*chunk).is_trimmed, (*chunk).holes) = (true, given_back as u32);
                arena.account.shrink(given_back as u64);
            }
        }
    }

    /// The bytes of the block in a chunk with a single block.
    ///
    /// # Safety
    /// The chunk is alive.
    #[inline(always)]
    pub(super) unsafe fn single_block(chunk: *mut Self) -> usize {
        // SAFETY: the caller's promise.
        unsafe { (*chunk).used.load(Ordering::Relaxed) - CHUNK_HEADER }
    }

    /// Whether it belongs to no table. Then it holds a single block.
    ///
    /// # Safety
    /// The chunk is alive.
    pub(super) unsafe fn is_outside_tables(chunk: *mut Self) -> bool {
        // SAFETY: the caller's promise; the field changes only while the block has a single owner.
        unsafe { (*chunk).arena.is_none() }
    }

    /// Whether the table that uses `arena` may insert an entry in a block of this chunk. If so, it does.
    ///
    /// # Safety
    /// The chunk is alive. Only the table's writer calls this: chunks are closed by the writer.
    pub(super) unsafe fn admits_entry(chunk: *mut Self, arena: &TryArc<Arena>) -> bool {
        // SAFETY: the caller's promise.
        unsafe {
            let is_open = (*chunk).list.load(Ordering::Acquire) != 0
                && (*chunk).arena.as_ref().is_some_and(|own| own.is_same(arena));
            if is_open {
                (*chunk).is_barren.store(false, Ordering::Relaxed);
            }
            is_open
        }
    }

    /// Whether it is in a list. Only for the table's writer.
    ///
    /// # Safety
    /// The chunk is alive.
    pub(super) unsafe fn is_listed(chunk: *mut Self) -> bool {
        // SAFETY: the caller's promise.
        unsafe { (*chunk).list.load(Ordering::Relaxed) != 0 }
    }

    /// Notes that the last pin of an entry in the table was released.
    ///
    /// # Safety
    /// The entry is in this chunk. The caller still has a share in the chunk.
    #[inline(always)]
    pub(super) unsafe fn note_released(chunk: *mut Self, entry: NonNull<Header>) {
        // SAFETY: a share keeps the chunk alive.
        unsafe {
            if let Some(arena) = &(*chunk).arena
                && arena.awaits_release()
            {
                arena.note_released(chunk, entry);
            }
        }
    }

    /// Takes back a block without shares.
    ///
    /// # Safety
    /// The block is in this chunk. The caller still has a share in the chunk.
    pub(super) unsafe fn put_back(chunk: *mut Self, block: NonNull<Header>) {
        // SAFETY: a share keeps the chunk alive.
        match unsafe { &(*chunk).arena } {
            // SAFETY: the caller's promise.
            Some(arena) => unsafe { arena.put_back(chunk, block) },
            // SAFETY: as above.
            None => unsafe { (*block.as_ptr()).shares.store(HOLE, Ordering::Relaxed) },
        }
    }
}
