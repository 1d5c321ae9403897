//! The cache types, and functions with a cache.
//!
//! | file | its one idea |
//! |---|---|
//! | `entries.rs` | the mechanism that all in-process caches share: look up, admit, store, count |
//! | `memoize.rs` | looking up, and computing on a miss, once |
//! | `counters.rs` | what a cache counts |
//! | `dict.rs` | the plain cache, and the one that equal fingerprints share |
//! | `purview.rs` | lists of purviews, by direction and mechanism |
//! | `mice.rs` | MICE, which a cut subsystem inherits from its uncut parent |
//! | `redis.rs` | values at a server, which processes share |
//! | `near.rs` | what of them is kept in this process |
//! | `remote.rs` | what lies behind that: the keys of one cache at a server, and what its failures mean |
//! | `names.rs` | what keys are called there |
//! | `seal.rs` | what ties a value there to its name |
//! | `looks.rs` | how often one looks whether another process has computed what one waits for |
//! | `lease.rs` | computing a value without a callback: begin, complete or abandon, wait |
//! | `memo.rs` | a function with its cache; a method that uses its object's cache |
//!
//! To add a cache type, write its [`Policy`]: what it refuses, what it inherits, what clearing means.

mod counters;
mod dict;
mod lease;
mod local;
mod memo;
mod memoize;
mod mice;
mod purview;
pub mod registry;
pub mod shared;

pub use counters::{Info, Stats};
pub use dict::{DictCache, Holder, shared as shared_dict};
pub use lease::{Lease, Started, Waited};
pub use local::{Fast, Found, LocalCache, Policy};
pub use memo::{Claim, Memo, Method, MethodLookup, not_stored};
pub use memoize::{Lookup, Pending};
pub use mice::MiceCache;
pub use purview::PurviewCache;
pub use shared::redis::RedisCache;
pub use shared::remote::RemoteOptions;

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::epoch::Guard;
use crate::error::Result;
use crate::flight::{Begin, Flight, Owner};
use crate::sync::TryArc;
use crate::table::{Draft, Pinned, Table};

/// Why a value was not stored: a normal outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The subsystem is cut.
    Cut,
    /// φ is not positive.
    Phi,
    /// The memory limit is reached.
    Memory,
    /// Caching of this kind is switched off.
    Disabled,
    /// The cache holds as many bytes as it may.
    Capacity,
    /// The key was removed, or the cache cleared, while the value was computed; or its lease ran out.
    Cleared,
    /// The server failed.
    Server,
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was in the cache.
    Hit,
    /// It was computed by this call, and stored.
    Computed,
    /// It was computed by another, for whom this call waited.
    Waited,
    /// It was inherited from the cache's parent.
    Parent,
    /// It was computed by this call and not stored; the reason, or none when no memory was left for the table.
    NotStored(Option<Refusal>),
}

/// A pinned value and where it came from.
pub struct Value {
    /// The entry.
    pub entry: Pinned,
    /// Where it came from.
    pub origin: Origin,
}

/// What a store answers: nothing, or why it was refused.
pub type Stored = std::result::Result<(), Refusal>;

/// What a cache may be given when it is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// The most bytes it may hold in this process.
    pub max_bytes: Option<u64>,
    /// What concerns only caches at a server.
    pub remote: RemoteOptions,
}

/// Any cache: what memos and methods work on.
#[derive(Clone)]
pub enum Cache {
    /// A plain cache.
    Dict(TryArc<DictCache>),
    /// A purview cache.
    Purview(TryArc<PurviewCache>),
    /// A MICE cache.
    Mice(TryArc<MiceCache>),
    /// A cache at a server, of MICE or of anything.
    Redis(TryArc<RedisCache>),
}

/// The same expression for whichever cache it is; another one for those at a server, if it is given.
macro_rules! each {
    ($self:expr, $cache:ident => $expression:expr, redis => $far:expr) => {
        match $self {
            Cache::Dict($cache) => $expression,
            Cache::Purview($cache) => $expression,
            Cache::Mice($cache) => $expression,
            Cache::Redis($cache) => $far,
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
        }
    };
}

