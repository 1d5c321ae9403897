//! Finds entries by key: readers without locks, one writer at a time.
//!
//! ```text
//! table ──> directory ──> segment        the lowest bits of a hash choose the segment,
//!                    ╰──> segment        others the bucket in it
//! ```
//!
//! A table without entries owns no memory: a run makes hundreds of caches that stay nearly empty. A small one has a single
//! segment, which is replaced by one of twice the size when it is full; one of full size is split in two, so that no
//! insertion ever waits for more than one segment to be copied. A directory never changes: growing makes another, and a
//! store of one word puts it in place, so that readers, and a child after a fork, find either the old state or the new.

use std::alloc::{Layout, alloc, dealloc};
use std::mem::offset_of;
use std::ptr;

use rapidhash::v3::RapidSecrets;

use crate::epoch::guard::Guard;
use crate::epoch::retire::{self, HazardSet, RetireList, Retired, retire_entry, retire_part};
use crate::epoch::without_fork;
use crate::error::{Error, Result};
use crate::memory::{Account, heap_bytes};
use crate::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::sync::{ArcRef, OnceTryArc, TryArc, try_box};
use crate::sync::{Mutex, MutexGuard};
use crate::sync::{Padding, on_separate_lines};
use crate::table::arena::{Arena, Detached};
use crate::table::entry::{BorrowedEntry, EntryRef, Header, IntoEntry, OwnedEntry, Pinned};
use crate::table::hash::{Hashed, hash, secrets};
use crate::table::segment::{self, Bucket, Buckets, Probe, Segment};

/// Buckets of a segment of full size.
const BUCKETS: usize = if cfg!(shuttle) { 2 } else { 1024 };

/// What the one who writes knows.
#[derive(Default)]
struct Writer {
    /// False, the default, when a writer has vanished in a fork, in the middle of something.
    settled: bool,
}

/// What became of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// The key is new.
    New,
    /// The key had another value before.
    Replaced,
    /// The key has another value, and keeps it.
    Kept,
    /// The table would hold more bytes than it may; nothing changed.
    OverCapacity,
    /// There is no memory for a larger table; nothing changed.
    NoMemory,
    /// It may not be stored any more ([`Table::insert_if`]); nothing changed.
    Forbidden,
}

/// Entries by key.
#[repr(C)]
pub struct Table {
    directory: AtomicPtr<Directory>,
    arena: OnceTryArc<Arena>,
    _padding: Padding,
    // What every writer writes.
    writer: Mutex<Writer>,
    len: AtomicU64,
    changes: AtomicU64,
}

const _: () = assert!(on_separate_lines(offset_of!(Table, arena), offset_of!(Table, writer)));

impl Table {
    /// A table without entries. Allocates nothing.
    pub const fn new() -> Self {
        Table {
            directory: AtomicPtr::new(ptr::null_mut()),
            arena: OnceTryArc::new(),
            _padding: Padding::new(),
            writer: Mutex::new(Writer { settled: true }),
            len: AtomicU64::new(0),
            changes: AtomicU64::new(0),
        }
    }

