//! The keyed hash: fast on short keys, and seeded once per process against prepared collisions.

use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;

use once_cell::race::OnceBox;
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

use super::long_hash;

/// The lengths of ordinary keys, which are hashed word by word, without a loop.
pub(super) const ORDINARY: RangeInclusive<usize> = 8..=64;

/// The secrets of the hash, which differ in every process, and the hash of keys that are not ordinary.
pub(super) struct Secrets {
    words: RapidSecrets,
    of_other: fn(&[u8], &RapidSecrets) -> u64,
}

/// The first thread sets it; no thread waits.
static SECRETS: OnceBox<Secrets> = OnceBox::new();

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

    /// Hashes an ordinary key with secrets that the caller has.
    #[inline(always)]
    pub(super) fn ordinary(key: &'k [u8], secrets: &Secrets) -> Self {
        Hashed { key, hash: of_ordinary(key, &secrets.words) }
    }

    /// Hashes a key with secrets that the caller has.
    #[inline(always)]
    pub(super) fn with_secrets(key: &'k [u8], secrets: &Secrets) -> Self {
        Hashed { key, hash: hash_with(key, secrets) }
    }
}

/// The hash of a key in this process.
#[inline]
pub(crate) fn hash(key: &[u8]) -> u64 {
    hash_with(key, secrets())
}

/// The hash of a key with these secrets.
#[inline(always)]
fn hash_with(key: &[u8], secrets: &Secrets) -> u64 {
    if !ORDINARY.contains(&key.len()) {
        return (secrets.of_other)(key, &secrets.words);
    }
    of_ordinary(key, &secrets.words)
}

/// The hash of any key, by rapidhash.
pub(super) fn of_other(key: &[u8], secrets: &RapidSecrets) -> u64 {
    rapidhash_v3_seeded(key, secrets)
}

/// The hash of an ordinary key. Words from both ends are multiplied in pairs, each word mixed with a secret of its own,
/// and the halves of each product are folded, as in rapidhash. Unlike there, the products are independent of each
/// other.
#[inline(always)]
fn of_ordinary(key: &[u8], secrets: &RapidSecrets) -> u64 {
    let (len, secret) = (key.len(), &secrets.secrets);
    debug_assert!(ORDINARY.contains(&len));
    // SAFETY: the key has at least `at + 8` bytes in every call below.
    let word = |at: usize| unsafe { key.as_ptr().add(at).cast::<u64>().read_unaligned() };
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        product as u64 ^ (product >> 64) as u64
    };
    let mut hash = fold(word(0) ^ secret[0], word(len - 8) ^ secrets.seed ^ len as u64);
    if len > 16 {
        hash ^= fold(word(8) ^ secret[1], word(len - 16) ^ secret[2]);
        if len > 32 {
            hash ^= fold(word(16) ^ secret[3], word(len - 24) ^ secret[4]);
            if len > 48 {
                hash ^= fold(word(24) ^ secret[5], word(len - 32) ^ secret[6]);
            }
        }
    }
    // Consecutive keys that differ in one word would get consecutive hashes: an odd factor scatters them.
    hash.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The secrets of this process.
#[inline]
pub(super) fn secrets() -> &'static Secrets {
    SECRETS.get_or_init(make_secrets)
}

#[cold]
fn make_secrets() -> Box<Secrets> {
    // The standard library's hasher takes its keys from the system's random source.
    let words = RapidSecrets::seed(RandomState::new().hash_one(0u64));
    Box::new(Secrets { words, of_other: long_hash::detect().unwrap_or(of_other) })
}

/// Seeds the hash, so that no store has to.
pub fn prepare() {
    secrets();
}
