//! The keyed hash: fast on short keys, and seeded once per process, so that nobody can prepare keys that collide.

use std::hash::{BuildHasher, RandomState};

use once_cell::race::OnceBox;
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

/// Filled by whoever is first, without waiting for another who tries.
static SECRETS: OnceBox<RapidSecrets> = OnceBox::new();

/// A key and its hash, which is never stored, sent or compared between processes.
#[derive(Clone, Copy)]
pub struct Hashed<'k> {
    /// The key.
    pub key: &'k [u8],
    pub(super) hash: u64,
}

impl Hashed<'static> {
    /// To fill places with that get a key later.
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

/// The hash of a key in this process.
#[inline]
pub(super) fn hash(key: &[u8]) -> u64 {
    rapidhash_v3_seeded(key, SECRETS.get_or_init(secrets))
}

#[cold]
fn secrets() -> Box<RapidSecrets> {
    // The standard library's hasher takes its keys from the system's random source.
    Box::new(RapidSecrets::seed(RandomState::new().hash_one(0u64)))
}

/// Seeds the hash now, so that no store has to.
pub fn prepare() {
    SECRETS.get_or_init(secrets);
}
