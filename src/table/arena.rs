//! The memory of one table's entries: what it consists of, what it takes, and blocks and chunks that come back.
//!
//! ```text
//! arena ──> chunk ──> chunk ──> chunk
//! ```
//!
//! An account counts whole chunks. A chunk without entries leaves the arena at once.

use std::ptr::{self, NonNull};

use super::header::{HOLE, Header, SMALLEST, block_size};
use super::holes::Holes;
use super::part::Part;
use super::size_class::UNIT;
use crate::epoch::Biased;
use crate::error::{Error, Result};
use crate::memory::{Account, Bounds, heap_bytes};
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{ArcRef, OnceTryArc, TryArc};

/// The memory of one table's entries.
pub(super) struct Arena {
    pub(super) account: Account,
    /// The bytes of the entries in the table. Only the table's writer changes it.
    pub(super) live: AtomicU64,
    /// The bytes of closed chunks that are not freed yet.
    pub(super) closed: AtomicU64,
    /// The bytes of holes, and of the unused part of the newest chunk.
    pub(super) room: AtomicU64,
    /// The bytes of the unused part of the newest chunk.
    pub(super) uncarved: AtomicU32,
    /// The bytes of the spare chunks.
    pub(super) spare: AtomicU32,
    /// The bytes that were carved since the arena came under pressure, less those that were evicted.
    pub(super) owed: AtomicU32,
    /// Whether holes are so large a part of the chunks that it pays to move entries.
    pub(super) sparse: AtomicBool,
    /// Whether there is no room for another chunk, so that an old one must be evicted while the last one fills.
    pub(super) pressed: AtomicBool,
    /// Whether a store was refused that waits for a pin to be released.
    pub(super) awaits_release: AtomicBool,
    pub(super) chunks: Biased<Chunks>,
}

/// An arena that is made at first use, because an empty table owns no memory.
pub struct LazyArena(OnceTryArc<Arena>);

impl LazyArena {
    pub(super) const fn new() -> Self {
        LazyArena(OnceTryArc::new())
    }

    /// The arena, if it exists.
    pub(super) fn get(&self) -> Option<&Arena> {
        self.0.get()
    }

    /// The arena, if it exists, to be shared.
    pub(super) fn get_arc(&self) -> Option<ArcRef<'_, Arena>> {
        self.0.get_arc()
    }

    /// The arena, made now if it does not exist.
    #[inline(always)]
    pub(super) fn get_or_try_init(&self) -> Result<ArcRef<'_, Arena>> {
        if let Some(arena) = self.0.get_arc() {
            return Ok(arena);
        }
        self.0.get_or_try_init(|| TryArc::try_new(Arena::new()))?;
        self.0.get_arc().ok_or(Error::OutOfMemory(0))
    }
}

/// The ends of a list of chunks.
#[derive(Clone, Copy)]
pub(super) struct ChunkList {
    pub(super) first: *mut Chunk,
    pub(super) last: *mut Chunk,
    /// The last chunk from the process's allocator. They come first: leak checkers follow pointers from them to mapped
    /// memory, but not back.
    pub(super) last_of_heap: *mut Chunk,
}

/// The chunks of an arena.
pub(super) struct Chunks {
    /// Marks the chunks of this list. Chunks of a list that was lost in a fork have another number.
    pub(super) id: u32,
    /// Chunks from the allocator, then paged ones, both in order of age.
    pub(super) list: ChunkList,
    /// The number of chunks that were linked so far.
    pub(super) linked: u32,
    /// The bytes of the chunks that hold several blocks, and of their holes.
    pub(super) bytes: usize,
    pub(super) hole_bytes: usize,
    /// The chunk from which blocks are carved.
    pub(super) carving: *mut Chunk,
    /// Chunks without entries, for the next growth at the process's limit, linked by `next`; and their bytes.
    pub(super) spare: *mut Chunk,
    pub(super) spare_bytes: u32,
    /// Where searches for sparse chunks and for single entries continue; in units from the start of the chunk, where a
    /// block begins.
    pub(super) cursor: *mut Chunk,
    pub(super) cursor_units: u16,
    pub(super) holes: Holes,
    /// Whether the table is gone.
    pub(super) abandoned: bool,
}

