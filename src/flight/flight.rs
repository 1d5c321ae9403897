//! Single flight: of all who ask for the same missing key, one computes; and nobody waits for ever.
//!
//! A computation that is going on is a [`Flight`], listed by its key in the cache's [`Flights`]. Whoever finds one there
//! waits for it to land, with a value or a failure. Four rules keep that from hanging:
//!
//! * An owner (a thread, or a task) that asks for a key it computes itself is told so, and does not wait.
//! * An owner that would wait, directly or through others, for itself computes instead (`waits.rs`).
//! * A flight whose owner gives up, panics or ends its thread has failed. If one of its waiters would compute, the flight
//!   stays, vacant, and that one alone is woken to take it over, while the others sleep on: n failures among n waiters are
//!   n wakeups. Whoever is woken and does not take over wakes the next. If nobody would compute, all waiters are told.
//! * A flight whose owner vanished in a fork is replaced.
//!
//! A flight that is invalidated, because its key was removed or the cache cleared meanwhile, still lands for those who wait,
//! but nobody finds it any more, and its value is not stored. It remains listed, apart, as long as it is computed: its
//! owner still computes that key.
//!
//! Locks are taken in this order: the list, the graph of waits, a flight's state. A value is stored under none of them: the
//! table asks, under its own lock, whether it still may be ([`Flight::may`]). A removal dooms first and takes out then, so
//! whichever of the two locks the table first, the value is gone in the end.

use std::mem;
use std::num::NonZeroU64;
use std::ops::Deref;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use hashbrown::HashTable;

use crate::error::{Error, Result};
use crate::flight::owner::Owner;
use crate::flight::waits::{Awaited, Owners, Waits};
use crate::sync::TryArc;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard, process, wait_for};
use crate::table::Inserted;
use crate::table::entry::{KEY_MAX, Pinned};
use crate::table::hash::Hashed;

#[cfg(not(shuttle))]
static WAITS: Waits<Flight> = Waits::new();
#[cfg(shuttle)]
shuttle::lazy_static::lazy_static! {
    static ref WAITS: Waits<Flight> = Waits::new();
}

/// How a flight ended, if it has.
#[derive(Default)]
enum Outcome {
    #[default]
    Pending,
    /// Its owner has given up; one of those who wait takes it over.
    Vacant,
    /// With what the table made of it; none where it was not offered one.
    Value(Pinned, Option<Inserted>),
    Failed,
}

/// The same without the value, for those who look without the lock.
mod phase {
    pub const IN_THE_AIR: u8 = 0;
    pub const VACANT: u8 = 1;
    pub const ENDED: u8 = 2;
}

#[derive(Default)]
struct State {
    landing: Outcome,
    /// Those who compute too, because waiting would have closed a circle.
    others: Vec<Owner>,
    /// Those who were announced to wait, and may be so still.
    waiting: Owners,
    /// How many sleep until it ends.
    sleepers: u32,
    /// How many sleep until it ends or is vacant: they would compute.
    takers: u32,
}

/// Whether a value may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorePermit {
    /// It may.
    Store,
    /// Its key was removed, or the cache cleared, since it was begun.
    Invalidated,
    /// Another who computed it too was first; this is what the table made of that one's value. What has become of the key
    /// since is not known any more.
    Late(Option<Inserted>),
}

/// A key. A short one needs no memory of its own.
enum Key {
    Short(u8, [u8; Key::SHORT]),
    Long(Box<[u8]>),
}

impl Key {
    /// What fits beside the tag and the length into three quarters of a cache line.
    const SHORT: usize = 46;

    fn try_new(key: &[u8]) -> Result<Self> {
        if key.len() <= Self::SHORT {
            let mut short = [0; Self::SHORT];
            short[..key.len()].copy_from_slice(key);
            return Ok(Key::Short(key.len() as u8, short));
        }
        let mut copy = Vec::new();
        copy.try_reserve_exact(key.len()).map_err(|_| Error::OutOfMemory(key.len()))?;
        copy.extend_from_slice(key);
        Ok(Key::Long(copy.into_boxed_slice()))
    }
}

