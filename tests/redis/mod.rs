//! What a Redis or Valkey server and `phicache::redis` do together.
//!
//! | file | what it has |
//! |---|---|
//! | `server.rs` | starts and stops servers |
//! | `cluster.rs` | the same for a cluster |
//! | `proxy.rs`, `fault_proxy.py` | stand between a client and a server, and spoil the answers |
//! | `operations.rs` | what the operations do when all is well |
//! | `access.rs` | users, passwords, what messages say |
//! | `permissions.rs` | what a user has to be allowed, and what goes on without |
//! | `encrypted.rs` | TLS |
//! | `nodes.rs` | a cluster |
//! | `failing.rs` | servers that die, freeze, are full or read-only |
//! | `faults.rs` | answers that are cut, late, slow or nonsense |
//! | `forks.rs` | a process and its children; signals |
//!
//! The server is `$PHICACHE_REDIS_SERVER`, or else `redis-server` or `valkey-server` from the PATH. Where there is none the
//! tests say SKIPPED. `$PHICACHE_REDIS_ROUNDS` (1) multiplies what is random.

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
