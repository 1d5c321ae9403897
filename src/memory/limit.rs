//! The memory limit: whether the process has room for a store.
//!
//! Two things limit the bytes that caches may hold: the configured maximum, a percentage of the memory that the process
//! may use; and *walls*, nine tenths of a hard limit beyond which the system refuses memory or kills the process.
//! Reading a figure of the system costs microseconds, a store nanoseconds. So figures are sampled. A sample has, for
//! each limit, the bytes used *outside* caches; a check adds the bytes that caches hold now. A new sample is taken
//!
//! * when the bytes that caches hold have changed by a quarter per cent of the memory, or a 64th of the process's
//!   memory,
//! * every 4,096 admissions or 1,024 refusals of a thread,
//! * when the last one is older than a second, which every 32nd request of a thread checks.
//!
//! The limits themselves are read once a second. If a figure is unreadable, the last known one counts, but no less than
//! the bytes that caches hold.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::ceiling::{MOST, wall};
use super::held::Occupied;
use super::{held, os, scratch};
use crate::epoch::retire::may_free;
use crate::epoch::{Participant, current, flush};
use crate::error::{Error, Result, try_owned};
use crate::sync::CachePadded;

pub use super::held::MemoryClaim;
pub use super::usage::{Known, Limit, Usage};

/// A maximum that limits nothing; the walls remain.
pub const UNLIMITED: f64 = -1.0;

const ADMISSIONS_PER_SAMPLE: u32 = 4096;
const REFUSALS_PER_SAMPLE: u32 = 1024;
const REQUESTS_PER_CHECK: u32 = 32;

/// Stores of this size or more claim their bytes first, so that two threads cannot both use the remaining room.
const CLAIMED: u64 = 16 << 10;

/// Measures now. Retired entries count until they are freed; call `epoch::flush` first to free them.
pub fn usage() -> Usage {
    let known = LIMIT.measure(true);
    let (held, limit) = (held::exactly(), LIMIT.limit.load(Relaxed));
    Usage {
        resident: LIMIT.resident().max(held),
        limit: if limit == u64::MAX { 0 } else { limit },
        physical: LIMIT.physical.load(Relaxed),
        held,
        room: LIMIT.room(),
        known,
    }
}

/// Takes the first sample, so that no store has to.
pub fn prepare() {
    if LIMIT.limit.load(Relaxed) == 0 {
        LIMIT.measure(true);
    }
}

/// Whether the process occupies more than `maximum` per cent of the memory that it may use, or has reached a wall.
/// Measures now.
pub fn is_full(maximum: f64) -> bool {
    if maximum == 0.0 {
        return true;
    }
    let usage = usage();
    usage.room == 0 || (maximum > 0.0 && usage.percent() > maximum)
}

/// The stricter of two maxima.
pub fn stricter(one: f64, other: f64) -> f64 {
    match (one < 0.0, other < 0.0) {
        (true, _) => other,
        (_, true) => one,
        _ => one.min(other),
    }
}

/// Whether a cache that may fill the memory up to `maximum` per cent may store `bytes` more.
#[inline(always)]
pub fn has_room(bytes: u64, maximum: f64) -> bool {
    has_room_for(current(), bytes, maximum)
}

/// As [`has_room`], for the calling thread, whose participant this is, if it has one.
#[inline(always)]
pub fn has_room_for(thread: Option<&Participant>, bytes: u64, maximum: f64) -> bool {
    maximum != 0.0 && LIMIT.has_room(thread, bytes, maximum)
}

/// As [`has_room`], and reserves the bytes for the caller's store until the claim is dropped.
pub fn claim(bytes: u64, maximum: f64) -> Option<MemoryClaim> {
    match bytes < CLAIMED {
        true => has_room(bytes, maximum).then_some(MemoryClaim::NOTHING),
        // The claim checks again: other threads may have stored since the first check.
        false if has_room(bytes, maximum) => MemoryClaim::take(bytes, |held| LIMIT.fits(held, bytes, maximum)),
        false => None,
    }
}

/// Whether [`has_room`] would certainly return false, for the calling thread. False if only a new sample could tell.
#[inline(always)]
pub fn surely_full(thread: &Participant, bytes: u64, maximum: f64) -> bool {
    maximum == 0.0 || LIMIT.surely_full(thread, bytes, maximum)
}

/// The least number of freed bytes for which the allocator is asked to return memory, which takes it milliseconds.
const LEAST_GIVEN: i64 = 4 << 20;

