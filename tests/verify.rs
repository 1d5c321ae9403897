//! Verified mode: every n-th hit is computed again, and a difference is an alarm.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use phicache::cache::{
    Cache, DictCache, Judge, Lease, Memo, Method, MiceCache, Options, Origin, PurviewCache, Refusal, Started, Value,
    Verifier, shared_dict,
};
use phicache::config::Config;
use phicache::error::{Error, Result};
use phicache::iit::{Cut, Direction, Mice, NodeSet, Subsystem};
use phicache::key::{Element, Fingerprint, KeyBuilder};

/// Key, kept value, computed value.
type Difference = (Vec<u8>, Vec<u8>, Vec<u8>);

/// Remembers the differences; `Some` tolerance compares values as doubles.
#[derive(Clone, Default)]
struct Judging {
    tolerance: Option<f64>,
    differences: Arc<Mutex<Vec<Difference>>>,
}

impl Judge for Judging {
    fn is_same(&self, _key: &[u8], kept: &[u8], computed: &[u8]) -> bool {
        let double = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().unwrap());
        match self.tolerance {
            None => kept == computed,
            Some(tolerance) => (double(kept) - double(computed)).abs() <= tolerance,
        }
    }

    fn report(&self, key: &[u8], kept: &[u8], computed: &[u8]) {
        self.differences.lock().unwrap().push((key.to_vec(), kept.to_vec(), computed.to_vec()));
    }
}

fn config() -> Arc<Config> {
    Config::new().unwrap()
}

fn options(every: u64, judging: &Judging) -> Options {
    Options { verifier: Verifier::new(every, judging.clone()).unwrap(), ..Options::default() }
}

fn dict(every: u64, judging: &Judging) -> Cache {
    DictCache::dict(config(), options(every, judging)).unwrap().into()
}

fn memoize(cache: &Cache, key: &[u8], value: &[u8]) -> Value {
    cache.memoize(key, |draft| draft.write(value)).unwrap()
}

/// Hits, misses, verified, differences.
fn counts(cache: &Cache) -> (u64, u64, u64, u64) {
    let stats = cache.stats().unwrap();
    (stats.info.hits, stats.info.misses, stats.verified, stats.differences)
}

fn args(number: f64) -> KeyBuilder {
    let mut key = KeyBuilder::new();
    key.add(Element::Double(number)).unwrap();
    key
}

#[test]
fn every_nth_hit_is_computed_again() {
    let cache = dict(3, &Judging::default());
    let calls = AtomicUsize::new(0);
    for _ in 0..10 {
        let found = cache.memoize(b"key", |draft| {
            calls.fetch_add(1, Relaxed);
            draft.write(b"value")
        });
        assert_eq!(found.unwrap().entry.value(), b"value");
    }
    // A miss, then nine hits.
    assert_eq!((calls.load(Relaxed), counts(&cache)), (4, (9, 1, 3, 0)));
    cache.clear().unwrap();
    assert_eq!(counts(&cache), (0, 0, 0, 0));
}

#[test]
fn without_verified_mode_nothing_is_computed_again() {
    assert!(Verifier::new(0, Judging::default()).unwrap().is_none());
    let cache = dict(0, &Judging::default());
    memoize(&cache, b"key", b"value");
    for _ in 0..100 {
        assert_eq!(memoize(&cache, b"key", b"other").entry.value(), b"value");
    }
    assert_eq!(counts(&cache), (100, 1, 0, 0));
}

#[test]
fn a_difference_is_reported_and_the_new_value_replaces_the_old_one() {
    let judging = Judging::default();
    let cache = dict(1, &judging);
    memoize(&cache, b"key", b"old");
    let new = memoize(&cache, b"key", b"new");
    assert_eq!((new.entry.value(), new.origin), (&b"new"[..], Origin::Computed));
    assert_eq!(cache.get(b"key").unwrap().unwrap().entry.value(), b"new");
    assert_eq!(*judging.differences.lock().unwrap(), [(b"key".to_vec(), b"old".to_vec(), b"new".to_vec())]);
    let equal = memoize(&cache, b"key", b"new");
    assert_eq!((equal.entry.value(), equal.origin), (&b"new"[..], Origin::Hit));
    assert_eq!(counts(&cache), (3, 1, 2, 1));
    assert_eq!(judging.differences.lock().unwrap().len(), 1);
}

