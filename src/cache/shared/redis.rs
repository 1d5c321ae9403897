//! The backing at a Redis server: values under their names, sealed, in one scope of the database.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use super::backing::{Backing, Fetched, KeyClaim, LookupCounts, StoreOutcome};
use super::cache::{Residence, SharedCache};
use super::key_names::{KeyNaming, Pieces};
use super::polling;
use super::scope::{Namespace, Scope};
use super::seal;
use super::whole_database::WholeDatabase;
use crate::cache::options::{Options, RemoteOptions};
use crate::cache::value::Cost;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::iit::Subsystem;
use crate::key::Fingerprint;
use crate::memory::limit;
use crate::redis::{Answer, Cause, Deadline, Failure, Health, LONGEST_VALUE, Server, Store, Token, ValueSink};
use crate::sync::TryArc;
use crate::table::Draft;

/// A cache at a Redis server.
pub type RedisCache = SharedCache<Redis>;

impl RedisCache {
    /// A cache at the server of `config`: of any values, or of those of one role of a system. Connects to nothing.
    pub fn redis(config: Arc<Config>, options: Options, role: Option<(&Fingerprint, &str)>) -> Result<TryArc<Self>> {
        let location = config.redis_location()?;
        let sealed = !options.remote.no_checksum;
        let naming = match role {
            None => KeyNaming::anything(location.namespace, sealed),
            Some((system, role)) => KeyNaming::role(location.namespace, system, role, sealed),
        };
        let residence = Residence { near: false, own: true };
        Self::new(Redis::new(location.server, naming, &options), None, residence, config, options)
    }

    /// The MICE of `subsystem` at the server of `config`. A cut subsystem inherits them from `parent`: a cache of the
    /// same system, uncut. Connects to nothing.
    pub fn mice(
        config: Arc<Config>,
        options: Options,
        subsystem: &Subsystem,
        parent: Option<&TryArc<RedisCache>>,
    ) -> Result<TryArc<Self>> {
        let location = config.redis_location()?;
        let cut = subsystem.cut().is_some();
        // In the whole-database mode every lookup asks the server, and a cut subsystem has MICE of its own.
        let whole_database = location.namespace.is_none();
        let residence = Residence { near: !cut && !whole_database, own: !cut || whole_database };
        let lineage = Self::lineage(subsystem, parent, cut || whole_database)?;
        let naming = KeyNaming::mice(location.namespace, subsystem, !options.remote.no_checksum);
        Self::new(Redis::new(location.server, naming, &options), Some(lineage), residence, config, options)
    }

    /// The state of the server.
    pub fn health(&self) -> Health {
        self.backing().server.health()
    }
}

/// The values of one cache at a Redis server.
pub struct Redis {
    server: Arc<Server>,
    naming: KeyNaming,
    scope: Box<dyn Scope>,
    options: RemoteOptions,
    /// Identifies this cache as a holder of leases. The token of each computation is derived from it.
    token: Token,
    /// The longest value that is fetched.
    longest: usize,
}

/// A draft that receives a record from the server.
struct RecordSink<'d, 'k> {
    draft: &'d mut Draft<'k>,
    longest: usize,
}

impl ValueSink for RecordSink<'_, '_> {
    fn room(&mut self, len: usize) -> Result<&mut [u8]> {
        self.draft.reserve(len)
    }

    /// Whether the cache's maximum and the memory limit allow a value of this length.
    fn accepts(&self, len: usize) -> bool {
        len <= self.longest && limit::has_room(len as u64, 100.0)
    }
}

impl Redis {
    fn new(server: Arc<Server>, naming: KeyNaming, options: &Options) -> Self {
        let scope: Box<dyn Scope> = match (naming.leases(), naming.values()) {
            (Some(leases), Some(values)) => Box::new(Namespace { leases, values }),
            _ => Box::new(WholeDatabase),
        };
        let longest = options.max_bytes.map_or(usize::MAX, |longest| longest as usize);
        Redis { server, naming, scope, options: options.remote, token: Token::new(), longest }
    }

    fn scan_deadline(&self) -> Deadline {
        Deadline::after(self.options.scan.unwrap_or(RemoteOptions::SCAN))
    }

