//! A concurrent hash table: one writer at a time, lock-free readers (`lookup.rs`).
//!
//! ```text
//! table ──> directory ──> segment        the lowest bits of a hash choose the segment,
//!                    ╰──> segment        higher bits the bucket in it
//! ```
//!
//! An empty table owns no memory, because programs make hundreds of caches that stay nearly empty. A small table has
//! one segment; when that is full, one of twice the size replaces it. A full segment of maximum size is split in two,
//! so that an insertion copies at most one segment. A segment that has become sparse shrinks, or is merged with its
//! buddy. Each new shape is published at once: readers, and a child after a fork, find either the old directory or the
//! new one.

use std::mem::offset_of;
use std::ptr::{self, NonNull};

use super::allocate::Short;
use super::arena::{Arena, LazyArena};
use super::chunk_memory;
use super::closing::Closing;
use super::directory::Directory;
use super::draft::{BorrowedEntry, IntoEntry, Memory, OwnedEntry, Reservation, Terms};
use super::entry::{EntryRef, weight};
use super::hash::Hashed;
use super::header::Header;
use super::pin::Pinned;
use super::refusals::Refusals;
use super::release::{count_table_share, retire_entry};
use super::reshape::Reshape;
use super::segment::Segment;
use crate::epoch::{Biased, BiasedGuard, Changing, Participant, current, flush, retire, without_fork};
use crate::memory::Bounds;
use crate::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::sync::{Padding, TryArc, on_separate_lines};

/// The state that the writer's lock guards.
#[derive(Default)]
pub(super) struct Writer {
    /// Whether `len` is right. False, the default, if a writer vanished in a fork in the middle of a change: its lock
    /// has started over.
    counted: bool,
    pub(super) refusals: Refusals,
    /// The chunk that entries are leaving.
    pub(super) closing: Option<Closing>,
}

/// The result of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// The key was new.
    New,
    /// The entry replaced another one of the same key.
    Replaced,
    /// The key already had an entry, which stays.
    Kept,
    /// There is no room for the entry; what was there stays, unless it was evicted.
    Refused(Short),
    /// The caller no longer allowed it ([`Table::insert_if`]); nothing changed.
    Forbidden,
}

/// What a table has evicted. Only its writer changes it.
pub(super) struct EvictedCounts {
    entries: AtomicU64,
    bytes: AtomicU64,
    cost: AtomicU64,
}

/// What a table has evicted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evicted {
    /// Entries.
    pub entries: u64,
    /// The bytes that they took.
    pub bytes: u64,
    /// Nanoseconds of their computations.
    pub cost: u64,
}

impl EvictedCounts {
    const fn new() -> Self {
        EvictedCounts { entries: AtomicU64::new(0), bytes: AtomicU64::new(0), cost: AtomicU64::new(0) }
    }

    fn reset(&self) {
        for count in [&self.entries, &self.bytes, &self.cost] {
            count.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn add(&self, more: Evicted) {
        let add = |count: &AtomicU64, more: u64| {
            count.store(count.load(Ordering::Relaxed).saturating_add(more), Ordering::Relaxed);
        };
        add(&self.entries, more.entries);
        add(&self.bytes, more.bytes);
        add(&self.cost, more.cost);
    }
}

/// The entry that a key had.
pub(super) enum Old {
    /// It left the table, and its share was counted.
    Replaced(NonNull<Header>),
    /// It stays.
    Kept,
}

/// Entries by key.
#[repr(C)]
pub struct Table {
    pub(super) directory: AtomicPtr<Directory>,
    pub(super) arena: LazyArena,
    _padding: Padding,
    // Written by every writer.
    writer: Biased<Writer>,
    len: AtomicU64,
    changes: AtomicU64,
    pub(super) evicted: EvictedCounts,
}

const _: () = assert!(on_separate_lines(offset_of!(Table, arena), offset_of!(Table, writer)));

// SAFETY: the directory and everything in it change only under the table's lock, by atomic stores.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl Table {
    /// A table without entries. Allocates nothing.
    pub const fn new() -> Self {
        Table {
            directory: AtomicPtr::new(ptr::null_mut()),
            arena: LazyArena::new(),
            _padding: Padding::new(),
            writer: Biased::new(Writer { counted: true, refusals: Refusals::NONE, closing: None }),
            len: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            evicted: EvictedCounts::new(),
        }
    }

    /// The number of entries.
    pub fn len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of changes so far: insertions, removals, clears. Equal numbers mean equal contents.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The bytes held: the chunks of entries, and the table itself.
    pub fn bytes(&self) -> u64 {
        flush();
        self.arena.get().map_or(0, |arena| arena.account.bytes())
    }

    /// The bytes of the entries.
    pub fn live_bytes(&self) -> u64 {
        self.arena.get().map_or(0, Arena::live)
    }

    /// Sets the counts of what was evicted to zero.
    pub fn forget_evicted(&self) {
        without_fork(|| {
            let _writing = self.write();
            self.evicted.reset();
        });
    }

    /// Adds to the counts of what was evicted.
    pub fn note_evicted(&self, more: Evicted) {
        without_fork(|| {
            let _writing = self.write();
            self.evicted.add(more);
        });
    }

    /// What was evicted so far.
    pub fn evicted(&self) -> Evicted {
        Evicted {
            entries: self.evicted.entries.load(Ordering::Relaxed),
            bytes: self.evicted.bytes.load(Ordering::Relaxed),
            cost: self.evicted.cost.load(Ordering::Relaxed),
        }
    }

    /// The bytes that entries may take without growth: those of holes, which may have other sizes, and of the unused
    /// part of the newest chunk.
    pub fn room(&self) -> u64 {
        self.arena.get().map_or(0, Arena::room)
    }

    /// The memory in which drafts for this table are written, within `bounds`.
    pub fn memory(&self, bounds: Bounds) -> Memory<'_> {
        Memory { arena: &self.arena, bounds, strict: false }
    }
}

