//! The backing in a directory: the values of one identity and role, in files that processes share.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::backing::{Backing, Fetched, KeyClaim, StoreOutcome};
use super::cache::{Residence, SharedCache};
use super::polling;
use crate::cache::options::{DiskOptions, Options};
use crate::cache::value::{Cost, Origin, Refusal, Value};
use crate::config::Config;
use crate::disk::{self, Bundle, Claimed, Entry, Evicted, Lookup, Outcome, Space, Stored};
use crate::error::{Error, Result};
use crate::iit::Subsystem;
use crate::key::Fingerprint;
use crate::memory::limit;
use crate::sync::TryArc;
use crate::table::{Draft, Reservation};

/// A cache in files.
pub type DiskCache = SharedCache<Disk>;

impl DiskCache {
    /// A cache of the values of one role of a system, in the directory of `config`. Lists of the directory show the
    /// `context`.
    pub fn disk(
        config: Arc<Config>,
        options: Options,
        identity: &Fingerprint,
        role: &str,
        context: Option<&[u8]>,
    ) -> Result<TryArc<Self>> {
        if role.is_empty() {
            return Err(Error::invalid("the role is empty; say what the values are, such as \"repertoires\""));
        }
        let backing = Disk::new(&config.disk_directory()?, &options, identity, role, context)?;
        Self::new(backing, None, Residence { near: true, own: true }, config, near_options(options))
    }

    /// A cache of the values of a bundle, which are only read.
    pub(in crate::cache) fn of_bundle(config: Arc<Config>, options: Options, bundle: Bundle) -> Result<TryArc<Self>> {
        let backing = Disk { space: Arc::new(Space::of_bundle(bundle)?), strict: options.disk.strict };
        Self::new(backing, None, Residence { near: true, own: true }, config, near_options(options))
    }

    /// The MICE of `subsystem`, in the directory of `config`. A cut subsystem inherits them from `parent`: a cache of
    /// the same system, uncut, which decides where they are.
    pub fn disk_mice(
        config: Arc<Config>,
        options: Options,
        subsystem: &Subsystem,
        parent: Option<&TryArc<Self>>,
    ) -> Result<TryArc<Self>> {
        let cut = subsystem.cut().is_some();
        let lineage = Self::lineage(subsystem, parent, cut)?;
        let backing = match parent {
            Some(parent) if cut => parent.backing().clone(),
            _ => Disk::new(&config.disk_directory()?, &options, subsystem.fingerprint(), Self::MICE, None)?,
        };
        Self::new(backing, Some(lineage), Residence { near: !cut, own: !cut }, config, near_options(options))
    }

    /// The role of MICE, which no other cache has.
    pub(in crate::cache) const MICE: &'static str = "phicache.mice";

    /// The values in files.
    pub fn space(&self) -> &Space {
        &self.backing().space
    }

    /// Whether it was made with these options.
    pub(in crate::cache) fn has_options(&self, options: &Options) -> bool {
        *self.space().options() == space_options(options)
            && self.near().is_full_as(Some(near_bytes(options)), options.on_full)
            && self.backing().strict == options.disk.strict
    }

    /// All keys, as numbers that [`DiskCache::numbered`] understands.
    pub(in crate::cache) fn numbers(&self) -> Result<Vec<u64>> {
        match self.has_own {
            true => Ok(self.backing().forgive(self.space().hashes())?.unwrap_or_default()),
            false => Ok(Vec::new()),
        }
    }

    /// The entry with a number, if it is still there.
    pub(in crate::cache) fn numbered(&self, number: u64) -> Result<Option<(Value, Cost)>> {
        let Some((Lookup::Found(found), key)) = self.backing().forgive(self.space().find_hash(number))? else {
            return Ok(None);
        };
        let cost = Cost::of_ns(found.cost_ns);
        let mut draft = Draft::resume(&key, None, Reservation::default());
        let room = draft.reserve(found.len())?;
        match self.backing().forgive(self.space().read(&key, found, room))? {
            None | Some(false) => Ok(None),
            Some(true) => Ok(Some((Value { entry: draft.finish()?.into_pinned(), origin: Origin::Hit }, cost))),
        }
    }
}

/// The values of one cache in files.
#[derive(Clone)]
pub struct Disk {
    /// The caches of cut subsystems share that of their parent.
    space: Arc<Space>,
    /// Whether a failed file operation is an error.
    strict: bool,
}

impl Disk {
    fn new(
        directory: &Path,
        options: &Options,
        identity: &Fingerprint,
        role: &str,
        context: Option<&[u8]>,
    ) -> Result<Self> {
        let least = disk::Options::LEAST_BYTES;
        if let Some(given) = options.max_bytes.filter(|given| *given < least) {
            return Err(Error::invalid(format!(
                "options->max_bytes is {given}; it bounds the directory of a disk cache, and is at least {least} (1 \
                 MiB); near_bytes bounds the memory"
            )));
        }
        let space = Space::open(directory, &identity.0, role, space_options(options))?;
        let space = match context {
            Some(context) => space.with_context(context),
            None => space,
        };
        Ok(Disk { space: Arc::new(space), strict: options.disk.strict })
    }

    /// What a file operation returned; `None` if it failed and failures are misses.
    fn forgive<T>(&self, outcome: Outcome<T>) -> Result<Option<T>> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(failure) if self.strict => Err(failure.into()),
            Err(_) => Ok(None),
        }
    }

    fn outcome(&self, stored: Outcome<Stored>) -> Result<StoreOutcome> {
        Ok(match self.forgive(stored)? {
            Some(Stored::Stored) => StoreOutcome::Stored,
            Some(Stored::TooLong) => StoreOutcome::Refused(Refusal::Capacity),
            Some(Stored::ReadOnly) => StoreOutcome::Refused(Refusal::Disabled),
            None => StoreOutcome::Refused(Refusal::Storage),
        })
    }
}

