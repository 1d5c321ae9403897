//! Disk: of many processes that miss a key, one computes it; MICE on disk.

mod disk_sample;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use disk_sample::{FINGERPRINT, Scratch, at_once, files, get, open, store};
use phicache::cache::{
    Cache, DiskCache, Holder, OnFull, Options, Origin, Refusal, RemoteOptions, Walk, shared_disk, shared_disk_mice,
};
use phicache::config::{Config, Tier};
use phicache::disk::{self, Claimed, Space};
use phicache::iit::{Cut, Direction, Mice, NodeSet, Subsystem};
use phicache::key::Fingerprint;
use phicache::sync::TryArc;

fn config(path: &Path) -> Arc<Config> {
    let config = Config::new().unwrap();
    config.set_disk_directory(Some(path.to_str().unwrap())).unwrap();
    config
}

fn cache(path: &Path, lease: Option<Duration>) -> (Cache, Holder) {
    let remote = RemoteOptions { lease, ..RemoteOptions::default() };
    let options = Options { remote, ..Options::default() };
    shared_disk(config(path), options, None, Fingerprint(FINGERPRINT), "values", None).unwrap()
}

/// A process that memoizes the key; what it computes, it notes.
fn worker(path: &Path, lease_ms: u64) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["memoizes_one_key", "--exact", "--ignored", "--nocapture", "--test-threads", "1"]);
    command.env("PHICACHE_DISK_PATH", path).env("PHICACHE_DISK_LEASE", lease_ms.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().unwrap()
}

/// Appends the number of this process to a file, at once: a process that is killed in between would leave half a line.
fn note(path: &Path) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(format!("{}\n", std::process::id()).as_bytes()).unwrap();
}

