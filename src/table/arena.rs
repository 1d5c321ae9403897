//! Where the entries of one table live: chunks of memory that are given back all at once.
//!
//! A table that is cleared, or goes, lets its chunks go whole: nobody looks at a million entries to free them, and their
//! memory goes back to the system. Only a chunk in which something is pinned stays, as long as the pin.
//!
//! ```text
//! arena ──> chunk ──> chunk ──> chunk        header | block | block | block | … | not used yet
//! ```
//!
//! Blocks of the sizes that entries have are used again when their entry is freed; a large one has a chunk of its own.
//! A chunk is alive as long as somebody has a share in it: the arena, or the table that was cleared, and each counted share
//! in one of its entries.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::{self, NonNull};

use crate::epoch::retire::{HazardSet, RetireList};
use crate::error::{Error, Result};
use crate::memory::{Account, heap_bytes};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use crate::sync::{TryArc, try_box};
use crate::table::entry::Header;

/// Blocks are multiples of this, and aligned to it.
pub(crate) const UNIT: usize = 16;

/// The first chunk of a table; each further one is twice as large, up to the last.
const FIRST_CHUNK: usize = if cfg!(shuttle) { 256 } else { 512 };
const LAST_CHUNK: usize = if cfg!(shuttle) { 512 } else { 1 << 20 };

/// Larger blocks have a chunk of their own. So have all where a memory checker is to see each of them.
const LARGE: usize = if cfg!(phicache_separate_blocks) { 0 } else { 64 << 10 };

/// Chunks of this size come from the system, and go back to it.
const MAPPED: usize = 128 << 10;

/// Size classes: every multiple of 16 up to this, then eight to each doubling.
const FINE: usize = 1 << 10;
const CLASSES: usize = FINE / UNIT + 8 * 6;

/// The size of a block for so many bytes, at most `LARGE`, and the class of such blocks.
#[inline]
fn class(bytes: usize) -> (usize, usize) {
    if bytes <= FINE {
        let units = bytes.div_ceil(UNIT);
        return (units * UNIT, units - 1);
    }
    let doubling = (bytes - 1).ilog2() - FINE.ilog2();
    let step = (FINE / 8) << doubling;
    let steps = (bytes - (FINE << doubling)).div_ceil(step);
    ((FINE << doubling) + steps * step, FINE / UNIT + 8 * doubling as usize + steps - 1)
}

/// The memory that a block of so many bytes takes.
pub(crate) fn weight(bytes: usize) -> u64 {
    match bytes {
        ..=LARGE => class(bytes).0 as u64,
        _ => Chunk::size_for(bytes) as u64,
    }
}

/// Whether all addresses in these bytes fit into the 48 bits that a bucket has for them. Linux hands out higher ones on
/// request only, and so do allocators; an address that lost its upper bits would be somebody else's memory.
fn is_addressable(start: usize, size: usize) -> bool {
    (start as u64).checked_add(size as u64).is_some_and(|end| end <= 1 << 48)
}

/// A piece of memory in which blocks stand one behind the other.
pub(crate) struct Chunk {
    /// None where a single block belongs to no table.
    arena: Option<TryArc<Arena>>,
    /// The arena's, or that of the table that was cleared; and each counted share in a block.
    shares: AtomicUsize,
    /// The bytes in use, from the start. Changed under the arena's lock.
    used: AtomicUsize,
    size: usize,
    /// It holds a single block.
    large: bool,
    /// Whether the arena knows it. Changed under the arena's lock.
    attached: AtomicBool,
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

