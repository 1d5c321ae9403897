//! A cache that begins when another one has filled the memory. It is the only test of its program, because the limit is
//! that of the process.

use phicache::cache::{Cache, DictCache, OnFull, Options};
use phicache::config::Config;
use phicache::memory::limit;

/// What the process comes to occupy besides is little beside it.
const ROOM: u64 = 192 << 20;

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
        let _ = idle.set(&key.to_le_bytes(), &[7; 4000]).unwrap();
    }
    assert!(idle.stats().unwrap().evictions > 0);

    let young = new();
    let mut refused = 0;
    let mut store = |keys: std::ops::Range<u64>| {
        for key in keys {
            refused += u64::from(young.set(&key.to_le_bytes(), &[7; 500]).unwrap().is_err());
            let stats = young.stats().unwrap();
            let is_used = stats.live_bytes >= LEAST && stats.live_bytes * 4 >= stats.bytes * 3;
            assert!(key < 300 || is_used, "after {key} stores: {stats:?}");
        }
    };
    store(0..700);
    let resident = limit::usage().resident;
    assert!(resident <= most + most / 100, "{resident} of {most}");
    // While the process exceeds the limit, the cache makes no chunk. It keeps what it has.
    let beyond = vec![7u8; 8 << 20];
    store(700..1400);
    drop(beyond);
    store(1400..2000);
    assert!(refused <= 20, "{refused} of 2,000 are refused");
    assert!(young.get(&1999u64.to_le_bytes()).unwrap().is_some());
}
