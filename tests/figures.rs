//! The memory limit: with unreadable figures, under limits of the system, and with many threads that store at once.
//! Each test runs in a process of its own, because others would change the figures.
#![cfg(target_os = "linux")]

use std::ffi::CString;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::{fs, io};

use phicache::cache::{Cache, DictCache, Options, Refusal};
use phicache::config::Config;
use phicache::memory::limit::{self, Known, UNLIMITED, Usage};

/// The memory in use, after retired entries are freed.
fn usage() -> Usage {
    phicache::epoch::flush();
    limit::usage()
}

const MIB: u64 = 1 << 20;

/// Runs one of the ignored tests below in a process that `prepare` sets up. Prints SKIPPED and the reason if `prepare`
/// fails.
fn alone(name: &str, prepare: impl Fn() -> io::Result<()> + Send + Sync + 'static) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", &format!("alone::{name}"), "--nocapture", "--test-threads=1"]);
    // SAFETY: `prepare` makes system calls only.
    unsafe { command.pre_exec(prepare) };
    match command.output() {
        Err(error) => skipped(name, &error),
        Ok(output) => {
            let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
            assert!(output.status.success() && told.contains("1 passed"), "{}\n{told}", output.status);
        }
    }
}

/// Printed without the test harness, which would hide it.
fn skipped(name: &str, error: &io::Error) {
    let _ = writeln!(io::stderr(), "SKIPPED: tests/figures.rs, {name}: the system does not allow it: {error}");
}

fn ready() -> io::Result<()> {
    Ok(())
}

fn made(answer: i32) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Puts an empty folder where /proc is, for this process alone.
fn without_proc() -> io::Result<()> {
    let (none, proc, private) = (c"none".as_ptr(), c"/proc".as_ptr(), libc::MS_REC | libc::MS_PRIVATE);
    // SAFETY: system calls with constant strings.
    unsafe {
        let own = libc::CLONE_NEWNS | if libc::geteuid() == 0 { 0 } else { libc::CLONE_NEWUSER };
        made(libc::unshare(own))?;
        made(libc::mount(none, c"/".as_ptr(), none, private, std::ptr::null()))?;
        made(libc::mount(none, proc, c"tmpfs".as_ptr(), 0, std::ptr::null()))
    }
}

/// Sets the soft limit of a resource and returns the previous one.
fn limit(resource: u32, bytes: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: reads and writes `limit` only.
    unsafe {
        made(libc::getrlimit(resource, &mut limit)).unwrap();
        let before = std::mem::replace(&mut limit.rlim_cur, bytes.min(limit.rlim_max));
        made(libc::setrlimit(resource, &limit)).unwrap();
        before
    }
}

/// The address space, the resident size, and the data of this process.
fn sizes() -> [u64; 3] {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: Vec<u64> = text.split_whitespace().map(|field| field.parse().unwrap()).collect();
    [pages[0], pages[1], pages[5]].map(|pages| pages * 4096)
}

/// A cache whose configuration allows the process this many bytes.
fn cache_up_to(bytes: u64) -> Cache {
    cache_of(bytes as f64 * 100.0 / usage().limit as f64)
}

fn cache_of(percent: f64) -> Cache {
    let config = Config::new().unwrap();
    config.set_maximum_memory(percent).unwrap();
    DictCache::dict(config, Options::default()).unwrap().into()
}

/// Stores megabytes until one is refused, and returns how many were stored.
fn fill(cache: &Cache) -> u64 {
    let value = vec![1; MIB as usize - 128];
    let refused = |key: &u64| match cache.set(&key.to_le_bytes(), &value) {
        Ok(stored) => stored == Err(Refusal::Memory),
        Err(error) => panic!("{error} after {key} MiB"),
    };
    (0..4096).find(refused).expect("the limit is not seen")
}

fn physical() -> u64 {
    // SAFETY: zero is a value of these numbers; the call writes to them only.
    unsafe {
        let mut info: libc::sysinfo = std::mem::zeroed();
        made(libc::sysinfo(&mut info)).unwrap();
        info.totalram * u64::from(info.mem_unit)
    }
}

#[test]
fn without_proc_caches_are_limited_by_their_own_bytes() {
    alone("no_proc", without_proc);
}

