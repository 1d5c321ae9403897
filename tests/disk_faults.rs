//! Every file operation of a disk cache fails once, or from then on, with every error: values are right or a miss, and
//! all is well again when the fault is gone.
//!
//! The plan of faults belongs to the process, so the tests take turns. Each file operation fails with some of the
//! errors, in turn; with PHICACHE_DISK_FAULTS=all, as in `make check`, with all, or in long operations with several.

mod disk_sample;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use disk_sample::{FAULTS, Scratch, at_once, copy, files_ending, get, number, open, store, try_get};
use phicache::disk::files::faults;
use phicache::disk::{Claimed, Entry, Options, Space, Stored};

static TURN: Mutex<()> = Mutex::new(());

/// The values that a key may have; none, if it must not have one.
type Allowed = BTreeMap<Vec<u8>, Vec<Vec<u8>>>;

fn long(byte: u8) -> Vec<u8> {
    vec![byte; 40_000]
}

fn small_bound() -> Options {
    Options { max_bytes: Some(Options::LEAST_BYTES), ..at_once() }
}

/// What is in the directory before the operation.
fn prepare(path: &Path) {
    let space = open(path, at_once());
    for key in 0..20 {
        store(&space, &number(key), &number(key + 100));
    }
    store(&space, b"long", &long(1));
    store(&space, b"removed", b"x");
    assert!(space.remove(b"removed").unwrap());
}

fn prepared() -> Allowed {
    let mut allowed: Allowed = (0..20).map(|key| (number(key).to_vec(), vec![number(key + 100).to_vec()])).collect();
    allowed.insert(b"long".to_vec(), vec![long(1)]);
    allowed.insert(b"removed".to_vec(), Vec::new());
    allowed
}

/// What is found is allowed. If `all` is, what was there before is found.
fn check(space: &Space, allowed: &Allowed, all: bool, what: &str) {
    let before = prepared();
    for (key, values) in allowed {
        let expected = all && before.get(key).is_some_and(|before| !before.is_empty());
        match try_get(space, key) {
            Some(value) => assert!(values.contains(&value), "{what}: {key:?} has {} bytes", value.len()),
            None => assert!(!expected, "{what}: {key:?} is missing: {}", space.health().last_failure()),
        }
    }
}

/// A key and a value that it may have.
type Allowance = (&'static [u8], fn() -> Vec<u8>);

/// An operation: what is done to a directory before, with the space that the operation uses; and the operation, which
/// returns whether it succeeded.
struct Operation {
    name: &'static str,
    options: Options,
    before: fn(&Path),
    operate: fn(&Space) -> bool,
    /// What the operation allows beyond what was there.
    allows: &'static [Allowance],
    /// Whether values may be gone afterwards.
    forgets: bool,
    /// The number of faults that are tried at each file operation, in turn; five times as many with
    /// PHICACHE_DISK_FAULTS=all.
    faults_each: usize,
}

const NOTHING: Operation = Operation {
    name: "",
    options: Options {
        max_bytes: None,
        refresh: Duration::ZERO,
        read_only: false,
        sync: false,
        trust_group: false,
        lease: None,
    },
    before: |_| (),
    operate: |_| true,
    allows: &[],
    forgets: false,
    faults_each: 4,
};

fn stores(space: &Space, key: &[u8], value: &[u8]) -> bool {
    matches!(space.store(Entry { key, value, cost_ns: 5 }), Ok(Stored::Stored))
}

/// Runs an operation with each fault at each of its file operations.
fn run(operation: &Operation) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let template = Scratch::fast();
    prepare(template.path());
    (operation.before)(template.path());
    // Transfers that are interrupted every time go on forever; no system does that.
    let plans: Vec<(&str, i32, bool)> = [false, true]
        .iter()
        .flat_map(|lasts| FAULTS.iter().map(|(name, fault)| (*name, *fault, *lasts)))
        .filter(|(_, fault, lasts)| *fault != libc::EINTR || !lasts)
        .collect();
    let all = std::env::var_os("PHICACHE_DISK_FAULTS").is_some_and(|which| which == "all");
    let each = if all { plans.len().min(5 * operation.faults_each) } else { operation.faults_each };
    let mut turn = plans.iter().cycle();
    for at in 1.. {
        let mut failed = false;
        for plan in turn.by_ref().take(each) {
            failed |= try_plan(operation, template.path(), at, *plan);
        }
        if !failed {
            println!("{}: {} file operations", operation.name, at - 1);
            break;
        }
    }
}

