//! A segment: a hash table of fixed size with one writer and any number of readers.
//!
//! A lookup reads one bucket, which is one cache line, and then, nearly always, only the entry of its key. A miss
//! usually reads only the bucket. An entry whose bucket is full overflows into the next one (linear probing).

use std::hint::cold_path;
use std::slice;

use super::bucket::{Bucket, Tags, Word, keys_equal};
use super::chunk_memory;
use super::entry::EntryRef;
use super::hash::{Hashed, hash};
use super::header::Header;
use crate::error::{Error, Result};
use crate::sync::atomic::{AtomicUsize, Ordering};
use std::ptr::NonNull;

/// The average number of entries per bucket of a full segment: low enough that few entries overflow.
const LOAD: usize = 5;

/// The average number of entries per bucket of a segment that cannot grow, for want of memory.
const OVERLOAD: usize = 6;

/// The buckets of a segment, for readers: the first one, and the byte offset of the last one. Their number is a power
/// of two.
#[derive(Clone, Copy)]
pub(super) struct Buckets {
    pub(super) first: *const Bucket,
    pub(super) span: u32,
}

/// The index of the bucket in which a lookup begins.
#[inline(always)]
fn home(hash: u64, mask: usize) -> usize {
    (hash >> HOME) as usize & mask
}

/// The lowest bit of a hash that chooses a bucket.
pub(super) const HOME: u32 = {
    assert!(size_of::<Bucket>().is_power_of_two());
    32 + size_of::<Bucket>().ilog2()
};

impl Buckets {
    /// The byte offset of the last of this many buckets.
    pub(super) const fn span(buckets: usize) -> u32 {
        ((buckets - 1) * size_of::<Bucket>()) as u32
    }

    fn mask(self) -> usize {
        self.span as usize / size_of::<Bucket>()
    }

    /// The bucket in which a lookup begins, as function `home`, but the masked hash is a byte offset, which saves a
    /// shift.
    #[inline(always)]
    fn home(self, hash: u64) -> *const Bucket {
        self.first.wrapping_byte_add(((hash >> 32) as u32 & self.span) as usize)
    }
}

/// The result of looking at the first bucket of a key.
pub(super) enum Probe<'g> {
    /// The entry.
    Found(EntryRef<'g>),
    /// The key has no entry.
    Missing,
    /// Other slots or later buckets may have the key.
    Unclear,
}

/// Compares the first slot with a matching tag in the first bucket, which nearly always decides.
///
/// # Safety
/// As for [`find`].
#[inline(always)]
pub(super) unsafe fn probe<'g>(buckets: Buckets, key: &Hashed) -> Probe<'g> {
    // SAFETY: the caller's promise.
    match unsafe { probe_unequal(buckets, key) } {
        Probe::Found(entry) if !keys_equal(entry.key(), key.key) => {
            cold_path();
            Probe::Unclear
        }
        probed => probed,
    }
}

/// As [`probe`], but the entry that it finds has the hash, and perhaps another key.
///
/// # Safety
/// As for [`find`].
#[inline(always)]
pub(super) unsafe fn probe_unequal<'g>(buckets: Buckets, key: &Hashed) -> Probe<'g> {
    // SAFETY: the mask keeps the bucket inside the segment; the caller keeps that alive.
    let bucket = unsafe { &*buckets.home(key.hash()) };
    let tags = bucket.tags();
    let matches = tags.matches(Tags::of(key.hash()));
    if matches == 0 {
        if tags.overflowed() == 0 {
            return Probe::Missing;
        }
        cold_path();
        return Probe::Unclear;
    }
    let word = bucket.first_word(matches);
    if word.is_of(key.hash()) {
        // SAFETY: the tag was set after the slot's word; the caller keeps the entry alive, even if it was just removed.
        return Probe::Found(unsafe { EntryRef::new(word.entry()) });
    }
    cold_path();
    Probe::Unclear
}

/// Finds a key.
///
/// # Safety
/// The buckets, their entries, and entries that are removed from them meanwhile stay alive for `'g`.
#[inline(always)]
pub(super) unsafe fn find<'g>(buckets: Buckets, key: &Hashed) -> Option<EntryRef<'g>> {
    // SAFETY: the caller's promise.
    match unsafe { probe(buckets, key) } {
        Probe::Found(entry) => Some(entry),
        Probe::Missing => None,
        // SAFETY: the caller's promise.
        Probe::Unclear => unsafe { find_slowly(buckets, key) },
    }
}

