//! The graph of which owner waits for which computation, over all caches of the process. A deadlock is a cycle in it.
//!
//! An owner announces each wait before it begins, under one lock, so the owner that would close a cycle sees all of it.
//! An owner waits for one computation at a time, so a search follows one path. It branches only if several owners
//! compute one value, visits each computation once, and allocates only for branches. If the owner of the computation
//! does not wait, the search ends at once.
//!
//! An owner that polls counts as waiting between two polls. The owner that ends a computation withdraws the
//! announcements of all its waiters.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use hashbrown::HashTable;

use super::owner::Owner;
use crate::error::{Error, Result};
use crate::sync::{Mutex, MutexGuard, TryArc, process};

/// A computation that owners may wait for.
pub trait Awaited {
    /// Whether it has not ended.
    fn is_open(&self) -> bool;

    /// Whether the search with this number visits it for the first time.
    fn is_new_to(&self, search: u64) -> bool;

    /// Whether `see` returns true for any of the owners that compute it.
    fn any_computer(&self, see: impl FnMut(Owner) -> bool) -> bool;

    /// Adds an owner that waits for it; false if it has ended.
    fn add_waiting(&self, owner: Owner) -> Result<bool>;

    /// Removes an owner that waits for it.
    fn remove_waiting(&self, owner: Owner);
}

/// Owners, found by their number.
pub(super) type Owners = HashTable<Owner>;

/// The announcement of a wait.
struct Announcement<A> {
    owner: Owner,
    awaited: TryArc<A>,
}

/// All announcements of one process.
struct Announcements<A> {
    process: u32,
    by_owner: HashTable<Announcement<A>>,
}

impl<A> Default for Announcements<A> {
    fn default() -> Self {
        Announcements { process: 0, by_owner: HashTable::new() }
    }
}

/// The graph.
pub struct Waits<A> {
    announced: Mutex<Announcements<A>>,
    /// The number of announcements, so that withdrawing takes no lock if there are none.
    len: AtomicUsize,
}

/// The number of announcements that are withdrawn in one go, before the lock is released for others.
const AT_ONCE: usize = 64;

/// An empty hash table with room for more announcements than this is freed.
const KEPT: usize = 1024;

fn out_of_memory<A>(_: hashbrown::TryReserveError) -> Error {
    Error::OutOfMemory(size_of::<Announcement<A>>())
}

impl<A: Awaited> Default for Waits<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: Awaited> Waits<A> {
    /// An empty graph.
    pub const fn new() -> Self {
        let announced = Announcements { process: 0, by_owner: HashTable::new() };
        Waits { announced: Mutex::new(announced), len: AtomicUsize::new(0) }
    }

    /// Announces that `owner` waits for `awaited`, and for nothing else. Returns false if that would close a cycle.
    /// Then, or if `awaited` has ended, the owner waits for nothing.
    pub(super) fn announce(&self, owner: Owner, awaited: &TryArc<A>) -> Result<bool> {
        let mut announced = self.lock();
        if announced.of(owner).is_some_and(|known| known.is_same(awaited)) {
            // It was announced before, and later searches have seen it.
            return Ok(true);
        }
        if announced.leads_to(awaited, owner)? {
            self.take_back(announced, owner);
            return Ok(false);
        }
        announced.by_owner.try_reserve(1, |wait| wait.owner.hash()).map_err(out_of_memory::<A>)?;
        if !awaited.add_waiting(owner)? {
            self.take_back(announced, owner);
            return Ok(true);
        }
        let announcement = Announcement { owner, awaited: awaited.clone() };
        let before = match announced.by_owner.find_mut(owner.hash(), |wait| wait.owner == owner) {
            Some(known) => Some(std::mem::replace(known, announcement)),
            None => {
                announced.by_owner.insert_unique(owner.hash(), announcement, |wait| wait.owner.hash());
                None
            }
        };
        if let Some(before) = &before {
            before.awaited.remove_waiting(owner);
        }
        self.len.store(announced.by_owner.len(), Ordering::Relaxed);
        drop(announced);
        Ok(true)
    }

