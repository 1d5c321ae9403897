//! One dict cache for all callers that name the same identity and role.

use std::sync::Arc;

use super::dict::DictCache;
use super::options::Options;
use super::verify::Verifier;
use crate::config::Config;
use crate::epoch::without_fork;
use crate::error::{Error, Result, try_owned};
use crate::key::Fingerprint;
use crate::sync::Mutex;
use crate::sync::TryArc;

/// A cache with its identity and role, and the number of its holders.
struct Shared {
    fingerprint: Fingerprint,
    role: String,
    /// Its name in the registry.
    name: Option<String>,
    cache: TryArc<DictCache>,
    holders: usize,
}

/// The shared caches: a short list, one for each role of each system that the process works on.
static SHARED: Mutex<Vec<Shared>> = Mutex::new(Vec::new());

/// A holder of the cache of an identity and role. Dropping the last one frees the cache.
pub struct Holder {
    cache: TryArc<DictCache>,
}

/// The cache that all callers with this fingerprint and role share. They agree on configuration, options and name.
pub fn shared(
    config: Arc<Config>,
    options: Options,
    name: Option<&str>,
    fingerprint: Fingerprint,
    role: &str,
) -> Result<(TryArc<DictCache>, Holder)> {
    without_fork(|| {
        let mut shared = SHARED.lock();
        let known = shared.iter_mut().find(|known| known.fingerprint == fingerprint && known.role == role);
        let cache = match known {
            Some(known) => {
                let same = Arc::ptr_eq(known.cache.config(), &config)
                    && known.cache.max_bytes() == options.max_bytes.unwrap_or(u64::MAX)
                    && known.cache.verifier().map(Verifier::every) == options.verifier.as_deref().map(Verifier::every)
                    && known.name.as_deref() == name;
                if !same {
                    return Err(Error::invalid(format!(
                        "the shared cache \"{role}\" exists with another configuration, name or options; use the same"
                    )));
                }
                known.holders += 1;
                known.cache.clone()
            }
            None => {
                shared.try_reserve(1).map_err(|_| Error::OutOfMemory(size_of::<Shared>()))?;
                let cache = DictCache::dict(config, options)?;
                let (role, name) = (try_owned(role)?, name.map(try_owned).transpose()?);
                shared.push(Shared { fingerprint, role, name, cache: cache.clone(), holders: 1 });
                cache
            }
        };
        Ok((cache.clone(), Holder { cache }))
    })
}

impl Drop for Holder {
    fn drop(&mut self) {
        without_fork(|| {
            let mut shared = SHARED.lock();
            let Some(at) = shared.iter().position(|known| known.cache.is_same(&self.cache)) else { return };
            shared[at].holders -= 1;
            if shared[at].holders == 0 {
                let last = shared.swap_remove(at);
                // The cache is freed after the lock is released.
                drop(shared);
                drop(last);
            }
        })
    }
}
