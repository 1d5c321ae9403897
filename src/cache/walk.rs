//! A walk through the entries of a cache in this process, which other threads use meanwhile.

use super::any::Cache;
use super::value::{Origin, Value};
use crate::error::Result;
use crate::table;

/// A walk through a cache. Of a cache in files, it sees the entries that are there at its beginning. It shares the cache, so it may continue after the cache's handle is freed.
///
/// It sees each entry once that is there from its beginning to its end, and any other at most once. It holds no lock and
/// no read section between two entries; the next few entries are pinned.
pub struct Walk {
    cache: Cache,
    position: Position,
}

/// What is left of a walk.
enum Position {
    /// Through a table; and the entries of the last step that were not handed out yet.
    Table(table::Walk, Vec<table::Walked>),
    /// Through files: the numbers of the entries.
    Disk(std::vec::IntoIter<u64>),
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
        let position = match &cache {
            Cache::Disk(disk) => Position::Disk(disk.numbers()?.into_iter()),
            cache => {
                cache.table()?;
                Position::Table(table::Walk::default(), Vec::new())
            }
        };
        Ok(Walk { cache, position })
    }

    /// The next entry; `None` at the end. After an error the walk may continue where it was.
    pub fn next_entry(&mut self) -> Result<Option<Walked>> {
        match (&mut self.position, &self.cache) {
            (Position::Disk(numbers), Cache::Disk(disk)) => {
                for number in numbers {
                    if let Some((value, cost)) = disk.numbered(number)? {
                        return Ok(Some(Walked { bytes: value.entry.weight(), cost_ns: cost.ns(), value }));
                    }
                }
                Ok(None)
            }
            (Position::Disk(_), _) => Ok(None),
            (Position::Table(position, ahead), cache) => {
                if ahead.is_empty() {
                    cache.table()?.walk(position, ahead)?;
                }
                Ok(ahead.pop().map(|table::Walked { entry, cost }| Walked {
                    bytes: entry.weight(),
                    cost_ns: cost,
                    value: Value { entry, origin: Origin::Hit },
                }))
            }
        }
    }
}
