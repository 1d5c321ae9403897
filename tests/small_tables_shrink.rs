//! A cache of a few megabytes or less gives its memory back as promptly as a large one: what waits on lists of retired
//! objects, and what is closed, is little beside what the cache holds.
//!
//! A program of its own, with one test: a thread of another test that is interrupted in a lookup keeps memory from
//! being freed meanwhile.

use phicache::cache::{Cache, DictCache, Options};
use phicache::config::Config;

fn cache() -> Cache {
    Cache::from(DictCache::dict(Config::new().unwrap(), Options::default()).unwrap())
}

fn set(cache: &Cache, key: u64, len: usize) {
    cache.set(&key.to_le_bytes(), &vec![7; len]).unwrap().unwrap();
}

fn remove(cache: &Cache, key: u64) {
    assert!(cache.remove(&key.to_le_bytes()).unwrap());
}

/// Bytes divided by those of the entries.
fn ratio(cache: &Cache) -> f64 {
    let stats = cache.stats().unwrap();
    stats.bytes as f64 / stats.live_bytes as f64
}

#[test]
fn a_cache_that_loses_most_of_its_entries_loses_its_memory_with_them() {
    // The number of entries, their shortest and longest values, and how many of them one stays for.
    for (count, least, most, stays) in [(1000, 800, 2200, 14), (7000, 200, 3000, 8), (400, 1000, 9000, 7)] {
        let cache = self::cache();
        (0..count).for_each(|key| set(&cache, key, (least + key * 7919 % (most - least)) as usize));
        // Statistics would collect what is retired.
        (0..count).filter(|key| key % stays != 0).for_each(|key| remove(&cache, key));
        let ratio = self::ratio(&cache);
        assert!(ratio <= 1.5, "{count} values of {least} to {most} bytes: {ratio:.2} times what stays");
    }

    // Small entries leave while large ones take most of the memory, and then the large ones.
    let cache = self::cache();
    (0..60).for_each(|key| set(&cache, key, 400_000));
    (60..40_000).for_each(|key| set(&cache, key, 300));
    (60..40_000).filter(|key| key % 4 != 0).for_each(|key| remove(&cache, key));
    (0..60).for_each(|key| remove(&cache, key));
    let ratio = self::ratio(&cache);
    assert!(ratio <= 1.5, "{ratio:.2} times what stays without the large entries");
}
