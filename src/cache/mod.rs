//! The cache types, memoized functions, leases and the registry of named caches. The C API uses them.
//!
//! | file | its one idea |
//! |---|---|
//! | `registry.rs` | the live caches that have a name |
//! | `holder.rs` | one cache for all callers that name the same identity and role |
//! | `bundle.rs` | a cache saved to one file, loaded again, or only read |
//! | `memo.rs` | a function with its cache; a method that uses its object's cache |
//! | `walk.rs` | every entry of a cache once, while others use it |
//! | `lease.rs` | computing a value without a callback: begin, complete or abandon, wait |
//! | `memoize.rs` | a lookup that computes on a miss, once for all threads |
//! | `any.rs` | [`Cache`]: any of the types below |
//! | `shared/` | caches whose values are shared between processes |
//! | `dict.rs` | the dict cache: any bytes under any key |
//! | `purview.rs` | lists of potential purviews, by direction and mechanism |
//! | `mice.rs` | MICE (maximally irreducible causes and effects), which cut subsystems inherit |
//! | `lineage.rs` | which MICE a cut subsystem inherits from its ancestors |
//! | `local.rs` | what all in-process caches consist of |
//! | `local/lookups.rs` | lookups, and their fast path |
//! | `local/stores.rs` | stores: whether, on which terms, and what became of them |
//! | `local/computations.rs` | who computes a missing value, and how that ends |
//! | `policy.rs` | the trait of what differs between cache types |
//! | `counters.rs` | hits, misses, stores and the other counts of a cache |
//! | `computed.rs` | single flight for values |
//! | `prefixes.rs` | the prefixes that functions have taken on one cache |
//! | `worth.rs` | computing time per byte, as credits against eviction |
//! | `full.rs` | what a full cache does: refuse, or evict |
//! | `options.rs` | the options of a new cache |
//! | `verify.rs` | verified mode: every n-th hit is computed again and compared |
//! | `value.rs` | the results of operations: values, origins, refusals |
//!
//! A file imports only files below it in this table. To add a cache type, write its [`Policy`]: which values it
//! refuses, what it inherits, how it clears.

mod any;
mod bundle;
mod computed;
mod counters;
mod dict;
mod full;
mod holder;
mod lease;
mod lineage;
mod local;
mod memo;
mod memoize;
mod mice;
mod options;
mod policy;
mod prefixes;
mod purview;
pub mod registry;
pub mod shared;
mod value;
mod verify;
mod walk;
mod worth;

pub use any::Cache;
pub use bundle::{Loaded, load, open, save};
pub use counters::{Info, Stats};
pub use dict::DictCache;
pub use full::Full;
pub use holder::{Holder, shared_dict, shared_disk, shared_disk_mice};
pub use lease::{Lease, Started};
pub use local::LocalCache;
pub use memo::{Memo, Method, MethodLookup, not_stored};
pub use memoize::{Lookup, Pending};
pub use mice::MiceCache;
pub use options::{DiskOptions, OnFull, Options, RemoteOptions};
pub use policy::Policy;
pub use purview::PurviewCache;
pub use shared::{DiskCache, RedisCache};
pub use value::{Cost, Fast, Found, Origin, Refusal, Stored, Value, Waited};
pub use verify::{Judge, Verifier};
pub use walk::{Walk, Walked};
