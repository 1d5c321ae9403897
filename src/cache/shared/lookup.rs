//! Lookups of a shared cache: in the near cache first, then at the backing.

use super::backing::Backing;
use super::cache::SharedCache;
use super::visits::Visit;
use crate::cache::value::{Beyond, Value, copy};
use crate::epoch::Guard;
use crate::error::{Error, Result};
use crate::table::{EntryRef, Hashed};

impl<B: Backing> SharedCache<B> {
    /// The value of `key`; counts a hit or a miss.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        let key = Hashed::from(key);
        match self.near().hit(&key) {
            Ok(value) | Err(Beyond::Unverified(value)) => Ok(Some(value)),
            Err(Beyond::Missed) => self.get_far(&key),
        }
    }

    #[inline(never)]
    fn get_far(&self, key: &Hashed) -> Result<Option<Value>> {
        let found = self.fetch(key)?;
        self.near().count(found.is_some());
        Ok(found)
    }

    /// The value of a key, near or fetched; counts nothing.
    pub(in crate::cache) fn peek(&self, key: &Hashed) -> Result<Option<Value>> {
        match self.near().peek(key) {
            Some(value) => Ok(Some(value)),
            None => self.fetch(key),
        }
    }

    /// Copies the value of `key` into a buffer and returns its length; counts a hit or a miss, or nothing if the buffer
    /// is too small.
    pub fn get_into(&self, key: &[u8], buffer: &mut [u8]) -> Result<Option<usize>> {
        let found = self.peek(&key.into())?;
        let copied = found.as_ref().map(|value| copy(value.entry.value(), buffer)).transpose()?;
        self.count(found.as_ref().map(|value| value.entry.entry()));
        Ok(copied)
    }

    /// Counts a lookup, and marks the entry that it found.
    fn count(&self, found: Option<EntryRef>) {
        found.into_iter().for_each(EntryRef::touch);
        self.near().count(found.is_some());
    }

    /// The value of `key`, valid while the section lasts; counts a hit or a miss. Fails unless values are kept near,
    /// here or by the cache that they are inherited from.
    pub fn look<'g>(&self, guard: &'g Guard, key: &[u8]) -> Result<Option<&'g [u8]>> {
        if self.has_own && !self.near.keeps() {
            return Err(Error::Unsupported("values at a server cannot be read in place; use phicache_cache_get"));
        }
        let key = Hashed::from(key);
        let keeper = self.parent().unwrap_or(self);
        let found = loop {
            if let Some(found) = self.near().find(guard, &key) {
                break Some(found);
            }
            let visit = keeper.near.visit(&key, false);
            if self.fetch(&key)?.is_none() {
                break None;
            }
            if let Some(found) = self.near().find(guard, &key) {
                break Some(found);
            }
            if !visit.is_some_and(Visit::was_overtaken) {
                // The near cache had no room for it.
                return Err(Error::OutOfMemory(key.key.len()));
            }
        };
        self.count(found.map(|found| found.entry));
        Ok(found.map(|found| found.entry.value()))
    }

    /// The values of many keys, in one round trip: calls `found` with the index and the value of each key that has one.
    /// Counts a hit or a miss for each key; if a failure is an error, only hits.
    pub fn get_many(&self, keys: &[&[u8]], mut found: impl FnMut(usize, Value)) -> Result<()> {
        let keys: Vec<Hashed> = keys.iter().map(|key| Hashed::from(*key)).collect();
        let mut values: Vec<Option<Value>> = keys.iter().map(|key| self.near().peek(key)).collect();
        let missing: Vec<usize> = (0..keys.len()).filter(|at| values[*at].is_none()).collect();
        let asked: Vec<Hashed> = missing.iter().map(|at| keys[*at]).collect();
        let (fetched, result) = self.fetch_many(&asked);
        for (at, value) in missing.into_iter().zip(fetched) {
            values[at] = value;
        }
        for (at, value) in values.into_iter().enumerate() {
            if value.is_some() || result.is_ok() {
                self.count(value.as_ref().map(|value| value.entry.entry()));
            }
            value.into_iter().for_each(|value| found(at, value));
        }
        result
    }

    /// Whether `key` has a value; counts nothing.
    pub fn contains(&self, key: &[u8]) -> Result<bool> {
        let hashed = Hashed::from(key);
        if self.near().contains_hashed(&hashed) {
            return Ok(true);
        }
        match self.near.lineage() {
            None => self.backing().contains(key),
            // Whether it is a MICE that holds under the cut is known only from the record.
            Some(_) => Ok(self.fetch(&hashed)?.is_some()),
        }
    }
}
