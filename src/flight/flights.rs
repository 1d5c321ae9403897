//! The computations in progress of one cache, by key.
//!
//! A computation in progress is a [`Flight`] in the cache's [`Flights`]. A caller that finds its key's flight there
//! waits until it ends, with a value or a failure. Four rules prevent a wait without end:
//!
//! * Recursion: an owner (a thread, or a task) that begins a key it already computes gets an error.
//! * Cycles: an owner that would wait for itself, directly or through other owners, computes instead (`waits.rs`).
//! * Failures: if the owner fails, panics or ends, the flight is vacant. One waiter that would compute is woken and
//!   takes it over; the others sleep on. So n failures cost n wakeups. A woken waiter that does not take over wakes the
//!   next. If no waiter would compute, the flight ends and all waiters get the failure.
//! * Forks: a flight whose owner vanished in a fork is replaced.
//!
//! Most computations are alone: nobody waits for them, and nothing else of their cache is computed. Such a flight is
//! not put in a hash table, its state is never locked, and its memory is used for the next one.
//!
//! A removal of the key or a clear of the cache invalidates the flight. Its waiters still get its value, but new
//! callers do not find it, and its value is not stored. Until its computation ends it is in the list `stale`, so that
//! recursion is still detected.
//!
//! Lock order: the lists, the graph of waits, a flight's state. None of them is held while a value is stored; the table
//! checks [`Flight::permit`] under its own lock. A removal first invalidates the flight, then removes the entry, so the
//! value is gone in either order of the two table locks.

use std::mem;

use hashbrown::HashTable;

use super::flight::{Flight, Outcome, Product, State};
use super::owner::Owner;
use crate::epoch::{Biased, BiasedGuard, Participant, current};
use crate::error::{Error, Result};
use crate::sync::{MutexGuard, OnceTryArc, TryArc};

/// Who computes a key.
pub enum Begin<V, T> {
    /// No owner: the key has a value.
    Found(V),
    /// The caller, which must complete or fail the flight.
    Lease(TryArc<Flight<T>>),
    /// Another owner.
    Busy(TryArc<Flight<T>>),
}

/// The computations in progress of one cache. The first one allocates the lists, because most caches of a program with
/// many compute nothing.
pub struct Flights<T> {
    lists: OnceTryArc<Biased<Lists<T>>>,
}

/// A flight that callers may wait for is in `first` or in `current`, at most one for each key.
struct Lists<T> {
    /// A flight: the only one, if computations of this cache do not nest and one thread uses it.
    first: Option<TryArc<Flight<T>>>,
    /// The others.
    current: HashTable<TryArc<Flight<T>>>,
    /// Flights that were invalidated or completed, but that some owner still computes.
    stale: HashTable<TryArc<Flight<T>>>,
    /// The last flight that ended alone, to be used again: in a cache that one thread uses, all flights are one.
    spare: Option<TryArc<Flight<T>>>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Lists { first: None, current: HashTable::new(), stale: HashTable::new(), spare: None }
    }
}

impl<T: Product> Default for Flights<T> {
    fn default() -> Self {
        Flights { lists: OnceTryArc::new() }
    }
}

impl<T: Product> Lists<T> {
    /// The flight of `key`, with this hash, that callers may wait for.
    fn of_key(&mut self, key: &[u8], hash: u64) -> Option<&mut TryArc<Flight<T>>> {
        let first = self.first.as_mut().filter(|flight| flight.hash() == hash && flight.is(key));
        first.or_else(|| self.current.find_mut(hash, |flight| flight.is(key)))
    }

    /// Whether this is the first flight.
    #[inline(always)]
    fn is_first(&self, flight: &TryArc<Flight<T>>) -> bool {
        self.first.as_ref().is_some_and(|first| first.is_same(flight))
    }

    /// Adds a flight of a key that has none. `thread` is the calling thread's participant.
    #[inline(always)]
    fn add(&mut self, key: &[u8], hash: u64, owner: Owner, thread: Option<&Participant>) -> Result<TryArc<Flight<T>>> {
        let rehash = |flight: &TryArc<Flight<T>>| flight.hash();
        if self.first.is_some() {
            self.current.try_reserve(1, rehash).map_err(|_| Error::OutOfMemory(size_of::<TryArc<Flight<T>>>()))?;
        }
        let mut again = self.spare.take();
        let flight = match again.as_mut().and_then(TryArc::get_mut) {
            Some(ended) => ended.renew(key, hash, owner, thread).map(|()| again)?,
            None => None,
        };
        let flight = flight.map_or_else(|| Flight::try_new(key, hash, owner), Ok)?;
        // Other owners may wait for it from now on; an old announcement would look like a cycle.
        T::waits().withdraw(owner);
        match self.first {
            None => self.first = Some(flight.clone()),
            Some(_) => _ = self.current.insert_unique(hash, flight.clone(), rehash),
        }
        Ok(flight)
    }