#[test]
fn values_that_the_judge_calls_the_same_are_no_difference() {
    let judging = Judging { tolerance: Some(1e-9), ..Judging::default() };
    let cache = dict(1, &judging);
    let double = |cache: &Cache, number: f64| {
        f64::from_le_bytes(memoize(cache, b"sum", &number.to_le_bytes()).entry.value().try_into().unwrap())
    };
    assert_eq!(double(&cache, 0.3), 0.3);
    assert_eq!(double(&cache, 0.1 + 0.2), 0.3, "the hit returns the value that the cache has");
    assert_eq!(double(&cache, 0.4), 0.4);
    assert_eq!(counts(&cache), (2, 1, 2, 1));
}

#[test]
fn a_key_that_is_too_short_is_found_with_memos_and_methods() {
    let judging = Judging::default();
    let cache = dict(1, &judging);
    let memo = Memo::new(config(), None, false, Some(cache.clone()), Some("f".into())).unwrap();
    let power = |base: f64, exponent: i32| {
        // The key lacks the exponent.
        let lookup = memo.get_or_reserve(&mut args(base)).unwrap();
        lookup.or_compute(|draft| draft.write(&base.powi(exponent).to_le_bytes())).unwrap()
    };
    assert!(memo.try_fast_hit(&mut args(2.0), || true).is_none());
    assert_eq!(power(2.0, 2).entry.value(), 4f64.to_le_bytes());
    assert!(memo.try_fast_hit(&mut args(2.0), || true).is_none(), "the fast path would not verify");
    assert_eq!(power(2.0, 3).entry.value(), 8f64.to_le_bytes());
    let info = memo.info().unwrap();
    assert_eq!((info.hits, info.misses, judging.differences.lock().unwrap().len()), (1, 1, 1));

    let method = Method::new(Some("g".into()), false).unwrap();
    let call = |value: &[u8]| {
        let lookup = method.get_or_reserve(&cache, &mut args(1.0)).unwrap();
        lookup.or_compute(|draft| draft.write(value)).unwrap().entry.value().to_vec()
    };
    assert_eq!((call(b"a"), call(b"b"), call(b"b")), (b"a".to_vec(), b"b".to_vec(), b"b".to_vec()));
    assert!(method.try_fast_hit(&cache, &mut args(1.0), || true).is_none(), "the fast path would not verify");
    assert_eq!(counts(&cache), (3, 2, 3, 2));
}

#[test]
fn a_computation_that_fails_fails_the_call_and_the_value_stays() {
    let cache = dict(1, &Judging::default());
    memoize(&cache, b"key", b"value");
    let failed: Result<Value> = cache.memoize(b"key", |_| Err(Error::Callback(7)));
    assert_eq!(failed.err(), Some(Error::Callback(7)));
    assert_eq!(memoize(&cache, b"key", b"value").entry.value(), b"value");
    assert_eq!((counts(&cache), cache.stats().unwrap().errors), ((2, 1, 1, 0), 1));
}

#[test]
fn a_value_that_the_cache_refuses_replaces_nothing_and_the_old_one_does_not_stay() {
    let judging = Judging::default();
    let limited = Options { max_bytes: Some(1 << 20), ..options(1, &judging) };
    let cache: Cache = DictCache::dict(config(), limited).unwrap().into();
    memoize(&cache, b"key", b"short");
    let long = vec![7; 2 << 20];
    let new = memoize(&cache, b"key", &long);
    assert_eq!((new.entry.value(), new.origin), (&long[..], Origin::NotStored(Some(Refusal::Capacity))));
    assert!(!cache.contains(b"key").unwrap());
}

#[test]
fn a_memos_own_limit_holds_for_a_new_value() {
    let cache = dict(1, &Judging::default());
    let memo = Memo::new(config(), Some(0.0), false, Some(cache.clone()), None).unwrap();
    let call = |value: &'static [u8]| match memo.get_or_reserve(&mut args(1.0)).unwrap() {
        phicache::cache::Lookup::Found(found) => found,
        phicache::cache::Lookup::Compute(pending) => memo.compute(pending, |draft| draft.write(value)).unwrap(),
    };
    assert_eq!(call(b"old").origin, Origin::NotStored(Some(Refusal::Memory)));
    let key = args(1.0).key_with_prefix(false, None).unwrap().to_vec();
    cache.set(&key, b"old").unwrap().unwrap();
    assert_eq!(call(b"new").origin, Origin::NotStored(Some(Refusal::Memory)));
    assert!(!cache.contains(&key).unwrap());
}