/// Runs an operation with a fault at one of its file operations; returns whether that was reached.
fn try_plan(operation: &Operation, template: &Path, at: u64, (name, fault, lasts): (&str, i32, bool)) -> bool {
    let what = format!("{}, {name} at {at}{}", operation.name, if lasts { " and later" } else { "" });
    let scratch = Scratch::fast();
    copy(template, scratch.path());
    age(scratch.path());
    let space = open(scratch.path(), operation.options);
    faults::arm(at, fault, lasts);
    let done = (operation.operate)(&space);
    let has_failed = faults::disarm();
    let told = !done || space.health().failures() + space.health().damaged() > 0;
    let mut allowed = prepared();
    for (key, value) in operation.allows {
        allowed.entry(key.to_vec()).or_default().push(value());
    }
    if !has_failed {
        assert!(done && !told, "{what}: {}", space.health().last_failure());
    }
    assert!(done || space.health().failures() > 0, "{what}: nothing counted");
    if fault == faults::SHORT {
        assert!(done, "{what}: {}", space.health().last_failure());
    }
    check(&space, &allowed, !has_failed && !operation.forgets, &what);
    // The fault is gone: the store works again.
    assert!(stores(&space, b"again", b"works"), "{what}: {}", space.health().last_failure());
    assert_eq!(get(&space, b"again").as_deref(), Some(&b"works"[..]), "{what}");
    let fresh = open(scratch.path(), operation.options);
    check(&fresh, &allowed, !operation.forgets, &what);
    assert_eq!(get(&fresh, b"again").as_deref(), Some(&b"works"[..]), "{what}");
    drop(space);
    assert!(stores(&fresh, b"again", b"works too"), "{what}: {}", fresh.health().last_failure());
    drop(fresh);
    let last = open(scratch.path(), operation.options);
    check(&last, &allowed, !operation.forgets, &what);
    assert_eq!(get(&last, b"again").as_deref(), Some(&b"works too"[..]), "{what}");
    assert_eq!(last.health().damaged(), 0, "{what}: {}", last.health().last_failure());
    has_failed
}

/// Makes all files older than the times that the library waits for.
fn age(path: &Path) {
    let old = SystemTime::now() - Duration::from_secs(1000);
    for file in disk_sample::files(path) {
        fs::File::open(&file).unwrap().set_modified(old).unwrap();
    }
}

/// Makes live segments of sealed ones, as a killed process leaves them. Their footers stay behind the last records.
fn unseal(path: &Path) {
    for file in files_ending(path, ".seg") {
        fs::rename(&file, file.with_extension("live")).unwrap();
    }
}

#[test]
fn finding() {
    let operate = |space: &Space| {
        // Failures are counted by the health; what is missing is told by it.
        (0..3).for_each(|key| drop(try_get(space, &number(key))));
        try_get(space, b"long");
        try_get(space, b"missing");
        true
    };
    run(&Operation { name: "find", operate, ..NOTHING });
}

#[test]
fn storing_a_small_value() {
    let operate = |space: &Space| stores(space, b"new", b"value");
    run(&Operation { name: "store", operate, allows: &[(b"new", || b"value".to_vec())], ..NOTHING });
}

#[test]
fn storing_durably() {
    let options = Options { sync: true, ..at_once() };
    let operate = |space: &Space| stores(space, b"new", b"value") && stores(space, b"long too", &long(2));
    let allows: &[Allowance] = &[(b"new", || b"value".to_vec()), (b"long too", || long(2))];
    run(&Operation { name: "store and sync", options, operate, allows, ..NOTHING });
}

#[test]
fn storing_a_long_value() {
    let operate = |space: &Space| stores(space, b"long too", &long(2));
    run(&Operation { name: "store a long value", operate, allows: &[(b"long too", || long(2))], ..NOTHING });
}

#[test]
fn replacing() {
    let operate = |space: &Space| stores(space, &number(3), b"three") & stores(space, b"long", &long(3));
    let allows: &[Allowance] = &[(&[3, 0, 0, 0], || b"three".to_vec()), (b"long", || long(3))];
    run(&Operation { name: "replace", operate, allows, ..NOTHING });
}

