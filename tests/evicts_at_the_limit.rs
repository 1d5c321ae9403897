//! A cache that evicts at the limit of the process. It is the only test of its program, because the limit is that of
//! the process.

use phicache::cache::{Cache, DictCache, OnFull, Options};
use phicache::config::Config;
use phicache::memory::limit;

const ROOM: u64 = 48 << 20;

#[test]
fn a_cache_that_evicts_takes_every_value_at_the_limit_of_the_process() {
    let before = limit::usage();
    let most = before.resident + ROOM;
    let config = Config::new().unwrap();
    config.set_maximum_memory(most as f64 * 100.0 / before.limit as f64).unwrap();
    let options = || Options { on_full: OnFull::Evict, ..Options::default() };
    let caches = [0, 1].map(|_| Cache::from(DictCache::dict(config.clone(), options()).unwrap()));
    let (mut refused, count) = (0, 150_000u64);
    for key in 0..count {
        let cache = &caches[(key % 2) as usize];
        refused += u64::from(cache.set(&key.to_le_bytes(), &[7; 2000]).unwrap().is_err());
        if key % 1000 == 0 {
            let resident = limit::usage().resident;
            assert!(resident <= most + most / 100, "{resident} of {most}");
        }
    }
    let live: u64 = caches.iter().map(|cache| cache.stats().unwrap().live_bytes).sum();
    let evictions: u64 = caches.iter().map(|cache| cache.stats().unwrap().evictions).sum();
    println!("{refused} refused, {} of {} MiB live, {evictions} evicted", live >> 20, ROOM >> 20);
    let figures = || format!("{:?} at first, now {:?}", before, limit::usage());
    // The first growth over the limit may fail.
    assert!(refused * 10_000 <= count, "{refused} of {count} refused; {}", figures());
    assert!(live >= ROOM / 10 * 8, "{live} of {ROOM} bytes are live");
    assert!(evictions > count / 2);
    let last = caches[1].get(&(count - 1).to_le_bytes()).unwrap();
    assert!(last.is_some());
}
