//! Tests of `phicache::redis` with real Redis or Valkey servers.
//!
//! | file | content |
//! |---|---|
//! | `server.rs` | starts and stops servers |
//! | `cluster.rs` | the same for a cluster |
//! | `proxy.rs`, `fault_proxy.py` | a proxy between client and server that spoils the answers |
//! | `operations.rs` | the operations at a healthy server |
//! | `access.rs` | users, passwords, what messages say |
//! | `permissions.rs` | the commands that a user needs, and what works without some of them |
//! | `encrypted.rs` | TLS |
//! | `nodes.rs` | a cluster |
//! | `failing.rs` | servers that die, freeze, are full or read-only |
//! | `faults.rs` | answers that are truncated, late, slow or nonsense |
//! | `forks.rs` | a process and its children; signals |
//!
//! The server is `$PHICACHE_REDIS_SERVER`, or else `redis-server` or `valkey-server` from the PATH. Without one the
//! tests print SKIPPED. `$PHICACHE_REDIS_ROUNDS` (1) multiplies the rounds of randomized tests.

mod access;
mod cluster;
#[cfg(feature = "tls")]
mod encrypted;
mod failing;
mod faults;
mod forks;
mod nodes;
mod operations;
mod permissions;
mod proxy;
mod server;
