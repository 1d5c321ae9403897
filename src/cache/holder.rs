//! One cache for all callers that name the same identity and role: in this process, or in files.

use std::path::PathBuf;
use std::sync::Arc;

use super::any::Cache;
use super::dict::DictCache;
use super::options::Options;
use super::shared::disk::DiskCache;
use super::verify::Verifier;
use crate::config::Config;
use crate::epoch::without_fork;
use crate::error::{Error, Result, try_owned};
use crate::iit::Subsystem;
use crate::key::Fingerprint;
use crate::sync::{Mutex, TryArc};

/// What the callers of a cache have in common.
struct Identity {
    fingerprint: Fingerprint,
    role: String,
    /// For a cache in files: their directory.
    directory: Option<PathBuf>,
}

/// A cache with its identity, and the number of its holders.
struct Shared {
    identity: Identity,
    /// Its name in the registry.
    name: Option<String>,
    cache: Cache,
    holders: usize,
}

/// The shared caches: a short list, one for each role of each system that the process works on.
static SHARED: Mutex<Vec<Shared>> = Mutex::new(Vec::new());

/// A holder of the cache of an identity and role. Dropping the last one frees the cache.
pub struct Holder {
    cache: Cache,
}

/// The dict cache that all callers with this fingerprint and role share. They agree on configuration, options and name.
pub fn shared_dict(
    config: Arc<Config>,
    options: Options,
    name: Option<&str>,
    fingerprint: Fingerprint,
    role: &str,
) -> Result<(Cache, Holder)> {
    let identity = Identity { fingerprint, role: try_owned(role)?, directory: None };
    shared(identity, config, options, name, |config, options, _| DictCache::dict(config, options).map(Cache::from))
}

/// The cache in files that all callers in this process with this fingerprint, role and directory share. They agree on
/// configuration, options and name. Lists of the directory show the `context`.
pub fn shared_disk(
    config: Arc<Config>,
    options: Options,
    name: Option<&str>,
    fingerprint: Fingerprint,
    role: &str,
    context: Option<&[u8]>,
) -> Result<(Cache, Holder)> {
    if role == DiskCache::MICE {
        return Err(Error::invalid(format!("the role \"{role}\" is that of MICE caches; choose another one")));
    }
    let identity = Identity::in_directory(&config, fingerprint, role)?;
    shared(identity, config, options, name, |config, options, identity| {
        DiskCache::disk(config, options, &identity.fingerprint, &identity.role, context).map(Cache::from)
    })
}

/// The cache in files of the MICE of `subsystem`. All callers in this process with the same system, uncut, and the same
/// directory share one, and agree on configuration, options and name. A cut subsystem has a cache of its own, which
/// inherits from `parent`.
pub fn shared_disk_mice(
    config: Arc<Config>,
    options: Options,
    name: Option<&str>,
    subsystem: &Subsystem,
    parent: Option<&TryArc<DiskCache>>,
) -> Result<(Cache, Option<Holder>)> {
    if subsystem.cut().is_some() {
        return Ok((DiskCache::disk_mice(config, options, subsystem, parent)?.into(), None));
    }
    if let Some(parent) = parent {
        subsystem.check_parent(parent.subsystem()?)?;
    }
    let identity = Identity::in_directory(&config, *subsystem.fingerprint(), DiskCache::MICE)?;
    let (cache, holder) = shared(identity, config, options, name, |config, options, _| {
        DiskCache::disk_mice(config, options, subsystem, None).map(Cache::from)
    })?;
    Ok((cache, Some(holder)))
}

/// The fingerprint of a cache that callers share.
pub(super) fn fingerprint_of(cache: &Cache) -> Option<Fingerprint> {
    without_fork(|| {
        let shared = SHARED.lock();
        shared.iter().find(|known| known.cache.is_same(cache)).map(|known| known.identity.fingerprint)
    })
}

fn shared(
    identity: Identity,
    config: Arc<Config>,
    options: Options,
    name: Option<&str>,
    make: impl FnOnce(Arc<Config>, Options, &Identity) -> Result<Cache>,
) -> Result<(Cache, Holder)> {
    without_fork(|| {
        let mut shared = SHARED.lock();
        let known = shared.iter_mut().find(|known| known.identity.is_same(&identity));
        let cache = match known {
            Some(known) => {
                let same_verifier =
                    known.cache.verifier().map(Verifier::every) == options.verifier.as_deref().map(Verifier::every);
                let differs = [
                    ("another configuration", !Arc::ptr_eq(known.cache.config(), &config)),
                    ("another name", known.name.as_deref() != name),
                    ("other options", !(known.cache.has_options(&options) && same_verifier)),
                ];
                if let Some((what, _)) = differs.into_iter().find(|(_, differs)| *differs) {
                    let place = match &identity.directory {
                        Some(directory) => format!(" in {}", directory.display()),
                        None => String::new(),
                    };
                    return Err(Error::invalid(format!(
                        "a cache of this identity or context, with the role \"{}\"{place}, exists with {what}; \
                         use the same for all, or free it first. A cache for other values needs another context or \
                         role",
                        identity.role
                    )));
                }
                known.holders += 1;
                known.cache.clone()
            }
            None => {
                shared.try_reserve(1).map_err(|_| Error::OutOfMemory(size_of::<Shared>()))?;
                let cache = make(config, options, &identity)?;
                let name = name.map(try_owned).transpose()?;
                shared.push(Shared { identity, name, cache: cache.clone(), holders: 1 });
                cache
            }
        };
        Ok((cache.clone(), Holder { cache }))
    })
}

impl Identity {
    fn in_directory(config: &Config, fingerprint: Fingerprint, role: &str) -> Result<Self> {
        let directory = config.disk_directory()?;
        let directory = directory.canonicalize().unwrap_or(directory);
        Ok(Identity { fingerprint, role: try_owned(role)?, directory: Some(directory) })
    }

    fn is_same(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.role == other.role && self.directory == other.directory
    }
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
