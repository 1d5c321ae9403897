//! How full is the memory that this process may use?
//!
//! Three things bound what caches may hold: the maximum, which is a percentage of the memory that the process may use;
//! walls, beyond which the system refuses memory or ends the process; and the bytes that they hold already. Figures of
//! the system cost microseconds, a store nanoseconds; so the gauge samples, and between two samples it goes by the
//! bytes that the caches themselves take. A sample tells what is used *besides* them: one number for each bound, to
//! which what they hold now is added. It is taken when they hold much more or less (a quarter per cent of the memory,
//! or a 64th of what the process occupies), every 4,096 admissions or 1,024 refusals of a thread, and when the last is
//! older than a second, which is looked at in every 32nd of a thread's questions. The limits themselves are looked at
//! once a second.
//!
//! A figure that cannot be had is never taken for a number: the last good one counts, but no less than what caches
//! hold.

use std::ops::BitOr;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::os;
use crate::epoch::participant::Participant;
use crate::memory::account::{held, held_about, settled};
use crate::sync::CachePadded;

pub use crate::memory::account::Claim;

/// A maximum that leaves only the walls.
pub const UNLIMITED: f64 = -1.0;

const ADMISSIONS_PER_SAMPLE: u32 = 4096;
const REFUSALS_PER_SAMPLE: u32 = 1024;
const QUESTIONS_PER_LOOK: u32 = 32;

/// A thread that takes as much at once asks for it and takes it in one step: two could not both have what is left.
const CLAIMED: u64 = 16 << 10;

/// More than there can be; sums of two of these are numbers still.
const MOST: i64 = 1 << 61;

/// The memory of the process as it was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Bytes of physical memory that the process occupies, as far as is known; at least what caches hold.
    pub resident: u64,
    /// Bytes it may occupy: the least of the physical memory and the limits of its control groups; 0 where no figure
    /// was ever had.
    pub limit: u64,
    /// Bytes of physical memory of the machine; 0 where that was never told.
    pub physical: u64,
    /// Bytes held by all caches of the process.
    pub held: u64,
    /// Bytes that caches may take before they come to a wall; `u64::MAX` where there is none.
    pub room: u64,
    /// The figures that could be had just now.
    pub known: Known,
}

impl Usage {
    /// The resident size as a percentage of what the process may use; 0 where that is not known.
    pub fn percent(&self) -> f64 {
        if self.limit == 0 { 0.0 } else { self.resident as f64 / self.limit as f64 * 100.0 }
    }
}

/// Figures that could be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known(pub u32);

impl Known {
    /// The sizes of the process: resident, address space, data.
    pub const SIZES: Known = Known(1);
    /// The physical memory.
    pub const PHYSICAL: Known = Known(2);
    /// The limits of all control groups.
    pub const GROUP_LIMITS: Known = Known(4);
    /// What control groups that have a limit use.
    pub const GROUP_USAGE: Known = Known(8);
    /// The limits of the address space and the data.
    pub const PROCESS_LIMITS: Known = Known(16);

    /// This, or nothing.
    fn when(self, known: bool) -> Known {
        if known { self } else { Known(0) }
    }
}

impl BitOr for Known {
    type Output = Known;

    fn bitor(self, other: Known) -> Known {
        Known(self.0 | other.0)
    }
}

/// Measures now, what can be freed being freed before.
pub fn usage() -> Usage {
    crate::epoch::retire::flush();
    let known = LIMIT.measure(true);
    let (held, limit) = (held(), LIMIT.limit.load(Relaxed));
    Usage {
        resident: LIMIT.resident().max(held),
        limit: if limit == u64::MAX { 0 } else { limit },
        physical: LIMIT.physical.load(Relaxed),
        held,
        room: LIMIT.room(),
        known,
    }
}

/// Measures for the first time, so that no store has to.
pub fn prepare() {
    if LIMIT.limit.load(Relaxed) == 0 {
        LIMIT.measure(true);
    }
}

