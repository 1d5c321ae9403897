//! The participants of all threads of the process: registration, the end of a thread, and forks.

use std::any::Any;
use std::cell::RefCell;
use std::iter;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr as PlainAtomicPtr, AtomicU64 as PlainAtomicU64};

use super::barrier;
use super::hazard::HazardSlot;
use super::participant::{Attached, Message, Participant};
use super::roster::Roster;
use super::thread_slot;
use crate::error::{Error, Result};
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};
use crate::sync::{try_box, yield_now};

/// The state that all threads share.
pub(super) struct Threads {
    /// Grows with each collection; never 0.
    pub(super) epoch: AtomicU64,
    /// The epoch after the last flush, if nothing was retired since: another flush would free nothing. Else 0.
    pub(super) flushed: AtomicU64,
    /// The reader whose section kept the last collection from freeing something, or null; and the epoch of that
    /// section.
    pub(super) blocker: AtomicPtr<Participant>,
    pub(super) blocked_at: AtomicU64,
    /// The number of threads that are about to fork.
    pub(super) forking: AtomicU32,
    /// Whether participants of threads that vanished in a fork may still have attached values.
    orphans: AtomicBool,
    pub(super) roster: Roster,
    /// For threads that cannot allocate a participant of their own; one thread at a time uses it.
    spare: Participant,
}

/// The pointer of a thread that needed a participant but could not keep one. Participants have higher addresses.
const BARE: *const () = ptr::without_provenance(2);

impl Threads {
    const fn new() -> Self {
        Threads {
            epoch: AtomicU64::new(1),
            flushed: AtomicU64::new(0),
            blocker: AtomicPtr::new(ptr::null_mut()),
            blocked_at: AtomicU64::new(0),
            forking: AtomicU32::new(0),
            orphans: AtomicBool::new(false),
            roster: Roster::new(),
            spare: Participant::new(0),
        }
    }

    /// The participants of all threads that run, and of those that have left something behind.
    pub(super) fn participants(&'static self) -> impl Iterator<Item = &'static Participant> {
        iter::once(&self.spare).chain(self.roster.listed())
    }
}

#[cfg(not(shuttle))]
pub(super) fn threads() -> &'static Threads {
    static THREADS: Threads = Threads::new();
    &THREADS
}

#[cfg(shuttle)]
pub(super) fn threads() -> &'static Threads {
    shuttle::lazy_static::lazy_static!(static ref THREADS: Threads = Threads::new(););
    &THREADS
}

/// The participants of all threads that run, and of those that have left something behind.
pub(crate) fn participants() -> impl Iterator<Item = &'static Participant> {
    threads().participants()
}

/// Calls `see` with each hazard slot until it returns true; returns whether it did.
pub(super) fn any_slot(see: &mut dyn FnMut(&HazardSlot) -> bool) -> bool {
    participants().flat_map(Participant::slots).any(see)
}

/// Makes all threads pass a barrier; returns whether they have.
pub(super) fn heavy_barrier() -> bool {
    barrier::heavy(|| {
        participants().for_each(|participant| participant.fence_free.store(false, Ordering::Relaxed));
    })
}

/// This thread's participant, if it has one already.
#[inline(always)]
pub(crate) fn current() -> Option<&'static Participant> {
    let pointer = thread_slot::get();
    // SAFETY: a pointer above BARE is a participant, and participants are never freed.
    (pointer > BARE).then(|| unsafe { &*pointer.cast() })
}

/// The sum of the addresses that this thread's hazard slots protect. Another sum means that slots have changed.
pub(crate) fn protected() -> usize {
    let sum = |sum: usize, slot: &HazardSlot| sum.wrapping_add(slot.address().addr());
    current().map_or(0, |participant| participant.slots().iter().fold(0, sum))
}

/// Runs `work` with this thread's participant.
#[inline(always)]
pub(crate) fn with<R>(work: impl FnOnce(&'static Participant) -> R) -> R {
    let this = This::new();
    work(this.participant)
}

/// This thread's participant, which it keeps until it ends; None if it cannot keep one, because it is ending or without
/// memory.
pub(crate) fn register() -> Option<&'static Participant> {
    current().or_else(|| {
        with(|_| ());
        current()
    })
}

/// This thread's participant. A thread that has none gets one, which it keeps until it ends, or, if it cannot, until
/// this is dropped. Meanwhile [`current`] finds it.
pub struct This {
    pub(super) participant: &'static Participant,
    /// The previous pointer of the thread, if the participant is returned when this is dropped; else [`KEPT`].
    before: *const (),
}

