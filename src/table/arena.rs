//! Where the entries of one table live: chunks of memory that are freed as a whole.
//!
//! A table that is cleared or dropped gives its chunks up whole: no thread visits a million entries to free them, and
//! their memory is returned to the system. A chunk with pinned entries stays as long as the pins.
//!
//! ```text
//! arena ──> chunk ──> chunk ──> chunk        header | block | block | block | … | unused
//! ```
//!
//! Blocks are reused by size class when their entry is freed; a large one has a chunk of its own. A chunk lives as long
//! as it has shares: one of the arena, or of the table that was cleared, and one for each counted share in its entries.

use std::ptr::{self, NonNull};

use super::chunk_memory::{self, MAPPED};
use super::header::Header;
use super::size_class::{CLASSES, LARGEST, UNIT, size_class};
use crate::error::{Error, Result};
use crate::memory::{Account, heap_bytes};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use crate::sync::{ArcRef, Mutex, OnceTryArc, TryArc, try_box};

/// The first chunk of a table; each further one is twice as large, up to the last.
const FIRST_CHUNK: usize = if cfg!(shuttle) { 256 } else { 512 };
const LAST_CHUNK: usize = if cfg!(shuttle) { 512 } else { 1 << 20 };

/// The memory that a block for this many bytes takes.
pub(super) fn weight(bytes: usize) -> u64 {
    if bytes <= LARGEST { size_class(bytes).0 as u64 } else { Chunk::size_for(bytes) as u64 }
}

/// A piece of memory with one block after the other. Other threads write some of its fields while some are read, so no
/// code makes a reference to a whole chunk: functions take its address.
pub(super) struct Chunk {
    /// None if its single block belongs to no table.
    arena: Option<TryArc<Arena>>,
    /// One of the arena, or of the table that was cleared; and one for each counted share in a block.
    shares: AtomicUsize,
    /// The bytes in use, from the start. Changed under the arena's lock.
    used: AtomicUsize,
    size: usize,
    /// It holds a single block.
    large: bool,
    /// Whether the arena has it. Changed under the arena's lock.
    attached: AtomicBool,
    /// Changed under the arena's lock.
    previous: *mut Chunk,
    next: *mut Chunk,
}

const CHUNK_HEADER: usize = size_of::<Chunk>().next_multiple_of(UNIT);

impl Chunk {
    /// The size of a chunk for a single block.
    fn size_for(block: usize) -> usize {
        let size = block.saturating_add(CHUNK_HEADER + UNIT - 1) & !(UNIT - 1);
        if size < MAPPED { size } else { size.checked_next_multiple_of(4096).unwrap_or(usize::MAX) }
    }

    fn try_new(arena: Option<TryArc<Arena>>, size: usize, large: bool) -> Result<*mut Self> {
        let chunk = chunk_memory::allocate(size).cast::<Chunk>();
        if chunk.is_null() {
            return Err(Error::OutOfMemory(size));
        }
        // SAFETY: the memory is new, aligned, and larger than a chunk's header.
        unsafe {
            chunk.write(Chunk {
                attached: AtomicBool::new(arena.is_some()),
                arena,
                shares: AtomicUsize::new(1),
                used: AtomicUsize::new(CHUNK_HEADER),
                size,
                large,
                previous: ptr::null_mut(),
                next: ptr::null_mut(),
            });
        }
        Ok(chunk)
    }

    /// Takes a block of the unused bytes.
    ///
    /// # Safety
    /// The arena's lock is held, or no other thread knows the chunk.
    unsafe fn carve(chunk: *mut Self, size: usize) -> Option<NonNull<Header>> {
        // SAFETY: the chunk is alive, and only this thread changes `used`.
        unsafe {
            let used = (*chunk).used.load(Ordering::Relaxed);
            if (*chunk).size - used < size {
                return None;
            }
            (*chunk).used.store(used + size, Ordering::Relaxed);
            if (*chunk).size >= MAPPED && !(*chunk).large {
                chunk_memory::populate(chunk.cast(), CHUNK_HEADER, used, used + size, (*chunk).size);
            }
            NonNull::new(chunk.byte_add(used).cast())
        }
    }

    /// The chunk of a block. A pointer to a block is made from that to its chunk, so it reaches back.
    ///
    /// # Safety
    /// The block is in a chunk that is alive.
    #[inline(always)]
    pub(super) unsafe fn of(block: NonNull<Header>) -> *mut Chunk {
        // SAFETY: the caller's promise; the distance never changes.
        unsafe { block.byte_sub((*block.as_ptr()).units as usize * UNIT).as_ptr().cast() }
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
        // Pairs with the Release of the other owners: what they did with its blocks comes before it is freed.
        fence(Ordering::Acquire);
        // SAFETY: nobody else has a share; the memory was allocated with this size.
        unsafe {
            let size = (*chunk).size;
            chunk.drop_in_place();
            #[cfg(shuttle)]
            // A thread that still reads an entry is to notice.
            chunk.cast::<u8>().write_bytes(0xDD, size);
            chunk_memory::free(chunk.cast(), size);
        }
    }

