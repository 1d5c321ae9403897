//! Keys: one canonical encoding of argument lists, version 2, and the fingerprint of a network.
//!
//! `docs/keys.md` is the specification, with test vectors that the tests of every language read.
//!
//! | file | its one idea |
//! |---|---|
//! | `element.rs` | the tags, and how one element becomes bytes |
//! | `encoding.rs` | a buffer to which elements, tuples, sets and named types are appended |
//! | `builder.rs` | builds the typed and the untyped key of an argument list at the same time |
//! | `standard.rs` | the common keys, written straight into a caller's buffer, and read back |
//! | `fingerprint.rs` | BLAKE3 digests of networks, systems and cuts |
//! | `networks.rs` | the connections of networks whose fingerprints were made lately |

mod builder;
mod element;
mod encoding;
mod fingerprint;
mod networks;
mod standard;

use crate::error::{Error, Result};
pub use builder::KeyBuilder;
pub use element::{Element, VERSION_TYPED, VERSION_UNTYPED};
pub use fingerprint::{Fingerprint, Layout, NODES_MAX, context, states};
pub(crate) use fingerprint::{cut, mice_of, shared_of, subsystem};
pub(crate) use networks::check_network;
pub use networks::network;

/// The longest key, in bytes.
pub const KEY_MAX: usize = i32::MAX as usize;

/// Refuses a key that is too long.
pub fn check_len(key: &[u8]) -> Result<()> {
    match key.len() {
        ..=KEY_MAX => Ok(()),
        len => Err(Error::invalid(format!("a key of {len} bytes is too long; a key has at most {KEY_MAX}"))),
    }
}

pub use standard::{KeyWriter, MiceKey, MiceQuestion, mice, repertoire};
