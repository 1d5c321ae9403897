//! A pin: keeps an entry alive, wherever its table or cache is by now.
//!
//! A pin made in a read section protects the entry's address by a hazard slot of its thread: one plain store. A thread
//! whose slots are taken, and a clone, takes a counted share instead. Pins may be released by any thread.

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use super::arena::Chunk;
use super::entry::EntryRef;
use super::header::{COUNT, Header, SATURATED};
use super::release;
use crate::epoch::{Guard, HazardSlot};
use crate::sync::atomic::Ordering;

/// A finished entry, kept alive by this pin. Its key and value never change.
///
/// Invariant: `slot` protects the entry, or is null, and then one counted share in it belongs to this pin.
pub struct Pinned {
    header: NonNull<Header>,
    slot: *const HazardSlot,
}

// SAFETY: the bytes are never written after an entry is finished; slots and shares are atomic.
unsafe impl Send for Pinned {}
// SAFETY: as above.
unsafe impl Sync for Pinned {}

impl Pinned {
    /// Pins an entry that was found in a read section.
    #[inline(always)]
    pub fn new(guard: &Guard, entry: EntryRef<'_>) -> Self {
        match guard.protect(entry.header().as_ptr().cast()) {
            Some(slot) => Pinned { header: entry.header(), slot },
            None => Self::counted(entry),
        }
    }

    /// As [`Pinned::new`], if the slot that comes first is empty.
    #[inline(always)]
    pub fn try_fast(guard: &Guard, entry: EntryRef<'_>) -> Option<Self> {
        let slot = guard.try_fast_protect(entry.header().as_ptr().cast())?;
        Some(Pinned { header: entry.header(), slot })
    }

    /// Pins an entry by a share of its own.
    pub(super) fn counted(entry: EntryRef<'_>) -> Self {
        static OF_NOBODY: HazardSlot = HazardSlot::new();
        // Compared before it is added to: a count that overflowed would carry into the flags.
        let more = |shares: u32| (shares & COUNT < SATURATED).then(|| shares + 1);
        if entry.shares().fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
            // The entry is never freed. This slot protects nothing, and clearing it changes nothing.
            return Pinned { header: entry.header(), slot: &OF_NOBODY };
        }
        // SAFETY: whatever keeps the entry alive now keeps its chunk alive too, until this share exists.
        unsafe { Chunk::share(Chunk::of(entry.header())) };
        Pinned { header: entry.header(), slot: ptr::null() }
    }

    /// A pin that takes over a counted share.
    ///
    /// # Safety
    /// The share was the caller's.
    pub(super) unsafe fn from_share(header: NonNull<Header>) -> Self {
        Pinned { header, slot: ptr::null() }
    }

    /// The entry, to read.
    #[inline(always)]
    pub fn entry(&self) -> EntryRef<'_> {
        // SAFETY: the pin keeps the entry alive.
        unsafe { EntryRef::new(self.header) }
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

    /// Turns the pin into a pointer for a caller to keep, which [`Pinned::drop_raw`] takes back: the slot, or the entry
    /// with the lowest bit set.
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
        if let (Some(header), false) = (counted_header(raw), unsafe { Self::try_fast_drop_raw(raw) }) {
            // SAFETY: the share was the pin's.
            unsafe { release::release(header) };
        }
    }

    /// Takes a pin back and drops it, if a slot protects it; tells whether one does.
    ///
    /// # Safety
    /// As for [`Pinned::drop_raw`]; if it returns false, the pin has not been taken back.
    #[inline(always)]
    pub unsafe fn try_fast_drop_raw(raw: NonNull<c_void>) -> bool {
        let in_slot = raw.addr().get() & 1 == 0;
        if in_slot {
            // SAFETY: the caller's promise; slots are never freed.
            unsafe { (*raw.as_ptr().cast::<HazardSlot>()).clear() };
        }
        in_slot
    }
}

/// The entry of a counted pin, from what [`Pinned::into_raw`] made of it.
#[inline(always)]
fn counted_header(raw: NonNull<c_void>) -> Option<NonNull<Header>> {
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
            Some(slot) => slot.clear(),
            // SAFETY: the share was this pin's.
            None => unsafe { release::release(self.header) },
        }
    }
}

#[cfg(test)]
impl Pinned {
    /// Sets the count of shares to the highest value, for a test without time for that many pins; returns the word.
    pub(super) fn saturate(&self) -> u32 {
        self.entry().shares().fetch_or(SATURATED, Ordering::Relaxed);
        self.shares_word()
    }

    /// The word that counts shares.
    pub(super) fn shares_word(&self) -> u32 {
        self.entry().shares().load(Ordering::Relaxed)
    }
}
