//! Single flight: one thread computes, a failure goes to its own caller only, and no thread waits forever.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use phicache::cache::{
    Cache, Cost, DictCache, Lease, MiceCache, Options, Origin, PurviewCache, Refusal, Started, Waited,
};
use phicache::config::Config;
use phicache::error::Error;
use phicache::iit::{Cut, NodeSet, Subsystem};
use phicache::key::Fingerprint;

fn cache() -> Cache {
    Cache::Dict(DictCache::dict(Config::new().unwrap(), Options::default()).unwrap())
}

/// Fails the test when `work` takes longer than a minute, instead of hanging.
fn within_a_minute(work: impl FnOnce() + Send + 'static) {
    let (done, end) = mpsc::channel();
    let worker = thread::spawn(move || {
        work();
        done.send(()).unwrap();
    });
    match end.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        _ => worker.join().unwrap(),
    }
}

fn value(cache: &Cache, key: &[u8], text: &'static [u8]) -> Origin {
    let value = cache.memoize(key, |draft| draft.write(text)).unwrap();
    assert_eq!(value.entry.value(), text);
    value.origin
}

#[test]
fn one_of_many_threads_computes_and_all_get_its_value() {
    within_a_minute(|| {
        let cache = cache();
        let (computed, start) = (AtomicU64::new(0), Barrier::new(16));
        let addresses: Vec<usize> = thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        let value = cache.memoize(b"k", |draft| {
                            computed.fetch_add(1, SeqCst);
                            thread::sleep(Duration::from_millis(50));
                            draft.write(b"value")
                        });
                        value.unwrap().entry.value().as_ptr() as usize
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(computed.load(SeqCst), 1);
        assert!(addresses.iter().all(|address| *address == addresses[0]));
        let stats = cache.stats().unwrap();
        assert_eq!((stats.info.misses, stats.info.hits), (1, 15));
        assert!(stats.waits <= 15 && stats.waits > 0);
    });
}

#[test]
fn a_failure_goes_to_its_own_caller_and_another_tries() {
    within_a_minute(|| {
        let cache = cache();
        let (tries, start) = (AtomicU64::new(0), Barrier::new(8));
        let failures: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        let value = cache.memoize(b"k", |draft| {
                            let this = tries.fetch_add(1, SeqCst);
                            thread::sleep(Duration::from_millis(20));
                            if this < 3 { Err(Error::Callback(this as i32)) } else { draft.write(b"value") }
                        });
                        match value {
                            Ok(value) => {
                                assert_eq!(value.entry.value(), b"value");
                                0
                            }
                            Err(Error::Callback(_)) => 1,
                            Err(error) => panic!("{error}"),
                        }
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((failures, tries.load(SeqCst), cache.stats().unwrap().errors), (3, 4, 3));
        assert_eq!((cache.info().unwrap().misses, cache.info().unwrap().hits), (4, 4));
    });
}

#[test]
fn a_lookup_of_the_key_under_computation_is_an_error_that_names_it() {
    let cache = cache();
    let result = cache.memoize(b"\xAB\xCD", |draft| {
        let inner = cache.memoize(b"other", |draft| {
            let own = cache.memoize(b"\xAB\xCD", |_| panic!("not computed twice")).err().unwrap();
            assert!(matches!(&own, Error::Recursion(text) if text.contains("abcd")), "{own}");
            draft.write(b"inner")
        });
        inner?;
        draft.write(b"outer")
    });
    assert_eq!(result.unwrap().entry.value(), b"outer");
    assert_eq!(cache.size().unwrap(), 2);
}

#[test]
fn two_threads_that_would_wait_for_each_other_compute() {
    within_a_minute(|| {
        let cache = cache();
        let both = Barrier::new(2);
        let run = |own: &'static [u8], other: &'static [u8]| {
            let value = cache.memoize(own, |draft| {
                both.wait();
                let other = cache.memoize(other, |draft| draft.write(b"leaf"))?;
                assert!(!other.entry.value().is_empty());
                draft.write(b"root")
            });
            assert!(!value.unwrap().entry.value().is_empty());
        };
        thread::scope(|scope| {
            scope.spawn(|| run(b"a", b"b"));
            scope.spawn(|| run(b"b", b"a"));
        });
        assert_eq!(cache.size().unwrap(), 2);
    });
}

