//! phicache: memory-limited caching for integrated information theory, behind a C ABI.
//!
//! The modules are layers, listed from top to bottom. A module imports only modules below it; `tests/layers.rs` checks
//! this.
//!
//! | module | content |
//! |---|---|
//! | [`ffi`] | the C API: `api` has one file per section of the header; `border` checks pointers and handles from C |
//! | [`cache`] | the cache types, memoization, leases, the registry of names; `cache::shared`: caches at a server |
//! | [`config`] | the settings of caches: memory limit, switches, Redis server |
//! | [`iit`] | node sets, directions, cuts, subsystems, MICE records |
//! | [`key`] | the canonical key encoding and fingerprints |
//! | [`redis`] | a client for Redis and Valkey servers, independent of caches |
//! | [`disk`] | values in files, which processes share, independent of caches |
//! | [`table`] | the concurrent hash table: lock-free reads, pinned entries |
//! | [`flight`] | single flight: one thread computes a missing value, the others wait for it |
//! | [`memory`] | the memory limit: bytes held by caches, memory of the process, limits of the system |
//! | [`epoch`] | memory reclamation for lock-free readers: epochs and hazard pointers |
//! | [`sync`] | locks that survive a fork, shared pointers, padding |
//! | [`error`] | the error type of all layers |
//!
//! Only `ffi::border`, `table`, `memory`, `epoch` and `sync` contain `unsafe` code; the compiler forbids it elsewhere.

#[forbid(unsafe_code)]
pub mod cache;
#[forbid(unsafe_code)]
pub mod config;
#[forbid(unsafe_code)]
pub mod disk;
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
