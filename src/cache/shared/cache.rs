//! A shared cache: a near cache in this process, in front of a backing; and fetching a value from there.
//!
//! A cut subsystem has no MICE of its own at a server: it reads its uncut parent's near cache, or has the parent fetch,
//! and checks whether the cut damages the record. In PyPhi's whole-database mode it has its own MICE, and looks those
//! up first.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::backing::{Backing, Fetched};
use super::near::{Ancestor, NearCache, NearPolicy};
use super::polling::Polling;
use crate::cache::counters::{Info, Stats};
use crate::cache::lineage::Lineage;
use crate::cache::local::LocalCache;
use crate::cache::options::Options;
use crate::cache::value::{Cost, Origin, Refusal, Value};
use crate::config::Config;
use crate::disk::Evicted;
use crate::error::Result;
use crate::iit::Mice;
use crate::memory::spare;
use crate::sync::{RwLock, TryArc};
use crate::table::{Draft, Hashed, Pinned, Table};

/// A cache whose values are shared between processes.
pub struct SharedCache<B> {
    pub(super) near: NearCache<TryArc<SharedCache<B>>>,
    /// Used through [`SharedCache::backing`].
    backing: B,
    /// Whether it has values of its own at the backing; otherwise it only inherits.
    pub(super) has_own: bool,
    /// Read-locked while a computed value is stored at the backing. A removal takes the write lock, so it waits for the
    /// store and removes the value.
    pub(super) completing: RwLock<()>,
    pub(super) polling: Polling,
    /// The number of fetched records that were not values of this cache.
    pub(super) damaged: AtomicU64,
}

/// Where the values of a shared cache are.
pub(super) struct Residence {
    /// Whether the near cache keeps them.
    pub near: bool,
    /// Whether the backing has values of its own for this cache.
    pub own: bool,
}

impl<B> Ancestor for TryArc<SharedCache<B>> {
    fn table(&self) -> &Table {
        self.near.local().table()
    }
}

impl<B: Backing> SharedCache<B> {
    /// A cache in front of `backing`.
    pub(super) fn new(
        backing: B,
        lineage: Option<Lineage<TryArc<Self>>>,
        residence: Residence,
        config: Arc<Config>,
        options: Options,
    ) -> Result<TryArc<Self>> {
        let polling = Polling::new(backing.longest_pause());
        TryArc::try_new(SharedCache {
            near: NearCache::new(lineage, residence.near, config, options),
            backing,
            has_own: residence.own,
            completing: RwLock::default(),
            polling,
            damaged: AtomicU64::new(0),
        })
    }

    /// The backing. The next call of it has the memory that its small allocations need.
    #[inline]
    pub(super) fn backing(&self) -> &B {
        spare::make_room();
        &self.backing
    }

    /// The cache in this process.
    #[inline(always)]
    pub fn near(&self) -> &LocalCache<NearPolicy<TryArc<Self>>> {
        self.near.local()
    }

    /// The cache whose MICE it inherits.
    pub(super) fn parent(&self) -> Option<&Self> {
        self.near.lineage()?.nearest().map(|parent| &**parent)
    }

    /// The refusal of every value of a cut subsystem.
    pub(super) fn refuses_cut(&self) -> Option<Refusal> {
        self.near.lineage()?.refuses_cut()
    }

    /// The value of a key that is not near: the cache's own, or an inherited one. Counts nothing.
    pub(super) fn fetch(&self, key: &Hashed) -> Result<Option<Value>> {
        if self.has_own
            && let Some(entry) = self.fetch_own(key)?
        {
            return Ok(Some(Value { entry, origin: Origin::Hit }));
        }
        let (Some(lineage), Some(parent)) = (self.near.lineage(), self.parent()) else { return Ok(None) };
        // The near lookup did not inherit it, so the cut damages it if the parent has it near.
        if parent.near().contains_hashed(key) {
            return Ok(None);
        }
        let found = parent.fetch_own(key)?.filter(|entry| lineage.hands_down(entry.entry()));
        Ok(found.map(|entry| Value { entry, origin: Origin::Parent }))
    }

    /// The values of many keys that are not near, and the first error. Counts nothing.
    pub(super) fn fetch_many(&self, keys: &[Hashed]) -> (Vec<Option<Value>>, Result<()>) {
        let (Some(lineage), Some(parent)) = (self.near.lineage(), self.parent()) else {
            if !self.has_own {
                return (keys.iter().map(|_| None).collect(), Ok(()));
            }
            let (own, result) = self.fetch_many_own(keys);
            let own = own.into_iter().map(|found| found.map(|entry| Value { entry, origin: Origin::Hit }));
            return (own.collect(), result);
        };
        if self.has_own {
            return split(keys.iter().map(|key| self.fetch(key)));
        }
        let mut values: Vec<Option<Value>> = keys.iter().map(|_| None).collect();
        let unknown: Vec<usize> = (0..keys.len()).filter(|at| !parent.near().contains_hashed(&keys[*at])).collect();
        let asked: Vec<Hashed> = unknown.iter().map(|at| keys[*at]).collect();
        let (own, result) = parent.fetch_many_own(&asked);
        for (at, found) in unknown.into_iter().zip(own) {
            let found = found.filter(|entry| lineage.hands_down(entry.entry()));
            values[at] = found.map(|entry| Value { entry, origin: Origin::Parent });
        }
        (values, result)
    }

