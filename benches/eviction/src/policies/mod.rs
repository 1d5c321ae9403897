//! Caches with a limit in bytes.
//!
//! | file | policy |
//! |---|---|
//! | `simple` | refusing, FIFO, exact LRU, CLOCK by the entry |
//! | `greedy_dual` | sampled GreedyDual: the least cost per byte of a sample |
//! | `chunks` | CLOCK over chunks, with credits from cost |
//! | `peers` | moka and quick_cache themselves |
//! | `phicache` | the library itself, through its C API |

pub mod chunks;
pub mod greedy_dual;
pub mod peers;
pub mod phicache;
pub mod simple;

use crate::work::{Entry, Id};

pub trait Policy {
    /// Whether the entry is in the cache. If so, it counts as used.
    fn get(&mut self, id: Id) -> bool;
    /// Stores an entry that is not in the cache.
    fn set(&mut self, id: Id, entry: &Entry);
}
