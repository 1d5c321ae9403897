//! Reading without locks: a section of code in which nothing that it finds is freed, and pins that reach beyond it.
//!
//! To read, a thread writes the epoch into its record, looks, and takes the epoch back: plain stores, no locked
//! instruction. What others take out of tables meanwhile is freed by `reclaim.rs` once every section that may have seen it
//! has ended. To keep an entry beyond the section, the thread writes its address into a slot of its record, where those
//! who free look too; to let it go, anybody empties the slot.

use std::marker::PhantomData;

use super::entry::{EntryRef, Pinned};
use super::lock::atomic::{Ordering, compiler_fence};
use super::reclaim::barrier;
use super::thread::{Claimed, PINS, Record, claim, give_back, global, own};
use crate::error::{Error, Result};

/// A time in which nothing is freed that this thread finds. Short: while it lasts, memory that others let go waits.
pub struct Section {
    record: &'static Record,
    end: End,
    /// It belongs to this thread.
    _own: PhantomData<*mut ()>,
}

/// What is to be done when a section ends.
enum End {
    /// It stands in another.
    Nothing,
    Leave,
    GiveBack,
}

impl Section {
    /// Begins a section of this thread.
    #[inline(always)]
    pub fn enter() -> Self {
        match own() {
            Some(record) if record.epoch.load(Ordering::Relaxed) != 0 => Self::of(record, End::Nothing),
            Some(record) => {
                begin(record);
                Self::of(record, End::Leave)
            }
            None => Self::enter_first(),
        }
    }

    /// Begins a section as [`Section::enter`] does, where that takes a plain store and this thread is in no other.
    #[inline(always)]
    pub fn enter_quickly() -> Option<Self> {
        let record = own()?;
        if !record.light.load(Ordering::Relaxed) {
            return None;
        }
        if record.epoch.load(Ordering::Relaxed) != 0 {
            return None;
        }
        record.epoch.store(global().epoch.load(Ordering::Acquire), Ordering::Release);
        // As in `begin`, which knows of other barriers too.
        compiler_fence(Ordering::SeqCst);
        Some(Self::of(record, End::Leave))
    }

    #[cold]
    fn enter_first() -> Self {
        let (record, end) = match claim() {
            Claimed::Own(record) => (record, End::Leave),
            Claimed::Lent(record) => (record, End::GiveBack),
        };
        begin(record);
        Self::of(record, end)
    }

    #[inline(always)]
    fn of(record: &'static Record, end: End) -> Self {
        Section { record, end, _own: PhantomData }
    }

    /// The record of the thread that reads.
    #[inline(always)]
    pub fn record(&self) -> &'static Record {
        self.record
    }

    /// Keeps an entry beyond the section.
    #[inline(always)]
    pub fn pin(&self, entry: EntryRef<'_>) -> Pinned {
        let first = self.record.next_slot.load(Ordering::Relaxed) as usize;
        match self.record.slots.get(first) {
            Some(slot) if slot.load(Ordering::Acquire).is_null() => {
                slot.store(entry.as_ptr(), Ordering::Release);
                Pinned::in_slot(entry, slot)
            }
            _ => self.pin_elsewhere(entry, first),
        }
    }

    /// As [`Section::pin`], where the slot that comes first is empty.
    #[inline(always)]
    pub fn pin_quickly(&self, entry: EntryRef<'_>) -> Option<Pinned> {
        let first = self.record.next_slot.load(Ordering::Relaxed) as usize;
        debug_assert!(first < PINS);
        // SAFETY: only the owner writes the number, always one of a slot.
        let slot = unsafe { self.record.slots.get_unchecked(first) };
        if !slot.load(Ordering::Acquire).is_null() {
            return None;
        }
        slot.store(entry.as_ptr(), Ordering::Release);
        Some(Pinned::in_slot(entry, slot))
    }

    /// Looks at a few more slots; a thread that holds very many pins has the further ones counted.
    #[inline(never)]
    fn pin_elsewhere(&self, entry: EntryRef<'_>, first: usize) -> Pinned {
        const TRIES: usize = 8;
        for at in (first + 1..=first + TRIES).map(|at| at % PINS) {
            let slot = &self.record.slots[at];
            if slot.load(Ordering::Acquire).is_null() {
                slot.store(entry.as_ptr(), Ordering::Release);
                self.record.next_slot.store(at as u32, Ordering::Relaxed);
                return Pinned::in_slot(entry, slot);
            }
        }
        self.record.next_slot.store(((first + TRIES) % PINS) as u32, Ordering::Relaxed);
        Pinned::counted(entry)
    }
}

impl Drop for Section {
    #[inline(always)]
    fn drop(&mut self) {
        match self.end {
            End::Nothing => {}
            End::Leave => self.record.epoch.store(0, Ordering::Release),
            End::GiveBack => give_back(self.record),
        }
    }
}

#[inline(always)]
fn begin(record: &Record) {
    record.epoch.store(global().epoch.load(Ordering::Acquire), Ordering::Release);
    // What is read in the section is read after this is known, or those who free wait for it.
    barrier::light();
}

/// Opens a section of this thread that lasts until [`close`]; sections may be opened inside each other.
pub fn open() -> Result<()> {
    let record = match own() {
        Some(record) => record,
        None => match claim() {
            Claimed::Own(record) => record,
            Claimed::Lent(record) => {
                give_back(record);
                return Err(Error::invalid("no memory for a thread that reads, or the thread is ending"));
            }
        },
    };
    let open = record.open.load(Ordering::Relaxed);
    if open == 0 {
        begin(record);
    }
    record.open.store(open + 1, Ordering::Relaxed);
    Ok(())
}

/// The section of this thread that is open.
#[inline(always)]
pub fn current() -> Result<Section> {
    current_if_any().ok_or_else(none_open)
}

/// The section of this thread that is open, if one is.
#[inline(always)]
pub fn current_if_any() -> Option<Section> {
    let record = own()?;
    (record.open.load(Ordering::Relaxed) != 0).then(|| Section::of(record, End::Nothing))
}

#[cold]
fn none_open() -> Error {
    Error::invalid("this thread has begun no read section")
}

/// Closes the section that was opened last.
pub fn close() -> Result<()> {
    let record = own().filter(|record| record.open.load(Ordering::Relaxed) != 0);
    let record = record.ok_or_else(none_open)?;
    let open = record.open.load(Ordering::Relaxed) - 1;
    record.open.store(open, Ordering::Relaxed);
    if open == 0 {
        record.epoch.store(0, Ordering::Release);
    }
    Ok(())
}
