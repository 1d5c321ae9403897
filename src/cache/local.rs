//! The in-process cache: lookups, stores, single flight and counters over a table. A [`Policy`] defines the differences
//! between cache types.

use std::sync::Arc;

use super::computed::{Begin, Computed, Flight, Flights, InCache, StorePermit};
use super::counters::{Counters, Event, EventCounts, Info, Stats};
use super::full::Full;
use super::options::{OnFull, Options};
use super::policy::Policy;
use super::prefixes::Prefixes;
use super::value::{Cost, Fast, Found, Origin, Refusal, Stored, Value, copy};
use super::verify::Verifier;
use super::worth::MeanWorth;
use crate::config::Config;
use crate::epoch::fast_guard;
use crate::epoch::{self, Guard, Participant, without_fork};
use crate::error::{Error, Result};
use crate::flight::Owner;
use crate::key::check_len;
use crate::memory::{Bounds, limit};
use crate::sync::TryArc;
use crate::table::{
    Draft, EntryRef, Fresh, Hashed, Inserted, Memory, OwnedEntry, Pinned, Reservation, Short, Table, Terms, weight,
};

/// A cache in this process.
///
/// Fields that a lookup or store writes are on other cache lines than fields that all threads read, against false
/// sharing: the table begins with the latter and ends with the former, the counters the other way round. Table and
/// counters are at the same place in every cache type, so that lookups of all types share their code. Programs make many
/// caches: what few of them use is allocated when it is first used.
#[repr(C)]
pub struct LocalCache<P> {
    table: Table,
    counters: Counters,
    policy: P,
    config: Arc<Config>,
    max_bytes: u64,
    on_full: OnFull,
    verifier: Option<Box<Verifier>>,
    worth: MeanWorth,
    flights: Flights,
    prefixes: Prefixes,
}

/// A lookup of a memoized function that is more than a hit.
pub enum Beyond {
    /// There is no value.
    Missed,
    /// A hit in verified mode.
    Unverified(Value),
}

impl Beyond {
    /// The value of a hit.
    pub fn hit(self) -> Option<Value> {
        match self {
            Beyond::Missed => None,
            Beyond::Unverified(value) => Some(value),
        }
    }
}

/// An entry that the fast path has found, and where to count the hit.
#[derive(Clone, Copy)]
struct FastHit<'g, 'c> {
    found: Found<'g>,
    counted: &'c EventCounts,
}

impl FastHit<'_, '_> {
    /// Counts the hit, and marks the entry; returns what the caller made of it.
    #[inline(always)]
    fn is_hit<T>(self, made: T) -> Fast<T> {
        self.found.entry.touch();
        self.counted.add_alone(Event::Hit);
        Fast::Hit(made)
    }
}

/// Keys and values up to this length are copied under the table's lock: that is faster than making an entry first.
const SHORT: usize = 4096;

/// The number of lookups of a batch whose memory accesses overlap.
const BATCH: usize = 16;

impl<P: Policy> LocalCache<P> {
    /// An empty cache. Allocates nothing.
    pub fn new(policy: P, config: Arc<Config>, options: Options) -> Self {
        // In verified mode each hit has a number, which the fast path does not know. So that path must decline.
        let counters = match options.verifier {
            Some(_) => Counters::counted_together(),
            None => epoch::read(|guard| Counters::new(guard.participant())),
        };
        LocalCache {
            counters,
            policy,
            config,
            max_bytes: options.max_bytes.unwrap_or(u64::MAX),
            on_full: options.on_full,
            verifier: options.verifier,
            worth: MeanWorth::default(),
            flights: Flights::default(),
            prefixes: Prefixes::default(),
            table: Table::new(),
        }
    }

    /// The value of `key`; counts a hit or a miss.
    #[inline(always)]
    pub fn get(&self, key: &[u8]) -> Option<Value> {
        epoch::read(|guard| {
            let found = self.look_up(guard, &key.into());
            found.map(|found| found.pin(guard))
        })
    }

