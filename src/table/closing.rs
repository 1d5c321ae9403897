//! Closed chunks: a single one that the table empties by moving or evicting entries, or all chunks of a cleared table.
//!
//! Readers may still be in such a chunk. It is retired as a whole, and freed without a visit to each entry, unless
//! entries in it are still in use: then its other blocks become holes, and it goes back to its arena. If the table is
//! gone, pages without a block in use are given back to the system.

use std::ptr::{self, NonNull};

use super::allocate::PART_OF_MAX;
use super::arena::{Arena, CHUNK_HEADER, CURSOR, Chunk, Chunks};
use super::header::{COUNT, Header, IN_TABLE};
use super::holes::Holes;
use super::part::{Part, retire_part};
use super::release;
use super::size_class::{LARGEST, UNIT};
use crate::epoch::{BiasedGuard, HazardSet, RetireList};
use crate::sync::atomic::Ordering;

/// A chunk whose entries leave it, one after the other. Its holes are on no list. Readers may still be in it. The chunk
/// has the offset of the next block.
pub(super) struct Closing {
    chunk: NonNull<Chunk>,
}

// SAFETY: the chunk belongs to the table's writer, which any thread may be.
unsafe impl Send for Closing {}

impl Closing {
    /// # Safety
    /// The chunk is in no list, and the caller has its share.
    pub(super) unsafe fn new(chunk: NonNull<Chunk>) -> Self {
        let mut closing = Closing { chunk };
        closing.set_at(CHUNK_HEADER);
        closing
    }

    /// The offset of the next block.
    fn at(&self) -> usize {
        // SAFETY: our share keeps the chunk alive. Others use the field of chunks in lists only.
        unsafe { (*self.chunk.as_ptr()).age as usize }
    }

    fn set_at(&mut self, at: usize) {
        // SAFETY: as above.
        unsafe { (*self.chunk.as_ptr()).age = at as u32 };
    }

    /// The chunk, with its share.
    pub(super) fn into_chunk(self) -> *mut Chunk {
        self.chunk.as_ptr()
    }

    /// Makes an entry that [`Closing::next`] returned the next one again.
    pub(super) fn return_to(&mut self, entry: NonNull<Header>) {
        self.set_at(entry.addr().get() - self.chunk.addr().get());
    }

    /// The bytes that are not visited yet.
    pub(super) fn left_bytes(&self) -> u64 {
        // SAFETY: our share keeps the chunk alive.
        unsafe { ((*self.chunk.as_ptr()).used.load(Ordering::Relaxed) - self.at()) as u64 }
    }

    /// Whether all entries have left. Only for the table's writer.
    pub(super) fn is_left(&mut self) -> bool {
        match self.next() {
            Some(entry) => self.return_to(entry),
            None => return true,
        }
        false
    }

    /// The next entry of the table, to be moved or evicted. Only for the table's writer.
    pub(super) fn next(&mut self) -> Option<NonNull<Header>> {
        // SAFETY: our share keeps the chunk alive; a chunk in no list gets no new blocks. Drafts in it are not in the
        // table, and their lengths do not change.
        while let Some((block, next)) = unsafe { Chunk::block_at(self.chunk.as_ptr(), self.at()) } {
            self.set_at(next);
            // SAFETY: as above.
            let entry = unsafe { &*block.as_ptr() }.shares.load(Ordering::Relaxed) & IN_TABLE != 0;
            if entry {
                return Some(block);
            }
        }
        None
    }
}

impl Chunks {
    /// Makes a chunk the youngest one.
    ///
    /// # Safety
    /// The chunk is in this list.
    unsafe fn renew(&mut self, chunk: *mut Chunk) {
        // SAFETY: the caller's promise. The holes of the chunk stay on their lists.
        unsafe {
            self.unlink(chunk);
            self.link(chunk);
        }
    }
}

