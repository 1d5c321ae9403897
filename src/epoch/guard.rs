//! Read sections, in which no object that the thread finds is freed, and protection of single addresses after them.
//!
//! A thread enters a section by writing the current epoch into its participant, and leaves it by writing 0. Both are
//! plain stores. An object that another thread unlinks meanwhile is freed (`retire.rs`) after all sections that may
//! have seen it. To keep an object longer, the thread writes its address into one of its hazard slots. A collection
//! reads all slots before it frees; any thread may clear a slot.
//!
//! [`read`] lends its [`Guard`] to a closure, so a section cannot end too early or out of order. The section of a C
//! program lasts from [`open`] to [`close`].

use std::marker::PhantomData;

use super::barrier;
use super::participant::Participant;
use super::retire;
use super::thread_slot;
use super::threads::{This, current, register, threads};
use crate::error::{Error, Result};
use crate::sync::atomic::{Ordering, compiler_fence};

/// Proof that this thread is in a read section. Sections must be short: an open one delays the freeing of all memory
/// that was retired since it began.
pub struct Guard {
    participant: &'static Participant,
    /// Makes it neither `Send` nor `Sync`.
    _thread: PhantomData<*mut ()>,
}

/// Runs `work` in a read section of this thread. Sections may be nested.
#[inline(always)]
pub fn read<R>(work: impl FnOnce(&Guard) -> R) -> R {
    let this = This::new();
    let is_outermost = this.participant.epoch.load(Ordering::Relaxed) == 0;
    if is_outermost {
        begin(this.participant);
    }
    let _end = is_outermost.then(|| End(this.participant));
    work(&Guard::of(this.participant))
}

/// `fast_guard!(guard else slow)` begins a section that lasts to the end of the block. It returns `slow` if the section
/// would need a fence or would be nested. A macro, because the compiler does not always inline a closure into the fast
/// path. The value that ends the section has a hygienic name, so only the end of the block drops it.
macro_rules! fast_guard {
    ($guard:ident else $slow:expr) => {
        $crate::epoch::fast_guard!($guard = by_the_macro(), $slow);
    };
    ($guard:ident as $participant:expr, else $slow:expr) => {
        $crate::epoch::fast_guard!($guard = as_participant($participant), $slow);
    };
    ($guard:ident of $thread:expr, else $slow:expr) => {
        $crate::epoch::fast_guard!($guard = of($thread), $slow);
    };
    ($guard:ident = $enter:ident($($thread:expr)?), $slow:expr) => {
        let entered = match $crate::epoch::guard::Entered::$enter($($thread)?) {
            Some(entered) => entered,
            _ => return $slow,
        };
        let $guard = entered.guard();
    };
}
pub(crate) use fast_guard;

/// A thread that has been found once, for code that reads often. No other thread may use it: the type is not `Send`.
pub struct ThisThread {
    participant: &'static Participant,
    address: u64,
    number: u64,
    _thread: PhantomData<*mut ()>,
}

impl ThisThread {
    /// The calling thread. Fails if it is ending, or without memory.
    pub fn new() -> Result<Self> {
        let participant = register().ok_or_else(|| Error::invalid("this thread is ending, or without memory"))?;
        let (address, number) = (thread_slot::address(), participant.number());
        Ok(ThisThread { participant, address, number, _thread: PhantomData })
    }

    /// Whether it is the calling thread: a C program may pass it on, or keep it after the thread has ended. Then
    /// another thread may have the same address, but its participant has another number, or none.
    #[inline(always)]
    pub fn is_current(&self) -> bool {
        self.address == thread_slot::address() && self.number == self.participant.number.load(Ordering::Relaxed)
    }

    /// The guard of the section that the thread has opened, if it has.
    #[inline(always)]
    pub fn in_section(&self) -> Option<Guard> {
        (self.participant.open.load(Ordering::Relaxed) != 0).then(|| Guard::of(self.participant))
    }
}

/// An outermost section that lasts until this is dropped. Only for the macro: sections inside it must end first.
pub(crate) struct Entered {
    guard: Guard,
    _end: End,
}

impl Entered {
    #[inline(always)]
    pub(crate) fn by_the_macro() -> Option<Self> {
        Self::as_participant(current()?)
    }

    /// The same for a known thread.
    #[inline(always)]
    pub(crate) fn of(thread: &ThisThread) -> Option<Self> {
        Self::as_participant(thread.participant)
    }

    /// The same as this participant, which is the calling thread's.
    #[inline(always)]
    pub(crate) fn as_participant(participant: &'static Participant) -> Option<Self> {
        if participant.epoch.load(Ordering::Relaxed) != 0 {
            return None;
        }
        participant.epoch.store(threads().epoch.load(Ordering::Acquire), Ordering::Release);
        // As in `begin`, but without fences. `fence_free` is read after the epoch is written: a thread that reads an
        // old value has its store on the way to memory already, which `barrier.rs` relies on.
        compiler_fence(Ordering::SeqCst);
        let end = End(participant);
        if !participant.fence_free.load(Ordering::Relaxed) {
            return None;
        }
        Some(Entered { guard: Guard::of(participant), _end: end })
    }

