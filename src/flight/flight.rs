//! One computation in progress: its owner, its waiters, and its outcome.

use std::mem;
use std::num::NonZeroU64;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::owner::Owner;
use super::stopwatch::{Stopwatch, waiting};
use super::waits::{Awaited, Owners, Waits};
use crate::epoch::{Participant, current};
use crate::error::{Error, Result};
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard, TryArc, process, wait_for};

/// The type of the computed values. All flights of one type share one graph of waits, over all caches of the process.
pub trait Product: Clone + Send + Sync + Sized + 'static {
    /// The graph of waits.
    fn waits() -> &'static Waits<Flight<Self>>;
}

/// The outcome of a flight.
#[derive(Default)]
pub(super) enum Outcome<T> {
    /// It is being computed.
    #[default]
    Pending,
    /// Its owner has failed; one of its waiters takes it over.
    Vacant,
    /// It ended with a value.
    Value(T),
    /// It ended without a value.
    Failed,
}

/// [`Outcome`] as a number, in an atomic that is read without the lock.
mod phase {
    pub const PENDING: u8 = 0;
    pub const VACANT: u8 = 1;
    pub const ENDED: u8 = 2;
}

pub(super) struct State<T> {
    pub(super) outcome: Outcome<T>,
    /// Owners that compute the same key beside the flight's owner, because waiting would have closed a cycle.
    joined: Vec<Owner>,
    /// Owners that have announced a wait for this flight and not withdrawn it.
    pub(super) waiting: Owners,
    /// The number of threads that sleep until it ends.
    pub(super) sleepers: u32,
    /// The number of threads that sleep until it ends or is vacant: they would take it over.
    pub(super) takers: u32,
}

impl<T> Default for State<T> {
    fn default() -> Self {
        State { outcome: Outcome::Pending, joined: Vec::new(), waiting: Owners::new(), sleepers: 0, takers: 0 }
    }
}

/// Whether a computed value may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorePermit<T> {
    /// It may be stored.
    Granted,
    /// It may not: the key was removed, or the cache cleared, since the computation began.
    Invalidated,
    /// It may not: another owner completed the flight first, with this value, or it failed. The key may have been
    /// removed since.
    Late(Option<T>),
}

/// The result of a wait.
pub enum Wait<T> {
    /// The value.
    Value(T),
    /// The computation has failed: begin again.
    Failed,
    /// The computation has failed, and this caller is chosen: begin again, and call `pass_on` if that gives no lease.
    Vacant,
    /// The time limit has passed.
    TimeOut,
    /// Waiting would close a cycle.
    Cycle,
}

/// A computation in progress.
pub struct Flight<T> {
    key: Vec<u8>,
    hash: u64,
    /// The process of its owner: in a forked child the owner no longer exists.
    process: u32,
    /// The computing time of its current owner.
    stopwatch: Stopwatch,
    /// Unique in this process, for each owner of the flight; 0 until it is asked for.
    number: AtomicU64,
    /// A number that the cache may set for each computation (a shared cache: the state of its claim).
    note: AtomicU8,
    invalidated: AtomicBool,
    // The next three are written under the lock of `state`, and read without it.
    phase: AtomicU8,
    /// The owner's number; 0 once it has ended its computation.
    owner: AtomicU64,
    /// The number of joined owners.
    joined: AtomicU32,
    /// The last search for cycles that visited it.
    visited: AtomicU64,
    pub(super) state: Mutex<State<T>>,
    /// Wakes sleepers.
    ended: Condvar,
    /// Wakes takers.
    pub(super) vacant: Condvar,
}

/// The longest key of a flight that is kept for another key.
const SMALL_KEY: usize = 1024;

/// Copies a key into memory that another key no longer needs.
#[inline(always)]
fn copy(key: &[u8], memory: &mut Vec<u8>) -> Result<()> {
    if memory.len() == key.len() {
        memory.copy_from_slice(key);
        return Ok(());
    }
    memory.clear();
    if memory.capacity() < key.len() {
        memory.try_reserve_exact(key.len()).map_err(|_| Error::OutOfMemory(key.len()))?;
    }
    memory.extend_from_slice(key);
    Ok(())
}

