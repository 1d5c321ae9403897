//! An entry: one block of memory that holds a header, the key's bytes, and the value's bytes at 16-byte alignment.
//!
//! ```text
//! | header, 24 bytes | key | padding to 16 | value |
//! ```
//!
//! An entry is written by one owner, as a [`Draft`], and never changes afterwards: replacing a value makes a new entry.
//! A reader looks at it as an [`EntryRef`] while its section lasts, and keeps it longer as a [`Pinned`].

use std::ffi::c_void;
use std::hint::cold_path;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;

use crate::epoch::participant::PinSlot;
use crate::epoch::retire::{HazardSet, RetireList};
use crate::epoch::without_fork;
use crate::error::{Error, Result};
use crate::sync::TryArc;
use crate::sync::atomic::{AtomicPtr, AtomicU32, Ordering, fence};
use crate::table::Table;
use crate::table::arena::{self, Arena, Chunk, UNIT};

/// Keys are at most this long.
pub const KEY_MAX: usize = i32::MAX as usize;

#[repr(C)]
pub(crate) struct Header {
    /// The number of counted shares: the maker's, those of pins, that of the list of what was taken out. And two flags.
    shares: AtomicU32,
    key_len: u32,
    /// How far the block stands from the start of its chunk.
    units: u32,
    /// `LARGE`: the chunk tells.
    value_len: u32,
    /// The next on the list of entries that were taken out of tables, or among the free blocks.
    pub(crate) next: *mut Header,
}

const HEADER: usize = size_of::<Header>();

/// The table has the entry: a share that is not counted, in the chunk neither.
const IN_TABLE: u32 = 1 << 31;
/// The entry is on the account, until it is freed.
const CHARGED: u32 = 1 << 30;
const COUNT: u32 = CHARGED - 1;
/// An entry that comes to so many shares is never freed: further pins of it are not counted.
const SATURATED: u32 = COUNT;
/// Above so many shares none is taken off any more. So a count that has come to `SATURATED` stays far above 0: it can fall
/// only by what threads were taking off at that very moment, one each.
const STICKY: u32 = SATURATED / 2;

/// A value of this length, or more.
const LARGE: u32 = u32::MAX;

/// Where the value starts in a block.
#[inline(always)]
fn value_offset(key_len: usize) -> usize {
    (HEADER + key_len + UNIT - 1) & !(UNIT - 1)
}

/// The memory that an entry with these lengths takes.
pub fn weight(key_len: usize, value_len: usize) -> u64 {
    arena::weight(value_offset(key_len).saturating_add(value_len))
}

impl Header {
    /// The chunk of a block.
    #[inline(always)]
    pub(crate) fn chunk(block: NonNull<Header>) -> *mut Chunk {
        // SAFETY: the block is in a chunk that is alive, and its place never changes.
        unsafe { block.byte_sub(block.as_ref().units as usize * UNIT).as_ptr().cast() }
    }

    /// The bytes of a block.
    ///
    /// # Safety
    /// The block is in a chunk that is alive.
    pub(crate) unsafe fn bytes(block: *mut Header) -> usize {
        // SAFETY: the lengths of a block stay when it is freed.
        let entry = unsafe { EntryRef::new(block) };
        value_offset(entry.key_len()) + entry.value_len()
    }

    /// Takes the table's share from an entry, if it has one, whose chunk the table has let go. One that a slot names goes on
    /// the list. Tells the weight of what stays.
    ///
    /// # Safety
    /// No section can reach the entry any more, and the caller has a share in the chunk.
    pub(crate) unsafe fn leave_table(block: *mut Header, hazards: &HazardSet, list: &mut RetireList) -> u64 {
        // SAFETY: the chunk is alive.
        unsafe {
            let shares = &(*block).shares;
            if shares.load(Ordering::Acquire) & IN_TABLE == 0 {
                return 0;
            }
            let weight = EntryRef::new(block).weight();
            if hazards.contains(block) {
                Self::count_table(block);
                list.push_entry(block);
                return weight;
            }
            match shares.fetch_sub(IN_TABLE, Ordering::AcqRel) & COUNT {
                0 => 0,
                _ => weight,
            }
        }
    }

