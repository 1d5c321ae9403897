//! Keys: one canonical encoding of argument lists, version 1, and the fingerprint of a network.
//!
//! `docs/keys.md` is the specification, with test vectors that the tests of every language read.
//!
//! | file | its one idea |
//! |---|---|
//! | `element.rs` | the tags, and how one element becomes bytes |
//! | `encoding.rs` | elements, tuples and sets appended one after the other to one buffer |
//! | `builder.rs` | an argument list, typed and untyped at once |
//! | `standard.rs` | the common keys, written straight into a caller's buffer, and read back |
//! | `fingerprint.rs` | BLAKE3 of a network and of what was done with it |

mod builder;
mod element;
mod encoding;
mod fingerprint;
mod standard;

pub use builder::KeyBuilder;
pub use element::{Element, VERSION_TYPED, VERSION_UNTYPED};
pub use fingerprint::{Fingerprint, Layout, NODES_MAX, network, states};
pub(crate) use fingerprint::{cut, subsystem};
pub use standard::{KeyWriter, MiceKey, MiceQuestion, mice, repertoire};