    /// The bytes of the block of a chunk that holds a single one.
    ///
    /// # Safety
    /// The chunk is alive.
    #[inline(always)]
    pub(super) unsafe fn single_block(chunk: *mut Self) -> usize {
        // SAFETY: the caller's promise.
        unsafe { (*chunk).used.load(Ordering::Relaxed) - CHUNK_HEADER }
    }

    /// Whether it belongs to no table; then it holds a single block.
    ///
    /// # Safety
    /// The chunk is alive.
    pub(super) unsafe fn is_outside_tables(chunk: *mut Self) -> bool {
        // SAFETY: the caller's promise; the field never changes.
        unsafe { (*chunk).arena.is_none() }
    }

    /// Takes `bytes` of one of its blocks off the account.
    ///
    /// # Safety
    /// The chunk is alive.
    pub(super) unsafe fn discharge(chunk: *mut Self, bytes: usize) {
        // SAFETY: the caller's promise; the field never changes.
        if let Some(arena) = unsafe { &(*chunk).arena } {
            arena.account.discharge(weight(bytes));
        }
    }

    /// Whether the table that uses `arena` may take in blocks of this chunk.
    ///
    /// # Safety
    /// The chunk is alive.
    pub(super) unsafe fn is_attached_to(chunk: *mut Self, arena: &TryArc<Arena>) -> bool {
        // SAFETY: the caller's promise; the first is atomic, and the other never changes.
        unsafe {
            (*chunk).attached.load(Ordering::Relaxed) && (*chunk).arena.as_ref().is_some_and(|own| own.is_same(arena))
        }
    }

    /// Takes back a block that has no shares left. The share in the chunk of its last owner still exists.
    ///
    /// # Safety
    /// The block is in this chunk, and holds this many bytes.
    pub(super) unsafe fn put_back(chunk: *mut Self, block: *mut Header, bytes: usize) {
        // SAFETY: a share keeps the chunk alive.
        let Some(arena) = (unsafe { &(*chunk).arena }) else { return };
        let mut inner = arena.inner.lock();
        #[cfg(shuttle)]
        // SAFETY: nobody has a share in the block. A thread that still reads it is to notice.
        unsafe {
            block.add(1).cast::<u8>().write_bytes(0xDD, bytes - size_of::<Header>())
        };
        // SAFETY: as above; `attached` changes under this lock only.
        unsafe {
            if !(*chunk).attached.load(Ordering::Relaxed) {
                return;
            }
            if (*chunk).large {
                inner.unlink(chunk);
                drop(inner);
                Self::release(chunk);
                return;
            }
            if inner.free.is_none() {
                inner.free = try_box([ptr::null_mut(); CLASSES]).ok();
            }
            // Without memory for the lists, the block is unused until its chunk is freed.
            if let Some(free) = inner.free.as_mut().map(|free| &mut free[size_class(bytes).1]) {
                (*block).link.next = (*free).cast();
                *free = block;
            }
        }
    }
}

/// The memory of one table's entries.
pub(super) struct Arena {
    pub(super) account: TryArc<Account>,
    /// The weight of the entries in the table. Only the table's writer changes it.
    in_table: AtomicU64,
    inner: Mutex<Inner>,
}

/// An arena that is made when it is first needed: a table without entries owns no memory.
pub struct LazyArena(OnceTryArc<Arena>);

impl LazyArena {
    pub(super) const fn new() -> Self {
        LazyArena(OnceTryArc::new())
    }

    /// The arena, if it was needed already.
    pub(super) fn get(&self) -> Option<&Arena> {
        self.0.get()
    }

    /// The arena.
    #[inline]
    pub(super) fn get_or_try_init(&self) -> Result<ArcRef<'_, Arena>> {
        if let Some(arena) = self.0.get_arc() {
            return Ok(arena);
        }
        let account = TryArc::try_new(Account::default())?;
        let arena = Arena { account, in_table: AtomicU64::new(0), inner: Mutex::default() };
        self.0.get_or_try_init(|| TryArc::try_new(arena))?;
        self.0.get_arc().ok_or(Error::OutOfMemory(0))
    }
}

struct Inner {
    /// All chunks: first those from the process's allocator, then those from the system. Leak checkers follow pointers
    /// from the former to the latter, and not the other way round.
    chunks: *mut Chunk,
    last: *mut Chunk,
    carving: *mut Chunk,
    /// The size of the next.
    next_size: usize,
    /// Free blocks by class, linked through their headers. Allocated with the first of them.
    free: Option<Box<[*mut Header; CLASSES]>>,
}