    /// Makes the table's share a counted one, for one who has taken the entry out.
    ///
    /// # Safety
    /// The table had the entry, and nobody else does this.
    pub(crate) unsafe fn count_table(block: *mut Header) {
        // SAFETY: the table's share keeps the entry alive, and with it the chunk.
        unsafe {
            (*Self::chunk(NonNull::new_unchecked(block))).share();
            // A count that is saturated stays as it is, and its entry for good.
            let counted = |shares: u32| Some((shares & !IN_TABLE) + u32::from(shares & COUNT < SATURATED));
            let _ = (*block).shares.fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted);
        }
    }
}

/// A finished entry, to be read for as long as something keeps it alive: a section, a pin, a table's lock.
#[derive(Clone, Copy)]
pub struct EntryRef<'s> {
    header: NonNull<Header>,
    _alive: PhantomData<&'s ()>,
}

impl<'s> EntryRef<'s> {
    /// # Safety
    /// `header` starts a finished entry that lives for `'s`.
    #[inline(always)]
    pub(crate) unsafe fn new(header: *mut Header) -> Self {
        // SAFETY: the caller's promise.
        EntryRef { header: unsafe { NonNull::new_unchecked(header) }, _alive: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut Header {
        self.header.as_ptr()
    }

    #[inline(always)]
    fn key_len(self) -> usize {
        // SAFETY: the entry lives, and its lengths never change.
        unsafe { (*self.as_ptr()).key_len as usize }
    }

    #[inline(always)]
    fn value_len(self) -> usize {
        // SAFETY: as above.
        match unsafe { (*self.as_ptr()).value_len } {
            LARGE => {
                cold_path();
                self.large_value_len()
            }
            len => len as usize,
        }
    }

    #[inline(always)]
    fn large_value_len(self) -> usize {
        // SAFETY: the entry keeps its chunk alive, in which it is alone.
        unsafe { Chunk::single_block(Header::chunk(self.header)) - value_offset(self.key_len()) }
    }

    /// The key's bytes.
    #[inline(always)]
    pub fn key(self) -> &'s [u8] {
        // SAFETY: `key_len` bytes follow the header in the same block, initialized when the draft was made.
        unsafe { slice::from_raw_parts(self.as_ptr().cast::<u8>().add(HEADER), self.key_len()) }
    }

    /// The value's bytes, at 16-byte alignment.
    #[inline(always)]
    pub fn value(self) -> &'s [u8] {
        // SAFETY: `value_len` bytes stand there in the same block, zeroed or written before it was finished.
        unsafe {
            let start = self.as_ptr().cast::<u8>().add(value_offset(self.key_len()));
            slice::from_raw_parts(start, self.value_len())
        }
    }

    /// The bytes that this entry takes in the heap.
    pub fn weight(self) -> u64 {
        weight(self.key_len(), self.value_len())
    }

    #[inline]
    fn shares(&self) -> &AtomicU32 {
        // SAFETY: the entry lives.
        unsafe { &(*self.as_ptr()).shares }
    }
}

/// A finished entry, kept alive by this pin. Its key and value never change.
///
/// Invariant: `slot` names the entry, or, where it is null, one share in it is this pin's.
pub struct Pinned {
    header: NonNull<Header>,
    slot: *const PinSlot,
}

// SAFETY: the bytes are never written after an entry is finished; slots and shares are atomic.
unsafe impl Send for Pinned {}
// SAFETY: as above.
unsafe impl Sync for Pinned {}

impl Pinned {
    /// A pin that a slot keeps, in which the entry has just been written.
    #[inline(always)]
    pub(crate) fn in_slot(entry: EntryRef<'_>, slot: &'static PinSlot) -> Self {
        Pinned { header: entry.header, slot }
    }