impl Cache {
    /// The value of `key`; counts a hit or a miss.
    #[inline(always)]
    pub fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        each!(self, cache => Ok(cache.get(key)), redis => cache.get(key))
    }

    /// As [`Cache::get`], in the usual case; None in any other: then nothing has happened.
    #[inline(always)]
    pub fn try_fast_get(&self, key: &[u8]) -> Fast<Value> {
        each!(self, cache => cache.try_fast_get(key),
            redis => cache.near().try_fast_hit(key).map_or(Fast::Slow, Fast::Hit))
    }

    /// As [`Cache::hit`], in the usual case.
    #[inline(always)]
    pub fn try_fast_hit(&self, key: &[u8]) -> Option<Value> {
        each!(self, near cache => cache.try_fast_hit(key))
    }

    /// As [`LocalCache::read`], in the usual case.
    #[inline(always)]
    pub fn try_fast_read<R>(&self, key: &[u8], look: impl FnOnce(&[u8]) -> Option<R>) -> Fast<R> {
        match self {
            // What is not near would be counted as a miss.
            Cache::Redis(_) => Fast::Slow,
            near => each!(near, near cache => cache.try_fast_read(key, look)),
        }
    }

    /// As [`Cache::look`], in the usual case.
    #[inline(always)]
    pub fn try_fast_look<'s>(&self, section: &'s Guard, key: &[u8]) -> Fast<&'s [u8]> {
        match self {
            // What is not near would be counted as a miss.
            Cache::Redis(_) => Fast::Slow,
            near => each!(near, near cache => cache.try_fast_look(section, key)),
        }
    }

    /// Copies the value of `key` into a buffer and tells its length; counts as [`Cache::get`] does.
    #[inline(always)]
    pub fn get_into(&self, key: &[u8], buffer: &mut [u8]) -> Result<Option<usize>> {
        each!(self, cache => cache.get_into(key, buffer), redis => cache.get_into(key, buffer))
    }

    /// The value of `key`, as long as the section lasts; counts a hit or a miss.
    #[inline(always)]
    pub fn look<'s>(&self, section: &'s Guard, key: &[u8]) -> Result<Option<&'s [u8]>> {
        each!(self, cache => Ok(cache.look(section, key)), redis => cache.look(section, key))
    }

    /// The values of many keys: `found` is told of each that is there, by its place. Counts a hit or a miss for each. What
    /// fails for some keys, such as a server, takes nothing away from the others: `found` has been told of them.
    #[inline(always)]
    pub fn get_many<'k>(
        &self,
        keys: impl Iterator<Item = &'k [u8]>,
        mut found: impl FnMut(usize, Value),
    ) -> Result<()> {
        each!(self, cache => {
            cache.get_many(keys, |at, section, value| found(at, value.pin(section)));
            Ok(())
        }, redis => cache.get_many(&keys.collect::<Vec<_>>(), found))
    }

    /// As [`Cache::get_many`]; the values are there as long as the section lasts.
    #[inline(always)]
    pub fn look_many<'s, 'k>(
        &self,
        section: &'s Guard,
        keys: impl Iterator<Item = &'k [u8]>,
        mut found: impl FnMut(usize, &[u8]),
    ) -> Result<()> {
        each!(self, cache => {
            cache.get_many(keys, |at, _, value| found(at, value.entry.value()));
            Ok(())
        }, redis => {
            let mut result = Ok(());
            for (at, key) in keys.enumerate() {
                match cache.look(section, key) {
                    Ok(value) => value.into_iter().for_each(|value| found(at, value)),
                    Err(error) => result = result.and(Err(error)),
                }
            }
            result
        })
    }

    /// Whether `key` has a value; counts nothing.
    pub fn contains(&self, key: &[u8]) -> Result<bool> {
        each!(self, cache => Ok(cache.contains(key)), redis => cache.contains(key))
    }

    /// Stores a value.
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<Stored> {
        each!(self, cache => cache.set(key, value), redis => cache.set(key, value))
    }

    /// Stores many values, at a server in one round trip; tells of each what `set` would.
    pub fn set_many(&self, pairs: &[(&[u8], &[u8])]) -> Vec<Result<Stored>> {
        each!(self, cache => pairs.iter().map(|(key, value)| cache.set(key, value)).collect(),
            redis => cache.set_many(pairs))
    }

    /// The value of `key`, if this process has one: counts a hit, or nothing.
    #[inline(never)]
    pub fn hit(&self, key: &[u8]) -> Option<Value> {
        each!(self, near cache => cache.hit(key))
    }

    /// Says who computes `key`; counts a hit where it has a value, a miss where the caller is to compute. None where
    /// another process computes it and the caller is not `patient`.
    fn begin(&self, key: &[u8], owner: Owner, patient: bool) -> Result<Option<Begin<Value>>> {
        each!(self, cache => cache.begin(key, owner).map(Some), redis => cache.begin(key, owner, patient))
    }

    /// The computation of `key` that is going on in this process.
    fn flight(&self, key: &[u8]) -> Option<TryArc<Flight>> {
        each!(self, near cache => cache.flight(key))
    }

    /// Waits for another process that computes `key`, at most for `time`.
    fn wait(&self, key: &[u8], time: Duration) -> Result<Waited> {
        each!(self, cache => Ok(cache.hit(key).map_or(Waited::Nobody, Waited::Value)), redis => cache.wait(key, time))
    }

    /// The value that another has computed, for a caller that waited.
    fn waited(&self, entry: Pinned) -> Value {
        each!(self, near cache => cache.waited(entry))
    }

    /// Counts a miss of a caller that computes without a lease.
    fn miss(&self) {
        each!(self, near cache => cache.miss());
    }

    /// Ends the computation of the flight's owner, or of one who had `joined`, with a value. Where that fails, the
    /// computation has failed, and is counted so; it is to be ended without a value then.
    fn complete(&self, flight: &TryArc<Flight>, joined: Option<Owner>, draft: Draft, maximum: f64) -> Result<Value> {
        let landed = each!(self, cache => cache.complete(flight, joined, draft, maximum),
            redis => cache.complete(flight, joined, draft));
        landed.inspect_err(|_| self.failure())
    }

    /// Ends the computation of the flight's owner, or of one who had `joined`, without a value.
    fn fail(&self, flight: &TryArc<Flight>, joined: Option<Owner>) {
        each!(self, cache => drop(cache.fail(flight, joined)), redis => cache.fail(flight, joined));
    }

    /// Passes on a flight that its owner gave up: for one who was chosen to take it over, and did not.
    fn pass_on(&self, flight: &TryArc<Flight>) {
        each!(self, near cache => cache.flights().pass_on(flight));
    }

    /// Counts a computation that failed.
    fn failure(&self) {
        each!(self, near cache => cache.failure());
    }

    /// Whether both are the same cache.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Cache::Dict(a), Cache::Dict(b)) => a.is_same(b),
            (Cache::Purview(a), Cache::Purview(b)) => a.is_same(b),
            (Cache::Mice(a), Cache::Mice(b)) => a.is_same(b),
            (Cache::Redis(a), Cache::Redis(b)) => a.is_same(b),
            _ => false,
        }
    }

    /// Takes a value out; says whether there was one.
    pub fn remove(&self, key: &[u8]) -> Result<bool> {
        each!(self, cache => Ok(cache.remove(key)), redis => cache.remove(key))
    }

    /// Takes everything out and begins to count anew.
    pub fn clear(&self) -> Result<()> {
        each!(self, cache => cache.clear(), redis => cache.clear())
    }

    /// The number of values.
    pub fn size(&self) -> Result<u64> {
        each!(self, cache => Ok(cache.size()), redis => cache.size())
    }

    /// Hits, misses, size.
    pub fn info(&self) -> Result<Info> {
        each!(self, cache => Ok(cache.info()), redis => cache.info())
    }

    /// Hits, misses, and the values in this process: what can be told without asking anybody.
    pub fn info_here(&self) -> Info {
        each!(self, near cache => cache.info())
    }

    /// All that is counted.
    pub fn stats(&self) -> Result<Stats> {
        each!(self, cache => Ok(cache.stats()), redis => cache.stats())
    }

    /// The configuration it was made with.
    pub fn config(&self) -> &Arc<Config> {
        each!(self, near cache => cache.config())
    }

    /// Where its values are, as far as they are in this process.
    fn table(&self) -> &Table {
        each!(self, near cache => cache.table())
    }

    /// The prefixes that memos have taken here.
    fn prefixes(&self) -> &memo::Prefixes {
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

impl From<TryArc<RedisCache>> for Cache {
    fn from(cache: TryArc<RedisCache>) -> Self {
        Cache::Redis(cache)
    }
}
