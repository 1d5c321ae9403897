//! The dict cache: values by keys, both bytes.

use std::sync::Arc;

use super::local::LocalCache;
use super::options::Options;
use super::policy::Policy;
use super::value::Refusal;
use crate::config::Config;
use crate::error::Result;
use crate::sync::TryArc;

/// The policy of the dict cache: it stores every value.
pub struct Plain;

impl Policy for Plain {}

/// PyPhi's `DictCache`.
pub type DictCache = LocalCache<Plain>;

impl DictCache {
    /// An empty cache.
    pub fn dict(config: Arc<Config>, options: Options) -> Result<TryArc<Self>> {
        TryArc::try_new(LocalCache::new(Plain, config, options))
    }

    /// Refuses a value as `set` would, on the fast path, and counts the refusal.
    #[inline(always)]
    pub fn try_fast_refuse_value(&self, key: &[u8], value: &[u8]) -> Option<Refusal> {
        self.try_fast_refuse(key, value.len(), None)
    }
}
