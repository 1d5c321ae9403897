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
//! No thread waits for readers. What a read section keeps from being freed is collected when that section ends, if it is one
//! that a caller opened, or by the next change of any table after it. What a hazard slot protects is looked at again at the
//! next collection.

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

/// Retires something that takes `bytes`. It is freed now or later, by this thread or another; with `at_once`, collection
/// does not wait until the list is full.
///
/// # Safety
/// `link` is inside a thing of this kind that no longer can be found, is not retired yet, and lives until it is freed.
pub(crate) unsafe fn retire(kind: Kind, link: NonNull<Retired>, bytes: u64, at_once: bool) {
    with(|participant| {
        let mut garbage = participant.garbage.lock();
        // SAFETY: the caller's promise.
        unsafe { garbage.fresh.push(kind, link, bytes) };
        let bytes = garbage.fresh.bytes() + garbage.waiting.bytes();
        participant.garbage_bytes.store(bytes.max(1), Ordering::Relaxed);
        let flushed = &threads().flushed;
        if flushed.load(Ordering::Relaxed) != 0 {
            flushed.store(0, Ordering::Relaxed);
        }
        let full = garbage.fresh.len() >= LEN || garbage.fresh.bytes() >= BYTES;
        drop(garbage);
        if full || at_once {
            collect(participant);
        }
    });
}

/// Whether [`flush`] may free something. False after a flush, until something is retired, or the epoch moves.
#[inline(always)]
pub(crate) fn may_free() -> bool {
    let threads = threads();
    threads.flushed.load(Ordering::Relaxed) != threads.epoch.load(Ordering::Relaxed)
}

/// Frees what can be freed, whichever thread retired it.
pub fn flush() {
    drop_orphans();
    let threads = threads();
    threads.blocked_by.store(0, Ordering::Relaxed);
    let retired = |participant: &&Participant| participant.garbage_bytes.load(Ordering::Relaxed) != 0;
    // Before the lists are read: a thread that retires something meanwhile resets it.
    threads.flushed.store(u64::MAX, Ordering::Relaxed);
    participants().filter(retired).for_each(collect);
    let now = threads.epoch.load(Ordering::Relaxed);
    let _ = threads.flushed.compare_exchange(u64::MAX, now, Ordering::Relaxed, Ordering::Relaxed);
}

/// Frees what a read section kept from being freed, if that section has ended.
#[inline(always)]
pub(crate) fn flush_if_unblocked() {
    let blocked_by = threads().blocked_by.load(Ordering::Relaxed);
    if blocked_by != 0 {
        flush_unless_blocked(blocked_by);
    }
}

#[cold]
#[inline(never)]
fn flush_unless_blocked(blocked_by: u64) {
    // Without a barrier: a flush too many costs time, one too few is made up for by the next.
    let epochs = participants().map(|reader| reader.epoch.load(Ordering::Acquire)).filter(|epoch| *epoch != 0);
    if epochs.min().is_none_or(|oldest| oldest > blocked_by) {
        flush();
    }
}

/// Collects the list of a participant.
#[cold]
fn collect(participant: &Participant) {
    // A fork in the middle would lose what this thread has in hand.
    without_fork(|| collect_without_fork(participant));
}

fn collect_without_fork(participant: &Participant) {
    let mut garbage = participant.garbage.lock();
    let (fresh, waiting, since) = (garbage.fresh.take(), garbage.waiting.take(), garbage.since);
    drop(garbage);
    // Everything on the lists was unlinked before this. Acquire and Release: a section that begins with the new epoch has
    // seen all of that.
    let now = threads().epoch.fetch_add(1, Ordering::AcqRel) + 1;
    let all_passed = heavy_barrier();
    // Acquire pairs with the end of a section: its reads come before what is freed here.
    let epochs = participants().map(|reader| reader.epoch.load(Ordering::Acquire)).filter(|epoch| *epoch != 0);
    let oldest = if all_passed { epochs.min().unwrap_or(u64::MAX) } else { 0 };
    let (mut ready, mut left) = (RetireList::new(), RetireList::new());
    for (list, since) in [(waiting, since), (fresh, now)] {
        if since <= oldest { &mut ready } else { &mut left }.append(list);
    }
    if !left.is_empty() {
        threads().blocked_by.store(oldest.max(1), Ordering::Relaxed);
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
    let bytes = garbage.fresh.bytes() + garbage.waiting.bytes();
    let is_empty = garbage.fresh.is_empty() && garbage.waiting.is_empty();
    participant.garbage_bytes.store(if is_empty { 0 } else { bytes.max(1) }, Ordering::Relaxed);
}
