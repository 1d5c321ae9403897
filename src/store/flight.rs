//! Single flight: of all who ask for the same missing key, one computes; and nobody waits for ever.
//!
//! A computation that is going on is a [`Flight`], listed by its key in the cache's [`Flights`]. Whoever finds one there
//! waits for it to land, with a value or a failure. Three rules keep that from hanging:
//!
//! * An owner (a thread, or a task) that asks for a key it computes itself is told so, and does not wait.
//! * An owner that would wait, directly or through others, for itself computes instead. Each wait is announced before it
//!   begins, under one lock, so the last of a circle sees it whole.
//! * A flight whose owner gives up, panics, ends its thread or vanishes in a fork has failed; its waiters begin again.
//!
//! A flight that is doomed, because its key was removed or the cache cleared meanwhile, still lands for those who wait,
//! but is no longer listed, and its value is not stored.

use std::cell::Cell;
use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hashbrown::HashTable;

use super::entry::{KEY_MAX, Pinned};
use super::hash::hash;
use super::lock::{Condvar, Mutex, process};
use super::shared::Shared;
use super::table::Inserted;
use crate::error::{Error, Result};

/// Nobody sleeps longer than this in one go: wrappers of other languages must notice interrupts.
const SLICE: Duration = Duration::from_millis(100);

/// Who computes or waits: a thread of this process, or a task of the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner(NonZeroU64);

impl Owner {
    /// Numbers with this bit are threads'. They are counted from 1, so that the bit is free.
    const THREAD: NonZeroU64 = NonZeroU64::new(1 << 63).unwrap();

    /// The thread that asks.
    pub fn this_thread() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        #[cfg(not(shuttle))]
        thread_local!(static OWN: Cell<u64> = const { Cell::new(0) });
        #[cfg(shuttle)]
        shuttle::thread_local!(static OWN: Cell<u64> = Cell::new(0));
        OWN.with(|own| {
            if own.get() == 0 {
                own.set(NEXT.fetch_add(1, Ordering::Relaxed));
            }
            Owner(Self::THREAD | own.get())
        })
    }

    /// The task of this number; 0 is the thread that asks.
    pub fn from_number(number: u64) -> Result<Self> {
        match NonZeroU64::new(number) {
            None => Ok(Self::this_thread()),
            Some(number) if number < Self::THREAD => Ok(Owner(number)),
            Some(number) => Err(Error::invalid(format!("owner {number}; the numbers of tasks are below 2^63"))),
        }
    }
}

/// How a flight ended.
#[derive(Default)]
enum Landing {
    #[default]
    InTheAir,
    /// With what the table made of it; none where it was not offered one.
    Value(Pinned, Option<Inserted>),
    Failed,
}

#[derive(Default)]
struct State {
    landing: Landing,
    doomed: bool,
    /// The owner has ended its computation.
    owner_gone: bool,
    /// Those who compute too, because waiting would have closed a circle.
    others: Vec<Owner>,
    /// Those who were announced to wait, and may be so still.
    waiting: Vec<Owner>,
}

/// Whether a value may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// It may.
    Store,
    /// Its key was removed, or the cache cleared, since it was begun.
    Doomed,
    /// Another who computed it too was first; this is what the table made of that one's value. What has become of the key
    /// since is not known any more.
    Late(Option<Inserted>),
}

impl State {
    fn may(&self) -> May {
        match self.landing {
            _ if self.doomed => May::Doomed,
            Landing::InTheAir => May::Store,
            Landing::Value(_, inserted) => May::Late(inserted),
            Landing::Failed => May::Late(None),
        }
    }
}

/// A computation that is going on.
pub struct Flight {
    key: Box<[u8]>,
    owner: Owner,
    started: Instant,
    /// In a child of this process its owner has vanished.
    process: u32,
    /// No other flight of this process has it.
    number: u64,
    /// What its cache has to remember.
    note: AtomicU8,
    state: Mutex<State>,
    landed: Condvar,
}

impl Flight {
    fn try_new(key: &[u8], owner: Owner) -> Result<Shared<Self>> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut copy = Vec::new();
        copy.try_reserve_exact(key.len()).map_err(|_| Error::OutOfMemory(key.len()))?;
        copy.extend_from_slice(key);
        Shared::try_new(Flight {
            key: copy.into_boxed_slice(),
            owner,
            started: Instant::now(),
            process: process(),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            note: AtomicU8::new(0),
            state: Mutex::default(),
            landed: Condvar::new(),
        })
    }

    /// The number that no other flight of this process has.
    pub fn number(&self) -> u64 {
        self.number
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
    pub fn may(&self) -> May {
        self.state.lock().may()
    }

    /// The key that is computed.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The time since it began.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    fn is_computed_by(&self, owner: Owner) -> bool {
        let state = self.state.lock();
        (self.owner == owner && !state.owner_gone) || state.others.contains(&owner)
    }
}

