//! Stores: whether a value may be stored, on which terms, and what became of it.

use super::LocalCache;
use crate::cache::counters::Event;
use crate::cache::policy::Policy;
use crate::cache::value::{Cost, Origin, Refusal, Stored};
use crate::epoch::{self, Participant};
use crate::error::{Error, Result};
use crate::key::check_len;
use crate::memory::{Bounds, limit};
use crate::table::{Draft, Hashed, Inserted, OwnedEntry, Pinned, Short, Terms, weight};

/// Keys and values up to this length are copied under the table's lock: that is faster than making an entry first.
const SHORT: usize = 4096;

impl<P: Policy> LocalCache<P> {
    /// Stores a value and replaces the key's old one; a refusal leaves that one in place.
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<Stored> {
        self.set_with_cost(key, value, Cost::UNKNOWN)
    }

    /// As [`LocalCache::set`], for a value that would take this cost to compute again.
    pub fn set_with_cost(&self, key: &[u8], value: &[u8], cost: Cost) -> Result<Stored> {
        let checked = self.policy.check(key, value, &self.config)?;
        if checked.is_ok() && key.len().max(value.len()) <= SHORT {
            return self.set_short(key, value, cost);
        }
        self.set_with(key, value.len(), checked, cost, |draft| draft.write(value))
    }

    /// Stores a short value, which is copied under the table's lock.
    fn set_short(&self, key: &[u8], value: &[u8], cost: Cost) -> Result<Stored> {
        let weight = weight(key.len(), value.len());
        let terms = self.terms(limit::UNLIMITED, weight, cost);
        let reason = match self.may_store(epoch::current(), weight, &terms) {
            false => Refusal::Memory,
            true => match self.table.set(&key.into(), value, &terms) {
                Inserted::Refused(Short::Exceeded(exceeded)) => exceeded.into(),
                Inserted::Refused(Short::Failed(_)) => return Err(Error::OutOfMemory(value.len())),
                _ => {
                    self.counters.count(Event::Store);
                    return Ok(Ok(()));
                }
            },
        };
        self.counters.count(Event::Refusal(reason));
        Ok(Err(reason))
    }

    /// Refuses a value of `len` bytes as [`LocalCache::set`] would, on the fast path. Counts the refusal.
    #[inline(always)]
    pub(in crate::cache) fn try_fast_refuse(
        &self,
        key: &[u8],
        len: usize,
        refusal: Option<Refusal>,
    ) -> Option<Refusal> {
        let thread = epoch::current()?;
        let counted = self.counters.alone(thread)?;
        let reason = match refusal {
            Some(reason) => reason,
            None if self.surely_full(weight(key.len(), len), thread) => Refusal::Memory,
            None => return None,
        };
        counted.add_alone(Event::Refusal(reason));
        Some(reason)
    }

    /// Stores a value of `len` bytes that `write` writes into the entry. If `checked` is a refusal, or there is no
    /// room, `write` is not called.
    pub(in crate::cache) fn set_with(
        &self,
        key: &[u8],
        len: usize,
        checked: Stored,
        cost: Cost,
        write: impl Fn(&mut Draft) -> Result<()>,
    ) -> Result<Stored> {
        check_len(key)?;
        let weight = weight(key.len(), len);
        let terms = self.terms(limit::UNLIMITED, weight, cost);
        if let Err(reason) = checked.and_then(|()| self.check_memory(weight, &terms)) {
            return Ok(Err(self.refuse(reason)));
        }
        let new_entry = match self.write_entry(key, len, &terms, write)? {
            Ok(new_entry) => new_entry,
            Err(reason) => return Ok(Err(self.refuse(reason))),
        };
        let (_, inserted) = self.table.insert(new_entry, true, &terms);
        self.count_insertion(inserted);
        match self.origin(inserted) {
            Origin::NotStored(None) => Err(Error::OutOfMemory(len)),
            Origin::NotStored(Some(reason)) => Ok(Err(reason)),
            _ => Ok(Ok(())),
        }
    }

    /// An entry for a value of `len` bytes that the caller has and that `write` copies, if there is room.
    fn write_entry(
        &self,
        key: &[u8],
        len: usize,
        terms: &Terms,
        write: impl Fn(&mut Draft) -> Result<()>,
    ) -> Result<std::result::Result<OwnedEntry, Refusal>> {
        // The caller has the value, so it is copied only once there is room: copies outside the table, one for each
        // thread that stores, would exceed its bounds together.
        let memory = self.table.memory(terms.bounds).strictly();
        let mut draft = Draft::new(key, Some(memory));
        let Err(error) = write(&mut draft) else { return draft.finish().map(Ok) };
        let refused = match draft.refused() {
            Some(short) if terms.bounds.evicts() => match self.table.reserve_with_room(short, key, len, terms)? {
                Ok(reservation) => {
                    let mut draft = Draft::resume(key, Some(memory), reservation);
                    write(&mut draft)?;
                    return draft.finish().map(Ok);
                }
                Err(short) => short,
            },
            Some(short) => short,
            None => return Err(error),
        };
        match refused {
            Short::Exceeded(exceeded) => Ok(Err(exceeded.into())),
            Short::Failed(_) => Err(error),
        }
    }

