//! A cache that evicts at the limit of the process makes room for the program. It is the only test of its program,
//! because the limit is that of the process.

use std::hint::black_box;

use phicache::cache::{Cache, DictCache, OnFull, Options};
use phicache::config::Config;
use phicache::memory::limit;

const MIB: u64 = 1 << 20;
const ROOM: u64 = 96 * MIB;
const GROWTH: u64 = 48 * MIB;

#[test]
fn a_cache_that_evicts_shrinks_while_the_program_grows_and_grows_again() {
    let before = limit::usage();
    let most = before.resident + ROOM;
    let config = Config::new().unwrap();
    config.set_maximum_memory(most as f64 * 100.0 / before.limit as f64).unwrap();
    let options = Options { on_full: OnFull::Evict, ..Options::default() };
    let cache = Cache::from(DictCache::dict(config, options).unwrap());
    let mut keys = 0u64..;
    let mut live_after = |stores: usize| {
        for key in keys.by_ref().take(stores) {
            // A store may be refused while the cache shrinks.
            _ = cache.set(&key.to_le_bytes(), &[7; 1000]).unwrap();
        }
        cache.stats().unwrap().live_bytes
    };

    let full = live_after(150_000);
    assert!(full >= ROOM / 10 * 8, "{full} of {ROOM} bytes are live");

    let program = black_box(vec![1u8; GROWTH as usize]);
    let shrunk = live_after(150_000);
    let resident = limit::usage().resident;
    assert!(resident <= most + most / 100, "{resident} of {most}");
    let left = ROOM - GROWTH;
    assert!((left / 10 * 7..=left).contains(&shrunk), "{shrunk} of {left} bytes");

    drop(program);
    let again = live_after(150_000);
    assert!(again >= ROOM / 10 * 8, "{again} of {ROOM} bytes are live");
}