    /// Whether no owner waits for anything.
    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.len.load(Ordering::Relaxed) == 0
    }

    /// Notes that `owner` waits for nothing.
    #[inline(always)]
    pub(super) fn withdraw(&self, owner: Owner) {
        if !self.is_empty() {
            self.take_back(self.lock(), owner);
        }
    }

    fn take_back(&self, mut announced: MutexGuard<'_, Announcements<A>>, owner: Owner) {
        let before = announced.remove(owner, |_| true);
        if let Some(before) = &before {
            before.awaited.remove_waiting(owner);
        }
        self.len.store(announced.by_owner.len(), Ordering::Relaxed);
        // Outside the lock: this may drop the last reference to the computation, which takes a while.
        drop(announced);
        drop(before);
    }

    /// Notes that these owners no longer wait for `awaited`, which has ended.
    pub(super) fn withdraw_all(&self, owners: Owners, awaited: &TryArc<A>) {
        let mut owners = owners.into_iter().peekable();
        while owners.peek().is_some() {
            let mut announced = self.lock();
            for owner in owners.by_ref().take(AT_ONCE) {
                // Others hold the computation too, so dropping the announcement frees nothing.
                announced.remove(owner, |known| known.is_same(awaited));
            }
            self.len.store(announced.by_owner.len(), Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Announcements<A>> {
        let mut announced = self.announced.lock();
        if announced.process != process() {
            // In a forked child, the other threads no longer exist.
            announced.by_owner.clear();
            announced.process = process();
        }
        announced
    }
}

impl<A: Awaited> Announcements<A> {
    fn of(&self, owner: Owner) -> Option<&TryArc<A>> {
        self.by_owner.find(owner.hash(), |wait| wait.owner == owner).map(|wait| &wait.awaited)
    }

    fn remove(&mut self, owner: Owner, meant: impl Fn(&TryArc<A>) -> bool) -> Option<Announcement<A>> {
        let found = self.by_owner.find_entry(owner.hash(), |wait| wait.owner == owner && meant(&wait.awaited));
        let removed = found.ok()?.remove().0;
        if self.by_owner.is_empty() && self.by_owner.capacity() > KEPT {
            self.by_owner = HashTable::new();
        }
        Some(removed)
    }

    /// Whether `awaited` waits for `owner`, directly or through the waits of others.
    fn leads_to(&self, awaited: &TryArc<A>, owner: Owner) -> Result<bool> {
        // Not in the state under the lock, which may start over in a forked child: search numbers must be unique.
        static SEARCHES: AtomicU64 = AtomicU64::new(1);
        let search = SEARCHES.fetch_add(1, Ordering::Relaxed);
        let mut branches: Vec<&A> = Vec::new();
        let mut next = Some(&**awaited).filter(|first| first.is_new_to(search));
        while let Some(here) = next {
            let (mut onwards, mut no_memory) = (None, false);
            let cycle = here.any_computer(|computer| {
                if computer == owner {
                    return true;
                }
                let waits_for = self.of(computer).map(|awaited| &**awaited);
                if let Some(further) = waits_for.filter(|further| further.is_open() && further.is_new_to(search)) {
                    match onwards {
                        None => onwards = Some(further),
                        Some(_) if branches.try_reserve(1).is_ok() => branches.push(further),
                        Some(_) => no_memory = true,
                    }
                }
                no_memory
            });
            match cycle {
                true if no_memory => return Err(Error::OutOfMemory(size_of::<&A>())),
                true => return Ok(true),
                false => next = onwards.or_else(|| branches.pop()),
            }
        }
        Ok(false)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering::Relaxed};

    use super::*;

    /// A computation that some owners do.
    struct Of {
        computers: Vec<Owner>,
        open: AtomicBool,
        visited: AtomicU64,
        looks: AtomicU32,
        waiting: AtomicI32,
    }

    impl Awaited for Of {
        fn is_open(&self) -> bool {
            self.open.load(Relaxed)
        }

        fn is_new_to(&self, search: u64) -> bool {
            self.visited.swap(search, Relaxed) != search
        }

        fn any_computer(&self, see: impl FnMut(Owner) -> bool) -> bool {
            self.looks.fetch_add(1, Relaxed);
            self.computers.iter().copied().any(see)
        }

        fn add_waiting(&self, _owner: Owner) -> Result<bool> {
            self.waiting.fetch_add(i32::from(self.open.load(Relaxed)), Relaxed);
            Ok(self.open.load(Relaxed))
        }

        fn remove_waiting(&self, _owner: Owner) {
            self.waiting.fetch_sub(1, Relaxed);
        }
    }

    fn task(number: u64) -> Owner {
        Owner::from_number(number).unwrap()
    }

    fn of(computers: impl IntoIterator<Item = u64>) -> TryArc<Of> {
        let computers = computers.into_iter().map(task).collect();
        let (open, visited) = (AtomicBool::new(true), AtomicU64::new(0));
        let (looks, waiting) = (AtomicU32::new(0), AtomicI32::new(0));
        TryArc::try_new(Of { computers, open, visited, looks, waiting }).ok().unwrap()
    }

    /// A lattice in which twenty rows of two owners each wait for the next row: a million paths lead through it.
    fn lattice(waits: &Waits<Of>) -> Vec<[TryArc<Of>; 2]> {
        let rows: Vec<_> = (0..20).map(|row| [0, 1].map(|_| of([2 * row + 1, 2 * row + 2]))).collect();
        for (row, next) in rows.iter().zip(&rows[1..]).map(|(_, next)| next).enumerate() {
            let row = row as u64;
            for (owner, awaited) in [2 * row + 1, 2 * row + 2].into_iter().zip(next) {
                assert_eq!(waits.announce(task(owner), awaited), Ok(true));
            }
        }
        rows
    }

    #[test]
    fn a_search_looks_at_each_computation_once() {
        let waits = Waits::new();
        let rows = lattice(&waits);
        let looks = |rows: &[[TryArc<Of>; 2]]| rows.iter().flatten().map(|of| of.looks.load(Relaxed)).max().unwrap();
        rows.iter().flatten().for_each(|of| of.looks.store(0, Relaxed));
        assert_eq!(waits.announce(task(100), &rows[0][0]), Ok(true));
        assert_eq!(looks(&rows), 1);
        // A second search, for an owner that is on the path: a cycle.
        assert_eq!(waits.announce(task(40), &rows[0][0]), Ok(false));
        assert!(looks(&rows) <= 2);
        // An owner that announces the same wait again needs no search.
        rows.iter().flatten().for_each(|of| of.looks.store(0, Relaxed));
        assert_eq!(waits.announce(task(100), &rows[0][0]), Ok(true));
        assert_eq!(looks(&rows), 0);
    }

    #[test]
    fn a_search_ends_at_once_if_the_computing_owner_waits_for_nothing() {
        let waits = Waits::new();
        lattice(&waits);
        let awaited = of([1000]);
        assert_eq!(waits.announce(task(1), &awaited), Ok(true));
        assert_eq!(awaited.looks.load(Relaxed), 1);
    }

    #[test]
    fn a_search_ignores_computations_that_have_ended() {
        let waits = Waits::new();
        let (a, b) = (of([1]), of([2]));
        assert_eq!(waits.announce(task(1), &b), Ok(true));
        assert_eq!(waits.announce(task(2), &a), Ok(false));
        b.open.store(false, Relaxed);
        assert_eq!(waits.announce(task(2), &a), Ok(true));
    }

    #[test]
    fn an_owner_that_would_close_a_cycle_waits_for_nothing() {
        let waits = Waits::new();
        let (a, b, c) = (of([1]), of([2]), of([3]));
        assert_eq!(waits.announce(task(1), &c), Ok(true));
        assert_eq!(waits.announce(task(2), &a), Ok(true));
        // It no longer waits for `c`, since it computes now.
        assert_eq!(waits.announce(task(1), &b), Ok(false));
        assert_eq!((a.waiting.load(Relaxed), b.waiting.load(Relaxed), c.waiting.load(Relaxed)), (1, 0, 0));
        assert_eq!(waits.announce(task(3), &a), Ok(true));
    }

    #[test]
    fn announcements_are_withdrawn_one_by_one_or_all_at_once() {
        let waits = Waits::new();
        let (a, b) = (of([1]), of([2]));
        for owner in 10..5000 {
            assert_eq!(waits.announce(task(owner), &a), Ok(true));
        }
        assert_eq!(waits.announce(task(10), &b), Ok(true));
        waits.withdraw(task(11));
        assert_eq!(
            (a.waiting.load(Relaxed), b.waiting.load(Relaxed), waits.len.load(Ordering::Relaxed)),
            (4988, 1, 4989)
        );
        let mut owners = Owners::new();
        for owner in (10..5000).map(task) {
            owners.insert_unique(owner.hash(), owner, |owner| owner.hash());
        }
        // The owner that waits for another computation by now stays.
        waits.withdraw_all(owners, &a);
        assert_eq!(waits.len.load(Ordering::Relaxed), 1);
        waits.withdraw(task(10));
        let announced = waits.lock();
        assert!(announced.by_owner.is_empty() && announced.by_owner.capacity() <= KEPT);
    }
}
