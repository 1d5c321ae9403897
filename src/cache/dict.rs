//! The plain cache: bytes by bytes, within the memory limit. And the one that all holders of an identity share.

use std::sync::Arc;

use super::entries::{Entries, Policy};
use super::{Options, Refusal};
use crate::config::Config;
use crate::error::{Error, Result, try_owned};
use crate::key::Fingerprint;
use crate::store::Shared;
use crate::store::change;
use crate::store::lock::Mutex;

/// Keeps whatever it is given.
pub struct Plain;

impl Policy for Plain {}

/// PyPhi's `DictCache`.
pub type DictCache = Entries<Plain>;

impl DictCache {
    /// An empty cache.
    pub fn dict(config: Arc<Config>, options: Options) -> Result<Shared<Self>> {
        Shared::try_new(Entries::new(Plain, config, options))
    }
}

impl DictCache {
    /// Refuses a value as `set` would, where that is easy to tell, and counts that.
    #[inline(always)]
    pub fn refuse_value_quickly(&self, key: &[u8], value: &[u8]) -> Option<Refusal> {
        self.refuse_quickly(key, value.len(), None)
    }
}

/// What a shared cache belongs to: the identity of a system, and the role of the values.
struct Held {
    fingerprint: Fingerprint,
    role: String,
    /// What its holders call it.
    name: Option<String>,
    cache: Shared<DictCache>,
    holders: usize,
}

/// Few, since there is one for each role of each system that is worked on.
static HELD: Mutex<Vec<Held>> = Mutex::new(Vec::new());

/// A share in the cache of an identity; the last one to go takes the cache along.
pub struct Holder {
    cache: Shared<DictCache>,
}

/// The cache that all callers with this fingerprint and role share. Its holders agree on configuration, options and name.
pub fn shared(
    config: Arc<Config>,
    options: Options,
    name: Option<&str>,
    fingerprint: Fingerprint,
    role: &str,
) -> Result<(Shared<DictCache>, Holder)> {
    change(|| {
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
        change(|| {
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
