//! Freeing what was taken out of tables, once nobody can be looking at it any more.
//!
//! Whoever takes something out of a table puts it on the list of its own thread. Now and then a list is sorted:
//!
//! 1. A barrier makes every thread's record current: a reader has either written its epoch, or will not find what is gone.
//! 2. What was retired before the oldest section began is out of reach of all sections.
//! 3. Of that, what no slot of any record names is freed; what is pinned stays on the list.
//!
//! Nobody waits for readers: what cannot be freed now is looked at again the next time.

use std::ptr;

use super::barrier;
use crate::epoch::participant::{Participant, drop_orphans, global, with};
use crate::epoch::without_fork;
use crate::sync::atomic::Ordering;
use crate::table::entry::{EntryRef, Header, Pinned};

/// A list is sorted when so many things, or so many bytes, lie on it.
const THINGS: usize = if cfg!(shuttle) { 1 } else { 256 };
const BYTES: u64 = 256 << 10;

/// A part of a table that takes so much is worth a barrier of its own.
const LARGE_PART: u64 = 64 << 10;

/// The first field of whatever is retired besides entries: parts of tables.
pub(crate) struct Retired {
    next: *mut Retired,
    bytes: u64,
    drop_fn: DropFn,
}

/// Frees a part, and what it holds that is not pinned; the rest goes on the list.
pub(crate) type DropFn = unsafe fn(*mut Retired, &HazardSet, &mut RetireList);

impl Retired {
    pub(crate) const fn new() -> Self {
        Retired { next: ptr::null_mut(), bytes: 0, drop_fn: |_, _, _| () }
    }
}

/// Entries and parts, linked through themselves: a list takes no memory, and two become one at once.
pub(crate) struct RetireList {
    entries: Chain<Header>,
    parts: Chain<Retired>,
    things: usize,
    bytes: u64,
}

impl RetireList {
    const fn new() -> Self {
        RetireList { entries: Chain::new(), parts: Chain::new(), things: 0, bytes: 0 }
    }

    fn take(&mut self) -> RetireList {
        std::mem::replace(self, RetireList::new())
    }

    /// Puts an entry on the list.
    ///
    /// # Safety
    /// The entry is in no table any more, and on no other list; a counted share in it is the list's now.
    pub(crate) unsafe fn push_entry(&mut self, entry: *mut Header) {
        // SAFETY: the share keeps the entry alive.
        unsafe {
            self.entries.push(entry);
            self.bytes += EntryRef::new(entry).weight();
        }
        self.things += 1;
    }

    /// # Safety
    /// The part is alive and on no other list.
    unsafe fn push_part(&mut self, part: *mut Retired) {
        // SAFETY: the caller's promise.
        unsafe {
            self.parts.push(part);
            self.bytes += (*part).bytes;
        }
        self.things += 1;
    }

