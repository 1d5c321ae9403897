//! The MICE cache of a subsystem in this process, whose cut children inherit from it.
//!
//! A child reads its ancestors' tables (see `lineage.rs`), so the cost of making one is independent of the parent's
//! size. Existing children keep the entries that an ancestor clears: they move into a [`ClearedTable`], which lives as
//! long as one of these children. If the ancestor evicts, its cleared tables go first, the oldest before the others.
//!
//! ```text
//! ancestor:  table ──clear──> ClearedTable 1 ──next──> ClearedTable 2 ──next──> tail (nothing cleared into it yet)
//!                             ^ held by children made                           ^ held by the ancestor,
//!                               before the first clear                            and by children made since
//! ```

use std::array;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use once_cell::sync::OnceCell;

use super::lineage::Lineage;
use super::local::LocalCache;
use super::options::Options;
use super::policy::Policy;
use super::value::{Cost, Fast, Refusal, Stored};
use crate::config::Config;
use crate::epoch::{self, Guard, without_fork};
use crate::error::{Error, Result};
use crate::iit::{Mice, Subsystem};
use crate::sync::{Mutex, TryArc};
use crate::table::{EntryRef, FastKey, Hashed, Table};

/// The longest chain of parents.
const ANCESTORS_MAX: usize = 64;

/// The entries of a cache before a clear, for the children that existed then.
#[derive(Default)]
struct ClearedTable {
    table: OnceCell<Table>,
    /// Set before `table`.
    next: OnceCell<TryArc<ClearedTable>>,
}

impl Drop for ClearedTable {
    /// Drops the chain in a loop: after many clears, recursion would overflow the stack.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut cleared) = next.and_then(TryArc::into_inner) {
            next = cleared.next.take();
        }
    }
}

/// A cache to inherit from, and its tables that were cleared since the child was made.
pub struct Ancestor {
    cache: TryArc<MiceCache>,
    /// None while it is dropped.
    cleared: Option<TryArc<ClearedTable>>,
}

impl Drop for Ancestor {
    fn drop(&mut self) {
        self.cleared = None;
        self.cache.policy().release_unheld();
    }
}

/// The tables of a cache that were cleared, and the one into which entries move when it is cleared next.
#[derive(Default)]
struct Cleared {
    /// The oldest one that a child may hold.
    oldest: Option<TryArc<ClearedTable>>,
    /// `None` until there is a child.
    tail: Option<TryArc<ClearedTable>>,
}

impl Cleared {
    /// The cleared tables, oldest first.
    fn tables(&self) -> impl Iterator<Item = &Table> {
        tables_from(self.oldest.as_ref())
    }
}

/// The tables of a chain, oldest first.
fn tables_from(first: Option<&TryArc<ClearedTable>>) -> impl Iterator<Item = &Table> {
    let mut next = first;
    std::iter::from_fn(move || {
        let cleared = next?;
        next = cleared.next.get();
        cleared.table.get()
    })
}

/// The policy of a MICE cache: it refuses MICE of cut subsystems and φ that is not positive, and it inherits.
pub struct MicePolicy {
    lineage: Lineage<Ancestor>,
    cleared: Mutex<Cleared>,
    /// Whether a cleared table may have entries.
    has_cleared: AtomicBool,
    /// Odd while entries move to the tail.
    moving: AtomicU64,
    /// The number of inherited entries, and the sum of changes for which it is valid.
    counted: Mutex<Option<(u64, u64)>>,
}

/// PyPhi's `DictMICECache`.
pub type MiceCache = LocalCache<MicePolicy>;

impl Ancestor {
    /// The newest entry that this ancestor has, or had before a clear.
    #[inline(always)]
    fn find<'g>(&self, guard: &'g Guard, key: &Hashed) -> Option<EntryRef<'g>> {
        let policy = self.cache.policy();
        let before = policy.moving.load(Ordering::Acquire);
        let found = self.find_once(guard, key);
        if found.is_some() || (before.is_multiple_of(2) && policy.moving.load(Ordering::Acquire) == before) {
            return found;
        }
        // Entries moved meanwhile. The thread that moves them holds this lock until it is done.
        without_fork(|| {
            let _arrived = policy.cleared.lock();
            self.find_once(guard, key)
        })
    }

    #[inline(always)]
    fn find_once<'g>(&self, guard: &'g Guard, key: &Hashed) -> Option<EntryRef<'g>> {
        let cleared = || self.cleared_tables().filter_map(|table| table.find(guard, key)).last();
        self.cache.table().find(guard, key).or_else(cleared)
    }

    /// The cleared tables, oldest first.
    fn cleared_tables(&self) -> impl Iterator<Item = &Table> {
        tables_from(self.cleared.as_ref())
    }

    /// All tables whose entries it hands down, oldest first.
    fn tables(&self) -> impl Iterator<Item = &Table> {
        self.cleared_tables().chain(iter::once(self.cache.table()))
    }
}

