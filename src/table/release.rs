//! The shares in an entry: each is given up once, and the last one frees the entry's block.
//!
//! | share | counted | given up |
//! |---|---|---|
//! | the table's | no: a flag | when the entry leaves the table: it becomes the retire list's |
//! | the retire list's | yes | when no read section can reach the entry and no hazard slot protects it |
//! | the maker's, a counted pin's | yes | when it is dropped |

use std::ptr::NonNull;

use super::arena::Chunk;
use super::entry::EntryRef;
use super::header::{COUNT, HOLE, Header, IN_TABLE, SATURATED, STICKY, header_of, link_of};
use crate::epoch::retire::{Retired, RetiredKind, retire};
use crate::epoch::{HazardSet, RetireList, without_fork};
use crate::memory::Bounds;
use crate::sync::atomic::{Ordering, fence};

/// Retired entries.
const ENTRY: RetiredKind = RetiredKind { chain: 1, drop: drop_retired };

/// The shares of an entry in the table that has one counted pin.
const LAST_PIN: u32 = IN_TABLE | 1;

/// Turns the table's share into a counted one, for the writer that removes the entry.
///
/// # Safety
/// The table has the entry, and the caller is its only writer.
pub(super) unsafe fn count_table_share(entry: NonNull<Header>) {
    // SAFETY: the table's share keeps the entry alive, and with it the chunk.
    unsafe {
        Chunk::share(Chunk::of(entry));
        // A saturated count does not change, and its entry is never freed.
        let counted = |shares: u32| Some((shares & !IN_TABLE) + u32::from(shares & COUNT < SATURATED));
        let _ = (*entry.as_ptr()).shares.fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted);
    }
}

/// Retires an entry that was removed from its table.
///
/// # Safety
/// New readers cannot find the entry. The table's share was counted ([`count_table_share`]) and belongs to the list.
pub(super) unsafe fn retire_entry(entry: NonNull<Header>, bounds: &Bounds) {
    // SAFETY: the caller's promise.
    unsafe {
        let most = (*Chunk::of(entry)).arena.as_ref().map_or(u64::MAX, |arena| arena.most_retired(bounds));
        retire(ENTRY, link_of(entry), EntryRef::new(entry).weight(), most);
    }
}

/// Gives up the retire list's share in an entry, unless a hazard slot protects it.
unsafe fn drop_retired(link: NonNull<Retired>, hazards: &HazardSet, left: &mut RetireList) {
    // SAFETY: only entries are retired as this kind, each with a counted share.
    unsafe {
        let entry = header_of(link);
        if hazards.contains(entry.as_ptr().cast()) {
            left.push(ENTRY, link, EntryRef::new(entry).weight());
        } else {
            release(entry);
        }
    }
}

/// Gives up the table's share in the entry of a block, if it has one, in a closed chunk. Without other shares the block
/// becomes a hole. An entry that a hazard slot protects is retired.
///
/// # Safety
/// No read section can reach the entry. The chunk is in no list, and the caller has a share in it.
pub(super) unsafe fn leave_table(block: NonNull<Header>, hazards: &HazardSet, left: &mut RetireList) {
    // SAFETY: the chunk is alive.
    unsafe {
        let entry = EntryRef::new(block);
        if entry.shares().load(Ordering::Acquire) & IN_TABLE == 0 {
            return;
        }
        if hazards.contains(block.as_ptr().cast()) {
            count_table_share(block);
            left.push(ENTRY, link_of(block), entry.weight());
        } else if entry.shares().fetch_sub(IN_TABLE, Ordering::AcqRel) == IN_TABLE {
            // No other owner is left to free it.
            entry.shares().store(HOLE, Ordering::Relaxed);
        }
    }
}

/// Gives up a counted share; the last one frees the entry, if no table has it.
///
/// # Safety
/// The share was the caller's.
pub(super) unsafe fn release(entry: NonNull<Header>) {
    // SAFETY: the share keeps the block alive, and has a share in the chunk.
    unsafe {
        let chunk = Chunk::of(entry);
        if (*entry.as_ptr()).shares.load(Ordering::Relaxed) & COUNT >= STICKY {
            // The entry and its chunk are never freed.
            return;
        }
        // A fork in between would find the arena's lock held, or lose the block.
        without_fork(|| {
            // Release: the reads of this owner come before the block is reused.
            let before = (*entry.as_ptr()).shares.fetch_sub(1, Ordering::Release);
            match before & (COUNT | IN_TABLE) {
                1 => {
                    // Pairs with the Release of the other owners.
                    fence(Ordering::Acquire);
                    Chunk::put_back(chunk, entry);
                }
                LAST_PIN => Chunk::note_released(chunk, entry),
                _ => {}
            }
            Chunk::release(chunk);
        });
    }
}
