//! Stores and removals of a shared cache, in both tiers.

use std::sync::atomic::Ordering::Relaxed;

use super::backing::{Backing, StoreOutcome};
use super::cache::SharedCache;
use super::visits::Visit;
use crate::cache::computed::Flights;
use crate::cache::policy::Policy;
use crate::cache::value::{Cost, Refusal, Stored};
use crate::error::Result;
use crate::key::check_len;
use crate::table::{Draft, Hashed, OwnedEntry};

impl<B: Backing> SharedCache<B> {
    /// Stores a value and replaces the key's old one; a refusal leaves that one in place.
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<Stored> {
        self.set_with_cost(key, value, Cost::UNKNOWN)
    }

    /// As [`SharedCache::set`], for a value that would take this cost to compute again.
    pub fn set_with_cost(&self, key: &[u8], value: &[u8], cost: Cost) -> Result<Stored> {
        match self.check(key, value)? {
            Err(reason) => Ok(Err(self.near().refuse(reason))),
            // A value that is not kept near is sent without a copy: it may be long.
            Ok(()) if !self.near.keeps() => Ok(self.stored(self.backing().set(key, value, cost)?, false)),
            Ok(()) => self.set_checked(key, cost, |draft| draft.write(value)),
        }
    }

    fn check(&self, key: &[u8], value: &[u8]) -> Result<Stored> {
        check_len(key)?;
        self.near().policy().check(key, value, self.near().config())
    }

    /// Stores a value that `write` writes and that was checked, at the backing and near.
    pub(super) fn set_checked(
        &self,
        key: &[u8],
        cost: Cost,
        write: impl FnOnce(&mut Draft) -> Result<()>,
    ) -> Result<Stored> {
        let mut draft = self.near.draft(key);
        write(&mut draft)?;
        let new_entry = draft.finish()?;
        let visit = self.near.visit(&key.into(), true);
        let outcome = self.backing().set(key, new_entry.value(), cost)?;
        Ok(self.keep_stored(visit, key, outcome, cost, || Ok(new_entry)))
    }

    /// The result of a store that had this `outcome` at the backing. The value, in the entry that `make` makes,
    /// replaces the near one.
    fn keep_stored(
        &self,
        visit: Option<Visit>,
        key: &[u8],
        outcome: StoreOutcome,
        cost: Cost,
        make: impl FnOnce() -> Result<OwnedEntry>,
    ) -> Stored {
        let is_kept = self.near.keeps() && matches!(outcome, StoreOutcome::Stored | StoreOutcome::Failed);
        let new_entry = is_kept.then(make).and_then(Result::ok);
        let keep =
            |may_keep| ((), may_keep && new_entry.is_some_and(|new_entry| self.near().keep(new_entry, true, cost).1));
        let ((), near) = self.near.end_store(visit, &key.into(), outcome == StoreOutcome::Stored, keep);
        self.stored(outcome, near)
    }

    /// Stores many values in one round trip; returns for each what `set` would.
    pub fn set_many(&self, pairs: &[(&[u8], &[u8])]) -> Vec<Result<Stored>> {
        let mut answers: Vec<Result<Stored>> = pairs
            .iter()
            .map(|(key, value)| {
                let checked = self.check(key, value)?;
                Ok(checked.map_err(|reason| self.near().refuse(reason)))
            })
            .collect();
        let accepted: Vec<usize> = (0..pairs.len()).filter(|at| matches!(answers[*at], Ok(Ok(())))).collect();
        let visits: Vec<_> = accepted.iter().map(|at| self.near.visit(&pairs[*at].0.into(), true)).collect();
        let sent: Vec<(&[u8], &[u8])> = accepted.iter().map(|at| pairs[*at]).collect();
        let copy = |(key, value): (&[u8], &[u8])| {
            let mut draft = self.near.draft(key);
            draft.write(value)?;
            draft.finish()
        };
        for ((at, visit), outcome) in accepted.into_iter().zip(visits).zip(self.backing().set_many(&sent)) {
            let keep = |outcome| self.keep_stored(visit, pairs[at].0, outcome, Cost::UNKNOWN, || copy(pairs[at]));
            answers[at] = outcome.map(keep);
        }
        answers
    }

    /// The result of a store. A value that is near is in the cache, even if the backing failed.
    pub(super) fn stored(&self, outcome: StoreOutcome, near: bool) -> Stored {
        match outcome {
            StoreOutcome::Failed if !near => Err(self.near().refuse(Refusal::Server)),
            StoreOutcome::Refused(reason) => Err(self.near().refuse(reason)),
            StoreOutcome::Superseded => Err(self.near().refuse(Refusal::Cleared)),
            StoreOutcome::Failed | StoreOutcome::Stored => {
                self.near().count_store();
                Ok(())
            }
        }
    }

    /// Removes a value; returns whether there was one.
    pub fn remove(&self, key: &[u8]) -> Result<bool> {
        let hashed = Hashed::from(key);
        let visit = self.invalidate(|flights| {
            flights.invalidate(key, hashed.hash());
            self.near.visit(&hashed, true)
        });
        let removed = if self.has_own { self.backing().remove(key) } else { Ok(false) };
        let near = self.near.forget(visit, &hashed);
        Ok(removed? || near)
    }

    /// Removes everything and resets the counters; a cut subsystem inherits nothing any more.
    pub fn clear(&self) -> Result<()> {
        self.invalidate(|flights| {
            flights.invalidate_all();
            self.near.change_all();
        });
        let cleared = if self.has_own { self.backing().clear() } else { Ok(()) };
        self.near.change_all();
        // Near values are removed even if the backing failed. Its own are still there then, and so are the counts.
        self.near().clear_values()?;
        cleared?;
        self.near().reset_counts();
        self.damaged.store(0, Relaxed);
        Ok(())
    }

    /// Invalidates computations in progress: they began before this removal, so their values are not stored after it.
    fn invalidate<R>(&self, invalidate: impl FnOnce(&Flights) -> R) -> R {
        let _completing = self.completing.write();
        invalidate(self.near().flights())
    }
}