/// What `of` returns for each ancestor, in their order, without an allocation, which may fail.
fn each_of<'a, T>(ancestors: &'a [Ancestor], mut of: impl FnMut(&'a Ancestor) -> T) -> [Option<T>; ANCESTORS_MAX] {
    array::from_fn(|at| ancestors.get(at).map(&mut of))
}

impl Policy for MicePolicy {
    fn check(&self, key: &[u8], value: &[u8], _config: &Config) -> Result<Stored> {
        let mice = self.lineage.read(key, value)?;
        Ok(self.refuses(mice.phi).map_or(Ok(()), Err))
    }

    #[inline(always)]
    fn inherited<'g>(&self, guard: &'g Guard, key: &Hashed) -> Option<EntryRef<'g>> {
        let found = self.lineage.ancestors().iter().find_map(|ancestor| ancestor.find(guard, key));
        found.filter(|entry| self.lineage.hands_down(*entry))
    }

    #[inline(always)]
    fn try_fast_inherited<'g>(&self, guard: &'g Guard, key: impl FastKey) -> Fast<EntryRef<'g>> {
        let Some(nearest) = self.lineage.nearest() else { return Fast::Miss };
        self.lineage.try_fast_inherit(nearest.cache.table().find_fast(guard, key))
    }

    fn inherited_len(&self, own: &Table) -> u64 {
        without_fork(|| {
            let ancestors = self.lineage.ancestors();
            if ancestors.is_empty() {
                return 0;
            }
            let mut counted = self.counted.lock();
            // While these locks are held no ancestor is cleared, so no entry moves between tables.
            let _arrived = each_of(ancestors, |ancestor| ancestor.cache.policy().cleared.lock());
            // With these locks, no entry is inserted that would hide a counted one. They are taken in the order of the
            // ancestors, so there is no deadlock.
            let _unchanged = each_of(ancestors, |ancestor| ancestor.cache.table().lock_writers());
            // Every count of changes only grows, so an equal sum means that none has changed.
            let changes_of = |ancestor: &Ancestor| ancestor.tables().map(Table::changes).sum::<u64>();
            let changes = ancestors.iter().map(changes_of).sum::<u64>() + own.changes();
            if let Some((_, len)) = counted.filter(|(at, _)| *at == changes) {
                return len;
            }
            let len = epoch::read(|guard| self.count(guard, own));
            *counted = Some((changes, len));
            len
        })
    }

    fn clear(&self, own: &Table) -> Result<()> {
        let mut cleared = self.cleared.lock();
        if let Some(tail) = cleared.tail.as_ref() {
            let next = TryArc::try_new(ClearedTable::default())?;
            self.moving.fetch_add(1, Ordering::AcqRel);
            let table = own.split_off();
            // Only the holder of this lock sets these, once for each ClearedTable.
            let _ = tail.next.set(next.clone());
            let _ = tail.table.set(table);
            self.moving.fetch_add(1, Ordering::AcqRel);
            cleared.tail = Some(next);
            self.has_cleared.store(true, Ordering::Relaxed);
        } else {
            own.clear();
        }
        drop(cleared);
        self.release_unheld();
        self.lineage.detach();
        Ok(())
    }

    #[inline(always)]
    fn has_cleared(&self) -> bool {
        self.has_cleared.load(Ordering::Relaxed)
    }

    fn evict_cleared(&self, own: &Table) -> bool {
        without_fork(|| {
            let cleared = self.cleared.lock();
            let Some(table) = cleared.tables().find(|table| !table.is_empty()) else {
                self.has_cleared.store(false, Ordering::Relaxed);
                return false;
            };
            own.note_evicted(table.evict_all());
            true
        })
    }
}

impl MicePolicy {
    #[inline(always)]
    fn refuses(&self, phi: f64) -> Option<Refusal> {
        self.lineage.refuses_cut().or(if phi > 0.0 { None } else { Some(Refusal::Phi) })
    }

    /// Counts the inherited keys: a key counts if its record in the nearest table that has it holds under the cut.
    fn count(&self, guard: &Guard, own: &Table) -> u64 {
        let ancestors = self.lineage.ancestors();
        let mut len = 0;
        for (distance, ancestor) in ancestors.iter().enumerate() {
            for (age, table) in ancestor.tables().enumerate() {
                let newer = || ancestor.tables().skip(age + 1);
                let nearer = || ancestors[..distance].iter().flat_map(Ancestor::tables).chain(newer());
                table.for_each(guard, |entry| {
                    let key = entry.key().into();
                    let hides = |table: &Table| table.find(guard, &key).is_some();
                    let hidden = hides(own) || nearer().any(hides);
                    len += u64::from(!hidden && self.lineage.hands_down(entry));
                });
            }
        }
        len
    }

