//! The computations in progress of one cache: who computes a key, and how a computation ends.
//!
//! A computation in progress is a [`Flight`], listed by its key in the cache's [`Flights`]. Whoever finds one there
//! waits for it to end, with a value or a failure. Four rules keep that from hanging:
//!
//! * An owner (a thread, or a task) that asks for a key it computes itself is told so, and does not wait.
//! * An owner that would wait, directly or through others, for itself computes instead (`waits.rs`).
//! * A flight whose owner gives up, panics or ends its thread has failed. If one of its waiters would compute, the
//!   flight
//!   stays, vacant, and that one alone is woken to take it over, while the others sleep on: n failures among n waiters are
//!   n wakeups. A woken waiter that does not take over wakes the next. If nobody would compute, all waiters are told.
//! * A flight whose owner vanished in a fork is replaced.
//!
//! A flight is invalidated when its key is removed or the cache is cleared. It still ends for those who wait, but
//! nobody finds it any more, and its value is not stored. It stays in a list apart while it is computed: its owner
//! still computes that key.
//!
//! Locks are taken in this order: the lists, the graph of waits, a flight's state. A value is stored under none of
//! them: the table asks, under its own lock, whether it still may be ([`Flight::permit`]). A removal invalidates first
//! and removes second, so whichever of the two locks the table first, the value is gone in the end.

use std::mem;

use hashbrown::HashTable;

use super::flight::{Flight, Outcome, Product, State};
use super::owner::Owner;
use crate::error::{Error, Result};
use crate::sync::{Mutex, MutexGuard, TryArc};

/// The answer to who computes a key.
pub enum Begin<V, T> {
    /// Nobody has to: it has a value.
    Found(V),
    /// The caller, who completes the flight.
    Lease(TryArc<Flight<T>>),
    /// Another owner.
    Busy(TryArc<Flight<T>>),
}

/// The computations in progress of one cache.
pub struct Flights<T> {
    lists: Mutex<Lists<T>>,
}

struct Lists<T> {
    /// At most one flight for each key: those that may be waited for.
    current: HashTable<TryArc<Flight<T>>>,
    /// Those that are still computed, but invalidated, or completed by another owner.
    stale: HashTable<TryArc<Flight<T>>>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Lists { current: HashTable::new(), stale: HashTable::new() }
    }
}

impl<T: Product> Default for Flights<T> {
    fn default() -> Self {
        Flights { lists: Mutex::default() }
    }
}

impl<T: Product> Lists<T> {
    /// Takes a flight off, whichever list has it.
    fn remove(&mut self, flight: &TryArc<Flight<T>>) {
        for list in [&mut self.current, &mut self.stale] {
            if let Ok(found) = list.find_entry(flight.hash(), |other| other.is_same(flight)) {
                found.remove();
                return;
            }
        }
    }

    /// Without memory, the owner is not told if it asks for its own key.
    fn keep_if_computed(&mut self, flight: TryArc<Flight<T>>) {
        let rehash = |flight: &TryArc<Flight<T>>| flight.hash();
        if flight.is_computed() && self.stale.try_reserve(1, rehash).is_ok() {
            self.stale.insert_unique(flight.hash(), flight, rehash);
        }
    }
}

impl<T: Product> Flights<T> {
    /// Says who computes a key with this hash. `look` finds its value, if there is one: it is called when no other
    /// thread can store a value unseen.
    pub fn begin<V>(
        &self,
        key: &[u8],
        hash: u64,
        owner: Owner,
        look: impl FnOnce() -> Option<V>,
    ) -> Result<Begin<V, T>> {
        let mut lists = self.lists.lock();
        let Lists { current, stale } = &mut *lists;
        if let Some(found) = look() {
            return Ok(Begin::Found(found));
        }
        if !stale.is_empty() && stale.iter_hash(hash).any(|flight| flight.is(key) && flight.is_computed_by(owner)) {
            return Err(recursion(key));
        }
        if let Some(flight) = current.find_mut(hash, |flight| flight.is(key)) {
            match flight.is_of_this_process() {
                true if flight.is_computed_by(owner) => return Err(recursion(key)),
                true if flight.is_vacant() => {
                    // It may have waited for this very flight.
                    T::waits().withdraw(owner);
                    flight.take_over(owner);
                }
                true => return Ok(Begin::Busy(flight.clone())),
                false => {
                    T::waits().withdraw(owner);
                    *flight = Flight::try_new(key, hash, owner)?;
                }
            }
            return Ok(Begin::Lease(flight.clone()));
        }
        let rehash = |flight: &TryArc<Flight<T>>| flight.hash();
        current.try_reserve(1, rehash).map_err(|_| Error::OutOfMemory(size_of::<TryArc<Flight<T>>>()))?;
        let flight = Flight::try_new(key, hash, owner)?;
        // Others may wait for it from now on, and must not see it wait for what it has left.
        T::waits().withdraw(owner);
        current.insert_unique(hash, flight.clone(), rehash);
        Ok(Begin::Lease(flight))
    }