    /// Removes a flight from its list, and returns the list's share of it.
    fn remove(&mut self, flight: &TryArc<Flight<T>>) -> Option<TryArc<Flight<T>>> {
        if self.is_first(flight) {
            return self.first.take();
        }
        for list in [&mut self.current, &mut self.stale] {
            if let Ok(found) = list.find_entry(flight.hash(), |other| other.is_same(flight)) {
                return Some(found.remove().0);
            }
        }
        None
    }

    /// Puts a flight on the list `stale` if it is still computed. Without memory for it, recursion is not detected.
    fn keep_if_computed(&mut self, flight: TryArc<Flight<T>>) {
        let rehash = |flight: &TryArc<Flight<T>>| flight.hash();
        if flight.is_computed() && self.stale.try_reserve(1, rehash).is_ok() {
            self.stale.insert_unique(flight.hash(), flight, rehash);
        }
    }
}

impl<T: Product> Flights<T> {
    /// The lists, if anything was ever computed. A caller that finds none is earlier than the first computation.
    #[inline(always)]
    fn lists(&self) -> Option<BiasedGuard<'_, Lists<T>>> {
        self.lists.get().map(Biased::lock)
    }

    /// Decides who computes a key with this hash. `look` finds its value, if there is one; it is called under the lock,
    /// so that no value that is completed meanwhile is missed.
    pub fn begin<V>(
        &self,
        key: &[u8],
        hash: u64,
        owner: Owner,
        look: impl FnOnce() -> Option<V>,
    ) -> Result<Begin<V, T>> {
        let mut lists = self.lists.get_or_try_init(|| TryArc::try_new(Biased::default()))?.lock();
        if let Some(found) = look() {
            return Ok(Begin::Found(found));
        }
        if lists.stale.iter_hash(hash).any(|flight| flight.is(key) && flight.is_computed_by(owner)) {
            return Err(recursion(key));
        }
        let Some(flight) = lists.of_key(key, hash) else {
            return lists.add(key, hash, owner, current()).map(Begin::Lease);
        };
        match flight.is_of_this_process() {
            true if flight.is_computed_by(owner) => return Err(recursion(key)),
            true if flight.is_vacant() => {
                // The owner may have announced a wait for this flight.
                T::waits().withdraw(owner);
                flight.take_over(owner);
            }
            true => return Ok(Begin::Busy(flight.clone())),
            false => {
                T::waits().withdraw(owner);
                *flight = Flight::try_new(key, hash, owner)?;
            }
        }
        Ok(Begin::Lease(flight.clone()))
    }

    /// The lists, locked for this thread, if certainly nobody computes this key; `None` also if it takes long to tell.
    #[inline(always)]
    pub fn free(&self, key: &[u8], hash: u64, thread: &'static Participant) -> Option<Free<'_, T>> {
        let lists = self.lists.get()?.lock_by(Some(thread));
        let is_free = lists.first.as_ref().is_none_or(|first| first.hash() != hash)
            && (lists.current.is_empty() || lists.current.find(hash, |flight| flight.is(key)).is_none())
            && lists.stale.is_empty();
        is_free.then_some(Free(lists))
    }

    /// The flight of `key`, with this hash.
    pub fn find(&self, key: &[u8], hash: u64) -> Option<TryArc<Flight<T>>> {
        self.lists()?.of_key(key, hash).filter(|flight| flight.is_of_this_process()).cloned()
    }

    /// A computation of `key`, with this hash, that new callers do not find, although it goes on, and that `is_meant`.
    pub fn find_stale(
        &self,
        key: &[u8],
        hash: u64,
        is_meant: impl Fn(&Flight<T>) -> bool,
    ) -> Option<TryArc<Flight<T>>> {
        let lists = self.lists()?;
        let mut stale = lists.stale.iter_hash(hash).filter(|flight| flight.is(key) && flight.is_of_this_process());
        stale.find(|flight| is_meant(flight)).cloned()
    }

    /// Ends the computation of the flight's owner, or of an owner that `joined`, with a value, which all waiters get.
    /// The calling thread is `thread`. If several owners complete a flight, the first value counts. `value` is not
    /// called if nobody can get it.
    #[inline(always)]
    pub fn complete(
        &self,
        flight: &TryArc<Flight<T>>,
        joined: Option<Owner>,
        thread: Option<&'static Participant>,
        value: impl FnOnce() -> T,
    ) {
        let Some(mut lists) = self.lists.get().map(|lists| lists.lock_by(thread)) else { return };
        // New shares come from the lists, which are locked: the caller's and the list's are the only ones. All others
        // who knew the flight have left its state before they gave up their shares. One that somebody has joined is not
        // pristine.
        if flight.owners() == 2 && lists.is_first(flight) && flight.is_pristine() {
            flight.end_alone();
            let Lists { first, spare, .. } = &mut *lists;
            match spare.is_none() && flight.is_small() {
                true => mem::swap(first, spare),
                false => *first = None,
            }
            return;
        }
        Self::complete_beside(lists, flight, joined, value);
    }

    /// As [`Flights::complete`], if others may know the flight, or it is not the first.
    #[inline(never)]
    fn complete_beside(
        mut lists: BiasedGuard<'_, Lists<T>>,
        flight: &TryArc<Flight<T>>,
        joined: Option<Owner>,
        value: impl FnOnce() -> T,
    ) {
        let removed = lists.remove(flight);
        if removed.is_some() && flight.owners() == 2 && flight.is_pristine() {
            flight.end_alone();
            lists.spare = removed.filter(|flight| flight.is_small());
            return;
        }
        let mut state = flight.state.lock();
        flight.leave(&mut state, joined);
        let waiters = Flight::end(flight, state, Outcome::Value(value()));
        lists.keep_if_computed(flight.clone());
        drop(lists);
        waiters.wake(flight);
    }

    /// Ends the computation of the flight's owner, or of an owner that `joined`, without a value. Returns whether the
    /// flight has failed: no other owner computes it.
    pub fn fail(&self, flight: &TryArc<Flight<T>>, joined: Option<Owner>) -> bool {
        let Some(lists) = self.lists() else { return false };
        let mut state = flight.state.lock();
        flight.leave(&mut state, joined);
        if flight.is_computed() {
            return false;
        }
        let failed = matches!(state.outcome, Outcome::Pending);
        if failed {
            flight.set(&mut state, Outcome::Vacant);
        }
        self.vacate(flight, lists, state);
        failed
    }

    /// Passes a vacant flight on, for a caller that was woken to take it over and does not.
    pub fn pass_on(&self, flight: &TryArc<Flight<T>>) {
        let Some(lists) = self.lists() else { return };
        let state = flight.state.lock();
        if matches!(state.outcome, Outcome::Vacant) {
            self.vacate(flight, lists, state);
        }
    }

    /// Wakes a waiter to take over a flight that no owner computes. If there is none, the flight ends.
    fn vacate(
        &self,
        flight: &TryArc<Flight<T>>,
        mut lists: BiasedGuard<'_, Lists<T>>,
        state: MutexGuard<'_, State<T>>,
    ) {
        if matches!(state.outcome, Outcome::Vacant) && !flight.is_invalidated() && state.takers != 0 {
            drop((state, lists));
            return flight.vacant.notify_one();
        }
        let waiters = Flight::end(flight, state, Outcome::Failed);
        let removed = lists.remove(flight);
        drop(lists);
        waiters.wake(flight);
        drop(removed);
    }

    /// Invalidates every flight: values completed from now on are not stored.
    pub fn invalidate_all(&self) {
        let Some(mut lists) = self.lists() else { return };
        let mut invalidated = mem::take(&mut lists.current);
        if let Some(first) = lists.first.take() {
            Flight::invalidate(&first);
            lists.keep_if_computed(first);
        }
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
        let Some(mut lists) = self.lists() else { return };
        if let Some(flight) = lists.of_key(key, hash).cloned() {
            lists.remove(&flight);
            Flight::invalidate(&flight);
            lists.keep_if_computed(flight);
        }
    }
}

/// The locked lists, in which a key has no flight.
pub struct Free<'l, T>(BiasedGuard<'l, Lists<T>>);

impl<T: Product> Free<'_, T> {
    /// Begins the computation of the key by the calling thread, whose participant this is.
    #[inline(always)]
    pub fn begin(mut self, key: &[u8], hash: u64, thread: &Participant) -> Result<TryArc<Flight<T>>> {
        self.0.add(key, hash, Owner::thread(thread), Some(thread))
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
