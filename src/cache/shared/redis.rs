//! Caches whose values are at a server, so that processes share them; and what of it is kept near, in this process.
//!
//! A Redis cache asks the server for every value: others may have changed it. The MICE of a system never change, so a MICE
//! cache keeps what it has fetched or stored, and asks once. A cut subsystem has no MICE of its own there: it looks at what
//! its uncut parent has near, or lets it fetch, and sees whether the cut damages it. In PyPhi's way, where the whole
//! database is ours, nothing is kept near, and a child asks for its own key first, then for its parent's.
//!
//! Threads of this process compute a missing value once, as in every cache; which of them that is, is found out before the
//! server is asked, so that it is asked by one thread for all. With leases the same holds between processes.

use std::cell::Cell;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::key_names::{Names, check_mice};
use super::near::{Kin, Near};
use super::polling::Looks;
use super::remote::{Claim, Content, Kept, Remote};
use crate::cache::lease::Waited;
use crate::cache::local::{LocalCache, Policy};
use crate::cache::{Info, Options, Origin, Refusal, Stats, Stored, Value};
use crate::config::Config;
use crate::epoch::Guard;
use crate::error::{Error, Result};
use crate::flight::{Begin, Flight, Flights, Owner, StorePermit};
use crate::iit::{Mice, Subsystem};
use crate::key::Fingerprint;
use crate::redis::Health;
use crate::sync::RwLock;
use crate::sync::TryArc;
use crate::table::{Draft, Inserted, OwnedEntry, Pinned};

/// A cache at a server.
pub struct RedisCache {
    /// What is in this process: values that were fetched or stored, computations that are going on, counts.
    near: LocalCache<Near>,
    remote: Remote,
    /// Counts what was taken out. What was fetched before may not be kept after.
    removals: RwLock<u64>,
    /// Held while a computed value goes to the server: a removal that begins meanwhile waits, and takes it out again.
    landings: RwLock<()>,
    /// Who waits for what other processes compute.
    looks: Looks,
}

impl RedisCache {
    /// A cache at the server of `config`: of anything, or of the values of one role of a system. Connects to nothing.
    pub fn redis(config: Arc<Config>, options: Options, role: Option<(&Fingerprint, &str)>) -> Result<TryArc<Self>> {
        let place = config.redis_place()?;
        let sealed = !options.remote.no_checksum;
        let names = match role {
            None => Names::anything(place.namespace, sealed),
            Some((system, role)) => Names::role(place.namespace, system, role, sealed),
        };
        let remote = Remote::new(place.server, names, options.remote, options.max_bytes);
        Self::new(remote, Near::default(), config, options)
    }

    /// The MICE of `subsystem` at the server of `config`, which a cut subsystem takes over from `parent`: a cache of the
    /// same system, uncut.
    pub fn mice(
        config: Arc<Config>,
        options: Options,
        subsystem: &Subsystem,
        parent: Option<&TryArc<RedisCache>>,
    ) -> Result<TryArc<Self>> {
        if let Some(parent) = parent {
            subsystem.check_parent(&parent.kin()?.subsystem)?;
        }
        let place = config.redis_place()?;
        let names = Names::mice(place.namespace, subsystem, !options.remote.no_checksum);
        let remote = Remote::new(place.server, names, options.remote, options.max_bytes);
        // An uncut subsystem has the names of its parent: it finds there all that the parent does.
        let parent = parent.filter(|_| subsystem.cut().is_some() || remote.is_whole()).cloned();
        Self::new(remote, Near { kin: Some(Kin::new(subsystem, parent)) }, config, options)
    }

    fn new(remote: Remote, near: Near, config: Arc<Config>, options: Options) -> Result<TryArc<Self>> {
        let near = LocalCache::new(near, config, options);
        let looks = Looks::new(options.remote.lease);
        TryArc::try_new(RedisCache { near, remote, removals: RwLock::default(), landings: RwLock::default(), looks })
    }

    /// What is in this process.
    pub fn near(&self) -> &LocalCache<Near> {
        &self.near
    }

    /// Whether its values are MICE.
    pub fn is_mice(&self) -> bool {
        self.near.policy().kin.is_some()
    }

