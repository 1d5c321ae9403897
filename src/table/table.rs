//! A concurrent hash table: one writer at a time, lock-free readers (`lookup.rs`).
//!
//! ```text
//! table ──> directory ──> segment        the lowest bits of a hash choose the segment,
//!                    ╰──> segment        higher bits the bucket in it
//! ```
//!
//! An empty table owns no memory, because programs make hundreds of caches that stay nearly empty. A small table has
//! one segment; when that is full, one of twice the size replaces it. A full segment of maximum size is split in two,
//! so that an insertion copies at most one segment. Growth is atomic: readers, and a child after a fork, find either
//! the old directory or the new one.

use std::mem::offset_of;
use std::ptr::{self, NonNull};

use super::arena::{Arena, LazyArena};
use super::directory::{Directory, Growth};
use super::draft::{BorrowedEntry, IntoEntry, OwnedEntry};
use super::entry::EntryRef;
use super::hash::Hashed;
use super::header::Header;
use super::pin::Pinned;
use super::release::{count_table_share, retire_entry};
use super::segment::Segment;
use crate::epoch::{flush, retire, without_fork};
use crate::error::Result;
use crate::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard, Padding, on_separate_lines};

/// The state that the writer's lock guards.
#[derive(Default)]
struct Writer {
    /// Whether `len` is right. False, the default, if a writer vanished in a fork in the middle of a change: its lock
    /// has started over.
    counted: bool,
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
    /// The table would hold more bytes than it may; nothing changed.
    OverCapacity,
    /// There is no memory for a larger table; nothing changed.
    NoMemory,
    /// The caller no longer allowed it ([`Table::insert_if`]); nothing changed.
    Forbidden,
}

/// After this many refusals, retired objects are collected even if the last collection freed nothing.
const REFUSALS_PER_COLLECTION: u32 = 1024;

/// Entries by key.
#[repr(C)]
pub struct Table {
    pub(super) directory: AtomicPtr<Directory>,
    arena: LazyArena,
    _padding: Padding,
    // Written by every writer.
    writer: Mutex<Writer>,
    len: AtomicU64,
    changes: AtomicU64,
    /// Refused insertions, for [`Table::may_make_room`].
    refusals: AtomicU32,
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
            writer: Mutex::new(Writer { counted: true }),
            len: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            refusals: AtomicU32::new(0),
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

    /// The bytes held: entries, removed entries that are still pinned, and the table itself.
    pub fn bytes(&self) -> u64 {
        flush();
        self.arena.get().map_or(0, |arena| arena.account.bytes())
    }

    /// The bytes of its entries.
    pub fn live_bytes(&self) -> u64 {
        self.arena.get().map_or(0, Arena::live_bytes)
    }

    /// The memory in which drafts for this table are written.
    pub fn arena(&self) -> &LazyArena {
        &self.arena
    }
}

/// Writing: one thread at a time. No fork happens during a change.
impl Table {
    /// Inserts an entry, unless the table would hold more than `limit` bytes. If the key already has an entry,
    /// `replace` decides which of the two stays. The caller gets the new entry back, pinned, in any case.
    pub fn insert(&self, mut entry: OwnedEntry, replace: bool, limit: u64) -> (Pinned, Inserted) {
        let hash = Hashed::from(IntoEntry::key(&entry)).hash();
        let inserted = self.insert_entry(&mut entry, hash, replace, limit, || true);
        (entry.into_pinned(), inserted)
    }

    /// As [`Table::insert`] without `replace`, if `is_allowed` returns true, which is called while no other thread
    /// changes the table. `key` is the entry's.
    pub fn insert_if(
        &self,
        key: &Hashed,
        mut entry: OwnedEntry,
        limit: u64,
        is_allowed: impl FnMut() -> bool,
    ) -> (Pinned, Inserted) {
        debug_assert!(key.key == IntoEntry::key(&entry));
        let inserted = self.insert_entry(&mut entry, key.hash(), false, limit, is_allowed);
        (entry.into_pinned(), inserted)
    }

