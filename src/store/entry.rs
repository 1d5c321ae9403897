//! An entry: one block of memory that holds a header, the key's bytes, and the value's bytes at 16-byte alignment.
//!
//! ```text
//! | header, 32 bytes | key | padding to 16 | value |
//! ```
//!
//! An entry is written by one owner, as a [`Draft`], and never changes afterwards: replacing a value makes a new entry.
//! A reader looks at it as an [`EntryRef`] while its section lasts, and keeps it longer as a [`Pinned`].

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};
use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;

use super::account::{Account, chunk};
use super::lock::atomic::{AtomicU32, Ordering, fence};
use super::shared::Shared;
use super::thread::PinSlot;
use crate::error::{Error, Result};

/// Values start at a multiple of this, so that an array of any plain C type may be read in place.
const ALIGN: usize = 16;

/// Keys are at most this long.
pub const KEY_MAX: usize = i32::MAX as usize;

#[repr(C, align(16))]
pub(super) struct Header {
    /// The shares in the block: the table's or its maker's, and one for each counted pin.
    shares: AtomicU32,
    key_len: u32,
    value_len: usize,
    /// Where the block is charged; none until a table takes it.
    account: Option<Shared<Account>>,
    /// The next on the pile of entries that were taken out of tables.
    pub(super) next: *mut Header,
}

const HEADER: usize = size_of::<Header>();

/// An entry that comes to so many shares is never freed.
const FOR_EVER: u32 = 3 << 30;

/// Where the value starts in a block.
#[inline]
fn value_offset(key_len: usize) -> usize {
    (HEADER + key_len + ALIGN - 1) & !(ALIGN - 1)
}

/// A block's size; none when it exceeds the address space.
fn layout(key_len: usize, value_len: usize) -> Option<Layout> {
    Layout::from_size_align(value_offset(key_len).checked_add(value_len)?, ALIGN).ok()
}

