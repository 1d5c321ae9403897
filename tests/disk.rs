//! Disk: the values of one identity and role in files.

mod disk_sample;

use std::fs;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use disk_sample::{
    FINGERPRINT, Scratch, at_once, copy, files, files_ending, get, huge_segment, number, open, store, value_files,
};
use phicache::disk::{Directory, Entry, Options, Space, Stored, inspect};

#[test]
fn values_outlive_those_who_stored_them() {
    let scratch = Scratch::new();
    let long = vec![9; 100_000];
    for round in 0..3u32 {
        let space = open(scratch.path(), Options::default());
        for key in 0..1000 {
            let old = if round == 0 { None } else { Some(number(key + round - 1).to_vec()) };
            assert_eq!(get(&space, &number(key)), old, "{key} in round {round}");
            store(&space, &number(key), &number(key + round));
            assert_eq!(get(&space, &number(key)), Some(number(key + round).to_vec()));
        }
        assert_eq!(get(&space, b"long").is_some(), round > 0);
        store(&space, b"long", &long);
        store(&space, b"", b"");
        store(&space, &long, b"of a long key");
        assert_eq!(space.len().unwrap(), 1003);
        assert_eq!(get(&space, b"long").as_ref(), Some(&long));
        assert_eq!(get(&space, &long).as_deref(), Some(&b"of a long key"[..]));
        assert_eq!(get(&space, &long[1..]), None);
        assert_eq!(get(&space, b""), Some(Vec::new()));
        assert_eq!(space.health().failures() + space.health().damaged(), 0, "{}", space.health().last_failure());
    }
    // The file of a replaced value is removed.
    assert_eq!(value_files(scratch.path()).len(), 2);
}

#[test]
fn a_directory_that_can_never_be_made_is_an_error() {
    // Linux says of a new directory in /proc that it does not exist, though its parent does.
    let failed = Space::open("/proc/phicache/values".as_ref(), &FINGERPRINT, "values", Options::default());
    assert!(failed.is_err_and(|error| error.to_string().contains("/proc/phicache")));
}

#[test]
fn others_see_what_is_stored_replaced_and_removed() {
    let scratch = Scratch::new();
    let spaces: Vec<Space> = (0..3).map(|_| open(scratch.path(), at_once())).collect();
    for round in 0..50u32 {
        let writer = &spaces[round as usize % 3];
        let key = number(round % 7);
        store(writer, &key, &number(round));
        assert_eq!(get(writer, &key), Some(number(round).to_vec()));
        // Lookups of known keys ask nobody: a replaced value is seen after a refresh, which a miss causes.
        for space in &spaces {
            assert_eq!(get(space, b"missing"), None);
            assert_eq!(get(space, &key), Some(number(round).to_vec()), "round {round}");
        }
        if round % 5 == 4 {
            assert!(spaces[(round as usize + 1) % 3].remove(&key).unwrap());
            for space in &spaces {
                assert_eq!(get(space, b"missing"), None);
                assert_eq!(get(space, &key), None, "round {round}");
            }
            assert!(!writer.remove(&key).unwrap());
        }
    }
    drop(spaces);
    let space = open(scratch.path(), at_once());
    assert_eq!(get(&space, &number(48 % 7)), Some(number(48).to_vec()));
    assert_eq!(get(&space, &number(49 % 7)), None);
}

#[test]
fn clearing_removes_one_identity_and_role() {
    let scratch = Scratch::new();
    let [one, same] = [0, 1].map(|_| open(scratch.path(), at_once()));
    let other_role = Space::open(scratch.path(), &FINGERPRINT, "others", at_once()).unwrap();
    let other_identity = Space::open(scratch.path(), &[8; 32], "values", at_once()).unwrap();
    for space in [&one, &same, &other_role, &other_identity] {
        store(space, b"k", b"v");
        store(space, b"long", &[1; 50_000]);
    }
    one.clear().unwrap();
    for (space, stays) in [(&one, false), (&same, false), (&other_role, true), (&other_identity, true)] {
        assert_eq!(get(space, b"missing"), None);
        assert_eq!(get(space, b"k").is_some(), stays);
        assert_eq!(get(space, b"long").is_some(), stays);
    }
    assert_eq!(files(scratch.path()).len(), 4);
    // Both go on.
    store(&same, b"k", b"new");
    assert_eq!(get(&one, b"k").as_deref(), Some(&b"new"[..]));
    store(&one, b"k", b"newer");
    assert_eq!(get(&same, b"missing"), None);
    assert_eq!(get(&same, b"k").as_deref(), Some(&b"newer"[..]));
}

