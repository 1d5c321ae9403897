//! Many processes in one directory: killed at any moment, forked, limited, without room, without their directory.
//!
//! PHICACHE_DISK_SECONDS sets how long processes are killed; `make soak-disk` does it for an hour.

mod disk_sample;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::os::unix::process::parent_id;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use disk_sample::{
    FINGERPRINT, Scratch, at_once, bytes, files, files_ending, get, huge_segment, number, open, store, try_get,
    value_files,
};
use phicache::disk::{Claimed, Entry, Options, Space, Stored};

/// Processes that run at once.
const WORKERS: usize = 16;
/// The bound of the first directory, and the most bytes that one process adds to it at once.
const BOUND: u64 = 8 << 20;
const AT_ONCE: u64 = BOUND / 64 + (100 << 10);

/// Runs a test that is ignored, in a process of its own.
fn worker(test: &str, path: &Path, number: usize, seed: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--ignored", "--nocapture", "--test-threads", "1"]);
    command.env("PHICACHE_DISK_PATH", path).env("PHICACHE_DISK_WORKER", format!("{number} {seed}"));
    command.stdin(Stdio::null());
    command
}

/// What [`worker`] was told: the directory, the number, the seed.
fn told() -> (PathBuf, usize, u64) {
    let path = std::env::var_os("PHICACHE_DISK_PATH").expect("run by another test");
    let worker = std::env::var("PHICACHE_DISK_WORKER").unwrap();
    let (number, seed) = worker.split_once(' ').unwrap();
    (path.into(), number.parse().unwrap(), seed.parse().unwrap())
}

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// The value of a key in a generation; some are long.
fn value(key: &[u8], generation: u64) -> Vec<u8> {
    let mut value = generation.to_le_bytes().to_vec();
    let mut hasher = blake3::Hasher::new();
    let mut filling = hasher.update(key).update(&value).finalize_xof();
    let mut first = [0; 2];
    filling.fill(&mut first);
    let len = if first[0] == 0 { 33_000 + usize::from(first[1]) * 100 } else { usize::from(first[1]) };
    value.resize(8 + len, 0);
    filling.fill(&mut value[8..]);
    value
}

/// The generation of the value of a key, which is right.
fn generation(space: &Space, key: &[u8]) -> Option<u64> {
    let got = try_get(space, key)?;
    let generation = u64::from_le_bytes(got[..8].try_into().unwrap());
    assert!(got == value(key, generation), "a wrong value of {:?}", String::from_utf8_lossy(key));
    Some(generation)
}

fn bounded(path: &Path) -> Space {
    open(
        &path.join("bounded"),
        Options { max_bytes: Some(BOUND), refresh: Duration::from_millis(20), ..Options::default() },
    )
}

fn unbounded(path: &Path) -> Space {
    open(&path.join("unbounded"), Options { refresh: Duration::from_millis(20), ..Options::default() })
}

fn slot(number: usize) -> Vec<u8> {
    format!("slot {number}").into_bytes()
}

fn single(number: usize, generation: u64) -> Vec<u8> {
    format!("single {number} {generation}").into_bytes()
}

fn told_stored(path: &Path, number: usize) -> u64 {
    let mut stored = [0; 8];
    let file = File::open(path.join(format!("stored-{number}")));
    file.map_or(0, |file| file.read_at(&mut stored, 0).map_or(0, |_| u64::from_le_bytes(stored)))
}

/// Stores, replaces, removes and reads until it is killed. Each generation is noted after its stores have returned.
#[test]
#[ignore = "runs in a process of its own"]
fn works_until_it_is_killed() {
    let (path, number, seed) = told();
    let (bounded, unbounded) = (bounded(&path), unbounded(&path));
    let stored = path.join(format!("stored-{number}"));
    let stored = OpenOptions::new().create(true).truncate(false).write(true).open(stored).unwrap();
    let mut random = Random(seed);
    let put = |space: &Space, key: &[u8], generation: u64| {
        let value = value(key, generation);
        assert_eq!(space.store(Entry { key, value: &value, cost_ns: 1000 }).unwrap(), Stored::Stored);
    };
    // If the test is stopped from outside, nobody kills it.
    let parent = parent_id();
    for generation_now in (told_stored(&path, number) + 1..).take_while(|_| parent_id() == parent) {
        put(&bounded, &slot(number), generation_now);
        put(&unbounded, &slot(number), generation_now);
        put(&unbounded, &single(number, generation_now), generation_now);
        stored.write_all_at(&generation_now.to_le_bytes(), 0).unwrap();
        for _ in 0..4 {
            let key = format!("key {}", random.below(3000)).into_bytes();
            match random.below(10) {
                0..5 => put(&bounded, &key, random.below(1 << 40)),
                5 => drop(bounded.remove(&key).unwrap()),
                _ => drop(generation(&bounded, &key)),
            }
            generation(&bounded, &slot(random.below(WORKERS as u64) as usize));
        }
    }
}

