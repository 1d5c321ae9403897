//! How full is the memory that this process may use?
//!
//! Reading the resident size costs microseconds, a store nanoseconds; so the gauge samples, and between two samples it
//! adds what the caches themselves have taken since. A sample is taken when that is a quarter per cent of the memory,
//! every 4,096 admissions or 1,024 refusals of a thread, and when the last is older than a second, which is looked at in
//! every 32nd of a thread's questions.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::account::{held, held_about};
use super::apart::Apart;
use super::thread::Record;

/// A maximum that admits everything.
pub const UNLIMITED: f64 = -1.0;

const ADMISSIONS_PER_SAMPLE: u32 = 4096;
const REFUSALS_PER_SAMPLE: u32 = 1024;
const QUESTIONS_PER_LOOK: u32 = 32;

/// The memory of the process as it was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Bytes of physical memory that the process occupies.
    pub resident: u64,
    /// Bytes it may occupy: the least of the physical memory and the limits of its control groups.
    pub limit: u64,
    /// Bytes of physical memory of the machine.
    pub physical: u64,
    /// Bytes held by all caches of the process.
    pub held: u64,
}

impl Usage {
    /// The resident size as a percentage of what the process may use.
    pub fn percent(&self) -> f64 {
        self.resident as f64 / self.limit as f64 * 100.0
    }
}

/// Measures now, what can be freed being freed before.
pub fn usage() -> Usage {
    super::reclaim::flush();
    let physical = physical();
    let limit = physical.min(group_limit().unwrap_or(u64::MAX)).max(1);
    GAUGE.limit.store(limit.min(i64::MAX as u64), Relaxed);
    Usage { resident: GAUGE.sample(), limit, physical, held: held() }
}

/// Measures for the first time, so that no store has to.
pub fn prepare() {
    if GAUGE.limit.load(Relaxed) == 0 {
        usage();
    }
}

/// Whether the process occupies more than `maximum` per cent of what it may use, measured now.
pub fn is_full(maximum: f64) -> bool {
    maximum >= 0.0 && (maximum == 0.0 || usage().percent() > maximum)
}

/// Whether a cache that may fill the memory up to `maximum` per cent may take `bytes` more.
#[inline]
pub fn admits(bytes: u64, maximum: f64) -> bool {
    if maximum <= 0.0 {
        return maximum < 0.0;
    }
    GAUGE.admits(bytes, maximum)
}

/// Whether [`admits`] says no, which then need not be asked; false also where that is not to be told without a look.
#[inline(always)]
pub fn refuses_quickly(bytes: u64, maximum: f64) -> bool {
    if maximum <= 0.0 {
        return maximum == 0.0;
    }
    GAUGE.refuses_quickly(bytes, maximum)
}

/// The last sample. Its numbers are approximate under threads, so they are written without locks.
struct Gauge {
    /// 0 before the first.
    limit: AtomicU64,
    /// What the caches may take or give back before there is another.
    step: AtomicU64,
    resident: AtomicU64,
    /// About what all caches held then.
    held: AtomicI64,
    /// When it was taken.
    second: AtomicU64,
}

/// What one thread has asked since it last took a sample.
pub(super) struct Questions {
    admissions: AtomicU32,
    refusals: AtomicU32,
}

impl Questions {
    pub(super) const fn new() -> Self {
        Questions { admissions: AtomicU32::new(0), refusals: AtomicU32::new(0) }
    }
}

static GAUGE: Apart<Gauge> = Apart(Gauge {
    limit: AtomicU64::new(0),
    step: AtomicU64::new(0),
    resident: AtomicU64::new(0),
    held: AtomicI64::new(0),
    second: AtomicU64::new(0),
});