/// The thread keeps its participant. No pointer of a thread has this value.
const KEPT: *const () = ptr::without_provenance(3);

impl This {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self::of(current())
    }

    /// As [`This::new`], for a caller that knows its participant, if it has one already.
    #[inline(always)]
    pub(super) fn of(thread: Option<&'static Participant>) -> Self {
        match thread {
            Some(participant) => This { participant, before: KEPT },
            None => Self::register(),
        }
    }

    #[cold]
    #[inline(never)]
    fn register() -> Self {
        forks::watch();
        barrier::prepare();
        let (threads, before) = (threads(), thread_slot::get());
        let participant = threads.roster.acquire().unwrap_or_else(|| {
            while !threads.spare.try_acquire() {
                yield_now();
            }
            &threads.spare
        });
        // A thread with a number from its address keeps that number: it may be the owner of a computation.
        participant.number.store(if before.is_null() { next_number() } else { number_of_address() }, Ordering::Relaxed);
        participant.message[0].store(0, Ordering::Relaxed);
        participant.set_next_slot(0);
        participant.fence_free.store(barrier::is_fence_free(), Ordering::Relaxed);
        // If another thread switches to fences meanwhile, it sees this participant, or the load below sees the switch.
        fence(Ordering::SeqCst);
        if !barrier::is_fence_free() {
            participant.fence_free.store(false, Ordering::Relaxed);
        }
        let place = ptr::from_ref(participant).cast();
        let is_kept = before != thread_slot::LEFT
            && !ptr::eq(participant, &threads.spare)
            && thread_slot::at_thread_exit(place, thread_exits);
        thread_slot::set(place);
        // Its previous owner may have vanished in a fork.
        participant.drop_attached();
        This { participant, before: if is_kept { KEPT } else { before } }
    }
}

impl This {
    #[cold]
    #[inline(never)]
    fn give_back(&self, before: *const ()) {
        thread_slot::set(before);
        leave(self.participant);
        threads().roster.unlist_if_idle(self.participant);
    }
}

impl Drop for This {
    #[inline(always)]
    fn drop(&mut self) {
        if self.before != KEPT {
            self.give_back(self.before);
        }
    }
}

unsafe extern "C" fn thread_exits(participant: *mut libc::c_void) {
    // SAFETY: it is the thread's participant, and participants are never freed.
    let participant: &'static Participant = unsafe { &*participant.cast() };
    // First, because the destructor may use caches and needs the participant.
    participant.drop_attached();
    thread_slot::set(thread_slot::LEFT);
    leave(participant);
    threads().roster.unlist_if_idle(participant);
}

/// The function of a higher layer that gets the scratch counters of a thread that ends or has vanished in a fork; or
/// null.
///
/// An atomic pointer, not a `OnceLock`: a fork may happen while another thread initializes that, and then every thread
/// of the child that registers the hook would wait for it forever.
static ON_LEAVE: PlainAtomicPtr<()> = PlainAtomicPtr::new(ptr::null_mut());

/// Sets the function that runs for each thread that ends or has vanished in a fork. Only the first call has an effect.
pub(crate) fn on_leave(hook: fn(&Participant)) {
    // Read first: this is called often, and a store would take the line from the other threads.
    if ON_LEAVE.load(Ordering::Relaxed).is_null() {
        ON_LEAVE.store(hook as *mut (), Ordering::Release);
    }
}

fn leave(participant: &Participant) {
    let hook = ON_LEAVE.load(Ordering::Acquire);
    if !hook.is_null() {
        // SAFETY: only `on_leave` stores here, always such a function.
        let hook = unsafe { mem::transmute::<*mut (), fn(&Participant)>(hook) };
        hook(participant);
    }
    participant.release();
}

/// Runs `work` with the `T` that is attached to this thread. The first call attaches a default one, which is dropped
/// when the thread ends. All callers use the same type.
pub fn with_attached<T: Any + Send + Default, R>(work: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
    let Some(participant) = register() else {
        return Err(Error::invalid(
            "this thread is ending, or memory has run out, so nothing can be kept for it; pass an owner's number \
             instead",
        ));
    };
    if participant.attached.load(Ordering::Acquire).is_null() {
        let attached: Box<Attached> = try_box(RefCell::new(try_box(T::default())? as Box<dyn Any + Send>))?;
        participant.attached.store(Box::into_raw(attached), Ordering::Release);
    }
    // SAFETY: it is not null, and only this thread drops it, when it ends.
    let attached = unsafe { &*participant.attached.load(Ordering::Acquire) };
    let mut attached = attached.try_borrow_mut().map_err(|_| Error::invalid("a call from inside another"))?;
    work(attached.downcast_mut().ok_or_else(|| Error::invalid("something else is attached to this thread"))?)
}