/// Kills processes and begins new ones for some time, and checks what they have stored.
fn kill(path: &Path, time: Duration, seed: u64) {
    let mut random = Random(seed);
    let mut begin = |number: usize| {
        let mut command = worker("works_until_it_is_killed", path, number, random.below(u64::MAX));
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    let mut workers: Vec<Child> = (0..WORKERS).map(&mut begin).collect();
    let mut choice = Random(!seed);
    let end_one = |worker: &mut Child| {
        if let Some(status) = worker.try_wait().unwrap() {
            panic!("a process ended by itself: {status}");
        }
        worker.kill().unwrap();
        worker.wait().unwrap();
    };
    let check = |number: usize| {
        let (bounded, unbounded) = (bounded(path), unbounded(path));
        let stored = told_stored(path, number);
        if stored == 0 {
            return;
        }
        let found = generation(&unbounded, &slot(number)).expect("a replaced value was lost");
        assert!(found == stored || found == stored + 1, "generation {found} of {stored}");
        for old in stored.saturating_sub(20).max(1)..=stored {
            assert_eq!(generation(&unbounded, &single(number, old)), Some(old), "{number}: {old} of {stored}");
        }
        // The bound may have removed it; nothing older comes back.
        let found = generation(&bounded, &slot(number));
        assert!(found.is_none_or(|found| found >= stored), "generation {found:?} of {stored} came back");
    };
    let begun = Instant::now();
    let mut kills = 0;
    while begun.elapsed() < time {
        std::thread::sleep(Duration::from_millis(choice.below(40)));
        let number = choice.below(WORKERS as u64) as usize;
        end_one(&mut workers[number]);
        kills += 1;
        if kills % 4 == 0 {
            check(number);
        }
        let most = bytes(&path.join("bounded"));
        // Files are copied while they are sealed, and a listing may see both.
        assert!(most <= BOUND + 2 * WORKERS as u64 * AT_ONCE, "{most} bytes");
        workers[number] = begin(number);
    }
    workers.iter_mut().for_each(end_one);
    (0..WORKERS).for_each(check);
    for space in [bounded(path), unbounded(path)] {
        for hash in space.hashes().unwrap() {
            let (_, key) = space.find_hash(hash).unwrap();
            assert!(key.is_empty() || generation(&space, &key).is_some());
        }
    }
    // What the processes left was sealed.
    assert_eq!(files_ending(path, ".live"), Vec::<PathBuf>::new());
    let most = bytes(&path.join("bounded"));
    assert!(most <= BOUND + WORKERS as u64 * AT_ONCE, "{most} bytes");
    println!("{kills} processes killed");
}

#[test]
fn killed_processes_lose_nothing_and_leave_nothing_wrong() {
    let seconds = std::env::var("PHICACHE_DISK_SECONDS").map_or(3, |seconds| seconds.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    let scratch = Scratch::fast();
    let mut seed = std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap());
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        println!("seed {seed}");
        kill(scratch.path(), left.min(Duration::from_secs(20)), seed);
        seed += 1;
        unbounded(scratch.path()).clear().unwrap();
        (0..WORKERS).for_each(|number| drop(fs::remove_file(scratch.path().join(format!("stored-{number}")))));
        bounded(scratch.path()).clear().unwrap();
    }
}

/// Asks for 20 GiB, or for nothing.
#[test]
#[ignore = "runs in a process of its own"]
fn stores_within_a_bound() {
    let (path, number, _) = told();
    for round in 0..50u32 {
        let max_bytes = number.is_multiple_of(2).then_some(20 << 30);
        let options = Options { max_bytes, ..at_once() };
        store(
            &Space::open(&path, &FINGERPRINT, &format!("role {number}"), options).unwrap(),
            b"k",
            &round.to_le_bytes(),
        );
    }
}

#[test]
fn processes_keep_the_bound_that_one_of_them_asked_for() {
    let scratch = Scratch::fast();
    store(&open(scratch.path(), Options { max_bytes: Some(10 << 30), ..at_once() }), b"k", b"v");
    let huge = huge_segment(scratch.path(), 9 << 30);
    let workers = (0..4).map(|number| {
        worker("stores_within_a_bound", scratch.path(), number, 0).stdout(Stdio::null()).spawn().unwrap()
    });
    for mut worker in workers.collect::<Vec<Child>>() {
        assert!(worker.wait().unwrap().success());
    }
    assert!(huge.exists());
    // One file, and nothing left of the others.
    let names = fs::read_dir(scratch.path().join("1")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_str().unwrap().starts_with("bound")).count(), 1);
}

