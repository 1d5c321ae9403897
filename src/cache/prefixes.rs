//! The prefixes of the memos on one cache: two functions with the same prefix would read each other's values.

use crate::epoch::without_fork;
use crate::error::{Error, Result, try_owned};
use crate::sync::{Mutex, OnceTryArc, TryArc};

/// The prefixes of the memos on one cache; `None` is a memo without a prefix. The list is allocated by the first memo.
#[derive(Default)]
pub struct Prefixes(OnceTryArc<Mutex<Vec<Option<String>>>>);

/// How a message names a prefix.
fn named(prefix: Option<&str>) -> String {
    prefix.map_or("no prefix".into(), |prefix| format!("the prefix \"{prefix}\""))
}

impl Prefixes {
    /// Takes a prefix; fails if another memo has it.
    pub(super) fn take(&self, prefix: Option<&str>) -> Result<()> {
        without_fork(|| {
            let mut taken = self.0.get_or_try_init(|| TryArc::try_new(Mutex::default()))?.lock();
            if taken.iter().any(|other| other.as_deref() == prefix) {
                let name = named(prefix);
                return Err(Error::invalid(format!(
                    "another memo on this cache has {name}; two would read each other's values; give each function a \
                     prefix of its own. If both memos are of one function, such as one in each object of a class, \
                     share one memo, or use a method"
                )));
            }
            taken.try_reserve(1).map_err(|_| Error::OutOfMemory(size_of::<Option<String>>()))?;
            taken.push(prefix.map(try_owned).transpose()?);
            Ok(())
        })
    }

    /// Fails if a memo has the prefix of a method. A method takes no prefix, because each call names its cache.
    pub(super) fn check(&self, prefix: Option<&str>) -> Result<()> {
        without_fork(|| {
            let Some(taken) = self.0.get().map(Mutex::lock) else { return Ok(()) };
            if !taken.iter().any(|other| other.as_deref() == prefix) {
                return Ok(());
            }
            Err(Error::invalid(format!(
                "a memo on this cache has {}, and so has this method; each would read the other's values; give each \
                 function a prefix of its own",
                named(prefix)
            )))
        })
    }

    /// Makes a prefix available again.
    pub(super) fn give_back(&self, prefix: Option<&str>) {
        without_fork(|| {
            let Some(mut taken) = self.0.get().map(Mutex::lock) else { return };
            if let Some(at) = taken.iter().position(|other| other.as_deref() == prefix) {
                taken.swap_remove(at);
            }
        })
    }
}
