//! Looking a key up, and computing its value on a miss: once, whoever else asks meanwhile.

use super::{Cache, Value};
use crate::error::Result;
use crate::store::{Begin, Draft, Flight, Owner, Shared, Wait, gauge};

impl Cache {
    /// The value of `key`; on a miss `compute` writes it, and it is stored if it may be.
    ///
    /// Of several threads that ask for a missing key one computes; the others wait and count a hit. No lock is held while
    /// `compute` runs, so it may use this cache for other keys. When it fails, nothing is stored and its error comes back
    /// to its own caller; another of those who wait may try.
    #[inline(always)]
    pub fn memoize(&self, key: &[u8], compute: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Value> {
        self.memoize_within(key, gauge::UNLIMITED, compute)
    }

    /// As [`Cache::memoize`], with a maximum memory of the caller's that counts beside the cache's own.
    ///
    /// Computations nest, thousands deep; so what stands on the stack while one runs is only what it needs, and all else
    /// is kept out of this function's frame.
    #[inline(always)]
    pub fn memoize_within(
        &self,
        key: &[u8],
        maximum: f64,
        compute: impl FnOnce(&mut Draft) -> Result<()>,
    ) -> Result<Value> {
        if let Some(value) = self.hit(key) {
            return Ok(value);
        }
        // All of it behind references: moving a value would take its room on the stack twice.
        let mut flight = None;
        if let Some(value) = ask(self, key, &mut flight)? {
            return Ok(value);
        }
        let mut draft = Draft::new(key);
        match compute(&mut draft) {
            Ok(()) => finish(&mut flight, &mut draft, maximum),
            Err(error) => {
                self.failure();
                Err(error)
            }
        }
    }
}

/// A computation that this thread is busy with. However it ends, the flight does.
struct InTheAir {
    /// Keeps the cache alive: the computation may free the caller's handle to it.
    cache: Cache,
    flight: Shared<Flight>,
    /// Who computes beside the flight's owner, because it could not wait.
    joined: Option<Owner>,
}

impl InTheAir {
    fn new(cache: &Cache, flight: Shared<Flight>, joined: Option<Owner>) -> Self {
        InTheAir { cache: cache.clone(), flight, joined }
    }
}

impl Drop for InTheAir {
    fn drop(&mut self) {
        match self.joined {
            Some(owner) => self.flight.leave(owner),
            // Failing a flight that has landed changes nothing.
            None => self.cache.fail(&self.flight),
        }
    }
}

/// Finds out who computes `key`, and waits if it is another. Without a value, the caller is in the air.
#[inline(never)]
fn ask(cache: &Cache, key: &[u8], in_the_air: &mut Option<InTheAir>) -> Result<Option<Value>> {
    let owner = Owner::this_thread();
    loop {
        let flight = match cache.begin(key, owner)? {
            Begin::Found(value) => return Ok(Some(value)),
            Begin::Lease(flight) => {
                *in_the_air = Some(InTheAir::new(cache, flight, None));
                return Ok(None);
            }
            Begin::Busy(flight) => flight,
        };
        match Flight::wait(&flight, owner, None)? {
            Wait::Value(entry) => return Ok(Some(cache.waited(entry))),
            Wait::Failed | Wait::TimeOut => {}
            Wait::Circle => {
                cache.miss();
                flight.join(owner)?;
                *in_the_air = Some(InTheAir::new(cache, flight, Some(owner)));
                return Ok(None);
            }
        }
    }
}

/// Stores what was computed.
#[inline(never)]
fn finish(in_the_air: &mut Option<InTheAir>, draft: &mut Draft, maximum: f64) -> Result<Value> {
    let Some(flight) = in_the_air.take() else { unreachable!("a computation has a flight") };
    flight.cache.land(&flight.flight, draft.take(), maximum)
}
