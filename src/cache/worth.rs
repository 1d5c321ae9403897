//! The worth of entries: computing time per byte, beside the mean of their cache.
//!
//! A table that evicts visits its oldest entries in turn. One that a lookup has found since the last visit stays. One
//! without such a mark stays for some visits if its computing time per byte is at least three times the mean. An
//! ordinary entry is evicted, so that use alone decides.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::value::Cost;

/// A new entry moves the means by this part of its distance. Races between threads lose single entries.
const PART: f64 = 1.0 / 64.0;

/// The running means of a cache's entries of known cost. Their quotient is the mean cost of a byte. (A mean of
/// quotients would be that of the smallest entries.)
#[derive(Default)]
pub(super) struct MeanWorth {
    /// Nanoseconds, as the bits of a float; 0 before the first entry.
    cost: AtomicU32,
    /// Bytes.
    bytes: AtomicU32,
}

impl MeanWorth {
    /// Notes a new entry, and returns the mean cost of a byte; 0 if none is known. An unknown cost counts as the mean.
    pub(super) fn note(&self, cost: Cost, bytes: u64) -> f32 {
        let (mean_cost, mean_bytes) = match cost {
            Cost::UNKNOWN => (value(&self.cost), value(&self.bytes)),
            cost => (approach(&self.cost, cost.ns() as f64), approach(&self.bytes, bytes.max(1) as f64)),
        };
        if mean_bytes == 0.0 { 0.0 } else { (mean_cost / mean_bytes) as f32 }
    }
}

fn value(mean: &AtomicU32) -> f64 {
    f32::from_bits(mean.load(Relaxed)).into()
}

/// Moves a mean towards a value, and returns it.
fn approach(mean: &AtomicU32, new: f64) -> f64 {
    let moved = match value(mean) {
        0.0 => new,
        mean => mean + (new - mean) * PART,
    };
    mean.store((moved as f32).to_bits(), Relaxed);
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_that_of_bytes_and_follows_new_entries() {
        let mean = MeanWorth::default();
        assert_eq!(mean.note(Cost::UNKNOWN, 100), 0.0);
        assert_eq!(mean.note(Cost::of_ns(1000), 100), 10.0);
        // Half of the entries are large and cheap: each byte counts, not each entry.
        (0..1000).for_each(|_| _ = (mean.note(Cost::of_ns(1000), 100), mean.note(Cost::of_ns(1000), 10_000)));
        assert!((mean.note(Cost::UNKNOWN, 1) - 1000.0 / 5050.0).abs() < 0.01);
        (0..1000).for_each(|_| _ = mean.note(Cost::of_ns(5), 10));
        assert!((mean.note(Cost::UNKNOWN, 1) - 0.5).abs() < 0.001);
    }
}
