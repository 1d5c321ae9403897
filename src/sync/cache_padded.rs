//! Keeps what one thread writes off the cache lines of what others read: a line that two threads want, one of them to write,
//! goes to and fro between them, and costs more than the whole lookup.

use std::ops::Deref;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Stands between two fields of a `repr(C)` struct: they are never on one line, wherever the struct lies. A struct aligned to
/// lines would do so too, but takes longer to allocate.
#[derive(Default)]
pub struct Padding {
    _room: [u64; LINE / 8 - 1],
}

/// Whether two words, at these offsets, never share a line.
pub const fn on_separate_lines(one: usize, other: usize) -> bool {
    one.abs_diff(other) >= LINE
}

impl Padding {
    /// The gap.
    pub const fn new() -> Self {
        Padding { _room: [0; LINE / 8 - 1] }
    }
}

/// Has whole cache lines for itself.
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