#[test]
fn a_key_that_changes_meanwhile_keeps_its_state() {
    let cache = dict(1, &Judging::default());
    let during = |change: &dyn Fn()| {
        memoize(&cache, b"key", b"old");
        let write = |draft: &mut phicache::table::Draft| {
            change();
            draft.write(b"new")
        };
        let new = cache.memoize(b"key", write).unwrap();
        assert_eq!(new.entry.value(), b"new");
        let stays = cache.get(b"key").unwrap().map(|value| value.entry.value().to_vec());
        cache.clear().unwrap();
        (new.origin, stays)
    };
    let cleared = (Origin::NotStored(Some(Refusal::Cleared)), None);
    assert_eq!(during(&|| assert!(cache.remove(b"key").unwrap())), cleared);
    assert_eq!(during(&|| cache.clear().unwrap()), cleared);
    let set = || cache.set(b"key", b"set").unwrap().unwrap();
    assert_eq!(during(&set), (Origin::Computed, Some(b"set".to_vec())));
}

#[test]
fn hits_within_a_verification_are_plain_hits() {
    let cache = dict(1, &Judging::default());
    let calls = AtomicUsize::new(0);
    fn fibonacci(cache: &Cache, calls: &AtomicUsize, n: u64) -> u64 {
        let value = cache.memoize(&n.to_le_bytes(), |draft| {
            calls.fetch_add(1, Relaxed);
            let sum = if n < 2 { n } else { fibonacci(cache, calls, n - 1) + fibonacci(cache, calls, n - 2) };
            draft.write(&sum.to_le_bytes())
        });
        u64::from_le_bytes(value.unwrap().entry.value().try_into().unwrap())
    }
    assert_eq!(fibonacci(&cache, &calls, 80), 23_416_728_348_467_685);
    // Each hit of a computation is verified, and none below it: 81 misses, and a verified hit for each number but 0.
    assert_eq!((calls.load(Relaxed), counts(&cache).2), (81 + 78, 78));
    assert_eq!(fibonacci(&cache, &calls, 80), 23_416_728_348_467_685);
    assert_eq!((calls.load(Relaxed), counts(&cache).2), (81 + 78 + 1, 79));
}

#[test]
fn a_verification_that_asks_for_its_own_key_gets_the_value_that_the_cache_has() {
    let cache = dict(1, &Judging::default());
    memoize(&cache, b"key", b"value");
    let again = cache.memoize(b"key", |draft| draft.write(memoize(&cache, b"key", b"inner").entry.value()));
    assert_eq!(again.unwrap().entry.value(), b"value");
    assert_eq!(counts(&cache), (2, 1, 1, 0));
    // Afterwards hits are verified again.
    assert_eq!(memoize(&cache, b"key", b"new").entry.value(), b"new");
}

#[test]
fn other_threads_find_the_value_while_it_is_verified() {
    let cache = dict(2, &Judging::default());
    memoize(&cache, b"key", b"value");
    memoize(&cache, b"key", b"value");
    let verified = cache.memoize(b"key", |draft| {
        std::thread::scope(|scope| {
            let hit = scope.spawn(|| memoize(&cache, b"key", b"other").entry.value().to_vec());
            assert_eq!(hit.join().unwrap(), b"value");
        });
        draft.write(b"value")
    });
    assert_eq!((verified.unwrap().origin, counts(&cache)), (Origin::Hit, (3, 1, 1, 0)));
}

#[test]
fn each_hit_of_many_threads_has_its_number() {
    const THREADS: u64 = 20;
    const HITS: u64 = 500;
    let cache = dict(10, &Judging::default());
    memoize(&cache, b"key", b"value");
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                (0..HITS).for_each(|_| assert_eq!(memoize(&cache, b"key", b"value").entry.value(), b"value"))
            });
        }
    });
    assert_eq!(counts(&cache), (THREADS * HITS, 1, THREADS * HITS / 10, 0));
}

#[test]
fn gets_are_not_verified() {
    let cache = dict(1, &Judging::default());
    memoize(&cache, b"key", b"value");
    for _ in 0..5 {
        assert_eq!(cache.get(b"key").unwrap().unwrap().entry.value(), b"value");
    }
    assert_eq!(counts(&cache), (5, 1, 0, 0));
}

