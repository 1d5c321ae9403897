//! A hash table of fixed size that many may read while one writes.
//!
//! A bucket is one cache line: a word of tags, one byte for each of seven slots, and the slots. A slot holds an entry's
//! address and 16 bits of its hash. So a lookup reads one line, and then, nearly always, the one entry that is meant; a
//! miss ends in the line. Entries that find their bucket full go into the next; the eighth byte of the tags counts those
//! that went by, so that a lookup knows when to go on.
//!
//! Every change is one store of a word, in an order that readers may see half of: an entry's slot is filled before its tag
//! is set. A slot whose tag is cleared keeps what it had, for readers who saw the tag: what left the table lives on until
//! their sections have ended.

use crate::error::{Error, Result};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::table::entry::{EntryRef, Header};
use crate::table::hash::{Hashed, hash};

const SLOTS: usize = 7;

/// Entries that a segment takes for each bucket, on average: then nearly all stand in their own.
const LOAD: usize = 5;

/// One cache line; a model checker's words are larger.
#[cfg_attr(not(shuttle), repr(C, align(64)))]
#[cfg_attr(shuttle, repr(C, align(4096)))]
pub(crate) struct Bucket {
    tags: AtomicU64,
    slots: [AtomicU64; SLOTS],
}

/// The tags of a bucket: seven bytes, 0 for an empty slot; and how many entries went by, in the highest.
#[derive(Clone, Copy)]
struct Tags(u64);

impl Tags {
    const ONES: u64 = 0x0001_0101_0101_0101;
    const HIGHS: u64 = Self::ONES << 7;
    /// So many went by that they are not counted any more.
    const MANY: u64 = 255;

    /// The tag of a hash: never 0.
    #[inline(always)]
    fn of(hash: u64) -> u64 {
        (hash >> 56).max(1)
    }

    /// A bit for each slot that may have this tag: the lowest of them has it, and all that have it are among them.
    #[inline(always)]
    fn matches(self, tag: u64) -> u64 {
        let zero_where_equal = self.0 ^ (tag * Self::ONES);
        zero_where_equal.wrapping_sub(Self::ONES) & !zero_where_equal & Self::HIGHS
    }

    /// The slot of the lowest bit.
    #[inline(always)]
    fn slot(matches: u64) -> usize {
        matches.trailing_zeros() as usize / 8
    }

    fn get(self, slot: usize) -> u64 {
        self.0 >> (8 * slot) & 255
    }

    fn with(self, slot: usize, tag: u64) -> Self {
        Tags(self.0 & !(255 << (8 * slot)) | tag << (8 * slot))
    }

    fn empty_slot(self) -> Option<usize> {
        (0..SLOTS).find(|slot| self.get(*slot) == 0)
    }

    /// How many entries went by.
    #[inline(always)]
    fn overflowed(self) -> u64 {
        self.0 >> 56
    }

    fn pass(self, came: bool) -> Self {
        match (self.overflowed(), came) {
            (Self::MANY, _) => self,
            (_, true) => Tags(self.0 + (1 << 56)),
            (_, false) => Tags(self.0 - (1 << 56)),
        }
    }
}

/// An entry's address, and below it the lowest 16 bits of its hash.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Word(u64);

impl Word {
    fn new(entry: *mut Header, hash: u64) -> Self {
        // The address stays reachable: the allocator's memory has been exposed, and is found again by `entry`.
        let address = entry.expose_provenance() as u64;
        debug_assert!(address >> 48 == 0, "addresses have 48 bits");
        Word(address << 16 | hash & 0xFFFF)
    }

    #[inline(always)]
    fn entry(self) -> *mut Header {
        std::ptr::with_exposed_provenance_mut((self.0 >> 16) as usize)
    }

    #[inline(always)]
    fn is_of(self, hash: u64) -> bool {
        self.0 as u16 == hash as u16
    }
}

impl Bucket {
    fn empty() -> Self {
        Bucket { tags: AtomicU64::new(0), slots: [const { AtomicU64::new(0) }; SLOTS] }
    }

