//! The plain cache: bytes by bytes, within the memory limit. And the one that all holders of an identity share.

use std::sync::Arc;

use super::local::{LocalCache, Policy};
use super::{Options, Refusal};
use crate::config::Config;
use crate::epoch::without_fork;
use crate::error::{Error, Result, try_owned};
use crate::key::Fingerprint;
use crate::sync::Mutex;
use crate::sync::TryArc;

/// Keeps whatever it is given.
pub struct Plain;

impl Policy for Plain {}

/// PyPhi's `DictCache`.
pub type DictCache = LocalCache<Plain>;

impl DictCache {
    /// An empty cache.
    pub fn dict(config: Arc<Config>, options: Options) -> Result<TryArc<Self>> {
        TryArc::try_new(LocalCache::new(Plain, config, options))
    }
}

impl DictCache {
    /// Refuses a value as `set` would, where that is easy to tell, and counts that.
    #[inline(always)]
    pub fn try_fast_refuse_value(&self, key: &[u8], value: &[u8]) -> Option<Refusal> {
        self.try_fast_refuse(key, value.len(), None)
    }
}

/// What a shared cache belongs to: the identity of a system, and the role of the values.
struct Held {
    fingerprint: Fingerprint,
    role: String,
    /// What its holders call it.
    name: Option<String>,
    cache: TryArc<DictCache>,
    holders: usize,
}

/// Few, since there is one for each role of each system that is worked on.
static HELD: Mutex<Vec<Held>> = Mutex::new(Vec::new());

/// A share in the cache of an identity; the last one to go takes the cache along.
pub struct Holder {
    cache: TryArc<DictCache>,
}

/// The cache that all callers with this fingerprint and role share. Its holders agree on configuration, options and name.
pub fn shared(
    config: Arc<Config>,
    options: Options,
    name: Option<&str>,
    fingerprint: Fingerprint,
    role: &str,
) -> Result<(TryArc<DictCache>, Holder)> {
    without_fork(|| {
        let mut held = HELD.lock();
        let known = held.iter_mut().find(|held| held.fingerprint == fingerprint && held.role == role);
        let cache = match known {
            Some(known) => {
                let same = Arc::ptr_eq(known.cache.config(), &config)
                    && known.cache.max_bytes() == options.max_bytes.unwrap_or(u64::MAX)
                    && known.name.as_deref() == name;
                if !same {
                    return Err(Error::invalid(format!(
                        "the shared cache \"{role}\" exists with another configuration, limit or name; its holders agree"
                    )));
                }
                known.holders += 1;
                known.cache.clone()
            }
            None => {
                held.try_reserve(1).map_err(|_| Error::OutOfMemory(size_of::<Held>()))?;
                let cache = DictCache::dict(config, options)?;
                let (role, name) = (try_owned(role)?, name.map(try_owned).transpose()?);
                held.push(Held { fingerprint, role, name, cache: cache.clone(), holders: 1 });
                cache
            }
        };
        Ok((cache.clone(), Holder { cache }))
    })
}

impl Drop for Holder {
    fn drop(&mut self) {
        without_fork(|| {
            let mut held = HELD.lock();
            let Some(at) = held.iter().position(|held| held.cache.is_same(&self.cache)) else { return };
            held[at].holders -= 1;
            if held[at].holders == 0 {
                let last = held.swap_remove(at);
                drop(held);
                drop(last);
            }
        })
    }
}
