//! A bucket: one cache line with seven slots and a word of tag bytes, which tell a lookup the slots to compare.
//!
//! The tag word has one tag byte for each slot, 0 if the slot is empty. Its eighth byte counts the entries that
//! overflowed from this bucket into a later one, so that a lookup knows whether to continue there. A slot holds an
//! entry's address and 16 bits of its hash.
//!
//! Every change is a store of one word, and readers may see any prefix of a writer's stores: a slot is filled before
//! its tag is set. The stores are Release and the loads Acquire. So a reader that sees the tag sees the slot, and a
//! reader that sees the slot sees the entry's bytes. A slot whose tag is cleared keeps its word for readers that saw
//! the tag: removed entries are not freed before their read sections end.

use std::ptr::NonNull;

use super::entry::EntryRef;
use super::hash::Hashed;
use super::header::Header;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The number of slots of a bucket.
pub(super) const SLOTS: usize = 7;

/// One cache line. The model checker's words are larger.
#[cfg_attr(not(shuttle), repr(C, align(64)))]
#[cfg_attr(shuttle, repr(C, align(4096)))]
pub(super) struct Bucket {
    tags: AtomicU64,
    slots: [AtomicU64; SLOTS],
}

/// The tag word of a bucket: a byte for each slot, and the number of overflowed entries in the highest byte.
#[derive(Clone, Copy)]
pub(super) struct Tags(u64);

impl Tags {
    const ONES: u64 = 0x0001_0101_0101_0101;
    const HIGHS: u64 = Self::ONES << 7;
    /// The distance of the bits that [`Tags::matches`] returns.
    const BITS: usize = if cfg!(target_arch = "x86_64") { 1 } else { 8 };
    #[cfg(target_arch = "x86_64")]
    const SLOT_BITS: u64 = (1 << SLOTS) - 1;
    /// The largest count of overflowed entries; it never changes again.
    const MANY: u64 = 255;

    /// The tag of a hash: its highest seven bits, and a bit that an empty slot does not have.
    #[inline(always)]
    pub(super) fn of(hash: u64) -> u64 {
        hash >> 56 | 0x80
    }

    /// A bit for each slot that has this tag.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn matches(self, tag: u64) -> u64 {
        use std::arch::x86_64::*;
        // SAFETY: every x86-64 processor has SSE2.
        let equal = unsafe {
            let (tags, tag) = (_mm_cvtsi64_si128(self.0.cast_signed()), _mm_cvtsi32_si128(tag as i32));
            let everywhere = _mm_shufflelo_epi16::<0>(_mm_unpacklo_epi8(tag, tag));
            _mm_movemask_epi8(_mm_cmpeq_epi8(tags, everywhere))
        };
        equal as u64 & Self::SLOT_BITS
    }

    /// A bit for each slot that may have this tag. Every slot with the tag is among them, and the lowest of them has
    /// it.
    #[cfg(not(target_arch = "x86_64"))]
    #[inline(always)]
    pub(super) fn matches(self, tag: u64) -> u64 {
        let zero_where_equal = self.0 ^ (tag * Self::ONES);
        zero_where_equal.wrapping_sub(Self::ONES) & !zero_where_equal & Self::HIGHS
    }

    /// The slot of the lowest bit.
    #[inline(always)]
    pub(super) fn slot(matches: u64) -> usize {
        matches.trailing_zeros() as usize / Self::BITS
    }

    pub(super) fn get(self, slot: usize) -> u64 {
        self.0 >> (8 * slot) & 255
    }

    pub(super) fn with(self, slot: usize, tag: u64) -> Self {
        Tags(self.0 & !(255 << (8 * slot)) | tag << (8 * slot))
    }

    /// The first empty slot. (Every tag has the high bit of its byte.)
    #[inline(always)]
    pub(super) fn empty_slot(self) -> Option<usize> {
        let empty = !self.0 & Self::HIGHS;
        (empty != 0).then(|| empty.trailing_zeros() as usize / 8)
    }

    /// The number of entries that overflowed from this bucket.
    #[inline(always)]
    pub(super) fn overflowed(self) -> u64 {
        self.0 >> 56
    }

    /// One more entry has overflowed, or one fewer.
    pub(super) fn overflow(self, one_more: bool) -> Self {
        match (self.overflowed(), one_more) {
            (Self::MANY, _) => self,
            (_, true) => Tags(self.0 + (1 << 56)),
            (_, false) => Tags(self.0 - (1 << 56)),
        }
    }
}

/// An entry's address in the upper 48 bits, and the lowest 16 bits of its hash.
///
/// Only here is a pointer turned into a number and back. The number has no provenance, so `new` exposes the pointer's,
/// and `address` makes a pointer with exposed provenance (Rust's permissive provenance; an AtomicPtr has no room for
/// the 16 bits). Every entry pointer is derived from the pointer to its chunk, so it may access the whole chunk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Word(u64);

impl Word {
    pub(super) fn new(entry: NonNull<Header>, hash: u64) -> Self {
        let address = entry.as_ptr().expose_provenance() as u64;
        debug_assert!(address >> 48 == 0, "addresses have 48 bits: chunk_memory.rs takes no other memory");
        Word(address << 16 | hash & 0xFFFF)
    }

    #[inline(always)]
    pub(super) fn address(self) -> *mut Header {
        std::ptr::with_exposed_provenance_mut((self.0 >> 16) as usize)
    }

    /// The entry of a word that was read from a slot with a tag.
    #[inline(always)]
    pub(super) fn entry(self) -> NonNull<Header> {
        // SAFETY: words are made from entries, and a slot gets its word before its tag.
        unsafe { NonNull::new_unchecked(self.address()) }
    }

