//! The counters of a cache, without contention between threads.

use std::hint::cold_path;
use std::mem::offset_of;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::value::{Cost, Refusal};
use crate::epoch::{self, Participant};
use crate::error::{Error, Result};
use crate::sync::{OnceTryArc, TryArc, on_separate_lines};
use crate::table::Table;

/// The three counts that PyPhi's caches report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// Lookups that found a value.
    pub hits: u64,
    /// Lookups that found no value.
    pub misses: u64,
    /// Values held now.
    pub size: u64,
}

/// All figures of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Hits, misses, size.
    pub info: Info,
    /// Bytes held, with overhead.
    pub bytes: u64,
    /// Bytes of the entries in the table.
    pub live_bytes: u64,
    /// Values stored.
    pub stores: u64,
    /// Values refused, by reason, in the order of [`Refusal`].
    pub refused: [u64; REFUSALS],
    /// Hits after a wait for another caller that computed the value.
    pub waits: u64,
    /// Computations that failed. An abandoned lease does not count as one.
    pub errors: u64,
    /// Nanoseconds of computing time, without waits, of computations that succeeded.
    pub compute_ns: u64,
    /// Nanoseconds saved: hits times the mean computation.
    pub saved_ns: u64,
    /// Records at a server that were damaged, or not of this cache.
    pub damaged: u64,
    /// Entries evicted.
    pub evictions: u64,
    /// Bytes of the evicted entries.
    pub evicted_bytes: u64,
    /// Nanoseconds that computing the evicted values again would take.
    pub evicted_ns: u64,
    /// Hits that were computed again, in verified mode.
    pub verified: u64,
    /// Hits whose value differed from the one that was computed again.
    pub differences: u64,
}

/// The number of reasons for a refusal.
pub(super) const REFUSALS: usize = REASONS.len();

/// All reasons, in their order.
const REASONS: [Refusal; 8] = {
    use Refusal::*;
    let reasons = [Cut, Phi, Memory, Disabled, Capacity, Cleared, Server, Storage];
    let mut at = 0;
    while at < reasons.len() {
        assert!(reasons[at] as usize == at);
        at += 1;
    }
    reasons
};

/// The counters behind [`Stats`].
///
/// Lookups, stores, computations and refusals are counted without locked instructions: each thread adds to counters
/// that only it writes. Those of the thread that made the cache are inline. Each other thread allocates its own,
/// because a program may have a cache for each of many objects, and use it in few threads.
#[repr(C)]
pub struct Counters {
    waits: AtomicU64,
    errors: AtomicU64,
    /// The counts at the last reset. Allocated by the first one.
    before: OnceTryArc<EventCounts>,
    // One thread writes these. Every lookup of every thread reads the fields below. Counts of refusals are in between.
    own: EventCounts,
    /// The thread that counts in `own`.
    owner: u32,
    others: OnceTryArc<Stripes>,
}

const _: () = assert!(on_separate_lines(
    offset_of!(Counters, own) + Event::ComputeNs.index() * size_of::<u64>(),
    offset_of!(Counters, owner)
));

/// The events that happen most often.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Hit,
    Miss,
    Store,
    /// A computation that succeeded.
    Computation,
    /// A nanosecond of such computations.
    ComputeNs,
    Refusal(Refusal),
}

impl Event {
    const NUMBER: usize = 5 + REFUSALS;

    #[inline(always)]
    fn lookup(hit: bool) -> Self {
        if hit { Event::Hit } else { Event::Miss }
    }

    #[inline(always)]
    const fn index(self) -> usize {
        match self {
            Event::Hit => 0,
            Event::Miss => 1,
            Event::Store => 2,
            Event::Computation => 3,
            Event::ComputeNs => 4,
            Event::Refusal(reason) => 5 + reason as usize,
        }
    }
}

/// One count for each event.
#[derive(Default)]
pub(super) struct EventCounts([AtomicU64; Event::NUMBER]);

