//! Freed memory is room for every cache, without a call that reads statistics. It is the only test of its program,
//! because the memory limit is that of the process.

use std::sync::Barrier;
use std::thread;

use phicache::cache::{Cache, DictCache, Options, Refusal};
use phicache::config::Config;
use phicache::ffi::api::read::{phicache_read_begin, phicache_read_end};
use phicache::ffi::border::types::PHICACHE_OK;
use phicache::memory::limit;

/// A cache with a memory limit 64 MiB above the current memory of the process.
fn cache() -> Cache {
    phicache::epoch::flush();
    let usage = limit::usage();
    let config = Config::new().unwrap();
    config.set_maximum_memory((usage.resident + (64 << 20)) as f64 * 100.0 / usage.limit as f64).unwrap();
    DictCache::dict(config, Options::default()).unwrap().into()
}

fn new_like(cache: &Cache) -> Cache {
    DictCache::dict(cache.config().clone(), Options::default()).unwrap().into()
}

/// Stores values until one is refused; returns how many were stored.
fn fill(cache: &Cache) -> u64 {
    let value = [1; 2000];
    let refused = |key: &u64| cache.set(&key.to_le_bytes(), &value).unwrap() == Err(Refusal::Memory);
    (0..1 << 20).find(refused).expect("the limit is not seen")
}

fn is_as_much(stored: u64, first: u64) -> bool {
    stored >= first / 10 * 9
}

#[test]
fn room_comes_back_without_a_question() {
    // A cache is emptied by removals, then freed: the next cache has the room.
    let first = cache();
    let count = fill(&first);
    assert!(count > 10_000, "{count}");
    for key in 0..count {
        assert!(first.remove(&key.to_le_bytes()).unwrap());
    }
    assert!(is_as_much(fill(&first), count), "removed");
    let next = new_like(&first);
    for key in 0..count {
        let _ = first.remove(&key.to_le_bytes()).unwrap();
    }
    drop(first);
    for round in 0..3 {
        let cache = new_like(&next);
        let stored = fill(&cache);
        assert!(is_as_much(stored, count), "round {round}: {stored} of {count}");
    }

    // A cache is cleared while another thread reads: there is room as soon as that section has ended.
    let (cache, inside, leave) = (&next, &Barrier::new(2), &Barrier::new(2));
    let count = fill(cache);
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            assert_eq!(phicache_read_begin(), PHICACHE_OK);
            inside.wait();
            leave.wait();
            assert_eq!(phicache_read_end(), PHICACHE_OK);
        });
        inside.wait();
        cache.clear().unwrap();
        assert!(fill(cache) < count / 10, "the reader may see the old values still");
        leave.wait();
        reader.join().unwrap();
    });
    let stored = fill(cache);
    assert!(is_as_much(stored, count), "after the section: {stored} of {count}");

    // A pin keeps only its value's chunk. After its release that chunk is room too.
    let pinned = cache.get(&0u64.to_le_bytes()).unwrap().expect("it was stored");
    cache.clear().unwrap();
    assert!(is_as_much(fill(cache), count), "with one value pinned");
    assert_eq!(pinned.entry.value(), [1; 2000]);
}