#[test]
fn a_late_value_of_a_broken_cycle_is_stored_or_refused_as_the_first() {
    within_a_minute(|| {
        let full = Options { max_bytes: Some(1), ..Options::default() };
        let cache = Cache::Dict(DictCache::dict(Config::new().unwrap(), full).unwrap());
        let both = Barrier::new(2);
        let run = |own: &'static [u8], other: &'static [u8]| {
            let origin = |key: &[u8], compute: &dyn Fn()| {
                let value = cache.memoize(key, |draft| {
                    compute();
                    draft.write(b"value")
                });
                value.unwrap().origin
            };
            let refused = Origin::NotStored(Some(Refusal::Capacity));
            let outer = origin(own, &|| {
                both.wait();
                let inner = origin(other, &|| ());
                assert!(inner == refused || inner == Origin::Waited);
            });
            assert_eq!(outer, refused);
        };
        thread::scope(|scope| {
            scope.spawn(|| run(b"a", b"b"));
            scope.spawn(|| run(b"b", b"a"));
        });
        // Both owners computed their keys; to break the cycle, one of the keys was computed by the other thread too.
        assert_eq!((cache.size().unwrap(), cache.stats().unwrap().refused[Refusal::Capacity as usize]), (0, 3));
    });
}

#[test]
fn a_late_value_of_a_broken_cycle_is_not_stored_after_a_removal() {
    within_a_minute(|| {
        let cache = cache();
        let both = Barrier::new(2);
        let run = |own: &'static [u8], other: &'static [u8]| {
            let value = cache.memoize(own, |draft| {
                both.wait();
                let inner = cache.memoize(other, |draft| draft.write(b"inner"))?;
                // The thread that breaks the cycle completes the other thread's key; the other thread's own value comes
                // later.
                if inner.origin == Origin::Computed {
                    assert!(cache.remove(other)?);
                }
                draft.write(b"outer")
            });
            assert_eq!(value.unwrap().entry.value(), b"outer");
        };
        thread::scope(|scope| {
            scope.spawn(|| run(b"a", b"b"));
            scope.spawn(|| run(b"b", b"a"));
        });
        assert_eq!(cache.size().unwrap(), 1);
    });
}

#[test]
fn wait_cycles_through_many_threads_and_caches_are_broken() {
    within_a_minute(|| {
        const THREADS: usize = 8;
        let caches: Vec<Cache> = (0..3).map(|_| cache()).collect();
        for round in 0..50u64 {
            let start = Barrier::new(THREADS);
            thread::scope(|scope| {
                for thread in 0..THREADS {
                    let (start, caches) = (&start, &caches);
                    scope.spawn(move || {
                        // Each thread computes its own key and looks up the next thread's key, all the way round.
                        fn look_up(caches: &[Cache], round: u64, at: usize, depth: usize, start: Option<&Barrier>) {
                            let key = [round.to_le_bytes(), (at as u64).to_le_bytes()].concat();
                            let value = caches[at % caches.len()].memoize(&key, |draft| {
                                if let Some(start) = start {
                                    start.wait();
                                }
                                if depth > 0 {
                                    look_up(caches, round, (at + 1) % THREADS, depth - 1, None);
                                }
                                draft.write(&(at as u64).to_le_bytes())
                            });
                            match value {
                                Ok(value) => assert_eq!(value.entry.value(), (at as u64).to_le_bytes()),
                                Err(Error::Recursion(_)) => {}
                                Err(error) => panic!("{error}"),
                            }
                        }
                        look_up(caches, round, thread, THREADS - 1, Some(start));
                    });
                }
            });
        }
        assert_eq!(caches.iter().map(Cache::size).sum::<phicache::error::Result<u64>>(), Ok(50 * THREADS as u64));
    });
}

#[test]
fn clear_and_remove_invalidate_computations_that_began_before() {
    within_a_minute(|| {
        let removals: [fn(&Cache); 2] = [|cache| cache.clear().unwrap(), |cache| assert!(!cache.remove(b"k").unwrap())];
        for remove in removals {
            let cache = cache();
            let (computing, go) = (Barrier::new(2), Barrier::new(2));
            thread::scope(|scope| {
                let old = scope.spawn(|| {
                    let value = cache.memoize(b"k", |draft| {
                        computing.wait();
                        go.wait();
                        draft.write(b"old")
                    });
                    value.unwrap()
                });
                computing.wait();
                let waiter = scope.spawn(|| Lease::wait(&cache, b"k", 7, Duration::from_secs(30)).unwrap());
                thread::sleep(Duration::from_millis(50));
                remove(&cache);
                // A lookup after the removal computes anew.
                assert_eq!(value(&cache, b"k", b"new"), Origin::Computed);
                go.wait();
                let old = old.join().unwrap();
                assert_eq!(old.entry.value(), b"old");
                assert_eq!(old.origin, Origin::NotStored(Some(Refusal::Cleared)));
                assert!(matches!(waiter.join().unwrap(), Waited::Value(value) if value.entry.value() == b"old"));
            });
            assert_eq!(cache.get(b"k").unwrap().unwrap().entry.value(), b"new");
        }
    });
}

