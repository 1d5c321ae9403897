//! Reading without locks: a section of code in which nothing that it finds is freed, and pins that reach beyond it.
//!
//! To read, a thread writes the epoch into its record, looks, and takes the epoch back: plain stores, no locked
//! instruction. What others take out of tables meanwhile is freed by `reclaim.rs` once every section that may have seen it
//! has ended. To keep an entry beyond the section, the thread writes its address into a slot of its record, where those
//! who free look too; to let it go, anybody empties the slot.
//!
//! A section lasts as long as a function runs: [`read`] lends it to a closure, so it can end neither too early nor out of
//! order. The one of a C program, from [`open`] to [`close`], is as long as the program says.

use std::marker::PhantomData;

use super::barrier;
use crate::epoch::participant::{PINS, Participant, global, kept, own, with};
use crate::error::{Error, Result};
use crate::sync::atomic::{Ordering, compiler_fence};
use crate::table::entry::{EntryRef, Pinned};

/// A time in which nothing is freed that this thread finds. Short: while it lasts, memory that others let go waits.
pub struct Guard {
    record: &'static Participant,
    /// It belongs to this thread.
    _own: PhantomData<*mut ()>,
}

/// Runs `work` in a section of this thread, which may be inside another.
#[inline(always)]
pub fn read<R>(work: impl FnOnce(&Guard) -> R) -> R {
    match own() {
        Some(record) => read_with(record, work),
        None => with(|record| read_with(record, work)),
    }
}

#[inline(always)]
fn read_with<R>(record: &'static Participant, work: impl FnOnce(&Guard) -> R) -> R {
    let section = Guard::of(record);
    if record.epoch.load(Ordering::Relaxed) != 0 {
        return work(&section);
    }
    begin(record);
    let _end = End(record);
    work(&section)
}

/// `fast_guard!(guard else slow)` begins a section for the rest of the block, where that takes a plain store and this thread is
/// in no other section; else it returns `slow`. It is a macro and no closure because it is for
/// the fast path, into which the compiler does not always put a closure. What ends the section has a name that only the
/// macro can say, so the block ends it, in order.
macro_rules! fast_guard {
    ($guard:ident else $slow:expr) => {
        let Some(entered) = $crate::epoch::guard::Entered::by_the_macro() else { return $slow };
        let $guard = entered.guard();
    };
}
pub(crate) use fast_guard;

/// An outermost section that lasts until this is dropped. Only for the macro, which gives it a name that nobody can say: it
/// must not be dropped inside a section that began in it.
pub(crate) struct Entered {
    section: Guard,
    _end: End,
}

impl Entered {
    #[inline(always)]
    pub(crate) fn by_the_macro() -> Option<Self> {
        let record = own()?;
        if record.epoch.load(Ordering::Relaxed) != 0 {
            return None;
        }
        record.epoch.store(global().epoch.load(Ordering::Acquire), Ordering::Release);
        // As in `begin`, which knows of other barriers too. The record is asked after the epoch is written: `barrier.rs`
        // says why.
        compiler_fence(Ordering::SeqCst);
        let end = End(record);
        if !record.light.load(Ordering::Relaxed) {
            return None;
        }
        Some(Entered { section: Guard::of(record), _end: end })
    }

    #[inline(always)]
    pub(crate) fn guard(&self) -> &Guard {
        &self.section
    }
}

/// Ends the outermost section, however its work ends.
struct End(&'static Participant);

impl Drop for End {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.epoch.store(0, Ordering::Release);
    }
}

impl Guard {
    #[inline(always)]
    fn of(record: &'static Participant) -> Self {
        Guard { record, _own: PhantomData }
    }

    /// The record of the thread that reads.
    #[inline(always)]
    pub fn record(&self) -> &Participant {
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

    /// As [`Guard::pin`], where the slot that comes first is empty.
    #[inline(always)]
    pub fn try_fast_pin(&self, entry: EntryRef<'_>) -> Option<Pinned> {
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

#[inline(always)]
fn begin(record: &Participant) {
    record.epoch.store(global().epoch.load(Ordering::Acquire), Ordering::Release);
    // What is read in the section is read after this is known, or those who free wait for it.
    barrier::light();
}

/// Opens a section of this thread that lasts until [`close`]; sections may be opened inside each other.
pub fn open() -> Result<()> {
    let Some(record) = kept() else {
        return Err(Error::invalid(
            "this thread can begin no read section: it is ending, or memory is out. Use the functions that pin or copy",
        ));
    };
    let open = record.open.load(Ordering::Relaxed);
    if open == 0 && record.epoch.load(Ordering::Relaxed) != 0 {
        return Err(Error::invalid("a read section cannot begin inside a lookup"));
    }
    let Some(more) = open.checked_add(1) else {
        return Err(Error::invalid(format!("{open} read sections are open: phicache_read_end is missing somewhere")));
    };
    if open == 0 {
        begin(record);
    }
    record.open.store(more, Ordering::Relaxed);
    Ok(())
}

/// Closes the section that was opened last.
///
/// # Safety
/// This thread is in no closure that [`read`] or [`in_open`] runs, and what it has found in the section is not used after
/// it. Both hold of a C program that keeps to the header: nothing of ours calls it from inside a section.
pub unsafe fn close() -> Result<()> {
    let record = own().filter(|record| record.open.load(Ordering::Relaxed) != 0);
    let record = record.ok_or_else(none_open)?;
    let open = record.open.load(Ordering::Relaxed) - 1;
    record.open.store(open, Ordering::Relaxed);
    if open == 0 {
        record.epoch.store(0, Ordering::Release);
    }
    Ok(())
}

/// Runs `work` in the section of this thread that is open.
#[inline(always)]
pub fn in_open<R>(work: impl FnOnce(&Guard) -> Result<R>) -> Result<R> {
    match own().filter(|record| record.open.load(Ordering::Relaxed) != 0) {
        Some(record) => work(&Guard::of(record)),
        None => Err(none_open()),
    }
}

/// As [`in_open`], if a section is open.
#[inline(always)]
pub fn try_fast_in_open<R>(work: impl FnOnce(&Guard) -> Option<R>) -> Option<R> {
    let record = own()?;
    if record.open.load(Ordering::Relaxed) == 0 {
        return None;
    }
    work(&Guard::of(record))
}

#[cold]
fn none_open() -> Error {
    Error::invalid("this thread has begun no read section")
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn sections_are_counted_and_too_many_are_refused() {
        open().unwrap();
        let record = own().unwrap();
        record.open.store(u32::MAX, Ordering::Relaxed);
        assert!(open().is_err());
        assert_eq!(record.open.load(Ordering::Relaxed), u32::MAX);
        record.open.store(1, Ordering::Relaxed);
        // SAFETY: nothing was found in the section.
        unsafe { close().unwrap() };
        // SAFETY: as above.
        assert!(unsafe { close() }.is_err());
        assert_eq!(record.epoch.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_section_cannot_be_opened_inside_a_lookup_but_a_lookup_can_be_inside_an_open_one() {
        read(|section| {
            let epoch = section.record().epoch.load(Ordering::Relaxed);
            assert!(open().is_err());
            read(|inner| assert_eq!(inner.record().epoch.load(Ordering::Relaxed), epoch));
            assert_eq!(section.record().epoch.load(Ordering::Relaxed), epoch);
        });
        open().unwrap();
        read(|section| assert_ne!(section.record().epoch.load(Ordering::Relaxed), 0));
        assert_ne!(own().unwrap().epoch.load(Ordering::Relaxed), 0);
        // SAFETY: nothing was found in the section.
        unsafe { close().unwrap() };
    }
}