/// Drops the attached values of threads that vanished in a fork: leases among them keep caches alive.
pub(super) fn drop_orphans() {
    let threads = threads();
    if threads.orphans.load(Ordering::Relaxed) && threads.orphans.swap(false, Ordering::AcqRel) {
        let orphaned = |participant: &&Participant| {
            !participant.attached.load(Ordering::Acquire).is_null() && participant.try_acquire()
        };
        threads.participants().filter(orphaned).for_each(|participant| {
            participant.drop_attached();
            leave(participant);
        });
    }
}

/// A number that no thread had before.
fn next_number() -> u64 {
    // The model checker's atomics cannot be in statics.
    static NUMBERS: PlainAtomicU64 = PlainAtomicU64::new(1);
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

/// The number of a thread that cannot keep a participant, from its address, which no other running thread has.
fn number_of_address() -> u64 {
    1 << 62 | thread_slot::address() >> 4
}

/// This thread's number, unique among all past and present threads of the process. Numbers are below 2^63.
pub fn thread_number() -> u64 {
    match register() {
        Some(participant) => participant.number(),
        None => {
            mark_bare();
            number_of_address()
        }
    }
}

/// Notes that this thread has used its number or message without a participant. It may get a participant later, in a
/// nested computation, and must keep its number then.
fn mark_bare() {
    if thread_slot::get().is_null() {
        thread_slot::set(BARE);
    }
}

/// This thread's last error message, NUL-terminated, to read or, with `new`, to write. None if there is none and `new`
/// is false.
///
/// Threads that cannot keep a participant, because they are ending or without memory, share one message.
pub fn message(new: bool) -> Option<&'static Message> {
    let participant = if new { register() } else { current() };
    match participant {
        Some(participant) => Some(&participant.message),
        None if new => {
            mark_bare();
            Some(&threads().spare.message)
        }
        None if thread_slot::get().is_null() => None,
        None => Some(&threads().spare.message),
    }
}

/// The handlers around a fork, installed by `watch`.
#[cfg(not(shuttle))]
mod forks {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::sync::ForkHandlers;

    /// The longest wait of a fork for changes in progress, which take microseconds.
    const PATIENCE: Duration = Duration::from_secs(5);

    const STEP: Duration = Duration::from_micros(50);

    static HANDLERS: ForkHandlers = ForkHandlers::new(Some(before), Some(after), in_child);

    /// Installs the handlers, before the first participant exists.
    pub(super) fn watch() {
        HANDLERS.install();
    }

    /// All others, listed or not: a thread may vanish while it lists its own.
    fn others() -> impl Iterator<Item = &'static Participant> {
        let own = current();
        iter::once(&threads().spare)
            .chain(threads().roster.all())
            .filter(move |participant| own.is_none_or(|own| !ptr::eq(*participant, own)))
    }

    /// Waits until no other thread is in the middle of a change (`fork_gate.rs`).
    extern "C" fn before() {
        threads().forking.fetch_add(1, Ordering::SeqCst);
        // If the system has just forbidden membarrier, a change that begins at the same time may be missed; then the
        // child repairs (`sync/fork_safe.rs`).
        heavy_barrier();
        let begun = Instant::now();
        while others().any(|participant| participant.changing.load(Ordering::Acquire) != 0)
            && begun.elapsed() < PATIENCE
        {
            std::thread::sleep(STEP);
        }
    }

    extern "C" fn after() {
        threads().forking.fetch_sub(1, Ordering::Release);
    }

    /// Runs in the child, in the thread that forked, which keeps its participant and read sections. The other threads
    /// no longer exist. Their hazard slots keep their addresses, because this thread may use pins of other threads.
    extern "C" fn in_child() {
        others().for_each(leave);
        threads().forking.store(0, Ordering::Release);
        threads().orphans.store(true, Ordering::Release);
    }
}

/// The model checker has no forks.
#[cfg(shuttle)]
mod forks {
    pub(super) fn watch() {}
}