    fn try_new(arena: Option<TryArc<Arena>>, size: usize, large: bool) -> Result<NonNull<Self>> {
        let memory = if size < MAPPED { heap::take(size) } else { system::take(size) };
        let chunk = NonNull::new(memory.cast::<Chunk>()).ok_or(Error::OutOfMemory(size))?;
        if !is_addressable(chunk.addr().get(), size) {
            // SAFETY: the memory was taken with this size, and nobody else knows it.
            unsafe { if size < MAPPED { heap::give_back(memory, size) } else { system::give_back(memory, size) } };
            return Err(Error::OutOfMemory(size));
        }
        // SAFETY: the memory is fresh, aligned, and larger than a chunk's header.
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

    /// Carves a block from what is not used yet.
    ///
    /// # Safety
    /// The arena's lock is held, or nobody else knows the chunk.
    unsafe fn carve(chunk: *mut Self, size: usize) -> Option<NonNull<Header>> {
        // SAFETY: the chunk is alive, and only we change `used`.
        unsafe {
            let used = (*chunk).used.load(Ordering::Relaxed);
            if (*chunk).size - used < size {
                return None;
            }
            (*chunk).used.store(used + size, Ordering::Relaxed);
            if (*chunk).size >= MAPPED && !(*chunk).large {
                system::ready(chunk.cast(), used, used + size, (*chunk).size);
            }
            NonNull::new(chunk.byte_add(used).cast())
        }
    }

    /// Adds a share, for one who has another.
    pub(crate) fn share(&self) {
        self.shares.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives a share up; the last one takes the chunk along.
    ///
    /// # Safety
    /// The share was the caller's.
    pub(crate) unsafe fn give_up(chunk: *mut Self) {
        // SAFETY: the share keeps the chunk alive.
        if unsafe { (*chunk).shares.fetch_sub(1, Ordering::Release) } != 1 {
            return;
        }
        // What others did with its blocks happens before it goes.
        fence(Ordering::Acquire);
        // SAFETY: nobody else has a share, and it was taken with this size.
        unsafe {
            let size = (*chunk).size;
            chunk.drop_in_place();
            #[cfg(shuttle)]
            // Whoever reads an entry still is to see that.
            chunk.cast::<u8>().write_bytes(0xDD, size);
            if size < MAPPED { heap::give_back(chunk.cast(), size) } else { system::give_back(chunk.cast(), size) }
        }
    }

    /// The bytes of the block of a chunk that holds only one.
    ///
    /// # Safety
    /// The chunk is alive.
    #[inline(always)]
    pub(crate) unsafe fn single_block(chunk: *mut Self) -> usize {
        // SAFETY: the caller's promise.
        unsafe { (*chunk).used.load(Ordering::Relaxed) - CHUNK_HEADER }
    }

    /// Whether it belongs to no table; then it holds a single block.
    pub(crate) fn is_nobodys(&self) -> bool {
        self.arena.is_none()
    }

    /// Where the blocks of this chunk are charged.
    pub(crate) fn account(&self) -> Option<&Account> {
        self.arena.as_ref().map(|arena| &*arena.account)
    }

    /// Whether the table that uses `arena` may take blocks of this chunk in.
    pub(crate) fn is_attached_to(&self, arena: &TryArc<Arena>) -> bool {
        self.attached.load(Ordering::Relaxed) && self.arena.as_ref().is_some_and(|own| own.is_same(arena))
    }

    /// Takes a block back that nobody has a share in. The chunk's share of the last one to have it is still there.
    ///
    /// # Safety
    /// The block is in this chunk.
    pub(crate) unsafe fn put_back(chunk: *mut Self, block: *mut Header, bytes: usize) {
        // SAFETY: a share keeps the chunk alive.
        let Some(arena) = (unsafe { &(*chunk).arena }) else { return };
        let mut inner = arena.inner.lock();
        #[cfg(shuttle)]
        // SAFETY: nobody has a share in the block. Whoever reads it still is to see that.
        unsafe {
            block.add(1).cast::<u8>().write_bytes(0xDD, bytes - size_of::<Header>())
        };
        // SAFETY: as above; what is attached changes under this lock only.
        unsafe {
            if !(*chunk).attached.load(Ordering::Relaxed) {
                return;
            }
            if (*chunk).large {
                inner.unlink(chunk);
                drop(inner);
                Self::give_up(chunk);
                return;
            }
            if inner.free.is_none() {
                inner.free = try_box([ptr::null_mut(); CLASSES]).ok();
            }
            // Where there is no memory for the lists, the block waits for its chunk to go.
            if let Some(free) = inner.free.as_mut().map(|free| &mut free[class(bytes).1]) {
                (*block).next = *free;
                *free = block;
            }
        }
    }
}

/// The memory of one table's entries.
pub(crate) struct Arena {
    pub(crate) account: TryArc<Account>,
    /// The weight of the entries in the table. Changed by the one who writes to it.
    pub(crate) in_table: AtomicU64,
    inner: Mutex<Inner>,
}

struct Inner {
    /// All chunks: first those from the process's allocator, then those from the system. Leak checkers follow pointers from
    /// the one to the other, and not the other way round.
    chunks: *mut Chunk,
    last: *mut Chunk,
    carving: *mut Chunk,
    /// The size of the next.
    next_size: usize,
    /// Blocks to be used again, by class. It comes with the first of them.
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
            match previous.as_mut() {
                Some(previous) => previous.next = chunk,
                None => self.chunks = chunk,
            }
            match next.as_mut() {
                Some(next) => next.previous = chunk,
                None => self.last = chunk,
            }
        }
    }