// SAFETY: the chunks belong to the arena, and its lock guards them.
unsafe impl Send for Chunks {}

impl Default for Chunks {
    fn default() -> Self {
        static LISTS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
        let null = ptr::null_mut();
        Chunks {
            id: LISTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed).max(1),
            list: ChunkList { first: null, last: null, last_of_heap: null },
            linked: 0,
            bytes: 0,
            hole_bytes: 0,
            carving: null,
            spare: null,
            spare_bytes: 0,
            cursor: null,
            cursor_units: CURSOR,
            holes: Holes::NONE,
            abandoned: false,
        }
    }
}

/// The header of a chunk. Threads write some fields while others read other fields, so no code makes a reference to a
/// whole chunk: functions take its address.
#[repr(C)]
pub(super) struct Chunk {
    /// Its neighbours in the list that it is in, changed under the arena's lock. While it is retired, it is in no list,
    /// and the two fields are its [`Part`].
    pub(super) previous: *mut Chunk,
    pub(super) next: *mut Chunk,
    /// The arena of its table; None if its single block belongs to no table.
    pub(super) arena: Option<TryArc<Arena>>,
    /// One for the arena or the closed chunk, and one for each counted share in a block.
    pub(super) shares: AtomicUsize,
    /// The bytes in use, from the start. Changed under the arena's lock.
    pub(super) used: AtomicUsize,
    pub(super) size: usize,
    /// The bytes of holes. Changed under the arena's lock. Once it is trimmed, the bytes that are back with the system.
    pub(super) holes: u32,
    /// When it was linked, changed under the arena's lock. While it is closed, how far the writer is in it.
    pub(super) age: u32,
    /// The number of the list that it is in; 0 for none. Changed under the arena's lock.
    pub(super) list: AtomicU32,
    /// Whether it holds a single, large block.
    pub(super) single: bool,
    /// Whether it has come back with blocks that only pins keep. To move the others out would not free it. Changed
    /// under the arena's lock.
    pub(super) is_kept: bool,
    /// Whether it was put back with pinned blocks and has got no entry since, so that nothing in it can be evicted. Set
    /// under the arena's lock, before it is in a list.
    pub(super) is_barren: AtomicBool,
    /// Whether pages of its holes are back with the system. Set by a thread that has a share, while it is in no list.
    pub(super) is_trimmed: bool,
}

const _: () = assert!(size_of::<Part>() == 2 * size_of::<*mut Chunk>() && std::mem::offset_of!(Chunk, previous) == 0);

pub(super) const CHUNK_HEADER: usize = size_of::<Chunk>().next_multiple_of(UNIT);

/// Where a search in a chunk begins: at the first block.
pub(super) const CURSOR: u16 = (CHUNK_HEADER / UNIT) as u16;

/// The size of the largest chunk for several blocks.
pub(super) const LAST_CHUNK: usize = if cfg!(shuttle) { 4 * SMALLEST + CHUNK_HEADER } else { 64 << 10 };

impl Arena {
    fn new() -> Self {
        Arena {
            account: Account::default(),
            live: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            room: AtomicU64::new(0),
            uncarved: AtomicU32::new(0),
            spare: AtomicU32::new(0),
            owed: AtomicU32::new(0),
            sparse: AtomicBool::new(false),
            pressed: AtomicBool::new(false),
            awaits_release: AtomicBool::new(false),
            chunks: Biased::default(),
        }
    }

    /// The bytes of an arena.
    pub(super) fn bytes() -> u64 {
        heap_bytes(size_of::<Self>() + size_of::<usize>())
    }

