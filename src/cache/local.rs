//! The in-process cache over a table. A [`Policy`] defines the differences between cache types.
//!
//! This file is what a cache consists of, and what concerns all of it: removal, clearing, counts. The rest is in
//! `lookups.rs`, `stores.rs` and `computations.rs`.

mod computations;
mod lookups;
mod stores;

use std::sync::Arc;

use super::computed::Flights;
use super::counters::{Counters, Info, Stats};
use super::full::Full;
use super::options::{OnFull, Options};
use super::policy::Policy;
use super::prefixes::Prefixes;
use super::verify::Verifier;
use super::worth::MeanWorth;
use crate::config::Config;
use crate::epoch::{self, without_fork};
use crate::error::Result;
use crate::memory::{limit, spare};
use crate::table::{Hashed, Table};

/// A cache in this process.
///
/// Fields that a lookup or store writes are on other cache lines than fields that all threads read, against false
/// sharing: the table begins with the latter and ends with the former, the counters the other way round. Table and
/// counters are at the same place in every cache type, so that lookups of all types share their code. Programs make
/// many caches: what few of them use is allocated when it is first used.
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

impl<P: Policy> LocalCache<P> {
    /// An empty cache. Allocates nothing.
    pub fn new(policy: P, config: Arc<Config>, options: Options) -> Self {
        // For the first computed value for which there is no memory.
        spare::keep();
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
            self.clear_values()?;
            self.reset_counts();
            Ok(())
        })
    }

    /// Removes all values, and keeps the counts.
    pub(super) fn clear_values(&self) -> Result<()> {
        without_fork(|| {
            self.flights.invalidate_all();
            self.policy.clear(&self.table)
        })
    }

    /// Sets all counts to zero.
    pub(super) fn reset_counts(&self) {
        self.counters.reset();
        self.verifier.iter().for_each(|verifier| verifier.reset());
        self.table.forget_evicted();
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

    /// Whether a cache with this limit and choice would be full when this one is, and do the same then.
    pub(super) fn is_full_as(&self, max_bytes: Option<u64>, on_full: OnFull) -> bool {
        self.max_bytes == max_bytes.unwrap_or(u64::MAX) && self.on_full == on_full
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
