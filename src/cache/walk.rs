//! A walk through the entries of a cache in this process, which other threads use meanwhile.

use super::any::Cache;
use super::value::{Origin, Value};
use crate::error::Result;
use crate::table;

/// A walk through a cache. It shares the cache, so it may continue after the cache's handle is freed.
///
/// It sees each entry once that is there from its beginning to its end, and any other at most once. It holds no lock and
/// no read section between two entries; the next few entries are pinned.
pub struct Walk {
    cache: Cache,
    position: table::Walk,
    /// The entries of the last step that were not handed out yet.
    ahead: Vec<table::Walked>,
}

/// An entry that a walk has come to.
pub struct Walked {
    /// The value, with its key.
    pub value: Value,
    /// The bytes that the entry takes.
    pub bytes: u64,
    /// The nanoseconds that its computation took; 0 if that is not known.
    pub cost_ns: u64,
}

impl Walk {
    /// The beginning of a walk. Fails if the cache's values are at a server.
    pub fn new(cache: Cache) -> Result<Self> {
        cache.table()?;
        Ok(Walk { cache, position: table::Walk::default(), ahead: Vec::new() })
    }

    /// The next entry; `None` at the end. After an error the walk may continue where it was.
    pub fn next_entry(&mut self) -> Result<Option<Walked>> {
        if self.ahead.is_empty() {
            self.cache.table()?.walk(&mut self.position, &mut self.ahead)?;
        }
        Ok(self.ahead.pop().map(|table::Walked { entry, cost }| Walked {
            bytes: entry.weight(),
            cost_ns: cost,
            value: Value { entry, origin: Origin::Hit },
        }))
    }
}
