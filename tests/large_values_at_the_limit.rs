//! Threads that store large values into a full cache exceed neither its bound nor the limit of the process together:
//! none copies its value before there is room for it. The test reads `/proc`, so it is the only one of its program.
#![cfg(target_os = "linux")]

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use phicache::cache::{Cache, DictCache, OnFull, Options};
use phicache::config::Config;
use phicache::memory::limit;

const MIB: u64 = 1 << 20;
const ROOM: u64 = 128 * MIB;
const THREADS: u64 = 8;
const STORES: u64 = 100;

fn resident() -> u64 {
    let figures = std::fs::read_to_string("/proc/self/statm").unwrap();
    figures.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// The most that the process occupied while threads stored values of 2 to 4 MiB, and how many were refused.
fn most_resident(cache: &Cache) -> (u64, u64) {
    let (value, refused, done, all_run) =
        (&vec![7; 4 << 20], &AtomicU64::new(0), &AtomicBool::new(false), &Barrier::new(THREADS as usize));
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                most = most.max(resident());
            }
            most
        });
        let store = |thread: u64| {
            move || {
                all_run.wait();
                for at in 0..STORES {
                    let key = thread * STORES + at;
                    let len = (2 << 20) + (key * 104_729) as usize % (2 << 20);
                    let stored = cache.set(&key.to_le_bytes(), &value[..len]).unwrap();
                    refused.fetch_add(u64::from(stored.is_err()), Ordering::Relaxed);
                }
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(store(thread))).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        done.store(true, Ordering::Relaxed);
        (watch.join().unwrap(), refused.load(Ordering::Relaxed))
    })
}

#[test]
fn large_values_of_many_threads_stay_within_the_bounds_of_a_full_cache() {
    let config = Config::new().unwrap();
    config.set_maximum_memory(limit::UNLIMITED).unwrap();
    let options = || Options { on_full: OnFull::Evict, ..Options::default() };
    let bounded = Options { max_bytes: Some(ROOM), ..options() };
    let cache = Cache::from(DictCache::dict(config.clone(), bounded).unwrap());
    cache.set(b"first", b"use").unwrap().unwrap();
    let most = resident() + 4 * MIB + ROOM + 2 * MIB;
    let (reached, refused) = most_resident(&cache);
    assert!(reached <= most, "{} MiB occupied, {} allowed", reached / MIB, most / MIB);
    assert!(refused <= THREADS * STORES / 20, "{refused} refused");
    assert!(cache.stats().unwrap().live_bytes >= ROOM / 10 * 8);
    drop(cache);

    let before = limit::usage();
    // The value of which others are copies is the program's.
    let most = before.resident + 4 * MIB + ROOM;
    config.set_maximum_memory(most as f64 * 100.0 / before.limit as f64).unwrap();
    let cache = Cache::from(DictCache::dict(config, options()).unwrap());
    let (reached, refused) = most_resident(&cache);
    // The size of the process is a sample: some pages were reserved and not yet written at that moment. A copy in each
    // thread would be a sixth.
    assert!(reached <= most + most / 20, "{} MiB occupied, {} allowed", reached / MIB, most / MIB);
    assert!(refused <= THREADS * STORES / 20, "{refused} refused");
    assert!(cache.stats().unwrap().live_bytes >= ROOM / 10 * 7);
}
