//! Damaged, torn, foreign and planted files: the right value or a miss, never a wrong value and never a panic.

mod disk_sample;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use disk_sample::{
    FINGERPRINT, Scratch, at_once, copy, files, files_ending, get, number, open, store, try_get, value_files,
};
use phicache::disk::{Claimed, Options, Space};

type Values = BTreeMap<Vec<u8>, Vec<u8>>;

/// A few small values and, if wanted, one in a file. Each key is stored once: without its newest record, an older one
/// would be found.
fn fill(path: &Path, has_long: bool) -> Values {
    let space = open(path, at_once());
    let mut values: Values = (0..6).map(|key| (number(key).to_vec(), vec![key as u8; key as usize * 3])).collect();
    if has_long {
        values = [(vec![5; 5000], b"of a long key".to_vec())].into();
    }
    values.iter().for_each(|(key, value)| store(&space, key, value));
    values
}

/// Makes live segments of sealed ones, as a killed process leaves them.
fn unseal(path: &Path) {
    for file in files_ending(path, ".seg") {
        let len = fs::metadata(&file).unwrap().len();
        let bytes = fs::read(&file).unwrap();
        let start = u64::from_le_bytes(bytes[bytes.len() - 48..][..8].try_into().unwrap());
        assert!(start < len);
        fs::write(&file, &bytes[..start as usize]).unwrap();
        fs::rename(&file, file.with_extension("live")).unwrap();
    }
}

/// Opens a directory with one damaged file: what is found is right, a new value can be stored, and damage is counted.
fn check(path: &Path, values: &Values, what: &str) -> usize {
    let space = open(path, at_once());
    let mut found = 0;
    for (key, value) in values {
        if let Some(got) = try_get(&space, key) {
            assert!(got == *value, "{what}: a wrong value");
            found += 1;
        }
    }
    for hash in space.hashes().unwrap() {
        let (_, key) = space.find_hash(hash).unwrap();
        assert!(key.is_empty() || values.contains_key(&key), "{what}: a wrong key");
    }
    let told = space.health().failures() + space.health().damaged();
    assert!(found == values.len() || told > 0, "{what}: {found} found, and nothing counted");
    store(&space, b"new", b"value");
    assert_eq!(get(&space, b"new").as_deref(), Some(&b"value"[..]), "{what}");
    found
}

/// Every truncation of a file, and every flip of one of its bits.
fn damage(template: &Path, values: &Values, file: &Path, counts_tails: bool) {
    let bytes = fs::read(template.join(file)).unwrap();
    let mut lost = 0;
    let mut with = |bytes: &[u8], what: &str| {
        let scratch = Scratch::fast();
        copy(template, scratch.path());
        fs::write(scratch.path().join(file), bytes).unwrap();
        lost += values.len() - check_or_tail(scratch.path(), values, what, counts_tails);
    };
    for len in 0..bytes.len() {
        with(&bytes[..len], &format!("the first {len} bytes"));
    }
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        with(&damaged, &format!("with bit {bit} flipped"));
    }
    let mut longer = bytes.clone();
    longer.extend_from_slice(&[0; 64]);
    with(&longer, "with 64 bytes more");
    assert!(lost > 0);
}

/// The last record of a killed process may be torn: nobody can tell that from one that was never stored.
fn check_or_tail(path: &Path, values: &Values, what: &str, counts_tails: bool) -> usize {
    if counts_tails {
        return check(path, values, what);
    }
    let space = open(path, at_once());
    let found = values.iter().filter(|(key, value)| match try_get(&space, key) {
        Some(got) => {
            assert!(got == **value, "{what}: a wrong value");
            true
        }
        None => false,
    });
    let found = found.count();
    store(&space, b"new", b"value");
    assert_eq!(get(&space, b"new").as_deref(), Some(&b"value"[..]), "{what}");
    found
}

