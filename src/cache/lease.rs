//! Computing a value without a callback: begin, then complete or abandon; or wait, for as long as one likes.
//!
//! For event loops, and for languages in which a foreign call must not block. Nothing here waits but [`Lease::wait`], and
//! that until its deadline.

use std::cell::RefCell;
use std::mem;
use std::time::{Duration, Instant};

use super::{Cache, Origin, Refusal, Value};
use crate::error::{Error, Result};
use crate::store::lock::Mutex;
use crate::store::{Begin, Block, Draft, Flight, Owner, Shared, Wait, gauge};

/// The duty to compute a value.
pub struct Lease {
    held: Shared<Held>,
    flight: Shared<Flight>,
    block: Block,
    /// Why the last reservation failed: a caller that overlooks it must not have its value cached.
    failed: Option<Error>,
}

/// What a lease and the thread that began it both know: the cache, until the first of them ends the computation.
#[derive(Default)]
struct Held(Mutex<Option<(Cache, Shared<Flight>)>>);

impl Held {
    /// The cache, if it is this caller that ends the computation.
    fn end(&self) -> Option<(Cache, Shared<Flight>)> {
        self.0.lock().take()
    }

    fn abandon(&self) {
        if let Some((cache, flight)) = self.end() {
            cache.failure();
            cache.fail(&flight);
        }
    }
}

/// The leases that a thread has begun: those that are left when it ends are abandoned.
#[derive(Default)]
struct OfThread(Vec<Shared<Held>>);

impl Drop for OfThread {
    fn drop(&mut self) {
        self.0.iter().for_each(|held| held.abandon());
    }
}

thread_local!(static OWN: RefCell<OfThread> = RefCell::default());

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
                cache.fail(&flight);
                Err(error)
            }
        }
    }

    fn new(cache: &Cache, flight: Shared<Flight>, number: u64) -> Result<Self> {
        let held = Shared::try_new(Held(Mutex::new(Some((cache.clone(), flight.clone())))))?;
        if number == 0 {
            let noted = OWN.try_with(|own| {
                let leases = &mut own.borrow_mut().0;
                leases.retain(|held| held.0.lock().is_some());
                leases.try_reserve(1).map_err(|_| Error::OutOfMemory(0))?;
                leases.push(held.clone());
                Ok(())
            });
            // A thread whose locals are gone is ending: it cannot keep a lease.
            noted.unwrap_or_else(|_| Err(Error::invalid("the thread is ending; it cannot begin a computation")))?;
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

    fn draft(&mut self, change: impl FnOnce(&mut Draft) -> Result<()>) -> Result<()> {
        let held = self.held.0.lock();
        let table = held.as_ref().map(|(cache, _)| cache.table());
        let mut draft = Draft::resume(self.flight.key(), table, mem::take(&mut self.block));
        let changed = change(&mut draft);
        self.block = draft.pause();
        changed
    }

    /// Hands the value to the cache, and to all who wait. A lease that was abandoned meanwhile, because its thread ended,
    /// keeps its value to itself.
    pub fn complete(mut self) -> Result<Value> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let block = mem::take(&mut self.block);
        if let Some((cache, flight)) = self.held.end() {
            let draft = Draft::resume(self.flight.key(), Some(cache.table()), block);
            let landed = cache.land(&flight, draft, gauge::UNLIMITED);
            return landed.inspect_err(|_| cache.fail(&flight));
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
        Ok(match Flight::wait(&flight, owner, Some(Instant::now() + time))? {
            Wait::Value(entry) => Waited::Value(cache.waited(entry)),
            Wait::Failed => Waited::Nobody,
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
