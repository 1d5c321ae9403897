//! Computations: who computes the value of a missing key, and how that ends.

use super::LocalCache;
use crate::cache::computed::{Begin, Flight, InCache, StorePermit};
use crate::cache::counters::Event;
use crate::cache::policy::Policy;
use crate::cache::value::{Cost, Origin, Refusal, Value};
use crate::epoch::{self, Participant, fast_guard};
use crate::error::Result;
use crate::flight::Owner;
use crate::key::{KEY_MAX, check_len};
use crate::memory::{Bounds, limit};
use crate::sync::TryArc;
use crate::table::{Draft, Fresh, Hashed, Inserted, Memory, Pinned, Reservation};

impl<P: Policy> LocalCache<P> {
    /// Lets the caller compute the value of a key, and counts a miss, if it certainly may: the key has no value, and
    /// nobody computes it. In any other case `None`, and nothing has happened.
    #[inline(always)]
    pub(in crate::cache) fn begin_at_once(&self, key: &Hashed) -> Option<TryArc<Flight>> {
        if key.key.len() > KEY_MAX {
            return None;
        }
        let thread = epoch::current()?;
        let counted = self.counters.alone(thread)?;
        let free = self.flights.free(key.key, key.hash(), thread)?;
        {
            fast_guard!(guard as thread, else None);
            if self.find(guard, key).is_some() {
                return None;
            }
        }
        let flight = free.begin(key.key, key.hash(), thread).ok()?;
        counted.add_alone(Event::Miss);
        Some(flight)
    }

    /// Decides who computes the value of a key; counts a hit if it has one, a miss if the caller computes.
    pub(in crate::cache) fn begin(&self, key: &Hashed, owner: Owner) -> Result<Begin<Value>> {
        let begun = self.begin_uncounted(key, owner)?;
        if let Begin::Lease(_) = begun {
            self.count(false);
        }
        Ok(begun)
    }

    /// As `begin`, without counting a miss.
    pub(in crate::cache) fn begin_uncounted(&self, key: &Hashed, owner: Owner) -> Result<Begin<Value>> {
        check_len(key.key)?;
        let begun = self.flights.begin(key.key, key.hash(), owner, || self.peek(key))?;
        // An owner that finds the key busy may have waited for that flight before, and still does.
        if let Begin::Found(_) = begun {
            self.count(true);
            Flight::stop_waiting(owner);
        }
        Ok(begun)
    }

    /// The computation of a key that is in progress.
    pub(in crate::cache) fn flight(&self, key: &Hashed) -> Option<TryArc<Flight>> {
        self.flights.find(key.key, key.hash())
    }

    /// This cache's memory, for values that are computed.
    #[inline(always)]
    pub(in crate::cache) fn memory(&self) -> Memory<'_> {
        self.table.memory(self.bounds(limit::UNLIMITED))
    }

    /// This cache's memory, for blocks that it has at once. They need no chunk, so the process's limit is not asked
    /// for.
    #[inline(always)]
    pub(in crate::cache) fn memory_at_once(&self) -> Memory<'_> {
        let evicts_at_max = self.max_bytes != u64::MAX && self.full().evicts_at_capacity;
        self.table.memory(Bounds { max_bytes: self.max_bytes, evicts_at_max, ..Bounds::NONE })
    }

    /// A draft for the value of `key` in this memory, which continues with the reserved bytes in `block`.
    pub(in crate::cache) fn draft<'k>(&'k self, key: &'k [u8], block: Reservation) -> Draft<'k> {
        Draft::resume(key, Some(self.memory()), block)
    }

    /// The value that another caller has computed, for a caller that waited. Counts a hit and a wait.
    pub(in crate::cache) fn waited(&self, entry: Pinned) -> Value {
        self.count(true);
        self.counters.wait();
        Value { entry, origin: Origin::Waited }
    }

    /// Ends the computation of the flight's owner, or of a caller that `joined`, without a value. Returns whether this
    /// made the flight fail.
    pub(in crate::cache) fn fail(&self, flight: &TryArc<Flight>, joined: Option<Owner>) -> bool {
        self.flights.fail(flight, joined)
    }

    /// Counts a computation that failed.
    pub(in crate::cache) fn count_failure(&self) {
        self.counters.failure();
    }

    /// Ends a computation with a value: stores it if that is allowed, and hands it to all waiters. The computation took
    /// `cost`, if that is known, or else what the flight has measured.
    #[inline(always)]
    pub(in crate::cache) fn complete(
        &self,
        flight: &TryArc<Flight>,
        joined: Option<Owner>,
        new_entry: impl Fresh,
        cost: Cost,
        maximum: f64,
    ) -> Result<Value> {
        let checked = self.policy.check(flight.key(), new_entry.value(), &self.config)?;
        let thread = epoch::current();
        let cost = self.count_computation(flight, thread, cost);
        let weight = new_entry.weight();
        let terms = self.terms(maximum, weight, cost);
        let refusal = match checked {
            Ok(()) if self.may_store(thread, weight, &terms) => None,
            Ok(()) => Some(Refusal::Memory),
            Err(reason) => Some(reason),
        };
        let (entry, inserted) = match refusal {
            Some(_) => (new_entry.into_pinned()?, Inserted::Forbidden),
            // If the key got a value meanwhile, that one stays: it was first.
            None => new_entry.insert_if(thread, &self.table, &flight.hashed(), &terms, || flight.may_store())?,
        };
        if !matches!(inserted, Inserted::New) {
            return Ok(self.complete_otherwise(flight, joined, entry, inserted, refusal));
        }
        self.counters.count_by(thread, Event::Store);
        let value = Value { entry, origin: Origin::Computed };
        self.flights.complete(flight, joined, thread, || value.clone());
        Ok(value)
    }

    /// Ends a computation with a value that is not new in the table: by a `refusal`, or because the flight may not
    /// store it, or there is no room, or the key has another one.
    #[cold]
    #[inline(never)]
    fn complete_otherwise(
        &self,
        flight: &TryArc<Flight>,
        joined: Option<Owner>,
        entry: Pinned,
        inserted: Inserted,
        refusal: Option<Refusal>,
    ) -> Value {
        let origin = match (inserted, refusal) {
            (Inserted::Forbidden, Some(reason)) => self.refused(reason),
            (Inserted::Forbidden, None) => match flight.permit() {
                StorePermit::Late(Some(first)) => self.origin_after(first.origin),
                _ => self.refused(Refusal::Cleared),
            },
            (inserted, _) => {
                self.count_insertion(inserted);
                self.origin(inserted)
            }
        };
        let value = Value { entry, origin };
        self.flights.complete(flight, joined, epoch::current(), || value.clone());
        value
    }

    /// The origin of a value of a key that got another value from the same flight, with the origin `first`: it is
    /// stored or refused as that one.
    pub(in crate::cache) fn origin_after(&self, first: Origin) -> Origin {
        match first {
            Origin::NotStored(Some(reason)) => self.refused(reason),
            Origin::NotStored(None) => first,
            _ => Origin::Computed,
        }
    }

    /// Counts a computation that succeeded. Returns its cost: `known`, or else what the flight has measured.
    #[inline(always)]
    pub(in crate::cache) fn count_computation(
        &self,
        flight: &Flight,
        thread: Option<&Participant>,
        known: Cost,
    ) -> Cost {
        let cost = if known == Cost::UNKNOWN { Cost::measured(flight.cost(thread)) } else { known };
        self.counters.computation_by(thread, cost);
        cost
    }
}
