//! The trait of a store for one shared cache outside of this process, such as a server.
//!
//! A backing stores bytes under keys; it names and checks its records as it likes. Near caches and inheritance are the
//! business of `SharedCache`. A backing decides whether its failures are errors or misses. A caller's mistake, such as
//! a value that is too long, is always an error, and so is a failed removal: the value could be read again.

use std::time::Duration;

use crate::cache::value::{Cost, Refusal};
use crate::disk::Evicted;
use crate::error::Result;
use crate::table::Draft;

/// The values of one shared cache.
pub trait Backing: Send + Sync + 'static {
    /// Fetches the value of the draft's key into the draft.
    fn get(&self, draft: &mut Draft) -> Result<Fetched>;

    /// Fetches the values of many drafts' keys, in one round trip. If some fail, the others are there; the result says
    /// why the first one failed.
    fn get_many(&self, drafts: &mut [Draft]) -> (Vec<Fetched>, Result<()>);

    /// Whether it verifies fetched values by a checksum of key and value.
    fn verifies(&self) -> bool;

    /// Whether it refuses every store.
    fn is_read_only(&self) -> bool {
        false
    }

    /// Whether a key has a value.
    fn contains(&self, key: &[u8]) -> Result<bool>;

    /// Stores a value that took this cost to compute, and replaces the key's old one.
    fn set(&self, key: &[u8], value: &[u8], cost: Cost) -> Result<StoreOutcome>;

    /// Stores many values of unknown cost, in one round trip; returns for each what `set` would.
    fn set_many(&self, pairs: &[(&[u8], &[u8])]) -> Vec<Result<StoreOutcome>>;

    /// Removes a value and the claim on its key; returns whether there was a value.
    fn remove(&self, key: &[u8]) -> Result<bool>;

    /// Removes all values and all claims: values that are being computed under a claim will not be stored.
    fn clear(&self) -> Result<()>;

    /// The number of values; `None` if the backing failed.
    fn size(&self) -> Result<Option<u64>>;

    /// The number of values for which `counts` returns true; `None` if the backing failed. Reads all of them.
    fn count(&self, counts: &dyn Fn(&[u8]) -> bool) -> Result<Option<u64>>;

    /// What this process has removed because the backing was full, if it counts that.
    fn evicted(&self) -> Option<Evicted> {
        None
    }

    /// The lookups of all its clients, if the backing counts them for this cache.
    fn lookups(&self) -> Result<Option<LookupCounts>> {
        Ok(None)
    }

    /// The longest pause between two questions of a caller that waits for another process.
    fn longest_pause(&self) -> Duration;

    /// Claims the computation of a key, so that no other process computes it too. `computation` is a number that no
    /// other computation of this process has.
    fn claim(&self, key: &[u8], computation: u64) -> Result<KeyClaim>;

    /// Whether another process has claimed a key.
    fn is_claimed(&self, key: &[u8]) -> Result<bool>;

    /// Stores a computed value with its cost, and releases its claim. A granted claim must still be valid; an unknown
    /// one allows storing only if the key has no value. Failures are not errors, because the caller has the value.
    fn complete(&self, key: &[u8], computation: u64, claim: KeyClaim, value: &[u8], cost: Cost) -> StoreOutcome;

    /// Releases a claim, if there may be one, so that other processes need not wait until it expires.
    fn release(&self, key: &[u8], computation: u64, claim: KeyClaim);
}

/// The result of fetching a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// The key has no value, or the backing failed and that is a miss.
    Nothing,
    /// The draft holds the value, which took this cost to compute.
    Value(Cost),
    /// There is a record that is not a value of this key: damaged, or of another program.
    Damaged,
}

/// The result of storing a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOutcome {
    /// The backing has it, or another value of the same key.
    Stored,
    /// The backing failed.
    Failed,
    /// The backing does not take the value.
    Refused(Refusal),
    /// The claim had expired, or the key was removed: another process may compute it now.
    Superseded,
}

/// The result of claiming a computation. A flight carries it as a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyClaim {
    /// The cache makes no claims: every process computes. The note of every new flight says so.
    None,
    /// Another process has it.
    Taken,
    /// The backing failed: it may have been granted.
    Unknown,
    /// It was granted to this computation.
    Granted,
}

impl KeyClaim {
    /// As the note of a flight.
    pub(super) fn to_note(self) -> u8 {
        match self {
            KeyClaim::None | KeyClaim::Taken => 0,
            KeyClaim::Unknown => 1,
            KeyClaim::Granted => 2,
        }
    }

    /// From the note of a flight.
    pub(super) fn from_note(note: u8) -> Self {
        match note {
            0 => KeyClaim::None,
            1 => KeyClaim::Unknown,
            _ => KeyClaim::Granted,
        }
    }
}

/// Counts of lookups by all clients of a backing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookupCounts {
    /// Lookups that found a value.
    pub hits: u64,
    /// Lookups that found no value.
    pub misses: u64,
}
