//! The participants of all threads of the process: who takes part, since when, and what happens when a thread ends or forks.

use std::any::Any;
use std::cell::RefCell;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64 as PlainAtomicU64;

use super::barrier;
use super::hazard::HazardSlot;
use super::participant::{Attached, Message, Participant};
use super::thread_slot;
use crate::error::{Error, Result};
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};
use crate::sync::{try_box, yield_now};

/// What all threads share.
pub(super) struct Threads {
    /// Grows with each collection; never 0.
    pub(super) epoch: AtomicU64,
    /// The epoch after the last flush, if nothing was retired since: another flush would free nothing. Else 0.
    pub(super) flushed: AtomicU64,
    /// The oldest epoch of a read section that kept a collection from freeing something; 0 if none did.
    pub(super) blocked_by: AtomicU64,
    /// Threads that are about to fork.
    pub(super) forking: AtomicU32,
    /// Threads have vanished in a fork, and something may still be attached to their participants.
    orphans: AtomicBool,
    first: AtomicPtr<Participant>,
    ids: AtomicU32,
    /// For threads that cannot get a participant of their own, one at a time.
    spare: Participant,
}

/// The thread could not keep a participant so far, but has needed one. The highest of the marks.
const BARE: *const () = ptr::without_provenance(2);

impl Threads {
    const fn new() -> Self {
        Threads {
            epoch: AtomicU64::new(1),
            flushed: AtomicU64::new(0),
            blocked_by: AtomicU64::new(0),
            forking: AtomicU32::new(0),
            orphans: AtomicBool::new(false),
            first: AtomicPtr::new(ptr::null_mut()),
            ids: AtomicU32::new(1),
            spare: Participant::new(0),
        }
    }