    #[inline(always)]
    fn tags(&self) -> Tags {
        Tags(self.tags.load(Ordering::Acquire))
    }

    fn set_tags(&self, tags: Tags) {
        self.tags.store(tags.0, Ordering::Release);
    }

    #[inline(always)]
    fn word(&self, slot: usize) -> Word {
        Word(self.slots[slot].load(Ordering::Acquire))
    }

    fn set_word(&self, slot: usize, word: Word) {
        self.slots[slot].store(word.0, Ordering::Release);
    }

    /// The slot of a key in this bucket.
    ///
    /// # Safety
    /// The entries of this segment stay alive meanwhile.
    #[inline(always)]
    unsafe fn find(&self, tags: Tags, key: &Hashed) -> Option<(usize, Word)> {
        let tag = Tags::of(key.hash);
        let mut matches = tags.matches(tag);
        while matches != 0 {
            let slot = Tags::slot(matches);
            let word = self.word(slot);
            if tags.get(slot) == tag && word.is_of(key.hash) {
                // SAFETY: a slot with a tag names an entry, or did just now; the caller keeps it alive.
                let entry = unsafe { EntryRef::new(word.entry()) };
                if keys_equal(entry.key(), key.key) {
                    return Some((slot, word));
                }
            }
            matches &= matches - 1;
        }
        None
    }

    /// Its occupied slots, as one who writes sees them.
    fn occupied(&self) -> impl Iterator<Item = (u64, Word)> {
        let tags = self.tags();
        (0..SLOTS).filter(move |slot| tags.get(*slot) != 0).map(move |slot| (tags.get(slot), self.word(slot)))
    }
}

/// Whether two keys are equal; for those of 8 to 64 bytes without a call or a loop, by words that may overlap.
#[inline(always)]
pub(crate) fn keys_equal(a: &[u8], b: &[u8]) -> bool {
    let len = b.len();
    if len != a.len() {
        return false;
    }
    if !(8..=64).contains(&len) {
        return a == b;
    }
    // SAFETY: both have `at + 8` bytes wherever this is asked below.
    let differ = |at: usize| unsafe {
        let word = |bytes: &[u8]| bytes.as_ptr().add(at).cast::<u64>().read_unaligned();
        word(a) ^ word(b)
    };
    // The first and the last so many bytes.
    let mut different = differ(0) | differ(len - 8);
    if len > 16 {
        different |= differ(8) | differ(len - 16);
        if len > 32 {
            different |= differ(16) | differ(24) | differ(len - 32) | differ(len - 24);
        }
    }
    different == 0
}

/// Buckets, as readers know them: the first, and how far behind it the last one stands, in bytes. There are a power of two.
#[derive(Clone, Copy)]
pub(crate) struct Buckets {
    pub(crate) first: *const Bucket,
    pub(crate) span: usize,
}

/// The bucket in which a lookup begins.
#[inline(always)]
fn home(hash: u64, mask: usize) -> usize {
    (hash >> HOME) as usize & mask
}

/// The lowest bit of a hash that chooses a bucket.
const HOME: u32 = {
    assert!(size_of::<Bucket>().is_power_of_two());
    32 + size_of::<Bucket>().ilog2()
};

impl Buckets {
    /// How far the last of so many buckets stands behind the first.
    pub(crate) const fn span(buckets: usize) -> usize {
        (buckets - 1) * size_of::<Bucket>()
    }

    fn mask(self) -> usize {
        self.span / size_of::<Bucket>()
    }

    /// The bucket in which a lookup begins: as `home` says, without a shift for the place and one for the bytes.
    #[inline(always)]
    fn home(self, hash: u64) -> *const Bucket {
        self.first.wrapping_byte_add((hash >> 32) as usize & self.span)
    }
}

/// What the first bucket tells of a key.
pub enum Probe<'s> {
    /// The entry.
    Found(EntryRef<'s>),
    /// There is none.
    Missing,
    /// One has to look at other slots, or further.
    Unclear,
}