    #[inline(always)]
    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }
}

/// Ends the outermost section when it is dropped, also by a panic.
struct End(&'static Participant);

impl Drop for End {
    /// Release orders the section's reads, and its stores to hazard slots, before the end of the section.
    #[inline(always)]
    fn drop(&mut self) {
        self.0.epoch.store(0, Ordering::Release);
    }
}

impl Guard {
    #[inline(always)]
    fn of(participant: &'static Participant) -> Self {
        Guard { participant, _thread: PhantomData }
    }

    /// The participant of the thread that reads.
    #[inline(always)]
    pub fn participant(&self) -> &'static Participant {
        self.participant
    }
}

#[inline(always)]
fn begin(participant: &Participant) {
    // Acquire pairs with the collector's increment: a section that begins in an epoch sees everything that was unlinked
    // before it. Release also ends the previous section: a collector may read this epoch and never the 0 in between,
    // and must see the hazard slots that the previous section wrote.
    participant.epoch.store(threads().epoch.load(Ordering::Acquire), Ordering::Release);
    // The section's reads come after its epoch is visible to collectors.
    barrier::light();
}

/// Opens a read section of this thread that lasts until [`close`]. Sections may be nested.
pub fn open() -> Result<()> {
    let Some(participant) = register() else {
        return Err(Error::invalid(
            "this thread cannot begin a read section: it is ending, or memory has run out. Use the functions that pin \
             or copy",
        ));
    };
    let open = participant.open.load(Ordering::Relaxed);
    if open == 0 && participant.epoch.load(Ordering::Relaxed) != 0 {
        return Err(Error::invalid("a read section cannot begin inside a lookup"));
    }
    let Some(more) = open.checked_add(1) else {
        return Err(Error::invalid(format!("{open} read sections are open: a phicache_read_end is missing")));
    };
    if open == 0 {
        begin(participant);
    }
    participant.open.store(more, Ordering::Relaxed);
    Ok(())
}

/// Closes the section that was opened last.
///
/// # Safety
/// This thread is not inside a closure of [`read`] or [`in_open`], and uses nothing that it found in the section
/// afterwards. The header requires the latter of C programs; no function of the library calls this inside a section.
pub unsafe fn close() -> Result<()> {
    let participant = current_if_open().ok_or_else(none_open)?;
    let open = participant.open.load(Ordering::Relaxed) - 1;
    participant.open.store(open, Ordering::Relaxed);
    if open == 0 {
        participant.epoch.store(0, Ordering::Release);
        retire::flush_if_unblocked();
    }
    Ok(())
}

/// This thread's participant, if it has opened a section.
#[inline(always)]
fn current_if_open() -> Option<&'static Participant> {
    current().filter(|participant| participant.open.load(Ordering::Relaxed) != 0)
}

/// Runs `work` in the section that this thread has opened.
#[inline(always)]
pub fn in_open<R>(work: impl FnOnce(&Guard) -> Result<R>) -> Result<R> {
    match current_if_open() {
        Some(participant) => work(&Guard::of(participant)),
        None => Err(none_open()),
    }
}

/// As [`in_open`], if a section is open.
#[inline(always)]
pub fn try_fast_in_open<R>(work: impl FnOnce(&Guard) -> Option<R>) -> Option<R> {
    work(&Guard::of(current_if_open()?))
}

#[cold]
fn none_open() -> Error {
    Error::invalid("this thread has no open read section; begin one with phicache_read_begin")
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn sections_are_counted_and_too_many_are_refused() {
        open().unwrap();
        let participant = current().unwrap();
        participant.open.store(u32::MAX, Ordering::Relaxed);
        assert!(open().is_err());
        assert_eq!(participant.open.load(Ordering::Relaxed), u32::MAX);
        participant.open.store(1, Ordering::Relaxed);
        // SAFETY: nothing was found in the section.
        unsafe { close().unwrap() };
        // SAFETY: as above.
        assert!(unsafe { close() }.is_err());
        assert_eq!(participant.epoch.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_section_cannot_be_opened_inside_a_lookup_but_a_lookup_can_run_inside_an_open_section() {
        read(|guard| {
            let epoch = guard.participant().epoch.load(Ordering::Relaxed);
            assert!(open().is_err());
            read(|inner| assert_eq!(inner.participant().epoch.load(Ordering::Relaxed), epoch));
            assert_eq!(guard.participant().epoch.load(Ordering::Relaxed), epoch);
        });
        open().unwrap();
        read(|guard| assert_ne!(guard.participant().epoch.load(Ordering::Relaxed), 0));
        assert_ne!(current().unwrap().epoch.load(Ordering::Relaxed), 0);
        // SAFETY: nothing was found in the section.
        unsafe { close().unwrap() };
    }
}
