//! What caches occupy, by the system's own figures, is little more than what their entries take, whatever sizes come
//! and go. It is the only test of its program, because the resident size is that of the process.

use phicache::cache::{Cache, DictCache, Options};
use phicache::config::Config;
use phicache::memory::limit;

const MIB: u64 = 1 << 20;

struct Load {
    cache: Cache,
    before: u64,
    value: Vec<u8>,
}

impl Load {
    fn set(&self, key: u64, len: u64) {
        self.cache.set(&key.to_le_bytes(), &self.value[..len as usize]).unwrap().unwrap();
    }

    fn remove(&self, key: u64) {
        assert!(self.cache.remove(&key.to_le_bytes()).unwrap());
    }

    /// Resident and accounted bytes, both divided by those of the entries, at most `most`.
    fn check(&self, most: f64, phase: &str) {
        let stats = self.cache.stats().unwrap();
        let resident = limit::usage().resident - self.before;
        let live = stats.live_bytes.max(1) as f64;
        let (resident, accounted) = (resident as f64 / live, stats.bytes as f64 / live);
        println!("{phase}: {:.1} MiB live, resident {resident:.3}, accounted {accounted:.3}", live / MIB as f64);
        assert!(resident <= most, "{phase}: resident {resident:.3} of live");
        assert!(accounted <= most && accounted > 0.98, "{phase}: accounted {accounted:.3} of live");
        // The chunks that are kept for the next table, and what the process itself occupies meanwhile.
        let off = (resident - accounted).abs() * live - 2.0 * MIB as f64;
        assert!(off < 0.03 * live, "{phase}: resident {resident:.3}, accounted {accounted:.3}");
    }
}

#[test]
fn resident_memory_is_little_more_than_what_entries_take() {
    let new = || {
        let cache = Cache::from(DictCache::dict(Config::new().unwrap(), Options::default()).unwrap());
        cache.set(b"first", b"use").unwrap().unwrap();
        cache.remove(b"first").unwrap();
        Load { cache, before: limit::usage().resident, value: vec![7; 1 << 16] }
    };
    let count = 40_000;

    let load = new();
    (0..count).for_each(|key| load.set(key, 1000));
    load.check(1.15, "filled with one size");
    (0..3 * count).for_each(|at| load.set(at * 7919 % count, 1000));
    load.check(1.15, "one size, overwritten at random");
    (0..count).for_each(|key| load.set(key, 48 + key * 7919 % 2000));
    (0..count).for_each(|at| load.set(at * 7919 % count, 48 + at * 104_729 % 2000));
    load.check(1.5, "sizes from 48 to 2,048, overwritten at random");
    (0..count).filter(|key| key * 7919 % 101 < 50).for_each(|key| load.remove(key));
    load.check(1.5, "half of them removed");
    load.cache.clear().unwrap();
    assert!(limit::usage().resident < load.before + 3 * MIB, "after a clear");

    // A drift from small to large values, while the number of entries falls.
    let (mut oldest, mut next, mut len) = (0, 0, 64);
    while len < 8192 {
        for _ in 0..(16 * MIB / len) {
            load.set(next, len);
            next += 1;
        }
        while load.cache.stats().unwrap().live_bytes > 32 * MIB {
            for _ in 0..64 {
                load.remove(oldest);
                oldest += 1;
            }
        }
        load.check(1.5, &format!("drift, {len} bytes"));
        len = len * 11 / 10 + 8;
    }
    (oldest..next).for_each(|key| load.remove(key));
    assert!(limit::usage().resident < load.before + 3 * MIB, "after all were removed");

    // Values above 4 KiB and of their own chunks.
    (0..1000).for_each(|key| load.set(key, 5000 + key * 7919 % 40_000));
    (0..3000).for_each(|at| load.set(at * 7919 % 1000, 5000 + at * 104_729 % 40_000));
    load.check(1.5, "5,000 to 45,000 bytes, overwritten at random");
}