/// Whether the process occupies more than `maximum` per cent of what it may use, or has come to a wall, measured now.
pub fn is_full(maximum: f64) -> bool {
    if maximum == 0.0 {
        return true;
    }
    let usage = usage();
    usage.room == 0 || (maximum > 0.0 && usage.percent() > maximum)
}

/// The one of two maxima that has_room less.
pub fn least(one: f64, other: f64) -> f64 {
    match (one < 0.0, other < 0.0) {
        (true, _) => other,
        (_, true) => one,
        _ => one.min(other),
    }
}

/// Whether a cache that may fill the memory up to `maximum` per cent may take `bytes` more.
#[inline]
pub fn has_room(bytes: u64, maximum: f64) -> bool {
    maximum != 0.0 && LIMIT.has_room(bytes, maximum)
}

/// As [`has_room`], for a store that is under way: what is admitted is the store's until the claim is dropped.
pub fn claim(bytes: u64, maximum: f64) -> Option<Claim> {
    match bytes < CLAIMED {
        true => has_room(bytes, maximum).then_some(Claim::NOTHING),
        // Others may have taken what was left since it was admitted.
        false if has_room(bytes, maximum) => Claim::take(bytes, |held| LIMIT.fits(held, bytes, maximum)),
        false => None,
    }
}

/// Whether [`has_room`] says no, which then need not be asked; false also where that is not to be told without a look.
#[inline(always)]
pub fn surely_full(bytes: u64, maximum: f64) -> bool {
    maximum == 0.0 || LIMIT.surely_full(bytes, maximum)
}

/// The last sample. Each of its numbers is true by itself, whichever sample it is from, so they are written without
/// locks.
struct MemoryLimit {
    /// What the process may occupy; 0 before the first sample, `u64::MAX` where it was never told.
    limit: AtomicU64,
    /// A hundredth of that, as a double.
    per_cent: AtomicU64,
    physical: AtomicU64,
    /// What the process occupies besides what caches hold.
    outside: AtomicI64,
    /// The same of its address space, and of its data.
    address_space: AtomicI64,
    data: AtomicI64,
    /// What caches may hold until a control group comes to its wall.
    group_ceiling: AtomicI64,
    /// What they may hold until anything comes to its wall.
    ceiling: AtomicI64,
    /// There is another sample when they hold less than this, or by more than `width` more.
    low: AtomicI64,
    width: AtomicU64,
    /// When the limits were last looked at.
    second: AtomicU64,
}

/// What one thread has asked since it last took a sample.
pub(crate) struct Questions {
    admissions: AtomicU32,
    refusals: AtomicU32,
}

impl Questions {
    pub(crate) const fn new() -> Self {
        Questions { admissions: AtomicU32::new(0), refusals: AtomicU32::new(0) }
    }
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
});

impl MemoryLimit {
    #[inline]
    fn has_room(&self, bytes: u64, maximum: f64) -> bool {
        let Some(record) = Participant::of_this_thread() else { return self.fits_now(bytes, maximum) };
        let asked = &record.questions;
        let admissions = count(&asked.admissions);
        if admissions.is_multiple_of(QUESTIONS_PER_LOOK) || self.has_moved() {
            self.resample_if_stale(admissions);
        }
        self.fits(held_about(), bytes, maximum)
            || ((count(&asked.refusals) >= REFUSALS_PER_SAMPLE || self.has_stirred() || self.limit.load(Relaxed) == 0)
                && self.fits_now(bytes, maximum))
    }

    #[inline(always)]
    fn surely_full(&self, bytes: u64, maximum: f64) -> bool {
        if self.fits(held_about(), bytes, maximum) || self.limit.load(Relaxed) == 0 {
            return false;
        }
        let Some(record) = Participant::of_this_thread() else { return false };
        let asked = &record.questions;
        let (admissions, refusals) = (asked.admissions.load(Relaxed) + 1, asked.refusals.load(Relaxed) + 1);
        if admissions.is_multiple_of(QUESTIONS_PER_LOOK) || refusals >= REFUSALS_PER_SAMPLE || self.has_stirred() {
            return false;
        }
        asked.admissions.store(admissions, Relaxed);
        asked.refusals.store(refusals, Relaxed);
        true
    }