/// Writing: one thread at a time. No fork happens during a change.
impl Table {
    /// Reserves `len` bytes for the value of `key`, for which a draft had no room: evicts others for them.
    pub fn reserve_with_room(
        &self,
        short: Short,
        key: &[u8],
        len: usize,
        terms: &Terms,
    ) -> crate::error::Result<Result<Reservation, Short>> {
        let (weight, hash) = (weight(key.len(), len), Hashed::from(key).hash());
        let arena = self.arena.get_or_try_init()?;
        let _changing = Changing::begin();
        let mut writing = self.write();
        let attempt = || Reservation::try_new(key, len, &arena, &terms.bounds);
        Ok(self.with_room(&mut writing, short, weight, hash, terms, attempt))
    }

    /// Inserts an entry. If the key already has one, `replace` decides which of the two stays. The caller gets the new
    /// entry back, pinned, in any case.
    pub fn insert(&self, mut entry: OwnedEntry, replace: bool, terms: &Terms) -> (Pinned, Inserted) {
        let hash = Hashed::from(IntoEntry::key(&entry)).hash();
        let inserted = self.insert_entry(current(), &mut entry, hash, replace, terms, || true);
        (entry.into_pinned(), inserted)
    }

    /// As [`Table::insert`] with `replace`, for a value without an entry of its own. Both are short: other writers wait
    /// while they are copied.
    pub fn set(&self, key: &Hashed, value: &[u8], terms: &Terms) -> Inserted {
        self.insert_entry(current(), &mut BorrowedEntry { key: key.key, value }, key.hash(), true, terms, || true)
    }

    /// As [`Table::set`], unless the key has an entry, which stays.
    pub fn add(&self, key: &Hashed, value: &[u8], terms: &Terms) -> Inserted {
        self.insert_entry(current(), &mut BorrowedEntry { key: key.key, value }, key.hash(), false, terms, || true)
    }

    /// Inserts an entry, if `is_allowed` returns true, which is called while no other thread changes the table.
    /// `thread` is the calling thread's participant, if it has one already.
    #[inline(always)]
    pub(super) fn insert_entry(
        &self,
        thread: Option<&'static Participant>,
        entry: &mut impl IntoEntry,
        hash: u64,
        replace: bool,
        terms: &Terms,
        mut is_allowed: impl FnMut() -> bool,
    ) -> Inserted {
        retire::flush_if_unblocked();
        let changing = Changing::begin_by(thread);
        let thread = changing.participant();
        let mut writing = self.write_by(Some(thread));
        if !is_allowed() {
            return Inserted::Forbidden;
        }
        self.tidy(&mut writing, entry, terms);
        let mut inserted = self.try_at_once(thread, entry, hash, replace, terms);
        if let Err(short) = inserted {
            inserted = self.insert_with_room(thread, &mut writing, short, entry, hash, replace, terms);
        }
        drop(writing);
        match inserted {
            Ok(None) => Inserted::New,
            Ok(Some(Old::Replaced(old))) => {
                // SAFETY: the entry is no longer in the table, and its share was counted.
                unsafe { retire_entry(old, &terms.bounds) };
                Inserted::Replaced
            }
            Ok(Some(Old::Kept)) => Inserted::Kept,
            Err(short) => Inserted::Refused(short),
        }
    }

    /// Inserts an entry, and returns the one that the key had. Only for the writer.
    #[inline(never)]
    pub(super) fn try_insert_entry(
        &self,
        thread: &'static Participant,
        entry: &mut impl IntoEntry,
        hash: u64,
        replace: bool,
        terms: &Terms,
    ) -> Result<Option<Old>, Short> {
        self.try_at_once(thread, entry, hash, replace, terms)
    }

