//! Single flight and the table under a model checker, which runs each test in thousands of orders of its threads.
//!
//!     RUSTFLAGS="--cfg shuttle" cargo test --release --test shuttle
//!
//! SHUTTLE_ROUNDS sets the number of orders of each test.

#![cfg(shuttle)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use phicache::cache::{
    Cache, DictCache, Fast, Lease, MiceCache, OnFull, Options, Origin, Refusal, Started, Value, Waited, Walk,
};
use phicache::config::Config;
use phicache::epoch::{self, guard};
use phicache::error::Error;
use phicache::iit::{Cut, Direction, Mice, NodeSet, Subsystem};
use phicache::key::Fingerprint;
use shuttle::thread;

fn check(model: impl Fn() + Send + Sync + 'static) {
    let rounds = std::env::var("SHUTTLE_ROUNDS").map_or(2000, |rounds| rounds.parse().unwrap());
    let model = Arc::new(model);
    let random = model.clone();
    shuttle::check_random(move || random(), rounds);
    shuttle::check_pct(move || model(), rounds, 3);
}

/// A lookup as in the C API: the fast path first.
fn get(cache: &Cache, key: &[u8]) -> Option<Value> {
    match cache.try_fast_get(key) {
        Fast::Hit(value) => Some(value),
        Fast::Miss => None,
        Fast::Slow => cache.get(key).unwrap(),
    }
}

fn cache() -> Cache {
    let config = Config::new().unwrap();
    config.set_maximum_memory(-1.0).unwrap();
    DictCache::dict(config, Options::default()).unwrap().into()
}

#[test]
fn one_computes_and_a_failure_lets_another_try() {
    check(|| {
        let cache = cache();
        let tries = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (cache, tries) = (cache.clone(), tries.clone());
                thread::spawn(move || {
                    let value = cache.memoize(b"k", |draft| {
                        let this = tries.fetch_add(1, SeqCst);
                        thread::yield_now();
                        if this == 0 { Err(Error::Callback(9)) } else { draft.write(b"value") }
                    });
                    match value {
                        Ok(value) => {
                            assert_eq!(value.entry.value(), b"value");
                            0
                        }
                        Err(error) => {
                            assert_eq!(error, Error::Callback(9));
                            1
                        }
                    }
                })
            })
            .collect();
        let failures: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!((failures, tries.load(SeqCst)), (1, 2));
        let stats = cache.stats().unwrap();
        assert_eq!((stats.info.misses, stats.info.hits, stats.info.size, stats.stores), (2, 1, 1, 1));
    });
}

#[test]
fn wait_cycles_of_two_are_broken() {
    check(|| {
        let (a, b) = (cache(), cache());
        let ask = |own: &Cache, other: &Cache| {
            let (own, other) = (own.clone(), other.clone());
            move || {
                let value = own.memoize(b"k", |draft| {
                    other.memoize(b"k", |draft| draft.write(b"leaf"))?;
                    draft.write(b"root")
                });
                assert!(!value.unwrap().entry.value().is_empty());
            }
        };
        let threads = [thread::spawn(ask(&a, &b)), thread::spawn(ask(&b, &a))];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((a.size().unwrap(), b.size().unwrap()), (1, 1));
    });
}