fn notes(path: &Path) -> Vec<String> {
    fs::read_to_string(path.join("computed")).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Waits for a state of other processes.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..60_000 {
        if is_so() {
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
    panic!("waited two minutes: {what}");
}

#[test]
#[ignore = "runs in a process of its own"]
fn memoizes_one_key() {
    let path = PathBuf::from(std::env::var_os("PHICACHE_DISK_PATH").expect("run by another test"));
    let lease: u64 = std::env::var("PHICACHE_DISK_LEASE").unwrap().parse().unwrap();
    let (cache, _holder) = cache(&path.join("cache"), (lease > 0).then(|| Duration::from_millis(lease)));
    note(&path.join("ready"));
    wait_until("all processes", || path.join("go").exists());
    let value = cache.memoize(b"one", |draft| {
        note(&path.join("computed"));
        wait_until("the end of the computation", || path.join("finish").exists());
        draft.write(b"value")
    });
    assert_eq!(value.unwrap().entry.value(), b"value");
}

fn started(path: &Path, count: usize, lease_ms: u64) -> Vec<Child> {
    let workers = (0..count).map(|_| worker(path, lease_ms)).collect();
    let ready = || fs::read_to_string(path.join("ready")).unwrap_or_default().lines().count();
    wait_until("processes that are ready", || ready() == count);
    fs::write(path.join("go"), "").unwrap();
    workers
}

#[test]
fn of_64_processes_one_computes() {
    for lease_ms in [0, 3_600_000] {
        let scratch = Scratch::new();
        let path = scratch.path();
        let workers = started(path, 64, lease_ms);
        wait_until("a computation", || !notes(path).is_empty());
        // The others have time to compute too, if nothing stops them.
        thread::sleep(Duration::from_millis(300));
        fs::write(path.join("finish"), "").unwrap();
        for mut worker in workers {
            assert!(worker.wait().unwrap().success());
        }
        assert_eq!(notes(path).len(), 1, "lease of {lease_ms} ms");
        assert!(lease_files(path).is_empty());
    }
}

#[test]
fn nobody_waits_for_a_computation_whose_key_was_removed() {
    let removals: [fn(&Cache); 2] = [|cache| assert!(!cache.remove(b"k").unwrap()), |cache| cache.clear().unwrap()];
    for (lease, remove) in [None, Some(Duration::from_secs(3600))].into_iter().zip(removals) {
        let scratch = Scratch::new();
        let (cache, _holder) = cache(scratch.path(), lease);
        let (send, receive) = mpsc::channel();
        thread::scope(|threads| {
            let outer = cache.memoize(b"k", |draft| {
                remove(&cache);
                threads.spawn(|| {
                    let value = cache.memoize(b"k", |draft| draft.write(b"new")).unwrap();
                    send.send((value.entry.value().to_vec(), value.origin)).unwrap();
                });
                // As if it needed what the other thread computes.
                let inner = receive.recv_timeout(Duration::from_secs(60));
                assert_eq!(inner, Ok((b"new".to_vec(), Origin::Computed)));
                draft.write(b"old")
            });
            let outer = outer.unwrap();
            assert_eq!((outer.entry.value(), outer.origin), (&b"old"[..], Origin::NotStored(Some(Refusal::Cleared))));
        });
        assert_eq!(cache.get(b"k").unwrap().unwrap().entry.value(), b"new");
        // Both claims have ended.
        assert!(!open(scratch.path(), disk::Options { lease, ..at_once() }).is_claimed(b"k"));
        assert!(lease_files(scratch.path()).is_empty());
    }
}

/// What a process says that found the file system full; other processes are short, and it may have ended.
fn announce_full(path: &Path, ahead: Duration) {
    let claims = OpenOptions::new().write(true).open(path.join("1/claims")).unwrap();
    claims.set_modified(SystemTime::now() + ahead).unwrap();
}

#[test]
fn on_a_full_file_system_processes_do_not_wait_for_each_other() {
    let scratch = Scratch::new();
    let path = scratch.path();
    let workers = started(path, 8, 0);
    wait_until("the first computation", || !notes(path).is_empty());
    let announce = || announce_full(&path.join("cache"), Duration::from_secs(9));
    wait_until("all computations", || (announce(), notes(path).len()).1 == 8);
    fs::write(path.join("finish"), "").unwrap();
    for mut worker in workers {
        assert!(worker.wait().unwrap().success());
    }
}

#[test]
fn a_full_file_system_is_forgotten_in_seconds_and_a_wrong_clock_is_no_full_one() {
    let scratch = Scratch::new();
    let space = open(scratch.path(), at_once());
    assert_eq!(space.claim(b"k", 1), Claimed::Granted);
    announce_full(scratch.path(), Duration::from_secs(10));
    // Those who wait are told at once, though somebody computes.
    let other = open(scratch.path(), at_once());
    assert_eq!((other.claim(b"l", 2), other.is_claimed(b"l")), (Claimed::Futile, false));
    space.release(b"k", 1, false);
    for (computation, ahead) in [0, 3600].into_iter().enumerate() {
        announce_full(scratch.path(), Duration::from_secs(ahead));
        assert_eq!(other.claim(b"k", computation as u64), Claimed::Granted, "{ahead} s");
        other.release(b"k", computation as u64, false);
    }
}

#[test]
fn when_a_process_is_killed_the_next_one_computes() {
    for lease_ms in [0, 3_600_000] {
        let scratch = Scratch::new();
        let path = scratch.path();
        let mut workers = started(path, 8, lease_ms);
        for kills in 0..3 {
            wait_until("the next computation", || notes(path).len() > kills);
            let computing: u32 = notes(path)[kills].parse().unwrap();
            let at = workers.iter().position(|worker| worker.id() == computing).unwrap();
            let mut killed = workers.swap_remove(at);
            killed.kill().unwrap();
            killed.wait().unwrap();
        }
        wait_until("the last computation", || notes(path).len() > 3);
        fs::write(path.join("finish"), "").unwrap();
        for mut worker in workers {
            assert!(worker.wait().unwrap().success());
        }
        assert_eq!(notes(path).len(), 4, "lease of {lease_ms} ms");
    }
}

fn lease_files(path: &Path) -> Vec<PathBuf> {
    files(path).into_iter().filter(|file| file.parent().unwrap().ends_with("leases")).collect()
}

fn with_lease(path: &Path, lease: Duration) -> Space {
    open(path, disk::Options { lease: Some(lease), ..at_once() })
}

/// Turns the only lease into one of another host.
fn of_another_host(path: &Path, lease_ms: u64) -> PathBuf {
    let [file] = lease_files(path).try_into().unwrap();
    fs::write(&file, format!("phicache-lease-1 0badb007 0123456789abcdef-1-1 {lease_ms}\n")).unwrap();
    file
}

#[test]
fn a_claim_of_this_process_excludes_its_other_computations() {
    let scratch = Scratch::new();
    let [a, b] = [0, 1].map(|_| open(scratch.path(), at_once()));
    let other = Space::open(scratch.path(), &FINGERPRINT, "others", at_once()).unwrap();
    assert!(!b.is_claimed(b"k"));
    assert_eq!(a.claim(b"k", 1), Claimed::Granted);
    assert_eq!((a.claim(b"k", 2), b.claim(b"k", 3)), (Claimed::Taken, Claimed::Taken));
    assert!(b.is_claimed(b"k"));
    assert_eq!((b.claim(b"l", 4), other.claim(b"k", 5)), (Claimed::Granted, Claimed::Granted));
    // Only the computation that holds a claim ends it.
    a.release(b"k", 2, false);
    assert!(b.is_claimed(b"k"));
    a.release(b"k", 1, false);
    assert!(!b.is_claimed(b"k"));
    assert_eq!(b.claim(b"k", 6), Claimed::Granted);
    // The value could not be stored: waiting is in vain.
    b.release(b"k", 6, true);
    assert_eq!((a.claim(b"k", 7), b.is_claimed(b"k")), (Claimed::Futile, false));
}

#[test]
fn who_is_granted_a_claim_sees_what_was_stored_before() {
    let scratch = Scratch::new();
    let seldom = disk::Options { refresh: Duration::from_secs(3600), ..disk::Options::default() };
    let [a, b] = [0, 1].map(|_| open(scratch.path(), seldom));
    assert_eq!(get(&b, b"k"), None);
    assert_eq!(a.claim(b"k", 1), Claimed::Granted);
    store(&a, b"k", b"v");
    a.release(b"k", 1, false);
    assert_eq!(get(&b, b"k"), None);
    assert_eq!(b.claim(b"k", 2), Claimed::Granted);
    assert_eq!(get(&b, b"k").as_deref(), Some(&b"v"[..]));
    b.release(b"k", 2, false);
    let c = open(scratch.path(), seldom);
    assert_eq!(get(&c, b"x"), None);
    store(&a, b"x", b"y");
    assert!(!c.is_claimed(b"x"));
    assert_eq!(get(&c, b"x").as_deref(), Some(&b"y"[..]));
}

#[test]
fn readers_claim_nothing() {
    let scratch = Scratch::new();
    store(&open(scratch.path(), at_once()), b"k", b"v");
    let before = files(scratch.path());
    let reader = open(scratch.path(), disk::Options { read_only: true, ..at_once() });
    assert_eq!(reader.claim(b"new", 1), Claimed::Unavailable);
    assert!(!reader.is_claimed(b"new"));
    assert!(!open(scratch.path(), at_once()).is_claimed(b"new"));
    assert_eq!(files(scratch.path()), before);
}

#[test]
fn a_directory_without_its_file_of_claims_gets_another() {
    let scratch = Scratch::new();
    let [a, b] = [0, 1].map(|_| open(scratch.path(), at_once()));
    for computation in 1..4 {
        assert_eq!(a.claim(b"k", computation), Claimed::Granted);
        assert_eq!(b.claim(b"k", computation + 10), Claimed::Taken);
        a.release(b"k", computation, false);
        fs::remove_dir_all(scratch.path().join("1")).unwrap();
    }
}

#[test]
fn leases_of_another_host_end_by_their_age() {
    let scratch = Scratch::new();
    let space = with_lease(scratch.path(), Duration::from_secs(3600));
    assert_eq!(space.claim(b"k", 1), Claimed::Granted);
    let file = of_another_host(scratch.path(), 3_600_000);
    // Its owner has lost it, and does not remove that of the other.
    assert!(space.has_lost(b"k", 1));
    space.release(b"k", 1, false);
    assert!(file.exists());
    assert_eq!(space.claim(b"k", 2), Claimed::Taken);
    assert!(space.is_claimed(b"k"));
    // An old one does not count, whatever its owner's clock says now.
    let old = fs::metadata(&file).unwrap().modified().unwrap() - Duration::from_secs(3601);
    OpenOptions::new().write(true).open(&file).unwrap().set_modified(old).unwrap();
    assert!(!space.is_claimed(b"k"));
    assert_eq!(space.claim(b"k", 3), Claimed::Granted);
    assert!(!space.has_lost(b"k", 3));
    space.release(b"k", 3, false);
    assert!(lease_files(scratch.path()).is_empty());
    // Nor does one from a time to which the clock was set by mistake.
    assert_eq!(space.claim(b"k", 4), Claimed::Granted);
    let file = of_another_host(scratch.path(), 3_600_000);
    let ahead = fs::metadata(&file).unwrap().modified().unwrap() + Duration::from_secs(7200);
    OpenOptions::new().write(true).open(&file).unwrap().set_modified(ahead).unwrap();
    assert!(!space.is_claimed(b"k"));
}

#[test]
fn a_lease_of_this_host_ends_with_its_process_or_its_key() {
    let scratch = Scratch::new();
    let space = with_lease(scratch.path(), Duration::from_secs(3600));
    // As if its process had been killed: the lock is free.
    assert_eq!(space.claim(b"k", 1), Claimed::Granted);
    let [file] = lease_files(scratch.path()).try_into().unwrap();
    let text = fs::read(&file).unwrap();
    space.release(b"k", 1, false);
    fs::write(&file, text).unwrap();
    assert!(!space.is_claimed(b"k"));
    assert_eq!(space.claim(b"k", 2), Claimed::Granted);
    // Somebody removes the key.
    store(&space, b"k", b"old");
    assert!(with_lease(scratch.path(), Duration::from_secs(1)).remove(b"k").unwrap());
    assert!(space.has_lost(b"k", 2));
    space.release(b"k", 2, false);
    // Damaged, empty or foreign files keep nobody waiting.
    let endless = b"phicache-lease-1 0badb007 word 18446744073709551615\n";
    for bytes in [&b""[..], b"phicache-lease-2 1 2 3\n", endless, &[0xFF; 300]] {
        fs::write(&file, bytes).unwrap();
        assert_eq!(space.claim(b"k", 4), Claimed::Granted);
        space.release(b"k", 4, false);
    }
    assert!(lease_files(scratch.path()).is_empty());
}

#[test]
fn a_computed_value_is_handed_out_after_its_claim_was_lost() {
    let scratch = Scratch::new();
    let (cache, _holder) = cache(scratch.path(), Some(Duration::from_secs(3600)));
    let value = cache.memoize(b"k", |draft| {
        of_another_host(scratch.path(), 1000);
        draft.write(b"computed")
    });
    assert_eq!(value.unwrap().entry.value(), b"computed");
    assert_eq!(get(&open(scratch.path(), at_once()), b"k"), None);
}

#[test]
fn a_late_value_of_a_broken_cycle_is_refused_as_the_first() {
    let scratch = Scratch::new();
    let options = Options { max_bytes: Some(disk::Options::LEAST_BYTES), ..Options::default() };
    let made = shared_disk(config(scratch.path()), options, None, Fingerprint(FINGERPRINT), "values", None);
    let (cache, _holder) = made.unwrap();
    let value = vec![1; disk::Options::LEAST_BYTES as usize / 2];
    let both = Barrier::new(2);
    let run = |own: &'static [u8], other: &'static [u8]| {
        let origin = |key: &[u8], compute: &dyn Fn()| {
            let value = cache.memoize(key, |draft| {
                compute();
                draft.write(&value)
            });
            value.unwrap().origin
        };
        let refused = Origin::NotStored(Some(Refusal::Capacity));
        let outer = origin(own, &|| {
            both.wait();
            let inner = origin(other, &|| ());
            assert!(inner == refused || inner == Origin::Waited, "{inner:?}");
        });
        assert_eq!(outer, refused);
    };
    thread::scope(|scope| {
        scope.spawn(|| run(b"a", b"b"));
        scope.spawn(|| run(b"b", b"a"));
    });
    assert_eq!((cache.size().unwrap(), cache.stats().unwrap().refused[Refusal::Capacity as usize]), (0, 3));
}

fn system() -> Subsystem {
    Subsystem::new(&Fingerprint([1; 32]), &[1, 0, 0], NodeSet(7), None, None).unwrap()
}

/// Severs 0 -> 1 and 0 -> 2.
fn cut() -> Subsystem {
    system().under(Some(Cut::bipartition(3, NodeSet(1), NodeSet(6)).unwrap())).unwrap()
}

fn mice(mechanism: u64, purview: u64, phi: f64) -> Mice<'static> {
    let (mechanism, purview) = (NodeSet(mechanism), NodeSet(purview));
    Mice { direction: Direction::Effect, mechanism, purview, phi, payload: b"payload" }
}

fn mice_cache(path: &Path, subsystem: &Subsystem, parent: Option<&Cache>) -> (TryArc<DiskCache>, Option<Holder>) {
    let parent = parent.map(|parent| match parent {
        Cache::Disk(parent) => parent,
        _ => unreachable!(),
    });
    match shared_disk_mice(config(path), Options::default(), None, subsystem, parent).unwrap() {
        (Cache::Disk(cache), holder) => (cache, holder),
        _ => unreachable!(),
    }
}

#[test]
fn mice_outlive_their_process_and_cut_children_inherit_them() {
    let scratch = Scratch::new();
    {
        let (parent, _holder) = mice_cache(scratch.path(), &system(), None);
        // The effects of node 1 on 2, which the cut does not damage, and of node 0 on 1, which it does.
        parent.set_mice(b"kept", &mice(2, 4, 0.5)).unwrap().unwrap();
        parent.set_mice(b"damaged", &mice(1, 2, 0.25)).unwrap().unwrap();
        parent.set_mice(b"reducible", &mice(1, 1, 0.0)).unwrap().unwrap();
        assert_eq!(parent.size().unwrap(), 3);
    }
    let phi = |cache: &DiskCache, key: &[u8]| {
        cache.get(key).unwrap().map(|value| (Mice::read_checked(value.entry.value()).unwrap().phi, value.origin))
    };
    let (parent, holder) = mice_cache(scratch.path(), &system(), None);
    let (child, _) = mice_cache(scratch.path(), &cut(), Some(&Cache::Disk(parent.clone())));
    // The parent fetches for its child.
    assert_eq!(phi(&child, b"kept"), Some((0.5, Origin::Parent)));
    assert_eq!(phi(&child, b"damaged"), None);
    assert_eq!(phi(&parent, b"damaged"), Some((0.25, Origin::Hit)));
    assert_eq!(phi(&parent, b"kept"), Some((0.5, Origin::Hit)));
    assert_eq!((parent.size().unwrap(), child.size().unwrap()), (3, 2));
    assert_eq!(child.set_mice(b"new", &mice(2, 4, 1.0)).unwrap(), Err(Refusal::Cut));
    let computed = Cache::Disk(child.clone()).memoize(b"damaged", |draft| {
        let mice = mice(1, 2, 0.125);
        mice.write(draft.reserve(mice.record_len())?);
        Ok(())
    });
    assert_eq!(computed.unwrap().origin, Origin::NotStored(Some(Refusal::Cut)));
    // The child keeps what it inherits when its parent is freed, and loses it when it is cleared itself.
    drop((parent, holder));
    assert_eq!(phi(&child, b"kept"), Some((0.5, Origin::Parent)));
    child.clear().unwrap();
    assert_eq!(phi(&child, b"kept"), None);
    let (parent, _holder) = mice_cache(scratch.path(), &system(), None);
    assert_eq!(parent.size().unwrap(), 3);
    // Without a parent, the cache of a cut subsystem has nothing.
    let (orphan, _) = mice_cache(scratch.path(), &cut(), None);
    assert_eq!((phi(&orphan, b"kept"), orphan.size().unwrap()), (None, 0));
    let walked = |cache: &TryArc<DiskCache>| {
        let mut walk = Walk::new(Cache::Disk(cache.clone())).unwrap();
        std::iter::from_fn(|| walk.next_entry().unwrap()).count()
    };
    assert_eq!((walked(&parent), walked(&child), walked(&orphan)), (3, 0, 0));
}

#[test]
fn a_process_has_one_cache_of_the_mice_of_a_system() {
    let scratch = Scratch::new();
    let config = config(scratch.path());
    let make = |subsystem: &Subsystem, options| shared_disk_mice(config.clone(), options, None, subsystem, None);
    let (one, _first) = make(&system(), Options::default()).unwrap();
    let (same, _second) = make(&system(), Options::default()).unwrap();
    assert!(one.is_same(&same));
    let bounded = Options { max_bytes: Some(1 << 30), ..Options::default() };
    let refusing = Options { on_full: OnFull::Refuse, ..Options::default() };
    for other in [bounded, refusing] {
        assert!(make(&system(), other).err().unwrap().to_string().contains("exists with other options"));
    }
    // Other values of the same identity are apart, whatever their role is called.
    let fingerprint = *system().fingerprint();
    let values = |role| shared_disk(config.clone(), Options::default(), None, fingerprint, role, None);
    let (values, _holder) = values("mice").unwrap();
    values.set(b"k", b"raw").unwrap().unwrap();
    assert_eq!(one.get(b"k").unwrap().map(drop), None);
    let error = shared_disk(config.clone(), Options::default(), None, fingerprint, "phicache.mice", None).err();
    assert!(error.unwrap().to_string().contains("choose another"));
}

#[test]
fn the_configuration_chooses_where_mice_are() {
    let scratch = Scratch::new();
    let config = Config::new().unwrap();
    assert_eq!(config.mice_tier().unwrap(), Tier::Memory);
    config.set_disk_directory(Some(scratch.path().to_str().unwrap())).unwrap();
    assert_eq!(config.mice_tier().unwrap(), Tier::Disk);
    config.set_redis(true);
    assert!(config.mice_tier().err().unwrap().to_string().contains("disable redis_cache"));
    config.set_disk_directory(None).unwrap();
    assert_eq!(config.mice_tier().unwrap(), Tier::Redis);
}