/// The number of a computation.
fn next_number() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl<T: Product> Flight<T> {
    pub(super) fn try_new(key: &[u8], hash: u64, owner: Owner) -> Result<TryArc<Self>> {
        let mut copied = Vec::new();
        copy(key, &mut copied)?;
        TryArc::try_new(Self::new(copied, hash, owner))
    }

    /// Makes a flight that ended alone the flight of another key. Saves the allocations of a new one.
    #[inline(always)]
    pub(super) fn renew(&mut self, key: &[u8], hash: u64, owner: Owner, thread: Option<&Participant>) -> Result<()> {
        copy(key, &mut self.key)?;
        self.hash = hash;
        self.process = process();
        self.invalidated.store(false, Ordering::Relaxed);
        self.begin(owner, thread);
        Ok(())
    }

    /// Begins the computation of this owner, in the thread with this participant.
    #[inline(always)]
    fn begin(&self, owner: Owner, thread: Option<&Participant>) {
        self.number.store(0, Ordering::Relaxed);
        self.note(0);
        self.stopwatch.restart(thread);
        self.owner.store(owner.number(), Ordering::Relaxed);
    }

    /// Ends the computation of a flight that leaves its list, that no thread but the caller knows, and that none has
    /// waited for in vain: its state is that of a new flight.
    #[inline(always)]
    pub(super) fn end_alone(&self) {
        self.owner.store(0, Ordering::Relaxed);
    }

    /// Whether it has not ended, nobody has joined its owner, and it has lost nobody in a fork. Then its state is that
    /// of a new flight once all waiters have left.
    #[inline(always)]
    pub(super) fn is_pristine(&self) -> bool {
        self.is_of_this_process()
            && self.phase.load(Ordering::Relaxed) == phase::PENDING
            && self.joined.load(Ordering::Relaxed) == 0
    }

    /// Whether it may be kept for another key: its key takes little memory.
    pub(super) fn is_small(&self) -> bool {
        self.key.capacity() <= SMALL_KEY
    }

    fn new(key: Vec<u8>, hash: u64, owner: Owner) -> Self {
        Flight {
            key,
            hash,
            process: process(),
            stopwatch: Stopwatch::start(),
            number: AtomicU64::new(0),
            note: AtomicU8::new(0),
            invalidated: AtomicBool::new(false),
            phase: AtomicU8::new(phase::PENDING),
            owner: AtomicU64::new(owner.number()),
            joined: AtomicU32::new(0),
            visited: AtomicU64::new(0),
            state: Mutex::default(),
            ended: Condvar::new(),
            vacant: Condvar::new(),
        }
    }

    /// The key that is computed.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The key's hash.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The number and the note of this computation.
    pub fn ticket(&self) -> (u64, u8) {
        (self.number(), self.noted())
    }

    /// A number that no other computation of this process has.
    pub fn number(&self) -> u64 {
        match self.number.load(Ordering::Relaxed) {
            0 => {
                let new = next_number();
                match self.number.compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => new,
                    Err(first) => first,
                }
            }
            known => known,
        }
    }

    /// Sets the note.
    pub fn note(&self, note: u8) {
        self.note.store(note, Ordering::Relaxed);
    }

    /// The last note; 0 at first.
    pub fn noted(&self) -> u8 {
        self.note.load(Ordering::Relaxed)
    }

    /// The nanoseconds of computing since its owner began: without the time that the owner's thread has waited for
    /// computations of others. For the caller that ends the computation, whose participant is `thread`.
    #[inline(always)]
    pub fn cost(&self, thread: Option<&Participant>) -> u64 {
        self.stopwatch.computing(thread)
    }

    /// Whether its value may be stored now: if not, [`Flight::permit`] says why.
    #[inline(always)]
    pub fn may_store(&self) -> bool {
        !self.is_invalidated() && self.phase.load(Ordering::Acquire) != phase::ENDED
    }

    /// Whether its value may be stored now.
    pub fn permit(&self) -> StorePermit<T> {
        if self.is_invalidated() {
            return StorePermit::Invalidated;
        }
        if self.phase.load(Ordering::Acquire) != phase::ENDED {
            return StorePermit::Granted;
        }
        match &self.state.lock().outcome {
            Outcome::Value(value) => StorePermit::Late(Some(value.clone())),
            _ => StorePermit::Late(None),
        }
    }

    /// Whether its owner has not yet ended its computation.
    pub fn has_owner(&self) -> bool {
        self.owner.load(Ordering::Relaxed) != 0
    }

    pub(super) fn is(&self, key: &[u8]) -> bool {
        *self.key == *key
    }

    #[inline(always)]
    pub(super) fn is_of_this_process(&self) -> bool {
        self.process == process()
    }

    pub(super) fn is_computed(&self) -> bool {
        self.is_of_this_process() && (self.has_owner() || self.joined.load(Ordering::Relaxed) != 0)
    }

    pub(super) fn is_computed_by(&self, owner: Owner) -> bool {
        self.is_computed() && self.any_computer(|computer| computer == owner)
    }

    pub(super) fn is_vacant(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == phase::VACANT
    }

    #[inline(always)]
    pub(super) fn is_invalidated(&self) -> bool {
        self.invalidated.load(Ordering::Relaxed)
    }

    /// Notes that its value may not be stored. A vacant flight fails: no waiter may take it over.
    pub(super) fn invalidate(flight: &TryArc<Self>) {
        flight.invalidated.store(true, Ordering::Relaxed);
        if flight.is_vacant() {
            Self::end(flight, flight.state.lock(), Outcome::Failed).wake(flight);
        }
    }

    /// Sets the outcome and the phase.
    pub(super) fn set(&self, state: &mut State<T>, outcome: Outcome<T>) {
        let phase = match outcome {
            Outcome::Pending => phase::PENDING,
            Outcome::Vacant => phase::VACANT,
            Outcome::Value(..) | Outcome::Failed => phase::ENDED,
        };
        state.outcome = outcome;
        self.phase.store(phase, Ordering::Release);
    }

    /// Gives a vacant flight to a new owner, which waits for nothing.
    pub(super) fn take_over(&self, owner: Owner) {
        let mut state = self.state.lock();
        self.begin(owner, current());
        self.set(&mut state, Outcome::Pending);
    }

    /// Ends the computation of the flight's owner, or of an owner that `joined`.
    pub(super) fn leave(&self, state: &mut State<T>, joined: Option<Owner>) {
        let Some(joined) = joined else { return self.owner.store(0, Ordering::Relaxed) };
        if let Some(at) = state.joined.iter().position(|other| *other == joined) {
            state.joined.swap_remove(at);
        }
        self.joined.store(state.joined.len() as u32, Ordering::Relaxed);
    }

    /// Ends the flight. Only the first outcome counts: if a cycle was broken, several owners end it. Returns the
    /// waiters to wake.
    pub(super) fn end(flight: &TryArc<Self>, mut state: MutexGuard<'_, State<T>>, outcome: Outcome<T>) -> Waiters {
        if flight.is_open() {
            flight.set(&mut state, outcome);
        }
        // No owner waits for an ended flight, not even one that polls it later.
        let announced = mem::take(&mut state.waiting);
        Waiters { sleepers: state.sleepers != 0, takers: state.takers != 0, announced }
    }

    /// Waits until the flight ends. With a `time`, it waits no longer than that. Without one, the caller would compute,
    /// and the result may be [`Wait::Vacant`]. The owner counts as waiting until it waits for another flight, begins a
    /// computation, or calls [`Flight::stop_waiting`].
    pub fn wait(flight: &TryArc<Self>, owner: Owner, time: Option<Duration>) -> Result<Wait<T>> {
        waiting(|| Self::wait_until_ended(flight, owner, time))
    }

    fn wait_until_ended(flight: &TryArc<Self>, owner: Owner, time: Option<Duration>) -> Result<Wait<T>> {
        let deadline = time.filter(|time| !time.is_zero()).map(|time| Instant::now() + time);
        let mut late = false;
        if !T::waits().announce(owner, flight)? {
            return Ok(Wait::Cycle);
        }
        let mut state = flight.state.lock();
        loop {
            match &state.outcome {
                Outcome::Value(value) => return Ok(Wait::Value(value.clone())),
                Outcome::Failed => return Ok(Wait::Failed),
                Outcome::Vacant if time.is_none() => return Ok(Wait::Vacant),
                Outcome::Vacant | Outcome::Pending => {}
            }
            if time.is_none() {
                state.takers += 1;
                state = flight.vacant.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.takers -= 1;
                continue;
            }
            let left = deadline.map_or(Duration::ZERO, |end| end.saturating_duration_since(Instant::now()));
            if late || left.is_zero() {
                // The owner still counts as waiting, so that cycles of owners that poll are detected.
                return Ok(Wait::TimeOut);
            }
            state.sleepers += 1;
            (state, late) = wait_for(&flight.ended, &flight.state, state, left);
            state.sleepers -= 1;
        }
    }

    /// Notes that `owner` no longer waits for any flight.
    pub fn stop_waiting(owner: Owner) {
        T::waits().withdraw(owner);
    }

    /// Whether no owner waits for any flight.
    #[inline(always)]
    pub fn nobody_waits() -> bool {
        T::waits().is_empty()
    }

    /// Makes `owner`, which cannot wait, compute beside the flight's owner. False if the flight is no longer computed.
    pub fn join(&self, owner: Owner) -> Result<bool> {
        let mut state = self.state.lock();
        let is_pending = matches!(state.outcome, Outcome::Pending);
        if is_pending {
            state.joined.try_reserve(1).map_err(|_| Error::OutOfMemory(size_of::<Owner>()))?;
            state.joined.push(owner);
            self.joined.store(state.joined.len() as u32, Ordering::Relaxed);
        }
        Ok(is_pending)
    }
}