// SAFETY: the chunks belong to the arena, whose lock guards all of this.
unsafe impl Send for Inner {}

impl Default for Inner {
    fn default() -> Self {
        Inner {
            chunks: ptr::null_mut(),
            last: ptr::null_mut(),
            carving: ptr::null_mut(),
            next_size: FIRST_CHUNK,
            free: None,
        }
    }
}

impl Inner {
    /// # Safety
    /// The chunk is alive, and in no list.
    unsafe fn link(&mut self, chunk: *mut Chunk) {
        // SAFETY: the caller's promise; chunks in the list are alive.
        unsafe {
            let (previous, next) = match (*chunk).size < MAPPED {
                true => (ptr::null_mut(), self.chunks),
                false => (self.last, ptr::null_mut()),
            };
            ((*chunk).previous, (*chunk).next) = (previous, next);
            *self.next_of(previous) = chunk;
            *self.previous_of(next) = chunk;
        }
    }

    /// # Safety
    /// The chunk is in this list.
    unsafe fn unlink(&mut self, chunk: *mut Chunk) {
        // SAFETY: the caller's promise; chunks in the list are alive.
        unsafe {
            let (previous, next) = ((*chunk).previous, (*chunk).next);
            *self.next_of(previous) = next;
            *self.previous_of(next) = previous;
            (*chunk).attached.store(false, Ordering::Relaxed);
        }
    }

    /// Where the successor of a chunk is noted; for null, the first of the list.
    ///
    /// # Safety
    /// The chunk is in this list, or null.
    unsafe fn next_of(&mut self, chunk: *mut Chunk) -> *mut *mut Chunk {
        // SAFETY: the caller's promise.
        if chunk.is_null() { &raw mut self.chunks } else { unsafe { &raw mut (*chunk).next } }
    }

    /// Where the predecessor of a chunk is noted; for null, the last of the list.
    ///
    /// # Safety
    /// The chunk is in this list, or null.
    unsafe fn previous_of(&mut self, chunk: *mut Chunk) -> *mut *mut Chunk {
        // SAFETY: the caller's promise.
        if chunk.is_null() { &raw mut self.last } else { unsafe { &raw mut (*chunk).previous } }
    }

    /// A free block of this class.
    fn reuse(&mut self, class: usize) -> Option<NonNull<Header>> {
        let free = &mut self.free.as_mut()?[class];
        let block = NonNull::new(*free)?;
        // SAFETY: free blocks are alive, and on this list alone.
        *free = unsafe { (*block.as_ptr()).link.next }.cast();
        Some(block)
    }
}

impl Arena {
    /// What a table with entries has beside them and its directory: an arena, an account, the header of a chunk.
    pub(super) fn bytes() -> u64 {
        heap_bytes(size_of::<Self>()) + heap_bytes(size_of::<Account>()) + CHUNK_HEADER as u64
    }

    /// A block for this many bytes, with a share in its chunk if `counted`. `begin` writes the header while no other
    /// thread can see it; it is told the block's distance from its chunk, in units.
    pub(super) fn block(
        arena: Option<&TryArc<Arena>>,
        bytes: usize,
        counted: bool,
        begin: impl FnOnce(NonNull<Header>, u32),
    ) -> Result<NonNull<Header>> {
        if bytes > isize::MAX as usize - (1 << 20) {
            return Err(Error::OutOfMemory(bytes));
        }
        let units = |block: NonNull<Header>, chunk: *mut Chunk| ((block.addr().get() - chunk.addr()) / UNIT) as u32;
        let Some(arena) = arena else {
            let chunk = Chunk::try_new(None, Chunk::size_for(bytes), true)?;
            // SAFETY: no other thread knows the chunk yet.
            let block = unsafe { Chunk::carve(chunk, bytes) }.ok_or(Error::OutOfMemory(bytes))?;
            begin(block, units(block, chunk));
            return Ok(block);
        };
        let large = bytes > LARGEST;
        let (size, class) = if large { (bytes, 0) } else { size_class(bytes) };
        let mut inner = arena.inner.lock();
        let reused = if large { None } else { inner.reuse(class) };
        let (block, chunk) = match reused {
            // SAFETY: the chunk of a free block is attached, so it is alive.
            Some(block) => (block, unsafe { Chunk::of(block) }),
            // SAFETY: the lock is held.
            None => unsafe { Self::carve(arena, &mut inner, size, large) }?,
        };
        if counted {
            // SAFETY: the chunk is attached, so it is alive.
            unsafe { Chunk::share(chunk) };
        }
        begin(block, units(block, chunk));
        Ok(block)
    }

