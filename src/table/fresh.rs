//! A computed value that enters a table: as the entry in which it was written, or as bytes that are copied into one.

use std::ptr::NonNull;

use super::allocate::Short;
use super::arena::Arena;
use super::draft::{BorrowedEntry, Draft, IntoEntry, OwnedEntry, Terms};
use super::entry::{EntryRef, weight};
use super::hash::Hashed;
use super::header::Header;
use super::pin::Pinned;
use super::table::{Inserted, Table};
use crate::epoch::Participant;
use crate::error::Result;
use crate::sync::TryArc;

/// A computed value, to be inserted into a table or handed out.
pub trait Fresh: Sized {
    /// The value's bytes.
    fn value(&self) -> &[u8];

    /// The bytes that the entry takes in the heap.
    fn weight(&self) -> u64;

    /// The entry as a pin, without a table.
    fn into_pinned(self) -> Result<Pinned>;

    /// Inserts the entry of `key` unless the key has one, if `is_allowed` returns true, which is called while no other
    /// thread changes the table. The caller gets the new entry back, pinned, in any case. `thread` is the calling
    /// thread's participant, if it has one already.
    fn insert_if(
        self,
        thread: Option<&'static Participant>,
        table: &Table,
        key: &Hashed,
        terms: &Terms,
        is_allowed: impl FnMut() -> bool,
    ) -> Result<(Pinned, Inserted)>;
}

impl Fresh for OwnedEntry {
    #[inline(always)]
    fn value(&self) -> &[u8] {
        self.value()
    }

    #[inline(always)]
    fn weight(&self) -> u64 {
        self.weight()
    }

    #[inline(always)]
    fn into_pinned(self) -> Result<Pinned> {
        Ok(self.into_pinned())
    }

    #[inline(always)]
    fn insert_if(
        mut self,
        thread: Option<&'static Participant>,
        table: &Table,
        key: &Hashed,
        terms: &Terms,
        is_allowed: impl FnMut() -> bool,
    ) -> Result<(Pinned, Inserted)> {
        debug_assert!(key.key == IntoEntry::key(&self));
        let inserted = table.insert_entry(thread, &mut self, key.hash(), false, terms, is_allowed);
        Ok((self.into_pinned(), inserted))
    }
}

/// A key and a short computed value, which are copied into an entry.
pub struct ShortValue<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

impl Fresh for &ShortValue<'_> {
    #[inline(always)]
    fn value(&self) -> &[u8] {
        self.value
    }

    #[inline(always)]
    fn weight(&self) -> u64 {
        weight(self.key.len(), self.value.len())
    }

    #[cold]
    #[inline(never)]
    fn into_pinned(self) -> Result<Pinned> {
        let mut draft = Draft::new(self.key, None);
        draft.write(self.value)?;
        draft.finish().map(OwnedEntry::into_pinned)
    }

    #[inline(always)]
    fn insert_if(
        self,
        thread: Option<&'static Participant>,
        table: &Table,
        key: &Hashed,
        terms: &Terms,
        is_allowed: impl FnMut() -> bool,
    ) -> Result<(Pinned, Inserted)> {
        debug_assert!(key.key == self.key);
        let mut entry = PinnedEntry { short: self, weight: Fresh::weight(&self), pin: None };
        let inserted = table.insert_entry(thread, &mut entry, key.hash(), false, terms, is_allowed);
        let pin = entry.pin.map_or_else(|| self.into_pinned(), Ok)?;
        Ok((pin, inserted))
    }
}

/// A key and a value that the table copies into an entry, which is pinned before others can find it.
struct PinnedEntry<'a> {
    short: &'a ShortValue<'a>,
    weight: u64,
    pin: Option<Pinned>,
}

impl IntoEntry for PinnedEntry<'_> {
    #[inline(always)]
    fn key(&self) -> &[u8] {
        self.short.key
    }

    #[inline(always)]
    fn weight(&self) -> u64 {
        self.weight
    }

    #[inline(always)]
    fn make_entry(
        &mut self,
        thread: &'static Participant,
        arena: &TryArc<Arena>,
        terms: &Terms,
    ) -> std::result::Result<NonNull<Header>, Short> {
        let ShortValue { key, value } = *self.short;
        let header = BorrowedEntry { key, value }.make_entry(thread, arena, terms)?;
        // SAFETY: the table has the entry from now on. It cannot leave it before this call ends.
        let entry = unsafe { EntryRef::new(header) };
        self.pin = Some(Pinned::in_slot(thread, entry).unwrap_or_else(|| Pinned::counted(entry)));
        Ok(header)
    }
}
