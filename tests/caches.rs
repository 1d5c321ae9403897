//! The dict cache, the purview cache, memos and methods: PyPhi's rules and this library's additions.

mod disk_sample;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use disk_sample::Scratch;
use phicache::cache::registry::{self, Name};
use phicache::cache::{
    Cache, Cost, DictCache, DiskCache, Lookup, Memo, Method, MiceCache, OnFull, Options, Origin, PurviewCache,
    RedisCache, Refusal, Stats, shared_dict, shared_disk,
};
use phicache::config::Config;
use phicache::error::Error;
use phicache::iit::{Direction, Mice, NodeSet, Subsystem};
use phicache::key::{Element, Fingerprint, KeyBuilder};

fn config() -> Arc<Config> {
    Config::new().unwrap()
}

fn dict() -> Cache {
    DictCache::dict(config(), Options::default()).unwrap().into()
}

fn args(numbers: &[f64]) -> KeyBuilder {
    let mut key = KeyBuilder::new();
    numbers.iter().for_each(|number| key.add(Element::Double(*number)).unwrap());
    key
}

#[test]
fn gets_are_counted_sets_are_not_and_clear_resets() {
    let cache = dict();
    assert!(cache.get(b"k").unwrap().is_none());
    assert_eq!(cache.set(b"k", b"v").unwrap(), Ok(()));
    assert_eq!(cache.set(b"k", b"").unwrap(), Ok(()));
    assert_eq!(cache.get(b"k").unwrap().unwrap().entry.value(), b"");
    assert!(cache.contains(b"k").unwrap() && !cache.contains(b"other").unwrap());
    let info = cache.info().unwrap();
    assert_eq!((info.hits, info.misses, info.size), (1, 1, 1));
    cache.clear().unwrap();
    let stats = cache.stats().unwrap();
    assert_eq!((stats.info.hits, stats.info.misses, stats.info.size, stats.stores), (0, 0, 0, 0));
}

#[test]
fn a_copy_into_a_short_buffer_returns_the_length_and_counts_nothing() {
    let cache = dict();
    cache.set(b"k", b"value").unwrap().unwrap();
    let mut buffer = [0; 4];
    assert_eq!(cache.get_into(b"k", &mut buffer), Err(Error::BufferTooSmall { needed: 5, capacity: 4 }));
    assert_eq!(cache.info().unwrap().hits, 0);
    let mut buffer = [0; 8];
    assert_eq!(cache.get_into(b"k", &mut buffer), Ok(Some(5)));
    assert_eq!((&buffer[..5], cache.info().unwrap().hits), (&b"value"[..], 1));
    assert_eq!(cache.get_into(b"none", &mut buffer), Ok(None));
}

#[test]
fn a_store_above_the_memory_limit_is_refused_and_keeps_the_old_value() {
    let config = config();
    let cache = Cache::from(DictCache::dict(config.clone(), Options::default()).unwrap());
    cache.set(b"k", b"old").unwrap().unwrap();
    config.set_maximum_memory(0.0).unwrap();
    assert_eq!(cache.set(b"k", b"new").unwrap(), Err(Refusal::Memory));
    let value = cache.memoize(b"other", |draft| draft.write(b"computed")).unwrap();
    assert_eq!((value.entry.value(), value.origin), (&b"computed"[..], Origin::NotStored(Some(Refusal::Memory))));
    assert_eq!((cache.get(b"k").unwrap().unwrap().entry.value(), cache.size().unwrap()), (&b"old"[..], 1));
    assert_eq!(cache.stats().unwrap().refused[Refusal::Memory as usize], 2);
    config.set_maximum_memory(1e-6).unwrap();
    assert_eq!(cache.set(b"k", b"new").unwrap(), Err(Refusal::Memory));
    config.set_maximum_memory(-1.0).unwrap();
    assert_eq!(cache.set(b"k", b"new").unwrap(), Ok(()));
    assert!(config.set_maximum_memory(f64::NAN).is_err() && config.set_maximum_memory(100.5).is_err());
}

