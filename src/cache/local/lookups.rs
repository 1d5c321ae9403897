//! Lookups of one key or many, which read values in place, pin them or copy them. The fast path takes the simple cases,
//! and leaves the others to the slow path.

use super::LocalCache;
use crate::cache::counters::{Event, EventCounts};
use crate::cache::policy::Policy;
use crate::cache::value::{Beyond, Fast, Found, Origin, Value, copy};
use crate::epoch::{self, Guard, fast_guard};
use crate::error::Result;
use crate::table::{EntryRef, FastKey, Hashed};

/// An entry that the fast path has found, and where to count the hit.
#[derive(Clone, Copy)]
struct FastHit<'g, 'c> {
    found: Found<'g>,
    counted: &'c EventCounts,
}

impl FastHit<'_, '_> {
    /// Counts the hit, and marks the entry; returns what the caller made of it.
    #[inline(always)]
    fn is_hit<T>(self, made: T) -> Fast<T> {
        self.found.entry.touch();
        self.counted.add_alone(Event::Hit);
        Fast::Hit(made)
    }
}

/// The number of lookups of a batch whose memory accesses overlap.
const BATCH: usize = 16;

impl<P: Policy> LocalCache<P> {
    /// The value of `key`; counts a hit or a miss.
    #[inline(always)]
    pub fn get(&self, key: &[u8]) -> Option<Value> {
        epoch::read(|guard| {
            let found = self.look_up(guard, &key.into());
            found.map(|found| found.pin(guard))
        })
    }

    /// As [`LocalCache::get`], on the fast path.
    #[inline(always)]
    pub fn try_fast_get(&self, key: impl FastKey) -> Fast<Value> {
        fast_guard!(guard else Fast::Slow);
        match self.try_fast_find(guard, key, true) {
            Fast::Hit(fast) => match fast.found.try_fast_pin(guard) {
                Some(value) => fast.is_hit(value),
                None => Fast::Slow,
            },
            Fast::Miss => Fast::Miss,
            Fast::Slow => Fast::Slow,
        }
    }

    /// The value of `key`, on the fast path. Counts a hit, but no miss; and nothing if there is no place for the value,
    /// which is asked for only then.
    #[inline(always)]
    pub fn try_fast_hit(&self, key: impl FastKey, has_place: impl FnOnce() -> bool) -> Fast<Value> {
        fast_guard!(guard else Fast::Slow);
        match self.try_fast_find(guard, key, false) {
            Fast::Hit(fast) if has_place() => match fast.found.try_fast_pin(guard) {
                Some(value) => fast.is_hit(value),
                None => Fast::Slow,
            },
            Fast::Hit(_) => Fast::Slow,
            Fast::Miss => Fast::Miss,
            Fast::Slow => Fast::Slow,
        }
    }