#[test]
fn leases_verify_hits_too() {
    let judging = Judging::default();
    let cache = dict(1, &judging);
    let begin = |owner| Lease::begin(&cache, b"key", owner).unwrap();
    memoize(&cache, b"key", b"old");
    let complete = |value: &[u8]| match begin(1) {
        Started::Lease(mut lease) => {
            assert!(matches!(begin(1), Started::Found(_)), "a hit of the owner that verifies");
            lease.reserve(value.len()).unwrap().copy_from_slice(value);
            let kept = lease.kept().unwrap().entry.value().to_vec();
            let value = lease.complete().unwrap();
            (kept, value.entry.value().to_vec(), value.origin)
        }
        Started::Found(_) | Started::Busy => panic!("every hit is verified"),
    };
    assert_eq!(complete(b"old"), (b"old".to_vec(), b"old".to_vec(), Origin::Hit));
    assert_eq!(complete(b"new"), (b"old".to_vec(), b"new".to_vec(), Origin::Computed));
    assert_eq!(judging.differences.lock().unwrap().len(), 1);
    // Abandoned: the value stays, and the owner may verify again.
    drop(begin(1));
    assert_eq!(complete(b"new"), (b"new".to_vec(), b"new".to_vec(), Origin::Hit));
    assert_eq!((counts(&cache).1, counts(&cache).2, cache.stats().unwrap().errors), (1, 3, 0));
}

#[test]
fn a_thread_that_ends_abandons_its_verification() {
    let cache = dict(1, &Judging::default());
    memoize(&cache, b"key", b"value");
    let lease = std::thread::scope(|scope| {
        let begun = scope.spawn(|| Lease::begin(&cache, b"key", 0).unwrap());
        match begun.join().unwrap() {
            Started::Lease(lease) => lease,
            Started::Found(_) | Started::Busy => panic!("every hit is verified"),
        }
    });
    assert_eq!(lease.kept().unwrap().entry.value(), b"value");
    assert_eq!(lease.complete().unwrap().origin, Origin::NotStored(Some(Refusal::Cleared)));
    assert_eq!((memoize(&cache, b"key", b"value").origin, counts(&cache).2), (Origin::Hit, 1));
}

#[test]
fn purviews_that_are_no_list_are_an_error() {
    let cache: Cache = PurviewCache::purview(config(), options(1, &Judging::default())).unwrap().into();
    let key = PurviewCache::key(Direction::Cause, NodeSet(3)).unwrap();
    memoize(&cache, &key, &[1; 16]);
    assert!(cache.memoize(&key, |draft| draft.write(b"short")).is_err());
    assert_eq!(memoize(&cache, &key, &[1; 16]).origin, Origin::Hit);
    assert_eq!((counts(&cache), cache.stats().unwrap().errors), ((2, 1, 1, 0), 1));
}

#[test]
fn inherited_mice_are_verified_and_the_parents_stays() {
    let uncut = Subsystem::new(&Fingerprint([1; 32]), &[0, 1, 0], NodeSet(7), None, None).unwrap();
    let cut = uncut.under(Some(Cut::bipartition(3, NodeSet(1), NodeSet(6)).unwrap())).unwrap();
    let judging = Judging::default();
    let parent = MiceCache::mice(config(), Options::default(), &uncut, None).unwrap();
    let child: Cache = MiceCache::mice(config(), options(1, &judging), &cut, Some(&parent)).unwrap().into();
    let mice =
        |phi| Mice { direction: Direction::Cause, mechanism: NodeSet(2), purview: NodeSet(4), phi, payload: b"" };
    let memoize = |phi| {
        child.memoize(b"key", |draft| {
            let mice = mice(phi);
            mice.write(draft.reserve(mice.record_len())?);
            Ok(())
        })
    };
    parent.set_mice(b"key", &mice(0.5)).unwrap().unwrap();
    assert_eq!(memoize(0.5).unwrap().origin, Origin::Parent);
    let new = memoize(0.25).unwrap();
    assert_eq!(new.origin, Origin::NotStored(Some(Refusal::Cut)));
    assert_eq!(Mice::read(new.entry.value()).unwrap().phi, 0.25);
    assert_eq!(Mice::read(parent.get(b"key").unwrap().entry.value()).unwrap().phi, 0.5);
    assert_eq!((counts(&child), judging.differences.lock().unwrap().len()), ((2, 0, 2, 1), 1));
    assert!(child.memoize(b"key", |draft| draft.write(b"no record")).is_err());
}

#[test]
fn holders_of_a_shared_cache_agree_on_verified_mode() {
    let (config, fingerprint) = (config(), Fingerprint([7; 32]));
    let shared = |every| shared_dict(config.clone(), options(every, &Judging::default()), None, fingerprint, "role");
    let held = shared(3).unwrap();
    assert!(shared(2).is_err() && shared(0).is_err());
    assert!(shared(3).unwrap().0.is_same(&held.0));
}