#[test]
fn no_reader_of_statistics_ever_sees_more_than_max_bytes() {
    let most = 64 << 10;
    let options = Options { max_bytes: Some(most), on_full: OnFull::Refuse, ..Options::default() };
    let cache = Cache::from(DictCache::dict(config(), options).unwrap());
    // The writers continue until the reader has looked often enough while stores were refused.
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..2u64 {
            let (cache, done) = (&cache, &done);
            scope.spawn(move || {
                for key in (0..).map(|key: u64| key << 1 | thread).take_while(|_| !done.load(Relaxed)) {
                    let _ = cache.set(&key.to_le_bytes(), &[0; 4000]).unwrap();
                    if key % 64 < 2 {
                        cache.remove(&(key - key % 64).to_le_bytes()).unwrap();
                    }
                }
            });
        }
        let refused = |stats: &Stats| stats.refused[Refusal::Capacity as usize];
        let mut seen = 0;
        while seen < 50_000 {
            let stats = cache.stats().unwrap();
            seen += u64::from(refused(&stats) > 0);
            if stats.bytes > most {
                done.store(true, Relaxed);
                panic!("{} bytes of {most}", stats.bytes);
            }
        }
        done.store(true, Relaxed);
    });
}

#[test]
fn a_store_above_max_bytes_is_refused_if_the_cache_refuses_and_max_bytes_is_never_exceeded() {
    let options = Options { max_bytes: Some(4096), on_full: OnFull::Refuse, ..Options::default() };
    let cache = DictCache::dict(config(), options).unwrap();
    let refused = (0..100u32).filter(|i| cache.set(&i.to_le_bytes(), &[0; 64]).unwrap().is_err()).count();
    assert!(refused > 0 && cache.stats().bytes <= 4096, "{refused} refused, {} bytes", cache.stats().bytes);
    assert_eq!(cache.stats().refused[Refusal::Capacity as usize], refused as u64);
}

#[test]
fn a_cache_does_what_it_was_made_with_when_it_is_full_or_else_what_its_configuration_says() {
    let config = config();
    let cache = |on_full| DictCache::dict(config.clone(), Options { on_full, ..Options::default() }).unwrap();
    let (open, refusing, evicting) = (cache(OnFull::Configured), cache(OnFull::Refuse), cache(OnFull::Evict));
    let full = |cache: &DictCache| (cache.full().evicts_at_capacity, cache.full().evicts_at_limit);
    assert_eq!((full(&open), full(&refusing), full(&evicting)), ((true, false), (false, false), (true, true)));
    // The configuration applies at once, to caches without a choice of their own.
    config.set_on_full(OnFull::Refuse);
    assert_eq!((full(&open), full(&refusing), full(&evicting)), ((false, false), (false, false), (true, true)));
    config.set_on_full(OnFull::Evict);
    assert_eq!((full(&open), full(&refusing), full(&evicting)), ((true, true), (false, false), (true, true)));
    config.set_on_full(OnFull::Configured);
    assert_eq!(full(&open), (true, false));
}

#[test]
fn a_key_of_two_gigabytes_is_an_error_in_every_cache() {
    let scratch = Scratch::new();
    let config = config();
    config.set_disk_directory(Some(scratch.path().to_str().unwrap())).unwrap();
    let options = Options::default;
    let system = Subsystem::new(&Fingerprint([1; 32]), &[1, 0, 0], NodeSet(7), None, None).unwrap();
    let mice = DiskCache::disk_mice(config.clone(), options(), &system, None).unwrap();
    let (disk, _holder) = shared_disk(config.clone(), options(), None, Fingerprint([1; 32]), "values", None).unwrap();
    let mut caches = vec![dict(), disk];
    if cfg!(feature = "redis") {
        config.set_redis_url("unix:///nowhere").unwrap();
        caches.push(RedisCache::redis(config.clone(), options(), None).unwrap().into());
    }
    // Nothing reads it: it takes no memory.
    let key = vec![0; 1 << 31];
    let text = "a key of 2147483648 bytes is too long; a key has at most 2147483647";
    let refused = Err(Error::invalid(text));
    for cache in caches {
        assert_eq!(cache.set(&key, b"value"), refused);
        assert_eq!(cache.set_with_cost(&key, b"value", Cost::of_ns(1)), refused);
        let mut answers = Vec::new();
        cache.set_many([(&key[..], &b"value"[..])].into_iter(), |answer| answers.push(answer)).unwrap();
        assert_eq!(answers, std::slice::from_ref(&refused));
        assert_eq!(cache.stats().unwrap().stores, 0);
    }
    let record =
        Mice { direction: Direction::Cause, mechanism: NodeSet(1), purview: NodeSet(2), phi: 0.5, payload: b"" };
    assert_eq!(mice.set_mice(&key, &record), refused);
    assert_eq!(MiceCache::mice(config, options(), &system, None).unwrap().set_mice(&key, &record), refused);
}