/// Finds a key.
///
/// # Safety
/// The buckets, and the entries that they name or named since the caller began to look, stay alive for `'s`.
#[inline(always)]
pub(crate) unsafe fn find<'s>(buckets: Buckets, key: &Hashed) -> Option<EntryRef<'s>> {
    // SAFETY: the caller's promise.
    match unsafe { probe(buckets, key) } {
        Probe::Found(entry) => Some(entry),
        Probe::Missing => None,
        // SAFETY: the caller's promise.
        Probe::Unclear => unsafe { find_on(buckets, key) },
    }
}

/// Looks at the first tag that fits in the first bucket, which nearly always decides.
///
/// # Safety
/// As for [`find`].
#[inline(always)]
pub(crate) unsafe fn probe<'s>(buckets: Buckets, key: &Hashed) -> Probe<'s> {
    // SAFETY: the span keeps the place inside; the caller's promise.
    let bucket = unsafe { &*buckets.home(key.hash) };
    let tags = bucket.tags();
    let matches = tags.matches(Tags::of(key.hash));
    if matches == 0 {
        return if tags.overflowed() == 0 { Probe::Missing } else { Probe::Unclear };
    }
    let word = bucket.word(Tags::slot(matches));
    if word.is_of(key.hash) {
        // SAFETY: a slot with a tag names an entry, or did just now; the caller keeps it alive.
        let entry: EntryRef<'s> = unsafe { EntryRef::new(word.entry()) };
        if keys_equal(entry.key(), key.key) {
            return Probe::Found(entry);
        }
    }
    Probe::Unclear
}

/// Finds a key wherever it may be.
///
/// # Safety
/// As for [`find`].
#[inline(never)]
unsafe fn find_on<'s>(buckets: Buckets, key: &Hashed) -> Option<EntryRef<'s>> {
    let mask = buckets.mask();
    let mut at = home(key.hash, mask);
    for _ in 0..=mask {
        // SAFETY: as in `probe`.
        let bucket = unsafe { &*buckets.first.add(at) };
        let tags = bucket.tags();
        // SAFETY: as in `probe`.
        if let Some((_, word)) = unsafe { bucket.find(tags, key) } {
            // SAFETY: as in `probe`.
            return Some(unsafe { EntryRef::new(word.entry()) });
        }
        if tags.overflowed() == 0 {
            return None;
        }
        at = (at + 1) & mask;
    }
    None
}

/// Asks for the cache line in which a lookup begins, and says where the entry may be, once that line is there.
pub(crate) mod prefetch {
    use super::*;

    /// Fetches the bucket of a key.
    #[inline(always)]
    pub(crate) fn bucket(buckets: Buckets, key: &Hashed) {
        fetch(buckets.home(key.hash));
    }

    /// Fetches the entry that a key seems to have in its first bucket, and names it.
    ///
    /// # Safety
    /// As for [`find`].
    #[inline(always)]
    pub(crate) unsafe fn entry<'s>(buckets: Buckets, key: &Hashed) -> Option<EntryRef<'s>> {
        // SAFETY: the span keeps the place inside.
        let bucket = unsafe { &*buckets.home(key.hash) };
        let matches = bucket.tags().matches(Tags::of(key.hash));
        if matches == 0 {
            return None;
        }
        let word = bucket.word(Tags::slot(matches));
        if !word.is_of(key.hash) {
            return None;
        }
        let entry = word.entry();
        fetch(entry);
        fetch(entry.wrapping_byte_add(64));
        // SAFETY: a slot with a tag names an entry, or did just now; the caller keeps it alive.
        Some(unsafe { EntryRef::new(entry) })
    }

    #[inline(always)]
    fn fetch<T>(place: *const T) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a hint; any address may be given.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(place.cast())
        };
        #[cfg(not(target_arch = "x86_64"))]
        let _ = place;
    }
}

