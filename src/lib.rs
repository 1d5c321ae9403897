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
//! | [`config`] | settings, from which caches are made: limits, switches, the server |
//! | [`error`] | failures in words, of every layer |
//!
//! `unsafe` stands in `ffi`, at the border, and in `store`, at the bottom; everything between them is safe Rust, which the
//! compiler is told here.

#[deny(unsafe_code)] // but for what a macro of the store brings
pub mod cache;
#[forbid(unsafe_code)]
pub mod config;
#[forbid(unsafe_code)]
pub mod error;
pub mod ffi;
#[forbid(unsafe_code)]
pub mod iit;
#[forbid(unsafe_code)]
pub mod key;
#[cfg(feature = "redis")]
#[forbid(unsafe_code)]
pub mod redis;
#[cfg(not(feature = "redis"))]
#[path = "redis_absent.rs"]
pub mod redis;
#[forbid(unsafe_code)]
pub mod registry;
pub mod store;
