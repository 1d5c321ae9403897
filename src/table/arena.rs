//! The memory of one table's entries: chunks, oldest first, and their holes.
//!
//! ```text
//! arena ──> chunk ──> chunk ──> chunk        header | block | block | hole | block | … | unused
//! ```
//!
//! An account counts whole chunks. A chunk is freed with its last share: the arena has one, or the closed chunk itself,
//! and each counted share in one of its blocks has one. A chunk without entries leaves the arena at once. A large
//! entry, and an entry outside tables, has a chunk of its own.

use std::ptr::{self, NonNull};

use super::chunk_memory::{self, PAGED};
use super::header::{HOLE, Header, SMALLEST, value_offset};
use super::holes::{Holes, size_of_hole};
use super::part::Part;
use super::size_class::{LARGEST, UNIT, size_class};
use crate::error::{Error, Result};
use crate::memory::{Account, heap_bytes};
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
use crate::sync::{ArcRef, Mutex, OnceTryArc, TryArc};

/// The size of the largest chunk for several blocks.
pub(super) const LAST_CHUNK: usize = if cfg!(shuttle) { 4 * SMALLEST + CHUNK_HEADER } else { 64 << 10 };

/// The memory that a block of this many bytes takes.
pub(super) fn weight(bytes: usize) -> u64 {
    if bytes <= LARGEST { size_class(bytes).0 as u64 } else { chunk_memory::charge(Chunk::size_for(bytes)) }
}

/// Threads write some fields while others read other fields, so no code makes a reference to a whole chunk: functions
/// take its address.
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
    /// The bytes of holes. Changed under the arena's lock.
    pub(super) holes: u32,
    /// When it was linked, changed under the arena's lock. While it is closed, how far the writer is in it.
    pub(super) age: u32,
    /// The number of the list that it is in; 0 for none. Changed under the arena's lock.
    pub(super) list: AtomicU32,
    /// Whether it holds a single, large block.
    pub(super) single: bool,
    /// Whether it has come back with blocks that only pins keep. To move the others out would not free it. Changed under
    /// the arena's lock.
    pub(super) is_kept: bool,
    /// Whether it was put back with pinned blocks and has got no entry since, so that nothing in it can be evicted. Set
    /// under the arena's lock, before it is in a list.
    pub(super) is_barren: AtomicBool,
}

const _: () = assert!(size_of::<Part>() == 2 * size_of::<*mut Chunk>() && std::mem::offset_of!(Chunk, previous) == 0);

pub(super) const CHUNK_HEADER: usize = size_of::<Chunk>().next_multiple_of(UNIT);