    /// A block of unused bytes, in a new chunk if need be.
    ///
    /// # Safety
    /// `inner` is the arena's.
    unsafe fn carve(
        arena: &TryArc<Arena>,
        inner: &mut Inner,
        size: usize,
        large: bool,
    ) -> Result<(NonNull<Header>, *mut Chunk)> {
        let chunk = inner.carving;
        if !large && !chunk.is_null() {
            // SAFETY: the lock is held, since we have what it guards.
            if let Some(block) = unsafe { Chunk::carve(chunk, size) } {
                return Ok((block, chunk));
            }
        }
        let room = if large { Chunk::size_for(size) } else { inner.next_size.max(Chunk::size_for(size)) };
        let chunk = Chunk::try_new(Some(arena.clone()), room, large)?;
        // SAFETY: the chunk is new.
        unsafe { inner.link(chunk) };
        if !large {
            inner.carving = chunk;
            inner.next_size = (inner.next_size * 2).min(LAST_CHUNK);
        }
        // SAFETY: as above.
        let block = unsafe { Chunk::carve(chunk, size) }.ok_or(Error::OutOfMemory(size))?;
        Ok((block, chunk))
    }

    /// Charges an entry that enters the table, unless the account would exceed `limit`; tells whether it did. Only for
    /// the table's writer.
    pub(super) fn admit(&self, weight: u64, limit: u64) -> bool {
        let charged = self.account.charge(weight, limit);
        if charged {
            self.in_table.store(self.in_table.load(Ordering::Relaxed) + weight, Ordering::Relaxed);
        }
        charged
    }

    /// Notes that an entry leaves the table. It stays on the account until it is freed. Only for the table's writer.
    pub(super) fn dismiss(&self, weight: u64) {
        self.in_table.store(self.in_table.load(Ordering::Relaxed) - weight, Ordering::Relaxed);
    }

    /// Gives up all chunks, for a table that gives up all its entries. Only for the table's writer.
    pub(super) fn detach(&self) -> DetachedChunks {
        let mut inner = self.inner.lock();
        let chunks = std::mem::take(&mut *inner).chunks;
        let (mut next, mut bytes) = (chunks, 0);
        while !next.is_null() {
            // SAFETY: chunks in the list are alive.
            unsafe {
                (*next).attached.store(false, Ordering::Relaxed);
                bytes += (*next).size as u64;
                next = (*next).next;
            }
        }
        DetachedChunks { chunks, bytes, in_table: self.in_table.swap(0, Ordering::Relaxed) }
    }
}

/// The chunks that a table has given up, with the entries that were in it.
pub(super) struct DetachedChunks {
    chunks: *mut Chunk,
    /// The bytes of the chunks.
    bytes: u64,
    /// The weight of the entries.
    in_table: u64,
}

impl DetachedChunks {
    pub(super) const NONE: DetachedChunks = DetachedChunks { chunks: ptr::null_mut(), bytes: 0, in_table: 0 };

    /// The bytes of the chunks.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Frees chunks in which no entry was ever in a table.
    pub(super) fn free_unused(self) {
        let mut next = self.chunks;
        while !next.is_null() {
            let chunk = next;
            // SAFETY: our share keeps the chunk alive until we give it up.
            unsafe {
                next = (*chunk).next;
                Chunk::release(chunk);
            }
        }
    }

    /// Gives up the chunks. Where entries may still be in use (because a chunk has counted shares, or `is_protected`
    /// says that an address in it is), `leave` visits each block; it returns the bytes of the block, and the weight of
    /// the entry that stays.
    ///
    /// # Safety
    /// No read section can reach the entries any more.
    pub(super) unsafe fn free(
        self,
        is_protected: impl Fn(*mut (), usize) -> bool,
        mut leave: impl FnMut(NonNull<Header>) -> (usize, u64),
    ) {
        let (mut kept, mut next) = (0, self.chunks);
        if next.is_null() {
            return;
        }
        // SAFETY: our share keeps each chunk alive until we give it up; the blocks in use are one after the other.
        unsafe {
            let account = (*next).arena.as_ref().map(|arena| arena.account.clone());
            while !next.is_null() {
                let chunk = next;
                next = (*chunk).next;
                // Hazard slots before shares: a pin may move from a slot to a share, and never back.
                if is_protected(chunk.cast(), (*chunk).size) || (*chunk).shares.load(Ordering::Acquire) != 1 {
                    let mut at = CHUNK_HEADER;
                    while at < (*chunk).used.load(Ordering::Acquire) {
                        let (bytes, weight) = leave(NonNull::new_unchecked(chunk.byte_add(at).cast()));
                        kept += weight;
                        at += if (*chunk).large { (*chunk).size } else { size_class(bytes).0 };
                    }
                }
                Chunk::release(chunk);
            }
            if let Some(account) = account {
                account.discharge(self.in_table - kept);
            }
        }
    }
}