/// Finds a key in all slots and buckets that may have it.
///
/// # Safety
/// As for [`find`].
#[inline(never)]
pub(super) unsafe fn find_slowly<'g>(buckets: Buckets, key: &Hashed) -> Option<EntryRef<'g>> {
    // SAFETY: the caller's promise.
    unsafe { find_in_all(buckets.first, buckets.mask(), key).map(|(_, entry)| EntryRef::new(entry)) }
}

/// As [`find_slowly`], with the place of the entry.
///
/// # Safety
/// As for [`find`]; there are `mask + 1` buckets.
#[inline(always)]
unsafe fn find_in_all(first: *const Bucket, mask: usize, key: &Hashed) -> Option<(Position, NonNull<Header>)> {
    let mut at = home(key.hash(), mask);
    for _ in 0..=mask {
        // SAFETY: as in `probe`.
        let bucket = unsafe { &*first.add(at) };
        let tags = bucket.tags();
        // SAFETY: as in `probe`.
        if let Some((slot, word)) = unsafe { bucket.find(tags, key) } {
            return Some((Position { bucket: at, slot }, word.entry()));
        }
        if tags.overflowed() == 0 {
            return None;
        }
        at = (at + 1) & mask;
    }
    None
}

/// Prefetches the first bucket of a key.
#[inline(always)]
pub(super) fn prefetch_bucket(buckets: Buckets, key: &Hashed) {
    prefetch(buckets.home(key.hash()));
}

/// Prefetches the likely entry of a key, by the tag and hash bits in its first bucket, and returns it.
///
/// # Safety
/// As for [`find`].
#[inline(always)]
pub(super) unsafe fn prefetch_entry<'g>(buckets: Buckets, key: &Hashed) -> Option<EntryRef<'g>> {
    // SAFETY: the mask keeps the bucket inside the segment; the caller keeps that alive.
    let bucket = unsafe { &*buckets.home(key.hash()) };
    let matches = bucket.tags().matches(Tags::of(key.hash()));
    if matches == 0 {
        return None;
    }
    let word = bucket.first_word(matches);
    if !word.is_of(key.hash()) {
        return None;
    }
    let entry = word.address();
    prefetch(entry);
    prefetch(entry.wrapping_byte_add(64));
    // SAFETY: the tag was set after the slot's word; the caller keeps the entry alive, even if it was just removed.
    Some(unsafe { EntryRef::new(word.entry()) })
}

#[inline(always)]
fn prefetch<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, valid for any address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast())
    };
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Buckets with entries, for the writer. Readers access the buckets at the same time, so all changes are atomic stores
/// through shared references.
pub(super) struct Segment {
    first: NonNull<Bucket>,
    count: usize,
    /// The number of entries. Only the writer uses it.
    len: AtomicUsize,
}

/// The bucket and slot of an entry.
pub(super) struct Position {
    bucket: usize,
    slot: usize,
}

impl Segment {
    /// An empty segment of `count` buckets, a power of two.
    pub(super) fn try_new(count: usize) -> Result<Self> {
        let bytes = Self::bytes(count);
        let first = NonNull::new(chunk_memory::allocate_aligned::<Bucket>(bytes)).ok_or(Error::OutOfMemory(bytes))?;
        // SAFETY: the memory is new, aligned, and has room for this many buckets.
        unsafe { Bucket::write_empty(first, count) };
        Ok(Segment { first, count, len: AtomicUsize::new(0) })
    }

    /// The bytes that a segment of this many buckets takes.
    pub(super) fn charge(count: usize) -> u64 {
        chunk_memory::charge(Self::bytes(count))
    }

    /// The size of this many buckets.
    pub(super) const fn bytes(count: usize) -> usize {
        count * size_of::<Bucket>()
    }