    /// As [`LocalCache::get`], on the fast path.
    #[inline(always)]
    pub fn try_fast_get(&self, key: &[u8]) -> Fast<Value> {
        fast_guard!(guard else Fast::Slow);
        match self.try_fast_find(guard, key, true) {
            Fast::Hit(fast) => match fast.found.try_fast_pin(guard) {
                Some(value) => fast.is_hit(value),
                None => Fast::Slow,
            },
            Fast::Miss => Fast::Miss,
            Fast::Slow => Fast::Slow,
        }
    }

    /// The value of `key`, on the fast path. Counts a hit, but no miss; and nothing if there is no place for the value,
    /// which is asked for only then.
    #[inline(always)]
    pub fn try_fast_hit<O>(&self, key: &[u8], place: impl FnOnce() -> Option<O>) -> Fast<(Value, O)> {
        fast_guard!(guard else Fast::Slow);
        match self.try_fast_find(guard, key, false) {
            Fast::Hit(fast) => match place() {
                Some(place) => match fast.found.try_fast_pin(guard) {
                    Some(value) => fast.is_hit((value, place)),
                    None => Fast::Slow,
                },
                None => Fast::Slow,
            },
            Fast::Miss => Fast::Miss,
            Fast::Slow => Fast::Slow,
        }
    }