    /// The entry of a key, as long as the section lasts.
    #[inline(always)]
    pub fn find<'s>(&self, _section: &'s Guard, key: &Hashed) -> Option<EntryRef<'s>> {
        let directory = self.directory.load(Ordering::Acquire);
        if directory.is_null() {
            return None;
        }
        // SAFETY: what the section finds lives as long as it lasts: the directory, its segments, their entries.
        unsafe { segment::find(Directory::buckets(directory, key.hash), key) }
    }

    /// As [`Table::find`], where one look decides.
    #[inline(always)]
    pub fn probe<'s>(&self, _section: &'s Guard, key: &[u8]) -> Probe<'s> {
        let directory = self.directory.load(Ordering::Acquire);
        if directory.is_null() {
            return Probe::Missing;
        }
        // SAFETY: as for `find`.
        unsafe {
            let key = Hashed::with(key, (*directory).secrets);
            segment::probe(Directory::buckets(directory, key.hash), &key)
        }
    }

    /// Begins to fetch what [`Table::find`] will need first.
    #[inline(always)]
    pub fn fetch_bucket(&self, _section: &Guard, key: &Hashed) {
        let directory = self.directory.load(Ordering::Acquire);
        if !directory.is_null() {
            // SAFETY: as for `find`.
            segment::prefetch::bucket(unsafe { Directory::buckets(directory, key.hash) }, key);
        }
    }

    /// Begins to fetch what [`Table::find_fetched`] will need then: the entry that seems to be meant.
    #[inline(always)]
    pub fn fetch_entry<'s>(&self, _section: &'s Guard, key: &Hashed) -> Option<EntryRef<'s>> {
        let directory = self.directory.load(Ordering::Acquire);
        if directory.is_null() {
            return None;
        }
        // SAFETY: as for `find`.
        unsafe { segment::prefetch::entry(Directory::buckets(directory, key.hash), key) }
    }

    /// As [`Table::find`], once the entry that seems to be meant is there.
    #[inline(always)]
    pub fn find_fetched<'s>(
        &self,
        section: &'s Guard,
        key: &Hashed,
        seems: Option<EntryRef<'s>>,
    ) -> Option<EntryRef<'s>> {
        seems.filter(|entry| segment::keys_equal(entry.key(), key.key)).or_else(|| self.find(section, key))
    }

    /// Takes an entry in, unless the table would come to hold more than `limit` bytes. Where the key has an entry already,
    /// `replace` says which of the two stays. Whatever happens, the maker gets the new entry back, pinned.
    pub fn insert(&self, mut fresh: OwnedEntry, replace: bool, limit: u64) -> (Pinned, Inserted) {
        let hash = hash(IntoEntry::key(&fresh));
        let inserted = self.enter(hash, &mut fresh, replace, limit, || true);
        (fresh.into_pinned(), inserted)
    }

    /// As [`Table::insert`] without `replace`, if it still `may`: that is asked while nobody else changes the table. `key` is
    /// the entry's, hashed.
    pub fn insert_if(
        &self,
        key: &Hashed,
        mut fresh: OwnedEntry,
        limit: u64,
        may: impl FnMut() -> bool,
    ) -> (Pinned, Inserted) {
        debug_assert!(key.key == IntoEntry::key(&fresh));
        let inserted = self.enter(key.hash, &mut fresh, false, limit, may);
        (fresh.into_pinned(), inserted)
    }

    /// As [`Table::insert`] with `replace`, for a key and a value of which nobody has made an entry. Both are short: others
    /// who write wait while they are copied.
    pub fn set(&self, key: &Hashed, value: &[u8], limit: u64) -> Inserted {
        self.enter(key.hash, &mut BorrowedEntry { key: key.key, value }, true, limit, || true)
    }

    fn enter(
        &self,
        hash: u64,
        entrant: &mut impl IntoEntry,
        replace: bool,
        limit: u64,
        may: impl FnMut() -> bool,
    ) -> Inserted {
        without_fork(|| self.enter_undisturbed(hash, entrant, replace, limit, may))
    }

    fn enter_undisturbed(
        &self,
        hash: u64,
        entrant: &mut impl IntoEntry,
        replace: bool,
        limit: u64,
        mut may: impl FnMut() -> bool,
    ) -> Inserted {
        match self.try_enter(hash, entrant, replace, limit, &mut may) {
            // What was let go may have been counted still.
            Inserted::OverCapacity if retire::is_anything_retired() => {
                retire::flush();
                self.try_enter(hash, entrant, replace, limit, &mut may)
            }
            inserted => inserted,
        }
    }

    #[inline]
    fn try_enter(
        &self,
        hash: u64,
        entrant: &mut impl IntoEntry,
        replace: bool,
        limit: u64,
        may: &mut impl FnMut() -> bool,
    ) -> Inserted {
        let key = Hashed { key: entrant.key(), hash };
        let writing = self.write();
        if !may() {
            return Inserted::Forbidden;
        }
        let known = |part: &mut OwnedSegment| part.segment.find(&key);
        if let Some((place, old)) = self.part(hash).and_then(known) {
            if !replace {
                return Inserted::Kept;
            }
            let Ok(arena) = self.arena() else { return Inserted::NoMemory };
            let Ok(made) = entrant.enter(&arena, limit) else { return Inserted::NoMemory };
            let (Some(part), Some(entry)) = (self.part(hash), made) else { return Inserted::OverCapacity };
            part.segment.replace(place, entry, hash);
            self.unlink(&arena, old);
            self.changed(0);
            drop(writing);
            // SAFETY: the entry has just left the table.
            unsafe { retire_entry(old) };
            return Inserted::Replaced;
        }
        match self.make_room(hash, entrant.weight(), limit) {
            Ok(true) => {}
            Ok(false) => return Inserted::OverCapacity,
            Err(_) => return Inserted::NoMemory,
        }
        let Ok(arena) = self.arena() else { return Inserted::NoMemory };
        let Ok(made) = entrant.enter(&arena, limit) else { return Inserted::NoMemory };
        let (Some(part), Some(entry)) = (self.part(hash), made) else { return Inserted::OverCapacity };
        part.segment.insert(entry, hash);
        self.changed(1);
        Inserted::New
    }

    /// Counts a change by which there are so many more entries. Only for the one who writes.
    fn changed(&self, more: i64) {
        self.len.store(self.len.load(Ordering::Relaxed).wrapping_add_signed(more), Ordering::Relaxed);
        self.changes.store(self.changes.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// Takes the entry of `key` out; says whether there was one.
    pub fn remove(&self, key: &Hashed) -> bool {
        without_fork(|| self.remove_undisturbed(key))
    }

    fn remove_undisturbed(&self, key: &Hashed) -> bool {
        let writing = self.write();
        let Some(part) = self.part(key.hash) else { return false };
        let Some((place, entry)) = part.segment.find(key) else { return false };
        part.segment.remove(place, key.hash);
        if let Some(arena) = self.arena.get() {
            self.unlink(arena, entry);
        }
        self.changed(-1);
        drop(writing);
        // SAFETY: the entry has just left the table.
        unsafe { retire_entry(entry) };
        true
    }

    /// Takes all entries out.
    pub fn clear(&self) {
        without_fork(|| Self::retire(self.take().0));
    }

    /// Moves all entries into a table of their own, on the same account.
    pub fn split_off(&self) -> Result<Table> {
        let taken = Table::new();
        without_fork(|| {
            let (directory, len) = self.take();
            taken.len.store(len, Ordering::Relaxed);
            taken.directory.store(directory, Ordering::Release);
        });
        Ok(taken)
    }

    /// Takes the directory, with all entries and the memory they stand in.
    fn take(&self) -> (*mut Directory, u64) {
        let _writing = self.write();
        let len = self.len.load(Ordering::Relaxed);
        self.changed(-(len as i64));
        let directory = self.directory.swap(ptr::null_mut(), Ordering::AcqRel);
        if let (Some(arena), false) = (self.arena.get(), directory.is_null()) {
            // SAFETY: the directory is ours now; readers do not look at its chunks.
            unsafe { (*directory).chunks = arena.detach() };
        }
        (directory, len)
    }

    fn retire(directory: *mut Directory) {
        if !directory.is_null() {
            // SAFETY: the directory has just left the table, with all it leads to.
            unsafe { retire_part(directory.cast(), (*directory).chunks.weight(), Directory::bury_all) };
        }
    }

    /// Where entries for this table are made.
    #[inline]
    pub(crate) fn arena(&self) -> Result<ArcRef<'_, Arena>> {
        if let Some(arena) = self.arena.lend() {
            return Ok(arena);
        }
        let account = TryArc::try_new(Account::default())?;
        self.arena.get_or_try_init(|| Arena::try_new(account))?;
        self.arena.lend().ok_or(Error::OutOfMemory(0))
    }

    /// Takes an entry that leaves the table off what the arena knows to be in it, and makes the table's share a counted one.
    /// Only for the one who writes, while it does: a moment later another may clear the table and let the memory go.
    fn unlink(&self, arena: &Arena, entry: *mut Header) {
        // SAFETY: the table's share keeps the entry alive; it is ours now.
        let weight = unsafe {
            Header::count_table(entry);
            EntryRef::new(entry).weight()
        };
        arena.in_table.store(arena.in_table.load(Ordering::Relaxed) - weight, Ordering::Relaxed);
    }

    /// Shows every entry to `see`.
    pub fn for_each(&self, _section: &Guard, mut see: impl FnMut(EntryRef)) {
        let directory = self.directory.load(Ordering::Acquire);
        if directory.is_null() {
            return;
        }
        // SAFETY: what the section finds lives as long as it lasts.
        for way in unsafe { Directory::distinct(directory) } {
            // SAFETY: as above.
            let entries = segment::entries(unsafe { way.buckets() });
            // SAFETY: as above.
            entries.for_each(|entry| see(unsafe { EntryRef::new(entry) }));
        }
    }

    /// Keeps the table as it is until this is dropped; readers go on.
    pub fn lock_writers(&self) -> impl Drop + '_ {
        self.write()
    }

    /// The number of entries.
    pub fn len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Grows with every insertion, removal and clearing: equal numbers mean equal contents.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The bytes held: entries, pinned ones that were taken out included, and what it takes to find them.
    pub fn bytes(&self) -> u64 {
        retire::flush();
        self.arena.get().map_or(0, |arena| arena.account.bytes())
    }

    /// Lets this thread change the table, and no other.
    fn write(&self) -> MutexGuard<'_, Writer> {
        let mut writer = self.writer.lock();
        if !writer.settled {
            // Another was at it when the process was forked. What it left is whole, but may be miscounted.
            let mut len = 0;
            let directory = self.directory.load(Ordering::Acquire);
            if !directory.is_null() {
                // SAFETY: we are the one who writes.
                for way in unsafe { Directory::distinct(directory) } {
                    // SAFETY: as above.
                    let segment = unsafe { &mut (*way.part).segment };
                    segment.recount();
                    len += segment.len() as u64;
                }
            }
            self.len.store(len, Ordering::Relaxed);
            writer.settled = true;
        }
        writer
    }

    /// The part for a hash. Only for the one who writes, and one at a time.
    #[expect(clippy::mut_from_ref, reason = "the writer's lock makes it exclusive")]
    fn part(&self, hash: u64) -> Option<&mut OwnedSegment> {
        let directory = self.directory.load(Ordering::Acquire);
        if directory.is_null() {
            return None;
        }
        // SAFETY: nobody else changes the directory, and readers look at buckets only, which are atomic.
        unsafe { Some(&mut *Directory::way(directory, hash).part) }
    }

    /// Sees to it that one more entry of `weight` with this hash finds room; false where the limit forbids that.
    fn make_room(&self, hash: u64, weight: u64, limit: u64) -> Result<bool> {
        let old = self.directory.load(Ordering::Acquire);
        let fits = |growth: u64| {
            let held = self.arena.get().map_or(0, |arena| arena.account.bytes());
            held.saturating_add(growth).saturating_add(weight) <= limit
        };
        let Some(part) = self.part(hash) else {
            if !fits(OwnedSegment::bytes(1) + Directory::bytes(1)) {
                return Ok(false);
            }
            let account = self.arena()?.account.clone();
            let way = OwnedSegment::try_new(Segment::try_new(1)?, 0, account.clone())?;
            let first = Directory::try_new(1, 0, account, |_| way).inspect_err(|_| way.free())?;
            self.directory.store(first, Ordering::Release);
            return Ok(true);
        };
        if !part.segment.is_full() {
            return Ok(true);
        }
        // SAFETY: the directory is alive while we write.
        let (ways, account) = unsafe { (Directory::ways(old), (*old).account.clone()) };
        let before = part.segment.buckets().len();
        let full: *mut OwnedSegment = part;
        let new = if before < BUCKETS {
            let buckets = before * 2;
            if !fits(OwnedSegment::bytes(buckets) + Directory::bytes(1)) {
                return Ok(false);
            }
            let way = OwnedSegment::try_new(part.segment.grown()?, 0, account.clone())?;
            Directory::try_new(1, Buckets::span(buckets), account, |_| way).inspect_err(|_| way.free())?
        } else {
            let depth = part.depth;
            let len = if 1 << depth == ways.len() { ways.len() * 2 } else { ways.len() };
            if !fits(2 * OwnedSegment::bytes(BUCKETS) + Directory::bytes(len)) {
                return Ok(false);
            }
            let [low, high] = part.segment.split(SLOT + depth)?;
            let low = OwnedSegment::try_new(low, depth + 1, account.clone())?;
            let high = OwnedSegment::try_new(high, depth + 1, account.clone()).inspect_err(|_| low.free())?;
            let way = |at: usize| match ways[at & (ways.len() - 1)] {
                way if !ptr::eq(way.part, full) => way,
                _ => [low, high][at >> depth & 1],
            };
            let freed = |_: &Error| [low, high].into_iter().for_each(DirSlot::free);
            Directory::try_new(len, Buckets::span(before), account, way).inspect_err(freed)?
        };
        self.directory.store(new, Ordering::Release);
        // SAFETY: nothing leads to these any more; their entries are in the new parts.
        unsafe {
            retire_part(full.cast(), Segment::bytes(before) as u64, OwnedSegment::drop_fn);
            retire_part(old.cast(), Directory::bytes(ways.len()), Directory::drop_fn);
        }
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
            // What stands in the arena was never in the table.
            arena.detach().give_up_unused();
        }
    }
}

