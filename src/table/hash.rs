//! The keyed hash: fast on short keys, and seeded once per process against prepared collisions.

use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use once_cell::race::OnceBox;
use rapidhash::v3::RapidSecrets;

use super::other_hash;

/// The lengths of ordinary keys, which are hashed word by word, without a loop.
pub const ORDINARY: RangeInclusive<usize> = 8..=64;

/// The secrets of the hash, which differ in every process, and the hash of keys that are not ordinary.
pub(super) struct Secrets {
    pub(super) words: RapidSecrets,
    of_other: fn(&[u8], &RapidSecrets) -> u64,
    /// Whether the processor finds long keys by `long::find`.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code))]
    pub(super) has_long: bool,
}

/// The secrets of this process: the first thread chooses them; no thread waits.
static CHOSEN: OnceBox<Secrets> = OnceBox::new();

/// The same, once [`WORDS`] has them too.
static SECRETS: AtomicPtr<Secrets> = AtomicPtr::new(ptr::null_mut());

/// The words of the chosen secrets, for ordinary keys: a lookup reads them without a pointer to wait for. Every thread
/// that prepares them writes the same.
static WORDS: [AtomicU64; 7] = [const { AtomicU64::new(0) }; 7];
static SEED: AtomicU64 = AtomicU64::new(0);

/// A key and its hash, which is valid in this process only.
#[derive(Clone, Copy)]
pub struct Hashed<'k> {
    /// The key.
    pub key: &'k [u8],
    hash: u64,
}

impl Hashed<'static> {
    /// The empty key with an invalid hash, to initialize arrays.
    pub const fn of_nothing() -> Self {
        Hashed { key: &[], hash: 0 }
    }
}

impl<'k> From<&'k [u8]> for Hashed<'k> {
    #[inline(always)]
    fn from(key: &'k [u8]) -> Self {
        Hashed { key, hash: hash(key) }
    }
}

impl<'k> Hashed<'k> {
    /// Hashes a key without a call, if it is ordinary.
    #[inline(always)]
    pub fn inline(key: &'k [u8]) -> Self {
        match ORDINARY.contains(&key.len()) && !SECRETS.load(Ordering::Acquire).is_null() {
            true => Self::ordinary(key),
            false => key.into(),
        }
    }

    /// The hash.
    #[inline(always)]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// A key and its known hash.
    #[inline(always)]
    pub(crate) fn with_hash(key: &'k [u8], hash: u64) -> Self {
        Hashed { key, hash }
    }

    /// Hashes an ordinary key, for a lookup. If the secrets are not chosen yet, it is not the key's hash: then no table
    /// had entries when the lookup began, so it may find nothing.
    #[inline(always)]
    pub(super) fn ordinary(key: &'k [u8]) -> Self {
        Hashed { key, hash: of_ordinary(key) }
    }
}

/// The hash of a key in this process.
#[inline]
pub(crate) fn hash(key: &[u8]) -> u64 {
    let secrets = secrets();
    if !ORDINARY.contains(&key.len()) {
        return (secrets.of_other)(key, &secrets.words);
    }
    of_ordinary(key)
}

/// The hash of an ordinary key. Words from both ends are multiplied in pairs, each word mixed with a secret of its own,
/// and the halves of each product are folded, as in rapidhash. Unlike there, the products are independent of each
/// other.
#[inline(always)]
fn of_ordinary(key: &[u8]) -> u64 {
    let len = key.len();
    debug_assert!(ORDINARY.contains(&len));
    let secret = |at: usize| WORDS[at].load(Ordering::Relaxed);
    // SAFETY: the key has at least `at + 8` bytes in every call below.
    let word = |at: usize| unsafe { key.as_ptr().add(at).cast::<u64>().read_unaligned() };
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        product as u64 ^ (product >> 64) as u64
    };
    let mut hash = fold(word(0) ^ secret(0), word(len - 8) ^ SEED.load(Ordering::Relaxed) ^ len as u64);
    if len > 16 {
        hash ^= fold(word(8) ^ secret(1), word(len - 16) ^ secret(2));
        if len > 32 {
            hash ^= fold(word(16) ^ secret(3), word(len - 24) ^ secret(4));
            if len > 48 {
                hash ^= fold(word(24) ^ secret(5), word(len - 32) ^ secret(6));
            }
        }
    }
    // Consecutive keys that differ in one word would get consecutive hashes: an odd factor scatters them.
    hash.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The secrets of this process.
#[inline]
pub(super) fn secrets() -> &'static Secrets {
    // SAFETY: null, or a pointer to the chosen secrets, which are never freed.
    unsafe { SECRETS.load(Ordering::Acquire).as_ref() }.unwrap_or_else(set_secrets)
}

/// The same, without a check.
///
/// # Safety
/// The thread has seen a directory: it was made after the secrets.
#[inline(always)]
pub(super) unsafe fn known_secrets() -> &'static Secrets {
    // SAFETY: the caller's promise: no longer null.
    unsafe { &*SECRETS.load(Ordering::Relaxed) }
}