#[test]
fn a_reader_writes_nothing() {
    let scratch = Scratch::new();
    let options = Options { read_only: true, ..at_once() };
    let missing = scratch.path().join("missing");
    assert!(Space::open(&missing, &FINGERPRINT, "values", options).is_err());
    store(&open(scratch.path(), at_once()), b"k", b"v");
    let before = files(scratch.path());
    let reader = open(scratch.path(), options);
    assert_eq!(get(&reader, b"k").as_deref(), Some(&b"v"[..]));
    assert_eq!(reader.store(Entry { key: b"k", value: b"w", cost_ns: 0 }).unwrap(), Stored::ReadOnly);
    assert!(reader.remove(b"k").is_err() && reader.clear().is_err());
    drop(reader);
    assert_eq!(files(scratch.path()), before);
}

#[test]
fn the_bound_holds() {
    let scratch = Scratch::new();
    let bound = 4 << 20;
    let space = open(scratch.path(), Options { max_bytes: Some(bound), ..Options::default() });
    let mut most = 0;
    for key in 0..40_000 {
        store(&space, &number(key), &[key as u8; 300]);
        if key % 500 == 0 {
            let used: u64 = files(scratch.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
            most = most.max(used);
        }
    }
    assert!(most <= bound && most > bound * 3 / 4, "{most}");
    // The newest are there, and what is there is right.
    let there: Vec<u32> = (0..40_000).filter(|key| get(&space, &number(*key)).is_some()).collect();
    assert!(there.iter().all(|key| get(&space, &number(*key)) == Some(vec![*key as u8; 300])));
    assert!(there.len() > 8000 && there.contains(&39_999), "{}", there.len());
    // What is not there any more was counted.
    let evicted = space.health().evicted();
    assert_eq!(evicted.entries + there.len() as u64, 40_000, "{evicted:?}");
    assert!(evicted.bytes > evicted.entries * 300 && evicted.ns > 0, "{evicted:?}");
    assert_eq!(space.store(Entry { key: b"k", value: &vec![0; 2 << 20], cost_ns: 0 }).unwrap(), Stored::TooLong);
    store(&space, b"k", &vec![0; 900_000]);
}

/// Stores one value in a new segment.
fn store_new(path: &Path, max_bytes: Option<u64>) {
    store(&open(path, Options { max_bytes, ..at_once() }), b"k", b"v");
}

#[test]
fn who_asks_for_no_bound_obeys_the_one_that_was_asked_for_last() {
    let scratch = Scratch::fast();
    // Before that, it is 8 GiB.
    let huge = huge_segment(scratch.path(), 9 << 30);
    store_new(scratch.path(), None);
    assert!(!huge.exists());
    store_new(scratch.path(), Some(20 << 30));
    let huge = huge_segment(scratch.path(), 9 << 30);
    store_new(scratch.path(), None);
    assert!(huge.exists());
    // A reader asks for nothing.
    let reader = Options { max_bytes: Some(1 << 20), read_only: true, ..at_once() };
    assert_eq!(get(&open(scratch.path(), reader), b"k").as_deref(), Some(&b"v"[..]));
    store_new(scratch.path(), None);
    assert!(huge.exists());
    // The length of a value is compared with that bound too, from the beginning.
    store_new(scratch.path(), Some(1 << 20));
    assert!(!huge.exists());
    let space = open(scratch.path(), at_once());
    assert_eq!(space.store(Entry { key: b"k", value: &[0; 300_000], cost_ns: 0 }).unwrap(), Stored::TooLong);
}

#[test]
fn a_process_obeys_what_others_ask_for_later() {
    let scratch = Scratch::fast();
    let begin = |space: &Space| {
        space.close();
        store(space, b"k", b"v");
    };
    let [least, none] = [Some(1 << 20), None].map(|max_bytes| open(scratch.path(), Options { max_bytes, ..at_once() }));
    store(&none, b"k", b"v");
    store(&least, b"k", b"v");
    store_new(scratch.path(), Some(20 << 30));
    let huge = huge_segment(scratch.path(), 9 << 30);
    begin(&least);
    begin(&none);
    assert!(huge.exists());
    // The directory was removed, with its bound.
    fs::remove_dir_all(scratch.path().join("1")).unwrap();
    let huge = huge_segment(scratch.path(), 9 << 30);
    begin(&least);
    assert!(!huge.exists());
}

#[test]
fn a_directory_with_a_damaged_bound_is_not_cut() {
    let scratch = Scratch::fast();
    let bound = scratch.path().join("1/bound");
    store_new(scratch.path(), Some(20 << 30));
    let whole = fs::read(&bound).unwrap();
    let mut huge = Vec::new();
    // What is there stays, but for one segment, which makes room.
    let mut check = |what: &dyn std::fmt::Debug, damage: &dyn Fn()| {
        huge.resize_with(12, || huge_segment(scratch.path(), 1 << 30));
        damage();
        let space = open(scratch.path(), at_once());
        store(&space, b"k", b"v");
        assert_eq!((space.health().damaged(), space.health().failures()), (1, 0), "{what:?}");
        huge.retain(|segment| segment.exists());
        assert_eq!(huge.len(), 11, "{what:?}");
        // Who asks for a bound replaces it.
        store_new(scratch.path(), Some(20 << 30));
        assert_eq!(fs::read(&bound).unwrap(), whole, "{what:?}");
    };
    let mut cases: Vec<Vec<u8>> = [0, 1, whole.len() - 1].map(|len| whole[..len].to_vec()).into();
    cases.extend((0..whole.len()).step_by(5).map(|at| {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        flipped
    }));
    cases.push(vec![0; whole.len()]);
    for case in cases {
        check(&case, &|| fs::write(&bound, &case).unwrap());
    }
    check(&"others may write it", &|| fs::set_permissions(&bound, fs::Permissions::from_mode(0o622)).unwrap());
    check(&"a link", &|| {
        fs::rename(&bound, scratch.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(scratch.path().join("elsewhere"), &bound).unwrap();
    });
}

#[test]
fn damage_anywhere_in_a_sealed_segment_is_listed() {
    let scratch = Scratch::new();
    {
        let space = open(scratch.path(), at_once());
        (0..3).for_each(|key| store(&space, &number(key), b"value"));
    }
    let path = files(scratch.path()).pop().unwrap();
    let whole = fs::read(&path).unwrap();
    // The first record, the last one, the list of them, and the end.
    for at in [96 + 20, 96 + 3 * 32 - 20, 96 + 3 * 32 + 5, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, damaged).unwrap();
        let directory = Directory::new(scratch.path(), false, false).unwrap();
        let reports = inspect(&directory, true).unwrap();
        assert_eq!((reports.len(), reports[0].damaged), (1, 1), "byte {at}");
    }
}

/// The file of a long value is removed with the value; its record stays.
#[test]
fn long_values_that_were_replaced_or_removed_are_no_damage() {
    let scratch = Scratch::new();
    let damaged = || {
        let directory = Directory::new(scratch.path(), false, false).unwrap();
        inspect(&directory, true).unwrap().iter().map(|report| report.damaged).sum::<u64>()
    };
    let long = vec![9; 100_000];
    for round in 0..3u32 {
        let space = open(scratch.path(), at_once());
        (0..4).for_each(|key| store(&space, &number(key), &long));
        space.remove(&number(round)).unwrap();
        store(&space, &number(3), b"short");
        assert_eq!(damaged(), 0, "while it is written, round {round}");
        drop(space);
        assert_eq!(damaged(), 0, "round {round}");
    }
    let file = value_files(scratch.path()).pop().unwrap();
    fs::remove_file(file).unwrap();
    assert_eq!(damaged(), 1, "a file of the value that counts");
}

#[test]
fn values_of_older_formats_are_misses_and_go_first() {
    let scratch = Scratch::new();
    let bound = Options { max_bytes: Some(4 << 20), ..at_once() };
    let current = open(scratch.path(), bound);
    store(&current, b"k", b"v");
    drop(current);
    let [segment] = files_ending(scratch.path(), ".seg").try_into().unwrap();
    let space = segment.parent().unwrap().strip_prefix(scratch.path().join("1")).unwrap();
    let fill = |version: &str| {
        let folder = scratch.path().join(version).join(space);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("values"), vec![1; 3 << 20]).unwrap();
        folder
    };
    let (older, newer, other) = (fill("0"), fill("2"), fill("backup"));
    let current = open(scratch.path(), bound);
    // The older format counts once, and its values are not found.
    assert_eq!(current.health().damaged(), 1);
    assert_eq!(get(&current, b"k").as_deref(), Some(&b"v"[..]));
    for key in 0..100 {
        store(&current, &number(key), &[7; 30_000]);
    }
    assert!(!older.exists() && newer.exists() && other.exists());
    assert_eq!(get(&current, b"k").as_deref(), Some(&b"v"[..]));
    assert_eq!((0..100).filter(|key| get(&current, &number(*key)).is_some()).count(), 100);
    assert_eq!(open(scratch.path(), bound).health().damaged(), 0);
}

