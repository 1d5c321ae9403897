//! Hazard slots (hazard pointers): addresses that a thread protects after its read section, and the set of them that a
//! collection checks.

use std::ptr;

use crate::sync::atomic::{AtomicPtr, Ordering};

/// One protected address, or null. Its owner sets it; any thread may clear it.
#[repr(transparent)]
pub struct HazardSlot(AtomicPtr<()>);

impl HazardSlot {
    pub(crate) const fn new() -> Self {
        HazardSlot(AtomicPtr::new(ptr::null_mut()))
    }

    /// A slot that no address can be put into, and that no collection reads.
    pub(super) const fn taken() -> Self {
        HazardSlot(AtomicPtr::new(ptr::without_provenance_mut(1)))
    }

    /// Acquire pairs with [`HazardSlot::clear`]. A collection may see the slot's next address and never the null in
    /// between; the reads through the previous address must be ordered before the next one is stored.
    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Acquire).is_null()
    }

    /// Release, so that a collection that sees this address also sees that the reads of the slot's previous user have
    /// ended. The Release at the end of the section orders this store before it. A thread that publishes an object
    /// stores before that: who unlinks the object sees the address.
    #[inline(always)]
    pub(super) fn protect(&self, address: *mut ()) {
        self.0.store(address, Ordering::Release);
    }

    /// Ends the protection. Release orders the reads of the protected object before.
    #[inline(always)]
    pub(crate) fn clear(&self) {
        self.0.store(ptr::null_mut(), Ordering::Release);
    }

    /// Acquire pairs with [`HazardSlot::clear`]: a collection that sees the slot empty may free what it protected.
    pub(super) fn address(&self) -> *mut () {
        self.0.load(Ordering::Acquire)
    }
}

/// Calls a visitor with each slot of the process until it returns true; returns whether it did.
pub(super) type AnySlot = fn(&mut dyn FnMut(&HazardSlot) -> bool) -> bool;

/// The addresses that are protected at the time of a collection.
pub(crate) struct HazardSet {
    /// Sorted; None without memory for the list. Then each query reads all slots.
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
