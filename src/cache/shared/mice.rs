//! Shared caches of MICE: the operations that only MICE caches have.

use super::backing::Backing;
use super::cache::SharedCache;
use crate::cache::lineage::Lineage;
use crate::cache::value::{Cost, Refusal, Stored};
use crate::error::{Error, Result};
use crate::iit::{Mice, Subsystem};
use crate::key::check_len;
use crate::sync::TryArc;

impl<B: Backing> SharedCache<B> {
    /// Whether its values are MICE.
    pub fn is_mice(&self) -> bool {
        self.near.lineage().is_some()
    }

    /// The subsystem whose MICE they are.
    pub fn subsystem(&self) -> Result<&Subsystem> {
        let lineage = self.near.lineage();
        lineage.map(Lineage::subsystem).ok_or_else(|| Error::invalid("the cache is not a MICE cache; expected one"))
    }

    /// The lineage of a cache for `subsystem` whose parent is `parent`: a cache of the same system, uncut. A cache that
    /// has the parent's own values anyway does not `inherit`.
    pub(super) fn lineage(
        subsystem: &Subsystem,
        parent: Option<&TryArc<Self>>,
        inherit: bool,
    ) -> Result<Lineage<TryArc<Self>>> {
        if let Some(parent) = parent {
            subsystem.check_parent(parent.subsystem()?)?;
        }
        Ok(Lineage::new(subsystem, parent.filter(|_| inherit).cloned().into_iter().collect()))
    }

    /// The result that `set_mice` would have, so that a caller can skip computing a MICE.
    pub fn would_store(&self) -> Stored {
        let disabled = self.backing().is_read_only().then_some(Refusal::Disabled);
        self.refuses_cut().or(disabled).map_or(Ok(()), Err)
    }

    /// Stores a MICE, unless the subsystem is cut; fails if it belongs to another key or system.
    pub fn set_mice(&self, key: &[u8], mice: &Mice) -> Result<Stored> {
        check_len(key)?;
        self.near.lineage().map_or_else(|| mice.check_answers(key), |lineage| lineage.check(key, mice))?;
        if let Some(reason) = self.refuses_cut() {
            return Ok(Err(self.near().refuse(reason)));
        }
        self.set_checked(key, Cost::UNKNOWN, |draft| {
            mice.write(draft.reserve(mice.record_len())?);
            Ok(())
        })
    }
}
