//! An entry that is being written, before it is in a table. A computation writes its value into one.

use std::ptr::NonNull;
use std::slice;

use super::arena::{Arena, Chunk, LazyArena};
use super::entry::weight;
use super::header::{CHARGED, COUNT, HEADER, Header, IN_TABLE, LARGE, value_offset};
use super::pin::Pinned;
use crate::epoch::retire::{self, Retired};
use crate::epoch::{flush, without_fork};
use crate::error::{Error, Result};
use crate::sync::TryArc;
use crate::sync::atomic::{AtomicU32, Ordering};

/// The bytes reserved for the value of a draft; none at first.
#[derive(Default)]
pub struct Reservation(Option<(Pinned, usize)>);

impl Reservation {
    /// The value so far, for writing.
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
    arena: Option<&'k LazyArena>,
    reservation: Reservation,
}

impl<'k> Draft<'k> {
    /// A draft for `key` with an empty value, for the table of this arena, if any. Allocates nothing.
    pub fn new(key: &'k [u8], arena: Option<&'k LazyArena>) -> Self {
        Self::resume(key, arena, Reservation(None))
    }

    /// Continues with the reservation of another draft of the same key.
    pub fn resume(key: &'k [u8], arena: Option<&'k LazyArena>, reservation: Reservation) -> Self {
        Draft { key, arena, reservation }
    }

    /// The reservation, with which another draft can continue.
    pub fn pause(self) -> Reservation {
        self.reservation
    }

