//! A cache saved to one file: saving, loading it in another process and in the same one, and reading it in place. In
//! CPU time, with that of the kernel: one thread works, and the file is in the page cache.

use std::fs;
use std::path::Path;

use phicache::cache::{self, Cache, DictCache, Options};
use phicache::config::Config;

use crate::{key, shuffled, value};

const CONTEXT: &[u8] = b"phicache-disk-bench";

/// The nanoseconds that this thread has run.
fn cpu() -> u64 {
    let line = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    line.split(' ').next().unwrap().parse().unwrap()
}

/// Prints the nanoseconds that `work` takes, and returns its result.
fn measured<R>(work: impl FnOnce() -> R) -> R {
    let began = cpu();
    let result = work();
    println!("{}", cpu() - began);
    result
}

fn dict() -> Cache {
    DictCache::dict(Config::new().unwrap(), Options::default()).unwrap().into()
}

fn load(path: &Path, count: u64) {
    let cache = dict();
    let loaded = measured(|| cache::load(&cache, path, CONTEXT).unwrap());
    assert_eq!(loaded.loaded, count);
}

/// A worker: prints nanoseconds of saving and of loading in the same process, or of loading in another one, opening in
/// place, and reading all values there.
pub fn work(what: &str, path: &Path, count: u64, len: usize) {
    if what == "save" {
        let cache = dict();
        (0..count).for_each(|number| cache.set(&key(number), &value(number, len)).unwrap().unwrap());
        assert_eq!(measured(|| cache::save(&cache, path, CONTEXT)), Ok(count));
        return load(path, count);
    }
    load(path, count);
    let opened = measured(|| cache::open(Config::new().unwrap(), Options::default(), path, CONTEXT).unwrap());
    let order = shuffled(count);
    measured(|| {
        for number in order {
            assert_eq!(opened.get(&key(number)).unwrap().unwrap().entry.value(), value(number, len));
        }
    });
}
