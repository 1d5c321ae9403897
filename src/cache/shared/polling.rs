//! How often one looks whether another process has computed what one waits for.
//!
//! Whoever waits cannot be woken, so it asks the server; with thousands that wait, for minutes, that must cost the server
//! next to nothing. The pause between two looks is in proportion to what was waited so far, so a wait is longer than the
//! computation by an eighth at most (and by 50 ms), and the number of looks grows with the logarithm of its time. It is
//! never more than an eighth of the lease, after which a dead worker's key is free. Chance keeps those who came together
//! from asking together.
//!
//! All who wait for one key in one process look by turns, whether they are threads or calls that come again and again.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::sync::Mutex;

/// The pauses before the wait is long: at first, and then.
const SHORT: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// The part of the time waited, and of the lease, that a pause is.
const PART: u32 = 8;

/// So many keys are waited for before those are forgotten for which nobody waits any more.
const MANY: usize = 1024;

/// Who waits for which key, in this process.
pub struct Looks {
    longest: Duration,
    keys: Mutex<HashMap<Box<[u8]>, Look>>,
    random: RandomState,
}

/// A key that is waited for.
struct Look {
    /// Since when.
    began: Instant,
    /// When one may look again.
    next: Instant,
}

impl Looks {
    /// Of a cache with leases of this length.
    pub fn new(lease: Option<Duration>) -> Self {
        let longest = lease.map_or(SHORT.1, |lease| (lease / PART).max(SHORT.0));
        Looks { longest, keys: Mutex::default(), random: RandomState::new() }
    }

    /// How long one pauses who has waited for so long.
    pub fn pause(&self, waited: Duration) -> Duration {
        let pause = waited.min(SHORT.1).max(waited / PART).clamp(SHORT.0, self.longest);
        let chance = self.random.hash_one((waited, std::thread::current().id(), std::process::id())) % 1024;
        pause.mul_f64(0.75 + chance as f64 / 2048.0)
    }

    /// Takes the turn to look for `key`; or tells how long it is until the next.
    pub fn turn(&self, key: &[u8], now: Instant) -> Result<(), Duration> {
        let mut keys = self.keys.lock();
        let is_left = |look: &Look| now.saturating_duration_since(look.next) > 2 * self.longest;
        if let Some(look) = keys.get_mut(key).filter(|look| !is_left(look)) {
            if now < look.next {
                return Err(look.next - now);
            }
            look.next = now + self.pause(now - look.began);
            return Ok(());
        }
        if keys.len() >= MANY {
            keys.retain(|_, look| !is_left(look));
        }
        keys.insert(key.into(), Look { began: now, next: now + self.pause(Duration::ZERO) });
        Ok(())
    }

    /// Nobody waits for `key` any more.
    pub fn done(&self, key: &[u8]) {
        self.keys.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// How often one looks who waits for so long.
    fn looks(lease: Duration, time: Duration) -> u32 {
        let looks = Looks::new(Some(lease));
        let (mut waited, mut count) = (Duration::ZERO, 0);
        while waited < time {
            waited += looks.pause(waited);
            count += 1;
        }
        count
    }

    #[test]
    fn pauses_grow_with_what_was_waited_and_end_with_a_part_of_the_lease() {
        let looks = Looks::new(Some(8000 * MS));
        for (waited, pause) in [(0, 1), (1, 1), (20, 20), (60, 50), (400, 50), (800, 100), (4000, 500), (60_000, 1000)]
        {
            for _ in 0..100 {
                let found = looks.pause(waited * MS);
                assert!(found >= pause * MS * 3 / 4 && found <= pause * MS * 5 / 4, "{found:?} after {waited} ms");
            }
        }
        assert!(Looks::new(Some(MS)).pause(1000 * MS) <= 2 * MS);
        // Chance is at work.
        let pauses: std::collections::HashSet<_> =
            (0..1000).map(|n| looks.pause(60_000 * MS + n * MS / 1000)).collect();
        assert!(pauses.len() > 100);
    }

    #[test]
    fn looks_are_few_however_long_one_waits() {
        let hour = Duration::from_secs(3600);
        assert!(looks(hour, Duration::from_secs(1)) <= 40);
        assert!(looks(hour, Duration::from_secs(60)) <= 90);
        assert!(looks(hour, hour) <= 150);
    }

    #[test]
    fn all_who_wait_for_one_key_look_by_turns() {
        let looks = Looks::new(Some(Duration::from_secs(3600)));
        let began = Instant::now();
        let mut turns = 0;
        for millisecond in 0..10_000 {
            for _ in 0..50 {
                turns += u32::from(looks.turn(b"k", began + millisecond * MS).is_ok());
            }
        }
        assert!((20..70).contains(&turns), "{turns}");
        assert!(looks.turn(b"other", began).is_ok());
        looks.done(b"k");
        assert!(looks.turn(b"k", began).is_ok());
    }

    #[test]
    fn keys_for_which_nobody_waits_are_forgotten() {
        let looks = Looks::new(Some(80 * MS));
        let began = Instant::now();
        for number in 0..100_000u32 {
            assert!(looks.turn(&number.to_le_bytes(), began + number * MS).is_ok());
        }
        assert!(looks.keys.lock().len() <= MANY);
    }
}