    /// # Safety
    /// The chunk is in this list.
    unsafe fn unlink(&mut self, chunk: *mut Chunk) {
        // SAFETY: the caller's promise; chunks in the list are alive.
        unsafe {
            let (previous, next) = ((*chunk).previous, (*chunk).next);
            match previous.as_mut() {
                Some(previous) => previous.next = next,
                None => self.chunks = next,
            }
            match next.as_mut() {
                Some(next) => next.previous = previous,
                None => self.last = previous,
            }
            (*chunk).attached.store(false, Ordering::Relaxed);
        }
    }
}

impl Arena {
    pub(crate) fn try_new(account: TryArc<Account>) -> Result<TryArc<Self>> {
        TryArc::try_new(Arena { account, in_table: AtomicU64::new(0), inner: Mutex::default() })
    }

    /// What a table with entries has beside them and its directory: an arena, an account, the header of a chunk.
    pub(crate) fn bytes() -> u64 {
        heap_bytes(size_of::<Self>()) + heap_bytes(size_of::<Account>()) + CHUNK_HEADER as u64
    }

    /// A block for so many bytes; with a share in its chunk, if its entry has one that is counted. `begin` writes the header while nobody else can see it.
    pub(crate) fn block(
        arena: Option<&TryArc<Arena>>,
        bytes: usize,
        counted: bool,
        begin: impl FnOnce(NonNull<Header>, *mut Chunk),
    ) -> Result<NonNull<Header>> {
        if bytes > isize::MAX as usize - (1 << 20) {
            return Err(Error::OutOfMemory(bytes));
        }
        let Some(arena) = arena else {
            let chunk = Chunk::try_new(None, Chunk::size_for(bytes), true)?.as_ptr();
            // SAFETY: nobody else knows the chunk yet.
            let block = unsafe { Chunk::carve(chunk, bytes) }.ok_or(Error::OutOfMemory(bytes))?;
            begin(block, chunk);
            return Ok(block);
        };
        let large = bytes > LARGE;
        let (size, class) = if large { (bytes, 0) } else { class(bytes) };
        let mut inner = arena.inner.lock();
        if !large
            && let Some(free) = inner.free.as_mut().map(|free| &mut free[class])
            && let Some(block) = NonNull::new(*free)
        {
            // SAFETY: free blocks are alive, and in this list alone.
            *free = unsafe { block.as_ref() }.next;
            let chunk = Header::chunk(block);
            if counted {
                // SAFETY: the chunk is attached, so it is alive.
                unsafe { (*chunk).share() };
            }
            begin(block, chunk);
            return Ok(block);
        }
        let mut chunk = inner.carving;
        // SAFETY: the lock is held.
        let carved = if large || chunk.is_null() { None } else { unsafe { Chunk::carve(chunk, size) } };
        let block = match carved {
            Some(block) => block,
            None => {
                let room = if large { Chunk::size_for(size) } else { inner.next_size.max(Chunk::size_for(size)) };
                chunk = Chunk::try_new(Some(arena.clone()), room, large)?.as_ptr();
                // SAFETY: the chunk is new; the lock is held.
                unsafe { inner.link(chunk) };
                if !large {
                    inner.carving = chunk;
                    inner.next_size = (inner.next_size * 2).min(LAST_CHUNK);
                }
                // SAFETY: as above.
                unsafe { Chunk::carve(chunk, size) }.ok_or(Error::OutOfMemory(bytes))?
            }
        };
        if counted {
            // SAFETY: the chunk is attached, so it is alive.
            unsafe { (*chunk).share() };
        }
        begin(block, chunk);
        Ok(block)
    }

