//! A cache saved to one file, a bundle; loaded from it into another one; or read in place.
//!
//! A bundle has an identity: the role of its values, the context in which they were computed and, of MICE, the
//! subsystem with its cut. It can only be used with the same one. That of a shared dict cache also has the fingerprint
//! under which it is shared, and is not loaded into one with another: its keys may not contain the system.

use std::path::Path;
use std::sync::Arc;

use super::any::Cache;
use super::holder;
use super::options::Options;
use super::shared::disk::DiskCache;
use super::value::Cost;
use super::walk::Walk;
use crate::config::Config;
use crate::disk::{Bundle, BundleWriter, Description, Entry, Item, as_text};
use crate::error::{Error, Result};
use crate::key;
use crate::memory::limit;

/// The role of values under keys, both bytes.
const VALUES: &str = "values";

/// The most bytes of a context that a message shows.
const SHOWN: usize = 200;

/// What has become of the values of a bundle.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// They were stored.
    pub loaded: u64,
    /// Their keys had values, which stay.
    pub kept: u64,
    /// They were refused, as a store would be.
    pub refused: u64,
    /// They, or the file's own list of them, were damaged.
    pub damaged: u64,
}

/// Saves what a cache itself has, and returns the number of values. A file with this path is replaced when all is
/// written, or stays as it is.
pub fn save(cache: &Cache, path: &Path, context: &[u8]) -> Result<u64> {
    let description = description(cache, context)?;
    let mut walk = Walk::new(cache.clone())?;
    let mut bundle = BundleWriter::create(path, &description)?;
    let mut count = 0;
    while let Some(walked) = walk.next_entry()? {
        let entry = &walked.value.entry;
        bundle.push(Entry { key: entry.key(), value: entry.value(), cost_ns: walked.cost_ns })?;
        count += 1;
    }
    bundle.finish()?;
    Ok(count)
}

/// Loads a bundle into a cache in this process.
pub fn load(cache: &Cache, path: &Path, context: &[u8]) -> Result<Loaded> {
    if matches!(cache, Cache::Redis(_) | Cache::Disk(_)) {
        return Err(Error::Unsupported(
            "a saved cache is loaded into caches in this process only; load it into a dict cache, or open the file as \
             a disk cache",
        ));
    }
    let expected = description(cache, context)?;
    let bundle = Bundle::open(path)?;
    check(&bundle, &expected)?;
    let mut counts = Loaded::default();
    let has_room = |bytes| limit::has_room(bytes, 100.0);
    bundle.read_all(
        has_room,
        |key| cache.prefetch(key),
        |item| {
            *match item {
                Item::Value { key, value, cost_ns } => match cache.add(key, value, Cost::of_ns(cost_ns)) {
                    Ok(Ok(true)) => &mut counts.loaded,
                    Ok(Ok(false)) => &mut counts.kept,
                    Ok(Err(_)) | Err(Error::OutOfMemory(_)) => &mut counts.refused,
                    // It is not a value of its key in a cache of this type.
                    Err(_) => &mut counts.damaged,
                },
                Item::NoRoom => &mut counts.refused,
                Item::Damaged => &mut counts.damaged,
            } += 1;
        },
    )?;
    Ok(counts)
}

/// A cache of the values of a bundle, which stay where they are and are only read.
pub fn open(config: Arc<Config>, options: Options, path: &Path, context: &[u8]) -> Result<Cache> {
    let bundle = Bundle::open(path)?;
    let fingerprint = key::context(context)?.0;
    check(&bundle, &Description { fingerprint, role: VALUES.into(), context: context.into() })?;
    DiskCache::of_bundle(config, options, bundle).map(Cache::from)
}

/// What a bundle of this cache says of itself.
fn description(cache: &Cache, context: &[u8]) -> Result<Description> {
    let (role, fingerprint) = match cache {
        Cache::Dict(_) => match holder::fingerprint_of(cache) {
            Some(identity) => (VALUES, key::shared_of(&identity, context)?),
            None => (VALUES, key::context(context)?),
        },
        Cache::Purview(_) => ("purviews", key::context(context)?),
        Cache::Mice(mice) => ("mice", key::mice_of(&mice.subsystem().cut_fingerprint(), context)?),
        Cache::Redis(_) | Cache::Disk(_) => {
            return Err(Error::Unsupported(
                "the values are at a server or in files already; only caches in this process can be saved",
            ));
        }
    };
    Ok(Description { fingerprint: fingerprint.0, role: role.into(), context: context.into() })
}

/// Fails unless a bundle is the expected one.
fn check(bundle: &Bundle, expected: &Description) -> Result<()> {
    let (found, path) = (bundle.description(), bundle.path());
    let path = path.display();
    if found.role != expected.role {
        return Err(Error::invalid(format!(
            "{path} has {}, but {} are expected here; use it with a cache of the type that was saved",
            found.role, expected.role
        )));
    }
    if found.context != expected.context {
        return Err(Error::invalid(format!(
            "{path} has values of the context \"{}\", not of \"{}\"; give the context that they were saved with, or \
             compute them again",
            shown(&found.context),
            shown(&expected.context)
        )));
    }
    if found.role == VALUES {
        // A cache that is not shared takes all values of the context, and its values may go into all caches.
        let anonymous = key::context(&found.context)?.0;
        let [is_shared, into_shared] = [found.fingerprint, expected.fingerprint].map(|its| its != anonymous);
        if is_shared && into_shared && found.fingerprint != expected.fingerprint {
            return Err(Error::invalid(format!(
                "{path} has the values of a shared cache of another fingerprint in the context \"{}\"; load it into \
                 the cache of the same network or subsystem",
                shown(&found.context)
            )));
        }
    } else if found.fingerprint != expected.fingerprint {
        return Err(Error::invalid(format!(
            "{path} has the MICE of another subsystem or cut in the context \"{}\"; load it into the cache of the same \
             network, state, nodes and cut",
            shown(&found.context)
        )));
    }
    Ok(())
}

/// A context for a message.
fn shown(context: &[u8]) -> String {
    let text = as_text(&context[..context.len().min(SHOWN)]).into_owned();
    if context.len() > SHOWN { text + "…" } else { text }
}