    /// A pin that takes a share of its own.
    pub(crate) fn counted(entry: EntryRef<'_>) -> Self {
        static NOBODYS: PinSlot = AtomicPtr::new(ptr::null_mut());
        // Looked at before it is added to: a count that could overflow would carry into the flags.
        let more = |shares: u32| (shares & COUNT < SATURATED).then(|| shares + 1);
        if entry.shares().fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
            // The entry stays for good. The slot names nothing, and who empties it changes nothing.
            return Pinned { header: entry.header, slot: &NOBODYS };
        }
        // SAFETY: whatever keeps the entry alive now keeps its chunk too, until this share is there.
        unsafe { (*Header::chunk(entry.header)).share() };
        Pinned { header: entry.header, slot: ptr::null() }
    }

    /// Sets the count of shares to the highest that is counted, for a test that has no time for so many; tells the word.
    #[cfg(test)]
    pub(crate) fn saturate(&self) -> u32 {
        self.entry().shares().fetch_or(SATURATED, Ordering::Relaxed);
        self.shares_word()
    }

    /// The word that counts shares.
    #[cfg(test)]
    pub(crate) fn shares_word(&self) -> u32 {
        self.entry().shares().load(Ordering::Relaxed)
    }

    /// A pin from a share that somebody held otherwise.
    ///
    /// # Safety
    /// The share was the caller's, and is this pin's now.
    pub(crate) unsafe fn share(header: *mut Header) -> Self {
        // SAFETY: the caller's promise.
        Pinned { header: unsafe { NonNull::new_unchecked(header) }, slot: ptr::null() }
    }

    /// The entry, to read.
    #[inline(always)]
    pub fn entry(&self) -> EntryRef<'_> {
        EntryRef { header: self.header, _alive: PhantomData }
    }

    /// The key's bytes.
    pub fn key(&self) -> &[u8] {
        self.entry().key()
    }

    /// The value's bytes, at 16-byte alignment.
    #[inline]
    pub fn value(&self) -> &[u8] {
        self.entry().value()
    }

    /// The bytes that this entry takes in the heap.
    pub fn weight(&self) -> u64 {
        self.entry().weight()
    }

    /// Whether the entry stands in no table's memory.
    fn is_outside_tables(&self) -> bool {
        // SAFETY: the pin keeps the entry alive, and with it the chunk.
        unsafe { (*Header::chunk(self.header)).is_nobodys() }
    }

    /// Turns the pin into a pointer for a caller to keep; [`Pinned::drop_raw`] takes it back. The slot, or the entry with
    /// the lowest bit set.
    #[inline]
    pub fn into_raw(self) -> *mut c_void {
        let raw = match self.slot.is_null() {
            false => self.slot.cast_mut().cast(),
            true => self.header.as_ptr().cast::<c_void>().map_addr(|address| address | 1),
        };
        std::mem::forget(self);
        raw
    }

    /// Takes a pin back and drops it.
    ///
    /// # Safety
    /// `raw` came from [`Pinned::into_raw`] and is taken back once.
    pub unsafe fn drop_raw(raw: NonNull<c_void>) {
        // SAFETY: the caller's promise.
        if let (Some(header), false) = (counted(raw), unsafe { Self::drop_raw_in_slot(raw) }) {
            give_up(header);
        }
    }

    /// Takes a pin back and drops it, if a slot keeps it; says whether one does.
    ///
    /// # Safety
    /// As for [`Pinned::drop_raw`]; where it says no, the pin has not been taken back.
    #[inline(always)]
    pub unsafe fn drop_raw_in_slot(raw: NonNull<c_void>) -> bool {
        let in_slot = raw.addr().get() & 1 == 0;
        if in_slot {
            // SAFETY: the caller's promise; slots are never freed.
            unsafe { (*raw.as_ptr().cast::<PinSlot>()).store(ptr::null_mut(), Ordering::Release) };
        }
        in_slot
    }
}

/// The entry of a pin that is counted, from what [`Pinned::into_raw`] made of it.
#[inline(always)]
fn counted(raw: NonNull<c_void>) -> Option<NonNull<Header>> {
    match raw.addr().get() & 1 {
        0 => None,
        _ => NonNull::new(raw.as_ptr().map_addr(|address| address & !1).cast()),
    }
}

impl Clone for Pinned {
    #[inline]
    fn clone(&self) -> Self {
        Self::counted(self.entry())
    }
}

impl Drop for Pinned {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: slots are never freed.
        match unsafe { self.slot.as_ref() } {
            Some(slot) => slot.store(ptr::null_mut(), Ordering::Release),
            None => give_up(self.header),
        }
    }
}