fn only(mut files: Vec<PathBuf>, root: &Path) -> PathBuf {
    assert_eq!(files.len(), 1);
    files.remove(0).strip_prefix(root).unwrap().to_owned()
}

#[test]
fn a_sealed_segment_with_any_damage_gives_right_values_or_misses() {
    let scratch = Scratch::fast();
    let values = fill(scratch.path(), false);
    let file = only(files_ending(scratch.path(), ".seg"), scratch.path());
    damage(scratch.path(), &values, &file, true);
}

#[test]
fn a_segment_of_a_killed_process_with_any_damage_gives_right_values_or_misses() {
    let scratch = Scratch::fast();
    let values = fill(scratch.path(), false);
    unseal(scratch.path());
    let file = only(files_ending(scratch.path(), ".live"), scratch.path());
    damage(scratch.path(), &values, &file, false);
}

#[test]
fn a_live_segment_with_a_damaged_record_gives_right_values_or_misses() {
    let scratch = Scratch::fast();
    let owner = open(scratch.path(), at_once());
    let key = |number| format!("key {number}").into_bytes();
    let value = |number| vec![number as u8; 40 + number];
    (0..10).for_each(|number| store(&owner, &key(number), &value(number)));
    let reader = open(scratch.path(), at_once());
    assert!((0..10).all(|number| get(&reader, &key(number)) == Some(value(number))));
    (10..20).for_each(|number| store(&owner, &key(number), &value(number)));

    let file = files_ending(scratch.path(), ".live").remove(0);
    let mut bytes = fs::read(&file).unwrap();
    for number in [5, 15] {
        let key = key(number);
        let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len();
        bytes[at + 3] ^= 0x10;
        fs::OpenOptions::new().write(true).open(&file).unwrap().write_all_at(&bytes, 0).unwrap();
    }
    let found = |space: &Space| -> Vec<usize> {
        let found = (0..20).map(|number| (number, try_get(space, &key(number))));
        found
            .filter_map(|(number, found)| found.map(|found| (number, found == value(number))))
            .map(|(number, is_right)| {
                assert!(is_right, "a wrong value");
                number
            })
            .collect()
    };
    let without = |missing: &[usize]| -> Vec<usize> { (0..20).filter(|number| !missing.contains(number)).collect() };
    // The owner misses what is damaged, and nothing else.
    assert_eq!(found(&owner), without(&[5, 15]));
    assert_eq!(owner.health().damaged(), 2);
    // Others read up to the damage, behind which the owner may be writing.
    assert_eq!(found(&reader), without(&[5, 15, 16, 17, 18, 19]));
    assert_eq!(reader.health().damaged(), 1);
    assert_eq!(found(&open(scratch.path(), at_once())), [0, 1, 2, 3, 4]);
    // What is computed again is found by all; the next one that opens the directory finds all that is whole.
    store(&owner, &key(5), &value(5));
    assert_eq!(found(&owner), without(&[15]));
    owner.close();
    assert_eq!(found(&reader), without(&[15]));
    assert_eq!(found(&open(scratch.path(), at_once())), without(&[15]));
}

#[test]
fn a_value_file_with_any_damage_gives_the_right_value_or_a_miss() {
    let scratch = Scratch::fast();
    let values: Values = [(vec![5; 4100], b"v".to_vec())].into();
    values.iter().for_each(|(key, value)| store(&open(scratch.path(), at_once()), key, value));
    let file = only(value_files(scratch.path()), scratch.path());
    let bytes = fs::read(scratch.path().join(&file)).unwrap();
    // Header, the beginning of the key, the end of the file; the rest of the key is like its beginning.
    for byte in (0..160).chain(bytes.len() - 8..bytes.len()) {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[byte] ^= 1 << bit;
            fs::write(scratch.path().join(&file), damaged).unwrap();
            let space = open(scratch.path(), at_once());
            assert!(values.keys().all(|key| try_get(&space, key).is_none()), "bit {bit} of byte {byte}");
            assert_eq!(space.health().damaged(), 1, "bit {bit} of byte {byte}");
        }
    }
    for len in (0..200).chain(bytes.len() - 8..bytes.len()) {
        fs::write(scratch.path().join(&file), &bytes[..len]).unwrap();
        let space = open(scratch.path(), at_once());
        assert!(values.keys().all(|key| try_get(&space, key).is_none()), "the first {len} bytes");
        assert_eq!(space.health().damaged(), 1, "the first {len} bytes");
    }
    fs::write(scratch.path().join(&file), &bytes).unwrap();
    assert_eq!(check(scratch.path(), &values, "whole"), 1);
}