/// The answer to who computes a key.
pub enum Begin<T> {
    /// Nobody need: it has a value.
    Found(T),
    /// The caller, who lands the flight.
    Lease(Shared<Flight>),
    /// Another.
    Busy(Shared<Flight>),
}

/// The end of a wait.
pub enum Wait {
    /// The value that the other has computed.
    Value(Pinned),
    /// The other has failed: begin again.
    Failed,
    /// The time is up.
    TimeOut,
    /// Waiting would close a circle.
    Circle,
}

/// The computations that are going on in one cache.
#[derive(Default)]
pub struct Flights {
    list: Mutex<HashTable<Shared<Flight>>>,
}

impl Flights {
    /// Says who computes `key`. `look` finds its value, if there is one: it is asked once nobody can store unseen.
    pub fn begin<T>(&self, key: &[u8], owner: Owner, look: impl FnOnce() -> Option<T>) -> Result<Begin<T>> {
        if key.len() > KEY_MAX {
            return Err(Error::invalid(format!("a key of {} bytes; at most {KEY_MAX} are allowed", key.len())));
        }
        let hash = hash(key);
        let mut list = self.list.lock();
        if let Some(found) = look() {
            return Ok(Begin::Found(found));
        }
        let known = list.find_mut(hash, |flight| *flight.key == *key);
        if let Some(flight) = known {
            if flight.process == process() {
                return match flight.is_computed_by(owner) {
                    true => Err(recursion(key)),
                    false => Ok(Begin::Busy(flight.clone())),
                };
            }
            *flight = Flight::try_new(key, owner)?;
            return Ok(Begin::Lease(flight.clone()));
        }
        list.try_reserve(1, |flight| self::hash(&flight.key))
            .map_err(|_| Error::OutOfMemory(size_of::<Shared<Flight>>()))?;
        let flight = Flight::try_new(key, owner)?;
        list.insert_unique(hash, flight.clone(), |flight| self::hash(&flight.key));
        Ok(Begin::Lease(flight))
    }

    /// The computation of `key` that is going on.
    pub fn find(&self, key: &[u8]) -> Option<Shared<Flight>> {
        let list = self.list.lock();
        list.find(hash(key), |flight| *flight.key == *key).filter(|flight| flight.process == process()).cloned()
    }

    /// Ends a computation with a value, which is handed to all who wait. `store` offers it to the table, if it may.
    pub fn land(
        &self,
        flight: &Shared<Flight>,
        store: impl FnOnce(May) -> (Pinned, Option<Inserted>),
    ) -> (Pinned, Option<Inserted>) {
        let mut list = self.list.lock();
        let may = flight.state.lock().may();
        // Under the lock of the list, so that whoever begins next finds either the flight or the value, and whoever lands
        // next finds this landing.
        let (entry, inserted) = store(may);
        remove(&mut list, flight);
        let waiting = settle(flight, Landing::Value(entry.clone(), inserted));
        drop(list);
        wake(flight, waiting);
        (entry, inserted)
    }

    /// Ends the owner's computation, without a value if it has not landed. Says whether with this it has failed.
    pub fn fail(&self, flight: &Shared<Flight>) -> bool {
        self.end(flight, |state| state.owner_gone = true)
    }

    /// Ends the computation of one who had joined. Says whether with this it has failed.
    pub fn leave(&self, flight: &Shared<Flight>, owner: Owner) -> bool {
        self.end(flight, |state| {
            if let Some(place) = state.others.iter().position(|other| *other == owner) {
                state.others.swap_remove(place);
            }
        })
    }

    /// The flight has failed when the last of those who compute gives up.
    fn end(&self, flight: &Shared<Flight>, change: impl FnOnce(&mut State)) -> bool {
        let mut list = self.list.lock();
        let mut state = flight.state.lock();
        change(&mut state);
        let last = state.owner_gone && state.others.is_empty();
        let failed = last && matches!(state.landing, Landing::InTheAir);
        drop(state);
        if last {
            remove(&mut list, flight);
            let waiting = settle(flight, Landing::Failed);
            drop(list);
            wake(flight, waiting);
        }
        failed
    }

    /// Takes every flight off the list: what lands from now on is not stored.
    pub fn doom_all(&self) {
        let mut list = self.list.lock();
        // Under the lock of the list: a flight that lands at this moment has stored its value already, or sees its doom.
        list.iter().for_each(|flight| flight.state.lock().doomed = true);
        let doomed = std::mem::take(&mut *list);
        drop(list);
        drop(doomed);
    }

    /// Takes the flight of `key` off the list.
    pub fn doom(&self, key: &[u8]) {
        let mut list = self.list.lock();
        if let Ok(flight) = list.find_entry(hash(key), |flight| *flight.key == *key) {
            flight.get().state.lock().doomed = true;
            flight.remove();
        }
    }
}

fn remove(list: &mut HashTable<Shared<Flight>>, flight: &Shared<Flight>) {
    if let Ok(entry) = list.find_entry(hash(&flight.key), |other| other.is_same(flight)) {
        entry.remove();
    }
}

