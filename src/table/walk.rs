//! Walks: every entry of a table once, while other threads read and change it.
//!
//! A walk takes the hashes in an order that no change of the table affects, and remembers the [position](position) up
//! to which it is done. Each step takes the entries of one home bucket of one segment, in whatever shape the table has
//! at that moment.
//!
//! # The order
//!
//! A position is the bits of a hash that choose a bucket, reversed, and then those that choose a segment, reversed:
//!
//! ```text
//! hash       ....  home bits h9 … h1 h0  ....  slot bits … s2 s1 s0  ....
//! position         h0 h1 … h9  s0 s1 s2 …
//! ```
//!
//! A segment of 2^b buckets chooses by the b lowest home bits, which are the b highest bits of the position. A table
//! has several segments only if they have the maximum size; then all home bits choose the bucket, and the d lowest slot
//! bits the segment of depth d: the highest bits of the position again. So the entries of one home bucket of one
//! segment are those of one interval of positions, in every shape. Growth splits the interval, clearing joins it with
//! others.
//!
//! # Why an entry that stays is seen once, and any other at most once
//!
//! A step takes only entries between the walk's position and the end of the interval, and moves the position to that
//! end. An entry's position depends only on its key. So no later step takes a key again, wherever the entry is by then.
//!
//! An entry that stays is in its home bucket, or in one that the home has overflowed to, when its interval's step reads
//! these buckets. The step is the table's writer meanwhile, for as long as it takes to read one home bucket: only a
//! writer may read costs, and no entry changes its slot. Readers never wait. Lock and read section end with the step:
//! the entries are handed out pinned.

use super::bucket::Bucket;
use super::directory::{BUCKETS, Directory, SLOT};
use super::entry::EntryRef;
use super::evict::cost_of;
use super::hash::hash;
use super::pin::Pinned;
use super::segment::HOME;
use super::table::Table;
use crate::epoch::{self, Guard, without_fork};
use crate::error::{Error, Result};
use crate::sync::atomic::Ordering;

/// The bits of a position that choose a bucket, and those that choose a segment: more than any directory uses.
const HOME_BITS: u32 = BUCKETS.ilog2();
const SLOT_BITS: u32 = u32::BITS;

/// The position after the last one.
const END: u64 = 1 << (HOME_BITS + SLOT_BITS);

const _: () = assert!(SLOT + SLOT_BITS <= HOME, "no bit of a hash is in a position twice");

/// The position of a hash.
fn position(hash: u64) -> u64 {
    let home = (hash >> HOME) as u32 & (BUCKETS - 1) as u32;
    let slot = (hash >> SLOT) as u32;
    u64::from(home.reverse_bits() >> (u32::BITS - HOME_BITS)) << SLOT_BITS | u64::from(slot.reverse_bits())
}

/// A hash at a position.
fn hash_at(position: u64) -> u64 {
    let home = ((position >> SLOT_BITS) as u32).reverse_bits() >> (u32::BITS - HOME_BITS);
    let slot = (position as u32).reverse_bits();
    u64::from(home) << HOME | u64::from(slot) << SLOT
}

/// How far a walk is. The default is its beginning.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// All entries before this position are done.
    position: u64,
}

/// An entry that a walk has come to.
pub struct Walked {
    /// The entry.
    pub entry: Pinned,
    /// The nanoseconds that its computation took; 0 if that is not known.
    pub cost: u64,
}

impl Table {
    /// Continues a walk: puts the next entries, those of one home bucket, into `walked`, which is empty. It stays empty
    /// at the end of the walk. On an error the walk is where it was.
    pub fn walk(&self, walk: &mut Walk, walked: &mut Vec<Walked>) -> Result<()> {
        while walked.is_empty() && walk.position < END {
            let end = without_fork(|| {
                let _unchanged = self.lock_writers();
                epoch::read(|guard| self.step(guard, walk.position, walked))
            });
            walk.position = end.inspect_err(|_| walked.clear())?;
        }
        Ok(())
    }

    /// Pins the entries of the interval that contains a position, from there on; returns the interval's end. Only for
    /// the writer.
    fn step(&self, guard: &Guard, from: u64, walked: &mut Vec<Walked>) -> Result<u64> {
        let directory = self.directory.load(Ordering::Acquire);
        if directory.is_null() {
            return Ok(END);
        }
        // SAFETY: the directory and its segments live as long as we are the writer.
        let (segment, depth) = unsafe {
            let slot = Directory::slot(directory, hash_at(from));
            (slot.segment(), slot.depth())
        };
        let chosen = segment.bucket_count().ilog2() + depth;
        let end = (from | (END - 1) >> chosen) + 1;
        for (_, word) in segment.buckets_of(hash_at(from)).flat_map(Bucket::occupied) {
            // SAFETY: the entry is in the table as long as we are the writer.
            let entry = unsafe { EntryRef::new(word.entry()) };
            if (from..end).contains(&position(hash(entry.key()))) {
                walked.try_reserve(1).map_err(|_| Error::OutOfMemory(size_of::<Walked>()))?;
                // SAFETY: we are the writer.
                let cost = unsafe { cost_of(word.entry()) };
                walked.push(Walked { entry: Pinned::new(guard, entry), cost });
            }
        }
        Ok(end)
    }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
