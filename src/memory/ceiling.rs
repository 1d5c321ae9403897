//! Ceilings: the number of bytes at which caches stop storing, below a hard limit of the system.

use super::held::Occupied;

/// The largest limit or figure; larger ones are cut to it, so that sums of two do not overflow.
pub(super) const MOST: i64 = 1 << 61;

/// The bytes at which caches stop below a hard limit, independent of the configured percentage: nine tenths. The rest
/// is left to the program.
pub(super) fn wall(limit: u64) -> u64 {
    if limit == u64::MAX { limit } else { limit / 10 * 9 }
}

/// The used bytes that caches do not hold. If the figure is missing, the previous result, but no less than zero.
///
/// Of the results that are possible, depending on what stores in progress occupy, it is the nearest to the previous
/// one: bytes that are claimed and occupied would else count twice, and a limit with room would refuse stores.
pub(super) fn outside(before: i64, used: Option<u64>, held: Occupied) -> i64 {
    let Some(used) = used else { return before.max(0) };
    let used = used.min(2 * MOST as u64) as i64;
    before.clamp(used - held.most.max(held.least), used - held.least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_was_never_known_is_at_least_the_bytes_that_caches_hold() {
        let five = Occupied { least: 5, most: 5 };
        assert_eq!(outside(0, None, five), 0);
        assert_eq!(outside(-3, None, five), 0);
        assert_eq!(outside(7, None, five), 7);
        assert_eq!(outside(7, Some(4), five), -1);
        assert_eq!((wall(u64::MAX), wall(1000)), (u64::MAX, 900));
    }

    #[test]
    fn claimed_bytes_that_a_store_occupies_already_do_not_count_twice() {
        let held = Occupied { least: 10, most: 40 };
        // 100 outside before, and the store occupies all, a part or nothing of its 30.
        assert_eq!([140, 125, 110].map(|used| outside(100, Some(used), held)), [100, 100, 100]);
        // The program itself has more or less than before.
        assert_eq!(outside(100, Some(150), held), 110);
        assert_eq!(outside(100, Some(105), held), 95);
    }
}