/// Gives up a counted share; the last one takes the entry along, if it is in no table.
fn give_up(header: NonNull<Header>) {
    let chunk = Header::chunk(header);
    // SAFETY: the share keeps the block alive, and our share in the chunk that.
    unsafe {
        if header.as_ref().shares.load(Ordering::Relaxed) & COUNT >= STICKY {
            // The entry stays for good, and its chunk with it.
            return;
        }
        // A fork in the middle would find the arena's lock held, or lose the block.
        without_fork(|| {
            match header.as_ref().shares.fetch_sub(1, Ordering::Release) {
                before if before & (COUNT | IN_TABLE) == 1 => {
                    // What others read happens before the block is used again.
                    fence(Ordering::Acquire);
                    free(header, chunk, before & CHARGED != 0);
                }
                _ => {}
            }
            Chunk::give_up(chunk);
        });
    }
}

/// Takes an entry off its account and its block back.
///
/// # Safety
/// Nobody else has a share in the entry; the caller has one in the chunk.
unsafe fn free(header: NonNull<Header>, chunk: *mut Chunk, charged: bool) {
    // SAFETY: the chunk is alive.
    unsafe {
        let bytes = Header::bytes(header.as_ptr());
        if charged && let Some(account) = (*chunk).account() {
            account.discharge(arena::weight(bytes));
        }
        #[cfg(shuttle)]
        // Whoever reads it still is to see that.
        header.as_ptr().cast::<u8>().add(HEADER).write_bytes(0xDD, bytes - HEADER);
        // Neither charged nor shared; a walk through the chunk meets it as free.
        header.as_ref().shares.store(0, Ordering::Relaxed);
        Chunk::put_back(chunk, header.as_ptr(), bytes);
    }
}

/// The block of an entry that is being written as it was reserved, and how much of its value is kept; none before
/// anything is reserved.
#[derive(Default)]
pub struct Block(Option<(Pinned, usize)>);

impl Block {
    /// The value as it stands, to write on.
    pub fn value_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            None => &mut [],
            // SAFETY: only this draft's block points to it, and its value is initialized.
            Some((pinned, kept)) => unsafe { &mut value_mut(pinned)[..*kept] },
        }
    }
}

/// An entry that is being written: it belongs to one computation, and no table knows it yet.
pub struct Draft<'k> {
    key: &'k [u8],
    /// For which table; none for a value that is kept nowhere.
    table: Option<&'k Table>,
    block: Block,
}

impl<'k> Draft<'k> {
    /// A draft for `key` in `table`, if in any, with an empty value. Allocates nothing.
    pub fn new(key: &'k [u8], table: Option<&'k Table>) -> Self {
        Self::resume(key, table, Block(None))
    }

    /// Goes on with what another draft of the same key left.
    pub fn resume(key: &'k [u8], table: Option<&'k Table>, block: Block) -> Self {
        Draft { key, table, block }
    }

    /// Leaves the block for another draft to go on with.
    pub fn pause(self) -> Block {
        self.block
    }

    /// Moves the draft out, and leaves an empty one.
    pub fn take(&mut self) -> Self {
        Draft { key: self.key, table: self.table, block: Block(self.block.0.take()) }
    }

