//! How often a waiting caller asks whether another process has finished.
//!
//! A backing cannot wake a caller, so a waiting caller polls it. Thousands of callers that wait for minutes must cost
//! the backing next to nothing. So the pause between two polls is proportional to the time waited so far: a wait
//! exceeds the computation by at most an eighth and 50 ms, and the number of polls grows with the logarithm of the
//! time. The pause is at most an eighth of the lease, so that a dead process's key is noticed soon after its lease
//! expires. Random jitter spreads callers that began together.
//!
//! All callers of this process that wait for one key take turns, whether they are threads or repeated calls.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::sync::Mutex;

/// The shortest pause.
const SHORTEST: Duration = Duration::from_millis(1);

/// The longest pause at the beginning of a wait, and where claims never expire.
pub const UNHURRIED: Duration = Duration::from_millis(50);

/// A pause is at most this part of the time waited, and of the lease.
const PART: u32 = 8;

/// Above this number of keys, keys without waiters are removed.
const MANY: usize = 1024;

/// The part of a lease that a pause takes at most.
pub fn part_of(lease: Duration) -> Duration {
    lease / PART
}

/// The keys that callers of this process wait for.
pub struct Polling {
    longest: Duration,
    keys: Mutex<HashMap<Box<[u8]>, Poll>>,
    random: RandomState,
}

/// A key that is waited for.
struct Poll {
    /// When the wait began.
    began: Instant,
    /// The earliest time of the next poll.
    next: Instant,
}

impl Polling {
    /// With pauses of at most this length.
    pub fn new(longest: Duration) -> Self {
        Polling { longest: longest.max(SHORTEST), keys: Mutex::default(), random: RandomState::new() }
    }

    /// The pause of a caller that has `waited` so far.
    pub fn pause(&self, waited: Duration) -> Duration {
        let pause = waited.min(UNHURRIED).max(waited / PART).clamp(SHORTEST, self.longest);
        let jitter = self.random.hash_one((waited, std::thread::current().id(), std::process::id())) % 1024;
        pause.mul_f64(0.75 + jitter as f64 / 2048.0)
    }

    /// Takes the turn to poll for `key`, or returns the time until the next turn.
    pub fn turn(&self, key: &[u8], now: Instant) -> Result<(), Duration> {
        let mut keys = self.keys.lock();
        let is_left = |poll: &Poll| now.saturating_duration_since(poll.next) > 2 * self.longest;
        if let Some(poll) = keys.get_mut(key).filter(|poll| !is_left(poll)) {
            if now < poll.next {
                return Err(poll.next - now);
            }
            poll.next = now + self.pause(now - poll.began);
            return Ok(());
        }
        if keys.len() >= MANY {
            keys.retain(|_, poll| !is_left(poll));
        }
        keys.insert(key.into(), Poll { began: now, next: now + self.pause(Duration::ZERO) });
        Ok(())
    }

    /// Removes `key`, which is no longer waited for.
    pub fn done(&self, key: &[u8]) {
        self.keys.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// The number of polls in a wait of `time`.
    fn polls(lease: Duration, time: Duration) -> u32 {
        let polling = Polling::new(part_of(lease));
        let (mut waited, mut count) = (Duration::ZERO, 0);
        while waited < time {
            waited += polling.pause(waited);
            count += 1;
        }
        count
    }

    #[test]
    fn pauses_grow_with_the_time_waited_and_end_with_a_part_of_the_lease() {
        let polling = Polling::new(1000 * MS);
        for (waited, pause) in [(0, 1), (1, 1), (20, 20), (60, 50), (400, 50), (800, 100), (4000, 500), (60_000, 1000)]
        {
            for _ in 0..100 {
                let found = polling.pause(waited * MS);
                assert!(found >= pause * MS * 3 / 4 && found <= pause * MS * 5 / 4, "{found:?} after {waited} ms");
            }
        }
        assert!(Polling::new(part_of(MS)).pause(1000 * MS) <= 2 * MS);
        // Pauses have jitter.
        let pauses: std::collections::HashSet<_> =
            (0..1000).map(|n| polling.pause(60_000 * MS + n * MS / 1000)).collect();
        assert!(pauses.len() > 100);
    }

    #[test]
    fn polls_are_few_even_in_a_long_wait() {
        let hour = Duration::from_secs(3600);
        assert!(polls(hour, Duration::from_secs(1)) <= 40);
        assert!(polls(hour, Duration::from_secs(60)) <= 90);
        assert!(polls(hour, hour) <= 150);
    }

    #[test]
    fn the_waiters_for_one_key_take_turns() {
        let polling = Polling::new(part_of(Duration::from_secs(3600)));
        let began = Instant::now();
        let mut turns = 0;
        for millisecond in 0..10_000 {
            for _ in 0..50 {
                turns += u32::from(polling.turn(b"k", began + millisecond * MS).is_ok());
            }
        }
        assert!((20..70).contains(&turns), "{turns}");
        assert!(polling.turn(b"other", began).is_ok());
        polling.done(b"k");
        assert!(polling.turn(b"k", began).is_ok());
    }

    #[test]
    fn keys_without_waiters_are_removed() {
        let polling = Polling::new(10 * MS);
        let began = Instant::now();
        for number in 0..100_000u32 {
            assert!(polling.turn(&number.to_le_bytes(), began + number * MS).is_ok());
        }
        assert!(polling.keys.lock().len() <= MANY);
    }
}
