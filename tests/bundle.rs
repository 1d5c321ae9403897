//! Saved caches: what is loaded or read from a file is what was saved, or nothing.

mod disk_sample;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use disk_sample::Scratch;
use phicache::cache::{
    self, Cache, Cost, DictCache, Loaded, MiceCache, OnFull, Options, Origin, PurviewCache, RedisCache, Refusal, Walk,
};
use phicache::config::Config;
use phicache::disk::{Bundle, inspect_bundle};
use phicache::error::Error;
use phicache::iit::{Cut, Direction, Mice, NodeSet, Subsystem};
use phicache::key::Fingerprint;

type Values = BTreeMap<Vec<u8>, (Vec<u8>, u64)>;

const CONTEXT: &[u8] = b"squares, version 1";

fn config() -> Arc<Config> {
    Config::new().unwrap()
}

fn dict() -> Cache {
    DictCache::dict(config(), Options::default()).unwrap().into()
}

fn fill(cache: &Cache, values: &Values) {
    for (key, (value, cost)) in values {
        cache.set_with_cost(key, value, Cost::of_ns(*cost)).unwrap().unwrap();
    }
}

/// What a cache has, with costs.
fn contents(cache: &Cache) -> Values {
    let mut walk = Walk::new(cache.clone()).unwrap();
    let mut values = Values::new();
    while let Some(walked) = walk.next_entry().unwrap() {
        let entry = &walked.value.entry;
        assert!(values.insert(entry.key().to_vec(), (entry.value().to_vec(), walked.cost_ns)).is_none());
    }
    values
}

fn saved(values: &Values, path: &Path) -> u64 {
    let cache = dict();
    fill(&cache, values);
    cache::save(&cache, path, CONTEXT).unwrap()
}

fn load(cache: &Cache, path: &Path) -> Result<Loaded, Error> {
    cache::load(cache, path, CONTEXT)
}

fn open(path: &Path) -> Result<Cache, Error> {
    cache::open(config(), Options::default(), path, CONTEXT)
}

fn loaded(loaded: u64) -> Loaded {
    Loaded { loaded, ..Loaded::default() }
}

/// Short and long values and keys, of every kind that records have. A cost has seven digits in a file.
fn sample() -> Values {
    let mut values: Values = (0..20).map(|n: u8| (vec![n; n.into()], (vec![n; usize::from(n) * 3], 1000))).collect();
    values.insert(vec![7; 5000], (b"of a long key".to_vec(), 0));
    values.insert(b"long".to_vec(), ((0..40_001).map(|at| at as u8).collect(), 2_000_000_000));
    values.insert(vec![8; 4097], (vec![9; 33_000], 5));
    values
}

#[test]
fn what_was_saved_is_loaded_with_its_costs() {
    let scratch = Scratch::fast();
    let path = scratch.path().join("values.phi");
    assert_eq!(saved(&sample(), &path), 23);
    let cache = dict();
    assert_eq!(load(&cache, &path), Ok(loaded(23)));
    assert_eq!(contents(&cache), sample());
    assert_eq!(cache.stats().unwrap().stores, 23);
    // Keys keep their values.
    cache.set(b"long", b"newer").unwrap().unwrap();
    cache.remove(&[3; 3]).unwrap();
    assert_eq!(load(&cache, &path), Ok(Loaded { loaded: 1, kept: 22, ..Loaded::default() }));
    assert_eq!(cache.peek(b"long").unwrap().unwrap().entry.value(), b"newer");
    let names: Vec<_> = fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["values.phi"]);
}

#[test]
fn an_empty_cache_is_saved_and_loaded() {
    let scratch = Scratch::fast();
    let path = scratch.path().join("empty");
    assert_eq!(saved(&Values::new(), &path), 0);
    assert_eq!(load(&dict(), &path), Ok(Loaded::default()));
    let mounted = open(&path).unwrap();
    assert!(mounted.get(b"k").unwrap().is_none());
    assert_eq!(mounted.size(), Ok(0));
}

