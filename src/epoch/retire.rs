//! Frees objects that were unlinked, once no thread can be reading them.
//!
//! A thread that unlinks an object puts it on its retire list. When the list is full, it is collected:
//!
//! 1. A heavy barrier: afterwards each reader has either published its epoch, or will not find the unlinked objects.
//! 2. Objects that were retired before the oldest open section began are unreachable for all sections.
//! 3. Those of them that no hazard slot protects are freed. The others stay on the list until the next collection.
//!
//! Hazard slots are read after the epochs, so that an address that a section protected before it ended is seen. No
//! thread waits for readers.

use std::ptr::NonNull;

use super::fork_gate::without_fork;
use super::hazard::HazardSet;
use super::participant::Participant;
use super::retire_list::RetireList;
use super::threads::{any_slot, drop_orphans, heavy_barrier, participants, threads, with};
use crate::sync::atomic::Ordering;

pub(crate) use super::retire_list::{Retired, RetiredKind};

/// A list is collected when it has grown to this length, or to this many bytes.
const LEN: usize = if cfg!(shuttle) { 1 } else { 256 };
const BYTES: u64 = 256 << 10;

/// Retires an object of `bytes`. This thread or another frees it later. With `at_once`, the list is collected now even
/// if it is not full.
///
/// # Safety
/// `link` is in an object of this kind that new readers cannot find, that is retired once, and that only `kind.drop`
/// frees.
pub(crate) unsafe fn retire(kind: RetiredKind, link: NonNull<Retired>, bytes: u64, at_once: bool) {
    with(|participant| {
        let mut garbage = participant.garbage.lock();
        // SAFETY: the caller's promise.
        unsafe { garbage.recent.push(kind, link, bytes) };
        let bytes = garbage.recent.bytes() + garbage.waiting.bytes();
        participant.garbage_bytes.store(bytes.max(1), Ordering::Relaxed);
        let full = garbage.recent.len() >= LEN || garbage.recent.bytes() >= BYTES;
        drop(garbage);
        if full || at_once {
            collect(participant);
        }
    });
}

/// Whether any thread has retired objects that are not freed.
pub(crate) fn is_anything_retired() -> bool {
    participants().any(|participant| participant.garbage_bytes.load(Ordering::Relaxed) != 0)
}

/// Collects the retire lists of all threads.
pub fn flush() {
    drop_orphans();
    participants().filter(|participant| participant.garbage_bytes.load(Ordering::Relaxed) != 0).for_each(collect);
}

/// Collects the retire list of a participant.
#[cold]
fn collect(participant: &Participant) {
    // A fork in between would lose the lists that this thread has taken.
    without_fork(|| collect_without_fork(participant));
}

fn collect_without_fork(participant: &Participant) {
    let mut garbage = participant.garbage.lock();
    let (recent, waiting, since) = (garbage.recent.take(), garbage.waiting.take(), garbage.since);
    drop(garbage);
    // Everything on the lists was unlinked before this. Release: a section that begins with the new epoch sees that.
    let now = threads().epoch.fetch_add(1, Ordering::AcqRel) + 1;
    let all_passed = heavy_barrier();
    // Acquire pairs with the end of a section: its reads come before the frees below.
    let epochs = participants().map(|reader| reader.epoch.load(Ordering::Acquire)).filter(|epoch| *epoch != 0);
    let oldest = if all_passed { epochs.min().unwrap_or(u64::MAX) } else { 0 };
    let (mut ready, mut left) = (RetireList::new(), RetireList::new());
    for (list, since) in [(waiting, since), (recent, now)] {
        if since <= oldest { &mut ready } else { &mut left }.append(list);
    }
    if !ready.is_empty() {
        // Read after the epochs, so that addresses protected in sections that have ended are seen.
        let hazards = HazardSet::read(any_slot);
        // SAFETY: all open sections began after everything on the list was unlinked.
        unsafe { ready.free(&hazards, &mut left) };
    }
    let mut garbage = participant.garbage.lock();
    if !left.is_empty() {
        garbage.waiting.append(left);
        // Another thread may have collected this list meanwhile, at a later epoch.
        garbage.since = garbage.since.max(now);
    }
    let bytes = garbage.recent.bytes() + garbage.waiting.bytes();
    let is_empty = garbage.recent.is_empty() && garbage.waiting.is_empty();
    participant.garbage_bytes.store(if is_empty { 0 } else { bytes.max(1) }, Ordering::Relaxed);
}
