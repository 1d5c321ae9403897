//! A full cache keeps what is worth most, within its bounds at every moment.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use phicache::cache::{Cache, Cost, DictCache, OnFull, Options, Origin, Refusal};
use phicache::config::Config;

const MIB: u64 = 1 << 20;

/// A read section in another test delays what a cache may reuse, so the tests run one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cache(max_bytes: u64) -> Cache {
    let options = Options { max_bytes: Some(max_bytes), on_full: OnFull::Evict, ..Options::default() };
    DictCache::dict(Arc::clone(&Config::new().unwrap()), options).unwrap().into()
}

fn has(cache: &Cache, key: u64) -> bool {
    let value = cache.get(&key.to_le_bytes()).unwrap();
    value.is_some_and(|value| value.entry.value().starts_with(&key.to_le_bytes()))
}

/// A value that begins with its key.
fn value(key: u64, len: usize) -> Vec<u8> {
    let mut value = vec![7; len.max(8)];
    value[..8].copy_from_slice(&key.to_le_bytes());
    value
}

fn set(cache: &Cache, key: u64, len: usize) -> bool {
    cache.set(&key.to_le_bytes(), &value(key, len)).unwrap().is_ok()
}

/// A cheap random sequence.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    *state >> 33
}

#[test]
fn a_full_cache_takes_every_value_within_its_bounds() {
    let _alone = alone();
    for (max, len) in [(64 << 10, 40), (MIB, 100), (MIB, 1000), (4 * MIB, 8000), (16 * MIB, 100_000)] {
        let cache = cache(max);
        let (mut refused, mut least) = (0, u64::MAX);
        let keys = 8 * max / len as u64;
        for key in 0..keys {
            refused += u64::from(!set(&cache, key, len));
            if key % 16 == 0 {
                let stats = cache.stats().unwrap();
                assert!(stats.bytes <= max, "{} of {max} bytes", stats.bytes);
                if key > keys / 2 {
                    least = least.min(stats.live_bytes);
                }
            }
        }
        let stats = cache.stats().unwrap();
        println!("max {max} len {len}: refused {refused} of {keys}, live {least} to {}, {stats:?}", stats.live_bytes);
        assert_eq!(refused, 0, "max {max} len {len}");
        assert_eq!(stats.evictions + stats.info.size, keys);
        assert!(has(&cache, keys - 1) && !has(&cache, 0));
        assert!(least * 100 >= max * 70, "max {max} len {len}: only {least} bytes are live");
    }
}

#[test]
fn what_is_used_stays_and_what_is_expensive_stays() {
    let _alone = alone();
    let cache = cache(MIB);
    let cheap = Cost::of_ns(1000);
    let expensive = Cost::of_ns(1_000_000);
    let store = |key: u64, cost| cache.set_with_cost(&key.to_le_bytes(), &value(key, 100), cost).unwrap().unwrap();
    let is_expensive = |key: u64| key >= 1000 && key.is_multiple_of(20);
    (0..5000).for_each(|key| store(key, if is_expensive(key) { expensive } else { cheap }));
    let mut lost = 0;
    for key in 5000..23_000u64 {
        store(key, cheap);
        if !has(&cache, key % 500) {
            // Where a whole chunk is in use, what is stored while its entries move takes the place of a few of them.
            lost += 1;
            store(key % 500, cheap);
        }
    }
    assert!(lost < 20, "{lost} of 18,000");
    assert_eq!((500..5000).filter(|key| !is_expensive(*key) && has(&cache, *key)).count(), 0);
    let kept = (1000..5000).filter(|key| is_expensive(*key) && has(&cache, *key)).count();
    assert!(kept >= 190, "{kept} of 200 that are expensive");
    let stats = cache.stats().unwrap();
    assert!(stats.evicted_ns >= stats.evictions * 1000 && stats.evicted_bytes >= stats.evictions * 100);
    cache.clear().unwrap();
    assert_eq!(cache.stats().unwrap().evictions, 0);
}