#[test]
fn a_file_is_read_in_place_as_a_disk_cache_that_is_not_written() {
    let scratch = Scratch::fast();
    let path = scratch.path().join("values");
    saved(&sample(), &path);
    let bytes = fs::read(&path).unwrap();
    let mounted = open(&path).unwrap();
    assert_eq!(mounted.size(), Ok(23));
    for _ in 0..2 {
        for (key, (value, _)) in &sample() {
            assert_eq!(mounted.get(key).unwrap().unwrap().entry.value(), value);
        }
    }
    assert!(mounted.get(b"missing").unwrap().is_none());
    assert_eq!(contents(&mounted), sample());
    let info = mounted.info().unwrap();
    assert_eq!((info.hits, info.misses, info.size), (46, 1, 23));
    assert_eq!(mounted.set(b"k", b"v").unwrap(), Err(Refusal::Disabled));
    assert!(matches!(mounted.remove(b"long"), Err(Error::Unsupported(_))));
    assert!(matches!(mounted.clear(), Err(Error::Unsupported(_))));
    // A computed value is handed out, and kept in this process only.
    for origin in [Origin::NotStored(Some(Refusal::Disabled)), Origin::Hit] {
        let value = mounted.get_or_reserve(b"new").unwrap().or_compute(|draft| draft.write(b"computed")).unwrap();
        assert_eq!(value.entry.value(), b"computed");
        assert_eq!(value.origin, origin);
    }
    let hit = mounted.get_or_reserve(b"long").unwrap().or_compute(|_| unreachable!()).unwrap();
    assert_eq!(hit.entry.value().len(), 40_001);
    let Cache::Disk(disk) = &mounted else { unreachable!() };
    let health = disk.space().health();
    assert_eq!((disk.space().segments(), health.failures(), health.damaged()), (1, 0, 0), "{}", health.last_failure());
    drop(mounted);
    assert!(fs::read(&path).unwrap() == bytes);
}

#[test]
fn only_caches_in_this_process_are_saved_and_loaded() {
    let scratch = Scratch::fast();
    let path = scratch.path().join("values");
    saved(&sample(), &path);
    let redis =
        Cache::from(RedisCache::redis(config(), Options::default(), Some((&Fingerprint([1; 32]), "role"))).unwrap());
    for cache in [redis, open(&path).unwrap()] {
        assert!(matches!(cache::save(&cache, &scratch.path().join("other"), CONTEXT), Err(Error::Unsupported(_))));
        assert!(matches!(load(&cache, &path), Err(Error::Unsupported(_))));
    }
    assert!(!scratch.path().join("other").exists());
}

fn told(result: Result<impl Sized, Error>) -> String {
    match result {
        Err(Error::InvalidArgument(text) | Error::Damaged(text) | Error::Storage(text)) => text.into(),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was accepted"),
    }
}

#[test]
fn another_context_loads_nothing_and_both_are_named() {
    let scratch = Scratch::fast();
    let path = scratch.path().join("values");
    saved(&sample(), &path);
    let cache = dict();
    for text in [
        told(cache::load(&cache, &path, b"squares, version 2")),
        told(cache::open(config(), Options::default(), &path, b"squares, version 2")),
    ] {
        assert!(text.contains("\"squares, version 1\"") && text.contains("\"squares, version 2\""), "{text}");
    }
    assert_eq!(cache.size(), Ok(0));
    assert!(told(cache::load(&cache, &path, b"")).contains("the context is empty"));
    assert!(told(cache::save(&cache, &path, b"")).contains("the context is empty"));
    // A long context is shown in part.
    let text = told(cache::load(&cache, &path, &[b'x'; 5000]));
    assert!(text.len() < 1000 && text.contains("xxx…"), "{text}");
    assert!(told(cache::save(&cache, &path, &vec![b'x'; 2 << 20])).contains("2097152 bytes"));
    assert_eq!(load(&cache, &path), Ok(loaded(23)));
}

