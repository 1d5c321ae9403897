//! Freed memory is returned to the operating system without a further call. The test reads `/proc`, because asking the
//! library would make it free what is retired. It is the only test of its program, because others would change the
//! program's size.

use std::sync::Barrier;
use std::thread;

use phicache::cache::{Cache, DictCache, Options};
use phicache::config::Config;
use phicache::ffi::api::read::{phicache_read_begin, phicache_read_end};
use phicache::ffi::border::types::PHICACHE_OK;

const MEGABYTE: usize = 1 << 20;
/// The allocator and the test harness may keep this many bytes.
const SLACK: usize = 16 * MEGABYTE;

fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

fn cache() -> Cache {
    let config = Config::new().unwrap();
    config.set_maximum_memory(-1.0).unwrap();
    Cache::Dict(DictCache::dict(config, Options::default()).unwrap())
}

fn fill(cache: &Cache, size: usize, count: u32) {
    let value = vec![7; size];
    for key in 0..count {
        cache.set(&key.to_le_bytes(), &value).unwrap().unwrap();
    }
}

#[test]
fn freed_memory_is_returned_to_the_system_without_a_further_call() {
    // Small values share chunks; each large value has memory of its own.
    for (size, count) in [(1000, 128_000), (MEGABYTE, 128)] {
        let before = resident();
        let all = size * count as usize;
        let grown = |what: &str, most: usize| {
            let now = resident().saturating_sub(before);
            assert!(now <= most, "{what}, values of {size} bytes: {} MB more than before", now / MEGABYTE);
        };

        let first = cache();
        fill(&first, size, count);
        assert!(resident() > before + all / 2);
        for _ in 0..4 {
            fill(&first, size, count);
            grown("replaced", 2 * all + SLACK);
        }
        first.clear().unwrap();
        grown("cleared", SLACK);
        fill(&first, size, count);
        drop(first);
        grown("freed", SLACK);

        let second = cache();
        fill(&second, MEGABYTE, 128);
        for key in 0..128u32 {
            assert!(second.remove(&key.to_le_bytes()).unwrap());
        }
        second.set(b"k", b"v").unwrap().unwrap();
        grown("removed", SLACK);
        drop(second);
    }

    // While a thread reads, the memory stays. It is returned when the section ends.
    let before = resident();
    let (cache, inside, leave) = (&cache(), &Barrier::new(2), &Barrier::new(2));
    fill(cache, MEGABYTE, 128);
    let (cleared, while_read) = thread::scope(|scope| {
        let reader = scope.spawn(move || {
            assert_eq!(phicache_read_begin(), PHICACHE_OK);
            inside.wait();
            leave.wait();
            assert_eq!(phicache_read_end(), PHICACHE_OK);
        });
        inside.wait();
        let seen = (cache.clear(), resident());
        leave.wait();
        reader.join().unwrap();
        seen
    });
    assert!(cleared.is_ok() && while_read > before + 64 * MEGABYTE, "{} MB more", (while_read - before) / MEGABYTE);
    assert!(resident() < before + SLACK, "{} MB more", (resident() - before) / MEGABYTE);
    fill(cache, MEGABYTE, 128);
    cache.clear().unwrap();
    assert!(resident() < before + SLACK, "{} MB more", (resident() - before) / MEGABYTE);
}