#[test]
fn what_is_stored_after_others_have_removed_all_is_found() {
    let scratch = Scratch::new();
    let seldom = Options { refresh: std::time::Duration::from_secs(3600), ..Options::default() };
    for sync in [false, true] {
        let space = open(scratch.path(), Options { sync, ..seldom });
        let removals: [&dyn Fn(); 3] = [
            &|| fs::remove_dir_all(scratch.path().join("1")).unwrap(),
            &|| open(scratch.path(), at_once()).clear().unwrap(),
            &|| {
                let directory = Directory::new(scratch.path(), false, false).unwrap();
                directory.discard(&directory.identity(&FINGERPRINT)).unwrap();
            },
        ];
        for (number, remove) in removals.iter().enumerate() {
            store(&space, b"first", b"1");
            remove();
            store(&space, b"second", &[number as u8]);
            store(&space, b"long", &[number as u8; 50_000]);
            space.sync().unwrap();
            let other = open(scratch.path(), at_once());
            assert_eq!(get(&other, b"first"), None, "removal {number}");
            assert_eq!(get(&other, b"second"), Some(vec![number as u8]), "removal {number}");
            assert_eq!(get(&other, b"long"), Some(vec![number as u8; 50_000]), "removal {number}");
        }
    }
}

#[test]
fn what_is_stored_after_the_directory_was_moved_is_found_at_its_old_path() {
    let scratch = Scratch::new();
    let (root, moved) = (scratch.path().join("cache"), scratch.path().join("moved"));
    let seldom = Options { refresh: std::time::Duration::from_secs(3600), ..Options::default() };
    for sync in [false, true] {
        let space = open(&root, Options { sync, ..seldom });
        store(&space, b"before", b"1");
        store(&space, b"long before", &[1; 50_000]);
        fs::rename(&root, &moved).unwrap();
        store(&space, b"long", &[2; 50_000]);
        store(&space, b"after", b"2");
        let other = open(&root, at_once());
        assert_eq!(get(&other, b"long"), Some(vec![2; 50_000]), "sync: {sync}");
        assert_eq!(get(&other, b"after").as_deref(), Some(&b"2"[..]), "sync: {sync}");
        assert_eq!(get(&other, b"before"), None);
        assert_eq!(get(&space, b"before"), None);
        // What was stored before went with the directory, and the next process there seals it.
        let mover = open(&moved, at_once());
        assert_eq!(get(&mover, b"before").as_deref(), Some(&b"1"[..]));
        assert_eq!(get(&mover, b"long before"), Some(vec![1; 50_000]));
        assert_eq!(get(&mover, b"after"), None);
        assert!(files_ending(&moved, ".live").is_empty());
        // A copy at the old path is not the file to which this process appends.
        fs::remove_dir_all(&moved).unwrap();
        fs::rename(&root, &moved).unwrap();
        copy(&moved, &root);
        store(&space, b"after a copy", b"3");
        for (key, value) in [(&b"after"[..], &b"2"[..]), (b"after a copy", b"3")] {
            assert_eq!(get(&open(&root, at_once()), key).as_deref(), Some(value));
            assert_eq!(get(&space, key).as_deref(), Some(value));
        }
        [&root, &moved].into_iter().for_each(|path| fs::remove_dir_all(path).unwrap());
        assert_eq!(space.health().failures() + space.health().damaged(), 0, "{}", space.health().last_failure());
    }
}