/// The last sample. Each number is valid by itself, also beside numbers of another sample, so no lock guards them.
struct MemoryLimit {
    /// The bytes that the process may occupy; 0 before the first sample, `u64::MAX` if never known.
    limit: AtomicU64,
    /// One per cent of `limit`, as the bits of a double.
    per_cent: AtomicU64,
    physical: AtomicU64,
    /// The resident bytes that caches do not hold.
    outside: AtomicI64,
    /// The same for the address space and the data segment.
    address_space: AtomicI64,
    data: AtomicI64,
    /// The bytes that caches may hold until a control group reaches its wall.
    group_ceiling: AtomicI64,
    /// The bytes that caches may hold until any wall is reached.
    ceiling: AtomicI64,
    /// A new sample is due when caches hold less than `low` bytes, or more than `low + width`.
    low: AtomicI64,
    width: AtomicU64,
    /// The second in which the limits were last read.
    second: AtomicU64,
    /// The most bytes that caches were seen to hold since the allocator returned memory.
    most_held: AtomicI64,
}

static LIMIT: CachePadded<MemoryLimit> = CachePadded(MemoryLimit {
    limit: AtomicU64::new(0),
    per_cent: AtomicU64::new(0),
    physical: AtomicU64::new(0),
    outside: AtomicI64::new(0),
    address_space: AtomicI64::new(0),
    data: AtomicI64::new(0),
    group_ceiling: AtomicI64::new(MOST),
    ceiling: AtomicI64::new(i64::MIN),
    low: AtomicI64::new(0),
    width: AtomicU64::new(0),
    second: AtomicU64::new(0),
    most_held: AtomicI64::new(0),
});

impl MemoryLimit {
    #[inline(always)]
    fn has_room(&self, thread: Option<&Participant>, bytes: u64, maximum: f64) -> bool {
        let Some(participant) = thread else { return self.fits_now(bytes, maximum) };
        let counts = &participant.scratch.counts;
        let admissions = count(&counts[scratch::ADMISSIONS]);
        if admissions.is_multiple_of(REQUESTS_PER_CHECK) || self.has_moved() {
            self.resample_if_stale(admissions);
        }
        self.fits(held::at_most(), bytes, maximum)
            || ((may_free()
                || count(&counts[scratch::REFUSALS]) >= REFUSALS_PER_SAMPLE
                || self.has_stirred()
                || self.limit.load(Relaxed) == 0)
                && self.fits_now(bytes, maximum))
    }

    #[inline(always)]
    fn surely_full(&self, thread: &Participant, bytes: u64, maximum: f64) -> bool {
        if self.fits(held::at_most(), bytes, maximum) || self.limit.load(Relaxed) == 0 {
            return false;
        }
        let counts = &thread.scratch.counts;
        let next = |count: usize| counts[count].load(Relaxed) + 1;
        let (admissions, refusals) = (next(scratch::ADMISSIONS), next(scratch::REFUSALS));
        let is_due = admissions.is_multiple_of(REQUESTS_PER_CHECK) || refusals >= REFUSALS_PER_SAMPLE;
        if is_due || self.has_stirred() || may_free() {
            return false;
        }
        counts[scratch::ADMISSIONS].store(admissions, Relaxed);
        counts[scratch::REFUSALS].store(refusals, Relaxed);
        true
    }

    /// Takes a new sample if one is due.
    #[inline(never)]
    fn resample_if_stale(&self, admissions: u32) {
        if admissions >= ADMISSIONS_PER_SAMPLE || self.has_moved() || self.is_stale(milliseconds()) {
            self.measure(false);
        }
    }

    /// Whether the bytes that caches hold have changed enough since the last sample for a new one.
    #[inline(always)]
    fn has_moved(&self) -> bool {
        held::at_most().wrapping_sub(self.low.load(Relaxed)) as u64 > self.width.load(Relaxed)
    }

    /// Whether the bytes that caches hold have changed by a 16th of that range. Then a refusal needs a new sample: the
    /// change may have reused memory that the process had already.
    #[inline(always)]
    fn has_stirred(&self) -> bool {
        let width = self.width.load(Relaxed);
        let moved = held::at_most().wrapping_sub(self.low.load(Relaxed)) as u64;
        moved.wrapping_sub(width / 16 * 7) > width / 8
    }

    fn is_stale(&self, now: u64) -> bool {
        now / 1000 != self.second.load(Relaxed)
    }

    /// Whether `bytes` fit while caches hold `held`, by the last sample; false before the first.
    #[inline(always)]
    fn fits(&self, held: i64, bytes: u64, maximum: f64) -> bool {
        let held = held + bytes.min(MOST as u64) as i64;
        // Bytes of this size are exact as a double.
        held <= self.ceiling.load(Relaxed)
            && (maximum < 0.0
                || (self.outside.load(Relaxed) + held) as f64 <= f64::from_bits(self.per_cent.load(Relaxed)) * maximum)
    }