#[test]
fn purviews_are_saved_and_are_not_values_of_a_dict_cache() {
    let scratch = Scratch::fast();
    let path = scratch.path().join("purviews");
    let purviews = || Cache::from(PurviewCache::purview(config(), Options::default()).unwrap());
    let cache = purviews();
    let key = PurviewCache::key(Direction::Cause, NodeSet(3)).unwrap();
    cache.set(&key, &[7; 16]).unwrap().unwrap();
    assert_eq!(cache::save(&cache, &path, CONTEXT), Ok(1));
    let other = purviews();
    assert_eq!(load(&other, &path), Ok(loaded(1)));
    assert_eq!(contents(&other), contents(&cache));
    assert!(told(load(&dict(), &path)).contains("has purviews, but values are expected"));
    assert!(told(open(&path)).contains("has purviews"));
    saved(&sample(), &path);
    assert!(told(load(&purviews(), &path)).contains("has values, but purviews are expected"));
}

fn system(state: i32) -> Subsystem {
    Subsystem::new(&Fingerprint([1; 32]), &[state, 0, 0], NodeSet(7), None, None).unwrap()
}

fn cut(system: &Subsystem) -> Subsystem {
    system.under(Some(Cut::bipartition(3, NodeSet(1), NodeSet(6)).unwrap())).unwrap()
}

#[test]
fn mice_are_loaded_into_the_cache_of_their_own_subsystem_and_cut_only() {
    let scratch = Scratch::fast();
    let (path, of_cut) = (scratch.path().join("mice"), scratch.path().join("cut"));
    let mice = |subsystem: &Subsystem| MiceCache::mice(config(), Options::default(), subsystem, None).unwrap();
    let (full, under_cut, other) = (system(1), cut(&system(1)), system(0));
    let cache = mice(&full);
    for mechanism in 1..8 {
        let (direction, purview) = (Direction::Effect, NodeSet(2));
        let mice = Mice { direction, mechanism: NodeSet(mechanism), purview, phi: 0.5, payload: b"repertoires" };
        cache.set_mice(&mechanism.to_le_bytes(), &mice).unwrap().unwrap();
    }
    let cache = Cache::from(cache);
    assert_eq!(cache::save(&cache, &path, CONTEXT), Ok(7));
    let child = MiceCache::mice(config(), Options::default(), &under_cut, None).unwrap();
    assert_eq!(cache::save(&child.into(), &of_cut, CONTEXT), Ok(0));
    for (subsystem, accepts, accepts_of_cut) in
        [(&full, true, false), (&under_cut, false, true), (&other, false, false)]
    {
        for (path, accepts) in [(&path, accepts), (&of_cut, accepts_of_cut)] {
            let target = Cache::from(mice(subsystem));
            match accepts {
                true => drop(load(&target, path).unwrap()),
                false => assert!(told(load(&target, path)).contains("the MICE of another subsystem or cut")),
            }
        }
    }
    let again = Cache::from(mice(&full));
    assert_eq!(load(&again, &path), Ok(loaded(7)));
    assert_eq!(contents(&again), contents(&cache));
    assert!(told(cache::load(&again, &path, b"other")).contains("\"other\""));
    assert!(told(load(&dict(), &path)).contains("has mice"));
    assert!(told(open(&path)).contains("has mice"));
}

#[test]
fn values_of_a_shared_cache_are_not_loaded_into_that_of_another_system() {
    let scratch = Scratch::fast();
    let (path, of_dict) = (scratch.path().join("shared"), scratch.path().join("dict"));
    let shared = |system: u8, role: &str| {
        cache::shared_dict(config(), Options::default(), None, Fingerprint([system; 32]), role).unwrap()
    };
    let (one, _holder) = shared(81, "saved");
    fill(&one, &sample());
    assert_eq!(cache::save(&one, &path, CONTEXT), Ok(23));
    saved(&sample(), &of_dict);
    let (other, _holder_of_other) = shared(82, "saved");
    assert!(told(load(&other, &path)).contains("of a shared cache of another fingerprint"));
    assert_eq!(contents(&other), Values::new());
    // The role says what the values are, as the context does. Caches that are not shared have no fingerprint.
    let (again, _holder_of_again) = shared(81, "loaded");
    for (cache, path) in [(&again, &path), (&dict(), &path), (&other, &of_dict)] {
        assert_eq!(load(cache, path), Ok(loaded(23)));
        assert_eq!(contents(cache), sample());
    }
    assert_eq!(open(&path).unwrap().get(&[7; 5000]).unwrap().unwrap().entry.value(), b"of a long key");
}

