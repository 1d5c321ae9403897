//! The MICE cache of a subsystem, and what a cut subsystem inherits from its uncut parent.
//!
//! A child is a live view: it looks into its ancestors' tables and copies nothing, so making one costs the same whatever
//! the parent holds. What an ancestor clears must not vanish from children that exist: it moves into a [`Kept`], which
//! they hold and the ancestor does not.
//!
//! ```text
//! ancestor:  table ──clear──> Kept 1 ──next──> Kept 2 ──next──> tail (nothing cleared into it yet)
//!                             ^ held by children made           ^ held by the ancestor,
//!                               before the first clear            and by children made since
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use once_cell::sync::OnceCell;

use super::local::{LocalCache, Policy};
use super::shared::key_names::{Names, check_mice};
use super::{Options, Refusal, Stored};
use crate::config::Config;
use crate::epoch::{Guard, guard, without_fork};
use crate::error::{Error, Result};
use crate::iit::{Mice, Subsystem};
use crate::sync::Mutex;
use crate::sync::TryArc;
use crate::table::{EntryRef, Hashed, Probe, Table};

/// A chain of parents is at most this long.
const ANCESTORS_MAX: usize = 64;

/// What an ancestor held when it was cleared, for the children it had then.
#[derive(Default)]
struct Kept {
    table: OnceCell<Table>,
    /// Set before `table`.
    next: OnceCell<TryArc<Kept>>,
}

impl Drop for Kept {
    /// One after the other: each drop inside the one before would use up the stack after many clears.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut kept) = next.and_then(TryArc::into_inner) {
            next = kept.next.take();
        }
    }
}

/// A cache to inherit from, and what it has cleared since the child was made.
struct Ancestor {
    cache: TryArc<MiceCache>,
    kept: TryArc<Kept>,
}

/// The place of a MICE cache among others.
pub struct Lineage {
    subsystem: Subsystem,
    /// Nearest first.
    ancestors: Vec<Ancestor>,
    /// A cleared child inherits no more.
    detached: AtomicBool,
    /// Where entries go when this cache is cleared; none while it has had no child.
    tail: Mutex<Option<TryArc<Kept>>>,
    /// Odd while entries are on their way to the tail.
    moving: AtomicU64,
    /// The number of inherited entries, and the changes up to which it is right.
    counted: Mutex<Option<(u64, u64)>>,
}

/// PyPhi's `DictMICECache`.
pub type MiceCache = LocalCache<Lineage>;

impl Ancestor {
    /// The entry that this ancestor has, or had before it was cleared; the newest, where there were several.
    #[inline(always)]
    fn find<'s>(&self, section: &'s Guard, key: &Hashed) -> Option<EntryRef<'s>> {
        let lineage = self.cache.policy();
        let before = lineage.moving.load(Ordering::Acquire);
        let found = self.look(section, key);
        if found.is_some() || (before.is_multiple_of(2) && lineage.moving.load(Ordering::Acquire) == before) {
            return found;
        }
        // Entries were on their way while we looked; they have arrived when the lock is ours.
        without_fork(|| {
            let _settled = lineage.tail.lock();
            self.look(section, key)
        })
    }

    #[inline(always)]
    fn look<'s>(&self, section: &'s Guard, key: &Hashed) -> Option<EntryRef<'s>> {
        let kept = || self.kept().filter_map(|table| table.find(section, key)).last();
        self.cache.table().find(section, key).or_else(kept)
    }

    /// What was cleared, oldest first.
    fn kept(&self) -> impl Iterator<Item = &Table> {
        let mut next = Some(&self.kept);
        std::iter::from_fn(move || {
            let kept = next?;
            next = kept.next.get();
            kept.table.get()
        })
    }
}

impl Policy for Lineage {
    fn check(&self, key: &[u8], value: &[u8]) -> Result<()> {
        check_mice(key, &Mice::read_checked(value)?)
    }

    fn refuses(&self, value: &[u8], _config: &Config) -> Option<Refusal> {
        self.refuses_phi(Mice::read(value).map_or(0.0, |mice| mice.phi))
    }

    #[inline(always)]
    fn inherited<'s>(&self, section: &'s Guard, key: &Hashed) -> Option<EntryRef<'s>> {
        if self.ancestors.is_empty() || self.detached.load(Ordering::Acquire) {
            return None;
        }
        let found = self.ancestors.iter().find_map(|ancestor| ancestor.find(section, key));
        found.filter(|entry| self.keeps(*entry))
    }

    #[inline(always)]
    fn probe_inherited<'s>(&self, section: &'s Guard, key: &[u8]) -> Probe<'s> {
        let Some(nearest) = self.ancestors.first() else { return Probe::Missing };
        if self.detached.load(Ordering::Acquire) {
            return Probe::Missing;
        }
        match nearest.cache.table().probe(section, key) {
            Probe::Found(entry) if self.keeps(entry) => Probe::Found(entry),
            _ => Probe::Unclear,
        }
    }

    fn inherited_len(&self, own: &Table) -> u64 {
        without_fork(|| {
            if self.ancestors.is_empty() || self.detached.load(Ordering::Acquire) {
                return 0;
            }
            let mut counted = self.counted.lock();
            // While these are ours no ancestor is being cleared: nothing is on its way from one place to another.
            let _settled: Vec<_> = self.ancestors.iter().map(|ancestor| ancestor.cache.policy().tail.lock()).collect();
            // And nothing comes that would hide what was looked at already. Locks are taken along the line of ancestors, which
            // has no circles.
            let _still: Vec<_> = self.ancestors.iter().map(|ancestor| ancestor.cache.table().lock_writers()).collect();
            // Each count grows only, so an equal sum means that none has changed.
            let changes =
                self.ancestors.iter().map(|ancestor| ancestor.cache.table().changes()).sum::<u64>() + own.changes();
            if let Some((_, len)) = counted.filter(|(at, _)| *at == changes) {
                return len;
            }
            let len = self.count(own);
            *counted = Some((changes, len));
            len
        })
    }

    fn clear(&self, own: &Table) -> Result<()> {
        let mut tail = self.tail.lock();
        if let Some(kept) = tail.as_ref() {
            let next = TryArc::try_new(Kept::default())?;
            self.moving.fetch_add(1, Ordering::AcqRel);
            let taken = own.split_off().map(|taken| {
                // Nobody else sets these: the tail's lock is ours, and a Kept is the tail once.
                let _ = kept.next.set(next.clone());
                let _ = kept.table.set(taken);
            });
            self.moving.fetch_add(1, Ordering::AcqRel);
            taken?;
            *tail = Some(next);
        } else {
            own.clear();
        }
        drop(tail);
        self.detached.store(true, Ordering::Release);
        Ok(())
    }
}

