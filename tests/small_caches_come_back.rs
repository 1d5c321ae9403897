//! The memory of many small caches that were freed is of use to others. It is the only test of its program, because the
//! limit is that of the process.
//!
//! Chunks of small caches are glibc's, and `malloc_trim` returns all free memory of its main arena, but not the end of
//! a thread's arena. How much that is depends on addresses, so the test runs again in a process with one arena.

use std::process::Command;

use phicache::cache::{Cache, DictCache, OnFull, Options};
use phicache::config::Config;
use phicache::memory::limit;

const ROOM: u64 = 48 << 20;

#[test]
fn at_the_limit_of_the_process_the_memory_of_freed_small_caches_is_used_again() {
    const ONE_ARENA: (&str, &str) = ("MALLOC_ARENA_MAX", "1");
    if std::env::var(ONE_ARENA.0).as_deref() != Ok(ONE_ARENA.1) {
        let this = std::env::current_exe().unwrap();
        let again = Command::new(this).env(ONE_ARENA.0, ONE_ARENA.1).output().unwrap();
        assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stdout));
        return;
    }
    let before = limit::usage();
    let config = Config::new().unwrap();
    config.set_maximum_memory((before.resident + ROOM) as f64 * 100.0 / before.limit as f64).unwrap();
    let cache = || {
        let options = Options { on_full: OnFull::Refuse, ..Options::default() };
        Cache::from(DictCache::dict(config.clone(), options).unwrap())
    };
    let fill = |cache: &Cache, entries: u64| {
        (0..entries).filter(|key| cache.set(&key.to_le_bytes(), &[7; 1000]).unwrap().is_ok()).count() as u64
    };
    for round in 0..3 {
        let caches: Vec<Cache> = (0..600).map(|_| cache()).collect();
        let small: u64 = caches.iter().map(|cache| fill(cache, 100)).sum();
        assert!(small * 1000 > ROOM / 2, "{small} in round {round}");
        assert!(small < 60_000, "the limit was not reached");
        if round == 1 {
            caches.iter().for_each(|cache| cache.clear().unwrap());
        }
        drop(caches);
        let stored = fill(&cache(), 60_000);
        assert!(stored * 1000 > ROOM / 4 * 3, "{stored} after {small} in round {round}");
    }
}