#[test]
fn a_computation_that_panics_wakes_the_threads_that_wait() {
    within_a_minute(|| {
        let cache = cache();
        let computing = Barrier::new(2);
        thread::scope(|scope| {
            let panicking = scope.spawn(|| {
                let _ = cache.memoize(b"k", |_| {
                    computing.wait();
                    thread::sleep(Duration::from_millis(20));
                    panic!("on purpose")
                });
            });
            computing.wait();
            assert_eq!(value(&cache, b"k", b"value"), Origin::Computed);
            assert!(panicking.join().is_err());
        });
    });
}

fn begun(cache: &Cache, key: &[u8], owner: u64) -> Lease {
    match Lease::begin(cache, key, owner).unwrap() {
        Started::Lease(lease) => lease,
        Started::Found(_) => panic!("the key has a value"),
        Started::Busy => panic!("another computes it"),
    }
}

#[test]
fn a_lease_is_completed_or_abandoned_and_owners_are_distinguished() {
    let cache = cache();
    let mut lease = begun(&cache, b"k", 1);
    assert!(matches!(Lease::begin(&cache, b"k", 1), Err(Error::Recursion(_))));
    assert!(matches!(Lease::begin(&cache, b"k", 2).unwrap(), Started::Busy));
    assert!(matches!(Lease::begin(&cache, b"k", 0).unwrap(), Started::Busy));
    assert!(matches!(Lease::wait(&cache, b"k", 2, Duration::ZERO).unwrap(), Waited::TimeOut));
    assert!(matches!(Lease::wait(&cache, b"k", 1, Duration::from_secs(9)).unwrap(), Waited::Cycle));
    lease.reserve(5).unwrap().copy_from_slice(b"value");
    lease.truncate(3).unwrap();
    let completed = lease.complete().unwrap();
    assert_eq!((completed.entry.value(), completed.origin), (&b"val"[..], Origin::Computed));
    assert!(matches!(Lease::begin(&cache, b"k", 1).unwrap(), Started::Found(value) if value.origin == Origin::Hit));
    drop(begun(&cache, b"abandoned", 1));
    assert!(matches!(Lease::wait(&cache, b"abandoned", 2, Duration::from_secs(9)).unwrap(), Waited::Nobody));
    drop(begun(&cache, b"abandoned", 2));
    let info = cache.info().unwrap();
    assert_eq!((info.hits, info.misses, info.size), (1, 3, 1));
}

#[test]
fn a_reservation_that_fails_is_forgotten_if_another_one_succeeds() {
    let cache = cache();
    let mut lease = begun(&cache, b"k", 1);
    assert!(matches!(lease.reserve(usize::MAX / 2), Err(Error::OutOfMemory(_))));
    lease.reserve(5).unwrap().copy_from_slice(b"value");
    assert_eq!(lease.complete().unwrap().origin, Origin::Computed);
    let mut lease = begun(&cache, b"another", 1);
    lease.reserve(5).unwrap();
    assert!(lease.reserve(usize::MAX / 2).is_err());
    assert!(matches!(lease.complete(), Err(Error::OutOfMemory(_))));
    assert_eq!(cache.get(b"k").unwrap().unwrap().entry.value(), b"value");
    assert!(cache.get(b"another").unwrap().is_none());
}

