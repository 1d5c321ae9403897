//! A full cache keeps what is worth most, within its bounds at every moment.

mod disk_sample;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use disk_sample::Scratch;
use phicache::cache::{Cache, Cost, DictCache, DiskCache, DiskOptions, OnFull, Options, Origin, Refusal};
use phicache::config::Config;
use phicache::epoch;
use phicache::key::Fingerprint;

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
fn what_is_used_stays_near_however_it_is_read() {
    let _alone = alone();
    let scratch = Scratch::fast();
    let config = Config::new().unwrap();
    config.set_disk_directory(scratch.path().to_str()).unwrap();
    type Read = fn(&DiskCache, &[u8]) -> bool;
    let ways: [(&str, Read); 4] = [
        ("get", |cache, key| cache.get(key).unwrap().is_some()),
        ("get_into", |cache, key| cache.get_into(key, &mut [0; 1000]).unwrap().is_some()),
        ("look", |cache, key| epoch::read(|guard| cache.look(guard, key).unwrap().is_some())),
        ("get_many", |cache, key| {
            let mut found = 0;
            cache.get_many(&[key], |_, _| found += 1).unwrap();
            found == 1
        }),
    ];
    for (way, read) in ways {
        let disk = DiskOptions { near_bytes: Some(MIB / 4), ..DiskOptions::default() };
        let options = Options { disk, ..Options::default() };
        let cache = DiskCache::disk(config.clone(), options, &Fingerprint([7; 32]), way, None).unwrap();
        let store = |key: u64| cache.set(&key.to_le_bytes(), &value(key, 1000)).unwrap().unwrap();
        store(0);
        let mut lost = 0;
        for key in 1..3000 {
            store(key);
            lost += u32::from(!cache.near().contains(&0u64.to_le_bytes()));
            assert!(read(&cache, &0u64.to_le_bytes()));
        }
        assert!(!cache.near().contains(&1u64.to_le_bytes()), "not everything fits");
        assert!(lost <= 3, "{way}: {lost} times a value was evicted that every step reads");
    }
}