#[test]
fn a_value_with_a_cost_is_stored_as_any_other() {
    let cache = dict();
    for (cost, value) in [(0, &b"first"[..]), (1, b"second"), (u64::MAX, &[7; 10_000])] {
        assert_eq!(cache.set_with_cost(b"k", value, Cost::of_ns(cost)).unwrap(), Ok(()));
        assert_eq!(cache.get(b"k").unwrap().unwrap().entry.value(), value);
    }
    let stats = cache.stats().unwrap();
    assert_eq!((stats.stores, stats.info.size, stats.evictions, stats.compute_ns), (3, 1, 0, 0));
    // It is refused as any other, too.
    let purviews = Cache::from(PurviewCache::purview(config(), Options::default()).unwrap());
    assert!(purviews.set_with_cost(b"k", b"no masks", Cost::of_ns(1)).unwrap().is_ok());
    assert!(purviews.set_with_cost(b"k", b"7 bytes", Cost::of_ns(1)).is_err());
    purviews.config().set_purviews(false);
    assert_eq!(purviews.set_with_cost(b"k", b"no masks", Cost::of_ns(1)).unwrap(), Err(Refusal::Disabled));
}

#[test]
fn live_bytes_are_those_of_the_entries_in_the_table() {
    let cache = dict();
    let live = || cache.stats().unwrap().live_bytes;
    assert_eq!((live(), cache.stats().unwrap().bytes), (0, 0));
    for key in 0..1000u32 {
        cache.set(&key.to_le_bytes(), &[0; 200]).unwrap().unwrap();
    }
    let thousand = live();
    assert!(thousand >= 1000 * 204 && thousand <= cache.stats().unwrap().bytes, "{thousand}");
    // A pinned value that was removed still takes memory, but no longer as an entry.
    let pinned: Vec<_> = (0..1000u32).map(|key| cache.get(&key.to_le_bytes()).unwrap().unwrap()).collect();
    for key in 0..500u32 {
        cache.remove(&key.to_le_bytes()).unwrap();
    }
    assert_eq!(live(), thousand / 2);
    assert!(cache.stats().unwrap().bytes >= thousand);
    drop(pinned);
    cache.clear().unwrap();
    assert_eq!(live(), 0);
}

#[test]
fn a_failed_computation_is_returned_and_not_cached() {
    let cache = dict();
    let failed = cache.memoize(b"k", |draft| {
        draft.write(b"half")?;
        Err(Error::Callback(7))
    });
    assert!(matches!(failed, Err(Error::Callback(7))));
    assert!(!cache.contains(b"k").unwrap());
    assert_eq!(cache.stats().unwrap().errors, 1);
    let value = cache.memoize(b"k", |draft| draft.write(b"whole")).unwrap();
    assert_eq!((value.entry.value(), value.origin), (&b"whole"[..], Origin::Computed));
}