impl Deref for Key {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Key::Short(len, key) => &key[..usize::from(*len)],
            Key::Long(key) => key,
        }
    }
}

/// A computation that is going on.
pub struct Flight {
    key: Key,
    hash: u64,
    /// In a child of this process its owner has vanished.
    process: u32,
    made: Instant,
    /// How many nanoseconds after that its present owner began.
    begun: AtomicU64,
    /// No other computation of this process has it.
    number: AtomicU64,
    /// What its cache has to remember.
    note: AtomicU8,
    invalidated: AtomicBool,
    // These are written under the lock of the state.
    phase: AtomicU8,
    /// The owner's number; 0 once it has ended its computation.
    owner: AtomicU64,
    /// How many compute beside the owner.
    others: AtomicU32,
    /// The last search for circles that came by.
    visited: AtomicU64,
    state: Mutex<State>,
    /// Tells sleepers.
    landed: Condvar,
    /// Tells takers.
    vacant: Condvar,
}

/// The number of a computation.
fn next_number() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Flight {
    fn try_new(key: &Hashed, owner: Owner) -> Result<TryArc<Self>> {
        TryArc::try_new(Flight {
            key: Key::try_new(key.key)?,
            hash: key.hash,
            process: process(),
            made: Instant::now(),
            begun: AtomicU64::new(0),
            number: AtomicU64::new(next_number()),
            note: AtomicU8::new(0),
            invalidated: AtomicBool::new(false),
            phase: AtomicU8::new(phase::IN_THE_AIR),
            owner: AtomicU64::new(owner.number()),
            others: AtomicU32::new(0),
            visited: AtomicU64::new(0),
            state: Mutex::default(),
            landed: Condvar::new(),
            vacant: Condvar::new(),
        })
    }

    /// What names this computation: no other of this process has the number; and what was noted last, 0 at first.
    pub fn ticket(&self) -> (u64, u8) {
        (self.number(), self.noted())
    }

    /// The number that no other computation of this process has.
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    /// Remembers something for its cache.
    pub fn note(&self, note: u8) {
        self.note.store(note, Ordering::Relaxed);
    }

    /// What was noted last; 0 at first.
    pub fn noted(&self) -> u8 {
        self.note.load(Ordering::Relaxed)
    }

    /// Whether its value may be stored now.
    pub fn may(&self) -> StorePermit {
        if self.invalidated.load(Ordering::Relaxed) {
            return StorePermit::Invalidated;
        }
        if self.phase.load(Ordering::Acquire) != phase::ENDED {
            return StorePermit::Store;
        }
        match self.state.lock().landing {
            Outcome::Value(_, inserted) => StorePermit::Late(inserted),
            _ => StorePermit::Late(None),
        }
    }

    /// The key that is computed.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The key that is computed, and its hash.
    pub fn hashed(&self) -> Hashed<'_> {
        Hashed { key: &self.key, hash: self.hash }
    }

    /// The time since its owner began.
    pub fn age(&self) -> Duration {
        self.made.elapsed().saturating_sub(Duration::from_nanos(self.begun.load(Ordering::Relaxed)))
    }

    /// Whether its owner has not yet ended its computation.
    pub fn has_owner(&self) -> bool {
        self.owner.load(Ordering::Relaxed) != 0
    }

    fn is(&self, key: &[u8]) -> bool {
        *self.key == *key
    }

    fn is_computed(&self) -> bool {
        self.process == process() && (self.has_owner() || self.others.load(Ordering::Relaxed) != 0)
    }

    fn is_computed_by(&self, owner: Owner) -> bool {
        self.is_computed() && self.any_computer(|computer| computer == owner)
    }

    fn is_vacant(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == phase::VACANT
    }

    /// Changes how it stands. What can be asked without the lock follows.
    fn set(&self, state: &mut State, landing: Outcome) {
        let phase = match landing {
            Outcome::Pending => phase::IN_THE_AIR,
            Outcome::Vacant => phase::VACANT,
            Outcome::Value(..) | Outcome::Failed => phase::ENDED,
        };
        state.landing = landing;
        self.phase.store(phase, Ordering::Release);
    }

    /// Gives a vacant flight to an owner, who waits for nothing.
    fn take_over(&self, owner: Owner) {
        let mut state = self.state.lock();
        self.number.store(next_number(), Ordering::Relaxed);
        self.note(0);
        self.begun.store(self.made.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.owner.store(owner.number(), Ordering::Relaxed);
        self.set(&mut state, Outcome::Pending);
    }

    /// Ends the computation of the owner, or of one who had joined.
    fn leave(&self, state: &mut State, joined: Option<Owner>) {
        let Some(joined) = joined else { return self.owner.store(0, Ordering::Relaxed) };
        if let Some(place) = state.others.iter().position(|other| *other == joined) {
            state.others.swap_remove(place);
        }
        self.others.store(state.others.len() as u32, Ordering::Relaxed);
    }

    /// The first landing counts: in a broken circle there may be several. Answers all who wait.
    fn settle(flight: &TryArc<Self>, mut state: MutexGuard<'_, State>, landing: Outcome) -> Settled {
        if flight.is_open() {
            flight.set(&mut state, landing);
        }
        // Nobody waits for what has ended, also not those who come back later to ask.
        let waiting = mem::take(&mut state.waiting);
        Settled { sleepers: state.sleepers != 0, takers: state.takers != 0, waiting }
    }
}

