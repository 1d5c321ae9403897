//! An entry that is being written, before it is in a table. A computation writes its value into one.

use std::ptr::NonNull;
use std::slice;

use super::allocate::Short;
use super::arena::{Arena, Chunk, LazyArena};
use super::entry::weight;
use super::header::{
    HEADER, Header, IN_TABLE, LARGE, Standing, UNTOUCHED, UNTRACKED, UNVISITED, header_len, link_of, value_offset,
};
use super::pin::Pinned;
use super::size_class::LARGEST;
use crate::epoch::retire::{self, Retired};
use crate::epoch::{Changing, Participant, flush, without_fork};
use crate::error::{Error, Result};
use crate::memory::{Bounds, spare};
use crate::sync::TryArc;
use crate::sync::atomic::Ordering;

/// The memory of a table, for drafts, and the bounds within which it may grow.
#[derive(Clone, Copy)]
pub struct Memory<'t> {
    pub(super) arena: &'t LazyArena,
    pub(super) bounds: Bounds,
    /// Whether a draft for which there is no room fails. Otherwise it belongs to no table until it is inserted: by then
    /// there may be room, and a computed value is never lost.
    pub(super) strict: bool,
}

impl Memory<'_> {
    /// A draft for which there is no room fails ([`Draft::refused`]).
    pub fn strictly(self) -> Self {
        Memory { strict: true, ..self }
    }
}

/// How an entry is stored: what the table may hold, and what the entry is worth.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// What the table may hold.
    pub bounds: Bounds,
    /// Nanoseconds of the value's computation.
    pub cost: u64,
    /// The nanoseconds that a byte of the table's entries costs, on average; 0 if that is not known.
    pub mean_worth: f32,
}

impl Terms {
    /// Those of a table without bounds.
    pub const NONE: Terms = Terms { bounds: Bounds::NONE, cost: 0, mean_worth: 0.0 };

    fn standing(&self) -> Standing {
        let access = if self.bounds.evicts() { UNTOUCHED } else { UNTRACKED };
        Standing { access, credits: UNVISITED, cost: self.cost }
    }
}

/// The bytes reserved for the value of a draft; none at first.
#[derive(Default)]
pub struct Reservation(Option<(Pinned, usize)>);

impl Reservation {
    /// Reserves `len` bytes of unspecified values for the value of `key`, within these bounds.
    pub(super) fn try_new(
        key: &[u8],
        len: usize,
        arena: &TryArc<Arena>,
        bounds: &Bounds,
    ) -> std::result::Result<Self, Short> {
        let mut pinned = allocate(key, len, Some((arena, bounds)))??;
        // SAFETY: the block is new, and has room for the value.
        unsafe { freeze(value_start(&mut pinned), len) };
        Ok(Reservation(Some((pinned, len))))
    }

    /// The finished entry, if all reserved bytes are the value; else the reservation.
    #[inline(always)]
    pub fn finish(self) -> std::result::Result<OwnedEntry, Self> {
        match self.0 {
            Some((pinned, kept)) if kept == pinned.value().len() => Ok(OwnedEntry(pinned)),
            _ => Err(self),
        }
    }

    /// Reserves `len` bytes for the value of `key`, zeroed or uninitialized, if nothing is reserved and the memory has
    /// a block for it at once: a hole, or a part of its newest chunk.
    #[inline(always)]
    pub fn reserve_at_once(&mut self, key: &[u8], len: usize, memory: &Memory, zeroed: bool) -> Option<&mut [u8]> {
        if self.0.is_some() {
            return None;
        }
        let header = draft_at_once(key, len, memory)?;
        // SAFETY: the block is new. It has one share, which becomes the pin's, and room for the value.
        unsafe {
            let start = header.as_ptr().cast::<u8>().add(value_offset(key.len()));
            if zeroed {
                start.write_bytes(0, len);
            } else {
                freeze(start, len);
            }
            self.0 = Some((Pinned::from_share(header), len));
            Some(slice::from_raw_parts_mut(start, len))
        }
    }

    /// The value so far, for writing.
    #[inline(always)]
    pub fn value_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            None => &mut [],
            // SAFETY: only this reservation points to the block, and its value is initialized.
            Some((pinned, kept)) => unsafe { &mut value_mut(pinned)[..*kept] },
        }
    }
}

