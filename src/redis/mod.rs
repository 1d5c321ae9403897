//! The client for Redis and Valkey servers. Keys and values are plain bytes. A [`Server`] is made once from an
//! [`Endpoint`] and used by any number of threads.
//!
//! | file | its one idea |
//! |---|---|
//! | `scan.rs` | all keys of a prefix, by SCAN and UNLINK |
//! | `batch.rs` | many keys in one round trip |
//! | `lease.rs` | a lease on a key, so that one of many processes computes it |
//! | `whole_database.rs` | the whole database, as PyPhi treats it |
//! | `server.rs` | a server, or a cluster that looks like one; operations on single keys |
//! | `cluster.rs` | the map from slots to nodes, and redirections |
//! | `node.rs` | one server process: the steps of every operation |
//! | `pool.rs` | idle connections, which a forked child does not use |
//! | `health.rs` | counters of operations and failures |
//! | `connection.rs` | commands and replies on one connection, and their pairing |
//! | `reply.rs` | a parser of replies as they arrive; values are read straight into their sinks |
//! | `stream.rs`, `tls/`, `socket.rs` | bytes, plain or encrypted, under one deadline |
//! | `breaker.rs` | the circuit breaker: a failing server is not asked for a while |
//! | `failure.rs` | why an operation failed |
//! | `secrets.rs` | removes passwords from texts that the server sent |
//! | `endpoint.rs` | a parsed URL: where the server is and how to connect |
//! | `disabled.rs` | the folder's stand-in if the feature `redis` is off |
//!
//! # Guarantees of every operation
//!
//! **One deadline.** An operation has [`Endpoint::timeout`] for everything: connecting, the TLS handshake, logging in,
//! sending, every byte of the reply, and a second attempt. Only name resolution may exceed it, because the system's
//! resolver has no deadline. An operation on a prefix consists of many operations and has a deadline of its own: it
//! ends with the step during which the deadline passes.
//!
//! **No server is trusted.** Memory for a reply grows with the bytes that have arrived, not with the announced length.
//! Depth, items and lines are bounded. A cursor that is returned twice ends a scan. The shape of every reply is
//! checked: anything that does not answer the question is an error, never a yes.
//!
//! **A circuit breaker.** A server (in a cluster: a node) that is unreachable, silent until the deadline, closes the
//! connection or sends garbage is not asked for a while. The pause doubles with every failed attempt; until it is over,
//! operations fail at once with [`Cause::Skipped`]. A server that answers is healthy, even if its answer is an error.
//! So a dead server costs one timeout, and nothing more until one thread tries it again. A single key may be what
//! breaks the connection: before the breaker opens, the server gets a PING, within the same deadline.
//!
//! **No reply answers another question.** After a timeout, a socket error, or bytes that are not a reply, the
//! connection is closed (see `connection.rs`).
//!
//! **Forks.** Parent and child may both continue to use a [`Server`]: the child never touches a connection of its
//! parent, and opens its own (see `pool.rs`). The locks survive forks, and there are no threads. An operation that
//! another thread has in progress at the fork continues in the parent only.
//!
//! **No signals, no passwords.** The client never raises SIGPIPE. No failure and no debug output contains a password,
//! even if the server sends it back.

mod batch;
mod breaker;
mod cluster;
mod connection;
mod endpoint;
mod failure;
mod health;
mod lease;
mod node;
mod pool;
mod reply;
mod scan;
mod secrets;
mod server;
mod socket;
mod stream;
mod tls;
mod whole_database;

pub use batch::Batch;
pub use endpoint::{Address, Backoff, Endpoint, Secret, Tls};
pub use failure::{Answer, Cause, Failure};
pub use health::Health;
pub use lease::Token;
#[cfg(fuzzing)]
pub use reply::{Fault, ReplyReader, ReplyValue};
pub use reply::{LONGEST_VALUE, ValueSink};
pub use server::{Server, Store};
pub use socket::Deadline;
pub use whole_database::Keyspace;
