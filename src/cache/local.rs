//! The mechanism that all in-process caches share: look up, admit, store, count.
//!
//! What makes a cache type special is its [`Policy`]: which values it refuses, what it inherits, what clearing means.

use std::sync::Arc;

use super::counters::{Counters, Event, Info, Stats};
use super::memo::Prefixes;
use super::{Options, Origin, Refusal, Stored, Value};
use crate::config::Config;
use crate::epoch::fast_guard;
use crate::epoch::{Guard, Participant, guard, without_fork};
use crate::error::{Error, Result};
use crate::flight::{Begin, Flight, Flights, Owner, StorePermit};
use crate::memory::limit;
use crate::memory::limit::Claim;
use crate::sync::TryArc;
use crate::table::{Draft, EntryRef, Hashed, Inserted, ORDINARY, OwnedEntry, Pinned, Probe, Table, weight};

/// What one type of cache does differently.
pub trait Policy {
    /// Fails for bytes that cannot be this key's value.
    fn check(&self, _key: &[u8], _value: &[u8]) -> Result<()> {
        Ok(())
    }

    /// Why this value is not kept, apart from memory.
    fn refuses(&self, _value: &[u8], _config: &Config) -> Option<Refusal> {
        None
    }

    /// The value that a key has from elsewhere, when the cache itself has none.
    #[inline(always)]
    fn inherited<'s>(&self, _section: &'s Guard, _key: &Hashed) -> Option<EntryRef<'s>> {
        None
    }

    /// As `inherited`, where one look decides.
    #[inline(always)]
    fn probe_inherited<'s>(&self, _section: &'s Guard, _key: &[u8]) -> Probe<'s> {
        Probe::Missing
    }

    /// How many keys have a value from elsewhere, and none in `own`.
    fn inherited_len(&self, _own: &Table) -> u64 {
        0
    }

    /// Takes everything out of `own`.
    fn clear(&self, own: &Table) -> Result<()> {
        own.clear();
        Ok(())
    }
}

/// A cache in this process. What some threads write at every lookup or store stands apart, by cache lines, from what others
/// read at each.
#[repr(C)]
pub struct LocalCache<P> {
    table: Table,
    counters: Counters,
    policy: P,
    config: Arc<Config>,
    max_bytes: u64,
    flights: Flights,
    prefixes: Prefixes,
}

/// Copies a value into a buffer, and tells its length.
pub(super) fn copy(value: &[u8], buffer: &mut [u8]) -> Result<usize> {
    let capacity = buffer.len();
    let room = buffer.get_mut(..value.len()).ok_or(Error::BufferTooSmall { needed: value.len(), capacity })?;
    room.copy_from_slice(value);
    Ok(value.len())
}

/// A key or a value of so many bytes is copied in no time.
const SHORT: usize = 4096;

/// How many lookups of a batch are under way at once.
const BATCH: usize = 16;

/// What the fast path of a lookup found out.
pub enum Fast<T> {
    /// The key has a value.
    Hit(T),
    /// The key has no value.
    Miss,
    /// It cannot tell. Nothing has happened; the slow path knows every case.
    Slow,
}

impl<T> Fast<T> {
    /// The value of a hit.
    #[inline(always)]
    pub fn hit(self) -> Option<T> {
        match self {
            Fast::Hit(value) => Some(value),
            Fast::Miss | Fast::Slow => None,
        }
    }

    /// What the fast path found, or else what the slow one does.
    #[inline(always)]
    pub fn unwrap_or_else(self, slow: impl FnOnce() -> Option<T>) -> Option<T> {
        match self {
            Fast::Hit(value) => Some(value),
            Fast::Miss => None,
            Fast::Slow => slow(),
        }
    }
}

/// A value as long as a section lasts, and where it came from.
pub struct Found<'s> {
    /// The entry.
    pub entry: EntryRef<'s>,
    /// Where it came from.
    pub origin: Origin,
}

impl Found<'_> {
    /// Keeps the value beyond the section.
    #[inline(always)]
    pub fn pin(&self, section: &Guard) -> Value {
        Value { entry: section.pin(self.entry), origin: self.origin }
    }

    /// As [`Found::pin`], where that is easy.
    #[inline(always)]
    fn try_fast_pin(&self, section: &Guard) -> Option<Value> {
        Some(Value { entry: section.try_fast_pin(self.entry)?, origin: self.origin })
    }
}

