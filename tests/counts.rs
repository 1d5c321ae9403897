//! Counts are exact at any moment between two calls, of threads that are still there as of those that have ended.

use std::sync::Barrier;
use std::thread;

use phicache::cache::{Cache, DictCache, Options};
use phicache::config::Config;

/// More than have counters of their own: the last ones share theirs.
const THREADS: u64 = 24;
const ROUNDS: u64 = 400;

fn figures(cache: &Cache) -> (u64, u64, u64, u64, u64) {
    let stats = cache.stats().unwrap();
    assert_eq!(stats.info.hits, cache.info().unwrap().hits);
    (stats.info.hits, stats.info.misses, stats.info.size, stats.stores, stats.errors)
}

/// What one thread does in a round of its own: two hits, two misses, two stores, one removal, an error.
fn work(cache: &Cache, thread: u64, round: u64) {
    let key = (thread << 32 | round).to_le_bytes();
    assert!(cache.get(&key).unwrap().is_none());
    cache.set(&key, b"value").unwrap().unwrap();
    assert!(cache.get(&key).unwrap().is_some());
    assert!(cache.remove(&key).unwrap());
    assert!(cache.memoize(&key, |_| Err(phicache::error::Error::Callback(1))).is_err());
    cache.memoize(&key, |draft| draft.write(b"computed")).unwrap();
    cache.memoize(&key, |_| panic!("it is there")).unwrap();
}

#[test]
fn counts_are_exact_while_threads_that_counted_are_still_there() {
    let cache = Cache::Dict(DictCache::dict(Config::new().unwrap(), Options::default()).unwrap());
    let (cache, done, go_on) = (&cache, &Barrier::new(THREADS as usize + 1), &Barrier::new(THREADS as usize + 1));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for part in 0..3 {
                    (0..ROUNDS).for_each(|round| work(cache, thread, part * ROUNDS + round));
                    done.wait();
                    go_on.wait();
                }
            });
        }
        // A thread that ends takes nothing of the others' with it, and leaves what it counted.
        let short = scope.spawn(|| work(cache, THREADS, 0));
        short.join().unwrap();
        for part in 1..=3 {
            done.wait();
            let calls = THREADS * ROUNDS * part + 1;
            assert_eq!(figures(cache), (2 * calls, 3 * calls, calls, 2 * calls, calls), "in part {part}");
            if part == 3 {
                cache.clear().unwrap();
                assert_eq!(figures(cache), (0, 0, 0, 0, 0));
            }
            go_on.wait();
        }
    });
    assert_eq!(figures(cache), (0, 0, 0, 0, 0));
}

/// Nothing but hits, of more threads than have counters of their own, so that those who share one meet at it.
#[test]
fn hits_of_threads_that_meet_at_one_counter_are_all_counted() {
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
