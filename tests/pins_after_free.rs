//! A pinned value of a freed cache keeps the memory around it, not its whole chunk. The test reads `/proc`, so it is
//! the only one of its program.

use phicache::cache::{Cache, DictCache, Options};
use phicache::config::Config;
use phicache::epoch::flush;
use phicache::memory::limit::usage;

const KIB: u64 = 1 << 10;
const COUNT: u32 = 200_000;
/// One value of each chunk of 64 KiB, about.
const PINNED: u32 = 400;
/// The first page of a chunk, and the pages of one value.
const KEPT: u64 = 12 * KIB;
/// The free pages of the process that keep their memory (`region.rs`).
const FREE: u64 = 1792 * KIB;

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * KIB
}

fn held() -> u64 {
    flush();
    usage().held
}

fn value(key: u32) -> [u8; 100] {
    std::array::from_fn(|at| (key as usize + at) as u8)
}

#[test]
fn a_pinned_value_of_a_freed_cache_keeps_pages_and_not_its_chunk() {
    // Through clear and free, and through free alone; then with pins that were there while the cache was in use again.
    for way in ["free", "clear", "clear, fill"] {
        let config = Config::new().unwrap();
        config.set_maximum_memory(-1.0).unwrap();
        let cache = Cache::Dict(DictCache::dict(config, Options::default()).unwrap());
        let fill = || (0..COUNT).for_each(|key| cache.set(&key.to_le_bytes(), &value(key)).unwrap().unwrap());
        fill();
        let get = |key: u32| cache.get(&key.to_le_bytes()).unwrap().unwrap();
        let pins: Vec<_> = (0..COUNT).step_by((COUNT / PINNED) as usize).map(|key| (key, get(key))).collect();
        let (full, before) = (held(), resident());
        if way != "free" {
            cache.clear().unwrap();
        }
        if way == "clear, fill" {
            fill();
        }
        drop(cache);
        let (left, now) = (held(), resident());
        assert!(left <= u64::from(PINNED) * KEPT, "{way}: {} KiB of {} are held", left / KIB, full / KIB);
        // What the system counts agrees, to a page each.
        let gone = before.saturating_sub(now);
        assert!(
            gone + left + u64::from(PINNED) * 4 * KIB + FREE >= full,
            "{way}: {} KiB of {}",
            gone / KIB,
            full / KIB
        );
        assert!(pins.iter().all(|(key, pin)| pin.entry.value() == value(*key)), "{way}");
        drop(pins);
        assert_eq!(held(), 0, "{way}");
    }
}