    pub(super) fn buckets(&self) -> &[Bucket] {
        // SAFETY: the segment owns this many buckets, which change only atomically.
        unsafe { slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }

    pub(super) fn bucket_count(&self) -> usize {
        self.count
    }

    fn mask(&self) -> usize {
        self.count - 1
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    fn set_len(&self, len: usize) {
        self.len.store(len, Ordering::Relaxed);
    }

    /// Whether no entry can be inserted.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.count * LOAD
    }

    /// Whether no entry can be inserted even if the segment cannot grow.
    pub(super) fn is_overfull(&self) -> bool {
        self.len() >= self.count * OVERLOAD
    }

    /// Whether a segment of half the size would be two thirds full at most. One that has just grown is half full.
    #[inline]
    pub(super) fn is_sparse(&self) -> bool {
        self.count > 1 && self.len() <= self.count * LOAD / 3
    }

    /// Whether one segment of this size with the entries of both would be two thirds full at most.
    pub(super) fn may_merge(&self, buddy: &Segment) -> bool {
        self.len() + buddy.len() <= self.count * LOAD * 2 / 3
    }

    /// Finds a key. Only for the writer.
    #[inline(always)]
    pub(super) fn find(&self, key: &Hashed) -> Option<(Position, NonNull<Header>)> {
        let tags = self.buckets()[home(key.hash(), self.mask())].tags();
        if tags.matches(Tags::of(key.hash())) == 0 && tags.overflowed() == 0 {
            return None;
        }
        self.find_in_all(key)
    }

    #[inline(never)]
    fn find_in_all(&self, key: &Hashed) -> Option<(Position, NonNull<Header>)> {
        // SAFETY: the segment owns the buckets, and only the writer, the caller, removes entries.
        unsafe { find_in_all(self.first.as_ptr(), self.mask(), key) }
    }

    /// Replaces an entry by another one of the same key.
    pub(super) fn replace(&self, position: Position, entry: NonNull<Header>, hash: u64) {
        self.buckets()[position.bucket].set_word(position.slot, Word::new(entry, hash));
    }

    /// Inserts an entry with a new key. The segment must not be full.
    #[inline(always)]
    pub(super) fn insert(&self, entry: NonNull<Header>, hash: u64) {
        self.put(home(hash, self.mask()), Tags::of(hash), Word::new(entry, hash));
    }

    #[inline(always)]
    fn put(&self, home: usize, tag: u64, word: Word) {
        let bucket = &self.buckets()[home];
        let tags = bucket.tags();
        match tags.empty_slot() {
            None => self.put_elsewhere(home, tag, word),
            Some(slot) => {
                bucket.set_word(slot, word);
                bucket.set_tags(tags.with(slot, tag));
            }
        }
        self.set_len(self.len() + 1);
    }

    /// Puts an entry whose bucket is full into a later one.
    #[inline(never)]
    fn put_elsewhere(&self, home: usize, tag: u64, word: Word) {
        let mask = self.mask();
        let (at, slot) = (1..=mask)
            .map(|distance| (home + distance) & mask)
            .find_map(|at| Some((at, self.buckets()[at].tags().empty_slot()?)))
            .expect("a segment that is not full has an empty slot");
        // First, so that a reader that sees the entry missing here continues. The entry itself is not there yet.
        self.overflow(home, at, true);
        let bucket = &self.buckets()[at];
        bucket.set_word(slot, word);
        bucket.set_tags(bucket.tags().with(slot, tag));
    }

    /// Removes an entry.
    pub(super) fn remove(&self, position: Position, hash: u64) {
        let bucket = &self.buckets()[position.bucket];
        bucket.set_tags(bucket.tags().with(position.slot, 0));
        self.overflow(home(hash, self.mask()), position.bucket, false);
        self.set_len(self.len() - 1);
    }

    /// Counts an entry in all buckets that it overflowed from: from its home to the one before its own. `one_more` adds
    /// it.
    fn overflow(&self, home: usize, to: usize, one_more: bool) {
        let mask = self.mask();
        let mut at = home;
        while at != to {
            let bucket = &self.buckets()[at];
            bucket.set_tags(bucket.tags().overflow(one_more));
            at = (at + 1) & mask;
        }
    }

    /// The buckets in which a lookup of this hash looks. Also for readers.
    pub(super) fn buckets_of(&self, hash: u64) -> impl Iterator<Item = &Bucket> {
        let (mask, home) = (self.mask(), home(hash, self.mask()));
        let mut continues = true;
        let chain = (0..=mask).map(move |distance| &self.buckets()[(home + distance) & mask]);
        chain.take_while(move |bucket| std::mem::replace(&mut continues, bucket.tags().overflowed() != 0))
    }

    /// All entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = NonNull<Header>> {
        entries(self.buckets())
    }

    /// The entries of the bucket in which a lookup of this hash begins, and of the next ones.
    pub(super) fn entries_near(&self, hash: u64) -> impl Iterator<Item = NonNull<Header>> {
        let at = home(hash, self.mask());
        entries(&self.buckets()[at..(at + 2).min(self.count)])
    }

    /// A segment of this many buckets with the same entries, for which it has room.
    pub(super) fn resized(&self, count: usize) -> Result<Segment> {
        let resized = Segment::try_new(count)?;
        for entry in self.entries() {
            resized.insert(entry, hash_of(entry));
        }
        Ok(resized)
    }

    /// A segment of this size with the entries of both, for which it has room.
    pub(super) fn merged(&self, buddy: &Segment) -> Result<Segment> {
        let merged = self.resized(self.count)?;
        for entry in buddy.entries() {
            merged.insert(entry, hash_of(entry));
        }
        Ok(merged)
    }

