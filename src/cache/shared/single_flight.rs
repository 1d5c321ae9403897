//! Single flight between processes: if several processes miss a key, one of them computes it.
//!
//! Within a process, single flight comes first, so that only one thread asks the backing. That thread claims the key
//! there; the other threads and other processes wait.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use super::backing::{Backing, KeyClaim, StoreOutcome};
use super::cache::SharedCache;
use crate::cache::computed::{Begin, Flight, InCache, StorePermit};
use crate::cache::policy::Policy;
use crate::cache::value::{Cost, Origin, Refusal, Value, Waited};
use crate::epoch;
use crate::error::Result;
use crate::flight::{Owner, waiting};
use crate::sync::TryArc;
use crate::table::{Draft, Hashed, OwnedEntry};

/// What this process does for a key that is not in the near cache.
enum Decision {
    /// Another process has stored its value.
    Take(Value),
    /// The same, and this caller has waited for it.
    TakeAfterWait(Value),
    /// This process computes.
    Compute,
    /// Another process computes.
    Wait,
}

impl<B: Backing> SharedCache<B> {
    /// Decides who computes a key; counts a hit if it has a value, a miss if the caller computes. `None` if another
    /// process computes it and the caller is not `patient`.
    #[inline(never)]
    pub fn begin(&self, key: &Hashed, owner: Owner, patient: bool) -> Result<Option<Begin<Value>>> {
        let flight = match self.near().begin_uncounted(key, owner)? {
            Begin::Lease(flight) => flight,
            begun => return Ok(Some(begun)),
        };
        match self.decide(&flight, patient) {
            Ok(Decision::Compute) => {
                self.near().count(false);
                Ok(Some(Begin::Lease(flight)))
            }
            Ok(Decision::Take(value)) => {
                self.near().flights().complete(&flight, None, epoch::current(), || value.clone());
                self.near().count(true);
                Ok(Some(Begin::Found(value)))
            }
            Ok(Decision::TakeAfterWait(value)) => {
                self.near().flights().complete(&flight, None, epoch::current(), || value.clone());
                Ok(Some(Begin::Found(self.near().waited(value.entry))))
            }
            Ok(Decision::Wait) => {
                self.near().fail(&flight, None);
                Ok(None)
            }
            Err(error) => {
                self.near().fail(&flight, None);
                Err(error)
            }
        }
    }

    /// Asks the backing, for all threads that wait for this flight; waits for other processes if it is `patient`.
    fn decide(&self, flight: &TryArc<Flight>, patient: bool) -> Result<Decision> {
        if self.refuses_cut().is_some() || self.parent().is_some() {
            // The value is refused or inherited: nothing is stored under a claim.
            return Ok(self.fetch(&flight.hashed())?.map_or(Decision::Compute, Decision::Take));
        }
        let (began, counted, mut has_waited) = (Instant::now(), Cell::default(), false);
        loop {
            match self.fetch_or_claim(flight, &counted)? {
                // Then nobody else has it, or another process took it just now.
                Decision::Wait if self.release_stale(flight) => (),
                Decision::Wait if patient => {
                    waiting(|| thread::sleep(self.polling.pause(began.elapsed())));
                    has_waited = true;
                }
                Decision::Take(value) if has_waited => return Ok(Decision::TakeAfterWait(value)),
                decision => return Ok(decision),
            }
        }
    }

    fn fetch_or_claim(&self, flight: &TryArc<Flight>, counted: &Cell<bool>) -> Result<Decision> {
        let visit = self.near.visit(&flight.hashed(), false);
        let mut draft = self.near.draft(flight.key());
        let take = |draft: Draft, cost| {
            let entry = self.near.keep(visit, draft.finish()?, cost);
            Ok(Decision::Take(Value { entry, origin: Origin::Hit }))
        };
        if let Some(cost) = self.fetch_into(&mut draft, counted)? {
            return take(draft, cost);
        }
        // If the call fails, the claim may have been granted nevertheless.
        flight.note(KeyClaim::Unknown.to_note());
        let claim = self.backing().claim(flight.key(), flight.number())?;
        flight.note(claim.to_note());
        match claim {
            KeyClaim::Taken => Ok(Decision::Wait),
            KeyClaim::None | KeyClaim::Unknown => Ok(Decision::Compute),
            // Another process may have completed the value between the lookup and the claim.
            KeyClaim::Granted => match self.fetch_into(&mut draft, counted) {
                Ok(None) => Ok(Decision::Compute),
                fetched => {
                    self.backing().release(flight.key(), flight.number(), claim);
                    fetched?.map_or(Ok(Decision::Compute), |cost| take(draft, cost))
                }
            },
        }
    }

