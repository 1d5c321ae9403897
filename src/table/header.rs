//! The header in front of each entry, and where key and value follow it in the same block.
//!
//! ```text
//! | header, 24 bytes | key | padding to 16 | value |
//! ```

use std::ptr::NonNull;

use super::size_class::UNIT;
use crate::epoch::retire::Retired;
use crate::sync::atomic::AtomicU32;

/// The header of an entry. Threads may write the link while others read the entry, so no code makes a reference to a
/// whole header: fields are accessed in place.
#[repr(C)]
pub(super) struct Header {
    /// The number of counted shares, and two flags.
    pub(super) shares: AtomicU32,
    pub(super) key_len: u32,
    /// The block's distance from the start of its chunk, in units.
    pub(super) units: u32,
    /// The value's length; [`LARGE`] if only the chunk has it.
    pub(super) value_len: u32,
    /// The link of the list that the entry is on: retired entries, or free blocks.
    pub(super) link: Retired,
}

/// Bytes of a header.
pub(super) const HEADER: usize = size_of::<Header>();

/// Flag: the table has the entry. This share is counted neither in the entry nor in the chunk.
pub(super) const IN_TABLE: u32 = 1 << 31;
/// Flag: the entry is charged to the table's account until it is freed.
pub(super) const CHARGED: u32 = 1 << 30;
/// Mask of the counted shares: one for the maker, one for each counted pin, one for the retire list.
pub(super) const COUNT: u32 = CHARGED - 1;
/// An entry whose count reaches this is never freed, and further pins of it are not counted.
pub(super) const SATURATED: u32 = COUNT;
/// At this count or above no share is subtracted. So a count that has reached [`SATURATED`] stays far above 0: only
/// subtractions in progress at that moment, one per thread, can lower it.
pub(super) const STICKY: u32 = SATURATED / 2;

/// Marks a value whose length does not fit into the header.
pub(super) const LARGE: u32 = u32::MAX;

/// The offset of the value in a block.
#[inline(always)]
pub(super) fn value_offset(key_len: usize) -> usize {
    (HEADER + key_len + UNIT - 1) & !(UNIT - 1)
}

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