/// The bytes that an entry with these lengths takes in the heap.
pub fn weight(key_len: usize, value_len: usize) -> u64 {
    layout(key_len, value_len).map_or(u64::MAX, |layout| chunk(layout.size()))
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
    pub(super) unsafe fn new(header: *mut Header) -> Self {
        // SAFETY: the caller's promise.
        EntryRef { header: unsafe { NonNull::new_unchecked(header) }, _alive: PhantomData }
    }

    #[inline(always)]
    pub(super) fn as_ptr(self) -> *mut Header {
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
        unsafe { (*self.as_ptr()).value_len }
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
    pub(super) fn in_slot(entry: EntryRef<'_>, slot: &'static PinSlot) -> Self {
        Pinned { header: entry.header, slot }
    }

    /// A pin that takes a share of its own.
    pub(super) fn counted(entry: EntryRef<'_>) -> Self {
        // Relaxed is enough: whatever keeps the entry alive now does so until the share is there.
        let before = entry.shares().fetch_add(1, Ordering::Relaxed);
        if before >= FOR_EVER {
            entry.shares().store(FOR_EVER, Ordering::Relaxed);
        }
        Pinned { header: entry.header, slot: ptr::null() }
    }

    /// A pin from a share that somebody held otherwise.
    ///
    /// # Safety
    /// The share was the caller's, and is this pin's now.
    pub(super) unsafe fn share(header: *mut Header) -> Self {
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

    /// Turns the pin into a pointer for a caller to keep; [`Pinned::from_raw`] takes it back. The slot, or the entry with
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

    /// Takes a pin back.
    ///
    /// # Safety
    /// `raw` came from [`Pinned::into_raw`] and is taken back once.
    pub unsafe fn from_raw(raw: NonNull<c_void>) -> Self {
        // SAFETY: the caller's promise; slots are never freed, and name their entry until the pin is dropped.
        unsafe {
            match counted(raw) {
                Some(header) => Self::share(header.as_ptr()),
                None => {
                    let slot = raw.as_ptr().cast::<PinSlot>();
                    Pinned { header: NonNull::new_unchecked((*slot).load(Ordering::Relaxed)), slot }
                }
            }
        }
    }

    /// Takes a pin back and drops it.
    ///
    /// # Safety
    /// As for [`Pinned::from_raw`].
    #[inline(always)]
    pub unsafe fn drop_raw(raw: NonNull<c_void>) {
        match counted(raw) {
            Some(header) => give_up(header),
            // SAFETY: the caller's promise; slots are never freed.
            None => unsafe { (*raw.as_ptr().cast::<PinSlot>()).store(ptr::null_mut(), Ordering::Release) },
        }
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

/// Gives up a share; the last one takes the block along.
fn give_up(header: NonNull<Header>) {
    // SAFETY: the share keeps the block alive.
    let shares = unsafe { &(*header.as_ptr()).shares };
    match shares.fetch_sub(1, Ordering::Release) {
        1 => {
            // What others read happens before the block is freed.
            fence(Ordering::Acquire);
            // SAFETY: this was the last share; slots named the block only while the table had one.
            unsafe { free(header) };
        }
        FOR_EVER.. => shares.store(FOR_EVER, Ordering::Relaxed),
        _ => {}
    }
}

/// Takes a block off its account and gives its memory back.
///
/// # Safety
/// Nobody else points to the block any more.
unsafe fn free(header: NonNull<Header>) {
    // SAFETY: the block is alive and ours alone.
    let (account, key_len, value_len) = unsafe {
        let header = &mut *header.as_ptr();
        (header.account.take(), header.key_len as usize, header.value_len)
    };
    let Some(layout) = layout(key_len, value_len) else { return };
    if let Some(account) = account {
        account.discharge(chunk(layout.size()));
    }
    #[cfg(shuttle)]
    // SAFETY: the block is ours alone; whoever reads it still is to see that.
    unsafe {
        header.as_ptr().cast::<u8>().add(HEADER).write_bytes(0xDD, layout.size() - HEADER);
    }
    // SAFETY: every block is allocated with the layout of its lengths.
    unsafe { dealloc(header.as_ptr().cast(), layout) };
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
    block: Block,
}

impl<'k> Draft<'k> {
    /// A draft for `key`, with an empty value. Allocates nothing.
    pub fn new(key: &'k [u8]) -> Self {
        Draft { key, block: Block(None) }
    }

    /// Goes on with what another draft of the same key left.
    pub fn resume(key: &'k [u8], block: Block) -> Self {
        Draft { key, block }
    }

    /// Leaves the block for another draft to go on with.
    pub fn pause(self) -> Block {
        self.block
    }

    /// Moves the draft out, and leaves an empty one.
    pub fn take(&mut self) -> Self {
        Draft { key: self.key, block: Block(self.block.0.take()) }
    }

    /// The key that the value is for.
    pub fn key(&self) -> &'k [u8] {
        self.key
    }

    /// Makes the value `len` zero bytes and lends them for writing; what was reserved before is gone.
    pub fn reserve(&mut self, len: usize) -> Result<&mut [u8]> {
        self.block.0 = None;
        self.block.0 = Some((allocate(self.key, len, alloc_zeroed)?, len));
        Ok(self.block.value_mut())
    }

    /// Makes the value a copy of `value`.
    pub fn write(&mut self, value: &[u8]) -> Result<()> {
        self.block.0 = None;
        let (pinned, _) = self.block.0.insert((allocate(self.key, value.len(), alloc)?, value.len()));
        // SAFETY: the block is fresh, only this draft points to it, and it has room for the value at its offset.
        unsafe {
            let start = pinned.header.as_ptr().cast::<u8>().add(value_offset(self.key.len()));
            start.copy_from_nonoverlapping(value.as_ptr(), value.len());
        }
        Ok(())
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

    /// Ends the writing: the entry is final, in a block no larger than it needs.
    pub fn finish(self) -> Result<Fresh> {
        match self.block.0 {
            None => Ok(Fresh(allocate(self.key, 0, alloc)?)),
            Some((pinned, kept)) if kept < pinned.value().len() => Ok(Fresh(shrink(pinned, kept)?)),
            Some((pinned, _)) => Ok(Fresh(pinned)),
        }
    }
}

/// A finished entry that only its maker holds: what a table takes in.
pub struct Fresh(Pinned);

impl Fresh {
    /// The entry, to read.
    pub fn entry(&self) -> &Pinned {
        &self.0
    }

    /// The entry as its maker's pin, kept by no table.
    pub fn into_pinned(self) -> Pinned {
        self.0
    }

    /// A share in the entry for a table, whose pointer to it is published after this.
    pub(super) fn share_with_table(&self) -> *mut Header {
        let header = self.0.header.as_ptr();
        // SAFETY: a Fresh is the only owner of its block: nobody else counts.
        unsafe { (*header).shares.store(2, Ordering::Relaxed) };
        header
    }

    /// Charges the entry to `account`, where it stays until it is freed. Says whether `limit` allowed it.
    pub(super) fn charge(&mut self, account: Shared<Account>, limit: u64) -> bool {
        if !account.charge(self.0.weight(), limit) {
            return false;
        }
        // SAFETY: a Fresh is the only owner of its block.
        unsafe { self.0.header.as_mut() }.account = Some(account);
        true
    }
}

/// A new block for `key` and a value of `value_len` bytes that are left as `allocator` gives them.
fn allocate(key: &[u8], value_len: usize, allocator: unsafe fn(Layout) -> *mut u8) -> Result<Pinned> {
    if key.len() > KEY_MAX {
        return Err(Error::invalid(format!("a key of {} bytes; at most {KEY_MAX} are allowed", key.len())));
    }
    let layout = layout(key.len(), value_len).ok_or(Error::OutOfMemory(value_len))?;
    // SAFETY: the layout holds a header, so it is not empty.
    let block = NonNull::new(unsafe { allocator(layout) }).ok_or(Error::OutOfMemory(layout.size()))?;
    let header = block.cast::<Header>();
    // SAFETY: the block is fresh, aligned for a header, and has room for the header and the key behind it.
    unsafe {
        header.write(Header {
            shares: AtomicU32::new(1),
            key_len: key.len() as u32,
            value_len,
            account: None,
            next: ptr::null_mut(),
        });
        block.add(HEADER).copy_from_nonoverlapping(NonNull::from(key).cast(), key.len());
    }
    Ok(Pinned { header, slot: ptr::null() })
}

/// The value of a block that nobody else reads.
///
/// # Safety
/// `pinned` is the block's only owner, and the value is initialized.
unsafe fn value_mut(pinned: &mut Pinned) -> &mut [u8] {
    let (offset, len) = (value_offset(pinned.entry().key_len()), pinned.entry().value_len());
    // SAFETY: as for `EntryRef::value`, and the caller promises that nobody else looks.
    unsafe { slice::from_raw_parts_mut(pinned.header.as_ptr().cast::<u8>().add(offset), len) }
}

/// Moves an entry that nobody else holds into a block that fits a value of `kept` bytes.
fn shrink(pinned: Pinned, kept: usize) -> Result<Pinned> {
    let (key_len, reserved) = (pinned.entry().key_len(), pinned.entry().value_len());
    let (Some(old), Some(new)) = (layout(key_len, reserved), layout(key_len, kept)) else {
        return Err(Error::OutOfMemory(reserved));
    };
    // SAFETY: the block was allocated with `old`, nobody else points to it, and the new size is not zero.
    let block = unsafe { realloc(pinned.header.as_ptr().cast(), old, new.size()) };
    let mut header = NonNull::new(block.cast::<Header>()).ok_or(Error::OutOfMemory(new.size()))?;
    std::mem::forget(pinned);
    // SAFETY: realloc moved the header along.
    unsafe { header.as_mut() }.value_len = kept;
    Ok(Pinned { header, slot: ptr::null() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_takes_32_bytes_and_values_are_aligned() {
        assert_eq!(HEADER, 32);
        for key_len in 0..40 {
            let key = vec![7u8; key_len];
            let mut draft = Draft::new(&key);
            draft.reserve(24).unwrap().fill(9);
            let entry = draft.finish().unwrap().into_pinned();
            assert_eq!(entry.value().as_ptr() as usize % 16, 0);
            assert_eq!((entry.key(), entry.value()), (&key[..], &[9u8; 24][..]));
        }
    }

    #[test]
    fn a_draft_starts_over_truncates_and_may_stay_empty() {
        assert!(Draft::new(b"k").finish().unwrap().entry().value().is_empty());
        let mut draft = Draft::new(b"k");
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
        assert!(matches!(Draft::new(b"k").reserve(usize::MAX), Err(Error::OutOfMemory(_))));
        assert!(matches!(Draft::new(b"k").reserve(isize::MAX as usize - 8), Err(Error::OutOfMemory(_))));
    }

    #[test]
    fn a_pin_survives_the_way_through_a_pointer() {
        let mut draft = Draft::new(b"key");
        draft.write(b"value").unwrap();
        let pin = draft.finish().unwrap().into_pinned();
        let other = pin.clone();
        let raw = NonNull::new(pin.into_raw()).unwrap();
        drop(other);
        // SAFETY: the pointer is taken back once.
        assert_eq!(unsafe { Pinned::from_raw(raw) }.value(), b"value");
    }
}
