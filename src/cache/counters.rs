//! What a cache counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::Refusal;

/// The seed's three figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// Lookups that found a value.
    pub hits: u64,
    /// Lookups that found none.
    pub misses: u64,
    /// Values held now.
    pub size: u64,
}

/// All figures of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Hits, misses, size.
    pub info: Info,
    /// Bytes held, overhead included.
    pub bytes: u64,
    /// Values stored.
    pub stores: u64,
    /// Values refused, by reason in the order of [`Refusal`].
    pub refused: [u64; REFUSALS],
    /// Hits for which a caller waited until another had computed the value.
    pub waits: u64,
    /// Computations that failed.
    pub errors: u64,
    /// Nanoseconds spent in computations that succeeded.
    pub compute_ns: u64,
    /// Nanoseconds saved: hits times the mean computation.
    pub saved_ns: u64,
}

/// The number of reasons for a refusal.
pub(super) const REFUSALS: usize = Refusal::Cleared as usize + 1;

/// The counters behind [`Stats`].
#[derive(Default)]
pub struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    stores: AtomicU64,
    refused: [AtomicU64; REFUSALS],
    waits: AtomicU64,
    errors: AtomicU64,
    computations: AtomicU64,
    compute_ns: AtomicU64,
}

impl Counters {
    /// A lookup that found a value, or none.
    #[inline]
    pub fn lookup(&self, hit: bool) {
        if hit { &self.hits } else { &self.misses }.fetch_add(1, Relaxed);
    }

    pub(super) fn store(&self) {
        self.stores.fetch_add(1, Relaxed);
    }

    pub(super) fn refuse(&self, reason: Refusal) {
        self.refused[reason as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn wait(&self) {
        self.waits.fetch_add(1, Relaxed);
    }

    pub(super) fn failure(&self) {
        self.errors.fetch_add(1, Relaxed);
    }

    pub(super) fn computation(&self, took: Duration) {
        self.computations.fetch_add(1, Relaxed);
        self.compute_ns.fetch_add(took.as_nanos() as u64, Relaxed);
    }

    pub(super) fn reset(&self) {
        let counters =
            [&self.hits, &self.misses, &self.stores, &self.waits, &self.errors, &self.computations, &self.compute_ns];
        counters.into_iter().chain(&self.refused).for_each(|counter| counter.store(0, Relaxed));
    }

    pub(super) fn info(&self, size: u64) -> Info {
        Info { hits: self.hits.load(Relaxed), misses: self.misses.load(Relaxed), size }
    }

    pub(super) fn stats(&self, size: u64, bytes: u64) -> Stats {
        let info = self.info(size);
        let (computations, compute_ns) = (self.computations.load(Relaxed), self.compute_ns.load(Relaxed));
        Stats {
            info,
            bytes,
            stores: self.stores.load(Relaxed),
            refused: std::array::from_fn(|reason| self.refused[reason].load(Relaxed)),
            waits: self.waits.load(Relaxed),
            errors: self.errors.load(Relaxed),
            compute_ns,
            saved_ns: (info.hits as u128 * compute_ns as u128 / computations.max(1) as u128) as u64,
        }
    }
}