#[test]
fn wait_cycles_of_three_are_broken() {
    check(|| {
        let cache = cache();
        let threads: Vec<_> = (0..3u8)
            .map(|own| {
                let cache = cache.clone();
                thread::spawn(move || {
                    let value = cache.memoize(&[own], |draft| {
                        let next = cache.memoize(&[(own + 1) % 3], |draft| draft.write(b"leaf"))?;
                        assert!(!next.entry.value().is_empty());
                        draft.write(b"root")
                    });
                    assert!(!value.unwrap().entry.value().is_empty());
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(cache.size().unwrap(), 3);
    });
}

#[test]
fn a_value_begun_before_a_clear_is_never_found_after_it() {
    check(|| {
        let cache = cache();
        let began = Arc::new(AtomicUsize::new(0));
        let computing = {
            let (cache, began) = (cache.clone(), began.clone());
            thread::spawn(move || {
                let value = cache.memoize(b"k", |draft| {
                    began.store(1, SeqCst);
                    thread::yield_now();
                    draft.write(b"value")
                });
                assert_eq!(value.unwrap().entry.value(), b"value");
            })
        };
        thread::yield_now();
        let had_begun = began.load(SeqCst) == 1;
        cache.clear().unwrap();
        computing.join().unwrap();
        assert!(!(had_begun && cache.contains(b"k").unwrap()));
    });
}

#[test]
fn an_invalidated_computation_stores_nothing() {
    check(|| {
        let cache = cache();
        let Started::Lease(lease) = Lease::begin(&cache, b"k", 1).unwrap() else { panic!("the key is new") };
        let waiting = {
            let cache = cache.clone();
            thread::spawn(move || match Lease::wait(&cache, b"k", 2, Duration::from_secs(60)).unwrap() {
                Waited::Value(value) => assert_eq!(value.entry.value(), b""),
                Waited::Nobody => {}
                Waited::TimeOut | Waited::Cycle => panic!("nobody else waits"),
            })
        };
        let removing = {
            let cache = cache.clone();
            thread::spawn(move || {
                cache.remove(b"k").unwrap();
            })
        };
        removing.join().unwrap();
        assert_eq!(lease.complete().unwrap().origin, Origin::NotStored(Some(Refusal::Cleared)));
        assert!(!cache.contains(b"k").unwrap());
        waiting.join().unwrap();
    });
}

#[test]
fn a_late_value_of_a_broken_cycle_is_not_stored_after_a_removal_in_any_order() {
    check(|| {
        let (a, b) = (cache(), cache());
        let removed = Arc::new(AtomicUsize::new(0));
        let ask = |own: &Cache, other: &Cache| {
            let (own, other, removed) = (own.clone(), other.clone(), removed.clone());
            move || {
                let value = own.memoize(b"k", |draft| {
                    let inner = other.memoize(b"k", |draft| {
                        let began_after = removed.load(SeqCst) as u8;
                        thread::yield_now();
                        draft.write(&[began_after])
                    });
                    draft.write(&[inner?.entry.value()[0]])
                });
                drop(value.unwrap());
            }
        };
        let threads = [thread::spawn(ask(&a, &b)), thread::spawn(ask(&b, &a))];
        a.remove(b"k").unwrap();
        b.remove(b"k").unwrap();
        removed.store(1, SeqCst);
        a.remove(b"k").unwrap();
        b.remove(b"k").unwrap();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        // A value that is there now was begun after the first removals ended, or not before the last ones began.
        for cache in [&a, &b] {
            if let Some(value) = cache.get(b"k").unwrap() {
                assert_eq!(value.entry.value(), [1]);
            }
        }
    });
}

#[test]
fn an_abandoned_lease_wakes_the_threads_that_wait() {
    check(|| {
        let cache = cache();
        let Started::Lease(lease) = Lease::begin(&cache, b"k", 1).unwrap() else { panic!("the key is new") };
        let waiting = {
            let cache = cache.clone();
            thread::spawn(move || cache.memoize(b"k", |draft| draft.write(b"value")).unwrap().origin)
        };
        drop(lease);
        assert_eq!(waiting.join().unwrap(), Origin::Computed);
    });
}

#[test]
fn each_thread_that_waits_gets_a_failure_of_its_own() {
    check(|| {
        let cache = cache();
        let tries = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (cache, tries) = (cache.clone(), tries.clone());
                thread::spawn(move || {
                    let failed = cache.memoize(b"k", |_| {
                        tries.fetch_add(1, SeqCst);
                        thread::yield_now();
                        Err(Error::Callback(9))
                    });
                    assert_eq!(failed.err(), Some(Error::Callback(9)));
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((tries.load(SeqCst), cache.stats().unwrap().errors), (3, 3));
        // No flight is left.
        let Started::Lease(_) = Lease::begin(&cache, b"k", 1).unwrap() else { panic!("nobody computes it") };
    });
}

/// A lease is abandoned while two threads wait that would compute and one that would not, and `meanwhile` changes the
/// key. All threads continue in any order. Returns the number of computations.
fn given_up(meanwhile: impl Fn(&Cache) + Send + Sync + 'static) -> usize {
    let cache = cache();
    let Started::Lease(lease) = Lease::begin(&cache, b"k", 1).unwrap() else { panic!("the key is new") };
    let computed = Arc::new(AtomicUsize::new(0));
    let computing: Vec<_> = (0..2)
        .map(|_| {
            let (cache, computed) = (cache.clone(), computed.clone());
            thread::spawn(move || {
                let value = cache.memoize(b"k", |draft| {
                    computed.fetch_add(1, SeqCst);
                    draft.write(b"value")
                });
                assert_eq!(value.unwrap().entry.value(), b"value");
            })
        })
        .collect();
    let waiting = {
        let cache = cache.clone();
        thread::spawn(move || match Lease::wait(&cache, b"k", 2, Duration::from_secs(60)).unwrap() {
            Waited::Value(value) => assert_eq!(value.entry.value(), b"value"),
            Waited::Nobody => {}
            Waited::TimeOut | Waited::Cycle => panic!("it waits for long, and for nobody who waits"),
        })
    };
    let other = {
        let cache = cache.clone();
        thread::spawn(move || meanwhile(&cache))
    };
    drop(lease);
    computing.into_iter().chain([waiting, other]).for_each(|thread| thread.join().unwrap());
    computed.load(SeqCst)
}

#[test]
fn an_abandoned_lease_is_taken_over_by_a_thread_that_waits() {
    check(|| assert_eq!(given_up(|_| ()), 1));
}

#[test]
fn a_lease_may_be_abandoned_while_the_key_gets_a_value() {
    check(|| assert!(given_up(|cache| cache.set(b"k", b"value").unwrap().unwrap()) <= 1));
}

#[test]
fn a_lease_may_be_abandoned_while_the_key_is_removed() {
    check(|| assert!(matches!(given_up(|cache| assert!(cache.remove(b"k").is_ok())), 1..=2)));
}

#[test]
fn a_lease_may_be_abandoned_while_the_cache_is_cleared() {
    check(|| assert!(matches!(given_up(|cache| cache.clear().unwrap()), 1..=2)));
}

#[test]
fn a_lease_may_be_abandoned_twice_while_others_wait() {
    check(|| {
        let twice = |cache: &Cache| match Lease::begin(cache, b"k", 3).unwrap() {
            Started::Lease(lease) => drop(lease),
            Started::Busy | Started::Found(_) => {}
        };
        assert_eq!(given_up(twice), 1);
    });
}

#[test]
fn a_wait_that_times_out_as_the_value_comes_takes_no_wake_up_from_others() {
    check(|| {
        let cache = cache();
        let Started::Lease(mut lease) = Lease::begin(&cache, b"k", 1).unwrap() else { panic!("the key is new") };
        let wait = |owner, time| {
            let cache = cache.clone();
            thread::spawn(move || match Lease::wait(&cache, b"k", owner, time).unwrap() {
                Waited::Value(value) => {
                    assert_eq!(value.entry.value(), b"value");
                    true
                }
                Waited::TimeOut => false,
                Waited::Nobody | Waited::Cycle => panic!("the thread that computes it does not wait"),
            })
        };
        // Under the model checker the first two waits may time out at any moment.
        let short = [wait(2, Duration::from_millis(500)), wait(3, Duration::from_millis(500))];
        let long = wait(4, Duration::from_secs(60));
        lease.reserve(5).unwrap().copy_from_slice(b"value");
        assert_eq!(lease.complete().unwrap().origin, Origin::Computed);
        short.into_iter().for_each(|thread| assert!(thread.join().is_ok()));
        assert!(long.join().unwrap());
    });
}

#[test]
fn a_wait_that_times_out_as_a_lease_is_abandoned_takes_no_wake_up_from_others() {
    check(|| {
        let short = |cache: &Cache| match Lease::wait(cache, b"k", 5, Duration::from_millis(500)).unwrap() {
            Waited::Value(value) => assert_eq!(value.entry.value(), b"value"),
            Waited::Nobody | Waited::TimeOut => {}
            Waited::Cycle => panic!("nobody waits for it"),
        };
        assert_eq!(given_up(short), 1);
    });
}

#[test]
fn a_key_under_computation_is_recursion_while_others_clear() {
    check(|| {
        let cache = cache();
        let computing = {
            let cache = cache.clone();
            thread::spawn(move || {
                let value = cache.memoize(b"k", |draft| {
                    thread::yield_now();
                    // Another thread may have computed it after the clear.
                    match cache.memoize(b"k", |_| panic!("not computed twice")) {
                        Ok(value) => assert_eq!(value.entry.value(), b"other"),
                        Err(error) => assert!(matches!(error, Error::Recursion(_))),
                    }
                    draft.write(b"own")
                });
                assert!(matches!(value.unwrap().entry.value(), b"own" | b"other"));
            })
        };
        cache.clear().unwrap();
        let value = cache.memoize(b"k", |draft| draft.write(b"other")).unwrap();
        assert!(matches!(value.entry.value(), b"own" | b"other"));
        computing.join().unwrap();
    });
}

#[test]
fn pinned_entries_stay_intact_while_entries_are_replaced_and_removed() {
    check(|| {
        let cache = cache();
        cache.set(b"key of 8", &[0; 32]).unwrap().unwrap();
        let writing = {
            let cache = cache.clone();
            thread::spawn(move || {
                cache.set(b"key of 8", &[1; 32]).unwrap().unwrap();
                // Frees retired entries.
                cache.stats().unwrap();
                cache.remove(b"key of 8").unwrap();
                cache.stats().unwrap();
                cache.set(b"key of 8", &[2; 32]).unwrap().unwrap();
            })
        };
        let reading = {
            let cache = cache.clone();
            thread::spawn(move || {
                let value = |pin: &Value| <[u8; 32]>::try_from(pin.entry.value()).unwrap();
                // The first lookup of a thread takes the slow path.
                drop(get(&cache, b"key of 8"));
                let pins: Vec<_> =
                    (0..3).filter_map(|_| get(&cache, b"key of 8")).map(|pin| (value(&pin), pin)).collect();
                thread::yield_now();
                for (before, pin) in &pins {
                    // Intact: not overwritten, and not the value that was stored later in the same block.
                    assert!(value(pin) == *before && before.iter().all(|byte| *byte == before[0] && *byte <= 2));
                }
            })
        };
        writing.join().unwrap();
        reading.join().unwrap();
        assert_eq!(get(&cache, b"key of 8").unwrap().entry.value(), [2; 32]);
    });
}

#[test]
fn an_entry_found_in_a_read_section_stays_intact_until_the_section_ends() {
    check(|| {
        let cache = cache();
        for key in 0..3u8 {
            cache.set(&[key; 8], &[key; 32]).unwrap().unwrap();
        }
        let writing = {
            let cache = cache.clone();
            thread::spawn(move || {
                cache.set(&[1; 8], &[101; 32]).unwrap().unwrap();
                // The table grows.
                for key in 3..9u8 {
                    cache.set(&[key; 8], &[key; 32]).unwrap().unwrap();
                }
                cache.remove(&[1; 8]).unwrap();
                cache.clear().unwrap();
            })
        };
        let reading = {
            let cache = cache.clone();
            thread::spawn(move || {
                let pin = epoch::read(|guard| {
                    let found = cache.look(guard, &[1; 8]).unwrap();
                    // Never missing while the table grows, unless it was removed.
                    let other = cache.look(guard, &[2; 8]).unwrap();
                    assert!(other.is_some() || cache.size().unwrap() == 0);
                    let pin = get(&cache, &[1; 8]);
                    thread::yield_now();
                    for value in [found, pin.as_ref().map(|pin| pin.entry.value())].into_iter().flatten() {
                        assert!(value == [1; 32] || value == [101; 32], "{value:?}");
                    }
                    assert!(other.is_none_or(|value| value == [2; 32]));
                    pin
                });
                // Frees retired entries.
                cache.stats().unwrap();
                assert!(pin.is_none_or(|pin| pin.entry.value()[0] % 100 == 1));
            })
        };
        writing.join().unwrap();
        reading.join().unwrap();
        assert_eq!(cache.size().unwrap(), 0);
    });
}

#[test]
fn a_removed_value_is_never_found_while_another_replaces_it() {
    check(|| {
        let cache = cache();
        cache.set(b"key of 8", &[0; 32]).unwrap().unwrap();
        let removed = Arc::new(AtomicUsize::new(0));
        let reading = {
            let (cache, removed) = (cache.clone(), removed.clone());
            thread::spawn(move || {
                // The first lookup of a thread takes the slow path.
                drop(get(&cache, b"key of 8"));
                let was_removed = removed.load(SeqCst) == 1;
                let found = get(&cache, b"key of 8").map(|value| value.entry.value()[0]);
                assert!(!was_removed || found != Some(0));
            })
        };
        cache.remove(b"key of 8").unwrap();
        removed.store(1, SeqCst);
        cache.set(b"key of 8", &[1; 32]).unwrap().unwrap();
        reading.join().unwrap();
    });
}

#[test]
fn an_entry_found_in_nested_sections_stays_intact_until_the_outermost_ends() {
    check(|| {
        let cache = cache();
        cache.set(b"key of 8", &[1; 32]).unwrap().unwrap();
        let clearing = {
            let cache = cache.clone();
            thread::spawn(move || {
                cache.clear().unwrap();
                // Frees retired entries.
                cache.stats().unwrap();
            })
        };
        guard::open().unwrap();
        guard::open().unwrap();
        // As in a C program, which has no closures.
        let found = guard::in_open(|guard| Ok(cache.look(guard, b"key of 8")?.map(std::ptr::from_ref))).unwrap();
        // SAFETY: this thread runs no closure in a section, and another section is open.
        unsafe { guard::close().unwrap() };
        thread::yield_now();
        // SAFETY: the section in which it was found is still open.
        assert!(found.is_none_or(|value| unsafe { &*value } == [1; 32]));
        // SAFETY: what was found is not used any more.
        unsafe { guard::close().unwrap() };
        clearing.join().unwrap();
        assert_eq!(cache.stats().unwrap().bytes, 0);
    });
}

#[test]
fn a_value_stored_while_a_cache_is_cleared_stays_intact() {
    check(|| {
        let cache = cache();
        let writing = |key: u8| {
            let cache = cache.clone();
            thread::spawn(move || cache.set(&[key; 8], &[key; 32]).unwrap().unwrap())
        };
        let threads = [writing(0), writing(1)];
        cache.clear().unwrap();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        // Frees retired entries.
        cache.stats().unwrap();
        let found = (0..2).filter_map(|key| get(&cache, &[key; 8])).inspect(|value| {
            let bytes = value.entry.value();
            assert!(bytes.len() == 32 && bytes.iter().all(|byte| *byte == bytes[0]));
        });
        assert_eq!(found.count() as u64, cache.size().unwrap());
    });
}

#[test]
fn pins_of_either_kind_hold_while_the_cache_is_cleared_and_freed() {
    for counted in [false, true] {
        check(move || {
            let cache = cache();
            cache.set(&[9; 8], &[9; 32]).unwrap().unwrap();
            let mut pins: Vec<_> = (0..3).map(|_| get(&cache, &[9; 8]).unwrap()).collect();
            // Two are in slots, the third is counted.
            let kept = if counted { pins.split_off(2) } else { pins.drain(..1).collect() };
            drop(pins);
            let clearing = thread::spawn(move || {
                cache.clear().unwrap();
                cache.stats().unwrap();
                drop(cache);
            });
            let another = kept[0].entry.clone();
            clearing.join().unwrap();
            assert!(kept.iter().all(|pin| pin.entry.value() == [9; 32]));
            drop(kept);
            assert_eq!(another.value(), [9; 32]);
        });
    }
}

#[test]
fn an_entry_removed_while_the_table_is_cleared_is_freed_once() {
    check(|| {
        let cache = cache();
        for key in 0..2u8 {
            cache.set(&[key; 8], &[key; 32]).unwrap().unwrap();
        }
        let leaving = {
            let cache = cache.clone();
            thread::spawn(move || {
                cache.set(&[0; 8], &[9; 32]).unwrap().unwrap();
                cache.remove(&[1; 8]).unwrap();
                // Frees retired entries.
                cache.stats().unwrap();
            })
        };
        cache.clear().unwrap();
        cache.stats().unwrap();
        cache.set(&[5; 8], &[5; 32]).unwrap().unwrap();
        leaving.join().unwrap();
        assert_eq!(get(&cache, &[5; 8]).unwrap().entry.value(), [5; 32]);
        cache.clear().unwrap();
        assert_eq!(cache.stats().unwrap().bytes, 0);
    });
}

#[test]
fn a_retired_entry_without_readers_is_freed() {
    check(|| {
        let cache = cache();
        let writing = |first: u8| {
            let cache = cache.clone();
            move || {
                for key in first..first + 3 {
                    cache.set(&[key; 8], &[key; 32]).unwrap().unwrap();
                    let pin = get(&cache, &[key; 8]);
                    cache.set(&[key; 8], &[0; 32]).unwrap().unwrap();
                    cache.remove(&[key; 8]).unwrap();
                    assert!(pin.is_some_and(|pin| pin.entry.value() == [key; 32]));
                }
            }
        };
        let threads = [thread::spawn(writing(0)), thread::spawn(writing(3))];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        cache.clear().unwrap();
        assert_eq!(cache.stats().unwrap().bytes, 0);
    });
}

/// The other thread's stores replace the segment by a larger one, and then split it in two.
#[test]
fn a_walk_sees_entries_that_stay_once_while_others_come_and_go() {
    check(|| {
        let cache = cache();
        (0..4).for_each(|key| cache.set(&[key; 8], &[key; 32]).unwrap().unwrap());
        let changing = {
            let cache = cache.clone();
            thread::spawn(move || {
                (4..12).for_each(|key| cache.set(&[key; 8], &[key; 32]).unwrap().unwrap());
                cache.remove(&[5; 8]).unwrap();
                cache.set(&[0; 8], &[100; 32]).unwrap().unwrap();
                cache.set(&[5; 8], &[5; 32]).unwrap().unwrap();
            })
        };
        let mut walk = Walk::new(cache).unwrap();
        let mut seen = [0; 12];
        while let Some(walked) = walk.next_entry().unwrap() {
            let entry = walked.value.entry;
            let key = entry.key()[0];
            seen[usize::from(key)] += 1;
            assert!(entry.value() == [key; 32] || key == 0 && entry.value() == [100; 32]);
        }
        changing.join().unwrap();
        assert!(seen[..4].iter().all(|times| *times == 1) && seen.iter().all(|times| *times <= 1), "{seen:?}");
    });
}

/// All entries are in one bucket: a key leaves its slot, and comes back in that of another entry.
#[test]
fn a_walk_sees_a_key_that_changes_its_slot_at_most_once() {
    check(|| {
        let cache = cache();
        (0..4).for_each(|key| cache.set(&[key; 8], &[key; 32]).unwrap().unwrap());
        let changing = {
            let cache = cache.clone();
            thread::spawn(move || {
                assert!(cache.remove(&[1; 8]).unwrap() && cache.remove(&[3; 8]).unwrap());
                [4, 1].iter().for_each(|key| cache.set(&[*key; 8], &[*key; 32]).unwrap().unwrap());
            })
        };
        let mut walk = Walk::new(cache).unwrap();
        let mut seen = [0; 5];
        while let Some(walked) = walk.next_entry().unwrap() {
            seen[usize::from(walked.value.entry.key()[0])] += 1;
        }
        changing.join().unwrap();
        assert!(seen[0] == 1 && seen[2] == 1 && seen.iter().all(|times| *times <= 1), "{seen:?}");
    });
}

#[test]
fn an_inherited_entry_never_vanishes_while_the_parent_is_cleared() {
    check(|| {
        let config = Config::new().unwrap();
        config.set_maximum_memory(-1.0).unwrap();
        let system = Subsystem::new(&Fingerprint([1; 32]), &[1, 0], NodeSet(3), None, None).unwrap();
        let cut = system.under(Some(Cut::bipartition(2, NodeSet(1), NodeSet(2)).unwrap())).unwrap();
        let make = |system, parent| MiceCache::mice(config.clone(), Options::default(), system, parent).unwrap();
        let parent = make(&system, None);
        let mice =
            Mice { direction: Direction::Cause, mechanism: NodeSet(1), purview: NodeSet(1), phi: 0.5, payload: b"" };
        parent.set_mice(b"k", &mice).unwrap().unwrap();
        let child = make(&cut, Some(&parent));
        let clearing = thread::spawn(move || {
            parent.clear().unwrap();
            parent.clear().unwrap();
        });
        assert!(child.get(b"k").is_some());
        assert!(child.get(b"k").is_some());
        clearing.join().unwrap();
        assert_eq!((child.size(), child.get(b"k").is_some()), (1, true));
    });
}

const LEN: usize = 64;

/// A value that tells its key.
fn value_of(key: u64) -> [u8; LEN] {
    [key as u8 + 1; LEN]
}

fn set(cache: &Cache, key: u64) -> bool {
    cache.set(&key.to_le_bytes(), &value_of(key)).unwrap().is_ok()
}

/// Whether the cache has the value of `key`; its bytes must be right. Keeps the pin for a while.
fn has(cache: &Cache, key: u64) -> bool {
    let found = get(cache, &key.to_le_bytes());
    thread::yield_now();
    if let Some(value) = &found {
        assert_eq!(value.entry.value(), value_of(key));
    }
    found.is_some()
}

#[test]
fn entries_that_move_out_of_sparse_chunks_are_always_found() {
    check(|| {
        let cache = cache();
        (0..12).for_each(|key| assert!(set(&cache, key)));
        let pinned = get(&cache, &11u64.to_le_bytes()).unwrap();
        let reading = {
            let cache = cache.clone();
            thread::spawn(move || {
                for key in [3, 7, 11, 3] {
                    assert!(has(&cache, key), "{key}");
                }
            })
        };
        for key in (0..12).filter(|key| key % 4 != 3) {
            cache.remove(&u64::to_le_bytes(key)).unwrap();
        }
        // Frees what was removed; the next changes move what is left.
        cache.stats().unwrap();
        for key in 12..14 {
            assert!(set(&cache, key));
        }
        reading.join().unwrap();
        assert_eq!(pinned.entry.value(), value_of(11));
        assert!([3, 7, 11, 12, 13].iter().all(|key| has(&cache, *key)));
        drop((pinned, cache));
    });
}

/// A cache that evicts, with room for about this many entries.
fn evicting(entries: u64) -> (Cache, u64) {
    let unbounded = cache();
    (0..entries).for_each(|key| assert!(set(&unbounded, key)));
    let max = unbounded.stats().unwrap().bytes;
    let config = Config::new().unwrap();
    config.set_maximum_memory(-1.0).unwrap();
    let options = Options { max_bytes: Some(max), on_full: OnFull::Evict, ..Options::default() };
    (DictCache::dict(config, options).unwrap().into(), max)
}

#[test]
fn values_stay_intact_while_others_are_evicted() {
    check(|| {
        let (cache, max) = evicting(10);
        (0..8).for_each(|key| _ = set(&cache, key));
        let writing = {
            let cache = cache.clone();
            thread::spawn(move || (8..16).filter(|key| set(&cache, *key)).count())
        };
        let reading = {
            let cache = cache.clone();
            thread::spawn(move || (2..14).step_by(3).filter(|key| has(&cache, *key)).count())
        };
        let pinned = get(&cache, &7u64.to_le_bytes());
        cache.remove(&6u64.to_le_bytes()).unwrap();
        assert!(pinned.is_none_or(|value| value.entry.value() == value_of(7)));
        writing.join().unwrap();
        reading.join().unwrap();
        let stats = cache.stats().unwrap();
        assert!(stats.bytes <= max, "{} of {max} bytes", stats.bytes);
        // Nobody reads any more: now every store has room.
        (16..20).for_each(|key| assert!(set(&cache, key) && has(&cache, key), "{key}"));
    });
}

#[test]
fn a_cache_may_be_cleared_while_its_entries_move_and_are_evicted() {
    check(|| {
        let (cache, max) = evicting(10);
        (0..8).for_each(|key| _ = set(&cache, key));
        let writing = {
            let cache = cache.clone();
            thread::spawn(move || (8..14).filter(|key| set(&cache, *key)).count())
        };
        let pinned = get(&cache, &3u64.to_le_bytes());
        cache.clear().unwrap();
        let stats = cache.stats().unwrap();
        assert!(stats.bytes <= max);
        assert!(pinned.is_none_or(|value| value.entry.value() == value_of(3)));
        writing.join().unwrap();
        assert!(!has(&cache, 2));
        (20..24).for_each(|key| assert!(set(&cache, key) && has(&cache, key), "{key}"));
    });
}

#[test]
fn a_large_draft_may_be_dropped_while_its_chunk_is_the_oldest() {
    const LARGE: usize = 33 << 10;
    check(|| {
        let config = Config::new().unwrap();
        config.set_maximum_memory(-1.0).unwrap();
        let options = Options { max_bytes: Some(4 * LARGE as u64), on_full: OnFull::Evict, ..Options::default() };
        let cache = Cache::from(DictCache::dict(config, options).unwrap());
        let Ok(Started::Lease(mut lease)) = Lease::begin(&cache, b"draft", 1) else { panic!() };
        lease.reserve_uninitialized(LARGE).unwrap();
        let writing = {
            let cache = cache.clone();
            thread::spawn(move || (0..4u64).for_each(|key| _ = cache.set(&key.to_le_bytes(), &[7; LARGE]).unwrap()))
        };
        drop(lease);
        writing.join().unwrap();
        let stats = cache.stats().unwrap();
        assert_eq!(stats.info.size + stats.evictions, stats.stores);
        assert!(cache.set(b"last", &[7; LARGE]).unwrap().is_ok());
    });
}