    /// The answer of the server; `None` if the server failed and failures are misses.
    fn forgive<T>(&self, answer: Answer<T>) -> Result<Option<T>> {
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(failure) if self.options.strict || is_callers(&failure) => Err(failure.into()),
            Err(_) => Ok(None),
        }
    }

    /// The record of a value.
    fn record<'v>(&self, key: &[u8], name: &[u8], value: &'v [u8], cost: Cost) -> Result<Cow<'v, [u8]>> {
        match self.naming.seals() {
            true => seal::record(name, self.naming.key_in_record(key), value, cost).map(Cow::from),
            false => Ok(value.into()),
        }
    }

    /// The number of bytes by which a record of `key` is longer than its value.
    fn overhead(&self, key: &[u8]) -> usize {
        if self.naming.seals() { seal::overhead(self.naming.key_in_record(key)) } else { 0 }
    }

    fn sink<'d, 'k>(&self, draft: &'d mut Draft<'k>) -> RecordSink<'d, 'k> {
        let longest = self.longest.saturating_add(self.overhead(draft.key()));
        RecordSink { draft, longest }
    }

    /// Truncates the record in a draft to its value, if the seal is valid.
    fn open(&self, name: &[u8], draft: &mut Draft) -> Result<Fetched> {
        if !self.naming.seals() {
            return Ok(Fetched::Value(Cost::UNKNOWN));
        }
        match seal::open(name, self.naming.key_in_record(draft.key()), draft.value()) {
            Some((len, cost)) => draft.truncate(len).map(|()| Fetched::Value(cost)),
            None => Ok(Fetched::Damaged),
        }
    }

    /// Fails for a key or value that is too long for a server, before anything is sent.
    fn check_size(&self, key: &[u8], value: &[u8]) -> Result<()> {
        let overhead = self.overhead(key);
        match key.len().max(value.len().saturating_add(overhead)) <= LONGEST_VALUE {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "a value of {} bytes under a key of {}; a Redis server holds at most {LONGEST_VALUE} (512 MB) under \
                 one key, and the record takes {overhead} of them",
                value.len(),
                key.len(),
            ))),
        }
    }

    /// The name of the lease of a key, if the cache has leases.
    fn lease(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.options.lease.and_then(|_| self.naming.lease(key))
    }

    fn has_value(&self, name: &[u8], record: &[u8], counts: &dyn Fn(&[u8]) -> bool) -> bool {
        match self.naming.seals() {
            true => seal::value(name, KeyNaming::has_digest(name), record).is_some_and(counts),
            false => counts(record),
        }
    }
}

impl Backing for Redis {
    fn get(&self, draft: &mut Draft) -> Result<Fetched> {
        let name = self.naming.value(draft.key());
        match self.forgive(self.server.get_into(&name, &mut self.sink(draft)))?.unwrap_or(false) {
            true => self.open(&name, draft),
            false => Ok(Fetched::Nothing),
        }
    }

    fn get_many(&self, drafts: &mut [Draft]) -> (Vec<Fetched>, Result<()>) {
        let names = self.naming.values_of(drafts.iter().map(Draft::key));
        let names: Vec<&[u8]> = names.iter().collect();
        let mut sinks: Vec<RecordSink> = drafts.iter_mut().map(|draft| self.sink(draft)).collect();
        let (found, failure) = self.server.get_many_into(&names, &mut sinks);
        let mut result = self.forgive(failure.map_or(Ok(()), Err)).map(drop);
        let mut open = |((draft, name), found): ((&mut Draft, &&[u8]), bool)| match found {
            false => Fetched::Nothing,
            true => self.open(name, draft).unwrap_or_else(|error| {
                result = result.clone().and(Err(error));
                Fetched::Nothing
            }),
        };
        let fetched = drafts.iter_mut().zip(&names).zip(found).map(&mut open).collect();
        (fetched, result)
    }

    fn verifies(&self) -> bool {
        self.naming.seals()
    }

    fn contains(&self, key: &[u8]) -> Result<bool> {
        Ok(self.forgive(self.server.exists(&self.naming.value(key)))?.unwrap_or(false))
    }

    fn set(&self, key: &[u8], value: &[u8], cost: Cost) -> Result<StoreOutcome> {
        self.check_size(key, value)?;
        let name = self.naming.value(key);
        let store = Store { ttl: self.options.ttl, only_new: false };
        let stored = self.forgive(self.server.set(&name, &self.record(key, &name, value, cost)?, store))?;
        Ok(stored.map_or(StoreOutcome::Failed, |_| StoreOutcome::Stored))
    }