#[test]
fn a_value_that_finds_no_room_near_is_not_hidden_by_an_older_one() {
    let _alone = alone();
    let scratch = Scratch::fast();
    let config = Config::new().unwrap();
    config.set_disk_directory(scratch.path().to_str()).unwrap();
    type Store = fn(&DiskCache, &[u8], &[u8]);
    let ways: [(&str, Store); 2] = [
        ("set", |cache, key, value| cache.set(key, value).unwrap().unwrap()),
        ("set_many", |cache, key, value| cache.set_many(&[(key, value)]).remove(0).unwrap().unwrap()),
    ];
    for (way, store) in ways {
        let disk = DiskOptions { near_bytes: Some(64 << 10), ..DiskOptions::default() };
        let options = Options { disk, on_full: OnFull::Refuse, ..Options::default() };
        let cache = DiskCache::disk(config.clone(), options, &Fingerprint([7; 32]), way, None).unwrap();
        (0..100u64).for_each(|key| store(&cache, &key.to_le_bytes(), &value(key, 1000)));
        assert!(cache.near().contains(&0u64.to_le_bytes()) && !cache.near().contains(&99u64.to_le_bytes()));
        // One that would fit if there were room, and one that is too long.
        for (key, len) in [(0u64, 2000), (1, 200_000)] {
            let new = value(key + 1000, len);
            store(&cache, &key.to_le_bytes(), &new);
            let found = cache.get(&key.to_le_bytes()).unwrap().unwrap();
            assert!(found.entry.value() == new, "{way}: the old value of {} bytes", found.entry.value().len());
        }
    }
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

#[test]
fn a_cache_full_of_pins_refuses_until_one_is_released_and_then_stores_at_once() {
    let _alone = alone();
    let cache = cache(MIB / 4);
    let mut pins = VecDeque::new();
    // Those of the first few are in hazard slots, the others are counted.
    let store_and_pin = |key: u64, pins: &mut VecDeque<_>| {
        set(&cache, key, 64) && {
            pins.push_back(cache.get(&key.to_le_bytes()).unwrap().unwrap());
            true
        }
    };
    let stored = (0..20_000).filter(|key| store_and_pin(*key, &mut pins)).count() as u64;
    assert!((1000..3000).contains(&stored), "{stored} are pinned");
    let before = cache.stats().unwrap();
    // The pins in hazard slots are not counted, so their entries may be evicted in vain.
    assert!(before.evictions <= 128, "{} of {stored} pinned entries were evicted in vain", before.evictions);
    for key in 20_000..30_000u64 {
        assert!(!set(&cache, key, 64), "{key} is stored in a cache full of pins");
        if key % 100 != 0 {
            continue;
        }
        let released = if key % 200 == 0 { pins.pop_front() } else { pins.pop_back() };
        assert!(released.is_some());
        drop(released);
        assert!(store_and_pin(key, &mut pins), "{key} after a pin was released");
    }
    let stats = cache.stats().unwrap();
    assert!(stats.evictions - before.evictions <= 100, "{stats:?}");
    assert!(stats.bytes <= MIB / 4);
}

#[test]
fn a_cache_full_of_pins_of_another_thread_stores_soon_after_that_one_has_released_them() {
    let _alone = alone();
    let cache = cache(MIB / 4);
    let (pinned, wait) = mpsc::channel();
    let (release, told) = mpsc::channel::<()>();
    let (stored, refused) = thread::scope(|scope| {
        let cache = &cache;
        scope.spawn(move || {
            // So few that they are in hazard slots, which leave no trace when they are released.
            let pin = |key: u64| {
                assert!(set(cache, key, 60_000));
                cache.get(&key.to_le_bytes()).unwrap().unwrap()
            };
            let mut pins: Vec<_> = (0..4).map(pin).collect();
            for _ in 0..2 {
                pinned.send(()).unwrap();
                told.recv().unwrap();
                pins.clear();
            }
        });
        wait.recv().unwrap();
        let stored = (10..1000).filter(|key| set(cache, *key, 60_000)).count();
        release.send(()).unwrap();
        wait.recv().unwrap();
        let refused = (1000..2000).take_while(|key| !set(cache, *key, 60_000)).count();
        release.send(()).unwrap();
        (stored, refused)
    });
    assert_eq!(stored, 0, "all are pinned");
    assert!(refused <= 64, "{refused} are refused after the release");
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

#[test]
fn an_expensive_value_that_is_not_used_stays_as_long_as_its_cost_says_and_leaves_at_last() {
    let _alone = alone();
    // How many cheap values are stored before one of `times` their cost leaves. It is used once, after `used` of them.
    let stays = |times: u64, used: Option<u64>| {
        let cache = cache(256 << 10);
        let store = |key: u64, times: u64| {
            let stored = cache.set_with_cost(&key.to_le_bytes(), &value(key, 1000), Cost::of_ns(1000 * times));
            assert_eq!(stored.unwrap(), Ok(()));
        };
        (1..2000).for_each(|key| store(key, 1));
        store(0, times);
        let leaves = (0..40_000).find(|number| {
            assert!(used != Some(*number) || has(&cache, 0));
            store(2000 + number, 1);
            cache.peek(&0u64.to_le_bytes()).unwrap().is_none()
        });
        leaves.expect("it leaves at last") as f64
    };
    // In visits of the hand: each takes as long as a cheap value stays.
    let visit = stays(1, None);
    for (times, visits) in [(3, 1.0), (10, 8.0), (40, 38.0), (1000, 64.0)] {
        let unused = stays(times, None) / visit;
        assert!((unused - visits).abs() < 0.5, "of {times} times the cost, it stays for {unused:.2} visits");
        // From its use on it stays as long again.
        let used = stays(times, Some((0.9 * unused * visit) as u64)) / visit;
        assert!(used > 1.8 * visits, "of {times} times the cost, and used, it stays for {used:.2} visits");
    }
}

#[test]
fn a_full_cache_keeps_its_entries_while_a_read_section_keeps_what_it_evicts() {
    let _alone = alone();
    for (len, most_lost) in [(100, 60), (1000, 10), (4000, 3)] {
        let cache = cache(MIB / 16);
        let size = || cache.stats().unwrap().info.size;
        (0..2000).for_each(|key| assert!(set(&cache, key, len)));
        let full = size();
        let (opened, wait) = mpsc::channel();
        let (end, told) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                epoch::read(|_| {
                    opened.send(()).unwrap();
                    told.recv().unwrap();
                })
            });
            wait.recv().unwrap();
            let stored = (2000..4000).filter(|key| set(&cache, *key, len)).count();
            assert!(stored < 100, "{stored} are stored without memory");
            assert!(size() + most_lost >= full, "{} of {full} are left", size());
            end.send(()).unwrap();
        });
        (4000..4100).for_each(|key| assert!(set(&cache, key, len), "after the section"));
        assert!(size() + most_lost >= full, "{} of {full}", size());
    }
}

#[test]
fn a_value_larger_than_the_cache_evicts_nothing() {
    let _alone = alone();
    // What stores before it owe differs.
    for count in 200..250 {
        let cache = cache(MIB / 4);
        (0..count).for_each(|key| assert!(set(&cache, key, 1000)));
        let counts = || {
            let stats = cache.stats().unwrap();
            (stats.evictions, stats.info.size)
        };
        let before = counts();
        for len in [MIB / 4, MIB] {
            let large = value(7, len as usize);
            assert_eq!(cache.set(b"large", &large).unwrap(), Err(Refusal::Capacity));
            let computed = cache.memoize(b"large", |draft| draft.write(&large)).unwrap();
            assert_eq!(computed.origin, Origin::NotStored(Some(Refusal::Capacity)));
        }
        assert_eq!(counts(), before, "evictions and entries, after {count} stores");
    }
}

