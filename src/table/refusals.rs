//! Refused insertions: whether another attempt to make room would end like the last one.
//!
//! An attempt that finds nothing to evict is not repeated before something has changed: an entry came or left, memory
//! became free, or a pin was released. A counted share that is given up makes a hole, or tells the arena if the entry
//! is in the table. A hazard slot that is cleared leaves no trace, so the slots of the storing thread are compared, and
//! those of others are left to an attempt now and then.
//!
//! What was evicted cannot be freed while a read section is open that began before. One attempt is made then; others
//! would evict all entries for nothing.

use super::arena::Arena;
use crate::epoch::{protected, retire};
use crate::sync::try_box;

/// After this many refusals, retired objects are collected even if the last collection freed nothing.
const PER_COLLECTION: u32 = 1024;

/// The same while attempts are in vain, as when all entries are pinned: other threads may have released some.
const PER_COLLECTION_IN_VAIN: u32 = 64;

/// The refused insertions of a table; nothing before the first one, because few tables are ever full.
#[derive(Default)]
pub(super) struct Refusals(Option<Box<Attempt>>);

/// The last attempt to make room that did not make enough.
#[derive(Default)]
struct Attempt {
    /// The number of refusals.
    count: u32,
    /// Whether it was in vain: nothing was left to evict.
    in_vain: bool,
    /// The age of the arena when eviction last found something.
    found_at: u32,
    /// The bytes for which there was no room.
    weight: u64,
    /// The state afterwards: of the table, and the bytes of holes and on the account.
    changes: u64,
    room: u64,
    held: u64,
    /// The hazard slots of the storing thread.
    protected: usize,
    /// Whether another attempt is due.
    is_due: bool,
    /// The read section that kept what it has evicted, by its epoch; 0 for none.
    section: u64,
}

impl Refusals {
    pub(super) const NONE: Refusals = Refusals(None);

    /// Whether a collection may free something: if retired objects wait for one, and at times anyway, because
    /// pins may have been released meanwhile.
    pub(super) fn may_free(&mut self) -> bool {
        if self.0.is_none() {
            self.0 = try_box(Attempt::default()).ok();
        }
        // Without memory for the count it may.
        let Some(last) = &mut self.0 else { return true };
        last.count = last.count.wrapping_add(1);
        let (most, has_released) = match last.in_vain {
            true => {
                let before = std::mem::replace(&mut last.protected, protected());
                (PER_COLLECTION_IN_VAIN, before != last.protected)
            }
            false => (PER_COLLECTION, false),
        };
        last.is_due = has_released || last.count.is_multiple_of(most);
        last.is_due || retire::may_free()
    }

    /// Whether nothing has changed since an attempt to make this much room was in vain, or a read section still keeps
    /// what was evicted then.
    pub(super) fn is_in_vain(&self, weight: u64, changes: u64, arena: &Arena) -> bool {
        self.0.as_ref().is_some_and(|last| {
            if last.section != 0 && last.section == retire::blocking_section() {
                return true;
            }
            let (now, then) = ((changes, arena.room(), arena.account.bytes()), (last.changes, last.room, last.held));
            last.in_vain && !last.is_due && arena.awaits_release() && weight >= last.weight && now == then
        })
    }

    /// Notes an attempt to make room for `weight` bytes, and whether it `found` something to evict. It was in vain if
    /// such attempts have visited all chunks and found nothing.
    pub(super) fn note(&mut self, found: bool, weight: u64, changes: u64, arena: &Arena) {
        let Some(last) = &mut self.0 else { return };
        if found || changes != last.changes {
            last.found_at = arena.age();
        }
        last.section = if found { retire::blocking_section() } else { 0 };
        last.in_vain = arena.is_renewed_since(last.found_at);
        arena.await_release(true);
        if last.in_vain {
            arena.owe_nothing();
        }
        (last.weight, last.changes, last.protected) = (weight, changes, protected());
        (last.room, last.held) = (arena.room(), arena.account.bytes());
    }
}
