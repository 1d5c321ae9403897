//! Memoization: a lookup that computes the value on a miss, once for all callers that request it at the same time.
//!
//! In verified mode it also computes some hits again (`verify.rs`). Such a computation is no flight: nobody waits for
//! it, and other callers find the value that the cache has.

use super::any::Cache;
use super::computed::{Begin, Flight, Wait};
use super::value::{Beyond, Cost, Origin, Refusal, Value};
use crate::error::{Error, Result};
use crate::flight::Owner;
use crate::memory::limit;
use crate::sync::TryArc;
use crate::table::{Draft, Hashed, OwnedEntry, Pinned, Reservation};

/// The result of [`Cache::get_or_reserve`].
pub enum Lookup {
    /// The value, from the cache or from a caller that computed it meanwhile.
    Found(Value),
    /// This caller computes the value: it is missing, or it is verified.
    Compute(Pending),
}

/// The computation of a value by this thread. However it ends, its waiters are woken.
pub struct Pending {
    /// Keeps the cache alive: the computation may free the caller's handle to it.
    cache: Cache,
    subject: Subject,
    /// For a flight: this owner, if it computes beside the flight's owner because waiting would close a cycle. For a
    /// value that is verified: the owner that verifies it.
    owner: Option<Owner>,
}

/// What a computation is for.
#[derive(Clone)]
pub(super) enum Subject {
    /// A missing value, for all callers that wait for this flight.
    Missing(TryArc<Flight>),
    /// A value that the cache has, to verify it.
    Kept(Value),
}

impl Subject {
    /// The key: a copy of the library's own, because the caller's bytes may change meanwhile.
    pub(super) fn key(&self) -> &[u8] {
        match self {
            Subject::Missing(flight) => flight.key(),
            Subject::Kept(value) => value.entry.key(),
        }
    }
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
            Err(Beyond::Missed) => match self.begin_at_once(&key) {
                Some(flight) => Ok(Lookup::Compute(Pending::new(self, flight, None))),
                None => self.reserve(&key),
            },
            Err(Beyond::Unverified(value)) => Ok(self.found(value, Owner::this_thread())),
        }
    }

    /// Begins the computation of a key that the fast path has not found, unless somebody computes it. In any other case
    /// `None`, and nothing has happened.
    #[inline(always)]
    pub fn try_fast_begin(&self, key: &Hashed) -> Option<Pending> {
        let flight = self.begin_at_once(key)?;
        Some(Pending::new(self, flight, None))
    }

    /// A hit of this owner, which is computed again if it is its turn.
    fn found(&self, value: Value, owner: Owner) -> Lookup {
        match Pending::verify(self, value, owner) {
            Ok(pending) => Lookup::Compute(pending),
            Err(value) => Lookup::Found(value),
        }
    }

    /// Decides who computes a key; waits if that is another caller.
    #[inline(never)]
    fn reserve(&self, key: &Hashed) -> Result<Lookup> {
        let owner = Owner::this_thread();
        let mut vacant = None;
        loop {
            let begun = self.begin(key, owner, true);
            if let (Some(vacant), false) = (vacant.take(), matches!(begun, Ok(Some(Begin::Lease(_))))) {
                self.pass_on(&vacant);
            }
            let flight = match begun? {
                Some(Begin::Found(value)) => return Ok(self.found(value, owner)),
                Some(Begin::Lease(flight)) => {
                    return Ok(Lookup::Compute(Pending::new(self, flight, None)));
                }
                Some(Begin::Busy(flight)) => flight,
                None => continue,
            };
            match Flight::wait(&flight, owner, None)? {
                Wait::Value(computed) => return Ok(self.found(self.waited(computed.entry), owner)),
                Wait::Vacant => vacant = Some(flight),
                Wait::Failed | Wait::TimeOut => {}
                Wait::Cycle if !flight.join(owner)? => {}
                Wait::Cycle => {
                    self.count_miss();
                    return Ok(Lookup::Compute(Pending::new(self, flight, Some(owner))));
                }
            }
        }
    }
}

impl Lookup {
    /// Whether the lookup counts as a hit.
    pub fn is_hit(&self) -> bool {
        match self {
            Lookup::Found(_) => true,
            Lookup::Compute(pending) => pending.kept().is_some(),
        }
    }

    /// The value; `compute` computes a missing one.
    #[inline(always)]
    pub fn or_compute(self, compute: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Value> {
        match self {
            Lookup::Found(value) => Ok(value),
            Lookup::Compute(pending) => pending.compute(limit::UNLIMITED, compute),
        }
    }
}

impl Pending {
    /// The computation of a missing value, by the flight's owner or by one that `joined`.
    #[inline(always)]
    pub(super) fn new(cache: &Cache, flight: TryArc<Flight>, joined: Option<Owner>) -> Self {
        Pending { cache: cache.clone(), subject: Subject::Missing(flight), owner: joined }
    }

    /// The computation of a hit that this owner verifies; the value itself if it does not.
    pub(super) fn verify(cache: &Cache, kept: Value, owner: Owner) -> std::result::Result<Self, Value> {
        match cache.verifier() {
            Some(verifier) if verifier.begin(owner) => {
                Ok(Pending { cache: cache.clone(), subject: Subject::Kept(kept), owner: Some(owner) })
            }
            _ => Err(kept),
        }
    }

    /// What the computation is for.
    pub(super) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The value that the computation verifies, if it does.
    pub fn kept(&self) -> Option<&Value> {
        match &self.subject {
            Subject::Missing(_) => None,
            Subject::Kept(value) => Some(value),
        }
    }