#[test]
fn a_child_makes_a_segment_of_its_own() {
    let scratch = Scratch::fast();
    let space = open(scratch.path(), at_once());
    store(&space, b"parent", b"1");
    store(&space, b"both", b"of the parent");
    let own = files_ending(scratch.path(), ".live");
    let before = fs::read(&own[0]).unwrap();
    // SAFETY: the child uses the library, which supports that, and leaves without running anything of this process.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let works = std::panic::catch_unwind(AssertUnwindSafe(|| {
            assert_eq!(get(&space, b"parent").as_deref(), Some(&b"1"[..]));
            store(&space, b"child", b"2");
            store(&space, b"both", b"of the child");
            store(&space, b"long", &[3; 50_000]);
            assert!(space.remove(b"parent").unwrap());
            space.close();
        }));
        // SAFETY: ends the child.
        unsafe { libc::_exit(if works.is_ok() { 0 } else { 1 }) }
    }
    let mut status = 0;
    // SAFETY: the child is ours, and the output is there.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
    assert_eq!(fs::read(&own[0]).unwrap(), before, "the child wrote into the parent's file");
    assert_eq!(files_ending(scratch.path(), ".seg").len(), 1);
    assert_eq!(get(&space, b"child").as_deref(), Some(&b"2"[..]));
    assert_eq!(get(&space, b"both").as_deref(), Some(&b"of the child"[..]));
    assert_eq!(get(&space, b"long"), Some(vec![3; 50_000]));
    assert_eq!(get(&space, b"parent"), None);
    store(&space, b"both", b"of the parent again");
    let other = open(scratch.path(), at_once());
    assert_eq!(get(&other, b"both").as_deref(), Some(&b"of the parent again"[..]));
    assert_eq!(space.health().failures() + space.health().damaged(), 0, "{}", space.health().last_failure());
}

/// Stores until that fails; then what was stored is there, and with room again, all is well.
fn fill_up(space: &Space, make_room: impl FnOnce()) {
    let mut stored = 0;
    let value = |key: u32| vec![key as u8; if key % 20 == 7 { 50_000 } else { 3_000 }];
    let mut refused = 0;
    for key in 0..2000 {
        match space.store(Entry { key: &number(key), value: &value(key), cost_ns: 0 }) {
            Ok(_) if refused == 0 => stored = key,
            Ok(_) => (),
            Err(_) => refused += 1,
        }
        if refused > 20 {
            break;
        }
    }
    assert!(refused > 20 && stored > 10, "{stored} stored, {refused} refused");
    assert!(space.health().failures() >= 20);
    assert!((0..=stored).all(|key| get(space, &number(key)) == Some(value(key))), "{}", space.health().last_failure());
    make_room();
    store(space, b"again", &[1; 50_000]);
    store(space, b"small", &[1; 500]);
    let other = open(space.directory(), at_once());
    assert_eq!(get(&other, b"again"), Some(vec![1; 50_000]));
    assert_eq!(get(&other, b"small"), Some(vec![1; 500]));
    assert!((0..=stored).all(|key| get(&other, &number(key)) == Some(value(key))), "{}", other.health().last_failure());
    assert_eq!(other.health().damaged(), 0);
}

