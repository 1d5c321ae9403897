//! The trait of what differs between cache types.

use super::value::{Fast, Stored};
use crate::config::Config;
use crate::epoch::Guard;
use crate::error::Result;
use crate::table::{EntryRef, FastKey, Hashed, Table};

/// The policy of one type of cache. The default methods are those of the dict cache.
pub trait Policy {
    /// Fails if `value` cannot be the value of `key`; otherwise returns whether the cache would store it, given memory.
    #[inline(always)]
    fn check(&self, _key: &[u8], _value: &[u8], _config: &Config) -> Result<Stored> {
        Ok(Ok(()))
    }

    /// Whether the values are copies: of values that are elsewhere too.
    fn holds_copies(&self) -> bool {
        false
    }

    /// The value that `key` inherits if the cache has none of its own.
    #[inline(always)]
    fn inherited<'g>(&self, _guard: &'g Guard, _key: &Hashed) -> Option<EntryRef<'g>> {
        None
    }

    /// As `inherited`, on the fast path.
    #[inline(always)]
    fn try_fast_inherited<'g>(&self, _guard: &'g Guard, _key: impl FastKey) -> Fast<EntryRef<'g>> {
        Fast::Miss
    }

    /// The number of keys that inherit a value and have none in `own`.
    fn inherited_len(&self, _own: &Table) -> u64 {
        0
    }

    /// Whether there may be entries of `own` that were cleared, but are still in use.
    #[inline(always)]
    fn has_cleared(&self) -> bool {
        false
    }

    /// Evicts some of them; returns whether there were any.
    fn evict_cleared(&self, _own: &Table) -> bool {
        false
    }

    /// Removes everything from `own`.
    fn clear(&self, own: &Table) -> Result<()> {
        own.clear();
        Ok(())
    }
}
