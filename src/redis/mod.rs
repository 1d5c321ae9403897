//! All that speaks to a Redis or Valkey server. It knows bytes: no caches, no meaning of keys. [`Server`] is its face, and
//! [`Endpoint`] what it is made from; both are made once and used by any number of threads.
//!
//! | file | its one idea |
//! |---|---|
//! | `endpoint.rs` | a URL, taken apart: where the server is and how to speak to it |
//! | `server.rs` | a server or a cluster that looks like one; operations on single keys |
//! | `batch.rs` | many keys in one round trip |
//! | `prefix.rs` | all keys of a prefix, by SCAN and UNLINK |
//! | `lease.rs` | of many workers, one computes |
//! | `database.rs` | the whole database, as PyPhi treats it |
//! | `cluster.rs` | which node has which slot, and where to look when that changes |
//! | `node.rs` | one server process: what every operation goes through |
//! | `breaker.rs` | a server that fails is left alone for a while |
//! | `pool.rs` | idle connections, and what a fork means for them |
//! | `connection.rs` | questions and answers, and that they belong together |
//! | `reply.rs` | answers, read as they come, values straight into their place |
//! | `stream.rs`, `tls.rs`, `socket.rs` | bytes, plain or encrypted, under one deadline |
//! | `failure.rs`, `counters.rs` | why an operation failed; how often that happened |
//! | `secrets.rs` | what of a server's words may be repeated |
//!
//! # What holds for every operation
//!
//! **One deadline.** An operation has [`Endpoint::timeout`] from its beginning, for everything: connecting, the TLS
//! handshake, logging in, sending, every byte of the reply, and a second attempt. Only resolving a name is beyond it
//! (the system's resolver knows no deadline). Operations on a prefix are many operations, and have a deadline of their own:
//! they end when it has passed and the step that is under way is over.
//!
//! **No server is believed.** Memory for an answer grows with what has come of it, not with the length that was announced;
//! depth, items and lines are bounded; a cursor that comes back ends a scan. Every reply is checked for its shape: what is
//! no answer to the question is an error, never a yes.
//!
//! **A breaker.** A server (of a cluster: a node) that cannot be reached, is silent until the deadline, breaks the connection
//! or talks nonsense is left alone for a time that doubles with each attempt that fails; until then operations fail at
//! once, with [`Cause::Skipped`]. A server that answers, be it with an error, is well. So a dead server costs one timeout
//! and then nothing until it is tried again, by one thread. A connection that broke may be the doing of one key: before
//! all others are kept away, the server is asked for a PING, within the same deadline.
//!
//! **No reply answers another question.** After a timeout, an error of the socket, or bytes that are no reply, the
//! connection is closed. See `connection.rs`.
//!
//! **Forks.** Parent and child may both go on with the same [`Server`]: the child never touches a connection of its parent,
//! and opens its own. See `pool.rs`; the locks are those of `store::lock`, which survive forks, and there are no threads.
//! An operation that another thread has under way at the moment of the fork goes on in the parent only.
//!
//! **No signals, no passwords.** SIGPIPE never fires because of us. No failure, and no debug output, holds a password,
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
