//! Operations on a shared cache that overlap, in one thread: the backing calls a test in the middle of each.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::*;
use crate::cache::computed::Begin;
use crate::cache::shared::backing::{KeyClaim, StoreOutcome};
use crate::cache::value::Stored;
use crate::flight::Owner;

type Act = Box<dyn FnOnce() + Send>;

/// Values in memory, and what happens while the next of them is read or written.
#[derive(Default)]
struct Values {
    values: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    /// Before it is written.
    before: Mutex<Option<Act>>,
    /// After it was read or written, before the operation ends.
    after: Mutex<Option<Act>>,
}

fn act(act: &Mutex<Option<Act>>) {
    let act = act.lock().unwrap_or_else(PoisonError::into_inner).take();
    act.into_iter().for_each(|act| act());
}

impl Values {
    fn value(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.values.lock().unwrap().get(key).cloned()
    }
}

impl Backing for Values {
    fn get(&self, draft: &mut Draft) -> Result<Fetched> {
        let found = self.value(draft.key());
        act(&self.after);
        let Some(value) = found else { return Ok(Fetched::Nothing) };
        draft.write(&value)?;
        Ok(Fetched::Value(Cost::UNKNOWN))
    }

    fn get_many(&self, drafts: &mut [Draft]) -> (Vec<Fetched>, Result<()>) {
        (drafts.iter_mut().map(|draft| self.get(draft).unwrap()).collect(), Ok(()))
    }

    fn verifies(&self) -> bool {
        true
    }

    fn contains(&self, key: &[u8]) -> Result<bool> {
        Ok(self.value(key).is_some())
    }

    fn set(&self, key: &[u8], value: &[u8], _cost: Cost) -> Result<StoreOutcome> {
        act(&self.before);
        self.values.lock().unwrap().insert(key.into(), value.into());
        act(&self.after);
        Ok(StoreOutcome::Stored)
    }

    fn set_many(&self, pairs: &[(&[u8], &[u8])]) -> Vec<Result<StoreOutcome>> {
        pairs.iter().map(|(key, value)| self.set(key, value, Cost::UNKNOWN)).collect()
    }

    fn remove(&self, key: &[u8]) -> Result<bool> {
        act(&self.before);
        let removed = self.values.lock().unwrap().remove(key).is_some();
        act(&self.after);
        Ok(removed)
    }

    fn clear(&self) -> Result<()> {
        act(&self.before);
        self.values.lock().unwrap().clear();
        act(&self.after);
        Ok(())
    }

    fn size(&self) -> Result<Option<u64>> {
        Ok(Some(self.values.lock().unwrap().len() as u64))
    }

    fn count(&self, _counts: &dyn Fn(&[u8]) -> bool) -> Result<Option<u64>> {
        self.size()
    }

    fn longest_pause(&self) -> Duration {
        Duration::ZERO
    }

    fn claim(&self, _key: &[u8], _computation: u64) -> Result<KeyClaim> {
        Ok(KeyClaim::None)
    }

    fn is_claimed(&self, _key: &[u8]) -> Result<bool> {
        Ok(false)
    }

    fn complete(&self, key: &[u8], _computation: u64, _claim: KeyClaim, value: &[u8], cost: Cost) -> StoreOutcome {
        self.set(key, value, cost).unwrap()
    }

    fn release(&self, _key: &[u8], _computation: u64, _claim: KeyClaim) {}
}

type Tested = TryArc<SharedCache<Values>>;

const KEY: &[u8] = b"key";

fn cache() -> Tested {
    let residence = Residence { near: true, own: true };
    SharedCache::new(Values::default(), None, residence, Config::new().unwrap(), Options::default()).unwrap()
}

fn evict(cache: &Tested) {
    cache.near().remove_from_table(&KEY.into());
}

fn get(cache: &Tested) -> Option<Vec<u8>> {
    cache.get(KEY).unwrap().map(|value| value.entry.value().to_vec())
}

/// What `begin` finds for the key, if nobody has to compute it.
fn begin(cache: &Tested) -> Option<Vec<u8>> {
    match cache.begin(&KEY.into(), Owner::this_thread(), true).unwrap() {
        Some(Begin::Found(value)) => Some(value.entry.value().to_vec()),
        Some(Begin::Lease(flight)) => {
            cache.fail(&flight, None);
            None
        }
        _ => panic!("nobody else computes it"),
    }
}

fn many(cache: &Tested) -> Option<Vec<u8>> {
    let mut value = None;
    cache.get_many(&[KEY], |_, found| value = Some(found.entry.value().to_vec())).unwrap();
    value
}

