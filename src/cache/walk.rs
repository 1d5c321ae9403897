//! A walk through the entries of a cache in this process, which other threads use meanwhile.

use super::any::Cache;
use super::shared::disk::DiskCache;
use super::value::{Origin, Value};
use crate::error::Result;
use crate::sync::TryArc;
use crate::table;

/// A walk through a cache. It shares the cache, so it may continue after the cache's handle is freed.
///
/// It sees each entry once that is there from its beginning to its end, and any other at most once; of a cache in
/// files, none that was not there at its beginning. It holds no lock and no read section between two entries; the next
/// few entries are pinned.
pub struct Walk(Way);

enum Way {
    /// Through the table of a cache; with the entries of the last step that were not handed out yet.
    Table(Cache, table::Walk, Vec<table::Walked>),
    /// Through files; with the numbers of the entries that are left.
    Disk(TryArc<DiskCache>, std::vec::IntoIter<u64>),
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
        Ok(Walk(match cache {
            Cache::Disk(disk) => {
                let numbers = disk.numbers()?.into_iter();
                Way::Disk(disk, numbers)
            }
            cache => {
                cache.table()?;
                Way::Table(cache, table::Walk::default(), Vec::new())
            }
        }))
    }

    /// The next entry; `None` at the end. After an error the walk may continue where it was.
    pub fn next_entry(&mut self) -> Result<Option<Walked>> {
        match &mut self.0 {
            Way::Disk(disk, numbers) => {
                for number in numbers {
                    if let Some((value, cost)) = disk.numbered(number)? {
                        return Ok(Some(Walked { bytes: value.entry.weight(), cost_ns: cost.ns(), value }));
                    }
                }
                Ok(None)
            }
            Way::Table(cache, position, ahead) => {
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