    /// The key that the value is for.
    pub fn key(&self) -> &'k [u8] {
        self.key
    }

    /// Makes the value `len` zero bytes and lends them for writing; what was reserved before is gone.
    pub fn reserve(&mut self, len: usize) -> Result<&mut [u8]> {
        self.block.0 = None;
        let mut pinned = self.allocate(len)?;
        // SAFETY: the block is fresh, only this draft points to it, and it has room for the value at its offset.
        unsafe { value_start(&mut pinned).write_bytes(0, len) };
        self.block.0 = Some((pinned, len));
        Ok(self.block.value_mut())
    }

    /// As [`Draft::reserve`], but the bytes hold whatever was there: faster where all of them are written.
    pub fn reserve_uninitialized(&mut self, len: usize) -> Result<&mut [u8]> {
        self.block.0 = None;
        let mut pinned = self.allocate(len)?;
        // SAFETY: as in `reserve`.
        unsafe { freeze(value_start(&mut pinned), len) };
        self.block.0 = Some((pinned, len));
        Ok(self.block.value_mut())
    }

    /// Makes the value a copy of `value`.
    pub fn write(&mut self, value: &[u8]) -> Result<()> {
        self.block.0 = None;
        let mut pinned = self.allocate(value.len())?;
        // SAFETY: as in `reserve`.
        unsafe { value_start(&mut pinned).copy_from_nonoverlapping(value.as_ptr(), value.len()) };
        self.block.0 = Some((pinned, value.len()));
        Ok(())
    }

    /// A new block for the key and a value of `len` bytes, which are not written yet.
    fn allocate(&self, len: usize) -> Result<Pinned> {
        let arena = self.table.map(Table::arena).transpose()?;
        allocate(self.key, len, arena.as_deref())
    }

    /// Keeps the first `len` bytes of the value. The bytes do not move before the draft is finished.
    pub fn truncate(&mut self, len: usize) -> Result<()> {
        let reserved = self.value().len();
        if len > reserved {
            return Err(Error::invalid(format!(
                "a value of {reserved} reserved bytes cannot be cut to {len}; reserve more first"
            )));
        }
        if let Some((_, kept)) = &mut self.block.0 {
            *kept = len;
        }
        Ok(())
    }

    /// The value as it stands, to write on.
    pub fn value_mut(&mut self) -> &mut [u8] {
        self.block.value_mut()
    }

    /// The value as it stands.
    pub fn value(&self) -> &[u8] {
        self.block.0.as_ref().map_or(&[], |(pinned, kept)| &pinned.value()[..*kept])
    }

    /// Ends the writing: the entry is final, in a block no larger than it needs; or, outside all tables, hardly larger.
    pub fn finish(self) -> Result<OwnedEntry> {
        match self.block.0 {
            None => self.allocate(0).map(OwnedEntry),
            Some((pinned, kept)) if pinned.is_outside_tables() && is_hardly_shorter(kept, pinned.value().len()) => {
                // SAFETY: nobody else has seen the entry, and its block is alone in a chunk that knows its own size.
                unsafe { (*pinned.header.as_ptr()).value_len = kept as u32 };
                Ok(OwnedEntry(pinned))
            }
            Some((pinned, kept)) if kept < pinned.value().len() => {
                let arena = self.table.map(Table::arena).transpose()?;
                copy(&pinned, kept, arena.as_deref()).map(OwnedEntry)
            }
            Some((pinned, _)) => Ok(OwnedEntry(pinned)),
        }
    }
}

/// Whether a value of which so much is kept may stay where it is: it is no large one, and little goes to waste.
fn is_hardly_shorter(kept: usize, reserved: usize) -> bool {
    kept < reserved && reserved < LARGE as usize && kept >= reserved / 2
}

/// A finished entry that only its maker holds: what a table takes in.
pub struct OwnedEntry(Pinned);

impl OwnedEntry {
    /// The value's bytes. Not the pin: a second owner would not be counted when the entry is published.
    pub fn value(&self) -> &[u8] {
        self.0.value()
    }

    /// The bytes that the entry takes in the heap.
    pub fn weight(&self) -> u64 {
        self.0.weight()
    }

    /// The entry as its maker's pin, kept by no table.
    pub fn into_pinned(self) -> Pinned {
        self.0
    }
}

/// What a table can take in.
pub(crate) trait IntoEntry {
    fn key(&self) -> &[u8];

    /// The bytes that it takes in the heap.
    fn weight(&self) -> u64;

    /// Makes it an entry of a table that uses `arena`, with a share of the table's, charged until it is freed; the table's
    /// pointer to it is published after this. None where the limit forbids that. Only for the one who writes to the table.
    fn enter(&mut self, arena: &TryArc<Arena>, limit: u64) -> Result<Option<*mut Header>>;
}

impl IntoEntry for OwnedEntry {
    fn key(&self) -> &[u8] {
        self.0.key()
    }

    fn weight(&self) -> u64 {
        OwnedEntry::weight(self)
    }

    fn enter(&mut self, arena: &TryArc<Arena>, limit: u64) -> Result<Option<*mut Header>> {
        // The table may have been cleared since the entry was begun.
        // SAFETY: our share keeps the chunk alive.
        if !unsafe { (*Header::chunk(self.0.header)).is_attached_to(arena) } {
            self.0 = copy(&self.0, self.0.value().len(), Some(arena))?;
        }
        let weight = self.weight();
        if !arena.account.charge(weight, limit) {
            return Ok(None);
        }
        arena.came(weight);
        let header = self.0.header.as_ptr();
        // SAFETY: a OwnedEntry is the only owner of its block: nobody else counts.
        unsafe { (*header).shares.store(IN_TABLE | CHARGED | 1, Ordering::Relaxed) };
        Ok(Some(header))
    }
}