    /// The cache in whose memory the value is written; `None` for a value that the cache has already.
    pub(super) fn home(&self) -> Option<&Cache> {
        match self.subject {
            Subject::Missing(_) => Some(&self.cache),
            Subject::Kept(_) => None,
        }
    }

    /// Lets `compute` write the value, and stores it unless more than `maximum` per cent of the memory, or more than
    /// the cache's own maximum, would be in use.
    pub fn compute(self, maximum: f64, compute: impl FnOnce(&mut Draft) -> Result<()>) -> Result<Value> {
        let mut draft = self.draft(Reservation::default());
        match compute(&mut draft) {
            Ok(()) => {
                let block = draft.pause();
                self.complete(block, Cost::UNKNOWN, maximum)
            }
            Err(error) => {
                self.failed();
                Err(error)
            }
        }
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        self.subject.key()
    }

    /// Reserves `len` bytes for the value, zeroed or uninitialized, in an empty `block`, if its cache has room for them
    /// at once. Otherwise the draft may.
    #[inline(always)]
    pub fn reserve_at_once<'b>(&self, block: &'b mut Reservation, len: usize, zeroed: bool) -> Option<&'b mut [u8]> {
        match &self.subject {
            Subject::Missing(flight) => block.reserve_at_once(flight.key(), len, &self.cache.memory_at_once(), zeroed),
            Subject::Kept(_) => None,
        }
    }

    /// The draft of the value, which continues with the reserved bytes in `block`.
    pub fn draft(&self, block: Reservation) -> Draft<'_> {
        match self.home() {
            Some(cache) => cache.draft(self.key(), block),
            None => Draft::resume(self.key(), None, block),
        }
    }

    /// Ends the computation with a value of this cost, if that is known. Only once.
    #[inline(always)]
    pub fn complete(&self, block: Reservation, cost: Cost, maximum: f64) -> Result<Value> {
        let completed = match (&self.subject, block.finish()) {
            (Subject::Missing(flight), Ok(entry)) => self.cache.complete(flight, self.owner, entry, cost, maximum),
            (_, finished) => self.complete_otherwise(finished, cost, maximum),
        };
        if completed.is_err() {
            self.cache.count_failure();
        }
        completed
    }

    /// As [`Pending::complete`], with a short value that is written nowhere yet.
    #[inline(always)]
    pub fn complete_short(&self, value: &[u8], maximum: f64) -> Result<Value> {
        match &self.subject {
            Subject::Missing(flight) => {
                let completed = self.cache.complete_short(flight, self.owner, value, maximum);
                if completed.is_err() {
                    self.cache.count_failure();
                }
                completed
            }
            Subject::Kept(_) => {
                let mut draft = self.draft(Reservation::default());
                draft.write(value).inspect_err(|_| self.cache.count_failure())?;
                self.complete(draft.pause(), Cost::UNKNOWN, maximum)
            }
        }
    }

    /// As [`Pending::complete`], for a value that is not finished, or one that is verified.
    #[cold]
    #[inline(never)]
    fn complete_otherwise(
        &self,
        finished: std::result::Result<OwnedEntry, Reservation>,
        cost: Cost,
        maximum: f64,
    ) -> Result<Value> {
        let entry = match finished {
            Ok(entry) => entry,
            Err(block) => self.draft(block).finish()?,
        };
        match &self.subject {
            Subject::Missing(flight) => self.cache.complete(flight, self.owner, entry, cost, maximum),
            Subject::Kept(kept) => {
                let computed = entry.into_pinned();
                self.cache.check(computed.key(), computed.value())?;
                Ok(self.compare(kept, computed, cost, maximum))
            }
        }
    }

    /// The kept value if the computed one is the same. Otherwise the computed one, which replaces it.
    fn compare(&self, kept: &Value, computed: Pinned, cost: Cost, maximum: f64) -> Value {
        let (key, old, new) = (kept.entry.key(), kept.entry.value(), computed.value());
        if self.cache.verifier().is_none_or(|verifier| verifier.is_same(key, old, new)) {
            return kept.clone();
        }
        let origin = match self.cache.correct(key, old, new, cost, maximum) {
            Ok(origin) => origin,
            Err(Error::Redis(_)) => Origin::NotStored(Some(Refusal::Server)),
            Err(Error::Storage(_)) => Origin::NotStored(Some(Refusal::Storage)),
            Err(_) => Origin::NotStored(None),
        };
        Value { entry: computed, origin }
    }

    /// Ends the computation without a value.
    pub fn failed(&self) {
        self.cache.count_failure();
    }
}

impl Drop for Pending {
    #[inline(always)]
    fn drop(&mut self) {
        match &self.subject {
            // After `complete` the flight has no owner.
            Subject::Missing(flight) if self.owner.is_none() && !flight.has_owner() => {}
            _ => self.give_up(),
        }
    }
}

impl Pending {
    /// Ends what is left of the computation.
    #[cold]
    #[inline(never)]
    fn give_up(&self) {
        match (&self.subject, self.owner) {
            // After `complete` a joined caller leaves twice, which is harmless.
            (Subject::Missing(flight), joined) => self.cache.fail(flight, joined),
            (Subject::Kept(_), Some(owner)) => self.cache.verifier().into_iter().for_each(|one| one.end(owner)),
            (Subject::Kept(_), None) => {}
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
        let Err(Beyond::Missed) = cache.hit(&key) else { panic!("the key has no value yet") };
        change();
        match cache.begin(&key, Owner::this_thread(), true).unwrap() {
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