impl Lineage {
    #[inline(always)]
    fn refuses_phi(&self, phi: f64) -> Option<Refusal> {
        if self.subsystem.cut().is_some() {
            Some(Refusal::Cut)
        } else if phi > 0.0 {
            None
        } else {
            Some(Refusal::Phi)
        }
    }

    /// Whether an ancestor's record holds under the cut.
    #[inline]
    fn keeps(&self, entry: EntryRef) -> bool {
        let mice = Mice::read_kept(entry.value());
        mice.is_some_and(|mice| !self.subsystem.damages(mice.direction, mice.mechanism, mice.purview))
    }

    /// Counts the keys that are inherited: each in the nearest place that has it, unless the cut damages it there.
    fn count(&self, own: &Table) -> u64 {
        guard::read(|section| self.count_in(section, own))
    }

    fn count_in(&self, section: &Guard, own: &Table) -> u64 {
        let mut nearer = vec![own];
        let mut len = 0;
        for ancestor in &self.ancestors {
            let mut kept: Vec<&Table> = ancestor.kept().collect();
            kept.push(ancestor.cache.table());
            for table in kept.into_iter().rev() {
                table.for_each(section, |entry| {
                    let key = entry.key().into();
                    let hidden = nearer.iter().any(|table| table.find(section, &key).is_some());
                    len += u64::from(!hidden && self.keeps(entry));
                });
                nearer.push(table);
            }
        }
        len
    }

    /// Where this cache will put what it clears, for a child to hold.
    fn hold_tail(&self) -> Result<TryArc<Kept>> {
        without_fork(|| {
            let mut tail = self.tail.lock();
            if tail.is_none() {
                *tail = Some(TryArc::try_new(Kept::default())?);
            }
            tail.clone().ok_or(Error::OutOfMemory(0))
        })
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
        let lineage = Lineage {
            subsystem: subsystem.clone(),
            ancestors: parent.map_or(Ok(Vec::new()), |parent| ancestors(subsystem, parent))?,
            detached: AtomicBool::new(false),
            tail: Mutex::new(None),
            moving: AtomicU64::new(0),
            counted: Mutex::new(None),
        };
        TryArc::try_new(LocalCache::new(lineage, config, options))
    }

    /// What `set` would answer for a MICE with this φ, before the caller makes one.
    pub fn would_store(&self, phi: f64) -> Stored {
        match self.policy().refuses_phi(phi) {
            Some(reason) => Err(reason),
            None if self.has_room(0) => Ok(()),
            None => Err(Refusal::Memory),
        }
    }

    /// Refuses a MICE as [`MiceCache::set_mice`] would, where that is easy to tell, and counts that.
    #[inline(always)]
    pub fn try_fast_refuse_mice(&self, key: &[u8], mice: &Mice) -> Option<Refusal> {
        if !Names::fits(key, mice) {
            return None;
        }
        self.try_fast_refuse(key, mice.record_len(), self.policy().refuses_phi(mice.phi))
    }

    /// Stores a MICE, unless its key asks for another one. What refuses it is asked before anything is written: cut, φ,
    /// memory, in that order.
    pub fn set_mice(&self, key: &[u8], mice: &Mice) -> Result<Stored> {
        check_mice(key, mice)?;
        self.set_with(key, mice.record_len(), self.policy().refuses_phi(mice.phi), |draft| {
            mice.write(draft.reserve(mice.record_len())?);
            Ok(())
        })
    }

    /// The subsystem that the cache belongs to.
    pub fn subsystem(&self) -> &Subsystem {
        &self.policy().subsystem
    }
}

/// The ancestors that a cache of `subsystem` gets from `parent`.
fn ancestors(subsystem: &Subsystem, parent: &TryArc<MiceCache>) -> Result<Vec<Ancestor>> {
    let lineage = parent.policy();
    subsystem.check_parent(&lineage.subsystem)?;
    let farther: &[Ancestor] = if lineage.detached.load(Ordering::Acquire) { &[] } else { &lineage.ancestors };
    if farther.len() >= ANCESTORS_MAX {
        return Err(Error::invalid(format!("more than {ANCESTORS_MAX} parents one behind the other")));
    }
    let mut all = Vec::new();
    all.try_reserve_exact(farther.len() + 1).map_err(|_| Error::OutOfMemory(size_of::<Ancestor>()))?;
    all.push(Ancestor { cache: parent.clone(), kept: lineage.hold_tail()? });
    all.extend(farther.iter().map(|a| Ancestor { cache: a.cache.clone(), kept: a.kept.clone() }));
    Ok(all)
}