    /// Notes an entry of this weight that comes into the table. Only by the one who writes to it.
    pub(crate) fn came(&self, weight: u64) {
        self.in_table.store(self.in_table.load(Ordering::Relaxed) + weight, Ordering::Relaxed);
    }

    /// Lets all chunks go, for a table that lets all its entries go. Only by the one who writes to it.
    pub(crate) fn detach(&self) -> Detached {
        let mut inner = self.inner.lock();
        let chunks = std::mem::take(&mut *inner).chunks;
        let mut next = chunks;
        // SAFETY: chunks in the list are alive.
        while let Some(chunk) = unsafe { next.as_ref() } {
            chunk.attached.store(false, Ordering::Relaxed);
            next = chunk.next;
        }
        Detached { chunks, in_table: self.in_table.swap(0, Ordering::Relaxed) }
    }
}

/// The chunks that a table has let go, with the entries that were in it.
pub(crate) struct Detached {
    chunks: *mut Chunk,
    in_table: u64,
}

impl Detached {
    pub(crate) const NOTHING: Detached = Detached { chunks: ptr::null_mut(), in_table: 0 };

    /// The weight of the entries.
    pub(crate) fn weight(&self) -> u64 {
        self.in_table
    }

    /// Gives chunks up in which no entry was ever in a table.
    pub(crate) fn give_up_unused(self) {
        let mut next = self.chunks;
        while !next.is_null() {
            let chunk = next;
            // SAFETY: our share keeps the chunk alive until we give it up.
            unsafe {
                next = (*chunk).next;
                Chunk::give_up(chunk);
            }
        }
    }

    /// Gives the chunks up. Entries that slots name go on the list; those with counted shares stay until these are gone.
    ///
    /// # Safety
    /// No section can reach the entries any more.
    pub(crate) unsafe fn give_up(self, hazards: &HazardSet, list: &mut RetireList) {
        let (mut kept, mut next) = (0, self.chunks);
        let Some(first) = NonNull::new(next) else { return };
        // SAFETY: our share keeps the chunks alive, one after the other.
        unsafe {
            let account = first.as_ref().arena.as_ref().map(|arena| arena.account.clone());
            while !next.is_null() {
                let chunk = next;
                next = (*chunk).next;
                let ours_alone = (*chunk).shares.load(Ordering::Acquire) == 1;
                if !ours_alone || hazards.contains_any_in(chunk.cast(), (*chunk).size) {
                    kept += Self::leave_pinned(chunk, hazards, list);
                }
                Chunk::give_up(chunk);
            }
            if let Some(account) = account {
                account.discharge(self.in_table - kept);
            }
        }
    }

