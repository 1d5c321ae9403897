//! One view of everything: the live caches that have a name.
//!
//! A name belongs to one cache, as long as somebody holds a [`Name`] of it. Caches without a name stay out.

use std::collections::BTreeMap;

use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::store::lock::Mutex;

/// The longest name, in bytes.
pub const NAME_MAX: usize = 63;

/// Each name with its cache, and how many hold it.
static CACHES: Mutex<BTreeMap<String, (Cache, usize)>> = Mutex::new(BTreeMap::new());

/// A share in a name.
pub struct Name(String);

impl Name {
    /// Gives a cache a name; several holders of one cache may give it the same.
    pub fn register(name: &str, cache: &Cache) -> Result<Self> {
        if name.is_empty() || name.len() > NAME_MAX {
            return Err(Error::invalid(format!("a cache name of {} bytes; expected 1 to {NAME_MAX}", name.len())));
        }
        let mut caches = CACHES.lock();
        let (known, holders) = caches.entry(name.to_owned()).or_insert_with(|| (cache.clone(), 0));
        if !known.is_same(cache) {
            return Err(Error::NameInUse(name.to_owned().into()));
        }
        *holders += 1;
        Ok(Name(name.to_owned()))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let mut caches = CACHES.lock();
        let Some((_, holders)) = caches.get_mut(&self.0) else { return };
        *holders -= 1;
        if *holders == 0 {
            let last = caches.remove(&self.0);
            drop(caches);
            drop(last);
        }
    }
}

/// The live caches that have a name, in order of their names.
pub fn all() -> Vec<(String, Cache)> {
    CACHES.lock().iter().map(|(name, (cache, _))| (name.clone(), cache.clone())).collect()
}

/// The live cache of this name.
pub fn find(name: &str) -> Result<Cache> {
    let found = CACHES.lock().get(name).map(|(cache, _)| cache.clone());
    found.ok_or_else(|| Error::invalid(format!("no live cache is named \"{name}\"")))
}
