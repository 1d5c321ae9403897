//! Every file operation of saving, loading and reading in place fails once, or from then on, with every error: the old
//! file stays whole, nothing is left behind, and values are right or missing.
//!
//! The plan of faults belongs to the process, so one test does it all.

mod disk_sample;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use disk_sample::{FAULTS, Scratch, files};
use phicache::cache::{self, Cache, DictCache, Options, Walk};
use phicache::config::Config;
use phicache::disk::files::faults;
use phicache::error::Error;

const CONTEXT: &[u8] = b"faults";

type Values = BTreeMap<Vec<u8>, Vec<u8>>;

fn config() -> Arc<Config> {
    Config::new().unwrap()
}

fn dict(values: &Values) -> Cache {
    let cache = Cache::from(DictCache::dict(config(), Options::default()).unwrap());
    values.iter().for_each(|(key, value)| cache.set(key, value).unwrap().unwrap());
    cache
}

fn contents(cache: &Cache) -> Values {
    let mut walk = Walk::new(cache.clone()).unwrap();
    let mut values = Values::new();
    while let Some(walked) = walk.next_entry().unwrap() {
        let entry = &walked.value.entry;
        values.insert(entry.key().to_vec(), entry.value().to_vec());
    }
    values
}

/// Short and long values.
fn values(generation: u8) -> Values {
    let mut values: Values = (0..30).map(|key: u8| (vec![key], vec![generation; 50])).collect();
    values.insert(b"long".to_vec(), vec![generation; 40_000]);
    values.insert(vec![7; 5000], vec![generation]);
    values
}

fn loaded(path: &Path) -> Result<Values, Error> {
    let cache = dict(&Values::new());
    cache::load(&cache, path, CONTEXT).map(|_| contents(&cache))
}

/// Performs an operation with each fault at each of its file operations, after `prepare`. `check` gets the result,
/// whether it must be that of an operation without a fault, and whether the fault lasted.
fn with_faults<T>(what: &str, prepare: impl Fn(), operate: impl Fn() -> T, check: impl Fn(T, bool, bool, &str)) {
    for at in 1.. {
        let mut reached = false;
        for (name, fault) in FAULTS {
            for lasts in [false, true] {
                // Transfers that are interrupted every time go on forever; no system does that.
                if lasts && fault == libc::EINTR {
                    continue;
                }
                prepare();
                faults::arm(at, fault, lasts);
                let result = operate();
                let has_failed = faults::disarm();
                let what = format!("{what}, {name} at {at}{}", if lasts { " and later" } else { "" });
                check(result, !has_failed || fault == faults::SHORT, lasts, &what);
                reached |= has_failed;
            }
        }
        if !reached {
            println!("{what}: {} file operations", at - 1);
            assert!(at > 5);
            return;
        }
    }
}

/// All values that a cache finds, by their keys and by a walk.
fn found(cache: &Cache) -> Values {
    let keys = values(0).into_keys();
    let found = keys.filter_map(|key| Some((key.clone(), cache.get(&key).unwrap()?.entry.value().to_vec()))).collect();
    for (key, value) in contents(cache) {
        assert!(values(1).get(&key) == Some(&value), "a wrong entry");
    }
    found
}

#[test]
fn whatever_fails_files_are_old_or_new_and_values_right_or_missing() {
    let scratch = Scratch::fast();
    let path = scratch.path().join("values");
    let (old, new) = (dict(&values(1)), dict(&values(2)));
    let save_old = || assert_eq!(cache::save(&old, &path, CONTEXT), Ok(32));
    with_faults(
        "save",
        save_old,
        || cache::save(&new, &path, CONTEXT),
        |saved, must, lasts, what| {
            assert!(saved.is_ok() || !must && matches!(saved, Err(Error::Storage(_))), "{what}: {saved:?}");
            let expected = if saved.is_ok() { values(2) } else { values(1) };
            assert!(loaded(&path).unwrap() == expected, "{what}");
            // What cannot be removed stays, until somebody saves a cache there later.
            let left: Vec<_> = files(scratch.path()).into_iter().filter(|file| *file != path).collect();
            assert!(left.is_empty() || lasts, "{what}: {left:?}");
            left.iter().for_each(|file| fs::remove_file(file).unwrap());
        },
    );
    save_old();
    let is_part = |part: &Values| part.iter().all(|(key, value)| values(1).get(key) == Some(value));
    with_faults(
        "load",
        || (),
        || {
            let cache = dict(&Values::new());
            let result = cache::load(&cache, &path, CONTEXT);
            (result.map(|counts| counts.damaged), contents(&cache))
        },
        |(result, got), must, _, what| {
            assert!(is_part(&got), "{what}: a wrong value");
            match result {
                Ok(damaged) => assert!(got == values(1) && damaged == 0, "{what}: {} values", got.len()),
                Err(Error::Storage(_)) => assert!(!must, "{what}"),
                Err(other) => panic!("{what}: {other:?}"),
            }
        },
    );
    with_faults(
        "open and read",
        || (),
        || cache::open(config(), Options::default(), &path, CONTEXT).map(|cache| (found(&cache), cache)),
        |result, must, _, what| match result {
            Ok((got, cache)) => {
                assert!(is_part(&got), "{what}: a wrong value");
                assert!(got == values(1) || !must, "{what}: {} values", got.len());
                let Cache::Disk(disk) = &cache else { unreachable!() };
                assert!(got == values(1) || disk.space().health().failures() > 0, "{what}: nothing counted");
                // The fault is gone.
                assert!(found(&cache) == values(1), "{what}: not found later");
            }
            Err(Error::Storage(_)) => assert!(!must, "{what}"),
            Err(other) => panic!("{what}: {other:?}"),
        },
    );
}