// SAFETY: what the table leads to is changed under its lock only, by stores that readers may see at any moment.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

/// A segment, and how many bits of a hash all its entries have in common.
#[repr(C)]
struct OwnedSegment {
    part: Retired,
    depth: u32,
    segment: Segment,
    account: TryArc<Account>,
}

/// The lowest bit of a hash that chooses a way: with it and those above, masked, one has the way's place in bytes.
const SLOT: u32 = size_of::<DirSlot>().ilog2();

/// The way from a directory to a segment.
#[derive(Clone, Copy)]
struct DirSlot {
    /// What readers need of the part.
    buckets: *const Bucket,
    part: *mut OwnedSegment,
}

impl DirSlot {
    /// # Safety
    /// The part is alive for `'s`.
    unsafe fn buckets<'s>(self) -> &'s [Bucket] {
        // SAFETY: the caller's promise.
        unsafe { (*self.part).segment.buckets() }
    }

    /// Frees a part that was never reached.
    fn free(self) {
        // SAFETY: it was made by `try_new`, and nobody else knows it.
        drop(unsafe { Box::from_raw(self.part) });
    }
}

impl OwnedSegment {
    fn bytes(buckets: usize) -> u64 {
        heap_bytes(size_of::<OwnedSegment>()) + heap_bytes(Segment::bytes(buckets))
    }

