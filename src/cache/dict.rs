//! The plain cache: bytes by bytes, within the memory limit. And the one that all holders of an identity share.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::Options;
use super::entries::{Entries, Policy};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::key::Fingerprint;
use crate::store::Shared;
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

/// What a shared cache belongs to: the identity of a system, and the role of the values.
type Identity = (Fingerprint, String);

/// A shared cache and the number of its holders.
type Held = (Shared<DictCache>, usize);

static HELD: Mutex<Option<HashMap<Identity, Held>>> = Mutex::new(None);

/// A share in the cache of an identity; the last one to go takes the cache along.
pub struct Holder {
    identity: Identity,
}

/// The cache that all callers with this fingerprint and role share. Its holders agree on configuration and options.
pub fn shared(
    config: Arc<Config>,
    options: Options,
    fingerprint: Fingerprint,
    role: &str,
) -> Result<(Shared<DictCache>, Holder)> {
    let identity = (fingerprint, role.to_owned());
    let mut held = HELD.lock();
    let cache = match held.get_or_insert_with(HashMap::new).entry(identity.clone()) {
        Entry::Occupied(mut entry) => {
            let (cache, holders) = entry.get_mut();
            let same =
                Arc::ptr_eq(cache.config(), &config) && cache.max_bytes() == options.max_bytes.unwrap_or(u64::MAX);
            if !same {
                return Err(Error::invalid(format!(
                    "the shared cache \"{role}\" exists with another configuration or limit; its holders agree"
                )));
            }
            *holders += 1;
            cache.clone()
        }
        Entry::Vacant(place) => place.insert((DictCache::dict(config, options)?, 1)).0.clone(),
    };
    Ok((cache, Holder { identity }))
}

impl Drop for Holder {
    fn drop(&mut self) {
        let mut held = HELD.lock();
        let Some(caches) = held.as_mut() else { return };
        let Some((_, holders)) = caches.get_mut(&self.identity) else { return };
        *holders -= 1;
        if *holders == 0 {
            let last = caches.remove(&self.identity);
            drop(held);
            drop(last);
        }
    }
}