/// Who is to be told that a flight has ended.
#[must_use]
struct Settled {
    sleepers: bool,
    takers: bool,
    waiting: Owners,
}

impl Settled {
    /// Without a system call where nobody sleeps.
    fn wake(self, flight: &TryArc<Flight>) {
        if self.sleepers {
            flight.landed.notify_all();
        }
        if self.takers {
            flight.vacant.notify_all();
        }
        if !self.waiting.is_empty() {
            WAITS.withdraw_all(self.waiting, flight);
        }
    }
}

impl Awaited for Flight {
    fn is_open(&self) -> bool {
        self.phase.load(Ordering::Acquire) != phase::ENDED
    }

    fn is_new_to(&self, search: u64) -> bool {
        self.visited.swap(search, Ordering::Relaxed) != search
    }

    fn any_computer(&self, mut see: impl FnMut(Owner) -> bool) -> bool {
        let owner = NonZeroU64::new(self.owner.load(Ordering::Relaxed)).map(Owner::of);
        owner.is_some_and(&mut see)
            || (self.others.load(Ordering::Relaxed) != 0 && self.state.lock().others.iter().copied().any(see))
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

/// The answer to who computes a key.
pub enum Begin<T> {
    /// Nobody need: it has a value.
    Found(T),
    /// The caller, who lands the flight.
    Lease(TryArc<Flight>),
    /// Another.
    Busy(TryArc<Flight>),
}

/// The end of a wait.
pub enum Wait {
    /// The value that the other has computed.
    Value(Pinned),
    /// The other has failed: begin again.
    Failed,
    /// The other has failed, and this caller is chosen: begin again, and [`Flights::pass_on`] if that gives no lease.
    Vacant,
    /// The time is up.
    TimeOut,
    /// Waiting would close a circle.
    Circle,
}

/// The computations that are going on in one cache.
#[derive(Default)]
pub struct Flights {
    lists: Mutex<Lists>,
}

#[derive(Default)]
struct Lists {
    /// One flight for each key at most: those that may be waited for.
    current: HashTable<TryArc<Flight>>,
    /// Those that are computed still, but invalidated, or landed by another.
    stale: HashTable<TryArc<Flight>>,
}

impl Lists {
    /// Takes a flight off, wherever it is.
    fn remove(&mut self, flight: &TryArc<Flight>) {
        for list in [&mut self.current, &mut self.stale] {
            if let Ok(found) = list.find_entry(flight.hash, |other| other.is_same(flight)) {
                found.remove();
                return;
            }
        }
    }

    /// Takes a flight off, unless somebody computes it still.
    fn remove_or_keep(&mut self, flight: &TryArc<Flight>) {
        self.remove(flight);
        if flight.is_computed() {
            self.keep_stale(flight.clone());
        }
    }

    /// Where there is no memory, its owner will not be told if it asks for its own key.
    fn keep_stale(&mut self, flight: TryArc<Flight>) {
        let rehash = |flight: &TryArc<Flight>| flight.hash;
        if self.stale.try_reserve(1, rehash).is_ok() {
            self.stale.insert_unique(flight.hash, flight, rehash);
        }
    }

    /// Dooms a flight that was just taken off: its value will not be stored. Nobody takes over a vacant one then.
    fn invalidate(flight: &TryArc<Flight>) {
        flight.invalidated.store(true, Ordering::Relaxed);
        if flight.is_vacant() {
            Flight::settle(flight, flight.state.lock(), Outcome::Failed).wake(flight);
        }
    }
}

impl Flights {
    /// Says who computes a key. `look` finds its value, if there is one: it is asked once nobody can store unseen.
    pub fn begin<T>(&self, key: &Hashed, owner: Owner, look: impl FnOnce() -> Option<T>) -> Result<Begin<T>> {
        let &Hashed { key: bytes, hash } = key;
        if bytes.len() > KEY_MAX {
            return Err(Error::invalid(format!("a key of {} bytes; at most {KEY_MAX} are allowed", bytes.len())));
        }
        let mut lists = self.lists.lock();
        let Lists { current, stale } = &mut *lists;
        if let Some(found) = look() {
            return Ok(Begin::Found(found));
        }
        if !stale.is_empty() && stale.iter_hash(hash).any(|flight| flight.is(bytes) && flight.is_computed_by(owner)) {
            return Err(recursion(bytes));
        }
        if let Some(flight) = current.find_mut(hash, |flight| flight.is(bytes)) {
            match flight.process == process() {
                true if flight.is_computed_by(owner) => return Err(recursion(bytes)),
                true if flight.is_vacant() => {
                    // It may have waited for this very flight.
                    WAITS.withdraw(owner);
                    flight.take_over(owner);
                }
                true => return Ok(Begin::Busy(flight.clone())),
                false => {
                    WAITS.withdraw(owner);
                    *flight = Flight::try_new(key, owner)?;
                }
            }
            return Ok(Begin::Lease(flight.clone()));
        }
        let rehash = |flight: &TryArc<Flight>| flight.hash;
        current.try_reserve(1, rehash).map_err(|_| Error::OutOfMemory(size_of::<TryArc<Flight>>()))?;
        let flight = Flight::try_new(key, owner)?;
        // Others may wait for it from now on, and must not see it wait for what it has left.
        WAITS.withdraw(owner);
        current.insert_unique(hash, flight.clone(), rehash);
        Ok(Begin::Lease(flight))
    }

    /// The computation of `key` that is going on.
    pub fn find(&self, key: &Hashed) -> Option<TryArc<Flight>> {
        let lists = self.lists.lock();
        lists.current.find(key.hash, |flight| flight.is(key.key)).filter(|flight| flight.process == process()).cloned()
    }

    /// Ends the computation of the owner, or of one who had `joined`, with a value, which is handed to all who wait;
    /// and with what the table made of it. The first landing counts.
    pub fn complete(&self, flight: &TryArc<Flight>, joined: Option<Owner>, entry: Pinned, inserted: Option<Inserted>) {
        let mut lists = self.lists.lock();
        let mut state = flight.state.lock();
        flight.leave(&mut state, joined);
        let settled = Flight::settle(flight, state, Outcome::Value(entry, inserted));
        lists.remove_or_keep(flight);
        drop(lists);
        settled.wake(flight);
    }

    /// Ends the computation of the owner, or of one who had `joined`, without a value. Says whether with this the flight
    /// has failed: the last of those who compute it gave up.
    pub fn fail(&self, flight: &TryArc<Flight>, joined: Option<Owner>) -> bool {
        let lists = self.lists.lock();
        let mut state = flight.state.lock();
        flight.leave(&mut state, joined);
        if flight.is_computed() {
            return false;
        }
        let failed = matches!(state.landing, Outcome::Pending);
        if failed {
            // The others sleep on.
            flight.set(&mut state, Outcome::Vacant);
        }
        self.vacate(flight, lists, state);
        failed
    }

    /// Passes a vacant flight on: for one who was chosen to take it over, and did not.
    pub fn pass_on(&self, flight: &TryArc<Flight>) {
        let lists = self.lists.lock();
        let state = flight.state.lock();
        if matches!(state.landing, Outcome::Vacant) {
            self.vacate(flight, lists, state);
        }
    }

    /// Finds one who takes over a flight that nobody computes any more; where there is none, it has ended.
    fn vacate(&self, flight: &TryArc<Flight>, mut lists: MutexGuard<'_, Lists>, state: MutexGuard<'_, State>) {
        let invalidated = flight.invalidated.load(Ordering::Relaxed);
        if matches!(state.landing, Outcome::Vacant) && !invalidated && state.takers != 0 {
            drop((state, lists));
            return flight.vacant.notify_one();
        }
        let settled = Flight::settle(flight, state, Outcome::Failed);
        lists.remove(flight);
        drop(lists);
        settled.wake(flight);
    }

    /// Dooms every flight: what lands from now on is not stored.
    pub fn invalidate_all(&self) {
        let mut lists = self.lists.lock();
        let mut invalidated = mem::take(&mut lists.current);
        invalidated.iter().for_each(Lists::invalidate);
        if lists.stale.is_empty() {
            invalidated.retain(|flight| flight.is_computed());
            lists.stale = invalidated;
        } else {
            invalidated.drain().filter(|flight| flight.is_computed()).for_each(|flight| lists.keep_stale(flight));
        }
    }

    /// Dooms the flight of `key`.
    pub fn invalidate(&self, key: &Hashed) {
        let mut lists = self.lists.lock();
        if let Ok(found) = lists.current.find_entry(key.hash, |flight| flight.is(key.key)) {
            let flight = found.remove().0;
            Lists::invalidate(&flight);
            if flight.is_computed() {
                lists.keep_stale(flight);
            }
        }
    }
}

fn recursion(key: &[u8]) -> Error {
    const SHOWN: usize = 64;
    let (before, behind) = ("the computation of key ", " asks for this key itself");
    let mut text = String::new();
    if text.try_reserve_exact(before.len() + 2 * SHOWN + '…'.len_utf8() + behind.len()).is_err() {
        return Error::Recursion("a computation asks for its own key".into());
    }
    text.push_str(before);
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('?');
    key.iter().take(SHOWN).for_each(|byte| text.extend([digit(byte >> 4), digit(byte & 15)]));
    text.push_str(if key.len() > SHOWN { "…" } else { "" });
    text.push_str(behind);
    Error::Recursion(text.into())
}

impl Flight {
    /// Waits until the flight ends. One who gives a `time` waits no longer than that; one who does not would compute, and
    /// may be told that the flight is vacant. After that the owner counts as waiting until it waits again, begins something
    /// or says that it has stopped.
    pub fn wait(flight: &TryArc<Self>, owner: Owner, time: Option<Duration>) -> Result<Wait> {
        let deadline = time.filter(|time| !time.is_zero()).map(|time| Instant::now() + time);
        let mut late = false;
        if !WAITS.announce(owner, flight)? {
            return Ok(Wait::Circle);
        }
        let mut state = flight.state.lock();
        loop {
            match &state.landing {
                Outcome::Value(entry, _) => return Ok(Wait::Value(entry.clone())),
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
                // It comes back, or begins something else: until then it waits still, so that circles of those who wait
                // a little at a time are seen too.
                return Ok(Wait::TimeOut);
            }
            state.sleepers += 1;
            (state, late) = wait_for(&flight.landed, &flight.state, state, left);
            state.sleepers -= 1;
        }
    }

    /// Tells that `owner` does something else now, and waits for nothing.
    pub fn stop_waiting(owner: Owner) {
        WAITS.withdraw(owner);
    }

    /// Lets `owner` compute too, since it cannot wait; or says that nobody computes it any more.
    pub fn join(&self, owner: Owner) -> Result<bool> {
        let mut state = self.state.lock();
        let in_the_air = matches!(state.landing, Outcome::Pending);
        if in_the_air {
            state.others.try_reserve(1).map_err(|_| Error::OutOfMemory(size_of::<Owner>()))?;
            state.others.push(owner);
            self.others.store(state.others.len() as u32, Ordering::Relaxed);
        }
        Ok(in_the_air)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::mpsc;
    use std::thread::{self, yield_now};

    use super::*;
    use crate::table::entry::Draft;

    const LONG: Option<Duration> = Some(Duration::from_secs(60));

    fn task(number: u64) -> Owner {
        Owner::from_number(number).unwrap()
    }

    fn begin(flights: &Flights, key: &[u8], owner: u64) -> Begin<()> {
        flights.begin(&key.into(), task(owner), || None).unwrap()
    }

    fn lease(flights: &Flights, key: &[u8], owner: u64) -> TryArc<Flight> {
        match begin(flights, key, owner) {
            Begin::Lease(flight) => flight,
            _ => panic!("somebody computes it"),
        }
    }

    fn complete(flights: &Flights, flight: &TryArc<Flight>) {
        let mut draft = Draft::new(flight.key(), None);
        draft.write(b"value").unwrap();
        flights.complete(flight, None, draft.finish().unwrap().into_pinned(), None);
    }

    /// Returns once so many sleep.
    fn once_asleep(flight: &Flight, takers: u32, sleepers: u32) {
        let began = Instant::now();
        loop {
            let state = flight.state.lock();
            let asleep = (state.takers, state.sleepers);
            drop(state);
            if asleep == (takers, sleepers) {
                return;
            }
            assert!(began.elapsed().as_secs() < 60, "{asleep:?} sleep, not {:?}", (takers, sleepers));
            yield_now();
        }
    }

    #[derive(Debug, PartialEq, Eq)]
    enum Told {
        Value,
        Failed,
        Vacant,
        TimeOut,
        Circle,
    }

    fn told(wait: Result<Wait>) -> Told {
        match wait.unwrap() {
            Wait::Value(entry) => {
                assert_eq!(entry.value(), b"value");
                Told::Value
            }
            Wait::Failed => Told::Failed,
            Wait::Vacant => Told::Vacant,
            Wait::TimeOut => Told::TimeOut,
            Wait::Circle => Told::Circle,
        }
    }

    /// Lets threads wait for a flight: as owners, each with its own number, that would compute, or would not. They sleep
    /// once this returns.
    fn sleeping(flight: &TryArc<Flight>, takers: u64, sleepers: u64, first: u64) -> mpsc::Receiver<(u64, Told)> {
        let (tell, hear) = mpsc::channel();
        for number in 0..takers + sleepers {
            let (flight, tell, time) = (flight.clone(), tell.clone(), if number < takers { None } else { LONG });
            thread::spawn(move || {
                let told = told(Flight::wait(&flight, task(first + number), time));
                tell.send((first + number, told)).unwrap();
            });
        }
        once_asleep(flight, takers as u32, sleepers as u32);
        hear
    }

    #[test]
    fn a_failure_wakes_one_who_would_compute_and_the_others_sleep_on() {
        const TAKERS: u64 = 8;
        let flights = Flights::default();
        let mut flight = lease(&flights, b"k", 1000);
        let told = sleeping(&flight, TAKERS, 3, 1001);
        for left in (0..TAKERS).rev() {
            let number = flight.number();
            assert!(flights.fail(&flight, None));
            // All others sleep: whoever asks next is the one who was told.
            let (chosen, how) = told.recv().unwrap();
            assert_eq!(how, Told::Vacant);
            once_asleep(&flight, left as u32, 3);
            let taken = lease(&flights, b"k", chosen);
            assert!(taken.is_same(&flight) && taken.number() != number && taken.noted() == 0);
            flight = taken;
            flight.note(7);
        }
        // Nobody would compute now.
        assert!(flights.fail(&flight, None));
        let mut rest: Vec<_> = (0..3).map(|_| told.recv().unwrap()).collect();
        rest.sort_by_key(|(owner, _)| *owner);
        assert_eq!(rest, [(1009, Told::Failed), (1010, Told::Failed), (1011, Told::Failed)]);
        assert!(!lease(&flights, b"k", 1000).is_same(&flight));
    }

    #[test]
    fn whoever_takes_over_lands_for_all_who_slept_on() {
        let flights = Flights::default();
        let flight = lease(&flights, b"k", 1100);
        let told = sleeping(&flight, 5, 2, 1101);
        flights.fail(&flight, None);
        let (chosen, how) = told.recv().unwrap();
        assert_eq!(how, Told::Vacant);
        complete(&flights, &lease(&flights, b"k", chosen));
        assert!((0..6).all(|_| told.recv().unwrap().1 == Told::Value));
        assert!(flights.lists.lock().current.is_empty());
    }

    #[test]
    fn whoever_comes_first_takes_a_vacant_flight_over_and_nobody_is_lost() {
        let flights = Flights::default();
        let flight = lease(&flights, b"k", 1200);
        let told = sleeping(&flight, 2, 1, 1201);
        flights.fail(&flight, None);
        assert_eq!(told.recv().unwrap().1, Told::Vacant);
        // Somebody else is quicker, and fails too; the other of the two is told then.
        let taken = lease(&flights, b"k", 1299);
        assert!(matches!(begin(&flights, b"k", 1201), Begin::Busy(flight) if flight.is_same(&taken)));
        flights.fail(&taken, None);
        assert_eq!(told.recv().unwrap().1, Told::Vacant);
        // Nobody is left who would compute, so the one who only waits is told.
        flights.pass_on(&flight);
        assert_eq!(told.recv().unwrap(), (1203, Told::Failed));
        assert!(flights.find(&b"k"[..].into()).is_none());
    }

    #[test]
    fn who_is_chosen_and_does_not_compute_passes_on() {
        let flights = Flights::default();
        let flight = lease(&flights, b"k", 1300);
        let told = sleeping(&flight, 4, 1, 1301);
        flights.fail(&flight, None);
        for left in (0..4).rev() {
            assert_eq!(told.recv().unwrap().1, Told::Vacant);
            once_asleep(&flight, left, 1);
            flights.pass_on(&flight);
        }
        assert_eq!(told.recv().unwrap(), (1305, Told::Failed));
        assert!(flights.find(&b"k"[..].into()).is_none());
    }

    #[test]
    fn a_doomed_flight_is_not_taken_over() {
        let removals: [fn(&Flights); 2] = [|flights| flights.invalidate(&b"k"[..].into()), Flights::invalidate_all];
        for (remove, first) in removals.into_iter().zip([1400, 1450]) {
            // Invalidated, then failed.
            let flights = Flights::default();
            let flight = lease(&flights, b"k", first);
            let told = sleeping(&flight, 2, 1, first + 1);
            remove(&flights);
            assert_eq!(flight.may(), StorePermit::Invalidated);
            flights.fail(&flight, None);
            assert!((0..3).all(|_| told.recv().unwrap().1 == Told::Failed));
            // Failed, then invalidated.
            let flight = lease(&flights, b"k", first + 10);
            let told = sleeping(&flight, 2, 1, first + 11);
            flights.fail(&flight, None);
            assert_eq!(told.recv().unwrap().1, Told::Vacant);
            remove(&flights);
            assert!((0..2).all(|_| told.recv().unwrap().1 == Told::Failed));
            flights.pass_on(&flight);
            assert!(!lease(&flights, b"k", first + 11).is_same(&flight));
            let lists = flights.lists.lock();
            assert_eq!((lists.current.len(), lists.stale.len()), (1, 0));
        }
    }

    #[test]
    fn an_owner_computes_its_key_until_it_ends_whatever_became_of_the_flight() {
        let removals: [fn(&Flights); 2] = [|flights| flights.invalidate(&b"k"[..].into()), Flights::invalidate_all];
        for remove in removals {
            let flights = Flights::default();
            let again = |owner: u64| flights.begin(&b"k"[..].into(), task(owner), || None::<()>);
            let first = lease(&flights, b"k", 1500);
            remove(&flights);
            assert!(matches!(again(1500), Err(Error::Recursion(_))));
            // Others begin anew, and are invalidated as well.
            let second = lease(&flights, b"k", 1501);
            remove(&flights);
            assert!(matches!((again(1500), again(1501)), (Err(Error::Recursion(_)), Err(Error::Recursion(_)))));
            flights.fail(&first, None);
            complete(&flights, &second);
            assert!(flights.lists.lock().stale.is_empty());
            assert!(matches!(again(1500).unwrap(), Begin::Lease(_)));
        }
    }

    #[test]
    fn what_another_landed_is_computed_still_by_those_who_are_at_it() {
        let flights = Flights::default();
        let flight = lease(&flights, b"k", 1600);
        assert_eq!(flight.join(task(1601)), Ok(true));
        let again = |owner: u64| flights.begin(&b"k"[..].into(), task(owner), || None::<()>);
        complete(&flights, &flight);
        assert!(matches!(again(1601), Err(Error::Recursion(_))));
        assert!(matches!(again(1600).unwrap(), Begin::Lease(_)));
        assert!(!flights.fail(&flight, Some(task(1601))));
        assert!(flights.lists.lock().stale.is_empty());
        assert!(matches!(again(1601).unwrap(), Begin::Busy(_)));
    }

    #[test]
    fn nobody_is_woken_where_nobody_sleeps() {
        let flights = Flights::default();
        let flight = lease(&flights, b"k", 1700);
        // One who polls does not sleep.
        assert_eq!(told(Flight::wait(&flight, task(1701), Some(Duration::ZERO))), Told::TimeOut);
        let settled = Flight::settle(&flight, flight.state.lock(), Outcome::Failed);
        assert!(!settled.sleepers && !settled.takers);
        assert_eq!(settled.waiting.len(), 1);
        settled.wake(&flight);
    }

    #[test]
    fn those_who_poll_are_known_once_however_often_they_ask_and_forgotten_in_the_end() {
        const OWNERS: std::ops::Range<u64> = 2000..3000;
        let flights = Flights::default();
        let (a, b) = (lease(&flights, b"a", 1800), lease(&flights, b"b", 1801));
        let waiting = |flight: &Flight| flight.state.lock().waiting.len() as u64;
        let poll = |flight: &TryArc<Flight>, owner| told(Flight::wait(flight, task(owner), Some(Duration::ZERO)));
        for _ in 0..3 {
            for flight in [&a, &a, &b, &b] {
                assert!(OWNERS.clone().all(|owner| poll(flight, owner) == Told::TimeOut));
            }
            assert_eq!((waiting(&a), waiting(&b)), (0, 1000));
        }
        Flight::stop_waiting(task(2000));
        assert_eq!(waiting(&b), 999);
        complete(&flights, &b);
        assert_eq!((poll(&b, 2001), waiting(&b)), (Told::Value, 0));
        // None of them counts as waiting for `b`, so `a` is no circle for its owner.
        assert_eq!(poll(&a, 1801), Told::TimeOut);
        flights.fail(&a, None);
        assert_eq!(poll(&a, 1801), Told::Failed);
    }

    #[test]
    fn a_wait_is_as_long_as_its_time_and_a_landing_at_that_moment_is_not_lost() {
        for round in 0..200 {
            let flights = Flights::default();
            let flight = lease(&flights, b"k", 3100);
            thread::scope(|scope| {
                let waiters: Vec<_> = (0..3)
                    .map(|waiter| {
                        let flight = flight.clone();
                        let time = Some(Duration::from_micros(50 * (waiter + round % 5)));
                        scope.spawn(move || told(Flight::wait(&flight, task(3101 + waiter), time)))
                    })
                    .collect();
                complete(&flights, &flight);
                for waiter in waiters {
                    let told = waiter.join().unwrap();
                    assert!(told == Told::Value || told == Told::TimeOut);
                }
            });
            assert_eq!(told(Flight::wait(&flight, task(3101), Some(Duration::ZERO))), Told::Value);
        }
    }
}
