//! The header in front of each entry, and where key and value follow it in the same block.
//!
//! ```text
//! | header, 24 bytes | key | padding to 16 | value |
//! ```

use std::ptr::{self, NonNull};

use super::size_class::{UNIT, size_class};
use crate::epoch::retire::Retired;
use crate::sync::atomic::{AtomicU8, AtomicU32};

/// The header of an entry. Threads may write the link and `access` while others read the entry, so no code makes a
/// reference to a whole header: fields are accessed in place.
#[repr(C)]
pub(super) struct Header {
    /// The number of counted shares, and flags.
    pub(super) shares: AtomicU32,
    pub(super) key_len: u32,
    /// The block's distance from the start of its chunk, in units.
    pub(super) units: u16,
    /// Whether a lookup has found the entry since the last visit of eviction. Apart from the counts of pins, which
    /// other threads write.
    pub(super) access: AtomicU8,
    /// How many more visits of eviction the entry survives without an access, or [`UNVISITED`]. Only the table's writer
    /// uses it.
    pub(super) credits: AtomicU8,
    /// The value's length; [`LARGE`] if only the chunk has it.
    pub(super) value_len: u32,
    /// While the entry is in a table: its cost, for the table's writer. Afterwards the link of the list that it is on:
    /// retired entries, or holes.
    pub(super) link: Retired,
}

/// Bytes of a header.
pub(super) const HEADER: usize = size_of::<Header>();

/// Flag: the table has the entry. This share is counted neither in the entry nor in the chunk. An entry that was moved
/// or evicted with its chunk keeps the flag until the chunk is freed.
pub(super) const IN_TABLE: u32 = 1 << 31;
/// Flag: the block is free. No other bit is set.
pub(super) const HOLE: u32 = 1 << 30;
/// Mask of the counted shares: one for the maker, one for each counted pin, one for the retire list.
pub(super) const COUNT: u32 = HOLE - 1;
/// An entry whose count reaches this is never freed, and further pins of it are not counted.
pub(super) const SATURATED: u32 = COUNT;
/// At this count or above no share is subtracted. So a count that has reached [`SATURATED`] stays far above 0: only
/// subtractions in progress at that moment, one per thread, can lower it.
pub(super) const STICKY: u32 = SATURATED / 2;

/// `access`: no lookup has found the entry since the last visit.
pub(super) const UNTOUCHED: u8 = 0;
/// `access`: a lookup has found it.
pub(super) const TOUCHED: u8 = 1;
/// `access`: lookups do not mark the entry, because its table does not evict.
pub(super) const UNTRACKED: u8 = 2;

/// Marks a value whose length does not fit into the header: other lengths are below it.
pub(super) const LARGE: u32 = 1 << 31;

impl Header {
    /// The header of a new block.
    pub(super) fn new(key_len: u32, value_len: u32, shares: u32, units: u16, standing: Standing) -> Self {
        Header {
            shares: AtomicU32::new(shares),
            key_len,
            units,
            access: AtomicU8::new(standing.access),
            credits: AtomicU8::new(standing.credits),
            value_len,
            link: Retired { next: ptr::without_provenance_mut(standing.cost as usize) },
        }
    }
}

/// `credits`: eviction has not visited the entry since it was stored, or since a lookup found it.
pub(super) const UNVISITED: u8 = u8::MAX;

/// What eviction knows about an entry.
#[derive(Clone, Copy)]
pub(super) struct Standing {
    pub(super) access: u8,
    pub(super) credits: u8,
    /// Nanoseconds of computation.
    pub(super) cost: u64,
}

impl Standing {
    /// That of an entry that is not in a table yet.
    pub(super) const NONE: Standing = Standing { access: UNTRACKED, credits: 0, cost: 0 };
}

/// The length of a value, as the header has it.
pub(super) fn header_len(value_len: usize) -> u32 {
    value_len.min(LARGE as usize) as u32
}

/// The offset of the value in a block.
#[inline(always)]
pub(super) fn value_offset(key_len: usize) -> usize {
    (HEADER + key_len + UNIT - 1) & !(UNIT - 1)
}

/// The size of a block in a chunk that holds several. A hole keeps the lengths of the entry that it was.
///
/// # Safety
/// The chunk is alive.
pub(super) unsafe fn block_size(block: NonNull<Header>) -> usize {
    // SAFETY: the caller's promise.
    let (key_len, value_len) = unsafe { ((*block.as_ptr()).key_len, (*block.as_ptr()).value_len) };
    size_class(value_offset(key_len as usize) + value_len as usize).0
}

/// The smallest block: a header, and room for the second link of a hole.
pub(super) const SMALLEST: usize = (HEADER + size_of::<*mut Header>()).next_multiple_of(UNIT);

/// The header that contains a link.
///
/// # Safety
/// The link is the field of a header, and was made from a pointer to that header's block.
#[inline(always)]
pub(super) unsafe fn header_of(link: NonNull<Retired>) -> NonNull<Header> {
    // SAFETY: the caller's promise.
    unsafe { link.byte_sub(std::mem::offset_of!(Header, link)).cast() }
}

/// The link in a header.
#[inline(always)]
pub(super) fn link_of(header: NonNull<Header>) -> NonNull<Retired> {
    // SAFETY: the offset is inside the header.
    unsafe { header.byte_add(std::mem::offset_of!(Header, link)).cast() }
}