#[test]
fn tasks_that_poll_detect_their_cycle() {
    let cache = cache();
    let (a, b) = (begun(&cache, b"a", 1), begun(&cache, b"b", 2));
    let poll = |key: &[u8], owner| Lease::wait(&cache, key, owner, Duration::ZERO).unwrap();
    assert!(matches!(poll(b"b", 1), Waited::TimeOut));
    assert!(matches!(poll(b"a", 2), Waited::Cycle));
    // An owner that begins another key no longer waits.
    drop(begun(&cache, b"c", 1));
    assert!(matches!(poll(b"a", 2), Waited::TimeOut));
    assert!(matches!(poll(b"b", 1), Waited::Cycle));
    // No owner waits for a completed key.
    assert_eq!(a.complete().unwrap().origin, Origin::Computed);
    assert!(matches!(poll(b"b", 1), Waited::TimeOut));
    drop(b);
    assert!(matches!(poll(b"b", 1), Waited::Nobody));
}

#[test]
fn a_thread_that_ends_abandons_its_own_leases_but_not_those_of_tasks() {
    within_a_minute(|| {
        let cache = Arc::new(cache());
        let theirs = cache.clone();
        let (own, task) =
            thread::spawn(move || (begun(&theirs, b"own", 0), begun(&theirs, b"task", 5))).join().unwrap();
        assert!(matches!(Lease::wait(&cache, b"own", 0, Duration::from_secs(9)).unwrap(), Waited::Nobody));
        assert!(matches!(Lease::wait(&cache, b"task", 0, Duration::ZERO).unwrap(), Waited::TimeOut));
        assert_eq!(value(&cache, b"own", b"value"), Origin::Computed);
        assert_eq!(own.complete().unwrap().origin, Origin::NotStored(Some(Refusal::Cleared)));
        assert_eq!(task.complete().unwrap().origin, Origin::Computed);
        assert_eq!(cache.get(b"own").unwrap().unwrap().entry.value(), b"value");
    });
}

#[test]
fn a_waiting_thread_computes_when_the_thread_with_the_lease_ends() {
    within_a_minute(|| {
        let cache = Arc::new(cache());
        let (theirs, began, end) = (cache.clone(), Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            let owner = scope.spawn(|| {
                let lease = begun(&theirs, b"k", 0);
                began.wait();
                end.wait();
                lease
            });
            began.wait();
            let waiters: Vec<_> = (0..4).map(|_| scope.spawn(|| value(&cache, b"k", b"value"))).collect();
            end.wait();
            // The lease outlives its thread, but can no longer complete the key.
            let lease = owner.join().unwrap();
            let mut origins: Vec<_> = waiters.into_iter().map(|waiter| waiter.join().unwrap()).collect();
            assert_eq!(origins.iter().filter(|origin| **origin == Origin::Computed).count(), 1);
            origins.retain(|origin| !matches!(origin, Origin::Computed | Origin::Waited | Origin::Hit));
            assert_eq!(origins, []);
            assert_eq!(lease.complete().unwrap().origin, Origin::NotStored(Some(Refusal::Cleared)));
        });
    });
}

#[test]
fn a_waiting_thread_finds_a_value_set_before_the_computation_was_abandoned() {
    within_a_minute(|| {
        for _ in 0..50 {
            let cache = cache();
            let lease = begun(&cache, b"k", 1);
            let start = Barrier::new(5);
            thread::scope(|scope| {
                let waiters: Vec<_> = (0..4)
                    .map(|_| {
                        scope.spawn(|| {
                            start.wait();
                            cache.memoize(b"k", |_| panic!("not computed")).unwrap().entry.value().to_vec()
                        })
                    })
                    .collect();
                start.wait();
                cache.set(b"k", b"set").unwrap().unwrap();
                drop(lease);
                waiters.into_iter().for_each(|waiter| assert_eq!(waiter.join().unwrap(), b"set"));
            });
        }
    });
}

#[test]
fn a_key_under_computation_is_recursion_also_after_a_remove_or_clear() {
    within_a_minute(|| {
        let removals: [fn(&Cache); 4] = [
            |cache| cache.clear().unwrap(),
            |cache| assert!(!cache.remove(b"k").unwrap()),
            |cache| thread::scope(|scope| scope.spawn(|| cache.clear().unwrap()).join().unwrap()),
            |cache| assert!(!thread::scope(|scope| scope.spawn(|| cache.remove(b"k").unwrap()).join().unwrap())),
        ];
        for remove in removals {
            let cache = cache();
            let outer = cache.memoize(b"k", |draft| {
                for _ in 0..2 {
                    remove(&cache);
                    let own = cache.memoize(b"k", |_| panic!("not computed twice")).err().unwrap();
                    assert!(matches!(own, Error::Recursion(_)));
                }
                // Others begin anew.
                let other = thread::scope(|scope| scope.spawn(|| value(&cache, b"k", b"other")).join().unwrap());
                assert_eq!((other, value(&cache, b"k", b"other")), (Origin::Computed, Origin::Hit));
                draft.write(b"outer")
            });
            assert_eq!(outer.unwrap().origin, Origin::NotStored(Some(Refusal::Cleared)));
            assert_eq!(cache.get(b"k").unwrap().unwrap().entry.value(), b"other");
        }
        // The same for owners that are not threads.
        let cache = cache();
        let lease = begun(&cache, b"k", 1);
        cache.clear().unwrap();
        assert!(matches!(Lease::begin(&cache, b"k", 1), Err(Error::Recursion(_))));
        drop(begun(&cache, b"k", 2));
        drop(lease);
        drop(begun(&cache, b"k", 1));
    });
}

