//! Frees objects that were unlinked, once no thread can be reading them.
//!
//! A thread that unlinks an object puts it on its retire list. When the list is full, it is collected:
//!
//! 1. A heavy barrier: afterwards each reader has either published its epoch, or will not find the unlinked objects.
//! 2. Objects that were retired before the oldest open section began are unreachable for all sections.
//! 3. Those of them that no hazard slot protects are freed. The others stay on the list until the next collection.
//!
//! Hazard slots are read after the epochs, so that an address that a section protected before it ended is seen. No
//! thread waits for readers. Objects that a read section keeps alive are collected when that section ends, if a caller
//! opened it, or by the next change of any table after it. Objects that a hazard slot protects wait for the next
//! collection.

use std::ptr::{self, NonNull};

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

/// Retires an object of `bytes`. This thread or another frees it later. The list is collected now if it has come to
/// `most` bytes, even if it is not full.
///
/// # Safety
/// `link` is in an object of this kind that new readers cannot find, that is retired once, and that only `kind.drop`
/// frees.
pub(crate) unsafe fn retire(kind: RetiredKind, link: NonNull<Retired>, bytes: u64, most: u64) {
    with(|participant| {
        let mut garbage = participant.garbage.lock();
        // SAFETY: the caller's promise.
        unsafe { garbage.recent.push(kind, link, bytes) };
        let bytes = garbage.recent.bytes() + garbage.waiting.bytes();
        participant.garbage_bytes.store(bytes.max(1), Ordering::Relaxed);
        let flushed = &threads().flushed;
        if flushed.load(Ordering::Relaxed) != 0 {
            flushed.store(0, Ordering::Relaxed);
        }
        let is_full = garbage.recent.len() >= LEN || garbage.recent.bytes() >= BYTES.min(most);
        drop(garbage);
        if is_full {
            collect(participant);
        }
    });
}

/// Whether [`flush`] may free something. False after a flush, until something is retired or the epoch moves.
#[inline(always)]
pub(crate) fn may_free() -> bool {
    let threads = threads();
    threads.flushed.load(Ordering::Relaxed) != threads.epoch.load(Ordering::Relaxed)
}

/// Collects the retire lists of all threads.
pub fn flush() {
    drop_orphans();
    let threads = threads();
    threads.blocker.store(ptr::null_mut(), Ordering::Relaxed);
    let retired = |participant: &&Participant| participant.garbage_bytes.load(Ordering::Relaxed) != 0;
    // Set before the lists are read: a thread that retires an object meanwhile resets it.
    threads.flushed.store(u64::MAX, Ordering::Relaxed);
    participants().filter(retired).for_each(collect);
    let now = threads.epoch.load(Ordering::Relaxed);
    let _ = threads.flushed.compare_exchange(u64::MAX, now, Ordering::Relaxed, Ordering::Relaxed);
}

/// Collects objects that a read section kept alive, if that section has ended.
#[inline(always)]
pub(crate) fn flush_if_unblocked() {
    if !threads().blocker.load(Ordering::Relaxed).is_null() {
        flush_unless_blocked();
    }
}

#[cold]
#[inline(never)]
fn flush_unless_blocked() {
    // A superfluous flush costs time; a missed one is made up for by the next change of a table.
    if blocking_section() == 0 {
        flush();
    }
}

/// The epoch of the read section that kept the last collection from freeing something, if that is still open; else 0.
pub fn blocking_section() -> u64 {
    // SAFETY: participants are never freed.
    let Some(blocker) = (unsafe { threads().blocker.load(Ordering::Acquire).as_ref() }) else { return 0 };
    let epoch = blocker.epoch.load(Ordering::Relaxed);
    if epoch > threads().blocked_at.load(Ordering::Relaxed) { 0 } else { epoch }
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
    let epochs = participants().map(|reader| (reader.epoch.load(Ordering::Acquire), reader));
    let oldest_reader = epochs.filter(|(epoch, _)| *epoch != 0).min_by_key(|(epoch, _)| *epoch);
    let oldest = if all_passed { oldest_reader.map_or(u64::MAX, |(epoch, _)| epoch) } else { 0 };
    let (mut ready, mut left) = (RetireList::new(), RetireList::new());
    for (list, since) in [(waiting, since), (recent, now)] {
        if since <= oldest { &mut ready } else { &mut left }.append(list);
    }
    if let (false, Some((epoch, reader))) = (left.is_empty(), oldest_reader) {
        threads().blocked_at.store(epoch, Ordering::Relaxed);
        threads().blocker.store(ptr::from_ref(reader).cast_mut(), Ordering::Release);
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
    participant.garbage_bytes.store(if garbage.is_empty() { 0 } else { bytes.max(1) }, Ordering::Relaxed);
    let roster = &threads().roster;
    if !garbage.is_empty() {
        roster.list(participant);
    }
    drop(garbage);
    // Threads that have ended may have left a pin that was released meanwhile, or the list that was just collected.
    roster.listed().filter(|other| other.is_idle()).for_each(|idle| roster.unlist_if_idle(idle));
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicPtr;
    use std::thread;

    use super::*;
    use crate::epoch::read;

    const THREADS: usize = 500;
    /// More than the other tests use at the same time.
    const FEW: usize = 200;

    #[test]
    fn a_collection_visits_threads_that_run_not_those_that_have_ended() {
        let (all_run, address) = (&Barrier::new(THREADS), AtomicPtr::new(ptr::without_provenance_mut(1 << 40)));
        // Each thread leaves a pin behind.
        let slots: Vec<_> = thread::scope(|scope| {
            let address = &address;
            let spawn = |_| {
                scope.spawn(move || {
                    let slot = read(|guard| guard.participant().protect(address.load(Ordering::Relaxed))).unwrap();
                    all_run.wait();
                    slot
                })
            };
            let threads: Vec<_> = (0..THREADS).map(spawn).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        // The pins are found until they are released.
        assert!(participants().count() >= THREADS);
        assert!(HazardSet::read(any_slot).contains(address.into_inner()));
        slots.into_iter().for_each(|slot| slot.clear());
        with(collect);
        let visited = participants().count();
        assert!(visited < FEW, "{visited} participants are visited");
        assert!(threads().roster.all().count() >= THREADS);

        // Participants are used again, so their number is that of threads at one time.
        for _ in 0..THREADS {
            thread::spawn(|| read(|_| ())).join().unwrap();
        }
        let (visited, exist) = (participants().count(), threads().roster.all().count());
        assert!(visited < FEW && exist < THREADS + FEW, "{visited} of {exist} participants are visited");
    }
}
