//! Computing a value without a callback: begin, then complete or abandon; or wait, for as long as one likes.
//!
//! For event loops, and for languages in which a foreign call must not block. Nothing here waits but [`Lease::wait`], and
//! that until its deadline.

use std::mem;
use std::time::Duration;

use super::{Cache, Origin, Refusal, Value};
use crate::epoch::{with_attached, without_fork};
use crate::error::{Error, Result};
use crate::flight::{Begin, Flight, Owner, Wait};
use crate::memory::limit;
use crate::sync::Mutex;
use crate::sync::TryArc;
use crate::table::{Block, Draft};

/// The duty to compute a value.
pub struct Lease {
    held: TryArc<Held>,
    flight: TryArc<Flight>,
    block: Block,
    /// Why the last reservation failed: a caller that overlooks it must not have its value cached.
    failed: Option<Error>,
}

/// What a lease and the thread that began it both know: the cache, until the first of them ends the computation.
#[derive(Default)]
struct Held(Mutex<Option<(Cache, TryArc<Flight>)>>);

impl Held {
    /// The cache, if it is this caller that ends the computation.
    fn end(&self) -> Option<(Cache, TryArc<Flight>)> {
        self.0.lock().take()
    }

    /// Gives the computation up. That is none that has failed: nobody knows whether it would have.
    fn abandon(&self) {
        if let Some((cache, flight)) = self.end() {
            cache.fail(&flight, None);
        }
    }
}

/// The leases that a thread has begun: those that are left when it ends are abandoned.
#[derive(Default)]
struct OfThread {
    leases: Vec<TryArc<Held>>,
    /// At this length those that have ended are taken out.
    full: usize,
}

impl OfThread {
    /// Notes a lease. Those that have ended are taken out once they may be half of all, so that each is looked at twice at
    /// most, however many are out.
    fn note(&mut self, held: &TryArc<Held>) -> Result<()> {
        const FEW: usize = 16;
        if self.leases.len() >= self.full {
            self.leases.retain(|held| held.0.lock().is_some());
            self.full = (2 * self.leases.len()).max(FEW);
        }
        self.leases.try_reserve(1).map_err(|_| Error::OutOfMemory(size_of::<TryArc<Held>>()))?;
        self.leases.push(held.clone());
        Ok(())
    }
}

impl Drop for OfThread {
    fn drop(&mut self) {
        self.leases.iter().for_each(|held| held.abandon());
    }
}

/// The answer to [`Lease::begin`].
pub enum Started {
    /// The key has a value.
    Found(Value),
    /// The caller is to compute it.
    Lease(Lease),
    /// Another computes it.
    Busy,
}

/// The answer to [`Lease::wait`].
pub enum Waited {
    /// The key has a value.
    Value(Value),
    /// Nobody computes it any more: begin again.
    Nobody,
    /// The time is up.
    TimeOut,
    /// Waiting would close a circle: the one who computes it waits for this owner.
    Circle,
}

impl Lease {
    /// Says who computes `key`.
    pub fn begin(cache: &Cache, key: &[u8], number: u64) -> Result<Started> {
        let owner = Owner::from_number(number)?;
        if let Some(value) = cache.hit(key) {
            Flight::stop_waiting(owner);
            return Ok(Started::Found(value));
        }
        let flight = match cache.begin(key, owner, false)? {
            Some(Begin::Found(value)) => return Ok(Started::Found(value)),
            Some(Begin::Busy(_)) | None => return Ok(Started::Busy),
            Some(Begin::Lease(flight)) => flight,
        };
        match Self::new(cache, flight.clone(), number) {
            Ok(lease) => Ok(Started::Lease(lease)),
            Err(error) => {
                cache.fail(&flight, None);
                Err(error)
            }
        }
    }

    fn new(cache: &Cache, flight: TryArc<Flight>, number: u64) -> Result<Self> {
        let held = TryArc::try_new(Held(Mutex::new(Some((cache.clone(), flight.clone())))))?;
        if number == 0 {
            // A fork in the middle would leave a list to the child that is half changed.
            without_fork(|| with_attached(|own: &mut OfThread| own.note(&held)))?;
        }
        Ok(Lease { held, flight, block: Block::default(), failed: None })
    }

    /// Makes the value `len` zero bytes and lends them for writing; what was reserved before is gone.
    pub fn reserve(&mut self, len: usize) -> Result<&mut [u8]> {
        self.start_over(|draft| draft.reserve(len).map(drop))
    }

    /// As [`Lease::reserve`], but the bytes hold whatever was there.
    pub fn reserve_uninitialized(&mut self, len: usize) -> Result<&mut [u8]> {
        self.start_over(|draft| draft.reserve_uninitialized(len).map(drop))
    }

    /// Notes that there is no value, and why, until one is reserved.
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
        let held = self.held.0.lock();
        let table = held.as_ref().map(|(cache, _)| cache.table());
        let mut draft = Draft::resume(self.flight.key(), table, mem::take(&mut self.block));
        let changed = apply(&mut draft);
        self.block = draft.pause();
        changed
    }

    /// Hands the value to the cache, and to all who wait. A lease that was abandoned meanwhile, because its thread ended,
    /// keeps its value to itself.
    pub fn complete(mut self) -> Result<Value> {
        if let Some(error) = self.failed.take() {
            if let Some((cache, flight)) = self.held.end() {
                cache.failure();
                cache.fail(&flight, None);
            }
            return Err(error);
        }
        let block = mem::take(&mut self.block);
        if let Some((cache, flight)) = self.held.end() {
            let draft = Draft::resume(self.flight.key(), Some(cache.table()), block);
            let landed = cache.complete(&flight, None, draft, limit::UNLIMITED);
            return landed.inspect_err(|_| cache.fail(&flight, None));
        }
        let entry = Draft::resume(self.flight.key(), None, block).finish()?.into_pinned();
        Ok(Value { entry, origin: Origin::NotStored(Some(Refusal::Cleared)) })
    }

    /// Waits for whoever computes `key`, at most for `time`.
    pub fn wait(cache: &Cache, key: &[u8], number: u64, time: Duration) -> Result<Waited> {
        let owner = Owner::from_number(number)?;
        let Some(flight) = cache.flight(key) else {
            return cache.wait(key, time);
        };
        Ok(match Flight::wait(&flight, owner, Some(time))? {
            Wait::Value(entry) => Waited::Value(cache.waited(entry)),
            Wait::Failed | Wait::Vacant => Waited::Nobody,
            Wait::TimeOut => Waited::TimeOut,
            Wait::Circle => Waited::Circle,
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.held.abandon();
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::cache::{DictCache, Options};
    use crate::config::Config;

    #[test]
    fn leases_that_are_out_are_looked_at_seldom_and_those_that_ended_do_not_pile_up() {
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
        assert!(noted().0 <= 16, "{} leases are noted, and none is out", noted().0);
    }
}