/// The folder of the values of an identity and role.
fn folder(scratch: &Scratch) -> PathBuf {
    files_ending(scratch.path(), ".seg").remove(0).parent().unwrap().to_owned()
}

#[test]
fn planted_files_are_counted_once_and_give_nothing() {
    let other = Scratch::fast();
    store(&Space::open(other.path(), &FINGERPRINT, "other", at_once()).unwrap(), &number(1), b"of another role");
    store(&open(other.path(), at_once()), &number(1), b"of another order");
    let [foreign, same] = [0, 1].map(|at| files_ending(other.path(), ".seg").remove(at));
    let scratch = Scratch::fast();
    let values = fill(scratch.path(), false);
    let folder = folder(&scratch);
    let own = files_ending(scratch.path(), ".seg").remove(0);
    let name = |order: u64| format!("{order:016x}-00000000-1-{order:016x}-host");
    let mut version_2 = fs::read(&own).unwrap();
    version_2[8] = 2;
    fs::write(folder.join(name(1) + ".seg"), [7; 5000]).unwrap();
    fs::write(folder.join(name(2) + ".live"), []).unwrap();
    fs::write(folder.join(name(3) + ".seg"), version_2).unwrap();
    fs::copy(&foreign, folder.join(name(4) + ".seg")).unwrap();
    // One of this role and another order, under a name that does not fit.
    fs::copy(&same, folder.join(name(5) + ".seg")).unwrap();
    symlink(&own, folder.join(name(6) + ".seg")).unwrap();
    symlink("missing", folder.join(name(7) + ".live")).unwrap();
    fs::create_dir(folder.join(name(8) + ".seg")).unwrap();
    let pipe = folder.join(name(9) + ".live");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Others could have written it.
    fs::copy(&own, folder.join(name(10) + ".seg")).unwrap();
    fs::set_permissions(folder.join(name(10) + ".seg"), Permissions::from_mode(0o622)).unwrap();
    // These are nobody's.
    fs::write(folder.join("README"), "text").unwrap();
    fs::write(folder.join(format!("{:016x}-00000000-1-1-host.seg", u64::MAX)), "text").unwrap();
    let space = open(scratch.path(), at_once());
    for round in 0..3 {
        for (key, value) in &values {
            assert_eq!(get(&space, key).as_ref(), Some(value));
        }
        assert_eq!(get(&space, b"missing"), None);
        assert_eq!((space.health().damaged(), space.health().failures()), (10, 0), "in round {round}");
    }
    assert_eq!(space.len().unwrap(), values.len() as u64);
    // New values come after all of them.
    store(&space, &number(1), b"new");
    drop(space);
    let space = open(scratch.path(), at_once());
    assert_eq!(get(&space, &number(1)).as_deref(), Some(&b"new"[..]));
    // Clearing removes them with all others.
    space.clear().unwrap();
    assert!(!folder.exists());
}

