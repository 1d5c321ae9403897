//! The keyed hash: fast on short keys, and seeded once per process, so that nobody can prepare keys that collide.

use std::hash::{BuildHasher, RandomState};

use once_cell::sync::OnceCell;
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

static SECRETS: OnceCell<RapidSecrets> = OnceCell::new();

/// The hash of a key in this process. Never stored, sent or compared between processes.
#[inline]
pub fn hash(key: &[u8]) -> u64 {
    rapidhash_v3_seeded(key, SECRETS.get_or_init(secrets))
}

#[cold]
fn secrets() -> RapidSecrets {
    // The standard library's hasher takes its keys from the system's random source.
    RapidSecrets::seed(RandomState::new().hash_one(0u64))
}