#[test]
fn what_took_long_to_compute_stays_when_the_directory_is_full() {
    let scratch = Scratch::new();
    let space = open(scratch.path(), Options { max_bytes: Some(4 << 20), ..Options::default() });
    let is_expensive = |key: u32| key.is_multiple_of(100);
    for key in 0..40_000 {
        let (key, value) = (number(key), [key as u8; 300]);
        let cost_ns = if is_expensive(u32::from_le_bytes(key)) { 1_000_000_000 } else { 1000 };
        assert_eq!(space.store(Entry { key: &key, value: &value, cost_ns }).unwrap(), Stored::Stored);
    }
    let left = |wanted: bool| {
        (0..40_000).filter(|key| is_expensive(*key) == wanted && get(&space, &number(*key)).is_some()).count()
    };
    assert!(left(true) == 400 && left(false) < 20_000, "{} {}", left(true), left(false));
}

#[test]
fn what_is_kept_of_a_removed_segment_is_found_at_every_moment() {
    let scratch = Scratch::fast();
    let options = Options { max_bytes: Some(4 << 20), ..at_once() };
    let (writer, reader) = (open(scratch.path(), options), open(scratch.path(), options));
    let stored = AtomicU32::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for key in 0..20_000 {
                let cost_ns = if key % 100 == 0 { 1_000_000_000 } else { 1000 };
                put(&writer, &number(key), &[key as u8; 300], cost_ns);
                stored.store(key + 1, Relaxed);
            }
        });
        while stored.load(Relaxed) < 20_000 {
            let keys = (0..stored.load(Relaxed)).step_by(100);
            assert_eq!(get(&reader, b"missing"), None);
            keys.for_each(|key| assert!(get(&reader, &number(key)).is_some(), "{key} is missing"));
        }
    });
}

