//! A cache saved to one file: saving, loading it in another process and in the same one, and reading it in place.

use std::path::Path;
use std::time::Instant;

use phicache::cache::{self, Cache, DictCache, Options};
use phicache::config::Config;

use crate::{key, shuffled, value};

const CONTEXT: &[u8] = b"phicache-disk-bench";

fn dict() -> Cache {
    DictCache::dict(Config::new().unwrap(), Options::default()).unwrap().into()
}

fn load(path: &Path, count: u64) -> u128 {
    let cache = dict();
    let began = Instant::now();
    let loaded = cache::load(&cache, path, CONTEXT).unwrap();
    let nanoseconds = began.elapsed().as_nanos();
    assert_eq!(loaded.loaded, count);
    nanoseconds
}

/// A worker: prints nanoseconds of saving and of loading in the same process, or of loading in another one, opening in
/// place, and reading all values there.
pub fn work(what: &str, path: &Path, count: u64, len: usize) {
    if what == "save" {
        let cache = dict();
        (0..count).for_each(|number| cache.set(&key(number), &value(number, len)).unwrap().unwrap());
        let began = Instant::now();
        assert_eq!(cache::save(&cache, path, CONTEXT), Ok(count));
        println!("{}", began.elapsed().as_nanos());
        println!("{}", load(path, count));
        return;
    }
    println!("{}", load(path, count));
    let began = Instant::now();
    let opened = cache::open(Config::new().unwrap(), Options::default(), path, CONTEXT).unwrap();
    println!("{}", began.elapsed().as_nanos());
    let order = shuffled(count);
    let began = Instant::now();
    for number in order {
        assert_eq!(opened.get(&key(number)).unwrap().unwrap().entry.value(), value(number, len));
    }
    println!("{}", began.elapsed().as_nanos());
}