    /// Publishes what the writer reads without the lock.
    pub(super) fn publish(&self, chunks: &Chunks) {
        self.publish_room(chunks);
        self.sparse.store(chunks.is_sparse(), Ordering::Relaxed);
        self.spare.store(chunks.spare_bytes, Ordering::Relaxed);
    }

    /// As [`Arena::publish`], after a block was carved: the holes and the chunks are the same as before.
    #[inline(always)]
    pub(super) fn publish_room(&self, chunks: &Chunks) {
        let uncarved = chunks.uncarved();
        self.uncarved.store(uncarved as u32, Ordering::Relaxed);
        self.room.store((chunks.hole_bytes + uncarved) as u64, Ordering::Relaxed);
    }

    /// The bytes of holes, and of the unused part of the newest chunk.
    pub(super) fn room(&self) -> u64 {
        self.room.load(Ordering::Relaxed)
    }

    /// Takes back a block without shares.
    ///
    /// # Safety
    /// The block is in this chunk, which is this arena's. The caller has a share in the chunk.
    pub(super) unsafe fn put_back(&self, chunk: *mut Chunk, block: NonNull<Header>) {
        let mut chunks = self.chunks.lock();
        // SAFETY: a share keeps the chunk alive; its list changes under this lock only.
        unsafe {
            // Pairs with the Acquire of `Chunk::trim`.
            (*block.as_ptr()).shares.store(HOLE, Ordering::Release);
            if (*chunk).list.load(Ordering::Relaxed) != chunks.id {
                return;
            }
            if (*chunk).single {
                chunks.unlink(chunk);
            } else {
                let size = block_size(block);
                #[cfg(shuttle)]
                // Makes a thread that still reads the entry fail its test.
                block.add(1).cast::<u8>().write_bytes(0xDD, size - size_of::<Header>());
                chunks.holes.link(block, size);
                (*chunk).holes += size as u32;
                (*chunk).is_kept = false;
                chunks.hole_bytes += size;
                if !chunks.is_empty(chunk) {
                    self.publish(&chunks);
                    return;
                }
                chunks.close(chunk);
            }
            self.publish(&chunks);
            drop(chunks);
            Chunk::release(chunk);
        }
    }

    /// The bytes at which a list of retired entries is collected: they are of no use, and must be little beside the
    /// table's memory. Fewer than a few entries are not worth a collection, unless `max_bytes` is small.
    pub(super) fn most_retired(&self, bounds: &Bounds) -> u64 {
        const PART: u64 = 16;
        const LEAST: u64 = 8 << 10;
        const PART_OF_MAX: u64 = 128;
        (self.account.bytes() / PART).max(LEAST).min(bounds.max_bytes / PART_OF_MAX)
    }