#[test]
fn what_was_replaced_does_not_come_back_if_both_segments_go_during_a_listing() {
    let original = Scratch::fast();
    let options = Options { max_bytes: Some(1 << 20), ..at_once() };
    let segment = |key: &[u8], value: &[u8], cost_ns| put(&open(original.path(), options), key, value, cost_ns);
    segment(b"k", b"old", 1);
    (0..10).for_each(|key| segment(&number(key), &[1; 14_000], 1));
    segment(b"k", b"new", 1);
    (10..60).for_each(|key| segment(&number(key), &[1; 14_000], 1 << 50));
    for round in 0..200 {
        let scratch = Scratch::fast();
        copy(original.path(), scratch.path());
        let [writer, reader] = [0, 1].map(|_| open(scratch.path(), options));
        let begun = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                begun.wait();
                // Makes room for it.
                put(&writer, b"long", &[1; 250_000], 1);
            });
            begun.wait();
            std::thread::sleep(Duration::from_micros(round % 20 * 500));
            assert_ne!(get(&reader, b"k").as_deref(), Some(&b"old"[..]), "round {round}");
        });
        assert_eq!(get(&open(scratch.path(), options), b"k"), None);
    }
}

/// Stores a value that took this number of nanoseconds.
fn put(space: &Space, key: &[u8], value: &[u8], cost_ns: u64) {
    assert_eq!(space.store(Entry { key, value, cost_ns }).unwrap(), Stored::Stored);
}

/// Stores what is worth keeping, three times as much as fits; calls `check` in between.
fn overfill(path: &Path, options: Options, check: impl Fn(&Space, u32)) -> Space {
    let filler = open(path, options);
    for key in 0..3000 {
        put(&filler, &number(key), &[1; 1000], 1 << 30);
        if key.is_multiple_of(100) {
            check(&open(path, options), key);
        }
    }
    assert!(filler.health().evicted().entries > 1000);
    filler
}

