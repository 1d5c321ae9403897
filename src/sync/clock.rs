//! The monotonic clock as one number: as the system has it, and for durations that are measured often.
//!
//! Reading the system's clock takes 20 to 45 ns, and the computation of a missing value reads it twice. Where the
//! system's clock is the processor's time stamp counter, [`stopwatch_ns`] reads that one, in a third to a half of the
//! time. It compares the two for a millisecond, during which it returns what the system says, and converts from then
//! on. Its rate is right to some ten parts in a million, and it follows no later adjustment of the clock. So it serves
//! to tell how long a computation took, and nothing else.

/// Nanoseconds since some moment before the process began.
#[cfg(unix)]
#[inline(always)]
pub fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists, and writes to `now`.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Nanoseconds since some moment.
#[cfg(not(unix))]
pub fn monotonic_ns() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;

    static BORN: OnceLock<Instant> = OnceLock::new();
    BORN.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
pub use counter::stopwatch_ns;
#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(miri))))]
pub use monotonic_ns as stopwatch_ns;

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
mod counter {
    use std::arch::x86_64::_rdtsc;
    use std::fs::File;
    use std::io::Read;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::monotonic_ns;

    /// Nanoseconds per tick, times 2^32; or one of the states below, until that is known.
    static RATE: AtomicU64 = AtomicU64::new(NEW);
    /// What is added to the converted ticks; after the first reading, that of the system's clock.
    static OFFSET: AtomicU64 = AtomicU64::new(0);
    /// The ticks at the first reading.
    static FIRST_TICKS: AtomicU64 = AtomicU64::new(0);

    /// Nothing was read yet.
    const NEW: u64 = 0;
    /// A thread changes the state. If a fork interrupts it, the child always reads the system's clock.
    const BUSY: u64 = 1;
    /// The first reading is known.
    const STARTED: u64 = 2;
    /// The counter is not the system's clock.
    const OTHER: u64 = 3;
    /// The possible rates: processors count 0.1 to 10 times in a nanosecond.
    const RATES: std::ops::RangeInclusive<u64> = (1 << 32) / 10..=(1 << 32) * 10;

    /// How long both are compared, in nanoseconds.
    const COMPARED: u64 = 1_000_000;

    /// Nanoseconds since some moment before the process began, for durations: see above.
    #[inline(always)]
    pub fn stopwatch_ns() -> u64 {
        // Pairs with the Release store in `note`: a thread that reads the rate also reads the offset.
        match RATE.load(Ordering::Acquire) {
            NEW..=OTHER => compare(),
            rate => converted(ticks(), rate).wrapping_add(OFFSET.load(Ordering::Relaxed)),
        }
    }

    #[inline(always)]
    fn ticks() -> u64 {
        // SAFETY: every x86-64 processor has the instruction. A process that may not use it cannot read the system's
        // clock either.
        unsafe { _rdtsc() }
    }

    #[inline(always)]
    fn converted(ticks: u64, rate: u64) -> u64 {
        ((u128::from(ticks) * u128::from(rate)) >> 32) as u64
    }

    /// The system's clock, after a step of the comparison.
    #[cold]
    #[inline(never)]
    fn compare() -> u64 {
        let now = monotonic_ns();
        note(now);
        now
    }

    /// Notes the first reading of both, and the rate once a second one is far enough from it.
    fn note(now: u64) {
        let become_busy = |state| RATE.compare_exchange(state, BUSY, Ordering::Acquire, Ordering::Relaxed).is_ok();
        match RATE.load(Ordering::Acquire) {
            NEW if become_busy(NEW) => {
                let state = if is_system_clock() { STARTED } else { OTHER };
                let (_, ns, ticks) = both();
                OFFSET.store(ns, Ordering::Relaxed);
                FIRST_TICKS.store(ticks, Ordering::Relaxed);
                RATE.store(state, Ordering::Release);
            }
            STARTED if now.saturating_sub(OFFSET.load(Ordering::Relaxed)) >= COMPARED && become_busy(STARTED) => {
                let (pause, ns, ticks) = both();
                let elapsed = ns.saturating_sub(OFFSET.load(Ordering::Relaxed));
                let counted = ticks.saturating_sub(FIRST_TICKS.load(Ordering::Relaxed));
                if counted / 1000 < pause {
                    return RATE.store(STARTED, Ordering::Release);
                }
                let rate =
                    (u128::from(elapsed) << 32).checked_div(counted.into()).and_then(|rate| rate.try_into().ok());
                let rate = rate.filter(|rate| RATES.contains(rate)).unwrap_or(OTHER);
                OFFSET.store(ns.wrapping_sub(converted(ticks, rate)), Ordering::Relaxed);
                RATE.store(rate, Ordering::Release);
            }
            _ => {}
        }
    }

    /// Whether the system's clock is the counter: then it is the same on all processors, and never stops.
    fn is_system_clock() -> bool {
        let mut name = [0; 8];
        let file = File::open("/sys/devices/system/clocksource/clocksource0/current_clocksource");
        file.and_then(|mut file| file.read(&mut name)).is_ok_and(|len| name[..len].trim_ascii() == b"tsc")
    }

    /// Nanoseconds and ticks at the same moment, behind the ticks that this took: of a few attempts, the shortest.
    fn both() -> (u64, u64, u64) {
        let read = |_| {
            let (before, ns, after) = (ticks(), monotonic_ns(), ticks());
            let pause = after.saturating_sub(before);
            (pause, ns, before + pause / 2)
        };
        (0..8).map(read).min().unwrap_or_default()
    }

    #[cfg(test)]
    mod tests {
        use std::time::{Duration, Instant};

        use super::*;

        #[test]
        fn durations_agree_with_the_system_clock() {
            let begin = Instant::now();
            while RATE.load(Ordering::Acquire) <= STARTED && begin.elapsed() < Duration::from_secs(10) {
                stopwatch_ns();
            }
            assert_ne!(RATE.load(Ordering::Acquire), STARTED, "it is decided after a millisecond");
            // Whatever happens between the readings of the two clocks, one duration contains the other.
            let outer = monotonic_ns();
            let from = stopwatch_ns();
            let inner = monotonic_ns();
            std::thread::sleep(Duration::from_millis(20));
            let least = monotonic_ns() - inner;
            let measured = stopwatch_ns() - from;
            let most = monotonic_ns() - outer;
            let error = most / 1000;
            assert!((least - error..=most + error).contains(&measured), "{least} <= {measured} <= {most}");
        }

        #[test]
        fn it_goes_on_where_the_system_clock_was() {
            let before = monotonic_ns();
            let measured = stopwatch_ns();
            let after = monotonic_ns();
            assert!((before - before / 1000..=after + after / 1000).contains(&measured), "{before} {measured} {after}");
        }
    }
}
