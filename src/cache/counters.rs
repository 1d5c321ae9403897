//! What a cache counts.

use std::hint::cold_path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

use super::Refusal;
use crate::store::{Record, Shared, SharedCell};

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
    /// Values at a server that were damaged, or somebody else's.
    pub damaged: u64,
}

/// The number of reasons for a refusal.
pub(super) const REFUSALS: usize = Refusal::Server as usize + 1;

/// The counters behind [`Stats`].
///
/// Lookups are counted without locked instructions: each thread adds to numbers that it alone writes. The thread that made
/// the cache has them here, others in a [`Stripes`] that comes with the first of them.
pub struct Counters {
    own: Lookups,
    /// Which thread's those are.
    owner: u32,
    others: SharedCell<Stripes>,
    /// What the lookups had come to when they were last reset; and what nobody had a place for.
    before: Lookups,
    extra: Lookups,
    stores: AtomicU64,
    refused: [AtomicU64; REFUSALS],
    waits: AtomicU64,
    errors: AtomicU64,
    computations: AtomicU64,
    compute_ns: AtomicU64,
}

/// Lookups that found a value, and those that found none.
#[derive(Default)]
pub(super) struct Lookups {
    hits: AtomicU64,
    misses: AtomicU64,
}

/// One cache line, so that threads do not take it from each other.
#[repr(align(64))]
#[derive(Default)]
struct Stripe(Lookups);

const STRIPES: usize = 16;

/// The last one is shared by all threads whose number is higher.
#[derive(Default)]
struct Stripes([Stripe; STRIPES]);

impl Lookups {
    #[inline(always)]
    fn of(&self, hit: bool) -> &AtomicU64 {
        if hit { &self.hits } else { &self.misses }
    }

    /// For the one thread that writes.
    #[inline(always)]
    pub(super) fn add_alone(&self, hit: bool) {
        let counter = self.of(hit);
        counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
    }

    fn add(&self, hit: bool) {
        self.of(hit).fetch_add(1, Relaxed);
    }
}

impl Counters {
    /// All zero; made by the thread of this record.
    pub fn new(maker: &Record) -> Self {
        Counters {
            own: Lookups::default(),
            owner: maker.id(),
            others: SharedCell::new(),
            before: Lookups::default(),
            extra: Lookups::default(),
            stores: AtomicU64::new(0),
            refused: Default::default(),
            waits: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            computations: AtomicU64::new(0),
            compute_ns: AtomicU64::new(0),
        }
    }

    /// A lookup that found a value, or none.
    #[inline(always)]
    pub fn lookup(&self, record: &Record, hit: bool) {
        if record.id() == self.owner {
            self.own.add_alone(hit);
        } else {
            self.lookup_of_another(record.id(), hit);
        }
    }

    /// The numbers to which this thread alone adds, if it has some already.
    #[inline(always)]
    pub(super) fn alone(&self, record: &Record) -> Option<&Lookups> {
        if record.id() == self.owner {
            return Some(&self.own);
        }
        cold_path();
        let stripe = self.others.get()?.0.get(record.id() as usize)?;
        (record.id() as usize != STRIPES - 1).then_some(&stripe.0)
    }

    #[inline(never)]
    fn lookup_of_another(&self, id: u32, hit: bool) {
        match self.others.get_or_try_init(|| Shared::try_new(Stripes::default())) {
            Err(_) => self.extra.add(hit),
            Ok(stripes) => match stripes.0.get(id as usize) {
                Some(stripe) if id as usize != STRIPES - 1 => stripe.0.add_alone(hit),
                _ => stripes.0[STRIPES - 1].0.add(hit),
            },
        }
    }

    /// Lookups since the last reset. What is subtracted is read first: the rest only grows.
    fn lookups(&self, hit: bool) -> u64 {
        let before = self.before.of(hit).load(Acquire);
        self.all_lookups(hit).wrapping_sub(before)
    }

    fn all_lookups(&self, hit: bool) -> u64 {
        let others = self.others.get().map_or(&[][..], |stripes| &stripes.0);
        let all = others.iter().map(|stripe| &stripe.0).chain([&self.own, &self.extra]);
        all.map(|lookups| lookups.of(hit).load(Relaxed)).fold(0, u64::wrapping_add)
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
        for hit in [true, false] {
            self.before.of(hit).store(self.all_lookups(hit), Release);
        }
        let counters = [&self.stores, &self.waits, &self.errors, &self.computations, &self.compute_ns];
        counters.into_iter().chain(&self.refused).for_each(|counter| counter.store(0, Relaxed));
    }

    pub(super) fn info(&self, size: u64) -> Info {
        Info { hits: self.lookups(true), misses: self.lookups(false), size }
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
            damaged: 0,
        }
    }
}