#[test]
fn a_key_under_computation_is_recursion_also_after_the_parent_was_cleared() {
    let config = Config::new().unwrap();
    let system = Subsystem::new(&Fingerprint([1; 32]), &[1, 0], NodeSet(3), None, None).unwrap();
    let cut = system.under(Some(Cut::bipartition(2, NodeSet(1), NodeSet(2)).unwrap())).unwrap();
    let parent = MiceCache::mice(config.clone(), Options::default(), &system, None).unwrap();
    let child = Cache::Mice(MiceCache::mice(config, Options::default(), &cut, Some(&parent)).unwrap());
    let parent = Cache::Mice(parent);
    let failed = child.memoize(b"k", |_| {
        parent.clear().unwrap();
        for clear in [&parent, &child] {
            clear.clear().unwrap();
            let own = child.memoize(b"k", |_| panic!("not computed twice")).err().unwrap();
            assert!(matches!(own, Error::Recursion(_)));
        }
        Err(Error::Callback(1))
    });
    assert_eq!(failed.err(), Some(Error::Callback(1)));
}

#[test]
fn a_key_under_computation_is_recursion_also_after_another_thread_completed_it() {
    within_a_minute(|| {
        let cache = cache();
        let both = Barrier::new(2);
        let recursions = AtomicU64::new(0);
        let run = |own: &'static [u8], other: &'static [u8]| {
            let value = cache.memoize(own, |draft| {
                both.wait();
                drop(cache.memoize(other, |draft| draft.write(b"leaf"))?);
                // The thread that broke the cycle completed one of the two keys; the key's own thread still computes
                // it.
                cache.remove(own)?;
                let again = cache.memoize(own, |_| panic!("not computed twice")).err().unwrap();
                assert!(matches!(again, Error::Recursion(_)));
                recursions.fetch_add(1, SeqCst);
                draft.write(b"root")
            });
            drop(value.unwrap());
        };
        thread::scope(|scope| {
            scope.spawn(|| run(b"a", b"b"));
            scope.spawn(|| run(b"b", b"a"));
        });
        assert_eq!(recursions.load(SeqCst), 2);
    });
}

#[test]
fn failed_computations_are_counted_and_abandoned_leases_are_not() {
    let cache = cache();
    let errors = || cache.stats().unwrap().errors;
    drop(begun(&cache, b"k", 1));
    thread::scope(|scope| drop(scope.spawn(|| begun(&cache, b"k", 0)).join().unwrap()));
    assert_eq!((errors(), cache.stats().unwrap().info.misses), (0, 2));
    let mut lease = begun(&cache, b"k", 1);
    assert!(lease.reserve(usize::MAX).is_err());
    assert!(matches!(lease.complete(), Err(Error::OutOfMemory(_))));
    assert_eq!(errors(), 1);
    assert!(cache.memoize(b"k", |_| Err(Error::Callback(1))).is_err());
    assert_eq!(errors(), 2);

    // A computation whose value is invalid has failed too.
    let purviews = Cache::Purview(PurviewCache::purview(Config::new().unwrap(), Options::default()).unwrap());
    assert!(purviews.memoize(b"k", |draft| draft.write(b"no masks")).is_ok());
    let before = purviews.stats().unwrap();
    assert!(purviews.memoize(b"l", |draft| draft.write(b"7 bytes")).is_err());
    let mut lease = begun(&purviews, b"l", 1);
    lease.reserve(7).unwrap();
    assert!(lease.complete().is_err());
    let after = purviews.stats().unwrap();
    assert_eq!((after.errors, after.compute_ns), (before.errors + 2, before.compute_ns));
}