    fn try_new(segment: Segment, depth: u32, account: TryArc<Account>) -> Result<DirSlot> {
        account.charge(Self::bytes(segment.buckets().len()), u64::MAX);
        let buckets = segment.buckets().as_ptr();
        let part = try_box(OwnedSegment { part: Retired::new(), depth, segment, account })?;
        Ok(DirSlot { buckets, part: Box::into_raw(part) })
    }

    /// Frees a part whose entries are elsewhere.
    unsafe fn drop_fn(part: *mut Retired, _pins: &HazardSet, _pile: &mut RetireList) {
        // SAFETY: the part is the first field of a part that was boxed, and which nobody reaches any more.
        drop(unsafe { Box::from_raw(part.cast::<OwnedSegment>()) });
    }
}

impl Drop for OwnedSegment {
    fn drop(&mut self) {
        self.account.discharge(Self::bytes(self.segment.buckets().len()));
    }
}

/// All segments of a table: never changed, only replaced. The ways follow in the same block.
#[repr(C)]
struct Directory {
    part: Retired,
    /// How far the last way stands behind the first, in bytes.
    span: usize,
    /// The same of the buckets of each segment: all have the same size.
    bucket_span: usize,
    /// What its keys are hashed with: here, one who has the directory need not ask whether they are there.
    secrets: &'static RapidSecrets,
    account: TryArc<Account>,
    /// Once it has left the table: the memory of its entries.
    chunks: Detached,
    ways: [DirSlot; 0],
}

