//! The near cache of a shared cache: copies of values in this process, and inheritance from near caches of ancestors.
//!
//! Other processes may change a value, so most caches keep no copies. The MICE of a system never change, so a MICE
//! cache keeps each one that it has fetched or stored.

use std::sync::Arc;

use super::visits::{Visit, Visits};
use crate::cache::lineage::Lineage;
use crate::cache::local::LocalCache;
use crate::cache::options::Options;
use crate::cache::policy::Policy;
use crate::cache::value::{Cost, Fast, Stored};
use crate::config::Config;
use crate::epoch::Guard;
use crate::error::Result;
use crate::table::{Draft, EntryRef, FastKey, Hashed, OwnedEntry, Pinned, Reservation, Table};

/// A cache to inherit from, which has a near cache.
pub trait Ancestor {
    /// The table of its near cache.
    fn table(&self) -> &Table;
}

/// The policy of a near cache: that of MICE caches, if its values are MICE.
pub struct NearPolicy<A> {
    lineage: Option<Lineage<A>>,
}

impl<A: Ancestor> Policy for NearPolicy<A> {
    fn check(&self, key: &[u8], value: &[u8], _config: &Config) -> Result<Stored> {
        let Some(lineage) = &self.lineage else { return Ok(Ok(())) };
        lineage.read(key, value)?;
        Ok(lineage.refuses_cut().map_or(Ok(()), Err))
    }

    fn holds_copies(&self) -> bool {
        true
    }

    #[inline(always)]
    fn inherited<'g>(&self, guard: &'g Guard, key: &Hashed) -> Option<EntryRef<'g>> {
        let lineage = self.lineage.as_ref()?;
        let found = lineage.nearest()?.table().find(guard, key);
        found.filter(|entry| lineage.hands_down(*entry))
    }

    #[inline(always)]
    fn try_fast_inherited<'g>(&self, guard: &'g Guard, key: impl FastKey) -> Fast<EntryRef<'g>> {
        let Some(lineage) = &self.lineage else { return Fast::Miss };
        let Some(nearest) = lineage.nearest() else { return Fast::Miss };
        lineage.try_fast_inherit(nearest.table().find_fast(guard, key))
    }

    fn clear(&self, own: &Table) -> Result<()> {
        own.clear();
        if let Some(lineage) = &self.lineage {
            lineage.detach();
        }
        Ok(())
    }
}

/// The part of a shared cache in this process: copies of values, computations in progress, counters.
pub struct NearCache<A> {
    local: LocalCache<NearPolicy<A>>,
    /// The operations at the backing, if values that were fetched or stored are kept.
    visits: Option<Visits>,
}

impl<A: Ancestor> NearCache<A> {
    /// An empty cache; it keeps values if it `keeps`.
    pub fn new(lineage: Option<Lineage<A>>, keeps: bool, config: Arc<Config>, options: Options) -> Self {
        let local = LocalCache::new(NearPolicy { lineage }, config, options);
        NearCache { local, visits: keeps.then(Visits::new) }
    }

    /// The cache in this process.
    #[inline(always)]
    pub fn local(&self) -> &LocalCache<NearPolicy<A>> {
        &self.local
    }

    /// The ancestors and the cut of a MICE cache; `None` if the values are not MICE.
    #[inline(always)]
    pub fn lineage(&self) -> Option<&Lineage<A>> {
        self.local.policy().lineage.as_ref()
    }

    /// Whether values that were fetched or stored are kept.
    pub fn keeps(&self) -> bool {
        self.visits.is_some()
    }

    /// Begins an operation on a key at the backing, which reads its value or `changes` it; `None` if no values are
    /// kept.
    pub fn visit(&self, key: &Hashed, changes: bool) -> Option<Visit<'_>> {
        self.visits.as_ref().map(|visits| visits.begin(key.hash(), changes))
    }

    /// Notes that every key may have changed at the backing: values that are being fetched or stored at this moment
    /// will not be kept.
    pub fn change_all(&self) {
        self.visits.iter().for_each(Visits::change_all);
    }

    /// Ends a fetch of a value, and keeps it if there is room.
    pub fn keep(&self, visit: Option<Visit>, fetched: OwnedEntry, cost: Cost) -> Pinned {
        let keep = |may_keep| match may_keep {
            true => self.local.keep(fetched, false, cost).0,
            false => fetched.into_pinned(),
        };
        match visit {
            Some(visit) => visit.end(keep),
            None => keep(false),
        }
    }

    /// Ends a store. `keep` is called with whether the value may be kept; it returns whether that was done, and a
    /// result. If the backing has stored the value and it is not kept, the old one is removed: the backing has it no
    /// more.
    pub fn end_store<R>(
        &self,
        visit: Option<Visit>,
        key: &Hashed,
        is_stored: bool,
        keep: impl FnOnce(bool) -> (R, bool),
    ) -> (R, bool) {
        let Some(visit) = visit else { return keep(false) };
        visit.end(|may_keep| {
            let (result, kept) = keep(may_keep);
            if is_stored && !kept {
                self.local.remove_from_table(key);
            }
            (result, kept)
        })
    }

    /// Ends the removal of a value, and removes it; returns whether there was one.
    pub fn forget(&self, visit: Option<Visit>, key: &Hashed) -> bool {
        visit.is_some_and(|visit| visit.end(|_| self.local.remove_from_table(key)))
    }

    /// The bytes that may be evicted, counted from the first one on, before a batch that begins now is not kept any
    /// more. Its values are in use until it ends, so evicting them makes no room: a batch that is larger than the cache
    /// would leave it empty.
    pub fn most_evicted_by_batch(&self) -> u64 {
        self.evicted_bytes() + self.local.table().live_bytes() / 2
    }

    /// The bytes that were evicted so far.
    pub fn evicted_bytes(&self) -> u64 {
        self.local.table().evicted().bytes
    }

    /// A draft for a value from the backing: in the table's memory, if it may be kept.
    pub fn draft<'k>(&'k self, key: &'k [u8]) -> Draft<'k> {
        match self.keeps() {
            true => self.local.draft(key, Reservation::default()),
            false => Draft::resume(key, None, Reservation::default()),
        }
    }
}
