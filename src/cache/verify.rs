//! Verified mode: every n-th hit of a cache is computed again and compared with the value that the cache has.
//!
//! A key that lacks an argument makes two questions share one answer. No count shows that; a computation does. The mode
//! is for tests and for a sample of the hits of long runs: a cache without a [`Verifier`] pays nothing for it, and one
//! with a verifier counts each hit with locked instructions.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::epoch::without_fork;
use crate::error::Result;
use crate::flight::Owner;
use crate::sync::{Mutex, try_box};

/// Compares values, and hears of differences. Called while no lock is held and no read section is open.
pub trait Judge: Send + Sync {
    /// Whether the kept and the computed value of a key count as equal.
    fn is_same(&self, _key: &[u8], kept: &[u8], computed: &[u8]) -> bool {
        kept == computed
    }

    /// Receives the values of a key that differ.
    fn report(&self, key: &[u8], kept: &[u8], computed: &[u8]);
}

/// Which hits of one cache are computed again, and the results.
pub struct Verifier {
    /// Every n-th hit is verified.
    every: u64,
    hits: AtomicU64,
    verified: AtomicU64,
    differences: AtomicU64,
    /// The owners that compute a hit again at the moment.
    verifying: Mutex<Vec<Owner>>,
    /// In a box of its own, so that a cache holds one word for the verifier that it mostly does not have.
    judge: Box<dyn Judge>,
}

impl Verifier {
    /// Verifies every hit whose number is a multiple of `every`; none for 0.
    pub fn new(every: u64, judge: impl Judge + 'static) -> Result<Option<Box<Self>>> {
        if every == 0 {
            return Ok(None);
        }
        let (hits, verified, differences) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let verifying = Mutex::new(Vec::new());
        let judge = try_box(judge)?;
        try_box(Verifier { every, hits, verified, differences, verifying, judge }).map(Some)
    }

    pub(super) fn every(&self) -> u64 {
        self.every
    }

    /// Counts a hit; returns whether this owner computes it again, until it calls [`Verifier::end`].
    ///
    /// The hits of a computation that verifies are plain hits: otherwise a recursive function would compute everything
    /// below it again at each level, and one that needs its own value would never end.
    pub(super) fn begin(&self, owner: Owner) -> bool {
        let number = self.hits.fetch_add(1, Relaxed) + 1;
        number.is_multiple_of(self.every)
            && without_fork(|| {
                let mut verifying = self.verifying.lock();
                let begins = !verifying.contains(&owner) && verifying.try_reserve(1).is_ok();
                if begins {
                    verifying.push(owner);
                }
                begins
            })
    }

    /// This owner has computed the hit, or has given up.
    pub(super) fn end(&self, owner: Owner) {
        without_fork(|| {
            let mut verifying = self.verifying.lock();
            if let Some(at) = verifying.iter().position(|one| *one == owner) {
                verifying.swap_remove(at);
            }
        });
    }

    /// Compares a kept value with the computed one, and counts. A difference is reported.
    pub(super) fn is_same(&self, key: &[u8], kept: &[u8], computed: &[u8]) -> bool {
        let same = self.judge.is_same(key, kept, computed);
        self.verified.fetch_add(1, Relaxed);
        if !same {
            self.differences.fetch_add(1, Relaxed);
            self.judge.report(key, kept, computed);
        }
        same
    }

    /// The hits that were computed again, and how many of them differed.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.verified.load(Relaxed), self.differences.load(Relaxed))
    }

    pub(super) fn reset(&self) {
        [&self.hits, &self.verified, &self.differences].into_iter().for_each(|count| count.store(0, Relaxed));
    }
}
