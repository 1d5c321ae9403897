//! Frees what was unlinked, once no thread can be looking at it.
//!
//! A thread that unlinks something puts it on its own retire list. From time to time a list is collected:
//!
//! 1. A heavy barrier makes every participant current: a reader has either written its epoch, or will not find what is
//!    unlinked.
//! 2. What was retired before the oldest read section began is out of reach of all sections.
//! 3. Of that, what no hazard slot protects is freed; the rest goes back on the list.
//!
//! The slots are read after the epochs: an address that was protected in a section that has ended is seen.
//!
//! No thread waits for readers: what cannot be freed now is looked at again at the next collection.

use std::ptr::NonNull;

use super::fork_gate::without_fork;
use super::hazard::HazardSet;
use super::participant::Participant;
use super::retire_list::RetireList;
use super::threads::{any_slot, drop_orphans, heavy_barrier, participants, threads, with};
use crate::sync::atomic::Ordering;

pub(crate) use super::retire_list::{Kind, Retired};

/// A list is collected when it has grown to this length, or to this many bytes.
const LEN: usize = if cfg!(shuttle) { 1 } else { 256 };
const BYTES: u64 = 256 << 10;

/// Retires something that takes `bytes`. It is freed now or later, by this thread or another; with `at_once`,
/// collection does not wait until the list is full.
///
/// # Safety
/// `link` is inside a thing of this kind that no longer can be found, is not retired yet, and lives until it is freed.
pub(crate) unsafe fn retire(kind: Kind, link: NonNull<Retired>, bytes: u64, at_once: bool) {
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

/// Whether something waits to be freed.
pub(crate) fn is_anything_retired() -> bool {
    participants().any(|participant| participant.garbage_bytes.load(Ordering::Relaxed) != 0)
}

/// Frees what can be freed, whichever thread retired it.
pub fn flush() {
    drop_orphans();
    participants().filter(|participant| participant.garbage_bytes.load(Ordering::Relaxed) != 0).for_each(collect);
}

/// Collects the list of a participant.
#[cold]
fn collect(participant: &Participant) {
    // A fork in the middle would lose what this thread has in hand.
    without_fork(|| collect_without_fork(participant));
}

fn collect_without_fork(participant: &Participant) {
    let mut garbage = participant.garbage.lock();
    let (recent, waiting, since) = (garbage.recent.take(), garbage.waiting.take(), garbage.since);
    drop(garbage);
    // Everything on the lists was unlinked before this. Acquire and Release: a section that begins with the new epoch
    // has seen all of that.
    let now = threads().epoch.fetch_add(1, Ordering::AcqRel) + 1;
    let all_passed = heavy_barrier();
    // Acquire pairs with the end of a section: its reads come before what is freed here.
    let epochs = participants().map(|reader| reader.epoch.load(Ordering::Acquire)).filter(|epoch| *epoch != 0);
    let oldest = if all_passed { epochs.min().unwrap_or(u64::MAX) } else { 0 };
    let (mut ready, mut left) = (RetireList::new(), RetireList::new());
    for (list, since) in [(waiting, since), (recent, now)] {
        if since <= oldest { &mut ready } else { &mut left }.append(list);
    }
    if !ready.is_empty() {
        // Read after the epochs: an address protected in a section that has ended is seen.
        let hazards = HazardSet::read(any_slot);
        // SAFETY: all sections began after everything on the list was unlinked.
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