/// An entry that is being written.
pub struct Draft<'k> {
    key: &'k [u8],
    /// The memory of its table; None for a value that is not stored in a table.
    memory: Option<Memory<'k>>,
    reservation: Reservation,
    refused: Option<Short>,
}

impl<'k> Draft<'k> {
    /// A draft for `key` with an empty value, for the table with this memory, if any. Allocates nothing.
    pub fn new(key: &'k [u8], memory: Option<Memory<'k>>) -> Self {
        Self::resume(key, memory, Reservation(None))
    }

    /// Continues with the reservation of another draft of the same key.
    pub fn resume(key: &'k [u8], memory: Option<Memory<'k>>, reservation: Reservation) -> Self {
        Draft { key, memory, reservation, refused: None }
    }

    /// The reservation, with which another draft can continue.
    pub fn pause(self) -> Reservation {
        self.reservation
    }

    /// Moves the draft out and leaves an empty one.
    pub fn take(&mut self) -> Self {
        let reservation = Reservation(self.reservation.0.take());
        Draft { key: self.key, memory: self.memory, reservation, refused: self.refused }
    }

    /// The key that the value is for.
    pub fn key(&self) -> &'k [u8] {
        self.key
    }

    /// Makes the value `len` zero bytes and returns them for writing. A previous value is dropped.
    pub fn reserve(&mut self, len: usize) -> Result<&mut [u8]> {
        // SAFETY: the block is new, only this draft points to it, and it has room for the value.
        self.reserve_with(len, |value| unsafe { value.write_bytes(0, len) })
    }

    /// As [`Draft::reserve`], but the bytes have unspecified values: faster if all of them are written.
    pub fn reserve_uninitialized(&mut self, len: usize) -> Result<&mut [u8]> {
        // SAFETY: as in `reserve`.
        self.reserve_with(len, |value| unsafe { freeze(value, len) })
    }

    /// Makes the value a copy of `value`.
    pub fn write(&mut self, value: &[u8]) -> Result<()> {
        // SAFETY: as in `reserve`.
        let copy = |place: *mut u8| unsafe { place.copy_from_nonoverlapping(value.as_ptr(), value.len()) };
        self.reserve_with(value.len(), copy).map(drop)
    }

    /// Makes the value `len` bytes, which `initialize` initializes: those that are reserved, if they are as many.
    fn reserve_with(&mut self, len: usize, initialize: impl FnOnce(*mut u8)) -> Result<&mut [u8]> {
        let same = self.reservation.0.take_if(|(pinned, _)| pinned.value().len() == len);
        self.reservation.0 = None;
        let mut pinned = match same {
            Some((pinned, _)) => pinned,
            None => self.allocate(len)?,
        };
        // SAFETY: only this draft points to the block.
        initialize(unsafe { value_start(&mut pinned) });
        self.reservation.0 = Some((pinned, len));
        Ok(self.reservation.value_mut())
    }

    /// Why a draft in strict memory failed; None if there was room.
    pub fn refused(&self) -> Option<Short> {
        self.refused
    }

    /// A new block for the key and a value of `len` bytes, which are not initialized.
    fn allocate(&mut self, len: usize) -> Result<Pinned> {
        if let Some(memory) = self.memory {
            let arena = memory.arena.get_or_try_init()?;
            let attempt = || allocate(self.key, len, Some((&arena, &memory.bounds)));
            let mut made = attempt()?;
            if made.is_err() && memory.strict && retire::may_free() {
                flush();
                made = attempt()?;
            }
            match made {
                Ok(pinned) => return Ok(pinned),
                Err(short) if memory.strict => {
                    self.refused = Some(short);
                    return Err(Error::OutOfMemory(len));
                }
                Err(_) => {}
            }
        }
        let attempt = || allocate(self.key, len, None)?.map_err(|_| Error::OutOfMemory(len));
        match attempt() {
            Err(Error::OutOfMemory(_)) => {
                if retire::may_free() {
                    flush();
                }
                spare::make_room();
                attempt()
            }
            attempted => attempted,
        }
    }

    /// Keeps the first `len` bytes of the value, which do not move until the draft is finished.
    pub fn truncate(&mut self, len: usize) -> Result<()> {
        check_shorter(self.value().len(), len)?;
        if let Some((_, kept)) = &mut self.reservation.0 {
            *kept = len;
        }
        Ok(())
    }

    /// The value so far, for writing.
    pub fn value_mut(&mut self) -> &mut [u8] {
        self.reservation.value_mut()
    }

    /// The value so far.
    pub fn value(&self) -> &[u8] {
        self.reservation.0.as_ref().map_or(&[], |(pinned, kept)| &pinned.value()[..*kept])
    }

    /// Finishes the entry, in a block of the size that it needs. An entry outside tables may waste up to half of
    /// it.
    pub fn finish(mut self) -> Result<OwnedEntry> {
        match std::mem::take(&mut self.reservation).finish() {
            Ok(entry) => Ok(entry),
            Err(reservation) => self.finish_in_another_size(reservation),
        }
    }

    fn finish_in_another_size(mut self, reservation: Reservation) -> Result<OwnedEntry> {
        match reservation.0 {
            None => self.allocate(0).map(OwnedEntry),
            Some((pinned, kept)) if is_outside_tables(&pinned) && is_little_shorter(kept, pinned.value().len()) => {
                Ok(shortened(pinned, kept))
            }
            Some((pinned, kept)) => match self.allocate(kept) {
                Ok(mut shorter) => {
                    // SAFETY: the block is new, and has room for this many bytes.
                    unsafe { value_start(&mut shorter).copy_from_nonoverlapping(pinned.value().as_ptr(), kept) };
                    Ok(OwnedEntry(shorter))
                }
                // Rather a value that wastes memory than one that is lost.
                Err(_) if self.refused.is_none() && is_alone(&pinned) && kept < LARGE as usize => {
                    Ok(shortened(pinned, kept))
                }
                Err(error) => Err(error),
            },
        }
    }
}