#[test]
fn figures_that_were_unreadable_at_first_are_read_later() {
    alone("no_descriptor_at_first", ready);
}

#[test]
fn while_figures_are_unreadable_the_last_known_ones_count() {
    alone("no_descriptor_later", ready);
}

#[test]
fn caches_stop_at_nine_tenths_of_the_address_space() {
    alone("address_space", ready);
}

#[test]
fn caches_stop_at_nine_tenths_of_the_data() {
    alone("data", ready);
}

#[test]
fn large_values_of_many_threads_do_not_exceed_the_limit_together() {
    alone("threads", ready);
}

/// A control group of its own with 256 MiB, below one in which such groups can be made.
struct Group(PathBuf);

impl Group {
    fn new() -> io::Result<Group> {
        let (parent, limit) = match Path::new("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists() {
            true => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            false => ("/sys/fs/cgroup", "memory.max"),
        };
        let folder = Path::new(parent).join(format!("phicache-test-{}", std::process::id()));
        fs::create_dir(&folder)?;
        let group = Group(folder);
        fs::write(group.0.join(limit), (256 * MIB).to_string())?;
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn caches_stop_at_nine_tenths_of_a_control_group_and_its_page_cache_does_not_count() {
    match Group::new() {
        Err(error) => skipped("control_group", &error),
        Ok(group) => {
            let members = CString::new(group.0.join("cgroup.procs").into_os_string().into_encoded_bytes()).unwrap();
            alone("control_group", move || {
                // SAFETY: system calls with constant strings. 0 is the process that writes.
                unsafe {
                    let file = libc::open(members.as_ptr(), libc::O_WRONLY);
                    made(libc::write(file, c"0".as_ptr().cast(), 1) as i32 - 1)?;
                    made(libc::close(file))
                }
            });
        }
    }
}

#[test]
fn memory_that_the_program_freed_is_noticed_before_a_store_is_refused() {
    alone("freed", ready);
}

#[test]
fn a_claim_is_held_until_it_is_dropped() {
    alone("claims", ready);
}

#[test]
fn a_computed_value_that_is_cut_off_is_handed_out_where_no_memory_is_left() {
    alone("no_memory_left", ready);
}

#[test]
fn figures_are_known_after_the_end_of_the_main_thread() {
    alone("no_main_thread", ready);
}

/// Run by the tests above: each needs a new process.
mod alone {
    use super::*;

    #[test]
    #[ignore = "runs in a process of its own"]
    fn no_proc() {
        assert!(fs::metadata("/proc/self").is_err());
        let now = usage();
        assert_eq!((now.physical, now.known.0 & Known::SIZES.0), (physical(), 0));
        assert_ne!(now.known.0 & Known::PHYSICAL.0, 0);
        assert_eq!(now.known.0 & Known::GROUP_LIMITS.0, 0);
        let cache = cache_up_to(64 * MIB);
        let stored = fill(&cache);
        assert!((60..=64).contains(&stored), "{stored} MiB stored");
        assert!(usage().resident >= usage().held && usage().held >= stored * MIB);
        cache.clear().unwrap();
        assert!(fill(&cache) >= 60);
    }

    #[test]
    #[ignore = "runs in a process of its own"]
    fn no_descriptor_at_first() {
        let grown = vec![1u8; 256 << 20];
        let before = limit(libc::RLIMIT_NOFILE, 3);
        let cache = cache_up_to(128 * MIB);
        let now = usage();
        assert_eq!((now.physical, now.known.0 & (Known::SIZES.0 | Known::GROUP_LIMITS.0)), (physical(), 0));
        for key in 0..10_000u32 {
            assert_eq!(cache.set(&key.to_le_bytes(), b"value"), Ok(Ok(())));
        }
        limit(libc::RLIMIT_NOFILE, before);
        // Only stores read the figures here: the process's memory is above the limit.
        let refused = (0..100_000u32).any(|key| cache.set(&key.to_le_bytes(), b"value").unwrap().is_err());
        assert!(refused && usage().known.0 & Known::SIZES.0 != 0, "{}", grown[4096]);
    }

    #[test]
    #[ignore = "runs in a process of its own"]
    fn no_descriptor_later() {
        let grown = vec![1u8; 256 << 20];
        let cache = cache_up_to(128 * MIB);
        assert_eq!(cache.set(b"key", b"value"), Ok(Err(Refusal::Memory)));
        let (good, before) = (usage(), limit(libc::RLIMIT_NOFILE, 3));
        for key in 0..100_000u32 {
            assert_eq!(cache.set(&key.to_le_bytes(), b"value"), Ok(Err(Refusal::Memory)), "{key}");
        }
        let now = usage();
        assert!(now.resident >= good.resident && now.limit == good.limit && now.known.0 & Known::SIZES.0 == 0);
        assert!(limit::is_full(128.0 * MIB as f64 * 100.0 / now.limit as f64));
        limit(libc::RLIMIT_NOFILE, before);
        assert_eq!(cache.set(b"key", b"value"), Ok(Err(Refusal::Memory)));
        drop(grown);
        let stored = (0..100_000u32).any(|key| cache.set(&key.to_le_bytes(), b"value").unwrap().is_ok());
        assert!(stored, "the memory has room again");
    }

    fn wall(resource: u32, which: usize) {
        let most = sizes()[which] + 512 * MIB;
        limit(resource, most);
        for percent in [100.0, UNLIMITED] {
            let cache = cache_of(percent);
            let room = usage().room;
            assert!(room <= most / 10 * 9 - sizes()[which] && !limit::is_full(percent));
            let stored = fill(&cache);
            let used = sizes()[which];
            assert!(
                used <= most / 10 * 9 + 5 * MIB && used >= most / 100 * 85,
                "{stored} MiB stored, {used} of {most}"
            );
            // The rest is left to the program.
            drop(Vec::<u8>::with_capacity((most / 100 * 8) as usize));
            let value = cache.memoize(b"computed", |draft| draft.write(b"value")).unwrap();
            assert_eq!(value.entry.value(), b"value");
            assert!(usage().room < 4 * MIB, "{}", usage().room);
            cache.clear().unwrap();
            assert!(usage().room >= 100 * MIB);
        }
    }

    #[test]
    #[ignore = "runs in a process of its own"]
    fn address_space() {
        wall(libc::RLIMIT_AS, 0);
    }

    #[test]
    #[ignore = "runs in a process of its own"]
    fn data() {
        wall(libc::RLIMIT_DATA, 2);
    }

    #[test]
    #[ignore = "runs in a process of its own"]
    fn control_group() {
        let all = Known::GROUP_LIMITS.0 | Known::GROUP_USAGE.0;
        assert_eq!((usage().limit, usage().known.0 & all), (256 * MIB, all));
        // A file of 180 MiB in the page cache leaves caches their room.
        let path = std::env::temp_dir().join(format!("phicache-test-{}", std::process::id()));
        let mut file = fs::File::create(&path).unwrap();
        let megabyte = vec![7; MIB as usize];
        (0..180).try_for_each(|_| file.write_all(&megabyte)).and_then(|()| file.sync_all()).unwrap();
        for percent in [100.0, UNLIMITED] {
            let cache = cache_of(percent);
            let stored = fill(&cache);
            // The limit is 230 MiB; the kernel's figures lag a little.
            assert!((150..=240).contains(&stored), "{stored} MiB stored");
        }
        fs::remove_file(&path).unwrap();
    }

    #[test]
    #[ignore = "runs in a process of its own"]
    fn threads() {
        const THREADS: u64 = 8;
        let value = Arc::new(vec![1u8; 32 << 20]);
        let most = usage().resident + 110 * MIB;
        let cache = cache_up_to(most);
        let (start, before) = (Arc::new(Barrier::new(THREADS as usize)), usage());
        let threads: Vec<_> = (0..THREADS)
            .map(|key| {
                let (cache, value, start) = (cache.clone(), value.clone(), start.clone());
                std::thread::spawn(move || {
                    start.wait();
                    cache.set(&key.to_le_bytes(), &value).unwrap().is_ok()
                })
            })
            .collect();
        let stored = threads.into_iter().map(|thread| thread.join().unwrap()).filter(|ok| *ok).count();
        let held = usage().held - before.held;
        assert!((1..=3).contains(&stored), "{stored} of {THREADS} stored; {before:?} at first, now {:?}", usage());
        assert!(held <= (most - before.resident) + most / 100, "{held} held of {most}");
    }

    #[test]
    #[ignore = "runs in a process of its own"]
    fn freed() {
        let of_the_program = vec![1u8; 8 << 20];
        // A first use touches the library's own pages.
        let first = cache_of(100.0);
        assert!((0..20u32).all(|key| first.set(&key.to_le_bytes(), &[1; 50_000]).unwrap().is_ok()));
        let cache = cache_up_to(usage().resident + 600 * 1024);
        drop(of_the_program);
        // The last sample is older than that and has room for a dozen values; the next one is due after a megabyte.
        let stored = (0..100u32).filter(|key| cache.set(&key.to_le_bytes(), &[1; 50_000]).unwrap().is_ok()).count();
        assert_eq!(stored, 100);
    }

    #[test]
    #[ignore = "runs in a process of its own"]
    fn claims() {
        let half = usage().limit / 2;
        let held = usage().held;
        let claim = limit::claim(half, 90.0).unwrap();
        assert!(limit::claim(half, 90.0).is_none() && limit::claim(1, UNLIMITED).is_some());
        // The claimed bytes are not allocated yet, and a sample does not count them as used.
        assert_eq!(usage().held, held);
        assert!(limit::claim(half, 90.0).is_none());
        drop(claim);
        assert!(limit::claim(half, 90.0).is_some() && usage().held == held);

        // A store in progress that occupies what it claimed leaves the others their room, in any sample.
        let cache = cache_up_to(usage().resident + 110 * MIB);
        let percent = (usage().resident + 110 * MIB) as f64 * 100.0 / usage().limit as f64;
        let claim = limit::claim(64 * MIB, percent).unwrap();
        let occupied = vec![1u8; 64 << 20];
        usage();
        assert_eq!(cache.set(b"key", &[1; 20 << 20]), Ok(Ok(())));
        drop((claim, occupied));
    }

    #[test]
    #[ignore = "runs in a process of its own"]
    fn no_memory_left() {
        for percent in [100.0, 0.0] {
            let cache = cache_of(percent);
            for len in [1, 64 << 20] {
                let before = std::cell::Cell::new(0);
                let computed = cache.memoize(&[len as u8], |draft| {
                    draft.reserve(64 << 20)?.fill(7);
                    before.set(limit(libc::RLIMIT_AS, 0));
                    draft.truncate(len / 4)
                });
                limit(libc::RLIMIT_AS, before.get());
                let value = computed.unwrap();
                let value = value.entry.value();
                assert!(value.len() == len / 4 && value.iter().all(|byte| *byte == 7), "{}", value.len());
            }
            drop(cache);
            assert_eq!(usage().held, 0);
        }
    }

    #[test]
    #[ignore = "runs in a process of its own"]
    fn no_main_thread() {
        let before = limit::limits(100.0).unwrap();
        // Of a control group that this process cannot see, its thread cannot know more.
        let all = usage().known.0 & (Known::SIZES.0 | Known::GROUP_LIMITS.0);
        // SAFETY: the child has one thread, which makes another and ends without unwinding.
        let ended = unsafe {
            match libc::fork() {
                0 => {
                    let main = std::fs::canonicalize("/proc/self").unwrap();
                    std::thread::spawn(move || {
                        while !fs::read_to_string(main.join("stat")).unwrap().contains(") Z ") {
                            std::thread::yield_now();
                        }
                        let grown = vec![1u8; 64 << 20];
                        let known = usage().known.0;
                        let names = |limits: Vec<limit::Limit>| limits.into_iter().map(|limit| limit.name).collect();
                        let [before, now]: [Vec<_>; 2] = [before, limit::limits(100.0).unwrap()].map(names);
                        let same = known & all == all && usage().resident > grown.len() as u64 && before == now;
                        libc::_exit(i32::from(!same));
                    });
                    libc::syscall(libc::SYS_exit, 0);
                    unreachable!()
                }
                child => {
                    let mut status = 0;
                    assert_eq!(libc::waitpid(child, &mut status, 0), child);
                    status
                }
            }
        };
        assert_eq!(ended, 0);
    }
}