    fn kin(&self) -> Result<&Kin> {
        self.near.policy().kin.as_ref().ok_or_else(|| Error::invalid("the cache is none of MICE"))
    }

    /// Whether what was fetched or stored is kept in this process: MICE of an uncut system, in a namespace.
    fn keeps_near(&self) -> bool {
        self.near.policy().kin.as_ref().is_some_and(|kin| !kin.is_cut()) && !self.remote.is_whole()
    }

    /// The subsystem whose MICE they are.
    pub fn subsystem(&self) -> Result<&Subsystem> {
        Ok(&self.kin()?.subsystem)
    }

    /// How the server is doing.
    pub fn health(&self) -> Health {
        self.remote.health()
    }

    fn removals(&self) -> u64 {
        *self.removals.read()
    }

    /// Keeps a value near, unless there is no room, or something was taken out since there were so many `removals`.
    fn keep(&self, fresh: OwnedEntry, removals: u64, replace: bool) -> (Pinned, bool) {
        if self.keeps_near() {
            let now = self.removals.read();
            if *now == removals {
                return self.near.keep(fresh, replace);
            }
        }
        (fresh.into_pinned(), false)
    }

    /// A place for a value from the server: in the table, if it may be kept there.
    fn draft<'k>(&'k self, key: &'k [u8]) -> Draft<'k> {
        Draft::new(key, self.keeps_near().then(|| self.near.table()))
    }

    /// Fetches what the server has under the draft's key; says whether it is a value of this cache. One that is not is
    /// counted, unless it has been.
    fn bring(&self, draft: &mut Draft, counted: &Cell<bool>) -> Result<bool> {
        let fetched = self.remote.fetch(draft)?;
        let whole = self.is_value(fetched, draft);
        if fetched != Content::Nothing && !whole && !counted.replace(true) {
            self.remote.count_damaged();
        }
        Ok(whole)
    }

    /// Whether the draft has what can be the value of its key.
    fn is_value(&self, fetched: Content, draft: &Draft) -> bool {
        let mice = || match self.remote.is_sealed() {
            // Sealed as it was stored, and checked before that.
            true => Mice::read(draft.value()),
            false => Mice::read_checked(draft.value()),
        };
        fetched == Content::Value && (!self.is_mice() || mice().is_ok_and(|mice| Names::fits(draft.key(), &mice)))
    }

    /// The value of a key that is not near, as the server has it, and kept near if it may be.
    fn fetch_own(&self, key: &[u8]) -> Result<Option<Pinned>> {
        let removals = self.removals();
        let mut draft = self.draft(key);
        match self.bring(&mut draft, &Cell::default())? {
            true => Ok(Some(self.keep(draft.finish()?, removals, false).0)),
            false => Ok(None),
        }
    }

    /// The value of a key that the cache does not find near; counts nothing.
    fn fetch(&self, key: &[u8]) -> Result<Option<Value>> {
        let kin = self.near.policy().kin.as_ref();
        let is_cut = kin.is_some_and(Kin::is_cut);
        let has_own = !is_cut || self.remote.is_whole();
        if let Some(entry) = has_own.then(|| self.fetch_own(key)).transpose()?.flatten() {
            return Ok(Some(Value { entry, origin: Origin::Hit }));
        }
        let Some((kin, parent)) = kin.and_then(|kin| Some((kin, kin.parent()?))) else { return Ok(None) };
        // What is near and was not inherited is damaged.
        if parent.near.contains(key) {
            return Ok(None);
        }
        let found = parent.fetch_own(key)?.filter(|entry| kin.keeps(entry.value()));
        Ok(found.map(|entry| Value { entry, origin: Origin::Parent }))
    }