/// The waiters to wake when a flight has ended.
#[must_use]
pub(super) struct Waiters {
    pub(super) sleepers: bool,
    pub(super) takers: bool,
    pub(super) announced: Owners,
}

impl Waiters {
    /// Wakes them; without a system call if no thread sleeps.
    pub(super) fn wake<T: Product>(self, flight: &TryArc<Flight<T>>) {
        if self.sleepers {
            flight.ended.notify_all();
        }
        if self.takers {
            flight.vacant.notify_all();
        }
        if !self.announced.is_empty() {
            T::waits().withdraw_all(self.announced, flight);
        }
    }
}

impl<T: Product> Awaited for Flight<T> {
    fn is_open(&self) -> bool {
        self.phase.load(Ordering::Acquire) != phase::ENDED
    }

    fn is_new_to(&self, search: u64) -> bool {
        self.visited.swap(search, Ordering::Relaxed) != search
    }

    fn any_computer(&self, mut see: impl FnMut(Owner) -> bool) -> bool {
        let owner = NonZeroU64::new(self.owner.load(Ordering::Relaxed)).map(Owner::of);
        owner.is_some_and(&mut see)
            || (self.joined.load(Ordering::Relaxed) != 0 && self.state.lock().joined.iter().copied().any(see))
    }

    fn add_waiting(&self, owner: Owner) -> Result<bool> {
        let mut state = self.state.lock();
        if self.is_open() {
            let rehash = |owner: &Owner| owner.hash();
            state.waiting.try_reserve(1, rehash).map_err(|_| Error::OutOfMemory(size_of::<Owner>()))?;
            state.waiting.insert_unique(owner.hash(), owner, rehash);
        }
        Ok(self.is_open())
    }

    fn remove_waiting(&self, owner: Owner) {
        if let Ok(known) = self.state.lock().waiting.find_entry(owner.hash(), |known| *known == owner) {
            known.remove();
        }
    }
}