/// Fails if a value of `reserved` bytes cannot be truncated to `len`.
pub fn check_shorter(reserved: usize, len: usize) -> Result<()> {
    if len <= reserved {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "a value of {reserved} reserved bytes cannot be truncated to {len}; reserve more first"
    )))
}

/// Whether the entry's memory belongs to no table.
fn is_outside_tables(pinned: &Pinned) -> bool {
    // SAFETY: the pin keeps the entry alive, and with it the chunk.
    unsafe { Chunk::is_outside_tables(Chunk::of(pinned.entry().header())) }
}

/// Whether the entry's chunk holds no other block.
fn is_alone(pinned: &Pinned) -> bool {
    // SAFETY: the pin keeps the entry alive, and with it the chunk.
    unsafe { (*Chunk::of(pinned.entry().header())).single }
}

/// The entry with the first `kept` bytes of its value, which are fewer than [`LARGE`]. Only its draft has it, and its
/// chunk holds no other block.
fn shortened(pinned: Pinned, kept: usize) -> OwnedEntry {
    // SAFETY: as the caller promises.
    unsafe { (*pinned.entry().header().as_ptr()).value_len = kept as u32 };
    OwnedEntry(pinned)
}

/// Whether a value that keeps `kept` of its reserved bytes may stay in its block: the length fits into the header, and
/// at most half of the block is wasted.
fn is_little_shorter(kept: usize, reserved: usize) -> bool {
    kept < reserved && reserved < LARGE as usize && kept >= reserved / 2
}

/// A finished entry that only its maker holds, ready to be inserted into a table.
pub struct OwnedEntry(Pinned);

impl OwnedEntry {
    /// The value's bytes. (The pin stays private: a clone of it would not be counted when the entry is inserted.)
    pub fn value(&self) -> &[u8] {
        self.0.value()
    }

    /// The bytes that the entry takes in the heap.
    #[inline(always)]
    pub fn weight(&self) -> u64 {
        self.0.weight()
    }

    /// The entry as a pin, without a table.
    pub fn into_pinned(self) -> Pinned {
        self.0
    }
}

/// A key and a value that a table can insert.
pub(super) trait IntoEntry {
    fn key(&self) -> &[u8];

    /// The bytes that the entry takes.
    fn weight(&self) -> u64;

    /// Makes it an entry of the table that uses `arena`, with the table's share. The table publishes it afterwards.
    /// Only for the table's writer, the thread with this participant.
    fn make_entry(
        &mut self,
        thread: &'static Participant,
        arena: &TryArc<Arena>,
        terms: &Terms,
    ) -> std::result::Result<NonNull<Header>, Short>;
}