    /// As [`LocalCache::look`], on the fast path.
    #[inline(always)]
    pub fn try_fast_look<'g>(&self, guard: &'g Guard, key: &[u8]) -> Fast<&'g [u8]> {
        match self.try_fast_find(guard, key, true) {
            Fast::Hit(fast) => fast.is_hit(fast.found.entry.value()),
            Fast::Miss => Fast::Miss,
            Fast::Slow => Fast::Slow,
        }
    }

    /// As [`LocalCache::read`], on the fast path; `look` may still decline.
    #[inline(always)]
    pub fn try_fast_read<R>(&self, guard: &Guard, key: &[u8], look: impl FnOnce(&[u8]) -> Option<R>) -> Fast<R> {
        match self.try_fast_find(guard, key, true) {
            Fast::Hit(fast) => match look(fast.found.entry.value()) {
                Some(seen) => fast.is_hit(seen),
                None => Fast::Slow,
            },
            Fast::Miss => Fast::Miss,
            Fast::Slow => Fast::Slow,
        }
    }

    /// The fast path of a lookup: this thread has its own counters, and the key does not inherit from a farther
    /// ancestor. In any other case nothing is counted. A miss is counted if `misses` says so; the caller counts a hit.
    #[inline(always)]
    fn try_fast_find<'g>(&self, guard: &'g Guard, key: &[u8], misses: bool) -> Fast<FastHit<'g, '_>> {
        let (entry, origin) = match self.table.find_fast(guard, key) {
            Some(entry) => (entry, Origin::Hit),
            None => match self.policy.try_fast_inherited(guard, key) {
                Fast::Hit(entry) => (entry, Origin::Parent),
                Fast::Miss => {
                    return match self.counters.alone(guard.participant()) {
                        Some(counted) => {
                            if misses {
                                counted.add_alone(Event::Miss);
                            }
                            Fast::Miss
                        }
                        None => Fast::Slow,
                    };
                }
                Fast::Slow => return Fast::Slow,
            },
        };
        match self.counters.alone(guard.participant()) {
            Some(counted) => Fast::Hit(FastHit { found: Found { entry, origin }, counted }),
            None => Fast::Slow,
        }
    }

    /// The value of `key`, valid while the section lasts; counts a hit or a miss.
    #[inline(always)]
    pub fn look<'g>(&self, guard: &'g Guard, key: &[u8]) -> Option<&'g [u8]> {
        self.look_up(guard, &key.into()).map(|found| found.entry.value())
    }

    /// The value of `key`, valid while the section lasts; counts a hit or a miss.
    #[inline(always)]
    fn look_up<'g>(&self, guard: &'g Guard, key: &Hashed) -> Option<Found<'g>> {
        let found = self.find(guard, key);
        self.count_lookup(guard, found.as_ref());
        found
    }

    /// Counts a lookup, and marks the entry that it found.
    #[inline(always)]
    fn count_lookup(&self, guard: &Guard, found: Option<&Found>) {
        if let Some(found) = found {
            found.entry.touch();
        }
        self.counters.lookup(guard.participant(), found.is_some());
    }

    /// Reads the value of `key` in place with `look`; counts a hit or a miss, or nothing if `look` fails. `look` must
    /// be short and must not call back into the library.
    #[inline(always)]
    pub fn read<R>(&self, key: &[u8], look: impl FnOnce(&[u8]) -> Result<R>) -> Result<Option<R>> {
        epoch::read(|guard| {
            let found = self.find(guard, &key.into());
            let seen = found.as_ref().map(|found| look(found.entry.value())).transpose()?;
            self.count_lookup(guard, found.as_ref());
            Ok(seen)
        })
    }

    /// Copies the value of `key` into a buffer and returns its length; counts a hit or a miss, or nothing if the buffer
    /// is too small.
    pub fn get_into(&self, key: &[u8], buffer: &mut [u8]) -> Result<Option<usize>> {
        self.read(key, |value| copy(value, buffer))
    }

    /// The values of many keys: calls `found` with the index and the value of each key that has one. Counts a hit or a
    /// miss for each key.
    #[inline(always)]
    pub fn get_many<'k>(&self, keys: impl Iterator<Item = &'k [u8]>, found: impl FnMut(usize, &Guard, Found<'_>)) {
        epoch::read(|guard| self.get_many_in(guard, keys, found));
    }

    #[inline(always)]
    fn get_many_in<'k>(
        &self,
        guard: &Guard,
        keys: impl Iterator<Item = &'k [u8]>,
        mut found: impl FnMut(usize, &Guard, Found<'_>),
    ) {
        let mut keys = keys.peekable();
        let mut done = 0;
        while keys.peek().is_some() {
            // Prefetch the buckets, then the entries, so that the cache misses of the whole batch overlap.
            let mut batch = [const { Hashed::of_nothing() }; BATCH];
            let mut len = 0;
            for (hashed, key) in batch.iter_mut().zip(&mut keys) {
                *hashed = key.into();
                self.table.prefetch_bucket(guard, hashed);
                len += 1;
            }
            let mut likely = [None; BATCH];
            likely
                .iter_mut()
                .zip(&batch[..len])
                .for_each(|(likely, key)| *likely = self.table.prefetch_entry(guard, key));
            for (key, likely) in batch[..len].iter().zip(likely) {
                let own = self.table.find_prefetched(guard, key, likely);
                let value = self.own_or_inherited(guard, key, own);
                self.count_lookup(guard, value.as_ref());
                if let Some(value) = value {
                    found(done, guard, value);
                }
                done += 1;
            }
        }
    }

    /// The value of a key, valid while the section lasts; counts nothing.
    #[inline(always)]
    pub(super) fn find<'g>(&self, guard: &'g Guard, key: &Hashed) -> Option<Found<'g>> {
        self.own_or_inherited(guard, key, self.table.find(guard, key))
    }

    #[inline(always)]
    fn own_or_inherited<'g>(&self, guard: &'g Guard, key: &Hashed, own: Option<EntryRef<'g>>) -> Option<Found<'g>> {
        match own {
            Some(entry) => Some(Found { entry, origin: Origin::Hit }),
            None => self.policy.inherited(guard, key).map(|entry| Found { entry, origin: Origin::Parent }),
        }
    }

    /// The value of a key; counts nothing, and leaves no mark of use at the entry.
    pub(super) fn peek(&self, key: &Hashed) -> Option<Value> {
        epoch::read(|guard| self.find(guard, key).map(|found| found.pin(guard)))
    }

    /// Whether `key` has a value; counts nothing.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.contains_hashed(&key.into())
    }

    /// As [`LocalCache::contains`].
    pub(super) fn contains_hashed(&self, key: &Hashed) -> bool {
        epoch::read(|guard| self.find(guard, key).is_some())
    }

    /// Stores a value and replaces the key's old one; a refusal leaves that one in place.
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<Stored> {
        self.set_with_cost(key, value, Cost::UNKNOWN)
    }

    /// As [`LocalCache::set`], for a value that would take this cost to compute again.
    pub fn set_with_cost(&self, key: &[u8], value: &[u8], cost: Cost) -> Result<Stored> {
        let checked = self.policy.check(key, value, &self.config)?;
        if checked.is_ok() && key.len().max(value.len()) <= SHORT {
            return self.set_short(key, value, cost);
        }
        self.set_with(key, value.len(), checked, cost, |draft| draft.write(value))
    }

    /// Stores a short value, which is copied under the table's lock.
    fn set_short(&self, key: &[u8], value: &[u8], cost: Cost) -> Result<Stored> {
        let weight = weight(key.len(), value.len());
        let terms = self.terms(limit::UNLIMITED, weight, cost);
        let reason = match self.may_store(epoch::current(), weight, &terms) {
            false => Refusal::Memory,
            true => match self.table.set(&key.into(), value, &terms) {
                Inserted::Refused(Short::Exceeded(exceeded)) => exceeded.into(),
                Inserted::Refused(Short::Failed(_)) => return Err(Error::OutOfMemory(value.len())),
                _ => {
                    self.counters.count(Event::Store);
                    return Ok(Ok(()));
                }
            },
        };
        self.counters.count(Event::Refusal(reason));
        Ok(Err(reason))
    }

    /// Refuses a value of `len` bytes as [`LocalCache::set`] would, on the fast path. Counts the refusal.
    #[inline(always)]
    pub(super) fn try_fast_refuse(&self, key: &[u8], len: usize, refusal: Option<Refusal>) -> Option<Refusal> {
        let counted = self.counters.alone(crate::epoch::current()?)?;
        let reason = match refusal {
            Some(reason) => reason,
            None if self.surely_full(weight(key.len(), len)) => Refusal::Memory,
            None => return None,
        };
        counted.add_alone(Event::Refusal(reason));
        Some(reason)
    }

    /// Stores a value of `len` bytes that `write` writes into the entry. If `checked` is a refusal, or there is no
    /// room, `write` is not called.
    pub(super) fn set_with(
        &self,
        key: &[u8],
        len: usize,
        checked: Stored,
        cost: Cost,
        write: impl FnOnce(&mut Draft) -> Result<()>,
    ) -> Result<Stored> {
        check_len(key)?;
        let weight = weight(key.len(), len);
        let terms = self.terms(limit::UNLIMITED, weight, cost);
        if let Err(reason) = checked.and_then(|()| self.check_memory(weight, &terms)) {
            return Ok(Err(self.refuse(reason)));
        }
        let new_entry = match self.write_entry(key, &terms, write)? {
            Ok(new_entry) => new_entry,
            Err(reason) => return Ok(Err(self.refuse(reason))),
        };
        let (_, inserted) = self.table.insert(new_entry, true, &terms);
        self.count_insertion(inserted);
        match self.origin(inserted) {
            Origin::NotStored(None) => Err(Error::OutOfMemory(len)),
            Origin::NotStored(Some(reason)) => Ok(Err(reason)),
            _ => Ok(Ok(())),
        }
    }

    /// An entry for a value that the caller has and that `write` copies, if there is room.
    fn write_entry(
        &self,
        key: &[u8],
        terms: &Terms,
        write: impl FnOnce(&mut Draft) -> Result<()>,
    ) -> Result<std::result::Result<OwnedEntry, Refusal>> {
        let memory = self.table.memory(terms.bounds);
        // The caller has the value, so it is copied only if there is room.
        let memory = if terms.bounds.evicts() { memory } else { memory.strictly() };
        let mut draft = Draft::new(key, Some(memory));
        if let Err(error) = write(&mut draft) {
            return match draft.refused() {
                Some(Short::Exceeded(exceeded)) => Ok(Err(exceeded.into())),
                _ => Err(error),
            };
        }
        draft.finish().map(Ok)
    }

    /// Prefetches the place of a key that will be added soon.
    pub fn prefetch(&self, key: &[u8]) {
        epoch::read(|guard| self.table.prefetch_bucket(guard, &key.into()));
    }

    /// Stores a value as [`LocalCache::set_with_cost`] does, unless the cache has one of its own for the key, which
    /// stays. Returns whether it was stored.
    pub fn add(&self, key: &[u8], value: &[u8], cost: Cost) -> Result<std::result::Result<bool, Refusal>> {
        check_len(key)?;
        let hashed = Hashed::from(key);
        if epoch::read(|guard| self.table.find(guard, &hashed).is_some()) {
            return Ok(Ok(false));
        }
        let weight = weight(key.len(), value.len());
        let terms = self.terms(limit::UNLIMITED, weight, cost);
        let checked = self.policy.check(key, value, &self.config)?;
        if let Err(reason) = checked.and_then(|()| self.check_memory(weight, &terms)) {
            return Ok(Err(self.refuse(reason)));
        }
        let inserted = match key.len().max(value.len()) <= SHORT {
            true => self.table.add(&hashed, value, &terms),
            false => match self.write_entry(key, &terms, |draft| draft.write(value))? {
                Ok(new_entry) => self.table.insert(new_entry, false, &terms).1,
                Err(reason) => return Ok(Err(self.refuse(reason))),
            },
        };
        self.count_insertion(inserted);
        match self.origin(inserted) {
            Origin::NotStored(None) => Err(Error::OutOfMemory(value.len())),
            Origin::NotStored(Some(reason)) => Ok(Err(reason)),
            _ => Ok(Ok(!matches!(inserted, Inserted::Kept))),
        }
    }

    /// The value of a key. Counts a hit, but no miss.
    #[inline(always)]
    pub(super) fn hit(&self, key: &Hashed) -> std::result::Result<Value, Beyond> {
        epoch::read(|guard| {
            let found = self.find(guard, key).ok_or(Beyond::Missed)?;
            found.entry.touch();
            match self.counters.alone(guard.participant()) {
                Some(counted) => counted.add_alone(Event::Hit),
                None => self.hit_elsewhere(guard, &found)?,
            }
            Ok(found.pin(guard))
        })
    }

    /// Counts a hit of a thread that does not count alone; with a verifier none does.
    #[cold]
    #[inline(never)]
    fn hit_elsewhere(&self, guard: &Guard, found: &Found) -> std::result::Result<(), Beyond> {
        self.counters.lookup(guard.participant(), true);
        match self.verifier {
            None => Ok(()),
            Some(_) => Err(Beyond::Unverified(found.pin(guard))),
        }
    }

    /// Counts a lookup.
    pub(super) fn count(&self, hit: bool) {
        epoch::read(|guard| self.counters.lookup(guard.participant(), hit));
    }

    /// Lets the caller compute the value of a key, and counts a miss, if it certainly may: the key has no value, and
    /// nobody computes it. In any other case `None`, and nothing has happened.
    #[inline(always)]
    pub(super) fn begin_at_once(&self, key: &Hashed) -> Option<TryArc<Flight>> {
        check_len(key.key).ok()?;
        let thread = epoch::current()?;
        let counted = self.counters.alone(thread)?;
        let free = self.flights.free(key.key, key.hash())?;
        {
            fast_guard!(guard as thread, else None);
            if self.find(guard, key).is_some() {
                return None;
            }
        }
        let flight = free.begin(key.key, key.hash(), thread).ok()?;
        counted.add_alone(Event::Miss);
        Some(flight)
    }

    /// Decides who computes the value of a key; counts a hit if it has one, a miss if the caller computes.
    pub(super) fn begin(&self, key: &Hashed, owner: Owner) -> Result<Begin<Value>> {
        let begun = self.begin_uncounted(key, owner)?;
        if let Begin::Lease(_) = begun {
            self.count(false);
        }
        Ok(begun)
    }

    /// As `begin`, without counting a miss.
    pub(super) fn begin_uncounted(&self, key: &Hashed, owner: Owner) -> Result<Begin<Value>> {
        check_len(key.key)?;
        let begun = self.flights.begin(key.key, key.hash(), owner, || self.peek(key))?;
        // An owner that finds the key busy may have waited for that flight before, and still does.
        if let Begin::Found(_) = begun {
            self.count(true);
            Flight::stop_waiting(owner);
        }
        Ok(begun)
    }

    /// The computation of a key that is in progress.
    pub(super) fn flight(&self, key: &Hashed) -> Option<TryArc<Flight>> {
        self.flights.find(key.key, key.hash())
    }

    /// This cache's memory, for values that are computed.
    #[inline(always)]
    pub(super) fn memory(&self) -> Memory<'_> {
        self.table.memory(self.bounds(limit::UNLIMITED))
    }

    /// This cache's memory, for blocks that it has at once. They need no chunk, so the process's limit is not asked for.
    #[inline(always)]
    pub(super) fn memory_at_once(&self) -> Memory<'_> {
        let evicts_at_max = self.max_bytes != u64::MAX && self.full().evicts_at_capacity;
        self.table.memory(Bounds { max_bytes: self.max_bytes, evicts_at_max, ..Bounds::NONE })
    }

    /// A draft for the value of `key` in this memory, which continues with the reserved bytes in `block`.
    pub(super) fn draft<'k>(&'k self, key: &'k [u8], block: Reservation) -> Draft<'k> {
        Draft::resume(key, Some(self.memory()), block)
    }

    /// The value that another caller has computed, for a caller that waited. Counts a hit and a wait.
    pub(super) fn waited(&self, entry: Pinned) -> Value {
        self.count(true);
        self.counters.wait();
        Value { entry, origin: Origin::Waited }
    }

    /// Ends the computation of the flight's owner, or of a caller that `joined`, without a value. Returns whether this
    /// made the flight fail.
    pub(super) fn fail(&self, flight: &TryArc<Flight>, joined: Option<Owner>) -> bool {
        self.flights.fail(flight, joined)
    }

    /// Counts a computation that failed.
    pub(super) fn count_failure(&self) {
        self.counters.failure();
    }

    /// Ends a computation with a value: stores it if that is allowed, and hands it to all waiters. The computation took
    /// `cost`, if that is known, or else what the flight has measured.
    #[inline(always)]
    pub(super) fn complete(
        &self,
        flight: &TryArc<Flight>,
        joined: Option<Owner>,
        new_entry: impl Fresh,
        cost: Cost,
        maximum: f64,
    ) -> Result<Value> {
        let checked = self.policy.check(flight.key(), new_entry.value(), &self.config)?;
        let thread = epoch::current();
        let cost = self.count_computation(flight, thread, cost);
        let weight = new_entry.weight();
        let terms = self.terms(maximum, weight, cost);
        let refusal = match checked {
            Ok(()) if self.may_store(thread, weight, &terms) => None,
            Ok(()) => Some(Refusal::Memory),
            Err(reason) => Some(reason),
        };
        let (entry, inserted) = match refusal {
            Some(_) => (new_entry.into_pinned()?, Inserted::Forbidden),
            // If the key got a value meanwhile, that one stays: it was first.
            None => new_entry.insert_if(&self.table, &flight.hashed(), &terms, || flight.may_store())?,
        };
        if !matches!(inserted, Inserted::New) {
            return Ok(self.complete_otherwise(flight, joined, entry, inserted, refusal));
        }
        self.counters.count_by(thread, Event::Store);
        self.flights.complete(flight, joined, || Computed { entry: entry.clone(), inserted: Some(inserted) });
        Ok(Value { entry, origin: Origin::Computed })
    }

    /// Ends a computation with a value that is not new in the table: by a `refusal`, or because the flight may not store
    /// it, or there is no room, or the key has another one.
    #[cold]
    #[inline(never)]
    fn complete_otherwise(
        &self,
        flight: &TryArc<Flight>,
        joined: Option<Owner>,
        entry: Pinned,
        inserted: Inserted,
        refusal: Option<Refusal>,
    ) -> Value {
        let (inserted, origin) = match (inserted, refusal) {
            (Inserted::Forbidden, Some(reason)) => (None, self.refused(reason)),
            (Inserted::Forbidden, None) => match flight.store_permit() {
                // Another value of the key was first: this one has the same result.
                StorePermit::Late(Some(first)) => (Some(first), self.origin(first)),
                // The first one was refused for memory: no other reason refuses one value of a key and accepts another.
                StorePermit::Late(None) => (None, self.refused(Refusal::Memory)),
                _ => (None, self.refused(Refusal::Cleared)),
            },
            (inserted, _) => {
                self.count_insertion(inserted);
                (Some(inserted), self.origin(inserted))
            }
        };
        self.flights.complete(flight, joined, || Computed { entry: entry.clone(), inserted });
        Value { entry, origin }
    }

    fn count_insertion(&self, inserted: Inserted) {
        if matches!(inserted, Inserted::New | Inserted::Replaced) {
            self.counters.count(Event::Store);
        }
    }

    /// The origin of a value after its insertion, for the caller that computed it.
    fn origin(&self, inserted: Inserted) -> Origin {
        match inserted {
            Inserted::New | Inserted::Replaced | Inserted::Kept => Origin::Computed,
            Inserted::Refused(Short::Exceeded(exceeded)) => self.refused(exceeded.into()),
            Inserted::Refused(Short::Failed(_)) => Origin::NotStored(None),
            Inserted::Forbidden => self.refused(Refusal::Cleared),
        }
    }

    fn refused(&self, reason: Refusal) -> Origin {
        Origin::NotStored(Some(self.refuse(reason)))
    }

    /// Counts a refusal.
    pub(super) fn refuse(&self, reason: Refusal) -> Refusal {
        self.counters.count(Event::Refusal(reason));
        reason
    }

    /// Counts a value that was stored.
    pub(super) fn count_store(&self) {
        self.counters.count(Event::Store);
    }

    /// Counts a computation that succeeded. Returns its cost: `known`, or else what the flight has measured.
    #[inline(always)]
    pub(super) fn count_computation(&self, flight: &Flight, thread: Option<&Participant>, known: Cost) -> Cost {
        let cost = if known == Cost::UNKNOWN { Cost::measured(flight.cost(thread)) } else { known };
        self.counters.computation_by(thread, cost);
        cost
    }

    /// Keeps a copy of a value that is stored elsewhere, if there is room; returns whether it did. Counts nothing.
    pub(super) fn keep(&self, new_entry: OwnedEntry, replace: bool, cost: Cost) -> (Pinned, bool) {
        let terms = self.terms(limit::UNLIMITED, new_entry.weight(), cost);
        if !self.may_store(epoch::current(), new_entry.weight(), &terms) {
            return (new_entry.into_pinned(), false);
        }
        let (entry, inserted) = self.table.insert(new_entry, replace, &terms);
        (entry, matches!(inserted, Inserted::New | Inserted::Replaced | Inserted::Kept))
    }

    /// Whether the memory has room for `bytes` more.
    #[inline]
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        limit::has_room(bytes, self.config.maximum_memory())
    }

    /// What the table may hold after a store that may fill the memory up to `maximum` per cent, and to the configured
    /// maximum.
    #[inline(always)]
    fn bounds(&self, maximum: f64) -> Bounds {
        let (percent, full) = (limit::stricter(self.config.maximum_memory(), maximum), self.full());
        let evicts_at_max = self.max_bytes != u64::MAX && full.evicts_at_capacity;
        Bounds { max_bytes: self.max_bytes, percent, evicts_at_max, evicts_at_limit: full.evicts_at_limit }
    }

    /// The terms of a store of `bytes` that cost this much to compute.
    #[inline(always)]
    fn terms(&self, maximum: f64, bytes: u64, cost: Cost) -> Terms {
        let bounds = self.bounds(maximum);
        let mean_worth = if bounds.evicts() { self.worth.note(cost, bytes) } else { 0.0 };
        Terms { bounds, cost: cost.ns(), mean_worth }
    }

    /// Whether this thread may try a store of `bytes`: the memory has room for them, or the table has some already.
    #[inline(always)]
    fn may_store(&self, thread: Option<&Participant>, bytes: u64, terms: &Terms) -> bool {
        let bounds = &terms.bounds;
        if self.policy.has_cleared() && bounds.evicts() {
            self.evict_cleared(bytes, bounds);
        }
        limit::has_room_for(thread, bytes, bounds.percent)
            || bounds.percent != 0.0
                && (bounds.evicts_at_limit || self.table.room() >= bytes && limit::has_room(0, bounds.percent))
    }

    /// Evicts what was cleared, but is still in use, while a store of `bytes` would evict other entries.
    #[cold]
    #[inline(never)]
    fn evict_cleared(&self, bytes: u64, bounds: &Bounds) {
        while self.table.would_evict(bytes, bounds) && self.policy.evict_cleared(&self.table) {
            epoch::flush();
        }
    }

    fn check_memory(&self, bytes: u64, terms: &Terms) -> Stored {
        if self.may_store(epoch::current(), bytes, terms) { Ok(()) } else { Err(Refusal::Memory) }
    }

    /// Whether [`LocalCache::may_store`] would certainly return false.
    #[inline(always)]
    fn surely_full(&self, bytes: u64) -> bool {
        let percent = self.config.maximum_memory();
        limit::surely_full(bytes, percent)
            && (self.table.room() < bytes || limit::surely_full(0, percent))
            && (percent == 0.0 || !self.full().evicts_at_limit)
    }

    /// Removes a value; returns whether the cache had one of its own.
    pub fn remove(&self, key: &[u8]) -> bool {
        let key = Hashed::from(key);
        self.flights.invalidate(key.key, key.hash());
        self.remove_from_table(&key)
    }

    /// As [`LocalCache::remove`], but computations in progress may still store their values.
    pub(super) fn remove_from_table(&self, key: &Hashed) -> bool {
        self.table.remove(key, &self.bounds(limit::UNLIMITED))
    }

    /// Removes everything and resets the counters.
    pub fn clear(&self) -> Result<()> {
        without_fork(|| {
            self.flights.invalidate_all();
            self.policy.clear(&self.table)?;
            self.counters.reset();
            self.verifier.iter().for_each(|verifier| verifier.reset());
            self.table.forget_evicted();
            Ok(())
        })
    }

    /// The number of values, inherited ones included.
    pub fn size(&self) -> u64 {
        self.table.len() + self.policy.inherited_len(&self.table)
    }

    /// Hits, misses, size.
    pub fn info(&self) -> Info {
        self.info_of(self.size())
    }

    /// Hits and misses, with this size.
    pub(super) fn info_of(&self, size: u64) -> Info {
        self.counters.info(size)
    }

    /// All counters.
    pub fn stats(&self) -> Stats {
        self.stats_of(self.size())
    }

    /// All counters, with this size.
    pub(super) fn stats_of(&self, size: u64) -> Stats {
        let (verified, differences) = self.verifier.as_ref().map_or((0, 0), |verifier| verifier.counts());
        Stats { verified, differences, ..self.counters.stats(size, &self.table) }
    }

    /// The configuration it was made with.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// What it does now when it is full: its own choice, or else that of its configuration.
    #[inline(always)]
    pub fn full(&self) -> Full {
        Full::resolve(self.on_full.or(self.config.on_full()), self.policy.holds_copies())
    }

    pub(super) fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Whether a cache made with these options would be full when this one is, and do the same then.
    pub(super) fn has_options(&self, options: &Options) -> bool {
        self.max_bytes == options.max_bytes.unwrap_or(u64::MAX) && self.on_full == options.on_full
    }

    /// The verifier of its hits, in verified mode.
    pub(super) fn verifier(&self) -> Option<&Verifier> {
        self.verifier.as_deref()
    }

    pub(super) fn policy(&self) -> &P {
        &self.policy
    }

    pub(super) fn flights(&self) -> &Flights {
        &self.flights
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn prefixes(&self) -> &Prefixes {
        &self.prefixes
    }
}
