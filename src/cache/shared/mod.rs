//! Caches whose values are shared between processes.
//!
//! A [`SharedCache`] is an in-process cache, the near cache, in front of a [`Backing`], which holds the values outside
//! of this process. [`RedisCache`] is one whose backing is a Redis server, [`DiskCache`] one whose backing is a
//! directory.
//!
//! | file | its one idea |
//! |---|---|
//! | `disk.rs` | the values of one cache in files |
//! | `redis.rs` | the values of one cache at a Redis server |
//! | `whole_database.rs` | PyPhi's mode, in which a cache owns the whole database |
//! | `scope.rs` | the part of a database that belongs to a cache |
//! | `seal.rs` | a checksum that ties a record to the name of its key |
//! | `key_names.rs` | the names of keys at a server |
//! | `mice.rs` | MICE caches, whose children inherit records |
//! | `single_flight.rs` | single flight between processes |
//! | `store.rs` | stores and removals in both tiers |
//! | `lookup.rs` | lookups in both tiers |
//! | `cache.rs` | the two tiers of a shared cache, and fetching a value from the backing into the near cache |
//! | `polling.rs` | how often a waiting caller asks whether another process has finished |
//! | `near.rs` | the near cache: the copies that this process keeps |
//! | `visits.rs` | operations that overlap: which values the near cache may keep |
//! | `backing.rs` | the trait of a store outside of this process |

mod backing;
mod cache;
pub(super) mod disk;
mod key_names;
mod lookup;
mod mice;
mod near;
mod polling;
pub(super) mod redis;
mod scope;
mod seal;
mod single_flight;
mod store;
mod visits;
mod whole_database;

pub use backing::{Backing, Fetched, KeyClaim, LookupCounts, StoreOutcome};
pub use cache::SharedCache;
pub use disk::{Disk, DiskCache};
pub use redis::{Redis, RedisCache};