    /// Takes the table's share from every entry in a chunk where something is pinned; tells the weight of what stays.
    ///
    /// # Safety
    /// As for `give_up`.
    unsafe fn leave_pinned(chunk: *mut Chunk, hazards: &HazardSet, list: &mut RetireList) -> u64 {
        let (mut kept, mut at) = (0, CHUNK_HEADER);
        // SAFETY: blocks stand one behind the other, and their headers tell their sizes.
        unsafe {
            while at < (*chunk).used.load(Ordering::Acquire) {
                let block: *mut Header = chunk.byte_add(at).cast();
                let bytes = Header::bytes(block);
                kept += Header::leave_table(block, hazards, list);
                at += if (*chunk).large { (*chunk).size } else { class(bytes).0 };
            }
        }
        kept
    }
}

/// Small chunks come from the process's allocator.
mod heap {
    use super::*;

    fn layout(size: usize) -> Option<Layout> {
        Layout::from_size_align(size, UNIT).ok()
    }

    pub(crate) fn take(size: usize) -> *mut u8 {
        // SAFETY: a chunk is not empty.
        layout(size).map_or(ptr::null_mut(), |layout| unsafe { alloc(layout) })
    }

    /// # Safety
    /// The memory was taken with this size.
    pub(crate) unsafe fn give_back(memory: *mut u8, size: usize) {
        if let Some(layout) = layout(size) {
            // SAFETY: the caller's promise.
            unsafe { dealloc(memory, layout) };
        }
    }
}

/// Large chunks come straight from the system, so that they go back to it, whatever the allocator does.
mod system {
    use super::*;

    pub(crate) fn take(size: usize) -> *mut u8 {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: asks for memory of its own, wherever there is some.
        let memory = unsafe { libc::mmap(ptr::null_mut(), size, access, kind, -1, 0) };
        if memory == libc::MAP_FAILED { ptr::null_mut() } else { memory.cast() }
    }

    /// Has the system lay pages under what comes next, many at once, where the bytes from `used` to `end` enter a new step:
    /// one by one, at the first touch of each, they take several times as long.
    #[inline]
    pub(crate) fn ready(memory: *mut u8, used: usize, end: usize, size: usize) {
        const STEP: usize = 128 << 10;
        let (before, now) = ((used - 1) / STEP, (end - 1) / STEP);
        if before != now || used == CHUNK_HEADER {
            let start = now * STEP;
            lay(memory.wrapping_add(start), STEP.min(size - start));
        }
    }

    #[cfg(target_os = "linux")]
    #[cold]
    fn lay(start: *mut u8, len: usize) {
        // SAFETY: the pages are ours, and stay as they are; where the system does not know this, the first touch does it.
        unsafe { libc::madvise(start.cast(), len, libc::MADV_POPULATE_WRITE) };
    }

    #[cfg(not(target_os = "linux"))]
    fn lay(_start: *mut u8, _len: usize) {}

    /// # Safety
    /// The memory was taken with this size.
    pub(crate) unsafe fn give_back(memory: *mut u8, size: usize) {
        // SAFETY: the caller's promise.
        unsafe { libc::munmap(memory.cast(), size) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_beyond_48_bits_is_not_taken() {
        assert!(is_addressable(1 << 20, 4096) && is_addressable((1 << 48) - 4096, 4096));
        assert!(!is_addressable((1 << 48) - 4096, 4097) && !is_addressable(1 << 56, 4096));
        assert!(!is_addressable(usize::MAX - 10, 4096));
    }

    #[test]
    fn classes_are_tight_and_in_order() {
        let mut last = 0;
        for bytes in 1..=64 << 10 {
            let (size, class) = class(bytes);
            assert!(size >= bytes && size.is_multiple_of(UNIT) && class < CLASSES, "{bytes}: {size}, {class}");
            assert!(size - bytes < UNIT.max(bytes / 8), "{bytes}: {size}");
            assert!(class == last || class == last + 1, "{bytes}: {class} after {last}");
            assert_eq!(super::class(size), (size, class));
            last = class;
        }
        assert_eq!(last, CLASSES - 1);
    }
}
