//! Ceilings: the number of bytes at which caches stop storing, below a hard limit of the system.

/// The largest limit or figure; larger ones are cut to it, so that sums of two do not overflow.
pub(super) const MOST: i64 = 1 << 61;

/// The bytes at which caches stop below a hard limit, independent of the configured percentage: nine tenths. The rest
/// is left to the program.
pub(super) fn wall(limit: u64) -> u64 {
    if limit == u64::MAX { limit } else { limit / 10 * 9 }
}

/// The used bytes that caches do not hold. If the figure is missing, the previous result, but no less than zero.
pub(super) fn outside(before: i64, used: Option<u64>, held: i64) -> i64 {
    used.map_or(before.max(0), |used| used.min(2 * MOST as u64) as i64 - held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_was_never_known_is_at_least_the_bytes_that_caches_hold() {
        assert_eq!(outside(0, None, 5), 0);
        assert_eq!(outside(-3, None, 5), 0);
        assert_eq!(outside(7, None, 5), 7);
        assert_eq!(outside(7, Some(4), 5), -1);
        assert_eq!((wall(u64::MAX), wall(1000)), (u64::MAX, 900));
    }
}
