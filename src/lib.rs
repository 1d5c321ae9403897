//! phicache: memory-limited caching for integrated information theory, behind a C ABI.
//!
//! The map of the house. Calls go down this list, results come straight back up, and nothing reaches sideways:
//!
//! | module | what lives there |
//! |---|---|
//! | [`ffi`] | the C face: one file per handle; NULL checks, handles, the panic boundary |
//! | [`cache`] | the cache types, and functions with a cache |
//! | [`iit`] | node sets, directions, cuts, subsystems, MICE records |
//! | [`key`] | the canonical key encoding and the fingerprint |
//! | [`redis`] | all that speaks to a server |
//! | [`store`] | the in-process table, its entries, and the memory gauge |
//! | [`registry`] | the names of live caches |
//! | [`config`], [`error`] | what every layer may use |
//!
//! `unsafe` stands in `ffi`, at the border, and in `store`, at the bottom; everything between them is safe Rust.

pub mod cache;
pub mod config;
pub mod error;
pub mod ffi;
pub mod iit;
pub mod key;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(not(feature = "redis"))]
#[path = "redis_absent.rs"]
pub mod redis;
pub mod registry;
pub mod store;