    /// As [`LocalCache::look`], on the fast path.
    #[inline(always)]
    pub fn try_fast_look<'g>(&self, guard: &'g Guard, key: &[u8]) -> Fast<&'g [u8]> {
        match self.try_fast_find(guard, key, true) {
            Fast::Hit(fast) => fast.is_hit(fast.found.entry.value()),
            Fast::Miss => Fast::Miss,
            Fast::Slow => Fast::Slow,
        }
    }

    /// As [`LocalCache::read`], on the fast path; `look` may still decline.
    #[inline(always)]
    pub fn try_fast_read<R>(&self, guard: &Guard, key: &[u8], look: impl FnOnce(&[u8]) -> Option<R>) -> Fast<R> {
        match self.try_fast_find(guard, key, true) {
            Fast::Hit(fast) => match look(fast.found.entry.value()) {
                Some(seen) => fast.is_hit(seen),
                None => Fast::Slow,
            },
            Fast::Miss => Fast::Miss,
            Fast::Slow => Fast::Slow,
        }
    }

    /// The fast path of a lookup: this thread has its own counters, and the key does not inherit from a farther
    /// ancestor. In any other case nothing is counted. A miss is counted if `misses` says so; the caller counts a hit.
    #[inline(always)]
    fn try_fast_find<'g>(&self, guard: &'g Guard, key: impl FastKey, misses: bool) -> Fast<FastHit<'g, '_>> {
        let (entry, origin) = match self.table.find_fast(guard, key) {
            Some(entry) => (entry, Origin::Hit),
            None => match self.policy.try_fast_inherited(guard, key) {
                Fast::Hit(entry) => (entry, Origin::Parent),
                Fast::Miss => {
                    return match self.counters.alone(guard.participant()) {
                        Some(counted) => {
                            if misses {
                                counted.add_alone(Event::Miss);
                            }
                            Fast::Miss
                        }
                        None => Fast::Slow,
                    };
                }
                Fast::Slow => return Fast::Slow,
            },
        };
        match self.counters.alone(guard.participant()) {
            Some(counted) => Fast::Hit(FastHit { found: Found { entry, origin }, counted }),
            None => Fast::Slow,
        }
    }

    /// The value of `key`, valid while the section lasts; counts a hit or a miss.
    #[inline(always)]
    pub fn look<'g>(&self, guard: &'g Guard, key: &[u8]) -> Option<&'g [u8]> {
        self.look_up(guard, &key.into()).map(|found| found.entry.value())
    }

    /// The value of `key`, valid while the section lasts; counts a hit or a miss.
    #[inline(always)]
    fn look_up<'g>(&self, guard: &'g Guard, key: &Hashed) -> Option<Found<'g>> {
        let found = self.find(guard, key);
        self.count_lookup(guard, found.as_ref());
        found
    }

    /// Counts a lookup, and marks the entry that it found.
    #[inline(always)]
    fn count_lookup(&self, guard: &Guard, found: Option<&Found>) {
        if let Some(found) = found {
            found.entry.touch();
        }
        self.counters.lookup(guard.participant(), found.is_some());
    }

    /// Reads the value of `key` in place with `look`; counts a hit or a miss, or nothing if `look` fails. `look` must
    /// be short and must not call back into the library.
    #[inline(always)]
    pub fn read<R>(&self, key: &[u8], look: impl FnOnce(&[u8]) -> Result<R>) -> Result<Option<R>> {
        epoch::read(|guard| {
            let found = self.find(guard, &key.into());
            let seen = found.as_ref().map(|found| look(found.entry.value())).transpose()?;
            self.count_lookup(guard, found.as_ref());
            Ok(seen)
        })
    }

    /// Copies the value of `key` into a buffer and returns its length; counts a hit or a miss, or nothing if the buffer
    /// is too small.
    pub fn get_into(&self, key: &[u8], buffer: &mut [u8]) -> Result<Option<usize>> {
        self.read(key, |value| copy(value, buffer))
    }

    /// The values of many keys: calls `found` with the index and the value of each key that has one. Counts a hit or a
    /// miss for each key.
    #[inline(always)]
    pub fn get_many<'k>(&self, keys: impl Iterator<Item = &'k [u8]>, found: impl FnMut(usize, &Guard, Found<'_>)) {
        epoch::read(|guard| self.get_many_in(guard, keys, found));
    }

    #[inline(always)]
    fn get_many_in<'k>(
        &self,
        guard: &Guard,
        keys: impl Iterator<Item = &'k [u8]>,
        mut found: impl FnMut(usize, &Guard, Found<'_>),
    ) {
        let mut keys = keys.peekable();
        let mut done = 0;
        while keys.peek().is_some() {
            // Prefetch the buckets, then the entries, so that the cache misses of the whole batch overlap.
            let mut batch = [const { Hashed::of_nothing() }; BATCH];
            let mut len = 0;
            for (hashed, key) in batch.iter_mut().zip(&mut keys) {
                *hashed = key.into();
                self.table.prefetch_bucket(guard, hashed);
                len += 1;
            }
            let mut likely = [None; BATCH];
            likely
                .iter_mut()
                .zip(&batch[..len])
                .for_each(|(likely, key)| *likely = self.table.prefetch_entry(guard, key));
            for (key, likely) in batch[..len].iter().zip(likely) {
                let own = self.table.find_prefetched(guard, key, likely);
                let value = self.own_or_inherited(guard, key, own);
                self.count_lookup(guard, value.as_ref());
                if let Some(value) = value {
                    found(done, guard, value);
                }
                done += 1;
            }
        }
    }

    /// The value of a key, valid while the section lasts; counts nothing.
    #[inline(always)]
    pub(in crate::cache) fn find<'g>(&self, guard: &'g Guard, key: &Hashed) -> Option<Found<'g>> {
        self.own_or_inherited(guard, key, self.table.find(guard, key))
    }

    #[inline(always)]
    fn own_or_inherited<'g>(&self, guard: &'g Guard, key: &Hashed, own: Option<EntryRef<'g>>) -> Option<Found<'g>> {
        match own {
            Some(entry) => Some(Found { entry, origin: Origin::Hit }),
            None => self.policy.inherited(guard, key).map(|entry| Found { entry, origin: Origin::Parent }),
        }
    }

    /// The value of a key; counts nothing, and leaves no mark of use at the entry.
    pub(in crate::cache) fn peek(&self, key: &Hashed) -> Option<Value> {
        epoch::read(|guard| self.find(guard, key).map(|found| found.pin(guard)))
    }

    /// Whether `key` has a value; counts nothing.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.contains_hashed(&key.into())
    }

    /// As [`LocalCache::contains`], on the fast path.
    #[inline(always)]
    pub fn try_fast_contains(&self, key: &[u8]) -> Option<bool> {
        fast_guard!(guard else None);
        match self.table.find_fast(guard, key) {
            Some(_) => Some(true),
            None => match self.policy.try_fast_inherited(guard, key) {
                Fast::Hit(_) => Some(true),
                Fast::Miss => Some(false),
                Fast::Slow => None,
            },
        }
    }

    /// As [`LocalCache::contains`].
    pub(in crate::cache) fn contains_hashed(&self, key: &Hashed) -> bool {
        epoch::read(|guard| self.find(guard, key).is_some())
    }

    /// Prefetches the place of a key that will be added soon.
    pub fn prefetch(&self, key: &[u8]) {
        epoch::read(|guard| self.table.prefetch_bucket(guard, &key.into()));
    }

    /// The value of a key. Counts a hit, but no miss.
    #[inline(always)]
    pub(in crate::cache) fn hit(&self, key: &Hashed) -> std::result::Result<Value, Beyond> {
        epoch::read(|guard| {
            let found = self.find(guard, key).ok_or(Beyond::Missed)?;
            found.entry.touch();
            match self.counters.alone(guard.participant()) {
                Some(counted) => counted.add_alone(Event::Hit),
                None => self.hit_elsewhere(guard, &found)?,
            }
            Ok(found.pin(guard))
        })
    }

    /// Counts a hit of a thread that does not count alone; with a verifier none does.
    #[cold]
    #[inline(never)]
    fn hit_elsewhere(&self, guard: &Guard, found: &Found) -> std::result::Result<(), Beyond> {
        self.counters.lookup(guard.participant(), true);
        match self.verifier {
            None => Ok(()),
            Some(_) => Err(Beyond::Unverified(found.pin(guard))),
        }
    }

    /// Counts a lookup.
    pub(in crate::cache) fn count(&self, hit: bool) {
        epoch::read(|guard| self.counters.lookup(guard.participant(), hit));
    }
}