impl Gauge {
    #[inline]
    fn admits(&self, bytes: u64, maximum: f64) -> bool {
        let Some(record) = Record::of_this_thread() else { return self.fits_now(bytes, maximum) };
        let (asked, grown) = (&record.questions, self.grown());
        let admissions = count(&asked.admissions);
        if admissions.is_multiple_of(QUESTIONS_PER_LOOK) || grown.unsigned_abs() > self.step.load(Relaxed) {
            self.look(admissions, grown);
        }
        self.fits(bytes, maximum)
            || ((self.limit.load(Relaxed) == 0 || count(&asked.refusals) >= REFUSALS_PER_SAMPLE)
                && self.fits_now(bytes, maximum))
    }

    #[inline(always)]
    fn refuses_quickly(&self, bytes: u64, maximum: f64) -> bool {
        if self.fits(bytes, maximum) || self.limit.load(Relaxed) == 0 {
            return false;
        }
        let Some(record) = Record::of_this_thread() else { return false };
        let asked = &record.questions;
        let (admissions, refusals) = (asked.admissions.load(Relaxed) + 1, asked.refusals.load(Relaxed) + 1);
        if admissions.is_multiple_of(QUESTIONS_PER_LOOK)
            || refusals >= REFUSALS_PER_SAMPLE
            || self.grown().unsigned_abs() > self.step.load(Relaxed)
        {
            return false;
        }
        asked.admissions.store(admissions, Relaxed);
        asked.refusals.store(refusals, Relaxed);
        true
    }

    /// Samples again if it is time to.
    #[inline(never)]
    fn look(&self, admissions: u32, grown: i64) {
        let stale = seconds() != self.second.load(Relaxed);
        let often = admissions >= ADMISSIONS_PER_SAMPLE;
        if stale || often || grown.unsigned_abs() > self.step.load(Relaxed) {
            self.sample();
        }
    }

    /// Whether so many bytes fit below the maximum, as far as the last sample knows; not before the first.
    #[inline(always)]
    fn fits(&self, bytes: u64, maximum: f64) -> bool {
        // A difference in bytes of this size is exact as a double.
        let resident = self.resident.load(Relaxed) as i64 + self.grown();
        (resident as f64 + bytes.min(i64::MAX as u64) as i64 as f64) * 100.0
            <= self.limit.load(Relaxed) as i64 as f64 * maximum
    }

    #[cold]
    fn fits_now(&self, bytes: u64, maximum: f64) -> bool {
        if self.limit.load(Relaxed) == 0 {
            usage();
        } else {
            self.sample();
        }
        self.fits(bytes, maximum)
    }

    /// What the caches have taken since the last sample.
    #[inline(always)]
    fn grown(&self) -> i64 {
        held_about() - self.held.load(Relaxed)
    }

    fn sample(&self) -> u64 {
        let resident = resident();
        self.resident.store(resident, Relaxed);
        self.held.store(held_about(), Relaxed);
        self.step.store(self.limit.load(Relaxed) / 400, Relaxed);
        self.second.store(seconds(), Relaxed);
        if let Some(record) = Record::of_this_thread() {
            record.questions.admissions.store(0, Relaxed);
            record.questions.refusals.store(0, Relaxed);
        }
        resident
    }
}

/// Adds one without a locked instruction: a lost count only delays a sample.
fn count(counter: &AtomicU32) -> u32 {
    let next = counter.load(Relaxed) + 1;
    counter.store(next, Relaxed);
    next
}

/// The seconds of a clock that is cheap to read.
#[cfg(target_os = "linux")]
fn seconds() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on Linux, and writes to `now`.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut now) };
    now.tv_sec as u64
}

#[cfg(not(target_os = "linux"))]
fn seconds() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs())
}

fn physical() -> u64 {
    static PHYSICAL: AtomicU64 = AtomicU64::new(0);
    let known = PHYSICAL.load(Relaxed);
    if known != 0 {
        return known;
    }
    let found = sysinfo::System::new().map_or(u64::MAX, |mut system| {
        system.refresh_memory();
        system.total_memory()
    });
    PHYSICAL.store(found, Relaxed);
    found
}