impl<P: Policy> LocalCache<P> {
    /// An empty cache. Allocates nothing.
    pub fn new(policy: P, config: Arc<Config>, options: Options) -> Self {
        LocalCache {
            table: Table::new(),
            counters: guard::read(|section| Counters::new(section.record())),
            policy,
            config,
            max_bytes: options.max_bytes.unwrap_or(u64::MAX),
            flights: Flights::default(),
            prefixes: Prefixes::default(),
        }
    }

    /// The value of `key`; counts a hit or a miss.
    #[inline(always)]
    pub fn get(&self, key: &[u8]) -> Option<Value> {
        guard::read(|section| {
            let found = self.find(section, &key.into());
            self.counters.lookup(section.record(), found.is_some());
            found.map(|found| found.pin(section))
        })
    }

    /// As [`LocalCache::get`], in the usual case.
    #[inline(always)]
    pub fn try_fast_get(&self, key: &[u8]) -> Fast<Value> {
        fast_guard!(guard else Fast::Slow);
        self.try_fast(guard, key, true, |found| found.try_fast_pin(guard))
    }

    /// As [`LocalCache::hit`], in the usual case.
    #[inline(always)]
    pub fn try_fast_hit(&self, key: &[u8]) -> Option<Value> {
        fast_guard!(guard else None);
        self.try_fast(guard, key, false, |found| found.try_fast_pin(guard)).hit()
    }

