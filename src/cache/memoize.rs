//! Memoization: a lookup that computes the value on a miss, once for all callers that request it at the same time.

use super::any::Cache;
use super::computed::{Begin, Flight, Wait};
use super::local::Missed;
use super::value::{Cost, Value};
use crate::error::Result;
use crate::flight::Owner;
use crate::memory::limit;
use crate::sync::TryArc;
use crate::table::{Draft, Hashed, Reservation};

/// The result of [`Cache::get_or_reserve`].
pub enum Lookup {
    /// The value, from the cache or from a caller that computed it meanwhile.
    Found(Value),
    /// This caller computes the value.
    Compute(Pending),
}

/// The computation of a value by this thread. However it ends, its waiters are woken.
pub struct Pending {
    /// Keeps the cache alive: the computation may free the caller's handle to it.
    cache: Cache,
    flight: TryArc<Flight>,
    /// This owner, if it computes beside the flight's owner because waiting would close a cycle.
    joined: Option<Owner>,
}

impl Cache {
    /// The value of `key`. On a miss `compute` writes it, and it is stored if that is allowed.
    ///
    /// If several threads request a missing key, one computes it; the others wait and count a hit. No lock is held
    /// while `compute` runs, so it may use this cache for other keys. If it fails, nothing is stored, its caller gets
    /// the error, and one of the waiters computes.
    pub fn memoize(&self, key: &[u8], compute: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Value> {
        self.get_or_reserve(key)?.or_compute(compute)
    }

    /// Looks `key` up; on a miss decides who computes it, and waits if that is another caller.
    ///
    /// The key is hashed once, for the lookup, the list of flights and the insertion.
    pub fn get_or_reserve(&self, key: &[u8]) -> Result<Lookup> {
        let key = Hashed::from(key);
        match self.hit(&key) {
            Ok(value) => Ok(Lookup::Found(value)),
            Err(missed) => self.reserve(&key, missed),
        }
    }

    #[inline(never)]
    fn reserve(&self, key: &Hashed, missed: Missed) -> Result<Lookup> {
        let owner = Owner::this_thread();
        let mut vacant = None;
        loop {
            let begun = self.begin(key, owner, missed, true);
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
                Wait::Value(computed) => return Ok(Lookup::Found(self.waited(computed.entry))),
                Wait::Vacant => vacant = Some(flight),
                Wait::Failed | Wait::TimeOut => {}
                Wait::Cycle if !flight.join(owner)? => {}
                Wait::Cycle => {
                    self.count_miss();
                    return Ok(Lookup::Compute(Pending { cache: self.clone(), flight, joined: Some(owner) }));
                }
            }
        }
    }
}

impl Lookup {
    /// The value; `compute` computes a missing one.
    #[inline(always)]
    pub fn or_compute(self, compute: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Value> {
        match self {
            Lookup::Found(value) => Ok(value),
            Lookup::Compute(flight) => flight.compute(limit::UNLIMITED, compute),
        }
    }
}

impl Pending {
    /// Lets `compute` write the value, and stores it unless more than `maximum` per cent of the memory, or more than
    /// the cache's own maximum, would be in use.
    pub fn compute(self, maximum: f64, compute: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Value> {
        let mut draft = self.draft(Reservation::default());
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

    /// The key: the flight's own copy, because the caller's bytes may change meanwhile.
    pub fn key(&self) -> &[u8] {
        self.flight.key()
    }

    /// The draft of the value, which continues with the reserved bytes in `block`.
    pub fn draft(&self, block: Reservation) -> Draft<'_> {
        self.cache.draft(self.flight.key(), block)
    }

    /// Ends the computation with a value.
    pub fn complete(self, block: Reservation, maximum: f64) -> Result<Value> {
        self.cache.complete(&self.flight, self.joined, self.draft(block), Cost::UNKNOWN, maximum)
    }

    /// Ends the computation without a value.
    pub fn failed(self) {
        self.cache.count_failure();
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // After `complete` the flight has no owner. A joined caller leaves twice, which is harmless.
        if self.joined.is_some() || self.flight.has_owner() {
            self.cache.fail(&self.flight, self.joined);
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::cache::dict::DictCache;
    use crate::cache::mice::MiceCache;
    use crate::cache::options::Options;
    use crate::config::Config;
    use crate::iit::{Cut, Direction, Mice, NodeSet, Subsystem};
    use crate::key::Fingerprint;

    /// Whether a computation that begins after a miss and a `change` of the cache finds a value.
    fn begins_with_a_value(cache: &Cache, key: &[u8], change: impl FnOnce()) -> bool {
        let key = Hashed::from(key);
        let missed = cache.hit(&key).err().expect("the key has no value yet");
        change();
        match cache.begin(&key, Owner::this_thread(), missed, true).unwrap() {
            Some(Begin::Found(_)) => true,
            Some(Begin::Lease(flight)) => {
                cache.fail(&flight, None);
                false
            }
            Some(Begin::Busy(_)) | None => panic!("no other thread computes"),
        }
    }

    #[test]
    fn a_value_that_is_stored_after_a_miss_is_found_before_it_is_computed() {
        let cache = Cache::Dict(DictCache::dict(Config::new().unwrap(), Options::default()).unwrap());
        let store = |key| cache.set(key, b"value").unwrap().unwrap();
        assert!(!begins_with_a_value(&cache, b"key", || {}));
        assert!(begins_with_a_value(&cache, b"key", || store(b"key")));
        assert!(begins_with_a_value(&cache, b"another", || store(b"another")));
        assert!(!begins_with_a_value(&cache, b"third", || assert!(cache.remove(b"key").unwrap())));
    }

    #[test]
    fn a_value_that_a_parent_stores_after_a_miss_is_found_before_it_is_computed() {
        let uncut = Subsystem::new(&Fingerprint([1; 32]), &[0, 1, 0], NodeSet(7), None, None).unwrap();
        let cut = uncut.under(Some(Cut::bipartition(3, NodeSet(1), NodeSet(6)).unwrap())).unwrap();
        let cache =
            |subsystem, parent| MiceCache::mice(Config::new().unwrap(), Options::default(), subsystem, parent).unwrap();
        let parent = cache(&uncut, None);
        let child = Cache::Mice(cache(&cut, Some(&parent)));
        let (direction, mechanism) = (Direction::Cause, NodeSet(2));
        let mice = Mice { direction, mechanism, purview: NodeSet(4), phi: 0.5, payload: b"" };
        assert!(begins_with_a_value(&child, b"key", || parent.set_mice(b"key", &mice).unwrap().unwrap()));
    }
}