    fn set_many(&self, pairs: &[(&[u8], &[u8])]) -> Vec<Result<StoreOutcome>> {
        let checked = pairs.iter().map(|(key, value)| self.check_size(key, value).map(|()| StoreOutcome::Failed));
        let mut outcomes: Vec<Result<StoreOutcome>> = checked.collect();
        let fit: Vec<usize> = (0..pairs.len()).filter(|at| outcomes[*at].is_ok()).collect();
        let names = self.naming.values_of(fit.iter().map(|at| pairs[*at].0));
        let named = || names.iter().zip(fit.iter().map(|at| pairs[*at]));
        let bytes = |(_, (key, value)): (&[u8], (&[u8], &[u8]))| value.len() + self.overhead(key);
        let mut records = match Pieces::with_room(if self.naming.seals() { named().map(bytes).sum() } else { 0 }) {
            Ok(records) => records,
            Err(error) => {
                fit.into_iter().for_each(|at| outcomes[at] = Err(error.clone()));
                return outcomes;
            }
        };
        let sent: Vec<(&[u8], &[u8])> = match self.naming.seals() {
            true => {
                for (name, (key, value)) in named() {
                    records
                        .push(|record| seal::write(name, self.naming.key_in_record(key), value, Cost::UNKNOWN, record));
                }
                names.iter().zip(records.iter()).collect()
            }
            false => named().map(|(name, (_, value))| (name, value)).collect(),
        };
        let store = Store { ttl: self.options.ttl, only_new: false };
        let (stored, failure) = self.server.set_many(&sent, store);
        let failed = self.forgive(failure.map_or(Ok(()), Err)).map(|_| StoreOutcome::Failed);
        for (at, stored) in fit.into_iter().zip(stored) {
            outcomes[at] = if stored { Ok(StoreOutcome::Stored) } else { failed.clone() };
        }
        outcomes
    }

    fn remove(&self, key: &[u8]) -> Result<bool> {
        if let Some(lease) = self.lease(key) {
            self.server.remove(&lease)?;
        }
        Ok(self.server.remove(&self.naming.value(key))?)
    }

    fn clear(&self) -> Result<()> {
        Ok(self.scope.clear(&self.server, self.scan_deadline())?)
    }

    fn size(&self) -> Result<Option<u64>> {
        self.forgive(self.scope.size(&self.server, self.scan_deadline()))
    }

    fn count(&self, counts: &dyn Fn(&[u8]) -> bool) -> Result<Option<u64>> {
        let (mut seen, hasher, mut number) = (HashSet::new(), RandomState::new(), 0);
        let scanned = self.scope.scan(&self.server, self.scan_deadline(), &mut |names| {
            // A server that resizes its table may return a name twice.
            let new: Vec<&[u8]> = names.iter().copied().filter(|name| seen.insert(hasher.hash_one(name))).collect();
            let batch = self.server.get_many(&new);
            let records = new.iter().zip(&batch.values);
            let counted = records
                .filter(|(name, record)| record.as_ref().is_some_and(|record| self.has_value(name, record, counts)));
            number += counted.count() as u64;
            batch.failure.map_or(Ok(()), Err)
        });
        Ok(self.forgive(scanned)?.map(|()| number))
    }

    fn lookups(&self) -> Result<Option<LookupCounts>> {
        Ok(self.forgive(self.scope.lookups(&self.server))?.flatten())
    }

    fn longest_pause(&self) -> Duration {
        self.options.lease.map_or(polling::UNHURRIED, polling::part_of)
    }

    fn claim(&self, key: &[u8], computation: u64) -> Result<KeyClaim> {
        let (Some(ttl), Some(lease)) = (self.options.lease, self.lease(key)) else { return Ok(KeyClaim::None) };
        let acquired = self.server.acquire(&lease, &self.token.of_flight(computation), ttl);
        Ok(match self.forgive(acquired)? {
            // A server that fails makes every process compute.
            None => KeyClaim::Unknown,
            Some(true) => KeyClaim::Granted,
            Some(false) => KeyClaim::Taken,
        })
    }

    fn is_claimed(&self, key: &[u8]) -> Result<bool> {
        let Some(lease) = self.lease(key) else { return Ok(false) };
        Ok(self.forgive(self.server.exists(&lease))?.unwrap_or(false))
    }

    fn complete(&self, key: &[u8], computation: u64, claim: KeyClaim, value: &[u8], cost: Cost) -> StoreOutcome {
        if self.check_size(key, value).is_err() {
            return StoreOutcome::Failed;
        }
        let name = self.naming.value(key);
        let Ok(record) = self.record(key, &name, value, cost) else { return StoreOutcome::Failed };
        let ttl = self.options.ttl;
        let answer = match self.lease(key) {
            Some(lease) if claim == KeyClaim::Granted => {
                self.server.complete(&lease, &self.token.of_flight(computation), &name, &record, ttl)
            }
            lease => self.server.set(&name, &record, Store { ttl, only_new: lease.is_some() }).map(|_| true),
        };
        match answer {
            Ok(true) => StoreOutcome::Stored,
            Ok(false) => StoreOutcome::Superseded,
            Err(_) => StoreOutcome::Failed,
        }
    }

    fn release(&self, key: &[u8], computation: u64, claim: KeyClaim) {
        if let (KeyClaim::Granted | KeyClaim::Unknown, Some(lease)) = (claim, self.lease(key)) {
            // If that fails, the lease expires.
            let _ = self.server.release(&lease, &self.token.of_flight(computation));
        }
    }
}

/// Whether the caller or this machine caused the failure, not the server.
fn is_callers(failure: &Failure) -> bool {
    matches!(failure.cause, Cause::Invalid(_))
}