#[test]
fn what_was_replaced_or_removed_does_not_come_back_when_the_directory_is_full() {
    let options = Options { max_bytes: Some(1 << 20), ..at_once() };
    for is_alive in [false, true] {
        let scratch = Scratch::fast();
        // Old values that took long, in a segment of a process that is gone, or that may still append to it.
        let old = open(scratch.path(), options);
        [&b"replaced"[..], b"removed"].iter().for_each(|key| put(&old, key, b"old", 1 << 50));
        let alive = is_alive.then_some(old);
        // They are replaced and removed by another process, in a segment that is cheap to lose.
        let new = open(scratch.path(), options);
        put(&new, b"replaced", b"new", 1);
        assert!(new.remove(b"removed").unwrap());
        drop(new);
        let filler = overfill(scratch.path(), options, |space, key| {
            assert_ne!(get(space, b"replaced").as_deref(), Some(&b"old"[..]), "after {key} stores");
            assert_eq!(get(space, b"removed"), None, "after {key} stores");
        });
        let expected = is_alive.then_some(&b"new"[..]);
        assert_eq!(get(&filler, b"replaced").as_deref(), expected, "its segment is worth least");
        drop(alive);
    }
}

#[test]
fn what_was_replaced_or_removed_before_it_was_seen_does_not_come_back() {
    let scratch = Scratch::fast();
    let options = Options { max_bytes: Some(1 << 20), ..at_once() };
    let seldom = Options { refresh: Duration::from_secs(3600), ..options };
    let (old, new) = (open(scratch.path(), seldom), open(scratch.path(), seldom));
    put(&old, b"begins", b"the older segment", 1);
    put(&new, b"begins too", b"the newer segment", 1);
    // Nobody has looked at what the other has stored.
    for key in [&b"replaced"[..], b"removed"] {
        put(&old, key, b"old", 1 << 50);
        put(&new, key, b"new", 1);
    }
    assert!(new.remove(b"removed").unwrap());
    drop((new, old));
    overfill(scratch.path(), options, |space, key| {
        assert_ne!(get(space, b"replaced").as_deref(), Some(&b"old"[..]), "after {key} stores");
        assert_eq!(get(space, b"removed"), None, "after {key} stores");
    });
}

#[test]
fn what_is_kept_of_a_removed_segment_hides_no_newer_value() {
    let scratch = Scratch::fast();
    let options = Options { max_bytes: Some(1 << 20), refresh: Duration::from_secs(3600), ..Options::default() };
    let (one, other) = (open(scratch.path(), options), open(scratch.path(), options));
    // Each segment has a value that took long, and is removed after a while.
    let fill = |keys: Range<u32>| {
        for key in keys {
            let cost_ns = if key.is_multiple_of(16) { 1_000_000_000 } else { 1000 };
            let value = [1; 1000];
            assert_eq!(one.store(Entry { key: &number(key), value: &value, cost_ns }).unwrap(), Stored::Stored);
        }
    };
    fill(0..64);
    // The other process begins its segment, and does not look at others' any more.
    store(&other, b"another", b"value");
    fill(64..2000);
    let left = (0..64).filter(|key| get(&one, &number(*key)).is_some()).count();
    assert_eq!(left, 4, "those that took long");
    store(&other, &number(0), b"new");
    let third = open(scratch.path(), options);
    assert_eq!(get(&third, &number(0)).as_deref(), Some(&b"new"[..]));
    assert!(get(&third, &number(16)).is_some());
}

#[test]
fn what_a_process_left_that_was_killed_when_it_had_sealed_a_segment_is_removed() {
    let scratch = Scratch::fast();
    let space = open(scratch.path(), at_once());
    store(&space, b"k", b"v");
    store(&space, b"long", &[1; 50_000]);
    drop(space);
    // It had removed the old file last.
    let sealed = files_ending(scratch.path(), ".seg").remove(0);
    fs::copy(&sealed, sealed.with_extension("live")).unwrap();
    let space = open(scratch.path(), at_once());
    assert_eq!(get(&space, b"k").as_deref(), Some(&b"v"[..]));
    assert_eq!(files_ending(scratch.path(), ".live"), Vec::<PathBuf>::new());
    assert_eq!(get(&space, b"long"), Some(vec![1; 50_000]));
}

