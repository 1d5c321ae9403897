//! The memory of one table's entries: chunks that are freed as a whole.
//!
//! Clearing or dropping a table frees its chunks, without a visit to each entry, and returns the memory to the system.
//! A chunk with pinned entries is freed after the last pin.
//!
//! ```text
//! arena ──> chunk ──> chunk ──> chunk        header | block | block | block | … | unused
//! ```
//!
//! Freed blocks are reused by size class; a large block has a chunk of its own. A chunk is freed with its last share:
//! the arena or the detached chunks of a cleared table have one, and each counted share in an entry has one.

use std::ptr::{self, NonNull};

use super::chunk_memory::{self, MAPPED};
use super::header::Header;
use super::size_class::{CLASSES, LARGEST, UNIT, size_class};
use crate::error::{Error, Result};
use crate::memory::{Account, heap_bytes};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use crate::sync::{ArcRef, Mutex, OnceTryArc, TryArc, try_box};

/// The size of a table's first chunk. Each further chunk is twice as large, up to LAST_CHUNK.
const FIRST_CHUNK: usize = if cfg!(shuttle) { 256 } else { 512 };
const LAST_CHUNK: usize = if cfg!(shuttle) { 512 } else { 1 << 20 };

/// The memory that a block of this many bytes takes.
pub(super) fn weight(bytes: usize) -> u64 {
    if bytes <= LARGEST { size_class(bytes).0 as u64 } else { Chunk::size_for(bytes) as u64 }
}

/// A piece of memory with consecutive blocks. Threads write some fields while others read other fields, so no code
/// makes a reference to a whole chunk: functions take its address.
pub(super) struct Chunk {
    /// The arena of its table; None if its single block belongs to no table.
    arena: Option<TryArc<Arena>>,
    /// One for the arena or the detached chunks, and one for each counted share in a block.
    shares: AtomicUsize,
    /// The bytes in use, from the start. Changed under the arena's lock.
    used: AtomicUsize,
    size: usize,
    /// Whether it holds a single, large block.
    large: bool,
    /// Whether it is in the arena's list. Changed under the arena's lock.
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

    /// Takes a block from the unused bytes.
    ///
    /// # Safety
    /// The chunk is alive. The caller holds the arena's lock, or no other thread knows the chunk.
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
            chunk.drop_in_place();
            #[cfg(shuttle)]
            // Makes a thread that still reads an entry fail its test.
            chunk.cast::<u8>().write_bytes(0xDD, size);
            chunk_memory::free(chunk.cast(), size);
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

    /// Whether the table that uses `arena` may insert entries in blocks of this chunk.
    ///
    /// # Safety
    /// The chunk is alive.
    pub(super) unsafe fn is_attached_to(chunk: *mut Self, arena: &TryArc<Arena>) -> bool {
        // SAFETY: the caller's promise; `attached` is atomic, and `arena` never changes.
        unsafe {
            (*chunk).attached.load(Ordering::Relaxed) && (*chunk).arena.as_ref().is_some_and(|own| own.is_same(arena))
        }
    }

    /// Takes back a block without shares, for reuse.
    ///
    /// # Safety
    /// The block is in this chunk and holds this many bytes. The caller still has a share in the chunk.
    pub(super) unsafe fn put_back(chunk: *mut Self, block: *mut Header, bytes: usize) {
        // SAFETY: a share keeps the chunk alive.
        let Some(arena) = (unsafe { &(*chunk).arena }) else { return };
        let mut inner = arena.inner.lock();
        #[cfg(shuttle)]
        // SAFETY: the block has no shares. Makes a thread that still reads it fail its test.
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

    /// The arena, made now if it does not exist.
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
    /// A list of all chunks: first those from the process's allocator, then those mapped from the system. Leak checkers
    /// follow pointers from the former to the latter only.
    chunks: *mut Chunk,
    last: *mut Chunk,
    carving: *mut Chunk,
    /// The size of the next chunk.
    next_size: usize,
    /// Lists of free blocks by size class, linked through their headers. Allocated with the first free block.
    free: Option<Box<[*mut Header; CLASSES]>>,
}

// SAFETY: the chunks belong to the arena, and its lock guards them.
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

    /// The field that points to the chunk after this one; for null, the start of the list.
    ///
    /// # Safety
    /// The chunk is in this list, or null.
    unsafe fn next_of(&mut self, chunk: *mut Chunk) -> *mut *mut Chunk {
        // SAFETY: the caller's promise.
        if chunk.is_null() { &raw mut self.chunks } else { unsafe { &raw mut (*chunk).next } }
    }

    /// The field that points to the chunk before this one; for null, the end of the list.
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
        // SAFETY: free blocks are alive, and on this list only.
        *free = unsafe { (*block.as_ptr()).link.next }.cast();
        Some(block)
    }
}

impl Arena {
    /// The fixed overhead of a table with entries: an arena, an account, the header of a chunk.
    pub(super) fn bytes() -> u64 {
        heap_bytes(size_of::<Self>()) + heap_bytes(size_of::<Account>()) + CHUNK_HEADER as u64
    }

    /// A block of this many bytes, with a share in its chunk if `counted`. `begin` writes the header before another
    /// thread can see the block; it gets the block's distance from its chunk, in units.
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

    /// A block of unused bytes, in a new chunk if necessary.
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
            // SAFETY: the caller holds the lock: it has `inner`.
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

    /// Charges an entry that enters the table, unless the account would exceed `limit`; returns whether it was charged.
    /// Only for the table's writer.
    pub(super) fn admit(&self, weight: u64, limit: u64) -> bool {
        let charged = self.account.charge(weight, limit);
        if charged {
            self.in_table.store(self.in_table.load(Ordering::Relaxed) + weight, Ordering::Relaxed);
        }
        charged
    }

    /// The weight of the entries in the table.
    pub(super) fn live_bytes(&self) -> u64 {
        self.in_table.load(Ordering::Relaxed)
    }

    /// Notes that an entry leaves the table. It stays on the account until it is freed. Only for the table's writer.
    pub(super) fn dismiss(&self, weight: u64) {
        self.in_table.store(self.in_table.load(Ordering::Relaxed) - weight, Ordering::Relaxed);
    }

    /// Takes all chunks out, for a table that gives up all its entries. Only for the table's writer.
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

/// The chunks that a table has given up, with its former entries.
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
            // SAFETY: the share that is released last keeps the chunk alive.
            unsafe {
                next = (*chunk).next;
                Chunk::release(chunk);
            }
        }
    }

    /// Releases the chunks. If entries of a chunk may be in use, because it has counted shares or `is_protected` finds
    /// a protected address in it, `leave` visits each block. It returns the bytes of the block, and the weight of its
    /// entry if that stays.
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
        // SAFETY: our share keeps each chunk alive until it is released; the blocks are consecutive.
        unsafe {
            let account = (*next).arena.as_ref().map(|arena| arena.account.clone());
            while !next.is_null() {
                let chunk = next;
                next = (*chunk).next;
                // Hazard slots first, then shares: a pin may move from a slot to a share, but never back.
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
