//! phicache: memory-limited caching for integrated information theory, behind a C ABI.
//!
//! The layers, from top to bottom. A module knows only those below it; `tests/layers.rs` holds it to that.
//!
//! | module | what it is |
//! |---|---|
//! | [`ffi`] | the C API: `api`, one file per section of the header, on `border`, which checks what C hands over |
//! | [`cache`] | the cache types, memoization, leases, the registry of names; `cache::shared`: values at a server |
//! | [`config`] | settings from which caches are made: limits, switches, the server |
//! | [`iit`] | node sets, directions, cuts, subsystems, MICE records |
//! | [`key`] | the canonical key encoding and fingerprints |
//! | [`redis`] | the client for Redis and Valkey servers: bytes, no caches |
//! | [`table`] | the concurrent hash table: lock-free reads, pinned entries |
//! | [`flight`] | single flight: one computes a missing value, the others wait |
//! | [`memory`] | what caches hold, and how much the process may use |
//! | [`epoch`] | memory reclamation for lock-free readers |
//! | [`sync`] | locks that survive a fork, shared pointers, padding |
//! | [`error`] | errors of every layer, in words |
//!
//! `unsafe` is confined to `ffi::border` and to the four modules at the bottom that build the table; the compiler
//! forbids it everywhere else.

#[forbid(unsafe_code)]
pub mod cache;
#[forbid(unsafe_code)]
pub mod config;
pub mod epoch;
#[forbid(unsafe_code)]
pub mod error;
pub mod ffi;
#[forbid(unsafe_code)]
pub mod flight;
#[forbid(unsafe_code)]
pub mod iit;
#[forbid(unsafe_code)]
pub mod key;
pub mod memory;
#[cfg(feature = "redis")]
#[forbid(unsafe_code)]
pub mod redis;
#[cfg(not(feature = "redis"))]
#[path = "redis/disabled.rs"]
pub mod redis;
pub mod sync;
pub mod table;