impl IntoEntry for OwnedEntry {
    fn key(&self) -> &[u8] {
        self.0.key()
    }

    #[inline(always)]
    fn weight(&self) -> u64 {
        OwnedEntry::weight(self)
    }

    #[inline(always)]
    fn make_entry(
        &mut self,
        thread: &'static Participant,
        arena: &TryArc<Arena>,
        terms: &Terms,
    ) -> std::result::Result<NonNull<Header>, Short> {
        // SAFETY: the pin keeps the chunk alive.
        if !unsafe { Chunk::admits_entry(Chunk::of(self.0.entry().header()), arena) } {
            self.move_into(arena, &terms.bounds)?;
        }
        let header = self.0.entry().header();
        let standing = terms.standing();
        // SAFETY: no other thread has the block: an OwnedEntry is its only owner.
        unsafe {
            // A slot is released by a store, a share by two locked instructions.
            let shares = self.0.give_share_for_slot(thread);
            (*header.as_ptr()).access.store(standing.access, Ordering::Relaxed);
            (*header.as_ptr()).credits.store(standing.credits, Ordering::Relaxed);
            (*header.as_ptr()).shares.store(IN_TABLE | shares, Ordering::Relaxed);
            link_of(header).write(Retired { next: std::ptr::without_provenance_mut(standing.cost as usize) });
        }
        Ok(header)
    }
}

impl OwnedEntry {
    /// Moves the entry into a block of the table that uses `arena`. The table may have been cleared since the entry was
    /// begun, or had no room then.
    #[cold]
    #[inline(never)]
    fn move_into(&mut self, arena: &TryArc<Arena>, bounds: &Bounds) -> std::result::Result<(), Short> {
        let entry = self.0.entry();
        let bytes = entry.block_len();
        // SAFETY: the pin keeps the chunk alive, and is the only owner of the entry.
        unsafe {
            if bytes > LARGEST
                && Chunk::is_outside_tables(Chunk::of(entry.header()))
                && Arena::adopt(arena, entry.header(), bytes, bounds)?
            {
                return Ok(());
            }
        }
        let mut moved = allocate(self.0.key(), self.0.value().len(), Some((arena, bounds)))??;
        // SAFETY: the block is new, and has room for this many bytes.
        unsafe { value_start(&mut moved).copy_from_nonoverlapping(self.0.value().as_ptr(), self.0.value().len()) };
        self.0 = moved;
        Ok(())
    }
}

/// A key and a value of the caller, which the table copies into an entry. Only the table has a share in that.
pub(super) struct BorrowedEntry<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
}

impl IntoEntry for BorrowedEntry<'_> {
    fn key(&self) -> &[u8] {
        self.key
    }

    fn weight(&self) -> u64 {
        weight(self.key.len(), self.value.len())
    }

    #[inline(always)]
    fn make_entry(
        &mut self,
        thread: &'static Participant,
        arena: &TryArc<Arena>,
        terms: &Terms,
    ) -> std::result::Result<NonNull<Header>, Short> {
        let (within, standing) = ((arena, &terms.bounds), terms.standing());
        let header = match block_at_once(thread, self.key, self.value.len(), IN_TABLE, within, standing) {
            Some(header) => header,
            None => block(self.key, self.value.len(), IN_TABLE, Some(within), standing)??,
        };
        // SAFETY: the block is new, and has room for the value at its offset.
        unsafe {
            let start = header.as_ptr().cast::<u8>().add(value_offset(self.key.len()));
            start.copy_from_nonoverlapping(self.value.as_ptr(), self.value.len());
        }
        Ok(header)
    }
}

/// The arena in which a block is made, and the bounds within which it may grow.
type Within<'a> = (&'a TryArc<Arena>, &'a Bounds);

/// Why there is no block: the outer error is the key's or that of an impossible length.
type Block<T> = Result<std::result::Result<T, Short>>;

/// A block for a draft, as [`block_at_once`].
#[inline(never)]
fn draft_at_once(key: &[u8], value_len: usize, memory: &Memory) -> Option<NonNull<Header>> {
    // A fork in between would find the arena's lock held.
    let changing = Changing::begin();
    let within = (&*memory.arena.get_arc()?, &memory.bounds);
    block_at_once(changing.participant(), key, value_len, 1, within, Standing::NONE)
}