    /// As [`LocalCache::look`], in the usual case.
    #[inline(always)]
    pub fn try_fast_look<'s>(&self, section: &'s Guard, key: &[u8]) -> Fast<&'s [u8]> {
        self.try_fast(section, key, true, |found| Some(found.entry.value()))
    }

    /// As [`LocalCache::read`], in the usual case; `look` may still say no.
    #[inline(always)]
    pub fn try_fast_read<R>(&self, key: &[u8], look: impl FnOnce(&[u8]) -> Option<R>) -> Fast<R> {
        fast_guard!(guard else Fast::Slow);
        self.try_fast(guard, key, true, |found| look(found.entry.value()))
    }

    /// The fast path of a lookup: the key is of ordinary length, one probe decides, and this thread has its counters. In
    /// any other case, and where `found` answers None, nothing has been counted. Nor has a miss, unless `misses` count.
    #[inline(always)]
    fn try_fast<'s, R>(
        &self,
        section: &'s Guard,
        key: &[u8],
        misses: bool,
        found: impl FnOnce(Found<'s>) -> Option<R>,
    ) -> Fast<R> {
        if !ORDINARY.contains(&key.len()) {
            return Fast::Slow;
        }
        let (entry, origin) = match self.table.probe(section, key) {
            Probe::Found(entry) => (entry, Origin::Hit),
            Probe::Missing => match self.policy.probe_inherited(section, key) {
                Probe::Found(entry) => (entry, Origin::Parent),
                Probe::Missing => {
                    return match self.counters.alone(section.record()) {
                        Some(counted) if misses => {
                            counted.add_alone(Event::Miss);
                            Fast::Miss
                        }
                        _ => Fast::Slow,
                    };
                }
                Probe::Unclear => return Fast::Slow,
            },
            Probe::Unclear => return Fast::Slow,
        };
        let Some(counted) = self.counters.alone(section.record()) else { return Fast::Slow };
        let Some(found) = found(Found { entry, origin }) else { return Fast::Slow };
        counted.add_alone(Event::Hit);
        Fast::Hit(found)
    }

    /// The value of `key`, as long as the section lasts; counts a hit or a miss.
    #[inline(always)]
    pub fn look<'s>(&self, section: &'s Guard, key: &[u8]) -> Option<&'s [u8]> {
        let found = self.find(section, &key.into());
        self.counters.lookup(section.record(), found.is_some());
        found.map(|found| found.entry.value())
    }

    /// What `look` makes of the value of `key`, in place; counts a hit or a miss, and nothing where it fails. `look` must
    /// be short and must not call back.
    #[inline(always)]
    pub fn read<R>(&self, key: &[u8], look: impl FnOnce(&[u8]) -> Result<R>) -> Result<Option<R>> {
        guard::read(|section| {
            let seen = self.find(section, &key.into()).map(|found| look(found.entry.value())).transpose()?;
            self.counters.lookup(section.record(), seen.is_some());
            Ok(seen)
        })
    }

    /// Copies the value of `key` into a buffer and tells its length; counts a hit or a miss, and nothing where the buffer
    /// is too small.
    pub fn get_into(&self, key: &[u8], buffer: &mut [u8]) -> Result<Option<usize>> {
        self.read(key, |value| copy(value, buffer))
    }

    /// The values of many keys: `found` is told of each that is there, by its place. Counts a hit or a miss for each.
    #[inline(always)]
    pub fn get_many<'k>(&self, keys: impl Iterator<Item = &'k [u8]>, found: impl FnMut(usize, &Guard, Found<'_>)) {
        guard::read(|section| self.get_many_in(section, keys, found));
    }

    #[inline(always)]
    fn get_many_in<'k>(
        &self,
        section: &Guard,
        keys: impl Iterator<Item = &'k [u8]>,
        mut found: impl FnMut(usize, &Guard, Found<'_>),
    ) {
        let mut keys = keys.peekable();
        let mut done = 0;
        while keys.peek().is_some() {
            // So many memory accesses are under way at once.
            let mut batch = [const { Hashed::of_nothing() }; BATCH];
            let mut len = 0;
            for (place, key) in batch.iter_mut().zip(&mut keys) {
                *place = key.into();
                self.table.fetch_bucket(section, place);
                len += 1;
            }
            let mut seem = [None; BATCH];
            seem.iter_mut().zip(&batch[..len]).for_each(|(seems, key)| *seems = self.table.fetch_entry(section, key));
            for (key, seems) in batch[..len].iter().zip(seem) {
                let own = self.table.find_fetched(section, key, seems);
                let value = self.own_or_inherited(section, key, own);
                self.counters.lookup(section.record(), value.is_some());
                if let Some(value) = value {
                    found(done, section, value);
                }
                done += 1;
            }
        }
    }

    /// The value of a key, as long as the section lasts; counts nothing.
    #[inline(always)]
    pub(super) fn find<'s>(&self, section: &'s Guard, key: &Hashed) -> Option<Found<'s>> {
        self.own_or_inherited(section, key, self.table.find(section, key))
    }

    #[inline(always)]
    fn own_or_inherited<'s>(&self, section: &'s Guard, key: &Hashed, own: Option<EntryRef<'s>>) -> Option<Found<'s>> {
        match own {
            Some(entry) => Some(Found { entry, origin: Origin::Hit }),
            None => self.policy.inherited(section, key).map(|entry| Found { entry, origin: Origin::Parent }),
        }
    }

    /// The value of `key`; counts nothing.
    pub(super) fn peek(&self, key: &[u8]) -> Option<Value> {
        self.peek_hashed(&key.into())
    }

    fn peek_hashed(&self, key: &Hashed) -> Option<Value> {
        guard::read(|section| self.find(section, key).map(|found| found.pin(section)))
    }

    /// Whether `key` has a value; counts nothing.
    pub fn contains(&self, key: &[u8]) -> bool {
        guard::read(|section| self.find(section, &key.into()).is_some())
    }

    /// Stores a value, over the one that the key may have; a refusal leaves that as it was.
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<Stored> {
        self.policy.check(key, value)?;
        let refusal = self.policy.refuses(value, &self.config);
        if refusal.is_none() && key.len().max(value.len()) <= SHORT {
            return self.set_short(key, value);
        }
        self.set_with(key, value.len(), refusal, |draft| draft.write(value))
    }

    /// Stores a value that may be copied while others who write wait.
    fn set_short(&self, key: &[u8], value: &[u8]) -> Result<Stored> {
        let reason = match self.has_room(weight(key.len(), value.len())) {
            false => Refusal::Memory,
            true => match self.table.set(key, value, self.max_bytes) {
                Inserted::OverCapacity => Refusal::Capacity,
                Inserted::NoMemory => return Err(Error::OutOfMemory(value.len())),
                _ => {
                    self.counters.count(Event::Store);
                    return Ok(Ok(()));
                }
            },
        };
        self.counters.count(Event::Refusal(reason));
        Ok(Err(reason))
    }

    /// Refuses a value of `len` bytes as [`LocalCache::set`] would, where that is easy to tell, and counts that.
    #[inline(always)]
    pub(super) fn try_fast_refuse(&self, key: &[u8], len: usize, refusal: Option<Refusal>) -> Option<Refusal> {
        let counted = self.counters.alone(Participant::of_this_thread()?)?;
        let reason = match refusal {
            Some(reason) => reason,
            None if limit::surely_full(weight(key.len(), len), self.config.maximum_memory()) => Refusal::Memory,
            None => return None,
        };
        counted.add_alone(Event::Refusal(reason));
        Some(reason)
    }

    /// Stores a value of `len` bytes that `write` puts into the entry, unless there is a refusal or no room: then
    /// nothing is written.
    pub(super) fn set_with(
        &self,
        key: &[u8],
        len: usize,
        refusal: Option<Refusal>,
        write: impl FnOnce(&mut Draft) -> Result<()>,
    ) -> Result<Stored> {
        let claim = match refusal {
            Some(reason) => Err(reason),
            None => self.claim(weight(key.len(), len), limit::UNLIMITED),
        };
        let _claim = match claim {
            Ok(claim) => claim,
            Err(reason) => return Ok(Err(self.refuse(reason))),
        };
        let mut draft = Draft::new(key, Some(&self.table));
        write(&mut draft)?;
        let (_, inserted) = self.insert(draft.finish()?, true);
        match self.origin(inserted) {
            Origin::NotStored(None) => Err(Error::OutOfMemory(len)),
            Origin::NotStored(Some(reason)) => Ok(Err(reason)),
            _ => Ok(Ok(())),
        }
    }

    /// The value of `key`, if there is one: counts a hit, or nothing.
    #[inline(always)]
    pub fn hit(&self, key: &[u8]) -> Option<Value> {
        guard::read(|section| {
            let found = self.find(section, &key.into())?;
            self.counters.lookup(section.record(), true);
            Some(found.pin(section))
        })
    }

    /// Counts a lookup.
    pub(super) fn count(&self, hit: bool) {
        guard::read(|section| self.counters.lookup(section.record(), hit));
    }

    /// Says who computes `key`; counts a hit where it has a value, a miss where the caller is to compute.
    pub(super) fn begin(&self, key: &[u8], owner: Owner) -> Result<Begin<Value>> {
        let begun = self.begin_near(key, owner)?;
        if let Begin::Lease(_) = begun {
            self.count(false);
        }
        Ok(begun)
    }

    /// As `begin`, but counts no miss.
    pub(super) fn begin_near(&self, key: &[u8], owner: Owner) -> Result<Begin<Value>> {
        let key = Hashed::from(key);
        let begun = self.flights.begin(&key, owner, || self.peek_hashed(&key))?;
        // One who finds another busy may have waited for that one before, and goes on doing so.
        if let Begin::Found(_) = begun {
            self.count(true);
            Flight::stop_waiting(owner);
        }
        Ok(begun)
    }

    /// The computation of `key` that is going on.
    pub(super) fn flight(&self, key: &[u8]) -> Option<TryArc<Flight>> {
        self.flights.find(key)
    }

    /// The value that another has computed, for a caller that waited: counts a hit and a wait.
    pub(super) fn waited(&self, entry: Pinned) -> Value {
        self.count(true);
        self.counters.wait();
        Value { entry, origin: Origin::Waited }
    }

    /// Counts a miss of a caller that computes without a lease.
    pub(super) fn miss(&self) {
        self.count(false);
    }

    /// Ends the computation of the owner, or of one who had `joined`, without a value. Says whether with this the flight
    /// has failed.
    pub(super) fn fail(&self, flight: &TryArc<Flight>, joined: Option<Owner>) -> bool {
        self.flights.fail(flight, joined)
    }

    /// Counts a computation that failed.
    pub(super) fn failure(&self) {
        self.counters.failure();
    }

    /// Ends a computation with a value, which is stored if it may be and handed to all who wait.
    pub(super) fn complete(
        &self,
        flight: &TryArc<Flight>,
        joined: Option<Owner>,
        draft: Draft,
        maximum: f64,
    ) -> Result<Value> {
        self.policy.check(draft.key(), draft.value())?;
        let fresh = draft.finish()?;
        self.count_computation(flight);
        let refusal = self.policy.refuses(fresh.value(), &self.config);
        let claim = refusal.map_or_else(|| self.claim(fresh.weight(), maximum), Err);
        let refusal = claim.as_ref().err().copied();
        let mut may = StorePermit::Store;
        let (entry, inserted) = match refusal {
            Some(_) => (fresh.into_pinned(), None),
            None => {
                // A value that came meanwhile stays: it was there first.
                let (entry, inserted) = self.table.insert_if(fresh, self.max_bytes, || {
                    may = flight.may();
                    may == StorePermit::Store
                });
                self.count_insertion(inserted);
                (entry, Some(inserted))
            }
        };
        let inserted = match may {
            StorePermit::Store => inserted,
            StorePermit::Invalidated => None,
            // It shares the fate of the one that was first.
            StorePermit::Late(first) => first,
        };
        self.flights.complete(flight, joined, entry.clone(), inserted);
        let origin = match inserted {
            Some(inserted) => self.origin(inserted),
            None if may == StorePermit::Invalidated => self.refused(Refusal::Cleared),
            // The first was refused, for memory: nothing else refuses one value of a key and not another.
            None => self.refused(refusal.unwrap_or(Refusal::Memory)),
        };
        Ok(Value { entry, origin })
    }

    fn insert(&self, fresh: OwnedEntry, replace: bool) -> (Pinned, Inserted) {
        let (entry, inserted) = self.table.insert(fresh, replace, self.max_bytes);
        self.count_insertion(inserted);
        (entry, inserted)
    }

    fn count_insertion(&self, inserted: Inserted) {
        if matches!(inserted, Inserted::New | Inserted::Replaced) {
            self.counters.count(Event::Store);
        }
    }

    /// What the maker of a value is told of it.
    fn origin(&self, inserted: Inserted) -> Origin {
        match inserted {
            Inserted::New | Inserted::Replaced | Inserted::Kept => Origin::Computed,
            Inserted::OverCapacity => self.refused(Refusal::Capacity),
            Inserted::Forbidden => self.refused(Refusal::Cleared),
            Inserted::NoMemory => Origin::NotStored(None),
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

    /// Counts a computation that succeeded.
    pub(super) fn count_computation(&self, flight: &Flight) {
        self.counters.computation(flight.age());
    }

    /// Keeps a value that is stored elsewhere too, if there is room; says whether it did. Counts nothing.
    pub(super) fn keep(&self, fresh: OwnedEntry, replace: bool) -> (Pinned, bool) {
        let Ok(_claim) = self.claim(fresh.weight(), limit::UNLIMITED) else {
            return (fresh.into_pinned(), false);
        };
        let (entry, inserted) = self.table.insert(fresh, replace, self.max_bytes);
        (entry, matches!(inserted, Inserted::New | Inserted::Replaced | Inserted::Kept))
    }

    /// Whether the memory has room for `bytes` more.
    #[inline]
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        limit::has_room(bytes, self.config.maximum_memory())
    }

    /// Claims `bytes` of memory for a store that may fill it up to `maximum` per cent, and to the configured maximum.
    fn claim(&self, bytes: u64, maximum: f64) -> std::result::Result<Claim, Refusal> {
        limit::claim(bytes, limit::least(self.config.maximum_memory(), maximum)).ok_or(Refusal::Memory)
    }

    /// Takes a value out; says whether the cache had one of its own.
    pub fn remove(&self, key: &[u8]) -> bool {
        self.flights.invalidate(key);
        self.table.remove(key)
    }

    /// Takes everything out and begins to count anew.
    pub fn clear(&self) -> Result<()> {
        without_fork(|| {
            self.flights.invalidate_all();
            self.policy.clear(&self.table)?;
            self.counters.reset();
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

    /// Hits, misses, and this size.
    pub(super) fn info_of(&self, size: u64) -> Info {
        self.counters.info(size)
    }

    /// All that is counted.
    pub fn stats(&self) -> Stats {
        self.stats_of(self.size())
    }

    /// All that is counted, and this size.
    pub(super) fn stats_of(&self, size: u64) -> Stats {
        self.counters.stats(size, self.table.bytes())
    }

    /// The configuration it was made with.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    pub(super) fn max_bytes(&self) -> u64 {
        self.max_bytes
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