    /// The value of a key as the backing has it, kept near if that is allowed.
    fn fetch_own(&self, key: &Hashed) -> Result<Option<Pinned>> {
        let visit = self.near.visit(key, false);
        let mut draft = self.near.draft(key.key);
        match self.fetch_into(&mut draft, &Cell::default())? {
            Some(cost) => Ok(Some(self.near.keep(visit, draft.finish()?, cost))),
            None => Ok(None),
        }
    }

    fn fetch_many_own(&self, keys: &[Hashed]) -> (Vec<Option<Pinned>>, Result<()>) {
        let most_evicted = self.near.most_evicted_by_batch();
        let visits: Vec<_> = keys.iter().map(|key| self.near.visit(key, false)).collect();
        let mut drafts: Vec<Draft> = keys.iter().map(|key| self.near.draft(key.key)).collect();
        let (fetched, asked) = self.backing().get_many(&mut drafts);
        let (values, kept) = split(drafts.into_iter().zip(fetched).zip(visits).map(|((draft, fetched), visit)| {
            match self.accept(fetched, &draft, &Cell::default()) {
                Some(_) if self.near.evicted_bytes() > most_evicted => Ok(Some(draft.finish()?.into_pinned())),
                Some(cost) => Ok(Some(self.near.keep(visit, draft.finish()?, cost))),
                None => Ok(None),
            }
        }));
        (values, asked.and(kept))
    }

    /// Fetches the value of the draft's key; returns its cost if there is one. A damaged record is counted once per
    /// `counted`.
    pub(super) fn fetch_into(&self, draft: &mut Draft, counted: &Cell<bool>) -> Result<Option<Cost>> {
        let fetched = self.backing().get(draft)?;
        Ok(self.accept(fetched, draft, counted))
    }

    /// The cost of the value that was fetched into the draft, if that is a value of its key. Counts a damaged record,
    /// unless it was `counted`.
    ///
    /// This is the only place where a fetched record is parsed: its checksum, unless the backing has verified it, and
    /// whether it answers the question of its key.
    fn accept(&self, fetched: Fetched, draft: &Draft, counted: &Cell<bool>) -> Option<Cost> {
        let mice = || match self.backing.verifies() {
            true => Mice::read(draft.value()),
            false => Mice::read_checked(draft.value()),
        };
        let answers = || self.near.lineage().is_none() || mice().is_ok_and(|mice| mice.answers(draft.key()));
        match fetched {
            Fetched::Nothing => return None,
            Fetched::Value(cost) if answers() => return Some(cost),
            Fetched::Value(_) | Fetched::Damaged => (),
        }
        if !counted.replace(true) {
            self.damaged.fetch_add(1, Relaxed);
        }
        None
    }

    /// The number of values; of a cache without its own, those that it inherits. 0 if the backing failed and that is no
    /// error.
    pub fn size(&self) -> Result<u64> {
        let size = match (self.has_own, self.near.lineage(), self.parent()) {
            (true, ..) => self.backing().size()?,
            (false, Some(lineage), Some(_)) => {
                self.backing().count(&|record| Mice::read_checked(record).is_ok_and(|mice| lineage.holds(&mice)))?
            }
            (false, ..) => Some(0),
        };
        Ok(size.unwrap_or(0))
    }

    /// Hits, misses, size; the backing's own counts for all its clients, if it reports them.
    pub fn info(&self) -> Result<Info> {
        let own = self.near().info_of(self.size()?);
        let counted = self.backing().lookups()?;
        Ok(counted.map_or(own, |counted| Info { hits: counted.hits, misses: counted.misses, ..own }))
    }

    /// All counters.
    pub fn stats(&self) -> Result<Stats> {
        let info = self.info()?;
        let near = self.near().stats_of(info.size);
        let evicted = self.backing().evicted().unwrap_or(Evicted {
            entries: near.evictions,
            bytes: near.evicted_bytes,
            ns: near.evicted_ns,
        });
        let Evicted { entries: evictions, bytes: evicted_bytes, ns: evicted_ns } = evicted;
        Ok(Stats { info, damaged: self.damaged.load(Relaxed), evictions, evicted_bytes, evicted_ns, ..near })
    }
}

/// The values among many results, and the first error.
fn split<T>(results: impl Iterator<Item = Result<Option<T>>>) -> (Vec<Option<T>>, Result<()>) {
    let mut first = Ok(());
    let take = |result: Result<Option<T>>| {
        result.unwrap_or_else(|error| {
            first = first.clone().and(Err(error));
            None
        })
    };
    let values = results.map(take).collect();
    (values, first)
}

#[cfg(all(test, not(shuttle)))]
#[path = "cache_tests.rs"]
mod tests;
