//! A cache that begins when another one has filled the memory. It is the only test of its program, because the limit is
//! that of the process.

use phicache::cache::{Cache, DictCache, OnFull, Options};
use phicache::config::Config;
use phicache::memory::limit;

const ROOM: u64 = 48 << 20;

/// What a new cache may always hold.
const LEAST: u64 = 64 << 10;

#[test]
fn a_new_cache_that_evicts_works_beside_an_idle_one_that_has_filled_the_memory() {
    let before = limit::usage();
    let most = before.resident + ROOM;
    let config = Config::new().unwrap();
    config.set_maximum_memory(most as f64 * 100.0 / before.limit as f64).unwrap();
    let options = || Options { on_full: OnFull::Evict, ..Options::default() };
    let new = || Cache::from(DictCache::dict(config.clone(), options()).unwrap());
    let idle = new();
    for key in 0..100_000u64 {
        let _ = idle.set(&key.to_le_bytes(), &[7; 2000]).unwrap();
    }
    assert!(idle.stats().unwrap().evictions > 0);

    let young = new();
    let (mut refused, mut held, count) = (0, 0, 2000u64);
    for key in 0..count {
        refused += u64::from(young.set(&key.to_le_bytes(), &[7; 500]).unwrap().is_err());
        let resident = limit::usage().resident;
        assert!(resident <= most + most / 100, "{resident} of {most}");
        // It evicts a whole chunk, so the bytes at one moment tell nothing.
        held = held.max(if key > count / 2 { young.stats().unwrap().live_bytes } else { 0 });
    }
    let stats = young.stats().unwrap();
    println!("{refused} refused, at most {held} bytes live, {} evictions", stats.evictions);
    assert!(refused * 100 <= count && held >= LEAST / 2, "{refused} of {count} refused, {held} live; {stats:?}");
    assert!(young.get(&(count - 1).to_le_bytes()).unwrap().is_some());
}