/// A key and a value that have no entry yet. Once they have, nobody but the table has a share in it.
pub(crate) struct BorrowedEntry<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl IntoEntry for BorrowedEntry<'_> {
    fn key(&self) -> &[u8] {
        self.key
    }

    fn weight(&self) -> u64 {
        weight(self.key.len(), self.value.len())
    }

    fn enter(&mut self, arena: &TryArc<Arena>, limit: u64) -> Result<Option<*mut Header>> {
        let weight = self.weight();
        if !arena.account.charge(weight, limit) {
            return Ok(None);
        }
        let made = block(self.key, self.value.len(), IN_TABLE | CHARGED, Some(arena));
        let header = made.inspect_err(|_| arena.account.discharge(weight))?.as_ptr();
        arena.came(weight);
        // SAFETY: the block is fresh, and has room for the value at its offset.
        unsafe {
            let start = header.cast::<u8>().add(value_offset(self.key.len()));
            start.copy_from_nonoverlapping(self.value.as_ptr(), self.value.len());
        }
        Ok(Some(header))
    }
}

/// A new block for `key` and a value of `value_len` bytes that are not written yet.
fn allocate(key: &[u8], value_len: usize, arena: Option<&TryArc<Arena>>) -> Result<Pinned> {
    // A fork in the middle would find the arena's lock held, and the child forget all its chunks.
    without_fork(|| Ok(Pinned { header: block(key, value_len, 1, arena)?, slot: ptr::null() }))
}

/// A new block for `key` and a value that is not written yet, with these shares.
fn block(key: &[u8], value_len: usize, shares: u32, arena: Option<&TryArc<Arena>>) -> Result<NonNull<Header>> {
    if key.len() > KEY_MAX {
        return Err(Error::invalid(format!("a key of {} bytes; at most {KEY_MAX} are allowed", key.len())));
    }
    let bytes = value_offset(key.len()).checked_add(value_len).ok_or(Error::OutOfMemory(value_len))?;
    let header = Arena::block(arena, bytes, shares & COUNT != 0, |block, chunk| {
        let units = (block.addr().get() - chunk.addr()) / UNIT;
        // SAFETY: the block is fresh, and has room for the header.
        unsafe {
            block.write(Header {
                shares: AtomicU32::new(shares),
                key_len: key.len() as u32,
                units: units as u32,
                value_len: u32::try_from(value_len).unwrap_or(LARGE),
                next: ptr::null_mut(),
            });
        }
    })?;
    // SAFETY: the block has room for the key behind the header.
    unsafe { header.cast::<u8>().add(HEADER).copy_from_nonoverlapping(NonNull::from(key).cast(), key.len()) };
    Ok(header)
}

/// Turns memory that may be uninitialized into initialized bytes of unknown value, at no cost.
///
/// # Safety
/// `len` bytes at `start` are the caller's alone, to write.
#[inline(always)]
unsafe fn freeze(start: *mut u8, len: usize) {
    if cfg!(miri) {
        // SAFETY: the caller's promise.
        return unsafe { start.write_bytes(0, len) };
    }
    // SAFETY: it does nothing. To the compiler it may have written all bytes it was given, so each has some value, and
    // reading one that nobody wrote is defined.
    unsafe { std::arch::asm!("/* {0} {1} */", in(reg) start, in(reg) len, options(nostack, preserves_flags)) };
}

/// The start of the value of a block that nobody else reads.
///
/// # Safety
/// `pinned` is the block's only owner.
unsafe fn value_start(pinned: &mut Pinned) -> *mut u8 {
    let offset = value_offset(pinned.entry().key_len());
    // SAFETY: the value stands there in the same block.
    unsafe { pinned.header.as_ptr().cast::<u8>().add(offset) }
}

