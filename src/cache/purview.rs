//! The purview cache of a network: for a direction and a mechanism, the list of potential purviews.

use std::sync::Arc;

use super::local::LocalCache;
use super::options::Options;
use super::policy::Policy;
use super::value::{Refusal, Stored};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::iit::{Direction, NodeSet};
use crate::key::{Element, KeyWriter};
use crate::sync::TryArc;

/// The policy of a purview cache: it stores lists of masks while purview caching is enabled.
pub struct Purviews;

impl Policy for Purviews {
    fn check(&self, _key: &[u8], value: &[u8], config: &Config) -> Result<Stored> {
        if !value.len().is_multiple_of(size_of::<u64>()) {
            return Err(Error::invalid(format!(
                "{} bytes; a list of purviews is one mask of 8 bytes for each",
                value.len()
            )));
        }
        Ok(if config.purviews() { Ok(()) } else { Err(Refusal::Disabled) })
    }
}

/// PyPhi's `PurviewCache`.
pub type PurviewCache = LocalCache<Purviews>;

/// A key of a purview cache.
pub struct PurviewKey([u8; 16], usize);

impl std::ops::Deref for PurviewKey {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0[..self.1]
    }
}

impl PurviewCache {
    /// An empty cache.
    pub fn purview(config: Arc<Config>, options: Options) -> Result<TryArc<Self>> {
        TryArc::try_new(LocalCache::new(Purviews, config, options))
    }

    /// The key (direction, mechanism).
    pub fn key(direction: Direction, mechanism: NodeSet) -> Result<PurviewKey> {
        let mut buffer = [0; 16];
        let mut key = KeyWriter::new(&mut buffer);
        key.element(Element::Direction(direction as u8));
        key.element(Element::Nodes(mechanism.0));
        let len = key.finish()?;
        Ok(PurviewKey(buffer, len))
    }
}