    fn append(&mut self, other: RetireList) {
        self.entries.append(other.entries);
        self.parts.append(other.parts);
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

impl Link for Retired {
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
pub(crate) struct Garbage {
    /// Since the list was sorted.
    fresh: RetireList,
    /// What could not be freed then, and the epoch that all sections must have begun in, or after.
    waiting: RetireList,
    stamp: u64,
}

// SAFETY: what is on a list belongs to the list, and may be freed by any thread.
unsafe impl Send for Garbage {}

impl Garbage {
    pub(crate) const fn new() -> Self {
        Garbage { fresh: RetireList::new(), waiting: RetireList::new(), stamp: 0 }
    }
}

impl Default for Garbage {
    fn default() -> Self {
        Self::new()
    }
}

/// Retires an entry.
///
/// # Safety
/// The entry was taken out of its table, whose share in it was counted ([`Header::count_table`]) and is handed over.
pub(crate) unsafe fn retire_entry(entry: *mut Header) {
    // SAFETY: the caller's promise.
    retire(false, |list| unsafe { list.push_entry(entry) });
}

/// Retires a part of a table that takes about `bytes`, with what it holds.
///
/// # Safety
/// `part` is the first field of what `drop_fn` frees, and no table leads to it any more.
pub(crate) unsafe fn retire_part(part: *mut Retired, bytes: u64, drop_fn: DropFn) {
    // SAFETY: the caller's promise.
    unsafe {
        (*part).bytes = bytes;
        (*part).drop_fn = drop_fn;
        retire(bytes >= LARGE_PART, |list| list.push_part(part));
    }
}

/// Puts something on this thread's list, which is sorted `at_once` or when it is full.
fn retire(at_once: bool, push: impl FnOnce(&mut RetireList)) {
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
pub(crate) fn is_anything_retired() -> bool {
    global().records().any(|record| record.retired_bytes.load(Ordering::Relaxed) != 0)
}

/// Frees what can be freed, whoever has retired it.
pub(crate) fn flush() {
    drop_orphans();
    let retired = |record: &&Participant| record.retired_bytes.load(Ordering::Relaxed) != 0;
    global().records().filter(retired).for_each(sort);
}

/// Sorts the list of a record.
#[cold]
fn sort(record: &'static Participant) {
    // A fork in the middle would lose what this thread has in hand.
    without_fork(|| sort_undisturbed(record));
}

fn sort_undisturbed(record: &'static Participant) {
    let global = global();
    let mut retired = record.retired.lock();
    let (fresh, waiting, stamp) = (retired.fresh.take(), retired.waiting.take(), retired.stamp);
    drop(retired);
    // Everything on the piles has left its table before this.
    let now = global.epoch.fetch_add(1, Ordering::AcqRel) + 1;
    let known = barrier::heavy();
    let sections = global.records().map(|record| record.epoch.load(Ordering::Acquire)).filter(|epoch| *epoch != 0);
    let oldest = if known { sections.min().unwrap_or(u64::MAX) } else { 0 };
    let (mut ready, mut left) = (RetireList::new(), RetireList::new());
    for (list, since) in [(waiting, stamp), (fresh, now)] {
        if since <= oldest { &mut ready } else { &mut left }.append(list);
    }
    // After the sections: a pin that began in one of them is seen.
    if !ready.is_empty() {
        let hazards = HazardSet::of_all();
        while let Some(part) = ready.parts.pop() {
            // SAFETY: no section can reach the part, and it belongs to this list.
            unsafe { ((*part).drop_fn)(part, &hazards, &mut left) };
        }
        while let Some(entry) = ready.entries.pop() {
            // SAFETY: as above; the list's share, which is the last but for counted pins, or goes on another list.
            unsafe {
                if hazards.contains(entry) {
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
        // Another may have sorted the list of this record meanwhile, at a later time.
        retired.stamp = retired.stamp.max(now);
    }
    let bytes = retired.fresh.bytes + retired.waiting.bytes;
    let nothing = retired.fresh.is_empty() && retired.waiting.is_empty();
    record.retired_bytes.store(if nothing { 0 } else { bytes.max(1) }, Ordering::Relaxed);
}

/// The entries that slots name.
pub(crate) struct HazardSet {
    /// In order; none when there was no memory for the list.
    sorted: Option<Vec<*mut Header>>,
}

impl HazardSet {
    fn of_all() -> Self {
        let mut sorted = Vec::new();
        for pin in Self::each() {
            if sorted.try_reserve(1).is_err() {
                return HazardSet { sorted: None };
            }
            sorted.push(pin);
        }
        sorted.sort_unstable();
        HazardSet { sorted: Some(sorted) }
    }

    fn each() -> impl Iterator<Item = *mut Header> {
        let slots = global().records().flat_map(|record| &record.slots);
        slots.map(|slot| slot.load(Ordering::Acquire)).filter(|pin| !pin.is_null())
    }

    /// Whether a slot names this entry.
    pub(crate) fn contains(&self, entry: *mut Header) -> bool {
        match &self.sorted {
            Some(sorted) if sorted.is_empty() => false,
            Some(sorted) => sorted.binary_search(&entry).is_ok(),
            None => Self::each().any(|pin| pin == entry),
        }
    }

    /// Whether a slot names an entry in these bytes.
    pub(crate) fn contains_any_in(&self, start: *mut u8, len: usize) -> bool {
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
