//! The mechanism that all in-process caches share: look up, compute, admit, store, count.
//!
//! What makes a cache type special is its [`Policy`]: which values it refuses, what it inherits, what clearing means.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::counters::{Counters, Info, Stats};
use super::lease::Waited;
use super::memo::Prefixes;
use super::{Options, Origin, Refusal, Stored, Value};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::store::{Begin, Draft, Flight, Flights, Fresh, Inserted, Owner, Pinned, Shared, Table, Wait, gauge, weight};

/// What one type of cache does differently.
pub trait Policy {
    /// Fails for bytes that no value of this cache can be.
    fn check(&self, _value: &[u8]) -> Result<()> {
        Ok(())
    }

    /// Why this value is not kept, apart from memory.
    fn refuses(&self, _value: &[u8], _config: &Config) -> Option<Refusal> {
        None
    }

    /// The value that a key has from elsewhere, when the cache itself has none.
    #[inline]
    fn inherited(&self, _key: &[u8]) -> Option<Pinned> {
        None
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

/// A cache in this process.
pub struct Entries<P> {
    table: Table,
    policy: P,
    config: Arc<Config>,
    max_bytes: u64,
    counters: Counters,
    flights: Flights,
    prefixes: Prefixes,
}

impl<P: Policy> Entries<P> {
    /// An empty cache. Allocates nothing.
    pub fn new(policy: P, config: Arc<Config>, options: Options) -> Self {
        Entries {
            table: Table::new(),
            policy,
            config,
            max_bytes: options.max_bytes.unwrap_or(u64::MAX),
            counters: Counters::default(),
            flights: Flights::default(),
            prefixes: Prefixes::default(),
        }
    }

    /// The value of `key`; counts a hit or a miss.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<Value> {
        let found = self.peek(key);
        self.counters.lookup(found.is_some());
        found
    }

    /// Copies the value of `key` into a buffer and tells its length; counts a hit or a miss, and nothing where the buffer
    /// is too small.
    pub fn get_into(&self, key: &[u8], buffer: &mut [u8]) -> Result<Option<usize>> {
        let mut copy = |value: &[u8]| {
            let capacity = buffer.len();
            let room = buffer.get_mut(..value.len()).ok_or(Error::BufferTooSmall { needed: value.len(), capacity })?;
            room.copy_from_slice(value);
            Ok(value.len())
        };
        let own = self.table.read(key, &mut copy);
        let copied = own.or_else(|| self.policy.inherited(key).map(|entry| copy(entry.value()))).transpose()?;
        self.counters.lookup(copied.is_some());
        Ok(copied)
    }

    /// The value of `key`; counts nothing.
    #[inline]
    fn peek(&self, key: &[u8]) -> Option<Value> {
        if let Some(entry) = self.table.get(key) {
            return Some(Value { entry, origin: Origin::Hit });
        }
        self.policy.inherited(key).map(|entry| Value { entry, origin: Origin::Parent })
    }

    /// Whether `key` has a value; counts nothing.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.table.contains(key) || self.policy.inherited(key).is_some()
    }

    /// Stores a value, over the one that the key may have; a refusal leaves that as it was.
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<Stored> {
        self.policy.check(value)?;
        let refusal = self.policy.refuses(value, &self.config);
        self.set_with(key, value.len(), refusal, |draft| draft.write(value))
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
        if let Some(reason) = refusal.or_else(|| self.no_room(weight(key.len(), len), gauge::UNLIMITED)) {
            self.counters.refuse(reason);
            return Ok(Err(reason));
        }
        let mut draft = Draft::new(key);
        write(&mut draft)?;
        match self.insert(draft.finish()?, true).1 {
            Origin::NotStored(None) => Err(Error::OutOfMemory(len)),
            Origin::NotStored(Some(reason)) => Ok(Err(reason)),
            _ => Ok(Ok(())),
        }
    }

    /// The value of `key`, if there is one: counts a hit, or nothing.
    #[inline]
    pub fn hit(&self, key: &[u8]) -> Option<Value> {
        self.peek(key).inspect(|_| self.counters.lookup(true))
    }

