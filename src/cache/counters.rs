//! What a cache counts.

use std::hint::cold_path;
use std::mem::offset_of;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

use super::Refusal;
use crate::epoch::{Participant, guard};
use crate::sync::{CachePadded, OnceTryArc, Padding, TryArc, on_separate_lines};

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
    /// Computations that failed; leases that were abandoned are none.
    pub errors: u64,
    /// Nanoseconds spent in computations that succeeded.
    pub compute_ns: u64,
    /// Nanoseconds saved: hits times the mean computation.
    pub saved_ns: u64,
    /// Values at a server that were damaged, or somebody else's.
    pub damaged: u64,
}

/// The number of reasons for a refusal.
pub(super) const REFUSALS: usize = REASONS.len();

/// All of them, in their order.
const REASONS: [Refusal; 7] = {
    use Refusal::*;
    let reasons = [Cut, Phi, Memory, Disabled, Capacity, Cleared, Server];
    let mut at = 0;
    while at < reasons.len() {
        assert!(reasons[at] as usize == at);
        at += 1;
    }
    reasons
};

/// The counters behind [`Stats`].
///
/// Lookups, stores and refusals are counted without locked instructions: each thread adds to numbers that it alone writes.
/// The thread that made the cache has them here, others in a [`Stripes`] that comes with the first of them.
#[repr(C)]
pub struct Counters {
    /// What had been counted when it was last reset, less what nobody had a place for.
    before: Tally,
    /// Which thread has its numbers in `own`.
    owner: u32,
    others: OnceTryArc<Stripes>,
    // All threads read what stands before, at every lookup, and one writes what follows.
    _padding: Padding,
    own: Tally,
    waits: AtomicU64,
    errors: AtomicU64,
    computations: AtomicU64,
    compute_ns: AtomicU64,
}

const _: () = {
    assert!(on_separate_lines(offset_of!(Counters, others), offset_of!(Counters, own)));
    // What stands in front of these numbers may be written at every store, what stands behind is read at every lookup.
    assert!(on_separate_lines(0, offset_of!(Counters, owner) + size_of::<u64>()));
    assert!(on_separate_lines(
        offset_of!(Counters, own) + Event::Store.place() * size_of::<u64>(),
        size_of::<Counters>()
    ));
};

/// What happens most often.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Hit,
    Miss,
    Store,
    Refusal(Refusal),
}

impl Event {
    const NUMBER: usize = 3 + REFUSALS;

    #[inline(always)]
    fn lookup(hit: bool) -> Self {
        if hit { Event::Hit } else { Event::Miss }
    }

    #[inline(always)]
    const fn place(self) -> usize {
        match self {
            Event::Hit => 0,
            Event::Miss => 1,
            Event::Store => 2,
            Event::Refusal(reason) => 3 + reason as usize,
        }
    }
}

/// How often each event came.
#[derive(Default)]
pub(super) struct Tally([AtomicU64; Event::NUMBER]);

const STRIPES: usize = 16;

/// The last one is shared by all threads whose number is higher.
#[derive(Default)]
struct Stripes([CachePadded<Tally>; STRIPES]);

impl Tally {
    #[inline(always)]
    fn of(&self, event: Event) -> &AtomicU64 {
        &self.0[event.place()]
    }

    /// For the one thread that writes.
    #[inline(always)]
    pub(super) fn add_alone(&self, event: Event) {
        let counter = self.of(event);
        counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
    }
}

impl Counters {
    /// All zero; made by the thread of this record.
    pub fn new(maker: &Participant) -> Self {
        Counters {
            before: Tally::default(),
            owner: maker.id(),
            others: OnceTryArc::new(),
            _padding: Padding::new(),
            own: Tally::default(),
            waits: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            computations: AtomicU64::new(0),
            compute_ns: AtomicU64::new(0),
        }
    }

    /// A lookup that found a value, or none.
    #[inline(always)]
    pub fn lookup(&self, record: &Participant, hit: bool) {
        match self.alone(record) {
            Some(tally) => tally.add_alone(Event::lookup(hit)),
            None => self.count_elsewhere(record, Event::lookup(hit)),
        }
    }

    /// Something else that happened in this thread.
    #[inline(always)]
    pub(super) fn count(&self, event: Event) {
        match Participant::of_this_thread().and_then(|record| self.alone(record)) {
            Some(tally) => tally.add_alone(event),
            None => guard::read(|section| self.count_elsewhere(section.record(), event)),
        }
    }

    /// The numbers to which this thread alone adds, if it has some already.
    #[inline(always)]
    pub(super) fn alone(&self, record: &Participant) -> Option<&Tally> {
        if record.id() == self.owner {
            return Some(&self.own);
        }
        cold_path();
        let stripe = self.others.get()?.0.get(record.id() as usize)?;
        (record.id() as usize != STRIPES - 1).then_some(&stripe.0)
    }

    #[inline(never)]
    fn count_elsewhere(&self, record: &Participant, event: Event) {
        match self.others.get_or_try_init(|| TryArc::try_new(Stripes::default())) {
            Err(_) => _ = self.before.of(event).fetch_sub(1, Relaxed),
            Ok(stripes) => match self.alone(record) {
                Some(tally) => tally.add_alone(event),
                None => _ = stripes.0[STRIPES - 1].0.of(event).fetch_add(1, Relaxed),
            },
        }
    }

    /// What came since the last reset. What is subtracted is read first: the rest only grows.
    fn counted(&self, event: Event) -> u64 {
        let before = self.before.of(event).load(Acquire);
        self.ever_counted(event).wrapping_sub(before)
    }

    fn ever_counted(&self, event: Event) -> u64 {
        let others = self.others.get().map_or(&[][..], |stripes| &stripes.0);
        let all = others.iter().map(|stripe| &stripe.0).chain([&self.own]);
        all.map(|tally| tally.of(event).load(Relaxed)).fold(0, u64::wrapping_add)
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
        for event in [Event::Hit, Event::Miss, Event::Store].into_iter().chain(REASONS.map(Event::Refusal)) {
            self.before.of(event).store(self.ever_counted(event), Release);
        }
        let counters = [&self.waits, &self.errors, &self.computations, &self.compute_ns];
        counters.into_iter().for_each(|counter| counter.store(0, Relaxed));
    }

    pub(super) fn info(&self, size: u64) -> Info {
        Info { hits: self.counted(Event::Hit), misses: self.counted(Event::Miss), size }
    }

    pub(super) fn stats(&self, size: u64, bytes: u64) -> Stats {
        let info = self.info(size);
        let (computations, compute_ns) = (self.computations.load(Relaxed), self.compute_ns.load(Relaxed));
        Stats {
            info,
            bytes,
            stores: self.counted(Event::Store),
            refused: REASONS.map(|reason| self.counted(Event::Refusal(reason))),
            waits: self.waits.load(Relaxed),
            errors: self.errors.load(Relaxed),
            compute_ns,
            saved_ns: (info.hits as u128 * compute_ns as u128 / computations.max(1) as u128) as u64,
            damaged: 0,
        }
    }
}