    /// The table into which this cache's entries move at its next clear, for a child to hold.
    fn hold_tail(&self) -> Result<TryArc<ClearedTable>> {
        without_fork(|| {
            let mut cleared = self.cleared.lock();
            if let Some(tail) = &cleared.tail {
                return Ok(tail.clone());
            }
            let tail = TryArc::try_new(ClearedTable::default())?;
            *cleared = Cleared { oldest: Some(tail.clone()), tail: Some(tail.clone()) };
            Ok(tail)
        })
    }

    /// Gives up the cleared tables that no child holds any more.
    fn release_unheld(&self) {
        without_fork(|| {
            let mut cleared = self.cleared.lock();
            let mut oldest = cleared.oldest.take();
            while let Some(table) = oldest.take() {
                oldest = match table.next.get() {
                    // Only a child makes owners of a table that has a next one.
                    Some(next) if table.owners() == 1 => Some(next.clone()),
                    _ => {
                        cleared.oldest = Some(table);
                        break;
                    }
                };
            }
        });
    }
}

impl MiceCache {
    /// An empty cache for `subsystem`, which inherits from `parent`: a cache of the same system, uncut.
    pub fn mice(
        config: Arc<Config>,
        options: Options,
        subsystem: &Subsystem,
        parent: Option<&TryArc<MiceCache>>,
    ) -> Result<TryArc<Self>> {
        let ancestors = parent.map_or(Ok(Vec::new()), |parent| ancestors(subsystem, parent))?;
        let policy = MicePolicy {
            lineage: Lineage::new(subsystem, ancestors),
            cleared: Mutex::default(),
            has_cleared: AtomicBool::new(false),
            moving: AtomicU64::new(0),
            counted: Mutex::new(None),
        };
        TryArc::try_new(LocalCache::new(policy, config, options))
    }

    /// The result that `set_mice` would have for a MICE with this φ, so that a caller can skip computing the rest.
    pub fn would_store(&self, phi: f64) -> Stored {
        match self.policy().refuses(phi) {
            Some(reason) => Err(reason),
            None if self.has_room(0) => Ok(()),
            None => Err(Refusal::Memory),
        }
    }

    /// Refuses a MICE as [`MiceCache::set_mice`] would, on the fast path. Counts the refusal.
    #[inline(always)]
    pub fn try_fast_refuse_mice(&self, key: &[u8], mice: &Mice) -> Option<Refusal> {
        if !mice.answers(key) || self.subsystem().check(mice.mechanism, mice.purview).is_err() {
            return None;
        }
        self.try_fast_refuse(key, mice.record_len(), self.policy().refuses(mice.phi))
    }

    /// Stores a MICE; fails if it belongs to another key or system. It is refused for the cut, for φ or for memory, in
    /// that order.
    pub fn set_mice(&self, key: &[u8], mice: &Mice) -> Result<Stored> {
        self.policy().lineage.check(key, mice)?;
        self.set_with(
            key,
            mice.record_len(),
            self.policy().refuses(mice.phi).map_or(Ok(()), Err),
            Cost::UNKNOWN,
            |draft| {
                mice.write(draft.reserve(mice.record_len())?);
                Ok(())
            },
        )
    }

    /// The subsystem that the cache belongs to.
    pub fn subsystem(&self) -> &Subsystem {
        self.policy().lineage.subsystem()
    }
}

/// The ancestors of a cache for `subsystem` whose parent is `parent`.
fn ancestors(subsystem: &Subsystem, parent: &TryArc<MiceCache>) -> Result<Vec<Ancestor>> {
    let policy = parent.policy();
    subsystem.check_parent(policy.lineage.subsystem())?;
    let farther = policy.lineage.ancestors();
    if farther.len() >= ANCESTORS_MAX {
        return Err(Error::invalid(format!(
            "the parent has {ANCESTORS_MAX} ancestors, the most there may be; use one of them as the parent"
        )));
    }
    let mut all = Vec::new();
    all.try_reserve_exact(farther.len() + 1).map_err(|_| Error::OutOfMemory(size_of::<Ancestor>()))?;
    all.push(Ancestor { cache: parent.clone(), cleared: Some(policy.hold_tail()?) });
    all.extend(farther.iter().map(|a| Ancestor { cache: a.cache.clone(), cleared: a.cleared.clone() }));
    Ok(all)
}