    /// All participants.
    pub(super) fn participants(&'static self) -> impl Iterator<Item = &'static Participant> {
        let mut next = ptr::from_ref(&self.spare);
        std::iter::from_fn(move || {
            // SAFETY: participants are never freed.
            let participant = unsafe { next.as_ref() }?;
            next = if ptr::eq(next, &self.spare) { &self.first } else { &participant.next }.load(Ordering::Acquire);
            Some(participant)
        })
    }

    /// A participant without an owner, or a new one.
    fn acquire(&'static self) -> Option<&'static Participant> {
        if let Some(participant) = self.participants().skip(1).find(|participant| participant.try_acquire()) {
            return Some(participant);
        }
        let participant = try_box(Participant::in_use(self.ids.fetch_add(1, Ordering::Relaxed))).ok()?;
        let participant: &'static Participant = Box::leak(participant);
        let place = ptr::from_ref(participant).cast_mut();
        let mut first = self.first.load(Ordering::Relaxed);
        loop {
            participant.next.store(first, Ordering::Relaxed);
            match self.first.compare_exchange(first, place, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Some(participant),
                Err(now) => first = now,
            }
        }
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

/// All participants.
pub(crate) fn participants() -> impl Iterator<Item = &'static Participant> {
    threads().participants()
}

/// Shows each hazard slot to `see` until that answers true; tells whether it did.
pub(super) fn any_slot(see: &mut dyn FnMut(&HazardSlot) -> bool) -> bool {
    participants().flat_map(|participant| &participant.slots).any(see)
}

/// A barrier for all threads: tells whether all have passed it.
pub(super) fn heavy_barrier() -> bool {
    barrier::heavy(|| {
        participants().for_each(|participant| participant.fence_free.store(false, Ordering::Relaxed));
    })
}

/// This thread's participant, if it has one already.
#[inline(always)]
pub(crate) fn current() -> Option<&'static Participant> {
    let pointer = thread_slot::get();
    // SAFETY: anything above the marks is a participant, and participants are never freed.
    (pointer > BARE).then(|| unsafe { &*pointer.cast() })
}

/// Runs `work` with this thread's participant.
#[inline]
pub(crate) fn with<R>(work: impl FnOnce(&'static Participant) -> R) -> R {
    match current() {
        Some(participant) => work(participant),
        None => work(Registered::new().participant),
    }
}

/// This thread's participant, which it keeps until it ends; None if it cannot keep one.
pub(crate) fn register() -> Option<&'static Participant> {
    current().or_else(|| {
        with(|_| ());
        current()
    })
}

/// A participant for a thread that has none: its own from now on if it can keep one, else until this is dropped. Meanwhile
/// [`current`] finds it.
struct Registered {
    participant: &'static Participant,
    /// What the thread had in its place, if it has to give this one back.
    before: Option<*const ()>,
}

impl Registered {
    #[cold]
    #[inline(never)]
    fn new() -> Self {
        forks::watch();
        barrier::prepare();
        let (threads, before) = (threads(), thread_slot::get());
        let participant = threads.acquire().unwrap_or_else(|| {
            while !threads.spare.try_acquire() {
                yield_now();
            }
            &threads.spare
        });
        // A thread that is known by its address may be in the middle of a computation.
        participant.number.store(if before.is_null() { next_number() } else { number_of_address() }, Ordering::Relaxed);
        participant.message[0].store(0, Ordering::Relaxed);
        participant.fence_free.store(barrier::is_fence_free(), Ordering::Relaxed);
        // A thread that switches to fences meanwhile either sees this participant, or its switch is seen here.
        fence(Ordering::SeqCst);
        if !barrier::is_fence_free() {
            participant.fence_free.store(false, Ordering::Relaxed);
        }
        let place = ptr::from_ref(participant).cast();
        let is_kept = before != thread_slot::LEFT
            && !ptr::eq(participant, &threads.spare)
            && thread_slot::at_thread_exit(place, thread_exits);
        thread_slot::set(place);
        // It may belong to a thread that vanished in a fork.
        participant.drop_attached();
        Registered { participant, before: (!is_kept).then_some(before) }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            thread_slot::set(before);
            leave(self.participant);
        }
    }
}

unsafe extern "C" fn thread_exits(participant: *mut libc::c_void) {
    // SAFETY: it is the thread's participant, and participants are never freed.
    let participant: &Participant = unsafe { &*participant.cast() };
    // First, since this may read and change caches.
    participant.drop_attached();
    thread_slot::set(thread_slot::LEFT);
    leave(participant);
}

/// What a layer above does with the scratch counters of a thread that ends, or that has vanished in a fork.
static ON_LEAVE: OnceLock<fn(&Participant)> = OnceLock::new();

/// Has `hook` run for each thread that ends, or that has vanished in a fork. There is one hook.
pub(crate) fn on_leave(hook: fn(&Participant)) {
    let _ = ON_LEAVE.set(hook);
}

fn leave(participant: &Participant) {
    if let Some(hook) = ON_LEAVE.get() {
        hook(participant);
    }
    participant.release();
}

/// Runs `work` with the `T` that is attached to this thread until it ends; a new one at first. There is one type, in one
/// place.
pub fn with_attached<T: Any + Send + Default, R>(work: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
    let Some(participant) = register() else {
        return Err(Error::invalid(
            "this thread is ending, or memory has run out, so nothing can be kept for it; pass an owner's number instead",
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

/// Drops what was attached to threads that have vanished in a fork. Their leases keep caches alive.
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

/// A number that no thread has had.
fn next_number() -> u64 {
    // The model checker's atomics cannot be in statics.
    static NUMBERS: PlainAtomicU64 = PlainAtomicU64::new(1);
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

/// The number of a thread that cannot keep a participant: no other living thread has its address.
fn number_of_address() -> u64 {
    1 << 62 | thread_slot::address() >> 4
}

/// This thread's number, which no other thread of the process has, or ever had. Numbers are below 2^63.
pub fn thread_number() -> u64 {
    match register() {
        Some(participant) => participant.number.load(Ordering::Relaxed),
        None => {
            mark_bare();
            number_of_address()
        }
    }
}

/// Notes that this thread, which could not keep a participant, was given a number or left a message all the same. It may
/// get a participant later, in a computation inside another, and has to be the same owner then.
fn mark_bare() {
    if thread_slot::get().is_null() {
        thread_slot::set(BARE);
    }
}

/// Where this thread's last message is: bytes up to a NUL. If `new` is false, None where there is none.
///
/// Threads that cannot keep a participant, because they are ending or memory has run out, share one place.
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

/// What happens around a fork, once `watch` has been called.
#[cfg(not(shuttle))]
mod forks {
    use std::time::{Duration, Instant};

    use super::*;

    /// How long a fork waits for changes in progress, which take microseconds.
    const PATIENCE: Duration = Duration::from_secs(5);

    const STEP: Duration = Duration::from_micros(50);

    /// Registers the handlers, before the first participant exists, so that no fork misses one.
    pub(super) fn watch() {
        static WATCHING: AtomicBool = AtomicBool::new(false);
        if WATCHING.load(Ordering::Acquire) {
            return;
        }
        // Several first threads all register. If one skipped this while another is still registering, a fork could come in
        // between unnoticed. Running the handlers twice does no harm.
        // SAFETY: the handlers are plain functions that are never unloaded.
        if unsafe { libc::pthread_atfork(Some(before), Some(after), Some(in_child)) } == 0 {
            WATCHING.store(true, Ordering::Release);
        }
    }

    fn others() -> impl Iterator<Item = &'static Participant> {
        let own = current();
        participants().filter(move |participant| own.is_none_or(|own| !ptr::eq(*participant, own)))
    }

    /// Waits until no other thread is in the middle of a change (`fork_gate.rs`).
    extern "C" fn before() {
        threads().forking.fetch_add(1, Ordering::SeqCst);
        // If the system has just forbidden membarrier, a change that begins in the same microsecond may be missed. Then the
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

    /// Runs in the thread that has forked. It is in the same read sections as before, and keeps its participant. The other
    /// threads no longer exist, and read nothing. What they had protected stays protected: this thread may use it.
    extern "C" fn in_child() {
        others().for_each(leave);
        threads().forking.store(0, Ordering::Release);
        threads().orphans.store(true, Ordering::Release);
    }
}

/// The model checker knows no forks.
#[cfg(shuttle)]
mod forks {
    pub(super) fn watch() {}
}
