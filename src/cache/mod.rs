//! The cache types, and functions with a cache.
//!
//! | file | its one idea |
//! |---|---|
//! | `registry.rs` | the live caches that have a name |
//! | `memo.rs` | a function with its cache; a method that uses its object's cache |
//! | `lease.rs` | computing a value without a callback: begin, complete or abandon, wait |
//! | `memoize.rs` | look up, and compute on a miss, once |
//! | `any.rs` | [`Cache`]: any of the types below |
//! | `shared/` | caches whose values other processes share |
//! | `holder.rs` | one plain cache for all callers that name the same identity and role |
//! | `dict.rs` | the plain cache |
//! | `purview.rs` | lists of potential purviews, by direction and mechanism |
//! | `mice.rs` | MICE (maximally irreducible causes and effects), which cut subsystems inherit |
//! | `lineage.rs` | what a cut subsystem inherits, wherever its ancestors' values are |
//! | `local.rs` | the mechanism of all in-process caches: look up, store, compute once, count |
//! | `policy.rs` | what one type of cache does differently |
//! | `computed.rs` | what a computation ends with; single flight for such values |
//! | `counters.rs` | what a cache counts |
//! | `prefixes.rs` | the prefixes that memos have taken on one cache |
//! | `options.rs` | what the maker of a cache may choose |
//! | `value.rs` | what a cache answers |
//!
//! A file uses only files below it in this table. To add a cache type, write its [`Policy`]: what it refuses, what it
//! inherits, how it clears.

mod any;
mod computed;
mod counters;
mod dict;
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

pub use any::Cache;
pub use counters::{Info, Stats};
pub use dict::DictCache;
pub use holder::{Holder, shared as shared_dict};
pub use lease::{Lease, Started};
pub use local::LocalCache;
pub use memo::{Memo, Method, MethodLookup, not_stored};
pub use memoize::{Lookup, Pending};
pub use mice::MiceCache;
pub use options::{Options, RemoteOptions};
pub use policy::Policy;
pub use purview::PurviewCache;
pub use shared::RedisCache;
pub use value::{Fast, Found, Origin, Refusal, Stored, Value, Waited};
