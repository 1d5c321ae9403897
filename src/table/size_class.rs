//! The sizes of blocks: every multiple of 16 up to 1 KiB, then eight sizes per doubling.

/// Blocks are multiples of this, and aligned to it.
pub(super) const UNIT: usize = 16;

/// Larger blocks have a chunk of their own. For memory checkers, which see only chunks, all blocks do.
pub(super) const LARGEST: usize = if cfg!(phicache_separate_blocks) { 0 } else { 32 << 10 };

const FINE: usize = 1 << 10;

/// The number of sizes.
pub(super) const CLASSES: usize = FINE / UNIT + 8 * 5;

/// The size of a block for this many bytes, at most 32 KiB, and the index of that size.
#[inline(always)]
pub(super) fn size_class(bytes: usize) -> (usize, usize) {
    if bytes <= FINE {
        let units = bytes.div_ceil(UNIT);
        return (units * UNIT, units - 1);
    }
    coarse_class(bytes)
}

/// As [`size_class`], for more than [`FINE`] bytes.
fn coarse_class(bytes: usize) -> (usize, usize) {
    let doubling = (bytes - 1).ilog2() - FINE.ilog2();
    let step = (FINE / 8) << doubling;
    let steps = (bytes - (FINE << doubling)).div_ceil(step);
    ((FINE << doubling) + steps * step, FINE / UNIT + 8 * doubling as usize + steps - 1)
}

/// The size of the largest block in this many bytes, such that what remains is nothing, or at least `smallest` too.
/// `bytes` is a multiple of UNIT, and at least `smallest`.
pub(super) fn largest_within(bytes: usize, smallest: usize) -> usize {
    let floor = |bytes: usize| {
        let within = bytes.min(32 << 10);
        if within <= FINE {
            return within;
        }
        let doubling = within.ilog2() - FINE.ilog2();
        within & !(((FINE / 8) << doubling) - 1)
    };
    let size = floor(bytes);
    if (1..smallest).contains(&(bytes - size)) { floor(size - smallest) } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_waste_at_most_an_eighth_and_are_in_order() {
        let mut last = 0;
        for bytes in 1..=32 << 10 {
            let (size, class) = size_class(bytes);
            assert!(size >= bytes && size.is_multiple_of(UNIT) && class < CLASSES, "{bytes}: {size}, {class}");
            assert!(size - bytes < UNIT.max(bytes / 8), "{bytes}: {size}");
            assert!(class == last || class == last + 1, "{bytes}: {class} after {last}");
            assert_eq!(size_class(size), (size, class));
            last = class;
        }
        assert_eq!(last, CLASSES - 1);
    }

    #[test]
    fn any_room_is_cut_into_blocks_without_rest() {
        const SMALLEST: usize = 2 * UNIT;
        for room in (SMALLEST..=80 << 10).step_by(UNIT) {
            let mut rest = room;
            while rest > 0 {
                let size = largest_within(rest, SMALLEST);
                assert!((SMALLEST..=rest).contains(&size) && size_class(size).0 == size, "{room}: {size} of {rest}");
                rest -= size;
            }
        }
    }
}