/// The value of a block that nobody else reads.
///
/// # Safety
/// `pinned` is the block's only owner, and the value is initialized.
unsafe fn value_mut(pinned: &mut Pinned) -> &mut [u8] {
    let len = pinned.entry().value_len();
    // SAFETY: as for `EntryRef::value`, and the caller promises that nobody else looks.
    unsafe { slice::from_raw_parts_mut(value_start(pinned), len) }
}

/// The same entry, with the first `kept` bytes of its value, in a block of its own size.
fn copy(pinned: &Pinned, kept: usize, arena: Option<&TryArc<Arena>>) -> Result<Pinned> {
    let mut new = allocate(pinned.key(), kept, arena)?;
    // SAFETY: the block is fresh, and has room for so many bytes.
    unsafe { value_start(&mut new).copy_from_nonoverlapping(pinned.value().as_ptr(), kept) };
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_takes_24_bytes_and_values_are_aligned() {
        assert_eq!(HEADER, 24);
        for key_len in 0..40 {
            let key = vec![7u8; key_len];
            let mut draft = Draft::new(&key, None);
            draft.reserve(24).unwrap().fill(9);
            let entry = draft.finish().unwrap().into_pinned();
            assert_eq!(entry.value().as_ptr() as usize % 16, 0);
            assert_eq!((entry.key(), entry.value()), (&key[..], &[9u8; 24][..]));
        }
    }

    #[test]
    fn a_draft_starts_over_truncates_and_may_stay_empty() {
        assert!(Draft::new(b"k", None).finish().unwrap().value().is_empty());
        let mut draft = Draft::new(b"k", None);
        draft.reserve(4).unwrap().copy_from_slice(b"abcd");
        assert_eq!(draft.reserve(100_000).unwrap()[..4], [0; 4]);
        draft.reserve(6).unwrap().copy_from_slice(b"abcdef");
        draft.truncate(3).unwrap();
        assert!(draft.truncate(4).is_err());
        let entry = draft.finish().unwrap().into_pinned();
        assert_eq!(entry.value(), b"abc");
        assert_eq!(entry.weight(), weight(1, 3));
    }

    #[test]
    fn impossible_lengths_are_an_error() {
        assert!(matches!(Draft::new(b"k", None).reserve(usize::MAX), Err(Error::OutOfMemory(_))));
        assert!(matches!(Draft::new(b"k", None).reserve(isize::MAX as usize - 8), Err(Error::OutOfMemory(_))));
    }

    #[test]
    fn a_value_outside_all_tables_is_cut_where_it_is_unless_that_wastes_much() {
        for (kept, stays) in [(80, true), (50, true), (49, false), (0, false)] {
            let mut draft = Draft::new(b"key", None);
            draft.reserve(100).unwrap().fill(7);
            let place = draft.value().as_ptr();
            draft.truncate(kept).unwrap();
            let entry = draft.finish().unwrap().into_pinned();
            assert_eq!((entry.key(), entry.value()), (&b"key"[..], &[7; 100][..kept]));
            assert_eq!(entry.value().as_ptr() == place, stays);
        }
    }

    #[test]
    fn a_value_that_was_begun_for_a_table_is_not_cut_where_it_is() {
        // A lease whose thread has ended is completed for its caller alone.
        let table = Table::new();
        let mut draft = Draft::new(b"key", Some(&table));
        // What is taken for a header after the cut has the table's flag.
        draft.reserve(400).unwrap().fill(0xFF);
        let place = draft.value().as_ptr();
        draft.truncate(300).unwrap();
        let entry = Draft::resume(b"key", None, draft.pause()).finish().unwrap().into_pinned();
        assert_eq!((entry.key(), entry.value()), (&b"key"[..], &[0xFF; 300][..]));
        assert_ne!(entry.value().as_ptr(), place, "its chunk is walked block by block");
        table.set(&b"other"[..].into(), b"value", u64::MAX);
        table.clear();
        assert_eq!(table.bytes(), 0);
        assert_eq!(entry.value(), [0xFF; 300]);
    }

    #[test]
    fn a_large_value_knows_its_length() {
        for len in [1 << 16, (1 << 20) + 7, 5 << 20] {
            let mut draft = Draft::new(b"key", None);
            draft.reserve(len).unwrap()[len - 1] = 7;
            let entry = draft.finish().unwrap().into_pinned();
            assert_eq!((entry.value().len(), entry.value()[len - 1]), (len, 7));
        }
    }
}
