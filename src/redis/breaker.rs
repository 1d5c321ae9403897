//! A circuit breaker: a dead server costs one timeout, and nothing more until it is tried again.
//!
//! The breaker is closed while operations succeed. The first failure opens it; while it is open, operations are
//! skipped. After a pause one operation is let through as a probe, and all others are still skipped: if it succeeds,
//! the breaker closes; if it fails, the pause doubles, up to the longest. The first pause is the first of the backoff
//! or the time that the failure took, whichever is longer. So even a server that lets every probe time out holds a
//! thread for an ever smaller part of the time. Each pause is shortened at random by up to half, so that many workers
//! do not return at the same moment.
//!
//! The breaker takes no lock, so a fork finds it intact. A probe whose thread vanishes is given up after its timeout.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::endpoint::Backoff;

/// Lets operations through, or skips them.
pub struct Breaker {
    backoff: Backoff,
    born: Instant,
    /// Microseconds since `born` at which a probe is let through; 0 if the breaker is closed.
    reopens: AtomicU64,
    /// The number of failures since it was closed last.
    streak: AtomicU32,
    /// The jitter of the pauses.
    random: RandomState,
}

/// Why an operation was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// The breaker is closed.
    Closed,
    /// The operation is the probe.
    Probe,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(backoff: Backoff) -> Self {
        Breaker {
            backoff,
            born: Instant::now(),
            reopens: AtomicU64::new(0),
            streak: AtomicU32::new(0),
            random: RandomState::new(),
        }
    }

    /// Lets an operation with this timeout through, or returns how long operations will be skipped.
    pub fn pass(&self, timeout: Duration) -> Result<Pass, Duration> {
        let reopens = self.reopens.load(Relaxed);
        if reopens == 0 {
            return Ok(Pass::Closed);
        }
        let now = self.now();
        let closed_until = |time: u64| Err(Duration::from_micros(time.saturating_sub(now)));
        if now < reopens {
            return closed_until(reopens);
        }
        let given_up = now + microseconds(timeout + self.backoff.first);
        match self.reopens.compare_exchange(reopens, given_up, Relaxed, Relaxed) {
            Ok(_) => Ok(Pass::Probe),
            Err(0) => Ok(Pass::Closed),
            Err(other) => closed_until(other),
        }
    }

    /// Records that the server answered.
    pub fn succeeded(&self) {
        if self.reopens.load(Relaxed) != 0 {
            self.streak.store(0, Relaxed);
            self.reopens.store(0, Relaxed);
        }
    }

    /// Records that the server failed an operation that was let through by `pass` and that took this long.
    pub fn failed(&self, pass: Pass, took: Duration) {
        // Of many operations that fail together, one opens the breaker.
        if pass == Pass::Closed && self.reopens.load(Relaxed) != 0 {
            return;
        }
        let streak = self.streak.fetch_add(1, Relaxed).min(31);
        let doubled = self.backoff.first.max(took).saturating_mul(1 << streak).min(self.backoff.longest);
        let now = self.now();
        let shortened = doubled.mul_f64(1.0 - (self.random.hash_one(now) % 1024) as f64 / 2048.0);
        self.reopens.store((now + microseconds(shortened)).max(1), Relaxed);
    }

    /// How long operations will be skipped; `None` if the breaker is closed.
    pub fn open_for(&self) -> Option<Duration> {
        match self.reopens.load(Relaxed) {
            0 => None,
            reopens => Some(Duration::from_micros(reopens.saturating_sub(self.now()))),
        }
    }

    fn now(&self) -> u64 {
        microseconds(self.born.elapsed())
    }
}

fn microseconds(duration: Duration) -> u64 {
    duration.as_micros() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::sleep;

    const QUICK: Backoff = Backoff { first: Duration::from_millis(20), longest: Duration::from_millis(80) };
    const TIMEOUT: Duration = Duration::from_millis(10);

    fn wait(breaker: &Breaker) -> Duration {
        breaker.open_for().expect("it is open")
    }

    #[test]
    fn a_failure_opens_it_and_one_probe_passes_after_the_wait() {
        // Long enough for the steps below, on a loaded machine too.
        let first = Duration::from_secs(2);
        let breaker = Breaker::new(Backoff { first, longest: first });
        assert_eq!(breaker.pass(TIMEOUT), Ok(Pass::Closed));
        breaker.failed(Pass::Closed, Duration::ZERO);
        let left = breaker.pass(TIMEOUT).unwrap_err();
        assert!(left <= first, "{left:?}");
        sleep(first);
        assert_eq!(breaker.pass(TIMEOUT), Ok(Pass::Probe));
        assert!(breaker.pass(TIMEOUT).is_err());
        breaker.succeeded();
        assert_eq!(breaker.pass(TIMEOUT), Ok(Pass::Closed));
        assert_eq!(breaker.open_for(), None);
    }

    #[test]
    fn waits_begin_with_the_time_of_the_failure_and_double_up_to_the_longest() {
        let breaker = Breaker::new(QUICK);
        for longest in [20, 40, 80, 80, 80] {
            let before = Instant::now();
            breaker.failed(Pass::Probe, Duration::ZERO);
            let wait = breaker.open_for().unwrap_or_default();
            let longest = Duration::from_millis(longest);
            let passed = before.elapsed() + Duration::from_millis(1); // the breaker counts from its own beginning
            assert!(wait <= longest && wait + passed > longest / 2, "{wait:?} of {longest:?}");
        }
        let breaker = Breaker::new(Backoff { first: QUICK.first, longest: Duration::from_secs(10) });
        breaker.failed(Pass::Closed, Duration::from_secs(7));
        assert!(wait(&breaker) > Duration::from_secs(1));
    }

    #[test]
    fn simultaneous_failures_open_it_once() {
        let breaker = Breaker::new(QUICK);
        for _ in 0..64 {
            breaker.failed(Pass::Closed, Duration::ZERO);
        }
        assert!(wait(&breaker) <= QUICK.first);
    }

    #[test]
    fn a_probe_that_never_returns_expires() {
        let breaker = Breaker::new(QUICK);
        breaker.failed(Pass::Closed, Duration::ZERO);
        sleep(QUICK.first);
        assert_eq!(breaker.pass(TIMEOUT), Ok(Pass::Probe));
        sleep(TIMEOUT + QUICK.first + Duration::from_millis(1));
        assert_eq!(breaker.pass(TIMEOUT), Ok(Pass::Probe));
    }
}