/// Where a search in a chunk begins: at the first block.
pub(super) const CURSOR: u16 = (CHUNK_HEADER / UNIT) as u16;

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
                });
            }
        }
        chunk
    }

    /// Takes a block from the unused bytes.
    ///
    /// # Safety
    /// The chunk is alive. The caller holds the arena's lock, or no other thread knows the chunk.
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

    /// The size of a block in a chunk that holds several.
    ///
    /// # Safety
    /// The chunk is alive. A freed block keeps its lengths.
    pub(super) unsafe fn block_size(block: NonNull<Header>) -> usize {
        // SAFETY: the caller's promise.
        unsafe {
            let (key_len, value_len) = ((*block.as_ptr()).key_len, (*block.as_ptr()).value_len);
            size_class(value_offset(key_len as usize) + value_len as usize).0
        }
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
            Some((block, if (*chunk).single { used } else { at + Self::block_size(block) }))
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
            #[cfg(shuttle)]
            // Makes a thread that still reads an entry fail its test.
            chunk.cast::<u8>().write_bytes(0xDD, size);
            chunk_memory::free(chunk.cast(), size);
            if let Some(arena) = arena {
                arena.account.shrink(chunk_memory::charge(size));
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
    /// The bytes that were carved since the arena came under pressure, less those that were evicted.
    pub(super) owed: AtomicU32,
    /// Whether holes are so large a part of the chunks that it pays to move entries.
    pub(super) sparse: AtomicBool,
    /// Whether there is no room for another chunk, so that an old one must be evicted while the last one fills.
    pub(super) pressed: AtomicBool,
    pub(super) inner: Mutex<Inner>,
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

/// A list of chunks.
#[derive(Clone, Copy)]
pub(super) struct ChunkList {
    pub(super) first: *mut Chunk,
    pub(super) last: *mut Chunk,
    /// The last chunk from the process's allocator. They come first: leak checkers follow pointers from them to mapped
    /// memory, but not back.
    pub(super) last_of_heap: *mut Chunk,
}

pub(super) struct Inner {
    /// Marks the chunks of this list. Chunks of a list that was lost in a fork have another number.
    pub(super) id: u32,
    /// Chunks from the allocator, then paged ones, both in order of age.
    pub(super) chunks: ChunkList,
    /// The number of chunks that were linked so far.
    pub(super) linked: u32,
    /// The bytes of these chunks, and of their holes.
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
unsafe impl Send for Inner {}

impl Default for Inner {
    fn default() -> Self {
        static LISTS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
        let null = ptr::null_mut();
        Inner {
            id: LISTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed).max(1),
            chunks: ChunkList { first: null, last: null, last_of_heap: null },
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

impl Inner {
    /// Adds a chunk as the youngest one.
    ///
    /// # Safety
    /// The chunk is alive, and in no list; the list gets its share.
    pub(super) unsafe fn link(&mut self, chunk: *mut Chunk) {
        // SAFETY: the caller's promise; chunks in the list are alive.
        unsafe {
            let of_heap = (*chunk).size < PAGED;
            let previous = if of_heap { self.chunks.last_of_heap } else { self.chunks.last };
            let next = match previous.is_null() {
                true => self.chunks.first,
                false => (*previous).next,
            };
            ((*chunk).previous, (*chunk).next) = (previous, next);
            *self.next_of(previous) = chunk;
            *self.previous_of(next) = chunk;
            if of_heap {
                self.chunks.last_of_heap = chunk;
            }
            // Pairs with the Acquire of `admits_entry`.
            (*chunk).list.store(self.id, Ordering::Release);
            (*chunk).age = self.linked;
            self.linked = self.linked.wrapping_add(1);
            self.bytes += (*chunk).size;
            self.hole_bytes += (*chunk).holes as usize;
        }
    }

    /// The oldest chunk, or null.
    pub(super) fn oldest(&self) -> *mut Chunk {
        let ChunkList { first, last_of_heap, .. } = self.chunks;
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
            if self.chunks.last_of_heap == chunk {
                self.chunks.last_of_heap = previous;
            }
            if self.cursor == chunk {
                (self.cursor, self.cursor_units) = (next, CURSOR);
            }
            if self.carving == chunk {
                self.carving = ptr::null_mut();
            }
            (*chunk).list.store(0, Ordering::Relaxed);
            self.bytes -= (*chunk).size;
            self.hole_bytes -= (*chunk).holes as usize;
        }
    }

    /// The field that points to the chunk after this one; for null, the start of the list.
    ///
    /// # Safety
    /// The chunk is in this list, or null.
    unsafe fn next_of(&mut self, chunk: *mut Chunk) -> *mut *mut Chunk {
        // SAFETY: the caller's promise.
        if chunk.is_null() { &raw mut self.chunks.first } else { unsafe { &raw mut (*chunk).next } }
    }

    /// The field that points to the chunk before this one; for null, the end of the list.
    ///
    /// # Safety
    /// The chunk is in this list, or null.
    unsafe fn previous_of(&mut self, chunk: *mut Chunk) -> *mut *mut Chunk {
        // SAFETY: the caller's promise.
        if chunk.is_null() { &raw mut self.chunks.last } else { unsafe { &raw mut (*chunk).previous } }
    }

    /// A block of this class, if the chunks have one, and whether it was carved.
    #[inline]
    pub(super) fn take(&mut self, size: usize, class: usize) -> Option<(NonNull<Header>, *mut Chunk, bool)> {
        if self.hole_bytes >= size
            && let Some(hole) = self.holes.take(size, class)
        {
            return Some(self.took(hole, size));
        }
        if !self.carving.is_null() {
            // SAFETY: chunks in the list are alive, and the lock is held.
            if let Some(block) = unsafe { Chunk::carve(self.carving, size) } {
                return Some((block, self.carving, true));
            }
        }
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

    fn took(&mut self, hole: NonNull<Header>, size: usize) -> (NonNull<Header>, *mut Chunk, bool) {
        // SAFETY: holes on lists are in chunks of the list.
        unsafe {
            let chunk = Chunk::of(hole);
            (*chunk).holes -= size as u32;
            (*chunk).is_barren.store(false, Ordering::Relaxed);
            self.hole_bytes -= size;
            (hole, chunk, false)
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
                    self.holes.unlink(block, size_of_hole(block));
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
    fn uncarved(&self) -> usize {
        let Some(chunk) = NonNull::new(self.carving) else { return 0 };
        // SAFETY: chunks in the list are alive; only fields are read.
        unsafe { (*chunk.as_ptr()).size - (*chunk.as_ptr()).used.load(Ordering::Relaxed) }
    }

    /// Whether it pays to move entries: holes take a fifth of the chunks, and more than the largest chunk.
    fn is_sparse(&self) -> bool {
        self.hole_bytes > self.bytes / 5 && self.hole_bytes > LAST_CHUNK.min(self.bytes / 4)
    }
}

impl Arena {
    fn new() -> Self {
        Arena {
            account: Account::default(),
            live: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            room: AtomicU64::new(0),
            uncarved: AtomicU32::new(0),
            owed: AtomicU32::new(0),
            sparse: AtomicBool::new(false),
            pressed: AtomicBool::new(false),
            inner: Mutex::default(),
        }
    }

    /// The bytes of an arena.
    pub(super) fn bytes() -> u64 {
        heap_bytes(size_of::<Self>() + size_of::<usize>())
    }

    /// Publishes what the writer reads without the lock.
    pub(super) fn publish(&self, inner: &Inner) {
        let uncarved = inner.uncarved();
        self.uncarved.store(uncarved as u32, Ordering::Relaxed);
        self.room.store((inner.hole_bytes + uncarved) as u64, Ordering::Relaxed);
        self.sparse.store(inner.is_sparse(), Ordering::Relaxed);
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
        let mut inner = self.inner.lock();
        // SAFETY: a share keeps the chunk alive; its list changes under this lock only.
        unsafe {
            (*block.as_ptr()).shares.store(HOLE, Ordering::Relaxed);
            if (*chunk).list.load(Ordering::Relaxed) != inner.id {
                return;
            }
            if (*chunk).single {
                inner.unlink(chunk);
            } else {
                let size = Chunk::block_size(block);
                #[cfg(shuttle)]
                // Makes a thread that still reads the entry fail its test.
                block.add(1).cast::<u8>().write_bytes(0xDD, size - size_of::<Header>());
                inner.holes.link(block, size);
                (*chunk).holes += size as u32;
                (*chunk).is_kept = false;
                inner.hole_bytes += size;
                if !inner.is_empty(chunk) {
                    self.publish(&inner);
                    return;
                }
                inner.close(chunk);
            }
            self.publish(&inner);
            drop(inner);
            Chunk::release(chunk);
        }
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
        let mut inner = self.inner.lock();
        // SAFETY: the caller's promise.
        unsafe {
            let is_unused = (*chunk).shares.load(Ordering::Acquire) == 1;
            let has_enough = inner.spare_bytes as usize + (*chunk).size > LAST_CHUNK;
            if inner.abandoned || !self.is_pressed() || has_enough || !is_unused || (*chunk).single {
                return false;
            }
            #[cfg(shuttle)]
            // Makes a thread that still reads an entry fail its test.
            chunk.cast::<u8>().add(CHUNK_HEADER).write_bytes(0xDD, (*chunk).size - CHUNK_HEADER);
            (*chunk).used.store(CHUNK_HEADER, Ordering::Relaxed);
            ((*chunk).holes, (*chunk).is_kept) = (0, false);
            (*chunk).is_barren.store(false, Ordering::Relaxed);
            (*chunk).next = std::mem::replace(&mut inner.spare, chunk);
            inner.spare_bytes += (*chunk).size as u32;
        }
        true
    }

    /// Puts a chunk with entries in use back into the list, so that the rest of it is of use; false if the table is
    /// gone, or the chunk has a single block.
    ///
    /// # Safety
    /// The chunk is in no list, the caller has its share, and no read section can reach its blocks.
    pub(super) unsafe fn take_back(&self, chunk: *mut Chunk) -> bool {
        let mut inner = self.inner.lock();
        // SAFETY: the caller's promise.
        unsafe {
            if inner.abandoned || (*chunk).single {
                return false;
            }
            (*chunk).holes = 0;
            (*chunk).is_kept = true;
            (*chunk).is_barren.store(true, Ordering::Relaxed);
            inner.link(chunk);
            Chunk::for_each(chunk, |block| {
                if (*block.as_ptr()).shares.load(Ordering::Relaxed) == HOLE {
                    let size = size_of_hole(block);
                    inner.holes.link(block, size);
                    (*chunk).holes += size as u32;
                    inner.hole_bytes += size;
                }
            });
            inner.fill(chunk);
            let is_empty = inner.is_empty(chunk);
            if is_empty {
                inner.close(chunk);
            }
            self.publish(&inner);
            drop(inner);
            if is_empty {
                Chunk::release(chunk);
            }
        }
        true
    }
}