impl Directory {
    fn layout(ways: usize) -> Layout {
        let ways = Layout::array::<DirSlot>(ways).unwrap_or(Layout::new::<DirSlot>());
        Layout::new::<Directory>().extend(ways).map_or(ways, |(layout, _)| layout)
    }

    /// What it takes, and what every table with entries has besides.
    fn bytes(ways: usize) -> u64 {
        heap_bytes(Self::layout(ways).size()) + Arena::bytes()
    }

    fn try_new(
        ways: usize,
        bucket_span: usize,
        account: TryArc<Account>,
        way: impl Fn(usize) -> DirSlot,
    ) -> Result<*mut Self> {
        let layout = Self::layout(ways);
        // SAFETY: the layout is not empty.
        let block = unsafe { alloc(layout) }.cast::<Directory>();
        if block.is_null() {
            return Err(Error::OutOfMemory(layout.size()));
        }
        account.charge(Self::bytes(ways), u64::MAX);
        // SAFETY: the block is ours, and has room for the directory and so many ways behind it.
        unsafe {
            let chunks = Detached::NOTHING;
            let span = (ways - 1) * size_of::<DirSlot>();
            block.write(Directory {
                part: Retired::new(),
                span,
                bucket_span,
                secrets: secrets(),
                account,
                chunks,
                ways: [],
            });
            let first = (&raw mut (*block).ways).cast::<DirSlot>();
            (0..ways).for_each(|at| first.add(at).write(way(at)));
        }
        Ok(block)
    }

