//! Freeing what was taken out of tables, once nobody can be looking at it any more.
//!
//! Whoever takes something out of a table puts it on the pile of its own thread. Now and then a pile is sorted:
//!
//! 1. A barrier makes every thread's record current: a reader has either written its epoch, or will not find what is gone.
//! 2. What was retired before the oldest section began is out of reach of all sections.
//! 3. Of that, what no slot of any record names is freed; what is pinned stays on the pile.
//!
//! Nobody waits for readers: what cannot be freed now is looked at again the next time.

use std::ptr;

use super::barrier;
use super::change::change;
use super::entry::{EntryRef, Header, Pinned};
use super::lock::atomic::Ordering;
use super::thread::{Record, drop_orphans, global, with};

/// A pile is sorted when so many things, or so many bytes, lie on it.
const THINGS: usize = if cfg!(shuttle) { 1 } else { 256 };
const BYTES: u64 = 256 << 10;

/// A part of a table that takes so much is worth a barrier of its own.
const LARGE_PART: u64 = 64 << 10;

/// The first field of whatever is retired besides entries: parts of tables.
pub(super) struct Husk {
    next: *mut Husk,
    bytes: u64,
    bury: Bury,
}

/// Frees a husk, and what it holds that is not pinned; the rest goes on the pile.
pub(super) type Bury = unsafe fn(*mut Husk, &Pins, &mut Pile);

impl Husk {
    pub(super) const fn new() -> Self {
        Husk { next: ptr::null_mut(), bytes: 0, bury: |_, _, _| () }
    }
}

/// Entries and husks, linked through themselves: a pile takes no memory, and two become one at once.
pub(super) struct Pile {
    entries: Chain<Header>,
    husks: Chain<Husk>,
    things: usize,
    bytes: u64,
}

impl Pile {
    const fn new() -> Self {
        Pile { entries: Chain::new(), husks: Chain::new(), things: 0, bytes: 0 }
    }

    fn take(&mut self) -> Pile {
        std::mem::replace(self, Pile::new())
    }

    /// Puts an entry on the pile.
    ///
    /// # Safety
    /// The entry is in no table any more, and on no other pile; a counted share in it is the pile's now.
    pub(super) unsafe fn push_entry(&mut self, entry: *mut Header) {
        // SAFETY: the share keeps the entry alive.
        unsafe {
            self.entries.push(entry);
            self.bytes += EntryRef::new(entry).weight();
        }
        self.things += 1;
    }

    /// # Safety
    /// The husk is alive and on no other pile.
    unsafe fn push_husk(&mut self, husk: *mut Husk) {
        // SAFETY: the caller's promise.
        unsafe {
            self.husks.push(husk);
            self.bytes += (*husk).bytes;
        }
        self.things += 1;
    }

    fn append(&mut self, other: Pile) {
        self.entries.append(other.entries);
        self.husks.append(other.husks);
        self.things += other.things;
        self.bytes += other.bytes;
    }

    fn is_empty(&self) -> bool {
        self.things == 0
    }
}

/// What can be linked into a chain.
trait Link: Sized {
    fn next(&mut self) -> &mut *mut Self;
}

impl Link for Header {
    fn next(&mut self) -> &mut *mut Self {
        &mut self.next
    }
}

impl Link for Husk {
    fn next(&mut self) -> &mut *mut Self {
        &mut self.next
    }
}

/// Things linked one to the next. All are alive, and on this chain alone.
struct Chain<T> {
    first: *mut T,
    last: *mut T,
}

impl<T: Link> Chain<T> {
    const fn new() -> Self {
        Chain { first: ptr::null_mut(), last: ptr::null_mut() }
    }

    /// # Safety
    /// The thing is alive and on no other chain.
    unsafe fn push(&mut self, thing: *mut T) {
        // SAFETY: the caller's promise.
        unsafe { *T::next(&mut *thing) = self.first };
        if self.first.is_null() {
            self.last = thing;
        }
        self.first = thing;
    }

    fn append(&mut self, other: Self) {
        if other.first.is_null() {
            return;
        }
        if self.last.is_null() {
            self.first = other.first;
        } else {
            // SAFETY: what is on the chain is alive.
            unsafe { *T::next(&mut *self.last) = other.first };
        }
        self.last = other.last;
    }

    fn pop(&mut self) -> Option<*mut T> {
        let thing = self.first;
        if thing.is_null() {
            return None;
        }
        // SAFETY: what is on the chain is alive.
        self.first = unsafe { *T::next(&mut *thing) };
        if self.first.is_null() {
            self.last = ptr::null_mut();
        }
        Some(thing)
    }
}

/// What a thread has retired.
pub(super) struct Retired {
    /// Since the pile was sorted.
    fresh: Pile,
    /// What could not be freed then, and the epoch that all sections must have begun in, or after.
    waiting: Pile,
    stamp: u64,
}

// SAFETY: what is on a pile belongs to the pile, and may be freed by any thread.
unsafe impl Send for Retired {}

impl Retired {
    pub(super) const fn new() -> Self {
        Retired { fresh: Pile::new(), waiting: Pile::new(), stamp: 0 }
    }
}

impl Default for Retired {
    fn default() -> Self {
        Self::new()
    }
}

/// Retires an entry.
///
/// # Safety
/// The entry was taken out of its table, whose share in it was counted ([`Header::count_table`]) and is handed over.
pub(super) unsafe fn retire_entry(entry: *mut Header) {
    // SAFETY: the caller's promise.
    retire(false, |pile| unsafe { pile.push_entry(entry) });
}

