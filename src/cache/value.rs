//! The results of cache operations: values and their origins, refusals, results of waits.

use crate::epoch::Guard;
use crate::error::{Error, Result};
use crate::memory::Exceeded;
use crate::table::{EntryRef, Pinned};

/// Why a value was not stored. A refusal is a normal outcome, not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The subsystem is cut.
    Cut,
    /// φ is not positive.
    Phi,
    /// The memory limit is reached.
    Memory,
    /// Caching of this kind is switched off.
    Disabled,
    /// The cache has reached its `max_bytes`.
    Capacity,
    /// The key was removed, or the cache cleared, while the value was computed; or its lease expired.
    Cleared,
    /// The server failed.
    Server,
    /// A file operation failed.
    Storage,
}

impl From<Exceeded> for Refusal {
    fn from(exceeded: Exceeded) -> Self {
        match exceeded {
            Exceeded::Capacity => Refusal::Capacity,
            Exceeded::Memory => Refusal::Memory,
        }
    }
}

/// The result of a store: nothing, or why the value was refused.
pub type Stored = std::result::Result<(), Refusal>;

/// What it costs to compute a value again, in nanoseconds of computing time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost(u64);

impl Cost {
    /// The cost is not known: the value counts as one of mean cost in its cache.
    pub const UNKNOWN: Cost = Cost(0);

    /// This number of nanoseconds; 0 is unknown.
    pub fn of_ns(ns: u64) -> Self {
        Cost(ns)
    }

    /// A measured time, which is known even if the clock saw none pass.
    #[inline(always)]
    pub fn measured(ns: u64) -> Self {
        Cost(ns.max(1))
    }

    /// The nanoseconds; 0 if unknown.
    pub fn ns(self) -> u64 {
        self.0
    }

    /// This cost, or `other` if it is unknown.
    #[inline(always)]
    pub fn or(self, other: impl FnOnce() -> Self) -> Self {
        if self == Cost::UNKNOWN { other() } else { self }
    }
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was in the cache.
    Hit,
    /// This call computed and stored it.
    Computed,
    /// Another caller computed it, and this call waited for it.
    Waited,
    /// It was inherited from the cache's parent.
    Parent,
    /// This call computed it, and it was not stored: the reason, or `None` if no memory was left for the table.
    NotStored(Option<Refusal>),
}

/// A pinned value and its origin.
#[derive(Clone)]
pub struct Value {
    /// The entry.
    pub entry: Pinned,
    /// Where it came from.
    pub origin: Origin,
}

/// A value that is valid while a read section lasts, and its origin.
#[derive(Clone, Copy)]
pub struct Found<'g> {
    /// The entry.
    pub entry: EntryRef<'g>,
    /// Where it came from.
    pub origin: Origin,
}

impl Found<'_> {
    /// Pins the value, so that it stays valid after the section.
    #[inline(always)]
    pub fn pin(&self, guard: &Guard) -> Value {
        Value { entry: Pinned::new(guard, self.entry), origin: self.origin }
    }

    /// As [`Found::pin`], on the fast path.
    #[inline(always)]
    pub(super) fn try_fast_pin(&self, guard: &Guard) -> Option<Value> {
        Some(Value { entry: Pinned::try_fast(guard, self.entry)?, origin: self.origin })
    }
}

/// The result of a lookup on the fast path.
pub enum Fast<T> {
    /// The key has a value.
    Hit(T),
    /// The key has no value.
    Miss,
    /// The fast path does not handle this case, and has counted nothing: use the slow path.
    Slow,
}

impl<T> Fast<T> {
    /// The value of a hit.
    #[inline(always)]
    pub fn hit(self) -> Option<T> {
        match self {
            Fast::Hit(value) => Some(value),
            Fast::Miss | Fast::Slow => None,
        }
    }
}

/// The result of a wait for a value that another caller computes.
pub enum Waited {
    /// The key has a value.
    Value(Value),
    /// No caller computes it: begin again.
    Nobody,
    /// The time limit has passed.
    TimeOut,
    /// Waiting would close a cycle: the caller that computes the value waits for this owner.
    Cycle,
}

/// Copies a value into a buffer and returns its length.
pub(super) fn copy(value: &[u8], buffer: &mut [u8]) -> Result<usize> {
    let capacity = buffer.len();
    let room = buffer.get_mut(..value.len()).ok_or(Error::BufferTooSmall { needed: value.len(), capacity })?;
    room.copy_from_slice(value);
    Ok(value.len())
}

/// A lookup of a memoized function that is more than a hit.
pub enum Beyond {
    /// There is no value.
    Missed,
    /// A hit in verified mode.
    Unverified(Value),
}

impl Beyond {
    /// The value of a hit.
    pub fn hit(self) -> Option<Value> {
        match self {
            Beyond::Missed => None,
            Beyond::Unverified(value) => Some(value),
        }
    }
}