    /// # Safety
    /// The directory is alive.
    #[inline(always)]
    unsafe fn way(directory: *mut Self, hash: u64) -> DirSlot {
        // SAFETY: the caller's promise; the span keeps the place inside.
        unsafe { *(&raw const (*directory).ways).byte_add(hash as usize & (*directory).span).cast::<DirSlot>() }
    }

    /// What readers need of a way.
    ///
    /// # Safety
    /// The directory is alive.
    #[inline(always)]
    unsafe fn buckets(directory: *mut Self, hash: u64) -> Buckets {
        // SAFETY: the caller's promise.
        unsafe { Buckets { first: Self::way(directory, hash).buckets, span: (*directory).bucket_span } }
    }

    /// # Safety
    /// The directory is alive.
    unsafe fn len(directory: *mut Self) -> usize {
        // SAFETY: the caller's promise.
        unsafe { (*directory).span / size_of::<DirSlot>() + 1 }
    }

    /// # Safety
    /// The directory is alive for `'s`.
    unsafe fn ways<'s>(directory: *mut Self) -> &'s [DirSlot] {
        // SAFETY: the caller's promise; so many ways follow.
        unsafe { std::slice::from_raw_parts((&raw const (*directory).ways).cast(), Self::len(directory)) }
    }

    /// Each segment once: several ways lead to one that has fewer bits in common than the directory has. The last to be
    /// given is the first of its ways, so that it may be freed then.
    ///
    /// # Safety
    /// The directory and its parts are alive for `'s`.
    unsafe fn distinct<'s>(directory: *mut Self) -> impl Iterator<Item = DirSlot> + 's {
        // SAFETY: the caller's promise.
        let ways = unsafe { Self::ways(directory) };
        // SAFETY: as above.
        ways.iter().enumerate().rev().filter(|(at, way)| at >> unsafe { (*way.part).depth } == 0).map(|(_, way)| *way)
    }

    /// Frees a directory whose segments others lead to.
    unsafe fn drop_fn(part: *mut Retired, _pins: &HazardSet, _pile: &mut RetireList) {
        let directory = part.cast::<Directory>();
        // SAFETY: the part is the first field of a directory that nobody reaches any more.
        unsafe {
            let ways = Self::len(directory);
            (*directory).account.discharge(Self::bytes(ways));
            directory.drop_in_place();
            dealloc(directory.cast(), Self::layout(ways));
        }
    }