const STRIPES: usize = 16;

/// The owner of counters that no thread writes alone.
const NOBODY: u32 = u32::MAX;

/// The counts of the threads by their numbers. The last stripe is shared by all threads with a higher number.
#[derive(Default)]
struct Stripes([OnceTryArc<Stripe>; STRIPES]);

/// Counts in cache lines of their own. Padding for pairs of lines would double them.
#[derive(Default)]
#[repr(align(64))]
struct Stripe(EventCounts);

impl EventCounts {
    #[inline(always)]
    fn of(&self, event: Event) -> &AtomicU64 {
        &self.0[event.index()]
    }

    /// Adds one. Only for the one thread that writes these counts.
    #[inline(always)]
    pub(super) fn add_alone(&self, event: Event) {
        let counter = self.of(event);
        counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Adds many. A program may say that a value costs any number of nanoseconds.
    #[inline(always)]
    fn add_many_alone(&self, event: Event, many: u64) {
        let counter = self.of(event);
        counter.store(counter.load(Relaxed).saturating_add(many), Relaxed);
    }

    /// The same, where other threads may count at once.
    fn add_many(&self, event: Event, many: u64) {
        let add = |count: u64| Some(count.saturating_add(many));
        let _ = self.of(event).fetch_update(Relaxed, Relaxed, add);
    }
}

impl Counters {
    /// All zero. `maker` is the thread that makes the cache.
    pub fn new(maker: &Participant) -> Self {
        Self::owned_by(maker.id())
    }

    /// All zero. No thread counts alone, so no lookup takes the fast path.
    pub fn counted_together() -> Self {
        Self::owned_by(NOBODY)
    }

    fn owned_by(owner: u32) -> Self {
        Counters {
            waits: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            before: OnceTryArc::new(),
            own: EventCounts::default(),
            owner,
            others: OnceTryArc::new(),
        }
    }

    /// Counts a lookup.
    #[inline(always)]
    pub fn lookup(&self, participant: &Participant, hit: bool) {
        match self.alone(participant) {
            Some(counts) => counts.add_alone(Event::lookup(hit)),
            None => self.count_elsewhere(participant, Event::lookup(hit), 1),
        }
    }

    /// Counts any other event of this thread.
    #[inline(always)]
    pub(super) fn count(&self, event: Event) {
        self.count_by(epoch::current(), event);
    }

    /// Counts any event of this thread.
    #[inline(always)]
    pub(super) fn count_by(&self, thread: Option<&Participant>, event: Event) {
        self.count_many_by(thread, event, 1);
    }

    /// Counts many events of this thread.
    #[inline(always)]
    fn count_many_by(&self, thread: Option<&Participant>, event: Event, many: u64) {
        match thread.and_then(|thread| self.alone(thread)) {
            Some(counts) => counts.add_many_alone(event, many),
            None => epoch::read(|guard| self.count_elsewhere(guard.participant(), event, many)),
        }
    }

    /// Counts a computation of this thread that succeeded.
    #[inline(always)]
    pub(super) fn computation_by(&self, thread: Option<&Participant>, cost: Cost) {
        self.count_by(thread, Event::Computation);
        self.count_many_by(thread, Event::ComputeNs, cost.ns());
    }

    /// The counts that only this thread writes, if they exist.
    #[inline(always)]
    pub(super) fn alone(&self, participant: &Participant) -> Option<&EventCounts> {
        if participant.id() == self.owner {
            return Some(&self.own);
        }
        cold_path();
        let stripe = self.others.get()?.0.get(participant.id() as usize)?.get()?;
        (participant.id() as usize != STRIPES - 1).then_some(&stripe.0)
    }