    /// Releases the claim that a computation of this process has on the key of `flight`, if the key was removed or the
    /// cache cleared since: its value is not stored, so nobody needs to wait for it. A thread that did would wait
    /// forever if that computation waits for it, because no search for wait cycles sees a claim.
    fn release_stale(&self, flight: &TryArc<Flight>) -> bool {
        let has_claim = |stale: &Flight| stale.noted() == KeyClaim::Granted.to_note();
        let Some(stale) = self.near().flights().find_stale(flight.key(), flight.hash(), has_claim) else {
            return false;
        };
        stale.note(KeyClaim::None.to_note());
        self.backing().release(flight.key(), stale.number(), KeyClaim::Granted);
        true
    }

    /// Waits for another process that computes a key, at most for `time`.
    pub fn wait(&self, key: &Hashed, time: Duration) -> Result<Waited> {
        let deadline = Instant::now() + time;
        loop {
            let pause = match self.polling.turn(key.key, Instant::now()) {
                Err(pause) => pause,
                Ok(()) => match self.poll(key)? {
                    Waited::TimeOut => Duration::ZERO,
                    waited => {
                        self.polling.done(key.key);
                        return Ok(waited);
                    }
                },
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Waited::TimeOut);
            }
            waiting(|| thread::sleep(pause.min(left)));
        }
    }

    /// Whether another process has computed a key, or still computes it.
    fn poll(&self, key: &Hashed) -> Result<Waited> {
        // The claim is read before the value: the other order would miss a process that completes in between.
        let claimed = self.backing().is_claimed(key.key)?;
        Ok(match self.peek(key)? {
            Some(value) => Waited::Value(self.near().waited(value.entry)),
            None if claimed => Waited::TimeOut,
            None => Waited::Nobody,
        })
    }

    /// Ends a computation with a value: stores it if that is allowed, and hands it to all waiters. Whatever the backing
    /// does, the value is not lost. The computation took `cost`, if that is known, or else what the flight has
    /// measured.
    #[inline(never)]
    pub fn complete(
        &self,
        flight: &TryArc<Flight>,
        joined: Option<Owner>,
        new_entry: OwnedEntry,
        cost: Cost,
    ) -> Result<Value> {
        let checked = self.near().policy().check(flight.key(), new_entry.value(), self.near().config())?;
        let cost = self.near().count_computation(flight, epoch::current(), cost);
        let (number, claim) = (flight.number(), KeyClaim::from_note(flight.noted()));
        // A removal waits for this lock, and then removes the value that is stored now.
        let completing = self.completing.read();
        let (entry, origin, is_released) = match (checked, flight.permit()) {
            (Err(reason), _) => (new_entry.into_pinned(), self.near().refused(reason), false),
            (Ok(()), StorePermit::Granted) => {
                let key = flight.hashed();
                let visit = self.near.visit(&key, true);
                let outcome = self.backing().complete(key.key, number, claim, new_entry.value(), cost);
                let keep = |may_keep| match may_keep && outcome != StoreOutcome::Superseded {
                    true => self.near().keep(new_entry, false, cost),
                    false => (new_entry.into_pinned(), false),
                };
                let (entry, near) = self.near.end_store(visit, &key, outcome == StoreOutcome::Stored, keep);
                let stored = self.stored(outcome, near);
                let origin = stored.map_or_else(|reason| Origin::NotStored(Some(reason)), |()| Origin::Computed);
                (entry, origin, outcome == StoreOutcome::Stored)
            }
            // The owner of the first value has released the claim.
            (Ok(()), StorePermit::Late(Some(first))) => {
                (new_entry.into_pinned(), self.near().origin_after(first.origin), true)
            }
            (Ok(()), _) => (new_entry.into_pinned(), self.near().refused(Refusal::Cleared), false),
        };
        drop(completing);
        if !is_released {
            // Other processes need not wait until the claim expires.
            self.backing().release(flight.key(), number, claim);
        }
        let value = Value { entry, origin };
        self.near().flights().complete(flight, joined, epoch::current(), || value.clone());
        Ok(value)
    }

    /// Ends the computation of the flight's owner, or of a caller that `joined`, without a value.
    pub fn fail(&self, flight: &TryArc<Flight>, joined: Option<Owner>) {
        // Read before the flight ends: a waiter may take it over at once.
        let (number, note) = flight.ticket();
        if self.near().fail(flight, joined) {
            self.backing().release(flight.key(), number, KeyClaim::from_note(note));
        }
    }
}