    /// Stores a value as [`LocalCache::set_with_cost`] does, unless the cache has one of its own for the key, which
    /// stays. Returns whether it was stored.
    pub fn add(&self, key: &[u8], value: &[u8], cost: Cost) -> Result<std::result::Result<bool, Refusal>> {
        check_len(key)?;
        let hashed = Hashed::from(key);
        if epoch::read(|guard| self.table.find(guard, &hashed).is_some()) {
            return Ok(Ok(false));
        }
        let weight = weight(key.len(), value.len());
        let terms = self.terms(limit::UNLIMITED, weight, cost);
        let checked = self.policy.check(key, value, &self.config)?;
        if let Err(reason) = checked.and_then(|()| self.check_memory(weight, &terms)) {
            return Ok(Err(self.refuse(reason)));
        }
        let inserted = match key.len().max(value.len()) <= SHORT {
            true => self.table.add(&hashed, value, &terms),
            false => match self.write_entry(key, value.len(), &terms, |draft| draft.write(value))? {
                Ok(new_entry) => self.table.insert(new_entry, false, &terms).1,
                Err(reason) => return Ok(Err(self.refuse(reason))),
            },
        };
        self.count_insertion(inserted);
        match self.origin(inserted) {
            Origin::NotStored(None) => Err(Error::OutOfMemory(value.len())),
            Origin::NotStored(Some(reason)) => Ok(Err(reason)),
            _ => Ok(Ok(!matches!(inserted, Inserted::Kept))),
        }
    }

    pub(super) fn count_insertion(&self, inserted: Inserted) {
        if matches!(inserted, Inserted::New | Inserted::Replaced) {
            self.counters.count(Event::Store);
        }
    }

    /// The origin of a value after its insertion, for the caller that computed it.
    pub(super) fn origin(&self, inserted: Inserted) -> Origin {
        match inserted {
            Inserted::New | Inserted::Replaced | Inserted::Kept => Origin::Computed,
            Inserted::Refused(Short::Exceeded(exceeded)) => self.refused(exceeded.into()),
            Inserted::Refused(Short::Failed(_)) => Origin::NotStored(None),
            Inserted::Forbidden => self.refused(Refusal::Cleared),
        }
    }

    pub(in crate::cache) fn refused(&self, reason: Refusal) -> Origin {
        Origin::NotStored(Some(self.refuse(reason)))
    }

    /// Counts a refusal.
    pub(in crate::cache) fn refuse(&self, reason: Refusal) -> Refusal {
        self.counters.count(Event::Refusal(reason));
        reason
    }

    /// Counts a value that was stored.
    pub(in crate::cache) fn count_store(&self) {
        self.counters.count(Event::Store);
    }

    /// Keeps a copy of a value that is stored elsewhere, if there is room; returns whether it did. Counts nothing.
    pub(in crate::cache) fn keep(&self, new_entry: OwnedEntry, replace: bool, cost: Cost) -> (Pinned, bool) {
        let terms = self.terms(limit::UNLIMITED, new_entry.weight(), cost);
        if !self.may_store(epoch::current(), new_entry.weight(), &terms) {
            return (new_entry.into_pinned(), false);
        }
        let (entry, inserted) = self.table.insert(new_entry, replace, &terms);
        (entry, matches!(inserted, Inserted::New | Inserted::Replaced | Inserted::Kept))
    }

    /// Whether the memory has room for `bytes` more.
    #[inline]
    pub(in crate::cache) fn has_room(&self, bytes: u64) -> bool {
        limit::has_room(bytes, self.config.maximum_memory())
    }

    /// What the table may hold after a store that may fill the memory up to `maximum` per cent, and to the configured
    /// maximum.
    #[inline(always)]
    pub(super) fn bounds(&self, maximum: f64) -> Bounds {
        let (percent, full) = (limit::stricter(self.config.maximum_memory(), maximum), self.full());
        let evicts_at_max = self.max_bytes != u64::MAX && full.evicts_at_capacity;
        Bounds { max_bytes: self.max_bytes, percent, evicts_at_max, evicts_at_limit: full.evicts_at_limit }
    }

    /// The terms of a store of `bytes` that cost this much to compute.
    #[inline(always)]
    pub(super) fn terms(&self, maximum: f64, bytes: u64, cost: Cost) -> Terms {
        let bounds = self.bounds(maximum);
        let mean_worth = if bounds.evicts() { self.worth.note(cost, bytes) } else { 0.0 };
        Terms { bounds, cost: cost.ns(), mean_worth }
    }

    /// Whether this thread may try a store of `bytes`: the memory has room for them, or the table has some already.
    #[inline(always)]
    pub(super) fn may_store(&self, thread: Option<&Participant>, bytes: u64, terms: &Terms) -> bool {
        let bounds = &terms.bounds;
        if self.policy.has_cleared() && bounds.evicts() {
            self.evict_cleared(bytes, bounds);
        }
        limit::has_room_for(thread, bytes, bounds.percent)
            || bounds.percent != 0.0
                && (bounds.evicts_at_limit || self.table.room() >= bytes && limit::has_room(0, bounds.percent))
    }

    /// Evicts what was cleared, but is still in use, while a store of `bytes` would evict other entries.
    #[cold]
    #[inline(never)]
    fn evict_cleared(&self, bytes: u64, bounds: &Bounds) {
        // One that will be refused evicts nothing.
        while bytes < bounds.max_bytes
            && self.table.would_evict(bytes, bounds)
            && self.policy.evict_cleared(&self.table)
        {
            epoch::flush();
        }
    }

    fn check_memory(&self, bytes: u64, terms: &Terms) -> Stored {
        if self.may_store(epoch::current(), bytes, terms) { Ok(()) } else { Err(Refusal::Memory) }
    }

    /// Whether [`LocalCache::may_store`] would certainly return false.
    #[inline(always)]
    fn surely_full(&self, bytes: u64, thread: &Participant) -> bool {
        let percent = self.config.maximum_memory();
        limit::surely_full(thread, bytes, percent)
            && (self.table.room() < bytes || limit::surely_full(thread, 0, percent))
            && (percent == 0.0 || !self.full().evicts_at_limit)
    }
}