/// The options of the near cache.
fn near_options(options: Options) -> Options {
    Options { max_bytes: Some(near_bytes(&options)), ..options }
}

fn near_bytes(options: &Options) -> u64 {
    options.disk.near_bytes.unwrap_or(DiskOptions::NEAR_BYTES)
}

fn space_options(options: &Options) -> disk::Options {
    let default = disk::Options::default();
    disk::Options {
        max_bytes: options.max_bytes,
        refresh: options.disk.refresh.unwrap_or(default.refresh),
        read_only: options.disk.read_only,
        sync: options.disk.sync,
        trust_group: options.disk.trust_group,
        lease: options.remote.lease,
    }
}

impl Backing for Disk {
    fn get(&self, draft: &mut Draft) -> Result<Fetched> {
        let found = match self.forgive(self.space.find(draft.key()))? {
            None | Some(Lookup::Nothing) => return Ok(Fetched::Nothing),
            Some(Lookup::Damaged) => return Ok(Fetched::Damaged),
            Some(Lookup::Found(found)) => found,
        };
        if !limit::has_room(found.len() as u64, 100.0) {
            return Ok(Fetched::Nothing);
        }
        let (key, cost) = (draft.key(), Cost::of_ns(found.cost_ns));
        let room = draft.reserve(found.len())?;
        Ok(match self.forgive(self.space.read(key, found, room))? {
            None => Fetched::Nothing,
            Some(false) => Fetched::Damaged,
            Some(true) => Fetched::Value(cost),
        })
    }

    fn get_many(&self, drafts: &mut [Draft]) -> (Vec<Fetched>, Result<()>) {
        let mut result = Ok(());
        let fetched = drafts
            .iter_mut()
            .map(|draft| {
                self.get(draft).unwrap_or_else(|error| {
                    result = result.clone().and(Err(error));
                    Fetched::Nothing
                })
            })
            .collect();
        (fetched, result)
    }

    fn verifies(&self) -> bool {
        true
    }

    fn is_read_only(&self) -> bool {
        self.space.options().read_only
    }

    fn contains(&self, key: &[u8]) -> Result<bool> {
        Ok(self.forgive(self.space.contains(key))?.unwrap_or(false))
    }

    fn set(&self, key: &[u8], value: &[u8], cost: Cost) -> Result<StoreOutcome> {
        self.outcome(self.space.store(Entry { key, value, cost_ns: cost.ns() }))
    }

    fn set_many(&self, pairs: &[(&[u8], &[u8])]) -> Vec<Result<StoreOutcome>> {
        let entries: Vec<Entry> = pairs.iter().map(|(key, value)| Entry { key, value, cost_ns: 0 }).collect();
        let mut outcomes = Vec::with_capacity(pairs.len());
        self.space.store_many(&entries, |_, stored| outcomes.push(self.outcome(stored)));
        outcomes
    }

    fn remove(&self, key: &[u8]) -> Result<bool> {
        self.space.remove(key)
    }

    fn clear(&self) -> Result<()> {
        self.space.clear()
    }

    fn size(&self) -> Result<Option<u64>> {
        self.forgive(self.space.len())
    }

    fn count(&self, counts: &dyn Fn(&[u8]) -> bool) -> Result<Option<u64>> {
        let Some(hashes) = self.forgive(self.space.hashes())? else { return Ok(None) };
        let (mut number, mut value) = (0, Vec::new());
        for hash in hashes {
            let Some((Lookup::Found(found), key)) = self.forgive(self.space.find_hash(hash))? else { continue };
            value.clear();
            value.try_reserve(found.len()).map_err(|_| Error::OutOfMemory(found.len()))?;
            value.resize(found.len(), 0);
            let read = self.forgive(self.space.read(&key, found, &mut value))?.unwrap_or(false);
            number += u64::from(read && counts(&value));
        }
        Ok(Some(number))
    }

    fn evicted(&self) -> Option<Evicted> {
        Some(self.space.health().evicted())
    }

    fn longest_pause(&self) -> Duration {
        let lease = self.space.options().lease.unwrap_or(Duration::MAX);
        // When a process of this host is gone, others notice it with their next question.
        polling::part_of(lease).min(Duration::from_secs(1))
    }

    fn claim(&self, key: &[u8], computation: u64) -> Result<KeyClaim> {
        Ok(match self.space.claim(key, computation) {
            Claimed::Granted => KeyClaim::Granted,
            Claimed::Taken => KeyClaim::Taken,
            Claimed::Futile | Claimed::Unavailable => KeyClaim::None,
        })
    }

    fn is_claimed(&self, key: &[u8]) -> Result<bool> {
        Ok(self.space.is_claimed(key))
    }

    fn complete(&self, key: &[u8], computation: u64, claim: KeyClaim, value: &[u8], cost: Cost) -> StoreOutcome {
        if claim == KeyClaim::Granted && self.space.has_lost(key, computation) {
            return StoreOutcome::Superseded;
        }
        let outcome = self.set(key, value, cost).unwrap_or(StoreOutcome::Refused(Refusal::Storage));
        if claim == KeyClaim::Granted {
            self.space.release(key, computation, outcome != StoreOutcome::Stored);
        }
        outcome
    }

    fn release(&self, key: &[u8], computation: u64, claim: KeyClaim) {
        if matches!(claim, KeyClaim::Granted | KeyClaim::Unknown) {
            self.space.release(key, computation, false);
        }
    }
}