#[test]
fn large_values_get_the_memory_of_the_table_of_many_small_ones() {
    let _alone = alone();
    let live = |smalls: u64| {
        let cache = cache(MIB);
        (0..smalls).for_each(|key| assert!(set(&cache, key, 8)));
        (smalls..smalls + 1000).for_each(|key| assert!(set(&cache, key, 10_000)));
        cache.stats().unwrap().live_bytes
    };
    let (without, with) = (live(0), live(20_000));
    assert!(with * 100 >= without * 85, "{with} bytes are live, {without} without small ones before");
}

#[test]
fn a_table_that_cannot_grow_takes_every_value_and_keeps_what_is_used() {
    let _alone = alone();
    // Two segments are as full as they may be before the bytes are used up.
    let cache = cache(760 << 10);
    let (keys, mut lost, mut pins) = (40_000, 0, VecDeque::new());
    for key in 0..keys {
        assert!(set(&cache, key, 8), "{key}");
        pins.push_back((key, cache.peek(&key.to_le_bytes()).unwrap().unwrap()));
        if pins.len() > 100 {
            let (key, pin) = pins.pop_front().unwrap();
            assert_eq!(pin.entry.value(), key.to_le_bytes());
        }
        if key >= 500 && !has(&cache, key % 500) {
            lost += 1;
            assert!(set(&cache, key % 500, 8));
        }
    }
    let stats = cache.stats().unwrap();
    assert_eq!(stats.evictions + stats.info.size, keys + lost);
    assert!(stats.live_bytes < 600 << 10, "{} bytes would fill the cache", stats.live_bytes);
    assert!(lost < 200, "{lost} of 39,500 lookups of used values");
    drop(pins);
    cache.clear().unwrap();
    assert_eq!(cache.stats().unwrap().bytes, 0);
}

/// Where each entry of a cache is, and what it takes.
struct Places<'c> {
    cache: &'c Cache,
    places: HashMap<u64, (usize, u64)>,
    evicted: u64,
}

impl Places<'_> {
    /// Looks at all entries again. Returns the number of entries that have moved, their bytes, and the bytes that were
    /// evicted.
    fn look(&mut self) -> (usize, u64, u64) {
        let (mut moved, mut moved_bytes) = (0, 0);
        self.places.retain(|key, (place, bytes)| {
            let Some(value) = self.cache.peek(&key.to_le_bytes()).unwrap() else { return false };
            let now = value.entry.value().as_ptr().addr();
            if now != *place {
                moved += 1;
                moved_bytes += *bytes;
                *place = now;
            }
            true
        });
        let evicted = self.cache.stats().unwrap().evicted_bytes;
        (moved, moved_bytes, evicted - std::mem::replace(&mut self.evicted, evicted))
    }

    fn add(&mut self, key: u64) {
        if let Some(value) = self.cache.peek(&key.to_le_bytes()).unwrap() {
            self.places.insert(key, (value.entry.value().as_ptr().addr(), value.entry.weight()));
        }
    }
}

#[test]
fn one_store_moves_at_most_64_entries_or_64_kib_and_evicts_at_most_twice_what_it_needs() {
    let _alone = alone();
    for (max, smallest, largest) in [(256 << 10, 100, 100), (256 << 10, 8, 4000), (2 * MIB, 1000, 30_000)] {
        let cache = cache(max);
        let mut places = Places { cache: &cache, places: HashMap::new(), evicted: 0 };
        let (mut state, mut filled, mut most) = (1, 0, (0, 0, 0));
        for key in 0.. {
            let doublings = 1 + (largest / smallest as u64).ilog2();
            let len = (smallest << (next(&mut state) % u64::from(doublings))) + next(&mut state) as usize % smallest;
            let stored = set(&cache, key, len.min(largest as usize));
            let (moved, moved_bytes, evicted) = places.look();
            // The last entry that moves or is evicted may exceed the bound.
            let last = 64 + largest;
            assert!(
                moved <= 64 && moved_bytes <= (64 << 10) + last,
                "a store moves {moved} entries, {moved_bytes} bytes"
            );
            assert!(evicted <= 2 * len as u64 + last + 128, "a store of {len} bytes evicts {evicted}");
            most = (moved.max(most.0), moved_bytes.max(most.1), evicted.max(most.2));
            if stored {
                filled += len as u64;
                places.add(key);
            }
            // Half of the entries stay in use, and some leave their chunks sparse.
            for _ in 0..2 {
                has(&cache, key.saturating_sub(next(&mut state) % 500));
            }
            if next(&mut state).is_multiple_of(3) {
                let old = key.saturating_sub(next(&mut state) % 500);
                cache.remove(&old.to_le_bytes()).unwrap();
                places.places.remove(&old);
                let (moved, moved_bytes, evicted) = places.look();
                assert!(moved <= 64 && moved_bytes <= (64 << 10) + last && evicted == 0, "a removal: {moved}");
            }
            if filled > 6 * max {
                break;
            }
        }
        println!("{smallest} to {largest} bytes: at most {most:?} moved, their bytes, evicted bytes");
        assert!(most.0 > 1 && most.2 > 0);
    }
}
