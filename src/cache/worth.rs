//! The worth of entries: computing time per byte, in credits.
//!
//! A table that evicts visits its oldest entries in turn. One that a lookup has found since the last visit stays; one
//! without such a mark stays once for each credit. An ordinary entry has none, so that use alone decides. An entry
//! whose computing time per byte is twice the mean of its cache has one credit, three times the mean two, and so on.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::value::Cost;

/// The most credits of an entry.
const MOST: f64 = 7.0;

/// A new entry moves the means by this part of its distance. Races between threads lose single entries.
const PART: f64 = 1.0 / 64.0;

/// The running means of a cache's entries of known cost. Their quotient is the mean cost of a byte. (A mean of quotients
/// would be that of the smallest entries.)
#[derive(Default)]
pub(super) struct MeanWorth {
    /// Nanoseconds, as the bits of a float; 0 before the first entry.
    cost: AtomicU32,
    /// Bytes.
    bytes: AtomicU32,
}

impl MeanWorth {
    /// The credits of a new entry. An unknown cost counts as the mean.
    pub(super) fn credits(&self, cost: Cost, bytes: u64) -> u8 {
        if cost == Cost::UNKNOWN {
            return 0;
        }
        let (cost, bytes) = (cost.ns() as f64, bytes.max(1) as f64);
        let (mean_cost, mean_bytes) = (approach(&self.cost, cost), approach(&self.bytes, bytes));
        let times = cost / bytes * (mean_bytes / mean_cost);
        if times < 2.0 { 0 } else { (times - 1.0).min(MOST) as u8 }
    }
}

/// Moves a mean towards a value, and returns it.
fn approach(mean: &AtomicU32, value: f64) -> f64 {
    let moved = match f64::from(f32::from_bits(mean.load(Relaxed))) {
        0.0 => value,
        mean => mean + (value - mean) * PART,
    };
    mean.store((moved as f32).to_bits(), Relaxed);
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_a_credit_for_each_mean_above_the_first() {
        let mean = MeanWorth::default();
        for _ in 0..1000 {
            assert_eq!(mean.credits(Cost::of_ns(1000), 100), 0);
        }
        let credits = |cost: u64, bytes| {
            let copy = |mean: &AtomicU32| AtomicU32::new(mean.load(Relaxed));
            MeanWorth { cost: copy(&mean.cost), bytes: copy(&mean.bytes) }.credits(Cost::of_ns(cost), bytes)
        };
        assert_eq!([0, 1000, 2000, 2100, 3300, 5000, 100_000].map(|cost| credits(cost, 100)), [0, 0, 0, 1, 2, 3, 7]);
        assert_eq!([credits(1000, 10), credits(1000, 1000), mean.credits(Cost::UNKNOWN, 1)], [7, 0, 0]);
    }
}
