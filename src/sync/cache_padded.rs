//! Padding against false sharing: a cache line that one thread writes and another uses travels between their cores,
//! which costs more than a whole lookup.

use std::ops::Deref;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Separates two fields of a `repr(C)` struct: they are never on one line, wherever the struct is placed. Aligning the
/// struct to lines would do the same, but aligned memory takes longer to allocate.
#[derive(Default)]
pub struct Padding {
    _bytes: [u64; LINE / 8 - 1],
}

/// Whether two words at these offsets of a struct never share a line.
pub const fn on_separate_lines(one: usize, other: usize) -> bool {
    one.abs_diff(other) >= LINE
}

impl Padding {
    /// The padding.
    pub const fn new() -> Self {
        Padding { _bytes: [0; LINE / 8 - 1] }
    }
}

/// A value alone on its cache lines.
#[derive(Default)]
#[repr(align(64))]
pub struct CachePadded<T>(pub T);

impl<T> Deref for CachePadded<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}