    /// As [`Table::try_insert_entry`], inlined.
    #[inline(always)]
    fn try_at_once(
        &self,
        thread: &'static Participant,
        entry: &mut impl IntoEntry,
        hash: u64,
        replace: bool,
        terms: &Terms,
    ) -> Result<Option<Old>, Short> {
        let key = Hashed::with_hash(entry.key(), hash);
        let mut segment = self.segment(hash);
        let found = match segment {
            Some(segment) => segment.find(&key),
            None => None,
        };
        if found.is_some() && !replace {
            return Ok(Some(Old::Kept));
        }
        let arena = self.arena.get_or_try_init()?;
        if found.is_none() && segment.is_none_or(Segment::is_full) {
            self.make_place(hash, &arena, &terms.bounds)?;
            segment = self.segment(hash);
        }
        let Some(segment) = segment else { return Err(Short::Failed(0)) };
        let made = entry.make_entry(thread, &arena, terms)?;
        arena.admit(entry.weight());
        match found {
            Some((position, old)) => {
                segment.replace(position, made, hash);
                self.unlink(&arena, old);
                self.count_change(0);
                Ok(Some(Old::Replaced(old)))
            }
            None => {
                segment.insert(made, hash);
                self.count_change(1);
                Ok(None)
            }
        }
    }

    /// Removes the entry of `key`; returns whether there was one.
    pub fn remove(&self, key: &Hashed, bounds: &Bounds) -> bool {
        retire::flush_if_unblocked();
        without_fork(|| {
            let mut writing = self.write();
            // Before the removal: a chunk with an entry that is removed and not retired yet would come back.
            self.compact(&mut writing, bounds);
            let Some(segment) = self.segment(key.hash()) else { return false };
            let Some((position, entry)) = segment.find(key) else { return false };
            segment.remove(position, key.hash());
            if let Some(arena) = self.arena.get() {
                self.unlink(arena, entry);
            }
            self.count_change(-1);
            let emptied = self.is_empty() && self.is_large();
            let directory = if emptied { self.take(&mut writing) } else { None };
            self.shrink(key.hash(), bounds);
            drop(writing);
            // SAFETY: the entry is no longer in the table, and its share was counted.
            unsafe { retire_entry(entry, bounds) };
            Self::retire(directory);
            true
        })
    }

    /// Whether the table is so large that it frees its memory when its last entry is removed, as when it is cleared. A
    /// small table keeps it, because it may get an entry again at once.
    fn is_large(&self) -> bool {
        const BUCKETS: usize = if cfg!(shuttle) { 2 } else { 64 };
        let directory = self.directory.load(Ordering::Acquire);
        // SAFETY: we are the writer.
        !directory.is_null() && unsafe { Directory::slot(directory, 0).segment() }.bucket_count() >= BUCKETS
    }

    /// Removes all entries.
    pub fn clear(&self) {
        self.clear_after(|| ());
    }

    /// Removes all entries, after `first`, which is called while no other thread changes the table.
    pub(super) fn clear_after(&self, first: impl FnOnce()) {
        retire::flush_if_unblocked();
        without_fork(|| {
            let mut writing = self.write();
            first();
            self.count_change(-(self.len() as i64));
            let directory = self.take(&mut writing);
            drop(writing);
            Self::retire(directory);
        });
    }

    /// Retires a directory that was taken out of the table, with its segments and entries.
    fn retire(directory: Option<NonNull<Directory>>) {
        if let Some(directory) = directory {
            // SAFETY: new readers cannot find it.
            unsafe { Directory::retire_with_entries(directory) };
        }
    }

    /// Moves all entries into a new table with the same account.
    pub fn split_off(&self) -> Table {
        let taken = Table::new();
        without_fork(|| {
            let mut writing = self.write();
            let len = self.len();
            self.count_change(-(len as i64));
            taken.len.store(len, Ordering::Relaxed);
            taken.directory.store(self.take(&mut writing).map_or(ptr::null_mut(), NonNull::as_ptr), Ordering::Release);
        });
        taken
    }