    /// Two segments with the same entries: those whose hash has 0 at `bit`, and those whose hash has 1.
    pub(super) fn split(&self, bit: u32) -> Result<[Segment; 2]> {
        let halves = [Segment::try_new(self.count)?, Segment::try_new(self.count)?];
        let mask = self.mask();
        for (at, bucket) in self.buckets().iter().enumerate() {
            // If no entry overflowed from the previous bucket, all entries here are in their home bucket, so their keys
            // need not be hashed.
            let at_home = self.buckets()[at.wrapping_sub(1) & mask].tags().overflowed() == 0;
            for (tag, word) in bucket.occupied() {
                let (low, home) = match at_home && bit < 16 {
                    true => (word.hash_bits(), at),
                    false => {
                        let hash = hash_of(word.entry());
                        (hash, home(hash, mask))
                    }
                };
                halves[(low >> bit & 1) as usize].put(home, tag, word);
            }
        }
        Ok(halves)
    }

    /// Counts the entries again, after a writer vanished in a fork.
    pub(super) fn recount(&self) {
        self.set_len(self.buckets().iter().map(|bucket| bucket.occupied().count()).sum());
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: the buckets were allocated with this count, and no reader can reach them. They own nothing.
        unsafe { chunk_memory::free_aligned(self.first.as_ptr(), Self::bytes(self.count)) };
    }
}

/// All entries in `buckets`.
pub(super) fn entries(buckets: &[Bucket]) -> impl Iterator<Item = NonNull<Header>> {
    buckets.iter().flat_map(Bucket::occupied).map(|(_, word)| word.entry())
}

fn hash_of(entry: NonNull<Header>) -> u64 {
    // SAFETY: an entry in a segment is alive.
    hash(unsafe { EntryRef::new(entry) }.key())
}

#[cfg(test)]
mod tests {
    use super::super::draft::Draft;
    use super::*;

    /// Entries that take no part in anything but segments, and their hashes.
    fn entries(count: u64) -> Vec<(crate::table::Pinned, u64)> {
        let entry = |key: u64| Draft::new(&key.to_le_bytes(), None).finish().unwrap().into_pinned();
        (0..count).map(entry).map(|entry| (hash(entry.key()), entry)).map(|(hash, entry)| (entry, hash)).collect()
    }

    fn with<'e>(count: usize, entries: impl IntoIterator<Item = &'e (crate::table::Pinned, u64)>) -> Segment {
        let segment = Segment::try_new(count).unwrap();
        entries.into_iter().for_each(|(entry, hash)| segment.insert(entry.entry().header(), *hash));
        segment
    }

    #[test]
    fn a_segment_shrinks_or_merges_if_the_smaller_one_is_two_thirds_full() {
        let entries = entries(100);
        let with = |count, len| with(count, &entries[..len]);
        // 16 buckets are full with 80 entries, 8 with 40: two thirds are 26.
        assert!(with(16, 26).is_sparse() && !with(16, 27).is_sparse());
        assert!(!with(1, 0).is_sparse(), "none is smaller");
        assert!(with(16, 26).may_merge(&with(16, 27)) && !with(16, 27).may_merge(&with(16, 27)));
    }

    #[test]
    fn a_segment_without_entries_has_none_that_overflowed() {
        let entries = entries(90);
        let segment = with(16, &entries);
        let overflowed = || segment.buckets().iter().any(|bucket| bucket.tags().overflowed() != 0);
        assert!(overflowed());
        for (entry, hash) in &entries {
            let (position, _) = segment.find(&Hashed::with_hash(entry.key(), *hash)).unwrap();
            segment.remove(position, *hash);
        }
        assert!(!overflowed(), "each lookup that finds nothing would search on");
    }

    #[test]
    fn a_removed_entry_is_not_found_next_to_an_entry_with_the_same_tag() {
        let entries: Vec<_> = [b"a", b"b"].map(|key| Draft::new(key, None).finish().unwrap().into_pinned()).into();
        let segment = Segment::try_new(1).unwrap();
        // Both have the lowest tag.
        let hash = |low: u64| low;
        for (low, entry) in entries.iter().enumerate() {
            segment.insert(entry.entry().header(), hash(low as u64));
        }
        let second = Hashed::with_hash(b"b", hash(1));
        let (position, _) = segment.find(&second).unwrap();
        segment.remove(position, second.hash());
        assert!(segment.find(&second).is_none());
        let buckets = Buckets { first: segment.buckets().as_ptr(), span: Buckets::span(1) };
        // SAFETY: buckets and entries live as long as this test.
        assert!(unsafe { find(buckets, &second) }.is_none());
    }
}