#[test]
fn removing() {
    let operate = |space: &Space| space.remove(&number(3)).is_ok() & space.remove(b"long").is_ok();
    run(&Operation { name: "remove", operate, forgets: true, ..NOTHING });
}

#[test]
fn clearing() {
    let operate = |space: &Space| space.clear().is_ok();
    run(&Operation { name: "clear", operate, forgets: true, ..NOTHING });
}

#[test]
fn refreshing() {
    let operate = |space: &Space| {
        drop(space.find(b"missing"));
        drop(space.find(&number(1)));
        space.len().is_ok()
    };
    run(&Operation { name: "refresh", operate, ..NOTHING });
}

#[test]
fn sealing() {
    let operate = |space: &Space| {
        let stored = stores(space, b"new", b"value");
        space.close();
        stored
    };
    run(&Operation { name: "seal", operate, allows: &[(b"new", || b"value".to_vec())], ..NOTHING });
}

#[test]
fn repairing() {
    let operate = |space: &Space| {
        try_get(space, &number(1));
        true
    };
    run(&Operation { name: "repair", before: unseal, operate, ..NOTHING });
}

#[test]
fn joining() {
    let before = |path: &Path| {
        for key in 0..16 {
            store(&open(path, Options::default()), &number(key), &number(key + 100));
        }
        assert!(files_ending(path, ".seg").len() > 16);
    };
    let operate = |space: &Space| {
        try_get(space, &number(1));
        true
    };
    run(&Operation { name: "join", before, operate, faults_each: 1, ..NOTHING });
}

/// Computes a value under a claim.
fn computes(space: &Space, key: &[u8], value: &[u8]) -> bool {
    let claimed = space.claim(key, 1);
    let lost = space.has_lost(key, 1);
    let stored = !lost && stores(space, key, value);
    space.release(key, 1, !stored);
    space.is_claimed(key);
    // Whatever has failed, nobody waits for this process any more.
    assert_ne!(space.claim(key, 2), Claimed::Taken, "after {claimed:?}");
    space.release(key, 2, false);
    stored || lost
}

#[test]
fn computing_under_a_claim() {
    let operate = |space: &Space| computes(space, b"new", b"value");
    run(&Operation { name: "claim", operate, allows: &[(b"new", || b"value".to_vec())], ..NOTHING });
}

#[test]
fn computing_under_a_lease() {
    let options = Options { lease: Some(Duration::from_secs(3600)), ..at_once() };
    let operate = |space: &Space| computes(space, b"new", b"value");
    run(&Operation { name: "lease", options, operate, allows: &[(b"new", || b"value".to_vec())], ..NOTHING });
}

#[test]
fn making_room() {
    let before = |path: &Path| {
        let space = open(path, small_bound());
        for key in 1000..1010 {
            store(&space, &number(key), &vec![key as u8; if key % 2 == 0 { 180_000 } else { 10_000 }]);
        }
    };
    let operate = |space: &Space| {
        try_get(space, &number(1009));
        stores(space, &number(1010), &[10; 180_000]) & stores(space, &number(1011), &[11; 10_000])
    };
    run(&Operation {
        name: "bound",
        options: small_bound(),
        before,
        operate,
        forgets: true,
        faults_each: 1,
        ..NOTHING
    });
}

#[test]
fn a_store_that_lacks_space_tells_other_processes_and_any_other_failure_does_not() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for (error, tells) in [(libc::ENOSPC, true), (libc::EDQUOT, true), (libc::EIO, false), (libc::EFBIG, false)] {
        let mut told = 0;
        for number in 1.. {
            let scratch = Scratch::fast();
            let space = open(scratch.path(), at_once());
            assert_eq!(space.claim(b"k", 1), Claimed::Granted);
            faults::arm(number, error, false);
            let stored = space.store(Entry { key: b"k", value: b"v", cost_ns: 0 });
            let has_failed = faults::disarm();
            space.release(b"k", 1, stored.is_err());
            let is_told = space.claim(b"another", 2) == Claimed::Futile;
            assert!(!is_told || stored.is_err(), "error {error} of operation {number}");
            told += u32::from(is_told);
            if !has_failed {
                break;
            }
        }
        assert_eq!(told > 0, tells, "error {error}");
    }
}