    /// The bytes of the entries in the table.
    pub(super) fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }

    /// Sets the bytes of the entries in the table. Only for the table's writer.
    pub(super) fn set_live(&self, bytes: u64) {
        self.live.store(bytes, Ordering::Relaxed);
    }

    /// Notes that an entry enters the table. Only for the table's writer.
    pub(super) fn admit(&self, weight: u64) {
        self.set_live(self.live() + weight);
    }

    /// Notes that an entry leaves the table. Only for the table's writer.
    pub(super) fn dismiss(&self, weight: u64) {
        self.set_live(self.live() - weight);
    }

    /// Whether it pays to move entries.
    pub(super) fn is_sparse(&self) -> bool {
        self.sparse.load(Ordering::Relaxed)
    }

    pub(super) fn is_pressed(&self) -> bool {
        self.pressed.load(Ordering::Relaxed)
    }

    /// The bytes that the writer has to evict.
    pub(super) fn owed(&self) -> u64 {
        self.owed.load(Ordering::Relaxed).into()
    }

    /// Notes that there is nothing to evict.
    pub(super) fn owe_nothing(&self) {
        self.owed.store(0, Ordering::Relaxed);
    }

    /// Whether no pin of an entry in the table has been released since a store was refused.
    pub(super) fn awaits_release(&self) -> bool {
        self.awaits_release.load(Ordering::Relaxed)
    }

    /// Notes whether a refused store waits for a pin to be released.
    pub(super) fn await_release(&self, awaits: bool) {
        self.awaits_release.store(awaits, Ordering::Relaxed);
    }

    /// Lets the next search for a single entry begin at this one, whose last pin was released.
    ///
    /// # Safety
    /// The entry is in this chunk, which is this arena's. The caller has a share in the chunk.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn note_released(&self, chunk: *mut Chunk, entry: NonNull<Header>) {
        let mut chunks = self.chunks.lock();
        // SAFETY: the caller's promise.
        unsafe {
            if (*chunk).list.load(Ordering::Relaxed) == chunks.id {
                (chunks.cursor, chunks.cursor_units) = (chunk, Chunk::units(chunk, entry));
                self.await_release(false);
            }
        }
    }

    /// Notes that `bytes` were evicted.
    pub(super) fn pay(&self, bytes: u64) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let less = |owed: u32| Some(owed.saturating_sub(bytes));
        let _ = self.owed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Keeps a chunk without entries for the next growth, if the process has reached its limit: otherwise another cache
    /// might take the room for which this one has evicted. Keeps as much as the largest chunk takes. Returns whether it
    /// did.
    ///
    /// # Safety
    /// The chunk is in no list, the caller has its share, and no read section can reach its blocks.
    pub(super) unsafe fn keep_spare(&self, chunk: *mut Chunk) -> bool {
        let mut chunks = self.chunks.lock();
        // SAFETY: the caller's promise.
        unsafe {
            let is_unused = (*chunk).shares.load(Ordering::Acquire) == 1;
            let has_enough = chunks.spare_bytes as usize + (*chunk).size > LAST_CHUNK;
            if !self.is_pressed() || has_enough || !is_unused || (*chunk).single {
                return false;
            }
            #[cfg(shuttle)]
            // Makes a thread that still reads an entry fail its test.
            chunk.cast::<u8>().add(CHUNK_HEADER).write_bytes(0xDD, (*chunk).size - CHUNK_HEADER);
            (*chunk).used.store(CHUNK_HEADER, Ordering::Relaxed);
            ((*chunk).holes, (*chunk).is_kept) = (0, false);
            (*chunk).is_barren.store(false, Ordering::Relaxed);
            (*chunk).next = std::mem::replace(&mut chunks.spare, chunk);
            chunks.spare_bytes += (*chunk).size as u32;
        }
        self.publish(&chunks);
        true
    }

    /// Puts a chunk with entries in use back into the list, so that the rest of it is of use; false if the table is
    /// gone, or the chunk has a single block.
    ///
    /// # Safety
    /// The chunk is in no list, the caller has its share, and no read section can reach its blocks.
    pub(super) unsafe fn take_back(&self, chunk: *mut Chunk) -> bool {
        let mut chunks = self.chunks.lock();
        // SAFETY: the caller's promise.
        unsafe {
            if chunks.abandoned || (*chunk).single {
                return false;
            }
            (*chunk).holes = 0;
            (*chunk).is_kept = true;
            (*chunk).is_barren.store(true, Ordering::Relaxed);
            chunks.link(chunk);
            Chunk::for_each(chunk, |block| {
                if (*block.as_ptr()).shares.load(Ordering::Relaxed) == HOLE {
                    let size = block_size(block);
                    chunks.holes.link(block, size);
                    (*chunk).holes += size as u32;
                    chunks.hole_bytes += size;
                }
            });
            chunks.fill(chunk);
            let is_empty = chunks.is_empty(chunk);
            if is_empty {
                chunks.close(chunk);
            }
            self.publish(&chunks);
            drop(chunks);
            if is_empty {
                Chunk::release(chunk);
            }
        }
        true
    }
}