    /// Moves the draft out and leaves an empty one.
    pub fn take(&mut self) -> Self {
        Draft { key: self.key, arena: self.arena, reservation: Reservation(self.reservation.0.take()) }
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

    /// Makes the value `len` bytes, which `initialize` initializes.
    fn reserve_with(&mut self, len: usize, initialize: impl FnOnce(*mut u8)) -> Result<&mut [u8]> {
        self.reservation.0 = None;
        let mut pinned = self.allocate(len)?;
        // SAFETY: the block is new, and only this draft points to it.
        initialize(unsafe { value_start(&mut pinned) });
        self.reservation.0 = Some((pinned, len));
        Ok(self.reservation.value_mut())
    }

    /// A new block for the key and a value of `len` bytes, which are not initialized.
    fn allocate(&self, len: usize) -> Result<Pinned> {
        let attempt = || {
            let arena = self.arena.map(LazyArena::get_or_try_init).transpose()?;
            allocate(self.key, len, arena.as_deref())
        };
        match attempt() {
            Err(Error::OutOfMemory(_)) if retire::may_free() => {
                flush();
                attempt()
            }
            attempted => attempted,
        }
    }

    /// Keeps the first `len` bytes of the value, which do not move until the draft is finished.
    pub fn truncate(&mut self, len: usize) -> Result<()> {
        let reserved = self.value().len();
        if len > reserved {
            return Err(Error::invalid(format!(
                "a value of {reserved} reserved bytes cannot be truncated to {len}; reserve more first"
            )));
        }
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
    pub fn finish(self) -> Result<OwnedEntry> {
        match self.reservation.0 {
            None => self.allocate(0).map(OwnedEntry),
            Some((pinned, kept)) if is_outside_tables(&pinned) && is_little_shorter(kept, pinned.value().len()) => {
                // SAFETY: only this draft has the entry, and its chunk holds no other block.
                unsafe { (*pinned.entry().header().as_ptr()).value_len = kept as u32 };
                Ok(OwnedEntry(pinned))
            }
            Some((pinned, kept)) if kept < pinned.value().len() => {
                let arena = self.arena.map(LazyArena::get_or_try_init).transpose()?;
                copy(&pinned, kept, arena.as_deref()).map(OwnedEntry)
            }
            Some((pinned, _)) => Ok(OwnedEntry(pinned)),
        }
    }
}

/// Whether the entry's memory belongs to no table.
fn is_outside_tables(pinned: &Pinned) -> bool {
    // SAFETY: the pin keeps the entry alive, and with it the chunk.
    unsafe { Chunk::is_outside_tables(Chunk::of(pinned.entry().header())) }
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

    /// The bytes that it takes in the heap.
    fn weight(&self) -> u64;

    /// Makes it an entry of the table that uses `arena`: charged to the table's account, with the table's share. The
    /// table publishes it afterwards. None if the limit forbids it. Only for the table's writer.
    fn make_entry(&mut self, arena: &TryArc<Arena>, limit: u64) -> Result<Option<NonNull<Header>>>;
}

impl IntoEntry for OwnedEntry {
    fn key(&self) -> &[u8] {
        self.0.key()
    }

    fn weight(&self) -> u64 {
        OwnedEntry::weight(self)
    }

    fn make_entry(&mut self, arena: &TryArc<Arena>, limit: u64) -> Result<Option<NonNull<Header>>> {
        // The table may have been cleared since the entry was begun.
        // SAFETY: the pin keeps the chunk alive.
        if !unsafe { Chunk::is_attached_to(Chunk::of(self.0.entry().header()), arena) } {
            self.0 = copy(&self.0, self.0.value().len(), Some(arena))?;
        }
        if !arena.admit(self.weight(), limit) {
            return Ok(None);
        }
        // No other thread changes the shares: an OwnedEntry is the only owner of its block.
        self.0.entry().shares().store(IN_TABLE | CHARGED | 1, Ordering::Relaxed);
        Ok(Some(self.0.entry().header()))
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

    fn make_entry(&mut self, arena: &TryArc<Arena>, limit: u64) -> Result<Option<NonNull<Header>>> {
        let weight = self.weight();
        if !arena.admit(weight, limit) {
            return Ok(None);
        }
        let made = block(self.key, self.value.len(), IN_TABLE | CHARGED, Some(arena));
        let header = made.inspect_err(|_| {
            arena.dismiss(weight);
            arena.account.discharge(weight);
        })?;
        // SAFETY: the block is new, and has room for the value at its offset.
        unsafe {
            let start = header.as_ptr().cast::<u8>().add(value_offset(self.key.len()));
            start.copy_from_nonoverlapping(self.value.as_ptr(), self.value.len());
        }
        Ok(Some(header))
    }
}

/// A new block for `key` and a value of `value_len` bytes, which are not initialized.
fn allocate(key: &[u8], value_len: usize, arena: Option<&TryArc<Arena>>) -> Result<Pinned> {
    // A fork in between would find the arena's lock held, and the child would lose all chunks of the arena.
    // SAFETY: the block has one share, which becomes the pin's.
    without_fork(|| block(key, value_len, 1, arena).map(|header| unsafe { Pinned::from_share(header) }))
}

/// A new block for `key` and a value that is not initialized, with these shares.
fn block(key: &[u8], value_len: usize, shares: u32, arena: Option<&TryArc<Arena>>) -> Result<NonNull<Header>> {
    let Ok(key_len) = u32::try_from(key.len()) else {
        return Err(Error::invalid(format!("a key of {} bytes is too long for a table; shorten it", key.len())));
    };
    let bytes = value_offset(key.len()).checked_add(value_len).ok_or(Error::OutOfMemory(value_len))?;
    let header = Arena::block(arena, bytes, shares & COUNT != 0, |block, units| {
        let value_len = u32::try_from(value_len).unwrap_or(LARGE);
        let shares = AtomicU32::new(shares);
        // SAFETY: the block is new, and has room for the header.
        unsafe { block.write(Header { shares, key_len, units, value_len, link: Retired::NEW }) };
    })?;
    // SAFETY: the block has room for the key after the header.
    unsafe { header.cast::<u8>().add(HEADER).copy_from_nonoverlapping(NonNull::from(key).cast(), key.len()) };
    Ok(header)
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

/// A copy of an entry with the first `kept` bytes of its value.
fn copy(pinned: &Pinned, kept: usize, arena: Option<&TryArc<Arena>>) -> Result<Pinned> {
    let mut new = allocate(pinned.key(), kept, arena)?;
    // SAFETY: the block is new, and has room for this many bytes.
    unsafe { value_start(&mut new).copy_from_nonoverlapping(pinned.value().as_ptr(), kept) };
    Ok(new)
}

#[cfg(test)]
#[path = "draft_tests.rs"]
mod tests;