    /// As `fits`, after a collection of retired objects and with a new sample.
    #[cold]
    fn fits_now(&self, bytes: u64, maximum: f64) -> bool {
        flush();
        self.measure(false);
        self.fits(held::at_most(), bytes, maximum) || self.gives_back() && self.fits(held::at_most(), bytes, maximum)
    }

    /// Has the allocator return free memory to the system, if caches have freed much since the last time; returns
    /// whether it did. Caches of a few hundred kilobytes or less are mostly small blocks, which the allocator keeps.
    fn gives_back(&self) -> bool {
        let held = held::at_most();
        let most = self.most_held.fetch_max(held, Relaxed).max(held);
        if most - held < LEAST_GIVEN || self.most_held.compare_exchange(most, held, Relaxed, Relaxed).is_err() {
            return false;
        }
        let gives = os::return_free_memory();
        if gives {
            self.measure(false);
        }
        gives
    }

    /// The bytes that the process occupies, by the last sample.
    fn resident(&self) -> u64 {
        (self.outside.load(Relaxed) + Occupied::now().least).max(0) as u64
    }

    /// The bytes that caches may store before they reach a wall.
    fn room(&self) -> u64 {
        match self.ceiling.load(Relaxed) {
            ..MOST => (self.ceiling.load(Relaxed) - held::at_most()).max(0) as u64,
            _ => u64::MAX,
        }
    }

    /// Takes a sample. It reads the limits too if they were last read in another second, or if they `must` be read now.
    fn measure(&self, must: bool) -> Known {
        let now = milliseconds();
        let must = must || self.limit.load(Relaxed) == 0;
        let all = must || self.is_stale(now);
        if all {
            self.second.store(now / 1000, Relaxed);
        }
        // The system's figures may or may not include bytes that are stored or freed meanwhile.
        let before = Occupied::now();
        let sizes = os::sizes();
        let held = before.or(Occupied::now());
        let update = |outside: &AtomicI64, used: Option<u64>| {
            let now = super::ceiling::outside(outside.load(Relaxed), used, held);
            outside.store(now, Relaxed);
            now
        };
        let outside = update(&self.outside, sizes.map(|sizes| sizes.resident));
        let process_limits = os::limits();
        let (address_space, data) = process_limits.unwrap_or((u64::MAX, u64::MAX));
        let ceiling = |limit: u64, outside: i64| match limit {
            u64::MAX => MOST,
            limit => wall(limit).min(MOST as u64) as i64 - outside,
        };
        let ceiling = ceiling(address_space, update(&self.address_space, sizes.map(|sizes| sizes.address_space)))
            .min(ceiling(data, update(&self.data, sizes.map(|sizes| sizes.data))));
        let known = Known::SIZES.when(sizes.is_some())
            | Known::PROCESS_LIMITS.when(process_limits.is_some())
            | self.sample_groups(held, now, all, must);
        self.ceiling.store(ceiling.min(self.group_ceiling.load(Relaxed)), Relaxed);
        self.most_held.fetch_max(held.least, Relaxed);
        let step = self.step(held.least + outside);
        self.width.store(2 * step as u64, Relaxed);
        self.low.store(held::at_most() - step, Relaxed);
        if let Some(participant) = current() {
            participant.scratch.counts[scratch::ADMISSIONS].store(0, Relaxed);
            participant.scratch.counts[scratch::REFUSALS].store(0, Relaxed);
        }
        known
    }

    /// How much more or less caches may hold before a new sample: what they take and what the process comes to occupy
    /// differ by some per cent, which must be little beside what it occupies.
    fn step(&self, resident: i64) -> i64 {
        const LEAST: i64 = 1 << 20;
        let quarter_per_cent = (self.limit.load(Relaxed).min(MOST as u64) / 400) as i64;
        quarter_per_cent.min((resident / 64).max(LEAST))
    }

