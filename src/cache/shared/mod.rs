//! Caches whose values other processes share.
//!
//! A [`SharedCache`] is a cache in this process in front of a [`Backing`], which holds the values outside of it: at a
//! Redis server ([`RedisCache`]), or wherever else the trait is implemented.
//!
//! | file | its one idea |
//! |---|---|
//! | `redis.rs` | the values of one cache at a Redis server |
//! | `whole_database.rs` | PyPhi's mode, in which a cache owns the whole database |
//! | `scope.rs` | the part of a database that a cache owns: a part of a namespace |
//! | `seal.rs` | what ties a record to its name |
//! | `key_names.rs` | the names of keys at a server |
//! | `mice.rs` | MICE, which children inherit |
//! | `single_flight.rs` | of many processes, one computes |
//! | `store.rs` | stores and removals, near and at the backing |
//! | `lookup.rs` | lookups, near and at the backing |
//! | `cache.rs` | the two tiers of a shared cache, and how a value is fetched from one to the other |
//! | `polling.rs` | how often a waiting caller asks whether another process has finished |
//! | `near.rs` | the values that this process keeps |
//! | `backing.rs` | the trait of everything that holds values outside of this process |

mod backing;
mod cache;
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
mod whole_database;

pub use backing::{Backing, Claim, Fetched, Lookups, StoreOutcome};
pub use cache::SharedCache;
pub use redis::{Redis, RedisCache};