#[test]
fn what_does_not_fit_is_refused_or_evicts() {
    let scratch = Scratch::fast();
    let path = scratch.path().join("values");
    let values: Values = (0..2000u32).map(|n| (n.to_le_bytes().to_vec(), (vec![n as u8; 1000], 10))).collect();
    saved(&values, &path);
    for (on_full, evicts) in [(OnFull::Refuse, false), (OnFull::Evict, true)] {
        let options = Options { max_bytes: Some(1 << 20), on_full, ..Options::default() };
        let cache = Cache::from(DictCache::dict(config(), options).unwrap());
        let counts = load(&cache, &path).unwrap();
        let stats = cache.stats().unwrap();
        assert_eq!((counts.loaded + counts.refused, counts.kept, counts.damaged), (2000, 0, 0));
        assert_eq!(stats.evictions > 0, evicts);
        assert_eq!(counts.refused == 0, evicts, "{counts:?}");
        assert!(stats.bytes <= 1 << 20 && stats.info.size > 500);
        assert_eq!(stats.refused[Refusal::Capacity as usize], counts.refused);
    }
    // No memory at all.
    let config = config();
    config.set_maximum_memory(0.0).unwrap();
    let cache = Cache::from(DictCache::dict(config, Options::default()).unwrap());
    assert_eq!(load(&cache, &path), Ok(Loaded { refused: 2000, ..Loaded::default() }));
}

#[test]
fn files_that_are_no_saved_cache_are_refused() {
    let scratch = Scratch::fast();
    let path = scratch.path().join("values");
    saved(&sample(), &path);
    let bytes = fs::read(&path).unwrap();
    let other = scratch.path().join("other");
    let refusal = |bytes: &[u8]| {
        fs::write(&other, bytes).unwrap();
        let texts = [told(load(&dict(), &other)), told(open(&other)), told(Bundle::open(&other))];
        assert!(texts.iter().all(|text| *text == texts[0] && text.contains("other")), "{texts:?}");
        texts[0].clone()
    };
    assert!(refusal(b"").contains("is not a file that a cache was saved to"));
    assert!(refusal(b"some text").contains("is not a file that a cache was saved to"));
    assert!(refusal(&[0; 5000]).contains("is not a file that a cache was saved to"));
    let mut version_2 = bytes.clone();
    version_2[8] = 2;
    assert!(refusal(&version_2).contains("has version 2 of the format"));
    let mut damaged = bytes.clone();
    damaged[20] ^= 1;
    assert!(refusal(&damaged).contains("is damaged at its beginning"));
    let mut damaged = bytes;
    damaged[120] ^= 1;
    assert!(refusal(&damaged).contains("is damaged where it says what it is"));
    // A segment of a disk cache.
    let directory = Scratch::fast();
    disk_sample::store(&disk_sample::open(directory.path(), disk_sample::at_once()), b"k", b"v");
    let segment = disk_sample::files_ending(directory.path(), ".seg").remove(0);
    assert!(refusal(&fs::read(segment).unwrap()).contains("is a file of a disk cache"));
    assert!(told(load(&dict(), scratch.path())).contains("not a regular file"));
    assert!(told(load(&dict(), &scratch.path().join("missing"))).contains("No such file"));
    let pipe = scratch.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(told(load(&dict(), &pipe)).contains("not a regular file"));
    // One that is too long for an index is loaded, not opened. (Here there is nothing but a hole behind the values.)
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(33 << 30).unwrap();
    assert!(told(open(&path)).contains("longer than 32 GiB"));
}