#[test]
fn values_of_all_sizes_share_the_room() {
    let _alone = alone();
    let max = 4 * MIB;
    let cache = cache(max);
    let (mut state, mut refused) = (1, 0);
    for key in 0..100_000u64 {
        let len = 8 << (next(&mut state) % 13);
        refused += u64::from(!set(&cache, key, len + next(&mut state) as usize % len));
        if key % 512 == 0 {
            assert!(cache.stats().unwrap().bytes <= max);
        }
    }
    let stats = cache.stats().unwrap();
    println!("refused {refused}: {stats:?}");
    assert!(refused < 100, "{refused} refused");
    assert!(stats.live_bytes * 100 > max * 70, "{} of {max} are live", stats.live_bytes);
}

#[test]
fn a_cache_that_refuses_keeps_everything() {
    let _alone = alone();
    let options = Options { max_bytes: Some(MIB), on_full: OnFull::Refuse, ..Options::default() };
    let cache = Cache::from(DictCache::dict(Config::new().unwrap(), options).unwrap());
    let stored = (0..20_000u64).take_while(|key| set(&cache, *key, 100)).count() as u64;
    assert!(stored > 5000);
    assert_eq!(cache.set(b"one more", &[0; 100]).unwrap(), Err(Refusal::Capacity));
    assert!((0..stored).all(|key| has(&cache, key)));
    assert_eq!(cache.stats().unwrap().evictions, 0);
}

#[test]
fn a_computed_value_is_handed_out_and_stored_in_a_full_cache() {
    let _alone = alone();
    let cache = cache(256 << 10);
    for key in 0..20_000u64 {
        let value = cache.memoize(&key.to_le_bytes(), |draft| draft.write(&value(key, 64))).unwrap();
        assert_eq!((value.origin, &value.entry.value()[..8]), (Origin::Computed, &key.to_le_bytes()[..]), "{key}");
        assert!(has(&cache, key));
    }
}

#[test]
fn pinned_values_stay_and_their_chunks_are_of_use_once_they_are_released() {
    let _alone = alone();
    let cache = cache(256 << 10);
    (0..1000).for_each(|key| assert!(set(&cache, key, 64)));
    let pin = |key: u64| cache.get(&key.to_le_bytes()).unwrap().unwrap();
    let pinned: Vec<_> = (0..1000).map(pin).collect();
    let stored = (1000..20_000).filter(|key| set(&cache, *key, 64)).count();
    assert!(stored > 1000, "{stored}");
    assert!(cache.stats().unwrap().bytes <= 256 << 10);
    for (key, value) in (0..1000u64).zip(&pinned) {
        assert_eq!(value.entry.value(), value_of(key), "{key}");
    }
    let every_tenth: Vec<_> = pinned.into_iter().step_by(10).collect();
    let beside = (20_000..40_000).filter(|key| set(&cache, *key, 64)).count();
    assert!(beside > 19_900, "{beside} beside a hundred pins");
    assert_eq!(every_tenth[99].entry.value(), value_of(990));
    drop(every_tenth);
    let stored = (40_000..60_000).filter(|key| set(&cache, *key, 64)).count();
    assert_eq!(stored, 20_000);
}

fn value_of(key: u64) -> Vec<u8> {
    value(key, 64)
}

#[test]
fn values_that_cost_most_stay_whenever_they_were_stored() {
    let _alone = alone();
    let cost = |expensive: bool| Cost::of_ns(if expensive { 1_000_000_000 } else { 1000 });
    for every in [1, 20, 190] {
        let cache = cache(256 << 10);
        let expensive = |key: &u64| key.is_multiple_of(every) && key / every < 10;
        for key in 0..2000u64 {
            let stored = cache.set_with_cost(&key.to_le_bytes(), &value(key, 1024), cost(expensive(&key)));
            assert_eq!(stored.unwrap(), Ok(()));
        }
        let left = (0..2000).filter(expensive).filter(|key| has(&cache, *key)).count();
        assert_eq!(left, 10, "of ten, one after {every} others");
        assert!(cache.stats().unwrap().evictions > 1700);
    }
}