#[test]
#[ignore = "runs in a process of its own"]
fn stores_beyond_the_longest_file() {
    let (path, ..) = told();
    let limit = |most: u64| {
        let limit = libc::rlimit { rlim_cur: most, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: the limit is there.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
    };
    limit(200_000);
    let space = open(&path, at_once());
    let value = |key: u32| vec![key as u8; if key % 20 == 7 { 50_000 } else { 3_000 }];
    (0..200).for_each(|key| store(&space, &number(key), &value(key)));
    assert_eq!(space.health().failures(), 0);
    let too_long = Entry { key: b"long", value: &[1; 300_000], cost_ns: 0 };
    assert!(space.store(too_long).is_err() && space.health().failures() == 1);
    store(&space, b"next", b"after it");
    limit(libc::RLIM_INFINITY);
    assert!(space.store(too_long).is_ok());
    let other = open(&path, at_once());
    assert!((0..200).all(|key| get(&other, &number(key)) == Some(value(key))), "{}", other.health().last_failure());
    assert_eq!(get(&other, b"next").as_deref(), Some(&b"after it"[..]));
    assert_eq!(get(&other, b"long"), Some(vec![1; 300_000]));
    assert_eq!(other.health().damaged(), 0);
}

#[test]
fn a_limit_of_the_length_of_files_refuses_only_values_that_are_longer() {
    let scratch = Scratch::fast();
    let output = worker("stores_beyond_the_longest_file", scratch.path(), 0, 0).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Opens files until the process has no descriptor left.
fn all_descriptors() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

#[test]
#[ignore = "runs in a process of its own"]
fn clears_without_descriptors() {
    let (path, ..) = told();
    let limit = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
    // SAFETY: the limit is there.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
    let space = open(&path, at_once());
    store(&space, b"k", b"v");
    // The file of a segment is closed for what needs a descriptor, such as removing a directory.
    space.close();
    assert_eq!(get(&space, b"k").as_deref(), Some(&b"v"[..]));
    let before = space.health().failures();
    let taken = all_descriptors();
    let cleared = space.clear();
    drop(taken);
    cleared.unwrap();
    assert_eq!(space.health().failures(), before, "{}", space.health().last_failure());
    assert!(files(&path).iter().all(|file| !file.to_str().unwrap().contains("removed-")));
}

#[test]
fn a_process_without_descriptors_can_clear_a_directory() {
    let scratch = Scratch::fast();
    let output = worker("clears_without_descriptors", scratch.path(), 0, 0).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
#[ignore = "runs in a process of its own"]
fn stores_on_a_full_file_system() {
    let (path, ..) = told();
    let filler = path.join("filler");
    fs::write(&filler, vec![1; 1 << 20]).unwrap();
    let space = open(&path.join("cache"), at_once());
    let claim = |key| space.claim(key, 1);
    assert_eq!(claim(b"begun"), Claimed::Granted);
    space.release(b"begun", 1, false);
    fill_up(&space, || {
        // Other processes do not wait for one that cannot store.
        assert_eq!(claim(b"later"), Claimed::Futile);
        fs::remove_file(filler).unwrap();
    });
}

#[test]
fn a_full_file_system_refuses_stores() {
    let scratch = Scratch::new();
    let command = worker("stores_on_a_full_file_system", scratch.path(), 0, 0);
    let mut own = Command::new("unshare");
    own.args(["--mount", "--map-root-user", "sh", "-c"]);
    own.arg("mount -t tmpfs -o size=2m tmpfs \"$PHICACHE_DISK_PATH\" || exit 77; \"$@\"").arg("sh");
    own.arg(command.get_program()).args(command.get_args());
    own.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    match own.output() {
        Ok(output) if output.status.success() => (),
        Ok(output) if output.status.code() == Some(101) => panic!("{output:?}"),
        _ => println!("SKIPPED: a full file system: no file system can be mounted here"),
    }
}

#[test]
fn a_directory_may_be_removed_while_it_is_used() {
    let scratch = Scratch::fast();
    let root = scratch.path().join("cache");
    let [one, other] = [0, 1].map(|_| open(&root, at_once()));
    for round in 0..5u32 {
        for key in 0..20 {
            store(&one, &number(key), &number(round));
            store(&other, &number(key + 100), &[round as u8; 40_000]);
        }
        assert_eq!(get(&other, b"missing"), None);
        assert_eq!(get(&other, &number(3)), Some(number(round).to_vec()));
        match round {
            0 => fs::remove_dir_all(&root).unwrap(),
            1 => fs::remove_dir_all(root.join("1")).unwrap(),
            2 => value_files(&root).iter().for_each(|file| fs::remove_file(file).unwrap()),
            3 => files(&root).iter().for_each(|file| fs::remove_file(file).unwrap()),
            _ => (),
        }
        // Found or not, right or a miss.
        for space in [&one, &other] {
            try_get(space, b"missing");
            assert!(try_get(space, &number(3)).is_none_or(|value| value == number(round)));
            assert!(try_get(space, &number(103)).is_none_or(|value| value == vec![round as u8; 40_000]));
        }
    }
    drop((one, other));
    let space = open(&root, at_once());
    assert_eq!(get(&space, &number(3)), Some(number(4).to_vec()));
}

#[test]
fn clocks_may_jump() {
    let now = SystemTime::now();
    let year = Duration::from_secs(365 * 24 * 3600);
    let times = [now + 30 * year, now - 30 * year, SystemTime::UNIX_EPOCH, now + Duration::from_secs(1)];
    for time in times {
        let scratch = Scratch::fast();
        let options = Options { max_bytes: Some(Options::LEAST_BYTES), ..at_once() };
        let [one, other] = [0, 1].map(|_| open(scratch.path(), options));
        for round in 0..150u32 {
            store(&one, &number(round), &[round as u8; 10_000]);
            assert_eq!(get(&other, &number(round)), Some(vec![round as u8; 10_000]), "{round}");
            let folder = files(scratch.path())[0].parent().unwrap().to_owned();
            for path in files(scratch.path()).iter().chain([&folder]) {
                File::open(path)
                    .unwrap()
                    .set_times(fs::FileTimes::new().set_modified(time).set_accessed(time))
                    .unwrap();
            }
        }
        assert!(bytes(scratch.path()) <= Options::LEAST_BYTES);
        assert_eq!(other.health().failures(), 0, "{}", other.health().last_failure());
        let role = Space::open(scratch.path(), &FINGERPRINT, "other", options).unwrap();
        store(&role, b"k", b"v");
    }
}