/// The resident size of this process in bytes. The file is opened each time: an open one would tell a forked child its
/// parent's size.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let mut text = [0u8; 128];
    let read = File::open("/proc/self/statm").and_then(|mut file| file.read(&mut text)).unwrap_or(0);
    let pages = std::str::from_utf8(&text[..read]).ok().and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    // SAFETY: sysconf only reads.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages.unwrap_or(0) * u64::try_from(page).unwrap_or(4096)
}

#[cfg(not(target_os = "linux"))]
fn resident() -> u64 {
    let Ok(pid) = sysinfo::get_current_pid() else { return 0 };
    let Ok(mut system) = sysinfo::System::new() else { return 0 };
    system.refresh_processes(sysinfo::ProcessesToUpdate::Some(&[pid]), true);
    system.process(pid).map_or(0, |process| process.memory())
}

/// The least limit of the control groups that this process is in, their ancestors included.
fn group_limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    least_limit(&groups, &mounts, |path| std::fs::read_to_string(path).ok())
}

/// The least memory limit that `read` finds on the way from the process's own groups up to where they are mounted.
fn least_limit(groups: &str, mounts: &str, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let mut least = None;
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        let (kind, file) = match controllers {
            "" => ("cgroup2", "memory.max"),
            names if names.split(',').any(|name| name == "memory") => ("cgroup", "memory.limit_in_bytes"),
            _ => continue,
        };
        for (root, mounted) in mounts.lines().filter_map(|line| group_mount(line, kind)) {
            let below = Path::new(group).strip_prefix(root).unwrap_or(Path::new(""));
            let own = mounted.join(below);
            for folder in own.ancestors().take_while(|folder| folder.starts_with(&mounted)) {
                let limit = read(&folder.join(file)).and_then(|text| text.trim().parse::<u64>().ok());
                least = [least, limit].into_iter().flatten().min();
            }
        }
    }
    least
}

/// The root and the place of a mount of control groups, if this line of mountinfo is one of that kind.
fn group_mount<'l>(line: &'l str, kind: &str) -> Option<(&'l str, PathBuf)> {
    let (before, after) = line.split_once(" - ")?;
    let mut tail = after.split(' ');
    let (filesystem, options) = (tail.next()?, tail.nth(1)?);
    if filesystem != kind || (kind == "cgroup" && !options.split(',').any(|option| option == "memory")) {
        return None;
    }
    let mut head = before.split(' ').skip(3);
    Some((head.next()?, PathBuf::from(head.next()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maximum_of_zero_admits_nothing_and_unlimited_everything() {
        assert!(!admits(1, 0.0) && is_full(0.0));
        assert!(admits(u64::MAX, UNLIMITED) && !is_full(UNLIMITED));
        assert!(admits(1, 100.0) && !is_full(100.0));
        assert!(!admits(1, 1e-6) && is_full(1e-6));
        assert!(!admits(u64::MAX / 2, 100.0));
    }

    #[test]
    fn the_least_limit_of_all_ancestors_counts() {
        let read = |files: &'static [(&'static str, &'static str)]| {
            move |path: &Path| {
                let found = files.iter().find(|(name, _)| Path::new(name) == path);
                found.map(|(_, text)| text.to_string())
            }
        };
        let unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
        let files: &[_] = &[
            ("/sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("/sys/fs/cgroup/a/memory.max", "2147483648\n"),
            ("/sys/fs/cgroup/memory.max", "4294967296\n"),
        ];
        assert_eq!(least_limit("0::/a/b\n", unified, read(files)), Some(2 << 30));
        assert_eq!(least_limit("0::/elsewhere\n", unified, read(files)), Some(4 << 30));
        assert_eq!(least_limit("0::/a/b\n", unified, |_| None), None);

        let legacy = "33 25 0:29 /docker/1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
                      34 25 0:30 /docker/1 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";
        let files: &[_] = &[
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n"),
            ("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n"),
        ];
        assert_eq!(least_limit("5:memory:/docker/1/job\n4:cpu:/docker/1\n", legacy, read(files)), Some(1 << 30));
    }
}
