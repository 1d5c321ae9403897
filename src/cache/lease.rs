//! Single flight without a callback: begin, then complete or abandon; or wait, with a deadline.
//!
//! For event loops, and for languages in which a foreign call must not block. Only [`Lease::wait`] blocks, until its
//! deadline at the latest.

use std::hint::cold_path;
use std::mem;
use std::time::Duration;

use super::any::Cache;
use super::computed::{Begin, Flight, Wait};
use super::memoize::{Pending, Subject};
use super::value::{Beyond, Cost, Origin, Refusal, Value, Waited};
use crate::epoch::{with_attached, without_fork};
use crate::error::{Error, Result};
use crate::flight::Owner;
use crate::memory::limit;
use crate::sync::{Mutex, TryArc};
use crate::table::{Draft, Hashed, Reservation};

/// The right and the duty to compute a missing value.
pub struct Lease {
    duty: TryArc<Duty>,
    subject: Subject,
    block: Reservation,
    /// The error of the last reservation, if it failed. Then no value is cached, even if the caller ignores the error.
    failed: Option<Error>,
    /// The cost of the value, if the caller says it.
    cost: Cost,
}

/// The state that a lease shares with the thread that began it: the computation, until one of the two ends it.
struct Duty(Mutex<Option<Pending>>);

impl Duty {
    /// The computation, for the caller that ends it.
    fn end(&self) -> Option<Pending> {
        self.0.lock().take()
    }

    /// Abandons the computation. That does not count as a failure: it might have succeeded.
    fn abandon(&self) {
        drop(self.end());
    }
}

/// The leases that a thread has begun. When the thread ends, the open ones are abandoned.
#[derive(Default)]
struct OfThread {
    leases: Vec<TryArc<Duty>>,
    /// At this length, leases that have ended are removed.
    full: usize,
}

impl OfThread {
    /// Adds a lease. Leases that have ended are removed when the list may have doubled: constant time per lease,
    /// amortized.
    fn add(&mut self, duty: &TryArc<Duty>) -> Result<()> {
        const FEW: usize = 16;
        if self.leases.len() >= self.full {
            self.leases.retain(|duty| duty.0.lock().is_some());
            self.full = (2 * self.leases.len()).max(FEW);
        }
        self.leases.try_reserve(1).map_err(|_| Error::OutOfMemory(size_of::<TryArc<Duty>>()))?;
        self.leases.push(duty.clone());
        Ok(())
    }
}

impl Drop for OfThread {
    fn drop(&mut self) {
        self.leases.iter().for_each(|duty| duty.abandon());
    }
}

/// The result of [`Lease::begin`].
pub enum Started {
    /// The key has a value.
    Found(Value),
    /// This caller computes the value.
    Lease(Lease),
    /// Another caller computes the value.
    Busy,
}

impl Lease {
    /// Decides who computes `key`; `number` is the caller's task, or 0 for its thread.
    pub fn begin(cache: &Cache, key: &[u8], number: u64) -> Result<Started> {
        let owner = Owner::from_number(number)?;
        let key = &Hashed::from(key);
        let found = match cache.hit(key) {
            Ok(value) | Err(Beyond::Unverified(value)) => {
                Flight::stop_waiting(owner);
                value
            }
            Err(Beyond::Missed) => match cache.begin(key, owner, false)? {
                Some(Begin::Found(value)) => value,
                Some(Begin::Busy(_)) | None => return Ok(Started::Busy),
                Some(Begin::Lease(flight)) => {
                    return Self::new(Pending::new(cache, flight, None), number).map(Started::Lease);
                }
            },
        };
        Ok(match Pending::verify(cache, found, owner) {
            Err(value) => Started::Found(value),
            Ok(pending) => {
                let kept = pending.kept().cloned();
                match (Self::new(pending, number), kept) {
                    // A hit needs no memory.
                    (Err(_), Some(value)) => Started::Found(value),
                    (lease, _) => Started::Lease(lease?),
                }
            }
        })
    }

    /// As [`Lease::begin`], on the fast path: the key has a value that need not be verified.
    #[inline(always)]
    pub fn try_fast_begin(cache: &Cache, key: &[u8], number: u64) -> Option<Value> {
        // If owners wait, the announcement of this owner must be withdrawn; an invalid owner is an error.
        if !Flight::nobody_waits() || number >> 63 != 0 {
            cold_path();
            return None;
        }
        cache.try_fast_hit(key, || true).hit()
    }

    fn new(pending: Pending, number: u64) -> Result<Self> {
        let subject = pending.subject().clone();
        let duty = TryArc::try_new(Duty(Mutex::new(Some(pending))))?;
        if number == 0 {
            // A fork in between would leave the child a half-changed list.
            without_fork(|| with_attached(|own: &mut OfThread| own.add(&duty)))?;
        }
        Ok(Lease { duty, subject, block: Reservation::default(), failed: None, cost: Cost::UNKNOWN })
    }