/// As [`block`]; None if that would make a chunk, or fail.
#[inline(always)]
fn block_at_once(
    thread: &'static Participant,
    key: &[u8],
    value_len: usize,
    shares: u32,
    (arena, bounds): Within,
    standing: Standing,
) -> Option<NonNull<Header>> {
    if key.len().max(value_len) > LARGEST {
        return None;
    }
    let bytes = value_offset(key.len()) + value_len;
    let header = arena.block_at_once(thread, bytes, shares == 1, bounds, |block, units| {
        let (key_len, value_len) = (key.len() as u32, value_len as u32);
        // SAFETY: the block is new, and has room for the header.
        unsafe { block.write(Header::new(key_len, value_len, shares, units, standing)) };
    })?;
    // SAFETY: the block has room for the key after the header.
    unsafe { header.cast::<u8>().add(HEADER).copy_from_nonoverlapping(NonNull::from(key).cast(), key.len()) };
    Some(header)
}

/// A new block for `key` and a value of `value_len` bytes, which are not initialized.
fn allocate(key: &[u8], value_len: usize, within: Option<Within>) -> Block<Pinned> {
    // A fork in between would find the arena's lock held, and the child would lose all chunks of the arena.
    without_fork(|| {
        // SAFETY: the block has one share, which becomes the pin's.
        let pin = |header| unsafe { Pinned::from_share(header) };
        block(key, value_len, 1, within, Standing::NONE).map(|made| made.map(pin))
    })
}

/// A new block for `key` and a value that is not initialized, with these shares.
#[cold]
#[inline(never)]
fn block(
    key: &[u8],
    value_len: usize,
    shares: u32,
    within: Option<Within>,
    standing: Standing,
) -> Block<NonNull<Header>> {
    let Ok(key_len) = u32::try_from(key.len()) else {
        return Err(Error::invalid(format!("a key of {} bytes is too long for a table; shorten it", key.len())));
    };
    let bytes = value_offset(key.len()).checked_add(value_len).ok_or(Error::OutOfMemory(value_len))?;
    let begin = |block: NonNull<Header>, units| {
        // SAFETY: the block is new, and has room for the header.
        unsafe { block.write(Header::new(key_len, header_len(value_len), shares, units, standing)) };
    };
    let made = match within {
        Some((arena, bounds)) => Arena::block(arena, bytes, shares == 1, bounds, true, begin),
        None => Arena::block_outside(bytes, begin).map_err(Short::from),
    };
    if let Ok(header) = made {
        // SAFETY: the block has room for the key after the header.
        unsafe { header.cast::<u8>().add(HEADER).copy_from_nonoverlapping(NonNull::from(key).cast(), key.len()) };
    }
    Ok(made)
}

/// Turns memory that may be uninitialized into initialized bytes of unknown value, at no cost.
///
/// # Safety
/// Only the caller accesses the `len` bytes at `start`, and may write them.
#[inline(always)]
unsafe fn freeze(start: *mut u8, len: usize) {
    if cfg!(miri) {
        // SAFETY: the caller's promise.
        return unsafe { start.write_bytes(0, len) };
    }
    // SAFETY: the instruction is a comment. The compiler must assume that it has written all the bytes, so they count
    // as initialized and may be read.
    unsafe { std::arch::asm!("/* {0} {1} */", in(reg) start, in(reg) len, options(nostack, preserves_flags)) };
}

/// The start of the value of a block.
///
/// # Safety
/// `pinned` is the block's only owner.
unsafe fn value_start(pinned: &mut Pinned) -> *mut u8 {
    let entry = pinned.entry();
    // SAFETY: the offset is inside the block.
    unsafe { entry.header().as_ptr().cast::<u8>().add(value_offset(entry.key_len())) }
}

/// The value of a block, for writing.
///
/// # Safety
/// `pinned` is the block's only owner, and the value is initialized.
unsafe fn value_mut(pinned: &mut Pinned) -> &mut [u8] {
    let len = pinned.entry().value_len();
    // SAFETY: as for `EntryRef::value`; by the caller's promise no other reference exists.
    unsafe { slice::from_raw_parts_mut(value_start(pinned), len) }
}

#[cfg(test)]
#[path = "draft_tests.rs"]
mod tests;
