//! A program that makes and frees caches, one pair for each cut of a network, does not exchange pages with the
//! operating system each time. It is the only test of its program, because page faults are counted for the process.

use phicache::cache::{Cache, DictCache, Options};
use phicache::config::Config;

const ROUNDS: i64 = 100;

/// The page faults of the process so far.
fn faults() -> i64 {
    // SAFETY: the call fills the struct.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &mut usage), 0);
        usage
    };
    usage.ru_minflt
}

/// About 200 KiB in chunks of all sizes that a small table has.
fn come_and_go() {
    let cache: Cache = DictCache::dict(Config::new().unwrap(), Options::default()).unwrap().into();
    for key in 0..2_000_u64 {
        cache.set(&key.to_le_bytes(), &[7; 64]).unwrap().unwrap();
    }
}

#[test]
fn caches_that_come_and_go_use_the_same_pages() {
    (0..10).for_each(|_| come_and_go());
    let before = faults();
    (0..ROUNDS).for_each(|_| come_and_go());
    let added = faults() - before;
    // With pages that are exchanged it is some dozens in each round.
    assert!(added < 4 * ROUNDS, "{added} page faults in {ROUNDS} rounds");
}
