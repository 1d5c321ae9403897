//! A finished entry, as readers see it: one block of memory with a key and a value that never change.
//!
//! Replacing a value makes a new entry. A reader has an [`EntryRef`] during its read section, and a pin (`pin.rs`) to
//! keep the entry longer.

use std::hint::cold_path;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::{ptr, slice};

use super::arena::Chunk;
use super::chunk;
use super::header::{HEADER, Header, LARGE, TOUCHED, UNTOUCHED, value_offset};
use super::size_class::UNIT;
use crate::sync::atomic::{AtomicU32, Ordering};

/// The memory that an entry with a key and a value of these lengths takes.
#[inline(always)]
pub fn weight(key_len: usize, value_len: usize) -> u64 {
    chunk::weight(value_offset(key_len).saturating_add(value_len))
}

/// A finished entry that a read section, a pin or the table's lock keeps alive for `'g`.
#[derive(Clone, Copy)]
pub struct EntryRef<'g> {
    header: NonNull<Header>,
    _alive: PhantomData<&'g ()>,
}

impl<'g> EntryRef<'g> {
    /// # Safety
    /// `header` is that of a finished entry that lives for `'g`.
    #[inline(always)]
    pub(super) unsafe fn new(header: NonNull<Header>) -> Self {
        EntryRef { header, _alive: PhantomData }
    }

    #[inline(always)]
    pub(super) fn header(self) -> NonNull<Header> {
        self.header
    }

    #[inline(always)]
    pub(super) fn key_len(self) -> usize {
        // SAFETY: the entry lives, and its lengths never change.
        unsafe { (*self.header.as_ptr()).key_len as usize }
    }

    #[inline(always)]
    pub(super) fn value_len(self) -> usize {
        // SAFETY: as above.
        let len = unsafe { (*self.header.as_ptr()).value_len };
        if len >= LARGE {
            cold_path();
            return self.large_value_len();
        }
        len as usize
    }

    #[inline(always)]
    fn large_value_len(self) -> usize {
        // SAFETY: the entry keeps its chunk alive, which holds no other block.
        unsafe { Chunk::single_block(Chunk::of(self.header)) - value_offset(self.key_len()) }
    }

    /// The bytes of its block that are in use.
    pub(super) fn block_len(self) -> usize {
        value_offset(self.key_len()) + self.value_len()
    }

    /// The key's bytes.
    #[inline(always)]
    pub fn key(self) -> &'g [u8] {
        // SAFETY: `key_len` bytes follow the header in the same block, initialized before the entry was finished.
        unsafe { slice::from_raw_parts(self.header.as_ptr().cast::<u8>().add(HEADER), self.key_len()) }
    }

    /// The value's bytes, at 16-byte alignment.
    #[inline(always)]
    pub fn value(self) -> &'g [u8] {
        // SAFETY: `value_len` bytes follow in the same block, zeroed or written before the entry was finished.
        unsafe {
            // At `value_offset`: blocks begin at multiples of UNIT, so the next one after the key is the value's
            // address.
            let last = self.header.as_ptr().cast::<u8>().add(HEADER + self.key_len() + UNIT - 1);
            let start = last.map_addr(|address| address & !(UNIT - 1));
            debug_assert!(ptr::eq(start, self.header.as_ptr().byte_add(value_offset(self.key_len())).cast()));
            slice::from_raw_parts(start, self.value_len())
        }
    }

    /// The bytes that this entry takes in the heap.
    #[inline(always)]
    pub fn weight(self) -> u64 {
        chunk::weight(self.block_len())
    }

    /// Marks the entry as found by a lookup, for eviction. Writes only if no lookup has since the last visit.
    #[inline(always)]
    pub fn touch(self) {
        // SAFETY: the entry lives.
        let access = unsafe { &(*self.header.as_ptr()).access };
        if access.load(Ordering::Relaxed) == UNTOUCHED {
            access.store(TOUCHED, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(super) fn shares(&self) -> &AtomicU32 {
        // SAFETY: the entry lives.
        unsafe { &(*self.header.as_ptr()).shares }
    }
}
