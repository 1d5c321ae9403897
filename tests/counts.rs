//! Counts are exact between any two calls, for threads that still run and for threads that have ended.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

use phicache::cache::{Cache, Cost, DictCache, Lease, OnFull, Options, Started};
use phicache::config::Config;

/// More threads than there are counters: the last threads share one.
const THREADS: u64 = 24;
const ROUNDS: u64 = 400;

fn figures(cache: &Cache) -> (u64, u64, u64, u64, u64) {
    let stats = cache.stats().unwrap();
    (stats.info.hits, stats.info.misses, stats.info.size, stats.stores, stats.errors)
}

/// One round of one thread: two hits, three misses, two stores, one removal, one error. Returns false instead of
/// panicking, which would leave the other threads at the barrier.
fn work(cache: &Cache, thread: u64, round: u64) -> bool {
    let key = (thread << 32 | round).to_le_bytes();
    matches!(cache.get(&key), Ok(None))
        && matches!(cache.set(&key, b"value"), Ok(Ok(())))
        && matches!(cache.get(&key), Ok(Some(_)))
        && matches!(cache.remove(&key), Ok(true))
        && cache.memoize(&key, |_| Err(phicache::error::Error::Callback(1))).is_err()
        && cache.memoize(&key, |draft| draft.write(b"computed")).is_ok()
        && cache.memoize(&key, |_| Err(phicache::error::Error::Callback(2))).is_ok()
}

#[test]
fn counts_are_exact_while_the_threads_that_counted_still_run() {
    let cache = Cache::Dict(DictCache::dict(Config::new().unwrap(), Options::default()).unwrap());
    let (cache, done, go_on) = (&cache, &Barrier::new(THREADS as usize + 1), &Barrier::new(THREADS as usize + 1));
    let wrong = &AtomicU64::new(0);
    let seen = thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for part in 0..3 {
                    let rounds = part * ROUNDS..(part + 1) * ROUNDS;
                    wrong.fetch_add(rounds.filter(|round| !work(cache, thread, *round)).count() as u64, SeqCst);
                    done.wait();
                    go_on.wait();
                }
            });
        }
        // A thread that ends keeps its own counts and those of the others intact.
        let short = scope.spawn(|| work(cache, THREADS, 0));
        wrong.fetch_add(u64::from(!short.join().unwrap_or(false)), SeqCst);
        let mut seen = Vec::new();
        for part in 1..=3 {
            done.wait();
            seen.push(figures(cache));
            if part == 3 {
                wrong.fetch_add(u64::from(cache.clear().is_err()), SeqCst);
                seen.push(figures(cache));
            }
            go_on.wait();
        }
        seen
    });
    assert_eq!(wrong.load(SeqCst), 0);
    for (part, figures) in (1..=3).zip(&seen) {
        let calls = THREADS * ROUNDS * part + 1;
        assert_eq!(*figures, (2 * calls, 3 * calls, calls, 2 * calls, calls), "in part {part}");
    }
    assert_eq!((seen[3], figures(cache)), ((0, 0, 0, 0, 0), (0, 0, 0, 0, 0)));
}

#[test]
fn times_stop_at_their_greatest_value_and_a_clear_sets_them_to_zero() {
    let options = Options { max_bytes: Some(64 << 10), on_full: OnFull::Evict, ..Options::default() };
    let cache = Cache::Dict(DictCache::dict(Config::new().unwrap(), options).unwrap());
    let compute = |key: u32, cost: u64| {
        let Started::Lease(mut lease) = Lease::begin(&cache, &key.to_le_bytes(), 0).unwrap() else { panic!("a miss") };
        lease.set_cost(Cost::of_ns(cost));
        lease.reserve(1000).unwrap();
        lease.complete().unwrap();
    };
    thread::scope(|scope| {
        // Counts of two threads are added up.
        scope.spawn(|| compute(0, u64::MAX - 5));
    });
    // Values are refused, and none is evicted, while a thread of another test is in a read section.
    let evicts = |key: &u32| {
        compute(*key, u64::MAX - 5);
        cache.stats().unwrap().evictions > 2
    };
    let last = (1..).find(evicts).unwrap();
    (0..=last).rev().find(|key| cache.get(&key.to_le_bytes()).unwrap().is_some()).expect("there are entries");
    let stats = cache.stats().unwrap();
    assert_eq!((stats.compute_ns, stats.evicted_ns), (u64::MAX, u64::MAX));
    assert_eq!(stats.saved_ns, u64::MAX / u64::from(last + 1));
    cache.clear().unwrap();
    compute(0, 7);
    let stats = cache.stats().unwrap();
    assert_eq!((stats.compute_ns, stats.evicted_ns), (7, 0));
}

/// Hits only, by more threads than there are counters, so that several threads increment the same one.
#[test]
fn hits_of_threads_that_share_one_counter_are_all_counted() {
    const HITS: u64 = 200_000;
    let cache = Cache::Dict(DictCache::dict(Config::new().unwrap(), Options::default()).unwrap());
    cache.set(b"k", b"v").unwrap().unwrap();
    let start = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                (0..HITS).for_each(|_| assert!(cache.get(b"k").unwrap().is_some()));
            });
        }
    });
    assert_eq!(cache.info().unwrap().hits, THREADS * HITS);
}