    #[inline(never)]
    fn count_elsewhere(&self, participant: &Participant, event: Event, many: u64) {
        let number = (participant.id() as usize).min(STRIPES - 1);
        let stripes = self.others.get_or_try_init(|| self.make_stripes());
        let made = || TryArc::try_new(Stripe::default());
        match stripes.and_then(|stripes| stripes.0[number].get_or_try_init(made)) {
            // Without a stripe the owner's counts have to do. Of two events that are counted at once, one may be lost,
            // unless nobody counts there alone.
            Err(_) => self.own.add_many(event, many),
            Ok(stripe) => match self.alone(participant) {
                Some(counts) => counts.add_many_alone(event, many),
                None => stripe.0.add_many(event, many),
            },
        }
    }

    fn make_stripes(&self) -> Result<TryArc<Stripes>> {
        if self.owner == NOBODY {
            return Err(Error::OutOfMemory(0));
        }
        TryArc::try_new(Stripes::default())
    }

    /// The count since the last reset. The subtrahend is read first: the other counts only grow.
    fn counted(&self, event: Event) -> u64 {
        let before = self.before.get().map_or(0, |before| before.of(event).load(Acquire));
        self.ever_counted(event).saturating_sub(before)
    }

    fn ever_counted(&self, event: Event) -> u64 {
        self.all().map(|counts| counts.of(event).load(Relaxed)).fold(0, u64::saturating_add)
    }

    /// The counts of all threads.
    fn all(&self) -> impl Iterator<Item = &EventCounts> {
        let others = self.others.get().map_or(&[][..], |stripes| &stripes.0);
        others.iter().filter_map(OnceTryArc::get).map(|stripe| &stripe.0).chain([&self.own])
    }

    pub(super) fn wait(&self) {
        self.waits.fetch_add(1, Relaxed);
    }

    pub(super) fn failure(&self) {
        self.errors.fetch_add(1, Relaxed);
    }

    pub(super) fn reset(&self) {
        match self.before.get_or_try_init(|| TryArc::try_new(EventCounts::default())) {
            Ok(before) => {
                let others = [Event::Hit, Event::Miss, Event::Store, Event::Computation, Event::ComputeNs];
                for event in others.into_iter().chain(REASONS.map(Event::Refusal)) {
                    let ever = self.ever_counted(event);
                    if ever == u64::MAX {
                        self.all().for_each(|counts| counts.of(event).store(0, Relaxed));
                    }
                    before.of(event).store(if ever == u64::MAX { 0 } else { ever }, Release);
                }
            }
            // Without memory, the counts themselves. A thread that counts meanwhile may write its old count again.
            Err(_) => self.all().flat_map(|counts| &counts.0).for_each(|count| count.store(0, Relaxed)),
        }
        [&self.waits, &self.errors].into_iter().for_each(|counter| counter.store(0, Relaxed));
    }

    pub(super) fn info(&self, size: u64) -> Info {
        Info { hits: self.counted(Event::Hit), misses: self.counted(Event::Miss), size }
    }

    /// All figures of a cache of this size with this table.
    pub(super) fn stats(&self, size: u64, table: &Table) -> Stats {
        let (bytes, live_bytes, evicted) = (table.bytes(), table.live_bytes(), table.evicted());
        let info = self.info(size);
        let (computations, compute_ns) = (self.counted(Event::Computation), self.counted(Event::ComputeNs));
        Stats {
            info,
            bytes,
            live_bytes,
            stores: self.counted(Event::Store),
            refused: REASONS.map(|reason| self.counted(Event::Refusal(reason))),
            waits: self.waits.load(Relaxed),
            errors: self.errors.load(Relaxed),
            compute_ns,
            saved_ns: u64::try_from(u128::from(info.hits) * u128::from(compute_ns) / u128::from(computations.max(1)))
                .unwrap_or(u64::MAX),
            damaged: 0,
            evictions: evicted.entries,
            evicted_bytes: evicted.bytes,
            evicted_ns: evicted.cost,
            verified: 0,
            differences: 0,
        }
    }
}