#[test]
fn the_time_of_a_lease_is_what_its_caller_says() {
    for cache in [cache(), Cache::Purview(PurviewCache::purview(Config::new().unwrap(), Options::default()).unwrap())] {
        let mut lease = begun(&cache, b"k", 1);
        lease.set_cost(Cost::of_ns(7_000_000_000_000));
        lease.complete().unwrap();
        assert_eq!(cache.stats().unwrap().compute_ns, 7_000_000_000_000);
        // 0 is the measured time.
        let mut lease = begun(&cache, b"l", 1);
        lease.set_cost(Cost::of_ns(7));
        lease.set_cost(Cost::UNKNOWN);
        thread::sleep(Duration::from_millis(1));
        lease.complete().unwrap();
        assert!(cache.stats().unwrap().compute_ns >= 7_000_000_000_000 + 1_000_000);
    }
}

#[test]
fn what_a_computation_waits_for_another_thread_is_not_part_of_its_time() {
    const WAIT: Duration = Duration::from_millis(100);
    within_a_minute(|| {
        let (outer, inner) = (cache(), cache());
        let (started, asked) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            scope.spawn(|| {
                let slow = inner.memoize(b"inner", |draft| {
                    started.wait();
                    asked.wait();
                    thread::sleep(WAIT);
                    draft.write(b"value")
                });
                slow.unwrap();
            });
            started.wait();
            let (mut nested, mut waited) = (None, Duration::ZERO);
            outer
                .memoize(b"outer", |draft| {
                    asked.wait();
                    let began = Instant::now();
                    nested = Some(inner.memoize(b"inner", |_| panic!("the other thread computes it"))?.origin);
                    waited = began.elapsed();
                    draft.write(b"value")
                })
                .unwrap();
            // Only if the other thread was slow to sleep did this one find the value without a wait.
            assert!(matches!(nested, Some(Origin::Waited | Origin::Hit)));
            let cost = Duration::from_nanos(outer.stats().unwrap().compute_ns);
            assert!(nested != Some(Origin::Waited) || cost < waited, "{cost:?} of a wait of {waited:?}");
        });
    });
}

#[test]
fn every_value_and_every_count_is_right_under_threads() {
    within_a_minute(|| {
        const THREADS: u64 = 16;
        const KEYS: u64 = 500;
        const ROUNDS: u64 = 3000;
        let cache = cache();
        let (computed, failed) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (cache, computed, failed) = (&cache, &computed, &failed);
                scope.spawn(move || {
                    let mut random = thread + 1;
                    for _ in 0..ROUNDS {
                        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                        let key = (random >> 33) % KEYS;
                        let fails = random >> 60 == 0;
                        let value = cache.memoize(&key.to_le_bytes(), |draft| {
                            if fails {
                                failed.fetch_add(1, SeqCst);
                                return Err(Error::Callback(1));
                            }
                            computed.fetch_add(1, SeqCst);
                            draft.reserve(64)?.fill(key as u8);
                            Ok(())
                        });
                        match value {
                            Ok(value) => assert!(value.entry.value() == [key as u8; 64]),
                            Err(error) => assert_eq!(error, Error::Callback(1)),
                        }
                    }
                });
            }
        });
        let stats = cache.stats().unwrap();
        assert_eq!((computed.load(SeqCst), stats.stores, stats.info.size), (KEYS, KEYS, KEYS));
        assert_eq!(stats.errors, failed.load(SeqCst));
        assert_eq!(stats.info.misses, KEYS + failed.load(SeqCst));
        assert_eq!(stats.info.hits + stats.info.misses, THREADS * ROUNDS);
    });
}

#[test]
fn a_computation_may_be_ten_thousand_keys_deep() {
    fn deep(cache: &Cache, depth: u64) -> u64 {
        let value = cache.memoize(&depth.to_le_bytes(), |draft| {
            let below = if depth == 0 { 0 } else { deep(cache, depth - 1) };
            draft.write(&(below + 1).to_le_bytes())
        });
        u64::from_le_bytes(value.unwrap().entry.value().try_into().unwrap())
    }
    let depth = if cfg!(debug_assertions) { 2_000 } else { 10_000 };
    let work = move || assert_eq!(deep(&cache(), depth), depth + 1);
    thread::Builder::new().stack_size(8 << 20).spawn(work).unwrap().join().unwrap();
}