fn set(cache: &Tested, value: &[u8]) -> Stored {
    cache.set(KEY, value).unwrap()
}

type Read = fn(&Tested) -> Option<Vec<u8>>;
type Change = fn(&Tested);

/// Ways to read the key.
const READS: [Read; 3] = [get, many, begin];

/// Ways to change the key, and its value afterwards.
const CHANGES: [(Change, Option<&[u8]>); 4] = [
    (|cache| set(cache, b"new").unwrap(), Some(b"new")),
    (|cache| cache.set_many(&[(KEY, b"new")]).into_iter().for_each(|set| set.unwrap().unwrap()), Some(b"new")),
    (|cache| assert!(cache.remove(KEY).is_ok()), None),
    (|cache| cache.clear().unwrap(), None),
];

fn during(hook: &Mutex<Option<Act>>, cache: &Tested, act: impl FnOnce(&Tested) + Send + 'static) {
    let cache = cache.clone();
    *hook.lock().unwrap() = Some(Box::new(move || act(&cache)));
}

/// What is near is what the backing has.
fn check(cache: &Tested, expected: Option<&[u8]>, what: &str) {
    assert_eq!(cache.backing.value(KEY).as_deref(), expected, "{what}: at the backing");
    assert_eq!(get(cache).as_deref(), expected, "{what}: read afterwards");
}

#[test]
fn a_fetch_that_began_before_a_change_keeps_nothing() {
    for (number, read) in READS.into_iter().enumerate() {
        for (kind, (change, expected)) in CHANGES.into_iter().enumerate() {
            let cache = cache();
            set(&cache, b"old").unwrap();
            evict(&cache);
            // What the change has put near is evicted before the fetch ends.
            during(&cache.backing.after, &cache, move |cache| {
                change(cache);
                evict(cache);
            });
            assert_eq!(read(&cache).as_deref(), Some(&b"old"[..]));
            check(&cache, expected, &format!("read {number}, change {kind}"));
        }
    }
}

#[test]
fn a_fetch_while_a_change_is_in_progress_keeps_nothing_older() {
    for (number, read) in READS.into_iter().enumerate() {
        for (kind, (change, expected)) in CHANGES.into_iter().enumerate() {
            let cache = cache();
            set(&cache, b"old").unwrap();
            evict(&cache);
            during(&cache.backing.before, &cache, move |cache| {
                assert_eq!(read(cache).as_deref(), Some(&b"old"[..]));
            });
            change(&cache);
            check(&cache, expected, &format!("read {number}, change {kind}"));
        }
    }
}

#[test]
fn of_changes_that_overlap_the_near_cache_keeps_what_the_backing_has() {
    for (first, (one, expected)) in CHANGES.into_iter().enumerate() {
        for (second, (other, inner)) in CHANGES.into_iter().enumerate() {
            let what = format!("change {first}, in the middle change {second}");
            let cache = cache();
            set(&cache, b"old").unwrap();
            during(&cache.backing.before, &cache, other);
            one(&cache);
            check(&cache, expected, &what);
            set(&cache, b"old").unwrap();
            during(&cache.backing.after, &cache, move |cache| match inner {
                Some(_) => set(cache, b"newer").unwrap(),
                None => other(cache),
            });
            one(&cache);
            check(&cache, inner.map(|_| &b"newer"[..]), &what);
        }
    }
}

#[test]
fn a_computed_value_that_overlaps_a_store_is_near_only_if_the_backing_has_it() {
    let cache = cache();
    for (hook, expected) in [(&cache.backing.before, &b"computed"[..]), (&cache.backing.after, &b"stored"[..])] {
        cache.clear().unwrap();
        let Some(Begin::Lease(flight)) = cache.begin(&KEY.into(), Owner::this_thread(), true).unwrap() else {
            panic!("it has no value yet");
        };
        let mut draft = cache.near.draft(KEY);
        draft.write(b"computed").unwrap();
        during(hook, &cache, |cache| set(cache, b"stored").unwrap());
        let value = cache.complete(&flight, None, draft.finish().unwrap(), Cost::UNKNOWN).unwrap();
        assert_eq!(value.origin, Origin::Computed);
        check(&cache, Some(expected), "a store in the middle");
    }
}

#[test]
fn what_is_alone_is_kept() {
    let cache = cache();
    for (change, expected) in CHANGES {
        change(&cache);
        assert_eq!(cache.near().contains_hashed(&KEY.into()), expected.is_some());
        cache.backing.values.lock().unwrap().insert(KEY.into(), b"of another process".into());
        evict(&cache);
        assert!(get(&cache).is_some() && cache.near().contains_hashed(&KEY.into()));
    }
}