    /// The value of `key`; counts a hit or a miss.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        match self.near.hit(key) {
            Some(value) => Ok(Some(value)),
            None => self.get_far(key),
        }
    }

    #[inline(never)]
    fn get_far(&self, key: &[u8]) -> Result<Option<Value>> {
        let found = self.fetch(key)?;
        self.near.count(found.is_some());
        Ok(found)
    }

    /// Copies the value of `key` into a buffer and tells its length; counts a hit or a miss, and nothing where the buffer
    /// is too small.
    pub fn get_into(&self, key: &[u8], buffer: &mut [u8]) -> Result<Option<usize>> {
        let near = self.near.peek(key);
        let found = near.map_or_else(|| self.fetch(key), |value| Ok(Some(value)))?;
        let copied = found.map(|value| crate::cache::local::copy(value.entry.value(), buffer)).transpose()?;
        self.near.count(copied.is_some());
        Ok(copied)
    }

    /// The value of `key`, as long as the section lasts, if values are kept near; counts a hit or a miss.
    pub fn look<'s>(&self, section: &'s Guard, key: &[u8]) -> Result<Option<&'s [u8]>> {
        let kin = self.near.policy().kin.as_ref();
        if kin.is_none() || self.remote.is_whole() {
            return Err(Error::Unsupported("values at a server cannot be read in place; use phicache_cache_get"));
        }
        let near = || self.near.find(section, &key.into());
        let keeper = kin.and_then(Kin::parent).unwrap_or(self);
        let removals = keeper.removals();
        let found = match near() {
            Some(found) => Some(found),
            None if self.fetch(key)?.is_none() => None,
            None => match near() {
                None if keeper.removals() != removals => None,
                // It was too much to keep.
                None => return Err(Error::OutOfMemory(key.len())),
                found => found,
            },
        };
        self.near.count(found.is_some());
        Ok(found.map(|found| found.entry.value()))
    }

    /// The values of many keys, in one round trip: `found` is told of each that is there, by its place. Counts a hit or a
    /// miss for each; where a failure is an error, only hits.
    pub fn get_many(&self, keys: &[&[u8]], mut found: impl FnMut(usize, Value)) -> Result<()> {
        let mut values: Vec<Option<Value>> = keys.iter().map(|key| self.near.peek(key)).collect();
        let missing: Vec<usize> = (0..keys.len()).filter(|at| values[*at].is_none()).collect();
        let asked: Vec<&[u8]> = missing.iter().map(|at| keys[*at]).collect();
        let (fetched, result) = self.fetch_many(&asked);
        for (at, value) in missing.into_iter().zip(fetched) {
            values[at] = value;
        }
        for (at, value) in values.into_iter().enumerate() {
            if value.is_some() || result.is_ok() {
                self.near.count(value.is_some());
            }
            value.into_iter().for_each(|value| found(at, value));
        }
        result
    }

    /// The values of many keys that are not near, and why some are missing that may be there; counts nothing.
    fn fetch_many(&self, keys: &[&[u8]]) -> (Vec<Option<Value>>, Result<()>) {
        let kin = self.near.policy().kin.as_ref();
        if kin.is_some() && self.remote.is_whole() {
            return each_of(keys.iter().map(|key| self.fetch(key)));
        }
        let Some(kin) = kin.filter(|kin| kin.is_cut()) else {
            let (own, result) = self.fetch_many_own(keys);
            let own = own.into_iter().map(|found| found.map(|entry| Value { entry, origin: Origin::Hit }));
            return (own.collect(), result);
        };
        let mut values: Vec<Option<Value>> = keys.iter().map(|_| None).collect();
        let Some(parent) = kin.parent() else { return (values, Ok(())) };
        let unknown: Vec<usize> = (0..keys.len()).filter(|at| !parent.near.contains(keys[*at])).collect();
        let asked: Vec<&[u8]> = unknown.iter().map(|at| keys[*at]).collect();
        let (own, result) = parent.fetch_many_own(&asked);
        for (at, found) in unknown.into_iter().zip(own) {
            let found = found.filter(|entry| kin.keeps(entry.value()));
            values[at] = found.map(|entry| Value { entry, origin: Origin::Parent });
        }
        (values, result)
    }

    fn fetch_many_own(&self, keys: &[&[u8]]) -> (Vec<Option<Pinned>>, Result<()>) {
        let removals = self.removals();
        let mut drafts: Vec<Draft> = keys.iter().map(|key| self.draft(key)).collect();
        let (fetched, asked) = self.remote.fetch_many(&mut drafts);
        let (values, taken) = each_of(drafts.into_iter().zip(fetched).map(|(draft, fetched)| {
            if self.is_value(fetched, &draft) {
                return Ok(Some(self.keep(draft.finish()?, removals, false).0));
            }
            if fetched != Content::Nothing {
                self.remote.count_damaged();
            }
            Ok(None)
        }));
        (values, asked.and(taken))
    }

    /// Whether `key` has a value; counts nothing.
    pub fn contains(&self, key: &[u8]) -> Result<bool> {
        if self.near.contains(key) {
            return Ok(true);
        }
        match self.near.policy().kin {
            None => self.remote.contains(key),
            // Only its record tells whether it is one, and whether the cut damages it.
            Some(_) => Ok(self.fetch(key)?.is_some()),
        }
    }

    /// Stores a value, over the one that the key may have; a refusal leaves that as it was.
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<Stored> {
        self.near.policy().check(key, value)?;
        match self.keeps_near() {
            true => self.set_with(key, |draft| draft.write(value)),
            false => self.set_far(key, value),
        }
    }

    /// Stores a value that is not kept near, from where it is: it may be long.
    fn set_far(&self, key: &[u8], value: &[u8]) -> Result<Stored> {
        match self.near.policy().refuses(value, self.near.config()) {
            Some(reason) => Ok(Err(self.near.refuse(reason))),
            None => Ok(self.settle(self.remote.store(key, value)?, false)),
        }
    }

    /// Stores a MICE, unless the subsystem is cut.
    pub fn set_mice(&self, key: &[u8], mice: &Mice) -> Result<Stored> {
        check_mice(key, mice)?;
        self.set_with(key, |draft| {
            mice.write(draft.reserve(mice.record_len())?);
            Ok(())
        })
    }

    fn set_with(&self, key: &[u8], write: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Stored> {
        if let Some(reason) = self.near.policy().refuses(&[], self.near.config()) {
            return Ok(Err(self.near.refuse(reason)));
        }
        let removals = self.removals();
        let mut draft = Draft::new(key, Some(self.near.table()));
        write(&mut draft)?;
        let fresh = draft.finish()?;
        let kept = self.remote.store(key, fresh.value())?;
        Ok(self.settle(kept, self.keep(fresh, removals, true).1))
    }

    /// What the caller is told: a value that is near is in the cache, even if the server failed.
    fn settle(&self, kept: Kept, near: bool) -> Stored {
        match kept {
            Kept::Failed if !near => Err(self.near.refuse(Refusal::Server)),
            Kept::TooLate => Err(self.near.refuse(Refusal::Cleared)),
            _ => {
                self.near.count_store();
                Ok(())
            }
        }
    }

    /// Stores many values in one round trip; tells of each what `set` would.
    pub fn set_many(&self, pairs: &[(&[u8], &[u8])]) -> Vec<Result<Stored>> {
        let policy = self.near.policy();
        let mut answers: Vec<Result<Stored>> =
            pairs.iter().map(|(key, value)| policy.check(key, value).map(Ok)).collect();
        let good: Vec<usize> = (0..pairs.len()).filter(|at| answers[*at].is_ok()).collect();
        if let Some(reason) = policy.refuses(&[], self.near.config()) {
            good.into_iter().for_each(|at| answers[at] = Ok(Err(self.near.refuse(reason))));
            return answers;
        }
        let removals = self.removals();
        let sent: Vec<(&[u8], &[u8])> = good.iter().map(|at| pairs[*at]).collect();
        let settle = |(key, value): (&[u8], &[u8]), kept| {
            let mut near = false;
            if self.keeps_near() {
                let mut draft = Draft::new(key, Some(self.near.table()));
                draft.write(value)?;
                near = self.keep(draft.finish()?, removals, true).1;
            }
            Ok(self.settle(kept, near))
        };
        for (at, kept) in good.into_iter().zip(self.remote.store_many(&sent)) {
            answers[at] = kept.and_then(|kept| settle(pairs[at], kept));
        }
        answers
    }

    /// What `set_mice` would answer.
    pub fn would_store(&self) -> Stored {
        self.near.policy().refuses(&[], self.near.config()).map_or(Ok(()), Err)
    }

    /// Says who computes `key`; counts a hit where it has a value, a miss where the caller is to compute. None where
    /// another process computes it and the caller is not `patient`.
    pub fn begin(&self, key: &[u8], owner: Owner, patient: bool) -> Result<Option<Begin<Value>>> {
        let flight = match self.near.begin_near(key, owner)? {
            Begin::Lease(flight) => flight,
            begun => return Ok(Some(begun)),
        };
        let claimed = self.claim(&flight, patient);
        match claimed {
            Ok(Claimed::Compute) => {
                self.near.count(false);
                Ok(Some(Begin::Lease(flight)))
            }
            Ok(Claimed::Value(value)) => {
                self.near.flights().complete(&flight, None, value.entry.clone(), Some(Inserted::Kept));
                self.near.count(true);
                Ok(Some(Begin::Found(value)))
            }
            Ok(Claimed::Busy) => {
                self.near.fail(&flight, None);
                Ok(None)
            }
            Err(error) => {
                self.near.fail(&flight, None);
                Err(error)
            }
        }
    }

    /// Asks the server, for all threads that wait for this flight; waits for other processes if it is `patient`.
    fn claim(&self, flight: &TryArc<Flight>, patient: bool) -> Result<Claimed> {
        let key = flight.key();
        if self.remote.is_whole() || self.near.policy().refuses(&[], self.near.config()).is_some() {
            // Such a value is not stored, or not with a lease.
            return Ok(self.fetch(key)?.map_or(Claimed::Compute, Claimed::Value));
        }
        let (began, counted) = (Instant::now(), Cell::default());
        loop {
            let removals = self.removals();
            let mut draft = self.draft(key);
            match self.remote.claim(flight, &mut draft, |draft| self.bring(draft, &counted))? {
                Claim::Found => {
                    let entry = self.keep(draft.finish()?, removals, false).0;
                    return Ok(Claimed::Value(Value { entry, origin: Origin::Hit }));
                }
                Claim::Compute => return Ok(Claimed::Compute),
                Claim::Busy if !patient => return Ok(Claimed::Busy),
                Claim::Busy => {}
            }
            thread::sleep(self.looks.pause(began.elapsed()));
        }
    }

    /// Waits for another process that computes `key`, at most for `time`.
    pub fn wait(&self, key: &[u8], time: Duration) -> Result<Waited> {
        let deadline = Instant::now() + time;
        loop {
            let pause = match self.looks.turn(key, Instant::now()) {
                Err(pause) => pause,
                Ok(()) => match self.look_for(key)? {
                    Waited::TimeOut => Duration::ZERO,
                    waited => {
                        self.looks.done(key);
                        return Ok(waited);
                    }
                },
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Waited::TimeOut);
            }
            thread::sleep(pause.min(left));
        }
    }

    /// Whether another process has computed `key`, or computes it still.
    fn look_for(&self, key: &[u8]) -> Result<Waited> {
        // Asked before the value: who completes it between the two questions is not taken for nobody.
        let claimed = self.remote.is_claimed(key)?;
        let near = self.near.peek(key);
        Ok(match near.map_or_else(|| self.fetch(key), |value| Ok(Some(value)))? {
            Some(value) => {
                self.near.count(true);
                Waited::Value(value)
            }
            None if claimed => Waited::TimeOut,
            None => Waited::Nobody,
        })
    }

    /// Ends a computation with a value, which is stored if it may be and handed to all who wait. Whatever the server does,
    /// the value is not lost.
    pub fn complete(&self, flight: &TryArc<Flight>, joined: Option<Owner>, draft: Draft) -> Result<Value> {
        self.near.policy().check(draft.key(), draft.value())?;
        let fresh = draft.finish()?;
        self.near.count_computation(flight);
        let refusal = self.near.policy().refuses(fresh.value(), self.near.config());
        // While this is ours nothing is taken out: what is stored here was begun before the next removal, and goes with it.
        let landing = self.landings.read();
        let (entry, stored) = match (refusal, flight.may()) {
            (None, StorePermit::Store) => {
                let kept = self.remote.complete(flight, fresh.value());
                let (entry, near) = match self.keeps_near() && kept != Kept::TooLate {
                    true => self.near.keep(fresh, false),
                    false => (fresh.into_pinned(), false),
                };
                (entry, self.settle(kept, near))
            }
            // It shares the fate of the one that was first.
            (None, StorePermit::Late(Some(_))) => (fresh.into_pinned(), Ok(())),
            (refusal, may) => {
                let invalidated = if may == StorePermit::Invalidated { Refusal::Cleared } else { Refusal::Server };
                (fresh.into_pinned(), Err(self.near.refuse(refusal.unwrap_or(invalidated))))
            }
        };
        drop(landing);
        if stored.is_err() {
            // Others need not wait until it runs out.
            self.remote.release(flight);
        }
        let inserted = stored.is_ok().then_some(Inserted::New);
        self.near.flights().complete(flight, joined, entry.clone(), inserted);
        let origin = stored.map_or_else(|reason| Origin::NotStored(Some(reason)), |()| Origin::Computed);
        Ok(Value { entry, origin })
    }

    /// Ends the computation of the owner, or of one who had `joined`, without a value.
    pub fn fail(&self, flight: &TryArc<Flight>, joined: Option<Owner>) {
        // Asked before: another who waits may take the flight over at once.
        let ticket = flight.ticket();
        if self.near.fail(flight, joined) {
            self.remote.release_ticket(flight.key(), ticket);
        }
    }

    /// Takes a value out; says whether there was one. A cut subsystem has none of its own.
    pub fn remove(&self, key: &[u8]) -> Result<bool> {
        self.take_out(|flights| flights.invalidate(key));
        let is_cut = self.near.policy().kin.as_ref().is_some_and(Kin::is_cut);
        let removed = if is_cut && !self.remote.is_whole() { Ok(false) } else { self.remote.remove(key) };
        // What was fetched before it was gone is not kept, and what was kept meanwhile goes.
        self.outdate();
        let near = self.near.table().remove(key);
        Ok(removed? || near)
    }

    /// Takes everything out and begins to count anew; a cut subsystem inherits no more.
    pub fn clear(&self) -> Result<()> {
        self.take_out(Flights::invalidate_all);
        let is_cut = self.near.policy().kin.as_ref().is_some_and(Kin::is_cut);
        let cleared = if is_cut && !self.remote.is_whole() { Ok(()) } else { self.remote.clear() };
        self.outdate();
        // What is near goes even if the server keeps its own.
        self.near.clear()?;
        self.remote.forget_damaged();
        cleared
    }

    /// What was begun before this is not stored after it.
    fn take_out(&self, doom: impl FnOnce(&Flights)) {
        let _landings = self.landings.write();
        self.outdate();
        doom(self.near.flights());
    }

    /// What was fetched before this is not kept after it.
    fn outdate(&self) {
        *self.removals.write() += 1;
    }

    /// The number of values: of a child, those that it inherits. Where the server fails and that is no error, 0.
    pub fn size(&self) -> Result<u64> {
        let size = match self.near.policy().kin.as_ref().filter(|kin| kin.is_cut() && !self.remote.is_whole()) {
            None => self.remote.len()?,
            Some(kin) => match kin.parent() {
                None => Some(0),
                Some(_) => self.remote.count(|value| Mice::read_checked(value).is_ok() && kin.keeps(value))?,
            },
        };
        Ok(size.unwrap_or(0))
    }

    /// Hits, misses, size: in PyPhi's way what the server has counted, for all its clients.
    pub fn info(&self) -> Result<Info> {
        let own = self.near.info_of(self.size()?);
        let counted = if self.remote.is_whole() { self.remote.statistics()? } else { None };
        Ok(counted.map_or(own, |counted| Info { hits: counted.hits, misses: counted.misses, ..own }))
    }

    /// All that is counted.
    pub fn stats(&self) -> Result<Stats> {
        let info = self.info()?;
        Ok(Stats { info, damaged: self.remote.damaged(), ..self.near.stats_of(info.size) })
    }
}

/// What there is of many values, and the first error among them.
fn each_of<T>(values: impl Iterator<Item = Result<Option<T>>>) -> (Vec<Option<T>>, Result<()>) {
    let mut result = Ok(());
    let take = |value: Result<Option<T>>| {
        value.unwrap_or_else(|error| {
            result = result.clone().and(Err(error));
            None
        })
    };
    let values = values.map(take).collect();
    (values, result)
}

/// How a value is had that is not near.
enum Claimed {
    Value(Value),
    Compute,
    Busy,
}