/// Buckets with entries, as one who writes sees them. Readers have the address of the buckets.
pub(crate) struct Segment {
    buckets: Box<[Bucket]>,
    len: usize,
}

/// Where an entry stands.
pub(crate) struct Place {
    bucket: usize,
    slot: usize,
}

impl Segment {
    /// An empty segment of `buckets`, a power of two.
    pub(crate) fn try_new(buckets: usize) -> Result<Self> {
        let mut made = Vec::new();
        made.try_reserve_exact(buckets).map_err(|_| Error::OutOfMemory(Self::bytes(buckets)))?;
        made.resize_with(buckets, Bucket::empty);
        Ok(Segment { buckets: made.into_boxed_slice(), len: 0 })
    }

    /// The bytes that so many buckets take.
    pub(crate) const fn bytes(buckets: usize) -> usize {
        buckets * size_of::<Bucket>()
    }

    pub(crate) fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    fn mask(&self) -> usize {
        self.buckets.len() - 1
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether it takes no more.
    pub(crate) fn is_full(&self) -> bool {
        self.len >= self.buckets.len() * LOAD
    }

    /// Finds a key.
    pub(crate) fn find(&self, key: &Hashed) -> Option<(Place, *mut Header)> {
        let (mask, mut at) = (self.mask(), home(key.hash, self.mask()));
        for _ in 0..=mask {
            let bucket = &self.buckets[at];
            let tags = bucket.tags();
            // SAFETY: who writes is alone, and entries leave a segment only by its hand.
            if let Some((slot, word)) = unsafe { bucket.find(tags, key) } {
                return Some((Place { bucket: at, slot }, word.entry()));
            }
            if tags.overflowed() == 0 {
                break;
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// Puts another entry of the same key into a place.
    pub(crate) fn replace(&self, place: Place, entry: *mut Header, hash: u64) {
        self.buckets[place.bucket].set_word(place.slot, Word::new(entry, hash));
    }

    /// Takes an entry in that is not there, into a segment that is not full.
    pub(crate) fn insert(&mut self, entry: *mut Header, hash: u64) {
        self.put(home(hash, self.mask()), Tags::of(hash), Word::new(entry, hash));
    }

    fn put(&mut self, home: usize, tag: u64, word: Word) {
        let mask = self.mask();
        let (at, slot) = (0..=mask)
            .map(|distance| (home + distance) & mask)
            .find_map(|at| Some((at, self.buckets[at].tags().empty_slot()?)))
            .expect("a segment that is not full has an empty slot");
        // Readers must know that it went by before they can miss it: it is not there yet.
        self.pass(home, at, true);
        let bucket = &self.buckets[at];
        bucket.set_word(slot, word);
        bucket.set_tags(bucket.tags().with(slot, tag));
        self.len += 1;
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, place: Place, hash: u64) {
        let bucket = &self.buckets[place.bucket];
        bucket.set_tags(bucket.tags().with(place.slot, 0));
        self.pass(home(hash, self.mask()), place.bucket, false);
        self.len -= 1;
    }

    /// Counts an entry that goes by all buckets from its home to where it stands.
    fn pass(&self, home: usize, to: usize, came: bool) {
        let mask = self.mask();
        let mut at = home;
        while at != to {
            self.buckets[at].set_tags(self.buckets[at].tags().pass(came));
            at = (at + 1) & mask;
        }
    }

    /// All entries.
    pub(crate) fn entries(&self) -> impl Iterator<Item = *mut Header> {
        entries(&self.buckets)
    }

    /// The same entries in a larger segment.
    pub(crate) fn grown(&self) -> Result<Segment> {
        let mut larger = Segment::try_new(self.buckets.len() * 2)?;
        for entry in self.entries() {
            larger.insert(entry, hash_of(entry));
        }
        Ok(larger)
    }

    /// The same entries in two segments: those whose hash has the bit 0, and those that have it 1.
    pub(crate) fn split(&self, bit: u32) -> Result<[Segment; 2]> {
        let mut halves = [Segment::try_new(self.buckets.len())?, Segment::try_new(self.buckets.len())?];
        let mask = self.mask();
        for (at, bucket) in self.buckets.iter().enumerate() {
            // Where nothing went by the bucket before, all stand in their home, and need not be looked at.
            let at_home = self.buckets[at.wrapping_sub(1) & mask].tags().overflowed() == 0;
            for (tag, word) in bucket.occupied() {
                let (low, home) = match at_home && bit < 16 {
                    true => (word.0, at),
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

    /// Counts again what a writer may have left uncounted who is not there any more.
    pub(crate) fn recount(&mut self) {
        self.len = self.buckets.iter().map(|bucket| bucket.occupied().count()).sum();
    }
}

/// All entries in `buckets`.
pub(crate) fn entries(buckets: &[Bucket]) -> impl Iterator<Item = *mut Header> {
    buckets.iter().flat_map(Bucket::occupied).map(|(_, word)| word.entry())
}

fn hash_of(entry: *mut Header) -> u64 {
    // SAFETY: an entry in a segment is alive.
    hash(unsafe { EntryRef::new(entry) }.key())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_one_cache_line() {
        assert_eq!((size_of::<Bucket>(), align_of::<Bucket>()), (64, 64));
    }

    #[test]
    fn tags_match_where_they_are_equal() {
        for tag in 1..=255 {
            for slot in 0..SLOTS {
                let tags = Tags(0x7f << 56).with(slot, tag);
                let matches = tags.matches(tag);
                assert_eq!(Tags::slot(matches), slot, "tag {tag}");
                assert_eq!((tags.overflowed(), tags.get(slot)), (0x7f, tag));
                let another = if tag == 1 { 2 } else { 1 };
                assert!((0..SLOTS).all(|at| at != slot || tags.matches(another) >> (8 * at + 7) & 1 == 0));
            }
        }
        assert_eq!(Tags(0).matches(7), 0);
    }

    #[test]
    fn what_was_removed_is_not_found_beside_an_entry_with_the_lowest_tag() {
        use crate::table::entry::Draft;
        let entries: Vec<_> = [b"a", b"b"].map(|key| Draft::new(key, None).finish().unwrap().into_pinned()).into();
        let mut segment = Segment::try_new(1).unwrap();
        // Both have tag 1; that of the empty slot behind differs from it by one.
        let hash = |low: u64| 1 << 56 | low;
        for (low, entry) in entries.iter().enumerate() {
            segment.insert(entry.entry().as_ptr(), hash(low as u64));
        }
        let second = Hashed { key: b"b", hash: hash(1) };
        let (place, _) = segment.find(&second).unwrap();
        segment.remove(place, second.hash);
        assert!(segment.find(&second).is_none());
        let buckets = Buckets { first: segment.buckets().as_ptr(), span: Buckets::span(1) };
        // SAFETY: buckets and entries live as long as this test.
        assert!(unsafe { find(buckets, &second) }.is_none());
    }

    #[test]
    fn what_went_by_is_counted_up_to_many() {
        let mut tags = Tags(0).with(3, 9);
        for count in 1..=300u64 {
            tags = tags.pass(true);
            assert_eq!(tags.overflowed(), count.min(255));
        }
        assert_eq!((tags.pass(false).overflowed(), tags.get(3)), (255, 9));
        assert_eq!(Tags(0).pass(true).pass(false).overflowed(), 0);
    }

    #[test]
    fn keys_are_the_same_when_all_their_bytes_are() {
        for len in 0..200 {
            let key: Vec<u8> = (0..len).map(|at| at as u8).collect();
            assert!(keys_equal(&key, &key.clone()));
            assert!(!keys_equal(&key, &[&key[..], &[0]].concat()));
            for at in 0..len {
                let mut other = key.clone();
                other[at] ^= 0x80;
                assert!(!keys_equal(&key, &other), "{len} bytes, byte {at}");
            }
        }
    }
}