impl Chunk {
    /// Whether most of its first entries have counted pins, or it has nothing but pinned blocks. To evict pinned
    /// entries would not free their memory. The others are found one by one ([`Arena::next_fitting`]).
    ///
    /// # Safety
    /// The chunk is in a list of the arena, which the caller has locked. Only the table's writer calls this.
    unsafe fn seems_pinned(chunk: *mut Chunk) -> bool {
        const LOOKS: usize = 16;
        // SAFETY: the caller's promise.
        unsafe {
            if (*chunk).is_barren.load(Ordering::Relaxed) {
                return true;
            }
            // Each pin has a share in the chunk, too.
            let looks = if (*chunk).shares.load(Ordering::Relaxed) > 1 { LOOKS } else { 0 };
            let (mut at, mut pinned, mut others) = (CHUNK_HEADER, 0, 0);
            for _ in 0..looks {
                let Some((block, next)) = Self::block_at(chunk, at) else { break };
                let shares = (*block.as_ptr()).shares.load(Ordering::Relaxed);
                match (shares & IN_TABLE, shares & COUNT) {
                    (0, _) => {}
                    (_, 0) => others += 1,
                    _ => pinned += 1,
                }
                at = next;
            }
            pinned > others
        }
    }
}

impl Arena {
    /// Whether another chunk of this size may be closed: what is closed and not yet freed takes little.
    fn may_close(&self, size: usize) -> bool {
        let closed = self.closed.load(Ordering::Relaxed);
        closed == 0 || closed + size as u64 <= self.most_closed()
    }

    /// The bytes of closed chunks at which no other chunk is closed.
    pub(super) fn most_closed(&self) -> u64 {
        self.account.bytes() / PART_OF_MAX
    }

    /// The oldest chunk that does not seem pinned. Those that it skips become the youngest, a few at most in one call.
    /// Only for the table's writer.
    pub(super) fn oldest(&self) -> Option<Oldest> {
        const PASSED: usize = 64;
        let mut chunks = self.chunks.lock();
        let mut chunk = chunks.oldest();
        // SAFETY: chunks in the list are alive; only the writer takes entries out of the table.
        unsafe {
            let mut passed = 0;
            while chunk.is_null() || Chunk::seems_pinned(chunk) {
                if chunk.is_null() || passed == PASSED {
                    return None;
                }
                chunks.renew(chunk);
                chunk = chunks.oldest();
                passed += 1;
            }
            if (*chunk).single {
                chunks.renew(chunk);
                let block = NonNull::new_unchecked(chunk.byte_add(CHUNK_HEADER).cast::<Header>());
                // Read under the lock: another thread frees a draft, or the last pin of a former entry, at any moment.
                let is_entry = (*block.as_ptr()).shares.load(Ordering::Relaxed) & IN_TABLE != 0;
                return Some(Oldest::Single(is_entry.then_some(block)));
            }
            if !self.may_close((*chunk).size) {
                return None;
            }
            Some(Oldest::Closed(self.close(chunks, chunk)))
        }
    }

    /// The number of chunks that were linked so far.
    pub(super) fn age(&self) -> u32 {
        self.chunks.lock().linked
    }

    /// Whether every chunk is new, or was made the youngest again, since the arena had this age.
    pub(super) fn is_renewed_since(&self, age: u32) -> bool {
        let chunks = self.chunks.lock();
        let oldest = chunks.oldest();
        // SAFETY: chunks in the list are alive.
        oldest.is_null() || unsafe { (*oldest).age }.wrapping_sub(age) as i32 >= 0
    }

    /// Closes a sparse chunk: the sparsest of a few. Only for the table's writer.
    pub(super) fn close_sparse(&self) -> Option<Closing> {
        const LOOKS: usize = 16;
        let mut chunks = self.chunks.lock();
        let (mut best, mut best_part) = (ptr::null_mut(), 0);
        let mut at = chunks.cursor;
        // SAFETY: chunks in the list are alive.
        unsafe {
            for _ in 0..LOOKS {
                if at.is_null() {
                    at = chunks.list.first;
                    if at.is_null() {
                        break;
                    }
                }
                let part = (*at).holes as usize * 256 / (*at).size;
                if part > best_part && at != chunks.carving && !(*at).is_kept {
                    (best, best_part) = (at, part);
                }
                at = (*at).next;
            }
            (chunks.cursor, chunks.cursor_units) = (at, CURSOR);
            if best_part < 256 / 6 || !self.may_close((*best).size) {
                return None;
            }
            Some(self.close(chunks, best))
        }
    }