/// The first landing counts: in a broken circle there may be several. Answers who waited.
fn settle(flight: &Flight, landing: Landing) -> Vec<Owner> {
    let mut state = flight.state.lock();
    if matches!(state.landing, Landing::InTheAir) {
        state.landing = landing;
    }
    std::mem::take(&mut state.waiting)
}

/// Nobody waits for what has landed, also not those who come back later to ask.
fn wake(flight: &Shared<Flight>, waiting: Vec<Owner>) {
    flight.landed.notify_all();
    waiting.into_iter().for_each(|owner| withdraw(owner, Some(flight)));
}

fn recursion(key: &[u8]) -> Error {
    let shown = key.iter().take(64).map(|byte| format!("{byte:02x}")).collect::<String>();
    let more = if key.len() > 64 { "…" } else { "" };
    Error::Recursion(format!("the computation of key {shown}{more} asks for this key itself").into())
}

/// What each owner waits for: over all caches of the process, in one place.
type Waits = Option<HashMap<Owner, Shared<Flight>>>;

#[cfg(not(shuttle))]
static WAITS: Mutex<Waits> = Mutex::new(None);
#[cfg(shuttle)]
shuttle::lazy_static::lazy_static! {
    static ref WAITS: Mutex<Waits> = Mutex::new(None);
}

/// How many announcements there are, so that those who stop waiting need not look where there are none.
static ANNOUNCED: AtomicUsize = AtomicUsize::new(0);

/// Announces that `owner` waits for `flight`, unless that would close a circle. Says whether it was announced.
fn announce(owner: Owner, flight: &Shared<Flight>) -> Result<bool> {
    let mut waits = WAITS.lock();
    let waits = waits.get_or_insert_with(HashMap::new);
    let mut ahead = vec![flight.clone()];
    let mut seen = Vec::new();
    while let Some(flight) = ahead.pop() {
        let state = flight.state.lock();
        let mut computers = state.others.clone();
        computers.extend((!state.owner_gone).then_some(flight.owner));
        drop(state);
        for computing in computers {
            if computing == owner {
                return Ok(false);
            }
            if !seen.contains(&computing) {
                seen.push(computing);
                ahead.extend(waits.get(&computing).cloned());
            }
        }
    }
    waits.try_reserve(1).map_err(|_| Error::OutOfMemory(size_of::<Shared<Flight>>()))?;
    let mut state = flight.state.lock();
    if matches!(state.landing, Landing::InTheAir) && !state.waiting.contains(&owner) {
        state.waiting.try_reserve(1).map_err(|_| Error::OutOfMemory(size_of::<Shared<Flight>>()))?;
        state.waiting.push(owner);
    }
    drop(state);
    waits.insert(owner, flight.clone());
    ANNOUNCED.store(waits.len(), Ordering::Relaxed);
    Ok(true)
}

/// Takes back what `owner` was announced to wait for: all of it, or this flight.
fn withdraw(owner: Owner, flight: Option<&Shared<Flight>>) {
    if ANNOUNCED.load(Ordering::Relaxed) == 0 {
        return;
    }
    let mut waits = WAITS.lock();
    let Some(waits) = waits.as_mut() else { return };
    let meant = waits.get(&owner).is_some_and(|known| flight.is_none_or(|flight| known.is_same(flight)));
    if meant {
        waits.remove(&owner);
        ANNOUNCED.store(waits.len(), Ordering::Relaxed);
    }
}

impl Flight {
    /// Waits until the flight lands, or `deadline` comes. After that the owner counts as waiting until it waits again, or
    /// says that it has stopped.
    pub fn wait(flight: &Shared<Self>, owner: Owner, deadline: Option<Instant>) -> Result<Wait> {
        if !announce(owner, flight)? {
            return Ok(Wait::Circle);
        }
        let mut state = flight.state.lock();
        let landed = loop {
            match &state.landing {
                Landing::Value(entry, _) => break Wait::Value(entry.clone()),
                Landing::Failed => break Wait::Failed,
                Landing::InTheAir => {}
            }
            let left = deadline.map_or(SLICE, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                // It comes back, or begins something else: until then it waits still, so that circles of those who wait
                // a little at a time are seen too.
                return Ok(Wait::TimeOut);
            }
            let woken = flight.landed.wait_timeout(state, left.min(SLICE));
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        };
        drop(state);
        withdraw(owner, Some(flight));
        Ok(landed)
    }

    /// Tells that `owner` does something else now, and waits for nothing.
    pub fn stop_waiting(owner: Owner) {
        withdraw(owner, None);
    }

    /// Lets `owner` compute too, since it cannot wait; or says that the flight has landed meanwhile.
    pub fn join(&self, owner: Owner) -> Result<bool> {
        let mut state = self.state.lock();
        let in_the_air = matches!(state.landing, Landing::InTheAir);
        if in_the_air {
            state.others.try_reserve(1).map_err(|_| Error::OutOfMemory(size_of::<Owner>()))?;
            state.others.push(owner);
        }
        Ok(in_the_air)
    }
}
