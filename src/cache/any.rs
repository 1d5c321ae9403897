//! A cache of any type, with the methods that all types have. The C API and memos use it.

use std::sync::Arc;
use std::time::Duration;

use super::computed::{Begin, Flight};
use super::counters::{Info, Stats};
use super::dict::DictCache;
use super::mice::MiceCache;
use super::options::Options;
use super::policy::Policy;
use super::prefixes::Prefixes;
use super::purview::PurviewCache;
use super::shared::disk::DiskCache;
use super::shared::redis::RedisCache;
use super::value::{Beyond, Cost, Fast, Origin, Refusal, Stored, Value, Waited};
use super::verify::Verifier;
use crate::config::Config;
use crate::epoch::Guard;
use crate::error::{Error, Result};
use crate::flight::Owner;
use crate::memory::{limit, spare};
use crate::sync::TryArc;
use crate::table::{Draft, FastKey, Hashed, Memory, OwnedEntry, Pinned, Reservation, ShortValue, Table, weight};

/// Any cache.
#[derive(Clone)]
pub enum Cache {
    /// A dict cache.
    Dict(TryArc<DictCache>),
    /// A purview cache.
    Purview(TryArc<PurviewCache>),
    /// A MICE cache.
    Mice(TryArc<MiceCache>),
    /// A cache in Redis: of MICE, or of any values.
    Redis(TryArc<RedisCache>),
    /// A cache in files.
    Disk(TryArc<DiskCache>),
}

/// Evaluates an expression for an in-process cache, and another one for a cache whose values processes share. With
/// `near`, evaluates one expression for the in-process cache or for the near cache.
macro_rules! each {
    ($self:expr, $cache:ident => $expression:expr, shared => $far:expr) => {
        match $self {
            Cache::Dict($cache) => $expression,
            Cache::Purview($cache) => $expression,
            Cache::Mice($cache) => $expression,
            Cache::Redis($cache) => $far,
            Cache::Disk($cache) => $far,
        }
    };
    ($self:expr, near $cache:ident => $expression:expr) => {
        match $self {
            Cache::Dict($cache) => $expression,
            Cache::Purview($cache) => $expression,
            Cache::Mice($cache) => $expression,
            Cache::Redis(cache) => {
                let $cache = cache.near();
                $expression
            }
            Cache::Disk(cache) => {
                let $cache = cache.near();
                $expression
            }
        }
    };
}