#[cold]
#[inline(never)]
fn set_secrets() -> &'static Secrets {
    let chosen = CHOSEN.get_or_init(choose_secrets);
    for (word, secret) in WORDS.iter().zip(chosen.words.secrets) {
        word.store(secret, Ordering::Relaxed);
    }
    SEED.store(chosen.words.seed, Ordering::Relaxed);
    // Release: a thread that sees the pointer sees the words.
    SECRETS.store(ptr::from_ref(chosen).cast_mut(), Ordering::Release);
    chosen
}

fn choose_secrets() -> Box<Secrets> {
    // The standard library's hasher takes its keys from the system's random source.
    let words = RapidSecrets::seed(RandomState::new().hash_one(0u64));
    let long = other_hash::detect();
    Box::new(Secrets { words, has_long: long.is_some(), of_other: long.unwrap_or(other_hash::by_rapidhash) })
}

/// Seeds the hash, so that no store has to.
pub fn prepare() {
    secrets();
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The hashes by which keys of this length may be hashed, on this processor and on others.
    fn all_hashes(key: &[u8]) -> Vec<u64> {
        let words = &secrets().words;
        let mut hashes = vec![other_hash::by_rapidhash(key, words)];
        hashes.extend(other_hash::detect().map(|hash| hash(key, words)));
        if ORDINARY.contains(&key.len()) {
            hashes.push(of_ordinary(key));
        }
        hashes
    }

    #[test]
    fn a_flipped_bit_changes_the_hash_of_a_key_of_any_length() {
        for len in (1..300).chain([511, 512, 513, 1024, 4096, 4100]) {
            let key: Vec<u8> = (0..len).map(|at| (at * 37) as u8).collect();
            let before = all_hashes(&key);
            for at in 0..len {
                let mut flipped = key.clone();
                flipped[at] ^= 1 << (at % 8);
                for (before, after) in before.iter().zip(all_hashes(&flipped)) {
                    assert!(before >> 32 != after >> 32, "{len} bytes, byte {at}");
                }
            }
        }
    }

    /// Keys that differ as the keys of programs do: counters, swapped blocks, signs of numbers, lengths.
    fn keys_of_programs() -> Vec<Vec<u8>> {
        let doubles = |numbers: &[f64]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>();
        let mut keys = Vec::new();
        for len in [8, 16, 24, 40, 64, 72, 128, 136, 256, 1024] {
            for count in 0..2000u64 {
                let (mut first, mut last) = (vec![0; len], vec![0; len]);
                first[..8].copy_from_slice(&count.to_le_bytes());
                last[len - 8..].copy_from_slice(&(count + 1).to_be_bytes());
                keys.extend([first, last]);
            }
        }
        for (numbers, patterns) in [(16, 1 << 12), (32, 1 << 12), (128, 1 << 12)] {
            for pattern in 0..patterns {
                let sign = |at: usize| if pattern >> (at % 12) & 1 == 1 { -0.25 } else { 0.25 };
                keys.push(doubles(&(0..numbers).map(|at| if at < 12 { sign(at) } else { 0.25 }).collect::<Vec<_>>()));
                keys.push(doubles(
                    &(0..numbers).map(|at| if at % 8 == 3 { sign(at / 8) } else { 0.5 }).collect::<Vec<_>>(),
                ));
            }
        }
        for blocks in 5..=16 {
            for (one, other) in (0..blocks).flat_map(|one| (one + 1..blocks).map(move |other| (one, other))) {
                let mut key: Vec<u8> = (0..blocks).flat_map(|block| [block as u8; 16]).collect();
                for at in 0..16 {
                    key.swap(16 * one + at, 16 * other + at);
                }
                keys.push(key);
            }
        }
        keys.extend((300..2000).map(|len| vec![0; len]));
        keys.into_iter().collect::<HashSet<_>>().into_iter().collect()
    }

    /// Of n random numbers of 32 bits, n^2 / 2^33 pairs are equal; a few more are tolerated, many are not.
    #[test]
    fn the_bits_that_choose_segment_bucket_slot_and_tag_are_spread_evenly() {
        let keys = keys_of_programs();
        let hashes: Vec<Vec<u64>> = keys.iter().map(|key| all_hashes(key)).collect();
        for kind in 0..2 {
            for bits in [0, 32] {
                let distinct: HashSet<u32> = hashes
                    .iter()
                    .filter_map(|all| all.get(if kind == 0 { 0 } else { all.len() - 1 }))
                    .map(|hash| (hash >> bits) as u32)
                    .collect();
                let equal = keys.len() - distinct.len();
                assert!(equal <= 12, "{equal} of {} keys have equal bits from {bits}, hash {kind}", keys.len());
            }
            let mut tags = [0usize; 128];
            for all in &hashes {
                let hash = all[if kind == 0 { 0 } else { all.len() - 1 }];
                tags[(hash >> 56 & 127) as usize] += 1;
            }
            let mean = keys.len() / tags.len();
            assert!(tags.iter().all(|count| (mean / 2..mean * 2).contains(count)), "tags: {tags:?}");
        }
    }
}
