//! The registry: all live caches that have a name.
//!
//! A name belongs to one cache as long as one of its [`Name`]s exists. Caches without a name are not listed.

use super::any::Cache;
use crate::epoch::without_fork;
use crate::error::{Error, Result, try_owned};
use crate::sync::Mutex;

/// The longest name, in bytes.
pub const NAME_MAX: usize = 63;

/// A name, its cache, and the number of its holders.
struct Named {
    name: String,
    cache: Cache,
    holders: usize,
}

/// Sorted by name.
static CACHES: Mutex<Vec<Named>> = Mutex::new(Vec::new());

/// The index of a name, or the one at which it belongs.
fn position(caches: &[Named], name: &str) -> std::result::Result<usize, usize> {
    caches.binary_search_by(|named| named.name.as_str().cmp(name))
}

/// A holder of a name. Dropping the last one removes the name.
pub struct Name(String);

impl Name {
    /// Names a cache. Several holders of one cache may give it the same name.
    pub fn register(name: &str, cache: &Cache) -> Result<Self> {
        without_fork(|| {
            if name.is_empty() || name.len() > NAME_MAX {
                return Err(Error::invalid(format!("a cache name of {} bytes; expected 1 to {NAME_MAX}", name.len())));
            }
            if let Some(control) = name.chars().find(|letter| letter.is_control()) {
                return Err(Error::invalid(format!(
                    "a cache name with the control character {control:?}; names are printed, one to a line"
                )));
            }
            let share = try_owned(name)?;
            let mut caches = CACHES.lock();
            match position(&caches, name) {
                Ok(at) if caches[at].cache.is_same(cache) => caches[at].holders += 1,
                Ok(_) => return Err(Error::NameInUse(share.into())),
                Err(at) => {
                    let named = Named { name: try_owned(name)?, cache: cache.clone(), holders: 1 };
                    caches.try_reserve(1).map_err(|_| Error::OutOfMemory(size_of::<Named>()))?;
                    caches.insert(at, named);
                }
            }
            Ok(Name(share))
        })
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        without_fork(|| {
            let mut caches = CACHES.lock();
            let Ok(at) = position(&caches, &self.0) else { return };
            caches[at].holders -= 1;
            if caches[at].holders == 0 {
                let last = caches.remove(at);
                drop(caches);
                drop(last);
            }
        })
    }
}

/// The live caches that have a name, sorted by name.
pub fn all() -> Result<Vec<(String, Cache)>> {
    without_fork(|| {
        let caches = CACHES.lock();
        let mut all = Vec::new();
        all.try_reserve_exact(caches.len()).map_err(|_| Error::OutOfMemory(caches.len() * size_of::<Named>()))?;
        for named in caches.iter() {
            all.push((try_owned(&named.name)?, named.cache.clone()));
        }
        Ok(all)
    })
}

/// The live cache of this name.
pub fn find(name: &str) -> Result<Cache> {
    without_fork(|| {
        let caches = CACHES.lock();
        let found = position(&caches, name).ok().map(|at| caches[at].cache.clone());
        drop(caches);
        found.ok_or_else(|| Error::invalid(format!("no live cache is named \"{name}\"")))
    })
}