    /// As [`Table::insert`] with `replace`, for a value without an entry of its own. Both are short: other writers wait
    /// while they are copied.
    pub fn set(&self, key: &Hashed, value: &[u8], limit: u64) -> Inserted {
        self.insert_entry(&mut BorrowedEntry { key: key.key, value }, key.hash(), true, limit, || true)
    }

    fn insert_entry(
        &self,
        entry: &mut impl IntoEntry,
        hash: u64,
        replace: bool,
        limit: u64,
        mut is_allowed: impl FnMut() -> bool,
    ) -> Inserted {
        retire::flush_if_unblocked();
        without_fork(|| match self.try_insert_entry(entry, hash, replace, limit, &mut is_allowed) {
            // Retired objects still count.
            Inserted::OverCapacity | Inserted::NoMemory if self.may_make_room() => {
                flush();
                self.try_insert_entry(entry, hash, replace, limit, &mut is_allowed)
            }
            inserted => inserted,
        })
    }

    /// Whether a refused insertion is tried again after a collection: if retired objects may be freed, and every
    /// REFUSALS_PER_COLLECTION refusals, because pins may have been released meanwhile.
    #[cold]
    fn may_make_room(&self) -> bool {
        let refusals = self.refusals.load(Ordering::Relaxed) + 1;
        self.refusals.store(refusals % REFUSALS_PER_COLLECTION, Ordering::Relaxed);
        retire::may_free() || refusals == REFUSALS_PER_COLLECTION
    }

    #[inline]
    fn try_insert_entry(
        &self,
        entry: &mut impl IntoEntry,
        hash: u64,
        replace: bool,
        limit: u64,
        is_allowed: &mut impl FnMut() -> bool,
    ) -> Inserted {
        let writing = self.write();
        if !is_allowed() {
            return Inserted::Forbidden;
        }
        let key = Hashed::with_hash(entry.key(), hash);
        let Some((position, old)) = self.segment(hash).and_then(|segment| segment.find(&key)) else {
            return self.add(entry, hash, limit);
        };
        if !replace {
            return Inserted::Kept;
        }
        let Ok(arena) = self.arena.get_or_try_init() else { return Inserted::NoMemory };
        let Ok(made) = entry.make_entry(&arena, limit) else { return Inserted::NoMemory };
        let (Some(segment), Some(entry)) = (self.segment(hash), made) else { return Inserted::OverCapacity };
        segment.replace(position, entry, hash);
        self.unlink(&arena, old);
        self.count_change(0);
        drop(writing);
        // SAFETY: the entry is no longer in the table, and its share was counted.
        unsafe { retire_entry(old) };
        Inserted::Replaced
    }

    /// Inserts an entry with a new key. Only for the writer.
    #[inline]
    fn add(&self, entry: &mut impl IntoEntry, hash: u64, limit: u64) -> Inserted {
        match self.make_room(hash, entry.weight(), limit) {
            Ok(true) => {}
            Ok(false) => return Inserted::OverCapacity,
            Err(_) => return Inserted::NoMemory,
        }
        let Ok(arena) = self.arena.get_or_try_init() else { return Inserted::NoMemory };
        let Ok(made) = entry.make_entry(&arena, limit) else { return Inserted::NoMemory };
        let (Some(segment), Some(entry)) = (self.segment(hash), made) else { return Inserted::OverCapacity };
        segment.insert(entry, hash);
        self.count_change(1);
        Inserted::New
    }