#[test]
fn a_value_that_is_a_link_or_a_pipe_is_a_miss() {
    for plant in ["link", "pipe", "directory", "nothing"] {
        let scratch = Scratch::fast();
        store(&open(scratch.path(), at_once()), b"k", &[1; 50_000]);
        let file = value_files(scratch.path()).remove(0);
        let moved = scratch.path().join("moved");
        fs::rename(&file, &moved).unwrap();
        match plant {
            "link" => symlink(&moved, &file).unwrap(),
            "pipe" => assert!(Command::new("mkfifo").arg(&file).status().unwrap().success()),
            "directory" => fs::create_dir(&file).unwrap(),
            _ => (),
        }
        let space = open(scratch.path(), at_once());
        assert_eq!(get(&space, b"k"), None, "{plant}");
        assert_eq!(space.health().damaged(), 1, "{plant}");
        store(&space, b"k", &[2; 50_000]);
        assert_eq!(get(&space, b"k"), Some(vec![2; 50_000]), "{plant}");
    }
}

#[test]
fn directories_that_others_may_write_into_are_refused() {
    let scratch = Scratch::new();
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let try_open = |trust_group| {
        let options = Options { trust_group, ..at_once() };
        Space::open(scratch.path(), &FINGERPRINT, "values", options)
    };
    for (mode, alone, group) in [(0o700, true, true), (0o755, true, true), (0o770, false, true), (0o777, false, false)]
    {
        set(scratch.path(), mode);
        assert_eq!((try_open(false).is_ok(), try_open(true).is_ok()), (alone, group), "{mode:o}");
    }
    // The advice helps: trust_group does not trust others.
    for (mode, trust_group, advice) in [
        (
            0o777,
            false,
            "mode 777, so every user could change what is stored there; use a directory that does not exist",
        ),
        (0o777, true, "or chmod 700 this one if only your programs use it"),
        (
            0o1777,
            false,
            "mode 1777, so every user could change what is stored there; use a directory that does not exist",
        ),
        (0o770, false, "members of its group could change what is stored there; chmod 700 it, or set trust_group if"),
    ] {
        set(scratch.path(), mode);
        let message = try_open(trust_group).err().unwrap().to_string();
        assert!(message.contains(advice), "{message}");
        assert!(mode & 0o2 == 0 || !message.contains("trust_group"), "{message}");
        assert!(mode & 0o1000 == 0 || !message.contains("chmod"), "{message}");
    }
    fs::write(scratch.path().join("file"), "").unwrap();
    let file = Space::open(&scratch.path().join("file"), &FINGERPRINT, "values", at_once()).err().unwrap();
    assert!(file.to_string().contains("/file is not a directory; give another path"), "{file}");
    // The folder of the values, while the cache is used.
    set(scratch.path(), 0o700);
    let space = open(scratch.path(), at_once());
    store(&space, b"k", b"v");
    space.close();
    let folder = folder(&scratch);
    set(&folder, 0o777);
    let space = open(scratch.path(), at_once());
    assert!(space.find(b"k").is_err());
    assert!(space.store(phicache::disk::Entry { key: b"k", value: b"w", cost_ns: 0 }).is_err());
    assert!(space.health().failures() > 0);
    assert_eq!(files_ending(scratch.path(), ".live").len() + files_ending(scratch.path(), ".new").len(), 0);
    set(&folder, 0o700);
    assert_eq!(get(&space, b"k").as_deref(), Some(&b"v"[..]));
}

#[test]
fn a_group_can_write_what_a_member_made() {
    let scratch = Scratch::new();
    let root = scratch.path().join("shared");
    let options = Options { trust_group: true, ..at_once() };
    // Also if new files are closed to the group as usual.
    let space = Space::open(&root, &FINGERPRINT, "values", options).unwrap().with_context(b"entropy 1");
    store(&space, b"k", &[1; 50_000]);
    assert_eq!(space.claim(b"another", 1), Claimed::Granted);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for file in files(&root) {
        assert_eq!(mode(&file), 0o660, "{}", file.display());
    }
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        assert_eq!(mode(&folder), 0o770, "{}", folder.display());
        folders.extend(fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()));
    }
}