    /// An entry without pins that takes at least and at most this much: the next one that does not survive, or else the
    /// first one, of those that a bounded search passes. Searches continue where the last one ended. Only for the
    /// table's writer.
    pub(super) fn next_fitting(
        &self,
        least: u64,
        most: u64,
        survives: impl Fn(NonNull<Header>) -> bool,
    ) -> Option<NonNull<Header>> {
        const LOOKS: usize = 128;
        if least > LARGEST as u64 {
            return None;
        }
        let mut chunks = self.chunks.lock();
        let (mut chunk, mut at) = (chunks.cursor, chunks.cursor_units as usize * UNIT);
        // At the process's limit another cache might take the room of a chunk that is freed.
        let smallest = if self.is_pressed() { CHUNK_HEADER + 2 * least as usize } else { 0 };
        let mut first = None;
        // SAFETY: chunks in the list are alive; only the writer takes entries out of the table. Blocks are cut, but
        // never joined, so that a block begins at the offset.
        unsafe {
            for _ in 0..LOOKS {
                if chunk.is_null() {
                    (chunk, at) = (chunks.oldest(), CHUNK_HEADER);
                }
                let is_searched = !chunk.is_null()
                    && !(*chunk).single
                    && !(*chunk).is_barren.load(Ordering::Relaxed)
                    && (*chunk).size >= smallest;
                let Some((block, next)) = is_searched.then(|| Chunk::block_at(chunk, at)).flatten() else {
                    if chunk.is_null() {
                        break;
                    }
                    (chunk, at) = ((*chunk).next, CHUNK_HEADER);
                    continue;
                };
                let fits = (least..=most).contains(&((next - at) as u64));
                at = next;
                let header = &*block.as_ptr();
                if fits && header.shares.load(Ordering::Relaxed) & (IN_TABLE | COUNT) == IN_TABLE {
                    if !survives(block) {
                        (chunks.cursor, chunks.cursor_units) = (chunk, (at / UNIT) as u16);
                        return Some(block);
                    }
                    first = first.or(Some(block));
                }
            }
        }
        (chunks.cursor, chunks.cursor_units) = (chunk, (at / UNIT) as u16);
        first
    }

    /// # Safety
    /// The chunk is in the list of these `chunks`, and holds several blocks.
    unsafe fn close(&self, mut chunks: BiasedGuard<'_, Chunks>, chunk: *mut Chunk) -> Closing {
        // SAFETY: the caller's promise; the closing chunk gets the list's share.
        unsafe {
            chunks.close(chunk);
            self.closed.fetch_add((*chunk).size as u64, Ordering::Relaxed);
            self.publish(&chunks);
            Closing::new(NonNull::new_unchecked(chunk))
        }
    }

    /// Retires a chunk that all entries have left. Retired objects are collected at `most` bytes.
    pub(super) fn retire(&self, closing: Closing, most: u64) {
        let chunk = closing.into_chunk();
        // SAFETY: readers cannot find the former entries any more; the chunk is in no list, so it begins with its part.
        unsafe { retire_part(NonNull::new_unchecked(chunk.cast()), (*chunk).size as u64, most, free_closed) };
    }

    /// Takes all chunks out, for a table that gives up all its entries. Only for the table's writer.
    pub(super) fn detach(&self, closing: Option<Closing>) -> DetachedChunks {
        let mut chunks = self.chunks.lock();
        let (id, abandoned) = (chunks.id, chunks.abandoned);
        let taken = std::mem::replace(&mut *chunks, Chunks { id, abandoned, ..Chunks::default() });
        if taken.holes.has_lists() {
            self.account.shrink(Holes::bytes());
        }
        let (mut next, mut bytes) = (taken.list.first, 0);
        while !next.is_null() {
            // SAFETY: chunks in the list are alive.
            unsafe {
                (*next).list.store(0, Ordering::Relaxed);
                bytes += (*next).size as u64;
                next = (*next).next;
            }
        }
        let mut first = taken.list.first;
        if let Some(closing) = closing {
            let chunk = closing.into_chunk();
            // SAFETY: the chunk is in no list, and its share becomes that of the detached chunks.
            unsafe {
                (*chunk).next = first;
                self.closed.fetch_sub((*chunk).size as u64, Ordering::Relaxed);
                bytes += (*chunk).size as u64;
            }
            first = chunk;
        }
        self.set_live(0);
        self.owe_nothing();
        self.pressed.store(false, Ordering::Relaxed);
        self.publish(&chunks);
        drop(chunks);
        // SAFETY: nothing else uses spare chunks; the arena's share is ours now.
        unsafe { release_all(taken.spare) };
        DetachedChunks { first, bytes }
    }