#[test]
fn paths_are_as_users_write_them() {
    let scratch = Scratch::fast();
    let path = scratch.path().join("values");
    saved(&sample(), &path);
    // A link leads to the file, to read and to replace it.
    let link = scratch.path().join("link");
    symlink("values", &link).unwrap();
    assert_eq!(load(&dict(), &link), Ok(loaded(23)));
    assert_eq!(open(&link).unwrap().size(), Ok(23));
    assert_eq!(saved(&Values::new(), &link), 0);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(load(&dict(), &path), Ok(Loaded::default()));
    assert!(told(cache::save(&dict(), &scratch.path().join("no/such/folder"), CONTEXT)).contains("no/such"));
    assert!(told(cache::save(&dict(), Path::new("/"), CONTEXT)).contains('/'));
    assert!(told(cache::save(&dict(), scratch.path(), CONTEXT)).contains("cannot save"));
    // One that leads to nothing yet, by a second link, leads to the new file.
    let (new, first) = (scratch.path().join("new"), scratch.path().join("first"));
    symlink("second", &first).unwrap();
    symlink(&new, scratch.path().join("second")).unwrap();
    assert_eq!(saved(&sample(), &first), 23);
    assert!(fs::symlink_metadata(&first).unwrap().is_symlink() && fs::symlink_metadata(&new).unwrap().is_file());
    // A pipe stays what it is, and so would /dev/null.
    let pipe = scratch.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let link = scratch.path().join("link to the pipe");
    symlink("pipe", &link).unwrap();
    for path in [&pipe, &link] {
        assert!(told(cache::save(&dict(), path, CONTEXT)).contains("pipe: not a regular file"));
    }
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    assert!(told(cache::save(&dict(), Path::new(""), CONTEXT)).contains("\"\" is not the path of a file; name the"));
    assert!(told(cache::load(&dict(), Path::new(""), CONTEXT)).contains("the path is empty; it names the file"));
    // As all files that the process makes.
    let plain = scratch.path().join("plain");
    fs::write(&plain, "").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode(), fs::metadata(&plain).unwrap().mode());
}

/// Loads and opens a file with damage: right values only. Returns how many are lost.
fn check(path: &Path, values: &Values, what: &str) -> usize {
    let cache = dict();
    let mut found = 0;
    match load(&cache, path) {
        Ok(counts) => {
            let got = contents(&cache);
            assert!(got.iter().all(|(key, value)| values.get(key) == Some(value)), "{what}: a wrong value");
            found = got.len();
            assert_eq!((counts.loaded, counts.kept, counts.refused), (found as u64, 0, 0), "{what}");
            assert!(counts.damaged > 0, "{what}: nothing counted");
        }
        Err(Error::Damaged(_)) => (),
        Err(other) => panic!("{what}: {other:?}"),
    }
    match open(path) {
        Ok(mounted) => {
            let mut read = 0;
            for (key, (value, _)) in values {
                if let Some(got) = mounted.get(key).unwrap() {
                    assert!(got.entry.value() == value, "{what}: a wrong value");
                    read += 1;
                }
            }
            assert!(read >= found, "{what}: {read} read, {found} loaded");
            let got = contents(&mounted);
            assert!(got.iter().all(|(key, value)| values.get(key) == Some(value)), "{what}: a wrong entry");
        }
        Err(Error::Damaged(_)) => (),
        Err(other) => panic!("{what}: {other:?}"),
    }
    values.len() - found
}

/// Flips bits of a file, and cuts it off at lengths, in turn.
fn damage(values: &Values, bits: impl Fn(&[u8]) -> Vec<usize>, lengths: impl Fn(&[u8]) -> Vec<usize>) {
    let scratch = Scratch::fast();
    let path = scratch.path().join("values");
    saved(values, &path);
    let bytes = fs::read(&path).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    let mut lost = 0;
    for bit in bits(&bytes) {
        let (byte, flipped) = (bit / 8, bytes[bit / 8] ^ 1 << (bit % 8));
        file.write_all_at(&[flipped], byte as u64).unwrap();
        lost += check(&path, values, &format!("bit {bit} flipped"));
        file.write_all_at(&bytes[byte..=byte], byte as u64).unwrap();
    }
    assert!(lost > 0);
    for len in lengths(&bytes) {
        fs::write(&path, &bytes[..len]).unwrap();
        check(&path, values, &format!("the first {len} bytes"));
    }
    fs::write(&path, [&bytes[..], &[0; 64]].concat()).unwrap();
    assert_eq!(check(&path, values, "64 bytes more"), 0);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(load(&dict(), &path), Ok(loaded(values.len() as u64)));
}