#[test]
fn a_computation_may_look_up_other_keys() {
    fn fibonacci(cache: &Cache, n: u64) -> u64 {
        let value = cache.memoize(&n.to_le_bytes(), |draft| {
            let value = if n < 2 { n } else { fibonacci(cache, n - 1) + fibonacci(cache, n - 2) };
            draft.write(&value.to_le_bytes())
        });
        u64::from_le_bytes(value.unwrap().entry.value().try_into().unwrap())
    }
    let cache = dict();
    assert_eq!(fibonacci(&cache, 90), 2880067194370816120);
    let info = cache.info().unwrap();
    assert_eq!((info.hits, info.misses, info.size), (88, 91, 91));
    assert!(cache.stats().unwrap().saved_ns > 0);
}

#[test]
fn holders_of_an_identity_share_one_cache_until_the_last_is_freed() {
    let (config, one) = (config(), Fingerprint([1; 32]));
    let get = |fingerprint, role| shared_dict(config.clone(), Options::default(), None, fingerprint, role).unwrap();
    let (cache_a, holder_a) = get(one, "repertoires");
    let (cache_b, holder_b) = get(one, "repertoires");
    let (other_role, _c) = get(one, "single nodes");
    let (other_system, _d) = get(Fingerprint([2; 32]), "repertoires");
    assert!(cache_a.is_same(&cache_b) && !cache_a.is_same(&other_role) && !cache_a.is_same(&other_system));
    assert!(shared_dict(Config::new().unwrap(), Options::default(), None, one, "repertoires").is_err());
    assert!(shared_dict(config.clone(), Options::default(), Some("name"), one, "repertoires").is_err());
    for options in [
        Options { max_bytes: Some(1 << 20), ..Options::default() },
        Options { on_full: OnFull::Evict, ..Options::default() },
    ] {
        assert!(shared_dict(config.clone(), options, None, one, "repertoires").is_err());
    }
    cache_a.set(b"k", b"v").unwrap().unwrap();
    drop(holder_a);
    let (cache_c, holder_c) = get(one, "repertoires");
    assert!(cache_c.contains(b"k").unwrap());
    drop((holder_b, holder_c));
    assert!(!get(one, "repertoires").0.contains(b"k").unwrap());
}

#[test]
fn a_name_belongs_to_one_live_cache() {
    let (a, b) = (dict(), dict());
    let first = Name::register("the name", &a).unwrap();
    let again = Name::register("the name", &a).unwrap();
    assert!(matches!(Name::register("the name", &b), Err(Error::NameInUse(_))));
    drop(first);
    assert!(registry::find("the name").unwrap().is_same(&a));
    drop(again);
    assert!(registry::find("the name").is_err());
    let _b = Name::register("the name", &b).unwrap();
    assert!(registry::all().unwrap().iter().any(|(name, cache)| name == "the name" && cache.is_same(&b)));
    assert!(Name::register("", &a).is_err() && Name::register(&"n".repeat(64), &a).is_err());
}

#[test]
fn purviews_are_stored_only_while_they_are_switched_on() {
    let config = config();
    let cache = PurviewCache::purview(config.clone(), Options::default()).unwrap();
    let key = PurviewCache::key(Direction::Cause, NodeSet(1)).unwrap();
    assert!(cache.set(&key, &[0; 7]).is_err());
    config.set_purviews(false);
    assert_eq!(cache.set(&key, &[0; 16]).unwrap(), Err(Refusal::Disabled));
    config.set_purviews(true);
    assert_eq!(cache.set(&key, &[0; 16]).unwrap(), Ok(()));
    assert!(cache.get(&key).is_some());
    assert_ne!(*key, *PurviewCache::key(Direction::Effect, NodeSet(1)).unwrap());
}

/// Calls a memo of `f(x) = bits of x`. True if it computed.
fn call(memo: &Memo, numbers: &mut KeyBuilder) -> bool {
    let computed = Cell::new(false);
    let compute = |draft: &mut phicache::table::Draft| {
        computed.set(true);
        draft.write(b"value")
    };
    let value = match memo.get_or_reserve(numbers).unwrap() {
        Lookup::Found(value) => value,
        Lookup::Compute(flight) => memo.compute(flight, compute).unwrap(),
    };
    assert_eq!(value.entry.value(), b"value");
    computed.get()
}