    /// Keeps all writers out until the result is dropped. Readers continue.
    pub fn lock_writers(&self) -> impl Drop + '_ {
        self.write()
    }

    /// Takes the directory, with all entries and their chunks, out of the table. Only for the writer.
    fn take(&self, writer: &mut Writer) -> Option<NonNull<Directory>> {
        let directory = NonNull::new(self.directory.swap(ptr::null_mut(), Ordering::AcqRel))?;
        if let Some(arena) = self.arena.get() {
            // SAFETY: the directory is ours now.
            unsafe { Directory::set_chunks(directory.as_ptr(), arena.detach(writer.closing.take())) };
        }
        Some(directory)
    }

    /// Counts a change by which the table has `more` entries. Only for the writer.
    pub(super) fn count_change(&self, more: i64) {
        self.len.store(self.len.load(Ordering::Relaxed).wrapping_add_signed(more), Ordering::Relaxed);
        self.changes.store(self.changes.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// Notes that an entry leaves the table, and turns the table's share in it into a counted one. Only for the writer,
    /// under the lock: afterwards another thread may clear the table and give up its chunks.
    pub(super) fn unlink(&self, arena: &Arena, entry: NonNull<Header>) {
        // SAFETY: the table's share, which the writer takes over, keeps the entry alive.
        let weight = unsafe {
            count_table_share(entry);
            EntryRef::new(entry).weight()
        };
        arena.dismiss(weight);
    }

    /// Makes this thread the writer.
    #[inline(always)]
    fn write(&self) -> BiasedGuard<'_, Writer> {
        self.write_by(current())
    }

    /// As [`Table::write`], for a thread that knows its participant.
    #[inline(always)]
    fn write_by(&self, thread: Option<&'static Participant>) -> BiasedGuard<'_, Writer> {
        let mut writer = self.writer.lock_by(thread);
        if !writer.counted {
            self.recount();
            writer.counted = true;
        }
        writer
    }

    /// Counts the entries of a table whose writer vanished in a fork. The entries are intact, but the counts may be
    /// wrong.
    #[cold]
    fn recount(&self) {
        let (mut len, mut live) = (0, 0);
        let directory = self.directory.load(Ordering::Acquire);
        if !directory.is_null() {
            // SAFETY: we are the writer.
            for slot in unsafe { Directory::distinct(directory) } {
                // SAFETY: as above.
                let segment = unsafe { slot.segment() };
                segment.recount();
                len += segment.len() as u64;
                // SAFETY: entries in the table are alive.
                live += segment.entries().map(|entry| unsafe { EntryRef::new(entry) }.weight()).sum::<u64>();
            }
        }
        self.len.store(len, Ordering::Relaxed);
        if let Some(arena) = self.arena.get() {
            arena.set_live(live);
        }
    }

    /// The segment for a hash; valid until the table grows. Only for the writer.
    pub(super) fn segment(&self, hash: u64) -> Option<&Segment> {
        let directory = self.directory.load(Ordering::Acquire);
        // SAFETY: only the writer replaces the directory and its segments.
        (!directory.is_null()).then(|| unsafe { Directory::slot(directory, hash).segment() })
    }

    /// Makes a place for one more entry with this hash. A segment that cannot grow gets fuller. Only for the writer.
    #[cold]
    #[inline(never)]
    fn make_place(&self, hash: u64, arena: &TryArc<Arena>, bounds: &Bounds) -> Result<(), Short> {
        let larger = match self.segment(hash) {
            Some(segment) if !segment.is_full() => return Ok(()),
            // SAFETY: it is the table's directory, and we are the writer.
            Some(segment) => match unsafe {
                Reshape::larger(self.directory.load(Ordering::Acquire), hash, &bounds_of_growth(arena, bounds))
            } {
                Err(_) if !segment.is_overfull() => return Ok(()),
                larger => larger?,
            },
            None => Reshape::first(arena, bounds)?,
        };
        // SAFETY: lookups begin at this pointer.
        unsafe { larger.publish(|directory| self.directory.store(directory, Ordering::Release)) };
        Ok(())
    }

    /// After an entry with this hash has left: a smaller shape, if the segment has become sparse. Only for the writer.
    #[inline]
    pub(super) fn shrink(&self, hash: u64, bounds: &Bounds) {
        if self.segment(hash).is_some_and(Segment::is_sparse) {
            self.shrink_now(hash, bounds);
        }
    }

    #[cold]
    #[inline(never)]
    fn shrink_now(&self, hash: u64, bounds: &Bounds) {
        // SAFETY: it is the table's directory, and we are the writer; lookups begin at this pointer.
        unsafe {
            if let Some(smaller) = Reshape::smaller(self.directory.load(Ordering::Acquire), hash, bounds) {
                smaller.publish(|directory| self.directory.store(directory, Ordering::Release));
            }
        }
    }
}

/// The bounds of the directory: in a table that evicts, survivors need room too.
fn bounds_of_growth(arena: &Arena, bounds: &Bounds) -> Bounds {
    let survivors = if bounds.evicts_at_max { arena.survivors(bounds) } else { 0 };
    Bounds { max_bytes: bounds.max_bytes.saturating_sub(survivors), ..*bounds }
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if !self.directory.load(Ordering::Acquire).is_null() {
            self.clear();
        }
        if let Some(arena) = self.arena.get() {
            without_fork(|| arena.abandon());
            if chunk_memory::uses_pages() && retire::may_free() {
                // What other threads have retired still keeps chunks, and their next collection may be far away. Leak
                // checkers do not see pages, nor what follows a page on a retire list.
                flush();
            }
        }
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