    /// The value of `key`; on a miss `compute` writes it, and it is stored if it may be.
    ///
    /// Of several threads that ask for a missing key one computes; the others wait and count a hit. No lock is held while
    /// `compute` runs, so it may use this cache for other keys. When it fails, nothing is stored and its error comes back
    /// to its own caller; another of those who wait may try.
    #[inline]
    pub fn memoize(&self, key: &[u8], compute: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Value> {
        self.memoize_within(key, gauge::UNLIMITED, compute)
    }

    /// As [`Entries::memoize`], with a maximum memory of the caller's that counts beside the cache's own.
    #[inline]
    pub fn memoize_within(
        &self,
        key: &[u8],
        maximum: f64,
        compute: impl FnOnce(&mut Draft) -> Result<()>,
    ) -> Result<Value> {
        match self.hit(key) {
            Some(value) => Ok(value),
            None => self.resolve(key, maximum, compute),
        }
    }

    /// The value of a key that had none a moment ago, computed by this caller or by another.
    ///
    /// Computations nest, thousands deep; so what stands on the stack while one runs is only what it needs, and all else
    /// is kept out of this function's frame.
    #[inline(always)]
    pub fn resolve(&self, key: &[u8], maximum: f64, compute: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Value> {
        match self.ask(key)? {
            Answer::Found(value) => Ok(value),
            Answer::Compute(flight) => {
                let mut draft = Draft::new(key);
                let computed = compute(&mut draft);
                self.finish(flight, draft, computed, maximum)
            }
        }
    }

    /// Finds out who computes `key`, and waits if it is another.
    #[inline(never)]
    fn ask(&self, key: &[u8]) -> Result<Answer<'_, P>> {
        let owner = Owner::this_thread();
        loop {
            let flight = match self.begin(key, owner)? {
                Begin::Found(value) => return Ok(Answer::Found(value)),
                Begin::Lease(flight) => return Ok(Answer::Compute(InTheAir::new(self, flight, None))),
                Begin::Busy(flight) => flight,
            };
            match Flight::wait(&flight, owner, None)? {
                Wait::Value(entry) => return Ok(Answer::Found(self.waited(entry))),
                Wait::Failed | Wait::TimeOut => {}
                Wait::Circle => {
                    self.counters.lookup(false);
                    flight.join(owner)?;
                    return Ok(Answer::Compute(InTheAir::new(self, flight, Some(owner))));
                }
            }
        }
    }

    #[inline(never)]
    fn finish(&self, flight: InTheAir<'_, P>, draft: Draft, computed: Result<()>, maximum: f64) -> Result<Value> {
        computed.inspect_err(|_| self.counters.failure())?;
        self.land(&flight.flight, draft, flight.started.elapsed(), maximum)
    }

    /// Says who computes `key`; counts a hit where it has a value, a miss where the caller is to compute.
    pub(super) fn begin(&self, key: &[u8], owner: Owner) -> Result<Begin<Value>> {
        let begun = self.flights.begin(key, owner, || self.peek(key))?;
        match begun {
            Begin::Found(_) => self.counters.lookup(true),
            Begin::Lease(_) => self.counters.lookup(false),
            Begin::Busy(_) => {}
        }
        Ok(begun)
    }

    /// Waits for whoever computes `key`.
    pub(super) fn wait(&self, key: &[u8], owner: Owner, deadline: Instant) -> Result<Waited> {
        let Some(flight) = self.flights.find(key) else {
            return Ok(self.hit(key).map_or(Waited::Nobody, Waited::Value));
        };
        Ok(match Flight::wait(&flight, owner, Some(deadline))? {
            Wait::Value(entry) => Waited::Value(self.waited(entry)),
            Wait::Failed => Waited::Nobody,
            Wait::TimeOut => Waited::TimeOut,
            Wait::Circle => Waited::Circle,
        })
    }

    fn waited(&self, entry: Pinned) -> Value {
        self.counters.lookup(true);
        self.counters.wait();
        Value { entry, origin: Origin::Waited }
    }

    /// Ends a computation with a value, which is stored if it may be and handed to all who wait.
    pub(super) fn land_timed(&self, flight: &Shared<Flight>, draft: Draft, took: Duration) -> Result<Value> {
        let landed = self.land(flight, draft, took, gauge::UNLIMITED);
        landed.inspect_err(|_| self.fail(flight))
    }

    /// Ends a computation without a value.
    pub(super) fn fail(&self, flight: &Shared<Flight>) {
        self.flights.fail(flight);
    }

    fn land(&self, flight: &Shared<Flight>, draft: Draft, took: Duration, maximum: f64) -> Result<Value> {
        self.counters.computation(took);
        self.policy.check(draft.value())?;
        let fresh = draft.finish()?;
        let entry = fresh.entry();
        let refusal = self.policy.refuses(entry.value(), &self.config);
        let refusal = refusal.or_else(|| self.no_room(entry.weight(), maximum));
        let (entry, origin) = self.flights.land(flight, |doomed| {
            match refusal.or(doomed.then_some(Refusal::Cleared)) {
                // A value that came meanwhile stays: it was there first.
                None => self.insert(fresh, false),
                Some(reason) => {
                    self.counters.refuse(reason);
                    (fresh.into_pinned(), Origin::NotStored(Some(reason)))
                }
            }
        });
        Ok(Value { entry, origin })
    }

    fn insert(&self, fresh: Fresh, replace: bool) -> (Pinned, Origin) {
        let (entry, inserted) = self.table.insert(fresh, replace, self.max_bytes);
        let origin = match inserted {
            Inserted::New | Inserted::Replaced => {
                self.counters.store();
                Origin::Computed
            }
            Inserted::Kept => Origin::Computed,
            Inserted::OverCapacity => {
                self.counters.refuse(Refusal::Capacity);
                Origin::NotStored(Some(Refusal::Capacity))
            }
            Inserted::NoMemory => Origin::NotStored(None),
        };
        (entry, origin)
    }

    /// Why there is no room for `bytes` more.
    #[inline]
    pub(super) fn no_room(&self, bytes: u64, maximum: f64) -> Option<Refusal> {
        let admitted = gauge::admits(bytes, self.config.maximum_memory())
            && (maximum == gauge::UNLIMITED || gauge::admits(bytes, maximum));
        (!admitted).then_some(Refusal::Memory)
    }

    /// Takes a value out; says whether the cache had one of its own.
    pub fn remove(&self, key: &[u8]) -> bool {
        self.flights.doom(key);
        self.table.remove(key)
    }

    /// Takes everything out and begins to count anew.
    pub fn clear(&self) -> Result<()> {
        self.flights.doom_all();
        self.policy.clear(&self.table)?;
        self.counters.reset();
        Ok(())
    }

    /// The number of values, inherited ones included.
    pub fn size(&self) -> u64 {
        self.table.len() + self.policy.inherited_len(&self.table)
    }

    /// Hits, misses, size.
    pub fn info(&self) -> Info {
        self.counters.info(self.size())
    }

    /// All that is counted.
    pub fn stats(&self) -> Stats {
        self.counters.stats(self.size(), self.table.bytes())
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

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn prefixes(&self) -> &Prefixes {
        &self.prefixes
    }
}

/// Who computes a key.
enum Answer<'c, P: Policy> {
    /// Nobody any more.
    Found(Value),
    /// This caller.
    Compute(InTheAir<'c, P>),
}

/// A computation that this thread is busy with. However it ends, the flight does.
struct InTheAir<'c, P: Policy> {
    cache: &'c Entries<P>,
    flight: Shared<Flight>,
    started: Instant,
    /// Who computes beside the flight's owner, because it could not wait.
    joined: Option<Owner>,
}

impl<'c, P: Policy> InTheAir<'c, P> {
    fn new(cache: &'c Entries<P>, flight: Shared<Flight>, joined: Option<Owner>) -> Self {
        InTheAir { cache, flight, started: Instant::now(), joined }
    }
}

impl<P: Policy> Drop for InTheAir<'_, P> {
    fn drop(&mut self) {
        match self.joined {
            Some(owner) => self.flight.leave(owner),
            // Failing a flight that has landed changes nothing.
            None => self.cache.fail(&self.flight),
        }
    }
}
