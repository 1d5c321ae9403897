//! Which operations of this process at the backing overlap: the near cache keeps no value that a store or a removal may
//! have replaced meanwhile.
//!
//! An operation on one key is a visit, from before the backing is asked until the value is near. A store or a removal
//! changes the version of its key when it begins and when it ends. A value may be put near if the version is the one
//! that the visit began with, and if no other change is in progress. So a fetch keeps nothing that is older than a
//! store, however long it takes, and of two stores that overlap, neither keeps its value: only the backing knows which
//! one was last.

use hashbrown::HashTable;

use crate::sync::{CachePadded, Mutex, OnceTryArc, TryArc};

/// The number of parts, each with a lock of its own.
const PARTS: usize = 16;

/// The operations in progress of one cache.
pub struct Visits {
    /// Allocated by the first visit: most caches of a program with many have none.
    parts: OnceTryArc<[CachePadded<Mutex<HashTable<Visited>>>; PARTS]>,
}

/// A key that is visited. Keys of the same hash count as one.
struct Visited {
    hash: u64,
    version: u64,
    /// The number of visits.
    visits: usize,
    /// The number of visits that change it.
    changes: usize,
}

/// An operation in progress. If it ends without a value, because it failed, it may still have changed its key.
pub struct Visit<'v> {
    visits: &'v Visits,
    hash: u64,
    changes: bool,
    /// The version of the key when it began; `None` if there was no memory to note it.
    version: Option<u64>,
    has_ended: bool,
}

impl Visits {
    /// No operations.
    pub fn new() -> Self {
        Visits { parts: OnceTryArc::new() }
    }

    /// Begins an operation on the key with this hash, which reads its value or `changes` it.
    pub fn begin(&self, hash: u64, changes: bool) -> Visit<'_> {
        Visit { visits: self, hash, changes, version: self.note(hash, changes), has_ended: false }
    }

    fn note(&self, hash: u64, changes: bool) -> Option<u64> {
        let rehash = |key: &Visited| key.hash;
        self.parts.get_or_try_init(|| TryArc::try_new(Default::default())).ok()?;
        let mut keys = self.part(hash)?.lock();
        keys.try_reserve(1, rehash).ok()?;
        let new = || Visited { hash, version: 0, visits: 0, changes: 0 };
        let key = keys.entry(hash, |key| key.hash == hash, rehash).or_insert_with(new).into_mut();
        key.visits += 1;
        key.changes += usize::from(changes);
        key.version += u64::from(changes);
        Some(key.version)
    }

    /// Changes every key: no operation that is in progress puts its value near.
    pub fn change_all(&self) {
        for part in self.parts.get().into_iter().flatten() {
            part.lock().iter_mut().for_each(|key| key.version += 1);
        }
    }

    fn part(&self, hash: u64) -> Option<&Mutex<HashTable<Visited>>> {
        // A table uses the lowest and the highest bits.
        Some(&self.parts.get()?[(hash >> 32) as usize % PARTS])
    }
}

impl Visit<'_> {
    /// Ends the operation, and calls `last` with whether its value may be put near. Until `last` returns, no other
    /// operation on this key begins or ends.
    pub fn end<R>(mut self, last: impl FnOnce(bool) -> R) -> R {
        self.has_ended = true;
        self.leave(last)
    }

    /// Ends the operation without a value, and tells whether its key has changed meanwhile. False if that is not known:
    /// a caller that tried again without memory would not end.
    pub fn was_overtaken(self) -> bool {
        self.version.is_some() && !self.end(|may_keep| may_keep)
    }

    fn leave<R>(&self, last: impl FnOnce(bool) -> R) -> R {
        let Some(part) = self.visits.part(self.hash) else { return last(false) };
        let mut keys = part.lock();
        let Ok(mut found) = keys.find_entry(self.hash, |key| key.hash == self.hash) else { return last(false) };
        let (key, is_noted) = (found.get_mut(), self.version.is_some());
        key.visits -= usize::from(is_noted);
        key.changes -= usize::from(is_noted && self.changes);
        let result = last(key.changes == 0 && self.version == Some(key.version));
        key.version += u64::from(self.changes);
        if key.visits == 0 {
            found.remove();
        }
        result
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.leave(|_| ());
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    /// Whether a visit of this key may keep its value after these of other visits have begun and ended.
    fn may_keep(changes: bool, others: &[(u64, bool)]) -> bool {
        let visits = Visits::new();
        let visit = visits.begin(1, changes);
        others.iter().for_each(|(hash, changes)| drop(visits.begin(*hash, *changes)));
        let may_keep = visit.end(|may_keep| may_keep);
        assert!(visits.parts.get().unwrap().iter().all(|part| part.lock().is_empty()));
        may_keep
    }

    #[test]
    fn changes_of_the_same_key_count_and_no_visit_is_left() {
        for changes in [false, true] {
            assert!(may_keep(changes, &[]));
            assert!(may_keep(changes, &[(1, false), (2, true)]));
            assert!(!may_keep(changes, &[(1, true)]));
            assert!(!may_keep(changes, &[(1, false), (1, true), (1, false)]));
        }
    }

    #[test]
    fn only_a_change_overtakes_a_visit() {
        let visits = Visits::new();
        assert!(!visits.begin(1, false).was_overtaken());
        let visit = visits.begin(1, false);
        drop(visits.begin(1, true));
        assert!(visit.was_overtaken());
        // As without memory to note it.
        let change = visits.begin(1, true);
        let visit = Visit { visits: &visits, hash: 1, changes: false, version: None, has_ended: false };
        assert!(!visit.was_overtaken());
        drop(change);
        assert!(visits.parts.get().unwrap().iter().all(|part| part.lock().is_empty()));
    }

    #[test]
    fn nothing_is_kept_while_another_change_is_in_progress() {
        let visits = Visits::new();
        let change = visits.begin(1, true);
        assert!(!visits.begin(1, false).end(|may_keep| may_keep));
        assert!(!visits.begin(1, true).end(|may_keep| may_keep));
        assert!(!change.end(|may_keep| may_keep));
        let fetch = visits.begin(1, false);
        visits.change_all();
        assert!(!fetch.end(|may_keep| may_keep));
    }
}
