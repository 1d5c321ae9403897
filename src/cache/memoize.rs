//! Looking a key up, and computing its value on a miss: once, whoever else asks meanwhile.

use super::{Cache, Value};
use crate::error::Result;
use crate::flight::{Begin, Flight, Owner, Wait};
use crate::memory::limit;
use crate::sync::TryArc;
use crate::table::{Block, Draft};

/// The answer to a caller who asks for a key and is willing to compute.
pub enum Lookup {
    /// The value, from the cache or from another who computed it meanwhile.
    Found(Value),
    /// The caller is to compute it.
    Compute(Pending),
}

/// A computation that this thread is busy with. However it ends, those who wait for it go on.
pub struct Pending {
    /// Keeps the cache alive: the computation may free the caller's handle to it.
    cache: Cache,
    flight: TryArc<Flight>,
    /// Who computes beside the flight's owner, because it could not wait.
    joined: Option<Owner>,
}

impl Cache {
    /// The value of `key`; on a miss `compute` writes it, and it is stored if it may be.
    ///
    /// Of several threads that ask for a missing key one computes; the others wait and count a hit. No lock is held while
    /// `compute` runs, so it may use this cache for other keys. When it fails, nothing is stored and its error comes back
    /// to its own caller; another of those who wait may try.
    pub fn memoize(&self, key: &[u8], compute: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Value> {
        self.get_or_reserve(key)?.or_compute(compute)
    }

    /// Looks `key` up, and finds out who computes it when it has no value; waits if that is another.
    pub fn get_or_reserve(&self, key: &[u8]) -> Result<Lookup> {
        match self.hit(key) {
            Some(value) => Ok(Lookup::Found(value)),
            None => self.ask_again(key),
        }
    }

    #[inline(never)]
    fn ask_again(&self, key: &[u8]) -> Result<Lookup> {
        let owner = Owner::this_thread();
        let mut vacant = None;
        loop {
            let begun = self.begin(key, owner, true);
            if let (Some(vacant), false) = (vacant.take(), matches!(begun, Ok(Some(Begin::Lease(_))))) {
                self.pass_on(&vacant);
            }
            let flight = match begun? {
                Some(Begin::Found(value)) => return Ok(Lookup::Found(value)),
                Some(Begin::Lease(flight)) => {
                    return Ok(Lookup::Compute(Pending { cache: self.clone(), flight, joined: None }));
                }
                Some(Begin::Busy(flight)) => flight,
                None => continue,
            };
            match Flight::wait(&flight, owner, None)? {
                Wait::Value(entry) => return Ok(Lookup::Found(self.waited(entry))),
                Wait::Vacant => vacant = Some(flight),
                Wait::Failed | Wait::TimeOut => {}
                Wait::Circle if !flight.join(owner)? => {}
                Wait::Circle => {
                    self.miss();
                    return Ok(Lookup::Compute(Pending { cache: self.clone(), flight, joined: Some(owner) }));
                }
            }
        }
    }
}

impl Lookup {
    /// The value, computed if it has to be.
    #[inline(always)]
    pub fn or_compute(self, compute: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Value> {
        match self {
            Lookup::Found(value) => Ok(value),
            Lookup::Compute(flight) => flight.compute(limit::UNLIMITED, compute),
        }
    }
}

impl Pending {
    /// Lets `compute` write the value, and stores it, if the memory is not full to `maximum` per cent, to which the
    /// cache's own maximum comes.
    pub fn compute(self, maximum: f64, compute: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Value> {
        let mut draft = self.draft(Block::default());
        match compute(&mut draft) {
            Ok(()) => {
                let block = draft.pause();
                self.complete(block, maximum)
            }
            Err(error) => {
                self.failed();
                Err(error)
            }
        }
    }

    /// The key: the flight's own copy, since what the caller asked with may change meanwhile.
    pub fn key(&self) -> &[u8] {
        self.flight.key()
    }

    /// The value as far as it is written, to write on.
    pub fn draft(&self, block: Block) -> Draft<'_> {
        Draft::resume(self.flight.key(), Some(self.cache.table()), block)
    }

    /// Ends the computation with a value.
    pub fn complete(self, block: Block, maximum: f64) -> Result<Value> {
        self.cache.complete(&self.flight, self.joined, self.draft(block), maximum)
    }

    /// Ends the computation without one.
    pub fn failed(self) {
        self.cache.failure();
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // The owner of a flight that it has landed is none any more. One who had joined leaves twice, which changes nothing.
        if self.joined.is_some() || self.flight.has_owner() {
            self.cache.fail(&self.flight, self.joined);
        }
    }
}