    /// Releases the chunks of a table that is gone. None of their entries is in it. From now on no chunk comes back.
    pub(super) fn abandon(&self) {
        self.chunks.lock().abandoned = true;
        // SAFETY: the shares of the detached chunks are ours.
        unsafe { release_all(self.detach(None).first) };
    }
}

/// Releases all chunks of a chain.
///
/// # Safety
/// The caller has the shares, and is the only one that uses the links. The table is gone, or the chunks are unused.
unsafe fn release_all(first: *mut Chunk) {
    let mut next = first;
    while !next.is_null() {
        let chunk = next;
        // SAFETY: the caller's promise: the share that is released last keeps the chunk alive.
        unsafe {
            next = (*chunk).next;
            Chunk::trim(chunk);
            Chunk::release(chunk);
        }
    }
}

/// The oldest chunk.
pub(super) enum Oldest {
    /// It holds a single block, and is the youngest now; its entry, if that is in the table.
    Single(Option<NonNull<Header>>),
    /// It holds several blocks, and is closed.
    Closed(Closing),
}

/// Frees the blocks of a chunk that was retired, and with the last one the chunk.
unsafe fn free_closed(part: NonNull<Part>, hazards: &HazardSet, left: &mut RetireList) {
    let chunk = part.cast::<Chunk>().as_ptr();
    // SAFETY: only closed chunks are retired with this function, and they begin with their part.
    unsafe {
        let arena = (*chunk).arena.clone();
        if let Some(arena) = &arena {
            arena.closed.fetch_sub((*chunk).size as u64, Ordering::Relaxed);
        }
        if !leave(chunk, hazards, left) && !arena.is_some_and(|arena| arena.keep_spare(chunk)) {
            Chunk::release(chunk);
        }
    }
}

/// Gives up the former entries of a chunk that has left its table. If some of them may be in use, because it has
/// counted shares or a hazard slot has an address in it, each block is visited, and the chunk goes back to its arena,
/// or is trimmed if the table is gone. Returns whether it went back; otherwise the caller still has its share.
///
/// # Safety
/// The chunk's share is the caller's, and no read section can reach its entries.
unsafe fn leave(chunk: *mut Chunk, hazards: &HazardSet, left: &mut RetireList) -> bool {
    // SAFETY: our share keeps the chunk alive.
    unsafe {
        // Hazard slots first, then shares: a pin may move from a slot to a share, but never back.
        if hazards.contains_any_in(chunk.cast(), (*chunk).size) || (*chunk).shares.load(Ordering::Acquire) != 1 {
            Chunk::for_each(chunk, |block| release::leave_table(block, hazards, left));
            let arena = (*chunk).arena.clone();
            if arena.is_some_and(|arena| arena.take_back(chunk)) {
                return true;
            }
            Chunk::trim(chunk);
        }
    }
    false
}

/// The chunks that a table has given up, with its former entries.
pub(super) struct DetachedChunks {
    first: *mut Chunk,
    bytes: u64,
}

impl DetachedChunks {
    pub(super) const NONE: DetachedChunks = DetachedChunks { first: ptr::null_mut(), bytes: 0 };

    /// The bytes of the chunks.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Releases the chunks; entries that are in use stay.
    ///
    /// # Safety
    /// No read section can reach the entries any more.
    pub(super) unsafe fn free(self, hazards: &HazardSet, left: &mut RetireList) {
        let mut next = self.first;
        while !next.is_null() {
            let chunk = next;
            // SAFETY: the detached chunks' share keeps each chunk alive until it is given up.
            unsafe {
                next = (*chunk).next;
                if !leave(chunk, hazards, left) {
                    Chunk::release(chunk);
                }
            }
        }
    }
}