#[test]
fn a_file_with_any_damage_gives_right_values_or_misses() {
    let mut values: Values = (0..3u8).map(|n| (vec![n; n.into()], (vec![n; usize::from(n) * 30], 1000))).collect();
    values.insert(vec![7; 4100], (b"of a long key".to_vec(), 0));
    // Every bit; within the long key, one of every byte.
    let bits = |bytes: &[u8]| {
        let key = bytes.windows(100).position(|near| near == [7; 100]).unwrap() + 40;
        let is_within = |byte: usize| (key..key + 4000).contains(&byte);
        (0..bytes.len() * 8).filter(|bit| !is_within(bit / 8) || bit % 8 == bit / 8 % 8).collect()
    };
    damage(&values, bits, |bytes| (0..bytes.len()).collect());
}

#[test]
fn a_file_with_a_long_value_and_any_damage_gives_right_values_or_misses() {
    let long: Vec<u8> = (0..32_771).map(|at| (at % 251) as u8).collect();
    let values: Values = [(b"long".to_vec(), (long, 5)), (b"short".to_vec(), (b"value".to_vec(), 0))].into();
    let places = |bytes: &[u8]| -> Vec<usize> {
        let value = bytes.windows(4).position(|four| four == [0, 1, 2, 3]).unwrap();
        let is_within = |byte: usize| (value + 100..value + 32_700).contains(&byte);
        (0..bytes.len()).filter(|byte| !is_within(*byte) || byte % 61 == 0).collect()
    };
    damage(&values, |bytes| places(bytes).into_iter().map(|byte| byte * 8 + byte % 8).collect(), places);
}

#[test]
fn a_file_that_changes_under_a_reader_gives_right_values_or_misses() {
    let scratch = Scratch::fast();
    let path = scratch.path().join("values");
    saved(&sample(), &path);
    let options = || Options {
        disk: cache::DiskOptions { near_bytes: Some(1), ..Default::default() },
        on_full: OnFull::Refuse,
        ..Options::default()
    };
    let mounted = || cache::open(config(), options(), &path, CONTEXT).unwrap();
    let right = |cache: &Cache| {
        let found = sample().into_iter().filter(|(key, (value, _))| {
            let got = cache.get(key).unwrap();
            assert!(got.as_ref().is_none_or(|got| got.entry.value() == value));
            got.is_some()
        });
        found.count()
    };
    // Another file takes its place: the old one is read on.
    let before = mounted();
    saved(&[(b"long".to_vec(), (b"another value".to_vec(), 0))].into(), &path);
    assert_eq!((right(&before), mounted().size()), (23, Ok(1)));
    // The file itself is cut off, or others write into it.
    saved(&sample(), &path);
    let cache = mounted();
    let file = File::options().write(true).open(&path).unwrap();
    let len = file.metadata().unwrap().len();
    file.write_all_at(&[0; 64], 200).unwrap();
    assert!(right(&cache) < 23);
    for len in (0..len).rev().step_by(1000) {
        file.set_len(len).unwrap();
        right(&cache);
    }
    file.set_len(0).unwrap();
    assert_eq!(right(&cache), 0);
    fs::remove_file(&path).unwrap();
    assert_eq!((right(&cache), right(&before)), (0, 23));
}

#[test]
fn a_thousand_threads_change_a_cache_that_is_saved() {
    let scratch = Scratch::fast();
    let path = scratch.path().join("values");
    let cache = dict();
    for stable in 0..2000u32 {
        cache.set(&stable.to_le_bytes(), &stable.to_le_bytes()).unwrap().unwrap();
    }
    let (cache, busy, long) = (&cache, &AtomicU32::new(1000), &vec![1; 40_000]);
    std::thread::scope(|scope| {
        for thread in 0..1000u32 {
            scope.spawn(move || {
                let mut number = thread;
                for _ in 0..50 {
                    number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let (key, len) = ((2000 + number % 500).to_le_bytes(), number / 500 % 300);
                    let len = if len == 0 { long.len() } else { len as usize };
                    match number % 3 {
                        0 => drop(cache.remove(&key).unwrap()),
                        _ => drop(cache.set(&key, &[&key[..], &long[..len]].concat()).unwrap()),
                    }
                }
                busy.fetch_sub(1, Relaxed);
            });
        }
        let mut saves = 0;
        while saves < 3 || busy.load(Relaxed) > 0 {
            let count = cache::save(cache, &path, CONTEXT).unwrap();
            let copy = dict();
            assert_eq!(load(&copy, &path), Ok(loaded(count)));
            let got = contents(&copy);
            assert!(got.iter().all(|(key, (value, _))| value.starts_with(key)));
            assert!((0..2000u32).all(|stable| got.contains_key(&stable.to_le_bytes()[..])));
            saves += 1;
        }
    });
}