/// Retires a part of a table that takes about `bytes`, with what it holds.
///
/// # Safety
/// `husk` is the first field of what `bury` frees, and no table leads to it any more.
pub(super) unsafe fn retire_husk(husk: *mut Husk, bytes: u64, bury: Bury) {
    // SAFETY: the caller's promise.
    unsafe {
        (*husk).bytes = bytes;
        (*husk).bury = bury;
        retire(bytes >= LARGE_PART, |pile| pile.push_husk(husk));
    }
}

/// Puts something on this thread's pile, which is sorted `at_once` or when it is full.
fn retire(at_once: bool, push: impl FnOnce(&mut Pile)) {
    with(|record| {
        let mut retired = record.retired.lock();
        push(&mut retired.fresh);
        let bytes = retired.fresh.bytes + retired.waiting.bytes;
        record.retired_bytes.store(bytes.max(1), Ordering::Relaxed);
        let full = retired.fresh.things >= THINGS || retired.fresh.bytes >= BYTES;
        drop(retired);
        if full || at_once {
            sort(record);
        }
    });
}

/// Whether something waits to be freed.
pub(super) fn is_anything_retired() -> bool {
    global().records().any(|record| record.retired_bytes.load(Ordering::Relaxed) != 0)
}

/// Frees what can be freed, whoever has retired it.
pub(super) fn flush() {
    drop_orphans();
    let retired = |record: &&Record| record.retired_bytes.load(Ordering::Relaxed) != 0;
    global().records().filter(retired).for_each(sort);
}

/// Sorts the pile of a record.
#[cold]
fn sort(record: &'static Record) {
    // A fork in the middle would lose what this thread has in hand.
    change(|| sort_undisturbed(record));
}

fn sort_undisturbed(record: &'static Record) {
    let global = global();
    let mut retired = record.retired.lock();
    let (fresh, waiting, stamp) = (retired.fresh.take(), retired.waiting.take(), retired.stamp);
    drop(retired);
    // Everything on the piles has left its table before this.
    let now = global.epoch.fetch_add(1, Ordering::AcqRel) + 1;
    let known = barrier::heavy();
    let sections = global.records().map(|record| record.epoch.load(Ordering::Acquire)).filter(|epoch| *epoch != 0);
    let oldest = if known { sections.min().unwrap_or(u64::MAX) } else { 0 };
    let (mut ready, mut left) = (Pile::new(), Pile::new());
    for (pile, since) in [(waiting, stamp), (fresh, now)] {
        if since <= oldest { &mut ready } else { &mut left }.append(pile);
    }
    // After the sections: a pin that began in one of them is seen.
    if !ready.is_empty() {
        let pins = Pins::of_all();
        while let Some(husk) = ready.husks.pop() {
            // SAFETY: no section can reach the husk, and it belongs to this pile.
            unsafe { ((*husk).bury)(husk, &pins, &mut left) };
        }
        while let Some(entry) = ready.entries.pop() {
            // SAFETY: as above; the pile's share, which is the last but for counted pins, or goes on another pile.
            unsafe {
                if pins.name(entry) {
                    left.push_entry(entry);
                } else {
                    drop(Pinned::share(entry));
                }
            }
        }
    }
    let mut retired = record.retired.lock();
    if !left.is_empty() {
        retired.waiting.append(left);
        // Another may have sorted the pile of this record meanwhile, at a later time.
        retired.stamp = retired.stamp.max(now);
    }
    let bytes = retired.fresh.bytes + retired.waiting.bytes;
    let nothing = retired.fresh.is_empty() && retired.waiting.is_empty();
    record.retired_bytes.store(if nothing { 0 } else { bytes.max(1) }, Ordering::Relaxed);
}

/// The entries that slots name.
pub(super) struct Pins {
    /// In order; none when there was no memory for the list.
    sorted: Option<Vec<*mut Header>>,
}

impl Pins {
    fn of_all() -> Self {
        let mut sorted = Vec::new();
        for pin in Self::each() {
            if sorted.try_reserve(1).is_err() {
                return Pins { sorted: None };
            }
            sorted.push(pin);
        }
        sorted.sort_unstable();
        Pins { sorted: Some(sorted) }
    }

    fn each() -> impl Iterator<Item = *mut Header> {
        let slots = global().records().flat_map(|record| &record.slots);
        slots.map(|slot| slot.load(Ordering::Acquire)).filter(|pin| !pin.is_null())
    }

    /// Whether a slot names this entry.
    pub(super) fn name(&self, entry: *mut Header) -> bool {
        match &self.sorted {
            Some(sorted) if sorted.is_empty() => false,
            Some(sorted) => sorted.binary_search(&entry).is_ok(),
            None => Self::each().any(|pin| pin == entry),
        }
    }

    /// Whether a slot names an entry in these bytes.
    pub(super) fn name_any_in(&self, start: *mut u8, len: usize) -> bool {
        let end = start.wrapping_add(len);
        match &self.sorted {
            Some(sorted) => {
                let first = sorted.partition_point(|pin| pin.cast::<u8>() < start);
                sorted.get(first).is_some_and(|pin| pin.cast::<u8>() < end)
            }
            None => Self::each().any(|pin| (start..end).contains(&pin.cast())),
        }
    }
}