    /// Removes the entry of `key`; returns whether there was one.
    pub fn remove(&self, key: &Hashed) -> bool {
        retire::flush_if_unblocked();
        without_fork(|| {
            let writing = self.write();
            let Some(segment) = self.segment(key.hash()) else { return false };
            let Some((position, entry)) = segment.find(key) else { return false };
            segment.remove(position, key.hash());
            if let Some(arena) = self.arena.get() {
                self.unlink(arena, entry);
            }
            self.count_change(-1);
            let emptied = self.is_empty() && self.is_large();
            let directory = if emptied { self.take() } else { None };
            drop(writing);
            // SAFETY: the entry is no longer in the table, and its share was counted.
            unsafe { retire_entry(entry) };
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
        retire::flush_if_unblocked();
        without_fork(|| {
            let writing = self.write();
            self.count_change(-(self.len() as i64));
            let directory = self.take();
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
    pub fn split_off(&self) -> Result<Table> {
        let taken = Table::new();
        without_fork(|| {
            let _writing = self.write();
            let len = self.len();
            self.count_change(-(len as i64));
            taken.len.store(len, Ordering::Relaxed);
            taken.directory.store(self.take().map_or(ptr::null_mut(), NonNull::as_ptr), Ordering::Release);
        });
        Ok(taken)
    }

    /// Keeps all writers out until the result is dropped. Readers continue.
    pub fn lock_writers(&self) -> impl Drop + '_ {
        self.write()
    }

    /// Takes the directory, with all entries and their chunks, out of the table. Only for the writer.
    fn take(&self) -> Option<NonNull<Directory>> {
        let directory = NonNull::new(self.directory.swap(ptr::null_mut(), Ordering::AcqRel))?;
        if let Some(arena) = self.arena.get() {
            // SAFETY: the directory is ours now.
            unsafe { Directory::set_chunks(directory.as_ptr(), arena.detach()) };
        }
        Some(directory)
    }

    /// Counts a change by which the table has `more` entries. Only for the writer.
    fn count_change(&self, more: i64) {
        self.len.store(self.len.load(Ordering::Relaxed).wrapping_add_signed(more), Ordering::Relaxed);
        self.changes.store(self.changes.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// Notes that an entry leaves the table, and turns the table's share in it into a counted one. Only for the writer,
    /// under the lock: afterwards another thread may clear the table and give up its chunks.
    fn unlink(&self, arena: &Arena, entry: NonNull<Header>) {
        // SAFETY: the table's share, which the writer takes over, keeps the entry alive.
        let weight = unsafe {
            count_table_share(entry);
            EntryRef::new(entry).weight()
        };
        arena.dismiss(weight);
    }

    /// Makes this thread the writer.
    fn write(&self) -> MutexGuard<'_, Writer> {
        let mut writer = self.writer.lock();
        if !writer.counted {
            self.recount();
            writer.counted = true;
        }
        writer
    }

    /// Counts the entries of a table whose writer vanished in a fork. The entries are intact, but `len` may be wrong.
    #[cold]
    fn recount(&self) {
        let mut len = 0;
        let directory = self.directory.load(Ordering::Acquire);
        if !directory.is_null() {
            // SAFETY: we are the writer.
            for slot in unsafe { Directory::distinct(directory) } {
                // SAFETY: as above.
                let segment = unsafe { slot.segment() };
                segment.recount();
                len += segment.len() as u64;
            }
        }
        self.len.store(len, Ordering::Relaxed);
    }

    /// The segment for a hash; valid until the table grows. Only for the writer.
    fn segment(&self, hash: u64) -> Option<&Segment> {
        let directory = self.directory.load(Ordering::Acquire);
        // SAFETY: only the writer replaces the directory and its segments.
        (!directory.is_null()).then(|| unsafe { Directory::slot(directory, hash).segment() })
    }

    /// Makes room for one more entry of `weight` with this hash; false if the limit forbids that. Only for the writer.
    fn make_room(&self, hash: u64, weight: u64, limit: u64) -> Result<bool> {
        let fits = |growth: u64| {
            let held = self.arena.get().map_or(0, |arena| arena.account.bytes());
            held.saturating_add(growth).saturating_add(weight) <= limit
        };
        let growth = match self.segment(hash) {
            Some(segment) if !segment.is_full() => return Ok(true),
            // SAFETY: it is the table's directory, and we are the writer.
            Some(_) => unsafe { Growth::of(self.directory.load(Ordering::Acquire), hash, fits)? },
            None => Growth::first(|| Ok(self.arena.get_or_try_init()?.account.clone()), fits)?,
        };
        let Some(growth) = growth else { return Ok(false) };
        // SAFETY: lookups begin at this pointer.
        unsafe { growth.publish(|directory| self.directory.store(directory, Ordering::Release)) };
        Ok(true)
    }
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
        } else if let Some(arena) = self.arena.get() {
            // The table has no directory, so none of the arena's entries is in it.
            arena.detach().free_unused();
        }
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
