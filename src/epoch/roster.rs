//! The participants of all threads, in groups, and which of them a collection visits.
//!
//! A program may have thousands of threads at one time and few later. Participants are never freed, so each group has a
//! word that lists those that matter: their thread runs, or has left something behind. The others are not visited.
//!
//! ```text
//! roster ──> group: listed 0…0101 │ participants ──> group: listed 0…0000 │ participants
//! ```
//!
//! A thread lists its participant before it uses it, by a store before that of its first epoch; so the barriers that
//! make the epoch visible to a collection do the same for the listing. A participant leaves the list when it has no
//! owner and there is nothing to find in it: a collection that misses it has seen, by Acquire, the end of all its
//! sections.

use std::iter;
use std::ptr;

use super::participant::Participant;
use crate::error::Result;
use crate::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::sync::try_box;

/// The participants of a group.
const GROUP: usize = if cfg!(shuttle) { 2 } else { 64 };

struct Group {
    /// A bit for each participant that is visited.
    listed: AtomicU64,
    /// Filled from the first on.
    participants: [AtomicPtr<Participant>; GROUP],
    next: AtomicPtr<Group>,
}

/// All participants but the spare one. Those with the lowest ids have an owner first.
pub(super) struct Roster(Group);

impl Group {
    const fn new() -> Self {
        Group {
            listed: AtomicU64::new(0),
            participants: [const { AtomicPtr::new(ptr::null_mut()) }; GROUP],
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// The participant at this place.
    fn participant(&self, at: usize) -> Option<&'static Participant> {
        // SAFETY: participants are never freed.
        unsafe { self.participants[at].load(Ordering::Acquire).as_ref() }
    }

    fn next(&self) -> Option<&'static Group> {
        // SAFETY: groups are never freed.
        unsafe { self.next.load(Ordering::Acquire).as_ref() }
    }

    /// The next group, allocated now if it does not exist.
    fn next_or_new(&self) -> Option<&'static Group> {
        if let Some(next) = self.next() {
            return Some(next);
        }
        let new = Box::into_raw(try_box(Group::new()).ok()?);
        if self.next.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // SAFETY: it came from a box, and no other thread knows it.
            drop(unsafe { Box::from_raw(new) });
        }
        self.next()
    }
}

impl Roster {
    pub(super) const fn new() -> Self {
        Roster(Group::new())
    }

    fn groups(&'static self) -> impl Iterator<Item = &'static Group> {
        iter::successors(Some(&self.0), |group| group.next())
    }

    /// Every participant. The model checker has no forks.
    #[cfg(not(shuttle))]
    pub(super) fn all(&'static self) -> impl Iterator<Item = &'static Participant> {
        self.groups().flat_map(|group| (0..GROUP).map_while(|at| group.participant(at)))
    }

    /// The participant with this id.
    pub(super) fn by_id(&'static self, id: u32) -> Option<&'static Participant> {
        let index = (id as usize).checked_sub(1)?;
        self.groups().nth(index / GROUP)?.participant(index % GROUP)
    }

    /// The participants that matter. Acquire pairs with [`Roster::unlist_if_idle`].
    pub(super) fn listed(&'static self) -> impl Iterator<Item = &'static Participant> {
        self.groups().flat_map(|group| {
            let mut left = group.listed.load(Ordering::Acquire);
            iter::from_fn(move || {
                let at = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(at)
            })
            .filter_map(|at| group.participant(at))
        })
    }

    /// A participant for the caller, listed: one without an owner, or a new one.
    pub(super) fn acquire(&'static self) -> Option<&'static Participant> {
        let mut group = &self.0;
        let mut first_id = 1;
        loop {
            for at in 0..GROUP {
                let participant = match group.participant(at) {
                    Some(participant) if participant.try_acquire() => participant,
                    Some(_) => continue,
                    None => match Self::fill(group, at, first_id + at as u32).ok()? {
                        Some(participant) => participant,
                        None => continue,
                    },
                };
                group.listed.fetch_or(1 << at, Ordering::AcqRel);
                return Some(participant);
            }
            group = group.next_or_new()?;
            first_id += GROUP as u32;
        }
    }

    /// Puts a new participant into an empty place, for the caller; None if another thread was first.
    fn fill(group: &'static Group, at: usize, id: u32) -> Result<Option<&'static Participant>> {
        let new = Box::into_raw(try_box(Participant::in_use(id))?);
        let place = &group.participants[at];
        match place.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: participants are never freed.
            Ok(_) => Ok(Some(unsafe { &*new })),
            Err(_) => {
                // SAFETY: it came from a box, and no other thread knows it.
                drop(unsafe { Box::from_raw(new) });
                Ok(None)
            }
        }
    }

    /// The group and the bit of a participant that is not the spare one.
    fn place(&'static self, participant: &Participant) -> Option<(&'static Group, u64)> {
        let at = (participant.id() as usize).checked_sub(1)?;
        Some((self.groups().nth(at / GROUP)?, 1 << (at % GROUP)))
    }

    /// Lists a participant whose retire list got something. The caller has its lock.
    pub(super) fn list(&'static self, participant: &Participant) {
        if let Some((group, bit)) = self.place(participant)
            && group.listed.load(Ordering::Relaxed) & bit == 0
        {
            group.listed.fetch_or(bit, Ordering::AcqRel);
        }
    }

    /// Takes a participant off the list, if it has no owner and has left nothing behind.
    pub(super) fn unlist_if_idle(&'static self, participant: &'static Participant) {
        // The first look is for the many that cannot be unlisted. Then nobody sets a slot, as the participant is ours.
        if !participant.has_left_nothing() || !participant.try_acquire() {
            return;
        }
        if let Some((group, bit)) = self.place(participant) {
            // Under the lock, so that a collection that returns objects to the list then lists it again.
            let garbage = participant.garbage.lock();
            if garbage.is_empty() && participant.has_left_nothing() {
                // Release, because a collection that reads this does not read the participant's epoch.
                group.listed.fetch_and(!bit, Ordering::Release);
            }
        }
        participant.hand_back();
    }
}