impl Cache {
    /// The value of `key`; counts a hit or a miss.
    #[inline(always)]
    pub fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        each!(self, cache => Ok(cache.get(key)), shared => cache.get(key))
    }

    /// As [`Cache::get`], on the fast path.
    #[inline(always)]
    pub fn try_fast_get(&self, key: impl FastKey) -> Fast<Value> {
        each!(self, cache => cache.try_fast_get(key),
        shared => match cache.near().try_fast_hit(key, || true) {
            Fast::Hit(value) => Fast::Hit(value),
            // The backing may have a value.
            Fast::Miss | Fast::Slow => Fast::Slow,
        })
    }

    /// The value of `key`, if this process has one, on the fast path. Counts a hit, but no miss; and nothing if there
    /// is no place for the value, which is asked for only then.
    #[inline(always)]
    pub fn try_fast_hit(&self, key: impl FastKey, has_place: impl FnOnce() -> bool) -> Fast<Value> {
        each!(self, near cache => cache.try_fast_hit(key, has_place))
    }

    /// Reads the value of `key` in place with `look`, on the fast path; `look` may decline.
    #[inline(always)]
    pub fn try_fast_read<R>(&self, guard: &Guard, key: &[u8], look: impl FnOnce(&[u8]) -> Option<R>) -> Fast<R> {
        match self {
            // A value that only the backing has would be counted as a miss.
            Cache::Redis(_) | Cache::Disk(_) => Fast::Slow,
            near => each!(near, near cache => cache.try_fast_read(guard, key, look)),
        }
    }

    /// As [`Cache::look`], on the fast path.
    #[inline(always)]
    pub fn try_fast_look<'g>(&self, guard: &'g Guard, key: &[u8]) -> Fast<&'g [u8]> {
        match self {
            // A value that only the backing has would be counted as a miss.
            Cache::Redis(_) | Cache::Disk(_) => Fast::Slow,
            near => each!(near, near cache => cache.try_fast_look(guard, key)),
        }
    }

    /// Copies the value of `key` into a buffer and returns its length; counts as [`Cache::get`] does.
    #[inline(always)]
    pub fn get_into(&self, key: &[u8], buffer: &mut [u8]) -> Result<Option<usize>> {
        each!(self, cache => cache.get_into(key, buffer), shared => cache.get_into(key, buffer))
    }

    /// The value of `key`, valid while the section lasts; counts a hit or a miss.
    #[inline(always)]
    pub fn look<'g>(&self, guard: &'g Guard, key: &[u8]) -> Result<Option<&'g [u8]>> {
        each!(self, cache => Ok(cache.look(guard, key)), shared => cache.look(guard, key))
    }

    /// Looks many keys up: calls `found` with the index and the value of each key that has one. Counts a hit or a miss
    /// for each key. If some lookups fail, for example at a server, `found` is still called for the others.
    #[inline(always)]
    pub fn get_many<'k>(
        &self,
        keys: impl Iterator<Item = &'k [u8]> + Clone,
        mut found: impl FnMut(usize, Value),
    ) -> Result<()> {
        each!(self, cache => {
            cache.get_many(keys, |at, guard, value| found(at, value.pin(guard)));
            Ok(())
        }, shared => {
            check_memory_of_batch(keys.clone())?;
            cache.get_many(&keys.collect::<Vec<_>>(), found)
        })
    }

    /// As [`Cache::get_many`]; the values are valid while the section lasts.
    #[inline(always)]
    pub fn look_many<'g, 'k>(
        &self,
        guard: &'g Guard,
        keys: impl Iterator<Item = &'k [u8]>,
        mut found: impl FnMut(usize, &[u8]),
    ) -> Result<()> {
        each!(self, cache => {
            cache.get_many(keys, |at, _, value| found(at, value.entry.value()));
            Ok(())
        }, shared => {
            let mut result = Ok(());
            for (at, key) in keys.enumerate() {
                match cache.look(guard, key) {
                    Ok(value) => value.into_iter().for_each(|value| found(at, value)),
                    Err(error) => result = result.and(Err(error)),
                }
            }
            result
        })
    }

    /// The value of `key`; counts nothing.
    pub fn peek(&self, key: &[u8]) -> Result<Option<Value>> {
        each!(self, cache => Ok(cache.peek(&key.into())), shared => cache.peek(&key.into()))
    }

    /// The entries, inherited ones not included. Fails if they are at a server.
    pub(super) fn table(&self) -> Result<&Table> {
        each!(self, cache => Ok(cache.table()), shared => {
            let _ = cache;
            Err(Error::Unsupported("the entries of a cache in Redis are at its server; only caches in this process \
                                    and on disk can be walked through"))
        })
    }

    /// Whether `key` has a value; counts nothing.
    pub fn contains(&self, key: &[u8]) -> Result<bool> {
        each!(self, cache => Ok(cache.contains(key)), shared => cache.contains(key))
    }

    /// As [`Cache::contains`], on the fast path.
    #[inline(always)]
    pub fn try_fast_contains(&self, key: &[u8]) -> Option<bool> {
        each!(self, cache => cache.try_fast_contains(key),
        // The backing may have a value that this process has not.
        shared => cache.near().try_fast_contains(key).filter(|has| *has))
    }

    /// Stores a value.
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<Stored> {
        each!(self, cache => cache.set(key, value), shared => cache.set(key, value))
    }

    /// As [`Cache::set`], for a value that would take this cost to compute again.
    pub fn set_with_cost(&self, key: &[u8], value: &[u8], cost: Cost) -> Result<Stored> {
        each!(self, cache => cache.set_with_cost(key, value, cost), shared => cache.set_with_cost(key, value, cost))
    }

    /// As [`Cache::set_with_cost`], unless the key has a value of its own, which stays; returns whether it was stored.
    /// Fails if the cache's values are not in this process.
    pub(super) fn add(&self, key: &[u8], value: &[u8], cost: Cost) -> Result<std::result::Result<bool, Refusal>> {
        each!(self, cache => cache.add(key, value, cost), shared => {
            let _ = cache;
            Err(Error::Unsupported("values are loaded into caches in this process only; open the file as a disk cache"))
        })
    }

    /// Prefetches the place of a key that will be added soon.
    pub(super) fn prefetch(&self, key: &[u8]) {
        each!(self, near cache => cache.prefetch(key));
    }

    /// Stores many values, at a server in one round trip; calls `stored` for each, in their order, with what `set`
    /// would return. An error means that nothing has happened.
    pub fn set_many<'p>(
        &self,
        pairs: impl Iterator<Item = (&'p [u8], &'p [u8])> + Clone,
        mut stored: impl FnMut(Result<Stored>),
    ) -> Result<()> {
        each!(self, cache => pairs.for_each(|(key, value)| stored(cache.set(key, value))), shared => {
            check_memory_of_batch(pairs.clone().map(|(key, _)| key))?;
            cache.set_many(&pairs.collect::<Vec<_>>()).into_iter().for_each(stored);
        });
        Ok(())
    }

    /// The value of a key, if this process has one. Counts a hit, but no miss.
    #[inline(never)]
    pub(super) fn hit(&self, key: &Hashed) -> std::result::Result<Value, Beyond> {
        each!(self, near cache => cache.hit(key))
    }

    /// Lets the caller compute a key, and counts a miss, if it certainly may: it has no value in this process, and
    /// nobody computes it. In any other case `None`, and nothing has happened.
    #[inline(always)]
    pub(super) fn begin_at_once(&self, key: &Hashed) -> Option<TryArc<Flight>> {
        each!(self, cache => cache.begin_at_once(key), shared => {
            let _ = cache;
            None
        })
    }

    /// Decides who computes a key; counts a hit if it has a value, a miss if the caller computes. `None` if another
    /// process computes it and the caller is not `patient`.
    pub(super) fn begin(&self, key: &Hashed, owner: Owner, patient: bool) -> Result<Option<Begin<Value>>> {
        each!(self, cache => cache.begin(key, owner).map(Some), shared => cache.begin(key, owner, patient))
    }

    /// The computation of a key that is in progress in this process.
    pub(super) fn flight(&self, key: &Hashed) -> Option<TryArc<Flight>> {
        each!(self, near cache => cache.flight(key))
    }

    /// Waits for another process that computes a key, at most for `time`.
    pub(super) fn wait(&self, key: &Hashed, time: Duration) -> Result<Waited> {
        each!(self, cache => {
            let found = cache.hit(key).map_or_else(Beyond::hit, Some);
            Ok(found.map_or(Waited::Nobody, Waited::Value))
        }, shared => cache.wait(key, time))
    }

    /// The value that another caller has computed, for a caller that waited. Counts a hit and a wait.
    pub(super) fn waited(&self, entry: Pinned) -> Value {
        each!(self, near cache => cache.waited(entry))
    }

    /// This cache's memory, for values that are computed.
    #[inline(always)]
    pub(super) fn memory(&self) -> Memory<'_> {
        each!(self, near cache => cache.memory())
    }

    /// This cache's memory, for blocks that it has at once.
    #[inline(always)]
    pub(super) fn memory_at_once(&self) -> Memory<'_> {
        each!(self, near cache => cache.memory_at_once())
    }

    /// A draft for the value of `key` in this cache's memory, which continues with the reserved bytes in `block`.
    pub(super) fn draft<'k>(&'k self, key: &'k [u8], block: Reservation) -> Draft<'k> {
        Draft::resume(key, Some(self.memory()), block)
    }

    /// Ends the computation of the flight's owner, or of a caller that `joined`, with a value. If that fails, the
    /// caller ends the computation without a value. The computation took `cost`, if that is known, or else what the
    /// flight has measured.
    #[inline(never)]
    pub(super) fn complete(
        &self,
        flight: &TryArc<Flight>,
        joined: Option<Owner>,
        new_entry: OwnedEntry,
        cost: Cost,
        maximum: f64,
    ) -> Result<Value> {
        each!(self, cache => cache.complete(flight, joined, new_entry, cost, maximum),
            shared => cache.complete(flight, joined, new_entry, cost))
    }

    /// As [`Cache::complete`], with a short value that is written nowhere yet.
    #[inline(never)]
    pub(super) fn complete_short(
        &self,
        flight: &TryArc<Flight>,
        joined: Option<Owner>,
        value: &[u8],
        maximum: f64,
    ) -> Result<Value> {
        let short = ShortValue { key: flight.key(), value };
        each!(self, cache => cache.complete(flight, joined, &short, Cost::UNKNOWN, maximum), shared => {
            let mut draft = self.draft(flight.key(), Reservation::default());
            draft.write(value)?;
            cache.complete(flight, joined, draft.finish()?, Cost::UNKNOWN)
        })
    }

    /// Ends the computation of the flight's owner, or of a caller that `joined`, without a value.
    pub(super) fn fail(&self, flight: &TryArc<Flight>, joined: Option<Owner>) {
        each!(self, cache => drop(cache.fail(flight, joined)), shared => cache.fail(flight, joined));
    }

    /// Passes a vacant flight on, for a waiter that was woken to take it over and does not.
    pub(super) fn pass_on(&self, flight: &TryArc<Flight>) {
        each!(self, near cache => cache.flights().pass_on(flight));
    }

    /// Counts a miss of a caller that computes beside the flight's owner.
    pub(super) fn count_miss(&self) {
        each!(self, near cache => cache.count(false));
    }

    /// Counts a computation that failed.
    pub(super) fn count_failure(&self) {
        each!(self, near cache => cache.count_failure());
    }

    /// The verifier of its hits, in verified mode.
    pub(super) fn verifier(&self) -> Option<&Verifier> {
        each!(self, near cache => cache.verifier())
    }

    /// Fails if `value` cannot be the value of `key`.
    pub(super) fn check(&self, key: &[u8], value: &[u8]) -> Result<()> {
        each!(self, near cache => cache.policy().check(key, value, cache.config()).map(drop))
    }

    /// Replaces the value of `key` if it is still `old`, which does not stay even if the store of `new` is refused. Two
    /// steps: a lookup between them misses. `new` is refused if more than `maximum` per cent of the memory would be in
    /// use. Returns its origin.
    pub(super) fn correct(&self, key: &[u8], old: &[u8], new: &[u8], cost: Cost, maximum: f64) -> Result<Origin> {
        let hashed = Hashed::from(key);
        let now = each!(self, cache => cache.peek(&hashed), shared => cache.peek(&hashed)?);
        let stored = match now {
            None => Err(self.refuse(Refusal::Cleared)),
            Some(now) if now.entry.value() != old => Ok(()),
            Some(_) => {
                self.remove(key)?;
                match limit::has_room(weight(key.len(), new.len()), maximum) {
                    true => self.set_with_cost(key, new, cost)?,
                    false => Err(self.refuse(Refusal::Memory)),
                }
            }
        };
        Ok(stored.map_or_else(|reason| Origin::NotStored(Some(reason)), |()| Origin::Computed))
    }

    /// Counts a refusal.
    fn refuse(&self, reason: Refusal) -> Refusal {
        each!(self, near cache => cache.refuse(reason))
    }

    /// Whether both are the same cache.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Cache::Dict(a), Cache::Dict(b)) => a.is_same(b),
            (Cache::Purview(a), Cache::Purview(b)) => a.is_same(b),
            (Cache::Mice(a), Cache::Mice(b)) => a.is_same(b),
            (Cache::Redis(a), Cache::Redis(b)) => a.is_same(b),
            (Cache::Disk(a), Cache::Disk(b)) => a.is_same(b),
            _ => false,
        }
    }

    /// Removes a value; returns whether there was one.
    pub fn remove(&self, key: &[u8]) -> Result<bool> {
        each!(self, cache => Ok(cache.remove(key)), shared => cache.remove(key))
    }

    /// Removes everything and resets the counters.
    pub fn clear(&self) -> Result<()> {
        each!(self, cache => cache.clear(), shared => cache.clear())
    }

    /// The number of values.
    pub fn size(&self) -> Result<u64> {
        each!(self, cache => Ok(cache.size()), shared => cache.size())
    }

    /// Hits, misses, size.
    pub fn info(&self) -> Result<Info> {
        each!(self, cache => Ok(cache.info()), shared => cache.info())
    }

    /// Hits, misses, and the number of values in this process: no server is asked.
    pub fn info_here(&self) -> Info {
        each!(self, near cache => cache.info())
    }

    /// All counters.
    pub fn stats(&self) -> Result<Stats> {
        each!(self, cache => Ok(cache.stats()), shared => cache.stats())
    }

    /// The configuration it was made with.
    pub fn config(&self) -> &Arc<Config> {
        each!(self, near cache => cache.config())
    }

    /// Whether a cache made with these options would be like this one.
    pub(super) fn has_options(&self, options: &Options) -> bool {
        match self {
            Cache::Disk(cache) => cache.has_options(options),
            here => each!(here, near cache => cache.is_full_as(options.max_bytes, options.on_full)),
        }
    }

    /// The prefixes that functions have taken on this cache.
    pub(super) fn prefixes(&self) -> &Prefixes {
        each!(self, near cache => cache.prefixes())
    }
}

impl From<TryArc<DictCache>> for Cache {
    fn from(cache: TryArc<DictCache>) -> Self {
        Cache::Dict(cache)
    }
}

impl From<TryArc<PurviewCache>> for Cache {
    fn from(cache: TryArc<PurviewCache>) -> Self {
        Cache::Purview(cache)
    }
}

impl From<TryArc<MiceCache>> for Cache {
    fn from(cache: TryArc<MiceCache>) -> Self {
        Cache::Mice(cache)
    }
}

impl From<TryArc<DiskCache>> for Cache {
    fn from(cache: TryArc<DiskCache>) -> Self {
        Cache::Disk(cache)
    }
}

impl From<TryArc<RedisCache>> for Cache {
    fn from(cache: TryArc<RedisCache>) -> Self {
        Cache::Redis(cache)
    }
}

/// The memory that a batch needs for each key, besides copies of it: places in lists, a draft, a name.
const BATCH_KEY: usize = 512;

/// Fails if a batch outside of this process cannot have the memory that it needs beside the values.
fn check_memory_of_batch<'k>(keys: impl Iterator<Item = &'k [u8]>) -> Result<()> {
    spare::check(keys.map(|key| BATCH_KEY + 4 * key.len()).sum())
}