    #[inline(always)]
    pub(super) fn is_of(self, hash: u64) -> bool {
        self.0 as u16 == hash as u16
    }

    /// The lowest 16 bits of the hash.
    pub(super) fn hash_bits(self) -> u64 {
        self.0 & 0xFFFF
    }
}

impl Bucket {
    /// Writes `count` empty buckets.
    ///
    /// # Safety
    /// The memory is the caller's, aligned, and has room for them.
    pub(super) unsafe fn write_empty(first: NonNull<Bucket>, count: usize) {
        // SAFETY: the caller's promise. Zeros are empty buckets, but for the model checker's words.
        unsafe {
            #[cfg(not(shuttle))]
            first.write_bytes(0, count);
            #[cfg(shuttle)]
            for at in 0..count {
                let slots = [const { AtomicU64::new(0) }; SLOTS];
                first.add(at).write(Bucket { tags: AtomicU64::new(0), slots });
            }
        }
    }

    #[inline(always)]
    pub(super) fn tags(&self) -> Tags {
        Tags(self.tags.load(Ordering::Acquire))
    }

    pub(super) fn set_tags(&self, tags: Tags) {
        self.tags.store(tags.0, Ordering::Release);
    }

    #[inline(always)]
    pub(super) fn word(&self, slot: usize) -> Word {
        Word(self.slots[slot].load(Ordering::Acquire))
    }

    /// The word of the slot with the lowest bit in `matches`, which is not 0.
    #[inline(always)]
    pub(super) fn first_word(&self, matches: u64) -> Word {
        debug_assert!(matches != 0 && Tags::slot(matches) < SLOTS);
        // SAFETY: `matches` has bits of slots only.
        Word(unsafe { self.slots.get_unchecked(Tags::slot(matches)) }.load(Ordering::Acquire))
    }

    pub(super) fn set_word(&self, slot: usize, word: Word) {
        self.slots[slot].store(word.0, Ordering::Release);
    }

    /// The slot of a key in this bucket.
    ///
    /// # Safety
    /// The entries of this segment stay alive meanwhile.
    #[inline(always)]
    pub(super) unsafe fn find(&self, tags: Tags, key: &Hashed) -> Option<(usize, Word)> {
        let tag = Tags::of(key.hash());
        let mut matches = tags.matches(tag);
        while matches != 0 {
            let slot = Tags::slot(matches);
            let word = self.word(slot);
            if tags.get(slot) == tag && word.is_of(key.hash()) {
                // SAFETY: the tag was set after the slot's word; the caller keeps the entry alive, even if it was just
                // removed.
                let entry = unsafe { EntryRef::new(word.entry()) };
                if keys_equal(entry.key(), key.key) {
                    return Some((slot, word));
                }
            }
            matches &= matches - 1;
        }
        None
    }

    /// The tags and words of its occupied slots. Only for the writer, and for readers that may miss concurrent changes.
    pub(super) fn occupied(&self) -> impl Iterator<Item = (u64, Word)> {
        let tags = self.tags();
        (0..SLOTS).filter(move |slot| tags.get(*slot) != 0).map(move |slot| (tags.get(slot), self.word(slot)))
    }
}

/// Whether two keys are equal. Keys of 8 to 64 bytes are compared by overlapping words, without a call or a loop.
#[inline(always)]
pub(super) fn keys_equal(a: &[u8], b: &[u8]) -> bool {
    let len = b.len();
    if len != a.len() {
        return false;
    }
    if !(8..=64).contains(&len) {
        return a == b;
    }
    // SAFETY: both keys have at least `at + 8` bytes in every call below.
    let differ = |at: usize| unsafe {
        let word = |bytes: &[u8]| bytes.as_ptr().add(at).cast::<u64>().read_unaligned();
        word(a) ^ word(b)
    };
    // Words from both ends, which overlap in the middle.
    let mut different = differ(0) | differ(len - 8);
    if len > 16 {
        different |= differ(8) | differ(len - 16);
        if len > 32 {
            different |= differ(16) | differ(24) | differ(len - 32) | differ(len - 24);
        }
    }
    different == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(not(shuttle))]
    fn a_bucket_is_one_cache_line() {
        assert_eq!((size_of::<Bucket>(), align_of::<Bucket>()), (64, 64));
    }

    #[test]
    fn tags_match_if_they_are_equal() {
        for tag in Tags::of(0)..=255 {
            for slot in 0..SLOTS {
                let tags = Tags(0x7f << 56).with(slot, tag);
                let matches = tags.matches(tag);
                assert_eq!(Tags::slot(matches), slot, "tag {tag}");
                assert_eq!((tags.overflowed(), tags.get(slot)), (0x7f, tag));
                let another = if tag == 255 { 254 } else { 255 };
                assert!(
                    (0..SLOTS).all(|at| at != slot || tags.matches(another) >> (Tags::BITS * (at + 1) - 1) & 1 == 0)
                );
            }
        }
        assert_eq!(Tags(0).matches(Tags::of(7 << 56)), 0);
    }

    #[test]
    fn overflowing_entries_are_counted_up_to_many() {
        let mut tags = Tags(0).with(3, 9);
        for count in 1..=300u64 {
            tags = tags.overflow(true);
            assert_eq!(tags.overflowed(), count.min(255));
        }
        assert_eq!((tags.overflow(false).overflowed(), tags.get(3)), (255, 9));
        assert_eq!(Tags(0).overflow(true).overflow(false).overflowed(), 0);
    }

    #[test]
    fn keys_are_equal_when_all_their_bytes_are() {
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
