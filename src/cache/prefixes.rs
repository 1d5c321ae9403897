//! The prefixes of the functions that use one cache: two with the same prefix would read each other's values.

use crate::epoch::without_fork;
use crate::error::{Error, Result, try_owned};
use crate::sync::{Mutex, OnceTryArc, TryArc};

/// The identity of a memo or a method: it has its prefixes for as long as this lives.
pub type Identity = TryArc<()>;

/// The prefixes that functions have taken on one cache. The list is allocated by the first one.
#[derive(Default)]
pub struct Prefixes(OnceTryArc<Mutex<Vec<Taken>>>);

struct Taken {
    /// `None` is a function without a prefix.
    prefix: Option<String>,
    by: Identity,
}

impl Taken {
    fn is_free(&self) -> bool {
        self.by.owners() == 1
    }
}

impl Prefixes {
    /// Takes a prefix for a function, which may have it already; fails if another one has it.
    pub(super) fn take(&self, prefix: Option<&str>, by: &Identity) -> Result<()> {
        without_fork(|| {
            let mut all = self.0.get_or_try_init(|| TryArc::try_new(Mutex::default()))?.lock();
            if let Some(taken) = all.iter().find(|taken| taken.prefix.as_deref() == prefix && !taken.is_free()) {
                return if taken.by.is_same(by) { Ok(()) } else { Err(in_use(prefix)) };
            }
            all.retain(|taken| !taken.is_free());
            all.try_reserve(1).map_err(|_| Error::OutOfMemory(size_of::<Taken>()))?;
            all.push(Taken { prefix: prefix.map(try_owned).transpose()?, by: by.clone() });
            Ok(())
        })
    }
}

#[cold]
fn in_use(prefix: Option<&str>) -> Error {
    let name = prefix.map_or("no prefix".into(), |prefix| format!("the prefix \"{prefix}\""));
    Error::invalid(format!(
        "another function on this cache has {name}; both would read each other's values; give each function a prefix \
         of its own. If both are of one function, such as one in each object of a class, or in each file that includes \
         a header, share one memo or method"
    ))
}