    /// Samples again if it is time to.
    #[inline(never)]
    fn resample_if_stale(&self, admissions: u32) {
        if admissions >= ADMISSIONS_PER_SAMPLE || self.has_moved() || self.is_stale(milliseconds()) {
            self.measure(false);
        }
    }

    /// Whether caches hold much more or less than at the last sample.
    #[inline(always)]
    fn has_moved(&self) -> bool {
        held_about().wrapping_sub(self.low.load(Relaxed)) as u64 > self.width.load(Relaxed)
    }

    /// Whether caches hold more or less than at the last sample by an eighth of that. A refusal is not final then: what
    /// they took may have come from memory that the process had already.
    #[inline(always)]
    fn has_stirred(&self) -> bool {
        let width = self.width.load(Relaxed);
        let moved = held_about().wrapping_sub(self.low.load(Relaxed)) as u64;
        moved.wrapping_sub(width / 16 * 7) > width / 8
    }

    fn is_stale(&self, now: u64) -> bool {
        now / 1000 != self.second.load(Relaxed)
    }

    /// Whether so many bytes fit while caches hold `held`, as far as the last sample knows; not before the first.
    #[inline(always)]
    fn fits(&self, held: i64, bytes: u64, maximum: f64) -> bool {
        let held = held + bytes.min(MOST as u64) as i64;
        // Bytes of this size are exact as a double.
        held <= self.ceiling.load(Relaxed)
            && (maximum < 0.0
                || (self.outside.load(Relaxed) + held) as f64 <= f64::from_bits(self.per_cent.load(Relaxed)) * maximum)
    }

    #[cold]
    fn fits_now(&self, bytes: u64, maximum: f64) -> bool {
        self.measure(false);
        self.fits(held_about(), bytes, maximum)
    }

    /// What the process occupies, as far as the last sample knows.
    fn resident(&self) -> u64 {
        (self.outside.load(Relaxed) + settled()).max(0) as u64
    }

    /// What caches may take before they come to a wall.
    fn room(&self) -> u64 {
        match self.ceiling.load(Relaxed) {
            ..MOST => (self.ceiling.load(Relaxed) - held_about()).max(0) as u64,
            _ => u64::MAX,
        }
    }

    /// Takes a sample. It looks at the limits too if the last look at them is from another second, or must be now.
    fn measure(&self, must: bool) -> Known {
        let now = milliseconds();
        let must = must || self.limit.load(Relaxed) == 0;
        let all = must || self.is_stale(now);
        if all {
            self.second.store(now / 1000, Relaxed);
        }
        // What is charged or freed while the system is asked may be counted in its figures or not. The lesser sum
        // before and after leaves the greater part for what is besides it.
        let before = settled();
        let sizes = os::sizes();
        let held = before.min(settled());
        let update = |outside: &AtomicI64, used: Option<u64>| {
            let now = os::outside(outside.load(Relaxed), used, held);
            outside.store(now, Relaxed);
            now
        };
        let outside = update(&self.outside, sizes.map(|sizes| sizes.resident));
        let process_limits = os::limits();
        let (address_space, data) = process_limits.unwrap_or((u64::MAX, u64::MAX));
        let ceiling = |limit: u64, outside: i64| match limit {
            u64::MAX => MOST,
            limit => os::wall(limit).min(MOST as u64) as i64 - outside,
        };
        let ceiling = ceiling(address_space, update(&self.address_space, sizes.map(|sizes| sizes.address_space)))
            .min(ceiling(data, update(&self.data, sizes.map(|sizes| sizes.data))));
        let known = Known::SIZES.when(sizes.is_some())
            | Known::PROCESS_LIMITS.when(process_limits.is_some())
            | self.ask_groups(held, now, all, must);
        self.ceiling.store(ceiling.min(self.group_ceiling.load(Relaxed)), Relaxed);
        let step = self.step(held + outside);
        self.width.store(2 * step as u64, Relaxed);
        self.low.store(held_about() - step, Relaxed);
        if let Some(record) = Participant::of_this_thread() {
            record.questions.admissions.store(0, Relaxed);
            record.questions.refusals.store(0, Relaxed);
        }
        known
    }