    /// The computation of `key`, with this hash, that is in progress.
    pub fn find(&self, key: &[u8], hash: u64) -> Option<TryArc<Flight<T>>> {
        let lists = self.lists.lock();
        lists.current.find(hash, |flight| flight.is(key)).filter(|flight| flight.is_of_this_process()).cloned()
    }

    /// Ends the computation of the owner, or of one that had `joined`, with a value, which all who wait get. The first
    /// value counts.
    pub fn complete(&self, flight: &TryArc<Flight<T>>, joined: Option<Owner>, value: T) {
        let mut lists = self.lists.lock();
        let mut state = flight.state.lock();
        flight.leave(&mut state, joined);
        let waiters = Flight::end(flight, state, Outcome::Value(value));
        lists.remove(flight);
        lists.keep_if_computed(flight.clone());
        drop(lists);
        waiters.wake(flight);
    }

    /// Ends the computation of the owner, or of one that had `joined`, without a value. Tells whether the flight has
    /// failed with this: the last of those who compute it gave up.
    pub fn fail(&self, flight: &TryArc<Flight<T>>, joined: Option<Owner>) -> bool {
        let lists = self.lists.lock();
        let mut state = flight.state.lock();
        flight.leave(&mut state, joined);
        if flight.is_computed() {
            return false;
        }
        let failed = matches!(state.outcome, Outcome::Pending);
        if failed {
            // The others sleep on.
            flight.set(&mut state, Outcome::Vacant);
        }
        self.vacate(flight, lists, state);
        failed
    }

    /// Passes on a vacant flight: for a caller that was chosen to take it over, and did not.
    pub fn pass_on(&self, flight: &TryArc<Flight<T>>) {
        let lists = self.lists.lock();
        let state = flight.state.lock();
        if matches!(state.outcome, Outcome::Vacant) {
            self.vacate(flight, lists, state);
        }
    }

    /// Wakes a waiter to take over a flight that nobody computes any more. If there is none, the flight has ended.
    fn vacate(&self, flight: &TryArc<Flight<T>>, mut lists: MutexGuard<'_, Lists<T>>, state: MutexGuard<'_, State<T>>) {
        if matches!(state.outcome, Outcome::Vacant) && !flight.is_invalidated() && state.takers != 0 {
            drop((state, lists));
            return flight.vacant.notify_one();
        }
        let waiters = Flight::end(flight, state, Outcome::Failed);
        lists.remove(flight);
        drop(lists);
        waiters.wake(flight);
    }

    /// Invalidates every flight: values completed from now on are not stored.
    pub fn invalidate_all(&self) {
        let mut lists = self.lists.lock();
        let mut invalidated = mem::take(&mut lists.current);
        invalidated.iter().for_each(Flight::invalidate);
        if lists.stale.is_empty() {
            invalidated.retain(|flight| flight.is_computed());
            lists.stale = invalidated;
        } else {
            invalidated.drain().for_each(|flight| lists.keep_if_computed(flight));
        }
    }

    /// Invalidates the flight of `key`, with this hash.
    pub fn invalidate(&self, key: &[u8], hash: u64) {
        let mut lists = self.lists.lock();
        if let Ok(found) = lists.current.find_entry(hash, |flight| flight.is(key)) {
            let flight = found.remove().0;
            Flight::invalidate(&flight);
            lists.keep_if_computed(flight);
        }
    }
}

fn recursion(key: &[u8]) -> Error {
    const SHOWN: usize = 64;
    let (before, after) = ("the computation of key ", " asks for this key itself");
    let mut text = String::new();
    if text.try_reserve_exact(before.len() + 2 * SHOWN + '…'.len_utf8() + after.len()).is_err() {
        return Error::Recursion("a computation asks for its own key".into());
    }
    text.push_str(before);
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('?');
    key.iter().take(SHOWN).for_each(|byte| text.extend([digit(byte >> 4), digit(byte & 15)]));
    text.push_str(if key.len() > SHOWN { "…" } else { "" });
    text.push_str(after);
    Error::Recursion(text.into())
}

#[cfg(all(test, not(shuttle)))]
#[path = "flights_tests.rs"]
mod tests;