    /// Reads what the control groups use while caches hold `held`; with `all` also their limits and the physical
    /// memory. If another thread is reading them, its result will do, unless this `must` be done now.
    fn sample_groups(&self, held: Occupied, now: u64, all: bool, must: bool) -> Known {
        let Some(mut groups) = groups::groups(must) else { return Known::default() };
        let allowed = groups.sample(&os::read, held, now, all);
        self.group_ceiling.store(allowed.ceiling.min(MOST), Relaxed);
        let known = Known::GROUP_LIMITS.when(allowed.limits_known) | Known::GROUP_USAGE.when(allowed.usage_known);
        if !all {
            return known;
        }
        // A virtual machine may be given more memory, or less.
        let physical = os::physical().unwrap_or(self.physical.load(Relaxed));
        self.physical.store(physical, Relaxed);
        let limit = allowed.limit.min(if physical == 0 { u64::MAX } else { physical });
        self.per_cent.store((limit as f64 / 100.0).to_bits(), Relaxed);
        self.limit.store(limit.max(1), Relaxed);
        known | Known::PHYSICAL.when(physical != 0)
    }
}

/// All limits on the memory of the process that were found, while caches may fill it up to `maximum` per cent. Measures
/// now.
pub fn limits(maximum: f64) -> Result<Vec<Limit>> {
    LIMIT.measure(true);
    let (held, resident) = (Occupied::now().least, LIMIT.resident());
    let used = |outside: i64| (outside + held).max(0) as u64;
    let share = |bytes: u64| match maximum {
        0.0.. => ((bytes as f64 / 100.0 * maximum) as u64).saturating_sub(resident),
        _ => u64::MAX,
    };
    let below_wall = |bytes: u64, used: u64| if bytes == u64::MAX { bytes } else { wall(bytes).saturating_sub(used) };
    let mut found = Vec::new();
    let mut add = |name: String, bytes, used, room| {
        found.try_reserve(1).map_err(|_| Error::OutOfMemory(size_of::<Limit>()))?;
        found.push(Limit { name, bytes, used, room });
        Ok(())
    };
    let physical = LIMIT.physical.load(Relaxed);
    if physical != 0 {
        add(try_owned("physical memory")?, physical, resident, share(physical))?;
    }
    if let Some(groups) = groups::groups(true) {
        groups.limits(|name, bytes, outside| {
            add(name, bytes, used(outside), share(bytes).min(below_wall(bytes, used(outside))))
        })?;
    }
    let (address_space, data) = os::limits().unwrap_or((u64::MAX, u64::MAX));
    for (name, bytes, outside) in
        [("RLIMIT_AS", address_space, &LIMIT.address_space), ("RLIMIT_DATA", data, &LIMIT.data)]
    {
        let used = used(outside.load(Relaxed));
        add(try_owned(name)?, bytes, used, below_wall(bytes, used))?;
    }
    Ok(found)
}

/// The control groups. One thread at a time reads them.
#[cfg(not(shuttle))]
mod groups {
    use super::super::control_groups::Groups;
    use crate::sync::{Mutex, MutexGuard};

    static GROUPS: Mutex<Groups> = Mutex::new(Groups::new());

    /// The groups; None if another thread reads them, unless the caller `must` wait.
    pub(crate) fn groups(must: bool) -> Option<MutexGuard<'static, Groups>> {
        if must { Some(GROUPS.lock()) } else { GROUPS.try_lock() }
    }
}

/// The model checker's locks cannot be in statics.
#[cfg(shuttle)]
mod groups {
    use super::super::control_groups::Groups;

    pub(crate) fn groups(_must: bool) -> Option<Groups> {
        Some(Groups::new())
    }
}

/// Adds one by a plain store: only the owner writes it.
fn count(counter: &AtomicU32) -> u32 {
    let next = counter.load(Relaxed) + 1;
    counter.store(next, Relaxed);
    next
}

/// Milliseconds of a clock that is cheap to read.
#[cfg(target_os = "linux")]
fn milliseconds() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on Linux, and writes to `now`.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut now) };
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
}

#[cfg(not(target_os = "linux"))]
fn milliseconds() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maximum_of_zero_admits_nothing_and_unlimited_everything_below_the_hard_limits() {
        assert!(!has_room(1, 0.0) && is_full(0.0));
        assert!(has_room(1 << 60, UNLIMITED) || usage().room != u64::MAX);
        assert!(has_room(1, UNLIMITED) && !is_full(UNLIMITED));
        assert!(has_room(1, 100.0) && !is_full(100.0));
        assert!(!has_room(1, 1e-6) && is_full(1e-6));
        assert!(!has_room(u64::MAX / 2, 100.0));
    }

    #[test]
    fn the_lesser_of_two_maxima_applies_and_unlimited_never_does() {
        assert_eq!(stricter(UNLIMITED, 5.0), 5.0);
        assert_eq!(stricter(5.0, UNLIMITED), 5.0);
        assert_eq!(stricter(5.0, 0.0), 0.0);
        assert_eq!(stricter(UNLIMITED, UNLIMITED), UNLIMITED);
    }
}