    /// How much more or less caches may hold before there is another sample: what they take and what the process comes
    /// to occupy differ by some per cent, and that is to be little beside what it occupies.
    fn step(&self, resident: i64) -> i64 {
        const LEAST: i64 = 1 << 20;
        let quarter_per_cent = (self.limit.load(Relaxed).min(MOST as u64) / 400) as i64;
        quarter_per_cent.min((resident / 64).max(LEAST))
    }

    /// Asks the control groups what they use, while caches hold `held`, and, for `all`, what their limits and the
    /// physical memory are. Where another thread is at it, what that one finds will do, unless it `must` be now.
    fn ask_groups(&self, held: i64, now: u64, all: bool, must: bool) -> Known {
        let Some(mut groups) = groups::groups(must) else { return Known::default() };
        let allowed = groups.look(&os::read, held, now, all);
        self.group_ceiling.store(allowed.ceiling.min(MOST), Relaxed);
        let known = Known::GROUP_LIMITS.when(allowed.limits_known) | Known::GROUP_USAGE.when(allowed.usage_known);
        if !all {
            return known;
        }
        let physical = match self.physical.load(Relaxed) {
            0 => os::physical().unwrap_or(0),
            known => known,
        };
        self.physical.store(physical, Relaxed);
        let limit = allowed.limit.min(if physical == 0 { u64::MAX } else { physical });
        self.per_cent.store((limit as f64 / 100.0).to_bits(), Relaxed);
        self.limit.store(limit.max(1), Relaxed);
        known | Known::PHYSICAL.when(physical != 0)
    }
}

/// The control groups, which only one thread at a time asks.
#[cfg(not(shuttle))]
mod groups {
    use super::os::Groups;
    use crate::sync::{Mutex, MutexGuard};

    static GROUPS: Mutex<Groups> = Mutex::new(Groups::new());

    /// The groups; none where another thread is at it, unless the caller `must` wait.
    pub(crate) fn groups(must: bool) -> Option<MutexGuard<'static, Groups>> {
        if must { Some(GROUPS.lock()) } else { GROUPS.try_lock() }
    }
}

/// A model checker's locks are not for statics.
#[cfg(shuttle)]
mod groups {
    use super::os::Groups;

    pub(crate) fn groups(_must: bool) -> Option<Groups> {
        Some(Groups::new())
    }
}

/// Adds one without a locked instruction: a lost count only delays a sample.
fn count(counter: &AtomicU32) -> u32 {
    let next = counter.load(Relaxed) + 1;
    counter.store(next, Relaxed);
    next
}

/// The milliseconds of a clock that is cheap to read.
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
    fn a_maximum_of_zero_admits_nothing_and_unlimited_whatever_is_before_the_walls() {
        assert!(!has_room(1, 0.0) && is_full(0.0));
        assert!(has_room(1 << 60, UNLIMITED) || usage().room != u64::MAX);
        assert!(has_room(1, UNLIMITED) && !is_full(UNLIMITED));
        assert!(has_room(1, 100.0) && !is_full(100.0));
        assert!(!has_room(1, 1e-6) && is_full(1e-6));
        assert!(!has_room(u64::MAX / 2, 100.0));
    }

    #[test]
    fn of_two_maxima_the_lesser_counts_and_unlimited_is_none() {
        assert_eq!(least(UNLIMITED, 5.0), 5.0);
        assert_eq!(least(5.0, UNLIMITED), 5.0);
        assert_eq!(least(5.0, 0.0), 0.0);
        assert_eq!(least(UNLIMITED, UNLIMITED), UNLIMITED);
    }
}
