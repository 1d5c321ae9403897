//! Pins, which keep an entry alive, even after it is removed or its table is freed.
//!
//! A pin that is made in a read section, or for the caller whose entry enters a table, protects the entry's address by
//! a hazard slot of its thread, with one plain store. If the thread's slots are taken, and for a clone, the pin has a
//! counted share instead. Any thread may release a pin.

use std::ffi::c_void;
use std::hint::cold_path;
use std::ptr::{self, NonNull};

use super::arena::Chunk;
use super::entry::EntryRef;
use super::header::{COUNT, Header, SATURATED};
use super::release;
use crate::epoch::{Guard, HazardSlot, Participant};
use crate::sync::atomic::Ordering;

/// A finished entry, kept alive by this pin. Its key and value never change.
///
/// Invariant: `slot` protects the entry; or it is null, and the pin has a counted share in the entry.
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
        Self::in_slot(guard.participant(), entry).unwrap_or_else(|| Self::counted(entry))
    }

    /// Pins an entry by a slot of this thread, if it has one: an entry that it has found in a read section, or that no
    /// other thread knows yet.
    #[inline(always)]
    pub(super) fn in_slot(thread: &'static Participant, entry: EntryRef<'_>) -> Option<Self> {
        let slot = thread.protect(entry.header().as_ptr().cast())?;
        Some(Pinned { header: entry.header(), slot })
    }

    /// As [`Pinned::new`], but tries only the thread's first slot.
    #[inline(always)]
    pub fn try_fast(guard: &Guard, entry: EntryRef<'_>) -> Option<Self> {
        let slot = guard.participant().try_fast_protect(entry.header().as_ptr().cast())?;
        Some(Pinned { header: entry.header(), slot })
    }

    /// Pins an entry by a share of its own.
    pub(super) fn counted(entry: EntryRef<'_>) -> Self {
        static UNUSED: HazardSlot = HazardSlot::new();
        // Compared first, because an overflow would carry into the flags.
        let more = |shares: u32| (shares & COUNT < SATURATED).then(|| shares + 1);
        if entry.shares().fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
            // The entry is never freed. No thread reads this slot, and clearing it has no effect.
            return Pinned { header: entry.header(), slot: &UNUSED };
        }
        // SAFETY: `entry` keeps the chunk alive until this share exists.
        unsafe { Chunk::share(Chunk::of(entry.header())) };
        Pinned { header: entry.header(), slot: ptr::null() }
    }

    /// Pins the entry by a slot of this thread instead of the counted share, for an entry that no other thread knows
    /// and a chunk that its table keeps. Returns the number of counted shares that are left; the caller stores it.
    ///
    /// # Safety
    /// The share is the only one in the entry, and others keep the chunk alive.
    #[inline(always)]
    pub(super) unsafe fn give_share_for_slot(&mut self, thread: &'static Participant) -> u32 {
        let Some(slot) = thread.protect(self.header.as_ptr().cast()) else { return 1 };
        self.slot = slot;
        // SAFETY: the caller's promise.
        unsafe { Chunk::release(Chunk::of(self.header)) };
        0
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
    #[inline(always)]
    pub fn weight(&self) -> u64 {
        self.entry().weight()
    }

    /// Turns the pin into a pointer, for C, which [`Pinned::drop_raw`] takes back: the address of the slot, or of the
    /// entry with the lowest bit set.
    #[inline]
    pub fn into_raw(self) -> *mut c_void {
        let raw = match self.slot.is_null() {
            false => self.slot.cast_mut().cast(),
            true => self.header.as_ptr().cast::<c_void>().map_addr(|address| address | 1),
        };
        std::mem::forget(self);
        raw
    }

    /// Drops a pin that was turned into a pointer.
    ///
    /// # Safety
    /// `raw` came from [`Pinned::into_raw`] and is taken back once.
    pub unsafe fn drop_raw(raw: NonNull<c_void>) {
        // SAFETY: the caller's promise. Without a slot, it is the address of the entry, plus one, and the pin's share.
        unsafe {
            if !Self::try_fast_drop_raw(raw) {
                release::release(raw.byte_sub(1).cast());
            }
        }
    }

    /// As [`Pinned::drop_raw`] if a slot protects the entry; returns whether one does.
    ///
    /// # Safety
    /// As for [`Pinned::drop_raw`]. If it returns false, the pin is not dropped.
    #[inline(always)]
    pub unsafe fn try_fast_drop_raw(raw: NonNull<c_void>) -> bool {
        if raw.addr().get() & 1 != 0 {
            cold_path();
            return false;
        }
        // SAFETY: the caller's promise; slots are never freed.
        unsafe { (*raw.as_ptr().cast::<HazardSlot>()).clear() };
        true
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
