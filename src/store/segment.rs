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

use super::entry::{EntryRef, Header};
use super::hash::{Hashed, hash};
use super::lock::atomic::{AtomicU64, Ordering};
use crate::error::{Error, Result};

const SLOTS: usize = 7;

/// Entries that a segment takes for each bucket, on average: then nearly all stand in their own.
const LOAD: usize = 5;

/// One cache line.
#[repr(C, align(64))]
pub(super) struct Bucket {
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

    /// A bit for each slot that may have this tag; those that have it are among them.
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
    fn passed(self) -> u64 {
        self.0 >> 56
    }

    fn pass(self, came: bool) -> Self {
        match (self.passed(), came) {
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
        let mut matches = tags.matches(Tags::of(key.hash));
        while matches != 0 {
            let slot = Tags::slot(matches);
            let word = self.word(slot);
            // SAFETY: a slot that has or had a tag names an entry, which the caller keeps alive.
            if word.is_of(key.hash) && same(unsafe { EntryRef::new(word.entry()) }.key(), key.key) {
                return Some((slot, word));
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
fn same(a: &[u8], b: &[u8]) -> bool {
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
pub(super) struct Buckets {
    pub(super) first: *const Bucket,
    pub(super) span: usize,
}

/// The bucket in which a lookup begins.
#[inline(always)]
fn home(hash: u64, mask: usize) -> usize {
    (hash >> HOME) as usize & mask
}

/// The lowest bit of a hash that chooses a bucket.
const HOME: u32 = 32 + size_of::<Bucket>().ilog2();

impl Buckets {
    /// How far the last of so many buckets stands behind the first.
    pub(super) const fn span(buckets: usize) -> usize {
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
pub enum First<'s> {
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
pub(super) unsafe fn find<'s>(buckets: Buckets, key: &Hashed) -> Option<EntryRef<'s>> {
    // SAFETY: the caller's promise.
    match unsafe { find_first(buckets, key) } {
        First::Found(entry) => Some(entry),
        First::Missing => None,
        // SAFETY: the caller's promise.
        First::Unclear => unsafe { find_on(buckets, key) },
    }
}

/// Looks at the first tag that fits in the first bucket, which nearly always decides.
///
/// # Safety
/// As for [`find`].
#[inline(always)]
pub(super) unsafe fn find_first<'s>(buckets: Buckets, key: &Hashed) -> First<'s> {
    // SAFETY: the span keeps the place inside; the caller's promise.
    let bucket = unsafe { &*buckets.home(key.hash) };
    let tags = bucket.tags();
    let matches = tags.matches(Tags::of(key.hash));
    if matches == 0 {
        return if tags.passed() == 0 { First::Missing } else { First::Unclear };
    }
    let word = bucket.word(Tags::slot(matches));
    if word.is_of(key.hash) {
        // SAFETY: a slot that has or had a tag names an entry, which the caller keeps alive.
        let entry: EntryRef<'s> = unsafe { EntryRef::new(word.entry()) };
        if same(entry.key(), key.key) {
            return First::Found(entry);
        }
    }
    First::Unclear
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
        // SAFETY: as in `find_first`.
        let bucket = unsafe { &*buckets.first.add(at) };
        let tags = bucket.tags();
        // SAFETY: as in `find_first`.
        if let Some((_, word)) = unsafe { bucket.find(tags, key) } {
            // SAFETY: as in `find_first`.
            return Some(unsafe { EntryRef::new(word.entry()) });
        }
        if tags.passed() == 0 {
            return None;
        }
        at = (at + 1) & mask;
    }
    None
}

/// Asks for the cache line in which a lookup begins, and says where the entry may be, once that line is there.
pub(super) mod ahead {
    use super::*;

    /// Fetches the bucket of a key.
    #[inline(always)]
    pub(in crate::store) fn bucket(buckets: Buckets, key: &Hashed) {
        fetch(buckets.home(key.hash));
    }

    /// Fetches the entry that a key seems to have in its first bucket.
    ///
    /// # Safety
    /// The buckets stay alive meanwhile.
    #[inline(always)]
    pub(in crate::store) unsafe fn entry(buckets: Buckets, key: &Hashed) {
        // SAFETY: the span keeps the place inside.
        let bucket = unsafe { &*buckets.home(key.hash) };
        let matches = bucket.tags().matches(Tags::of(key.hash));
        if matches != 0 {
            let entry = bucket.word(Tags::slot(matches)).entry();
            fetch(entry);
            fetch(entry.wrapping_byte_add(64));
        }
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
pub(super) struct Segment {
    buckets: Box<[Bucket]>,
    len: usize,
}

/// Where an entry stands.
pub(super) struct Place {
    bucket: usize,
    slot: usize,
}

impl Segment {
    /// An empty segment of `buckets`, a power of two.
    pub(super) fn try_new(buckets: usize) -> Result<Self> {
        let mut made = Vec::new();
        made.try_reserve_exact(buckets).map_err(|_| Error::OutOfMemory(Self::bytes(buckets)))?;
        made.resize_with(buckets, Bucket::empty);
        Ok(Segment { buckets: made.into_boxed_slice(), len: 0 })
    }

    /// The bytes that so many buckets take.
    pub(super) const fn bytes(buckets: usize) -> usize {
        buckets * size_of::<Bucket>()
    }

    pub(super) fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    fn mask(&self) -> usize {
        self.buckets.len() - 1
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether it takes no more.
    pub(super) fn is_full(&self) -> bool {
        self.len >= self.buckets.len() * LOAD
    }

    /// Finds a key.
    pub(super) fn find(&self, key: &Hashed) -> Option<(Place, *mut Header)> {
        let (mask, mut at) = (self.mask(), home(key.hash, self.mask()));
        for _ in 0..=mask {
            let bucket = &self.buckets[at];
            let tags = bucket.tags();
            // SAFETY: who writes is alone, and entries leave a segment only by its hand.
            if let Some((slot, word)) = unsafe { bucket.find(tags, key) } {
                return Some((Place { bucket: at, slot }, word.entry()));
            }
            if tags.passed() == 0 {
                break;
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// Puts another entry of the same key into a place.
    pub(super) fn replace(&self, place: Place, entry: *mut Header, hash: u64) {
        self.buckets[place.bucket].set_word(place.slot, Word::new(entry, hash));
    }

    /// Takes an entry in that is not there, into a segment that is not full.
    pub(super) fn insert(&mut self, entry: *mut Header, hash: u64) {
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
    pub(super) fn remove(&mut self, place: Place, hash: u64) {
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
    pub(super) fn entries(&self) -> impl Iterator<Item = *mut Header> {
        entries(&self.buckets)
    }

    /// The same entries in a larger segment.
    pub(super) fn grown(&self) -> Result<Segment> {
        let mut larger = Segment::try_new(self.buckets.len() * 2)?;
        for entry in self.entries() {
            larger.insert(entry, hash_of(entry));
        }
        Ok(larger)
    }

    /// The same entries in two segments: those whose hash has the bit 0, and those that have it 1.
    pub(super) fn split(&self, bit: u32) -> Result<[Segment; 2]> {
        let mut halves = [Segment::try_new(self.buckets.len())?, Segment::try_new(self.buckets.len())?];
        let mask = self.mask();
        for (at, bucket) in self.buckets.iter().enumerate() {
            // Where nothing went by the bucket before, all stand in their home, and need not be looked at.
            let at_home = self.buckets[at.wrapping_sub(1) & mask].tags().passed() == 0;
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
    pub(super) fn recount(&mut self) {
        self.len = self.buckets.iter().map(|bucket| bucket.occupied().count()).sum();
    }
}

/// All entries in `buckets`.
pub(super) fn entries(buckets: &[Bucket]) -> impl Iterator<Item = *mut Header> {
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
                assert_eq!((tags.passed(), tags.get(slot)), (0x7f, tag));
                let another = if tag == 1 { 2 } else { 1 };
                assert!((0..SLOTS).all(|at| at != slot || tags.matches(another) >> (8 * at + 7) & 1 == 0));
            }
        }
        assert_eq!(Tags(0).matches(7), 0);
    }

    #[test]
    fn what_went_by_is_counted_up_to_many() {
        let mut tags = Tags(0).with(3, 9);
        for count in 1..=300u64 {
            tags = tags.pass(true);
            assert_eq!(tags.passed(), count.min(255));
        }
        assert_eq!((tags.pass(false).passed(), tags.get(3)), (255, 9));
        assert_eq!(Tags(0).pass(true).pass(false).passed(), 0);
    }

    #[test]
    fn keys_are_the_same_when_all_their_bytes_are() {
        for len in 0..200 {
            let key: Vec<u8> = (0..len).map(|at| at as u8).collect();
            assert!(same(&key, &key.clone()));
            assert!(!same(&key, &[&key[..], &[0]].concat()));
            for at in 0..len {
                let mut other = key.clone();
                other[at] ^= 0x80;
                assert!(!same(&key, &other), "{len} bytes, byte {at}");
            }
        }
    }
}