#[test]
fn a_memo_counts_for_itself_and_tells_types_apart_if_it_is_typed() {
    let untyped = Memo::new(config(), None, false, None, None).unwrap();
    let typed = Memo::new(config(), None, true, None, None).unwrap();
    let mut integer = KeyBuilder::new();
    integer.add(Element::Int(3)).unwrap();
    for (memo, differs) in [(&untyped, false), (&typed, true)] {
        assert!(call(memo, &mut integer));
        assert!(!call(memo, &mut integer));
        assert_eq!(call(memo, &mut args(&[3.0])), differs);
        memo.clear().unwrap();
        assert_eq!((memo.info().unwrap().hits, memo.info().unwrap().misses, memo.info().unwrap().size), (0, 0, 0));
        assert!(call(memo, &mut integer));
        assert_eq!((memo.info().unwrap().hits, memo.info().unwrap().misses, memo.info().unwrap().size), (0, 1, 1));
    }
}

#[test]
fn a_memos_maximum_of_zero_stores_nothing() {
    let memo = Memo::new(config(), Some(0.0), false, None, None).unwrap();
    assert!(call(&memo, &mut args(&[1.0])) && call(&memo, &mut args(&[1.0])));
    assert_eq!((memo.info().unwrap().hits, memo.info().unwrap().misses, memo.info().unwrap().size), (0, 2, 0));
    for maximum in [-2.0, 100.1, f64::NAN] {
        assert!(Memo::new(config(), Some(maximum), false, None, None).is_err());
    }
    let strict = config();
    strict.set_maximum_memory(0.0).unwrap();
    let memo = Memo::new(strict.clone(), Some(-1.0), false, None, None).unwrap();
    assert!(call(&memo, &mut args(&[1.0])) && !call(&memo, &mut args(&[1.0])));
    let memo = Memo::new(strict, None, false, None, None).unwrap();
    assert!(call(&memo, &mut args(&[1.0])) && call(&memo, &mut args(&[1.0])));
}

#[test]
fn memos_on_one_cache_are_kept_apart_by_their_prefixes() {
    let cache = dict();
    let new = |prefix: Option<&str>| Memo::new(config(), None, false, Some(cache.clone()), prefix.map(str::to_owned));
    let (a, b, none) = (new(Some("a")).unwrap(), new(Some("b")).unwrap(), new(None).unwrap());
    assert!(new(Some("a")).is_err() && new(None).is_err());
    for memo in [&a, &b, &none] {
        assert!(call(memo, &mut args(&[1.0])));
        assert_eq!(memo.info().unwrap().misses, 1);
    }
    assert_eq!(a.info().unwrap().size, 3);
    drop(a);
    let again = new(Some("a")).unwrap();
    assert!(!call(&again, &mut args(&[1.0])));
}

#[test]
fn repertoire_methods_compute_each_time_while_repertoire_caching_is_off() {
    let config = config();
    let cache = Cache::Dict(DictCache::dict(config.clone(), Options::default()).unwrap());
    let repertoire = Method::new(Some("cause_repertoire".into()), true).unwrap();
    let other = Method::new(None, false).unwrap();
    let call = |method: &Method| {
        method.get_or_reserve(&cache, &mut args(&[1.0])).unwrap().or_compute(|draft| draft.write(b"v")).unwrap().origin
    };
    config.set_repertoires(false);
    assert_eq!(call(&repertoire), Origin::NotStored(Some(Refusal::Disabled)));
    assert_eq!((call(&other), call(&other)), (Origin::Computed, Origin::Hit));
    assert_eq!((cache.info().unwrap().misses, cache.size().unwrap()), (1, 1));
    config.set_repertoires(true);
    assert_eq!((call(&repertoire), call(&repertoire)), (Origin::Computed, Origin::Hit));
    let key = args(&[1.0]).key_with_prefix(false, Some("cause_repertoire")).unwrap().to_vec();
    assert!(cache.contains(&key).unwrap());
}
