//! Hazard slots: addresses that a thread protects beyond its read section, and the set of them that a collection looks
//! at.

use std::ptr;

use crate::sync::atomic::{AtomicPtr, Ordering};

/// A place for one protected address, or null. Its owner sets it; any thread may clear it.
#[repr(transparent)]
pub struct HazardSlot(AtomicPtr<()>);

impl HazardSlot {
    pub(crate) const fn new() -> Self {
        HazardSlot(AtomicPtr::new(ptr::null_mut()))
    }

    /// Acquire pairs with [`HazardSlot::clear`]: a collection may see only the next address in the slot, never the
    /// empty slot, and then learns from it that the reads through the previous one have ended.
    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Acquire).is_null()
    }

    /// Release: comes before the section's end, so a collection that sees the section ended sees the address; and
    /// passes on what the slot's previous user had read.
    #[inline(always)]
    pub(super) fn protect(&self, address: *mut ()) {
        self.0.store(address, Ordering::Release);
    }

    /// Ends the protection. Release: all reads of what it protected come before.
    #[inline(always)]
    pub(crate) fn clear(&self) {
        self.0.store(ptr::null_mut(), Ordering::Release);
    }

    /// Acquire pairs with [`HazardSlot::clear`]: a collection that sees the slot empty may free what it protected.
    fn address(&self) -> *mut () {
        self.0.load(Ordering::Acquire)
    }
}

/// Shows each of `slots` to a visitor until that answers true; tells whether it did.
pub(super) type AnySlot = fn(&mut dyn FnMut(&HazardSlot) -> bool) -> bool;

/// The addresses that are protected at the time of a collection.
pub(crate) struct HazardSet {
    /// In order; None if there was no memory for the list. Then the slots are read each time.
    sorted: Option<Vec<*mut ()>>,
    any_slot: AnySlot,
}

impl HazardSet {
    pub(super) fn read(any_slot: AnySlot) -> Self {
        let mut sorted = Vec::new();
        let out_of_memory = any_slot(&mut |slot| {
            let address = slot.address();
            if address.is_null() {
                return false;
            }
            let out_of_memory = sorted.try_reserve(1).is_err();
            if !out_of_memory {
                sorted.push(address);
            }
            out_of_memory
        });
        sorted.sort_unstable();
        HazardSet { sorted: (!out_of_memory).then_some(sorted), any_slot }
    }

    /// Whether this address is protected.
    pub(crate) fn contains(&self, address: *mut ()) -> bool {
        match &self.sorted {
            Some(sorted) if sorted.is_empty() => false,
            Some(sorted) => sorted.binary_search(&address).is_ok(),
            None => (self.any_slot)(&mut |slot| slot.address() == address),
        }
    }

    /// Whether an address in these bytes is protected.
    pub(crate) fn contains_any_in(&self, start: *mut (), len: usize) -> bool {
        let end = start.wrapping_byte_add(len);
        match &self.sorted {
            Some(sorted) => {
                let first = sorted.partition_point(|address| *address < start);
                sorted.get(first).is_some_and(|address| *address < end)
            }
            None => (self.any_slot)(&mut |slot| (start..end).contains(&slot.address())),
        }
    }
}
