//! Which MICE the cache of a cut subsystem inherits from the caches of the same system, uncut.
//!
//! A maximally irreducible cause or effect (MICE) of the uncut system holds under a cut that severs none of its
//! connections. A child is a live view: it reads the tables of its ancestors and copies nothing. The type of an
//! ancestor (`A`) depends on the cache: in this process a cache and its cleared tables, in Redis a cache that fetches
//! records.

use std::sync::atomic::{AtomicBool, Ordering};

use super::value::{Fast, Refusal};
use crate::error::Result;
use crate::iit::{Mice, Subsystem};
use crate::table::EntryRef;

/// The ancestors of a MICE cache, and the cut of its subsystem.
pub struct Lineage<A> {
    subsystem: Subsystem,
    /// Nearest first.
    ancestors: Vec<A>,
    /// Set when the child is cleared: from then on it inherits nothing.
    detached: AtomicBool,
}

impl<A> Lineage<A> {
    /// The lineage of a cache for `subsystem`. Every ancestor belongs to the same system, uncut.
    pub fn new(subsystem: &Subsystem, ancestors: Vec<A>) -> Self {
        Lineage { subsystem: subsystem.clone(), ancestors, detached: AtomicBool::new(false) }
    }

    /// The subsystem that the cache belongs to.
    pub fn subsystem(&self) -> &Subsystem {
        &self.subsystem
    }

    /// The refusal of every MICE of a cut subsystem.
    #[inline(always)]
    pub fn refuses_cut(&self) -> Option<Refusal> {
        self.is_cut().then_some(Refusal::Cut)
    }

    /// Whether the subsystem is cut.
    #[inline(always)]
    pub fn is_cut(&self) -> bool {
        self.subsystem.cut().is_some()
    }

    /// The caches to inherit from.
    #[inline(always)]
    pub fn ancestors(&self) -> &[A] {
        if self.ancestors.is_empty() || self.detached.load(Ordering::Acquire) { &[] } else { &self.ancestors }
    }

    /// Ends the inheritance.
    pub fn detach(&self) {
        self.detached.store(true, Ordering::Release);
    }

    /// The nearest cache to inherit from.
    #[inline(always)]
    pub fn nearest(&self) -> Option<&A> {
        self.ancestors().first()
    }

    /// What a child inherits on the fast path, given what its nearest ancestor has. Only an entry that holds under the
    /// cut is final: otherwise a farther ancestor, or a cleared table of the nearest one, may have another.
    #[inline(always)]
    pub fn try_fast_inherit<'g>(&self, nearest: Option<EntryRef<'g>>) -> Fast<EntryRef<'g>> {
        match nearest {
            Some(entry) if self.hands_down(entry) => Fast::Hit(entry),
            _ => Fast::Slow,
        }
    }

    /// Whether an ancestor's record holds under the cut. The record was checked when the ancestor stored it.
    #[inline(always)]
    pub fn hands_down(&self, entry: EntryRef) -> bool {
        Mice::read_kept(entry.value()).is_some_and(|mice| self.holds(&mice))
    }

    /// Whether a MICE of the uncut system holds under the cut.
    #[inline(always)]
    pub fn holds(&self, mice: &Mice) -> bool {
        !self.subsystem.damages(mice.direction, mice.mechanism, mice.purview)
    }

    /// Reads a record that a caller stores under `key`; fails if it is damaged, or as `check` does.
    pub fn read<'r>(&self, key: &[u8], record: &'r [u8]) -> Result<Mice<'r>> {
        let mice = Mice::read_checked(record)?;
        self.check(key, &mice)?;
        Ok(mice)
    }

    /// Fails if a MICE that a caller stores under `key` belongs to another key or to another system.
    pub fn check(&self, key: &[u8], mice: &Mice) -> Result<()> {
        mice.check_answers(key)?;
        self.subsystem.check(mice.mechanism, mice.purview)
    }
}