/// Saves again and again until it is killed.
#[test]
#[ignore = "runs in a process of its own"]
fn saves_until_it_is_killed() {
    let path = PathBuf::from(std::env::var_os("PHICACHE_BUNDLE").expect("run by another test"));
    let cache = dict();
    for generation in 0u32.. {
        for key in 0..200u32 {
            cache.set(&key.to_le_bytes(), &generation.to_le_bytes().repeat(300)).unwrap().unwrap();
        }
        cache.set(b"long", &generation.to_le_bytes().repeat(100_000)).unwrap().unwrap();
        cache::save(&cache, &path, CONTEXT).unwrap();
    }
}

#[test]
fn a_process_that_is_killed_while_it_saves_leaves_the_old_file_whole() {
    let scratch = Scratch::fast();
    let path = scratch.path().join("values");
    for _ in 0..20 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["saves_until_it_is_killed", "--exact", "--ignored", "--test-threads", "1"]);
        let mut child = command.env("PHICACHE_BUNDLE", &path).stdout(Stdio::null()).spawn().unwrap();
        // Until it is in the middle of something.
        let process = format!("-{:x}-", child.id());
        let is_saving = || {
            let new = disk_sample::files_ending(scratch.path(), ".new");
            new.iter().any(|file| file.to_string_lossy().contains(&process))
        };
        while !path.exists() || !is_saving() {
            assert!(child.try_wait().unwrap().is_none());
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let cache = dict();
        assert_eq!(load(&cache, &path), Ok(loaded(201)));
        let values = contents(&cache);
        let generation = &values[&b"long"[..]].0[..4];
        assert!(values.values().all(|(value, _)| value.chunks(4).all(|four| four == generation)), "of two saves");
    }
    // What is left is removed by the next process that saves a cache there.
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(1000);
    let left = disk_sample::files_ending(scratch.path(), ".new");
    left.iter().for_each(|left| File::options().write(true).open(left).unwrap().set_modified(old).unwrap());
    saved(&sample(), &path);
    assert_eq!(disk_sample::files(scratch.path()), [path]);
}

#[test]
fn it_is_described_for_people() {
    let scratch = Scratch::fast();
    let path = scratch.path().join("values");
    saved(&sample(), &path);
    for verify in [false, true] {
        let report = inspect_bundle(&Bundle::open(&path).unwrap(), verify).unwrap();
        assert_eq!((report.records, report.damaged, report.segments, report.writers), (23, 0, 1, 0));
        assert_eq!((report.role.as_str(), report.context.as_deref()), ("values", Some(CONTEXT)));
        assert_eq!(report.bytes, fs::metadata(&path).unwrap().len());
    }
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[0; 8], 200).unwrap();
    let report = |verify| inspect_bundle(&Bundle::open(&path).unwrap(), verify).unwrap();
    assert_eq!((report(false).records, report(false).damaged), (23, 0));
    assert!(report(true).records < 23 && report(true).records + report(true).damaged == 23);
}

#[test]
fn a_file_is_little_longer_than_its_payload() {
    let scratch = Scratch::fast();
    let path = scratch.path().join("values");
    let count = 100_000u64;
    let values = (0..count).map(|n| ([n.to_le_bytes(), [7; 8]].concat(), (vec![n as u8; 64], 1)));
    saved(&values.collect(), &path);
    let len = fs::metadata(&path).unwrap().len();
    assert!(len * 10 <= count * (16 + 64 + 24) * 12, "{len} bytes");
    assert!(len <= count * 107, "{len} bytes");
}