    /// The value that the lease verifies, if it does.
    pub fn kept(&self) -> Option<&Value> {
        match &self.subject {
            Subject::Missing(_) => None,
            Subject::Kept(value) => Some(value),
        }
    }

    /// Makes the value `len` zero bytes and lends them for writing. Bytes that were reserved before are discarded.
    pub fn reserve(&mut self, len: usize) -> Result<&mut [u8]> {
        self.start_over(|draft| draft.reserve(len).map(drop))
    }

    /// As [`Lease::reserve`], but the bytes are uninitialized.
    pub fn reserve_uninitialized(&mut self, len: usize) -> Result<&mut [u8]> {
        self.start_over(|draft| draft.reserve_uninitialized(len).map(drop))
    }

    /// Sets the cost of the value, instead of the time that the lease takes.
    pub fn set_cost(&mut self, cost: Cost) {
        self.cost = cost;
    }

    /// Records an error that prevents caching, until the next successful reservation.
    pub fn refuse(&mut self, error: &Error) {
        self.failed = Some(error.clone());
    }

    fn start_over(&mut self, reserve: impl FnOnce(&mut Draft) -> Result<()>) -> Result<&mut [u8]> {
        let reserved = self.draft(reserve);
        self.failed = reserved.as_ref().err().cloned();
        reserved?;
        Ok(self.block.value_mut())
    }

    /// Keeps the first `len` bytes of the value.
    pub fn truncate(&mut self, len: usize) -> Result<()> {
        self.draft(|draft| draft.truncate(len))
    }

    fn draft(&mut self, apply: impl FnOnce(&mut Draft) -> Result<()>) -> Result<()> {
        // Not under the lock: without memory, `apply` makes the library drop the leases of threads that have vanished
        // in a fork, and this may be one of them.
        let home = self.duty.0.lock().as_ref().and_then(Pending::home).cloned();
        let (key, block) = (self.subject.key(), mem::take(&mut self.block));
        let mut draft = match &home {
            Some(cache) => cache.draft(key, block),
            None => Draft::resume(key, None, block),
        };
        let changed = apply(&mut draft);
        self.block = draft.pause();
        changed
    }

    /// Hands the value to the cache and to all waiters. If the lease was abandoned meanwhile, because its thread ended,
    /// only the caller gets the value.
    pub fn complete(mut self) -> Result<Value> {
        if let Some(error) = self.failed.take() {
            self.duty.end().iter().for_each(Pending::failed);
            return Err(error);
        }
        let block = mem::take(&mut self.block);
        if let Some(pending) = self.duty.end() {
            return pending.complete(block, self.cost, limit::UNLIMITED);
        }
        let entry = Draft::resume(self.subject.key(), None, block).finish()?.into_pinned();
        Ok(Value { entry, origin: Origin::NotStored(Some(Refusal::Cleared)) })
    }

    /// Waits for the caller that computes `key`, at most for `time`.
    pub fn wait(cache: &Cache, key: &[u8], number: u64, time: Duration) -> Result<Waited> {
        let owner = Owner::from_number(number)?;
        let key = &Hashed::from(key);
        let Some(flight) = cache.flight(key) else {
            return cache.wait(key, time);
        };
        Ok(match Flight::wait(&flight, owner, Some(time))? {
            Wait::Value(computed) => Waited::Value(cache.waited(computed.entry)),
            Wait::Failed | Wait::Vacant => Waited::Nobody,
            Wait::TimeOut => Waited::TimeOut,
            Wait::Cycle => Waited::Cycle,
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.duty.abandon();
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::cache::dict::DictCache;
    use crate::cache::options::Options;
    use crate::config::Config;

    #[test]
    fn open_leases_are_walked_rarely_and_ended_ones_do_not_accumulate() {
        const OUT: usize = 10_000;
        let cache = Cache::Dict(DictCache::dict(Config::new().unwrap(), Options::default()).unwrap());
        let begin = |key: usize| match Lease::begin(&cache, &key.to_le_bytes(), 0).unwrap() {
            Started::Lease(lease) => lease,
            Started::Found(_) | Started::Busy => panic!("the key is new"),
        };
        let noted = || with_attached(|own: &mut OfThread| Ok((own.leases.len(), own.full))).unwrap();
        let mut purges = 0;
        let mut out = Vec::new();
        for key in 0..OUT {
            let before = noted().1;
            out.push(begin(key));
            purges += u32::from(noted().1 != before);
        }
        assert!(noted().0 == OUT && purges <= OUT.ilog2() + 1, "{purges} purges");
        drop(out);
        for key in 0..3 * OUT {
            drop(begin(key));
        }
        assert!(noted().0 <= 16, "{} leases are listed, but none is open", noted().0);
    }
}
