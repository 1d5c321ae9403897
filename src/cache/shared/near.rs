//! What a cache at a server keeps in this process: nothing, or the MICE of an uncut system, which its cuts look into.

use std::sync::atomic::{AtomicBool, Ordering};

use super::key_names::check_mice;
use super::redis::RedisCache;
use crate::cache::Refusal;
use crate::cache::local::Policy;
use crate::config::Config;
use crate::epoch::Guard;
use crate::error::Result;
use crate::iit::{Mice, Subsystem};
use crate::sync::TryArc;
use crate::table::{EntryRef, Hashed, Probe, Table};

/// What a cache keeps in this process.
#[derive(Default)]
pub struct Near {
    /// Whose MICE they are, if they are MICE.
    pub(super) kin: Option<Kin>,
}

/// The place of a MICE cache among others.
pub(super) struct Kin {
    pub(super) subsystem: Subsystem,
    /// Whose MICE a cut subsystem takes over where the cut does not damage them.
    parent: Option<TryArc<RedisCache>>,
    /// A cleared child inherits no more.
    detached: AtomicBool,
}

impl Kin {
    pub(super) fn new(subsystem: &Subsystem, parent: Option<TryArc<RedisCache>>) -> Self {
        Kin { subsystem: subsystem.clone(), parent, detached: AtomicBool::new(false) }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.subsystem.cut().is_some()
    }

    /// Whose MICE are inherited.
    #[inline]
    pub(super) fn parent(&self) -> Option<&RedisCache> {
        self.parent.as_deref().filter(|_| !self.detached.load(Ordering::Acquire))
    }

    /// Whether a record of the uncut system holds under the cut.
    #[inline]
    pub(super) fn keeps(&self, record: &[u8]) -> bool {
        let mice = Mice::read(record);
        mice.is_ok_and(|mice| !self.subsystem.damages(mice.direction, mice.mechanism, mice.purview))
    }
}

impl Policy for Near {
    fn check(&self, key: &[u8], value: &[u8]) -> Result<()> {
        match self.kin {
            Some(_) => check_mice(key, &Mice::read_checked(value)?),
            None => Ok(()),
        }
    }

    fn refuses(&self, _value: &[u8], _config: &Config) -> Option<Refusal> {
        self.kin.as_ref().filter(|kin| kin.is_cut()).map(|_| Refusal::Cut)
    }

    #[inline(always)]
    fn inherited<'s>(&self, section: &'s Guard, key: &Hashed) -> Option<EntryRef<'s>> {
        let kin = self.kin.as_ref()?;
        let found = kin.parent()?.near().table().find(section, key);
        found.filter(|entry| kin.keeps(entry.value()))
    }

    #[inline(always)]
    fn probe_inherited<'s>(&self, section: &'s Guard, key: &[u8]) -> Probe<'s> {
        let Some(kin) = &self.kin else { return Probe::Missing };
        let Some(parent) = kin.parent() else { return Probe::Missing };
        match parent.near().table().probe(section, key) {
            Probe::Found(entry) if kin.keeps(entry.value()) => Probe::Found(entry),
            _ => Probe::Unclear,
        }
    }

    fn clear(&self, own: &Table) -> Result<()> {
        own.clear();
        if let Some(kin) = &self.kin {
            kin.detached.store(true, Ordering::Release);
        }
        Ok(())
    }
}