/// Makes segments old enough to be joined.
fn age(path: &Path) {
    let long_ago = SystemTime::now() - Duration::from_secs(1000);
    for path in files_ending(path, ".seg") {
        let file = fs::File::open(path).unwrap();
        file.set_times(fs::FileTimes::new().set_modified(long_ago)).unwrap();
    }
}

#[test]
fn segments_are_joined_with_their_neighbours_only() {
    let scratch = Scratch::fast();
    let seldom = Options { refresh: Duration::from_secs(3600), ..Options::default() };
    let small = |keys: Range<u32>| keys.for_each(|key| store(&open(scratch.path(), at_once()), &number(key), b"old"));
    small(0..16);
    let between = open(scratch.path(), seldom);
    store(&between, b"another", b"value");
    small(16..31);
    age(scratch.path());
    let segments = || files_ending(scratch.path(), ".seg").len();
    assert_eq!(segments(), 31);
    // Opening it joins the first 16.
    let opened = || {
        let space = open(scratch.path(), at_once());
        (0..31).for_each(|key| assert_eq!(get(&space, &number(key)).as_deref(), Some(&b"old"[..]), "{key}"));
        space
    };
    opened();
    assert_eq!(segments(), 16);
    opened();
    assert_eq!(segments(), 16, "one row is too short");
    // Its segment is newer than the joined one.
    store(&between, &number(3), b"new");
    drop(between);
    let space = open(scratch.path(), at_once());
    assert_eq!(get(&space, &number(3)).as_deref(), Some(&b"new"[..]));
}

#[test]
fn what_others_join_is_found_at_every_moment() {
    let original = Scratch::fast();
    for segment in 0..16 {
        let space = open(original.path(), at_once());
        (0..500).for_each(|key| store(&space, &number(segment * 500 + key), b"value"));
    }
    // The moment is short.
    for _ in 0..20 {
        let scratch = Scratch::fast();
        copy(original.path(), scratch.path());
        age(scratch.path());
        let reader = open(scratch.path(), Options { refresh: Duration::from_secs(3600), ..Options::default() });
        let count = || assert_eq!(reader.len().unwrap(), 16 * 500);
        count();
        assert_eq!(open(scratch.path(), at_once()).len().unwrap(), 16 * 500);
        assert_eq!(files_ending(scratch.path(), ".seg").len(), 1);
        let (begun, is_done) = (Barrier::new(3), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    begun.wait();
                    while !is_done.load(Relaxed) {
                        count();
                    }
                });
            }
            begun.wait();
            // A removal looks at what the others have done.
            let removed = reader.remove(b"missing");
            is_done.store(true, Relaxed);
            assert!(!removed.unwrap());
        });
        assert_eq!(reader.segments(), 1);
    }
}

#[test]
fn a_directory_that_others_remove_during_a_listing_is_empty() {
    let scratch = Scratch::fast();
    let reader = open(scratch.path(), at_once());
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let directory = Directory::new(scratch.path(), false, false).unwrap();
            for key in 0..500 {
                store(&open(scratch.path(), Options::default()), &number(key), b"v");
                directory.discard(&directory.space(&FINGERPRINT, "values")).unwrap();
            }
            is_done.store(true, Relaxed);
        });
        while !is_done.load(Relaxed) {
            reader.len().unwrap();
        }
    });
    assert_eq!(reader.len().unwrap(), 0);
}

#[test]
fn what_was_cleared_does_not_come_back_from_a_process_that_seals_it() {
    let original = Scratch::fast();
    let writer = open(original.path(), Options::default());
    (0..30).for_each(|key| store(&writer, &number(key), &vec![key as u8; 30_000]));
    for _ in 0..30 {
        let scratch = Scratch::fast();
        // Nobody has locked it there.
        copy(original.path(), scratch.path());
        let begun = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let space = open(scratch.path(), Options::default());
                begun.wait();
                space.len().unwrap();
            });
            begun.wait();
            let directory = Directory::new(scratch.path(), false, false).unwrap();
            directory.discard(&directory.space(&FINGERPRINT, "values")).unwrap();
            store(&open(scratch.path(), Options::default()), b"k", b"v");
        });
        let space = open(scratch.path(), at_once());
        assert_eq!(get(&space, b"k").as_deref(), Some(&b"v"[..]));
        assert_eq!(space.len().unwrap(), 1);
    }
}