    /// Frees a directory with its segments and their entries.
    unsafe fn bury_all(part: *mut Retired, hazards: &HazardSet, list: &mut RetireList) {
        let directory = part.cast::<Directory>();
        // SAFETY: nobody reaches any of this any more.
        unsafe {
            for way in Self::distinct(directory) {
                drop(Box::from_raw(way.part));
            }
            std::mem::replace(&mut (*directory).chunks, Detached::NOTHING).give_up(hazards, list);
            Self::drop_fn(part, hazards, list);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoch::guard;
    use crate::table::entry::Draft;

    fn get(table: &Table, key: &[u8]) -> Option<Pinned> {
        guard::read(|section| table.find(section, &key.into()).map(|entry| section.pin(entry)))
    }

    fn fresh(key: &[u8], value: &[u8]) -> OwnedEntry {
        let mut draft = Draft::new(key, None);
        draft.write(value).unwrap();
        draft.finish().unwrap()
    }

    #[test]
    fn a_count_of_pins_that_would_overflow_sticks_and_its_entry_stays() {
        let table = Table::new();
        table.insert(fresh(b"k", b"value"), true, u64::MAX);
        let counted = Pinned::counted(get(&table, b"k").unwrap().entry());
        let word = counted.saturate();
        let more: Vec<Pinned> = (0..1000).map(|_| counted.clone()).collect();
        assert!(counted.shares_word() - word <= 1, "what is saturated is not counted any further");
        drop(more);
        let (seen, word) = (get(&table, b"k").unwrap(), counted.shares_word());
        drop(counted);
        assert_eq!(seen.shares_word(), word, "what is saturated loses no share either");
        drop(seen);
        table.remove(&b"k"[..].into());
        retire::flush();
        assert!(get(&table, b"k").is_none());
        table.insert(fresh(b"k", b"other"), true, u64::MAX);
        assert_eq!(get(&table, b"k").unwrap().value(), b"other");
    }

    #[test]
    fn an_empty_table_holds_no_memory_and_a_cleared_one_neither() {
        let table = Table::new();
        assert!(get(&table, b"k").is_none() && !table.remove(&b"k"[..].into()));
        table.clear();
        assert_eq!((table.len(), table.bytes()), (0, 0));
        for i in 0..1000u32 {
            table.insert(fresh(&i.to_le_bytes(), b"value"), true, u64::MAX);
        }
        assert_eq!(table.len(), 1000);
        assert!(table.bytes() > 1000 * 64);
        table.clear();
        assert_eq!((table.len(), table.bytes()), (0, 0));
    }

    #[test]
    fn bytes_are_the_sum_of_entries_and_tables_and_pins_stay_charged() {
        let table = Table::new();
        let (pin, _) = table.insert(fresh(b"k", &[1; 100]), true, u64::MAX);
        let one = table.bytes();
        table.insert(fresh(b"k", &[2; 100]), true, u64::MAX);
        assert_eq!(table.bytes(), one + pin.weight());
        assert_eq!(pin.value(), [1; 100]);
        drop(pin);
        assert_eq!(table.bytes(), one);
        let last = get(&table, b"k").unwrap();
        table.remove(&b"k"[..].into());
        assert_eq!(table.bytes(), one);
        drop(table);
        assert_eq!(last.value(), [2; 100]);
    }

    #[test]
    fn an_entry_that_is_not_to_be_replaced_stays() {
        let table = Table::new();
        table.insert(fresh(b"k", b"first"), true, u64::MAX);
        let (own, inserted) = table.insert(fresh(b"k", b"second"), false, u64::MAX);
        assert_eq!((own.value(), inserted), (&b"second"[..], Inserted::Kept));
        assert_eq!(get(&table, b"k").unwrap().value(), b"first");
    }

    #[test]
    fn a_limit_is_never_passed_and_a_refused_overwrite_keeps_the_old_value() {
        let table = Table::new();
        let limit = 20_000;
        let mut refused = 0;
        for i in 0..1000u32 {
            let (_, inserted) = table.insert(fresh(&i.to_le_bytes(), &[0; 32]), true, limit);
            refused += u32::from(inserted == Inserted::OverCapacity);
            assert!(table.bytes() <= limit, "{} bytes", table.bytes());
        }
        assert!(refused > 0 && table.len() > 100);
        let (_, inserted) = table.insert(fresh(&0u32.to_le_bytes(), &[1; 30_000]), true, limit);
        assert_eq!(inserted, Inserted::OverCapacity);
        assert_eq!(get(&table, &0u32.to_le_bytes()).unwrap().value(), [0; 32]);
    }

    #[test]
    fn a_limit_too_low_for_one_entry_leaves_an_empty_table_empty() {
        let table = Table::new();
        for limit in 0..2000 {
            let (_, inserted) = table.insert(fresh(b"k", b"v"), true, limit);
            assert!(table.bytes() <= limit);
            if inserted == Inserted::New {
                return;
            }
            assert_eq!((inserted, table.bytes()), (Inserted::OverCapacity, 0));
        }
        panic!("nothing fits into 2000 bytes");
    }

    #[test]
    fn split_off_moves_entries_and_keeps_the_account() {
        let table = Table::new();
        for i in 0..100u32 {
            table.insert(fresh(&i.to_le_bytes(), b"v"), true, u64::MAX);
        }
        let bytes = table.bytes();
        let taken = table.split_off().unwrap();
        assert_eq!((table.len(), taken.len()), (0, 100));
        assert_eq!(table.bytes(), bytes);
        drop(taken);
        assert_eq!(table.bytes(), 0);
    }
}
